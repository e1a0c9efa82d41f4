package trace

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/eksafe/eksafe/internal/estate"
)

// This file predicts what the AWS Load Balancer Controller (and EKS Auto Mode)
// make of Ingresses. Rules: the controller's documentation, "Ingress
// annotations" and "IngressClassParams"; class parameters win over
// annotations, a Service's annotations over its Ingress's.

const alb = "alb.ingress.kubernetes.io/"

type ingress = estate.Resource[networkingv1.Ingress]

// A member is one Ingress of a group with the parameters of its class.
type member struct {
	ing    *ingress
	params *estate.Resource[estate.IngressClassParams] // nil without any
	auto   bool
}

func (m member) place(key string) Place { return placeOf(estate.Ingresses, m.ing, annotation(alb+key)) }

func (m member) paramsPlace(field string) Place {
	return placeOf(estate.IngressClassParameters, m.params, "spec."+field)
}

func (m member) annotation(key string) (string, bool) {
	v, ok := m.ing.Object.Annotations[alb+key]
	return strings.TrimSpace(v), ok
}

// setting returns a class parameter if it is set, else an annotation.
func (m member) setting(param, field, key string) (value string, at Place, set bool) {
	if param != "" {
		return param, m.paramsPlace(field), true
	}
	v, ok := m.annotation(key)
	return v, m.place(key), ok
}

func (m member) spec() estate.IngressClassParamsSpec {
	if m.params == nil {
		return estate.IngressClassParamsSpec{}
	}
	return m.params.Object.Spec
}

// A classification says who serves an Ingress.
type classification struct {
	alb   bool
	known bool
	auto  bool
	class string
	param *estate.Resource[estate.IngressClassParams]
}

func (g *Graph) classify(ing *ingress) classification {
	className := ""
	if n := ing.Object.Spec.IngressClassName; n != nil {
		className = *n
	} else if a := ing.Object.Annotations["kubernetes.io/ingress.class"]; a != "" {
		// The old annotation names no IngressClass object.
		return classification{alb: a == "alb", known: true, class: a}
	}
	for _, c := range estate.IngressClasses.In(g.Estate) {
		if c.Object.Name != className && !(className == "" && c.Object.Annotations[networkingv1.AnnotationIsDefaultIngressClass] == "true") {
			continue
		}
		out := classification{known: true, class: c.Object.Name}
		out.auto = c.Object.Spec.Controller == "eks.amazonaws.com/alb"
		out.alb = out.auto || c.Object.Spec.Controller == "ingress.k8s.aws/alb"
		if p := c.Object.Spec.Parameters; p != nil && p.Kind == "IngressClassParams" {
			out.param = g.classParams[p.Name]
		}
		return out
	}
	// The class object is not here: the controller's chart and every guide
	// call its class "alb".
	return classification{alb: className == "alb", known: className != "", class: className}
}

// IngressParameters returns the parameters of the class of an Ingress that an
// ALB controller serves, nil if it has none or they were not read.
func (g *Graph) IngressParameters(ing *estate.Resource[networkingv1.Ingress]) *estate.Resource[estate.IngressClassParams] {
	return g.classify(ing).param
}

// ingresses predicts a load balancer for every Ingress or group.
func (g *Graph) ingresses() {
	groups := map[string][]member{}
	var order []string
	for _, ing := range estate.Ingresses.In(g.Estate) {
		c := g.classify(ing)
		if !c.alb {
			g.otherIngress(ing, c)
			continue
		}
		m := member{ing: ing, params: c.param, auto: c.auto}
		key := "ingress/" + ing.Object.Namespace + "/" + ing.Object.Name
		group := ""
		if p := m.spec().Group; p != nil {
			group = p.Name
		} else if v, ok := m.annotation("group.name"); ok {
			group = nameIn(v)
		}
		if group != "" {
			key = "group/" + group
		}
		if groups[key] == nil {
			order = append(order, key)
		}
		groups[key] = append(groups[key], m)
	}
	for _, key := range order {
		g.addLoadBalancer(g.predictALB(key, groups[key]))
	}
}

