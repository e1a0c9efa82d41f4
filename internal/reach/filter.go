package reach

import (
	"cmp"
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
	if d == Egress {
		key = append(key, boolByte(n.enforcer.freesNode(p.id)))
	}
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
	// torn is the part of rest of which it is not known whether it was passed on.
	torn portsID
}

// read asks the policies of a filter in order.
func (n *Network) read(f *filter, how reading) (out []state, doubtful bool) {
	out = []state{{hi: uint32(len(n.points)), rest: allPorts}}
	for i := 0; i < len(f.policies); {
		t := f.policies[i].tier
		certain := false // some policy of the tier selects the pod for sure
		if n.freesNode(f, t) {
			out = n.apply(out, n.sweep([]rectangle{{union(n.hosts, n.nodes), allPorts}}), func(s *state, ports portsID) { n.decide(s, ports, allow) })
		}
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
			out[k].rest, out[k].passed, out[k].torn = out[k].passed, noPorts, noPorts
		}
	}
	for k := range out {
		out[k].allowed = n.ports.or(out[k].allowed, out[k].rest)
	}
	// Node agents let the node itself reach its pods, whatever the policies
	// say, and with it every pod in the network of the node.
	if f.direction == Ingress && len(n.hosts) > 0 {
		out = n.apply(out, n.sweep([]rectangle{{n.hosts, allPorts}}), func(s *state, _ portsID) { s.allowed = allPorts })
	}
	return out, doubtful
}

// freesNode reports whether the policies of a tier leave to a pod what it sends to
// its own node: NetworkPolicies do, and with the node its pods in the network of
// the node. Which node that is nobody knows before, so that it may be any. Sources:
// Kubernetes' page on network policies, and the agent of the VPC CNI, which lets
// the address of the node through in both directions.
func (n *Network) freesNode(f *filter, t *tier) bool {
	if f.direction != Egress || !n.enforcer.freesNode(f.point.id) {
		return false
	}
	return !slices.ContainsFunc(f.policies, func(p applied) bool {
		api := p.api()
		return p.tier == t && api != kubernetesAPI && api != applicationAPI
	})
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
		// Allowing takes the wide set under the open reading, denying the narrow
		// one; under the other reading it is the other way round. To pass on may
		// open or close, so that it is asked with both.
		wide := action == allow && how == open || action == deny && how == sure
		var group, torn []rectangle
		for ; i < len(rules) && rules[i].action == action; i++ {
			rs, doubt := n.rectangles(&rules[i], f, p.unsure, wide)
			group = append(group, rs...)
			if action == pass && doubt {
				rs, _ = n.rectangles(&rules[i], f, p.unsure, true)
				torn = append(torn, rs...)
			}
			doubtful = doubtful || doubt
		}
		states = n.apply(states, n.sweep(n.fold(group)), func(s *state, ports portsID) { n.decide(s, ports, action) })
		states = n.apply(states, n.sweep(n.fold(torn)), func(s *state, ports portsID) { n.tear(s, ports, how) })
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
		// What was perhaps passed on is only let through for sure if the next
		// tier lets it through as well.
		torn := n.ports.and(hit, s.torn)
		s.allowed = n.ports.or(s.allowed, n.ports.minus(hit, torn))
		s.passed = n.ports.or(s.passed, torn)
	case pass:
		s.passed = n.ports.or(s.passed, hit)
	}
	s.torn = n.ports.minus(s.torn, hit)
}

