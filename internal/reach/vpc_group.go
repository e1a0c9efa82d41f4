package reach

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/eksafe/eksafe/internal/estate"
)

// A groupSet is the security groups that an end of a connection holds. They are
// stateful and only allow: what any of them allows passes, and replies with it.
type groupSet struct {
	ids []string // sorted, one name for each group
	// filters is false of an end that nothing filters: an address, a network
	// load balancer without groups.
	filters bool
	// partial is true if the end may hold other groups than ids, and why says so.
	partial bool
	why     string

	rows [2]func() *groupRow // by direction, made when they are asked for
}

// A groupRow is what a set lets through in one direction, by peer.
type groupRow struct {
	segments []segment // by atom of the peer
	// refs are the ports that rules open to those that hold a group, anyRef to
	// those that hold any of these, and strangers to those that hold one that was
	// not read.
	refs              map[string]portsID
	anyRef, strangers portsID
	// doubt are the ports that may be open to every peer.
	doubt portsID
}

// group returns the one name of a security group: a template knows it by its
// logical ID, AWS by its group ID.
func (w *ground) group(id string) string {
	if g := w.groups[id]; g != nil {
		return groupID(g)
	}
	return id
}

func groupID(g *estate.SecurityGroup) string {
	if g.GroupId != "" {
		return g.GroupId
	}
	return g.Arn
}

// set interns a set of groups.
func (v *vpc) set(s *groupSet) int {
	for i, id := range s.ids {
		s.ids[i] = v.group(id)
	}
	s.ids = sortedIDs(s.ids)
	key := fmt.Sprint(s.filters, s.partial, s.why, "\x00", strings.Join(s.ids, "\x00"))
	at, ok := v.setIndex[key]
	if !ok {
		at = len(v.sets)
		v.setIndex[key] = at
		for d := range s.rows {
			s.rows[d] = sync.OnceValue(func() *groupRow { return v.groupRow(s, Direction(d)) })
		}
		v.sets = append(v.sets, s)
	}
	return at
}

// rulesOf returns the rules of a group in a direction.
func rulesOf(g *estate.SecurityGroup, d Direction) (rules []estate.SecurityGroupRule, known bool) {
	if d == Ingress {
		return g.SecurityGroupIngress.Get()
	}
	return g.SecurityGroupEgress.Get()
}

// groupRow compiles the rules of a set. Rules that no source shows let nothing
// in for sure, and let everything out: so does a group that nobody changed, and
// hardly anybody does.
func (v *vpc) groupRow(s *groupSet, d Direction) *groupRow {
	r := &groupRow{refs: map[string]portsID{}}
	var blocks []nested
	unknown := func() {
		if d == Ingress {
			r.doubt = allPorts
		} else {
			blocks = append(blocks, nested{span{0, v.space.len()}, allPorts})
		}
	}
	if s.partial {
		unknown()
	}
	refs := map[string][]portsID{}
	var doubts []portsID
	for _, id := range s.ids {
		g := v.groups[id]
		if g == nil {
			unknown()
			continue
		}
		rules, known := rulesOf(g, d)
		if !known {
			unknown()
			continue
		}
		for i := range rules {
			rule := &rules[i]
			if rule.Unresolved {
				r.doubt = allPorts
				continue
			}
			ports := v.ports.id(rulePorts(rule))
			switch prefixes, known := v.rulePrefixes(rule); {
			case rule.SourceSecurityGroupId != "":
				id := v.group(rule.SourceSecurityGroupId)
				refs[id] = append(refs[id], ports)
			case !known:
				doubts = append(doubts, ports)
			default:
				for _, p := range prefixes {
					blocks = append(blocks, nested{v.space.atoms(p)[0], ports})
				}
			}
		}
	}
	var anyRef, strangers []portsID
	for id, ports := range refs {
		r.refs[id] = v.ports.union(ports)
		anyRef = append(anyRef, r.refs[id])
		if v.groups[id] == nil {
			strangers = append(strangers, r.refs[id])
		}
	}
	r.anyRef, r.strangers = v.ports.union(anyRef), v.ports.union(strangers)
	r.doubt = v.ports.or(r.doubt, v.ports.union(doubts))
	r.segments = v.nest(blocks)
	return r
}

// rulePrefixes returns the blocks that a rule names; known is false if they are
// not.
func (v *vpc) rulePrefixes(r *estate.SecurityGroupRule) (out []netip.Prefix, known bool) {
	if r.SourcePrefixListId != "" {
		return v.listed(r.SourcePrefixListId)
	}
	p, ok := parsePrefix(r.CidrIp + r.CidrIpv6)
	return []netip.Prefix{p}, ok
}

// listed returns the blocks of a prefix list.
func (w *ground) listed(id string) ([]netip.Prefix, bool) {
	l := w.lists[id]
	if l == nil {
		return nil, false
	}
	entries, known := l.Entries.Get()
	if !known {
		return nil, false
	}
	var out []netip.Prefix
	for _, e := range entries {
		if p, ok := parsePrefix(e.Cidr); ok {
			out = append(out, p)
		}
	}
	return out, true
}

