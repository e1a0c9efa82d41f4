package aws

import (
	"cmp"
	"context"
	"slices"
	"time"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/accessanalyzer"
	"github.com/aws/aws-sdk-go-v2/service/configservice"
	configtypes "github.com/aws/aws-sdk-go-v2/service/configservice/types"
	"github.com/aws/aws-sdk-go-v2/service/guardduty"
	guarddutytypes "github.com/aws/aws-sdk-go-v2/service/guardduty/types"
	"github.com/aws/aws-sdk-go-v2/service/securityhub"
	"github.com/aws/aws-sdk-go-v2/service/support"

	"github.com/eksafe/eksafe/internal/estate"
)

// reviewParts are the services that watch, warn and review, and what tells of
// the network.
func (r *reader) reviewParts() []part {
	in := " in " + r.region
	return []part{
		{"prefix lists" + in, r.readPrefixLists},
		{"VPC endpoints" + in, r.readVPCEndpoints},
		{"VPC peering connections" + in, r.readPeerings},
		{"network interfaces" + in, r.readInterfaces},
		{"flow logs" + in, r.readFlowLogs},
		{"alarms" + in, r.readAlarms},
		{"topics" + in, r.readTopics},
		{"event rules" + in, r.readEventRules},
		{"log groups" + in, r.readLogGroups},
		{"trails" + in, r.readTrails},
		{"GuardDuty" + in, r.readGuardDuty},
		{"Security Hub" + in, r.readSecurityHub},
		{"Access Analyzer" + in, r.readAnalyzers},
		{"AWS Config" + in, r.readConfigRecorders},
	}
}

// globalReviewParts are the same of what has no region. AWS Support and Shield
// Advanced are of the partition aws alone.
func (r *reader) globalReviewParts() []part {
	parts := []part{{"hosted zones", r.readHostedZones}}
	if r.session.partition == "aws" {
		parts = append(parts, part{"Shield", r.readShield}, part{"Trusted Advisor", r.readTrustedAdvisor})
	}
	return parts
}

func (r *reader) readGuardDuty(ctx context.Context) {
	var detectors []*estate.GuardDutyDetector
	err := pages(ctx, guardduty.NewListDetectorsPaginator(r.sdk.guardduty, &guardduty.ListDetectorsInput{}), func(p *guardduty.ListDetectorsOutput) {
		for _, id := range p.DetectorIds {
			detectors = append(detectors, &estate.GuardDutyDetector{AWS: estate.AWS{Arn: r.arn("guardduty", "detector/"+id)}, Id: id})
		}
	})
	if err != nil {
		r.fail(err, estate.GuardDutyDetectors.Kind, estate.GuardDutyFindings.Kind)
	}
	each(ctx, detectors, func(ctx context.Context, d *estate.GuardDutyDetector) {
		out, err := r.sdk.guardduty.GetDetector(ctx, &guardduty.GetDetectorInput{DetectorId: &d.Id})
		switch {
		case err == nil:
			d.Tags = out.Tags
			d.Enable = estate.Known(out.Status == guarddutytypes.DetectorStatusEnabled)
			d.FindingPublishingFrequency = string(out.FindingPublishingFrequency)
			d.Features = estate.Known(guardDutyFeatures(out.Features))
		case classify(err) != notFound:
			r.fail(err, estate.GuardDutyDetectors.Kind)
		}
	})
	put(r, estate.GuardDutyDetectors, detectors)
	if !r.skips(estate.GuardDutyFindings.Kind) {
		r.readGuardDutyFindings(ctx, detectors)
	}
}

func guardDutyFeatures(in []guarddutytypes.DetectorFeatureConfigurationResult) []estate.GuardDutyFeature {
	out := []estate.GuardDutyFeature{}
	for _, f := range in {
		feature := estate.GuardDutyFeature{Name: string(f.Name), Status: string(f.Status)}
		for _, a := range f.AdditionalConfiguration {
			feature.AdditionalConfiguration = append(feature.AdditionalConfiguration, estate.GuardDutyFeature{Name: string(a.Name), Status: string(a.Status)})
		}
		slices.SortFunc(feature.AdditionalConfiguration, byName)
		out = append(out, feature)
	}
	slices.SortFunc(out, byName)
	return out
}

