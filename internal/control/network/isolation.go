package network

import (
	"fmt"
	"slices"

	"github.com/eksafe/eksafe/internal/estate"
	"github.com/eksafe/eksafe/internal/reach"
	"github.com/eksafe/eksafe/internal/trace"
)

// isolated says whether what no rule allows is denied to a pod in a direction,
// and whether a rule gives it back.
func (f *fabric) isolated(p *pod, d direction) reach.Default {
	out := f.reach.Default(p.workload, d)
	if out.Denied == trace.Yes {
		return out
	}
	for _, c := range f.admin {
		if c.selects(p) == trace.No || !slices.ContainsFunc(c.rules[d], func(r estate.ClusterPolicyRule) bool { return r.Action == "Deny" }) {
			continue
		}
		if d == egress && c.deniesEverything() {
			return reach.Default{Denied: trace.Yes}
		}
		if out.Denied == trace.No {
			return reach.Default{Why: fmt.Sprintf("%s denies a part of the traffic, and reachability is not computed: add a NetworkPolicy that denies the rest", c.name)}
		}
	}
	return out
}

// deniesEverything reports whether one rule of egress denies every address. The
// API has no such rule for ingress: its peers are pods.
func (c *clusterPolicy) deniesEverything() bool {
	if c.unread {
		return false
	}
	for _, r := range c.rules[egress] {
		var v4, v6 bool
		for _, to := range r.To {
			v4 = v4 || slices.Contains(to.Networks, "0.0.0.0/0")
			v6 = v6 || slices.Contains(to.Networks, "::/0")
		}
		if r.Action == "Deny" && len(r.Protocols) == 0 && v4 && v6 {
			return true
		}
	}
	return false
}

// others returns the policy of another API that may decide what a pod sends or
// receives, "" if none does.
func (f *fabric) others(p *pod, d direction) string {
	for _, r := range f.reach.Limits(p.workload, d) {
		if r.Subject.Kind != estate.NetworkPolicies.Kind {
			return r.Name
		}
	}
	for _, c := range f.admin {
		if len(c.rules[d]) > 0 && c.selects(p) != trace.No {
			return c.name
		}
	}
	return ""
}
