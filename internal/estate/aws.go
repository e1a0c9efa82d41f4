package estate

import (
	"strings"
	"time"
)

// AWS is what every AWS resource has beside its properties.
type AWS struct {
	Origin Origin `json:"origin"`
	// Arn is the identity. A template's resources have none yet: there it is
	// "cfn:" + file + "#" + logical ID, which is also what Ref and GetAtt of
	// the resource resolve to, so that references join as in an account.
	Arn  string            `json:"arn"`
	Tags map[string]string `json:"tags,omitempty"`
}

func (a *AWS) aws() *AWS { return a }

// ShortName returns what people call the resource with an identity: the logical
// ID of a template's resource, the last part of an ARN, and any other name as
// it is.
func ShortName(id string) string {
	switch {
	case strings.HasPrefix(id, "cfn:"):
		return id[strings.LastIndexByte(id, '#')+1:]
	case strings.HasPrefix(id, "arn:"):
		return id[strings.LastIndexAny(id, ":/")+1:]
	}
	return id
}

// awsResource is a pointer to a struct that embeds AWS.
type awsResource interface{ aws() *AWS }

func awsKind[T awsResource](kind, refKind Kind, name func(T) string) Collection[T] {
	return Collection[T]{
		Kind: kind,
		ref: func(r T) Ref {
			return Ref{Kind: refKind, Name: ShortName(name(r)), ID: r.aws().Arn}
		},
		origin: func(r T) *Origin { return &r.aws().Origin },
	}
}

// The AWS kinds. Databases, load balancers and caches of several AWS types
// share one kind in a Ref ("Database", "LoadBalancer", "Cache"): readers of a
// path do not care which API made them.
var (
	Clusters        = awsKind("Cluster", "Cluster", func(r *Cluster) string { return r.Name })
	Nodegroups      = awsKind("Nodegroup", "Nodegroup", func(r *Nodegroup) string { return r.NodegroupName })
	LaunchTemplates = awsKind("LaunchTemplate", "LaunchTemplate", func(r *LaunchTemplate) string { return r.LaunchTemplateName })
	Instances       = awsKind("Instance", "Instance", func(r *Instance) string { return r.InstanceId })

	LoadBalancers        = awsKind("LoadBalancer", "LoadBalancer", func(r *LoadBalancer) string { return r.Name })
	ClassicLoadBalancers = awsKind("ClassicLoadBalancer", "LoadBalancer", func(r *ClassicLoadBalancer) string { return r.LoadBalancerName })
	Listeners            = awsKind("Listener", "Listener", func(r *Listener) string { return r.Name() })
	ListenerRules        = awsKind("ListenerRule", "ListenerRule", func(r *ListenerRule) string { return r.Arn })
	TargetGroups         = awsKind("TargetGroup", "TargetGroup", func(r *TargetGroup) string { return r.Name })
	SSLPolicies          = awsKind("SSLPolicy", "SSLPolicy", func(r *SSLPolicy) string { return r.Name })
	Certificates         = awsKind("Certificate", "Certificate", func(r *Certificate) string { return r.DomainName })
	WebACLs              = awsKind("WebACL", "WebACL", func(r *WebACL) string { return r.Name })
	WebACLAssociations   = awsKind("WebACLAssociation", "WebACLAssociation", func(r *WebACLAssociation) string { return r.ResourceArn })
	WebACLLoggings       = awsKind("WebACLLogging", "WebACLLogging", func(r *WebACLLogging) string { return r.ResourceArn })
	Distributions        = awsKind("Distribution", "Distribution", func(r *Distribution) string { return r.Id })

	VPCs           = awsKind("VPC", "VPC", func(r *VPC) string { return r.VpcId })
	Subnets        = awsKind("Subnet", "Subnet", func(r *Subnet) string { return r.SubnetId })
	RouteTables    = awsKind("RouteTable", "RouteTable", func(r *RouteTable) string { return r.RouteTableId })
	SecurityGroups = awsKind("SecurityGroup", "SecurityGroup", func(r *SecurityGroup) string { return r.GroupName })
	NetworkAcls    = awsKind("NetworkAcl", "NetworkAcl", func(r *NetworkAcl) string { return r.Id })

	DBInstances              = awsKind("DBInstance", "Database", func(r *DBInstance) string { return r.DBInstanceIdentifier })
	DBClusters               = awsKind("DBCluster", "Database", func(r *DBCluster) string { return r.DBClusterIdentifier })
	DBProxies                = awsKind("DBProxy", "DBProxy", func(r *DBProxy) string { return r.DBProxyName })
	DBParameterGroups        = awsKind("DBParameterGroup", "DBParameterGroup", func(r *DBParameterGroup) string { return r.DBParameterGroupName })
	DBClusterParameterGroups = awsKind("DBClusterParameterGroup", "DBClusterParameterGroup", func(r *DBClusterParameterGroup) string { return r.DBClusterParameterGroupName })
	OptionGroups             = awsKind("OptionGroup", "OptionGroup", func(r *OptionGroup) string { return r.OptionGroupName })
	DBSubnetGroups           = awsKind("DBSubnetGroup", "DBSubnetGroup", func(r *DBSubnetGroup) string { return r.DBSubnetGroupName })
	DBSnapshots              = awsKind("DBSnapshot", "DBSnapshot", func(r *DBSnapshot) string { return r.DBSnapshotIdentifier })

	Volumes     = awsKind("Volume", "Volume", func(r *Volume) string { return r.VolumeId })
	EBSDefaults = awsKind("EBSDefault", "EBSDefault", func(r *EBSDefault) string { return r.Origin.Region })
	Keys        = awsKind("Key", "Key", func(r *Key) string { return r.KeyId })
	Buckets     = awsKind("Bucket", "Bucket", func(r *Bucket) string { return r.BucketName })
	FileSystems = awsKind("FileSystem", "FileSystem", func(r *FileSystem) string { return r.FileSystemId })

	Caches            = awsKind("Cache", "Cache", func(r *Cache) string { return r.Id })
	KafkaClusters     = awsKind("KafkaCluster", "KafkaCluster", func(r *KafkaCluster) string { return r.ClusterName })
	OpenSearchDomains = awsKind("OpenSearchDomain", "OpenSearchDomain", func(r *OpenSearchDomain) string { return r.DomainName })
)

