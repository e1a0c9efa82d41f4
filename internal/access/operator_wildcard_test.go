package access_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/eksafe/eksafe/internal/access"
	"github.com/eksafe/eksafe/internal/access/accesstest"
)

// TestHiddenOperators asks whether the answer says that somebody may steer an
// account whose rights name no group.
func TestHiddenOperators(t *testing.T) {
	const (
		all    = `{apiGroups: ["*"], resources: ["*"], verbs: ["*"]}`
		hidden = "operators: which custom resources steer service account ops/operator: rights to everything (cluster-admin, */*) name no API group, and no step follows them"
	)
	widgets := bound("prod", `{apiGroups: [example.com], resources: [widgets], verbs: [create]}`)
	admin := operator(`{apiGroups: [""], resources: [pods], verbs: [get]}`) // bound to cluster-admin beside it
	weak := func(rule string) string {
		return strings.Replace(operator(rule), "kind: ClusterRole, name: cluster-admin", "kind: ClusterRole, name: view", 1)
	}
	for _, c := range []struct{ name, manifests, want string }{
		{"cluster-admin", widgets + admin, hidden},
		{"all of all groups", widgets + weak(all), hidden},
		{"every status", widgets + weak(`{apiGroups: ["*"], resources: ["*/status"], verbs: [patch]}`), hidden},
		{"two of them", widgets + admin + strings.NewReplacer("namespace: ops", "namespace: web", "erviceAccountName: operator", "erviceAccountName: second", "name: operator", "name: second").Replace(admin),
			strings.Replace(hidden, "ops/operator", "ops/operator and 1 more", 1)},
		{"who reads all", widgets + weak(`{apiGroups: ["*"], resources: ["*"], verbs: [get, list, watch]}`), ""},
		{"who scales all", widgets + weak(`{apiGroups: ["*"], resources: ["*/scale"], verbs: [update]}`), ""},
		{"one that is known by a rule, too", widgets + operator(writesStatus), ""},
		{"that does not run", widgets + strings.Replace(admin, "serviceAccountName: operator", "serviceAccountName: other", 1), ""},
		{"of the platform", widgets + strings.NewReplacer("namespace: ops", "namespace: karpenter").Replace(admin), ""},
		{"where nobody writes custom resources", bound("prod", `{apiGroups: [apps], resources: [deployments], verbs: [create]}`) + admin, ""},
		{"where somebody reads them", bound("prod", `{apiGroups: [example.com], resources: [widgets], verbs: [get, delete]}`) + admin, ""},
		{"where somebody writes their status", bound("prod", `{apiGroups: [example.com], resources: [widgets/status], verbs: [update]}`) + admin, ""},
		{"where only itself writes them", operator(`{apiGroups: [example.com], resources: [widgets], verbs: [create]}`), ""},
		{"where only the platform writes them", strings.Replace(everywhere(`{apiGroups: [example.com], resources: [widgets], verbs: [create]}`),
			"{apiGroup: rbac.authorization.k8s.io, kind: Group, name: dev}", "{kind: ServiceAccount, name: aws-node, namespace: kube-system}", 1) + admin, ""},
		{"that acts elsewhere", widgets + here(weak(all)), ""},
		{"that acts in one's own namespace", bound("ops", `{apiGroups: [example.com], resources: [widgets], verbs: [create]}`) + here(weak(all)), hidden},
		{"that acts where somebody of the cluster writes", everywhere(`{apiGroups: [example.com], resources: [widgets], verbs: [create]}`) + here(weak(all)), hidden},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := access.New(read(t, c.manifests))
			if got := strings.Join(g.Unfollowed(), "\n"); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
			if u := g.Unread(); slices.ContainsFunc(u, func(s string) bool { return strings.HasPrefix(s, "operators: ") }) {
				t.Errorf("what was read is said to be unread: %v", u)
			}
		})
	}
}

// TestHiddenOperatorsAgainstNaive holds whether any is said to be hidden against
// an evaluator that goes through all pairs of rules, on random clusters.
func TestHiddenOperatorsAgainstNaive(t *testing.T) {
	told := map[bool]int{}
	for seed := range uint64(1500) {
		set, running := accesstest.RandomOperators(rand.New(rand.NewPCG(seed, 17)))
		r := rand.New(rand.NewPCG(seed, 19))
		for i := range set.ClusterRoles {
			if r.IntN(3) > 0 {
				set.ClusterRoles[i].Rules = append(set.ClusterRoles[i].Rules, rule("update", "*", "*/status"))
			}
		}
		e := set.Estate()
		for _, id := range running {
			accesstest.Run(e, id)
		}
		count := 0
		for _, id := range running {
			if naiveHidden(set, id) {
				count++
			}
		}
		got := access.New(e).Unfollowed()
		if len(got) != min(count, 1) || count > 1 && !strings.Contains(got[0], fmt.Sprintf(" and %d more:", count-1)) {
			t.Fatalf("seed %d: %q, want %d hidden; running %v\n%s", seed, got, count, running, set)
		}
		told[count > 0]++
	}
	if told[true] < 100 || told[false] < 100 {
		t.Errorf("%v: the cases prove little", told)
	}
}

// naiveHidden reports whether the account acts on whatever there is, by no rule
// that names a group, where somebody else writes a custom resource.
func naiveHidden(set *accesstest.Set, id access.Identity) bool {
	account := accesstest.Principal{Identity: id, User: id.String(), Groups: []string{"system:serviceaccounts:" + id.Namespace}}
	var everything []placedRule
	for _, o := range naiveRules(set, account) {
		if !meets(o.rule.Verbs, "update") && !meets(o.rule.Verbs, "patch") {
			continue
		}
		for _, resource := range o.rule.Resources {
			name, part, _ := strings.Cut(resource, "/")
			if resource != "*" && part != "status" && part != "finalizers" {
				continue
			}
			if slices.ContainsFunc(o.rule.APIGroups, func(group string) bool { return group != "*" && group != "apps" }) {
				return false // known by a rule
			}
			if name == "*" && slices.Contains(o.rule.APIGroups, "*") {
				everything = append(everything, o)
			}
		}
	}
	others := set.Principals()
	for i := range others {
		others[i].Groups = nil // whose rights are their own
	}
	for _, group := range []string{"devs", "ops", "system:serviceaccounts", "system:serviceaccounts:a", "system:authenticated", "system:unauthenticated"} {
		others = append(others, accesstest.Principal{Groups: []string{group}})
	}
	for _, who := range others {
		if who.Identity == id {
			continue
		}
		for _, w := range naiveRules(set, who) {
			if !slices.ContainsFunc(w.rule.APIGroups, func(group string) bool { return group == "example.com" || group == "example.org" }) ||
				!slices.ContainsFunc(w.rule.Resources, func(r string) bool { return !strings.Contains(r, "/") }) ||
				!meets(w.rule.Verbs, "update") && !meets(w.rule.Verbs, "patch") && (!meets(w.rule.Verbs, "create") || len(w.rule.ResourceNames) > 0) {
				continue
			}
			if slices.ContainsFunc(everything, func(o placedRule) bool {
				return o.namespace == "" || w.namespace == "" || o.namespace == w.namespace
			}) {
				return true
			}
		}
	}
	return false
}
