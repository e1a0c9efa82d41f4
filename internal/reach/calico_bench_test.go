package reach

import (
	"fmt"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/eksafe/eksafe/internal/estate"
	"github.com/eksafe/eksafe/internal/trace"
)

// manyCalico is workloads in namespaces of twenty, each with a policy of Calico
// that lets one neighbour in, and a default of denial.
func manyCalico(workloads int) *estate.Estate {
	e := &estate.Estate{}
	for i := range workloads {
		ns, name := fmt.Sprint("team-", i/20), fmt.Sprint("app-", i)
		w := &estate.Workload{Controller: "Deployment"}
		w.Namespace, w.Name, w.Template.Labels = ns, name, map[string]string{"app": name}
		w.Template.Spec.Containers = []corev1.Container{{Name: "c", Ports: []corev1.ContainerPort{{Name: "http", ContainerPort: 8080}}}}
		w.Pods = []estate.Pod{{PodIP: fmt.Sprintf("10.%d.%d.%d", i>>16, i>>8&255, i&255)}}
		estate.Workloads.Add(e, w)
		p := &estate.Resource[estate.CalicoNetworkPolicy]{}
		p.Object.Namespace, p.Object.Name = ns, name
		p.Object.Spec.Selector = fmt.Sprintf("app == '%s'", name)
		p.Object.Spec.Types = []string{"Ingress", "Egress"}
		p.Object.Spec.Ingress = []estate.CalicoRule{{
			Action: "Allow", Protocol: "TCP", Source: estate.CalicoEntityRule{Selector: fmt.Sprintf("app == 'app-%d'", i/20*20)},
			Destination: estate.CalicoEntityRule{Selector: "has(app)", Ports: []any{"http"}},
		}}
		p.Object.Spec.Egress = []estate.CalicoRule{{
			Action: "Allow", Protocol: "UDP", Destination: estate.CalicoEntityRule{NamespaceSelector: "projectcalico.org/name == 'kube-system'", Ports: []any{float64(53)}},
		}}
		estate.CalicoNetworkPolicies.Add(e, p)
	}
	deny := &estate.Resource[estate.CalicoNetworkPolicy]{}
	deny.Object.Name, deny.Object.Spec.NamespaceSelector, deny.Object.Spec.Types = "deny", "all()", []string{"Ingress", "Egress"}
	estate.CalicoGlobalNetworkPolicies.Add(e, deny)
	return e
}

func BenchmarkCalico(b *testing.B) {
	for _, workloads := range []int{2_500, 10_000} {
		b.Run(fmt.Sprint(workloads), func(b *testing.B) {
			e := manyCalico(workloads)
			b.ReportAllocs()
			for b.Loop() {
				New(trace.New(e))
			}
		})
	}
}

// Four times the pods and policies take no sixteen times the work: every label
// that is looked up costs an allocation.
func TestCalicoIsLinear(t *testing.T) {
	if testing.Short() {
		t.Skip("builds 4,000 workloads")
	}
	work := func(workloads int) float64 {
		e := manyCalico(workloads)
		return testing.AllocsPerRun(1, func() { New(trace.New(e)) })
	}
	if small, big := work(1_000), work(4_000); big > 6*small {
		t.Errorf("1,000 workloads take %.0f allocations, 4,000 take %.0f", small, big)
	}
}
