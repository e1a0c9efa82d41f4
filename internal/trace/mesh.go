package trace

import (
	"strconv"
	"strings"

	istionetworking "istio.io/client-go/pkg/apis/networking/v1"
	istiosecurity "istio.io/client-go/pkg/apis/security/v1"

	"github.com/eksafe/eksafe/internal/estate"
)

func itoa(n int) string { return strconv.Itoa(n) }

// rootNamespace is Istio's root namespace unless meshConfig.rootNamespace says
// otherwise, which no resource of a cluster shows.
const rootNamespace = "istio-system"

// A mesh knows which workloads take part and how they accept connections.
type mesh struct {
	index    *index
	present  bool // the estate has any sign of a mesh
	peers    map[string][]*estate.Resource[istiosecurity.PeerAuthentication]
	rules    map[string][]*estate.Resource[istionetworking.DestinationRule] // by short host of the Service
	gateways []*estate.Resource[istionetworking.Gateway]
}

func newMesh(x *index) *mesh {
	m := &mesh{
		index: x,
		peers: map[string][]*estate.Resource[istiosecurity.PeerAuthentication]{},
		rules: map[string][]*estate.Resource[istionetworking.DestinationRule]{},
	}
	e := x.estate
	for _, p := range estate.PeerAuthentications.In(e) {
		m.peers[p.Object.Namespace] = append(m.peers[p.Object.Namespace], p)
		m.present = true
	}
	for _, d := range estate.DestinationRules.In(e) {
		short, _, _ := strings.Cut(d.Object.Spec.Host, ".")
		m.rules[short] = append(m.rules[short], d)
		m.present = true
	}
	m.gateways = estate.IstioGateways.In(e)
	m.present = m.present || len(m.gateways) > 0
	for _, ns := range x.namespaces {
		l := ns.Object.Labels
		if l["istio-injection"] == "enabled" || l["istio.io/rev"] != "" || l["istio.io/dataplane-mode"] == "ambient" {
			m.present = true
		}
	}
	return m
}

// membership says how w takes part in the mesh. The rules are those of Istio's
// injection webhook: the pod's own label or annotation wins over the
// namespace's, and pods on the host network are never injected.
func (m *mesh) membership(w *estate.Workload) Mesh {
	out := Mesh{At: workloadPlace(w, w.TemplateField("metadata"))}
	ns := m.index.namespaces[w.Namespace]
	nsLabels := map[string]string{}
	if ns != nil {
		nsLabels = ns.Object.Labels
	}
	pod := w.Template
	_, out.Gateway = m.gatewayOf(w)
	if pod.Annotations["inject.istio.io/templates"] == "gateway" {
		out.Gateway = true
	}
	inject, own := pod.Labels["sidecar.istio.io/inject"], "labels"
	if inject == "" {
		inject, own = pod.Annotations["sidecar.istio.io/inject"], "annotations"
	}
	mode := pod.Labels["istio.io/dataplane-mode"]
	if mode == "" {
		mode = nsLabels["istio.io/dataplane-mode"]
	}
	nsInjects := nsLabels["istio-injection"] == "enabled" || nsLabels["istio-injection"] == "" && nsLabels["istio.io/rev"] != ""
	switch {
	case pod.Spec.HostNetwork:
		out.In, out.Why = No, "it runs on the host network, where Istio adds no sidecar"
		out.Declared = nsInjects || mode == "ambient"
		out.At = workloadPlace(w, w.TemplateField("spec.hostNetwork"))
	case m.runs(w, "istio-proxy"):
		out.In, out.Declared, out.Why = Yes, true, "its pods run istio-proxy"
	case inject == "false":
		out.In, out.Why = No, "sidecar.istio.io/inject is false"
		out.Declared = nsInjects
		out.At = workloadPlace(w, w.TemplateField("metadata."+own+"[sidecar.istio.io/inject]"))
	case mode == "none":
		out.In, out.Why = No, "istio.io/dataplane-mode is none"
		out.Declared = nsLabels["istio.io/dataplane-mode"] == "ambient"
	case mode == "ambient" && !nsInjects && inject != "true":
		out.In, out.Ambient, out.Declared, out.Why = Yes, true, true, "istio.io/dataplane-mode is ambient"
	case inject == "true" || nsInjects:
		out.In, out.Declared, out.Why = Yes, true, "Istio injects a sidecar"
		if len(w.Pods) > 0 && w.Pods[0].Containers != nil {
			// The cluster shows pods without the proxy: injection was turned
			// on after they started, or failed.
			out.In, out.Why = No, "its running pods have no istio-proxy; restart them so that Istio injects it"
		}
	case ns == nil && m.present:
		out.In, out.Why = Unclear, "namespace "+w.Namespace+" was not read, and its labels decide"
	default:
		out.In, out.Why = No, "neither its namespace nor its pods ask for Istio"
	}
	return out
}

