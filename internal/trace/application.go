package trace

import (
	"cmp"
	"slices"

	"github.com/eksafe/eksafe/internal/estate"
)

// maxPaths bounds the paths of one application: workloads that all call each
// other have more ways than anybody reads.
const maxPaths = 64

// maxHops bounds one path, so that an estate in which everything calls
// something else stays linear to trace.
const maxHops = 16

// applications groups the workloads and finds their paths.
func (g *Graph) applications() {
	ws := estate.Workloads.In(g.Estate)
	number := make(map[*estate.Workload]int, len(ws))
	for i, w := range ws {
		number[w] = i
	}
	sets := newSets(len(ws))
	// Workloads that say they are parts of one application are.
	parts := map[[3]string]int{}
	for i, w := range ws {
		key, value := partOf(w)
		if value == "" {
			continue
		}
		k := [3]string{w.Namespace, key, value}
		if first, ok := parts[k]; ok {
			sets.join(first, i)
		} else {
			parts[k] = i
		}
	}
	together := func(group []*estate.Workload) {
		first := -1
		for _, w := range group {
			if label, _ := partOf(w); label == "app.kubernetes.io/part-of" {
				continue // its own word counts more than how it is reached
			}
			if i := number[w]; first < 0 {
				first = i
			} else if ws[first].Namespace == w.Namespace {
				sets.join(first, i)
			}
		}
	}
	// So are those behind one Service, and behind the rules of one Ingress.
	for _, s := range estate.Services.In(g.Estate) {
		together(g.index.selected[s])
	}
	for _, lb := range g.LoadBalancers {
		if len(lb.DeclaredBy) != 1 {
			continue
		}
		var group []*estate.Workload
		for _, l := range lb.Listeners {
			for _, r := range l.Rules {
				for _, t := range r.Targets {
					group = append(group, t.Workloads...)
				}
			}
		}
		together(group)
	}
	g.joinPrivate(ws, number, sets)

	byRoot := map[int]*Application{}
	for i, w := range ws {
		root := sets.find(i)
		app := byRoot[root]
		if app == nil {
			app = &Application{Namespace: w.Namespace}
			byRoot[root] = app
			g.Applications = append(g.Applications, app)
		}
		app.Workloads = append(app.Workloads, w)
	}
	entries := g.entriesByWorkload()
	for _, app := range g.Applications {
		slices.SortFunc(app.Workloads, func(a, b *estate.Workload) int {
			return cmp.Compare(estate.Workloads.Ref(a).ID, estate.Workloads.Ref(b).ID)
		})
		app.Name = applicationName(app, entries)
		for _, w := range app.Workloads {
			exposed, _ := g.Exposure(estate.Workloads.Ref(w))
			app.Exposed = max(app.Exposed, exposed)
		}
		g.paths(app, entries)
	}
	slices.SortStableFunc(g.Applications, func(a, b *Application) int {
		return cmp.Or(cmp.Compare(b.Exposed, a.Exposed), cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
	})
}

// partOf returns the label by which a workload says what it belongs to.
func partOf(w *estate.Workload) (label, value string) {
	for _, label := range []string{"app.kubernetes.io/part-of", "app.kubernetes.io/name"} {
		for _, labels := range []map[string]string{w.Labels, w.Template.Labels} {
			if v := labels[label]; v != "" {
				return label, v
			}
		}
	}
	return "", ""
}

// joinPrivate gives a workload that has no entry of its own, and that only one
// application of its namespace calls, to that application.
func (g *Graph) joinPrivate(ws []*estate.Workload, number map[*estate.Workload]int, sets *sets) {
	callers := map[int][]int{}
	for _, h := range g.Hops {
		if h.Leg == ServiceLeg {
			callers[number[h.Server]] = append(callers[number[h.Server]], number[h.Client])
		}
	}
	// A chain of private workloads needs one round a link; it is short.
	for range 4 {
		changed := false
		for i, w := range ws {
			from := callers[i]
			if len(from) == 0 {
				continue
			}
			if label, _ := partOf(w); label == "app.kubernetes.io/part-of" {
				continue
			}
			if x, _ := g.Exposure(estate.Workloads.Ref(w)); x != NoEntry {
				continue
			}
			root, one := sets.find(from[0]), true
			for _, c := range from {
				one = one && sets.find(c) == root && ws[c].Namespace == w.Namespace
			}
			if one && sets.find(i) != root {
				sets.join(root, i)
				changed = true
			}
		}
		if !changed {
			return
		}
	}
}

func applicationName(app *Application, entries map[*estate.Workload][]way) string {
	named := ""
	for _, w := range app.Workloads {
		label, value := partOf(w)
		if label == "app.kubernetes.io/part-of" {
			return value
		}
		named = cmp.Or(named, value)
	}
	if len(app.Workloads) > 1 {
		for _, w := range app.Workloads {
			if len(entries[w]) > 0 {
				return w.Name
			}
		}
	}
	if named != "" {
		return named
	}
	return app.Workloads[0].Name
}

// A way is how data comes to a workload from outside the cluster.
type way []*Hop

func (g *Graph) entriesByWorkload() map[*estate.Workload][]way {
	out := map[*estate.Workload][]way{}
	for _, lb := range g.LoadBalancers {
		for _, e := range lb.entries {
			for _, r := range e.listener.Rules {
				for _, t := range r.Targets {
					for i, h := range t.Hops {
						w := t.Workloads[i]
						for _, o := range lb.origins {
							out[w] = appendWay(out[w], way{o.view, o.fetch, h})
						}
						out[w] = appendWay(out[w], way{e.hop, h})
					}
				}
			}
		}
	}
	return out
}

// appendWay adds a way unless it is there: two rules may lead to one target.
func appendWay(ways []way, w way) []way {
	if slices.ContainsFunc(ways, func(have way) bool { return slices.Equal(have, w) }) {
		return ways
	}
	return append(ways, w)
}

// paths finds the paths of an application: from every entry of its workloads
// to where data rests, and for workloads that no entry leads to, from
// themselves.
func (g *Graph) paths(app *Application, entries map[*estate.Workload][]way) {
	walker := walker{graph: g, app: app, on: map[string]bool{}, seen: map[string]bool{}}
	for _, w := range app.Workloads {
		for _, e := range entries[w] {
			walker.hops = append(walker.hops[:0], e...)
			walker.walk(estate.Workloads.Ref(w).ID)
		}
	}
	// What calls begin with a workload that no path has come by.
	called := map[string]bool{}
	for _, w := range app.Workloads {
		for _, h := range g.from[estate.Workloads.Ref(w).ID] {
			if h.Leg == ServiceLeg {
				called[h.To.ID] = true
			}
		}
	}
	for _, onlyRoots := range []bool{true, false} {
		for _, w := range app.Workloads {
			ref := estate.Workloads.Ref(w).ID
			if walker.seen[ref] || onlyRoots && called[ref] || len(g.from[ref]) == 0 {
				continue
			}
			walker.hops = walker.hops[:0]
			walker.walk(ref)
		}
	}
}

type walker struct {
	graph *Graph
	app   *Application
	hops  []*Hop
	on    map[string]bool // workloads of the current path
	seen  map[string]bool // workloads of any path
}

// walk follows the hops from a workload. Every leaf is a path; a call back to
// where the path came from is none.
func (w *walker) walk(ref string) {
	if len(w.app.Paths) >= maxPaths {
		w.app.Omitted++
		return
	}
	w.on[ref], w.seen[ref] = true, true
	defer delete(w.on, ref)
	leaf := true
	for _, h := range w.graph.from[ref] {
		if w.on[h.To.ID] {
			continue
		}
		leaf = false
		w.hops = append(w.hops, h)
		switch {
		case len(w.hops) >= maxHops:
			w.app.Omitted++
			w.emit()
		case h.To.Kind == estate.Workloads.Kind || h.To.Kind == estate.DBProxies.Kind:
			w.walk(h.To.ID)
		default:
			w.emit()
		}
		w.hops = w.hops[:len(w.hops)-1]
	}
	if leaf && len(w.hops) > 0 {
		w.emit()
	}
}

func (w *walker) emit() {
	if len(w.app.Paths) >= maxPaths {
		w.app.Omitted++
		return
	}
	w.app.Paths = append(w.app.Paths, Path{Hops: slices.Clone(w.hops)})
}

// sets is a union-find structure.
type sets struct{ parent []int }

func newSets(n int) *sets {
	s := &sets{make([]int, n)}
	for i := range s.parent {
		s.parent[i] = i
	}
	return s
}

func (s *sets) find(i int) int {
	for s.parent[i] != i {
		s.parent[i] = s.parent[s.parent[i]]
		i = s.parent[i]
	}
	return i
}

// join makes the smaller number the root, so that groups do not depend on the
// order of the joins.
func (s *sets) join(a, b int) {
	a, b = s.find(a), s.find(b)
	s.parent[max(a, b)] = min(a, b)
}
