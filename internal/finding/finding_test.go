package finding_test

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/eksafe/eksafe/internal/estate"
	"github.com/eksafe/eksafe/internal/finding"
)

func ref(id string) estate.Ref { return estate.Ref{Kind: "Workload", Name: id, ID: id} }

func TestFingerprintsSurviveOrderAndPosition(t *testing.T) {
	listing := func(index string) []finding.Finding {
		return []finding.Finding{
			{Control: "c", Subject: ref("a"), Field: "containers[" + index + "].image", Message: "one"},
			{Control: "c", Subject: ref("a"), Field: "containers[9].image", Message: "two"},
			{Control: "c", Subject: ref("b"), Field: "containers[0].image", Message: "one"},
			{Control: "c", Subject: ref("a"), Field: "annotations[x.y/z]", Message: "one"},
			{Control: "d", Subject: ref("a"), Field: "annotations[x.y/z]", Message: "one"},
		}
	}
	prints := func(fs []finding.Finding) map[string]string {
		rand.Shuffle(len(fs), func(i, j int) { fs[i], fs[j] = fs[j], fs[i] })
		finding.SetFingerprints(fs)
		out := map[string]string{}
		for _, f := range fs {
			out[f.Control+f.Subject.ID+f.Field[:3]+f.Message] = f.Fingerprint
		}
		return out
	}
	first, moved := prints(listing("0")), prints(listing("7"))
	seen := map[string]bool{}
	for k, p := range first {
		if moved[k] != p {
			t.Errorf("%s changed from %s to %s", k, p, moved[k])
		}
		if p == "" || seen[p] {
			t.Errorf("fingerprint %q of %s is empty or not its own", p, k)
		}
		seen[p] = true
	}
}

func TestSeverityText(t *testing.T) {
	for _, s := range finding.Severities {
		text, err := s.MarshalText()
		if err != nil {
			t.Fatal(err)
		}
		var again finding.Severity
		if err := again.UnmarshalText(text); err != nil || again != s {
			t.Errorf("%s reads as %v, %v", text, again, err)
		}
	}
	for _, bad := range []string{"", "High", "severe", "severity 0"} {
		var s finding.Severity
		if err := s.UnmarshalText([]byte(bad)); err == nil {
			t.Errorf("%q was taken for %v", bad, s)
		}
	}
	if !slices.IsSortedFunc(finding.Severities, func(a, b finding.Severity) int { return int(b - a) }) {
		t.Error("severities do not begin with the worst")
	}
}

func TestZeroVerdictIsUnknown(t *testing.T) {
	var v finding.Verdict
	if v.String() != "unknown" {
		t.Errorf("the zero verdict is %s", v)
	}
	for v := finding.Unknown; v <= finding.Fail; v++ {
		text, _ := v.MarshalText()
		var again finding.Verdict
		if err := again.UnmarshalText(text); err != nil || again != v {
			t.Errorf("%s reads as %v, %v", text, again, err)
		}
	}
}
