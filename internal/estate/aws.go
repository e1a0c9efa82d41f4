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
	case strings.HasPrefix(id, "cfn:"), strings.HasPrefix(id, "tf:"):
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

	AccessEntries           = awsKind("AccessEntry", "AccessEntry", func(r *AccessEntry) string { return r.PrincipalArn })
	Addons                  = awsKind("Addon", "Addon", func(r *Addon) string { return r.AddonName })
	PodIdentityAssociations = awsKind("PodIdentityAssociation", "PodIdentityAssociation", func(r *PodIdentityAssociation) string { return r.Namespace + "/" + r.ServiceAccount })

	LoadBalancers        = awsKind("LoadBalancer", "LoadBalancer", func(r *LoadBalancer) string { return r.Name })
	ClassicLoadBalancers = awsKind("ClassicLoadBalancer", "LoadBalancer", func(r *ClassicLoadBalancer) string { return r.LoadBalancerName })
	Listeners            = awsKind("Listener", "Listener", func(r *Listener) string { return r.Name() })
	ListenerRules        = awsKind("ListenerRule", "ListenerRule", func(r *ListenerRule) string { return r.Arn })
	TargetGroups         = awsKind("TargetGroup", "TargetGroup", func(r *TargetGroup) string { return r.Name })
	SSLPolicies          = awsKind("SSLPolicy", "SSLPolicy", func(r *SSLPolicy) string { return r.Name })
	Certificates         = awsKind("Certificate", "Certificate", func(r *Certificate) string { return r.DomainName })
	WebACLs              = awsKind("WebACL", "WebACL", func(r *WebACL) string { return r.Name })
	IPSets               = awsKind("IPSet", "IPSet", func(r *IPSet) string { return r.Name })
	RuleGroups           = awsKind("RuleGroup", "RuleGroup", func(r *RuleGroup) string { return r.Name })
	WebACLAssociations   = awsKind("WebACLAssociation", "WebACLAssociation", func(r *WebACLAssociation) string { return r.ResourceArn })
	WebACLLoggings       = awsKind("WebACLLogging", "WebACLLogging", func(r *WebACLLogging) string { return r.ResourceArn })
	Distributions        = awsKind("Distribution", "Distribution", func(r *Distribution) string { return r.Id })
	HostedZones          = awsKind("HostedZone", "HostedZone", func(r *HostedZone) string { return r.Name })
	ShieldSubscriptions  = awsKind("ShieldSubscription", "ShieldSubscription", func(r *ShieldSubscription) string { return r.Origin.Account })
	ShieldProtections    = awsKind("ShieldProtection", "ShieldProtection", func(r *ShieldProtection) string { return r.Name })

	VPCs           = awsKind("VPC", "VPC", func(r *VPC) string { return r.VpcId })
	Subnets        = awsKind("Subnet", "Subnet", func(r *Subnet) string { return r.SubnetId })
	RouteTables    = awsKind("RouteTable", "RouteTable", func(r *RouteTable) string { return r.RouteTableId })
	SecurityGroups = awsKind("SecurityGroup", "SecurityGroup", func(r *SecurityGroup) string { return r.GroupName })
	NetworkAcls    = awsKind("NetworkAcl", "NetworkAcl", func(r *NetworkAcl) string { return r.Id })
	PrefixLists    = awsKind("PrefixList", "PrefixList", func(r *PrefixList) string { return r.PrefixListName })
	VPCEndpoints   = awsKind("VPCEndpoint", "VPCEndpoint", func(r *VPCEndpoint) string { return r.Id })
	FlowLogs       = awsKind("FlowLog", "FlowLog", func(r *FlowLog) string { return r.Id })

	VPCPeeringConnections = awsKind("VPCPeeringConnection", "VPCPeeringConnection", func(r *VPCPeeringConnection) string { return r.Id })
	NetworkInterfaces     = awsKind("NetworkInterface", "NetworkInterface", func(r *NetworkInterface) string { return r.Id })

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
	CacheSubnetGroups = awsKind("CacheSubnetGroup", "CacheSubnetGroup", func(r *CacheSubnetGroup) string { return r.CacheSubnetGroupName })
	KafkaClusters     = awsKind("KafkaCluster", "KafkaCluster", func(r *KafkaCluster) string { return r.ClusterName })
	OpenSearchDomains = awsKind("OpenSearchDomain", "OpenSearchDomain", func(r *OpenSearchDomain) string { return r.DomainName })

	Accounts           = awsKind("Account", "Account", func(r *Account) string { return r.Origin.Account })
	Users              = awsKind("User", "User", func(r *User) string { return r.UserName })
	Groups             = awsKind("Group", "Group", func(r *Group) string { return r.GroupName })
	IAMRoles           = awsKind("IAMRole", "IAMRole", func(r *IAMRole) string { return r.RoleName })
	ManagedPolicies    = awsKind("ManagedPolicy", "ManagedPolicy", func(r *ManagedPolicy) string { return r.ManagedPolicyName })
	OIDCProviders      = awsKind("OIDCProvider", "OIDCProvider", func(r *OIDCProvider) string { return r.Url })
	LastAccessed       = awsKind("ServiceLastAccessed", "ServiceLastAccessed", func(r *ServiceLastAccessed) string { return r.PrincipalArn })
	Repositories       = awsKind("Repository", "Repository", func(r *Repository) string { return r.RepositoryName })
	RegistryScannings  = awsKind("RegistryScanning", "RegistryScanning", func(r *RegistryScanning) string { return r.Origin.Region })
	ImageScans         = awsKind("ImageScan", "ImageScan", func(r *ImageScan) string { return r.RepositoryName + "@" + r.ImageDigest })
	InspectorStatuses  = awsKind("InspectorStatus", "InspectorStatus", func(r *InspectorStatus) string { return r.Origin.Region })
	GuardDutyDetectors = awsKind("GuardDutyDetector", "GuardDutyDetector", func(r *GuardDutyDetector) string { return r.Id })
	SecurityHubs       = awsKind("SecurityHub", "SecurityHub", func(r *SecurityHub) string { return r.Origin.Region })
	TrustedAdvisors    = awsKind("TrustedAdvisor", "TrustedAdvisor", func(r *TrustedAdvisor) string { return r.Origin.Account })
	Analyzers          = awsKind("Analyzer", "Analyzer", func(r *Analyzer) string { return r.AnalyzerName })
	ConfigRecorders    = awsKind("ConfigurationRecorder", "ConfigurationRecorder", func(r *ConfigurationRecorder) string { return r.Name })
	Alarms             = awsKind("Alarm", "Alarm", func(r *Alarm) string { return r.AlarmName })
	CompositeAlarms    = awsKind("CompositeAlarm", "CompositeAlarm", func(r *CompositeAlarm) string { return r.AlarmName })
	Topics             = awsKind("Topic", "Topic", func(r *Topic) string { return r.TopicName })
	EventRules         = awsKind("EventRule", "EventRule", func(r *EventRule) string { return r.Name })
	LogGroups          = awsKind("LogGroup", "LogGroup", func(r *LogGroup) string { return r.LogGroupName })
	Trails             = awsKind("Trail", "Trail", func(r *Trail) string { return r.TrailName })

	SecurityHubFindings    = awsKind("SecurityHubFinding", "SecurityHubFinding", func(r *ReportedFinding) string { return r.Id })
	GuardDutyFindings      = awsKind("GuardDutyFinding", "GuardDutyFinding", func(r *ReportedFinding) string { return r.Id })
	InspectorFindings      = awsKind("InspectorFinding", "InspectorFinding", func(r *ReportedFinding) string { return r.Id })
	AccessAnalyzerFindings = awsKind("AccessAnalyzerFinding", "AccessAnalyzerFinding", func(r *ReportedFinding) string { return r.Id })
)

