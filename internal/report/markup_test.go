package report

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"html/template"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// TestMarkupEscapesAsTemplatesDo holds the escaping against that of
// html/template, which tests may use.
func TestMarkupEscapesAsTemplatesDo(t *testing.T) {
	oracle := template.Must(template.New("").Parse(`<p class="{{.}}" data-x="{{.}}">{{.}}</p>`))
	values := []any{
		`"><script>alert(1)</script>`, `' onmouseover='x`, `&lt;b&gt;`, `javascript:alert(1)`, "+ADw-script+AD4-", "a\x00b", "</p>", "<!--", "{{.}}", "%s%d", "é世\u202e", "", 0, -7, 1234567,
	}
	for c := range rune(0x100) {
		values = append(values, string(c))
	}
	for _, v := range values {
		var want, got bytes.Buffer
		if err := oracle.Execute(&want, v); err != nil {
			t.Fatal(err)
		}
		m := newMarkupWriter(&got)
		m.write(`<p class="%s" data-x="%s">%s</p>`, v, v, v)
		if err := m.flush(); err != nil {
			t.Fatal(err)
		}
		if got.String() != want.String() {
			t.Errorf("%q is written as\n%s, want\n%s", v, got.String(), want.String())
		}
	}
}

// safeAttributes hold words, not addresses, styles or scripts: escaping is all
// that a value needs there. http-equiv, whose content may be an address, is
// fixed where the policy stands.
var safeAttributes = []string{
	"class", "content", "datetime", "data-grow", "data-severity", "data-filter-severity", "title",
	"width", "height", "x", "y", "points", // of shapes
}

// formatError says what is wrong with a format whose values are marked by
// slot.
func formatError(format string, slot *regexp.Regexp) error {
	for _, at := range slot.FindAllStringIndex(format, -1) {
		before := format[:at[0]]
		open, closed := strings.LastIndexByte(before, '<'), strings.LastIndexByte(before, '>')
		if open < closed || open < 0 {
			continue // text; what is allowed in <style> and <script> is the frame's test
		}
		m := attributeRE.FindStringSubmatch(before[open:])
		switch {
		case m == nil:
			return fmt.Errorf("a value stands in a tag, outside of the quotes of an attribute: %s", format)
		case !slices.Contains(safeAttributes, m[1]):
			return fmt.Errorf("a value stands in the attribute %s; escaping alone does not make that safe: %s", m[1], format)
		}
	}
	if strings.LastIndexByte(format, '<') > strings.LastIndexByte(format, '>') {
		return fmt.Errorf("it ends within a tag, so that nobody sees where the next value stands: %s", format)
	}
	return nil
}

var (
	// attributeRE is an attribute whose quotes are open at the end.
	attributeRE = regexp.MustCompile(`^<[a-z]+(?: [a-z-]+="[^"]*")* ([a-z-]+)="[^"]*$`)
	formatSlot  = regexp.MustCompile(`%.`)
	frameSlot   = regexp.MustCompile(`{{[^}]*}}`)
	codeRE      = regexp.MustCompile(`(?s)<(style|script)\b[^>]*>(.*?)</`)
)

func TestFormatErrors(t *testing.T) {
	for format, wrong := range map[string]bool{
		`<b>%s</b>`: false, `%s`: false, `<li class="tile %s" data-severity="%s">%s</li>`: false,
		`<a href="%s">`: true, `<b class=%s>`: true, `<b class='%s'>`: true, `<%s>`: true, `<b %s>`: true, `<b onclick="%s">`: true,
		`<b class="x" style="%s">`: true, `<b class="`: true, `<b class="%s`: true,
	} {
		if err := formatError(format, formatSlot); (err != nil) != wrong {
			t.Errorf("%s: %v", format, err)
		}
	}
}

// TestFormatsPutValuesWhereEscapingIsEnough reads the formats from the source,
// and refuses conversions by which text could become markup.
func TestFormatsPutValuesWhereEscapingIsEnough(t *testing.T) {
	conversions := []string{
		"html.go: markup(data)",   // JSON of Go's, which escapes <, > and &
		"page.go: markup(before)", // of the frame
	}
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	formats := 0
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		set := token.NewFileSet()
		src, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		file, err := parser.ParseFile(set, name, src, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			at := set.Position(call.Pos())
			text := func(n ast.Node) string { return string(src[set.Position(n.Pos()).Offset:set.Position(n.End()).Offset]) }
			switch fun := text(call.Fun); fun {
			case "markup":
				if c := name + ": " + text(call); !slices.Contains(conversions, c) {
					t.Errorf("%s: %s makes markup of text: write it with %%s", at, text(call))
				}
			case "m.write", "m.put":
				lit, ok := call.Args[0].(*ast.BasicLit)
				if !ok {
					if fun == "m.write" {
						t.Errorf("%s: the format is not written out", at)
					}
					return true
				}
				format, err := strconv.Unquote(lit.Value)
				if err != nil {
					t.Fatal(err)
				}
				formats++
				if err := formatError(format, formatSlot); err != nil {
					t.Errorf("%s: %v", at, err)
				}
				if codeRE.MatchString(format) {
					t.Errorf("%s: a style or script outside of the frame", at)
				}
				if n := len(formatSlot.FindAllString(format, -1)); fun == "m.write" && n != len(call.Args)-1 {
					t.Errorf("%s: %d values for %d places", at, len(call.Args)-1, n)
				}
			}
			return true
		})
	}
	if formats < 10 {
		t.Errorf("only %d formats were found: does this test still look for the right names?", formats)
	}
}

// TestFrame holds that each slot of the frame is filled, each fill has its
// slot, and only code of our own stands in scripts and styles.
func TestFrame(t *testing.T) {
	if err := formatError(pageFrame, frameSlot); err != nil {
		t.Error(err)
	}
	fills := (&page{}).fills()
	used := map[string]bool{}
	for _, slot := range frameSlot.FindAllString(pageFrame, -1) {
		name := strings.Trim(slot, "{}")
		used[name] = true
		if fills[name] == nil {
			t.Errorf("nothing fills %s", slot)
		}
	}
	for name := range fills {
		if !used[name] {
			t.Errorf("the frame has no slot {{%s}}", name)
		}
	}
	var code []string
	for _, m := range codeRE.FindAllStringSubmatch(pageFrame, -1) {
		code = append(code, m[2])
	}
	if want := []string{"{{style}}", "{{data}}", "{{script}}"}; !slices.Equal(code, want) {
		t.Errorf("styles and scripts hold %q, want %q", code, want)
	}
	for _, c := range []markup{pageStyle, pageScript} {
		if strings.Contains(strings.ToLower(string(c)), "</s") {
			t.Error("the page's style or script would end its own element")
		}
	}
}
