package tenancy

import (
	"fmt"
	"testing"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"

	"github.com/eksafe/eksafe/internal/config"
	"github.com/eksafe/eksafe/internal/control"
	"github.com/eksafe/eksafe/internal/control/controltest"
	"github.com/eksafe/eksafe/internal/estate"
	"github.com/eksafe/eksafe/internal/trace"
)

// Somebody is of the platform by an exact name only: a name that looks like
// one is anybody's to take.
func TestPlatformSubjects(t *testing.T) {
	declared := &config.Config{Platform: config.Platform{Namespaces: []string{"ops-*"}, Subjects: []string{"admins", "tools/deployer"}}}
	for _, test := range []struct {
		kind, namespace, name string
		want                  bool
	}{
		{"Group", "", "system:masters", true},
		{"Group", "", "system:masters-of-shop", false},
		{"Group", "", "system:authenticated", false},
		{"Group", "", "system:serviceaccounts", false},
		{"Group", "", "system:serviceaccounts:kube-system", true},
		{"Group", "", "system:serviceaccounts:shop", false},
		{"User", "", "system:serviceaccount:kube-system:coredns", true},
		{"User", "", "eks:addon-manager", true},
		{"Group", "", "admins", true},
		{"ServiceAccount", "ops-eu", "agent", true},
		{"ServiceAccount", "tools", "deployer", true},
		{"ServiceAccount", "tools", "admins", false},
		{"ServiceAccount", "shop", "admins", false},
		{"ServiceAccount", "", "web", false}, // of the binding's own namespace, shop
	} {
		s := rbacv1.Subject{Kind: test.kind, Namespace: test.namespace, Name: test.name}
		if got := platformSubject(declared, "shop", s); got != test.want {
			t.Errorf("%v is of the platform: %v, want %v", s, got, test.want)
		}
	}
}

// A big cluster: each team binds its own role, to all service accounts too.
func BenchmarkBindings(b *testing.B) {
	e := &estate.Estate{}
	for _, k := range []estate.Kind{estate.Roles.Kind, estate.ClusterRoles.Kind, estate.RoleBindings.Kind, estate.ClusterRoleBindings.Kind, estate.Namespaces.Kind} {
		e.Sources = append(e.Sources, estate.Source{Coverage: []estate.Coverage{{Kind: k, State: estate.Read}}})
	}
	for i := range 5_000 {
		ns := fmt.Sprintf("team-%d-prod", i)
		n := &estate.Resource[corev1.Namespace]{}
		n.Object.Name = ns
		estate.Namespaces.Add(e, n)
		r := &estate.Resource[rbacv1.Role]{}
		r.Object.Namespace, r.Object.Name = ns, "operator"
		r.Object.Rules = []rbacv1.PolicyRule{{APIGroups: []string{"apps"}, Resources: []string{"deployments"}, Verbs: []string{"get", "patch"}}}
		estate.Roles.Add(e, r)
		rb := &estate.Resource[rbacv1.RoleBinding]{}
		rb.Object.Namespace, rb.Object.Name = ns, "operators"
		rb.Object.RoleRef = rbacv1.RoleRef{Kind: "Role", Name: "operator"}
		rb.Object.Subjects = []rbacv1.Subject{{Kind: "Group", Name: fmt.Sprintf("team-%d", i)}, {Kind: "Group", Name: "system:serviceaccounts"}}
		estate.RoleBindings.Add(e, rb)
	}
	g := &trace.Graph{Estate: e}
	b.ReportAllocs()
	for b.Loop() {
		control.Run(g, []*control.Control{secretsIsolated, stagesSeparated, rbacEscalation, rbacWildcards}, controltest.Now, nil)
	}
}