// Fields of the structs below are properties of the CloudFormation type that
// their comment names. A field tagged cfn:"-" is not: its comment says which
// API gives it; another tag is the path of a property that stands deeper. A
// list that is empty and a list that was not read differ, so lists whose
// emptiness is judged are Optionals.

// Cluster is AWS::EKS::Cluster.
type Cluster struct {
	AWS                    `json:"aws" cfn:"-"`
	Name                   string                       `json:"name"`
	Version                Optional[string]             `json:"version,omitzero"`
	ResourcesVpcConfig     ResourcesVpcConfig           `json:"resourcesVpcConfig"`
	EncryptionConfig       Optional[[]EncryptionConfig] `json:"encryptionConfig,omitzero"`
	Logging                Logging                      `json:"logging"`
	UpgradePolicy          UpgradePolicy                `json:"upgradePolicy"`
	ComputeConfig          ComputeConfig                `json:"computeConfig"`
	DeletionProtection     Optional[bool]               `json:"deletionProtection,omitzero"`
	Endpoint               string                       `json:"endpoint,omitempty"`
	ClusterSecurityGroupId string                       `json:"clusterSecurityGroupId,omitempty"`
}

// ResourcesVpcConfig is the network of a cluster.
type ResourcesVpcConfig struct {
	EndpointPublicAccess  Optional[bool]     `json:"endpointPublicAccess,omitzero"`
	EndpointPrivateAccess Optional[bool]     `json:"endpointPrivateAccess,omitzero"`
	PublicAccessCidrs     Optional[[]string] `json:"publicAccessCidrs,omitzero"`
	SubnetIds             []string           `json:"subnetIds,omitempty"`
	SecurityGroupIds      []string           `json:"securityGroupIds,omitempty"`
}

// EncryptionConfig says which resources which key encrypts.
type EncryptionConfig struct {
	Provider  EncryptionProvider `json:"provider"`
	Resources []string           `json:"resources,omitempty"`
}

// EncryptionProvider names a KMS key.
type EncryptionProvider struct {
	KeyArn string `json:"keyArn"`
}

// Logging is the control plane's logging.
type Logging struct {
	ClusterLogging ClusterLogging `json:"clusterLogging"`
}

// ClusterLogging lists the enabled types: api, audit, authenticator,
// controllerManager, scheduler.
type ClusterLogging struct {
	EnabledTypes Optional[[]string] `json:"enabledTypes,omitzero"`
}

// UpgradePolicy is STANDARD or EXTENDED support.
type UpgradePolicy struct {
	SupportType Optional[string] `json:"supportType,omitzero"`
}

// ComputeConfig turns EKS Auto Mode on.
type ComputeConfig struct {
	Enabled Optional[bool] `json:"enabled,omitzero"`
}

// Nodegroup is AWS::EKS::Nodegroup.
type Nodegroup struct {
	AWS            `json:"aws" cfn:"-"`
	ClusterName    string                            `json:"clusterName"`
	NodegroupName  string                            `json:"nodegroupName"`
	LaunchTemplate Optional[LaunchTemplateReference] `json:"launchTemplate,omitzero"` // known and empty: EKS makes its own
	AmiType        string                            `json:"amiType,omitempty"`
	NodeRole       string                            `json:"nodeRole,omitempty"`
	Subnets        []string                          `json:"subnets,omitempty"`
}

