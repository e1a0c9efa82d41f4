package reporttest

import (
	"time"

	"github.com/eksafe/eksafe/internal/baseline"
	"github.com/eksafe/eksafe/internal/config"
	"github.com/eksafe/eksafe/internal/finding"
	"github.com/eksafe/eksafe/internal/history"
	"github.com/eksafe/eksafe/internal/report"
	"github.com/eksafe/eksafe/internal/review"
)

// Reviewed is the audit of the shop as its people live with it: every kind of
// declaration, a baseline and a history. words stand wherever people write.
func Reviewed(words string) *report.Report {
	r := Shop()
	declared := &config.Config{
		Owners: []config.Owner{{Namespaces: []string{"shop"}, Team: words}},
		Exceptions: []config.Exception{
			{Control: "pod-*", Subject: "*", Reason: words, Owner: words, Expires: "2027-01-31", Line: 12},
			{Control: "alb-waf", Subject: "*", Reason: words, Owner: words, Expires: "2026-11-01", Line: 18},
			{Control: "listener-tls", Subject: words + "/none", Field: words, Reason: words, Owner: words, Expires: "2027-01-31", Line: 24},
		},
	}
	r.Review = &review.Review{
		Config: words, Audited: true, Notes: []string{"eksafe.yaml:3: " + words},
		Scope:      &review.Scope{Namespaces: []string{"shop", words}},
		Disabled:   []review.Disabled{{ID: "cluster-logs", Reason: words, Source: "eksafe.yaml:5"}},
		Severities: []review.Severity{{ID: "node-imds", Was: finding.High, Is: finding.Low, Reason: words, Source: "eksafe.yaml:8"}},
	}
	r.Results = r.Review.Apply(r.Graph, r.Results, declared, GeneratedAt)
	r.Review.Exceptions = append(r.Review.Exceptions, &review.Exception{
		Control: words, Subject: "deployment/shop/web", Reason: words, Source: "annotation of deployment/shop/web",
		State: review.Refused, Why: "annotations.allowExceptions does not allow it",
	})
	known := baseline.Of(r.Results[:len(r.Results)/2])
	r.Baseline, r.Results = known.Apply(words, r.Results)
	r.Baseline.Gone = append(r.Baseline.Gone, baseline.Entry{Control: "listener-tls", Subject: words, Fingerprint: "0123456789abcdef0123"})
	since := GeneratedAt.Add(-24 * time.Hour)
	r.History = &history.Change{
		Dir: words, Since: &since, Better: []history.Step{{Control: "alb-waf", Was: finding.Fail, Is: finding.Fail, Gone: 1, Worst: finding.High}},
		Worse:   []history.Step{{Control: "ingress-tls", Was: finding.Pass, Is: finding.Fail, New: 2, Worst: finding.Critical}},
		Damaged: []history.Damaged{{File: "20261101T000000Z-0000.json", Why: words}},
	}
	return r
}
