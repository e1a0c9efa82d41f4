package kube

import (
	"slices"
	"strings"
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"
	"sigs.k8s.io/yaml"

	"github.com/eksafe/eksafe/internal/source/kubeobject"
)

func TestPermissionsAreWhatIsListed(t *testing.T) {
	for _, secrets := range []bool{false, true} {
		data, err := ClusterRole(secrets)
		if err != nil {
			t.Fatal(err)
		}
		var role rbacv1.ClusterRole
		if err := yaml.UnmarshalStrict(data, &role); err != nil {
			t.Fatal(err)
		}
		granted := map[string]bool{}
		for _, rule := range role.Rules {
			if !slices.Equal(rule.Verbs, []string{"list"}) {
				t.Errorf("%v: a source only lists", rule)
			}
			for _, group := range rule.APIGroups {
				for _, resource := range rule.Resources {
					granted[group+"/"+resource] = true
				}
			}
		}
		needed := map[string]bool{}
		for _, r := range kubeobject.Resources() {
			for _, v := range r.APIVersions {
				if r.Object != "Secret" || secrets {
					needed[groupOf(v)+"/"+r.Plural] = true
				}
			}
		}
		for name := range needed {
			if !granted[name] {
				t.Errorf("secrets %t: %s is listed but not granted", secrets, name)
			}
		}
		for name := range granted {
			if !needed[name] || strings.Contains(name, "*") {
				t.Errorf("secrets %t: %s is granted but not listed", secrets, name)
			}
		}
		if strings.Contains(string(data), "null") || strings.Contains(string(data), "status") {
			t.Errorf("not for people:\n%s", data)
		}
	}
}
