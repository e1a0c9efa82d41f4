package report

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/eksafe/eksafe/internal/estate"
	"github.com/eksafe/eksafe/internal/finding"
	"github.com/eksafe/eksafe/internal/trace"
)

// Options say what the terminal can show.
type Options struct {
	Width   int  // in cells; 0 is 80
	Color   bool // the terminal obeys ANSI colours and the user wants them
	Unicode bool // the locale is UTF-8
	Quiet   bool // findings only
}

// What one screen can hold. The other formats have no bounds.
const (
	maxDrawn      = 10 // applications drawn
	maxClean      = 10 // clean applications named
	maxHops       = 30 // hops drawn of one application
	maxPerControl = 4  // causes of one control
	maxCauses     = 30
	maxReasons    = 8
	maxProblems   = 5
)

// WriteText writes the report for people: the paths, what is wrong on them, and
// what nobody could tell.
func (r *Report) WriteText(w io.Writer, opt Options) error {
	buf := bufio.NewWriterSize(w, 1<<16)
	if opt.Width == 0 {
		opt.Width = 80
	}
	t := &text{
		painter: &painter{w: buf, opt: opt, width: min(max(opt.Width, narrowest), widest)},
		report:  r,
		hung:    r.attach(),
		counts:  r.count(),
		number:  map[*finding.Finding]int{},
		doubts:  r.gapGroups(),
		others:  r.others(),
	}
	t.write()
	return buf.Flush()
}

// text is one report on its way to a terminal.
type text struct {
	*painter
	report    *Report
	hung      *attachments
	counts    counts
	drawn     []*portrait   // to draw, one of each kind
	causes    []*causeGroup // those that are shown
	omitted   int           // causes that are not
	number    map[*finding.Finding]int
	doubts    []gapGroup
	others    *otherReports
	balancers map[estate.Ref]*trace.LoadBalancer
	databases map[estate.Ref]*trace.Database
}

func (t *text) write() {
	t.index()
	portraits, pathless := t.report.portraits(t.hung)
	for _, p := range portraits {
		p.reported = reportedIDs(t.others.at(t.report.resourcesOf(p.app)...))
	}
	if !t.opt.Quiet {
		t.drawn = unlike(slices.DeleteFunc(slices.Clone(portraits), (*portrait).clean))
	}
	t.chooseCauses()
	if t.opt.Quiet {
		t.findings()
		t.aside()
		return
	}
	t.paths(portraits, pathless)
	t.findings()
	t.totals()
	t.remarks()
	t.input()
	t.unknown()
}

func (t *text) index() {
	t.balancers = map[estate.Ref]*trace.LoadBalancer{}
	t.databases = map[estate.Ref]*trace.Database{}
	if t.report.Graph == nil {
		return
	}
	for _, lb := range t.report.Graph.LoadBalancers {
		t.balancers[lb.Ref] = lb
	}
	for _, db := range t.report.Graph.Databases {
		t.databases[db.Ref] = db
	}
}

// chooseCauses numbers the causes that are shown: all that the drawings refer
// to, as far as there is room, and the worst of the others.
func (t *text) chooseCauses() {
	all := t.report.causes((*finding.Finding).Decides)
	of := map[*finding.Finding]*causeGroup{}
	for _, g := range all {
		for _, f := range g.members {
			of[f] = g
		}
	}
	drawn := map[*causeGroup]bool{}
	keep := func(fs []*finding.Finding) {
		for _, f := range fs {
			if g := of[f]; g != nil && len(drawn) < maxCauses {
				drawn[g] = true
			}
		}
	}
	for _, p := range t.drawn[:min(len(t.drawn), maxDrawn)] {
		for _, h := range p.hops[:min(len(p.hops), maxHops)] {
			keep(t.hung.hops[h])
		}
	}
	t.causes, t.omitted = shorten(all, maxPerControl, maxCauses, drawn)
	for i, g := range t.causes {
		for _, f := range g.members {
			t.number[f] = i + 1
		}
	}
}

// severityStyles never stand without the severity's name.
var severityStyles = map[finding.Severity]style{
	finding.Critical: redBold, finding.High: red, finding.Medium: yellow, finding.Low: cyan,
}

