package reach

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/eksafe/eksafe/internal/estate"
	"github.com/eksafe/eksafe/internal/trace"
)

// A question is one connection that AWS is asked about: between the two spots of
// its ends that decide.
type question struct {
	*vpc
	network  *Network
	from, to uint32
	a, b     *class
	p, q     *spot
	protocol Protocol
	port     uint16
}

// explain says what AWS says of a connection, layer by layer.
func (v *vpc) explain(n *Network, from, to uint32, protocol Protocol, port uint16) (layers []Layer, notes []string) {
	a, b := &v.classes[v.classOf[from]], &v.classes[v.classOf[to]]
	if !v.asked(a, b) {
		return nil, nil
	}
	x := &question{vpc: v, network: n, from: from, to: to, a: a, b: b, protocol: protocol, port: port}
	best := Denied
	for _, p := range a.spots {
		for _, q := range b.spots {
			sure, open := v.pair(a, b, &v.spots[p], &v.spots[q])
			if got := n.verdictOf(sure, open, protocol, port); x.p == nil || got != best && worst(got, best) == got {
				best, x.p, x.q = got, &v.spots[p], &v.spots[q]
			}
		}
	}
	if sameNode(x.p, x.q) {
		l := Layer{Kind: SecurityGroups, Of: x.name(to), Verdict: Allowed, Enforced: trace.Yes, By: "AWS", Why: "no security group stands between pods of one node"}
		note := x.name(from) + " and " + x.name(to) + " may be on one node, where no security group counts"
		if n.nodes.has(from) || n.nodes.has(to) {
			l.Why, note = "no security group stands between a node and its own pods", ""
		}
		return []Layer{l}, []string{note}
	}
	if sure, open := v.direct(a, b, x.p, x.q); n.verdictOf(sure, open, protocol, port) != best {
		for _, l := range x.byInlet(best) {
			l.Enforced, l.By = trace.Yes, "AWS"
			layers = append(layers, l)
		}
		return layers, nil
	}
	for _, layer := range []func() (Layer, bool, string){
		func() (Layer, bool, string) { return x.groups(Egress) },
		func() (Layer, bool, string) { return x.groups(Ingress) },
		x.networkACLs, x.routes,
	} {
		l, ok, note := layer()
		if !ok {
			continue
		}
		l.Enforced, l.By = trace.Yes, "AWS"
		layers = append(layers, l)
		if note != "" {
			notes = append(notes, note)
		}
	}
	return layers, notes
}

// verdictOf reads what two readings let through at a port.
func (n *Network) verdictOf(sure, open portsID, protocol Protocol, port uint16) Verdict {
	switch {
	case n.has(sure, protocol, port):
		return Allowed
	case n.has(open, protocol, port):
		return Unknown
	}
	return Denied
}

func (x *question) name(point uint32) string { return x.network.points[point].endpoint.Name }

// groups explains the security groups of the end that a direction belongs to.
func (x *question) groups(d Direction) (l Layer, asked bool, note string) {
	peer, end, set := x.p, x.to, x.q.groups
	if d == Egress {
		peer, end, set = x.q, x.from, x.p.groups
		if x.b.end >= privateEnd {
			set = x.p.exit
		}
	}
	s := x.sets[set]
	if !s.filters {
		return l, false, ""
	}
	l = Layer{Kind: SecurityGroups, Of: x.name(end)}
	sure, open := x.filter(s, d, peer)
	l.Verdict = x.network.verdictOf(sure, open, x.protocol, x.port)
	doubt := ""
	for _, id := range s.ids {
		why, rules := x.groupRules(id, d, peer, l.Verdict)
		l.Rules = append(l.Rules, rules...)
		doubt = cmp.Or(doubt, why)
		if d == Egress && l.Verdict == Allowed && why != "" {
			note = "the egress rules of " + x.title(id) + " are not known, and were taken to let everything out, as those of a new group do"
		}
	}
	switch l.Verdict {
	case Allowed:
		switch {
		case len(l.Rules) > 0:
			l.Why = l.Rules[0].Name + " " + l.Rules[0].Says
		case note != "" || s.partial:
			l.Why = "what limits its " + d.String() + " is not known"
			note = cmp.Or(note, "the egress rules of "+l.Of+" are not known, and were taken to let everything out, as those of a new group do")
		default:
			l.Why = "the rules of " + x.titles(s.ids) + " together allow it"
		}
	case Unknown:
		l.Why = cmp.Or(doubt, s.why, x.sets[peer.groups].why, "the addresses of "+x.name(x.other(end))+" are not known")
	default:
		l.Why = fmt.Sprintf("no %s rule of %s allows %s %d %s %s", d, x.titles(s.ids), x.protocol, x.port, preposition(d), x.name(x.other(end)))
		for _, id := range s.ids {
			if g := x.ground.groups[id]; g != nil {
				l.Rules = append(l.Rules, Rule{Place: x.groupPlace(g, groupField(d, -1)), Name: x.title(id), Says: "allows nothing that matches"})
			}
		}
		if len(s.ids) > 0 {
			l.change = fmt.Sprintf("add to the %s rules of %s: %s %s %s", d, x.title(s.ids[0]), x.ports(), preposition(d), x.peer(peer))
			if at, ok := x.wishes[x.ground.groups[s.ids[0]]]; ok {
				l.change = fmt.Sprintf("let %s %s %s in %s: its listeners, and the networks that they are open to", x.ports(), preposition(d), x.peer(peer), nameOf(at.Subject))
			}
		}
	}
	return l, true, note
}

