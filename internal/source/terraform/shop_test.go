package terraform_test

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/eksafe/eksafe/internal/control"
	"github.com/eksafe/eksafe/internal/control/all"
	"github.com/eksafe/eksafe/internal/estate"
	"github.com/eksafe/eksafe/internal/source/cloudformation"
	"github.com/eksafe/eksafe/internal/source/terraform"
	"github.com/eksafe/eksafe/internal/trace"
)

// The same set-up must give the same verdicts, whoever wrote it down.
func TestShopIsJudgedAsItsTemplate(t *testing.T) {
	const templates = "../../../examples/shop/insecure/cloudformation"
	names, err := filepath.Glob(templates + "/*.yaml")
	if err != nil || len(names) == 0 {
		t.Fatalf("no templates: %v", err)
	}
	var files []cloudformation.File
	for _, name := range names {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, cloudformation.File{Path: filepath.Base(name), Data: data})
	}
	stacks, err := cloudformation.Read("shop", files, cloudformation.Options{})
	if err != nil {
		t.Fatal(err)
	}
	resources, err := os.ReadFile("testdata/shop.yaml")
	if err != nil {
		t.Fatal(err)
	}
	planned, err := terraform.Read("plan.json", terraform.Plan(t, string(resources)), terraform.Options{})
	if err != nil {
		t.Fatal(err)
	}
	want, got := said(stacks), said(planned)
	if diff := gocmp.Diff(want, got); diff != "" {
		t.Errorf("verdicts (-CloudFormation +Terraform):\n%s", diff)
	}
	if len(slices.DeleteFunc(want, func(s string) bool { return !strings.Contains(s, "fail") })) < 8 {
		t.Error("the insecure shop fails too little to tell the two apart")
	}
}

// said returns what every control says, without the names that differ.
func said(e *estate.Estate) []string {
	var out []string
	for _, r := range control.Run(trace.New(e), all.All(), time.Date(2026, time.November, 25, 0, 0, 0, 0, time.UTC), nil) {
		out = append(out, fmt.Sprintf("%s %s %d", r.Control.ID, r.Verdict, r.Subjects))
		for _, f := range r.Findings {
			out = append(out, fmt.Sprintf("%s fail %s %s", r.Control.ID, f.Subject.Kind, f.Field))
		}
		for _, g := range r.Gaps {
			out = append(out, fmt.Sprintf("%s unknown %s", r.Control.ID, g.Subject.Kind))
		}
	}
	slices.SortFunc(out, cmp.Compare[string])
	return out
}
