package network

import (
	"slices"

	"github.com/eksafe/eksafe/internal/control"
	"github.com/eksafe/eksafe/internal/estate"
	"github.com/eksafe/eksafe/internal/trace"
)

var sgNoWorld = &control.Control{
	ID:       "sg-no-world",
	Title:    "No security group of nodes, pods or databases is open to the world",
	Severity: control.High,
	Refs:     []control.Ref{control.FSBP("EC2.18"), control.ATTACK("T1190")},
	Serves:   []string{"S18", "S41"},
	Since:    "0.1.0",
	Check: control.Traced(inside, func(g inner) trace.Place { return g.place }, judgeWorld, estate.SecurityGroups.Kind).
		Needs(estate.SecurityGroups.Kind).
		Helped(nodeKinds...).
		Helped(doorKinds...).
		Helped(estate.SecurityGroupPolicies.Kind, estate.Subnets.Kind),
}

// An inner is a security group of what stands inside, where load balancers
// alone should be met from outside.
type inner struct {
	place trace.Place
	group *estate.SecurityGroup // nil if it is not known
	of    string
	why   string // why it is not known
}

// inside lists the security groups of nodes, pods and databases.
func inside(g *trace.Graph) []inner {
	w := trace.Derive(g, newGround)
	var out []inner
	index := map[estate.Ref]int{}
	put := func(n inner) {
		i, ok := index[n.place.Subject]
		switch {
		case !ok:
			index[n.place.Subject] = len(out)
			out = append(out, n)
		case n.of < out[i].of:
			out[i].of = n.of
		}
	}
	add := func(who string, ids ...string) {
		for _, id := range ids {
			if sg := w.groups[id]; sg != nil {
				put(inner{place: groupPlace(sg, ""), group: sg, of: who})
			} else if id != "" {
				put(inner{place: trace.Place{Subject: estate.Ref{Kind: estate.SecurityGroups.Kind, Name: short(id), ID: id}}, of: who,
					why: "security group " + short(id) + " of " + who + " was not read (ec2:DescribeSecurityGroups)"})
			}
		}
	}
	add("nodes", w.nodeGroups...)
	if place, ok := clusterPlace(g.Estate); ok && w.groupless != "" {
		put(inner{place: place, of: "nodes", why: w.groupless})
	}
	for _, c := range estate.Clusters.In(g.Estate) {
		add("cluster "+c.Name, c.ResourcesVpcConfig.SecurityGroupIds...)
		add("cluster "+c.Name, c.ClusterSecurityGroupId)
	}
	for _, p := range estate.SecurityGroupPolicies.In(g.Estate) {
		add("pods of "+p.Object.Namespace, p.Object.Spec.SecurityGroups.Groups...)
	}
	for _, i := range estate.DBInstances.In(g.Estate) {
		add("database "+i.DBInstanceIdentifier, i.VPCSecurityGroups...)
	}
	for _, c := range estate.DBClusters.In(g.Estate) {
		add("database "+c.DBClusterIdentifier, c.VpcSecurityGroupIds...)
	}
	for _, p := range estate.DBProxies.In(g.Estate) {
		add("database proxy "+p.DBProxyName, p.VpcSecurityGroupIds...)
	}
	slices.SortFunc(out, func(a, b inner) int { return a.place.Subject.Compare(b.place.Subject) })
	return out
}

func judgeWorld(s *control.Subject, g inner) {
	if g.group == nil {
		s.Unknownf("%s", g.why)
		return
	}
	rules, known := g.group.SecurityGroupIngress.Get()
	if !known {
		s.Unknownf("the rules of security group %s are not known", short(name(g.group)))
		return
	}
	for i, r := range rules {
		block, ok := prefix(r.CidrIp + r.CidrIpv6)
		switch {
		case r.SourceSecurityGroupId != "":
		case ok && worldwide(block):
			s.Failf(ingressField(i), "the internet (%s) reaches %s at %s", block, g.of, portsOrAll(r))
		case r.SourcePrefixListId != "":
			s.Unknownf("what prefix list %s holds is not known, and security group %s admits it", r.SourcePrefixListId, short(name(g.group)))
		case !ok:
			s.Unknownf("rule %d of security group %s is not known before it is deployed", i, short(name(g.group)))
		}
	}
}

func portsOrAll(r estate.SecurityGroupRule) string {
	if r.IpProtocol == "-1" {
		return "every port"
	}
	return ports(r)
}
