package transit

import (
	"slices"

	"github.com/eksafe/eksafe/internal/control"
	"github.com/eksafe/eksafe/internal/estate"
	"github.com/eksafe/eksafe/internal/trace"
)

var ingressTls = &control.Control{
	ID:       "ingress-tls",
	Title:    "What the load balancer controller makes of an Ingress or Gateway is TLS only",
	Severity: control.High,
	Refs:     []control.Ref{control.Project("lbc-certificate-discovery"), control.CISEKS("5.4.5")},
	Serves:   []string{"S4", "S5", "S6"},
	Since:    "0.1.0",
	Check: control.Traced(declarations, func(d declaration) trace.Place { return d.place }, judgeIngressTLS,
		estate.Ingresses.Kind, estate.Gateways.Kind).
		Helped(slices.Concat(entryHelpers, []estate.Kind{estate.Listeners.Kind, estate.Certificates.Kind})...),
}

// A declaration is an Ingress or a Gateway.
type declaration struct {
	place trace.Place
	lb    *trace.LoadBalancer
	// listeners are those that the declaration asks for or adds rules to; a
	// group has others too.
	listeners []*trace.Listener
	specTLS   bool // an Ingress with spec.tls
	ports     bool // an Ingress that says what to listen on
}

func declarations(g *trace.Graph) []declaration {
	// A group may have thousands of members, so its rules are gone through once.
	listeners := map[estate.Ref][]*trace.Listener{}
	for _, l := range g.Listeners() {
		mine := map[estate.Ref]bool{l.At.Subject: true}
		for _, r := range l.Rules {
			mine[r.At.Subject] = true
		}
		for ref := range mine {
			listeners[ref] = append(listeners[ref], l)
		}
	}
	var out []declaration
	for _, ing := range estate.Ingresses.In(g.Estate) {
		ref := estate.Ingresses.Ref(ing)
		out = append(out, declaration{
			place: trace.Place{Subject: ref, Origin: &ing.Origin}, lb: g.LoadBalancerOf(ref), listeners: listeners[ref],
			specTLS: len(ing.Object.Spec.TLS) > 0, ports: ing.Object.Annotations["alb.ingress.kubernetes.io/listen-ports"] != "",
		})
	}
	for _, gw := range estate.Gateways.In(g.Estate) {
		ref := estate.Gateways.Ref(gw)
		out = append(out, declaration{
			place: trace.Place{Subject: ref, Origin: &gw.Origin}, lb: g.LoadBalancerOf(ref), listeners: listeners[ref], ports: true,
		})
	}
	for i := range out {
		if out[i].lb != nil && len(out[i].listeners) == 0 {
			out[i].listeners = out[i].lb.Listeners // routes hold the rules of a Gateway
		}
	}
	return out
}

func judgeIngressTLS(s *control.Subject, d declaration) {
	if d.lb == nil || d.lb.Type != "application" {
		s.NotApplicable()
		return
	}
	if hidden(s, d.lb, false) {
		return
	}
	for _, l := range d.listeners {
		switch {
		case l.Protocol == "":
			s.FailAt(l.At, "the controller cannot read listen-ports, so it makes no listener")
		case l.TLS():
			d.judgeDiscovery(s, l)
		case l.Protocol == "HTTP" && l.Forwards() && d.specTLS && !d.ports:
			s.Failf("spec.tls", "the controller takes only host names from spec.tls and ignores its secret: without HTTPS in listen-ports or a certificate ARN the listener is %s", l)
		case l.Protocol == "HTTP" && l.Forwards():
			s.FailAt(l.At, "the controller makes the listener %s, which forwards requests without TLS", l)
		case slices.ContainsFunc(l.Rules, func(r *trace.Rule) bool { return r.Action == "" }):
			s.Unknownf("what %s does with some requests is not known: an actions annotation cannot be read", l)
		}
	}
}

// judgeDiscovery judges where the certificates of a TLS listener come from.
func (d declaration) judgeDiscovery(s *control.Subject, l *trace.Listener) {
	certs, known := l.Certificates.Get()
	switch {
	case known && len(certs) > 0 && l.Discovered:
		for _, h := range l.Hosts {
			covered := slices.ContainsFunc(certs, func(arn string) bool {
				c, ok := control.Find(s, estate.Certificates, arn)
				return ok && trace.CoversHost(c, h)
			})
			if !covered && s.Read(estate.Certificates.Kind) {
				s.FailAt(or(l.CertificatesAt, l.At), "no certificate in ACM covers %s, so the controller cannot make the listener %s", h, l)
			}
		}
	case known && len(certs) > 0:
	case known && l.Discovered && len(l.Hosts) == 0:
		s.FailAt(l.At, "the listener %s has no certificate ARN, and no host by which the controller could search ACM", l)
	case known && l.Discovered:
		s.FailAt(or(l.CertificatesAt, l.At), "no certificate in ACM covers %s, so the controller cannot make the listener %s", hostList(l.Hosts), l)
	case known:
		s.FailAt(or(l.CertificatesAt, l.At), "the listener %s has no certificate", l)
	case l.Discovered && len(l.Hosts) == 0:
		s.FailAt(l.At, "the listener %s has no certificate ARN, and no host by which the controller could search ACM", l)
	default:
		s.Unknownf("the controller searches ACM for a certificate of %s; read ACM (--aws), or name the certificate's ARN", hostList(l.Hosts))
	}
}
