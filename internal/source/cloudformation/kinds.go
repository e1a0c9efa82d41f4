package cloudformation

import (
	"maps"
	"reflect"
	"slices"

	"github.com/eksafe/eksafe/internal/estate"
)

// readers are the resource types that become resources of the estate.
var readers = map[string]func(*resource){
	"AWS::EKS::Cluster":        readCluster,
	"AWS::EKS::Nodegroup":      readNodegroup,
	"AWS::EC2::LaunchTemplate": readLaunchTemplate,
	"AWS::EC2::Instance":       readInstance,

	"AWS::EKS::AccessEntry":            readAccessEntry,
	"AWS::EKS::Addon":                  readAddon,
	"AWS::EKS::PodIdentityAssociation": readPodIdentityAssociation,

	"AWS::ElasticLoadBalancingV2::LoadBalancer":        readLoadBalancer,
	"AWS::ElasticLoadBalancingV2::Listener":            readListener,
	"AWS::ElasticLoadBalancingV2::ListenerCertificate": foldListenerCertificate,
	"AWS::ElasticLoadBalancingV2::ListenerRule":        readListenerRule,
	"AWS::ElasticLoadBalancingV2::TargetGroup":         readTargetGroup,
	"AWS::ElasticLoadBalancing::LoadBalancer":          readClassicLoadBalancer,
	"AWS::CertificateManager::Certificate":             readCertificate,
	"AWS::WAFv2::WebACL":                               readWebACL,
	"AWS::WAFv2::WebACLAssociation":                    readWebACLAssociation,
	"AWS::WAFv2::LoggingConfiguration":                 readWebACLLogging,
	"AWS::WAFv2::RuleGroup":                            readRuleGroup,
	"AWS::WAFv2::IPSet":                                readIPSet,
	"AWS::CloudFront::Distribution":                    readDistribution,
	"AWS::Route53::HostedZone":                         readHostedZone,
	"AWS::Route53::RecordSet":                          foldRecordSet,
	"AWS::Route53::RecordSetGroup":                     foldRecordSetGroup,
	"AWS::Shield::Protection":                          readShieldProtection,

	"AWS::EC2::VPC":                         readVPC,
	"AWS::EC2::VPCCidrBlock":                foldVPCCidrBlock,
	"AWS::EC2::Subnet":                      readSubnet,
	"AWS::EC2::RouteTable":                  readRouteTable,
	"AWS::EC2::Route":                       foldRoute,
	"AWS::EC2::SubnetRouteTableAssociation": foldSubnetRouteTable,
	"AWS::EC2::SecurityGroup":               readSecurityGroup,
	"AWS::EC2::SecurityGroupIngress":        foldSecurityGroupIngress,
	"AWS::EC2::SecurityGroupEgress":         foldSecurityGroupEgress,
	"AWS::EC2::NetworkAcl":                  readNetworkAcl,
	"AWS::EC2::NetworkAclEntry":             foldNetworkAclEntry,
	"AWS::EC2::SubnetNetworkAclAssociation": foldSubnetNetworkAcl,
	"AWS::EC2::PrefixList":                  readPrefixList,
	"AWS::EC2::VPCEndpoint":                 readVPCEndpoint,
	"AWS::EC2::VPCPeeringConnection":        readPeering,
	"AWS::EC2::FlowLog":                     readFlowLog,

	"AWS::RDS::DBInstance":              readDBInstance,
	"AWS::RDS::DBCluster":               readDBCluster,
	"AWS::RDS::DBProxy":                 readDBProxy,
	"AWS::RDS::DBProxyTargetGroup":      foldDBProxyTargetGroup,
	"AWS::RDS::DBParameterGroup":        readDBParameterGroup,
	"AWS::RDS::DBClusterParameterGroup": readDBClusterParameterGroup,
	"AWS::RDS::OptionGroup":             readOptionGroup,
	"AWS::RDS::DBSubnetGroup":           readDBSubnetGroup,

	"AWS::EC2::Volume":                   readVolume,
	"AWS::KMS::Key":                      readKey,
	"AWS::KMS::Alias":                    foldAlias,
	"AWS::S3::Bucket":                    readBucket,
	"AWS::S3::BucketPolicy":              foldBucketPolicy,
	"AWS::EFS::FileSystem":               readEFS,
	"AWS::FSx::FileSystem":               readFSx,
	"AWS::ElastiCache::ReplicationGroup": readReplicationGroup,
	"AWS::ElastiCache::CacheCluster":     readCacheCluster,
	"AWS::ElastiCache::ServerlessCache":  readServerlessCache,
	"AWS::MemoryDB::Cluster":             readMemoryDB,
	"AWS::ElastiCache::SubnetGroup":      readElastiCacheSubnetGroup,
	"AWS::MemoryDB::SubnetGroup":         readMemoryDBSubnetGroup,
	"AWS::MSK::Cluster":                  readKafka,
	"AWS::OpenSearchService::Domain":     readOpenSearch,

	"AWS::IAM::User":                          readUser,
	"AWS::IAM::UserToGroupAddition":           foldUserToGroup,
	"AWS::IAM::AccessKey":                     foldAccessKey,
	"AWS::IAM::VirtualMFADevice":              foldVirtualMFADevice,
	"AWS::IAM::Group":                         readGroup,
	"AWS::IAM::Role":                          readRole,
	"AWS::IAM::ManagedPolicy":                 readManagedPolicy,
	"AWS::IAM::Policy":                        foldPolicy,
	"AWS::IAM::OIDCProvider":                  readOIDCProvider,
	"AWS::ECR::Repository":                    readRepository,
	"AWS::GuardDuty::Detector":                readDetector,
	"AWS::SecurityHub::Hub":                   readSecurityHub,
	"AWS::SecurityHub::HubV2":                 readSecurityHubV2,
	"AWS::SecurityHub::Standard":              foldStandard,
	"AWS::AccessAnalyzer::Analyzer":           readAnalyzer,
	"AWS::CloudWatch::Alarm":                  readAlarm,
	"AWS::CloudWatch::CompositeAlarm":         readCompositeAlarm,
	"AWS::SNS::Topic":                         readTopic,
	"AWS::SNS::Subscription":                  foldSubscription,
	"AWS::Events::Rule":                       readEventRule,
	"AWS::Logs::LogGroup":                     readLogGroup,
	"AWS::Logs::SubscriptionFilter":           foldSubscriptionFilter,
	"AWS::CloudTrail::Trail":                  readTrail,
	"AWS::Config::ConfigurationRecorder":      readConfigurationRecorder,
	"AWS::Config::DeliveryChannel":            foldDeliveryChannel,
	"AWS::ECR::RegistryScanningConfiguration": readRegistryScanning,
}

