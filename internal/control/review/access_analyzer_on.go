package review

import (
	"github.com/eksafe/eksafe/internal/control"
	"github.com/eksafe/eksafe/internal/estate"
	"github.com/eksafe/eksafe/internal/trace"
)

var accessAnalyzerOn = &control.Control{
	ID:       "access-analyzer-on",
	Title:    "IAM Access Analyzer looks for access from outside in every region",
	Severity: control.Medium,
	Refs:     []control.Ref{control.AWS("config-analyzer")},
	Serves:   []string{"S28", "S33"},
	Since:    "0.1.0",
	Check: control.Traced(regions(estate.Analyzers), placeOfRegion, judgeAnalyzers, estate.Analyzers.Kind).
		Helped(estate.EBSDefaults.Kind, estate.Accounts.Kind),
}

func judgeAnalyzers(s *control.Subject, r region[*estate.Analyzer]) {
	var idle *estate.Analyzer
	for _, a := range r.items {
		// The other types look for rights that nobody uses, or within the account.
		if a.Type != "ACCOUNT" && a.Type != "ORGANIZATION" {
			continue
		}
		// What a template declares will be active; a live one may have failed.
		if status, known := a.Status.Get(); known && status == "ACTIVE" || !known && a.Origin.File != "" {
			return
		}
		if idle == nil || a.AnalyzerName < idle.AnalyzerName {
			idle = a
		}
	}
	switch {
	case idle == nil && len(r.items) > 0:
		s.Failf("", "no analyzer in %s looks for access from outside: those that are there look for other things", r)
	case idle == nil:
		s.Failf("", "Access Analyzer is off in %s", r)
	default:
		if status, known := idle.Status.Get(); known {
			at := trace.Place{Subject: estate.Analyzers.Ref(idle), Origin: &idle.Origin, Field: "status"}
			s.FailAt(at, "the analyzer %s in %s is %s", idle.AnalyzerName, r, status)
			return
		}
		s.Unknownf("whether the analyzer %s in %s is active is not known; allow access-analyzer:ListAnalyzers", idle.AnalyzerName, r)
	}
}
