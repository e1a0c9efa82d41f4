package transit

import (
	"slices"

	"github.com/eksafe/eksafe/internal/control"
	"github.com/eksafe/eksafe/internal/estate"
	"github.com/eksafe/eksafe/internal/trace"
)

var entryIsAlb = &control.Control{
	ID:        "entry-is-alb",
	Title:     "Web applications enter through an Application Load Balancer",
	Severity:  control.Medium,
	Refs:      []control.Ref{control.AWS("alb-ingress")},
	Serves:    []string{"S5"},
	Since:     "0.1.0",
	Admission: entryIsAlbAdmission,
	Check: control.Traced(loadBalancers, (*trace.LoadBalancer).Place, judgeEntryIsAlb,
		estate.Ingresses.Kind, estate.Services.Kind, estate.Gateways.Kind, estate.LoadBalancers.Kind, estate.ClassicLoadBalancers.Kind).
		Helped(entryHelpers...),
}

func judgeEntryIsAlb(s *control.Subject, lb *trace.LoadBalancer) {
	web := slices.ContainsFunc(lb.Listeners, isWeb)
	switch lb.Type {
	case "application":
	case "":
		s.Unknownf("%s: eksafe does not know the controller that serves it, nor what load balancer stands before that controller", s.Ref().ID)
	case "classic", "network":
		// An NLB may stand before an ALB to give it fixed addresses.
		if !web || leadsToALB(lb) {
			s.NotApplicable()
			return
		}
		kind := "a Network Load Balancer"
		if lb.Type == "classic" {
			kind = "a Classic Load Balancer"
		}
		s.FailAt(lb.Place(), "web traffic enters through %s, which knows no HTTP: no routing, no WAF, no redirects", kind)
	default: // gateway: an appliance's, no entry
		s.NotApplicable()
	}
}

func leadsToALB(lb *trace.LoadBalancer) bool {
	for _, l := range lb.Listeners {
		for _, t := range targetsOf(l) {
			if t.Group == nil || t.Group.TargetType.Or("") != "alb" {
				return false
			}
		}
	}
	return len(lb.Listeners) > 0
}
