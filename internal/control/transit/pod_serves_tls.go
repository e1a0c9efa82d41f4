package transit

import (
	"github.com/eksafe/eksafe/internal/control"
	"github.com/eksafe/eksafe/internal/estate"
	"github.com/eksafe/eksafe/internal/trace"
)

var podServesTls = &control.Control{
	ID:       "pod-serves-tls",
	Title:    "Pods behind a load balancer serve TLS at the port that it speaks to",
	Severity: control.High,
	Refs:     []control.Ref{control.Guide("network"), control.Project("istio-peer-authentication")},
	Serves:   []string{"S7", "S8", "S9"},
	Since:    "0.1.0",
	Check: control.Traced(backends, backend.place, judgePodServesTLS, entryKinds...).
		Helped(targetHelpers...).
		Helped(estate.PeerAuthentications.Kind, estate.Namespaces.Kind, estate.NetworkPolicies.Kind),
}

// A backend is a workload behind a load balancer.
type backend struct {
	forward
	workload *estate.Workload
	hop      *trace.Hop
}

// backends returns every workload once for each of its ports that load
// balancers lead to and each protocol that they speak.
func backends(g *trace.Graph) []backend {
	type key struct {
		workload *estate.Workload
		port     int32
		protocol string
	}
	seen := map[key]bool{}
	var out []backend
	for _, l := range g.Listeners() {
		for _, t := range targetsOf(l) {
			for i, w := range t.Workloads {
				k := key{w, t.PodPort, t.Protocol.Or("")}
				if seen[k] {
					continue
				}
				seen[k] = true
				b := backend{forward: forward{l, t}, workload: w}
				if i < len(t.Hops) {
					b.hop = t.Hops[i]
				}
				out = append(out, b)
			}
		}
	}
	return out
}

func (b backend) place() trace.Place {
	return trace.Place{Subject: estate.Workloads.Ref(b.workload), Origin: &b.workload.Origin}
}

func judgePodServesTLS(s *control.Subject, b backend) {
	port := b.target.PodPort
	protocol, known := b.target.Protocol.Get()
	ev := s.Graph().ServesTLS(b.workload, port)
	kind := trace.TypeName(b.listener.LoadBalancer.Type)
	if hidden(s, b.listener.LoadBalancer, true) || b.intoMesh(s) {
		return
	}
	switch {
	case !known:
		s.Unknownf("what the load balancer speaks to port %d of %s is not known", port, b.workload.Name)
		return
	case protocol == "HTTPS" || protocol == "TLS" || protocol == "SSL" || protocol == "TCP" && !b.listener.TLS():
	case ev.TLS == trace.Yes && (protocol == "HTTP" || protocol == "TCP"):
		s.FailAt(or(ev.At, b.place()), "broken: %s serves TLS at port %d (%s), and the %s speaks plain %s to it", b.workload.Name, port, ev.Why, kind, protocol)
		return
	default:
		s.NotApplicable() // plaintext on both sides is target-encrypted's
		return
	}
	switch ev.TLS {
	case trace.No:
		s.FailAt(or(ev.At, b.place()), "the %s speaks %s to port %d, but %s", kind, protocol, port, ev.Why)
	case trace.Unclear:
		s.Unknownf("%s; give it an HTTPS probe, or mount its certificate where it serves", ev.Why)
	case trace.Yes:
		if !ev.Sidecar {
			return
		}
		switch ev.PlainClosed {
		case trace.No:
			s.FailAt(or(ev.At, b.place()), "whoever reaches the pod goes around the sidecar: %s", ev.PlainClosedWhy)
		case trace.Unclear:
			s.Unknownf("whether the sidecar of %s can be gone around is not known: %s", b.workload.Name, ev.PlainClosedWhy)
		}
	}
}

// intoMesh reports a load balancer that speaks to a member of a mesh which
// accepts mutual TLS only: it has no certificate of the mesh, so nothing gets
// through, whatever protocol it speaks.
func (b backend) intoMesh(s *control.Subject) bool {
	if b.hop == nil || !b.hop.Broken {
		return false
	}
	mesh := s.Graph().Mesh(b.workload)
	if mesh.In != trace.Yes || mesh.Gateway {
		return false
	}
	mtls := s.Graph().MTLS(b.workload, b.target.PodPort)
	if mtls.Mode != "STRICT" {
		return false
	}
	s.FailAt(b.forward.place(), "broken: the %s speaks to %s, which accepts mutual TLS of the mesh only (%s); lead it over HTTPS to a gateway of the mesh, and the gateway to %[2]s",
		trace.TypeName(b.listener.LoadBalancer.Type), b.workload.Name, mtls.Why)
	return true
}
