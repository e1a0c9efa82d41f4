package trace

import (
	"cmp"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/intstr"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/eksafe/eksafe/internal/estate"
)

// This file predicts what the AWS Load Balancer Controller makes of Gateways.
// Rules: the controller's documentation, "Gateway API": an ALB for HTTPRoute and
// GRPCRoute, an NLB for TCP, TLS and UDP routes; certificateRefs are not
// supported; the class's configuration wins unless its mergingMode says
// otherwise.

type gateway = estate.Resource[gatewayv1.Gateway]
type lbConfig = estate.Resource[estate.LoadBalancerConfiguration]

func (g *Graph) gateways() {
	classes := map[string]*estate.Resource[gatewayv1.GatewayClass]{}
	for _, c := range estate.GatewayClasses.In(g.Estate) {
		classes[c.Object.Name] = c
	}
	configs := map[name]*lbConfig{}
	for _, c := range estate.LoadBalancerConfigurations.In(g.Estate) {
		configs[name{c.Object.Namespace, c.Object.Name}] = c
	}
	routes := g.gatewayRoutes()
	for _, gw := range estate.Gateways.In(g.Estate) {
		class := classes[string(gw.Object.Spec.GatewayClassName)]
		controller := ""
		if class != nil {
			controller = string(class.Object.Spec.ControllerName)
		}
		typ := ""
		switch controller {
		case "gateway.k8s.aws/alb":
			typ = "application"
		case "gateway.k8s.aws/nlb":
			typ = "network"
		default:
			if controller != "" {
				continue // a mesh's or another vendor's: its Service is the entry
			}
		}
		var found []*lbConfig
		if class != nil && class.Object.Spec.ParametersRef != nil {
			r := class.Object.Spec.ParametersRef
			ns := ""
			if r.Namespace != nil {
				ns = string(*r.Namespace)
			}
			if c := configs[name{ns, r.Name}]; c != nil {
				found = append(found, c)
			}
		}
		if infra := gw.Object.Spec.Infrastructure; infra != nil && infra.ParametersRef != nil {
			if c := configs[name{gw.Object.Namespace, infra.ParametersRef.Name}]; c != nil {
				found = append(found, c)
				if len(found) == 2 && found[0].Object.Spec.MergingMode == "prefer-gateway" {
					slices.Reverse(found)
				}
			}
		}
		g.addLoadBalancer(g.predictGateway(gw, typ, found, routes[name{gw.Object.Namespace, gw.Object.Name}]))
	}
}

func (g *Graph) predictGateway(gw *gateway, typ string, configs []*lbConfig, routes []gatewayRoute) *LoadBalancer {
	self := func(field string) Place { return placeOf(estate.Gateways, gw, field) }
	lb := &LoadBalancer{
		Type: typ, Predicted: true, OpensTargets: true, Attributes: map[string]string{}, DeclaredBy: []Place{self("spec")},
		Scheme: estate.Known("internal"), SchemeAt: self("spec.infrastructure"),
		WebACL: estate.Known(""), WebACLAt: self("spec.infrastructure"), AttributesAt: self("spec.infrastructure"),
		Ref: estate.Ref{
			Kind: "LoadBalancer", Name: gw.Object.Namespace + "-" + gw.Object.Name,
			ID: "predicted:gateway/" + gw.Object.Namespace + "/" + gw.Object.Name,
		},
	}
	if typ == "" {
		lb.Scheme = estate.Optional[string]{}
		lb.WebACL = estate.Optional[string]{}
	}
	// The configuration that wins stands first; the others fill in.
	for i := len(configs) - 1; i >= 0; i-- {
		c := configs[i]
		at := func(field string) Place { return placeOf(estate.LoadBalancerConfigurations, c, "spec."+field) }
		spec := c.Object.Spec
		if spec.Scheme != "" {
			lb.Scheme, lb.SchemeAt = estate.Known(spec.Scheme), at("scheme")
		}
		if spec.WAFv2 != nil {
			lb.WebACL, lb.WebACLAt = estate.Known(spec.WAFv2.ACL), at("wafV2.webACL")
		}
		if len(spec.SourceRanges) > 0 {
			lb.InboundCIDRs = spec.SourceRanges
		}
		if len(spec.SecurityGroups) > 0 {
			lb.SecurityGroups, lb.OpensTargets = spec.SecurityGroups, spec.ManageBackendSecurityGroupRules
		}
		if len(spec.SecurityGroupPrefixes) > 0 {
			lb.PrefixLists = spec.SecurityGroupPrefixes
		}
		if spec.LoadBalancerName != "" {
			lb.Ref.Name = spec.LoadBalancerName
		}
		lb.AttributesAt = at("loadBalancerAttributes")
		for _, a := range spec.LoadBalancerAttributes {
			lb.Attributes[a.Key] = a.Value
		}
	}
	for i, l := range gw.Object.Spec.Listeners {
		listener := &Listener{
			LoadBalancer: lb, Protocol: string(l.Protocol), Port: l.Port, At: self("spec.listeners[" + itoa(i) + "].protocol"),
			Attributes: estate.Known(map[string]string{}),
		}
		if l.Hostname != nil {
			listener.Hosts = []string{string(*l.Hostname)}
		}
		for _, r := range routes {
			if r.section != "" && r.section != string(l.Name) || r.port != 0 && r.port != l.Port {
				continue
			}
			listener.Hosts = union(listener.Hosts, r.hosts)
			listener.Rules = append(listener.Rules, r.rules(g, typ)...)
		}
		if listener.TLS() {
			g.gatewayTLSSettings(listener, configs, self("spec.listeners["+itoa(i)+"].tls"))
		}
		lb.Listeners = append(lb.Listeners, listener)
	}
	return lb
}

