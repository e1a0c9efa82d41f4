package reach

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/eksafe/eksafe/internal/estate"
	"github.com/eksafe/eksafe/internal/trace"
)

// A ground is what the nodes give to their pods: subnets, security groups, and
// how the VPC CNI is set.
type ground struct {
	// seen is true if a source shows the network of AWS.
	seen   bool
	groups map[string]*estate.SecurityGroup // by ID, ARN
	// wished are groups that are not made yet, and wishes where they are asked for.
	wished   []*estate.SecurityGroup
	wishes   map[*estate.SecurityGroup]trace.Place
	subnets  []*subnet
	subnetBy map[string]int // by ID, ARN
	// stations are where nodes stand. Beside those that are known there is one
	// of which nothing is known if there may be more, and why says so.
	stations []station
	why      string
	byNode   map[string]string          // ID of the instance by name of the node
	byID     map[string][]int           // stations by ID of the instance
	public   map[string]trace.Ternary   // whether instances have a public address, by ID
	accounts map[[2]string]labels.Set   // of service accounts, by namespace and name
	policies map[string][]*ownGroupRule // SecurityGroupPolicies by namespace

	podENI        trace.Ternary // pods can have groups of their own
	standard      bool          // the mode in which those groups are enforced
	externalSNAT  bool
	ipv4, ipv6    bool     // pods have addresses of the family
	clusterGroups []string // what EKS gives to Fargate pods, one a cluster
	clusterNets   []string // subnets of the clusters

	routed bool                          // a source shows subnets or routes
	lists  map[string]*estate.PrefixList // by ID, ARN
}

// A station is a kind of node: its security groups and its subnet.
type station struct {
	groups []string
	known  bool
	why    string
	subnet string // "" if not known
	public trace.Ternary
}

// A subnet with what filters at its border and leads out of it.
type subnet struct {
	id, vpc  string
	networks []netip.Prefix
	maps     trace.Ternary // it gives public addresses to instances
	acl      *acl
	table    *estate.RouteTable
}

type ownGroupRule struct {
	pods, accounts labels.Selector
	groups         []string
	place          trace.Place
}

func newGround(e *estate.Estate) *ground {
	w := &ground{
		groups: map[string]*estate.SecurityGroup{}, subnetBy: map[string]int{}, byNode: map[string]string{}, byID: map[string][]int{},
		public: map[string]trace.Ternary{}, accounts: map[[2]string]labels.Set{}, policies: map[string][]*ownGroupRule{},
		lists: map[string]*estate.PrefixList{}, wishes: map[*estate.SecurityGroup]trace.Place{},
	}
	for _, l := range estate.PrefixLists.In(e) {
		w.lists[l.Arn] = l
		if l.PrefixListId != "" {
			w.lists[l.PrefixListId] = l
		}
	}
	for _, sg := range estate.SecurityGroups.In(e) {
		w.groups[sg.Arn] = sg
		if sg.GroupId != "" {
			w.groups[sg.GroupId] = sg
		}
	}
	w.addSubnets(e)
	w.routed = len(w.subnets) > 0 || len(estate.RouteTables.In(e)) > 0
	w.seen = len(w.groups) > 0 || w.routed
	w.addNodes(e)
	w.addPolicies(e)
	w.settings(e)
	return w
}

func (w *ground) addSubnets(e *estate.Estate) {
	acls, tables := map[string]*acl{}, map[string]*estate.RouteTable{}
	byDefault, byMain := map[string]*acl{}, map[string]*estate.RouteTable{}
	for _, n := range estate.NetworkAcls.In(e) {
		a := newACL(n)
		if n.Default {
			byDefault[n.VpcId] = a
		}
		for _, id := range n.SubnetIds {
			acls[id] = a
		}
	}
	for _, t := range estate.RouteTables.In(e) {
		if t.Main {
			byMain[t.VpcId] = t
		}
		for _, id := range t.SubnetIds {
			tables[id] = t
		}
	}
	for _, n := range estate.Subnets.In(e) {
		s := &subnet{id: cmp.Or(n.SubnetId, n.Arn), vpc: n.VpcId}
		for _, text := range []string{n.CidrBlock, n.Ipv6CidrBlock} {
			if p, ok := parsePrefix(text); ok {
				s.networks = append(s.networks, p)
			}
		}
		if on, known := n.MapPublicIpOnLaunch.Get(); known {
			s.maps = ternary(on)
		}
		for _, id := range []string{n.SubnetId, n.Arn} {
			if id == "" {
				continue
			}
			w.subnetBy[id] = len(w.subnets)
			s.acl, s.table = cmp.Or(s.acl, acls[id]), cmp.Or(s.table, tables[id])
		}
		s.acl, s.table = cmp.Or(s.acl, byDefault[n.VpcId]), cmp.Or(s.table, byMain[n.VpcId])
		w.subnets = append(w.subnets, s)
	}
	// A denied list of ACLs is no list without ACLs.
	if state := e.Coverage(estate.NetworkAcls.Kind).State; state == estate.Denied || state == estate.Unavailable {
		for _, s := range w.subnets {
			s.acl = cmp.Or(s.acl, &acl{unknown: true})
		}
	}
}

