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

// interfacesPage is the most that EC2 answers at once. An account has a network
// interface for every few pods.
const interfacesPage = 1000

// maxDescription bounds the description of a network interface. EC2 takes no
// more; other programs that speak its API might.
const maxDescription = 255

func (r *reader) readVPCEndpoints(ctx context.Context) {
	var endpoints []*estate.VPCEndpoint
	err := pages(ctx, ec2.NewDescribeVpcEndpointsPaginator(r.sdk.ec2, &ec2.DescribeVpcEndpointsInput{MaxResults: &ec2Page}), func(p *ec2.DescribeVpcEndpointsOutput) {
		for i := range p.VpcEndpoints {
			endpoints = append(endpoints, r.vpcEndpoint(&p.VpcEndpoints[i]))
		}
	})
	if err != nil {
		r.fail(err, estate.VPCEndpoints.Kind)
	}
	put(r, estate.VPCEndpoints, endpoints)
}

func (r *reader) vpcEndpoint(v *ec2types.VpcEndpoint) *estate.VPCEndpoint {
	out := &estate.VPCEndpoint{
		AWS:               estate.AWS{Arn: r.arn("ec2", "vpc-endpoint/"+text(v.VpcEndpointId)), Tags: ec2Tags(v.Tags)},
		Id:                text(v.VpcEndpointId),
		VpcEndpointType:   enum(v.VpcEndpointType),
		ServiceName:       text(v.ServiceName),
		VpcId:             text(v.VpcId),
		PrivateDnsEnabled: opt(v.PrivateDnsEnabled),
		PolicyDocument:    opt(v.PolicyDocument),
		// The SDK writes the states in capitals, EC2 does not.
		State: enum(strings.ToLower(string(v.State))),
	}
	out.SubnetIds = sorted(v.SubnetIds)
	out.RouteTableIds = sorted(v.RouteTableIds)
	out.NetworkInterfaceIds = sorted(v.NetworkInterfaceIds)
	for _, g := range v.Groups {
		out.SecurityGroupIds = append(out.SecurityGroupIds, text(g.GroupId))
	}
	slices.Sort(out.SecurityGroupIds)
	return out
}

// sorted is list without the difference of nil and empty.
func sorted(in []string) []string {
	if len(in) == 0 {
		return nil
	}
	return list(in)
}

func (r *reader) readPeerings(ctx context.Context) {
	var peerings []*estate.VPCPeeringConnection
	err := pages(ctx, ec2.NewDescribeVpcPeeringConnectionsPaginator(r.sdk.ec2, &ec2.DescribeVpcPeeringConnectionsInput{MaxResults: &ec2Page}), func(p *ec2.DescribeVpcPeeringConnectionsOutput) {
		for i := range p.VpcPeeringConnections {
			peerings = append(peerings, r.peering(&p.VpcPeeringConnections[i]))
		}
	})
	if err != nil {
		r.fail(err, estate.VPCPeeringConnections.Kind)
	}
	put(r, estate.VPCPeeringConnections, peerings)
}

func (r *reader) peering(v *ec2types.VpcPeeringConnection) *estate.VPCPeeringConnection {
	out := &estate.VPCPeeringConnection{
		AWS: estate.AWS{Arn: r.arn("ec2", "vpc-peering-connection/"+text(v.VpcPeeringConnectionId)), Tags: ec2Tags(v.Tags)},
		Id:  text(v.VpcPeeringConnectionId),
	}
	if v.Status != nil {
		out.Status = enum(v.Status.Code)
	}
	if side := v.RequesterVpcInfo; side != nil {
		out.VpcId, out.CidrBlocks = text(side.VpcId), blocksOf(side)
	}
	if side := v.AccepterVpcInfo; side != nil {
		out.PeerVpcId, out.PeerCidrBlocks = text(side.VpcId), blocksOf(side)
		out.PeerOwnerId, out.PeerRegion = text(side.OwnerId), text(side.Region)
	}
	return out
}

// blocksOf returns the blocks of one side of a peering connection. The set is
// absent until the connection is accepted.
func blocksOf(side *ec2types.VpcPeeringConnectionVpcInfo) []string {
	var out []string
	for _, b := range side.CidrBlockSet {
		out = append(out, text(b.CidrBlock))
	}
	if len(out) == 0 && side.CidrBlock != nil {
		out = append(out, *side.CidrBlock)
	}
	for _, b := range side.Ipv6CidrBlockSet {
		out = append(out, text(b.Ipv6CidrBlock))
	}
	slices.Sort(out)
	return out
}

func (r *reader) readInterfaces(ctx context.Context) {
	var interfaces []*estate.NetworkInterface
	input := &ec2.DescribeNetworkInterfacesInput{MaxResults: awssdk.Int32(interfacesPage)}
	err := pages(ctx, ec2.NewDescribeNetworkInterfacesPaginator(r.sdk.ec2, input), func(p *ec2.DescribeNetworkInterfacesOutput) {
		for i := range p.NetworkInterfaces {
			interfaces = append(interfaces, r.networkInterface(&p.NetworkInterfaces[i]))
		}
	})
	if err != nil {
		r.fail(err, estate.NetworkInterfaces.Kind)
	}
	put(r, estate.NetworkInterfaces, interfaces)
}

