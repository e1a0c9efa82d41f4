package aws

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"testing"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/aws-sdk-go-v2/service/elasticache"
	cachetypes "github.com/aws/aws-sdk-go-v2/service/elasticache/types"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	elbtypes "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
	"github.com/aws/aws-sdk-go-v2/service/memorydb"
	memorydbtypes "github.com/aws/aws-sdk-go-v2/service/memorydb/types"
	rdstypes "github.com/aws/aws-sdk-go-v2/service/rds/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/aws-sdk-go-v2/service/wafv2"
	waftypes "github.com/aws/aws-sdk-go-v2/service/wafv2/types"
	"github.com/aws/smithy-go"
	"github.com/google/go-cmp/cmp"

	"github.com/eksafe/eksafe/internal/estate"
)

// The fakes embed the interface of a service: a call that a test does not plan
// panics.

func readerOf(c *clients) *reader {
	s := &session{account: "111122223333", partition: "aws", regions: []string{"eu-west-1"}, newClients: func(awssdk.Config) *clients { return c }}
	return s.reader("eu-west-1", "eu-west-1", regionalKinds())
}

func refused(service, operation, code string) error {
	return &smithy.OperationError{ServiceID: service, OperationName: operation, Err: &smithy.GenericAPIError{Code: code}}
}

type pagedEC2 struct {
	ec2API
	pages int
	fail  int // the page that fails, if any
}

func (f *pagedEC2) DescribeVolumes(_ context.Context, in *ec2.DescribeVolumesInput, _ ...func(*ec2.Options)) (*ec2.DescribeVolumesOutput, error) {
	n, _ := strconv.Atoi(awssdk.ToString(in.NextToken))
	if n+1 == f.fail {
		return nil, refused("EC2", "DescribeVolumes", "UnauthorizedOperation")
	}
	out := &ec2.DescribeVolumesOutput{Volumes: []ec2types.Volume{{VolumeId: awssdk.String("vol-" + strconv.Itoa(f.pages-n)), Encrypted: awssdk.Bool(n == 0)}}}
	if n+1 < f.pages {
		out.NextToken = awssdk.String(strconv.Itoa(n + 1))
	}
	return out, nil
}

func (f *pagedEC2) GetEbsEncryptionByDefault(context.Context, *ec2.GetEbsEncryptionByDefaultInput, ...func(*ec2.Options)) (*ec2.GetEbsEncryptionByDefaultOutput, error) {
	return &ec2.GetEbsEncryptionByDefaultOutput{EbsEncryptionByDefault: awssdk.Bool(true)}, nil
}

func (f *pagedEC2) GetEbsDefaultKmsKeyId(context.Context, *ec2.GetEbsDefaultKmsKeyIdInput, ...func(*ec2.Options)) (*ec2.GetEbsDefaultKmsKeyIdOutput, error) {
	return nil, refused("EC2", "GetEbsDefaultKmsKeyId", "UnauthorizedOperation")
}

func TestAllPagesInOrder(t *testing.T) {
	r := readerOf(&clients{ec2: &pagedEC2{pages: 3}})
	r.readVolumes(t.Context())
	e := r.result()
	var ids []string
	for _, v := range estate.Volumes.In(e) {
		ids = append(ids, v.Arn)
		if v.Origin.Account != "111122223333" || v.Origin.Region != "eu-west-1" {
			t.Errorf("%s comes from %+v", v.VolumeId, v.Origin)
		}
	}
	want := "arn:aws:ec2:eu-west-1:111122223333:volume/vol-1 arn:aws:ec2:eu-west-1:111122223333:volume/vol-2 arn:aws:ec2:eu-west-1:111122223333:volume/vol-3"
	if got := strings.Join(ids, " "); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if c := e.Coverage(estate.Volumes.Kind); c.State != estate.Read || c.Count != 3 {
		t.Errorf("coverage is %+v", c)
	}
}

