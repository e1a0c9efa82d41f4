package transit

import (
	"slices"
	"strconv"
	"strings"

	"github.com/eksafe/eksafe/internal/control"
	"github.com/eksafe/eksafe/internal/estate"
	"github.com/eksafe/eksafe/internal/trace"
)

var listenerHsts = &control.Control{
	ID:       "listener-hsts",
	Title:    "Browsers are told to use HTTPS only (HSTS)",
	Severity: control.Low,
	Refs:     []control.Ref{control.AWS("elb-header-modification")},
	Serves:   []string{"S4"},
	Since:    "0.1.0",
	Check:    control.Traced(listeners, placeOfListener, judgeListenerHSTS, entryKinds...).Helped(targetHelpers...),
}

const hstsAttribute = "routing.http.response.strict_transport_security.header_value"

func judgeListenerHSTS(s *control.Subject, l *trace.Listener) {
	// An NLB cannot add headers, and a classic one neither.
	if l.LoadBalancer.Type != "application" || l.Protocol != "HTTPS" || !l.Forwards() {
		s.NotApplicable()
		return
	}
	if hidden(s, l.LoadBalancer, false) {
		return
	}
	attributes, known := l.Attributes.Get()
	switch value := attributes[hstsAttribute]; {
	case value == "redacted": // free text of annotations is not read; that it is set is what counts
	case value != "":
		if !lasting(value) {
			s.FailAt(l.At, "%s sets Strict-Transport-Security without a max-age above 0, which turns it off", listenerName(l))
		}
	case proxiesSetHSTS(s, l):
	case !known:
		s.Unknownf("whether %s sets Strict-Transport-Security is not known; read its attributes (elasticloadbalancing:DescribeListenerAttributes)", listenerName(l))
	default:
		s.FailAt(l.At, "neither %s nor a proxy behind it is seen to set Strict-Transport-Security", listenerName(l))
	}
}

// lasting reports whether a header value has a max-age above 0.
func lasting(value string) bool {
	for directive := range strings.SplitSeq(value, ";") {
		name, age, _ := strings.Cut(strings.TrimSpace(directive), "=")
		if strings.EqualFold(name, "max-age") {
			n, err := strconv.ParseUint(strings.Trim(age, `" `), 10, 63)
			return err == nil && n > 0
		}
	}
	return false
}

// proxiesSetHSTS reports whether every pod that the listener forwards to runs a
// proxy that sets the header at the port of the target.
func proxiesSetHSTS(s *control.Subject, l *trace.Listener) bool {
	n := 0
	for _, t := range targetsOf(l) {
		for _, w := range t.Workloads {
			if !setsHSTS(s, w, t.PodPort) {
				return false
			}
			n++
		}
		if len(t.Workloads) == 0 {
			return false
		}
	}
	return n > 0
}

func setsHSTS(s *control.Subject, w *estate.Workload, port int32) bool {
	return slices.ContainsFunc(factsOf(s, w), func(f estate.Fact) bool {
		return f.Server != nil && f.Server.Port == port && f.Server.HSTS
	})
}
