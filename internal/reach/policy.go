package reach

import (
	"cmp"
	"iter"
	"math"
	"net/netip"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/eksafe/eksafe/internal/estate"
	"github.com/eksafe/eksafe/internal/trace"
)

type (
	networkingPolicy = networkingv1.NetworkPolicy
	networkingPeer   = networkingv1.NetworkPolicyPeer
	networkingPort   = networkingv1.NetworkPolicyPort
)

// A Direction of traffic, seen from the pod.
type Direction int

const (
	Ingress Direction = iota
	Egress
)

func (d Direction) String() string { return [...]string{"ingress", "egress"}[d] }

// MarshalText returns "ingress" or "egress".
func (d Direction) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// An action is what a rule does with what it matches.
type action int

const (
	deny  action = iota // the zero value
	allow               // and no later rule is asked
	pass                // on to the next tier
)

// A tier is policies that are asked one after the other. What none of them
// decides is denied, or passed on to the next tier.
type tier struct {
	name  string
	order float64
	end   action // of traffic that some policy of the tier selects and none decides
}

// A policy is one object of any of the APIs.
type policy struct {
	place    trace.Place
	name     string // "NetworkPolicy shop/web"
	tier     *tier
	order    float64 // within the tier
	key      string  // among policies of one order
	applies  [2]bool
	selected peers  // the pods that it selects
	selector string // the field that says which
	whole    bool   // it selects all that it can
	rules    [2][]rule
	// tied is true if the API leaves open which of the policies with the same
	// order is asked first.
	tied bool
}

// at returns the place of a field.
func (p *policy) at(field string) trace.Place {
	at := p.place
	at.Field = field
	return at
}

// A rule decides about its peers at its ports.
type rule struct {
	action action
	field  string // "spec.ingress[0]"
	peers  peers
	parts  []part // that peers are made of; none for everybody
	ports  portsID
	vacant vacancy // of a rule of Calico, which has no parts that select
	gates  []gate  // that ports and named are made of; none for every port
	// named are ports by name: of the pod itself for ingress, of the peer for
	// egress. without are names of ports that ports do not stand for.
	named, without []namedRule
	// own limits the rule to some of the pods that the policy selects; nil is
	// all of them.
	own func(*point) trace.Ternary
	// doubt says why it is not known whether the rule matches, "" if it is.
	doubt string
}

// A part is one of the peers of a rule, and where it stands.
type part struct {
	field string
	peers peers
	block string // of one that is a block
	// vacant says why a selector selects nothing, "" if it selects something.
	vacant vacancy
}

// A vacancy says which selector selects nothing, and why.
type vacancy struct{ field, why string }

// A gate is one of the ports of a rule, by number or by name, and where it
// stands.
type gate struct {
	field string
	ports portsID
	named []namedRule
}

// join makes the peers of the parts the peers of the rule.
func (r *rule) join() {
	if len(r.parts) == 0 {
		return
	}
	var sures, mays, noted []set
	all := false // some note is of every point
	for _, p := range r.parts {
		sures, mays = append(sures, p.peers.sure), append(mays, p.peers.may)
		r.peers.note = cmp.Or(r.peers.note, p.peers.note)
		noted = append(noted, p.peers.noted)
		all = all || p.peers.note != "" && p.peers.noted == nil
	}
	r.peers.sure, r.peers.may = union(sures...), union(mays...)
	if !all {
		r.peers.noted = union(noted...)
	}
}

// fieldFor returns where the rule speaks of a point: the peer that holds it.
func (r *rule) fieldFor(point uint32) string {
	for _, p := range r.parts {
		if p.peers.may.has(point) {
			return p.field
		}
	}
	return r.field
}

type namedRule struct {
	protocol Protocol
	name     string
}

// Peers are the points that a rule is about: those that it is about for sure,
// and those that it may be about.
type peers struct {
	sure, may set
	// note says what reading of the API was taken, of the points noted; of all if
	// that is nil.
	note  string
	noted set
}

