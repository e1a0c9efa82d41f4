package manifest

import (
	"bytes"
	"strings"

	"github.com/eksafe/eksafe/internal/estate"
	"github.com/eksafe/eksafe/internal/source/kubeobject"
)

// A plainParser reads the little of YAML that nearly every manifest is made
// of, some ten times faster than a parser of all of it: block mappings and
// sequences, scalars and flow collections that stand on one line, and
// comments, in ASCII.
//
// It must never read a document differently than the YAML parser does, or a
// manifest could hide from the audit. So it understands only what has one
// meaning, and refuses everything else: anchors, tags, escapes, block scalars,
// scalars of several lines, keys that stand twice, tabs, and whatever is
// wrong. What it refuses, the YAML parser reads and explains. A fuzz target
// compares the two.
type plainParser struct {
	nodes []plainNode // in the order of the document, each before its parts
	keys  []string    // of the mappings that are being read

	text string // the document
	next int    // where in text the next line begins

	// The current line that is neither empty nor a comment.
	line   int    // its number, from 1
	indent int    // -1 at the end of the document
	rest   string // what follows the indentation, without trailing spaces
}

type plainNode struct {
	kind nodeKind
	line int32
	n    int32 // pairs or elements
	end  int32 // the index after the last of its parts, of mappings and sequences
	text string
}

type nodeKind byte

const (
	plainMapping nodeKind = iota
	plainSequence
	plainScalar
	quotedScalar // and keys
)

const (
	// maxPlainDepth is less than the YAML parser's, which then explains.
	maxPlainDepth = 50
	// maxPlainKeys bounds the search for keys that stand twice.
	maxPlainKeys = 64
	// maxPlainKey is less than the length of a YAML key on one line.
	maxPlainKey = 256
)

// parse reads a document. It returns false for one that it does not
// understand.
func (p *plainParser) parse(doc []byte) bool {
	for _, c := range doc {
		if c != '\n' && (c < ' ' || c > '~') {
			return false
		}
	}
	*p = plainParser{nodes: p.nodes[:0], keys: p.keys[:0], text: string(doc)}
	p.advance()
	if p.indent == 0 && p.rest == "---" {
		p.advance()
	}
	return p.indent == 0 && p.mapping(0, 1) && p.indent < 0
}

// advance goes to the next line with content.
func (p *plainParser) advance() {
	for p.next < len(p.text) {
		line := p.text[p.next:]
		if end := strings.IndexByte(line, '\n'); end >= 0 {
			line = line[:end]
		}
		p.next += len(line) + 1
		p.line++
		p.rest = strings.TrimLeft(line, " ")
		if p.rest == "" || p.rest[0] == '#' {
			continue
		}
		p.indent = len(line) - len(p.rest)
		p.rest = strings.TrimRight(p.rest, " ")
		return
	}
	p.indent, p.rest = -1, ""
}

func (p *plainParser) add(kind nodeKind, text string) int {
	p.nodes = append(p.nodes, plainNode{kind: kind, line: int32(p.line), text: text})
	return len(p.nodes) - 1
}

// close ends a mapping or sequence of n parts.
func (p *plainParser) close(at, n int) {
	p.nodes[at].n, p.nodes[at].end = int32(n), int32(len(p.nodes))
}

// mapping reads the block mapping whose first key begins the current line.
func (p *plainParser) mapping(indent, depth int) bool {
	if depth > maxPlainDepth {
		return false
	}
	at, keys := p.add(plainMapping, ""), len(p.keys)
	for p.indent == indent {
		key, rest, ok := cutKey(p.rest)
		if !ok || !p.key(key, keys) || !p.value(rest, indent, depth, true) {
			return false
		}
	}
	p.close(at, len(p.keys)-keys)
	p.keys = p.keys[:keys]
	return p.indent < indent
}

// key adds a key to the mapping whose keys begin at first.
func (p *plainParser) key(key string, first int) bool {
	if len(p.keys)-first >= maxPlainKeys {
		return false
	}
	for _, k := range p.keys[first:] {
		if k == key {
			return false
		}
	}
	p.keys = append(p.keys, key)
	p.add(quotedScalar, key)
	return true
}

