package access_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"

	"github.com/eksafe/eksafe/internal/access"
	"github.com/eksafe/eksafe/internal/estate"
	"github.com/eksafe/eksafe/internal/source/manifest"
)

// read returns the estate of manifests.
func read(t testing.TB, yaml string) *estate.Estate {
	t.Helper()
	found, err := manifest.Read(t.Context(), []string{"-"}, strings.NewReader(yaml))
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range found.Estate.Sources {
		for _, p := range s.Problems {
			t.Fatalf("the manifests have a flaw: %s", p)
		}
	}
	return found.Estate
}

// bound returns a namespace, and a Role in it that is bound to group dev.
func bound(namespace, rules string) string {
	return fmt.Sprintf(`
apiVersion: v1
kind: Namespace
metadata: {name: %[1]s}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: dev, namespace: %[1]s}
rules: [%[2]s]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: dev, namespace: %[1]s}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: dev}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: Group, name: dev}]
---
`, namespace, rules)
}

// everywhere is bound for the whole cluster.
func everywhere(rules string) string {
	return `
apiVersion: v1
kind: Namespace
metadata: {name: prod}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: dev}
rules: [` + rules + `]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: dev}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: dev}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: Group, name: dev}]
---
`
}

// deployer is a service account that reads Secrets, and a Deployment that runs
// as another.
const deployer = `
apiVersion: v1
kind: ServiceAccount
metadata: {name: deployer, namespace: prod}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: deployer}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: cluster-admin}
subjects: [{kind: ServiceAccount, name: deployer, namespace: prod}]
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: prod}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      serviceAccountName: web
      containers:
        - name: web
          image: web
          envFrom: [{secretRef: {name: web-db}}]
---
`

// story tells a chain in short: "create-pod > token | certain".
func story(h access.Holder) string {
	var out []string
	for _, s := range h.Chain.Steps {
		out = append(out, s.Technique+" "+s.To.Label())
	}
	text := strings.Join(out, " > ")
	if text == "" {
		text = "direct"
	}
	if h.Certain != access.Yes {
		text += " (unclear)"
	}
	if len(h.Only) > 0 {
		text += " [" + strings.Join(h.Only, " ") + "]"
	}
	return text
}

func find(holders []access.Holder, label string) string {
	i := slices.IndexFunc(holders, func(h access.Holder) bool { return h.Identity.Label() == label })
	if i < 0 {
		return "nobody"
	}
	return story(holders[i])
}

func ask(t testing.TB, g *access.Graph, verb, what, namespace string) []access.Holder {
	t.Helper()
	q, err := access.ParseQuery(verb, what, namespace)
	if err != nil {
		t.Fatal(err)
	}
	return g.WhoCan(q)
}

