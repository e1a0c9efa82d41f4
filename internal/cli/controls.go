package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/eksafe/eksafe/internal/control"
	"github.com/eksafe/eksafe/internal/control/all"
	"github.com/eksafe/eksafe/internal/control/own"
	"github.com/eksafe/eksafe/internal/estate"
	"github.com/eksafe/eksafe/internal/finding"
	"github.com/eksafe/eksafe/internal/report"
	"github.com/eksafe/eksafe/internal/report/publish"
	"github.com/eksafe/eksafe/internal/source/aws"
	"github.com/eksafe/eksafe/internal/source/kube"
)

// describe returns the documentation of a control for reports.
func describe(id string) report.Description {
	c, ok := all.ByID(id)
	if !ok {
		return report.Description{}
	}
	page, err := all.Page(id)
	if err != nil {
		page = "" // a control without a page is still a finding
	}
	return report.Description{Family: all.FamilyOf(c).ID, Prose: page}
}

func (a *app) controls() *cobra.Command {
	list := a.controlsList()
	cmd := &cobra.Command{
		Use:   "controls",
		Short: "What is judged: list the controls, explain one, hold them against published documents, print the permissions to read",
		Example: `  eksafe controls                        # the list
  eksafe controls explain listener-tls   # one control: why, how to mend it
  eksafe controls permissions            # the IAM policy and the ClusterRole to read with
  eksafe controls test controls.yaml     # prove controls of your own by their cases`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return a.unknownCommand(cmd, args[0])
			}
			return nil
		},
		RunE: list.RunE,
	}
	cmd.Flags().AddFlagSet(list.Flags())
	cmd.AddCommand(list, a.controlsExplain(), a.controlsMatrix(), a.controlsPermissions(), a.controlsTest(), a.controlsExport())
	return cmd
}

// A controlInfo is one control in the JSON list.
type controlInfo struct {
	ID       string           `json:"id"`
	Family   string           `json:"family"`
	Title    string           `json:"title"`
	Severity finding.Severity `json:"severity"`
	Since    string           `json:"since,omitempty"` // empty for an own control
	Formerly []string         `json:"formerly,omitempty"`
	Serves   []string         `json:"serves,omitempty"`
	Refs     []control.Ref    `json:"refs"`
	Reads    []estate.Kind    `json:"reads"`
}

func (a *app) controlsList() *cobra.Command {
	var output string
	var named declaration
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the controls",
		Example: `  eksafe controls list
  eksafe controls list -o json`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if output != "text" && output != "json" {
				return &usageError{cmd.CommandPath(), fmt.Errorf("unknown output %q: use text or json", output)}
			}
			d, err := a.declared(&named, nil)
			if err != nil {
				return err
			}
			if output == "json" {
				return a.listJSON(d)
			}
			return a.listText(d)
		},
	}
	cmd.Flags().StringVarP(&output, "output", "o", "text", "the `format`: text, json")
	completeFixed(cmd, "output", "text", "json")
	named.addFlags(cmd)
	return cmd
}

// families returns ours, and that of the own controls if there are any.
func (d *declared) families() []control.Family {
	out := all.Families()
	if len(d.own) > 0 {
		out = append(out, control.Family{ID: own.FamilyID, Title: own.FamilyTitle, Controls: d.controls()[len(all.All()):]})
	}
	return out
}

func (a *app) listText(d *declared) error {
	var b strings.Builder
	wide := 0
	for _, c := range d.controls() {
		wide = max(wide, len(c.ID))
	}
	for i, f := range d.families() {
		if i > 0 {
			b.WriteByte('\n')
		}
		fmt.Fprintf(&b, "%s: %s\n", f.ID, f.Title)
		for _, c := range f.Controls {
			fmt.Fprintf(&b, "  %-*s  %-8s  %s\n", wide, c.ID, c.Severity, c.Title)
		}
	}
	fmt.Fprintf(&b, "\n%d controls; eksafe controls explain ID says more of one\n", len(d.controls()))
	_, err := io.WriteString(a.Stdout, safe(b.String()))
	return err
}

