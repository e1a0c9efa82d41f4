package reach

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/eksafe/eksafe/internal/estate"
	"github.com/eksafe/eksafe/internal/trace"
)

// An entrance is a port of nodes that leads to a port of a pod: one that a
// Service opens on every node, or the host port of a container. Who comes by it
// is let in by the rules for the node. A Service with externalTrafficPolicy
// Cluster puts the address of a node in place of the client's, so that the
// policies of the pod, from which they never keep its own node, do not see who
// it is. Sources: Kubernetes' pages on virtual IPs and on using source IP.
type entrance struct {
	nodes uint32 // the point of the nodes that have it
	at    uint32 // the point to which clients send: nodes, or external
	// external is the address of a Service for which every node answers, zero of a
	// port of the nodes themselves. How packets to it get to a node from outside
	// nothing shows; those of pods its own node leads on.
	external netip.Addr
	crowd    bool    // external stands for many addresses, which are not told apart
	outer    portsID // the port of the nodes; if it is not chosen yet those out of which it will be
	inner    Named
	leads    portsID // inner
	masked   bool    // the pod sees the address of a node
	rule     Rule    // what opens it
}

// addNodes makes the points of nodes, and finds the entrances to pods: one point
// for all nodes, and one for each kind of node to which pods are bound.
func (n *Network) addNodes() {
	first := uint32(len(n.points))
	e := n.addEndpoint(&Endpoint{Kind: NodesEndpoint, Name: "nodes", Ref: addressRef(NodesEndpoint, "nodes"), Serves: PortsOf(TCP, kubeletPort, kubeletPort)})
	by := map[string]uint32{}
	at := func(stations []station) uint32 {
		key := fmt.Sprint(stations)
		p, ok := by[key]
		if !ok {
			p = uint32(len(n.points))
			by[key] = p
			n.addPoint(&point{endpoint: e, stations: stations})
		}
		return p
	}
	everywhere := at(n.vpc.stations)
	n.entrances, n.entered = make([][]entrance, first), map[entranceKey]bool{}
	for _, s := range estate.Services.In(n.graph.Estate) {
		spec := &s.Object.Spec
		ns := n.byName[s.Object.Namespace]
		if !trace.OpensNodePorts(spec) && len(spec.ExternalIPs) == 0 || ns == nil {
			continue
		}
		backends := n.backends(s)
		local := spec.ExternalTrafficPolicy == corev1.ServiceExternalTrafficPolicyLocal
		for to := ns.span.lo; to < ns.span.hi; to++ {
			p := n.points[to]
			if !backends(p) {
				continue
			}
			nodes := everywhere
			if local {
				if onFargate(p.endpoint.Workload) {
					continue // no node of it has node ports
				}
				nodes = at(n.vpc.stationsOf(p.endpoint.Workload))
			}
			for i := range spec.Ports {
				n.addNodePort(p, s, i, entrance{nodes: nodes, at: nodes, masked: !local})
				n.addExternal(p, s, i, entrance{nodes: nodes, masked: !local})
			}
		}
	}
	for to := range n.pods {
		n.addHostPorts(n.points[to], at)
	}
	n.nodes, n.entered = interval(first, uint32(len(n.points))), nil
}

// backends returns whether a Service may lead to a pod: by its selector, or
// without one by the addresses that somebody wrote into its EndpointSlices.
func (n *Network) backends(s *estate.Resource[corev1.Service]) func(*point) bool {
	if len(s.Object.Spec.Selector) > 0 {
		return func(p *point) bool { return mayLeadTo(s.Object.Spec.Selector, p.endpoint.Workload, p.labels) }
	}
	var addresses []netip.Addr
	for _, r := range estate.EndpointSlices.In(n.graph.Estate) {
		if r.Object.Namespace != s.Object.Namespace || r.Object.Labels[discoveryv1.LabelServiceName] != s.Object.Name {
			continue
		}
		for i := range r.Object.Endpoints {
			for _, text := range r.Object.Endpoints[i].Addresses {
				if a, err := netip.ParseAddr(text); err == nil {
					addresses = append(addresses, a.Unmap())
				}
			}
		}
	}
	return func(p *point) bool {
		return slices.ContainsFunc(p.addresses, func(a netip.Addr) bool { return slices.Contains(addresses, a) })
	}
}

