package aws

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/accessanalyzer"
	analyzertypes "github.com/aws/aws-sdk-go-v2/service/accessanalyzer/types"
	"github.com/aws/aws-sdk-go-v2/service/guardduty"
	guarddutytypes "github.com/aws/aws-sdk-go-v2/service/guardduty/types"
	"github.com/aws/aws-sdk-go-v2/service/securityhub"
	securityhubtypes "github.com/aws/aws-sdk-go-v2/service/securityhub/types"

	"github.com/eksafe/eksafe/internal/estate"
)

const (
	maxFindings      = 10_000 // of one service in one region
	findingsAtOnce   = 50     // that one GetFindings of GuardDuty takes
	highSeverity     = 7      // of GuardDuty's 1 to 10
	criticalSeverity = 9
	maxFindingText   = 300 // of a text that a third party may have written
	maxFindingRefs   = 32  // resources that a finding may name
)

// cutFindings tells that there were more findings than we read.
func (r *reader) cutFindings(of string) {
	r.problem(fmt.Sprintf("%s has more findings: the first %d were read", of, maxFindings), "resolve or suppress what is known, then read again")
}

// readGuardDutyFindings reads what GuardDuty holds for high or critical and
// nobody archived. An administrator also sees other accounts': those belong to
// their own estates.
func (r *reader) readGuardDutyFindings(ctx context.Context, detectors []*estate.GuardDutyDetector) {
	var all []*estate.ReportedFinding
	for _, d := range detectors {
		var ids []string
		more := false
		input := &guardduty.ListFindingsInput{DetectorId: &d.Id, FindingCriteria: &guarddutytypes.FindingCriteria{Criterion: map[string]guarddutytypes.Condition{
			"service.archived": {Equals: []string{"false"}},
			"severity":         {GreaterThanOrEqual: awssdk.Int64(highSeverity)},
			"accountId":        {Equals: []string{r.session.account}},
		}}}
		err := pagesUntil(ctx, guardduty.NewListFindingsPaginator(r.sdk.guardduty, input), func(p *guardduty.ListFindingsOutput) bool {
			ids = append(ids, p.FindingIds...)
			more = len(ids) > maxFindings || len(ids) == maxFindings && text(p.NextToken) != ""
			return len(ids) < maxFindings
		})
		if err != nil && classify(err) != notFound {
			r.fail(err, estate.GuardDutyFindings.Kind)
		}
		if more {
			r.cutFindings("GuardDuty")
			ids = ids[:maxFindings]
		}
		for batch := range slices.Chunk(ids, findingsAtOnce) {
			out, err := r.sdk.guardduty.GetFindings(ctx, &guardduty.GetFindingsInput{DetectorId: &d.Id, FindingIds: batch})
			if err != nil {
				r.fail(err, estate.GuardDutyFindings.Kind)
				break
			}
			for i := range out.Findings {
				if f := r.guardDutyFinding(&out.Findings[i]); f != nil {
					all = append(all, f)
				}
			}
		}
	}
	put(r, estate.GuardDutyFindings, all)
}

// guardDutyFinding returns nil for a finding that was not asked for.
func (r *reader) guardDutyFinding(f *guarddutytypes.Finding) *estate.ReportedFinding {
	severity := awssdk.ToFloat64(f.Severity)
	archived := f.Service != nil && awssdk.ToBool(f.Service.Archived)
	if severity < highSeverity || archived || !r.mine(f.AccountId) {
		return nil
	}
	out := &estate.ReportedFinding{
		AWS:       estate.AWS{Arn: cmp.Or(text(f.Arn), r.arn("guardduty", "finding/"+text(f.Id)))},
		Id:        text(f.Id),
		Product:   "GuardDuty",
		Rule:      clipped(f.Type),
		Title:     clipped(f.Title),
		Severity:  "high",
		Resources: r.guardDutyResources(f.Resource),
	}
	if severity >= criticalSeverity {
		out.Severity = "critical"
	}
	if f.Service != nil {
		out.FirstSeen, out.LastSeen = timestamp(f.Service.EventFirstSeen), timestamp(f.Service.EventLastSeen)
	}
	return out
}

