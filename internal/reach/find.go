package reach

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/eksafe/eksafe/internal/estate"
)

// found is what a reference means.
type found struct {
	endpoints []*Endpoint
	// port translates a port of a Service to that of its pods; nil leaves it.
	port func(Protocol, uint16) []Named
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
	var exact, loose []*Endpoint
	for _, e := range n.endpoints {
		switch {
		case e.Ref.ID == ref, strings.EqualFold(e.Ref.ID, ref), e.Name == ref:
			exact = append(exact, e)
		case e.Ref.Name == ref || e.Workload != nil && slices.ContainsFunc(e.Workload.Pods, func(p estate.Pod) bool {
			return p.Name == ref || e.Namespace+"/"+p.Name == ref
		}):
			loose = append(loose, e)
		}
	}
	if len(exact) == 0 {
		exact = loose
	}
	switch len(exact) {
	case 1:
		return found{endpoints: exact}, nil
	case 0:
		return found{}, fmt.Errorf("finding %q: %w; %s", ref, ErrNotFound, n.near(ref))
	}
	var names []string
	for _, e := range exact {
		names = append(names, e.Ref.ID)
	}
	return found{}, fmt.Errorf("finding %q: it may be %s; name one of them", ref, list(names))
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
		if len(s.Object.Spec.Selector) == 0 {
			return found{}, fmt.Errorf("finding %q: the Service selects no pods", ref)
		}
		f, err := n.among(ref, func(e *Endpoint) bool {
			return e.Workload != nil && e.Namespace == s.Object.Namespace && mayLeadTo(s.Object.Spec.Selector, e.Workload, e.Workload.Template.Labels)
		})
		f.port = func(protocol Protocol, port uint16) []Named {
			for _, p := range s.Object.Spec.Ports {
				if known, ok := protocolOf(p.Protocol); !ok || known != protocol || p.Port != int32(port) && p.NodePort != int32(port) {
					continue
				}
				var out []Named
				for _, e := range f.endpoints {
					out = append(out, targetPorts(p, e.Workload)...)
				}
				return sortedPorts(out)
			}
			return nil
		}
		return f, err
	}
	return found{}, fmt.Errorf("finding %q: no such Service in the estate", ref)
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
