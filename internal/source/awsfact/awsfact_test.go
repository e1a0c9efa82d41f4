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
	for text, want := range map[string]string{
		``:                               `false ""`,
		`{}`:                             `false ""`,
		`{"enableNetworkPolicy":"true"}`: `true ""`,
		`{"enableNetworkPolicy":true}`:   `true ""`,
		"enableNetworkPolicy: 'false'\nenv:\n  POD_SECURITY_GROUP_ENFORCING_MODE: strict\n  OTHER: 1": `false "strict"`,
		`{"enableNetworkPolicy":"perhaps"}`: `null ""`,
		`{"enableNetworkPolicy":`:           `null null`,
		`[]`:                                `null null`,
		strings.Repeat("#", 300<<10):        `null null`,
	} {
		a := awsfact.ReadAddon(text)
		if got := show(t, a.EnableNetworkPolicy) + " " + show(t, a.PodSecurityGroupEnforcingMode); got != want {
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
	for _, c := range []struct {
		field, constraint, search string
		want                      bool
	}{
		{"UriPath", "STARTS_WITH", "/", true},
		{"UriPath", "CONTAINS", "/", true},
		{"UriPath", "ENDS_WITH", "/", false},
		{"UriPath", "STARTS_WITH", "/admin", false},
		{"SingleHeader", "CONTAINS", "", true},
		{"SingleHeader", "STARTS_WITH", "/", false},
		{"UriPath", "EXACTLY", "/", false},
	} {
		if got := awsfact.MatchesAll(c.field, c.constraint, c.search); got != c.want {
			t.Errorf("%+v: %v", c, got)
		}
	}
}

func TestKeepsBlocked(t *testing.T) {
	for _, c := range []struct {
		name, byDefault string
		filters         []awsfact.LogFilter
		want            string
	}{
		{"no filter", "", nil, "true"},
		{"drops all but blocked", "DROP", []awsfact.LogFilter{{"KEEP", "MEETS_ANY", []string{"BLOCK", "COUNT"}, false}}, "true"},
		{"drops all", "DROP", []awsfact.LogFilter{{"KEEP", "MEETS_ALL", []string{"COUNT"}, false}}, "false"},
		{"drops blocked", "KEEP", []awsfact.LogFilter{{"DROP", "MEETS_ALL", []string{"BLOCK"}, false}}, "false"},
		{"drops what no request can be", "KEEP", []awsfact.LogFilter{{"DROP", "MEETS_ALL", []string{"BLOCK", "ALLOW"}, false}}, "true"},
		{"drops some by label", "KEEP", []awsfact.LogFilter{{"DROP", "MEETS_ALL", []string{"BLOCK"}, true}}, "null"},
		{"keeps before it drops", "DROP", []awsfact.LogFilter{{"KEEP", "MEETS_ANY", []string{"BLOCK"}, false}, {"DROP", "MEETS_ANY", nil, true}}, "true"},
		{"a label first, then the same", "DROP", []awsfact.LogFilter{{"KEEP", "MEETS_ANY", nil, true}, {"KEEP", "MEETS_ALL", []string{"BLOCK"}, false}}, "true"},
		{"a label first, then the other", "KEEP", []awsfact.LogFilter{{"KEEP", "MEETS_ANY", nil, true}, {"DROP", "MEETS_ALL", []string{"BLOCK"}, false}}, "null"},
	} {
		if got := show(t, awsfact.KeepsBlocked(c.byDefault, c.filters)); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}
