package report_test

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/eksafe/eksafe/internal/estate"
	"github.com/eksafe/eksafe/internal/report"
	"github.com/eksafe/eksafe/internal/report/reporttest"
)

func TestReported(t *testing.T) {
	r := reporttest.Reported("")
	golden(t, "reported.json", jsonOf(t, r))
	golden(t, "reported.txt", written(t, func(b *bytes.Buffer) error { return r.WriteText(b, report.Options{Width: 100, Unicode: true}) }))
	page := string(htmlOf(t, r))
	for _, want := range []string{`"rep":[`, "Inspector, Trivy: CVE-2026-1234, openssl: overflow in openssl, fixed in 3.0.9 (critical)", "Also reported"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %s", want)
		}
	}
}

func TestReportedMeetsTheSchema(t *testing.T) {
	schema, err := jsonschema.NewCompiler().Compile(schemaFile)
	if err != nil {
		t.Fatal(err)
	}
	for name, hostile := range hostileNames {
		instance, err := jsonschema.UnmarshalJSON(bytes.NewReader(jsonOf(t, reporttest.Reported(hostile))))
		if err != nil {
			t.Fatal(err)
		}
		if err := schema.Validate(instance); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

type reportedInJSON struct {
	Applications []struct {
		Name     string
		Reported []string
		Paths    []struct{ Hops []struct{ Reported []string } }
	}
	Reported []struct {
		ID, Rule string
		Tools    []string
		Subjects []struct{ ID string }
		SameAs   []string
	}
}

func reportedOf(t *testing.T, r *report.Report) reportedInJSON {
	t.Helper()
	var out reportedInJSON
	if err := json.Unmarshal(jsonOf(t, r), &out); err != nil {
		t.Fatal(err)
	}
	return out
}

func TestReportedJoins(t *testing.T) {
	for name, c := range map[string]struct {
		finding estate.ReportedFinding
		want    string // IDs of the subjects
	}{
		"name":                 {estate.ReportedFinding{Resources: []string{"Deployment/shop/orders"}}, "deployment/shop/orders"},
		"namespace first":      {estate.ReportedFinding{Resources: []string{"shop/deployment/orders"}}, "deployment/shop/orders"},
		"another namespace":    {estate.ReportedFinding{Resources: []string{"deployment/other/orders"}}, ""},
		"name alone":           {estate.ReportedFinding{Resources: []string{"orders"}}, ""},
		"ARN":                  {estate.ReportedFinding{Resources: []string{"arn:aws:eks:eu-west-1:111122223333:cluster/shop"}}, "arn:aws:eks:eu-west-1:111122223333:cluster/shop"},
		"image":                {estate.ReportedFinding{Resources: []string{"registry.example.com/shop/web:1.4"}}, "deployment/shop/web"},
		"another tag":          {estate.ReportedFinding{Resources: []string{"registry.example.com/shop/web:1.5"}}, ""},
		"short image":          {estate.ReportedFinding{Resources: []string{"docker.io/library/nginx:latest"}}, "deployment/shop/orders"},
		"digest":               {estate.ReportedFinding{Resources: []string{"arn:aws:ecr:eu-west-1:111122223333:repository/blog/sha256:feed"}}, "deployment/blog/blog"},
		"another digest":       {estate.ReportedFinding{Resources: []string{"arn:aws:ecr:eu-west-1:111122223333:repository/blog/sha256:dead"}}, ""},
		"file and line":        {estate.ReportedFinding{File: "k8s/orders.yaml", Line: 70}, "deployment/shop/orders"},
		"the scanner's folder": {estate.ReportedFinding{File: "/build/src/k8s/orders.yaml", Line: 70}, "deployment/shop/orders"},
		"line before all":      {estate.ReportedFinding{File: "k8s/orders.yaml", Line: 1}, ""},
		"a part of a name":     {estate.ReportedFinding{File: "rders.yaml", Line: 70}, ""},
		"ours":                 {estate.ReportedFinding{Rule: "eksafe/listener-tls", Resources: []string{"deployment/shop/orders"}}, "left out"},
	} {
		t.Run(name, func(t *testing.T) {
			r := reporttest.Reported("")
			f := c.finding
			f.Product, f.Id, f.Title = "Tool", "the-one", "a title"
			if f.Rule == "" {
				f.Rule = "the-one"
			}
			estate.ImportedFindings.Add(r.Graph.Estate, &f)
			got := "left out"
			for _, g := range reportedOf(t, r).Reported {
				if g.Rule == f.Rule {
					var ids []string
					for _, s := range g.Subjects {
						ids = append(ids, s.ID)
					}
					got = strings.Join(ids, " ")
				}
			}
			if got != c.want {
				t.Errorf("it is about %q, want %q", got, c.want)
			}
		})
	}
}

func TestReportedOnceByMany(t *testing.T) {
	out := reportedOf(t, reporttest.Reported(""))
	for _, g := range out.Reported {
		switch g.Rule {
		case "CVE-2026-1234":
			if !slices.Equal(g.Tools, []string{"Inspector", "Trivy"}) {
				t.Errorf("%s is of %v", g.Rule, g.Tools)
			}
		case "CryptoCurrency:EC2/BitcoinTool.B!DNS":
			// Security Hub keeps what GuardDuty found, under its ARN.
			if !slices.Equal(g.Tools, []string{"GuardDuty", "Security Hub"}) {
				t.Errorf("%s is of %v", g.Rule, g.Tools)
			}
		case "ELB.1":
			if len(g.SameAs) != 1 {
				t.Errorf("ELB.1 of the load balancer says the same as %v", g.SameAs)
			}
		}
	}
	on := map[string]int{}
	for _, a := range out.Applications {
		on[a.Name] = len(a.Reported)
	}
	if on["shop"] != 3 || on["blog"] != 0 || len(out.Reported) != 4 {
		t.Errorf("%v of %d hang on applications", on, len(out.Reported))
	}
}

func TestReportedHangsOnHops(t *testing.T) {
	r := reporttest.Reported("")
	hop := r.Graph.Applications[1].Paths[0].Hops[3]
	listener := estate.Ref{Kind: "DBParameterGroup", Name: "orders", ID: "arn:aws:rds:eu-west-1:111122223333:pg:orders"}
	hop.Places[0].Subject = listener
	estate.DBParameterGroups.Add(r.Graph.Estate, &estate.DBParameterGroup{AWS: estate.AWS{Arn: listener.ID}, DBParameterGroupName: "orders"})
	estate.ImportedFindings.Add(r.Graph.Estate, &estate.ReportedFinding{Id: "pg", Product: "Tool", Rule: "pg", Title: "pg", Resources: []string{listener.ID}})
	out := reportedOf(t, r)
	if got := out.Applications[1].Paths[0].Hops[3].Reported; len(got) != 1 {
		t.Errorf("%v hang on the hop", got)
	}
}
