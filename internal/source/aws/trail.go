package aws

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/cloudtrail"
	cloudtrailtypes "github.com/aws/aws-sdk-go-v2/service/cloudtrail/types"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"

	"github.com/eksafe/eksafe/internal/estate"
)

// maxFilteredGroups bounds the log groups whose subscription filters are read,
// one call each: every function of an account has a log group, and few of them
// matter.
const maxFilteredGroups = 200

func (r *reader) readLogGroups(ctx context.Context) {
	var groups []*estate.LogGroup
	err := pages(ctx, cloudwatchlogs.NewDescribeLogGroupsPaginator(r.sdk.cloudwatchlogs, &cloudwatchlogs.DescribeLogGroupsInput{}), func(p *cloudwatchlogs.DescribeLogGroupsOutput) {
		for _, g := range p.LogGroups {
			groups = append(groups, &estate.LogGroup{
				AWS:             estate.AWS{Arn: cmp.Or(text(g.LogGroupArn), strings.TrimSuffix(text(g.Arn), ":*"))},
				LogGroupName:    text(g.LogGroupName),
				RetentionInDays: estate.Known(number(g.RetentionInDays)), // none is for ever
				KmsKeyId:        estate.Known(text(g.KmsKeyId)),
			})
		}
	})
	if err != nil {
		r.fail(err, estate.LogGroups.Kind)
	}
	asked := slices.Clone(groups)
	slices.SortFunc(asked, func(a, b *estate.LogGroup) int {
		return cmp.Or(compareBool(!holdsEvidence(a.LogGroupName), !holdsEvidence(b.LogGroupName)), cmp.Compare(a.LogGroupName, b.LogGroupName))
	})
	if len(asked) > maxFilteredGroups {
		r.problem(fmt.Sprintf("subscription filters were read of %d log groups of %d, first of those that security services write", maxFilteredGroups, len(asked)), "")
		asked = asked[:maxFilteredGroups]
	}
	each(ctx, asked, func(ctx context.Context, g *estate.LogGroup) {
		destinations := []string{}
		input := &cloudwatchlogs.DescribeSubscriptionFiltersInput{LogGroupName: &g.LogGroupName}
		err := pages(ctx, cloudwatchlogs.NewDescribeSubscriptionFiltersPaginator(r.sdk.cloudwatchlogs, input), func(p *cloudwatchlogs.DescribeSubscriptionFiltersOutput) {
			for _, f := range p.SubscriptionFilters {
				destinations = append(destinations, text(f.DestinationArn))
			}
		})
		switch {
		case err == nil:
			g.SubscriptionFilters = estate.Known(list(destinations))
		case classify(err) != notFound:
			r.blind(err, "subscription filters of log groups")
		}
	})
	put(r, estate.LogGroups, groups)
}

// holdsEvidence reports whether a log group has the name of one that EKS, AWS
// WAF, CloudTrail, VPC flow logs or Route 53 write.
func holdsEvidence(name string) bool {
	for _, part := range []string{"/aws/eks/", "aws-waf-logs-", "cloudtrail", "flow", "vpc", "/aws/route53/"} {
		if strings.Contains(strings.ToLower(name), part) {
			return true
		}
	}
	return false
}

// readTrails reads each trail once, although a multi-region trail is seen from
// every region: in its home region, or from the first region where its home is
// not read.
func (r *reader) readTrails(ctx context.Context) {
	out, err := r.sdk.cloudtrail.DescribeTrails(ctx, &cloudtrail.DescribeTrailsInput{})
	if err != nil {
		r.fail(err, estate.Trails.Kind)
		return
	}
	var trails []*estate.Trail
	for i := range out.TrailList {
		t := &out.TrailList[i]
		home := cmp.Or(text(t.HomeRegion), r.region)
		if home == r.region || !slices.Contains(r.session.regions, home) && r.region == r.session.regions[0] {
			trails = append(trails, trail(t, home))
		}
	}
	each(ctx, trails, func(ctx context.Context, t *estate.Trail) {
		sdk := r.sdk.cloudtrail
		if t.Origin.Region != r.region {
			sdk = r.session.clients(t.Origin.Region).cloudtrail
		}
		status, err := sdk.GetTrailStatus(ctx, &cloudtrail.GetTrailStatusInput{Name: &t.Arn})
		switch {
		case err == nil:
			t.IsLogging = opt(status.IsLogging)
		case classify(err) != notFound:
			r.blind(err, "status of trails")
		}
		selectors, err := sdk.GetEventSelectors(ctx, &cloudtrail.GetEventSelectorsInput{TrailName: &t.Arn})
		switch {
		case err == nil:
			t.ManagementEvents = managementEvents(selectors.EventSelectors, selectors.AdvancedEventSelectors)
		case classify(err) != notFound:
			r.blind(err, "event selectors of trails")
		}
	})
	put(r, estate.Trails, trails)
}

func trail(t *cloudtrailtypes.Trail, home string) *estate.Trail {
	return &estate.Trail{
		AWS:                        estate.AWS{Arn: text(t.TrailARN), Origin: estate.Origin{Region: home}},
		TrailName:                  text(t.Name),
		IsMultiRegionTrail:         opt(t.IsMultiRegionTrail),
		IsOrganizationTrail:        opt(t.IsOrganizationTrail),
		IncludeGlobalServiceEvents: opt(t.IncludeGlobalServiceEvents),
		EnableLogFileValidation:    opt(t.LogFileValidationEnabled),
		S3BucketName:               text(t.S3BucketName),
		KMSKeyId:                   estate.Known(text(t.KmsKeyId)),
		CloudWatchLogsLogGroupArn:  strings.TrimSuffix(text(t.CloudWatchLogsLogGroupArn), ":*"),
	}
}

// managementEvents says which management events the selectors of a trail
// record. A selector that is narrowed by more than reading and writing records
// some of them: without another that records all, nobody can tell in a word.
func managementEvents(basic []cloudtrailtypes.EventSelector, advanced []cloudtrailtypes.AdvancedEventSelector) estate.Optional[string] {
	var read, write, narrowed bool
	for _, s := range basic {
		if s.IncludeManagementEvents == nil || *s.IncludeManagementEvents {
			read = read || s.ReadWriteType != cloudtrailtypes.ReadWriteTypeWriteOnly
			write = write || s.ReadWriteType != cloudtrailtypes.ReadWriteTypeReadOnly
		}
	}
	for _, s := range advanced {
		management, narrow, reads, writes := false, false, true, true
		for _, f := range s.FieldSelectors {
			switch text(f.Field) {
			case "eventCategory":
				management = slices.Contains(f.Equals, "Management")
			case "readOnly":
				reads, writes = !slices.Equal(f.Equals, []string{"false"}), !slices.Equal(f.Equals, []string{"true"})
			case "eventSource":
				// Leaving out a noisy service is what the console offers.
				narrow = narrow || len(f.NotEquals) == 0
			default:
				narrow = true
			}
		}
		switch {
		case management && narrow:
			narrowed = true
		case management:
			read, write = read || reads, write || writes
		}
	}
	switch {
	case read && write:
		return estate.Known("All")
	case narrowed:
		return estate.Optional[string]{}
	case read:
		return estate.Known("ReadOnly")
	case write:
		return estate.Known("WriteOnly")
	}
	return estate.Known("")
}
