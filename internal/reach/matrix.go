package reach

import (
	"cmp"
	"slices"
)

// A Grouping puts endpoints together that a matrix shows as one; "" leaves one
// out.
type Grouping func(*Endpoint) string

// A Group is endpoints that a matrix shows as one.
type Group struct {
	Name      string
	Kind      EndpointKind // of its first endpoint
	Namespace string       // of its first endpoint
	Endpoints []*Endpoint

	index int // among the groups of its matrix
}

// A Cell is what a group reaches of another one; cells through which nothing
// gets are none.
type Cell struct {
	From, To *Group
	// Allowed are the ports that some of From reach on some of To; Possible are
	// those and the ports of which that is not known.
	Allowed, Possible Ports
	// Source and Destination are ends of a connection that gets through.
	Source, Destination *Endpoint
}

// Verdict is Allowed if any port is.
func (c *Cell) Verdict() Verdict {
	if c.Allowed.Empty() {
		return Unknown
	}
	return Allowed
}

// A Matrix is who reaches whom.
type Matrix struct {
	Groups []*Group
	Cells  []Cell // by the order of groups, From before To
}

// Cell returns the cell of two groups, nil if nothing gets through.
func (m *Matrix) Cell(from, to *Group) *Cell {
	i, ok := slices.BinarySearchFunc(m.Cells, [2]*Group{from, to}, func(c Cell, want [2]*Group) int {
		return cmp.Or(cmp.Compare(m.order(c.From), m.order(want[0])), cmp.Compare(m.order(c.To), m.order(want[1])))
	})
	if !ok {
		return nil
	}
	return &m.Cells[i]
}

func (m *Matrix) order(g *Group) int { return g.index }

// An edge is a cell while it is made.
type edge struct {
	sure, open portsID
	from, to   uint32
	found      bool
}

