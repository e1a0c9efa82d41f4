package report_test

import (
	"bytes"
	"encoding"
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/eksafe/eksafe/internal/report"
	"github.com/eksafe/eksafe/internal/report/reporttest"
)

// A published is a schema in docs/reference that is made from the type that
// is written: a field of the type with a comment is a property with a
// description, and go test ./internal/report -update adds it.
type published struct {
	file, id, version, title, description string
	// parts are what a document holds one of: a property, and those that come
	// with it.
	parts [][]string
}

var publishedSchemas = []published{
	{
		file: "reach.schema.json", id: "https://eksafe.dev/reach/v1.schema.json", version: report.ReachSchemaVersion, title: "eksafe reach",
		description: "Also eksafe reach diff and eksafe reach suggest.",
		parts:       [][]string{{"groups", "cells"}, {"replies"}, {"expectations"}, {"changes"}, {"suggestion"}},
	},
	{
		file: "who-can.schema.json", id: "https://eksafe.dev/who-can/v1.schema.json", version: report.WhoCanVersion, title: "eksafe who-can",
		description: "Also eksafe who-can reach-admin and eksafe who-can suggest.",
		parts:       [][]string{{"holders", "unread"}, {"principal", "unread"}, {"suggestion"}},
	},
}

const promise = " This schema is exact: it is that of the release it comes with. Later releases of v1 add properties and never change or remove one: readers should ignore what they do not know."

func (p *published) schema(t *testing.T) *node {
	t.Helper()
	g := &generator{t: t, types: map[string]reflect.Type{}}
	root := g.object(report.Documents[p.version])
	root.Schema, root.ID, root.Title = "https://json-schema.org/draft/2020-12/schema", p.id, p.title
	root.Description += " " + p.description + promise
	root.Dependent = map[string][]string{}
	version := root.Properties.get("schemaVersion")
	version.Type, version.Const = nil, p.version
	for _, part := range p.parts {
		root.OneOf = append(root.OneOf, &node{Required: part[:1]})
		if len(part) > 1 {
			root.Dependent[part[0]] = part[1:]
		}
	}
	slices.SortFunc(g.defs.list, func(a, b property) int { return strings.Compare(a.name, b.name) })
	root.Defs = g.defs
	return root
}

