package transit

import (
	"slices"

	"github.com/eksafe/eksafe/internal/control"
	"github.com/eksafe/eksafe/internal/trace"
)

var listenerTls = &control.Control{
	ID:       "listener-tls",
	Title:    "Every internet-facing listener that forwards traffic speaks TLS",
	Severity: control.Critical,
	Refs:     []control.Ref{control.FSBP("ELB.18"), control.FSBP("ELB.3"), control.CISEKS("5.4.5")},
	Serves:   []string{"S3", "S4"},
	Since:    "0.1.0",
	Check:    control.Traced(listeners, placeOfListener, judgeListenerTLS, entryKinds...).Helped(targetHelpers...),
}

func judgeListenerTLS(s *control.Subject, l *trace.Listener) {
	lb := l.LoadBalancer
	if !lb.InternetFacing() || lb.Type == "gateway" {
		s.NotApplicable()
		return
	}
	if hidden(s, l.LoadBalancer, false) {
		return
	}
	undecided := slices.ContainsFunc(l.Rules, func(r *trace.Rule) bool { return r.Action == "" })
	switch {
	case l.TLS():
	case l.Protocol == "":
		s.Unknownf("what %s listens on is not known", lb.Name())
	case l.Protocol == "UDP" || l.Protocol == "GENEVE":
		s.NotApplicable() // no TLS on UDP; what the datagrams hold cannot be told
	case l.Forwards() && l.Protocol == "HTTP":
		s.FailAt(l.At, "%s forwards requests without TLS%s", listenerName(l), countsAsInternet(lb))
	case l.Forwards():
		judgePassthrough(s, l)
	case undecided:
		s.Unknownf("%s does not speak TLS, and what it does with requests is not known; read its rules (elasticloadbalancing:DescribeRules)", listenerName(l))
	default:
		s.NotApplicable() // it only redirects or refuses, or no route leads on
	}
}

// judgePassthrough judges a listener that passes bytes through: TLS is what
// the pods make of it.
func judgePassthrough(s *control.Subject, l *trace.Listener) {
	var gap string
	for _, t := range targetsOf(l) {
		switch tls, ev := served(s, t); tls {
		case trace.No:
			s.FailAt(l.At, "%s passes TCP through to %s, which serves no TLS: %s%s", listenerName(l), targetName(t), ev.Why, countsAsInternet(l.LoadBalancer))
			return
		case trace.Unclear:
			gap = targetName(t) + ": " + ev.Why
		}
	}
	if gap == "" && len(targetsOf(l)) == 0 {
		gap = "its targets are not known"
	}
	if gap != "" {
		s.Unknownf("%s passes TCP through, so the pods must serve TLS; %s", listenerName(l), gap)
	}
}
