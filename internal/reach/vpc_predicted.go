package reach

import (
	"fmt"
	"slices"
	"strings"

	"github.com/eksafe/eksafe/internal/estate"
	"github.com/eksafe/eksafe/internal/trace"
)

// A prediction is a load balancer that its controller has yet to make of an
// Ingress, a Service or a Gateway. Unless it is told which security groups to
// take, the controller makes one that lets clients in to the listeners, and opens
// those of the targets to it. It sends to its targets alone. Source: the pages on
// annotations and security groups of the AWS Load Balancer Controller.
type prediction struct {
	balancer *trace.LoadBalancer
	pods     map[*estate.Workload]leading
	nodes    leading
	// services are the ports of pods to which it sends by ports of nodes, and for
	// certain unless that is unknown.
	services map[serviceTarget]Verdict
	places   map[*estate.Workload]trace.Place // where it is written that it leads there
}

// A serviceTarget is a port of the pods of a Service.
type serviceTarget struct {
	service estate.Ref
	inner   Named
}

// A leading is the ports to which a load balancer sends: for certain, and at
// most.
type leading struct{ sure, open portsID }

// predict returns the target of a load balancer that is not made yet, nil of one
// that is none: what other controllers serve, their pods answer.
func (v *vpc) predict(lb *trace.LoadBalancer) *target {
	if lb.Type == "" || !lb.Predicted {
		return nil
	}
	t := &target{predicted: &prediction{balancer: lb, pods: map[*estate.Workload]leading{}, services: map[serviceTarget]Verdict{}, places: map[*estate.Workload]trace.Place{}}}
	if len(lb.SecurityGroups) == 0 {
		t.groups = []string{v.wish(lb)}
		return t
	}
	for _, name := range lb.SecurityGroups {
		id := name
		for _, g := range estate.SecurityGroups.In(v.graph.Estate) {
			if g.Tags["Name"] == name {
				id = groupID(g)
			}
		}
		t.groups = append(t.groups, id)
	}
	return t
}

// settle finds where the targets of the load balancer are.
func (p *prediction) settle(ports *portTable) {
	add := func(l *leading, protocol Protocol, first, last uint16, certain bool) {
		id := ports.id(PortsOf(protocol, int(first), int(last)))
		if l.open = ports.or(l.open, id); certain {
			l.sure = ports.or(l.sure, id)
		}
	}
	lead := func(l *trace.Listener, t *trace.Target) {
		kind := t.Type.Or("")
		for _, w := range t.Workloads {
			if kind == "ip" || t.Service == nil {
				break
			}
			for _, inner := range podPorts(l, t, w) {
				at := serviceTarget{estate.Services.Ref(t.Service), inner}
				v := Unknown
				if kind == "instance" {
					v = Allowed
				}
				p.services[at] = max(p.services[at], v)
				for i := range t.Service.Object.Spec.Ports {
					port := &t.Service.Object.Spec.Ports[i]
					if first, last, opens := trace.NodePort(&t.Service.Object.Spec, port); opens && slices.Contains(targetPorts(*port, w), inner) {
						add(&p.nodes, inner.Protocol, uint16(first), uint16(last), v == Allowed && first == last)
					}
				}
			}
		}
		if kind == "instance" {
			return
		}
		for _, w := range t.Workloads {
			at := p.pods[w]
			named := podPorts(l, t, w)
			if len(named) == 0 {
				at.open = allPorts // at which port is not known
			}
			for _, port := range named {
				add(&at, port.Protocol, port.Port, port.Port, kind == "ip")
			}
			p.pods[w] = at
		}
	}
	for _, l := range p.balancer.Listeners {
		for _, r := range l.Rules {
			for _, t := range r.Targets {
				lead(l, t)
				for _, w := range t.Workloads {
					if _, known := p.places[w]; !known {
						p.places[w] = r.At
					}
				}
			}
		}
	}
}

