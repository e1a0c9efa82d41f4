package report

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestWrap(t *testing.T) {
	for _, tt := range []struct {
		in    string
		width int
		want  string
	}{
		{"", 10, ""},
		{"one two three", 7, "one two|three"},
		{"one  two", 20, "one two"},
		{"k8s/a-very-long-file-name.yaml:14 ok", 10, "k8s/a-very-long-file-name.yaml:14|ok"},
		{"名前 名前 名前", 9, "名前 名前|名前"},
		{"a b", 0, "a|b"},
	} {
		if got := strings.Join(wrap(tt.in, tt.width), "|"); got != tt.want {
			t.Errorf("wrap(%q, %d) = %q, want %q", tt.in, tt.width, got, tt.want)
		}
	}
}

func FuzzWrap(f *testing.F) {
	f.Add("port 80 forwards to the pods", 20)
	f.Add("\x1b[31mred\x1b[0m \u202e名前 🦊👩‍👩‍👧 e\u0301", 4)
	f.Add("\xff\xfe \x00", -3)
	f.Fuzz(func(t *testing.T, s string, width int) {
		s = clean(s)
		if !utf8.ValidString(s) || strings.IndexFunc(s, hidden) >= 0 {
			t.Fatalf("clean left %q", s)
		}
		lines := wrap(s, width)
		for _, l := range lines {
			if columns(l) > width && len(strings.Fields(l)) > 1 {
				t.Errorf("a line of %d cells at width %d: %q", columns(l), width, l)
			}
		}
		if got, want := strings.Fields(strings.Join(lines, " ")), strings.Fields(s); strings.Join(got, " ") != strings.Join(want, " ") {
			t.Errorf("words %q became %q", want, got)
		}
	})
}

func TestShellWord(t *testing.T) {
	for in, want := range map[string]string{
		"examples/shop": "examples/shop", "": "''", "my file": "'my file'", "a;rm -rf ~": "'a;rm -rf ~'", "it's": `'it'\''s'`, "$(id)": "'$(id)'",
	} {
		if got := shellWord(in); got != want {
			t.Errorf("shellWord(%q) = %s, want %s", in, got, want)
		}
	}
}

func TestPlain(t *testing.T) {
	for in, want := range map[string]string{
		"key cfn:a/data.yaml#DataKey does not rotate": "key DataKey does not rotate",
		"cfn:a.yaml#A and cfn:b.yaml#B":               "A and B",
		"arn:aws:kms:eu-west-1:1:key/x":               "arn:aws:kms:eu-west-1:1:key/x",
		"cfn: a plan":                                 "cfn: a plan",
	} {
		if got := plain(in); got != want {
			t.Errorf("plain(%q) = %q, want %q", in, got, want)
		}
	}
}
