package cli_test

import (
	"bufio"
	"cmp"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
)

// What a user may expect before any work is done.
const (
	maxStart  = 60 * time.Millisecond
	maxBinary = 80e6 // bytes, stripped
)

// TestBudget builds the binary as make build does and holds its size and its
// start-up: every library that an import adds runs its package initialisation
// before --help can answer.
func TestBudget(t *testing.T) {
	if testing.Short() {
		t.Skip("builds the binary")
	}
	binary := filepath.Join(t.TempDir(), "eksafe")
	reached := build(t, binary)
	if chain := methodKeeper(t, reached); chain != nil {
		t.Errorf("the linker keeps every exported method of every type, because this calls methods by names that it cannot know (docs/design/size.md):\n\t%s",
			strings.Join(chain, "\n\treached by "))
	}
	info, err := os.Stat(binary)
	if err != nil {
		t.Fatal(err)
	}
	if info.Size() > maxBinary {
		t.Errorf("the stripped binary has %d MB, budget %d", info.Size()/1e6, int64(maxBinary/1e6))
	}
	// The shortest of many is what the program needs; the others also
	// measure what else the machine does.
	shortest := time.Hour
	for range 60 {
		start := time.Now()
		out, err := exec.Command(binary, "--help").Output()
		shortest = min(shortest, time.Since(start))
		if err != nil || !strings.HasPrefix(string(out), "  eksafe audit") {
			t.Fatalf("eksafe --help: %v\n%s", err, out)
		}
	}
	if shortest > maxStart {
		t.Errorf("eksafe --help takes %v, budget %v: which import does so much before main?", shortest, maxStart)
	}
	t.Logf("stripped binary %.1f MB, --help %v", float64(info.Size())/1e6, shortest)
}

// makeTags finds the build tags of make build.
var makeTags = regexp.MustCompile(`(?m)^TAGS\s*:=\s*(\S+)$`)

// build builds the binary as make build does, and returns the name of a file
// in which the linker says what is reached from what.
func build(t *testing.T, binary string) string {
	t.Helper()
	makefile, err := os.ReadFile("../../Makefile")
	if err != nil {
		t.Fatal(err)
	}
	tags := makeTags.FindSubmatch(makefile)
	if tags == nil {
		t.Fatal("the Makefile has no line that begins with TAGS :=")
	}
	deps, err := exec.Command("go", "list", "-deps", "-tags", string(tags[1]), "../../cmd/eksafe").Output()
	if err != nil {
		t.Fatalf("listing what eksafe imports: %v", err)
	}
	if slices.Contains(strings.Fields(string(deps)), "plugin") {
		t.Error("something imports the package plugin: no plugin may run, and for what one could want the linker keeps everything (docs/design/size.md)")
	}
	reached := filepath.Join(t.TempDir(), "reached")
	out, err := os.Create(reached)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	cmd := exec.Command("go", "build", "-buildvcs=false", "-tags", string(tags[1]), "-ldflags", "-s -w -dumpdep", "-o", binary, "../../cmd/eksafe")
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Run(); err != nil {
		said, _ := os.ReadFile(reached)
		t.Fatalf("building: %v\n%.5000s", err, said)
	}
	return reached
}

// methodKeeper returns a function that makes the linker keep every method,
// followed by what reaches it, one function a package; nil if there is none.
// It is the first that was reached, as those behind it may have been kept for
// its sake. The linker's lines are "from <attributes> -> to <attributes>".
func methodKeeper(t *testing.T, reached string) []string {
	t.Helper()
	keeper := ""
	for line := range reachedLines(t, reached) {
		if strings.Contains(line[1], "<ReflectMethod>") {
			keeper = symbol(line[1])
			break
		}
	}
	if keeper == "" {
		return nil
	}
	from := map[string]string{}
	for line := range reachedLines(t, reached) {
		to := symbol(line[1])
		from[to] = cmp.Or(from[to], symbol(line[0]))
	}
	chain := []string{keeper}
	for at := from[keeper]; at != "" && at != "_" && len(chain) < 20; at = from[at] {
		if packageOf(at) != packageOf(chain[len(chain)-1]) {
			chain = append(chain, at)
		}
	}
	return chain
}

func TestMethodKeeperIsNamedWithWhatReachesIt(t *testing.T) {
	reached := filepath.Join(t.TempDir(), "reached")
	const lines = `# github.com/eksafe/eksafe/cmd/eksafe
_ -> main.main
main.main -> example.com/page.Write
go:string."a -> b <ReflectMethod>" -> go:string."c"
example.com/page.Write -> example.com/page.write
example.com/page.write -> text/template.(*Template).Execute
text/template.(*Template).Execute -> text/template.(*state).evalField <ReflectMethod>
text/template.(*state).evalField <ReflectMethod> -> type:reflect.Value <UsedInIface>
`
	if err := os.WriteFile(reached, []byte(lines), 0o600); err != nil {
		t.Fatal(err)
	}
	want := []string{"text/template.(*state).evalField", "example.com/page.write", "main.main"}
	if diff := gocmp.Diff(want, methodKeeper(t, reached)); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func reachedLines(t *testing.T, name string) func(yield func([2]string) bool) {
	return func(yield func([2]string) bool) {
		f, err := os.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		spoke := false
		for r := bufio.NewReaderSize(f, 1<<20); ; {
			line, err := r.ReadString('\n')
			if err == io.EOF {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			if from, to, ok := strings.Cut(strings.TrimSuffix(line, "\n"), " -> "); ok && !strings.HasPrefix(from, "go:string.") {
				spoke = true
				if !yield([2]string{from, to}) {
					return
				}
			}
		}
		if !spoke {
			t.Fatal("the linker did not say what reaches what: does -dumpdep work differently now?")
		}
	}
}

// symbol takes the attributes off.
func symbol(s string) string {
	name, _, _ := strings.Cut(s, " <")
	return name
}

// packageOf returns the package of a symbol, nearly.
func packageOf(symbol string) string {
	folder, name := "", strings.TrimPrefix(strings.TrimPrefix(symbol, "type:"), "*")
	if i := strings.LastIndexByte(name, '/'); i >= 0 {
		folder, name = name[:i+1], name[i+1:]
	}
	name, _, _ = strings.Cut(name, ".")
	return folder + name
}
