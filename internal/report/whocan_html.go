package report

import (
	_ "embed" // the page's style
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/eksafe/eksafe/internal/access"
)

//go:embed html/whocan.css
var whoCanStyle markup

// What the page draws: more than a screen, less than a browser tires of.
const (
	maxPageChains = 300
	boxWidth      = 250
	boxHeight     = 34
	boxGap        = 210
)

// WriteHTML writes the answer as one page that needs nothing else: each chain
// as a row of the graph, with the grants under it, and the text of a terminal for a Standing. It has no
// script.
func (a *WhoCan) WriteHTML(w io.Writer) error {
	m := newMarkupWriter(w)
	m.write(`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="%s"><title>%s</title><style>`,
		"default-src 'none'; base-uri 'none'; form-action 'none'; style-src "+hash(whoCanStyle), a.Question)
	m.put(whoCanStyle)
	m.write(`</style></head><body><main><h1>%s</h1>`, a.Question)
	if a.Standing != nil {
		if err := a.writeTerminal(m); err != nil {
			return err
		}
	} else {
		for i, part := range a.parts() {
			if i > 0 {
				m.write(`<h1>%s</h1>`, part.Question)
			}
			part.writeHolders(m)
		}
	}
	if len(a.Unread) > 0 {
		m.put(`<h2>What could not be read, and may hide more</h2><ul>`)
		for _, u := range a.Unread {
			m.write(`<li>%s</li>`, u)
		}
		m.put(`</ul>`)
	}
	if len(a.Assumed) > 0 {
		m.put(`<h2>Assumed</h2><ul>`)
		for _, text := range a.Assumed {
			m.write(`<li>%s</li>`, text)
		}
		m.put(`</ul>`)
	}
	m.write(`<footer>eksafe %s · %s · <code>%s</code></footer></main></body></html>`, a.ToolVersion, a.GeneratedAt.UTC().Format(time.RFC3339), a.command())
	m.put("\n")
	return m.flush()
}

// writeHolders writes the answer to one question.
func (a *WhoCan) writeHolders(m markupWriter) {
	m.write(`<p class="answer">%s</p>`, a.headline())
	folded := fold(slices.DeleteFunc(slices.Clone(a.Holders), func(h access.Holder) bool { return len(h.Unread) > 0 }))
	for _, f := range folded[:min(len(folded), maxPageChains)] {
		a.writeChain(m, f)
	}
	if n := len(folded) - maxPageChains; n > 0 {
		m.write(`<p>and %s more: <code>%s</code></p>`, thousands(n), a.command("-o", "json"))
	}
	if u := a.undecided(); u != nil {
		m.write(`<section class="perhaps"><h2>Not known: %s</h2>`, clean(plain(strings.Join(u.who, ", "))))
		for _, text := range u.sentences() {
			m.write(`<p>%s</p>`, clean(text))
		}
		m.put(`</section>`)
	}
}

func (a *WhoCan) writeTerminal(m markupWriter) error {
	var text textBuffer
	if err := a.WriteText(&text, Options{Width: 100, Unicode: true}); err != nil {
		return err
	}
	m.write(`<pre>%s</pre>`, string(text))
	return nil
}

type textBuffer []byte

func (b *textBuffer) Write(p []byte) (int, error) {
	*b = append(*b, p...)
	return len(p), nil
}

// writeChain draws one chain from left to right, and lists below it where each
// step is written.
func (a *WhoCan) writeChain(m markupWriter, f *foldedHolder) {
	class := "direct"
	switch {
	case f.Certain != access.Yes:
		class = "perhaps"
	case !f.Direct():
		class = "escalation"
	}
	m.write(`<section class="%s"><h2>%s`, class, clean(plain(f.Identity.Label())))
	if team := a.team(f.Identity); team != "" {
		m.write(` <small>team %s</small>`, clean(team))
	}
	if n := len(f.members); n > 0 {
		m.write(` <small>and %s in it</small>`, thousands(n))
	}
	m.put(`</h2>`)
	boxes := []string{plain(f.Identity.Label())}
	for _, s := range f.Chain.Steps {
		boxes = append(boxes, plain(s.To.Label()))
	}
	boxes = append(boxes, a.Question)
	width := len(boxes)*(boxWidth+boxGap) - boxGap
	m.write(`<div class="scroll"><svg role="img" width="%s" height="70"><title>%s</title>`, width, clean(plain(f.Identity.Label()+": "+f.Chain.Sentence())))
	for i, text := range boxes {
		x := i * (boxWidth + boxGap)
		kind := "box"
		if i == len(boxes)-1 {
			kind = "box goal"
		}
		m.write(`<rect class="%s" x="%s" y="22" width="%s" height="%s" rx="6"/><text x="%s" y="44">%s</text>`, kind, x+1, boxWidth-2, boxHeight, x+12, shortened(clean(text), 34))
		if i == 0 {
			continue
		}
		word := "has"
		if i <= len(f.Chain.Steps) {
			word = f.Chain.Steps[i-1].Technique
		}
		m.write(`<polyline points="%s"/><polygon points="%s"/><text class="how" x="%s" y="30">%s</text>`,
			fmt.Sprintf("%d,39 %d,39", x-boxGap+4, x-8), fmt.Sprintf("%d,34 %d,39 %d,44", x-9, x-1, x-9), x-boxGap+14, clean(word))
	}
	m.put(`</svg></div><ol>`)
	for _, s := range f.Chain.Steps {
		m.write(`<li>%s<ul>`, clean(s.How))
		writeGrants(m, s.Grants)
		m.put(`</ul></li>`)
	}
	m.put(`</ol><ul>`)
	writeGrants(m, f.Chain.Grants)
	m.put(`</ul></section>`)
}

func writeGrants(m markupWriter, grants []access.Grant) {
	for _, g := range grants {
		m.write(`<li>%s <code>%s</code></li>`, clean(g.Says), clean(place(g)))
	}
}

// shortened returns the beginning of a long text.
func shortened(s string, most int) string {
	r := []rune(s)
	if len(r) <= most {
		return s
	}
	return string(r[:most-1]) + "…"
}
