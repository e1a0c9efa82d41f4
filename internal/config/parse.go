package config

import (
	"bytes"
	"cmp"
	"encoding"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"path"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// FileName is what the file is called where nobody names one.
const FileName = "eksafe.yaml"

// The bounds of a file: people write it, and who may propose a change to it
// must not be able to stop the audit with it.
const (
	MaxSize     = 1 << 20
	maxText     = 512
	maxMistakes = 100
)

// Controls are the names that a file may use.
type Controls struct {
	IDs      []string
	Formerly map[string]string // old ID → ID
}

// A Mistake is one thing that is wrong with a file.
type Mistake struct {
	Line   int
	Column int // 0 where the line says enough
	What   string
	Remedy string
}

// An Error lists every mistake of a file, in the order of its lines.
type Error struct {
	File     string
	Mistakes []Mistake
}

// Lines returns one line for each mistake: "eksafe.yaml:12: what; remedy".
func (e *Error) Lines() []string {
	var out []string
	for _, m := range e.Mistakes[:min(len(e.Mistakes), maxMistakes)] {
		at := strconv.Itoa(m.Line)
		if m.Column > 0 {
			at += ":" + strconv.Itoa(m.Column)
		}
		out = append(out, fmt.Sprintf("%s:%s: %s; %s", e.File, at, m.What, m.Remedy))
	}
	if n := len(e.Mistakes) - maxMistakes; n > 0 {
		last := e.Mistakes[maxMistakes]
		out = append(out, fmt.Sprintf("%s:%d: and %d more mistakes from here on; mend those above first", e.File, last.Line, n))
	}
	return out
}

func (e *Error) Error() string { return strings.Join(e.Lines(), "\n") }

// Parse reads a file of that name. Either it is right as a whole, or the error
// is an *Error with every mistake in it. Notes are what is accepted and should
// be changed all the same, in whole lines. An empty file declares nothing.
func Parse(file string, data []byte, controls Controls) (c *Config, notes []string, err error) {
	p := &parser{controls: controls, overrides: map[string]int{}}
	c = &Config{}
	if root := p.document(data); root != nil {
		p.value(root, reflect.ValueOf(c).Elem(), "", "")
	}
	if len(p.mistakes) > 0 {
		slices.SortStableFunc(p.mistakes, func(a, b Mistake) int { return cmp.Compare(a.Line, b.Line) })
		return nil, nil, &Error{File: file, Mistakes: p.mistakes}
	}
	for _, n := range p.notes {
		notes = append(notes, fmt.Sprintf("%s:%d: %s; %s", file, n.Line, n.What, n.Remedy))
	}
	return c, notes, nil
}

// CustomFiles returns the files of own controls that a config names, as far as it
// can be read: their controls must be known before Parse can tell which names
// are mistakes. What is wrong with the config Parse says.
func CustomFiles(data []byte) []string {
	p := &parser{}
	root := p.document(data)
	if root == nil || root.Kind != yaml.MappingNode {
		return nil
	}
	var files []string
	for i := 0; i+1 < len(root.Content); i += 2 {
		if root.Content[i].Value == "customControls" {
			p.value(root.Content[i+1], reflect.ValueOf(&files).Elem(), "customControls", "file")
		}
	}
	if len(p.mistakes) > 0 {
		return nil
	}
	return files
}

type parser struct {
	controls  Controls
	mistakes  []Mistake
	notes     []Mistake
	overrides map[string]int // control → line
}

func (p *parser) wrong(line int, remedy, format string, args ...any) {
	p.mistakes = append(p.mistakes, Mistake{Line: max(line, 1), What: fmt.Sprintf(format, args...), Remedy: remedy})
}

var yamlLine = regexp.MustCompile(`^yaml: (?:line (\d+): )?`)

// document returns the one value of the file, nil if there is none or it is no
// YAML.
func (p *parser) document(data []byte) *yaml.Node {
	if len(data) > MaxSize {
		p.wrong(1, fmt.Sprintf("keep it under %d KiB", MaxSize>>10), "the file is too large")
		return nil
	}
	d := yaml.NewDecoder(bytes.NewReader(data))
	var doc, second yaml.Node
	err := d.Decode(&doc)
	if errors.Is(err, io.EOF) {
		return nil
	}
	if err == nil {
		if err = d.Decode(&second); errors.Is(err, io.EOF) {
			return doc.Content[0]
		}
		if err == nil {
			p.wrong(second.Line, "keep one", "there is a second document")
			return nil
		}
	}
	line := 1
	m := yamlLine.FindStringSubmatch(err.Error())
	if m != nil {
		if n, err := strconv.Atoi(m[1]); err == nil {
			line = n
		}
	}
	what, _, _ := strings.Cut(strings.TrimPrefix(err.Error(), strings.Join(m[:min(len(m), 1)], "")), "\n")
	p.wrong(line, "mend the YAML near this line", "it is no YAML: %s", quotable(what))
	return nil
}

// value reads a node into v, whose form is check.
func (p *parser) value(n *yaml.Node, v reflect.Value, at, check string) {
	switch {
	case n.Kind == yaml.AliasNode || n.Anchor != "":
		// Ten aliases of ten aliases are a billion values.
		p.wrong(n.Line, "write the value out", "%sanchors and aliases are not read", before(at))
		return
	case n.ShortTag() == "!!null" && (v.Kind() == reflect.Slice || v.Kind() == reflect.Pointer || v.Kind() == reflect.Struct):
		return
	case v.Kind() == reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		p.value(n, v.Elem(), at, check)
		return
	}
	if text, ok := v.Addr().Interface().(encoding.TextUnmarshaler); ok {
		if p.scalar(n, at, "a word", "!!str") {
			if err := text.UnmarshalText([]byte(n.Value)); err != nil {
				what, remedy, ok := strings.Cut(err.Error(), "; ")
				if !ok {
					remedy = "see docs/config.md"
				}
				p.wrong(n.Line, remedy, "%s%s", before(at), quotable(what))
			}
		}
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		p.mapping(n, v, at)
	case reflect.Slice:
		p.list(n, v, at, check)
	case reflect.String:
		if p.scalar(n, at, "text", "!!str", "!!timestamp") && p.text(n, at, check) {
			v.SetString(p.current(n, at, check))
		}
	case reflect.Bool:
		if p.scalar(n, at, "true or false", "!!bool") {
			v.SetBool(strings.EqualFold(n.Value, "true"))
		}
	case reflect.Int, reflect.Int32:
		var i int32
		if !p.scalar(n, at, "a whole number", "!!int") {
			return
		}
		if err := n.Decode(&i); err != nil {
			p.wrong(n.Line, "write a whole number", "%s%s is too large", before(at), quotable(n.Value))
			return
		}
		if low, high := bounds(check); int64(i) < low || int64(i) > high {
			p.wrong(n.Line, fmt.Sprintf("write a number from %d to %d", low, high), "%s%d is out of range", before(at), i)
			return
		}
		v.SetInt(int64(i))
	default:
		panic("config: no reading of " + v.Type().String())
	}
}

// bounds returns the numbers that a check allows.
func bounds(check string) (low, high int64) {
	switch check {
	case "port":
		return 1, 65535
	case "days":
		return 1, 36500
	}
	return 0, 1_000_000
}

func before(at string) string {
	if at == "" {
		return ""
	}
	return at + ": "
}

// kindWords name what stands in a file.
func kindWords(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a mapping"
	case yaml.SequenceNode:
		return "a list"
	}
	switch n.ShortTag() {
	case "!!int", "!!float":
		return "the number " + quotable(n.Value)
	case "!!bool":
		return quotable(n.Value) + ", a truth value"
	case "!!null":
		return "nothing"
	case "!!timestamp":
		return "a date"
	}
	return fmt.Sprintf("the text %s", strconv.Quote(quotable(n.Value)))
}

