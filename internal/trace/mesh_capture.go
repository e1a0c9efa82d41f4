package trace

import (
	"slices"
	"strconv"

	corev1 "k8s.io/api/core/v1"

	"github.com/eksafe/eksafe/internal/estate"
)

// A Capture says which TCP ports the mesh takes over in one direction.
type Capture struct {
	All    bool    // all ports but Except; without it, only Ports
	Ports  []int32 // sorted
	Except []int32 // sorted
	// Ranges is true where annotations limit the addresses too.
	Ranges bool
	At     Place // the annotation that limits it; the zero Place if none does
}

// Has reports whether it takes over a port.
func (c Capture) Has(port int32) bool {
	if c.All {
		return !slices.Contains(c.Except, port)
	}
	return slices.Contains(c.Ports, port)
}

// The annotations of a pod that limit what the mesh takes over. Source: Istio's
// reference of resource annotations.
const (
	includeInbound        = "traffic.sidecar.istio.io/includeInboundPorts"
	excludeInbound        = "traffic.sidecar.istio.io/excludeInboundPorts"
	excludeOutbound       = "traffic.sidecar.istio.io/excludeOutboundPorts"
	includeOutboundRanges = "traffic.sidecar.istio.io/includeOutboundIPRanges"
	excludeOutboundRanges = "traffic.sidecar.istio.io/excludeOutboundIPRanges"
	interceptionMode      = "sidecar.istio.io/interceptionMode"
	bypassInbound         = "ambient.istio.io/bypass-inbound-capture"
)

// SidecarPorts are where a sidecar itself answers everybody, without mTLS:
// telemetry and health checks. Source: Istio's page on application
// requirements.
var SidecarPorts = []int32{15020, 15021, 15090}

// Inbound returns what the mesh takes over of what arrives at w.
func (g *Graph) Inbound(w *estate.Workload) Capture {
	a := w.Template.Annotations
	if m := g.Mesh(w); m.Ambient {
		if a[bypassInbound] == "true" {
			return Capture{At: workloadPlace(w, w.TemplateField(annotation(bypassInbound)))}
		}
		return Capture{All: true}
	}
	if a[interceptionMode] == "NONE" {
		return Capture{At: workloadPlace(w, w.TemplateField(annotation(interceptionMode)))}
	}
	out := Capture{All: true, Except: slices.Clone(SidecarPorts)}
	if include, set := a[includeInbound]; set && include != "*" {
		// Exclusions only count where everything is taken over.
		return Capture{Ports: portList(include), At: workloadPlace(w, w.TemplateField(annotation(includeInbound)))}
	}
	if exclude := portList(a[excludeInbound]); len(exclude) > 0 {
		out.At = workloadPlace(w, w.TemplateField(annotation(excludeInbound)))
		out.Except = slices.Concat(out.Except, exclude)
		slices.Sort(out.Except)
	}
	return out
}

// Outbound returns what the sidecar of w takes over of what is sent.
func (g *Graph) Outbound(w *estate.Workload) Capture {
	a := w.Template.Annotations
	if a[interceptionMode] == "NONE" {
		return Capture{At: workloadPlace(w, w.TemplateField(annotation(interceptionMode)))}
	}
	out := Capture{All: true}
	if exclude := portList(a[excludeOutbound]); len(exclude) > 0 {
		out.Except, out.At = exclude, workloadPlace(w, w.TemplateField(annotation(excludeOutbound)))
	}
	if ranges, set := a[includeOutboundRanges]; set && ranges != "*" {
		out.Ranges, out.At = true, workloadPlace(w, w.TemplateField(annotation(includeOutboundRanges)))
	}
	if a[excludeOutboundRanges] != "" {
		out.Ranges, out.At = true, workloadPlace(w, w.TemplateField(annotation(excludeOutboundRanges)))
	}
	return out
}

// portList reads ports separated by commas. What is no port is none.
func portList(s string) []int32 {
	var out []int32
	for _, text := range commaList(s) {
		if n, err := strconv.ParseUint(text, 10, 16); err == nil {
			out = append(out, int32(n))
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// ClientTLS returns the TLS mode that a DestinationRule sets for connections
// of a namespace to a port of a Service, "" if none does.
func (g *Graph) ClientTLS(namespace string, s *estate.Resource[corev1.Service], port int32) (mode string, at Place) {
	return g.mesh.clientTLS(namespace, s, port)
}

// PodPort returns the port of w's pods that a port of a Service leads to, 0 if
// it names one that w does not have.
func (g *Graph) PodPort(p corev1.ServicePort, w *estate.Workload) int32 { return podPort(p, w) }

// PeerPorts returns the ports of w for which some PeerAuthentication of its
// namespace has a mode of their own.
func (g *Graph) PeerPorts(w *estate.Workload) []int32 {
	var out []int32
	for _, p := range g.mesh.peers[w.Namespace] {
		if len(p.Object.Spec.GetPortLevelMtls()) == 0 || !hasLabels(w.Template.Labels, p.Object.Spec.GetSelector().GetMatchLabels()) {
			continue
		}
		for port := range p.Object.Spec.GetPortLevelMtls() {
			if port <= 65535 {
				out = append(out, int32(port))
			}
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// HopsBetween returns the hops from one resource to another.
func (g *Graph) HopsBetween(from, to estate.Ref) []*Hop {
	var out []*Hop
	for _, h := range g.from[from.ID] {
		if h.To.ID == to.ID {
			out = append(out, h)
		}
	}
	return out
}
