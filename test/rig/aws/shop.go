package awsrig

import (
	"context"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/acm"
	acmtypes "github.com/aws/aws-sdk-go-v2/service/acm/types"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	ekstypes "github.com/aws/aws-sdk-go-v2/service/eks/types"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	elbtypes "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/rds"
	rdstypes "github.com/aws/aws-sdk-go-v2/service/rds/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/aws-sdk-go-v2/service/wafv2"
	waftypes "github.com/aws/aws-sdk-go-v2/service/wafv2/types"
)

// ShopOptions says which shop of examples/shop to build. The values are those
// of its CloudFormation; the load balancer is what the AWS Load Balancer
// Controller makes of its Ingress, and has the certificate and web ACL whose
// ARNs the Ingress names.
type ShopOptions struct {
	Secure bool
	// Region is Region if empty.
	Region string
	// ClusterEndpoint is the address of the API server, where a real one runs.
	ClusterEndpoint string
	// PodAddresses of the web pods become the load balancer's targets.
	PodAddresses []string
	// Snapshot adds a manual snapshot of the database, shared with everybody
	// in the insecure shop, and Node a running node. The templates of the
	// shop have neither.
	Snapshot, Node bool
	// Front adds what stands before the secure shop, CloudFront and Route 53,
	// and beside it: the add-on that enforces its policies, the root user's
	// second factor. The insecure shop has none of these but the add-on, which
	// enforces nothing.
	Front bool
}

// A Shop names what SeedShop made.
type Shop struct {
	Region, ClusterName                      string
	VpcId                                    string
	PublicSubnets, NodeSubnets, DataSubnets  []string
	DatabaseSecurityGroup                    string
	LaunchTemplateId, InstanceId             string
	LoadBalancerArn, TargetGroupArn          string
	HTTPListenerArn, HTTPSListenerArn        string
	CertificateArn, WebACLArn                string
	DataKeyArn, ClusterKeyArn                string // the insecure shop has no cluster key
	ParameterGroup, DatabaseArn, SnapshotArn string
	VolumeId, Bucket                         string
}

// seedTimeout is long: the emulator loads each service at its first call.
const seedTimeout = 5 * time.Minute

type builder struct {
	testing.TB
	d   *Double
	o   ShopOptions
	ctx context.Context
	cfg aws.Config
	s   *Shop
	ec2 *ec2.Client
}

// SeedShop builds the shop in the double by calls of AWS's own API.
func (d *Double) SeedShop(t testing.TB, o ShopOptions) *Shop {
	t.Helper()
	if o.Region == "" {
		o.Region = Region
	}
	if len(o.PodAddresses) == 0 {
		o.PodAddresses = []string{"192.168.64.11", "192.168.96.12"}
	}
	ctx, cancel := context.WithTimeout(context.Background(), seedTimeout)
	defer cancel()
	cfg := d.Config(ctx)
	cfg.Region = o.Region
	b := &builder{TB: t, d: d, o: o, ctx: ctx, cfg: cfg, ec2: ec2.NewFromConfig(cfg), s: &Shop{Region: o.Region, ClusterName: "shop-prod"}}
	b.network()
	b.keys()
	b.cluster()
	b.edge()
	b.database()
	b.storage()
	if o.Front {
		b.front()
	}
	return b.s
}

func (b *builder) must(err error, doing string) {
	b.Helper()
	if err != nil {
		b.Fatalf("%s: %v", doing, err)
	}
}

// pick returns the insecure or the secure value.
func pick[T any](b *builder, insecure, secure T) T {
	if b.o.Secure {
		return secure
	}
	return insecure
}

