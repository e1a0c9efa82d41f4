package reach

import (
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/eksafe/eksafe/internal/estate"
)

// rule compiles a rule; ok is false for one that decides nothing.
func (c *calico) rule(s *estate.CalicoRule, d Direction, home string, p *policy) (out rule, ok bool) {
	switch {
	case strings.EqualFold(s.Action, "Allow"):
		out.action = allow
	case strings.EqualFold(s.Action, "Deny"):
		out.action = deny
	case strings.EqualFold(s.Action, "Pass"), strings.EqualFold(s.Action, "next-tier"):
		out.action = pass
	default:
		return rule{}, false // Log, and the next rule is asked
	}
	peer, own := &s.Source, &s.Destination
	if d == Egress {
		peer, own = own, peer
	}
	ports := calicoProtocols(s)
	// A client chooses the port from which it sends.
	if chosen, limited := sourcePorts(&s.Source, &ports); limited {
		switch {
		case !chosen, out.action == deny:
			return rule{}, false
		case out.action == pass:
			out.doubt = "it is limited to ports from which the client sends"
		}
		out.peers.note = "a rule is limited to ports from which the client sends; a client chooses its own"
	}
	if s.HTTP != nil {
		if out.action == deny {
			return rule{}, false
		}
		out.peers.note = "a rule is limited to some requests of HTTP; a connection that may carry them is taken as allowed"
	}
	note := out.peers.note
	var doubt string
	if out.peers, doubt = c.end(peer, home, out.action); doubt != "" {
		out.doubt = doubt
	}
	out.peers.note = note
	if s.IPVersion != nil {
		family := "0.0.0.0/0"
		if *s.IPVersion == 6 {
			family = "::/0"
		}
		out.peers = out.peers.intersect(c.nets([]string{family}))
	}
	if !unlimitedEnd(own) {
		mine, doubt := c.end(own, home, out.action)
		if doubt != "" {
			out.doubt = doubt
		}
		if len(p.selected.may.minus(mine.sure)) > 0 {
			out.own = mine.membership
		}
	}
	out.ports = allPorts
	c.limit(&out, &s.Destination, ports)
	if s.Destination.Services != nil && d == Egress {
		c.toService(&out, s.Destination.Services, home, ports)
	}
	return out, true
}

// place says where the blocks and the ports of a rule stand.
func (c *calico) place(r *rule, s *estate.CalicoRule, d Direction, home string) {
	peer, side := &s.Source, ".source"
	if d == Egress {
		peer, side = &s.Destination, ".destination"
	}
	for i, cidr := range peer.Nets {
		inside := r.peers.intersect(c.nets([]string{cidr}))
		r.parts = append(r.parts, part{field: r.field + side + ".nets[" + itoa(i) + "]", peers: inside, block: cidr})
	}
	// What stands in other namespaces sources may leave out.
	if own := home != "" && peer.NamespaceSelector == "" && !slices.Contains(alwaysThere, home); own && peer.Selector != "" && len(r.peers.may) == 0 {
		r.vacant = vacancy{r.field + side + ".selector", "no pod and no network set is what the selector says: " + peer.Selector}
	}
	ports := calicoProtocols(s)
	for i, v := range s.Destination.Ports {
		numbers, names := portList([]any{v})
		at, open := gate{field: r.field + ".destination.ports[" + itoa(i) + "]"}, Ports{}
		for _, protocol := range withPorts {
			if len(ports[protocol]) == 0 {
				continue
			}
			open[protocol] = numbers
			for _, name := range names {
				at.named = append(at.named, namedRule{protocol, name})
			}
		}
		at.ports = c.ports.id(open)
		r.gates = append(r.gates, at)
	}
}

// unlimitedEnd reports whether an end is every address.
func unlimitedEnd(e *estate.CalicoEntityRule) bool {
	return len(e.Nets) == 0 && len(e.NotNets) == 0 && e.Selector == "" && e.NotSelector == "" && e.NamespaceSelector == "" &&
		len(e.Domains) == 0 && e.ServiceAccounts == nil && e.Services == nil
}