// sequence reads the block sequence whose first item begins the current line.
func (p *plainParser) sequence(indent, depth int) bool {
	if depth > maxPlainDepth {
		return false
	}
	at, n := p.add(plainSequence, ""), 0
	for ; p.indent == indent && isItem(p.rest); n++ {
		rest := p.rest[1:]
		item := strings.TrimLeft(rest, " ")
		if isItem(item) {
			return false
		}
		var ok bool
		if _, _, isKey := cutKey(item); isKey {
			p.indent += len(p.rest) - len(item)
			p.rest = item
			ok = p.mapping(p.indent, depth+1)
		} else {
			ok = p.value(rest, indent, depth, false)
		}
		if !ok {
			return false
		}
	}
	p.close(at, n)
	return p.indent <= indent
}

func isItem(s string) bool { return s == "-" || strings.HasPrefix(s, "- ") }

// value reads what follows a key or a dash, within a collection of an
// indentation, and goes to the line after it. A sequence need not be indented
// further than its key.
func (p *plainParser) value(rest string, indent, depth int, ofKey bool) bool {
	rest = strings.TrimLeft(rest, " ")
	if rest != "" && rest[0] != '#' {
		if !p.inline(rest, depth) {
			return false
		}
		p.advance()
		return p.indent <= indent // else the scalar would go on
	}
	null := plainNode{kind: plainScalar, line: int32(p.line)}
	p.advance()
	switch item := isItem(p.rest); {
	case item && (p.indent > indent || ofKey && p.indent == indent):
		return p.sequence(p.indent, depth+1)
	case p.indent > indent:
		return p.mapping(p.indent, depth+1)
	}
	p.nodes = append(p.nodes, null)
	return true
}

// inline reads a value that stands on one line, and a comment after it.
func (p *plainParser) inline(s string, depth int) bool {
	switch c := s[0]; c {
	case '"', '\'':
		text, rest, ok := cutQuoted(s)
		p.add(quotedScalar, text)
		return ok && isComment(rest)
	case '{', '[':
		rest, ok := p.flow(s, depth+1)
		return ok && isComment(rest)
	case '-':
		if len(s) == 1 || s[1] == ' ' {
			return false
		}
	case '?', ':', ',', ']', '}', '#', '&', '*', '!', '|', '>', '%', '@', '`':
		return false
	}
	if i := strings.Index(s, " #"); i >= 0 {
		s = strings.TrimRight(s[:i], " ")
	}
	if strings.Contains(s, ": ") || s[len(s)-1] == ':' {
		return false
	}
	p.add(plainScalar, s)
	return true
}

// isComment reports whether nothing but a comment follows a value.
func isComment(s string) bool {
	rest := strings.TrimLeft(s, " ")
	return rest == "" || rest[0] == '#' && len(rest) < len(s)
}

// cutKey splits "key: rest".
func cutKey(s string) (key, rest string, ok bool) {
	if s == "" {
		return "", "", false
	}
	if s[0] == '"' || s[0] == '\'' {
		key, rest, ok = cutQuoted(s)
		if !ok {
			return "", "", false
		}
	} else {
		key, rest = cutWord(s)
	}
	if key == "" || len(key) > maxPlainKey || rest == "" || rest[0] != ':' || len(rest) > 1 && rest[1] != ' ' {
		return "", "", false
	}
	return key, rest[1:], true
}

// cutQuoted splits a quoted scalar without escapes from what follows it.
func cutQuoted(s string) (text, rest string, ok bool) {
	text, rest, ok = strings.Cut(s[1:], s[:1])
	if !ok || s[0] == '"' && strings.IndexByte(text, '\\') >= 0 || s[0] == '\'' && strings.HasPrefix(rest, "'") {
		return "", "", false
	}
	return text, rest, true
}

// cutWord splits a plain scalar that is one in every context from what follows
// it: a letter, digit, underscore or slash, then those, dots and dashes.
func cutWord(s string) (word, rest string) {
	i := 0
	for ; i < len(s); i++ {
		c := s[i]
		if !isLetter(c) && (c < '0' || c > '9') && c != '_' && c != '/' && (i == 0 || c != '.' && c != '-') {
			break
		}
	}
	return s[:i], s[i:]
}