func (b *builder) network() {
	vpc, err := b.ec2.CreateVpc(b.ctx, &ec2.CreateVpcInput{CidrBlock: aws.String("192.168.0.0/16"), TagSpecifications: named(ec2types.ResourceTypeVpc, "shop-prod")})
	b.must(err, "creating the VPC")
	b.s.VpcId = *vpc.Vpc.VpcId
	gateway, err := b.ec2.CreateInternetGateway(b.ctx, &ec2.CreateInternetGatewayInput{})
	b.must(err, "creating the internet gateway")
	_, err = b.ec2.AttachInternetGateway(b.ctx, &ec2.AttachInternetGatewayInput{VpcId: vpc.Vpc.VpcId, InternetGatewayId: gateway.InternetGateway.InternetGatewayId})
	b.must(err, "attaching the internet gateway")
	public := b.routeTable()
	_, err = b.ec2.CreateRoute(b.ctx, &ec2.CreateRouteInput{RouteTableId: &public, DestinationCidrBlock: aws.String("0.0.0.0/0"), GatewayId: gateway.InternetGateway.InternetGatewayId})
	b.must(err, "creating the internet route")

	if !b.o.Secure {
		b.s.PublicSubnets = b.subnets(public, "192.168.0.0/20", "192.168.16.0/20")
		for _, id := range b.s.PublicSubnets {
			_, err := b.ec2.ModifySubnetAttribute(b.ctx, &ec2.ModifySubnetAttributeInput{SubnetId: &id, MapPublicIpOnLaunch: &ec2types.AttributeBooleanValue{Value: aws.Bool(true)}})
			b.must(err, "giving the subnet public addresses")
		}
		b.s.NodeSubnets, b.s.DataSubnets = b.s.PublicSubnets, b.s.PublicSubnets
		return
	}
	b.s.PublicSubnets = b.subnets(public, "192.168.0.0/24", "192.168.1.0/24")
	address, err := b.ec2.AllocateAddress(b.ctx, &ec2.AllocateAddressInput{Domain: ec2types.DomainTypeVpc})
	b.must(err, "allocating an address")
	nat, err := b.ec2.CreateNatGateway(b.ctx, &ec2.CreateNatGatewayInput{SubnetId: &b.s.PublicSubnets[0], AllocationId: address.AllocationId})
	b.must(err, "creating the NAT gateway")
	private := b.routeTable()
	_, err = b.ec2.CreateRoute(b.ctx, &ec2.CreateRouteInput{RouteTableId: &private, DestinationCidrBlock: aws.String("0.0.0.0/0"), NatGatewayId: nat.NatGateway.NatGatewayId})
	b.must(err, "creating the NAT route")
	b.s.NodeSubnets = b.subnets(private, "192.168.64.0/19", "192.168.96.0/19")
	b.s.DataSubnets = b.subnets(b.routeTable(), "192.168.10.0/28", "192.168.11.0/28")
}

func named(kind ec2types.ResourceType, name string) []ec2types.TagSpecification {
	return []ec2types.TagSpecification{{ResourceType: kind, Tags: []ec2types.Tag{{Key: aws.String("Name"), Value: &name}}}}
}

func (b *builder) routeTable() string {
	table, err := b.ec2.CreateRouteTable(b.ctx, &ec2.CreateRouteTableInput{VpcId: &b.s.VpcId})
	b.must(err, "creating a route table")
	return *table.RouteTable.RouteTableId
}

// subnets makes a subnet in each of two zones.
func (b *builder) subnets(table string, cidrs ...string) []string {
	var out []string
	for i, cidr := range cidrs {
		zone := b.o.Region + string(rune('a'+i))
		subnet, err := b.ec2.CreateSubnet(b.ctx, &ec2.CreateSubnetInput{VpcId: &b.s.VpcId, CidrBlock: &cidr, AvailabilityZone: &zone})
		b.must(err, "creating subnet "+cidr)
		_, err = b.ec2.AssociateRouteTable(b.ctx, &ec2.AssociateRouteTableInput{RouteTableId: &table, SubnetId: subnet.Subnet.SubnetId})
		b.must(err, "associating the route table of "+cidr)
		out = append(out, *subnet.Subnet.SubnetId)
	}
	return out
}

// securityGroup makes a group that a port of is open to addresses.
func (b *builder) securityGroup(name string, port int32, cidrs ...string) string {
	group, err := b.ec2.CreateSecurityGroup(b.ctx, &ec2.CreateSecurityGroupInput{GroupName: &name, Description: &name, VpcId: &b.s.VpcId})
	b.must(err, "creating security group "+name)
	for _, cidr := range cidrs {
		_, err = b.ec2.AuthorizeSecurityGroupIngress(b.ctx, &ec2.AuthorizeSecurityGroupIngressInput{GroupId: group.GroupId, IpPermissions: []ec2types.IpPermission{{
			IpProtocol: aws.String("tcp"), FromPort: &port, ToPort: &port, IpRanges: []ec2types.IpRange{{CidrIp: &cidr}},
		}}})
		b.must(err, "opening security group "+name)
	}
	return *group.GroupId
}

func (b *builder) keys() {
	client := kms.NewFromConfig(b.cfg)
	b.s.DataKeyArn = b.key(client, "shop prod data")
	if b.o.Secure {
		b.s.ClusterKeyArn = b.key(client, "Secrets and node volumes of shop-prod")
		_, err := client.CreateAlias(b.ctx, &kms.CreateAliasInput{AliasName: aws.String("alias/shop-prod-data"), TargetKeyId: &b.s.DataKeyArn})
		b.must(err, "naming the key")
		_, err = b.ec2.EnableEbsEncryptionByDefault(b.ctx, &ec2.EnableEbsEncryptionByDefaultInput{})
		b.must(err, "encrypting volumes by default")
	}
}