// LaunchTemplateReference names a version of a launch template.
type LaunchTemplateReference struct {
	Id      string `json:"id,omitempty"`
	Name    string `json:"name,omitempty"`
	Version string `json:"version,omitempty"`
}

// LaunchTemplate is AWS::EC2::LaunchTemplate, one of its versions.
type LaunchTemplate struct {
	AWS                `json:"aws" cfn:"-"`
	LaunchTemplateId   string             `json:"launchTemplateId"`
	LaunchTemplateName string             `json:"launchTemplateName"`
	VersionNumber      string             `json:"versionNumber,omitempty" cfn:"-"`  // ec2:DescribeLaunchTemplateVersions
	DefaultVersion     bool               `json:"defaultVersion,omitempty" cfn:"-"` // likewise
	LatestVersion      bool               `json:"latestVersion,omitempty" cfn:"-"`  // likewise
	LaunchTemplateData LaunchTemplateData `json:"launchTemplateData"`
}

// LaunchTemplateData is what instances get.
type LaunchTemplateData struct {
	BlockDeviceMappings Optional[[]BlockDeviceMapping] `json:"blockDeviceMappings,omitzero"`
	MetadataOptions     MetadataOptions                `json:"metadataOptions"`
	ImageId             string                         `json:"imageId,omitempty"`
	SecurityGroupIds    []string                       `json:"securityGroupIds,omitempty"`
}

// BlockDeviceMapping is one volume.
type BlockDeviceMapping struct {
	DeviceName string         `json:"deviceName"`
	Ebs        EbsBlockDevice `json:"ebs"`
}

// EbsBlockDevice is the volume of a mapping. Encrypted known and false means
// that the template does not ask for it: account defaults may.
type EbsBlockDevice struct {
	Encrypted  Optional[bool]   `json:"encrypted,omitzero"`
	KmsKeyId   Optional[string] `json:"kmsKeyId,omitzero"`
	VolumeType string           `json:"volumeType,omitempty"`
}

// MetadataOptions is the instance metadata service. Known and empty or zero
// means that the template leaves it to the account, the image and EC2.
type MetadataOptions struct {
	HttpEndpoint            Optional[string] `json:"httpEndpoint,omitzero"`
	HttpTokens              Optional[string] `json:"httpTokens,omitzero"`
	HttpPutResponseHopLimit Optional[int]    `json:"httpPutResponseHopLimit,omitzero"`
}

// Instance is AWS::EC2::Instance, a node.
type Instance struct {
	AWS              `json:"aws" cfn:"-"`
	InstanceId       string          `json:"instanceId"`
	MetadataOptions  MetadataOptions `json:"metadataOptions"`
	PrivateIpAddress string          `json:"privateIpAddress,omitempty" cfn:"-"` // ec2:DescribeInstances; in CloudFormation an input
	SubnetId         string          `json:"subnetId,omitempty"`
	SecurityGroupIds []string        `json:"securityGroupIds,omitempty"`
	VolumeIds        []string        `json:"volumeIds,omitempty" cfn:"-"` // ec2:DescribeInstances
}

// LoadBalancer is AWS::ElasticLoadBalancingV2::LoadBalancer.
type LoadBalancer struct {
	AWS                    `json:"aws" cfn:"-"`
	Name                   string                `json:"name"`
	Type                   Optional[string]      `json:"type,omitzero"`   // application, network, gateway
	Scheme                 Optional[string]      `json:"scheme,omitzero"` // internet-facing, internal
	DNSName                string                `json:"dnsName,omitempty"`
	Subnets                []string              `json:"subnets,omitempty"`
	SecurityGroups         []string              `json:"securityGroups,omitempty"`
	LoadBalancerAttributes Optional[[]Attribute] `json:"loadBalancerAttributes,omitzero"`
	VpcId                  string                `json:"vpcId,omitempty" cfn:"-"` // elasticloadbalancing:DescribeLoadBalancers
}

// Listener is AWS::ElasticLoadBalancingV2::Listener.
type Listener struct {
	AWS                `json:"aws" cfn:"-"`
	LoadBalancerArn    string                `json:"loadBalancerArn"`
	Protocol           Optional[string]      `json:"protocol,omitzero"` // HTTP HTTPS TCP TLS UDP TCP_UDP QUIC …
	Port               Optional[int]         `json:"port,omitzero"`
	SslPolicy          Optional[string]      `json:"sslPolicy,omitzero"`
	Certificates       Optional[[]string]    `json:"certificates,omitzero"` // certificate ARNs, the default one first
	DefaultActions     []Action              `json:"defaultActions,omitempty"`
	ListenerAttributes Optional[[]Attribute] `json:"listenerAttributes,omitzero"`
}

