package reach

import (
	"iter"
	"slices"

	"github.com/eksafe/eksafe/internal/trace"
)

// A Policy is one object of any API, as it is written: whether or not anything
// enforces it.
type Policy struct {
	trace.Place
	Name   string
	Staged bool // it decides nothing yet

	network  *Network
	compiled []*policy // one object may be several
}

// Policies returns what decides about the traffic of pods, and what is staged to
// do so, by identity.
func (n *Network) Policies() []*Policy {
	var out []*Policy
	add := func(list []*policy, staged bool) {
		for _, p := range list {
			if k := len(out); k > 0 && out[k-1].Subject == p.place.Subject {
				out[k-1].compiled = append(out[k-1].compiled, p)
				continue
			}
			at := p.place
			at.Field = ""
			out = append(out, &Policy{Place: at, Name: p.name, Staged: staged, network: n, compiled: []*policy{p}})
		}
	}
	bySubject := func(list []*policy) []*policy {
		list = slices.Clone(list)
		slices.SortStableFunc(list, func(a, b *policy) int { return a.place.Subject.Compare(b.place.Subject) })
		return list
	}
	add(bySubject(n.policies), false)
	add(bySubject(n.staged), true)
	slices.SortStableFunc(out, func(a, b *Policy) int { return a.Subject.Compare(b.Subject) })
	return out
}

// Selector returns the place that says whom the policy selects.
func (p *Policy) Selector() trace.Place { return p.compiled[0].at(p.compiled[0].selector) }

// SelectsAll reports whether the policy selects all pods that it can.
func (p *Policy) SelectsAll() bool {
	return slices.ContainsFunc(p.compiled, func(c *policy) bool { return c.whole })
}

// Applies reports whether the policy decides about a direction.
func (p *Policy) Applies(d Direction) bool {
	return slices.ContainsFunc(p.compiled, func(c *policy) bool { return c.applies[d] })
}

// Allows reports whether a rule of the policy allows something in a direction.
func (p *Policy) Allows(d Direction) bool {
	return slices.ContainsFunc(p.compiled, func(c *policy) bool {
		return c.applies[d] && slices.ContainsFunc(c.rules[d], func(r rule) bool { return r.action == allow })
	})
}

// Selects returns the workloads that the policy may select; known is false if it
// is not known of some.
func (p *Policy) Selects() (selected []*Endpoint, known bool) {
	known = true
	for _, c := range p.compiled {
		known = known && len(c.selected.may.minus(c.selected.sure)) == 0
		for point := range c.selected.may.points() {
			// The points of a workload stand together.
			if e := p.network.points[point].endpoint; len(selected) == 0 || selected[len(selected)-1] != e {
				selected = append(selected, e)
			}
		}
	}
	slices.SortFunc(selected, func(a, b *Endpoint) int { return a.Ref.Compare(b.Ref) })
	return slices.Compact(selected), known
}

// Enforced says whether anything enforces the policy on any of the pods that it
// selects, and says why nothing does.
func (p *Policy) Enforced() (state trace.Ternary, why string) {
	state = trace.No
	e := &p.network.enforcer
	for _, c := range p.compiled {
		for point := range c.selected.may.points() {
			switch one := e.of(c, point); {
			case one == trace.Yes:
				return trace.Yes, ""
			case one == trace.Unclear:
				state = trace.Unclear
			case why == "":
				why = e.holds[point].says(c.api())
			}
		}
	}
	return state, why
}

// A selecting is pods of one policy of which equal things are let through: by
// policies, and by AWS.
type selecting struct {
	filter *filter
	pods   []uint32
}

// selecting groups the pods that a policy selects and that are wanted.
func (n *Network) selecting(p *policy, d Direction, wanted func(*Endpoint) bool) []*selecting {
	type key struct {
		filter *filter
		class  uint32
	}
	index := map[key]*selecting{}
	var out []*selecting
	for point := range p.selected.may.points() {
		f := n.written[d][point]
		if f == nil || !wanted(n.points[point].endpoint) {
			continue
		}
		k := key{filter: f}
		if d == Egress {
			k.class = n.vpc.classOf[point]
		}
		s := index[k]
		if s == nil {
			s = &selecting{filter: f}
			index[k] = s
			out = append(out, s)
		}
		s.pods = append(s.pods, point)
	}
	return out
}

// row returns the segments of a filter, also of one that nothing enforces.
func (n *Network) row(f *filter) []segment {
	if f.segments != nil {
		return f.segments
	}
	if known, ok := n.rows.Load(f); ok {
		return known.([]segment)
	}
	made, _ := n.rows.LoadOrStore(f, n.evaluate(f))
	return made.([]segment)
}