func (b *builder) key(client *kms.Client, description string) string {
	key, err := client.CreateKey(b.ctx, &kms.CreateKeyInput{Description: &description})
	b.must(err, "creating a key")
	if b.o.Secure {
		_, err = client.EnableKeyRotation(b.ctx, &kms.EnableKeyRotationInput{KeyId: key.KeyMetadata.KeyId})
		b.must(err, "rotating the key")
	}
	return *key.KeyMetadata.Arn
}

func (b *builder) cluster() {
	client := eks.NewFromConfig(b.cfg)
	input := &eks.CreateClusterInput{
		Name:               &b.s.ClusterName,
		Version:            aws.String(pick(b, "1.32", "1.35")),
		RoleArn:            aws.String("arn:aws:iam::" + Account + ":role/shop-prod-cluster"),
		ResourcesVpcConfig: &ekstypes.VpcConfigRequest{SubnetIds: b.s.NodeSubnets},
	}
	if b.o.Secure {
		input.DeletionProtection = aws.Bool(true)
		input.AccessConfig = &ekstypes.CreateAccessConfigRequest{AuthenticationMode: ekstypes.AuthenticationModeApi}
		input.UpgradePolicy = &ekstypes.UpgradePolicyRequest{SupportType: ekstypes.SupportTypeStandard}
		input.ResourcesVpcConfig.EndpointPrivateAccess = aws.Bool(true)
		input.ResourcesVpcConfig.EndpointPublicAccess = aws.Bool(true)
		input.ResourcesVpcConfig.PublicAccessCidrs = []string{"198.51.100.0/24", "203.0.113.16/28"}
		input.EncryptionConfig = []ekstypes.EncryptionConfig{{Provider: &ekstypes.Provider{KeyArn: &b.s.ClusterKeyArn}, Resources: []string{"secrets"}}}
		input.Logging = &ekstypes.Logging{ClusterLogging: []ekstypes.LogSetup{{
			Enabled: aws.Bool(true), Types: []ekstypes.LogType{ekstypes.LogTypeApi, ekstypes.LogTypeAudit, ekstypes.LogTypeAuthenticator},
		}}}
	}
	_, err := client.CreateCluster(b.ctx, input)
	b.must(err, "creating the cluster")
	if b.o.ClusterEndpoint != "" {
		b.d.SetClusterEndpoint(b.o.Region, b.s.ClusterName, b.o.ClusterEndpoint)
	}

	disk := &ec2types.LaunchTemplateEbsBlockDeviceRequest{VolumeSize: aws.Int32(80), VolumeType: ec2types.VolumeTypeGp3}
	metadata := &ec2types.LaunchTemplateInstanceMetadataOptionsRequest{HttpTokens: ec2types.LaunchTemplateHttpTokensStateOptional, HttpPutResponseHopLimit: aws.Int32(2)}
	if b.o.Secure {
		disk.Encrypted, disk.KmsKeyId = aws.Bool(true), &b.s.ClusterKeyArn
		metadata.HttpEndpoint = ec2types.LaunchTemplateInstanceMetadataEndpointStateEnabled
		metadata.HttpTokens, metadata.HttpPutResponseHopLimit = ec2types.LaunchTemplateHttpTokensStateRequired, aws.Int32(1)
	}
	template, err := b.ec2.CreateLaunchTemplate(b.ctx, &ec2.CreateLaunchTemplateInput{
		LaunchTemplateName: aws.String("shop-prod-nodes"),
		LaunchTemplateData: &ec2types.RequestLaunchTemplateData{
			BlockDeviceMappings: []ec2types.LaunchTemplateBlockDeviceMappingRequest{{DeviceName: aws.String("/dev/xvda"), Ebs: disk}},
			MetadataOptions:     metadata,
			UserData:            aws.String("Y2FuYXJ5LXVzZXItZGF0YQ=="), // "canary-user-data": nothing may show it
		},
	})
	b.must(err, "creating the launch template")
	b.s.LaunchTemplateId = *template.LaunchTemplate.LaunchTemplateId
	_, err = client.CreateNodegroup(b.ctx, &eks.CreateNodegroupInput{
		ClusterName: &b.s.ClusterName, NodegroupName: aws.String("nodes"), NodeRole: aws.String("arn:aws:iam::" + Account + ":role/shop-prod-nodes"),
		AmiType: ekstypes.AMITypesAl2023X8664Standard, Subnets: b.s.NodeSubnets,
		LaunchTemplate: &ekstypes.LaunchTemplateSpecification{Id: &b.s.LaunchTemplateId, Version: aws.String("1")},
	})
	b.must(err, "creating the node group")
	if b.o.Node {
		b.node()
	}
}

