package report

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/eksafe/eksafe/internal/estate"
	"github.com/eksafe/eksafe/internal/finding"
	"github.com/eksafe/eksafe/internal/trace"
)

// paths draws the applications, the worst first, and names the clean ones.
func (t *text) paths(portraits []*portrait, pathless int) {
	if len(portraits) == 0 {
		t.row([]span{{"Paths: ", bold}}, []span{{"  ", regular}},
			"none; no Ingress, Gateway, Service of type LoadBalancer, database or volume leads to or from a workload that was read", regular, nil)
		t.blank()
		return
	}
	if len(portraits) > 1 {
		hops, encrypted, exposed := 0, 0, 0
		for _, p := range portraits {
			hops += len(p.hops)
			encrypted += p.encrypted
			if p.app.Exposed == trace.Internet {
				exposed++
			}
		}
		sep := " " + t.glyph("·", "-") + " "
		t.row([]span{{"Paths: ", bold}}, []span{{"  ", regular}}, strings.Join([]string{
			plural(len(portraits), "application"),
			thousands(exposed) + " reachable from the internet",
			fmt.Sprintf("%s of %s encrypted", thousands(encrypted), plural(hops, "hop")),
		}, sep), regular, nil)
		t.blank()
	}
	rest := 0
	for i, p := range t.drawn {
		if i >= maxDrawn {
			rest += 1 + p.alike
			continue
		}
		t.headline(p)
		t.blank()
		t.draw(p)
		t.alsoReported(p.app)
		if p.alike > 0 {
			t.line(span{fmt.Sprintf("  and %s like it", plural(p.alike, "more application")), dim})
		}
		t.blank()
	}
	if rest > 0 {
		t.row(nil, []span{{"  ", regular}}, fmt.Sprintf("and %s that differ: %s", plural(rest, "more application"), t.more()), dim, nil)
	}
	clean := 0
	for _, p := range portraits {
		if p.clean() {
			if clean++; clean <= maxClean {
				t.headline(p)
				t.alsoReported(p.app)
			}
		}
	}
	if n := clean - maxClean; n > 0 {
		t.row(nil, []span{{"  ", regular}}, fmt.Sprintf("and %s, encrypted the whole way", plural(n, "more application")), green, nil)
	}
	if pathless > 0 {
		t.row(nil, []span{{"  ", regular}}, fmt.Sprintf("%s without a path: no load balancer, database or volume that was read belongs to %s",
			plural(pathless, "application"), noun(pathless, "it", "them")), dim, nil)
	}
	if clean > 0 || rest > 0 || pathless > 0 {
		t.blank()
	}
}

// A mark is how a hop's verdict looks.
type mark struct {
	unicode, ascii, word string
	style                style
}

func markOf(h *trace.Hop) mark {
	if h.Broken {
		return mark{"✗", "x", "broken", redBold}
	}
	switch h.Encryption {
	case trace.Encrypted:
		return mark{"✓", "+", "encrypted", green}
	case trace.Optional:
		return mark{"~", "~", "optional", yellow}
	case trace.Plaintext:
		return mark{"✗", "x", "plaintext", red}
	}
	return mark{"?", "?", "unknown", magenta}
}

// headline writes an application on one line: its name, the path that stands
// for all, how many hops are encrypted.
func (t *text) headline(p *portrait) {
	name := t.safe(appName(p.app))
	figure := fmt.Sprintf("%d of %s encrypted", p.encrypted, plural(len(p.hops), "hop"))
	st := green
	switch {
	case p.bad > 0:
		st = red
	case p.unknown > 0:
		st = magenta
	case p.findings > 0:
		st = yellow
	}
	var all []*finding.Finding
	if p.clean() {
		for _, ref := range p.nodes {
			all = append(all, t.hung.nodes[ref]...)
		}
	}
	if refs := t.references(all); refs != "" {
		figure += "  " + refs
	}
	room := t.width - columns(name) - 3 - 2 - columns(figure)
	chain := t.chain(p.main, room)
	spans := []span{{name, bold}}
	if len(chain) > 0 {
		spans = append(append(spans, span{"   ", regular}), chain...)
	}
	gap := max(2, t.width-spansWidth(spans)-columns(figure))
	t.line(append(spans, span{strings.Repeat(" ", gap), regular}, span{figure, st})...)
}

