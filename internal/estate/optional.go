package estate

import "encoding/json"

// An Optional is an attribute that a source may not know. The zero value is
// unknown, so an attribute that nobody set is never mistaken for a safe one.
// In JSON, null and absence are unknown.
type Optional[T any] struct {
	value T
	known bool
}

// Known returns the optional that holds v.
func Known[T any](v T) Optional[T] { return Optional[T]{v, true} }

// Get returns the value and whether it is known.
func (o Optional[T]) Get() (T, bool) { return o.value, o.known }

// Or returns the value, or v if it is unknown.
func (o Optional[T]) Or(v T) T {
	if o.known {
		return o.value
	}
	return v
}

// IsZero reports whether the value is unknown; encoding/json's omitzero asks.
func (o Optional[T]) IsZero() bool { return !o.known }

// MarshalJSON writes the value, or null if it is unknown.
func (o Optional[T]) MarshalJSON() ([]byte, error) {
	if !o.known {
		return []byte("null"), nil
	}
	return json.Marshal(o.value)
}

// UnmarshalJSON reads a value; null is unknown.
func (o *Optional[T]) UnmarshalJSON(data []byte) error {
	*o = Optional[T]{}
	if string(data) == "null" {
		return nil
	}
	if err := json.Unmarshal(data, &o.value); err != nil {
		return err
	}
	o.known = true
	return nil
}

// Any returns the value and whether it is known, for code that does not know
// the type.
func (o Optional[T]) Any() (any, bool) { return o.value, o.known }
