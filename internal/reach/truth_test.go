package reach

import (
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/eksafe/eksafe/internal/estate"
	"github.com/eksafe/eksafe/internal/trace"
)

// estates is how many random estates a run compares; EKSAFE_LONG=1 makes it
// long, EKSAFE_SEED picks one estate.
func seeds(t *testing.T) (first, last uint64) {
	if text := os.Getenv("EKSAFE_SEED"); text != "" {
		var seed uint64
		if _, err := fmt.Sscan(text, &seed); err != nil {
			t.Fatal(err)
		}
		return seed, seed + 1
	}
	if os.Getenv("EKSAFE_LONG") != "" {
		return 0, 10_000
	}
	return 0, 150
}

// dump writes the objects of a small estate for whoever looks into a failure.
func dump(e *estate.Estate) string {
	var out strings.Builder
	write := func(objects any) {
		if text, err := yaml.Marshal(objects); err == nil && string(text) != "[]\n" {
			out.Write(text)
		}
	}
	write(estate.Namespaces.In(e))
	write(estate.Nodes.In(e))
	write(estate.Workloads.In(e))
	write(estate.Services.In(e))
	write(estate.NetworkPolicies.In(e))
	write(estate.ApplicationNetworkPolicies.In(e))
	write(estate.ClusterNetworkPolicies.In(e))
	write(estate.AWSClusterNetworkPolicies.In(e))
	write(estate.AdminNetworkPolicies.In(e))
	write(estate.BaselineAdminNetworkPolicies.In(e))
	return out.String()
}

// interesting are the ports at the edges of what the generator makes, and those
// beside them.
var interesting = []uint16{0, 1, 52, 53, 54, 78, 79, 80, 81, 82, 100, 129, 130, 179, 180, 7999, 8000, 8001, 8079, 8080, 8081, 8099, 8100, 65535}

// pointOf finds the point of an end.
func pointOf(t *testing.T, n *Network, e *naiveEnd) uint32 {
	t.Helper()
	if e.domain != "" {
		return n.Endpoint(addressRef(DomainEndpoint, e.domain)).points[0].lo
	}
	if e.node {
		return n.nodes[0].lo
	}
	if e.workload == nil {
		return n.atoms + n.addresses.atom(e.address)
	}
	for _, p := range n.points[:n.pods] {
		if p.endpoint.Workload != e.workload || !sameLabels(p.labels, e.labels) {
			continue
		}
		if e.address.IsValid() && slices.Contains(p.addresses, e.address) || !e.address.IsValid() && len(p.addresses) == 0 {
			return p.id
		}
	}
	t.Fatalf("no point is %s", e)
	return 0
}

// ends lists every end of packets: pods, domain names, and an address on each
// side of every border.
func (n *naive) ends(network *Network) (pods, others []*naiveEnd) {
	pods = n.pods()
	taken := map[uint32]bool{}
	for _, a := range n.edges {
		// Addresses of pods stand for other things too: a peered network may
		// use them again.
		if atom := network.addresses.atom(a); !taken[atom] {
			taken[atom] = true
			others = append(others, &naiveEnd{address: a})
		}
	}
	for _, node := range n.nodes {
		others = append(others, &naiveEnd{address: netip.MustParseAddr(node.Object.Status.Addresses[0].Address)})
	}
	for _, name := range network.domainNames() {
		others = append(others, &naiveEnd{domain: name})
	}
	return pods, append(others, &naiveEnd{node: true})
}

// TestNaive compares every verdict over random estates with the packet by
// packet evaluation.
func TestNaive(t *testing.T) {
	first, last := seeds(t)
	var pairs, verdicts, unknown int
	for seed := first; seed < last && !t.Failed(); seed++ {
		e := newGenerator(seed).estate()
		network, oracle := New(trace.New(e)), newNaive(e)
		pods, others := oracle.ends(network)
		compare := func(from, to *naiveEnd) {
			i, j := pointOf(t, network, from), pointOf(t, network, to)
			sureID, openID := network.between(i, j)
			surePorts, openPorts := network.ports.of(sureID), network.ports.of(openID)
			pairs++
			for protocol := range ICMPv6 {
				for _, port := range interesting {
					sure, open := oracle.between(from, to, protocol, port)
					verdicts++
					if sure != open {
						unknown++
					}
					if got := surePorts.Has(protocol, port); got != sure {
						t.Errorf("seed %d: %s → %s %s %d: certain is %v, want %v", seed, from, to, protocol, port, got, sure)
					}
					if got := openPorts.Has(protocol, port); got != open {
						t.Errorf("seed %d: %s → %s %s %d: possible is %v, want %v", seed, from, to, protocol, port, got, open)
					}
					if t.Failed() {
						return
					}
				}
			}
		}
		for _, a := range pods {
			for _, b := range slices.Concat(pods, others) {
				if compare(a, b); b.workload == nil && b.domain == "" {
					compare(b, a)
				}
				if t.Failed() {
					t.Fatalf("EKSAFE_SEED=%d repeats it:\n%s", seed, dump(e))
				}
			}
		}
	}
	t.Logf("%d estates, %d pairs, %d verdicts, %d of them unknown", last-first, pairs, verdicts, unknown)
	if unknown == 0 || unknown*2 > verdicts {
		t.Errorf("%d of %d verdicts are unknown: the estates prove little", unknown, verdicts)
	}
}
