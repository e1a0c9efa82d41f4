package estate

// VPC is AWS::EC2::VPC.
type VPC struct {
	AWS                   `json:"aws" cfn:"-"`
	VpcId                 string   `json:"vpcId"`
	CidrBlock             string   `json:"cidrBlock"`
	CidrBlockAssociations []string `json:"cidrBlockAssociations,omitempty"`
	Ipv6CidrBlocks        []string `json:"ipv6CidrBlocks,omitempty"`
}

// Subnet is AWS::EC2::Subnet.
type Subnet struct {
	AWS                 `json:"aws" cfn:"-"`
	SubnetId            string         `json:"subnetId"`
	VpcId               string         `json:"vpcId"`
	CidrBlock           string         `json:"cidrBlock"`
	Ipv6CidrBlock       string         `json:"ipv6CidrBlock,omitempty"`
	AvailabilityZone    string         `json:"availabilityZone,omitempty"`
	MapPublicIpOnLaunch Optional[bool] `json:"mapPublicIpOnLaunch,omitzero"`
}

// RouteTable is AWS::EC2::RouteTable with the AWS::EC2::Route and
// AWS::EC2::SubnetRouteTableAssociation resources that name it.
type RouteTable struct {
	AWS          `json:"aws" cfn:"-"`
	RouteTableId string   `json:"routeTableId"`
	VpcId        string   `json:"vpcId"`
	Routes       []Route  `json:"routes,omitempty" cfn:"-"`    // AWS::EC2::Route
	SubnetIds    []string `json:"subnetIds,omitempty" cfn:"-"` // AWS::EC2::SubnetRouteTableAssociation
	Main         bool     `json:"main,omitempty" cfn:"-"`      // ec2:DescribeRouteTables
}

// Route is AWS::EC2::Route. One destination and at most one target are set; the
// most specific destination wins. A template does not name the local routes that
// every table has to the blocks of its VPC.
type Route struct {
	DestinationCidrBlock        string `json:"destinationCidrBlock,omitempty"`
	DestinationIpv6CidrBlock    string `json:"destinationIpv6CidrBlock,omitempty"`
	DestinationPrefixListId     string `json:"destinationPrefixListId,omitempty"`
	GatewayId                   string `json:"gatewayId,omitempty"` // "igw-…", "vgw-…", "local"; from a template, the gateway's Arn
	NatGatewayId                string `json:"natGatewayId,omitempty"`
	EgressOnlyInternetGatewayId string `json:"egressOnlyInternetGatewayId,omitempty"`
	TransitGatewayId            string `json:"transitGatewayId,omitempty"`
	VpcPeeringConnectionId      string `json:"vpcPeeringConnectionId,omitempty"`
	VpcEndpointId               string `json:"vpcEndpointId,omitempty"` // of a gateway endpoint too, for which EC2 says GatewayId
	NetworkInterfaceId          string `json:"networkInterfaceId,omitempty"`
	InstanceId                  string `json:"instanceId,omitempty"`
	CarrierGatewayId            string `json:"carrierGatewayId,omitempty"`
	LocalGatewayId              string `json:"localGatewayId,omitempty"`
	CoreNetworkArn              string `json:"coreNetworkArn,omitempty"`
	// Internet is true where GatewayId is an internet gateway.
	Internet bool `json:"internet,omitempty" cfn:"-"`
	// Blackhole is true where the target is gone (ec2:DescribeRouteTables): what
	// it takes leads nowhere. Internet is false then.
	Blackhole bool `json:"blackhole,omitempty" cfn:"-"`
}

// SecurityGroup is AWS::EC2::SecurityGroup with the rules of
// AWS::EC2::SecurityGroupIngress and Egress that name it.
type SecurityGroup struct {
	AWS                  `json:"aws" cfn:"-"`
	GroupId              string                        `json:"groupId"`
	GroupName            string                        `json:"groupName"`
	VpcId                string                        `json:"vpcId,omitempty"`
	SecurityGroupIngress Optional[[]SecurityGroupRule] `json:"securityGroupIngress,omitzero"`
	SecurityGroupEgress  Optional[[]SecurityGroupRule] `json:"securityGroupEgress,omitzero"`
}

