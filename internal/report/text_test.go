package report_test

import (
	"bytes"
	"strings"
	"testing"
	"unicode"

	"charm.land/lipgloss/v2"

	"github.com/eksafe/eksafe/internal/report"
	"github.com/eksafe/eksafe/internal/report/reporttest"
)

func text(t *testing.T, r *report.Report, opt report.Options) string {
	t.Helper()
	return string(written(t, func(b *bytes.Buffer) error { return r.WriteText(b, opt) }))
}

func TestText(t *testing.T) {
	for _, tt := range []struct {
		file string
		rep  *report.Report
		opt  report.Options
	}{
		{"shop-120.txt", reporttest.Shop(), report.Options{Width: 120, Unicode: true}},
		{"shop-80.txt", reporttest.Shop(), report.Options{Width: 80, Unicode: true}},
		{"shop-ascii.txt", reporttest.Shop(), report.Options{Width: 100}},
		{"shop-colour.txt", reporttest.Shop(), report.Options{Width: 100, Unicode: true, Color: true}},
		{"shop-quiet.txt", reporttest.Shop(), report.Options{Width: 100, Unicode: true, Quiet: true}},
		{"reviewed.txt", reporttest.Reviewed("the team's own words"), report.Options{Width: 100, Unicode: true}},
		{"reviewed-quiet.txt", reporttest.Reviewed("the team's own words"), report.Options{Width: 100, Unicode: true, Quiet: true}},
		{"empty.txt", reporttest.Empty(), report.Options{Width: 80, Unicode: true}},
		{"big.txt", reporttest.Big(500), report.Options{Width: 100, Unicode: true}},
	} {
		t.Run(tt.file, func(t *testing.T) { golden(t, tt.file, []byte(text(t, tt.rep, tt.opt))) })
	}
}

// Only a word that is itself too long may pass the edge.
func TestTextKeepsToItsWidth(t *testing.T) {
	for _, width := range []int{80, 100, 120, 140} {
		for name, r := range map[string]*report.Report{"shop": reporttest.Shop(), "big": reporttest.Big(50), "empty": reporttest.Empty()} {
			for _, unicode := range []bool{true, false} {
				for line := range strings.Lines(text(t, r, report.Options{Width: width, Unicode: unicode})) {
					if got := lipgloss.Width(strings.TrimSuffix(line, "\n")); got > width {
						t.Errorf("%s at %d columns: a line takes %d: %s", name, width, got, line)
					}
				}
			}
		}
	}
}

func TestTextWithoutUnicodeIsASCII(t *testing.T) {
	out := text(t, reporttest.Hostile("名前 ✗ 🦊"), report.Options{Width: 100})
	for i, r := range out {
		if r > unicode.MaxASCII {
			t.Fatalf("byte %d is %q, in %q", i, r, out[max(0, i-40):min(len(out), i+10)])
		}
	}
	if !strings.Contains(out, `\u540d\u524d`) {
		t.Error("a name in Chinese characters is not escaped but gone")
	}
}

func TestTextWithoutColourHasNoEscapes(t *testing.T) {
	if out := text(t, reporttest.Shop(), report.Options{Width: 100, Unicode: true}); strings.Contains(out, "\x1b") {
		t.Error("an escape sequence without colour")
	}
}

// hostileNames do to a terminal, a page or a machine what no name should.
var hostileNames = map[string]string{
	"ansi":        "\x1b[2J\x1b]0;owned\x07\x1b[31m",
	"bell-and-c1": "\x07\u009b31m",
	"overrides":   "\u202egnp.exe\u2066\u200f",
	"newline":     "\n[1] low  all is well\r\b\b\b",
	"markup":      `<script>alert(1)</script><img src=x onerror=alert(1)>"'&`,
	"script-end":  `</script><!--<script>`,
	"separators":  "\u2028\u2029\u0000",
	"invalid":     "\xff\xfe\xc3(",
	"wide":        strings.Repeat("名前", 40),
	"markdown":    "](https://example.com) `<b>` [x]",
}

func TestTextShowsHostileNamesAndObeysNone(t *testing.T) {
	for name, hostile := range hostileNames {
		t.Run(name, func(t *testing.T) {
			out := text(t, reporttest.Hostile(hostile), report.Options{Width: 80, Unicode: true}) +
				text(t, reporttest.Reviewed(hostile), report.Options{Width: 80, Unicode: true})
			for i, r := range out {
				if r != '\n' && (unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || r == '\u2028' || r == '\u2029' || r == unicode.ReplacementChar) {
					t.Fatalf("byte %d is %q, in %q", i, r, out[max(0, i-40):min(len(out), i+10)])
				}
			}
			if strings.Contains(out, "\n[1] low") {
				t.Error("a name made a line of its own")
			}
		})
	}
}

func TestTextOfTenThousandApplicationsFitsAScreenOrFive(t *testing.T) {
	out := text(t, reporttest.Big(10_000), report.Options{Width: 100, Unicode: true})
	if n := strings.Count(out, "\n"); n > 250 {
		t.Errorf("%d lines", n)
	}
	for _, want := range []string{"and 8,999 more applications like it", "and 990 more applications, encrypted the whole way", "and 8,999 more like it"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q", want)
		}
	}
}

func TestTextQuietHasFindingsOnly(t *testing.T) {
	out := text(t, reporttest.Shop(), report.Options{Width: 100, Unicode: true, Quiet: true})
	for _, word := range []string{"Passed", "Unknown", "Left out", "internet ✗", "Findings:"} {
		if strings.Contains(out, word) {
			t.Errorf("quiet text says %q", word)
		}
	}
	if out := text(t, reporttest.Empty(), report.Options{Quiet: true}); out != "" {
		t.Errorf("quiet text without findings: %q", out)
	}
}

func TestTextNamesNoCommandThatDoesNotExist(t *testing.T) {
	for line := range strings.Lines(text(t, reporttest.Shop(), report.Options{Width: 140, Unicode: true}) + text(t, reporttest.Big(100), report.Options{Width: 140})) {
		if _, after, ok := strings.Cut(line, "eksafe "); ok && !strings.HasPrefix(after, "audit ") && !strings.HasPrefix(after, "controls explain ") {
			t.Errorf("%s", line)
		}
	}
}