// guardDutyResources names what a finding is about as the estate names it. Of
// an access key it names the user, never the key.
func (r *reader) guardDutyResources(x *guarddutytypes.Resource) []string {
	if x == nil {
		return nil
	}
	var out []string
	if i := x.InstanceDetails; i != nil && text(i.InstanceId) != "" {
		out = append(out, r.arn("ec2", "instance/"+text(i.InstanceId)))
	}
	if c := x.EksClusterDetails; c != nil {
		out = append(out, text(c.Arn))
	}
	if k := x.KubernetesDetails; k != nil && k.KubernetesWorkloadDetails != nil {
		w := k.KubernetesWorkloadDetails
		out = append(out, strings.ToLower(text(w.Type))+"/"+text(w.Namespace)+"/"+text(w.Name))
		for _, c := range w.Containers {
			out = append(out, text(c.Image))
		}
	}
	if c := x.ContainerDetails; c != nil {
		out = append(out, text(c.Image))
	}
	if c := x.EcsClusterDetails; c != nil {
		out = append(out, text(c.Arn))
	}
	if d := x.RdsDbInstanceDetails; d != nil {
		out = append(out, text(d.DbInstanceArn))
	}
	if l := x.LambdaDetails; l != nil {
		out = append(out, text(l.FunctionArn))
	}
	for _, b := range x.S3BucketDetails {
		out = append(out, text(b.Arn))
	}
	if k := x.AccessKeyDetails; k != nil && text(k.UserName) != "" {
		switch text(k.UserType) {
		case "IAMUser":
			out = append(out, "arn:"+r.session.partition+":iam::"+r.session.account+":user/"+text(k.UserName))
		case "AssumedRole", "Role":
			out = append(out, "arn:"+r.session.partition+":iam::"+r.session.account+":role/"+text(k.UserName))
		}
	}
	return references(out)
}

// readSecurityHubFindings reads what is high or critical, active, and not
// resolved or suppressed, of this account and region: a hub may gather those
// of others.
func (r *reader) readSecurityHubFindings(ctx context.Context) {
	is := func(values ...string) (out []securityhubtypes.StringFilter) {
		for _, v := range values {
			out = append(out, securityhubtypes.StringFilter{Comparison: securityhubtypes.StringFilterComparisonEquals, Value: &v})
		}
		return out
	}
	input := &securityhub.GetFindingsInput{MaxResults: awssdk.Int32(100), Filters: &securityhubtypes.AwsSecurityFindingFilters{
		AwsAccountId:   is(r.session.account),
		Region:         is(r.region),
		RecordState:    is(string(securityhubtypes.RecordStateActive)),
		SeverityLabel:  is(string(securityhubtypes.SeverityLabelHigh), string(securityhubtypes.SeverityLabelCritical)),
		WorkflowStatus: is(string(securityhubtypes.WorkflowStatusNew), string(securityhubtypes.WorkflowStatusNotified)),
	}}
	var all []*estate.ReportedFinding
	seen, more := 0, false
	err := pagesUntil(ctx, securityhub.NewGetFindingsPaginator(r.sdk.securityhub, input), func(p *securityhub.GetFindingsOutput) bool {
		for i := range p.Findings {
			if seen++; seen > maxFindings {
				break
			}
			if f := r.securityHubFinding(&p.Findings[i]); f != nil {
				all = append(all, f)
			}
		}
		more = seen > maxFindings || seen == maxFindings && text(p.NextToken) != ""
		return seen < maxFindings
	})
	if err != nil {
		r.fail(err, estate.SecurityHubFindings.Kind)
	}
	if more {
		r.cutFindings("Security Hub")
	}
	put(r, estate.SecurityHubFindings, all)
}

// securityHubFinding returns nil for a finding that was not asked for.
func (r *reader) securityHubFinding(f *securityhubtypes.AwsSecurityFinding) *estate.ReportedFinding {
	label := securityhubtypes.SeverityLabel("")
	if f.Severity != nil {
		label = f.Severity.Label
	}
	switch {
	case label != securityhubtypes.SeverityLabelHigh && label != securityhubtypes.SeverityLabelCritical,
		f.RecordState != "" && f.RecordState != securityhubtypes.RecordStateActive,
		f.Workflow != nil && (f.Workflow.Status == securityhubtypes.WorkflowStatusResolved || f.Workflow.Status == securityhubtypes.WorkflowStatusSuppressed),
		f.Compliance != nil && f.Compliance.Status == securityhubtypes.ComplianceStatusPassed,
		!r.mine(f.AwsAccountId),
		text(f.Region) != "" && text(f.Region) != r.region:
		return nil
	}
	out := &estate.ReportedFinding{
		AWS:       estate.AWS{Arn: text(f.Id)},
		Id:        text(f.Id),
		Product:   cmp.Or(clipped(f.ProductName), "Security Hub"),
		Rule:      clipped(f.GeneratorId),
		Title:     clipped(f.Title),
		Severity:  strings.ToLower(string(label)),
		FirstSeen: timestamp(f.FirstObservedAt),
		LastSeen:  timestamp(f.LastObservedAt),
		URL:       webPage(f.SourceUrl),
	}
	if !strings.HasPrefix(out.Arn, "arn:") {
		out.Arn = text(f.ProductArn) + "/finding/" + out.Id // other products number theirs as they like
	}
	if f.Compliance != nil && text(f.Compliance.SecurityControlId) != "" {
		out.Rule = clipped(f.Compliance.SecurityControlId)
	}
	if len(f.Vulnerabilities) > 0 {
		v := f.Vulnerabilities[0]
		out.Rule = cmp.Or(clipped(v.Id), out.Rule)
		if len(v.VulnerablePackages) > 0 {
			out.Package, out.Fixed = clipped(v.VulnerablePackages[0].Name), clipped(v.VulnerablePackages[0].FixedInVersion)
		}
	}
	if f.Remediation != nil && f.Remediation.Recommendation != nil {
		out.URL = cmp.Or(webPage(f.Remediation.Recommendation.Url), out.URL)
	}
	var resources []string
	for _, x := range f.Resources {
		resources = append(resources, text(x.Id))
	}
	out.Resources = references(resources)
	return out
}

