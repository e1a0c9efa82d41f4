package awsrig

import (
	"context"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudfront"
	cftypes "github.com/aws/aws-sdk-go-v2/service/cloudfront/types"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/efs"
	"github.com/aws/aws-sdk-go-v2/service/elasticache"
	classic "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancing"
	classictypes "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancing/types"
	"github.com/aws/aws-sdk-go-v2/service/fsx"
	fsxtypes "github.com/aws/aws-sdk-go-v2/service/fsx/types"
	"github.com/aws/aws-sdk-go-v2/service/kafka"
	kafkatypes "github.com/aws/aws-sdk-go-v2/service/kafka/types"
	"github.com/aws/aws-sdk-go-v2/service/memorydb"
	"github.com/aws/aws-sdk-go-v2/service/opensearch"
	opensearchtypes "github.com/aws/aws-sdk-go-v2/service/opensearch/types"
	"github.com/aws/aws-sdk-go-v2/service/rds"
	rdstypes "github.com/aws/aws-sdk-go-v2/service/rds/types"
	"github.com/aws/aws-sdk-go-v2/service/wafv2"
	waftypes "github.com/aws/aws-sdk-go-v2/service/wafv2/types"
)

// SeedOther builds one of each AWS kind that the shop does not have.
func (d *Double) SeedOther(t testing.TB) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), seedTimeout)
	defer cancel()
	cfg := d.Config(ctx)
	b := &builder{TB: t, d: d, o: ShopOptions{Region: Region}, ctx: ctx, cfg: cfg, s: &Shop{}, ec2: ec2.NewFromConfig(cfg)}
	b.network()
	b.files()
	b.caches()
	b.streams()
	b.aurora()
	b.distribution()
	_, err := classic.NewFromConfig(cfg).CreateLoadBalancer(ctx, &classic.CreateLoadBalancerInput{
		LoadBalancerName: aws.String("old"), Subnets: b.s.PublicSubnets, Scheme: aws.String("internet-facing"),
		Listeners: []classictypes.Listener{{Protocol: aws.String("HTTP"), LoadBalancerPort: 80, InstanceProtocol: aws.String("HTTP"), InstancePort: aws.Int32(8080)}},
	})
	b.must(err, "creating the classic load balancer")
}

func (b *builder) files() {
	_, err := efs.NewFromConfig(b.cfg).CreateFileSystem(b.ctx, &efs.CreateFileSystemInput{CreationToken: aws.String("shared"), Encrypted: aws.Bool(true)})
	b.must(err, "creating the EFS file system")
	_, err = fsx.NewFromConfig(b.cfg).CreateFileSystem(b.ctx, &fsx.CreateFileSystemInput{
		FileSystemType: fsxtypes.FileSystemTypeLustre, SubnetIds: b.s.NodeSubnets[:1], StorageCapacity: aws.Int32(1200),
	})
	b.must(err, "creating the FSx file system")
}

func (b *builder) caches() {
	client := elasticache.NewFromConfig(b.cfg)
	_, err := client.CreateReplicationGroup(b.ctx, &elasticache.CreateReplicationGroupInput{
		ReplicationGroupId: aws.String("carts"), ReplicationGroupDescription: aws.String("carts"), Engine: aws.String("redis"), CacheNodeType: aws.String("cache.t4g.small"),
		NumNodeGroups: aws.Int32(1), ReplicasPerNodeGroup: aws.Int32(1), TransitEncryptionEnabled: aws.Bool(true), AtRestEncryptionEnabled: aws.Bool(true),
	})
	b.must(err, "creating the replication group")
	_, err = client.CreateCacheCluster(b.ctx, &elasticache.CreateCacheClusterInput{
		CacheClusterId: aws.String("sessions"), Engine: aws.String("memcached"), CacheNodeType: aws.String("cache.t4g.small"), NumCacheNodes: aws.Int32(1),
		TransitEncryptionEnabled: aws.Bool(false),
	})
	b.must(err, "creating the cache cluster")
	_, err = memorydb.NewFromConfig(b.cfg).CreateCluster(b.ctx, &memorydb.CreateClusterInput{
		ClusterName: aws.String("ledger"), NodeType: aws.String("db.t4g.small"), ACLName: aws.String("open-access"), TLSEnabled: aws.Bool(true),
	})
	b.must(err, "creating the MemoryDB cluster")
}

func (b *builder) streams() {
	_, err := kafka.NewFromConfig(b.cfg).CreateClusterV2(b.ctx, &kafka.CreateClusterV2Input{
		ClusterName: aws.String("events"),
		Provisioned: &kafkatypes.ProvisionedRequest{
			BrokerNodeGroupInfo: &kafkatypes.BrokerNodeGroupInfo{ClientSubnets: b.s.NodeSubnets, InstanceType: aws.String("kafka.m7g.large")},
			KafkaVersion:        aws.String("3.9.x"), NumberOfBrokerNodes: aws.Int32(2),
			EncryptionInfo: &kafkatypes.EncryptionInfo{EncryptionInTransit: &kafkatypes.EncryptionInTransit{ClientBroker: kafkatypes.ClientBrokerTls, InCluster: aws.Bool(true)}},
		},
	})
	b.must(err, "creating the Kafka cluster")
	_, err = opensearch.NewFromConfig(b.cfg).CreateDomain(b.ctx, &opensearch.CreateDomainInput{
		DomainName: aws.String("search"), DomainEndpointOptions: &opensearchtypes.DomainEndpointOptions{EnforceHTTPS: aws.Bool(true)},
		NodeToNodeEncryptionOptions: &opensearchtypes.NodeToNodeEncryptionOptions{Enabled: aws.Bool(true)},
		EncryptionAtRestOptions:     &opensearchtypes.EncryptionAtRestOptions{Enabled: aws.Bool(true)},
	})
	b.must(err, "creating the OpenSearch domain")
}

