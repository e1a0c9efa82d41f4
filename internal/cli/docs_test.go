package cli_test

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite the output that README and docs show")

// TestDocs runs the commands of README and docs: a block marked "console" is
// real. After a command may stand its output, to the end or to a line "…".
// Commands must end with 0 or 1, not with trouble.
func TestDocs(t *testing.T) {
	root, err := filepath.Abs(filepath.Join("..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	pages, err := filepath.Glob(filepath.Join(root, "docs", "*.md"))
	if err != nil {
		t.Fatal(err)
	}
	pages = append(pages, filepath.Join(root, "README.md"))
	run := shell(t, root)
	commands := 0
	for _, page := range pages {
		name, err := filepath.Rel(root, page)
		if err != nil {
			t.Fatal(err)
		}
		t.Run(filepath.ToSlash(name), func(t *testing.T) {
			text, err := os.ReadFile(page)
			if err != nil {
				t.Fatal(err)
			}
			// One folder a page: a command may use what the one before wrote.
			in := t.TempDir()
			if err := os.Symlink(filepath.Join(root, "examples"), filepath.Join(in, "examples")); err != nil {
				t.Fatal(err)
			}
			got, n := rerun(t, string(text), func(command string) string { return run(t, in, command) })
			commands += n
			switch {
			case got == string(text):
			case *update:
				if err := os.WriteFile(page, []byte(got), 0o666); err != nil {
					t.Fatal(err)
				}
			default:
				t.Errorf("%s shows output that is not real; go test ./internal/cli -run TestDocs -update rewrites it. Real:\n%s", name, firstDifference(string(text), got))
			}
		})
	}
	if commands == 0 {
		t.Error("no page has a command in a console block")
	}
}

// rerun returns the page with the real output in its console blocks, and the
// number of commands.
func rerun(t *testing.T, page string, run func(string) string) (string, int) {
	t.Helper()
	var out []string
	commands := 0
	lines := strings.Split(page, "\n")
	for i := 0; i < len(lines); i++ {
		out = append(out, lines[i])
		if lines[i] != "```console" {
			continue
		}
		end := slices.Index(lines[i+1:], "```")
		if end < 0 {
			t.Fatal("a console block has no end")
		}
		block := lines[i+1 : i+1+end]
		i += end
		for len(block) > 0 {
			command, ok := strings.CutPrefix(block[0], "$ ")
			if !ok {
				t.Fatalf("a console block has %q where \"$ command\" should be", block[0])
			}
			next := slices.IndexFunc(block[1:], func(l string) bool { return strings.HasPrefix(l, "$ ") })
			shown := block[1:]
			if next >= 0 {
				shown = block[1 : 1+next]
			}
			commands++
			printed := run(command)
			out = append(out, block[0])
			if len(shown) > 0 {
				out = append(out, excerpt(shown, printed)...)
			}
			block = block[1+len(shown):]
		}
	}
	return strings.Join(out, "\n"), commands
}

// excerpt returns as much of the real output as is shown.
func excerpt(shown []string, printed string) []string {
	lines := strings.Split(strings.TrimRight(printed, "\n"), "\n")
	if cut := slices.Index(shown, "…"); cut >= 0 && cut < len(lines) {
		return append(slices.Clone(lines[:cut]), "…")
	}
	return lines
}

// shell returns a function that runs a command line where eksafe is this
// program, and returns what it prints.
func shell(t *testing.T, root string) func(t *testing.T, in, command string) string {
	t.Helper()
	bin := t.TempDir()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(self, filepath.Join(bin, "eksafe")); err != nil {
		t.Fatal(err)
	}
	return func(t *testing.T, in, command string) string {
		t.Helper()
		cmd := exec.Command("sh", "-c", command)
		cmd.Dir = in
		cmd.Env = []string{
			"PATH=" + bin + string(os.PathListSeparator) + os.Getenv("PATH"),
			"HOME=" + in, "LANG=C.UTF-8", "COLUMNS=100", "AWS_EC2_METADATA_DISABLED=true",
		}
		var stdout, stderr bytes.Buffer
		cmd.Stdout, cmd.Stderr = &stdout, &stderr
		err := cmd.Run()
		var exit *exec.ExitError
		if err != nil && !(errors.As(err, &exit) && exit.ExitCode() == 1) {
			t.Fatalf("$ %s\n%v\n%s", command, err, stderr.String())
		}
		return stdout.String()
	}
}

func firstDifference(a, b string) string {
	x, y := strings.Split(a, "\n"), strings.Split(b, "\n")
	for i := range y {
		if i >= len(x) || x[i] != y[i] {
			was := "(nothing)"
			if i < len(x) {
				was = x[i]
			}
			return fmt.Sprintf("line %d\n  shown: %s\n  real:  %s", i+1, was, y[i])
		}
	}
	return "it has fewer lines"
}

// TestConfigDocs audits with every file that docs/config.md shows.
func TestConfigDocs(t *testing.T) {
	root, err := filepath.Abs(filepath.Join("..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(root, "docs", "config.md"))
	if err != nil {
		t.Fatal(err)
	}
	run := shell(t, root)
	n := 0
	for i, block := range strings.Split(string(text), "\n```yaml\n")[1:] {
		file, _, _ := strings.Cut(block, "\n```")
		if strings.HasPrefix(file, "metadata:") {
			continue // of an object, not of the file
		}
		n++
		in := t.TempDir()
		if err := os.WriteFile(filepath.Join(in, "eksafe.yaml"), []byte(file+"\n"), 0o666); err != nil {
			t.Fatal(err)
		}
		out := run(t, in, "eksafe audit --fail-on never "+filepath.Join(root, "examples", "shop", "secure"))
		if !strings.Contains(out, "Config: eksafe.yaml") {
			t.Errorf("block %d was not read:\n%s", i+1, out)
		}
	}
	if n < 2 {
		t.Errorf("%d files in docs/config.md", n)
	}
}
