// Package control defines the controls: requirements that an estate should
// meet. It judges what sources read and traces follow, and never guesses: a
// control that needs something which was not read is unknown.
//
// A control is a plain value, one to a file. Beside each file <id>.txtar holds its
// documentation and the mutations of the secure estate that must break it.
package control

import (
	"fmt"
	"slices"
	"time"

	"github.com/eksafe/eksafe/internal/config"
	"github.com/eksafe/eksafe/internal/estate"
	"github.com/eksafe/eksafe/internal/finding"
	"github.com/eksafe/eksafe/internal/trace"
)

// The severities, for the declarations of controls.
const (
	Low      = finding.Low
	Medium   = finding.Medium
	High     = finding.High
	Critical = finding.Critical
)

// A Control is one requirement that every subject in an estate must meet.
type Control struct {
	ID       string           // kebab-case, the file's name with "_" for "-", never reused
	Title    string           // the requirement, as a statement that should hold
	Severity finding.Severity // of missing it, before exposure is known
	Refs     []Ref            // where the requirement is written down
	Serves   []string         // numbers of the requirements that it serves, "S4"
	Since    string           // release that introduced it
	Formerly []string         // IDs it had before
	Check    Check
	// Admission is the twin for the API server; nil where one object alone does
	// not tell.
	Admission *Admission
}

// Reads returns the kinds that the control needs.
func (c *Control) Reads() []estate.Kind {
	return slices.Concat(c.Check.subjects, c.Check.required, c.Check.helped)
}

// Requires returns the kinds without which the control can judge nothing.
func (c *Control) Requires() []estate.Kind { return slices.Clone(c.Check.required) }

// A Check judges an estate. Build one with Each or Traced.
type Check struct {
	subjects []estate.Kind // hold the subjects
	required []estate.Kind // without them nothing can be judged
	helped   []estate.Kind // a judge copes without them; denied, they still forbid a pass
	judge    func(*world, *recorder)
}

// Each returns a Check that judges the resources of c one at a time. Each kind
// in required must have been read.
func Each[T any](c estate.Collection[T], judge func(*Subject, T), required ...estate.Kind) Check {
	return Check{
		subjects: []estate.Kind{c.Kind},
		required: required,
		judge: func(w *world, r *recorder) {
			for _, item := range c.In(w.estate) {
				r.subject(w, trace.Place{Subject: c.Ref(item), Origin: c.Origin(item)}, func(s *Subject) { judge(s, item) })
			}
		},
	}
}

// EachOf is Each for a kind that is known by name alone.
func EachOf(kind estate.KindInfo, judge func(*Subject, estate.Item), required ...estate.Kind) Check {
	return Check{
		subjects: []estate.Kind{kind.Kind},
		required: required,
		judge: func(w *world, r *recorder) {
			for _, item := range kind.Items(w.estate) {
				r.subject(w, trace.Place{Subject: item.Ref, Origin: item.Origin}, func(s *Subject) { judge(s, item) })
			}
		},
	}
}

// Traced returns a Check that judges what the trace lists, one at a time: load
// balancers, listeners, hops. The subjects come from kinds; it is enough that
// one of them was read, as a predicted load balancer needs no AWS. place
// returns the place that stands for the subject.
func Traced[T any](list func(*trace.Graph) []T, place func(T) trace.Place, judge func(*Subject, T), kinds ...estate.Kind) Check {
	return Check{
		subjects: kinds,
		judge: func(w *world, r *recorder) {
			for _, item := range list(w.graph) {
				r.subject(w, place(item), func(s *Subject) { judge(s, item) })
			}
		},
	}
}

// Whole returns a Check with one subject: what is true of the estate as a
// whole, such as how many administrators it has. place returns what stands for
// it, and false where the estate has none. Each kind in required must have been
// read.
func Whole(place func(*estate.Estate) (trace.Place, bool), judge func(*Subject), required ...estate.Kind) Check {
	return Check{
		subjects: required[:1:1],
		required: required,
		judge: func(w *world, r *recorder) {
			p, ok := place(w.estate)
			if !ok {
				return
			}
			r.subject(w, p, judge)
		},
	}
}

// Helped returns the check with kinds that its judge asks for but copes
// without when they were not asked for. A denied one forbids a pass.
func (c Check) Helped(kinds ...estate.Kind) Check {
	c.helped = append(slices.Clone(c.helped), kinds...)
	return c
}

// Needs returns the check with kinds without which its judge can judge nothing.
func (c Check) Needs(kinds ...estate.Kind) Check {
	c.required = slices.Concat(c.required, kinds)
	return c
}

// And returns a check of the subjects of both.
func (c Check) And(o Check) Check {
	judge := c.judge
	return Check{
		subjects: slices.Concat(c.subjects, o.subjects),
		required: slices.Concat(c.required, o.required),
		helped:   slices.Concat(c.helped, o.helped),
		judge: func(w *world, r *recorder) {
			judge(w, r)
			o.judge(w, r)
		},
	}
}