func (p *parser) scalar(n *yaml.Node, at, want string, tags ...string) bool {
	if n.Kind == yaml.ScalarNode && slices.Contains(tags, n.ShortTag()) {
		return true
	}
	remedy := "write " + want
	if n.Kind == yaml.ScalarNode && slices.Contains(tags, "!!str") && n.ShortTag() != "!!null" {
		remedy += ", in quotes"
	}
	p.wrong(n.Line, remedy, "%s%s where %s is expected", before(at), kindWords(n), want)
	return false
}

func (p *parser) list(n *yaml.Node, v reflect.Value, at, check string) {
	if n.Kind != yaml.SequenceNode {
		remedy := "write a list"
		if n.Kind == yaml.ScalarNode {
			remedy += ": [" + quotable(n.Value) + "]"
		}
		p.wrong(n.Line, remedy, "%s%s where a list is expected", before(at), kindWords(n))
		return
	}
	out := reflect.MakeSlice(v.Type(), len(n.Content), len(n.Content))
	for i, item := range n.Content {
		if item.ShortTag() == "!!null" {
			p.wrong(item.Line, "fill it or take it out", "%s[%d]: an empty element", at, i)
			continue
		}
		p.value(item, out.Index(i), fmt.Sprintf("%s[%d]", at, i), check)
	}
	v.Set(out)
}

