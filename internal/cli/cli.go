// Package cli is eksafe's command line: one file a command, and what they
// share, which is flags, exit codes, errors and progress. It reads no estate
// and judges none; it joins the packages that do.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"runtime/debug"
	"strings"
	"time"
	"unicode"

	"github.com/spf13/cobra"
)

// A Process is what a command may touch of the process it runs in.
type Process struct {
	Args   []string // without the program's name
	Stdin  io.Reader
	Stdout io.Writer
	Stderr io.Writer
	Getenv func(string) string
	Now    func() time.Time
}

// The exit codes, as diff and grep have them.
const (
	exitClean    = 0 // nothing at or above --fail-on
	exitFindings = 1 // something is
	exitTrouble  = 2 // the job could not be done
)

// errFindings ends a command whose answer is "not secure".
var errFindings = errors.New("findings at or above the limit")

// A usageError is a mistake in the command line itself.
type usageError struct {
	command string // "eksafe audit"
	err     error
}

func (e *usageError) Error() string {
	return strings.ReplaceAll(e.err.Error(), "\n", "; ") + "; see " + e.command + " --help"
}

func (e *usageError) Unwrap() error { return e.err }

// Run runs the command line and returns the exit code. It writes at most one
// line about an error to Stderr, and never a stack.
func Run(ctx context.Context, p Process) (code int) {
	a := &app{Process: p, log: slog.New(slog.DiscardHandler)}
	defer func() {
		if r := recover(); r != nil {
			code = a.fail(&internalError{cause: r, stack: debug.Stack()})
		}
	}()
	root := a.root()
	root.SetArgs(p.Args)
	root.SetIn(p.Stdin)
	root.SetOut(p.Stdout)
	root.SetErr(p.Stderr)
	err := root.ExecuteContext(ctx)
	switch {
	case err == nil:
		return exitClean
	case errors.Is(err, errFindings):
		return exitFindings
	case ctx.Err() != nil && errors.Is(err, context.Canceled):
		return a.fail(errors.New("interrupted; nothing was written"))
	}
	return a.fail(err)
}

// fail says why the job could not be done.
func (a *app) fail(err error) int {
	var internal *internalError
	if errors.As(err, &internal) {
		a.log.Debug("panic", "stack", string(internal.stack))
	}
	for cause := errors.Unwrap(err); cause != nil; cause = errors.Unwrap(cause) {
		a.log.Debug("caused by", "type", fmt.Sprintf("%T", cause))
	}
	// A file that people write has a line for each mistake, as compilers do.
	var wrong interface {
		error
		Lines() []string
	}
	if errors.As(err, &wrong) {
		for _, line := range wrong.Lines() {
			fmt.Fprintln(a.Stderr, oneLine(line))
		}
		return exitTrouble
	}
	fmt.Fprintln(a.Stderr, "eksafe: "+oneLine(err.Error()))
	return exitTrouble
}

// An internalError is a panic: a mistake of ours, never of the input.
type internalError struct {
	cause any
	stack []byte
}

func (e *internalError) Error() string {
	return fmt.Sprintf("internal error: %v; please report it, --log-level debug shows the stack", e.cause)
}

// oneLine makes text safe for one line of a terminal: error texts quote
// input, and input is whatever an attacker wrote.
func oneLine(text string) string {
	var b strings.Builder
	space := false
	for _, r := range text {
		switch {
		case r == '\n' || r == '\t' || r == ' ':
			space = b.Len() > 0
			continue
		case !unicode.IsPrint(r):
			r = '\uFFFD'
		}
		if space {
			b.WriteByte(' ')
			space = false
		}
		b.WriteRune(r)
	}
	return b.String()
}

// app is one run.
type app struct {
	Process
	log      *slog.Logger
	logLevel string
}

