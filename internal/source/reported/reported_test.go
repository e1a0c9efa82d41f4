package reported

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/eksafe/eksafe/internal/estate"
)

func read(t *testing.T, file string) []*estate.ReportedFinding {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", file))
	if err != nil {
		t.Fatal(err)
	}
	e, err := Read(file, data)
	if err != nil {
		t.Fatal(err)
	}
	found := estate.ImportedFindings.In(e)
	if c := e.Coverage(estate.ImportedFindings.Kind); c.State != estate.Read || c.Count != len(found) {
		t.Errorf("coverage %+v of %d", c, len(found))
	}
	return found
}

// line is a finding in one line, without what is the same in all.
func line(f *estate.ReportedFinding) string {
	first := ""
	if t, ok := f.FirstSeen.Get(); ok {
		first = t.Format("2006-01-02")
	}
	return strings.Join([]string{f.Product, f.Rule, f.Title, f.Severity, strings.Join(f.Resources, " "), fmt.Sprintf("%s:%d", f.File, f.Line), f.Package, f.Fixed, f.URL, first}, "|")
}

func TestRead(t *testing.T) {
	for file, want := range map[string][]string{
		"trivy.sarif": {
			"Trivy|CVE-2026-1234|openssl: overflow|critical|registry.example.com/shop/web:1.4 registry.example.com/shop/web@sha256:0123|shop/web:0|openssl|3.0.9|https://avd.example.com/cve-2026-1234|",
			"Trivy|KSV001|Can elevate its own privileges|medium|registry.example.com/shop/web:1.4 registry.example.com/shop/web@sha256:0123|k8s/web.yaml:23||||",
			"Trivy|aws-access-key-id|AWS Access Key ID|critical|registry.example.com/shop/web:1.4 registry.example.com/shop/web@sha256:0123|k8s/env.yaml:3||||",
			"Trivy|KSV001|Can elevate its own privileges|medium|registry.example.com/shop/web:1.4 registry.example.com/shop/web@sha256:0123 shop/deployment/orders|:0||||",
		},
		"findings.ocsf.jsonl": {
			"Scanner|CVE-2026-1234|two flaws|critical|registry.example.com/shop/web:1.4|:0|openssl|3.0.9||2026-11-23",
			"Scanner|CVE-2026-9|two flaws|critical|registry.example.com/shop/web:1.4|:0||||2026-11-23",
			"Auditor|TLS-1|no TLS|medium|Deployment/shop/web web|:0||||",
			"old||an old one|low|arn:aws:s3:::logs|:0||||",
		},
		"findings.asff.json": {
			"Security Hub|RDS.3|RDS DB instances should have encryption at-rest enabled|medium|arn:aws:rds:eu-west-1:111122223333:db:orders|:0|||https://docs.aws.amazon.com/console/securityhub/RDS.3/remediation|2026-11-20",
			"inspector|CVE-2026-1234|CVE-2026-1234 - openssl|critical|arn:aws:ecr:eu-west-1:111122223333:repository/shop/web/sha256:0123|:0|openssl|3.0.9||",
		},
	} {
		t.Run(file, func(t *testing.T) {
			found := read(t, file)
			for i, f := range found {
				got := line(f)
				if i >= len(want) || got != want[i] {
					t.Errorf("finding %d: %s", i+1, got)
				}
			}
			if len(found) != len(want) {
				t.Errorf("%d findings, want %d", len(found), len(want))
			}
		})
	}
}

// A scanner of secrets quotes what it found.
func TestNoSecretEnters(t *testing.T) {
	for _, f := range read(t, "trivy.sarif") {
		data, err := json.Marshal(f)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(data), "CANARYSECRET") {
			t.Errorf("%s", data)
		}
	}
}

func TestRecognise(t *testing.T) {
	for data, want := range map[string]Format{
		`{"version":"2.1.0","runs":[]}`:                         SARIF,
		`{"class_uid":2003,"metadata":{}}`:                      OCSF,
		`[{"class_uid":2003,"metadata":{}}]`:                    OCSF,
		`{"SchemaVersion":"2018-10-08","ProductArn":"a"}`:       ASFF,
		`[{"SchemaVersion":"2018-10-08","ProductArn":"a"}]`:     ASFF,
		`{"Findings":[{"SchemaVersion":"x","ProductArn":"a"}]}`: ASFF,
		`{"Findings":[]}`:                                       ASFF,
		`{"apiVersion":"v1","kind":"ConfigMap","metadata":{}}`:  "",
		`{"Resources":{}}`:                                      "",
		`[]`:                                                    "",
		`[1,2]`:                                                 "",
		`runs: []`:                                              "",
		``:                                                      "",
		`{"runs":[`:                                             "",
	} {
		if got, ok := Recognise([]byte(data)); got != want || ok != (want != "") {
			t.Errorf("%s is %q, want %q", data, got, want)
		}
	}
}

func TestBegins(t *testing.T) {
	const finding = `{"SchemaVersion":"2018-10-08","ProductArn":"a"}`
	long := strings.Repeat("["+strings.Repeat(" ", headSize-1), 2)
	for data, want := range map[string]bool{
		`{"$schema":"s","version":"2.1.0","runs":[{"results":[` + long: true,
		`{ "runs" : [{"results":[` + long:                              true,
		`{"Findings": [` + finding + "," + long:                        true,
		`[` + finding + "," + long:                                     true,
		`[{"class_uid":2003,"metadata":{}},` + long:                    true,
		finding + "\n" + finding + "\n" + long:                         true,
		`{"apiVersion":"v1","kind":"List","items":[` + long:            false,
		`{"Findings":[{"a":1},` + long:                                 false,
		`{"runs":{"a":` + long:                                         false,
		`{"a":{"runs":[` + long:                                        false,
		`{"a":"b"}` + long:                                             false,
		strings.Repeat("[", 2*headSize):                                false,
		"":                                                             false,
	} {
		if got := Begins([]byte(data)); got != want {
			t.Errorf("%.60s begins as findings do: %t, want %t", data, got, want)
		}
	}
}

