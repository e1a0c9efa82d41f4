package network

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/eksafe/eksafe/internal/trace"
)

// A port is a number and its protocol.
type port struct {
	protocol corev1.Protocol
	number   int32
}

// meshPorts are those at which the proxies of a mesh answer for their pod:
// HBONE, merged metrics, health, Envoy's metrics.
var meshPorts = []int32{15008, 15020, 15021, 15090}

// served returns the ports at which the containers of a pod serve, and their
// names, as far as anything shows; none at all is no evidence that it serves
// nothing.
func served(g *trace.Graph, p *pod) (ports map[port]bool, named map[string]bool) {
	ports, named = map[port]bool{}, map[string]bool{}
	spec := &p.workload.Template.Spec
	byName := map[string]int32{}
	for _, c := range containers(spec) {
		for _, cp := range c.Ports {
			ports[port{protocol(&cp.Protocol), cp.ContainerPort}] = true
			if cp.Name != "" {
				named[string(protocol(&cp.Protocol))+cp.Name] = true
				byName[cp.Name] = cp.ContainerPort
			}
		}
		for _, probe := range []*corev1.Probe{c.LivenessProbe, c.ReadinessProbe, c.StartupProbe} {
			if probe == nil {
				continue
			}
			if h := probe.HTTPGet; h != nil && h.Port.Type == intstr.Int {
				ports[port{corev1.ProtocolTCP, h.Port.IntVal}] = true
			}
			if t := probe.TCPSocket; t != nil && t.Port.Type == intstr.Int {
				ports[port{corev1.ProtocolTCP, t.Port.IntVal}] = true
			}
		}
	}
	for _, s := range g.Services(p.workload) {
		for _, sp := range s.Object.Spec.Ports {
			number := sp.TargetPort.IntVal
			switch {
			case sp.TargetPort.Type == intstr.String && sp.TargetPort.StrVal != "":
				number = byName[sp.TargetPort.StrVal]
			case number == 0:
				number = sp.Port
			}
			if number != 0 {
				ports[port{protocol(&sp.Protocol), number}] = true
			}
		}
	}
	for _, f := range p.workload.Facts {
		if f.Server != nil && !f.Server.Loopback {
			ports[port{corev1.ProtocolTCP, f.Server.Port}] = true
		}
		if f.ServesTLS != "" && f.Port != 0 {
			ports[port{corev1.ProtocolTCP, f.Port}] = true
		}
	}
	if len(ports) > 0 && g.HasMesh() && g.Mesh(p.workload).In == trace.Yes {
		for _, n := range meshPorts {
			ports[port{corev1.ProtocolTCP, n}] = true
		}
	}
	return ports, named
}

// A gate is the ports that one rule opens in pods: numbers from–to of a
// protocol, or a name.
type gate struct {
	field    string
	protocol corev1.Protocol
	from, to int32
	name     string
}

func (g gate) String() string {
	switch {
	case g.name != "":
		return "port " + g.name
	case g.from == g.to:
		return fmt.Sprintf("%s %d", g.protocol, g.from)
	case g.from == 0 && g.to == 65535:
		return fmt.Sprintf("every %s port", g.protocol)
	}
	return fmt.Sprintf("%s %d–%d", g.protocol, g.from, g.to)
}
