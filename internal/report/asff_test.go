package report_test

import (
	"bytes"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/eksafe/eksafe/internal/estate"
	"github.com/eksafe/eksafe/internal/report"
	"github.com/eksafe/eksafe/internal/report/reporttest"
)

func asffOf(t *testing.T, r *report.Report) []byte {
	t.Helper()
	return written(t, func(b *bytes.Buffer) error { return r.WriteASFF(b) })
}

func TestASFF(t *testing.T) {
	golden(t, "account.asff.json", asffOf(t, reporttest.Account()))
	if got := string(asffOf(t, reporttest.Empty())); got != "{\n  \"Findings\": []\n}\n" {
		t.Errorf("no findings are %s", got)
	}
	if err := reporttest.Shop().WriteASFF(io.Discard); err == nil || !strings.Contains(err.Error(), "add --aws") {
		t.Errorf("findings without an account give %v", err)
	}
}

// The model of BatchImportFindings is the one that the AWS CLI goes by. What
// lengths the service takes stands in its documentation alone.
func TestASFFMeetsTheServiceModel(t *testing.T) {
	long := reporttest.Account()
	for i := range long.Results {
		for j := range long.Results[i].Findings {
			f := &long.Results[i].Findings[j]
			f.Message, f.Subject.ID = strings.Repeat("ä", 5000), strings.Repeat("x", 5000)
		}
	}
	reports := map[string]*report.Report{"account": reporttest.Account(), "long": long}
	for name, hostile := range hostileNames {
		r := reporttest.Hostile(hostile)
		reporttest.InAccount(r)
		reports[name] = r
	}
	for name, r := range reports {
		t.Run(name, func(t *testing.T) {
			out := asffOf(t, r)
			for _, f := range r.ASFF(r.Home()) {
				for field, limit := range map[string]int{f.ID: 512, f.Title: 256, f.Description: 1024, f.Remediation.Recommendation.Text: 512, f.Resources[0].ID: 512, f.GeneratorID: 512} {
					if n := utf8.RuneCountInString(field); n > limit || n == 0 {
						t.Errorf("%d characters where %d may stand", n, limit)
					}
				}
			}
			if problems := serviceModel(t, out); problems != "" {
				t.Errorf("%s", problems)
			}
		})
	}
	bad := strings.Replace(string(asffOf(t, reporttest.Account())), `"Label": "HIGH"`, `"Label": "VERY HIGH"`, 1)
	if serviceModel(t, []byte(bad)) == "" {
		t.Error("the model accepts a severity that does not exist")
	}
}

// serviceModel returns what the model of BatchImportFindings says against a
// request of it.
func serviceModel(t *testing.T, request []byte) string {
	t.Helper()
	const script = `
import json, re, sys
import botocore.session, botocore.validate
model = botocore.session.get_session().get_service_model("securityhub")
shape = model.operation_model("BatchImportFindings").input_shape
types = set(model.shape_for("ResourceDetails").members)
request = json.load(sys.stdin)
out = []
report = botocore.validate.ParamValidator().validate(request, shape)
if report.has_errors():
    out.append(report.generate_report())
def walk(shape, value, path):
    if shape.type_name == "structure":
        for name, v in value.items():
            if name in shape.members:
                walk(shape.members[name], v, path + "." + name)
    elif shape.type_name == "list":
        for i, v in enumerate(value):
            walk(shape.member, v, "%s[%d]" % (path, i))
    elif shape.type_name == "map":
        for k, v in value.items():
            walk(shape.value, v, path + "." + k)
    elif shape.type_name == "string":
        if shape.enum and value not in shape.enum:
            out.append("%s: %r is none of %s" % (path, value, shape.enum))
        pattern = shape.metadata.get("pattern")
        if pattern and not re.search(pattern, value):
            out.append("%s: %r" % (path, value))
walk(shape, request, "")
for f in request["Findings"]:
    for r in f["Resources"]:
        if r["Type"] not in types:
            out.append("no type " + r["Type"])
print("\n".join(out))
`
	// A request takes 100 findings, a report has as many as there are.
	var all struct{ Findings []json.RawMessage }
	if err := json.Unmarshal(request, &all); err != nil {
		t.Fatal(err)
	}
	if len(all.Findings) == 0 || len(all.Findings) > 100 {
		t.Fatalf("%d findings", len(all.Findings))
	}
	cmd := exec.Command("python3", "-c", script)
	cmd.Stdin = bytes.NewReader(request)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		why := "botocore is not installed for python3: ASFF is not held against the model of Security Hub: " + stderr.String()
		if os.Getenv("EKSAFE_RIGS") == "required" || !strings.Contains(stderr.String(), "ModuleNotFoundError") && stderr.Len() > 0 {
			t.Fatal(why)
		}
		t.Skip(why)
	}
	return strings.TrimSpace(string(out))
}

// What somebody accepted is created as suppressed, with the reason.
func TestASFFSuppressesExceptions(t *testing.T) {
	r := reporttest.Reviewed("the team's own words")
	reporttest.InAccount(r)
	states := map[string]int{}
	for _, f := range r.ASFF(r.Home()) {
		states[f.Workflow.Status]++
		if accepted := f.ProductFields["eksafe/Exception"]; (f.Workflow.Status == "SUPPRESSED") != strings.Contains(accepted, "accepted until") {
			t.Errorf("%s is %s: %q", f.GeneratorID, f.Workflow.Status, accepted)
		}
	}
	if states["NEW"] == 0 || states["SUPPRESSED"] == 0 {
		t.Errorf("%v", states)
	}
}

// Two clusters may have a Deployment of one name: they are two findings.
func TestASFFTellsClustersApart(t *testing.T) {
	a, b := reporttest.Account(), reporttest.Account()
	estate.Clusters.In(b.Graph.Estate)[0].Name = "other"
	ids := map[string]bool{}
	for _, f := range a.ASFF(a.Home()) {
		ids[f.ID] = true
	}
	own := 0
	for _, f := range b.ASFF(b.Home()) {
		if f.ProductFields[report.ASFFEstate] == "account" {
			own++
			if !ids[f.ID] {
				t.Errorf("%s of the account is another for another cluster", f.ID)
			}
		} else if ids[f.ID] {
			t.Errorf("%s is the same in two clusters", f.ID)
		}
	}
	if own == 0 {
		t.Error("nothing is of the account")
	}
}