func (x *question) other(end uint32) uint32 {
	if end == x.from {
		return x.to
	}
	return x.from
}

func preposition(d Direction) string {
	if d == Egress {
		return "to"
	}
	return "from"
}

// ports writes what is asked about: "TCP 5432".
func (x *question) ports() string { return fmt.Sprintf("%s %d", x.protocol, x.port) }

// peer names a spot as a rule of a security group would.
func (x *question) peer(s *spot) string {
	if ids := x.sets[s.groups].ids; len(ids) > 0 {
		return estate.ShortName(ids[0])
	}
	return x.addresses(s)
}

func (x *question) addresses(s *spot) string {
	if s.subnet >= 0 && len(x.subnets[s.subnet].networks) > 0 {
		return x.subnets[s.subnet].networks[0].String()
	}
	first, _ := x.space.ends(s.atoms[0].lo)
	_, last := x.space.ends(s.atoms[len(s.atoms)-1].hi - 1)
	for bits := first.BitLen(); bits >= 0; bits-- {
		if p := netip.PrefixFrom(first, bits).Masked(); p.Addr() == first && lastAddress(p) == last {
			return p.String()
		}
	}
	return first.String() + "–" + last.String()
}

// groupRules finds the rules of a group that decide, or says why it is not known
// what they do.
func (x *question) groupRules(id string, d Direction, peer *spot, verdict Verdict) (doubt string, out []Rule) {
	g := x.ground.groups[id]
	if g == nil {
		return "security group " + estate.ShortName(id) + " was not read (ec2:DescribeSecurityGroups); read it live (--aws)", nil
	}
	rules, known := rulesOf(g, d)
	if !known {
		return "the rules of security group " + estate.ShortName(id) + " are not known", nil
	}
	held := x.sets[peer.groups]
	for i := range rules {
		r := &rules[i]
		ports := rulePorts(r)
		if !r.Unresolved && !ports.Has(x.protocol, x.port) {
			continue
		}
		state, why := x.matches(r, peer, held)
		if state == trace.No || state == trace.Unclear && verdict != Unknown {
			continue
		}
		if state == trace.Unclear {
			doubt = cmp.Or(doubt, fmt.Sprintf("%s of %s %s", groupField(d, i), x.title(id), why))
		}
		out = append(out, Rule{
			Place: x.groupPlace(g, groupField(d, i)), Name: x.title(id),
			Says: fmt.Sprintf("admits %s %s %s", ports, preposition(d), peerOf(r)),
		})
		if d == Egress {
			out[len(out)-1].Says = strings.Replace(out[len(out)-1].Says, "admits", "lets out", 1)
		}
	}
	return doubt, out
}

