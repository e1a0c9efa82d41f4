package report

import (
	"bufio"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/eksafe/eksafe/internal/reach"
	"github.com/eksafe/eksafe/internal/trace"
)

// What one screen can hold of a matrix.
const (
	maxGrid    = 24 // rows and columns that are drawn
	maxEdges   = 60 // connections that are listed
	maxReplies = 20 // pairs that are explained
)

// WriteText writes it for people.
func (r *Reach) WriteText(w io.Writer, opt Options) error {
	buf := bufio.NewWriterSize(w, 1<<16)
	if opt.Width == 0 {
		opt.Width = 80
	}
	t := &reachText{&painter{w: buf, opt: opt, width: min(max(opt.Width, narrowest), widest)}, r}
	t.write()
	return buf.Flush()
}

type reachText struct {
	*painter
	reach *Reach
}

func (t *reachText) write() {
	r := t.reach
	if r.Changes == nil && !t.opt.Quiet {
		t.enforcement()
	}
	switch {
	case r.Changes != nil:
		t.changes()
	case r.Outcomes != nil:
		t.outcomes()
	case r.Question != nil:
		t.replies()
	default:
		t.matrix()
	}
}

// enforcement is the first line: without something that enforces policies all
// that follows is that everybody reaches everything.
func (t *reachText) enforcement() {
	switch t.reach.Enforced {
	case trace.No:
		where := ""
		if t.reach.Partly {
			where = " everywhere"
		}
		t.row([]span{{t.glyph("✗ ", "x "), redBold}}, []span{{"  ", regular}}, "network policies are not enforced"+where+": "+t.safe(t.reach.By), redBold, nil)
	case trace.Yes:
		t.row(nil, nil, "network policies are enforced"+t.by(), dim, nil)
	default:
		t.row(nil, nil, "network policies are taken to be enforced"+t.by(), dim, nil)
	}
	t.blank()
}

func (t *reachText) by() string {
	if t.reach.By == "" {
		return ""
	}
	return ": " + t.safe(t.reach.By)
}

// sign returns how a cell is drawn.
func (t *reachText) sign(c *reach.Cell) span {
	switch {
	case c == nil:
		return span{t.glyph("·", "."), dim}
	case c.Allowed.String() == "all":
		return span{t.glyph("●", "#"), red}
	case !c.Allowed.Empty():
		return span{t.glyph("◐", "+"), yellow}
	}
	return span{"?", magenta}
}

func (t *reachText) matrix() {
	m := t.reach.Matrix
	if !slices.ContainsFunc(m.Groups, func(g *reach.Group) bool { return g.Kind == reach.WorkloadEndpoint }) {
		t.line(span{"nothing runs in this estate", regular})
		return
	}
	if t.reach.Folded != "" {
		t.row(nil, nil, t.safe(t.reach.Folded), yellow, nil)
		t.blank()
	}
	rows, columnsOf := t.axes(m)
	if len(rows) <= maxGrid && len(columnsOf) <= maxGrid {
		t.grid(m, rows, columnsOf)
	} else {
		how := "--group namespace folds them, -o html and -o csv draw them all"
		if t.reach.GroupedBy == "namespace" {
			how = "-o html and -o csv draw them all"
		}
		t.row(nil, nil, fmt.Sprintf("%s; the grid is drawn up to %d: %s", plural(len(m.Groups), "group"), maxGrid, how), dim, nil)
		t.blank()
	}
	t.edges(m)
}

// axes returns the groups that send and those that receive. Addresses that
// nobody reaches from the pods and that reach none are left out.
func (t *reachText) axes(m *reach.Matrix) (rows, cols []*reach.Group) {
	sends, receives := map[*reach.Group]bool{}, map[*reach.Group]bool{}
	for i := range m.Cells {
		sends[m.Cells[i].From], receives[m.Cells[i].To] = true, true
	}
	for _, g := range m.Groups {
		if sends[g] || g.Kind == reach.WorkloadEndpoint {
			rows = append(rows, g)
		}
		if receives[g] || g.Kind != reach.NetworkEndpoint && g.Kind != reach.PodIdentityEndpoint && g.Kind != reach.NodeDNSEndpoint {
			cols = append(cols, g)
		}
	}
	return rows, cols
}

func (t *reachText) grid(m *reach.Matrix, rows, cols []*reach.Group) {
	wide := 0
	for _, g := range slices.Concat(rows, cols) {
		wide = max(wide, columns(t.safe(g.Name)))
	}
	wide = min(wide, max(t.width-8-3*len(cols), 12))
	var head strings.Builder
	for i := range cols {
		fmt.Fprintf(&head, "%3d", i+1)
	}
	t.line(span{strings.Repeat(" ", wide+1) + head.String(), dim})
	for _, g := range rows {
		spans := []span{{padded(t.safe(g.Name), wide) + " ", regular}}
		for _, to := range cols {
			s := t.sign(m.Cell(g, to))
			spans = append(spans, span{"  ", regular}, s)
		}
		t.line(spans...)
	}
	t.blank()
	var names []string
	for i, g := range cols {
		names = append(names, fmt.Sprintf("%d %s", i+1, t.safe(g.Name)))
	}
	t.items([]span{{"to  ", dim}}, []span{{"    ", regular}}, names, regular)
	t.line(span{fmt.Sprintf("    %s nothing   %s some ports   %s every port   ? not known", t.glyph("·", "."), t.glyph("◐", "+"), t.glyph("●", "#")), dim})
	t.blank()
}

