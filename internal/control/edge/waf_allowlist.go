package edge

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/eksafe/eksafe/internal/control"
	"github.com/eksafe/eksafe/internal/estate"
	"github.com/eksafe/eksafe/internal/trace"
)

var wafAllowlist = &control.Control{
	ID:       "waf-allowlist",
	Title:    "Where the clients of an entry are known, only they get in",
	Severity: control.Medium,
	Refs:     []control.Ref{control.AWS("waf-ip-sets"), control.AWS("waf-forwarded-addresses"), control.ATTACK("T1190")},
	Serves:   []string{"S22"},
	Since:    "0.1.0",
	Check: control.Traced(entries, func(e entry) trace.Place { return e.place }, judgeAllowlist,
		estate.LoadBalancers.Kind, estate.Distributions.Kind, estate.Ingresses.Kind, estate.Gateways.Kind).
		Helped(estate.WebACLs.Kind, estate.RuleGroups.Kind, estate.IPSets.Kind, estate.WebACLAssociations.Kind,
			estate.SecurityGroups.Kind, estate.Listeners.Kind, estate.ListenerRules.Kind,
			estate.IngressClasses.Kind, estate.IngressClassParameters.Kind,
			estate.GatewayClasses.Kind, estate.LoadBalancerConfigurations.Kind),
}

// clientsOf returns the networks that users declare the clients of an entry to
// come from, none where they declare nothing.
func clientsOf(s *control.Subject, e entry) []string {
	var names []string
	if d := e.distribution; d != nil {
		names = append([]string{d.Id, estate.Distributions.Ref(d).Name, d.DomainName}, d.DistributionConfig.Aliases...)
	} else {
		names = append(names, e.balancer.Ref.Name)
		for _, d := range e.balancer.DeclaredBy {
			names = append(names, d.Subject.Name, d.Subject.Namespace+"/"+d.Subject.Name)
		}
	}
	var out []string
	for _, c := range s.Config().Clients {
		named := func(pattern string) bool {
			return slices.ContainsFunc(names, func(n string) bool { return fits(pattern, n) })
		}
		if len(c.Entries) == 0 || slices.ContainsFunc(c.Entries, named) {
			out = append(out, c.CIDRs...)
		}
	}
	return out
}

// fits reports whether a name fits a pattern, in which "*" stands for any
// characters.
func fits(pattern, name string) bool {
	parts := strings.Split(pattern, "*")
	if len(parts) == 1 {
		return pattern == name
	}
	rest, ok := strings.CutPrefix(name, parts[0])
	if !ok {
		return false
	}
	for _, p := range parts[1 : len(parts)-1] {
		_, after, found := strings.Cut(rest, p)
		if !found {
			return false
		}
		rest = after
	}
	return strings.HasSuffix(rest, parts[len(parts)-1])
}

// A fence is one way to keep others than the clients out.
type fence struct {
	closed  bool
	unknown string // why nobody can tell
	holes   []hole // what it lets in beside the clients
}

// A hole is a place where others than the clients are let in, and whom.
type hole struct {
	at   trace.Place
	whom string
}

func judgeAllowlist(s *control.Subject, e entry) {
	declared := clientsOf(s, e)
	// The clients of a load balancer behind CloudFront are CloudFront.
	if len(declared) == 0 || e.behindCDN() {
		s.NotApplicable()
		return
	}
	var clients []netip.Prefix
	for _, c := range declared {
		p, ok := parseNetwork(c)
		if !ok {
			s.Unknownf("%q, declared of the clients of %s, is no network", c, e.name())
			return
		}
		clients = append(clients, p)
	}
	fences := []fence{webACLFence(s, e, clients)}
	if lb := e.balancer; lb != nil {
		fences = append(fences, securityGroupFence(s, lb, clients), declaredFence(s, lb, clients), listenerFence(s, lb, clients))
	}
	unknown := ""
	var holes []hole
	for _, f := range fences {
		if f.closed && len(f.holes) == 0 {
			return
		}
		if f.closed && len(holes) == 0 {
			holes = f.holes
		}
		if unknown == "" {
			unknown = f.unknown
		}
	}
	switch {
	case unknown != "":
		s.Unknownf("whether only the clients of %s get in is not known: %s", e.name(), unknown)
	case len(holes) == 0:
		s.FailAt(e.place, "anybody may ask %s, whose clients come from %s", e.name(), strings.Join(declared, ", "))
	}
	for _, h := range holes {
		if unknown == "" {
			s.FailAt(h.at, "%s may ask %s, whose clients come from %s", h.whom, e.name(), strings.Join(declared, ", "))
		}
	}
}

