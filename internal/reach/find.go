package reach

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/eksafe/eksafe/internal/estate"
	"github.com/eksafe/eksafe/internal/trace"
)

// found is what a reference means.
type found struct {
	endpoints []*Endpoint
	// port translates a port of a Service to that of its pods; nil leaves it.
	port func(Protocol, uint16) ([]Named, error)
}

// at returns what a port of the reference is at its endpoints: one at least.
func (f *found) at(protocol Protocol, port uint16) ([]Named, error) {
	if f.port == nil {
		return []Named{{protocol, port}}, nil
	}
	return f.port(protocol, port)
}

// ErrNotFound is returned for a reference to nothing that the estate holds.
var ErrNotFound = errors.New("no such endpoint")

// Find returns the endpoints that a reference means: "shop/web", "shop/*",
// "deployment/shop/web", "service/shop/web", "namespace/shop", the name or ARN
// of a database, "internet", "imds", "nodes", an address, a CIDR. A reference without a
// namespace means the one workload of that name.
func (n *Network) Find(ref string) ([]*Endpoint, error) {
	f, err := n.find(ref)
	return f.endpoints, err
}

var wellKnown = map[string]EndpointKind{
	"internet": InternetEndpoint, "imds": MetadataEndpoint, "metadata": MetadataEndpoint,
	"pod-identity": PodIdentityEndpoint, "node-dns": NodeDNSEndpoint, "nodes": NodesEndpoint,
}

func (n *Network) find(ref string) (found, error) {
	if kind, ok := wellKnown[strings.ToLower(ref)]; ok {
		for _, e := range n.endpoints {
			if e.Kind == kind {
				return found{endpoints: []*Endpoint{e}}, nil
			}
		}
	}
	if p, ok := parsePrefix(ref); ok {
		return found{endpoints: []*Endpoint{n.addressEndpoint(p)}}, nil
	}
	kind, rest, qualified := strings.Cut(ref, "/")
	if qualified {
		switch strings.ToLower(kind) {
		case "namespace", "ns":
			return n.among(ref, func(e *Endpoint) bool { return e.Workload != nil && e.Namespace == rest })
		case "service", "svc":
			return n.service(ref, rest)
		}
		if name, ok := strings.CutSuffix(ref, "/*"); ok && !strings.Contains(name, "/") {
			return n.among(ref, func(e *Endpoint) bool { return e.Workload != nil && e.Namespace == name })
		}
	}
	var exact, named, loose []*Endpoint
	for _, e := range n.endpoints {
		switch {
		case e.Ref.ID == ref && e.isThing():
			exact = append(exact, e) // so that each of several can be told from the others
		case strings.EqualFold(e.Ref.ID, ref) && e.isThing(), e.Name == ref:
			named = append(named, e)
		case e.Ref.ID == ref:
			loose = append(loose, e) // "nodes/nodes" is a workload if there is one
		case e.Ref.Name == ref || e.Workload != nil && slices.ContainsFunc(e.Workload.Pods, func(p estate.Pod) bool {
			return p.Name == ref || e.Namespace+"/"+p.Name == ref
		}):
			loose = append(loose, e)
		}
	}
	for _, meant := range [][]*Endpoint{exact, named, loose} {
		switch len(meant) {
		case 0:
			continue
		case 1:
			return found{endpoints: meant}, nil
		}
		return found{}, fmt.Errorf("finding %q: %s", ref, ambiguous(meant))
	}
	return found{}, fmt.Errorf("finding %q: %w; %s", ref, ErrNotFound, n.near(ref))
}

// ambiguous says how to name one of several endpoints, or that they are the same
// object more than once.
func ambiguous(meant []*Endpoint) string {
	var ids, places []string
	for _, e := range meant {
		ids = append(ids, e.Ref.ID)
		if e.Workload == nil {
			continue
		}
		if file, line := e.Workload.Origin.Locate(""); file != "" {
			places = append(places, fmt.Sprintf("%s:%d", file, line))
		}
	}
	slices.Sort(ids)
	switch ids = slices.Compact(ids); {
	case len(ids) > 1:
		return fmt.Sprintf("it may be %s; name one of them", list(ids))
	case len(places) < len(meant):
		return fmt.Sprintf("%s is in what was read %d times; leave one of the sources out", ids[0], len(meant))
	}
	return fmt.Sprintf("%s is declared more than once, in %s; leave one of them out", ids[0], list(places))
}

func (n *Network) among(ref string, is func(*Endpoint) bool) (found, error) {
	var f found
	for _, e := range n.endpoints {
		if is(e) {
			f.endpoints = append(f.endpoints, e)
		}
	}
	if len(f.endpoints) == 0 {
		return f, fmt.Errorf("finding %q: %w", ref, ErrNotFound)
	}
	return f, nil
}

