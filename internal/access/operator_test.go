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

// operator is a cluster admin that runs and writes the status of widgets, with
// rules of a role of its own.
func operator(rules string) string {
	return fmt.Sprintf(`
apiVersion: v1
kind: Namespace
metadata: {name: ops, labels: {pod-security.kubernetes.io/enforce: restricted}}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: operator}
rules: [%s]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: operator}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: operator}
subjects: [{kind: ServiceAccount, name: operator, namespace: ops}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: operator-admin}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: cluster-admin}
subjects: [{kind: ServiceAccount, name: operator, namespace: ops}]
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: operator, namespace: ops}
spec:
  selector: {matchLabels: {app: operator}}
  template:
    metadata: {labels: {app: operator}}
    spec: {serviceAccountName: operator, containers: [{name: operator, image: operator}]}
---
`, rules)
}

const (
	writesStatus = `{apiGroups: [example.com], resources: [widgets/status], verbs: [patch]}`
	bySteps      = "operator service account ops/operator (unclear)"
)

// TestOperators asks whether group dev becomes cluster admin by what it may do
// with widgets.
func TestOperators(t *testing.T) {
	for _, c := range []struct{ name, manifests, want string }{
		{"create", bound("prod", `{apiGroups: [example.com], resources: [widgets], verbs: [create]}`) + operator(writesStatus), bySteps},
		{"update", bound("prod", `{apiGroups: [example.com], resources: [widgets], verbs: [update]}`) + operator(writesStatus), bySteps},
		{"patch by name", bound("prod", `{apiGroups: [example.com], resources: [widgets], verbs: [patch], resourceNames: [web]}`) + operator(writesStatus), bySteps},
		{"create by name", bound("prod", `{apiGroups: [example.com], resources: [widgets], verbs: [create], resourceNames: [web]}`) + operator(writesStatus), "nobody"},
		{"read and delete", bound("prod", `{apiGroups: [example.com], resources: [widgets], verbs: [get, list, watch, delete]}`) + operator(writesStatus), "nobody"},
		{"the status alone", bound("prod", `{apiGroups: [example.com], resources: [widgets/status], verbs: ["*"]}`) + operator(writesStatus), "nobody"},
		{"another resource", bound("prod", `{apiGroups: [example.com], resources: [gadgets], verbs: ["*"]}`) + operator(writesStatus), "nobody"},
		{"another group", bound("prod", `{apiGroups: [example.org], resources: [widgets], verbs: ["*"]}`) + operator(writesStatus), "nobody"},
		{"all of the group", bound("prod", `{apiGroups: [example.com], resources: ["*"], verbs: [create]}`) + operator(writesStatus), bySteps},
		{"widgets of all groups", bound("prod", `{apiGroups: ["*"], resources: [widgets], verbs: [create]}`) + operator(writesStatus), bySteps},
		{"in the whole cluster", everywhere(`{apiGroups: [example.com], resources: [widgets], verbs: [create]}`) + operator(writesStatus), bySteps},
		{"by finalizers", bound("prod", `{apiGroups: [example.com], resources: [widgets], verbs: [create]}`) +
			operator(`{apiGroups: [example.com], resources: [widgets/finalizers], verbs: [update]}`), bySteps},
		{"an operator of all of the group", bound("prod", `{apiGroups: [example.com], resources: [widgets], verbs: [create]}`) +
			operator(`{apiGroups: [example.com], resources: ["*"], verbs: ["*"]}`), bySteps},
		{"an operator of every status of the group", bound("prod", `{apiGroups: [example.com], resources: [widgets], verbs: [create]}`) +
			operator(`{apiGroups: [example.com], resources: ["*/status"], verbs: [update]}`), bySteps},
		{"who reads the status", bound("prod", `{apiGroups: [example.com], resources: [widgets], verbs: [create]}`) +
			operator(`{apiGroups: [example.com], resources: [widgets/status], verbs: [get]}`), "nobody"},
		{"who uses widgets", bound("prod", `{apiGroups: [example.com], resources: [widgets], verbs: [create]}`) +
			operator(`{apiGroups: [example.com], resources: [widgets], verbs: ["*"]}`), "nobody"},
		{"who may do everything", bound("prod", `{apiGroups: [example.com], resources: [widgets], verbs: [create]}`) +
			operator(`{apiGroups: ["*"], resources: ["*"], verbs: ["*"]}`), "nobody"},
		{"a group of Kubernetes", bound("prod", `{apiGroups: [autoscaling], resources: [horizontalpodautoscalers], verbs: [create]}`) +
			operator(`{apiGroups: [autoscaling], resources: [horizontalpodautoscalers/status], verbs: [update]}`), "nobody"},
		{"that does not run", bound("prod", `{apiGroups: [example.com], resources: [widgets], verbs: [create]}`) +
			strings.Replace(operator(writesStatus), "serviceAccountName: operator", "serviceAccountName: other", 1), "nobody"},
		{"that acts in its namespace", bound("prod", `{apiGroups: [example.com], resources: [widgets], verbs: [create]}`) + here(operator(writesStatus)), "nobody"},
		{"that acts in one's own", bound("ops", `{apiGroups: [example.com], resources: [widgets], verbs: [create]}`) + here(operator(writesStatus)), bySteps},
		{"that acts in one of the cluster", everywhere(`{apiGroups: [example.com], resources: [widgets], verbs: [create]}`) + here(operator(writesStatus)), bySteps},
		{"a group of accounts", bound("prod", `{apiGroups: [example.com], resources: [widgets], verbs: [create]}`) +
			strings.Replace(operator(writesStatus), "{kind: ServiceAccount, name: operator, namespace: ops}", `{apiGroup: rbac.authorization.k8s.io, kind: Group, name: "system:serviceaccounts:ops"}`, 1), bySteps},
		{"all accounts", bound("prod", `{apiGroups: [example.com], resources: [widgets], verbs: [create]}`) +
			strings.Replace(operator(writesStatus), "{kind: ServiceAccount, name: operator, namespace: ops}", `{apiGroup: rbac.authorization.k8s.io, kind: Group, name: "system:serviceaccounts"}`, 1), "nobody"},
		{"applications of Argo CD", bound("prod", `{apiGroups: [argoproj.io], resources: [applications], verbs: [create]}`) +
			operator(`{apiGroups: [argoproj.io], resources: [applications], verbs: [get, watch, update]}`), bySteps},
		{"who does not watch them", bound("prod", `{apiGroups: [argoproj.io], resources: [applications], verbs: [create]}`) +
			operator(`{apiGroups: [argoproj.io], resources: [applications], verbs: [get, update]}`), "nobody"},
		{"edit, where a label gives it", aggregatedEdit("true") + operator(writesStatus), bySteps},
		{"edit, where none does", aggregatedEdit("false") + operator(writesStatus), "nobody"},
		{"a conversion webhook", everywhere(`{apiGroups: [apiextensions.k8s.io], resources: [customresourcedefinitions], verbs: [update]}`) + operator(writesStatus),
			"convert a conversion webhook > " + bySteps},
		{"one of widgets", everywhere(`{apiGroups: [apiextensions.k8s.io], resources: [customresourcedefinitions], verbs: [patch], resourceNames: [gadgets.example.com, widgets.example.com]}`) + operator(writesStatus),
			"convert a conversion webhook of widgets.example.com > " + bySteps},
		{"one of gadgets", everywhere(`{apiGroups: [apiextensions.k8s.io], resources: [customresourcedefinitions], verbs: [patch], resourceNames: [gadgets.example.com]}`) + operator(writesStatus), "nobody"},
		{"definitions that are made", everywhere(`{apiGroups: [apiextensions.k8s.io], resources: [customresourcedefinitions], verbs: [create]}`) + operator(writesStatus), "nobody"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := find(access.New(read(t, c.manifests)).ReachAdmin(), "group dev"); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

// here binds the operator in its namespace alone.
func here(operator string) string {
	operator = strings.Replace(operator, "kind: ClusterRoleBinding\nmetadata: {name: operator}", "kind: RoleBinding\nmetadata: {name: operator, namespace: ops}", 1)
	return operator
}

// A step names the rule by which the custom resource is written, and the one by
// which its operator was recognised.
func TestOperatorWitness(t *testing.T) {
	for _, c := range []struct {
		name, manifests string
		want            []string
	}{
		{"by name", bound("prod", `{apiGroups: [""], resources: [pods], verbs: [get]}, {apiGroups: [example.org, example.com], resources: [gadgets, widgets], verbs: [patch, create]}`) +
			operator(`{apiGroups: [example.net], resources: [widgets/status], verbs: [update]}, `+writesStatus), []string{
			"role/prod/dev rules[1] Role prod/dev allows create widgets.example.com",
			"rolebinding/prod/dev subjects[0] RoleBinding prod/dev gives it to group dev",
			"clusterrole/operator rules[1] ClusterRole operator allows patch widgets.example.com/status",
			"clusterrolebinding/operator subjects[0] ClusterRoleBinding operator gives it to service account ops/operator"}},
		{"by wildcards", bound("prod", `{apiGroups: [example.com], resources: ["*"], verbs: [update]}`) +
			operator(`{apiGroups: [example.com], resources: ["*"], verbs: [watch, update]}`), []string{
			"role/prod/dev rules[0] Role prod/dev allows update *.example.com",
			"rolebinding/prod/dev subjects[0] RoleBinding prod/dev gives it to group dev",
			"clusterrole/operator rules[0] ClusterRole operator allows update *.example.com",
			"clusterrolebinding/operator subjects[0] ClusterRoleBinding operator gives it to service account ops/operator"}},
		{"of all of a group", bound("prod", `{apiGroups: [example.com], resources: [gadgets/scale, gadgets], verbs: [update]}`) +
			operator(`{apiGroups: [example.com], resources: ["*/finalizers"], verbs: [update]}`), []string{
			"role/prod/dev rules[0] Role prod/dev allows update gadgets.example.com",
			"rolebinding/prod/dev subjects[0] RoleBinding prod/dev gives it to group dev",
			"clusterrole/operator rules[0] ClusterRole operator allows update gadgets.example.com/finalizers",
			"clusterrolebinding/operator subjects[0] ClusterRoleBinding operator gives it to service account ops/operator"}},
		{"by a label", aggregatedEdit("true") + operator(writesStatus), []string{
			"clusterrole/widgets rules[0] ClusterRole widgets allows create widgets.example.com",
			"rolebinding/prod/dev subjects[0] RoleBinding prod/dev gives it to group dev",
			"clusterrole/operator rules[0] ClusterRole operator allows patch widgets.example.com/status",
			"clusterrolebinding/operator subjects[0] ClusterRoleBinding operator gives it to service account ops/operator"}},
		{"by a webhook", everywhere(`{apiGroups: [apiextensions.k8s.io], resources: [customresourcedefinitions], verbs: [update]}`) + operator(writesStatus), []string{
			"clusterrole/operator rules[0] ClusterRole operator allows patch widgets.example.com/status",
			"clusterrolebinding/operator subjects[0] ClusterRoleBinding operator gives it to service account ops/operator"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			holders := access.New(read(t, c.manifests)).ReachAdmin()
			i := slices.IndexFunc(holders, func(h access.Holder) bool { return h.Identity.Name == "dev" })
			if i < 0 {
				t.Fatal("group dev steers no operator")
			}
			steps := holders[i].Chain.Steps
			var got []string
			for _, grant := range steps[len(steps)-1].Grants {
				got = append(got, grant.Subject.ID+" "+grant.Field+" "+grant.Says)
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(c.want, "\n"))
			}
		})
	}
}

// Where workloads were not read, whoever holds the rights may be an operator.
func TestOperatorsUnread(t *testing.T) {
	idle := strings.Replace(operator(writesStatus), "serviceAccountName: operator", "serviceAccountName: other", 1)
	e := read(t, bound("prod", `{apiGroups: [example.com], resources: [widgets], verbs: [create]}`)+idle).Blind(estate.Workloads.Kind, "forbidden")
	holders := access.New(e).ReachAdmin()
	if got := find(holders, "group dev"); got != bySteps {
		t.Fatalf("got %q, want %q", got, bySteps)
	}
	i := slices.IndexFunc(holders, func(h access.Holder) bool { return h.Identity.Name == "dev" })
	if how := holders[i].Chain.Steps[0].How; !strings.Contains(how, "whether it runs") {
		t.Errorf("nothing says that nobody knows whether it runs: %s", how)
	}
}

// TestOperatorsAgainstNaive holds who steers whom against an evaluator that goes
// through all pairs of rules, on random clusters.
func TestOperatorsAgainstNaive(t *testing.T) {
	steered, idle := 0, 0
	for seed := range uint64(1000) {
		set, running := accesstest.RandomOperators(rand.New(rand.NewPCG(seed, 13)))
		e := set.Estate()
		for _, id := range running {
			accesstest.Run(e, id)
		}
		g := access.New(e)
		for _, who := range set.Principals() {
			if who.User == "somebody" && who.Groups[0] == "system:masters" {
				continue
			}
			want := map[access.Identity]bool{}
			for work := []accesstest.Principal{who}; len(work) > 0; work = work[1:] {
				for _, id := range running {
					if !want[id] && naiveSteers(set, work[0], id) {
						want[id] = true
						i := slices.IndexFunc(set.Principals(), func(p accesstest.Principal) bool { return p.Identity == id })
						work = append(work, set.Principals()[i])
					}
				}
			}
			delete(want, who.Identity)
			got := map[access.Identity]bool{}
			for _, h := range g.Of(who.Identity).Becomes {
				if h.Identity.Kind != access.ServiceAccount {
					continue
				}
				got[h.Identity] = true
				for _, step := range h.Chain.Steps {
					if step.Certain != access.Unclear || step.Technique != "operator" {
						t.Fatalf("seed %d: %s is no unclear step to an operator", seed, step)
					}
					if len(step.Grants) < 4 {
						t.Fatalf("seed %d: %s rests on %v", seed, step, step.Grants)
					}
				}
			}
			if !maps.Equal(got, want) {
				t.Fatalf("seed %d: %s steers %v, want %v; running %v\n%s", seed, who.Identity.Label(), got, want, running, set)
			}
			if len(want) > 0 {
				steered++
			} else {
				idle++
			}
		}
	}
	if steered < 500 || idle < 500 {
		t.Errorf("%d steer, %d do not: the cases prove little", steered, idle)
	}
}

// naiveSteers decides by all pairs of rules: one that lets somebody write a
// custom resource in a place, and one that shows an operator of it there.
func naiveSteers(set *accesstest.Set, who accesstest.Principal, operator access.Identity) bool {
	account := accesstest.Principal{Identity: operator, User: operator.String(), Groups: []string{"system:serviceaccounts:" + operator.Namespace}}
	for _, w := range naiveRules(set, who) {
		for _, o := range naiveRules(set, account) {
			if w.namespace != "" && o.namespace != "" && w.namespace != o.namespace {
				continue
			}
			for _, group := range o.rule.APIGroups {
				if group == "*" || group == "apps" || !meets(w.rule.APIGroups, group) || !meets(o.rule.Verbs, "update") && !meets(o.rule.Verbs, "patch") {
					continue
				}
				for _, acted := range o.rule.Resources {
					resource, part, _ := strings.Cut(acted, "/")
					if acted != "*" && part != "status" && part != "finalizers" {
						continue
					}
					for _, written := range w.rule.Resources {
						if strings.Contains(written, "/") || written != "*" && resource != "*" && written != resource {
							continue
						}
						if meets(w.rule.Verbs, "update") || meets(w.rule.Verbs, "patch") || meets(w.rule.Verbs, "create") && len(w.rule.ResourceNames) == 0 {
							return true
						}
					}
				}
			}
		}
	}
	return false
}

func meets(list []string, s string) bool {
	return slices.Contains(list, "*") || slices.Contains(list, s)
}

type placedRule struct {
	namespace string
	rule      rbacv1.PolicyRule
}

// naiveRules are the rules that somebody has, and where.
func naiveRules(set *accesstest.Set, who accesstest.Principal) []placedRule {
	var out []placedRule
	add := func(namespace string, ref rbacv1.RoleRef, subjects []rbacv1.Subject) {
		if !naiveBound(who, namespace, subjects) {
			return
		}
		for _, rule := range naiveRulesOf(set, namespace, ref) {
			out = append(out, placedRule{namespace, rule})
		}
	}
	for _, b := range set.ClusterRoleBindings {
		add("", b.RoleRef, b.Subjects)
	}
	for _, b := range set.RoleBindings {
		add(b.Namespace, b.RoleRef, b.Subjects)
	}
	return out
}

// The edges to operators are linear in the rules on both sides, whatever they
// have in common.
func TestOperatorsAreLinear(t *testing.T) {
	const writers, controllers = 10_000, 500
	for _, c := range []struct {
		name           string
		writes, status func(i int) rbacv1.PolicyRule
	}{
		{"one resource", func(i int) rbacv1.PolicyRule {
			return rule("create", "example.com", "widgets", fmt.Sprintf("w%d", i))
		}, func(i int) rbacv1.PolicyRule {
			return rule("update", "example.com", "widgets/status", fmt.Sprintf("s%d/status", i))
		}},
		{"all of a group", func(i int) rbacv1.PolicyRule {
			return rule("create", "example.com", "*", fmt.Sprintf("w%d", i))
		}, func(i int) rbacv1.PolicyRule {
			return rule("update", "example.com", "*", fmt.Sprintf("s%d/status", i))
		}},
		{"of any group", func(i int) rbacv1.PolicyRule {
			return rule("create", "*", "widgets", fmt.Sprintf("w%d", i))
		}, func(i int) rbacv1.PolicyRule {
			return rule("update", fmt.Sprintf("g%d.example.com", i), "*", "widgets/status")
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			set := &accesstest.Set{}
			bind := func(name string, subject rbacv1.Subject, rule rbacv1.PolicyRule) {
				role := rbacv1.ClusterRole{Rules: []rbacv1.PolicyRule{rule}}
				role.Name = name
				set.ClusterRoles = append(set.ClusterRoles, role)
				b := rbacv1.ClusterRoleBinding{RoleRef: rbacv1.RoleRef{Kind: "ClusterRole", Name: name}, Subjects: []rbacv1.Subject{subject}}
				b.Name = name
				set.ClusterRoleBindings = append(set.ClusterRoleBindings, b)
			}
			for i := range writers {
				bind(fmt.Sprintf("w%d", i), rbacv1.Subject{Kind: "User", Name: fmt.Sprintf("u%d", i)}, c.writes(i))
			}
			for i := range controllers {
				bind(fmt.Sprintf("c%d", i), rbacv1.Subject{Kind: "ServiceAccount", Namespace: "ops", Name: fmt.Sprintf("c%d", i)}, c.status(i))
			}
			bind("admin", rbacv1.Subject{Kind: "ServiceAccount", Namespace: "ops", Name: "c7"}, rule("*", "*", "*"))
			e := set.Estate()
			for i := range controllers {
				accesstest.Run(e, access.Identity{Kind: access.ServiceAccount, Namespace: "ops", Name: fmt.Sprintf("c%d", i)})
			}
			start := cpu(t)
			g := access.New(e)
			// Ten for each of them: groups by nature, memberships and what an admin may do.
			if got, most := g.Edges(), 10*(writers+20*controllers); got > most {
				t.Errorf("%d edges, want at most %d", got, most)
			}
			admins := 0
			for _, h := range g.ReachAdmin() {
				if h.Identity.Kind == access.KubernetesUser && h.Certain == access.Unclear && h.Chain.Steps[0].Technique == "operator" {
					admins++
				}
			}
			t.Logf("%d edges, %v", g.Edges(), cpu(t)-start)
			if admins != writers {
				t.Errorf("%d writers become admin, want %d", admins, writers)
			}
		})
	}
}

func rule(verb, group string, resources ...string) rbacv1.PolicyRule {
	return rbacv1.PolicyRule{Verbs: []string{verb}, APIGroups: []string{group}, Resources: resources}
}

// Rules of hostile size are cut, and the cut is said.
func TestHostileOperators(t *testing.T) {
	many := make([]string, 4_000)
	for i := range many {
		many[i] = fmt.Sprintf("g%d.example.com/status", i)
	}
	groups := make([]string, len(many))
	for i := range groups {
		groups[i] = strings.TrimSuffix(many[i], "/status")
	}
	set := &accesstest.Set{
		ClusterRoles: []rbacv1.ClusterRole{{Rules: []rbacv1.PolicyRule{
			{Verbs: []string{"update", "update"}, APIGroups: groups, Resources: append(slices.Clone(groups), many...)},
			{Verbs: []string{"*"}, APIGroups: []string{"", "%s", "/"}, Resources: []string{"", "/", "/status", "*/", "a/b/c", "%d/status"}},
			{Verbs: []string{"patch"}, APIGroups: []string{"apiextensions.k8s.io"}, Resources: []string{"customresourcedefinitions"}, ResourceNames: []string{"", ".", "a", ".b", "%s.%d"}},
		}}},
		ClusterRoleBindings: []rbacv1.ClusterRoleBinding{{RoleRef: rbacv1.RoleRef{Kind: "ClusterRole"}, Subjects: []rbacv1.Subject{
			{Kind: "ServiceAccount", Namespace: "ops", Name: "a"}, {Kind: "ServiceAccount", Namespace: "ops", Name: "b"}, {Kind: "User", Name: "u"}}}},
	}
	e := set.Estate()
	for _, name := range []string{"a", "b"} {
		accesstest.Run(e, access.Identity{Kind: access.ServiceAccount, Namespace: "ops", Name: name})
	}
	g := access.New(e)
	if !slices.ContainsFunc(g.Unread(), func(s string) bool { return strings.HasPrefix(s, "operators: ") }) {
		t.Errorf("not all was followed, and nothing says so: %v", g.Unread())
	}
	becomes := g.Of(access.Identity{Kind: access.KubernetesUser, Name: "u"}).Becomes
	if len(becomes) < 2 {
		t.Errorf("u becomes %v, want the two operators", becomes)
	}
}
