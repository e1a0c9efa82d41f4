package reach

import (
	"cmp"
	"iter"
	"net/netip"
	"slices"
	"strings"
	"sync"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/eksafe/eksafe/internal/estate"
	"github.com/eksafe/eksafe/internal/trace"
)

// A Network is everything that can reach something, and what limits it. It is
// not changed after New and may be asked by many goroutines.
type Network struct {
	graph      *trace.Graph
	ports      *portTable
	addresses  *addressSpace
	namespaces []*namespace // sorted by name
	byName     map[string]*namespace
	byLabel    map[[2]string][]*namespace
	labelled   map[string]*labelIndex // by label
	selectors  labelSelectors

	// points are the pods by namespace and name, then the targets, then the
	// atoms of addresses. Points [0,pods) are pods, [pods,atoms) are targets.
	points      []*point
	pods, atoms uint32
	floating    set                  // pods whose addresses are not known
	hosts       set                  // pods in the network of their node
	nodes       set                  // the nodes themselves, among the targets
	entrances   [][]entrance         // of pods
	entered     map[entranceKey]bool // while they are found
	located     []locatedPoint       // pods by known address
	// space and hostSpace are the atoms in which pods and nodes with unknown
	// addresses may be.
	space, hostSpace set

	tiers     []*tier
	policies  []*policy // in the order in which they are asked
	bySubject map[estate.Ref][]*policy
	filters   [2][]*filter
	written   [2][]*filter // as if every policy were enforced; without segments where that differs
	staged    []*policy    // decide nothing yet
	rejected  []Rule       // policies that the API server would not take
	guards    [2]hostGuard // what decides about pods in the network of their node
	defaults  sync.Map     // fallback by *filter
	rows      sync.Map     // segments by *filter, of those that nothing enforces
	loose     sync.Map     // filter by doubt, of those of which that is not known
	senders   func() *senders
	enforcer  enforcement
	vpc       *vpc
	mesh      *meshLayer

	endpoints  []*Endpoint
	byRef      map[estate.Ref]*Endpoint
	sets       map[string]peers     // of blocks and Calico's and Cilium's selectors, by their texts
	selections map[podSelection]set // of Kubernetes' selectors
}

// A namespace is its labels and the points of its pods.
type namespace struct {
	name   string
	labels labels.Set
	span   span
}

// A point is one end of connections: pods of a workload that no rule tells
// apart, a target, or addresses that no block tells apart.
type point struct {
	id        uint32
	endpoint  *Endpoint
	namespace *namespace         // of pods
	labels    labels.Set         // of pods
	ports     map[string][]Named // ports of pods by name
	host      bool               // in the network of the node, where no policy of pods holds
	addresses []netip.Addr       // of pods, where they are known
	atoms     set                // where it is; of a pod with unknown addresses none
	anywhere  bool               // it is somewhere in atoms, and nobody knows where
	stations  []station          // of nodes
}

// Named is what a name of a port stands for on a pod.
type Named struct {
	Protocol Protocol
	Port     uint16
}

type locatedPoint struct{ atom, point uint32 }

// Of returns the network of a graph. It is computed once for each.
func Of(g *trace.Graph) *Network { return trace.Derive(g, New) }

// New computes the network of an estate.
func New(g *trace.Graph) *Network { return newNetwork(g, nil) }

// newNetwork is New with addresses cut at the borders of further blocks.
func newNetwork(g *trace.Graph, blocks []netip.Prefix) *Network {
	n := &Network{
		graph: g, ports: newPortTable(), byName: map[string]*namespace{}, byLabel: map[[2]string][]*namespace{},
		byRef: make(map[estate.Ref]*Endpoint, len(estate.Workloads.In(g.Estate))), sets: map[string]peers{}, selections: map[podSelection]set{},
		labelled: map[string]*labelIndex{},
	}
	n.vpc = newVPC(g)
	n.addresses = newAddressSpace(append(n.blocks(), blocks...))
	n.addNamespaces()
	n.addPods()
	n.addTargets()
	n.addAddresses()
	n.placeEntrances()
	n.vpc.settle(n)
	n.enforcer = enforcerOf(g.Estate)
	n.enforcer.hold(n)
	n.addPolicies()
	n.mesh = newMeshLayer(n)
	n.labelled, n.selectors, n.selections, n.sets = nil, labelSelectors{}, nil, nil // policies alone ask them
	n.compile()
	n.senders = sync.OnceValue(n.findSenders)
	return n
}

func (n *Network) addNamespaces() {
	add := func(name string) *namespace {
		ns := n.byName[name]
		if ns == nil {
			// Kubernetes gives each namespace its name as a label.
			ns = &namespace{name: name, labels: labels.Set{corev1.LabelMetadataName: name}}
			n.byName[name] = ns
			n.namespaces = append(n.namespaces, ns)
		}
		return ns
	}
	for _, r := range estate.Namespaces.In(n.graph.Estate) {
		ns := add(r.Object.Name)
		ns.labels = labels.Merge(ns.labels, r.Object.Labels)
		ns.labels[corev1.LabelMetadataName] = ns.name // whatever a file says
	}
	for _, w := range estate.Workloads.In(n.graph.Estate) {
		add(w.Namespace)
	}
	slices.SortFunc(n.namespaces, func(a, b *namespace) int { return cmp.Compare(a.name, b.name) })
	for _, ns := range n.namespaces {
		for k, v := range ns.labels {
			n.byLabel[[2]string{k, v}] = append(n.byLabel[[2]string{k, v}], ns)
		}
	}
}

