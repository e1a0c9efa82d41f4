package review

import (
	"slices"

	"github.com/eksafe/eksafe/internal/control"
	"github.com/eksafe/eksafe/internal/estate"
)

var securityhubOn = &control.Control{
	ID:       "securityhub-on",
	Title:    "Security Hub CSPM is on with a standard in every region",
	Severity: control.Medium,
	Refs:     []control.Ref{control.AWS("securityhub-enable"), control.AWS("securityhub-v2")},
	Serves:   []string{"S34"},
	Since:    "0.1.0",
	Check:    control.Each(estate.SecurityHubs, judgeHub),
}

func judgeHub(s *control.Subject, h *estate.SecurityHub) {
	v2 := h.EnabledV2.Or(false)
	on, known := h.Enabled.Get()
	switch {
	case !known && v2:
		s.Unknownf("the newer Security Hub is on, which collects findings; whether Security Hub CSPM is, whose standards look for them, is not known: read the account (--aws)")
		return
	case !known:
		s.Unknownf("whether Security Hub CSPM is on is not known; allow securityhub:DescribeHub")
		return
	case !on && v2:
		s.Failf("enabled", "Security Hub CSPM is off: the newer Security Hub, which is on, collects findings and has no standards of its own")
		return
	case !on:
		s.Failf("enabled", "Security Hub is off")
		return
	}
	standards, known := h.Standards.Get()
	switch {
	case !known:
		s.Unknownf("which standards Security Hub follows is not known; allow securityhub:GetEnabledStandards")
	case !slices.ContainsFunc(standards, works):
		s.Failf("standards", "Security Hub is on and follows no standard, so it looks for nothing itself")
	}
}

// works reports whether a standard's controls are judged, or will be in a
// moment. INCOMPLETE ones lack some controls.
func works(s estate.Standard) bool { return s.Status != "FAILED" && s.Status != "DELETING" }
