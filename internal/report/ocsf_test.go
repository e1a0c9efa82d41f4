package report_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/eksafe/eksafe/internal/report"
	"github.com/eksafe/eksafe/internal/report/reporttest"
)

func ocsfOf(t *testing.T, r *report.Report) []byte {
	t.Helper()
	return written(t, func(b *bytes.Buffer) error { return r.WriteOCSF(b) })
}

func TestOCSF(t *testing.T) {
	golden(t, "account.ocsf.jsonl", ocsfOf(t, reporttest.Account()))
	golden(t, "reviewed.ocsf.jsonl", ocsfOf(t, reporttest.Reviewed("the team's own words")))
	if out := ocsfOf(t, reporttest.Empty()); len(out) > 0 {
		t.Errorf("nothing was judged, and there is %s", out)
	}
}

func TestOCSFMeetsItsSchema(t *testing.T) {
	schema, err := jsonschema.NewCompiler().Compile("testdata/ocsf-1.6.0.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	reports := map[string]*report.Report{"shop": reporttest.Shop(), "account": reporttest.Account(), "big": reporttest.Big(30)}
	for name, hostile := range hostileNames {
		reports[name] = reporttest.Hostile(hostile)
		reports[name+" reviewed"] = reporttest.Reviewed(hostile)
	}
	for name, r := range reports {
		t.Run(name, func(t *testing.T) {
			lines := bytes.Split(bytes.TrimSuffix(ocsfOf(t, r), []byte("\n")), []byte("\n"))
			if len(lines) < 5 {
				t.Fatalf("%d events", len(lines))
			}
			for i, line := range lines {
				instance, err := jsonschema.UnmarshalJSON(bytes.NewReader(line))
				if err != nil {
					t.Fatalf("line %d: %v", i+1, err)
				}
				if err := schema.Validate(instance); err != nil {
					t.Fatalf("line %d: %v\n%s", i+1, err, line)
				}
			}
		})
	}
	first, _, _ := strings.Cut(string(ocsfOf(t, reporttest.Account())), "\n")
	for old, bad := range map[string]string{
		`"type_uid":200301`:     `"type_uid":200302`,
		`"severity":"Critical"`: `"severity":"High"`,
		`"version":"1.6.0"`:     `"version":"1.5.0"`,
		`"standards":`:          `"standard":`,
		`"status_id":3`:         `"status_id":1`,
		`"uid":"111122223333"`:  `"uid":"1"`,
	} {
		changed := strings.Replace(first, old, bad, 1)
		if changed == first {
			t.Fatalf("no %s in %s", old, first)
		}
		instance, err := jsonschema.UnmarshalJSON(strings.NewReader(changed))
		if err != nil {
			t.Fatal(err)
		}
		if schema.Validate(instance) == nil {
			t.Errorf("%s is accepted", bad)
		}
	}
}
