package transit

import (
	"github.com/eksafe/eksafe/internal/control"
	"github.com/eksafe/eksafe/internal/estate"
	"github.com/eksafe/eksafe/internal/trace"
)

var meshComplete = &control.Control{
	ID:       "mesh-complete",
	Title:    "Every workload of a meshed namespace is in the mesh",
	Severity: control.Medium,
	Refs:     []control.Ref{control.Project("istio-sidecar-injection")},
	Serves:   []string{"S9"},
	Since:    "0.1.0",
	Check: control.Traced(workloads, placeOfWorkload, judgeMeshComplete, estate.Workloads.Kind).
		Helped(estate.Namespaces.Kind, estate.IstioGateways.Kind).
		Where(inMesh),
}

func judgeMeshComplete(s *control.Subject, w *estate.Workload) {
	mesh := s.Graph().Mesh(w)
	switch {
	case mesh.In == trace.Unclear:
		s.Unknownf("whether %s is in the mesh is not known: %s", w.Name, mesh.Why)
	case !mesh.Declared:
		s.NotApplicable()
	case mesh.In == trace.No:
		s.FailAt(or(mesh.At, placeOfWorkload(w)), "its namespace is in the mesh, %s is not: %s", w.Name, mesh.Why)
	}
}
