package network

import (
	"cmp"
	"net/netip"
	"slices"

	"github.com/eksafe/eksafe/internal/control"
	"github.com/eksafe/eksafe/internal/estate"
	"github.com/eksafe/eksafe/internal/trace"
)

// nodeKinds are the kinds that say where nodes stand and what lets them in.
var nodeKinds = []estate.Kind{
	estate.Clusters.Kind, estate.Nodegroups.Kind, estate.Instances.Kind, estate.LaunchTemplates.Kind,
}

// A ground is the network of AWS on which the pods stand: the security groups
// and subnets of the nodes, and what rules the groups have.
type ground struct {
	groups  map[string]*estate.SecurityGroup // by ID, ARN
	subnets map[string]*estate.Subnet        // by ID, ARN
	// nodeGroups are the security groups of nodes and nodeSubnets their subnets,
	// by ID; known is false if there may be more.
	nodeGroups, nodeSubnets []string
	known                   bool
	why                     string
	groupless               string         // says of which nodes the groups are not known
	homeless                string         // says of which node the subnet is not known
	podNetworks             []netip.Prefix // of the subnets of nodes
	vpcs                    []netip.Prefix
}

func groundOf(s *control.Subject) *ground {
	return trace.Derive(s.Graph(), newGround)
}

func newGround(g *trace.Graph) *ground {
	e := g.Estate
	w := &ground{groups: map[string]*estate.SecurityGroup{}, subnets: map[string]*estate.Subnet{}, known: true}
	for _, sg := range estate.SecurityGroups.In(e) {
		w.groups[sg.Arn] = sg
		if sg.GroupId != "" {
			w.groups[sg.GroupId] = sg
		}
	}
	for _, n := range estate.Subnets.In(e) {
		w.subnets[n.Arn] = n
		if n.SubnetId != "" {
			w.subnets[n.SubnetId] = n
		}
	}
	for _, v := range estate.VPCs.In(e) {
		w.vpcs = append(w.vpcs, prefixes(slices.Concat([]string{v.CidrBlock}, v.CidrBlockAssociations, v.Ipv6CidrBlocks)...)...)
	}
	w.nodes(e)
	w.groupless = w.why
	for _, id := range w.nodeSubnets {
		if n := w.subnets[id]; n != nil {
			w.podNetworks = append(w.podNetworks, prefixes(n.CidrBlock, n.Ipv6CidrBlock)...)
		} else {
			w.unknown("subnet " + short(id) + " of the nodes was not read")
		}
	}
	return w
}

func (w *ground) unknown(why string) {
	w.known = false
	if w.why == "" || why < w.why {
		w.why = why
	}
}

func (w *ground) nodes(e *estate.Estate) {
	own := map[string]string{}
	for _, c := range estate.Clusters.In(e) {
		// A template's node groups name the cluster by its identity.
		own[c.Name] = cmp.Or(c.ClusterSecurityGroupId, own[c.Name])
		own[c.Arn] = cmp.Or(c.ClusterSecurityGroupId, own[c.Arn])
	}
	for _, n := range estate.Nodegroups.In(e) {
		w.nodeSubnets = append(w.nodeSubnets, n.Subnets...)
		groups, ok := n.TemplateSecurityGroups(e)
		switch {
		case !ok:
			w.unknown("the launch template of node group " + n.NodegroupName + " is not known")
		case len(groups) > 0:
			w.nodeGroups = append(w.nodeGroups, groups...)
		case own[n.ClusterName] != "":
			w.nodeGroups = append(w.nodeGroups, own[n.ClusterName])
		default:
			w.unknown("the security group that EKS makes for cluster " + n.ClusterName + " is not known")
		}
	}
	for _, i := range estate.Instances.In(e) {
		w.nodeGroups = append(w.nodeGroups, i.SecurityGroupIds...)
		if i.SubnetId != "" {
			w.nodeSubnets = append(w.nodeSubnets, i.SubnetId)
		} else {
			w.homeless = "the subnet of node " + i.InstanceId + " is not known"
		}
		if len(i.SecurityGroupIds) == 0 {
			w.unknown("the security groups of node " + i.InstanceId + " are not known")
		}
	}
	if len(w.nodeGroups) == 0 {
		w.unknown("no source shows the nodes")
	}
	slices.Sort(w.nodeGroups)
	slices.Sort(w.nodeSubnets)
	w.nodeGroups, w.nodeSubnets = slices.Compact(w.nodeGroups), slices.Compact(w.nodeSubnets)
}

// same reports whether two IDs name one security group: a template knows the
// group by its logical ID, AWS by its group ID.
func (w *ground) same(a, b string) bool {
	if a == b {
		return true
	}
	x, y := w.groups[a], w.groups[b]
	return x != nil && x == y
}

// ingressField returns the field of a rule.
func ingressField(i int) string { return "securityGroupIngress[" + itoa(i) + "]" }

func groupPlace(sg *estate.SecurityGroup, field string) trace.Place {
	return trace.Place{Subject: estate.SecurityGroups.Ref(sg), Origin: &sg.Origin, Field: field}
}

// tcp reports whether a rule is about TCP at a port; port 0 is one that is not
// known.
func tcp(r estate.SecurityGroupRule, port int32) bool {
	switch r.IpProtocol {
	case "-1", "all":
		return true
	case "tcp", "6":
		return port == 0 || r.FromPort == -1 || r.FromPort <= int(port) && int(port) <= r.ToPort
	}
	return false
}
