package report

import (
	"encoding/csv"
	"fmt"
	"io"
	"strings"

	"github.com/eksafe/eksafe/internal/reach"
)

// WriteCSV writes the matrix or the changes as comma-separated values, one
// connection a line. A value that a spreadsheet would take for a formula begins
// with an apostrophe, and what a terminal would obey is escaped.
func (r *Reach) WriteCSV(w io.Writer) error {
	out := csv.NewWriter(w)
	switch {
	case r.Changes != nil:
		out.Write([]string{"from", "to", "opened", "closed"})
		for i := range r.Changes {
			c := &r.Changes[i]
			out.Write([]string{cell(c.From), cell(c.To), c.Opened.String(), c.Closed.String()})
		}
	case r.Question != nil:
		out.Write([]string{"from", "to", "verdict", "allowed", "possible"})
		for _, p := range r.Replies {
			out.Write([]string{cell(p.From.Name), cell(p.To.Name), p.Verdict().String(), p.Allowed.String(), p.Possible.String()})
		}
	default:
		out.Write([]string{"from", "to", "verdict", "allowed", "possible"})
		for i := range r.Matrix.Cells {
			c := &r.Matrix.Cells[i]
			out.Write([]string{cell(c.From.Name), cell(c.To.Name), c.Verdict().String(), c.Allowed.String(), c.Possible.String()})
		}
	}
	out.Flush()
	return out.Error()
}

func cell(s string) string {
	if s != "" && strings.ContainsRune("=+-@\t\r", rune(s[0])) {
		s = "'" + s
	}
	return clean(s)
}

// WriteDOT writes the matrix as a graph in the language of Graphviz.
func (r *Reach) WriteDOT(w io.Writer) error {
	var b strings.Builder
	b.WriteString("digraph reach {\n  rankdir=LR;\n  node [shape=box, fontname=\"sans-serif\"];\n")
	shape := map[reach.EndpointKind]string{
		reach.DatabaseEndpoint: "cylinder", reach.CacheEndpoint: "cylinder", reach.InternetEndpoint: "ellipse", reach.NetworkEndpoint: "ellipse",
	}
	for _, g := range r.Matrix.Groups {
		extra := ""
		if s := shape[g.Kind]; s != "" {
			extra = " [shape=" + s + "]"
		}
		fmt.Fprintf(&b, "  %s%s;\n", dotID(g.Name), extra)
	}
	for i := range r.Matrix.Cells {
		c := &r.Matrix.Cells[i]
		if c.From == c.To {
			continue
		}
		ports, style := c.Allowed.String(), ""
		if c.Allowed.Empty() {
			ports, style = c.Possible.String()+"?", ", style=dashed"
		}
		fmt.Fprintf(&b, "  %s -> %s [label=%s%s];\n", dotID(c.From.Name), dotID(c.To.Name), dotID(ports), style)
	}
	b.WriteString("}\n")
	_, err := io.WriteString(w, b.String())
	return err
}

// dotID quotes a name. In a quoted string of the language only the quote and a
// backslash before it mean something.
func dotID(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(clean(s)) + `"`
}
