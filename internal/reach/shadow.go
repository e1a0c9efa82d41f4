package reach

import (
	"fmt"
	"slices"

	"github.com/eksafe/eksafe/internal/trace"
)

// A Useless part of a policy is one without which everything would be the same.
type Useless struct {
	trace.Place
	Why string
	// Absent is true if it is about something that the estate does not show, which
	// may exist where the estate is made of files.
	Absent bool
}

// Useless returns the parts of policies that do nothing: peers that select
// nothing, names of ports that no pod has, rules that never decide because an
// earlier one always does, policies of which another one has all rules.
func (n *Network) Useless(policies []*Policy) map[*Policy][]Useless {
	shadowed, repeated := n.shadowed(), n.repeated()
	out := map[*Policy][]Useless{}
	for _, p := range policies {
		if p.Staged {
			continue
		}
		var list []Useless
		for _, c := range p.compiled {
			if by := repeated[c]; by != nil {
				list = append(list, Useless{Place: c.at("spec"), Why: by.name + " selects the same pods and allows all of this and more"})
			}
			for d := range c.rules {
				for i := range c.rules[d] {
					r := &c.rules[d][i]
					list = append(list, n.uselessParts(c, Direction(d), r)...)
					if by := shadowed[r]; by != "" {
						list = append(list, Useless{Place: c.at(r.field), Why: "it never decides: " + by})
					}
				}
			}
		}
		if len(list) > 0 {
			out[p] = list
		}
	}
	return out
}

func (n *Network) uselessParts(p *policy, d Direction, r *rule) []Useless {
	var out []Useless
	for _, part := range r.parts {
		if part.vacant.why != "" {
			out = append(out, Useless{p.at(part.vacant.field), part.vacant.why, true})
		}
	}
	if r.vacant.why != "" {
		out = append(out, Useless{p.at(r.vacant.field), r.vacant.why, true})
	}
	owners := p.selected.may
	if d == Egress {
		owners = r.peers.may.intersect(interval(0, n.pods))
		// What selects everything says nothing about whose port is meant.
		if len(r.parts) == 0 || len(owners) == 0 {
			return out
		}
	}
	for _, g := range r.gates {
		if len(g.named) == 0 || len(owners) == 0 {
			continue
		}
		has := func(name namedRule) bool {
			for point := range owners.points() {
				if slices.ContainsFunc(n.points[point].ports[name.name], func(p Named) bool { return p.Protocol == name.protocol }) {
					return true
				}
			}
			return false
		}
		if !slices.ContainsFunc(g.named, has) {
			protocol := g.named[0].protocol.String()
			if len(g.named) > 1 {
				protocol = "such"
			}
			out = append(out, Useless{p.at(g.field), fmt.Sprintf("no container of %s calls a %s port %q", n.namesOf(owners), protocol, g.named[0].name), true})
		}
	}
	return out
}

