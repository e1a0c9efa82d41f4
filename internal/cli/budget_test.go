package cli_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// What a user may expect before any work is done.
const (
	maxStart  = 60 * time.Millisecond
	maxBinary = 150e6 // bytes, stripped
)

// TestBudget builds the binary as make build does and holds its size and its
// start-up: every library that an import adds runs its package initialisation
// before --help can answer.
func TestBudget(t *testing.T) {
	if testing.Short() {
		t.Skip("builds the binary")
	}
	binary := filepath.Join(t.TempDir(), "eksafe")
	build := exec.Command("go", "build", "-buildvcs=false", "-ldflags", "-s -w", "-o", binary, "../../cmd/eksafe")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("building: %v\n%s", err, out)
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
	for range 25 {
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
