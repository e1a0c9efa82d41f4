package transit

import (
	"fmt"
	"slices"
	"strings"

	"github.com/eksafe/eksafe/internal/control"
	"github.com/eksafe/eksafe/internal/estate"
	"github.com/eksafe/eksafe/internal/trace"
)

// Kinds that decide what listens: a missing one might hide a listener.
var entryKinds = []estate.Kind{
	estate.Ingresses.Kind, estate.Services.Kind, estate.Gateways.Kind,
	estate.LoadBalancers.Kind, estate.ClassicLoadBalancers.Kind, estate.Listeners.Kind,
}

// Kinds that decide how listeners are configured. They need not be asked for:
// predictions do without AWS, and an account without a cluster has no classes.
var entryHelpers = []estate.Kind{
	estate.IngressClasses.Kind, estate.IngressClassParameters.Kind,
	estate.GatewayClasses.Kind, estate.LoadBalancerConfigurations.Kind,
	estate.HTTPRoutes.Kind, estate.GRPCRoutes.Kind, estate.TLSRoutes.Kind, estate.TCPRoutes.Kind,
	estate.ListenerRules.Kind,
}

// Kinds that decide where rules lead to and what serves there.
var targetHelpers = slices.Concat(entryHelpers, []estate.Kind{
	estate.TargetGroups.Kind, estate.TargetGroupBindings.Kind, estate.TargetGroupConfigurations.Kind,
	estate.Workloads.Kind, estate.ConfigMaps.Kind, estate.IstioGateways.Kind,
})

// unread returns a kind that configures a predicted load balancer and was not
// read: what is missing there is no fact. A real one shows what it is.
func unread(s *control.Subject, lb *trace.LoadBalancer, targets bool) estate.Kind {
	if len(lb.DeclaredBy) == 0 {
		return ""
	}
	var kinds []estate.Kind
	switch lb.DeclaredBy[0].Subject.Kind {
	case estate.Ingresses.Kind:
		kinds = []estate.Kind{estate.IngressClasses.Kind, estate.IngressClassParameters.Kind}
	case estate.Gateways.Kind:
		kinds = []estate.Kind{estate.GatewayClasses.Kind, estate.LoadBalancerConfigurations.Kind}
		if targets {
			kinds = append(kinds, estate.TargetGroupConfigurations.Kind)
		}
	}
	for _, k := range kinds {
		if lb.Predicted && !s.Read(k) {
			return k
		}
	}
	return ""
}

// hidden says that a load balancer cannot be judged, because a kind that
// configures it was not read.
func hidden(s *control.Subject, lb *trace.LoadBalancer, targets bool) bool {
	kind := unread(s, lb, targets)
	if kind == "" {
		return false
	}
	s.Unknownf("%s may configure %s, and was not read", kind, lb.Name())
	return true
}

func loadBalancers(g *trace.Graph) []*trace.LoadBalancer { return g.LoadBalancers }

func listeners(g *trace.Graph) []*trace.Listener { return g.Listeners() }

func placeOfListener(l *trace.Listener) trace.Place { return l.At }

// listenerName names a listener for people: "HTTP:80 of ALB shop".
func listenerName(l *trace.Listener) string {
	return l.String() + " of " + l.LoadBalancer.Name()
}

// or returns p, or q where p is nowhere.
func or(p, q trace.Place) trace.Place {
	if p.Subject.IsZero() {
		return q
	}
	return p
}

// countsAsInternet explains why a listener of unknown scheme is judged.
func countsAsInternet(lb *trace.LoadBalancer) string {
	if lb.Scheme.IsZero() {
		return "; its scheme is not known, so it counts as internet-facing"
	}
	return ""
}

// served says whether pods behind a target serve TLS: yes if all do, no if one
// does not, with the evidence that decided. A target without known pods is
// unclear.
func served(s *control.Subject, t *trace.Target) (trace.Ternary, trace.Evidence) {
	if len(t.Workloads) == 0 {
		return trace.Unclear, trace.Evidence{Why: "the pods behind it are not known"}
	}
	all := trace.Evidence{TLS: trace.Yes}
	for _, w := range t.Workloads {
		ev := s.Graph().ServesTLS(w, t.PodPort)
		switch {
		case ev.TLS == trace.No:
			return trace.No, ev
		case ev.TLS == trace.Unclear:
			all = ev
		}
	}
	return all.TLS, all
}

// targetsOf returns the targets of all rules of a listener.
func targetsOf(l *trace.Listener) []*trace.Target {
	var out []*trace.Target
	for _, r := range l.Rules {
		if r.Action == "forward" {
			out = append(out, r.Targets...)
		}
	}
	return out
}

// targetName names a target for people: "Service web" or "target group x".
func targetName(t *trace.Target) string {
	switch {
	case t.Service != nil && t.PodPort != 0:
		return fmt.Sprintf("%s (pod port %d)", t.Service.Object.Name, t.PodPort)
	case t.Service != nil:
		return t.Service.Object.Name
	case t.Group != nil:
		return "target group " + t.Group.Name
	}
	return "a target that was not read"
}

// isWeb reports whether a listener carries web traffic, as far as protocol,
// ports and names tell.
func isWeb(l *trace.Listener) bool {
	switch l.Protocol {
	case "HTTP", "HTTPS", "QUIC":
		return true
	case "UDP":
		return l.Port == 443 // HTTP/3
	}
	switch l.Port {
	case 80, 443, 8000, 8080, 8443:
		return true
	}
	for _, t := range targetsOf(l) {
		if p := t.Protocol.Or(""); p == "HTTP" || p == "HTTPS" {
			return true
		}
		if t.Service == nil {
			continue
		}
		for _, p := range t.Service.Object.Spec.Ports {
			if p.Port != l.Port {
				continue
			}
			name := strings.ToLower(p.Name)
			if p.AppProtocol != nil {
				name = strings.ToLower(*p.AppProtocol)
			}
			if strings.HasPrefix(name, "http") || strings.HasPrefix(name, "grpc") || strings.HasSuffix(name, "/ws") || strings.HasSuffix(name, "/wss") {
				return true
			}
		}
	}
	return false
}
