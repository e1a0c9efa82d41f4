package cloudformation

import (
	"strings"

	"github.com/eksafe/eksafe/internal/estate"
)

func readVPC(res *resource) {
	p := res.properties()
	put(res, estate.VPCs, &estate.VPC{
		AWS:       res.aws(p.tags("Tags")),
		VpcId:     res.name,
		CidrBlock: p.plain("CidrBlock"),
	}, nil)
}

func foldVPCCidrBlock(res *resource) {
	p := res.properties()
	to, v4, v6 := p.ref("VpcId"), p.plain("CidrBlock"), p.plain("Ipv6CidrBlock")
	res.fold(func() {
		vpc, ok := target[*estate.VPC](res, to)
		if !ok {
			return
		}
		if v4 != "" {
			vpc.CidrBlockAssociations = append(vpc.CidrBlockAssociations, v4)
		}
		if v6 != "" {
			vpc.Ipv6CidrBlocks = append(vpc.Ipv6CidrBlocks, v6)
		}
	})
}

func readSubnet(res *resource) {
	p := res.properties()
	put(res, estate.Subnets, &estate.Subnet{
		AWS:                 res.aws(p.tags("Tags")),
		SubnetId:            res.name,
		VpcId:               p.ref("VpcId"),
		CidrBlock:           p.plain("CidrBlock"),
		Ipv6CidrBlock:       p.plain("Ipv6CidrBlock"),
		AvailabilityZone:    p.ref("AvailabilityZone"),
		MapPublicIpOnLaunch: p.boolOr("MapPublicIpOnLaunch", false),
	}, nil)
}

func readRouteTable(res *resource) {
	p := res.properties()
	put(res, estate.RouteTables, &estate.RouteTable{
		AWS:          res.aws(p.tags("Tags")),
		RouteTableId: res.name,
		VpcId:        p.ref("VpcId"),
	}, nil)
}

func foldRoute(res *resource) {
	p := res.properties()
	to := p.ref("RouteTableId")
	route := estate.Route{
		DestinationCidrBlock:        p.ref("DestinationCidrBlock"),
		DestinationIpv6CidrBlock:    p.ref("DestinationIpv6CidrBlock"),
		DestinationPrefixListId:     p.ref("DestinationPrefixListId"),
		GatewayId:                   p.ref("GatewayId"),
		NatGatewayId:                p.ref("NatGatewayId"),
		EgressOnlyInternetGatewayId: p.ref("EgressOnlyInternetGatewayId"),
		TransitGatewayId:            p.ref("TransitGatewayId"),
		VpcPeeringConnectionId:      p.ref("VpcPeeringConnectionId"),
		VpcEndpointId:               p.ref("VpcEndpointId"),
		NetworkInterfaceId:          p.ref("NetworkInterfaceId"),
		InstanceId:                  p.ref("InstanceId"),
		CarrierGatewayId:            p.ref("CarrierGatewayId"),
		LocalGatewayId:              p.ref("LocalGatewayId"),
		CoreNetworkArn:              p.ref("CoreNetworkArn"),
	}
	if strings.HasPrefix(route.GatewayId, "vpce-") {
		route.GatewayId, route.VpcEndpointId = "", route.GatewayId
	}
	route.Internet = internetGateway(res, route.GatewayId)
	res.fold(func() {
		if table, ok := target[*estate.RouteTable](res, to); ok {
			table.Routes = append(table.Routes, route)
			res.reader.add(&table.Origin, "routes", res, false)
		}
	})
}

// internetGateway reports whether a gateway is one to the internet. One that
// is not known counts: a route to the internet must not be missed.
func internetGateway(res *resource, id string) bool {
	if to := res.reader.ids[id]; to != nil {
		return to.kind == "AWS::EC2::InternetGateway" || to.kind == "AWS::EC2::VPCGatewayAttachment"
	}
	return id != "" && id != "local" && !strings.HasPrefix(id, "vgw-") && !strings.HasPrefix(id, "vpce-")
}

func foldSubnetRouteTable(res *resource) {
	p := res.properties()
	to, subnet := p.ref("RouteTableId"), p.ref("SubnetId")
	res.fold(func() {
		if table, ok := target[*estate.RouteTable](res, to); ok && subnet != "" {
			table.SubnetIds = append(table.SubnetIds, subnet)
			res.reader.add(&table.Origin, "subnetIds", res, false)
		}
	})
}

func readSecurityGroup(res *resource) {
	p := res.properties()
	group := &estate.SecurityGroup{
		AWS:                  res.aws(p.tags("Tags")),
		GroupId:              res.id(),
		GroupName:            p.name("GroupName"),
		VpcId:                p.ref("VpcId"),
		SecurityGroupIngress: rules(p, "SecurityGroupIngress", "Source"),
		SecurityGroupEgress:  rules(p, "SecurityGroupEgress", "Destination"),
	}
	// EC2 lets everything out of a group that is made without an egress rule.
	if out, known := group.SecurityGroupEgress.Get(); known && len(out) == 0 {
		group.SecurityGroupEgress = estate.Known([]estate.SecurityGroupRule{
			{IpProtocol: "-1", FromPort: -1, ToPort: -1, CidrIp: "0.0.0.0/0"},
			{IpProtocol: "-1", FromPort: -1, ToPort: -1, CidrIpv6: "::/0"},
		})
		res.defaulted = true
	}
	put(res, estate.SecurityGroups, group, nil, p.plain("GroupName"))
}