// flow reads a flow collection and returns what follows it.
func (p *plainParser) flow(s string, depth int) (rest string, ok bool) {
	if depth > maxPlainDepth {
		return "", false
	}
	mapping := s[0] == '{'
	kind, end := plainSequence, byte(']')
	if mapping {
		kind, end = plainMapping, '}'
	}
	at, keys, n := p.add(kind, ""), len(p.keys), 0
	for rest = strings.TrimLeft(s[1:], " "); ; n++ {
		if rest == "" {
			return "", false
		}
		if n == 0 && rest[0] == end {
			break
		}
		if mapping {
			var key string
			if key, rest, ok = cutKey(rest); !ok || !p.key(key, keys) {
				return "", false
			}
			rest = strings.TrimLeft(rest, " ")
		}
		if rest, ok = p.flowValue(rest, depth); !ok {
			return "", false
		}
		if rest = strings.TrimLeft(rest, " "); rest == "" {
			return "", false
		}
		if rest[0] == end {
			n++
			break
		}
		if rest[0] != ',' {
			return "", false
		}
		rest = strings.TrimLeft(rest[1:], " ")
	}
	p.close(at, n)
	p.keys = p.keys[:keys]
	return rest[1:], true
}

func (p *plainParser) flowValue(s string, depth int) (rest string, ok bool) {
	if s == "" {
		return "", false
	}
	switch s[0] {
	case '{', '[':
		return p.flow(s, depth+1)
	case '"', '\'':
		text, rest, ok := cutQuoted(s)
		p.add(quotedScalar, text)
		return rest, ok
	}
	word, rest := cutWord(s)
	p.add(plainScalar, word)
	return rest, word != ""
}

// field returns the scalar of a field of the root, "" if it has none. It is a
// copy, for what is kept of it would keep the whole document in memory.
func (p *plainParser) field(name string) string {
	for i := 1; i < len(p.nodes); {
		value := p.nodes[i+1]
		if value.kind == plainMapping || value.kind == plainSequence {
			i = int(value.end)
			continue
		}
		if p.nodes[i].text == name {
			return strings.Clone(value.text)
		}
		i += 2
	}
	return ""
}

// append writes node i as JSON, its positions to w, and returns the index of
// the node after it. Lines are counted from that of the root.
func (p *plainParser) append(b []byte, i int, w *estate.PositionWriter) ([]byte, int, error) {
	line := func(i int) int { return int(p.nodes[i].line-p.nodes[0].line) + 1 }
	node := p.nodes[i]
	i++
	var err error
	switch node.kind {
	case plainMapping:
		w.Mapping(int(node.n))
		b = append(b, '{')
		for n := range node.n {
			if n > 0 {
				b = append(b, ',')
			}
			w.Key(p.nodes[i].text, line(i))
			b = append(appendString(b, p.nodes[i].text), ':')
			if b, i, err = p.append(b, i+1, w); err != nil {
				return b, i, err
			}
		}
		return append(b, '}'), i, nil
	case plainSequence:
		w.Sequence(int(node.n))
		b = append(b, '[')
		for n := range node.n {
			if n > 0 {
				b = append(b, ',')
			}
			w.Element(line(i))
			if b, i, err = p.append(b, i, w); err != nil {
				return b, i, err
			}
		}
		return append(b, ']'), i, nil
	case quotedScalar:
		w.Scalar()
		return appendString(b, node.text), i, nil
	default:
		w.Scalar()
		b, err = appendPlain(b, node.text)
		return b, i, err
	}
}

// plainDocument reads a document of one object that is plain. It returns false
// for others, of which it has read nothing.
func (r *fileReader) plainDocument(doc []byte, first int) bool {
	if bytes.Contains(doc, []byte("{{")) || !r.plain.parse(doc) {
		return false
	}
	apiVersion, kind := r.plain.field("apiVersion"), r.plain.field("kind")
	if apiVersion == "" || kind == "" {
		return false
	}
	if _, isList := listKind(apiVersion, kind); isList {
		return false
	}
	if _, known := kubeobject.Known(apiVersion, kind); !known {
		r.out.ignore(apiVersion, kind)
		return true
	}
	var err error
	r.walker.positions.Positions()
	r.json, _, err = r.plain.append(r.json[:0], 0, &r.walker.positions)
	if err != nil {
		return false
	}
	origin := estate.Origin{File: r.name, Line: first + int(r.plain.nodes[0].line) - 1, Positions: r.walker.positions.Positions()}
	r.decode(apiVersion, kind, r.json, origin, func() bool { return false })
	return true
}