// TestEscalation asks whether group dev reads the Secrets of prod, by each
// right alone that leads there, and beside it by the one that does not.
func TestEscalation(t *testing.T) {
	const restricted = "apiVersion: v1\nkind: Namespace\nmetadata: {name: prod, labels: {pod-security.kubernetes.io/enforce: baseline}}\n---\n"
	for _, c := range []struct{ name, manifests, want string }{
		{"get", bound("prod", `{apiGroups: [""], resources: [secrets], verbs: [get]}`), "direct"},
		{"get by name", bound("prod", `{apiGroups: [""], resources: [secrets], verbs: [get], resourceNames: [b, a]}`), "direct [a b]"},
		{"list is another verb", bound("prod", `{apiGroups: [""], resources: [secrets], verbs: [list]}`), "nobody"},
		{"another group", bound("prod", `{apiGroups: [apps], resources: [secrets], verbs: [get]}`), "nobody"},
		{"another namespace", bound("dev", `{apiGroups: [""], resources: [secrets], verbs: [get]}`), "nobody"},
		{"every verb", bound("prod", `{apiGroups: [""], resources: [secrets], verbs: ["*"]}`), "direct"},
		{"every resource", bound("prod", `{apiGroups: ["*"], resources: ["*"], verbs: [get]}`), "direct"},
		{"create pods", bound("prod", `{apiGroups: [""], resources: [pods], verbs: [create]}`), "create-pod a new pod in prod"},
		{"create deployments", bound("prod", `{apiGroups: [apps], resources: [deployments], verbs: [create]}`), "create-workload a new pod in prod"},
		{"create deployments by name", bound("prod", `{apiGroups: [apps], resources: [deployments], verbs: [create], resourceNames: [web]}`), "nobody"},
		{"get deployments", bound("prod", `{apiGroups: [apps], resources: [deployments], verbs: [get, list, watch, delete]}`), "nobody"},
		{"deployments of extensions", bound("prod", `{apiGroups: [extensions], resources: [deployments], verbs: [create]}`), "nobody"},
		{"create jobs", bound("prod", `{apiGroups: [batch], resources: [jobs], verbs: [create]}`), "create-workload a new pod in prod"},
		{"patch jobs", bound("prod", `{apiGroups: [batch], resources: [jobs], verbs: [patch]}`), "nobody"},
		{"patch a deployment that stands", bound("prod", `{apiGroups: [apps], resources: [deployments], verbs: [patch]}`) + deployer, "change-workload a new pod in prod"},
		{"patch a deployment by name", bound("prod", `{apiGroups: [apps], resources: [deployments], verbs: [patch], resourceNames: [web]}`) + deployer, "change-workload a new pod in prod"},
		{"patch one that does not stand", bound("prod", `{apiGroups: [apps], resources: [deployments], verbs: [patch], resourceNames: [api]}`) + deployer, "nobody"},
		{"patch statefulsets where none stands", bound("prod", `{apiGroups: [apps], resources: [statefulsets], verbs: [patch]}`) + deployer, "change-workload a new pod in prod (unclear)"},
		{"scale", bound("prod", `{apiGroups: [apps], resources: [deployments/scale], verbs: [update]}`) + deployer, "nobody"},
		{"exec into a pod that mounts one", bound("prod", `{apiGroups: [""], resources: [pods/exec], verbs: [create]}`) + deployer, "exec a running pod in prod [web-db]"},
		{"exec by get", bound("prod", `{apiGroups: [""], resources: [pods/exec], verbs: [get]}`) + deployer, "exec a running pod in prod (unclear) [web-db]"},
		{"port-forward", bound("prod", `{apiGroups: [""], resources: [pods/portforward], verbs: [create]}`) + deployer, "nobody"},
		{"token of one who reads", bound("prod", `{apiGroups: [""], resources: [serviceaccounts/token], verbs: [create]}`) + deployer, "token service account prod/deployer"},
		{"token of a name", bound("prod", `{apiGroups: [""], resources: [serviceaccounts/token], verbs: [create], resourceNames: [deployer]}`) + deployer, "token service account prod/deployer"},
		{"token of another name", bound("prod", `{apiGroups: [""], resources: [serviceaccounts/token], verbs: [create], resourceNames: [web]}`) + deployer, "nobody"},
		{"impersonate accounts", bound("prod", `{apiGroups: [""], resources: [serviceaccounts], verbs: [impersonate]}`) + deployer, "impersonate service account prod/deployer"},
		{"impersonate users of a namespace", bound("prod", `{apiGroups: [""], resources: [users, groups], verbs: [impersonate]}`) + deployer, "nobody"},
		{"impersonate groups alone", everywhere(`{apiGroups: [""], resources: [groups], verbs: [impersonate]}`), "nobody"},
		{"impersonate groups with somebody", everywhere(`{apiGroups: [""], resources: [groups, users], verbs: [impersonate]}`), "impersonate group system:masters"},
		{"impersonate a group by name", everywhere(`{apiGroups: [""], resources: [groups, users], verbs: [impersonate], resourceNames: ["system:masters", ann]}`), "impersonate group system:masters"},
		{"impersonate other groups by name", everywhere(`{apiGroups: [""], resources: [groups, users], verbs: [impersonate], resourceNames: [qa, ann]}`), "nobody"},
		{"bind", bound("prod", `{apiGroups: [rbac.authorization.k8s.io], resources: [clusterroles], verbs: [bind]}, {apiGroups: [rbac.authorization.k8s.io], resources: [rolebindings], verbs: [create]}`), "bind cluster-admin in prod"},
		{"bind without bindings", bound("prod", `{apiGroups: [rbac.authorization.k8s.io], resources: [clusterroles], verbs: [bind]}`), "nobody"},
		{"bindings without bind", bound("prod", `{apiGroups: [rbac.authorization.k8s.io], resources: [rolebindings], verbs: ["*"]}`), "nobody"},
		{"bind view alone", bound("prod", `{apiGroups: [rbac.authorization.k8s.io], resources: [clusterroles], verbs: [bind], resourceNames: [view]}, {apiGroups: [rbac.authorization.k8s.io], resources: [rolebindings], verbs: [create]}`), "nobody"},
		{"bind edit alone", bound("prod", `{apiGroups: [rbac.authorization.k8s.io], resources: [clusterroles], verbs: [bind], resourceNames: [edit]}, {apiGroups: [rbac.authorization.k8s.io], resources: [rolebindings], verbs: [create]}`), "bind edit in prod"},
		{"escalate", bound("prod", `{apiGroups: [rbac.authorization.k8s.io], resources: [roles], verbs: [escalate, patch]}`), "escalate cluster-admin in prod"},
		{"escalate without update", bound("prod", `{apiGroups: [rbac.authorization.k8s.io], resources: [roles], verbs: [escalate, create]}`), "nobody"},
		{"update without escalate", bound("prod", `{apiGroups: [rbac.authorization.k8s.io], resources: [roles], verbs: [update, patch, create]}`), "nobody"},
		{"make a token secret", bound("prod", `{apiGroups: [""], resources: [secrets], verbs: [create, list]}`) + deployer, "token-secret service account prod/deployer"},
		{"create secrets alone", bound("prod", `{apiGroups: [""], resources: [secrets], verbs: [create]}`) + deployer, "nobody"},
		{"nodes/proxy", everywhere(`{apiGroups: [""], resources: [nodes/proxy], verbs: [get]}`) + deployer, "nodes-proxy a running pod in prod [web-db]"},
		{"nodes/proxy by a RoleBinding", bound("prod", `{apiGroups: [""], resources: [nodes/proxy], verbs: [get]}`) + deployer, "nobody"},
		{"webhooks", everywhere(`{apiGroups: [admissionregistration.k8s.io], resources: [mutatingwebhookconfigurations], verbs: [create]}`), "mutate a new pod in prod"},
		{"a mutating webhook of a name", everywhere(`{apiGroups: [admissionregistration.k8s.io], resources: [mutatingwebhookconfigurations], verbs: [patch], resourceNames: [inject]}`), "mutate cluster-admin of the cluster (unclear)"},
		{"a mutating webhook that is made by name", everywhere(`{apiGroups: [admissionregistration.k8s.io], resources: [mutatingwebhookconfigurations], verbs: [create], resourceNames: [inject]}`), "nobody"},
		{"validating webhooks", everywhere(`{apiGroups: [admissionregistration.k8s.io], resources: [validatingwebhookconfigurations], verbs: [create]}`), "validate an admission webhook (unclear)"},
		{"a validating webhook of a name", everywhere(`{apiGroups: [admissionregistration.k8s.io], resources: [validatingwebhookconfigurations], verbs: [update], resourceNames: [check]}`), "validate an admission webhook (unclear)"},
		{"one that is made by name", everywhere(`{apiGroups: [admissionregistration.k8s.io], resources: [validatingwebhookconfigurations], verbs: [create, delete], resourceNames: [check]}`), "nobody"},
		{"validating webhooks of a namespace", bound("prod", `{apiGroups: [admissionregistration.k8s.io], resources: [validatingwebhookconfigurations], verbs: [create]}`), "nobody"},
		{"validating policies", everywhere(`{apiGroups: [admissionregistration.k8s.io], resources: [validatingadmissionpolicies, validatingadmissionpolicybindings], verbs: ["*"]}`), "nobody"},
		{"conversion webhooks", everywhere(`{apiGroups: [apiextensions.k8s.io], resources: [customresourcedefinitions], verbs: [update, patch]}`), "nobody"},
		{"CSR", everywhere(`{apiGroups: [certificates.k8s.io], resources: [certificatesigningrequests, certificatesigningrequests/approval, signers], verbs: [create, update, approve]}`) +
			strings.ReplaceAll(bound("prod", `{apiGroups: [""], resources: [secrets], verbs: [get]}`), "name: dev}]", "name: readers}]"), "certificate group readers (unclear)"},
		{"a pod elsewhere takes the node", bound("dev", `{apiGroups: [""], resources: [pods], verbs: [create]}`) + deployer, "create-pod a new pod in dev > break-out a node [web-db]"},
		{"unless pod security forbids", restricted + strings.Replace(bound("dev", `{apiGroups: [""], resources: [pods], verbs: [create]}`), "name: dev}", "name: dev, labels: {pod-security.kubernetes.io/enforce: restricted}}", 1) + deployer, "nobody"},
		{"and may be lifted", strings.Replace(bound("dev", `{apiGroups: [""], resources: [pods], verbs: [create]}, {apiGroups: [""], resources: [namespaces], verbs: [patch]}`), "name: dev}", "name: dev, labels: {pod-security.kubernetes.io/enforce: restricted}}", 1) + deployer, "lift-pod-security a node [web-db]"},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := access.New(read(t, c.manifests))
			if got := find(ask(t, g, "get", "secrets", "prod"), "group dev"); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

// A cluster admin is one by more than a binding.
func TestReachAdmin(t *testing.T) {
	for _, c := range []struct{ name, manifests, want string }{
		{"a binding", everywhere(`{apiGroups: ["*"], resources: ["*"], verbs: ["*"]}`), "direct"},
		{"every verb on one resource", everywhere(`{apiGroups: [""], resources: [configmaps], verbs: ["*"]}`), "nobody"},
		{"everything in a namespace", bound("prod", `{apiGroups: ["*"], resources: ["*"], verbs: ["*"]}`), "nobody"},
		{"bind in the cluster", everywhere(`{apiGroups: [rbac.authorization.k8s.io], resources: [clusterroles, clusterrolebindings], verbs: [bind, create]}`), "bind cluster-admin of the cluster"},
		{"bind by name", everywhere(`{apiGroups: [rbac.authorization.k8s.io], resources: [clusterroles], verbs: [bind], resourceNames: [cluster-admin]}, {apiGroups: [rbac.authorization.k8s.io], resources: [clusterrolebindings], verbs: [create]}`), "bind cluster-admin of the cluster"},
		{"bind in each namespace", everywhere(`{apiGroups: [rbac.authorization.k8s.io], resources: [clusterroles, rolebindings], verbs: [bind, create]}`) + deployer, "bind cluster-admin in prod > token service account prod/deployer"},
		{"escalate", everywhere(`{apiGroups: [rbac.authorization.k8s.io], resources: [clusterroles], verbs: [escalate, update]}`), "escalate cluster-admin of the cluster"},
		{"a pod as an admin", bound("prod", `{apiGroups: [""], resources: [pods], verbs: [create]}`) + deployer, "create-pod service account prod/deployer"},
		{"an aggregated role", everywhere(`{apiGroups: [""], resources: [configmaps], verbs: [get]}`) + aggregated, "direct"},
		{"mutating webhooks", everywhere(`{apiGroups: [admissionregistration.k8s.io], resources: [mutatingwebhookconfigurations], verbs: [patch]}`), "mutate cluster-admin of the cluster (unclear)"},
		{"mutating webhooks, beside an admin", everywhere(`{apiGroups: [admissionregistration.k8s.io], resources: [mutatingwebhookconfigurations], verbs: [patch]}`) + deployer, "mutate service account prod/deployer"},
		{"validating webhooks", everywhere(`{apiGroups: [admissionregistration.k8s.io], resources: [validatingwebhookconfigurations], verbs: ["*"]}`), "nobody"},
		{"a user by name", everywhere(`{apiGroups: [""], resources: [users], verbs: [impersonate], resourceNames: ["root"]}`) + root, "impersonate user root"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := find(access.New(read(t, c.manifests)).ReachAdmin(), "group dev"); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

// Admin, edit and view have what ClusterRoles add to them by a label, where no
// file shows the three.
func TestAggregatedToTheRolesOfEveryCluster(t *testing.T) {
	for _, c := range []struct{ label, role, want string }{
		{"view", "view", "direct"}, {"view", "edit", "direct"}, {"view", "admin", "direct"},
		{"edit", "view", "nobody"}, {"edit", "edit", "direct"}, {"edit", "admin", "direct"},
		{"admin", "view", "nobody"}, {"admin", "edit", "nobody"}, {"admin", "admin", "direct"},
		{"admin", "cluster-admin", "direct"}, {"view", "system:basic-user", "nobody"},
	} {
		g := access.New(read(t, strings.NewReplacer("aggregate-to-view", "aggregate-to-"+c.label, "name: edit}", "name: "+c.role+"}").Replace(aggregatedEdit("true"))))
		if got := find(ask(t, g, "create", "widgets.example.com", "prod"), "group dev"); got != c.want {
			t.Errorf("what is aggregated to %s, by %s: got %q, want %q", c.label, c.role, got, c.want)
		}
	}
}

// aggregated gives group dev a role that aggregates itself and, through another,
// every right.
const aggregated = `
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: outer, labels: {into: inner}}
aggregationRule: {clusterRoleSelectors: [{matchLabels: {into: outer}}]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: inner, labels: {into: outer}}
aggregationRule: {clusterRoleSelectors: [{matchLabels: {into: inner}}, {matchExpressions: [{key: power, operator: Exists}]}]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: power, labels: {power: all}}
rules: [{apiGroups: ["*"], resources: ["*"], verbs: ["*"]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: outer}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: outer}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: Group, name: dev}]
---
`

// aggregatedEdit gives group dev the role edit in prod, and may add widgets to it.
func aggregatedEdit(label string) string {
	return `
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: widgets, labels: {rbac.authorization.k8s.io/aggregate-to-view: "` + label + `"}}
rules: [{apiGroups: [example.com], resources: [widgets], verbs: [create]}]
---
apiVersion: v1
kind: Namespace
metadata: {name: prod, labels: {pod-security.kubernetes.io/enforce: restricted}}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: dev, namespace: prod}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: edit}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: Group, name: dev}]
---
`
}

const root = `
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: root}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: cluster-admin}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: User, name: root}]
---
`

// What a webhook is shown are objects as they are written, and custom resources
// as they are converted, which it changes.
func TestShownToWebhooks(t *testing.T) {
	validating := everywhere(`{apiGroups: [admissionregistration.k8s.io], resources: [validatingwebhookconfigurations], verbs: [create]}`)
	converting := everywhere(`{apiGroups: [apiextensions.k8s.io], resources: [customresourcedefinitions], verbs: [update]}`)
	widgets := everywhere(`{apiGroups: [apiextensions.k8s.io], resources: [customresourcedefinitions], verbs: [update], resourceNames: [widgets.example.com]}`)
	const seen, converted, named = "validate an admission webhook (unclear)", "convert a conversion webhook (unclear)", "convert a conversion webhook of widgets.example.com (unclear)"
	for _, c := range []struct{ manifests, verb, what, namespace, want string }{
		{validating, "get", "configmaps", "prod", seen},
		{validating, "get", "secrets/db", "prod", seen},
		{validating, "get", "secrets", "", seen},
		{validating, "get", "widgets.example.com", access.Everywhere, seen},
		{validating, "list", "secrets", "prod", "nobody"},
		{validating, "update", "secrets", "prod", "nobody"},
		{validating, "get", "pods/log", "prod", "nobody"},
		{validating, "get", "mutatingwebhookconfigurations", "", "nobody"},
		{validating, "get", "*", "prod", "nobody"},
		{validating, "get", "/metrics", "", "nobody"},
		{converting, "get", "widgets.example.com", "prod", converted},
		{converting, "update", "widgets.example.com", "prod", converted},
		{converting, "create", "widgets.example.com", "prod", "nobody"},
		{converting, "update", "deployments", "prod", "nobody"},
		{widgets, "patch", "widgets.example.com", "prod", named},
		{widgets, "patch", "gadgets.example.com", "prod", "nobody"},
	} {
		if got := find(ask(t, access.New(read(t, c.manifests)), c.verb, c.what, c.namespace), "group dev"); got != c.want {
			t.Errorf("%s %s in %q: got %q, want %q", c.verb, c.what, c.namespace, got, c.want)
		}
	}
	s := access.New(read(t, validating)).Of(access.Identity{Kind: access.KubernetesGroup, Name: "dev"})
	if i := slices.IndexFunc(s.Places, func(p access.Powers) bool { return p.Namespace == "" }); i < 0 || !slices.Equal(s.Places[i].Unclear, []string{"read secrets"}) {
		t.Errorf("whoever writes validating webhooks perhaps reads secrets, and is said to have %+v", s.Places)
	}
}

// A right that is taken away takes the answer away.
func TestTheExampleOfADeployer(t *testing.T) {
	with := bound("prod", `{apiGroups: [apps], resources: [deployments], verbs: [get, create]}`)
	holders := ask(t, access.New(read(t, with)), "get", "secrets", "prod")
	i := slices.IndexFunc(holders, func(h access.Holder) bool { return h.Identity.Name == "dev" })
	if i < 0 {
		t.Fatal("who creates deployments reads the secrets, and is not found")
	}
	step := holders[i].Chain.Steps[0]
	if len(step.Grants) != 2 || step.Grants[0].Subject.ID != "role/prod/dev" || step.Grants[0].Field != "rules[0]" ||
		step.Grants[1].Subject.ID != "rolebinding/prod/dev" || step.Grants[1].Field != "subjects[0]" {
		t.Errorf("the chain is written at %+v", step.Grants)
	}
	without := strings.Replace(with, "get, create", "get", 1)
	if got := find(ask(t, access.New(read(t, without)), "get", "secrets", "prod"), "group dev"); got != "nobody" {
		t.Errorf("without the verb: %s", got)
	}
}

func TestNoEstateNoCrash(t *testing.T) {
	g := access.New(&estate.Estate{})
	if got := len(g.WhoCan(access.Query{Verb: "get", Resource: "secrets", Namespace: access.Everywhere})); got != 1 {
		t.Errorf("%d can, want system:masters alone", got)
	}
	if len(g.Unread()) == 0 {
		t.Error("nothing was read, and nothing says so")
	}
	if s := g.Of(access.Identity{Kind: access.KubernetesUser, Name: "ann"}); s.Known || s.Admin != nil {
		t.Errorf("ann: %+v", s)
	}
}

// What was not read is said, and is no "nobody".
func TestUnread(t *testing.T) {
	e := read(t, bound("prod", ""))
	if u := access.New(e).Unread(); len(u) > 0 {
		t.Errorf("all was read: %v", u)
	}
	if u := access.New(e.Blind(estate.RoleBindings.Kind, "forbidden")).Unread(); !slices.Equal(u, []string{"RoleBinding: forbidden"}) {
		t.Errorf("RoleBindings were not read: %v", u)
	}
	lost := strings.Replace(bound("prod", ""), "kind: Role, name: dev", "kind: ClusterRole, name: lost", 1)
	if u := access.New(read(t, lost)).Unread(); !slices.Equal(u, []string{"ClusterRole lost, which RoleBinding prod/dev gives, was not found"}) {
		t.Errorf("a role is missing: %v", u)
	}
}

// Steps from beyond RBAC join on: an IAM role that is a group, and a service
// account that is an IAM role.
func TestBeyond(t *testing.T) {
	iam := access.Identity{Kind: access.IAMRole, Name: "arn:aws:iam::111122223333:role/ci"}
	strong := access.Identity{Kind: access.IAMRole, Name: "arn:aws:iam::111122223333:role/app"}
	account := access.Identity{Kind: access.ServiceAccount, Namespace: "prod", Name: "web"}
	e := read(t, bound("prod", `{apiGroups: [""], resources: [pods], verbs: [create]}`)+deployer)
	g := access.New(e, access.Beyond{
		Steps: []access.Step{
			{From: iam, To: access.Identity{Kind: access.KubernetesGroup, Name: "dev"}, Technique: "access-entry", How: "is in group dev", Certain: access.Yes},
			{From: account, To: strong, Technique: "irsa", How: "takes the role", Certain: access.Unclear},
		},
		Rights: []access.Given{{Holder: strong, Namespaces: []string{"pr*"}, Certain: access.Yes,
			Rules:  []rbacv1.PolicyRule{{Verbs: []string{"delete"}, APIGroups: []string{""}, Resources: []string{"services"}}},
			Grants: []access.Grant{{Says: "the access entry has it"}}}},
		Unread: []string{"the trust of role x"},
	})
	if got, want := find(ask(t, g, "get", "secrets", "prod"), iam.Label()), "access-entry group dev > create-pod a new pod in prod"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got, want := find(ask(t, g, "delete", "services", "prod"), strong.Label()), "direct"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got, want := find(ask(t, g, "delete", "services", "dev"), strong.Label()), "nobody"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	// Certain over the admin's account before unclear over the role.
	if got, want := find(ask(t, g, "delete", "services", "prod"), "group dev"), "create-pod service account prod/deployer"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got, want := find(ask(t, g, "delete", "services", "prod"), "service account prod/web"), "irsa "+strong.Label()+" (unclear)"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if !slices.Contains(g.Unread(), "the trust of role x") {
		t.Error("what was not read beyond is lost")
	}
}

func TestParseQuery(t *testing.T) {
	for _, c := range []struct{ verb, what, namespace, want string }{
		{"get", "secrets", "prod", "get secrets in prod"},
		{"get", "secret", "prod", "get secrets in prod"},
		{"create", "deploy", "prod", "create deployments.apps in prod"},
		{"create", "pods/exec", "prod", "create pods/exec in prod"},
		{"get", "secrets/db", "prod", "get secrets db in prod"},
		{"get", "pods/log/web", "prod", "get pods/log web in prod"},
		{"get", "nodes", "prod", "get nodes"},
		{"get", "widgets.example.com", "prod", "get widgets.example.com in prod"},
		{"get", "/metrics", "prod", "get /metrics"},
		{"*", "*", "prod", "everything in prod"},
	} {
		q, err := access.ParseQuery(c.verb, c.what, c.namespace)
		if err != nil || q.String() != c.want {
			t.Errorf("%s %s: %q, %v, want %q", c.verb, c.what, q, err, c.want)
		}
	}
	for _, c := range []struct{ verb, what, want string }{
		{"get", "secretz", `did you mean secrets?`}, {"get it", "pods", "no verb"}, {"", "pods", "no verb"}, {"get", "pods//x", "no resource"}, {"get", "widgets", "needs its group"},
	} {
		if _, err := access.ParseQuery(c.verb, c.what, ""); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s %s: %v, want %q", c.verb, c.what, err, c.want)
		}
	}
}

func TestParseIdentity(t *testing.T) {
	for text, want := range map[string]string{
		"serviceaccount:prod/web":                     "service account prod/web",
		"system:serviceaccount:prod:web":              "service account prod/web",
		"user:ann":                                    "user ann",
		"user:system:serviceaccount:a:b":              "service account a/b",
		"group:system:masters":                        "group system:masters",
		"system:node:ip-10-0-0-1":                     "node ip-10-0-0-1",
		"arn:aws:iam::111122223333:role/a/b":          "arn:aws:iam::111122223333:role/a/b",
		"arn:aws:sts::111122223333:assumed-role/ci/x": "arn:aws:iam::111122223333:role/ci",
		"arn:aws:iam::111122223333:root":              "account 111122223333",
	} {
		if id, err := access.ParseIdentity(text); err != nil || id.Label() != want {
			t.Errorf("%s: %q, %v, want %q", text, id.Label(), err, want)
		}
	}
	for _, text := range []string{"", "ann", "user:", "serviceaccount:web", "serviceaccount:a/b/c", "arn:aws:s3:::b", "system:masters"} {
		if id, err := access.ParseIdentity(text); err == nil {
			t.Errorf("%q is %s", text, id.Label())
		}
	}
}