// runs reports whether a container of this name is in the template or in the
// running pods.
func (m *mesh) runs(w *estate.Workload, container string) bool {
	for _, c := range allContainers(w) {
		if c.Name == container {
			return true
		}
	}
	for _, p := range w.Pods {
		for _, c := range p.Containers {
			if c == container {
				return true
			}
		}
	}
	return false
}

// mode resolves the PeerAuthentications for a port of w: port, workload,
// namespace, root namespace, then Istio's default. UNSET inherits; a policy
// with a selector in the root namespace is ignored by Istio.
func (m *mesh) mode(w *estate.Workload, port int32) MTLS {
	var nsWide, own *estate.Resource[istiosecurity.PeerAuthentication]
	for _, p := range m.peers[w.Namespace] {
		sel := p.Object.Spec.GetSelector().GetMatchLabels()
		switch {
		case len(sel) == 0:
			nsWide = older(nsWide, p)
		case w.Namespace != rootNamespace && hasLabels(w.Template.Labels, sel):
			own = older(own, p)
		}
	}
	var root *estate.Resource[istiosecurity.PeerAuthentication]
	for _, p := range m.peers[rootNamespace] {
		if len(p.Object.Spec.GetSelector().GetMatchLabels()) == 0 {
			root = older(root, p)
		}
	}
	if own != nil && port != 0 {
		if set, ok := own.Object.Spec.GetPortLevelMtls()[uint32(port)]; ok {
			if mode := set.GetMode().String(); mode != "UNSET" {
				return MTLS{mode, "PeerAuthentication " + own.Object.Name + " says " + mode + " for port " + itoa(int(port)),
					placeOf(estate.PeerAuthentications, own, "spec.portLevelMtls["+itoa(int(port))+"].mode")}
			}
		}
	}
	for _, p := range []*estate.Resource[istiosecurity.PeerAuthentication]{own, nsWide, root} {
		if p == nil {
			continue
		}
		if mode := p.Object.Spec.GetMtls().GetMode().String(); mode != "UNSET" {
			return MTLS{mode, "PeerAuthentication " + p.Object.Namespace + "/" + p.Object.Name + " says " + mode,
				placeOf(estate.PeerAuthentications, p, "spec.mtls.mode")}
		}
	}
	return MTLS{Mode: "PERMISSIVE", Why: "no PeerAuthentication sets a mode, and Istio's default is PERMISSIVE"}
}

// older returns the one that Istio takes of two policies of one scope.
func older(a, b *estate.Resource[istiosecurity.PeerAuthentication]) *estate.Resource[istiosecurity.PeerAuthentication] {
	if a == nil {
		return b
	}
	at, bt := a.Object.CreationTimestamp, b.Object.CreationTimestamp
	if bt.Before(&at) || at.Equal(&bt) && b.Object.Name < a.Object.Name {
		return b
	}
	return a
}

