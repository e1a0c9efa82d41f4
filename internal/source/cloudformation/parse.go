package cloudformation

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// A syntaxError says where a template is broken. It never quotes the template.
type syntaxError struct {
	line int
	what string
}

func (e *syntaxError) Error() string { return fmt.Sprintf("line %d: %s", e.line, e.what) }

// parse returns the root mapping of a YAML or JSON template.
func parse(data []byte) (*yaml.Node, error) {
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	// JSON may be indented with tabs, which YAML refuses.
	if trimmed := bytes.TrimLeft(data, " \t\r\n"); len(trimmed) > 0 && trimmed[0] == '{' && json.Valid(data) {
		return parseJSON(data)
	}
	dec := yaml.NewDecoder(bytes.NewReader(data))
	var doc yaml.Node
	if err := dec.Decode(&doc); err != nil {
		if errors.Is(err, io.EOF) {
			return nil, &syntaxError{1, "the file is empty"}
		}
		return nil, yamlError(err)
	}
	if err := dec.Decode(&yaml.Node{}); !errors.Is(err, io.EOF) {
		return nil, &syntaxError{1, "more than one YAML document in a template"}
	}
	if len(doc.Content) != 1 || doc.Content[0].Kind != yaml.MappingNode {
		return nil, &syntaxError{1, "the template is no mapping"}
	}
	return doc.Content[0], checkShape(doc.Content[0], 0)
}

var yamlLine = regexp.MustCompile(`line (\d+)`)

// tooDeep is said of a template that is deeper than maxDepth.
var tooDeep = fmt.Sprintf("the template is nested more than %d deep", maxDepth)

// yamlError keeps the line of a parser's error, and its reason only where the
// reason is known to hold nothing of the file.
func yamlError(err error) error {
	out := &syntaxError{line: 1, what: "the YAML is broken"}
	if strings.Contains(err.Error(), ": exceeded max depth of ") {
		out.what = tooDeep // the limit of the parser is far beyond
	}
	if m := yamlLine.FindStringSubmatch(err.Error()); m != nil {
		out.line, _ = strconv.Atoi(m[1])
	}
	for _, reason := range []string{
		"found character that cannot start any token",
		"found a tab character that violates indentation",
		"did not find expected key",
		"did not find expected ',' or '}'",
		"did not find expected ',' or ']'",
		"did not find expected '-' indicator",
		"mapping values are not allowed in this context",
		"could not find expected ':'",
		"found unexpected end of stream",
		"control characters are not allowed",
		"invalid leading UTF-8 octet",
	} {
		if bytes.Contains([]byte(err.Error()), []byte(reason)) {
			out.what += ": " + reason
			break
		}
	}
	return out
}

// checkShape bounds the depth of a template and refuses keys that stand twice.
func checkShape(n *yaml.Node, depth int) error {
	if depth > maxDepth {
		return &syntaxError{n.Line, tooDeep}
	}
	if n.Kind == yaml.MappingNode {
		seen := make(map[string]bool, len(n.Content)/2)
		for i := 0; i+1 < len(n.Content); i += 2 {
			key := n.Content[i]
			if key.Kind != yaml.ScalarNode {
				return &syntaxError{key.Line, "a key is no text"}
			}
			if seen[key.Value] {
				return &syntaxError{key.Line, "the same key stands twice in a mapping"}
			}
			seen[key.Value] = true
		}
	}
	for _, c := range n.Content {
		if err := checkShape(c, depth+1); err != nil {
			return err
		}
	}
	return nil
}

// parseJSON builds the same tree from JSON.
func parseJSON(data []byte) (*yaml.Node, error) {
	p := &jsonParser{dec: json.NewDecoder(bytes.NewReader(data)), data: data, line: 1}
	p.dec.UseNumber()
	root, err := p.value(0)
	if err != nil {
		return nil, err
	}
	return root, checkShape(root, 0)
}

type jsonParser struct {
	dec  *json.Decoder
	data []byte
	at   int // line counts the newlines before here
	line int
}

func (p *jsonParser) token() (json.Token, error) {
	t, err := p.dec.Token()
	if err != nil {
		return nil, &syntaxError{p.line, "the JSON is broken"}
	}
	end := int(p.dec.InputOffset())
	p.line += bytes.Count(p.data[p.at:end], []byte{'\n'})
	p.at = end
	return t, nil
}

func (p *jsonParser) value(depth int) (*yaml.Node, error) {
	if depth > maxDepth {
		return nil, &syntaxError{p.line, tooDeep}
	}
	t, err := p.token()
	if err != nil {
		return nil, err
	}
	n := &yaml.Node{Kind: yaml.ScalarNode, Line: p.line}
	switch t := t.(type) {
	case json.Delim:
		n.Kind, n.Tag = yaml.SequenceNode, "!!seq"
		if t == '{' {
			n.Kind, n.Tag = yaml.MappingNode, "!!map"
		}
		for p.dec.More() {
			if n.Kind == yaml.MappingNode {
				key, err := p.token()
				if err != nil {
					return nil, err
				}
				name, _ := key.(string)
				n.Content = append(n.Content, &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: name, Line: p.line})
			}
			c, err := p.value(depth + 1)
			if err != nil {
				return nil, err
			}
			n.Content = append(n.Content, c)
		}
		_, err = p.token()
		return n, err
	case string:
		n.Tag, n.Value, n.Style = "!!str", t, yaml.DoubleQuotedStyle
	case json.Number:
		n.Tag, n.Value = "!!float", t.String()
	case bool:
		n.Tag, n.Value = "!!bool", strconv.FormatBool(t)
	default:
		n.Tag = "!!null"
	}
	return n, nil
}

// fields iterates over the fields of a mapping, none for anything else.
func fields(n *yaml.Node) iter.Seq2[string, *yaml.Node] {
	return func(yield func(string, *yaml.Node) bool) {
		if n == nil || n.Kind != yaml.MappingNode {
			return
		}
		for i := 0; i+1 < len(n.Content); i += 2 {
			if !yield(n.Content[i].Value, n.Content[i+1]) {
				return
			}
		}
	}
}

// field returns one field of a mapping, or nil.
func field(n *yaml.Node, name string) *yaml.Node {
	for k, v := range fields(n) {
		if k == name {
			return v
		}
	}
	return nil
}

// scalarAt returns the text of a field that is a plain scalar, or "".
func scalarAt(n *yaml.Node, name string) string {
	if f := field(n, name); f != nil && f.Kind == yaml.ScalarNode && builtin(f.Tag) {
		return f.Value
	}
	return ""
}

// builtin reports whether a tag is one of YAML's own and no function.
func builtin(tag string) bool { return tag == "" || len(tag) > 1 && tag[:2] == "!!" }
