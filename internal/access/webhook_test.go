package access_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/eksafe/eksafe/internal/access"
	"github.com/eksafe/eksafe/internal/access/accesstest"
	"github.com/eksafe/eksafe/internal/estate"
)

// answered is a webhook that a Service of namespace mesh answers, beside a
// namespace prod that keeps a pod off its node.
func answered(kind, rules, more string) string {
	return fmt.Sprintf(`
apiVersion: v1
kind: Namespace
metadata: {name: prod, labels: {team: a, pod-security.kubernetes.io/enforce: restricted}}
---
apiVersion: admissionregistration.k8s.io/v1
kind: %s
metadata: {name: mesh}
webhooks:
  - name: inject.example.com
    admissionReviewVersions: [v1]
    sideEffects: None
    clientConfig: {service: {namespace: mesh, name: inject}}
    rules: [%s]
    %s
---
`, kind, rules, more)
}

const (
	podsAsked      = `{apiGroups: [""], apiVersions: [v1], resources: [pods], operations: [CREATE]}`
	podsUpdated    = `{apiGroups: [""], apiVersions: [v1], resources: [pods], operations: [UPDATE]}`
	secretsDeleted = `{apiGroups: [""], apiVersions: [v1], resources: [secrets], operations: [DELETE]}`
	secretsAsked   = `{apiGroups: ["*"], apiVersions: ["*"], resources: ["*/*"], operations: [UPDATE]}`
	inject         = "webhook inject.example.com of MutatingWebhookConfiguration mesh"
	check          = "webhook inject.example.com of ValidatingWebhookConfiguration mesh"
)

// mounting is a pod in prod that mounts one Secret.
const mounting = `
apiVersion: v1
kind: Pod
metadata: {name: shop, namespace: prod}
spec:
  containers: [{name: shop, image: shop}]
  volumes: [{name: database, secret: {secretName: database}}]
---
`

// asAdmin has the pods of deployer run as the account of an admin.
func asAdmin(deployer string) string {
	return strings.Replace(deployer, "serviceAccountName: web", "serviceAccountName: deployer", 1)
}

// meshDev lets group dev make pods in mesh.
var meshDev = strings.Replace(bound("mesh", `{apiGroups: [""], resources: [pods], verbs: [create]}`), "{name: mesh}", "{name: mesh, labels: {pod-security.kubernetes.io/enforce: restricted}}", 1)