// analyzerTitles say what the types of Access Analyzer's findings mean.
var analyzerTitles = map[analyzertypes.FindingType]string{
	analyzertypes.FindingTypeExternalAccess:         "somebody outside of the account or organization has access",
	analyzertypes.FindingTypeInternalAccess:         "somebody within the account or organization has access",
	analyzertypes.FindingTypeUnusedIamRole:          "the role is not used",
	analyzertypes.FindingTypeUnusedIamUserAccessKey: "an access key is not used",
	analyzertypes.FindingTypeUnusedIamUserPassword:  "the password is not used",
	analyzertypes.FindingTypeUnusedPermission:       "permissions are not used",
}

// readAnalyzerFindings reads the active findings of all analyzers. Access
// Analyzer grades none.
func (r *reader) readAnalyzerFindings(ctx context.Context, analyzers []*estate.Analyzer) {
	var all []*estate.ReportedFinding
	seen := 0
	for _, a := range analyzers {
		more := false
		input := &accessanalyzer.ListFindingsV2Input{AnalyzerArn: &a.Arn, Filter: map[string]analyzertypes.Criterion{
			"status":               {Eq: []string{string(analyzertypes.FindingStatusActive)}},
			"resourceOwnerAccount": {Eq: []string{r.session.account}},
		}}
		err := pagesUntil(ctx, accessanalyzer.NewListFindingsV2Paginator(r.sdk.accessanalyzer, input), func(p *accessanalyzer.ListFindingsV2Output) bool {
			for i := range p.Findings {
				if seen++; seen > maxFindings {
					break
				}
				if f := r.analyzerFinding(a, &p.Findings[i]); f != nil {
					all = append(all, f)
				}
			}
			more = seen > maxFindings || seen == maxFindings && text(p.NextToken) != ""
			return seen < maxFindings
		})
		if err != nil && classify(err) != notFound {
			r.fail(err, estate.AccessAnalyzerFindings.Kind)
		}
		if more {
			r.cutFindings("Access Analyzer")
			break
		}
	}
	put(r, estate.AccessAnalyzerFindings, all)
}

// analyzerFinding returns nil for a finding that was not asked for.
func (r *reader) analyzerFinding(a *estate.Analyzer, f *analyzertypes.FindingSummaryV2) *estate.ReportedFinding {
	if f.Status != analyzertypes.FindingStatusActive || !r.mine(f.ResourceOwnerAccount) {
		return nil
	}
	out := &estate.ReportedFinding{
		AWS:      estate.AWS{Arn: a.Arn + "/finding/" + text(f.Id)}, // it has no ARN of its own
		Id:       text(f.Id),
		Product:  "Access Analyzer",
		Rule:     string(f.FindingType),
		Title:    cmp.Or(analyzerTitles[f.FindingType], string(f.FindingType)),
		LastSeen: opt(f.AnalyzedAt),
	}
	out.FirstSeen = opt(f.CreatedAt)
	if text(f.Resource) != "" {
		out.Resources = references([]string{text(f.Resource)})
	}
	return out
}

// mine reports whether a finding is of the account that is read.
func (r *reader) mine(account *string) bool {
	return text(account) == "" || text(account) == r.session.account
}

// references sorts and bounds the names of what a finding is about.
func references(in []string) []string {
	out := slices.DeleteFunc(list(in), func(s string) bool { return s == "" })
	out = slices.Compact(out)
	return out[:min(len(out), maxFindingRefs)]
}

// clipped bounds a text that a third party may have written.
func clipped(s *string) string {
	runes := []rune(text(s))
	if len(runes) > maxFindingText {
		return string(runes[:maxFindingText]) + "…"
	}
	return string(runes)
}

// webPage returns an address that a reader may follow, or nothing.
func webPage(s *string) string {
	if u := text(s); strings.HasPrefix(u, "https://") && len(u) <= maxFindingText {
		return u
	}
	return ""
}
