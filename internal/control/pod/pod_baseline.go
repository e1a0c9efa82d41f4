package pod

import (
	"k8s.io/pod-security-admission/api"

	"github.com/eksafe/eksafe/internal/control"
	"github.com/eksafe/eksafe/internal/estate"
)

var podBaseline = &control.Control{
	ID:       "pod-baseline",
	Title:    "Every workload meets the baseline Pod Security Standard",
	Severity: control.Critical,
	Refs: []control.Ref{
		control.PSS("baseline", ""), control.CISEKS("4.2.1"), control.CISEKS("4.2.2"), control.CISEKS("4.2.3"),
		control.CISEKS("4.2.4"), control.NSA("Kubernetes Pod security"), control.ATTACK("T1611"),
	},
	Serves: []string{"S19"},
	Since:  "0.1.0",
	Check:  control.Each(estate.Workloads, judgeLevel(api.LevelBaseline)),
}