// rulePorts returns the ports that a rule opens.
func rulePorts(r *estate.SecurityGroupRule) Ports {
	p, number, ok := ipProtocol(r.IpProtocol)
	switch {
	case !ok:
		return Ports{}
	case number < 0:
		return AllPorts()
	case p == Other:
		return PortsOf(Other, number, number)
	case p == ICMP || p == ICMPv6:
		return icmpPorts(p, r.FromPort, r.ToPort)
	case r.FromPort == -1:
		return PortsOf(p, 0, lastPort)
	}
	return PortsOf(p, r.FromPort, r.ToPort)
}

// icmpPorts returns a type and a code of ICMP; -1 is every one.
func icmpPorts(p Protocol, kind, code int) Ports {
	switch {
	case kind < 0 || kind > 255:
		return PortsOf(p, 0, lastPort)
	case code < 0 || code > 255:
		return PortsOf(p, kind<<8, kind<<8+255)
	}
	return PortsOf(p, kind<<8+code, kind<<8+code)
}

// ipProtocol reads a protocol as AWS writes it: a name or a number, -1 for all.
func ipProtocol(s string) (p Protocol, number int, ok bool) {
	switch strings.ToLower(s) {
	case "-1", "all":
		return Other, -1, true
	case "tcp", "6":
		return TCP, 6, true
	case "udp", "17":
		return UDP, 17, true
	case "sctp", "132":
		return SCTP, 132, true
	case "icmp", "1":
		return ICMP, 1, true
	case "icmpv6", "58":
		return ICMPv6, 58, true
	}
	n, err := strconv.Atoi(s)
	return Other, n, err == nil && n >= 0 && n <= 255
}

// A nested block is a span of atoms with what is open to it. Blocks lie within
// each other or apart.
type nested struct {
	span
	ports portsID
}

// nest joins blocks to segments without a gap: within a block is open what is
// open to it and to those around it.
func (v *vpc) nest(blocks []nested) []segment {
	slices.SortFunc(blocks, func(a, b nested) int {
		switch {
		case a.lo != b.lo:
			return int(int64(a.lo) - int64(b.lo))
		case a.hi != b.hi:
			return int(int64(b.hi) - int64(a.hi))
		}
		return int(int64(a.ports) - int64(b.ports))
	})
	var out []segment
	add := func(lo, hi uint32, ports portsID) {
		if lo >= hi {
			return
		}
		if n := len(out); n > 0 && out[n-1].sure == ports {
			out[n-1].hi = hi
			return
		}
		out = append(out, segment{lo, hi, ports, ports})
	}
	around := []nested{{span{0, v.space.len()}, noPorts}}
	at := uint32(0)
	leave := func(until uint32) {
		for len(around) > 1 && around[len(around)-1].hi <= until {
			last := around[len(around)-1]
			add(at, last.hi, last.ports)
			at = max(at, last.hi)
			around = around[:len(around)-1]
		}
	}
	for i := 0; i < len(blocks); {
		b := blocks[i]
		var same []portsID
		for ; i < len(blocks) && blocks[i].span == b.span; i++ {
			same = append(same, blocks[i].ports)
		}
		leave(b.lo)
		top := around[len(around)-1]
		add(at, b.lo, top.ports)
		at = b.lo
		around = append(around, nested{b.span, v.ports.or(top.ports, v.ports.union(same))})
	}
	leave(v.space.len())
	add(at, v.space.len(), around[0].ports)
	return out
}

// egress is what the groups of p let out to q.
func (v *vpc) egress(a, b *class, p, q *spot) (sure, open portsID) {
	set := p.groups
	if b.end >= privateEnd {
		set = p.exit
	}
	return v.filter(v.sets[set], Egress, q)
}

// ingress is what the groups of q let in from p.
func (v *vpc) ingress(a, b *class, p, q *spot) (sure, open portsID) {
	return v.filter(v.sets[q.groups], Ingress, p)
}

// filter returns what a set lets through to or from a peer. A peer whose address
// is not known is let through for sure if every address is that it may have.
func (v *vpc) filter(s *groupSet, d Direction, peer *spot) (sure, open portsID) {
	if !s.filters {
		return allPorts, allPorts
	}
	r := s.rows[d]()
	sure, open = v.over(r.segments, peer.atoms)
	open = v.ports.or(open, r.doubt)
	held := v.sets[peer.groups]
	for _, id := range held.ids {
		if ports, ok := r.refs[id]; ok {
			sure, open = v.ports.or(sure, ports), v.ports.or(open, ports)
		}
	}
	switch {
	case held.partial:
		open = v.ports.or(open, r.anyRef)
	case !held.filters && v.private.has(peer.atoms[0].lo):
		// A peered VPC has groups that were not read.
		open = v.ports.or(open, r.strangers)
	}
	return sure, open
}

// over returns what segments say of all atoms, and of any of them.
func (v *vpc) over(segments []segment, atoms set) (sure, open portsID) {
	first := true
	for _, sp := range atoms {
		i, _ := slices.BinarySearchFunc(segments, sp.lo, func(s segment, atom uint32) int {
			switch {
			case s.hi <= atom:
				return -1
			case s.lo > atom:
				return 1
			}
			return 0
		})
		for ; i < len(segments) && segments[i].lo < sp.hi; i++ {
			if first {
				sure, open, first = segments[i].sure, segments[i].open, false
				continue
			}
			sure, open = v.ports.and(sure, segments[i].sure), v.ports.or(open, segments[i].open)
		}
	}
	return sure, open
}
