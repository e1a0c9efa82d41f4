package reach

import (
	"strings"
	"testing"

	"github.com/eksafe/eksafe/internal/trace"
)

// The ports of a Service, and Services that have none or no pods.
const ported = `apiVersion: v1
kind: Service
metadata: {namespace: shop, name: named}
spec: {type: NodePort, selector: {app: web}, ports: [{port: 80, targetPort: http, nodePort: 30080}, {port: 81, targetPort: gone}]}
---
apiVersion: v1
kind: Service
metadata: {namespace: shop, name: inner}
spec: {selector: {app: web}, ports: [{port: 80, targetPort: http, nodePort: 30081}]}
---
apiVersion: v1
kind: Service
metadata: {namespace: shop, name: headless}
spec: {type: NodePort, clusterIP: None, selector: {app: web}, ports: [{port: 80, targetPort: http, nodePort: 30082}]}
---
apiVersion: v1
kind: Service
metadata: {namespace: shop, name: bare}
spec: {selector: {app: web}}
---
apiVersion: v1
kind: Service
metadata: {namespace: shop, name: elsewhere}
spec: {type: ExternalName, externalName: db.example.com, selector: {app: web}, ports: [{port: 80}]}`

// That nothing comes by a port which a Service does not have is no answer, and
// no expectation holds by it.
func TestPortOfService(t *testing.T) {
	n := New(trace.New(readOf(t, planned("type: ClusterIP", "", ported, closedShop))))
	for _, test := range []struct {
		to      string
		port    uint16
		verdict Verdict
		err     string
	}{
		{to: "service/shop/named", port: 80, verdict: Allowed},
		{to: "svc/shop/named", port: 30080, verdict: Allowed},
		{"svc/shop/named", 31000, Denied, `finding TCP 31000 of "svc/shop/named": the Service has no such port; it has TCP 80, TCP 30080 of the nodes, TCP 81`},
		{"svc/shop/named", 8080, Denied, "the Service has no such port"},
		{"svc/shop/named", 81, Denied, "the Service has that port, and none of its pods has the port that it leads to"},
		{"svc/shop/inner", 30081, Denied, "the Service has no such port; it has TCP 80"},
		{"svc/shop/headless", 30082, Denied, "the Service has no such port; it has TCP 80"},
		{"svc/shop/bare", 80, Denied, "the Service has no such port; it has none"},
		{"svc/shop/elsewhere", 80, Denied, "the Service names another host, db.example.com, and has no pods"},
	} {
		x := Expectation{From: "shop/admin", To: test.to, Port: itoa(int(test.port)), Verdict: test.verdict, Line: 2}
		o := n.Check([]Expectation{x})[0]
		if o.Holds != (test.err == "") || !complains(o.Err, test.err) {
			t.Errorf("%s: holds %v, %v; want %q", &x, o.Holds, o.Err, test.err)
		}
		for _, from := range []string{"shop/admin", ""} {
			replies, err := n.Reply(Question{From: from, To: test.to, Protocol: TCP, Port: test.port})
			if !complains(err, test.err) || err != nil && len(replies) > 0 {
				t.Errorf("%q > %s %d: %d replies, %v; want %q", from, test.to, test.port, len(replies), err, test.err)
			}
		}
	}
	if _, err := n.Reply(Question{To: "svc/shop/named"}); err != nil {
		t.Errorf("every port of a Service: %v", err)
	}
}

// A reference that may mean several says what to type, and typing that means one.
func TestAmbiguous(t *testing.T) {
	const twin = "apiVersion: apps/v1\nkind: StatefulSet\nmetadata: {namespace: shop, name: web}\nspec: {selector: {matchLabels: {app: twin}}, template: {metadata: {labels: {app: twin}}, spec: {containers: [{name: c, image: i}]}}}"
	twice := planned("type: ClusterIP", "")
	for _, test := range []struct{ manifests, ref, err string }{
		{planned("type: ClusterIP", "", twin), "shop/web", "it may be deployment/shop/web, statefulset/shop/web; name one of them"},
		{planned("type: ClusterIP", "", twin), "web", "it may be deployment/shop/web, statefulset/shop/web; name one of them"},
		{planned("type: ClusterIP", "", twin), "StatefulSet/shop/web", ""},
		{twice + "---\n" + twice, "shop/web", "deployment/shop/web is declared more than once, in stdin:1, stdin:"},
		{twice + "---\n" + twice, "deployment/shop/web", "deployment/shop/web is declared more than once, in stdin:1, stdin:"},
	} {
		n := New(trace.New(readOf(t, test.manifests)))
		if ends, err := n.Find(test.ref); !complains(err, test.err) || err == nil && len(ends) != 1 {
			t.Errorf("%s: %d, %v; want %q", test.ref, len(ends), err, test.err)
		}
	}
}

// What everybody asks about by one word keeps no workload from being found.
func TestFindWorkloadsNamedAsAddresses(t *testing.T) {
	manifests := strings.NewReplacer("namespace: shop", "namespace: nodes", "name: web", "name: nodes").Replace(planned("type: ClusterIP", ""))
	for ref, want := range map[string]EndpointKind{"nodes/nodes": WorkloadEndpoint, "nodes": NodesEndpoint, "internet/internet": InternetEndpoint} {
		if ends, err := New(trace.New(readOf(t, manifests))).Find(ref); err != nil || len(ends) != 1 || ends[0].Kind != want {
			t.Errorf("%s: %v, %v", ref, ends, err)
		}
	}
}

// Two resources may differ by the case of letters alone; each can be named.
func TestFindByCase(t *testing.T) {
	n := New(trace.New(readOf(t, planned("type: ClusterIP", ""))))
	for _, id := range []string{"db:orders", "db:Orders"} {
		e := &Endpoint{Kind: DatabaseEndpoint, Name: "orders"}
		e.Ref.ID, e.Ref.Name = id, "orders"
		n.endpoints = append(n.endpoints, e)
	}
	for _, id := range []string{"db:orders", "db:Orders"} {
		if ends, err := n.Find(id); err != nil || len(ends) != 1 || ends[0].Ref.ID != id {
			t.Errorf("%s: %v, %v", id, ends, err)
		}
	}
	if _, err := n.Find("orders"); err == nil || !strings.Contains(err.Error(), "it may be db:Orders, db:orders; name one of them") {
		t.Error(err)
	}
}

// complains reports whether an error says a text; with none there is no error.
func complains(err error, text string) bool {
	if text == "" {
		return err == nil
	}
	return err != nil && strings.Contains(err.Error(), text)
}

// What a rule may do is written as what it does, with the verb that goes with may.
func TestSays(t *testing.T) {
	n := &Network{ports: newPortTable()}
	for _, test := range []struct {
		action action
		want   [2]string
	}{{allow, [2]string{"allows every port", "may allow every port"}}, {deny, [2]string{"denies every port", "may deny every port"}}, {pass, [2]string{"passes on every port", "may pass on every port"}}} {
		r := &rule{action: test.action, ports: allPorts}
		if got := [2]string{says(r, n, false), says(r, n, true)}; got != test.want {
			t.Errorf("it says %q, not %q", got, test.want)
		}
	}
}
