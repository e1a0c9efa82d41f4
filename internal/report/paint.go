package report

import (
	"bufio"
	"fmt"
	"strings"
	"unicode/utf8"
)

// A style is an ANSI graphic rendition. Colour carries nothing alone: whatever
// has a colour has a word or a symbol too.
type style string

const (
	regular style = ""
	bold    style = "1"
	dim     style = "2"
	red     style = "31"
	redBold style = "1;31"
	green   style = "32"
	yellow  style = "33"
	cyan    style = "36"
	magenta style = "35"
)

// A span is text of one style.
type span struct {
	text  string
	style style
}

func spansWidth(spans []span) int {
	n := 0
	for _, s := range spans {
		n += columns(s.text)
	}
	return n
}

// A painter lays text out on lines of one width.
type painter struct {
	w     *bufio.Writer
	opt   Options
	width int
}

// narrowest is the least width that is laid out for; a narrower terminal wraps
// by itself.
const narrowest = 40

// widest bounds the distance that an eye must travel from left to right.
const widest = 140

func (p *painter) glyph(unicode, ascii string) string {
	if p.opt.Unicode {
		return unicode
	}
	return ascii
}

// asciiForms are the signs that our own words may contain.
var asciiForms = strings.NewReplacer(
	"…", "...", "→", "->", "–", "-", "—", "-", "·", "-", "‘", "'", "’", "'", "“", `"`, "”", `"`,
	"≥", ">=", "≤", "<=", "×", "x", "✓", "+", "✗", "x",
)

// safe returns input text in a form that the terminal shows and does not obey.
func (p *painter) safe(s string) string {
	s = clean(plain(s))
	if p.opt.Unicode {
		return s
	}
	s = asciiForms.Replace(s)
	var b strings.Builder
	for _, r := range s {
		switch {
		case r < utf8.RuneSelf:
			b.WriteRune(r)
		case r > 0xffff:
			fmt.Fprintf(&b, `\U%08x`, r)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
	}
	return b.String()
}

func (p *painter) paint(s span) string {
	if !p.opt.Color || s.style == regular || strings.TrimSpace(s.text) == "" {
		return s.text
	}
	return "\x1b[" + string(s.style) + "m" + s.text + "\x1b[0m"
}

// line writes spans and ends the line, without spaces at its end.
func (p *painter) line(spans ...span) {
	for len(spans) > 0 {
		last := &spans[len(spans)-1]
		last.text = strings.TrimRight(last.text, " ")
		if last.text != "" {
			break
		}
		spans = spans[:len(spans)-1]
	}
	for _, s := range spans {
		p.w.WriteString(p.paint(s))
	}
	p.w.WriteByte('\n')
}

func (p *painter) blank() { p.w.WriteByte('\n') }

// row writes body between what stands left of it and what stands right. The
// right part is flush right where body leaves room for it, and follows body
// where it does not. rest stands left of every line after the first.
func (p *painter) row(first, rest []span, body string, st style, right []span) {
	room := max(p.width-spansWidth(first), narrowest/2)
	rightWidth := spansWidth(right)
	used := columns(body)
	if rightWidth > 0 && used+2+rightWidth <= room {
		gap := room - used - rightWidth
		p.line(append(append(append([]span{}, first...), span{body, st}, span{strings.Repeat(" ", gap), regular}), right...)...)
		return
	}
	lines := wrap(body, room)
	for i, l := range lines {
		left := first
		if i > 0 {
			left = rest
		}
		spans := append(append([]span{}, left...), span{l, st})
		if i == len(lines)-1 && rightWidth > 0 && columns(l)+2+rightWidth <= room {
			spans = append(append(spans, span{strings.Repeat(" ", room-columns(l)-rightWidth), regular}), right...)
			right, rightWidth = nil, 0
		}
		p.line(spans...)
	}
	if rightWidth > 0 {
		p.line(append(append([]span{}, rest...), right...)...)
	}
}

// items writes items behind left, a dot between them, and breaks lines between
// items before it breaks within one.
func (p *painter) items(left, rest []span, items []string, st style) {
	room := max(p.width-spansWidth(left), narrowest/2)
	sep := " " + p.glyph("·", "-") + " "
	var lines []string
	for i, item := range items {
		if i > 0 {
			last := &lines[len(lines)-1]
			if columns(*last)+columns(sep)+columns(item) <= room {
				*last += sep + item
				continue
			}
		}
		lines = append(lines, wrap(item, room)...)
	}
	if len(lines) == 0 {
		lines = []string{""}
	}
	for i, l := range lines {
		if i > 0 {
			left = rest
		}
		p.line(append(append([]span{}, left...), span{l, st})...)
	}
}

// plural returns "1 hop" or "2 hops".
func plural(n int, one string) string {
	if n == 1 {
		return thousands(n) + " " + one
	}
	return thousands(n) + " " + one + "s"
}

// thousands returns n with its thousands apart: "10,000".
func thousands(n int) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
