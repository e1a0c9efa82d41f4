package reach

import (
	"slices"

	"github.com/eksafe/eksafe/internal/estate"
	"github.com/eksafe/eksafe/internal/trace"
)

// prepare learns what stands at the atoms of the space of AWS.
func (v *vpc) prepare() {
	v.subnetAt = make([]int, v.space.len())
	for i := range v.subnetAt {
		v.subnetAt[i] = -1
	}
	for i, s := range v.subnets {
		for atom := range v.space.all(s.networks).points() {
			v.subnetAt[atom] = i
		}
	}
	v.inVPC, v.private, v.special = v.space.all(v.networks), v.space.all(privateNetworks), v.space.all(unfiltered)
	v.machines = map[uint32][]string{}
	for _, i := range estate.NetworkInterfaces.In(v.graph.Estate) {
		if !v.machine(i) {
			continue
		}
		for _, text := range slices.Concat(i.PrivateIpAddresses, i.Ipv6Addresses) {
			if p, ok := parsePrefix(text); ok {
				atom := v.space.atom(p.Addr())
				v.machines[atom] = append(v.machines[atom], i.GroupSet...)
			}
		}
	}
}

// unfiltered are addresses on the way to which neither security groups nor
// network ACLs nor routes of a VPC count.
var unfiltered = slices.Concat(specialNetworks, metadataNetworks, podIdentityNetworks, nodeDNSNetworks)

// machine reports whether an interface is that of a machine which is no
// endpoint of the network: of no node, pod, load balancer, database.
func (v *vpc) machine(i *estate.NetworkInterface) bool {
	_, node := v.byID[i.InstanceId]
	return !node && i.RequesterId == "" && (i.InterfaceType == "" || i.InterfaceType == "interface" || i.InterfaceType == "efa")
}

// classify says where a point may stand.
func (v *vpc) classify(n *Network, p *point) class {
	switch {
	case p.id < n.pods:
		return v.classifyPods(n, p)
	case len(p.stations) > 0:
		return v.classifyNodes(p.stations)
	case p.id < n.atoms && p.endpoint.target != nil:
		c := v.classifyTarget(p.endpoint.target)
		if p.endpoint.target.predicted != nil {
			c.facing, c.alone = p.endpoint.target.public == trace.Yes, p.id+1
		}
		return c
	case p.id < n.atoms:
		// The addresses of a name are somebody's in the internet.
		c := class{end: internetEnd}
		c.add(v.spot(spot{groups: v.set(&groupSet{}), exit: v.set(&groupSet{}), subnet: -1, atoms: v.space.public(), inbound: trace.Yes, outbound: trace.Yes}))
		return c
	}
	first, _ := n.addresses.ends(p.id - n.atoms)
	return v.classifyAddress(v.space.atom(first))
}

func (v *vpc) classifyPods(n *Network, p *point) class {
	x := p.endpoint.Workload
	c := class{end: podEnd}
	c.inlets = v.podInlets[x]
	own := v.ownGroups(x)
	stations := v.stationsOf(x)
	fargate := onFargate(x)
	if fargate {
		stations = v.fargate()
	}
	var base []spot
	for _, s := range stations {
		at := v.nodeSpot(&s)
		if !p.host {
			at.inbound = trace.No
			if v.externalSNAT {
				at.outbound = trace.No // the address of a pod is a private one
			}
		}
		if fargate {
			at.node = ownInterface
		}
		if len(own) > 0 {
			at.groups = v.set(&groupSet{ids: own, filters: true})
			switch {
			case fargate || !v.standard:
				// In strict mode nothing translates the address of the pod.
				at.node, at.exit, at.outbound = ownInterface, at.groups, trace.No
			case v.externalSNAT:
				at.node, at.exit = standardGroup, at.groups
			default:
				at.node = standardGroup
			}
		}
		base = append(base, at)
	}
	if len(p.atoms) == 0 {
		for _, at := range base {
			at.atoms = v.space.all(v.podNetworks)
			if at.subnet >= 0 {
				if own := v.space.all(v.podPrefixes(at.subnet)); len(own) > 0 {
					at.atoms = own
				}
			}
			c.add(v.spot(at))
		}
		return c
	}
	for full := range p.atoms.points() {
		first, _ := n.addresses.ends(full)
		atom := v.space.atom(first)
		in := v.subnetAt[atom]
		// The subnet of a pod's address need not be its node's.
		matching := slices.DeleteFunc(slices.Clone(base), func(s spot) bool { return s.subnet >= 0 && s.subnet != in })
		if len(matching) == 0 {
			matching = base
		}
		for _, at := range matching {
			at.subnet, at.atoms = in, interval(atom, atom+1)
			c.add(v.spot(at))
		}
	}
	return c
}