// node runs an instance as the node group would. Its root device is given, for
// the emulator heeds neither the launch template's nor the account's default.
func (b *builder) node() {
	root := &ec2types.EbsBlockDevice{VolumeSize: aws.Int32(80), VolumeType: ec2types.VolumeTypeGp3, Encrypted: aws.Bool(b.o.Secure)}
	if b.o.Secure {
		root.KmsKeyId = &b.s.ClusterKeyArn
	}
	instances, err := b.ec2.RunInstances(b.ctx, &ec2.RunInstancesInput{
		MinCount: aws.Int32(1), MaxCount: aws.Int32(1), ImageId: aws.String("ami-12c6146b"), InstanceType: ec2types.InstanceTypeM7iLarge, SubnetId: &b.s.NodeSubnets[0],
		MetadataOptions: &ec2types.InstanceMetadataOptionsRequest{
			HttpEndpoint: ec2types.InstanceMetadataEndpointStateEnabled,
			HttpTokens:   pick(b, ec2types.HttpTokensStateOptional, ec2types.HttpTokensStateRequired), HttpPutResponseHopLimit: aws.Int32(pick[int32](b, 2, 1)),
		},
		BlockDeviceMappings: []ec2types.BlockDeviceMapping{{DeviceName: aws.String("/dev/sda1"), Ebs: root}},
		TagSpecifications: []ec2types.TagSpecification{{ResourceType: ec2types.ResourceTypeInstance, Tags: []ec2types.Tag{
			{Key: aws.String("eks:cluster-name"), Value: &b.s.ClusterName},
			{Key: aws.String("kubernetes.io/cluster/" + b.s.ClusterName), Value: aws.String("owned")},
		}}},
	})
	b.must(err, "running a node")
	b.s.InstanceId = *instances.Instances[0].InstanceId
}

