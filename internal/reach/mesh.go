package reach

import (
	"encoding/binary"
	"slices"
	"sync/atomic"

	"github.com/eksafe/eksafe/internal/estate"
	"github.com/eksafe/eksafe/internal/trace"
)

// A meshLayer is what Istio lets through between points: mTLS that the server
// asks for, and AuthorizationPolicies. Both are enforced at the server's end, by
// its sidecar or by the ztunnel of its node. What the proxy of a client does is
// configuration of the client: it may decide how a connection usually arrives,
// never that another one is kept out.
//
// Points that the mesh does not tell apart are one class of sources and one of
// destinations, and what gets through is remembered by pair of classes.
type meshLayer struct {
	network *Network
	idle    bool // nothing takes part in a mesh

	tcp, rest portsID // the ports that proxies see, and all others

	policies []*authorization
	bound    map[string][]int // policies without a selector, by namespace
	byLabel  map[[3]string][]int
	blocks   []peers // that policies name

	ruling       []string // namespaces with DestinationRules that turn mTLS off
	members      map[*Endpoint]*member
	carries      bool // some pod may be of an ambient mesh
	sources      []*meshSource
	destinations []*meshDestination
	grounds      uint32   // how many there are
	source       []uint32 // the class of each point
	destination  []uint32
	memo         []atomic.Pointer[meshRow] // by destination

	sidecars *sidecarConfig
}

// A meshRow remembers what gets through to a class of destinations from each
// class of sources, and of plaintext from each ground.
type meshRow struct{ usual, plain []atomic.Uint64 }

// remembered marks a remembered pair, so that two empty sets are told from nothing.
const remembered = 1 << 63

func pack(sure, open portsID) uint64 { return remembered | uint64(sure)<<32 | uint64(open) }

func unpack(v uint64) (sure, open portsID) { return portsID(v &^ remembered >> 32), portsID(uint32(v)) }

// hbone is where ztunnel receives what it carries for the pods of an ambient
// mesh. Source: Istio's page on ambient mode and NetworkPolicy.
const hbone = 15008

func newMeshLayer(n *Network) *meshLayer {
	m := &meshLayer{network: n, members: make(map[*Endpoint]*member, len(n.endpoints)), ruling: rulingNamespaces(n.graph.Estate)}
	m.tcp = n.ports.id(PortsOf(TCP, 0, lastPort))
	m.rest = n.ports.minus(allPorts, m.tcp)
	m.idle = true
	for _, e := range n.endpoints {
		if e.Workload != nil {
			k := m.enroll(e)
			m.idle = m.idle && k.kind == outside
			m.carries = m.carries || k.kind == ambient || k.kind == unclear
		}
	}
	m.compilePolicies()
	if m.idle {
		return m
	}
	m.sidecars = newSidecarConfig(n)
	m.classify()
	m.memo = make([]atomic.Pointer[meshRow], len(m.destinations))
	return m
}

// A meshSource is points from which all connections look alike to the mesh.
type meshSource struct {
	*member
	blocks []trace.Ternary // whether it stands in each block that a policy names
	ground uint32          // the class of all that stand in the same blocks
}

// A meshDestination is points at which the mesh does the same.
type meshDestination struct {
	*member
	policies []boundPolicy
	blocks   []trace.Ternary
}

// A boundPolicy applies to a destination; for one that only may, unsure is true.
type boundPolicy struct {
	*authorization
	unsure bool
}

var stranger = &member{kind: outside, why: "it is no pod of the cluster"}

func (m *meshLayer) classify() {
	n := m.network
	m.source, m.destination = make([]uint32, len(n.points)), make([]uint32, len(n.points))
	sources, destinations, grounds := map[string]uint32{}, map[string]uint32{}, map[string]uint32{}
	var key []byte
	for i, p := range n.points {
		k := stranger
		if uint32(i) < n.pods {
			k = m.members[p.endpoint]
		}
		stands := m.standing(uint32(i))

		key = appendTernaries(key[:0], stands)
		ground, ok := grounds[string(key)]
		if !ok {
			ground = m.grounds
			m.grounds++
			grounds[string(key)] = ground
		}
		key = append(key, byte(k.kind))
		if k.kind != outside {
			key = binary.AppendUvarint(key, uint64(k.outbound))
			key = append(key, boolByte(k.ranges), boolByte(k.mesh.Gateway))
			key = append(append(key, k.namespace...), '/')
			key = append(key, k.account...)
		}
		at, ok := sources[string(key)]
		if !ok {
			at = uint32(len(m.sources))
			sources[string(key)] = at
			m.sources = append(m.sources, &meshSource{k, stands, ground})
		}
		m.source[i] = at

		key = append(key[:0], byte(k.kind))
		var policies []boundPolicy
		if k.kind != outside {
			policies = m.policiesOf(p, k)
			key = appendTernaries(key, stands)
			for _, id := range []portsID{k.inbound, k.strict, k.disabled, k.tcpOnly} {
				key = binary.AppendUvarint(key, uint64(id))
			}
			key = append(key, boolByte(k.mesh.Gateway))
			for _, b := range policies {
				key = append(binary.AppendUvarint(key, uint64(b.index)), boolByte(b.unsure))
			}
			if len(k.rules) > 0 { // clients are configured by its Services
				key = binary.AppendUvarint(append(key, 1), uint64(i))
			}
		}
		at, ok = destinations[string(key)]
		if !ok {
			at = uint32(len(m.destinations))
			destinations[string(key)] = at
			m.destinations = append(m.destinations, &meshDestination{member: k, policies: policies, blocks: stands})
		}
		m.destination[i] = at
	}
}

