package aws

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/eksafe/eksafe/internal/estate"
)

// A Call is one operation of the AWS API that this package uses, the IAM
// action that allows it, and the kinds that are not fully known without it.
type Call struct {
	Service   string // the SDK's service ID
	Operation string
	Action    string // not always named as the operation
	Kinds     []estate.Kind
}

// Calls lists every call that reading may make.
func Calls() []Call { return slices.Clone(calls) }

var calls = slices.Concat(identityCalls, baseCalls, reviewCalls)

var baseCalls = []Call{
	{"STS", "GetCallerIdentity", "sts:GetCallerIdentity", nil},

	{"EKS", "ListClusters", "eks:ListClusters", kindsOf("Cluster", "Nodegroup", "Instance", "LaunchTemplate", "AccessEntry", "Addon", "PodIdentityAssociation")},
	{"EKS", "DescribeCluster", "eks:DescribeCluster", kindsOf("Cluster", "Nodegroup", "Instance", "LaunchTemplate", "AccessEntry", "Addon", "PodIdentityAssociation")},
	{"EKS", "ListNodegroups", "eks:ListNodegroups", kindsOf("Nodegroup", "LaunchTemplate")},
	{"EKS", "DescribeNodegroup", "eks:DescribeNodegroup", kindsOf("Nodegroup", "LaunchTemplate")},

	{"EC2", "DescribeInstances", "ec2:DescribeInstances", kindsOf("Instance", "LaunchTemplate")},
	{"EC2", "DescribeLaunchTemplateVersions", "ec2:DescribeLaunchTemplateVersions", kindsOf("LaunchTemplate")},
	{"EC2", "DescribeVpcs", "ec2:DescribeVpcs", kindsOf("VPC")},
	{"EC2", "DescribeSubnets", "ec2:DescribeSubnets", kindsOf("Subnet")},
	{"EC2", "DescribeRouteTables", "ec2:DescribeRouteTables", kindsOf("RouteTable")},
	{"EC2", "DescribeSecurityGroups", "ec2:DescribeSecurityGroups", kindsOf("SecurityGroup")},
	{"EC2", "DescribeNetworkAcls", "ec2:DescribeNetworkAcls", kindsOf("NetworkAcl")},
	{"EC2", "DescribeVolumes", "ec2:DescribeVolumes", kindsOf("Volume")},
	{"EC2", "GetEbsEncryptionByDefault", "ec2:GetEbsEncryptionByDefault", kindsOf("EBSDefault")},
	{"EC2", "GetEbsDefaultKmsKeyId", "ec2:GetEbsDefaultKmsKeyId", kindsOf("EBSDefault")},

	{"Elastic Load Balancing v2", "DescribeLoadBalancers", "elasticloadbalancing:DescribeLoadBalancers", kindsOf("LoadBalancer", "Listener", "ListenerRule")},
	{"Elastic Load Balancing v2", "DescribeLoadBalancerAttributes", "elasticloadbalancing:DescribeLoadBalancerAttributes", kindsOf("LoadBalancer")},
	{"Elastic Load Balancing v2", "DescribeListeners", "elasticloadbalancing:DescribeListeners", kindsOf("Listener", "ListenerRule")},
	{"Elastic Load Balancing v2", "DescribeListenerAttributes", "elasticloadbalancing:DescribeListenerAttributes", kindsOf("Listener")},
	{"Elastic Load Balancing v2", "DescribeListenerCertificates", "elasticloadbalancing:DescribeListenerCertificates", kindsOf("Listener")},
	{"Elastic Load Balancing v2", "DescribeRules", "elasticloadbalancing:DescribeRules", kindsOf("ListenerRule")},
	{"Elastic Load Balancing v2", "DescribeTargetGroups", "elasticloadbalancing:DescribeTargetGroups", kindsOf("TargetGroup")},
	{"Elastic Load Balancing v2", "DescribeTargetHealth", "elasticloadbalancing:DescribeTargetHealth", kindsOf("TargetGroup")},
	{"Elastic Load Balancing v2", "DescribeSSLPolicies", "elasticloadbalancing:DescribeSSLPolicies", kindsOf("SSLPolicy")},
	{"Elastic Load Balancing v2", "DescribeTags", "elasticloadbalancing:DescribeTags", kindsOf("LoadBalancer", "Listener", "ListenerRule", "TargetGroup")},

	{"Elastic Load Balancing", "DescribeLoadBalancers", "elasticloadbalancing:DescribeLoadBalancers", kindsOf("ClassicLoadBalancer")},
	{"Elastic Load Balancing", "DescribeLoadBalancerPolicies", "elasticloadbalancing:DescribeLoadBalancerPolicies", kindsOf("ClassicLoadBalancer")},
	{"Elastic Load Balancing", "DescribeTags", "elasticloadbalancing:DescribeTags", kindsOf("ClassicLoadBalancer")},

	{"ACM", "ListCertificates", "acm:ListCertificates", kindsOf("Certificate")},
	{"ACM", "DescribeCertificate", "acm:DescribeCertificate", kindsOf("Certificate")},

	{"WAFV2", "ListWebACLs", "wafv2:ListWebACLs", kindsOf("WebACL", "WebACLAssociation")},
	{"WAFV2", "GetWebACL", "wafv2:GetWebACL", kindsOf("WebACL")},
	{"WAFV2", "DescribeManagedRuleGroup", "wafv2:DescribeManagedRuleGroup", kindsOf("WebACL")},
	{"WAFV2", "ListResourcesForWebACL", "wafv2:ListResourcesForWebACL", kindsOf("WebACLAssociation")},
	{"WAFV2", "GetWebACLForResource", "wafv2:GetWebACLForResource", kindsOf("WebACLAssociation")},
	{"WAFV2", "ListLoggingConfigurations", "wafv2:ListLoggingConfigurations", kindsOf("WebACLLogging")},

	{"CloudFront", "ListDistributions", "cloudfront:ListDistributions", kindsOf("Distribution")},

	{"RDS", "DescribeDBInstances", "rds:DescribeDBInstances", kindsOf("DBInstance", "DBParameterGroup", "DBProxy")},
	{"RDS", "DescribeDBClusters", "rds:DescribeDBClusters", kindsOf("DBCluster", "DBClusterParameterGroup")},
	{"RDS", "DescribeDBProxies", "rds:DescribeDBProxies", kindsOf("DBProxy")},
	{"RDS", "DescribeDBProxyTargets", "rds:DescribeDBProxyTargets", kindsOf("DBProxy")},
	{"RDS", "DescribeDBParameterGroups", "rds:DescribeDBParameterGroups", kindsOf("DBParameterGroup")},
	{"RDS", "DescribeDBParameters", "rds:DescribeDBParameters", kindsOf("DBParameterGroup")},
	{"RDS", "DescribeDBClusterParameterGroups", "rds:DescribeDBClusterParameterGroups", kindsOf("DBClusterParameterGroup")},
	{"RDS", "DescribeDBClusterParameters", "rds:DescribeDBClusterParameters", kindsOf("DBClusterParameterGroup")},
	{"RDS", "DescribeOptionGroups", "rds:DescribeOptionGroups", kindsOf("OptionGroup")},
	{"RDS", "DescribeDBSubnetGroups", "rds:DescribeDBSubnetGroups", kindsOf("DBSubnetGroup")},
	{"RDS", "DescribeDBSnapshots", "rds:DescribeDBSnapshots", kindsOf("DBSnapshot")},
	{"RDS", "DescribeDBSnapshotAttributes", "rds:DescribeDBSnapshotAttributes", kindsOf("DBSnapshot")},
	{"RDS", "DescribeDBClusterSnapshots", "rds:DescribeDBClusterSnapshots", kindsOf("DBSnapshot")},
	{"RDS", "DescribeDBClusterSnapshotAttributes", "rds:DescribeDBClusterSnapshotAttributes", kindsOf("DBSnapshot")},

	{"KMS", "ListKeys", "kms:ListKeys", kindsOf("Key")},
	{"KMS", "DescribeKey", "kms:DescribeKey", kindsOf("Key")},
	{"KMS", "GetKeyRotationStatus", "kms:GetKeyRotationStatus", kindsOf("Key")},
	{"KMS", "ListAliases", "kms:ListAliases", kindsOf("Key")},

	{"S3", "ListBuckets", "s3:ListAllMyBuckets", kindsOf("Bucket")},
	{"S3", "GetBucketLocation", "s3:GetBucketLocation", kindsOf("Bucket")},
	{"S3", "GetBucketEncryption", "s3:GetEncryptionConfiguration", kindsOf("Bucket")},
	{"S3", "GetPublicAccessBlock", "s3:GetBucketPublicAccessBlock", kindsOf("Bucket")},
	{"S3", "GetBucketPolicy", "s3:GetBucketPolicy", kindsOf("Bucket")},

	{"EFS", "DescribeFileSystems", "elasticfilesystem:DescribeFileSystems", kindsOf("FileSystem")},
	{"FSx", "DescribeFileSystems", "fsx:DescribeFileSystems", kindsOf("FileSystem")},

	{"ElastiCache", "DescribeReplicationGroups", "elasticache:DescribeReplicationGroups", kindsOf("Cache")},
	{"ElastiCache", "DescribeCacheClusters", "elasticache:DescribeCacheClusters", kindsOf("Cache")},
	{"ElastiCache", "DescribeServerlessCaches", "elasticache:DescribeServerlessCaches", kindsOf("Cache")},
	{"MemoryDB", "DescribeClusters", "memorydb:DescribeClusters", kindsOf("Cache")},
	{"ElastiCache", "DescribeCacheSubnetGroups", "elasticache:DescribeCacheSubnetGroups", kindsOf("CacheSubnetGroup")},
	{"MemoryDB", "DescribeSubnetGroups", "memorydb:DescribeSubnetGroups", kindsOf("CacheSubnetGroup")},
	{"Kafka", "ListClustersV2", "kafka:ListClustersV2", kindsOf("KafkaCluster")},
	{"Kafka", "GetBootstrapBrokers", "kafka:GetBootstrapBrokers", kindsOf("KafkaCluster")},
	{"OpenSearch", "ListDomainNames", "es:ListDomainNames", kindsOf("OpenSearchDomain")},
	{"OpenSearch", "DescribeDomains", "es:DescribeDomains", kindsOf("OpenSearchDomain")},
}

func kindsOf(kinds ...estate.Kind) []estate.Kind { return kinds }

// PolicyDocument returns the IAM policy that allows exactly [Calls], as
// indented JSON. Most of these actions know no resource but "*"; the others
// are asked of resources that only the reading itself discovers.
func PolicyDocument() ([]byte, error) {
	type statement struct {
		Sid      string
		Effect   string
		Action   []string
		Resource string
	}
	byService := map[string][]string{}
	for _, c := range calls {
		service, _, _ := strings.Cut(c.Action, ":")
		byService[service] = append(byService[service], c.Action)
	}
	var statements []statement
	for _, service := range list(keys(byService)) {
		statements = append(statements, statement{
			Sid:      "EksafeRead" + strings.ToUpper(service[:1]) + strings.ReplaceAll(service[1:], "-", ""), // letters and digits only
			Effect:   "Allow",
			Action:   slices.Compact(list(byService[service])),
			Resource: "*",
		})
	}
	return json.MarshalIndent(struct {
		Version   string
		Statement []statement
	}{"2012-10-17", statements}, "", "  ")
}

func keys[K comparable, V any](m map[K]V) []K {
	out := make([]K, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	return out
}
