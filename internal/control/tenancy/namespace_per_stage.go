package tenancy

import (
	"maps"
	"slices"
	"strings"

	"github.com/eksafe/eksafe/internal/control"
	"github.com/eksafe/eksafe/internal/estate"
	"github.com/eksafe/eksafe/internal/trace"
)

var namespacePerStage = &control.Control{
	ID:        "namespace-per-stage",
	Title:     "Each project and each stage has a namespace of its own",
	Severity:  control.Medium,
	Refs:      []control.Ref{control.CISEKS("4.5.1"), control.CISEKS("4.5.2"), control.NSA("Network separation and hardening")},
	Serves:    []string{"S29"},
	Since:     "0.1.0",
	Admission: namespacePerStageAdmission,
	Check:     namespaces(judgePerStage),
}

// partOf is the recommended label for the project of a workload.
const partOf = "app.kubernetes.io/part-of"

func judgePerStage(s *control.Subject, n *namespace) {
	if len(n.workloads) == 0 {
		s.NotApplicable()
		return
	}
	if n.name == "default" {
		for _, w := range n.workloads {
			s.FailAt(trace.Place{Subject: estate.Workloads.Ref(w), Origin: &w.Origin, Field: "metadata.namespace"},
				"it stands in default, which belongs to no project and no stage")
		}
		return
	}
	stage := stageOf(s.Config(), n.name, n.labels)
	projects := map[string]bool{}
	for _, w := range n.workloads {
		if p := label(w, partOf); p != "" {
			projects[p] = true
		}
		own := labelledStage(w.Labels)
		if own == "" {
			own = labelledStage(w.Template.Labels)
		}
		if stage != "" && own != "" && own != stage {
			s.FailAt(trace.Place{Subject: estate.Workloads.Ref(w), Origin: &w.Origin, Field: "metadata.namespace"},
				"it is of stage %s, and namespace %s of stage %s", own, n.name, stage)
		}
	}
	if len(projects) > 1 {
		s.Failf("", "it holds the projects %s", strings.Join(slices.Sorted(maps.Keys(projects)), ", "))
	}
	switch {
	case stage != "":
	case !n.read:
		s.Unknownf("the labels of namespace %s are not known: workloads name it, but it was not read (add its manifest, or --kube)", n.name)
	default:
		s.Unknownf("which stage namespace %s is of is not known: neither its name nor a label tells; label it stage", n.name)
	}
}

// label returns a label of the workload or of its pods.
func label(w *estate.Workload, key string) string {
	if v := w.Labels[key]; v != "" {
		return v
	}
	return w.Template.Labels[key]
}
