package aws

import (
	"cmp"
	"context"
	"slices"
	"sync"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/acm"
	acmtypes "github.com/aws/aws-sdk-go-v2/service/acm/types"
	"github.com/aws/aws-sdk-go-v2/service/cloudfront"
	cftypes "github.com/aws/aws-sdk-go-v2/service/cloudfront/types"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"

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

func (r *reader) readDistributions(ctx context.Context) {
	region := globalRegion
	if r.session.partition == "aws-cn" {
		region = globalRegionChina
	}
	sdk := r.session.clients(region)
	var out []*estate.Distribution
	err := pages(ctx, cloudfront.NewListDistributionsPaginator(sdk.cloudfront, &cloudfront.ListDistributionsInput{}), func(p *cloudfront.ListDistributionsOutput) {
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
	r.readDistributionLogging(ctx, sdk, out)
	put(r, estate.Distributions, out)
}

// readDistributionLogging reads what no list tells. A distribution has standard
// logging of two generations: its own setting, and deliveries of CloudWatch
// Logs that name it.
func (r *reader) readDistributionLogging(ctx context.Context, sdk *clients, distributions []*estate.Distribution) {
	each(ctx, distributions, func(ctx context.Context, d *estate.Distribution) {
		out, err := sdk.cloudfront.GetDistributionConfig(ctx, &cloudfront.GetDistributionConfigInput{Id: &d.Id})
		switch {
		case err == nil && out.DistributionConfig != nil:
			l := out.DistributionConfig.Logging
			d.DistributionConfig.Logging = estate.Known(l != nil && awssdk.ToBool(l.Enabled))
		case err != nil && classify(err) != notFound:
			r.blind(err, "logging of distributions")
		}
	})
	silent := slices.DeleteFunc(slices.Clone(distributions), func(d *estate.Distribution) bool { return d.DistributionConfig.Logging.Or(true) })
	if len(silent) == 0 {
		return
	}
	delivered, err := deliveredResources(ctx, sdk.cloudwatchlogs)
	if err != nil {
		r.blind(err, "logging of distributions")
	}
	for _, d := range silent {
		switch {
		case slices.Contains(delivered, d.Arn):
			d.DistributionConfig.Logging = estate.Known(true)
		case err != nil:
			d.DistributionConfig.Logging = estate.Optional[bool]{}
		}
	}
}

// deliveredResources lists the ARNs of what CloudWatch Logs delivers logs of.
func deliveredResources(ctx context.Context, sdk cloudwatchlogsAPI) ([]string, error) {
	sources := map[string][]string{}
	err := pages(ctx, cloudwatchlogs.NewDescribeDeliverySourcesPaginator(sdk, &cloudwatchlogs.DescribeDeliverySourcesInput{}), func(p *cloudwatchlogs.DescribeDeliverySourcesOutput) {
		for _, s := range p.DeliverySources {
			sources[text(s.Name)] = s.ResourceArns
		}
	})
	if err != nil {
		return nil, err
	}
	var out []string
	err = pages(ctx, cloudwatchlogs.NewDescribeDeliveriesPaginator(sdk, &cloudwatchlogs.DescribeDeliveriesInput{}), func(p *cloudwatchlogs.DescribeDeliveriesOutput) {
		for _, d := range p.Deliveries {
			out = append(out, sources[text(d.DeliverySourceName)]...)
		}
	})
	return out, err
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
			origin := estate.DistributionOrigin{Id: text(o.Id), DomainName: text(o.DomainName), OriginCustomHeaders: estate.Known(headerNames(o.CustomHeaders))}
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

// headerNames leaves the values out: by them an origin knows its distribution.
func headerNames(h *cftypes.CustomHeaders) []string {
	names := []string{}
	if h != nil {
		for _, x := range h.Items {
			names = append(names, text(x.HeaderName))
		}
	}
	return list(names)
}