// ImportedFindings are what files of other tools report: SARIF, OCSF, ASFF.
var ImportedFindings = awsKind("ImportedFinding", "ImportedFinding", func(r *ReportedFinding) string { return r.Id })

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
	AccessConfig           AccessConfig                 `json:"accessConfig,omitzero"`
	RoleArn                string                       `json:"roleArn,omitempty"`
	OpenIdConnectIssuerUrl Optional[string]             `json:"openIdConnectIssuerUrl,omitzero"`
	Endpoint               string                       `json:"endpoint,omitempty"`
	ClusterSecurityGroupId string                       `json:"clusterSecurityGroupId,omitempty"`
}

// AccessConfig says how principals are let into the cluster: by access
// entries (API), by aws-auth (CONFIG_MAP), or by both (API_AND_CONFIG_MAP).
type AccessConfig struct {
	AuthenticationMode                      Optional[string] `json:"authenticationMode,omitzero"`
	BootstrapClusterCreatorAdminPermissions Optional[bool]   `json:"bootstrapClusterCreatorAdminPermissions,omitzero"`
}

// AccessEntry is AWS::EKS::AccessEntry. It lets one IAM principal into a
// cluster.
type AccessEntry struct {
	AWS              `json:"aws" cfn:"-"`
	ClusterName      string                   `json:"clusterName"`
	PrincipalArn     string                   `json:"principalArn"`
	Username         string                   `json:"username,omitempty"`
	KubernetesGroups []string                 `json:"kubernetesGroups,omitempty"`
	Type             string                   `json:"type,omitempty"` // STANDARD, EC2_LINUX, FARGATE_LINUX …
	AccessPolicies   Optional[[]AccessPolicy] `json:"accessPolicies,omitzero"`
}