// Name returns "PROTOCOL:port".
func (l *Listener) Name() string {
	port := "?"
	if p, ok := l.Port.Get(); ok {
		port = itoa(p)
	}
	return l.Protocol.Or("?") + ":" + port
}

// ListenerRule is AWS::ElasticLoadBalancingV2::ListenerRule. The default rule
// is the listener's DefaultActions and no ListenerRule.
type ListenerRule struct {
	AWS         `json:"aws" cfn:"-"`
	ListenerArn string          `json:"listenerArn"`
	Priority    Optional[int]   `json:"priority,omitzero"`
	Conditions  []RuleCondition `json:"conditions,omitempty"`
	Actions     []Action        `json:"actions,omitempty"`
}

// RuleCondition limits a rule to requests.
type RuleCondition struct {
	Field  string   `json:"field"` // host-header, path-pattern, http-header, source-ip …
	Values []string `json:"values,omitempty"`
}

// Action is what a listener does with a request.
type Action struct {
	Type           string          `json:"type"` // forward, redirect, fixed-response, authenticate-oidc …
	TargetGroupArn string          `json:"targetGroupArn,omitempty"`
	ForwardConfig  *ForwardConfig  `json:"forwardConfig,omitempty"`
	RedirectConfig *RedirectConfig `json:"redirectConfig,omitempty"`
}

// ForwardConfig spreads requests over target groups.
type ForwardConfig struct {
	TargetGroups []TargetGroupTuple `json:"targetGroups,omitempty"`
}

// TargetGroupTuple is a target group and its share.
type TargetGroupTuple struct {
	TargetGroupArn string `json:"targetGroupArn"`
	Weight         int    `json:"weight,omitempty"`
}

// RedirectConfig is where a request is sent. Protocol "#{protocol}" keeps the
// protocol of the request.
type RedirectConfig struct {
	Protocol   string `json:"protocol,omitempty"`
	Port       string `json:"port,omitempty"`
	StatusCode string `json:"statusCode,omitempty"`
}

// TargetGroups returns the ARNs of all target groups that the action uses.
func (a Action) TargetGroups() []string {
	var out []string
	if a.TargetGroupArn != "" {
		out = append(out, a.TargetGroupArn)
	}
	if a.ForwardConfig != nil {
		for _, t := range a.ForwardConfig.TargetGroups {
			if t.TargetGroupArn != a.TargetGroupArn {
				out = append(out, t.TargetGroupArn)
			}
		}
	}
	return out
}

// TargetGroup is AWS::ElasticLoadBalancingV2::TargetGroup.
type TargetGroup struct {
	AWS                 `json:"aws" cfn:"-"`
	Name                string             `json:"name"`
	Protocol            Optional[string]   `json:"protocol,omitzero"`
	Port                Optional[int]      `json:"port,omitzero"`
	ProtocolVersion     Optional[string]   `json:"protocolVersion,omitzero"`
	TargetType          Optional[string]   `json:"targetType,omitzero"` // instance, ip, lambda, alb
	HealthCheckProtocol Optional[string]   `json:"healthCheckProtocol,omitzero"`
	VpcId               string             `json:"vpcId,omitempty"`
	Targets             Optional[[]Target] `json:"targets,omitzero"`
}

// Target is one target of a group.
type Target struct {
	Id   string `json:"id"` // an IP address, instance ID, or ARN
	Port int    `json:"port,omitempty"`
}

// SSLPolicy is a TLS policy of ELB (elasticloadbalancing:DescribeSSLPolicies).
type SSLPolicy struct {
	AWS          `json:"aws" cfn:"-"`
	Name         string   `json:"name" cfn:"-"`
	SslProtocols []string `json:"sslProtocols" cfn:"-"` // "TLSv1.2"
	Ciphers      []string `json:"ciphers" cfn:"-"`      // OpenSSL names
}

// ClassicLoadBalancer is AWS::ElasticLoadBalancing::LoadBalancer.
type ClassicLoadBalancer struct {
	AWS              `json:"aws" cfn:"-"`
	LoadBalancerName string            `json:"loadBalancerName"`
	Scheme           Optional[string]  `json:"scheme,omitzero"`
	DNSName          string            `json:"dnsName,omitempty"`
	Listeners        []ClassicListener `json:"listeners,omitempty"`
	Policies         []ClassicPolicy   `json:"policies,omitempty"`
	Instances        []string          `json:"instances,omitempty"`
	Subnets          []string          `json:"subnets,omitempty"`
	SecurityGroups   []string          `json:"securityGroups,omitempty"`
}

