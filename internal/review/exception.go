package review

import (
	"cmp"
	"slices"
	"time"

	"github.com/eksafe/eksafe/internal/config"
	"github.com/eksafe/eksafe/internal/estate"
	"github.com/eksafe/eksafe/internal/finding"
)

// A State says what became of an exception.
type State string

const (
	Active  State = "active"  // it accepted findings
	Unused  State = "unused"  // it matched none: take it out, or it was misspelt
	Expired State = "expired" // its day is over: what it matched counts again
	Refused State = "refused" // an annotation that may not ask, or that cannot be read
)

// An Exception is one that somebody asked for, and what became of it.
type Exception struct {
	Control  string `json:"control"` // ID or pattern
	Subject  string `json:"subject"` // ID or pattern
	Field    string `json:"field,omitempty"`
	Reason   string `json:"reason"`
	Owner    string `json:"owner,omitempty"`
	Expires  string `json:"expires,omitempty"`
	Source   string `json:"source"`
	State    State  `json:"state"`
	Why      string `json:"why,omitempty"` // it was refused
	Findings int    `json:"findings"`      // accepted, or when expired: that were

	control, subject, field config.Pattern
}

func (x *Exception) compile() {
	x.control, x.subject, x.field = config.Compile(x.Control), config.Compile(x.Subject), config.Compile(cmp.Or(x.Field, "*"))
}

// exceptions are all that were asked for, those of the file first.
type exceptions struct {
	all []*Exception
	// Most exceptions name one subject or, from annotations, are one of
	// thousands: a finding asks its own subject's, and the few with stars.
	exact map[string][]*Exception // by subject
	stars []*Exception
}

func newExceptions(r *Review, e *estate.Estate, declared *config.Config, o *owners, now time.Time) *exceptions {
	x := &exceptions{exact: map[string][]*Exception{}}
	for _, d := range declared.Exceptions {
		x.all = append(x.all, &Exception{
			Control: d.Control, Subject: d.Subject, Field: d.Field, Reason: d.Reason, Owner: d.Owner, Expires: d.Expires,
			Source: source(r.Config, d.Line),
		})
	}
	x.all = append(x.all, annotated(e, config.CompileAll(declared.Annotations.AllowExceptions), o)...)
	for _, a := range x.all {
		switch {
		case a.State == Refused:
			continue
		case config.Expired(a.Expires, now):
			a.State = Expired
		default:
			a.State = Unused
		}
		a.compile()
		if id, ok := a.subject.Literal(); ok {
			x.exact[id] = append(x.exact[id], a)
		} else {
			x.stars = append(x.stars, a)
		}
	}
	return x
}

// list returns the exceptions as reports show them: as they are written.
func (x *exceptions) list() []*Exception { return x.all }

// of returns the exceptions of one control.
func (x *exceptions) of(controlID string) *matching {
	m := &matching{control: controlID, exact: x.exact}
	for _, a := range x.stars {
		if a.control.Match(controlID) {
			m.stars = append(m.stars, a)
		}
	}
	return m
}

type matching struct {
	control string
	exact   map[string][]*Exception
	stars   []*Exception
}

// accept returns the exception that holds for the finding, nil if none does.
// One that is expired learns that it would have.
func (m *matching) accept(f *finding.Finding) *finding.Exception {
	var late *Exception
	for _, list := range [][]*Exception{m.exact[f.Subject.ID], m.stars} {
		for _, a := range list {
			if !a.control.Match(m.control) || !a.subject.Match(f.Subject.ID) || !a.field.Match(f.Field) {
				continue
			}
			if a.State == Expired {
				late = cmp.Or(late, a)
				continue
			}
			a.State = Active
			a.Findings++
			return &finding.Exception{Reason: a.Reason, Owner: a.Owner, Expires: a.Expires, Source: a.Source}
		}
	}
	if late != nil {
		late.Findings++
	}
	return nil
}

// Count returns how many exceptions have the state.
func (r *Review) Count(s State) int {
	n := 0
	for _, x := range r.Exceptions {
		if x.State == s {
			n++
		}
	}
	return n
}

// sortExceptions orders those of annotations, which come in no order.
func sortExceptions(xs []*Exception) {
	slices.SortFunc(xs, func(a, b *Exception) int {
		return cmp.Or(cmp.Compare(a.Subject, b.Subject), cmp.Compare(a.Control, b.Control), cmp.Compare(a.Reason, b.Reason), cmp.Compare(a.Expires, b.Expires))
	})
}