// edge makes what the AWS Load Balancer Controller makes of the Ingress
// shop/shop, with its names and tags.
func (b *builder) edge() {
	client := elb.NewFromConfig(b.cfg)
	tags := func(resource string) []elbtypes.Tag {
		return []elbtypes.Tag{
			{Key: aws.String("elbv2.k8s.aws/cluster"), Value: &b.s.ClusterName},
			{Key: aws.String("ingress.k8s.aws/stack"), Value: aws.String("shop/shop")},
			{Key: aws.String("ingress.k8s.aws/resource"), Value: &resource},
		}
	}
	var group string
	if b.o.Secure {
		group = b.securityGroup("shop-prod-load-balancer", 443)
		b.openToCloudFront(group)
	} else {
		group = b.securityGroup("k8s-shop-shop-6f1d2c3b4a", 80, "0.0.0.0/0")
	}
	balancer, err := client.CreateLoadBalancer(b.ctx, &elb.CreateLoadBalancerInput{
		Name: aws.String("k8s-shop-shop-1a2b3c4d5e"), Type: elbtypes.LoadBalancerTypeEnumApplication, Scheme: elbtypes.LoadBalancerSchemeEnumInternetFacing,
		Subnets: b.s.PublicSubnets, SecurityGroups: []string{group}, Tags: tags("LoadBalancer"),
	})
	b.must(err, "creating the load balancer")
	b.s.LoadBalancerArn = *balancer.LoadBalancers[0].LoadBalancerArn

	protocol, port, portName := elbtypes.ProtocolEnumHttp, int32(8080), "http"
	if b.o.Secure {
		protocol, port, portName = elbtypes.ProtocolEnumHttps, 8443, "https"
	}
	target, err := client.CreateTargetGroup(b.ctx, &elb.CreateTargetGroupInput{
		Name: aws.String("k8s-shop-web-0a1b2c3d4e"), Protocol: protocol, Port: &port, VpcId: &b.s.VpcId, TargetType: elbtypes.TargetTypeEnumIp,
		HealthCheckProtocol: protocol, HealthCheckPath: aws.String("/healthz"), Tags: tags("shop/shop-web:" + portName),
	})
	b.must(err, "creating the target group")
	b.s.TargetGroupArn = *target.TargetGroups[0].TargetGroupArn
	var targets []elbtypes.TargetDescription
	for _, address := range b.o.PodAddresses {
		targets = append(targets, elbtypes.TargetDescription{Id: &address, Port: &port})
	}
	_, err = client.RegisterTargets(b.ctx, &elb.RegisterTargetsInput{TargetGroupArn: &b.s.TargetGroupArn, Targets: targets})
	b.must(err, "registering targets")

	http := &elb.CreateListenerInput{LoadBalancerArn: &b.s.LoadBalancerArn, Protocol: elbtypes.ProtocolEnumHttp, Port: aws.Int32(80), Tags: tags("80")}
	notFound := []elbtypes.Action{{Type: elbtypes.ActionTypeEnumFixedResponse, FixedResponseConfig: &elbtypes.FixedResponseActionConfig{StatusCode: aws.String("404"), ContentType: aws.String("text/plain")}}}
	if !b.o.Secure {
		http.DefaultActions = notFound
		b.s.HTTPListenerArn = b.listener(client, http)
		b.rule(client, b.s.HTTPListenerArn, tags("80:1"))
		return
	}

	http.DefaultActions = []elbtypes.Action{{Type: elbtypes.ActionTypeEnumRedirect, RedirectConfig: &elbtypes.RedirectActionConfig{
		Protocol: aws.String("HTTPS"), Port: aws.String("443"), StatusCode: elbtypes.RedirectActionStatusCodeEnumHttp301,
	}}}
	b.s.HTTPListenerArn = b.listener(client, http)
	certificate, err := acm.NewFromConfig(b.cfg).RequestCertificate(b.ctx, &acm.RequestCertificateInput{
		DomainName: aws.String("origin.shop.example.com"), ValidationMethod: acmtypes.ValidationMethodDns, KeyAlgorithm: acmtypes.KeyAlgorithmEcPrime256v1,
	})
	b.must(err, "requesting the certificate")
	b.s.CertificateArn = b.known(*certificate.CertificateArn, "3f1c2b4a-8d5e-4f60-9a7b-1c2d3e4f5a6b")
	b.s.HTTPSListenerArn = b.listener(client, &elb.CreateListenerInput{
		LoadBalancerArn: &b.s.LoadBalancerArn, Protocol: elbtypes.ProtocolEnumHttps, Port: aws.Int32(443), DefaultActions: notFound, Tags: tags("443"),
		SslPolicy: aws.String("ELBSecurityPolicy-TLS13-1-2-Res-PQ-2025-09"), Certificates: []elbtypes.Certificate{{CertificateArn: &b.s.CertificateArn}},
	})
	b.rule(client, b.s.HTTPSListenerArn, tags("443:1"))
	_, err = client.ModifyListenerAttributes(b.ctx, &elb.ModifyListenerAttributesInput{ListenerArn: &b.s.HTTPSListenerArn, Attributes: []elbtypes.ListenerAttribute{{
		Key: aws.String("routing.http.response.strict_transport_security.header_value"), Value: aws.String("max-age=31536000;includeSubDomains"),
	}}})
	b.must(err, "setting the listener's attributes")
	_, err = client.ModifyLoadBalancerAttributes(b.ctx, &elb.ModifyLoadBalancerAttributesInput{LoadBalancerArn: &b.s.LoadBalancerArn, Attributes: []elbtypes.LoadBalancerAttribute{
		{Key: aws.String("routing.http.drop_invalid_header_fields.enabled"), Value: aws.String("true")},
		{Key: aws.String("deletion_protection.enabled"), Value: aws.String("true")},
		{Key: aws.String("access_logs.s3.enabled"), Value: aws.String("true")},
		{Key: aws.String("access_logs.s3.bucket"), Value: aws.String("shop-logs-prod-" + Account)},
		{Key: aws.String("access_logs.s3.prefix"), Value: aws.String("alb")},
	}})
	b.must(err, "setting the load balancer's attributes")
	b.webACL()
}

// known gives a resource the ID that the manifests name, which are of Region.
func (b *builder) known(arn, id string) string {
	if b.o.Region != Region {
		return arn
	}
	return b.d.rename(arn, id)
}

