package aws

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/eksafe/eksafe/internal/estate"
)

// readBucketUse reads how a bucket keeps and loses objects, and who is told of
// them.
func (r *reader) readBucketUse(ctx context.Context, sdk s3API, b *estate.Bucket) {
	versioning, err := sdk.GetBucketVersioning(ctx, &s3.GetBucketVersioningInput{Bucket: &b.BucketName})
	if err != nil {
		r.blind(err, "versioning of buckets")
	} else {
		b.VersioningConfiguration = estate.Known(string(versioning.Status))
	}

	lock, err := sdk.GetObjectLockConfiguration(ctx, &s3.GetObjectLockConfigurationInput{Bucket: &b.BucketName})
	switch {
	case err == nil:
		c := lock.ObjectLockConfiguration
		b.ObjectLockEnabled = estate.Known(c != nil && c.ObjectLockEnabled == s3types.ObjectLockEnabledEnabled)
	case isCode(err, "ObjectLockConfigurationNotFoundError"):
		b.ObjectLockEnabled = estate.Known(false)
	default:
		r.blind(err, "object lock of buckets")
	}

	logging, err := sdk.GetBucketLogging(ctx, &s3.GetBucketLoggingInput{Bucket: &b.BucketName})
	switch {
	case err != nil:
		r.blind(err, "logging of buckets")
	case logging.LoggingEnabled == nil:
		b.LoggingConfiguration = estate.Known("")
	default:
		b.LoggingConfiguration = estate.Known(text(logging.LoggingEnabled.TargetBucket))
	}

	lifecycle, err := sdk.GetBucketLifecycleConfiguration(ctx, &s3.GetBucketLifecycleConfigurationInput{Bucket: &b.BucketName})
	switch {
	case err == nil:
		b.Expirations = estate.Known(expirations(lifecycle.Rules))
	case isCode(err, "NoSuchLifecycleConfiguration"):
		b.Expirations = estate.Known([]estate.Expiration{})
	default:
		r.blind(err, "lifecycles of buckets")
	}

	told, err := sdk.GetBucketNotificationConfiguration(ctx, &s3.GetBucketNotificationConfigurationInput{Bucket: &b.BucketName})
	if err != nil {
		r.blind(err, "notifications of buckets")
	} else {
		b.Notifications = estate.Known(notifications(told))
	}
}

// expirations are the rules that delete current versions. One that removes
// delete markers deletes none.
func expirations(rules []s3types.LifecycleRule) []estate.Expiration {
	out := []estate.Expiration{}
	for _, rule := range rules {
		e := rule.Expiration
		if rule.Status != s3types.ExpirationStatusEnabled || e == nil || e.Days == nil && e.Date == nil {
			continue
		}
		//lint:ignore SA1019 rules of before filters have it still
		prefix := rule.Prefix
		if f := rule.Filter; f != nil {
			prefix = cmp.Or(prefix, f.Prefix)
			if f.And != nil {
				prefix = cmp.Or(prefix, f.And.Prefix)
			}
		}
		out = append(out, estate.Expiration{Prefix: text(prefix), Days: number(e.Days)})
	}
	slices.SortFunc(out, func(a, b estate.Expiration) int {
		return cmp.Or(cmp.Compare(a.Prefix, b.Prefix), cmp.Compare(a.Days, b.Days))
	})
	return out
}

func notifications(c *s3.GetBucketNotificationConfigurationOutput) []estate.Notification {
	out := []estate.Notification{}
	add := func(destination *string, events []s3types.Event, filter *s3types.NotificationConfigurationFilter) {
		n := estate.Notification{Destination: text(destination)}
		for _, e := range events {
			n.Events = append(n.Events, string(e))
		}
		slices.Sort(n.Events)
		if filter != nil && filter.Key != nil {
			for _, rule := range filter.Key.FilterRules {
				switch strings.ToLower(string(rule.Name)) { // S3 answers in either case
				case "prefix":
					n.Prefix = text(rule.Value)
				case "suffix":
					n.Suffix = text(rule.Value)
				}
			}
		}
		out = append(out, n)
	}
	for _, x := range c.LambdaFunctionConfigurations {
		add(x.LambdaFunctionArn, x.Events, x.Filter)
	}
	for _, x := range c.QueueConfigurations {
		add(x.QueueArn, x.Events, x.Filter)
	}
	for _, x := range c.TopicConfigurations {
		add(x.TopicArn, x.Events, x.Filter)
	}
	if c.EventBridgeConfiguration != nil {
		out = append(out, estate.Notification{Destination: "eventbridge"})
	}
	slices.SortFunc(out, func(a, b estate.Notification) int {
		return cmp.Or(cmp.Compare(a.Destination, b.Destination), cmp.Compare(a.Prefix, b.Prefix), cmp.Compare(a.Suffix, b.Suffix), slices.Compare(a.Events, b.Events))
	})
	return out
}
