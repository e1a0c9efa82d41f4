package transit

import (
	"fmt"
	"slices"
	"strings"

	"github.com/eksafe/eksafe/internal/control"
	"github.com/eksafe/eksafe/internal/estate"
	"github.com/eksafe/eksafe/internal/trace"
)

var listenerTlsPolicy = &control.Control{
	ID:       "listener-tls-policy",
	Title:    "TLS listeners accept TLS 1.2 or newer with forward secrecy only",
	Severity: control.High,
	Refs:     []control.Ref{control.FSBP("ELB.17"), control.FSBP("ELB.8"), control.AWS("elb-ssl-policies")},
	Serves:   []string{"S4"},
	Since:    "0.1.0",
	Check: control.Traced(listeners, placeOfListener, judgeListenerTLSPolicy, entryKinds...).
		Helped(slices.Concat(entryHelpers, []estate.Kind{estate.SSLPolicies.Kind})...),
}

// An sslPolicy is a security policy of ELB: the protocols and ciphers that it
// accepts, separated by spaces.
type sslPolicy struct{ protocols, ciphers string }

// defaultSSLPolicy is what ELB takes when an API call, a template or the AWS
// Load Balancer Controller names no policy (AWS documentation, "Security
// policies for your Application Load Balancer").
const defaultSSLPolicy = "ELBSecurityPolicy-2016-08"

func judgeListenerTLSPolicy(s *control.Subject, l *trace.Listener) {
	if !l.TLS() {
		s.NotApplicable()
		return
	}
	if hidden(s, l.LoadBalancer, false) {
		return
	}
	at := or(l.SSLPolicyAt, l.At)
	if l.LoadBalancer.Classic != nil && judgeClassicPolicy(s, l, at) {
		return
	}
	name, known := l.SSLPolicy.Get()
	if !known {
		s.Unknownf("the security policy of %s is not known; read the load balancer live (--aws)", listenerName(l))
		return
	}
	says := name
	if name == "" {
		if l.LoadBalancer.Auto {
			s.Unknownf("%s names no security policy, and eksafe does not know the default of EKS Auto Mode; name one", listenerName(l))
			return
		}
		name = defaultSSLPolicy
		says = "the default policy " + name
	}
	policy, ok := sslPolicies[name]
	if live, found := control.Find(s, estate.SSLPolicies, name); found {
		policy, ok = sslPolicy{strings.Join(live.SslProtocols, " "), strings.Join(live.Ciphers, " ")}, true
	}
	if !ok {
		s.Unknownf("eksafe's table of %s does not have the security policy %s of %s; read it live (elasticloadbalancing:DescribeSSLPolicies)", sslPoliciesDate, name, listenerName(l))
		return
	}
	if weak := policy.weakness(); weak != "" {
		s.FailAt(at, "%s %s", says, weak)
	}
}

// judgeClassicPolicy judges the ciphers and protocols that a classic load
// balancer lists itself, and reports whether it lists any.
func judgeClassicPolicy(s *control.Subject, l *trace.Listener, at trace.Place) bool {
	for _, cl := range l.LoadBalancer.Classic.Listeners {
		if cl.LoadBalancerPort != fmt.Sprint(l.Port) {
			continue
		}
		for _, p := range l.LoadBalancer.Classic.Policies {
			if p.PolicyType != "SSLNegotiationPolicyType" || !slices.Contains(cl.PolicyNames, p.PolicyName) {
				continue
			}
			var protocols, ciphers []string
			for _, a := range p.Attributes {
				switch name, isProtocol := strings.CutPrefix(a.Key, "Protocol-"); {
				case a.Value != "true" || a.Key == "Server-Defined-Cipher-Order":
				case isProtocol:
					protocols = append(protocols, name)
				default:
					ciphers = append(ciphers, a.Key)
				}
			}
			if len(protocols) == 0 {
				return false // it refers to a predefined policy
			}
			if weak := (sslPolicy{strings.Join(protocols, " "), strings.Join(ciphers, " ")}).weakness(); weak != "" {
				s.FailAt(at, "policy %s %s", p.PolicyName, weak)
			}
			return true
		}
	}
	return false
}

// weakness says what is wrong with the policy, "" if nothing is.
func (p sslPolicy) weakness() string {
	var old, static, broken []string
	for _, v := range strings.Fields(p.protocols) {
		switch v {
		case "TLSv1.2", "TLSv1.3":
		default:
			old = append(old, v)
		}
	}
	for _, c := range strings.Fields(p.ciphers) {
		switch {
		case brokenCipher(c):
			broken = append(broken, c)
		case !strings.HasPrefix(c, "TLS_") && !strings.HasPrefix(c, "ECDHE-") && !strings.HasPrefix(c, "DHE-"):
			static = append(static, c)
		}
	}
	var says []string
	if len(old) > 0 {
		slices.Sort(old)
		says = append(says, "accepts "+strings.Join(old, " and "))
	}
	if len(broken) > 0 {
		slices.Sort(broken)
		says = append(says, "accepts broken ciphers ("+firstOf(broken)+")")
	}
	if len(static) > 0 {
		slices.Sort(static)
		says = append(says, "accepts ciphers without forward secrecy ("+firstOf(static)+")")
	}
	return strings.Join(says, ", ")
}

func brokenCipher(c string) bool {
	for _, part := range []string{"RC4", "DES-", "3DES", "NULL", "EXP", "MD5", "ADH", "AECDH"} {
		if strings.Contains(c, part) {
			return true
		}
	}
	return false
}

// firstOf returns the first of a sorted list and how many more there are.
func firstOf(list []string) string {
	if len(list) == 1 {
		return list[0]
	}
	return fmt.Sprintf("%s and %d more", list[0], len(list)-1)
}
