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

	"github.com/eksafe/eksafe/internal/estate"
)

// The naive evaluator decides over one packet at a time. It walks every object
// for every packet, shares no code with the package, and is written from the
// specifications: the types of networking.k8s.io/v1, of the Network Policy API
// and of Amazon's controller, and the concept page on network policies. Where it
// and the package differ, one of them is wrong.

// A tri is what is known of a match.
type tri int

const (
	no tri = iota
	maybe
	yes
)

// A naiveEnd is one end of a packet: a pod at one of its addresses, an address
// that is no pod's, or a domain name.
type naiveEnd struct {
	workload  *estate.Workload // nil unless it is a pod
	namespace map[string]string
	labels    map[string]string
	address   netip.Addr // invalid if it is not known
	domain    string
	node      bool // any node
}

func (e *naiveEnd) String() string {
	switch {
	case e.node:
		return "a node"
	case e.domain != "":
		return e.domain
	case e.workload == nil:
		return e.address.String()
	}
	return fmt.Sprintf("%s/%s %v %v", e.workload.Namespace, e.workload.Name, e.labels, e.address)
}

func (e *naiveEnd) host() bool {
	return e.node || e.workload != nil && e.workload.Template.Spec.HostNetwork
}

// A naiveRule is a rule of any API, and where it is written.
type naiveRule struct {
	owner   estate.Ref
	field   string
	action  string // Accept, Deny, Pass
	matches func(peer, destination *naiveEnd, protocol Protocol, port uint16) tri
}

// A naivePolicy is a policy of any API in one direction.
type naivePolicy struct {
	owner    estate.Ref
	tier     string // Admin, Namespace, Baseline
	priority int32
	selects  func(pod *naiveEnd) bool
	rules    []naiveRule
}

type naive struct {
	estate     *estate.Estate
	namespaces map[string]map[string]string
	policies   [2][]*naivePolicy
	nodes      []estate.Resource[corev1.Node]
	edges      []netip.Addr // one address between any two borders
}

func newNaive(e *estate.Estate) *naive {
	n := &naive{estate: e, namespaces: map[string]map[string]string{}}
	for _, r := range estate.Namespaces.In(e) {
		labels := map[string]string{}
		for k, v := range r.Object.Labels {
			labels[k] = v
		}
		n.namespaces[r.Object.Name] = labels
	}
	for _, w := range estate.Workloads.In(e) {
		if n.namespaces[w.Namespace] == nil {
			n.namespaces[w.Namespace] = map[string]string{}
		}
	}
	for name, labels := range n.namespaces {
		labels["kubernetes.io/metadata.name"] = name // the API server sets it, whatever a file says
	}
	for _, r := range estate.Nodes.In(e) {
		n.nodes = append(n.nodes, *r)
	}
	n.collect()
	return n
}

// pods lists the pods that run, each at each of its addresses.
func (n *naive) pods() []*naiveEnd {
	var out []*naiveEnd
	for _, w := range estate.Workloads.In(n.estate) {
		if w.Finished || w.Controller == "PodTemplate" {
			continue
		}
		base := naiveEnd{workload: w, namespace: n.namespaces[w.Namespace], labels: w.Template.Labels}
		if w.Template.Spec.HostNetwork {
			out = append(out, &base) // its address is its node's
			continue
		}
		var own []*naiveEnd
		for i := range w.Pods {
			for _, text := range w.Pods[i].Addresses() {
				pod := base
				pod.labels = w.LabelsOf(&w.Pods[i])
				pod.address = netip.MustParseAddr(text)
				own = append(own, &pod)
			}
		}
		for i := range w.Pods {
			if len(w.Pods[i].Addresses()) > 0 {
				continue
			}
			// A pod that waits for its address will be where its equals are.
			pod := base
			pod.labels = w.LabelsOf(&w.Pods[i])
			if !slices.ContainsFunc(own, func(o *naiveEnd) bool { return sameLabels(o.labels, pod.labels) }) {
				own = append(own, &pod)
			}
		}
		if len(own) == 0 {
			own = append(own, &base)
		}
		out = append(out, own...)
	}
	return out
}

func sameLabels(a, b map[string]string) bool {
	if len(a) != len(b) {
		return false
	}
	for k, v := range a {
		if w, ok := b[k]; !ok || w != v {
			return false
		}
	}
	return true
}