// padded cuts or fills a text to a width.
func padded(s string, width int) string {
	if n := columns(s); n <= width {
		return s + strings.Repeat(" ", width-n)
	}
	out := []rune(s)
	for columns(string(out)) > width-1 && len(out) > 0 {
		out = out[:len(out)-1]
	}
	return string(out) + "~" + strings.Repeat(" ", width-1-columns(string(out)))
}

// edges lists what gets through, what leaves a namespace first.
func (t *reachText) edges(m *reach.Matrix) {
	var list []*reach.Cell
	for i := range m.Cells {
		if c := &m.Cells[i]; c.From != c.To {
			list = append(list, c)
		}
	}
	slices.SortStableFunc(list, func(a, b *reach.Cell) int { return rank(a) - rank(b) })
	for i, c := range list {
		if i == maxEdges {
			t.line(span{fmt.Sprintf("and %s more: -o json, -o csv", thousands(len(list)-i)), dim})
			break
		}
		ports := t.safe(c.Allowed.String())
		if c.Allowed.Empty() {
			ports = "? " + t.safe(c.Possible.String())
		}
		t.row([]span{{"  ", regular}}, []span{{"      ", regular}},
			t.safe(c.From.Name)+t.glyph(" → ", " -> ")+t.safe(c.To.Name), regular, []span{{ports, t.sign(c).style}})
	}
	if len(list) == 0 {
		t.line(span{"nothing reaches anything", regular})
	}
	t.blank()
	t.row(nil, nil, "Why: eksafe reach --from A --to B explains one pair, rule by rule", dim, nil)
}

// rank puts what should be read first first: databases, the node's credentials,
// other namespaces, the internet.
func rank(c *reach.Cell) int {
	switch {
	case c.To.Kind == reach.DatabaseEndpoint || c.To.Kind == reach.CacheEndpoint:
		return 0
	case c.To.Kind == reach.MetadataEndpoint:
		return 1
	case c.From.Kind == reach.WorkloadEndpoint && c.To.Kind == reach.WorkloadEndpoint && c.From.Namespace != c.To.Namespace:
		return 2
	case c.From.Kind == reach.InternetEndpoint || c.To.Kind == reach.InternetEndpoint:
		return 3
	case c.From.Kind == reach.WorkloadEndpoint && c.To.Kind == reach.WorkloadEndpoint:
		return 4
	}
	return 5
}

func (t *reachText) verdict(v reach.Verdict) (sign span, word string) {
	switch v {
	case reach.Allowed:
		return span{t.glyph("✓", "+"), green}, "allowed"
	case reach.Denied:
		return span{t.glyph("✗", "x"), red}, "denied"
	}
	return span{"?", magenta}, "unknown"
}

func (t *reachText) replies() {
	if len(t.reach.Replies) == 0 {
		q := t.reach.Question
		switch {
		case q.From == "":
			t.line(span{"nothing reaches " + t.safe(q.To), regular})
		default:
			t.line(span{t.safe(q.From) + " reaches nothing", regular})
		}
		return
	}
	if q := t.reach.Question; q.From == "" || q.To == "" {
		t.overview()
		return
	}
	for i, r := range t.reach.Replies {
		if i == maxReplies {
			t.line(span{fmt.Sprintf("and %s more pairs: -o json", thousands(len(t.reach.Replies)-i)), dim})
			return
		}
		t.reply(r)
	}
}

// overview lists the pairs of a question with one end.
func (t *reachText) overview() {
	for _, r := range t.reach.Replies {
		ports := t.safe(r.Allowed.String())
		sign, _ := t.verdict(r.Verdict())
		if r.Allowed.Empty() {
			ports = t.safe(r.Possible.String())
		}
		t.row([]span{sign, {" ", regular}}, []span{{"    ", regular}},
			t.safe(r.From.Name)+t.glyph(" → ", " -> ")+t.safe(r.To.Name), regular, []span{{ports, dim}})
	}
	t.blank()
	t.row(nil, nil, "Why: name both ends, --from A --to B", dim, nil)
}

