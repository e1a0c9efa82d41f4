package network

import (
	"github.com/eksafe/eksafe/internal/control"
	"github.com/eksafe/eksafe/internal/estate"
)

var defaultDenyIngress = &control.Control{
	ID:       "default-deny-ingress",
	Title:    "Nobody reaches a pod of an application unless a policy allows it",
	Severity: control.High,
	Refs:     []control.Ref{control.CISEKS("4.3.2"), control.Project("kubernetes-network-policies"), control.NSA("Network separation and hardening")},
	Serves:   []string{"S14", "S15"},
	Since:    "0.1.0",
	Check: control.Traced(applications, (*namespace).at, judgeDefault(ingress), estate.Workloads.Kind, estate.Namespaces.Kind).
		Needs(policyKinds...),
}
