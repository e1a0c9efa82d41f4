package awsrig

import (
	"regexp"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudfront"
	cftypes "github.com/aws/aws-sdk-go-v2/service/cloudfront/types"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/route53"
	route53types "github.com/aws/aws-sdk-go-v2/service/route53/types"
	"github.com/aws/aws-sdk-go-v2/service/wafv2"
	waftypes "github.com/aws/aws-sdk-go-v2/service/wafv2/types"
)

var rootMFA = regexp.MustCompile(`(<key>AccountMFAEnabled</key>\s*<value>)0`)

// front makes what ShopOptions.Front says, as cloudformation/front.yaml of the
// secure shop has it.
func (b *builder) front() {
	_, err := eks.NewFromConfig(b.cfg).CreateAddon(b.ctx, &eks.CreateAddonInput{
		ClusterName: &b.s.ClusterName, AddonName: aws.String("vpc-cni"), AddonVersion: aws.String("v1.20.4-eksbuild.1"),
		ConfigurationValues: aws.String(pick(b, "", `{"enableNetworkPolicy":"true"}`)),
	})
	b.must(err, "creating the add-on")
	b.d.Override("iam", "GetAccountSummary", func(c *Call) *Answer {
		answer := b.d.pass(c)
		answer.Body = rootMFA.ReplaceAll(answer.Body, []byte("${1}1"))
		return answer
	})
	if b.o.Secure {
		b.names(b.shopDistribution(b.frontACL()))
	}
}

// frontACL makes the web ACL of the distribution and returns its ARN.
func (b *builder) frontACL() string {
	cfg := b.cfg.Copy()
	cfg.Region = "us-east-1"
	client := wafv2.NewFromConfig(cfg)
	var attackers []waftypes.Statement
	for name, version := range map[string]waftypes.IPAddressVersion{"shop-attackers": waftypes.IPAddressVersionIpv4, "shop-attackers-v6": waftypes.IPAddressVersionIpv6} {
		set, err := client.CreateIPSet(b.ctx, &wafv2.CreateIPSetInput{Name: &name, Scope: waftypes.ScopeCloudfront, IPAddressVersion: version, Addresses: []string{}})
		b.must(err, "creating IP set "+name)
		attackers = append(attackers, waftypes.Statement{IPSetReferenceStatement: &waftypes.IPSetReferenceStatement{ARN: set.Summary.ARN}})
	}
	visibility := func(name string) *waftypes.VisibilityConfig {
		return &waftypes.VisibilityConfig{CloudWatchMetricsEnabled: true, SampledRequestsEnabled: true, MetricName: &name}
	}
	acl, err := client.CreateWebACL(b.ctx, &wafv2.CreateWebACLInput{
		Name: aws.String("shop-front"), Scope: waftypes.ScopeCloudfront, DefaultAction: &waftypes.DefaultAction{Allow: &waftypes.AllowAction{}}, VisibilityConfig: visibility("shop-front"),
		Rules: []waftypes.Rule{
			{
				Name: aws.String("attackers"), Priority: 0, Action: &waftypes.RuleAction{Block: &waftypes.BlockAction{}}, VisibilityConfig: visibility("shop-front-attackers"),
				Statement: &waftypes.Statement{OrStatement: &waftypes.OrStatement{Statements: attackers}},
			},
			{
				Name: aws.String("rate"), Priority: 1, Action: &waftypes.RuleAction{Block: &waftypes.BlockAction{}}, VisibilityConfig: visibility("shop-front-rate"),
				Statement: &waftypes.Statement{RateBasedStatement: &waftypes.RateBasedStatement{AggregateKeyType: waftypes.RateBasedStatementAggregateKeyTypeIp, Limit: aws.Int64(2000)}},
			},
			managedRules("reputation", 2, "AWSManagedRulesAmazonIpReputationList", visibility("shop-front-reputation")),
			managedRules("common", 3, "AWSManagedRulesCommonRuleSet", visibility("shop-front-common")),
			managedRules("known-bad-inputs", 4, "AWSManagedRulesKnownBadInputsRuleSet", visibility("shop-front-known-bad-inputs")),
			managedRules("sql-injection", 5, "AWSManagedRulesSQLiRuleSet", visibility("shop-front-sql-injection")),
		},
	})
	b.must(err, "creating the distribution's web ACL")
	b.logACL(cfg, *acl.Summary.ARN, "aws-waf-logs-shop-front", "authorization", "cookie")
	return *acl.Summary.ARN
}

