// Package own reads the controls that users write themselves: expressions in CEL
// over the kinds of the estate, with the cases that prove them.
//
// What an expression asks for and no source knows gives unknown, never a pass.
// Expressions are bounded in size and cost and reach nothing but the estate.
package own

import (
	"strings"
	"unicode"

	"cel.dev/cel-go/common/types"

	"github.com/eksafe/eksafe/internal/control"
	"github.com/eksafe/eksafe/internal/control/proof"
	"github.com/eksafe/eksafe/internal/estate"
)

// FamilyID is the family of every own control.
const FamilyID = "own"

// FamilyTitle is what stands above them in lists.
const FamilyTitle = "Your own controls"

// maxMessage bounds what an expression may say of a subject.
const maxMessage = 500

// A Control is one control of a file.
type Control struct {
	*control.Control
	File  string
	Line  int
	Prose string // Markdown

	empty bool        // cases begin with an empty estate, not with the secure one
	given *proof.Case // what every case begins with; nil for nothing
	cases []Case
}

// A Case is one change of an estate that proves a control.
type Case struct {
	*proof.Case
	Line int // of the file
}

// expressions are those of one control.
type expressions struct {
	kind           estate.KindInfo
	also           []estate.KindInfo
	where, pass    *program
	message        string
	messageProgram *program // nil: message
	field          string
}

// check returns the check that asks the expressions.
func (x *expressions) check() control.Check {
	var needed []estate.Kind
	for _, k := range x.also {
		needed = append(needed, k.Kind)
	}
	return control.EachOf(x.kind, x.judge, needed...)
}

func (x *expressions) judge(s *control.Subject, item estate.Item) {
	also := map[estate.Kind][]estate.Item{}
	for _, k := range x.also {
		also[k.Kind] = control.AllOf(s, k)
	}
	if x.where != nil {
		concerned, err := x.where.run(item, also, s.Now())
		if err != nil {
			s.Unknownf("whether it is concerned cannot be said: %v", err)
			return
		}
		if concerned != types.True {
			s.NotApplicable()
			return
		}
	}
	met, err := x.pass.run(item, also, s.Now())
	if err != nil {
		s.Unknownf("%v", err)
		return
	}
	if met == types.True {
		return
	}
	message := x.message
	if x.messageProgram != nil {
		// What is wrong is known; that it cannot be said well changes nothing.
		if said, err := x.messageProgram.run(item, also, s.Now()); err == nil {
			if text, ok := said.(types.String); ok && text != "" {
				message = bounded(string(text))
			}
		}
	}
	s.Failf(fieldOf(item, x.field), "%s", message)
}

// fieldOf returns a field in the words of the manifest: the pod template stands
// elsewhere in each controller.
func fieldOf(item estate.Item, field string) string {
	if w, ok := item.Object.(*estate.Workload); ok {
		if rest, ok := strings.CutPrefix(field, "template."); ok {
			return w.TemplateField(rest)
		}
	}
	return field
}

// bounded returns text of an estate as one short line.
func bounded(s string) string {
	var b strings.Builder
	for _, r := range s {
		if b.Len() >= maxMessage {
			b.WriteString("…")
			break
		}
		if !unicode.IsPrint(r) {
			r = ' '
		}
		b.WriteRune(r)
	}
	return b.String()
}

// Cases returns the cases that prove the control.
func (c *Control) Cases() []Case { return c.cases }

// A Flaw is what a proof found, and where in the file.
type Flaw struct {
	Line int
	Case string // "" for the control as a whole
	What string
}

// Prove runs the cases of the control and returns what is wrong. The estate as it
// is given must pass, so that a case shows what its change does; and a kind that
// could not be read must give unknown.
func (c *Control) Prove() []Flaw {
	var base proof.World
	if !c.empty {
		secure, err := proof.Secure()
		if err != nil {
			return []Flaw{{c.Line, "", err.Error()}}
		}
		base = secure
	}
	if c.given != nil {
		changed, err := base.Mutate(c.given.Set)
		if err != nil {
			return []Flaw{{c.Line, "given", err.Error()}}
		}
		base = changed
	}
	h := &proof.Harness{Base: base, Controls: []*control.Control{c.Control}}
	var flaws []Flaw
	if !c.empty {
		for _, problem := range h.Secure() {
			flaws = append(flaws, Flaw{c.Line, "", problem + "\nthe estate must pass before a case changes it: say in given what it lacks, or begin with estate: empty"})
		}
	}
	for _, problem := range append(h.Blind(), h.Unasked()...) {
		flaws = append(flaws, Flaw{c.Line, "", problem})
	}
	for _, k := range c.cases {
		for _, problem := range h.Prove(c.Control, k.Case) {
			flaws = append(flaws, Flaw{k.Line, strings.TrimSuffix(k.Name, ".yaml"), problem})
		}
	}
	return flaws
}
