package transit

import (
	"maps"
	"slices"

	"github.com/eksafe/eksafe/internal/control"
	"github.com/eksafe/eksafe/internal/estate"
	"github.com/eksafe/eksafe/internal/trace"
)

var meshMtlsStrict = &control.Control{
	ID:       "mesh-mtls-strict",
	Title:    "Members of the mesh accept mutual TLS only",
	Severity: control.High,
	Refs:     []control.Ref{control.Project("istio-peer-authentication"), control.Guide("network")},
	Serves:   []string{"S3", "S9"},
	Since:    "0.1.0",
	Check: control.Traced(workloads, placeOfWorkload, judgeMeshMTLSStrict, estate.Workloads.Kind).
		Helped(estate.Namespaces.Kind, estate.PeerAuthentications.Kind, estate.IstioGateways.Kind, estate.Services.Kind).
		Where(inMesh),
}

func judgeMeshMTLSStrict(s *control.Subject, w *estate.Workload) {
	g := s.Graph()
	mesh := g.Mesh(w)
	switch {
	case mesh.In == trace.Unclear:
		s.Unknownf("whether %s is in the mesh is not known: %s", w.Name, mesh.Why)
		return
	// A gateway takes its ports from Gateways, not from PeerAuthentications.
	case mesh.In == trace.No || mesh.Gateway:
		s.NotApplicable()
		return
	}
	all := g.MTLS(w, 0)
	reportMTLS(s, w, all, "")
	for _, port := range portsOf(s, w) {
		// A port that inherits is reported once, with the workload.
		if m := g.MTLS(w, port); m.At != all.At {
			reportMTLS(s, w, m, portSuffix(port))
		}
	}
}

func reportMTLS(s *control.Subject, w *estate.Workload, m trace.MTLS, port string) {
	var what string
	switch m.Mode {
	case "STRICT":
		return
	case "PERMISSIVE":
		what = "accepts plaintext beside mutual TLS"
	case "DISABLE":
		what = "accepts plaintext only"
	default:
		s.Unknownf("the mode %s of %s is not known to eksafe", m.Mode, w.Name)
		return
	}
	at := m.At
	if at.Subject.IsZero() {
		if !s.Read(estate.PeerAuthentications.Kind) {
			s.Unknownf("the mode of %s is not known: PeerAuthentications were not read", w.Name)
			return
		}
		// Nothing sets a mode: what is missing belongs to the namespace.
		at = trace.Place{Subject: estate.NamedRef(estate.Namespaces.Kind, string(estate.Namespaces.Kind), "", w.Namespace)}
		if ns, ok := control.Find(s, estate.Namespaces, at.Subject.ID); ok {
			at.Origin = &ns.Origin
		}
	}
	s.FailAt(at, "the mesh %s%s: %s", what, port, m.Why)
}

// portsOf returns the ports at which w may be reached: of its containers, of
// the Services that lead to it, and those that a PeerAuthentication names.
func portsOf(s *control.Subject, w *estate.Workload) []int32 {
	ports := map[int32]bool{}
	for _, c := range slices.Concat(w.Template.Spec.Containers, w.Template.Spec.InitContainers) {
		for _, p := range c.Ports {
			ports[p.ContainerPort] = true
		}
	}
	for _, svc := range s.Graph().Services(w) {
		for _, p := range svc.Object.Spec.Ports {
			switch {
			case p.TargetPort.IntVal != 0:
				ports[p.TargetPort.IntVal] = true
			case p.TargetPort.StrVal == "":
				ports[p.Port] = true
			}
		}
	}
	for _, p := range control.All(s, estate.PeerAuthentications) {
		if p.Object.Namespace != w.Namespace {
			continue
		}
		for port := range p.Object.Spec.GetPortLevelMtls() {
			ports[int32(port)] = true
		}
	}
	return slices.Sorted(maps.Keys(ports))
}
