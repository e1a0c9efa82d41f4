package reach

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// A Protocol is a protocol over IP.
type Protocol uint8

// The protocols that rules tell apart. A "port" of ICMP is its type and code,
// type<<8 + code; one of Other is the number of the protocol.
const (
	TCP Protocol = iota
	UDP
	SCTP
	ICMP
	ICMPv6
	Other
	protocols // how many there are
)

var protocolNames = [protocols]string{"TCP", "UDP", "SCTP", "ICMP", "ICMPv6", "IP"}

func (p Protocol) String() string {
	if p < protocols {
		return protocolNames[p]
	}
	return "protocol"
}

// MarshalText returns the name: "TCP".
func (p Protocol) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// ParseProtocol reads a protocol's name, in any case.
func ParseProtocol(s string) (Protocol, error) {
	for i, name := range protocolNames {
		if strings.EqualFold(s, name) {
			return Protocol(i), nil
		}
	}
	return 0, fmt.Errorf("reading protocol: %q is none of TCP, UDP, SCTP, ICMP, ICMPv6", s)
}

const lastPort = 65535

// A PortRange is ports First to Last.
type PortRange struct{ First, Last uint16 }

// Ports are the ports of each protocol: ranges in order that neither touch nor
// overlap.
type Ports [protocols][]PortRange

// AllPorts returns every port of every protocol.
func AllPorts() Ports {
	var out Ports
	for p := range out {
		out[p] = []PortRange{{0, lastPort}}
	}
	return out
}

// PortsOf returns the ports first to last of a protocol.
func PortsOf(p Protocol, first, last int) Ports {
	var out Ports
	first, last = max(first, 0), min(last, lastPort)
	if first <= last && p < protocols {
		out[p] = []PortRange{{uint16(first), uint16(last)}}
	}
	return out
}

// Empty reports whether there is no port.
func (p *Ports) Empty() bool {
	for i := range p {
		if len(p[i]) > 0 {
			return false
		}
	}
	return true
}

// Has reports whether a port of a protocol is among them.
func (p *Ports) Has(protocol Protocol, port uint16) bool {
	for _, r := range p[protocol] {
		if r.First <= port && port <= r.Last {
			return true
		}
	}
	return false
}

// Union returns the ports of both.
func (p *Ports) Union(o *Ports) Ports {
	var out Ports
	for i := range p {
		switch {
		case len(o[i]) == 0:
			out[i] = p[i]
		case len(p[i]) == 0:
			out[i] = o[i]
		default:
			out[i] = mergeRanges(slices.Concat(p[i], o[i]))
		}
	}
	return out
}

// mergeRanges brings ranges in order and joins those that touch.
func mergeRanges(rs []PortRange) []PortRange {
	slices.SortFunc(rs, func(a, b PortRange) int { return int(a.First) - int(b.First) })
	out := rs[:0]
	for _, r := range rs {
		if n := len(out); n > 0 && int(out[n-1].Last)+1 >= int(r.First) {
			out[n-1].Last = max(out[n-1].Last, r.Last)
			continue
		}
		out = append(out, r)
	}
	return out
}

// Intersect returns the ports that are in both.
func (p *Ports) Intersect(o *Ports) Ports {
	var out Ports
	for n := range p {
		a, b := p[n], o[n]
		for i, j := 0, 0; i < len(a) && j < len(b); {
			first, last := max(a[i].First, b[j].First), min(a[i].Last, b[j].Last)
			if first <= last {
				out[n] = append(out[n], PortRange{first, last})
			}
			if a[i].Last < b[j].Last {
				i++
			} else {
				j++
			}
		}
	}
	return out
}

// Minus returns the ports of p that are not in o.
func (p *Ports) Minus(o *Ports) Ports {
	var out Ports
	for n := range p {
		for _, r := range p[n] {
			first, last := int(r.First), int(r.Last)
			for _, cut := range o[n] {
				if int(cut.Last) < first || int(cut.First) > last {
					continue
				}
				if int(cut.First) > first {
					out[n] = append(out[n], PortRange{uint16(first), cut.First - 1})
				}
				first = int(cut.Last) + 1
			}
			if first <= last {
				out[n] = append(out[n], PortRange{uint16(first), uint16(last)})
			}
		}
	}
	return out
}