// addPods makes the points of pods. Those of one workload are one point if no
// block tells their addresses apart.
func (n *Network) addPods() {
	workloads := slices.Clone(estate.Workloads.In(n.graph.Estate))
	slices.SortFunc(workloads, func(a, b *estate.Workload) int {
		return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name), cmp.Compare(a.Controller, b.Controller))
	})
	for _, w := range workloads {
		if w.Controller == "PodTemplate" || w.Finished {
			continue // it runs nothing
		}
		ns := n.byName[w.Namespace]
		e := n.addEndpoint(&Endpoint{
			Kind: WorkloadEndpoint, Ref: estate.Workloads.Ref(w), Origin: &w.Origin, Name: w.Namespace + "/" + w.Name,
			Namespace: w.Namespace, Workload: w,
		})
		e.Serves = served(w)
		base := point{endpoint: e, namespace: ns, labels: w.Template.Labels, ports: namedPorts(w), host: w.Template.Spec.HostNetwork}
		first := uint32(len(n.points))
		for _, group := range n.locate(w) {
			p := base
			p.addresses, p.atoms, p.labels = group.addresses, group.atoms, group.labels
			n.addPoint(&p)
			switch {
			case p.host:
				n.hosts = n.hosts.extend(p.id, p.id+1)
			case len(p.atoms) == 0:
				n.floating = n.floating.extend(p.id, p.id+1)
			}
			for atom := range p.atoms.points() {
				n.located = append(n.located, locatedPoint{atom, p.id})
			}
		}
		if ns.span.hi == 0 {
			ns.span.lo = first
		}
		ns.span.hi = uint32(len(n.points))
	}
	n.pods = uint32(len(n.points))
	at := uint32(0)
	for _, ns := range n.namespaces {
		if ns.span.hi == 0 {
			ns.span = span{at, at} // nothing runs there: empty, and in its order
		}
		at = ns.span.hi
	}
	slices.SortFunc(n.located, func(a, b locatedPoint) int {
		return cmp.Or(cmp.Compare(a.atom, b.atom), cmp.Compare(a.point, b.point))
	})
	n.space, n.hostSpace = n.addresses.all(n.vpc.podNetworks), n.addresses.all(n.vpc.hostNetworks())
}

func (n *Network) addPoint(p *point) {
	p.id = uint32(len(n.points))
	n.points = append(n.points, p)
	p.endpoint.points = p.endpoint.points.extend(p.id, p.id+1)
}

// A location is pods of one workload that stand in the same atom and have the
// same labels. A pod with an address of each IP family is in two: a block of
// IPv4 says nothing of what reaches it over IPv6.
type location struct {
	addresses []netip.Addr
	atoms     set
	labels    labels.Set
}

// locate groups the running pods of a workload by where they stand.
func (n *Network) locate(w *estate.Workload) []location {
	template := location{labels: w.Template.Labels}
	if w.Template.Spec.HostNetwork {
		return []location{template}
	}
	type where struct {
		atom   uint32
		labels string // those that were changed by hand
	}
	var out []location
	index := map[where]int{}
	var waiting []labels.Set // of pods without an address
	for i := range w.Pods {
		own := labels.Set(w.LabelsOf(&w.Pods[i]))
		var changed string
		if w.Pods[i].Labels != nil {
			changed = "changed " + own.String()
		}
		stands := false
		for a := range podAddresses(&w.Pods[i]) {
			stands = true
			key := where{n.addresses.atom(a), changed}
			at, ok := index[key]
			if !ok {
				at = len(out)
				index[key] = at
				out = append(out, location{atoms: interval(key.atom, key.atom+1), labels: own})
			}
			out[at].addresses = append(out[at].addresses, a)
		}
		if !stands {
			waiting = append(waiting, own)
		}
	}
	// A pod that waits for its address will stand where its equals do; one whose
	// labels were changed by hand has none.
	for _, own := range waiting {
		if !slices.ContainsFunc(out, func(l location) bool { return labels.Equals(l.labels, own) }) {
			out = append(out, location{labels: own})
		}
	}
	if len(out) == 0 {
		return []location{template}
	}
	return out
}

// podAddresses returns the addresses of a pod.
func podAddresses(p *estate.Pod) iter.Seq[netip.Addr] {
	return func(yield func(netip.Addr) bool) {
		for _, text := range p.Addresses() {
			if a, err := netip.ParseAddr(text); err == nil && !yield(a.Unmap()) {
				return
			}
		}
	}
}

