package manifest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"

	"github.com/eksafe/eksafe/internal/estate"
	"github.com/eksafe/eksafe/internal/source/kubeobject"
)

// document reads one YAML document whose first line is line of the file.
func (r *fileReader) document(doc []byte, line int) {
	if apiVersion, kind, ok := ignoredKind(doc); ok {
		r.out.ignore(apiVersion, kind)
		return
	}
	if r.plainDocument(doc, line) {
		return
	}
	if !utf8.Valid(doc) {
		r.out.problem(estate.Problem{File: r.name, Line: line + badLine(doc), What: "not UTF-8", Remedy: "save the file as UTF-8"})
		return
	}
	if bytes.IndexByte(doc, 0) >= 0 {
		r.out.problem(estate.Problem{File: r.name, Line: line, What: "not text", Remedy: "name a YAML or JSON file in UTF-8"})
		return
	}
	d := yaml.NewDecoder(bytes.NewReader(doc))
	for {
		var root yaml.Node
		err := decodeNode(d, &root)
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			r.syntaxProblem(doc, line, err)
			return
		}
		if len(root.Content) == 1 {
			r.object(doc, root.Content[0], line, "", "", 0)
		}
	}
}

// decodeNode parses one document. The parser reports some mistakes by panics
// of its own making that it means to catch; one that it does not catch is the
// document's mistake all the same.
func decodeNode(d *yaml.Decoder, root *yaml.Node) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = errors.New("yaml: cannot be parsed")
		}
	}()
	return d.Decode(root)
}

// badLine returns how many lines stand before the first byte that is not
// UTF-8.
func badLine(doc []byte) int {
	lines := 0
	for rest := doc; len(rest) > 0; {
		c, n := utf8.DecodeRune(rest)
		if c == utf8.RuneError && n == 1 {
			break
		}
		if c == '\n' {
			lines++
		}
		rest = rest[n:]
	}
	return lines
}

var (
	yamlLine = regexp.MustCompile(`line (\d+): `)

	// yamlMessages are the parser's sentences that quote nothing of the input.
	yamlMessages = []string{
		"did not find expected key", "did not find expected '-' indicator", "did not find expected ',' or '}'", "did not find expected ',' or ']'",
		"did not find expected node content", "did not find expected <document start>", "did not find expected hexdecimal number",
		"found character that cannot start any token", "found a tab character that violates indentation", "found a tab character where an indentation space is expected",
		"mapping values are not allowed in this context", "block sequence entries are not allowed in this context", "mapping keys are not allowed in this context",
		"found unexpected end of stream", "found unexpected document indicator", "found unexpected ':'", "could not find expected ':'",
		"found unknown escape character", "did not find URI escaped octet", "control characters are not allowed",
		"found undefined tag handle", "unknown anchor", "found incompatible YAML document",
	}
)

// parserDepth is the limit of the parsers of JSON and of YAML.
const parserDepth = 10_000

// atParserDepth matches what they say beyond it. It is the end of the message,
// since messages quote the input.
var atParserDepth = regexp.MustCompile(`exceeded max depth(?: of \d+)?$`)

// tooDeep reports input that a parser gave up on, which may well be valid.
func (r *fileReader) tooDeep(line int) {
	r.out.problem(estate.Problem{
		File: r.name, Line: line,
		What:   fmt.Sprintf("nested more than %d deep, which is the limit", parserDepth),
		Remedy: "flatten it",
	})
}

