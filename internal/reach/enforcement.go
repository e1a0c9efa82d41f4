package reach

import (
	"github.com/eksafe/eksafe/internal/estate"
	"github.com/eksafe/eksafe/internal/trace"
)

// An enforcement says what makes network policies work, and where.
type enforcement struct {
	state trace.Ternary
	why   string
	place trace.Place // of what turns it off, where something does
}

func enforcerOf(e *estate.Estate) enforcement {
	for _, a := range estate.Addons.In(e) {
		if a.AddonName == "vpc-cni" && a.EnableNetworkPolicy.Or(false) {
			return enforcement{state: trace.Yes, why: "the VPC CNI enforces network policies"}
		}
	}
	return enforcement{}
}

// at says whether the policies of a pod are enforced.
func (e *enforcement) at(p *point) trace.Ternary { return e.state }

// by names what enforces the policies of a pod, or says why nothing does.
func (e *enforcement) by(p *point) string {
	if e.state == trace.Unclear {
		return "taken to be enforced: " + e.why
	}
	return e.why
}

// Enforcement says whether something makes network policies work anywhere in
// the estate, and what does, or why nothing does.
func (n *Network) Enforcement() (trace.Ternary, string) { return n.enforcer.state, n.enforcer.why }
