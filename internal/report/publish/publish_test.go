package publish

import (
	"context"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/securityhub"
	hub "github.com/aws/aws-sdk-go-v2/service/securityhub/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"

	"github.com/eksafe/eksafe/internal/estate"
	"github.com/eksafe/eksafe/internal/finding"
	"github.com/eksafe/eksafe/internal/report"
	"github.com/eksafe/eksafe/internal/report/reporttest"
	"github.com/eksafe/eksafe/internal/review"
	awsrig "github.com/eksafe/eksafe/test/rig/aws"
)

var home = report.Cloud{Partition: "aws", Account: "111122223333", Region: "eu-west-1"}

// fakeHub keeps findings in memory, in pages of pageSize.
type fakeHub struct {
	findings map[string]hub.AwsSecurityFinding
	pageSize int
	batches  []int
	refuse   func(id string) bool
	fail     error // of every import after the first
	pages    int
}

func (f *fakeHub) GetFindings(_ context.Context, in *securityhub.GetFindingsInput, _ ...func(*securityhub.Options)) (*securityhub.GetFindingsOutput, error) {
	f.pages++
	ids := slices.Sorted(maps.Keys(f.findings))
	at := 0
	if in.NextToken != nil {
		if _, err := fmt.Sscan(*in.NextToken, &at); err != nil {
			return nil, err
		}
	}
	out := &securityhub.GetFindingsOutput{}
	for _, id := range ids[at:min(at+f.pageSize, len(ids))] {
		out.Findings = append(out.Findings, f.findings[id])
	}
	if at+f.pageSize < len(ids) {
		out.NextToken = aws.String(fmt.Sprint(at + f.pageSize))
	}
	return out, nil
}

func (f *fakeHub) BatchImportFindings(_ context.Context, in *securityhub.BatchImportFindingsInput, _ ...func(*securityhub.Options)) (*securityhub.BatchImportFindingsOutput, error) {
	if f.fail != nil && len(f.batches) > 0 {
		return nil, f.fail
	}
	f.batches = append(f.batches, len(in.Findings))
	out := &securityhub.BatchImportFindingsOutput{}
	for _, x := range in.Findings {
		if f.refuse != nil && f.refuse(*x.Id) {
			out.FailedFindings = append(out.FailedFindings, hub.ImportFindingsError{Id: x.Id, ErrorCode: aws.String("InvalidInput"), ErrorMessage: aws.String("no")})
			continue
		}
		f.findings[*x.Id] = x
	}
	return out, nil
}

func newHub() *fakeHub { return &fakeHub{findings: map[string]hub.AwsSecurityFinding{}, pageSize: 3} }

