package terraform

import (
	"strings"

	"github.com/eksafe/eksafe/internal/estate"
)

func readVPC(res *resource) {
	v := &estate.VPC{AWS: res.aws(), VpcId: res.attr("id"), CidrBlock: res.plain("cidr_block")}
	if block := res.plain("ipv6_cidr_block"); block != "" {
		v.Ipv6CidrBlocks = []string{block}
	}
	put(res, estate.VPCs, v)
}

func foldVPCBlock(res *resource) {
	to, block := res.ref("vpc_id"), res.plain("cidr_block")
	res.fold(func() {
		if v, ok := target[*estate.VPC](res, to); ok && block != "" {
			v.CidrBlockAssociations = append(v.CidrBlockAssociations, block)
		}
	})
}

func readSubnet(res *resource) {
	put(res, estate.Subnets, &estate.Subnet{
		AWS:                 res.aws(),
		SubnetId:            res.attr("id"),
		VpcId:               res.ref("vpc_id"),
		CidrBlock:           res.plain("cidr_block"),
		Ipv6CidrBlock:       res.plain("ipv6_cidr_block"),
		AvailabilityZone:    res.plain("availability_zone"),
		MapPublicIpOnLaunch: res.boolOr("map_public_ip_on_launch", false),
	})
}

func readRouteTable(res *resource) {
	table := &estate.RouteTable{AWS: res.aws(), RouteTableId: res.attr("id"), VpcId: res.ref("vpc_id")}
	items, known := res.each("route")
	for _, item := range items {
		table.Routes = append(table.Routes, res.route(item, ""))
	}
	if !known {
		table.Routes = append(table.Routes, estate.Route{GatewayId: "${?}"})
	}
	put(res, estate.RouteTables, table)
}

// route reads one route; the names of its destinations begin with prefix.
func (res *resource) route(b *block, prefix string) estate.Route {
	r := estate.Route{
		DestinationCidrBlock:        b.plain(prefix + "cidr_block"),
		DestinationIpv6CidrBlock:    b.plain(prefix + "ipv6_cidr_block"),
		DestinationPrefixListId:     b.ref("destination_prefix_list_id"),
		GatewayId:                   b.ref("gateway_id"),
		NatGatewayId:                b.ref("nat_gateway_id"),
		EgressOnlyInternetGatewayId: b.ref("egress_only_gateway_id"),
		TransitGatewayId:            b.ref("transit_gateway_id"),
		VpcPeeringConnectionId:      b.ref("vpc_peering_connection_id"),
		VpcEndpointId:               b.ref("vpc_endpoint_id"),
		NetworkInterfaceId:          b.ref("network_interface_id"),
		CarrierGatewayId:            b.ref("carrier_gateway_id"),
		LocalGatewayId:              b.ref("local_gateway_id"),
		CoreNetworkArn:              b.ref("core_network_arn"),
	}
	if strings.HasPrefix(r.GatewayId, "vpce-") {
		r.GatewayId, r.VpcEndpointId = "", r.GatewayId
	}
	r.Internet = res.reader.isInternetGateway(r.GatewayId)
	return r
}

// isInternetGateway reports whether a gateway is one, or may be.
func (r *reader) isInternetGateway(id string) bool {
	if strings.HasPrefix(id, "igw-") || id == "${?}" {
		return true
	}
	for _, res := range r.names[id] {
		if res.typ == "aws_internet_gateway" {
			return true
		}
	}
	return false
}

func foldRoute(res *resource) {
	to := res.ref("route_table_id")
	route := res.route(res.block, "destination_")
	res.fold(func() {
		if t, ok := target[*estate.RouteTable](res, to); ok {
			t.Routes = append(t.Routes, route)
		}
	})
}

func foldRouteTableAssociation(res *resource) {
	to, subnet := res.ref("route_table_id"), res.ref("subnet_id")
	res.fold(func() {
		if t, ok := target[*estate.RouteTable](res, to); ok && subnet != "" {
			t.SubnetIds = append(t.SubnetIds, subnet)
		}
	})
}