func (g *Graph) predictALB(key string, members []member) *LoadBalancer {
	slices.SortStableFunc(members, func(a, b member) int {
		return cmp.Or(cmp.Compare(groupOrder(a), groupOrder(b)),
			cmp.Compare(a.ing.Object.Namespace, b.ing.Object.Namespace), cmp.Compare(a.ing.Object.Name, b.ing.Object.Name))
	})
	lb := &LoadBalancer{Type: "application", Predicted: true, Attributes: map[string]string{}, OpensTargets: true}
	first := members[0]
	displayName := first.ing.Object.Namespace + "-" + first.ing.Object.Name
	if group, ok := strings.CutPrefix(key, "group/"); ok {
		displayName = group
	}
	lb.Scheme, lb.SchemeAt = estate.Known("internal"), first.place("scheme")
	lb.WebACL, lb.WebACLAt = estate.Known(""), first.place("wafv2-acl-arn")
	lb.AttributesAt = first.place("load-balancer-attributes")
	redirectTo, redirectAt := int32(0), Place{}
	for _, m := range members {
		lb.Auto = lb.Auto || m.auto
		lb.DeclaredBy = append(lb.DeclaredBy, placeOf(estate.Ingresses, m.ing, "spec"))
		p := m.spec()
		if v, _, ok := m.setting(p.LoadBalancerName, "loadBalancerName", "load-balancer-name"); ok {
			displayName = cmp.Or(nameIn(v), displayName)
		}
		if v, at, ok := m.setting(p.Scheme, "scheme", "scheme"); ok {
			lb.Scheme, lb.SchemeAt = estate.Known(v), at
			if v != "internal" && v != "internet-facing" {
				lb.Scheme = estate.Optional[string]{}
			}
		}
		if v, at, ok := m.setting(p.SSLRedirectPort, "sslRedirectPort", "ssl-redirect"); ok && parsePort(v) != 0 {
			redirectTo, redirectAt = parsePort(v), at
		}
		for param, field := range map[string]string{p.WAFv2ACLArn: "wafv2AclArn", p.WAFv2ACLName: "wafv2AclName"} {
			if param != "" {
				lb.WebACL, lb.WebACLAt = estate.Known(param), m.paramsPlace(field)
			}
		}
		if p.WAFv2ACLArn == "" && p.WAFv2ACLName == "" {
			for _, k := range []string{"wafv2-acl-arn", "wafv2-acl-name"} {
				if v, ok := m.annotation(k); ok && v != "" {
					if v == "none" {
						v = ""
					}
					lb.WebACL, lb.WebACLAt = estate.Known(v), m.place(k)
				}
			}
		}
		for _, a := range p.LoadBalancerAttributes {
			lb.Attributes[a.Key], lb.AttributesAt = a.Value, m.paramsPlace("loadBalancerAttributes")
		}
		if v, ok := m.annotation("load-balancer-attributes"); ok {
			for k, v := range keyValues(v) {
				if _, set := lb.Attributes[k]; !set {
					lb.Attributes[k] = v
				}
			}
		}
	}
	lb.InboundCIDRs = inboundCIDRs(members)
	for _, m := range members {
		if v, ok := m.annotation("security-groups"); ok {
			managed, _ := m.annotation("manage-backend-security-group-rules")
			lb.SecurityGroups, lb.OpensTargets = union(lb.SecurityGroups, commaList(v)), managed == "true"
		}
		lists, _ := m.annotation("security-group-prefix-lists")
		lb.PrefixLists = union(lb.PrefixLists, slices.Concat(m.spec().PrefixListsIDs, commaList(lists)))
	}
	lb.Ref = estate.Ref{Kind: "LoadBalancer", Name: displayName, ID: "predicted:" + key}
	for _, m := range members {
		g.predictListeners(lb, m)
	}
	slices.SortStableFunc(lb.Listeners, func(a, b *Listener) int { return cmp.Compare(a.Port, b.Port) })
	for _, l := range lb.Listeners {
		switch {
		case l.Protocol == "HTTP" && redirectTo != 0 && l.Port != redirectTo:
			// The controller replaces every rule of the listener.
			l.Rules = []*Rule{{Default: true, Action: "redirect", RedirectProtocol: "HTTPS", At: redirectAt}}
		case !slices.ContainsFunc(l.Rules, func(r *Rule) bool { return r.Default }):
			l.Rules = append(l.Rules, &Rule{Default: true, Action: "fixed-response", At: l.At})
		}
	}
	return lb
}

// inboundCIDRs returns the networks that the members let in, none if one of them
// does not limit them or brings security groups of its own.
func inboundCIDRs(members []member) []string {
	var out []string
	for _, m := range members {
		cidrs := m.spec().InboundCIDRs
		if v, ok := m.annotation("inbound-cidrs"); ok && len(cidrs) == 0 {
			cidrs = commaList(v)
		}
		_, groups := m.annotation("security-groups")
		_, prefixes := m.annotation("security-group-prefix-lists")
		if len(cidrs) == 0 || groups || prefixes || len(m.spec().PrefixListsIDs) > 0 {
			return nil
		}
		out = union(out, cidrs)
	}
	return out
}

