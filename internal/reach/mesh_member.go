package reach

import (
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/eksafe/eksafe/internal/estate"
	"github.com/eksafe/eksafe/internal/trace"
)

// A memberKind is how a pod takes part in the mesh.
type memberKind byte

const (
	outside memberKind = iota
	sidecar
	ambient
	unclear
)

// A member is a workload, as the mesh sees it.
type member struct {
	kind               memberKind
	mesh               trace.Mesh
	why                string
	namespace, account string
	principal          string // its identity
	waypoint           bool
	gateway            string // the Gateway whose pods these are, "" if none

	// Ports of TCP. Those of other protocols, which no proxy sees, may be among
	// them: allPorts is the fastest way to say all of TCP.
	inbound, outbound portsID // what its sidecar takes over
	free              portsID // what no proxy decides about, other protocols included
	strict, disabled  portsID // the ports that take mTLS only, and plaintext only
	tcpOnly           portsID // the ports that are declared not to speak HTTP
	ranges            bool    // its sidecar takes over some addresses only
	rules             []serverPort
}

// A serverPort is a port of a Service that leads to a pod, for whose clients
// some DestinationRule may decide what they speak.
type serverPort struct {
	service *estate.Resource[corev1.Service]
	port    int32
	pod     uint16
}

// The labels of the pods that run a Gateway of the Gateway API. Source: Istio's
// page on the Gateway API.
const (
	gatewayNameLabel    = "gateway.networking.k8s.io/gateway-name"
	gatewayManagedLabel = "gateway.istio.io/managed"
	waypointController  = "istio.io-mesh-controller"
	waypointClass       = "istio-waypoint"
)

// enroll finds out how a workload takes part.
func (m *meshLayer) enroll(e *Endpoint) *member {
	n, w := m.network, e.Workload
	g := n.graph
	k := &member{mesh: g.Mesh(w), namespace: w.Namespace, account: account(w)}
	m.members[e] = k
	k.why, k.principal = k.mesh.Why, trustDomain+"/ns/"+k.namespace+"/sa/"+k.account
	switch {
	case k.mesh.In == trace.No:
		k.kind = outside
		return k
	case k.mesh.In == trace.Unclear:
		k.kind = unclear
	case k.mesh.Ambient:
		k.kind = ambient
	default:
		k.kind = sidecar
	}
	k.gateway = w.Template.Labels[gatewayNameLabel]
	k.waypoint = w.Template.Labels[gatewayManagedLabel] == waypointController
	if k.gateway != "" && !k.waypoint {
		for _, gw := range estate.Gateways.In(g.Estate) {
			if gw.Object.Namespace == w.Namespace && gw.Object.Name == k.gateway {
				k.waypoint = gw.Object.Spec.GatewayClassName == waypointClass
				k.mesh.Gateway = k.mesh.Gateway || !k.waypoint
			}
		}
	}
	k.inbound, k.outbound = m.capture(g.Inbound(w)), allPorts
	if k.kind == sidecar {
		out := g.Outbound(w)
		k.outbound, k.ranges = m.capture(out), out.Ranges
	}
	k.free = n.ports.or(m.rest, n.ports.minus(m.tcp, k.inbound))
	if !k.mesh.Gateway {
		// The servers of a gateway decide themselves what they take.
		m.modes(k, w)
		m.declarations(k, w)
	}
	return k
}

func account(w *estate.Workload) string {
	s := &w.Template.Spec
	switch {
	case s.ServiceAccountName != "":
		return s.ServiceAccountName
	case s.DeprecatedServiceAccount != "":
		return s.DeprecatedServiceAccount
	}
	return "default"
}

func (m *meshLayer) capture(c trace.Capture) portsID {
	t := m.network.ports
	if c.All {
		return t.minus(allPorts, m.tcpPorts(c.Except))
	}
	return m.tcpPorts(c.Ports)
}

func (m *meshLayer) tcpPorts(list []int32) portsID {
	if len(list) == 0 {
		return noPorts
	}
	var out Ports
	for _, p := range list {
		if p >= 0 && p <= lastPort {
			out[TCP] = append(out[TCP], PortRange{uint16(p), uint16(p)})
		}
	}
	out[TCP] = mergeRanges(out[TCP])
	return m.network.ports.id(out)
}

