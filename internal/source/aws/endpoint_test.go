package aws

import (
	"context"
	"encoding/json"
	"strings"
	"sync"
	"testing"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/google/go-cmp/cmp"

	"github.com/eksafe/eksafe/internal/estate"
)

// networkEC2 answers what tells of ways through a network, and counts.
type networkEC2 struct {
	ec2API
	entries error

	mu    sync.Mutex // guards calls
	calls map[string]int
}

func (f *networkEC2) count(name string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.calls == nil {
		f.calls = map[string]int{}
	}
	f.calls[name]++
}

func (f *networkEC2) DescribeSecurityGroups(context.Context, *ec2.DescribeSecurityGroupsInput, ...func(*ec2.Options)) (*ec2.DescribeSecurityGroupsOutput, error) {
	f.count("groups")
	return &ec2.DescribeSecurityGroupsOutput{SecurityGroups: []ec2types.SecurityGroup{{
		GroupId:             awssdk.String("sg-1"),
		IpPermissionsEgress: []ec2types.IpPermission{{IpProtocol: awssdk.String("-1"), PrefixListIds: []ec2types.PrefixListId{{PrefixListId: awssdk.String("pl-rule")}}}},
	}}}, nil
}

func (f *networkEC2) DescribeRouteTables(context.Context, *ec2.DescribeRouteTablesInput, ...func(*ec2.Options)) (*ec2.DescribeRouteTablesOutput, error) {
	f.count("tables")
	text := awssdk.String
	return &ec2.DescribeRouteTablesOutput{RouteTables: []ec2types.RouteTable{{RouteTableId: text("rtb-1"), Routes: []ec2types.Route{
		{DestinationCidrBlock: text("0.0.0.0/0"), GatewayId: text("igw-1"), State: ec2types.RouteStateActive},
		{DestinationCidrBlock: text("10.0.0.0/16"), GatewayId: text("local")},
		{DestinationCidrBlock: text("10.1.0.0/16"), VpcPeeringConnectionId: text("pcx-1")},
		{DestinationCidrBlock: text("10.2.0.0/16"), TransitGatewayId: text("tgw-1")},
		{DestinationCidrBlock: text("10.3.0.0/16"), NetworkInterfaceId: text("eni-1"), InstanceId: text("i-1")},
		{DestinationCidrBlock: text("10.4.0.0/16"), GatewayId: text("igw-gone"), State: ec2types.RouteStateBlackhole},
		{DestinationIpv6CidrBlock: text("::/0"), EgressOnlyInternetGatewayId: text("eigw-1")},
		{DestinationPrefixListId: text("pl-route"), GatewayId: text("vpce-1")},
	}}}}, nil
}

func (f *networkEC2) DescribeManagedPrefixLists(context.Context, *ec2.DescribeManagedPrefixListsInput, ...func(*ec2.Options)) (*ec2.DescribeManagedPrefixListsOutput, error) {
	f.count("lists")
	var out ec2.DescribeManagedPrefixListsOutput
	for _, id := range []string{"pl-idle", "pl-route", "pl-rule"} {
		out.PrefixLists = append(out.PrefixLists, ec2types.ManagedPrefixList{PrefixListId: awssdk.String(id), PrefixListName: awssdk.String(id)})
	}
	return &out, nil
}

func (f *networkEC2) GetManagedPrefixListEntries(_ context.Context, in *ec2.GetManagedPrefixListEntriesInput, _ ...func(*ec2.Options)) (*ec2.GetManagedPrefixListEntriesOutput, error) {
	f.count(*in.PrefixListId)
	if f.entries != nil {
		return nil, f.entries
	}
	if in.NextToken == nil {
		return &ec2.GetManagedPrefixListEntriesOutput{NextToken: awssdk.String("2"), Entries: []ec2types.PrefixListEntry{{Cidr: awssdk.String("198.51.100.0/24"), Description: awssdk.String("hunter2")}}}, nil
	}
	return &ec2.GetManagedPrefixListEntriesOutput{Entries: []ec2types.PrefixListEntry{{Cidr: awssdk.String("192.0.2.0/24")}}}, nil
}

func (f *networkEC2) DescribeVpcs(context.Context, *ec2.DescribeVpcsInput, ...func(*ec2.Options)) (*ec2.DescribeVpcsOutput, error) {
	return &ec2.DescribeVpcsOutput{}, nil
}

func (f *networkEC2) DescribeSubnets(context.Context, *ec2.DescribeSubnetsInput, ...func(*ec2.Options)) (*ec2.DescribeSubnetsOutput, error) {
	return &ec2.DescribeSubnetsOutput{}, nil
}

func (f *networkEC2) DescribeNetworkAcls(context.Context, *ec2.DescribeNetworkAclsInput, ...func(*ec2.Options)) (*ec2.DescribeNetworkAclsOutput, error) {
	return &ec2.DescribeNetworkAclsOutput{}, nil
}

