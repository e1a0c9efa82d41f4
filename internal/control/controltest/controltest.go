// Package controltest proves controls. It holds the secure estate, a complete
// reference architecture that every control must pass, and runs the mutations
// that stand in each control's txtar: each must break exactly the control that
// it belongs to, at the field that it changed.
//
// A txtar section is a YAML mapping of resources to fields:
//
//	-- fail/every-ipv4-address.yaml --
//	cluster/shop-prod:
//	  resourcesVpcConfig.publicAccessCidrs: [0.0.0.0/0]  # want "0.0.0.0/0 may reach the API server"
//
// A resource is kind/namespace/name, or kind/name for AWS and for what has no
// namespace; kinds are those of the estate, and of workloads the controller's,
// in lower case. Fields are in the words of the manifest, or of the JSON form
// of the struct; a key that contains dots stands in brackets. A value of null
// removes a field, and null instead of fields removes the resource. A resource
// that the secure estate lacks is added. The resource eksafe.yaml is what users
// declare.
//
// Comments say what must be reported:
//
//	# want "message"                      a finding at this subject and field (in unknown/: a gap of this subject)
//	# want at kind/ns/name field "message"  a finding elsewhere; without field, of the whole resource
//	# expected "why"                      this subject misses the control by design
//	# also other-control "message"        a finding or gap of another control that is right; the message may be left out
//
// Whatever else any control reports fails the test. Sections of unknown/ make
// exactly this control unknown, those of notApplicable/ leave it without a
// subject.
package controltest

import (
	"fmt"
	"io/fs"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"

	"github.com/eksafe/eksafe/internal/config"
	"github.com/eksafe/eksafe/internal/control"
	"github.com/eksafe/eksafe/internal/estate"
	"github.com/eksafe/eksafe/internal/finding"
	"github.com/eksafe/eksafe/internal/trace"
)

// Now is the time of every audit in tests.
var Now = time.Date(2026, time.November, 23, 6, 0, 0, 0, time.UTC)

// Run proves every control of the families.
func Run(t *testing.T, families []control.Family) {
	base, err := load(secure)
	if err != nil {
		t.Fatal(err)
	}
	var controls []*control.Control
	for _, f := range families {
		controls = append(controls, f.Controls...)
	}
	declared, err := base.config()
	if err != nil {
		t.Fatal(err)
	}
	h := &harness{base: base, declared: declared, controls: controls, whole: len(families) > 1}
	t.Run("declarations", func(t *testing.T) { declarations(t, families) })
	t.Run("secure", h.secure)
	t.Run("blind", h.blind)
	t.Run("unasked", h.unasked)
	for _, f := range families {
		for _, c := range f.Controls {
			t.Run(c.ID, func(t *testing.T) { h.control(t, f.Cases, c) })
		}
	}
}

// Secure returns the secure estate.
func Secure() (*estate.Estate, error) {
	w, err := load(secure)
	if err != nil {
		return nil, err
	}
	return w.estate()
}

type harness struct {
	base     world
	declared *config.Config
	controls []*control.Control
	whole    bool // more than one family is run: every control can be known
}

