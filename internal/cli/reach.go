package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/eksafe/eksafe/internal/estate"
	"github.com/eksafe/eksafe/internal/platform"
	"github.com/eksafe/eksafe/internal/reach"
	"github.com/eksafe/eksafe/internal/report"
	"github.com/eksafe/eksafe/internal/trace"
)

// reachConfig is what reach was asked.
type reachConfig struct {
	sources
	from, to, port string
	expect         string
	group          string
	chosen         bool // the group was named
	output, out    string
	quiet, noColor bool
}

// maxCells is how many connections the matrix by application may show before it
// is folded by namespace. As many take some 60 MB; where nothing isolates, ten
// thousand applications have a hundred million.
const maxCells = 300_000

var (
	reachOutputs = []string{"text", "json", "csv", "html", "dot"}
	reachGroups  = []string{"application", "workload", "namespace"}
)

func (a *app) reach() *cobra.Command {
	var c reachConfig
	cmd := &cobra.Command{
		Use:   "reach [PATH…]",
		Short: "Who reaches whom over the network, and which rule decides",
		Long: `Reach computes who reaches which workload, database, and the internet: through
network policies of every kind, security groups, network ACLs and the mesh. It
takes the sources of audit.

Without --from and --to it draws the matrix, grouped by application. With both
it explains one pair, rule by rule; with one it lists. --expect holds the estate
to a file of expectations.

A reference is NAMESPACE/NAME of a workload, service/NAMESPACE/NAME, NAMESPACE/*,
the name or ARN of a database, internet, imds, nodes, an address or a CIDR.

Exit code: 0 answered, whatever the answer; 1 an expectation does not hold;
2 it could not be done.`,
		Example: `  eksafe reach ./deploy                                    # the matrix
  eksafe reach --from shop/web --to orders --port 5432 .   # why, or why not
  eksafe reach --to orders --kube --aws                    # who reaches it
  eksafe reach --expect reach.yaml ./deploy                # a gate for pull requests
  eksafe reach diff main.eksafe ./deploy                   # what a change opens`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := c.check(cmd, args); err != nil {
				return err
			}
			c.chosen = cmd.Flags().Changed("group")
			return a.runReach(cmd.Context(), &c)
		},
	}
	c.sources.addFlags(cmd)
	f := cmd.Flags()
	f.StringVar(&c.from, "from", "", "who reaches: a `reference`")
	f.StringVar(&c.to, "to", "", "who is reached: a `reference`")
	f.StringVar(&c.port, "port", "", "at this `port`, 5432 or 53/UDP; else at every one")
	f.StringVar(&c.expect, "expect", "", "hold the estate to this `file` of expectations")
	f.StringVar(&c.group, "group", "application", "fold the matrix by: "+strings.Join(reachGroups, ", ")+"; unless it is named, by namespace where that would be too large")
	completeFixed(cmd, "group", reachGroups...)
	c.addOutput(cmd, reachOutputs)
	cmd.AddCommand(a.reachDiff(), a.reachSuggest())
	return cmd
}

func (c *reachConfig) addOutput(cmd *cobra.Command, outputs []string) {
	f := cmd.Flags()
	f.StringVarP(&c.output, "output", "o", "text", "the `format`: "+strings.Join(outputs, ", "))
	f.StringVar(&c.out, "out", "", "write to this `file` instead of stdout")
	f.BoolVarP(&c.quiet, "quiet", "q", false, "what does not hold only")
	f.BoolVar(&c.noColor, "no-color", false, "no colours; NO_COLOR does the same")
	completeFixed(cmd, "output", outputs...)
}

