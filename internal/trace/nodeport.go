package trace

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
)

// The range from which Kubernetes takes node ports unless it is told another;
// EKS does not tell. Source: the reference of kube-apiserver,
// --service-node-port-range.
const (
	FirstNodePort = 30000
	LastNodePort  = 32767
)

// NodePort returns the port of every node that a port of a Service opens: one, or
// any of those from first to last if the API server has not chosen yet. A load
// balancer that is told to allocate none opens those that are named by number all
// the same. A Service without an address of its own has none: the API server
// rejects one that asks for them.
func NodePort(s *corev1.ServiceSpec, p *corev1.ServicePort) (first, last int32, opens bool) {
	allocates := s.Type == corev1.ServiceTypeNodePort ||
		s.Type == corev1.ServiceTypeLoadBalancer && (s.AllocateLoadBalancerNodePorts == nil || *s.AllocateLoadBalancerNodePorts)
	switch {
	case s.Type != corev1.ServiceTypeNodePort && s.Type != corev1.ServiceTypeLoadBalancer, s.ClusterIP == corev1.ClusterIPNone, p.NodePort < 0 || p.NodePort > 65535:
		return 0, 0, false
	case p.NodePort > 0:
		return p.NodePort, p.NodePort, true
	}
	return FirstNodePort, LastNodePort, allocates
}

// OpensNodePorts reports whether any port of a Service opens one of the nodes.
func OpensNodePorts(s *corev1.ServiceSpec) bool {
	return slices.ContainsFunc(s.Ports, func(p corev1.ServicePort) bool {
		_, _, opens := NodePort(s, &p)
		return opens
	})
}
