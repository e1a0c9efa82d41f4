package reach

import (
	"fmt"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/eksafe/eksafe/internal/estate"
	"github.com/eksafe/eksafe/internal/trace"
)

// The policies of administrators come in three dialects: the first and the
// second version of the Network Policy API, and the one of Amazon's controller.
// They stand in one tier before the NetworkPolicies and one behind, are asked in
// the order of their priorities, and the first rule that matches decides.

// An adminRule is a rule of any of the dialects.
type adminRule struct {
	action string
	field  string
	peers  []estate.ClusterPolicyPeer
	ports  Ports
	named  []namedRule
	gates  []adminGate
	fault  string // of its ports
}

// An adminGate is one of the ports of a rule.
type adminGate struct {
	field string
	ports Ports
	named []namedRule
}

// An adminPolicy is a policy of any of them.
type adminPolicy struct {
	place   trace.Place
	name    string
	tier    string
	order   int32
	subject estate.ClusterPolicySubject
	rules   [2][]adminRule
	actions []string // those that the dialect has
	why     string   // the API server would reject it, "" if it would not
}

// addClusterPolicies compiles the policies of administrators into their tiers.
func (n *Network) addClusterPolicies(tiers map[string]*tier) {
	for _, a := range n.adminPolicies() {
		if !n.admit(a.place, a.name, a.why) {
			continue
		}
		p := &policy{place: a.place, name: a.name, tier: tiers[a.tier], order: float64(a.order), selector: "spec.subject"}
		switch s := a.subject; {
		case s.Namespaces != nil:
			p.whole = emptySelector(s.Namespaces)
			p.selected = n.selectAcross(s.Namespaces, nil)
		case s.Pods != nil:
			p.selected = n.selectAcross(&s.Pods.NamespaceSelector, &s.Pods.PodSelector)
		}
		for d := range a.rules {
			p.applies[d] = len(a.rules[d]) > 0
			for _, r := range a.rules[d] {
				p.rules[d] = append(p.rules[d], n.adminRule(&r))
			}
		}
		n.policies = append(n.policies, p)
	}
	for _, r := range estate.ApplicationNetworkPolicies.In(n.graph.Estate) {
		n.addApplicationPolicy(r, tiers["default"])
	}
}

func (n *Network) adminPolicies() []adminPolicy {
	e := n.graph.Estate
	var out []adminPolicy
	keep := func(a adminPolicy, tier string) {
		a.why = n.adminFault(&a, tier)
		out = append(out, a)
	}
	for _, r := range estate.ClusterNetworkPolicies.In(e) {
		s := &r.Object.Spec
		a := adminPolicy{
			place: trace.Place{Subject: estate.ClusterNetworkPolicies.Ref(r), Origin: &r.Origin},
			name:  "ClusterNetworkPolicy " + r.Object.Name, tier: tierName(s.Tier), order: s.Priority, subject: s.Subject,
			actions: []string{"Accept", "Deny", "Pass"},
		}
		for i, in := range s.Ingress {
			a.rules[Ingress] = append(a.rules[Ingress], clusterRule(in.Action, fmt.Sprintf("spec.ingress[%d]", i), in.From, in.Protocols))
		}
		for i, eg := range s.Egress {
			a.rules[Egress] = append(a.rules[Egress], clusterRule(eg.Action, fmt.Sprintf("spec.egress[%d]", i), eg.To, eg.Protocols))
		}
		keep(a, s.Tier)
	}
	add := func(place trace.Place, name, tier string, priority int32, subject estate.ClusterPolicySubject, ingress, egress []estate.AdminPolicyRule, actions ...string) {
		a := adminPolicy{place: place, name: name, tier: tierName(tier), order: priority, subject: subject, actions: actions}
		for i, r := range ingress {
			a.rules[Ingress] = append(a.rules[Ingress], portRule(r, fmt.Sprintf("spec.ingress[%d]", i), r.From))
		}
		for i, r := range egress {
			a.rules[Egress] = append(a.rules[Egress], portRule(r, fmt.Sprintf("spec.egress[%d]", i), r.To))
		}
		keep(a, tier)
	}
	for _, r := range estate.AWSClusterNetworkPolicies.In(e) {
		s := &r.Object.Spec
		add(trace.Place{Subject: estate.AWSClusterNetworkPolicies.Ref(r), Origin: &r.Origin}, "ClusterNetworkPolicy "+r.Object.Name,
			s.Tier, s.Priority, s.Subject, s.Ingress, s.Egress, "Accept", "Deny", "Pass")
	}
	for _, r := range estate.AdminNetworkPolicies.In(e) {
		s := &r.Object.Spec
		add(trace.Place{Subject: estate.AdminNetworkPolicies.Ref(r), Origin: &r.Origin}, "AdminNetworkPolicy "+r.Object.Name,
			"Admin", s.Priority, s.Subject, s.Ingress, s.Egress, "Allow", "Deny", "Pass")
	}
	for _, r := range estate.BaselineAdminNetworkPolicies.In(e) {
		s := &r.Object.Spec
		add(trace.Place{Subject: estate.BaselineAdminNetworkPolicies.Ref(r), Origin: &r.Origin}, "BaselineAdminNetworkPolicy "+r.Object.Name,
			"Baseline", 0, s.Subject, s.Ingress, s.Egress, "Allow", "Deny")
	}
	return out
}

