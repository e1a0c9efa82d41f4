package pod

import (
	corev1 "k8s.io/api/core/v1"

	"github.com/eksafe/eksafe/internal/control"
	"github.com/eksafe/eksafe/internal/estate"
	"github.com/eksafe/eksafe/internal/platform"
)

var rootReadonly = &control.Control{
	ID:        "root-readonly",
	Title:     "Containers cannot write to their image's file system",
	Severity:  control.Low,
	Refs:      []control.Ref{control.NSA("Kubernetes Pod security")},
	Serves:    []string{"S19"},
	Since:     "0.1.0",
	Admission: rootReadonlyAdmission,
	Check:     control.Each(estate.Workloads, judgeRoot),
}

func judgeRoot(s *control.Subject, w *estate.Workload) {
	spec := &w.Template.Spec
	if onWindows(spec) {
		s.NotApplicable()
		return
	}
	var writable []miss
	lastingContainers(spec, func(path string, c *corev1.Container) {
		if sc := c.SecurityContext; sc == nil || sc.ReadOnlyRootFilesystem == nil || !*sc.ReadOnlyRootFilesystem {
			writable = append(writable, miss{path + ".securityContext.readOnlyRootFilesystem", "container " + c.Name + " can write to its root file system"})
		}
	})
	report(s, w, writable)
}

// report reports what a workload misses, or that it must be so.
func report(s *control.Subject, w *estate.Workload, found []miss) {
	if len(found) == 0 {
		return
	}
	if why := platform.Expected(w); why != "" {
		s.Expected(why)
		return
	}
	for _, m := range found {
		s.Failf(w.TemplateField(m.field), "%s", m.message)
	}
}

func onWindows(spec *corev1.PodSpec) bool { return spec.OS != nil && spec.OS.Name == corev1.Windows }

// lastingContainers calls yield for the containers that a template has;
// ephemeral ones are added to a pod that runs.
func lastingContainers(spec *corev1.PodSpec, yield func(path string, c *corev1.Container)) {
	eachContainer(&corev1.PodSpec{InitContainers: spec.InitContainers, Containers: spec.Containers}, yield)
}