// end returns what an end of a rule is about; doubt says why that is not known.
func (c *calico) end(e *estate.CalicoEntityRule, home string, a action) (out peers, doubt string) {
	out = c.everything()
	nets := c.nets
	if a == deny {
		nets = c.netsSurely
	}
	f, limited, ok := chosen(e, home)
	switch {
	case !ok:
		out.sure, doubt = nil, "its selector cannot be read"
	case limited:
		out = out.intersect(c.choose(f))
	}
	if e.NotSelector != "" {
		s, ok := parseSelector(e.NotSelector, endpointDialect)
		if !ok {
			out.sure, doubt = nil, "its selector cannot be read"
		} else {
			out = out.minus(c.choose(family{key: "not " + e.NotSelector, own: []selector{s}}))
		}
	}
	if len(e.Nets) > 0 {
		out = out.intersect(nets(e.Nets))
	}
	if len(e.NotNets) > 0 {
		// What a rule leaves out it may leave out for sure only if it is wholly
		// there, and the other way round.
		except := c.netsSurely
		if a == deny {
			except = c.nets
		}
		out = out.minus(except(e.NotNets))
	}
	if len(e.Domains) > 0 {
		out = out.intersect(c.domains())
	}
	if e.Services != nil {
		to, known := c.endpointsOf(e.Services, home)
		if !known {
			out.sure, doubt = nil, "what stands behind Service "+e.Services.Name+" is not known"
		} else {
			out = out.intersect(to)
		}
	}
	return out, doubt
}

// chosen returns the endpoints that the selectors of an end choose; limited is
// false if it has none, ok if one cannot be read. A rule of a namespace is about its
// own, unless it says which ones.
func chosen(e *estate.CalicoEntityRule, home string) (f family, limited, ok bool) {
	var names []string
	accounts := ""
	if e.ServiceAccounts != nil {
		names, accounts = e.ServiceAccounts.Names, e.ServiceAccounts.Selector
	}
	selects := e.Selector != "" || accounts != "" || len(names) > 0
	f.key = strings.Join(append([]string{"end", home, e.NamespaceSelector, e.Selector, accounts}, names...), "\x00")
	spaces, okSpaces := parseSelector(e.NamespaceSelector, namespaceDialect)
	own, okOwn := parseSelector(e.Selector, endpointDialect)
	account, okAccount := parseSelector(accounts, accountDialect)
	f.spaces, f.own = spaces, []selector{own, account}
	if e.NamespaceSelector == "" {
		f.home = home
	}
	if len(names) > 0 {
		f.own = append(f.own, selector{
			match: func(l lookup) bool { v, found := l(calicoServiceAccount); return found && slices.Contains(names, v) },
			pins:  []pin{{calicoServiceAccount, slices.Compact(slices.Sorted(slices.Values(names)))}},
		})
	}
	limited = selects || e.NamespaceSelector != "" || home != "" && e.NotSelector != ""
	return f, limited, okSpaces && okOwn && okAccount
}

// intersect returns the points of both.
func (p peers) intersect(o peers) peers {
	return peers{sure: p.sure.intersect(o.sure), may: p.may.intersect(o.may), note: p.note, noted: p.noted}
}

// minus returns the points that are not in o.
func (p peers) minus(o peers) peers {
	return peers{sure: p.sure.minus(o.may), may: p.may.minus(o.sure), note: p.note, noted: p.noted}
}

