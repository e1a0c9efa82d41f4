// Package report writes what an audit found: text for people, JSON and SARIF
// for machines, and one self-contained HTML page. It judges nothing and adds no
// fact: all formats show the same estate, paths and findings. Names from the
// input are hostile until a format has escaped them.
package report

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/eksafe/eksafe/internal/baseline"
	"github.com/eksafe/eksafe/internal/control"
	"github.com/eksafe/eksafe/internal/estate"
	"github.com/eksafe/eksafe/internal/finding"
	"github.com/eksafe/eksafe/internal/history"
	"github.com/eksafe/eksafe/internal/review"
	"github.com/eksafe/eksafe/internal/trace"
)

// A Report is one audit, ready to be written in any format.
type Report struct {
	GeneratedAt time.Time
	ToolVersion string
	// Args are the arguments that chose the sources, for commands that go on:
	// "examples/shop", "--aws".
	Args    []string
	Graph   *trace.Graph
	Results []control.Result
	// Describe returns what is known of a control beyond its value. It may be
	// nil.
	Describe func(controlID string) Description
	// Review is what the people of the estate declared, and what came of it;
	// nil where nothing was.
	Review *review.Review
	// Baseline is nil where the audit was given none.
	Baseline *baseline.Comparison
	// History is nil where no results are kept.
	History *history.Change
}

// A Description is the documentation of one control.
type Description struct {
	Family string // "transit", "rest", "network" …
	Prose  string // Markdown
	URL    string // of the reference page, empty when there is none
}

// OnPath reports whether findings of the control's family may hang on a hop:
// whether data is encrypted is what a hop says.
func (d Description) OnPath() bool { return d.Family == "transit" || d.Family == "rest" }

func (r *Report) describe(id string) Description {
	if r.Describe == nil {
		return Description{}
	}
	return r.Describe(id)
}

func (r *Report) applications() []*trace.Application {
	if r.Graph == nil {
		return nil
	}
	return r.Graph.Applications
}

func (r *Report) sources() []estate.Source {
	if r.Graph == nil || r.Graph.Estate == nil {
		return nil
	}
	return r.Graph.Estate.Sources
}

// counts are the figures of a report's summary.
type counts struct {
	pass, fail, unknown, notApplicable, excepted int
	severities                                   map[finding.Severity]int // of findings that nobody accepted
	deciding                                     map[finding.Severity]int // of those that decide
	findings, accepted, known                    int
}

func (r *Report) count() counts {
	c := counts{severities: map[finding.Severity]int{}, deciding: map[finding.Severity]int{}}
	for _, res := range r.Results {
		switch res.Verdict {
		case finding.Pass:
			c.pass++
		case finding.Fail:
			c.fail++
		case finding.NotApplicable:
			c.notApplicable++
		case finding.Excepted:
			c.excepted++
		default:
			c.unknown++
		}
		for i := range res.Findings {
			f := &res.Findings[i]
			switch {
			case f.Exception != nil:
				c.accepted++
				continue
			case f.Baseline == finding.Known:
				c.known++
			default:
				c.deciding[f.Severity]++
			}
			c.severities[f.Severity]++
			c.findings++
		}
	}
	return c
}

// Tool is the name under which machines know this program.
const Tool = "eksafe"

// command returns the command line that audits the sources of the report.
func (r *Report) command(more ...string) string {
	words := slices.Concat([]string{Tool, "audit"}, r.Args, more)
	for i, w := range words {
		words[i] = shellWord(w)
	}
	return strings.Join(words, " ")
}

// shellWord quotes w where a shell would read it as more or less than a word.
func shellWord(w string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-_./:=,@+%", r)
	}
	if w != "" && strings.IndexFunc(w, func(r rune) bool { return !plain(r) }) < 0 {
		return w
	}
	return "'" + strings.ReplaceAll(w, "'", `'\''`) + "'"
}

// A gapGroup is one reason why something could not be judged.
type gapGroup struct {
	Why      string
	Controls []string // sorted; those that nobody could judge first
	Unknown  int      // how many of Controls have the verdict unknown
	Subjects []estate.Ref
}

// gapGroups groups all that could not be judged by its reason: the reason of
// most controls first.
func (r *Report) gapGroups() []gapGroup {
	index := map[string]*gapGroup{}
	seen := map[[2]string]bool{}
	add := func(why string, res *control.Result, subject estate.Ref) {
		g := index[why]
		if g == nil {
			g = &gapGroup{Why: why}
			index[why] = g
		}
		if key := [2]string{why, res.Control.ID}; !seen[key] {
			seen[key] = true
			g.Controls = append(g.Controls, res.Control.ID)
			if res.Verdict == finding.Unknown {
				g.Unknown++
			}
		}
		if !subject.IsZero() {
			g.Subjects = append(g.Subjects, subject)
		}
	}
	for i := range r.Results {
		res := &r.Results[i]
		if res.Verdict == finding.Unknown && (len(res.Gaps) == 0 || !strings.HasPrefix(res.Why, res.Gaps[0].Why)) {
			add(res.Why, res, estate.Ref{})
		}
		for _, g := range res.Gaps {
			add(g.Why, res, g.Subject)
		}
	}
	out := make([]gapGroup, 0, len(index))
	for _, g := range index {
		slices.Sort(g.Controls)
		slices.SortFunc(g.Subjects, estate.Ref.Compare)
		g.Subjects = slices.Compact(g.Subjects)
		out = append(out, *g)
	}
	slices.SortFunc(out, func(a, b gapGroup) int {
		return cmp.Or(cmp.Compare(b.Unknown, a.Unknown), cmp.Compare(len(b.Controls), len(a.Controls)), cmp.Compare(a.Why, b.Why))
	})
	return out
}
