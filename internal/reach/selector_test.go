package reach

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

func TestSelector(t *testing.T) {
	have := func(key string) (string, bool) {
		v, ok := map[string]string{"app": "web", "stage": "prod", "has": "it", "projectcalico.org/name": "shop", "projectcalico.org/namespace": "shop"}[key]
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
		s, ok := parseSelector(text, endpointDialect)
		switch {
		case !ok:
			t.Errorf("%q is not understood", text)
		case s.selects(have) != want:
			t.Errorf("%q selects: %v, want %v", text, !want, want)
		}
	}
	for _, text := range []string{
		"app", "app ==", "app == web", "== 'web'", "'app' == 'web'", "(app == 'web'", "app == 'web')", "app in 'web'", "app in {'web'", "app in {web}",
		"app in {'a' 'b'}", "app not 'web'", "has()", "has(app", "all(", "app == 'web' &&", "|| has(app)", "app == 'web", "app & has(b)", "app starts 'w'", "? == 'x'",
		strings.Repeat("!", 100) + "has(app)", strings.Repeat("(", 100), strings.Repeat("has(a) || ", 2000) + "has(a)",
	} {
		if _, ok := parseSelector(text, endpointDialect); ok {
			t.Errorf("%.60q is understood", text)
		}
	}
}

// A selector over namespaces or service accounts is about the labels that an
// endpoint inherits; what has none differs from every value.
func TestSelectorDialects(t *testing.T) {
	pod := func(key string) (string, bool) {
		v, ok := map[string]string{
			"team": "pod", "pcns.team": "shop", "pcsa.team": "robots",
			"projectcalico.org/namespace": "shop", "projectcalico.org/serviceaccount": "web",
		}[key]
		return v, ok
	}
	host := func(string) (string, bool) { return "", false }
	for _, test := range []struct {
		text      string
		dialect   dialect
		pod, host bool
	}{
		{"team == 'pod'", endpointDialect, true, false},
		{"team == 'shop'", namespaceDialect, true, false},
		{"team == 'robots'", accountDialect, true, false},
		{"team != 'other'", namespaceDialect, true, true},
		{"all()", endpointDialect, true, true},
		{"all()", namespaceDialect, true, false},
		{"!all()", namespaceDialect, false, true},
		{"global()", namespaceDialect, false, true},
		{"global() || team == 'shop'", namespaceDialect, true, true},
		{"all()", accountDialect, true, true},
		{"all()", accountsDialect, true, false},
		{"has(team)", accountDialect, true, false},
	} {
		s, ok := parseSelector(test.text, test.dialect)
		if !ok || s.selects(pod) != test.pod || s.selects(host) != test.host {
			t.Errorf("%q with prefix %q: pod %v, host %v, want %v, %v", test.text, test.dialect.prefix, s.selects(pod), s.selects(host), test.pod, test.host)
		}
	}
}

func TestSelectorPins(t *testing.T) {
	for text, want := range map[string]string{
		"app == 'web'":                           "[{app [web]}]",
		"app in {'b', 'a', 'b'}":                 "[{app [a b]}]",
		"(app == 'web') && has(x) && tier == ''": "[{app [web]} {tier []}]",
		"app == 'web' || tier == 'x'":            "[]",
		"!(app == 'web')":                        "[]",
		"app not in {'web'}":                     "[]",
		"app != 'web'":                           "[]",
	} {
		s, _ := parseSelector(text, endpointDialect)
		if got := fmt.Sprint(s.pins); got != want {
			t.Errorf("%q pins %s, want %s", text, got, want)
		}
	}
}

func FuzzSelector(f *testing.F) {
	for _, seed := range []string{"all()", "app == 'web' && !has(x)", "a not in {'b', \"c\"} || (d starts with 'e')", "((", "a == '", "global()"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		s, ok := parseSelector(text, endpointDialect)
		if !ok {
			return
		}
		// One that is understood decides, and its opposite decides the opposite.
		none := func(string) (string, bool) { return "", false }
		not, ok := parseSelector("!("+text+")", endpointDialect)
		if ok && not.selects(none) == s.selects(none) {
			t.Errorf("%q and its opposite agree", text)
		}
		// What is selected has every pin.
		for _, have := range s.pins {
			for _, v := range append(have.values, "another") {
				selected := s.selects(func(key string) (string, bool) { return v, key == have.key })
				if selected && !slices.Contains(have.values, v) {
					t.Errorf("%q selects %s=%q, and pins %v", text, have.key, v, have.values)
				}
			}
		}
	})
}
