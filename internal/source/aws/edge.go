package aws

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"sync"

	"github.com/aws/aws-sdk-go-v2/service/acm"
	acmtypes "github.com/aws/aws-sdk-go-v2/service/acm/types"
	"github.com/aws/aws-sdk-go-v2/service/cloudfront"
	cftypes "github.com/aws/aws-sdk-go-v2/service/cloudfront/types"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	elbtypes "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
	"github.com/aws/aws-sdk-go-v2/service/wafv2"
	waftypes "github.com/aws/aws-sdk-go-v2/service/wafv2/types"

	"github.com/eksafe/eksafe/internal/estate"
)

func (r *reader) readCertificates(ctx context.Context) {
	// Without key types the list holds RSA certificates of up to 2048 bits.
	input := &acm.ListCertificatesInput{Includes: &acmtypes.Filters{KeyTypes: acmtypes.KeyAlgorithm("").Values()}}
	var arns []string
	err := pages(ctx, acm.NewListCertificatesPaginator(r.sdk.acm, input), func(p *acm.ListCertificatesOutput) {
		for _, c := range p.CertificateSummaryList {
			arns = append(arns, text(c.CertificateArn))
		}
	})
	if err != nil {
		r.fail(err, estate.Certificates.Kind)
	}
	var mu sync.Mutex // guards certificates
	var certificates []*estate.Certificate
	each(ctx, slices.Compact(list(arns)), func(ctx context.Context, arn string) {
		out, err := r.sdk.acm.DescribeCertificate(ctx, &acm.DescribeCertificateInput{CertificateArn: &arn})
		if err != nil {
			if classify(err) != notFound {
				r.fail(err, estate.Certificates.Kind)
			}
			return
		}
		if out.Certificate == nil {
			return
		}
		c := certificate(out.Certificate)
		mu.Lock()
		defer mu.Unlock()
		certificates = append(certificates, c)
	})
	put(r, estate.Certificates, certificates)
}

func certificate(c *acmtypes.CertificateDetail) *estate.Certificate {
	out := &estate.Certificate{
		AWS:                     estate.AWS{Arn: text(c.CertificateArn)},
		DomainName:              text(c.DomainName),
		SubjectAlternativeNames: list(c.SubjectAlternativeNames),
		KeyAlgorithm:            enum(c.KeyAlgorithm),
		Status:                  enum(c.Status),
		Type:                    enum(c.Type),
		NotAfter:                opt(c.NotAfter),
		RenewalEligibility:      enum(c.RenewalEligibility),
		InUseBy:                 list(c.InUseBy),
	}
	if c.RenewalSummary != nil {
		out.RenewalStatus = enum(c.RenewalSummary.RenewalStatus)
	}
	return out
}

func (r *reader) readRegionalWebACLs(ctx context.Context) {
	acls := r.readWebACLs(ctx, r.sdk.wafv2, waftypes.ScopeRegional)
	r.readAssociations(ctx, acls)
}

func (r *reader) readGlobalWebACLs(ctx context.Context) {
	r.readWebACLs(ctx, r.session.clients(globalRegion).wafv2, waftypes.ScopeCloudfront)
}

func (r *reader) readWebACLs(ctx context.Context, waf wafv2API, scope waftypes.Scope) []*estate.WebACL {
	var acls []*estate.WebACL
	err := tokens(func(marker *string) (*string, error) {
		out, err := waf.ListWebACLs(ctx, &wafv2.ListWebACLsInput{Scope: scope, NextMarker: marker})
		if err != nil {
			return nil, err
		}
		for _, a := range out.WebACLs {
			acls = append(acls, &estate.WebACL{AWS: estate.AWS{Arn: text(a.ARN)}, Name: text(a.Name), Scope: string(scope), Id: text(a.Id)})
		}
		return out.NextMarker, nil
	})
	if err != nil {
		r.fail(err, estate.WebACLs.Kind)
		if scope == waftypes.ScopeRegional {
			r.fail(err, estate.WebACLAssociations.Kind)
		}
	}
	each(ctx, acls, func(ctx context.Context, a *estate.WebACL) {
		out, err := waf.GetWebACL(ctx, &wafv2.GetWebACLInput{Id: &a.Id, Name: &a.Name, Scope: scope})
		switch {
		case err == nil && out.WebACL != nil:
			a.Rules = estate.Known(webACLRules(out.WebACL))
		case err != nil && classify(err) != notFound:
			r.fail(err, estate.WebACLs.Kind)
		}
	})
	put(r, estate.WebACLs, acls)

	var loggings []*estate.WebACLLogging
	err = tokens(func(marker *string) (*string, error) {
		out, err := waf.ListLoggingConfigurations(ctx, &wafv2.ListLoggingConfigurationsInput{Scope: scope, NextMarker: marker})
		if err != nil {
			return nil, err
		}
		for _, l := range out.LoggingConfigurations {
			loggings = append(loggings, &estate.WebACLLogging{
				// A logging configuration has no ARN of its own.
				AWS:                   estate.AWS{Arn: text(l.ResourceArn) + "/logging"},
				ResourceArn:           text(l.ResourceArn),
				LogDestinationConfigs: list(l.LogDestinationConfigs),
			})
		}
		return out.NextMarker, nil
	})
	if err != nil {
		r.fail(err, estate.WebACLLoggings.Kind)
	}
	put(r, estate.WebACLLoggings, loggings)
	return acls
}

