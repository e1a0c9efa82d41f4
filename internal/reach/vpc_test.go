package reach

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/eksafe/eksafe/internal/estate"
	"github.com/eksafe/eksafe/internal/trace"
)

// A cloud is an estate in the making: one VPC, 10.0.0.0/16, with nodes in two
// subnets, a subnet for databases and a public one.
type cloud struct {
	estate.Estate
	groups map[string]*estate.SecurityGroup
	tables map[string]*estate.RouteTable
}

func newCloud() *cloud {
	c := &cloud{groups: map[string]*estate.SecurityGroup{}, tables: map[string]*estate.RouteTable{}}
	estate.VPCs.Add(&c.Estate, &estate.VPC{AWS: estate.AWS{Arn: "vpc-1"}, VpcId: "vpc-1", CidrBlock: "10.0.0.0/16"})
	for id, cidr := range map[string]string{"subnet-a": "10.0.1.0/24", "subnet-b": "10.0.2.0/24", "subnet-db": "10.0.9.0/28", "subnet-public": "10.0.0.0/24"} {
		estate.Subnets.Add(&c.Estate, &estate.Subnet{
			AWS: estate.AWS{Arn: id}, SubnetId: id, VpcId: "vpc-1", CidrBlock: cidr, MapPublicIpOnLaunch: estate.Known(id == "subnet-public"),
		})
	}
	for _, id := range []string{"a", "b", "db", "public"} {
		t := &estate.RouteTable{AWS: estate.AWS{Arn: "rtb-" + id}, RouteTableId: "rtb-" + id, VpcId: "vpc-1", SubnetIds: []string{"subnet-" + id}}
		t.Routes = []estate.Route{{DestinationCidrBlock: "10.0.0.0/16", GatewayId: "local"}}
		c.tables[id] = t
		estate.RouteTables.Add(&c.Estate, t)
	}
	for i, subnet := range []string{"subnet-a", "subnet-b"} {
		id := fmt.Sprint("i-", i)
		estate.Instances.Add(&c.Estate, &estate.Instance{AWS: estate.AWS{Arn: id}, InstanceId: id, SubnetId: subnet, SecurityGroupIds: []string{"sg-nodes"}})
	}
	c.group("sg-nodes").SecurityGroupEgress = estate.Known([]estate.SecurityGroupRule{{IpProtocol: "-1", FromPort: -1, ToPort: -1, CidrIp: "0.0.0.0/0"}})
	c.group("sg-db")
	c.addDB("orders", "sg-db")
	c.pod("shop/web", nil)
	return c
}

// group returns a group, made without rules.
func (c *cloud) group(id string) *estate.SecurityGroup {
	g := c.groups[id]
	if g == nil {
		none := []estate.SecurityGroupRule{}
		g = &estate.SecurityGroup{AWS: estate.AWS{Arn: id}, GroupId: id, GroupName: id, VpcId: "vpc-1", SecurityGroupIngress: estate.Known(none), SecurityGroupEgress: estate.Known(none)}
		c.groups[id] = g
		estate.SecurityGroups.Add(&c.Estate, g)
	}
	return g
}

// admit adds a rule that lets TCP in: from a block, a group ("sg-…") or a
// prefix list ("pl-…").
func (c *cloud) admit(id string, port int, peer string) {
	g := c.group(id)
	g.SecurityGroupIngress = estate.Known(append(g.SecurityGroupIngress.Or(nil), tcpRule(port, peer)))
}

func (c *cloud) release(id string, port int, peer string) {
	g := c.group(id)
	g.SecurityGroupEgress = estate.Known(append(g.SecurityGroupEgress.Or(nil), tcpRule(port, peer)))
}

func tcpRule(port int, peer string) estate.SecurityGroupRule {
	r := estate.SecurityGroupRule{IpProtocol: "tcp", FromPort: port, ToPort: port}
	switch {
	case strings.HasPrefix(peer, "sg-"):
		r.SourceSecurityGroupId = peer
	case strings.HasPrefix(peer, "pl-"):
		r.SourcePrefixListId = peer
	case strings.Contains(peer, ":"):
		r.CidrIpv6 = peer
	default:
		r.CidrIp = peer
	}
	return r
}

func (c *cloud) addDB(id string, groups ...string) *estate.DBInstance {
	estate.DBSubnetGroups.Add(&c.Estate, &estate.DBSubnetGroup{AWS: estate.AWS{Arn: "g-" + id}, DBSubnetGroupName: "g-" + id, SubnetIds: []string{"subnet-db"}})
	db := &estate.DBInstance{
		AWS: estate.AWS{Arn: "db:" + id}, DBInstanceIdentifier: id, Engine: estate.Known("postgres"), DBSubnetGroupName: "g-" + id,
		VPCSecurityGroups: groups, PubliclyAccessible: estate.Known(false),
	}
	estate.DBInstances.Add(&c.Estate, db)
	return db
}

func (c *cloud) pod(name string, change func(*estate.Workload), addresses ...string) {
	namespace, app, _ := strings.Cut(name, "/")
	w := &estate.Workload{Controller: "Deployment", ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: app}}
	w.Template.Labels = map[string]string{"app": app}
	for _, a := range addresses {
		w.Pods = append(w.Pods, estate.Pod{Name: app, PodIP: a})
	}
	if change != nil {
		change(w)
	}
	estate.Workloads.Add(&c.Estate, w)
}

// own gives the pods of an application a security group of their own.
func (c *cloud) own(name string, groups ...string) {
	namespace, app, _ := strings.Cut(name, "/")
	r := &estate.Resource[estate.SecurityGroupPolicy]{}
	r.Object.Namespace, r.Object.Name = namespace, app
	r.Object.Spec.PodSelector = &metav1.LabelSelector{MatchLabels: map[string]string{"app": app}}
	r.Object.Spec.SecurityGroups.Groups = groups
	estate.SecurityGroupPolicies.Add(&c.Estate, r)
}

