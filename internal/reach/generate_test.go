package reach

import (
	"fmt"
	"math/rand/v2"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/eksafe/eksafe/internal/estate"
)

// A generator makes small estates in which everything that specifications
// mention happens often. The same seed makes the same estate.
type generator struct {
	*rand.Rand
	// In a crowded estate selectors select almost everything, and policies of
	// administrators share one priority: their rules get in each other's way.
	crowded bool
}

func newGenerator(seed uint64) *generator {
	return &generator{rand.New(rand.NewPCG(seed, 1)), seed%10 == 0}
}

func (g *generator) priority() int32 {
	if g.crowded {
		return 5
	}
	return int32(g.IntN(3))
}

func pick[T any](g *generator, from ...T) T { return from[g.IntN(len(from))] }

func (g *generator) one(in int) bool { return g.IntN(in) == 0 }

var (
	namespaceNames = []string{"a", "b", "c", "d"}
	portNames      = []string{"web", "dns", "admin"}
	protocolsOfAPI = []corev1.Protocol{"TCP", "UDP", "SCTP"}
	podCIDRs       = []string{"10.0.0.0/28", "10.0.0.8/29", "10.0.0.0/8", "10.0.0.4/32", "0.0.0.0/0", "192.168.0.0/16", "fd00::/120", "fd00::8/125", "::/0", "203.0.113.0/24", "10.0.0.5/24"}
	podAddressPool = []string{"10.0.0.1", "10.0.0.4", "10.0.0.9", "10.0.0.15", "10.0.1.1", "fd00::1", "fd00::9", "192.168.3.4"}
)

func (g *generator) labels() map[string]string {
	out := map[string]string{}
	for _, key := range []string{"app", "tier", "x"} {
		if g.one(2) {
			out[key] = pick(g, "1", "2", "")
		}
	}
	return out
}

func (g *generator) selector() metav1.LabelSelector {
	var out metav1.LabelSelector
	if g.one(3) || g.crowded && !g.one(4) {
		return out
	}
	if g.one(2) {
		out.MatchLabels = map[string]string{pick(g, "app", "tier", "x"): pick(g, "1", "2")}
	}
	for g.one(3) {
		x := metav1.LabelSelectorRequirement{
			Key:      pick(g, "app", "tier", "x", "never"),
			Operator: pick(g, metav1.LabelSelectorOpIn, metav1.LabelSelectorOpNotIn, metav1.LabelSelectorOpExists, metav1.LabelSelectorOpDoesNotExist),
		}
		if x.Operator == metav1.LabelSelectorOpIn || x.Operator == metav1.LabelSelectorOpNotIn {
			x.Values = pick(g, []string{"1"}, []string{"2", ""}, []string{"1", "3"})
		}
		out.MatchExpressions = append(out.MatchExpressions, x)
	}
	return out
}

func (g *generator) namespaceSelector() metav1.LabelSelector {
	if g.one(2) && !g.crowded {
		return metav1.LabelSelector{MatchLabels: map[string]string{"kubernetes.io/metadata.name": pick(g, namespaceNames...)}}
	}
	return g.selector()
}