func (p *parser) mapping(n *yaml.Node, v reflect.Value, at string) {
	if n.Kind != yaml.MappingNode {
		p.wrong(n.Line, "write \"key: value\" lines", "%s%s where a mapping is expected", before(at), kindWords(n))
		return
	}
	fields := map[string]reflect.StructField{}
	var names []string
	for f := range v.Type().Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("yaml"), ",")
		switch {
		case name != "-":
			fields[name] = f
			names = append(names, name)
		case f.Name == "Line":
			v.FieldByIndex(f.Index).SetInt(int64(n.Line))
		}
	}
	earlier := len(p.mistakes)
	seen := map[string]int{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		f, ok := fields[key.Value]
		if key.Kind != yaml.ScalarNode || !ok {
			p.unknownKey(key, at, names)
			continue
		}
		if first, twice := seen[key.Value]; twice {
			p.wrong(key.Line, "keep one", "%s%q stands twice, first in line %d", before(at), key.Value, first)
			continue
		}
		seen[key.Value] = key.Line
		p.value(value, v.FieldByIndex(f.Index), join(at, key.Value), f.Tag.Get("check"))
		if need := f.Tag.Get("need"); need != "" && f.Type.Kind() == reflect.Slice && emptyList(value) {
			p.wrong(value.Line, need, "%s is empty", join(at, key.Value))
		}
	}
	for _, name := range names {
		if need := fields[name].Tag.Get("need"); need != "" && seen[name] == 0 {
			p.wrong(n.Line, need, "%sno %q", before(at), name)
		}
	}
	// What is not well formed has no meaning yet.
	if len(p.mistakes) == earlier {
		p.meaning(v.Addr().Interface())
	}
}

func emptyList(n *yaml.Node) bool {
	return n.ShortTag() == "!!null" || n.Kind == yaml.SequenceNode && len(n.Content) == 0
}

func join(at, key string) string {
	if at == "" {
		return key
	}
	return at + "." + key
}

func (p *parser) unknownKey(key *yaml.Node, at string, known []string) {
	if key.Kind != yaml.ScalarNode {
		p.wrong(key.Line, "write a word", "%s%s as a key", before(at), kindWords(key))
		return
	}
	remedy := "use one of " + strings.Join(slices.Sorted(slices.Values(known)), ", ")
	if near := nearest(key.Value, known); near != "" {
		remedy = fmt.Sprintf("did you mean %q?", near)
	}
	p.wrong(key.Line, remedy, "%sunknown key %q", before(at), quotable(key.Value))
}

