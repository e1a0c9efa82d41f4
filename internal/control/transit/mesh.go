package transit

import (
	"strconv"

	"github.com/eksafe/eksafe/internal/estate"
	"github.com/eksafe/eksafe/internal/trace"
)

func workloads(g *trace.Graph) []*estate.Workload { return estate.Workloads.In(g.Estate) }

func placeOfWorkload(w *estate.Workload) trace.Place {
	return trace.Place{Subject: estate.Workloads.Ref(w), Origin: &w.Origin}
}

// inMesh limits a check to estates with a sign of a mesh.
func inMesh(g *trace.Graph) (bool, string) {
	return g.HasMesh(), "nothing in the estate shows a service mesh"
}

func portSuffix(port int32) string {
	return " at port " + strconv.Itoa(int(port))
}
