package reach

import (
	"cmp"
	"slices"
	"strings"

	istioapi "istio.io/api/networking/v1alpha3"
	istionetworking "istio.io/client-go/pkg/apis/networking/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/eksafe/eksafe/internal/estate"
	"github.com/eksafe/eksafe/internal/trace"
)

// A sidecarConfig is the Sidecar resources: to which hosts the proxies of
// clients have a route. They are no border. A proxy treats what it has no route
// to as unknown traffic, which it passes on unless told not to, and a client
// that goes round its own proxy is not asked at all.
type sidecarConfig struct {
	network *Network
	byNS    map[string][]*estate.Resource[istionetworking.Sidecar]
}

func newSidecarConfig(n *Network) *sidecarConfig {
	c := &sidecarConfig{network: n, byNS: map[string][]*estate.Resource[istionetworking.Sidecar]{}}
	for _, r := range estate.Sidecars.In(n.graph.Estate) {
		c.byNS[r.Object.Namespace] = append(c.byNS[r.Object.Namespace], r)
	}
	for _, list := range c.byNS {
		// Istio leaves open which of two counts; the oldest is taken.
		slices.SortStableFunc(list, func(a, b *estate.Resource[istionetworking.Sidecar]) int {
			return cmp.Or(a.Object.CreationTimestamp.Compare(b.Object.CreationTimestamp.Time), cmp.Compare(a.Object.Name, b.Object.Name))
		})
	}
	return c
}

// of returns the Sidecar that configures a pod, nil if none does: one that
// selects it, that of its namespace, that of the root namespace.
func (c *sidecarConfig) of(p *point) *estate.Resource[istionetworking.Sidecar] {
	var whole *estate.Resource[istionetworking.Sidecar]
	for _, r := range c.byNS[p.namespace.name] {
		selector := r.Object.Spec.GetWorkloadSelector().GetLabels()
		switch {
		case len(selector) == 0:
			whole = cmp.Or(whole, r)
		case selects(selector, p.labels):
			return r
		}
	}
	if whole != nil {
		return whole
	}
	for _, r := range c.byNS[rootNamespace] {
		if len(r.Object.Spec.GetWorkloadSelector().GetLabels()) == 0 {
			return r
		}
	}
	return nil
}

// routes says whether the proxy of a pod has a route to a destination, and
// whether it blocks what it has none to.
func (c *sidecarConfig) routes(r *estate.Resource[istionetworking.Sidecar], from, to *point) (routed, blocks bool) {
	// Without a policy it passes on what it does not know; REGISTRY_ONLY is the
	// zero value of a policy that is there.
	policy := r.Object.Spec.GetOutboundTrafficPolicy()
	blocks = policy != nil && policy.GetMode() == istioapi.OutboundTrafficPolicy_REGISTRY_ONLY
	if len(r.Object.Spec.GetEgress()) == 0 {
		return true, blocks // the defaults: everything
	}
	var hosts []string
	for _, e := range r.Object.Spec.GetEgress() {
		hosts = append(hosts, e.GetHosts()...)
	}
	if !c.registered(to) {
		return false, blocks
	}
	for _, s := range c.network.graph.Services(to.endpoint.Workload) {
		if imports(hosts, from.namespace.name, s) {
			return true, blocks
		}
	}
	return false, blocks
}

// registered reports whether a Service selects a point: what is in no registry
// is unknown to proxies.
func (c *sidecarConfig) registered(p *point) bool {
	return p.endpoint.Workload != nil && len(c.network.graph.Services(p.endpoint.Workload)) > 0
}

// imports reports whether hosts of a Sidecar in a namespace are about a
// Service: "namespace/name" with "*" for all, "." for the own namespace, "~" for
// none or, before a namespace, for leaving out.
func imports(hosts []string, own string, s *estate.Resource[corev1.Service]) bool {
	fqdn := s.Object.Name + "." + s.Object.Namespace + ".svc." + trustDomain
	matches := func(space, host string) bool {
		switch space {
		case "*":
		case ".":
			if s.Object.Namespace != own {
				return false
			}
		default:
			if s.Object.Namespace != space {
				return false
			}
		}
		return host == "*" || strings.EqualFold(host, fqdn) || strings.HasPrefix(host, "*.") && strings.HasSuffix(fqdn, host[1:])
	}
	in := false
	for _, h := range hosts {
		space, host, ok := strings.Cut(h, "/")
		if !ok {
			continue // Istio's admission refuses it
		}
		if out, excluded := strings.CutPrefix(space, "~"); excluded {
			if matches(cmp.Or(out, "*"), host) {
				return false
			}
			continue
		}
		in = in || matches(space, host)
	}
	return in
}

// Routed says whether the Sidecar resources give the proxy of a workload a
// route to another one: Unclear where no Sidecar configures it. It says how an
// application reaches its peers, and nothing about who is kept from what.
func (n *Network) Routed(from, to *Endpoint) trace.Ternary {
	out := trace.Unclear
	for i := range from.points.points() {
		for j := range to.points.points() {
			switch n.routed(i, j) {
			case trace.Yes:
				return trace.Yes
			case trace.No:
				out = trace.No
			}
		}
	}
	return out
}

func (n *Network) routed(from, to uint32) trace.Ternary {
	m := n.mesh
	if m.idle || from >= n.pods || m.members[n.points[from].endpoint].kind != sidecar {
		return trace.Unclear
	}
	r := m.sidecars.of(n.points[from])
	if r == nil {
		return trace.Unclear
	}
	routed, blocks := m.sidecars.routes(r, n.points[from], n.points[to])
	// Traffic to what is in no registry passes where the proxy blocks nothing.
	return answer(routed || !blocks && !m.sidecars.registered(n.points[to]))
}

// explainSidecar says what the Sidecar of a client makes of a destination.
func (m *meshLayer) explainSidecar(from, to uint32) (Layer, bool) {
	n := m.network
	if from >= n.pods || m.members[n.points[from].endpoint].kind != sidecar {
		return Layer{}, false
	}
	p := n.points[from]
	r := m.sidecars.of(p)
	if r == nil {
		return Layer{}, false
	}
	name := "Sidecar " + r.Object.Namespace + "/" + r.Object.Name
	l := Layer{
		Kind: MeshSidecar, Of: p.endpoint.Name, Verdict: Allowed, Enforced: trace.No,
		By: "a Sidecar configures the client's own proxy, and a client that goes round it is not asked",
		Rules: []Rule{{
			Place: trace.Place{Subject: estate.Sidecars.Ref(r), Origin: &r.Origin, Field: "spec.egress"}, Name: name,
			Says: "gives a route to its hosts",
		}},
	}
	switch routed, blocks := m.sidecars.routes(r, p, n.points[to]); {
	case routed:
		l.Why = name + " gives the proxy of " + p.endpoint.Name + " a route to it"
	case blocks:
		l.Why = name + " gives the proxy of " + p.endpoint.Name + " no route to it and blocks what it does not know; that is no border"
	default:
		l.Why = name + " gives the proxy of " + p.endpoint.Name + " no route to it, and unknown traffic is passed on"
	}
	return l, true
}