func appName(app *trace.Application) string {
	if app.Namespace == "" || app.Namespace == app.Name {
		return app.Name
	}
	return app.Namespace + "/" + app.Name
}

// chain returns the hops of a path on one line, with the middle left out where
// there is no room; nil where not even the ends fit.
func (t *text) chain(hops []*trace.Hop, room int) []span {
	if len(hops) == 0 {
		return nil
	}
	build := func(skip int) []span {
		spans := []span{{t.shortName(hops[0].From), regular}}
		for i, h := range hops {
			m := markOf(h)
			spans = append(spans, span{" ", regular}, span{t.glyph(m.unicode, m.ascii), m.style}, span{" ", regular})
			if i < len(hops)-1 && i >= 1 && i < 1+skip {
				spans = append(spans, span{t.glyph("…", "..."), dim})
				continue
			}
			spans = append(spans, span{t.shortName(h.To), regular})
		}
		return spans
	}
	for skip := 0; skip < len(hops); skip++ {
		if spans := build(skip); spansWidth(spans) <= room {
			return spans
		}
	}
	return nil
}

func (t *text) shortName(ref estate.Ref) string {
	if lb := t.balancers[ref]; lb != nil {
		return trace.TypeName(lb.Type)
	}
	return t.safe(cmp.Or(ref.Name, strings.ToLower(string(ref.Kind))))
}

// draw draws the way of an application's data from top to bottom.
func (t *text) draw(p *portrait) {
	d := &drawing{text: t, left: maxHops}
	for _, root := range forest(p.app) {
		d.node(root, "  ")
	}
	rest := len(p.hops) - (maxHops - d.left)
	if rest > 0 || p.app.Omitted > 0 {
		var words []string
		if rest > 0 {
			words = append(words, plural(rest, "more hop"))
		}
		if p.app.Omitted > 0 {
			words = append(words, plural(p.app.Omitted, "more path"))
		}
		t.line(span{"  and " + strings.Join(words, " and ") + ": " + t.more(), dim})
	}
}

type drawing struct {
	*text
	left int // how many hops may still be drawn
}

const nameColumn = 17

func (d *drawing) node(n *node, prefix string) {
	bundles := n.bundles()
	spine := prefix
	if len(bundles) > 0 && d.left > 0 {
		spine += "  " + d.glyph("│", "|")
	}
	d.label(n, prefix, spine)
	for i, b := range bundles {
		if d.left <= 0 {
			return
		}
		last := i == len(bundles)-1
		first, rest, below := prefix+"  "+d.glyph("│", "|")+"  ", prefix+"  "+d.glyph("│", "|")+"  ", prefix
		if len(bundles) > 1 {
			first, rest = prefix+"  "+d.glyph("├─", "|-")+" ", prefix+"  "+d.glyph("│", "|")+"  "
			below = rest
			if last {
				first, rest = prefix+"  "+d.glyph("└─", "`-")+" ", prefix+"     "
				below = rest
			}
		}
		for j, h := range b.hops {
			if d.left <= 0 {
				return
			}
			d.left--
			if j > 0 {
				first = rest
			}
			d.hop(h, first, rest)
		}
		if b.again {
			d.line(span{below, dim}, span{d.shortName(b.to.ref), bold}, span{"  (see above)", dim})
			continue
		}
		d.node(b.to, below)
	}
}

