package transit

import (
	"maps"
	"slices"

	"github.com/eksafe/eksafe/internal/control"
	"github.com/eksafe/eksafe/internal/estate"
	"github.com/eksafe/eksafe/internal/trace"
)

var meshMtlsStrict = &control.Control{
	ID:        "mesh-mtls-strict",
	Title:     "Members of the mesh accept mutual TLS only",
	Severity:  control.High,
	Refs:      []control.Ref{control.Project("istio-peer-authentication"), control.Guide("network")},
	Serves:    []string{"S3", "S9"},
	Since:     "0.1.0",
	Admission: meshMtlsStrictAdmission,
	Check: control.Traced(members, member.place, judgeMeshMTLSStrict, estate.Workloads.Kind).
		Helped(estate.Namespaces.Kind, estate.PeerAuthentications.Kind, estate.IstioGateways.Kind, estate.Services.Kind).
		Where(inMesh),
}

// A member is a workload that may be in the mesh, and the ports that the
// PeerAuthentications of its namespace name.
type member struct {
	*estate.Workload
	named map[int32]bool
}

func (m member) place() trace.Place { return placeOfWorkload(m.Workload) }

func members(g *trace.Graph) []member {
	named := map[string]map[int32]bool{}
	for _, p := range estate.PeerAuthentications.In(g.Estate) {
		ns := p.Object.Namespace
		for port := range p.Object.Spec.GetPortLevelMtls() {
			if named[ns] == nil {
				named[ns] = map[int32]bool{}
			}
			named[ns][int32(port)] = true
		}
	}
	var out []member
	for _, w := range workloads(g) {
		out = append(out, member{w, named[w.Namespace]})
	}
	return out
}

func judgeMeshMTLSStrict(s *control.Subject, w member) {
	g := s.Graph()
	mesh := g.Mesh(w.Workload)
	switch {
	case mesh.In == trace.Unclear:
		s.Unknownf("whether %s is in the mesh is not known: %s", w.Name, mesh.Why)
		return
	// A gateway takes its ports from Gateways, not from PeerAuthentications.
	case mesh.In == trace.No || mesh.Gateway:
		s.NotApplicable()
		return
	}
	all := g.MTLS(w.Workload, 0)
	reportMTLS(s, w.Workload, all, mesh.Ambient, "")
	for _, port := range w.ports(g) {
		// A port that inherits is reported once, with the workload.
		if m := g.MTLS(w.Workload, port); m.At != all.At {
			reportMTLS(s, w.Workload, m, mesh.Ambient, portSuffix(port))
		}
	}
}

func reportMTLS(s *control.Subject, w *estate.Workload, m trace.MTLS, ambient bool, port string) {
	var what string
	switch {
	case m.Mode == "STRICT":
		return
	case m.Mode == "PERMISSIVE", m.Mode == "DISABLE" && ambient: // an ambient mesh cannot turn it off
		what = "accepts plaintext beside mutual TLS"
	case m.Mode == "DISABLE":
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

// ports returns the ports at which the pods may be reached: of their
// containers, of the Services that lead to them, and those that a
// PeerAuthentication names.
func (w member) ports(g *trace.Graph) []int32 {
	ports := maps.Clone(w.named)
	if ports == nil {
		ports = map[int32]bool{}
	}
	for _, c := range slices.Concat(w.Template.Spec.Containers, w.Template.Spec.InitContainers) {
		for _, p := range c.Ports {
			ports[p.ContainerPort] = true
		}
	}
	for _, svc := range g.Services(w.Workload) {
		for _, p := range svc.Object.Spec.Ports {
			switch {
			case p.TargetPort.IntVal != 0:
				ports[p.TargetPort.IntVal] = true
			case p.TargetPort.StrVal == "":
				ports[p.Port] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(ports))
}