// calicoProtocols returns the ports of the protocols that a rule is about, and
// of ICMP its types and codes.
func calicoProtocols(s *estate.CalicoRule) Ports {
	out := AllPorts()
	if s.Protocol != nil {
		out = protocolPorts(s.Protocol)
	}
	if s.NotProtocol != nil {
		not := protocolPorts(s.NotProtocol)
		out = out.Minus(&not)
	}
	if s.ICMP != nil {
		only := calicoICMP(s.ICMP)
		out = out.Intersect(&only)
	}
	// Without a type there is nothing to leave out.
	if _, typed := s.NotICMP["type"]; typed {
		not := calicoICMP(s.NotICMP)
		out = out.Minus(&not)
	}
	return out
}

func calicoICMP(fields map[string]int) Ports {
	first, last := 0, lastPort
	if t, ok := fields["type"]; ok {
		first, last = t<<8, t<<8|0xff
		if code, ok := fields["code"]; ok {
			first, last = t<<8|code, t<<8|code
		}
	}
	v4, v6 := PortsOf(ICMP, first, last), PortsOf(ICMPv6, first, last)
	return v4.Union(&v6)
}

// udpLite is a protocol that has a name in Calico and no ports in eksafe.
const udpLite = 136

// protocolPorts returns every port of a protocol by name or number, none of one
// that does not exist.
func protocolPorts(v any) Ports {
	number := -1
	switch v := v.(type) {
	case int:
		number = v
	case int64:
		number = int(v)
	case float64:
		number = int(v)
	case string:
		if p, err := ParseProtocol(v); err == nil && p != Other {
			return PortsOf(p, 0, lastPort)
		}
		if n, err := strconv.ParseUint(v, 10, 8); err == nil {
			number = int(n)
		}
		if strings.EqualFold(v, "UDPLite") {
			number = udpLite
		}
	}
	switch number {
	case 1:
		return PortsOf(ICMP, 0, lastPort)
	case 6:
		return PortsOf(TCP, 0, lastPort)
	case 17:
		return PortsOf(UDP, 0, lastPort)
	case 58:
		return PortsOf(ICMPv6, 0, lastPort)
	case 132:
		return PortsOf(SCTP, 0, lastPort)
	case -1:
		return Ports{}
	}
	return PortsOf(Other, number, number)
}

// withPorts are the protocols that have ports.
var withPorts = [...]Protocol{TCP, UDP, SCTP}

// portList reads a list of ports: numbers, ranges such as "1000:2000", names.
func portList(list []any) (numbers []PortRange, names []string) {
	for _, v := range list {
		switch first, last, ok := calicoPort(v); {
		case ok && first <= last:
			numbers = append(numbers, PortRange{first, last})
		case !ok:
			if name, isName := v.(string); isName {
				names = append(names, name)
			}
		}
	}
	return mergeRanges(numbers), names
}

func calicoPort(v any) (first, last uint16, ok bool) {
	number := func(n int64) (uint16, uint16, bool) { return uint16(n), uint16(n), n >= 0 && n <= lastPort }
	switch v := v.(type) {
	case int:
		return number(int64(v))
	case int64:
		return number(v)
	case float64:
		return number(int64(v))
	case string:
		low, high, ranged := strings.Cut(v, ":")
		if !ranged {
			high = low
		}
		a, errA := strconv.ParseUint(low, 10, 16)
		b, errB := strconv.ParseUint(high, 10, 16)
		return uint16(a), uint16(b), errA == nil && errB == nil
	}
	return 0, 0, false
}

// sourcePorts reports whether a rule is limited to some of the ports from which
// a client may send, and whether any is left. Only protocols with ports count.
func sourcePorts(e *estate.CalicoEntityRule, ports *Ports) (left, limited bool) {
	if len(e.Ports) == 0 && len(e.NotPorts) == 0 {
		return true, false
	}
	open := []PortRange{{0, lastPort}}
	if len(e.Ports) > 0 {
		numbers, names := portList(e.Ports)
		open = numbers
		if len(names) > 0 {
			return true, true
		}
	}
	not, _ := portList(e.NotPorts)
	a, b := Ports{TCP: open}, Ports{TCP: not}
	rest := a.Minus(&b)
	*ports = onlyPorted(ports)
	if len(rest[TCP]) == 1 && rest[TCP][0].First <= 1 && rest[TCP][0].Last == lastPort {
		return true, false
	}
	return !rest.Empty(), true
}

