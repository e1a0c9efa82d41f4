package trace

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/eksafe/eksafe/internal/estate"
)

// addLoadBalancer adds a predicted load balancer, joined to the real one that
// the controller made for it where AWS was read. What is real wins; what was
// declared says where to change it.
func (g *Graph) addLoadBalancer(lb *LoadBalancer) {
	for _, d := range lb.DeclaredBy {
		g.declared[d.Subject] = lb
	}
	key := strings.TrimPrefix(lb.Ref.ID, "predicted:")
	if real := g.madeFor[key]; real != nil {
		g.joinReal(lb, real)
	} else if classic := g.classicFor[key]; classic != nil {
		g.joinClassic(lb, classic)
	}
	g.LoadBalancers = append(g.LoadBalancers, lb)
}

// The tags with which controllers mark what they make, and what it is made for.
// The value of a stack is "namespace/name", or the name of a group.
var stackTags = []struct{ tag, kind string }{
	{"ingress.k8s.aws/stack", "ingress"},
	{"ingress.eks.amazonaws.com/stack", "ingress"},
	{"service.k8s.aws/stack", "service"},
	{"service.eks.amazonaws.com/stack", "service"},
	{"gateway.k8s.aws.alb/stack", "gateway"},
	{"gateway.k8s.aws.nlb/stack", "gateway"},
	{"kubernetes.io/service-name", "service"},
}

// madeForKey returns the key of what a load balancer was made for, "" if no
// controller made it.
func madeForKey(tags map[string]string) string {
	for _, s := range stackTags {
		switch v := tags[s.tag]; {
		case v == "":
		case s.kind == "ingress" && !strings.Contains(v, "/"):
			return "group/" + v
		default:
			return s.kind + "/" + v
		}
	}
	return ""
}

// indexReal prepares the real load balancers for the join.
func (g *Graph) indexReal() {
	e := g.Estate
	g.madeFor, g.classicFor = map[string]*estate.LoadBalancer{}, map[string]*estate.ClassicLoadBalancer{}
	byDNS := map[string]string{}
	for _, ing := range estate.Ingresses.In(e) {
		for _, s := range ing.Object.Status.LoadBalancer.Ingress {
			byDNS[dnsKey(s.Hostname)] = "ingress/" + ing.Object.Namespace + "/" + ing.Object.Name
		}
	}
	for _, svc := range estate.Services.In(e) {
		for _, s := range svc.Object.Status.LoadBalancer.Ingress {
			byDNS[dnsKey(s.Hostname)] = "service/" + svc.Object.Namespace + "/" + svc.Object.Name
		}
	}
	for _, gw := range estate.Gateways.In(e) {
		for _, a := range gw.Object.Status.Addresses {
			byDNS[dnsKey(a.Value)] = "gateway/" + gw.Object.Namespace + "/" + gw.Object.Name
		}
	}
	for _, lb := range estate.LoadBalancers.In(e) {
		if key := cmp.Or(madeForKey(lb.Tags), byDNS[dnsKey(lb.DNSName)]); key != "" {
			g.madeFor[key] = lb
		}
	}
	for _, lb := range estate.ClassicLoadBalancers.In(e) {
		if key := cmp.Or(madeForKey(lb.Tags), byDNS[dnsKey(lb.DNSName)]); key != "" {
			g.classicFor[key] = lb
		}
	}
	for _, l := range estate.Listeners.In(e) {
		g.listenersOf[l.LoadBalancerArn] = append(g.listenersOf[l.LoadBalancerArn], l)
	}
	for _, r := range estate.ListenerRules.In(e) {
		g.rulesOf[r.ListenerArn] = append(g.rulesOf[r.ListenerArn], r)
	}
	for _, t := range estate.TargetGroups.In(e) {
		g.targetGroups[t.Arn] = t
	}
	for _, b := range estate.TargetGroupBindings.In(e) {
		key := cmp.Or(b.Object.Spec.TargetGroupARN, b.Object.Spec.TargetGroupName)
		g.bindings[key] = append(g.bindings[key], b)
	}
	for _, a := range estate.WebACLAssociations.In(e) {
		g.webACLs[a.ResourceArn] = a
	}
}

// dnsKey compares names of load balancers; dualstack. is an alias.
func dnsKey(host string) string {
	if host == "" {
		return "\x00none"
	}
	return strings.TrimPrefix(strings.ToLower(strings.TrimSuffix(host, ".")), "dualstack.")
}

