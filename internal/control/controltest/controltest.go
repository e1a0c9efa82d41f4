// Package controltest proves controls. It holds the secure estate, a complete
// reference architecture that every control must pass, and runs the mutations
// that stand in each control's txtar: each must break exactly the control that
// it belongs to, at the field that it changed.
//
// How a case is written stands in package proof.
package controltest

import (
	"fmt"
	"io/fs"
	"regexp"
	"slices"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"

	"github.com/eksafe/eksafe/internal/control"
	"github.com/eksafe/eksafe/internal/control/proof"
	"github.com/eksafe/eksafe/internal/estate"
)

// Now is the time of every audit in tests.
var Now = proof.Now

// Run proves every control of the families.
func Run(t *testing.T, families []control.Family) {
	base, err := proof.Secure()
	if err != nil {
		t.Fatal(err)
	}
	var controls []*control.Control
	for _, f := range families {
		controls = append(controls, f.Controls...)
	}
	h := &harness{Harness: proof.Harness{Base: base, Controls: controls}, whole: len(families) > 1}
	t.Run("declarations", func(t *testing.T) { declarations(t, families) })
	t.Run("secure", func(t *testing.T) { none(t, h.Secure()) })
	t.Run("blind", func(t *testing.T) { none(t, h.Blind()) })
	t.Run("unasked", func(t *testing.T) { none(t, h.Unasked()) })
	for _, f := range families {
		for _, c := range f.Controls {
			t.Run(c.ID, func(t *testing.T) { h.control(t, f.Cases, c) })
		}
	}
}

// Secure returns the secure estate.
func Secure() (*estate.Estate, error) {
	w, err := proof.Secure()
	if err != nil {
		return nil, err
	}
	return w.Estate()
}

func none(t *testing.T, problems []string) {
	t.Helper()
	for _, problem := range problems {
		t.Error(problem)
	}
}

type harness struct {
	proof.Harness
	whole bool // more than one family is run: every control can be known
}

func (h *harness) control(t *testing.T, files fs.FS, c *control.Control) {
	data, err := fs.ReadFile(files, c.CaseFile())
	if err != nil {
		t.Fatalf("reading the documentation and cases of %s: %v", c.ID, err)
	}
	ar := txtar.Parse(data)
	if len(strings.Fields(string(ar.Comment))) < 20 {
		t.Errorf("%s must begin with prose: what an attacker does, and how it is mended", c.CaseFile())
	}
	has := map[string]bool{}
	for _, f := range ar.Files {
		k, err := proof.ParseCase(f.Name, f.Data)
		if err != nil {
			t.Error(err)
			continue
		}
		if has[k.Name] {
			t.Errorf("%s stands twice", k.Name)
		}
		has[k.Verdict], has[k.Name] = true, true
		for _, o := range k.Also {
			if h.whole && !slices.ContainsFunc(h.Controls, func(c *control.Control) bool { return c.ID == o.Control }) {
				t.Errorf("%s: # also %s: there is no such control", k.Name, o.Control)
			}
		}
		t.Run(strings.TrimSuffix(f.Name, ".yaml"), func(t *testing.T) { none(t, h.Prove(c, k)) })
	}
	for _, verdict := range []string{"fail", "pass"} {
		if !has[verdict] {
			t.Errorf("%s has no %s/ case", c.CaseFile(), verdict)
		}
	}
}

var (
	idRE      = regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)
	servesRE  = regexp.MustCompile(`^S([1-9]|[1-3][0-9]|4[01])$`)
	releaseRE = regexp.MustCompile(`^\d+\.\d+\.\d+$`)
)

// declarations checks what every control declares of itself.
func declarations(t *testing.T, families []control.Family) {
	ids := map[string]bool{}
	for _, f := range families {
		files, err := fs.Glob(f.Cases, "*.txtar")
		if err != nil {
			t.Fatal(err)
		}
		orphans := map[string]bool{}
		for _, file := range files {
			orphans[file] = true
		}
		for _, c := range f.Controls {
			delete(orphans, c.CaseFile())
			for _, problem := range flaws(c) {
				t.Errorf("%s: %s", c.ID, problem)
			}
			for _, id := range append([]string{c.ID}, c.Formerly...) {
				if ids[id] {
					t.Errorf("%s: the ID %s is taken", c.ID, id)
				}
				ids[id] = true
			}
		}
		for file := range orphans {
			t.Errorf("%s/%s belongs to no control; the ID is the file's name", f.ID, file)
		}
	}
}

func flaws(c *control.Control) []string {
	var out []string
	bad := func(format string, args ...any) { out = append(out, fmt.Sprintf(format, args...)) }
	if !idRE.MatchString(c.ID) {
		bad("the ID must be kebab-case")
	}
	if c.Title == "" || strings.HasSuffix(c.Title, ".") || strings.ToUpper(c.Title[:1]) != c.Title[:1] {
		bad("the title %q must be a statement that begins with a capital and ends without a full stop", c.Title)
	}
	if c.Severity < control.Low || c.Severity > control.Critical {
		bad("no severity")
	}
	if !releaseRE.MatchString(c.Since) {
		bad("Since %q is no release", c.Since)
	}
	if len(c.Serves) == 0 {
		bad("serves no requirement")
	}
	for _, s := range c.Serves {
		if !servesRE.MatchString(s) {
			bad("serves %q, which is no requirement", s)
		}
	}
	if len(c.Refs) == 0 {
		bad("cites nothing")
	}
	for _, r := range c.Refs {
		if err := r.Validate(); err != nil {
			bad("%v", err)
		}
	}
	if len(c.Reads()) == 0 {
		bad("reads nothing")
	}
	for _, k := range c.Reads() {
		if _, err := estate.KindOf(k); err != nil {
			bad("reads %s: %v", k, err)
		}
	}
	return out
}