// syntaxProblem reports a document that is not YAML, or that nobody could tell.
func (r *fileReader) syntaxProblem(doc []byte, line int, err error) {
	if r.template(doc, line) {
		return
	}
	p := estate.Problem{File: r.name, Line: line, What: "not valid YAML", Remedy: "mend the document; the others of the file were read"}
	text := err.Error()
	if m := yamlLine.FindStringSubmatch(text); m != nil {
		n, _ := strconv.Atoi(m[1])
		p.Line = line + max(n, 1) - 1
	}
	if atParserDepth.MatchString(text) {
		r.tooDeep(p.Line)
		return
	}
	for _, m := range yamlMessages {
		if strings.Contains(text, m) {
			p.What += ": " + m
			break
		}
	}
	if strings.Contains(p.What, "tab character") || strings.Contains(p.What, "cannot start any token") && bytes.Contains(doc, []byte("\t")) {
		p.Remedy = "indent with spaces, not tabs"
	}
	if strings.Contains(p.What, "unexpected end of stream") {
		p.Remedy = "close the quote or bracket, or restore the rest of the file"
	}
	r.out.problem(p)
}

// template reports, once a file, a Helm template that was not rendered.
func (r *fileReader) template(doc []byte, line int) bool {
	i := bytes.Index(doc, []byte("{{"))
	if i < 0 {
		return false
	}
	if !r.templated {
		r.templated = true
		r.out.problem(estate.Problem{
			File: r.name, Line: line + bytes.Count(doc[:i], []byte("\n")),
			What: "this is a Helm template", Remedy: "render it: helm template CHART | eksafe audit -",
		})
	}
	return true
}

// maxListDepth bounds Lists within Lists.
const maxListDepth = 4

// object reads one node that should be a Kubernetes object. first is the line
// of the file at which the node's document begins. The API version and kind
// are those that a typed List gives its items.
func (r *fileReader) object(doc []byte, node *yaml.Node, first int, apiVersion, kind string, depth int) {
	node = follow(node)
	at := first + node.Line - 1
	if node.Kind != yaml.MappingNode {
		if node.Kind == yaml.ScalarNode && node.Value == "" {
			return // an empty document
		}
		if depth > 0 {
			r.out.problem(estate.Problem{File: r.name, Line: at, What: "an item of a List that is not an object", Remedy: "remove it"})
		} else if node.Kind == yaml.ScalarNode && !r.template(doc, first) {
			r.out.problem(estate.Problem{File: r.name, Line: at, What: "not a Kubernetes object but plain text", Remedy: "a manifest has apiVersion and kind"})
		}
		return
	}
	var items *yaml.Node
	hasSpec, hasMetadata := false, false
	ownVersion, ownKind := "", ""
	for i := 0; i+1 < len(node.Content); i += 2 {
		value := follow(node.Content[i+1])
		switch node.Content[i].Value {
		case "apiVersion":
			ownVersion = value.Value
		case "kind":
			ownKind = value.Value
		case "items":
			items = value
		case "spec":
			hasSpec = true
		case "metadata":
			hasMetadata = true
		}
	}
	if ownVersion != "" || ownKind != "" {
		apiVersion, kind = ownVersion, ownKind
	}
	if apiVersion == "" || kind == "" {
		// Other YAML lies among manifests: values, workflows. What is nearly a
		// manifest is not passed over in silence.
		missing := "apiVersion"
		if kind == "" {
			missing = "kind"
		}
		if (apiVersion != "" || kind != "" || hasSpec && hasMetadata) && !r.template(doc, first) {
			r.out.problem(estate.Problem{File: r.name, Line: at, What: "an object without " + missing, Remedy: "add " + missing + "; a field name is case-sensitive"})
		}
		return
	}
	if item, ok := listKind(apiVersion, kind); ok && items != nil && items.Kind == yaml.SequenceNode {
		if depth >= maxListDepth {
			r.out.problem(estate.Problem{File: r.name, Line: at, What: "Lists within Lists", Remedy: "flatten them"})
			return
		}
		itemVersion := apiVersion
		if item == "" {
			itemVersion = ""
		}
		for _, n := range items.Content {
			r.object(doc, n, first, itemVersion, item, depth+1)
		}
		return
	}
	if _, known := kubeobject.Known(apiVersion, kind); !known {
		if strings.Contains(apiVersion+kind, "{{") && r.template(doc, first) {
			return
		}
		r.out.ignore(apiVersion, kind)
		return
	}
	r.walker.begin(node.Line, len(doc))
	r.json = r.json[:0]
	var err error
	r.json, err = r.walker.append(r.json, node, 0)
	origin := estate.Origin{File: r.name, Line: at, Positions: r.walker.positions.Positions()}
	if err != nil {
		if !r.template(doc, first) {
			r.out.problem(estate.Problem{File: r.name, Line: at, What: err.Error(), Remedy: "write it out"})
		}
		return
	}
	for _, d := range r.walker.duplicates {
		r.out.problem(estate.Problem{
			File: r.name, Line: first + d.line - 1,
			What: fmt.Sprintf("the key %q stands twice", clip(d.key, 100)), Remedy: "remove one: the API server refuses it, and the last was taken here",
		})
	}
	r.decode(apiVersion, kind, r.json, origin, func() bool { return r.template(doc, first) })
}

