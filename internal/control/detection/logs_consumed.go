package detection

import (
	"slices"
	"strings"

	"github.com/eksafe/eksafe/internal/control"
	"github.com/eksafe/eksafe/internal/estate"
	"github.com/eksafe/eksafe/internal/trace"
)

var logsConsumed = &control.Control{
	ID:       "logs-consumed",
	Title:    "Something reads the logs of load balancers and web ACLs as they come",
	Severity: control.Medium,
	Refs:     []control.Ref{control.AWS("s3-event-notifications"), control.ATTACK("T1190")},
	Serves:   []string{"S24", "S38"},
	Since:    "0.1.0",
	Check: control.Traced(func(g *trace.Graph) []*store {
		return stores(g, func(d delivery) bool { return d.kind == "access" || d.kind == "waf" })
	}, func(st *store) trace.Place { return st.place }, judgeConsumed, storeKinds()...).
		Helped(estate.Buckets.Kind, estate.LogGroups.Kind, estate.Topics.Kind, estate.EventRules.Kind, estate.WebACLs.Kind).Helped(predictionKinds()...),
}

func judgeConsumed(s *control.Subject, st *store) {
	first := st.deliveries[0]
	switch {
	case strings.Contains(first.to, ":firehose:"):
		s.Unknownf("whether something reads what delivery stream %s of %s carries is not read", estate.ShortName(first.to), first.what)
	case first.group != nil || strings.Contains(first.to, ":logs:"):
		judgeSubscribed(s, st)
	case st.bucket == nil:
		otherAccount(s, first)
	default:
		judgeNotified(s, st)
	}
}

// judgeSubscribed judges a log group of WAF.
func judgeSubscribed(s *control.Subject, st *store) {
	d := st.deliveries[0]
	_, name, _ := strings.Cut(strings.TrimSuffix(d.to, ":*"), ":log-group:")
	group := d.group
	if group == nil {
		s.Unknownf("log group %s, to which %s go, was not read; allow logs:DescribeLogGroups", name, d.what)
		return
	}
	name = group.LogGroupName
	switch filters, known := group.SubscriptionFilters.Get(); {
	case !known:
		s.Unknownf("the subscription filters of log group %s are not known; allow logs:DescribeSubscriptionFilters", name)
	case len(filters) == 0:
		at := trace.Place{Subject: estate.LogGroups.Ref(group), Origin: &group.Origin, Field: "subscriptionFilters"}
		s.FailAt(at, "nothing reads %s: log group %s has no subscription filter", d.what, name)
	}
}

// judgeNotified judges each delivery to a bucket: folders may have readers of
// their own.
func judgeNotified(s *control.Subject, st *store) {
	all, known := st.bucket.Notifications.Get()
	if !known {
		s.Unknownf("whom bucket %s notifies is not known; allow s3:GetBucketNotification", st.bucket.BucketName)
		return
	}
	for _, d := range st.deliveries {
		out := unheard
		for _, n := range all {
			if fits(n, d) {
				out = out.or(consumes(s, st.bucket, n))
			}
		}
		switch {
		case out.heard == trace.Yes:
		case out.heard == trace.Unclear:
			s.Unknownf("whether something reads %s in bucket %s is not known: %s", d.what, st.bucket.BucketName, out.why)
		default:
			why := "the bucket tells nobody of new objects there"
			if out.why != "" {
				why = out.why
			}
			s.Failf("notifications", "nothing reads %s: %s", d.what, why)
		}
	}
}

// logSuffix ends the keys of the logs of load balancers and web ACLs.
const logSuffix = ".log.gz"

// fits reports whether a notification is sent for the objects of a delivery, or
// for a folder among them.
func fits(n estate.Notification, d delivery) bool {
	if n.Destination == "eventbridge" {
		return true
	}
	created := slices.ContainsFunc(n.Events, func(e string) bool {
		return strings.HasPrefix(strings.TrimPrefix(e, "s3:"), "ObjectCreated:")
	})
	return created && (strings.HasPrefix(d.prefix, n.Prefix) || strings.HasPrefix(n.Prefix, d.prefix)) && strings.HasSuffix(logSuffix, n.Suffix)
}

// consumes says whether somebody works on a notification. A bucket notifies
// functions, queues and topics alone: what is no topic works.
func consumes(s *control.Subject, b *estate.Bucket, n estate.Notification) hearing {
	if n.Destination == "eventbridge" {
		out := routed(s, siteOf(&b.Origin), map[string]any{
			"source":      "aws.s3",
			"detail-type": "Object Created",
			"resources":   []any{"arn:aws:s3:::" + b.BucketName},
			"detail":      map[string]any{"bucket": map[string]any{"name": b.BucketName}},
		})
		switch {
		case out.heard == trace.No && !s.Read(estate.EventRules.Kind):
			return hearing{trace.Unclear, "the rules of EventBridge were not read: allow events:ListRules"}
		case out.heard == trace.No && out.why == "":
			return hearing{trace.No, "the bucket tells EventBridge, and no rule takes it"}
		}
		return out
	}
	if _, topic := control.Find(s, estate.Topics, n.Destination); topic || strings.Contains(n.Destination, ":sns:") {
		return listens(s, siteOf(&b.Origin), n.Destination)
	}
	return hearing{heard: trace.Yes}
}
