package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/eksafe/eksafe/internal/feed/vpcflow"
	"github.com/eksafe/eksafe/internal/reach"
	"github.com/eksafe/eksafe/internal/report"
	"github.com/eksafe/eksafe/internal/trace"
)

// suggestConfig is what reach suggest was asked.
type suggestConfig struct {
	sources
	declaration
	flows    []string
	minFlows int
	output   string
	out      string
}

var suggestOutputs = []string{"yaml", "json"}

func (a *app) reachSuggest() *cobra.Command {
	var c suggestConfig
	cmd := &cobra.Command{
		Use:   "suggest [PATH…]",
		Short: "Least-privilege network policies and security-group rules",
		Long: `Suggest writes the policies that let through what workloads need and nothing
else: what the manifests tell them to connect to, the dependencies in
eksafe.yaml, name resolution, and what VPC flow logs saw. Every pod is denied the
rest. The suggestion is held against the engine before it is shown: a need that
would be lost is named with what stops it.

It changes nothing: with --out it writes files, one a namespace and one of the
rules that security groups should have, else YAML to stdout. The policies are
meant instead of those that the namespaces have now. What was observed is kept,
and listed on stderr where nothing declares it: strike out what should not be.

Exit code: 0 written; 1 something that is needed does not get through, and
stderr says why; 2 it could not be done.`,
		Example: `  eksafe reach suggest ./deploy                          # look at it
  eksafe reach suggest ./deploy --out policies           # one file a namespace
  eksafe reach suggest --kube --aws --flow-logs ./flows  # with what was observed`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := c.check(cmd, args); err != nil {
				return err
			}
			return a.runReachSuggest(cmd.Context(), &c)
		},
	}
	c.sources.addFlags(cmd)
	c.declaration.addFlags(cmd)
	cmd.Flags().StringArrayVar(&c.flows, "flow-logs", nil, "VPC flow logs: a `file` or folder, plain or gzip; may be given again")
	cmd.Flags().IntVar(&c.minFlows, "min-flows", 1, "leave out what was observed less than this `many` times")
	cmd.Flags().StringVarP(&c.output, "output", "o", "yaml", "the `format`: "+strings.Join(suggestOutputs, ", "))
	cmd.Flags().StringVar(&c.out, "out", "", "write one file a namespace into this `folder`; JSON into this file")
	completeFixed(cmd, "output", suggestOutputs...)
	return cmd
}

// check lists every mistake of the flags at once.
func (c *suggestConfig) check(cmd *cobra.Command, paths []string) error {
	var wrong []error
	if !slices.Contains(suggestOutputs, c.output) {
		wrong = append(wrong, fmt.Errorf("unknown output %q: use %s", c.output, strings.Join(suggestOutputs, ", ")))
	}
	if c.minFlows < 1 {
		wrong = append(wrong, fmt.Errorf("--min-flows %d: name a number from 1 up", c.minFlows))
	}
	if len(wrong) > 0 {
		return &usageError{cmd.CommandPath(), errors.Join(wrong...)}
	}
	return c.sources.check(cmd, paths)
}

func (a *app) runReachSuggest(ctx context.Context, c *suggestConfig) error {
	d, err := a.declared(&c.declaration, c.paths)
	if err != nil {
		return err
	}
	e, err := a.read(ctx, &c.sources)
	if err != nil {
		return err
	}
	flows := vpcflow.NewSummary()
	for _, path := range c.flows {
		if err := vpcflow.ReadPath(ctx, path, flows.Add); err != nil {
			return err
		}
	}
	g := trace.New(e)
	s, err := attended(ctx, func() *reach.Suggestion {
		var observed []reach.Observation
		for f, count := range flows.All() {
			observed = append(observed, reach.Observation{
				Source: f.Source, Destination: f.Destination, SourcePort: f.SourcePort, DestinationPort: f.DestinationPort, Protocol: f.Protocol, Count: count,
			})
		}
		needs, passed := reach.Of(g).Observe(observed, c.minFlows)
		for _, line := range passed {
			fmt.Fprintln(a.Stderr, "eksafe: "+oneLine(line))
		}
		return reach.Suggest(g, d.Config, needs)
	})
	if err != nil {
		return err
	}
	if dropped := flows.Dropped(); dropped > 0 {
		fmt.Fprintf(a.Stderr, "eksafe: %d flow records beyond the %d connections that are kept were left out\n", dropped, vpcflow.MaxConnections)
	}
	if len(s.Policies) == 0 {
		return errors.New("suggesting policies: the estate has no workloads of applications")
	}
	if c.output == "json" {
		r := &report.Reach{GeneratedAt: a.Now(), ToolVersion: Version(), Estate: e, Suggestion: s}
		how := reach.Of(g).Enforcement()
		r.Enforced, r.Partly, r.By = how.State, how.State == trace.No && !how.Nowhere, how.Why
		err = a.deliver(c.out, reportMode, r.WriteJSON)
	} else {
		err = a.writeSuggestion(s, c.out)
	}
	if err != nil {
		return err
	}
	a.mentionSuggestion(s)
	a.mentionProblems(e)
	if len(s.Lost) > 0 {
		return errFindings
	}
	return nil
}

