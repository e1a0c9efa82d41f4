package reach

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"

	"github.com/eksafe/eksafe/internal/estate"
	"github.com/eksafe/eksafe/internal/trace"
)

// A target is what AWS runs: a database, a cache, a load balancer.
type target struct {
	endpoint *Endpoint
	networks []netip.Prefix // of the subnets it stands in
	// located is false where it may stand elsewhere in networks, as its subnets
	// are not known.
	located   bool
	subnets   []string
	groups    []string
	groupless bool          // it can be without a security group, and is
	why       string        // why its groups are not known
	public    trace.Ternary // it has an address in the internet
	predicted *prediction   // nil if it is there
}

// The ports of what has no port of its own in the model.
const (
	filePort  = 2049 // NFS
	webPort   = 443
	redisPort = 6379
	cachePort = 11211 // memcached
)

// listTargets finds what AWS runs beside the nodes.
func (v *vpc) listTargets() []*target {
	e := v.graph.Estate
	var out []*target
	add := func(kind EndpointKind, ref estate.Ref, origin *estate.Origin, serves Ports, t *target) {
		t.endpoint = &Endpoint{Kind: kind, Ref: ref, Origin: origin, Name: ref.Name, Serves: serves, target: t}
		if len(t.groups) == 0 && !t.groupless && t.why == "" {
			t.why = "the security groups of " + ref.Name + " are not known: it has the default one of its VPC; name its own, or read it live (--aws)"
		}
		v.locateTarget(t)
		out = append(out, t)
	}
	v.balancers = map[*target]*trace.LoadBalancer{}
	subnetGroups := map[string][]string{}
	for _, n := range estate.DBSubnetGroups.In(e) {
		subnetGroups[n.Arn], subnetGroups[n.DBSubnetGroupName] = n.SubnetIds, n.SubnetIds
	}
	delete(subnetGroups, "")
	for _, db := range v.graph.Databases {
		t := &target{}
		if i := db.Instance; i != nil {
			t.groups, t.subnets, t.public = i.VPCSecurityGroups, subnetGroups[i.DBSubnetGroupName], known(i.PubliclyAccessible)
		} else if c := db.Cluster; c != nil {
			t.groups, t.subnets, t.public = c.VpcSecurityGroupIds, subnetGroups[c.DBSubnetGroupName], v.publicMembers(c)
		}
		add(DatabaseEndpoint, db.Ref, db.Origin, portOf(int(db.Listens())), t)
	}
	for _, p := range estate.DBProxies.In(e) {
		port := trace.EnginePort(strings.ToLower(p.EngineFamily))
		if p.EngineFamily == "POSTGRESQL" {
			port = trace.EnginePort("postgres")
		}
		add(DatabaseEndpoint, estate.DBProxies.Ref(p), &p.Origin, portOf(int(port)),
			&target{groups: p.VpcSecurityGroupIds, subnets: p.VpcSubnetIds, public: trace.No})
	}
	cacheGroups := map[string][]string{}
	for _, n := range estate.CacheSubnetGroups.In(e) {
		cacheGroups[n.Arn], cacheGroups[n.CacheSubnetGroupName] = n.SubnetIds, n.SubnetIds
	}
	delete(cacheGroups, "")
	for _, c := range estate.Caches.In(e) {
		port := redisPort
		if c.Engine.Or("") == "memcached" {
			port = cachePort
		}
		add(CacheEndpoint, estate.Caches.Ref(c), &c.Origin, portsOf(c.Endpoints, port),
			&target{groups: c.SecurityGroupIds, subnets: slices.Concat(c.SubnetIds, cacheGroups[c.SubnetGroupName]), public: trace.No})
	}
	for _, k := range estate.KafkaClusters.In(e) {
		add(KafkaEndpoint, estate.KafkaClusters.Ref(k), &k.Origin, portsOf(k.Endpoints, 0),
			&target{groups: k.SecurityGroups, subnets: k.ClientSubnets})
	}
	for _, o := range estate.OpenSearchDomains.In(e) {
		t := &target{groups: o.SecurityGroupIds, subnets: o.SubnetIds, public: trace.No}
		if len(o.SubnetIds) == 0 {
			t.public = trace.Unclear
		}
		add(SearchEndpoint, estate.OpenSearchDomains.Ref(o), &o.Origin, portOf(cmp.Or(o.Endpoint.Port, webPort)), t)
	}
	mounts := v.mountTargets()
	for _, f := range estate.FileSystems.In(e) {
		if t := mounts[f.FileSystemId]; t != nil && f.FileSystemId != "" {
			add(FileSystemEndpoint, estate.FileSystems.Ref(f), &f.Origin, portOf(filePort), t)
		}
	}
	for _, lb := range v.graph.LoadBalancers {
		t := &target{public: ternary(lb.Scheme.Or("") == "internet-facing")}
		if _, known := lb.Scheme.Get(); !known {
			t.public = trace.Unclear
		}
		var origin *estate.Origin
		switch {
		case lb.Actual != nil:
			t.groups, t.subnets, origin = lb.Actual.SecurityGroups, lb.Actual.Subnets, &lb.Actual.Origin
			kind, known := lb.Actual.Type.Get()
			t.groupless = len(t.groups) == 0 && known && kind == "network"
		case lb.Classic != nil:
			t.groups, t.subnets, origin = lb.Classic.SecurityGroups, lb.Classic.Subnets, &lb.Classic.Origin
		default:
			predicted := v.predict(lb)
			if predicted == nil {
				continue
			}
			predicted.public = t.public
			t, origin = predicted, lb.Place().Origin
		}
		v.balancers[t] = lb
		add(LoadBalancerEndpoint, lb.Ref, origin, listens(lb), t)
	}
	for _, p := range estate.VPCEndpoints.In(e) {
		if p.VpcEndpointType.Or("Interface") != "Interface" {
			continue // a route leads to it, and no address
		}
		add(VPCEndpoint, estate.VPCEndpoints.Ref(p), &p.Origin, portOf(webPort),
			&target{groups: p.SecurityGroupIds, subnets: p.SubnetIds, public: trace.No})
	}
	return out
}

