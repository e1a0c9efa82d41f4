package reach

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/eksafe/eksafe/internal/config"
	"github.com/eksafe/eksafe/internal/estate"
	"github.com/eksafe/eksafe/internal/platform"
	"github.com/eksafe/eksafe/internal/trace"
)

// A Need is a connection that somebody needs: one that the estate declares, or
// one that was observed.
type Need struct {
	From, To *Endpoint
	Protocol Protocol
	Port     uint16
	Why      string // "DB_HOST of container web", "observed 1,204 times"
	Place    trace.Place
}

func (d *Need) String() string {
	return fmt.Sprintf("%s → %s %s %d", d.From.Name, d.To.Name, d.Protocol, d.Port)
}

// A Suggestion is the least that workloads need, as policies and rules. It is
// shown and written, and never applied.
type Suggestion struct {
	// Policies replace those of the namespaces that they are for.
	Policies []*networkingv1.NetworkPolicy
	// Replaced are the policies that are there now.
	Replaced []Rule
	// Groups are the rules that security groups need.
	Groups []GroupSuggestion
	Needs  []Need
	// Open are needs that no NetworkPolicy can express, and what to do.
	Open []string
	// Lost are needs that the suggestion does not let through, with the answer
	// that says why: what stops them is no network policy.
	Lost []*Answer
	// Closed are connections that are possible now and needed by nobody.
	Closed []Change
}

// A GroupSuggestion is the ingress rules that one security group needs.
type GroupSuggestion struct {
	Group   *estate.SecurityGroup
	Rules   []estate.SecurityGroupRule
	Reasons []string // of each rule
	Removed []int    // the indices of rules of now that nobody needs
}

// Suggest returns the policies that let through what is needed and nothing else:
// what the manifests declare, the dependencies of c, and the needs that were
// observed. What it returns was held against the engine itself.
func Suggest(g *trace.Graph, c *config.Config, observed []Need) *Suggestion {
	n := Of(g)
	s := &Suggestion{}
	s.Needs = append(n.declared(c, s), observed...)
	slices.SortStableFunc(s.Needs, func(a, b Need) int {
		return cmp.Or(a.From.Ref.Compare(b.From.Ref), a.To.Ref.Compare(b.To.Ref), cmp.Compare(a.Protocol, b.Protocol), cmp.Compare(a.Port, b.Port))
	})
	s.Needs = slices.CompactFunc(s.Needs, func(a, b Need) bool {
		return a.From == b.From && a.To == b.To && a.Protocol == b.Protocol && a.Port == b.Port
	})
	s.Policies = n.policiesFor(s)
	s.Groups = n.groupsFor(s.Needs)
	n.prove(g, s)
	return s
}

// governed reports whether the policies of a workload are suggested: what
// belongs to the platform has needs that no manifest tells.
func governed(e *Endpoint) bool {
	return e.Workload != nil && !platform.Namespace(e.Namespace) && platform.Expected(e.Workload) == "" && !e.Workload.Template.Spec.HostNetwork
}

// declared returns what the manifests and the config declare.
func (n *Network) declared(c *config.Config, s *Suggestion) []Need {
	var out []Need
	add := func(from, to *Endpoint, protocol Protocol, port int32, why string, place trace.Place) {
		if from != nil && to != nil && port > 0 && port <= lastPort {
			out = append(out, Need{from, to, protocol, uint16(port), why, place})
		}
	}
	for _, h := range n.graph.Hops {
		place := trace.Place{}
		if len(h.Places) > 0 {
			place = h.Places[0]
		}
		from := n.byRef[h.From]
		switch h.Leg {
		case trace.TargetLeg:
			add(n.entry(h), n.byRef[h.To], TCP, h.Port, "the load balancer forwards to it", place)
		case trace.ServiceLeg, trace.DatabaseLeg, trace.CacheLeg:
			if h.Client != nil {
				add(from, n.byRef[h.To], TCP, h.Port, "it is told of it", place)
			}
		case trace.ExternalLeg:
			host := h.To.Name
			if p, ok := parsePrefix(host); ok && from != nil {
				add(from, n.addressEndpoint(p), TCP, h.Port, "it is told of it", place)
			} else if from != nil && governed(from) {
				s.Open = append(s.Open, fmt.Sprintf("%s needs %s at port %d, a name that no NetworkPolicy knows: declare its addresses under dependencies in eksafe.yaml, or write an ApplicationNetworkPolicy", from.Name, host, h.Port))
			}
		}
	}
	dns := n.clusterDNS()
	for _, e := range n.endpoints {
		if !governed(e) {
			continue
		}
		for _, server := range dns {
			add(e, server, UDP, 53, "DNS", trace.Place{})
			add(e, server, TCP, 53, "DNS", trace.Place{})
		}
		for _, d := range c.Dependencies {
			if !config.Compile(d.From).Match(e.Name) {
				continue
			}
			for _, cidr := range d.CIDRs {
				if p, ok := parsePrefix(cidr); ok {
					for _, port := range d.Ports {
						add(e, n.addressEndpoint(p), TCP, port, "dependencies in eksafe.yaml", trace.Place{})
					}
				}
			}
		}
	}
	slices.Sort(s.Open)
	s.Open = slices.Compact(s.Open)
	return out
}