// folded are the types that need no reader: what others say of them is enough.
var folded = map[string]bool{
	"AWS::EC2::InternetGateway":      true,
	"AWS::EC2::VPCGatewayAttachment": true,
}

// kinds are the kinds that a template can describe. Policies of load
// balancers, account defaults and snapshots are no resources of CloudFormation.
var kinds = []estate.Kind{
	estate.Clusters.Kind, estate.Nodegroups.Kind, estate.LaunchTemplates.Kind, estate.Instances.Kind,
	estate.LoadBalancers.Kind, estate.ClassicLoadBalancers.Kind, estate.Listeners.Kind, estate.ListenerRules.Kind,
	estate.TargetGroups.Kind, estate.Certificates.Kind, estate.WebACLs.Kind, estate.WebACLAssociations.Kind,
	estate.WebACLLoggings.Kind, estate.Distributions.Kind,
	estate.VPCs.Kind, estate.Subnets.Kind, estate.RouteTables.Kind, estate.SecurityGroups.Kind, estate.NetworkAcls.Kind,
	estate.DBInstances.Kind, estate.DBClusters.Kind, estate.DBProxies.Kind, estate.DBParameterGroups.Kind,
	estate.DBClusterParameterGroups.Kind, estate.OptionGroups.Kind, estate.DBSubnetGroups.Kind,
	estate.Volumes.Kind, estate.Keys.Kind, estate.Buckets.Kind, estate.FileSystems.Kind,
	estate.Caches.Kind, estate.CacheSubnetGroups.Kind, estate.KafkaClusters.Kind, estate.OpenSearchDomains.Kind,
	estate.IPSets.Kind, estate.RuleGroups.Kind, estate.Repositories.Kind,
}

// accountKinds are what an account has beside its applications, mostly from
// elsewhere: a template that has none of a kind says nothing of the account.
var accountKinds = []estate.Kind{
	estate.AccessEntries.Kind, estate.Addons.Kind, estate.PodIdentityAssociations.Kind,
	estate.Users.Kind, estate.Groups.Kind, estate.IAMRoles.Kind, estate.ManagedPolicies.Kind, estate.OIDCProviders.Kind,
	estate.HostedZones.Kind, estate.ShieldProtections.Kind, estate.PrefixLists.Kind, estate.FlowLogs.Kind,
	estate.VPCEndpoints.Kind, estate.VPCPeeringConnections.Kind,
	estate.RegistryScannings.Kind, estate.GuardDutyDetectors.Kind, estate.SecurityHubs.Kind, estate.Analyzers.Kind, estate.ConfigRecorders.Kind,
	estate.Alarms.Kind, estate.CompositeAlarms.Kind, estate.Topics.Kind, estate.EventRules.Kind, estate.LogGroups.Kind, estate.Trails.Kind,
}

// aws returns what every AWS resource has. Fields such as VolumeId, which AWS
// gives out, hold the logical ID: they are what people read. References join by
// the Arn.
func (res *resource) aws(tags map[string]string) estate.AWS {
	return estate.AWS{
		Origin: estate.Origin{File: res.path, Line: res.line, Region: res.reader.options.Region},
		Arn:    res.id(),
		Tags:   tags,
	}
}

// put adds a resource to the estate. Separate resources find it by its
// identity and by its names.
func put[T any](res *resource, c estate.Collection[T], item T, paths map[string]string, names ...string) {
	c.Add(res.reader.estate, item)
	res.source.counts[c.Kind]++
	res.origin = c.Origin(item)
	res.shape = shapeOf(reflect.TypeFor[T](), paths)
	res.item = item
	for _, name := range names {
		if name != "" {
			res.names = append(res.names, name)
		}
	}
}

// target returns the resource of type T that a reference of res means: by its
// identity, or by a name that the same stack gives it.
func target[T any](res *resource, reference string) (item T, ok bool) {
	if to := res.reader.ids[reference]; to != nil {
		item, ok = to.item.(T)
		return item, ok
	}
	if reference == "" {
		return item, false
	}
	for _, to := range res.list {
		if slices.Contains(to.names, reference) {
			if item, ok := to.item.(T); ok {
				return item, true
			}
		}
	}
	return item, false
}

// fold calls f when every resource was read.
func (res *resource) fold(f func()) {
	res.reader.later = append(res.reader.later, f)
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