func (f *networkEC2) DescribeVpcEndpoints(context.Context, *ec2.DescribeVpcEndpointsInput, ...func(*ec2.Options)) (*ec2.DescribeVpcEndpointsOutput, error) {
	text := awssdk.String
	return &ec2.DescribeVpcEndpointsOutput{VpcEndpoints: []ec2types.VpcEndpoint{{
		VpcEndpointId: text("vpce-1"), VpcEndpointType: ec2types.VpcEndpointTypeInterface, ServiceName: text("com.amazonaws.eu-west-1.sts"), VpcId: text("vpc-1"),
		SubnetIds: []string{"subnet-2", "subnet-1"}, NetworkInterfaceIds: []string{"eni-1"}, Groups: []ec2types.SecurityGroupIdentifier{{GroupId: text("sg-1")}},
		PrivateDnsEnabled: awssdk.Bool(true), PolicyDocument: text("{}"), State: ec2types.StateAvailable,
	}}}, nil
}

func (f *networkEC2) DescribeVpcPeeringConnections(context.Context, *ec2.DescribeVpcPeeringConnectionsInput, ...func(*ec2.Options)) (*ec2.DescribeVpcPeeringConnectionsOutput, error) {
	text := awssdk.String
	return &ec2.DescribeVpcPeeringConnectionsOutput{VpcPeeringConnections: []ec2types.VpcPeeringConnection{{
		VpcPeeringConnectionId: text("pcx-1"), Status: &ec2types.VpcPeeringConnectionStateReason{Code: ec2types.VpcPeeringConnectionStateReasonCodeActive, Message: text("hunter2")},
		RequesterVpcInfo: &ec2types.VpcPeeringConnectionVpcInfo{VpcId: text("vpc-1"), CidrBlock: text("10.0.0.0/16"), Ipv6CidrBlockSet: []ec2types.Ipv6CidrBlock{{Ipv6CidrBlock: text("2001:db8::/56")}}},
		AccepterVpcInfo: &ec2types.VpcPeeringConnectionVpcInfo{
			VpcId: text("vpc-2"), OwnerId: text("444455556666"), Region: text("eu-west-2"), CidrBlock: text("10.1.0.0/16"),
			CidrBlockSet: []ec2types.CidrBlock{{CidrBlock: text("10.1.0.0/16")}, {CidrBlock: text("100.64.0.0/16")}},
		},
	}}}, nil
}

func (f *networkEC2) DescribeNetworkInterfaces(_ context.Context, in *ec2.DescribeNetworkInterfacesInput, _ ...func(*ec2.Options)) (*ec2.DescribeNetworkInterfacesOutput, error) {
	text := awssdk.String
	if in.NextToken == nil {
		return &ec2.DescribeNetworkInterfacesOutput{NextToken: text("2"), NetworkInterfaces: []ec2types.NetworkInterface{{
			NetworkInterfaceId: text("eni-2"), PrivateIpAddress: text("10.0.0.9"), InterfaceType: ec2types.NetworkInterfaceTypeBranch, Description: text(strings.Repeat("é", 200)),
		}}}, nil
	}
	return &ec2.DescribeNetworkInterfacesOutput{NetworkInterfaces: []ec2types.NetworkInterface{{
		NetworkInterfaceId: text("eni-1"), SubnetId: text("subnet-1"), VpcId: text("vpc-1"), InterfaceType: ec2types.NetworkInterfaceTypeInterface,
		Description: text("ELB app/web/1"), RequesterId: text("amazon-elb"), SourceDestCheck: awssdk.Bool(true),
		PrivateIpAddresses: []ec2types.NetworkInterfacePrivateIpAddress{
			{PrivateIpAddress: text("10.0.0.2")}, {PrivateIpAddress: text("10.0.0.1"), Association: &ec2types.NetworkInterfaceAssociation{PublicIp: text("192.0.2.1")}},
		},
		Ipv6Addresses: []ec2types.NetworkInterfaceIpv6Address{{Ipv6Address: text("2001:db8::1")}},
		Ipv4Prefixes:  []ec2types.Ipv4PrefixSpecification{{Ipv4Prefix: text("10.0.1.0/28")}}, Ipv6Prefixes: []ec2types.Ipv6PrefixSpecification{{Ipv6Prefix: text("2001:db8:1::/80")}},
		Groups: []ec2types.GroupIdentifier{{GroupId: text("sg-2")}, {GroupId: text("sg-1")}}, Attachment: &ec2types.NetworkInterfaceAttachment{InstanceId: text("i-1")},
	}}}, nil
}

