package aws

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	ecrtypes "github.com/aws/aws-sdk-go-v2/service/ecr/types"
	"github.com/aws/aws-sdk-go-v2/service/inspector2"
	inspectortypes "github.com/aws/aws-sdk-go-v2/service/inspector2/types"
	"github.com/google/go-cmp/cmp"

	"github.com/eksafe/eksafe/internal/estate"
)

// fakeECR has one repository of pages of images, of which each page's first is
// a signature and its last a chart; the older an image, the later it is listed,
// but for the first page, which has the oldest.
type fakeECR struct {
	pages, perPage int
	severe         int // the newest images have a critical finding
	deny           bool
	listed, asked  atomic.Int32
}

func (f *fakeECR) DescribeRepositories(context.Context, *ecr.DescribeRepositoriesInput, ...func(*ecr.Options)) (*ecr.DescribeRepositoriesOutput, error) {
	f.listed.Add(1)
	return &ecr.DescribeRepositoriesOutput{Repositories: []ecrtypes.Repository{{
		RepositoryArn: awssdk.String("arn:aws:ecr:eu-west-1:111122223333:repository/web"), RepositoryName: awssdk.String("web"), RepositoryUri: awssdk.String("111122223333.dkr.ecr.eu-west-1.amazonaws.com/web"),
		ImageTagMutability:                 ecrtypes.ImageTagMutabilityImmutableWithExclusion,
		ImageTagMutabilityExclusionFilters: []ecrtypes.ImageTagMutabilityExclusionFilter{{Filter: awssdk.String("dev-*"), FilterType: ecrtypes.ImageTagMutabilityExclusionFilterTypeWildcard}},
	}}}, nil
}

func (f *fakeECR) GetRegistryScanningConfiguration(context.Context, *ecr.GetRegistryScanningConfigurationInput, ...func(*ecr.Options)) (*ecr.GetRegistryScanningConfigurationOutput, error) {
	return &ecr.GetRegistryScanningConfigurationOutput{ScanningConfiguration: &ecrtypes.RegistryScanningConfiguration{ScanType: ecrtypes.ScanTypeBasic}}, nil
}

func (f *fakeECR) DescribeImages(_ context.Context, in *ecr.DescribeImagesInput, _ ...func(*ecr.Options)) (*ecr.DescribeImagesOutput, error) {
	n, _ := strconv.Atoi(awssdk.ToString(in.NextToken))
	out := &ecr.DescribeImagesOutput{ImageDetails: []ecrtypes.ImageDetail{
		{ImageDigest: awssdk.String("sha256:signature"), SubjectManifestDigest: awssdk.String("sha256:0")},
		{ImageDigest: awssdk.String("sha256:chart"), ArtifactMediaType: awssdk.String("application/vnd.cncf.helm.config.v1+json")},
	}}
	for i := range f.perPage {
		age := (n+f.pages-1)%f.pages*f.perPage + i
		counts := map[string]int32{"LOW": 1}
		if age < f.severe {
			counts["CRITICAL"] = 1
		}
		out.ImageDetails = append(out.ImageDetails, ecrtypes.ImageDetail{
			ImageDigest: awssdk.String(fmt.Sprintf("sha256:%06d", age)), ImagePushedAt: awssdk.Time(time.Unix(1_800_000_000-int64(age), 0)),
			ArtifactMediaType: awssdk.String("application/vnd.docker.container.image.v1+json"),
			ImageScanStatus:   &ecrtypes.ImageScanStatus{Status: ecrtypes.ScanStatusComplete}, ImageScanFindingsSummary: &ecrtypes.ImageScanFindingsSummary{FindingSeverityCounts: counts},
		})
	}
	if n+1 < f.pages {
		out.NextToken = awssdk.String(strconv.Itoa(n + 1))
	}
	return out, nil
}

