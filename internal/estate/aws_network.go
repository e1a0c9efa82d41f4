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

// Route is AWS::EC2::Route.
type Route struct {
	DestinationCidrBlock     string `json:"destinationCidrBlock,omitempty"`
	DestinationIpv6CidrBlock string `json:"destinationIpv6CidrBlock,omitempty"`
	GatewayId                string `json:"gatewayId,omitempty"` // "igw-…"; from a template, the gateway's Arn
	NatGatewayId             string `json:"natGatewayId,omitempty"`
	// Internet is true where GatewayId is an internet gateway.
	Internet bool `json:"internet,omitempty" cfn:"-"`
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
	IpProtocol            string `json:"ipProtocol"` // tcp, udp, icmp, icmpv6, a number, or -1 for all
	FromPort              int    `json:"fromPort"`   // -1 for all
	ToPort                int    `json:"toPort"`
	CidrIp                string `json:"cidrIp,omitempty"`
	CidrIpv6              string `json:"cidrIpv6,omitempty"`
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