// openToCloudFront lets CloudFront in, and nobody else.
func (b *builder) openToCloudFront(group string) {
	lists, err := b.ec2.DescribeManagedPrefixLists(b.ctx, &ec2.DescribeManagedPrefixListsInput{Filters: []ec2types.Filter{
		{Name: aws.String("prefix-list-name"), Values: []string{"com.amazonaws.global.cloudfront.origin-facing"}},
	}})
	b.must(err, "looking for the addresses of CloudFront")
	if len(lists.PrefixLists) != 1 {
		b.Fatalf("%d prefix lists of CloudFront, want one", len(lists.PrefixLists))
	}
	_, err = b.ec2.AuthorizeSecurityGroupIngress(b.ctx, &ec2.AuthorizeSecurityGroupIngressInput{GroupId: &group, IpPermissions: []ec2types.IpPermission{{
		IpProtocol: aws.String("tcp"), FromPort: aws.Int32(443), ToPort: aws.Int32(443), PrefixListIds: []ec2types.PrefixListId{{PrefixListId: lists.PrefixLists[0].PrefixListId}},
	}}})
	b.must(err, "opening HTTPS")
}

func (b *builder) listener(client *elb.Client, input *elb.CreateListenerInput) string {
	out, err := client.CreateListener(b.ctx, input)
	b.must(err, "creating a listener")
	return *out.Listeners[0].ListenerArn
}

func (b *builder) rule(client *elb.Client, listener string, tags []elbtypes.Tag) {
	_, err := client.CreateRule(b.ctx, &elb.CreateRuleInput{
		ListenerArn: &listener, Priority: aws.Int32(1), Tags: tags,
		Conditions: []elbtypes.RuleCondition{
			{Field: aws.String("host-header"), HostHeaderConfig: &elbtypes.HostHeaderConditionConfig{Values: []string{pick(b, "shop.example.com", "origin.shop.example.com")}}},
			{Field: aws.String("path-pattern"), PathPatternConfig: &elbtypes.PathPatternConditionConfig{Values: []string{"/*"}}},
		},
		Actions: []elbtypes.Action{{Type: elbtypes.ActionTypeEnumForward, ForwardConfig: &elbtypes.ForwardActionConfig{
			TargetGroups: []elbtypes.TargetGroupTuple{{TargetGroupArn: &b.s.TargetGroupArn, Weight: aws.Int32(1)}},
		}}},
	})
	b.must(err, "creating a rule")
}

func (b *builder) webACL() {
	client := wafv2.NewFromConfig(b.cfg)
	visibility := func(name string) *waftypes.VisibilityConfig {
		return &waftypes.VisibilityConfig{CloudWatchMetricsEnabled: true, SampledRequestsEnabled: true, MetricName: &name}
	}
	acl, err := client.CreateWebACL(b.ctx, &wafv2.CreateWebACLInput{
		Name: aws.String("shop"), Scope: waftypes.ScopeRegional, DefaultAction: &waftypes.DefaultAction{Allow: &waftypes.AllowAction{}}, VisibilityConfig: visibility("shop"),
		Rules: []waftypes.Rule{
			{
				Name: aws.String("own-distribution"), Priority: 0, Action: &waftypes.RuleAction{Block: &waftypes.BlockAction{}}, VisibilityConfig: visibility("shop-own-distribution"),
				Statement: &waftypes.Statement{NotStatement: &waftypes.NotStatement{Statement: &waftypes.Statement{ByteMatchStatement: &waftypes.ByteMatchStatement{
					FieldToMatch:         &waftypes.FieldToMatch{SingleHeader: &waftypes.SingleHeader{Name: aws.String("x-origin-verify")}},
					PositionalConstraint: waftypes.PositionalConstraintExactly, SearchString: []byte("canary-origin-verify"),
					TextTransformations: []waftypes.TextTransformation{{Type: waftypes.TextTransformationTypeNone}},
				}}}},
			},
			managedRules("common", 1, "AWSManagedRulesCommonRuleSet", visibility("shop-common")),
			managedRules("known-bad-inputs", 2, "AWSManagedRulesKnownBadInputsRuleSet", visibility("shop-known-bad-inputs")),
		},
	})
	b.must(err, "creating the web ACL")
	b.s.WebACLArn = b.known(*acl.Summary.ARN, "5b6c7d8e-9f01-4234-8567-89abcdef0123")
	_, err = client.AssociateWebACL(b.ctx, &wafv2.AssociateWebACLInput{WebACLArn: &b.s.WebACLArn, ResourceArn: &b.s.LoadBalancerArn})
	b.must(err, "associating the web ACL")
	b.logACL(b.cfg, b.s.WebACLArn, "aws-waf-logs-shop", "authorization", "cookie", "x-origin-verify")
}

