package report

import (
	"io"
	"reflect"
)

// Documents are the types of the documents whose schemas are generated.
var Documents = map[string]reflect.Type{
	ReachSchemaVersion: reflect.TypeFor[reachDocument](),
	WhoCanVersion:      reflect.TypeFor[whoCanDocument](),
}

// WriteDocument writes a value of one of them.
func WriteDocument(w io.Writer, v reflect.Value) error {
	return writeJSON(w, func(out *jsonWriter) { out.document(v) })
}
