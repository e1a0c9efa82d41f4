package network

import (
	"slices"

	"github.com/eksafe/eksafe/internal/control"
	"github.com/eksafe/eksafe/internal/estate"
	"github.com/eksafe/eksafe/internal/reach"
	"github.com/eksafe/eksafe/internal/trace"
)

var policyAlive = &control.Control{
	ID:       "policy-alive",
	Title:    "Every network policy does something",
	Severity: control.Low,
	Refs:     []control.Ref{control.Project("kubernetes-network-policies")},
	Serves:   []string{"S14"},
	Since:    "0.1.0",
	Check: control.Traced(writings, writing.at, judgeAlive, slices.Concat(policyKinds, stagedKinds)...).
		Needs(estate.NetworkPolicies.Kind, estate.Workloads.Kind, estate.Namespaces.Kind).
		Helped(estate.ServiceAccounts.Kind, estate.Nodes.Kind, estate.Addons.Kind, estate.Clusters.Kind, estate.ConfigMaps.Kind),
}

// stagedKinds are the kinds of policies that are tried out.
var stagedKinds = []estate.Kind{
	estate.CalicoStagedNetworkPolicies.Kind, estate.CalicoStagedGlobalNetworkPolicies.Kind, estate.CalicoStagedKubernetesNetworkPolicies.Kind,
}

// A writing is a policy, or one that the API server would not take: one of the
// two is set.
type writing struct {
	policy   *reach.Policy
	rejected *reach.Rule
}

func (w writing) at() trace.Place {
	if w.policy != nil {
		return w.policy.Place
	}
	return w.rejected.Place
}

func writings(g *trace.Graph) []writing {
	f := fabricOf(g)
	var out []writing
	for _, p := range f.policies {
		out = append(out, writing{policy: p})
	}
	rejected := f.reach.Rejected()
	for i := range rejected {
		out = append(out, writing{rejected: &rejected[i]})
	}
	return out
}

// idleParts are the parts of policies that do nothing.
type idleParts map[*reach.Policy][]reach.Useless

func newIdleParts(g *trace.Graph) idleParts {
	f := fabricOf(g)
	return f.reach.Useless(f.policies)
}

func judgeAlive(s *control.Subject, w writing) {
	if w.rejected != nil {
		s.Failf("", "the API server rejects it: %s", w.rejected.Says)
		return
	}
	p := w.policy
	if p.Staged {
		s.Failf("", "it is staged: it decides nothing until somebody puts it in force")
		return
	}
	// A file need not show what the cluster runs: operators make pods of their
	// own resources.
	live := p.Origin != nil && p.Origin.Cluster != ""
	absent := func(at trace.Place, why string) {
		if live {
			s.FailAt(at, "%s", why)
			return
		}
		s.Unknownf("%s; manifests do not show what else the cluster runs: read it live (--kube)", why)
	}
	if selected, known := p.Selects(); len(selected) == 0 && known {
		if !p.SelectsAll() {
			absent(p.Selector(), "it selects no pod")
		}
		return
	}
	f := fabricOf(s.Graph())
	if state, why := p.Enforced(); state == trace.No && p.Subject.Kind != estate.NetworkPolicies.Kind && !f.reach.Enforcement().Nowhere {
		s.Failf("", "nothing enforces it: %s", why)
	}
	for _, u := range trace.Derive(s.Graph(), newIdleParts)[p] {
		if u.Absent {
			absent(u.Place, u.Why)
		} else {
			s.FailAt(u.Place, "%s", u.Why)
		}
	}
}