func (a *app) root() *cobra.Command {
	printVersion := false
	root := &cobra.Command{
		Use:   "eksafe",
		Short: "How secure is my application when it is deployed in the public cloud?",
		Long: `eksafe says how secure an application on AWS EKS is: it follows the data from
the internet to the database, says of every hop whether it is encrypted, and
names what to change, with file and line.`,
		Example: `  eksafe audit ./manifests          # a folder of manifests or templates
  eksafe audit --kube               # the cluster of the current context
  eksafe audit --kube --aws         # the cluster and its account, as one`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return nil
			}
			return a.unknownCommand(cmd, args[0])
		},
		RunE: func(cmd *cobra.Command, _ []string) error {
			text := firstSteps
			if printVersion {
				text = "eksafe " + Version() + "\n"
			}
			_, err := io.WriteString(a.Stdout, text)
			return err
		},
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error { return a.setLog(cmd) },
		SilenceErrors:     true,
		SilenceUsage:      true,
	}
	root.Flags().BoolVarP(&printVersion, "version", "v", false, "version for eksafe")
	root.SetHelpFunc(func(cmd *cobra.Command, _ []string) {
		if err := writeHelp(cmd.OutOrStdout(), cmd); err != nil {
			cmd.PrintErrln(err)
		}
	})
	root.SetHelpCommand(&cobra.Command{
		Use: "help [COMMAND]", Short: "Help about a command",
		RunE: func(cmd *cobra.Command, args []string) error {
			found, rest, err := root.Find(args)
			if err != nil || len(rest) > 0 {
				return a.unknownCommand(root, strings.Join(args, " "))
			}
			return found.Help()
		},
	})
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return &usageError{cmd.CommandPath(), err}
	})
	root.PersistentFlags().StringVar(&a.logLevel, "log-level", "warn", "what to log on stderr: debug, info, warn, error")
	completeFixed(root, "log-level", "debug", "info", "warn", "error")
	root.AddCommand(a.audit(), a.reach(), a.whoCan(), a.snapshot(), a.controls(), a.version())
	root.InitDefaultCompletionCmd()
	// cobra gives every command -h; the words are ours.
	for _, cmd := range append(root.Commands(), root) {
		cmd.InitDefaultHelpFlag()
		cmd.Flags().Lookup("help").Usage = "this help"
	}
	return root
}

const firstSteps = `eksafe says how secure your application is when it is deployed on AWS EKS.

Three things to try:

  eksafe audit ./manifests     a folder of Kubernetes manifests, CloudFormation, kustomize
  eksafe audit --kube          the cluster of your current kubeconfig context
  eksafe audit --kube --aws    the cluster together with its AWS account

It only reads. eksafe --help lists all commands.
`

func (a *app) unknownCommand(cmd *cobra.Command, name string) error {
	msg := fmt.Sprintf("unknown command %q", name)
	cmd.SuggestionsMinimumDistance = 2
	if near := cmd.SuggestionsFor(name); len(near) > 0 {
		msg += "; did you mean " + strings.Join(near, " or ") + "?"
	}
	return &usageError{cmd.CommandPath(), errors.New(msg)}
}

// setLog makes the logger before a command runs.
func (a *app) setLog(cmd *cobra.Command) error {
	var level slog.Level
	switch a.logLevel {
	case "debug", "info", "warn", "error":
		if err := level.UnmarshalText([]byte(a.logLevel)); err != nil {
			return err
		}
	default:
		return &usageError{cmd.CommandPath(), fmt.Errorf("unknown --log-level %q: use debug, info, warn or error", a.logLevel)}
	}
	a.log = slog.New(slog.NewTextHandler(a.Stderr, &slog.HandlerOptions{
		Level: level,
		ReplaceAttr: func(groups []string, attr slog.Attr) slog.Attr {
			if len(groups) == 0 && attr.Key == slog.TimeKey {
				return slog.Time(slog.TimeKey, a.Now().UTC().Truncate(time.Millisecond))
			}
			return attr
		},
	}))
	return nil
}

// completeFixed completes a flag with fixed words.
func completeFixed(cmd *cobra.Command, flag string, words ...string) {
	fn := cobra.FixedCompletions(words, cobra.ShellCompDirectiveNoFileComp)
	if err := cmd.RegisterFlagCompletionFunc(flag, fn); err != nil {
		panic("cli: " + err.Error())
	}
}

// noArgs refuses arguments in one line.
func noArgs(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return &usageError{cmd.CommandPath(), fmt.Errorf("unexpected argument %q", args[0])}
	}
	return nil
}

// attended runs work that cannot be interrupted and stops waiting for it when
// ctx ends: on Ctrl-C the process leaves at once. A panic of work surfaces in
// the caller.
func attended[T any](ctx context.Context, work func() T) (T, error) {
	type outcome struct {
		value T
		panic *internalError
	}
	done := make(chan outcome, 1) // one: the worker must not hang when nobody waits
	go func() {
		var out outcome
		defer func() {
			if r := recover(); r != nil {
				out.panic = &internalError{cause: r, stack: debug.Stack()}
			}
			done <- out
		}()
		out.value = work()
	}()
	var none T
	select {
	case out := <-done:
		if out.panic != nil {
			return none, out.panic
		}
		return out.value, ctx.Err()
	case <-ctx.Done():
		return none, ctx.Err()
	}
}
