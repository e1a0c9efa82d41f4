// Package publish brings the findings of an audit into AWS Security Hub. It is
// the one part of reporting that talks to a network, and it writes to an
// account: it runs only where somebody asked for it by name.
package publish

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/arn"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/securityhub"
	hub "github.com/aws/aws-sdk-go-v2/service/securityhub/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"

	"github.com/eksafe/eksafe/internal/finding"
	"github.com/eksafe/eksafe/internal/report"
)

const (
	atOnce  = 100 // findings that one call takes, in either direction
	maxRead = 100_000
	timeout = 5 * time.Minute // for all calls together
)

// The calls that publishing makes, and no other; permissions.go has their IAM
// actions.
type (
	securityhubAPI interface {
		BatchImportFindings(context.Context, *securityhub.BatchImportFindingsInput, ...func(*securityhub.Options)) (*securityhub.BatchImportFindingsOutput, error)
		GetFindings(context.Context, *securityhub.GetFindingsInput, ...func(*securityhub.Options)) (*securityhub.GetFindingsOutput, error)
	}
	stsAPI interface {
		GetCallerIdentity(context.Context, *sts.GetCallerIdentityInput, ...func(*sts.Options)) (*sts.GetCallerIdentityOutput, error)
	}
)

// Options say which account and region to publish to.
type Options struct {
	Profile string
	Region  string // else that of the profile
}

// An Outcome is what became of the findings of one audit.
type Outcome struct {
	Cloud    report.Cloud
	New      int
	Updated  int
	Archived int // they are there no more
	Failed   []Failure
}

// A Failure is a finding that Security Hub did not take.
type Failure struct{ ID, Code, Message string }

// Err returns what went wrong in one line, nil if nothing did.
func (o *Outcome) Err() error {
	if len(o.Failed) == 0 {
		return nil
	}
	f := o.Failed[0]
	more := ""
	if n := len(o.Failed) - 1; n > 0 {
		more = fmt.Sprintf(" and %d more", n)
	}
	taken := o.New + o.Updated + o.Archived
	return fmt.Errorf("publishing to Security Hub: it took %d findings and refused %d: %s: %s: %s%s; mend what it says and run it again", taken, len(o.Failed), f.ID, f.Code, f.Message, more)
}

// SecurityHub brings the findings of the report into Security Hub: what it
// knows is updated, what is new is created, and what a control looked for and
// did not find any more is archived.
func SecurityHub(ctx context.Context, o Options, r *report.Report) (*Outcome, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	var load []func(*config.LoadOptions) error
	if o.Profile != "" {
		load = append(load, config.WithSharedConfigProfile(o.Profile))
	}
	if o.Region != "" {
		load = append(load, config.WithRegion(o.Region))
	}
	cfg, err := config.LoadDefaultConfig(ctx, load...)
	if err != nil {
		return nil, fmt.Errorf("publishing to Security Hub: the AWS configuration cannot be read: %w", err)
	}
	if cfg.Region == "" {
		return nil, errors.New("publishing to Security Hub: no AWS region is set; give --region")
	}
	p := &publisher{sts: sts.NewFromConfig(cfg), hub: securityhub.NewFromConfig(cfg)}
	if err := p.identify(ctx, cfg.Region); err != nil {
		return nil, err
	}
	return p.publish(ctx, r)
}

type publisher struct {
	sts  stsAPI
	hub  securityhubAPI
	home report.Cloud
}

func (p *publisher) identify(ctx context.Context, region string) error {
	who, err := p.sts.GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
	if err != nil {
		return refusal("sts:GetCallerIdentity", region, err)
	}
	p.home = report.Cloud{Partition: "aws", Account: aws.ToString(who.Account), Region: region}
	if a, err := arn.Parse(aws.ToString(who.Arn)); err == nil && a.Partition != "" {
		p.home.Partition = a.Partition
	}
	return nil
}

