package reach

import (
	"encoding/binary"
	"net/netip"
	"slices"
	"sync/atomic"

	"github.com/eksafe/eksafe/internal/estate"
	"github.com/eksafe/eksafe/internal/trace"
)

// A vpc is the network of AWS on which pods and databases stand: security
// groups, network ACLs, subnets and routes.
//
// Points that AWS cannot tell apart are one class: what it lets through is
// computed once for each pair of classes that is asked for. A class is the spots
// at which its pods may stand, and a connection gets through if it does between
// any two of them: a scheduler moves pods, and a database fails over.
type vpc struct {
	graph       *trace.Graph
	networks    []netip.Prefix // of the VPCs
	podNetworks []netip.Prefix // where pods with unknown addresses may stand
	targets     []*target

	*ground
	space                   *addressSpace       // cut at the blocks of AWS alone: pods of one subnet stay one class
	subnetAt                []int               // by atom of space, -1 where there is none
	machines                map[uint32][]string // security groups of other machines, by atom of space
	inVPC, private, special set                 // of space

	ports     *portTable
	sets      []*groupSet // interned
	setIndex  map[string]int
	spots     []spot
	spotIndex map[string]int
	classes   []class
	classOf   []uint32 // by point

	// remembered holds what was computed, a row for each class that asked, and
	// room says how many rows more may be kept.
	balancers  map[*target]*trace.LoadBalancer
	inlets     []inlet
	podInlets  map[*estate.Workload][]int
	nodeInlets []int
	remembered []atomic.Pointer[[]atomic.Uint64]
	room       atomic.Int64
}

// remembers bounds the memory of answers: as many pairs of classes, at eight
// bytes each.
const remembers = 16 << 20

func newVPC(g *trace.Graph) *vpc {
	v := &vpc{graph: g, ground: newGround(g.Estate), setIndex: map[string]int{}, spotIndex: map[string]int{}}
	for _, n := range estate.VPCs.In(g.Estate) {
		for _, text := range slices.Concat([]string{n.CidrBlock}, n.CidrBlockAssociations, n.Ipv6CidrBlocks) {
			if p, ok := parsePrefix(text); ok {
				v.networks = append(v.networks, p)
			}
		}
	}
	v.podNetworks = v.nodeNetworks()
	if len(v.podNetworks) == 0 {
		v.podNetworks = v.anywhere()
	}
	v.targets = v.listTargets()
	v.space = newAddressSpace(v.blocks())
	return v
}

// anywhere returns where what has no known subnet may stand: in the VPCs, if any
// is known, by addresses of the family that pods have.
func (v *vpc) anywhere() []netip.Prefix {
	for _, networks := range [][]netip.Prefix{v.networks, privateNetworks} {
		if own := v.family(networks); len(own) > 0 {
			return own
		}
	}
	return nil
}

// blocks lists the prefixes that rules, subnets and routes name.
func (v *vpc) blocks() []netip.Prefix {
	return slices.Concat(v.networks, v.podNetworks, v.ruleBlocks(v.graph.Estate))
}

// A spot is where one end of a connection may stand.
type spot struct {
	groups int // index of the groupSet whose rules its traffic meets
	// exit is the set that counts for traffic to outside the VPC, which leaves
	// by the interface of the node where the pod's address is translated.
	exit   int
	subnet int // -1: not known, or none
	atoms  set // of vpc.space, one of which is its address
	// station is the set of its node's groups: by it and the subnet two spots may
	// be on one node.
	station int
	// node says whether it stands in the network of a node, where traffic that
	// stays on the node meets no security group.
	node nodeTraffic
	// inbound says whether the internet can address it over IPv4, outbound
	// whether an internet gateway lets it out.
	inbound, outbound trace.Ternary
}

type nodeTraffic uint8

const (
	ownInterface  nodeTraffic = iota // every packet meets the groups
	sharesNode                       // it has the node's interface
	standardGroup                    // its own groups, in standard mode
)

// A class is points that AWS cannot tell apart.
type class struct {
	spots []int
	// free is true of addresses at which nothing of a VPC filters: link-local
	// ones, such as that of the instance metadata.
	free   bool
	end    end
	inlets []int // by network load balancers that keep the addresses of clients
	// facing is true of a load balancer that its controller will stand where the
	// internet can address it.
	facing bool
	// alone is the point of a class that has no other, 0 for none: a load balancer
	// that leads to targets of its own.
	alone uint32
}

// An end is what kind of end of a connection a class is.
type end uint8

const (
	podEnd end = iota
	targetEnd
	vpcEnd      // addresses of a VPC that belong to nothing else
	privateEnd  // private addresses outside
	internetEnd // public ones
)

// settle puts every point of a network into its class.
func (v *vpc) settle(n *Network) {
	v.ports = n.ports
	v.prepare()
	v.enter()
	for _, t := range v.targets {
		if t.predicted != nil {
			t.predicted.settle(n.ports)
		}
	}
	v.compileACLs()
	v.classOf = make([]uint32, len(n.points))
	index := map[string]uint32{}
	for i, p := range n.points {
		c := v.classify(n, p)
		key := binary.AppendUvarint([]byte{byte(c.end)}, uint64(len(c.inlets)))
		for _, e := range c.inlets {
			key = binary.AppendUvarint(key, uint64(e))
		}
		key = append(key, boolByte(c.free), boolByte(c.facing))
		key = binary.AppendUvarint(key, uint64(c.alone))
		for _, s := range c.spots {
			key = binary.AppendUvarint(key, uint64(s)+1)
		}
		at, ok := index[string(key)]
		if !ok {
			at = uint32(len(v.classes))
			index[string(key)] = at
			v.classes = append(v.classes, c)
		}
		v.classOf[i] = at
	}
	v.remembered = make([]atomic.Pointer[[]atomic.Uint64], len(v.classes))
	v.room.Store(int64(remembers / max(1, len(v.classes))))
}

