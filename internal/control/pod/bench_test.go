package pod

import (
	"fmt"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/eksafe/eksafe/internal/control"
	"github.com/eksafe/eksafe/internal/control/controltest"
	"github.com/eksafe/eksafe/internal/estate"
	"github.com/eksafe/eksafe/internal/trace"
)

// Both controls on 10,000 workloads that set nothing: the usual estate, and
// the slowest one.
func BenchmarkStandards(b *testing.B) {
	e := &estate.Estate{Sources: []estate.Source{{Coverage: []estate.Coverage{{Kind: estate.Workloads.Kind, State: estate.Read}}}}}
	for i := range 10_000 {
		w := &estate.Workload{Controller: "Deployment"}
		w.Namespace, w.Name = "shop", fmt.Sprint("app-", i)
		w.Template.Spec.Containers = []corev1.Container{
			{Name: "app", Image: "app:1", Ports: []corev1.ContainerPort{{ContainerPort: 8080}}},
			{Name: "log", Image: "log:1"},
		}
		estate.Workloads.Add(e, w)
	}
	g := &trace.Graph{Estate: e}
	b.ReportAllocs()
	for b.Loop() {
		control.Run(g, []*control.Control{podBaseline, podRestricted}, controltest.Now, nil)
	}
}