func (p *publisher) publish(ctx context.Context, r *report.Report) (*Outcome, error) {
	out := &Outcome{Cloud: p.home}
	known, err := p.known(ctx)
	if err != nil {
		return nil, err
	}
	var batch []hub.AwsSecurityFinding
	state := map[string]*int{} // Id → which count it adds to
	now := map[string]bool{}
	for _, f := range r.ASFF(p.home) {
		if now[f.ID] {
			continue
		}
		now[f.ID] = true
		old := known[f.ID]
		state[f.ID] = &out.New
		if old != nil {
			state[f.ID] = &out.Updated
		}
		batch = append(batch, asFinding(&f, old))
	}
	for _, id := range gone(r, known, now) {
		state[id] = &out.Archived
		batch = append(batch, archived(known[id], r.GeneratedAt))
	}
	for part := range slices.Chunk(batch, atOnce) {
		answer, err := p.hub.BatchImportFindings(ctx, &securityhub.BatchImportFindingsInput{Findings: part})
		if err != nil {
			err = refusal("securityhub:BatchImportFindings", p.home.Region, err)
			if n := out.New + out.Updated + out.Archived; n > 0 {
				err = fmt.Errorf("%w (%d of %d findings were published before)", err, n, len(batch))
			}
			return out, err
		}
		failed := map[string]bool{}
		for _, f := range answer.FailedFindings {
			id := aws.ToString(f.Id)
			failed[id] = true
			out.Failed = append(out.Failed, Failure{id, aws.ToString(f.ErrorCode), aws.ToString(f.ErrorMessage)})
		}
		for i := range part {
			if id := aws.ToString(part[i].Id); !failed[id] {
				*state[id]++
			}
		}
	}
	return out, nil
}

// known reads our own findings of this account and region. The filters are the
// service's; what it gives is held against them again, for a finding of
// somebody else's must not be touched.
func (p *publisher) known(ctx context.Context) (map[string]*hub.AwsSecurityFinding, error) {
	product := fmt.Sprintf("arn:%s:securityhub:%s:%s:product/%s/default", p.home.Partition, p.home.Region, p.home.Account, p.home.Account)
	input := &securityhub.GetFindingsInput{MaxResults: aws.Int32(atOnce), Filters: &hub.AwsSecurityFindingFilters{
		ProductArn:   []hub.StringFilter{{Comparison: hub.StringFilterComparisonEquals, Value: &product}},
		AwsAccountId: []hub.StringFilter{{Comparison: hub.StringFilterComparisonEquals, Value: &p.home.Account}},
		GeneratorId:  []hub.StringFilter{{Comparison: hub.StringFilterComparisonPrefix, Value: aws.String(report.ASFFGenerator)}},
	}}
	out := map[string]*hub.AwsSecurityFinding{}
	seen := 0
	for pages := securityhub.NewGetFindingsPaginator(p.hub, input); pages.HasMorePages(); {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, refusal("securityhub:GetFindings", p.home.Region, err)
		}
		if seen += len(page.Findings); seen > maxRead {
			return nil, fmt.Errorf("publishing to Security Hub: it has more than %d findings of eksafe; archive old ones first", maxRead)
		}
		for i := range page.Findings {
			f := &page.Findings[i]
			if aws.ToString(f.ProductArn) == product && aws.ToString(f.AwsAccountId) == p.home.Account && strings.HasPrefix(aws.ToString(f.GeneratorId), report.ASFFGenerator) {
				out[aws.ToString(f.Id)] = f
			}
		}
	}
	return out, nil
}

// gone returns the Ids of what was published before and is there no more. A
// finding that nobody could look for this time is not gone: its control must
// have judged everything, of the same estate, and without a limit of scope.
func gone(r *report.Report, known map[string]*hub.AwsSecurityFinding, now map[string]bool) []string {
	if r.Review != nil && r.Review.Scope != nil {
		return nil
	}
	judged := map[string]bool{}
	for i := range r.Results {
		res := &r.Results[i]
		judged[res.Control.ID] = res.Verdict != finding.Unknown && res.Unread == "" && len(res.Gaps) == 0
	}
	estates := r.Estates()
	var out []string
	for id, f := range known {
		if !now[id] && f.RecordState != hub.RecordStateArchived &&
			judged[f.ProductFields[report.ASFFControl]] && slices.Contains(estates, f.ProductFields[report.ASFFEstate]) {
			out = append(out, id)
		}
	}
	slices.Sort(out)
	return out
}