// Where returns the check limited to estates for which applies is true;
// elsewhere the control is not applicable, with applies' reason.
func (c Check) Where(applies func(*trace.Graph) (bool, string)) Check {
	inner := c.judge
	c.judge = func(w *world, r *recorder) {
		if ok, why := applies(w.graph); !ok {
			r.why = why
			return
		}
		inner(w, r)
	}
	return c
}

// A Subject is what is under judgement.
type Subject struct {
	place    trace.Place
	world    *world
	rec      *recorder
	skipped  bool
	expected string
	raised   raise
	facing   []estate.Ref
}

// A raise is a severity above the control's own, and why.
type raise struct {
	to  finding.Severity
	why string
}

// Ref returns the subject's identity.
func (s *Subject) Ref() estate.Ref { return s.place.Subject }

// Now returns the time of the audit.
func (s *Subject) Now() time.Time { return s.world.now }

// Config returns what users declare of the estate, never nil.
func (s *Subject) Config() *config.Config { return s.world.config }

// Graph returns the traces of the estate.
func (s *Subject) Graph() *trace.Graph { return s.world.graph }

// Failf reports that the subject misses the control because of field.
func (s *Subject) Failf(field, format string, args ...any) {
	p := s.place
	p.Field = field
	s.FailAt(p, format, args...)
}

// FailAt reports that the control is missed at a place of another resource: the
// load balancer's subject may be the annotation of its Ingress.
func (s *Subject) FailAt(p trace.Place, format string, args ...any) {
	if p.Subject.IsZero() {
		p = trace.Place{Subject: s.place.Subject, Origin: s.place.Origin, Field: p.Field}
	}
	s.rec.fail(s.world, p, fmt.Sprintf(format, args...), s.raised, s.facing)
}

// Raise says that whatever the subject misses from here on weighs more than
// the control's severity, and why: "alice is an administrator". The reason
// stands in the context of the findings. A severity that is not above the
// control's own changes nothing.
func (s *Subject) Raise(to finding.Severity, format string, args ...any) {
	s.raised = raise{to, fmt.Sprintf(format, args...)}
}

// Facing says that whatever the subject misses from here on is of use only to who
// reaches these endpoints over the network: a plaintext port, a public address. If
// every reading isolates all of them the findings weigh one step less. What is
// stolen in other ways (with rights in AWS, out of a volume, by what a pod itself
// fetches) faces nobody.
func (s *Subject) Facing(endpoints ...estate.Ref) { s.facing = endpoints }

// Unknownf says that the subject cannot be judged, and why: "what is missing".
func (s *Subject) Unknownf(format string, args ...any) {
	s.rec.gaps = append(s.rec.gaps, finding.Gap{Subject: s.place.Subject, Why: fmt.Sprintf(format, args...)})
}

// NotApplicable says that the requirement does not concern the subject. It
// does not count.
func (s *Subject) NotApplicable() { s.skipped = true }

// NotWanted says that users declare the requirement as none of theirs, and how:
// what they declare holds for the whole estate, so no subject counts.
func (s *Subject) NotWanted(why string) { s.skipped, s.rec.why = true, why }

// Expected says that the subject misses the requirement by design: a workload
// of AWS or the platform that must run so. It is reported in one line and does
// not count.
func (s *Subject) Expected(why string) { s.skipped, s.expected = true, why }

// Read reports whether kind was read completely. It panics if the control did
// not declare it: an undeclared read would turn missing data into a pass.
func (s *Subject) Read(kind estate.Kind) bool {
	s.world.declared(s.rec.control, kind)
	return s.world.estate.Coverage(kind).State == estate.Read
}

// All returns the resources of a collection. It panics if the control did not
// declare the kind.
func All[T any](s *Subject, c estate.Collection[T]) []T {
	s.world.declared(s.rec.control, c.Kind)
	return c.In(s.world.estate)
}

// AllOf is All for a kind that is known by name alone.
func AllOf(s *Subject, kind estate.KindInfo) []estate.Item {
	s.world.declared(s.rec.control, kind.Kind)
	return kind.Items(s.world.estate)
}

// Find returns the resource of a collection with the ID or, where names are
// unique, the name key. It panics if the control did not declare the kind.
func Find[T any](s *Subject, c estate.Collection[T], key string) (item T, ok bool) {
	s.world.declared(s.rec.control, c.Kind)
	i, ok := s.world.index(c.Kind, byName(s.world.estate, c))[key]
	if !ok {
		return item, false
	}
	return c.In(s.world.estate)[i], true
}

// byName returns a function that finds the resources of a collection by ID and
// by name.
func byName[T any](e *estate.Estate, c estate.Collection[T]) func() map[string]int {
	return func() map[string]int {
		items := c.In(e)
		m := make(map[string]int, 2*len(items))
		for i, it := range items {
			ref := c.Ref(it)
			m[ref.ID] = i
			if _, taken := m[ref.Name]; !taken {
				m[ref.Name] = i
			}
		}
		return m
	}
}