func (p peers) union(o peers) peers {
	out := peers{sure: union(p.sure, o.sure), may: union(p.may, o.may), note: cmp.Or(p.note, o.note)}
	if (p.note == "" || p.noted != nil) && (o.note == "" || o.noted != nil) {
		out.noted = union(p.noted, o.noted)
	}
	return out
}

func (n *Network) everything() peers { return peers{sure: n.all(), may: n.all()} }

// kubernetesTier is the tier of NetworkPolicies; its order is Calico's for the
// tier in which it puts them.
const (
	adminOrder      = 1000
	defaultOrder    = 1_000_000
	baselineOrder   = 10_000_000
	kubernetesOrder = 1000 // of a NetworkPolicy within its tier, as Calico has it
)

// addPolicies compiles the policies of every API.
func (n *Network) addPolicies() {
	tiers := map[string]*tier{
		"kube-admin":    {name: "kube-admin", order: adminOrder, end: pass},
		"default":       {name: "default", order: defaultOrder, end: deny},
		"kube-baseline": {name: "kube-baseline", order: baselineOrder, end: pass},
	}
	n.addCalico(tiers)
	for _, r := range estate.NetworkPolicies.In(n.graph.Estate) {
		n.addNetworkPolicy(r, tiers["default"])
	}
	n.addClusterPolicies(tiers)
	n.addCilium(tiers)
	for _, t := range tiers {
		n.tiers = append(n.tiers, t)
	}
	slices.SortFunc(n.tiers, func(a, b *tier) int { return cmp.Or(cmp.Compare(a.order, b.order), cmp.Compare(a.name, b.name)) })
	slices.SortStableFunc(n.policies, func(a, b *policy) int {
		return cmp.Or(cmp.Compare(a.tier.order, b.tier.order), cmp.Compare(a.tier.name, b.tier.name), cmp.Compare(a.order, b.order), cmp.Compare(a.key, b.key), cmp.Compare(a.name, b.name))
	})
	n.bySubject = map[estate.Ref][]*policy{}
	for _, p := range n.policies {
		n.bySubject[p.place.Subject] = append(n.bySubject[p.place.Subject], p)
	}
	for i := 1; i < len(n.policies); i++ {
		a, b := n.policies[i-1], n.policies[i]
		if a.tier == b.tier && a.order == b.order && (a.tier.name == "kube-admin" || a.tier.name == "kube-baseline") {
			a.tied, b.tied = true, true
		}
	}
}

// addNetworkPolicy compiles a NetworkPolicy. Source of the rules: the comments
// of networking.k8s.io/v1 and the concept page on network policies.
func (n *Network) addNetworkPolicy(r *estate.Resource[networkingPolicy], t *tier) {
	o := &r.Object
	p := &policy{
		place: trace.Place{Subject: estate.NetworkPolicies.Ref(r), Origin: &r.Origin},
		name:  "NetworkPolicy " + o.Namespace + "/" + o.Name, tier: t, order: kubernetesOrder, key: "knp.default." + o.Name,
	}
	if !n.admit(p.place, p.name, n.networkFault(&o.Spec)) {
		return
	}
	p.applies = appliesTo(o.Spec.PolicyTypes, len(o.Spec.Egress) > 0)
	p.selector, p.whole = "spec.podSelector", emptySelector(&o.Spec.PodSelector)
	ns := n.namespaceOf(o.Namespace)
	p.selected = n.selectIn(ns, &o.Spec.PodSelector)
	p.rules = [2][]rule{Ingress: make([]rule, len(o.Spec.Ingress)), Egress: make([]rule, len(o.Spec.Egress))}
	for i, in := range o.Spec.Ingress {
		p.rules[Ingress][i] = n.networkRule("spec.ingress["+itoa(i)+"]", ns, in.From, in.Ports)
	}
	for i, out := range o.Spec.Egress {
		p.rules[Egress][i] = n.networkRule("spec.egress["+itoa(i)+"]", ns, out.To, out.Ports)
	}
	n.policies = append(n.policies, p)
}