func (h *harness) build(t *testing.T, w world, skipped ...estate.Kind) *estate.Estate {
	t.Helper()
	e, err := w.estate(skipped...)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// secure holds every control to a pass on the secure estate: not applicable
// would mean that the estate never exercises it.
func (h *harness) secure(t *testing.T) {
	names := h.base.names()
	for _, r := range control.Run(trace.New(h.build(t, h.base)), h.controls, Now, h.declared) {
		if r.Verdict == finding.Pass && r.Subjects > 0 {
			continue
		}
		t.Errorf("%s: %s (%d subjects), want pass: %s\n%s", r.Control.ID, r.Verdict, r.Subjects, r.Why, strings.Join(told(r, names), "\n"))
	}
}

// blind denies each kind in turn: missing permission must never look like
// safety.
func (h *harness) blind(t *testing.T) {
	whole := h.build(t, h.base)
	for _, info := range estate.Kinds() {
		readers := h.readers(info.Kind)
		if len(readers) == 0 {
			continue
		}
		e := whole.Blind(info.Kind, "AccessDenied")
		for _, r := range control.Run(trace.New(e), readers, Now, h.declared) {
			if r.Verdict != finding.Unknown || r.Why == "" {
				t.Errorf("%s: %s with %s denied, want unknown with a reason: %s\n%s", r.Control.ID, r.Verdict, info.Kind, r.Why, strings.Join(told(r, h.base.names()), "\n"))
			}
		}
	}
}

// unasked takes away the source of each kind that a control requires.
func (h *harness) unasked(t *testing.T) {
	for _, info := range estate.Kinds() {
		var needy []*control.Control
		for _, c := range h.controls {
			if slices.Contains(c.Requires(), info.Kind) {
				needy = append(needy, c)
			}
		}
		if len(needy) == 0 {
			continue
		}
		e := h.build(t, h.base, info.Kind)
		for _, r := range control.Run(trace.New(e), needy, Now, h.declared) {
			if r.Verdict != finding.Unknown || r.Why == "" {
				t.Errorf("%s: %s when nobody asked for %s, want unknown with a reason", r.Control.ID, r.Verdict, info.Kind)
			}
		}
	}
}

func (h *harness) readers(k estate.Kind) []*control.Control {
	var out []*control.Control
	for _, c := range h.controls {
		if slices.Contains(c.Reads(), k) {
			out = append(out, c)
		}
	}
	return out
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
		k, err := parseCase(f.Name, f.Data)
		if err != nil {
			t.Error(err)
			continue
		}
		if has[k.Name] {
			t.Errorf("%s stands twice", k.Name)
		}
		has[k.Verdict], has[k.Name] = true, true
		for _, o := range k.Also {
			if h.whole && !slices.ContainsFunc(h.controls, func(c *control.Control) bool { return c.ID == o.Control }) {
				t.Errorf("%s: # also %s: there is no such control", k.Name, o.Control)
			}
		}
		t.Run(strings.TrimSuffix(f.Name, ".yaml"), func(t *testing.T) {
			for _, problem := range h.prove(c, k) {
				t.Error(problem)
			}
		})
	}
	for _, verdict := range []string{"fail", "pass"} {
		if !has[verdict] {
			t.Errorf("%s has no %s/ case", c.CaseFile(), verdict)
		}
	}
}

// prove returns what is wrong with a case of a control. An overlap with a
// control that is not among those of the run is passed over: a family may be
// run alone.
func (h *harness) prove(c *control.Control, k *kase) []string {
	w, err := h.base.mutate(k.Set)
	if err != nil {
		return []string{err.Error()}
	}
	e, err := w.estate()
	if err != nil {
		return []string{err.Error()}
	}
	declared, err := w.config()
	if err != nil {
		return []string{err.Error()}
	}
	names := w.names()
	var problems, first []string
	for _, r := range control.Run(trace.New(e), h.controls, Now, declared) {
		if r.Control == c {
			problems = append(problems, own(k, r, names)...)
			first = told(r, names)
		} else {
			problems = append(problems, other(k, r, names)...)
		}
	}
	// The order in which sources deliver must not matter.
	turned := slices.Clone(w)
	slices.Reverse(turned)
	if e, err = turned.estate(); err != nil {
		return append(problems, err.Error())
	}
	again := told(control.Run(trace.New(e), []*control.Control{c}, Now, declared)[0], names)
	if diff := cmp.Diff(first, again); diff != "" {
		problems = append(problems, fmt.Sprintf("%s depends on the order of resources (-as they stand +reversed):\n%s", c.ID, diff))
	}
	return problems
}

