package reach

import (
	"net/netip"
	"strings"

	"github.com/eksafe/eksafe/internal/estate"
	"github.com/eksafe/eksafe/internal/trace"
)

// A way is whether packets find from one end to the other.
type way struct {
	state trace.Ternary
	why   string
	// local is true where nothing but the routes that every VPC has is taken.
	local bool
	note  string
	table *estate.RouteTable // that decides, nil if none does
	route int                // index of the route that decides, -1 if none matches
}

// lets returns what a way lets through.
func (w *way) lets() (sure, open portsID) {
	switch w.state {
	case trace.Yes:
		return allPorts, allPorts
	case trace.No:
		return noPorts, noPorts
	}
	return noPorts, allPorts
}

var localWay = way{state: trace.Yes, why: "routes within a VPC are always there", local: true, route: -1}

// way looks for the way from p to q.
func (v *vpc) way(a, b *class, p, q *spot) way {
	switch {
	case a.end == internetEnd:
		return v.wayIn(b, p, q)
	case b.end == internetEnd:
		return v.wayOut(p, q)
	case len(v.networks) == 0 || !v.routed:
		return localWay // what is inside and what outside is not known
	case a.end == privateEnd:
		return v.wayBeyond(q, p)
	case b.end == privateEnd:
		return v.wayBeyond(p, q)
	}
	return v.wayAcross(p, q)
}

// wayIn is the way from the internet: the end needs an address there and, for
// the replies, a route out through an internet gateway.
func (v *vpc) wayIn(b *class, p, q *spot) way {
	if b.facing && v.isIPv4(p) {
		return way{state: trace.Yes, route: -1, why: "its controller gives it addresses in the internet"}
	}
	if !v.isIPv4(p) {
		if b.end != podEnd || v.isIPv4(q) {
			return way{state: trace.No, route: -1, why: "it has no IPv6 address"}
		}
		return v.gateway(q, p)
	}
	switch q.inbound {
	case trace.No:
		return way{state: trace.No, route: -1, why: "it has no address in the internet"}
	case trace.Unclear:
		return way{route: -1, why: "whether it has an address in the internet is not known; read it live (--aws)"}
	}
	return v.gateway(q, p)
}

// gateway is whether the replies of an end leave by an internet gateway.
func (v *vpc) gateway(from, to *spot) way {
	w, r := v.leads(from, to)
	switch {
	case r == nil:
		if w.state == trace.No {
			w.why = "its subnet has no route to an internet gateway"
		}
		return w
	case r.Blackhole:
		w.state, w.why = trace.No, "the gateway of its subnet's route to the internet is gone"
	case internetGateway(r):
		w.state, w.why = trace.Yes, "it has an address in the internet, and its subnet a route to an internet gateway"
	case r.NatGatewayId != "" || r.EgressOnlyInternetGatewayId != "":
		w.state, w.why = trace.No, "its subnet's route to the internet leads to "+leadsTo(r)+", which lets nothing in"
	default:
		w.state, w.why = trace.Unclear, "its subnet's route to the internet leads to "+leadsTo(r)+", behind which eksafe does not see"
	}
	return w
}

// wayOut is the way to the internet.
func (v *vpc) wayOut(p, q *spot) way {
	four := v.isIPv4(q)
	if !four && v.isIPv4(p) {
		return way{state: trace.No, route: -1, why: "it has no IPv6 address"}
	}
	w, r := v.leads(p, q)
	switch {
	case r == nil:
		if w.state == trace.No {
			w.why = "its subnet has no route to the internet"
		}
	case r.Blackhole:
		w.state, w.why = trace.No, "the target of its subnet's route to the internet is gone"
	case r.NatGatewayId != "":
		w.state, w.why = trace.Yes, "its subnet has a route to a NAT gateway"
	case r.EgressOnlyInternetGatewayId != "":
		w.state, w.why = ternary(!four), "its subnet has a route to an egress-only internet gateway"
	case internetGateway(r) && !four:
		w.state, w.why = trace.Yes, "its subnet has a route to an internet gateway"
	case internetGateway(r):
		w.state = p.outbound
		w.why = map[trace.Ternary]string{
			trace.Yes:     "its subnet has a route to an internet gateway, and it an address in the internet",
			trace.No:      "its subnet's route leads to an internet gateway, which takes nothing from an address that is not public",
			trace.Unclear: "its subnet's route leads to an internet gateway, and whether it has a public address is not known",
		}[p.outbound]
	case strings.HasPrefix(r.VpcEndpointId+r.GatewayId, "vpce-"):
		w.state, w.why = trace.Yes, "its subnet has a route to the gateway endpoint of a service"
	default:
		w.state, w.why = trace.Unclear, "its subnet's route to the internet leads to "+leadsTo(r)+", behind which eksafe does not see"
	}
	return w
}