func (c *cloud) addon(change func(*estate.Addon)) {
	a := &estate.Addon{AWS: estate.AWS{Arn: "vpc-cni"}, AddonName: "vpc-cni"}
	change(a)
	estate.Addons.Add(&c.Estate, a)
}

func (c *cloud) acl(subnet string, entries ...estate.NetworkAclEntry) {
	id := "acl-" + subnet
	estate.NetworkAcls.Add(&c.Estate, &estate.NetworkAcl{AWS: estate.AWS{Arn: id}, Id: id, VpcId: "vpc-1", SubnetIds: []string{"subnet-" + subnet}, Entries: entries})
}

func (c *cloud) balancer(kind, scheme string, subnet string, groups ...string) {
	estate.LoadBalancers.Add(&c.Estate, &estate.LoadBalancer{
		AWS: estate.AWS{Arn: "lb"}, Name: "lb", Type: estate.Known(kind), Scheme: estate.Known(scheme), Subnets: []string{"subnet-" + subnet}, SecurityGroups: groups,
	})
	estate.Listeners.Add(&c.Estate, &estate.Listener{AWS: estate.AWS{Arn: "l"}, LoadBalancerArn: "lb", Protocol: estate.Known("HTTPS"), Port: estate.Known(443)})
}

func entry(number int, egress bool, action, protocol, cidr string, from, to int) estate.NetworkAclEntry {
	return estate.NetworkAclEntry{RuleNumber: number, Egress: egress, RuleAction: action, Protocol: protocol, CidrBlock: cidr, FromPort: from, ToPort: to}
}

func (c *cloud) network() *Network { return New(trace.New(&c.Estate)) }

func endpoint(tb testing.TB, n *Network, name string) *Endpoint {
	tb.Helper()
	for _, e := range n.Endpoints() {
		if e.Name == name {
			return e
		}
	}
	tb.Fatalf("no endpoint %q", name)
	return nil
}

