package control

import (
	"net/url"
	"testing"
	"time"
)

// What stands in the table is what users are sent to read.
func TestCitations(t *testing.T) {
	for source, rows := range citations {
		seen := map[string]bool{}
		for _, c := range rows {
			if c.section == "" || c.title == "" || seen[c.section] {
				t.Errorf("%s %q: empty or twice", source, c.section)
			}
			seen[c.section] = true
			if u, err := url.Parse(c.url); err != nil || u.Scheme != "https" || u.Host == "" {
				t.Errorf("%s %q: URL %q", source, c.section, c.url)
			}
			if _, err := time.Parse(time.DateOnly, c.checked); err != nil {
				t.Errorf("%s %q: checked %q", source, c.section, c.checked)
			}
		}
	}
}

func TestCite(t *testing.T) {
	for _, ok := range []Ref{
		FSBP("RDS.3"), CISEKS("5.3.1"), PSS("baseline", ""), PSS("baseline", "HostPath Volumes"), ATTACK("T1611"),
		NSA("Kubernetes Pod security"), AWS("eks-versions"), Project("kubernetes-storage-classes"),
	} {
		if err := ok.Validate(); err != nil {
			t.Error(err)
		}
	}
	for _, bad := range []Ref{FSBP("RDS.999"), CISEKS("9.9.9"), PSS("strict", ""), Guide("no such chapter"), {}} {
		if bad.Validate() == nil {
			t.Errorf("%v is valid", bad)
		}
	}
}