// wayBeyond is the way between an end in a VPC and private addresses outside.
func (v *vpc) wayBeyond(inside, outside *spot) way {
	w, r := v.leads(inside, outside)
	switch {
	case r == nil:
		if w.state == trace.No {
			w.why = "its subnet has no route to these addresses"
		}
	case r.Blackhole:
		w.state, w.why = trace.No, "the target of its subnet's route to these addresses is gone"
	case r.NatGatewayId != "":
		w.state, w.why = trace.Unclear, "its subnet's route leads to a NAT gateway, and what that one reaches of private networks is not known"
	case internetGateway(r) || r.EgressOnlyInternetGatewayId != "":
		w.state, w.why = trace.No, "its subnet's route leads to "+leadsTo(r)+", which takes nothing to private addresses"
	default:
		w.state, w.why = trace.Yes, "its subnet has a route to "+leadsTo(r)
	}
	return w
}

// wayAcross is the way between two ends in VPCs: within one always, between two
// by routes of both.
func (v *vpc) wayAcross(p, q *spot) way {
	if p.subnet < 0 || q.subnet < 0 {
		return localWay
	}
	from, to := v.subnets[p.subnet].vpc, v.subnets[q.subnet].vpc
	if from == to || from == "" || to == "" {
		return localWay
	}
	if provenance(from) != provenance(to) {
		// A template may describe the VPC that AWS shows under another name.
		return way{route: -1, why: "whether " + estate.ShortName(from) + " and " + estate.ShortName(to) + " are one VPC is not known"}
	}
	there := v.wayBeyond(p, q)
	back := v.wayBeyond(q, p)
	if back.state == trace.No || there.state == trace.Yes && back.state == trace.Unclear {
		there = back
	}
	there.why = "they are in two VPCs: " + there.why
	return there
}

// provenance tells identities of templates from those of AWS.
func provenance(id string) string {
	kind, _, _ := strings.Cut(id, ":")
	if kind == "cfn" || kind == "tf" {
		return kind
	}
	return "aws"
}

// isIPv4 reports whether the addresses of a spot are of IPv4.
func (v *vpc) isIPv4(s *spot) bool { return v.space.starts[s.atoms[0].lo].Is4() }

func internetGateway(r *estate.Route) bool {
	return r.Internet || strings.HasPrefix(r.GatewayId, "igw-")
}

// leadsTo names the target of a route.
func leadsTo(r *estate.Route) string {
	for _, target := range []struct{ what, id string }{
		{"NAT gateway", r.NatGatewayId}, {"egress-only internet gateway", r.EgressOnlyInternetGatewayId},
		{"transit gateway", r.TransitGatewayId}, {"peering connection", r.VpcPeeringConnectionId},
		{"VPC endpoint", r.VpcEndpointId}, {"network interface", r.NetworkInterfaceId}, {"instance", r.InstanceId},
		{"carrier gateway", r.CarrierGatewayId}, {"local gateway", r.LocalGatewayId}, {"core network", r.CoreNetworkArn},
	} {
		if target.id != "" {
			return target.what + " " + estate.ShortName(target.id)
		}
	}
	if internetGateway(r) {
		return "internet gateway " + estate.ShortName(r.GatewayId)
	}
	return "gateway " + estate.ShortName(r.GatewayId)
}

// leads finds the route by which packets leave the subnet of one spot for the
// addresses of another: the most specific one that holds them. Without a route
// the way says whether there is none or it is not known.
func (v *vpc) leads(from, to *spot) (way, *estate.Route) {
	if from.subnet < 0 || v.subnets[from.subnet].table == nil {
		if !v.routed {
			return way{state: trace.Yes, why: "no source shows routes", local: true, route: -1}, nil
		}
		return way{route: -1, why: "the route table of its subnet is not known; read it live (--aws)"}, nil
	}
	t := v.subnets[from.subnet].table
	addr := v.space.starts[to.atoms[0].lo]
	best, bits, doubt := -1, -1, false
	for i := range t.Routes {
		prefixes, known := v.destinations(&t.Routes[i])
		doubt = doubt || !known
		for _, p := range prefixes {
			if p.Contains(addr) && p.Bits() > bits {
				best, bits = i, p.Bits()
			}
		}
	}
	w := way{table: t, route: best}
	switch {
	case best >= 0:
		return w, &t.Routes[best]
	case doubt:
		w.why = "a route of its subnet goes where it is not known before it is deployed"
	default:
		w.state = trace.No
	}
	return w, nil
}

// destinations returns the blocks to which a route leads.
func (w *ground) destinations(r *estate.Route) ([]netip.Prefix, bool) {
	if r.DestinationPrefixListId != "" {
		return w.listed(r.DestinationPrefixListId)
	}
	p, ok := parsePrefix(r.DestinationCidrBlock + r.DestinationIpv6CidrBlock)
	return []netip.Prefix{p}, ok
}