func foldMainRouteTable(res *resource) {
	to := res.ref("route_table_id")
	res.fold(func() {
		if t, ok := target[*estate.RouteTable](res, to); ok {
			t.Main = true
		}
	})
}

func readSecurityGroup(res *resource) {
	put(res, estate.SecurityGroups, &estate.SecurityGroup{
		AWS:                  res.aws(),
		GroupId:              res.attr("id"),
		GroupName:            res.name("name"),
		VpcId:                res.ref("vpc_id"),
		SecurityGroupIngress: inlineRules(res, "ingress"),
		// Without egress rules the provider takes AWS's own away.
		SecurityGroupEgress: inlineRules(res, "egress"),
	})
}

func inlineRules(res *resource, name string) estate.Optional[[]estate.SecurityGroupRule] {
	items, known := res.each(name)
	if !known {
		if len(res.resolve(name, true)) == 0 && res.expressions[name] != nil {
			return estate.Optional[[]estate.SecurityGroupRule]{}
		}
		// The attribute is also computed: rules that stand alone fill it.
		return estate.Known([]estate.SecurityGroupRule{})
	}
	out := []estate.SecurityGroupRule{}
	for _, item := range items {
		out = append(out, groupRules(item, res.id())...)
	}
	return estate.Known(out)
}

// groupRules makes a rule of each peer of a block.
func groupRules(b *block, self string) []estate.SecurityGroupRule {
	base := estate.SecurityGroupRule{IpProtocol: protocolName(b.plain("protocol")), FromPort: b.int("from_port").Or(-1), ToPort: b.int("to_port").Or(-1)}
	if base.IpProtocol == "-1" {
		base.FromPort, base.ToPort = -1, -1
	}
	base.Unresolved = b.isUnknown("from_port") || b.isUnknown("to_port") || b.isUnknown("protocol")
	var out []estate.SecurityGroupRule
	add := func(values []string, set func(*estate.SecurityGroupRule, string)) {
		for _, v := range values {
			r := base
			set(&r, v)
			r.Unresolved = r.Unresolved || v == "${?}"
			out = append(out, r)
		}
	}
	add(b.refs("cidr_blocks"), func(r *estate.SecurityGroupRule, v string) { r.CidrIp = v })
	add(b.refs("ipv6_cidr_blocks"), func(r *estate.SecurityGroupRule, v string) { r.CidrIpv6 = v })
	add(b.refs("security_groups"), func(r *estate.SecurityGroupRule, v string) { r.SourceSecurityGroupId = v })
	add(b.refs("prefix_list_ids"), func(r *estate.SecurityGroupRule, v string) { r.SourcePrefixListId = v })
	if b.bool("self").Or(false) {
		add([]string{self}, func(r *estate.SecurityGroupRule, v string) { r.SourceSecurityGroupId = v })
	}
	return out
}

// protocolName writes the protocols that have a name by it.
func protocolName(p string) string {
	switch p = strings.ToLower(p); p {
	case "6":
		return "tcp"
	case "17":
		return "udp"
	case "1":
		return "icmp"
	case "58":
		return "icmpv6"
	case "all", "":
		return "-1"
	}
	return p
}

func foldSecurityGroupRule(res *resource) {
	to, typ := res.ref("security_group_id"), res.plain("type")
	rules := groupRules(res.block, to)
	if source := res.ref("source_security_group_id"); source != "" {
		r := estate.SecurityGroupRule{
			IpProtocol: protocolName(res.plain("protocol")), FromPort: res.int("from_port").Or(-1), ToPort: res.int("to_port").Or(-1),
			SourceSecurityGroupId: source, Unresolved: source == "${?}",
		}
		rules = append(rules, r)
	}
	res.addRules(to, typ, rules)
}

func foldIngressRule(res *resource) { foldSingleRule(res, "ingress") }
func foldEgressRule(res *resource)  { foldSingleRule(res, "egress") }

