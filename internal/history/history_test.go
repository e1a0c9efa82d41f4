package history_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/eksafe/eksafe/internal/control"
	"github.com/eksafe/eksafe/internal/estate"
	"github.com/eksafe/eksafe/internal/finding"
	"github.com/eksafe/eksafe/internal/history"
)

var at = time.Date(2026, time.November, 23, 6, 0, 0, 0, time.UTC)

func result(id string, verdict finding.Verdict, subjects ...string) control.Result {
	res := control.Result{Control: &control.Control{ID: id}, Verdict: verdict}
	for _, s := range subjects {
		res.Findings = append(res.Findings, finding.Finding{Control: id, Subject: estate.Ref{Kind: "Workload", Name: s, ID: s}, Severity: finding.High})
	}
	finding.SetFingerprints(res.Findings)
	return res
}

func run(t time.Time, results ...control.Result) *history.Run {
	return history.Of(results, t, "0.1.0", []string{"app"})
}

func TestSaveAndLatest(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "deep", "kept")
	if r, damaged, err := history.Latest(dir, []string{"app"}); r != nil || damaged != nil || err != nil {
		t.Errorf("a folder that is not there: %v, %v, %v", r, damaged, err)
	}
	for i := range 3 {
		if _, err := history.Save(dir, run(at.Add(time.Duration(i)*time.Hour), result("a", finding.Fail, "x"))); err != nil {
			t.Fatal(err)
		}
	}
	other := history.Of(nil, at.Add(9*time.Hour), "0.1.0", []string{"--kube"})
	if _, err := history.Save(dir, other); err != nil {
		t.Fatal(err)
	}
	r, damaged, err := history.Latest(dir, []string{"app"})
	if err != nil || len(damaged) > 0 || !r.At.Equal(at.Add(2*time.Hour)) {
		t.Fatalf("%+v, %v, %v", r, damaged, err)
	}
	if o := r.Controls["a"]; o.Verdict != finding.Fail || len(o.Findings[finding.High]) != 1 {
		t.Errorf("it came back as %+v", o)
	}
}

