package reach

import (
	"slices"

	"github.com/eksafe/eksafe/internal/estate"
	"github.com/eksafe/eksafe/internal/trace"
)

// A Default is what becomes of the traffic of pods that no rule allows, and
// whether rules take it back. It is about policies as they are written, whether
// or not anything enforces them.
type Default struct {
	Denied trace.Ternary
	// Why says what leaves it open: the policy whose meaning is not known, or
	// one that denies a part.
	Why string
	// Opened is the rule that allows everything nevertheless, where one does.
	Opened trace.Place
	// Partly is true if policies deny a part of what no rule allows, and let the
	// rest through.
	Partly bool
}

// Default returns what becomes of the traffic of a workload that no rule allows.
// Of several of its pods the one that is isolated least decides.
func (n *Network) Default(w *estate.Workload, d Direction) Default {
	e := n.byRef[estate.Workloads.Ref(w)]
	if e == nil {
		return Default{Why: w.Namespace + "/" + w.Name + " runs nothing"}
	}
	var out Default
	first := true
	for p := range e.points.points() {
		one := n.defaultOf(n.written[d][p])
		switch {
		case first, least(out.Denied, one.Denied) != out.Denied, out.Denied == one.Denied && out.Opened == (trace.Place{}):
			out, first = one, false
		}
	}
	return out
}

// defaultOf computes the default of a filter once.
func (n *Network) defaultOf(f *filter) Default {
	if f == nil {
		return Default{Denied: trace.No}
	}
	if known, ok := n.defaults.Load(f); ok {
		return known.(Default)
	}
	out := n.computeDefault(f)
	n.defaults.Store(f, out)
	return out
}

func (n *Network) computeDefault(f *filter) Default {
	strict := n.withoutAllowances(f)
	closed, doubtful := n.read(strict, sure)
	opened := closed
	if doubtful {
		opened, _ = n.read(strict, open)
	}
	deniesAll := func(states []state) bool { return n.everyPeer(states, noPorts) }
	switch {
	case !deniesAll(closed):
		out := Default{Denied: trace.No, Partly: !n.everyPeer(closed, allPorts)}
		if out.Partly {
			out.Why = f.policies[0].name + " denies a part of the traffic, and no policy the rest"
		}
		return out
	case !deniesAll(opened):
		return Default{Denied: trace.Unclear, Why: "the selector or a rule of " + n.doubtfulPolicy(f) + " cannot be decided"}
	}
	out := Default{Denied: trace.Yes}
	if closed, doubtful = n.read(f, sure); n.everyPeer(closed, allPorts) {
		out.Opened = n.opener(f)
		return out
	}
	if doubtful {
		if opened, _ = n.read(f, open); n.everyPeer(opened, allPorts) {
			return Default{Denied: trace.Unclear, Why: "whether " + n.doubtfulPolicy(f) + " allows everything cannot be decided"}
		}
	}
	return out
}

// withoutAllowances returns a filter as if no rule allowed anything.
func (n *Network) withoutAllowances(f *filter) *filter {
	out := &filter{direction: f.direction, point: f.point}
	for _, a := range f.policies {
		p := *a.policy
		p.rules[f.direction] = slices.DeleteFunc(slices.Clone(p.rules[f.direction]), func(r rule) bool { return r.action == allow })
		out.policies = append(out.policies, applied{&p, a.unsure})
	}
	return out
}

// everyPeer reports whether a reading lets through exactly these ports to or
// from every peer. The node of a pod, which nothing keeps from it, does not
// count.
func (n *Network) everyPeer(states []state, ports portsID) bool {
	var other set
	for _, s := range states {
		if s.allowed != ports {
			other = other.extend(s.lo, s.hi)
		}
	}
	return len(other.minus(n.hosts).minus(n.nodes)) == 0
}

// opener returns the rule that allows everything, or the policy that does with
// several.
func (n *Network) opener(f *filter) trace.Place {
	for _, p := range f.policies {
		for i := range p.rules[f.direction] {
			r := &p.rules[f.direction][i]
			everywhere := r.ports == allPorts && len(r.without) == 0 && len(n.all().minus(r.peers.sure)) == 0
			if r.action == allow && everywhere && (r.own == nil || r.own(f.point) == trace.Yes) {
				return p.at(r.field)
			}
		}
	}
	for _, p := range f.policies {
		if slices.ContainsFunc(p.rules[f.direction], func(r rule) bool { return r.action == allow }) {
			return p.place
		}
	}
	return f.policies[0].place
}

// doubtfulPolicy names the first policy whose meaning is not known.
func (n *Network) doubtfulPolicy(f *filter) string {
	for _, p := range f.policies {
		if p.unsure || slices.ContainsFunc(p.rules[f.direction], func(r rule) bool { return r.doubt != "" }) {
			return p.name
		}
	}
	return f.policies[0].name
}

// Limits returns the policies that may decide about the traffic of a workload in
// a direction, as they are written, in the order in which they are asked.
func (n *Network) Limits(w *estate.Workload, d Direction) []Rule {
	e := n.byRef[estate.Workloads.Ref(w)]
	if e == nil {
		return nil
	}
	var out []Rule
	for point := range e.points.points() {
		f := n.written[d][point]
		if f == nil {
			continue
		}
		for _, p := range f.policies {
			r := Rule{Place: p.place, Name: p.name}
			if !slices.Contains(out, r) {
				out = append(out, r)
			}
		}
	}
	return out
}

// Selected returns the workloads that a policy selects; known is false if that
// cannot be decided of some.
func (n *Network) Selected(policy estate.Ref) (selected []*estate.Workload, known bool) {
	known = true
	for _, p := range n.bySubject[policy] {
		known = known && len(p.selected.may.minus(p.selected.sure)) == 0
		for point := range p.selected.sure.points() {
			// The points of a workload stand together.
			w := n.points[point].endpoint.Workload
			if len(selected) == 0 || selected[len(selected)-1] != w {
				selected = append(selected, w)
			}
		}
	}
	return selected, known
}
