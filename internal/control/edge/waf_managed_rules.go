package edge

import (
	"slices"
	"strings"

	"github.com/eksafe/eksafe/internal/control"
	"github.com/eksafe/eksafe/internal/estate"
)

var wafManagedRules = &control.Control{
	ID:       "waf-managed-rules",
	Title:    "Every web ACL runs a rule set that AWS or a seller keeps up to date",
	Severity: control.High,
	Refs:     []control.Ref{control.AWS("waf-managed-rule-groups"), control.ATTACK("T1190")},
	Serves:   []string{"S21"},
	Since:    "0.1.0",
	Check:    aclCheck(judgeManagedRules),
}

// notExploits are AWS's groups that tell who asks, not what is asked: none of
// them recognises an exploit.
var notExploits = []string{
	"AWSManagedRulesAmazonIpReputationList",
	"AWSManagedRulesAnonymousIpList",
	"AWSManagedRulesBotControlRuleSet",
	"AWSManagedRulesATPRuleSet",
	"AWSManagedRulesACFPRuleSet",
	"AWSManagedRulesAntiDDoSRuleSet",
}

func judgeManagedRules(s *control.Subject, _ entry, a *acl) {
	var others []string
	for _, r := range a.rules {
		m := r.Statement.ManagedRuleGroupStatement
		if m == nil {
			continue
		}
		if recognisesExploits(m) {
			return
		}
		others = append(others, m.Name)
	}
	if len(others) > 0 {
		s.FailAt(a.place("rules"), "web ACL %s runs only %s: they tell who asks, and none recognises an exploit", a.Name, strings.Join(others, ", "))
		return
	}
	s.FailAt(a.place("rules"), "web ACL %s runs no managed rule set", a.Name)
}

func recognisesExploits(m *estate.ManagedRuleGroupStatement) bool {
	return m.VendorName != "AWS" || !slices.Contains(notExploits, m.Name)
}
