package network

import (
	"slices"

	"github.com/eksafe/eksafe/internal/estate"
	"github.com/eksafe/eksafe/internal/trace"
)

// A calicoPolicy is a policy of Calico that decides about pods.
type calicoPolicy struct {
	place     trace.Place
	namespace string // "" for a global one
	spec      *estate.CalicoPolicySpec
}

func newCalico(e *estate.Estate) []*calicoPolicy {
	var out []*calicoPolicy
	add := func(r *estate.Resource[estate.CalicoNetworkPolicy], ref estate.Ref, namespace string) {
		// These hook into the traffic of hosts, and not of pods.
		if !r.Object.Spec.PreDNAT && !r.Object.Spec.DoNotTrack {
			out = append(out, &calicoPolicy{trace.Place{Subject: ref, Origin: &r.Origin}, namespace, &r.Object.Spec})
		}
	}
	for _, r := range estate.CalicoNetworkPolicies.In(e) {
		add(r, estate.CalicoNetworkPolicies.Ref(r), r.Object.Namespace)
	}
	for _, r := range estate.CalicoGlobalNetworkPolicies.In(e) {
		add(r, estate.CalicoGlobalNetworkPolicies.Ref(r), "")
	}
	slices.SortFunc(out, func(a, b *calicoPolicy) int { return a.place.Subject.Compare(b.place.Subject) })
	return out
}

// rules returns the rules of a direction.
func (p *calicoPolicy) rules(d direction) []estate.CalicoRule {
	if d == ingress {
		return p.spec.Ingress
	}
	return p.spec.Egress
}

// anywhere reports whether an end is any address.
func anywhere(e *estate.CalicoEntityRule) bool {
	return len(e.Nets) == 0 && len(e.NotNets) == 0 && e.Selector == "" && e.NotSelector == "" && e.NamespaceSelector == "" &&
		len(e.Domains) == 0 && e.ServiceAccounts == nil && e.Services == nil
}
