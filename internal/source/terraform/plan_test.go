package terraform

import (
	"encoding/json"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/eksafe/eksafe/internal/estate"
)

// A planned resource is written as
//
//	aws_lb.a:
//	  name: web                 # a value
//	  subnets: $aws_subnet.a.id # known after apply, from this expression
//	  arn: $open                # known after apply
//
// and stands in the root module, or after "module.NAME." in a module that the
// root calls. Blocks are lists of mappings, as terraform has them.

// plan writes what `terraform show -json` would print of such resources. With
// modules, calls gives the arguments and outputs of each.
func plan(t testing.TB, resources string, calls map[string]call) []byte {
	t.Helper()
	var doc yaml.Node
	if err := yaml.Unmarshal([]byte(resources), &doc); err != nil {
		t.Fatal(err)
	}
	type module = map[string]any
	values := map[string][]any{}
	configs := map[string][]any{}
	var changes []any
	for i := 0; i+1 < len(doc.Content[0].Content); i += 2 {
		address, body := doc.Content[0].Content[i].Value, doc.Content[0].Content[i+1]
		where, rest := "", address
		if after, ok := strings.CutPrefix(address, "module."); ok {
			name, r := cutStep(after)
			where, rest = "module."+name, r
		}
		typ, name, _ := strings.Cut(rest, ".")
		var index any
		if bare, key, ok := strings.Cut(name, "["); ok {
			name = bare
			if err := json.Unmarshal([]byte(strings.TrimSuffix(key, "]")), &index); err != nil {
				t.Fatal(err)
			}
		}
		value, unknown, expressions := planned(t, body)
		r := module{"address": address, "mode": "managed", "type": typ, "name": name, "provider_name": "registry.terraform.io/hashicorp/aws", "schema_version": 0, "values": value}
		if index != nil {
			r["index"] = index
		}
		values[where] = append(values[where], r)
		bare, _, _ := strings.Cut(where, "[")
		configs[bare] = append(configs[bare], module{"address": typ + "." + name, "mode": "managed", "type": typ, "name": name, "provider_config_key": "aws", "expressions": expressions, "schema_version": 0})
		changes = append(changes, module{"address": address, "mode": "managed", "type": typ, "name": name, "change": module{"actions": []string{"create"}, "before": nil, "after": value, "after_unknown": unknown}})
	}
	root := module{"resources": values[""]}
	config := module{"resources": configs[""]}
	var children []any
	moduleCalls := module{}
	for where := range values {
		if where == "" {
			continue
		}
		children = append(children, module{"address": where, "resources": values[where]})
		bare, _, _ := strings.Cut(where, "[")
		name := strings.TrimPrefix(bare, "module.")
		outputs := module{}
		for output, reference := range calls[name].outputs {
			outputs[output] = module{"expression": references(reference)}
		}
		arguments := module{}
		for argument, reference := range calls[name].arguments {
			arguments[argument] = references(reference)
		}
		moduleCalls[name] = module{"source": "./" + name, "expressions": arguments, "module": module{"resources": configs[bare], "outputs": outputs}}
	}
	if children != nil {
		root["child_modules"] = children
		config["module_calls"] = moduleCalls
	}
	data, err := json.Marshal(module{
		"format_version": "1.2", "terraform_version": "1.13.4",
		"planned_values":   module{"root_module": root},
		"resource_changes": changes,
		"configuration":    module{"root_module": config},
	})
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// A call is how a module is called: references by argument, and what its
// outputs refer to.
type call struct{ arguments, outputs map[string]string }

func references(list string) map[string]any {
	var all []string
	for r := range strings.SplitSeq(list, ",") {
		all = append(all, r)
		// Terraform lists what a reference begins with as well.
		for i := len(r) - 1; i > 0; i-- {
			if r[i] == '.' && strings.Count(r[:i], ".") > 0 {
				all = append(all, r[:i])
			}
		}
	}
	return map[string]any{"references": all}
}

// planned splits a value into what is known, what is not, and the expressions.
func planned(t testing.TB, n *yaml.Node) (value, unknown map[string]any, expressions map[string]any) {
	t.Helper()
	value, unknown, expressions = map[string]any{}, map[string]any{}, map[string]any{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, v := n.Content[i].Value, n.Content[i+1]
		switch {
		case v.Value == "$open":
			unknown[key] = true
		case strings.HasPrefix(v.Value, "$"):
			unknown[key] = true
			expressions[key] = references(v.Value[1:])
		case v.Kind == yaml.SequenceNode && len(v.Content) > 0 && v.Content[0].Kind == yaml.MappingNode:
			var values, unknowns, nested []any
			for _, item := range v.Content {
				a, b, c := planned(t, item)
				values, unknowns, nested = append(values, a), append(unknowns, b), append(nested, c)
			}
			value[key], unknown[key], expressions[key] = values, unknowns, nested
		default:
			var plain any
			if err := v.Decode(&plain); err != nil {
				t.Fatal(err)
			}
			value[key] = plain
			expressions[key] = map[string]any{"constant_value": plain}
		}
	}
	return value, unknown, expressions
}

func read(t testing.TB, data []byte) *estate.Estate {
	t.Helper()
	e, err := Read("plan.json", data, Options{})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// becomes reads resources and compares the one whose address ends in ".R" or
// "[…]" behind it. In want, ID stands for its identity, and TF# for the
// beginning of those of others.
func becomes(t *testing.T, e *estate.Estate, kind estate.Kind, want string) {
	t.Helper()
	k, err := estate.KindOf(kind)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := k.Encode(e)
	if err != nil {
		t.Fatal(err)
	}
	var items []map[string]any
	if err := json.Unmarshal(raw, &items); err != nil {
		t.Fatal(err)
	}
	found := false
	for _, item := range items {
		id := item["aws"].(map[string]any)["arn"].(string)
		if !strings.HasSuffix(id, ".R") {
			continue
		}
		found = true
		delete(item, "aws")
		got, err := json.Marshal(item)
		if err != nil {
			t.Fatal(err)
		}
		want := strings.ReplaceAll(strings.ReplaceAll(want, "ID", id), "TF#", "tf:plan.json#")
		if got, want := decoded(t, string(got)), decoded(t, want); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
	if !found {
		t.Fatalf("no %s: %s", kind, raw)
	}
	for _, k := range estate.Kinds() {
		if data, _ := k.Encode(e); strings.Contains(string(data), "hunter2") {
			t.Errorf("%s holds a secret", k.Kind)
		}
	}
}

func decoded(t *testing.T, s string) string {
	t.Helper()
	var v any
	if err := json.Unmarshal([]byte(s), &v); err != nil {
		t.Fatalf("%v: %s", err, s)
	}
	out, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}
