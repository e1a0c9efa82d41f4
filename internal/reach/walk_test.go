package reach

import (
	"testing"

	"github.com/eksafe/eksafe/internal/trace"
)

// What is passed over, as it adds nothing to a cell, would have added nothing.
func TestMatrixIsBetween(t *testing.T) {
	first, last := seeds(t)
	for seed := first; seed < last; seed++ {
		e := newGenerator(seed).estate()
		n := New(trace.New(e))
		for name, by := range map[string]Grouping{
			"name":      byWorkload,
			"namespace": byNamespace,
			"kind":      func(e *Endpoint) string { return string(e.Kind) },
		} {
			type pair struct{ from, to string }
			type ports struct{ sure, open portsID }
			want := map[pair]ports{}
			for from := range uint32(len(n.points)) {
				for to := range uint32(len(n.points)) {
					a, b := n.points[from].endpoint, n.points[to].endpoint
					if !a.initiates() || n.itself(from, to) || n.nodes.has(to) || from >= n.atoms && to >= n.atoms {
						continue
					}
					sure, open := n.between(from, to)
					if key := (pair{by(a), by(b)}); open != noPorts {
						want[key] = ports{n.ports.or(want[key].sure, sure), n.ports.or(want[key].open, open)}
					}
				}
			}
			m := n.Matrix(by)
			if len(m.Cells) != len(want) {
				t.Errorf("seed %d, by %s: %d cells, want %d", seed, name, len(m.Cells), len(want))
			}
			for i := range m.Cells {
				c := &m.Cells[i]
				key := pair{c.From.Name, c.To.Name}
				if got := (ports{n.ports.id(*c.Allowed), n.ports.id(*c.Possible)}); got != want[key] {
					t.Fatalf("seed %d, by %s: %v is %s, possibly %s; want %v\n%s", seed, name, key, c.Allowed, c.Possible, want[key], dump(e))
				}
				if pair := (pair{by(c.Source), by(c.Destination)}); pair != key {
					t.Errorf("seed %d, by %s: the witness of %v is %v", seed, name, key, pair)
				}
			}
		}
	}
}

func byNamespace(e *Endpoint) string {
	if e.Workload == nil {
		return e.Name
	}
	return e.Namespace
}

// A matrix has as many cells as are allowed, or there is none.
func TestMatrixWithin(t *testing.T) {
	n := New(trace.New(size{3, 4, 2}.estate()))
	whole := n.Matrix(byWorkload)
	for _, cells := range []int{len(whole.Cells), len(whole.Cells) + 1} {
		if m, ok := n.MatrixWithin(byWorkload, cells); !ok || len(m.Cells) != len(whole.Cells) {
			t.Errorf("%d cells of %d are refused", len(whole.Cells), cells)
		}
	}
	for _, cells := range []int{0, 1, len(whole.Cells) - 1} {
		if m, ok := n.MatrixWithin(byWorkload, cells); ok || m != nil {
			t.Errorf("a matrix of %d cells has %d", cells, len(whole.Cells))
		}
	}
}

// A walk ends at once, wherever it is: among the pairs that policies limit,
// those that nothing limits, and those that get through by ports of nodes.
func TestEachStops(t *testing.T) {
	first, last := seeds(t)
	for seed := first; seed < last; seed++ {
		n := New(trace.New(newGenerator(seed).estate()))
		alone := make([]uint32, len(n.points))
		for i := range alone {
			alone[i] = uint32(i) + 1
		}
		walked := func(most int) (told int, whole bool) {
			whole = n.each(walk{runs: alone, visit: func(uint32, uint32, portsID, portsID) bool {
				told++
				return told != most
			}})
			return told, whole
		}
		all, whole := walked(-1)
		if !whole {
			t.Fatalf("seed %d: it stopped by itself", seed)
		}
		step := max(all/40, 1)
		for most := all; most > 0; most -= step {
			if told, whole := walked(most); told != most || whole {
				t.Fatalf("seed %d: told %d pairs of %d where it should stop at %d", seed, told, all, most)
			}
		}
	}
}