// between says whether a packet gets from one end to the other: for certain,
// and under the most open reading of what is not known.
func (n *naive) between(from, to *naiveEnd, protocol Protocol, port uint16) (sure, open bool) {
	es, eo := n.passes(Egress, from, to, to, protocol, port)
	is, io := n.passes(Ingress, to, from, to, protocol, port)
	sure, open = es && is, eo && io
	for _, way := range n.ways(to, protocol, port) {
		s, o := n.along(&way, from, to, protocol, port)
		sure, open = sure || s, open || o
	}
	return sure, open
}

// passes asks the policies of one end.
func (n *naive) passes(d Direction, pod, peer, destination *naiveEnd, protocol Protocol, port uint16) (sure, open bool) {
	if pod.workload == nil || pod.host() {
		return true, true // policies select pods with a network of their own
	}
	if d == Ingress && peer.host() {
		return true, true // it may be on the pod's node, which always reaches it
	}
	return n.asked(d, pod, peer, destination, protocol, port)
}

// asked asks the policies of a pod.
func (n *naive) asked(d Direction, pod, peer, destination *naiveEnd, protocol Protocol, port uint16) (sure, open bool) {
	var doubts []*naiveRule
	verdicts := map[*naiveRule]tri{}
	var applied []*naivePolicy
	for _, p := range n.policies[d] {
		if !p.selects(pod) {
			continue
		}
		applied = append(applied, p)
		for i := range p.rules {
			r := &p.rules[i]
			verdicts[r] = r.matches(peer, destination, protocol, port)
			if verdicts[r] == maybe {
				doubts = append(doubts, r)
			}
		}
	}
	sure, open = true, false
	for world := range 1 << len(doubts) {
		for i, r := range doubts {
			verdicts[r] = no
			if world>>i&1 == 1 {
				verdicts[r] = yes
			}
		}
		allowed := n.admin(applied, "Admin", verdicts, func() bool {
			if isolated, allowed := namespaced(applied, verdicts); isolated {
				return allowed || d == Egress && peer.host() // it may be the pod's own node
			}
			return n.admin(applied, "Baseline", verdicts, func() bool { return true })
		})
		if sure, open = sure && allowed, open || allowed; !sure && open {
			break // it is unknown, whatever the other worlds say
		}
	}
	return sure, open
}

// namespaced adds up the policies of namespaces: whom any selects is isolated,
// and gets what any allows.
func namespaced(ps []*naivePolicy, matches map[*naiveRule]tri) (isolated, allowed bool) {
	for _, p := range ps {
		if p.tier != "Namespace" {
			continue
		}
		isolated = true
		for i := range p.rules {
			if matches[&p.rules[i]] == yes {
				allowed = true
			}
		}
	}
	return isolated, allowed
}

// admin asks the policies of a tier in the order of their priorities, those of
// one priority in any order that allows.
func (n *naive) admin(ps []*naivePolicy, tier string, matches map[*naiveRule]tri, next func() bool) bool {
	groups := map[int32][]*naivePolicy{}
	var priorities []int32
	for _, p := range ps {
		if p.tier != tier {
			continue
		}
		if groups[p.priority] == nil {
			priorities = append(priorities, p.priority)
		}
		groups[p.priority] = append(groups[p.priority], p)
	}
	slices.Sort(priorities)
	var ask func(i int) bool
	ask = func(i int) bool {
		if i == len(priorities) {
			return next()
		}
		for _, order := range permutations(groups[priorities[i]]) {
			allowed := false
			switch first(order, matches) {
			case "Accept":
				allowed = true
			case "Deny":
			case "Pass":
				allowed = next()
			default:
				allowed = ask(i + 1)
			}
			if allowed {
				return true
			}
		}
		return false
	}
	return ask(0)
}

func first(ps []*naivePolicy, matches map[*naiveRule]tri) string {
	for _, p := range ps {
		for i := range p.rules {
			if matches[&p.rules[i]] == yes {
				return p.rules[i].action
			}
		}
	}
	return ""
}

func permutations[T any](in []T) [][]T {
	if len(in) < 2 {
		return [][]T{in}
	}
	var out [][]T
	for i := range in {
		rest := slices.Concat(in[:i], in[i+1:])
		for _, p := range permutations(rest) {
			out = append(out, append([]T{in[i]}, p...))
		}
	}
	return out
}

