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

// A baseline knows findings by their fingerprints: one that comes must not take
// the name of one that was there.
func TestANewFindingLeavesTheOthersTheirNames(t *testing.T) {
	at := func(field, part, message string) finding.Finding {
		return finding.Finding{Control: "c", Subject: ref("a"), Field: field, Part: part, Message: message}
	}
	prints := func(fs ...finding.Finding) map[string]string {
		finding.SetFingerprints(fs)
		out := map[string]string{}
		for _, f := range fs {
			if out[f.Message] != "" || f.Fingerprint == "" {
				t.Errorf("fingerprint %q of %s", f.Fingerprint, f.Message)
			}
			out[f.Message] = f.Fingerprint
		}
		return out
	}
	for name, tt := range map[string]struct{ was, is []finding.Finding }{
		"another container before it": {
			[]finding.Finding{at("containers[0].image", "web", "web")},
			[]finding.Finding{at("containers[0].image", "cache", "cache"), at("containers[1].image", "web", "web")},
		},
		"a nameless element behind it": {
			[]finding.Finding{at("rules[0]", "", "z")},
			[]finding.Finding{at("rules[0]", "", "z"), at("rules[1]", "", "a")},
		},
		"the tenth behind the ninth": {
			[]finding.Finding{at("rules[9]", "", "z")},
			[]finding.Finding{at("rules[9]", "", "z"), at("rules[10]", "", "a")},
		},
		"another field": {
			[]finding.Finding{at("rules[0]", "", "z")},
			[]finding.Finding{at("ports[0]", "", "a"), at("rules[0]", "", "z")},
		},
	} {
		was, is := prints(tt.was...), prints(tt.is...)
		for m, p := range was {
			if is[m] != p {
				t.Errorf("%s: %s was %s and is %s", name, m, p, is[m])
			}
		}
		if len(is) != len(tt.is) {
			t.Errorf("%s: %v", name, is)
		}
	}
}

func TestDecides(t *testing.T) {
	for _, c := range []struct {
		f    finding.Finding
		want bool
	}{
		{finding.Finding{}, true},
		{finding.Finding{Baseline: finding.New}, true},
		{finding.Finding{Baseline: finding.Known}, false},
		{finding.Finding{Exception: &finding.Exception{}}, false},
		{finding.Finding{Exception: &finding.Exception{}, Baseline: finding.New}, false},
	} {
		if got := c.f.Decides(); got != c.want {
			t.Errorf("%+v decides: %v", c.f, got)
		}
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
	for v := finding.Unknown; v <= finding.Excepted; v++ {
		text, _ := v.MarshalText()
		var again finding.Verdict
		if err := again.UnmarshalText(text); err != nil || again != v {
			t.Errorf("%s reads as %v, %v", text, again, err)
		}
	}
}

// hardeneks gives Security Hub an ID without rule, cluster and namespace, so
// that findings overwrite each other.
func TestHardeneksIDsAreNotOurs(t *testing.T) {
	pod := func(namespace string) estate.Ref { return estate.NamedRef("Workload", "Pod", namespace, "web") }
	prints := map[string]bool{}
	for _, f := range []finding.Finding{
		{Control: "pod-baseline", Subject: pod("shop"), Field: "spec.hostNetwork"},
		{Control: "pod-restricted", Subject: pod("shop"), Field: "spec.hostNetwork"},
		{Control: "pod-baseline", Subject: pod("bank"), Field: "spec.hostNetwork"},
		{Control: "pod-baseline", Subject: pod("shop"), Field: "spec.hostPID"},
	} {
		one := []finding.Finding{f}
		finding.SetFingerprints(one)
		if prints[one[0].Fingerprint] {
			t.Errorf("%s of %s has the fingerprint of another finding", f.Control, f.Subject)
		}
		prints[one[0].Fingerprint] = true
	}
}
