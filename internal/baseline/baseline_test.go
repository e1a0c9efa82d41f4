package baseline_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/eksafe/eksafe/internal/baseline"
	"github.com/eksafe/eksafe/internal/control"
	"github.com/eksafe/eksafe/internal/estate"
	"github.com/eksafe/eksafe/internal/finding"
)

func result(id string, subjects ...string) control.Result {
	res := control.Result{Control: &control.Control{ID: id}, Verdict: finding.Pass}
	for _, s := range subjects {
		res.Verdict = finding.Fail
		res.Findings = append(res.Findings, finding.Finding{Control: id, Subject: estate.Ref{Kind: "Workload", Name: s, ID: s}, Field: "f[0]"})
	}
	finding.SetFingerprints(res.Findings)
	return res
}

func written(t *testing.T, b *baseline.Baseline) string {
	t.Helper()
	var out bytes.Buffer
	if err := b.Write(&out); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func TestWriteIsStableAndReadsBack(t *testing.T) {
	results := []control.Result{result("b", "y", "x"), result("a", "<x> & y", "z"), result("c")}
	first := written(t, baseline.Of(results))
	for range 20 {
		rand.Shuffle(len(results), func(i, j int) { results[i], results[j] = results[j], results[i] })
		for _, r := range results {
			rand.Shuffle(len(r.Findings), func(i, j int) { r.Findings[i], r.Findings[j] = r.Findings[j], r.Findings[i] })
		}
		if again := written(t, baseline.Of(results)); again != first {
			t.Fatalf("another order, other bytes:\n%s", cmp.Diff(first, again))
		}
	}
	b, err := baseline.Read(strings.NewReader(first))
	if err != nil {
		t.Fatal(err)
	}
	if again := written(t, b); again != first {
		t.Errorf("read and written again it differs:\n%s", cmp.Diff(first, again))
	}
	if n := strings.Count(first, "\n"); n != 4+5 {
		t.Errorf("%d lines for 4 findings: a review of a change would not see one a line", n)
	}
	if empty := written(t, baseline.Of(nil)); empty != "{\n  \"version\": \"eksafe.dev/baseline/v1\",\n  \"findings\": []\n}\n" {
		t.Errorf("an empty baseline is %q", empty)
	}
}

func TestReadRefuses(t *testing.T) {
	const fingerprint = "0123456789abcdef0123"
	entry := func(s string) string {
		return `{"version": "eksafe.dev/baseline/v1", "findings": [` + s + `]}`
	}
	good := `{"control": "a", "subject": "x", "fingerprint": "` + fingerprint + `"}`
	if _, err := baseline.Read(strings.NewReader(entry(good))); err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]string{
		"":                       "no baseline",
		"{}":                     "no version",
		"[]":                     "no baseline",
		entry(good) + "{}":       "after its end",
		entry(good + "," + good): "twice",
		entry(good[:40]):         "it was cut",
		strings.Replace(entry(good), "v1", "v2", 1):                                `"eksafe.dev/baseline/v2"`,
		strings.Replace(entry(good), fingerprint, "short", 1):                      "no fingerprint",
		strings.Replace(entry(good), fingerprint, strings.ToUpper(fingerprint), 1): "no fingerprint",
		strings.Replace(entry(good), `"control": "a", `, ``, 1):                    "no control",
		strings.Replace(entry(good), `"control"`, `"rule"`, 1):                     "unknown field",
		`{"version": "eksafe.dev/baseline/v1"}`:                                    "no findings",
	} {
		if _, err := baseline.Read(strings.NewReader(text)); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "--write-baseline") {
			t.Errorf("%.80s: %v, want %q and what to do", text, err, want)
		}
	}
}

func TestApply(t *testing.T) {
	was := []control.Result{result("a", "x", "y", "z"), result("b", "x"), result("c", "x"), result("d", "x", "y"), result("e", "x")}
	now := []control.Result{
		result("a", "x", "new"),
		{Control: &control.Control{ID: "b"}, Verdict: finding.Unknown},
		{Control: &control.Control{ID: "c"}, Verdict: finding.NotApplicable},
		result("d", "q"),
	}
	now[3].Gaps = []finding.Gap{{Subject: estate.Ref{ID: "y"}}}
	now[0].Findings[0].Exception = &finding.Exception{Reason: "r"} // "new" or "x"
	accepted := now[0].Findings[0].Subject.ID
	c, out := baseline.Of(was).Apply("known.json", now)
	var gone, unjudged []string
	for _, e := range c.Gone {
		gone = append(gone, e.Control+"/"+e.Subject)
	}
	for _, e := range c.Unjudged {
		unjudged = append(unjudged, e.Control+"/"+e.Subject)
	}
	if want := []string{"a/y", "a/z", "c/x", "d/x"}; !slices.Equal(gone, want) {
		t.Errorf("gone %v, want %v", gone, want)
	}
	// b was not judged, d has a gap for y, e was not run.
	if want := []string{"b/x", "d/y", "e/x"}; !slices.Equal(unjudged, want) {
		t.Errorf("unjudged %v, want %v", unjudged, want)
	}
	for _, f := range slices.Concat(out[0].Findings, out[3].Findings) {
		want := finding.New
		if f.Subject.ID == "x" {
			want = finding.Known
		}
		if f.Baseline != want {
			t.Errorf("%s is %s", f.Subject.ID, f.Baseline)
		}
	}
	if accepted == "new" && (c.New != 1 || c.Known != 1) {
		t.Errorf("%d new, %d known: an accepted finding counts twice", c.New, c.Known)
	}
	if now[0].Findings[1].Baseline != "" {
		t.Error("the results that were given are changed")
	}
}

func TestAcceptedFindingsAreNotWritten(t *testing.T) {
	res := result("a", "x", "y")
	res.Findings[0].Exception = &finding.Exception{Reason: "r"}
	if b := baseline.Of([]control.Result{res}); b.Len() != 1 {
		t.Errorf("%d findings", b.Len())
	}
}

func FuzzRead(f *testing.F) {
	var out bytes.Buffer
	if err := baseline.Of([]control.Result{result("a", "x", "y")}).Write(&out); err != nil {
		f.Fatal(err)
	}
	f.Add(out.Bytes())
	f.Add(out.Bytes()[:out.Len()/2])
	f.Add([]byte(`{"version":"eksafe.dev/baseline/v1","findings":null}`))
	f.Add([]byte(fmt.Sprintf(`{"version":"eksafe.dev/baseline/v1","findings":[%s{}]}`, strings.Repeat("{},", 100))))
	f.Fuzz(func(t *testing.T, data []byte) {
		b, err := baseline.Read(bytes.NewReader(data))
		if err != nil {
			return
		}
		// What is accepted is whole: it writes and reads back as it is.
		var again bytes.Buffer
		if err := b.Write(&again); err != nil {
			t.Fatal(err)
		}
		c, err := baseline.Read(&again)
		if err != nil || c.Len() != b.Len() {
			t.Errorf("%v, %d findings of %d", err, c.Len(), b.Len())
		}
	})
}
