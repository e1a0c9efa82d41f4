// Package internal holds no code, only the rules of the house as tests. Their
// reasons are in CONTRIBUTING.md.
package internal

import (
	"bufio"
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const (
	module = "github.com/eksafe/eksafe"
	root   = ".." // of the project, from this folder
)

type goPackage struct {
	path  string // slash-separated, from the root
	files []*goFile
}

type goFile struct {
	name      string // slash-separated, from the root
	test      bool
	generated bool
	ast       *ast.File
	fset      *token.FileSet
}

func (f *goFile) position(n ast.Node) string {
	return f.name + ":" + strconv.Itoa(f.fset.Position(n.Pos()).Line)
}

// packages parses the packages below a folder. It parses rather than asks
// "go list": the result of a command is not an input that the test cache sees.
func packages(t *testing.T, below string) []*goPackage {
	t.Helper()
	byPath := map[string]*goPackage{}
	fset := token.NewFileSet()
	err := filepath.WalkDir(filepath.Join(root, below), func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if d.Name() == "testdata" {
				return filepath.SkipDir
			}
			return nil
		}
		if filepath.Ext(name) != ".go" {
			return nil
		}
		src, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		parsed, err := parser.ParseFile(fset, name, src, parser.ParseComments)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, name)
		if err != nil {
			return err
		}
		dir := filepath.ToSlash(filepath.Dir(rel))
		if byPath[dir] == nil {
			byPath[dir] = &goPackage{path: dir}
		}
		byPath[dir].files = append(byPath[dir].files, &goFile{
			name:      filepath.ToSlash(rel),
			test:      strings.HasSuffix(name, "_test.go"),
			generated: ast.IsGenerated(parsed),
			ast:       parsed,
			fset:      fset,
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	var out []*goPackage
	for _, p := range byPath {
		// Only a folder with code of its own is a package to be held.
		if slices.ContainsFunc(p.files, func(f *goFile) bool { return !f.test }) {
			out = append(out, p)
		}
	}
	slices.SortFunc(out, func(a, b *goPackage) int { return strings.Compare(a.path, b.path) })
	if len(out) == 0 {
		t.Fatalf("no package below %s", below)
	}
	return out
}

func unquote(s string) string { return strings.Trim(s, `"`) }

func allPackages(t *testing.T) []*goPackage {
	return slices.Concat(packages(t, "cmd"), packages(t, "internal"), packages(t, "tools"))
}

func TestPackagesSayWhatTheyHold(t *testing.T) {
	for _, p := range allPackages(t) {
		var docs []string
		name := ""
		for _, f := range p.files {
			if f.test {
				continue
			}
			name = f.ast.Name.Name
			if f.ast.Doc != nil {
				docs = append(docs, f.ast.Doc.Text())
			}
		}
		start := "Package " + name + " "
		if name == "main" {
			start = "Command " + filepath.Base(p.path) + " "
		}
		switch {
		case len(docs) == 0:
			t.Errorf("%s has no package doc: say what it holds and what it refuses to do", p.path)
		case len(docs) > 1:
			t.Errorf("%s has %d package docs: keep one", p.path, len(docs))
		case !strings.HasPrefix(docs[0], start) && !(name == "main" && strings.HasPrefix(docs[0], title(filepath.Base(p.path))+" ")):
			t.Errorf("the doc of %s must begin with %q", p.path, start)
		case len(strings.Fields(docs[0])) < 8:
			t.Errorf("the doc of %s says too little: %q", p.path, docs[0])
		}
	}
}

func title(s string) string { return strings.ToUpper(s[:1]) + s[1:] }

// badNames are package names that say nothing of what the package holds.
var badNames = []string{"util", "utils", "common", "helper", "helpers", "manager", "misc", "base", "shared", "types", "lib"}

func TestPackageNamesAreNouns(t *testing.T) {
	for _, p := range allPackages(t) {
		if name := filepath.Base(p.path); slices.Contains(badNames, name) {
			t.Errorf("%s: name the package for what it holds", p.path)
		}
	}
}

func TestExportedNamesAreDocumented(t *testing.T) {
	for _, p := range packages(t, "internal") {
		for _, f := range p.files {
			if f.test || f.generated {
				continue
			}
			for _, decl := range f.ast.Decls {
				switch d := decl.(type) {
				case *ast.FuncDecl:
					if d.Name.IsExported() && d.Doc == nil && exportedReceiver(d) && !wellKnown[d.Name.Name] {
						t.Errorf("%s: %s has no doc sentence", f.position(d), d.Name.Name)
					}
				case *ast.GenDecl:
					for _, spec := range d.Specs {
						if name, documented := specDoc(d, spec); ast.IsExported(name) && !documented {
							t.Errorf("%s: %s has no doc sentence", f.position(spec), name)
						}
					}
				}
			}
		}
	}
}

// wellKnown methods do what their interface says.
var wellKnown = map[string]bool{
	"Error": true, "Unwrap": true, "String": true, "Is": true, "Len": true, "Less": true, "Swap": true,
	"MarshalJSON": true, "UnmarshalJSON": true, "MarshalText": true, "UnmarshalText": true, "IsZero": true,
	"DeepCopyObject": true, "DeepCopy": true, "DeepCopyInto": true,
}

func exportedReceiver(d *ast.FuncDecl) bool {
	if d.Recv == nil {
		return true
	}
	typ := d.Recv.List[0].Type
	for {
		switch x := typ.(type) {
		case *ast.StarExpr:
			typ = x.X
		case *ast.IndexExpr:
			typ = x.X
		case *ast.IndexListExpr:
			typ = x.X
		case *ast.Ident:
			return x.IsExported()
		default:
			return false
		}
	}
}

// specDoc returns the first name of a declaration and whether it, or the group
// it stands in, is documented.
func specDoc(d *ast.GenDecl, spec ast.Spec) (string, bool) {
	switch s := spec.(type) {
	case *ast.TypeSpec:
		return s.Name.Name, s.Doc != nil || d.Doc != nil
	case *ast.ValueSpec:
		// Constants of a documented type and grouped values explain each other.
		grouped := d.Lparen.IsValid()
		return s.Names[0].Name, s.Doc != nil || s.Comment != nil || d.Doc != nil || grouped
	}
	return "", true
}

func TestNoHiddenOrder(t *testing.T) {
	for _, p := range allPackages(t) {
		for _, f := range p.files {
			for _, decl := range f.ast.Decls {
				if d, ok := decl.(*ast.FuncDecl); ok && d.Recv == nil && d.Name.Name == "init" {
					t.Errorf("%s: no init functions: what runs before main has no order, no error and costs every start", f.position(d))
				}
			}
		}
	}
}

// calls that are refused, by package and function.
var refusedCalls = map[string]string{
	"time.Sleep":     "wait for the event, or use testing/synctest",
	"os.Exit":        "only main ends the process",
	"fmt.Print":      "write to the writer you were given",
	"fmt.Println":    "write to the writer you were given",
	"fmt.Printf":     "write to the writer you were given",
	"os.Getenv":      "take the environment as a parameter",
	"log.Fatal":      "only main ends the process",
	"os.Chdir":       "the working directory belongs to the caller",
	"os.Setenv":      "the environment belongs to the caller",
	"runtime.Goexit": "return an error",
}

// callsAllowed are exceptions, with the reason.
var callsAllowed = map[string]string{
	"internal/source/aws os.Getenv": "the SDK's default chain is the environment; AWS_RETRY_MODE is part of it",
}

func TestRefusedCalls(t *testing.T) {
	for _, p := range packages(t, "internal") {
		for _, f := range p.files {
			ast.Inspect(f.ast, func(n ast.Node) bool {
				sel, ok := n.(*ast.SelectorExpr)
				if !ok {
					return true
				}
				x, ok := sel.X.(*ast.Ident)
				if !ok {
					return true
				}
				name := x.Name + "." + sel.Sel.Name
				why, refused := refusedCalls[name]
				if !refused || callsAllowed[p.path+" "+name] != "" {
					return true
				}
				// A test is its own process; only waiting by the clock is refused there.
				if f.test && name != "time.Sleep" {
					return true
				}
				t.Errorf("%s: no %s: %s", f.position(sel), name, why)
				return true
			})
		}
	}
}

// leftovers are words that promise work instead of doing it. They are put
// together here so that this file is not a finding.
var leftovers = regexp.MustCompile(`\b(TO` + `DO|FIX` + `ME|XX` + `X)\b|not ` + `(yet )?implemented`)

// TestNoLeftovers and the next look at every text file of the project.
func TestNoLeftovers(t *testing.T) {
	for name, text := range textFiles(t) {
		if strings.HasPrefix(name, "test/") || filepath.Ext(name) == ".sum" {
			continue
		}
		if filepath.Ext(name) != ".go" && filepath.Base(name) != "Makefile" && filepath.Ext(name) != ".sh" {
			continue
		}
		for n, line := range lines(text) {
			if m := leftovers.FindString(line); m != "" {
				t.Errorf("%s:%d: %q: do it now or leave it out", name, n, m)
			}
		}
	}
}

func TestNoMachinePaths(t *testing.T) {
	patterns := []*regexp.Regexp{
		regexp.MustCompile(`/home/[a-z][a-z0-9_-]*/(go|src|work|code|projects)\b`),
		regexp.MustCompile(`/Users/[A-Za-z]`),
		regexp.MustCompile(`go/pkg/mod/[a-z]`),
	}
	here, err := filepath.Abs(root)
	if err != nil {
		t.Fatal(err)
	}
	// The place of this very clone, and the folder of clones around it.
	for _, dir := range []string{here, filepath.Dir(here)} {
		if strings.Count(dir, string(filepath.Separator)) > 1 || dir == here {
			patterns = append(patterns, regexp.MustCompile(regexp.QuoteMeta(dir)+`\b`))
		}
	}
	for name, text := range textFiles(t) {
		for n, line := range lines(text) {
			for _, re := range patterns {
				if m := re.FindString(line); m != "" && name != "internal/house_test.go" {
					t.Errorf("%s:%d: %q is a path of one machine", name, n, m)
				}
			}
		}
	}
}

const maxLines = 800

func TestFilesHoldOneThing(t *testing.T) {
	for _, p := range allPackages(t) {
		for _, f := range p.files {
			if n := f.fset.File(f.ast.Pos()).LineCount(); n > maxLines && !f.generated {
				t.Errorf("%s has %d lines: a file over %d is usually two things", f.name, n, maxLines)
			}
		}
	}
}

// textFiles returns the project's own text files by name.
func textFiles(t *testing.T) map[string][]byte {
	t.Helper()
	out := map[string][]byte{}
	err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if slices.Contains([]string{".git", "bin", ".cache", "fuzz"}, d.Name()) {
				return filepath.SkipDir
			}
			return nil
		}
		info, err := d.Info()
		if err != nil || !info.Mode().IsRegular() || info.Size() > 4<<20 {
			return err
		}
		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		if bytes.IndexByte(text, 0) >= 0 {
			return nil
		}
		rel, err := filepath.Rel(root, name)
		if err != nil {
			return err
		}
		out[filepath.ToSlash(rel)] = text
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// lines yields the lines of text by number.
func lines(text []byte) func(yield func(int, string) bool) {
	return func(yield func(int, string) bool) {
		s := bufio.NewScanner(bytes.NewReader(text))
		s.Buffer(nil, 8<<20)
		for n := 1; s.Scan(); n++ {
			if !yield(n, s.Text()) {
				return
			}
		}
	}
}

var (
	changelogHeading = regexp.MustCompile(`^## (Unreleased|[0-9]+\.[0-9]+\.[0-9]+ - 20[0-9]{2}-[01][0-9]-[0-3][0-9])$`)
	changelogLine    = regexp.MustCompile(`^- (add|change|fix|remove|security): [^A-Z].*[^.]$`)
)

func TestChangelog(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(root, "CHANGELOG.md"))
	if err != nil {
		t.Fatal(err)
	}
	headings, entries := 0, 0
	for n, line := range lines(text) {
		switch {
		case strings.HasPrefix(line, "## "):
			headings++
			if !changelogHeading.MatchString(line) {
				t.Errorf("CHANGELOG.md:%d: %q: want \"## Unreleased\" or \"## 1.2.3 - 2026-01-31\"", n, line)
			}
			if headings == 1 && line != "## Unreleased" {
				t.Errorf("CHANGELOG.md:%d: the first release must be Unreleased", n)
			}
		case headings > 0 && line != "":
			entries++
			if !changelogLine.MatchString(line) {
				t.Errorf("CHANGELOG.md:%d: %q: want \"- add: what users notice\" in one line, without a full stop", n, line)
			}
		}
	}
	if entries == 0 {
		t.Error("CHANGELOG.md has no entry")
	}
}

func TestLicence(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(root, "LICENSE"))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(text), "Apache License") || !strings.Contains(string(text), "END OF TERMS AND CONDITIONS") {
		t.Error("LICENSE must be the whole Apache License 2.0")
	}
}

