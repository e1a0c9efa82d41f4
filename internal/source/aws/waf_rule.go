package aws

import (
	"cmp"
	"reflect"
	"slices"
	"strings"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	waftypes "github.com/aws/aws-sdk-go-v2/service/wafv2/types"

	"github.com/eksafe/eksafe/internal/estate"
	"github.com/eksafe/eksafe/internal/source/awsfact"
)

// webACLRules lists the rules as they are evaluated: Firewall Manager's first
// groups, the web ACL's own, Firewall Manager's last.
func webACLRules(a *waftypes.WebACL) []estate.Rule {
	return slices.Concat(
		firewallManagerRules(a.PreProcessFirewallManagerRuleGroups, "first"),
		rules(a.Rules),
		firewallManagerRules(a.PostProcessFirewallManagerRuleGroups, "last"))
}

func firewallManagerRules(groups []waftypes.FirewallManagerRuleGroup, at string) []estate.Rule {
	out := []estate.Rule{}
	for _, g := range groups {
		rule := estate.Rule{Name: text(g.Name), Priority: int(g.Priority), OverrideAction: member(g.OverrideAction), FirewallManager: at}
		if s := g.FirewallManagerStatement; s != nil {
			rule.Statement = statement(&waftypes.Statement{
				ManagedRuleGroupStatement:   s.ManagedRuleGroupStatement,
				RuleGroupReferenceStatement: s.RuleGroupReferenceStatement,
			})
		}
		out = append(out, rule)
	}
	return byPriority(out)
}

// rules lists rules as they are evaluated.
func rules(in []waftypes.Rule) []estate.Rule {
	out := []estate.Rule{}
	for _, r := range in {
		out = append(out, estate.Rule{
			Name:           text(r.Name),
			Priority:       int(r.Priority),
			Action:         member(r.Action),
			OverrideAction: member(r.OverrideAction),
			Statement:      statement(r.Statement),
		})
	}
	return byPriority(out)
}

func byPriority(rules []estate.Rule) []estate.Rule {
	slices.SortStableFunc(rules, func(a, b estate.Rule) int { return cmp.Compare(a.Priority, b.Priority) })
	return rules
}

// member names the field of an SDK's union that is set; "" where none is, as
// with a member that AWS added after the SDK was made.
func member[T any](union *T) string {
	if union == nil {
		return ""
	}
	for field, value := range reflect.ValueOf(union).Elem().Fields() {
		if value.Kind() == reflect.Pointer && !value.IsNil() {
			return field.Name
		}
	}
	return ""
}

func statement(s *waftypes.Statement) estate.Statement {
	var out estate.Statement
	switch name := member(s); name {
	case "ManagedRuleGroupStatement":
		g := s.ManagedRuleGroupStatement
		out.ManagedRuleGroupStatement = &estate.ManagedRuleGroupStatement{
			VendorName:          text(g.VendorName),
			Name:                text(g.Name),
			Version:             text(g.Version),
			ExcludedRules:       excludedRules(g.ExcludedRules),
			RuleActionOverrides: actionOverrides(g.RuleActionOverrides),
			ScopeDownStatement:  scopeDown(g.ScopeDownStatement),
		}
	case "RuleGroupReferenceStatement":
		g := s.RuleGroupReferenceStatement
		out.RuleGroupReferenceStatement = &estate.RuleGroupReferenceStatement{
			Arn:                 text(g.ARN),
			ExcludedRules:       excludedRules(g.ExcludedRules),
			RuleActionOverrides: actionOverrides(g.RuleActionOverrides),
		}
	case "IPSetReferenceStatement":
		out.IPSetReferenceStatement = &estate.IPSetReferenceStatement{Arn: text(s.IPSetReferenceStatement.ARN)}
		if f := s.IPSetReferenceStatement.IPSetForwardedIPConfig; f != nil {
			out.IPSetReferenceStatement.ForwardedHeader = text(f.HeaderName)
		}
	case "RateBasedStatement":
		b := s.RateBasedStatement
		out.RateBasedStatement = &estate.RateBasedStatement{
			Limit:               int(awssdk.ToInt64(b.Limit)),
			EvaluationWindowSec: int(b.EvaluationWindowSec),
			AggregateKeyType:    string(b.AggregateKeyType),
			CustomKeys:          customKeys(b.CustomKeys),
			ScopeDownStatement:  scopeDown(b.ScopeDownStatement),
		}
	case "GeoMatchStatement":
		codes := []string{}
		for _, c := range s.GeoMatchStatement.CountryCodes {
			codes = append(codes, string(c))
		}
		out.GeoMatchStatement = &estate.GeoMatchStatement{CountryCodes: list(codes)}
	case "ByteMatchStatement":
		out.ByteMatchStatement = byteMatch(s.ByteMatchStatement)
	case "AndStatement":
		out.AndStatement = statements(s.AndStatement.Statements)
	case "OrStatement":
		out.OrStatement = statements(s.OrStatement.Statements)
	case "NotStatement":
		out.NotStatement = &estate.NotStatement{Statement: statement(s.NotStatement.Statement)}
	default:
		out.Other = cmp.Or(name, "unknown")
	}
	return out
}

