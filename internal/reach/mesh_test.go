package reach

import (
	"context"
	"fmt"
	"strings"
	"testing"

	networkingapi "istio.io/api/networking/v1alpha3"
	istioapi "istio.io/api/security/v1beta1"
	typeapi "istio.io/api/type/v1beta1"
	istionetworking "istio.io/client-go/pkg/apis/networking/v1"
	istiosecurity "istio.io/client-go/pkg/apis/security/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/eksafe/eksafe/internal/estate"
	"github.com/eksafe/eksafe/internal/source/manifest"
	"github.com/eksafe/eksafe/internal/trace"
)

// networkOf reads manifests.
func networkOf(t testing.TB, text string) *Network {
	t.Helper()
	return New(trace.New(readOf(t, text)))
}

func readOf(t testing.TB, text string) *estate.Estate {
	t.Helper()
	read, err := manifest.Read(context.Background(), []string{manifest.Stdin}, strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range read.Estate.Sources {
		for _, p := range s.Problems {
			t.Fatal(p)
		}
	}
	return read.Estate
}

// shop writes pods of three namespaces: shop and other, which have the labels
// that are given, and legacy, which has none.
func shop(labels string, more ...string) string {
	var b strings.Builder
	space := func(name, labels string) {
		fmt.Fprintf(&b, "apiVersion: v1\nkind: Namespace\nmetadata: {name: %s, labels: {%s}}\n---\n", name, labels)
	}
	pod := func(ns, name, metadata, spec string) {
		fmt.Fprintf(&b, "apiVersion: v1\nkind: Pod\nmetadata: {namespace: %s, name: %s, labels: {app: %s}%s}\nspec: {serviceAccountName: %s%s, containers: [{name: app, image: app, ports: [{containerPort: 8080}]}]}\n---\n",
			ns, name, name, metadata, name, spec)
	}
	space("shop", labels)
	space("other", labels)
	space("legacy", "")
	space("istio-system", "")
	pod("shop", "web", "", "")
	pod("shop", "orders", "", "")
	pod("shop", "skips", `, annotations: {traffic.sidecar.istio.io/excludeOutboundPorts: "8080"}`, "")
	pod("shop", "opens", `, annotations: {traffic.sidecar.istio.io/excludeInboundPorts: "9000"}`, "")
	pod("shop", "includes", `, annotations: {traffic.sidecar.istio.io/includeInboundPorts: "8080"}`, "")
	pod("shop", "node", "", ", hostNetwork: true")
	pod("other", "spy", "", "")
	pod("legacy", "cron", "", "")
	b.WriteString("apiVersion: v1\nkind: Service\nmetadata: {namespace: shop, name: orders}\nspec: {selector: {app: orders}, ports: [{name: http, port: 80, targetPort: 8080}, {name: tcp-data, port: 5000}]}\n")
	for _, m := range more {
		b.WriteString("---\n" + m + "\n")
	}
	return b.String()
}

const (
	injected  = "istio-injection: enabled"
	inZtunnel = "istio.io/dataplane-mode: ambient"
)

func peerAuthentication(ns, name, spec string) string {
	return fmt.Sprintf("apiVersion: security.istio.io/v1\nkind: PeerAuthentication\nmetadata: {namespace: %s, name: %s}\nspec: %s", ns, name, spec)
}

func authorizationPolicy(ns, name, spec string) string {
	return fmt.Sprintf("apiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\nmetadata: {namespace: %s, name: %s}\nspec: %s", ns, name, spec)
}

var strict = peerAuthentication("istio-system", "default", "{mtls: {mode: STRICT}}")

func (n *Network) named(t testing.TB, name string) *Endpoint {
	t.Helper()
	for _, e := range n.Endpoints() {
		if e.Name == name {
			return e
		}
	}
	t.Fatalf("there is no endpoint %s", name)
	return nil
}

// A meshCase asks about one connection: "web > orders 8080" is of pods in
// namespace shop, others carry theirs.
type meshCase struct {
	ask   string
	want  Verdict
	layer LayerKind // that decides, of what is not allowed
	says  string    // somewhere in the layers or notes
}

func checkMesh(t *testing.T, n *Network, cases []meshCase) {
	t.Helper()
	for _, c := range cases {
		var from, to, port string
		if _, err := fmt.Sscanf(strings.Replace(c.ask, ">", " ", 1), "%s %s %s", &from, &to, &port); err != nil {
			t.Fatal(c.ask, err)
		}
		full := func(name string) *Endpoint {
			if !strings.Contains(name, "/") && name != "internet" {
				name = "shop/" + name
			}
			return n.named(t, name)
		}
		protocol := TCP
		if p, ok := strings.CutPrefix(port, "udp"); ok {
			protocol, port = UDP, p
		}
		var number uint16
		if _, err := fmt.Sscan(port, &number); err != nil {
			t.Fatal(c.ask, err)
		}
		a := n.Ask(full(from), full(to), protocol, number)
		if a.Verdict != c.want {
			t.Errorf("%s is %s, want %s: %+v", c.ask, a.Verdict, c.want, a.Layers)
			continue
		}
		if l, ok := a.Decisive(); c.want != Allowed && (!ok || l.Kind != c.layer || l.Why == "") {
			t.Errorf("%s: %s decides (%q), want %s", c.ask, l.Kind, l.Why, c.layer)
		}
		if text := fmt.Sprintf("%+v %v %s %s", a.Layers, a.Notes, a.Encryption, a.Change); !strings.Contains(text, c.says) {
			t.Errorf("%s: nothing says %q in %s", c.ask, c.says, text)
		}
		checkLayers(t, a)
	}
}

// checkLayers holds what is explained against the verdict.
func checkLayers(t *testing.T, a *Answer) {
	t.Helper()
	got := Allowed
	for _, l := range a.Layers {
		if l.Verdict == Denied {
			got = Denied
		} else if l.Verdict == Unknown && got == Allowed {
			got = Unknown
		}
		if l.Why == "" {
			t.Errorf("%s → %s %d: layer %s says nothing", a.From, a.To, a.Port, l.Kind)
		}
	}
	if got != a.Verdict {
		t.Errorf("%s → %s %s %d: verdict %s, but the layers make %s: %+v", a.From, a.To, a.Protocol, a.Port, a.Verdict, got, a.Layers)
	}
}

func TestMTLS(t *testing.T) {
	for _, c := range []struct {
		name, text string
		cases      []meshCase
	}{
		{"permissive by default", shop(injected), []meshCase{
			{"web > orders 8080", Allowed, "", "takes plaintext"},
			{"legacy/cron > orders 8080", Allowed, "", "Istio's default is PERMISSIVE"},
			{"internet > orders 8080", Allowed, "", "takes plaintext"},
		}},
		{"strict", shop(injected, strict), []meshCase{
			{"web > orders 8080", Allowed, "", "encrypted"},
			{"other/spy > orders 8080", Allowed, "", "speaks it"},
			{"legacy/cron > orders 8080", Denied, MeshMTLS, "take legacy/cron into the mesh"},
			{"internet > orders 8080", Denied, MeshMTLS, "lead it to a gateway"},
			{"node > orders 8080", Denied, MeshMTLS, "host network"},
			{"skips > orders 8080", Denied, MeshMTLS, "excludeOutboundPorts"},
			{"skips > orders 8081", Allowed, "", "speaks it"},
			{"legacy/cron > opens 9000", Allowed, "", "does not go through its sidecar"},
			{"legacy/cron > opens 9001", Denied, MeshMTLS, "mTLS only"},
			{"legacy/cron > includes 8080", Denied, MeshMTLS, "mTLS only"},
			{"legacy/cron > includes 8081", Allowed, "", "keeps ports from the mesh"},
			{"legacy/cron > orders 15021", Allowed, "", "does not go through its sidecar"},
			{"legacy/cron > orders udp8080", Allowed, "", "TCP alone"},
			{"web > legacy/cron 8080", Allowed, "", "outside the mesh"},
			{"web > node 8080", Allowed, "", "outside the mesh"},
		}},
		{"ports of the workload, not of the Service", shop(injected, strict,
			peerAuthentication("shop", "orders", "{selector: {matchLabels: {app: orders}}, portLevelMtls: {8080: {mode: PERMISSIVE}, 80: {mode: DISABLE}}}")), []meshCase{
			{"legacy/cron > orders 8080", Allowed, "", "PERMISSIVE for port 8080"},
			{"legacy/cron > orders 5000", Denied, MeshMTLS, "mTLS only"},
			{"web > orders 80", Allowed, "", "plaintext"},
		}},
		{"the namespace wins over the root", shop(injected, strict, peerAuthentication("shop", "default", "{mtls: {mode: DISABLE}}")), []meshCase{
			{"legacy/cron > orders 8080", Allowed, "", "DISABLE"},
			{"legacy/cron > other/spy 8080", Denied, MeshMTLS, "STRICT"},
		}},
		{"a rule of clients turns TLS off", shop(injected, strict,
			"apiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: {namespace: shop, name: plain}\nspec: {host: orders, trafficPolicy: {tls: {mode: DISABLE}}}"), []meshCase{
			{"web > orders 8080", Denied, MeshMTLS, "DestinationRule shop/plain"},
			{"web > skips 8080", Allowed, "", "speaks it"},
			{"web > orders 7000", Allowed, "", "speaks it"}, // no Service leads there
		}},
		{"ambient", shop(inZtunnel, strict), []meshCase{
			{"node > orders 8080", Unknown, MeshMTLS, "the probes of the kubelet"},
			{"web > orders 8080", Allowed, "", "ztunnel of its node"},
			{"legacy/cron > orders 8080", Denied, MeshMTLS, "mTLS only"},
		}},
		{"an ambient pod that takes strangers", strings.Replace(shop(inZtunnel, strict), "name: web, labels: {app: web}", "name: web, labels: {app: web}, annotations: {ambient.istio.io/bypass-inbound-capture: \"true\"}", 1), []meshCase{
			{"legacy/cron > web 8080", Allowed, "", "bypass-inbound-capture"},
			{"web > orders 8080", Allowed, "", "speaks it"},
		}},
		{"ambient knows no DISABLE", shop(inZtunnel, peerAuthentication("shop", "default", "{mtls: {mode: DISABLE}}")), []meshCase{
			{"web > orders 8080", Allowed, "", "ztunnel knows no DISABLE"},
			{"legacy/cron > orders 8080", Allowed, "", "ztunnel knows no DISABLE"},
		}},
		{"a gateway takes what its servers take", shop(injected, strict,
			"apiVersion: networking.istio.io/v1\nkind: Gateway\nmetadata: {namespace: shop, name: in}\nspec: {selector: {app: web}, servers: [{port: {number: 443, name: https, protocol: HTTPS}, hosts: ['*'], tls: {mode: SIMPLE, credentialName: c}}]}"), []meshCase{
			{"internet > web 8080", Allowed, "", "is a gateway"},
			{"internet > orders 8080", Denied, MeshMTLS, "mTLS only"},
			{"web > orders 8080", Allowed, "", "speaks it"},
		}},
		{"no mesh", shop(""), []meshCase{{"legacy/cron > orders 8080", Allowed, "", ""}}},
	} {
		t.Run(c.name, func(t *testing.T) { checkMesh(t, networkOf(t, c.text), c.cases) })
	}
}

func TestAuthorizationPolicy(t *testing.T) {
	orders := func(rest string) string {
		return authorizationPolicy("shop", "orders", "{selector: {matchLabels: {app: orders}}, "+rest+"}")
	}
	const web = "principals: [cluster.local/ns/shop/sa/web]"
	for _, c := range []struct {
		name     string
		policies []string
		cases    []meshCase
	}{
		{"ALLOW without rules denies all", []string{orders("action: ALLOW")}, []meshCase{
			{"web > orders 8080", Denied, MeshAuthorization, "add a rule to spec.rules of AuthorizationPolicy shop/orders: from principal cluster.local/ns/shop/sa/web"},
			{"legacy/cron > orders 8080", Denied, MeshAuthorization, "add a rule that asks for no identity"},
			{"web > skips 8080", Allowed, "", ""},
			{"web > orders udp8080", Allowed, "", "TCP that goes through a proxy"},
		}},
		{"a rule without fields matches everything", []string{orders("action: ALLOW, rules: [{}]")}, []meshCase{
			{"web > orders 8080", Allowed, "", "allows the identity"},
			{"internet > orders 8080", Allowed, "", "allows plaintext"},
		}},
		{"DENY without rules denies nothing", []string{orders("action: DENY")}, []meshCase{{"web > orders 8080", Allowed, "", ""}}},
		{"AUDIT decides nothing", []string{orders("action: AUDIT, rules: [{}]")}, []meshCase{{"web > orders 8080", Allowed, "", ""}}},
		{"CUSTOM is somebody else's", []string{orders("action: CUSTOM, provider: {name: opa}, rules: [{to: [{operation: {ports: ['8080']}}]}]")}, []meshCase{
			{"web > orders 8080", Unknown, MeshAuthorization, "asks an external authorizer"},
			{"web > orders 5000", Allowed, "", ""},
		}},
		{"DENY comes before ALLOW", []string{orders("action: ALLOW, rules: [{}]"),
			authorizationPolicy("shop", "stop", "{action: DENY, rules: [{to: [{operation: {ports: ['8080']}}]}]}")}, []meshCase{
			{"web > orders 8080", Denied, MeshAuthorization, "AuthorizationPolicy shop/stop denies"},
			{"web > orders 8081", Allowed, "", ""},
		}},
		{"principals", []string{orders("rules: [{from: [{source: {" + web + "}}]}]")}, []meshCase{
			{"web > orders 8080", Allowed, "", "allows the identity cluster.local/ns/shop/sa/web"},
			{"other/spy > orders 8080", Denied, MeshAuthorization, "no rule allows the identity cluster.local/ns/other/sa/spy"},
			{"legacy/cron > orders 8080", Denied, MeshAuthorization, "no rule allows plaintext, which has no identity"},
			{"skips > orders 8080", Denied, MeshAuthorization, "plaintext"},
		}},
		{"any identity at all", []string{orders("rules: [{from: [{source: {principals: ['*']}}]}]")}, []meshCase{
			{"other/spy > orders 8080", Allowed, "", ""},
			{"legacy/cron > orders 8080", Denied, MeshAuthorization, ""},
		}},
		{"prefixes and suffixes", []string{orders("rules: [{from: [{source: {principals: ['cluster.local/ns/sh*', '*/sa/spy']}}]}]")}, []meshCase{
			{"web > orders 8080", Allowed, "", ""}, {"other/spy > orders 8080", Allowed, "", ""},
		}},
		{"another trust domain may be this one", []string{orders("rules: [{from: [{source: {principals: [prod/ns/shop/sa/web]}}]}]")}, []meshCase{
			{"web > orders 8080", Unknown, MeshAuthorization, "spec.rules[0]"},
			{"other/spy > orders 8080", Denied, MeshAuthorization, ""},
		}},
		{"notPrincipals matches plaintext", []string{orders("rules: [{from: [{source: {notPrincipals: [cluster.local/ns/other/sa/spy]}}]}]")}, []meshCase{
			{"web > orders 8080", Allowed, "", ""},
			{"legacy/cron > orders 8080", Allowed, "", "allows plaintext"},
			{"other/spy > orders 8080", Unknown, MeshAuthorization, "whoever goes round it speaks plaintext"},
		}},
		{"notPrincipals holds with STRICT", []string{strict, orders("rules: [{from: [{source: {notPrincipals: [cluster.local/ns/other/sa/spy]}}]}]")}, []meshCase{
			{"other/spy > orders 8080", Denied, MeshAuthorization, ""},
			{"legacy/cron > orders 8080", Denied, MeshMTLS, ""},
		}},
		{"DENY by identity holds with STRICT alone", []string{orders("action: DENY, rules: [{from: [{source: {namespaces: [other]}}]}]")}, []meshCase{
			{"other/spy > orders 8080", Unknown, MeshAuthorization, "takes plaintext as well"},
			{"web > orders 8080", Allowed, "", ""},
		}},
		{"namespaces", []string{orders("rules: [{from: [{source: {namespaces: [shop], notNamespaces: [other]}}]}]")}, []meshCase{
			{"web > orders 8080", Allowed, "", ""}, {"other/spy > orders 8080", Denied, MeshAuthorization, ""},
		}},
		{"service accounts", []string{orders("rules: [{from: [{source: {serviceAccounts: [web, other/spy]}}]}]")}, []meshCase{
			{"web > orders 8080", Allowed, "", ""}, {"other/spy > orders 8080", Allowed, "", ""},
			{"skips > orders 9000", Denied, MeshAuthorization, ""},
		}},
		{"fields of a source are joined by and", []string{orders("rules: [{from: [{source: {namespaces: [shop], principals: [cluster.local/ns/other/sa/spy]}}]}]")}, []meshCase{
			{"web > orders 8080", Denied, MeshAuthorization, ""}, {"other/spy > orders 8080", Denied, MeshAuthorization, ""},
		}},
		{"sources by or", []string{orders("rules: [{from: [{source: {" + web + "}}, {source: {namespaces: [other]}}], to: [{operation: {ports: ['8080', x, '70000']}}]}]")}, []meshCase{
			{"web > orders 8080", Allowed, "", ""}, {"other/spy > orders 8080", Allowed, "", ""}, {"web > orders 8081", Denied, MeshAuthorization, ""},
		}},
		{"notPorts", []string{orders("rules: [{to: [{operation: {notPorts: ['8080']}}]}]")}, []meshCase{
			{"web > orders 8080", Denied, MeshAuthorization, ""}, {"internet > orders 9999", Allowed, "", ""},
		}},
		{"blocks", []string{orders("rules: [{from: [{source: {ipBlocks: [203.0.113.0/24], notIpBlocks: [203.0.113.7]}}]}]")}, []meshCase{
			{"internet > orders 8080", Allowed, "", "allows plaintext"}, // some of it
			{"web > orders 8080", Denied, MeshAuthorization, ""},
		}},
		{"methods let connections through", []string{orders("rules: [{from: [{source: {" + web + "}}], to: [{operation: {methods: [GET], paths: ['/api/*']}}]}]")}, []meshCase{
			{"web > orders 8080", Allowed, "", "for requests with methods GET, paths /api/*"},
			{"web > orders 5000", Denied, MeshAuthorization, ""}, // tcp-data speaks no HTTP
		}},
		{"methods that exclude each other", []string{orders("rules: [{to: [{operation: {methods: [GET, POST], notMethods: ['*']}}]}]")}, []meshCase{
			{"web > orders 8080", Denied, MeshAuthorization, ""},
		}},
		{"DENY of requests denies no connection", []string{orders("action: DENY, rules: [{to: [{operation: {methods: [DELETE]}}]}]")}, []meshCase{
			{"web > orders 8080", Allowed, "", ""},
			{"web > orders 5000", Denied, MeshAuthorization, ""}, // of bytes alone a proxy denies everything
		}},
		{"tokens are requests'", []string{orders("rules: [{from: [{source: {requestPrincipals: ['*']}}]}]")}, []meshCase{
			{"web > orders 8080", Allowed, "", "a request principal"}, {"web > orders 5000", Denied, MeshAuthorization, ""},
		}},
		{"conditions", []string{orders("rules: [{when: [{key: source.namespace, values: [shop]}, {key: destination.port, values: ['8080']}, {key: source.principal, notValues: ['*/sa/skips']}]}]")}, []meshCase{
			{"web > orders 8080", Allowed, "", ""}, {"web > orders 8081", Denied, MeshAuthorization, ""},
			{"other/spy > orders 8080", Denied, MeshAuthorization, ""},
		}},
		{"conditions nobody decides", []string{orders("rules: [{when: [{key: connection.sni, values: [orders]}]}]")}, []meshCase{
			{"web > orders 8080", Unknown, MeshAuthorization, "is not known"},
		}},
		{"the root namespace holds everywhere", []string{authorizationPolicy("istio-system", "nothing", "{}")}, []meshCase{
			{"web > orders 8080", Denied, MeshAuthorization, "trust domain cluster.local"},
			{"web > other/spy 8080", Denied, MeshAuthorization, "istio-system/nothing"},
			{"web > legacy/cron 8080", Allowed, "", "nothing enforces it"},
		}},
		{"other namespaces are not meant", []string{authorizationPolicy("other", "nothing", "{}")}, []meshCase{
			{"web > orders 8080", Allowed, "", ""}, {"web > other/spy 8080", Denied, MeshAuthorization, ""},
		}},
		{"what is attached to a Service is no border", []string{authorizationPolicy("shop", "svc", "{targetRefs: [{kind: Service, name: orders}]}")}, []meshCase{
			{"web > orders 8080", Allowed, "", ""},
		}},
		{"nothing enforces it where no proxy is", []string{authorizationPolicy("legacy", "cron", "{selector: {matchLabels: {app: cron}}}")}, []meshCase{
			{"web > legacy/cron 8080", Allowed, "", "selects legacy/cron, and nothing enforces it"},
		}},
	} {
		t.Run(c.name, func(t *testing.T) { checkMesh(t, networkOf(t, shop(injected, c.policies...)), c.cases) })
	}
}

// TestAmbientAuthorization is about ztunnel, which reads no requests.
func TestAmbientAuthorization(t *testing.T) {
	orders := func(rest string) string {
		return authorizationPolicy("shop", "orders", "{selector: {matchLabels: {app: orders}}, "+rest+"}")
	}
	checkMesh(t, networkOf(t, shop(inZtunnel, orders("rules: [{from: [{source: {namespaces: [shop]}}]}]"))), []meshCase{
		{"web > orders 8080", Allowed, "", "ztunnel"}, {"other/spy > orders 8080", Denied, MeshAuthorization, ""},
	})
	checkMesh(t, networkOf(t, shop(inZtunnel, orders("rules: [{to: [{operation: {methods: [GET]}}]}]"))), []meshCase{
		{"web > orders 8080", Denied, MeshAuthorization, ""},
	})
	checkMesh(t, networkOf(t, shop(inZtunnel, orders("action: DENY, rules: [{to: [{operation: {methods: [DELETE]}}]}]"))), []meshCase{
		{"web > orders 8080", Denied, MeshAuthorization, "denies"},
	})
}

func TestTunnel(t *testing.T) {
	policy := func(ports string) string {
		return "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {namespace: shop, name: orders}\nspec: {podSelector: {matchLabels: {app: orders}}, ingress: [{ports: [" + ports + "]}]}"
	}
	checkMesh(t, networkOf(t, shop(inZtunnel, strict, policy("{port: 8080}"))), []meshCase{
		{"web > orders 8080", Denied, IngressPolicies, "no help to the tunnel at TCP 15008"},
		{"web > orders 8081", Denied, IngressPolicies, "port 15008"},
		{"legacy/cron > orders 8080", Denied, MeshMTLS, ""},
	})
	// Without STRICT the port that is open stays open for plaintext.
	checkMesh(t, networkOf(t, shop(inZtunnel, policy("{port: 8080}"))), []meshCase{
		{"web > orders 8080", Unknown, IngressPolicies, "a client that its node does not carry gets through"},
		{"web > orders 8081", Denied, IngressPolicies, ""},
		{"legacy/cron > orders 8080", Allowed, "", ""},
	})
	checkMesh(t, networkOf(t, shop(inZtunnel, policy("{port: 15008}"))), []meshCase{
		{"web > orders 8080", Allowed, "", "carries every TCP port"},
		{"web > orders 22", Allowed, "", "carries every TCP port"},
		{"web > orders udp53", Denied, IngressPolicies, ""},
		{"legacy/cron > orders 8080", Denied, IngressPolicies, ""},
	})
	// Pods with sidecars are not carried.
	checkMesh(t, networkOf(t, shop(injected, policy("{port: 15008}"))), []meshCase{{"web > orders 8080", Denied, IngressPolicies, ""}})
	// Whether a sidecar sends to the tunnel is not known.
	mixed := strings.Replace(shop(inZtunnel, policy("{port: 8080}")), "metadata: {namespace: shop, name: web, labels: {app: web}", "metadata: {namespace: shop, name: web, labels: {app: web, sidecar.istio.io/inject: \"true\"}", 1)
	checkMesh(t, networkOf(t, mixed), []meshCase{
		{"web > orders 8080", Unknown, IngressPolicies, "whether the client's sidecar sends to the tunnel"},
		{"web > orders 8081", Denied, IngressPolicies, ""},
	})
}

func TestSidecarResource(t *testing.T) {
	sidecarOf := func(ns, name, spec string) string {
		return fmt.Sprintf("apiVersion: networking.istio.io/v1\nkind: Sidecar\nmetadata: {namespace: %s, name: %s}\nspec: %s", ns, name, spec)
	}
	for _, c := range []struct {
		spec string
		want trace.Ternary
		says string
	}{
		{"{egress: [{hosts: ['./*']}]}", trace.Yes, "a route to it"},
		{"{egress: [{hosts: ['shop/orders.shop.svc.cluster.local']}]}", trace.Yes, "a route to it"},
		{"{egress: [{hosts: ['*/*.shop.svc.cluster.local']}]}", trace.Yes, "a route to it"},
		{"{egress: [{hosts: ['other/*']}]}", trace.No, "unknown traffic is passed on"},
		{"{egress: [{hosts: ['other/*']}], outboundTrafficPolicy: {mode: REGISTRY_ONLY}}", trace.No, "that is no border"},
		{"{egress: [{hosts: ['*/*', '~shop/*']}]}", trace.No, "no route"},
		{"{egress: [{hosts: ['~/*']}]}", trace.No, "no route"},
		{"{outboundTrafficPolicy: {mode: REGISTRY_ONLY}}", trace.Yes, "a route to it"},
		{"{workloadSelector: {labels: {app: else}}, egress: [{hosts: ['~/*']}]}", trace.Unclear, ""},
	} {
		n := networkOf(t, shop(injected, sidecarOf("shop", "default", c.spec)))
		if got := n.Routed(n.named(t, "shop/web"), n.named(t, "shop/orders")); got != c.want {
			t.Errorf("%s: routed %s, want %s", c.spec, got, c.want)
		}
		checkMesh(t, n, []meshCase{{"web > orders 8080", Allowed, "", c.says}}) // no border
	}
	n := networkOf(t, shop(injected, sidecarOf("istio-system", "default", "{egress: [{hosts: ['~/*']}]}"),
		sidecarOf("shop", "web", "{workloadSelector: {labels: {app: web}}, egress: [{hosts: ['./*']}]}")))
	for from, want := range map[string]trace.Ternary{"shop/web": trace.Yes, "shop/skips": trace.No, "legacy/cron": trace.Unclear} {
		if got := n.Routed(n.named(t, from), n.named(t, "shop/orders")); got != want {
			t.Errorf("%s: routed %s, want %s", from, got, want)
		}
	}
}

func TestEncryption(t *testing.T) {
	env := func(host string) string {
		return "apiVersion: v1\nkind: Pod\nmetadata: {namespace: legacy, name: caller, labels: {app: caller}}\nspec: {containers: [{name: app, image: app, env: [{name: ORDERS_URL, value: " + host + "}]}]}"
	}
	for _, c := range []struct {
		name, text, from, to string
		want                 trace.Encryption
		says                 string
	}{
		{"strict", shop(injected, strict), "shop/web", "shop/orders", trace.Encrypted, "Istio mTLS"},
		{"permissive", shop(injected), "shop/web", "shop/orders", trace.Optional, "plaintext is taken too"},
		{"ambient", shop(inZtunnel), "shop/web", "shop/orders", trace.Optional, "plaintext is taken too"},
		{"a client that keeps the port from its sidecar", shop(injected), "shop/skips", "shop/orders", trace.Plaintext, "excludeOutboundPorts"},
		{"from outside", shop(injected), "legacy/cron", "shop/orders", trace.Unknown, "nothing shows"},
		{"a client that says http", shop("", env("http://orders.shop")), "legacy/caller", "shop/orders", trace.Plaintext, "http"},
		{"a client that says https", shop("", env("https://orders.shop:80")), "legacy/caller", "shop/orders", trace.Encrypted, "https"},
	} {
		n := networkOf(t, c.text)
		a := n.Ask(n.named(t, c.from), n.named(t, c.to), TCP, 8080)
		if a.Encryption != c.want || !strings.Contains(a.EncryptionWhy, c.says) {
			t.Errorf("%s: %s (%s), want %s that says %q", c.name, a.Encryption, a.EncryptionWhy, c.want, c.says)
		}
	}
}

// TestEncryptionOfDatabase takes what trace found of the client.
func TestEncryptionOfDatabase(t *testing.T) {
	for mode, want := range map[string]trace.Encryption{"require": trace.Encrypted, "disable": trace.Plaintext} {
		text := shop(injected, fmt.Sprintf("apiVersion: v1\nkind: Pod\nmetadata: {namespace: shop, name: billing, labels: {app: billing}}\n"+
			"spec: {containers: [{name: app, image: app, env: [{name: DATABASE_URL, value: 'postgres://db.abc.eu-west-1.rds.amazonaws.com/x?sslmode=%s'}]}]}", mode))
		read, err := manifest.Read(context.Background(), []string{manifest.Stdin}, strings.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		estate.DBInstances.Add(read.Estate, &estate.DBInstance{
			DBInstanceIdentifier: "db", Engine: estate.Known("postgres"), Endpoint: estate.Endpoint{Address: "db.abc.eu-west-1.rds.amazonaws.com", Port: 5432},
		})
		n := New(trace.New(read.Estate))
		a := n.Ask(n.named(t, "shop/billing"), n.named(t, "db"), TCP, 5432)
		if a.Encryption != want {
			t.Errorf("sslmode=%s: %s (%s), want %s", mode, a.Encryption, a.EncryptionWhy, want)
		}
		if a := n.Ask(n.named(t, "shop/web"), n.named(t, "db"), TCP, 5432); a.Encryption != trace.Unknown {
			t.Errorf("a client that says nothing: %s (%s)", a.Encryption, a.EncryptionWhy)
		}
	}
}

// TestMembershipUnclear is about namespaces that were not read: what would be
// denied to one reading is unknown.
func TestMembershipUnclear(t *testing.T) {
	text := strings.Replace(shop(injected, strict), "apiVersion: v1\nkind: Namespace\nmetadata: {name: legacy, labels: {}}\n---\n", "", 1)
	checkMesh(t, networkOf(t, text), []meshCase{
		{"legacy/cron > orders 8080", Unknown, MeshMTLS, "was not read"},
		{"internet > legacy/cron 8080", Unknown, MeshMTLS, "mTLS only"},
		{"web > legacy/cron 8080", Allowed, "", ""},
	})
}

// TestLayersMakeVerdicts asks about every pair of pods in every kind of mesh,
// with policies of every kind: what is explained must make the verdict.
func TestLayersMakeVerdicts(t *testing.T) {
	policies := []string{
		strict,
		peerAuthentication("shop", "default", "{mtls: {mode: DISABLE}}"),
		authorizationPolicy("istio-system", "deny", "{action: DENY, rules: [{from: [{source: {namespaces: [other]}}]}]}"),
		authorizationPolicy("shop", "not", "{rules: [{from: [{source: {notPrincipals: [cluster.local/ns/other/sa/spy], notIpBlocks: [10.0.0.0/8]}}], to: [{operation: {ports: ['8080']}}]}]}"),
		authorizationPolicy("shop", "custom", "{action: CUSTOM, selector: {matchLabels: {app: orders}}, provider: {name: opa}, rules: [{to: [{operation: {ports: ['8080']}}]}]}"),
		authorizationPolicy("shop", "sni", "{action: DENY, rules: [{to: [{operation: {ports: ['5000']}}], when: [{key: connection.sni, values: [x]}]}]}"),
		"apiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: {namespace: other, name: plain}\nspec: {host: orders.shop.svc.cluster.local, trafficPolicy: {tls: {mode: DISABLE}}}",
		"apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {namespace: shop, name: in}\nspec: {podSelector: {matchLabels: {app: orders}}, ingress: [{ports: [{port: 8080}]}]}",
		"apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {namespace: shop, name: out}\nspec: {podSelector: {matchLabels: {app: web}}, policyTypes: [Egress], egress: [{ports: [{port: 15008}]}]}",
	}
	unread := func(s string) string {
		return strings.Replace(s, "apiVersion: v1\nkind: Namespace\nmetadata: {name: other, labels: {"+injected+"}}\n---\n", "", 1)
	}
	mixed := func(s string) string {
		return strings.NewReplacer("name: web, labels: {app: web}", "name: web, labels: {app: web, istio.io/dataplane-mode: ambient}",
			"kind: Namespace\nmetadata: {name: shop, labels: {"+injected+"}}", "kind: Namespace\nmetadata: {name: shop}",
			"name: opens, labels: {app: opens}", `name: opens, labels: {app: opens, sidecar.istio.io/inject: "true"}`).Replace(s)
	}
	same := func(s string) string { return s }
	verdicts := map[Verdict]int{}
	for _, labels := range []string{injected, inZtunnel, ""} {
		for _, change := range []func(string) string{same, unread, mixed} {
			for set := range 1 << len(policies) {
				if set%29 != 3 && set&(set-1) != 0 {
					continue // some of them, and each alone
				}
				var chosen []string
				for i, p := range policies {
					if set>>i&1 == 1 {
						chosen = append(chosen, p)
					}
				}
				n := networkOf(t, change(shop(labels, chosen...)))
				for _, from := range n.Endpoints() {
					for _, to := range []string{"shop/orders", "shop/opens", "other/spy"} {
						for _, port := range []uint16{5000, 8080, 9000, 15021, 15008} {
							if from.Name != to {
								a := n.Ask(from, n.named(t, to), TCP, port)
								checkLayers(t, a)
								verdicts[a.Verdict]++
							}
						}
					}
				}
				if t.Failed() {
					t.Fatalf("labels %q, policies %d: %v", labels, set, chosen)
				}
			}
		}
	}
	for _, v := range []Verdict{Unknown, Denied, Allowed} {
		if verdicts[v] < 100 {
			t.Errorf("only %d answers are %s", verdicts[v], v)
		}
	}
}

// FuzzMesh puts hostile texts where policies and annotations have theirs: every
// answer must be explained by its layers.
func FuzzMesh(f *testing.F) {
	f.Add("cluster.local/ns/shop/sa/*", "8080", "10.0.0.0/8", "source.ip", "8080,9000", "./*")
	f.Add("*", "-1", "::/0", "destination.port", "*", "~/*")
	f.Add("**/", "99999", "fe80::%eth0/64", "request.headers[x]", ",,15008,", "/")
	f.Add("", "", "", "", "", "")
	f.Fuzz(func(t *testing.T, pattern, port, cidr, key, ports, host string) {
		e := &estate.Estate{}
		ns := &estate.Resource[corev1.Namespace]{}
		ns.Object.Name, ns.Object.Labels = "shop", map[string]string{"istio-injection": "enabled"}
		estate.Namespaces.Add(e, ns)
		for _, name := range []string{"web", "orders"} {
			w := &estate.Workload{Controller: "Pod", ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name}}
			w.Template.Labels = map[string]string{"app": name}
			w.Template.Annotations = map[string]string{
				"traffic.sidecar.istio.io/excludeInboundPorts": ports, "traffic.sidecar.istio.io/includeInboundPorts": host, "traffic.sidecar.istio.io/excludeOutboundPorts": ports,
			}
			estate.Workloads.Add(e, w)
		}
		for _, action := range []istioapi.AuthorizationPolicy_Action{istioapi.AuthorizationPolicy_DENY, istioapi.AuthorizationPolicy_ALLOW, 77} {
			p := &estate.Resource[istiosecurity.AuthorizationPolicy]{}
			p.Object.Namespace, p.Object.Name, p.Object.Spec.Action = "shop", "p", action
			p.Object.Spec.Rules = []*istioapi.Rule{nil, {
				From: []*istioapi.Rule_From{nil, {}, {Source: &istioapi.Source{
					Principals: []string{pattern}, NotNamespaces: []string{pattern}, IpBlocks: []string{cidr}, NotIpBlocks: []string{cidr, host}, ServiceAccounts: []string{pattern},
				}}},
				To:   []*istioapi.Rule_To{nil, {Operation: &istioapi.Operation{Ports: []string{port}, NotPorts: []string{key}, Paths: []string{pattern}, NotPaths: []string{host}}}},
				When: []*istioapi.Condition{nil, {Key: key, Values: []string{pattern, cidr, port}, NotValues: []string{host}}},
			}}
			estate.AuthorizationPolicies.Add(e, p)
		}
		s := &estate.Resource[istionetworking.Sidecar]{}
		s.Object.Namespace = "shop"
		s.Object.Spec.Egress = []*networkingapi.IstioEgressListener{nil, {Hosts: []string{host, pattern}}}
		estate.Sidecars.Add(e, s)
		n := New(trace.New(e))
		for _, p := range []uint16{0, 80, 8080, 15008, lastPort} {
			for _, from := range []string{"shop/web", "internet"} {
				checkLayers(t, n.Ask(n.named(t, from), n.named(t, "shop/orders"), TCP, p))
			}
		}
	})
}

// BenchmarkMesh asks about all pairs of 2,000 workloads with identities of
// their own, in 100 namespaces with 1,500 policies.
func BenchmarkMesh(b *testing.B) {
	e := &estate.Estate{}
	for i := range 100 {
		ns := &estate.Resource[corev1.Namespace]{}
		ns.Object.Name, ns.Object.Labels = fmt.Sprintf("n%d", i), map[string]string{"istio-injection": "enabled"}
		estate.Namespaces.Add(e, ns)
	}
	for i := range 2000 {
		w := &estate.Workload{Controller: "Deployment", ObjectMeta: metav1.ObjectMeta{Namespace: fmt.Sprintf("n%d", i%100), Name: fmt.Sprintf("w%d", i)}}
		w.Template.Labels = map[string]string{"app": w.Name}
		w.Template.Spec.ServiceAccountName = w.Name
		for j := range 5 {
			w.Pods = append(w.Pods, estate.Pod{Name: fmt.Sprintf("%s-%d", w.Name, j), PodIP: fmt.Sprintf("10.%d.%d.%d", j, i/250, i%250)})
		}
		estate.Workloads.Add(e, w)
	}
	for i := range 1500 {
		p := &estate.Resource[istiosecurity.AuthorizationPolicy]{}
		p.Object.Namespace, p.Object.Name = fmt.Sprintf("n%d", i%100), fmt.Sprintf("p%d", i)
		p.Object.Spec.Selector = &typeapi.WorkloadSelector{MatchLabels: map[string]string{"app": fmt.Sprintf("w%d", i)}}
		p.Object.Spec.Rules = []*istioapi.Rule{{
			From: []*istioapi.Rule_From{{Source: &istioapi.Source{Principals: []string{fmt.Sprintf("cluster.local/ns/n%d/sa/w%d", (i+1)%100, i+1)}}}},
			To:   []*istioapi.Rule_To{{Operation: &istioapi.Operation{Ports: []string{"8080"}}}},
		}}
		estate.AuthorizationPolicies.Add(e, p)
	}
	g := trace.New(e)
	for b.Loop() {
		n := New(g)
		for from := range n.pods {
			for to := range n.pods {
				n.between(from, to)
			}
		}
		b.ReportMetric(float64(len(n.mesh.sources)), "sources")
		b.ReportMetric(float64(len(n.mesh.destinations)), "destinations")
	}
}