// The semantics of AWS, a case each. Sources: the user guides of Amazon VPC
// (security group rules, network ACLs, route tables) and of Amazon EKS (security
// groups for pods).
func TestVPC(t *testing.T) {
	for _, c := range []struct {
		name     string
		change   func(*cloud)
		from, to string // shop/web and orders unless said
		port     int    // 5432 unless said
		want     Verdict
		why      string // of the layer that decides
		gives    string // the change
		note     string
	}{
		{name: "a group without rules lets nothing in", want: Denied, why: "no ingress rule of security group sg-db allows TCP 5432 from shop/web",
			gives: "add to the ingress rules of security group sg-db: TCP 5432 from sg-nodes"},
		{name: "the group of the nodes is that of every pod", change: func(c *cloud) { c.admit("sg-db", 5432, "sg-nodes") }, want: Allowed},
		{name: "another port", change: func(c *cloud) { c.admit("sg-db", 3306, "sg-nodes") }, want: Denied},
		{name: "another protocol", change: func(c *cloud) {
			c.admit("sg-db", 5432, "sg-nodes")
			c.group("sg-db").SecurityGroupIngress.Or(nil)[0].IpProtocol = "udp"
		}, want: Denied},
		{name: "every protocol", change: func(c *cloud) {
			c.admit("sg-db", -1, "sg-nodes")
			c.group("sg-db").SecurityGroupIngress.Or(nil)[0].IpProtocol = "-1"
		}, want: Allowed},
		{name: "a protocol by its number", change: func(c *cloud) {
			c.admit("sg-db", 5432, "sg-nodes")
			c.group("sg-db").SecurityGroupIngress.Or(nil)[0].IpProtocol = "6"
		}, want: Allowed},
		{name: "groups add up", change: func(c *cloud) {
			c.group("sg-more")
			c.admit("sg-more", 5432, "sg-nodes")
			estate.DBInstances.In(&c.Estate)[0].VPCSecurityGroups = []string{"sg-db", "sg-more"}
		}, want: Allowed},
		{name: "a reference is not transitive", change: func(c *cloud) { c.admit("sg-db", 5432, "sg-other"); c.admit("sg-other", 5432, "sg-nodes") }, want: Denied},
		{name: "egress of the source counts", change: func(c *cloud) {
			c.admit("sg-db", 5432, "sg-nodes")
			c.group("sg-nodes").SecurityGroupEgress = estate.Known([]estate.SecurityGroupRule{tcpRule(443, "0.0.0.0/0")})
		}, want: Denied, why: "no egress rule of security group sg-nodes allows TCP 5432 to orders", gives: "add to the egress rules of security group sg-nodes: TCP 5432 to sg-db"},
		{name: "egress to the group of the peer", change: func(c *cloud) {
			c.admit("sg-db", 5432, "sg-nodes")
			c.group("sg-nodes").SecurityGroupEgress = estate.Known([]estate.SecurityGroupRule{tcpRule(5432, "sg-db")})
		}, want: Allowed},
		{name: "egress that no source shows lets everything out", change: func(c *cloud) {
			c.admit("sg-db", 5432, "sg-nodes")
			c.group("sg-nodes").SecurityGroupEgress = estate.Optional[[]estate.SecurityGroupRule]{}
		}, want: Allowed, note: "the egress rules of security group sg-nodes are not known"},

		{name: "a block that holds every subnet of nodes", change: func(c *cloud) { c.admit("sg-db", 5432, "10.0.0.0/20") }, want: Allowed},
		{name: "a block that holds one subnet of nodes: pods are moved there", change: func(c *cloud) { c.admit("sg-db", 5432, "10.0.2.0/24") }, want: Allowed},
		{name: "a block that holds a part of one", change: func(c *cloud) { c.admit("sg-db", 5432, "10.0.2.0/28") }, want: Unknown,
			why: "securityGroupIngress[0] of security group sg-db is about 10.0.2.0/28, a part of the addresses that the peer may have"},
		{name: "blocks that hold one together", change: func(c *cloud) { c.admit("sg-db", 5432, "10.0.2.0/25"); c.admit("sg-db", 5432, "10.0.2.128/25") }, want: Allowed},
		{name: "a block elsewhere", change: func(c *cloud) { c.admit("sg-db", 5432, "10.0.3.0/24") }, want: Denied},
		{name: "the internet holds the pods too", change: func(c *cloud) { c.admit("sg-db", 5432, "0.0.0.0/0") }, want: Allowed},
		{name: "IPv6 holds no IPv4", change: func(c *cloud) { c.admit("sg-db", 5432, "::/0") }, want: Denied},
		{name: "a known address inside", change: func(c *cloud) { c.admit("sg-db", 5432, "10.0.2.0/28"); c.pod("shop/a", nil, "10.0.2.7") }, from: "shop/a", want: Allowed},
		{name: "a known address outside", change: func(c *cloud) { c.admit("sg-db", 5432, "10.0.2.0/28"); c.pod("shop/a", nil, "10.0.2.77") }, from: "shop/a", want: Denied},
		{name: "one of several pods inside", change: func(c *cloud) {
			c.admit("sg-db", 5432, "10.0.2.0/28")
			c.pod("shop/a", nil, "10.0.2.77", "10.0.2.7")
		}, from: "shop/a", want: Allowed},
		{name: "a prefix list by its entries", change: func(c *cloud) {
			c.admit("sg-db", 5432, "pl-1")
			estate.PrefixLists.Add(&c.Estate, &estate.PrefixList{AWS: estate.AWS{Arn: "pl-1"}, PrefixListId: "pl-1", Entries: estate.Known([]estate.PrefixListEntry{{Cidr: "10.0.1.0/24"}})})
		}, want: Allowed},
		{name: "a prefix list with other entries", change: func(c *cloud) {
			c.admit("sg-db", 5432, "pl-1")
			estate.PrefixLists.Add(&c.Estate, &estate.PrefixList{AWS: estate.AWS{Arn: "pl-1"}, PrefixListId: "pl-1", Entries: estate.Known([]estate.PrefixListEntry{{Cidr: "10.7.0.0/16"}})})
		}, want: Denied},
		{name: "a prefix list that was not read", change: func(c *cloud) { c.admit("sg-db", 5432, "pl-1") }, want: Unknown,
			why: "securityGroupIngress[0] of security group sg-db names pl-1, of which the addresses are not known"},
		{name: "a rule that is not known before it is deployed", change: func(c *cloud) {
			c.admit("sg-db", 1, "10.9.0.0/16")
			c.group("sg-db").SecurityGroupIngress.Or(nil)[0].Unresolved = true
		}, want: Unknown, why: "has a value that is not known before it is deployed"},
		{name: "a malformed block", change: func(c *cloud) { c.admit("sg-db", 5432, "10.0.0.0/99") }, want: Unknown},

		{name: "rules that no source shows", change: func(c *cloud) { c.group("sg-db").SecurityGroupIngress = estate.Optional[[]estate.SecurityGroupRule]{} }, want: Unknown,
			why: "the rules of security group sg-db are not known"},
		{name: "a group that was not read", change: func(c *cloud) { c.addDB("users", "sg-elsewhere") }, to: "users", want: Unknown,
			why: "security group sg-elsewhere was not read (ec2:DescribeSecurityGroups); read it live (--aws)"},
		{name: "a database without groups has the default one", change: func(c *cloud) { c.addDB("users") }, to: "users", want: Unknown, why: "read it live (--aws)"},
		{name: "a node of which the groups are not known", change: func(c *cloud) {
			c.admit("sg-db", 5432, "sg-other")
			estate.Instances.Add(&c.Estate, &estate.Instance{AWS: estate.AWS{Arn: "i-9"}, InstanceId: "i-9", SubnetId: "subnet-a"})
		}, want: Unknown, why: "the security groups of node i-9 are not known"},
		{name: "a node group of other nodes admits", change: func(c *cloud) {
			c.admit("sg-db", 5432, "sg-other")
			c.group("sg-other").SecurityGroupEgress = estate.Known([]estate.SecurityGroupRule{tcpRule(5432, "sg-db")})
			estate.Instances.Add(&c.Estate, &estate.Instance{AWS: estate.AWS{Arn: "i-9"}, InstanceId: "i-9", SubnetId: "subnet-a", SecurityGroupIds: []string{"sg-other"}})
		}, want: Allowed},
		{name: "a pod that asks for nodes stays on those it has", change: func(c *cloud) {
			c.admit("sg-db", 5432, "sg-other")
			c.release("sg-other", 5432, "sg-db")
			estate.Instances.Add(&c.Estate, &estate.Instance{AWS: estate.AWS{Arn: "i-9"}, InstanceId: "i-9", SubnetId: "subnet-a", SecurityGroupIds: []string{"sg-other"}})
			for node, id := range map[string]string{"one": "i-0", "nine": "i-9"} {
				r := &estate.Resource[corev1.Node]{}
				r.Object.Name, r.Object.Spec.ProviderID = node, "aws:///eu-west-1a/"+id
				estate.Nodes.Add(&c.Estate, r)
			}
			c.pod("shop/pinned", func(w *estate.Workload) {
				w.Template.Spec.NodeSelector = map[string]string{"pool": "plain"}
				w.Pods[0].NodeName = "one"
			}, "10.0.1.9")
		}, from: "shop/pinned", want: Denied},

		{name: "own groups take the place of the node's", change: func(c *cloud) { c.admit("sg-db", 5432, "sg-nodes"); c.own("shop/web", "sg-web") }, want: Denied},
		{name: "own groups admitted", change: func(c *cloud) {
			c.admit("sg-db", 5432, "sg-web")
			c.own("shop/web", "sg-web")
			c.release("sg-web", 5432, "sg-db")
		}, want: Allowed},
		{name: "own groups need egress", change: func(c *cloud) { c.admit("sg-db", 5432, "sg-web"); c.own("shop/web", "sg-web"); c.group("sg-web") }, want: Denied},
		{name: "own groups that the plugin does not give", change: func(c *cloud) {
			c.admit("sg-db", 5432, "sg-nodes")
			c.own("shop/web", "sg-web")
			c.addon(func(a *estate.Addon) { a.EnablePodENI = estate.Known(false) })
		}, want: Allowed},
		{name: "what the DaemonSet says is in force", change: func(c *cloud) {
			c.admit("sg-db", 5432, "sg-nodes")
			c.own("shop/web", "sg-web")
			c.addon(func(a *estate.Addon) { a.EnablePodENI = estate.Known(true) })
			c.pod("kube-system/aws-node", func(w *estate.Workload) {
				w.Facts = []estate.Fact{{Name: "ENABLE_POD_ENI", Setting: "false"}}
			})
		}, want: Allowed},
		{name: "a pod in the network of its node has the node's groups", change: func(c *cloud) {
			c.admit("sg-db", 5432, "sg-nodes")
			c.own("shop/host", "sg-web")
			c.pod("shop/host", func(w *estate.Workload) { w.Template.Spec.HostNetwork = true })
		}, from: "shop/host", want: Allowed},
		{name: "a policy without selectors selects nothing", change: func(c *cloud) {
			c.admit("sg-db", 5432, "sg-nodes")
			c.own("shop/web", "sg-web")
			estate.SecurityGroupPolicies.In(&c.Estate)[0].Object.Spec.PodSelector = nil
		}, want: Allowed},
		{name: "a policy by service account", change: func(c *cloud) {
			c.admit("sg-db", 5432, "sg-nodes")
			c.own("shop/web", "sg-web")
			spec := &estate.SecurityGroupPolicies.In(&c.Estate)[0].Object.Spec
			spec.PodSelector, spec.ServiceAccountSelector = nil, &metav1.LabelSelector{MatchLabels: map[string]string{"role": "web"}}
			a := &estate.Resource[corev1.ServiceAccount]{}
			a.Object.Namespace, a.Object.Name, a.Object.Labels = "shop", "default", map[string]string{"role": "web"}
			estate.ServiceAccounts.Add(&c.Estate, a)
		}, want: Denied},
		{name: "Fargate gives the group of the cluster", change: func(c *cloud) {
			estate.Clusters.Add(&c.Estate, &estate.Cluster{AWS: estate.AWS{Arn: "c"}, Name: "c", ClusterSecurityGroupId: "sg-cluster", ResourcesVpcConfig: estate.ResourcesVpcConfig{SubnetIds: []string{"subnet-a"}}})
			c.admit("sg-db", 5432, "sg-cluster")
			c.release("sg-cluster", 5432, "10.0.9.0/28")
			c.pod("shop/fargate", func(w *estate.Workload) { w.Pods[0].NodeName = "fargate-ip-10-0-1-8" }, "10.0.1.8")
		}, from: "shop/fargate", want: Allowed},

		{name: "pods of one node", change: func(c *cloud) { c.pod("shop/api", nil) }, to: "shop/api", want: Allowed, note: "may be on one node"},
		{name: "pods of two nodes", change: func(c *cloud) { c.pod("shop/a", nil, "10.0.1.5"); c.pod("shop/b", nil, "10.0.2.5") }, from: "shop/a", to: "shop/b", want: Denied},
		{name: "pods of two nodes whose group admits itself", change: func(c *cloud) {
			c.pod("shop/a", nil, "10.0.1.5")
			c.pod("shop/b", nil, "10.0.2.5")
			c.admit("sg-nodes", 5432, "sg-nodes")
		}, from: "shop/a", to: "shop/b", want: Allowed},
		{name: "own groups hold between pods of one node", change: func(c *cloud) { c.pod("shop/api", nil); c.own("shop/api", "sg-api") }, to: "shop/api", want: Unknown},
		{name: "own groups, read, hold between pods of one node", change: func(c *cloud) { c.pod("shop/api", nil); c.own("shop/api", "sg-api"); c.group("sg-api") }, to: "shop/api", want: Denied},
		{name: "but not in standard mode", change: func(c *cloud) {
			c.pod("shop/api", nil)
			c.own("shop/api", "sg-api")
			c.group("sg-api")
			c.addon(func(a *estate.Addon) { a.PodSecurityGroupEnforcingMode = estate.Known("standard") })
		}, to: "shop/api", want: Allowed},
		{name: "where two own groups do not meet", change: func(c *cloud) {
			c.pod("shop/api", nil)
			c.own("shop/api", "sg-api")
			c.own("shop/web", "sg-web")
			c.group("sg-api")
			c.group("sg-web")
			c.addon(func(a *estate.Addon) { a.PodSecurityGroupEnforcingMode = estate.Known("standard") })
		}, to: "shop/api", want: Denied},

		{name: "an ACL without entries stops all", change: func(c *cloud) { c.admit("sg-db", 5432, "sg-nodes"); c.acl("db") }, want: Denied,
			why: "network ACL acl-db stops TCP 5432 from 10.0.1.0/24", gives: "add to the ingress entries of network ACL acl-db: allow TCP 5432 from 10.0.1.0/24"},
		{name: "an ACL without the way back", change: func(c *cloud) {
			c.admit("sg-db", 5432, "sg-nodes")
			c.acl("db", entry(100, false, "allow", "6", "10.0.0.0/16", 5432, 5432))
		}, want: Denied, why: "stops the replies to 10.0.1.0/24", gives: "add to the egress entries of network ACL acl-db: allow TCP 1024-65535 to 10.0.1.0/24"},
		{name: "an ACL with the way back", change: func(c *cloud) {
			c.admit("sg-db", 5432, "sg-nodes")
			c.acl("db", entry(100, false, "allow", "6", "10.0.0.0/16", 5432, 5432), entry(100, true, "allow", "6", "10.0.0.0/16", 1024, 65535))
		}, want: Allowed},
		{name: "an ACL with a part of the way back", change: func(c *cloud) {
			c.admit("sg-db", 5432, "sg-nodes")
			c.acl("db", entry(100, false, "allow", "6", "10.0.0.0/16", 5432, 5432), entry(100, true, "allow", "6", "10.0.0.0/16", 443, 443))
		}, want: Allowed, note: "who connects from one of these gets through"},
		{name: "the lower number decides", change: func(c *cloud) {
			c.admit("sg-db", 5432, "sg-nodes")
			c.acl("db", entry(200, false, "allow", "-1", "0.0.0.0/0", 0, 0), entry(100, false, "deny", "6", "10.0.0.0/16", 5432, 5432), entry(100, true, "allow", "-1", "0.0.0.0/0", 0, 0))
		}, want: Denied, gives: "add to the ingress entries of network ACL acl-db before entry 100: allow TCP 5432 from 10.0.1.0/24"},
		{name: "an ACL that stops one of two subnets", change: func(c *cloud) {
			c.admit("sg-db", 5432, "sg-nodes")
			c.acl("db", entry(100, false, "deny", "-1", "10.0.1.0/24", 0, 0), entry(200, false, "allow", "-1", "0.0.0.0/0", 0, 0), entry(100, true, "allow", "-1", "0.0.0.0/0", 0, 0))
		}, want: Allowed},
		{name: "an ACL of the pods' subnet counts too", change: func(c *cloud) {
			c.admit("sg-db", 5432, "sg-nodes")
			for _, s := range []string{"a", "b"} {
				c.acl(s, entry(100, true, "deny", "6", "10.0.9.0/28", 0, 65535), entry(200, true, "allow", "-1", "0.0.0.0/0", 0, 0), entry(100, false, "allow", "-1", "0.0.0.0/0", 0, 0))
			}
		}, want: Denied},
		{name: "an ACL does not count within its subnet", change: func(c *cloud) {
			c.admit("sg-db", 5432, "sg-nodes")
			c.acl("db")
			c.pod("shop/a", nil, "10.0.9.4")
		}, from: "shop/a", want: Allowed},
		{name: "an ACL that cannot be read", change: func(c *cloud) {
			c.admit("sg-db", 5432, "sg-nodes")
			c.acl("db", entry(100, false, "allow", "tcp?", "10.0.0.0/16", 0, 65535))
		}, want: Unknown, why: "what the network ACL of subnet subnet-db says is not known"},

		{name: "a pod without a way to the internet", to: "internet", port: 443, want: Denied, why: "its subnet has no route to the internet", gives: "add to route table rtb-"},
		{name: "a pod behind a NAT gateway", change: func(c *cloud) { c.route("b", estate.Route{DestinationCidrBlock: "0.0.0.0/0", NatGatewayId: "nat-1"}) }, to: "internet", port: 443, want: Allowed},
		{name: "an internet gateway takes no private address", change: func(c *cloud) {
			c.route("a", estate.Route{DestinationCidrBlock: "0.0.0.0/0", GatewayId: "igw-1"})
		}, to: "internet", port: 443, want: Denied, why: "takes nothing from an address that is not public"},
		{name: "a node with a public address", change: func(c *cloud) {
			c.route("public", estate.Route{DestinationCidrBlock: "0.0.0.0/0", GatewayId: "igw-1"})
			estate.Instances.Add(&c.Estate, &estate.Instance{AWS: estate.AWS{Arn: "i-p"}, InstanceId: "i-p", SubnetId: "subnet-public", SecurityGroupIds: []string{"sg-nodes"}})
		}, to: "internet", port: 443, want: Allowed},
		{name: "own groups have no way through an internet gateway", change: func(c *cloud) {
			c.route("public", estate.Route{DestinationCidrBlock: "0.0.0.0/0", GatewayId: "igw-1"})
			estate.Instances.Add(&c.Estate, &estate.Instance{AWS: estate.AWS{Arn: "i-p"}, InstanceId: "i-p", SubnetId: "subnet-public", SecurityGroupIds: []string{"sg-nodes"}})
			c.own("shop/web", "sg-web")
			c.release("sg-web", 443, "0.0.0.0/0")
		}, to: "internet", port: 443, want: Denied},
		{name: "in standard mode the node's group counts outside", change: func(c *cloud) {
			c.route("a", estate.Route{DestinationCidrBlock: "0.0.0.0/0", NatGatewayId: "nat-1"})
			c.own("shop/web", "sg-web")
			c.group("sg-web")
			c.addon(func(a *estate.Addon) { a.PodSecurityGroupEnforcingMode = estate.Known("standard") })
		}, to: "internet", port: 443, want: Allowed},
		{name: "in strict mode its own", change: func(c *cloud) {
			c.route("a", estate.Route{DestinationCidrBlock: "0.0.0.0/0", NatGatewayId: "nat-1"})
			c.own("shop/web", "sg-web")
			c.group("sg-web")
		}, to: "internet", port: 443, want: Denied, why: "no egress rule of security group sg-web"},
		{name: "a route that leads into the dark", change: func(c *cloud) {
			c.route("a", estate.Route{DestinationCidrBlock: "0.0.0.0/0", TransitGatewayId: "tgw-1"})
		}, to: "internet", port: 443, want: Unknown, why: "transit gateway tgw-1"},
		{name: "a route whose target is gone", change: func(c *cloud) {
			c.route("a", estate.Route{DestinationCidrBlock: "0.0.0.0/0", NatGatewayId: "nat-1", Blackhole: true})
		}, to: "internet", port: 443, want: Denied},
		{name: "the metadata service is not filtered", change: func(c *cloud) { c.group("sg-nodes").SecurityGroupEgress = estate.Known([]estate.SecurityGroupRule{}) }, to: "instance metadata", port: 80, want: Allowed},

		{name: "the internet has no way to a pod", change: func(c *cloud) { c.admit("sg-nodes", 8080, "0.0.0.0/0") }, from: "internet", to: "shop/web", port: 8080, want: Denied, why: "it has no address in the internet"},
		{name: "nor to a private database", change: func(c *cloud) { c.admit("sg-db", 5432, "0.0.0.0/0") }, from: "internet", want: Denied},
		{name: "a public database without a gateway", change: func(c *cloud) {
			c.admit("sg-db", 5432, "0.0.0.0/0")
			estate.DBInstances.In(&c.Estate)[0].PubliclyAccessible = estate.Known(true)
		}, from: "internet", want: Denied, why: "its subnet has no route to an internet gateway"},
		{name: "a public database", change: func(c *cloud) {
			c.admit("sg-db", 5432, "0.0.0.0/0")
			estate.DBInstances.In(&c.Estate)[0].PubliclyAccessible = estate.Known(true)
			c.route("db", estate.Route{DestinationCidrBlock: "0.0.0.0/0", GatewayId: "igw-1"})
		}, from: "internet", want: Allowed},
		{name: "a reference never holds a public address", change: func(c *cloud) {
			c.admit("sg-db", 5432, "sg-nodes")
			estate.DBInstances.In(&c.Estate)[0].PubliclyAccessible = estate.Known(true)
			c.route("db", estate.Route{DestinationCidrBlock: "0.0.0.0/0", GatewayId: "igw-1"})
		}, from: "internet", want: Denied},
		{name: "whether a database is public is not known", change: func(c *cloud) {
			c.admit("sg-db", 5432, "0.0.0.0/0")
			estate.DBInstances.In(&c.Estate)[0].PubliclyAccessible = estate.Optional[bool]{}
			c.route("db", estate.Route{DestinationCidrBlock: "0.0.0.0/0", GatewayId: "igw-1"})
		}, from: "internet", want: Unknown},
		{name: "a load balancer that faces the internet", change: func(c *cloud) {
			c.balancer("application", "internet-facing", "public", "sg-lb")
			c.admit("sg-lb", 443, "0.0.0.0/0")
			c.route("public", estate.Route{DestinationCidrBlock: "0.0.0.0/0", GatewayId: "igw-1"})
		}, from: "internet", to: "lb", port: 443, want: Allowed},
		{name: "an internal load balancer", change: func(c *cloud) {
			c.balancer("application", "internal", "public", "sg-lb")
			c.admit("sg-lb", 443, "0.0.0.0/0")
			c.route("public", estate.Route{DestinationCidrBlock: "0.0.0.0/0", GatewayId: "igw-1"})
		}, from: "internet", to: "lb", port: 443, want: Denied},
		{name: "a network load balancer without groups", change: func(c *cloud) {
			c.balancer("network", "internet-facing", "public")
			c.route("public", estate.Route{DestinationCidrBlock: "0.0.0.0/0", GatewayId: "igw-1"})
		}, from: "internet", to: "lb", port: 443, want: Allowed},
		{name: "a load balancer to pods", change: func(c *cloud) {
			c.balancer("application", "internet-facing", "public", "sg-lb")
			c.release("sg-lb", 8080, "sg-nodes")
			c.admit("sg-nodes", 8080, "sg-lb")
		}, from: "lb", to: "shop/web", port: 8080, want: Allowed},
		{name: "a load balancer that the pods do not admit", change: func(c *cloud) {
			c.balancer("application", "internet-facing", "public", "sg-lb")
			c.release("sg-lb", 8080, "sg-nodes")
		}, from: "lb", to: "shop/web", port: 8080, want: Denied},

		{name: "a database in another VPC", change: func(c *cloud) { c.otherVPC() }, to: "far", want: Denied, why: "they are in two VPCs"},
		{name: "with a peering", change: func(c *cloud) {
			c.otherVPC()
			for _, id := range []string{"a", "b"} {
				c.route(id, estate.Route{DestinationCidrBlock: "10.1.0.0/16", VpcPeeringConnectionId: "pcx-1"})
			}
			c.route("far", estate.Route{DestinationCidrBlock: "10.0.0.0/16", VpcPeeringConnectionId: "pcx-1"})
		}, to: "far", want: Allowed},
		{name: "with a peering that leads one way", change: func(c *cloud) {
			c.otherVPC()
			c.route("a", estate.Route{DestinationCidrBlock: "10.1.0.0/16", VpcPeeringConnectionId: "pcx-1"})
		}, to: "far", want: Denied},

		{name: "a machine of the VPC may hold the group", change: func(c *cloud) { c.admit("sg-db", 5432, "sg-nodes") }, from: "VPC", want: Unknown, why: "the network interfaces of the VPC were not read"},
		{name: "a machine of the VPC by its address", change: func(c *cloud) { c.admit("sg-db", 5432, "10.0.7.0/24") }, from: "VPC", want: Allowed},
		{name: "a machine of the VPC that holds the group", change: func(c *cloud) {
			c.admit("sg-db", 5432, "sg-bastion")
			c.Sources = append(c.Sources, estate.Source{Coverage: []estate.Coverage{{Kind: estate.NetworkInterfaces.Kind, State: estate.Read}}})
			estate.NetworkInterfaces.Add(&c.Estate, &estate.NetworkInterface{AWS: estate.AWS{Arn: "eni-1"}, Id: "eni-1", InterfaceType: "interface", InstanceId: "i-bastion", PrivateIpAddresses: []string{"10.0.0.99"}, GroupSet: []string{"sg-bastion"}})
		}, from: "VPC", want: Allowed},
		{name: "no machine of the VPC holds the group", change: func(c *cloud) {
			c.admit("sg-db", 5432, "sg-nodes")
			c.Sources = append(c.Sources, estate.Source{Coverage: []estate.Coverage{{Kind: estate.NetworkInterfaces.Kind, State: estate.Read}}})
		}, from: "VPC", want: Denied},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := newCloud()
			if c.change != nil {
				c.change(e)
			}
			n := e.network()
			get := func(name, other string) *Endpoint {
				if name == "" {
					name = other
				}
				return endpoint(t, n, name)
			}
			if c.port == 0 {
				c.port = 5432
			}
			a := n.Ask(get(c.from, "shop/web"), get(c.to, "orders"), TCP, uint16(c.port))
			if a.Verdict != c.want {
				t.Fatalf("it is %s, want %s\n%s", a.Verdict, c.want, text(a))
			}
			if l, ok := a.Decisive(); c.why != "" && (!ok || !strings.Contains(l.Why, c.why)) {
				t.Errorf("it says %q, want %q", l.Why, c.why)
			}
			if !strings.HasPrefix(a.Change, c.gives) || c.gives == "" && a.Verdict != Denied && a.Change != "" {
				t.Errorf("the change is %q, want %q", a.Change, c.gives)
			}
			if c.note != "" && !strings.Contains(strings.Join(a.Notes, "\n"), c.note) {
				t.Errorf("the notes are %q, want %q", a.Notes, c.note)
			}
			if a.Verdict != Allowed {
				if _, ok := a.Decisive(); !ok {
					t.Errorf("no layer decides\n%s", text(a))
				}
			}
			for _, l := range a.Layers {
				if l.Why == "" {
					t.Errorf("layer %s of %s says nothing", l.Kind, l.Of)
				}
				if worst(l.Verdict, a.Verdict) == a.Verdict && l.Verdict != a.Verdict {
					t.Errorf("layer %s is %s of an answer that is %s", l.Kind, l.Verdict, a.Verdict)
				}
			}
		})
	}
}

