package reach

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/eksafe/eksafe/internal/estate"
)

// An Observation is connections between two addresses that were seen, in either
// direction of the packets.
type Observation struct {
	Source, Destination         netip.Addr
	SourcePort, DestinationPort uint16
	Protocol                    uint8 // its number: 6 is TCP
	Count                       int
}

// firstEphemeral is the first port that clients on Linux choose by default: the
// default of net.ipv4.ip_local_port_range, 32768 to 60999. Source: the kernel's
// documentation of ip-sysctl.
const firstEphemeral = 32768

// Observe turns what was seen into needs. A record of a reply is told from one
// of a request by the port that the receiver is known to serve, else by which of
// the two ports a client would have chosen. What was seen less than least times
// is none. passed says what was left out.
func (n *Network) Observe(list []Observation, least int) (needs []Need, passed []string) {
	owners := n.owners()
	type key struct {
		from, to *Endpoint
		protocol Protocol
		port     uint16
	}
	counts := map[key]int{}
	var order []key
	unclear, foreign, probes, rare := 0, 0, 0, 0
	for _, o := range list {
		protocol, ok := map[uint8]Protocol{6: TCP, 17: UDP, 132: SCTP}[o.Protocol]
		if !ok {
			continue
		}
		from, to := n.ownerOf(owners, o.Source, protocol, o.SourcePort), n.ownerOf(owners, o.Destination, protocol, o.DestinationPort)
		request := to.Serves.Has(protocol, o.DestinationPort)
		reply := from.Serves.Has(protocol, o.SourcePort)
		if request == reply {
			request, reply = o.SourcePort >= firstEphemeral && o.DestinationPort < firstEphemeral, o.DestinationPort >= firstEphemeral && o.SourcePort < firstEphemeral
		}
		k := key{from, to, protocol, o.DestinationPort}
		switch {
		case request:
		case reply:
			k = key{to, from, protocol, o.SourcePort}
		default:
			unclear += o.Count
			continue
		}
		switch {
		case !governed(k.from) && !governed(k.to):
			foreign += o.Count
			continue
		case governed(k.to) && onNodeOf(k.to, k.from):
			// The kubelet probes its own pods, and no policy keeps it from them.
			probes += o.Count
			continue
		}
		if counts[k] == 0 {
			order = append(order, k)
		}
		counts[k] += o.Count
	}
	for _, k := range order {
		if counts[k] < least {
			rare++
			continue
		}
		needs = append(needs, Need{From: k.from, To: k.to, Protocol: k.protocol, Port: k.port, Why: fmt.Sprintf("observed %d times", counts[k]), Observed: counts[k]})
	}
	if rare > 0 {
		passed = append(passed, fmt.Sprintf("%d connections were seen less than %d times", rare, least))
	}
	if probes > 0 {
		passed = append(passed, fmt.Sprintf("%d flow records are of nodes that look after their own pods, which no policy stops", probes))
	}
	if unclear > 0 {
		passed = append(passed, fmt.Sprintf("of %d flow records nobody can tell who called whom: neither end is known to serve its port", unclear))
	}
	if foreign > 0 {
		passed = append(passed, fmt.Sprintf("%d flow records are of nothing that runs in this estate", foreign))
	}
	return needs, passed
}

// onNodeOf reports whether an address is that of a node on which pods of e run.
func onNodeOf(e, address *Endpoint) bool {
	return address.Workload == nil && address.target == nil && slices.ContainsFunc(e.Workload.Pods, func(p estate.Pod) bool {
		return p.HostIP != "" && p.HostIP == address.Name
	})
}

// owners returns the endpoints by the addresses that are known to be theirs.
func (n *Network) owners() map[netip.Addr]*Endpoint {
	out := map[netip.Addr]*Endpoint{}
	for _, p := range n.points[:n.pods] {
		for _, a := range p.addresses {
			out[a] = p.endpoint
		}
	}
	return out
}

// ownerOf returns the endpoint of an address: a pod, the one thing that AWS runs
// in its subnet and that serves the port, or the address itself.
func (n *Network) ownerOf(owners map[netip.Addr]*Endpoint, a netip.Addr, protocol Protocol, port uint16) *Endpoint {
	a = a.Unmap()
	known := owners[a]
	if known != nil && known.Workload != nil {
		return known
	}
	atom := n.addresses.atom(a)
	var one *Endpoint
	for i := n.pods; i < n.atoms; i++ {
		p := n.points[i]
		if p.anywhere || !p.atoms.has(atom) || !p.endpoint.Serves.Has(protocol, port) {
			continue
		}
		if one != nil {
			one = nil // several stand there: nobody knows which
			break
		}
		one = p.endpoint
	}
	switch {
	case one != nil:
		return one
	case known == nil:
		known = n.addressEndpoint(netip.PrefixFrom(a, a.BitLen()))
		owners[a] = known // the same one for every port, so that needs can be counted
	}
	return known
}