// SecurityGroupRule allows one peer; exactly one of the last five is set.
type SecurityGroupRule struct {
	IpProtocol            string `json:"ipProtocol"`                      // "tcp", "udp", "icmp", "icmpv6", a number, or "-1" for all
	FromPort              int    `json:"fromPort"`                        // the first of the range; -1 for all
	ToPort                int    `json:"toPort"`                          // the last of the range; -1 for all
	CidrIp                string `json:"cidrIp,omitempty"`                // addresses of the peer
	CidrIpv6              string `json:"cidrIpv6,omitempty"`              // addresses of the peer
	SourceSecurityGroupId string `json:"sourceSecurityGroupId,omitempty"` // of the peer, in both directions
	SourcePrefixListId    string `json:"sourcePrefixListId,omitempty"`    // of the peer, in both directions
	Unresolved            bool   `json:"unresolved,omitempty" cfn:"-"`    // a template's value that cannot be known before it is deployed
}

// NetworkAcl is AWS::EC2::NetworkAcl with its AWS::EC2::NetworkAclEntry and
// AWS::EC2::SubnetNetworkAclAssociation.
type NetworkAcl struct {
	AWS       `json:"aws" cfn:"-"`
	Id        string            `json:"id"`
	VpcId     string            `json:"vpcId"`
	Entries   []NetworkAclEntry `json:"entries,omitempty" cfn:"-"`
	SubnetIds []string          `json:"subnetIds,omitempty" cfn:"-"`
	Default   bool              `json:"default,omitempty" cfn:"-"` // ec2:DescribeNetworkAcls
}

// NetworkAclEntry is AWS::EC2::NetworkAclEntry.
type NetworkAclEntry struct {
	RuleNumber    int    `json:"ruleNumber"`
	Egress        bool   `json:"egress,omitempty"`
	Protocol      string `json:"protocol"`   // a number, or -1 for all
	RuleAction    string `json:"ruleAction"` // allow, deny
	CidrBlock     string `json:"cidrBlock,omitempty"`
	Ipv6CidrBlock string `json:"ipv6CidrBlock,omitempty"`
	FromPort      int    `json:"fromPort,omitempty" cfn:"PortRange.From"`
	ToPort        int    `json:"toPort,omitempty" cfn:"PortRange.To"`
}

// PrefixList is AWS::EC2::PrefixList, one of AWS's own such as
// com.amazonaws.global.cloudfront.origin-facing included.
type PrefixList struct {
	AWS            `json:"aws" cfn:"-"`
	PrefixListId   string `json:"prefixListId"`
	PrefixListName string `json:"prefixListName"`
	// Entries are the blocks of the list. Those of a list that no route and no
	// security group of the region names are not read.
	Entries Optional[[]PrefixListEntry] `json:"entries,omitzero"`
}

// PrefixListEntry is one block of a prefix list.
type PrefixListEntry struct {
	Cidr string `json:"cidr"` // IPv4 or IPv6
}

// VPCEndpoint is AWS::EC2::VPCEndpoint.
type VPCEndpoint struct {
	AWS               `json:"aws" cfn:"-"`
	Id                string           `json:"id"`
	VpcEndpointType   Optional[string] `json:"vpcEndpointType,omitzero"` // Gateway, Interface, GatewayLoadBalancer, Resource, ServiceNetwork
	ServiceName       string           `json:"serviceName,omitempty"`    // "com.amazonaws.eu-west-1.s3"
	VpcId             string           `json:"vpcId"`
	SubnetIds         []string         `json:"subnetIds,omitempty"` // of an interface endpoint
	SecurityGroupIds  []string         `json:"securityGroupIds,omitempty"`
	RouteTableIds     []string         `json:"routeTableIds,omitempty"` // of a gateway endpoint
	PrivateDnsEnabled Optional[bool]   `json:"privateDnsEnabled,omitzero"`
	PolicyDocument    Optional[string] `json:"policyDocument,omitzero"` // JSON; known and empty: the default, which allows all
	State             Optional[string] `json:"state,omitzero" cfn:"-"`  // ec2:DescribeVpcEndpoints: available, pending, failed …
	// NetworkInterfaceIds are those of an interface endpoint
	// (ec2:DescribeVpcEndpoints).
	NetworkInterfaceIds []string `json:"networkInterfaceIds,omitempty" cfn:"-"`
}