// webACLFence says whether the web ACL lets in clients only.
func webACLFence(s *control.Subject, e entry, clients []netip.Prefix) (f fence) {
	var key estate.Optional[string]
	if e.distribution != nil {
		key = e.distribution.DistributionConfig.WebACLId
	} else {
		key = e.balancer.WebACL
	}
	name, known := key.Get()
	if known && name == "" {
		return f
	}
	a := readACL(s, findACL(s, name))
	if !known || a == nil {
		f.unknown = "the rules of its web ACL are not known; read it live (--aws)"
		return f
	}
	var sets []*estate.IPSetReferenceStatement
	f.closed = a.confined(func(st estate.Statement) bool {
		if st.IPSetReferenceStatement != nil {
			sets = append(sets, st.IPSetReferenceStatement)
		}
		return st.IPSetReferenceStatement != nil
	})
	if !f.closed {
		if a.unread() {
			f.unknown = "the rules of a rule group of web ACL " + a.Name + " were not read; allow wafv2:GetRuleGroup"
		}
		return f
	}
	for _, ref := range sets {
		set, ok := control.Find(s, estate.IPSets, ref.Arn)
		var addresses []string
		if ok {
			addresses, ok = set.Addresses.Get()
		}
		if !ok {
			return fence{unknown: "IP set " + estate.ShortName(ref.Arn) + " was not read; read it live (--aws)"}
		}
		if ref.ForwardedHeader != "" {
			f.holes = append(f.holes, hole{a.place("rules"), "whoever writes a client's address into the header " + ref.ForwardedHeader})
			continue
		}
		for i, address := range addresses {
			if p, ok := parseNetwork(address); !ok || !within(p, clients) {
				f.holes = append(f.holes, hole{
					trace.Place{Subject: estate.IPSets.Ref(set), Origin: &set.Origin, Field: "addresses[" + strconv.Itoa(i) + "]"}, address,
				})
			}
		}
	}
	return f
}

// securityGroupFence says whether the security groups let in clients only.
// Members of other groups are inside the network.
func securityGroupFence(s *control.Subject, lb *trace.LoadBalancer, clients []netip.Prefix) (f fence) {
	if lb.Actual == nil || len(lb.Actual.SecurityGroups) == 0 {
		return f
	}
	for _, id := range lb.Actual.SecurityGroups {
		rules, known := ingressOf(s, id)
		if !known {
			return fence{unknown: "the rules of security group " + estate.ShortName(id) + " are not known; read it live (--aws)"}
		}
		for _, r := range rules {
			if cidr := r.CidrIp + r.CidrIpv6; cidr != "" {
				if p, ok := parseNetwork(cidr); !ok || !within(p, clients) && !private(p) {
					return f
				}
			} else if r.SourceSecurityGroupId == "" {
				return f // nobody sees into a prefix list
			}
		}
	}
	f.closed = true
	return f
}

// ingressOf returns what a security group lets in.
func ingressOf(s *control.Subject, id string) ([]estate.SecurityGroupRule, bool) {
	for _, g := range control.All(s, estate.SecurityGroups) {
		if g.GroupId != id && g.Arn != id {
			continue
		}
		rules, known := g.SecurityGroupIngress.Get()
		if slices.ContainsFunc(rules, func(r estate.SecurityGroupRule) bool { return r.Unresolved }) {
			return nil, false
		}
		return rules, known
	}
	return nil, false
}

// private reports whether a network is not part of the internet.
func private(p netip.Prefix) bool {
	for _, n := range []string{"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7"} {
		if within(p, []netip.Prefix{netip.MustParsePrefix(n)}) {
			return true
		}
	}
	return false
}

// declaredFence says whether the security group that the controller will make
// lets in clients only. A group of one's own takes its place, and its rules
// are not to be seen before.
func declaredFence(s *control.Subject, lb *trace.LoadBalancer, clients []netip.Prefix) (f fence) {
	if lb.Actual != nil {
		return f
	}
	for _, d := range lb.DeclaredBy {
		ing, ok := control.Find(s, estate.Ingresses, d.Subject.ID)
		if ok && ing.Object.Annotations["alb.ingress.kubernetes.io/security-groups"] != "" {
			f.unknown = "it will have security groups of its own; read it live (--aws)"
		}
	}
	if len(lb.InboundCIDRs) == 0 {
		return f
	}
	for _, c := range lb.InboundCIDRs {
		if p, ok := parseNetwork(c); !ok || !within(p, clients) && !private(p) {
			return f
		}
	}
	f.closed = true
	return f
}

// listenerFence says whether the rules of the listeners forward for clients
// only.
func listenerFence(s *control.Subject, lb *trace.LoadBalancer, clients []netip.Prefix) (f fence) {
	if lb.Actual != nil && !(s.Read(estate.Listeners.Kind) && s.Read(estate.ListenerRules.Kind)) {
		f.unknown = "its listener rules were not read; allow elasticloadbalancing:DescribeRules"
		return f
	}
	f.closed = forwardsOnly(s, lb, func(c estate.RuleCondition) bool {
		return c.Field == "source-ip" && len(c.Values) > 0 && !slices.ContainsFunc(c.Values, func(v string) bool {
			p, ok := parseNetwork(v)
			return !ok || !within(p, clients)
		})
	})
	return f
}

// forwardsOnly reports whether the real listeners of a load balancer forward
// only requests for which condition holds.
func forwardsOnly(s *control.Subject, lb *trace.LoadBalancer, condition func(estate.RuleCondition) bool) bool {
	if lb.Actual == nil || !s.Read(estate.Listeners.Kind) || !s.Read(estate.ListenerRules.Kind) {
		return false
	}
	of := map[string]bool{}
	for _, l := range lb.Listeners {
		if l.Actual == nil || forwards(l.Actual.DefaultActions) {
			return false
		}
		of[l.Actual.Arn] = true
	}
	for _, r := range control.All(s, estate.ListenerRules) {
		if of[r.ListenerArn] && forwards(r.Actions) && !slices.ContainsFunc(r.Conditions, condition) {
			return false
		}
	}
	return len(of) > 0
}

func forwards(actions []estate.Action) bool {
	return slices.ContainsFunc(actions, func(a estate.Action) bool { return a.Type == "forward" })
}