// selectorMatches is the semantics of metav1.LabelSelector: all must hold, and
// what is not there is not in any list.
func selectorMatches(s *metav1.LabelSelector, labels map[string]string) bool {
	for k, v := range s.MatchLabels {
		if got, ok := labels[k]; !ok || got != v {
			return false
		}
	}
	for _, x := range s.MatchExpressions {
		got, ok := labels[x.Key]
		switch x.Operator {
		case metav1.LabelSelectorOpIn:
			if !ok || !slices.Contains(x.Values, got) {
				return false
			}
		case metav1.LabelSelectorOpNotIn:
			if ok && slices.Contains(x.Values, got) {
				return false
			}
		case metav1.LabelSelectorOpExists:
			if !ok {
				return false
			}
		case metav1.LabelSelectorOpDoesNotExist:
			if ok {
				return false
			}
		}
	}
	return true
}

// across says whether a peer is a pod that both selectors select.
func across(peer *naiveEnd, namespaces, pods *metav1.LabelSelector) tri {
	if peer.workload == nil || peer.host() || !selectorMatches(namespaces, peer.namespace) || !selectorMatches(pods, peer.labels) {
		return no
	}
	return yes
}

var naivePrivate = []string{"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7"}
var naiveSpecial = []string{"0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/4", "240.0.0.0/4", "::/128", "::1/128", "fe80::/10", "ff00::/8"}

func inAny(a netip.Addr, cidrs []string) bool {
	return slices.ContainsFunc(cidrs, func(c string) bool { return netip.MustParsePrefix(c).Masked().Contains(a) })
}

// inBlock says whether an end is in a block. Of an end without a known address
// it is known where that may be: of a pod or a node in a private network, of a
// domain name in the internet.
func (n *naive) inBlock(e *naiveEnd, cidr string, except []string) tri {
	in := func(a netip.Addr) bool { return inAny(a, []string{cidr}) && !inAny(a, except) }
	if e.address.IsValid() {
		if in(e.address) {
			return yes
		}
		return no
	}
	some, all := false, true
	for _, a := range n.edges {
		if where := inAny(a, naivePrivate); e.domain == "" && !where || e.domain != "" && (where || inAny(a, naiveSpecial)) {
			continue
		}
		switch {
		case in(a):
			some = true
		case a.Is6() && e.domain == "" && !n.sixes(e):
			// IPv4 is what they have unless a pod shows another family
		case a.Is4() && e.domain == "" && n.onlySixes(e):
		default:
			all = false
		}
	}
	switch {
	case some && all:
		return yes
	case some:
		return maybe
	}
	return no
}

// sixes reports whether the pods of the estate show IPv6 addresses; a node has
// an IPv4 address in any case.
func (n *naive) sixes(e *naiveEnd) bool {
	return !e.host() && n.family("::/0")
}

func (n *naive) onlySixes(e *naiveEnd) bool { return n.sixes(e) && !n.family("0.0.0.0/0") }

func (n *naive) family(cidr string) bool {
	return slices.ContainsFunc(estate.Workloads.In(n.estate), func(w *estate.Workload) bool {
		return slices.ContainsFunc(w.Pods, func(p estate.Pod) bool {
			a, err := netip.ParseAddr(p.PodIP)
			return err == nil && inAny(a, []string{cidr})
		})
	})
}

func (n *naive) networkPeer(namespace string, p networkingPeer, peer *naiveEnd) tri {
	switch {
	case p.IPBlock != nil:
		return n.inBlock(peer, p.IPBlock.CIDR, p.IPBlock.Except)
	case p.NamespaceSelector == nil:
		if peer.workload == nil || peer.workload.Namespace != namespace {
			return no
		}
		return across(peer, &metav1.LabelSelector{}, p.PodSelector)
	case p.PodSelector == nil:
		return across(peer, p.NamespaceSelector, &metav1.LabelSelector{})
	}
	return across(peer, p.NamespaceSelector, p.PodSelector)
}

