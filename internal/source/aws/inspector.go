package aws

import (
	"cmp"
	"context"
	"fmt"
	"strings"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/inspector2"
	inspectortypes "github.com/aws/aws-sdk-go-v2/service/inspector2/types"

	"github.com/eksafe/eksafe/internal/estate"
)

func (r *reader) readInspector(ctx context.Context) {
	enabled, known := r.readInspectorStatus(ctx)
	if r.skips(estate.InspectorFindings.Kind) || known && !enabled {
		return // where nothing is scanned there are no findings, and the question is refused
	}
	r.readInspectorFindings(ctx)
}

// readInspectorStatus says whether Inspector scans anything here.
func (r *reader) readInspectorStatus(ctx context.Context) (enabled, known bool) {
	out, err := r.sdk.inspector2.BatchGetAccountStatus(ctx, &inspector2.BatchGetAccountStatusInput{AccountIds: []string{r.session.account}})
	if err == nil && len(out.FailedAccounts) > 0 {
		err = failedCall(inspector2.ServiceID, "BatchGetAccountStatus", codeError(string(out.FailedAccounts[0].ErrorCode)))
	}
	if err != nil {
		r.fail(err, estate.InspectorStatuses.Kind)
		return false, false
	}
	status := &estate.InspectorStatus{AWS: estate.AWS{Arn: r.arn("inspector2", "status")}}
	for _, a := range out.Accounts {
		if text(a.AccountId) != r.session.account || a.ResourceState == nil {
			continue
		}
		known = true
		for _, s := range []*inspectortypes.State{a.State, a.ResourceState.Ec2, a.ResourceState.Ecr} {
			enabled = enabled || s != nil && s.Status == inspectortypes.StatusEnabled
		}
		status.Ec2, status.Ecr = state(a.ResourceState.Ec2), state(a.ResourceState.Ecr)
	}
	put(r, estate.InspectorStatuses, []*estate.InspectorStatus{status})
	return enabled, known
}

func state(s *inspectortypes.State) estate.Optional[string] {
	if s == nil {
		return estate.Optional[string]{}
	}
	return enum(s.Status)
}

// readInspectorFindings reads the open critical and high flaws of packages in
// images and on instances, the worst first.
func (r *reader) readInspectorFindings(ctx context.Context) {
	equals := func(values ...string) []inspectortypes.StringFilter {
		var out []inspectortypes.StringFilter
		for _, v := range values {
			out = append(out, inspectortypes.StringFilter{Comparison: inspectortypes.StringComparisonEquals, Value: &v})
		}
		return out
	}
	input := &inspector2.ListFindingsInput{
		MaxResults:   awssdk.Int32(100),
		SortCriteria: &inspectortypes.SortCriteria{Field: inspectortypes.SortFieldSeverity, SortOrder: inspectortypes.SortOrderDesc},
		FilterCriteria: &inspectortypes.FilterCriteria{
			// An administrator is told of its members' accounts too.
			AwsAccountId:  equals(r.session.account),
			FindingStatus: equals(string(inspectortypes.FindingStatusActive)),
			FindingType:   equals(string(inspectortypes.FindingTypePackageVulnerability)),
			ResourceType:  equals(string(inspectortypes.ResourceTypeAwsEcrContainerImage), string(inspectortypes.ResourceTypeAwsEc2Instance)),
			Severity:      equals(severe...),
		},
	}
	var out []*estate.ReportedFinding
	pager := inspector2.NewListFindingsPaginator(r.sdk.inspector2, input)
	for n := 0; pager.HasMorePages(); n++ {
		if n == maxPages {
			r.fail(errEndless, estate.InspectorFindings.Kind)
			break
		}
		if len(out) >= maxFindings {
			r.problem(fmt.Sprintf("reading the worst %d findings of Inspector: it has more", maxFindings), "")
			break
		}
		page, err := pager.NextPage(ctx)
		if err != nil {
			r.fail(err, estate.InspectorFindings.Kind)
			break
		}
		for i := range page.Findings {
			out = append(out, r.inspectorFinding(&page.Findings[i]))
		}
	}
	put(r, estate.InspectorFindings, out)
}

func (r *reader) inspectorFinding(f *inspectortypes.Finding) *estate.ReportedFinding {
	out := &estate.ReportedFinding{
		AWS:       estate.AWS{Arn: text(f.FindingArn)},
		Id:        text(f.FindingArn),
		Product:   "Inspector",
		Title:     text(f.Title),
		Severity:  strings.ToLower(string(f.Severity)),
		FirstSeen: opt(f.FirstObservedAt),
		LastSeen:  opt(f.LastObservedAt),
	}
	for _, x := range f.Resources {
		out.Resources = append(out.Resources, r.inspected(x)...)
	}
	if d := f.PackageVulnerabilityDetails; d != nil {
		out.Rule, out.URL = text(d.VulnerabilityId), text(d.SourceUrl)
		if len(d.VulnerablePackages) > 0 {
			p := d.VulnerablePackages[0]
			out.Package = strings.TrimSpace(text(p.Name) + " " + text(p.Version))
			out.Fixed = fixedIn(text(p.FixedInVersion))
		}
	}
	return out
}

// inspected names a resource as the rest of the estate does: an instance by its
// ARN, an image by its ARN and by what a pod would pull.
func (r *reader) inspected(x inspectortypes.Resource) []string {
	id := text(x.Id)
	switch {
	case x.Type == inspectortypes.ResourceTypeAwsEc2Instance && !strings.HasPrefix(id, "arn:"):
		return []string{r.arn("ec2", "instance/"+id)}
	case x.Type == inspectortypes.ResourceTypeAwsEcrContainerImage && x.Details != nil && x.Details.AwsEcrContainerImage != nil:
		image := x.Details.AwsEcrContainerImage
		suffix := "amazonaws.com"
		if r.session.partition == "aws-cn" {
			suffix = "amazonaws.com.cn"
		}
		return []string{id, cmp.Or(text(image.Registry), r.session.account) + ".dkr.ecr." + r.region + "." + suffix + "/" + text(image.RepositoryName) + "@" + text(image.ImageHash)}
	}
	return []string{id}
}