// clientTLS returns the TLS mode that a DestinationRule sets for connections
// of a workload's namespace to a Service's port: "" if none does.
func (m *mesh) clientTLS(clientNamespace string, s *service, port int32) (mode string, at Place) {
	fqdn := s.Object.Name + "." + s.Object.Namespace + ".svc.cluster.local"
	for _, key := range []string{s.Object.Name, "*"} {
		for _, d := range m.rules[key] {
			host := d.Object.Spec.Host
			if !strings.Contains(host, ".") && host != "*" {
				host += "." + d.Object.Namespace + ".svc.cluster.local"
			}
			if host != fqdn && host != s.Object.Name+"."+s.Object.Namespace && host != s.Object.Name+"."+s.Object.Namespace+".svc" &&
				!(strings.HasPrefix(host, "*") && strings.HasSuffix(fqdn, strings.TrimPrefix(host, "*"))) {
				continue
			}
			// A rule works for clients of its own namespace, of the Service's
			// and, from the root namespace, for all.
			if ns := d.Object.Namespace; ns != clientNamespace && ns != s.Object.Namespace && ns != rootNamespace {
				continue
			}
			policy := d.Object.Spec.GetTrafficPolicy()
			for i, p := range policy.GetPortLevelSettings() {
				if p.GetPort().GetNumber() == uint32(port) && p.GetTls() != nil {
					return p.GetTls().GetMode().String(), placeOf(estate.DestinationRules, d, "spec.trafficPolicy.portLevelSettings["+itoa(i)+"].tls.mode")
				}
			}
			if policy.GetTls() != nil {
				return policy.GetTls().GetMode().String(), placeOf(estate.DestinationRules, d, "spec.trafficPolicy.tls.mode")
			}
		}
	}
	return "", Place{}
}

// gatewayOf returns an Istio Gateway that configures w's pods.
func (m *mesh) gatewayOf(w *estate.Workload) (*estate.Resource[istionetworking.Gateway], bool) {
	for _, g := range m.gateways {
		sel := g.Object.Spec.GetSelector()
		if len(sel) > 0 && hasLabels(w.Template.Labels, sel) {
			return g, true
		}
	}
	return nil, false
}

// gatewayTLS returns the evidence of the Gateways that configure w for a port
// of its pods. A Gateway names the port of the Service in front of the pods.
func (m *mesh) gatewayTLS(w *estate.Workload, port int32) (Evidence, bool) {
	ports := map[uint32]bool{uint32(port): true}
	for _, s := range m.index.servicesOf[w] {
		for _, p := range s.Object.Spec.Ports {
			if podPort(p, w) == port {
				ports[uint32(p.Port)] = true
			}
		}
	}
	for _, g := range m.gateways {
		sel := g.Object.Spec.GetSelector()
		if len(sel) == 0 || !hasLabels(w.Template.Labels, sel) {
			continue
		}
		for i, s := range g.Object.Spec.GetServers() {
			if !ports[s.GetPort().GetNumber()] {
				continue
			}
			at := placeOf(estate.IstioGateways, g, "spec.servers["+itoa(i)+"]")
			mode := s.GetTls().GetMode().String()
			protocol := strings.ToUpper(s.GetPort().GetProtocol())
			switch {
			case s.GetTls() != nil && (mode == "SIMPLE" || mode == "MUTUAL" || mode == "ISTIO_MUTUAL" || mode == "OPTIONAL_MUTUAL"):
				return Evidence{TLS: Yes, By: "Istio gateway " + g.Object.Name, Why: "its server " + protocol + " terminates TLS (" + mode + ")", At: at}, true
			case protocol == "HTTP" || protocol == "HTTP2" || protocol == "GRPC":
				return Evidence{TLS: No, Why: "Istio gateway " + g.Object.Name + " serves " + protocol + " at port " + itoa(int(s.GetPort().GetNumber())), At: at}, true
			}
		}
	}
	return Evidence{}, false
}

// hasGateways lets callers skip the search in estates without a mesh.
func (m *mesh) hasGateways() bool { return len(m.gateways) > 0 }