func customKeys(in []waftypes.RateBasedStatementCustomKey) []string {
	var out []string
	for i := range in {
		out = append(out, cmp.Or(member(&in[i]), "unknown"))
	}
	return out
}

func statements(in []waftypes.Statement) *estate.Statements {
	out := &estate.Statements{Statements: []estate.Statement{}}
	for i := range in {
		out.Statements = append(out.Statements, statement(&in[i]))
	}
	return out
}

func scopeDown(s *waftypes.Statement) *estate.Statement {
	if s == nil {
		return nil
	}
	out := statement(s)
	return &out
}

func excludedRules(in []waftypes.ExcludedRule) []string {
	var out []string
	for _, r := range in {
		out = append(out, text(r.Name))
	}
	slices.Sort(out)
	return out
}

func actionOverrides(in []waftypes.RuleActionOverride) []estate.RuleActionOverride {
	var out []estate.RuleActionOverride
	for _, o := range in {
		out = append(out, estate.RuleActionOverride{Name: text(o.Name), ActionToUse: member(o.ActionToUse)})
	}
	slices.SortFunc(out, func(a, b estate.RuleActionOverride) int { return cmp.Compare(a.Name, b.Name) })
	return out
}

func byteMatch(b *waftypes.ByteMatchStatement) *estate.ByteMatchStatement {
	out := &estate.ByteMatchStatement{
		FieldToMatch:         member(b.FieldToMatch),
		PositionalConstraint: string(b.PositionalConstraint),
	}
	var transformations []string
	for _, t := range b.TextTransformations {
		transformations = append(transformations, string(t.Type))
	}
	// The text that it looks for goes no further.
	out.MatchesAll = awsfact.MatchesAll(out.FieldToMatch, out.PositionalConstraint, string(b.SearchString), transformations)
	if b.FieldToMatch != nil && b.FieldToMatch.SingleHeader != nil {
		out.Header = strings.ToLower(text(b.FieldToMatch.SingleHeader.Name))
	}
	return out
}

func redactedFields(in []waftypes.FieldToMatch) []string {
	out := []string{}
	for i := range in {
		name := member(&in[i])
		if h := in[i].SingleHeader; h != nil {
			name = "header:" + strings.ToLower(text(h.Name))
		}
		out = append(out, cmp.Or(name, "unknown"))
	}
	return list(out)
}

func keepsBlocked(f *waftypes.LoggingFilter) estate.Optional[bool] {
	if f == nil {
		return awsfact.KeepsBlocked("", nil)
	}
	var filters []awsfact.LogFilter
	for _, x := range f.Filters {
		filter := awsfact.LogFilter{Behavior: string(x.Behavior), Requirement: string(x.Requirement)}
		for _, c := range x.Conditions {
			if c.ActionCondition != nil {
				filter.Actions = append(filter.Actions, string(c.ActionCondition.Action))
			} else {
				filter.Labels = true
			}
		}
		filters = append(filters, filter)
	}
	return awsfact.KeepsBlocked(string(f.DefaultBehavior), filters)
}