// asJSON returns the resources of a kind as a template's reader knows them.
func asJSON(t *testing.T, e *estate.Estate, kind estate.Kind) string {
	t.Helper()
	info, err := estate.KindOf(kind)
	if err != nil {
		t.Fatal(err)
	}
	data, err := info.Encode(e)
	if err != nil {
		t.Fatal(err)
	}
	var items []map[string]any
	if err := json.Unmarshal(data, &items); err != nil {
		t.Fatal(err)
	}
	for _, i := range items {
		i["arn"] = i["aws"].(map[string]any)["arn"]
		delete(i, "aws")
	}
	out, err := json.Marshal(items)
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

func TestWaysThroughTheNetwork(t *testing.T) {
	fake := &networkEC2{}
	r := readerOf(&clients{ec2: fake})
	for _, read := range []func(context.Context){r.readPrefixLists, r.readNetworks, r.readSecurityGroups, r.readVPCEndpoints, r.readPeerings, r.readInterfaces} {
		read(t.Context())
	}
	e := r.result()
	const arn = `"arn":"arn:aws:ec2:eu-west-1:111122223333:`
	for kind, want := range map[estate.Kind]string{
		"RouteTable": `[{` + arn + `route-table/rtb-1","routeTableId":"rtb-1","routes":[` +
			`{"destinationPrefixListId":"pl-route","vpcEndpointId":"vpce-1"},` +
			`{"destinationIpv6CidrBlock":"::/0","egressOnlyInternetGatewayId":"eigw-1"},` +
			`{"destinationCidrBlock":"0.0.0.0/0","gatewayId":"igw-1","internet":true},` +
			`{"destinationCidrBlock":"10.0.0.0/16","gatewayId":"local"},` +
			`{"destinationCidrBlock":"10.1.0.0/16","vpcPeeringConnectionId":"pcx-1"},` +
			`{"destinationCidrBlock":"10.2.0.0/16","transitGatewayId":"tgw-1"},` +
			`{"destinationCidrBlock":"10.3.0.0/16","networkInterfaceId":"eni-1"},` +
			`{"blackhole":true,"destinationCidrBlock":"10.4.0.0/16","gatewayId":"igw-gone"}],"vpcId":""}]`,
		"PrefixList": `[{` + arn + `prefix-list/pl-idle","prefixListId":"pl-idle","prefixListName":"pl-idle"},` +
			`{` + arn + `prefix-list/pl-route","entries":[{"cidr":"192.0.2.0/24"},{"cidr":"198.51.100.0/24"}],"prefixListId":"pl-route","prefixListName":"pl-route"},` +
			`{` + arn + `prefix-list/pl-rule","entries":[{"cidr":"192.0.2.0/24"},{"cidr":"198.51.100.0/24"}],"prefixListId":"pl-rule","prefixListName":"pl-rule"}]`,
		"VPCEndpoint": `[{` + arn + `vpc-endpoint/vpce-1","id":"vpce-1","networkInterfaceIds":["eni-1"],"policyDocument":"{}","privateDnsEnabled":true,"securityGroupIds":["sg-1"],` +
			`"serviceName":"com.amazonaws.eu-west-1.sts","state":"available","subnetIds":["subnet-1","subnet-2"],"vpcEndpointType":"Interface","vpcId":"vpc-1"}]`,
		"VPCPeeringConnection": `[{` + arn + `vpc-peering-connection/pcx-1","cidrBlocks":["10.0.0.0/16","2001:db8::/56"],"id":"pcx-1","peerCidrBlocks":["10.1.0.0/16","100.64.0.0/16"],` +
			`"peerOwnerId":"444455556666","peerRegion":"eu-west-2","peerVpcId":"vpc-2","status":"active","vpcId":"vpc-1"}]`,
		"NetworkInterface": `[{` + arn + `network-interface/eni-1","description":"ELB app/web/1","groupSet":["sg-1","sg-2"],"id":"eni-1","instanceId":"i-1","interfaceType":"interface",` +
			`"ipv4Prefixes":["10.0.1.0/28"],"ipv6Addresses":["2001:db8::1"],"ipv6Prefixes":["2001:db8:1::/80"],"privateIpAddresses":["10.0.0.1","10.0.0.2"],"publicIps":["192.0.2.1"],` +
			`"requesterId":"amazon-elb","sourceDestCheck":true,"subnetId":"subnet-1","vpcId":"vpc-1"},` +
			`{` + arn + `network-interface/eni-2","description":"` + strings.Repeat("é", 127) + `","id":"eni-2","interfaceType":"branch","privateIpAddresses":["10.0.0.9"],"subnetId":""}]`,
	} {
		if diff := cmp.Diff(want, asJSON(t, e, kind)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", kind, diff)
		}
		if c := e.Coverage(kind); c.State != estate.Read {
			t.Errorf("%+v", c)
		}
	}
	// Groups and tables are asked once, and lists that nobody uses not at all.
	if diff := cmp.Diff(map[string]int{"groups": 1, "tables": 1, "lists": 1, "pl-route": 2, "pl-rule": 2}, fake.calls); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
}

func TestEntriesThatAreDeniedStayUnknown(t *testing.T) {
	r := readerOf(&clients{ec2: &networkEC2{entries: refused("EC2", "GetManagedPrefixListEntries", "UnauthorizedOperation")}})
	r.readPrefixLists(t.Context())
	e := r.result()
	for _, l := range estate.PrefixLists.In(e) {
		if entries, known := l.Entries.Get(); known {
			t.Errorf("%s has %v", l.PrefixListId, entries)
		}
	}
	want := []estate.Problem{{What: "reading entries of prefix lists: not allowed to call ec2:GetManagedPrefixListEntries (2 times)"}}
	if diff := cmp.Diff(want, e.Sources[0].Problems); diff != "" {
		t.Errorf("problems (-want +got):\n%s", diff)
	}
}
