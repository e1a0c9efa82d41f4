package edge

import (
	"fmt"
	"slices"
	"strings"

	"github.com/eksafe/eksafe/internal/control"
	"github.com/eksafe/eksafe/internal/estate"
	"github.com/eksafe/eksafe/internal/trace"
)

var originLocked = &control.Control{
	ID:       "origin-locked",
	Title:    "A load balancer behind CloudFront accepts its own distribution only",
	Severity: control.High,
	Refs:     []control.Ref{control.AWS("cloudfront-restrict-alb"), control.AWS("cloudfront-prefix-list"), control.ATTACK("T1190")},
	Serves:   []string{"S20", "S25"},
	Since:    "0.1.0",
	Check: control.Traced(originBalancers, (*trace.LoadBalancer).Place, judgeOriginLock,
		estate.Distributions.Kind, estate.LoadBalancers.Kind).
		Helped(estate.SecurityGroups.Kind, estate.PrefixLists.Kind, estate.Listeners.Kind, estate.ListenerRules.Kind,
			estate.WebACLs.Kind, estate.RuleGroups.Kind, estate.WebACLAssociations.Kind),
}

// originBalancers returns the ALBs from which distributions fetch.
func originBalancers(g *trace.Graph) []*trace.LoadBalancer {
	return slices.DeleteFunc(applicationBalancers(g), func(lb *trace.LoadBalancer) bool { return len(lb.Distributions()) == 0 })
}

func judgeOriginLock(s *control.Subject, lb *trace.LoadBalancer) {
	if !lb.InternetFacing() {
		return // a VPC origin: CloudFront comes from inside, nobody else from the internet
	}
	open, what, known := openTo(s, lb)
	switch {
	case !known:
		s.Unknownf("who may reach %s past CloudFront is not known: %s", lb.Name(), what)
		return
	case !open.Subject.IsZero():
		s.FailAt(open, "%s may ask %s past CloudFront", what, lb.Name())
	}
	judgeSecretHeader(s, lb)
}

// openTo returns the first rule of the security groups that lets in others than
// CloudFront and the own network, and whom.
func openTo(s *control.Subject, lb *trace.LoadBalancer) (at trace.Place, whom string, known bool) {
	if lb.Actual == nil || len(lb.Actual.SecurityGroups) == 0 {
		return at, "its security groups are not; read it live (--aws)", false
	}
	for _, id := range lb.Actual.SecurityGroups {
		rules, known := ingressOf(s, id)
		if !known {
			return at, "the rules of security group " + estate.ShortName(id) + " are not; read it live (--aws)", false
		}
		for i, r := range rules {
			whom := r.CidrIp + r.CidrIpv6
			if r.SourcePrefixListId != "" {
				list, ok := control.Find(s, estate.PrefixLists, prefixListKey(s, r.SourcePrefixListId))
				if !ok {
					return at, "prefix list " + r.SourcePrefixListId + " was not read; read it live (--aws)", false
				}
				if ofCloudFront(list.PrefixListName) {
					continue
				}
				whom = "prefix list " + list.PrefixListName
			} else if p, ok := parseNetwork(whom); r.SourceSecurityGroupId != "" || ok && private(p) {
				continue
			}
			for _, g := range control.All(s, estate.SecurityGroups) {
				if g.GroupId == id || g.Arn == id {
					at = trace.Place{Subject: estate.SecurityGroups.Ref(g), Origin: &g.Origin, Field: fmt.Sprintf("securityGroupIngress[%d]", i)}
				}
			}
			return at, whom, true
		}
	}
	return at, "", true
}

// prefixListKey returns the ARN of the prefix list with an ID.
func prefixListKey(s *control.Subject, id string) string {
	for _, l := range control.All(s, estate.PrefixLists) {
		if l.PrefixListId == id {
			return l.Arn
		}
	}
	return id
}

// ofCloudFront reports whether a prefix list is CloudFront's: nobody but AWS
// gives names that begin so.
func ofCloudFront(name string) bool {
	return strings.HasPrefix(name, "com.amazonaws.") && strings.HasSuffix(name, ".cloudfront.origin-facing")
}

// judgeSecretHeader judges whether the load balancer, or its web ACL, tells
// each of its distributions from those of other customers of CloudFront.
func judgeSecretHeader(s *control.Subject, lb *trace.LoadBalancer) {
	var secrets []string
	for _, d := range distributionsOf(s, lb) {
		names, at, known := customHeaders(lb, d)
		switch {
		case !known:
			s.Unknownf("the headers that distribution %s adds are not known; read it live (--aws)", d.Id)
			return
		case len(names) == 0:
			s.FailAt(at, "distribution %s adds no header by which %s could tell it from the distributions of others", d.Id, lb.Name())
			return
		}
		secrets = append(secrets, names...)
	}
	secret := func(name string) bool {
		return slices.ContainsFunc(secrets, func(h string) bool { return strings.EqualFold(h, name) })
	}
	if forwardsOnly(s, lb, func(c estate.RuleCondition) bool {
		return c.Field == "http-header" && !c.AnyValue && slices.ContainsFunc(c.Values, secret)
	}) {
		return
	}
	byACL, known := headerInACL(s, lb, secret)
	switch {
	case byACL:
	case !known || !s.Read(estate.Listeners.Kind) || !s.Read(estate.ListenerRules.Kind):
		s.Unknownf("whether %s asks for the secret header of its distribution is not known; read it live (--aws)", lb.Name())
	default:
		s.FailAt(lb.Place(), "%s forwards without the secret header of its distribution: every customer of CloudFront can send it requests through a distribution of their own, past your web ACL", lb.Name())
	}
}

// customHeaders returns the names of the headers that a distribution adds when
// it fetches from a load balancer.
func customHeaders(lb *trace.LoadBalancer, d *estate.Distribution) (names []string, at trace.Place, known bool) {
	for i, o := range d.DistributionConfig.Origins {
		if !isOrigin(lb, o) {
			continue
		}
		at = trace.Place{Subject: estate.Distributions.Ref(d), Origin: &d.Origin, Field: fmt.Sprintf("distributionConfig.origins[%d].originCustomHeaders", i)}
		added, ok := o.OriginCustomHeaders.Get()
		if !ok || len(added) == 0 {
			return nil, at, ok
		}
		names = append(names, added...)
	}
	return names, at, true
}

func isOrigin(lb *trace.LoadBalancer, o estate.DistributionOrigin) bool {
	if lb.Actual != nil && (hostKey(o.DomainName) == hostKey(lb.Actual.DNSName) || o.DomainName == lb.Actual.Arn+".DNSName") {
		return true
	}
	return slices.ContainsFunc(lb.Listeners, func(l *trace.Listener) bool {
		return slices.ContainsFunc(l.Hosts, func(h string) bool { return hostKey(h) == hostKey(o.DomainName) })
	})
}

// headerInACL reports whether the web ACL of a load balancer lets in only
// requests with a secret header.
func headerInACL(s *control.Subject, lb *trace.LoadBalancer, secret func(string) bool) (confined, known bool) {
	key, known := lb.WebACL.Get()
	if !known || key == "" {
		return false, known
	}
	a := readACL(s, findACL(s, key))
	if a == nil {
		return false, false
	}
	confined = a.confined(func(st estate.Statement) bool {
		b := st.ByteMatchStatement
		return b != nil && b.FieldToMatch == "SingleHeader" && b.PositionalConstraint == "EXACTLY" && !b.MatchesAll && secret(b.Header)
	})
	return confined, confined || !a.unread()
}
