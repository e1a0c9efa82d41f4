package own

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"cel.dev/cel-go/common/types"
	"go.yaml.in/yaml/v3"

	"github.com/eksafe/eksafe/internal/config"
	"github.com/eksafe/eksafe/internal/control"
	"github.com/eksafe/eksafe/internal/control/proof"
	"github.com/eksafe/eksafe/internal/estate"
	"github.com/eksafe/eksafe/internal/finding"
)

// The bounds of a file.
const (
	maxControls = 500
	maxText     = 64 << 10
)

var idRE = regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)+$`)

// Parse reads the controls of a file of that name: one YAML document or several,
// each a control or a list of them. Either the file is right as a whole, or the
// error is a *config.Error with every mistake in it. taken says what an ID is
// taken by, "" if it is free.
func Parse(file string, data []byte, taken func(id string) string) ([]*Control, error) {
	p := &parser{file: file, source: strings.Split(string(data), "\n"), taken: taken, seen: map[string]int{}}
	p.documents(data)
	if len(p.mistakes) > 0 {
		slices.SortStableFunc(p.mistakes, func(a, b config.Mistake) int {
			return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
		})
		return nil, &config.Error{File: file, Mistakes: p.mistakes}
	}
	return p.controls, nil
}

type parser struct {
	file     string
	source   []string
	taken    func(string) string
	seen     map[string]int // ID → line
	controls []*Control
	mistakes []config.Mistake
}

func (p *parser) wrong(line, column int, remedy, format string, args ...any) {
	p.mistakes = append(p.mistakes, config.Mistake{Line: max(line, 1), Column: column, What: fmt.Sprintf(format, args...), Remedy: remedy})
}

// at notes a mistake at a node.
func (p *parser) at(n *yaml.Node, remedy, format string, args ...any) {
	p.wrong(n.Line, n.Column, remedy, format, args...)
}

var yamlLine = regexp.MustCompile(`^yaml: (?:line (\d+): )?`)

func (p *parser) documents(data []byte) {
	if len(data) > config.MaxSize {
		p.wrong(1, 0, fmt.Sprintf("keep it under %d KiB", config.MaxSize>>10), "the file is too large")
		return
	}
	d := yaml.NewDecoder(bytes.NewReader(data))
	for {
		var doc yaml.Node
		err := d.Decode(&doc)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			line := 1
			m := yamlLine.FindStringSubmatch(err.Error())
			if m != nil {
				if n, err := strconv.Atoi(m[1]); err == nil {
					line = n
				}
			}
			what, _, _ := strings.Cut(yamlLine.ReplaceAllString(err.Error(), ""), "\n")
			p.wrong(line, 0, "mend the YAML near this line", "it is no YAML: %s", bounded(what))
			return
		}
		switch root := doc.Content[0]; {
		case root.Kind == yaml.SequenceNode:
			for _, item := range root.Content {
				p.control(item)
			}
		case root.Tag != "!!null":
			p.control(root)
		}
		if len(p.controls) > maxControls {
			p.wrong(1, 0, "divide it", "the file has more than %d controls", maxControls)
			return
		}
	}
	if len(p.controls) == 0 && len(p.mistakes) == 0 {
		p.wrong(1, 0, "see docs/controls.md", "the file has no control")
	}
}

// keys are those of a control, in the order in which people write them.
var keys = []string{"id", "title", "severity", "kind", "also", "where", "pass", "message", "messageExpression", "field", "refs", "prose", "estate", "given", "cases"}

func (p *parser) control(n *yaml.Node) {
	values, ok := p.mapping(n, "a control", keys)
	if !ok {
		return
	}
	before := len(p.mistakes)
	for _, need := range []struct{ key, remedy string }{
		{"id", "give it a name with a prefix of your own: acme-owner-label"},
		{"title", "say what should hold, as a statement"},
		{"severity", "use low, medium, high or critical"},
		{"kind", "name the kind of the estate that is judged: Workload, DBInstance, …"},
		{"pass", "write the expression that is true where the control is met"},
	} {
		if values[need.key] == nil {
			p.at(n, need.remedy, "no %q", need.key)
		}
	}
	c := &Control{Control: &control.Control{ID: p.id(values["id"])}, File: p.file, Line: n.Line}
	c.Title = strings.TrimSpace(p.text(values["title"]))
	c.Prose = strings.TrimSpace(p.text(values["prose"]))
	if s := values["severity"]; s != nil {
		if err := c.Severity.UnmarshalText([]byte(p.text(s))); err != nil {
			p.at(s, "use low, medium, high or critical", "%q is no severity", bounded(s.Value))
		}
	}
	if c.Severity != 0 && (c.Severity < finding.Low || c.Severity > finding.Critical) {
		p.at(values["severity"], "use low, medium, high or critical", "%q is no severity of a control", bounded(values["severity"].Value))
	}
	c.Refs = p.refs(values["refs"])
	x := &expressions{message: bounded(strings.TrimSpace(p.text(values["message"]))), field: p.text(values["field"])}
	if x.message == "" {
		x.message = c.Title
	}
	if p.expressions(x, values) {
		c.Check = x.check()
	}
	p.cases(c, values)
	if len(p.mistakes) == before {
		p.controls = append(p.controls, c)
	}
}

// expressions compiles what needs the kind.
func (p *parser) expressions(x *expressions, values map[string]*yaml.Node) bool {
	kind := values["kind"]
	if kind == nil {
		return false
	}
	var ok bool
	if x.kind, ok = p.kind(kind); !ok {
		return false
	}
	if also := values["also"]; also != nil {
		if also.Kind != yaml.SequenceNode {
			p.at(also, "write a list: also: [Namespace]", "\"also\" is no list")
			return false
		}
		for _, item := range also.Content {
			k, known := p.kind(item)
			switch {
			case !known:
				ok = false
			case slices.ContainsFunc(x.also, func(o estate.KindInfo) bool { return o.Kind == k.Kind }):
				p.at(item, "keep one", "%s stands twice", k.Kind)
			default:
				x.also = append(x.also, k)
			}
		}
	}
	if !ok {
		return false
	}
	env, err := newEnvironment(x.kind, x.also)
	if err != nil {
		p.at(kind, "judge another kind", "%s cannot be judged by expressions: %v", x.kind.Kind, err)
		return false
	}
	before := len(p.mistakes)
	x.where = p.compile(env, values["where"], types.BoolType)
	x.pass = p.compile(env, values["pass"], types.BoolType)
	x.messageProgram = p.compile(env, values["messageExpression"], types.StringType)
	return len(p.mistakes) == before
}

func (p *parser) compile(env *environment, n *yaml.Node, want *types.Type) *program {
	if n == nil {
		return nil
	}
	text := p.text(n)
	if strings.TrimSpace(text) == "" {
		p.at(n, "write an expression", "the expression is empty")
		return nil
	}
	out, faults := env.compile(text, want)
	for _, f := range faults {
		line, column := position(p.source, n, f.line, f.column)
		p.wrong(line, column, "see docs/controls.md for what expressions may name", "%s", bounded(f.what))
	}
	return out
}

func (p *parser) kind(n *yaml.Node) (estate.KindInfo, bool) {
	name := p.text(n)
	info, err := estate.KindOf(estate.Kind(name))
	if err == nil {
		return info, true
	}
	remedy := "name one such as Workload, Service, Cluster or DBInstance; eksafe controls list -o json has those that are read"
	for _, k := range estate.Kinds() {
		if strings.EqualFold(string(k.Kind), name) {
			remedy = fmt.Sprintf("did you mean %q?", k.Kind)
		}
	}
	if slices.Contains([]string{"Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Job", "CronJob", "Pod"}, name) {
		remedy = fmt.Sprintf("use Workload, with where: self.controller == '%s'", name)
	}
	p.at(n, remedy, "the estate has no kind %q", bounded(name))
	return info, false
}

func (p *parser) id(n *yaml.Node) string {
	if n == nil {
		return ""
	}
	id := p.text(n)
	switch {
	case !idRE.MatchString(id) || len(id) > 100:
		p.at(n, "write words in lower case, with a prefix of your own: acme-owner-label", "%q is no ID of a control", bounded(id))
	case p.seen[id] > 0:
		p.at(n, "keep one", "control %q stands twice, first in line %d", id, p.seen[id])
	case p.taken(id) != "":
		p.at(n, fmt.Sprintf("give it a prefix of your own: acme-%s", id), "the ID %q is taken by %s", id, p.taken(id))
	}
	p.seen[id] = n.Line
	return id
}

func (p *parser) refs(n *yaml.Node) []control.Ref {
	if n == nil {
		return nil
	}
	if n.Kind != yaml.SequenceNode {
		p.at(n, "write a list of title and url", "\"refs\" is no list")
		return nil
	}
	var out []control.Ref
	for _, item := range n.Content {
		values, ok := p.mapping(item, "a reference", []string{"title", "url"})
		if !ok {
			continue
		}
		ref := control.Ref{Source: control.OwnSource, Section: bounded(p.text(values["title"])), URL: p.text(values["url"])}
		if ref.Section == "" {
			p.at(item, "say what it is", "the reference has no title")
		}
		// It becomes a link in reports.
		if u, err := url.Parse(ref.URL); ref.URL != "" && (err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "") {
			p.at(values["url"], "write https://…", "%q is no address of a page", bounded(ref.URL))
		}
		out = append(out, ref)
	}
	return out
}

func (p *parser) cases(c *Control, values map[string]*yaml.Node) {
	switch n := values["estate"]; {
	case n == nil || p.text(n) == "secure":
	case p.text(n) == "empty":
		c.empty = true
	default:
		p.at(n, "use secure or empty", "%q is no estate to begin with", bounded(n.Value))
	}
	if n := values["given"]; n != nil {
		// What is given has a case's form and says nothing.
		k, err := proof.ParseCase("pass/given.yaml", []byte(p.text(n)))
		if err != nil {
			p.at(n, "write resources, their fields and values, as in a case", "given: %s", bounded(strings.TrimPrefix(err.Error(), "pass/given.yaml")))
		}
		c.given = k
	}
	n := values["cases"]
	if n == nil {
		return
	}
	if n.Kind != yaml.MappingNode {
		p.at(n, "write names and their changes: fail/no-owner: |", "\"cases\" is no mapping")
		return
	}
	names := map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		if value.Kind == yaml.ScalarNode && value.Style&yaml.LiteralStyle == 0 {
			p.at(value, "begin it with | and indent it: its comments say what must be reported", "case %s is no block of text", bounded(key.Value))
			continue
		}
		k, err := proof.ParseCase(p.text(key)+".yaml", []byte(p.text(value)))
		switch {
		case err != nil:
			p.at(key, "see docs/controls.md", "%s", bounded(strings.ReplaceAll(err.Error(), ".yaml", "")))
		case names[key.Value]:
			p.at(key, "keep one", "case %s stands twice", bounded(key.Value))
		default:
			names[key.Value] = true
			c.cases = append(c.cases, Case{k, key.Line})
		}
	}
}

// mapping returns the values of a mapping that may have these keys.
func (p *parser) mapping(n *yaml.Node, what string, known []string) (map[string]*yaml.Node, bool) {
	if n.Kind != yaml.MappingNode {
		p.at(n, "write \"key: value\" lines", "%s is no mapping", what)
		return nil, false
	}
	out := map[string]*yaml.Node{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		switch {
		case !slices.Contains(known, key.Value):
			p.at(key, "use one of "+strings.Join(known, ", "), "%s has no key %q", what, bounded(key.Value))
		case out[key.Value] != nil:
			p.at(key, "keep one", "%q stands twice", key.Value)
		default:
			out[key.Value] = value
		}
	}
	return out, true
}

// text returns the text of a scalar.
func (p *parser) text(n *yaml.Node) string {
	switch {
	case n == nil:
		return ""
	case n.Kind == yaml.AliasNode || n.Anchor != "":
		// Ten aliases of ten aliases are a billion values.
		p.at(n, "write the value out", "anchors and aliases are not read")
	case n.Kind != yaml.ScalarNode || n.ShortTag() != "!!str":
		// An expression that is true alone is a truth value to YAML.
		p.at(n, "write it in quotes", "text is expected here")
	case len(n.Value) > maxText:
		p.at(n, fmt.Sprintf("keep it under %d KiB", maxText>>10), "the text is too long")
	default:
		return n.Value
	}
	return ""
}
