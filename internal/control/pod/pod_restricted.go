package pod

import (
	"k8s.io/pod-security-admission/api"

	"github.com/eksafe/eksafe/internal/control"
	"github.com/eksafe/eksafe/internal/estate"
)

var podRestricted = &control.Control{
	ID:       "pod-restricted",
	Title:    "Every workload meets the restricted Pod Security Standard",
	Severity: control.Medium,
	Refs:     []control.Ref{control.PSS("restricted", ""), control.CISEKS("4.2.5"), control.NSA("Kubernetes Pod security"), control.ATTACK("T1611")},
	Serves:   []string{"S19"},
	Since:    "0.1.0",
	// Checks of the baseline level are pod-baseline's.
	Check: control.Each(estate.Workloads, judgeLevel(api.LevelRestricted)),
}
