package transit

import (
	"github.com/eksafe/eksafe/internal/control"
	"github.com/eksafe/eksafe/internal/estate"
	"github.com/eksafe/eksafe/internal/trace"
)

var serviceHopEncrypted = &control.Control{
	ID:       "service-hop-encrypted",
	Title:    "Pods speak to each other encrypted",
	Severity: control.Medium,
	Refs:     []control.Ref{control.Guide("network")},
	Serves:   []string{"S3"},
	Since:    "0.1.0",
	Check: control.Traced(hopsOf(trace.ServiceLeg), (*trace.Hop).Place, judgeServiceHop, estate.Workloads.Kind).
		Helped(estate.Services.Kind, estate.ConfigMaps.Kind, estate.Namespaces.Kind, estate.PeerAuthentications.Kind,
			estate.DestinationRules.Kind, estate.IstioGateways.Kind),
}

func hopsOf(legs ...trace.Leg) func(*trace.Graph) []*trace.Hop {
	return func(g *trace.Graph) []*trace.Hop { return g.HopsOf(legs...) }
}

func judgeServiceHop(s *control.Subject, h *trace.Hop) {
	// What looks like plaintext may travel in a mesh that was not read.
	if h.Encryption != trace.Encrypted {
		for _, k := range []estate.Kind{estate.Namespaces.Kind, estate.PeerAuthentications.Kind} {
			if !s.Read(k) && (k == estate.Namespaces.Kind || s.Graph().HasMesh()) {
				s.Unknownf("whether %s speaks to %s encrypted is not known: %s, which decides about the mesh, was not read", h.From.Name, h.To.Name, k)
				return
			}
		}
	}
	s.Facing(h.To)
	switch h.Encryption {
	case trace.Plaintext:
		s.FailAt(h.Place(), "%s speaks to %s in plaintext: %s", h.From.Name, h.To.Name, h.Why)
	case trace.Optional:
		s.FailAt(h.Place(), "%s may speak to %s in plaintext: %s", h.From.Name, h.To.Name, h.Why)
	case trace.Unknown:
		s.Unknownf("whether %s speaks to %s encrypted is not known: %s", h.From.Name, h.To.Name, h.Why)
	}
}
