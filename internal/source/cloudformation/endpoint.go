package cloudformation

import "github.com/eksafe/eksafe/internal/estate"

func readVPCEndpoint(res *resource) {
	p := res.properties()
	endpoint := &estate.VPCEndpoint{
		AWS:               res.aws(p.tags("Tags")),
		Id:                res.name,
		VpcEndpointType:   p.textOr("VpcEndpointType", "Gateway"),
		ServiceName:       p.ref("ServiceName"),
		VpcId:             p.ref("VpcId"),
		SubnetIds:         p.refs("SubnetIds"),
		SecurityGroupIds:  p.refs("SecurityGroupIds"),
		RouteTableIds:     p.refs("RouteTableIds"),
		PrivateDnsEnabled: p.boolOr("PrivateDnsEnabled", false),
		PolicyDocument:    estate.Known(""),
	}
	if p.has("PolicyDocument") {
		endpoint.PolicyDocument = policy(p.get("PolicyDocument"), func(s string) string { return s })
	}
	put(res, estate.VPCEndpoints, endpoint, nil)
}

func readPeering(res *resource) {
	p := res.properties()
	put(res, estate.VPCPeeringConnections, &estate.VPCPeeringConnection{
		AWS:         res.aws(p.tags("Tags")),
		Id:          res.name,
		VpcId:       p.ref("VpcId"),
		PeerVpcId:   p.ref("PeerVpcId"),
		PeerOwnerId: p.ref("PeerOwnerId"),
		PeerRegion:  p.ref("PeerRegion"),
	}, nil)
}

func readPrefixList(res *resource) {
	p := res.properties()
	list := &estate.PrefixList{
		AWS:            res.aws(p.tags("Tags")),
		PrefixListId:   res.id(),
		PrefixListName: p.name("PrefixListName"),
	}
	if items, known := p.each("Entries"); known {
		entries := []estate.PrefixListEntry{}
		for _, item := range items {
			entries = append(entries, estate.PrefixListEntry{Cidr: item.ref("Cidr")})
		}
		list.Entries = estate.Known(entries)
	}
	put(res, estate.PrefixLists, list, nil)
}