// ClassicListener is one listener of a classic load balancer.
type ClassicListener struct {
	Protocol         string   `json:"protocol"` // HTTP HTTPS TCP SSL
	LoadBalancerPort string   `json:"loadBalancerPort"`
	InstanceProtocol string   `json:"instanceProtocol,omitempty"`
	InstancePort     string   `json:"instancePort"`
	SSLCertificateId string   `json:"sslCertificateId,omitempty"`
	PolicyNames      []string `json:"policyNames,omitempty"`
}

// ClassicPolicy is a policy of a classic load balancer.
type ClassicPolicy struct {
	PolicyName string      `json:"policyName"`
	PolicyType string      `json:"policyType"` // SSLNegotiationPolicyType …
	Attributes []Attribute `json:"attributes,omitempty"`
}

// Certificate is AWS::CertificateManager::Certificate.
type Certificate struct {
	AWS                     `json:"aws" cfn:"-"`
	DomainName              string              `json:"domainName"`
	SubjectAlternativeNames []string            `json:"subjectAlternativeNames,omitempty"`
	KeyAlgorithm            Optional[string]    `json:"keyAlgorithm,omitzero"`
	Status                  Optional[string]    `json:"status,omitzero" cfn:"-"`             // acm:DescribeCertificate: ISSUED, EXPIRED …
	Type                    Optional[string]    `json:"type,omitzero" cfn:"-"`               // likewise: AMAZON_ISSUED, IMPORTED, PRIVATE
	NotAfter                Optional[time.Time] `json:"notAfter,omitzero" cfn:"-"`           // likewise
	RenewalEligibility      Optional[string]    `json:"renewalEligibility,omitzero" cfn:"-"` // likewise: ELIGIBLE, INELIGIBLE
	RenewalStatus           Optional[string]    `json:"renewalStatus,omitzero" cfn:"-"`      // likewise: PENDING_AUTO_RENEWAL, SUCCESS, FAILED …
	InUseBy                 []string            `json:"inUseBy,omitempty" cfn:"-"`           // likewise
}

// WebACL is AWS::WAFv2::WebACL.
type WebACL struct {
	AWS   `json:"aws" cfn:"-"`
	Name  string   `json:"name"`
	Scope string   `json:"scope"` // REGIONAL, CLOUDFRONT
	Id    string   `json:"id"`
	Rules []string `json:"rules,omitempty"` // names, in order of priority
}

// WebACLAssociation is AWS::WAFv2::WebACLAssociation.
type WebACLAssociation struct {
	AWS         `json:"aws" cfn:"-"`
	ResourceArn string `json:"resourceArn"`
	WebACLArn   string `json:"webACLArn"`
}

// WebACLLogging is AWS::WAFv2::LoggingConfiguration.
type WebACLLogging struct {
	AWS                   `json:"aws" cfn:"-"`
	ResourceArn           string   `json:"resourceArn"` // of the web ACL
	LogDestinationConfigs []string `json:"logDestinationConfigs,omitempty"`
}

// Distribution is AWS::CloudFront::Distribution; its properties are those of
// DistributionConfig.
type Distribution struct {
	AWS                `json:"aws" cfn:"-"`
	Id                 string             `json:"id"`
	DomainName         string             `json:"domainName,omitempty"`
	DistributionConfig DistributionConfig `json:"distributionConfig"`
}

// DistributionConfig is the configuration of a distribution.
type DistributionConfig struct {
	Enabled              Optional[bool]       `json:"enabled,omitzero"`
	Aliases              []string             `json:"aliases,omitempty"`
	Origins              []DistributionOrigin `json:"origins,omitempty"`
	DefaultCacheBehavior CacheBehavior        `json:"defaultCacheBehavior"`
	CacheBehaviors       []CacheBehavior      `json:"cacheBehaviors,omitempty"`
	ViewerCertificate    ViewerCertificate    `json:"viewerCertificate"`
	WebACLId             Optional[string]     `json:"webACLId,omitzero"` // known and empty: none
}

// DistributionOrigin is where a distribution fetches from.
type DistributionOrigin struct {
	Id                 string              `json:"id"`
	DomainName         string              `json:"domainName"`
	CustomOriginConfig *CustomOriginConfig `json:"customOriginConfig,omitempty"` // nil for an S3 or VPC origin
	VpcOriginConfig    *VpcOriginConfig    `json:"vpcOriginConfig,omitempty"`
}

// CustomOriginConfig says how an HTTP origin is spoken to.
type CustomOriginConfig struct {
	OriginProtocolPolicy Optional[string]   `json:"originProtocolPolicy,omitzero"` // http-only, match-viewer, https-only
	OriginSSLProtocols   Optional[[]string] `json:"originSSLProtocols,omitzero"`
	HTTPSPort            int                `json:"httpsPort,omitempty"`
}

