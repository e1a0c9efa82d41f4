package report_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

// foreign describes the types of Kubernetes that eksafe writes, and their fields,
// in our words.
var foreign = map[string]string{
	"NetworkPolicySpec":             "What a NetworkPolicy of Kubernetes selects and allows.",
	"NetworkPolicySpec.podSelector": "The pods that it is for; all of the namespace where it is empty.",
	"NetworkPolicySpec.policyTypes": "The directions that it isolates: Ingress, Egress.",
	"NetworkPolicySpec.ingress":     "Who may send to the pods; nobody where there is no rule.",
	"NetworkPolicySpec.egress":      "Whom the pods may send to; nobody where there is no rule.",

	"NetworkPolicyIngressRule":       "Senders, and the ports at which they are let in.",
	"NetworkPolicyIngressRule.from":  "The senders.",
	"NetworkPolicyIngressRule.ports": "The ports of the pods.",
	"NetworkPolicyEgressRule":        "Receivers, and the ports at which they are let be reached.",
	"NetworkPolicyEgressRule.to":     "The receivers.",
	"NetworkPolicyEgressRule.ports":  "The ports of the receivers.",

	"NetworkPolicyPeer":                   "Pods, or addresses.",
	"NetworkPolicyPeer.podSelector":       "Pods by their labels, of the policy's namespace unless namespaceSelector says others.",
	"NetworkPolicyPeer.namespaceSelector": "Namespaces by their labels.",
	"NetworkPolicyPeer.ipBlock":           "Addresses.",
	"NetworkPolicyPort":                   "One port, or a range.",
	"NetworkPolicyPort.protocol":          "TCP, UDP or SCTP.",
	"NetworkPolicyPort.port":              "Its number, or the name that pods give it.",
	"NetworkPolicyPort.endPort":           "The last port of a range, which belongs to it.",
	"IPBlock":                             "A block of addresses.",
	"IPBlock.cidr":                        "The block, such as 10.0.0.0/16.",
	"IPBlock.except":                      "Blocks within it that are not meant.",

	"LabelSelector":                     "What carries certain labels: all that is said must be so.",
	"LabelSelector.matchLabels":         "Labels with their values.",
	"LabelSelector.matchExpressions":    "Further conditions.",
	"LabelSelectorRequirement":          "A condition on one label.",
	"LabelSelectorRequirement.key":      "The name of the label.",
	"LabelSelectorRequirement.operator": "In, NotIn, Exists or DoesNotExist.",
	"LabelSelectorRequirement.values":   "Of In and NotIn: the values that count.",
}

const modulePath = "github.com/eksafe/eksafe/"

// comments are what stands beside types, their fields and constants.
type comments struct{ packages map[string]*commentedPackage }

type commentedPackage struct {
	types     map[string]string            // by name
	fields    map[string]map[string]string // by the names of type and field
	constants map[string][]constant        // by the name of their type
}

// A constant is one of the values of a type.
type constant struct {
	name     string // as it is written, "" where it is counted
	exported bool
	comment  string
}

// sourceComments are those of the project, read as they are asked for: the tests
// that ask do not run beside each other.
var sourceComments = &comments{map[string]*commentedPackage{}}

// ours reports whether a type is of this project.
func ours(t reflect.Type) bool { return strings.HasPrefix(t.PkgPath(), modulePath) }

func (c *comments) in(t *testing.T, pkg string) *commentedPackage {
	t.Helper()
	if p := c.packages[pkg]; p != nil {
		return p
	}
	p := &commentedPackage{types: map[string]string{}, fields: map[string]map[string]string{}, constants: map[string][]constant{}}
	c.packages[pkg] = p
	names, err := filepath.Glob(filepath.Join("..", "..", filepath.FromSlash(strings.TrimPrefix(pkg, modulePath)), "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range file.Decls {
			switch d, _ := d.(*ast.GenDecl); {
			case d == nil:
			case d.Tok == token.TYPE:
				p.addTypes(d)
			case d.Tok == token.CONST:
				p.addConstants(d)
			}
		}
	}
	if len(p.types) == 0 {
		t.Fatalf("%s: %v", pkg, fs.ErrNotExist)
	}
	return p
}