func (b *builder) aurora() {
	client := rds.NewFromConfig(b.cfg)
	_, err := client.CreateDBClusterParameterGroup(b.ctx, &rds.CreateDBClusterParameterGroupInput{
		DBClusterParameterGroupName: aws.String("ledger"), DBParameterGroupFamily: aws.String("aurora-postgresql16"), Description: aws.String("ledger"),
	})
	b.must(err, "creating the cluster parameter group")
	_, err = client.ModifyDBClusterParameterGroup(b.ctx, &rds.ModifyDBClusterParameterGroupInput{
		DBClusterParameterGroupName: aws.String("ledger"),
		Parameters:                  []rdstypes.Parameter{{ParameterName: aws.String("rds.force_ssl"), ParameterValue: aws.String("1"), ApplyMethod: rdstypes.ApplyMethodImmediate}},
	})
	b.must(err, "setting cluster parameters")
	_, err = client.CreateDBCluster(b.ctx, &rds.CreateDBClusterInput{
		DBClusterIdentifier: aws.String("ledger"), Engine: aws.String("aurora-postgresql"), EngineVersion: aws.String("16.6"), MasterUsername: aws.String("admin"),
		MasterUserPassword: aws.String("canary-cluster-password"), StorageEncrypted: aws.Bool(true), DBClusterParameterGroupName: aws.String("ledger"),
	})
	b.must(err, "creating the Aurora cluster")
	_, err = client.CreateDBClusterSnapshot(b.ctx, &rds.CreateDBClusterSnapshotInput{DBClusterIdentifier: aws.String("ledger"), DBClusterSnapshotIdentifier: aws.String("ledger-before-upgrade")})
	b.must(err, "creating the cluster's snapshot")
	_, err = client.CreateDBProxy(b.ctx, &rds.CreateDBProxyInput{
		DBProxyName: aws.String("orders"), EngineFamily: rdstypes.EngineFamilyMysql, RequireTLS: aws.Bool(true), VpcSubnetIds: b.s.NodeSubnets,
		RoleArn: aws.String("arn:aws:iam::" + Account + ":role/proxy"),
		Auth:    []rdstypes.UserAuthConfig{{AuthScheme: rdstypes.AuthSchemeSecrets, SecretArn: aws.String("arn:aws:secretsmanager:" + Region + ":" + Account + ":secret:orders")}},
	})
	b.must(err, "creating the proxy")
}

func (b *builder) distribution() {
	origins := &cftypes.Origins{Quantity: aws.Int32(1), Items: []cftypes.Origin{{
		Id: aws.String("shop"), DomainName: aws.String("shop-origin.example.com"),
		CustomOriginConfig: &cftypes.CustomOriginConfig{
			HTTPPort: aws.Int32(80), HTTPSPort: aws.Int32(443), OriginProtocolPolicy: cftypes.OriginProtocolPolicyHttpsOnly,
			OriginSslProtocols: &cftypes.OriginSslProtocols{Quantity: aws.Int32(1), Items: []cftypes.SslProtocol{cftypes.SslProtocolTLSv12}},
		},
		CustomHeaders: &cftypes.CustomHeaders{Quantity: aws.Int32(1), Items: []cftypes.OriginCustomHeader{{
			HeaderName: aws.String("X-Origin-Verify"), HeaderValue: aws.String("canary-origin-header"),
		}}},
	}}}
	_, err := cloudfront.NewFromConfig(b.cfg).CreateDistribution(b.ctx, &cloudfront.CreateDistributionInput{DistributionConfig: &cftypes.DistributionConfig{
		CallerReference: aws.String("shop"), Comment: aws.String("shop"), Enabled: aws.Bool(true), Origins: origins,
		DefaultCacheBehavior: &cftypes.DefaultCacheBehavior{TargetOriginId: aws.String("shop"), ViewerProtocolPolicy: cftypes.ViewerProtocolPolicyRedirectToHttps},
		ViewerCertificate: &cftypes.ViewerCertificate{
			ACMCertificateArn:      aws.String("arn:aws:acm:us-east-1:" + Account + ":certificate/3f1c2b4a-8d5e-4f60-9a7b-1c2d3e4f5a6b"),
			MinimumProtocolVersion: cftypes.MinimumProtocolVersionTLSv122021, SSLSupportMethod: cftypes.SSLSupportMethodSniOnly,
		},
	}})
	b.must(err, "creating the distribution")
	global := b.cfg.Copy()
	global.Region = "us-east-1"
	_, err = wafv2.NewFromConfig(global).CreateWebACL(b.ctx, &wafv2.CreateWebACLInput{
		Name: aws.String("edge"), Scope: waftypes.ScopeCloudfront, DefaultAction: &waftypes.DefaultAction{Allow: &waftypes.AllowAction{}},
		VisibilityConfig: &waftypes.VisibilityConfig{CloudWatchMetricsEnabled: true, SampledRequestsEnabled: true, MetricName: aws.String("edge")},
	})
	b.must(err, "creating CloudFront's web ACL")
}