func emptySelector(s *metav1.LabelSelector) bool {
	return len(s.MatchLabels)+len(s.MatchExpressions) == 0
}

// appliesTo returns the directions that a policy restricts. Without types it is
// ingress always, and egress where there are rules for it.
func appliesTo(types []networkingv1.PolicyType, egress bool) [2]bool {
	if len(types) == 0 {
		return [2]bool{Ingress: true, Egress: egress}
	}
	return [2]bool{
		Ingress: slices.Contains(types, networkingv1.PolicyTypeIngress),
		Egress:  slices.Contains(types, networkingv1.PolicyTypeEgress),
	}
}

// namespaceOf returns the namespace of a name; it may hold nothing.
func (n *Network) namespaceOf(name string) *namespace {
	if ns := n.byName[name]; ns != nil {
		return ns
	}
	return &namespace{name: name, labels: labels.Set{corev1.LabelMetadataName: name}}
}

func (n *Network) networkRule(field string, ns *namespace, from []networkingPeer, ports []networkingPort) rule {
	out := rule{action: allow, field: field, ports: allPorts}
	if len(from) == 0 {
		out.peers = n.everything()
	}
	side := ".from["
	if strings.HasPrefix(field, "spec.egress") {
		side = ".to["
	}
	out.parts = make([]part, 0, len(from))
	for i, f := range from {
		one := part{field: field + side + itoa(i) + "]", peers: n.networkPeer(ns, f)}
		if f.IPBlock != nil {
			one.field, one.block = one.field+".ipBlock.cidr", f.IPBlock.CIDR
		} else if len(one.peers.may) == 0 {
			one.vacant = n.vacancy(ns, one.field+".namespaceSelector", f.NamespaceSelector, one.field+".podSelector", f.PodSelector)
		}
		out.parts = append(out.parts, one)
	}
	out.join()
	if len(ports) > 0 {
		var fixed Ports
		for i, p := range ports {
			at := gate{field: field + ".ports[" + itoa(i) + "]"}
			protocol := TCP
			if p.Protocol != nil {
				var ok bool
				if protocol, ok = protocolOf(*p.Protocol); !ok {
					continue // the API server admits no other; it matches nothing
				}
			}
			one := PortsOf(protocol, 0, lastPort)
			switch {
			case p.Port == nil:
			case p.Port.StrVal != "":
				at.named = []namedRule{{protocol, p.Port.StrVal}}
				out.named, out.gates = append(out.named, at.named...), append(out.gates, at)
				continue
			case p.EndPort != nil:
				one = PortsOf(protocol, int(p.Port.IntVal), int(*p.EndPort))
			default:
				one = PortsOf(protocol, int(p.Port.IntVal), int(p.Port.IntVal))
			}
			at.ports = n.ports.id(one)
			out.gates = append(out.gates, at)
			for i := range one {
				fixed[i] = append(fixed[i], one[i]...)
			}
		}
		for i := range fixed {
			fixed[i] = mergeRanges(fixed[i])
		}
		out.ports = n.ports.id(fixed)
	}
	return out
}

func (n *Network) networkPeer(ns *namespace, p networkingPeer) peers {
	if p.IPBlock != nil {
		out := n.block(p.IPBlock.CIDR, p.IPBlock.Except)
		if pods := out.may.intersect(interval(0, n.pods)); len(pods) > 0 {
			out.note, out.noted = "the API leaves open whether a block is about the addresses of pods; it was taken to be", pods
		}
		return out
	}
	if p.NamespaceSelector == nil {
		if p.PodSelector == nil {
			return peers{} // the API server admits no empty peer
		}
		return n.selectIn(ns, p.PodSelector)
	}
	return n.selectAcross(p.NamespaceSelector, p.PodSelector)
}

// alwaysThere are namespaces of every cluster, whatever a source shows of them
// and of their pods.
var alwaysThere = []string{"default", "kube-system", "kube-public", "kube-node-lease"}

