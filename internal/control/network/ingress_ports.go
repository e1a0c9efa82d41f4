package network

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/eksafe/eksafe/internal/control"
	"github.com/eksafe/eksafe/internal/estate"
	"github.com/eksafe/eksafe/internal/platform"
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
	Check: control.Traced(func(g *trace.Graph) []opener { return openers(g, ingress) }, opener.at, judgeIngress,
		estate.NetworkPolicies.Kind, estate.CalicoNetworkPolicies.Kind, estate.CalicoGlobalNetworkPolicies.Kind).
		Needs(estate.Workloads.Kind, estate.Services.Kind).
		Helped(estate.Namespaces.Kind, estate.ConfigMaps.Kind),
}

// An opener is a policy that lets something through in a direction: one of the
// two is set.
type opener struct {
	policy *policy
	calico *calicoPolicy
}

func (o opener) at() trace.Place {
	if o.policy != nil {
		return o.policy.place
	}
	return o.calico.place
}

// openers lists the policies that have rules in a direction and select pods of
// applications.
func openers(g *trace.Graph, d direction) []opener {
	f := fabricOf(g)
	var out []opener
	for _, p := range f.policies {
		rules := len(p.object.Spec.Ingress)
		if d == egress {
			rules = len(p.object.Spec.Egress)
		}
		if p.applies[d] && rules > 0 && !platform.Namespace(p.object.Namespace) {
			out = append(out, opener{policy: p})
		}
	}
	for _, c := range f.calico {
		applies := len(c.spec.Types) == 0 || slices.Contains(c.spec.Types, [...]string{"Ingress", "Egress"}[d])
		if applies && len(c.rules(d)) > 0 && !platform.Namespace(c.namespace) {
			out = append(out, opener{calico: c})
		}
	}
	return out
}

// pods returns the pods of applications that the policy selects; known is false
// if a selector cannot be decided.
func (o opener) pods(f *fabric) (out []*pod, known bool) {
	if o.policy != nil {
		return o.policy.pods, o.policy.selector != nil
	}
	selected, known := f.reach.Selected(o.calico.place.Subject)
	for _, w := range selected {
		if p := f.pods[w]; !p.platform {
			out = append(out, p)
		}
	}
	return out, known
}

func judgeIngress(s *control.Subject, o opener) {
	if o.policy != nil && ofPlatform(s, o.policy.object.Namespace) {
		s.NotApplicable()
		return
	}
	pods, known := o.pods(fabricOf(s.Graph()))
	if !known {
		s.Unknownf("which pods it selects is not decided")
		return
	}
	if len(pods) == 0 {
		s.NotApplicable() // policy-alive speaks of it
		return
	}
	var gates []gate
	if o.policy != nil {
		gates = o.policy.gates(s)
	} else {
		gates = o.calico.gates(s)
	}
	judgeGates(s, pods, gates)
}

// gates returns the ports that the ingress rules open, and reports rules that
// open all.
func (p *policy) gates(s *control.Subject) (out []gate) {
	for i, r := range p.object.Spec.Ingress {
		field := fmt.Sprintf("spec.ingress[%d]", i)
		if len(r.Ports) == 0 {
			s.Failf(field, "it names no ports, so that every port is open")
		}
		for j, np := range r.Ports {
			g := gate{field: fmt.Sprintf("%s.ports[%d]", field, j), protocol: protocol(np.Protocol)}
			var numeric bool
			if g.from, g.to, numeric = span(np); !numeric {
				g.name = np.Port.StrVal
			}
			out = append(out, g)
		}
	}
	return out
}

func (p *calicoPolicy) gates(s *control.Subject) (out []gate) {
	for i, r := range p.spec.Ingress {
		if r.Action != "Allow" {
			continue
		}
		field := fmt.Sprintf("spec.ingress[%d]", i)
		if len(r.Destination.Ports) == 0 && r.ICMP == nil {
			s.Failf(field, "it names no ports, so that every port is open")
		}
		protocol, _ := r.Protocol.(string)
		for j, v := range r.Destination.Ports {
			g := gate{field: fmt.Sprintf("%s.destination.ports[%d]", field, j), protocol: corev1.Protocol(strings.ToUpper(protocol))}
			var ok bool
			if g.from, g.to, ok = calicoPorts(v); !ok {
				g.name, _ = v.(string)
			}
			out = append(out, g)
		}
	}
	return out
}

// calicoPorts reads a port, or a range such as "1000:2000".
func calicoPorts(v any) (from, to int32, ok bool) {
	switch v := v.(type) {
	case int64:
		return int32(v), int32(v), true
	case float64:
		return int32(v), int32(v), true
	case string:
		low, high, _ := strings.Cut(v, ":")
		if high == "" {
			high = low
		}
		a, err := strconv.ParseUint(low, 10, 16)
		b, highErr := strconv.ParseUint(high, 10, 16)
		return int32(a), int32(b), err == nil && highErr == nil
	}
	return 0, 0, false
}

// judgeGates holds each open port to those that a selected pod serves. A name
// opens what a container calls so, and nothing where none does.
func judgeGates(s *control.Subject, pods []*pod, gates []gate) {
	all := map[port]bool{}
	var silent []string
	for _, p := range pods {
		ports, _ := served(s.Graph(), p)
		if len(ports) == 0 {
			silent = append(silent, p.workload.Name)
		}
		for n := range ports {
			all[n] = true
		}
	}
	for _, g := range gates {
		if g.name != "" {
			continue
		}
		used := int32(0)
		for n := range all {
			if n.protocol == g.protocol && g.from <= n.number && n.number <= g.to {
				used++
			}
		}
		width := g.to - g.from + 1
		switch {
		case used == width:
		case len(silent) > 0:
			s.Unknownf("what ports %s serves is not known; name them in its containers, as %s is open", list(silent), g)
		case used == 0:
			s.Failf(g.field, "%s is open, and no container of %s serves it", g, podNames(pods))
		case width > 1:
			s.Failf(g.field, "%s is open, and containers of %s serve %d of them", g, podNames(pods), used)
		}
	}
}

func podNames(pods []*pod) string {
	var out []string
	for _, p := range pods {
		out = append(out, p.workload.Name)
	}
	return list(out)
}