// decode decodes one object and records its flaws. template reports whether
// the document is a template, which explains whatever is wrong.
func (r *fileReader) decode(apiVersion, kind string, data []byte, origin estate.Origin, template func() bool) {
	obj, flaws, err := kubeobject.Decode(apiVersion, kind, data, origin, true)
	if err != nil {
		if template() {
			return
		}
		p := estate.Problem{File: r.name, Line: origin.Line, What: kind + ": " + err.Error(), Remedy: "mend the field; the object was left out"}
		var field *kubeobject.FieldError
		if errors.As(err, &field) && field.Field != "" {
			_, p.Line = origin.Locate(field.Field)
		}
		r.out.problem(p)
		return
	}
	for _, f := range flaws {
		_, at := origin.Locate(f.Field)
		remedy := "check the spelling: the API server drops it"
		if strings.HasPrefix(f.What, "duplicate") {
			remedy = "remove one: the API server refuses it, and the last was taken here"
		}
		r.out.problem(estate.Problem{File: r.name, Line: at, What: f.What, Remedy: remedy})
	}
	r.out.objects = append(r.out.objects, obj)
}

// listKind reports whether an object is a list of objects, and the kind of its
// items where the list tells it.
func listKind(apiVersion, kind string) (item string, ok bool) {
	if kind == "List" {
		return "", true
	}
	item, isList := strings.CutSuffix(kind, "List")
	if !isList {
		return "", false
	}
	_, known := kubeobject.Known(apiVersion, item)
	return item, known
}

// follow returns the node that an alias stands for.
func follow(n *yaml.Node) *yaml.Node {
	for range 10 {
		if n.Kind != yaml.AliasNode || n.Alias == nil {
			return n
		}
		n = n.Alias
	}
	return n
}

// A walker writes a node as JSON and the position of each of its fields.
type walker struct {
	positions  estate.PositionWriter
	duplicates []duplicate
	first      int // line of the object's first line within the document
	budget     int // bytes of JSON that may still be written
	pairs      []*yaml.Node
}

type duplicate struct {
	key  string
	line int
}

const (
	maxDepth = 100
	// Without aliases, JSON is at most some six times its YAML: a control
	// character takes six bytes.
	expansion = 8
)

var (
	errDepth  = errors.New("nested more than 100 deep")
	errBudget = errors.New("aliases expand to many times the document")
	errFloat  = errors.New("a number that JSON cannot hold")
)

func (w *walker) begin(first, size int) {
	w.positions.Positions()
	w.duplicates = w.duplicates[:0]
	w.first = first
	w.budget = expansion*size + 64<<10
	w.pairs = w.pairs[:0]
}

