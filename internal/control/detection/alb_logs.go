package detection

import (
	"github.com/eksafe/eksafe/internal/control"
	"github.com/eksafe/eksafe/internal/estate"
	"github.com/eksafe/eksafe/internal/trace"
)

var albLogs = &control.Control{
	ID:       "alb-logs",
	Title:    "Application load balancers write access logs to a bucket",
	Severity: control.High,
	Refs:     []control.Ref{control.FSBP("ELB.5"), control.ATTACK("T1190")},
	Serves:   []string{"S35", "S38"},
	Since:    "0.1.0",
	Check: control.Traced(balancers, (*trace.LoadBalancer).Place, judgeAccessLogs,
		estate.LoadBalancers.Kind, estate.Ingresses.Kind, estate.Gateways.Kind).
		Helped(predictionKinds()...).Helped(estate.Buckets.Kind),
}

// balancers are the ALBs, internal ones too: who is inside already is seen
// there alone.
func balancers(g *trace.Graph) []*trace.LoadBalancer {
	var out []*trace.LoadBalancer
	for _, lb := range g.LoadBalancers {
		if lb.Type == "application" {
			out = append(out, lb)
		}
	}
	return out
}

func judgeAccessLogs(s *control.Subject, lb *trace.LoadBalancer) {
	if lb.Actual != nil && lb.Actual.LoadBalancerAttributes.IsZero() {
		s.Unknownf("the attributes of %s are not known; allow elasticloadbalancing:DescribeLoadBalancerAttributes", lb.Name())
		return
	}
	bucket := lb.Attributes["access_logs.s3.bucket"]
	switch {
	case lb.Attributes["access_logs.s3.enabled"] != "true":
		s.FailAt(lb.AttributesAt, "%s writes no access logs", lb.Name())
		return
	case bucket == "":
		s.FailAt(lb.AttributesAt, "%s writes access logs to no bucket", lb.Name())
		return
	}
	for _, b := range control.All(s, estate.Buckets) {
		if b.Arn == bucket || b.BucketName == bucket {
			return
		}
	}
	s.Unknownf("bucket %s, to which the access logs of %s go, is in none of the accounts that were read", bucket, lb.Name())
}
