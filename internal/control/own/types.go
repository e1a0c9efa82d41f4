package own

import (
	"encoding/json"
	"path"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"

	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/eksafe/eksafe/internal/estate"
)

// Expressions see the estate's Go types under their JSON names. The declarations
// are made by reflection when an expression first needs them, so that they
// cannot differ from the model.

// absent are fields that have a type and never their value: sources take away
// what may be a secret. An expression that read one would judge an emptiness
// that the object does not have.
var absent = map[string]string{
	"annotations":      "of annotations only those that eksafe judges enter the estate",
	"managedFields":    "it is dropped, as it may hold a copy of secrets",
	"selfLink":         "it is dropped",
	"command":          "commands never enter the estate, as they may hold secrets; what could be learned from them stands in facts",
	"args":             "arguments never enter the estate, as they may hold secrets; what could be learned from them stands in facts",
	"value":            "the values of variables and headers never enter the estate, as they may be secrets; what could be learned from them stands in facts",
	"data":             "values of Secrets never enter the estate",
	"stringData":       "values of Secrets never enter the estate",
	"mountOptions":     "mount options may be passwords, and only some enter the estate",
	"volumeAttributes": "attributes of volumes may be passwords, and only some enter the estate",
	"conditions":       "it is of the moment, and not kept",
	"origin":           "a control must not know who read the estate",
}

// hidden reports whether the field is absent from that type.
func hidden(t reflect.Type, name string) bool {
	if absent[name] == "" {
		return false
	}
	if t.PkgPath() == reflect.TypeFor[estate.AWS]().PkgPath() {
		return name == "origin"
	}
	switch name {
	case "value": // a toleration, a taint and a label selector have one too
		return strings.HasPrefix(t.Name(), "EnvVar") || strings.HasPrefix(t.Name(), "HTTPHeader")
	case "data":
		return t.Name() == "Secret"
	}
	return true
}

// A structType is a struct as expressions see it.
type structType struct {
	name   string
	fields map[string]field
	names  []string
}

type field struct {
	index []int
	typ   reflect.Type
}

// declarations holds the types that were declared so far.
type declarations struct {
	types.Provider
	mu    sync.Mutex // guards names and types
	names map[string]*structType
	types map[reflect.Type]*structType
}

var (
	marshalerType = reflect.TypeFor[json.Marshaler]()
	timeTypes     = []reflect.Type{reflect.TypeFor[time.Time](), reflect.TypeFor[metav1.Time](), reflect.TypeFor[metav1.MicroTime]()}
	lengthTypes   = []reflect.Type{reflect.TypeFor[time.Duration](), reflect.TypeFor[metav1.Duration]()}
	quantityType  = reflect.TypeFor[resource.Quantity]()
)

// optional is an estate.Optional of any type.
type optional interface{ Any() (any, bool) }

var optionalType = reflect.TypeFor[optional]()

// of returns the type as expressions see it.
func (d *declarations) of(t reflect.Type) *types.Type {
	switch {
	case t.Kind() == reflect.Pointer:
		return d.of(t.Elem())
	case t.Implements(optionalType):
		f, _ := t.FieldByName("value")
		return d.of(f.Type)
	case slices.Contains(timeTypes, t):
		return types.TimestampType
	case slices.Contains(lengthTypes, t):
		return types.DurationType
	case t == quantityType:
		return types.StringType
	case marshals(t):
		return types.DynType
	}
	switch t.Kind() {
	case reflect.Bool:
		return types.BoolType
	case reflect.String:
		return types.StringType
	case reflect.Float32, reflect.Float64:
		return types.DoubleType
	case reflect.Slice, reflect.Array:
		if t.Elem().Kind() == reflect.Uint8 {
			return types.BytesType
		}
		return types.NewListType(d.of(t.Elem()))
	case reflect.Map:
		return types.NewMapType(types.StringType, d.of(t.Elem()))
	case reflect.Struct:
		return types.NewObjectType(d.declare(t).name)
	case reflect.Interface:
		return types.DynType
	}
	return types.IntType
}

// marshals reports whether the type writes its JSON itself, so that its fields
// are not those of the JSON.
func marshals(t reflect.Type) bool {
	return t.Implements(marshalerType) || reflect.PointerTo(t).Implements(marshalerType)
}

func (d *declarations) declare(t reflect.Type) *structType {
	d.mu.Lock()
	defer d.mu.Unlock()
	if s := d.types[t]; s != nil {
		return s
	}
	folder, name := path.Split(t.PkgPath())
	s := &structType{name: path.Base(folder) + "." + name + "." + t.Name(), fields: map[string]field{}}
	s.name = strings.ReplaceAll(s.name, "-", "_")
	for d.names[s.name] != nil || strings.HasSuffix(s.name, ".") { // of two packages with one name, and without a name
		s.name += "_"
	}
	d.types[t], d.names[s.name] = s, s
	s.add(t, nil)
	slices.Sort(s.names)
	return s
}

// add adds the fields of t, which stands embedded at index.
func (s *structType) add(t reflect.Type, index []int) {
	for f := range t.Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		at := append(slices.Clone(index), f.Index...)
		switch {
		case f.Type == reflect.TypeFor[metav1.TypeMeta](): // the kind is the control's; objects of a list have none
		case f.Anonymous && name == "" && f.Type.Kind() == reflect.Struct:
			s.add(f.Type, at)
		case name == "" || name == "-" || !f.IsExported() || hidden(t, name):
		default:
			s.fields[name] = field{at, f.Type}
			s.names = append(s.names, name)
		}
	}
}

// FindStructType returns the type of that name.
func (d *declarations) FindStructType(name string) (*types.Type, bool) {
	if s := d.named(name); s != nil {
		return types.NewTypeTypeWithParam(types.NewObjectType(name)), true
	}
	return d.Provider.FindStructType(name)
}

// FindStructFieldNames returns the fields of the type of that name.
func (d *declarations) FindStructFieldNames(name string) ([]string, bool) {
	if s := d.named(name); s != nil {
		return s.names, true
	}
	return d.Provider.FindStructFieldNames(name)
}

// FindStructFieldType returns the type of a field. It can get no value: objects
// do, as one that is not known must be neither set nor unset.
func (d *declarations) FindStructFieldType(name, fieldName string) (*types.FieldType, bool) {
	s := d.named(name)
	if s == nil {
		return d.Provider.FindStructFieldType(name, fieldName)
	}
	f, ok := s.fields[fieldName]
	if !ok {
		return nil, false
	}
	return &types.FieldType{Type: d.of(f.typ)}, true
}

// NewValue makes no objects of the estate.
func (d *declarations) NewValue(name string, fields map[string]ref.Val) ref.Val {
	if d.named(name) != nil {
		return types.NewErr("an expression makes no %s", name)
	}
	return d.Provider.NewValue(name, fields)
}

func (d *declarations) named(name string) *structType {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.names[name]
}