func rules(p *properties, name, peer string) estate.Optional[[]estate.SecurityGroupRule] {
	v := p.get(name)
	// One rule may stand without the list.
	if v.kind == mapping {
		return estate.Known([]estate.SecurityGroupRule{rule(p.res.view(v), peer)})
	}
	items, known := p.each(name)
	if !known {
		return estate.Optional[[]estate.SecurityGroupRule]{}
	}
	out := []estate.SecurityGroupRule{}
	for _, item := range items {
		out = append(out, rule(item, peer))
	}
	return estate.Known(out)
}

// rule reads one rule. Names of the peer begin with "Source" in the one
// direction and with "Destination" in the other.
func rule(p *properties, direction string) estate.SecurityGroupRule {
	out := estate.SecurityGroupRule{FromPort: -1, ToPort: -1}
	var ok bool
	if out.IpProtocol, ok = p.text("IpProtocol").Get(); !ok {
		out.Unresolved = true
	}
	port := func(name string, to *int) {
		if p.has(name) {
			if *to, ok = p.int(name).Get(); !ok {
				out.Unresolved = true
			}
		}
	}
	port("FromPort", &out.FromPort)
	port("ToPort", &out.ToPort)
	peer := func(to *string, name string) {
		switch v := p.get(name); v.kind {
		case scalar:
			*to = v.text
		case unknown:
			// Of a rule that is not known as a whole nothing is.
			if p.known {
				*to = reference(v)
			}
			out.Unresolved = true
		}
	}
	peer(&out.CidrIp, "CidrIp")
	peer(&out.CidrIpv6, "CidrIpv6")
	peer(&out.SourceSecurityGroupId, direction+"SecurityGroupId")
	if direction == "Source" {
		peer(&out.SourceSecurityGroupId, "SourceSecurityGroupName")
	}
	peer(&out.SourcePrefixListId, direction+"PrefixListId")
	return out
}

func foldSecurityGroupIngress(res *resource) {
	p := res.properties()
	to, one := p.ref("GroupId"), rule(p, "Source")
	if to == "" {
		to = p.ref("GroupName")
	}
	one.Unresolved = one.Unresolved || res.exists == maybe
	res.fold(func() {
		group, ok := target[*estate.SecurityGroup](res, to)
		if !ok {
			return
		}
		if in, known := group.SecurityGroupIngress.Get(); known {
			group.SecurityGroupIngress = estate.Known(append(in, one))
			res.reader.add(&group.Origin, "securityGroupIngress", res, false)
		}
	})
}

func foldSecurityGroupEgress(res *resource) {
	p := res.properties()
	to, one := p.ref("GroupId"), rule(p, "Destination")
	one.Unresolved = one.Unresolved || res.exists == maybe
	res.fold(func() {
		group, ok := target[*estate.SecurityGroup](res, to)
		if !ok {
			return
		}
		out, known := group.SecurityGroupEgress.Get()
		if !known {
			return
		}
		if r := res.reader.ids[group.Arn]; r != nil && r.defaulted {
			// Whether the rule that lets everything out survives is not documented.
			group.SecurityGroupEgress = estate.Optional[[]estate.SecurityGroupRule]{}
			return
		}
		group.SecurityGroupEgress = estate.Known(append(out, one))
		res.reader.add(&group.Origin, "securityGroupEgress", res, false)
	})
}

func readNetworkAcl(res *resource) {
	p := res.properties()
	put(res, estate.NetworkAcls, &estate.NetworkAcl{
		AWS:   res.aws(p.tags("Tags")),
		Id:    res.name,
		VpcId: p.ref("VpcId"),
	}, nil)
}

func foldNetworkAclEntry(res *resource) {
	p := res.properties()
	ports := p.in("PortRange")
	to := p.ref("NetworkAclId")
	entry := estate.NetworkAclEntry{
		RuleNumber:    p.int("RuleNumber").Or(0),
		Egress:        p.boolOr("Egress", false).Or(false),
		Protocol:      p.plain("Protocol"),
		RuleAction:    p.plain("RuleAction"),
		CidrBlock:     p.ref("CidrBlock"),
		Ipv6CidrBlock: p.ref("Ipv6CidrBlock"),
		FromPort:      ports.int("From").Or(0),
		ToPort:        ports.int("To").Or(0),
	}
	res.fold(func() {
		// An entry that may not exist must not be relied upon to deny.
		if acl, ok := target[*estate.NetworkAcl](res, to); ok && (res.exists == yes || entry.RuleAction != "deny") {
			acl.Entries = append(acl.Entries, entry)
			res.reader.add(&acl.Origin, "entries", res, false)
		}
	})
}

func foldSubnetNetworkAcl(res *resource) {
	p := res.properties()
	to, subnet := p.ref("NetworkAclId"), p.ref("SubnetId")
	res.fold(func() {
		if acl, ok := target[*estate.NetworkAcl](res, to); ok && subnet != "" {
			acl.SubnetIds = append(acl.SubnetIds, subnet)
			res.reader.add(&acl.Origin, "subnetIds", res, false)
		}
	})
}