// VPCPeeringConnection is AWS::EC2::VPCPeeringConnection.
type VPCPeeringConnection struct {
	AWS         `json:"aws" cfn:"-"`
	Id          string           `json:"id"`
	VpcId       string           `json:"vpcId"` // of the requester
	PeerVpcId   string           `json:"peerVpcId"`
	PeerOwnerId string           `json:"peerOwnerId,omitempty"` // account of the accepter
	PeerRegion  string           `json:"peerRegion,omitempty"`
	Status      Optional[string] `json:"status,omitzero" cfn:"-"` // ec2:DescribeVpcPeeringConnections: active …
	// CidrBlocks and PeerCidrBlocks are the blocks of both sides, IPv6 included
	// (ec2:DescribeVpcPeeringConnections).
	CidrBlocks     []string `json:"cidrBlocks,omitempty" cfn:"-"`
	PeerCidrBlocks []string `json:"peerCidrBlocks,omitempty" cfn:"-"`
}

// NetworkInterface is AWS::EC2::NetworkInterface. Those of nodes, load
// balancers, databases and interface endpoints say which security groups an
// address has.
type NetworkInterface struct {
	AWS                `json:"aws" cfn:"-"`
	Id                 string   `json:"id"`
	SubnetId           string   `json:"subnetId"`
	VpcId              string   `json:"vpcId,omitempty"`
	InterfaceType      string   `json:"interfaceType,omitempty"` // interface, branch, trunk, network_load_balancer, vpc_endpoint …
	Description        string   `json:"description,omitempty"`   // "ELB app/…", "RDSNetworkInterface"; cut to 255 bytes
	PrivateIpAddresses []string `json:"privateIpAddresses,omitempty"`
	Ipv6Addresses      []string `json:"ipv6Addresses,omitempty"`
	// Ipv4Prefixes and Ipv6Prefixes are the blocks out of which the VPC CNI gives
	// addresses to pods.
	Ipv4Prefixes    []string       `json:"ipv4Prefixes,omitempty"`
	Ipv6Prefixes    []string       `json:"ipv6Prefixes,omitempty"`
	GroupSet        []string       `json:"groupSet,omitempty"`            // IDs of security groups
	InstanceId      string         `json:"instanceId,omitempty" cfn:"-"`  // ec2:DescribeNetworkInterfaces: of the attachment
	RequesterId     string         `json:"requesterId,omitempty" cfn:"-"` // likewise: the service or account that made it
	PublicIps       []string       `json:"publicIps,omitempty" cfn:"-"`   // likewise: associated with the addresses
	SourceDestCheck Optional[bool] `json:"sourceDestCheck,omitzero"`
}

// FlowLog is AWS::EC2::FlowLog.
type FlowLog struct {
	AWS                `json:"aws" cfn:"-"`
	Id                 string           `json:"id"`
	ResourceId         string           `json:"resourceId"` // a VPC, subnet or network interface
	TrafficType        Optional[string] `json:"trafficType,omitzero"`
	LogDestinationType string           `json:"logDestinationType,omitempty"`
	LogDestination     string           `json:"logDestination,omitempty"` // ARN of a bucket, log group or stream
	Active             Optional[bool]   `json:"active,omitzero" cfn:"-"`  // ec2:DescribeFlowLogs: it is active and delivers
}
