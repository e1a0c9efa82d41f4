package all

import (
	"bufio"
	"encoding/csv"
	"io"
	"slices"
	"strings"

	"github.com/eksafe/eksafe/internal/control"
)

// matrixSources are the documents that the matrix has a column of.
var matrixSources = []control.Source{control.CISEKSSource, control.FSBPSource, control.PSSSource, control.NSASource, control.ATTACKSource}

// A MatrixRow is one control, or one command, beside what it serves.
type MatrixRow struct {
	Name     string // "listener-tls", "eksafe audit", "(eksafe guard)"
	Family   string // of a control; "command" else
	Title    string
	Severity string     // of a control
	Serves   []string   // numbers of requirements
	Sections [][]string // of each document of the matrix
}

// Title returns the command as people type it, in parentheses where it is
// planned.
func (c Command) Title() string {
	if c.Exists {
		return "eksafe " + c.Name
	}
	return "(eksafe " + c.Name + ")"
}

// Matrix returns a row for every control, in the order of the reference, and
// one for every command that serves a requirement: those that exist first.
func Matrix() []MatrixRow {
	var out []MatrixRow
	for _, f := range families {
		for _, c := range f.Controls {
			row := MatrixRow{Name: c.ID, Family: f.ID, Title: c.Title, Severity: c.Severity.String(), Serves: c.Serves, Sections: make([][]string, len(matrixSources))}
			for i, source := range matrixSources {
				for _, ref := range c.Refs {
					if ref.Source == source {
						row.Sections[i] = append(row.Sections[i], ref.Section)
					}
				}
			}
			out = append(out, row)
		}
	}
	for _, exists := range []bool{true, false} {
		at := map[string]int{}
		for _, r := range Requirements {
			for _, c := range r.Commands {
				if c.Exists != exists {
					continue
				}
				i, ok := at[c.Name]
				if !ok {
					i = len(out)
					at[c.Name] = i
					out = append(out, MatrixRow{Name: c.Title(), Family: "command", Title: c.Does, Sections: make([][]string, len(matrixSources))})
				}
				out[i].Serves = append(out[i].Serves, r.No)
			}
		}
	}
	return out
}

func matrixHead() []string {
	head := []string{"control", "family", "what holds", "severity", "requirements"}
	for _, s := range matrixSources {
		head = append(head, string(s))
	}
	return head
}

func (r MatrixRow) cells() []string {
	cells := []string{r.Name, r.Family, r.Title, r.Severity, strings.Join(r.Serves, ", ")}
	for _, s := range r.Sections {
		cells = append(cells, strings.Join(s, ", "))
	}
	return cells
}

// WriteMatrix writes the matrix as a table of Markdown.
func WriteMatrix(out io.Writer) error {
	w := bufio.NewWriter(out)
	w.WriteString("# Compliance matrix\n\nWhat each control serves and where it is written down; then the commands that serve a requirement. A command in parentheses is planned.\n\n")
	head := matrixHead()
	line := func(cells []string) {
		for _, c := range cells {
			w.WriteString("| " + strings.ReplaceAll(c, "|", `\|`) + " ")
		}
		w.WriteString("|\n")
	}
	line(head)
	line(slices.Repeat([]string{"---"}, len(head)))
	for _, r := range Matrix() {
		line(r.cells())
	}
	w.WriteString("\n| no | requirement |\n| --- | --- |\n")
	for _, r := range Requirements {
		line([]string{r.No, r.Text})
	}
	return w.Flush()
}

// WriteMatrixCSV writes the matrix as comma-separated values with a head.
func WriteMatrixCSV(out io.Writer) error {
	w := csv.NewWriter(out)
	if err := w.Write(matrixHead()); err != nil {
		return err
	}
	for _, r := range Matrix() {
		if err := w.Write(r.cells()); err != nil {
			return err
		}
	}
	w.Flush()
	return w.Error()
}