// String returns "TCP 80, 8000-8100; UDP 53", "all" for everything, "" for
// nothing.
func (p Ports) String() string {
	full := 0
	var parts []string
	for n, ranges := range p {
		if len(ranges) == 0 {
			continue
		}
		if ranges[0] == (PortRange{0, lastPort}) {
			full++
			parts = append(parts, Protocol(n).String())
			continue
		}
		var texts []string
		for _, r := range ranges {
			texts = append(texts, r.String())
		}
		parts = append(parts, Protocol(n).String()+" "+strings.Join(texts, ", "))
	}
	if full == int(protocols) {
		return "all"
	}
	return strings.Join(parts, "; ")
}

// String returns "80" or "8000-8100".
func (r PortRange) String() string {
	if r.First == r.Last {
		return strconv.Itoa(int(r.First))
	}
	return strconv.Itoa(int(r.First)) + "-" + strconv.Itoa(int(r.Last))
}

// A portsID stands for Ports in a portTable. The zero ID is no port at all.
type portsID uint32

const (
	noPorts  portsID = 0
	allPorts portsID = 1
)

// A portTable gives equal Ports one ID and remembers what operations on them
// gave: an estate has few different ones, and every pair of pods asks.
type portTable struct {
	mu   sync.Mutex
	ids  map[string]portsID
	sets []Ports
	made [3]map[[2]portsID]portsID // by operation
}

type portOperation int

const (
	both portOperation = iota
	either
	without
)

func newPortTable() *portTable {
	t := &portTable{ids: map[string]portsID{}}
	for i := range t.made {
		t.made[i] = map[[2]portsID]portsID{}
	}
	t.id(Ports{})
	t.id(AllPorts())
	return t
}

// id returns the ID of ports.
func (t *portTable) id(p Ports) portsID {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.locked(p)
}

func (t *portTable) locked(p Ports) portsID {
	var key []byte
	for n, ranges := range p {
		for _, r := range ranges {
			key = append(key, byte(n))
			key = binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint16(key, r.First), r.Last)
		}
	}
	id, ok := t.ids[string(key)]
	if !ok {
		id = portsID(len(t.sets))
		t.ids[string(key)] = id
		t.sets = append(t.sets, p)
	}
	return id
}

// of returns the ports of an ID.
func (t *portTable) of(id portsID) Ports {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.sets[id]
}

func (t *portTable) and(a, b portsID) portsID {
	switch {
	case a == noPorts || b == noPorts:
		return noPorts
	case a == allPorts || a == b:
		return b
	case b == allPorts:
		return a
	}
	return t.combine(both, min(a, b), max(a, b))
}

func (t *portTable) or(a, b portsID) portsID {
	switch {
	case a == allPorts || b == allPorts:
		return allPorts
	case a == noPorts || a == b:
		return b
	case b == noPorts:
		return a
	}
	return t.combine(either, min(a, b), max(a, b))
}

// fewSets is up to how many sets are joined one by one. Of thousands that would
// make as many sets, each larger than the one before.
const fewSets = 4

// union joins sets.
func (t *portTable) union(ids []portsID) portsID {
	if len(ids) <= fewSets {
		out := noPorts
		for _, id := range ids {
			out = t.or(out, id)
		}
		return out
	}
	var out Ports
	for _, id := range ids {
		ports := t.of(id)
		for i := range ports {
			out[i] = append(out[i], ports[i]...)
		}
	}
	for i := range out {
		out[i] = mergeRanges(out[i])
	}
	return t.id(out)
}

func (t *portTable) minus(a, b portsID) portsID {
	switch {
	case a == noPorts || b == allPorts || a == b:
		return noPorts
	case b == noPorts:
		return a
	}
	return t.combine(without, a, b)
}

func (t *portTable) combine(op portOperation, a, b portsID) portsID {
	t.mu.Lock()
	defer t.mu.Unlock()
	pair := [2]portsID{a, b}
	if id, ok := t.made[op][pair]; ok {
		return id
	}
	x, y := &t.sets[a], &t.sets[b]
	var out Ports
	switch op {
	case both:
		out = x.Intersect(y)
	case either:
		out = x.Union(y)
	case without:
		out = x.Minus(y)
	}
	id := t.locked(out)
	t.made[op][pair] = id
	return id
}

func itoa[T ~int | ~int32 | ~uint32 | ~uint16](n T) string { return strconv.Itoa(int(n)) }