// Matrix joins what all points reach of all points. It takes time linear in the
// connections that get through, and for pods that nothing isolates in the
// groups.
func (n *Network) Matrix(by Grouping) *Matrix {
	m := &Matrix{}
	index := map[string]int{}
	group := make([]int32, len(n.points)) // of each point, -1 for none
	for i := range group {
		group[i] = -1
	}
	for _, e := range n.endpoints {
		name := by(e)
		if name == "" {
			continue
		}
		at, ok := index[name]
		if !ok {
			at = len(m.Groups)
			index[name] = at
			m.Groups = append(m.Groups, &Group{Name: name, Kind: e.Kind, Namespace: e.Namespace, index: at})
		}
		m.Groups[at].Endpoints = append(m.Groups[at].Endpoints, e)
		for p := range e.points.points() {
			group[p] = int32(at)
		}
	}
	edges := map[uint64]edge{}
	key := func(from, to uint32) uint64 { return uint64(group[from])<<32 | uint64(uint32(group[to])) }
	settled := func(from, to uint32) bool {
		return group[from] < 0 || group[to] < 0 || edges[key(from, to)].sure == allPorts
	}
	n.each(runsOf(group), settled, func(from, to uint32, sure, open portsID) {
		if group[from] < 0 || group[to] < 0 {
			return
		}
		key := key(from, to)
		e, ok := edges[key]
		if ok && e.sure == allPorts {
			return
		}
		if !e.found || e.sure == noPorts && sure != noPorts {
			e.from, e.to, e.found = from, to, true
		}
		e.sure, e.open = n.ports.or(e.sure, sure), n.ports.or(e.open, open)
		edges[key] = e
	})
	keys := make([]uint64, 0, len(edges))
	for k := range edges {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	m.Cells = make([]Cell, 0, len(keys))
	for _, k := range keys {
		e := edges[k]
		m.Cells = append(m.Cells, Cell{
			From: m.Groups[k>>32], To: m.Groups[uint32(k)], Allowed: n.ports.of(e.sure), Possible: n.ports.of(e.open),
			Source: n.points[e.from].endpoint, Destination: n.points[e.to].endpoint,
		})
	}
	return m
}

// runsOf returns of each point where its run of points of one group ends.
func runsOf(group []int32) []uint32 {
	out := make([]uint32, len(group))
	end := uint32(len(group))
	for i := len(group) - 1; i >= 0; i-- {
		if group[i] != group[min(i+1, len(group)-1)] {
			end = uint32(i) + 1
		}
		out[i] = end
	}
	return out
}

// each calls visit for every pair of points between which something may get
// through. Addresses among each other are none of eksafe's business. Runs of
// points that are alike to the caller are passed over once they are settled:
// where nothing isolates, most are. What gets through by a port of nodes is
// visited once more. The nodes themselves are asked about by name alone.
func (n *Network) each(runs []uint32, settled func(from, to uint32) bool, visit func(from, to uint32, sure, open portsID)) {
	through := func(from, to uint32, sure, open portsID) {
		if open == noPorts || n.itself(from, to) || n.nodes.has(to) {
			return
		}
		if n.guards[Egress].points.has(from) || n.guards[Ingress].points.has(to) {
			sure = noPorts // what guards the host is not computed
		}
		s, o := n.aws(from, to)
		if sure, open = n.ports.and(sure, s), n.ports.and(open, o); open == noPorts {
			return
		}
		if sure, open = n.mesh.through(from, to, sure, open); open != noPorts {
			visit(from, to, sure, open)
		}
	}
	limits := func(d Direction, p uint32) *filter {
		if p >= n.pods {
			return nil
		}
		if f := n.filters[d][p]; f != nil {
			return f
		}
		return nil
	}
	doors, widths := n.doors(limits), map[*filter]int{}
	// Senders that nothing limits are walked from the side of the receivers.
	var free set
	for p := range uint32(len(n.points)) {
		if !n.points[p].endpoint.initiates() {
			continue
		}
		f := limits(Egress, p)
		if f == nil {
			free = free.extend(p, p+1)
			continue
		}
		// Of the receivers that limit who sends to them, those are walked that let
		// this one in, or those that it may send to: whichever are fewer.
		if byReceiver := doors.letIn(p); byReceiver < width(widths, f) {
			doors.each(p, func(to uint32, in *filter) {
				s, o := f.at(to)
				if o == noPorts {
					return
				}
				sure, open := in.at(p)
				through(p, to, n.ports.and(s, sure), n.ports.and(o, open))
			})
			for _, s := range f.segments {
				if s.open == noPorts {
					continue
				}
				for _, sp := range doors.open.intersect(set{{s.lo, s.hi}}) {
					for to := sp.lo; to < sp.hi; to++ {
						if runs[to] > to+1 && settled(p, to) {
							to = runs[to] - 1
							continue
						}
						through(p, to, s.sure, s.open)
					}
				}
			}
			continue
		}
		for _, s := range f.segments {
			if s.open == noPorts {
				continue
			}
			for to := s.lo; to < s.hi; to++ {
				if runs[to] > to+1 && settled(p, to) {
					to = runs[to] - 1
					continue
				}
				if in := limits(Ingress, to); in == nil {
					through(p, to, s.sure, s.open)
				} else if sure, open := in.at(p); open != noPorts {
					through(p, to, n.ports.and(s.sure, sure), n.ports.and(s.open, open))
				}
			}
		}
	}
	pods := interval(0, n.atoms)
	for to := range uint32(len(n.points)) {
		senders := free
		if to >= n.atoms {
			senders = free.intersect(pods)
		}
		in := limits(Ingress, to)
		if in == nil {
			for _, s := range senders {
				for from := s.lo; from < s.hi; from++ {
					if runs[from] > from+1 && settled(from, to) {
						from = runs[from] - 1
						continue
					}
					through(from, to, allPorts, allPorts)
				}
			}
			continue
		}
		for _, s := range in.segments {
			if s.open == noPorts {
				continue
			}
			for from := range senders.intersect(set{{s.lo, s.hi}}).points() {
				through(from, to, s.sure, s.open)
			}
		}
	}
	n.eachEntering(runs, settled, visit)
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

// each calls visit for every receiver with a filter that may let a sender in.
func (d *doorways) each(from uint32, visit func(to uint32, in *filter)) {
	for _, list := range [2][]int32{d.narrow[from], d.wide} {
		for _, i := range list {
			for _, to := range d.filters[i].behind {
				visit(to, d.filters[i].filter)
			}
		}
	}
}
