package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/eksafe/eksafe/internal/control"
	"github.com/eksafe/eksafe/internal/estate"
	"github.com/eksafe/eksafe/internal/finding"
	"github.com/eksafe/eksafe/internal/report"
	"github.com/eksafe/eksafe/internal/report/publish"
	"github.com/eksafe/eksafe/internal/review"
	"github.com/eksafe/eksafe/internal/trace"
)

// auditConfig is what audit was asked.
type auditConfig struct {
	sources
	declaration
	ledger
	output        string
	out           string
	failOn        string
	failOnUnknown bool
	publish       string
	quiet         bool
	noColor       bool
}

var (
	auditOutputs = []string{"text", "json", "sarif", "html", "junit", "ocsf", "asff"}
	// securityHub is the one service to publish to.
	securityHub = "securityhub"
	failOnNames = []string{"low", "medium", "high", "critical", "never"}
)

func (a *app) audit() *cobra.Command {
	var c auditConfig
	cmd := &cobra.Command{
		Use:   "audit [PATH…]",
		Short: "How secure is it? Paths, findings, and what nobody could tell",
		Long: `Audit follows the data of every application from the internet to the database
and judges it by the controls. A PATH is a file, a folder, a glob, or - for
stdin: Kubernetes YAML or JSON, kustomize folders, CloudFormation templates,
Terraform plans, snapshots, findings of other tools (SARIF, OCSF, ASFF). All
PATHs, --kube and --aws together are one estate.

What the estate's people declare stands in eksafe.yaml of the working directory
or in the file of --config: scope, owners, exceptions and more.

Exit code: 0 nothing at or above --fail-on, 1 something is, 2 it could not be
done.`,
		Example: `  eksafe audit ./deploy                         # manifests and templates of a folder
  helm template shop ./chart | eksafe audit -   # what Helm would install
  eksafe audit --kube --aws --region eu-west-1  # a cluster and its account
  eksafe audit -o sarif --out eksafe.sarif .    # for code scanning
  eksafe audit ./deploy trivy.sarif             # what a scanner found, on the path
  eksafe audit --fail-on medium --quiet .       # a gate for pull requests
  eksafe audit --baseline known.json .          # a gate for what is new`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := c.check(cmd, args); err != nil {
				return err
			}
			return a.runAudit(cmd.Context(), &c)
		},
	}
	c.sources.addFlags(cmd)
	c.declaration.addFlags(cmd)
	c.ledger.addFlags(cmd)
	f := cmd.Flags()
	f.StringVarP(&c.output, "output", "o", "text", "the `format`: "+strings.Join(auditOutputs, ", "))
	f.StringVar(&c.out, "out", "", "write to this `file` instead of stdout")
	f.StringVar(&c.failOn, "fail-on", "high", "exit with 1 from this `severity` on: low, medium, high, critical, or never")
	f.BoolVar(&c.failOnUnknown, "fail-on-unknown", false, "a control of that severity that nobody could judge counts too")
	f.BoolVarP(&c.quiet, "quiet", "q", false, "findings only")
	f.BoolVar(&c.noColor, "no-color", false, "no colours; NO_COLOR does the same")
	f.StringVar(&c.publish, "publish", "", "write the findings to this `service` of the account of --aws too: securityhub")
	completeFixed(cmd, "publish", securityHub)
	completeFixed(cmd, "output", auditOutputs...)
	completeFixed(cmd, "fail-on", failOnNames...)
	return cmd
}

// check lists every mistake of the flags at once.
func (c *auditConfig) check(cmd *cobra.Command, paths []string) error {
	var wrong []error
	if !slices.Contains(auditOutputs, c.output) {
		wrong = append(wrong, fmt.Errorf("unknown output %q: use %s", c.output, strings.Join(auditOutputs, ", ")))
	}
	if !slices.Contains(failOnNames, c.failOn) {
		wrong = append(wrong, fmt.Errorf("unknown --fail-on %q: use %s", c.failOn, strings.Join(failOnNames, ", ")))
	}
	if c.publish != "" && c.publish != securityHub {
		wrong = append(wrong, fmt.Errorf("unknown --publish %q: use %s", c.publish, securityHub))
	}
	if c.publish != "" && !c.aws && c.profile == "" {
		wrong = append(wrong, errors.New("--publish without --aws: it writes to that account; add --aws or --profile"))
	}
	if c.quiet && c.output != "text" {
		wrong = append(wrong, fmt.Errorf("--quiet is for text; %s always holds everything", c.output))
	}
	if len(wrong) > 0 {
		return &usageError{cmd.CommandPath(), errors.Join(wrong...)}
	}
	return c.sources.check(cmd, paths)
}

