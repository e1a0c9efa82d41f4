package own

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"time"

	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// An unknown is the error of an attribute that no source knows. Errors have the
// three-valued logic that unknown needs: false && unknown is false, true ||
// unknown is true, a list in which all must hold fails by one that does not,
// and whatever else touches it is unknown itself.
type unknown struct{ path string }

func (e *unknown) Error() string { return e.path + " is not known" }

// An unset is the error of an object that is not there.
type unset struct{ path string }

func (e *unset) Error() string {
	return e.path + " is not set; ask first, with has(" + e.path + ")"
}

// An evaluation is one run of an expression.
type evaluation struct {
	types *declarations
	// blind is the first attribute that two objects could not be compared by. A
	// list's "in" drops the error of a comparison, and what it then says is worth
	// nothing.
	blind error
}

// value returns v as an expression sees it.
func (ev *evaluation) value(v reflect.Value, path string) ref.Val {
	if v.Kind() == reflect.Pointer || v.Kind() == reflect.Interface {
		if v.IsNil() {
			return types.WrapErr(&unset{path})
		}
		return ev.value(v.Elem(), path)
	}
	if v.Type().Implements(optionalType) {
		inner, known := v.Interface().(optional).Any()
		if !known {
			return types.WrapErr(&unknown{path})
		}
		return ev.value(reflect.ValueOf(inner), path)
	}
	switch at := v.Interface().(type) {
	case time.Time:
		return moment(at, path)
	case metav1.Time:
		return moment(at.Time, path)
	case metav1.MicroTime:
		return moment(at.Time, path)
	case time.Duration:
		return types.Duration{Duration: at}
	case metav1.Duration:
		return types.Duration{Duration: at.Duration}
	case resource.Quantity:
		return types.String(at.String())
	}
	if marshals(v.Type()) {
		return ev.json(v, path)
	}
	switch v.Kind() {
	case reflect.Bool:
		return types.Bool(v.Bool())
	case reflect.String:
		return types.String(v.String())
	case reflect.Float32, reflect.Float64:
		return types.Double(v.Float())
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return types.Int(v.Int())
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return types.Int(int64(min(v.Uint(), 1<<62)))
	case reflect.Slice, reflect.Array:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			return types.Bytes(v.Bytes())
		}
		items := make([]ref.Val, v.Len())
		for i := range items {
			items[i] = ev.value(v.Index(i), path+"["+strconv.Itoa(i)+"]")
			if types.IsError(items[i]) {
				return items[i]
			}
		}
		return types.NewRefValList(types.DefaultTypeAdapter, items)
	case reflect.Map:
		items := make(map[ref.Val]ref.Val, v.Len())
		for key, item := range v.Seq2() {
			x := ev.value(item, path+"["+key.String()+"]")
			if types.IsError(x) {
				return x
			}
			items[types.String(key.String())] = x
		}
		return types.NewRefValMap(types.DefaultTypeAdapter, items)
	case reflect.Struct:
		return &object{ev, ev.types.declare(v.Type()), v, path}
	}
	return types.NewErr("%s has no form in an expression", path)
}

func moment(t time.Time, path string) ref.Val {
	if t.IsZero() {
		return types.WrapErr(&unset{path})
	}
	return types.Timestamp{Time: t}
}

// json returns a value that writes its JSON itself as maps and lists.
func (ev *evaluation) json(v reflect.Value, path string) ref.Val {
	at := v.Interface()
	if v.CanAddr() {
		at = v.Addr().Interface()
	}
	data, err := json.Marshal(at)
	if err != nil {
		return types.NewErr("%s has no form in an expression", path)
	}
	var tree any
	if err := json.Unmarshal(data, &tree); err != nil {
		return types.NewErr("%s has no form in an expression", path)
	}
	if tree == nil {
		return types.NullValue
	}
	return types.DefaultTypeAdapter.NativeToValue(tree)
}

// An object is a struct of the estate. Its fields are made when they are asked
// for.
type object struct {
	ev   *evaluation
	typ  *structType
	v    reflect.Value
	path string
}

func (o *object) field(name ref.Val) (reflect.Value, string, ref.Val) {
	s, ok := name.(types.String)
	if !ok {
		return reflect.Value{}, "", types.MaybeNoSuchOverloadErr(name)
	}
	f, ok := o.typ.fields[string(s)]
	if !ok {
		return reflect.Value{}, "", types.NewErr("no field %s%s", s, because(string(s)))
	}
	v, err := o.v.FieldByIndexErr(f.index)
	path := o.path + "." + string(s)
	if err != nil {
		return reflect.Value{}, "", types.WrapErr(&unset{path})
	}
	return v, path, nil
}

// Get returns a field's value.
func (o *object) Get(name ref.Val) ref.Val {
	v, path, err := o.field(name)
	if err != nil {
		return err
	}
	return o.ev.value(v, path)
}

// IsSet tells whether a field is set: of one that is not known neither.
func (o *object) IsSet(name ref.Val) ref.Val {
	v, path, err := o.field(name)
	if err != nil {
		return err
	}
	if x, ok := v.Interface().(optional); ok {
		if _, known := x.Any(); !known {
			return types.WrapErr(&unknown{path})
		}
		return types.True
	}
	return types.Bool(!v.IsZero())
}

// Equal compares what the objects hold.
func (o *object) Equal(other ref.Val) ref.Val {
	p, ok := other.(*object)
	if !ok || p.typ != o.typ {
		return types.False
	}
	for _, name := range o.typ.names {
		a, b := o.Get(types.String(name)), p.Get(types.String(name))
		if types.IsError(a) || types.IsError(b) {
			var not *unset
			if aErr, _ := a.(*types.Err); aErr != nil && !errors.As(aErr, &not) {
				o.ev.blind = aErr
				return a
			}
			if bErr, _ := b.(*types.Err); bErr != nil && !errors.As(bErr, &not) {
				o.ev.blind = bErr
				return b
			}
			if types.IsError(a) != types.IsError(b) {
				return types.False
			}
			continue
		}
		if eq := a.Equal(b); eq != types.True {
			return eq
		}
	}
	return types.True
}

// ConvertToNative makes nothing else of an object.
func (o *object) ConvertToNative(to reflect.Type) (any, error) {
	return nil, fmt.Errorf("%s is no %v", o.typ.name, to)
}

// ConvertToType makes nothing else of an object.
func (o *object) ConvertToType(to ref.Type) ref.Val {
	if to == types.TypeType {
		return types.NewObjectType(o.typ.name)
	}
	return types.NewErr("%s is no %s", o.typ.name, to.TypeName())
}

// Type returns the declared type.
func (o *object) Type() ref.Type { return types.NewObjectType(o.typ.name) }

// Value returns the object itself.
func (o *object) Value() any { return o }

func because(field string) string {
	if why := absent[field]; why != "" {
		return ": " + why
	}
	return ""
}
