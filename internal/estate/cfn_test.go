package estate_test

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// A name in this model that AWS does not use sends users to a property that is
// none. So the names are held against the resource schemas that cfn-lint
// brings along.
func TestFieldsAreCloudFormationProperties(t *testing.T) {
	structs := awsStructs(t)
	types := map[string][]string{} // struct → CloudFormation types
	var all []string
	for name, s := range structs {
		if found := typesOf(s.doc); len(found) > 0 {
			types[name] = found
			all = append(all, found...)
		}
	}
	if len(types) < 30 {
		t.Fatalf("only %d structs name their CloudFormation type", len(types))
	}
	slices.Sort(all)
	schemas := cfnSchemas(t, slices.Compact(all))
	found := map[string]bool{} // fields; one that several structs share must be a property of one
	for _, name := range slices.Sorted(maps.Keys(types)) {
		c := checker{t: t, structs: structs, found: found}
		for _, typ := range types[name] {
			schema, ok := schemas[typ]
			if !ok {
				t.Errorf("%s: CloudFormation has no type %s", name, typ)
				continue
			}
			c.roots = append(c.roots, schema)
		}
		c.check(name, c.roots)
	}
	for _, field := range slices.Sorted(maps.Keys(found)) {
		if !found[field] {
			t.Errorf("%s is no property of CloudFormation", field)
		}
	}
}

// typeName is the type that a struct's comment begins with, and the
// alternatives to it. Types after "with" are folded into the struct.
var typeName = regexp.MustCompile(`AWS::\w+::\w+`)

func typesOf(doc string) []string {
	sentence, _, _ := strings.Cut(strings.Join(strings.Fields(doc), " "), ". ")
	_, is, ok := strings.Cut(sentence, " is ")
	if !ok || !strings.HasPrefix(is, "AWS::") {
		return nil
	}
	is, _, _ = strings.Cut(is, " with ")
	return typeName.FindAllString(is, -1)
}

type awsStruct struct {
	doc    string
	fields []awsField
}

type awsField struct {
	name, cfn, typ string // typ is the innermost struct or basic type
}

// awsStructs parses the model: comments are not to be had by reflection.
func awsStructs(t *testing.T) map[string]awsStruct {
	t.Helper()
	names, err := filepath.Glob("aws*.go")
	if err != nil {
		t.Fatal(err)
	}
	var decls []ast.Decl
	for _, name := range names {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		decls = append(decls, file.Decls...)
	}
	out := map[string]awsStruct{}
	for _, d := range decls {
		gen, ok := d.(*ast.GenDecl)
		if !ok || gen.Tok != token.TYPE {
			continue
		}
		spec := gen.Specs[0].(*ast.TypeSpec)
		typ, ok := spec.Type.(*ast.StructType)
		if !ok {
			continue
		}
		s := awsStruct{doc: gen.Doc.Text()}
		for _, f := range typ.Fields.List {
			tag := ""
			if f.Tag != nil {
				raw, err := strconv.Unquote(f.Tag.Value)
				if err != nil {
					t.Fatal(err)
				}
				tag = reflect.StructTag(raw).Get("cfn")
			}
			if len(f.Names) == 0 && tag != "-" {
				t.Errorf("%s embeds a struct that is no property", spec.Name.Name)
			}
			for _, n := range f.Names {
				if n.IsExported() {
					s.fields = append(s.fields, awsField{n.Name, tag, innermost(f.Type)})
				}
			}
		}
		out[spec.Name.Name] = s
	}
	return out
}

func innermost(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.StarExpr:
		return innermost(e.X)
	case *ast.ArrayType:
		return innermost(e.Elt)
	case *ast.IndexExpr: // Optional[T]
		return innermost(e.Index)
	case *ast.Ident:
		return e.Name
	}
	return ""
}

type schema = map[string]any

// cfnSchemas returns cfn-lint's schemas of the types that it knows.
func cfnSchemas(t *testing.T, types []string) map[string]schema {
	t.Helper()
	const script = `
import json, sys
from cfnlint.schema.manager import PROVIDER_SCHEMA_MANAGER as manager
out = {}
for name in sys.argv[1:]:
    try:
        out[name] = manager.get_resource_schema("us-east-1", name).schema
    except Exception:
        pass
json.dump(out, sys.stdout)
`
	out, err := exec.Command("python3", append([]string{"-c", script}, types...)...).Output()
	if err != nil {
		why := "cfn-lint is not installed for python3: the model's names are not held against CloudFormation's schemas"
		if os.Getenv("EKSAFE_RIGS") == "required" {
			t.Fatal(why)
		}
		t.Skip(why)
	}
	schemas := map[string]schema{}
	if err := json.Unmarshal(out, &schemas); err != nil {
		t.Fatal(err)
	}
	return schemas
}

type checker struct {
	t       *testing.T
	structs map[string]awsStruct
	roots   []schema
	found   map[string]bool
	path    []string // structs that are being checked: statements hold statements
}

// check holds the fields of a struct against the objects that it may be.
func (c *checker) check(name string, objects []schema) {
	if slices.Contains(c.path, name) {
		return
	}
	c.path = append(c.path, name)
	defer func() { c.path = c.path[:len(c.path)-1] }()
	for _, f := range c.structs[name].fields {
		if f.cfn == "-" {
			continue
		}
		// A field that stands elsewhere names the way in its tag.
		next := objects
		for part := range strings.SplitSeq(orName(f.cfn, f.name), ".") {
			next = c.properties(next, part)
		}
		field := name + "." + f.name
		c.found[field] = c.found[field] || len(next) > 0
		if _, ok := c.structs[f.typ]; ok && len(next) > 0 {
			c.check(f.typ, next)
		}
	}
}

func orName(path, name string) string {
	if path == "" {
		return name
	}
	return path
}

// properties returns the schemas of a property in those objects that have it.
func (c *checker) properties(objects []schema, name string) []schema {
	var out []schema
	for _, o := range objects {
		if p, ok := c.object(o)["properties"].(schema)[name].(schema); ok {
			out = append(out, p)
		}
	}
	return out
}

// object follows references, alternatives and elements of lists to an object.
func (c *checker) object(s schema) schema {
	for range 10 {
		if _, ok := s["properties"].(schema); ok {
			return s
		}
		if ref, ok := s["$ref"].(string); ok {
			found := false
			for _, root := range c.roots {
				if definitions, _ := root["definitions"].(schema); definitions != nil {
					if d, ok := definitions[strings.TrimPrefix(ref, "#/definitions/")].(schema); ok && !found {
						s, found = d, true
					}
				}
			}
			if !found {
				c.t.Fatalf("no definition %s", ref)
			}
			continue
		}
		if items, ok := s["items"].(schema); ok {
			s = items
			continue
		}
		break
	}
	return schema{"properties": schema{}}
}