// overlap calls visit for the parts of segments that lie in a set.
func overlap(segments []segment, points set, visit func(lo, hi uint32, s *segment) bool) {
	for _, sp := range points {
		i, _ := slices.BinarySearchFunc(segments, sp.lo, func(s segment, lo uint32) int {
			if s.hi <= lo {
				return -1
			}
			return 1 // the first that ends behind the border
		})
		for ; i < len(segments) && segments[i].lo < sp.hi; i++ {
			if !visit(max(segments[i].lo, sp.lo), min(segments[i].hi, sp.hi), &segments[i]) {
				return
			}
		}
	}
}

// An Opening is what a rule of a policy allows by one of its peers.
type Opening struct {
	trace.Place             // of the peer; of the rule if it is about everybody
	Rule        trace.Place // of the rule
	Block       string      // of a peer that is a block
	EveryPeer   bool        // the rule names no peers
	EveryPort   bool        // the rule names no ports
	Ports       Ports       // that it names by their numbers
	Named       bool        // it names ports by name

	network    *Network
	selectings []*selecting
	rule       *rule
	peers      peers
}

// Openings returns what the rules of a policy allow the pods of the wanted
// workloads to send; none if it selects none of them.
func (p *Policy) Openings(wanted func(*Endpoint) bool) []*Opening {
	n := p.network
	var out []*Opening
	for _, c := range p.compiled {
		if !c.applies[Egress] {
			continue
		}
		selectings := n.selecting(c, Egress, wanted)
		if len(selectings) == 0 {
			continue
		}
		for i := range c.rules[Egress] {
			r := &c.rules[Egress][i]
			if r.action != allow {
				continue
			}
			base := Opening{
				Place: c.at(r.field), Rule: c.at(r.field), EveryPort: r.ports == allPorts && len(r.gates) == 0 && len(r.without) == 0,
				Ports: n.ports.of(r.ports), Named: len(r.named) > 0, network: n, selectings: selectings, rule: r, peers: r.peers,
			}
			if len(r.parts) == 0 {
				base.EveryPeer = len(n.all().minus(r.peers.may)) == 0
				out = append(out, &base)
				continue
			}
			for _, part := range r.parts {
				one := base
				one.Place, one.Block, one.peers = c.at(part.field), part.block, part.peers
				out = append(out, &one)
			}
		}
	}
	return out
}

// A Passage is connections that policies of the sender and AWS let through:
// whether the receiver takes them is not asked.
type Passage struct {
	From []*Endpoint // workloads of which the same is true
	To   *Endpoint
	// Verdict is Allowed or Unknown.
	Verdict  Verdict
	Protocol Protocol
	Port     uint16

	network *Network
	pods    []uint32
	to      uint32
}

// Workloads returns those that an opening is for.
func (o *Opening) Workloads() []*Endpoint {
	var out []*Endpoint
	for _, s := range o.selectings {
		out = append(out, o.network.workloads(s.pods)...)
	}
	return out
}

// workloads returns those of pods, which stand together.
func (n *Network) workloads(pods []uint32) []*Endpoint {
	var out []*Endpoint
	for _, pod := range pods {
		if e := n.points[pod].endpoint; len(out) == 0 || out[len(out)-1] != e {
			out = append(out, e)
		}
	}
	return out
}

// Passages returns what gets through by an opening to the receivers that are
// wanted. It asks for each shortly before, with the first of the workloads that
// send to it, so that who has seen enough of its kind may say so; of pods it asks
// for the namespace before, and again behind each passage. That more pods are not
// wanted spares it all namespaces that follow: an opening may be to thousands.
func (o *Opening) Passages(wanted func(from, to *Endpoint) bool, wantedPods func(from *Endpoint, namespace string) (these, more bool)) iter.Seq[*Passage] {
	n := o.network
	return func(yield func(*Passage) bool) {
		r := *o.rule
		r.peers = o.peers
		for _, s := range o.selectings {
			rectangles, _ := n.rectangles(&r, s.filter, false, true)
			stopped := false
			first := n.points[s.pods[0]].endpoint
			for _, x := range rectangles {
				overlap(n.row(s.filter), x.points, func(lo, hi uint32, seg *segment) bool {
					open := n.ports.and(seg.open, x.ports)
					if open == noPorts {
						return true
					}
					sure := n.ports.and(seg.sure, x.ports)
					ask := true
					for to := lo; to < hi && !stopped; to++ {
						p := n.points[to]
						if to < n.pods && (ask || to == p.namespace.span.lo) {
							these, more := wantedPods(first, p.namespace.name)
							if ask = !these; ask {
								skipped := p.namespace.span.hi
								if !more {
									skipped = n.pods
								}
								to = min(hi, skipped) - 1
								continue
							}
						}
						if wanted(first, p.endpoint) {
							stopped, ask = !n.pass(s, to, p.endpoint, sure, open, yield), true
						}
					}
					return !stopped
				})
				if stopped {
					return
				}
			}
		}
	}
}