// estate makes an estate: namespaces, workloads, and some of every kind of
// policy.
func (g *generator) estate() *estate.Estate {
	e := &estate.Estate{}
	for _, name := range namespaceNames[:2+g.IntN(3)] {
		if g.one(6) {
			continue // known by its workloads only
		}
		r := &estate.Resource[corev1.Namespace]{}
		r.Object.Name, r.Object.Labels = name, g.labels()
		if g.one(8) {
			r.Object.Labels["kubernetes.io/metadata.name"] = "a"
		}
		estate.Namespaces.Add(e, r)
	}
	for i := range 2 + g.IntN(5) {
		estate.Workloads.Add(e, g.workload(i))
	}
	for i := range g.IntN(3) {
		r := &estate.Resource[corev1.Node]{}
		r.Object.Name, r.Object.Labels = fmt.Sprint("node", i), g.labels()
		r.Object.Status.Addresses = []corev1.NodeAddress{{Type: corev1.NodeInternalIP, Address: fmt.Sprint("10.0.2.", i+1)}, {Type: corev1.NodeHostName, Address: "ip-10-0-2-1"}}
		estate.Nodes.Add(e, r)
	}
	for i := range g.IntN(3) {
		estate.Services.Add(e, g.service(i))
	}
	policies := 5
	if g.crowded {
		policies = 2 // each rule in doubt doubles the work of the naive evaluation
	}
	for i := range g.IntN(policies) {
		estate.NetworkPolicies.Add(e, g.networkPolicy(i))
	}
	for i := range g.IntN(2) {
		estate.ApplicationNetworkPolicies.Add(e, g.applicationPolicy(i))
	}
	for i := range g.IntN(3) {
		r := &estate.Resource[estate.ClusterNetworkPolicy]{}
		r.Object.Name = fmt.Sprint("cnp", i)
		s := &r.Object.Spec
		s.Tier, s.Priority, s.Subject = pick(g, "Admin", "Baseline"), g.priority(), g.subject()
		for range g.IntN(3) {
			s.Ingress = append(s.Ingress, estate.ClusterPolicyRule{Action: pick(g, "Accept", "Deny", "Pass"), From: g.adminPeers(Ingress, true), Protocols: g.protocols()})
		}
		for range g.IntN(3) {
			action := pick(g, "Accept", "Deny", "Pass")
			s.Egress = append(s.Egress, estate.ClusterPolicyRule{Action: action, To: g.adminPeers(Egress, action != "Accept"), Protocols: g.protocols()})
		}
		estate.ClusterNetworkPolicies.Add(e, r)
	}
	rules := func(d Direction, allow, pass string) (out []estate.AdminPolicyRule) {
		for range g.IntN(3) {
			r := estate.AdminPolicyRule{Action: pick(g, allow, "Deny", pass), Ports: g.adminPorts()}
			if d == Ingress {
				r.From = g.adminPeers(d, true)
			} else {
				r.To = g.adminPeers(d, r.Action != allow)
			}
			out = append(out, r)
		}
		return out
	}
	if g.one(2) {
		r := &estate.Resource[estate.AWSClusterNetworkPolicy]{}
		r.Object.Name = "aws"
		r.Object.Spec = estate.AWSClusterNetworkPolicySpec{Tier: pick(g, "Admin", "Baseline"), Priority: g.priority(), Subject: g.subject(),
			Ingress: rules(Ingress, "Accept", "Pass"), Egress: rules(Egress, "Accept", "Pass")}
		estate.AWSClusterNetworkPolicies.Add(e, r)
	}
	if g.one(2) {
		r := &estate.Resource[estate.AdminNetworkPolicy]{}
		r.Object.Name = "anp"
		r.Object.Spec = estate.AdminNetworkPolicySpec{Priority: g.priority(), Subject: g.subject(),
			Ingress: rules(Ingress, "Allow", "Pass"), Egress: rules(Egress, "Allow", "Pass")}
		estate.AdminNetworkPolicies.Add(e, r)
	}
	if g.one(3) {
		r := &estate.Resource[estate.AdminNetworkPolicy]{}
		r.Object.Name = "default"
		r.Object.Spec = estate.AdminNetworkPolicySpec{Subject: g.subject(), Ingress: rules(Ingress, "Allow", "Deny"), Egress: rules(Egress, "Allow", "Deny")}
		estate.BaselineAdminNetworkPolicies.Add(e, r)
	}
	return e
}

func (g *generator) workload(i int) *estate.Workload {
	w := &estate.Workload{Controller: pick(g, "Deployment", "StatefulSet", "DaemonSet", "Pod"),
		ObjectMeta: metav1.ObjectMeta{Namespace: pick(g, namespaceNames...), Name: fmt.Sprint("w", i)}}
	w.Template.Labels = g.labels()
	container := corev1.Container{Name: "serve"}
	for _, name := range portNames {
		if g.one(2) {
			p := corev1.ContainerPort{Name: name, ContainerPort: pick(g, int32(53), 80, 81, 8080), Protocol: pick(g, append(protocolsOfAPI, "")...)}
			if g.one(6) {
				p.HostPort, p.HostIP = pick(g, p.ContainerPort, 81, 30080), pick(g, "", "0.0.0.0", "127.0.0.1")
			}
			container.Ports = append(container.Ports, p)
		}
	}
	w.Template.Spec.Containers = []corev1.Container{container}
	w.Template.Spec.HostNetwork = g.one(8)
	w.Finished = g.one(10)
	count := g.IntN(4)
	if w.Controller == "Pod" {
		count = min(count, 1)
	}
	for j := range count {
		p := estate.Pod{Name: fmt.Sprint("w", i, "-", j)}
		switch g.IntN(5) {
		case 0: // waits for an address
		case 1:
			p.PodIPs = []string{pick(g, podAddressPool[:5]...), pick(g, podAddressPool[5:7]...)}
			p.PodIP = p.PodIPs[0]
		default:
			p.PodIP = pick(g, podAddressPool...)
		}
		if g.one(4) {
			p.Labels = g.labels()
		}
		w.Pods = append(w.Pods, p)
	}
	return w
}