func (g *Graph) gatewayTLSSettings(l *Listener, configs []*lbConfig, at Place) {
	l.SSLPolicy, l.SSLPolicyAt, l.CertificatesAt = estate.Known(""), at, at
	attributes, _ := l.Attributes.Get()
	for i := len(configs) - 1; i >= 0; i-- {
		c := configs[i]
		for j, lc := range c.Object.Spec.ListenerConfigurations {
			if lc.ProtocolPort != l.String() {
				continue
			}
			field := "spec.listenerConfigurations[" + itoa(j) + "]."
			if lc.SSLPolicy != "" {
				l.SSLPolicy, l.SSLPolicyAt = estate.Known(lc.SSLPolicy), placeOf(estate.LoadBalancerConfigurations, c, field+"sslPolicy")
			}
			if lc.DefaultCertificate != "" {
				l.Certificates = estate.Known(append([]string{lc.DefaultCertificate}, lc.Certificates...))
				l.CertificatesAt = placeOf(estate.LoadBalancerConfigurations, c, field+"defaultCertificate")
			}
			for _, a := range lc.ListenerAttributes {
				attributes[a.Key] = a.Value
			}
		}
	}
	if _, known := l.Certificates.Get(); !known {
		l.Discovered = true
		if g.Estate.Coverage(estate.Certificates.Kind).State == estate.Read {
			l.Certificates = estate.Known(g.discover(l.Hosts))
		}
	}
}

// A gatewayRoute is one attachment of a route to a Gateway.
type gatewayRoute struct {
	section string
	port    int32
	hosts   []string
	kind    string
	name    name
	parts   []routePart
}

// A routePart is one rule of a route.
type routePart struct {
	at       Place
	redirect string // scheme of a redirect; "" for none, "#{protocol}" for the request's own
	backends []gatewayv1.BackendObjectReference
	paths    []string
}