func ternary(yes bool) trace.Ternary {
	if yes {
		return trace.Yes
	}
	return trace.No
}

func (w *ground) unknown(why string) {
	if w.why == "" || why < w.why {
		w.why = why
	}
}

// addNodes finds the stations of the nodes: those of instances that run, and
// those at which node groups would start more.
func (w *ground) addNodes(e *estate.Estate) {
	own := map[string]string{}
	for _, c := range estate.Clusters.In(e) {
		// A template's node groups name the cluster by its identity.
		own[c.Name] = cmp.Or(c.ClusterSecurityGroupId, own[c.Name])
		own[c.Arn] = cmp.Or(c.ClusterSecurityGroupId, own[c.Arn])
		if c.ClusterSecurityGroupId != "" {
			w.clusterGroups = append(w.clusterGroups, c.ClusterSecurityGroupId)
		}
		w.clusterNets = append(w.clusterNets, c.ResourcesVpcConfig.SubnetIds...)
	}
	for _, i := range estate.NetworkInterfaces.In(e) {
		if i.InstanceId != "" && len(i.PublicIps) > 0 {
			w.public[i.InstanceId] = trace.Yes
		}
	}
	add := func(s station, id string) {
		if s.public == trace.Unclear {
			if at, ok := w.subnetBy[s.subnet]; ok {
				s.public = w.subnets[at].maps
			}
		}
		at := slices.IndexFunc(w.stations, func(o station) bool {
			return o.subnet == s.subnet && o.known == s.known && o.public == s.public && slices.Equal(o.groups, s.groups)
		})
		if at < 0 {
			at = len(w.stations)
			w.stations = append(w.stations, s)
		}
		if id != "" && !slices.Contains(w.byID[id], at) {
			w.byID[id] = append(w.byID[id], at)
		}
	}
	for _, n := range estate.Nodegroups.In(e) {
		groups, ok := n.TemplateSecurityGroups(e)
		s := station{known: true}
		switch {
		case !ok:
			s.known, s.why = false, "the launch template of node group "+n.NodegroupName+" is not known"
		case len(groups) > 0:
			s.groups = sortedIDs(groups)
		case own[n.ClusterName] != "":
			s.groups = []string{own[n.ClusterName]}
		default:
			s.known, s.why = false, "the security group that EKS makes for cluster "+n.ClusterName+" is not known"
		}
		if !s.known {
			w.unknown(s.why)
		}
		for _, id := range n.Subnets {
			at := s
			at.subnet = id
			add(at, "")
		}
		if len(n.Subnets) == 0 {
			add(s, "")
		}
	}
	for _, i := range estate.Instances.In(e) {
		s := station{groups: sortedIDs(i.SecurityGroupIds), known: len(i.SecurityGroupIds) > 0, subnet: i.SubnetId, public: w.public[i.InstanceId]}
		if !s.known {
			s.why = "the security groups of node " + i.InstanceId + " are not known"
			w.unknown(s.why)
		}
		add(s, i.InstanceId)
	}
	if len(w.stations) == 0 {
		w.unknown("no source shows the nodes")
		w.stations = []station{{why: w.why}}
	}
	for _, r := range estate.Nodes.In(e) {
		id := r.Object.Spec.ProviderID
		w.byNode[r.Object.Name] = id[strings.LastIndexByte(id, '/')+1:]
	}
}

func sortedIDs(ids []string) []string {
	out := slices.Clone(ids)
	slices.Sort(out)
	return slices.Compact(out)
}

// addPolicies compiles the SecurityGroupPolicies. One without a selector
// selects nothing.
func (w *ground) addPolicies(e *estate.Estate) {
	for _, a := range estate.ServiceAccounts.In(e) {
		w.accounts[[2]string{a.Object.Namespace, a.Object.Name}] = a.Object.Labels
	}
	for _, r := range estate.SecurityGroupPolicies.In(e) {
		spec := &r.Object.Spec
		if spec.PodSelector == nil && spec.ServiceAccountSelector == nil || len(spec.SecurityGroups.Groups) == 0 {
			continue
		}
		p := &ownGroupRule{
			pods: labels.Everything(), accounts: labels.Everything(), groups: spec.SecurityGroups.Groups,
			place: trace.Place{Subject: estate.SecurityGroupPolicies.Ref(r), Origin: &r.Origin, Field: "spec.securityGroups.groupIds"},
		}
		var err, accountErr error
		if spec.PodSelector != nil {
			p.pods, err = metav1.LabelSelectorAsSelector(spec.PodSelector)
		}
		if spec.ServiceAccountSelector != nil {
			p.accounts, accountErr = metav1.LabelSelectorAsSelector(spec.ServiceAccountSelector)
		}
		if err != nil || accountErr != nil {
			continue
		}
		w.policies[r.Object.Namespace] = append(w.policies[r.Object.Namespace], p)
	}
}

