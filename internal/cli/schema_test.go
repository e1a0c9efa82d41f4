package cli_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// jsonValue reads JSON as the validator wants it.
func jsonValue(t *testing.T, out []byte) map[string]any {
	t.Helper()
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(out))
	if err != nil {
		t.Fatalf("%v in %.200s", err, out)
	}
	object, ok := v.(map[string]any)
	if !ok {
		t.Fatalf("%.200s is no object", out)
	}
	return object
}

// at returns what stands at a path of names in an instance; of a list its first
// element.
func at(v any, path string) any {
	for name := range strings.SplitSeq(path, ".") {
		if list, ok := v.([]any); ok && len(list) > 0 {
			v = list[0]
		}
		object, ok := v.(map[string]any)
		if !ok {
			return nil
		}
		v = object[name]
	}
	return v
}

const root = "../.."

// TestOutputsMeetTheirSchemas holds what commands write to the schemas that are
// published. Both are exact, so that a field that one lacks fails.
func TestOutputsMeetTheirSchemas(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
		return path
	}
	expect := write("expect.yaml", `expect:
- {from: orders/orders, to: orders-db, port: 5432, verdict: denied}
- {from: VPC, to: orders-db, port: 5432, verdict: denied}
- {from: "*", except: [orders/orders], to: orders-db, verdict: denied}
- {from: orders/nobody, to: orders-db, verdict: denied}
`)
	// What is left out of the input, and what nobody judges.
	odd := write("odd.yaml", `apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
        - {name: web, image: web, ports: [{containerPort: 8080, hostPort: 8080}], env: [{name: DB_HOST, value: nowhere.example.com}]}
---
apiVersion: example.com/v1
kind: Widget
metadata: {name: w, namespace: shop}
---
apiVersion: apps/v1
kind: Deployment
metadata: [this is none]
`)
	// Pods that no policy can tell apart, what needs them, and who was seen.
	bare := write("bare.yaml", `apiVersion: v1
kind: Service
metadata: {name: orders, namespace: shop}
spec: {selector: {app: orders}, ports: [{port: 8080}]}
---
apiVersion: v1
kind: Pod
metadata: {name: orders, namespace: shop, labels: {app: orders}}
spec: {containers: [{name: orders, image: orders}]}
status: {phase: Running, podIP: 10.0.1.6}
---
apiVersion: v1
kind: Pod
metadata: {name: bare, namespace: shop}
spec: {containers: [{name: bare, image: bare, env: [{name: ORDERS_URL, value: "http://orders:8080"}]}]}
status: {phase: Running, podIP: 10.0.1.5}
`)
	flows := write("flows.log", `version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action log-status
2 111122223333 eni-1 10.0.1.6 203.0.113.7 40001 443 6 20 4249 1418530010 1418530070 ACCEPT OK
`)
	rbac := write("rbac.yaml", `apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {namespace: prod, name: web}
rules:
  - {apiGroups: [""], resources: [secrets], resourceNames: [db], verbs: [get, list]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {namespace: prod, name: web}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: web}
subjects: [{kind: ServiceAccount, namespace: prod, name: web}, {kind: Group, name: "system:serviceaccounts:prod", apiGroup: rbac.authorization.k8s.io}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {namespace: prod, name: lost}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: lost}
subjects: [{kind: ServiceAccount, namespace: prod, name: web}]
`)
	auditLog := write("audit.log", `{"kind":"Event","apiVersion":"audit.k8s.io/v1","auditID":"1","stage":"ResponseComplete","verb":"get","user":{"username":"system:serviceaccount:prod:web"},"objectRef":{"resource":"secrets","namespace":"prod","name":"db","apiVersion":"v1"},"responseStatus":{"code":200},"requestReceivedTimestamp":"2026-11-01T10:00:00.000000Z"}
`)
	const (
		apps  = "examples/apps"
		teams = "examples/teams"
		shop  = "examples/shop/secure"
		bad   = "examples/shop/insecure"
	)
	schemas := map[string]*jsonschema.Schema{}
	for _, name := range []string{"reach", "who-can"} {
		c := jsonschema.NewCompiler()
		c.AssertFormat()
		s, err := c.Compile(filepath.Join(root, "docs", "reference", name+".schema.json"))
		if err != nil {
			t.Fatal(err)
		}
		schemas[name] = s
	}
	for _, tt := range []struct {
		args string
		path string // a place in the output, the first elements of lists
		want any    // what stands there; nil where something must
	}{
		{"reach " + apps, "cells.verdict", "allowed"},
		{"reach " + teams, "groups.name", nil},
		{"reach --group workload " + shop, "cells.allowed.protocol", "TCP"},
		{"reach --group namespace " + bad, "cells.witness.from.id", nil},
		{"reach " + odd, "sources.problems.what", nil},

		{"reach --from orders/orders --to orders-db --port 5432 " + apps, "replies.verdict", "allowed"},
		{"reach --from billing/billing --to orders-db --port 3306 " + apps, "replies.answers.verdict", "denied"},
		{"reach --from VPC --to orders-db --port 5432 " + apps, "replies.answers.verdict", "unknown"},
		{"reach --from shop/web --to shop/orders " + shop, "replies.verdict", "allowed"},
		{"reach --from internet --to shop/* " + shop, "replies.verdict", "denied"},
		{"reach --to orders-db " + apps, "replies.verdict", "allowed"},
		{"reach --from internet --to shop/web " + odd, "replies.from.kind", "Internet"},

		{"reach --expect examples/apps/reach.yaml " + apps, "expectations.holds", true},
		{"reach --expect " + expect + " " + apps, "expectations.against.verdict", "allowed"},

		{"reach diff " + shop + " " + bad, "changes.opened.protocol", nil},
		{"reach diff " + bad + " " + shop, "changes.closed.protocol", nil},
		{"reach diff " + apps + " " + apps, "changes", nil},

		{"reach suggest " + bad, "suggestion.securityGroups.removed.ipProtocol", "tcp"},
		{"reach suggest " + shop, "suggestion.policies.manifest.spec.policyTypes", nil},
		{"reach suggest " + apps, "suggestion.needs.why", nil},
		{"reach suggest " + odd, "suggestion.open", nil},
		{"reach suggest " + bare, "suggestion.lost.verdict", "denied"},
		{"reach suggest --flow-logs " + flows + " " + bare, "suggestion.undeclared.observed", json.Number("1")},

		{"who-can get secrets -n prod " + teams, "query.resource", "secrets"},
		{"who-can get secrets -n prod " + rbac, "unread", nil},
		{"who-can get secrets/db -A " + rbac, "holders.identity.kind", nil},
		{"who-can get /metrics " + teams, "query.url", "/metrics"},
		{"who-can create pods/exec -n prod " + teams, "query.subresource", "exec"},
		{"who-can delete nodes " + apps, "holders", nil},
		{"who-can secretsmanager:GetSecretValue " + teams, "assumed", nil},
		{"who-can reach-admin " + teams, "accountAdmins", nil},
		{"who-can reach-admin examples/account", "accountAdmins.steps.technique", nil},
		{"who-can reach-admin " + rbac, "holders.identity.name", "system:masters"},
		{"who-can --principal group:dev " + teams, "principal.known", true},
		{"who-can --principal role/pipeline examples/account", "principal.accountAdmin.certain", "unclear"},
		{"who-can --principal user:nobody " + shop, "principal.known", false},
		{"who-can --principal serviceaccount:shop/orders " + shop, "principal.namespaces", nil},
		{"who-can suggest role/deploy examples/suggest/deploy.yaml --cloudtrail examples/suggest/trail.json", "suggestion.policies.kept.what", "ec2:DescribeInstances"},
		{"who-can suggest serviceaccount/prod/web --audit-log " + auditLog + " " + rbac, "suggestion.principal.kind", "ServiceAccount"},
	} {
		t.Run(strings.ReplaceAll(tt.args, dir, ""), func(t *testing.T) {
			run := program(t)
			args := append(strings.Fields(tt.args), "-o", "json")
			out := run(root, args...)
			doc := jsonValue(t, out)
			schema := schemas[args[0]]
			if err := schema.Validate(doc); err != nil {
				t.Fatal(err)
			}
			if got := at(doc, tt.path); got == nil || tt.want != nil && got != tt.want {
				t.Errorf("%s is %v, want %v", tt.path, got, tt.want)
			}
			if again := run(root, args...); !bytes.Equal(again, out) {
				t.Error("two answers to one question differ")
			}
		})
	}
}
