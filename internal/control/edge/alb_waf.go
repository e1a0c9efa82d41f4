package edge

import (
	"github.com/eksafe/eksafe/internal/control"
	"github.com/eksafe/eksafe/internal/estate"
	"github.com/eksafe/eksafe/internal/trace"
)

var albWAF = &control.Control{
	ID:       "alb-waf",
	Title:    "A web ACL protects every entry from the internet",
	Severity: control.High,
	Refs:     []control.Ref{control.FSBP("CloudFront.6"), control.ATTACK("T1190")},
	Serves:   []string{"S20"},
	Since:    "0.1.0",
	Check: control.Traced(entries, func(e entry) trace.Place { return e.place }, judgeEntry,
		estate.LoadBalancers.Kind, estate.Distributions.Kind, estate.Ingresses.Kind, estate.Gateways.Kind).
		Helped(estate.WebACLAssociations.Kind, estate.IngressClasses.Kind, estate.IngressClassParameters.Kind,
			estate.GatewayClasses.Kind, estate.LoadBalancerConfigurations.Kind),
}

// An entry is an ALB that the internet may reach, or a distribution.
type entry struct {
	place        trace.Place
	balancer     *trace.LoadBalancer // nil for a distribution
	distribution *estate.Distribution
}

func entries(g *trace.Graph) []entry {
	var out []entry
	for _, lb := range g.LoadBalancers {
		if lb.Type == "application" && lb.InternetFacing() {
			out = append(out, entry{place: lb.Place(), balancer: lb})
		}
	}
	for _, d := range estate.Distributions.In(g.Estate) {
		if d.DistributionConfig.Enabled.Or(true) {
			out = append(out, entry{
				place:        trace.Place{Subject: estate.Distributions.Ref(d), Origin: &d.Origin},
				distribution: d,
			})
		}
	}
	return out
}

func judgeEntry(s *control.Subject, e entry) {
	if d := e.distribution; d != nil {
		acl, known := d.DistributionConfig.WebACLId.Get()
		switch {
		case !known:
			s.Unknownf("the web ACL of distribution %s is not known; read it live (--aws)", d.Id)
		case acl == "":
			s.Failf("distributionConfig.webACLId", "no web ACL protects the distribution")
		}
		return
	}
	lb := e.balancer
	acl, known := lb.WebACL.Get()
	switch _, sure := lb.Scheme.Get(); {
	case !known:
		s.Unknownf("the web ACL of %s is not known; allow wafv2:ListResourcesForWebACL", lb.Name())
	case acl != "":
	case !sure:
		s.Unknownf("%s has no web ACL, and whether the internet reaches it is not known; read it live (--aws)", lb.Name())
	default:
		s.FailAt(lb.WebACLAt, "no web ACL protects %s", lb.Name())
	}
}