func (c *cloud) route(table string, r estate.Route) {
	c.tables[table].Routes = append(c.tables[table].Routes, r)
}

// otherVPC adds a VPC with a database that admits everybody.
func (c *cloud) otherVPC() {
	estate.VPCs.Add(&c.Estate, &estate.VPC{AWS: estate.AWS{Arn: "vpc-2"}, VpcId: "vpc-2", CidrBlock: "10.1.0.0/16"})
	estate.Subnets.Add(&c.Estate, &estate.Subnet{AWS: estate.AWS{Arn: "subnet-far"}, SubnetId: "subnet-far", VpcId: "vpc-2", CidrBlock: "10.1.0.0/24"})
	c.tables["far"] = &estate.RouteTable{AWS: estate.AWS{Arn: "rtb-far"}, RouteTableId: "rtb-far", VpcId: "vpc-2", SubnetIds: []string{"subnet-far"}}
	estate.RouteTables.Add(&c.Estate, c.tables["far"])
	c.addDB("far", "sg-far")
	groups := estate.DBSubnetGroups.In(&c.Estate)
	groups[len(groups)-1].SubnetIds = []string{"subnet-far"}
	c.admit("sg-far", 5432, "0.0.0.0/0")
}

func text(a *Answer) string {
	var b strings.Builder
	for _, l := range a.Layers {
		fmt.Fprintf(&b, "%s of %s: %s, %s\n", l.Kind, l.Of, l.Verdict, l.Why)
		for _, r := range l.Rules {
			fmt.Fprintf(&b, "\t%s %s: %s\n", r.Name, r.Field, r.Says)
		}
	}
	return b.String()
}