func tierName(tier string) string {
	if tier == "Baseline" {
		return "kube-baseline"
	}
	return "kube-admin"
}

func clusterRule(action, field string, peers []estate.ClusterPolicyPeer, protocols []estate.ClusterPolicyProtocol) adminRule {
	out := adminRule{action: action, field: field, peers: peers}
	if len(protocols) == 0 {
		out.ports = AllPorts()
	}
	for i, p := range protocols {
		out.open(fmt.Sprintf("%s.protocols[%d]", field, i))
		for protocol, transport := range map[Protocol]*estate.ClusterPolicyTransport{TCP: p.TCP, UDP: p.UDP, SCTP: p.SCTP} {
			if transport == nil {
				continue
			}
			first, last := 0, lastPort
			if at := transport.DestinationPort; at != nil {
				first, last = int(at.Number), int(at.Number)
				if at.Range != nil {
					first, last = int(at.Range.Start), int(at.Range.End)
				}
				out.fault = firstFault(out.fault, rangeFault(int32(first), int32(last)))
			}
			out.add(protocol, first, last)
		}
		if p.DestinationNamedPort != "" {
			out.name(p.DestinationNamedPort)
		}
	}
	return out
}

func portRule(r estate.AdminPolicyRule, field string, peers []estate.ClusterPolicyPeer) adminRule {
	out := adminRule{action: r.Action, field: field, peers: peers}
	if len(r.Ports) == 0 {
		out.ports = AllPorts()
	}
	for i, p := range r.Ports {
		out.open(fmt.Sprintf("%s.ports[%d]", field, i))
		switch {
		case p.PortNumber != nil:
			if protocol, err := ParseProtocol(defaultTCP(p.PortNumber.Protocol)); err == nil {
				out.add(protocol, int(p.PortNumber.Port), int(p.PortNumber.Port))
			}
			out.fault = firstFault(out.fault, rangeFault(p.PortNumber.Port, p.PortNumber.Port))
		case p.PortRange != nil:
			if protocol, err := ParseProtocol(defaultTCP(p.PortRange.Protocol)); err == nil {
				out.add(protocol, int(p.PortRange.Start), int(p.PortRange.End))
			}
			out.fault = firstFault(out.fault, rangeFault(p.PortRange.Start, p.PortRange.End))
		case p.NamedPort != nil:
			out.name(*p.NamedPort)
		}
	}
	return out
}

func defaultTCP(protocol string) string {
	if protocol == "" {
		return "TCP"
	}
	return protocol
}

// open begins a port of the rule.
func (r *adminRule) open(field string) { r.gates = append(r.gates, adminGate{field: field}) }

func (r *adminRule) add(p Protocol, first, last int) {
	one := PortsOf(p, first, last)
	r.ports = r.ports.Union(&one)
	g := &r.gates[len(r.gates)-1]
	g.ports = g.ports.Union(&one)
}

// name adds a named port, which may be of any protocol.
func (r *adminRule) name(name string) {
	for _, p := range []Protocol{TCP, UDP, SCTP} {
		r.named = append(r.named, namedRule{p, name})
	}
	r.gates[len(r.gates)-1].named = r.named[len(r.named)-3:]
}