// realLoadBalancers adds the real ones that nothing in a cluster declares.
func (g *Graph) realLoadBalancers() {
	joined := map[string]bool{}
	for _, lb := range g.LoadBalancers {
		joined[lb.Ref.ID] = true
	}
	for _, real := range estate.LoadBalancers.In(g.Estate) {
		if !joined[estate.LoadBalancers.Ref(real).ID] {
			lb := &LoadBalancer{}
			g.joinReal(lb, real)
			g.LoadBalancers = append(g.LoadBalancers, lb)
		}
	}
	for _, classic := range estate.ClassicLoadBalancers.In(g.Estate) {
		if !joined[estate.ClassicLoadBalancers.Ref(classic).ID] {
			lb := &LoadBalancer{}
			g.joinClassic(lb, classic)
			g.LoadBalancers = append(g.LoadBalancers, lb)
		}
	}
}

// joinReal puts what AWS shows into lb, which holds the prediction or nothing.
func (g *Graph) joinReal(lb *LoadBalancer, real *estate.LoadBalancer) {
	predicted := lb.Listeners
	lb.Predicted, lb.Actual, lb.Ref = false, real, estate.LoadBalancers.Ref(real)
	lb.Type = real.Type.Or(cmp.Or(lb.Type, "application"))
	if _, known := real.Scheme.Get(); known {
		if real.Scheme != lb.Scheme || lb.SchemeAt.Subject.IsZero() {
			lb.SchemeAt = placeOf(estate.LoadBalancers, real, "scheme")
		}
		lb.Scheme = real.Scheme
	}
	if attributes, ok := real.LoadBalancerAttributes.Get(); ok {
		lb.Attributes = attributeMap(attributes)
	}
	if g.Estate.Coverage(estate.WebACLAssociations.Kind).State == estate.Read {
		acl := ""
		if a := g.webACLs[real.Arn]; a != nil {
			acl = a.WebACLArn
		}
		lb.WebACL = estate.Known(acl)
	} else {
		lb.WebACL = estate.Optional[string]{}
	}
	if lb.AttributesAt.Subject.IsZero() {
		lb.AttributesAt = placeOf(estate.LoadBalancers, real, "loadBalancerAttributes")
	}
	if lb.WebACLAt.Subject.IsZero() {
		lb.WebACLAt = placeOf(estate.LoadBalancers, real, "")
	}
	if g.Estate.Coverage(estate.Listeners.Kind).State != estate.Read && len(g.listenersOf[real.Arn]) == 0 {
		return // the prediction is the best that is known
	}
	lb.Listeners = nil
	for _, l := range g.listenersOf[real.Arn] {
		lb.Listeners = append(lb.Listeners, g.realListener(lb, l, predicted))
	}
	slices.SortStableFunc(lb.Listeners, func(a, b *Listener) int { return cmp.Compare(a.Port, b.Port) })
}

func (g *Graph) realListener(lb *LoadBalancer, l *estate.Listener, predicted []*Listener) *Listener {
	self := func(field string) Place { return placeOf(estate.Listeners, l, field) }
	out := &Listener{
		LoadBalancer: lb, Protocol: l.Protocol.Or(""), Port: int32(l.Port.Or(0)), Actual: l,
		At: self("protocol"), SSLPolicy: l.SslPolicy, SSLPolicyAt: self("sslPolicy"),
		Certificates: l.Certificates, CertificatesAt: self("certificates"),
	}
	if attributes, ok := l.ListenerAttributes.Get(); ok {
		out.Attributes = estate.Known(attributeMap(attributes))
	}
	var wish *Listener
	for _, p := range predicted {
		if p.Port == out.Port && p.Protocol == out.Protocol {
			wish = p
			out.At, out.Discovered, out.Hosts = p.At, p.Discovered, p.Hosts
			if !p.SSLPolicyAt.Subject.IsZero() {
				out.SSLPolicyAt, out.CertificatesAt = p.SSLPolicyAt, p.CertificatesAt
			}
			if len(lb.Listeners) == 0 && out.Attributes.IsZero() {
				out.Attributes = p.Attributes
			}
		}
	}
	for _, r := range g.rulesOf[l.Arn] {
		out.Rules = append(out.Rules, g.realRule(r.Actions, r.Conditions, placeOf(estate.ListenerRules, r, "actions"), wish, predicted))
		for _, c := range r.Conditions {
			if c.Field == "host-header" {
				out.Hosts = union(out.Hosts, c.Values)
			}
		}
	}
	def := g.realRule(l.DefaultActions, nil, self("defaultActions"), wish, predicted)
	def.Default = true
	out.Rules = append(out.Rules, def)
	return out
}

