package network

import (
	"net/netip"
	"strconv"

	corev1 "k8s.io/api/core/v1"
)

func itoa[T ~int | ~int32](n T) string { return strconv.Itoa(int(n)) }

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