func (n *Network) adminRule(r *adminRule) rule {
	out := rule{field: r.field, ports: n.ports.id(r.ports), named: r.named}
	switch r.action {
	case "Accept", "Allow":
		out.action = allow
	case "Pass":
		out.action = pass
	}
	for _, g := range r.gates {
		out.gates = append(out.gates, gate{g.field, n.ports.id(g.ports), g.named})
	}
	side := ".from["
	if strings.HasPrefix(r.field, "spec.egress") {
		side = ".to["
	}
	for i, p := range r.peers {
		at := r.field + side + itoa(i) + "]"
		if len(p.Networks) > 0 && out.action == allow {
			for j, cidr := range p.Networks {
				out.parts = append(out.parts, part{field: at + ".networks[" + itoa(j) + "]", peers: n.block(cidr, nil), block: cidr})
			}
			continue
		}
		known, ok := n.adminPeer(p)
		if !ok && out.action != allow {
			// A peer of a newer API is denied by readers that do not know it.
			out.action, known = deny, n.everything()
		}
		one := part{field: at, peers: known}
		if len(known.may) == 0 {
			one.vacant = n.adminVacancy(at, p)
		}
		out.parts = append(out.parts, one)
	}
	out.join()
	return out
}

// adminVacancy says why a peer selects nothing.
func (n *Network) adminVacancy(at string, p estate.ClusterPolicyPeer) vacancy {
	switch {
	case p.Namespaces != nil:
		return n.vacancy(nil, at+".namespaces", p.Namespaces, "", nil)
	case p.Pods != nil:
		return n.vacancy(nil, at+".pods.namespaceSelector", &p.Pods.NamespaceSelector, at+".pods.podSelector", &p.Pods.PodSelector)
	}
	return vacancy{}
}

// adminPeer returns what a peer selects; ok is false for one that is not known.
func (n *Network) adminPeer(p estate.ClusterPolicyPeer) (out peers, ok bool) {
	switch {
	case p.Namespaces != nil:
		return n.selectAcross(p.Namespaces, nil), true
	case p.Pods != nil:
		return n.selectAcross(&p.Pods.NamespaceSelector, &p.Pods.PodSelector), true
	case p.Nodes != nil:
		return n.nodePeers(p.Nodes), true
	case len(p.Networks) > 0:
		var sures, mays []set
		for _, cidr := range p.Networks {
			b := n.block(cidr, nil)
			sures, mays = append(sures, b.sure), append(mays, b.may)
		}
		return peers{sure: union(sures...), may: union(mays...)}, true
	case len(p.DomainNames) > 0:
		return n.domains(p.DomainNames), true
	}
	return peers{}, false
}

// nodePeers returns what stands at the addresses of nodes: pods in the network of
// their node, of which it is not known which node that is, and no other pods.
// Where the estate knows no nodes, any private address may be one's.
func (n *Network) nodePeers(selector *metav1.LabelSelector) peers {
	s, err := metav1.LabelSelectorAsSelector(selector)
	if err != nil {
		return peers{}
	}
	var out peers
	nodes := estate.Nodes.In(n.graph.Estate)
	if len(nodes) == 0 {
		out.may = n.within(n.addresses.all(privateNetworks)).may.intersect(interval(n.atoms, uint32(len(n.points))))
	}
	for _, r := range nodes {
		if !s.Matches(labels.Set(r.Object.Labels)) {
			continue
		}
		for _, address := range r.Object.Status.Addresses {
			if p, ok := parsePrefix(address.Address); ok {
				out = out.union(n.block(p.String(), nil))
			}
		}
	}
	out.sure, out.may = out.sure.minus(n.floating), union(out.may.minus(n.floating), n.hosts, n.nodes)
	if s.Empty() {
		out.sure = union(out.sure, n.hosts, n.nodes)
	} else {
		out.sure = out.sure.minus(n.hosts).minus(n.nodes)
	}
	return out
}

// domains returns the named destinations that domain names stand for. Which
// addresses they have is not known: it may be any that is no pod's, and that of
// anything AWS runs.
func (n *Network) domains(names []string) peers {
	var out peers
	for i := n.pods; i < n.atoms; i++ {
		switch e := n.points[i].endpoint; {
		case e.Kind != DomainEndpoint:
			out.may = out.may.extend(i, i+1)
		case slices.ContainsFunc(names, func(name string) bool { return domainMatches(name, e.Name) }):
			out.sure = out.sure.extend(i, i+1)
		case slices.ContainsFunc(names, func(name string) bool { return domainMatches(e.Name, name) }):
			out.may = out.may.extend(i, i+1) // one of the names that the endpoint stands for
		}
	}
	out.may = union(out.may, out.sure, interval(n.atoms, uint32(len(n.points))))
	return out
}