func groupOrder(m member) int {
	v, _ := m.annotation("group.order")
	return int(parsePort(v))
}

// A listenPort is one entry of listen-ports.
type listenPort struct {
	protocol string
	port     int32
}

// listenPorts reads '[{"HTTP": 80}, {"HTTPS": 443}]'.
func listenPorts(value string) ([]listenPort, bool) {
	var entries []map[string]int32
	if err := json.Unmarshal([]byte(value), &entries); err != nil {
		return nil, false
	}
	var out []listenPort
	for _, e := range entries {
		for protocol, port := range e {
			out = append(out, listenPort{protocol, port})
		}
	}
	slices.SortFunc(out, func(a, b listenPort) int { return cmp.Compare(a.port, b.port) })
	return out, len(out) > 0
}

func (g *Graph) predictListeners(lb *LoadBalancer, m member) {
	p := m.spec()
	certs := slices.Concat(p.CertificateArn, p.CertificateARNs)
	certsAt := m.place("certificate-arn")
	if len(certs) > 0 {
		certsAt = m.paramsPlace("certificateArn")
		if len(p.CertificateARNs) > 0 {
			certsAt = m.paramsPlace("certificateARNs")
		}
	} else if v, ok := m.annotation("certificate-arn"); ok {
		certs = commaList(v)
	}
	ports, at := []listenPort{{"HTTP", 80}}, m.place("listen-ports")
	switch v, ok := m.annotation("listen-ports"); {
	case ok && v != "":
		var readable bool
		if ports, readable = listenPorts(v); !readable {
			// The controller refuses it: nothing is known to listen.
			ports = []listenPort{{"", 0}}
		}
	case len(certs) > 0:
		ports = []listenPort{{"HTTPS", 443}}
	}
	hosts := ingressHosts(m.ing)
	for _, lp := range ports {
		l := g.listenerAt(lb, lp, at)
		l.Hosts = union(l.Hosts, hosts)
		if lp.protocol == "HTTPS" {
			g.predictTLS(l, m, certs, certsAt)
		}
		g.predictAttributes(l, m, lp)
		l.Rules = append(l.Rules, g.predictRules(m)...)
	}
}

// listenerAt returns the listener of lb at a port, which other Ingresses of the
// group may have made.
func (g *Graph) listenerAt(lb *LoadBalancer, lp listenPort, at Place) *Listener {
	for _, l := range lb.Listeners {
		if l.Port == lp.port && l.Protocol == lp.protocol {
			return l
		}
	}
	l := &Listener{LoadBalancer: lb, Protocol: lp.protocol, Port: lp.port, At: at, Attributes: estate.Known(map[string]string{})}
	lb.Listeners = append(lb.Listeners, l)
	return l
}

func (g *Graph) predictTLS(l *Listener, m member, certs []string, certsAt Place) {
	if policy, at, ok := m.setting(m.spec().SSLPolicy, "sslPolicy", "ssl-policy"); ok || l.SSLPolicyAt.Subject.IsZero() {
		l.SSLPolicy, l.SSLPolicyAt = estate.Known(policy), at
	}
	switch {
	case len(certs) > 0:
		l.Certificates = estate.Known(union(l.Certificates.Or(nil), certs))
		l.CertificatesAt = certsAt
	case g.Estate.Coverage(estate.Certificates.Kind).State == estate.Read:
		l.Discovered = true
		l.Certificates = estate.Known(union(l.Certificates.Or(nil), g.discover(ingressHosts(m.ing))))
		l.CertificatesAt = placeOf(estate.Ingresses, m.ing, "spec.tls")
	default:
		l.Discovered = true
		l.CertificatesAt = placeOf(estate.Ingresses, m.ing, "spec.tls")
	}
}

// discover returns the ACM certificates that the controller finds for hosts.
func (g *Graph) discover(hosts []string) []string {
	var out []string
	for _, c := range estate.Certificates.In(g.Estate) {
		if c.Status.Or("ISSUED") != "ISSUED" {
			continue
		}
		for _, h := range hosts {
			if CoversHost(c, h) {
				out = append(out, c.Arn)
				break
			}
		}
	}
	return out
}