// asFinding returns the finding for the service. Of one that it knows, the time
// of the first audit stays, and what people work with is left to them: severity
// and types go in the provider's fields alone.
func asFinding(f *report.ASFF, old *hub.AwsSecurityFinding) hub.AwsSecurityFinding {
	requirements := f.Compliance.RelatedRequirements
	out := hub.AwsSecurityFinding{
		SchemaVersion: &f.SchemaVersion, Id: &f.ID, ProductArn: &f.ProductArn, ProductName: &f.ProductName, CompanyName: &f.CompanyName,
		Region: &f.Region, GeneratorId: &f.GeneratorID, AwsAccountId: &f.AwsAccountID,
		CreatedAt: &f.CreatedAt, UpdatedAt: &f.UpdatedAt, FirstObservedAt: &f.CreatedAt, LastObservedAt: &f.UpdatedAt,
		Title: &f.Title, Description: &f.Description, ProductFields: f.ProductFields,
		Remediation: &hub.Remediation{Recommendation: &hub.Recommendation{Text: &f.Remediation.Recommendation.Text}},
		Compliance:  &hub.Compliance{Status: hub.ComplianceStatus(f.Compliance.Status), RelatedRequirements: requirements},
		RecordState: hub.RecordState(f.RecordState),
		FindingProviderFields: &hub.FindingProviderFields{
			Severity: &hub.FindingProviderSeverity{Label: hub.SeverityLabel(f.FindingProviderFields.Severity.Label)}, Types: f.FindingProviderFields.Types,
		},
	}
	if u := f.Remediation.Recommendation.URL; u != "" {
		out.Remediation.Recommendation.Url = &u
	}
	for _, res := range f.Resources {
		one := hub.Resource{Type: aws.String(res.Type), Id: aws.String(res.ID), Partition: hub.Partition(res.Partition)}
		if res.Region != "" {
			one.Region = aws.String(res.Region)
		}
		out.Resources = append(out.Resources, one)
	}
	if old == nil {
		out.Severity = &hub.Severity{Label: hub.SeverityLabel(f.Severity.Label)}
		out.Types = f.Types
		out.Workflow = &hub.Workflow{Status: hub.WorkflowStatus(f.Workflow.Status)}
		return out
	}
	out.CreatedAt = old.CreatedAt
	if old.FirstObservedAt != nil {
		out.FirstObservedAt = old.FirstObservedAt
	}
	return out
}

// archived returns what ends a finding: what the service demands of it, and
// that it is no more.
func archived(old *hub.AwsSecurityFinding, now time.Time) hub.AwsSecurityFinding {
	day := now.UTC().Format(time.RFC3339)
	return hub.AwsSecurityFinding{
		SchemaVersion: old.SchemaVersion, Id: old.Id, ProductArn: old.ProductArn, Region: old.Region, GeneratorId: old.GeneratorId,
		AwsAccountId: old.AwsAccountId, CreatedAt: old.CreatedAt, UpdatedAt: &day, Title: old.Title, Description: old.Description,
		Resources: old.Resources, ProductFields: old.ProductFields, RecordState: hub.RecordStateArchived,
		Compliance: &hub.Compliance{Status: hub.ComplianceStatusPassed},
	}
}

// refusal says why a call failed and what to do. The error's own text is full
// of request IDs and not shown.
func refusal(action, region string, err error) error {
	var api smithy.APIError
	switch {
	case errors.Is(err, context.Canceled):
		// The cause would end in "nothing was written", which is not known here.
		return &Error{What: "publishing to Security Hub was interrupted; run it again"}
	case errors.Is(err, context.DeadlineExceeded):
		return &Error{"publishing to Security Hub took longer than " + timeout.String() + "; run it again", err}
	case !errors.As(err, &api):
		return &Error{"publishing to Security Hub: " + action + " got no answer; check the network and the credentials", err}
	}
	switch code := api.ErrorCode(); {
	case code == "InvalidAccessException":
		return &Error{"publishing to Security Hub: it is not enabled in " + region + "; enable it there, or name another --region", err}
	case strings.Contains(code, "AccessDenied"), strings.Contains(code, "Unauthorized"):
		return &Error{"publishing to Security Hub: not allowed to call " + action + "; eksafe controls permissions --publish prints what to grant", err}
	case strings.Contains(code, "ExpiredToken"):
		return &Error{"publishing to Security Hub: the AWS session has expired; sign in again", err}
	default:
		return &Error{"publishing to Security Hub: " + action + " failed with " + code, err}
	}
}

// An Error is why findings could not be published, and what to do.
type Error struct {
	What string
	Err  error // the cause; its text is not shown
}

func (e *Error) Error() string { return e.What }

func (e *Error) Unwrap() error { return e.Err }
