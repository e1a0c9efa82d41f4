package config_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"
	"golang.org/x/tools/txtar"

	"github.com/eksafe/eksafe/internal/config"
	"github.com/eksafe/eksafe/internal/finding"
)

var controls = config.Controls{
	IDs:      []string{"alb-waf", "pod-baseline", "pod-restricted", "listener-tls"},
	Formerly: map[string]string{"waf": "alb-waf"},
}

// Each file of mistakes.txtar says in comments which lines are wrong, in the
// words of the error after the file's name. "# schema: accepts" marks what only
// the loader can know.
func TestMistakes(t *testing.T) {
	archive, err := txtar.ParseFile("testdata/mistakes.txtar")
	if err != nil {
		t.Fatal(err)
	}
	schema := configSchema(t)
	for _, f := range archive.Files {
		t.Run(f.Name, func(t *testing.T) {
			text := string(f.Data)
			var want []string
			for line := range strings.Lines(text) {
				if w, ok := strings.CutPrefix(line, "# want "); ok {
					want = append(want, "eksafe.yaml:"+strings.TrimSpace(w))
				}
			}
			c, _, err := config.Parse("eksafe.yaml", f.Data, controls)
			var bad *config.Error
			if !errors.As(err, &bad) || c != nil {
				t.Fatalf("it was accepted: %v, %v", c, err)
			}
			if got := bad.Lines(); !slices.Equal(got, want) {
				t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
			}
			var tree any
			if yaml.Unmarshal(f.Data, &tree) != nil {
				return // no schema reads what is no YAML
			}
			if strings.Contains(text, "# schema: accepts") != (schema.Validate(instance(t, tree)) == nil) {
				t.Errorf("the schema accepts it: %v", schema.Validate(instance(t, tree)) == nil)
			}
		})
	}
}

func TestGoodFiles(t *testing.T) {
	archive, err := txtar.ParseFile("testdata/good.txtar")
	if err != nil {
		t.Fatal(err)
	}
	schema := configSchema(t)
	for _, f := range archive.Files {
		t.Run(f.Name, func(t *testing.T) {
			if _, _, err := config.Parse("eksafe.yaml", f.Data, controls); err != nil {
				t.Error(err)
			}
			var tree any
			if err := yaml.Unmarshal(f.Data, &tree); err != nil {
				t.Fatal(err)
			}
			if err := schema.Validate(instance(t, tree)); err != nil {
				t.Errorf("the schema: %v", err)
			}
		})
	}
}

func TestParseFillsEverything(t *testing.T) {
	archive, err := txtar.ParseFile("testdata/good.txtar")
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(archive.Files, func(f txtar.File) bool { return f.Name == "everything" })
	c, notes, err := config.Parse("eksafe.yaml", archive.Files[i].Data, controls)
	if err != nil {
		t.Fatal(err)
	}
	empty(t, "Config", reflect.ValueOf(*c))
	if len(notes) != 1 || !strings.HasSuffix(notes[0], `: controls[1].id: control "waf" is called "alb-waf" now; write the new name`) {
		t.Errorf("notes %q", notes)
	}
	if o := c.Controls[1]; o.ID != "alb-waf" || *o.Severity != finding.Medium {
		t.Errorf("%+v", o)
	}
	if x := c.Exceptions[0]; x.Expires != "2027-01-31" || x.Line == 0 || !strings.HasPrefix(strings.Split(string(archive.Files[i].Data), "\n")[x.Line-1], "  - control") {
		t.Errorf("%+v", x)
	}
}

// empty demands that no field is left at its zero value: what the file says and
// the loader drops would be a declaration without effect.
func empty(t *testing.T, at string, v reflect.Value) {
	t.Helper()
	switch v.Kind() {
	case reflect.Struct:
		for f, value := range v.Fields() {
			empty(t, at+"."+f.Name, value)
		}
	case reflect.Slice:
		if v.Len() == 0 {
			t.Errorf("%s is empty", at)
			return
		}
		if v.Type().Elem().Kind() == reflect.Struct {
			merged := reflect.New(v.Type().Elem()).Elem()
			for i := range v.Len() {
				for j := range merged.NumField() {
					if !v.Index(i).Field(j).IsZero() {
						merged.Field(j).Set(v.Index(i).Field(j))
					}
				}
			}
			empty(t, at+"[]", merged)
		}
	default:
		if v.IsZero() {
			t.Errorf("%s is empty", at)
		}
	}
}

