package access_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"

	"github.com/eksafe/eksafe/internal/access"
	"github.com/eksafe/eksafe/internal/access/accesstest"
	"github.com/eksafe/eksafe/internal/estate"
)

// TestAgainstNaive holds the direct answers against an evaluator that reads the
// specification sentence by sentence, on random clusters.
func TestAgainstNaive(t *testing.T) {
	yes, no := 0, 0
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 7))
		set := accesstest.Random(r)
		g := access.New(set.Estate())
		for _, who := range set.Principals() {
			for range 40 {
				q := accesstest.RandomQuery(r)
				want := naive(set, who, q)
				if got := g.Can(who.Identity, q); got != want {
					t.Fatalf("seed %d: %s, %s: %v, want %v\n%s", seed, who.Identity.Label(), q, got, want, set)
				}
				if want {
					yes++
				} else {
					no++
				}
				// Who can by a chain includes whoever can directly.
				if want && !slices.ContainsFunc(g.WhoCan(q), func(h access.Holder) bool { return h.Identity == who.Identity && h.Direct() && h.Certain == access.Yes }) &&
					set.Names(who.Identity) {
					t.Fatalf("seed %d: %s can %s, and is not among those who can\n%s", seed, who.Identity.Label(), q, set)
				}
			}
		}
	}
	if yes < 1000 || no < 1000 {
		t.Errorf("%d yes, %d no: the cases prove little", yes, no)
	}
}

// naive decides as the documentation of RBAC says.
func naive(set *accesstest.Set, who accesstest.Principal, q access.Query) bool {
	if slices.Contains(who.Groups, "system:masters") {
		return true
	}
	for _, b := range set.ClusterRoleBindings {
		if naiveBound(who, "", b.Subjects) && naiveRole(set, "", b.RoleRef, q) {
			return true
		}
	}
	for _, b := range set.RoleBindings {
		if q.URL == "" && q.Namespace != "" && b.Namespace == q.Namespace && naiveBound(who, b.Namespace, b.Subjects) && naiveRole(set, b.Namespace, b.RoleRef, q) {
			return true
		}
	}
	return false
}

// naiveBound reports whether a binding names somebody.
func naiveBound(who accesstest.Principal, namespace string, subjects []rbacv1.Subject) bool {
	for _, s := range subjects {
		switch s.Kind {
		case "User":
			if s.Name == who.User {
				return true
			}
		case "Group":
			if slices.Contains(who.Groups, s.Name) {
				return true
			}
		case "ServiceAccount":
			if s.Namespace == "" {
				s.Namespace = namespace
			}
			if s.Namespace != "" && who.User == fmt.Sprintf("system:serviceaccount:%s:%s", s.Namespace, s.Name) {
				return true
			}
		}
	}
	return false
}

func naiveRole(set *accesstest.Set, namespace string, ref rbacv1.RoleRef, q access.Query) bool {
	return slices.ContainsFunc(naiveRulesOf(set, namespace, ref), func(r rbacv1.PolicyRule) bool { return naiveRule(r, q) })
}

func naiveRulesOf(set *accesstest.Set, namespace string, ref rbacv1.RoleRef) []rbacv1.PolicyRule {
	var rules []rbacv1.PolicyRule
	if ref.Kind == "Role" {
		for _, r := range set.Roles {
			if r.Namespace == namespace && r.Name == ref.Name {
				rules = r.Rules
			}
		}
	} else {
		for _, r := range set.ClusterRoles {
			if r.Name == ref.Name {
				rules = r.Rules
			}
		}
	}
	return rules
}

func naiveRule(r rbacv1.PolicyRule, q access.Query) bool {
	in := func(list []string, s string) bool { return slices.Contains(list, "*") || slices.Contains(list, s) }
	if !in(r.Verbs, q.Verb) {
		return false
	}
	if q.URL != "" {
		for _, u := range r.NonResourceURLs {
			if u == q.URL || strings.HasSuffix(u, "*") && strings.HasPrefix(q.URL, strings.TrimSuffix(u, "*")) {
				return true
			}
		}
		return false
	}
	if !in(r.APIGroups, q.Group) {
		return false
	}
	resource := q.Resource
	hit := in(r.Resources, resource)
	if q.Subresource != "" {
		resource += "/" + q.Subresource
		hit = in(r.Resources, resource) || slices.Contains(r.Resources, "*/"+q.Subresource)
	}
	return hit && (len(r.ResourceNames) == 0 || q.Name != "" && slices.Contains(r.ResourceNames, q.Name))
}

