package aws

import (
	"cmp"
	"context"
	"slices"
	"strings"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"github.com/eksafe/eksafe/internal/estate"
)

// ec2Page is how many resources we ask EC2 for at once. Where nothing is asked
// EC2 answers all, and refuses where that is too many.
var ec2Page int32 = 100

func (r *reader) readNetworks(ctx context.Context) {
	var vpcs []*estate.VPC
	err := pages(ctx, ec2.NewDescribeVpcsPaginator(r.sdk.ec2, &ec2.DescribeVpcsInput{MaxResults: &ec2Page}), func(p *ec2.DescribeVpcsOutput) {
		for i := range p.Vpcs {
			vpcs = append(vpcs, r.vpc(&p.Vpcs[i]))
		}
	})
	if err != nil {
		r.fail(err, estate.VPCs.Kind)
	}
	put(r, estate.VPCs, vpcs)

	var subnets []*estate.Subnet
	err = pages(ctx, ec2.NewDescribeSubnetsPaginator(r.sdk.ec2, &ec2.DescribeSubnetsInput{MaxResults: &ec2Page}), func(p *ec2.DescribeSubnetsOutput) {
		for i := range p.Subnets {
			subnets = append(subnets, r.subnet(&p.Subnets[i]))
		}
	})
	if err != nil {
		r.fail(err, estate.Subnets.Kind)
	}
	put(r, estate.Subnets, subnets)

	tables := r.listRouteTables(ctx)
	if tables.err != nil {
		r.fail(tables.err, estate.RouteTables.Kind)
	}
	put(r, estate.RouteTables, slices.Clone(tables.items))

	var acls []*estate.NetworkAcl
	err = pages(ctx, ec2.NewDescribeNetworkAclsPaginator(r.sdk.ec2, &ec2.DescribeNetworkAclsInput{MaxResults: &ec2Page}), func(p *ec2.DescribeNetworkAclsOutput) {
		for i := range p.NetworkAcls {
			acls = append(acls, r.networkAcl(&p.NetworkAcls[i]))
		}
	})
	if err != nil {
		r.fail(err, estate.NetworkAcls.Kind)
	}
	put(r, estate.NetworkAcls, acls)
}

// listRouteTables reads the route tables, which prefix lists need too.
func (r *reader) listRouteTables(ctx context.Context) listed[*estate.RouteTable] {
	return r.routeTables.get(func() (out listed[*estate.RouteTable]) {
		out.err = pages(ctx, ec2.NewDescribeRouteTablesPaginator(r.sdk.ec2, &ec2.DescribeRouteTablesInput{MaxResults: &ec2Page}), func(p *ec2.DescribeRouteTablesOutput) {
			for i := range p.RouteTables {
				out.items = append(out.items, r.routeTable(&p.RouteTables[i]))
			}
		})
		return out
	})
}

func (r *reader) vpc(v *ec2types.Vpc) *estate.VPC {
	out := &estate.VPC{
		AWS:       estate.AWS{Arn: r.arn("ec2", "vpc/"+text(v.VpcId)), Tags: ec2Tags(v.Tags)},
		VpcId:     text(v.VpcId),
		CidrBlock: text(v.CidrBlock),
	}
	for _, a := range v.CidrBlockAssociationSet {
		if a.CidrBlockState == nil || a.CidrBlockState.State == ec2types.VpcCidrBlockStateCodeAssociated {
			out.CidrBlockAssociations = append(out.CidrBlockAssociations, text(a.CidrBlock))
		}
	}
	for _, a := range v.Ipv6CidrBlockAssociationSet {
		if a.Ipv6CidrBlockState == nil || a.Ipv6CidrBlockState.State == ec2types.VpcCidrBlockStateCodeAssociated {
			out.Ipv6CidrBlocks = append(out.Ipv6CidrBlocks, text(a.Ipv6CidrBlock))
		}
	}
	slices.Sort(out.CidrBlockAssociations)
	slices.Sort(out.Ipv6CidrBlocks)
	return out
}

func (r *reader) subnet(s *ec2types.Subnet) *estate.Subnet {
	out := &estate.Subnet{
		AWS:                 estate.AWS{Arn: cmp.Or(text(s.SubnetArn), r.arn("ec2", "subnet/"+text(s.SubnetId))), Tags: ec2Tags(s.Tags)},
		SubnetId:            text(s.SubnetId),
		VpcId:               text(s.VpcId),
		CidrBlock:           text(s.CidrBlock),
		AvailabilityZone:    text(s.AvailabilityZone),
		MapPublicIpOnLaunch: opt(s.MapPublicIpOnLaunch),
	}
	for _, a := range s.Ipv6CidrBlockAssociationSet {
		if a.Ipv6CidrBlockState == nil || a.Ipv6CidrBlockState.State == ec2types.SubnetCidrBlockStateCodeAssociated {
			out.Ipv6CidrBlock = text(a.Ipv6CidrBlock)
		}
	}
	return out
}

