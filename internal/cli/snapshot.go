package cli

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/eksafe/eksafe/internal/estate"
	"github.com/eksafe/eksafe/internal/source/snapshot"
)

func (a *app) snapshot() *cobra.Command {
	var s sources
	var out string
	cmd := &cobra.Command{
		Use:   "snapshot [PATH…] --out FILE",
		Short: "Save an estate to one file; audit runs from it offline",
		Long: `Snapshot reads the same sources as audit and saves what it read to one
compressed file. An audit of the file gives the findings of the moment it was
taken. It holds no value of a secret; it does say where the weak places are, so
keep it as you keep the report.`,
		Example: `  eksafe snapshot --kube --aws --out prod.eksafe
  eksafe audit prod.eksafe`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := s.check(cmd, args); err != nil {
				return err
			}
			if out == "" && isTerminal(a.Stdout) {
				return &usageError{cmd.CommandPath(), errors.New("name the file with --out: a snapshot is no text")}
			}
			return a.runSnapshot(cmd.Context(), &s, out)
		},
	}
	s.addFlags(cmd)
	cmd.Flags().StringVar(&out, "out", "", "the `file` to write; else stdout, unless that is a terminal")
	return cmd
}

func (a *app) runSnapshot(ctx context.Context, s *sources, out string) error {
	e, err := a.read(ctx, s)
	if err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	err = a.deliver(out, snapshotMode, func(w io.Writer) error {
		return snapshot.Write(w, e, snapshot.Meta{Taken: a.Now(), Tool: Version()})
	})
	if err != nil {
		return err
	}
	a.mentionProblems(e)
	if out != "" {
		fmt.Fprintf(a.Stderr, "eksafe: %s holds %s\n", out, resources(e))
	}
	return nil
}

// resources says how much an estate holds.
func resources(e *estate.Estate) string {
	if n := resourceCount(e); n != 1 {
		return fmt.Sprintf("%d resources", n)
	}
	return "1 resource"
}

func resourceCount(e *estate.Estate) int {
	n := 0
	for _, k := range estate.Kinds() {
		n += k.Len(e)
	}
	return n
}
