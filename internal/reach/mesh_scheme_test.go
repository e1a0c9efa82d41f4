package reach

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	istionetworking "istio.io/client-go/pkg/apis/networking/v1"
	istiosecurity "istio.io/client-go/pkg/apis/security/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/eksafe/eksafe/internal/estate"
	"github.com/eksafe/eksafe/internal/trace"
)

// meshPoliciesIn returns the policies of Istio in an estate.
func meshPoliciesIn(e *estate.Estate) []*policyObject {
	var out []*policyObject
	for _, r := range estate.AuthorizationPolicies.In(e) {
		out = append(out, &policyObject{
			kind: estate.AuthorizationPolicies.Kind, namespace: r.Object.Namespace, name: r.Object.Name,
			rules: [2]int{Ingress: len(r.Object.Spec.GetRules())},
			add: func(e *estate.Estate, d Direction, without int) {
				if without < 0 {
					estate.AuthorizationPolicies.Add(e, r)
					return
				}
				changed := &estate.Resource[istiosecurity.AuthorizationPolicy]{Origin: r.Origin, Object: *r.Object.DeepCopy()}
				changed.Object.Spec.Rules = cut(r.Object.Spec.GetRules(), without)
				estate.AuthorizationPolicies.Add(e, changed)
			},
		})
	}
	for _, r := range estate.Sidecars.In(e) {
		out = append(out, &policyObject{
			kind: estate.Sidecars.Kind, namespace: r.Object.Namespace, name: r.Object.Name,
			rules: [2]int{Egress: len(r.Object.Spec.GetEgress())},
			add: func(e *estate.Estate, d Direction, without int) {
				if without < 0 {
					estate.Sidecars.Add(e, r)
					return
				}
				changed := &estate.Resource[istionetworking.Sidecar]{Origin: r.Origin, Object: *r.Object.DeepCopy()}
				changed.Object.Spec.Egress = cut(r.Object.Spec.GetEgress(), without)
				estate.Sidecars.Add(e, changed)
			},
		})
	}
	return out
}

// enrollAll makes every pod a member, as the analyzer takes it.
func enrollAll(e *estate.Estate) {
	for _, w := range estate.Workloads.In(e) {
		if !slices.ContainsFunc(w.Template.Spec.Containers, func(c corev1.Container) bool { return c.Name == "istio-proxy" }) {
			w.Template.Spec.Containers = append(w.Template.Spec.Containers, corev1.Container{Name: "istio-proxy"})
		}
	}
}

// meshRun runs the schemes about Istio. There the analyzer's question is what
// applications are set up to reach, Sidecars included.
func meshRun(t *testing.T) *schemeRun {
	r := newSchemeRun(t, "istio")
	r.prepare = enrollAll
	base := r.between
	r.between = func(n *Network, from, to uint32) Ports {
		ports := base(n, from, to)
		if n.routed(from, to) == trace.No {
			ports[TCP] = nil
		}
		return ports
	}
	policies := r.explicit
	r.explicit = func(n *Network, from, to uint32) Ports {
		out := policies(n, from, to)
		m := n.mesh
		if m.idle {
			return out
		}
		ports := r.between(n, from, to)
		if n.routed(from, to) != trace.Unclear || to < n.pods && len(m.destinations[m.destination[to]].policies) > 0 {
			out[TCP] = ports[TCP]
		}
		return out
	}
	others, empty := r.selects, r.empty
	r.selects = func(n *Network, o *policyObject) (out set) {
		switch o.kind {
		case estate.AuthorizationPolicies.Kind:
			for i := range n.pods {
				if slices.ContainsFunc(n.mesh.destinations[n.mesh.destination[i]].policies, func(b boundPolicy) bool {
					return b.place.Subject.Namespace == o.namespace && b.place.Subject.Name == o.name
				}) {
					out = out.extend(i, i+1)
				}
			}
		case estate.Sidecars.Kind:
			s := sidecarNamed(n, o)
			for i, p := range n.points[:n.pods] {
				if p.namespace.name == o.namespace && selects(s.Object.Spec.GetWorkloadSelector().GetLabels(), p.labels) {
					out = out.extend(uint32(i), uint32(i)+1)
				}
			}
		default:
			return others(n, o)
		}
		return out
	}
	r.empty = func(n *Network, o *policyObject) (count int) {
		if o.kind != estate.Sidecars.Kind {
			return empty(n, o)
		}
		s := sidecarNamed(n, o)
		for _, e := range s.Object.Spec.GetEgress() {
			none := true
			for _, svc := range estate.Services.In(n.graph.Estate) {
				none = none && !imports(e.GetHosts(), o.namespace, svc)
			}
			count += number(none)
		}
		return count
	}
	r.layer = func(p *policyObject) string {
		switch p.kind {
		case estate.AuthorizationPolicies.Kind, estate.Sidecars.Kind:
			return "mesh"
		}
		return "policies"
	}
	return r
}

