package cloudformation

import (
	"iter"
	"maps"
	"reflect"
	"strings"
	"unicode"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"

	"github.com/eksafe/eksafe/internal/estate"
)

// A shape says how the fields of an estate struct are spelt in a template, so
// that a finding's field leads to the property's line.
type shape struct {
	of reflect.Type
	// paths are the properties of fields by their JSON name that stand
	// elsewhere: those that the struct's tags say, and what a type of several
	// has in its own place.
	paths map[string]string
}

// shapeOf returns the shape of a struct, with paths of its own.
func shapeOf(typ reflect.Type, own map[string]string) shape {
	s := shape{typ, map[string]string{}}
	for f := range fieldsOf(bare(typ)) {
		if path := f.Tag.Get("cfn"); path != "" && path != "-" {
			s.paths[jsonName(f)] = path
		}
	}
	maps.Copy(s.paths, own)
	return s
}

func fieldsOf(typ reflect.Type) iter.Seq[reflect.StructField] {
	return func(yield func(reflect.StructField) bool) {
		for i := range typ.NumField() {
			if !yield(typ.Field(i)) {
				return
			}
		}
	}
}

func jsonName(f reflect.StructField) string {
	name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
	return name
}

// An addition is what a separate resource gives to a field of another one of
// the same file: the lines of its elements, or of the whole field.
type addition struct {
	lines []int
	whole bool
}

// add notes that res adds to a field of the resource with an origin.
func (r *reader) add(to *estate.Origin, fieldName string, res *resource, whole bool) {
	if to.File != res.path {
		return
	}
	if r.extra[to] == nil {
		r.extra[to] = map[string]addition{}
	}
	a := r.extra[to][fieldName]
	a.lines, a.whole = append(a.lines, res.line), whole
	r.extra[to][fieldName] = a
}

// locate writes the positions of a resource that was read.
func (res *resource) locate() {
	if res.origin == nil {
		return
	}
	w := &positions{res: res, extra: res.reader.extra[res.origin]}
	w.top(field(res.node, "Properties"))
	res.origin.Positions = w.Positions()
}

type positions struct {
	estate.PositionWriter
	res   *resource
	extra map[string]addition
}

func (w *positions) key(name string, line int) { w.Key(name, line-w.res.line+1) }

// top writes the properties of the resource, the fields that stand elsewhere,
// and what separate resources add.
func (w *positions) top(n *yaml.Node) {
	type entry struct {
		name  string
		key   *yaml.Node // nil for an addition
		value *yaml.Node
		typ   reflect.Type
	}
	var entries []entry
	index := map[string]int{}
	if n != nil && n.Kind == yaml.MappingNode && !isFunction(n) {
		for i := 0; i+1 < len(n.Content); i += 2 {
			name, typ := spelling(w.res.shape.of, n.Content[i].Value)
			if _, twice := index[name]; twice {
				continue
			}
			index[name] = len(entries)
			entries = append(entries, entry{name, n.Content[i], n.Content[i+1], typ})
		}
	}
	for _, name := range sortedKeys(w.res.shape.paths) {
		if key, val := follow(n, w.res.shape.paths[name]); key != nil {
			if _, twice := index[name]; !twice {
				index[name] = len(entries)
				entries = append(entries, entry{name, key, val, nil})
			}
		}
	}
	for _, name := range sortedKeys(w.extra) {
		if _, twice := index[name]; !twice {
			entries = append(entries, entry{name: name})
		}
	}
	w.Mapping(len(entries))
	for _, e := range entries {
		more := w.extra[e.name]
		switch {
		case e.key == nil && more.whole:
			w.key(e.name, more.lines[len(more.lines)-1])
			w.Scalar()
		case e.key == nil:
			w.key(e.name, more.lines[0])
			w.sequence(nil, nil, more.lines)
		case len(more.lines) > 0 && e.value.Kind == yaml.SequenceNode && !isFunction(e.value):
			w.key(e.name, e.key.Line)
			w.sequence(e.value.Content, e.typ, more.lines)
		default:
			w.key(e.name, e.key.Line)
			w.value(e.value, e.typ)
		}
	}
}

func (w *positions) sequence(items []*yaml.Node, typ reflect.Type, more []int) {
	typ = element(typ)
	w.Sequence(len(items) + len(more))
	for _, item := range items {
		w.Element(item.Line - w.res.line + 1)
		w.value(item, typ)
	}
	for _, line := range more {
		w.Element(line - w.res.line + 1)
		w.Scalar()
	}
}

func (w *positions) value(n *yaml.Node, typ reflect.Type) {
	typ = bare(typ)
	switch {
	case isFunction(n):
		w.Scalar()
	case n.Kind == yaml.SequenceNode:
		w.sequence(n.Content, typ, nil)
	case n.Kind == yaml.MappingNode:
		w.Mapping(len(n.Content) / 2)
		for i := 0; i+1 < len(n.Content); i += 2 {
			name, next := spelling(typ, n.Content[i].Value)
			w.key(name, n.Content[i].Line)
			w.value(n.Content[i+1], next)
		}
	default:
		w.Scalar()
	}
}

// isFunction reports whether a node is an intrinsic function, short or long.
func isFunction(n *yaml.Node) bool {
	if !builtin(n.Tag) {
		return true
	}
	if n.Kind != yaml.MappingNode || len(n.Content) != 2 {
		return false
	}
	name := n.Content[0].Value
	return name == "Ref" || strings.HasPrefix(name, "Fn::")
}

// follow returns the key and value at a dotted path of properties.
func follow(n *yaml.Node, path string) (key, val *yaml.Node) {
	for part := range strings.SplitSeq(path, ".") {
		key = nil
		if n == nil || n.Kind != yaml.MappingNode {
			return nil, nil
		}
		for i := 0; i+1 < len(n.Content); i += 2 {
			if n.Content[i].Value == part {
				key, val = n.Content[i], n.Content[i+1]
			}
		}
		if key == nil {
			return nil, nil
		}
		n = val
	}
	return key, val
}

// spelling returns the JSON name and type of the field that a property is.
// Keys of a map, such as database parameters, are their own names.
func spelling(typ reflect.Type, property string) (string, reflect.Type) {
	typ = bare(typ)
	switch {
	case typ == nil:
	case typ.Kind() == reflect.Map:
		return property, nil
	case typ.Kind() == reflect.Struct:
		if f, ok := typ.FieldByName(property); ok && f.Tag.Get("cfn") == "" && !f.Anonymous {
			return jsonName(f), f.Type
		}
	}
	first, size := utf8.DecodeRuneInString(property)
	return string(unicode.ToLower(first)) + property[size:], nil
}

// bare takes Optional and pointers off a type.
func bare(typ reflect.Type) reflect.Type {
	for typ != nil {
		if typ.Kind() == reflect.Pointer {
			typ = typ.Elem()
			continue
		}
		get, ok := typ.MethodByName("Get")
		if !ok || typ.Kind() != reflect.Struct || get.Type.NumOut() != 2 {
			return typ
		}
		typ = get.Type.Out(0)
	}
	return nil
}

func element(typ reflect.Type) reflect.Type {
	if typ = bare(typ); typ != nil && typ.Kind() == reflect.Slice {
		return bare(typ.Elem())
	}
	return nil
}
