package aws

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/accessanalyzer"
	analyzertypes "github.com/aws/aws-sdk-go-v2/service/accessanalyzer/types"
	"github.com/aws/aws-sdk-go-v2/service/cloudfront"
	cftypes "github.com/aws/aws-sdk-go-v2/service/cloudfront/types"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail"
	cloudtrailtypes "github.com/aws/aws-sdk-go-v2/service/cloudtrail/types"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	logstypes "github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	eventtypes "github.com/aws/aws-sdk-go-v2/service/eventbridge/types"
	"github.com/aws/aws-sdk-go-v2/service/guardduty"
	guarddutytypes "github.com/aws/aws-sdk-go-v2/service/guardduty/types"
	"github.com/aws/aws-sdk-go-v2/service/route53"
	route53types "github.com/aws/aws-sdk-go-v2/service/route53/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/aws-sdk-go-v2/service/securityhub"
	securityhubtypes "github.com/aws/aws-sdk-go-v2/service/securityhub/types"
	"github.com/aws/aws-sdk-go-v2/service/shield"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	snstypes "github.com/aws/aws-sdk-go-v2/service/sns/types"
	"github.com/aws/aws-sdk-go-v2/service/support"
	"github.com/google/go-cmp/cmp"

	"github.com/eksafe/eksafe/internal/estate"
)

