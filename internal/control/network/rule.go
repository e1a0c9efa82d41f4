package network

import (
	"net/netip"
	"strconv"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

func itoa[T ~int | ~int32](n T) string { return strconv.Itoa(int(n)) }

// protocol returns the protocol of a port: TCP unless it says otherwise.
func protocol(p *corev1.Protocol) corev1.Protocol {
	if p == nil || *p == "" {
		return corev1.ProtocolTCP
	}
	return *p
}

// span returns the numbers that a port of a policy allows; ok is false for a
// named port. A port without a number is every port of its protocol.
func span(p networkingv1.NetworkPolicyPort) (from, to int32, ok bool) {
	switch {
	case p.Port == nil:
		return 0, 65535, true
	case p.Port.Type == intstr.String:
		return 0, 0, false
	case p.EndPort != nil && *p.EndPort >= p.Port.IntVal:
		return p.Port.IntVal, *p.EndPort, true
	}
	return p.Port.IntVal, p.Port.IntVal, true
}

// allowsTCP reports whether ports let TCP through at a number. To an address
// that is no pod a named port means nothing.
func allowsTCP(ports []networkingv1.NetworkPolicyPort, number int32) bool {
	if len(ports) == 0 {
		return true
	}
	for _, p := range ports {
		from, to, ok := span(p)
		// Port 0 is one that is not known: what allows any may allow it.
		if ok && protocol(p.Protocol) == corev1.ProtocolTCP && (number == 0 || from <= number && number <= to) {
			return true
		}
	}
	return false
}

// containers returns the containers that run side by side: native sidecars are
// init containers that restart always.
func containers(s *corev1.PodSpec) []corev1.Container {
	out := s.Containers[:len(s.Containers):len(s.Containers)]
	for _, c := range s.InitContainers {
		if c.RestartPolicy != nil && *c.RestartPolicy == corev1.ContainerRestartPolicyAlways {
			out = append(out, c)
		}
	}
	return out
}

// The widest network that a name can stand for: a /8 is the largest that was
// ever given to one owner, a /16 of IPv6 is larger than any.
const (
	widestIPv4 = 8
	widestIPv6 = 16
)

// worldwide reports whether a network is the internet or a large part of it,
// such as one of the halves by which "0.0.0.0/0" is hidden.
func worldwide(p netip.Prefix) bool {
	if p.Addr().Is4() {
		return p.Bits() < widestIPv4
	}
	return p.Bits() < widestIPv6
}

// prefix reads a CIDR; a plain address is a network of one.
func prefix(s string) (netip.Prefix, bool) {
	if p, err := netip.ParsePrefix(s); err == nil {
		return p.Masked(), true
	}
	a, err := netip.ParseAddr(s)
	if err != nil {
		return netip.Prefix{}, false
	}
	return netip.PrefixFrom(a, a.BitLen()), true
}

// prefixes reads CIDRs and passes over what is none.
func prefixes(cidrs ...string) []netip.Prefix {
	var out []netip.Prefix
	for _, c := range cidrs {
		if p, ok := prefix(c); ok {
			out = append(out, p)
		}
	}
	return out
}

// within reports whether one of the networks holds all of p.
func within(p netip.Prefix, networks []netip.Prefix) bool {
	for _, n := range networks {
		if n.Bits() <= p.Bits() && n.Contains(p.Addr()) {
			return true
		}
	}
	return false
}

// touches reports whether a block lets anything of the networks through: it
// overlaps one of them, and no exception holds the whole of it.
func touches(b *networkingv1.IPBlock, networks []netip.Prefix) bool {
	block, ok := prefix(b.CIDR)
	if !ok {
		return false
	}
	except := prefixes(b.Except...)
	for _, n := range networks {
		if block.Overlaps(n) && !within(n, except) {
			return true
		}
	}
	return false
}
