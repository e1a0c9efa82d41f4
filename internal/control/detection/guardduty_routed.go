package detection

import (
	"github.com/eksafe/eksafe/internal/control"
	"github.com/eksafe/eksafe/internal/estate"
	"github.com/eksafe/eksafe/internal/trace"
)

var guardDutyRouted = &control.Control{
	ID:       "guardduty-routed",
	Title:    "Findings of GuardDuty go to somebody",
	Severity: control.High,
	Refs:     []control.Ref{control.AWS("guardduty-events"), control.ATTACK("T1496")},
	Serves:   []string{"S39", "S40"},
	Since:    "0.1.0",
	Check: control.Each(estate.GuardDutyDetectors, judgeRouted, estate.EventRules.Kind).
		Helped(estate.Topics.Kind, estate.SecurityHubs.Kind),
}

func judgeRouted(s *control.Subject, d *estate.GuardDutyDetector) {
	if !d.Enable.Or(true) {
		s.NotApplicable() // guardduty-on says so
		return
	}
	from := siteOf(&d.Origin)
	out := routed(s, from, map[string]any{
		"source":      "aws.guardduty",
		"detail-type": "GuardDuty Finding",
		"account":     from.account,
		"region":      from.region,
		"detail":      map[string]any{"severity": 8.0}, // of 7 to 8.9: high
	})
	for _, hub := range control.All(s, estate.SecurityHubs) {
		if siteOf(&hub.Origin) != from {
			continue
		}
		if hub.Enabled.Or(false) {
			out = out.or(routed(s, from, map[string]any{
				"source":      "aws.securityhub",
				"detail-type": "Security Hub Findings - Imported",
				"detail": map[string]any{"findings": map[string]any{
					"ProductName": "GuardDuty",
					"Severity":    map[string]any{"Label": "HIGH"},
					"Workflow":    map[string]any{"Status": "NEW"},
					"RecordState": "ACTIVE",
				}},
			}))
		}
		if hub.EnabledV2.Or(false) {
			out = out.or(routed(s, from, map[string]any{"source": "aws.securityhub", "detail-type": "Findings Imported V2"}))
		}
	}
	switch {
	case out.heard == trace.Yes:
	case out.heard == trace.Unclear:
		s.Unknownf("whether findings of GuardDuty reach somebody is not known: %s", out.why)
	case out.why != "":
		s.Failf("", "nobody is told what GuardDuty finds: %s", out.why)
	default:
		s.Failf("", "nobody is told what GuardDuty finds: no rule of EventBridge takes its findings")
	}
}
