package manifest

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/eksafe/eksafe/internal/estate"
	"github.com/eksafe/eksafe/internal/source/kubeobject"
	"github.com/eksafe/eksafe/internal/source/reported"
)

// jsonFile reads JSON values that follow each other. What is no JSON may be
// YAML in flow style.
func (r *fileReader) jsonFile(in io.Reader) error {
	data, err := io.ReadAll(io.LimitReader(in, reported.MaxFile+1))
	if err != nil {
		return err
	}
	if len(data) > reported.MaxFile && reported.Begins(data) {
		// Package reported says what its limit is.
		r.out.other = &File{Name: r.name, Content: Findings, Data: data}
		return nil
	}
	if len(data) > maxJSON && len(data) <= reported.MaxFile && r.findings(data) {
		return nil
	}
	if len(data) > maxJSON {
		r.tooLarge(1, maxJSON)
		return nil
	}
	data = bytes.TrimPrefix(data, bom)
	if !utf8.Valid(data) {
		r.out.problem(estate.Problem{File: r.name, Line: 1 + badLine(data), What: "not UTF-8", Remedy: "save the file as UTF-8"})
		return nil
	}
	content, ok := classifyJSON(data)
	if ok && content != Kubernetes && content != Other {
		r.out.other = &File{Name: r.name, Content: content, Data: data}
		return nil
	}
	if content != Kubernetes && r.findings(data) {
		return nil
	}
	d := json.NewDecoder(bytes.NewReader(data))
	line, counted := 1, 0
	for {
		if err := r.ctx.Err(); err != nil {
			return err
		}
		var raw json.RawMessage
		err := d.Decode(&raw)
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return r.notJSON(data, counted == 0, err)
		}
		end := int(d.InputOffset())
		start := end - len(raw)
		line += bytes.Count(data[counted:start], []byte("\n"))
		counted = start
		r.jsonObject(data[start:end], line, "", "", 0)
	}
}

// findings keeps a file of what other tools found, and reports whether it is
// one.
func (r *fileReader) findings(data []byte) bool {
	_, ok := reported.Recognise(data)
	if ok {
		r.out.other = &File{Name: r.name, Content: Findings, Data: data}
	}
	return ok
}

// notJSON handles a file that begins as JSON and is none.
func (r *fileReader) notJSON(data []byte, first bool, err error) error {
	deep := atParserDepth.MatchString(err.Error())
	if first && !deep && len(data) <= maxYAML && !strings.HasSuffix(r.name, ".json") {
		return r.yamlFile(bytes.NewReader(data))
	}
	p := estate.Problem{File: r.name, Line: 1 + bytes.Count(data, []byte("\n")), What: "not valid JSON", Remedy: "mend the file"}
	if syntax, ok := err.(*json.SyntaxError); ok {
		p.Line = 1 + bytes.Count(data[:min(int(syntax.Offset), len(data))], []byte("\n"))
	} else if errors.Is(err, io.ErrUnexpectedEOF) {
		p.What, p.Remedy = "JSON that ends too early", "the file seems truncated; restore the rest of it"
	}
	if deep {
		r.tooDeep(p.Line)
		return nil
	}
	if !r.template(data, 1) {
		r.out.problem(p)
	}
	return nil
}