// tear notes what is perhaps passed on. The rest of the tier is asked about it
// in any case; under the open reading the next tier is too, and what either lets
// through is let through.
func (n *Network) tear(s *state, ports portsID, how reading) {
	hit := n.ports.and(s.rest, ports)
	if how == open {
		s.passed = n.ports.or(s.passed, hit)
		return
	}
	s.torn = n.ports.or(s.torn, hit)
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
		s.torn = n.ports.and(s.rest, n.ports.or(a[i].torn, b[j].torn))
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

// rectangles returns what a rule matches for the pods of a filter: for sure, or
// with wide set at most.
func (n *Network) rectangles(r *rule, f *filter, unsure, wide bool) (out []rectangle, doubtful bool) {
	own := trace.Yes
	if r.own != nil {
		own = r.own(f.point)
	}
	doubt := unsure || r.doubt != "" || own == trace.Unclear
	if own == trace.No {
		return nil, false
	}
	doubtful = doubt || len(r.peers.may.minus(r.peers.sure)) > 0
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
	out := make([]rectangle, 0, len(rs))
	wide := map[int]*Ports{} // of those of out that several stand for
	for _, r := range rs {
		key := r.points.key()
		at, ok := byPoints[key]
		if !ok {
			byPoints[key] = len(out)
			out = append(out, r)
			continue
		}
		ports := n.ports.of(r.ports)
		if wide[at] == nil {
			first := n.ports.of(out[at].ports)
			wide[at] = &Ports{}
			for i := range first {
				wide[at][i] = slices.Clone(first[i])
			}
		}
		for i := range ports {
			wide[at][i] = append(wide[at][i], ports[i]...)
		}
	}
	for at := range out {
		if ports := wide[at]; ports != nil {
			for i := range ports {
				ports[i] = mergeRanges(ports[i])
			}
			out[at].ports = n.ports.id(*ports)
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

// A strip is a span of points and the ports that a list of rules has for it.
type strip struct {
	lo, hi uint32
	ports  portsID
}

// sweep cuts rectangles into strips, in order: it goes once through all borders,
// however many rules there are.
func (n *Network) sweep(rs []rectangle) []strip {
	if len(rs) == 1 {
		out := make([]strip, len(rs[0].points))
		for i, sp := range rs[0].points {
			out[i] = strip{sp.lo, sp.hi, rs[0].ports}
		}
		return out
	}
	type border struct {
		at    uint32
		ports portsID
		ends  bool
	}
	var borders []border
	for _, r := range rs {
		for _, sp := range r.points {
			borders = append(borders, border{sp.lo, r.ports, false}, border{sp.hi, r.ports, true})
		}
	}
	slices.SortFunc(borders, func(a, b border) int { return cmp.Compare(a.at, b.at) })
	var out []strip
	var active []portsID
	all := noPorts
	for i := 0; i < len(borders); {
		at, ended, were := borders[i].at, false, len(active)
		for ; i < len(borders) && borders[i].at == at; i++ {
			if b := borders[i]; b.ends {
				k := slices.Index(active, b.ports)
				active = slices.Delete(active, k, k+1)
				ended = true
			} else {
				active = append(active, b.ports)
			}
		}
		if ended {
			all = n.ports.union(active)
		} else {
			all = n.ports.or(all, n.ports.union(active[were:]))
		}
		if len(active) > 0 {
			out = append(out, strip{at, borders[i].at, all})
		}
	}
	return out
}

// apply changes the state of points, splitting where a strip begins and ends.
func (n *Network) apply(states []state, strips []strip, change func(*state, portsID)) []state {
	if len(strips) == 0 {
		return states
	}
	out := make([]state, 0, len(states)+2*len(strips))
	add := func(s state) {
		if s.lo == s.hi {
			return
		}
		if k := len(out); k > 0 && out[k-1].allowed == s.allowed && out[k-1].rest == s.rest && out[k-1].passed == s.passed && out[k-1].torn == s.torn {
			out[k-1].hi = s.hi
			return
		}
		out = append(out, s)
	}
	j := 0
	for _, s := range states {
		for j < len(strips) && strips[j].hi <= s.lo {
			j++
		}
		for k := j; k < len(strips) && strips[k].lo < s.hi; k++ {
			before, inside := s, s
			before.hi = max(strips[k].lo, s.lo)
			inside.lo, inside.hi = before.hi, min(strips[k].hi, s.hi)
			add(before)
			change(&inside, strips[k].ports)
			add(inside)
			s.lo = inside.hi
		}
		add(s)
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
	if n.guards[d].points.has(pod) {
		return noPorts, allPorts
	}
	if pod >= n.pods || d == Ingress && n.nodes.has(peer) {
		return allPorts, allPorts // a node always reaches its own pods
	}
	f := n.filters[d][pod]
	if f == nil {
		return allPorts, allPorts
	}
	return f.at(peer)
}

// between returns what the network lets through from one point to another:
// under every reading, and under the most open one.
func (n *Network) between(from, to uint32) (sure, open portsID) {
	sure, open = n.straight(from, to)
	if to < n.pods && len(n.entrances[to]) > 0 && sure != allPorts {
		s, o := n.entering(from, to)
		sure, open = n.ports.or(sure, s), n.ports.or(open, o)
	}
	return sure, open
}

// straight is between of connections to the point itself, and not to a port of a
// node that leads on to it.
func (n *Network) straight(from, to uint32) (sure, open portsID) {
	sure, open = n.beneath(from, to)
	return n.mesh.through(from, to, sure, open)
}

// beneath returns what all that the mesh stands on lets through.
func (n *Network) beneath(from, to uint32) (sure, open portsID) {
	sure, open = n.passes(Egress, from, to)
	if open == noPorts {
		return noPorts, noPorts
	}
	s, o := n.passes(Ingress, to, from)
	sure, open = n.ports.and(sure, s), n.ports.and(open, o)
	if open == noPorts {
		return noPorts, noPorts
	}
	s, o = n.aws(from, to)
	return n.ports.and(sure, s), n.ports.and(open, o)
}
