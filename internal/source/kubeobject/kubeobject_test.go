package kubeobject

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/eksafe/eksafe/internal/estate"
)

// everything returns the whole estate as JSON.
func everything(t testing.TB, e *estate.Estate) string {
	t.Helper()
	var b strings.Builder
	for _, k := range estate.Kinds() {
		data, err := k.Encode(e)
		if err != nil {
			t.Fatal(err)
		}
		b.Write(data)
	}
	sources, err := json.Marshal(e.Sources)
	if err != nil {
		t.Fatal(err)
	}
	b.Write(sources)
	return b.String()
}

func decodeOne(t testing.TB, apiVersion, kind, object string) (*estate.Estate, []Flaw) {
	t.Helper()
	var d Decoder
	e := &estate.Estate{}
	flaws, err := d.Add(e, apiVersion, kind, []byte(object), estate.Origin{File: "a.yaml", Line: 1}, true)
	if err != nil {
		t.Fatalf("decoding %s: %v", kind, err)
	}
	d.Finish(e)
	return e, flaws
}

// Every kind of the table can be decoded from metadata alone, and lands in the
// collection that the table names.
func TestEveryKindDecodes(t *testing.T) {
	covered := map[estate.Kind]bool{}
	for _, r := range Resources() {
		covered[r.Kind] = true
		for _, v := range r.APIVersions {
			e, flaws := decodeOne(t, v, r.Object, `{"apiVersion":"`+v+`","kind":"`+r.Object+`","metadata":{"name":"a","namespace":"n"}}`)
			if len(flaws) > 0 {
				t.Errorf("%s %s: flaws %v in bare metadata", v, r.Object, flaws)
			}
			info, err := estate.KindOf(r.Kind)
			if err != nil {
				t.Fatal(err)
			}
			if info.Len(e) != 1 {
				t.Errorf("%s %s: %d of %s, want 1", v, r.Object, info.Len(e), r.Kind)
			}
			data, err := info.Encode(e)
			if err != nil {
				t.Fatal(err)
			}
			if got := strings.Contains(string(data), `"namespace":"n"`); got != r.Namespaced {
				t.Errorf("%s %s: namespace kept is %v, want %v", v, r.Object, got, r.Namespaced)
			}
		}
	}
	for _, k := range estate.Kinds() {
		if k.Provider == estate.KubernetesProvider && !covered[k.Kind] {
			t.Errorf("no Kubernetes kind fills %s", k.Kind)
		}
	}
}