func (a *app) listJSON(d *declared) error {
	out := []controlInfo{}
	for _, f := range d.families() {
		for _, c := range f.Controls {
			refs := c.Refs
			if refs == nil {
				refs = []control.Ref{}
			}
			out = append(out, controlInfo{c.ID, f.ID, c.Title, c.Severity, c.Since, c.Formerly, c.Serves, refs, c.Reads()})
		}
	}
	enc := json.NewEncoder(a.Stdout)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(out)
}

func (a *app) controlsExplain() *cobra.Command {
	var named declaration
	cmd := &cobra.Command{
		Use:     "explain ID",
		Short:   "Explain a control: why it matters, how to mend it, what it reads",
		Example: "  eksafe controls explain listener-tls",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) != 1 {
				return &usageError{cmd.CommandPath(), errors.New("name one control: eksafe controls lists them")}
			}
			return nil
		},
		ValidArgsFunction: func(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
			if len(args) > 0 {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			var out []string
			for _, c := range all.All() {
				out = append(out, cobra.CompletionWithDesc(c.ID, c.Title))
			}
			return out, cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			d, err := a.declared(&named, nil)
			if err != nil {
				return err
			}
			var page string
			if c, ours := all.ByID(args[0]); ours {
				page, err = explanation(c)
			} else if c := d.ownControl(args[0]); c != nil {
				page = explain(c.Control, own.FamilyID, c.Prose)
			} else {
				return unknownControl(args[0], d)
			}
			if err != nil {
				return err
			}
			_, err = io.WriteString(a.Stdout, page)
			return err
		},
	}
	named.addFlags(cmd)
	return cmd
}

func unknownControl(id string, d *declared) error {
	var names cobra.Command
	for _, c := range d.controls() {
		names.AddCommand(&cobra.Command{Use: c.ID, Run: func(*cobra.Command, []string) {}})
	}
	names.SuggestionsMinimumDistance = 3
	if near := names.SuggestionsFor(id); len(near) > 0 {
		return fmt.Errorf("no control is called %q; did you mean %s?", id, strings.Join(near, " or "))
	}
	return fmt.Errorf("no control is called %q; eksafe controls lists all", id)
}

// explanation is a control's page for a terminal: Markdown reads well there.
func explanation(c *control.Control) (string, error) {
	page, err := all.Page(c.ID)
	if err != nil {
		return "", err
	}
	examples, err := all.Examples(c.ID)
	if err != nil {
		return "", err
	}
	return explain(c, all.FamilyOf(c).ID, page) + safe(shown(examples)), nil
}

// shown is the first example that fails and the first that passes; the
// reference has them all.
func shown(examples []all.Example) string {
	var b strings.Builder
	b.WriteString("\nExamples: a change to a secure estate, and behind # want what is reported there\n")
	for _, verdict := range []string{"fail", "pass"} {
		i := slices.IndexFunc(examples, func(e all.Example) bool { return e.Verdict == verdict })
		if i < 0 {
			continue
		}
		fmt.Fprintf(&b, "\n  %s: %s\n", verdict, examples[i].Name)
		for line := range strings.Lines(examples[i].YAML) {
			b.WriteString("    " + line)
		}
	}
	return b.String()
}

func explain(c *control.Control, family, page string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s (%s, %s)\n%s\n", c.ID, c.Severity, family, c.Title)
	if page != "" {
		fmt.Fprintf(&b, "\n%s\n", plain(page))
	}
	if len(c.Refs) > 0 {
		b.WriteString("\nRequired by\n")
		for _, r := range c.Refs {
			fmt.Fprintf(&b, "  %s %s", r.Source, r.Section)
			if r.Title != "" && r.Title != r.Section {
				b.WriteString(": " + r.Title)
			}
			b.WriteByte('\n')
			if r.URL != "" {
				b.WriteString("  " + r.URL + "\n")
			}
		}
	}
	kinds := c.Reads()
	names := make([]string, len(kinds))
	for i, k := range kinds {
		names[i] = string(k)
	}
	fmt.Fprintf(&b, "\nReads %s\n", strings.Join(names, ", "))
	return safe(b.String())
}