// Estates of hostile size and shape are answered too.
func TestHostileRBAC(t *testing.T) {
	long := strings.Repeat("x", 100_000)
	many := make([]string, 5_000)
	for i := range many {
		many[i] = fmt.Sprintf("n%d", i)
	}
	set := &accesstest.Set{
		ClusterRoles: []rbacv1.ClusterRole{{Rules: []rbacv1.PolicyRule{
			{Verbs: many, APIGroups: many, Resources: many, ResourceNames: many},
			{Verbs: []string{long, "*"}, APIGroups: []string{"*", long}, Resources: []string{"secrets", long}, ResourceNames: append([]string{long}, many...)},
			{}, {Verbs: []string{""}, APIGroups: []string{""}, Resources: []string{""}},
		}}},
		ClusterRoleBindings: []rbacv1.ClusterRoleBinding{{
			RoleRef:  rbacv1.RoleRef{Kind: "ClusterRole"},
			Subjects: []rbacv1.Subject{{Kind: "User"}, {Kind: "Group"}, {Kind: "ServiceAccount"}, {Kind: long, Name: long}, {Kind: "User", Name: "system:serviceaccount:"}, {Kind: "User", Name: "system:node:"}},
		}},
	}
	for i := range 1_500 { // each of them aggregates all
		role := rbacv1.ClusterRole{AggregationRule: accesstest.Everything()}
		role.Name = fmt.Sprintf("a%d", i)
		set.ClusterRoles = append(set.ClusterRoles, role)
	}
	g := access.New(set.Estate())
	if len(g.Unread()) == 0 {
		t.Error("not all rules were gathered, and nothing says so")
	}
	for _, q := range []access.Query{{}, {Verb: "get", Resource: "secrets", Namespace: access.Everywhere}, {Verb: long, Resource: long, Name: long}} {
		g.WhoCan(q)
	}
	g.Of(access.Identity{Kind: access.KubernetesUser})
	g.Of(access.Identity{})
	access.New(&estate.Estate{}).ReachAdmin()
}

// Nearest and WhoCan agree on who reads the Secrets of which namespace.
func TestNearestAgreesWithWhoCan(t *testing.T) {
	reach := 0
	for seed := range uint64(300) {
		set := accesstest.Random(rand.New(rand.NewPCG(seed, 11)))
		g := access.New(set.Estate())
		near := g.Nearest(access.ReadSecrets, func(namespace string) string { return namespace })
		steps := map[string]int{} // namespace and identity → fewest steps
		for _, ns := range g.Namespaces() {
			for _, verb := range []string{"get", "list", "watch"} {
				for _, h := range g.WhoCan(access.Query{Verb: verb, Resource: "secrets", Namespace: ns}) {
					key := ns + "|" + h.Identity.Label()
					if old, ok := steps[key]; h.Certain == access.Yes && (!ok || len(h.Chain.Steps) < old) {
						steps[key] = len(h.Chain.Steps)
					}
				}
			}
		}
		for id, ways := range near {
			whole := slices.ContainsFunc(ways, func(w access.Reached) bool { return w.Namespace == "" })
			for _, w := range ways {
				reach++
				ns := w.Namespace
				if ns == "" {
					ns = g.Namespaces()[0]
				}
				// WhoCan goes further for all Secrets than for some by name.
				if want, ok := steps[ns+"|"+id.Label()]; !ok || !whole && len(w.Chain.Steps) > want {
					t.Fatalf("seed %d: %s reaches %q in %d steps, by WhoCan in %d (%v)\n%s", seed, id.Label(), ns, len(w.Chain.Steps), want, ok, set)
				}
			}
		}
		for key := range steps {
			_, label, _ := strings.Cut(key, "|")
			if !slices.ContainsFunc(slices.Collect(maps.Keys(near)), func(id access.Identity) bool { return id.Label() == label }) {
				t.Fatalf("seed %d: %s is not among those nearest\n%s", seed, key, set)
			}
		}
	}
	if reach < 1000 {
		t.Errorf("%d ways: the cases prove little", reach)
	}
}