// TestListsAreFresh holds that each generated list names exactly the controls
// that its folder declares.
func TestListsAreFresh(t *testing.T) {
	lists := 0
	for _, p := range packages(t, "internal/control") {
		var declared, listed []string
		generated := false
		for _, f := range p.files {
			if f.test {
				continue
			}
			for _, decl := range f.ast.Decls {
				d, ok := decl.(*ast.GenDecl)
				if !ok || d.Tok != token.VAR {
					continue
				}
				for _, spec := range d.Specs {
					v := spec.(*ast.ValueSpec)
					for i, value := range v.Values {
						switch x := value.(type) {
						case *ast.UnaryExpr:
							if lit, ok := x.X.(*ast.CompositeLit); ok && isControl(lit.Type) {
								declared = append(declared, v.Names[i].Name)
							}
						case *ast.CompositeLit:
							if f.generated && v.Names[i].Name == "Controls" {
								generated = true
								for _, e := range x.Elts {
									listed = append(listed, e.(*ast.Ident).Name)
								}
							}
						}
					}
				}
			}
		}
		slices.Sort(declared)
		slices.Sort(listed)
		if !slices.Equal(declared, listed) {
			t.Errorf("%s declares %v and lists %v: run make generate", p.path, declared, listed)
		}
		if generated {
			lists++
		}
	}
	if lists == 0 {
		t.Error("no generated list of controls was found")
	}
}