func (r *reader) routeTable(t *ec2types.RouteTable) *estate.RouteTable {
	out := &estate.RouteTable{
		AWS:          estate.AWS{Arn: r.arn("ec2", "route-table/"+text(t.RouteTableId)), Tags: ec2Tags(t.Tags)},
		RouteTableId: text(t.RouteTableId),
		VpcId:        text(t.VpcId),
	}
	for i := range t.Routes {
		out.Routes = append(out.Routes, routeOf(&t.Routes[i]))
	}
	slices.SortFunc(out.Routes, func(a, b estate.Route) int {
		return cmp.Or(cmp.Compare(a.DestinationCidrBlock, b.DestinationCidrBlock), cmp.Compare(a.DestinationIpv6CidrBlock, b.DestinationIpv6CidrBlock),
			cmp.Compare(a.DestinationPrefixListId, b.DestinationPrefixListId))
	})
	for _, a := range t.Associations {
		if awssdk.ToBool(a.Main) {
			out.Main = true
		}
		if a.SubnetId != nil {
			out.SubnetIds = append(out.SubnetIds, *a.SubnetId)
		}
	}
	slices.Sort(out.SubnetIds)
	return out
}

// routeOf returns a route. One that leads nowhere is a route all the same: it
// takes what a wider one would carry.
func routeOf(route *ec2types.Route) estate.Route {
	out := estate.Route{
		DestinationCidrBlock:        text(route.DestinationCidrBlock),
		DestinationIpv6CidrBlock:    text(route.DestinationIpv6CidrBlock),
		DestinationPrefixListId:     text(route.DestinationPrefixListId),
		GatewayId:                   text(route.GatewayId),
		NatGatewayId:                text(route.NatGatewayId),
		EgressOnlyInternetGatewayId: text(route.EgressOnlyInternetGatewayId),
		TransitGatewayId:            text(route.TransitGatewayId),
		VpcPeeringConnectionId:      text(route.VpcPeeringConnectionId),
		NetworkInterfaceId:          text(route.NetworkInterfaceId),
		InstanceId:                  text(route.InstanceId),
		CarrierGatewayId:            text(route.CarrierGatewayId),
		LocalGatewayId:              text(route.LocalGatewayId),
		CoreNetworkArn:              text(route.CoreNetworkArn),
		Blackhole:                   route.State == ec2types.RouteStateBlackhole,
	}
	if strings.HasPrefix(out.GatewayId, "vpce-") {
		out.GatewayId, out.VpcEndpointId = "", out.GatewayId
	}
	// EC2 names both of an instance; the interface says more.
	if out.NetworkInterfaceId != "" {
		out.InstanceId = ""
	}
	out.Internet = strings.HasPrefix(out.GatewayId, "igw-") && !out.Blackhole
	return out
}

func (r *reader) networkAcl(n *ec2types.NetworkAcl) *estate.NetworkAcl {
	out := &estate.NetworkAcl{
		AWS:     estate.AWS{Arn: r.arn("ec2", "network-acl/"+text(n.NetworkAclId)), Tags: ec2Tags(n.Tags)},
		Id:      text(n.NetworkAclId),
		VpcId:   text(n.VpcId),
		Default: awssdk.ToBool(n.IsDefault),
	}
	for _, e := range n.Entries {
		entry := estate.NetworkAclEntry{
			RuleNumber:    number(e.RuleNumber),
			Egress:        awssdk.ToBool(e.Egress),
			Protocol:      text(e.Protocol),
			RuleAction:    string(e.RuleAction),
			CidrBlock:     text(e.CidrBlock),
			Ipv6CidrBlock: text(e.Ipv6CidrBlock),
		}
		if e.PortRange != nil {
			entry.FromPort, entry.ToPort = number(e.PortRange.From), number(e.PortRange.To)
		}
		out.Entries = append(out.Entries, entry)
	}
	slices.SortFunc(out.Entries, func(a, b estate.NetworkAclEntry) int {
		return cmp.Or(compareBool(a.Egress, b.Egress), cmp.Compare(a.RuleNumber, b.RuleNumber))
	})
	for _, a := range n.Associations {
		if a.SubnetId != nil {
			out.SubnetIds = append(out.SubnetIds, *a.SubnetId)
		}
	}
	slices.Sort(out.SubnetIds)
	return out
}

// compareBool orders false before true.
func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	}
	return 1
}

func (r *reader) readSecurityGroups(ctx context.Context) {
	groups := r.listSecurityGroups(ctx)
	if groups.err != nil {
		r.fail(groups.err, estate.SecurityGroups.Kind)
	}
	put(r, estate.SecurityGroups, slices.Clone(groups.items))
}