// shopDistribution makes the distribution and returns its domain name.
func (b *builder) shopDistribution(acl string) string {
	distribution, err := cloudfront.NewFromConfig(b.cfg).CreateDistribution(b.ctx, &cloudfront.CreateDistributionInput{DistributionConfig: &cftypes.DistributionConfig{
		CallerReference: aws.String("shop"), Comment: aws.String("The shop"), Enabled: aws.Bool(true), IsIPV6Enabled: aws.Bool(true), WebACLId: &acl,
		Aliases: &cftypes.Aliases{Quantity: aws.Int32(1), Items: []string{"shop.example.com"}},
		Origins: &cftypes.Origins{Quantity: aws.Int32(1), Items: []cftypes.Origin{{
			Id: aws.String("shop"), DomainName: aws.String("origin.shop.example.com"),
			CustomOriginConfig: &cftypes.CustomOriginConfig{
				HTTPPort: aws.Int32(80), HTTPSPort: aws.Int32(443), OriginProtocolPolicy: cftypes.OriginProtocolPolicyHttpsOnly,
				OriginSslProtocols: &cftypes.OriginSslProtocols{Quantity: aws.Int32(1), Items: []cftypes.SslProtocol{cftypes.SslProtocolTLSv12}},
			},
			CustomHeaders: &cftypes.CustomHeaders{Quantity: aws.Int32(1), Items: []cftypes.OriginCustomHeader{{
				HeaderName: aws.String("x-origin-verify"), HeaderValue: aws.String("canary-origin-verify"),
			}}},
		}}},
		DefaultCacheBehavior: &cftypes.DefaultCacheBehavior{TargetOriginId: aws.String("shop"), ViewerProtocolPolicy: cftypes.ViewerProtocolPolicyRedirectToHttps},
		ViewerCertificate: &cftypes.ViewerCertificate{
			ACMCertificateArn:      aws.String("arn:aws:acm:us-east-1:" + Account + ":certificate/9f1c2b4a-8d5e-4f60-9a7b-1c2d3e4f5a6b"),
			MinimumProtocolVersion: cftypes.MinimumProtocolVersionTLSv122021, SSLSupportMethod: cftypes.SSLSupportMethodSniOnly,
		},
	}})
	b.must(err, "creating the distribution")
	return *distribution.Distribution.DomainName
}

// names leads people to the distribution, and the distribution to the load
// balancer.
func (b *builder) names(distribution string) {
	client := route53.NewFromConfig(b.cfg)
	zone, err := client.CreateHostedZone(b.ctx, &route53.CreateHostedZoneInput{Name: aws.String("example.com"), CallerReference: aws.String("shop")})
	b.must(err, "creating the hosted zone")
	id := strings.TrimPrefix(*zone.HostedZone.Id, "/hostedzone/")
	add := func(set route53types.ResourceRecordSet) {
		_, err = client.ChangeResourceRecordSets(b.ctx, &route53.ChangeResourceRecordSetsInput{HostedZoneId: &id, ChangeBatch: &route53types.ChangeBatch{Changes: []route53types.Change{
			{Action: route53types.ChangeActionCreate, ResourceRecordSet: &set},
		}}})
		b.must(err, "adding record "+*set.Name)
	}
	for _, kind := range []route53types.RRType{route53types.RRTypeA, route53types.RRTypeAaaa} {
		add(route53types.ResourceRecordSet{
			Name: aws.String("shop.example.com"), Type: kind,
			AliasTarget: &route53types.AliasTarget{DNSName: &distribution, HostedZoneId: aws.String("Z2FDTNDATAQYW2")},
		})
	}
	add(route53types.ResourceRecordSet{
		Name: aws.String("origin.shop.example.com"), Type: route53types.RRTypeCname, TTL: aws.Int64(300),
		ResourceRecords: []route53types.ResourceRecord{{Value: aws.String("k8s-shop-shop-1a2b3c4d5e-1234567890.eu-west-1.elb.amazonaws.com")}},
	})
}
