package network

import (
	"cmp"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"

	"github.com/eksafe/eksafe/internal/control"
	"github.com/eksafe/eksafe/internal/estate"
	"github.com/eksafe/eksafe/internal/trace"
)

var nodeportClosed = &control.Control{
	ID:        "nodeport-closed",
	Title:     "No port of a node is reachable from the internet",
	Severity:  control.Medium,
	Refs:      []control.Ref{control.CISEKS("5.4.3"), control.ATTACK("T1190")},
	Serves:    []string{"S4", "S15"},
	Since:     "0.1.0",
	Admission: nodeportClosedAdmission,
	Check: control.Each(estate.Services, judgeNodePorts).
		Needs(estate.SecurityGroups.Kind, estate.Subnets.Kind, estate.RouteTables.Kind).
		Helped(nodeKinds...).
		Helped(estate.VPCs.Kind),
}

func judgeNodePorts(s *control.Subject, r *estate.Resource[corev1.Service]) {
	spec := &r.Object.Spec
	if !trace.OpensNodePorts(spec) {
		s.NotApplicable()
		return
	}
	w := groundOf(s)
	exposed, why := publicNodes(s, w)
	if exposed == trace.No {
		return // the internet has no way to a node, whatever its groups admit
	}
	open, gap := w.openPorts()
	for i, p := range spec.Ports {
		first, last, opens := trace.NodePort(spec, &p)
		if !opens {
			continue
		}
		for _, o := range open {
			if !o.opens(p.Protocol, int(first), int(last)) {
				continue
			}
			if exposed == trace.Yes {
				s.Failf(fmt.Sprintf("spec.ports[%d]", i), "the internet reaches it at the nodes, around every load balancer: %s admits %s, and nodes stand in public subnets", short(name(o.group)), o.network)
			} else {
				s.Unknownf("whether the internet has a way to the nodes, whose groups admit it, is not known: %s", why)
			}
		}
	}
	if gap != "" {
		s.Unknownf("whether the groups of the nodes admit the internet is not known: %s", gap)
	}
}

// An opening is a rule that lets the internet in at nodes.
type opening struct {
	group   *estate.SecurityGroup
	rule    estate.SecurityGroupRule
	network string
}

func (o opening) opens(protocol corev1.Protocol, from, to int) bool {
	switch o.rule.IpProtocol {
	case "-1":
		return true
	case "tcp", "6":
		if protocol == corev1.ProtocolUDP {
			return false
		}
	case "udp", "17":
		if protocol != corev1.ProtocolUDP {
			return false
		}
	default:
		return false
	}
	return o.rule.FromPort == -1 || o.rule.FromPort <= to && from <= o.rule.ToPort
}

// openPorts returns what the internet may reach at nodes, as far as their
// security groups say.
func (w *ground) openPorts() (open []opening, gap string) {
	gap = w.why
	for _, id := range w.nodeGroups {
		sg := w.groups[id]
		if sg == nil {
			gap = "security group " + short(id) + " of the nodes was not read (ec2:DescribeSecurityGroups)"
			continue
		}
		rules, known := sg.SecurityGroupIngress.Get()
		if !known {
			gap = "the rules of security group " + short(id) + " of the nodes are not known"
		}
		for _, r := range rules {
			if block, ok := prefix(r.CidrIp + r.CidrIpv6); ok && worldwide(block) {
				open = append(open, opening{sg, r, block.String()})
			}
		}
	}
	return open, gap
}

// publicNodes says whether a node stands in a subnet with a way to and from the
// internet.
func publicNodes(s *control.Subject, w *ground) (trace.Ternary, string) {
	state, why := trace.No, ""
	if len(w.nodeSubnets) == 0 || w.homeless != "" {
		state, why = trace.Unclear, cmp.Or(w.homeless, "no source shows the nodes")
	}
	for _, id := range w.nodeSubnets {
		table, known := routes(s, id)
		switch {
		case !known:
			state, why = trace.Unclear, "the routes of subnet "+short(id)+" are not known"
		case table != nil && slices.ContainsFunc(table.Routes, func(r estate.Route) bool { return r.Internet }):
			return trace.Yes, ""
		}
	}
	return state, why
}
