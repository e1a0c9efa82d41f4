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
	Check: control.Traced(inside, func(g inner) trace.Place { return groupPlace(g.group, "") }, judgeWorld, estate.SecurityGroups.Kind).
		Needs(estate.SecurityGroups.Kind).
		Helped(nodeKinds...).
		Helped(doorKinds...).
		Helped(estate.SecurityGroupPolicies.Kind),
}

// An inner is a security group of what stands inside, where load balancers
// alone should be met from outside.
type inner struct {
	group *estate.SecurityGroup
	of    string
}

// inside lists the security groups of nodes, pods and databases.
func inside(g *trace.Graph) []inner {
	w := trace.Derive(g, newGround)
	of := map[*estate.SecurityGroup]string{}
	add := func(who string, ids ...string) {
		for _, id := range ids {
			if sg := w.groups[id]; sg != nil && (of[sg] == "" || who < of[sg]) {
				of[sg] = who
			}
		}
	}
	add("nodes", w.nodeGroups...)
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
	out := make([]inner, 0, len(of))
	for sg, who := range of {
		out = append(out, inner{sg, who})
	}
	slices.SortFunc(out, func(a, b inner) int {
		return estate.SecurityGroups.Ref(a.group).Compare(estate.SecurityGroups.Ref(b.group))
	})
	return out
}

func judgeWorld(s *control.Subject, g inner) {
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