// service makes a Service that opens ports of nodes, mostly.
func (g *generator) service(i int) *estate.Resource[corev1.Service] {
	r := &estate.Resource[corev1.Service]{}
	r.Object.Namespace, r.Object.Name = pick(g, namespaceNames...), fmt.Sprint("s", i)
	s := &r.Object.Spec
	s.Type = pick(g, corev1.ServiceTypeNodePort, corev1.ServiceTypeNodePort, corev1.ServiceTypeLoadBalancer, corev1.ServiceTypeClusterIP)
	s.ExternalTrafficPolicy = pick(g, "", corev1.ServiceExternalTrafficPolicyCluster, corev1.ServiceExternalTrafficPolicyLocal)
	if g.one(4) {
		no := false
		s.AllocateLoadBalancerNodePorts = &no
	}
	if g.one(5) {
		s.ExternalIPs = []string{pick(g, "203.0.113.9", "10.0.0.9", "192.168.9.9")}
	}
	if !g.one(6) {
		s.Selector = map[string]string{pick(g, "app", "tier", "x"): pick(g, "1", "2")}
	}
	for range 1 + g.IntN(2) {
		p := corev1.ServicePort{Port: pick(g, int32(80), 8080, 53), Protocol: pick(g, append(protocolsOfAPI, "")...), NodePort: pick(g, int32(0), 30000, 30002, 30080)}
		p.TargetPort = pick(g, intstr.IntOrString{}, intstr.FromInt32(80), intstr.FromInt32(8080), intstr.FromString(pick(g, portNames...)))
		s.Ports = append(s.Ports, p)
	}
	return r
}

func (g *generator) networkPorts() (out []networkingPort) {
	for g.one(2) {
		var p networkingPort
		if g.one(2) {
			protocol := pick(g, protocolsOfAPI...)
			p.Protocol = &protocol
		}
		switch g.IntN(5) {
		case 0:
		case 1:
			name := intstr.FromString(pick(g, portNames...))
			p.Port = &name
		case 2:
			first := intstr.FromInt32(pick(g, int32(79), 80, 8000, 30000))
			last := first.IntVal + int32(g.IntN(100))
			if first.IntVal == 30000 {
				last = pick(g, int32(30001), 30002, 32766, 32767)
			}
			p.Port, p.EndPort = &first, &last
		default:
			port := intstr.FromInt32(pick(g, int32(53), 80, 81, 8080, 30080))
			p.Port = &port
		}
		out = append(out, p)
	}
	return out
}

func (g *generator) networkPeers() (out []networkingPeer) {
	for !g.one(3) {
		var p networkingPeer
		switch g.IntN(4) {
		case 0:
			block := networkingv1.IPBlock{CIDR: pick(g, podCIDRs...)}
			switch block.CIDR {
			case "10.0.0.0/8", "0.0.0.0/0":
				if g.one(2) {
					block.Except = []string{pick(g, podCIDRs[:2]...), pick(g, "10.0.1.0/24", "10.0.0.9/32")}
				}
			case "fd00::/120":
				if g.one(2) {
					block.Except = []string{"fd00::8/125"}
				}
			}
			p.IPBlock = &block
		case 1:
			s := g.selector()
			p.PodSelector = &s
		case 2:
			s := g.namespaceSelector()
			p.NamespaceSelector = &s
		default:
			s, ns := g.selector(), g.namespaceSelector()
			p.PodSelector, p.NamespaceSelector = &s, &ns
		}
		out = append(out, p)
	}
	return out
}

func (g *generator) policyTypes() []networkingv1.PolicyType {
	return pick(g, nil, []networkingv1.PolicyType{"Ingress"}, []networkingv1.PolicyType{"Egress"}, []networkingv1.PolicyType{"Ingress", "Egress"})
}