func (f *fakeECR) DescribeImageScanFindings(_ context.Context, in *ecr.DescribeImageScanFindingsInput, _ ...func(*ecr.Options)) (*ecr.DescribeImageScanFindingsOutput, error) {
	f.asked.Add(1)
	if f.deny {
		return nil, refused("ECR", "DescribeImageScanFindings", "AccessDeniedException")
	}
	return &ecr.DescribeImageScanFindingsOutput{ImageScanFindings: &ecrtypes.ImageScanFindings{
		Findings: []ecrtypes.ImageScanFinding{
			{Name: awssdk.String("CVE-2026-2"), Severity: ecrtypes.FindingSeverityLow},
			{Name: awssdk.String("CVE-2026-1"), Severity: ecrtypes.FindingSeverityCritical, Attributes: []ecrtypes.Attribute{
				{Key: awssdk.String("package_name"), Value: awssdk.String("zlib")}, {Key: awssdk.String("package_version"), Value: awssdk.String("1.3")},
			}},
		},
		EnhancedFindings: []ecrtypes.EnhancedImageScanFinding{
			{Severity: awssdk.String("HIGH"), Status: awssdk.String("CLOSED"), PackageVulnerabilityDetails: &ecrtypes.PackageVulnerabilityDetails{VulnerabilityId: awssdk.String("CVE-2026-4")}},
			{Severity: awssdk.String("HIGH"), Status: awssdk.String("ACTIVE"), PackageVulnerabilityDetails: &ecrtypes.PackageVulnerabilityDetails{
				VulnerabilityId: awssdk.String("CVE-2026-3"), VulnerablePackages: []ecrtypes.VulnerablePackage{{Name: awssdk.String("curl"), Version: awssdk.String("8"), FixedInVersion: awssdk.String("NotAvailable")}},
			}},
		},
	}}, nil
}

func TestImageScans(t *testing.T) {
	api := &fakeECR{pages: 3, perPage: 500, severe: maxDetails + 1}
	r := readerOf(&clients{ecr: api})
	r.readRepositories(t.Context())
	r.readImageScans(t.Context())
	e := r.result()
	if n := api.listed.Load(); n != 1 {
		t.Errorf("repositories are listed %d times", n)
	}
	if got := estate.Repositories.In(e)[0].ImageTagMutabilityExclusionFilters.Or(nil); !slices.Equal(got, []estate.TagFilter{{Filter: "dev-*"}}) {
		t.Errorf("excluded tags are %v", got)
	}
	scans := estate.ImageScans.In(e)
	digests := map[string]*estate.ImageScan{}
	for _, s := range scans {
		digests[s.ImageDigest] = s
	}
	if len(scans) != maxImages || digests["sha256:000000"] == nil || digests["sha256:000999"] == nil {
		t.Errorf("%d scans, not those of the newest %d images", len(scans), maxImages)
	}
	newest := digests["sha256:000000"]
	want := []estate.Vulnerability{
		{Name: "CVE-2026-1", Severity: "CRITICAL", PackageName: "zlib", PackageVersion: "1.3"},
		{Name: "CVE-2026-3", Severity: "HIGH", PackageName: "curl", PackageVersion: "8", FixedInVersion: estate.Known("")},
	}
	if got, _ := newest.Vulnerabilities.Get(); !slices.Equal(got, want) {
		t.Errorf("findings of the newest are %+v", got)
	}
	if _, known := digests["sha256:000200"].Vulnerabilities.Get(); known {
		t.Error("findings that were not read are known")
	}
	if found, known := digests["sha256:000999"].Vulnerabilities.Get(); !known || len(found) != 0 {
		t.Error("an image without severe findings is not known to have none")
	}
	if n := api.asked.Load(); n != maxDetails {
		t.Errorf("findings of %d images are read", n)
	}
	problems := []estate.Problem{
		{What: "reading findings of the newest 200 images of web: it has 201 with findings"},
		{What: "reading the newest 1000 images of web: it has 1500"},
	}
	if diff := cmp.Diff(problems, e.Sources[0].Problems); diff != "" {
		t.Errorf("problems (-want +got):\n%s", diff)
	}
}

func TestImageFindingsDenied(t *testing.T) {
	r := readerOf(&clients{ecr: &fakeECR{pages: 1, perPage: 3, severe: 2, deny: true}})
	r.readImageScans(t.Context())
	e := r.result()
	unknown := 0
	for _, s := range estate.ImageScans.In(e) {
		if s.Vulnerabilities.IsZero() {
			unknown++
		}
	}
	if unknown != 2 {
		t.Errorf("findings of %d images are unknown, want 2", unknown)
	}
	want := []estate.Problem{{What: "reading findings of image scans: not allowed to call ecr:DescribeImageScanFindings (2 times)"}}
	if diff := cmp.Diff(want, e.Sources[0].Problems); diff != "" {
		t.Errorf("problems (-want +got):\n%s", diff)
	}
}

type fakeInspector struct {
	status inspectortypes.Status
	deny   bool
	failed bool
	pages  int
	asked  int
}

