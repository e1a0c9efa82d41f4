package awsrig_test

import (
	"slices"
	"testing"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"github.com/eksafe/eksafe/internal/estate"
	"github.com/eksafe/eksafe/internal/source/aws"
	awsrig "github.com/eksafe/eksafe/test/rig/aws"
)

// readWays makes what leads out of a VPC beside the internet, and reads it.
func readWays(t *testing.T, d *awsrig.Double) {
	shop := d.SeedShop(t, awsrig.ShopOptions{Secure: true})
	client := ec2.NewFromConfig(d.Config(t.Context()))
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	other, err := client.CreateVpc(t.Context(), &ec2.CreateVpcInput{CidrBlock: awssdk.String("10.99.0.0/16")})
	must(err)
	peering, err := client.CreateVpcPeeringConnection(t.Context(), &ec2.CreateVpcPeeringConnectionInput{VpcId: &shop.VpcId, PeerVpcId: other.Vpc.VpcId})
	must(err)
	office, err := client.CreateManagedPrefixList(t.Context(), &ec2.CreateManagedPrefixListInput{
		PrefixListName: awssdk.String("office"), AddressFamily: awssdk.String("IPv4"), MaxEntries: awssdk.Int32(2),
		Entries: []ec2types.AddPrefixListEntry{{Cidr: awssdk.String("192.0.2.0/24")}},
	})
	must(err)
	table, err := client.CreateRouteTable(t.Context(), &ec2.CreateRouteTableInput{VpcId: &shop.VpcId})
	must(err)
	_, err = client.CreateRoute(t.Context(), &ec2.CreateRouteInput{
		RouteTableId: table.RouteTable.RouteTableId, DestinationCidrBlock: awssdk.String("10.99.0.0/16"), VpcPeeringConnectionId: peering.VpcPeeringConnection.VpcPeeringConnectionId,
	})
	must(err)
	group, err := client.CreateSecurityGroup(t.Context(), &ec2.CreateSecurityGroupInput{GroupName: awssdk.String("endpoint"), Description: awssdk.String("d"), VpcId: &shop.VpcId})
	must(err)
	_, err = client.AuthorizeSecurityGroupIngress(t.Context(), &ec2.AuthorizeSecurityGroupIngressInput{GroupId: group.GroupId, IpPermissions: []ec2types.IpPermission{{
		IpProtocol: awssdk.String("tcp"), FromPort: awssdk.Int32(443), ToPort: awssdk.Int32(443), PrefixListIds: []ec2types.PrefixListId{{PrefixListId: office.PrefixList.PrefixListId}},
	}}})
	must(err)
	endpoint, err := client.CreateVpcEndpoint(t.Context(), &ec2.CreateVpcEndpointInput{
		VpcId: &shop.VpcId, ServiceName: awssdk.String("com.amazonaws.eu-west-1.sts"), VpcEndpointType: ec2types.VpcEndpointTypeInterface,
		SubnetIds: shop.NodeSubnets[:1], SecurityGroupIds: []string{*group.GroupId}, PrivateDnsEnabled: awssdk.Bool(true),
	})
	must(err)

	e := read(t, aws.Options{})
	complete(t, e)
	p := one(t, estate.VPCPeeringConnections, e)
	if p.VpcId != shop.VpcId || p.PeerVpcId != *other.Vpc.VpcId || !slices.Equal(p.PeerCidrBlocks, []string{"10.99.0.0/16"}) {
		t.Errorf("peering %+v", p)
	}
	routes := pick(t, estate.RouteTables, e, func(x *estate.RouteTable) bool { return x.RouteTableId == *table.RouteTable.RouteTableId }).Routes
	if !slices.Contains(routes, estate.Route{DestinationCidrBlock: "10.99.0.0/16", VpcPeeringConnectionId: p.Id}) ||
		!slices.ContainsFunc(routes, func(r estate.Route) bool { return r.GatewayId == "local" }) {
		t.Errorf("routes %+v", routes)
	}
	list := pick(t, estate.PrefixLists, e, func(x *estate.PrefixList) bool { return x.PrefixListName == "office" })
	if entries, known := list.Entries.Get(); !known || !slices.Equal(entries, []estate.PrefixListEntry{{Cidr: "192.0.2.0/24"}}) {
		t.Errorf("the list has %v", entries)
	}
	v := one(t, estate.VPCEndpoints, e)
	if v.Id != *endpoint.VpcEndpoint.VpcEndpointId || v.VpcEndpointType.Or("?") != "Interface" || v.ServiceName != "com.amazonaws.eu-west-1.sts" || v.VpcId != shop.VpcId ||
		!slices.Equal(v.SubnetIds, shop.NodeSubnets[:1]) || !slices.Equal(v.SecurityGroupIds, []string{*group.GroupId}) || yes(v.PrivateDnsEnabled) != "yes" {
		t.Errorf("endpoint %+v", v)
	}
	for _, n := range estate.NetworkInterfaces.In(e) {
		if n.SubnetId == "" || len(n.PrivateIpAddresses) == 0 {
			t.Errorf("interface %+v", n)
		}
	}
	if len(estate.NetworkInterfaces.In(e)) == 0 {
		t.Error("no network interface is read")
	}
}