// writeSuggestion writes the policies, a file a namespace, and the rules of
// security groups beside them. On stdout, which people pipe into kubectl, the
// rules are comments.
func (a *app) writeSuggestion(s *reach.Suggestion, dir string) error {
	var namespaces []string
	policies := map[string][]reach.PolicySuggestion{}
	for _, p := range s.Policies {
		if policies[p.Namespace] == nil {
			namespaces = append(namespaces, p.Namespace)
		}
		policies[p.Namespace] = append(policies[p.Namespace], p)
	}
	if dir == "" {
		return a.deliver("", reportMode, func(w io.Writer) error {
			if err := report.WritePolicies(w, s.Policies); err != nil || len(s.Groups) == 0 {
				return err
			}
			var b bytes.Buffer
			if err := report.WriteGroups(&b, s.Groups); err != nil {
				return err
			}
			_, err := io.WriteString(w, "\n# "+strings.TrimSuffix(strings.ReplaceAll(b.String(), "\n", "\n# "), "# "))
			return err
		})
	}
	for _, name := range namespaces {
		// A namespace's name is a DNS label where an API server admitted it; in a
		// file it may be anything, a path too.
		if name != filepath.Base(name) || strings.HasPrefix(name, ".") || strings.ContainsAny(name, `/\:`) || name == "" {
			return fmt.Errorf("writing policies of namespace %q: the name is none", name)
		}
	}
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return fmt.Errorf("making folder %s: %w", dir, cause(err))
	}
	for _, name := range namespaces {
		file := name + ".yaml"
		if file == groupsFile {
			file = "namespace-" + file
		}
		if err := a.deliver(filepath.Join(dir, file), reportMode, func(w io.Writer) error { return report.WritePolicies(w, policies[name]) }); err != nil {
			return err
		}
	}
	wrote := "the policies of " + counted(len(namespaces), "namespace")
	if len(s.Groups) > 0 {
		wrote += fmt.Sprintf(", and in %s the rules of %s", groupsFile, counted(len(s.Groups), "security group"))
		if err := a.deliver(filepath.Join(dir, groupsFile), reportMode, func(w io.Writer) error { return report.WriteGroups(w, s.Groups) }); err != nil {
			return err
		}
	}
	fmt.Fprintf(a.Stderr, "eksafe: %s holds %s\n", dir, wrote)
	return nil
}

// counted returns "1 namespace" or "2 namespaces".
func counted(n int, one string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %ss", n, one)
}

// groupsFile is the file of rules of security groups.
const groupsFile = "security-groups.yaml"

// mentionSuggestion says what the policies do not say themselves.
func (a *app) mentionSuggestion(s *reach.Suggestion) {
	for _, r := range s.Replaced {
		fmt.Fprintf(a.Stderr, "eksafe: %s is replaced: delete it, its rules would add to these\n", oneLine(r.Name))
	}
	for i := range s.Undeclared {
		d := &s.Undeclared[i]
		fmt.Fprintf(a.Stderr, "eksafe: observed, not declared: %s (%s)\n", oneLine(d.String()), counted(d.Observed, "time"))
	}
	for _, open := range s.Open {
		fmt.Fprintf(a.Stderr, "eksafe: %s\n", oneLine(open))
	}
	for _, lost := range s.Lost {
		why := ""
		if l, ok := lost.Decisive(); ok {
			why = ": " + l.Why
		}
		fmt.Fprintf(a.Stderr, "eksafe: %s → %s %s %d is needed and does not get through%s\n", oneLine(lost.From.Name), oneLine(lost.To.Name), lost.Protocol, lost.Port, oneLine(why))
	}
	for _, c := range s.Opened {
		fmt.Fprintf(a.Stderr, "eksafe: %s → %s is needed and denied today: it is opened at %s\n", oneLine(c.From), oneLine(c.To), c.Opened.String())
	}
	fmt.Fprintf(a.Stderr, "eksafe: %s get through; closed, as nobody needs them: %s\n", counted(len(s.Needs)-len(s.Lost), "need"), counted(len(s.Closed), "connection"))
}
