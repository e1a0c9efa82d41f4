package reach

import (
	"encoding/binary"
	"slices"

	"github.com/eksafe/eksafe/internal/trace"
)

// A segment says of the points from lo up to hi what a filter lets through:
// under every reading, and under the most open one.
type segment struct {
	lo, hi     uint32
	sure, open portsID
}

// A filter is what the policies of pods let through in one direction, by peer.
// Pods that the same policies select share one.
type filter struct {
	direction Direction
	policies  []applied // in the order in which they are asked
	segments  []segment // without a gap
	point     *point    // one of those that share it
}

// An applied policy selects the pod; for one that only may, unsure is true.
type applied struct {
	*policy
	unsure bool
}

// A choice is a policy that may select a pod.
type choice struct {
	policy uint32
	unsure bool // it is not known whether it does
	idle   bool // nothing enforces it there
}

// compile makes the filters of all pods. Pods that no policy selects have none.
func (n *Network) compile() {
	for _, d := range []Direction{Ingress, Egress} {
		chosen := make([][]choice, n.pods)
		for i, p := range n.policies {
			if !p.applies[d] {
				continue
			}
			for point := range p.selected.may.points() {
				chosen[point] = append(chosen[point], choice{
					uint32(i), !p.selected.sure.has(point), n.enforcer.of(p, point) == trace.No,
				})
			}
		}
		n.filters[d], n.written[d] = make([]*filter, n.pods), make([]*filter, n.pods)
		shared := map[string]*filter{}
		for i, list := range chosen {
			p := n.points[i]
			if len(list) == 0 || p.host {
				continue
			}
			held := list
			if slices.ContainsFunc(list, func(c choice) bool { return c.idle }) {
				held = slices.DeleteFunc(slices.Clone(list), func(c choice) bool { return c.idle })
				n.written[d][i] = n.filter(shared, d, p, list)
			}
			if len(held) == 0 {
				continue
			}
			f := n.filter(shared, d, p, held)
			if f.segments == nil {
				f.segments = n.evaluate(f)
			}
			n.filters[d][i] = f
			if n.written[d][i] == nil {
				n.written[d][i] = f
			}
		}
	}
}

// filter returns the filter of a pod, which those share for which the same
// rules mean the same.
func (n *Network) filter(shared map[string]*filter, d Direction, p *point, list []choice) *filter {
	var key []byte
	for _, c := range list {
		bits := uint64(c.policy) << 1
		if c.unsure {
			bits |= 1
		}
		key = binary.AppendUvarint(key, bits)
		for j := range n.policies[c.policy].rules[d] {
			r := &n.policies[c.policy].rules[d][j]
			if r.own != nil {
				key = append(key, byte(r.own(p)))
			}
			if d == Egress {
				continue
			}
			for _, name := range slices.Concat(r.named, r.without) {
				// The length keeps one pod's ports from reading as another's policies.
				key = append(append(key, name.name...), byte(name.protocol))
				key = binary.AppendUvarint(key, uint64(len(p.ports[name.name])))
				for _, port := range p.ports[name.name] {
					key = binary.BigEndian.AppendUint16(append(key, byte(port.Protocol)), port.Port)
				}
			}
		}
	}
	f := shared[string(key)]
	if f == nil {
		f = &filter{direction: d, point: p}
		for _, c := range list {
			f.policies = append(f.policies, applied{n.policies[c.policy], c.unsure})
		}
		shared[string(key)] = f
	}
	return f
}

// A reading says how what is not known is taken.
type reading int

const (
	sure reading = iota // nothing is let through that is not for sure
	open                // everything is that may be
)