// own compares what the control under test says with what the case wants.
func own(k *kase, r control.Result, names map[string]string) (problems []string) {
	bad := func(format string, args ...any) { problems = append(problems, fmt.Sprintf(format, args...)) }
	verdict := map[string]finding.Verdict{
		"fail": finding.Fail, "pass": finding.Pass, "unknown": finding.Unknown, "notApplicable": finding.NotApplicable,
	}[k.Verdict]
	if r.Verdict != verdict {
		bad("%s: %s, want %s: %s\n%s", r.Control.ID, r.Verdict, verdict, r.Why, strings.Join(told(r, names), "\n"))
	}
	var wanted, got []string
	for _, w := range k.Wants {
		if k.Verdict == "unknown" {
			w.Field = ""
		}
		wanted = append(wanted, line(w.Resource, w.Field, w.Message))
	}
	for _, f := range r.Findings {
		got = append(got, line(name(names, f.Subject), f.Field, f.Message))
	}
	if k.Verdict == "unknown" && len(k.Wants) > 0 {
		for _, g := range r.Gaps {
			got = append(got, line(name(names, g.Subject), "", g.Why))
		}
	}
	slices.Sort(wanted)
	slices.Sort(got)
	if diff := cmp.Diff(wanted, got); diff != "" {
		bad("%s (-wanted +reported):\n%s", r.Control.ID, diff)
	}
	for _, w := range k.Expected {
		if !slices.ContainsFunc(r.Expected, func(g finding.Gap) bool {
			return name(names, g.Subject) == w.Resource && g.Why == w.Message
		}) {
			bad("%s: %s is not expected with %q; expected are %v", r.Control.ID, w.Resource, w.Message, r.Expected)
		}
	}
	prints := map[string]bool{}
	for _, f := range r.Findings {
		if prints[f.Fingerprint] {
			bad("%s: two findings have the fingerprint %s", r.Control.ID, f.Fingerprint)
		}
		prints[f.Fingerprint] = true
	}
	return problems
}

// other holds every control that is not under test to silence, but for the
// overlaps that the case names.
func other(k *kase, r control.Result, names map[string]string) (problems []string) {
	bad := func(format string, args ...any) { problems = append(problems, fmt.Sprintf(format, args...)) }
	var allowed []overlap
	for _, o := range k.Also {
		if o.Control == r.Control.ID {
			allowed = append(allowed, o)
		}
	}
	said := strings.Join(told(r, names), "\n")
	if len(allowed) == 0 {
		if r.Verdict == finding.Fail || r.Verdict == finding.Unknown {
			bad("%s is %s too: %s\n%s\nif that is right, say so in the case: # also %s", r.Control.ID, r.Verdict, r.Why, said, r.Control.ID)
		}
		return problems
	}
	messages := map[string]bool{}
	for _, f := range r.Findings {
		messages[f.Message] = false
	}
	if len(r.Findings) == 0 {
		for _, g := range r.Gaps {
			messages[g.Why] = false
		}
	}
	if len(messages) == 0 && r.Verdict == finding.Unknown {
		messages[r.Why] = false
	}
	for _, o := range allowed {
		hit := false
		for m := range messages {
			if o.Message == "" || o.Message == m {
				messages[m], hit = true, true
			}
		}
		if !hit {
			bad("# also %s: it does not say %q; it is %s: %s\n%s", r.Control.ID, o.Message, r.Verdict, r.Why, said)
		}
	}
	for _, m := range slices.Sorted(maps.Keys(messages)) {
		if !messages[m] {
			bad("%s says %q, which the case does not name", r.Control.ID, m)
		}
	}
	return problems
}

// told returns everything that a result says, one line each.
func told(r control.Result, names map[string]string) []string {
	var out []string
	for _, f := range r.Findings {
		out = append(out, "  fail "+line(name(names, f.Subject), f.Field, f.Message)+" ["+f.Severity.String()+"]")
	}
	for _, g := range r.Gaps {
		out = append(out, "  unknown "+line(name(names, g.Subject), "", g.Why))
	}
	slices.Sort(out)
	return out
}

func line(resource, field, message string) string {
	if field == "" {
		return resource + ": " + strconv.Quote(message)
	}
	return resource + " " + field + ": " + strconv.Quote(message)
}

func name(names map[string]string, r estate.Ref) string {
	if n, ok := names[r.ID]; ok {
		return n
	}
	return r.ID
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