// webACLRules lists the rules as they are evaluated: Firewall Manager's first
// groups, the web ACL's own, Firewall Manager's last.
func webACLRules(a *waftypes.WebACL) []estate.Rule {
	groups := func(in []waftypes.FirewallManagerRuleGroup, at string) (rules []estate.Rule) {
		for _, g := range in {
			rules = append(rules, estate.Rule{Name: text(g.Name), Priority: int(g.Priority), FirewallManager: at})
		}
		slices.SortStableFunc(rules, func(a, b estate.Rule) int { return cmp.Compare(a.Priority, b.Priority) })
		return rules
	}
	var own []estate.Rule
	for _, rule := range a.Rules {
		own = append(own, estate.Rule{Name: text(rule.Name), Priority: int(rule.Priority)})
	}
	slices.SortStableFunc(own, func(a, b estate.Rule) int { return cmp.Compare(a.Priority, b.Priority) })
	return slices.Concat(groups(a.PreProcessFirewallManagerRuleGroups, "first"), own, groups(a.PostProcessFirewallManagerRuleGroups, "last"))
}

// readAssociations reads which load balancers a web ACL protects. CloudFront
// names its web ACL itself.
func (r *reader) readAssociations(ctx context.Context, acls []*estate.WebACL) {
	var mu sync.Mutex // guards associations and failure
	var associations []*estate.WebACLAssociation
	var failure error
	add := func(acl, resource string) {
		mu.Lock()
		defer mu.Unlock()
		associations = append(associations, association(acl, resource))
	}
	each(ctx, acls, func(ctx context.Context, a *estate.WebACL) {
		out, err := r.sdk.wafv2.ListResourcesForWebACL(ctx, &wafv2.ListResourcesForWebACLInput{
			WebACLArn: &a.Arn, ResourceType: waftypes.ResourceTypeApplicationLoadBalancer,
		})
		switch {
		case err == nil:
			for _, resource := range out.ResourceArns {
				add(a.Arn, resource)
			}
		case classify(err) != notFound:
			mu.Lock()
			defer mu.Unlock()
			failure = err
		}
	})
	if failure != nil {
		// The other way round: ask every load balancer for its web ACL.
		associations = nil
		if err := r.associationsByResource(ctx, add); err != nil {
			r.fail(failure, estate.WebACLAssociations.Kind)
		}
	}
	put(r, estate.WebACLAssociations, associations)
}

func (r *reader) associationsByResource(ctx context.Context, add func(acl, resource string)) error {
	var arns []string
	err := pages(ctx, elb.NewDescribeLoadBalancersPaginator(r.sdk.elasticloadbalancingv2, &elb.DescribeLoadBalancersInput{}), func(p *elb.DescribeLoadBalancersOutput) {
		for _, b := range p.LoadBalancers {
			if b.Type == elbtypes.LoadBalancerTypeEnumApplication {
				arns = append(arns, text(b.LoadBalancerArn))
			}
		}
	})
	if err != nil {
		return err
	}
	var mu sync.Mutex // guards failure
	var failure error
	each(ctx, arns, func(ctx context.Context, arn string) {
		out, err := r.sdk.wafv2.GetWebACLForResource(ctx, &wafv2.GetWebACLForResourceInput{ResourceArn: &arn})
		switch {
		case err == nil:
			if out.WebACL != nil {
				add(text(out.WebACL.ARN), arn)
			}
		case classify(err) != notFound:
			mu.Lock()
			defer mu.Unlock()
			failure = err
		}
	})
	return failure
}