func byName(a, b estate.GuardDutyFeature) int { return cmp.Compare(a.Name, b.Name) }

// readSecurityHub reads whether Security Hub is on, and what it found. Where it
// is off the calls fail by a code of their own: a fact, not a failure.
func (r *reader) readSecurityHub(ctx context.Context) {
	hub := &estate.SecurityHub{AWS: estate.AWS{Arn: r.arn("securityhub", "hub/default")}}
	out, err := r.sdk.securityhub.DescribeHub(ctx, &securityhub.DescribeHubInput{})
	switch {
	case err == nil:
		hub.Arn = cmp.Or(text(out.HubArn), hub.Arn)
		hub.Enabled = estate.Known(true)
		r.readStandards(ctx, hub)
	case isCode(err, "InvalidAccessException") || classify(err) == notFound:
		hub.Enabled = estate.Known(false)
		hub.Standards = estate.Known([]estate.Standard{})
	default:
		r.fail(err, estate.SecurityHubs.Kind, estate.SecurityHubFindings.Kind)
		return
	}
	v2, err := r.sdk.securityhub.DescribeSecurityHubV2(ctx, &securityhub.DescribeSecurityHubV2Input{})
	switch {
	case err == nil:
		hub.EnabledV2 = estate.Known(text(v2.HubV2Arn) != "")
	case classify(err) == notFound || isCode(err, "InvalidAccessException"):
		hub.EnabledV2 = estate.Known(false)
	default:
		r.blind(err, "the newer Security Hub")
	}
	put(r, estate.SecurityHubs, []*estate.SecurityHub{hub})
	if hub.Enabled.Or(false) && !r.skips(estate.SecurityHubFindings.Kind) {
		r.readSecurityHubFindings(ctx)
	}
}

func (r *reader) readStandards(ctx context.Context, hub *estate.SecurityHub) {
	standards := []estate.Standard{}
	err := pages(ctx, securityhub.NewGetEnabledStandardsPaginator(r.sdk.securityhub, &securityhub.GetEnabledStandardsInput{}), func(p *securityhub.GetEnabledStandardsOutput) {
		for _, s := range p.StandardsSubscriptions {
			standards = append(standards, estate.Standard{StandardsArn: text(s.StandardsArn), Status: string(s.StandardsStatus)})
		}
	})
	if err != nil {
		r.blind(err, "standards of Security Hub")
		return
	}
	slices.SortFunc(standards, func(a, b estate.Standard) int { return cmp.Compare(a.StandardsArn, b.StandardsArn) })
	hub.Standards = estate.Known(standards)
}

// readTrustedAdvisor reads the checks of category security. AWS answers them to
// programs under some support plans only.
func (r *reader) readTrustedAdvisor(ctx context.Context) {
	sdk := r.session.clients(globalRegion).support
	advisor := &estate.TrustedAdvisor{AWS: estate.AWS{Arn: "arn:" + r.session.partition + ":trustedadvisor::" + r.session.account + ":checks"}}
	out, err := sdk.DescribeTrustedAdvisorChecks(ctx, &support.DescribeTrustedAdvisorChecksInput{Language: awssdk.String("en")})
	switch {
	case err == nil:
		advisor.Subscribed = estate.Known(true)
	case isCode(err, "SubscriptionRequiredException"):
		advisor.Subscribed = estate.Known(false)
		put(r, estate.TrustedAdvisors, []*estate.TrustedAdvisor{advisor})
		return
	default:
		r.fail(err, estate.TrustedAdvisors.Kind)
		return
	}
	names := map[string]string{}
	var ids []*string
	for _, c := range out.Checks {
		if text(c.Category) == "security" {
			names[text(c.Id)] = text(c.Name)
			ids = append(ids, c.Id)
		}
	}
	checks := []estate.TrustedAdvisorCheck{}
	for batch := range slices.Chunk(ids, 50) {
		summaries, err := sdk.DescribeTrustedAdvisorCheckSummaries(ctx, &support.DescribeTrustedAdvisorCheckSummariesInput{CheckIds: batch})
		if err != nil {
			r.blind(err, "results of Trusted Advisor")
			checks = nil
			break
		}
		for _, s := range summaries.Summaries {
			check := estate.TrustedAdvisorCheck{Id: text(s.CheckId), Name: names[text(s.CheckId)], Status: text(s.Status), Timestamp: timestamp(s.Timestamp)}
			if s.ResourcesSummary != nil {
				check.ResourcesFlagged = int(s.ResourcesSummary.ResourcesFlagged)
			}
			checks = append(checks, check)
		}
	}
	if checks != nil {
		slices.SortFunc(checks, func(a, b estate.TrustedAdvisorCheck) int {
			return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Id, b.Id))
		})
		advisor.Checks = estate.Known(checks)
	}
	put(r, estate.TrustedAdvisors, []*estate.TrustedAdvisor{advisor})
}