func (t *text) findings() {
	title := "Findings: "
	if t.report.Baseline != nil {
		title = "New findings: "
	}
	if len(t.causes) == 0 {
		if !t.opt.Quiet {
			t.line(span{title + "none", green})
		}
		return
	}
	if !t.opt.Quiet {
		var parts []string
		for _, s := range finding.Severities {
			if n := t.counts.deciding[s]; n > 0 {
				parts = append(parts, thousands(n)+" "+s.String())
			}
		}
		head := title + strings.Join(parts, ", ")
		t.row([]span{{head + "  ", bold}}, []span{{"  ", regular}}, "", regular,
			[]span{{"why, and how to mend: ", dim}, {Tool + " controls explain " + t.safe(t.causes[0].controls[0]), regular}})
		t.blank()
	}
	digits := len(fmt.Sprint(len(t.causes)))
	for i, g := range t.causes {
		t.cause(i+1, digits, g)
	}
	if t.omitted > 0 {
		t.line(span{" and " + plural(t.omitted, "more cause") + ": " + t.more(), dim})
	}
	if !t.opt.Quiet {
		t.blank()
	}
}

func (t *text) cause(n, digits int, g *causeGroup) {
	f := g.lead
	number := fmt.Sprintf(" %*s ", digits+2, fmt.Sprintf("[%d]", n))
	left := []span{{number, regular}, {pad(f.Severity.String(), 8), severityStyles[f.Severity]}, {"  ", regular}}
	indent := []span{{strings.Repeat(" ", spansWidth(left)), regular}}
	message, id := t.safe(f.Message), t.safe(g.controls[0])
	var notes []string
	if spansWidth(left)+columns(message)+2+columns(id) <= t.width {
		t.row(left, indent, message, bold, []span{{id, dim}})
	} else {
		t.row(left, indent, message, bold, nil)
		notes = append(notes, id)
	}

	where := []string{t.place(f), t.subject(f.Subject)}
	if f.Location == nil {
		where[1] = t.kindName(f.Subject)
	}
	if field := fieldWords(f.Field); field != "" {
		where = append(where, t.safe(field))
	}
	t.items(indent, indent, where, regular)

	for _, c := range f.Context {
		notes = append(notes, t.safe(c))
	}
	if who := g.owners(); who != "" {
		notes = append(notes, t.safe(who))
	}
	if who := t.others.agreeing(g.members); who != "" {
		notes = append(notes, t.safe(who))
	}
	if len(g.controls) > 1 {
		notes = append(notes, "also "+t.safe(strings.Join(g.controls[1:], ", ")))
	}
	if g.subjects > 1 {
		notes = append(notes, fmt.Sprintf("and %s more like it", thousands(g.subjects-1)))
	}
	if g.more > 0 {
		notes = append(notes, fmt.Sprintf("and %s of %s", plural(g.more, "more cause"), id))
	}
	if len(notes) > 0 {
		t.items(indent, indent, notes, dim)
	}
}

// place returns where a finding is written: file and line, else its identity.
func (t *text) place(f *finding.Finding) string {
	if f.Location != nil {
		return t.safe(f.Location.String())
	}
	return t.safe(f.Subject.ID)
}

// subject returns a subject in the words of its owner: "Ingress shop/web".
func (t *text) subject(ref estate.Ref) string {
	if ref.Kind == estate.Workloads.Kind {
		return t.safe(ref.ID)
	}
	name := cmp.Or(ref.Name, ref.ID)
	if ref.Namespace != "" {
		name = ref.Namespace + "/" + name
	}
	return t.safe(string(ref.Kind) + " " + name)
}

func (t *text) kindName(ref estate.Ref) string {
	if ref.Name == "" || strings.HasSuffix(ref.ID, ref.Name) {
		return t.safe(string(ref.Kind))
	}
	return t.subject(ref)
}

// fieldWords returns a field as its owner wrote it: an annotation or a label by
// its name.
func fieldWords(field string) string {
	for _, f := range []struct{ prefix, word string }{
		{"metadata.annotations[", "annotation "}, {"metadata.labels[", "label "},
	} {
		if name, ok := strings.CutPrefix(field, f.prefix); ok {
			return f.word + strings.TrimSuffix(name, "]")
		}
	}
	return field
}

// more says how to see what one screen cannot hold.
func (t *text) more() string {
	return t.safe(t.report.command("-o", "html", "--out", "report.html"))
}

