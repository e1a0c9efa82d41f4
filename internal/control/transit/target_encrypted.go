package transit

import (
	"github.com/eksafe/eksafe/internal/control"
	"github.com/eksafe/eksafe/internal/trace"
)

var targetEncrypted = &control.Control{
	ID:       "target-encrypted",
	Title:    "Load balancers speak TLS to the pods",
	Severity: control.High,
	Refs:     []control.Ref{control.Guide("network")},
	Serves:   []string{"S3", "S7"},
	Since:    "0.1.0",
	Check:    control.Traced(forwards, forward.place, judgeTargetEncrypted, entryKinds...).Helped(targetHelpers...),
}

// A forward is a listener and one of the targets that it forwards to.
type forward struct {
	listener *trace.Listener
	target   *trace.Target
}

// forwards returns every target once for each protocol of its listeners: what
// a load balancer does with a stream depends on whether it ended TLS itself.
func forwards(g *trace.Graph) []forward {
	type key struct {
		lb       *trace.LoadBalancer
		tls      bool
		at       trace.Place
		service  any
		protocol string
		port     int32
	}
	seen := map[key]bool{}
	var out []forward
	for _, l := range g.Listeners() {
		for _, t := range targetsOf(l) {
			k := key{l.LoadBalancer, l.TLS(), t.At, t.Service, t.Protocol.Or(""), t.PodPort}
			if !seen[k] {
				seen[k] = true
				out = append(out, forward{l, t})
			}
		}
	}
	return out
}

// outside reports whether a target is no pod: a function, or another load
// balancer, which is judged itself.
func (f forward) outside() bool {
	if f.target.Group == nil {
		return false
	}
	switch f.target.Group.TargetType.Or("") {
	case "lambda", "alb":
		return true
	}
	return false
}

func judgeTargetEncrypted(s *control.Subject, f forward) {
	lb := f.listener.LoadBalancer
	protocol, known := f.target.Protocol.Get()
	switch {
	case f.outside() || protocol == "UDP" || protocol == "GENEVE" || protocol == "QUIC":
		s.NotApplicable()
	case hidden(s, lb, true):
	case lb.Type == "":
		s.Unknownf("what the controller of %s speaks to its pods is not known", s.Ref().ID)
	case !known:
		s.Unknownf("what %s speaks to %s is not known; read its target groups (elasticloadbalancing:DescribeTargetGroups)", lb.Name(), targetName(f.target))
	case protocol == "HTTPS" || protocol == "TLS" || protocol == "SSL":
	case protocol == "HTTP":
		s.FailAt(f.place(), "%s speaks plain HTTP to %s", lb.Name(), targetName(f.target))
	case f.listener.TLS():
		s.FailAt(f.place(), "%s ends TLS and speaks plain %s to %s", lb.Name(), protocol, targetName(f.target))
	default: // TCP passes through: TLS is what the pods make of it
		switch tls, ev := served(s, f.target); tls {
		case trace.No:
			s.FailAt(f.place(), "%s passes TCP through to %s, which serves no TLS: %s", lb.Name(), targetName(f.target), ev.Why)
		case trace.Unclear:
			s.Unknownf("%s passes TCP through to %s; %s", lb.Name(), targetName(f.target), ev.Why)
		}
	}
}

func (f forward) place() trace.Place { return or(f.target.At, f.listener.At) }
