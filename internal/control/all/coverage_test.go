package all_test

import (
	"testing"

	"github.com/eksafe/eksafe/internal/control"
	"github.com/eksafe/eksafe/internal/control/all"
	"github.com/eksafe/eksafe/internal/control/controltest"
	"github.com/eksafe/eksafe/internal/estate"
	"github.com/eksafe/eksafe/internal/finding"
	"github.com/eksafe/eksafe/internal/trace"
)

// securityhub-findings leaves to our own controls what the table of citations
// has. A row that no control cites would silence a finding for nothing.
func TestSecurityHubRulesThatAreCitedAreJudged(t *testing.T) {
	cited := map[string]bool{}
	for _, c := range all.All() {
		for _, r := range c.Refs {
			if r.Source == control.FSBPSource {
				cited[r.Section] = true
			}
		}
	}
	for _, section := range control.Cited(control.FSBPSource) {
		if !cited[section] {
			t.Errorf("%s is in the table of citations and no control cites it", section)
		}
	}
}

// A region that was read and has no resource of a kind must be a subject; one
// that was not read must not be.
func TestRegionsWithNothingInThem(t *testing.T) {
	for _, id := range []string{"access-analyzer-on", "config-on"} {
		c, ok := all.ByID(id)
		if !ok {
			t.Fatalf("no control %s", id)
		}
		e := &estate.Estate{}
		var covered []estate.Coverage
		for _, k := range c.Reads() {
			covered = append(covered, estate.Coverage{Kind: k, State: estate.Read})
		}
		e.Sources = []estate.Source{{Coverage: covered}}
		for _, region := range []string{"eu-west-1", "us-east-1"} {
			estate.EBSDefaults.Add(e, &estate.EBSDefault{AWS: estate.AWS{
				Arn: "arn:aws:ebs:" + region, Origin: estate.Origin{Account: "111122223333", Region: region},
			}})
		}
		estate.Accounts.Add(e, &estate.Account{AWS: estate.AWS{Arn: "arn:aws:iam::111122223333:root", Origin: estate.Origin{Account: "111122223333"}}})
		r := control.Run(trace.New(e), []*control.Control{c}, controltest.Now, nil)[0]
		if r.Verdict != finding.Fail || r.Subjects != 2 || len(r.Findings) != 2 || r.Findings[0].Fingerprint == r.Findings[1].Fingerprint {
			t.Errorf("%s: %s of %d subjects, want a finding for each of two regions: %v", id, r.Verdict, r.Subjects, r.Findings)
		}
		if r := control.Run(trace.New(&estate.Estate{}), []*control.Control{c}, controltest.Now, nil)[0]; r.Verdict != finding.Unknown {
			t.Errorf("%s: %s where nobody asked, want unknown", id, r.Verdict)
		}
	}
}
