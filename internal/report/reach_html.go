package report

import (
	_ "embed" // the page's parts
	"io"
	"slices"
	"strings"
	"time"

	"github.com/eksafe/eksafe/internal/reach"
	"github.com/eksafe/eksafe/internal/trace"
)

var (
	//go:embed html/reach.css
	reachStyle markup
	//go:embed html/reach.js
	reachScript markup
)

// What a page holds: a browser draws a larger grid no more fluidly, and nobody
// reads it.
const (
	maxPageGrid  = 150
	maxPageEdges = 20_000
)

// WriteHTML writes the matrix as one page that needs nothing else.
func (r *Reach) WriteHTML(w io.Writer) error {
	m := newMarkupWriter(w)
	m.put(`<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
`)
	m.write(`<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src %s; script-src %s">`,
		hash(reachStyle), hash(reachScript))
	m.put(`<title>Who reaches whom</title><style>`)
	m.put(reachStyle)
	m.put(`</style></head><body><header><h1>Who reaches whom</h1>`)
	class, words := "assumed", "Network policies are taken to be enforced"
	switch r.Enforced {
	case trace.Yes:
		class, words = "yes", "Network policies are enforced"
	case trace.No:
		class, words = "no", "Network policies are not enforced"
	}
	m.write(`<p class="enforced %s">%s%s</p></header><main>`, class, words, colon(clean(r.By)))
	if r.Folded != "" {
		m.write(`<p>%s</p>`, r.Folded)
	}
	rows, cols := (&reachText{reach: r}).axes(r.Matrix)
	if len(rows) <= maxPageGrid && len(cols) <= maxPageGrid {
		r.writeGrid(m, rows, cols)
	} else {
		m.write(`<p>%s groups: the grid is drawn up to %s.</p>`, len(r.Matrix.Groups), maxPageGrid)
	}
	r.writeEdges(m)
	m.write(`</main><footer>eksafe %s · %s</footer><script>`, r.ToolVersion, r.GeneratedAt.UTC().Format(time.RFC3339))
	m.put(reachScript)
	m.put("</script></body></html>\n")
	return m.flush()
}

func colon(by string) string {
	if by == "" {
		return ""
	}
	return ": " + by
}

// cellClass says how a cell is drawn.
func cellClass(c *reach.Cell) (class, sign string) {
	switch {
	case c == nil:
		return "none", "·"
	case c.Allowed.String() == "all":
		return "every", "●"
	case !c.Allowed.Empty():
		return "some", "◐"
	}
	return "unknown", "?"
}

func (r *Reach) writeGrid(m markupWriter, rows, cols []*reach.Group) {
	m.put(`<section aria-label="Matrix"><div class="scroll"><table class="grid"><thead><tr><td class="corner">from ↓ to →</td>`)
	for _, g := range cols {
		m.write(`<th scope="col"><span>%s</span></th>`, clean(g.Name))
	}
	m.put(`</tr></thead><tbody>`)
	for _, from := range rows {
		m.write(`<tr><th scope="row">%s</th>`, clean(from.Name))
		for _, to := range cols {
			c := r.Matrix.Cell(from, to)
			class, sign := cellClass(c)
			words := "nothing"
			if c != nil {
				words = ports(c)
			}
			if from == to {
				class += " self"
			}
			m.write(`<td class="%s" title="%s → %s: %s">%s</td>`, class, clean(from.Name), clean(to.Name), words, sign)
		}
		m.put(`</tr>`)
	}
	m.put(`</tbody></table></div><ul class="legend"><li class="none">· nothing</li><li class="some">◐ some ports</li><li class="every">● every port</li><li class="unknown">? not known</li></ul></section>`)
}

func ports(c *reach.Cell) string {
	if c.Allowed.Empty() {
		return "perhaps " + c.Possible.String()
	}
	return c.Allowed.String()
}

func (r *Reach) writeEdges(m markupWriter) {
	var list []*reach.Cell
	for i := range r.Matrix.Cells {
		if c := &r.Matrix.Cells[i]; c.From != c.To {
			list = append(list, c)
		}
	}
	slices.SortStableFunc(list, func(a, b *reach.Cell) int { return rank(a) - rank(b) })
	m.put(`<section aria-label="Connections"><h2>Connections</h2><label>Filter <input type="search" id="filter" placeholder="a name, a port"></label>`)
	m.put(`<table class="edges"><thead><tr><th>from</th><th>to</th><th>ports</th></tr></thead><tbody>`)
	for _, c := range list[:min(len(list), maxPageEdges)] {
		class, _ := cellClass(c)
		m.write(`<tr class="%s"><td>%s</td><td>%s</td><td>%s</td></tr>`, class, clean(c.From.Name), clean(c.To.Name), ports(c))
	}
	m.put(`</tbody></table>`)
	if more := len(list) - maxPageEdges; more > 0 {
		m.write(`<p>and %s more: -o csv holds them all</p>`, more)
	}
	m.write(`<p class="next">Why: <code>%s</code></p></section>`, "eksafe reach --from A --to B "+clean(strings.Join(r.Args, " ")))
}
