package network

import (
	"slices"

	"github.com/eksafe/eksafe/internal/control"
	"github.com/eksafe/eksafe/internal/estate"
	"github.com/eksafe/eksafe/internal/trace"
)

var databaseOwnSubnets = &control.Control{
	ID:       "database-own-subnets",
	Title:    "Databases stand in subnets of their own, in two zones or more",
	Severity: control.Medium,
	Refs:     []control.Ref{control.AWS("rds-vpc"), control.AWS("eks-pod-security-groups")},
	Serves:   []string{"S18"},
	Since:    "0.1.0",
	Check: control.Traced(doors, (*door).at, judgeSubnetsOf, doorKinds...).
		Needs(estate.Subnets.Kind).
		Helped(slices.Concat(doorDetails, nodeKinds)...).
		Helped(estate.LoadBalancers.Kind, estate.ClassicLoadBalancers.Kind, estate.Workloads.Kind, estate.SecurityGroupPolicies.Kind, estate.ServiceAccounts.Kind),
}

// tenants are what stands in subnets, by subnet.
type tenants map[string]string

func newTenants(g *trace.Graph) tenants {
	t := tenants{}
	add := func(who string, subnets []string) {
		for _, id := range subnets {
			if old, ok := t[id]; !ok || who < old {
				t[id] = who
			}
		}
	}
	for _, c := range estate.Clusters.In(g.Estate) {
		add("cluster "+c.Name, c.ResourcesVpcConfig.SubnetIds)
	}
	for _, n := range estate.Nodegroups.In(g.Estate) {
		add("node group "+n.NodegroupName, n.Subnets)
	}
	for _, i := range estate.Instances.In(g.Estate) {
		if i.SubnetId != "" {
			add("node "+i.InstanceId, []string{i.SubnetId})
		}
	}
	for _, l := range estate.LoadBalancers.In(g.Estate) {
		add("load balancer "+l.Name, l.Subnets)
	}
	return t
}

func judgeSubnetsOf(s *control.Subject, d *door) {
	w := groundOf(s)
	if d.why != "" {
		s.Unknownf("%s", d.why)
		return
	}
	var shared, missing []string
	zones := map[string]bool{}
	blind := false
	others := trace.Derive(s.Graph(), newTenants)
	for _, id := range d.subnets {
		n := w.subnets[id]
		if n == nil {
			missing = append(missing, short(id))
			continue
		}
		for _, key := range []string{n.SubnetId, n.Arn} {
			if who := others[key]; who != "" && key != "" {
				shared = append(shared, short(id)+" with "+who)
			}
		}
		zones[n.AvailabilityZone] = true
		blind = blind || n.AvailabilityZone == ""
	}
	if len(missing) > 0 {
		s.Unknownf("subnet %s of %s was not read (ec2:DescribeSubnets)", list(missing), d.name)
		return
	}
	if len(shared) > 0 && !apart(s, w, d) {
		s.Failf(d.subnetAt, "it shares subnets: %s", list(shared))
	}
	switch {
	case len(d.subnets) >= 2 && blind:
		s.Unknownf("the zones of the subnets of %s are not known", d.name)
	case len(zones) < 2:
		s.Failf(d.subnetAt, "its subnets stand in one zone")
	}
}

// apart reports whether security groups for pods keep a database apart where
// its subnets do not: its groups admit nothing but groups that policies give to
// pods, and the clients have them.
func apart(s *control.Subject, w *ground, d *door) bool {
	groups, why := d.rules(w)
	if why != "" || len(d.owners) == 0 {
		return false
	}
	pods := classesOf(s)
	var given []string
	for _, c := range pods.list {
		if !c.node {
			given = append(given, c.groups...)
		}
	}
	f := fabricOf(s.Graph())
	for owner := range d.owners {
		if c := pods.of[f.pods[owner]]; c == nil || c.node {
			return false
		}
	}
	for _, sg := range groups {
		for _, r := range sg.SecurityGroupIngress.Or(nil) {
			if !slices.ContainsFunc(given, func(id string) bool { return w.same(id, r.SourceSecurityGroupId) }) ||
				slices.ContainsFunc(w.nodeGroups, func(id string) bool { return w.same(id, r.SourceSecurityGroupId) }) {
				return false
			}
		}
	}
	return true
}
