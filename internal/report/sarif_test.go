package report_test

import (
	"bytes"
	"encoding/json"
	"net/url"
	"strings"
	"testing"

	"github.com/owenrumney/go-sarif/v3/pkg/report/v210/sarif"

	"github.com/eksafe/eksafe/internal/report"
	"github.com/eksafe/eksafe/internal/report/reporttest"
)

func sarifOf(t *testing.T, r *report.Report) []byte {
	t.Helper()
	return written(t, func(b *bytes.Buffer) error { return r.WriteSARIF(b) })
}

func TestSARIF(t *testing.T) {
	golden(t, "shop.sarif", sarifOf(t, reporttest.Shop()))
	golden(t, "empty.sarif", sarifOf(t, reporttest.Empty()))
	golden(t, "reviewed.sarif", sarifOf(t, reporttest.Reviewed("the team's own words")))
}

// The schema is the one of OASIS, which the library carries.
func TestSARIFMeetsTheSchema(t *testing.T) {
	reports := map[string]*report.Report{"shop": reporttest.Shop(), "empty": reporttest.Empty(), "big": reporttest.Big(30), "zero": {}}
	for name, hostile := range hostileNames {
		reports[name] = reporttest.Hostile(hostile)
		reports[name+" reviewed"] = reporttest.Reviewed(hostile)
	}
	for name, r := range reports {
		t.Run(name, func(t *testing.T) {
			out := sarifOf(t, r)
			var strict sarif.Report
			if err := json.Unmarshal(out, &strict); err != nil {
				t.Fatal(err)
			}
			if err := strict.Validate(); err != nil {
				t.Error(err)
			}
		})
	}
	bad, err := sarif.FromString(strings.Replace(string(sarifOf(t, reporttest.Shop())), `"level": "error"`, `"level": "fatal"`, 1))
	if err != nil {
		t.Fatal(err)
	}
	if bad.Validate() == nil {
		t.Error("the schema accepts a level that does not exist")
	}
}

// What the schema cannot say and the specification demands.
func TestSARIFKeepsTheSpecification(t *testing.T) {
	for _, hostile := range hostileNames {
		log, err := sarif.FromBytes(sarifOf(t, reporttest.Hostile(hostile)))
		if err != nil {
			t.Fatal(err)
		}
		run := log.Runs[0]
		rules := run.Tool.Driver.Rules
		for i, rule := range rules {
			if rule.Help == nil || *rule.Help.Text == "" || rule.Properties.Properties["security-severity"] == nil {
				t.Errorf("rule %d has no help or no security-severity", i)
			}
		}
		located := 0
		for _, res := range run.Results {
			if res.RuleIndex < 0 || res.RuleIndex >= len(rules) || *rules[res.RuleIndex].ID != *res.RuleID {
				t.Fatalf("ruleIndex %d is not rule %s", res.RuleIndex, *res.RuleID)
			}
			if len(res.PartialFingerprints["eksafe/v1"]) != 20 {
				t.Errorf("fingerprint %q", res.PartialFingerprints["eksafe/v1"])
			}
			if strings.Contains(*res.Message.Text, "](") {
				t.Errorf("a link in the message %q", *res.Message.Text)
			}
			for _, at := range res.Locations {
				if len(at.LogicalLocations) != 1 || *at.LogicalLocations[0].FullyQualifiedName == "" {
					t.Error("a result without its subject")
				}
				if at.PhysicalLocation == nil {
					continue
				}
				located++
				if u, err := url.Parse(*at.PhysicalLocation.ArtifactLocation.URI); err != nil || u.IsAbs() || u.Host != "" {
					t.Errorf("file URI %q is not relative: %v", *at.PhysicalLocation.ArtifactLocation.URI, err)
				}
				if line := at.PhysicalLocation.Region.StartLine; line == nil || *line < 1 {
					t.Error("a region without its line")
				}
			}
		}
		if located == 0 {
			t.Error("no result has a file")
		}
		// Four unknown controls and one document left out.
		if n := len(run.Invocations[0].ToolExecutionNotifications); n != 5 {
			t.Errorf("%d notifications, want 5", n)
		}
	}
}
