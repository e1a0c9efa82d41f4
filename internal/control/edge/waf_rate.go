package edge

import (
	"slices"

	"github.com/eksafe/eksafe/internal/control"
	"github.com/eksafe/eksafe/internal/estate"
	"github.com/eksafe/eksafe/internal/trace"
)

var wafRate = &control.Control{
	ID:       "waf-rate",
	Title:    "A rate-based rule stops whoever asks too often",
	Severity: control.Medium,
	Refs:     []control.Ref{control.AWS("waf-rate-based-rules"), control.ATTACK("T1110"), control.ATTACK("T1498")},
	Serves:   []string{"S23"},
	Since:    "0.1.0",
	Check:    aclCheck(judgeRate, estate.IPSets.Kind),
}

func judgeRate(s *control.Subject, e entry, a *acl) {
	if e.behindCDN() {
		s.NotApplicable()
		return
	}
	gate, _ := a.openGate(s)
	var at trace.Place
	why, unread := "", ""
	for i, st := range a.steps {
		r := st.rule.Statement.RateBasedStatement
		if st.unread && !st.counts() {
			unread = st.rule.Name
		}
		if r == nil {
			continue
		}
		perClient, known := countsClients(r)
		switch {
		case i > gate:
			at, why = st.at, "never sees a request: rule "+a.steps[gate].rule.Name+" before it allows them all"
		case !stops(st.action):
			at, why = st.place(st.field), "does not stop anybody: its action is "+st.action
		case r.ScopeDownStatement != nil && spanOf(s, *r.ScopeDownStatement) == none:
			at, why = st.place("statement.rateBasedStatement.scopeDownStatement"), "counts no request: its scope-down statement matches none"
		case !known:
			s.Unknownf("the keys by which rule %s of web ACL %s counts are not known; read it live (--aws)", st.rule.Name, a.Name)
			return
		case !perClient:
			at, why = st.place("statement.rateBasedStatement.aggregateKeyType"), "does not count by client: one attacker uses up the rate of all"
		default:
			return
		}
		why = "rate-based rule " + st.rule.Name + " " + why
	}
	switch {
	case unread != "":
		s.Unknownf("the rules of rule group %s in web ACL %s are not known; allow wafv2:GetRuleGroup", unread, a.Name)
	case why != "":
		s.FailAt(at, "%s", why)
	default:
		s.FailAt(a.place("rules"), "web ACL %s has no rate-based rule", a.Name)
	}
}

// countsClients reports whether a rate-based rule counts each client apart.
func countsClients(r *estate.RateBasedStatement) (yes, known bool) {
	switch r.AggregateKeyType {
	case "", "IP", "FORWARDED_IP":
		return true, true
	case "CUSTOM_KEYS":
		// There is no such rule without keys: none means that nobody read them.
		return slices.Contains(r.CustomKeys, "IP") || slices.Contains(r.CustomKeys, "ForwardedIP"), len(r.CustomKeys) > 0
	}
	return false, true
}
