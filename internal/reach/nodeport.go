package reach

import (
	corev1 "k8s.io/api/core/v1"
)

// nodePorts says by which ports of nodes a pod is reached too, "" for none. Such
// a connection is let in by the rules for the port of the node, and may come with
// the address of a node, which policies do not keep from its own pods. Answers do
// not follow it, so that a denial must say so.
func (n *Network) nodePorts(to uint32) string {
	if to >= n.pods || n.points[to].host {
		return ""
	}
	w := n.points[to].endpoint.Workload
	const ends = "; that way is not followed here"
	for _, s := range n.graph.Services(w) {
		spec := &s.Object.Spec
		opens := spec.Type == corev1.ServiceTypeNodePort ||
			spec.Type == corev1.ServiceTypeLoadBalancer && (spec.AllocateLoadBalancerNodePorts == nil || *spec.AllocateLoadBalancerNodePorts)
		if opens {
			return "Service " + s.Object.Namespace + "/" + s.Object.Name + " opens ports of the nodes that lead to " + n.points[to].endpoint.Name + " as well" + ends
		}
	}
	for _, c := range containers(&w.Template.Spec) {
		for _, p := range c.Ports {
			if p.HostPort != 0 {
				return "port " + itoa(p.HostPort) + " of its node leads to " + n.points[to].endpoint.Name + " as well" + ends
			}
		}
	}
	return ""
}
