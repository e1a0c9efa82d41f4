package reach

import (
	"cmp"
	"net/netip"
	"slices"

	"github.com/eksafe/eksafe/internal/trace"
)

// A Change is ports that one endpoint reaches on another in one of two estates
// only.
type Change struct {
	From, To string
	Opened   Ports // in the second alone
	Closed   Ports // in the first alone
}

// Diff says what opened and what closed from one estate to another. What only
// one of them holds counts: a new workload opens what it reaches. What is not
// known counts as open.
func Diff(before, after *trace.Graph) []Change {
	// Both are cut at the borders of both, so that addresses can be compared.
	blocks := slices.Concat(blocksOf(before), blocksOf(after))
	a, b := newNetwork(before, blocks), newNetwork(after, blocks)
	old, now := a.relation(), b.relation()
	changes := map[[2]string]*Change{}
	change := func(pair [2]string) *Change {
		if changes[pair] == nil {
			changes[pair] = &Change{From: pair[0], To: pair[1]}
		}
		return changes[pair]
	}
	for pair, id := range now {
		ports, was := b.ports.of(id), a.ports.of(old[pair])
		if more := ports.Minus(&was); !more.Empty() {
			change(pair).Opened = more
		}
	}
	for pair, id := range old {
		ports, is := a.ports.of(id), b.ports.of(now[pair])
		if less := ports.Minus(&is); !less.Empty() {
			change(pair).Closed = less
		}
	}
	out := make([]Change, 0, len(changes))
	for _, c := range changes {
		out = append(out, *c)
	}
	slices.SortFunc(out, func(x, y Change) int { return cmp.Or(cmp.Compare(x.From, y.From), cmp.Compare(x.To, y.To)) })
	return foldAddresses(out)
}

func blocksOf(g *trace.Graph) []netip.Prefix {
	n := &Network{graph: g, vpc: newVPC(g)}
	return n.blocks()
}

// relation is what gets through between all endpoints, addresses by atom.
func (n *Network) relation() map[[2]string]portsID {
	out := map[[2]string]portsID{}
	// Names are compared, as identities of templates hold the path of their file;
	// what shares its name with another has its identity alone.
	sharers := map[string]int{}
	for _, e := range n.endpoints {
		sharers[e.Name]++
	}
	name := make([]string, len(n.points))
	for i, p := range n.points {
		name[i] = p.endpoint.Name
		if uint32(i) >= n.atoms {
			name[i] = n.describe(uint32(i))
		} else if p.endpoint.Workload == nil && sharers[p.endpoint.Name] > 1 {
			name[i] = p.endpoint.Ref.ID
		}
	}
	each := make([]uint32, len(n.points)) // every point is a run of its own
	for i := range each {
		each[i] = uint32(i) + 1
	}
	n.each(walk{runs: each, visit: func(from, to uint32, _, open portsID) bool {
		if from != to {
			pair := [2]string{name[from], name[to]}
			out[pair] = n.ports.or(out[pair], open)
		}
		return true
	}})
	return out
}

// foldAddresses joins changes of one endpoint to ranges that follow each other.
func foldAddresses(in []Change) []Change {
	type end struct{ first, last netip.Addr }
	parse := func(text string) (end, bool) {
		if a, err := netip.ParseAddr(text); err == nil {
			return end{a, a}, true
		}
		for i := range text {
			if text[i] != '-' {
				continue
			}
			first, err := netip.ParseAddr(text[:i])
			last, err2 := netip.ParseAddr(text[i+1:])
			return end{first, last}, err == nil && err2 == nil
		}
		return end{}, false
	}
	join := func(list []Change, side func(*Change) *string) []Change {
		out := make([]Change, 0, len(list))
		ends := map[string]int{} // what follows an address, by the rest of the change
		slices.SortStableFunc(list, func(a, b Change) int {
			x, okX := parse(*side(&a))
			y, okY := parse(*side(&b))
			if !okX || !okY {
				return 0
			}
			return x.first.Compare(y.first)
		})
		for _, c := range list {
			e, ok := parse(*side(&c))
			if !ok {
				out = append(out, c)
				continue
			}
			rest := c
			*side(&rest) = ""
			key := rest.From + "\x00" + rest.To + "\x00" + rest.Opened.String() + "\x00" + rest.Closed.String()
			if i, found := ends[key+"\x00"+e.first.String()]; found {
				was, _ := parse(*side(&out[i]))
				*side(&out[i]) = was.first.String() + "-" + e.last.String()
				ends[key+"\x00"+e.last.Next().String()] = i
				continue
			}
			ends[key+"\x00"+e.last.Next().String()] = len(out)
			out = append(out, c)
		}
		return out
	}
	out := join(in, func(c *Change) *string { return &c.To })
	out = join(out, func(c *Change) *string { return &c.From })
	slices.SortStableFunc(out, func(x, y Change) int { return cmp.Or(cmp.Compare(x.From, y.From), cmp.Compare(x.To, y.To)) })
	return out
}