// vacancy says which selector of a peer that selects no pod is the one to blame:
// that of namespaces if no namespace has such labels. An empty selector of pods is
// never to blame.
func (n *Network) vacancy(own *namespace, spacesAt string, spaces *metav1.LabelSelector, podsAt string, pods *metav1.LabelSelector) vacancy {
	chosen := []*namespace{own}
	if spaces != nil {
		s := n.selectors.of(spaces)
		if !s.readable {
			return vacancy{spacesAt, "the selector cannot be read, so that it selects nothing"}
		}
		if chosen = n.chosen(s); len(chosen) == 0 {
			if slices.ContainsFunc(alwaysThere, func(name string) bool { return s.Matches(labels.Set{corev1.LabelMetadataName: name}) }) {
				return vacancy{}
			}
			return vacancy{spacesAt, "no namespace has the labels " + s.String()}
		}
	}
	if pods == nil || emptySelector(pods) {
		return vacancy{}
	}
	s := n.selectors.of(pods)
	if !s.readable {
		return vacancy{podsAt, "the selector cannot be read, so that it selects nothing"}
	}
	// CoreDNS and its like are the platform's: sources may leave them out.
	if slices.ContainsFunc(chosen, func(ns *namespace) bool { return slices.Contains(alwaysThere, ns.name) }) {
		return vacancy{}
	}
	return vacancy{podsAt, "no pod has the labels " + s.String()}
}

// chosen returns the namespaces that a selector selects.
func (n *Network) chosen(s *labelSelector) []*namespace {
	candidates := n.namespaces
	for k, v := range s.required {
		if c := n.byLabel[[2]string{k, v}]; len(c) < len(candidates) {
			candidates = c
		}
	}
	var out []*namespace
	for _, ns := range candidates {
		if s.Matches(ns.labels) {
			out = append(out, ns)
		}
	}
	return out
}

// A podSelection is which pods are asked for: in a namespace, or in those that
// spaces selects.
type podSelection struct {
	namespace    *namespace
	spaces, pods *labelSelector
}

// selectIn returns the pods of a namespace that a selector selects.
func (n *Network) selectIn(ns *namespace, pods *metav1.LabelSelector) peers {
	return n.podsOf(podSelection{namespace: ns, pods: n.selectors.of(pods)})
}

// selectAcross returns the pods that a selector selects in the namespaces that
// another one does; a nil selector is all of them.
func (n *Network) selectAcross(namespaces, pods *metav1.LabelSelector) peers {
	return n.podsOf(podSelection{spaces: n.selectors.of(namespaces), pods: n.selectors.of(pods)})
}

// podsOf returns the pods of a selection. Pods in the network of the node are
// none of them: to agents they are the node. A selector that cannot be read
// selects nothing.
func (n *Network) podsOf(s podSelection) peers {
	out, known := n.selections[s]
	if known {
		return peers{sure: out, may: out}
	}
	var spans set
	if s.spaces == nil {
		spans = interval(s.namespace.span.lo, s.namespace.span.hi)
	} else {
		for _, ns := range n.chosen(s.spaces) {
			spans = spans.extend(ns.span.lo, ns.span.hi)
		}
	}
	if s.pods.Empty() && len(n.hosts) == 0 {
		out = spans
	} else {
		for i := range n.eligible(s.pods, spans) {
			if p := n.points[i]; !p.host && s.pods.Matches(p.labels) {
				out = out.extend(i, i+1)
			}
		}
	}
	n.selections[s] = out
	return peers{sure: out, may: out}
}

// eligible returns the pods of spans that a selector may select, in order: those
// that have a label which it requires, by the index of the one that the fewest have.
func (n *Network) eligible(s *labelSelector, spans set) iter.Seq[uint32] {
	var fewest []uint32
	indexed := false
	for k, v := range s.required {
		if by := n.podsBy(k, spans.len()); by != nil && (!indexed || len(by[v]) < len(fewest)) {
			fewest, indexed = by[v], true
		}
	}
	if indexed {
		return spans.among(fewest)
	}
	return spans.points()
}

