package internal

import (
	"go/ast"
	"path"
	"slices"
	"strings"
	"testing"
)

// A layer is a package, or with "/*" all packages below a folder, and what it
// may not import although it stands above.
type layer struct {
	path string
	not  []string
	why  string
}

// layers is the data flow, in the order of the architecture. A package
// imports only what stands above it, and nothing of its own line unless that
// names one package. Tests are free: an oracle may need everything.
var layers = []layer{
	{path: "estate"},
	{path: "finding"},
	{path: "config"},
	{path: "platform"},

	{path: "source/kubeobject", not: []string{"finding"}, why: "sources give facts; they hold no opinions"},
	{path: "source/awsfact", not: []string{"finding"}, why: "sources give facts; they hold no opinions"},
	{path: "source/reported", not: []string{"finding"}, why: "sources give facts; what others found is one"},
	{path: "source/*", not: []string{"finding"}, why: "sources give facts; they hold no opinions"},

	{path: "feed/*", not: []string{"estate", "finding", "config", "platform", "source"}, why: "a feed says what stands in a log; who the principals are is the estate's"},

	{path: "trace", not: []string{"source", "finding"}, why: "an analysis knows the estate, not who read it; trace says how data travels, controls say how it should"},
	{path: "feed/*", not: []string{"source", "finding", "trace", "control"}, why: "a feed reads logs; what they mean is not its business"},
	{path: "reach", not: []string{"source", "finding"}, why: "reach says who can reach what; controls say who should"},
	{path: "access", not: []string{"source", "finding"}, why: "access says who can do what; controls say who should"},
	{path: "access/accesstest", not: []string{"source"}, why: "it makes cases for tests"},
	{path: "control", not: []string{"source"}, why: "a control that knew its source would judge live and files differently"},
	{path: "control/*", not: []string{"source"}, why: "a control that knew its source would judge live and files differently"},
	{path: "control/all", not: []string{"source"}, why: "it is the list of the controls"},
	{path: "control/proof"},
	{path: "control/own", not: []string{"source"}, why: "a control that knew its source would judge live and files differently"},
	{path: "control/admission", not: []string{"source", "trace"}, why: "it writes down what controls hold for one object"},
	{path: "control/controltest"},

	{path: "review", not: []string{"source"}, why: "who accepted what does not depend on who read it"},
	{path: "baseline", not: []string{"source", "trace", "review"}, why: "it knows findings by their fingerprints alone"},
	{path: "history", not: []string{"source", "trace", "review", "baseline"}, why: "it knows findings by their fingerprints alone"},

	{path: "report", not: []string{"source"}, why: "a report shows what it is given; it reads nothing"},

	{path: "report/reporttest"},
	{path: "report/publish", not: []string{"source", "control/all"}, why: "it carries what a report says, and reads no estate"},

	{path: "cli", not: []string{"control/controltest", "report/reporttest", "access/accesstest"}, why: "it is for tests"},
}

func TestImportsPointUp(t *testing.T) {
	for _, p := range packages(t, "internal") {
		importer := strings.TrimPrefix(p.path, "internal/")
		at := layerOf(importer)
		if at < 0 {
			t.Errorf("%s is in no layer: add it to the table in internal/arch_test.go and to docs/design/architecture.md", p.path)
			continue
		}
		for _, f := range p.files {
			if f.test {
				continue
			}
			for _, imp := range f.ast.Imports {
				imported, ours := strings.CutPrefix(unquote(imp.Path.Value), module+"/")
				if !ours {
					continue
				}
				imported, internal := strings.CutPrefix(imported, "internal/")
				if !internal {
					t.Errorf("%s: %s must not import %s: only internal/ is product", f.position(imp), p.path, imported)
					continue
				}
				if why := refused(importer, imported); why != "" {
					t.Errorf("%s: %s must not import internal/%s: %s", f.position(imp), p.path, imported, why)
				}
			}
		}
	}
}

// refused says why importer may not import imported, "" if it may.
func refused(importer, imported string) string {
	from, to := layerOf(importer), layerOf(imported)
	switch {
	case to < 0:
		return "it is in no layer"
	case from == to:
		return "they stand side by side"
	case to > from:
		return "imports only point up the list of layers"
	}
	l := layers[from]
	for _, prefix := range l.not {
		if imported == prefix || strings.HasPrefix(imported, prefix+"/") {
			return l.why
		}
	}
	return ""
}