func (g *generator) networkPolicy(i int) *estate.Resource[networkingPolicy] {
	r := &estate.Resource[networkingPolicy]{}
	r.Object.Namespace, r.Object.Name = pick(g, namespaceNames...), fmt.Sprint("np", i)
	s := &r.Object.Spec
	s.PodSelector, s.PolicyTypes = g.selector(), g.policyTypes()
	for range g.IntN(3) {
		s.Ingress = append(s.Ingress, networkingv1.NetworkPolicyIngressRule{From: g.networkPeers(), Ports: g.networkPorts()})
	}
	for range g.IntN(3) {
		s.Egress = append(s.Egress, networkingv1.NetworkPolicyEgressRule{To: g.networkPeers(), Ports: g.networkPorts()})
	}
	return r
}

func (g *generator) applicationPolicy(i int) *estate.Resource[estate.ApplicationNetworkPolicy] {
	r := &estate.Resource[estate.ApplicationNetworkPolicy]{}
	r.Object.Namespace, r.Object.Name = pick(g, namespaceNames...), fmt.Sprint("app", i)
	s := &r.Object.Spec
	s.PodSelector, s.PolicyTypes = g.selector(), g.policyTypes()
	for range g.IntN(3) {
		rule := estate.ApplicationPolicyEgressRule{Ports: g.networkPorts()}
		for _, p := range g.networkPeers() {
			rule.To = append(rule.To, estate.ApplicationPolicyPeer{NetworkPolicyPeer: p})
		}
		if g.one(2) {
			rule.To = append(rule.To, estate.ApplicationPolicyPeer{DomainNames: g.domains()})
		}
		s.Egress = append(s.Egress, rule)
	}
	return r
}

func (g *generator) domains() []string {
	return pick(g, []string{"example.com"}, []string{"*.example.com"}, []string{"www.example.com", "example.org"})
}

func (g *generator) subject() estate.ClusterPolicySubject {
	if g.one(2) {
		s := g.namespaceSelector()
		return estate.ClusterPolicySubject{Namespaces: &s}
	}
	return estate.ClusterPolicySubject{Pods: &estate.NamespacedPods{NamespaceSelector: g.namespaceSelector(), PodSelector: g.selector()}}
}

func (g *generator) adminPeers(d Direction, known bool) (out []estate.ClusterPolicyPeer) {
	for range 1 + g.IntN(2) {
		var p estate.ClusterPolicyPeer
		switch kind := g.IntN(5); {
		case kind == 0 && d == Egress:
			p.Networks = []string{pick(g, podCIDRs...), pick(g, podCIDRs...)}
		case kind == 1 && d == Egress:
			s := g.selector()
			p.Nodes = &s
		case kind == 2 && d == Egress && !known:
			p.DomainNames = g.domains()
		case kind == 3:
			s := g.namespaceSelector()
			p.Namespaces = &s
		default:
			p.Pods = &estate.NamespacedPods{NamespaceSelector: g.namespaceSelector(), PodSelector: g.selector()}
		}
		out = append(out, p)
	}
	return out
}

func (g *generator) protocols() (out []estate.ClusterPolicyProtocol) {
	for g.one(2) {
		var p estate.ClusterPolicyProtocol
		transport := &estate.ClusterPolicyTransport{}
		switch g.IntN(3) {
		case 0:
			transport.DestinationPort = &estate.ClusterPolicyPort{Number: pick(g, int32(53), 80, 8080)}
		case 1:
			transport.DestinationPort = &estate.ClusterPolicyPort{Range: &estate.ClusterPortRange{Start: 79, End: 80 + int32(g.IntN(50))}}
		}
		switch g.IntN(4) {
		case 0:
			p.TCP = transport
		case 1:
			p.UDP = transport
		case 2:
			p.SCTP = transport
		default:
			p.DestinationNamedPort = pick(g, portNames...)
		}
		out = append(out, p)
	}
	return out
}

func (g *generator) adminPorts() (out []estate.AdminPolicyPort) {
	for g.one(2) {
		var p estate.AdminPolicyPort
		protocol := pick(g, "", "TCP", "UDP", "SCTP")
		switch g.IntN(3) {
		case 0:
			p.PortNumber = &estate.AdminPort{Protocol: protocol, Port: pick(g, int32(53), 80, 8080)}
		case 1:
			p.PortRange = &estate.AdminPortRange{Protocol: protocol, Start: 79, End: 80 + int32(g.IntN(50))}
		default:
			name := pick(g, portNames...)
			p.NamedPort = &name
		}
		out = append(out, p)
	}
	return out
}