func networkPorts(ports []networkingPort, destination *naiveEnd, protocol Protocol, port uint16) bool {
	if len(ports) == 0 {
		return true
	}
	for _, p := range ports {
		want := "TCP"
		if p.Protocol != nil {
			want = string(*p.Protocol)
		}
		if want != protocol.String() {
			continue
		}
		switch {
		case p.Port == nil:
			return true
		case p.Port.StrVal != "":
			if namedPort(destination, p.Port.StrVal, protocol, port) {
				return true
			}
		case p.EndPort != nil:
			if p.Port.IntVal <= int32(port) && int32(port) <= *p.EndPort {
				return true
			}
		case p.Port.IntVal == int32(port):
			return true
		}
	}
	return false
}

// namedPort says whether the destination calls a port by a name.
func namedPort(destination *naiveEnd, name string, protocol Protocol, port uint16) bool {
	if destination.workload == nil {
		return false
	}
	for _, c := range destination.workload.Template.Spec.Containers {
		for _, p := range c.Ports {
			if p.Name == name && cmp.Or(string(p.Protocol), "TCP") == protocol.String() && p.ContainerPort == int32(port) {
				return true
			}
		}
	}
	return false
}

func (n *naive) adminPeer(p estate.ClusterPolicyPeer, peer *naiveEnd) tri {
	switch {
	case p.Namespaces != nil:
		return across(peer, p.Namespaces, &metav1.LabelSelector{})
	case p.Pods != nil:
		return across(peer, &p.Pods.NamespaceSelector, &p.Pods.PodSelector)
	case p.Nodes != nil:
		return n.atNode(p.Nodes, peer)
	case len(p.Networks) > 0:
		out := no
		for _, cidr := range p.Networks {
			out = max(out, n.inBlock(peer, cidr, nil))
		}
		return out
	}
	return domain(p.DomainNames, peer)
}

// atNode says whether an end is a node that a selector selects. A pod in the
// network of its node has the node's address, and which node's is not known.
func (n *naive) atNode(selector *metav1.LabelSelector, peer *naiveEnd) tri {
	all := len(selector.MatchLabels)+len(selector.MatchExpressions) == 0
	if peer.host() {
		if all {
			return yes
		}
		return maybe
	}
	if !peer.address.IsValid() {
		return no
	}
	for _, node := range n.nodes {
		for _, a := range node.Object.Status.Addresses {
			if parsed, err := netip.ParseAddr(a.Address); err == nil && parsed == peer.address && selectorMatches(selector, node.Object.Labels) {
				return yes
			}
		}
	}
	if len(n.nodes) == 0 && peer.workload == nil && inAny(peer.address, naivePrivate) {
		return maybe // the estate does not know the nodes
	}
	return no
}

// domain says whether an end is what a domain name stands for. Which addresses
// that are is not known.
func domain(names []string, peer *naiveEnd) tri {
	if peer.domain == "" {
		if peer.workload != nil {
			return no
		}
		return maybe
	}
	out := no
	for _, name := range names {
		suffix, wild := strings.CutPrefix(name, "*")
		switch {
		case name == peer.domain, wild && strings.HasSuffix(strings.TrimPrefix(peer.domain, "*"), suffix) && len(peer.domain) > len(suffix):
			return yes
		case strings.HasPrefix(peer.domain, "*") && strings.HasSuffix(name, peer.domain[1:]):
			out = maybe
		}
	}
	return out
}

func adminPorts(ports []estate.AdminPolicyPort, destination *naiveEnd, protocol Protocol, port uint16) bool {
	if len(ports) == 0 {
		return true
	}
	for _, p := range ports {
		switch {
		case p.PortNumber != nil && cmp.Or(p.PortNumber.Protocol, "TCP") == protocol.String() && p.PortNumber.Port == int32(port),
			p.PortRange != nil && cmp.Or(p.PortRange.Protocol, "TCP") == protocol.String() && p.PortRange.Start <= int32(port) && int32(port) <= p.PortRange.End,
			p.NamedPort != nil && namedPort(destination, *p.NamedPort, protocol, port):
			return true
		}
	}
	return false
}

