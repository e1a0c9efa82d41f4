// Package review is the results of an audit as the people of the estate live
// with them: with their severities, their owners, and the findings that somebody
// accepted until a day. It judges nothing and hides nothing: what it takes out
// of the outcome, it lists.
package review

import (
	"slices"
	"time"

	"github.com/eksafe/eksafe/internal/config"
	"github.com/eksafe/eksafe/internal/control"
	"github.com/eksafe/eksafe/internal/estate"
	"github.com/eksafe/eksafe/internal/finding"
	"github.com/eksafe/eksafe/internal/trace"
)

// A Review says what was declared and what came of it. The zero value is that
// of an audit without a file.
type Review struct {
	Config     string       `json:"config"`            // the file, "" without one
	Audited    bool         `json:"audited,omitempty"` // the file lies in an audited PATH
	Notes      []string     `json:"notes,omitempty"`   // on the file
	Scope      *Scope       `json:"scope,omitempty"`
	Disabled   []Disabled   `json:"disabled,omitempty"`
	Severities []Severity   `json:"severities,omitempty"`
	Exceptions []*Exception `json:"exceptions,omitempty"`
}

// A Scope is what the audit was limited to.
type Scope struct {
	Namespaces        []string `json:"namespaces,omitempty"`
	ExcludeNamespaces []string `json:"excludeNamespaces,omitempty"`
	Applications      []string `json:"applications,omitempty"`
}

// A Disabled is a control that was not run.
type Disabled struct {
	Control *control.Control `json:"-"`
	ID      string           `json:"control"`
	Reason  string           `json:"reason"`
	Source  string           `json:"source"`
}

// A Severity is that of a control which the estate's people changed.
type Severity struct {
	ID     string           `json:"control"`
	Was    finding.Severity `json:"was"`
	Is     finding.Severity `json:"is"`
	Reason string           `json:"reason,omitempty"`
	Source string           `json:"source"`
}

// New reviews what a file declares before anything is judged. It returns the
// controls to run, with their declared severities.
func New(file string, declared *config.Config, controls []*control.Control) (*Review, []*control.Control) {
	r := &Review{Config: file}
	if s := declared.Scope; len(s.Namespaces)+len(s.ExcludeNamespaces)+len(s.Applications) > 0 {
		r.Scope = &Scope{s.Namespaces, s.ExcludeNamespaces, s.Applications}
	}
	overrides := map[string]*config.Override{}
	for i := range declared.Controls {
		overrides[declared.Controls[i].ID] = &declared.Controls[i]
	}
	var run []*control.Control
	for _, c := range controls {
		o := overrides[c.ID]
		switch {
		case o == nil:
			run = append(run, c)
		case o.Disabled:
			r.Disabled = append(r.Disabled, Disabled{c, c.ID, o.Reason, source(file, o.Line)})
		case o.Severity == nil || *o.Severity == c.Severity:
			run = append(run, c)
		default:
			changed := *c
			changed.Severity = *o.Severity
			run = append(run, &changed)
			r.Severities = append(r.Severities, Severity{c.ID, c.Severity, *o.Severity, o.Reason, source(file, o.Line)})
		}
	}
	return r, run
}

func source(file string, line int) string {
	return finding.Location{File: file, Line: line}.String()
}

// Apply returns the results with owners and exceptions, as of now, and records
// in the review what each exception came to. Results are not changed.
func (r *Review) Apply(g *trace.Graph, results []control.Result, declared *config.Config, now time.Time) []control.Result {
	owners := newOwners(g, declared.Owners)
	x := newExceptions(r, g.Estate, declared, owners, now)
	out := slices.Clone(results)
	for i := range out {
		res := &out[i]
		if len(res.Findings) == 0 {
			continue
		}
		res.Findings = slices.Clone(res.Findings)
		matching := x.of(res.Control.ID)
		excepted := 0
		for j := range res.Findings {
			f := &res.Findings[j]
			f.Owner = owners.of(f.Subject)
			if f.Exception = matching.accept(f); f.Exception != nil {
				excepted++
			}
		}
		if excepted == len(res.Findings) {
			res.Verdict, res.Why = exceptedVerdict(res)
		}
	}
	r.Exceptions = x.list()
	return out
}

// exceptedVerdict is that of a control whose findings are all accepted. What
// could not be judged stays unknown: nobody can accept what nobody saw.
func exceptedVerdict(res *control.Result) (finding.Verdict, string) {
	switch {
	case res.Unread != "":
		return finding.Unknown, res.Unread
	case len(res.Gaps) > 0:
		return finding.Unknown, res.Gaps[0].Why
	}
	return finding.Excepted, ""
}

// owners are the teams of namespaces.
type owners struct {
	teams  []team
	homes  map[estate.Ref][]string
	cached map[string]string // by namespace
}

type team struct {
	namespaces config.Patterns
	name       string
}

func newOwners(g *trace.Graph, declared []config.Owner) *owners {
	o := &owners{cached: map[string]string{}}
	if len(declared) == 0 {
		return o
	}
	o.homes = control.Homes(g)
	for _, d := range declared {
		o.teams = append(o.teams, team{config.CompileAll(d.Namespaces), d.Team})
	}
	return o
}

// of returns the first team whose namespaces match, "" if it is not known.
func (o *owners) of(ref estate.Ref) string {
	if len(o.teams) == 0 {
		return ""
	}
	ns := control.NamespaceOf(ref)
	if homes := o.homes[ref]; ns == "" && len(homes) > 0 {
		ns = homes[0]
	}
	if ns == "" {
		return ""
	}
	name, ok := o.cached[ns]
	if !ok {
		if i := slices.IndexFunc(o.teams, func(t team) bool { return t.namespaces.Match(ns) }); i >= 0 {
			name = o.teams[i].name
		}
		o.cached[ns] = name
	}
	return name
}
