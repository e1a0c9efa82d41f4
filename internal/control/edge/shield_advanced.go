package edge

import (
	"slices"
	"strings"

	"github.com/eksafe/eksafe/internal/control"
	"github.com/eksafe/eksafe/internal/estate"
	"github.com/eksafe/eksafe/internal/trace"
)

var shieldAdvanced = &control.Control{
	ID:       "shield-advanced",
	Title:    "Shield Advanced protects what the internet reaches, where it is wanted",
	Severity: control.Low,
	Refs:     []control.Ref{control.AWS("shield-protected-resources"), control.AWS("shield-protection"), control.ATTACK("T1498")},
	Serves:   []string{"S26"},
	Since:    "0.1.0",
	Check: control.Traced(protectables, func(p protectable) trace.Place { return p.place }, judgeShield,
		estate.LoadBalancers.Kind, estate.Distributions.Kind, estate.HostedZones.Kind, estate.Ingresses.Kind, estate.Gateways.Kind).
		Helped(estate.ShieldSubscriptions.Kind, estate.ShieldProtections.Kind, estate.IngressClasses.Kind),
}

// A protectable is something that a protection of Shield Advanced may name.
type protectable struct {
	place   trace.Place
	name    string
	arn     string // empty for what does not exist yet
	account string
	ingress bool
}

func protectables(g *trace.Graph) []protectable {
	var out []protectable
	for _, e := range entries(g) {
		p := protectable{place: e.place, name: e.name()}
		switch {
		case e.distribution != nil:
			p.arn, p.account = e.distribution.Arn, e.distribution.Origin.Account
		case e.balancer.Actual != nil:
			p.arn, p.account = e.balancer.Actual.Arn, e.balancer.Actual.Origin.Account
		default:
			p.ingress = slices.ContainsFunc(e.balancer.DeclaredBy, isIngress)
		}
		out = append(out, p)
	}
	for _, z := range estate.HostedZones.In(g.Estate) {
		if !z.Private.Or(false) {
			out = append(out, protectable{
				place: trace.Place{Subject: estate.HostedZones.Ref(z), Origin: &z.Origin},
				name:  "hosted zone " + strings.TrimSuffix(z.Name, "."), arn: z.Arn, account: z.Origin.Account,
			})
		}
	}
	return out
}

func judgeShield(s *control.Subject, p protectable) {
	switch wanted := s.Config().Shield.Advanced; {
	case wanted == nil:
		s.NotWanted("nobody decided whether Shield Advanced is wanted; say so in eksafe.yaml (shield.advanced)")
		return
	case !*wanted:
		s.NotWanted("Shield Advanced is not wanted, as eksafe.yaml says")
		return
	}
	switch {
	case p.arn == "" && s.Read(estate.LoadBalancers.Kind):
		s.NotApplicable() // nothing has been made of it yet that anybody could reach
		return
	case p.arn == "":
		judgeShieldAnnotation(s, p)
		return
	}
	if !s.Read(estate.ShieldProtections.Kind) {
		s.Unknownf("whether Shield Advanced protects %s is not known; allow shield:ListProtections", p.name)
		return
	}
	if !slices.ContainsFunc(control.All(s, estate.ShieldProtections), func(x *estate.ShieldProtection) bool { return x.ResourceArn == p.arn }) {
		s.Failf("", "Shield Advanced does not protect %s", p.name)
		return
	}
	subscriptions := control.All(s, estate.ShieldSubscriptions)
	i := slices.IndexFunc(subscriptions, func(x *estate.ShieldSubscription) bool { return x.Origin.Account == p.account })
	if i < 0 {
		s.Unknownf("whether the account of %s subscribes to Shield Advanced is not known; allow shield:DescribeSubscription", p.name)
		return
	}
	sub := subscriptions[i]
	switch active, known := sub.Active.Get(); {
	case !known:
		s.Unknownf("whether the account of %s subscribes to Shield Advanced is not known; allow shield:DescribeSubscription", p.name)
	case !active:
		s.FailAt(trace.Place{Subject: estate.ShieldSubscriptions.Ref(sub), Origin: &sub.Origin, Field: "active"},
			"the account has protections of Shield Advanced but no active subscription: they protect nothing")
	}
}

// judgeShieldAnnotation judges what the controller will make.
func judgeShieldAnnotation(s *control.Subject, p protectable) {
	const annotation = "alb.ingress.kubernetes.io/shield-advanced-protection"
	if ing, ok := control.Find(s, estate.Ingresses, p.place.Subject.ID); ok && p.ingress && ing.Object.Annotations[annotation] == "true" {
		return
	}
	s.Unknownf("%s does not exist yet: whether Shield Advanced will protect it is not known", p.name)
}