// matches says whether a rule is about a peer.
func (x *question) matches(r *estate.SecurityGroupRule, peer *spot, held *groupSet) (trace.Ternary, string) {
	if r.Unresolved {
		return trace.Unclear, "has a value that is not known before it is deployed"
	}
	if r.SourceSecurityGroupId != "" {
		id := x.group(r.SourceSecurityGroupId)
		switch {
		case slices.Contains(held.ids, id):
			return trace.Yes, ""
		case held.partial:
			return trace.Unclear, "is about " + estate.ShortName(id) + ": " + held.why
		case !held.filters && x.ground.groups[id] == nil && x.private.has(peer.atoms[0].lo):
			return trace.Unclear, "is about " + estate.ShortName(id) + ", which was not read"
		}
		return trace.No, ""
	}
	prefixes, known := x.rulePrefixes(r)
	if !known {
		return trace.Unclear, "names " + peerOf(r) + ", of which the addresses are not known"
	}
	inside := x.space.all(prefixes).intersect(peer.atoms)
	switch {
	case len(inside) == 0:
		return trace.No, ""
	case len(peer.atoms.minus(inside)) == 0:
		return trace.Yes, ""
	}
	return trace.Unclear, "is about " + peerOf(r) + ", a part of the addresses that the peer may have"
}

// peerOf names the peer of a rule.
func peerOf(r *estate.SecurityGroupRule) string {
	return cmp.Or(r.CidrIp+r.CidrIpv6, estate.ShortName(r.SourceSecurityGroupId), estate.ShortName(r.SourcePrefixListId), "a peer that is not known")
}

// groupField returns the field of a rule, of all rules for -1.
func groupField(d Direction, i int) string {
	field := "securityGroupIngress"
	if d == Egress {
		field = "securityGroupEgress"
	}
	if i < 0 {
		return field
	}
	return field + "[" + itoa(i) + "]"
}

func (w *ground) groupPlace(g *estate.SecurityGroup, field string) trace.Place {
	if at, ok := w.wishes[g]; ok {
		return at
	}
	return trace.Place{Subject: estate.SecurityGroups.Ref(g), Origin: &g.Origin, Field: field}
}

// title names a security group: by its ID, for that is what rules say.
func (x *question) title(id string) string { return "security group " + estate.ShortName(id) }

func (x *question) titles(ids []string) string {
	names := make([]string, len(ids))
	for i, id := range ids {
		names[i] = estate.ShortName(id)
	}
	switch len(names) {
	case 0:
		return "its security groups"
	case 1:
		return "security group " + names[0]
	}
	return "security groups " + list(names)
}

// networkACLs explains the ACLs at the borders of the subnets.
func (x *question) networkACLs() (l Layer, asked bool, note string) {
	if x.p.subnet == x.q.subnet || x.aclAt(x.p) == nil && x.aclAt(x.q) == nil {
		return l, false, ""
	}
	sure, open := x.acls(x.a, x.b, x.p, x.q)
	l = Layer{Kind: NetworkACLs, Of: x.name(x.to), Verdict: x.network.verdictOf(sure, open, x.protocol, x.port)}
	packet := fmt.Sprintf("%s %d", x.protocol, x.port)
	for _, step := range []struct {
		at    *spot
		d     Direction
		peer  *spot
		reply bool
	}{{x.p, Egress, x.q, false}, {x.q, Ingress, x.p, false}, {x.q, Egress, x.p, true}, {x.p, Ingress, x.q, true}} {
		a := x.aclAt(step.at)
		if a == nil || step.reply && x.protocol != TCP && x.protocol != SCTP {
			continue
		}
		if a.unknown {
			if l.Verdict == Unknown {
				l.Why = cmp.Or(l.Why, "what the network ACL of subnet "+estate.ShortName(x.subnets[step.at.subnet].id)+" says is not known (ec2:DescribeNetworkAcls); read it live (--aws)")
			}
			continue
		}
		sure, open := x.border(step.at.subnet, step.d, step.peer.atoms)
		if step.reply {
			got := x.network.ports.of(open)
			if replies := got[x.protocol]; len(replies) == 0 || replies[len(replies)-1].Last == 0 {
				x.deny(&l, a, step.d, step.peer, "the replies", fmt.Sprintf("%s 1024-65535", x.protocol))
			} else if ordinary := PortsOf(x.protocol, 1024, lastPort); l.Verdict == Allowed && !holds(&got, &ordinary) {
				note = "a network ACL lets through replies to some ports alone: who connects from one of these gets through"
			}
			continue
		}
		switch x.network.verdictOf(sure, open, x.protocol, x.port) {
		case Denied:
			x.deny(&l, a, step.d, step.peer, packet, packet)
		case Allowed:
			if e, ok := a.first(step.d, x.space, step.peer, x.protocol, x.port); ok && l.Verdict == Allowed {
				l.Rules = append(l.Rules, a.rule(e))
			}
		}
	}
	switch l.Verdict {
	case Allowed:
		l.Why = "the network ACLs of both subnets let it and its replies through"
	case Unknown:
		l.Why = cmp.Or(l.Why, "a network ACL decides by addresses that are not known")
	}
	return l, true, note
}

