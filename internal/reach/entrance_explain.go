package reach

import (
	"fmt"

	"github.com/eksafe/eksafe/internal/trace"
)

// entranceOf returns the entrance by which a connection gets as far as an answer
// says, nil if it does on the straight way.
func (n *Network) entranceOf(a *Answer, from, to uint32) *entrance {
	if to >= n.pods || len(n.entrances[to]) == 0 || a.Verdict == Denied {
		return nil
	}
	if sure, open := n.straight(from, to); n.verdictOf(sure, open, a.Protocol, a.Port) == a.Verdict {
		return nil
	}
	for i := range n.entrances[to] {
		if e := &n.entrances[to][i]; e.inner == (Named{a.Protocol, a.Port}) && n.enters(e, from, to) == a.Verdict {
			return e
		}
	}
	return nil
}

// closedEntrance explains the entrance that is closed to a connection that is
// denied and needs the least to open, nil if there is none.
func (n *Network) closedEntrance(a *Answer, from, to uint32) (best *Answer, by *entrance) {
	if to >= n.pods {
		return nil, nil
	}
	for i := range n.entrances[to] {
		e := &n.entrances[to][i]
		if e.inner != (Named{a.Protocol, a.Port}) {
			continue
		}
		way := &Answer{From: a.From, To: a.To, Protocol: a.Protocol, Port: a.Port, Verdict: Denied}
		n.explainEntrance(way, e, from, to)
		if best == nil || way.denials() < best.denials() {
			best, by = way, e
		}
	}
	return best, by
}

// explainEntrance explains a connection by an entrance.
func (n *Network) explainEntrance(a *Answer, e *entrance, from, to uint32) (notes []string) {
	add := func(layers []Layer, more []string) {
		a.Layers = append(a.Layers, layers...)
		notes = append(notes, more...)
	}
	one := func(l Layer, more []string) { add([]Layer{l}, more) }
	outer := *a
	outer.Port = n.outerPort(e, from)
	ports := n.ports.of(e.outer)
	a.Through, a.outer = ports.String()+" of the nodes", outer.Port
	if e.external.IsValid() {
		a.Through = ports.String() + " of " + e.external.String()
	}

	// Where both ways get as far, the one that the VPC CNI takes is told.
	early := stricter(n.knocks(e, from), n.ledOn(e, from, to)) != a.Verdict
	switch {
	case from >= n.pods:
	case early:
		one(n.explainPolicies(Egress, from, to, a))
	case e.crowd:
	default:
		one(n.explainPolicies(Egress, from, e.at, &outer))
	}
	if !early && !e.external.IsValid() {
		if p := n.predicted(from); p != nil {
			add(n.explainKnock(p, e, from, n.points[to].endpoint.Workload, outer.Protocol, outer.Port))
		} else {
			add(n.vpc.explain(n, from, e.nodes, outer.Protocol, outer.Port))
		}
		if g := &n.guards[Ingress]; g.points.has(e.nodes) {
			one(Layer{Kind: IngressPolicies, Of: n.points[e.nodes].endpoint.Name, Enforced: trace.Unclear, By: "Calico", Why: g.why, Rules: g.rules}, nil)
		}
	}
	one(n.explainPort(a, e, from, early), nil)
	seen := from
	if e.masked {
		seen = e.nodes
	}
	if e.masked || !n.vpc.sharesNode(to) {
		add(n.vpc.explain(n, seen, to, a.Protocol, a.Port))
	}
	if early && n.filters[Ingress][to] != nil {
		l := Layer{Kind: IngressPolicies, Of: n.points[to].endpoint.Name, Enforced: n.enforcer.at(n.points[to]), By: n.enforcer.by(n.points[to])}
		more := n.explainFilter(&l, Ingress, to, e.nodes, a)
		one(l, more)
	} else {
		one(n.explainPolicies(Ingress, to, seen, a))
	}
	add(n.mesh.explainBehind(from, seen, to, a.Protocol, a.Port))
	return notes
}

// outerPort returns the port of the nodes at which a connection is explained. Of
// one that is not chosen yet it is one that does not get through for certain, if
// some do not.
func (n *Network) outerPort(e *entrance, from uint32) uint16 {
	sure, open := n.approach(from, e)
	for _, id := range []portsID{n.ports.minus(n.ports.and(open, e.outer), sure), n.ports.and(sure, e.outer), e.outer} {
		if id != noPorts {
			ports := n.ports.of(id)
			return firstPort(&ports).Port
		}
	}
	return 0
}

// explainPort explains the port of the nodes itself.
func (n *Network) explainPort(a *Answer, e *entrance, from uint32, early bool) Layer {
	l := Layer{Kind: NodePorts, Of: n.points[e.nodes].endpoint.Name, Verdict: Allowed, Enforced: trace.Yes, By: "kube-proxy", Rules: []Rule{e.rule}}
	l.Why = fmt.Sprintf("%s %s, and that leads to %s %d of %s", e.rule.Name, e.rule.Says, e.inner.Protocol, e.inner.Port, a.To.Name)
	sure, open := n.approach(from, e)
	switch {
	case n.predicted(from) != nil && !e.external.IsValid():
	case e.crowd:
		l.Verdict = Unknown
		l.Why += "; it has so many addresses that policies are not asked about each"
	case e.external.IsValid() && from >= n.pods:
		l.Verdict = Unknown
		l.Why += "; whether packets to that address get to a node is not known"
	case early:
		l.Why += "; the node of the client leads it on, with its own address"
	case from >= n.atoms && !n.vpc.seen:
		l.Verdict = Unknown
		l.Why += "; what gets to the nodes the security groups say, which were not read; read them live (--aws)"
	case a.Verdict == Unknown && n.knock(e, sure, open) == Unknown && n.ports.and(sure, e.outer) != noPorts:
		l.Verdict = Unknown
		l.Why += "; some of them are open to it, and some are not"
	}
	return l
}
