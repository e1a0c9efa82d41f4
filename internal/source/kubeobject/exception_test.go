package kubeobject

import (
	"strings"
	"testing"
)

func TestExceptionsOfAnnotations(t *testing.T) {
	const key = "eksafe.dev/except"
	for value, want := range map[string]string{
		"alb-waf: the firewall is before it; expires=2027-01-31": "alb-waf: the firewall is before it; expires=2027-01-31",
		"a: x\n\n  b: y\n":                 "a: x\nb: y",
		"a: \x1b[2J\u202e":                 "a: \uFFFD[2J\uFFFD",
		"a: \xff":                          "a: \uFFFD",
		"no control at all":                "invalid",
		"a: x\nhunter2":                    "a: x\ninvalid",
		"a: -----BEGIN RSA PRIVATE KEY":    "invalid",
		"A*: x":                            "invalid",
		"a: " + strings.Repeat("x", 8<<10): "invalid",
	} {
		if got := reduceAnnotations(map[string]string{key: value})[key]; got != want {
			t.Errorf("%.60q is kept as %q, want %q", value, got, want)
		}
	}
}
