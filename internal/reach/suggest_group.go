package reach

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/eksafe/eksafe/internal/estate"
)

// suggestGroups says which ingress rules the security groups of targets need.
func (a *advisor) suggestGroups() {
	byGroup := map[*estate.SecurityGroup]*GroupSuggestion{}
	var order []*GroupSuggestion
	suggestion := func(sg *estate.SecurityGroup, of *Endpoint) *GroupSuggestion {
		s := byGroup[sg]
		if s == nil {
			s = &GroupSuggestion{Group: sg}
			byGroup[sg] = s
			order = append(order, s)
		}
		if !slices.Contains(s.Of, of.Name) {
			s.Of = append(s.Of, of.Name)
		}
		return s
	}
	vague := map[*estate.SecurityGroup]bool{} // a client of it cannot be named
	for _, t := range a.vpc.targets {
		needs := a.needsOf(t.endpoint)
		groups := a.groupsOf(t)
		if len(needs) == 0 || len(groups) == 0 {
			continue
		}
		for _, sg := range groups {
			if a.shared(sg) {
				a.open("security group %s of %s is that of nodes too: who holds it reaches %s; give %s a group of its own", groupName(sg), t.endpoint.Name, t.endpoint.Name, t.endpoint.Name)
				vague[sg] = true
			}
			suggestion(sg, t.endpoint)
		}
		for _, d := range needs {
			rules := a.groupRules(d)
			if len(rules) == 0 {
				for _, sg := range groups {
					vague[sg] = true
				}
			}
			for _, r := range rules {
				s := suggestion(holder(groups, r), t.endpoint)
				s.add(r, d.From.Name+": "+d.Why)
			}
		}
	}
	a.suggestEntries(suggestion)
	for _, s := range order {
		if vague[s.Group] {
			continue
		}
		a.compareRules(s)
		a.s.Groups = append(a.s.Groups, *s)
	}
	slices.SortFunc(a.s.Groups, func(x, y GroupSuggestion) int {
		return cmp.Or(cmp.Compare(groupName(x.Group), groupName(y.Group)), cmp.Compare(x.Group.Arn, y.Group.Arn))
	})
}

func groupName(sg *estate.SecurityGroup) string { return estate.ShortName(cmp.Or(sg.GroupId, sg.Arn)) }

// needsOf returns what is needed of something that AWS runs.
func (a *advisor) needsOf(e *Endpoint) []*Need {
	var out []*Need
	for i := range a.s.Needs {
		if d := &a.s.Needs[i]; d.To == e && d.Protocol <= UDP {
			out = append(out, d)
		}
	}
	return out
}

// groupsOf returns the security groups of a target that were read with their
// rules, none unless all were.
func (a *advisor) groupsOf(t *target) []*estate.SecurityGroup {
	if t.predicted != nil {
		return nil // its controller makes them, or opens those that it is told to take
	}
	var out []*estate.SecurityGroup
	for _, id := range sortedIDs(t.groups) {
		sg := a.vpc.groups[id]
		if sg == nil {
			return nil
		}
		if _, known := sg.SecurityGroupIngress.Get(); !known {
			return nil
		}
		if !slices.Contains(out, sg) {
			out = append(out, sg)
		}
	}
	return out
}

// shared reports whether nodes or pods hold a group too: rules that nobody needs
// of the target may be theirs.
func (a *advisor) shared(sg *estate.SecurityGroup) bool {
	is := func(ids []string) bool {
		return slices.ContainsFunc(ids, func(id string) bool { return a.vpc.groups[id] == sg })
	}
	if is(a.vpc.clusterGroups) || slices.ContainsFunc(a.vpc.stations, func(s station) bool { return is(s.groups) }) {
		return true
	}
	for _, rules := range a.vpc.policies {
		if slices.ContainsFunc(rules, func(r *ownGroupRule) bool { return is(r.groups) }) {
			return true
		}
	}
	return false
}