func (t *reachText) reply(r *reach.Reply) {
	for _, a := range r.Answers {
		sign, word := t.verdict(a.Verdict)
		head := t.safe(r.From.Name) + t.glyph(" → ", " -> ") + t.safe(r.To.Name) + fmt.Sprintf("  %s %d", a.Protocol, a.Port)
		t.row([]span{sign, {" ", regular}}, []span{{"  ", regular}}, head, bold, []span{{word, sign.style}})
		if a.Source != r.From.Name || a.Destination != r.To.Name {
			t.row([]span{{"  ", regular}}, []span{{"  ", regular}}, "for example "+t.safe(a.Source)+t.glyph(" → ", " -> ")+t.safe(a.Destination), dim, nil)
		}
		for _, l := range a.Layers {
			t.layer(&l)
		}
		if a.Verdict != reach.Denied && (a.Encryption != trace.Unknown || a.EncryptionWhy != "") {
			t.row([]span{{"    ", regular}}, []span{{"      ", regular}}, "encryption: "+a.Encryption.String()+suffix(t.safe(a.EncryptionWhy)), dim, nil)
		}
		for _, note := range a.Notes {
			t.row([]span{{"    ", regular}}, []span{{"      ", regular}}, "note: "+t.safe(note), dim, nil)
		}
		if a.Change != "" {
			t.row([]span{{"    ", regular}}, []span{{"      ", regular}}, "to allow it: "+t.safe(a.Change), cyan, nil)
		}
		t.blank()
	}
	if !r.Allowed.Empty() && t.reach.Question.Port == 0 {
		t.row([]span{{"  ", regular}}, []span{{"    ", regular}}, "ports that get through: "+t.safe(r.Allowed.String()), regular, nil)
		t.blank()
	}
}

func suffix(why string) string {
	if why == "" {
		return ""
	}
	return ", " + why
}

func (t *reachText) layer(l *reach.Layer) {
	sign, _ := t.verdict(l.Verdict)
	of := ""
	if l.Of != "" {
		of = " of " + t.safe(l.Of)
	}
	t.row([]span{{"  ", regular}, sign, {" ", regular}}, []span{{"      ", regular}}, string(l.Kind)+of+": "+t.safe(l.Why), regular, nil)
	for i, rule := range l.Rules {
		if i == 3 {
			t.line(span{fmt.Sprintf("        and %d more", len(l.Rules)-i), dim})
			break
		}
		where := t.safe(rule.Subject.ID)
		if file, line := rule.Origin.Locate(rule.Field); file != "" {
			where = fmt.Sprintf("%s:%d", t.safe(file), line)
		}
		field := ""
		if rule.Field != "" {
			field = t.safe(rule.Field) + " "
		}
		t.row([]span{{"        ", regular}}, []span{{"          ", regular}}, t.safe(rule.Name)+" "+field+t.safe(rule.Says), dim, []span{{where, dim}})
	}
}

func (t *reachText) outcomes() {
	r, broken := t.reach, 0
	for i := range r.Outcomes {
		o := &r.Outcomes[i]
		sign := span{t.glyph("✓", "+"), green}
		if !o.Holds {
			sign = span{t.glyph("✗", "x"), red}
			broken++
		}
		if o.Holds && t.opt.Quiet {
			continue
		}
		t.row([]span{sign, {" ", regular}}, []span{{"  ", regular}}, t.safe(o.Expectation.String()), regular, []span{{fmt.Sprintf("%s:%d", t.safe(r.Expected), o.Expectation.Line), dim}})
		switch {
		case o.Err != nil:
			t.row([]span{{"    ", regular}}, []span{{"    ", regular}}, t.safe(o.Err.Error()), red, nil)
		case o.Against != nil:
			for _, a := range o.Against.Answers[:min(len(o.Against.Answers), 1)] {
				v, word := t.verdict(a.Verdict)
				t.row([]span{{"    ", regular}}, []span{{"    ", regular}}, fmt.Sprintf("%s%s%s %s %d is %s", t.safe(a.Source), t.glyph(" → ", " -> "), t.safe(a.Destination), a.Protocol, a.Port, word), v.style, nil)
				for _, l := range a.Layers {
					t.layer(&l)
				}
			}
		}
	}
	if broken > 0 || !t.opt.Quiet {
		t.blank()
	}
	if broken == 0 {
		t.line(span{"every one of " + plural(len(t.reach.Outcomes), "expectation") + " holds", green})
	} else {
		t.line(span{fmt.Sprintf("%d of %s do not hold", broken, plural(len(t.reach.Outcomes), "expectation")), red})
	}
}

func (t *reachText) changes() {
	if len(t.reach.Changes) == 0 {
		t.line(span{"nothing opened, nothing closed", regular})
		return
	}
	list := func(title string, st style, ports func(*reach.Change) *reach.Ports) {
		n := 0
		for i := range t.reach.Changes {
			c := &t.reach.Changes[i]
			p := ports(c)
			if p.Empty() {
				continue
			}
			if n++; n == 1 {
				t.line(span{title, bold})
			}
			t.row([]span{{"  ", regular}}, []span{{"      ", regular}}, t.safe(c.From)+t.glyph(" → ", " -> ")+t.safe(c.To), regular, []span{{t.safe(p.String()), st}})
		}
		if n > 0 {
			t.blank()
		}
	}
	list("Opened", red, func(c *reach.Change) *reach.Ports { return &c.Opened })
	list("Closed", green, func(c *reach.Change) *reach.Ports { return &c.Closed })
}