// near names endpoints that look like what was asked for.
func (n *Network) near(ref string) string {
	_, short, ok := strings.Cut(ref, "/")
	if !ok {
		short = ref
	}
	var names []string
	for _, e := range n.endpoints {
		if e.Kind != NetworkEndpoint && short != "" && strings.Contains(e.Name, short[strings.LastIndexByte(short, '/')+1:]) {
			names = append(names, e.Name)
		}
	}
	if len(names) == 0 {
		return "without --from and --to all that there is is listed"
	}
	return "there is " + list(names)
}

// service returns the pods behind a Service.
func (n *Network) service(ref, name string) (found, error) {
	for _, s := range estate.Services.In(n.graph.Estate) {
		if s.Object.Namespace+"/"+s.Object.Name != name {
			continue
		}
		spec := &s.Object.Spec
		switch {
		case spec.Type == corev1.ServiceTypeExternalName:
			return found{}, fmt.Errorf("finding %q: the Service names another host, %s, and has no pods, whatever its selector says", ref, spec.ExternalName)
		case len(spec.Selector) == 0:
			return found{}, fmt.Errorf("finding %q: the Service selects no pods", ref)
		}
		f, err := n.among(ref, func(e *Endpoint) bool {
			return e.Workload != nil && e.Namespace == s.Object.Namespace && mayLeadTo(spec.Selector, e.Workload, e.Workload.Template.Labels)
		})
		f.port = func(protocol Protocol, port uint16) ([]Named, error) {
			ports, err := servicePort(spec, f.endpoints, Named{protocol, port})
			if err != nil {
				return nil, fmt.Errorf("finding %s %d of %q: %w", protocol, port, ref, err)
			}
			return ports, nil
		}
		return f, err
	}
	return found{}, fmt.Errorf("finding %q: no such Service in the estate", ref)
}

// servicePort returns where a port of a Service, or the port of the nodes that it
// opens, leads at its pods. That nothing comes by a port which is not there would
// be true whatever any policy says, so it is an error.
func servicePort(spec *corev1.ServiceSpec, pods []*Endpoint, asked Named) ([]Named, error) {
	var there []string
	var out []Named
	has := false
	for i := range spec.Ports {
		p := &spec.Ports[i]
		protocol, ok := protocolOf(p.Protocol)
		if !ok {
			continue
		}
		there = append(there, fmt.Sprintf("%s %d", protocol, p.Port))
		first, last, opens := trace.NodePort(spec, p)
		chosen := opens && first == last
		if chosen {
			there = append(there, fmt.Sprintf("%s %d of the nodes", protocol, first))
		}
		if protocol != asked.Protocol || p.Port != int32(asked.Port) && !(chosen && first == int32(asked.Port)) {
			continue
		}
		has = true
		for _, e := range pods {
			out = append(out, targetPorts(*p, e.Workload)...)
		}
	}
	switch {
	case len(there) == 0:
		return nil, errors.New("the Service has no such port; it has none")
	case !has:
		return nil, fmt.Errorf("the Service has no such port; it has %s", list(there))
	case len(out) == 0:
		return nil, errors.New("the Service has that port, and none of its pods has the port that it leads to")
	}
	return sortedPorts(out), nil
}

// addressEndpoint makes an endpoint of addresses that somebody asks about.
func (n *Network) addressEndpoint(p netip.Prefix) *Endpoint {
	name := p.String()
	if p.IsSingleIP() {
		name = p.Addr().String()
	}
	e := &Endpoint{Kind: NetworkEndpoint, Name: name, Ref: addressRef(NetworkEndpoint, name)}
	atoms := n.addresses.atoms(p)
	for _, sp := range atoms {
		e.points = append(e.points, span{sp.lo + n.atoms, sp.hi + n.atoms})
	}
	// An address that belongs to a pod or a target is that one's.
	known := n.within(atoms).sure.intersect(interval(0, n.atoms))
	if p.IsSingleIP() && len(known) > 0 {
		var pods set
		for id := range known.points() {
			if slices.Contains(n.points[id].addresses, p.Addr()) {
				pods = pods.extend(id, id+1)
			}
		}
		if len(pods) > 0 {
			e.points = pods
		}
	}
	return e
}

// ParsePort reads "5432", "TCP 5432", "5432/tcp", "udp/53".
func ParsePort(text string) (Protocol, uint16, error) {
	protocol := TCP
	number := strings.TrimSpace(text)
	if fields := strings.FieldsFunc(text, func(r rune) bool { return r == '/' || r == ' ' || r == ':' }); len(fields) == 2 {
		name := fields[0]
		number = fields[1]
		if _, err := strconv.Atoi(name); err == nil {
			name, number = number, name
		}
		var err error
		if protocol, err = ParseProtocol(name); err != nil {
			return 0, 0, fmt.Errorf("reading port %q: %w", text, err)
		}
	}
	port, err := strconv.ParseUint(number, 10, 16)
	if err != nil || port == 0 {
		return 0, 0, fmt.Errorf("reading port %q: name a number from 1 to 65535, with its protocol unless it is TCP: 53/UDP", text)
	}
	return protocol, uint16(port), nil
}