// block returns what stands in a block: addresses, targets, and pods. The API
// leaves open whether a block is about the addresses of pods; agents take it
// that way.
func (n *Network) block(cidr string, except []string) peers {
	key := "block " + cidr
	for _, e := range except {
		key += "\x00" + e
	}
	if known, ok := n.sets[key]; ok {
		return known
	}
	var out peers
	if p, ok := parsePrefix(cidr); ok {
		b := block{prefix: p}
		for _, e := range except {
			if x, ok := parsePrefix(e); ok {
				b.except = append(b.except, x)
			}
		}
		out = n.within(n.addresses.atoms(b.prefix).minus(n.addresses.all(b.except)))
	}
	n.sets[key] = out
	return out
}

// within returns what stands in atoms. A target stands somewhere in its
// subnets, and moves: a block that touches them is taken to hold it. Of one whose
// subnets are not known nobody can say.
func (n *Network) within(atoms set) peers {
	var pods []uint32
	for _, sp := range atoms {
		i, _ := slices.BinarySearchFunc(n.located, sp.lo, func(l locatedPoint, atom uint32) int { return cmp.Compare(l.atom, atom) })
		for ; i < len(n.located) && n.located[i].atom < sp.hi; i++ {
			pods = append(pods, n.located[i].point)
		}
	}
	sure := setOf(pods)
	may := sure
	// Pods and nodes whose addresses are not known stand somewhere in their
	// networks. A block that holds all of them of the family that they have holds
	// them for sure; that family may be another one than is thought.
	if len(n.hostSpace.intersect(atoms)) > 0 {
		may = union(may, n.floating, n.hosts, n.nodes)
		if len(n.space.minus(atoms)) == 0 {
			sure = union(sure, n.floating)
		}
		if len(n.hostSpace.intersect(n.addresses.ipv4()).minus(atoms)) == 0 {
			sure = union(sure, n.hosts, n.nodes)
		}
	}
	var targets, somewhere set
	for i := n.pods; i < n.atoms; i++ {
		p := n.points[i]
		unknown := p.anywhere || p.endpoint.target != nil && !p.endpoint.target.located
		switch {
		case len(p.atoms.intersect(atoms)) == 0:
		case unknown && len(p.atoms.minus(atoms)) > 0:
			somewhere = somewhere.extend(i, i+1)
		default:
			targets = targets.extend(i, i+1)
		}
	}
	var rest set
	for _, sp := range atoms {
		rest = append(rest, span{sp.lo + n.atoms, sp.hi + n.atoms})
	}
	return peers{sure: union(sure, targets, rest), may: union(may, targets, somewhere, rest)}
}

// blocks lists every prefix that anything in the estate names.
func (n *Network) blocks() []netip.Prefix {
	var out []netip.Prefix
	add := func(texts ...string) {
		for _, t := range texts {
			if p, ok := parsePrefix(t); ok {
				out = append(out, p)
			}
		}
	}
	peersOf := func(list []networkingPeer) {
		for _, p := range list {
			if p.IPBlock != nil {
				add(p.IPBlock.CIDR)
				add(p.IPBlock.Except...)
			}
		}
	}
	for _, r := range estate.NetworkPolicies.In(n.graph.Estate) {
		for _, rule := range r.Object.Spec.Ingress {
			peersOf(rule.From)
		}
		for _, rule := range r.Object.Spec.Egress {
			peersOf(rule.To)
		}
	}
	for _, s := range estate.Services.In(n.graph.Estate) {
		if len(s.Object.Spec.ExternalIPs) <= maxExternal {
			add(s.Object.Spec.ExternalIPs...)
		}
	}
	n.clusterBlocks(add)
	n.calicoBlocks(add)
	n.meshBlocks(add)
	return append(out, n.vpc.blocks()...)
}

var lastOrder = math.Inf(1)
