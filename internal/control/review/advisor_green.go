package review

import (
	"fmt"

	"github.com/eksafe/eksafe/internal/control"
	"github.com/eksafe/eksafe/internal/estate"
)

var advisorGreen = &control.Control{
	ID:       "advisor-green",
	Title:    "The security checks of Trusted Advisor are green",
	Severity: control.Medium,
	Refs:     []control.Ref{control.AWS("trusted-advisor-api")},
	Serves:   []string{"S33"},
	Since:    "0.1.0",
	Check:    control.Each(estate.TrustedAdvisors, judgeAdvisor),
}

func judgeAdvisor(s *control.Subject, t *estate.TrustedAdvisor) {
	switch on, known := t.Subscribed.Get(); {
	case !known:
		s.Unknownf("whether programs may read Trusted Advisor is not known; allow support:DescribeTrustedAdvisorChecks")
		return
	case !on:
		s.NotWanted("the account's support plan gives programs no access to Trusted Advisor; look at its checks in the console")
		return
	}
	checks, known := t.Checks.Get()
	if !known {
		s.Unknownf("what the checks of Trusted Advisor say is not known; allow support:DescribeTrustedAdvisorCheckSummaries")
		return
	}
	for i, c := range checks {
		switch field := fmt.Sprintf("checks[%d].status", i); c.Status {
		case "ok":
		case "error":
			s.Failf(field, "Trusted Advisor calls for action: %s (%s)", c.Name, flagged(c.ResourcesFlagged))
		case "warning":
			s.Failf(field, "Trusted Advisor warns: %s (%s)", c.Name, flagged(c.ResourcesFlagged))
		default:
			s.Unknownf("Trusted Advisor has no result for %s; refresh it (support:RefreshTrustedAdvisorCheck)", c.Name)
		}
	}
}

func flagged(n int) string {
	if n == 1 {
		return "1 resource flagged"
	}
	return fmt.Sprintf("%d resources flagged", n)
}