// holder returns the group of a target that has the rule, else the first.
func holder(groups []*estate.SecurityGroup, r estate.SecurityGroupRule) *estate.SecurityGroup {
	for _, sg := range groups {
		if slices.Contains(sg.SecurityGroupIngress.Or(nil), r) {
			return sg
		}
	}
	return groups[0]
}

// add adds a rule, or one more who needs it.
func (s *GroupSuggestion) add(r estate.SecurityGroupRule, reason string) {
	i := slices.Index(s.Rules, r)
	if i < 0 {
		s.Rules, s.Reasons = append(s.Rules, r), append(s.Reasons, reason)
		return
	}
	if !slices.Contains(strings.Split(s.Reasons[i], "; "), reason) {
		s.Reasons[i] += "; " + reason
	}
}

// groupRules returns the rules that let a need in: from the security group of
// the client where it is known, else from its networks; none where neither is.
func (a *advisor) groupRules(d *Need) []estate.SecurityGroupRule {
	rule := estate.SecurityGroupRule{IpProtocol: strings.ToLower(d.Protocol.String()), FromPort: int(d.Port), ToPort: int(d.Port)}
	var out []estate.SecurityGroupRule
	fromGroups := func(ids []string) {
		for _, id := range ids {
			r := rule
			r.SourceSecurityGroupId = a.vpc.group(id)
			out = append(out, r)
		}
	}
	fromNetworks := func(networks []netip.Prefix) {
		for _, p := range networks {
			r := rule
			if p.Addr().Is4() {
				r.CidrIp = p.String()
			} else {
				r.CidrIpv6 = p.String()
			}
			out = append(out, r)
		}
	}
	switch from := d.From; {
	case from.Workload != nil:
		groups, known := a.clientGroups(from.Workload)
		if known {
			fromGroups(groups)
			break
		}
		networks := a.vpc.nodeNetworks()
		fromNetworks(apart(networks))
		if len(networks) == 0 {
			a.open("the security groups and subnets of the nodes of %s are not known, so its rule at %s cannot be written: read them (--aws), or add their template", from.Name, d.To.Name)
		}
	case from.target != nil && len(from.target.groups) > 0:
		fromGroups(sortedIDs(from.target.groups)[:1])
	default:
		fromNetworks(a.networksOf(from))
	}
	return out
}

// clientGroups returns groups of which the pods of a workload hold one wherever
// they run.
func (a *advisor) clientGroups(w *estate.Workload) ([]string, bool) {
	if own := a.vpc.ownGroups(w); len(own) > 0 {
		return own[:1], true
	}
	stations := a.vpc.stationsOf(w)
	if onFargate(w) {
		stations = a.vpc.fargate()
	}
	var common, each []string
	for i, s := range stations {
		if !s.known || len(s.groups) == 0 {
			return nil, false
		}
		if i == 0 {
			common = slices.Clone(s.groups)
		}
		common = slices.DeleteFunc(common, func(id string) bool { return !slices.Contains(s.groups, id) })
		each = append(each, s.groups[0])
	}
	if len(common) > 0 {
		return common[:1], true
	}
	return sortedIDs(each), len(each) > 0
}

// suggestEntries narrows the rules of load balancers to the ports at which they
// listen. Who their clients are the rules of now say.
func (a *advisor) suggestEntries(suggestion func(*estate.SecurityGroup, *Endpoint) *GroupSuggestion) {
	for _, lb := range a.graph.LoadBalancers {
		e := a.byRef[lb.Ref]
		if e == nil || e.target == nil {
			continue
		}
		for _, sg := range a.groupsOf(e.target) {
			if a.shared(sg) {
				continue
			}
			s := suggestion(sg, e)
			for _, l := range lb.Listeners {
				for _, r := range sg.SecurityGroupIngress.Or(nil) {
					if r.Unresolved || l.Port < 1 {
						continue
					}
					for _, protocol := range []Protocol{TCP, UDP} {
						opened, listens := rulePorts(&r), listens(lb)
						if port := uint16(l.Port); opened.Has(protocol, port) && listens.Has(protocol, port) {
							r.IpProtocol, r.FromPort, r.ToPort = strings.ToLower(protocol.String()), int(port), int(port)
							s.add(r, "listener "+l.String()+" of "+e.Name)
						}
					}
				}
			}
		}
	}
}

