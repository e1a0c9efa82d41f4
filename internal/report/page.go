package report

import (
	_ "embed" // the page's parts
	"fmt"
	"strings"

	"github.com/eksafe/eksafe/internal/estate"
)

var (
	//go:embed html/page.html
	pageFrame string
	//go:embed html/page.css
	pageStyle markup
	//go:embed html/page.js
	pageScript markup
)

// page is what the page shows without its script.
type page struct {
	Policy    string // content security policy
	Data      markup // what the script shows, as JSON
	Title     string
	Headline  string
	Generated string
	Version   string
	Command   string
	Sources   []pageSource
	Bar       []barPart
	Severity  []severityCount
	Totals    []verdictCount
	Remarks   []remark
	Unknown   []gapGroup
	Problems  []string
	Ignored   []string
	Text      string // for readers without scripts
}

// pageSource is what a source read, the kinds that it found none of apart.
type pageSource struct {
	Name     string
	Kind     estate.SourceKind
	Coverage []estate.Coverage
	None     []string
}

type barPart struct {
	Class, Word, Symbol string
	Count               int
	Figure              string
}

type severityCount struct{ Name, Figure string }

type verdictCount struct{ Class, Word, Figure string }

// write writes the frame, and in place of each of its {{slots}} what belongs
// there.
func (p *page) write(m markupWriter) error {
	fills := p.fills()
	for rest := pageFrame; ; {
		before, slot, found := strings.Cut(rest, "{{")
		m.put(markup(before))
		if !found {
			return m.flush()
		}
		slot, rest, _ = strings.Cut(slot, "}}")
		fill, ok := fills[slot]
		if !ok {
			return fmt.Errorf("writing the page: nothing fills its slot %q", slot)
		}
		fill(m)
	}
}

// fills are what the slots of the frame are filled with.
func (p *page) fills() map[string]func(markupWriter) {
	text := func(s string) func(markupWriter) {
		return func(m markupWriter) { m.write("%s", s) }
	}
	code := func(c markup) func(markupWriter) {
		return func(m markupWriter) { m.put(c) }
	}
	return map[string]func(markupWriter){
		"policy":           text(p.Policy),
		"title":            text(p.Title),
		"style":            code(pageStyle),
		"headline":         text(p.Headline),
		"bar":              p.writeBar,
		"severities":       p.writeSeverities,
		"verdicts":         p.writeVerdicts,
		"text":             text(p.Text),
		"severity filters": p.writeSeverityFilters,
		"declared":         p.writeRemarks,
		"unknown":          p.writeUnknown,
		"problems":         p.writeProblems,
		"ignored":          p.writeIgnored,
		"sources":          p.writeSources,
		"version":          text(p.Version),
		"generated":        text(p.Generated),
		"command":          text(p.Command),
		"data":             code(p.Data),
		"script":           code(pageScript),
	}
}

func (p *page) writeBar(m markupWriter) {
	if len(p.Bar) == 0 {
		return
	}
	m.put(`<ul class="bar" aria-label="Hops by encryption">`)
	for _, b := range p.Bar {
		m.write(`<li class="%s" data-grow="%s"><span class="fill"></span><span class="word"><b>%s</b> %s %s</span></li>`,
			b.Class, b.Count, b.Figure, b.Symbol, b.Word)
	}
	m.put(`</ul>`)
}

func (p *page) writeSeverities(m markupWriter) {
	for _, s := range p.Severity {
		m.write(`<li><button type="button" class="tile %s" data-severity="%s"><b>%s</b><span>%s</span></button></li>`,
			s.Name, s.Name, s.Figure, s.Name)
	}
}

func (p *page) writeVerdicts(m markupWriter) {
	for _, t := range p.Totals {
		m.write(`<li class="%s"><b>%s</b> %s</li>`, t.Class, t.Figure, t.Word)
	}
}

func (p *page) writeSeverityFilters(m markupWriter) {
	for _, s := range p.Severity {
		m.write(`<button type="button" class="%s" data-filter-severity="%s" aria-pressed="true">%s</button>`, s.Name, s.Name, s.Name)
	}
}

// writeRemarks writes the section of what people declared, where they did.
func (p *page) writeRemarks(m markupWriter) {
	if len(p.Remarks) == 0 {
		return
	}
	m.put(`<section id="declared" aria-labelledby="declared-title">
<div class="section-head"><h2 id="declared-title">Declared</h2><p class="hint">What people accepted, limited or changed, and what came of it. Nothing is left out in silence.</p></div>
<ul class="reasons">`)
	for _, r := range p.Remarks {
		m.write(`<li><b>%s: %s</b>`, r.Title, r.About)
		for _, line := range r.Lines {
			m.write(`<span>%s</span>`, line)
		}
		m.put(`</li>`)
	}
	m.put(`</ul>
</section>
`)
}

func (p *page) writeUnknown(m markupWriter) {
	if len(p.Unknown) == 0 {
		m.put(`<p>Nothing: every control that applies could judge.</p>`)
		return
	}
	m.put(`<ul class="reasons">`)
	for _, g := range p.Unknown {
		m.write(`<li><b>%s</b><span>%s`, g.Why, strings.Join(g.Controls, ", "))
		switch n := len(g.Subjects); n {
		case 0:
		case 1:
			m.put(` · 1 resource`)
		default:
			m.write(` · %s resources`, n)
		}
		m.put(`</span></li>`)
	}
	m.put(`</ul>`)
}

func (p *page) writeProblems(m markupWriter) {
	if len(p.Problems) == 0 {
		return
	}
	m.put(`<h3>Left out of the input</h3><ul class="problems">`)
	for _, problem := range p.Problems {
		m.write(`<li>%s</li>`, problem)
	}
	m.put(`</ul>`)
}

func (p *page) writeIgnored(m markupWriter) {
	if len(p.Ignored) > 0 {
		m.write(`<h3>Kinds that no control concerns</h3><p>%s</p>`, strings.Join(p.Ignored, ", "))
	}
}

// stateWords say what became of a kind.
var stateWords = map[estate.State]string{
	estate.Read: "✓ read", estate.Denied: "✗ denied", estate.Unavailable: "✗ unavailable", estate.NotAsked: "– not asked",
}

func (p *page) writeSources(m markupWriter) {
	if len(p.Sources) == 0 {
		m.put(`<p>No source was read.</p>`)
		return
	}
	for _, s := range p.Sources {
		m.write(`<details class="source"><summary><b>%s</b> <span class="tag">%s</span></summary>
<div class="scroll"><table><thead><tr><th scope="col">Kind</th><th scope="col">State</th><th scope="col" class="number">Count</th><th scope="col">Why</th></tr></thead><tbody>`,
			s.Name, s.Kind)
		for _, c := range s.Coverage {
			m.write(`<tr class="%s"><td>%s</td><td>%s</td><td class="number">%s</td><td>%s</td></tr>`, c.State, c.Kind, stateWords[c.State], c.Count, c.Why)
		}
		m.put(`</tbody></table></div>`)
		if len(s.None) > 0 {
			m.write(`<p><b>Read, and none there:</b> %s</p>`, strings.Join(s.None, ", "))
		}
		m.put("</details>\n")
	}
}