func TestLongFile(t *testing.T) {
	data := slices.Concat([]byte(`{"version":"2.1.0","runs":[`), bytes.Repeat([]byte(" "), MaxFile))
	_, err := Read("f.sarif", data)
	const want = "reading findings: f.sarif has more than 100 MB; export fewer findings, or to several files"
	if err == nil || err.Error() != want {
		t.Errorf("it says %v, want %s", err, want)
	}
}

func TestBadFiles(t *testing.T) {
	many := strings.Repeat(`{"ruleId":"r"},`, maxFindings) + `{"ruleId":"r"}`
	for name, c := range map[string]struct{ data, want string }{
		"not findings":        {`{"a":1}`, "is neither SARIF, OCSF nor ASFF"},
		"old SARIF":           {`{"version":"2.0.0","runs":[]}`, "only 2.1.0 is read"},
		"no tool":             {`{"version":"2.1.0","runs":[{"results":[]}]}`, "run 1: no tool.driver.name"},
		"no rule":             {`{"version":"2.1.0","runs":[{"tool":{"driver":{"name":"a"}},"results":[{}]}]}`, "run 1, result 1: no rule"},
		"type":                {`{"version":"2.1.0","runs":[{"tool":{"driver":{"name":7}}}]}`, "another type"},
		"no list":             {`{"version":"2.1.0","runs":{"a":1}}`, "another type where a list should be"},
		"many":                {`{"version":"2.1.0","runs":[{"tool":{"driver":{"name":"a"}},"results":[` + many + `]}]}`, "more than 100000"},
		"deep":                {`{"version":"2.1.0","runs":[],"a":` + strings.Repeat("[", 20000) + strings.Repeat("]", 20000) + `}`, "is neither"},
		"class":               {`{"class_uid":1001,"metadata":{}}`, "finding 1: class_uid 1001 is no finding"},
		"uid":                 {`{"class_uid":2003,"metadata":{"product":{"name":"a"}}}`, "finding 1: no finding_info.uid"},
		"product":             {`{"class_uid":2003,"metadata":{},"finding_info":{"uid":"a"}}`, "finding 1: no metadata.product.name"},
		"second line":         {`{"class_uid":2003,"metadata":{"product":{"name":"a"}},"finding_info":{"uid":"a"}}` + "\n{", "is not valid JSON"},
		"schema version":      {`[{"SchemaVersion":"1","ProductArn":"a","Id":"b"}]`, "finding 1: SchemaVersion"},
		"no id":               {`[{"SchemaVersion":"2018-10-08","ProductArn":"a"}]`, "finding 1: no Id"},
		"no list of findings": {`{"Findings":[]}` + "\n" + `{"Findings":{"Findings":[]}}`, "no list of findings"},
		"lists in lists":      {`{"Findings":[{"Findings":[{"SchemaVersion":"2018-10-08","ProductArn":"a"}]}]}`, "is neither"},
		"UTF-8":               {"{\"version\":\"2.1.0\",\"runs\":[],\"a\":\"\xff\"}", "is not UTF-8"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Read("f.json", []byte(c.data))
			if err == nil || !strings.Contains(err.Error(), c.want) || !strings.HasPrefix(err.Error(), "reading findings: f.json ") || len(err.Error()) > 300 || strings.Contains(err.Error(), "\n") {
				t.Errorf("%v, want %q", err, c.want)
			}
		})
	}
}

func FuzzSARIF(f *testing.F) { fuzz(f, "trivy.sarif") }
func FuzzOCSF(f *testing.F)  { fuzz(f, "findings.ocsf.jsonl") }
func FuzzASFF(f *testing.F)  { fuzz(f, "findings.asff.json") }

func fuzz(f *testing.F, seed string) {
	data, err := os.ReadFile(filepath.Join("testdata", seed))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Add(data[:len(data)/2])
	f.Add([]byte(strings.ReplaceAll(string(data), `"`, `'`)))
	f.Add([]byte(`{"version":"2.1.0","runs":[{"tool":{"driver":{"name":"\u001b[31m","rules":null}},"results":[{"ruleId":"\u0000","ruleIndex":-1,"locations":[{"physicalLocation":{"artifactLocation":{"index":99}}}]}]}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		e, err := Read("f", data)
		if err != nil {
			if strings.Contains(err.Error(), "\n") {
				t.Errorf("an error of several lines: %q", err)
			}
			return
		}
		for _, x := range estate.ImportedFindings.In(e) {
			for _, s := range []string{x.Product, x.Rule, x.Title} {
				if !utf8.ValidString(s) || strings.IndexFunc(s, unicode.IsControl) >= 0 || utf8.RuneCountInString(s) > maxText+1 {
					t.Errorf("%q entered", s)
				}
			}
			if x.Product == "" || x.Arn == "" || len(x.Resources) > maxResources || x.Line < 0 {
				t.Errorf("%+v", x)
			}
		}
	})
}
