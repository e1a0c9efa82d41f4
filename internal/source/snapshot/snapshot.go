// Package snapshot saves an estate to one file and reads it back, so that
// every analysis can run later, elsewhere, and offline, with the result it
// would have had at the time.
//
// A snapshot is one Zstandard frame of JSON whose first field is the version
// of its schema. Reading is strict: another version, a kind or field that is
// not known, anything after the end, and more than a bounded amount of data
// are errors. What the estate leaves out, values of secrets first of all, is
// in no snapshot.
package snapshot

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/klauspost/compress/zstd"
	kjson "sigs.k8s.io/json"

	"github.com/eksafe/eksafe/internal/estate"
)

// Version is the schema that Write writes and Read reads. Fields may be added
// to a schema; what changes or takes away fields is a new one.
const Version = "eksafe.dev/snapshot/v1"

// Extension is what the name of a snapshot should end with.
const Extension = ".eksafe"

// Limits on what a file may unpack to: the ratio stops a small file that is
// all one letter, the size what memory cannot hold.
const (
	maxSize  = 2 << 30
	maxRatio = 1000
	minLimit = 64 << 20 // the ratio does not count below this size
)

var magic = []byte{0x28, 0xb5, 0x2f, 0xfd} // of a Zstandard frame

// Meta says how a snapshot came about.
type Meta struct {
	Taken time.Time
	Tool  string // name and version of the writer
}

// Is reports whether data begins as a snapshot does.
func Is(data []byte) bool { return bytes.HasPrefix(data, magic) }

// A document is the file. Resources are by kind, in the order of estate.Kinds.
type document struct {
	SchemaVersion string                     `json:"schemaVersion"`
	Taken         time.Time                  `json:"taken,omitzero"`
	Tool          string                     `json:"tool,omitempty"`
	Sources       []estate.Source            `json:"sources"`
	Resources     map[string]json.RawMessage `json:"resources"`
}

// Write saves e. The same estate and meta give the same bytes.
func Write(w io.Writer, e *estate.Estate, m Meta) error {
	z, err := zstd.NewWriter(w, zstd.WithEncoderConcurrency(1))
	if err != nil {
		return fmt.Errorf("writing a snapshot: %w", err)
	}
	if err := encode(z, e, m); err != nil {
		return fmt.Errorf("writing a snapshot: %w", err)
	}
	if err := z.Close(); err != nil {
		return fmt.Errorf("writing a snapshot: %w", err)
	}
	return nil
}

// encode writes kind by kind: the whole JSON is never in memory.
func encode(w io.Writer, e *estate.Estate, m Meta) error {
	d := document{SchemaVersion: Version, Taken: m.Taken.UTC(), Tool: m.Tool, Sources: e.Sources}
	if d.Sources == nil {
		d.Sources = []estate.Source{}
	}
	head, err := json.Marshal(d)
	if err != nil {
		return err
	}
	// The resources, null so far, stand last.
	head, ok := bytes.CutSuffix(head, []byte("null}"))
	if !ok {
		panic("snapshot: resources are not the last field")
	}
	if _, err := w.Write(append(head, '{')); err != nil {
		return err
	}
	separator := ""
	for _, k := range estate.Kinds() {
		if k.Len(e) == 0 {
			continue
		}
		items, err := k.Encode(e)
		if err != nil {
			return fmt.Errorf("encoding %s: %w", k.Kind, err)
		}
		if _, err := fmt.Fprintf(w, "%s%q:", separator, k.Kind); err != nil {
			return err
		}
		if _, err := w.Write(items); err != nil {
			return err
		}
		separator = ","
	}
	_, err = io.WriteString(w, "}}\n")
	return err
}

// Read returns the estate that was saved, with the sources that it was read
// from. Its errors are one line and begin with the name of the file.
func Read(name string, data []byte) (*estate.Estate, error) {
	e, err := read(data)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", name, err)
	}
	return e, nil
}

var errDamaged = errors.New("the snapshot is damaged; take it again")

func read(data []byte) (*estate.Estate, error) {
	plain := data
	switch {
	case Is(data):
		var err error
		if plain, err = unpack(data); err != nil {
			return nil, err
		}
	case !bytes.HasPrefix(bytes.TrimLeft(data, " \t\r\n"), []byte("{")):
		return nil, errors.New("no snapshot; `eksafe snapshot --out FILE` makes one")
	}
	if err := checkVersion(plain); err != nil {
		return nil, err
	}
	var d document
	if err := strict(plain, &d); err != nil {
		return nil, err
	}
	e := &estate.Estate{}
	for _, s := range d.Sources {
		for _, c := range s.Coverage {
			if !slices.Contains([]estate.State{estate.NotAsked, estate.Read, estate.Denied, estate.Unavailable}, c.State) {
				return nil, errors.New("a source has a state of coverage that this version does not know; use the eksafe that took the snapshot")
			}
		}
	}
	for _, k := range estate.Kinds() {
		raw, ok := d.Resources[string(k.Kind)]
		if !ok {
			continue
		}
		delete(d.Resources, string(k.Kind))
		if err := decode(e, k, raw); err != nil {
			return nil, err
		}
	}
	if len(d.Resources) > 0 {
		first := slices.Sorted(maps.Keys(d.Resources))[0]
		return nil, fmt.Errorf("kind %s is not known; use the eksafe that took the snapshot", short(first))
	}
	e.Sources = d.Sources
	return e, nil
}