// Nothing of AWS is asked where nothing of it was read.
func TestVPCUnread(t *testing.T) {
	c := &cloud{groups: map[string]*estate.SecurityGroup{}}
	c.pod("shop/web", nil)
	c.pod("shop/api", nil)
	c.own("shop/api", "sg-api")
	n := c.network()
	for _, to := range []string{"shop/api", "internet", "private networks"} {
		a := n.Ask(endpoint(t, n, "shop/web"), endpoint(t, n, to), TCP, 443)
		of := func(l Layer) bool { return l.Kind == SecurityGroups || l.Kind == NetworkACLs || l.Kind == Routes }
		if a.Verdict != Allowed || slices.ContainsFunc(a.Layers, of) {
			t.Errorf("to %s it is %s\n%s", to, a.Verdict, text(a))
		}
	}
	if a := n.Ask(endpoint(t, n, "internet"), endpoint(t, n, "shop/web"), TCP, 443); a.Verdict != Allowed {
		t.Errorf("from the internet it is %s\n%s", a.Verdict, text(a))
	}
}

// A database of a template alone: its own groups are what is known.
func TestVPCTemplate(t *testing.T) {
	for peer, want := range map[string]Verdict{"0.0.0.0/0": Allowed, "10.0.0.0/8": Unknown, "sg-clients": Unknown, "203.0.113.0/24": Denied} {
		c := &cloud{groups: map[string]*estate.SecurityGroup{}}
		c.addDB("orders", "sg-db")
		c.admit("sg-db", 5432, peer)
		c.pod("shop/web", nil)
		n := c.network()
		if a := n.Ask(endpoint(t, n, "shop/web"), endpoint(t, n, "orders"), TCP, 5432); a.Verdict != want {
			t.Errorf("a rule about %s: it is %s, want %s\n%s", peer, a.Verdict, want, text(a))
		}
	}
}