func (r *reader) networkInterface(n *ec2types.NetworkInterface) *estate.NetworkInterface {
	out := &estate.NetworkInterface{
		AWS:             estate.AWS{Arn: r.arn("ec2", "network-interface/"+text(n.NetworkInterfaceId)), Tags: ec2Tags(n.TagSet)},
		Id:              text(n.NetworkInterfaceId),
		SubnetId:        text(n.SubnetId),
		VpcId:           text(n.VpcId),
		InterfaceType:   string(n.InterfaceType),
		Description:     text(n.Description),
		RequesterId:     text(n.RequesterId),
		SourceDestCheck: opt(n.SourceDestCheck),
	}
	if len(out.Description) > maxDescription {
		out.Description = strings.ToValidUTF8(out.Description[:maxDescription], "")
	}
	for _, a := range n.PrivateIpAddresses {
		out.PrivateIpAddresses = append(out.PrivateIpAddresses, text(a.PrivateIpAddress))
		if a.Association != nil && a.Association.PublicIp != nil {
			out.PublicIps = append(out.PublicIps, *a.Association.PublicIp)
		}
	}
	if len(n.PrivateIpAddresses) == 0 && n.PrivateIpAddress != nil {
		out.PrivateIpAddresses = []string{*n.PrivateIpAddress}
	}
	for _, a := range n.Ipv6Addresses {
		out.Ipv6Addresses = append(out.Ipv6Addresses, text(a.Ipv6Address))
	}
	for _, p := range n.Ipv4Prefixes {
		out.Ipv4Prefixes = append(out.Ipv4Prefixes, text(p.Ipv4Prefix))
	}
	for _, p := range n.Ipv6Prefixes {
		out.Ipv6Prefixes = append(out.Ipv6Prefixes, text(p.Ipv6Prefix))
	}
	for _, g := range n.Groups {
		out.GroupSet = append(out.GroupSet, text(g.GroupId))
	}
	if n.Attachment != nil {
		out.InstanceId = text(n.Attachment.InstanceId)
	}
	for _, s := range [][]string{out.PrivateIpAddresses, out.PublicIps, out.Ipv6Addresses, out.Ipv4Prefixes, out.Ipv6Prefixes, out.GroupSet} {
		slices.Sort(s)
	}
	return out
}

func (r *reader) readPrefixLists(ctx context.Context) {
	var lists []*estate.PrefixList
	err := pages(ctx, ec2.NewDescribeManagedPrefixListsPaginator(r.sdk.ec2, &ec2.DescribeManagedPrefixListsInput{MaxResults: &ec2Page}), func(p *ec2.DescribeManagedPrefixListsOutput) {
		for _, l := range p.PrefixLists {
			lists = append(lists, &estate.PrefixList{
				AWS:            estate.AWS{Arn: cmp.Or(text(l.PrefixListArn), r.arn("ec2", "prefix-list/"+text(l.PrefixListId))), Tags: ec2Tags(l.Tags)},
				PrefixListId:   text(l.PrefixListId),
				PrefixListName: text(l.PrefixListName),
			})
		}
	})
	if err != nil {
		r.fail(err, estate.PrefixLists.Kind)
	}
	// AWS keeps a dozen lists in every region. Few are of use to anybody.
	used := r.usedPrefixLists(ctx)
	each(ctx, lists, func(ctx context.Context, l *estate.PrefixList) {
		if used[l.PrefixListId] {
			r.readEntries(ctx, l)
		}
	})
	put(r, estate.PrefixLists, lists)
}

// usedPrefixLists returns the IDs of the lists that routes and rules of security
// groups name.
func (r *reader) usedPrefixLists(ctx context.Context) map[string]bool {
	out := map[string]bool{}
	for _, g := range r.listSecurityGroups(ctx).items {
		for _, rules := range []estate.Optional[[]estate.SecurityGroupRule]{g.SecurityGroupIngress, g.SecurityGroupEgress} {
			for _, rule := range rules.Or(nil) {
				out[rule.SourcePrefixListId] = true
			}
		}
	}
	for _, t := range r.listRouteTables(ctx).items {
		for _, route := range t.Routes {
			out[route.DestinationPrefixListId] = true
		}
	}
	delete(out, "")
	return out
}

func (r *reader) readEntries(ctx context.Context, l *estate.PrefixList) {
	entries := []estate.PrefixListEntry{}
	input := &ec2.GetManagedPrefixListEntriesInput{PrefixListId: &l.PrefixListId, MaxResults: &ec2Page}
	err := pages(ctx, ec2.NewGetManagedPrefixListEntriesPaginator(r.sdk.ec2, input), func(p *ec2.GetManagedPrefixListEntriesOutput) {
		for _, e := range p.Entries {
			entries = append(entries, estate.PrefixListEntry{Cidr: text(e.Cidr)})
		}
	})
	if err != nil {
		r.blind(err, "entries of prefix lists")
		return
	}
	slices.SortFunc(entries, func(a, b estate.PrefixListEntry) int { return cmp.Compare(a.Cidr, b.Cidr) })
	l.Entries = estate.Known(entries)
}