// text holds a scalar to its form.
func (p *parser) text(n *yaml.Node, at, check string) bool {
	v := n.Value
	switch {
	case v == "":
		p.wrong(n.Line, "fill it or take it out", "%s is empty", at)
		return false
	case len(v) > maxText:
		p.wrong(n.Line, fmt.Sprintf("keep it under %d bytes", maxText), "%s is too long", at)
		return false
	case !utf8.ValidString(v) || strings.ContainsFunc(v, func(r rune) bool { return !unicode.IsPrint(r) }):
		p.wrong(n.Line, "write it in one line", "%s has line breaks or characters that do not show", at)
		return false
	case strings.TrimSpace(v) != v:
		p.wrong(n.Line, "take the spaces out", "%s begins or ends with a space", at)
		return false
	}
	switch check {
	case "pattern", "control":
		if strings.Contains(v, "**") {
			p.wrong(n.Line, "one * already stands for any characters, slashes included", "%s: bad pattern %q", at, v)
			return false
		}
		if check == "control" {
			return p.control(n, at)
		}
	case "id":
		if strings.Contains(v, "*") {
			p.wrong(n.Line, "name one control an entry", "%s: %q is a pattern", at, v)
			return false
		}
		return p.control(n, at)
	case "cidr":
		prefix, err := netip.ParsePrefix(v)
		if err != nil {
			p.wrong(n.Line, "write an address and its length: 203.0.113.0/24", "%s: bad CIDR %q", at, v)
			return false
		}
		if prefix.Masked() != prefix {
			p.wrong(n.Line, fmt.Sprintf("write %s, or the length of one address", prefix.Masked()), "%s: CIDR %q has bits beyond its length", at, v)
			return false
		}
	case "day":
		if _, err := time.Parse(Day, v); err != nil {
			p.wrong(n.Line, "write year, month and day: 2027-01-31", "%s: bad date %q", at, v)
			return false
		}
	case "file":
		if path.IsAbs(v) || strings.Contains(v, "\\") || path.Clean("/"+v) != "/"+v {
			p.wrong(n.Line, "name a file in or below the folder of this one", "%s: %q leaves the folder", at, v)
			return false
		}
	}
	return true
}

// control holds a scalar to the controls that there are.
func (p *parser) control(n *yaml.Node, at string) bool {
	pattern := Compile(n.Value)
	if slices.ContainsFunc(p.controls.IDs, pattern.Match) {
		return true
	}
	if p.controls.Formerly[n.Value] != "" {
		return true
	}
	remedy := "eksafe controls lists them"
	if near := nearest(n.Value, p.controls.IDs); near != "" {
		remedy = fmt.Sprintf("did you mean %q?", near)
	}
	if _, literal := pattern.Literal(); literal {
		p.wrong(n.Line, remedy, "%s: no control is called %q", at, n.Value)
	} else {
		p.wrong(n.Line, remedy, "%s: no control matches %q", at, n.Value)
	}
	return false
}

// current returns the text, and for a control that was renamed its name.
func (p *parser) current(n *yaml.Node, at, check string) string {
	now := p.controls.Formerly[n.Value]
	if check != "control" && check != "id" || now == "" || slices.Contains(p.controls.IDs, n.Value) {
		return n.Value
	}
	p.notes = append(p.notes, Mistake{Line: n.Line, What: fmt.Sprintf("%s: control %q is called %q now", at, n.Value, now), Remedy: "write the new name"})
	return now
}

// meaning finds what is well formed and makes no sense.
func (p *parser) meaning(declared any) {
	switch d := declared.(type) {
	case *Override:
		first := p.overrides[d.ID]
		switch {
		case first > 0:
			p.wrong(d.Line, "keep one", "control %q stands twice, first in line %d", d.ID, first)
			return
		case d.Disabled && d.Reason == "":
			p.wrong(d.Line, "add reason: every report shows it", "control %q is disabled without a reason", d.ID)
		case d.Disabled && d.Severity != nil:
			p.wrong(d.Line, "take one of them out", "control %q is disabled and has a severity", d.ID)
		case !d.Disabled && d.Severity == nil:
			p.wrong(d.Line, "add severity, or disabled and reason", "control %q is not changed", d.ID)
		}
		p.overrides[d.ID] = d.Line
	case *Exception:
		if Compile(d.Control).Everything() && Compile(d.Subject).Everything() {
			p.wrong(d.Line, "name the control or the subject", "an exception of every control for every subject")
		}
	}
}

// quotable returns text of the file in one short line.
func quotable(s string) string {
	var b strings.Builder
	for _, r := range s {
		if b.Len() > 80 {
			b.WriteString("…")
			break
		}
		if !unicode.IsPrint(r) {
			r = '\uFFFD'
		}
		b.WriteRune(r)
	}
	return b.String()
}

// nearest returns the word that is a slip away from what was written, "" if
// none is.
func nearest(written string, words []string) string {
	if len(written) > 64 {
		return ""
	}
	best, at := "", min(3, 1+len(written)/3)
	for _, w := range words {
		if d := distance(strings.ToLower(written), strings.ToLower(w)); d < at {
			best, at = w, d
		}
	}
	return best
}

// distance is Levenshtein's.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, diagonal+1)
		}
	}
	return row[len(b)]
}
