package cli

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"

	"github.com/spf13/cobra"

	"github.com/eksafe/eksafe/internal/config"
	"github.com/eksafe/eksafe/internal/control"
	"github.com/eksafe/eksafe/internal/control/all"
	"github.com/eksafe/eksafe/internal/control/own"
	"github.com/eksafe/eksafe/internal/report"
)

// ownControls reads files of own controls. All mistakes of all files come at
// once.
func ownControls(files []string) ([]*own.Control, error) {
	var out []*own.Control
	var wrong mistakes
	for _, file := range files {
		data, err := readConfig(file)
		if err != nil {
			return nil, fmt.Errorf("reading the controls %s: %w; see docs/controls.md", file, cause(err))
		}
		controls, err := own.Parse(file, data, func(id string) string {
			if _, ours := all.ByID(id); ours {
				return "a control of eksafe"
			}
			if i := slices.IndexFunc(out, func(c *own.Control) bool { return c.ID == id }); i >= 0 {
				return fmt.Sprintf("%s:%d", out[i].File, out[i].Line)
			}
			return ""
		})
		var e *config.Error
		switch {
		case errors.As(err, &e):
			wrong = append(wrong, e)
		case err != nil:
			return nil, err
		}
		out = append(out, controls...)
	}
	if len(wrong) > 0 {
		return nil, wrong
	}
	return out, nil
}

// mistakes are those of several files.
type mistakes []*config.Error

func (m mistakes) Error() string { return strings.Join(m.Lines(), "\n") }

// Lines returns a line for each mistake.
func (m mistakes) Lines() []string {
	var out []string
	for _, e := range m {
		out = append(out, e.Lines()...)
	}
	return out
}

// controls returns every control that judges: ours, then those of the user.
func (d *declared) controls() []*control.Control {
	out := all.All()
	for _, c := range d.own {
		out = append(out, c.Control)
	}
	return out
}

// ownControl returns the own control of that ID, nil if there is none.
func (d *declared) ownControl(id string) *own.Control {
	if i := slices.IndexFunc(d.own, func(c *own.Control) bool { return c.ID == id }); i >= 0 {
		return d.own[i]
	}
	return nil
}

// describe returns the documentation of a control for reports.
func (d *declared) describe(id string) report.Description {
	if c := d.ownControl(id); c != nil {
		return report.Description{Family: own.FamilyID, Prose: c.Prose}
	}
	return describe(id)
}

func (a *app) controlsTest() *cobra.Command {
	return &cobra.Command{
		Use:   "test FILE…",
		Short: "Prove own controls by their cases",
		Long: `Test runs the cases that stand beside own controls in their files: changes of a
built-in secure estate, or of an empty one, that must make the control fail,
pass or unknown, with the message and at the field that the case names.

Exit code: 0 every case proves its control, 1 one does not, 2 a file is wrong.`,
		Example: "  eksafe controls test controls.yaml",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return &usageError{cmd.CommandPath(), errors.New("name the files of the controls")}
			}
			return nil
		},
		RunE: func(_ *cobra.Command, files []string) error {
			controls, err := ownControls(files)
			if err != nil {
				return err
			}
			return a.proveOwn(controls)
		},
	}
}

func (a *app) proveOwn(controls []*own.Control) error {
	var b strings.Builder
	refuted := 0
	for _, c := range controls {
		flaws := c.Prove()
		if len(flaws) == 0 {
			fmt.Fprintf(&b, "ok    %s  %s\n", c.ID, casesOf(c))
			continue
		}
		refuted++
		fmt.Fprintf(&b, "WRONG %s\n", c.ID)
		for _, f := range flaws {
			fmt.Fprintf(&b, "%s:%d: %s\n", c.File, f.Line, strings.TrimPrefix(f.Case+": ", ": ")+strings.ReplaceAll(strings.TrimRight(f.What, ": \n"), "\n", "\n      "))
		}
	}
	fmt.Fprintf(&b, "\n%d of %d controls are proved\n", len(controls)-refuted, len(controls))
	if _, err := fmt.Fprint(a.Stdout, safe(b.String())); err != nil {
		return err
	}
	if refuted > 0 {
		return errFindings
	}
	return nil
}

// safe returns lines of text for a terminal: they quote files.
func safe(text string) string {
	return strings.Map(func(r rune) rune {
		if r == '\n' || unicode.IsPrint(r) {
			return r
		}
		return '\uFFFD'
	}, text)
}

func casesOf(c *own.Control) string {
	switch n := len(c.Cases()); n {
	case 0:
		return "no cases: what is missing and what cannot be read is proved, and no more"
	case 1:
		return "1 case"
	default:
		return fmt.Sprintf("%d cases", n)
	}
}
