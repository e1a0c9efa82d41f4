package edge

import (
	"slices"

	"github.com/eksafe/eksafe/internal/control"
	"github.com/eksafe/eksafe/internal/estate"
)

var wafBlocklist = &control.Control{
	ID:       "waf-blocklist",
	Title:    "A rule blocks the addresses of attackers before any other rule lets them in",
	Severity: control.Medium,
	Refs:     []control.Ref{control.AWS("waf-ip-sets"), control.AWS("waf-rule-actions"), control.ATTACK("T1595")},
	Serves:   []string{"S23", "S37"},
	Since:    "0.1.0",
	Check:    aclCheck(judgeBlocklist, estate.IPSets.Kind),
}

func judgeBlocklist(s *control.Subject, e entry, a *acl) {
	// Where the clients are known everybody else is kept out anyway.
	if e.behindCDN() || len(clientsOf(s, e)) > 0 {
		s.NotApplicable()
		return
	}
	var versions []string
	past := ""
	for _, st := range a.steps {
		if st.action == "Block" && past == "" {
			for _, arn := range attackers(st.rule.Statement) {
				set, ok := control.Find(s, estate.IPSets, arn)
				if !ok {
					s.Unknownf("IP set %s of web ACL %s was not read; read it live (--aws)", estate.ShortName(arn), a.Name)
					return
				}
				versions = append(versions, set.IPAddressVersion)
			}
			continue
		}
		late := st.action == "Block" && len(attackers(st.rule.Statement)) > 0
		switch {
		case late && len(versions) == 0:
			s.FailAt(st.at, "rule %s blocks attackers after rule %s, which may let them in", st.rule.Name, past)
			return
		case past == "" && mayLetIn(s, st):
			past = st.rule.Name
		}
	}
	v4, v6 := speaks(e)
	switch {
	case len(versions) == 0:
		s.FailAt(a.place("rules"), "web ACL %s has no rule that blocks an IP set of attackers", a.Name)
	case v4 && !slices.Contains(versions, "IPV4"):
		s.FailAt(a.place("rules"), "no IP set of IPv4 addresses is blocked first, and %s serves IPv4", e.name())
	case v6 && !slices.Contains(versions, "IPV6"):
		s.FailAt(a.place("rules"), "no IP set of IPv6 addresses is blocked first, and %s serves IPv6", e.name())
	}
}

// attackers returns the IP sets that a statement matches wholly.
func attackers(st estate.Statement) []string {
	if r := st.IPSetReferenceStatement; r != nil {
		return []string{r.Arn}
	}
	var out []string
	if st.OrStatement != nil {
		for _, x := range st.OrStatement.Statements {
			out = append(out, attackers(x)...)
		}
	}
	return out
}

// mayLetIn reports whether a rule can let in an attacker whose address is
// listed: it allows by something else than the address, or nobody sees what it
// does. Firewall Manager's groups stand first by somebody else's decision.
func mayLetIn(s *control.Subject, st step) bool {
	switch m := st.managed(); {
	case m != nil:
		return !st.counts() && (st.rule.FirewallManager != "first" || allows(m))
	case st.unread:
		return !st.counts() && st.rule.FirewallManager != "first"
	case st.action != "Allow":
		return false
	}
	own := func(x estate.Statement) bool {
		return x.IPSetReferenceStatement != nil && x.IPSetReferenceStatement.ForwardedHeader == ""
	}
	return !inside(st.rule.Statement, own) || spanOf(s, st.rule.Statement) == all
}

// speaks says which IP versions an entry serves, as far as it is known.
func speaks(e entry) (v4, v6 bool) {
	if e.distribution != nil {
		return true, e.distribution.DistributionConfig.IPV6Enabled.Or(false)
	}
	if e.balancer.Actual == nil {
		return true, false
	}
	switch e.balancer.Actual.IpAddressType.Or("") {
	case "dualstack":
		return true, true
	case "dualstack-without-public-ipv4":
		return false, true
	}
	return true, false
}
