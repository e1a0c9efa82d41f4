package edge

import (
	"slices"
	"strings"

	"github.com/eksafe/eksafe/internal/control"
	"github.com/eksafe/eksafe/internal/estate"
)

var wafBlocks = &control.Control{
	ID:       "waf-blocks",
	Title:    "The rules of every web ACL block, and nothing lets requests past them",
	Severity: control.High,
	Refs:     []control.Ref{control.AWS("waf-rule-actions"), control.AWS("waf-rule-group-overrides"), control.ATTACK("T1190")},
	Serves:   []string{"S20", "S23"},
	Since:    "0.1.0",
	Check:    aclCheck(judgeBlocks, estate.IPSets.Kind),
}

func judgeBlocks(s *control.Subject, _ entry, a *acl) {
	gate, open := a.openGate(s)
	after := ruleSetAfter(a, gate)
	past := open && after != ""
	if past {
		st := a.steps[gate]
		s.FailAt(st.place(st.field), "rule %s allows whatever is asked before rule set %s is asked", st.rule.Name, after)
	}
	def, defaultKnown := a.DefaultAction.Get()
	blocks := def == "Block" && !open
	var unread []string
	counted := false
	for i, st := range a.steps {
		m := st.managed()
		switch {
		case m != nil && st.counts():
			s.FailAt(st.place("overrideAction"), "rule set %s only counts: it blocks no request", m.Name)
			counted = true
		case m != nil:
			effective, known := managedBlocks(s, st)
			if !known {
				unread = append(unread, m.Name)
			}
			blocks = blocks || effective && i < gate
			counted = counted || !effective
		case st.unread && st.counts():
			s.FailAt(st.place("overrideAction"), "rule group %s only counts: it blocks no request", st.rule.Name)
			counted = true
		case st.unread:
			unread = append(unread, st.rule.Name)
		case st.group != nil && st.action == "Count" && st.field == "overrideAction":
			s.FailAt(st.place("overrideAction"), "rule group %s only counts: it blocks no request", st.group.Name)
			counted = true
		case st.action == "Allow" && i < gate && unreadSet(s, st.rule.Statement) != "":
			s.Unknownf("whom rule %s of web ACL %s allows is not known: IP set %s was not read", st.rule.Name, a.Name, estate.ShortName(unreadSet(s, st.rule.Statement)))
			return
		case stops(st.action) && i < gate && spanOf(s, st.rule.Statement) != none:
			blocks = true
		}
	}
	switch {
	case len(unread) > 0:
		s.Unknownf("what rule group %s of web ACL %s does is not known; allow wafv2:GetRuleGroup and wafv2:DescribeManagedRuleGroup", strings.Join(unread, ", "), a.Name)
	case blocks || counted || past:
	case !open && !defaultKnown:
		s.Unknownf("the default action of web ACL %s is not known; allow wafv2:GetWebACL", a.Name)
	default:
		s.FailAt(a.place("rules"), "web ACL %s has no rule that blocks", a.Name)
	}
}

// ruleSetAfter returns the name of the first rule set after a step.
func ruleSetAfter(a *acl, step int) string {
	for i, st := range a.steps {
		if m := st.managed(); i > step && m != nil {
			return m.Name
		}
	}
	return ""
}

// managedBlocks reports whether any rule of a managed group keeps an action of
// its own. known is false where rules are overridden and nobody knows how many
// there are.
func managedBlocks(s *control.Subject, st step) (effective, known bool) {
	m := st.managed()
	if down := m.ScopeDownStatement; down != nil && spanOf(s, *down) == none {
		s.FailAt(st.place("statement.managedRuleGroupStatement.scopeDownStatement"), "rule set %s is asked about no request: its scope-down statement matches none", m.Name)
		return false, true
	}
	quiet := func(rule string) bool {
		o := override(rule, m.ExcludedRules, m.RuleActionOverrides)
		return o == "Count" || o == "Allow"
	}
	rules, known := m.Rules.Get()
	switch {
	case len(m.ExcludedRules) == 0 && !slices.ContainsFunc(m.RuleActionOverrides, func(o estate.RuleActionOverride) bool { return quiet(o.Name) }):
		return true, true
	case !known:
		return true, false
	case slices.ContainsFunc(rules, func(r string) bool { return !quiet(r) }):
		return true, true
	}
	s.FailAt(st.place("statement.managedRuleGroupStatement"), "rule set %s only counts: all its %d rules are overridden", m.Name, len(rules))
	return false, true
}