// domainMatches reports whether a name or a pattern such as "*.example.com"
// covers another.
func domainMatches(pattern, name string) bool {
	pattern, name = normalDomain(pattern), normalDomain(name)
	if suffix, ok := strings.CutPrefix(pattern, "*."); ok {
		return pattern == name || strings.HasSuffix(name, "."+suffix)
	}
	return pattern == name
}

func normalDomain(name string) string { return strings.ToLower(strings.TrimSuffix(name, ".")) }

// domainNames lists the domain names that policies name, each once, in order.
func (n *Network) domainNames() []string {
	seen := map[string]bool{}
	for _, a := range n.adminPolicies() {
		for _, r := range a.rules[Egress] {
			for _, p := range r.peers {
				for _, name := range p.DomainNames {
					seen[normalDomain(name)] = true
				}
			}
		}
	}
	for _, r := range estate.ApplicationNetworkPolicies.In(n.graph.Estate) {
		for _, rule := range r.Object.Spec.Egress {
			for _, p := range rule.To {
				for _, name := range p.DomainNames {
					seen[normalDomain(name)] = true
				}
			}
		}
	}
	out := make([]string, 0, len(seen))
	for name := range seen {
		out = append(out, name)
	}
	slices.Sort(out)
	return out
}

// addApplicationPolicy compiles Amazon's NetworkPolicy with domain names. It
// isolates as a NetworkPolicy does, and the rules of both add up.
func (n *Network) addApplicationPolicy(r *estate.Resource[estate.ApplicationNetworkPolicy], t *tier) {
	o := &r.Object
	ns := n.namespaceOf(o.Namespace)
	place, name := trace.Place{Subject: estate.ApplicationNetworkPolicies.Ref(r), Origin: &r.Origin}, "ApplicationNetworkPolicy "+o.Namespace+"/"+o.Name
	if !n.admit(place, name, n.applicationFault(&o.Spec)) {
		return
	}
	p := &policy{
		place: place, name: name, tier: t, order: kubernetesOrder,
		applies: appliesTo(o.Spec.PolicyTypes, len(o.Spec.Egress) > 0), selected: n.selectIn(ns, &o.Spec.PodSelector),
		selector: "spec.podSelector", whole: emptySelector(&o.Spec.PodSelector),
	}
	for i, in := range o.Spec.Ingress {
		p.rules[Ingress] = append(p.rules[Ingress], n.networkRule("spec.ingress["+itoa(i)+"]", ns, in.From, in.Ports))
	}
	for i, eg := range o.Spec.Egress {
		var plain []networkingPeer
		var names peers
		var named []part
		for j, to := range eg.To {
			if len(to.DomainNames) > 0 {
				one := n.domains(to.DomainNames)
				named = append(named, part{field: fmt.Sprintf("spec.egress[%d].to[%d].domainNames", i, j), peers: one})
				names = names.union(one)
			} else {
				plain = append(plain, to.NetworkPolicyPeer)
			}
		}
		out := n.networkRule("spec.egress["+itoa(i)+"]", ns, plain, eg.Ports)
		if len(eg.To) > 0 && len(plain) == 0 {
			out.peers = names
		} else {
			out.peers = out.peers.union(names)
		}
		out.parts = append(out.parts, named...)
		p.rules[Egress] = append(p.rules[Egress], out)
	}
	n.policies = append(n.policies, p)
}

// clusterBlocks adds the prefixes that these policies name.
func (n *Network) clusterBlocks(add func(...string)) {
	nodes := false
	for _, a := range n.adminPolicies() {
		for _, rules := range a.rules {
			for _, r := range rules {
				for _, p := range r.peers {
					add(p.Networks...)
					nodes = nodes || p.Nodes != nil
				}
			}
		}
	}
	for _, r := range estate.ApplicationNetworkPolicies.In(n.graph.Estate) {
		for _, in := range r.Object.Spec.Ingress {
			for _, p := range in.From {
				if p.IPBlock != nil {
					add(append([]string{p.IPBlock.CIDR}, p.IPBlock.Except...)...)
				}
			}
		}
		for _, eg := range r.Object.Spec.Egress {
			for _, p := range eg.To {
				if p.IPBlock != nil {
					add(append([]string{p.IPBlock.CIDR}, p.IPBlock.Except...)...)
				}
			}
		}
	}
	if nodes {
		for _, r := range estate.Nodes.In(n.graph.Estate) {
			for _, address := range r.Object.Status.Addresses {
				add(address.Address)
			}
		}
	}
}