func (a *app) runAudit(ctx context.Context, c *auditConfig) error {
	d, err := a.declared(&c.declaration, c.paths)
	if err != nil {
		return err
	}
	if err := c.ledger.read(); err != nil {
		return err
	}
	e, err := a.read(ctx, &c.sources)
	if err != nil {
		return err
	}
	defer a.collectAt(judgingGCPercent)()
	bars := a.newProgress()
	t := bars.task("judging " + resources(e))
	r, err := attended(ctx, func() *report.Report { return a.judge(e, d, c.args()) })
	t.end()
	bars.stop()
	if err != nil {
		return err
	}
	if c.publish != "" {
		if err := a.publishFindings(ctx, c, r); err != nil {
			return err
		}
	}
	if err := a.keep(&c.ledger, r); err != nil {
		return err
	}
	if err := a.deliver(c.out, reportMode, func(w io.Writer) error { return a.writeReport(w, r, c) }); err != nil {
		return err
	}
	if c.output != "text" || c.out != "" {
		a.mentionProblems(e)
	}
	if fails(r.Results, c.failOn, c.failOnUnknown, c.adopts()) {
		return errFindings
	}
	return nil
}

// publishFindings writes the findings to the account. It comes before the
// report: where it fails, stdout stays empty as for every failure.
func (a *app) publishFindings(ctx context.Context, c *auditConfig, r *report.Report) error {
	o := publish.Options{Profile: c.profile}
	if len(c.regions) > 0 {
		o.Region = c.regions[0]
	}
	out, err := publish.SecurityHub(ctx, o, r)
	if err != nil {
		return err
	}
	if err := out.Err(); err != nil {
		return err
	}
	fmt.Fprintf(a.Stderr, "eksafe: Security Hub of account %s in %s: %d findings are new, %d updated, %d archived\n",
		out.Cloud.Account, out.Cloud.Region, out.New, out.Updated, out.Archived)
	return nil
}

// judge traces the estate and judges it by all controls, own ones too, as its people declare:
// the one place where a command does.
func (a *app) judge(e *estate.Estate, d *declared, args []string) *report.Report {
	g := trace.New(e)
	now := a.Now()
	v, controls := review.New(d.file, d.Config, d.controls())
	v.Audited, v.Notes = d.audited, d.notes
	results := control.Run(g, controls, now, d.Config)
	return &report.Report{
		GeneratedAt: now,
		ToolVersion: Version(),
		Args:        args,
		Graph:       control.NewScope(g, &d.Scope).Limit(g),
		Results:     v.Apply(g, results, d.Config, now),
		Review:      v,
		Describe:    d.describe,
	}
}

func (a *app) writeReport(w io.Writer, r *report.Report, c *auditConfig) error {
	switch c.output {
	case "json":
		return r.WriteJSON(w)
	case "sarif":
		return r.WriteSARIF(w)
	case "html":
		return r.WriteHTML(w)
	case "junit":
		return r.WriteJUnit(w)
	case "ocsf":
		return r.WriteOCSF(w)
	case "asff":
		return r.WriteASFF(w)
	}
	return r.WriteText(w, a.textOptions(c))
}

// textOptions says what the reader's terminal can show. What goes to a file
// or a pipe gets no colours.
func (a *app) textOptions(c *auditConfig) report.Options {
	opt := a.terminal(c.out, c.noColor)
	opt.Quiet = c.quiet
	return opt
}

// terminal says what the terminal can show of what is written to out, or to
// stdout if that is empty.
func (a *app) terminal(out string, noColor bool) report.Options {
	opt := report.Options{Unicode: a.utf8()}
	if out == "" {
		opt.Width = columns(a.Stdout)
		opt.Color = isTerminal(a.Stdout) && !noColor && a.Getenv("NO_COLOR") == "" && a.Getenv("TERM") != "dumb"
	}
	if n, err := strconv.Atoi(a.Getenv("COLUMNS")); opt.Width == 0 && err == nil && n > 0 {
		opt.Width = n
	}
	return opt
}

// utf8 reports whether the locale can show more than ASCII, as POSIX finds it.
func (a *app) utf8() bool {
	for _, name := range []string{"LC_ALL", "LC_CTYPE", "LANG"} {
		if v := strings.ToLower(a.Getenv(name)); v != "" {
			return strings.Contains(v, "utf-8") || strings.Contains(v, "utf8")
		}
	}
	return false
}

// mentionProblems says on stderr that input was left out, where the report
// itself goes elsewhere.
func (a *app) mentionProblems(e *estate.Estate) {
	var first string
	n := 0
	for _, s := range e.Sources {
		for _, p := range s.Problems {
			if n++; n == 1 {
				first = p.String()
			}
		}
	}
	switch {
	case n == 1:
		fmt.Fprintf(a.Stderr, "eksafe: left out of the report: %s\n", oneLine(first))
	case n > 1:
		fmt.Fprintf(a.Stderr, "eksafe: left out of the report: %s (and %d more, all in the report)\n", oneLine(first), n-1)
	}
}

// fails reports whether anything is at or above the limit that nobody accepted
// or knew; adopted findings are known.
func fails(results []control.Result, failOn string, unknown, adopted bool) bool {
	var limit finding.Severity
	if failOn == "never" || limit.UnmarshalText([]byte(failOn)) != nil {
		return false
	}
	for _, r := range results {
		for i := range r.Findings {
			if f := &r.Findings[i]; f.Severity >= limit && f.Decides() && !adopted {
				return true
			}
		}
		// A control that fails for some subjects can be unknown for others.
		if unknown && (r.Verdict == finding.Unknown || r.Unread != "" || len(r.Gaps) > 0) && r.Control.Severity >= limit {
			return true
		}
	}
	return false
}
