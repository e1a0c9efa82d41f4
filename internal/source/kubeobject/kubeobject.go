// Package kubeobject turns one Kubernetes object in JSON into a resource of
// the estate. It is the only place where values that may hold a secret are
// seen: environment values, arguments, commands, ConfigMap data, Secret data
// and annotations are reduced here to facts, and the values themselves never
// reach the estate, an error, or a log.
//
// It does no I/O, knows the kinds of its table and no others, and does not
// judge what it reads.
package kubeobject

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	kjson "sigs.k8s.io/json"

	"github.com/eksafe/eksafe/internal/estate"
)

// A Flaw is a field of an object that the API server would drop or that
// stands twice.
type Flaw struct {
	Field string // path, as an estate.Origin locates it
	What  string // `unknown field "spec.hostNetwrok"`
}

// A FieldError says which field of an object cannot be decoded. Its text never
// holds a value of the input.
type FieldError struct {
	Field string // empty when the decoder does not know
	What  string
}

// Error returns what is wrong.
func (e *FieldError) Error() string {
	if e.Field == "" {
		return e.What
	}
	return e.Field + ": " + e.What
}

// ErrUnknownKind is returned for an object whose apiVersion and kind are not
// in the table.
var ErrUnknownKind = errors.New("a kind that eksafe does not judge")

// An Object is a decoded and reduced object that is not in an estate yet.
type Object struct {
	Kind     estate.Kind
	add      func(*estate.Estate)
	workload *member
}

// Decode decodes and reduces one object. It is safe for concurrent use. Flaws
// are looked for when strict is true; an object with flaws is still returned.
func Decode(apiVersion, kind string, data []byte, origin estate.Origin, strict bool) (*Object, []Flaw, error) {
	entry, ok := table[typeKey{apiVersion, kind}]
	if !ok {
		return nil, nil, ErrUnknownKind
	}
	in := input{
		resource: &resources[entry], apiVersion: apiVersion, kind: kind,
		data: data, origin: origin, strict: strict,
	}
	obj, err := in.resource.decode(&in)
	if err != nil {
		return nil, nil, err
	}
	obj.Kind = in.resource.Kind
	return obj, in.flaws, nil
}

// A Decoder adds the objects of one source to an estate. The zero value is
// ready to use. It is not safe for concurrent use.
type Decoder struct {
	workloads []*member
}

// Add decodes one object and adds it to e. Workloads appear in e when Finish
// is called.
func (d *Decoder) Add(e *estate.Estate, apiVersion, kind string, data []byte, origin estate.Origin, strict bool) ([]Flaw, error) {
	obj, flaws, err := Decode(apiVersion, kind, data, origin, strict)
	if err != nil {
		return nil, err
	}
	d.Put(e, obj)
	return flaws, nil
}

// Put adds a decoded object to e.
func (d *Decoder) Put(e *estate.Estate, obj *Object) {
	if obj.workload != nil {
		d.workloads = append(d.workloads, obj.workload)
		return
	}
	obj.add(e)
}

// Known returns the estate's kind of a Kubernetes kind, and whether there is
// one.
func Known(apiVersion, kind string) (estate.Kind, bool) {
	entry, ok := table[typeKey{apiVersion, kind}]
	if !ok {
		return "", false
	}
	return resources[entry].Kind, true
}

// input is one object on its way through the decoder of its kind.
type input struct {
	resource   *Resource
	apiVersion string
	kind       string
	data       []byte
	origin     estate.Origin
	strict     bool
	flaws      []Flaw
}

// A breadth says which fields of the API a type has.
type breadth int

const (
	whole         breadth = iota // the API's own type
	specification                // ours, with every field but those of the status
	some                         // ours, with the fields that are judged
)

// unmarshal decodes the object into v. Of a type that lacks fields, only what
// is certainly none of the API's is a flaw.
func (in *input) unmarshal(v any, fields breadth) error {
	if !in.strict {
		return cleanError(kjson.UnmarshalCaseSensitivePreserveInts(in.data, v))
	}
	strictErrors, err := kjson.UnmarshalStrict(in.data, v)
	if err != nil {
		return cleanError(err)
	}
	for _, e := range strictErrors {
		var field kjson.FieldError
		if !errors.As(e, &field) {
			continue
		}
		path := field.FieldPath()
		verb := "unknown field"
		if strings.HasPrefix(e.Error(), "duplicate") {
			verb = "duplicate field"
		} else if fields == some && !misspelt(reflect.TypeOf(v), path) ||
			fields == specification && (path == "status" || strings.HasPrefix(path, "status.")) {
			continue
		}
		in.flaw(path, verb)
	}
	return nil
}

// flaw records a flaw. A path that is not made of plain names is an attempt to
// write into a report, or is simply too long to help.
func (in *input) flaw(path, verb string) {
	if len(in.flaws) >= maxFlaws {
		return
	}
	in.flaws = append(in.flaws, Flaw{Field: path, What: fmt.Sprintf("%s %q", verb, shorten(path))})
}