// VpcOriginConfig names a VPC origin.
type VpcOriginConfig struct {
	VpcOriginId string `json:"vpcOriginId"`
}

// CacheBehavior says how viewers may ask.
type CacheBehavior struct {
	PathPattern          string           `json:"pathPattern,omitempty"`
	TargetOriginId       string           `json:"targetOriginId"`
	ViewerProtocolPolicy Optional[string] `json:"viewerProtocolPolicy,omitzero"` // allow-all, redirect-to-https, https-only
}

// ViewerCertificate is what viewers see.
type ViewerCertificate struct {
	AcmCertificateArn            string           `json:"acmCertificateArn,omitempty"`
	CloudFrontDefaultCertificate Optional[bool]   `json:"cloudFrontDefaultCertificate,omitzero"`
	MinimumProtocolVersion       Optional[string] `json:"minimumProtocolVersion,omitzero"`
}

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

// Endpoint is where a database or cache listens.
type Endpoint struct {
	Address string `json:"address,omitempty"`
	Port    int    `json:"port,omitempty"`
}

// DBInstance is AWS::RDS::DBInstance.
type DBInstance struct {
	AWS                     `json:"aws" cfn:"-"`
	DBInstanceIdentifier    string             `json:"dbInstanceIdentifier"`
	DBClusterIdentifier     string             `json:"dbClusterIdentifier,omitempty"`
	Engine                  Optional[string]   `json:"engine,omitzero"`        // mysql, mariadb, postgres, oracle-…, sqlserver-…, db2-…, aurora-…
	EngineVersion           Optional[string]   `json:"engineVersion,omitzero"` // "8.4", "16.3"
	StorageEncrypted        Optional[bool]     `json:"storageEncrypted,omitzero"`
	KmsKeyId                Optional[string]   `json:"kmsKeyId,omitzero"`
	PubliclyAccessible      Optional[bool]     `json:"publiclyAccessible,omitzero"`
	DBParameterGroupName    Optional[string]   `json:"dbParameterGroupName,omitzero"` // known and empty: the engine's default group
	OptionGroupName         Optional[string]   `json:"optionGroupName,omitzero"`
	CACertificateIdentifier Optional[string]   `json:"caCertificateIdentifier,omitzero"`
	CertificateDetails      CertificateDetails `json:"certificateDetails"`
	DBSubnetGroupName       string             `json:"dbSubnetGroupName,omitempty"`
	VPCSecurityGroups       []string           `json:"vpcSecurityGroups,omitempty"`
	Endpoint                Endpoint           `json:"endpoint"`
	DeletionProtection      Optional[bool]     `json:"deletionProtection,omitzero"`
	// ParameterApplyStatus is "in-sync", "pending-reboot" … of the parameter
	// group (rds:DescribeDBInstances).
	ParameterApplyStatus Optional[string] `json:"parameterApplyStatus,omitzero" cfn:"-"`
}

// CertificateDetails is the server certificate of a DBInstance.
type CertificateDetails struct {
	CAIdentifier string              `json:"caIdentifier,omitempty"`
	ValidTill    Optional[time.Time] `json:"validTill,omitzero"`
}

// DBCluster is AWS::RDS::DBCluster.
type DBCluster struct {
	AWS                         `json:"aws" cfn:"-"`
	DBClusterIdentifier         string           `json:"dbClusterIdentifier"`
	Engine                      Optional[string] `json:"engine,omitzero"`
	EngineVersion               Optional[string] `json:"engineVersion,omitzero"`
	StorageEncrypted            Optional[bool]   `json:"storageEncrypted,omitzero"`
	KmsKeyId                    Optional[string] `json:"kmsKeyId,omitzero"`
	PubliclyAccessible          Optional[bool]   `json:"publiclyAccessible,omitzero"`
	DBClusterParameterGroupName Optional[string] `json:"dbClusterParameterGroupName,omitzero"`
	DBSubnetGroupName           string           `json:"dbSubnetGroupName,omitempty"`
	VpcSecurityGroupIds         []string         `json:"vpcSecurityGroupIds,omitempty"`
	Endpoint                    Endpoint         `json:"endpoint"`
	ReadEndpoint                Endpoint         `json:"readEndpoint"`
	DeletionProtection          Optional[bool]   `json:"deletionProtection,omitzero"`
	// ParameterApplyStatus is the worst of the cluster's members
	// (rds:DescribeDBClusters).
	ParameterApplyStatus Optional[string] `json:"parameterApplyStatus,omitzero" cfn:"-"`
}

