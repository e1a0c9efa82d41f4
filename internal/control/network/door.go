package network

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/eksafe/eksafe/internal/control"
	"github.com/eksafe/eksafe/internal/estate"
	"github.com/eksafe/eksafe/internal/trace"
)

// A door is where clients meet a database: the database itself, or a proxy
// before it.
type door struct {
	place    trace.Place
	name     string
	port     int32 // 0 where it is not known
	groups   []string
	groupsAt string // the field of groups
	subnets  []string
	subnetAt string // the field of subnets
	why      string // why the subnets are not known
	owners   map[*estate.Workload]bool
}

func (d *door) at() trace.Place { return d.place }

// doorKinds hold the doors, and doorDetails what stands around them.
var (
	doorKinds   = []estate.Kind{estate.DBInstances.Kind, estate.DBClusters.Kind, estate.DBProxies.Kind}
	doorDetails = []estate.Kind{estate.DBSubnetGroups.Kind, estate.Subnets.Kind, estate.SecurityGroups.Kind}
)

// doors lists the databases, members of clusters left out, and the proxies.
func doors(g *trace.Graph) []*door {
	return trace.Derive(g, newDoors)
}

func newDoors(g *trace.Graph) []*door {
	groups := map[string]*estate.DBSubnetGroup{}
	for _, n := range estate.DBSubnetGroups.In(g.Estate) {
		groups[n.Arn], groups[n.DBSubnetGroupName] = n, n
	}
	byRef := map[estate.Ref]*door{}
	var out []*door
	add := func(d *door, subnetGroup string) {
		d.owners = map[*estate.Workload]bool{}
		if n := groups[subnetGroup]; n != nil && subnetGroup != "" {
			d.subnets = n.SubnetIds
		} else if len(d.subnets) == 0 {
			d.why = "subnet group " + cmp.Or(subnetGroup, "default") + " of " + d.name + " was not read (rds:DescribeDBSubnetGroups)"
		}
		byRef[d.place.Subject] = d
		out = append(out, d)
	}
	for _, db := range g.Databases {
		d := &door{place: trace.Place{Subject: db.Ref, Origin: db.Origin}, subnetAt: "dbSubnetGroupName", port: db.Listens()}
		if i := db.Instance; i != nil {
			d.name, d.groups, d.groupsAt = i.DBInstanceIdentifier, i.VPCSecurityGroups, "vpcSecurityGroups"
			add(d, i.DBSubnetGroupName)
		} else if c := db.Cluster; c != nil {
			d.name, d.groups, d.groupsAt = c.DBClusterIdentifier, c.VpcSecurityGroupIds, "vpcSecurityGroupIds"
			add(d, c.DBSubnetGroupName)
		}
	}
	for _, p := range estate.DBProxies.In(g.Estate) {
		add(&door{
			place: trace.Place{Subject: estate.DBProxies.Ref(p), Origin: &p.Origin}, name: p.DBProxyName,
			port: proxyPort(p.EngineFamily), groups: p.VpcSecurityGroupIds, groupsAt: "vpcSecurityGroupIds",
			subnets: p.VpcSubnetIds, subnetAt: "vpcSubnetIds",
		}, "")
	}
	for _, h := range g.HopsOf(trace.DatabaseLeg) {
		if d := byRef[h.To]; d != nil && h.Client != nil {
			d.owners[h.Client] = true
		}
	}
	slices.SortFunc(out, func(a, b *door) int { return a.place.Subject.Compare(b.place.Subject) })
	return out
}

// proxyPort returns the port of a proxy, which speaks one family of engines.
func proxyPort(family string) int32 {
	if family == "POSTGRESQL" {
		return trace.EnginePort("postgres")
	}
	return trace.EnginePort(strings.ToLower(family))
}

// networks returns the addresses at which the door may stand.
func (d *door) networks(w *ground) (out []netip.Prefix, known bool) {
	if len(d.subnets) == 0 {
		return nil, false
	}
	for _, id := range d.subnets {
		n := w.subnets[id]
		if n == nil {
			return nil, false
		}
		out = append(out, prefixes(n.CidrBlock, n.Ipv6CidrBlock)...)
	}
	return out, true
}