// pass yields what AWS leaves of an opening to a point.
func (n *Network) pass(s *selecting, to uint32, e *Endpoint, sure, open portsID, yield func(*Passage) bool) bool {
	vpcSure, vpcOpen := n.aws(s.pods[0], to)
	sure, open = n.ports.and(sure, vpcSure), n.ports.and(open, vpcOpen)
	if open == noPorts {
		return true
	}
	p := &Passage{From: n.workloads(s.pods), To: e, Verdict: Allowed, network: n, pods: s.pods, to: to}
	if sure == noPorts {
		p.Verdict, sure = Unknown, open
	}
	through := n.ports.of(sure)
	for _, first := range firstPorts(&through, 1) {
		p.Protocol, p.Port = first.Protocol, first.Port
	}
	return yield(p)
}

// Explain says how the pods of a workload get through.
func (p *Passage) Explain(from *Endpoint) *Answer {
	a := &Answer{From: from, To: p.To, Protocol: p.Protocol, Port: p.Port, Verdict: p.Verdict}
	for _, pod := range p.pods {
		if p.network.points[pod].endpoint == from {
			p.network.explainStraight(a, pod, p.to) // by the rule that opens it, whatever else does
			break
		}
	}
	return a
}

// A Gate is the ports that a rule of a policy opens in the pods that it selects,
// and where they stand.
type Gate struct {
	trace.Place
	EveryPort bool  // the rule names no ports
	Ports     Ports // that are named by number

	network    *Network
	selectings []*selecting
	rule       *rule
	ports      portsID
}

// Gates returns the ports that a policy opens by number in the pods of the wanted
// workloads. A port by name is one that the pod itself has.
func (p *Policy) Gates(wanted func(*Endpoint) bool) []*Gate {
	n := p.network
	var out []*Gate
	for _, c := range p.compiled {
		if !c.applies[Ingress] {
			continue
		}
		selectings := n.selecting(c, Ingress, wanted)
		if len(selectings) == 0 {
			continue
		}
		for i := range c.rules[Ingress] {
			r := &c.rules[Ingress][i]
			if r.action != allow {
				continue
			}
			if len(r.gates) == 0 {
				out = append(out, &Gate{
					Place: c.at(r.field), EveryPort: r.ports == allPorts, Ports: n.ports.of(r.ports),
					network: n, selectings: selectings, rule: r, ports: r.ports,
				})
			}
			for _, g := range r.gates {
				if g.ports != noPorts {
					out = append(out, &Gate{
						Place: c.at(g.field), Ports: n.ports.of(g.ports), network: n, selectings: selectings, rule: r, ports: g.ports,
					})
				}
			}
		}
	}
	return out
}

// An Open is the ports of a gate at which policies let somebody in to the pods
// of a workload: for certain, and at most.
type Open struct {
	Workload    *Endpoint
	Sure, Ports Ports

	gate *Gate
	pod  uint32
}

// Open returns what is open behind a gate, workload by workload.
func (g *Gate) Open() iter.Seq[*Open] {
	n := g.network
	return func(yield func(*Open) bool) {
		r := *g.rule
		r.ports, r.named = g.ports, nil
		for _, s := range g.selectings {
			sure, open := noPorts, noPorts
			rectangles, _ := n.rectangles(&r, s.filter, false, true)
			for _, x := range rectangles {
				overlap(n.row(s.filter), x.points, func(_, _ uint32, seg *segment) bool {
					sure = n.ports.or(sure, n.ports.and(seg.sure, x.ports))
					open = n.ports.or(open, n.ports.and(seg.open, x.ports))
					return sure != x.ports
				})
			}
			if open == noPorts {
				continue
			}
			var last *Endpoint
			for _, pod := range s.pods {
				e := n.points[pod].endpoint
				if e == last {
					continue
				}
				last = e
				if !yield(&Open{Workload: e, Sure: n.ports.of(sure), Ports: n.ports.of(open), gate: g, pod: pod}) {
					return
				}
			}
		}
	}
}

// Explain says how somebody gets in at a port.
func (o *Open) Explain(protocol Protocol, port uint16) *Answer {
	n := o.gate.network
	var from uint32
	overlap(n.row(n.written[Ingress][o.pod]), o.gate.rule.peers.may, func(lo, _ uint32, seg *segment) bool {
		from = lo
		return !n.has(seg.open, protocol, port)
	})
	a := &Answer{From: n.points[from].endpoint, To: o.Workload, Protocol: protocol, Port: port, Verdict: n.verdict(from, o.pod, protocol, port)}
	n.explain(a, from, o.pod)
	return a
}
