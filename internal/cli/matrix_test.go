package cli

import (
	"strings"
	"testing"

	"github.com/eksafe/eksafe/internal/control/all"
)

// The matrix says of each command whether it exists; here is who knows.
func TestMatrixKnowsTheCommands(t *testing.T) {
	root := (&app{}).root()
	for _, r := range all.Requirements {
		for _, c := range r.Commands {
			words := strings.Fields(c.Name)
			cmd, rest, err := root.Find(words)
			exists := err == nil && cmd != root
			if exists && len(rest) > 0 {
				exists = cmd.Flags().Lookup(strings.TrimPrefix(rest[0], "--")) != nil
			}
			if exists != c.Exists {
				t.Errorf("%s: eksafe %s exists: %v, and the matrix says %v", r.No, c.Name, exists, c.Exists)
			}
		}
	}
}
