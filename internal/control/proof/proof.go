// Package proof proves controls by their cases: minimal changes of an estate
// that must lead to a verdict, and to what must be said.
//
// A case is a YAML mapping of resources to fields:
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
package proof

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/eksafe/eksafe/internal/config"
	"github.com/eksafe/eksafe/internal/control"
	"github.com/eksafe/eksafe/internal/estate"
	"github.com/eksafe/eksafe/internal/finding"
	"github.com/eksafe/eksafe/internal/trace"
)

// Now is the time of every audit in a proof.
var Now = time.Date(2026, time.November, 23, 6, 0, 0, 0, time.UTC)

// A Harness proves controls on one estate.
type Harness struct {
	Base     World
	Controls []*control.Control
}

// Secure returns what is wrong with a control on the estate as it stands:
// controls must pass it, and not applicable would mean that it never exercises
// them.
func (h *Harness) Secure() []string {
	e, declared, err := h.Base.build()
	if err != nil {
		return []string{err.Error()}
	}
	var problems []string
	for _, r := range control.Run(trace.New(e), h.Controls, Now, declared) {
		if r.Verdict != finding.Pass || r.Subjects == 0 {
			problems = append(problems, fmt.Sprintf("%s: %s (%d subjects), want pass: %s\n%s",
				r.Control.ID, r.Verdict, r.Subjects, r.Why, strings.Join(told(r, h.Base.Names()), "\n")))
		}
	}
	return problems
}

// Blind denies each kind in turn and returns the controls that take missing
// permission for safety.
func (h *Harness) Blind() []string {
	whole, declared, err := h.Base.build()
	if err != nil {
		return []string{err.Error()}
	}
	var problems []string
	for _, info := range estate.Kinds() {
		readers := h.that(func(c *control.Control) bool { return slices.Contains(c.Reads(), info.Kind) })
		if len(readers) == 0 {
			continue
		}
		e := whole.Blind(info.Kind, "AccessDenied")
		for _, r := range control.Run(trace.New(e), readers, Now, declared) {
			if r.Verdict != finding.Unknown || r.Why == "" {
				problems = append(problems, fmt.Sprintf("%s: %s with %s denied, want unknown with a reason: %s\n%s",
					r.Control.ID, r.Verdict, info.Kind, r.Why, strings.Join(told(r, h.Base.Names()), "\n")))
			}
		}
	}
	return problems
}

// Unasked takes away the source of each kind that a control requires, and
// returns the controls that do not mind.
func (h *Harness) Unasked() []string {
	var problems []string
	for _, info := range estate.Kinds() {
		needy := h.that(func(c *control.Control) bool { return slices.Contains(c.Requires(), info.Kind) })
		if len(needy) == 0 {
			continue
		}
		e, declared, err := h.Base.build(info.Kind)
		if err != nil {
			return []string{err.Error()}
		}
		for _, r := range control.Run(trace.New(e), needy, Now, declared) {
			if r.Verdict != finding.Unknown || r.Why == "" {
				problems = append(problems, fmt.Sprintf("%s: %s when nobody asked for %s, want unknown with a reason", r.Control.ID, r.Verdict, info.Kind))
			}
		}
	}
	return problems
}

func (h *Harness) that(is func(*control.Control) bool) []*control.Control {
	return slices.DeleteFunc(slices.Clone(h.Controls), func(c *control.Control) bool { return !is(c) })
}

func (w World) build(skipped ...estate.Kind) (*estate.Estate, *config.Config, error) {
	e, err := w.Estate(skipped...)
	if err != nil {
		return nil, nil, err
	}
	declared, err := w.Config()
	return e, declared, err
}

// Prove returns what is wrong with a case of a control. An overlap with a
// control that is not among those of the run is passed over: a family may be
// run alone.
func (h *Harness) Prove(c *control.Control, k *Case) []string {
	w, err := h.Base.Mutate(k.Set)
	if err != nil {
		return []string{err.Error()}
	}
	e, declared, err := w.build()
	if err != nil {
		return []string{err.Error()}
	}
	names := w.Names()
	var problems, first []string
	for _, r := range control.Run(trace.New(e), h.Controls, Now, declared) {
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
	if e, err = turned.Estate(); err != nil {
		return append(problems, err.Error())
	}
	again := told(control.Run(trace.New(e), []*control.Control{c}, Now, declared)[0], names)
	if diff := difference(first, again); diff != "" {
		problems = append(problems, fmt.Sprintf("%s depends on the order of resources (-as they stand +reversed):\n%s", c.ID, diff))
	}
	return problems
}

// own compares what the control under test says with what the case wants.
func own(k *Case, r control.Result, names map[string]string) (problems []string) {
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
	if diff := difference(wanted, got); diff != "" {
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
func other(k *Case, r control.Result, names map[string]string) (problems []string) {
	bad := func(format string, args ...any) { problems = append(problems, fmt.Sprintf(format, args...)) }
	var allowed []Overlap
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

// difference returns the lines that only one of two sorted lists has, "" for
// none.
func difference(a, b []string) string {
	var out []string
	for len(a) > 0 || len(b) > 0 {
		switch {
		case len(b) == 0 || len(a) > 0 && a[0] < b[0]:
			out, a = append(out, "- "+a[0]), a[1:]
		case len(a) == 0 || b[0] < a[0]:
			out, b = append(out, "+ "+b[0]), b[1:]
		default:
			a, b = a[1:], b[1:]
		}
	}
	return strings.Join(out, "\n")
}
