package detection

import (
	"github.com/eksafe/eksafe/internal/control"
	"github.com/eksafe/eksafe/internal/estate"
)

var guardDutyOn = &control.Control{
	ID:       "guardduty-on",
	Title:    "GuardDuty is on in every region",
	Severity: control.High,
	Refs:     []control.Ref{control.FSBP("GuardDuty.1"), control.ATTACK("T1496")},
	Serves:   []string{"S39"},
	Since:    "0.1.0",
	Check: control.Traced(regions, site.place, judgeDetector, estate.Clusters.Kind, estate.EBSDefaults.Kind).
		Needs(estate.GuardDutyDetectors.Kind),
}

func judgeDetector(s *control.Subject, at site) {
	d := detectorOf(s, at)
	if d == nil {
		s.Failf("", "GuardDuty is off in %s", s.Ref().Name)
		return
	}
	switch on, known := d.Enable.Get(); {
	case !known:
		s.Unknownf("whether the detector of %s is enabled is not known; allow guardduty:GetDetector", s.Ref().Name)
	case !on:
		s.FailAt(detectorPlace(d, "enable"), "GuardDuty is suspended in %s", s.Ref().Name)
	}
}