func (n *Network) evaluate(f *filter) []segment {
	closed, doubtful := n.read(f, sure)
	opened := closed
	if doubtful {
		opened, _ = n.read(f, open)
	}
	var out []segment
	for i, j := 0, 0; i < len(closed) && j < len(opened); {
		s := segment{max(closed[i].lo, opened[j].lo), min(closed[i].hi, opened[j].hi), closed[i].allowed, opened[j].allowed}
		if n := len(out); n > 0 && out[n-1].sure == s.sure && out[n-1].open == s.open {
			out[n-1].hi = s.hi
		} else {
			out = append(out, s)
		}
		if closed[i].hi == s.hi {
			i++
		}
		if opened[j].hi == s.hi {
			j++
		}
	}
	return out
}

// A state is what is decided about a span of points so far.
type state struct {
	lo, hi  uint32
	allowed portsID
	rest    portsID // what this tier has not decided
	passed  portsID // what it left to the next one
}

// read asks the policies of a filter in order.
func (n *Network) read(f *filter, how reading) (out []state, doubtful bool) {
	out = []state{{hi: uint32(len(n.points)), rest: allPorts}}
	for i := 0; i < len(f.policies); {
		t := f.policies[i].tier
		certain := false // some policy of the tier selects the pod for sure
		for i < len(f.policies) && f.policies[i].tier == t {
			j := i + 1
			for f.policies[i].tied && j < len(f.policies) && f.policies[j].tier == t && f.policies[j].order == f.policies[i].order {
				j++
			}
			var doubt bool
			if j-i == 1 {
				out, doubt = n.ask(out, f, f.policies[i], how)
			} else {
				out, doubt = n.askTied(out, f, f.policies[i:j], how)
			}
			doubtful = doubtful || doubt
			for _, p := range f.policies[i:j] {
				certain = certain || !p.unsure
				doubtful = doubtful || p.unsure
			}
			i = j
		}
		// What no policy of the tier decided is denied or goes on. Whether a
		// policy is there at all decides that as well.
		for k := range out {
			if t.end == pass || !certain && how == open {
				out[k].passed = n.ports.or(out[k].passed, out[k].rest)
			}
			out[k].rest, out[k].passed = out[k].passed, noPorts
		}
	}
	for k := range out {
		out[k].allowed = n.ports.or(out[k].allowed, out[k].rest)
	}
	// Node agents let the node itself reach its pods, whatever the policies
	// say, and with it every pod in the network of the node.
	if f.direction == Ingress && len(n.hosts) > 0 {
		out = n.apply(out, n.hosts, func(s *state) { s.allowed = allPorts })
	}
	return out, doubtful
}

// A rectangle is points and ports.
type rectangle struct {
	points set
	ports  portsID
}

// ask lets one policy decide.
func (n *Network) ask(states []state, f *filter, p applied, how reading) (out []state, doubtful bool) {
	rules := p.rules[f.direction]
	for i := 0; i < len(rules); {
		// Rules of one action in a row have no order among them.
		action := rules[i].action
		var group []rectangle
		for ; i < len(rules) && rules[i].action == action; i++ {
			rs, doubt := n.rectangles(&rules[i], f, p.unsure, how)
			doubtful = doubtful || doubt
			group = append(group, rs...)
		}
		for _, r := range n.fold(group) {
			states = n.apply(states, r.points, func(s *state) { n.decide(s, r.ports, action) })
		}
	}
	return states, doubtful
}

func (n *Network) decide(s *state, ports portsID, a action) {
	hit := n.ports.and(s.rest, ports)
	if hit == noPorts {
		return
	}
	s.rest = n.ports.minus(s.rest, hit)
	switch a {
	case allow:
		s.allowed = n.ports.or(s.allowed, hit)
	case pass:
		s.passed = n.ports.or(s.passed, hit)
	}
}

// askTied lets policies decide of which the API does not say which comes first:
// what any of them would let through if it came first is let through.
func (n *Network) askTied(states []state, f *filter, ps []applied, how reading) (out []state, doubtful bool) {
	var results [][]state
	for _, p := range ps {
		own, doubt := n.ask(slices.Clone(states), f, p, how)
		doubtful = doubtful || doubt
		results = append(results, own)
	}
	out = results[0]
	for _, r := range results[1:] {
		out = n.merge(out, r)
	}
	return out, doubtful
}

