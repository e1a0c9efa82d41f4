package access

import "slices"

// A Reach is who becomes one identity, and how: by the shortest chain of
// certain steps, or else by the shortest of all.
type Reach struct {
	to    Identity
	sure  map[Identity]*Step // the first step of the shortest certain chain
	maybe map[Identity]*Step // the first step of the shortest chain
}

// Reaching returns who becomes an identity over the steps that pass, all where
// passes is nil. Of chains as short as each other it takes the one whose steps
// come first.
func Reaching(steps []Step, to Identity, passes func(*Step) bool) *Reach {
	into := map[Identity][]*Step{}
	for i := range steps {
		if s := &steps[i]; passes == nil || passes(s) {
			into[s.To] = append(into[s.To], s)
		}
	}
	search := func(certain bool) map[Identity]*Step {
		first := map[Identity]*Step{}
		queue := []Identity{to}
		for len(queue) > 0 {
			at := queue[0]
			queue = queue[1:]
			for _, s := range into[at] {
				if certain && s.Certain != Yes || s.From == to || first[s.From] != nil {
					continue
				}
				first[s.From] = s
				queue = append(queue, s.From)
			}
		}
		return first
	}
	return &Reach{to: to, sure: search(true), maybe: search(false)}
}

// Who returns who becomes the identity, in order; certainly, or at all.
func (r *Reach) Who(certainly bool) []Identity {
	from := r.maybe
	if certainly {
		from = r.sure
	}
	out := make([]Identity, 0, len(from))
	for i := range from {
		out = append(out, i)
	}
	slices.SortFunc(out, Identity.Compare)
	return out
}

// Chain returns how somebody becomes the identity: the shortest certain chain
// where there is one, else the shortest.
func (r *Reach) Chain(from Identity) (Chain, bool) {
	next := r.sure
	if next[from] == nil {
		next = r.maybe
	}
	var c Chain
	for at := from; at != r.to; {
		s := next[at]
		if s == nil {
			return Chain{}, false
		}
		c.Steps = append(c.Steps, *s)
		at = s.To
	}
	return c, true
}