func (p *published) compiled(t *testing.T) *jsonschema.Schema {
	t.Helper()
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	s, err := c.Compile("../../docs/reference/" + p.file)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestSchemasAreThoseOfTheTypes(t *testing.T) {
	for _, p := range publishedSchemas {
		var b bytes.Buffer
		enc := json.NewEncoder(&b)
		enc.SetEscapeHTML(false)
		enc.SetIndent("", "  ")
		if err := enc.Encode(p.schema(t)); err != nil {
			t.Fatal(err)
		}
		golden(t, "../../../docs/reference/"+p.file, b.Bytes())
	}
}

// A document with a value in every field is one by its schema, and with one more
// property anywhere it is none.
func TestSchemasTakeEveryFieldAndNoOther(t *testing.T) {
	for _, p := range publishedSchemas {
		schema := p.compiled(t)
		for _, part := range p.parts {
			t.Run(p.version+" "+part[0], func(t *testing.T) {
				doc := filled(t, &p, part)
				if err := schema.Validate(doc); err != nil {
					t.Fatal(err)
				}
				objects := 0
				each(doc, func(object map[string]any) {
					objects++
					object["unheardOf"] = true
					if schema.Validate(doc) == nil {
						t.Errorf("a property that the type lacks is accepted beside %q", slices.Sorted(maps.Keys(object)))
					}
					delete(object, "unheardOf")
				})
				if objects < 3 {
					t.Errorf("%d objects", objects)
				}
				for _, other := range p.parts {
					if name := other[0]; name != part[0] {
						doc[name] = filled(t, &p, other)[name]
						if schema.Validate(doc) == nil {
							t.Errorf("it may also have %s", name)
						}
						delete(doc, name)
					}
				}
			})
		}
	}
}

// filled returns a document with every field that goes with one part.
func filled(t *testing.T, p *published, part []string) map[string]any {
	t.Helper()
	v := reflect.New(report.Documents[p.version]).Elem()
	fill(t, v)
	instance, err := jsonschema.UnmarshalJSON(bytes.NewReader(written(t, func(b *bytes.Buffer) error { return report.WriteDocument(b, v) })))
	if err != nil {
		t.Fatal(err)
	}
	doc, ok := instance.(map[string]any)
	if !ok {
		t.Fatalf("%T is no document", instance)
	}
	doc["schemaVersion"] = p.version
	for _, other := range p.parts {
		for _, name := range other {
			if !slices.Contains(part, name) {
				delete(doc, name)
			}
		}
	}
	return doc
}

// fill gives every field below a value that is not empty.
func fill(t *testing.T, v reflect.Value) {
	t.Helper()
	switch {
	case v.Type() == reflect.TypeFor[time.Time]():
		v.Set(reflect.ValueOf(reporttest.GeneratedAt))
		return
	case v.Type() == reflect.TypeFor[intstr.IntOrString]():
		v.Set(reflect.ValueOf(intstr.FromInt32(1)))
		return
	case v.Kind() == reflect.Int && v.Type().Implements(reflect.TypeFor[encoding.TextMarshaler]()):
		return // the zero value has a name
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString("x")
		if values := sourceComments.constants(t, v.Type()); len(values) > 0 {
			v.SetString(values[0].name)
		}
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int32:
		v.SetInt(1)
	case reflect.Uint8, reflect.Uint16:
		v.SetUint(1)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(t, v.Elem())
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fill(t, v.Index(0))
	case reflect.Map:
		key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
		fill(t, key)
		fill(t, value)
		v.Set(reflect.MakeMap(v.Type()))
		v.SetMapIndex(key, value)
	case reflect.Func:
		element := reflect.New(elementOf(v.Type())).Elem()
		fill(t, element)
		v.Set(reflect.MakeFunc(v.Type(), func(args []reflect.Value) []reflect.Value {
			args[0].Call([]reflect.Value{element})
			return nil
		}))
	case reflect.Struct:
		for _, f := range v.Fields() {
			fill(t, f)
		}
	default:
		t.Fatalf("%s: no value of it is known", v.Type())
	}
}

// elementOf returns what a stream is of.
func elementOf(stream reflect.Type) reflect.Type { return stream.In(0).In(0) }

// each calls visit for every object of an instance.
func each(v any, visit func(map[string]any)) {
	switch v := v.(type) {
	case map[string]any:
		visit(v)
		for _, inner := range v {
			each(inner, visit)
		}
	case []any:
		for _, inner := range v {
			each(inner, visit)
		}
	}
}

// A node is a schema, its keywords in the order in which people read them.
type node struct {
	Schema      string              `json:"$schema,omitempty"`
	ID          string              `json:"$id,omitempty"`
	Title       string              `json:"title,omitempty"`
	Description string              `json:"description,omitempty"`
	Ref         string              `json:"$ref,omitempty"`
	Const       string              `json:"const,omitempty"`
	Type        any                 `json:"type,omitempty"`
	Format      string              `json:"format,omitempty"`
	Enum        []string            `json:"enum,omitempty"`
	Minimum     *int                `json:"minimum,omitempty"`
	Maximum     *int                `json:"maximum,omitempty"`
	Items       *node               `json:"items,omitempty"`
	Required    []string            `json:"required,omitempty"`
	OneOf       []*node             `json:"oneOf,omitempty"`
	Dependent   map[string][]string `json:"dependentRequired,omitempty"`
	Properties  properties          `json:"properties,omitzero"`
	Additional  any                 `json:"additionalProperties,omitempty"` // false, or the schema of all
	Defs        properties          `json:"$defs,omitzero"`
}

type property struct {
	name   string
	schema *node
}

// properties are schemas by name, in order.
type properties struct{ list []property }

func (p properties) get(name string) *node {
	if i := slices.IndexFunc(p.list, func(x property) bool { return x.name == name }); i >= 0 {
		return p.list[i].schema
	}
	return nil
}

// MarshalJSON keeps the order.
func (p properties) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	for i, x := range p.list {
		b.WriteString(map[bool]string{true: "{", false: ","}[i == 0])
		if err := enc.Encode(x.name); err != nil {
			return nil, err
		}
		b.WriteByte(':')
		if err := enc.Encode(x.schema); err != nil {
			return nil, err
		}
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// A generator makes schemas of types as encoding/json writes them.
type generator struct {
	t     *testing.T
	defs  properties
	types map[string]reflect.Type // of the definitions, by their names
}

// of returns the schema of a type: one of its own is a definition.
func (g *generator) of(t reflect.Type, at string) *node {
	g.t.Helper()
	switch {
	case t == reflect.TypeFor[time.Time]():
		return &node{Type: "string", Format: "date-time"}
	case t == reflect.TypeFor[intstr.IntOrString]():
		return &node{Type: []string{"integer", "string"}}
	case t.Kind() == reflect.Struct:
		return g.define(t, func() *node { return g.object(t) })
	case len(sourceComments.constants(g.t, t)) > 0:
		return g.define(t, func() *node { return g.enumeration(t) })
	}
	bounds := func(low, high int) *node { return &node{Type: "integer", Minimum: &low, Maximum: &high} }
	switch t.Kind() {
	case reflect.String:
		return &node{Type: "string"}
	case reflect.Bool:
		return &node{Type: "boolean"}
	case reflect.Int, reflect.Int32:
		return &node{Type: "integer"}
	case reflect.Uint16:
		return bounds(0, 1<<16-1)
	case reflect.Pointer:
		return g.of(t.Elem(), at)
	case reflect.Slice:
		return &node{Type: "array", Items: g.of(t.Elem(), at)}
	case reflect.Func:
		return &node{Type: "array", Items: g.of(elementOf(t), at)}
	case reflect.Map:
		return &node{Type: "object", Additional: g.of(t.Elem(), at)}
	}
	g.t.Fatalf("%s: a schema of %s is not known", at, t)
	return nil
}

// define refers to the definition of a type.
func (g *generator) define(t reflect.Type, schema func() *node) *node {
	g.t.Helper()
	name := strings.TrimSuffix(strings.TrimPrefix(t.Name(), "whoCan"), "Info")
	first, size := utf8.DecodeRuneInString(name)
	if rest := name[size:]; rest != strings.ToUpper(rest) { // IPBlock stays
		if second, _ := utf8.DecodeRuneInString(rest); !unicode.IsUpper(second) {
			name = string(unicode.ToLower(first)) + rest
		}
	}
	switch known := g.types[name]; {
	case known == nil:
		g.types[name] = t
		g.defs.list = append(g.defs.list, property{name, schema()})
	case known != t:
		g.t.Fatalf("two types are called %s: %s and %s", name, known, t)
	}
	return &node{Ref: "#/$defs/" + name}
}

func (g *generator) enumeration(t reflect.Type) *node {
	g.t.Helper()
	n := &node{Description: sourceComments.ofType(g.t, t), Type: "string"}
	for _, c := range sourceComments.constants(g.t, t) {
		n.Enum = append(n.Enum, c.name)
		if c.comment != "" {
			n.Description += " " + c.name + ": " + c.comment
		}
	}
	return n
}

func (g *generator) object(t reflect.Type) *node {
	g.t.Helper()
	n := &node{Description: sourceComments.ofType(g.t, t), Type: "object", Additional: false}
	g.fields(n, t)
	return n
}

func (g *generator) fields(n *node, t reflect.Type) {
	g.t.Helper()
	streams := slices.ContainsFunc(reflect.VisibleFields(t), func(f reflect.StructField) bool { return f.Type.Kind() == reflect.Func })
	for f := range t.Fields() {
		at := t.Name() + "." + f.Name
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case f.Anonymous && name == "":
			embedded := f.Type
			if embedded.Kind() == reflect.Pointer {
				embedded = embedded.Elem()
			}
			g.fields(n, embedded)
			continue
		case !f.IsExported() || name == "-":
			continue
		case name == "":
			g.t.Errorf("%s has no name in JSON", at)
		case n.Properties.get(name) != nil:
			g.t.Errorf("%s: there are two of %s", at, name)
		}
		if streams && options == "omitempty" {
			g.t.Errorf("%s stands beside streams, which are written by who knows omitzero only", at)
		}
		optional := options != ""
		if !optional {
			n.Required = append(n.Required, name)
			if f.Type.Kind() == reflect.Pointer {
				g.t.Errorf("%s may be null: leave it out where there is none", at)
			}
		}
		schema := g.of(f.Type, at)
		if schema.Description = sourceComments.ofField(g.t, t, f.Name, name); schema.Description == "" {
			g.t.Errorf("%s has no comment: write what it means beside it", at)
		}
		n.Properties.list = append(n.Properties.list, property{name, schema})
	}
}