func association(acl, resource string) *estate.WebACLAssociation {
	// An association has no ARN of its own.
	_, name, _ := strings.Cut(resource, ":loadbalancer/")
	return &estate.WebACLAssociation{
		AWS:         estate.AWS{Arn: acl + "/association/" + cmp.Or(name, resource)},
		ResourceArn: resource,
		WebACLArn:   acl,
	}
}

func (r *reader) readDistributions(ctx context.Context) {
	region := globalRegion
	if r.session.partition == "aws-cn" {
		region = globalRegionChina
	}
	var out []*estate.Distribution
	err := pages(ctx, cloudfront.NewListDistributionsPaginator(r.session.clients(region).cloudfront, &cloudfront.ListDistributionsInput{}), func(p *cloudfront.ListDistributionsOutput) {
		if p.DistributionList == nil {
			return
		}
		for i := range p.DistributionList.Items {
			out = append(out, distribution(&p.DistributionList.Items[i]))
		}
	})
	if err != nil {
		r.fail(err, estate.Distributions.Kind)
	}
	put(r, estate.Distributions, out)
}

func distribution(d *cftypes.DistributionSummary) *estate.Distribution {
	out := &estate.Distribution{
		AWS:        estate.AWS{Arn: text(d.ARN)},
		Id:         text(d.Id),
		DomainName: text(d.DomainName),
		DistributionConfig: estate.DistributionConfig{
			Enabled:     opt(d.Enabled),
			WebACLId:    estate.Known(text(d.WebACLId)),
			IPV6Enabled: opt(d.IsIPV6Enabled),
		},
	}
	c := &out.DistributionConfig
	if d.Aliases != nil {
		c.Aliases = list(d.Aliases.Items)
	}
	if d.Origins != nil {
		for _, o := range d.Origins.Items {
			origin := estate.DistributionOrigin{Id: text(o.Id), DomainName: text(o.DomainName)}
			if custom := o.CustomOriginConfig; custom != nil {
				origin.CustomOriginConfig = &estate.CustomOriginConfig{
					OriginProtocolPolicy: enum(custom.OriginProtocolPolicy),
					HTTPSPort:            number(custom.HTTPSPort),
				}
				if custom.OriginSslProtocols != nil {
					protocols := []string{}
					for _, p := range custom.OriginSslProtocols.Items {
						protocols = append(protocols, string(p))
					}
					origin.CustomOriginConfig.OriginSSLProtocols = estate.Known(list(protocols))
				}
			}
			if v := o.VpcOriginConfig; v != nil {
				origin.VpcOriginConfig = &estate.VpcOriginConfig{VpcOriginId: text(v.VpcOriginId)}
			}
			c.Origins = append(c.Origins, origin)
		}
		slices.SortFunc(c.Origins, func(a, b estate.DistributionOrigin) int { return cmp.Compare(a.Id, b.Id) })
	}
	if b := d.DefaultCacheBehavior; b != nil {
		c.DefaultCacheBehavior = estate.CacheBehavior{TargetOriginId: text(b.TargetOriginId), ViewerProtocolPolicy: enum(b.ViewerProtocolPolicy)}
	}
	if d.CacheBehaviors != nil {
		for _, b := range d.CacheBehaviors.Items { // in order of precedence
			c.CacheBehaviors = append(c.CacheBehaviors, estate.CacheBehavior{
				PathPattern: text(b.PathPattern), TargetOriginId: text(b.TargetOriginId), ViewerProtocolPolicy: enum(b.ViewerProtocolPolicy),
			})
		}
	}
	if v := d.ViewerCertificate; v != nil {
		c.ViewerCertificate = estate.ViewerCertificate{
			AcmCertificateArn:            text(v.ACMCertificateArn),
			CloudFrontDefaultCertificate: opt(v.CloudFrontDefaultCertificate),
			MinimumProtocolVersion:       enum(v.MinimumProtocolVersion),
		}
	}
	return out
}
