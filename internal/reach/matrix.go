package reach

import (
	"cmp"
	"math"
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
	// those and the ports of which that is not known. Cells with the same ports
	// share them: they are read only.
	Allowed, Possible *Ports
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
	from, to   uint32 // ends of a connection that gets through
}

// Matrix joins what all points reach of all points. It takes time linear in the
// connections that get through, and for pods that nothing isolates in the
// groups.
func (n *Network) Matrix(by Grouping) *Matrix {
	m, _ := n.MatrixWithin(by, math.MaxInt)
	return m
}

// MatrixWithin is Matrix of no more than so many cells. If there are more it
// gives up as soon as it knows: cells may be as many as the square of the groups.
func (n *Network) MatrixWithin(by Grouping, cells int) (m *Matrix, ok bool) {
	m = &Matrix{}
	group := m.fold(n, by)
	edges := map[uint64]edge{}
	key := func(from, to uint32) uint64 { return uint64(group[from])<<32 | uint64(uint32(group[to])) }
	holds := func(e edge, sure, open portsID) bool {
		return n.ports.and(e.sure, sure) == sure && n.ports.and(e.open, open) == open
	}
	ok = n.each(walk{
		runs: runsOf(group),
		holds: func(from, to uint32, sure, open portsID) bool {
			return group[from] < 0 || group[to] < 0 || holds(edges[key(from, to)], sure, open)
		},
		visit: func(from, to uint32, sure, open portsID) bool {
			if group[from] < 0 || group[to] < 0 {
				return true
			}
			key := key(from, to)
			e := edges[key]
			if holds(e, sure, open) {
				return true
			}
			if e.open == noPorts || e.sure == noPorts && sure != noPorts {
				e.from, e.to = from, to
			}
			e.sure, e.open = n.ports.or(e.sure, sure), n.ports.or(e.open, open)
			edges[key] = e
			return len(edges) <= cells
		},
	})
	if !ok {
		return nil, false
	}
	m.Cells = m.cells(n, edges)
	return m, true
}

// fold makes the groups, and returns the number of that of each point, -1 for
// none.
func (m *Matrix) fold(n *Network, by Grouping) []int32 {
	index := map[string]int{}
	group := make([]int32, len(n.points))
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
	return group
}

// cells returns the edges as cells, in order.
func (m *Matrix) cells(n *Network, edges map[uint64]edge) []Cell {
	keys := make([]uint64, 0, len(edges))
	for k := range edges {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	known := map[portsID]*Ports{}
	ports := func(id portsID) *Ports {
		p := known[id]
		if p == nil {
			of := n.ports.of(id)
			p = &of
			known[id] = p
		}
		return p
	}
	out := make([]Cell, 0, len(keys))
	for _, k := range keys {
		e := edges[k]
		out = append(out, Cell{
			From: m.Groups[k>>32], To: m.Groups[uint32(k)], Allowed: ports(e.sure), Possible: ports(e.open),
			Source: n.points[e.from].endpoint, Destination: n.points[e.to].endpoint,
		})
	}
	return out
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