func configSchema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	s, err := c.Compile("../../docs/reference/config.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// instance is a YAML value as JSON has it: YAML reads a day as a time.
func instance(t *testing.T, tree any) any {
	t.Helper()
	var clean func(any) any
	clean = func(v any) any {
		switch v := v.(type) {
		case time.Time:
			return v.Format(time.DateOnly)
		case map[string]any:
			for k := range v {
				v[k] = clean(v[k])
			}
		case map[any]any:
			out := map[string]any{}
			for k := range v {
				out[fmt.Sprint(k)] = clean(v[k])
			}
			return out
		case []any:
			for i := range v {
				v[i] = clean(v[i])
			}
		}
		return v
	}
	data, err := json.Marshal(clean(tree))
	if err != nil {
		t.Fatal(err)
	}
	out, err := jsonschema.UnmarshalJSON(strings.NewReader(string(data)))
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// The schema and the types know the same keys, and demand the same of them.
func TestSchemaHasTheKeysOfTheTypes(t *testing.T) {
	data, err := os.ReadFile("../../docs/reference/config.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	var root node
	if err := json.Unmarshal(data, &root); err != nil {
		t.Fatal(err)
	}
	sameKeys(t, &root, &root, reflect.TypeFor[config.Config](), "")
}

type node struct {
	Ref         string           `json:"$ref"`
	Type        any              `json:"type"`
	Description string           `json:"description"`
	Properties  map[string]*node `json:"properties"`
	Additional  *bool            `json:"additionalProperties"`
	Required    []string         `json:"required"`
	Items       *node            `json:"items"`
	Defs        map[string]*node `json:"$defs"`
}

func sameKeys(t *testing.T, root, n *node, typ reflect.Type, at string) {
	t.Helper()
	if name, ok := strings.CutPrefix(n.Ref, "#/$defs/"); ok {
		n = root.Defs[name]
	}
	switch typ.Kind() {
	case reflect.Pointer:
		sameKeys(t, root, n, typ.Elem(), at)
	case reflect.Slice:
		if n.Items == nil {
			t.Errorf("%s is a list, not in the schema", at)
			return
		}
		sameKeys(t, root, n.Items, typ.Elem(), at+"[]")
	case reflect.Struct:
		if n.Additional == nil || *n.Additional {
			t.Errorf("%s: the schema takes any key", at)
		}
		var keys, needed []string
		for f := range typ.Fields() {
			key := f.Tag.Get("yaml")
			if key == "-" {
				continue
			}
			keys = append(keys, key)
			if f.Tag.Get("need") != "" {
				needed = append(needed, key)
			}
			p := n.Properties[key]
			if p == nil {
				t.Errorf("%s.%s is not in docs/reference/config.schema.json: add it, with a description", at, key)
				continue
			}
			if p.Description == "" {
				t.Errorf("%s.%s has no description in the schema", at, key)
			}
			sameKeys(t, root, p, f.Type, at+"."+key)
		}
		for key := range n.Properties {
			if !slices.Contains(keys, key) {
				t.Errorf("the schema has %s.%s, the types do not", at, key)
			}
		}
		slices.Sort(needed)
		slices.Sort(n.Required)
		if !slices.Equal(needed, n.Required) {
			t.Errorf("%s: the types need %v, the schema %v", at, needed, n.Required)
		}
	}
}

func TestBombsAndSizes(t *testing.T) {
	bomb := "a: &a [x, x]\nb: &b [*a, *a]\nc: &c [*b, *b]\nregistries: [*c, *c]\n"
	huge := "# " + strings.Repeat("x", config.MaxSize) + "\n"
	deep := "registries: " + strings.Repeat("[", 20_000)
	many := "stages: [" + strings.Repeat("1, ", 5000) + "]\n"
	for name, text := range map[string]string{"bomb": bomb, "huge": huge, "deep": deep, "many": many} {
		_, _, err := config.Parse("eksafe.yaml", []byte(text), controls)
		var bad *config.Error
		if !errors.As(err, &bad) {
			t.Fatalf("%s is accepted: %v", name, err)
		}
		if n := len(bad.Lines()); n > 101 {
			t.Errorf("%s: %d lines", name, n)
		}
	}
}

func TestExpired(t *testing.T) {
	day := func(s string) time.Time {
		at, err := time.Parse(time.RFC3339, s)
		if err != nil {
			t.Fatal(err)
		}
		return at
	}
	for _, c := range []struct {
		at   string
		want bool
	}{
		{"2027-01-30T12:00:00Z", false}, {"2027-01-31T23:59:59Z", false}, {"2027-02-01T00:00:00Z", true},
		{"2027-02-01T00:30:00+02:00", false}, {"2027-01-31T23:30:00-02:00", true},
	} {
		if got := config.Expired("2027-01-31", day(c.at)); got != c.want {
			t.Errorf("at %s expired is %v", c.at, got)
		}
	}
	if !config.Expired("soon", day("2027-01-31T00:00:00Z")) {
		t.Error("what is no day never ends")
	}
}

func TestPattern(t *testing.T) {
	for _, c := range []struct {
		pattern, text string
		want          bool
	}{
		{"prod", "prod", true}, {"prod", "prod2", false}, {"prod", "", false}, {"*", "", true}, {"*", "a/b", true},
		{"deployment/*/web", "deployment/shop/web", true}, {"deployment/*/web", "deployment/web", false},
		{"a*a", "a", false}, {"a*a", "aa", true}, {"*b*b*", "abcb", true}, {"*b*b*", "abc", false},
		{"spec.rules[0]", "spec.rules[0]", true}, {"spec.rules[*", "spec.rules[0].host", true}, {"a.c", "abc", false},
		{"*ab*", "aab", true}, {"x*yz", "xyyz", true},
	} {
		if got := config.Compile(c.pattern).Match(c.text); got != c.want {
			t.Errorf("%q matches %q: %v", c.pattern, c.text, got)
		}
	}
}

// The naive matcher is the oracle: recursion over the two texts.
func FuzzPattern(f *testing.F) {
	f.Add("a*b*", "axxb")
	f.Add("**", "")
	f.Add("*ab*ab", "abab")
	f.Fuzz(func(t *testing.T, pattern, text string) {
		if len(pattern) > 12 || len(text) > 24 {
			return // the oracle takes exponential time
		}
		if got, want := config.Compile(pattern).Match(text), naive(pattern, text); got != want {
			t.Errorf("%q matches %q: %v, want %v", pattern, text, got, want)
		}
	})
}

func naive(pattern, text string) bool {
	if pattern == "" {
		return text == ""
	}
	if pattern[0] == '*' {
		return naive(pattern[1:], text) || text != "" && naive(pattern, text[1:])
	}
	return text != "" && pattern[0] == text[0] && naive(pattern[1:], text[1:])
}

func FuzzParse(f *testing.F) {
	for _, file := range []string{"testdata/good.txtar", "testdata/mistakes.txtar"} {
		archive, err := txtar.ParseFile(file)
		if err != nil {
			f.Fatal(err)
		}
		for _, a := range archive.Files {
			f.Add(a.Data)
		}
	}
	f.Add([]byte("a: &a [*a]\n"))
	f.Add([]byte("? [a]\n: b\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		_, notes, err := config.Parse("eksafe.yaml", data, controls)
		lines := notes
		var bad *config.Error
		if errors.As(err, &bad) {
			lines = bad.Lines()
			if len(lines) == 0 {
				t.Error("an error without a mistake")
			}
		} else if err != nil {
			t.Errorf("an error of another type: %v", err)
		}
		for _, line := range lines {
			if strings.ContainsAny(line, "\n\x1b") || !strings.HasPrefix(line, "eksafe.yaml:") || !strings.Contains(line, "; ") || len(line) > 2000 {
				t.Errorf("a mistake is %q", line)
			}
		}
	})
}
