package network

import (
	"cmp"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/eksafe/eksafe/internal/reach"
	"github.com/eksafe/eksafe/internal/trace"
)

// meshPorts are those at which the proxies of a mesh answer for their pod:
// HBONE, merged metrics, health, Envoy's metrics.
var meshPorts = []int32{15008, 15020, 15021, 15090}

// serves returns the ports at which the containers of a pod serve, as far as
// anything shows; none at all is no evidence that it serves nothing.
func (f *fabric) serves(g *trace.Graph, p *pod) reach.Ports {
	if known, ok := f.served.Load(p); ok {
		return known.(reach.Ports)
	}
	ports := served(g, p)
	f.served.Store(p, ports)
	return ports
}

func served(g *trace.Graph, p *pod) reach.Ports {
	var out reach.Ports
	add := func(protocol corev1.Protocol, number int32) {
		if known, err := reach.ParseProtocol(string(cmp.Or(protocol, corev1.ProtocolTCP))); err == nil && number > 0 {
			one := reach.PortsOf(known, int(number), int(number))
			out = out.Union(&one)
		}
	}
	byName := map[string]int32{}
	for _, c := range containers(&p.workload.Template.Spec) {
		for _, cp := range c.Ports {
			add(cp.Protocol, cp.ContainerPort)
			byName[cp.Name] = cp.ContainerPort
		}
		for _, probe := range []*corev1.Probe{c.LivenessProbe, c.ReadinessProbe, c.StartupProbe} {
			if probe == nil {
				continue
			}
			if h := probe.HTTPGet; h != nil {
				add("", h.Port.IntVal)
			}
			if t := probe.TCPSocket; t != nil {
				add("", t.Port.IntVal)
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
			add(sp.Protocol, number)
		}
	}
	for _, f := range p.workload.Facts {
		if f.Server != nil && !f.Server.Loopback {
			add("", f.Server.Port)
		}
		if f.ServesTLS != "" {
			add("", f.Port)
		}
	}
	if !out.Empty() && g.HasMesh() && g.Mesh(p.workload).In == trace.Yes {
		for _, n := range meshPorts {
			add("", n)
		}
	}
	return out
}