// ownGroups returns the groups that SecurityGroupPolicies give to the pods of a
// workload, none where they share those of the node.
func (w *ground) ownGroups(x *estate.Workload) []string {
	if w.podENI == trace.No || x.Template.Spec.HostNetwork {
		return nil
	}
	var out []string
	account := w.accounts[[2]string{x.Namespace, cmp.Or(x.Template.Spec.ServiceAccountName, "default")}]
	for _, p := range w.policies[x.Namespace] {
		if p.pods.Matches(labels.Set(x.Template.Labels)) && p.accounts.Matches(account) {
			out = append(out, p.groups...)
		}
	}
	return sortedIDs(out)
}

// settings reads how the VPC CNI is set. What the DaemonSet says is in force;
// the add-on says what it will be.
func (w *ground) settings(e *estate.Estate) {
	for _, a := range estate.Addons.In(e) {
		if a.AddonName != "vpc-cni" {
			continue
		}
		if on, known := a.EnablePodENI.Get(); known {
			w.podENI = ternary(on)
		}
		w.standard = a.PodSecurityGroupEnforcingMode.Or("") == "standard"
		w.externalSNAT = a.ExternalSNAT.Or(false)
	}
	for _, x := range estate.Workloads.In(e) {
		for i := range x.Pods {
			six := strings.Contains(x.Pods[i].PodIP, ":")
			w.ipv6, w.ipv4 = w.ipv6 || six, w.ipv4 || !six && x.Pods[i].PodIP != ""
		}
		if x.Namespace != metav1.NamespaceSystem || x.Name != "aws-node" {
			continue
		}
		for _, f := range x.Facts {
			switch f.Name {
			case "ENABLE_POD_ENI":
				if f.Setting != "" {
					w.podENI = ternary(f.Setting == "true")
				}
			case "POD_SECURITY_GROUP_ENFORCING_MODE":
				w.standard = f.Setting == "standard"
			case "AWS_VPC_K8S_CNI_EXTERNALSNAT":
				w.externalSNAT = f.Setting == "true"
			}
		}
	}
}

// nodeNetworks returns the networks of the subnets of nodes, none unless all
// are known.
func (w *ground) nodeNetworks() []netip.Prefix {
	var out []netip.Prefix
	for _, s := range w.stations {
		at, ok := w.subnetBy[s.subnet]
		if !ok {
			return nil
		}
		out = append(out, w.podPrefixes(at)...)
	}
	return out
}

// podPrefixes returns the blocks of a subnet out of which pods get addresses:
// of one IP family.
func (w *ground) podPrefixes(subnet int) []netip.Prefix {
	return w.family(w.subnets[subnet].networks)
}

// family returns the networks of the IP families that pods have: that of IPv4
// unless one shows another.
func (w *ground) family(networks []netip.Prefix) []netip.Prefix {
	var out []netip.Prefix
	for _, p := range networks {
		if p.Addr().Is4() && (w.ipv4 || !w.ipv6) || !p.Addr().Is4() && w.ipv6 {
			out = append(out, p)
		}
	}
	return out
}

// hostNetworks returns where nodes with unknown addresses may stand. They have
// an IPv4 address in any case.
func (v *vpc) hostNetworks() []netip.Prefix {
	var out []netip.Prefix
	for _, s := range v.stations {
		at, ok := v.subnetBy[s.subnet]
		if !ok {
			out = nil
			break
		}
		out = append(out, v.subnets[at].networks...)
	}
	if len(out) == 0 {
		out = v.networks
	}
	if len(out) == 0 {
		out = privateNetworks
	}
	return out
}

// onFargate reports whether the pods of a workload run on Fargate.
func onFargate(w *estate.Workload) bool {
	if w.Template.Labels["eks.amazonaws.com/fargate-profile"] != "" || w.Template.Spec.SchedulerName == "fargate-scheduler" {
		return true
	}
	return slices.ContainsFunc(w.Pods, func(p estate.Pod) bool { return strings.HasPrefix(p.NodeName, "fargate-") })
}

// stationsOf returns the stations at which the pods of a workload may be. Pods
// that ask for nodes stay on nodes like those on which they run; all others may
// be moved to any node.
func (w *ground) stationsOf(x *estate.Workload) []station {
	if !asksForNodes(&x.Template.Spec) || len(x.Pods) == 0 {
		return w.stations
	}
	var out []int
	for i := range x.Pods {
		at := w.byID[w.byNode[x.Pods[i].NodeName]]
		if len(at) == 0 {
			return w.stations
		}
		out = append(out, at...)
	}
	slices.Sort(out)
	var chosen []station
	for _, at := range slices.Compact(out) {
		chosen = append(chosen, w.stations[at])
	}
	return chosen
}

func asksForNodes(s *corev1.PodSpec) bool {
	if len(s.NodeSelector) > 0 {
		return true
	}
	a := s.Affinity
	return a != nil && a.NodeAffinity != nil && a.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution != nil
}