// append writes n to b.
func (w *walker) append(b []byte, n *yaml.Node, depth int) ([]byte, error) {
	if depth > maxDepth {
		return b, errDepth
	}
	if len(b) > w.budget {
		return b, errBudget
	}
	switch n.Kind {
	case yaml.AliasNode:
		return w.append(b, n.Alias, depth+1)
	case yaml.ScalarNode:
		w.positions.Scalar()
		return appendScalar(b, n)
	case yaml.SequenceNode:
		w.positions.Sequence(len(n.Content))
		b = append(b, '[')
		for i, item := range n.Content {
			if i > 0 {
				b = append(b, ',')
			}
			w.positions.Element(item.Line - w.first + 1)
			var err error
			if b, err = w.append(b, item, depth+1); err != nil {
				return b, err
			}
		}
		return append(b, ']'), nil
	case yaml.MappingNode:
		return w.mapping(b, n, depth)
	default:
		w.positions.Scalar()
		return append(b, "null"...), nil
	}
}

// mapping writes a mapping whose merge keys are resolved and of whose
// duplicate keys the last stands.
func (w *walker) mapping(b []byte, n *yaml.Node, depth int) ([]byte, error) {
	start := len(w.pairs)
	if err := w.collect(n, start, depth); err != nil {
		return b, err
	}
	end := len(w.pairs)
	w.positions.Mapping((end - start) / 2)
	b = append(b, '{')
	for i := start; i < end; i += 2 {
		if i > start {
			b = append(b, ',')
		}
		key, value := w.pairs[i], w.pairs[i+1]
		w.positions.Key(key.Value, key.Line-w.first+1)
		b = appendString(b, key.Value)
		b = append(b, ':')
		var err error
		if b, err = w.append(b, value, depth+1); err != nil {
			return b, err
		}
	}
	w.pairs = w.pairs[:start]
	return append(b, '}'), nil
}

// collect pushes the pairs of n from start on: its own first, then those that
// merge keys add.
func (w *walker) collect(n *yaml.Node, start, depth int) error {
	var index map[string]int
	find := func(key string) int {
		if len(w.pairs)-start > 32 {
			if index == nil {
				index = map[string]int{}
				for i := start; i < len(w.pairs); i += 2 {
					index[w.pairs[i].Value] = i
				}
			}
			if i, ok := index[key]; ok {
				return i
			}
			return -1
		}
		for i := start; i < len(w.pairs); i += 2 {
			if w.pairs[i].Value == key {
				return i
			}
		}
		return -1
	}
	push := func(key, value *yaml.Node) {
		if index != nil {
			index[key.Value] = len(w.pairs)
		}
		w.pairs = append(w.pairs, key, value)
	}
	merges := false
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := follow(n.Content[i]), n.Content[i+1]
		if key.Kind != yaml.ScalarNode {
			return errors.New("a key that is not a name")
		}
		if isMerge(key) {
			merges = true
			continue
		}
		if at := find(key.Value); at >= 0 {
			if len(w.duplicates) < maxProblems {
				w.duplicates = append(w.duplicates, duplicate{key.Value, key.Line})
			}
			w.pairs[at], w.pairs[at+1] = key, value
			continue
		}
		push(key, value)
	}
	if !merges {
		return nil
	}
	var merge func(n *yaml.Node, depth int) error
	merge = func(n *yaml.Node, depth int) error {
		if depth > maxDepth {
			return errDepth
		}
		w.budget--
		if w.budget < 0 {
			return errBudget
		}
		n = follow(n)
		switch n.Kind {
		case yaml.SequenceNode:
			for _, item := range n.Content {
				if err := merge(item, depth+1); err != nil {
					return err
				}
			}
		case yaml.MappingNode:
			// What stands in the mapping wins over what it merges in turn.
			var deeper []*yaml.Node
			for i := 0; i+1 < len(n.Content); i += 2 {
				key := follow(n.Content[i])
				w.budget--
				switch {
				case key.Kind != yaml.ScalarNode:
				case isMerge(key):
					deeper = append(deeper, n.Content[i+1])
				case find(key.Value) < 0:
					push(key, n.Content[i+1])
				}
			}
			for _, d := range deeper {
				if err := merge(d, depth+1); err != nil {
					return err
				}
			}
		}
		return nil
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if key := follow(n.Content[i]); isMerge(key) {
			if err := merge(n.Content[i+1], depth); err != nil {
				return err
			}
		}
	}
	return nil
}