// spot interns a spot.
func (v *vpc) spot(s spot) int {
	key := []byte{byte(s.node), byte(s.inbound), byte(s.outbound)}
	for _, n := range []int{s.groups, s.exit, s.station, s.subnet + 1} {
		key = binary.AppendUvarint(key, uint64(n))
	}
	key = append(key, s.atoms.key()...)
	at, ok := v.spotIndex[string(key)]
	if !ok {
		at = len(v.spots)
		v.spotIndex[string(key)] = at
		v.spots = append(v.spots, s)
	}
	return at
}

// between returns what AWS lets through.
func (v *vpc) between(from, to uint32) (sure, open portsID) {
	a, b := v.classOf[from], v.classOf[to]
	row := v.row(a)
	if row == nil {
		return v.passes(&v.classes[a], &v.classes[b])
	}
	// Kept is sure+1 above open, so that zero is what nobody asked for yet.
	if kept := (*row)[b].Load(); kept != 0 {
		return portsID(kept>>32) - 1, portsID(kept)
	}
	sure, open = v.passes(&v.classes[a], &v.classes[b])
	(*row)[b].Store(uint64(sure+1)<<32 | uint64(open))
	return sure, open
}

// row returns where the answers to a class are kept, nil if there is no room.
func (v *vpc) row(from uint32) *[]atomic.Uint64 {
	row := v.remembered[from].Load()
	if row != nil || v.room.Load() <= 0 {
		return row
	}
	made := make([]atomic.Uint64, len(v.classes))
	if v.remembered[from].CompareAndSwap(nil, &made) {
		v.room.Add(-1)
	}
	return v.remembered[from].Load()
}

// onNode returns what AWS lets through of a connection that its node leads on to
// a pod. It meets the groups that the pod has of its own; it has the address of
// its client.
func (v *vpc) onNode(from, to uint32) (sure, open portsID) {
	if v.sharesNode(to) {
		return allPorts, allPorts
	}
	return v.between(from, to)
}

// sharesNode reports whether a pod may stand where it meets no groups of its own.
func (v *vpc) sharesNode(pod uint32) bool {
	return slices.ContainsFunc(v.classes[v.classOf[pod]].spots, func(at int) bool { return v.spots[at].node != ownInterface })
}

// asked reports whether AWS has a say between two classes: not between
// addresses, of which nobody knows what stands there, not on the way to a
// link-local address, and between pods only if a source shows the network under
// them.
func (v *vpc) asked(a, b *class) bool {
	switch {
	case a.free || b.free, a.end > targetEnd && b.end > targetEnd:
		return false
	case a.end == targetEnd || b.end == targetEnd:
		return true
	}
	return v.seen
}

// passes computes what AWS lets through between two classes: what it does
// between the spots between which it lets through most.
func (v *vpc) passes(a, b *class) (sure, open portsID) {
	if !v.asked(a, b) {
		return allPorts, allPorts
	}
	for _, p := range a.spots {
		for _, q := range b.spots {
			s, o := v.pair(a, b, &v.spots[p], &v.spots[q])
			sure, open = v.ports.or(sure, s), v.ports.or(open, o)
			if sure == allPorts {
				return allPorts, allPorts
			}
		}
	}
	return sure, open
}

// pair computes what gets from one spot to another.
func (v *vpc) pair(a, b *class, p, q *spot) (sure, open portsID) {
	sure, open = v.direct(a, b, p, q)
	if len(b.inlets) > 0 && sure != allPorts {
		s, o := v.entered(a, b, p, q)
		sure, open = v.ports.or(sure, s), v.ports.or(open, o)
	}
	return sure, open
}

// direct is pair of what no load balancer leads there.
func (v *vpc) direct(a, b *class, p, q *spot) (sure, open portsID) {
	if sameNode(p, q) {
		return allPorts, allPorts
	}
	w := v.way(a, b, p, q)
	sure, open = w.lets()
	if open == noPorts {
		return noPorts, noPorts
	}
	for _, layer := range []func(a, b *class, p, q *spot) (portsID, portsID){v.egress, v.ingress, v.acls} {
		s, o := layer(a, b, p, q)
		sure, open = v.ports.and(sure, s), v.ports.and(open, o)
		if open == noPorts {
			return noPorts, noPorts
		}
	}
	return sure, open
}

// sameNode reports whether both may be on one node, so that their traffic never
// meets a security group. Where pods have groups of their own in standard mode,
// those of different groups do not reach each other on one node.
func sameNode(p, q *spot) bool {
	switch {
	case p.node == ownInterface || q.node == ownInterface || p.subnet != q.subnet || p.station != q.station:
		return false
	}
	return p.node == sharesNode || q.node == sharesNode || p.groups == q.groups
}
