package edge

import (
	"github.com/eksafe/eksafe/internal/control"
	"github.com/eksafe/eksafe/internal/estate"
	"github.com/eksafe/eksafe/internal/trace"
)

var albHardened = &control.Control{
	ID:       "alb-hardened",
	Title:    "Load balancers drop malformed requests and cannot be deleted by accident",
	Severity: control.Medium,
	Refs:     []control.Ref{control.FSBP("ELB.4"), control.FSBP("ELB.6"), control.FSBP("ELB.12"), control.ATTACK("T1190")},
	Serves:   []string{"S5"},
	Since:    "0.1.0",
	Check: control.Traced(applicationBalancers, (*trace.LoadBalancer).Place, judgeHardened,
		estate.LoadBalancers.Kind, estate.Ingresses.Kind, estate.Gateways.Kind).
		Helped(estate.IngressClasses.Kind, estate.IngressClassParameters.Kind,
			estate.GatewayClasses.Kind, estate.LoadBalancerConfigurations.Kind),
}

func applicationBalancers(g *trace.Graph) []*trace.LoadBalancer {
	var out []*trace.LoadBalancer
	for _, lb := range g.LoadBalancers {
		if lb.Type == "application" {
			out = append(out, lb)
		}
	}
	return out
}

func judgeHardened(s *control.Subject, lb *trace.LoadBalancer) {
	if lb.Actual != nil && lb.Actual.LoadBalancerAttributes.IsZero() {
		s.Unknownf("the attributes of %s are not known; allow elasticloadbalancing:DescribeLoadBalancerAttributes", lb.Name())
		return
	}
	// What is not set has AWS's default: only that of the mode is safe.
	if lb.Attributes["routing.http.drop_invalid_header_fields.enabled"] != "true" {
		s.FailAt(lb.AttributesAt, "%s passes header fields on that are not valid", lb.Name())
	}
	if lb.Attributes["routing.http.desync_mitigation_mode"] == "monitor" {
		s.FailAt(lb.AttributesAt, "%s only watches requests that two servers read differently: desync mitigation mode monitor", lb.Name())
	}
	if lb.Attributes["deletion_protection.enabled"] != "true" {
		s.FailAt(lb.AttributesAt, "%s can be deleted in one call: no deletion protection", lb.Name())
	}
}