// AccessPolicy is an EKS access policy that an entry has, and where.
type AccessPolicy struct {
	PolicyArn   string      `json:"policyArn"`
	AccessScope AccessScope `json:"accessScope"`
}

// AccessScope is the whole cluster or some namespaces.
type AccessScope struct {
	Type       string   `json:"type"` // cluster, namespace
	Namespaces []string `json:"namespaces,omitempty"`
}

// Addon is AWS::EKS::Addon. Of its ConfigurationValues, which may hold
// anything, the estate keeps what is judged.
type Addon struct {
	AWS                   `json:"aws" cfn:"-"`
	ClusterName           string           `json:"clusterName"`
	AddonName             string           `json:"addonName"` // vpc-cni, aws-ebs-csi-driver …
	AddonVersion          Optional[string] `json:"addonVersion,omitzero"`
	ServiceAccountRoleArn string           `json:"serviceAccountRoleArn,omitempty"`
	Status                Optional[string] `json:"status,omitzero" cfn:"-"` // eks:DescribeAddon: ACTIVE, DEGRADED …
	// EnableNetworkPolicy is "enableNetworkPolicy" of vpc-cni's configuration:
	// known and false where the configuration does not say it.
	EnableNetworkPolicy Optional[bool] `json:"enableNetworkPolicy,omitzero" cfn:"-"`
	// PodSecurityGroupEnforcingMode is the POD_SECURITY_GROUP_ENFORCING_MODE
	// of vpc-cni's configuration: strict, standard; known and empty for its
	// default.
	PodSecurityGroupEnforcingMode Optional[string] `json:"podSecurityGroupEnforcingMode,omitzero" cfn:"-"`
	// EnablePodENI, ExternalSNAT and NetworkPolicyEnforcingMode are likewise
	// ENABLE_POD_ENI, AWS_VPC_K8S_CNI_EXTERNALSNAT and
	// NETWORK_POLICY_ENFORCING_MODE (standard, strict) of vpc-cni's
	// configuration; known and false or empty for the default.
	EnablePodENI               Optional[bool]   `json:"enablePodENI,omitzero" cfn:"-"`
	ExternalSNAT               Optional[bool]   `json:"externalSNAT,omitzero" cfn:"-"`
	NetworkPolicyEnforcingMode Optional[string] `json:"networkPolicyEnforcingMode,omitzero" cfn:"-"`
}

