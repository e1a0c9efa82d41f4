package reach

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"
	"sync"

	"github.com/eksafe/eksafe/internal/estate"
	"github.com/eksafe/eksafe/internal/trace"
)

// An acl is a network ACL: at the border of its subnets the first entry that
// matches decides about each packet, replies included, and without one it is
// dropped.
type acl struct {
	object  *estate.NetworkAcl // nil if unknown
	unknown bool               // what it says is not known
	entries [2][]aclEntry      // by direction, in their order
	rows    [2]func() []segment
}

type aclEntry struct {
	number int
	index  int // of Entries
	prefix netip.Prefix
	ports  Ports
	allow  bool
}

// newACL reads an ACL. The model has no types of ICMP: an entry that denies some
// is taken to deny none, the unsafe reading.
func newACL(n *estate.NetworkAcl) *acl {
	a := &acl{object: n}
	for i := range n.Entries {
		e := &n.Entries[i]
		p, ok := parsePrefix(e.CidrBlock + e.Ipv6CidrBlock)
		protocol, number, known := ipProtocol(e.Protocol)
		action := strings.ToLower(e.RuleAction)
		if !ok || !known || action != "allow" && action != "deny" {
			a.unknown = true
			continue
		}
		one := aclEntry{number: e.RuleNumber, index: i, prefix: p, allow: action == "allow"}
		switch {
		case number < 0:
			one.ports = AllPorts()
		case protocol == Other:
			one.ports = PortsOf(Other, number, number)
		case protocol == ICMP || protocol == ICMPv6:
			if one.allow {
				one.ports = PortsOf(protocol, 0, lastPort)
			}
		default:
			one.ports = PortsOf(protocol, e.FromPort, e.ToPort)
		}
		d := Ingress
		if e.Egress {
			d = Egress
		}
		a.entries[d] = append(a.entries[d], one)
	}
	for d := range a.entries {
		slices.SortStableFunc(a.entries[d], func(x, y aclEntry) int { return cmp.Compare(x.number, y.number) })
	}
	return a
}

// compileACLs prepares the rows of the ACLs.
func (v *vpc) compileACLs() {
	for _, s := range v.subnets {
		if a := s.acl; a != nil && a.rows[Ingress] == nil {
			for d := range a.rows {
				a.rows[d] = sync.OnceValue(func() []segment { return v.aclRow(a.entries[d]) })
			}
		}
	}
}

// aclRow compiles the entries of one direction. Entries of one action in a row
// have no order among them.
func (v *vpc) aclRow(entries []aclEntry) []segment {
	n := &Network{ports: v.ports}
	states := []state{{hi: v.space.len(), rest: allPorts}}
	for i := 0; i < len(entries); {
		act := deny
		if entries[i].allow {
			act = allow
		}
		var group []rectangle
		for j := i; i < len(entries) && entries[i].allow == entries[j].allow; i++ {
			group = append(group, rectangle{v.space.atoms(entries[i].prefix), v.ports.id(entries[i].ports)})
		}
		for _, r := range n.fold(group) {
			states = n.apply(states, r.points, func(s *state) { n.decide(s, r.ports, act) })
		}
	}
	out := make([]segment, len(states))
	for i, s := range states {
		out[i] = segment{s.lo, s.hi, s.allowed, s.allowed}
	}
	return out
}

// border is what the ACL of a subnet lets through in a direction to or from
// atoms.
func (v *vpc) border(subnet int, d Direction, atoms set) (sure, open portsID) {
	if subnet < 0 || v.subnets[subnet].acl == nil {
		return allPorts, allPorts // AWS's own ACL lets everything through
	}
	a := v.subnets[subnet].acl
	if a.unknown {
		return noPorts, allPorts
	}
	return v.over(a.rows[d](), atoms)
}

// acls is what the network ACLs let through from p to q. They count at the
// borders of subnets alone.
//
// A connection needs its replies, to a port that its client chose. An attacker
// chooses the one that is open: a single one is enough, though ordinary clients
// need all of 1024–65535. What has no connection, such as UDP, needs no replies.
func (v *vpc) acls(a, b *class, p, q *spot) (sure, open portsID) {
	if p.subnet == q.subnet {
		return allPorts, allPorts
	}
	sure, open = v.border(p.subnet, Egress, q.atoms)
	s, o := v.border(q.subnet, Ingress, p.atoms)
	sure, open = v.ports.and(sure, s), v.ports.and(open, o)
	if open == noPorts {
		return noPorts, noPorts
	}
	backSure, backOpen := v.border(q.subnet, Egress, p.atoms)
	s, o = v.border(p.subnet, Ingress, q.atoms)
	return v.replied(sure, v.ports.and(backSure, s)), v.replied(open, v.ports.and(backOpen, o))
}

// replied returns the ports at which a connection gets its replies.
func (v *vpc) replied(ports, back portsID) portsID {
	if back == allPorts || ports == noPorts {
		return ports
	}
	out, replies := v.ports.of(ports), v.ports.of(back)
	for _, p := range []Protocol{TCP, SCTP} {
		if len(replies[p]) == 0 || replies[p][len(replies[p])-1].Last == 0 {
			out[p] = nil
		}
	}
	return v.ports.id(out)
}

// aclAt returns the ACL of a spot, nil for one that lets everything through.
func (v *vpc) aclAt(s *spot) *acl {
	if s.subnet < 0 {
		return nil
	}
	return v.subnets[s.subnet].acl
}

func (a *acl) place(field string) trace.Place {
	return trace.Place{Subject: estate.NetworkAcls.Ref(a.object), Origin: &a.object.Origin, Field: field}
}
