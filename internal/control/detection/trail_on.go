package detection

import (
	"cmp"

	"github.com/eksafe/eksafe/internal/control"
	"github.com/eksafe/eksafe/internal/estate"
	"github.com/eksafe/eksafe/internal/trace"
)

var trailOn = &control.Control{
	ID:       "trail-on",
	Title:    "A trail records every call to AWS, in all regions, and shows tampering",
	Severity: control.High,
	Refs:     []control.Ref{control.FSBP("CloudTrail.1"), control.FSBP("CloudTrail.4"), control.ATTACK("T1562.008")},
	Serves:   []string{"S27", "S39"},
	Since:    "0.1.0",
	Check: control.Traced(accounts, account.place, judgeTrails, estate.Clusters.Kind, estate.Accounts.Kind).
		Needs(estate.Trails.Kind),
}

func judgeTrails(s *control.Subject, a account) {
	var best *assessment
	for _, t := range control.All(s, estate.Trails) {
		if t.Origin.Account != string(a) {
			continue
		}
		if x := assess(t); best == nil || x.compare(best) < 0 {
			best = x
		}
	}
	switch {
	case best == nil:
		s.Failf("", "no trail records what is done in account %s", s.Ref().Name)
	case len(best.flaws) > 0:
		for _, f := range best.flaws {
			s.FailAt(f.at, "%s", f.message)
		}
	case best.unknown != "":
		s.Unknownf("%s of trail %s is not known; allow cloudtrail:GetTrailStatus and cloudtrail:GetEventSelectors", best.unknown, best.trail.TrailName)
	}
}

// An assessment is what one trail lacks.
type assessment struct {
	trail   *estate.Trail
	flaws   []flaw
	unknown string
}

// compare orders assessments from the best: one good trail is enough.
func (x *assessment) compare(o *assessment) int {
	return cmp.Or(
		cmp.Compare(len(x.flaws), len(o.flaws)),
		cmp.Compare(len(x.unknown), len(o.unknown)),
		cmp.Compare(x.trail.Arn, o.trail.Arn),
	)
}

func assess(t *estate.Trail) *assessment {
	x := &assessment{trail: t}
	fail := func(field, message string) {
		at := trace.Place{Subject: estate.Trails.Ref(t), Origin: &t.Origin, Field: field}
		x.flaws = append(x.flaws, flaw{at, "trail " + t.TrailName + " " + message})
	}
	for _, c := range []struct {
		field, what, message string
		on                   estate.Optional[bool]
	}{
		{"isLogging", "the state", "does not log", t.IsLogging},
		{"isMultiRegionTrail", "whether it covers all regions", "records one region: an attacker works in another", t.IsMultiRegionTrail},
		{"enableLogFileValidation", "the validation", "does not sign its files: nobody sees that one was changed", t.EnableLogFileValidation},
		// A trail of all regions cannot leave the global services out.
		{"includeGlobalServiceEvents", "whether it records global services", "leaves out IAM and other global services", estate.Known(t.IncludeGlobalServiceEvents.Or(true))},
	} {
		switch on, known := c.on.Get(); {
		case !known:
			x.unknown = cmp.Or(x.unknown, c.what)
		case !on:
			fail(c.field, c.message)
		}
	}
	switch events, known := t.ManagementEvents.Get(); {
	case !known:
		x.unknown = cmp.Or(x.unknown, "the choice of events")
	case events == "":
		fail("managementEvents", "records no management events")
	case events != "All":
		fail("managementEvents", "records some management events only: "+events)
	}
	return x
}