// Each target is where its properties say.
func TestVPCTargets(t *testing.T) {
	c := newCloud()
	e := &c.Estate
	c.admit("sg-t", 1, "sg-none")
	estate.DBProxies.Add(e, &estate.DBProxy{AWS: estate.AWS{Arn: "p"}, DBProxyName: "proxy", EngineFamily: "POSTGRESQL", VpcSecurityGroupIds: []string{"sg-t"}, VpcSubnetIds: []string{"subnet-db"}})
	estate.CacheSubnetGroups.Add(e, &estate.CacheSubnetGroup{AWS: estate.AWS{Arn: "csg"}, CacheSubnetGroupName: "csg", SubnetIds: []string{"subnet-db"}})
	estate.Caches.Add(e, &estate.Cache{AWS: estate.AWS{Arn: "cache"}, Id: "cache", Engine: estate.Known("valkey"), SecurityGroupIds: []string{"sg-t"}, SubnetGroupName: "csg"})
	estate.Caches.Add(e, &estate.Cache{AWS: estate.AWS{Arn: "mem"}, Id: "mem", Engine: estate.Known("memcached"), SecurityGroupIds: []string{"sg-t"}, SubnetIds: []string{"subnet-db"}})
	estate.KafkaClusters.Add(e, &estate.KafkaCluster{AWS: estate.AWS{Arn: "kafka"}, ClusterName: "kafka", SecurityGroups: []string{"sg-t"}, ClientSubnets: []string{"subnet-db"}, Endpoints: []estate.Endpoint{{Address: "b", Port: 9094}}})
	estate.OpenSearchDomains.Add(e, &estate.OpenSearchDomain{AWS: estate.AWS{Arn: "search"}, DomainName: "search", SecurityGroupIds: []string{"sg-t"}, SubnetIds: []string{"subnet-db"}})
	estate.FileSystems.Add(e, &estate.FileSystem{AWS: estate.AWS{Arn: "files"}, FileSystemId: "fs-1"})
	estate.NetworkInterfaces.Add(e, &estate.NetworkInterface{AWS: estate.AWS{Arn: "eni"}, Id: "eni", Description: "EFS mount target for fs-1 (fsmt-1)", GroupSet: []string{"sg-t"}, SubnetId: "subnet-db"})
	estate.VPCEndpoints.Add(e, &estate.VPCEndpoint{AWS: estate.AWS{Arn: "vpce"}, Id: "vpce-1", VpcEndpointType: estate.Known("Interface"), SecurityGroupIds: []string{"sg-t"}, SubnetIds: []string{"subnet-db"}})
	c.balancer("application", "internal", "public", "sg-t")
	n := c.network()
	for name, want := range map[string]string{
		"proxy": "TCP 5432", "cache": "TCP 6379", "mem": "TCP 11211", "kafka": "TCP 9094", "search": "TCP 443", "fs-1": "TCP 2049", "vpce-1": "TCP 443",
		"lb": "TCP 443", "orders": "TCP 5432",
	} {
		x := endpoint(t, n, name)
		if got := x.Serves.String(); got != want {
			t.Errorf("%s serves %q, want %q", name, got, want)
		}
		if name != "lb" && name != "orders" && (!x.target.located || len(x.target.networks) != 1 || x.target.networks[0] != netip.MustParsePrefix("10.0.9.0/28")) {
			t.Errorf("%s is in %v", name, x.target.networks)
		}
		if a := n.Ask(endpoint(t, n, "shop/web"), x, TCP, x.Serves[TCP][0].First); a.Verdict != Denied {
			t.Errorf("%s is %s\n%s", name, a.Verdict, text(a))
		}
	}
}