// timestamp reads a time that a service writes as text; what is none is
// unknown.
func timestamp(s *string) estate.Optional[time.Time] {
	t, err := time.Parse(time.RFC3339, text(s))
	if err != nil {
		return estate.Optional[time.Time]{}
	}
	return estate.Known(t.UTC())
}

func (r *reader) readAnalyzers(ctx context.Context) {
	var analyzers []*estate.Analyzer
	err := pages(ctx, accessanalyzer.NewListAnalyzersPaginator(r.sdk.accessanalyzer, &accessanalyzer.ListAnalyzersInput{}), func(p *accessanalyzer.ListAnalyzersOutput) {
		for _, a := range p.Analyzers {
			analyzers = append(analyzers, &estate.Analyzer{
				AWS:          estate.AWS{Arn: text(a.Arn), Tags: a.Tags},
				AnalyzerName: text(a.Name),
				Type:         string(a.Type),
				Status:       enum(a.Status),
			})
		}
	})
	if err != nil {
		r.fail(err, estate.Analyzers.Kind, estate.AccessAnalyzerFindings.Kind)
	}
	put(r, estate.Analyzers, analyzers)
	if !r.skips(estate.AccessAnalyzerFindings.Kind) {
		r.readAnalyzerFindings(ctx, analyzers)
	}
}

func (r *reader) readConfigRecorders(ctx context.Context) {
	out, err := r.sdk.configservice.DescribeConfigurationRecorders(ctx, &configservice.DescribeConfigurationRecordersInput{})
	if err != nil {
		r.fail(err, estate.ConfigRecorders.Kind)
		return
	}
	var recorders []*estate.ConfigurationRecorder
	for _, c := range out.ConfigurationRecorders {
		if text(c.ServicePrincipal) != "" {
			continue // a service's own, which records for it alone
		}
		recorder := &estate.ConfigurationRecorder{
			AWS:  estate.AWS{Arn: cmp.Or(text(c.Arn), r.arn("config", "configuration-recorder/"+text(c.Name)))},
			Name: text(c.Name),
		}
		if c.RecordingGroup != nil {
			recorder.AllSupported = estate.Known(c.RecordingGroup.AllSupported)
		}
		recorders = append(recorders, recorder)
	}
	if len(recorders) > 0 {
		r.readRecorderStatus(ctx, recorders)
	}
	put(r, estate.ConfigRecorders, recorders)
}

func (r *reader) readRecorderStatus(ctx context.Context, recorders []*estate.ConfigurationRecorder) {
	status, err := r.sdk.configservice.DescribeConfigurationRecorderStatus(ctx, &configservice.DescribeConfigurationRecorderStatusInput{})
	if err != nil {
		r.blind(err, "status of configuration recorders")
	} else {
		for _, s := range status.ConfigurationRecordersStatus {
			for _, recorder := range recorders {
				if recorder.Name == text(s.Name) {
					recorder.Recording = estate.Known(s.Recording)
				}
			}
		}
	}
	channels, err := r.sdk.configservice.DescribeDeliveryChannels(ctx, &configservice.DescribeDeliveryChannelsInput{})
	if err != nil {
		r.blind(err, "delivery channels of AWS Config")
		return
	}
	for _, recorder := range recorders {
		recorder.DeliveryChannel = estate.Known(slices.ContainsFunc(channels.DeliveryChannels, func(c configtypes.DeliveryChannel) bool {
			return text(c.S3BucketName) != ""
		}))
	}
}
