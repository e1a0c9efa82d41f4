package network

import (
	"fmt"
	"slices"

	"github.com/eksafe/eksafe/internal/estate"
	"github.com/eksafe/eksafe/internal/trace"
)

// isolated says whether what no rule allows is denied to a pod in a direction,
// and for what is unclear, why.
func (f *fabric) isolated(p *pod, d direction) (trace.Ternary, string) {
	for _, np := range p.policies {
		if np.applies[d] {
			return trace.Yes, ""
		}
	}
	state, why := trace.No, ""
	unclear := func(format string, args ...any) {
		if state == trace.No {
			state, why = trace.Unclear, fmt.Sprintf(format, args...)
		}
	}
	for c := range f.calico.about(p.namespace.name) {
		// At the end of a tier that passes, the next one decides.
		if !c.applies[d] || f.calico.passes[c.spec.Tier] {
			continue
		}
		switch c.selects(p) {
		case trace.Yes:
			return trace.Yes, ""
		case trace.Unclear:
			unclear("the selector of Calico's policy %s cannot be decided", c.place.Subject.Name)
		}
	}
	for r := range both(f.admin.cilium[""], f.admin.cilium[p.namespace.name]) {
		if !r.denies[d] {
			continue
		}
		switch r.selects(p) {
		case trace.Yes:
			return trace.Yes, ""
		case trace.Unclear:
			unclear("the selector of %s cannot be decided", r.name)
		}
	}
	for _, c := range f.admin.cluster {
		if c.selects(p) == trace.No || !slices.ContainsFunc(c.rules[d], func(r estate.ClusterPolicyRule) bool { return r.Action == "Deny" }) {
			continue
		}
		if d == egress && c.deniesEverything() {
			return trace.Yes, ""
		}
		unclear("%s denies a part of the traffic, and reachability is not computed: add a NetworkPolicy that denies the rest", c.name)
	}
	return state, why
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

// opened returns the rule that gives a pod back everything in a direction: one
// without peers and ports undoes the default.
func (f *fabric) opened(p *pod, d direction) (at trace.Place, ok bool) {
	for _, np := range p.policies {
		if !np.applies[d] {
			continue
		}
		if d == ingress {
			for i, r := range np.object.Spec.Ingress {
				if len(r.From) == 0 && len(r.Ports) == 0 {
					return np.at(fmt.Sprintf("spec.ingress[%d]", i)), true
				}
			}
			continue
		}
		for i, r := range np.object.Spec.Egress {
			if len(r.To) == 0 && len(r.Ports) == 0 {
				return np.at(fmt.Sprintf("spec.egress[%d]", i)), true
			}
		}
	}
	for c := range f.calico.about(p.namespace.name) {
		if !c.applies[d] || c.selects(p) != trace.Yes {
			continue
		}
		rules, field := c.rules(d)
		for i := range rules {
			if !everything(&rules[i]) {
				continue
			}
			if rules[i].Action == "Allow" {
				return c.at(fmt.Sprintf("%s[%d]", field, i)), true
			}
			break // what comes after it is never asked
		}
	}
	return trace.Place{}, false
}

// others returns the policy of another API that may decide what a pod sends,
// "" if none does: their rules are not computed.
func (f *fabric) others(p *pod, d direction) string {
	for c := range f.calico.about(p.namespace.name) {
		if c.applies[d] && c.selects(p) != trace.No {
			return "Calico's policy " + c.place.Subject.Name
		}
	}
	for r := range both(f.admin.cilium[""], f.admin.cilium[p.namespace.name]) {
		if r.applies[d] && r.selects(p) != trace.No {
			return r.name
		}
	}
	for _, c := range f.admin.cluster {
		if len(c.rules[d]) > 0 && c.selects(p) != trace.No {
			return c.name
		}
	}
	return ""
}
