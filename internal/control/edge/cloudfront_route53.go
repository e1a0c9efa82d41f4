package edge

import (
	"fmt"
	"slices"
	"strings"

	"github.com/eksafe/eksafe/internal/control"
	"github.com/eksafe/eksafe/internal/estate"
	"github.com/eksafe/eksafe/internal/trace"
)

var cloudfrontRoute53 = &control.Control{
	ID:       "cloudfront-route53",
	Title:    "CloudFront and Route 53 stand before public applications",
	Severity: control.Low,
	Refs:     []control.Ref{control.AWS("shield-standard"), control.AWS("route53-alias"), control.ATTACK("T1498")},
	Serves:   []string{"S25"},
	Since:    "0.1.0",
	Check: control.Traced(publicBalancers, func(e entry) trace.Place { return e.place }, judgeFront,
		estate.LoadBalancers.Kind, estate.Ingresses.Kind, estate.Gateways.Kind).
		Helped(estate.Distributions.Kind, estate.HostedZones.Kind, estate.Listeners.Kind, estate.ListenerRules.Kind,
			estate.IngressClasses.Kind, estate.GatewayClasses.Kind, estate.LoadBalancerConfigurations.Kind),
}

// publicBalancers returns the ALBs that the internet may reach.
func publicBalancers(g *trace.Graph) []entry {
	return slices.DeleteFunc(entries(g), func(e entry) bool { return e.balancer == nil })
}

func judgeFront(s *control.Subject, e entry) {
	lb := e.balancer
	if lb.Actual == nil && s.Read(estate.LoadBalancers.Kind) {
		s.NotApplicable() // nothing has been made of it yet that anybody could reach
		return
	}
	if !s.Read(estate.Distributions.Kind) {
		s.Unknownf("whether CloudFront stands before %s is not known; allow cloudfront:ListDistributions", lb.Name())
		return
	}
	fronts := distributionsOf(s, lb)
	if len(fronts) == 0 {
		switch _, sure := lb.Scheme.Get(); {
		case lb.Actual == nil:
			s.Unknownf("whether CloudFront stands before %s is not known: only AWS knows its name; read it live (--aws)", lb.Name())
		case !sure:
			s.Unknownf("no distribution stands before %s, and whether the internet reaches it is not known; read it live (--aws)", lb.Name())
		default:
			s.FailAt(e.place, "no distribution of CloudFront stands before %s", lb.Name())
		}
		return
	}
	if !s.Read(estate.HostedZones.Kind) {
		s.Unknownf("where the host names of %s lead is not known; allow route53:ListResourceRecordSets", lb.Name())
		return
	}
	var hosts, origins []string
	for _, l := range lb.Listeners {
		hosts = append(hosts, l.Hosts...)
	}
	for _, d := range fronts {
		hosts = append(hosts, d.DistributionConfig.Aliases...)
		for _, o := range d.DistributionConfig.Origins {
			origins = append(origins, hostKey(o.DomainName))
		}
	}
	slices.Sort(hosts)
	for _, h := range slices.Compact(hosts) {
		// The name by which CloudFront itself asks leads to the load balancer.
		if strings.Contains(h, "*") || slices.Contains(origins, hostKey(h)) {
			continue
		}
		judgeHost(s, lb, fronts, h)
	}
}

// judgeHost judges where Route 53 leads who asks for a host.
func judgeHost(s *control.Subject, lb *trace.LoadBalancer, fronts []*estate.Distribution, host string) {
	zone := zoneOf(s, host)
	if zone == nil {
		s.Unknownf("no hosted zone that was read holds %s, a name of %s", host, lb.Name())
		return
	}
	records, known := zone.Records.Get()
	if !known {
		s.Unknownf("the records of hosted zone %s are not known; allow route53:ListResourceRecordSets", strings.TrimSuffix(zone.Name, "."))
		return
	}
	for i, r := range records {
		if hostKey(r.Name) != hostKey(host) {
			continue
		}
		targets := r.ResourceRecords
		field := "resourceRecords"
		if r.AliasTarget != "" {
			targets, field = []string{r.AliasTarget}, "aliasTarget"
		}
		for _, t := range targets {
			if !slices.ContainsFunc(fronts, func(d *estate.Distribution) bool { return hostKey(d.DomainName) == hostKey(t) }) {
				s.FailAt(trace.Place{Subject: estate.HostedZones.Ref(zone), Origin: &zone.Origin, Field: fmt.Sprintf("records[%d].%s", i, field)},
					"%s leads to %s, past the distribution that stands before %s", host, strings.TrimSuffix(t, "."), lb.Name())
			}
		}
	}
}

// zoneOf returns the public hosted zone that answers for a host: the one with
// the longest name.
func zoneOf(s *control.Subject, host string) *estate.HostedZone {
	var best *estate.HostedZone
	for _, z := range control.All(s, estate.HostedZones) {
		name := hostKey(z.Name)
		if z.Private.Or(false) || hostKey(host) != name && !strings.HasSuffix(hostKey(host), "."+name) {
			continue
		}
		if best == nil || len(name) > len(hostKey(best.Name)) {
			best = z
		}
	}
	return best
}

// hostKey compares host names; dualstack. is an alias of load balancers.
func hostKey(host string) string {
	return strings.TrimPrefix(strings.ToLower(strings.TrimSuffix(host, ".")), "dualstack.")
}

// distributionsOf returns the distributions that fetch from a load balancer.
func distributionsOf(s *control.Subject, lb *trace.LoadBalancer) []*estate.Distribution {
	var out []*estate.Distribution
	for _, ref := range lb.Distributions() {
		if d, ok := control.Find(s, estate.Distributions, ref.ID); ok {
			out = append(out, d)
		}
	}
	return out
}
