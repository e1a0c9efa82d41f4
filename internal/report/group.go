package report

import (
	"cmp"
	"regexp"
	"slices"
	"strings"

	"github.com/eksafe/eksafe/internal/estate"
	"github.com/eksafe/eksafe/internal/finding"
	"github.com/eksafe/eksafe/internal/trace"
)

// A causeGroup is one thing to mend: all findings at one field of one subject,
// or the same shortcoming of many subjects that were made alike.
type causeGroup struct {
	lead     *finding.Finding
	controls []string // of the lead first
	members  []*finding.Finding
	subjects int
	exposure trace.Exposure
	// more counts groups of the same control in other words that were folded
	// into this one, and moreSubjects their subjects.
	more, moreSubjects int
}

// causes groups the findings of all results for which keep is true by root
// cause: the most severe first, then the most exposed, then what most subjects
// share.
func (r *Report) causes(keep func(*finding.Finding) bool) []*causeGroup {
	type place struct {
		subject estate.Ref
		field   string
		message string // only where there is no field
	}
	type cause struct{ controls, message string }
	spots := map[place][]*finding.Finding{}
	var order []place
	for i := range r.Results {
		res := &r.Results[i]
		for j := range res.Findings {
			f := &res.Findings[j]
			if !keep(f) {
				continue
			}
			at := place{subject: f.Subject, field: f.Field}
			if f.Field == "" {
				at.message = f.Control + "\x00" + f.Message
			}
			if spots[at] == nil {
				order = append(order, at)
			}
			spots[at] = append(spots[at], f)
		}
	}
	exposures := r.exposures()
	groups := map[cause]*causeGroup{}
	var out []*causeGroup
	for _, at := range order {
		fs := spots[at]
		slices.SortStableFunc(fs, func(a, b *finding.Finding) int { return cmp.Compare(b.Severity, a.Severity) })
		var ids []string
		for _, f := range fs {
			if !slices.Contains(ids, f.Control) {
				ids = append(ids, f.Control)
			}
		}
		key := cause{strings.Join(ids, " "), anonymous(fs[0].Message, at.subject)}
		g := groups[key]
		if g == nil {
			g = &causeGroup{lead: fs[0], controls: ids}
			groups[key] = g
			out = append(out, g)
		}
		exposure := exposures[at.subject]
		if fs[0].Severity > g.lead.Severity || fs[0].Severity == g.lead.Severity && exposure > g.exposure {
			g.lead = fs[0]
		}
		g.exposure = max(g.exposure, exposure)
		g.members = append(g.members, fs...)
	}
	for _, g := range out {
		subjects := map[estate.Ref]bool{}
		for _, f := range g.members {
			subjects[f.Subject] = true
		}
		g.subjects = len(subjects)
	}
	slices.SortStableFunc(out, func(a, b *causeGroup) int {
		return cmp.Or(
			cmp.Compare(b.lead.Severity, a.lead.Severity),
			cmp.Compare(b.exposure, a.exposure),
			cmp.Compare(b.subjects, a.subjects),
			finding.Compare(*a.lead, *b.lead),
		)
	})
	return out
}

// exposures returns from where each node of the paths can be entered, and with
// load balancers what declares them.
func (r *Report) exposures() map[estate.Ref]trace.Exposure {
	out := map[estate.Ref]trace.Exposure{}
	if r.Graph == nil {
		return out
	}
	facing := map[estate.Ref]trace.Exposure{}
	for _, lb := range r.Graph.LoadBalancers {
		facing[lb.Ref] = trace.Internal
		if lb.InternetFacing() {
			facing[lb.Ref] = trace.Internet
		}
		for _, p := range append([]trace.Place{lb.Place()}, lb.DeclaredBy...) {
			out[p.Subject] = max(out[p.Subject], facing[lb.Ref])
		}
	}
	for _, app := range r.Graph.Applications {
		for _, p := range app.Paths {
			exposure := trace.NoEntry
			for _, h := range p.Hops {
				if h.From.Kind == internetKind {
					exposure = trace.Internet
				}
				exposure = max(exposure, facing[h.From], facing[h.To])
			}
			for _, h := range p.Hops {
				out[h.From] = max(out[h.From], exposure)
				out[h.To] = max(out[h.To], exposure)
			}
		}
	}
	return out
}

const internetKind estate.Kind = "Internet"

// partRE finds the parts of a pod that a message names. The same words about
// containers of two names are one shortcoming of two templates.
var partRE = regexp.MustCompile(`\b(container|volume) "?[^\s",;:]+"?`)

// anonymous returns message without the subject's own name and the names of
// its parts, so that the same words about two subjects are equal.
func anonymous(message string, subject estate.Ref) string {
	if strings.Contains(message, "container ") || strings.Contains(message, "volume ") {
		message = partRE.ReplaceAllString(message, "$1")
	}
	return nameless(message, subject)
}

// nameless returns message without the subject's own name.
func nameless(message string, subject estate.Ref) string {
	for _, name := range []string{subject.ID, subject.Namespace + "/" + subject.Name, subject.Name} {
		if len(name) > 1 && strings.Contains(message, name) {
			message = replaceWord(message, name, "\x00")
		}
	}
	return message
}

// replaceWord replaces word in s where no letter, digit or joining mark
// continues it.
func replaceWord(s, word, with string) string {
	joins := func(c byte) bool {
		return c == '-' || c == '_' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= 0x80
	}
	var b strings.Builder
	for {
		i := strings.Index(s, word)
		if i < 0 {
			b.WriteString(s)
			return b.String()
		}
		end := i + len(word)
		if i > 0 && joins(s[i-1]) || end < len(s) && joins(s[end]) {
			b.WriteString(s[:end])
		} else {
			b.WriteString(s[:i])
			b.WriteString(with)
		}
		s = s[end:]
	}
}

// shorten folds causes so that what is shown stays readable: at most perControl
// groups of one control and at most total altogether, except that groups in
// kept always stay. It returns how many groups are left out altogether.
func shorten(groups []*causeGroup, perControl, total int, kept map[*causeGroup]bool) (out []*causeGroup, omitted int) {
	shown := map[string]int{}
	last := map[string]*causeGroup{}
	for _, g := range groups {
		id := g.controls[0]
		switch {
		case shown[id] < perControl && len(out) < total || kept[g]:
			shown[id]++
			last[id] = g
			out = append(out, g)
		case last[id] != nil:
			last[id].more++
			last[id].moreSubjects += g.subjects
		default:
			omitted++
		}
	}
	return out, omitted
}
