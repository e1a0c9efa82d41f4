package aws

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/wafv2"
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
				Limit: awssdk.Int64(2000), AggregateKeyType: waftypes.RateBasedStatementAggregateKeyTypeCustomKeys, ScopeDownStatement: &secret,
				CustomKeys: []waftypes.RateBasedStatementCustomKey{{IP: &waftypes.RateLimitIP{}}, {Header: &waftypes.RateLimitHeader{Name: awssdk.String("x-canary-header")}}, {}},
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
		{Name: "rate", Priority: 1, Action: "Block", Statement: estate.Statement{RateBasedStatement: &estate.RateBasedStatement{Limit: 2000, AggregateKeyType: "CUSTOM_KEYS", CustomKeys: []string{"IP", "Header", "unknown"}, ScopeDownStatement: &match}}},
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
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(estate.Optional[[]string]{})); diff != "" {
		t.Errorf("rules (-want +got):\n%s", diff)
	}
	data, err := json.Marshal(got)
	if err != nil || strings.Contains(string(data), "canary") || strings.Contains(string(data), "Y2FuYXJ5") {
		t.Errorf("the rules hold the text that a statement looks for: %s, %v", data, err)
	}
}

func TestKeepsBlocked(t *testing.T) {
	block := waftypes.Condition{ActionCondition: &waftypes.ActionCondition{Action: waftypes.ActionValueBlock}}
	label := waftypes.Condition{LabelNameCondition: &waftypes.LabelNameCondition{LabelName: awssdk.String("bot:x")}}
	filter := func(conditions ...waftypes.Condition) *waftypes.LoggingFilter {
		return &waftypes.LoggingFilter{DefaultBehavior: "DROP", Filters: []waftypes.Filter{{Behavior: "KEEP", Requirement: "MEETS_ALL", Conditions: conditions}}}
	}
	for name, c := range map[string]struct {
		filter *waftypes.LoggingFilter
		want   bool
	}{
		"no filter":              {nil, true},
		"keeps blocked":          {filter(block), true},
		"keeps labelled blocked": {filter(block, label), false},
	} {
		if got := keepsBlocked(c.filter); got != estate.Known(c.want) {
			t.Errorf("%s: got %v, want %v", name, got, c.want)
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

// fakeManaged knows the rules of managed groups.
type fakeManaged struct {
	wafv2API
	deny bool

	mu    sync.Mutex // guards asked
	asked []string
}

func (f *fakeManaged) DescribeManagedRuleGroup(_ context.Context, in *wafv2.DescribeManagedRuleGroupInput, _ ...func(*wafv2.Options)) (*wafv2.DescribeManagedRuleGroupOutput, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked = append(f.asked, fmt.Sprintf("%s %s %s %s", in.Scope, *in.VendorName, *in.Name, awssdk.ToString(in.VersionName)))
	if f.deny {
		return nil, refused("WAFV2", "DescribeManagedRuleGroup", "AccessDeniedException")
	}
	return &wafv2.DescribeManagedRuleGroupOutput{Rules: []waftypes.RuleSummary{{Name: awssdk.String("b")}, {Name: awssdk.String("a " + awssdk.ToString(in.VersionName))}}}, nil
}

func TestManagedRules(t *testing.T) {
	using := func(versions ...string) *estate.WebACL {
		var rules []estate.Rule
		for _, v := range versions {
			rules = append(rules, estate.Rule{Statement: estate.Statement{ManagedRuleGroupStatement: &estate.ManagedRuleGroupStatement{VendorName: "AWS", Name: "Common", Version: v}}})
		}
		return &estate.WebACL{Rules: estate.Known(rules)}
	}
	rulesOf := func(acls []*estate.WebACL) string {
		var out []string
		for _, a := range acls {
			for _, r := range a.Rules.Or(nil) {
				rules, known := r.Statement.ManagedRuleGroupStatement.Rules.Get()
				out = append(out, fmt.Sprintf("%q %v", rules, known))
			}
		}
		return strings.Join(out, ", ")
	}
	for name, c := range map[string]struct {
		deny     bool
		want     string
		problems int
	}{
		"read":   {false, `["a 1" "b"] true, ["a " "b"] true, ["a 1" "b"] true`, 0},
		"denied": {true, `[] false, [] false, [] false`, 1},
	} {
		t.Run(name, func(t *testing.T) {
			api := &fakeManaged{deny: c.deny}
			r := readerOf(&clients{wafv2: api})
			acls := []*estate.WebACL{using("1", ""), {}, using("1")}
			r.readManagedRules(t.Context(), api, waftypes.ScopeRegional, acls)
			slices.Sort(api.asked)
			if want := []string{"REGIONAL AWS Common ", "REGIONAL AWS Common 1"}; !slices.Equal(api.asked, want) {
				t.Errorf("asked for %q, want %q", api.asked, want)
			}
			if got := rulesOf(acls); got != c.want {
				t.Errorf("rules are %s, want %s", got, c.want)
			}
			if got := r.result().Sources[0].Problems; len(got) != c.problems {
				t.Errorf("problems are %v", got)
			}
		})
	}
}
