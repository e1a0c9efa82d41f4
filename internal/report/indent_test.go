package report

import (
	"bytes"
	"encoding/json"
	"testing"
)

// FuzzAppendIndented holds the indentation against that of encoding/json.
func FuzzAppendIndented(f *testing.F) {
	for _, s := range []string{
		`{}`, `[]`, `""`, `null`, `{"a":[],"b":{},"c":[1,-2.5e3,true,null]}`, `[[[]],{"a":{"b":[{}]}}]`,
		`{"quote\"d":"back\\slash","brackets":"{[,:]}","\\":"\\\""}`, `["é\u2028"]`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var compact, want bytes.Buffer
		if json.Compact(&compact, data) != nil {
			return
		}
		if err := json.Indent(&want, compact.Bytes(), "    ", "  "); err != nil {
			t.Fatal(err)
		}
		if got := appendIndented(nil, compact.Bytes(), "    "); !bytes.Equal(got, want.Bytes()) {
			t.Errorf("%s\nbecomes\n%s\nwant\n%s", compact.Bytes(), got, want.Bytes())
		}
	})
}
