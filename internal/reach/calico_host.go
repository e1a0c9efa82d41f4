package reach

import (
	"slices"

	corev1 "k8s.io/api/core/v1"

	"github.com/eksafe/eksafe/internal/estate"
	"github.com/eksafe/eksafe/internal/trace"
)

// A hostGuard is what decides about pods in the network of their node: Calico,
// where the node is an endpoint of it. The ports that it keeps open whatever its
// policies say, and the interfaces that they are about, are not computed.
type hostGuard struct {
	points set
	why    string
	rules  []Rule
}

// defaultAllow is the profile of the endpoints that Calico makes of nodes by
// itself.
const defaultAllow = "projectcalico-default-allow"

// guardHosts finds the pods whose nodes are guarded, and says so of the nodes if
// all of them are.
func (c *calico) guardHosts() {
	for _, d := range []Direction{Ingress, Egress} {
		g := &c.guards[d]
		hosts := map[string]bool{} // the nodes that are guarded, "" if any is
		for _, e := range c.others() {
			if e.host != nil && c.guardsHost(&e, d, g) {
				hosts[e.host.Spec.Node], hosts[""] = true, true
			}
		}
		if len(hosts) == 0 {
			continue
		}
		var guarded []uint32
		for p := range c.hosts.points() {
			// A pod that may run on a node without a guard has none.
			bare := func(node string) bool { return !hosts[node] }
			if c.enforcer.holds[p].state[calicoAPI] != trace.No && !slices.ContainsFunc(nodesOf(c.points[p]), bare) {
				guarded = append(guarded, p)
			}
		}
		bare := func(r *estate.Resource[corev1.Node]) bool { return !hosts[r.Object.Name] }
		if !slices.ContainsFunc(estate.Nodes.In(c.graph.Estate), bare) {
			guarded = slices.AppendSeq(guarded, c.nodes.points())
		}
		g.points = setOf(guarded)
	}
}

// guardsHost reports whether an endpoint of a node limits the node's own
// traffic: a policy selects it, or no profile opens it.
func (c *calico) guardsHost(e *entity, d Direction, g *hostGuard) bool {
	for _, r := range estate.CalicoGlobalNetworkPolicies.In(c.graph.Estate) {
		f, ok := subject(&r.Object.Spec, "")
		l := &labelsOf{own: e.labels}
		if !calicoTypes(&r.Object.Spec)[d] || ok && !f.selects(l) {
			continue
		}
		name := "Calico GlobalNetworkPolicy " + r.Object.Name
		g.why = name + " is about the node itself (HostEndpoint " + e.name + "), and what it lets through to pods in the network of the node is not computed"
		g.rules = []Rule{{
			Place: trace.Place{Subject: estate.CalicoGlobalNetworkPolicies.Ref(r), Origin: &r.Origin},
			Name:  name, Says: "selects HostEndpoint " + e.name,
		}}
		return true
	}
	if slices.Contains(e.host.Spec.Profiles, defaultAllow) {
		return false
	}
	if g.why == "" {
		g.why = "HostEndpoint " + e.name + " has no policy, so that Calico denies what its profiles do not allow, and what that leaves to pods in the network of the node is not computed"
	}
	return true
}
