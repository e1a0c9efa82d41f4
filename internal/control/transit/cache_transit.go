package transit

import (
	"github.com/eksafe/eksafe/internal/control"
	"github.com/eksafe/eksafe/internal/estate"
	"github.com/eksafe/eksafe/internal/trace"
)

var cacheTransit = &control.Control{
	ID:       "cache-transit",
	Title:    "Caches, brokers and search domains that applications use encrypt in transit",
	Severity: control.Medium,
	Refs:     []control.Ref{control.FSBP("ElastiCache.5"), control.FSBP("MSK.1"), control.FSBP("Opensearch.3"), control.FSBP("Opensearch.8")},
	Serves:   []string{"S3"},
	Since:    "0.1.0",
	Check: control.Traced(hopsOf(trace.CacheLeg), (*trace.Hop).Place, judgeCacheTransit, estate.Workloads.Kind).
		Helped(estate.ConfigMaps.Kind, estate.Services.Kind, estate.Caches.Kind, estate.KafkaClusters.Kind, estate.OpenSearchDomains.Kind),
}

func judgeCacheTransit(s *control.Subject, h *trace.Hop) {
	s.Facing(h.To)
	switch h.Encryption {
	case trace.Plaintext:
		s.FailAt(h.Place(), "data travels to %s in plaintext: %s", h.To.Name, h.Why)
	case trace.Optional:
		s.FailAt(h.Place(), "data may travel to %s in plaintext: %s", h.To.Name, h.Why)
	case trace.Unknown:
		s.Unknownf("whether data travels to %s encrypted is not known: %s", h.To.Name, h.Why)
	}
	s.Facing() // who reads what its nodes say stands between them
	// Behind the endpoint the data goes on from node to node.
	if k, ok := control.Find(s, estate.KafkaClusters, h.To.ID); ok && h.To.Kind == estate.KafkaClusters.Kind {
		judgeBetweenNodes(s, k.InCluster, trace.Place{Subject: h.To, Origin: &k.Origin, Field: "inCluster"})
	}
	if d, ok := control.Find(s, estate.OpenSearchDomains, h.To.ID); ok && h.To.Kind == estate.OpenSearchDomains.Kind {
		judgeBetweenNodes(s, d.NodeToNodeEncryption, trace.Place{Subject: h.To, Origin: &d.Origin, Field: "nodeToNodeEncryption"})
	}
}

func judgeBetweenNodes(s *control.Subject, encrypted estate.Optional[bool], at trace.Place) {
	on, known := encrypted.Get()
	switch {
	case !known:
		s.Unknownf("whether the nodes of %s speak to each other encrypted is not known", at.Subject.Name)
	case !on:
		s.FailAt(at, "the nodes of %s speak to each other in plaintext", at.Subject.Name)
	}
}