func (g *Graph) gatewayRoutes() map[name][]gatewayRoute {
	out := map[name][]gatewayRoute{}
	attach := func(namespace string, parents []gatewayv1.ParentReference, r gatewayRoute) {
		for _, p := range parents {
			if p.Kind != nil && *p.Kind != "Gateway" {
				continue
			}
			gw := name{namespace, string(p.Name)}
			if p.Namespace != nil {
				gw.namespace = string(*p.Namespace)
			}
			a := r
			if p.SectionName != nil {
				a.section = string(*p.SectionName)
			}
			if p.Port != nil {
				a.port = *p.Port
			}
			out[gw] = append(out[gw], a)
		}
	}
	for _, r := range estate.HTTPRoutes.In(g.Estate) {
		route := gatewayRoute{kind: "HTTPRoute", name: name{r.Object.Namespace, r.Object.Name}, hosts: hostnames(r.Object.Spec.Hostnames)}
		for i, rule := range r.Object.Spec.Rules {
			part := routePart{at: placeOf(estate.HTTPRoutes, r, "spec.rules["+itoa(i)+"]")}
			for _, f := range rule.Filters {
				if f.RequestRedirect != nil {
					part.redirect = "#{protocol}"
					if f.RequestRedirect.Scheme != nil {
						part.redirect = strings.ToUpper(*f.RequestRedirect.Scheme)
					}
				}
			}
			for _, b := range rule.BackendRefs {
				part.backends = append(part.backends, b.BackendObjectReference)
			}
			for _, m := range rule.Matches {
				if m.Path != nil && m.Path.Value != nil {
					part.paths = append(part.paths, *m.Path.Value)
				}
			}
			route.parts = append(route.parts, part)
		}
		attach(r.Object.Namespace, r.Object.Spec.ParentRefs, route)
	}
	for _, r := range estate.GRPCRoutes.In(g.Estate) {
		route := gatewayRoute{kind: "GRPCRoute", name: name{r.Object.Namespace, r.Object.Name}, hosts: hostnames(r.Object.Spec.Hostnames)}
		for i, rule := range r.Object.Spec.Rules {
			part := routePart{at: placeOf(estate.GRPCRoutes, r, "spec.rules["+itoa(i)+"]")}
			for _, b := range rule.BackendRefs {
				part.backends = append(part.backends, b.BackendObjectReference)
			}
			route.parts = append(route.parts, part)
		}
		attach(r.Object.Namespace, r.Object.Spec.ParentRefs, route)
	}
	for kind, c := range map[string]estate.Collection[*estate.Resource[estate.L4Route]]{"TLSRoute": estate.TLSRoutes, "TCPRoute": estate.TCPRoutes} {
		for _, r := range c.In(g.Estate) {
			route := gatewayRoute{kind: kind, name: name{r.Object.Namespace, r.Object.Name}, hosts: hostnames(r.Object.Spec.Hostnames)}
			for i, rule := range r.Object.Spec.Rules {
				part := routePart{at: placeOf(c, r, "spec.rules["+itoa(i)+"]")}
				for _, b := range rule.BackendRefs {
					part.backends = append(part.backends, b.BackendObjectReference)
				}
				route.parts = append(route.parts, part)
			}
			attach(r.Object.Namespace, r.Object.Spec.ParentRefs, route)
		}
	}
	for _, routes := range out {
		slices.SortStableFunc(routes, func(a, b gatewayRoute) int {
			return cmp.Or(cmp.Compare(a.kind, b.kind), cmp.Compare(a.name.namespace, b.name.namespace), cmp.Compare(a.name.name, b.name.name))
		})
	}
	return out
}

func hostnames(hs []gatewayv1.Hostname) []string {
	var out []string
	for _, h := range hs {
		out = append(out, string(h))
	}
	return out
}

// rules returns what the listener does for the route.
func (r gatewayRoute) rules(g *Graph, typ string) []*Rule {
	var out []*Rule
	for _, p := range r.parts {
		rule := &Rule{Action: "forward", At: p.at, Hosts: r.hosts, Paths: p.paths}
		if p.redirect != "" {
			rule.Action, rule.RedirectProtocol = "redirect", p.redirect
			out = append(out, rule)
			continue
		}
		for _, b := range p.backends {
			if b.Kind != nil && *b.Kind != "Service" {
				continue
			}
			n := name{r.name.namespace, string(b.Name)}
			if b.Namespace != nil {
				n.namespace = string(*b.Namespace)
			}
			rule.Targets = append(rule.Targets, g.gatewayTarget(r, n, b, typ, p.at))
		}
		out = append(out, rule)
	}
	return out
}

func (g *Graph) gatewayTarget(r gatewayRoute, n name, b gatewayv1.BackendObjectReference, typ string, at Place) *Target {
	t := &Target{At: at}
	switch typ {
	case "application":
		t.Protocol = estate.Known("HTTP")
	case "network":
		t.Protocol = estate.Known("TCP")
	}
	for _, c := range estate.TargetGroupConfigurations.In(g.Estate) {
		if c.Object.Namespace != n.namespace || c.Object.Spec.TargetReference.Name != n.name {
			continue
		}
		protocol, field := c.Object.Spec.DefaultConfiguration.Protocol, "spec.defaultConfiguration.protocol"
		kind := c.Object.Spec.DefaultConfiguration.TargetType
		for i, rc := range c.Object.Spec.RouteConfigurations {
			id := rc.RouteIdentifier
			if (id.RouteName != "" && id.RouteName != r.name.name) || (id.RouteNamespace != "" && id.RouteNamespace != r.name.namespace) ||
				(id.RouteKind != "" && id.RouteKind != r.kind) {
				continue
			}
			kind = cmp.Or(rc.TargetGroupProps.TargetType, kind)
			if rc.TargetGroupProps.Protocol != "" {
				protocol, field = rc.TargetGroupProps.Protocol, "spec.routeConfigurations["+itoa(i)+"].targetGroupProps.protocol"
				break
			}
		}
		t.Type = targetType(kind)
		t.At = placeOf(estate.TargetGroupConfigurations, c, field)
		if protocol != "" {
			t.Protocol = estate.Known(strings.ToUpper(protocol))
		}
		break
	}
	port := intstr.IntOrString{}
	if b.Port != nil {
		port = intstr.FromInt32(*b.Port)
	}
	g.backend(t, g.index.services[n], port)
	return t
}