// Ten thousand rules of a group and a thousand entries of an ACL, some malformed.
func TestVPCManyRules(t *testing.T) {
	c := newCloud()
	var rules []estate.SecurityGroupRule
	var entries []estate.NetworkAclEntry
	for i := range 10_000 {
		cidr := fmt.Sprintf("172.%d.%d.%d/32", 16+i%16, i/256%256, i%256)
		if i%100 == 0 {
			cidr = slices.Repeat([]string{"999.1.1.1/8", "10.0.0.0/-1", "/", "::ffff:10.0.0.0/8", "10.0.0.1%eth0"}, 1)[i/100%5]
		}
		rules = append(rules, tcpRule(i, cidr))
		if i%10 > 0 {
			continue // AWS allows dozens
		}
		entries = append(entries, entry(i, i%20 == 0, []string{"deny", "allow"}[i/3%2], "6", fmt.Sprintf("172.%d.%d.%d/32", 16+i%16, i/256%256, i%256), i, i))
	}
	entries = append(entries, entry(20_000, false, "allow", "-1", "0.0.0.0/0", 0, 0), entry(20_000, true, "allow", "-1", "0.0.0.0/0", 0, 0))
	c.group("sg-db").SecurityGroupIngress = estate.Known(append(rules, tcpRule(5432, "sg-nodes")))
	c.acl("db", entries...)
	n := c.network()
	if a := n.Ask(endpoint(t, n, "shop/web"), endpoint(t, n, "orders"), TCP, 5432); a.Verdict != Allowed {
		t.Errorf("it is %s\n%s", a.Verdict, text(a))
	}
}