func foldSingleRule(res *resource, typ string) {
	r := estate.SecurityGroupRule{
		IpProtocol:            protocolName(res.plain("ip_protocol")),
		FromPort:              res.int("from_port").Or(-1),
		ToPort:                res.int("to_port").Or(-1),
		CidrIp:                res.ref("cidr_ipv4"),
		CidrIpv6:              res.ref("cidr_ipv6"),
		SourceSecurityGroupId: res.ref("referenced_security_group_id"),
		SourcePrefixListId:    res.ref("prefix_list_id"),
	}
	for _, v := range []string{r.CidrIp, r.CidrIpv6, r.SourceSecurityGroupId, r.SourcePrefixListId} {
		r.Unresolved = r.Unresolved || v == "${?}"
	}
	res.addRules(res.ref("security_group_id"), typ, []estate.SecurityGroupRule{r})
}

func (res *resource) addRules(to, typ string, rules []estate.SecurityGroupRule) {
	res.fold(func() {
		g, ok := target[*estate.SecurityGroup](res, to)
		if !ok {
			return
		}
		list := &g.SecurityGroupIngress
		if typ == "egress" {
			list = &g.SecurityGroupEgress
		}
		if all, known := list.Get(); known {
			// In a state the group shows the rules that stand alone as well.
			for _, r := range rules {
				if !containsRule(all, r) {
					all = append(all, r)
				}
			}
			*list = estate.Known(all)
		}
	})
}

func containsRule(all []estate.SecurityGroupRule, r estate.SecurityGroupRule) bool {
	for _, have := range all {
		if have == r {
			return true
		}
	}
	return false
}

func readNetworkAcl(res *resource) {
	acl := &estate.NetworkAcl{AWS: res.aws(), Id: res.attr("id"), VpcId: res.ref("vpc_id"), SubnetIds: res.refs("subnet_ids")}
	for _, side := range []string{"ingress", "egress"} {
		items, _ := res.each(side)
		for _, item := range items {
			acl.Entries = append(acl.Entries, aclEntry(item, side == "egress", "rule_no", "action"))
		}
	}
	put(res, estate.NetworkAcls, acl)
}

var protocolNumbers = map[string]string{"tcp": "6", "udp": "17", "icmp": "1", "icmpv6": "58", "all": "-1"}

func aclEntry(b *block, egress bool, number, action string) estate.NetworkAclEntry {
	protocol := strings.ToLower(b.plain("protocol"))
	if n, ok := protocolNumbers[protocol]; ok {
		protocol = n
	}
	ipv4, ipv6 := b.plain("cidr_block"), b.plain("ipv6_cidr_block")
	return estate.NetworkAclEntry{
		RuleNumber:    b.int(number).Or(0),
		Egress:        egress,
		Protocol:      protocol,
		RuleAction:    strings.ToLower(b.plain(action)),
		CidrBlock:     ipv4,
		Ipv6CidrBlock: ipv6,
		FromPort:      b.int("from_port").Or(0),
		ToPort:        b.int("to_port").Or(0),
	}
}

func foldNetworkAclRule(res *resource) {
	to := res.ref("network_acl_id")
	entry := aclEntry(res.block, res.boolOr("egress", false).Or(false), "rule_number", "rule_action")
	res.fold(func() {
		if a, ok := target[*estate.NetworkAcl](res, to); ok {
			a.Entries = append(a.Entries, entry)
		}
	})
}

func foldNetworkAclAssociation(res *resource) {
	to, subnet := res.ref("network_acl_id"), res.ref("subnet_id")
	res.fold(func() {
		if a, ok := target[*estate.NetworkAcl](res, to); ok {
			a.SubnetIds = append(a.SubnetIds, subnet)
		}
	})
}

func readFlowLog(res *resource) {
	to := ""
	for _, attribute := range []string{"vpc_id", "subnet_id", "eni_id", "transit_gateway_id"} {
		if to == "" {
			to = res.ref(attribute)
		}
	}
	put(res, estate.FlowLogs, &estate.FlowLog{
		AWS:                res.aws(),
		Id:                 res.attr("id"),
		ResourceId:         to,
		TrafficType:        res.text("traffic_type"),
		LogDestinationType: res.textOr("log_destination_type", "cloud-watch-logs").Or(""),
		LogDestination:     res.ref("log_destination"),
	})
}