// containers returns the containers that run side by side: native sidecars are
// init containers that restart always.
func containers(s *corev1.PodSpec) []corev1.Container {
	out := s.Containers[:len(s.Containers):len(s.Containers)]
	for i := range s.InitContainers {
		if isSidecar(&s.InitContainers[i]) {
			out = append(out, s.InitContainers[i])
		}
	}
	return out
}

func isSidecar(c *corev1.Container) bool {
	return c.RestartPolicy != nil && *c.RestartPolicy == corev1.ContainerRestartPolicyAlways
}

func protocolOf(p corev1.Protocol) (Protocol, bool) {
	if p == "" {
		return TCP, true
	}
	parsed, err := ParseProtocol(string(p))
	return parsed, err == nil
}

func namedPorts(w *estate.Workload) map[string][]Named {
	var out map[string][]Named
	for _, c := range containers(&w.Template.Spec) {
		for _, p := range c.Ports {
			protocol, ok := protocolOf(p.Protocol)
			if p.Name == "" || !ok || p.ContainerPort < 1 || p.ContainerPort > lastPort {
				continue
			}
			if out == nil {
				out = map[string][]Named{}
			}
			out[p.Name] = append(out[p.Name], Named{protocol, uint16(p.ContainerPort)})
		}
	}
	return out
}

// served returns the ports that the containers of a workload declare.
func served(w *estate.Workload) Ports {
	var out Ports
	for _, c := range containers(&w.Template.Spec) {
		for _, p := range c.Ports {
			if protocol, ok := protocolOf(p.Protocol); ok && p.ContainerPort >= 1 {
				one := PortsOf(protocol, int(p.ContainerPort), int(p.ContainerPort))
				out = out.Union(&one)
			}
		}
	}
	return out
}

// addTargets makes the points of what AWS runs beside the pods.
func (n *Network) addTargets() {
	for _, t := range n.vpc.targets {
		n.addEndpoint(t.endpoint)
		n.addPoint(&point{endpoint: t.endpoint, atoms: n.addresses.all(t.networks), anywhere: t.predicted != nil})
	}
	n.addNodes()
	for _, name := range n.domainNames() {
		e := n.addEndpoint(&Endpoint{Kind: DomainEndpoint, Name: name, Ref: addressRef(DomainEndpoint, name)})
		n.addPoint(&point{endpoint: e, atoms: n.addresses.public(), anywhere: true})
	}
	n.atoms = uint32(len(n.points))
}

// addAddresses makes the points of addresses and the endpoints that every
// estate has.
func (n *Network) addAddresses() {
	var shares []*Endpoint
	owner := make([]*Endpoint, n.addresses.len())
	own := func(e *Endpoint, atoms set) {
		shares = append(shares, e)
		for atom := range atoms.points() {
			owner[atom] = e
		}
	}
	rest := &Endpoint{Kind: NetworkEndpoint, Name: OtherAddresses, Ref: addressRef(NetworkEndpoint, "other")}
	own(rest, interval(0, n.addresses.len()))
	own(&Endpoint{Kind: InternetEndpoint, Name: "internet", Ref: addressRef(InternetEndpoint, "internet")}, n.addresses.public())
	own(&Endpoint{Kind: NetworkEndpoint, Name: "private networks", Ref: addressRef(NetworkEndpoint, "private")}, n.addresses.all(privateNetworks))
	if len(n.vpc.networks) > 0 {
		own(&Endpoint{Kind: NetworkEndpoint, Name: "VPC", Ref: addressRef(NetworkEndpoint, "vpc")}, n.addresses.all(n.vpc.networks))
	}
	own(&Endpoint{Kind: MetadataEndpoint, Name: "instance metadata", Ref: addressRef(MetadataEndpoint, "imds"), Serves: PortsOf(TCP, 80, 80)}, n.addresses.all(metadataNetworks))
	own(&Endpoint{Kind: PodIdentityEndpoint, Name: "Pod Identity agent", Ref: addressRef(PodIdentityEndpoint, "pod-identity"), Serves: PortsOf(TCP, 80, 80)}, n.addresses.all(podIdentityNetworks))
	dns, tcp := PortsOf(UDP, 53, 53), PortsOf(TCP, 53, 53)
	own(&Endpoint{Kind: NodeDNSEndpoint, Name: "node-local DNS", Ref: addressRef(NodeDNSEndpoint, "node-dns"), Serves: dns.Union(&tcp)}, n.addresses.all(nodeDNSNetworks))
	for atom, e := range owner {
		n.addPoint(&point{endpoint: e, atoms: interval(uint32(atom), uint32(atom)+1)})
	}
	for _, e := range shares {
		if len(e.points) > 0 {
			n.addEndpoint(e)
		}
	}
}

func addressRef(kind EndpointKind, id string) estate.Ref {
	return estate.Ref{Kind: estate.Kind(kind), Name: id, ID: strings.ToLower(string(kind)) + "/" + id}
}

func (n *Network) addEndpoint(e *Endpoint) *Endpoint {
	n.endpoints = append(n.endpoints, e)
	n.byRef[e.Ref] = e
	return e
}

// all returns every point.
func (n *Network) all() set { return interval(0, uint32(len(n.points))) }