func boolByte(b bool) byte {
	if b {
		return 1
	}
	return 0
}

func appendTernaries(key []byte, ts []trace.Ternary) []byte {
	for _, t := range ts {
		key = append(key, byte(t))
	}
	return key
}

// standing says in which of the blocks that policies name a point is.
func (m *meshLayer) standing(p uint32) []trace.Ternary {
	if len(m.blocks) == 0 {
		return nil
	}
	out := make([]trace.Ternary, len(m.blocks))
	for i, b := range m.blocks {
		switch {
		case b.sure.has(p):
			out[i] = trace.Yes
		case b.may.has(p):
			out[i] = trace.Unclear
		default:
			out[i] = trace.No
		}
	}
	return out
}

// between returns what the mesh lets through.
func (m *meshLayer) between(from, to uint32) (sure, open portsID) {
	if m.idle {
		return allPorts, allPorts
	}
	row := m.row(to)
	cell := &row.usual[m.source[from]]
	if v := cell.Load(); v != 0 {
		return unpack(v)
	}
	sure, open = m.usual(m.sources[m.source[from]], m.destinations[m.destination[to]], row)
	cell.Store(pack(sure, open))
	return sure, open
}

// behind returns what the mesh lets through to a pod of what its node leads on to
// it, with the address of the point that is seen. Proxies do not know that it is
// meant for the pod, so that it arrives as plaintext; a client that will may
// speak mTLS to any address, and shows who it is.
func (m *meshLayer) behind(from, seen, to uint32) (sure, open portsID) {
	if m.idle {
		return allPorts, allPorts
	}
	d := m.destinations[m.destination[to]]
	if d.kind == outside {
		return allPorts, allPorts
	}
	sure, open = m.plaintext(m.sources[m.source[seen]], d, m.row(to))
	if d.kind == unclear {
		open = allPorts
	}
	if m.memberOf(from).kind != outside {
		_, known := m.between(from, to)
		open = m.network.ports.or(open, known)
	}
	return sure, open
}

// plain returns what the mesh lets through of plaintext at most.
func (m *meshLayer) plain(from, to uint32) portsID {
	d := m.destinations[m.destination[to]]
	if d.kind == outside {
		return allPorts
	}
	_, open := m.plaintext(m.sources[m.source[from]], d, m.row(to))
	if d.kind == unclear {
		return allPorts
	}
	return open
}

// plaintext returns what a server lets through of plaintext. It has no
// identity: all that stand on one ground are alike.
func (m *meshLayer) plaintext(s *meshSource, d *meshDestination, row *meshRow) (sure, open portsID) {
	cell := &row.plain[s.ground]
	if v := cell.Load(); v != 0 {
		return unpack(v)
	}
	t := m.network.ports
	sure, open = m.authorize(s, d, false)
	sure, open = t.or(d.free, t.minus(sure, d.strict)), t.or(d.free, t.minus(open, d.strict))
	cell.Store(pack(sure, open))
	return sure, open
}

// identified returns what a server lets through of mTLS, which shows the
// identity of the client.
func (m *meshLayer) identified(s *meshSource, d *meshDestination, plainSure, plainOpen portsID) (sure, open portsID) {
	t := m.network.ports
	sure, open = m.authorize(s, d, true)
	if d.disabled != noPorts {
		// A server that takes no mTLS is spoken to in plaintext.
		sure = t.or(t.minus(sure, d.disabled), t.and(plainSure, d.disabled))
		open = t.or(t.minus(open, d.disabled), t.and(plainOpen, d.disabled))
	}
	return t.or(d.free, sure), t.or(d.free, open)
}

func (m *meshLayer) row(to uint32) *meshRow {
	slot := &m.memo[m.destination[to]]
	row := slot.Load()
	if row == nil {
		row = &meshRow{make([]atomic.Uint64, len(m.sources)), make([]atomic.Uint64, m.grounds)}
		if !slot.CompareAndSwap(nil, row) {
			row = slot.Load()
		}
	}
	return row
}

