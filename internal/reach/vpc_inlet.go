package reach

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/eksafe/eksafe/internal/estate"
	"github.com/eksafe/eksafe/internal/trace"
)

// An inlet is a way to pods or nodes by a network load balancer that keeps the
// addresses of its clients: they meet the rules of its security groups, and those
// of its targets, which let in who they let in, and it. Source: the user guide of
// Network Load Balancers, on security groups and on target group attributes.
type inlet struct {
	balancer *trace.LoadBalancer
	listener portsID // at the load balancer
	ports    portsID // at the target
	groups   int     // the set of the load balancer
	facing   trace.Ternary
	certain  bool // that it keeps the addresses
	opens    bool // its controller opens the targets to it
}

// enter finds the inlets.
func (v *vpc) enter() {
	v.podInlets = map[*estate.Workload][]int{}
	for _, t := range v.targets {
		lb := v.balancers[t]
		if lb == nil || lb.Type != "network" {
			continue
		}
		base := inlet{balancer: lb, facing: t.public, opens: t.predicted != nil && lb.OpensTargets, groups: v.groupsOf(t)}
		for _, l := range lb.Listeners {
			for _, r := range l.Rules {
				for _, target := range r.Targets {
					v.enterTarget(base, l, target)
				}
			}
		}
	}
}

// enterTarget notes the ports at which a target is met: those of nodes, of pods,
// or both if it is not known how the load balancer leads to it.
func (v *vpc) enterTarget(e inlet, l *trace.Listener, t *trace.Target) {
	kept := keepsAddresses(l, t)
	if kept == trace.No {
		return
	}
	kind := t.Type.Or("")
	e.certain = kept == trace.Yes && kind != ""
	for _, protocol := range protocolsOf(l) {
		e.listener = v.ports.id(PortsOf(protocol, int(l.Port), int(l.Port)))
		add := func(first, last int) int {
			e.ports = v.ports.id(PortsOf(protocol, first, last))
			v.inlets = append(v.inlets, e)
			return len(v.inlets) - 1
		}
		if kind != "ip" {
			for _, outer := range nodePortsOf(t) {
				v.nodeInlets = append(v.nodeInlets, add(int(outer.First), int(outer.Last)))
			}
		}
		if kind == "instance" {
			continue
		}
		first, last := 0, lastPort
		if t.PodPort > 0 {
			first, last = int(t.PodPort), int(t.PodPort)
		}
		at := add(first, last)
		for _, w := range t.Workloads {
			v.podInlets[w] = append(v.podInlets[w], at)
		}
	}
}

// keepsAddresses says whether targets meet the addresses of a network load
// balancer's clients: by default nodes do, and pods by UDP alone. Of a target
// group that is there the attribute is not read.
func keepsAddresses(l *trace.Listener, t *trace.Target) trace.Ternary {
	if strings.Contains(l.Protocol, "UDP") || strings.Contains(l.Protocol, "QUIC") {
		return trace.Yes
	}
	if t.Service != nil {
		for key, value := range t.Service.Object.Annotations {
			if !strings.HasSuffix(key, "aws-load-balancer-target-group-attributes") {
				continue
			}
			if _, rest, ok := strings.Cut(value, "preserve_client_ip.enabled="); ok {
				return ternary(strings.HasPrefix(rest, "true"))
			}
		}
	}
	switch {
	case t.Type.Or("") == "instance":
		return trace.Yes
	case t.Type.Or("") == "ip" && t.Group == nil:
		return trace.No
	}
	return trace.Unclear
}

// keepsClients reports whether pods meet the addresses of a network load
// balancer's clients: nodes pass them on unless the Service says otherwise.
func keepsClients(l *trace.Listener, t *trace.Target, instances bool) bool {
	kept := keepsAddresses(l, t) == trace.Yes
	if !instances || t.Service == nil {
		return kept
	}
	return kept && t.Service.Object.Spec.ExternalTrafficPolicy == corev1.ServiceExternalTrafficPolicyLocal
}

// nodePortsOf returns the node ports by which a target may be met.
func nodePortsOf(t *trace.Target) []PortRange {
	if t.Group != nil && t.Type.Or("") == "instance" {
		if port := t.Group.Port.Or(0); port > 0 && port <= lastPort {
			return []PortRange{{uint16(port), uint16(port)}}
		}
	}
	if t.Service == nil {
		return nil
	}
	var out []PortRange
	for i := range t.Service.Object.Spec.Ports {
		if first, last, opens := trace.NodePort(&t.Service.Object.Spec, &t.Service.Object.Spec.Ports[i]); opens {
			out = append(out, PortRange{uint16(first), uint16(last)})
		}
	}
	return out
}