// DBProxy is AWS::RDS::DBProxy with the targets of its
// AWS::RDS::DBProxyTargetGroup.
type DBProxy struct {
	AWS                   `json:"aws" cfn:"-"`
	DBProxyName           string         `json:"dbProxyName"`
	EngineFamily          string         `json:"engineFamily,omitempty"`
	RequireTLS            Optional[bool] `json:"requireTLS,omitzero"`
	Endpoint              string         `json:"endpoint,omitempty"`
	VpcSecurityGroupIds   []string       `json:"vpcSecurityGroupIds,omitempty"`
	VpcSubnetIds          []string       `json:"vpcSubnetIds,omitempty"`
	DBInstanceIdentifiers []string       `json:"dbInstanceIdentifiers,omitempty" cfn:"-"` // DBProxyTargetGroup
	DBClusterIdentifiers  []string       `json:"dbClusterIdentifiers,omitempty" cfn:"-"`  // DBProxyTargetGroup
}

// DBParameterGroup is AWS::RDS::DBParameterGroup.
type DBParameterGroup struct {
	AWS                  `json:"aws" cfn:"-"`
	DBParameterGroupName string                      `json:"dbParameterGroupName"`
	Family               Optional[string]            `json:"family,omitzero"`     // mysql8.4, postgres16 …
	Parameters           Optional[map[string]string] `json:"parameters,omitzero"` // those that differ from the engine's defaults
}

// DBClusterParameterGroup is AWS::RDS::DBClusterParameterGroup.
type DBClusterParameterGroup struct {
	AWS                         `json:"aws" cfn:"-"`
	DBClusterParameterGroupName string                      `json:"dbClusterParameterGroupName"`
	Family                      Optional[string]            `json:"family,omitzero"`
	Parameters                  Optional[map[string]string] `json:"parameters,omitzero"`
}

// OptionGroup is AWS::RDS::OptionGroup.
type OptionGroup struct {
	AWS                  `json:"aws" cfn:"-"`
	OptionGroupName      string                          `json:"optionGroupName"`
	EngineName           string                          `json:"engineName,omitempty"`
	OptionConfigurations Optional[[]OptionConfiguration] `json:"optionConfigurations,omitzero"`
}

// OptionConfiguration is one option, such as Oracle's SSL.
type OptionConfiguration struct {
	OptionName     string          `json:"optionName"`
	Port           int             `json:"port,omitempty"`
	OptionSettings []OptionSetting `json:"optionSettings,omitempty"`
}

// OptionSetting is one setting of an option.
type OptionSetting struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// DBSubnetGroup is AWS::RDS::DBSubnetGroup.
type DBSubnetGroup struct {
	AWS               `json:"aws" cfn:"-"`
	DBSubnetGroupName string   `json:"dbSubnetGroupName"`
	SubnetIds         []string `json:"subnetIds,omitempty"`
}

// DBSnapshot is a manual or automated snapshot of an instance or cluster
// (rds:DescribeDBSnapshots, DescribeDBClusterSnapshots); CloudFormation has no
// such type.
type DBSnapshot struct {
	AWS                  `json:"aws" cfn:"-"`
	DBSnapshotIdentifier string             `json:"dbSnapshotIdentifier" cfn:"-"`
	SourceIdentifier     string             `json:"sourceIdentifier" cfn:"-"` // of the instance or cluster
	SnapshotType         string             `json:"snapshotType" cfn:"-"`     // manual, automated …
	Encrypted            Optional[bool]     `json:"encrypted,omitzero" cfn:"-"`
	RestoreAccounts      Optional[[]string] `json:"restoreAccounts,omitzero" cfn:"-"` // "all" is everybody
}

// Volume is AWS::EC2::Volume.
type Volume struct {
	AWS       `json:"aws" cfn:"-"`
	VolumeId  string           `json:"volumeId"`
	Encrypted Optional[bool]   `json:"encrypted,omitzero"`
	KmsKeyId  Optional[string] `json:"kmsKeyId,omitzero"`
}

// EBSDefault is a region's default for new volumes
// (ec2:GetEbsEncryptionByDefault); CloudFormation has no such type.
type EBSDefault struct {
	AWS                    `json:"aws" cfn:"-"`
	EbsEncryptionByDefault Optional[bool]   `json:"ebsEncryptionByDefault,omitzero" cfn:"-"`
	KmsKeyId               Optional[string] `json:"kmsKeyId,omitzero" cfn:"-"`
}