// wish adds the security group that the controller will make.
func (v *vpc) wish(lb *trace.LoadBalancer) string {
	at := lb.Place()
	id := "of " + nameOf(at.Subject)
	cidrs := lb.InboundCIDRs
	if len(cidrs) == 0 && len(lb.PrefixLists) == 0 {
		cidrs = []string{"0.0.0.0/0", "::/0"}
	}
	g := &estate.SecurityGroup{AWS: estate.AWS{Arn: id, Origin: *at.Origin}, GroupId: id}
	var rules []estate.SecurityGroupRule
	for _, l := range lb.Listeners {
		for _, protocol := range protocolsOf(l) {
			rule := estate.SecurityGroupRule{IpProtocol: strings.ToLower(protocol.String()), FromPort: int(l.Port), ToPort: int(l.Port)}
			for _, text := range cidrs {
				rule.CidrIp, rule.CidrIpv6 = text, ""
				if strings.Contains(text, ":") {
					rule.CidrIp, rule.CidrIpv6 = "", text
				}
				rules = append(rules, rule)
			}
			rule.CidrIp, rule.CidrIpv6 = "", ""
			for _, list := range lb.PrefixLists {
				rule.SourcePrefixListId = list
				rules = append(rules, rule)
			}
		}
	}
	g.SecurityGroupIngress = estate.Known(rules)
	g.SecurityGroupEgress = estate.Known([]estate.SecurityGroupRule{
		{IpProtocol: "-1", FromPort: -1, ToPort: -1, CidrIp: "0.0.0.0/0"}, {IpProtocol: "-1", FromPort: -1, ToPort: -1, CidrIpv6: "::/0"},
	})
	v.groups[id] = g
	v.wished = append(v.wished, g)
	v.wishes[g] = at
	return id
}

// protocolsOf returns those of a listener.
func protocolsOf(l *trace.Listener) []Protocol {
	switch l.Protocol {
	case "UDP", "QUIC":
		return []Protocol{UDP}
	case "TCP_UDP", "TCP_QUIC":
		return []Protocol{TCP, UDP}
	}
	return []Protocol{TCP}
}

// predicted returns what a point is predicted to be, nil of one that is there.
func (n *Network) predicted(p uint32) *prediction {
	if p < n.pods || p >= n.atoms || n.points[p].endpoint.target == nil {
		return nil
	}
	return n.points[p].endpoint.target.predicted
}

// aws returns what the network of AWS lets through between two points.
func (n *Network) aws(from, to uint32) (sure, open portsID) {
	p := n.predicted(from)
	if p == nil {
		return n.vpc.between(from, to)
	}
	l := p.to(n, to)
	sure, open = l.sure, l.open
	if open != noPorts && !p.balancer.OpensTargets {
		s, o := n.vpc.between(from, to)
		sure, open = n.ports.and(sure, s), n.ports.and(open, o)
	}
	return sure, open
}

// knocks says whether a load balancer sends to the port of the nodes that a
// Service opens: whichever that will be.
func (p *prediction) knocks(n *Network, e *entrance, from uint32) Verdict {
	v, ok := p.services[serviceTarget{e.rule.Subject, e.inner}]
	if !ok {
		return Denied
	}
	if !p.balancer.OpensTargets {
		sure, open := n.vpc.between(from, e.nodes)
		v = stricter(v, n.knock(e, sure, open))
	}
	return v
}

// to returns the ports of a point to which a load balancer sends.
func (p *prediction) to(n *Network, point uint32) leading {
	switch {
	case point < n.pods:
		return p.pods[n.points[point].endpoint.Workload]
	case n.nodes.has(point):
		return p.nodes
	}
	return leading{}
}

// explainAWS says what AWS says of a connection.
func (n *Network) explainAWS(from, to uint32, protocol Protocol, port uint16) (layers []Layer, notes []string) {
	p := n.predicted(from)
	if p == nil {
		layers, notes = n.vpc.explain(n, from, to, protocol, port)
	} else {
		layers, notes = n.explainLeading(p, from, to, protocol, port)
	}
	return layers, notes
}

// noteOfPrediction says of a point that it is not there yet, "" if it is.
func (n *Network) noteOfPrediction(point uint32) string {
	if p := n.predicted(point); p != nil {
		return fmt.Sprintf("%s is not there yet: its controller will make it of %s", n.points[point].endpoint.Name, declared(p.balancer))
	}
	return ""
}