// entered computes what gets from one spot to another by the inlets of its class.
// A pod that goes by a load balancer is told of as two connections: its policies
// are about the load balancer.
func (v *vpc) entered(a, b *class, p, q *spot) (sure, open portsID) {
	if a.end <= targetEnd {
		return noPorts, noPorts
	}
	for _, i := range b.inlets {
		s, o := v.letIn(&v.inlets[i], a, p, q)
		sure, open = v.ports.or(sure, s), v.ports.or(open, o)
	}
	return sure, open
}

func (v *vpc) letIn(e *inlet, a *class, p, q *spot) (sure, open portsID) {
	if a.end == internetEnd && (e.facing == trace.No || !v.isIPv4(p)) {
		return noPorts, noPorts
	}
	s, o := v.filter(v.sets[e.groups], Ingress, p)
	if v.ports.and(o, e.listener) == noPorts {
		return noPorts, noPorts
	}
	sure, open = v.admits(e, p, q)
	sure, open = v.ports.and(sure, e.ports), v.ports.and(open, e.ports)
	if v.ports.and(s, e.listener) == noPorts || !e.certain || a.end == internetEnd && e.facing != trace.Yes {
		sure = noPorts
	}
	return sure, open
}

// admits returns what a target lets in of a client that comes by an inlet.
func (v *vpc) admits(e *inlet, p, q *spot) (sure, open portsID) {
	if e.opens {
		return allPorts, allPorts
	}
	sure, open = v.filter(v.sets[q.groups], Ingress, p)
	if v.sets[e.groups].filters {
		balancer := *p
		balancer.groups = e.groups
		s, o := v.filter(v.sets[q.groups], Ingress, &balancer)
		sure, open = v.ports.or(sure, s), v.ports.or(open, o)
	}
	return sure, open
}

// byInlet explains a connection by the inlet by which it gets as far as a verdict
// says.
func (x *question) byInlet(v Verdict) []Layer {
	for _, i := range x.b.inlets {
		e := &x.vpc.inlets[i]
		sure, open := x.letIn(e, x.a, x.p, x.q)
		if x.network.verdictOf(sure, open, x.protocol, x.port) != v {
			continue
		}
		name := e.balancer.Ref.Name
		at := x.network.ports.of(e.listener)
		rule := Rule{Place: e.balancer.Place(), Name: "load balancer " + name, Says: fmt.Sprintf("leads %s to %s", at, x.name(x.to))}
		way := Layer{Kind: Routes, Of: x.name(x.to), Verdict: Allowed, Rules: []Rule{rule},
			Why: fmt.Sprintf("network load balancer %s leads %s to it, and keeps the address of its client", name, at)}
		if !e.certain {
			way.Verdict, way.Why = Unknown, fmt.Sprintf("network load balancer %s leads %s to it, and whether it keeps the address of its client is not known", name, at)
		} else if x.a.end == internetEnd && e.facing != trace.Yes {
			way.Verdict, way.Why = Unknown, "whether network load balancer "+name+" faces the internet is not known"
		}
		in := Layer{Kind: SecurityGroups, Of: name, Verdict: Allowed, Why: name + " has no security group"}
		if s := x.sets[e.groups]; s.filters {
			got, may := x.filter(s, Ingress, x.p)
			in.Verdict = verdictAt(x.network, got, may, e.listener)
			in.Why = fmt.Sprintf("%s is let in from there by %s", at, x.titles(s.ids))
			if in.Verdict == Unknown {
				in.Why = fmt.Sprintf("whether %s is let in from there by %s is not known", at, x.titles(s.ids))
			}
		}
		target := Layer{Kind: SecurityGroups, Of: x.name(x.to)}
		got, may := x.admits(e, x.p, x.q)
		target.Verdict = x.network.verdictOf(got, may, x.protocol, x.port)
		switch {
		case e.opens:
			target.Why = "the controller of " + name + " opens the security groups of its targets to it"
		case target.Verdict == Unknown:
			target.Why = fmt.Sprintf("whether %s %d is let in by %s is not known", x.protocol, x.port, x.titles(x.sets[x.q.groups].ids))
		default:
			target.Why = fmt.Sprintf("%s %d is let in from there, or from %s, by %s", x.protocol, x.port, name, x.titles(x.sets[x.q.groups].ids))
		}
		return []Layer{way, in, target}
	}
	return nil
}

func verdictAt(n *Network, sure, open, at portsID) Verdict {
	switch {
	case n.ports.and(sure, at) != noPorts:
		return Allowed
	case n.ports.and(open, at) != noPorts:
		return Unknown
	}
	return Denied
}

// groupsOf returns the set of groups that a target holds.
func (v *vpc) groupsOf(t *target) int {
	return v.set(&groupSet{ids: slices.Clone(t.groups), filters: !t.groupless, partial: len(t.groups) == 0 && !t.groupless, why: t.why})
}