// CoversHost reports whether a certificate is for a host name. A wildcard
// stands for one label (RFC 6125, 6.4.3).
func CoversHost(c *estate.Certificate, host string) bool {
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	for _, n := range append([]string{c.DomainName}, c.SubjectAlternativeNames...) {
		n = strings.ToLower(n)
		if n == host {
			return true
		}
		if parent, ok := strings.CutPrefix(n, "*."); ok {
			if _, rest, found := strings.Cut(host, "."); found && rest == parent {
				return true
			}
		}
	}
	return false
}

func (g *Graph) predictAttributes(l *Listener, m member, lp listenPort) {
	attributes, _ := l.Attributes.Get()
	if v, ok := m.annotation(fmt.Sprintf("listener-attributes.%s-%d", lp.protocol, lp.port)); ok {
		for k, v := range keyValues(v) {
			attributes[k] = v
		}
	}
	for _, pl := range m.spec().Listeners {
		if pl.Protocol == lp.protocol && pl.Port == lp.port {
			for _, a := range pl.ListenerAttributes {
				attributes[a.Key] = a.Value
			}
		}
	}
	l.Attributes = estate.Known(attributes)
}

func ingressHosts(ing *ingress) []string {
	var out []string
	for _, r := range ing.Object.Spec.Rules {
		if r.Host != "" {
			out = union(out, []string{r.Host})
		}
	}
	for _, t := range ing.Object.Spec.TLS {
		out = union(out, t.Hosts)
	}
	return out
}

func (g *Graph) predictRules(m member) []*Rule {
	var out []*Rule
	for i, r := range m.ing.Object.Spec.Rules {
		if r.HTTP == nil {
			continue
		}
		for j, p := range r.HTTP.Paths {
			field := fmt.Sprintf("spec.rules[%d].http.paths[%d].backend", i, j)
			rule := g.predictRule(m, p.Backend, field)
			rule.Paths = []string{p.Path}
			if r.Host != "" {
				rule.Hosts = []string{r.Host}
			}
			out = append(out, rule)
		}
	}
	if b := m.ing.Object.Spec.DefaultBackend; b != nil {
		rule := g.predictRule(m, *b, "spec.defaultBackend")
		rule.Default = true
		out = append(out, rule)
	}
	return out
}

// An actionAnnotation is alb.ingress.kubernetes.io/actions.NAME.
type actionAnnotation struct {
	Type           string `json:"type"`
	RedirectConfig struct {
		Protocol string `json:"protocol"`
	} `json:"redirectConfig"`
	TargetGroupARN string `json:"targetGroupARN"`
	ForwardConfig  struct {
		TargetGroups []struct {
			TargetGroupARN string             `json:"targetGroupARN"`
			ServiceName    string             `json:"serviceName"`
			ServicePort    intstr.IntOrString `json:"servicePort"`
		} `json:"targetGroups"`
	} `json:"forwardConfig"`
}

func (g *Graph) predictRule(m member, b networkingv1.IngressBackend, field string) *Rule {
	rule := &Rule{Action: "forward", At: placeOf(estate.Ingresses, m.ing, field)}
	if b.Service == nil {
		return rule
	}
	if b.Service.Port.Name != "use-annotation" {
		port := intstr.FromInt32(b.Service.Port.Number)
		if b.Service.Port.Name != "" {
			port = intstr.FromString(b.Service.Port.Name)
		}
		rule.Targets = []*Target{g.predictTarget(m, b.Service.Name, port)}
		return rule
	}
	key := "actions." + b.Service.Name
	rule.At = m.place(key)
	rule.Action = ""
	v, _ := m.annotation(key)
	var a actionAnnotation
	if json.Unmarshal([]byte(v), &a) != nil {
		return rule
	}
	rule.Action = a.Type
	if a.Type == "redirect" {
		rule.RedirectProtocol = cmp.Or(a.RedirectConfig.Protocol, "#{protocol}")
	}
	if a.TargetGroupARN != "" {
		rule.Targets = append(rule.Targets, g.groupTarget(a.TargetGroupARN, rule.At))
	}
	for _, t := range a.ForwardConfig.TargetGroups {
		if t.ServiceName != "" {
			rule.Targets = append(rule.Targets, g.predictTarget(m, t.ServiceName, t.ServicePort))
		} else {
			rule.Targets = append(rule.Targets, g.groupTarget(t.TargetGroupARN, rule.At))
		}
	}
	return rule
}