func declared(lb *trace.LoadBalancer) string { return nameOf(lb.Place().Subject) }

func nameOf(r estate.Ref) string {
	return string(r.Kind) + " " + strings.TrimPrefix(r.Namespace+"/"+r.Name, "/")
}

// explainLeading says whether a load balancer that is not made yet sends to a
// point, and what lets it in there.
func (n *Network) explainLeading(p *prediction, from, to uint32, protocol Protocol, port uint16) (layers []Layer, notes []string) {
	leads := p.to(n, to)
	return n.explainTarget(p, n.verdictOf(leads.sure, leads.open, protocol, port), from, to, n.points[to].endpoint.Workload, protocol, port)
}

// explainKnock says whether a load balancer that is not made yet sends to an
// entrance.
func (n *Network) explainKnock(p *prediction, e *entrance, from uint32, w *estate.Workload, protocol Protocol, port uint16) (layers []Layer, notes []string) {
	v, ok := p.services[serviceTarget{e.rule.Subject, e.inner}]
	if !ok {
		v = Denied
	}
	return n.explainTarget(p, v, from, e.nodes, w, protocol, port)
}

// explainTarget says whether it sends to a point, for pods of w; nil: for no pods.
func (n *Network) explainTarget(p *prediction, v Verdict, from, to uint32, w *estate.Workload, protocol Protocol, port uint16) (layers []Layer, notes []string) {
	name, who := n.points[from].endpoint.Name, n.points[to].endpoint.Name
	l := Layer{Kind: Routes, Of: name, Verdict: v, Enforced: trace.Yes, By: "AWS", Rules: []Rule{{Place: p.balancer.Place(), Name: declared(p.balancer)}}}
	if at, ok := p.places[w]; ok && v != Denied {
		l.Rules[0] = Rule{Place: at, Name: nameOf(at.Subject)} // of several Ingresses of a group that one
	}
	what := fmt.Sprintf("%s %d of %s", protocol, port, who)
	switch v {
	case Allowed:
		l.Why, l.Rules[0].Says = name+" sends to "+what, "leads to "+what
	case Unknown:
		l.Why, l.Rules[0].Says = "whether "+name+" sends to the ports of nodes or to the pods themselves is not known: say which with "+targetTypeOf(p.balancer), "may lead to "+what
	default:
		l.Why, l.Rules[0].Says = name+" sends to its targets alone, and "+what+" is none", "does not lead there"
		l.change = "make " + who + " a backend of " + declared(p.balancer)
	}
	layers = append(layers, l)
	if !p.balancer.OpensTargets {
		more, notes := n.vpc.explain(n, from, to, protocol, port)
		return append(layers, more...), notes
	}
	if l.Verdict != Denied {
		notes = append(notes, "the controller of "+name+" opens the security groups of its targets to it")
	}
	return layers, notes
}

// targetTypeOf names what tells a controller where its load balancer sends.
func targetTypeOf(lb *trace.LoadBalancer) string {
	switch lb.Place().Subject.Kind {
	case estate.Services.Kind:
		return "the annotation service.beta.kubernetes.io/aws-load-balancer-nlb-target-type"
	case estate.Ingresses.Kind:
		return "the annotation alb.ingress.kubernetes.io/target-type"
	}
	return "targetType of a TargetGroupConfiguration"
}

// podPorts returns at which ports a load balancer meets the pods of w.
func podPorts(l *trace.Listener, t *trace.Target, w *estate.Workload) []Named {
	if t.PodPort < 1 || t.PodPort > lastPort {
		var out []Named
		if t.Service != nil {
			for _, p := range t.Service.Object.Spec.Ports {
				if p.Port == l.Port || len(t.Service.Object.Spec.Ports) == 1 {
					out = append(out, targetPorts(p, w)...)
				}
			}
		}
		return sortedPorts(out)
	}
	var out []Named
	for _, protocol := range protocolsOf(l) {
		out = append(out, Named{protocol, uint16(t.PodPort)})
	}
	return slices.Clip(out)
}
