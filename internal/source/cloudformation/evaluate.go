package cloudformation

import (
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

type valueKind int

const (
	unknown valueKind = iota // cannot be known before deployment
	absent                   // not stated, or AWS::NoValue
	scalar
	list
	mapping
)

// A value is what an expression of a template gives.
type value struct {
	kind valueKind
	// text of a scalar; of an unknown one the text with "${…}" for what is
	// not known, if it is a text at all.
	text string
	// id says that the text is the identity of a resource, and made that it
	// contains one or an attribute of one: it is no literal of the template.
	id, made bool

	items []value
	// delimiter is what Fn::Join put between items to make text of them.
	delimiter string

	// A mapping is evaluated field by field, when it is asked for: what nobody
	// asks for, a password, is not looked at.
	node  *yaml.Node
	stack *stack
	line  int
}

func text(s string) value { return value{kind: scalar, text: s} }

// open is an unknown value that shows as ${name}.
func open(name string) value { return value{text: "${" + name + "}"} }

// eval evaluates an expression.
func (s *stack) eval(n *yaml.Node, depth int) value {
	if n == nil {
		return value{kind: absent}
	}
	v := s.expression(n, depth)
	if v.line == 0 {
		v.line = n.Line
	}
	return v
}

func (s *stack) expression(n *yaml.Node, depth int) value {
	if depth > maxDepth || !s.reader.spend(1) {
		return value{}
	}
	if !builtin(n.Tag) {
		bare := *n
		bare.Tag = ""
		name := strings.TrimPrefix(n.Tag, "!")
		if name != "Ref" && name != "Condition" {
			name = "Fn::" + name
		}
		return s.function(name, &bare, depth+1)
	}
	switch n.Kind {
	case yaml.ScalarNode:
		return s.literal(n)
	case yaml.SequenceNode:
		out := value{kind: list}
		for _, c := range n.Content {
			if item := s.eval(c, depth+1); item.kind != absent {
				out.items = append(out.items, item)
			}
		}
		return out
	case yaml.MappingNode:
		if len(n.Content) == 2 {
			if name := n.Content[0].Value; name == "Ref" || strings.HasPrefix(name, "Fn::") {
				return s.function(name, n.Content[1], depth+1)
			}
		}
		return value{kind: mapping, node: n, stack: s}
	}
	// CloudFormation takes no aliases.
	return value{}
}

// literal evaluates a scalar as it stands.
func (s *stack) literal(n *yaml.Node) value {
	switch {
	case n.Tag == "!!null":
		return value{}
	case strings.Contains(n.Value, "{{resolve:"):
		// A dynamic reference to SSM or Secrets Manager.
		return value{text: "${resolve}"}
	case n.Tag == "!!float" && n.Style == 0:
		// An unquoted 1.30 reaches AWS as 1.3.
		if f, err := strconv.ParseFloat(n.Value, 64); err != nil || strconv.FormatFloat(f, 'f', -1, 64) != n.Value {
			return value{}
		}
	case n.Tag == "!!int" && n.Style == 0:
		// So does 0x10 as 16, and 010 as 8 or 10.
		if i, err := strconv.ParseInt(n.Value, 10, 64); err != nil || strconv.FormatInt(i, 10) != n.Value {
			return value{}
		}
	case n.Tag == "!!bool":
		return text(strings.ToLower(n.Value))
	}
	return text(n.Value)
}

// function evaluates an intrinsic function.
func (s *stack) function(name string, arg *yaml.Node, depth int) value {
	switch name {
	case "Ref":
		if v := s.eval(arg, depth); v.kind == scalar {
			return s.ref(v.text, arg.Line)
		}
		return value{}
	case "Fn::GetAtt":
		v := s.eval(arg, depth)
		switch {
		case v.kind == scalar:
			res, attr, _ := strings.Cut(v.text, ".")
			return s.attribute(res, attr, arg.Line, depth)
		case v.kind == list && len(v.items) == 2 && v.items[0].kind == scalar && v.items[1].kind == scalar:
			return s.attribute(v.items[0].text, v.items[1].text, arg.Line, depth)
		}
		return value{}
	case "Fn::Sub":
		return s.substitute(arg, depth)
	case "Fn::If":
		if arg.Kind != yaml.SequenceNode || len(arg.Content) != 3 {
			return value{}
		}
		switch s.named(s.eval(arg.Content[0], depth)) {
		case yes:
			return s.eval(arg.Content[1], depth)
		case no:
			return s.eval(arg.Content[2], depth)
		}
		a, b := s.eval(arg.Content[1], depth), s.eval(arg.Content[2], depth)
		if a.kind == scalar && b.kind == scalar && a.text == b.text {
			return a
		}
		return value{}
	case "Fn::FindInMap":
		return s.findInMap(arg, depth)
	case "Fn::Join", "Fn::Split", "Fn::Select", "Fn::Cidr", "Fn::Length":
		v := s.eval(arg, depth)
		if v.kind != list {
			return value{}
		}
		// Zones have names in an account only, but different ones.
		if name == "Fn::Select" && len(v.items) == 2 && v.items[0].kind == scalar && v.items[1].text == "${Fn::GetAZs}" {
			return open(plainName("Fn::GetAZs[" + v.items[0].text + "]"))
		}
		return s.pure(name, v.items)
	case "Fn::ImportValue":
		v := s.eval(arg, depth)
		if v.kind != scalar {
			return open("Fn::ImportValue")
		}
		return s.reader.imported(v.text, depth)
	}
	// Fn::GetAZs, Fn::Base64, Fn::Transform, Fn::ToJsonString and whatever
	// comes next.
	return open(plainName(name))
}

// pure evaluates the functions that depend on their arguments alone.
func (s *stack) pure(name string, args []value) value {
	switch {
	case name == "Fn::Join" && len(args) == 2 && args[0].kind == scalar && args[1].kind == list:
		return s.join(args[1].items, args[0].text)
	case name == "Fn::Split" && len(args) == 2 && args[0].kind == scalar && args[0].text != "":
		return s.split(args[1], args[0].text)
	case name == "Fn::Select" && len(args) == 2 && args[0].kind == scalar && args[1].kind == list:
		if i, err := strconv.Atoi(args[0].text); err == nil && i >= 0 && i < len(args[1].items) {
			return args[1].items[i]
		}
	case name == "Fn::Length" && len(args) > 0:
		// Its argument is the list itself.
		return text(strconv.Itoa(len(args)))
	case name == "Fn::Cidr":
		return s.cidr(args)
	}
	return value{}
}

// join makes one text of several. It remembers them, so that a list survives
// a way through an export.
func (s *stack) join(items []value, delimiter string) value {
	out := value{kind: scalar, items: items, delimiter: delimiter}
	var b strings.Builder
	for i, item := range items {
		if i > 0 {
			b.WriteString(delimiter)
		}
		if item.kind == unknown {
			out.kind = unknown
			if item.text == "" {
				item.text = "${?}"
			}
		} else if item.kind != scalar {
			return value{}
		}
		b.WriteString(item.text)
		out.made = out.made || item.id || item.made
		if b.Len() > maxText {
			return value{}
		}
	}
	out.text = b.String()
	if !s.reader.spend(len(out.text)) {
		return value{}
	}
	if len(items) == 1 {
		return items[0]
	}
	return out
}

// split is the reverse of join.
func (s *stack) split(v value, delimiter string) value {
	out := value{kind: list}
	if len(v.items) > 0 && v.delimiter == delimiter {
		for _, item := range v.items {
			if item.id || item.kind == unknown {
				out.items = append(out.items, item)
				continue
			}
			out.items = append(out.items, s.pieces(item.text, delimiter)...)
		}
		return out
	}
	if v.id {
		return value{kind: list, items: []value{v}}
	}
	if v.kind != scalar {
		return value{}
	}
	out.items = s.pieces(v.text, delimiter)
	return out
}

func (s *stack) pieces(whole, delimiter string) []value {
	var out []value
	for part := range strings.SplitSeq(whole, delimiter) {
		if !s.reader.spend(64) {
			return nil
		}
		piece := text(part)
		piece.id = s.reader.ids[part] != nil
		piece.made = !piece.id && strings.Contains(part, "cfn:")
		out = append(out, piece)
	}
	return out
}

// substitute evaluates Fn::Sub.
func (s *stack) substitute(arg *yaml.Node, depth int) value {
	format, vars := arg, (*yaml.Node)(nil)
	if arg.Kind == yaml.SequenceNode && len(arg.Content) == 2 {
		format, vars = arg.Content[0], arg.Content[1]
	}
	if format.Kind != yaml.ScalarNode || strings.Contains(format.Value, "{{resolve:") {
		return value{}
	}
	var items []value
	rest := format.Value
	for {
		before, after, found := strings.Cut(rest, "${")
		if before != "" {
			items = append(items, text(before))
		}
		if !found {
			break
		}
		name, tail, closed := strings.Cut(after, "}")
		if !closed {
			return value{}
		}
		rest = tail
		if literal, ok := strings.CutPrefix(name, "!"); ok {
			items = append(items, text("${"+literal+"}"))
			continue
		}
		name = strings.TrimSpace(name)
		var item value
		if n := field(vars, name); n != nil {
			item = s.eval(n, depth+1)
		} else if res, attr, ok := strings.Cut(name, "."); ok {
			item = s.attribute(res, attr, format.Line, depth+1)
		} else {
			item = s.ref(name, format.Line)
		}
		if item.kind == unknown && item.text == "" {
			item = open(plainName(name))
		}
		items = append(items, item)
	}
	if len(items) == 0 {
		return text("")
	}
	out := s.join(items, "")
	if len(items) > 1 {
		out.items, out.delimiter = nil, ""
	}
	return out
}

// findInMap evaluates Fn::FindInMap, its default included.
func (s *stack) findInMap(arg *yaml.Node, depth int) value {
	v := s.eval(arg, depth)
	if v.kind != list || len(v.items) < 3 {
		return value{}
	}
	n := s.mappings
	for _, key := range v.items[:3] {
		if key.kind != scalar {
			return value{}
		}
		n = field(n, key.text)
	}
	if n != nil {
		return s.eval(n, depth)
	}
	if len(v.items) == 4 && v.items[3].kind == mapping {
		if d := field(v.items[3].node, "DefaultValue"); d != nil {
			return s.eval(d, depth)
		}
	}
	return value{}
}