func (g *Graph) realRule(actions []estate.Action, conditions []estate.RuleCondition, at Place, wish *Listener, predicted []*Listener) *Rule {
	rule := &Rule{At: at}
	for _, c := range conditions {
		switch c.Field {
		case "host-header":
			rule.Hosts = append(rule.Hosts, c.Values...)
		case "path-pattern":
			rule.Paths = append(rule.Paths, c.Values...)
		}
	}
	for _, a := range actions {
		switch a.Type {
		case "forward", "redirect", "fixed-response":
			rule.Action = a.Type
		}
		if a.RedirectConfig != nil {
			rule.RedirectProtocol = cmp.Or(a.RedirectConfig.Protocol, "#{protocol}")
		}
		for _, arn := range a.TargetGroups() {
			rule.Targets = append(rule.Targets, g.realTarget(arn, at, predicted))
		}
	}
	// The finding stands where the user edits: at the declaration that the
	// controller made this rule from.
	if wish != nil {
		for _, w := range wish.Rules {
			if w.Action == rule.Action && w.RedirectProtocol == rule.RedirectProtocol && (rule.Action != "forward" || sameTargets(w, rule)) {
				rule.At = w.At
				break
			}
		}
	}
	return rule
}

func sameTargets(a, b *Rule) bool {
	if len(a.Targets) != len(b.Targets) {
		return false
	}
	for i := range a.Targets {
		if a.Targets[i].Service == nil || a.Targets[i].Service != b.Targets[i].Service {
			return false
		}
	}
	return true
}

// realTarget is a target group as AWS shows it, joined to the declared target
// that the controller made it for. Somebody may have put it behind a listener
// that nobody declared: it still leads to the same pods.
func (g *Graph) realTarget(arn string, at Place, predicted []*Listener) *Target {
	tg := g.targetGroups[arn]
	if tg == nil {
		return &Target{At: at}
	}
	t := &Target{Group: tg, Protocol: tg.Protocol, Type: targetType(tg.TargetType.Or("")), At: placeOf(estate.TargetGroups, tg, "protocol")}
	g.boundService(t)
	wish := wishFor(t, predicted)
	if wish == nil {
		return t
	}
	if t.Service == nil {
		t.Service, t.Workloads = wish.Service, wish.Workloads
	}
	if t.PodPort == 0 {
		t.PodPort = wish.PodPort
	}
	if t.Type.IsZero() {
		t.Type = wish.Type
	}
	if wish.Protocol == t.Protocol {
		t.At = wish.At
	}
	return t
}

// wishFor finds the declared target of a target group: by its Service, by the
// controller's tag "namespace/ingress-service:port" or "namespace/service:port".
func wishFor(t *Target, predicted []*Listener) *Target {
	tags := t.Group.Tags
	ofIngress := cmp.Or(tags["ingress.k8s.aws/resource"], tags["ingress.eks.amazonaws.com/resource"])
	ofService := cmp.Or(tags["service.k8s.aws/resource"], tags["service.eks.amazonaws.com/resource"])
	for _, l := range predicted {
		for _, r := range l.Rules {
			for _, w := range r.Targets {
				if w.Service == nil || t.Service != nil && t.Service != w.Service {
					continue
				}
				s := w.Service.Object
				switch {
				case t.Service == w.Service,
					strings.HasPrefix(ofIngress, s.Namespace+"/") && strings.Contains(ofIngress, "-"+s.Name+":"),
					ofService == s.Namespace+"/"+s.Name+":"+itoa(int(l.Port)):
					return w
				}
			}
		}
	}
	return nil
}