// mayLeadTo reports whether a Service may select pods of a workload. Labels by
// which controllers tell their pods apart are in no template: a pod of a
// StatefulSet is called by its name, one of a Job by the job's.
func mayLeadTo(selector map[string]string, w *estate.Workload, have labels.Set) bool {
	for key, value := range selector {
		if got, ok := have[key]; ok && got == value {
			continue
		} else if ok {
			return false
		}
		switch key {
		case "statefulset.kubernetes.io/pod-name":
			if w.Controller != "StatefulSet" || !strings.HasPrefix(value, w.Name+"-") {
				return false
			}
		case "apps.kubernetes.io/pod-index":
			if w.Controller != "StatefulSet" {
				return false
			}
		case "job-name", "batch.kubernetes.io/job-name":
			if w.Controller != "Job" || value != w.Name {
				return false
			}
		default:
			return false
		}
	}
	return true
}

// kubeletPort is where the kubelet listens. Source: Kubernetes' page on ports
// and protocols.
const kubeletPort = 10250

// addNodePort adds the entrance that a port of a Service is to a pod.
func (n *Network) addNodePort(p *point, s *estate.Resource[corev1.Service], i int, e entrance) {
	port := &s.Object.Spec.Ports[i]
	protocol, ok := protocolOf(port.Protocol)
	first, last, opens := trace.NodePort(&s.Object.Spec, port)
	if !ok || !opens {
		return
	}
	e.outer = n.ports.id(PortsOf(protocol, int(first), int(last)))
	what := fmt.Sprintf("opens %s %d of every node", protocol, first)
	if first != last {
		what = fmt.Sprintf("opens a port of every node that the API server chooses, %s %d-%d", protocol, first, last)
	}
	e.rule = Rule{
		Place: trace.Place{Subject: estate.Services.Ref(s), Origin: &s.Origin, Field: fmt.Sprintf("spec.ports[%d]", i)},
		Name:  "Service " + s.Object.Namespace + "/" + s.Object.Name, Says: what,
	}
	for _, inner := range targetPorts(*port, p.endpoint.Workload) {
		n.enter(p, inner, e)
	}
}

// maxExternal bounds the addresses of a Service that are told apart: who writes
// more must not make as many ways to each of its pods.
const maxExternal = 64

// addExternal adds the entrances that the external addresses of a Service are.
func (n *Network) addExternal(p *point, s *estate.Resource[corev1.Service], i int, e entrance) {
	port := &s.Object.Spec.Ports[i]
	protocol, ok := protocolOf(port.Protocol)
	if !ok || port.Port < 1 || port.Port > lastPort {
		return
	}
	e.outer = n.ports.id(PortsOf(protocol, int(port.Port), int(port.Port)))
	for j, text := range s.Object.Spec.ExternalIPs {
		address, err := netip.ParseAddr(text)
		if err != nil {
			continue
		}
		e.external, e.crowd = address.Unmap(), len(s.Object.Spec.ExternalIPs) > maxExternal
		e.rule = Rule{
			Place: trace.Place{Subject: estate.Services.Ref(s), Origin: &s.Origin, Field: fmt.Sprintf("spec.externalIPs[%d]", j)},
			Name:  "Service " + s.Object.Namespace + "/" + s.Object.Name, Says: fmt.Sprintf("has every node answer for %s at %s %d", e.external, protocol, port.Port),
		}
		for _, inner := range targetPorts(*port, p.endpoint.Workload) {
			n.enter(p, inner, e)
		}
		if e.crowd {
			return
		}
	}
}