// What cannot be read never isolates.
func TestVPCBlind(t *testing.T) {
	for _, c := range []struct {
		kind   estate.Kind
		change func(*cloud) // makes it denied
	}{
		{estate.SecurityGroups.Kind, func(c *cloud) { c.admit("sg-db", 5432, "sg-other") }},
		{estate.Instances.Kind, func(c *cloud) { c.admit("sg-db", 5432, "sg-other") }},
		{estate.Subnets.Kind, func(c *cloud) { c.admit("sg-db", 5432, "10.0.7.0/24") }},
		{estate.DBSubnetGroups.Kind, func(c *cloud) {
			c.admit("sg-db", 5432, "sg-nodes")
			c.group("sg-nodes").SecurityGroupEgress = estate.Known([]estate.SecurityGroupRule{tcpRule(5432, "10.0.7.0/24")})
		}},
		{estate.NetworkAcls.Kind, func(c *cloud) { c.admit("sg-db", 5432, "sg-nodes"); c.acl("db") }},
		{estate.RouteTables.Kind, func(c *cloud) {
			c.admit("sg-db", 5432, "sg-nodes")
			c.otherVPC()
			estate.DBSubnetGroups.In(&c.Estate)[0].SubnetIds = []string{"subnet-far"}
		}},
	} {
		e := newCloud()
		c.change(e)
		for kind, want := range map[estate.Kind]Verdict{"": Denied, c.kind: Unknown} {
			x := &e.Estate
			if kind != "" {
				x = x.Blind(kind, "denied")
			}
			n := New(trace.New(x))
			if a := n.Ask(endpoint(t, n, "shop/web"), endpoint(t, n, "orders"), TCP, 5432); a.Verdict != want {
				t.Errorf("%s, blind for %q: it is %s, want %s\n%s", c.kind, kind, a.Verdict, want, text(a))
			}
		}
	}
}