// A second has room for many runs, and two that start together lose nothing.
func TestRunsOfOneSecond(t *testing.T) {
	dir := t.TempDir()
	const n = 16
	names := make([]string, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			var err error
			if names[i], err = history.Save(dir, run(at, result("a", finding.Pass))); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	slices.Sort(names)
	if got := slices.Compact(slices.Clone(names)); len(got) != n {
		t.Errorf("%d names for %d runs", len(got), n)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) != n {
		t.Errorf("%d files for %d runs: what is temporary is left over, or a run is lost", len(entries), n)
	}
	for _, e := range entries {
		f, err := os.Open(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := history.Read(f); err != nil {
			t.Errorf("%s: %v", e.Name(), err)
		}
		f.Close()
	}
}

func TestDamagedFilesAreToldAndPassedOver(t *testing.T) {
	dir := t.TempDir()
	if _, err := history.Save(dir, run(at, result("a", finding.Pass))); err != nil {
		t.Fatal(err)
	}
	good, err := os.ReadFile(filepath.Join(dir, "20261123T060000Z-0000.json"))
	if err != nil {
		t.Fatal(err)
	}
	damage := map[string]struct{ data, why string }{
		"20261124T060000Z-0000.json": {"", "empty"},
		"20261124T060000Z-0001.json": {string(good[:len(good)/2]), "cut"},
		"20261124T060000Z-0002.json": {strings.Replace(string(good), "v1", "v7", 1), "version"},
		"20261124T060000Z-0003.json": {strings.Replace(string(good), `"tool"`, `"tule"`, 1), "unknown field"},
		"20261124T060000Z-0004.json": {string(good) + "{}", "after its end"},
		"20261124T060000Z-0005.json": {`{"version":"eksafe.dev/history/v1"}`, "lacks"},
		"20261124T060000Z-0006.json": {`{"version":"eksafe.dev/history/v1","at":"2026-11-23T06:00:00Z","tool":"","sources":[],"controls":{"a":{"verdict":"pass","findings":{"high":["../../x"]}}}}`, "no fingerprint"},
		"20261124T060000Z-0007.json": {`{"version":"eksafe.dev/history/v1","at":"2026-11-23T06:00:00Z","tool":"","sources":[],"controls":{"a":{"verdict":"fine"}}}`, "unknown verdict"},
	}
	for name, d := range damage {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(d.data), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(dir, "20261124T060000Z-0008.json"), 0o700); err != nil {
		t.Fatal(err)
	}
	damage["20261124T060000Z-0008.json"] = struct{ data, why string }{"", "no file"}
	for _, name := range []string{"notes.json", ".run-123", "20261125T060000Z.json"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("mine"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	r, told, err := history.Latest(dir, []string{"app"})
	if err != nil || r == nil || !r.At.Equal(at) {
		t.Fatalf("%+v, %v", r, err)
	}
	if len(told) != len(damage) {
		t.Errorf("%d told, %d damaged", len(told), len(damage))
	}
	for _, d := range told {
		if !strings.Contains(d.Why, damage[d.File].why) {
			t.Errorf("%s: %s, want %q", d.File, d.Why, damage[d.File].why)
		}
	}
}

func TestSince(t *testing.T) {
	unread := result("unread", finding.Fail)
	unread.Unread = "Cluster could not be read"
	gap := result("gap", finding.Unknown)
	gap.Gaps = []finding.Gap{{Why: "not known"}}
	was := run(at,
		result("same", finding.Fail, "x"), result("worse", finding.Pass), result("better", finding.Fail, "x", "y"),
		result("both", finding.Fail, "x"), result("blind", finding.Fail, "x"), result("unread", finding.Fail, "x"),
		result("gap", finding.Pass), result("accepted", finding.Fail, "x"), result("stopped", finding.Fail, "x"),
	)
	is := run(at.Add(time.Hour),
		result("same", finding.Fail, "x"), result("worse", finding.Fail, "x"), result("better", finding.Fail, "y"),
		result("both", finding.Fail, "y", "z"), result("blind", finding.Unknown), unread,
		gap, result("accepted", finding.Excepted, "x"), result("added", finding.Fail, "x"),
	)
	c := history.Since("kept", was, is, nil)
	worse, better := map[string]history.Step{}, map[string]history.Step{}
	for _, s := range c.Worse {
		worse[s.Control] = s
	}
	for _, s := range c.Better {
		better[s.Control] = s
	}
	names := func(m map[string]history.Step) string {
		var out []string
		for k := range m {
			out = append(out, k)
		}
		slices.Sort(out)
		return strings.Join(out, " ")
	}
	if got := names(worse); got != "blind both gap worse" {
		t.Errorf("worse: %s", got)
	}
	if got := names(better); got != "accepted better both" {
		t.Errorf("better: %s", got)
	}
	if s := worse["both"]; s.New != 2 || s.Gone != 1 || s.Worst != finding.High {
		t.Errorf("%+v", s)
	}
	if s := better["accepted"]; s.Gone != 0 || s.Is != finding.Excepted {
		t.Errorf("an exception mends nothing: %+v", s)
	}
	if first := history.Since("kept", nil, is, nil); first.Since != nil || len(first.Worse)+len(first.Better) > 0 {
		t.Errorf("the first run: %+v", first)
	}
}

func FuzzRead(f *testing.F) {
	good, err := json.Marshal(run(at, result("a", finding.Fail, "x", "y"), result("b", finding.Excepted)))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add(good[:len(good)-2])
	f.Add([]byte(`{"version":"eksafe.dev/history/v1","at":"0001-01-01T00:00:00Z","sources":[],"controls":{}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := history.Read(bytes.NewReader(data))
		if err == nil {
			history.Since("", r, r, nil)
			history.Since("", r, run(at, result("a", finding.Pass)), nil)
		}
	})
}
