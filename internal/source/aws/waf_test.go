package aws

import (
	"encoding/json"
	"strings"
	"testing"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	waftypes "github.com/aws/aws-sdk-go-v2/service/wafv2/types"
	"github.com/google/go-cmp/cmp"

	"github.com/eksafe/eksafe/internal/estate"
)

func TestWebACLRules(t *testing.T) {
	secret := waftypes.Statement{ByteMatchStatement: &waftypes.ByteMatchStatement{
		FieldToMatch:         &waftypes.FieldToMatch{SingleHeader: &waftypes.SingleHeader{Name: awssdk.String("X-Origin-Verify")}},
		PositionalConstraint: waftypes.PositionalConstraintExactly,
		SearchString:         []byte("canary-header-value"),
	}}
	block, allow := &waftypes.RuleAction{Block: &waftypes.BlockAction{}}, &waftypes.RuleAction{Allow: &waftypes.AllowAction{}}
	got := webACLRules(&waftypes.WebACL{
		PreProcessFirewallManagerRuleGroups: []waftypes.FirewallManagerRuleGroup{{
			Name: awssdk.String("fms"), Priority: 9, OverrideAction: &waftypes.OverrideAction{None: &waftypes.NoneAction{}},
			FirewallManagerStatement: &waftypes.FirewallManagerStatement{ManagedRuleGroupStatement: &waftypes.ManagedRuleGroupStatement{
				VendorName: awssdk.String("AWS"), Name: awssdk.String("AWSManagedRulesCommonRuleSet"),
			}},
		}},
		PostProcessFirewallManagerRuleGroups: []waftypes.FirewallManagerRuleGroup{{Name: awssdk.String("fms-last"), OverrideAction: &waftypes.OverrideAction{Count: &waftypes.CountAction{}}}},
		Rules: []waftypes.Rule{
			{Name: awssdk.String("new"), Priority: 4, Action: &waftypes.RuleAction{}, Statement: &waftypes.Statement{}},
			{Name: awssdk.String("sqli"), Priority: 3, Action: block, Statement: &waftypes.Statement{SqliMatchStatement: &waftypes.SqliMatchStatement{}}},
			{Name: awssdk.String("not from us"), Priority: 2, Action: block, Statement: &waftypes.Statement{AndStatement: &waftypes.AndStatement{Statements: []waftypes.Statement{
				{NotStatement: &waftypes.NotStatement{Statement: &waftypes.Statement{OrStatement: &waftypes.OrStatement{Statements: []waftypes.Statement{
					{IPSetReferenceStatement: &waftypes.IPSetReferenceStatement{ARN: awssdk.String("arn:office"), IPSetForwardedIPConfig: &waftypes.IPSetForwardedIPConfig{HeaderName: awssdk.String("X-Forwarded-For")}}},
					{GeoMatchStatement: &waftypes.GeoMatchStatement{CountryCodes: []waftypes.CountryCode{"DE", "AT"}}},
				}}}}},
				secret,
			}}}},
			{Name: awssdk.String("rate"), Priority: 1, Action: block, Statement: &waftypes.Statement{RateBasedStatement: &waftypes.RateBasedStatement{
				Limit: awssdk.Int64(2000), AggregateKeyType: waftypes.RateBasedStatementAggregateKeyTypeIp, ScopeDownStatement: &secret,
			}}},
			{Name: awssdk.String("own"), Priority: 0, OverrideAction: &waftypes.OverrideAction{None: &waftypes.NoneAction{}}, Statement: &waftypes.Statement{
				RuleGroupReferenceStatement: &waftypes.RuleGroupReferenceStatement{
					ARN: awssdk.String("arn:group"), ExcludedRules: []waftypes.ExcludedRule{{Name: awssdk.String("b")}, {Name: awssdk.String("a")}},
					RuleActionOverrides: []waftypes.RuleActionOverride{{Name: awssdk.String("z"), ActionToUse: allow}, {Name: awssdk.String("c"), ActionToUse: &waftypes.RuleAction{Captcha: &waftypes.CaptchaAction{}}}},
				},
			}},
		},
	})
	match := estate.Statement{ByteMatchStatement: &estate.ByteMatchStatement{FieldToMatch: "SingleHeader", Header: "x-origin-verify", PositionalConstraint: "EXACTLY"}}
	want := []estate.Rule{
		{Name: "fms", Priority: 9, OverrideAction: "None", FirewallManager: "first", Statement: estate.Statement{
			ManagedRuleGroupStatement: &estate.ManagedRuleGroupStatement{VendorName: "AWS", Name: "AWSManagedRulesCommonRuleSet"},
		}},
		{Name: "own", OverrideAction: "None", Statement: estate.Statement{RuleGroupReferenceStatement: &estate.RuleGroupReferenceStatement{
			Arn: "arn:group", ExcludedRules: []string{"a", "b"}, RuleActionOverrides: []estate.RuleActionOverride{{Name: "c", ActionToUse: "Captcha"}, {Name: "z", ActionToUse: "Allow"}},
		}}},
		{Name: "rate", Priority: 1, Action: "Block", Statement: estate.Statement{RateBasedStatement: &estate.RateBasedStatement{Limit: 2000, AggregateKeyType: "IP", ScopeDownStatement: &match}}},
		{Name: "not from us", Priority: 2, Action: "Block", Statement: estate.Statement{AndStatement: &estate.Statements{Statements: []estate.Statement{
			{NotStatement: &estate.NotStatement{Statement: estate.Statement{OrStatement: &estate.Statements{Statements: []estate.Statement{
				{IPSetReferenceStatement: &estate.IPSetReferenceStatement{Arn: "arn:office", ForwardedHeader: "X-Forwarded-For"}},
				{GeoMatchStatement: &estate.GeoMatchStatement{CountryCodes: []string{"AT", "DE"}}},
			}}}}},
			match,
		}}}},
		{Name: "sqli", Priority: 3, Action: "Block", Statement: estate.Statement{Other: "SqliMatchStatement"}},
		{Name: "new", Priority: 4, Statement: estate.Statement{Other: "unknown"}},
		{Name: "fms-last", OverrideAction: "Count", FirewallManager: "last"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("rules (-want +got):\n%s", diff)
	}
	data, err := json.Marshal(got)
	if err != nil || strings.Contains(string(data), "canary") || strings.Contains(string(data), "Y2FuYXJ5") {
		t.Errorf("the rules hold the text that a statement looks for: %s, %v", data, err)
	}
}

func TestMatchesAll(t *testing.T) {
	path, query := &waftypes.FieldToMatch{UriPath: &waftypes.UriPath{}}, &waftypes.FieldToMatch{QueryString: &waftypes.QueryString{}}
	for name, c := range map[string]struct {
		field          *waftypes.FieldToMatch
		constraint     waftypes.PositionalConstraint
		search         string
		transformation waftypes.TextTransformationType
		want           bool
	}{
		"a path starts with a slash":          {path, "STARTS_WITH", "/", "NONE", true},
		"a path contains a slash":             {path, "CONTAINS", "/", "LOWERCASE", true},
		"not every path ends with one":        {path, "ENDS_WITH", "/", "NONE", false},
		"nor is one":                          {path, "EXACTLY", "/", "NONE", false},
		"a path that is decoded":              {path, "STARTS_WITH", "/", "BASE64_DECODE", false},
		"a query contains nothing":            {query, "CONTAINS", "", "NONE", true},
		"a query starts with nothing":         {query, "STARTS_WITH", "", "MD5", true},
		"a query that is nothing is rare":     {query, "EXACTLY", "", "NONE", false},
		"a query need not start with a slash": {query, "STARTS_WITH", "/", "NONE", false},
		"one path":                            {path, "STARTS_WITH", "/admin", "NONE", false},
	} {
		got := matchesAll(&waftypes.ByteMatchStatement{
			FieldToMatch: c.field, PositionalConstraint: c.constraint, SearchString: []byte(c.search),
			TextTransformations: []waftypes.TextTransformation{{Type: c.transformation}},
		})
		if got != c.want {
			t.Errorf("%s: got %v", name, got)
		}
	}
}

func TestKeepsBlocked(t *testing.T) {
	filter := func(behavior waftypes.FilterBehavior, requirement waftypes.FilterRequirement, conditions ...string) waftypes.Filter {
		f := waftypes.Filter{Behavior: behavior, Requirement: requirement}
		for _, c := range conditions {
			if strings.Contains(c, ":") {
				f.Conditions = append(f.Conditions, waftypes.Condition{LabelNameCondition: &waftypes.LabelNameCondition{LabelName: &c}})
			} else {
				f.Conditions = append(f.Conditions, waftypes.Condition{ActionCondition: &waftypes.ActionCondition{Action: waftypes.ActionValue(c)}})
			}
		}
		return f
	}
	for name, c := range map[string]struct {
		filter *waftypes.LoggingFilter
		want   string
	}{
		"no filter":               {nil, "true"},
		"keeps blocked alone":     {&waftypes.LoggingFilter{DefaultBehavior: "DROP", Filters: []waftypes.Filter{filter("KEEP", "MEETS_ANY", "BLOCK", "COUNT")}}, "true"},
		"drops allowed":           {&waftypes.LoggingFilter{DefaultBehavior: "KEEP", Filters: []waftypes.Filter{filter("DROP", "MEETS_ANY", "ALLOW")}}, "true"},
		"drops blocked":           {&waftypes.LoggingFilter{DefaultBehavior: "KEEP", Filters: []waftypes.Filter{filter("DROP", "MEETS_ALL", "BLOCK")}}, "false"},
		"keeps counted alone":     {&waftypes.LoggingFilter{DefaultBehavior: "DROP", Filters: []waftypes.Filter{filter("KEEP", "MEETS_ANY", "COUNT")}}, "false"},
		"keeps labelled blocked":  {&waftypes.LoggingFilter{DefaultBehavior: "DROP", Filters: []waftypes.Filter{filter("KEEP", "MEETS_ALL", "BLOCK", "bot:x")}}, "false"},
		"drops labelled":          {&waftypes.LoggingFilter{DefaultBehavior: "KEEP", Filters: []waftypes.Filter{filter("DROP", "MEETS_ANY", "bot:x")}}, "unknown"},
		"allowed with a label":    {&waftypes.LoggingFilter{DefaultBehavior: "KEEP", Filters: []waftypes.Filter{filter("DROP", "MEETS_ALL", "ALLOW", "bot:x")}}, "true"},
		"one keeps, one drops it": {&waftypes.LoggingFilter{DefaultBehavior: "KEEP", Filters: []waftypes.Filter{filter("KEEP", "MEETS_ANY", "BLOCK"), filter("DROP", "MEETS_ANY", "BLOCK")}}, "unknown"},
	} {
		got := "unknown"
		if kept, known := keepsBlocked(c.filter).Get(); known {
			got = map[bool]string{true: "true", false: "false"}[kept]
		}
		if got != c.want {
			t.Errorf("%s: got %s, want %s", name, got, c.want)
		}
	}
}

func TestRedactedFields(t *testing.T) {
	got := redactedFields([]waftypes.FieldToMatch{
		{UriPath: &waftypes.UriPath{}}, {QueryString: &waftypes.QueryString{}}, {Method: &waftypes.Method{}},
		{SingleHeader: &waftypes.SingleHeader{Name: awssdk.String("Authorization")}}, {},
	})
	if diff := cmp.Diff([]string{"Method", "QueryString", "UriPath", "header:authorization", "unknown"}, got); diff != "" {
		t.Errorf("fields (-want +got):\n%s", diff)
	}
}