// placeEntrances finds the points of external addresses.
func (n *Network) placeEntrances() {
	for _, list := range n.entrances {
		for i := range list {
			if e := &list[i]; e.external.IsValid() {
				e.at = n.atoms + n.addresses.atom(e.external)
			}
		}
	}
}

// targetPorts returns where a port of a Service leads.
func targetPorts(p corev1.ServicePort, server *estate.Workload) []Named {
	protocol, ok := protocolOf(p.Protocol)
	if !ok {
		return nil
	}
	number := p.Port
	switch {
	case p.TargetPort.StrVal != "":
		var out []Named
		for _, n := range namedPorts(server)[p.TargetPort.StrVal] {
			if n.Protocol == protocol {
				out = append(out, n)
			}
		}
		return out
	case p.TargetPort.IntVal > 0:
		number = p.TargetPort.IntVal
	}
	if number < 1 || number > lastPort {
		return nil
	}
	return []Named{{protocol, uint16(number)}}
}

// addHostPorts adds the host ports of a pod. They keep the address of who comes.
// In the network of its node a container has no other ports than those of the
// node.
func (n *Network) addHostPorts(p *point, at func([]station) uint32) {
	w := p.endpoint.Workload
	if p.host || onFargate(w) {
		return
	}
	add := func(c *corev1.Container, field string) {
		for j, port := range c.Ports {
			protocol, ok := protocolOf(port.Protocol)
			address, err := netip.ParseAddr(port.HostIP)
			if !ok || port.HostPort < 1 || port.HostPort > lastPort || port.ContainerPort < 1 || port.ContainerPort > lastPort || err == nil && address.IsLoopback() {
				continue
			}
			nodes := at(n.vpc.stationsOf(w))
			n.enter(p, Named{protocol, uint16(port.ContainerPort)}, entrance{
				nodes: nodes, at: nodes, outer: n.ports.id(PortsOf(protocol, int(port.HostPort), int(port.HostPort))),
				rule: Rule{
					Place: trace.Place{Subject: estate.Workloads.Ref(w), Origin: &w.Origin, Field: w.TemplateField(fmt.Sprintf("%s.ports[%d].hostPort", field, j))},
					Name:  w.Controller + " " + p.endpoint.Name, Says: fmt.Sprintf("opens %s %d of its node", protocol, port.HostPort),
				},
			})
		}
	}
	spec := &w.Template.Spec
	for i := range spec.Containers {
		add(&spec.Containers[i], fmt.Sprintf("spec.containers[%d]", i))
	}
	for i := range spec.InitContainers {
		if c := &spec.InitContainers[i]; isSidecar(c) {
			add(c, fmt.Sprintf("spec.initContainers[%d]", i))
		}
	}
}

// enter adds an entrance of a pod, if none like it is there.
func (n *Network) enter(p *point, inner Named, e entrance) {
	e.inner, e.leads = inner, n.ports.id(PortsOf(inner.Protocol, int(inner.Port), int(inner.Port)))
	key := entranceKey{p.id, e.nodes, e.external, e.outer, e.leads, e.masked}
	if !n.entered[key] {
		n.entered[key] = true
		n.entrances[p.id] = append(n.entrances[p.id], e)
	}
}

// An entranceKey is what makes two entrances of a pod one.
type entranceKey struct {
	pod, nodes   uint32
	external     netip.Addr
	outer, leads portsID
	masked       bool
}

// entering returns what reaches a pod by the ports of its nodes.
func (n *Network) entering(from, to uint32) (sure, open portsID) {
	for i := range n.entrances[to] {
		e := &n.entrances[to][i]
		if n.ports.and(sure, e.leads) == e.leads {
			continue
		}
		switch n.enters(e, from, to) {
		case Allowed:
			sure, open = n.ports.or(sure, e.leads), n.ports.or(open, e.leads)
		case Unknown:
			open = n.ports.or(open, e.leads)
		}
	}
	return sure, open
}