func holds(all, part *Ports) bool {
	rest := part.Minus(all)
	return rest.Empty()
}

// deny writes the first border that stops a connection into a layer.
func (x *question) deny(l *Layer, a *acl, d Direction, peer *spot, what, needed string) {
	if l.Verdict != Denied || l.Why != "" {
		return
	}
	name := "network ACL " + estate.ShortName(cmp.Or(a.object.Id, a.object.Arn))
	rule := Rule{Place: a.place("entries"), Name: name, Says: "allows nothing that matches"}
	number := 0
	if e, ok := a.first(d, x.space, peer, x.protocol, x.port); ok && !e.allow && what != "the replies" {
		rule, number = a.rule(e), e.number
	}
	l.Rules = []Rule{rule}
	l.Why = fmt.Sprintf("%s stops %s %s %s", name, what, preposition(d), x.addresses(peer))
	before := ""
	if number > 0 {
		before = " before entry " + itoa(number)
	}
	l.change = fmt.Sprintf("add to the %s entries of %s%s: allow %s %s %s", d, name, before, needed, preposition(d), x.addresses(peer))
}

// first returns the entry that decides about a peer.
func (a *acl) first(d Direction, space *addressSpace, peer *spot, protocol Protocol, port uint16) (aclEntry, bool) {
	for _, e := range a.entries[d] {
		if e.ports.Has(protocol, port) && len(space.atoms(e.prefix).intersect(peer.atoms)) > 0 {
			return e, true
		}
	}
	return aclEntry{}, false
}

func (a *acl) rule(e aclEntry) Rule {
	says := "denies"
	if e.allow {
		says = "allows"
	}
	return Rule{
		Place: a.place("entries[" + itoa(e.index) + "]"), Name: "network ACL " + estate.ShortName(cmp.Or(a.object.Id, a.object.Arn)),
		Says: fmt.Sprintf("%s %s, %s (entry %d)", says, e.ports, e.prefix, e.number),
	}
}

// routes explains the way from one end to the other, where it is more than the
// routes that every VPC has.
func (x *question) routes() (l Layer, asked bool, note string) {
	w := x.way(x.a, x.b, x.p, x.q)
	if w.local {
		return l, false, ""
	}
	end := x.from
	if x.a.end >= privateEnd {
		end = x.to
	}
	l = Layer{Kind: Routes, Of: x.name(end), Why: w.why}
	sure, open := w.lets()
	l.Verdict = x.network.verdictOf(sure, open, x.protocol, x.port)
	if w.table != nil {
		place := trace.Place{Subject: estate.RouteTables.Ref(w.table), Origin: &w.table.Origin, Field: "routes"}
		rule := Rule{Name: "route table " + estate.ShortName(cmp.Or(w.table.RouteTableId, w.table.Arn)), Says: "has no route there"}
		if w.route >= 0 {
			r := &w.table.Routes[w.route]
			place.Field += "[" + itoa(w.route) + "]"
			rule.Says = "leads " + cmp.Or(r.DestinationCidrBlock, r.DestinationIpv6CidrBlock, r.DestinationPrefixListId) + " to " + leadsTo(r)
		}
		rule.Place = place
		l.Rules = []Rule{rule}
	}
	if l.Verdict == Denied {
		switch {
		case w.table == nil:
			l.change = "give " + l.Of + " an address in the internet"
		case x.a.end == internetEnd:
			l.change = "add to " + l.Rules[0].Name + " a route to an internet gateway"
		case x.b.end == internetEnd:
			l.change = "add to " + l.Rules[0].Name + " a route to a NAT gateway"
		default:
			l.change = "add to " + l.Rules[0].Name + " a route to the network of the other end"
		}
	}
	return l, true, w.note
}