// merge joins two results of the same beginning.
func (n *Network) merge(a, b []state) []state {
	var out []state
	for i, j := 0, 0; i < len(a) && j < len(b); {
		s := state{lo: max(a[i].lo, b[j].lo), hi: min(a[i].hi, b[j].hi)}
		s.allowed = n.ports.or(a[i].allowed, b[j].allowed)
		s.passed = n.ports.minus(n.ports.or(a[i].passed, b[j].passed), s.allowed)
		// What one of them decided is decided.
		s.rest = n.ports.and(a[i].rest, b[j].rest)
		out = append(out, s)
		if a[i].hi == s.hi {
			i++
		}
		if b[j].hi == s.hi {
			j++
		}
	}
	return out
}

// rectangles returns what a rule matches for the pods of a filter.
func (n *Network) rectangles(r *rule, f *filter, unsure bool, how reading) (out []rectangle, doubtful bool) {
	own := trace.Yes
	if r.own != nil {
		own = r.own(f.point)
	}
	doubt := unsure || r.doubt != "" || own == trace.Unclear
	if own == trace.No {
		return nil, false
	}
	doubtful = doubt || len(r.peers.may.minus(r.peers.sure)) > 0
	// Allowing takes the wide set under the open reading, denying the narrow
	// one; under the other reading it is the other way round.
	wide := (r.action != deny) == (how == open)
	if doubt && !wide {
		return nil, doubtful
	}
	points := r.peers.sure
	if wide {
		points = r.peers.may
	}
	if r.ports != noPorts {
		out = n.exclude(r.without, f, rectangle{points, r.ports})
	}
	for _, name := range r.named {
		if f.direction == Ingress {
			for _, port := range f.point.ports[name.name] {
				if port.Protocol == name.protocol {
					out = append(out, rectangle{points, n.ports.id(PortsOf(port.Protocol, int(port.Port), int(port.Port)))})
				}
			}
			continue
		}
		out = append(out, n.resolve(name, points)...)
	}
	return out, doubtful
}

// exclude takes the ports that names stand for out of a rectangle.
func (n *Network) exclude(names []namedRule, f *filter, r rectangle) []rectangle {
	out := []rectangle{r}
	for _, name := range names {
		holes := n.resolve(name, r.points)
		if f.direction == Ingress {
			holes = nil
			for _, port := range f.point.ports[name.name] {
				if port.Protocol == name.protocol {
					holes = append(holes, rectangle{r.points, n.ports.id(PortsOf(port.Protocol, int(port.Port), int(port.Port)))})
				}
			}
		}
		for _, hole := range holes {
			var cut []rectangle
			for _, piece := range out {
				inside := rectangle{piece.points.intersect(hole.points), n.ports.minus(piece.ports, hole.ports)}
				outside := rectangle{piece.points.minus(hole.points), piece.ports}
				for _, part := range [...]rectangle{inside, outside} {
					if len(part.points) > 0 && part.ports != noPorts {
						cut = append(cut, part)
					}
				}
			}
			out = cut
		}
	}
	return out
}

// resolve returns the ports that a name stands for on each pod of a set. To an
// address the name means nothing.
func (n *Network) resolve(name namedRule, points set) []rectangle {
	var by []rectangle
	index := map[portsID]int{}
	for p := range points.intersect(interval(0, n.pods)).points() {
		for _, port := range n.points[p].ports[name.name] {
			if port.Protocol != name.protocol {
				continue
			}
			id := n.ports.id(PortsOf(port.Protocol, int(port.Port), int(port.Port)))
			at, ok := index[id]
			if !ok {
				at = len(by)
				index[id] = at
				by = append(by, rectangle{ports: id})
			}
			by[at].points = by[at].points.extend(p, p+1)
		}
	}
	return by
}