func sidecarNamed(n *Network, o *policyObject) *estate.Resource[istionetworking.Sidecar] {
	for _, r := range estate.Sidecars.In(n.graph.Estate) {
		if r.Object.Namespace == o.namespace && r.Object.Name == o.name {
			return r
		}
	}
	return nil
}

// meshDifferences are the queries of the corpus whose number is another one
// here, and what decides.
var meshDifferences = func() map[string]string {
	out := map[string]string{}
	add := func(why, scheme string, queries ...string) {
		for _, q := range queries {
			out[scheme+": "+q] = why
		}
	}
	add("requests are not connections: a rule about methods or paths lets every connection through, and the proxy answers what it refuses (reference of AuthorizationPolicy, Operation: \"must be used only with HTTP\")",
		"bookinfo-test-equiv-scheme", "equiv-diff-methods", "equiv-diff-methods-1", "istio-test-operation-regex-equiv2")
	add("plaintext has no principal and is none that notValues names, so that it is allowed; with namespaces: [default] it is not (ISTIO-SECURITY-2021-004)",
		"bookinfo-test-principals-scheme", "equiv-test-2")
	const names = "a host of a ServiceEntry is a name, and ends of connections here are pods and addresses; the configurations differ in such hosts alone"
	add(names, "containments-w-sidecar-and-service-entry-scheme", "two-way-containment-one-config-with-dns-entry")
	add(names, "equivalence-with-sidecars-scheme", "equiv-one-with-dns-entry")
	add(names, "forbids-and-interferes-with-sidecars-tests-scheme", "interferes-on-configs-one-with-dns-entry", "pair-wise-interferes-on-configs-one-with-dns-entry")
	add(names, "semantic-diff-with-sidecars-and-service-entries-tests-scheme", "semantic-diff-added-conns-test")
	return out
}()

func TestIstioSchemes(t *testing.T) {
	meshRun(t).runAll(t, meshDifferences)
}

// A boutiqueRule is a line of a connectivity map of the analyzer: who reaches
// whom at which ports of TCP, requests aside.
type boutiqueRule struct{ src, dst, ports string }

var (
	boutiqueLine  = regexp.MustCompile(`^(src.*?) (dst(?:_ns)?: .*?) conn: (.*)$`)
	boutiqueSide  = regexp.MustCompile(`^\w+_ns: \[(.*)\] \w+_pods: \[(.*)\]$`)
	boutiquePorts = regexp.MustCompile(`^{dst_ports:(\d+)[,}]`)
)