// check lists every mistake of the flags at once.
func (c *reachConfig) check(cmd *cobra.Command, paths []string) error {
	var wrong []error
	if !slices.Contains(reachOutputs, c.output) {
		wrong = append(wrong, fmt.Errorf("unknown output %q: use %s", c.output, strings.Join(reachOutputs, ", ")))
	}
	if !slices.Contains(reachGroups, c.group) {
		wrong = append(wrong, fmt.Errorf("unknown --group %q: use %s", c.group, strings.Join(reachGroups, ", ")))
	}
	asked := c.from != "" || c.to != ""
	if c.port != "" {
		if _, _, err := reach.ParsePort(c.port); err != nil {
			wrong = append(wrong, err)
		}
		if !asked {
			wrong = append(wrong, errors.New("--port without --from or --to: name one of them"))
		}
	}
	if c.expect != "" && asked {
		wrong = append(wrong, errors.New("--expect with --from or --to: the file names its own"))
	}
	if (c.output == "dot" || c.output == "html") && (asked || c.expect != "") {
		wrong = append(wrong, fmt.Errorf("%s shows the matrix; use text or json for answers", c.output))
	}
	if c.output == "csv" && c.expect != "" {
		wrong = append(wrong, errors.New("csv shows connections; use text or json for expectations"))
	}
	if len(wrong) > 0 {
		return &usageError{cmd.CommandPath(), errors.Join(wrong...)}
	}
	return c.sources.check(cmd, paths)
}

func (a *app) runReach(ctx context.Context, c *reachConfig) error {
	var expectations []reach.Expectation
	if c.expect != "" {
		data, err := os.ReadFile(c.expect)
		if err != nil {
			return fmt.Errorf("reading expectations %s: %w", c.expect, cause(err))
		}
		if expectations, err = reach.ParseExpectations(data); err != nil {
			return fmt.Errorf("reading expectations %s: %w", c.expect, err)
		}
	}
	e, err := a.read(ctx, &c.sources)
	if err != nil {
		return err
	}
	bars := a.newProgress()
	t := bars.task("computing who reaches whom of " + resources(e))
	type outcome struct {
		report *report.Reach
		err    error
	}
	done, err := attended(ctx, func() outcome {
		r, err := a.computeReach(e, c, expectations)
		return outcome{r, err}
	})
	t.end()
	bars.stop()
	if err := errors.Join(err, done.err); err != nil {
		return err
	}
	if err := a.deliver(c.out, reportMode, func(w io.Writer) error { return a.writeReach(w, done.report, c) }); err != nil {
		return err
	}
	if done.report.Folded != "" && (c.output == "csv" || c.output == "dot") {
		fmt.Fprintln(a.Stderr, "eksafe:", done.report.Folded)
	}
	a.mentionProblems(e)
	if slices.ContainsFunc(done.report.Outcomes, func(o reach.Outcome) bool { return !o.Holds }) {
		return errFindings
	}
	return nil
}

func (a *app) computeReach(e *estate.Estate, c *reachConfig, expectations []reach.Expectation) (*report.Reach, error) {
	g := trace.New(e)
	n := reach.Of(g)
	r := &report.Reach{GeneratedAt: a.Now(), ToolVersion: Version(), Args: c.args(), Estate: e}
	how := n.Enforcement()
	r.Enforced, r.Partly, r.By = how.State, how.State == trace.No && !how.Nowhere, how.Why
	switch {
	case c.expect != "":
		r.Outcomes, r.Expected = n.Check(expectations), c.expect
	case c.from != "" || c.to != "":
		q := reach.Question{From: c.from, To: c.to}
		if c.port != "" {
			q.Protocol, q.Port, _ = reach.ParsePort(c.port) // check read it
		}
		r.Question = &q
		var err error
		if r.Replies, err = n.Reply(q); err != nil {
			return nil, err
		}
	default:
		drawMatrix(r, g, c, maxCells)
	}
	return r, nil
}

// drawMatrix groups the matrix as it was asked to, or by application, if that
// has no more than so many cells, and by namespace otherwise.
func drawMatrix(r *report.Reach, g *trace.Graph, c *reachConfig, cells int) {
	n := reach.Of(g)
	r.GroupedBy = c.group
	if c.chosen {
		r.Matrix = n.Matrix(grouping(g, c.group))
		return
	}
	var ok bool
	if r.Matrix, ok = n.MatrixWithin(grouping(g, c.group), cells); !ok {
		r.GroupedBy = "namespace"
		r.Folded = fmt.Sprintf("grouped by namespace: by %s there are more than %d connections; --group %s shows them all", c.group, cells, c.group)
		r.Matrix = n.Matrix(grouping(g, r.GroupedBy))
	}
}

