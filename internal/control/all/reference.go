package all

import (
	"bufio"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode"

	"github.com/eksafe/eksafe/internal/control"
	"github.com/eksafe/eksafe/internal/estate"
)

var headings = map[string]string{"fail": "Fails", "pass": "Passes", "unknown": "Unknown", "notApplicable": "Not applicable"}

const generated = "<!-- Generated from the controls. Do not edit; run: go test ./internal/control/all -update -->\n\n"

// WriteControls writes the reference page of every control. The examples on the
// page are the control's own test cases, so they cannot be wrong.
func WriteControls(out io.Writer) error {
	w := bufio.NewWriter(out)
	w.WriteString("# Controls\n\n" + generated)
	w.WriteString("Each control is a requirement that an estate should meet. Examples are changes to a secure estate: a resource, its fields, their values; `# want` says what eksafe reports there.\n\n")
	for _, f := range families {
		fmt.Fprintf(w, "- [%s](#%s)", f.Title, anchor(f.Title))
		for i, c := range f.Controls {
			sep := ", "
			if i == 0 {
				sep = ": "
			}
			fmt.Fprintf(w, "%s[%s](#%s)", sep, c.ID, c.ID)
		}
		w.WriteString("\n")
	}
	for _, f := range families {
		fmt.Fprintf(w, "\n## %s\n", f.Title)
		for _, c := range f.Controls {
			if err := writeControl(w, c); err != nil {
				return err
			}
		}
	}
	return w.Flush()
}

func writeControl(w *bufio.Writer, c *control.Control) error {
	page, err := Page(c.ID)
	if err != nil {
		return err
	}
	examples, err := Examples(c.ID)
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "\n### %s\n\n%s. Severity: **%s**. Since %s.\n\n", c.ID, c.Title, c.Severity, c.Since)
	// A heading of the page stands below the control's.
	w.WriteString(strings.ReplaceAll("\n"+page, "\n### ", "\n#### ")[1:])
	w.WriteString("\n#### Where it is written\n\n")
	for _, r := range c.Refs {
		fmt.Fprintf(w, "- %s: [%s](%s)\n", r.Source, section(r), r.URL)
	}
	var served []string
	for _, s := range c.Serves {
		served = append(served, fmt.Sprintf("[%s](requirements.md#%s)", s, strings.ToLower(s)))
	}
	fmt.Fprintf(w, "\nServes %s. Reads %s.\n\n<details><summary>Examples</summary>\n", strings.Join(served, ", "), kinds(c.Reads()))
	for _, e := range examples {
		fmt.Fprintf(w, "\n%s, %s:\n\n```yaml\n%s```\n", headings[e.Verdict], e.Name, e.YAML)
	}
	w.WriteString("\n</details>\n")
	return nil
}

func kinds(all []estate.Kind) string {
	var out []string
	for _, k := range all {
		out = append(out, string(k))
	}
	slices.Sort(out)
	return strings.Join(slices.Compact(out), ", ")
}

// anchor returns the fragment that Markdown gives to a heading.
func anchor(title string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == ' ':
			return '-'
		case unicode.IsLetter(r), unicode.IsDigit(r), r == '-':
			return unicode.ToLower(r)
		}
		return -1
	}, title)
}

// WriteRequirements writes the matrix of what a secure application needs and
// the controls that judge it.
func WriteRequirements(out io.Writer) error {
	w := bufio.NewWriter(out)
	w.WriteString("# Requirements\n\n" + generated)
	w.WriteString("What a secure application on EKS needs, the controls that judge it, and the commands that serve it. A requirement without a control is not judged by this release; a command in parentheses is planned.\n\n")
	w.WriteString("| no | requirement | controls | commands |\n| --- | --- | --- | --- |\n")
	for _, r := range Requirements {
		var by []string
		for _, c := range All() {
			if slices.Contains(c.Serves, r.No) {
				by = append(by, fmt.Sprintf("[%s](controls.md#%s)", c.ID, c.ID))
			}
		}
		judged := strings.Join(by, ", ")
		if judged == "" {
			judged = "–"
		}
		var commands []string
		for _, c := range r.Commands {
			commands = append(commands, c.Title())
		}
		fmt.Fprintf(w, "| <a id=\"%s\"></a>%s | %s | %s | %s |\n", strings.ToLower(r.No), r.No, r.Text, judged, strings.Join(commands, ", "))
	}
	w.WriteString("\n## By document\n\nThe sections of published documents that controls cite.\n\n| document | section | controls |\n| --- | --- | --- |\n")
	for _, row := range cited() {
		fmt.Fprintf(w, "| %s | [%s](%s) | %s |\n", row.ref.Source, section(row.ref), row.ref.URL, strings.Join(row.by, ", "))
	}
	return w.Flush()
}

// section returns the number and title of a section, or what it has of both.
func section(r control.Ref) string {
	switch r.Source {
	case control.CISEKSSource, control.FSBPSource, control.ATTACKSource:
		return r.Section + " " + r.Title
	case control.PSSSource:
		return r.Section
	}
	return r.Title
}

type citedRow struct {
	ref control.Ref
	by  []string
}

func cited() []citedRow {
	var rows []citedRow
	for _, c := range All() {
		for _, r := range c.Refs {
			i := slices.IndexFunc(rows, func(row citedRow) bool { return row.ref == r })
			if i < 0 {
				rows, i = append(rows, citedRow{ref: r}), len(rows)
			}
			rows[i].by = append(rows[i].by, fmt.Sprintf("[%s](controls.md#%s)", c.ID, c.ID))
		}
	}
	slices.SortFunc(rows, func(a, b citedRow) int { return a.ref.Compare(b.ref) })
	return rows
}