func onlyPorted(p *Ports) Ports {
	var out Ports
	for _, protocol := range withPorts {
		out[protocol] = p[protocol]
	}
	return out
}

// limit sets the ports of a rule.
func (c *calico) limit(r *rule, to *estate.CalicoEntityRule, ports Ports) {
	if len(to.Ports) > 0 {
		numbers, names := portList(to.Ports)
		limited := Ports{}
		for _, protocol := range withPorts {
			if len(ports[protocol]) == 0 {
				continue
			}
			limited[protocol] = numbers
			for _, name := range names {
				r.named = append(r.named, namedRule{protocol, name})
			}
		}
		ports = limited
	}
	if len(to.NotPorts) > 0 {
		numbers, names := portList(to.NotPorts)
		not := Ports{}
		for _, protocol := range withPorts {
			not[protocol] = numbers
			for _, name := range names {
				if len(ports[protocol]) > 0 {
					r.without = append(r.without, namedRule{protocol, name})
				}
			}
		}
		ports = onlyPorted(&ports)
		ports = ports.Minus(&not)
	}
	r.ports = c.ports.id(ports)
}

// A service is what stands behind a Service.
type service struct {
	points peers
	ports  []corev1.ServicePort
	known  bool // its endpoints follow from its selector
}

// serviceNamed returns a Service; ok is false if nothing is known of it.
func (c *calico) serviceNamed(m *estate.CalicoServiceMatch, home string) (s *service, ok bool) {
	if c.services == nil {
		c.services = map[[2]string]*service{}
		for _, r := range estate.Services.In(c.graph.Estate) {
			spec := &r.Object.Spec
			made := &service{ports: spec.Ports, known: spec.Selector != nil || spec.Type == corev1.ServiceTypeExternalName}
			if spec.Selector != nil && spec.Type != corev1.ServiceTypeExternalName {
				// Pods in the network of their node are among them.
				ns, want := c.namespaceNamed(r.Object.Namespace), labels.SelectorFromSet(spec.Selector)
				for i := ns.span.lo; i < ns.span.hi; i++ {
					if want.Matches(c.points[i].labels) {
						made.points.sure = made.points.sure.extend(i, i+1)
					}
				}
				made.points.may = made.points.sure
			}
			c.services[[2]string{r.Object.Namespace, r.Object.Name}] = made
		}
	}
	namespace := m.Namespace
	if namespace == "" {
		namespace = home
	}
	s, ok = c.services[[2]string{namespace, m.Name}]
	return s, ok && s.known
}

// endpointsOf returns the pods behind a Service.
func (c *calico) endpointsOf(m *estate.CalicoServiceMatch, home string) (peers, bool) {
	s, ok := c.serviceNamed(m, home)
	if !ok {
		return c.everything(), false
	}
	return s.points, true
}

// toService limits a rule to the ports at which the pods behind a Service
// answer.
func (c *calico) toService(r *rule, m *estate.CalicoServiceMatch, home string, ports Ports) {
	s, ok := c.serviceNamed(m, home)
	if !ok {
		return
	}
	var open Ports
	r.named = nil
	for _, p := range s.ports {
		protocol, ok := protocolOf(p.Protocol)
		if !ok || len(ports[protocol]) == 0 {
			continue
		}
		if p.TargetPort.Type == intstr.String && p.TargetPort.StrVal != "" {
			r.named = append(r.named, namedRule{protocol, p.TargetPort.StrVal})
			continue
		}
		number := int(p.TargetPort.IntVal)
		if number == 0 {
			number = int(p.Port)
		}
		one := PortsOf(protocol, number, number)
		open = open.Union(&one)
	}
	r.ports = c.ports.id(open.Intersect(&ports))
}