func (p *commentedPackage) addTypes(d *ast.GenDecl) {
	for _, spec := range d.Specs {
		s := spec.(*ast.TypeSpec)
		doc := s.Doc
		if doc == nil {
			doc = d.Doc
		}
		p.types[s.Name.Name] = sentence(s.Name.Name, doc)
		object, ok := s.Type.(*ast.StructType)
		if !ok {
			continue
		}
		fields := map[string]string{}
		for _, f := range object.Fields.List {
			for _, name := range f.Names {
				fields[name.Name] = sentence(name.Name, f.Doc, f.Comment)
			}
		}
		p.fields[s.Name.Name] = fields
	}
}

// addConstants keeps the constants of each type: those with a text, and those
// that iota counts, the first of which names the type.
func (p *commentedPackage) addConstants(d *ast.GenDecl) {
	counted := ""
	for _, spec := range d.Specs {
		s := spec.(*ast.ValueSpec)
		if s.Type == nil && len(s.Values) > 0 {
			counted = ""
			continue
		}
		c := constant{exported: s.Names[0].IsExported(), comment: said(s.Names[0].Name, s.Doc, s.Comment)}
		if s.Type != nil {
			counted = ""
			named, ok := s.Type.(*ast.Ident)
			if !ok || len(s.Values) != 1 {
				continue
			}
			switch value := s.Values[0].(type) {
			case *ast.BasicLit:
				text, err := strconv.Unquote(value.Value)
				if err != nil {
					continue // a number
				}
				c.name = text
				p.constants[named.Name] = append(p.constants[named.Name], c)
				continue
			case *ast.Ident:
				if value.Name != "iota" {
					continue
				}
				counted = named.Name
			}
		}
		if counted != "" {
			p.constants[counted] = append(p.constants[counted], c)
		}
	}
}

// said returns what a comment says of a name, to its full stop: of "A Verdict
// says whether it holds." it is "whether it holds."
func said(name string, groups ...*ast.CommentGroup) string {
	var words []string
	for _, g := range groups {
		if g != nil {
			words = append(words, strings.Fields(g.Text())...)
		}
	}
	text := strings.Join(words, " ")
	text = regexp.MustCompile(`^(An? )?`+regexp.QuoteMeta(name)+` ((is|are|says) )?`).ReplaceAllString(text, "")
	if text == "" || strings.HasSuffix(text, ".") || strings.HasSuffix(text, "…") {
		return text
	}
	return text + "."
}

// sentence returns what a comment says, beginning as sentences do.
func sentence(name string, groups ...*ast.CommentGroup) string {
	text := said(name, groups...)
	first, size := utf8.DecodeRuneInString(text)
	if size == 0 {
		return ""
	}
	return string(unicode.ToUpper(first)) + text[size:]
}

// ofType returns the description of a type.
func (c *comments) ofType(t *testing.T, typ reflect.Type) string {
	t.Helper()
	text := foreign[typ.Name()]
	if ours(typ) {
		text = c.in(t, typ.PkgPath()).types[typ.Name()]
	}
	if text == "" {
		t.Errorf("%s has no comment", typ)
	}
	return text
}

// ofField returns the description of a field, "" if there is none.
func (c *comments) ofField(t *testing.T, typ reflect.Type, field, property string) string {
	t.Helper()
	if !ours(typ) {
		return foreign[typ.Name()+"."+property]
	}
	return c.in(t, typ.PkgPath()).fields[typ.Name()][field]
}

// constants returns the values of a type by their names in JSON; none where it
// has no constants, or is no word in JSON. Of a type that other packages see only
// what they see counts: the rest never leaves its package.
func (c *comments) constants(t *testing.T, typ reflect.Type) []constant {
	t.Helper()
	if !ours(typ) || typ.Kind() == reflect.Struct {
		return nil
	}
	var out []constant
	for i, value := range c.in(t, typ.PkgPath()).constants[typ.Name()] {
		if !value.exported && ast.IsExported(typ.Name()) {
			continue
		}
		if typ.Kind() != reflect.String {
			v := reflect.New(typ).Elem()
			if v.CanInt() {
				v.SetInt(int64(i))
			} else {
				v.SetUint(uint64(i))
			}
			marshaler, ok := v.Interface().(interface{ MarshalText() ([]byte, error) })
			if !ok {
				return nil
			}
			text, err := marshaler.MarshalText()
			if err != nil {
				t.Fatal(err)
			}
			value.name = string(text)
		}
		out = append(out, value)
	}
	return out
}
