package transit

import (
	"strings"

	"github.com/eksafe/eksafe/internal/control"
	"github.com/eksafe/eksafe/internal/trace"
)

var listenerRedirects = &control.Control{
	ID:       "listener-redirects",
	Title:    "Plain HTTP listeners only redirect to HTTPS",
	Severity: control.Medium,
	Refs:     []control.Ref{control.FSBP("ELB.1")},
	Serves:   []string{"S4"},
	Since:    "0.1.0",
	Check:    control.Traced(listeners, placeOfListener, judgeListenerRedirects, entryKinds...).Helped(entryHelpers...),
}

func judgeListenerRedirects(s *control.Subject, l *trace.Listener) {
	if l.Protocol == "" {
		s.Unknownf("what %s listens on is not known", l.LoadBalancer.Name())
		return
	}
	if l.Protocol != "HTTP" {
		s.NotApplicable()
		return
	}
	if hidden(s, l.LoadBalancer, false) {
		return
	}
	if len(l.Rules) == 0 {
		s.NotApplicable() // of a Gateway to which no route is attached
		return
	}
	for _, r := range l.Rules {
		switch r.Action {
		case "fixed-response":
		case "redirect":
			switch p := strings.ToUpper(r.RedirectProtocol); p {
			case "HTTPS":
			case "HTTP", "", "#{PROTOCOL}":
				s.FailAt(or(r.At, l.At), "%s redirects to plain HTTP again: the target protocol must be HTTPS", listenerName(l))
			default:
				s.Unknownf("%s redirects to a protocol that is not known", listenerName(l))
			}
		case "forward":
			// A controller's listener is edited as a whole, by one annotation;
			// the rules of one made by hand are edited one at a time.
			at := l.At
			if len(l.LoadBalancer.DeclaredBy) == 0 {
				at = or(r.At, l.At)
			}
			s.FailAt(at, "%s forwards requests; it must only redirect them to HTTPS", listenerName(l))
		default:
			s.Unknownf("what %s does with some requests is not known; read its rules (elasticloadbalancing:DescribeRules)", listenerName(l))
		}
	}
}