// nodeSpot is where a node stands, but for its addresses.
func (v *vpc) nodeSpot(s *station) spot {
	at := spot{subnet: v.subnet(s.subnet), inbound: s.public, outbound: s.public, node: sharesNode}
	at.station = v.set(&groupSet{ids: s.groups, filters: true, partial: !s.known, why: s.why})
	at.groups, at.exit = at.station, at.station
	return at
}

// classifyNodes says where nodes stand, by their first addresses: one of IPv4.
func (v *vpc) classifyNodes(stations []station) class {
	c := class{end: podEnd, inlets: v.nodeInlets}
	for i := range stations {
		at := v.nodeSpot(&stations[i])
		at.atoms = v.space.all(v.hostNetworks())
		if at.subnet >= 0 {
			at.atoms = v.space.all(v.subnets[at.subnet].networks)
		}
		if four := at.atoms.intersect(v.space.ipv4()); len(four) > 0 {
			at.atoms = four
		}
		c.add(v.spot(at))
	}
	return c
}

func (c *class) add(spot int) {
	if !slices.Contains(c.spots, spot) {
		c.spots = append(c.spots, spot)
	}
}

// fargate returns where pods on Fargate stand: an interface of their own with
// the security group of the cluster, in some of its subnets.
func (v *vpc) fargate() []station {
	s := station{groups: sortedIDs(v.clusterGroups), known: len(v.clusterGroups) == 1, why: "the security group that EKS makes for the cluster is not known", public: trace.No}
	var out []station
	for _, id := range sortedIDs(v.clusterNets) {
		s.subnet = id
		out = append(out, s)
	}
	if len(out) == 0 {
		out = append(out, s)
	}
	return out
}

// subnet returns the index of a subnet, -1 if it was not read.
func (v *vpc) subnet(id string) int {
	if at, ok := v.subnetBy[id]; ok {
		return at
	}
	return -1
}

func (v *vpc) classifyTarget(t *target) class {
	c := class{end: targetEnd}
	at := spot{subnet: -1, inbound: t.public, outbound: t.public}
	at.groups = v.groupsOf(t)
	at.exit = at.groups
	for _, id := range t.subnets {
		if at.subnet = v.subnet(id); at.subnet < 0 {
			continue
		}
		for _, p := range v.subnets[at.subnet].networks {
			if p.Addr().Is4() {
				at.atoms = v.space.atoms(p)
				c.add(v.spot(at))
			}
		}
	}
	if len(c.spots) == 0 || !t.located {
		at.subnet, at.atoms = -1, v.space.all(v.anywhere())
		c.add(v.spot(at))
	}
	return c
}

// classifyAddress says what stands at addresses that belong to no endpoint.
// Inside a VPC it may be a machine that holds any security group, unless a
// source shows the interfaces.
func (v *vpc) classifyAddress(atom uint32) class {
	at := spot{subnet: v.subnetAt[atom], atoms: interval(atom, atom+1), inbound: trace.Yes, outbound: trace.Yes}
	c := class{end: internetEnd}
	set := &groupSet{}
	switch {
	case v.special.has(atom):
		c.free = true
	case v.inVPC.has(atom) || at.subnet >= 0:
		c.end = vpcEnd
		set.ids = sortedIDs(v.machines[atom])
		set.partial = v.graph.Estate.Coverage(estate.NetworkInterfaces.Kind).State != estate.Read
		set.why = "the network interfaces of the VPC were not read, and one of these addresses may hold the group; read it live (--aws)"
	case v.private.has(atom):
		c.end = privateEnd
	}
	at.groups = v.set(set)
	at.exit = at.groups
	c.add(v.spot(at))
	return c
}
