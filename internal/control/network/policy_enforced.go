package network

import (
	"cmp"

	"github.com/eksafe/eksafe/internal/control"
	"github.com/eksafe/eksafe/internal/estate"
	"github.com/eksafe/eksafe/internal/reach"
	"github.com/eksafe/eksafe/internal/trace"
)

var policyEnforced = &control.Control{
	ID:       "policy-enforced",
	Title:    "Something enforces network policies on every node",
	Severity: control.Critical,
	Refs:     []control.Ref{control.CISEKS("5.4.4"), control.AWS("eks-network-policy"), control.NSA("Network separation and hardening")},
	Serves:   []string{"S14"},
	Since:    "0.1.0",
	Check: control.Whole(clusterPlace, judgeEnforced, estate.Workloads.Kind, estate.ConfigMaps.Kind).
		Helped(estate.Clusters.Kind, estate.Addons.Kind, estate.Nodes.Kind),
}

// clusterPlace stands for the cluster: AWS's where there is one, else its name.
func clusterPlace(e *estate.Estate) (trace.Place, bool) {
	if clusters := estate.Clusters.In(e); len(clusters) == 1 {
		return trace.Place{Subject: estate.Clusters.Ref(clusters[0]), Origin: &clusters[0].Origin}, true
	}
	workloads := estate.Workloads.In(e)
	if len(workloads) == 0 {
		return trace.Place{}, false
	}
	name := "cluster"
	for _, w := range workloads {
		name = cmp.Or(w.Origin.Cluster, name)
	}
	return trace.Place{Subject: estate.NamedRef(estate.Clusters.Kind, "cluster", "", name)}, true
}

func judgeEnforced(s *control.Subject) {
	e := reach.Of(s.Graph()).Enforcement()
	switch e.State {
	case trace.No:
		s.FailAt(e.Place, "%s", e.Why)
	case trace.Unclear:
		s.Unknownf("%s", e.Why)
	}
}
