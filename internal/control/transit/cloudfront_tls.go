package transit

import (
	"fmt"
	"strings"

	"github.com/eksafe/eksafe/internal/control"
	"github.com/eksafe/eksafe/internal/estate"
)

var cloudfrontTls = &control.Control{
	ID:       "cloudfront-tls",
	Title:    "CloudFront speaks TLS 1.2 or newer to viewers and to origins",
	Severity: control.High,
	Refs:     []control.Ref{control.FSBP("CloudFront.3"), control.FSBP("CloudFront.9"), control.FSBP("CloudFront.10")},
	Serves:   []string{"S3", "S4"},
	Since:    "0.1.0",
	Check:    control.Each(estate.Distributions, judgeCloudFront),
}

func judgeCloudFront(s *control.Subject, d *estate.Distribution) {
	c := d.DistributionConfig
	if on, known := c.Enabled.Get(); known && !on {
		s.NotApplicable()
		return
	}
	plain := map[string]bool{} // origins that viewers may ask for over HTTP
	viewer := func(b estate.CacheBehavior, field string) {
		switch policy, known := b.ViewerProtocolPolicy.Get(); {
		case !known:
			plain[b.TargetOriginId] = true
			s.Unknownf("%s of distribution %s is not known", field, d.Id)
		case policy == "https-only" || policy == "redirect-to-https":
		default:
			plain[b.TargetOriginId] = true
			s.Failf(field, "viewers may use plain HTTP: %s", policy)
		}
	}
	viewer(c.DefaultCacheBehavior, "distributionConfig.defaultCacheBehavior.viewerProtocolPolicy")
	for i, b := range c.CacheBehaviors {
		viewer(b, fmt.Sprintf("distributionConfig.cacheBehaviors[%d].viewerProtocolPolicy", i))
	}
	for i, o := range c.Origins {
		judgeOrigin(s, o, fmt.Sprintf("distributionConfig.origins[%d].", i), plain[o.Id])
	}
	judgeViewerCertificate(s, c.ViewerCertificate)
}

func judgeOrigin(s *control.Subject, o estate.DistributionOrigin, field string, plainViewers bool) {
	switch {
	case o.VpcOriginConfig != nil:
		s.Unknownf("what CloudFront speaks to VPC origin %s is not known: its origin protocol policy stands in the VPC origin, which eksafe does not read", o.Id)
		return
	case o.CustomOriginConfig == nil:
		return // a bucket: CloudFront uses the viewer's protocol, and the bucket's policy decides
	}
	field += "customOriginConfig."
	switch policy, known := o.CustomOriginConfig.OriginProtocolPolicy.Get(); {
	case !known:
		s.Unknownf("the origin protocol policy of %s is not known", o.Id)
	case policy == "https-only":
	case policy == "match-viewer" && !plainViewers:
	case policy == "match-viewer":
		s.Failf(field+"originProtocolPolicy", "CloudFront asks origin %s over plain HTTP when the viewer did", o.Id)
	default:
		s.Failf(field+"originProtocolPolicy", "CloudFront asks origin %s over plain HTTP: %s", o.Id, policy)
		return // no TLS, so its versions do not matter
	}
	protocols, known := o.CustomOriginConfig.OriginSSLProtocols.Get()
	if !known {
		s.Unknownf("the TLS versions that CloudFront speaks to origin %s are not known", o.Id)
		return
	}
	var old []string
	for _, p := range protocols {
		if p != "TLSv1.2" && p != "TLSv1.3" {
			old = append(old, p)
		}
	}
	if len(old) > 0 {
		s.Failf(field+"originSSLProtocols", "CloudFront may speak %s to origin %s", strings.Join(old, " and "), o.Id)
	}
}

func judgeViewerCertificate(s *control.Subject, v estate.ViewerCertificate) {
	const field = "distributionConfig.viewerCertificate."
	if own, known := v.CloudFrontDefaultCertificate.Get(); known && own {
		s.Failf(field+"cloudFrontDefaultCertificate", "with the certificate of *.cloudfront.net viewers may use TLSv1; bring a certificate of ACM and TLSv1.2_2021 or newer")
		return
	}
	switch version, known := v.MinimumProtocolVersion.Get(); {
	case !known:
		s.Unknownf("minimumProtocolVersion is not known")
	case strings.HasPrefix(version, "TLSv1.2") || strings.HasPrefix(version, "TLSv1.3"):
	default:
		s.Failf(field+"minimumProtocolVersion", "viewers may use %s", strings.SplitN(version, "_", 2)[0])
	}
}