// enters says whether a connection gets through by an entrance.
//
// Agents differ in what they see of one that begins in a pod. Where it is led on
// behind the policies of the client, as under the VPC CNI, these are asked about
// the node. Where the client's own node leads it on before, they are asked about
// the pod, and the pod's are asked about the address of that node. What gets
// through by either does.
func (n *Network) enters(e *entrance, from, to uint32) Verdict {
	v := n.knocks(e, from)
	if v != Denied {
		v = stricter(v, n.ledOn(e, from, to))
	}
	if v != Allowed {
		v = worst(v, n.ledOnEarly(e, from, to))
	}
	return v
}

// stricter is the verdict of two layers that must allow.
func stricter(a, b Verdict) Verdict {
	switch {
	case a == Denied || b == Denied:
		return Denied
	case a == Unknown || b == Unknown:
		return Unknown
	}
	return Allowed
}

// knocks says whether a connection gets to the port of the nodes. Of nodes in a
// network that nobody has read, only pods are known to reach them.
func (n *Network) knocks(e *entrance, from uint32) Verdict {
	if p := n.predicted(from); p != nil && !e.external.IsValid() {
		return p.knocks(n, e, from)
	}
	sure, open := n.approach(from, e)
	if from >= n.atoms && !n.vpc.seen {
		sure = noPorts
	}
	return n.knock(e, sure, open)
}

// approach returns what a point may send to where the entrance is.
func (n *Network) approach(from uint32, e *entrance) (sure, open portsID) {
	switch {
	case !e.external.IsValid():
		return n.straight(from, e.nodes)
	case n.predicted(from) != nil:
		return noPorts, noPorts // it sends to its targets alone
	case from < n.pods && !e.crowd:
		return n.passes(Egress, from, e.at)
	}
	return noPorts, allPorts
}

// knock says whether ports hold the port of the nodes, or may.
func (n *Network) knock(e *entrance, sure, open portsID) Verdict {
	switch {
	case n.ports.and(sure, e.outer) == e.outer:
		return Allowed
	case n.ports.and(open, e.outer) != noPorts:
		return Unknown
	}
	return Denied
}

// ledOn says whether a connection gets from the node that it came to on to the
// pod.
func (n *Network) ledOn(e *entrance, from, to uint32) Verdict {
	var sure, open portsID
	if e.masked {
		sure, open = n.beneath(e.nodes, to)
	} else {
		sure, open = n.passes(Ingress, to, from)
		s, o := n.vpc.onNode(from, to)
		sure, open = n.ports.and(sure, s), n.ports.and(open, o)
	}
	seen := from
	if e.masked {
		seen = e.nodes
	}
	s, o := n.mesh.behind(from, seen, to)
	return n.verdictOf(n.ports.and(sure, s), n.ports.and(open, o), e.inner.Protocol, e.inner.Port)
}

// ledOnEarly says whether a connection gets through that the node of its client
// leads on before any policy is asked.
func (n *Network) ledOnEarly(e *entrance, from, to uint32) Verdict {
	if !e.masked || from >= n.pods || n.points[from].host {
		return Denied
	}
	sure, open := n.policiesOnNodes(e, to)
	if n.ports.and(open, e.leads) == noPorts {
		return Denied
	}
	s, o := n.passes(Egress, from, to)
	sure, open = n.ports.and(sure, s), n.ports.and(open, o)
	s, o = n.vpc.between(e.nodes, to)
	sure, open = n.ports.and(sure, s), n.ports.and(open, o)
	s, o = n.mesh.behind(from, e.nodes, to)
	return n.verdictOf(n.ports.and(sure, s), n.ports.and(open, o), e.inner.Protocol, e.inner.Port)
}

// policiesOnNodes returns what the policies of a pod say of the addresses of
// nodes, as if none of them were its own.
func (n *Network) policiesOnNodes(e *entrance, to uint32) (sure, open portsID) {
	if f := n.filters[Ingress][to]; f != nil && !n.guards[Ingress].points.has(to) {
		return f.at(e.nodes)
	}
	return n.passes(Ingress, to, e.nodes)
}