// fold joins rectangles that have the same points or the same ports, so that
// ten thousand rules of one policy are applied as a few.
func (n *Network) fold(rs []rectangle) []rectangle {
	if len(rs) < 2 {
		return rs
	}
	byPoints := map[string]int{}
	var out []rectangle
	var wide []Ports // of each of out
	for _, r := range rs {
		key := r.points.key()
		at, ok := byPoints[key]
		if !ok {
			byPoints[key] = len(out)
			out, wide = append(out, r), append(wide, Ports{})
			continue
		}
		ports := n.ports.of(r.ports)
		if wide[at].Empty() {
			first := n.ports.of(out[at].ports)
			for i := range first {
				wide[at][i] = slices.Clone(first[i])
			}
		}
		for i := range ports {
			wide[at][i] = append(wide[at][i], ports[i]...)
		}
	}
	for i := range out {
		if !wide[i].Empty() {
			for j := range wide[i] {
				wide[i][j] = mergeRanges(wide[i][j])
			}
			out[i].ports = n.ports.id(wide[i])
		}
	}
	byPorts := map[portsID][]set{}
	var order []portsID
	for _, r := range out {
		if _, ok := byPorts[r.ports]; !ok {
			order = append(order, r.ports)
		}
		byPorts[r.ports] = append(byPorts[r.ports], r.points)
	}
	out = out[:0]
	for _, id := range order {
		out = append(out, rectangle{union(byPorts[id]...), id})
	}
	return out
}

// apply changes the state of points, splitting where a set begins and ends.
func (n *Network) apply(states []state, points set, change func(*state)) []state {
	if len(points) == 0 {
		return states
	}
	out := make([]state, 0, len(states)+2*len(points))
	add := func(s state) {
		if k := len(out); k > 0 && out[k-1].allowed == s.allowed && out[k-1].rest == s.rest && out[k-1].passed == s.passed {
			out[k-1].hi = s.hi
			return
		}
		out = append(out, s)
	}
	j := 0
	for _, s := range states {
		for j < len(points) && points[j].hi <= s.lo {
			j++
		}
		at := s.lo
		for k := j; k < len(points) && points[k].lo < s.hi; k++ {
			lo, hi := max(points[k].lo, s.lo), min(points[k].hi, s.hi)
			if at < lo {
				add(state{at, lo, s.allowed, s.rest, s.passed})
			}
			inside := state{lo, hi, s.allowed, s.rest, s.passed}
			change(&inside)
			add(inside)
			at = hi
		}
		if at < s.hi {
			add(state{at, s.hi, s.allowed, s.rest, s.passed})
		}
	}
	return out
}

// at returns what a filter lets through to or from a point.
func (f *filter) at(point uint32) (sure, open portsID) {
	i, _ := slices.BinarySearchFunc(f.segments, point, func(s segment, p uint32) int {
		switch {
		case s.hi <= p:
			return -1
		case s.lo > p:
			return 1
		}
		return 0
	})
	return f.segments[i].sure, f.segments[i].open
}

// passes returns what the policies of a pod let through in a direction.
func (n *Network) passes(d Direction, pod, peer uint32) (sure, open portsID) {
	if pod >= n.pods {
		return allPorts, allPorts
	}
	if n.guards[d].points.has(pod) {
		return noPorts, allPorts
	}
	f := n.filters[d][pod]
	if f == nil {
		return allPorts, allPorts
	}
	return f.at(peer)
}

// Between returns what the network lets through from one point to another:
// under every reading, and under the most open one.
func (n *Network) between(from, to uint32) (sure, open portsID) {
	sure, open = n.passes(Egress, from, to)
	if open == noPorts {
		return noPorts, noPorts
	}
	s, o := n.passes(Ingress, to, from)
	sure, open = n.ports.and(sure, s), n.ports.and(open, o)
	if open == noPorts {
		return noPorts, noPorts
	}
	s, o = n.vpc.between(n, from, to)
	sure, open = n.ports.and(sure, s), n.ports.and(open, o)
	if open == noPorts {
		return noPorts, noPorts
	}
	return n.mesh.through(from, to, sure, open)
}
