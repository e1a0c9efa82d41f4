package pod

import (
	corev1 "k8s.io/api/core/v1"

	"github.com/eksafe/eksafe/internal/control"
	"github.com/eksafe/eksafe/internal/estate"
	"github.com/eksafe/eksafe/internal/trace"
)

var resourceLimits = &control.Control{
	ID:        "resource-limits",
	Title:     "Every container has a memory limit and a CPU request",
	Severity:  control.Medium,
	Refs:      []control.Ref{control.NSA("Network separation and hardening")},
	Serves:    []string{"S19"},
	Since:     "0.1.0",
	Admission: resourceLimitsAdmission,
	Check: control.Traced(budgets, func(b budget) trace.Place { return b.place }, judgeBudget, estate.Workloads.Kind).
		Helped(estate.LimitRanges.Kind),
}

// A budget is a workload and what the LimitRanges of its namespace give to
// containers that name nothing.
type budget struct {
	place       trace.Place
	workload    *estate.Workload
	memory, cpu bool // given: a limit, a request
}

func budgets(g *trace.Graph) []budget {
	memory, cpu := map[string]bool{}, map[string]bool{}
	for _, l := range estate.LimitRanges.In(g.Estate) {
		for _, item := range l.Object.Spec.Limits {
			if item.Type != corev1.LimitTypeContainer {
				continue
			}
			// The API server takes a maximum for the default limit, and that or a
			// minimum for the default request.
			ns := l.Object.Namespace
			memory[ns] = memory[ns] || names(corev1.ResourceMemory, item.Default, item.Max)
			cpu[ns] = cpu[ns] || names(corev1.ResourceCPU, item.DefaultRequest, item.Default, item.Max, item.Min)
		}
	}
	var out []budget
	for _, w := range estate.Workloads.In(g.Estate) {
		out = append(out, budget{
			place:    trace.Place{Subject: estate.Workloads.Ref(w), Origin: &w.Origin},
			workload: w,
			memory:   memory[w.Namespace],
			cpu:      cpu[w.Namespace],
		})
	}
	return out
}

// names reports whether one of the lists has a quantity of the resource that
// is not zero.
func names(r corev1.ResourceName, lists ...corev1.ResourceList) bool {
	for _, l := range lists {
		if q, ok := l[r]; ok && !q.IsZero() {
			return true
		}
	}
	return false
}

func judgeBudget(s *control.Subject, b budget) {
	spec := &b.workload.Template.Spec
	memory, cpu := b.memory, b.cpu
	if pod := spec.Resources; pod != nil { // of all containers together
		memory = memory || names(corev1.ResourceMemory, pod.Limits)
		cpu = cpu || names(corev1.ResourceCPU, pod.Requests, pod.Limits)
	}
	var found []miss
	lastingContainers(spec, func(path string, c *corev1.Container) {
		if !memory && !names(corev1.ResourceMemory, c.Resources.Limits) {
			found = append(found, miss{path + ".resources.limits.memory", "container " + c.Name + " may take all memory of its node"})
		}
		// A limit without a request is the request as well.
		if !cpu && !names(corev1.ResourceCPU, c.Resources.Requests, c.Resources.Limits) {
			found = append(found, miss{path + ".resources.requests.cpu", "container " + c.Name + " requests no CPU, so others may starve it"})
		}
	})
	if len(found) > 0 && !s.Read(estate.LimitRanges.Kind) {
		s.Unknownf("%s, unless a LimitRange says otherwise, and those of namespace %s were not read (add their manifests, or --kube)", found[0].message, b.workload.Namespace)
		return
	}
	report(s, b.workload, found)
}