// TestOnlineBoutique holds the only connectivity map of the Istio part of the
// corpus, taken from a cluster that ran, against what gets through between all
// pods that are no gateways, and between them and addresses.
func TestOnlineBoutique(t *testing.T) {
	r := newSchemeRun(t, "istio")
	routed := meshRun(t).between
	const dir = "example_policies/online_boutique_multi_layer_from_live_cluster_test"
	var rules []boutiqueRule
	archive(t, "reach/network-config-analyzer.tar.gz", func(name string, data []byte) {
		if name != "network-config-analyzer/istio/"+dir+"/connectivity_map_onlineboutique_multi_layer_from_live_cluster.txt" {
			return
		}
		tcp, _, _ := strings.Cut(string(data), "For connections of type non-TCP")
		for line := range strings.Lines(tcp) {
			if m := boutiqueLine.FindStringSubmatch(strings.TrimSpace(line)); m != nil {
				rules = append(rules, boutiqueRule{m[1], m[2], m[3]})
			}
		}
	})
	if len(rules) != 24 {
		t.Fatalf("the map has %d lines", len(rules))
	}
	c, err := r.config(dir, &scheme{NetworkConfigList: []schemeConfig{{
		Name: "shop", ResourceList: files{"onlineboutique-resources"}, NetworkPolicyList: files{"network_policies.yaml", "sidecars.yaml"},
	}}}, "shop")
	if err != nil {
		t.Fatal(err)
	}
	enrollAll(c.topology)
	n := c.network()
	gateway := func(p *point) bool {
		return p.endpoint.Workload != nil && strings.HasSuffix(p.endpoint.Workload.Name, "gateway")
	}
	// No Service selects these pods. To the proxies of the shop they are unknown,
	// and unknown traffic passes unless a Sidecar says REGISTRY_ONLY, which none
	// does (reference of Sidecar, outboundTrafficPolicy); the map has them out of
	// reach.
	unknown := []string{"local-path-storage/local-path-provisioner", "projectcontour/envoy-mb476"}
	compared, differ := 0, 0
	for _, from := range n.points {
		for _, to := range n.points {
			if from == to || gateway(from) || gateway(to) || from.id >= n.pods && to.id >= n.pods {
				continue
			}
			var want Ports
			for _, rule := range rules {
				if describes(t, rule.src, "src", from) && describes(t, rule.dst, "dst", to) {
					ports := portsOfConn(t, rule.ports)
					want = want.Union(&ports)
				}
			}
			ports := routed(n, from.id, to.id)
			got := Ports{TCP: ports[TCP]}
			if slices.Contains(unknown, to.endpoint.Name) && from.endpoint.Namespace == "onlineboutique" && want.Empty() {
				want = PortsOf(TCP, 0, lastPort)
				differ++
			}
			if got.String() != want.String() {
				t.Errorf("%s → %s is %q, want %q", n.describe(from.id), n.describe(to.id), got, want)
			}
			compared++
		}
	}
	t.Logf("%d pairs compared, %d of them with a difference that is explained", compared, differ)
}

// describes reports whether one side of a line is about a point:
// "src_ns: [a,b] src_pods: [app in (c,d)]", "dst: 0.0.0.0/0".
func describes(t *testing.T, side, prefix string, p *point) bool {
	t.Helper()
	if rest, ok := strings.CutPrefix(side, prefix+": "); ok {
		return p.endpoint.Workload == nil && rest == "0.0.0.0/0"
	}
	m := boutiqueSide.FindStringSubmatch(side)
	if m == nil {
		t.Fatalf("%q cannot be read", side)
	}
	w := p.endpoint.Workload
	if w == nil || !slices.Contains(strings.Split(m[1], ","), w.Namespace) {
		return false
	}
	if values, ok := strings.CutPrefix(m[2], "app in ("); ok {
		return slices.Contains(strings.Split(strings.TrimSuffix(values, ")"), ","), p.labels["app"])
	}
	if value, ok := strings.CutPrefix(m[2], "app!="); ok {
		return p.labels["app"] != value
	}
	return m[2] == "*" || m[2] == w.Name
}

func portsOfConn(t *testing.T, text string) Ports {
	t.Helper()
	if text == "All connections" {
		return PortsOf(TCP, 0, lastPort)
	}
	m := boutiquePorts.FindStringSubmatch(text)
	if m == nil {
		t.Fatalf("%q cannot be read", text)
	}
	port, err := strconv.Atoi(m[1])
	if err != nil {
		t.Fatal(err)
	}
	return PortsOf(TCP, port, port)
}