// unpack decompresses at most what the limits allow.
func unpack(data []byte) ([]byte, error) {
	limit := min(maxSize, max(minLimit, maxRatio*int64(len(data))))
	z, err := zstd.NewReader(bytes.NewReader(data),
		zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(maxSize), zstd.WithDecoderMaxWindow(64<<20))
	if err != nil {
		return nil, errDamaged
	}
	defer z.Close()
	plain, err := io.ReadAll(io.LimitReader(z, limit+1))
	if err != nil {
		return nil, errDamaged
	}
	if int64(len(plain)) > limit {
		return nil, fmt.Errorf("the snapshot unpacks to more than %d MB: it is no honest one", limit>>20)
	}
	return plain, nil
}

// checkVersion looks at the first field before anything else is decoded, so
// that a snapshot of another version says just that.
func checkVersion(plain []byte) error {
	dec := json.NewDecoder(bytes.NewReader(plain))
	for _, want := range []json.Token{json.Delim('{'), "schemaVersion"} {
		if t, err := dec.Token(); err != nil || t != want {
			return errors.New("no snapshot: its first field is not schemaVersion")
		}
	}
	t, err := dec.Token()
	if err != nil {
		return errDamaged
	}
	if version, ok := t.(string); !ok || version != Version {
		return fmt.Errorf("its schema is %s, this version reads %s; use the eksafe that took the snapshot", short(version), Version)
	}
	return nil
}

// decode adds the resources of one kind.
func decode(e *estate.Estate, k estate.KindInfo, raw json.RawMessage) error {
	if err := k.Decode(e, func(into any) error { return strict(raw, into) }); err != nil {
		return fmt.Errorf("%s: %w", k.Kind, err)
	}
	if bytes.Contains(raw, []byte("null")) && hasNull(raw) {
		return fmt.Errorf("%s: a resource is null; take the snapshot again", k.Kind)
	}
	// Values that decode themselves are not strict. What such a value dropped
	// is missing when the resources are encoded again.
	again, err := k.Encode(e)
	if err != nil {
		return fmt.Errorf("%s: %w", k.Kind, errDamaged)
	}
	if bytes.Equal(again, raw) {
		return nil
	}
	var was, is any
	if json.Unmarshal(raw, &was) != nil || json.Unmarshal(again, &is) != nil {
		return fmt.Errorf("%s: %w", k.Kind, errDamaged)
	}
	if field := dropped(was, is); field != "" {
		return fmt.Errorf("%s: field %s is not known; use the eksafe that took the snapshot", k.Kind, short(field))
	}
	return nil
}

// hasNull reports whether an element of a list is null: a resource that is
// none, and would be a nil pointer.
func hasNull(raw json.RawMessage) bool {
	var items []json.RawMessage
	return json.Unmarshal(raw, &items) == nil &&
		slices.ContainsFunc(items, func(item json.RawMessage) bool { return string(bytes.TrimSpace(item)) == "null" })
}

// dropped returns the name of a field that was stated and is gone.
func dropped(was, is any) string {
	switch was := was.(type) {
	case map[string]any:
		now, _ := is.(map[string]any)
		for _, key := range slices.Sorted(maps.Keys(was)) {
			after, ok := now[key]
			if !ok && !empty(was[key]) {
				return key
			}
			if field := dropped(was[key], after); ok && field != "" {
				return field
			}
		}
	case []any:
		now, _ := is.([]any)
		for i := range min(len(was), len(now)) {
			if field := dropped(was[i], now[i]); field != "" {
				return field
			}
		}
	}
	return ""
}

// empty reports whether a value is one that encoders leave out.
func empty(v any) bool {
	switch v := v.(type) {
	case nil:
		return true
	case bool:
		return !v
	case float64:
		return v == 0
	case string:
		return v == ""
	case []any:
		return len(v) == 0
	case map[string]any:
		for _, item := range v {
			if !empty(item) {
				return false
			}
		}
		return true
	}
	return false
}

// strict decodes JSON and refuses unknown and repeated fields and whatever
// comes after the value.
func strict(data []byte, into any) error {
	unknown, err := kjson.UnmarshalStrict(data, into)
	if err != nil {
		// A decoder's words may quote the file.
		if bad := (*json.UnmarshalTypeError)(nil); errors.As(err, &bad) {
			return fmt.Errorf("field %s has a value of the wrong type; take the snapshot again", short(bad.Field))
		}
		return errDamaged
	}
	if len(unknown) > 0 {
		var field kjson.FieldError
		name := "?"
		if errors.As(unknown[0], &field) {
			name = field.FieldPath()
		}
		return fmt.Errorf("field %s is not known, or stands twice; use the eksafe that took the snapshot", short(name))
	}
	return nil
}

// short makes text of a file fit for a message.
func short(s string) string {
	if len(s) > 80 {
		s = s[:80] + "…"
	}
	return strings.ToValidUTF8(fmt.Sprintf("%q", s), "�")
}