// entry returns from where the requests of a load balancer come to its targets:
// the load balancer where it is known, else the network in which it will be.
func (n *Network) entry(h *trace.Hop) *Endpoint {
	if e := n.byRef[h.From]; e != nil {
		return e
	}
	networks := n.vpc.networks
	if len(networks) == 0 {
		networks = privateNetworks
	}
	e := &Endpoint{Kind: NetworkEndpoint, Name: "load balancer", Ref: h.From}
	var atoms set
	for _, p := range networks {
		atoms = union(atoms, n.addresses.atoms(p))
	}
	for _, sp := range atoms {
		e.points = append(e.points, span{sp.lo + n.atoms, sp.hi + n.atoms})
	}
	e.networks = networks
	return e
}

// clusterDNS returns the name servers of the cluster.
func (n *Network) clusterDNS() []*Endpoint {
	var out []*Endpoint
	for _, e := range n.endpoints {
		if e.Kind == NodeDNSEndpoint || e.Workload != nil && e.Namespace == "kube-system" && e.Workload.Template.Labels["k8s-app"] == "kube-dns" {
			out = append(out, e)
		}
	}
	return out
}

// policiesFor writes the policies of every namespace of applications: a default
// that denies, and one for each workload that needs something.
func (n *Network) policiesFor(s *Suggestion) []*networkingv1.NetworkPolicy {
	in, out := map[*Endpoint][]*Need{}, map[*Endpoint][]*Need{}
	for i := range s.Needs {
		d := &s.Needs[i]
		if governed(d.To) {
			in[d.To] = append(in[d.To], d)
		}
		if governed(d.From) {
			out[d.From] = append(out[d.From], d)
		}
	}
	var policies []*networkingv1.NetworkPolicy
	seen := map[string]bool{}
	for _, e := range n.endpoints {
		if !governed(e) {
			continue
		}
		if !seen[e.Namespace] {
			seen[e.Namespace] = true
			policies = append(policies, denyAll(e.Namespace))
		}
		selector := n.selectorOf(e)
		p := newPolicy(e.Namespace, e.Workload.Name, selector)
		for _, d := range in[e] {
			if from := n.peersFor(s, e, d.From); len(from) > 0 {
				p.Spec.Ingress = append(p.Spec.Ingress, networkingv1.NetworkPolicyIngressRule{From: from, Ports: portsFor(d)})
			}
		}
		for _, d := range out[e] {
			if d.Why == "DNS" {
				continue
			}
			if to := n.peersFor(s, e, d.To); len(to) > 0 {
				p.Spec.Egress = append(p.Spec.Egress, networkingv1.NetworkPolicyEgressRule{To: to, Ports: portsFor(d)})
			}
		}
		p.Spec.Egress = append(p.Spec.Egress, n.dnsRule())
		foldRules(p)
		policies = append(policies, p)
	}
	return policies
}

func newPolicy(namespace, name string, selector metav1.LabelSelector) *networkingv1.NetworkPolicy {
	p := &networkingv1.NetworkPolicy{}
	p.APIVersion, p.Kind = "networking.k8s.io/v1", "NetworkPolicy"
	p.Namespace, p.Name = namespace, name
	p.Spec.PodSelector = selector
	p.Spec.PolicyTypes = []networkingv1.PolicyType{networkingv1.PolicyTypeIngress, networkingv1.PolicyTypeEgress}
	return p
}