// namesOf names the workloads of points.
func (n *Network) namesOf(points set) string {
	var names []string
	for p := range points.points() {
		if name := n.points[p].endpoint.Workload.Name; len(names) == 0 || names[len(names)-1] != name {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return list(names)
}

// shadowed returns the rules that decide nothing for any pod that they select,
// and what decides instead. Every filter is asked once, in the order of agents,
// and each rule is held against what is still open when its turn comes; that is
// taken as wide as any reading leaves it.
func (n *Network) shadowed() map[*rule]string {
	alive := map[*rule]bool{}
	first := map[*rule]*filter{} // a filter in which a rule that was not yet alive is about something
	done := map[*filter]bool{}
	for d := range n.written {
		for _, f := range n.written[d] {
			if f == nil || done[f] {
				continue
			}
			done[f] = true
			if !f.settled(alive) {
				n.animate(f, alive, first)
			}
		}
	}
	out := map[*rule]string{}
	for r, f := range first {
		if !alive[r] {
			out[r] = n.shadowOf(r, f)
		}
	}
	return out
}

// settled reports whether every rule of a filter is known to decide something.
func (f *filter) settled(alive map[*rule]bool) bool {
	for _, p := range f.policies {
		for i := range p.rules[f.direction] {
			if !alive[&p.rules[f.direction][i]] {
				return false
			}
		}
	}
	return true
}

// animate finds the rules of a filter that decide something.
func (n *Network) animate(f *filter, alive map[*rule]bool, first map[*rule]*filter) {
	states := []state{{hi: uint32(len(n.points)), rest: allPorts}}
	for i := 0; i < len(f.policies); {
		t := f.policies[i].tier
		certain := false
		for i < len(f.policies) && f.policies[i].tier == t {
			// Policies without an order among them are all asked first.
			j := i + 1
			for j < len(f.policies) && f.policies[j].tier == t && unordered(f.policies[i], f.policies[j]) {
				j++
			}
			entry := states
			for _, p := range f.policies[i:j] {
				n.animatePolicy(entry, f, p, alive, first)
			}
			for k, p := range f.policies[i:j] {
				certain = certain || !p.unsure
				switch {
				case !p.tied || k == 0:
					states = n.askNarrowly(slices.Clone(states), f, p)
				default: // any of them may be the first
					states = n.merge(states, n.askNarrowly(slices.Clone(entry), f, p))
				}
			}
			i = j
		}
		for k := range states {
			if t.end == pass || !certain {
				states[k].passed = n.ports.or(states[k].passed, states[k].rest)
			}
			states[k].rest, states[k].passed, states[k].torn = states[k].passed, noPorts, noPorts
		}
	}
}

// unordered reports whether two neighbours in a tier have no order: NetworkPolicies
// add up, and of two policies of one priority the API does not say which is first.
func unordered(a, b applied) bool {
	adds := func(p applied) bool { return p.api() == kubernetesAPI || p.api() == applicationAPI }
	return adds(a) && adds(b) || a.tied && b.tied && a.order == b.order
}

func (n *Network) animatePolicy(states []state, f *filter, p applied, alive map[*rule]bool, first map[*rule]*filter) {
	rules := p.rules[f.direction]
	for i := 0; i < len(rules); {
		j := i
		for ; j < len(rules) && rules[j].action == rules[i].action; j++ {
			r := &rules[j]
			if alive[r] {
				continue
			}
			wide, _ := n.rectangles(r, f, p.unsure, true)
			if !slices.ContainsFunc(wide, func(x rectangle) bool { return len(x.points) > 0 && x.ports != noPorts }) {
				continue
			}
			if n.decides(states, wide) {
				alive[r] = true
			} else if first[r] == nil {
				first[r] = f
			}
		}
		if j < len(rules) {
			states = n.applyNarrowly(states, f, p, rules[i:j])
		}
		i = j
	}
}

// decides reports whether something of rectangles is still open.
func (n *Network) decides(states []state, rs []rectangle) bool {
	for _, x := range rs {
		for _, sp := range x.points {
			i, _ := slices.BinarySearchFunc(states, sp.lo, func(s state, lo uint32) int {
				if s.hi <= lo {
					return -1
				}
				return 1 // the first that ends behind the border
			})
			for ; i < len(states) && states[i].lo < sp.hi; i++ {
				if n.ports.and(states[i].rest, x.ports) != noPorts {
					return true
				}
			}
		}
	}
	return false
}

// askNarrowly lets a policy decide what it decides for certain.
func (n *Network) askNarrowly(states []state, f *filter, p applied) []state {
	rules := p.rules[f.direction]
	for i := 0; i < len(rules); {
		j := i
		for j < len(rules) && rules[j].action == rules[i].action {
			j++
		}
		states = n.applyNarrowly(states, f, p, rules[i:j])
		i = j
	}
	return states
}

// applyNarrowly lets rules of one action decide what they decide for certain.
// What they perhaps pass on is open in this tier and in the next.
func (n *Network) applyNarrowly(states []state, f *filter, p applied, rules []rule) []state {
	var group, perhaps []rectangle
	for i := range rules {
		narrow, doubt := n.rectangles(&rules[i], f, p.unsure, false)
		group = append(group, narrow...)
		if doubt && rules[i].action == pass {
			wide, _ := n.rectangles(&rules[i], f, p.unsure, true)
			perhaps = append(perhaps, wide...)
		}
	}
	states = n.apply(states, n.sweep(n.fold(group)), func(s *state, ports portsID) { n.decide(s, ports, rules[0].action) })
	return n.apply(states, n.sweep(n.fold(perhaps)), func(s *state, ports portsID) { n.tear(s, ports, open) })
}

// shadowOf says what decides instead of a rule, by the example of the first of
// what it is about.
func (n *Network) shadowOf(dead *rule, f *filter) string {
	wide, _ := n.rectangles(dead, f, false, true)
	at := slices.IndexFunc(wide, func(x rectangle) bool { return len(x.points) > 0 && x.ports != noPorts })
	point, ports := wide[at].points[0].lo, n.ports.of(wide[at].ports)
	example := firstPort(&ports)
	var closing *policy // the last policy of a tier that passes nothing on
	for i, p := range f.policies {
		for j := range p.rules[f.direction] {
			r := &p.rules[f.direction][j]
			if r == dead {
				if closing != nil {
					return closing.name + " denies what it does not allow, and is asked before"
				}
				return "everything is decided before"
			}
			narrow, _ := n.rectangles(r, f, p.unsure, false)
			hits := slices.ContainsFunc(narrow, func(x rectangle) bool {
				return x.points.has(point) && n.has(x.ports, example.Protocol, example.Port)
			})
			if hits && r.action != pass {
				return r.field + " of " + p.name + " decides before"
			}
		}
		if p.tier.end == deny && (i+1 == len(f.policies) || f.policies[i+1].tier != p.tier) {
			closing = p.policy
		}
	}
	return "everything is decided before"
}

// firstPort returns the lowest port of the first protocol that has one.
func firstPort(p *Ports) Named {
	for protocol, ranges := range p {
		if len(ranges) > 0 {
			return Named{Protocol(protocol), ranges[0].First}
		}
	}
	return Named{}
}
