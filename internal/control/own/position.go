package own

import (
	"strings"

	"go.yaml.in/yaml/v3"
)

// position returns where in the file the character of an expression stands that
// is at a line and column of its text: lines from 1, columns from 0. Where the
// way back through quotes and folds is not clear it is the beginning of the text.
func position(source []string, n *yaml.Node, line, column int) (atLine, atColumn int) {
	text := strings.Split(n.Value, "\n")
	if line < 1 || line > len(text) {
		return n.Line, n.Column
	}
	if n.Style&yaml.LiteralStyle != 0 {
		if at := n.Line + line; at <= len(source) {
			src, own := []rune(source[at-1]), []rune(text[line-1])
			return at, max(len(src)-len(own), 0) + column + 1
		}
		return n.Line, n.Column
	}
	offset := column
	for _, l := range text[:line-1] {
		offset += len([]rune(l)) + 1
	}
	w := walker{source: source, line: n.Line - 1, column: n.Column - 1}
	switch {
	case n.Style&yaml.FoldedStyle != 0:
		w.newLine()
	case n.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle) != 0:
		w.column++
	}
	for i, r := range []rune(n.Value) {
		if i == offset {
			break
		}
		if !w.step(r, n.Style) {
			return n.Line, n.Column
		}
	}
	if offset < len([]rune(n.Value)) {
		w.fold()
	}
	return w.line + 1, w.column + 1
}

// A walker stands in the source of a scalar; line and column are from 0.
type walker struct {
	source       []string
	line, column int
}

func (w *walker) rest() []rune {
	if w.line >= len(w.source) {
		return nil
	}
	line := []rune(w.source[w.line])
	return line[min(w.column, len(line)):]
}

// newLine goes to the first character of the next line.
func (w *walker) newLine() {
	w.line++
	w.column = 0
	rest := w.rest()
	w.column = len(rest) - len([]rune(strings.TrimLeft(string(rest), " ")))
}

// fold goes on to the next line if nothing more stands on this one.
func (w *walker) fold() bool {
	if strings.TrimSpace(string(w.rest())) != "" || w.line+1 >= len(w.source) {
		return false
	}
	w.newLine()
	return true
}

// step goes over one character of the text.
func (w *walker) step(r rune, style yaml.Style) bool {
	if r == ' ' || r == '\n' {
		if w.fold() {
			return true
		}
	}
	rest := w.rest()
	if len(rest) == 0 {
		return false
	}
	switch {
	case style&yaml.DoubleQuotedStyle != 0 && rest[0] == '\\' && len(rest) > 1:
		w.column += map[rune]int{'x': 4, 'u': 6, 'U': 10}[rest[1]]
		if rest[1] != 'x' && rest[1] != 'u' && rest[1] != 'U' {
			w.column += 2
		}
		return true
	case style&yaml.SingleQuotedStyle != 0 && r == '\'' && len(rest) > 1 && rest[1] == '\'':
		w.column += 2
		return true
	}
	w.column++
	return rest[0] == r
}