// grouping folds endpoints as people think of them: an application is one, and
// so is what belongs to the platform.
func grouping(g *trace.Graph, by string) reach.Grouping {
	application := map[*estate.Workload]string{}
	for _, app := range g.Applications {
		name := app.Namespace + "/" + app.Name
		if len(app.Workloads) == 1 {
			// Pods whose controller was not read are one by its name.
			if owner := metav1.GetControllerOfNoCopy(app.Workloads[0]); owner != nil {
				name = app.Namespace + "/" + owner.Name
			}
		}
		for _, w := range app.Workloads {
			application[w] = name
		}
	}
	return func(e *reach.Endpoint) string {
		switch {
		case e.Kind == reach.NetworkEndpoint && e.Name == reach.OtherAddresses:
			return "" // loopback, multicast: nobody asks
		case e.Kind == reach.NodesEndpoint:
			return "" // asked about by name: what may send anywhere reaches them
		case e.Workload == nil || by == "workload":
			return e.Name
		case by == "namespace":
			return e.Namespace
		case platform.Namespace(e.Namespace):
			return e.Namespace + "/*"
		}
		return application[e.Workload]
	}
}

func (a *app) writeReach(w io.Writer, r *report.Reach, c *reachConfig) error {
	switch c.output {
	case "json":
		return r.WriteJSON(w)
	case "csv":
		return r.WriteCSV(w)
	case "dot":
		return r.WriteDOT(w)
	case "html":
		return r.WriteHTML(w)
	}
	return r.WriteText(w, a.screen(c.quiet, c.noColor, c.out))
}

// screen says what the reader's terminal can show.
func (a *app) screen(quiet, noColor bool, out string) report.Options {
	return a.textOptions(&auditConfig{quiet: quiet, noColor: noColor, out: out})
}

func (a *app) reachDiff() *cobra.Command {
	var c reachConfig
	cmd := &cobra.Command{
		Use:   "diff BEFORE AFTER",
		Short: "What opened and what closed between two estates",
		Long: `Diff computes who reaches whom in two estates and says what only one of them
allows. BEFORE and AFTER are what audit takes as PATH: a folder, a file, a
snapshot. What is not known counts as open.

Exit code: 0 nothing opened, 1 something did, 2 it could not be done.`,
		Example: `  eksafe reach diff prod.eksafe ./deploy
  eksafe reach diff main/ branch/ -o json`,
		RunE: func(cmd *cobra.Command, args []string) error {
			outputs := []string{"text", "json", "csv"}
			if !slices.Contains(outputs, c.output) {
				return &usageError{cmd.CommandPath(), fmt.Errorf("unknown output %q: use %s", c.output, strings.Join(outputs, ", "))}
			}
			if len(args) != 2 {
				return &usageError{cmd.CommandPath(), errors.New("name two estates, not " + strconv.Itoa(len(args)))}
			}
			return a.runReachDiff(cmd, &c, args)
		},
	}
	c.addOutput(cmd, []string{"text", "json", "csv"})
	return cmd
}

func (a *app) runReachDiff(cmd *cobra.Command, c *reachConfig, args []string) error {
	ctx := cmd.Context()
	var estates [2]*estate.Estate
	for i, path := range args {
		s := sources{}
		if err := s.check(cmd, []string{path}); err != nil {
			return err
		}
		var err error
		if estates[i], err = a.read(ctx, &s); err != nil {
			return err
		}
	}
	changes, err := attended(ctx, func() []reach.Change { return reach.Diff(trace.New(estates[0]), trace.New(estates[1])) })
	if err != nil {
		return err
	}
	r := &report.Reach{GeneratedAt: a.Now(), ToolVersion: Version(), Args: args, Estate: estates[1], Changes: changes}
	if err := a.deliver(c.out, reportMode, func(w io.Writer) error { return a.writeReach(w, r, c) }); err != nil {
		return err
	}
	for _, e := range estates {
		a.mentionProblems(e)
	}
	if slices.ContainsFunc(changes, func(c reach.Change) bool { return !c.Opened.Empty() }) {
		return errFindings
	}
	return nil
}
