package detection

import (
	"github.com/eksafe/eksafe/internal/control"
	"github.com/eksafe/eksafe/internal/estate"
	"github.com/eksafe/eksafe/internal/trace"
)

var guardDutyFindings = &control.Control{
	ID:       "guardduty-findings",
	Title:    "No high or critical finding of GuardDuty is open",
	Severity: control.High,
	Refs:     []control.Ref{control.AWS("guardduty-findings"), control.ATTACK("T1496")},
	Serves:   []string{"S39", "S40"},
	Since:    "0.1.0",
	Check: control.Each(estate.GuardDutyDetectors, judgeOpenFindings, estate.GuardDutyFindings.Kind).
		Helped(estate.Clusters.Kind, estate.Instances.Kind, estate.Workloads.Kind, estate.Buckets.Kind),
}

func judgeOpenFindings(s *control.Subject, d *estate.GuardDutyDetector) {
	for _, f := range control.All(s, estate.GuardDutyFindings) {
		if siteOf(&f.Origin) != siteOf(&d.Origin) {
			continue
		}
		switch f.Severity {
		case "critical":
			s.Raise(control.Critical, "GuardDuty calls it critical")
		case "high":
			s.Raise(control.High, "GuardDuty calls it high") // and no more than the one before
		default:
			continue
		}
		s.FailAt(concerned(s, f), "GuardDuty found %s: %s", f.Rule, f.Title)
	}
}

// concerned returns the first resource of the estate that a finding names, else
// the finding.
func concerned(s *control.Subject, f *estate.ReportedFinding) trace.Place {
	for _, id := range f.Resources {
		if c, ok := control.Find(s, estate.Clusters, id); ok && c.Arn == id {
			return trace.Place{Subject: estate.Clusters.Ref(c), Origin: &c.Origin}
		}
		if i, ok := control.Find(s, estate.Instances, id); ok && i.Arn == id {
			return trace.Place{Subject: estate.Instances.Ref(i), Origin: &i.Origin}
		}
		if b, ok := control.Find(s, estate.Buckets, id); ok && b.Arn == id {
			return trace.Place{Subject: estate.Buckets.Ref(b), Origin: &b.Origin}
		}
		if w, ok := control.Find(s, estate.Workloads, id); ok && estate.Workloads.Ref(w).ID == id {
			return trace.Place{Subject: estate.Workloads.Ref(w), Origin: &w.Origin}
		}
	}
	return trace.Place{Subject: estate.GuardDutyFindings.Ref(f), Origin: &f.Origin}
}
