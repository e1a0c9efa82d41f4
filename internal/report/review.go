package report

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/eksafe/eksafe/internal/finding"
	"github.com/eksafe/eksafe/internal/history"
	"github.com/eksafe/eksafe/internal/review"
)

// maxExceptions is how many exceptions of one state text shows.
const maxExceptions = 30

// reviewed returns the review, nil where nothing was declared or asked for.
func (r *Report) reviewed() *review.Review {
	if r.Review == nil || r.Review.Config == "" && len(r.Review.Exceptions) == 0 {
		return nil
	}
	return r.Review
}

// accepted says in words who accepted a finding.
func accepted(x *finding.Exception) string {
	words := "accepted until " + x.Expires
	if x.Owner != "" {
		words += " by " + x.Owner
	}
	return fmt.Sprintf("%s (%s): %s", words, x.Source, x.Reason)
}

// exceptionWords says what an exception is and what became of it.
func exceptionWords(x *review.Exception) string {
	what := x.Control + " for " + x.Subject
	if x.Field != "" {
		what += " at " + x.Field
	}
	var b strings.Builder
	b.WriteString(x.Source + ": " + what)
	switch x.State {
	case review.Active:
		fmt.Fprintf(&b, ", %s until %s", plural(x.Findings, "finding"), x.Expires)
	case review.Expired:
		fmt.Fprintf(&b, " expired on %s", x.Expires)
		if x.Findings > 0 {
			fmt.Fprintf(&b, "; %s again", plural(x.Findings, "finding")+" "+noun(x.Findings, "counts", "count"))
		} else {
			b.WriteString("; it matches nothing")
		}
	case review.Unused:
		b.WriteString(" matches no finding; take it out, or mend its words")
	case review.Refused:
		b.WriteString(" does not count: " + x.Why)
	}
	if x.Owner != "" {
		b.WriteString(", by " + x.Owner)
	}
	if x.Reason != "" {
		b.WriteString(": " + x.Reason)
	}
	return b.String()
}

// stateTitles are the headings of exceptions, in the order of reports.
var stateTitles = []struct {
	state        review.State
	title, about string
}{
	{review.Active, "Excepted", "somebody accepted them, and they do not count"},
	{review.Expired, "Expired exceptions", "what they accepted counts again"},
	{review.Unused, "Unused exceptions", "they match nothing"},
	{review.Refused, "Refused exceptions", "annotations that do not count"},
}

// scopeWords says what the audit was limited to, "" if to nothing.
func scopeWords(s *review.Scope) string {
	if s == nil {
		return ""
	}
	var parts []string
	for _, p := range []struct {
		word string
		list []string
	}{{"namespaces", s.Namespaces}, {"not the namespaces", s.ExcludeNamespaces}, {"applications", s.Applications}} {
		if len(p.list) > 0 {
			parts = append(parts, p.word+" "+strings.Join(p.list, ", "))
		}
	}
	return strings.Join(parts, "; ")
}

// beside is what is said of a file that lies in an audited PATH.
const beside = "it lies in an audited PATH: who may change one may change the other"

// A remark is a heading and what it says, in whole lines.
type remark struct {
	Title, About string
	Lines        []string
}

// remarks are what was declared and what came of it: nothing is left out of an
// outcome in silence.
func (r *Report) remarks() []remark {
	var out []remark
	if v := r.reviewed(); v != nil {
		if v.Config != "" {
			m := remark{Title: "Config", About: v.Config, Lines: slices.Clone(v.Notes)}
			if v.Audited {
				m.About += "; " + beside
			}
			out = append(out, m)
		}
		if words := scopeWords(v.Scope); words != "" {
			out = append(out, remark{Title: "Scope", About: words + "; nothing else of the cluster was judged"})
		}
		var lines []string
		for _, d := range v.Disabled {
			lines = append(lines, fmt.Sprintf("%s: %s: %s", d.Source, d.ID, d.Reason))
		}
		if len(lines) > 0 {
			out = append(out, remark{"Disabled", plural(len(lines), "control") + " that nobody ran", lines})
		}
		lines = nil
		for _, s := range v.Severities {
			words := fmt.Sprintf("%s: %s is %s, not %s", s.Source, s.ID, s.Is, s.Was)
			if s.Reason != "" {
				words += ": " + s.Reason
			}
			lines = append(lines, words)
		}
		if len(lines) > 0 {
			out = append(out, remark{"Severities", plural(len(lines), "control") + " of another severity than eksafe gives", lines})
		}
		for _, t := range stateTitles {
			m := remark{Title: t.title, About: t.about}
			n := 0
			for _, x := range v.Exceptions {
				if x.State == t.state {
					m.Lines = append(m.Lines, exceptionWords(x))
					n += x.Findings
				}
			}
			if t.state == review.Active && n > 0 {
				m.About = plural(n, "finding") + "; " + t.about
			}
			if len(m.Lines) > 0 {
				out = append(out, m)
			}
		}
	}
	if b := r.Baseline; b != nil {
		m := remark{Title: "Baseline", About: fmt.Sprintf("%s: %s new, %s known, %s gone", b.File, thousands(b.New), thousands(b.Known), thousands(len(b.Gone)))}
		if n := len(b.Unjudged); n > 0 {
			m.About += fmt.Sprintf(", %s that nobody could judge this time", thousands(n))
		}
		for _, e := range b.Gone {
			m.Lines = append(m.Lines, strings.TrimSpace(fmt.Sprintf("gone: %s for %s %s", e.Control, e.Subject, e.Field)))
		}
		out = append(out, m)
	}
	if h := r.History; h != nil {
		out = append(out, historyRemarks(h)...)
	}
	if m, ok := r.reportedRemark(); ok {
		out = append(out, m)
	}
	return out
}

