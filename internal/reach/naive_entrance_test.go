package reach

import (
	"cmp"
	"net/netip"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/eksafe/eksafe/internal/estate"
)

// A naiveWay is a port of nodes that leads to a pod: one of several, if the API
// server has not said which.
type naiveWay struct {
	ports    []uint16
	replaced bool       // the address of a node stands in place of the client's
	address  netip.Addr // an external address that nodes answer for, invalid: a port of their own
}

// naiveChoices stand for all node ports: those at which the generator's rules
// begin and end, and those beside them.
var naiveChoices = []uint16{30000, 30001, 30002, 30003, 30079, 30080, 30081, 32766, 32767}

// ways lists the ports of nodes that lead to a port of a pod.
func (n *naive) ways(to *naiveEnd, protocol Protocol, port uint16) (out []naiveWay) {
	if to.workload == nil {
		return nil
	}
	for _, s := range estate.Services.In(n.estate) {
		spec := s.Object.Spec
		switch {
		case s.Object.Namespace != to.workload.Namespace || len(spec.Selector) == 0 || !selectorMatches(&metav1.LabelSelector{MatchLabels: spec.Selector}, to.labels),
			spec.Type != "NodePort" && spec.Type != "LoadBalancer" && len(spec.ExternalIPs) == 0:
			continue
		}
		opens := spec.Type == "NodePort" || spec.Type == "LoadBalancer"
		told := spec.Type == "LoadBalancer" && spec.AllocateLoadBalancerNodePorts != nil && !*spec.AllocateLoadBalancerNodePorts
		for _, p := range spec.Ports {
			leads := p.TargetPort.IntVal == int32(port) && p.TargetPort.StrVal == ""
			if p.TargetPort.StrVal != "" {
				leads = namedPort(to, p.TargetPort.StrVal, protocol, port)
			} else if p.TargetPort.IntVal == 0 {
				leads = p.Port == int32(port)
			}
			if !leads || cmp.Or(string(p.Protocol), "TCP") != protocol.String() {
				continue
			}
			for _, text := range spec.ExternalIPs {
				out = append(out, naiveWay{[]uint16{uint16(p.Port)}, spec.ExternalTrafficPolicy != "Local", netip.MustParseAddr(text)})
			}
			if !opens || told && p.NodePort == 0 {
				continue
			}
			way := naiveWay{naiveChoices, spec.ExternalTrafficPolicy != "Local", netip.Addr{}}
			if p.NodePort != 0 {
				way.ports = []uint16{uint16(p.NodePort)}
			}
			out = append(out, way)
		}
	}
	if to.host() {
		return out
	}
	for _, c := range to.workload.Template.Spec.Containers {
		for _, p := range c.Ports {
			if p.HostPort != 0 && !strings.HasPrefix(p.HostIP, "127.") && p.ContainerPort == int32(port) && cmp.Or(string(p.Protocol), "TCP") == protocol.String() {
				out = append(out, naiveWay{[]uint16{uint16(p.HostPort)}, false, netip.Addr{}})
			}
		}
	}
	return out
}

// along says whether a packet gets to a pod by a port of nodes. Nothing shows
// what AWS lets in to the nodes.
func (n *naive) along(way *naiveWay, from, to *naiveEnd, protocol Protocol, port uint16) (sure, open bool) {
	node := &naiveEnd{node: true}
	target := node
	if way.address.IsValid() {
		target = &naiveEnd{address: way.address}
	}
	sure, open = true, false
	for _, outer := range way.ports {
		s, o := n.passes(Egress, from, target, target, protocol, outer)
		sure, open = sure && s, open || o
	}
	if from.workload == nil && (!from.node || way.address.IsValid()) {
		sure = false
	}
	if !way.replaced {
		s, o := n.passes(Ingress, to, from, to, protocol, port)
		return sure && s, open && o
	}
	if from.workload != nil && !from.host() && !to.host() {
		// The node of the client may have led it on before.
		es, eo := n.passes(Egress, from, to, to, protocol, port)
		is, io := n.asked(Ingress, to, node, to, protocol, port)
		sure, open = sure || es && is, open || eo && io
	}
	return sure, open
}
