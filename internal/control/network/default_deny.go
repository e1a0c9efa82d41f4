package network

import (
	"github.com/eksafe/eksafe/internal/control"
	"github.com/eksafe/eksafe/internal/trace"
)

// judgeDefault holds every pod of a namespace to a default of denial in one
// direction, whatever API gives it.
func judgeDefault(d direction) func(*control.Subject, *namespace) {
	return func(s *control.Subject, ns *namespace) {
		if ofPlatform(s, ns.name) {
			s.NotApplicable()
			return
		}
		f := fabricOf(s.Graph())
		var open, partly []string
		opened := map[trace.Place][]string{}
		subjects, why, part := 0, "", ""
		for _, p := range ns.application() {
			if p.host {
				continue // no policy reaches it; pod-baseline speaks of it
			}
			subjects++
			switch state := f.reach.Default(p.workload, d); {
			case state.Partly:
				partly, part = append(partly, p.workload.Name), state.Why
			case state.Denied == trace.No:
				open = append(open, p.workload.Name)
			case state.Denied == trace.Unclear:
				why = state.Why
			case !state.Opened.Subject.IsZero():
				opened[state.Opened] = append(opened[state.Opened], p.workload.Name)
			}
		}
		switch {
		case subjects == 0:
			s.NotApplicable()
			return
		case len(open) == subjects:
			s.Failf("", "no policy denies %s by default: %s", d, [...]string{"every pod of the cluster and of the network reaches its pods", "its pods reach every address"}[d])
		case len(open) > 0:
			s.Failf("", "no policy denies %s of %s by default", d, list(open))
		}
		if len(partly) > 0 {
			s.Failf("", "no policy denies %s of %s by default: %s", d, list(partly), part)
		}
		for at, pods := range opened {
			s.FailAt(at, "the rule undoes the default: it allows all %s of %s", d, list(pods))
		}
		if why != "" {
			s.Unknownf("%s", why)
		}
	}
}