func (f *fakeInspector) BatchGetAccountStatus(_ context.Context, in *inspector2.BatchGetAccountStatusInput, _ ...func(*inspector2.Options)) (*inspector2.BatchGetAccountStatusOutput, error) {
	if f.deny {
		return nil, refused("Inspector2", "BatchGetAccountStatus", "AccessDeniedException")
	}
	if f.failed {
		return &inspector2.BatchGetAccountStatusOutput{FailedAccounts: []inspectortypes.FailedAccount{{ErrorCode: inspectortypes.ErrorCodeSuspendInProgress, ErrorMessage: awssdk.String("canary")}}}, nil
	}
	s := &inspectortypes.State{Status: f.status}
	return &inspector2.BatchGetAccountStatusOutput{Accounts: []inspectortypes.AccountState{{AccountId: &in.AccountIds[0], State: s, ResourceState: &inspectortypes.ResourceState{Ec2: s, Ecr: s}}}}, nil
}

func (f *fakeInspector) ListFindings(_ context.Context, in *inspector2.ListFindingsInput, _ ...func(*inspector2.Options)) (*inspector2.ListFindingsOutput, error) {
	f.asked++
	if f.deny {
		return nil, refused("Inspector2", "ListFindings", "AccessDeniedException")
	}
	n, _ := strconv.Atoi(awssdk.ToString(in.NextToken))
	out := &inspector2.ListFindingsOutput{}
	for i := range 100 {
		out.Findings = append(out.Findings, inspectortypes.Finding{
			FindingArn: awssdk.String(fmt.Sprintf("arn:finding/%d-%d", n, i)), Severity: inspectortypes.SeverityHigh,
			Resources: []inspectortypes.Resource{{Id: awssdk.String("i-1"), Type: inspectortypes.ResourceTypeAwsEc2Instance}},
		})
	}
	if n+1 < f.pages {
		out.NextToken = awssdk.String(strconv.Itoa(n + 1))
	}
	return out, nil
}

func TestInspector(t *testing.T) {
	for name, c := range map[string]struct {
		api      fakeInspector
		skip     []Group
		status   string
		findings string
		asked    int
	}{
		"off":              {fakeInspector{status: inspectortypes.StatusDisabled}, nil, "read 1 ", "read 0 ", 0},
		"on":               {fakeInspector{status: inspectortypes.StatusEnabled, pages: 2}, nil, "read 1 ", "read 200 ", 2},
		"too many":         {fakeInspector{status: inspectortypes.StatusEnabled, pages: 1000}, nil, "read 1 ", "read 10000 ", maxFindings / 100},
		"left out":         {fakeInspector{status: inspectortypes.StatusEnabled}, []Group{SkipFindings}, "read 1 ", "notAsked 0 left out by --skip findings", 0},
		"denied":           {fakeInspector{deny: true}, nil, "denied 0 not allowed to call inspector2:BatchGetAccountStatus", "denied 0 not allowed to call inspector2:ListFindings", 1},
		"account in limbo": {fakeInspector{failed: true, pages: 1}, nil, "unavailable 0 inspector2:BatchGetAccountStatus answered SUSPEND_IN_PROGRESS", "read 100 ", 1},
	} {
		t.Run(name, func(t *testing.T) {
			r := readerOf(&clients{inspector2: &c.api})
			r.session.options.Skip = c.skip
			r.readInspector(t.Context())
			e := r.result()
			for kind, want := range map[estate.Kind]string{estate.InspectorStatuses.Kind: c.status, estate.InspectorFindings.Kind: c.findings} {
				got := e.Coverage(kind)
				if line := fmt.Sprintf("%s %d %s", got.State, got.Count, got.Why); line != want {
					t.Errorf("%s is %q, want %q", kind, line, want)
				}
			}
			if c.api.asked != c.asked {
				t.Errorf("findings are asked for %d times, want %d", c.api.asked, c.asked)
			}
			for _, f := range estate.InspectorFindings.In(e) {
				if f.Severity != "high" || f.Resources[0] != "arn:aws:ec2:eu-west-1:111122223333:instance/i-1" {
					t.Fatalf("got %+v", f)
				}
			}
			if told := slices.ContainsFunc(e.Sources[0].Problems, func(p estate.Problem) bool { return strings.Contains(p.What, "it has more") }); told != (name == "too many") {
				t.Errorf("problems are %v", e.Sources[0].Problems)
			}
		})
	}
}
