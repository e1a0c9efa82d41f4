package edge

import (
	"slices"
	"strings"

	"github.com/eksafe/eksafe/internal/control"
	"github.com/eksafe/eksafe/internal/estate"
	"github.com/eksafe/eksafe/internal/trace"
)

var wafLogs = &control.Control{
	ID:       "waf-logs",
	Title:    "Web ACLs log what they block, to where it is kept, and without credentials",
	Severity: control.Medium,
	Refs:     []control.Ref{control.AWS("waf-logging"), control.ATTACK("T1562")},
	Serves:   []string{"S24"},
	Since:    "0.1.0",
	Check:    aclCheck(judgeWAFLogs, estate.WebACLLoggings.Kind, estate.Buckets.Kind, estate.LogGroups.Kind),
}

// credentials are the headers by which a client proves who it is.
var credentials = []string{"authorization", "cookie"}

func judgeWAFLogs(s *control.Subject, _ entry, a *acl) {
	if !s.Read(estate.WebACLLoggings.Kind) {
		s.Unknownf("whether web ACL %s logs is not known; allow wafv2:GetLoggingConfiguration", a.Name)
		return
	}
	logs := control.All(s, estate.WebACLLoggings)
	i := slices.IndexFunc(logs, func(l *estate.WebACLLogging) bool { return l.ResourceArn == a.Arn })
	if i < 0 {
		s.FailAt(a.place(""), "web ACL %s logs nothing", a.Name)
		return
	}
	l := logs[i]
	at := func(field string) trace.Place {
		return trace.Place{Subject: estate.WebACLLoggings.Ref(l), Origin: &l.Origin, Field: field}
	}
	for _, d := range l.LogDestinationConfigs {
		judgeDestination(s, a, d, at("logDestinationConfigs"))
	}
	switch keeps, known := l.KeepsBlocked.Get(); {
	case !known:
		s.Unknownf("the filter of the logs of web ACL %s is not known; allow wafv2:GetLoggingConfiguration", a.Name)
	case !keeps:
		s.FailAt(at("keepsBlocked"), "the filter of the logs of web ACL %s drops blocked requests", a.Name)
	}
	redacted, known := l.RedactedFields.Get()
	if !known {
		s.Unknownf("what the logs of web ACL %s leave out is not known; allow wafv2:GetLoggingConfiguration", a.Name)
		return
	}
	for _, c := range credentials {
		if !slices.ContainsFunc(redacted, func(f string) bool { return strings.EqualFold(f, "header:"+c) }) {
			s.FailAt(at("redactedFields"), "the logs of web ACL %s hold the header %s: whoever reads them can be its client", a.Name, c)
		}
	}
}

// judgeDestination judges where logs go. WAF writes only to names that begin
// aws-waf-logs-.
func judgeDestination(s *control.Subject, a *acl, arn string, at trace.Place) {
	_, found := control.Find(s, estate.LogGroups, strings.TrimSuffix(arn, ":*"))
	switch {
	case found:
	case strings.Contains(arn, ":firehose:"):
		s.Unknownf("whether the delivery stream %s of web ACL %s exists and where it delivers is not read", estate.ShortName(arn), a.Name)
	case strings.Contains(arn, ":log-group:"):
		_, name, _ := strings.Cut(arn, ":log-group:")
		name = strings.TrimSuffix(name, ":*")
		for _, g := range control.All(s, estate.LogGroups) {
			// A template that writes the ARN out knows the group by its identity.
			found = found || g.LogGroupName == name || g.Arn == name
		}
		switch {
		case found:
		case !s.Read(estate.LogGroups.Kind):
			s.Unknownf("whether log group %s of web ACL %s exists is not known; allow logs:DescribeLogGroups", name, a.Name)
		case readWhere(s, a, arn):
			s.FailAt(at, "the logs of web ACL %s go to log group %s, which does not exist", a.Name, name)
		default:
			s.Unknownf("log group %s of web ACL %s is in an account or region that was not read", name, a.Name)
		}
	default:
		// Anybody may own a bucket of that name: it may be another account's.
		bucket, name := (*estate.Bucket)(nil), estate.ShortName(arn)
		for _, b := range control.All(s, estate.Buckets) {
			if b.Arn == arn || b.BucketName == name {
				bucket = b
			}
		}
		if bucket == nil {
			s.Unknownf("bucket %s, to which web ACL %s logs, is in none of the accounts that were read", name, a.Name)
		}
	}
}

// readWhere reports whether the log groups of the account and region of an ARN
// were read: those of the region of CloudFront need not be, as its web ACLs are
// read from everywhere.
func readWhere(s *control.Subject, a *acl, arn string) bool {
	in := func(o estate.Origin) bool {
		return o.Account != "" && strings.Contains(arn, ":"+o.Region+":"+o.Account+":")
	}
	return a.Scope != "CLOUDFRONT" && in(a.Origin) || slices.ContainsFunc(control.All(s, estate.LogGroups), func(g *estate.LogGroup) bool { return in(g.Origin) })
}
