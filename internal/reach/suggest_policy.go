package reach

import (
	"cmp"
	"maps"
	"net/netip"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// The names of the policies that every namespace gets.
const (
	denyName = "default-deny"
	dnsName  = "allow-dns"
)

// passedBy says by which ports of nodes a workload is reached past its policies.
func (a *advisor) passedBy(e *Endpoint) {
	for p := range e.points.points() {
		for _, way := range a.entrances[p] {
			if way.masked {
				a.open("%s %s, and that leads past the policies of %s, which see the address of a node: let load balancers lead to the pods themselves (target type ip) and make the Service one of type ClusterIP, or set externalTrafficPolicy: Local", way.rule.Name, way.rule.Says, e.Name)
			}
		}
	}
}

// suggestPolicies writes the policies of every namespace of applications: a
// default that denies, name resolution for all, and one policy for each workload
// that needs something.
func (a *advisor) suggestPolicies() {
	in, out := map[*Endpoint][]*Need{}, map[*Endpoint][]*Need{}
	for i := range a.s.Needs {
		d := &a.s.Needs[i]
		if governed(d.To) {
			in[d.To] = append(in[d.To], d)
		}
		if governed(d.From) && !a.resolves(d) {
			out[d.From] = append(out[d.From], d)
		}
	}
	names := map[[2]string]bool{}
	seen := map[string]bool{}
	for _, e := range a.endpoints {
		if !governed(e) {
			continue
		}
		if !seen[e.Namespace] {
			seen[e.Namespace] = true
			names[[2]string{e.Namespace, denyName}], names[[2]string{e.Namespace, dnsName}] = true, true
			a.s.Policies = append(a.s.Policies, denyAll(e.Namespace), a.allowDNS(e.Namespace))
		}
		a.passedBy(e)
		if len(in[e])+len(out[e]) == 0 {
			continue
		}
		selector := a.selectorOf(e)
		if !selector.any {
			continue // it was said why
		}
		name := e.Workload.Name
		if names[[2]string{e.Namespace, name}] {
			name += "-" + strings.ToLower(e.Workload.Controller)
		}
		names[[2]string{e.Namespace, name}] = true
		p := PolicySuggestion{NetworkPolicy: newPolicy(e.Namespace, name, selector.LabelSelector), Why: "what " + e.Name + " needs"}
		for _, r := range a.rulesFor(e, in[e], func(d *Need) *Endpoint { return d.From }) {
			p.Spec.Ingress = append(p.Spec.Ingress, networkingv1.NetworkPolicyIngressRule{From: r.peers, Ports: r.list()})
			p.IngressWhy = append(p.IngressWhy, r.why)
		}
		for _, r := range a.rulesFor(e, out[e], func(d *Need) *Endpoint { return d.To }) {
			p.Spec.Egress = append(p.Spec.Egress, networkingv1.NetworkPolicyEgressRule{To: r.peers, Ports: r.list()})
			p.EgressWhy = append(p.EgressWhy, r.why)
		}
		if len(p.Spec.Ingress) > 0 {
			p.Spec.PolicyTypes = append(p.Spec.PolicyTypes, networkingv1.PolicyTypeIngress)
		}
		if len(p.Spec.Egress) > 0 {
			p.Spec.PolicyTypes = append(p.Spec.PolicyTypes, networkingv1.PolicyTypeEgress)
		}
		if len(p.Spec.PolicyTypes) > 0 {
			a.s.Policies = append(a.s.Policies, p)
		}
	}
}

func denyAll(namespace string) PolicySuggestion {
	return PolicySuggestion{
		NetworkPolicy: newPolicy(namespace, denyName, metav1.LabelSelector{}, networkingv1.PolicyTypeIngress, networkingv1.PolicyTypeEgress),
		Why:           "what no other policy allows is denied",
	}
}

// allowDNS lets every pod of a namespace resolve names.
func (a *advisor) allowDNS(namespace string) PolicySuggestion {
	peers := []networkingPeer{{
		NamespaceSelector: namespaceSelector(metav1.NamespaceSystem),
		PodSelector:       &metav1.LabelSelector{MatchLabels: map[string]string{"k8s-app": "kube-dns"}},
	}}
	if node := a.nodeDNS(); node != nil && slices.ContainsFunc(a.endpoints, func(e *Endpoint) bool {
		return e.Namespace == namespace && governed(e) && a.possible(e, node, UDP, dnsPort)
	}) {
		peers = append(peers, networkingPeer{IPBlock: &networkingv1.IPBlock{CIDR: nodeDNSNetworks[0].String()}})
	}
	ports := ruleOf{ports: []Named{{UDP, dnsPort}, {TCP, dnsPort}}}
	p := PolicySuggestion{
		NetworkPolicy: newPolicy(namespace, dnsName, metav1.LabelSelector{}, networkingv1.PolicyTypeEgress),
		Why:           "every pod resolves names", EgressWhy: [][]string{{"the name servers of the cluster"}},
	}
	p.Spec.Egress = []networkingv1.NetworkPolicyEgressRule{{To: peers, Ports: ports.list()}}
	return p
}

func namespaceSelector(name string) *metav1.LabelSelector {
	return &metav1.LabelSelector{MatchLabels: map[string]string{corev1.LabelMetadataName: name}}
}

// A ruleOf is a rule while it is made: what is needed of the same peers is one.
type ruleOf struct {
	peers []networkingPeer
	ports []Named
	why   []string
}

func (r *ruleOf) list() []networkingPort {
	var out []networkingPort
	for _, p := range r.ports {
		protocol, port := corev1.Protocol(p.Protocol.String()), intstr.FromInt32(int32(p.Port))
		out = append(out, networkingPort{Protocol: &protocol, Port: &port})
	}
	return out
}

// rulesFor returns the rules of one direction of a workload's policy.
func (a *advisor) rulesFor(self *Endpoint, needs []*Need, other func(*Need) *Endpoint) []*ruleOf {
	var out []*ruleOf
	index := map[string]*ruleOf{}
	for _, d := range needs {
		peers := a.peersFor(self, other(d))
		if len(peers) == 0 || d.Protocol > SCTP {
			continue // a rule without peers would be about everybody
		}
		var key strings.Builder
		for _, p := range peers {
			key.WriteString(p.String())
		}
		r := index[key.String()]
		if r == nil {
			r = &ruleOf{peers: peers}
			index[key.String()] = r
			out = append(out, r)
		}
		if port := (Named{d.Protocol, d.Port}); !slices.Contains(r.ports, port) {
			r.ports = append(r.ports, port)
		}
		if why := d.Why + " → " + d.To.Name; !slices.Contains(r.why, why) {
			r.why = append(r.why, why)
		}
	}
	for _, r := range out {
		slices.SortFunc(r.ports, func(x, y Named) int { return cmp.Or(cmp.Compare(x.Protocol, y.Protocol), cmp.Compare(x.Port, y.Port)) })
	}
	return out
}

// peersFor names an endpoint as a policy does, none where it cannot be named.
func (a *advisor) peersFor(self, e *Endpoint) []networkingPeer {
	if e.Workload != nil && !e.Workload.Template.Spec.HostNetwork {
		selector := a.selectorOf(e)
		if !selector.any {
			return nil
		}
		p := networkingPeer{PodSelector: &selector.LabelSelector}
		if e.Namespace != self.Namespace {
			p.NamespaceSelector = namespaceSelector(e.Namespace)
		}
		return []networkingPeer{p}
	}
	var out []networkingPeer
	for _, p := range a.networksOf(e) {
		out = append(out, networkingPeer{IPBlock: &networkingv1.IPBlock{CIDR: p.String()}})
	}
	if len(out) == 0 {
		a.open("%s needs %s, whose addresses are not known: read its subnets (--aws), or add its template", self.Name, e.Name)
	}
	return out
}

// everywhere are all addresses, as people write them in a policy.
var everywhere = mustPrefixes("0.0.0.0/0", "::/0")

// networksOf returns the blocks in which an endpoint stands.
func (a *advisor) networksOf(e *Endpoint) []netip.Prefix {
	switch {
	case e.Kind == InternetEndpoint:
		return a.vpc.family(everywhere)
	case e.Kind == PodIdentityEndpoint:
		return a.vpc.family(podIdentityNetworks)
	case len(e.networks) > 0:
		return e.networks
	case e.target != nil:
		return apart(a.vpc.family(e.target.networks))
	case e.Workload != nil:
		return apart(a.vpc.nodeNetworks()) // it is in the network of its node
	}
	if p, ok := parsePrefix(e.Name); ok {
		return []netip.Prefix{p}
	}
	var out []netip.Prefix
	for p := range e.points.points() {
		if p >= a.atoms {
			out = append(out, prefixesOf(a.addresses.ends(p-a.atoms))...)
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

// apart sorts prefixes and leaves out those that lie within others. Subnets
// stay apart, as people know them.
func apart(in []netip.Prefix) []netip.Prefix {
	out := slices.Clone(in)
	slices.SortFunc(out, func(a, b netip.Prefix) int {
		return cmp.Or(a.Addr().Compare(b.Addr()), cmp.Compare(a.Bits(), b.Bits()))
	})
	return slices.CompactFunc(out, func(a, b netip.Prefix) bool { return a.Contains(b.Addr()) })
}

// mergePrefixes sorts prefixes and joins halves to wholes.
func mergePrefixes(in []netip.Prefix) []netip.Prefix {
	out := apart(in)
	stack := out[:0]
	for _, p := range out {
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

// volatile are labels that controllers write and that change from one pod or
// revision to the next: no policy can name them.
var volatile = []string{
	"pod-template-hash", "controller-revision-hash", "pod-template-generation", "controller-uid", "job-name",
	"batch.kubernetes.io/controller-uid", "batch.kubernetes.io/job-name", "batch.kubernetes.io/job-completion-index",
	"statefulset.kubernetes.io/pod-name", "apps.kubernetes.io/pod-index",
}

// An ownSelector is that of one workload.
type ownSelector struct {
	metav1.LabelSelector
	any bool // false where the pods have no label that lasts
}

// selectorOf returns labels that select a workload's pods and, where labels can
// tell, no others: its own selector, else all labels of its pods, else these
// without what others have beside.
func (a *advisor) selectorOf(e *Endpoint) ownSelector {
	if known, ok := a.selectors[e]; ok {
		return known
	}
	out := a.choose(e)
	a.selectors[e] = out
	return out
}

func (a *advisor) choose(e *Endpoint) ownSelector {
	lasting := maps.Clone(e.Workload.Template.Labels)
	maps.DeleteFunc(lasting, func(k, _ string) bool { return slices.Contains(volatile, k) })
	if len(lasting) == 0 {
		a.open("the pods of %s have no labels of their own: no policy can select them, so they are denied everything but DNS; give their template a label", e.Name)
		return ownSelector{}
	}
	full := metav1.LabelSelector{MatchLabels: lasting}
	candidates := []metav1.LabelSelector{full}
	if s := e.Workload.Selector; s != nil && len(s.MatchLabels)+len(s.MatchExpressions) > 0 && !slices.ContainsFunc(volatile, func(k string) bool {
		_, named := s.MatchLabels[k]
		return named
	}) {
		candidates = []metav1.LabelSelector{*s.DeepCopy(), full}
	}
	for _, c := range candidates {
		if own, rivals := a.selected(e, c); own && len(rivals) == 0 {
			return ownSelector{c, true}
		}
	}
	_, rivals := a.selected(e, full)
	without := *full.DeepCopy()
	for _, p := range rivals {
		for _, k := range slices.Sorted(maps.Keys(p.labels)) {
			if _, has := lasting[k]; !has && !slices.Contains(volatile, k) {
				if !slices.ContainsFunc(without.MatchExpressions, func(r metav1.LabelSelectorRequirement) bool { return r.Key == k }) {
					without.MatchExpressions = append(without.MatchExpressions, metav1.LabelSelectorRequirement{Key: k, Operator: metav1.LabelSelectorOpDoesNotExist})
				}
				break
			}
		}
	}
	slices.SortFunc(without.MatchExpressions, func(x, y metav1.LabelSelectorRequirement) int { return cmp.Compare(x.Key, y.Key) })
	own, still := a.selected(e, without)
	if !own {
		without = full
	}
	if len(still) > 0 {
		var names []string
		for _, p := range still {
			names = append(names, p.endpoint.Name)
		}
		slices.Sort(names)
		a.open("no label tells the pods of %s from those of %s, so each may do what the other needs; give them a label of their own", e.Name, list(names))
	}
	return ownSelector{without, true}
}

// selected says whether a selector selects the pods of a workload, and which
// others it selects.
func (a *advisor) selected(e *Endpoint, s metav1.LabelSelector) (own bool, rivals []*point) {
	selector, err := metav1.LabelSelectorAsSelector(&s)
	if err != nil {
		return false, nil
	}
	own = true
	ns := a.byName[e.Namespace]
	for _, p := range a.points[ns.span.lo:ns.span.hi] {
		switch matches := selector.Matches(p.labels); {
		case p.endpoint == e:
			own = own && matches
		case matches && !p.host:
			rivals = append(rivals, p)
		}
	}
	return own, rivals
}