// modelOf returns the resources of a kind as JSON.
func modelOf(t *testing.T, e *estate.Estate, kind estate.Kind) string {
	t.Helper()
	info, err := estate.KindOf(kind)
	if err != nil {
		t.Fatal(err)
	}
	data, err := info.Encode(e)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

type fakeHub struct {
	hub, v2, standards error
	findings           []securityhubtypes.AwsSecurityFinding
	pages              int // of findings; 0 for one
	asked              *securityhubtypes.AwsSecurityFindingFilters
}

func (f *fakeHub) DescribeHub(context.Context, *securityhub.DescribeHubInput, ...func(*securityhub.Options)) (*securityhub.DescribeHubOutput, error) {
	return &securityhub.DescribeHubOutput{HubArn: awssdk.String("arn:hub")}, f.hub
}

func (f *fakeHub) DescribeSecurityHubV2(context.Context, *securityhub.DescribeSecurityHubV2Input, ...func(*securityhub.Options)) (*securityhub.DescribeSecurityHubV2Output, error) {
	return &securityhub.DescribeSecurityHubV2Output{HubV2Arn: awssdk.String("arn:hub2")}, f.v2
}

func (f *fakeHub) GetEnabledStandards(context.Context, *securityhub.GetEnabledStandardsInput, ...func(*securityhub.Options)) (*securityhub.GetEnabledStandardsOutput, error) {
	return &securityhub.GetEnabledStandardsOutput{StandardsSubscriptions: []securityhubtypes.StandardsSubscription{
		{StandardsArn: awssdk.String("arn:standard"), StandardsStatus: securityhubtypes.StandardsStatusReady},
	}}, f.standards
}

func (f *fakeHub) GetFindings(_ context.Context, in *securityhub.GetFindingsInput, _ ...func(*securityhub.Options)) (*securityhub.GetFindingsOutput, error) {
	f.asked = in.Filters
	n, _ := strconv.Atoi(awssdk.ToString(in.NextToken))
	out := &securityhub.GetFindingsOutput{Findings: f.findings}
	if n+1 < f.pages {
		out.NextToken = awssdk.String(strconv.Itoa(n + 1))
	}
	return out, nil
}

func TestServicesThatAreOffAreFacts(t *testing.T) {
	off := refused("SecurityHub", "DescribeHub", "InvalidAccessException")
	gone := refused("SecurityHub", "DescribeSecurityHubV2", "ResourceNotFoundException")
	denied := refused("SecurityHub", "DescribeHub", "AccessDeniedException")
	for name, c := range map[string]struct {
		hub   fakeHub
		state estate.State
		want  string
	}{
		"on":               {fakeHub{}, estate.Read, `"enabled":true,"enabledV2":true,"standards":[{"standardsArn":"arn:standard","status":"READY"}]`},
		"off":              {fakeHub{hub: off, v2: gone}, estate.Read, `"enabled":false,"enabledV2":false,"standards":[]`},
		"the newer alone":  {fakeHub{hub: off}, estate.Read, `"enabled":false,"enabledV2":true,"standards":[]`},
		"denied":           {fakeHub{hub: denied}, estate.Denied, `[]`},
		"standards denied": {fakeHub{standards: denied, v2: gone}, estate.Read, `"enabled":true,"enabledV2":false}`},
	} {
		t.Run(name, func(t *testing.T) {
			r := readerOf(&clients{securityhub: &c.hub})
			r.readSecurityHub(t.Context())
			e := r.result()
			if got := e.Coverage("SecurityHub"); got.State != c.state {
				t.Errorf("coverage is %+v", got)
			}
			if got := e.Coverage("SecurityHubFinding"); got.State != c.state {
				t.Errorf("coverage of findings is %+v", got)
			}
			if got := modelOf(t, e, "SecurityHub"); c.state == estate.Read && !strings.Contains(got, c.want) {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}

func TestSecurityHubFindings(t *testing.T) {
	finding := func(id string, change func(*securityhubtypes.AwsSecurityFinding)) securityhubtypes.AwsSecurityFinding {
		f := securityhubtypes.AwsSecurityFinding{
			Id: awssdk.String("arn:aws:securityhub:eu-west-1:111122223333:finding/" + id), AwsAccountId: awssdk.String("111122223333"), Region: awssdk.String("eu-west-1"),
			Title: awssdk.String("EKS cluster endpoints should not be publicly accessible"), GeneratorId: awssdk.String("security-control/EKS.1"),
			RecordState: securityhubtypes.RecordStateActive, Severity: &securityhubtypes.Severity{Label: securityhubtypes.SeverityLabelHigh},
			Workflow: &securityhubtypes.Workflow{Status: securityhubtypes.WorkflowStatusNew}, LastObservedAt: awssdk.String("2026-11-20T08:00:00.123Z"),
			Compliance:  &securityhubtypes.Compliance{Status: securityhubtypes.ComplianceStatusFailed, SecurityControlId: awssdk.String("EKS.1")},
			Resources:   []securityhubtypes.Resource{{Id: awssdk.String("arn:aws:eks:eu-west-1:111122223333:cluster/shop")}},
			Remediation: &securityhubtypes.Remediation{Recommendation: &securityhubtypes.Recommendation{Url: awssdk.String("javascript:alert(1)")}},
			Note:        &securityhubtypes.Note{Text: awssdk.String("canary-note")}, Process: &securityhubtypes.ProcessDetails{Name: awssdk.String("canary-process")},
		}
		change(&f)
		return f
	}
	hub := &fakeHub{findings: []securityhubtypes.AwsSecurityFinding{
		finding("kept", func(*securityhubtypes.AwsSecurityFinding) {}),
		finding("low", func(f *securityhubtypes.AwsSecurityFinding) { f.Severity.Label = securityhubtypes.SeverityLabelLow }),
		finding("archived", func(f *securityhubtypes.AwsSecurityFinding) { f.RecordState = securityhubtypes.RecordStateArchived }),
		finding("suppressed", func(f *securityhubtypes.AwsSecurityFinding) {
			f.Workflow.Status = securityhubtypes.WorkflowStatusSuppressed
		}),
		finding("passed", func(f *securityhubtypes.AwsSecurityFinding) {
			f.Compliance.Status = securityhubtypes.ComplianceStatusPassed
		}),
		finding("another account", func(f *securityhubtypes.AwsSecurityFinding) { f.AwsAccountId = awssdk.String("444455556666") }),
		finding("another region", func(f *securityhubtypes.AwsSecurityFinding) { f.Region = awssdk.String("us-east-1") }),
	}}
	r := readerOf(&clients{securityhub: hub})
	r.readSecurityHub(t.Context())
	e := r.result()
	want := `[{"aws":{"origin":{"account":"111122223333","region":"eu-west-1"},"arn":"arn:aws:securityhub:eu-west-1:111122223333:finding/kept"},` +
		`"id":"arn:aws:securityhub:eu-west-1:111122223333:finding/kept","product":"Security Hub","rule":"EKS.1","title":"EKS cluster endpoints should not be publicly accessible","severity":"high",` +
		`"resources":["arn:aws:eks:eu-west-1:111122223333:cluster/shop"],"lastSeen":"2026-11-20T08:00:00.123Z"}]`
	var got, expected any
	if err := json.Unmarshal([]byte(modelOf(t, e, "SecurityHubFinding")), &got); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(want), &expected); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(expected, got); diff != "" {
		t.Errorf("findings (-want +got):\n%s", diff)
	}
	if hub.asked == nil || len(hub.asked.SeverityLabel) != 2 || *hub.asked.RecordState[0].Value != "ACTIVE" || *hub.asked.AwsAccountId[0].Value != "111122223333" {
		t.Errorf("asked for %+v", hub.asked)
	}
}

func TestFindingsAreBounded(t *testing.T) {
	page := make([]securityhubtypes.AwsSecurityFinding, 100)
	for i := range page {
		page[i] = securityhubtypes.AwsSecurityFinding{Id: awssdk.String(fmt.Sprint("arn:f/", i)), Severity: &securityhubtypes.Severity{Label: securityhubtypes.SeverityLabelCritical}}
	}
	for pages, cut := range map[int]bool{100: false, 101: true, maxPages: true} {
		r := readerOf(&clients{securityhub: &fakeHub{findings: page, pages: pages}})
		r.readSecurityHub(t.Context())
		e := r.result()
		if n := len(estate.SecurityHubFindings.In(e)); n != maxFindings {
			t.Errorf("%d pages gave %d findings", pages, n)
		}
		told := slices.ContainsFunc(e.Sources[0].Problems, func(p estate.Problem) bool {
			return p.What == "Security Hub has more findings: the first 10000 were read"
		})
		if told != cut {
			t.Errorf("%d pages: problems are %v", pages, e.Sources[0].Problems)
		}
	}
}

func TestFindingsAreSkipped(t *testing.T) {
	s := readerOf(&clients{securityhub: &fakeHub{}, guardduty: fakeGuardDuty{}, accessanalyzer: fakeAnalyzers{}}).session
	s.options.Skip = []Group{SkipFindings}
	r := s.reader("eu-west-1", "eu-west-1", regionalKinds())
	r.readSecurityHub(t.Context())
	r.readGuardDuty(t.Context())
	r.readAnalyzers(t.Context())
	e := r.result()
	for _, kind := range groupKinds[SkipFindings] {
		if c := e.Coverage(kind); c.State != estate.NotAsked || c.Count != 0 {
			t.Errorf("coverage of %s is %+v", kind, c)
		}
	}
	if e.Coverage("SecurityHub").Count != 1 || e.Coverage("GuardDutyDetector").Count != 1 || e.Coverage("Analyzer").Count != 1 {
		t.Error("what found them is left out as well")
	}
}

type fakeGuardDuty struct{ none bool }

func (f fakeGuardDuty) ListDetectors(context.Context, *guardduty.ListDetectorsInput, ...func(*guardduty.Options)) (*guardduty.ListDetectorsOutput, error) {
	if f.none {
		return &guardduty.ListDetectorsOutput{}, nil
	}
	return &guardduty.ListDetectorsOutput{DetectorIds: []string{"d1"}}, nil
}

func (f fakeGuardDuty) GetDetector(context.Context, *guardduty.GetDetectorInput, ...func(*guardduty.Options)) (*guardduty.GetDetectorOutput, error) {
	return &guardduty.GetDetectorOutput{Status: guarddutytypes.DetectorStatusEnabled, Features: []guarddutytypes.DetectorFeatureConfigurationResult{
		{Name: guarddutytypes.DetectorFeatureResultS3DataEvents, Status: guarddutytypes.FeatureStatusDisabled},
		{
			Name: guarddutytypes.DetectorFeatureResultRuntimeMonitoring, Status: guarddutytypes.FeatureStatusEnabled,
			AdditionalConfiguration: []guarddutytypes.DetectorAdditionalConfigurationResult{{Name: guarddutytypes.FeatureAdditionalConfigurationEksAddonManagement, Status: guarddutytypes.FeatureStatusEnabled}},
		},
	}}, nil
}

// ListFindings lists more than one GetFindings takes.
func (f fakeGuardDuty) ListFindings(_ context.Context, in *guardduty.ListFindingsInput, _ ...func(*guardduty.Options)) (*guardduty.ListFindingsOutput, error) {
	if c := in.FindingCriteria.Criterion; awssdk.ToInt64(c["severity"].GreaterThanOrEqual) != highSeverity || !slices.Equal(c["service.archived"].Equals, []string{"false"}) {
		return nil, refused("GuardDuty", "ListFindings", "BadRequestException")
	}
	n, _ := strconv.Atoi(awssdk.ToString(in.NextToken))
	out := &guardduty.ListFindingsOutput{}
	for i := range 40 {
		out.FindingIds = append(out.FindingIds, fmt.Sprintf("f%02d", 40*n+i))
	}
	if n == 0 {
		out.NextToken = awssdk.String("1")
	}
	return out, nil
}

func (f fakeGuardDuty) GetFindings(_ context.Context, in *guardduty.GetFindingsInput, _ ...func(*guardduty.Options)) (*guardduty.GetFindingsOutput, error) {
	if len(in.FindingIds) > 50 {
		return nil, refused("GuardDuty", "GetFindings", "BadRequestException")
	}
	out := &guardduty.GetFindingsOutput{}
	for _, id := range in.FindingIds {
		x := guarddutytypes.Finding{Id: &id, AccountId: awssdk.String("111122223333"), Severity: awssdk.Float64(8), Type: awssdk.String("Execution:Kubernetes/ExecInKubeSystemPod"), Title: awssdk.String("a command ran")}
		switch id {
		case "f00":
			x.Severity = awssdk.Float64(4)
		case "f01":
			x.Service = &guarddutytypes.Service{Archived: awssdk.Bool(true)}
		case "f02":
			x.AccountId = awssdk.String("444455556666")
		case "f03":
			x.Severity = awssdk.Float64(9.5)
			x.Resource = &guarddutytypes.Resource{
				EksClusterDetails: &guarddutytypes.EksClusterDetails{Arn: awssdk.String("arn:aws:eks:eu-west-1:111122223333:cluster/shop")},
				KubernetesDetails: &guarddutytypes.KubernetesDetails{KubernetesWorkloadDetails: &guarddutytypes.KubernetesWorkloadDetails{
					Type: awssdk.String("Deployment"), Namespace: awssdk.String("prod"), Name: awssdk.String("orders"),
				}},
				InstanceDetails:  &guarddutytypes.InstanceDetails{InstanceId: awssdk.String("i-1")},
				AccessKeyDetails: &guarddutytypes.AccessKeyDetails{AccessKeyId: awssdk.String("AKIACANARY"), UserName: awssdk.String("eve"), UserType: awssdk.String("IAMUser")},
			}
		}
		out.Findings = append(out.Findings, x)
	}
	return out, nil
}

func TestGuardDuty(t *testing.T) {
	r := readerOf(&clients{guardduty: fakeGuardDuty{}})
	r.readGuardDuty(t.Context())
	e := r.result()
	if got := modelOf(t, e, "GuardDutyDetector"); !strings.Contains(got, `"enable":true,"features":[{"name":"RUNTIME_MONITORING","status":"ENABLED","additionalConfiguration":[{"name":"EKS_ADDON_MANAGEMENT","status":"ENABLED"}]},{"name":"S3_DATA_EVENTS","status":"DISABLED"}]`) {
		t.Errorf("the detector is %s", got)
	}
	found := estate.GuardDutyFindings.In(e)
	if len(found) != 80-3 || e.Coverage("GuardDutyFinding").State != estate.Read {
		t.Fatalf("%d findings, %+v", len(found), e.Coverage("GuardDutyFinding"))
	}
	worst := found[0]
	want := []string{"arn:aws:ec2:eu-west-1:111122223333:instance/i-1", "arn:aws:eks:eu-west-1:111122223333:cluster/shop", "arn:aws:iam::111122223333:user/eve", "deployment/prod/orders"}
	if worst.Id != "f03" || worst.Severity != "critical" || !slices.Equal(worst.Resources, want) || found[1].Severity != "high" {
		t.Errorf("the worst finding is %+v", worst)
	}
	if strings.Contains(modelOf(t, e, "GuardDutyFinding"), "CANARY") {
		t.Error("the model holds an access key")
	}

	r = readerOf(&clients{guardduty: fakeGuardDuty{none: true}})
	r.readGuardDuty(t.Context())
	if c := r.result().Coverage("GuardDutyDetector"); c.State != estate.Read || c.Count != 0 {
		t.Errorf("without a detector the coverage is %+v", c)
	}
}

type fakeAnalyzers struct{}

func (fakeAnalyzers) ListAnalyzers(context.Context, *accessanalyzer.ListAnalyzersInput, ...func(*accessanalyzer.Options)) (*accessanalyzer.ListAnalyzersOutput, error) {
	return &accessanalyzer.ListAnalyzersOutput{Analyzers: []analyzertypes.AnalyzerSummary{{Arn: awssdk.String("arn:analyzer"), Name: awssdk.String("account"), Type: analyzertypes.TypeAccount, Status: analyzertypes.AnalyzerStatusActive}}}, nil
}

func (fakeAnalyzers) ListFindingsV2(context.Context, *accessanalyzer.ListFindingsV2Input, ...func(*accessanalyzer.Options)) (*accessanalyzer.ListFindingsV2Output, error) {
	return &accessanalyzer.ListFindingsV2Output{Findings: []analyzertypes.FindingSummaryV2{
		{Id: awssdk.String("1"), Status: analyzertypes.FindingStatusActive, FindingType: analyzertypes.FindingTypeExternalAccess, Resource: awssdk.String("arn:aws:s3:::open")},
		{Id: awssdk.String("2"), Status: analyzertypes.FindingStatusArchived, FindingType: analyzertypes.FindingTypeExternalAccess},
		{Id: awssdk.String("3"), Status: analyzertypes.FindingStatusActive, FindingType: "SomethingNew"},
	}}, nil
}

func TestAnalyzerFindings(t *testing.T) {
	r := readerOf(&clients{accessanalyzer: fakeAnalyzers{}})
	r.readAnalyzers(t.Context())
	var got []string
	for _, f := range estate.AccessAnalyzerFindings.In(r.result()) {
		got = append(got, f.Arn+" "+f.Rule+": "+f.Title+" "+strings.Join(f.Resources, " ")+f.Severity)
	}
	want := []string{"arn:analyzer/finding/1 ExternalAccess: somebody outside of the account or organization has access arn:aws:s3:::open", "arn:analyzer/finding/3 SomethingNew: SomethingNew "}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("findings (-want +got):\n%s", diff)
	}
}

type fakeSupport struct {
	supportAPI
	err error
}

func (f fakeSupport) DescribeTrustedAdvisorChecks(context.Context, *support.DescribeTrustedAdvisorChecksInput, ...func(*support.Options)) (*support.DescribeTrustedAdvisorChecksOutput, error) {
	return nil, f.err
}

type fakeShield struct {
	err         error
	protections error
}

func (f fakeShield) DescribeSubscription(context.Context, *shield.DescribeSubscriptionInput, ...func(*shield.Options)) (*shield.DescribeSubscriptionOutput, error) {
	return nil, f.err
}

func (f fakeShield) ListProtections(context.Context, *shield.ListProtectionsInput, ...func(*shield.Options)) (*shield.ListProtectionsOutput, error) {
	return &shield.ListProtectionsOutput{}, f.protections
}

func TestWhatIsNotSubscribed(t *testing.T) {
	regional := readerOf(&clients{
		support: fakeSupport{err: refused("Support", "DescribeTrustedAdvisorChecks", "SubscriptionRequiredException")},
		shield:  fakeShield{err: refused("Shield", "DescribeSubscription", "ResourceNotFoundException"), protections: refused("Shield", "ListProtections", "ResourceNotFoundException")},
	})
	r := regional.session.reader("global", "", globalKinds())
	r.readTrustedAdvisor(t.Context())
	r.readShield(t.Context())
	e := r.result()
	for kind, want := range map[estate.Kind]string{"TrustedAdvisor": `"subscribed":false`, "ShieldSubscription": `"active":false`} {
		if got := modelOf(t, e, kind); !strings.Contains(got, want) || e.Coverage(kind).State != estate.Read {
			t.Errorf("%s is %s, %+v", kind, got, e.Coverage(kind))
		}
	}
	if c := e.Coverage("ShieldProtection"); c.State != estate.Read || len(e.Sources[0].Problems) > 0 {
		t.Errorf("coverage of protections is %+v, problems are %v", c, e.Sources[0].Problems)
	}
}

type fakeTrails struct {
	mu    *sync.Mutex // guards asked
	asked map[string]int
}

func (f fakeTrails) DescribeTrails(context.Context, *cloudtrail.DescribeTrailsInput, ...func(*cloudtrail.Options)) (*cloudtrail.DescribeTrailsOutput, error) {
	trail := func(name, home string) cloudtrailtypes.Trail {
		return cloudtrailtypes.Trail{Name: &name, TrailARN: awssdk.String("arn:trail/" + name), HomeRegion: &home, IsMultiRegionTrail: awssdk.Bool(true), CloudWatchLogsLogGroupArn: awssdk.String("arn:log-group:trail:*")}
	}
	return &cloudtrail.DescribeTrailsOutput{TrailList: []cloudtrailtypes.Trail{trail("here", "eu-west-1"), trail("there", "us-east-1"), trail("elsewhere", "ap-south-1")}}, nil
}

func (f fakeTrails) GetTrailStatus(_ context.Context, in *cloudtrail.GetTrailStatusInput, _ ...func(*cloudtrail.Options)) (*cloudtrail.GetTrailStatusOutput, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked[*in.Name]++
	return &cloudtrail.GetTrailStatusOutput{IsLogging: awssdk.Bool(true)}, nil
}

func (f fakeTrails) GetEventSelectors(context.Context, *cloudtrail.GetEventSelectorsInput, ...func(*cloudtrail.Options)) (*cloudtrail.GetEventSelectorsOutput, error) {
	return nil, refused("CloudTrail", "GetEventSelectors", "AccessDeniedException")
}

func TestTrailsAreReadOnce(t *testing.T) {
	fake := fakeTrails{new(sync.Mutex), map[string]int{}}
	s := readerOf(&clients{cloudtrail: fake}).session
	s.regions = []string{"eu-west-1", "us-east-1"}
	var got []string
	for _, region := range s.regions {
		r := s.reader(region, region, regionalKinds())
		r.readTrails(t.Context())
		for _, x := range estate.Trails.In(r.result()) {
			_, known := x.ManagementEvents.Get()
			got = append(got, fmt.Sprint(region, " ", x.TrailName, " of ", x.Origin.Region, " ", x.IsLogging.Or(false), known, " ", x.CloudWatchLogsLogGroupArn))
		}
	}
	want := []string{
		"eu-west-1 elsewhere of ap-south-1 true false arn:log-group:trail",
		"eu-west-1 here of eu-west-1 true false arn:log-group:trail",
		"us-east-1 there of us-east-1 true false arn:log-group:trail",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("trails (-want +got):\n%s", diff)
	}
	for name, n := range fake.asked {
		if n != 1 {
			t.Errorf("%s was asked for %d times", name, n)
		}
	}
}

func TestManagementEvents(t *testing.T) {
	field := func(name string, equals ...string) cloudtrailtypes.AdvancedFieldSelector {
		return cloudtrailtypes.AdvancedFieldSelector{Field: &name, Equals: equals}
	}
	management := field("eventCategory", "Management")
	basic := func(include bool, kind cloudtrailtypes.ReadWriteType) []cloudtrailtypes.EventSelector {
		return []cloudtrailtypes.EventSelector{{IncludeManagementEvents: &include, ReadWriteType: kind}}
	}
	advanced := func(fields ...cloudtrailtypes.AdvancedFieldSelector) []cloudtrailtypes.AdvancedEventSelector {
		return []cloudtrailtypes.AdvancedEventSelector{{FieldSelectors: fields}}
	}
	for name, c := range map[string]struct {
		basic    []cloudtrailtypes.EventSelector
		advanced []cloudtrailtypes.AdvancedEventSelector
		want     string
	}{
		"all":                  {basic: basic(true, "All"), want: "All"},
		"writing":              {basic: basic(true, "WriteOnly"), want: "WriteOnly"},
		"both halves":          {basic: append(basic(true, "WriteOnly"), basic(true, "ReadOnly")...), want: "All"},
		"data alone":           {basic: basic(false, "All"), want: ""},
		"advanced":             {advanced: advanced(management), want: "All"},
		"advanced, reading":    {advanced: advanced(management, field("readOnly", "true")), want: "ReadOnly"},
		"advanced, writing":    {advanced: advanced(management, field("readOnly", "false")), want: "WriteOnly"},
		"advanced, data":       {advanced: advanced(field("eventCategory", "Data")), want: ""},
		"without KMS":          {advanced: advanced(management, cloudtrailtypes.AdvancedFieldSelector{Field: awssdk.String("eventSource"), NotEquals: []string{"kms.amazonaws.com"}}), want: "All"},
		"of KMS alone":         {advanced: advanced(management, field("eventSource", "kms.amazonaws.com")), want: "unknown"},
		"narrow beside writes": {advanced: append(advanced(management, field("eventName", "x")), advanced(management, field("readOnly", "false"))...), want: "unknown"},
		"narrow beside all":    {advanced: append(advanced(management, field("eventName", "x")), advanced(management)...), want: "All"},
	} {
		if got := managementEvents(c.basic, c.advanced).Or("unknown"); got != c.want {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
	}
}

type fakeTopics struct{}

func (fakeTopics) ListTopics(_ context.Context, in *sns.ListTopicsInput, _ ...func(*sns.Options)) (*sns.ListTopicsOutput, error) {
	if in.NextToken == nil {
		return &sns.ListTopicsOutput{Topics: []snstypes.Topic{{TopicArn: awssdk.String("arn:aws:sns:eu-west-1:111122223333:pager")}}, NextToken: awssdk.String("more")}, nil
	}
	return &sns.ListTopicsOutput{Topics: []snstypes.Topic{{TopicArn: awssdk.String("arn:aws:sns:eu-west-1:111122223333:closed")}}}, nil
}

func (fakeTopics) GetTopicAttributes(context.Context, *sns.GetTopicAttributesInput, ...func(*sns.Options)) (*sns.GetTopicAttributesOutput, error) {
	return &sns.GetTopicAttributesOutput{Attributes: map[string]string{"Policy": "canary-policy"}}, nil
}

func (fakeTopics) ListSubscriptionsByTopic(_ context.Context, in *sns.ListSubscriptionsByTopicInput, _ ...func(*sns.Options)) (*sns.ListSubscriptionsByTopicOutput, error) {
	if strings.HasSuffix(*in.TopicArn, "closed") {
		return nil, refused("SNS", "ListSubscriptionsByTopic", "AuthorizationError")
	}
	return &sns.ListSubscriptionsByTopicOutput{Subscriptions: []snstypes.Subscription{
		{Protocol: awssdk.String("sqs"), Endpoint: awssdk.String("arn:aws:sqs:eu-west-1:444455556666:soc"), SubscriptionArn: awssdk.String("arn:sub")},
		{Protocol: awssdk.String("email"), Endpoint: awssdk.String("canary@example.com"), SubscriptionArn: awssdk.String("PendingConfirmation")},
		{Protocol: awssdk.String("https"), Endpoint: awssdk.String("https://hooks.example.com/canary"), SubscriptionArn: awssdk.String("arn:sub2")},
		{Protocol: awssdk.String("sms"), Endpoint: awssdk.String("+1canary"), SubscriptionArn: awssdk.String("Deleted")},
	}}, nil
}

func TestTopics(t *testing.T) {
	r := readerOf(&clients{sns: fakeTopics{}})
	r.readTopics(t.Context())
	e := r.result()
	got := modelOf(t, e, "Topic")
	want := `"topicName":"pager","kmsMasterKeyId":"","subscriptions":[{"protocol":"email","confirmed":false},{"protocol":"https","confirmed":true},{"protocol":"sqs","endpoint":"arn:aws:sqs:eu-west-1:444455556666:soc","confirmed":true}]`
	if !strings.Contains(got, want) || !strings.Contains(got, `"topicName":"closed","kmsMasterKeyId":""}`) {
		t.Errorf("topics are %s", got)
	}
	if strings.Contains(got, "canary") {
		t.Errorf("the model holds an address or a policy: %s", got)
	}
	if diff := cmp.Diff([]estate.Problem{{What: "reading subscriptions of topics: not allowed to call sns:ListSubscriptionsByTopic"}}, e.Sources[0].Problems); diff != "" {
		t.Errorf("problems (-want +got):\n%s", diff)
	}
}

type fakeEvents struct{}

func (fakeEvents) ListEventBuses(context.Context, *eventbridge.ListEventBusesInput, ...func(*eventbridge.Options)) (*eventbridge.ListEventBusesOutput, error) {
	return &eventbridge.ListEventBusesOutput{EventBuses: []eventtypes.EventBus{{Name: awssdk.String("default")}, {Name: awssdk.String("shop")}}}, nil
}

func (fakeEvents) ListRules(_ context.Context, in *eventbridge.ListRulesInput, _ ...func(*eventbridge.Options)) (*eventbridge.ListRulesOutput, error) {
	if *in.EventBusName == "shop" {
		return nil, refused("EventBridge", "ListRules", "AccessDeniedException")
	}
	return &eventbridge.ListRulesOutput{Rules: []eventtypes.Rule{{Arn: awssdk.String("arn:rule"), Name: awssdk.String("findings"), EventPattern: awssdk.String(`{"source":["aws.guardduty"]}`), State: eventtypes.RuleStateEnabled}}}, nil
}

func (fakeEvents) ListTargetsByRule(context.Context, *eventbridge.ListTargetsByRuleInput, ...func(*eventbridge.Options)) (*eventbridge.ListTargetsByRuleOutput, error) {
	return &eventbridge.ListTargetsByRuleOutput{Targets: []eventtypes.Target{{Arn: awssdk.String("arn:topic"), Input: awssdk.String(`{"token":"canary"}`)}}}, nil
}

func TestEventRules(t *testing.T) {
	r := readerOf(&clients{eventbridge: fakeEvents{}})
	r.readEventRules(t.Context())
	e := r.result()
	got := modelOf(t, e, "EventRule")
	if want := `"name":"findings","eventBusName":"default","eventPattern":"{\"source\":[\"aws.guardduty\"]}","state":"ENABLED","targets":["arn:topic"]`; !strings.Contains(got, want) || strings.Contains(got, "canary") {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if c := e.Coverage("EventRule"); c.State != estate.Denied || c.Why != "not allowed to call events:ListRules" {
		t.Errorf("coverage is %+v", c)
	}
}

type fakeLogs struct {
	cloudwatchlogsAPI
	groups int
}

func (f fakeLogs) DescribeLogGroups(context.Context, *cloudwatchlogs.DescribeLogGroupsInput, ...func(*cloudwatchlogs.Options)) (*cloudwatchlogs.DescribeLogGroupsOutput, error) {
	out := &cloudwatchlogs.DescribeLogGroupsOutput{}
	for i := range f.groups {
		name := fmt.Sprintf("/aws/lambda/%04d", i)
		if i == 0 {
			name = "aws-waf-logs-shop"
		}
		out.LogGroups = append(out.LogGroups, logstypes.LogGroup{LogGroupName: &name, Arn: awssdk.String("arn:log-group:" + name + ":*")})
	}
	return out, nil
}

func (f fakeLogs) DescribeSubscriptionFilters(context.Context, *cloudwatchlogs.DescribeSubscriptionFiltersInput, ...func(*cloudwatchlogs.Options)) (*cloudwatchlogs.DescribeSubscriptionFiltersOutput, error) {
	return &cloudwatchlogs.DescribeSubscriptionFiltersOutput{SubscriptionFilters: []logstypes.SubscriptionFilter{{DestinationArn: awssdk.String("arn:destination"), FilterPattern: awssdk.String("canary")}}}, nil
}

func TestLogGroupsAreBounded(t *testing.T) {
	r := readerOf(&clients{cloudwatchlogs: fakeLogs{groups: maxFilteredGroups + 50}})
	r.readLogGroups(t.Context())
	e := r.result()
	filtered, evidence := 0, false
	for _, g := range estate.LogGroups.In(e) {
		if f, known := g.SubscriptionFilters.Get(); known {
			filtered++
			evidence = evidence || g.LogGroupName == "aws-waf-logs-shop" && slices.Equal(f, []string{"arn:destination"}) && g.Arn == "arn:log-group:aws-waf-logs-shop"
		}
	}
	if filtered != maxFilteredGroups || !evidence {
		t.Errorf("the filters of %d log groups were read, those of AWS WAF: %v", filtered, evidence)
	}
	want := []estate.Problem{{What: "subscription filters were read of 200 log groups of 250, first of those that security services write"}}
	if diff := cmp.Diff(want, e.Sources[0].Problems); diff != "" {
		t.Errorf("problems (-want +got):\n%s", diff)
	}
}

type fakeDNS struct {
	size int // record sets of the first zone
}

func (f fakeDNS) ListHostedZones(context.Context, *route53.ListHostedZonesInput, ...func(*route53.Options)) (*route53.ListHostedZonesOutput, error) {
	zone := func(id string, private bool) route53types.HostedZone {
		return route53types.HostedZone{Id: awssdk.String("/hostedzone/" + id), Name: awssdk.String(strings.ToLower(id) + ".example."), Config: &route53types.HostedZoneConfig{PrivateZone: private}}
	}
	return &route53.ListHostedZonesOutput{HostedZones: []route53types.HostedZone{zone("Z2", false), zone("Z1", false), zone("Z3", true)}}, nil
}

func (f fakeDNS) ListResourceRecordSets(_ context.Context, in *route53.ListResourceRecordSetsInput, _ ...func(*route53.Options)) (*route53.ListResourceRecordSetsOutput, error) {
	if *in.HostedZoneId != "Z1" {
		return &route53.ListResourceRecordSetsOutput{ResourceRecordSets: []route53types.ResourceRecordSet{
			{Name: awssdk.String(`\052.z2.example.`), Type: route53types.RRTypeA, AliasTarget: &route53types.AliasTarget{DNSName: awssdk.String("web.elb.amazonaws.com.")}},
			{Name: awssdk.String("z2.example."), Type: route53types.RRTypeTxt, ResourceRecords: []route53types.ResourceRecord{{Value: awssdk.String(`"canary-token"`)}}},
		}}, nil
	}
	n, _ := strconv.Atoi(awssdk.ToString(in.StartRecordIdentifier))
	out := &route53.ListResourceRecordSetsOutput{}
	for i := n; i < min(n+1000, f.size); i++ {
		out.ResourceRecordSets = append(out.ResourceRecordSets, route53types.ResourceRecordSet{Name: awssdk.String("a"), Type: route53types.RRTypeA})
	}
	if n+1000 < f.size {
		out.IsTruncated, out.NextRecordName, out.NextRecordType, out.NextRecordIdentifier = true, awssdk.String("a"), route53types.RRTypeA, awssdk.String(strconv.Itoa(n+1000))
	}
	return out, nil
}

func TestHostedZones(t *testing.T) {
	for size, want := range map[int]string{2500: "2500 1 unread", maxRecords + 1: "unread unread unread"} {
		regional := readerOf(&clients{route53: fakeDNS{size: size}})
		r := regional.session.reader("global", "", globalKinds())
		r.readHostedZones(t.Context())
		e := r.result()
		var got []string
		for _, z := range estate.HostedZones.In(e) {
			records, known := z.Records.Get()
			if !known {
				got = append(got, "unread")
				continue
			}
			got = append(got, strconv.Itoa(len(records)))
			if z.Id == "Z2" && (records[0].Name != "*.z2.example." || records[0].AliasTarget != "web.elb.amazonaws.com.") {
				t.Errorf("the wildcard is %+v", records[0])
			}
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%d records: got %q, want %s", size, got, want)
		}
		if told := len(e.Sources[0].Problems) == 1; told != (size > maxRecords) {
			t.Errorf("%d records: problems are %v", size, e.Sources[0].Problems)
		}
		if strings.Contains(modelOf(t, e, "HostedZone"), "canary") {
			t.Error("the model holds a TXT record")
		}
	}
}

func TestDistributionHeadersWithoutValues(t *testing.T) {
	d := distribution(&cftypes.DistributionSummary{Origins: &cftypes.Origins{Items: []cftypes.Origin{
		{Id: awssdk.String("a"), CustomHeaders: &cftypes.CustomHeaders{Items: []cftypes.OriginCustomHeader{{HeaderName: awssdk.String("X-Origin-Verify"), HeaderValue: awssdk.String("canary")}}}},
		{Id: awssdk.String("b")},
	}}})
	data, err := json.Marshal(d)
	if err != nil || strings.Contains(string(data), "canary") {
		t.Errorf("the model holds the value of a header: %s, %v", data, err)
	}
	origins := d.DistributionConfig.Origins
	if !slices.Equal(origins[0].OriginCustomHeaders.Or(nil), []string{"X-Origin-Verify"}) {
		t.Errorf("headers are %v", origins[0].OriginCustomHeaders)
	}
	if names, known := origins[1].OriginCustomHeaders.Get(); !known || len(names) > 0 {
		t.Errorf("an origin without headers has %q, known %v", names, known)
	}
}

func TestBucketUse(t *testing.T) {
	days, filter := awssdk.Int32(30), &s3types.LifecycleRuleFilter{And: &s3types.LifecycleRuleAndOperator{Prefix: awssdk.String("tmp/")}}
	got := expirations([]s3types.LifecycleRule{
		{Status: s3types.ExpirationStatusEnabled, Expiration: &s3types.LifecycleExpiration{Days: days}, Filter: filter},
		{Status: s3types.ExpirationStatusDisabled, Expiration: &s3types.LifecycleExpiration{Days: days}},
		{Status: s3types.ExpirationStatusEnabled, Expiration: &s3types.LifecycleExpiration{ExpiredObjectDeleteMarker: awssdk.Bool(true)}},
		{Status: s3types.ExpirationStatusEnabled, Expiration: &s3types.LifecycleExpiration{Days: awssdk.Int32(365)}},
	})
	if diff := cmp.Diff([]estate.Expiration{{Days: 365}, {Prefix: "tmp/", Days: 30}}, got); diff != "" {
		t.Errorf("expirations (-want +got):\n%s", diff)
	}
	told := notifications(&s3.GetBucketNotificationConfigurationOutput{
		EventBridgeConfiguration: &s3types.EventBridgeConfiguration{},
		QueueConfigurations: []s3types.QueueConfiguration{{QueueArn: awssdk.String("arn:queue"), Events: []s3types.Event{"s3:ObjectCreated:*"}, Filter: &s3types.NotificationConfigurationFilter{
			Key: &s3types.S3KeyFilter{FilterRules: []s3types.FilterRule{{Name: "Prefix", Value: awssdk.String("waf/")}, {Name: "suffix", Value: awssdk.String(".gz")}}},
		}}},
	})
	want := []estate.Notification{{Destination: "arn:queue", Events: []string{"s3:ObjectCreated:*"}, Prefix: "waf/", Suffix: ".gz"}, {Destination: "eventbridge"}}
	if diff := cmp.Diff(want, told); diff != "" {
		t.Errorf("notifications (-want +got):\n%s", diff)
	}
}

type fakeCloudFront struct{ cloudfrontAPI }

func (fakeCloudFront) GetDistributionConfig(_ context.Context, in *cloudfront.GetDistributionConfigInput, _ ...func(*cloudfront.Options)) (*cloudfront.GetDistributionConfigOutput, error) {
	return &cloudfront.GetDistributionConfigOutput{DistributionConfig: &cftypes.DistributionConfig{Logging: &cftypes.LoggingConfig{Enabled: awssdk.Bool(*in.Id == "own")}}}, nil
}

type fakeDeliveries struct {
	cloudwatchlogsAPI
	err error
}

func (f fakeDeliveries) DescribeDeliverySources(context.Context, *cloudwatchlogs.DescribeDeliverySourcesInput, ...func(*cloudwatchlogs.Options)) (*cloudwatchlogs.DescribeDeliverySourcesOutput, error) {
	return &cloudwatchlogs.DescribeDeliverySourcesOutput{DeliverySources: []logstypes.DeliverySource{
		{Name: awssdk.String("s1"), ResourceArns: []string{"arn:delivered"}}, {Name: awssdk.String("s2"), ResourceArns: []string{"arn:silent"}},
	}}, nil
}

func (f fakeDeliveries) DescribeDeliveries(context.Context, *cloudwatchlogs.DescribeDeliveriesInput, ...func(*cloudwatchlogs.Options)) (*cloudwatchlogs.DescribeDeliveriesOutput, error) {
	return &cloudwatchlogs.DescribeDeliveriesOutput{Deliveries: []logstypes.Delivery{{DeliverySourceName: awssdk.String("s1")}}}, f.err
}

func TestDistributionLoggingOfBothGenerations(t *testing.T) {
	for name, c := range map[string]struct {
		err  error
		want string
	}{
		"read":              {nil, "own:true delivered:true silent:false"},
		"deliveries denied": {refused("CloudWatch Logs", "DescribeDeliveries", "AccessDeniedException"), "own:true delivered:unknown silent:unknown"},
	} {
		sdk := &clients{cloudfront: fakeCloudFront{}, cloudwatchlogs: fakeDeliveries{err: c.err}}
		r := readerOf(sdk)
		var distributions []*estate.Distribution
		for _, id := range []string{"own", "delivered", "silent"} {
			distributions = append(distributions, &estate.Distribution{AWS: estate.AWS{Arn: "arn:" + id}, Id: id})
		}
		r.readDistributionLogging(t.Context(), sdk, distributions)
		var got []string
		for _, d := range distributions {
			state := "unknown"
			if on, known := d.DistributionConfig.Logging.Get(); known {
				state = strconv.FormatBool(on)
			}
			got = append(got, d.Id+":"+state)
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("%s: got %q, want %s", name, got, c.want)
		}
		if problems := r.result().Sources[0].Problems; (c.err != nil) != (len(problems) == 1) {
			t.Errorf("%s: problems are %v", name, problems)
		}
	}
}
