package reach

import (
	"slices"
	"sync"
)

// A walk is who is told what gets through, pair by pair.
type walk struct {
	// runs says of each point where its run of points ends that are alike to who is
	// told: points of one group.
	runs []uint32
	// holds reports whether to be told of these ports, or of some of them, would
	// add nothing for two points nor for those of the run of either. It is asked of
	// runs of more than one point.
	holds func(from, to uint32, sure, open portsID) bool
	// visit is told of a pair. It returns whether to go on.
	visit func(from, to uint32, sure, open portsID) bool
}

// each tells of every pair of points between which something may get through,
// and returns whether it came to the end. Addresses among each other are none of
// eksafe's business. Points that would add nothing are passed over by runs: where
// nothing isolates, most are. What gets through by a port of nodes is told once
// more. The nodes themselves are asked about by name alone.
func (n *Network) each(w walk) bool {
	p := &pairs{walk: w, network: n}
	p.doors, p.widths = n.doors(p.limits), map[*filter]int{}
	// Senders that nothing limits are walked from the side of the receivers.
	var free set
	for from := range uint32(len(n.points)) {
		if !n.points[from].endpoint.initiates() {
			continue
		}
		f := p.limits(Egress, from)
		if f == nil {
			free = free.extend(from, from+1)
		} else if !p.sends(from, f) {
			return false
		}
	}
	pods := interval(0, n.atoms)
	for to := range uint32(len(n.points)) {
		senders := free
		if to >= n.atoms {
			senders = free.intersect(pods)
		}
		if !p.receives(to, senders) {
			return false
		}
	}
	return n.eachEntering(w)
}

// pairs is a walk on its way.
type pairs struct {
	walk
	network *Network
	doors   *doorways
	widths  map[*filter]int
}

// limits returns what limits a pod in a direction, nil for nothing.
func (p *pairs) limits(d Direction, point uint32) *filter {
	if point >= p.network.pods {
		return nil
	}
	return p.network.filters[d][point]
}

// tell tells of a pair that policies let through.
func (p *pairs) tell(from, to uint32, sure, open portsID) bool {
	n := p.network
	if open == noPorts || n.itself(from, to) || n.nodes.has(to) {
		return true
	}
	if n.guards[Egress].points.has(from) || n.guards[Ingress].points.has(to) {
		sure = noPorts // what guards the host is not computed
	}
	s, o := n.aws(from, to)
	if sure, open = n.ports.and(sure, s), n.ports.and(open, o); open == noPorts {
		return true
	}
	sure, open = n.mesh.through(from, to, sure, open)
	return open == noPorts || p.visit(from, to, sure, open)
}

// known reports whether what policies let through would add nothing for the runs
// of two points. The tunnel of a mesh carries more ports than they see.
func (p *pairs) known(from, to uint32, sure, open portsID) bool {
	if p.network.mesh.carries {
		sure, open = allPorts, allPorts
	}
	return p.holds(from, to, sure, open)
}

// toward tells of one sender and a span of receivers.
func (p *pairs) toward(from uint32, to span, sure, open portsID) bool {
	n := p.network
	for at := to.lo; at < to.hi; at++ {
		if p.runs[at] > at+1 && p.known(from, at, sure, open) {
			at = p.runs[at] - 1
			continue
		}
		s, o := sure, open
		if in := p.limits(Ingress, at); in != nil {
			s, o = in.at(from)
			s, o = n.ports.and(sure, s), n.ports.and(open, o)
		}
		if !p.tell(from, at, s, o) {
			return false
		}
	}
	return true
}

// sends tells of a sender that is limited. Of the receivers that limit who sends
// to them, those are walked that let this one in, or those that it may send to:
// whichever are fewer.
func (p *pairs) sends(from uint32, f *filter) bool {
	n := p.network
	within := n.all()
	if p.doors.letIn(from) < width(p.widths, f) {
		if !p.doors.each(from, func(to uint32, in *filter) bool {
			s, o := f.at(to)
			if o == noPorts {
				return true
			}
			sure, open := in.at(from)
			return p.tell(from, to, n.ports.and(s, sure), n.ports.and(o, open))
		}) {
			return false
		}
		within = p.doors.open
	}
	for _, s := range f.segments {
		if s.open == noPorts {
			continue
		}
		for _, to := range within.intersect(set{{s.lo, s.hi}}) {
			if !p.toward(from, to, s.sure, s.open) {
				return false
			}
		}
	}
	return true
}

