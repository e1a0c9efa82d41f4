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
	podsAsked    = `{apiGroups: [""], apiVersions: [v1], resources: [pods], operations: [CREATE]}`
	secretsAsked = `{apiGroups: ["*"], apiVersions: ["*"], resources: ["*/*"], operations: [UPDATE]}`
	inject       = "webhook inject.example.com of MutatingWebhookConfiguration mesh"
	check        = "webhook inject.example.com of ValidatingWebhookConfiguration mesh"
)

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
		{"something else", answered(mutating, `{apiGroups: [apps], apiVersions: [v1], resources: [controllerrevisions], operations: ["*"]}`, ""), "get", "secrets", "prod", "nobody"},
		{"pods, to check them", answered(validating, podsAsked, ""), "get", "secrets", "prod", "nobody"},
		{"a server elsewhere", strings.Replace(answered(mutating, podsAsked, ""), "{service: {namespace: mesh, name: inject}}", `{url: "https://hooks.example.com"}`, 1), "get", "secrets", "prod", "nobody"},
		{"a server in another namespace", strings.Replace(answered(mutating, podsAsked, ""), "namespace: mesh, name", "namespace: other, name", 1), "get", "secrets", "prod", "nobody"},
		{"secrets, to check them", answered(validating, secretsAsked, ""), "get", "secrets", "prod", beside + check + " (unclear)"},
		{"secrets of a namespace", answered(validating, secretsAsked, "namespaceSelector: {matchLabels: {team: a}}"), "get", "secrets", "prod", beside + check + " (unclear)"},
		{"secrets of another", answered(validating, secretsAsked, "namespaceSelector: {matchLabels: {team: b}}"), "get", "secrets", "prod", "nobody"},
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
