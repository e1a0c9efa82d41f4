package reach

import (
	"net/netip"
	"slices"
	"strings"
)

// A block is the addresses of prefix that are in none of except.
type block struct {
	prefix netip.Prefix
	except []netip.Prefix
}

// parseBlock reads a CIDR as the API server does, which passes over zeros in
// front of the numbers of an IPv4 address, and takes no plain address.
func parseBlock(s string) (netip.Prefix, bool) {
	if !strings.Contains(s, "/") {
		return netip.Prefix{}, false
	}
	return parsePrefix(s)
}

// parsePrefix reads a CIDR or a plain address, which is a block of one. Host
// bits do not count, and an IPv4 address in IPv6's clothes is one of IPv4.
func parsePrefix(s string) (netip.Prefix, bool) {
	p, ok := readPrefix(s)
	if !ok {
		if p, ok = readPrefix(withoutZeros(s)); !ok {
			return netip.Prefix{}, false
		}
	}
	if a := p.Addr(); a.Is4In6() {
		if p.Bits() < 96 {
			return netip.Prefix{}, false
		}
		p = netip.PrefixFrom(a.Unmap(), p.Bits()-96)
	}
	return p.Masked(), true
}

// readPrefix is parsePrefix for what has no zeros in front.
func readPrefix(s string) (netip.Prefix, bool) {
	if strings.Contains(s, "/") {
		p, err := netip.ParsePrefix(s)
		return p, err == nil
	}
	a, err := netip.ParseAddr(s)
	return netip.PrefixFrom(a, a.BitLen()), err == nil && a.Zone() == ""
}

// withoutZeros writes "010.000.0.0/08" as "10.0.0.0/8".
func withoutZeros(s string) string {
	address, bits, cut := strings.Cut(s, "/")
	if strings.Contains(address, ":") || !strings.Contains(s, "0") {
		return s
	}
	trim := func(number string) string {
		if t := strings.TrimLeft(number, "0"); t != "" || number == "" {
			return t
		}
		return "0"
	}
	numbers := strings.Split(address, ".")
	for i := range numbers {
		numbers[i] = trim(numbers[i])
	}
	if address = strings.Join(numbers, "."); cut {
		address += "/" + trim(bits)
	}
	return address
}

func mustPrefixes(texts ...string) []netip.Prefix {
	out := make([]netip.Prefix, len(texts))
	for i, t := range texts {
		out[i] = netip.MustParsePrefix(t)
	}
	return out
}

// The addresses that pods meet on every node of EKS. Source: the user guides of
// Amazon EC2 (instance metadata), Amazon EKS (Pod Identity agent), and
// Kubernetes (NodeLocal DNSCache).
var (
	metadataNetworks    = mustPrefixes("169.254.169.254/32", "fd00:ec2::254/128")
	podIdentityNetworks = mustPrefixes("169.254.170.23/32", "fd00:ec2::23/128")
	nodeDNSNetworks     = mustPrefixes("169.254.20.10/32")
)

// privateNetworks are not routed in the internet (RFC 1918, RFC 6598, RFC 4193).
var privateNetworks = mustPrefixes("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7")

// specialNetworks are neither private nor somebody's in the internet: "this"
// network, loopback, link-local, multicast, reserved (RFC 6890).
var specialNetworks = mustPrefixes("0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/4", "240.0.0.0/4",
	"::/128", "::1/128", "fe80::/10", "ff00::/8")

// An addressSpace cuts all addresses at the borders of every block that the
// estate names: within one atom all addresses are alike. Atoms are in the order
// of addresses, those of IPv4 first, so that a block is one span of them.
type addressSpace struct {
	starts []netip.Addr // the first address of each atom
}

// newAddressSpace cuts at the blocks.
func newAddressSpace(blocks []netip.Prefix) *addressSpace {
	cuts := []netip.Addr{netip.IPv4Unspecified(), netip.IPv6Unspecified()}
	for _, b := range slices.Concat(blocks, metadataNetworks, podIdentityNetworks, nodeDNSNetworks, privateNetworks, specialNetworks) {
		cuts = append(cuts, b.Addr())
		if next := lastAddress(b).Next(); next.IsValid() && next.BitLen() == b.Addr().BitLen() {
			cuts = append(cuts, next)
		}
	}
	slices.SortFunc(cuts, netip.Addr.Compare)
	return &addressSpace{slices.Compact(cuts)}
}

// lastAddress returns the last address of a prefix.
func lastAddress(p netip.Prefix) netip.Addr {
	b := p.Addr().AsSlice()
	for i := p.Bits(); i < len(b)*8; i++ {
		b[i/8] |= 1 << (7 - i%8)
	}
	out, _ := netip.AddrFromSlice(b)
	return out
}

func (a *addressSpace) len() uint32 { return uint32(len(a.starts)) }

// atom returns the atom of an address.
func (a *addressSpace) atom(addr netip.Addr) uint32 {
	i, found := slices.BinarySearchFunc(a.starts, addr, netip.Addr.Compare)
	if !found {
		i--
	}
	return uint32(i)
}

// atoms returns the atoms that overlap a prefix: exactly it, if it was among
// the blocks that the space was cut at.
func (a *addressSpace) atoms(p netip.Prefix) set {
	return interval(a.atom(p.Addr()), a.atom(lastAddress(p))+1)
}

func (a *addressSpace) all(ps []netip.Prefix) set {
	sets := make([]set, len(ps))
	for i, p := range ps {
		sets[i] = a.atoms(p)
	}
	return union(sets...)
}

// first and last return the ends of an atom.
func (a *addressSpace) ends(atom uint32) (first, last netip.Addr) {
	first = a.starts[atom]
	if int(atom)+1 < len(a.starts) && a.starts[atom+1].BitLen() == first.BitLen() {
		return first, a.starts[atom+1].Prev()
	}
	return first, lastAddress(netip.PrefixFrom(first, 0).Masked())
}

// ipv4 returns the atoms of IPv4, which come first.
func (a *addressSpace) ipv4() set { return interval(0, a.atom(netip.IPv6Unspecified())) }

// public returns the atoms of the internet.
func (a *addressSpace) public() set {
	return interval(0, a.len()).minus(a.all(slices.Concat(privateNetworks, specialNetworks)))
}
