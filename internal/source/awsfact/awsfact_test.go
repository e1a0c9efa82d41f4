package awsfact_test

import (
	"strings"
	"testing"

	"github.com/eksafe/eksafe/internal/estate"
	"github.com/eksafe/eksafe/internal/source/awsfact"
)

func show[T any](t *testing.T, o estate.Optional[T]) string {
	t.Helper()
	data, err := o.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestReadAddon(t *testing.T) {
	const defaults = ` "" "" false false`
	for text, want := range map[string]string{
		``:                               `false` + defaults,
		`{}`:                             `false` + defaults,
		`{"enableNetworkPolicy":"true"}`: `true` + defaults,
		`{"enableNetworkPolicy":true}`:   `true` + defaults,
		"enableNetworkPolicy: 'false'\nenv:\n  POD_SECURITY_GROUP_ENFORCING_MODE: strict\n  OTHER: 1":                      `false "strict" "" false false`,
		`{"env":{"ENABLE_POD_ENI":"true","AWS_VPC_K8S_CNI_EXTERNALSNAT":true,"NETWORK_POLICY_ENFORCING_MODE":"standard"}}`: `false "" "standard" true true`,
		`{"enableNetworkPolicy":"perhaps"}`:                              `null` + defaults,
		"{\"enableNetworkPolicy\":\n\ttrue}":                             `true` + defaults,
		`{"enableNetworkPolicy":`:                                        `null null null null null`,
		`{"enableNetworkPolicy":[]}`:                                     `null` + defaults,
		`{"env":{"POD_SECURITY_GROUP_ENFORCING_MODE":["strict"]}}`:       `false null "" false false`,
		`{"env":{"NETWORK_POLICY_ENFORCING_MODE":"hunter2"}}`:            `false "" null false false`,
		`{"env":{"ENABLE_POD_ENI":"hunter2"}}`:                           `false "" "" null false`,
		`{"env":{"ENABLE_POD_ENI":{},"AWS_VPC_K8S_CNI_EXTERNALSNAT":1}}`: `false "" "" null null`,
		`[]`:                         `null null null null null`,
		strings.Repeat("#", 300<<10): `null null null null null`,
	} {
		a, ok := awsfact.ReadAddon(text)
		if ok == strings.Contains(want, "null") {
			t.Errorf("%.60q: understood is %v", text, ok)
		}
		var to estate.Addon
		a.Apply(&to)
		got := strings.Join([]string{
			show(t, to.EnableNetworkPolicy), show(t, to.PodSecurityGroupEnforcingMode), show(t, to.NetworkPolicyEnforcingMode), show(t, to.EnablePodENI), show(t, to.ExternalSNAT),
		}, " ")
		if got != want {
			t.Errorf("%.60q: %s, want %s", text, got, want)
		}
	}
}

func FuzzReadAddon(f *testing.F) {
	f.Add(`{"enableNetworkPolicy":"true","env":{"POD_SECURITY_GROUP_ENFORCING_MODE":"strict"}}`)
	f.Add("a: &a [*a, *a]")
	f.Fuzz(func(_ *testing.T, text string) { awsfact.ReadAddon(text) })
}

func TestMatchesAll(t *testing.T) {
	for name, c := range map[string]struct {
		field, constraint, search, transformation string
		want                                      bool
	}{
		"a path starts with a slash":          {"UriPath", "STARTS_WITH", "/", "NONE", true},
		"a path contains a slash":             {"UriPath", "CONTAINS", "/", "LOWERCASE", true},
		"not every path ends with one":        {"UriPath", "ENDS_WITH", "/", "NONE", false},
		"nor is one":                          {"UriPath", "EXACTLY", "/", "NONE", false},
		"a path that is decoded":              {"UriPath", "STARTS_WITH", "/", "BASE64_DECODE", false},
		"a query contains nothing":            {"QueryString", "CONTAINS", "", "NONE", true},
		"a query starts with nothing":         {"QueryString", "STARTS_WITH", "", "MD5", true},
		"a query that is nothing is rare":     {"QueryString", "EXACTLY", "", "NONE", false},
		"a query need not start with a slash": {"QueryString", "STARTS_WITH", "/", "NONE", false},
		"one path":                            {"UriPath", "STARTS_WITH", "/admin", "NONE", false},
	} {
		if got := awsfact.MatchesAll(c.field, c.constraint, c.search, []string{c.transformation}); got != c.want {
			t.Errorf("%s: got %v", name, got)
		}
	}
}

func TestKeepsBlocked(t *testing.T) {
	for name, c := range map[string]struct {
		byDefault string
		filters   []awsfact.LogFilter
		want      string
	}{
		"no filter":                       {"", nil, "true"},
		"drops all":                       {"DROP", nil, "false"},
		"keeps blocked alone":             {"DROP", []awsfact.LogFilter{{"KEEP", "MEETS_ANY", []string{"BLOCK", "COUNT"}, false}}, "true"},
		"drops allowed":                   {"KEEP", []awsfact.LogFilter{{"DROP", "MEETS_ANY", []string{"ALLOW"}, false}}, "true"},
		"drops blocked":                   {"KEEP", []awsfact.LogFilter{{"DROP", "MEETS_ALL", []string{"BLOCK"}, false}}, "false"},
		"drops what no request can be":    {"KEEP", []awsfact.LogFilter{{"DROP", "MEETS_ALL", []string{"BLOCK", "ALLOW"}, false}}, "true"},
		"keeps counted alone":             {"DROP", []awsfact.LogFilter{{"KEEP", "MEETS_ANY", []string{"COUNT"}, false}}, "false"},
		"keeps labelled blocked":          {"DROP", []awsfact.LogFilter{{"KEEP", "MEETS_ALL", []string{"BLOCK"}, true}}, "false"},
		"drops labelled":                  {"KEEP", []awsfact.LogFilter{{"DROP", "MEETS_ANY", nil, true}}, "null"},
		"allowed with a label":            {"KEEP", []awsfact.LogFilter{{"DROP", "MEETS_ALL", []string{"ALLOW"}, true}}, "true"},
		"one keeps, one drops it":         {"KEEP", []awsfact.LogFilter{{"KEEP", "MEETS_ANY", []string{"BLOCK"}, false}, {"DROP", "MEETS_ANY", []string{"BLOCK"}, false}}, "null"},
		"keeps a label, then the blocked": {"DROP", []awsfact.LogFilter{{"KEEP", "MEETS_ANY", nil, true}, {"KEEP", "MEETS_ALL", []string{"BLOCK"}, false}}, "true"},
	} {
		if got := show(t, awsfact.KeepsBlocked(c.byDefault, c.filters)); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}
