package kube

import (
	"maps"
	"slices"
	"strings"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"github.com/eksafe/eksafe/internal/source/kubeobject"
)

// Permissions returns what reading needs: to list each kind of the table, one
// rule a group. Secrets are a rule of their own, and only if they are wanted:
// RBAC cannot grant their metadata without their values.
func Permissions(secrets bool) []rbacv1.PolicyRule {
	byGroup := map[string][]string{}
	for _, r := range kubeobject.Resources() {
		if r.Object == secretObject {
			continue
		}
		for _, v := range r.APIVersions {
			group := groupOf(v)
			byGroup[group] = append(byGroup[group], r.Plural)
		}
	}
	var out []rbacv1.PolicyRule
	for _, group := range slices.Sorted(maps.Keys(byGroup)) {
		slices.Sort(byGroup[group])
		out = append(out, listRule(group, slices.Compact(byGroup[group])...))
	}
	if secrets {
		out = append(out, listRule("", "secrets"))
	}
	return out
}

func listRule(group string, resources ...string) rbacv1.PolicyRule {
	return rbacv1.PolicyRule{APIGroups: []string{group}, Resources: resources, Verbs: []string{"list"}}
}

func groupOf(apiVersion string) string {
	group, _, grouped := strings.Cut(apiVersion, "/")
	if !grouped {
		return ""
	}
	return group
}

// ClusterRole returns the role with [Permissions], as YAML to apply. Looking up
// which kinds a cluster serves needs nothing: system:discovery grants it to
// every authenticated user.
func ClusterRole(secrets bool) ([]byte, error) {
	return yaml.Marshal(rbacv1.ClusterRole{
		TypeMeta:   metav1.TypeMeta{APIVersion: "rbac.authorization.k8s.io/v1", Kind: "ClusterRole"},
		ObjectMeta: metav1.ObjectMeta{Name: "eksafe-read"},
		Rules:      Permissions(secrets),
	})
}
