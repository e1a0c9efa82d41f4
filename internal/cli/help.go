package cli

import (
	"fmt"
	"io"
	"strings"
	"unicode"

	"github.com/spf13/cobra"
)

// writeHelp writes the help of a command. It begins with examples: people copy
// before they read. It is no template of cobra's, because a program that runs
// any template keeps every method of every type.
func writeHelp(w io.Writer, cmd *cobra.Command) error {
	var b strings.Builder
	paragraph := func(text string) {
		if text = strings.TrimRightFunc(text, unicode.IsSpace); text != "" {
			b.WriteString(text + "\n\n")
		}
	}
	paragraph(cmd.Example)
	if cmd.Long != "" {
		paragraph(cmd.Long)
	} else {
		paragraph(cmd.Short)
	}
	if cmd.HasAvailableSubCommands() {
		fmt.Fprintf(&b, "Usage: %s COMMAND\n\nCommands:\n", cmd.CommandPath())
		for _, c := range cmd.Commands() {
			if c.IsAvailableCommand() {
				fmt.Fprintf(&b, "  %-*s  %s\n", c.NamePadding(), c.Name(), c.Short)
			}
		}
	} else {
		fmt.Fprintf(&b, "Usage: %s\n", cmd.UseLine())
	}
	const width = 100
	b.WriteString("\nFlags:\n" + strings.TrimRightFunc(cmd.LocalFlags().FlagUsagesWrapped(width), unicode.IsSpace))
	if cmd.HasAvailableInheritedFlags() {
		b.WriteString("\n" + strings.TrimRightFunc(cmd.InheritedFlags().FlagUsagesWrapped(width), unicode.IsSpace))
	}
	b.WriteString("\n")
	_, err := io.WriteString(w, b.String())
	return err
}