func (d *drawing) hop(h *trace.Hop, first, rest string) {
	m := markOf(h)
	symbol := d.glyph(m.unicode, m.ascii) + " " + pad(m.word, 9) + "  "
	left := []span{{first, dim}, {symbol, m.style}}
	indent := []span{{rest, dim}, {strings.Repeat(" ", columns(symbol)), regular}}
	var right []span
	if at := h.Place(); at.Origin != nil {
		if file, line := at.Origin.Locate(at.Field); file != "" {
			right = append(right, span{d.safe(finding.Location{File: file, Line: line}.String()), dim})
		}
	}
	if refs := d.references(d.hung.hops[h]); refs != "" {
		if len(right) > 0 {
			right = append(right, span{"  ", regular})
		}
		right = append(right, span{refs, bold})
	}
	d.row(left, indent, d.safe(cmp.Or(h.Why, h.By, "no reason was given")), regular, right)
}

// references returns the numbers of findings in the list: "[1] [4]".
func (t *text) references(fs []*finding.Finding) string {
	var numbers []int
	for _, f := range fs {
		if n := t.number[f]; n > 0 && !slices.Contains(numbers, n) {
			numbers = append(numbers, n)
		}
	}
	slices.Sort(numbers)
	var words []string
	for _, n := range numbers {
		words = append(words, fmt.Sprintf("[%d]", n))
	}
	return strings.Join(words, " ")
}

// maxRemarks bounds the findings that stand in words beside a node.
const maxRemarks = 2

func (d *drawing) label(n *node, prefix, spine string) {
	name, what := d.describeNode(n)
	var words []string
	if what != "" {
		words = append(words, what)
	}
	var others []*finding.Finding
	told := map[int]bool{}
	for _, f := range d.hung.nodes[n.ref] {
		number := d.number[f]
		if number == 0 || told[number] {
			continue
		}
		told[number] = true
		if len(told) <= maxRemarks && columns(f.Message) <= 60 {
			words = append(words, fmt.Sprintf("%s [%d]", d.safe(f.Message), number))
		} else {
			others = append(others, f)
		}
	}
	if refs := d.references(others); refs != "" {
		lead := plural(strings.Count(refs, "["), "finding")
		if len(told) > strings.Count(refs, "[") {
			lead = fmt.Sprintf("%d more", strings.Count(refs, "["))
		}
		words = append(words, lead+" "+refs)
	}
	left := []span{{prefix, dim}, {pad(name, nameColumn-2) + "  ", bold}}
	indent := []span{{pad(spine, spansWidth(left)), dim}}
	d.items(left, indent, words, regular)
}

// describeNode returns the name of a node and what it is.
func (t *text) describeNode(n *node) (name, what string) {
	if lb := t.balancers[n.ref]; lb != nil {
		if lb.Predicted {
			what = "as its controller will build it"
		}
		return t.safe(lb.Name()), what
	}
	name = t.safe(cmp.Or(n.ref.Name, strings.ToLower(string(n.ref.Kind))))
	if db := t.databases[n.ref]; db != nil {
		return name, t.safe(databaseWords(db))
	}
	switch {
	case n.ref.Kind == estate.Workloads.Kind:
		return name, t.safe(n.ref.ID)
	case n.ref.Kind == internetKind || strings.EqualFold(n.ref.Name, string(n.ref.Kind)):
		return name, ""
	}
	return name, t.safe(string(n.ref.Kind))
}

// engineNames are the engines as their makers write them.
var engineNames = map[string]string{
	"mysql": "MySQL", "mariadb": "MariaDB", "postgres": "PostgreSQL", "aurora-mysql": "Aurora MySQL",
	"aurora-postgresql": "Aurora PostgreSQL", "oracle": "Oracle", "sqlserver": "SQL Server", "db2": "Db2",
}

func databaseWords(db *trace.Database) string {
	engine := cmp.Or(engineNames[db.Engine], db.Engine)
	if !strings.HasPrefix(engine, "Aurora") {
		engine = strings.TrimSpace("RDS " + engine)
	}
	return strings.TrimSpace(engine + " " + db.Version)
}