// locateTarget finds the networks in which a target may stand.
func (v *vpc) locateTarget(t *target) {
	t.located = len(t.subnets) > 0
	for _, id := range t.subnets {
		at := v.subnet(id)
		if at < 0 {
			t.located = false
			continue
		}
		t.networks = append(t.networks, v.subnets[at].networks...)
	}
	if !t.located {
		t.networks = slices.Concat(t.networks, v.anywhere())
	}
}

func known(o estate.Optional[bool]) trace.Ternary {
	on, ok := o.Get()
	if !ok {
		return trace.Unclear
	}
	return ternary(on)
}

// publicMembers says whether a cluster has an address in the internet: for an
// Aurora cluster its members say it.
func (v *vpc) publicMembers(c *estate.DBCluster) trace.Ternary {
	state := known(c.PubliclyAccessible)
	for _, i := range estate.DBInstances.In(v.graph.Estate) {
		if i.DBClusterIdentifier == "" || i.DBClusterIdentifier != c.DBClusterIdentifier && i.DBClusterIdentifier != c.Arn {
			continue
		}
		switch member := known(i.PubliclyAccessible); {
		case member == trace.Yes:
			return trace.Yes
		case state != trace.Yes && member == trace.No:
			state = trace.No
		}
	}
	return state
}

// mountTargets finds the mount targets of file systems by what EFS writes into
// their interfaces.
func (v *vpc) mountTargets() map[string]*target {
	out := map[string]*target{}
	for _, i := range estate.NetworkInterfaces.In(v.graph.Estate) {
		rest, ok := strings.CutPrefix(i.Description, "EFS mount target for ")
		if !ok {
			continue
		}
		id, _, _ := strings.Cut(rest, " ")
		t := out[id]
		if t == nil {
			t = &target{public: trace.No}
			out[id] = t
		}
		t.groups, t.subnets = append(t.groups, i.GroupSet...), append(t.subnets, i.SubnetId)
	}
	return out
}

// listens returns the ports of a load balancer's listeners.
func listens(lb *trace.LoadBalancer) Ports {
	var out Ports
	for _, l := range lb.Listeners {
		if l.Port < 1 || l.Port > lastPort {
			continue
		}
		for _, protocol := range protocolsOf(l) {
			one := PortsOf(protocol, int(l.Port), int(l.Port))
			out = out.Union(&one)
		}
	}
	return out
}

func portOf(port int) Ports {
	if port < 1 {
		return Ports{}
	}
	return PortsOf(TCP, port, port)
}

// portsOf returns the ports of endpoints, or else one that is usual.
func portsOf(endpoints []estate.Endpoint, usual int) Ports {
	var out Ports
	for _, e := range endpoints {
		one := portOf(e.Port)
		out = out.Union(&one)
	}
	if out.Empty() {
		return portOf(usual)
	}
	return out
}

// ruleBlocks lists the prefixes that rules, subnets and routes name.
func (w *ground) ruleBlocks(e *estate.Estate) []netip.Prefix {
	var out []netip.Prefix
	add := func(texts ...string) {
		for _, t := range texts {
			if p, ok := parsePrefix(t); ok {
				out = append(out, p)
			}
		}
	}
	lists := map[string]bool{}
	for _, g := range slices.Concat(estate.SecurityGroups.In(e), w.wished) {
		for _, d := range []Direction{Ingress, Egress} {
			rules, _ := rulesOf(g, d)
			for i := range rules {
				add(rules[i].CidrIp + rules[i].CidrIpv6)
				lists[rules[i].SourcePrefixListId] = true
			}
		}
	}
	for _, n := range estate.NetworkAcls.In(e) {
		for i := range n.Entries {
			add(n.Entries[i].CidrBlock + n.Entries[i].Ipv6CidrBlock)
		}
	}
	for _, t := range estate.RouteTables.In(e) {
		for i := range t.Routes {
			add(t.Routes[i].DestinationCidrBlock + t.Routes[i].DestinationIpv6CidrBlock)
			lists[t.Routes[i].DestinationPrefixListId] = true
		}
	}
	for id, l := range w.lists {
		if !lists[id] {
			continue
		}
		for _, entry := range l.Entries.Or(nil) {
			add(entry.Cidr)
		}
	}
	for _, s := range w.subnets {
		out = append(out, s.networks...)
	}
	return out
}