// listSecurityGroups reads the security groups, which prefix lists need too.
func (r *reader) listSecurityGroups(ctx context.Context) listed[*estate.SecurityGroup] {
	return r.securityGroups.get(func() (out listed[*estate.SecurityGroup]) {
		out.err = pages(ctx, ec2.NewDescribeSecurityGroupsPaginator(r.sdk.ec2, &ec2.DescribeSecurityGroupsInput{MaxResults: &ec2Page}), func(p *ec2.DescribeSecurityGroupsOutput) {
			for i := range p.SecurityGroups {
				g := &p.SecurityGroups[i]
				out.items = append(out.items, &estate.SecurityGroup{
					AWS:                  estate.AWS{Arn: r.arn("ec2", "security-group/"+text(g.GroupId)), Tags: ec2Tags(g.Tags)},
					GroupId:              text(g.GroupId),
					GroupName:            text(g.GroupName),
					VpcId:                text(g.VpcId),
					SecurityGroupIngress: estate.Known(securityGroupRules(g.IpPermissions)),
					SecurityGroupEgress:  estate.Known(securityGroupRules(g.IpPermissionsEgress)),
				})
			}
		})
		return out
	})
}

// securityGroupRules makes one rule of every peer of every permission.
func securityGroupRules(permissions []ec2types.IpPermission) []estate.SecurityGroupRule {
	out := []estate.SecurityGroupRule{}
	for _, p := range permissions {
		base := estate.SecurityGroupRule{IpProtocol: text(p.IpProtocol), FromPort: -1, ToPort: -1}
		// Protocols without ports, and all protocols, come without them.
		if p.FromPort != nil && base.IpProtocol != "-1" {
			base.FromPort = int(*p.FromPort)
		}
		if p.ToPort != nil && base.IpProtocol != "-1" {
			base.ToPort = int(*p.ToPort)
		}
		for _, peer := range p.IpRanges {
			rule := base
			rule.CidrIp = text(peer.CidrIp)
			out = append(out, rule)
		}
		for _, peer := range p.Ipv6Ranges {
			rule := base
			rule.CidrIpv6 = text(peer.CidrIpv6)
			out = append(out, rule)
		}
		for _, peer := range p.UserIdGroupPairs {
			rule := base
			rule.SourceSecurityGroupId = cmp.Or(text(peer.GroupId), text(peer.GroupName))
			out = append(out, rule)
		}
		for _, peer := range p.PrefixListIds {
			rule := base
			rule.SourcePrefixListId = text(peer.PrefixListId)
			out = append(out, rule)
		}
	}
	slices.SortFunc(out, func(a, b estate.SecurityGroupRule) int {
		return cmp.Or(cmp.Compare(a.IpProtocol, b.IpProtocol), cmp.Compare(a.FromPort, b.FromPort), cmp.Compare(a.ToPort, b.ToPort),
			cmp.Compare(a.CidrIp, b.CidrIp), cmp.Compare(a.CidrIpv6, b.CidrIpv6),
			cmp.Compare(a.SourceSecurityGroupId, b.SourceSecurityGroupId), cmp.Compare(a.SourcePrefixListId, b.SourcePrefixListId))
	})
	return out
}

func (r *reader) readVolumes(ctx context.Context) {
	var volumes []*estate.Volume
	err := pages(ctx, ec2.NewDescribeVolumesPaginator(r.sdk.ec2, &ec2.DescribeVolumesInput{MaxResults: &ec2Page}), func(p *ec2.DescribeVolumesOutput) {
		for i := range p.Volumes {
			v := &p.Volumes[i]
			volumes = append(volumes, &estate.Volume{
				AWS:       estate.AWS{Arn: cmp.Or(text(v.VolumeArn), r.arn("ec2", "volume/"+text(v.VolumeId))), Tags: ec2Tags(v.Tags)},
				VolumeId:  text(v.VolumeId),
				Encrypted: opt(v.Encrypted),
				KmsKeyId:  opt(v.KmsKeyId),
			})
		}
	})
	if err != nil {
		r.fail(err, estate.Volumes.Kind)
	}
	put(r, estate.Volumes, volumes)

	byDefault, err := r.sdk.ec2.GetEbsEncryptionByDefault(ctx, &ec2.GetEbsEncryptionByDefaultInput{})
	if err != nil {
		r.fail(err, estate.EBSDefaults.Kind)
		return
	}
	out := &estate.EBSDefault{
		AWS:                    estate.AWS{Arn: r.arn("ec2", "ebs-encryption-by-default")},
		EbsEncryptionByDefault: opt(byDefault.EbsEncryptionByDefault),
	}
	key, err := r.sdk.ec2.GetEbsDefaultKmsKeyId(ctx, &ec2.GetEbsDefaultKmsKeyIdInput{})
	if err != nil {
		r.blind(err, "the default key of EBS")
	} else {
		out.KmsKeyId = opt(key.KmsKeyId)
	}
	put(r, estate.EBSDefaults, []*estate.EBSDefault{out})
}