// boundService finds the workloads behind a target group: by a
// TargetGroupBinding, by a NodePort, or by the addresses of running pods.
func (g *Graph) boundService(t *Target) {
	for _, b := range slices.Concat(g.bindings[t.Group.Arn], g.bindings[t.Group.Name]) {
		s := g.index.services[name{b.Object.Namespace, b.Object.Spec.ServiceRef.Name}]
		port := intstr.IntOrString{}
		switch p := b.Object.Spec.ServiceRef.Port.(type) {
		case string:
			port = intstr.Parse(p)
		case int64:
			port = intstr.FromInt32(int32(p))
		case float64:
			port = intstr.FromInt32(int32(p))
		}
		if t.Type.IsZero() {
			t.Type = targetType(b.Object.Spec.TargetType)
		}
		if s != nil {
			g.backend(t, s, port)
			return
		}
	}
	targets, _ := t.Group.Targets.Get()
	for _, target := range targets {
		if w := g.index.byPodIP[target.Id]; w != nil && !slices.Contains(t.Workloads, w) {
			t.Workloads = append(t.Workloads, w)
			t.PodPort = int32(target.Port)
		}
		if strings.HasPrefix(target.Id, "i-") && t.Service == nil {
			if s, port := g.nodePort(int32(target.Port)); s != nil {
				g.backend(t, s, port)
			}
		}
	}
}

func (g *Graph) nodePort(port int32) (*service, intstr.IntOrString) {
	if port == 0 {
		return nil, intstr.IntOrString{}
	}
	if s, ok := g.nodePorts[port]; ok {
		for _, p := range s.Object.Spec.Ports {
			if p.NodePort == port {
				return s, intstr.FromInt32(p.Port)
			}
		}
	}
	return nil, intstr.IntOrString{}
}

// joinClassic puts a classic load balancer into lb.
func (g *Graph) joinClassic(lb *LoadBalancer, c *estate.ClassicLoadBalancer) {
	predicted := lb.Listeners
	lb.Predicted, lb.Classic, lb.Ref, lb.Type = false, c, estate.ClassicLoadBalancers.Ref(c), "classic"
	lb.Scheme = c.Scheme
	if lb.SchemeAt.Subject.IsZero() {
		lb.SchemeAt = placeOf(estate.ClassicLoadBalancers, c, "scheme")
	}
	lb.WebACL, lb.WebACLAt = estate.Known(""), placeOf(estate.ClassicLoadBalancers, c, "")
	lb.Listeners = nil
	for i, cl := range c.Listeners {
		at := placeOf(estate.ClassicLoadBalancers, c, "listeners["+strconv.Itoa(i)+"]")
		l := &Listener{
			LoadBalancer: lb, Protocol: strings.ToUpper(cl.Protocol), Port: parsePort(cl.LoadBalancerPort), At: at,
			SSLPolicyAt: at, CertificatesAt: at, Attributes: estate.Known(map[string]string{}),
		}
		if cl.SSLCertificateId != "" {
			l.Certificates = estate.Known([]string{cl.SSLCertificateId})
		}
		l.SSLPolicy = classicPolicy(c, cl)
		t := &Target{Protocol: estate.Known(classicTarget(cl)), At: at}
		if s, port := g.nodePort(parsePort(cl.InstancePort)); s != nil {
			g.backend(t, s, port)
		}
		for _, p := range predicted {
			if p.Port == l.Port {
				l.At, l.SSLPolicyAt, l.CertificatesAt = p.At, p.SSLPolicyAt, p.CertificatesAt
				if len(p.Rules) > 0 && len(p.Rules[0].Targets) > 0 {
					w := p.Rules[0].Targets[0]
					t.At, t.Service, t.PodPort, t.Workloads = w.At, w.Service, w.PodPort, w.Workloads
				}
			}
		}
		l.Rules = []*Rule{{Default: true, Action: "forward", At: l.At, Targets: []*Target{t}}}
		lb.Listeners = append(lb.Listeners, l)
	}
}

func classicTarget(l estate.ClassicListener) string {
	p := strings.ToUpper(cmp.Or(l.InstanceProtocol, l.Protocol))
	if p == "SSL" {
		return "TLS"
	}
	return p
}

// classicPolicy returns the predefined security policy of a classic listener.
func classicPolicy(c *estate.ClassicLoadBalancer, l estate.ClassicListener) estate.Optional[string] {
	for _, p := range c.Policies {
		if p.PolicyType != "SSLNegotiationPolicyType" || !slices.Contains(l.PolicyNames, p.PolicyName) {
			continue
		}
		for _, a := range p.Attributes {
			if a.Key == "Reference-Security-Policy" {
				return estate.Known(a.Value)
			}
		}
	}
	return estate.Optional[string]{}
}

func attributeMap(attributes []estate.Attribute) map[string]string {
	out := make(map[string]string, len(attributes))
	for _, a := range attributes {
		out[a.Key] = a.Value
	}
	return out
}