// Key is AWS::KMS::Key.
type Key struct {
	AWS               `json:"aws" cfn:"-"`
	KeyId             string           `json:"keyId"`
	KeySpec           Optional[string] `json:"keySpec,omitzero"` // SYMMETRIC_DEFAULT …
	EnableKeyRotation Optional[bool]   `json:"enableKeyRotation,omitzero"`
	Enabled           Optional[bool]   `json:"enabled,omitzero"`
	KeyManager        Optional[string] `json:"keyManager,omitzero" cfn:"-"`     // kms:DescribeKey: AWS or CUSTOMER
	KeyOrigin         Optional[string] `json:"keyOrigin,omitzero" cfn:"Origin"` // AWS_KMS, EXTERNAL …
	Aliases           []string         `json:"aliases,omitempty" cfn:"-"`       // kms:ListAliases, AWS::KMS::Alias
}

// Bucket is AWS::S3::Bucket with its AWS::S3::BucketPolicy.
type Bucket struct {
	AWS                            `json:"aws" cfn:"-"`
	BucketName                     string                      `json:"bucketName"`
	BucketEncryption               Optional[string]            `json:"bucketEncryption,omitzero"` // SSEAlgorithm: AES256, aws:kms, aws:kms:dsse; "" for none
	PublicAccessBlockConfiguration Optional[PublicAccessBlock] `json:"publicAccessBlockConfiguration,omitzero"`
	Policy                         Optional[string]            `json:"policy,omitzero" cfn:"-"` // AWS::S3::BucketPolicy's PolicyDocument as JSON; "" for none
}

// PublicAccessBlock is a bucket's shield against public policies and ACLs.
type PublicAccessBlock struct {
	BlockPublicAcls       bool `json:"blockPublicAcls"`
	BlockPublicPolicy     bool `json:"blockPublicPolicy"`
	IgnorePublicAcls      bool `json:"ignorePublicAcls"`
	RestrictPublicBuckets bool `json:"restrictPublicBuckets"`
}

// FileSystem is AWS::EFS::FileSystem or AWS::FSx::FileSystem.
type FileSystem struct {
	AWS            `json:"aws" cfn:"-"`
	FileSystemId   string           `json:"fileSystemId"`
	FileSystemType string           `json:"fileSystemType"`     // EFS, LUSTRE, ONTAP, OPENZFS, WINDOWS
	Encrypted      Optional[bool]   `json:"encrypted,omitzero"` // FSx always encrypts
	KmsKeyId       Optional[string] `json:"kmsKeyId,omitzero"`
}

// Cache is AWS::ElastiCache::ReplicationGroup, AWS::ElastiCache::CacheCluster,
// AWS::ElastiCache::ServerlessCache or AWS::MemoryDB::Cluster.
type Cache struct {
	AWS                      `json:"aws" cfn:"-"`
	Id                       string           `json:"id" cfn:"-"`                        // ReplicationGroupId, ClusterName, ServerlessCacheName
	Type                     string           `json:"type" cfn:"-"`                      // replicationgroup, cachecluster, serverless, memorydb
	Engine                   Optional[string] `json:"engine,omitzero"`                   // redis, valkey, memcached
	TransitEncryptionEnabled Optional[bool]   `json:"transitEncryptionEnabled,omitzero"` // MemoryDB: TLSEnabled
	TransitEncryptionMode    Optional[string] `json:"transitEncryptionMode,omitzero"`    // preferred, required
	AtRestEncryptionEnabled  Optional[bool]   `json:"atRestEncryptionEnabled,omitzero"`
	Endpoints                []Endpoint       `json:"endpoints,omitempty" cfn:"-"` // primary, reader and configuration
}

// KafkaCluster is AWS::MSK::Cluster.
type KafkaCluster struct {
	AWS          `json:"aws" cfn:"-"`
	ClusterName  string           `json:"clusterName"`
	ClientBroker Optional[string] `json:"clientBroker,omitzero" cfn:"EncryptionInfo.EncryptionInTransit.ClientBroker"` // TLS, TLS_PLAINTEXT, PLAINTEXT
	InCluster    Optional[bool]   `json:"inCluster,omitzero" cfn:"EncryptionInfo.EncryptionInTransit.InCluster"`
	Endpoints    []Endpoint       `json:"endpoints,omitempty" cfn:"-"` // kafka:GetBootstrapBrokers
}

// OpenSearchDomain is AWS::OpenSearchService::Domain.
type OpenSearchDomain struct {
	AWS                  `json:"aws" cfn:"-"`
	DomainName           string         `json:"domainName"`
	EnforceHTTPS         Optional[bool] `json:"enforceHTTPS,omitzero" cfn:"DomainEndpointOptions.EnforceHTTPS"`
	NodeToNodeEncryption Optional[bool] `json:"nodeToNodeEncryption,omitzero" cfn:"NodeToNodeEncryptionOptions.Enabled"`
	EncryptionAtRest     Optional[bool] `json:"encryptionAtRest,omitzero" cfn:"EncryptionAtRestOptions.Enabled"`
	Endpoint             Endpoint       `json:"endpoint" cfn:"-"`
}