func denyAll(namespace string) *networkingv1.NetworkPolicy {
	return newPolicy(namespace, "default-deny", metav1.LabelSelector{})
}

// selectorOf returns labels that select a workload's pods and, where labels can
// tell, no others.
func (n *Network) selectorOf(e *Endpoint) metav1.LabelSelector {
	if s := e.Workload.Selector; s != nil && len(s.MatchLabels)+len(s.MatchExpressions) > 0 {
		return *s.DeepCopy()
	}
	match := map[string]string{}
	for k, v := range e.Workload.Template.Labels {
		if k != "pod-template-hash" && k != "controller-revision-hash" {
			match[k] = v
		}
	}
	return metav1.LabelSelector{MatchLabels: match}
}

// dnsRule allows the name servers, on the nodes too.
func (n *Network) dnsRule() networkingv1.NetworkPolicyEgressRule {
	udp, tcp := corev1.ProtocolUDP, corev1.ProtocolTCP
	port := intstr.FromInt32(53)
	return networkingv1.NetworkPolicyEgressRule{
		To: []networkingPeer{
			{
				NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{corev1.LabelMetadataName: "kube-system"}},
				PodSelector:       &metav1.LabelSelector{MatchLabels: map[string]string{"k8s-app": "kube-dns"}},
			},
			{IPBlock: &networkingv1.IPBlock{CIDR: nodeDNSNetworks[0].String()}},
		},
		Ports: []networkingPort{{Protocol: &udp, Port: &port}, {Protocol: &tcp, Port: &port}},
	}
}

// peersFor names an endpoint as a policy does. A rule without peers would be
// about everybody: where no address is known there must be no rule.
func (n *Network) peersFor(s *Suggestion, self, e *Endpoint) []networkingPeer {
	if e.Workload != nil && !e.Workload.Template.Spec.HostNetwork {
		selector := n.selectorOf(e)
		p := networkingPeer{PodSelector: &selector}
		if e.Namespace != self.Namespace {
			p.NamespaceSelector = &metav1.LabelSelector{MatchLabels: map[string]string{corev1.LabelMetadataName: e.Namespace}}
		}
		return []networkingPeer{p}
	}
	var out []networkingPeer
	for _, p := range n.networksOf(e) {
		out = append(out, networkingPeer{IPBlock: &networkingv1.IPBlock{CIDR: p.String()}})
	}
	if len(out) == 0 {
		s.Open = append(s.Open, fmt.Sprintf("%s needs %s, whose addresses are not known: read its subnets (--aws), or add its template", self.Name, e.Name))
	}
	return out
}

// networksOf returns the blocks in which an endpoint stands.
func (n *Network) networksOf(e *Endpoint) []netip.Prefix {
	switch {
	case len(e.networks) > 0:
		return e.networks
	case e.target != nil:
		return mergePrefixes(e.target.networks)
	}
	if p, ok := parsePrefix(e.Name); ok {
		return []netip.Prefix{p}
	}
	var out []netip.Prefix
	for p := range e.points.points() {
		if p >= n.atoms {
			out = append(out, prefixesOf(n.addresses.ends(p-n.atoms))...)
		}
	}
	return mergePrefixes(out)
}

// prefixesOf returns the prefixes that make up a range.
func prefixesOf(first, last netip.Addr) []netip.Prefix {
	var out []netip.Prefix
	for first.IsValid() && first.Compare(last) <= 0 {
		bits := first.BitLen()
		for bits > 0 {
			wider := netip.PrefixFrom(first, bits-1)
			if wider.Masked().Addr() != first || lastAddress(wider).Compare(last) > 0 {
				break
			}
			bits--
		}
		p := netip.PrefixFrom(first, bits)
		out = append(out, p)
		first = lastAddress(p).Next()
	}
	return out
}

