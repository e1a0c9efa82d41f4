package network

import (
	"strings"
	"testing"
)

func TestSelector(t *testing.T) {
	have := func(key string) (string, bool) {
		v, ok := map[string]string{"app": "web", "stage": "prod", "has": "it", "projectcalico.org/name": "shop"}[key]
		return v, ok
	}
	for text, want := range map[string]bool{
		"":                                 true,
		"  ":                               true,
		"all()":                            true,
		"global()":                         false,
		"!all()":                           false,
		`app == "web"`:                     true,
		"app=='web'":                       true,
		"app == 'api'":                     false,
		"app != 'api'":                     true,
		"absent != 'api'":                  true,
		"absent == ''":                     false,
		"has(app)":                         true,
		"has(absent)":                      false,
		"! has(absent)":                    true,
		"!!has(app)":                       true,
		"has == 'it'":                      true,
		"app in {'api', 'web'}":            true,
		"app in {}":                        false,
		"app not in {'api'}":               true,
		"absent not in {'api'}":            true,
		"app not in {'web'}":               false,
		"app contains 'e'":                 true,
		"app starts with 'we'":             true,
		"app ends with 'we'":               false,
		"absent contains ''":               false,
		"app == 'x' || stage == 'prod'":    true,
		"app == 'x' && stage == 'prod'":    false,
		"app == 'web' || has(x) && has(y)": true, // && binds tighter
		"(app == 'web' || has(x)) && has(absent)": false,
		"projectcalico.org/name == \"shop\"":      true,
		"!(app == 'web')":                         false,
	} {
		s, ok := parseSelector(text)
		switch {
		case !ok:
			t.Errorf("%q is not understood", text)
		case s == nil && !want, s != nil && s(have) != want:
			t.Errorf("%q selects: %v, want %v", text, !want, want)
		}
	}
	for _, text := range []string{
		"app", "app ==", "app == web", "== 'web'", "'app' == 'web'", "(app == 'web'", "app == 'web')", "app in 'web'", "app in {'web'", "app in {web}",
		"app in {'a' 'b'}", "app not 'web'", "has()", "has(app", "all(", "app == 'web' &&", "|| has(app)", "app == 'web", "app & has(b)", "app starts 'w'", "? == 'x'",
		strings.Repeat("!", 100) + "has(app)", strings.Repeat("(", 100), strings.Repeat("has(a) || ", 2000) + "has(a)",
	} {
		if _, ok := parseSelector(text); ok {
			t.Errorf("%.60q is understood", text)
		}
	}
}

func FuzzSelector(f *testing.F) {
	for _, seed := range []string{"all()", "app == 'web' && !has(x)", "a not in {'b', \"c\"} || (d starts with 'e')", "((", "a == '", "global()"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		s, ok := parseSelector(text)
		if !ok || s == nil {
			return
		}
		// One that is understood decides, and its opposite decides the opposite.
		none := func(string) (string, bool) { return "", false }
		not, ok := parseSelector("!(" + text + ")")
		if ok && not(none) == s(none) {
			t.Errorf("%q and its opposite agree", text)
		}
	})
}
