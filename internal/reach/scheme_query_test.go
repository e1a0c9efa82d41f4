package reach

import (
	"slices"
	"strings"
)

func number(b bool) int {
	if b {
		return 1
	}
	return 0
}

func overPairs(ask func(r *schemeRun, a, b *config) int) func(*schemeRun, []*config) (int, error) {
	return func(r *schemeRun, cs []*config) (n int, err error) {
		for i, a := range cs {
			for _, b := range cs[i+1:] {
				n += ask(r, a, b)
			}
		}
		return n, nil
	}
}

func overOrderedPairs(ask func(r *schemeRun, a, b *config) int) func(*schemeRun, []*config) (int, error) {
	return func(r *schemeRun, cs []*config) (n int, err error) {
		for i, a := range cs {
			for j, b := range cs {
				if i != j {
					n += ask(r, a, b)
				}
			}
		}
		return n, nil
	}
}

// againstFirst asks of each configuration but the first, against that one.
func againstFirst(ask func(r *schemeRun, c, first *config) int) func(*schemeRun, []*config) (int, error) {
	return func(r *schemeRun, cs []*config) (n int, err error) {
		for _, c := range cs[1:] {
			n += ask(r, c, cs[0])
		}
		return n, nil
	}
}

func overAll(ask func(r *schemeRun, c *config) int) func(*schemeRun, []*config) (int, error) {
	return func(r *schemeRun, cs []*config) (n int, err error) {
		for _, c := range cs {
			n += ask(r, c)
		}
		return n, nil
	}
}

func equivalence(r *schemeRun, a, b *config) int { return number(!r.same(a.network(), b.network())) }

// strongEquivalence is about policies of the same names that mean the same.
func strongEquivalence(r *schemeRun, a, b *config) int {
	keys := func(c *config) (out []string) {
		for _, p := range c.policies {
			out = append(out, p.key())
		}
		slices.Sort(out)
		return out
	}
	if !slices.Equal(keys(a), keys(b)) {
		return 1
	}
	for _, p := range a.policies {
		q := b.policies[slices.IndexFunc(b.policies, func(q *policyObject) bool { return q.key() == p.key() })]
		if equivalence(r, a.with([]*policyObject{p}), b.with([]*policyObject{q})) == 1 {
			return 1
		}
	}
	return 0
}

// semanticDiff counts the kinds of changes: what was lost, and what is new,
// among pods that both have and between them and addresses, and of pods that
// only one has.
func semanticDiff(r *schemeRun, a, b *config) int {
	has := func(n *Network) map[string]bool {
		out := map[string]bool{}
		for _, p := range n.points[:n.pods] {
			out[p.endpoint.Ref.ID] = true
		}
		return out
	}
	inA, inB := has(a.network()), has(b.network())
	kind := func(u unit) string {
		switch {
		case u.name == "":
			return "address"
		case inA[u.name] && inB[u.name]:
			return "persistent"
		case inA[u.name]:
			return "removed"
		}
		return "added"
	}
	changes := map[string]bool{}
	compare(a.network(), r.between, b.network(), r.between, func(from, to unit, pa, pb *Ports) bool {
		ends := []string{kind(from), kind(to)}
		slices.Sort(ends)
		if lost := pa.Minus(pb); !lost.Empty() {
			changes["lost "+strings.Join(ends, " ")] = true
		}
		if gained := pb.Minus(pa); !gained.Empty() {
			changes["new "+strings.Join(ends, " ")] = true
		}
		return true
	})
	return len(changes)
}

func containment(r *schemeRun, c, first *config) int {
	return number(contained(c.network(), r.between, first.network(), r.between))
}

func twoWayContainment(r *schemeRun, a, b *config) int {
	return containment(r, b, a) + 2*containment(r, a, b)
}

func permits(r *schemeRun, c, first *config) int {
	return number(!contained(c.network(), r.explicit, first.network(), r.between))
}

// forbids is 1 if the first does not forbid what the other lets through.
func forbids(r *schemeRun, c, first *config) int {
	meet := false
	compare(c.network(), r.explicit, first.network(), r.between, func(_, _ unit, pa, pb *Ports) bool {
		both := pa.Intersect(pb)
		meet = !both.Empty()
		return !meet
	})
	return number(meet)
}

func interferes(r *schemeRun, c, first *config) int {
	return number(!contained(c.network(), r.explicit, first.network(), r.explicit))
}

func vacuity(r *schemeRun, c *config) int {
	return number(r.same(c.network(), c.with(nil).network()))
}

func emptiness(r *schemeRun, c *config) int {
	n := 0
	for _, p := range c.policies {
		n += number(len(r.selects(c.network(), p)) == 0) + r.empty(c.network(), p)
	}
	return n
}

func (r *schemeRun) redundantPolicies(c *config) map[*policyObject]bool {
	out := map[*policyObject]bool{}
	for _, p := range c.policies {
		// A policy is judged among those of its layer.
		var layer, rest []*policyObject
		for _, q := range c.policies {
			if r.layer(q) == r.layer(p) {
				layer = append(layer, q)
				if q != p {
					rest = append(rest, q)
				}
			}
		}
		if len(rest) > 0 && r.same(c.with(layer).network(), c.with(rest).network()) {
			out[p] = true
		}
	}
	return out
}

// redundantRules calls visit for each rule without which nothing changes.
func (r *schemeRun) redundantRules(c *config, p *policyObject) (n int) {
	for d := range p.rules {
		for i := range p.rules[d] {
			n += number(r.same(c.network(), c.build(p, Direction(d), i)))
		}
	}
	return n
}

func redundancy(r *schemeRun, c *config) int {
	policies := r.redundantPolicies(c)
	n := len(policies)
	for _, p := range c.policies {
		if !policies[p] {
			n += r.redundantRules(c, p)
		}
	}
	return n
}

func disjointness(r *schemeRun, c *config) (n int) {
	for i, p := range c.policies {
		for _, q := range c.policies[:i] {
			if r.layer(p) == r.layer(q) && len(r.selects(c.network(), p).intersect(r.selects(c.network(), q))) > 0 {
				n++
			}
		}
	}
	return n
}

func sanity(r *schemeRun, c *config) int {
	vacuous := vacuity(r, c)
	n := vacuous
	redundant := r.redundantPolicies(c)
	for _, p := range c.policies {
		if len(r.selects(c.network(), p)) == 0 {
			n++
			continue
		}
		empty := r.empty(c.network(), p)
		n += empty
		switch {
		case vacuous == 1:
		case redundant[p]:
			n++
		default:
			n += max(0, r.redundantRules(c, p)-empty) // empty rules are counted
		}
	}
	return n
}