const maxFlaws = 20

func shorten(s string) string {
	if len(s) > 200 {
		return s[:200] + "…"
	}
	return s
}

// misspelt reports whether the last name of path differs from a field of the
// type t by nothing but case. Of a type that lacks fields, no more can be said.
func misspelt(t reflect.Type, path string) bool {
	name := path[strings.LastIndexByte(path, '.')+1:]
	lower, found := strings.ToLower(name), false
	exact := false
	eachField(t, map[reflect.Type]bool{}, func(field string) {
		exact = exact || field == name
		found = found || strings.ToLower(field) == lower
	})
	return found && !exact
}

// eachField calls yield for the JSON name of every field within t.
func eachField(t reflect.Type, seen map[reflect.Type]bool, yield func(string)) {
	switch t.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Map, reflect.Array:
		eachField(t.Elem(), seen, yield)
	case reflect.Struct:
		if seen[t] {
			return
		}
		seen[t] = true
		for f := range t.Fields() {
			name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			if name != "" && name != "-" {
				yield(name)
			}
			eachField(f.Type, seen, yield)
		}
	}
}

// cleanError returns what err says without any value of the input: the
// messages of decoders quote what they could not read.
func cleanError(err error) error {
	if err == nil {
		return nil
	}
	var typeError *json.UnmarshalTypeError
	if errors.As(err, &typeError) {
		return &FieldError{Field: typeError.Field, What: "wrong type: " + typeName(typeError.Type) + " is expected"}
	}
	if syntax, _ := kjson.SyntaxErrorOffset(err); syntax {
		return &FieldError{What: "not valid JSON"}
	}
	return &FieldError{What: "a field has a value that its type does not accept"}
}

func typeName(t reflect.Type) string {
	if t == nil {
		return "another type"
	}
	switch t.Kind() {
	case reflect.Pointer:
		return typeName(t.Elem())
	case reflect.Bool:
		return "true or false"
	case reflect.String:
		return "a string"
	case reflect.Struct, reflect.Map:
		return "a mapping"
	case reflect.Slice, reflect.Array:
		return "a list"
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return "an integer"
	case reflect.Float32, reflect.Float64:
		return "a number"
	default:
		return "another type"
	}
}

// identify completes the metadata: names are needed, and what kubectl and the
// API server would fill in is filled in.
func (in *input) identify(m *metav1.ObjectMeta) error {
	if in.apiVersion == calicoStore {
		adoptCalicoMeta(m)
	}
	if m.Name == "" {
		m.Name = m.GenerateName
	}
	if m.Name == "" {
		return &FieldError{Field: "metadata.name", What: "missing"}
	}
	switch {
	case !in.resource.Namespaced:
		m.Namespace = ""
	case m.Namespace == "":
		m.Namespace = metav1.NamespaceDefault
	}
	reduceMeta(m)
	return nil
}

// typed is what every Kubernetes type has.
type typed interface{ GetObjectKind() schema.ObjectKind }

func (in *input) stamp(object any) {
	if t, ok := object.(typed); ok {
		t.GetObjectKind().SetGroupVersionKind(schema.FromAPIVersionAndKind(in.apiVersion, in.kind))
	}
}

// official decodes a kind of which the estate holds the API's own type.
func official[T any](c estate.Collection[*estate.Resource[T]], meta func(*T) *metav1.ObjectMeta, reduce func(*T)) func(*input) (*Object, error) {
	return resourceDecoder(c, meta, reduce, whole)
}

// specified decodes a kind of which the estate holds a type of its own that
// has the whole specification.
func specified[T any](c estate.Collection[*estate.Resource[T]], meta func(*T) *metav1.ObjectMeta, reduce func(*T)) func(*input) (*Object, error) {
	return resourceDecoder(c, meta, reduce, specification)
}

// partial decodes a kind of which the estate holds a type of its own, which
// lacks fields that are not judged.
func partial[T any](c estate.Collection[*estate.Resource[T]], meta func(*T) *metav1.ObjectMeta, reduce func(*T)) func(*input) (*Object, error) {
	return resourceDecoder(c, meta, reduce, some)
}

func resourceDecoder[T any](c estate.Collection[*estate.Resource[T]], meta func(*T) *metav1.ObjectMeta, reduce func(*T), fields breadth) func(*input) (*Object, error) {
	return func(in *input) (*Object, error) {
		r := &estate.Resource[T]{Origin: in.origin}
		if err := in.unmarshal(&r.Object, fields); err != nil {
			return nil, err
		}
		in.stamp(&r.Object)
		if err := in.identify(meta(&r.Object)); err != nil {
			return nil, err
		}
		if reduce != nil {
			reduce(&r.Object)
		}
		return &Object{add: func(e *estate.Estate) { c.Add(e, r) }}, nil
	}
}