func historyRemarks(h *history.Change) []remark {
	var out []remark
	since := "the first audit of these sources in " + h.Dir
	if h.Since != nil {
		since = fmt.Sprintf("since %s: %s worse, %s better", h.Since.UTC().Format(time.RFC3339), plural(len(h.Worse), "control"), thousands(len(h.Better)))
		if len(h.Worse)+len(h.Better) == 0 {
			since = fmt.Sprintf("since %s: nothing got better or worse", h.Since.UTC().Format(time.RFC3339))
		}
	}
	m := remark{Title: "History", About: since}
	say := func(word string, steps []history.Step) {
		for _, s := range steps {
			words := word + ": " + s.Control
			if s.Was != s.Is {
				words += fmt.Sprintf(", %s was %s", s.Is, s.Was)
			}
			var n []string
			if s.New > 0 {
				n = append(n, plural(s.New, "new finding"))
			}
			if s.Gone > 0 {
				n = append(n, plural(s.Gone, "finding")+" gone")
			}
			if len(n) > 0 {
				words += ", " + strings.Join(n, ", ")
			}
			m.Lines = append(m.Lines, words)
		}
	}
	say("worse", h.Worse)
	say("better", h.Better)
	for _, d := range h.Damaged {
		m.Lines = append(m.Lines, fmt.Sprintf("passed over %s: %s", d.File, d.Why))
	}
	return append(out, m)
}

// remarks writes them, each with as much as a screen holds.
func (t *text) remarks() {
	for _, m := range t.report.remarks() {
		t.row([]span{{m.Title + ": ", bold}}, []span{{"  ", regular}}, t.safe(m.About), regular, nil)
		for _, line := range m.Lines[:min(len(m.Lines), maxExceptions)] {
			t.row([]span{{"  ", regular}}, []span{{"    ", regular}}, t.safe(line), regular, nil)
		}
		if n := len(m.Lines) - maxExceptions; n > 0 {
			t.line(span{"  and " + thousands(n) + " more: " + t.safe(t.report.command("-o", "json")), dim})
		}
	}
}

// aside says in quiet text what does not decide the outcome: even there nothing
// is left out in silence.
func (t *text) aside() {
	var parts []string
	if n := t.counts.accepted; n > 0 {
		parts = append(parts, thousands(n)+" excepted")
	}
	if n := t.counts.known; n > 0 {
		parts = append(parts, thousands(n)+" known in "+t.safe(t.report.Baseline.File))
	}
	if v := t.report.reviewed(); v != nil && len(v.Disabled) > 0 {
		parts = append(parts, plural(len(v.Disabled), "control")+" disabled")
	}
	if len(parts) > 0 {
		t.row([]span{{"Not shown: ", bold}}, []span{{"  ", regular}}, strings.Join(parts, ", "), dim, nil)
	}
}

// owners says who answers for the subjects of a cause.
func (g *causeGroup) owners() string {
	seen := map[string]bool{}
	others := false
	for _, f := range g.members {
		if f.Owner != "" {
			seen[f.Owner] = true
		} else {
			others = true
		}
	}
	var names []string
	for name := range sortedKeys(seen) {
		names = append(names, name)
	}
	if n := len(names) - 3; n > 0 {
		names = append(names[:3], fmt.Sprintf("%d more", n))
	}
	if len(names) == 0 {
		return ""
	}
	if others {
		names = append(names, "others")
	}
	return noun(len(names), "team") + " " + strings.Join(names, ", ")
}