// compareRules says which rules of now nobody needs. What people declare as
// clients stays, and of VPC endpoints everything: nodes need them too.
func (a *advisor) compareRules(s *GroupSuggestion) {
	infrastructure := slices.ContainsFunc(a.vpc.targets, func(t *target) bool {
		return (t.endpoint.Kind == VPCEndpoint || t.endpoint.Kind == FileSystemEndpoint) && slices.ContainsFunc(t.groups, func(id string) bool { return a.vpc.groups[id] == s.Group })
	})
	wanted := slices.Clone(s.Rules)
	for i, r := range s.Group.SecurityGroupIngress.Or(nil) {
		switch {
		case r.Unresolved:
			s.Unclear = append(s.Unclear, i)
		case slices.Contains(s.Rules, r):
		case infrastructure:
			s.add(r, "it is there, and nodes may need it")
		case a.declaredClient(&r, wanted):
			s.add(r, "clients in eksafe.yaml")
		default:
			s.Removed = append(s.Removed, i)
		}
	}
	if len(s.Unclear) > 0 {
		a.open("%d rules of security group %s are not known before it is deployed: they stay; look whether each is of a client", len(s.Unclear), groupName(s.Group))
	}
}

// declaredClient reports whether a rule lets in, at a port that is needed, a
// network of clients that eksafe.yaml declares.
func (a *advisor) declaredClient(r *estate.SecurityGroupRule, wanted []estate.SecurityGroupRule) bool {
	block, ok := parsePrefix(r.CidrIp + r.CidrIpv6)
	if !ok || !slices.ContainsFunc(wanted, func(w estate.SecurityGroupRule) bool {
		return w.IpProtocol == r.IpProtocol && w.FromPort == r.FromPort && w.ToPort == r.ToPort
	}) {
		return false
	}
	for _, c := range a.config.Clients {
		for _, text := range c.CIDRs {
			if p, ok := parsePrefix(text); ok && p.Bits() <= block.Bits() && p.Contains(block.Addr()) {
				return true
			}
		}
	}
	return false
}

// changedGroups returns the security groups of an estate with suggested rules.
func changedGroups(e *estate.Estate, groups []GroupSuggestion) []*estate.SecurityGroup {
	changed := map[*estate.SecurityGroup]*estate.SecurityGroup{}
	for _, s := range groups {
		rules := slices.Clone(s.Rules)
		for _, i := range s.Unclear {
			rules = append(rules, s.Group.SecurityGroupIngress.Or(nil)[i])
		}
		sg := *s.Group
		sg.SecurityGroupIngress = estate.Known(rules)
		changed[s.Group] = &sg
	}
	var out []*estate.SecurityGroup
	for _, sg := range estate.SecurityGroups.In(e) {
		out = append(out, cmp.Or(changed[sg], sg))
	}
	return out
}

// Says writes a rule of a security group as people say it.
func (s *GroupSuggestion) Says(r *estate.SecurityGroupRule) string {
	ports := r.IpProtocol
	switch {
	case r.IpProtocol == "-1" || r.IpProtocol == "all":
		ports = "every port"
	case r.FromPort == -1:
		ports += ", every port,"
	case r.FromPort == r.ToPort:
		ports += " " + itoa(r.FromPort)
	default:
		ports += fmt.Sprintf(" %d-%d", r.FromPort, r.ToPort)
	}
	return ports + " from " + r.CidrIp + r.CidrIpv6 + estate.ShortName(r.SourceSecurityGroupId) + r.SourcePrefixListId
}