// TestStandingWebhooks asks what group dev, who runs pods beside the server of a
// webhook, gets by it.
func TestStandingWebhooks(t *testing.T) {
	const mutating, validating = "MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"
	const beside = "create-pod a new pod in mesh > answer "
	for _, c := range []struct{ name, manifests, verb, what, namespace, want string }{
		{"pods", answered(mutating, podsAsked, ""), "get", "secrets", "prod", beside + inject + " > mutate a new pod in prod (unclear)"},
		{"pods of a namespace", answered(mutating, podsAsked, "namespaceSelector: {matchLabels: {team: a}}"), "get", "secrets", "prod", beside + inject + " > mutate a new pod in prod (unclear)"},
		{"pods of a namespace by its name", answered(mutating, podsAsked, "namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: prod}}"), "get", "secrets", "prod", beside + inject + " > mutate a new pod in prod (unclear)"},
		{"pods of another", answered(mutating, podsAsked, "namespaceSelector: {matchLabels: {team: b}}"), "get", "secrets", "prod", "nobody"},
		{"some pods", answered(mutating, podsAsked, "objectSelector: {matchLabels: {mesh: sidecar}}"), "get", "secrets", "prod", beside + inject + " > mutate a new pod in prod (unclear)"},
		{"that are deleted", answered(mutating, strings.Replace(podsAsked, "CREATE", "DELETE", 1), ""), "get", "secrets", "prod", "nobody"},
		{"workloads", answered(mutating, `{apiGroups: [apps], apiVersions: [v1], resources: [deployments], operations: ["*"]}`, ""), "get", "secrets", "prod", beside + inject + " > mutate a new pod in prod (unclear)"},
		{"workloads that are changed", answered(mutating, `{apiGroups: [apps], apiVersions: [v1], resources: [deployments], operations: [UPDATE]}`, ""), "get", "secrets", "prod", beside + inject + " > mutate a new pod in prod (unclear)"},
		{"Jobs that are changed", answered(mutating, `{apiGroups: [batch], apiVersions: [v1], resources: [jobs], operations: [UPDATE]}`, ""), "get", "secrets", "prod", "nobody"},
		{"pods that are updated mount nothing new", answered(mutating, podsUpdated, "") + deployer, "get", "secrets/other", "prod", "nobody"},
		{"pods that are updated keep what they mount", answered(mutating, podsUpdated, "") + mounting, "get", "secrets/database", "prod", beside + inject + " > mutate a running pod in prod (unclear)"},
		{"pods that are updated keep their account", answered(mutating, podsUpdated, "") + asAdmin(deployer), "*", "*", "", beside + inject + " > mutate service account prod/deployer (unclear)"},
		{"pods of a namespace that are updated", answered(mutating, podsUpdated, "namespaceSelector: {matchLabels: {team: a}}") + asAdmin(deployer), "*", "*", "", beside + inject + " > mutate service account prod/deployer (unclear)"},
		{"pods of another that are updated", answered(mutating, podsUpdated, "namespaceSelector: {matchLabels: {team: b}}") + asAdmin(deployer), "*", "*", "", "nobody"},
		{"pods that are updated, where none runs as admin", answered(mutating, podsUpdated, "") + deployer, "*", "*", "", "nobody"},
		{"pods that are updated, to check them", answered(validating, podsUpdated, "") + asAdmin(deployer), "*", "*", "", "nobody"},
		{"something else", answered(mutating, `{apiGroups: [apps], apiVersions: [v1], resources: [controllerrevisions], operations: ["*"]}`, ""), "get", "secrets", "prod", "nobody"},
		{"pods, to check them", answered(validating, podsAsked, ""), "get", "secrets", "prod", "nobody"},
		{"a server elsewhere", strings.Replace(answered(mutating, podsAsked, ""), "{service: {namespace: mesh, name: inject}}", `{url: "https://hooks.example.com"}`, 1), "get", "secrets", "prod", "nobody"},
		{"a server in another namespace", strings.Replace(answered(mutating, podsAsked, ""), "namespace: mesh, name", "namespace: other, name", 1), "get", "secrets", "prod", "nobody"},
		{"secrets, to check them", answered(validating, secretsAsked, ""), "get", "secrets", "prod", beside + check + " (unclear)"},
		{"secrets of a namespace", answered(validating, secretsAsked, "namespaceSelector: {matchLabels: {team: a}}"), "get", "secrets", "prod", beside + check + " (unclear)"},
		{"secrets of another", answered(validating, secretsAsked, "namespaceSelector: {matchLabels: {team: b}}"), "get", "secrets", "prod", "nobody"},
		{"secrets that are deleted", answered(validating, secretsDeleted, ""), "get", "secrets", "prod", beside + check + " (unclear)"},
		{"secrets that are deleted, to change them", answered(mutating, secretsDeleted, ""), "get", "secrets", "prod", beside + inject + " (unclear)"},
		{"what is deleted is not changed", answered(mutating, secretsDeleted, ""), "update", "secrets", "prod", "nobody"},
		{"bindings that are deleted", answered(mutating, `{apiGroups: [rbac.authorization.k8s.io], apiVersions: [v1], resources: [clusterrolebindings, rolebindings], operations: [DELETE]}`, ""), "*", "*", "", "nobody"},
		{"custom resources that are deleted", answered(mutating, `{apiGroups: [example.com], apiVersions: [v1], resources: [widgets], operations: [DELETE]}`, "") + operator(writesStatus), "*", "*", "", "nobody"},
		{"connections", answered(validating, strings.Replace(secretsDeleted, "DELETE", "CONNECT", 1), ""), "get", "secrets", "prod", "nobody"},
		{"what is checked is not changed", answered(validating, secretsAsked, ""), "update", "services", "prod", "nobody"},
		{"services", answered(mutating, `{apiGroups: [""], apiVersions: [v1], resources: [services], operations: [CREATE]}`, ""), "update", "services", "prod", beside + inject + " (unclear)"},
		{"bindings", answered(mutating, `{apiGroups: [rbac.authorization.k8s.io], apiVersions: [v1], resources: [clusterrolebindings], operations: [CREATE]}`, ""), "*", "*", "", beside + inject + " > mutate cluster-admin of the cluster (unclear)"},
		{"bindings of a namespace", answered(mutating, `{apiGroups: [rbac.authorization.k8s.io], apiVersions: [v1], resources: [rolebindings], operations: [CREATE]}`, ""), "*", "*", "prod", beside + inject + " > mutate cluster-admin in prod (unclear)"},
		{"custom resources", answered(mutating, `{apiGroups: [example.com], apiVersions: [v1], resources: [widgets], operations: [CREATE]}`, "") + operator(writesStatus), "*", "*", "", beside + inject + " > " + bySteps},
		{"other custom resources", answered(mutating, `{apiGroups: [example.com], apiVersions: [v1], resources: [widgets/status, gadgets], operations: [CREATE]}`, "") + operator(writesStatus), "*", "*", "", "nobody"},
	} {
		t.Run(c.name, func(t *testing.T) {
			q := access.Query{Verb: "*", Group: "*", Resource: "*", Namespace: c.namespace}
			if c.what != "*" {
				var err error
				if q, err = access.ParseQuery(c.verb, c.what, c.namespace); err != nil {
					t.Fatal(err)
				}
			}
			g := access.New(read(t, c.manifests+meshDev))
			if got := find(g.WhoCan(q), "group dev"); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

// TestWebhookOperationsAgainstNaive asks, of all sets of operations on several
// resources, what a webhook sees and changes and which pods it decides on.
func TestWebhookOperationsAgainstNaive(t *testing.T) {
	operations := []admissionv1.OperationType{admissionv1.Create, admissionv1.Update, admissionv1.Delete, admissionv1.Connect, admissionv1.OperationAll}
	const prod = "apiVersion: v1\nkind: Namespace\nmetadata: {name: prod, labels: {pod-security.kubernetes.io/enforce: restricted}}\n---\n"
	told := map[bool]int{}
	for _, on := range []admissionv1.Rule{
		{APIGroups: []string{""}, Resources: []string{"secrets", "services"}},
		{APIGroups: []string{""}, Resources: []string{"pods"}},
		{APIGroups: []string{""}, Resources: []string{"pods/status", "replicationcontrollers"}},
		{APIGroups: []string{"apps"}, Resources: []string{"pods", "statefulsets"}},
		{APIGroups: []string{"batch"}, Resources: []string{"jobs"}},
		{APIGroups: []string{"*"}, Resources: []string{"cronjobs"}},
		{APIGroups: []string{""}, Resources: []string{"*"}},
		{APIGroups: []string{"*"}, Resources: []string{"*/*"}},
	} {
		for chosen := range 1 << len(operations) {
			rule := admissionv1.RuleWithOperations{Rule: on}
			for i, o := range operations {
				if chosen&(1<<i) != 0 {
					rule.Operations = append(rule.Operations, o)
				}
			}
			for _, mutates := range []bool{false, true} {
				graph := func(manifests string) *access.Graph {
					e := read(t, prod+mounting+manifests+meshDev)
					hook(e, mutates, rule)
					return access.New(e)
				}
				does := naiveHook(rule, mutates)
				for _, c := range []struct {
					name string
					got  string
					want bool
				}{
					{"reads a Secret", find(ask(t, graph(""), "get", "secrets/other", "prod"), "group dev"), does.sees || does.makes},
					{"reads one that is mounted", find(ask(t, graph(""), "get", "secrets/database", "prod"), "group dev"), does.sees || does.makes || does.updates},
					{"changes a Service", find(ask(t, graph(""), "update", "services", "prod"), "group dev"), does.changes},
					{"becomes an account", find(graph(deployer).ReachAdmin(), "group dev"), does.makes || does.binds},
					{"becomes an account that runs", find(graph(asAdmin(deployer)).ReachAdmin(), "group dev"), does.makes || does.binds || does.updates},
				} {
					told[c.want]++
					if got := c.got != "nobody"; got != c.want {
						t.Errorf("%s: %v (%s), want %v; mutates %v, %+v", c.name, got, c.got, c.want, mutates, rule)
					}
				}
			}
		}
	}
	if told[true] < 200 || told[false] < 200 {
		t.Errorf("%v: the cases prove little", told)
	}
}

// hook adds a webhook with one rule that Service mesh/inject answers.
func hook(e *estate.Estate, mutates bool, rule admissionv1.RuleWithOperations) {
	client := admissionv1.WebhookClientConfig{Service: &admissionv1.ServiceReference{Namespace: "mesh", Name: "inject"}}
	rules := []admissionv1.RuleWithOperations{rule}
	if mutates {
		c := &estate.Resource[admissionv1.MutatingWebhookConfiguration]{}
		c.Object.Webhooks = []admissionv1.MutatingWebhook{{ClientConfig: client, Rules: rules}}
		estate.MutatingWebhookConfigurations.Add(e, c)
		return
	}
	c := &estate.Resource[admissionv1.ValidatingWebhookConfiguration]{}
	c.Object.Webhooks = []admissionv1.ValidatingWebhook{{ClientConfig: client, Rules: rules}}
	estate.ValidatingWebhookConfigurations.Add(e, c)
}

type hookDoes struct{ sees, changes, makes, updates, binds bool }

// naiveHook says operation by operation what a webhook gets: the object of
// those that write, the old one of those that delete, and a say in the former.
func naiveHook(rule admissionv1.RuleWithOperations, mutates bool) (does hookDoes) {
	covers := func(group string, resources ...string) bool {
		return meets(rule.APIGroups, group) && slices.ContainsFunc(resources, func(r string) bool {
			return meets(rule.Resources, r) || slices.Contains(rule.Resources, "*/*")
		})
	}
	operations := rule.Operations
	if slices.Contains(operations, "*") {
		operations = []admissionv1.OperationType{"CREATE", "UPDATE", "DELETE", "CONNECT"}
	}
	for _, o := range operations {
		switch o {
		case "CREATE":
			does.makes = does.makes || mutates && (covers("", "pods", "replicationcontrollers") ||
				covers("apps", "deployments", "daemonsets", "statefulsets", "replicasets") || covers("batch", "jobs", "cronjobs"))
		case "UPDATE":
			does.updates = does.updates || mutates && covers("", "pods")
			does.makes = does.makes || mutates && (covers("", "replicationcontrollers") ||
				covers("apps", "deployments", "daemonsets", "statefulsets", "replicasets") || covers("batch", "cronjobs"))
		case "DELETE":
			does.sees = does.sees || covers("", "secrets")
			continue
		case "CONNECT":
			continue
		}
		does.sees = does.sees || covers("", "secrets")
		does.changes = does.changes || mutates && covers("", "services")
		does.binds = does.binds || mutates && covers("rbac.authorization.k8s.io", "clusterrolebindings")
	}
	return does
}

// Whoever enters the pods of the server has its key, and the step says where the
// webhook is written.
func TestStandingWebhookWitness(t *testing.T) {
	server := strings.NewReplacer("namespace: prod", "namespace: mesh").Replace(deployer[strings.Index(deployer, "apiVersion: apps/v1"):])
	manifests := strings.Replace(meshDev, "resources: [pods]", "resources: [pods/exec]", 1) + server + answered("MutatingWebhookConfiguration", podsAsked, "")
	holders := ask(t, access.New(read(t, manifests)), "get", "secrets", "prod")
	i := slices.IndexFunc(holders, func(h access.Holder) bool { return h.Identity.Name == "dev" })
	if i < 0 {
		t.Fatal("who enters the server is not found")
	}
	if got, want := story(holders[i]), "exec a running pod in mesh > answer "+inject+" > mutate a new pod in prod (unclear)"; got != want {
		t.Fatalf("got %q, want %q", got, want)
	}
	step := holders[i].Chain.Steps[1]
	if len(step.Grants) != 1 || step.Grants[0].Subject.Kind != estate.MutatingWebhookConfigurations.Kind || step.Grants[0].Field != "webhooks[0].clientConfig" || step.Certain != access.Unclear {
		t.Errorf("the step rests on %+v", step)
	}
}

func TestWebhooksUnread(t *testing.T) {
	e := read(t, meshDev).Blind(estate.MutatingWebhookConfigurations.Kind, "forbidden")
	if u := access.New(e).Unread(); !slices.Equal(u, []string{"MutatingWebhookConfiguration: forbidden"}) {
		t.Errorf("webhooks were not read: %v", u)
	}
}

// Ten thousand webhooks of five hundred namespaces each are cut, and the cut is
// said.
func TestHostileWebhooks(t *testing.T) {
	set := &accesstest.Set{RoleBindings: []rbacv1.RoleBinding{}}
	for i := range 500 {
		b := rbacv1.RoleBinding{RoleRef: rbacv1.RoleRef{Kind: "ClusterRole", Name: "edit"}, Subjects: []rbacv1.Subject{{Kind: "User", Name: "u"}}}
		b.Namespace, b.Name = fmt.Sprintf("n%d", i), "b"
		set.RoleBindings = append(set.RoleBindings, b)
	}
	e := set.Estate()
	all := admissionv1.RuleWithOperations{Operations: []admissionv1.OperationType{"*"},
		Rule: admissionv1.Rule{APIGroups: []string{"*"}, Resources: []string{"*/*", "%s", ""}}}
	for i := range 10_000 {
		c := &estate.Resource[admissionv1.MutatingWebhookConfiguration]{}
		c.Object.Name = fmt.Sprintf("c%d", i)
		c.Object.Webhooks = []admissionv1.MutatingWebhook{{}, {Name: "%s", ClientConfig: admissionv1.WebhookClientConfig{Service: &admissionv1.ServiceReference{Namespace: "n7"}},
			NamespaceSelector: &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "a", Operator: "DoesNotExist"}}}, Rules: []admissionv1.RuleWithOperations{{}, all}}}
		estate.MutatingWebhookConfigurations.Add(e, c)
	}
	start := cpu(t)
	g := access.New(e)
	g.WhoCan(access.Query{Verb: "get", Resource: "secrets", Namespace: "n3"})
	t.Logf("%d edges, %v", g.Edges(), cpu(t)-start)
	if most := 500_000; g.Edges() > most {
		t.Errorf("%d edges, want at most %d", g.Edges(), most)
	}
	if !slices.ContainsFunc(g.Unread(), func(s string) bool { return strings.HasPrefix(s, "webhooks: ") }) {
		t.Errorf("not all was followed, and nothing says so: %v", g.Unread())
	}
}