// modes resolves the PeerAuthentications for every port.
func (m *meshLayer) modes(k *member, w *estate.Workload) {
	t, g := m.network.ports, m.network.graph
	mode := func(port int32) string {
		mode := g.MTLS(w, port).Mode
		if mode == "DISABLE" && k.kind == ambient {
			// ztunnel takes no such policy, and plaintext stays possible.
			return "PERMISSIVE"
		}
		return mode
	}
	assign := func(mode string, ports portsID) {
		k.strict, k.disabled = t.minus(k.strict, ports), t.minus(k.disabled, ports)
		switch mode {
		case "STRICT":
			k.strict = t.or(k.strict, ports)
		case "DISABLE":
			k.disabled = t.or(k.disabled, ports)
		}
	}
	assign(mode(0), allPorts)
	for _, port := range g.PeerPorts(w) {
		assign(mode(port), m.tcpPorts([]int32{port}))
	}
}

// httpProtocols are the protocols that a proxy reads requests of, and
// otherProtocols those of which it sees bytes alone. Of ports that declare
// neither it finds out as it goes. Source: Istio's page on protocol selection.
var (
	httpProtocols  = []string{"http", "http2", "grpc", "grpc-web"}
	otherProtocols = []string{"https", "tcp", "tls", "mongo", "mysql", "redis"}
)

// declarations reads what the Services of a workload declare of its ports.
func (m *meshLayer) declarations(k *member, w *estate.Workload) {
	t, g := m.network.ports, m.network.graph
	var declared, other []int32
	for _, s := range g.Services(w) {
		for _, p := range s.Object.Spec.Ports {
			pod := g.PodPort(p, w)
			if pod < 1 || pod > lastPort || p.Protocol != "" && p.Protocol != corev1.ProtocolTCP {
				continue
			}
			if m.ruled(s, p.Port) {
				k.rules = append(k.rules, serverPort{s, p.Port, uint16(pod)})
			}
			protocol := p.Name
			if p.AppProtocol != nil {
				protocol = *p.AppProtocol
			}
			if bytesOnly(protocol) {
				other = append(other, pod)
			} else {
				declared = append(declared, pod)
			}
		}
	}
	// Of Services that disagree the one counts that lets more through.
	k.tcpOnly = t.minus(m.tcpPorts(other), m.tcpPorts(declared))
}

// ruled reports whether a DestinationRule takes the identity of the mesh from
// clients of any namespace at a port of a Service.
func (m *meshLayer) ruled(s *estate.Resource[corev1.Service], port int32) bool {
	return slices.ContainsFunc(m.ruling, func(namespace string) bool {
		mode, _ := m.network.graph.ClientTLS(namespace, s, port)
		return anonymous(mode)
	})
}

// rulingNamespaces returns the namespaces with DestinationRules that take the
// identity of the mesh from clients: a rule works for clients of its own
// namespace at least.
func rulingNamespaces(e *estate.Estate) []string {
	var out []string
	for _, r := range estate.DestinationRules.In(e) {
		policy := r.Object.Spec.GetTrafficPolicy()
		ruling := policy.GetTls() != nil && anonymous(policy.GetTls().GetMode().String())
		for _, p := range policy.GetPortLevelSettings() {
			ruling = ruling || p.GetTls() != nil && anonymous(p.GetTls().GetMode().String())
		}
		if ruling {
			out = append(out, r.Object.Namespace)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// anonymous reports whether a client of a TLS mode shows no identity of the
// mesh.
func anonymous(mode string) bool { return mode == "DISABLE" || mode == "SIMPLE" }

func bytesOnly(protocol string) bool {
	protocol = strings.ToLower(protocol)
	for _, p := range httpProtocols {
		if protocol == p || strings.HasPrefix(protocol, p+"-") {
			return false
		}
	}
	for _, p := range otherProtocols {
		if protocol == p || strings.HasPrefix(protocol, p+"-") {
			return true
		}
	}
	return false
}

// turnedOff returns the ports of a server to which a DestinationRule makes
// clients speak without the identity of the mesh, and those to which none does:
// both where several Services lead to one port.
func (m *meshLayer) turnedOff(s *meshSource, d *meshDestination) (off, on portsID) {
	if s.kind != sidecar {
		return noPorts, noPorts // ztunnel asks no DestinationRule
	}
	var offs, ons []int32
	for _, r := range d.rules {
		if mode, _ := m.network.graph.ClientTLS(s.namespace, r.service, r.port); anonymous(mode) {
			offs = append(offs, int32(r.pod))
		} else {
			ons = append(ons, int32(r.pod))
		}
	}
	return m.tcpPorts(offs), m.tcpPorts(ons)
}