// plain takes from Markdown what only a page needs: the marks of headings and
// the escapes. Code marks and lists stay, they are read as they are.
func plain(markdown string) string {
	lines := strings.Split(markdown, "\n")
	fenced := false
	for i, line := range lines {
		if strings.HasPrefix(line, "```") {
			fenced = !fenced
			lines[i] = ""
			continue
		}
		if fenced {
			lines[i] = "    " + line
			continue
		}
		if title := strings.TrimLeft(line, "#"); title != line && strings.HasPrefix(title, " ") {
			lines[i] = strings.TrimSpace(title)
		}
	}
	return strings.TrimSpace(strings.Join(lines, "\n"))
}

func (a *app) controlsMatrix() *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use:   "matrix",
		Short: "Print which control serves which requirement and section of a published document",
		Example: `  eksafe controls matrix > matrix.md
  eksafe controls matrix -o csv > matrix.csv`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			switch output {
			case "markdown":
				return all.WriteMatrix(a.Stdout)
			case "csv":
				return all.WriteMatrixCSV(a.Stdout)
			}
			return &usageError{cmd.CommandPath(), fmt.Errorf("unknown output %q: use markdown or csv", output)}
		},
	}
	cmd.Flags().StringVarP(&output, "output", "o", "markdown", "the `format`: markdown, csv")
	completeFixed(cmd, "output", "markdown", "csv")
	return cmd
}

func (a *app) controlsPermissions() *cobra.Command {
	var iam, rbac, secrets, publishing bool
	cmd := &cobra.Command{
		Use:   "permissions",
		Short: "Print the IAM policy and the ClusterRole that an audit needs, and no more",
		Example: `  eksafe controls permissions --iam > eksafe-read.json
  eksafe controls permissions --rbac | kubectl apply -f -
  eksafe controls permissions --publish > eksafe-publish.json`,
		Args: noArgs,
		RunE: func(*cobra.Command, []string) error {
			if publishing {
				policy, err := publish.PolicyDocument()
				if err != nil {
					return err
				}
				_, err = fmt.Fprintf(a.Stdout, "%s\n", policy)
				return err
			}
			both := iam == rbac
			if both {
				fmt.Fprintln(a.Stdout, "# IAM policy for --aws (alone: eksafe controls permissions --iam)")
			}
			if iam || both {
				policy, err := aws.PolicyDocument()
				if err != nil {
					return err
				}
				if _, err := fmt.Fprintf(a.Stdout, "%s\n", policy); err != nil {
					return err
				}
			}
			if both {
				fmt.Fprintln(a.Stdout, "\n# ClusterRole for --kube (alone: eksafe controls permissions --rbac)")
			}
			if rbac || both {
				role, err := kube.ClusterRole(secrets)
				if err != nil {
					return err
				}
				_, err = a.Stdout.Write(role)
				return err
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&iam, "iam", false, "only the IAM policy, as JSON")
	cmd.Flags().BoolVar(&rbac, "rbac", false, "only the ClusterRole, as YAML")
	cmd.Flags().BoolVar(&publishing, "publish", false, "only the IAM policy of audit --publish, as JSON; it writes, and is in no other")
	cmd.MarkFlagsMutuallyExclusive("publish", "iam")
	cmd.MarkFlagsMutuallyExclusive("publish", "rbac")
	cmd.Flags().BoolVar(&secrets, "secrets", false, "the ClusterRole allows to list Secrets, for audit --secrets")
	return cmd
}