func managedRules(name string, priority int32, group string, visibility *waftypes.VisibilityConfig) waftypes.Rule {
	return waftypes.Rule{
		Name: &name, Priority: priority, OverrideAction: &waftypes.OverrideAction{None: &waftypes.NoneAction{}}, VisibilityConfig: visibility,
		Statement: &waftypes.Statement{ManagedRuleGroupStatement: &waftypes.ManagedRuleGroupStatement{VendorName: aws.String("AWS"), Name: &group}},
	}
}

// logACL makes the log group of a web ACL, and has it log there without some
// headers.
func (b *builder) logACL(cfg aws.Config, acl, group string, redacted ...string) {
	_, err := cloudwatchlogs.NewFromConfig(cfg).CreateLogGroup(b.ctx, &cloudwatchlogs.CreateLogGroupInput{LogGroupName: &group})
	b.must(err, "creating log group "+group)
	var fields []waftypes.FieldToMatch
	for _, header := range redacted {
		fields = append(fields, waftypes.FieldToMatch{SingleHeader: &waftypes.SingleHeader{Name: &header}})
	}
	_, err = wafv2.NewFromConfig(cfg).PutLoggingConfiguration(b.ctx, &wafv2.PutLoggingConfigurationInput{LoggingConfiguration: &waftypes.LoggingConfiguration{
		ResourceArn:           &acl,
		LogDestinationConfigs: []string{"arn:aws:logs:" + cfg.Region + ":" + Account + ":log-group:" + group},
		RedactedFields:        fields,
	}})
	b.must(err, "logging the web ACL's requests")
}

func (b *builder) database() {
	client := rds.NewFromConfig(b.cfg)
	b.d.SetEngineDefault("mysql8.0", "require_secure_transport", "0")
	cidrs := pick(b, []string{"0.0.0.0/0"}, []string{"192.168.64.0/19", "192.168.96.0/19"})
	b.s.DatabaseSecurityGroup = b.securityGroup("shop-prod-database", 3306, cidrs...)
	if b.o.Secure {
		everything := []ec2types.IpPermission{{IpProtocol: aws.String("-1"), IpRanges: []ec2types.IpRange{{CidrIp: aws.String("0.0.0.0/0")}}}}
		_, err := b.ec2.RevokeSecurityGroupEgress(b.ctx, &ec2.RevokeSecurityGroupEgressInput{GroupId: &b.s.DatabaseSecurityGroup, IpPermissions: everything})
		b.must(err, "closing the database's egress")
		nothing := []ec2types.IpPermission{{IpProtocol: aws.String("-1"), IpRanges: []ec2types.IpRange{{CidrIp: aws.String("127.0.0.1/32")}}}}
		_, err = b.ec2.AuthorizeSecurityGroupEgress(b.ctx, &ec2.AuthorizeSecurityGroupEgressInput{GroupId: &b.s.DatabaseSecurityGroup, IpPermissions: nothing})
		b.must(err, "limiting the database's egress")
	}
	_, err := client.CreateDBSubnetGroup(b.ctx, &rds.CreateDBSubnetGroupInput{DBSubnetGroupName: aws.String("shop-prod"), DBSubnetGroupDescription: aws.String("of the shop"), SubnetIds: b.s.DataSubnets})
	b.must(err, "creating the database's subnet group")

	b.s.ParameterGroup = "shop-prod"
	_, err = client.CreateDBParameterGroup(b.ctx, &rds.CreateDBParameterGroupInput{
		DBParameterGroupName: &b.s.ParameterGroup, DBParameterGroupFamily: aws.String(pick(b, "mysql8.0", "mysql8.4")), Description: aws.String("of the shop"),
	})
	b.must(err, "creating the parameter group")
	parameters := pick(b,
		map[string]string{"character_set_server": "utf8mb4", "slow_query_log": "1"},
		map[string]string{"require_secure_transport": "1", "tls_version": "TLSv1.2,TLSv1.3"})
	var set []rdstypes.Parameter
	for name, value := range parameters {
		set = append(set, rdstypes.Parameter{ParameterName: &name, ParameterValue: &value, ApplyMethod: rdstypes.ApplyMethodImmediate})
	}
	_, err = client.ModifyDBParameterGroup(b.ctx, &rds.ModifyDBParameterGroupInput{DBParameterGroupName: &b.s.ParameterGroup, Parameters: set})
	b.must(err, "setting parameters")

	input := &rds.CreateDBInstanceInput{
		DBInstanceIdentifier: aws.String("orders-db"), DBName: aws.String("orders"), Engine: aws.String("mysql"), EngineVersion: aws.String(pick(b, "8.0.43", "8.4.8")),
		DBInstanceClass: aws.String("db.m7g.large"), AllocatedStorage: aws.Int32(200), MultiAZ: aws.Bool(true),
		MasterUsername: aws.String("admin"), DBParameterGroupName: &b.s.ParameterGroup, DBSubnetGroupName: aws.String("shop-prod"),
		VpcSecurityGroupIds: []string{b.s.DatabaseSecurityGroup}, PubliclyAccessible: aws.Bool(!b.o.Secure), StorageEncrypted: aws.Bool(b.o.Secure),
		CACertificateIdentifier: aws.String("rds-ca-rsa2048-g1"), DeletionProtection: aws.Bool(b.o.Secure),
		// A password that AWS manages would give the double a key that it
		// takes for a customer's.
		MasterUserPassword: aws.String("canary-database-password"),
	}
	if b.o.Secure {
		input.KmsKeyId = &b.s.DataKeyArn
	}
	database, err := client.CreateDBInstance(b.ctx, input)
	b.must(err, "creating the database")
	b.s.DatabaseArn = *database.DBInstance.DBInstanceArn

	if b.o.Snapshot {
		snapshot, err := client.CreateDBSnapshot(b.ctx, &rds.CreateDBSnapshotInput{DBInstanceIdentifier: aws.String("orders-db"), DBSnapshotIdentifier: aws.String("orders-db-before-upgrade")})
		b.must(err, "creating the snapshot")
		b.s.SnapshotArn = *snapshot.DBSnapshot.DBSnapshotArn
		if !b.o.Secure {
			_, err = client.ModifyDBSnapshotAttribute(b.ctx, &rds.ModifyDBSnapshotAttributeInput{
				DBSnapshotIdentifier: aws.String("orders-db-before-upgrade"), AttributeName: aws.String("restore"), ValuesToAdd: []string{"all"},
			})
			b.must(err, "sharing the snapshot")
		}
	}
}