// rules returns the security groups of the door, and says why if one is not
// known.
func (d *door) rules(w *ground) (out []*estate.SecurityGroup, why string) {
	if len(d.groups) == 0 {
		return nil, "the security groups of " + d.name + " are not known: it has the default one of its VPC; name its own, or read it live (--aws)"
	}
	for _, id := range d.groups {
		sg := w.groups[id]
		if sg == nil {
			return nil, "security group " + short(id) + " of " + d.name + " was not read (ec2:DescribeSecurityGroups)"
		}
		if _, known := sg.SecurityGroupIngress.Get(); !known {
			return nil, "the rules of security group " + short(id) + " of " + d.name + " are not known"
		}
		out = append(out, sg)
	}
	return out, ""
}

// A class is the pods that share their security groups.
type class struct {
	groups []string
	node   bool // those of the nodes
}

// classes are the pods of applications by the security groups that their
// traffic carries: their own, else those of the nodes.
type classes struct {
	list []*class
	of   map[*pod]*class
}

func classesOf(s *control.Subject) *classes { return trace.Derive(s.Graph(), newClasses) }

func newClasses(g *trace.Graph) *classes {
	f, w := fabricOf(g), trace.Derive(g, newGround)
	out := &classes{of: map[*pod]*class{}}
	byKey := map[string]*class{}
	own := podGroups(f, g.Estate)
	for _, ns := range f.namespaces {
		for _, p := range ns.application() {
			groups, key := own[p], "own "+strings.Join(own[p], " ")
			if len(groups) == 0 {
				groups, key = w.nodeGroups, "nodes"
			}
			c := byKey[key]
			if c == nil {
				c = &class{groups: groups, node: key == "nodes"}
				byKey[key] = c
				out.list = append(out.list, c)
			}
			out.of[p] = c
		}
	}
	return out
}

// podGroups returns the groups that SecurityGroupPolicies give to pods.
func podGroups(f *fabric, e *estate.Estate) map[*pod][]string {
	out := map[*pod][]string{}
	accounts := map[[2]string]labels.Set{}
	for _, a := range estate.ServiceAccounts.In(e) {
		accounts[[2]string{a.Object.Namespace, a.Object.Name}] = a.Object.Labels
	}
	for _, r := range estate.SecurityGroupPolicies.In(e) {
		ns := f.byName[r.Object.Namespace]
		if ns == nil {
			continue
		}
		for _, p := range securityGroupPods(ns, &r.Object, accounts) {
			out[p] = append(out[p], r.Object.Spec.SecurityGroups.Groups...)
		}
	}
	for _, groups := range out {
		slices.Sort(groups)
	}
	return out
}

// securityGroupPods returns the pods that a SecurityGroupPolicy selects: those
// that each selector which is set selects. Without any it selects nothing.
func securityGroupPods(ns *namespace, o *estate.SecurityGroupPolicy, accounts map[[2]string]labels.Set) []*pod {
	spec := &o.Spec
	if spec.PodSelector == nil && spec.ServiceAccountSelector == nil {
		return nil
	}
	everything := labels.Everything()
	byPod, byAccount := everything, everything
	var err, accountErr error
	selector := &metav1.LabelSelector{}
	if spec.PodSelector != nil {
		selector = spec.PodSelector
		byPod, err = metav1.LabelSelectorAsSelector(selector)
	}
	if spec.ServiceAccountSelector != nil {
		byAccount, accountErr = metav1.LabelSelectorAsSelector(spec.ServiceAccountSelector)
	}
	if err != nil || accountErr != nil {
		return nil
	}
	var out []*pod
	for _, p := range ns.selected(selector, byPod) {
		account := cmp.Or(p.workload.Template.Spec.ServiceAccountName, "default")
		if byAccount.Matches(accounts[[2]string{ns.name, account}]) {
			out = append(out, p)
		}
	}
	return out
}
