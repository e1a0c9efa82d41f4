package network

import (
	"fmt"
	"slices"
	"strings"

	"github.com/eksafe/eksafe/internal/control"
	"github.com/eksafe/eksafe/internal/estate"
	"github.com/eksafe/eksafe/internal/reach"
	"github.com/eksafe/eksafe/internal/trace"
)

var ingressPorts = &control.Control{
	ID:        "ingress-ports",
	Title:     "Policies let in only to the ports that containers serve",
	Severity:  control.Medium,
	Refs:      []control.Ref{control.Project("kubernetes-network-policies"), control.NSA("Network separation and hardening")},
	Serves:    []string{"S15", "S14"},
	Since:     "0.1.0",
	Admission: ingressPortsAdmission,
	Check: control.Traced(func(g *trace.Graph) []*reach.Policy { return openers(g, ingress) }, policyPlace, judgeIngress, policyKinds...).
		Needs(estate.Workloads.Kind, estate.Services.Kind).
		Helped(estate.Namespaces.Kind, estate.ConfigMaps.Kind, estate.ServiceAccounts.Kind),
}

// judgeIngress holds each port that a rule opens, and that no other policy
// closes again, to those that the pod behind it serves.
func judgeIngress(s *control.Subject, p *reach.Policy) {
	if !selectsApplication(s, p) {
		return
	}
	f := fabricOf(s.Graph())
	for _, g := range p.Gates(ofApplications(s)) {
		var silent, undecided []string
		var unserved []*reach.Open
		for o := range g.Open() {
			serves := f.serves(s.Graph(), f.pods[o.Workload.Workload])
			extra, sure := o.Ports.Minus(&serves), o.Sure.Minus(&serves)
			switch {
			case extra.Empty():
			case serves.Empty():
				silent = append(silent, o.Workload.Workload.Name)
			case sure.Empty():
				undecided = append(undecided, o.Workload.Workload.Name)
			default:
				unserved = append(unserved, o)
			}
		}
		if len(silent) > 0 {
			s.Unknownf("what ports %s serves is not known; name them in its containers, as %s is open", list(silent), gateText(g))
		}
		if len(undecided) > 0 {
			s.Unknownf("whether %s of %s is open is not decided: another policy decides, and how is not known", gateText(g), list(undecided))
		}
		if len(unserved) > 0 {
			report(s, f, g, unserved)
		}
	}
}

// report reports the pods that serve not all of what a gate opens.
func report(s *control.Subject, f *fabric, g *reach.Gate, unserved []*reach.Open) {
	var pods []*reach.Endpoint
	most := 0
	for _, o := range unserved {
		pods = append(pods, o.Workload)
		serves := f.serves(s.Graph(), f.pods[o.Workload.Workload])
		inside := serves.Intersect(&g.Ports)
		most = max(most, count(&inside))
	}
	first := unserved[0]
	serves := f.serves(s.Graph(), f.pods[first.Workload.Workload])
	extra := first.Sure.Minus(&serves)
	protocol, port := firstOf(&extra)
	a := first.Explain(protocol, port)
	a.Layers = slices.DeleteFunc(a.Layers, func(l reach.Layer) bool { return l.Kind != reach.IngressPolicies })
	how := explained(fmt.Sprintf("%s gets in to %s at %s %d", a.Source, first.Workload, protocol, port), a)
	switch {
	case g.EveryPort:
		s.FailAt(g.Place, "it names no ports, so that every port of %s is open: %s", namesOf(pods), how)
	case most == 0:
		s.FailAt(g.Place, "%s is open, and no container of %s serves it: %s", gateText(g), namesOf(pods), how)
	default:
		s.FailAt(g.Place, "%s is open, and containers of %s serve %d of them: %s", gateText(g), namesOf(pods), most, how)
	}
}

// firstOf returns the lowest port, of the first protocol that has one.
func firstOf(p *reach.Ports) (reach.Protocol, uint16) {
	for protocol, ranges := range p {
		if len(ranges) > 0 {
			return reach.Protocol(protocol), max(ranges[0].First, 1)
		}
	}
	return reach.TCP, 0
}

// count returns how many ports there are.
func count(p *reach.Ports) int {
	n := 0
	for _, ranges := range p {
		for _, r := range ranges {
			n += int(r.Last) - int(r.First) + 1
		}
	}
	return n
}

// gateText writes the ports of a gate: "TCP 8000-9000", "every TCP port".
func gateText(g *reach.Gate) string {
	text := g.Ports.String()
	switch {
	case g.EveryPort:
		return "every port"
	case !strings.ContainsAny(text, "0123456789"):
		return "every " + text + " port"
	}
	return text
}
