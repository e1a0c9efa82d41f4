package cli

import (
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/spf13/cobra"

	"github.com/eksafe/eksafe/internal/baseline"
	"github.com/eksafe/eksafe/internal/estate"
	"github.com/eksafe/eksafe/internal/history"
	"github.com/eksafe/eksafe/internal/report"
)

// ledger is where a command keeps results, and to which earlier ones it
// compares them.
type ledger struct {
	baseline      string
	writeBaseline string
	history       string

	known *baseline.Baseline // of the file baseline
}

func (l *ledger) addFlags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&l.baseline, "baseline", "", "only findings that this `file` does not know decide the exit code")
	f.StringVar(&l.writeBaseline, "write-baseline", "", "write today's findings to this `file`, for --baseline")
	f.StringVar(&l.history, "history", "", "keep the results in this `folder`, and say what got better or worse")
}

// read reads what the results will be compared to, before anything is audited.
func (l *ledger) read() error {
	if l.baseline == "" {
		return nil
	}
	f, err := os.Open(l.baseline)
	if err != nil {
		return fmt.Errorf("reading the baseline %s: %w; --write-baseline writes one", l.baseline, cause(err))
	}
	defer f.Close()
	if l.known, err = baseline.Read(f); err != nil {
		return fmt.Errorf("reading the baseline %s: %w", l.baseline, cause(err))
	}
	return nil
}

// keep compares the results to earlier ones and writes them down. It comes
// before the report is written: a run whose results could not be kept must not
// look like one whose were.
func (a *app) keep(l *ledger, r *report.Report) error {
	var written *baseline.Baseline
	if l.writeBaseline != "" {
		written = baseline.Of(r.Results)
	}
	if l.known != nil {
		r.Baseline, r.Results = l.known.Apply(l.baseline, r.Results)
	}
	if l.history != "" {
		run := history.Of(r.Results, r.GeneratedAt, r.ToolVersion, sourceNames(r))
		was, damaged, err := history.Latest(l.history, run.Sources)
		if err != nil {
			return fmt.Errorf("reading the history in %s: %w", l.history, cause(err))
		}
		r.History = history.Since(l.history, was, run, damaged)
		if _, err := history.Save(l.history, run); err != nil {
			return fmt.Errorf("writing the history to %s: %w", l.history, cause(err))
		}
	}
	if written != nil {
		if err := a.deliver(l.writeBaseline, reportMode, func(w io.Writer) error { return written.Write(w) }); err != nil {
			return err
		}
		fmt.Fprintf(a.Stderr, "eksafe: %s knows %s; --baseline %s counts new ones only\n", oneLine(l.writeBaseline), findingsOf(written.Len()), oneLine(l.writeBaseline))
	}
	return nil
}

// sourceNames say what was audited: the arguments, and which cluster and account
// they meant that day.
func sourceNames(r *report.Report) []string {
	names := slices.Clone(r.Args)
	for _, s := range r.Graph.Estate.Sources {
		if s.Kind == estate.KubernetesSource || s.Kind == estate.AWSSource {
			names = append(names, string(s.Kind)+" "+s.Name)
		}
	}
	return names
}

func findingsOf(n int) string {
	if n == 1 {
		return "1 finding"
	}
	return fmt.Sprintf("%d findings", n)
}

// adopts reports whether the run takes today's findings as they are: what was
// just written down is known from now on.
func (l *ledger) adopts() bool { return l.writeBaseline != "" && l.baseline == "" }