func isMerge(key *yaml.Node) bool {
	return key.Value == "<<" && key.Style&(yaml.DoubleQuotedStyle|yaml.SingleQuotedStyle) == 0
}

// appendScalar writes a scalar as kubectl reads it, which is by YAML 1.1: yes
// and on are true, 0644 is octal.
func appendScalar(b []byte, n *yaml.Node) ([]byte, error) {
	const quoted = yaml.DoubleQuotedStyle | yaml.SingleQuotedStyle | yaml.LiteralStyle | yaml.FoldedStyle
	if n.Style&quoted != 0 || n.Style&yaml.TaggedStyle != 0 && (n.Tag == "!!str" || n.Tag == "!") {
		return appendString(b, n.Value), nil
	}
	return appendPlain(b, n.Value)
}

func appendPlain(b []byte, v string) ([]byte, error) {
	if v == "" {
		return append(b, "null"...), nil
	}
	switch c := v[0]; {
	case c >= '0' && c <= '9' || c == '-' || c == '+' || c == '.':
		return appendNumber(b, v)
	case c == '~' || c == 'n' || c == 'N' || c == 't' || c == 'T' || c == 'f' || c == 'F' || c == 'y' || c == 'Y' || c == 'o' || c == 'O':
		if len(v) > 5 {
			break
		}
		switch v {
		case "~", "null", "Null", "NULL":
			return append(b, "null"...), nil
		case "true", "True", "TRUE", "y", "Y", "yes", "Yes", "YES", "on", "On", "ON":
			return append(b, "true"...), nil
		case "false", "False", "FALSE", "n", "N", "no", "No", "NO", "off", "Off", "OFF":
			return append(b, "false"...), nil
		}
	}
	return appendString(b, v), nil
}

var yamlFloat = regexp.MustCompile(`^[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?$`)

func appendNumber(b []byte, v string) ([]byte, error) {
	digits := true
	for i := range len(v) {
		if v[i] < '0' || v[i] > '9' {
			digits = false
			break
		}
	}
	if digits && len(v) <= 18 && (v[0] != '0' || len(v) == 1) {
		return append(b, v...), nil
	}
	if v[0] == '.' || v[0] == '-' || v[0] == '+' {
		switch strings.ToLower(strings.TrimLeft(v, "+-")) {
		case ".inf", ".nan":
			return b, errFloat
		}
	}
	plain := strings.ReplaceAll(v, "_", "")
	if i, err := strconv.ParseInt(plain, 0, 64); err == nil {
		return strconv.AppendInt(b, i, 10), nil
	}
	if u, err := strconv.ParseUint(plain, 0, 64); err == nil {
		return strconv.AppendUint(b, u, 10), nil
	}
	if yamlFloat.MatchString(plain) {
		f, err := strconv.ParseFloat(plain, 64)
		if err != nil {
			return b, errFloat
		}
		return strconv.AppendFloat(b, f, 'g', -1, 64), nil
	}
	return appendString(b, v), nil
}

// appendString writes a JSON string. The document is known to be UTF-8; what
// escapes within a scalar made of it is mended.
func appendString(b []byte, s string) []byte {
	const hex = "0123456789abcdef"
	b = slices.Grow(b, len(s)+2)
	b = append(b, '"')
	start := 0
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c >= ' ' && c != '"' && c != '\\' {
			continue
		}
		b = append(b, s[start:i]...)
		switch c {
		case '"', '\\':
			b = append(b, '\\', c)
		case '\n':
			b = append(b, '\\', 'n')
		case '\t':
			b = append(b, '\\', 't')
		case '\r':
			b = append(b, '\\', 'r')
		default:
			b = append(b, '\\', 'u', '0', '0', hex[c>>4], hex[c&0xf])
		}
		start = i + 1
	}
	b = append(b, s[start:]...)
	return append(b, '"')
}