func publishTo(t *testing.T, f *fakeHub, r *report.Report) *Outcome {
	t.Helper()
	out, err := (&publisher{hub: f, home: home}).publish(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// account is an audit that read the account too.
func account() *report.Report { return reporttest.Account() }

func TestPublishAgainUpdates(t *testing.T) {
	f := newHub()
	first := publishTo(t, f, account())
	if first.New == 0 || first.Updated != 0 || first.Archived != 0 || first.Err() != nil {
		t.Fatalf("first: %+v", first)
	}
	later := account()
	later.GeneratedAt = later.GeneratedAt.Add(24 * time.Hour)
	second := publishTo(t, f, later)
	if second.New != 0 || second.Updated != first.New || len(f.findings) != first.New {
		t.Fatalf("second: %+v, %d findings", second, len(f.findings))
	}
	if f.pages < 3 {
		t.Errorf("%d pages were read", f.pages)
	}
	for id, x := range f.findings {
		if *x.CreatedAt != "2026-11-23T06:00:00Z" || *x.FirstObservedAt != *x.CreatedAt || *x.UpdatedAt != "2026-11-24T06:00:00Z" {
			t.Errorf("%s was created at %s, updated at %s", id, *x.CreatedAt, *x.UpdatedAt)
		}
		// They are people's, who work with the finding.
		if x.Severity != nil || x.Types != nil || x.Workflow != nil || x.FindingProviderFields.Severity.Label == "" {
			t.Errorf("%s: an update sets severity, types or workflow", id)
		}
	}
}

func TestPublishArchivesWhatIsGone(t *testing.T) {
	f := newHub()
	before := publishTo(t, f, account())
	foreign := hub.AwsSecurityFinding{Id: aws.String("foreign"), ProductArn: aws.String("arn:aws:securityhub:eu-west-1::product/aws/securityhub"),
		AwsAccountId: &home.Account, GeneratorId: aws.String("security-control/ELB.1"), RecordState: hub.RecordStateActive}
	f.findings["foreign"] = foreign

	mended := account()
	for i := range mended.Results {
		switch res := &mended.Results[i]; res.Control.ID {
		case "listener-tls", "database-storage-encrypted":
			res.Verdict, res.Findings = finding.Pass, nil
		case "pod-restricted":
			// Nobody could look: it is not gone.
			res.Verdict, res.Why, res.Findings = finding.Unknown, "denied", nil
		case "ingress-tls":
			res.Findings, res.Gaps = nil, []finding.Gap{{Why: "it is not known"}}
		}
	}
	out := publishTo(t, f, mended)
	if out.Archived != 2 || out.New != 0 {
		t.Errorf("%+v", out)
	}
	states := map[hub.RecordState][]string{}
	for _, x := range f.findings {
		states[x.RecordState] = append(states[x.RecordState], aws.ToString(x.GeneratorId))
	}
	slices.Sort(states[hub.RecordStateArchived])
	if got := strings.Join(states[hub.RecordStateArchived], " "); got != "eksafe/database-storage-encrypted eksafe/listener-tls" {
		t.Errorf("archived: %s", got)
	}
	if f.findings["foreign"].RecordState != hub.RecordStateActive {
		t.Error("a finding of somebody else was touched")
	}
	if again := publishTo(t, f, mended); again.Archived != 0 {
		t.Errorf("what is archived is archived again: %+v", again)
	}
	if back := publishTo(t, f, account()); back.New != 0 || back.Updated != before.New || f.findings[idOf(f, "eksafe/listener-tls")].RecordState != hub.RecordStateActive {
		t.Errorf("what came back is not active: %+v", back)
	}
}

func idOf(f *fakeHub, generator string) string {
	for id, x := range f.findings {
		if aws.ToString(x.GeneratorId) == generator {
			return id
		}
	}
	return ""
}

func TestPublishArchivesNothingItDidNotLookAt(t *testing.T) {
	for name, change := range map[string]func(*report.Report){
		"another cluster": func(r *report.Report) { estate.Clusters.In(r.Graph.Estate)[0].Name = "other" },
		"a scope": func(r *report.Report) {
			r.Review = &review.Review{Scope: &review.Scope{Namespaces: []string{"blog"}}}
		},
		"disabled controls": func(r *report.Report) { r.Results = nil },
	} {
		t.Run(name, func(t *testing.T) {
			f := newHub()
			publishTo(t, f, account())
			r := account()
			for i := range r.Results {
				if ref := r.Results[i].Findings; len(ref) > 0 && !strings.HasPrefix(ref[0].Subject.ID, "arn:") {
					r.Results[i].Verdict, r.Results[i].Findings = finding.Pass, nil
				}
			}
			change(r)
			if out := publishTo(t, f, r); out.Archived != 0 {
				t.Errorf("%+v", out)
			}
		})
	}
}

func TestPublishInBatches(t *testing.T) {
	f := newHub()
	r := reporttest.Big(100)
	out := publishTo(t, f, r)
	if !slices.Equal(f.batches, []int{100, 100, 70}) || out.New != 270 {
		t.Errorf("batches %v, %+v", f.batches, out)
	}
}

func TestPublishFailures(t *testing.T) {
	f := newHub()
	f.refuse = func(id string) bool { return strings.Contains(id, "/account/") }
	out := publishTo(t, f, account())
	if len(out.Failed) != 1 || out.New != len(f.findings) {
		t.Fatalf("%+v", out)
	}
	if err := out.Err(); err == nil || !strings.Contains(err.Error(), "refused 1: eu-west-1/111122223333/eksafe/account/") || strings.Contains(err.Error(), "\n") {
		t.Errorf("%v", err)
	}

	f = newHub()
	f.fail = &smithy.GenericAPIError{Code: "AccessDeniedException", Message: "request 1234"}
	_, err := (&publisher{hub: f, home: home}).publish(t.Context(), reporttest.Big(100))
	if err == nil || !strings.Contains(err.Error(), "100 of 270 findings were published before") || !strings.Contains(err.Error(), "controls permissions --publish") || strings.Contains(err.Error(), "1234") {
		t.Errorf("%v", err)
	}
}

func TestRefusals(t *testing.T) {
	api := func(code string) error { return &smithy.GenericAPIError{Code: code} }
	for want, err := range map[string]error{
		"not enabled in eu-west-1":              api("InvalidAccessException"),
		"not allowed to call securityhub:X":     api("AccessDeniedException"),
		"the AWS session has expired":           api("ExpiredTokenException"),
		"securityhub:X failed with LimitExceed": api("LimitExceededException"),
		"got no answer":                         errors.New("dial tcp"),
		"took longer than":                      context.DeadlineExceeded,
	} {
		if got := refusal("securityhub:X", "eu-west-1", err).Error(); !strings.Contains(got, want) {
			t.Errorf("%v gives %q, want %q", err, got, want)
		}
	}
}

// A fourth call would be a right that nobody granted.
func TestCallsAreTheInterfaces(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), "publish.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var used []string
	ast.Inspect(file, func(n ast.Node) bool {
		if i, ok := n.(*ast.InterfaceType); ok {
			for _, m := range i.Methods.List {
				used = append(used, m.Names[0].Name)
			}
		}
		return true
	})
	var listed []string
	for _, c := range Calls() {
		listed = append(listed, c.Operation)
		if _, action, _ := strings.Cut(c.Action, ":"); action != c.Operation {
			t.Errorf("%s is allowed by %s", c.Operation, c.Action)
		}
	}
	slices.Sort(used)
	slices.Sort(listed)
	if !slices.Equal(used, listed) {
		t.Errorf("the interfaces have %v, the table %v", used, listed)
	}
	policy, err := PolicyDocument()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range Calls() {
		if !strings.Contains(string(policy), `"`+c.Action+`"`) {
			t.Errorf("the policy lacks %s", c.Action)
		}
	}
}

// TestPublishToTheDouble goes over the wire. The double keeps findings and
// knows no filter, so that what is not ours must be left out here.
func TestPublishToTheDouble(t *testing.T) {
	d := awsrig.Start(t)
	d.Setenv(t)
	if _, err := SecurityHub(t.Context(), Options{}, account()); err != nil {
		t.Fatalf("the double does not ask for the hub to be on, and there is %v", err)
	}
	r := account()
	r.GeneratedAt = r.GeneratedAt.Add(time.Hour)
	out, err := SecurityHub(t.Context(), Options{Region: awsrig.Region}, r)
	if err != nil || out.New != 0 || out.Updated == 0 || out.Cloud.Account != awsrig.Account {
		t.Fatalf("%+v, %v", out, err)
	}
	for i := range r.Results {
		if r.Results[i].Control.ID == "listener-tls" {
			r.Results[i].Verdict, r.Results[i].Findings = finding.Pass, nil
		}
	}
	if out, err = SecurityHub(t.Context(), Options{}, r); err != nil || out.Archived != 1 {
		t.Errorf("%+v, %v", out, err)
	}
}

var _ stsAPI = (*sts.Client)(nil)
var _ securityhubAPI = (*securityhub.Client)(nil)