// mergePrefixes sorts prefixes and joins halves to wholes.
func mergePrefixes(in []netip.Prefix) []netip.Prefix {
	out := slices.Clone(in)
	order := func(a, b netip.Prefix) int {
		return cmp.Or(a.Addr().Compare(b.Addr()), cmp.Compare(a.Bits(), b.Bits()))
	}
	slices.SortFunc(out, order)
	stack := out[:0]
	for _, p := range out {
		if n := len(stack); n > 0 && stack[n-1].Contains(p.Addr()) {
			continue
		}
		stack = append(stack, p)
		for n := len(stack); n > 1; n = len(stack) {
			a, b := stack[n-2], stack[n-1]
			whole := netip.PrefixFrom(a.Addr(), a.Bits()-1)
			if a.Bits() != b.Bits() || a.Bits() == 0 || whole.Masked().Addr() != a.Addr() || !whole.Contains(b.Addr()) {
				break
			}
			stack = append(stack[:n-2], whole)
		}
	}
	return stack
}

func portsFor(d *Need) []networkingPort {
	protocol := corev1.Protocol(d.Protocol.String())
	port := intstr.FromInt32(int32(d.Port))
	return []networkingPort{{Protocol: &protocol, Port: &port}}
}

// foldRules joins rules that are about the same peers.
func foldRules(p *networkingv1.NetworkPolicy) {
	key := func(peers []networkingPeer) string {
		var parts []string
		for _, x := range peers {
			parts = append(parts, x.String())
		}
		slices.Sort(parts)
		return strings.Join(parts, "|")
	}
	samePort := func(a, b networkingPort) bool { return a.String() == b.String() }
	byPeers := map[string]int{}
	var ingress []networkingv1.NetworkPolicyIngressRule
	for _, r := range p.Spec.Ingress {
		k := key(r.From)
		if i, ok := byPeers[k]; ok {
			ingress[i].Ports = slices.CompactFunc(append(ingress[i].Ports, r.Ports...), samePort)
			continue
		}
		byPeers[k] = len(ingress)
		ingress = append(ingress, r)
	}
	byPeers = map[string]int{}
	var egress []networkingv1.NetworkPolicyEgressRule
	for _, r := range p.Spec.Egress {
		k := key(r.To)
		if i, ok := byPeers[k]; ok {
			egress[i].Ports = slices.CompactFunc(append(egress[i].Ports, r.Ports...), samePort)
			continue
		}
		byPeers[k] = len(egress)
		egress = append(egress, r)
	}
	p.Spec.Ingress, p.Spec.Egress = ingress, egress
}

// prove holds the suggestion against the engine: it computes the network that
// the estate would have, and says what is lost and what is closed.
func (n *Network) prove(g *trace.Graph, s *Suggestion) {
	namespaces := map[string]bool{}
	for _, p := range s.Policies {
		namespaces[p.Namespace] = true
	}
	var policies []*estate.Resource[networkingPolicy]
	for _, r := range estate.NetworkPolicies.In(g.Estate) {
		if namespaces[r.Object.Namespace] {
			s.Replaced = append(s.Replaced, Rule{
				Place: trace.Place{Subject: estate.NetworkPolicies.Ref(r), Origin: &r.Origin}, Name: "NetworkPolicy " + r.Object.Namespace + "/" + r.Object.Name,
			})
			continue
		}
		policies = append(policies, r)
	}
	for _, p := range s.Policies {
		policies = append(policies, &estate.Resource[networkingPolicy]{Object: *p})
	}
	after := estate.NetworkPolicies.Replaced(g.Estate, policies)
	if groups, changed := changedGroups(g.Estate, s.Groups); changed {
		after = estate.SecurityGroups.Replaced(after, groups)
	}
	then := trace.New(after)
	m := newNetwork(then, n.blocks())
	for _, d := range s.Needs {
		from, to := m.counterpart(d.From), m.counterpart(d.To)
		if from == nil || to == nil {
			continue
		}
		if a := m.Ask(from, to, d.Protocol, d.Port); a.Verdict == Denied {
			s.Lost = append(s.Lost, a)
		}
	}
	for _, c := range Diff(g, then) {
		if !c.Closed.Empty() {
			s.Closed = append(s.Closed, c)
		}
	}
}

// counterpart finds an endpoint of another network of the same estate.
func (n *Network) counterpart(e *Endpoint) *Endpoint {
	if known := n.byRef[e.Ref]; known != nil && !known.isAddress() {
		return known
	}
	if len(e.networks) > 0 {
		return n.addressEndpoint(e.networks[0])
	}
	if p, ok := parsePrefix(e.Name); ok {
		return n.addressEndpoint(p)
	}
	return n.byRef[e.Ref]
}