// jsonObject reads one valid JSON value that begins at a line of the file.
func (r *fileReader) jsonObject(data []byte, line int, apiVersion, kind string, depth int) {
	s := jsonScanner{data: data}
	if s.data[0] != '{' {
		if depth > 0 {
			r.out.problem(estate.Problem{File: r.name, Line: line, What: "an item of a List that is not an object", Remedy: "remove it"})
		}
		return
	}
	var items jsonField
	ownVersion, ownKind := "", ""
	hasSpec, hasMetadata := false, false
	for f := range s.fields() {
		switch f.name {
		case "apiVersion":
			ownVersion = f.text()
		case "kind":
			ownKind = f.text()
		case "items":
			items = f
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
		if apiVersion != "" || kind != "" || hasSpec && hasMetadata {
			r.out.problem(estate.Problem{File: r.name, Line: line, What: "an object without apiVersion or kind", Remedy: "add both; a field name is case-sensitive"})
		}
		return
	}
	if item, ok := listKind(apiVersion, kind); ok && len(items.value) > 0 && items.value[0] == '[' {
		if depth >= maxListDepth {
			r.out.problem(estate.Problem{File: r.name, Line: line, What: "Lists within Lists", Remedy: "flatten them"})
			return
		}
		itemVersion := apiVersion
		if item == "" {
			itemVersion = ""
		}
		list := jsonScanner{data: items.value}
		for e := range list.elements() {
			r.jsonObject(e.value, line+items.valueLine+e.line, itemVersion, item, depth+1)
		}
		return
	}
	if _, known := kubeobject.Known(apiVersion, kind); !known {
		r.out.ignore(apiVersion, kind)
		return
	}
	positions, ok := jsonPositions(data, &r.walker.positions)
	if !ok {
		r.out.problem(estate.Problem{File: r.name, Line: line, What: errDepth.Error(), Remedy: "write it out"})
		return
	}
	origin := estate.Origin{File: r.name, Line: line, Positions: positions}
	r.decode(apiVersion, kind, data, origin, func() bool { return false })
}

// A jsonScanner walks JSON that is known to be valid. Lines are counted from 0
// at the beginning of its data.
type jsonScanner struct {
	data []byte
	pos  int
	line int
}

// A jsonField is one field of an object or element of an array.
type jsonField struct {
	name  string
	value []byte
	line  int // of the name, or of an element's beginning
	// valueLine is the line of the value's first byte.
	valueLine int
}

// text returns a value that is a string, and "" for others.
func (f jsonField) text() string {
	var s string
	if json.Unmarshal(f.value, &s) != nil {
		return ""
	}
	return s
}

func (s *jsonScanner) space() {
	for s.pos < len(s.data) {
		switch s.data[s.pos] {
		case '\n':
			s.line++
		case ' ', '\t', '\r', ',', ':':
		default:
			return
		}
		s.pos++
	}
}

// fields yields the fields of the object at the scanner.
func (s *jsonScanner) fields() func(yield func(jsonField) bool) {
	return func(yield func(jsonField) bool) {
		s.pos++
		for {
			s.space()
			if s.pos >= len(s.data) || s.data[s.pos] == '}' {
				s.pos++
				return
			}
			line := s.line
			name := s.string()
			s.space()
			start, valueLine := s.pos, s.line
			s.skip()
			if !yield(jsonField{name, s.data[start:s.pos], line, valueLine}) {
				return
			}
		}
	}
}

// elements yields the elements of the array at the scanner. The line of an
// element is that of its first byte.
func (s *jsonScanner) elements() func(yield func(jsonField) bool) {
	return func(yield func(jsonField) bool) {
		s.pos++
		for {
			s.space()
			if s.pos >= len(s.data) || s.data[s.pos] == ']' {
				s.pos++
				return
			}
			start, line := s.pos, s.line
			s.skip()
			if !yield(jsonField{"", s.data[start:s.pos], line, line}) {
				return
			}
		}
	}
}

// string reads the string at the scanner.
func (s *jsonScanner) string() string {
	start := s.pos
	s.skipString()
	raw := s.data[start:s.pos]
	if bytes.IndexByte(raw, '\\') < 0 && len(raw) >= 2 {
		return string(raw[1 : len(raw)-1])
	}
	var out string
	if json.Unmarshal(raw, &out) != nil {
		return ""
	}
	return out
}

func (s *jsonScanner) skipString() {
	for s.pos++; s.pos < len(s.data); s.pos++ {
		switch s.data[s.pos] {
		case '\\':
			s.pos++
		case '"':
			s.pos++
			return
		}
	}
}

// skip passes over one value.
func (s *jsonScanner) skip() {
	depth := 0
	for s.pos < len(s.data) {
		switch c := s.data[s.pos]; c {
		case '"':
			s.skipString()
		case '{', '[':
			depth++
			s.pos++
			continue
		case '}', ']':
			if depth == 0 {
				return // the end of what holds a scalar
			}
			depth--
			s.pos++
		case '\n', ' ', '\t', '\r', ',', ':':
			if depth == 0 {
				return
			}
			s.space()
			continue
		default:
			for s.pos < len(s.data) && strings.IndexByte(" \t\r\n,:]}", s.data[s.pos]) < 0 {
				s.pos++
			}
		}
		if depth == 0 {
			return
		}
	}
}

// jsonPositions returns the positions of a valid JSON value, which takes two
// passes, because a count stands before what it counts.
func jsonPositions(data []byte, w *estate.PositionWriter) (estate.Positions, bool) {
	w.Positions()
	count := jsonScanner{data: data}
	counts, ok := count.count(nil, 0)
	if !ok {
		return nil, false
	}
	write := jsonScanner{data: data}
	write.write(w, &counts)
	return w.Positions(), true
}

func (s *jsonScanner) count(counts []int, depth int) ([]int, bool) {
	if depth > maxDepth {
		return nil, false
	}
	s.space()
	if s.pos >= len(s.data) || s.data[s.pos] != '{' && s.data[s.pos] != '[' {
		s.skip()
		return counts, true
	}
	object := s.data[s.pos] == '{'
	at := len(counts)
	counts = append(counts, 0)
	s.pos++
	for {
		s.space()
		if s.pos >= len(s.data) || s.data[s.pos] == '}' || s.data[s.pos] == ']' {
			s.pos++
			return counts, true
		}
		if object {
			s.skipString()
		}
		counts[at]++
		var ok bool
		if counts, ok = s.count(counts, depth+1); !ok {
			return nil, false
		}
	}
}

func (s *jsonScanner) write(w *estate.PositionWriter, counts *[]int) {
	s.space()
	if s.pos >= len(s.data) || s.data[s.pos] != '{' && s.data[s.pos] != '[' {
		s.skip()
		w.Scalar()
		return
	}
	object := s.data[s.pos] == '{'
	n := (*counts)[0]
	*counts = (*counts)[1:]
	if object {
		w.Mapping(n)
	} else {
		w.Sequence(n)
	}
	s.pos++
	for range n {
		s.space()
		line := s.line + 1
		if object {
			w.Key(s.string(), line)
		} else {
			w.Element(line)
		}
		s.write(w, counts)
	}
	s.space()
	s.pos++
}