// through returns what of the ports that all other layers let through gets
// through the mesh as well. Between pods of an ambient mesh those layers see
// one port alone, to which ztunnel carries everything.
func (m *meshLayer) through(from, to uint32, sure, open portsID) (portsID, portsID) {
	if m.idle || open == noPorts {
		return sure, open
	}
	ports := m.network.ports
	s, o := m.between(from, to)
	if m.passesAsProbe(from, to) {
		return ports.and(sure, s), open
	}
	switch m.tunnels(from, to) {
	case trace.Yes:
		// What does not go through the tunnel arrives as plaintext, if the
		// server takes it: that the client's node carries it is the client's
		// configuration, and no border.
		plain := m.plain(from, to)
		return ports.and(m.carried(sure), s), ports.or(ports.and(m.carried(open), o), ports.and(open, plain))
	case trace.Unclear:
		return ports.and(ports.and(m.carried(sure), sure), s), ports.and(ports.or(m.carried(open), open), o)
	}
	return ports.and(sure, s), ports.and(open, o)
}

// passesAsProbe reports whether what processes of a node send to a pod of an
// ambient mesh may pass ztunnel by: Istio's agent gives it the address by which
// probes of the kubelet are known, and those are not captured. Source: Istio's page
// on ambient mode and NetworkPolicy.
func (m *meshLayer) passesAsProbe(from, to uint32) bool {
	if to >= m.network.pods || !m.network.hosts.has(from) && !m.network.nodes.has(from) {
		return false
	}
	return m.memberOf(to).kind == ambient || m.memberOf(to).kind == unclear
}

// carried returns the ports that a tunnel makes of those that are open.
func (m *meshLayer) carried(ports portsID) portsID {
	t := m.network.ports
	if m.network.has(ports, TCP, hbone) {
		return t.or(ports, m.tcp)
	}
	return t.minus(ports, m.tcp)
}

// tunnels says whether TCP between two points is carried to the HBONE port.
func (m *meshLayer) tunnels(from, to uint32) trace.Ternary {
	if !m.carries || from >= m.network.pods || to >= m.network.pods {
		return trace.No
	}
	s, d := m.members[m.network.points[from].endpoint], m.members[m.network.points[to].endpoint]
	switch {
	case s.kind == outside || d.kind == outside || s.kind == sidecar && d.kind == sidecar:
		return trace.No
	case s.kind == ambient && (d.kind == ambient || d.kind == sidecar):
		return trace.Yes
	}
	// A sidecar sends HBONE if it was told to, which no resource shows.
	return trace.Unclear
}

// usual returns what gets through, however the client is set up to speak. Under
// the open reading it may speak plaintext always: it only has to go round its
// own proxy.
func (m *meshLayer) usual(s *meshSource, d *meshDestination, row *meshRow) (sure, open portsID) {
	if d.kind == outside {
		return allPorts, allPorts
	}
	t := m.network.ports
	plainSure, plainOpen := m.plaintext(s, d, row)
	sure, open = plainSure, plainOpen
	if s.kind != outside {
		mtlsSure, mtlsOpen := m.identified(s, d, plainSure, plainOpen)
		speech := m.speech(s, d)
		if speech.unclear {
			sure = t.and(mtlsSure, plainSure)
		} else {
			sure = t.or(t.and(speech.mtls, mtlsSure), t.and(speech.plain, plainSure))
			sure = t.or(sure, t.and(speech.either, t.or(mtlsSure, plainSure)))
		}
		// Where a client cannot speak mTLS it cannot get through by it.
		open = t.or(plainOpen, t.minus(mtlsOpen, speech.plain))
	}
	if d.kind == unclear {
		open = allPorts
	}
	return sure, open
}

// A speech is what a client speaks at the TCP ports of a server.
type speech struct {
	mtls, plain, either portsID
	unclear             bool // whether it speaks mTLS is not known
}

func (m *meshLayer) speech(s *meshSource, d *meshDestination) speech {
	t := m.network.ports
	out := speech{mtls: allPorts, unclear: s.kind == unclear || s.ranges}
	if s.kind == sidecar {
		out.plain = t.minus(allPorts, s.outbound)
	}
	off, on := m.turnedOff(s, d)
	out.plain = t.or(out.plain, t.minus(off, on))
	out.either = t.minus(t.and(off, on), out.plain)
	out.mtls = t.minus(allPorts, t.or(out.plain, out.either))
	return out
}

// meshBlocks lists the prefixes that AuthorizationPolicies name.
func (n *Network) meshBlocks(add func(...string)) {
	for _, r := range estate.AuthorizationPolicies.In(n.graph.Estate) {
		for _, rule := range r.Object.Spec.GetRules() {
			for _, from := range rule.GetFrom() {
				add(from.GetSource().GetIpBlocks()...)
				add(from.GetSource().GetNotIpBlocks()...)
			}
			for _, c := range rule.GetWhen() {
				if slices.Contains([]string{"source.ip", "destination.ip"}, c.GetKey()) {
					add(c.GetValues()...)
					add(c.GetNotValues()...)
				}
			}
		}
	}
}