// PodIdentityAssociation is AWS::EKS::PodIdentityAssociation. It gives the
// pods of a service account an IAM role.
type PodIdentityAssociation struct {
	AWS            `json:"aws" cfn:"-"`
	ClusterName    string `json:"clusterName"`
	Namespace      string `json:"namespace"`
	ServiceAccount string `json:"serviceAccount"`
	RoleArn        string `json:"roleArn"`
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
	IpAddressType          Optional[string]      `json:"ipAddressType,omitzero"`  // ipv4, dualstack, dualstack-without-public-ipv4
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

// RuleCondition limits a rule to requests. The values of a header may be
// secrets by which a load balancer knows its clients: of http-header Values is
// the header's name alone.
type RuleCondition struct {
	Field    string   `json:"field"` // host-header, path-pattern, http-header, source-ip …
	Values   []string `json:"values,omitempty"`
	AnyValue bool     `json:"anyValue,omitempty" cfn:"-"` // of http-header: one of the values is "*"
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
	IPV6Enabled          Optional[bool]       `json:"ipv6Enabled,omitzero"`
	Logging              Optional[bool]       `json:"logging,omitzero"` // whether standard logging is on; cloudfront:ListDistributions does not tell
}

// DistributionOrigin is where a distribution fetches from.
type DistributionOrigin struct {
	Id                 string              `json:"id"`
	DomainName         string              `json:"domainName"`
	CustomOriginConfig *CustomOriginConfig `json:"customOriginConfig,omitempty"` // nil for an S3 or VPC origin
	VpcOriginConfig    *VpcOriginConfig    `json:"vpcOriginConfig,omitempty"`
	// OriginCustomHeaders are the names of the headers that CloudFront adds.
	// The values are secrets by which an origin knows its distribution.
	OriginCustomHeaders Optional[[]string] `json:"originCustomHeaders,omitzero"`
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
	Policy                         Optional[string]            `json:"policy,omitzero" cfn:"-"`          // AWS::S3::BucketPolicy's PolicyDocument as JSON; "" for none
	VersioningConfiguration        Optional[string]            `json:"versioningConfiguration,omitzero"` // Status: Enabled, Suspended; "" for never
	ObjectLockEnabled              Optional[bool]              `json:"objectLockEnabled,omitzero"`
	LoggingConfiguration           Optional[string]            `json:"loggingConfiguration,omitzero"`  // DestinationBucketName; "" for none
	Expirations                    Optional[[]Expiration]      `json:"expirations,omitzero" cfn:"-"`   // enabled rules of the LifecycleConfiguration that delete current versions
	Notifications                  Optional[[]Notification]    `json:"notifications,omitzero" cfn:"-"` // NotificationConfiguration
}

// Expiration is a lifecycle rule that deletes objects of a bucket.
type Expiration struct {
	Prefix string `json:"prefix,omitempty"` // empty: every object
	Days   int    `json:"days"`             // after creation; 0: at a date or with a marker
}

// Notification is who is told of new objects of a bucket.
type Notification struct {
	Destination string   `json:"destination"` // ARN of a function, queue or topic; "eventbridge" for EventBridge
	Events      []string `json:"events,omitempty"`
	Prefix      string   `json:"prefix,omitempty"`
	Suffix      string   `json:"suffix,omitempty"`
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
	// SubnetGroupName names its CacheSubnetGroup: CacheSubnetGroupName, of
	// MemoryDB SubnetGroupName. A serverless cache has SubnetIds instead.
	SubnetGroupName  string   `json:"subnetGroupName,omitempty" cfn:"-"`
	SubnetIds        []string `json:"subnetIds,omitempty" cfn:"-"`
	SecurityGroupIds []string `json:"securityGroupIds,omitempty" cfn:"-"` // of a CacheCluster VpcSecurityGroupIds
}

// CacheSubnetGroup is AWS::ElastiCache::SubnetGroup or AWS::MemoryDB::SubnetGroup.
type CacheSubnetGroup struct {
	AWS                  `json:"aws" cfn:"-"`
	CacheSubnetGroupName string   `json:"cacheSubnetGroupName"` // MemoryDB: SubnetGroupName
	SubnetIds            []string `json:"subnetIds,omitempty"`
}

// KafkaCluster is AWS::MSK::Cluster.
type KafkaCluster struct {
	AWS          `json:"aws" cfn:"-"`
	ClusterName  string           `json:"clusterName"`
	ClientBroker Optional[string] `json:"clientBroker,omitzero" cfn:"EncryptionInfo.EncryptionInTransit.ClientBroker"` // TLS, TLS_PLAINTEXT, PLAINTEXT
	InCluster    Optional[bool]   `json:"inCluster,omitzero" cfn:"EncryptionInfo.EncryptionInTransit.InCluster"`
	Endpoints    []Endpoint       `json:"endpoints,omitempty" cfn:"-"` // kafka:GetBootstrapBrokers
	// ClientSubnets and SecurityGroups are those of the brokers; a serverless
	// cluster's are those of its first VPC configuration.
	ClientSubnets  []string `json:"clientSubnets,omitempty" cfn:"BrokerNodeGroupInfo.ClientSubnets"`
	SecurityGroups []string `json:"securityGroups,omitempty" cfn:"BrokerNodeGroupInfo.SecurityGroups"`
}

// OpenSearchDomain is AWS::OpenSearchService::Domain.
type OpenSearchDomain struct {
	AWS                  `json:"aws" cfn:"-"`
	DomainName           string         `json:"domainName"`
	EnforceHTTPS         Optional[bool] `json:"enforceHTTPS,omitzero" cfn:"DomainEndpointOptions.EnforceHTTPS"`
	NodeToNodeEncryption Optional[bool] `json:"nodeToNodeEncryption,omitzero" cfn:"NodeToNodeEncryptionOptions.Enabled"`
	EncryptionAtRest     Optional[bool] `json:"encryptionAtRest,omitzero" cfn:"EncryptionAtRestOptions.Enabled"`
	Endpoint             Endpoint       `json:"endpoint" cfn:"-"`
	// SubnetIds and SecurityGroupIds are those of a domain in a VPC; a public
	// domain has none.
	SubnetIds        []string `json:"subnetIds,omitempty" cfn:"VPCOptions.SubnetIds"`
	SecurityGroupIds []string `json:"securityGroupIds,omitempty" cfn:"VPCOptions.SecurityGroupIds"`
}