func (b *builder) storage() {
	volume := &ec2.CreateVolumeInput{AvailabilityZone: aws.String(b.o.Region + "a"), Size: aws.Int32(50), VolumeType: ec2types.VolumeTypeGp3, Encrypted: aws.Bool(b.o.Secure)}
	if b.o.Secure {
		volume.KmsKeyId = &b.s.DataKeyArn
	}
	made, err := b.ec2.CreateVolume(b.ctx, volume)
	b.must(err, "creating the volume")
	b.s.VolumeId = *made.VolumeId

	client := s3.NewFromConfig(b.cfg, func(o *s3.Options) { o.UsePathStyle = true })
	b.s.Bucket = "shop-logs-prod-" + Account
	create := &s3.CreateBucketInput{Bucket: &b.s.Bucket}
	if b.o.Region != "us-east-1" {
		create.CreateBucketConfiguration = &s3types.CreateBucketConfiguration{LocationConstraint: s3types.BucketLocationConstraint(b.o.Region)}
	}
	_, err = client.CreateBucket(b.ctx, create)
	b.must(err, "creating the bucket")
	on := aws.Bool(b.o.Secure)
	_, err = client.PutPublicAccessBlock(b.ctx, &s3.PutPublicAccessBlockInput{Bucket: &b.s.Bucket, PublicAccessBlockConfiguration: &s3types.PublicAccessBlockConfiguration{
		BlockPublicAcls: on, BlockPublicPolicy: on, IgnorePublicAcls: on, RestrictPublicBuckets: on,
	}})
	b.must(err, "setting the bucket's public access block")
	_, err = client.PutBucketPolicy(b.ctx, &s3.PutBucketPolicyInput{Bucket: &b.s.Bucket, Policy: aws.String(b.bucketPolicy())})
	b.must(err, "setting the bucket's policy")
}

func (b *builder) bucketPolicy() string {
	arn := "arn:aws:s3:::" + b.s.Bucket
	logs := `{"Sid":"LoadBalancerLogs","Effect":"Allow","Principal":{"Service":"logdelivery.elasticloadbalancing.amazonaws.com"},"Action":"s3:PutObject","Resource":"` + arn
	if !b.o.Secure {
		return `{"Version":"2012-10-17","Statement":[` + logs + `/*"}]}`
	}
	return `{"Version":"2012-10-17","Statement":[` +
		`{"Sid":"TLSOnly","Effect":"Deny","Principal":"*","Action":"s3:*","Resource":["` + arn + `","` + arn + `/*"],"Condition":{"Bool":{"aws:SecureTransport":"false"}}},` +
		logs + `/alb/AWSLogs/` + Account + `/*"}]}`
}