// receives tells of a receiver and senders that nothing limits.
func (p *pairs) receives(to uint32, senders set) bool {
	segments := []segment{{0, uint32(len(p.network.points)), allPorts, allPorts}}
	if in := p.limits(Ingress, to); in != nil {
		segments = in.segments
	}
	for _, s := range segments {
		if s.open == noPorts {
			continue
		}
		for _, from := range senders.intersect(set{{s.lo, s.hi}}) {
			for at := from.lo; at < from.hi; at++ {
				if p.runs[at] > at+1 && p.known(at, to, s.sure, s.open) {
					at = p.runs[at] - 1
				} else if !p.tell(at, to, s.sure, s.open) {
					return false
				}
			}
		}
	}
	return true
}

// width returns how many points a filter lets anything through to.
func width(known map[*filter]int, f *filter) int {
	w, ok := known[f]
	if !ok {
		for _, s := range f.segments {
			if s.open != noPorts {
				w += int(s.hi - s.lo)
			}
		}
		known[f] = w
	}
	return w
}

// doorways is the receivers by who may send to them.
type doorways struct {
	open    set       // receivers that nothing limits
	filters []doorway // those of the others
	narrow  [][]int32 // by sender, the filters that let it in
	wide    []int32   // filters that let in a large part of all
	crowd   int       // receivers behind those
	counts  []int     // by sender, receivers behind narrow filters
}

// A doorway is the receivers that share a filter.
type doorway struct {
	filter *filter
	behind []uint32
}

// wideShare is the part of all points from which on a filter is not listed by
// its senders: lists of everybody would be as large as the square of them.
const wideShare = 8

func (n *Network) doors(limits func(Direction, uint32) *filter) *doorways {
	d := &doorways{narrow: make([][]int32, len(n.points)), counts: make([]int, len(n.points))}
	index := map[*filter]int32{}
	for to := range uint32(len(n.points)) {
		f := limits(Ingress, to)
		if f == nil {
			d.open = d.open.extend(to, to+1)
			continue
		}
		at, ok := index[f]
		if !ok {
			at = int32(len(d.filters))
			index[f] = at
			d.filters = append(d.filters, doorway{filter: f})
		}
		d.filters[at].behind = append(d.filters[at].behind, to)
	}
	widths := map[*filter]int{}
	for i := range d.filters {
		f, behind := d.filters[i].filter, len(d.filters[i].behind)
		if width(widths, f) > len(n.points)/wideShare {
			d.wide = append(d.wide, int32(i))
			d.crowd += behind
			continue
		}
		for _, s := range f.segments {
			if s.open == noPorts {
				continue
			}
			for from := s.lo; from < s.hi; from++ {
				d.narrow[from] = append(d.narrow[from], int32(i))
				d.counts[from] += behind
			}
		}
	}
	return d
}

// letIn returns how many receivers may let a sender in.
func (d *doorways) letIn(from uint32) int { return d.crowd + d.counts[from] }

// each calls visit for every receiver with a filter that may let a sender in,
// until it returns false.
func (d *doorways) each(from uint32, visit func(to uint32, in *filter) bool) bool {
	for _, list := range [2][]int32{d.narrow[from], d.wide} {
		for _, i := range list {
			for _, to := range d.filters[i].behind {
				if !visit(to, d.filters[i].filter) {
					return false
				}
			}
		}
	}
	return true
}

// A caller is senders of which an entrance cannot tell one from another, but for
// what the policies of the pod behind it say of their addresses.
type caller struct {
	points set
	first  uint32
}

