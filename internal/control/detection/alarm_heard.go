package detection

import (
	"regexp"
	"slices"
	"strings"

	"github.com/eksafe/eksafe/internal/control"
	"github.com/eksafe/eksafe/internal/estate"
	"github.com/eksafe/eksafe/internal/trace"
)

var alarmHeard = &control.Control{
	ID:       "alarm-heard",
	Title:    "Somebody hears the alarms on load balancers and web ACLs",
	Severity: control.Medium,
	Refs:     []control.Ref{control.FSBP("CloudWatch.15"), control.FSBP("CloudWatch.17"), control.AWS("cloudwatch-events")},
	Serves:   []string{"S35", "S36", "S40"},
	Since:    "0.1.0",
	Check: control.Each(estate.Alarms, judgeHeard).
		Helped(estate.CompositeAlarms.Kind, estate.Topics.Kind, estate.EventRules.Kind),
}

func judgeHeard(s *control.Subject, a *estate.Alarm) {
	if !warnsOfAttacks(a) {
		s.NotApplicable()
		return
	}
	from := siteOf(&a.Origin)
	field := "alarmActions"
	on, known := a.ActionsEnabled.Get()
	out := unheard
	switch {
	case !known:
		s.Unknownf("whether the actions of alarm %s are enabled is not known; allow cloudwatch:DescribeAlarms", a.AlarmName)
		return
	case !on:
		field = "actionsEnabled"
		out.why = "its actions are off"
	case len(a.AlarmActions) == 0:
		out.why = "it has no action"
	default:
		out = reached(s, from, a.AlarmActions)
	}
	for _, c := range control.All(s, estate.CompositeAlarms) {
		if siteOf(&c.Origin) == from && c.ActionsEnabled.Or(false) && names(c.AlarmRule, a) && len(c.AlarmActions) > 0 {
			out = out.or(reached(s, from, c.AlarmActions))
		}
	}
	out = out.or(routed(s, from, map[string]any{
		"source":      "aws.cloudwatch",
		"detail-type": "CloudWatch Alarm State Change",
		"resources":   []any{a.Arn},
		"region":      from.region,
		"account":     from.account,
		"detail": map[string]any{
			"alarmName": a.AlarmName,
			"state":     map[string]any{"value": "ALARM"},
		},
	}))
	switch {
	case out.heard == trace.Yes:
	case out.heard == trace.Unclear:
		s.Unknownf("whether somebody hears alarm %s is not known: %s", a.AlarmName, out.why)
	default:
		s.Failf(field, "nobody hears alarm %s: %s", a.AlarmName, out.why)
	}
}

// warnsOfAttacks reports whether an alarm watches errors of load balancers or
// what web ACLs block. Others may speak to machines alone, such as those that
// scale.
func warnsOfAttacks(a *estate.Alarm) bool {
	return slices.ContainsFunc(albMetrics, func(m string) bool { return len(usesOf(a, albNamespace, m)) > 0 }) ||
		slices.ContainsFunc(wafMetrics, func(m string) bool { return len(usesOf(a, wafNamespace, m)) > 0 })
}

var alarmTermRE = regexp.MustCompile(`(NOT\s+)?\bALARM\s*\(\s*["']?([^"')]+)["']?\s*\)`)

// names reports whether the rule of a composite alarm is true when a is in
// alarm. What it joins to a by AND is not weighed.
func names(rule string, a *estate.Alarm) bool {
	for _, m := range alarmTermRE.FindAllStringSubmatch(rule, -1) {
		if term := strings.TrimSpace(m[2]); m[1] == "" && (term == a.AlarmName || term == a.Arn) {
			return true
		}
	}
	return false
}
