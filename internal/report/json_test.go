package report_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/eksafe/eksafe/internal/report"
	"github.com/eksafe/eksafe/internal/report/reporttest"
)

// schemaFile is the published schema of the JSON report.
const schemaFile = "../../docs/reference/report.schema.json"

func jsonOf(t *testing.T, r *report.Report) []byte {
	t.Helper()
	return written(t, func(b *bytes.Buffer) error { return r.WriteJSON(b) })
}

func TestJSON(t *testing.T) {
	golden(t, "shop.json", jsonOf(t, reporttest.Shop()))
	golden(t, "empty.json", jsonOf(t, reporttest.Empty()))
	golden(t, "reviewed.json", jsonOf(t, reporttest.Reviewed("the team's own words")))
}

func TestJSONMeetsItsSchema(t *testing.T) {
	schema, err := jsonschema.NewCompiler().Compile(schemaFile)
	if err != nil {
		t.Fatal(err)
	}
	reports := map[string]*report.Report{"shop": reporttest.Shop(), "empty": reporttest.Empty(), "big": reporttest.Big(50), "zero": {}}
	for name, hostile := range hostileNames {
		reports[name] = reporttest.Hostile(hostile)
		reports[name+" reviewed"] = reporttest.Reviewed(hostile)
	}
	for name, r := range reports {
		t.Run(name, func(t *testing.T) {
			instance, err := jsonschema.UnmarshalJSON(bytes.NewReader(jsonOf(t, r)))
			if err != nil {
				t.Fatal(err)
			}
			if err := schema.Validate(instance); err != nil {
				t.Error(err)
			}
		})
	}
}

// A schema that forbids nothing would accept the report too.
func TestSchemaRejectsWhatTheReportIsNot(t *testing.T) {
	schema, err := jsonschema.NewCompiler().Compile(schemaFile)
	if err != nil {
		t.Fatal(err)
	}
	good := string(jsonOf(t, reporttest.Shop()))
	for _, tt := range []struct{ old, new string }{
		{`"encryption": "optional"`, `"encryption": "maybe"`},
		{`"verdict": "pass"`, `"verdict": "passed"`},
		{`"peerVerified": "yes"`, `"peerVerified": true`},
		{`"schemaVersion": "eksafe.dev/report/v1"`, `"schemaVersion": "eksafe.dev/report/v2"`},
		{`"severity": "critical"`, `"severity": "fatal"`},
		{`"excepted": 0`, `"excepted": -1`},
		{`"subjects": 2`, `"subject": 2`},
	} {
		bad := strings.Replace(good, tt.old, tt.new, 1)
		if bad == good {
			t.Fatalf("no %s in the report", tt.old)
		}
		instance, err := jsonschema.UnmarshalJSON(strings.NewReader(bad))
		if err != nil {
			t.Fatal(err)
		}
		if schema.Validate(instance) == nil {
			t.Errorf("%s is accepted", tt.new)
		}
	}
}

func TestReportsAreDeterministicExceptTheirTime(t *testing.T) {
	for name, write := range map[string]func(*report.Report, *bytes.Buffer) error{
		"json":  func(r *report.Report, b *bytes.Buffer) error { return r.WriteJSON(b) },
		"sarif": func(r *report.Report, b *bytes.Buffer) error { return r.WriteSARIF(b) },
		"html":  func(r *report.Report, b *bytes.Buffer) error { return r.WriteHTML(b) },
		"text":  func(r *report.Report, b *bytes.Buffer) error { return r.WriteText(b, report.Options{Width: 100}) },
	} {
		t.Run(name, func(t *testing.T) {
			first := written(t, func(b *bytes.Buffer) error { return write(reporttest.Shop(), b) })
			for range 20 {
				r := reporttest.Shop()
				r.GeneratedAt = reporttest.GeneratedAt.Add(time.Hour)
				again := written(t, func(b *bytes.Buffer) error { return write(r, b) })
				again = bytes.ReplaceAll(again, []byte("2026-11-23T07:00:00Z"), []byte("2026-11-23T06:00:00Z"))
				if !bytes.Equal(first, again) {
					t.Fatal("two reports of one audit differ")
				}
			}
		})
	}
}

func TestJSONFindingsOfHopsAreFindingsOfResults(t *testing.T) {
	var doc struct {
		Applications []struct {
			Paths []struct{ Hops []struct{ Findings []string } }
		}
		Results []struct {
			Findings []struct{ Fingerprint string }
		}
	}
	if err := json.Unmarshal(jsonOf(t, reporttest.Shop()), &doc); err != nil {
		t.Fatal(err)
	}
	known, hung := map[string]bool{}, 0
	for _, res := range doc.Results {
		for _, f := range res.Findings {
			known[f.Fingerprint] = true
		}
	}
	for _, app := range doc.Applications {
		for _, p := range app.Paths {
			for _, h := range p.Hops {
				for _, f := range h.Findings {
					hung++
					if !known[f] {
						t.Errorf("hop names finding %s, which no result has", f)
					}
				}
			}
		}
	}
	if hung == 0 {
		t.Error("no finding hangs on a hop")
	}
}