// callers returns all senders, by what Network.entering asks of one.
func (n *Network) callers() []caller {
	type kind struct {
		egress             *filter
		class, source      uint32 // to AWS and to the mesh
		pod, host, guarded bool
		outside            bool   // addresses
		predicted          uint32 // the point after it: each is led on its own ways
	}
	var out []caller
	index := map[kind]int{}
	for from := range uint32(len(n.points)) {
		if !n.points[from].endpoint.initiates() {
			continue
		}
		k := kind{
			class: n.vpc.classOf[from], pod: from < n.pods, host: n.points[from].host,
			guarded: n.guards[Egress].points.has(from), outside: from >= n.atoms,
		}
		if k.pod {
			k.egress = n.filters[Egress][from]
		}
		if !n.mesh.idle {
			k.source = n.mesh.source[from]
		}
		if n.predicted(from) != nil {
			k.predicted = from + 1
		}
		at, ok := index[k]
		if !ok {
			at = len(out)
			index[k] = at
			out = append(out, caller{first: from})
		}
		out[at].points = out[at].points.extend(from, from+1)
	}
	return out
}

// eachEntering tells of every pair of points between which something may get
// through by an entrance, as each does. Callers are asked about a pod as one.
func (n *Network) eachEntering(w walk) bool {
	callers := sync.OnceValue(n.callers)
	type place struct {
		at    uint32
		crowd bool
	}
	near := map[place]map[portsID][]int{}
	// nearTo returns the callers by what they reach of nodes at most.
	nearTo := func(e *entrance) map[portsID][]int {
		by := near[place{e.at, e.crowd}]
		if by == nil {
			by = map[portsID][]int{}
			for i, c := range callers() {
				_, open := n.approach(c.first, e)
				by[open] = append(by[open], i)
			}
			near[place{e.at, e.crowd}] = by
		}
		return by
	}
	var knocking []int
	for i, entrances := range n.entrances {
		to := uint32(i)
		knocking = knocking[:0]
		for j := range entrances {
			e := &entrances[j]
			for open, some := range nearTo(e) {
				if n.ports.and(open, e.outer) != noPorts {
					knocking = append(knocking, some...)
				}
			}
			if _, open := n.policiesOnNodes(e, to); !e.masked || n.ports.and(open, e.leads) == noPorts {
				continue
			}
			for k, c := range callers() {
				if _, open := n.passes(Egress, c.first, to); c.first < n.pods && n.ports.and(open, e.leads) != noPorts {
					knocking = append(knocking, k)
				}
			}
		}
		slices.Sort(knocking)
		for _, k := range slices.Compact(knocking) {
			if !n.enteringAs(w, &callers()[k], to) {
				return false
			}
		}
	}
	return true
}

// enteringAs tells of what gets from a caller to a pod by entrances.
func (n *Network) enteringAs(w walk, c *caller, to uint32) bool {
	segments := []segment{{0, uint32(len(n.points)), allPorts, allPorts}}
	if in := n.filters[Ingress][to]; in != nil && slices.ContainsFunc(n.entrances[to], func(e entrance) bool { return !e.masked }) {
		segments = in.segments
	}
	var asked segment // the one for which sure and open are
	var sure, open portsID
	for _, sp := range c.points {
		at, _ := slices.BinarySearchFunc(segments, sp.lo, func(s segment, p uint32) int {
			if s.hi <= p {
				return -1
			}
			return 1
		})
		for lo := sp.lo; lo < sp.hi; at++ {
			s := segments[at]
			hi := min(s.hi, sp.hi)
			if asked.hi == 0 || s.sure != asked.sure || s.open != asked.open {
				sure, open = n.entering(lo, to)
				asked = s
			}
			if open != noPorts && !n.tellEntering(w, span{lo, hi}, to, sure, open) {
				return false
			}
			lo = hi
		}
	}
	return true
}

// tellEntering tells of what gets from each of some senders to a pod.
func (n *Network) tellEntering(w walk, senders span, to uint32, sure, open portsID) bool {
	for from := senders.lo; from < senders.hi; from++ {
		switch {
		case n.itself(from, to):
		case w.runs[from] > from+1 && w.holds(from, to, sure, open):
			from = w.runs[from] - 1
		case !w.visit(from, to, sure, open):
			return false
		}
	}
	return true
}