func TestPageDenied(t *testing.T) {
	r := readerOf(&clients{ec2: &pagedEC2{pages: 3, fail: 2}})
	r.readVolumes(t.Context())
	want := estate.Coverage{Kind: "Volume", State: estate.Denied, Why: "not allowed to call ec2:DescribeVolumes", Count: 1}
	if got := r.result().Coverage(estate.Volumes.Kind); got != want {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

func TestAttributeDenied(t *testing.T) {
	r := readerOf(&clients{ec2: &pagedEC2{pages: 1}})
	r.readVolumes(t.Context())
	e := r.result()
	d := estate.EBSDefaults.In(e)[0]
	if on, known := d.EbsEncryptionByDefault.Get(); !on || !known {
		t.Error("the default is lost")
	}
	if _, known := d.KmsKeyId.Get(); known {
		t.Error("a key that could not be read is known")
	}
	if c := e.Coverage(estate.EBSDefaults.Kind); c.State != estate.Read {
		t.Errorf("coverage is %+v", c)
	}
	want := []estate.Problem{{What: "reading the default key of EBS: not allowed to call ec2:GetEbsDefaultKmsKeyId"}}
	if diff := cmp.Diff(want, e.Sources[0].Problems); diff != "" {
		t.Errorf("problems (-want +got):\n%s", diff)
	}
}

func TestCoverageNamesAllDeniedActions(t *testing.T) {
	denial := func(action string) cause { return cause{estate.Denied, notAllowed + action} }
	slow := cause{estate.Unavailable, "fsx:DescribeFileSystems gave no answer within 30s"}
	for want, causes := range map[string][]cause{
		"read ":                               nil,
		"denied not allowed to call a:B, c:D": {denial("c:D"), slow, denial("a:B")},
		"unavailable fsx:DescribeFileSystems gave no answer within 30s": {slow},
	} {
		if c := coverage("FileSystem", causes); string(c.State)+" "+c.Why != want {
			t.Errorf("got %+v, want %s", c, want)
		}
	}
}

type endless struct{}

func (endless) HasMorePages() bool { return true }
func (endless) NextPage(context.Context, ...func(*struct{})) (*struct{}, error) {
	return &struct{}{}, nil
}

func TestListsEnd(t *testing.T) {
	if err := pages(t.Context(), endless{}, func(*struct{}) {}); !errors.Is(err, errEndless) {
		t.Errorf("got %v", err)
	}
	n := 0
	err := tokens(func(*string) (*string, error) { n++; return awssdk.String(strconv.Itoa(n)), nil })
	if !errors.Is(err, errEndless) || n != maxPages {
		t.Errorf("got %v after %d pages", err, n)
	}
	n = 0
	if err := tokens(func(*string) (*string, error) { n++; return awssdk.String("same"), nil }); err != nil || n != 2 {
		t.Errorf("a token that repeats: %v after %d pages", err, n)
	}
}

type fakeWAF struct {
	wafv2API
	list, get error
}

func (f fakeWAF) ListResourcesForWebACL(_ context.Context, in *wafv2.ListResourcesForWebACLInput, _ ...func(*wafv2.Options)) (*wafv2.ListResourcesForWebACLOutput, error) {
	if in.ResourceType != waftypes.ResourceTypeApplicationLoadBalancer {
		return nil, errors.New("a resource type that was not planned")
	}
	return &wafv2.ListResourcesForWebACLOutput{ResourceArns: []string{balancer}}, f.list
}

func (f fakeWAF) GetWebACLForResource(context.Context, *wafv2.GetWebACLForResourceInput, ...func(*wafv2.Options)) (*wafv2.GetWebACLForResourceOutput, error) {
	return &wafv2.GetWebACLForResourceOutput{WebACL: &waftypes.WebACL{ARN: awssdk.String(acl)}}, f.get
}

const (
	balancer = "arn:aws:elasticloadbalancing:eu-west-1:111122223333:loadbalancer/app/web/1"
	acl      = "arn:aws:wafv2:eu-west-1:111122223333:regional/webacl/shop/2"
)

type fakeELB struct{ elasticloadbalancingv2API }

func (fakeELB) DescribeLoadBalancers(context.Context, *elb.DescribeLoadBalancersInput, ...func(*elb.Options)) (*elb.DescribeLoadBalancersOutput, error) {
	return &elb.DescribeLoadBalancersOutput{LoadBalancers: []elbtypes.LoadBalancer{
		{LoadBalancerArn: awssdk.String(balancer), Type: elbtypes.LoadBalancerTypeEnumApplication},
		{LoadBalancerArn: awssdk.String("arn:net"), Type: elbtypes.LoadBalancerTypeEnumNetwork},
	}}, nil
}

func TestAssociationsEitherWay(t *testing.T) {
	missing := refused("WAFV2", "ListResourcesForWebACL", "NotImplemented")
	denied := refused("WAFV2", "GetWebACLForResource", "AccessDeniedException")
	for name, c := range map[string]struct {
		waf   fakeWAF
		state estate.State
		count int
	}{
		"by web ACL":  {fakeWAF{get: errors.New("not asked")}, estate.Read, 1},
		"by resource": {fakeWAF{list: missing}, estate.Read, 1},
		"neither":     {fakeWAF{list: missing, get: denied}, estate.Unavailable, 0},
	} {
		t.Run(name, func(t *testing.T) {
			r := readerOf(&clients{wafv2: c.waf, elasticloadbalancingv2: fakeELB{}})
			r.readAssociations(t.Context(), []*estate.WebACL{{AWS: estate.AWS{Arn: acl}}})
			e := r.result()
			if got := e.Coverage(estate.WebACLAssociations.Kind); got.State != c.state || got.Count != c.count {
				t.Errorf("coverage is %+v", got)
			}
			for _, a := range estate.WebACLAssociations.In(e) {
				if a.ResourceArn != balancer || a.WebACLArn != acl || a.Arn != acl+"/association/app/web/1" {
					t.Errorf("got %+v", a)
				}
			}
		})
	}
}

type fakeS3 struct {
	deny string // the bucket whose attributes may not be read
}

func (f fakeS3) ListBuckets(context.Context, *s3.ListBucketsInput, ...func(*s3.Options)) (*s3.ListBucketsOutput, error) {
	return &s3.ListBucketsOutput{Buckets: []s3types.Bucket{
		{Name: awssdk.String("far"), BucketRegion: awssdk.String("ap-south-1")},
		{Name: awssdk.String("closed"), BucketRegion: awssdk.String("eu-west-1")},
		{Name: awssdk.String("gone"), BucketRegion: awssdk.String("eu-west-1")},
		{Name: awssdk.String("old")},
	}}, nil
}

func (f fakeS3) GetBucketLocation(context.Context, *s3.GetBucketLocationInput, ...func(*s3.Options)) (*s3.GetBucketLocationOutput, error) {
	return &s3.GetBucketLocationOutput{LocationConstraint: "EU"}, nil
}

func (f fakeS3) GetBucketEncryption(_ context.Context, in *s3.GetBucketEncryptionInput, _ ...func(*s3.Options)) (*s3.GetBucketEncryptionOutput, error) {
	switch *in.Bucket {
	case "gone":
		return nil, refused("S3", "GetBucketEncryption", "NoSuchBucket")
	case f.deny:
		return nil, refused("S3", "GetBucketEncryption", "AccessDenied")
	}
	return nil, refused("S3", "GetBucketEncryption", "ServerSideEncryptionConfigurationNotFoundError")
}

func (f fakeS3) GetPublicAccessBlock(context.Context, *s3.GetPublicAccessBlockInput, ...func(*s3.Options)) (*s3.GetPublicAccessBlockOutput, error) {
	return nil, refused("S3", "GetPublicAccessBlock", "NoSuchPublicAccessBlockConfiguration")
}

func (f fakeS3) GetBucketPolicy(context.Context, *s3.GetBucketPolicyInput, ...func(*s3.Options)) (*s3.GetBucketPolicyOutput, error) {
	return nil, refused("S3", "GetBucketPolicy", "NoSuchBucketPolicy")
}

func (f fakeS3) GetBucketVersioning(context.Context, *s3.GetBucketVersioningInput, ...func(*s3.Options)) (*s3.GetBucketVersioningOutput, error) {
	return &s3.GetBucketVersioningOutput{}, nil
}

func (f fakeS3) GetObjectLockConfiguration(context.Context, *s3.GetObjectLockConfigurationInput, ...func(*s3.Options)) (*s3.GetObjectLockConfigurationOutput, error) {
	return nil, refused("S3", "GetObjectLockConfiguration", "ObjectLockConfigurationNotFoundError")
}

func (f fakeS3) GetBucketLogging(context.Context, *s3.GetBucketLoggingInput, ...func(*s3.Options)) (*s3.GetBucketLoggingOutput, error) {
	return &s3.GetBucketLoggingOutput{}, nil
}

func (f fakeS3) GetBucketLifecycleConfiguration(context.Context, *s3.GetBucketLifecycleConfigurationInput, ...func(*s3.Options)) (*s3.GetBucketLifecycleConfigurationOutput, error) {
	return nil, refused("S3", "GetBucketLifecycleConfiguration", "NoSuchLifecycleConfiguration")
}

func (f fakeS3) GetBucketNotificationConfiguration(context.Context, *s3.GetBucketNotificationConfigurationInput, ...func(*s3.Options)) (*s3.GetBucketNotificationConfigurationOutput, error) {
	return &s3.GetBucketNotificationConfigurationOutput{}, nil
}

func TestBuckets(t *testing.T) {
	sdk := &clients{s3: fakeS3{deny: "closed"}}
	regional := readerOf(sdk)
	global := regional.session.reader("global", "", globalKinds())
	global.readBuckets(t.Context(), []*reader{regional})
	e := global.result()
	got := estate.Buckets.In(e)
	if len(got) != 2 || got[0].BucketName != "closed" || got[1].BucketName != "old" {
		t.Fatalf("got %d buckets", len(got))
	}
	if _, known := got[0].BucketEncryption.Get(); known {
		t.Error("encryption that could not be read is known")
	}
	if algorithm, known := got[1].BucketEncryption.Get(); !known || algorithm != "" {
		t.Errorf("no encryption reads as %q, known %v", algorithm, known)
	}
	if got[1].Origin.Region != "eu-west-1" || got[1].Arn != "arn:aws:s3:::old" {
		t.Errorf("got %+v", got[1].AWS)
	}
	if block, known := got[1].PublicAccessBlockConfiguration.Get(); !known || block != (estate.PublicAccessBlock{}) {
		t.Error("a bucket without a block is not known to have none")
	}
	if policy, known := got[1].Policy.Get(); !known || policy != "" {
		t.Error("a bucket without a policy is not known to have none")
	}
	plain := estate.Bucket{AWS: got[1].AWS, BucketName: "old", BucketEncryption: got[1].BucketEncryption, PublicAccessBlockConfiguration: got[1].PublicAccessBlockConfiguration, Policy: got[1].Policy}
	plain.VersioningConfiguration, plain.LoggingConfiguration, plain.ObjectLockEnabled = estate.Known(""), estate.Known(""), estate.Known(false)
	plain.Expirations, plain.Notifications = estate.Known([]estate.Expiration{}), estate.Known([]estate.Notification{})
	if diff := cmp.Diff(&plain, got[1], cmp.AllowUnexported(estate.Optional[string]{}, estate.Optional[bool]{}, estate.Optional[[]estate.Expiration]{}, estate.Optional[[]estate.Notification]{}, estate.Optional[estate.PublicAccessBlock]{})); diff != "" {
		t.Errorf("a plain bucket (-want +got):\n%s", diff)
	}
	want := []estate.Problem{{What: "reading encryption of buckets: not allowed to call s3:GetEncryptionConfiguration"}}
	if diff := cmp.Diff(want, e.Sources[0].Problems); diff != "" {
		t.Errorf("problems (-want +got):\n%s", diff)
	}
}

type fakeCaches struct{}

func (fakeCaches) DescribeReplicationGroups(context.Context, *elasticache.DescribeReplicationGroupsInput, ...func(*elasticache.Options)) (*elasticache.DescribeReplicationGroupsOutput, error) {
	at := func(host string) *cachetypes.Endpoint {
		return &cachetypes.Endpoint{Address: &host, Port: awssdk.Int32(6379)}
	}
	return &elasticache.DescribeReplicationGroupsOutput{ReplicationGroups: []cachetypes.ReplicationGroup{{
		ARN: awssdk.String("arn:group"), ReplicationGroupId: awssdk.String("carts"), TransitEncryptionEnabled: awssdk.Bool(true),
		TransitEncryptionMode: cachetypes.TransitEncryptionModePreferred, AtRestEncryptionEnabled: awssdk.Bool(false),
		NodeGroups: []cachetypes.NodeGroup{{PrimaryEndpoint: at("primary.example"), ReaderEndpoint: at("reader.example")}},
	}}}, nil
}

func (fakeCaches) DescribeCacheClusters(context.Context, *elasticache.DescribeCacheClustersInput, ...func(*elasticache.Options)) (*elasticache.DescribeCacheClustersOutput, error) {
	return &elasticache.DescribeCacheClustersOutput{CacheClusters: []cachetypes.CacheCluster{
		{
			ARN: awssdk.String("arn:member"), CacheClusterId: awssdk.String("carts-001"), ReplicationGroupId: awssdk.String("carts"), CacheSubnetGroupName: awssdk.String("caches"),
			SecurityGroups: []cachetypes.SecurityGroupMembership{{SecurityGroupId: awssdk.String("sg-2")}, {SecurityGroupId: awssdk.String("sg-1")}},
		},
		{ARN: awssdk.String("arn:alone"), CacheClusterId: awssdk.String("sessions"), Engine: awssdk.String("memcached")},
	}}, nil
}

func (fakeCaches) DescribeServerlessCaches(context.Context, *elasticache.DescribeServerlessCachesInput, ...func(*elasticache.Options)) (*elasticache.DescribeServerlessCachesOutput, error) {
	return &elasticache.DescribeServerlessCachesOutput{ServerlessCaches: []cachetypes.ServerlessCache{{
		ARN: awssdk.String("arn:serverless"), ServerlessCacheName: awssdk.String("quick"), SubnetIds: []string{"subnet-1"}, SecurityGroupIds: []string{"sg-3"},
	}}}, nil
}

func (fakeCaches) DescribeCacheSubnetGroups(_ context.Context, in *elasticache.DescribeCacheSubnetGroupsInput, _ ...func(*elasticache.Options)) (*elasticache.DescribeCacheSubnetGroupsOutput, error) {
	if in.Marker == nil {
		return &elasticache.DescribeCacheSubnetGroupsOutput{Marker: awssdk.String("more"), CacheSubnetGroups: []cachetypes.CacheSubnetGroup{{
			ARN: awssdk.String("arn:caches"), CacheSubnetGroupName: awssdk.String("caches"),
			Subnets: []cachetypes.Subnet{{SubnetIdentifier: awssdk.String("subnet-2")}, {SubnetIdentifier: awssdk.String("subnet-1")}},
		}}}, nil
	}
	return &elasticache.DescribeCacheSubnetGroupsOutput{CacheSubnetGroups: []cachetypes.CacheSubnetGroup{{ARN: awssdk.String("arn:others"), CacheSubnetGroupName: awssdk.String("others")}}}, nil
}

type fakeMemoryDB struct{}

func (fakeMemoryDB) DescribeClusters(context.Context, *memorydb.DescribeClustersInput, ...func(*memorydb.Options)) (*memorydb.DescribeClustersOutput, error) {
	return &memorydb.DescribeClustersOutput{Clusters: []memorydbtypes.Cluster{{
		ARN: awssdk.String("arn:memorydb"), Name: awssdk.String("ledger"), TLSEnabled: awssdk.Bool(false),
		ClusterEndpoint: &memorydbtypes.Endpoint{Address: awssdk.String("ledger.example"), Port: 6379},
	}}}, nil
}

func (fakeMemoryDB) DescribeSubnetGroups(context.Context, *memorydb.DescribeSubnetGroupsInput, ...func(*memorydb.Options)) (*memorydb.DescribeSubnetGroupsOutput, error) {
	return nil, refused("MemoryDB", "DescribeSubnetGroups", "AccessDeniedException")
}

func TestCacheSubnetGroups(t *testing.T) {
	r := readerOf(&clients{elasticache: fakeCaches{}, memorydb: fakeMemoryDB{}})
	r.readCacheSubnetGroups(t.Context())
	e := r.result()
	var got []string
	for _, g := range estate.CacheSubnetGroups.In(e) {
		got = append(got, g.CacheSubnetGroupName+" "+strings.Join(g.SubnetIds, ","))
	}
	if diff := cmp.Diff([]string{"caches subnet-1,subnet-2", "others "}, got); diff != "" {
		t.Errorf("subnet groups (-want +got):\n%s", diff)
	}
	if state := e.Coverage(estate.CacheSubnetGroups.Kind).State; state != estate.Denied {
		t.Errorf("with a call that was refused they are %s", state)
	}
}

func TestCaches(t *testing.T) {
	r := readerOf(&clients{elasticache: fakeCaches{}, memorydb: fakeMemoryDB{}})
	r.readCaches(t.Context())
	var got []string
	for _, c := range estate.Caches.In(r.result()) {
		line := c.Type + " " + c.Id
		if on, known := c.TransitEncryptionEnabled.Get(); known {
			line += " transit=" + strconv.FormatBool(on)
		}
		if mode, known := c.TransitEncryptionMode.Get(); known {
			line += " " + mode
		}
		if on, known := c.AtRestEncryptionEnabled.Get(); known {
			line += " rest=" + strconv.FormatBool(on)
		}
		for _, e := range c.Endpoints {
			line += " " + e.Address
		}
		if len(c.SecurityGroupIds) > 0 {
			line += " in " + c.SubnetGroupName + strings.Join(c.SubnetIds, ",") + " with " + strings.Join(c.SecurityGroupIds, ",")
		}
		got = append(got, line)
	}
	want := []string{
		"replicationgroup carts transit=true preferred rest=false primary.example reader.example in caches with sg-1,sg-2",
		"memorydb ledger transit=false rest=true ledger.example",
		"serverless quick transit=true in subnet-1 with sg-3",
		"cachecluster sessions",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("caches (-want +got):\n%s", diff)
	}
}

func TestSecurityGroupRules(t *testing.T) {
	got := securityGroupRules([]ec2types.IpPermission{
		{
			IpProtocol: awssdk.String("tcp"), FromPort: awssdk.Int32(443), ToPort: awssdk.Int32(443),
			IpRanges:         []ec2types.IpRange{{CidrIp: awssdk.String("10.0.0.0/8")}, {CidrIp: awssdk.String("0.0.0.0/0")}},
			Ipv6Ranges:       []ec2types.Ipv6Range{{CidrIpv6: awssdk.String("::/0")}},
			UserIdGroupPairs: []ec2types.UserIdGroupPair{{GroupId: awssdk.String("sg-1")}},
			PrefixListIds:    []ec2types.PrefixListId{{PrefixListId: awssdk.String("pl-1")}},
		},
		{IpProtocol: awssdk.String("-1"), IpRanges: []ec2types.IpRange{{CidrIp: awssdk.String("127.0.0.1/32")}}},
	})
	rule := estate.SecurityGroupRule{IpProtocol: "tcp", FromPort: 443, ToPort: 443}
	with := func(set func(*estate.SecurityGroupRule)) estate.SecurityGroupRule { r := rule; set(&r); return r }
	want := []estate.SecurityGroupRule{
		{IpProtocol: "-1", FromPort: -1, ToPort: -1, CidrIp: "127.0.0.1/32"},
		with(func(r *estate.SecurityGroupRule) { r.SourcePrefixListId = "pl-1" }),
		with(func(r *estate.SecurityGroupRule) { r.SourceSecurityGroupId = "sg-1" }),
		with(func(r *estate.SecurityGroupRule) { r.CidrIpv6 = "::/0" }),
		with(func(r *estate.SecurityGroupRule) { r.CidrIp = "0.0.0.0/0" }),
		with(func(r *estate.SecurityGroupRule) { r.CidrIp = "10.0.0.0/8" }),
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("rules (-want +got):\n%s", diff)
	}
}

func TestSecretsAreLeftOut(t *testing.T) {
	values := conditionValues(&elbtypes.RuleCondition{
		Field: awssdk.String("http-header"), HttpHeaderConfig: &elbtypes.HttpHeaderConditionConfig{HttpHeaderName: awssdk.String("X-Origin-Verify"), Values: []string{"canary"}},
	})
	if !slices.Equal(values, []string{"X-Origin-Verify"}) {
		t.Errorf("a header condition gives %q", values)
	}
	values = conditionValues(&elbtypes.RuleCondition{
		Field: awssdk.String("query-string"), QueryStringConfig: &elbtypes.QueryStringConditionConfig{Values: []elbtypes.QueryStringKeyValuePair{{Key: awssdk.String("key"), Value: awssdk.String("canary")}}},
	})
	if !slices.Equal(values, []string{"key"}) {
		t.Errorf("a query condition gives %q", values)
	}
	parameters := map[string]string{}
	user, engine := awssdk.String("user"), awssdk.String("engine-default")
	keepParameters(parameters, []rdstypes.Parameter{
		{ParameterName: awssdk.String("init_connect"), ParameterValue: awssdk.String("SET @p='canary'"), Source: user},
		{ParameterName: awssdk.String("rds.force_ssl"), ParameterValue: awssdk.String("1"), Source: engine},
		{ParameterName: awssdk.String("require_secure_transport"), Source: engine},
		{ParameterName: awssdk.String("max_connections"), ParameterValue: awssdk.String("100"), Source: engine},
		{ParameterName: awssdk.String("ssl_min_protocol_version"), ParameterValue: awssdk.String("TLSv1.2"), Source: user},
	})
	if diff := cmp.Diff(map[string]string{"rds.force_ssl": "1", "ssl_min_protocol_version": "TLSv1.2"}, parameters); diff != "" {
		t.Errorf("parameters (-want +got):\n%s", diff)
	}
}

func TestWorstStatus(t *testing.T) {
	for in, want := range map[string]string{
		"": "", "in-sync": "in-sync", "in-sync,": "in-sync", "in-sync,pending-reboot": "pending-reboot", "pending-reboot,in-sync,applying": "pending-reboot",
		"in-sync,applying": "applying", "removing,applying": "applying", "applying,in-sync": "applying",
	} {
		if got := worstStatus(strings.Split(in, ",")); got != want {
			t.Errorf("worst of %q is %q, want %q", in, got, want)
		}
	}
}

func TestChooseClusters(t *testing.T) {
	prod := &estate.Cluster{Name: "prod", Endpoint: "https://A1.gr7.eu-west-1.eks.amazonaws.com"}
	dev := &estate.Cluster{Name: "dev", Endpoint: "https://B2.gr7.eu-west-1.eks.amazonaws.com"}
	all := []*estate.Cluster{prod, dev}
	for name, c := range map[string]struct {
		names, endpoints []string
		want             string
		missing          string
	}{
		"nothing asked":          {nil, nil, "prod dev", ""},
		"by name":                {[]string{"dev"}, nil, "dev", ""},
		"by endpoint":            {nil, []string{"https://a1.GR7.eu-west-1.eks.amazonaws.com:443/"}, "prod", ""},
		"by both":                {[]string{"dev"}, []string{prod.Endpoint}, "dev prod", ""},
		"unknown name":           {[]string{"test"}, nil, "", `no EKS cluster is named "test"`},
		"through a tunnel":       {nil, []string{"https://127.0.0.1:8443"}, "prod dev", "no EKS cluster has the kubeconfig's server address: read all"},
		"name decides over that": {[]string{"dev"}, []string{"https://127.0.0.1:8443"}, "dev", ""},
	} {
		t.Run(name, func(t *testing.T) {
			got, gone := choose(all, c.names, c.endpoints)
			var names []string
			for _, x := range got {
				names = append(names, x.Name)
			}
			if strings.Join(names, " ") != c.want {
				t.Errorf("chose %q, want %q", names, c.want)
			}
			var what []string
			for _, m := range gone {
				what = append(what, m.what)
			}
			if strings.Join(what, "; ") != c.missing {
				t.Errorf("missed %q, want %q", what, c.missing)
			}
		})
	}
}

func TestLaunchTemplateLeavesUserDataOut(t *testing.T) {
	r := readerOf(&clients{})
	lt := r.launchTemplate(&ec2types.LaunchTemplateVersion{
		LaunchTemplateId: awssdk.String("lt-1"), VersionNumber: awssdk.Int64(7),
		LaunchTemplateData: &ec2types.ResponseLaunchTemplateData{UserData: awssdk.String("canary")},
	})
	if lt.Arn != "arn:aws:ec2:eu-west-1:111122223333:launch-template/lt-1:7" {
		t.Errorf("the ARN is %s", lt.Arn)
	}
	put(r, estate.LaunchTemplates, []*estate.LaunchTemplate{lt})
	kind, err := estate.KindOf("LaunchTemplate")
	if err != nil {
		t.Fatal(err)
	}
	data, err := kind.Encode(r.result())
	if err != nil || strings.Contains(string(data), "canary") {
		t.Errorf("the model holds user data: %s, %v", data, err)
	}
	// What a template leaves open is known to be open.
	if tokens, known := lt.LaunchTemplateData.MetadataOptions.HttpTokens.Get(); !known || tokens != "" {
		t.Errorf("tokens are %q, known %v", tokens, known)
	}
}

func TestBrokerEndpoints(t *testing.T) {
	got := brokerEndpoints("b-1.x.kafka.eu-west-1.amazonaws.com:9094, b-2.x.kafka.eu-west-1.amazonaws.com:9094,,nonsense,:1,x:y")
	want := []estate.Endpoint{{Address: "b-1.x.kafka.eu-west-1.amazonaws.com", Port: 9094}, {Address: "b-2.x.kafka.eu-west-1.amazonaws.com", Port: 9094}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("endpoints (-want +got):\n%s", diff)
	}
}
