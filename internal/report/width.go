package report

import (
	"fmt"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"charm.land/lipgloss/v2"
)

// templateRE finds the identity of a resource of a CloudFormation template or a
// Terraform configuration, whose addresses hold dots and indexes.
var templateRE = regexp.MustCompile(`\bcfn:[^\s#]*#(\w+)|\btf:[^\s#]*#([\w.\[\]"-]+)`)

// plain returns s in the words of whoever wrote the input: of a resource in a
// CloudFormation template the logical ID, in Terraform the address, for the file
// stands beside it.
func plain(s string) string {
	if !strings.Contains(s, "cfn:") && !strings.Contains(s, "tf:") {
		return s
	}
	return templateRE.ReplaceAllString(s, "$1$2")
}

// clean returns s with everything replaced that a terminal would obey instead
// of show: control characters, ANSI escapes with them, and the marks that turn
// the direction of text. Names in an estate are chosen by whoever wrote it.
func clean(s string) string {
	if strings.IndexFunc(s, hidden) < 0 && utf8.ValidString(s) {
		return s
	}
	var b strings.Builder
	for i, r := range s {
		switch {
		case r == utf8.RuneError:
			if _, size := utf8.DecodeRuneInString(s[i:]); size == 1 {
				fmt.Fprintf(&b, `\x%02x`, s[i])
				continue
			}
			b.WriteRune(r)
		case r == '\n' || r == '\t' || r == '\r':
			b.WriteByte(' ')
		case hidden(r) && r < 0x80:
			fmt.Fprintf(&b, `\x%02x`, r)
		case hidden(r):
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// hidden reports whether r acts instead of being shown. Cf holds the bidi
// overrides and the zero-width marks; U+2028 and U+2029 break lines.
func hidden(r rune) bool {
	return unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || r == '\u2028' || r == '\u2029'
}

// columns returns how many terminal cells s takes.
func columns(s string) int {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return lipgloss.Width(s)
		}
	}
	return len(s)
}

// wrap breaks s between words into lines of at most width cells. A word longer
// than that, such as a file name, stands alone on its line and is never cut.
// There is always one line.
func wrap(s string, width int) []string {
	var lines []string
	line, used := strings.Builder{}, 0
	for word := range strings.FieldsSeq(s) {
		n := columns(word)
		if used > 0 && used+1+n > width {
			lines = append(lines, line.String())
			line.Reset()
			used = 0
		}
		if used > 0 {
			line.WriteByte(' ')
			used++
		}
		line.WriteString(word)
		used += n
	}
	return append(lines, line.String())
}

// pad returns s filled with spaces to width cells.
func pad(s string, width int) string {
	return s + strings.Repeat(" ", max(0, width-columns(s)))
}
