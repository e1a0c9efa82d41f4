package reach

import (
	"encoding/binary"
	"iter"
	"slices"
)

// A span is the points from lo up to, not including, hi.
type span struct{ lo, hi uint32 }

// A set is a set of points: spans in order that neither touch nor overlap.
// Points are numbered by namespace, addresses in their order, so that what a
// selector or a block means is a few spans, and "everything" is one.
type set []span

// interval returns the set of one span, none if it is empty.
func interval(lo, hi uint32) set {
	if lo >= hi {
		return nil
	}
	return set{{lo, hi}}
}

// setOf returns the set of points, in any order.
func setOf(points []uint32) set {
	slices.Sort(points)
	var out set
	for _, p := range points {
		out = out.extend(p, p+1)
	}
	return out
}

// extend appends a span that begins at or behind the last one's begin.
func (s set) extend(lo, hi uint32) set {
	if lo >= hi {
		return s
	}
	if n := len(s); n > 0 && s[n-1].hi >= lo {
		s[n-1].hi = max(s[n-1].hi, hi)
		return s
	}
	return append(s, span{lo, hi})
}

// union returns the points of any of the sets.
func union(sets ...set) set {
	switch len(sets) {
	case 0:
		return nil
	case 1:
		return sets[0]
	}
	n := 0
	for _, s := range sets {
		n += len(s)
	}
	all := make([]span, 0, n)
	for _, s := range sets {
		all = append(all, s...)
	}
	slices.SortFunc(all, func(a, b span) int { return int(int64(a.lo) - int64(b.lo)) })
	out := set(all[:0]) // it grows no faster than all is read
	for _, sp := range all {
		out = out.extend(sp.lo, sp.hi)
	}
	return out
}

// intersect returns the points of both sets.
func (s set) intersect(o set) set {
	var out set
	for i, j := 0, 0; i < len(s) && j < len(o); {
		lo, hi := max(s[i].lo, o[j].lo), min(s[i].hi, o[j].hi)
		if lo < hi {
			out = append(out, span{lo, hi})
		}
		if s[i].hi < o[j].hi {
			i++
		} else {
			j++
		}
	}
	return out
}

// minus returns the points of s that are not in o.
func (s set) minus(o set) set {
	var out set
	j := 0
	for _, sp := range s {
		for j < len(o) && o[j].hi <= sp.lo {
			j++
		}
		for k := j; k < len(o) && o[k].lo < sp.hi; k++ {
			if o[k].lo > sp.lo {
				out = append(out, span{sp.lo, o[k].lo})
			}
			sp.lo = max(sp.lo, o[k].hi)
		}
		if sp.lo < sp.hi {
			out = append(out, sp)
		}
	}
	return out
}

// has reports whether a point is in the set. It is asked for every pair of who
// may send and who may receive, and searches without calling a function.
func (s set) has(p uint32) bool {
	for lo, hi := 0, len(s); lo < hi; {
		switch middle := (lo + hi) / 2; {
		case s[middle].hi <= p:
			lo = middle + 1
		case s[middle].lo > p:
			hi = middle
		default:
			return true
		}
	}
	return false
}

// points returns the points in order.
func (s set) points() iter.Seq[uint32] {
	return func(yield func(uint32) bool) {
		for _, sp := range s {
			for p := sp.lo; p < sp.hi; p++ {
				if !yield(p) {
					return
				}
			}
		}
	}
}

// among returns those of points, which are in order, that are in the set.
func (s set) among(points []uint32) iter.Seq[uint32] {
	return func(yield func(uint32) bool) {
		for _, sp := range s {
			i, _ := slices.BinarySearch(points, sp.lo)
			for points = points[i:]; len(points) > 0 && points[0] < sp.hi; points = points[1:] {
				if !yield(points[0]) {
					return
				}
			}
		}
	}
}

// len returns how many points there are.
func (s set) len() int {
	n := 0
	for _, sp := range s {
		n += int(sp.hi - sp.lo)
	}
	return n
}

// key returns the identity of the set for a map.
func (s set) key() string {
	out := make([]byte, 0, 4*len(s))
	last := uint32(0)
	for _, sp := range s {
		out = binary.AppendUvarint(out, uint64(sp.lo-last))
		out = binary.AppendUvarint(out, uint64(sp.hi-sp.lo))
		last = sp.hi
	}
	return string(out)
}