func (t *text) totals() {
	c := t.counts
	s := fmt.Sprintf("%s. Not applicable: %s.", thousands(c.pass)+" "+noun(c.pass, "control"), thousands(c.notApplicable))
	t.row([]span{{"Passed: ", bold}}, []span{{"  ", regular}}, s, regular, nil)
	expected := map[string]int{}
	subjects := map[estate.Ref]bool{}
	for _, res := range t.report.Results {
		for _, g := range res.Expected {
			expected[res.Control.ID]++
			subjects[g.Subject] = true
		}
	}
	if len(subjects) > 0 {
		ids := slices.Collect(sortedKeys(expected))
		t.row([]span{{"Expected: ", bold}}, []span{{"  ", regular}}, fmt.Sprintf("%s of AWS or the platform must run so and %s not count (%s).",
			thousands(len(subjects)), noun(len(subjects), "does", "do"), t.safe(strings.Join(ids, ", "))), regular, nil)
	}
}

func noun(n int, one string, many ...string) string {
	if n == 1 {
		return one
	}
	if len(many) > 0 {
		return many[0]
	}
	return one + "s"
}

// input says what of the input was left out.
func (t *text) input() {
	var problems []estate.Problem
	ignored := map[string]int{}
	for _, s := range t.report.sources() {
		problems = append(problems, s.Problems...)
		for _, i := range s.Ignored {
			ignored[i.Kind] += i.Count
		}
	}
	if len(problems) > 0 {
		t.line(span{"Left out: ", bold}, span{plural(len(problems), "part") + " of the input", regular})
		for _, p := range problems[:min(len(problems), maxProblems)] {
			t.row([]span{{"  ", regular}}, []span{{"    ", regular}}, t.safe(p.String()), yellow, nil)
		}
		if n := len(problems) - maxProblems; n > 0 {
			t.line(span{"  and " + thousands(n) + " more: " + t.safe(t.report.command("-o", "json")), dim})
		}
	}
	if twice := t.report.duplicates(); len(twice) > 0 {
		t.line(span{"Declared twice: ", bold}, span{plural(len(twice), "resource") + "; each declaration was judged", regular})
		for _, d := range twice[:min(len(twice), maxProblems)] {
			t.row([]span{{"  ", regular}}, []span{{"    ", regular}}, t.safe(d.ref.ID+" at "+strings.Join(d.places, " and ")), regular, nil)
		}
		if n := len(twice) - maxProblems; n > 0 {
			t.line(span{"  and " + thousands(n) + " more", dim})
		}
	}
	if len(ignored) > 0 {
		kinds := slices.SortedFunc(sortedKeys(ignored), func(a, b string) int {
			return cmp.Or(cmp.Compare(ignored[b], ignored[a]), cmp.Compare(a, b))
		})
		var words []string
		for _, k := range kinds[:min(len(kinds), maxReasons)] {
			words = append(words, fmt.Sprintf("%s (%s)", t.safe(k), thousands(ignored[k])))
		}
		if n := len(kinds) - maxReasons; n > 0 {
			words = append(words, plural(n, "more kind"))
		}
		t.row([]span{{"Not judged: ", bold}}, []span{{"  ", regular}}, "kinds that no control concerns: "+strings.Join(words, ", "), regular, nil)
	}
}

// unknown ends the report: how much could not be judged, why, and what to do.
func (t *text) unknown() {
	n := t.counts.unknown
	if n == 0 && len(t.doubts) == 0 {
		t.row([]span{{"Unknown: ", bold}}, []span{{"  ", regular}}, "none; every control that applies could judge", regular, nil)
		return
	}
	t.line(span{"Unknown: ", bold}, span{plural(n, "control"), regular})
	for _, g := range t.doubts[:min(len(t.doubts), maxReasons)] {
		label := fmt.Sprintf("%5s  ", thousands(len(g.Controls)))
		why := t.safe(g.Why)
		indent := []span{{strings.Repeat(" ", len(label)), regular}}
		t.row([]span{{label, regular}}, indent, why, regular, nil)
		names := t.safe(strings.Join(g.Controls[:min(len(g.Controls), 3)], ", "))
		if more := len(g.Controls) - 3; more > 0 {
			names += fmt.Sprintf(" and %d more", more)
		}
		if len(g.Subjects) > 0 {
			names += " for " + t.subject(g.Subjects[0])
			if more := len(g.Subjects) - 1; more > 0 {
				names += fmt.Sprintf(" and %s more", thousands(more))
			}
		}
		t.row(indent, indent, names, dim, nil)
	}
	if more := len(t.doubts) - maxReasons; more > 0 {
		t.line(span{"       and " + plural(more, "more reason") + ": " + t.safe(t.report.command("-o", "json")), dim})
	}
}
