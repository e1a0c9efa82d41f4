package terraform

import (
	"slices"

	"github.com/eksafe/eksafe/internal/estate"
)

func readVPCEndpoint(res *resource) {
	endpoint := &estate.VPCEndpoint{
		AWS:               res.aws(),
		Id:                res.attr("id"),
		VpcEndpointType:   res.textOr("vpc_endpoint_type", "Gateway"),
		ServiceName:       res.ref("service_name"),
		VpcId:             res.ref("vpc_id"),
		SubnetIds:         res.refs("subnet_ids"),
		SecurityGroupIds:  res.refs("security_group_ids"),
		RouteTableIds:     res.refs("route_table_ids"),
		PrivateDnsEnabled: res.boolOr("private_dns_enabled", false),
		PolicyDocument:    estate.Known(""),
	}
	if res.has("policy") {
		endpoint.PolicyDocument = res.document("policy")
	}
	put(res, estate.VPCEndpoints, endpoint)
}

// ofEndpoint calls f with the endpoint that the resource is a part of.
func (res *resource) ofEndpoint(f func(*estate.VPCEndpoint)) {
	to := res.ref("vpc_endpoint_id")
	res.fold(func() {
		if e, ok := target[*estate.VPCEndpoint](res, to); ok {
			f(e)
		}
	})
}

func foldEndpointPolicy(res *resource) {
	res.ofEndpoint(func(e *estate.VPCEndpoint) { e.PolicyDocument = res.document("policy") })
}

// foldEndpointPart adds one of the lists of an endpoint. In a state the
// endpoint shows what stands alone as well.
func foldEndpointPart(attribute string, list func(*estate.VPCEndpoint) *[]string) func(*resource) {
	return func(res *resource) {
		id := res.ref(attribute)
		res.ofEndpoint(func(e *estate.VPCEndpoint) {
			if all := list(e); id != "" && !slices.Contains(*all, id) {
				*all = append(*all, id)
			}
		})
	}
}

func readPeering(res *resource) {
	put(res, estate.VPCPeeringConnections, &estate.VPCPeeringConnection{
		AWS:         res.aws(),
		Id:          res.attr("id"),
		VpcId:       res.ref("vpc_id"),
		PeerVpcId:   res.ref("peer_vpc_id"),
		PeerOwnerId: res.ref("peer_owner_id"),
		PeerRegion:  res.ref("peer_region"),
		Status:      res.text("accept_status"),
	})
}

func readPrefixList(res *resource) {
	list := &estate.PrefixList{AWS: res.aws(), PrefixListId: res.attr("id"), PrefixListName: res.name("name")}
	if items, known := res.each("entry"); known {
		entries := []estate.PrefixListEntry{}
		for _, item := range items {
			entries = append(entries, estate.PrefixListEntry{Cidr: item.ref("cidr")})
		}
		list.Entries = estate.Known(entries)
	} else if len(res.resolve("entry", true)) > 0 || res.expressions["entry"] == nil {
		// The attribute is also computed: entries that stand alone fill it.
		list.Entries = estate.Known([]estate.PrefixListEntry{})
	}
	put(res, estate.PrefixLists, list)
}

func foldPrefixListEntry(res *resource) {
	to, entry := res.ref("prefix_list_id"), estate.PrefixListEntry{Cidr: res.ref("cidr")}
	res.fold(func() {
		l, ok := target[*estate.PrefixList](res, to)
		if !ok {
			return
		}
		entries, known := l.Entries.Get()
		if !known {
			return
		}
		if !slices.Contains(entries, entry) {
			l.Entries = estate.Known(append(entries, entry))
		}
	})
}