// layerOf returns the index of the most exact layer, -1 if there is none.
func layerOf(pkg string) int {
	if i := slices.IndexFunc(layers, func(l layer) bool { return l.path == pkg }); i >= 0 {
		return i
	}
	return slices.IndexFunc(layers, func(l layer) bool {
		folder, wild := strings.CutSuffix(l.path, "/*")
		return wild && strings.HasPrefix(pkg, folder+"/")
	})
}

func TestLayersRefuse(t *testing.T) {
	for _, c := range []struct{ importer, imported, why string }{
		{"estate", "finding", "imports only point up"},
		{"trace", "source/manifest", "not who read it"},
		{"control/transit", "control/rest", "side by side"},
		{"control/transit", "report", "only point up"},
		{"report", "source/aws", "reads nothing"},
		{"control/transit", "trace", ""},
		{"cli", "source/aws", ""},
		{"cli", "control/controltest", "for tests"},
		{"source/kube", "source/kubeobject", ""},
		{"source/kube", "source/manifest", "side by side"},
	} {
		if got := refused(c.importer, c.imported); (got == "") != (c.why == "") || !strings.Contains(got, c.why) {
			t.Errorf("%s imports %s: refused %q, want %q", c.importer, c.imported, got, c.why)
		}
	}
}

// forbidden packages, each with the reason. A name ending in "/" forbids all
// below; except lists packages of ours that may.
var forbidden = []struct {
	path   string
	why    string
	except []string
}{
	{"log", "it writes where it likes; the caller's *slog.Logger decides", nil},
	{"io/ioutil", "its functions live in io and os", nil},
	{"math/rand", "same input, same output: randomness is for names of temporary files, and those take crypto/rand", nil},
	{"unsafe", "input is hostile", nil},
	{"plugin", "one static binary", nil},
	{"os/exec", "an audit runs nothing, least of all what an audited folder names", nil},
	{"net/http", "nothing phones home: only live sources talk to a network", []string{"internal/source/kube", "internal/source/aws"}},
	{"encoding/gob", "snapshots are decoded strictly and read by others: JSON", nil},
	{"gopkg.in/yaml.v2", "unmaintained; go.yaml.in/yaml/v3 is its successor", nil},
	{"gopkg.in/yaml.v3", "unmaintained; go.yaml.in/yaml/v3 is its successor", nil},
	{"github.com/pkg/errors", "errors and %w are in the standard library", nil},
	{"k8s.io/client-go/kubernetes", "the typed client set costs 20 MB of binary and start-up time; the dynamic client reads every kind", nil},
	{"k8s.io/client-go/informers/", "an audit reads once, it does not watch", nil},
	{"sigs.k8s.io/controller-runtime", "an audit is no controller", nil},
	{"github.com/aws/aws-sdk-go/", "SDK v1 is out of support; v2", nil},
	{"github.com/stretchr/testify/", "plain comparisons and go-cmp show the difference; a second language for assertions does not help", nil},
}

func TestForbiddenImports(t *testing.T) {
	for _, p := range slices.Concat(packages(t, "internal"), packages(t, "cmd")) {
		for _, f := range p.files {
			for _, imp := range f.ast.Imports {
				imported := unquote(imp.Path.Value)
				for _, rule := range forbidden {
					if imported != rule.path && !(strings.HasSuffix(rule.path, "/") && strings.HasPrefix(imported, rule.path)) {
						continue
					}
					// A test may start servers and programs, and draw random cases.
					if f.test && slices.Contains([]string{"net/http", "os/exec", "math/rand"}, imported) {
						continue
					}
					if !slices.Contains(rule.except, p.path) {
						t.Errorf("%s: %s must not import %s: %s", f.position(imp), p.path, imported, rule.why)
					}
				}
			}
		}
	}
}

// goroutines may start in these folders only; elsewhere code is sequential.
var goroutines = []string{"internal/source", "internal/control", "internal/cli"}

func TestGoroutinesAreFew(t *testing.T) {
	for _, p := range packages(t, "internal") {
		if slices.ContainsFunc(goroutines, func(dir string) bool { return p.path == dir || path.Dir(p.path) == dir }) {
			continue
		}
		for _, f := range p.files {
			if f.test {
				continue
			}
			ast.Inspect(f.ast, func(n ast.Node) bool {
				if g, ok := n.(*ast.GoStmt); ok {
					t.Errorf("%s: %s must not start goroutines: analyses are pure, the control runner fans out", f.position(g), p.path)
				}
				return true
			})
		}
	}
}