func isControl(typ ast.Expr) bool {
	sel, ok := typ.(*ast.SelectorExpr)
	if !ok {
		return false
	}
	pkg, ok := sel.X.(*ast.Ident)
	return ok && pkg.Name == "control" && sel.Sel.Name == "Control"
}

var (
	dateConst   = regexp.MustCompile(`(?m)^\s*(const )?\w*Date\s*= "20[0-9]{2}-[01][0-9]-[0-3][0-9]"$`)
	sourceConst = regexp.MustCompile(`(?m)^\s*(const )?\w*Source\s*= ".{10,}"$`)
)

// TestDataHasASource holds that every table of facts from outside says where
// they are from and when they were taken: facts age.
func TestDataHasASource(t *testing.T) {
	for name, text := range textFiles(t) {
		if !strings.HasPrefix(name, "internal/") || strings.Contains(name, "/testdata/") {
			continue
		}
		switch {
		case strings.HasSuffix(name, "_data.go"):
			if !dateConst.Match(text) {
				t.Errorf("%s: no constant …Date = \"2026-01-31\": when was it taken?", name)
			}
			if !sourceConst.Match(text) {
				t.Errorf("%s: no constant …Source: where is it from?", name)
			}
		case strings.HasSuffix(name, ".csv"):
			header, _, _ := strings.Cut(string(text), "\n")
			columns := strings.Split(strings.TrimSpace(header), ",")
			if !slices.Contains(columns, "source") || !slices.Contains(columns, "date") {
				t.Errorf("%s: columns %v: each row needs its source and date", name, columns)
			}
		}
	}
}