// predictTarget predicts the target group of a Service's port: its protocol is
// backend-protocol, of the Service, else of the Ingress, else HTTP.
func (g *Graph) predictTarget(m member, svc string, port intstr.IntOrString) *Target {
	t := &Target{Protocol: estate.Known("HTTP"), At: m.place("backend-protocol")}
	if v, ok := m.annotation("backend-protocol"); ok && v != "" {
		t.Protocol = estate.Known(strings.ToUpper(v))
	}
	s := g.index.services[name{m.ing.Object.Namespace, svc}]
	if s != nil {
		if v := strings.TrimSpace(s.Object.Annotations[alb+"backend-protocol"]); v != "" {
			t.Protocol, t.At = estate.Known(strings.ToUpper(v)), placeOf(estate.Services, s, annotation(alb+"backend-protocol"))
		}
	}
	if v := t.Protocol.Or(""); v != "HTTP" && v != "HTTPS" {
		t.Protocol = estate.Optional[string]{}
	}
	if v, _, set := m.setting(m.spec().TargetType, "spec.targetType", "target-type"); set {
		t.Type = targetType(v)
	}
	g.backend(t, s, port)
	if t.Type.IsZero() && !m.auto {
		t.Type = estate.Known("instance") // the default of the annotation target-type
	}
	return t
}

// targetType reads the type of a target as the controller does. What it takes
// without one is a flag of its own.
func targetType(text string) estate.Optional[string] {
	if text == "instance" || text == "ip" {
		return estate.Known(text)
	}
	return estate.Optional[string]{}
}

// backend fills in the Service, the port and the workloads of a target.
func (g *Graph) backend(t *Target, s *service, port intstr.IntOrString) {
	if s == nil {
		return
	}
	t.Service = s
	if t.Type.IsZero() && !OpensNodePorts(&s.Object.Spec) {
		t.Type = estate.Known("ip") // no port of a node leads to it
	}
	sp, ok := servicePort(s, port)
	if !ok && len(s.Object.Spec.Ports) == 1 && port.Type == intstr.Int && port.IntVal == 0 {
		sp, ok = s.Object.Spec.Ports[0], true
	}
	for _, w := range g.index.selected[s] {
		t.Workloads = append(t.Workloads, w)
		if ok {
			t.PodPort = podPort(sp, w)
		}
	}
}

// groupTarget is a target group that was not made for a Service.
func (g *Graph) groupTarget(arn string, at Place) *Target {
	t := &Target{At: at}
	if tg := g.targetGroups[arn]; tg != nil {
		t.Group, t.Protocol, t.Type = tg, tg.Protocol, targetType(tg.TargetType.Or(""))
		t.At = placeOf(estate.TargetGroups, tg, "protocol")
		g.boundService(t)
	}
	return t
}

// otherIngress is an Ingress that no ALB controller serves.
func (g *Graph) otherIngress(ing *ingress, c classification) {
	at := placeOf(estate.Ingresses, ing, "spec.ingressClassName")
	lb := &LoadBalancer{
		Ref:        estate.Ref{Kind: "LoadBalancer", Name: cmp.Or(c.class, "ingress") + " " + ing.Object.Namespace + "/" + ing.Object.Name, ID: "predicted:ingress/" + ing.Object.Namespace + "/" + ing.Object.Name},
		Predicted:  true,
		DeclaredBy: []Place{at},
	}
	l := &Listener{LoadBalancer: lb, At: at, Hosts: ingressHosts(ing)}
	m := member{ing: ing}
	for _, r := range g.predictRules(m) {
		for _, t := range r.Targets {
			t.Protocol = estate.Optional[string]{}
			t.At = at
		}
		l.Rules = append(l.Rules, r)
	}
	lb.Listeners = []*Listener{l}
	g.addLoadBalancer(lb)
}

func commaList(s string) []string {
	var out []string
	for part := range strings.SplitSeq(s, ",") {
		if part = strings.TrimSpace(part); part != "" {
			out = append(out, part)
		}
	}
	return out
}

func keyValues(s string) map[string]string {
	out := map[string]string{}
	for _, kv := range commaList(s) {
		if k, v, ok := strings.Cut(kv, "="); ok {
			out[strings.TrimSpace(k)] = strings.TrimSpace(v)
		}
	}
	return out
}

// union returns a with those of b that it lacks, in order.
func union(a, b []string) []string {
	out := slices.Clone(a)
	for _, s := range b {
		if !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	return out
}