func protocolsMatch(ps []estate.ClusterPolicyProtocol, destination *naiveEnd, protocol Protocol, port uint16) bool {
	if len(ps) == 0 {
		return true
	}
	for _, p := range ps {
		if p.DestinationNamedPort != "" && namedPort(destination, p.DestinationNamedPort, protocol, port) {
			return true
		}
		t := map[string]*estate.ClusterPolicyTransport{"TCP": p.TCP, "UDP": p.UDP, "SCTP": p.SCTP}[protocol.String()]
		if t == nil {
			continue
		}
		d := t.DestinationPort
		if d == nil || d.Range == nil && d.Number == int32(port) || d.Range != nil && d.Range.Start <= int32(port) && int32(port) <= d.Range.End {
			return true
		}
	}
	return false
}

func subjectOf(s estate.ClusterPolicySubject) func(*naiveEnd) bool {
	return func(pod *naiveEnd) bool {
		if s.Namespaces != nil {
			return across(pod, s.Namespaces, &metav1.LabelSelector{}) == yes
		}
		return across(pod, &s.Pods.NamespaceSelector, &s.Pods.PodSelector) == yes
	}
}

// collect lists the policies of every API, and the borders of their blocks.
func (n *naive) collect() {
	e := n.estate
	borders := map[netip.Addr]bool{}
	border := func(cidrs ...string) {
		for _, c := range cidrs {
			p := netip.MustParsePrefix(c).Masked()
			for _, a := range []netip.Addr{p.Addr(), p.Addr().Prev(), lastAddress(p), lastAddress(p).Next()} {
				if a.IsValid() && !borders[a] {
					borders[a] = true
					n.edges = append(n.edges, a)
				}
			}
		}
	}
	border("0.0.0.0/0", "::/0", "8.8.8.8/32", "2001:db8::/32")
	border("169.254.169.254/32", "fd00:ec2::254/128", "169.254.170.23/32", "fd00:ec2::23/128", "169.254.20.10/32") // what every node of EKS has
	border(naivePrivate...)
	border(naiveSpecial...)
	block := func(ps []networkingPeer) {
		for _, p := range ps {
			if p.IPBlock != nil {
				border(p.IPBlock.CIDR)
				border(p.IPBlock.Except...)
			}
		}
	}
	namespaced := func(owner estate.Ref, d Direction, namespace string, types []networkingv1.PolicyType, egressRules int, selector *metav1.LabelSelector, rules []naiveRule) {
		applies := d == Ingress || egressRules > 0
		if len(types) > 0 {
			applies = slices.Contains(types, [...]networkingv1.PolicyType{"Ingress", "Egress"}[d])
		}
		if !applies {
			return
		}
		n.policies[d] = append(n.policies[d], &naivePolicy{owner: owner, tier: "Namespace", rules: rules, selects: func(pod *naiveEnd) bool {
			return pod.workload.Namespace == namespace && across(pod, &metav1.LabelSelector{}, selector) == yes
		}})
	}
	network := func(owner estate.Ref, d Direction, i int, namespace string, peers []networkingPeer, domains []string, all bool, ports []networkingPort) naiveRule {
		block(peers)
		return naiveRule{owner: owner, field: fmt.Sprintf("spec.%s[%d]", d, i), action: "Accept", matches: func(peer, destination *naiveEnd, protocol Protocol, port uint16) tri {
			if !networkPorts(ports, destination, protocol, port) {
				return no
			}
			if all {
				return yes
			}
			out := no
			for _, p := range peers {
				out = max(out, n.networkPeer(namespace, p, peer))
			}
			if len(domains) > 0 {
				out = max(out, domain(domains, peer))
			}
			return out
		}}
	}
	for _, r := range estate.NetworkPolicies.In(e) {
		o, owner := &r.Object, estate.NetworkPolicies.Ref(r)
		var rules [2][]naiveRule
		for i, in := range o.Spec.Ingress {
			rules[Ingress] = append(rules[Ingress], network(owner, Ingress, i, o.Namespace, in.From, nil, len(in.From) == 0, in.Ports))
		}
		for i, out := range o.Spec.Egress {
			rules[Egress] = append(rules[Egress], network(owner, Egress, i, o.Namespace, out.To, nil, len(out.To) == 0, out.Ports))
		}
		for d := range rules {
			namespaced(owner, Direction(d), o.Namespace, o.Spec.PolicyTypes, len(o.Spec.Egress), &o.Spec.PodSelector, rules[d])
		}
	}
	for _, r := range estate.ApplicationNetworkPolicies.In(e) {
		o, owner := &r.Object, estate.ApplicationNetworkPolicies.Ref(r)
		var rules [2][]naiveRule
		for i, in := range o.Spec.Ingress {
			rules[Ingress] = append(rules[Ingress], network(owner, Ingress, i, o.Namespace, in.From, nil, len(in.From) == 0, in.Ports))
		}
		for i, out := range o.Spec.Egress {
			var peers []networkingPeer
			var domains []string
			for _, to := range out.To {
				if len(to.DomainNames) > 0 {
					domains = append(domains, to.DomainNames...)
				} else {
					peers = append(peers, to.NetworkPolicyPeer)
				}
			}
			rules[Egress] = append(rules[Egress], network(owner, Egress, i, o.Namespace, peers, domains, len(out.To) == 0, out.Ports))
		}
		for d := range rules {
			namespaced(owner, Direction(d), o.Namespace, o.Spec.PolicyTypes, len(o.Spec.Egress), &o.Spec.PodSelector, rules[d])
		}
	}
	admin := func(owner estate.Ref, d Direction, i int, action string, peers []estate.ClusterPolicyPeer, ports func(*naiveEnd, Protocol, uint16) bool) naiveRule {
		for _, p := range peers {
			border(p.Networks...)
		}
		if action == "Allow" {
			action = "Accept"
		}
		return naiveRule{owner: owner, field: fmt.Sprintf("spec.%s[%d]", d, i), action: action, matches: func(peer, destination *naiveEnd, protocol Protocol, port uint16) tri {
			if !ports(destination, protocol, port) {
				return no
			}
			out := no
			for _, p := range peers {
				out = max(out, n.adminPeer(p, peer))
			}
			return out
		}}
	}
	tiered := func(owner estate.Ref, tier string, priority int32, s estate.ClusterPolicySubject, rules [2][]naiveRule) {
		for d := range rules {
			if len(rules[d]) > 0 {
				n.policies[d] = append(n.policies[d], &naivePolicy{owner: owner, tier: tier, priority: priority, selects: subjectOf(s), rules: rules[d]})
			}
		}
	}
	for _, r := range estate.ClusterNetworkPolicies.In(e) {
		s, owner := &r.Object.Spec, estate.ClusterNetworkPolicies.Ref(r)
		var rules [2][]naiveRule
		of := func(d Direction, list []estate.ClusterPolicyRule) {
			for i, x := range list {
				rules[d] = append(rules[d], admin(owner, d, i, x.Action, slices.Concat(x.From, x.To), func(dst *naiveEnd, p Protocol, port uint16) bool {
					return protocolsMatch(x.Protocols, dst, p, port)
				}))
			}
		}
		of(Ingress, s.Ingress)
		of(Egress, s.Egress)
		tiered(owner, s.Tier, s.Priority, s.Subject, rules)
	}
	older := func(owner estate.Ref, tier string, priority int32, s estate.ClusterPolicySubject, ingress, egress []estate.AdminPolicyRule) {
		var rules [2][]naiveRule
		for d, list := range [2][]estate.AdminPolicyRule{Ingress: ingress, Egress: egress} {
			for i, x := range list {
				rules[d] = append(rules[d], admin(owner, Direction(d), i, x.Action, slices.Concat(x.From, x.To), func(dst *naiveEnd, p Protocol, port uint16) bool {
					return adminPorts(x.Ports, dst, p, port)
				}))
			}
		}
		tiered(owner, tier, priority, s, rules)
	}
	for _, r := range estate.AWSClusterNetworkPolicies.In(e) {
		s := &r.Object.Spec
		older(estate.AWSClusterNetworkPolicies.Ref(r), s.Tier, s.Priority, s.Subject, s.Ingress, s.Egress)
	}
	for _, r := range estate.AdminNetworkPolicies.In(e) {
		s := &r.Object.Spec
		older(estate.AdminNetworkPolicies.Ref(r), "Admin", s.Priority, s.Subject, s.Ingress, s.Egress)
	}
	for _, r := range estate.BaselineAdminNetworkPolicies.In(e) {
		s := &r.Object.Spec
		older(estate.BaselineAdminNetworkPolicies.Ref(r), "Baseline", 0, s.Subject, s.Ingress, s.Egress)
	}
}
