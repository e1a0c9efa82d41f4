package reach

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"slices"
	"testing"

	"github.com/eksafe/eksafe/internal/estate"
)

// A host is one interface in the naive evaluator: it has one address, and its
// groups and its subnet are known.
type host struct {
	name    string
	address netip.Addr
	groups  []string
	subnet  string
	node    bool // it has the interface of its node
}

// A wire evaluates one packet after the other, rule by rule, as the
// documentation of AWS has it.
type wire struct{ *cloud }

func (w wire) connects(from, to host, protocol Protocol, port int) bool {
	if from.node && to.node && from.subnet == to.subnet && slices.Equal(from.groups, to.groups) {
		return true // they may be on one node
	}
	if !w.passes(from.groups, Egress, to, protocol, port) || !w.passes(to.groups, Ingress, from, protocol, port) {
		return false
	}
	if from.subnet == to.subnet {
		return true
	}
	if !w.crosses(from.subnet, true, to.address, protocol, port) || !w.crosses(to.subnet, false, from.address, protocol, port) {
		return false
	}
	if protocol != TCP {
		return true
	}
	// What is open begins where a range begins or behind one that ends.
	replies := []int{1}
	for _, n := range estate.NetworkAcls.In(&w.Estate) {
		for _, e := range n.Entries {
			replies = append(replies, max(1, e.FromPort), min(lastPort, e.ToPort+1))
		}
	}
	for _, reply := range replies {
		if w.crosses(to.subnet, true, from.address, protocol, reply) && w.crosses(from.subnet, false, to.address, protocol, reply) {
			return true
		}
	}
	return false
}

func (w wire) passes(groups []string, d Direction, peer host, protocol Protocol, port int) bool {
	for _, id := range groups {
		rules, _ := rulesOf(w.groups[id], d)
		for _, r := range rules {
			if r.IpProtocol != "-1" && (r.IpProtocol != map[Protocol]string{TCP: "tcp", UDP: "udp"}[protocol] || port < r.FromPort || port > r.ToPort) {
				continue
			}
			if r.CidrIp != "" && netip.MustParsePrefix(r.CidrIp).Contains(peer.address) || slices.Contains(peer.groups, r.SourceSecurityGroupId) {
				return true
			}
		}
	}
	return false
}

func (w wire) crosses(subnet string, egress bool, peer netip.Addr, protocol Protocol, port int) bool {
	for _, n := range estate.NetworkAcls.In(&w.Estate) {
		if !slices.Contains(n.SubnetIds, subnet) {
			continue
		}
		first, allowed := 1<<30, false
		for _, e := range n.Entries {
			matches := e.Egress == egress && netip.MustParsePrefix(e.CidrBlock).Contains(peer) &&
				(e.Protocol == "-1" || e.Protocol == map[Protocol]string{TCP: "6", UDP: "17"}[protocol] && e.FromPort <= port && port <= e.ToPort)
			if matches && e.RuleNumber < first {
				first, allowed = e.RuleNumber, e.RuleAction == "allow"
			}
		}
		return allowed
	}
	return true
}

// TestVPCPackets compares random networks with the naive evaluator. Everything
// of them is known, so that both readings must be the same.
func TestVPCPackets(t *testing.T) {
	rounds := 300
	if os.Getenv("EKSAFE_LONG") == "1" {
		rounds = 10_000
	}
	compared, open := 0, 0
	for round := range rounds {
		r := rand.New(rand.NewPCG(20, uint64(round)))
		pick := func(list ...string) string { return list[r.IntN(len(list))] }
		block := func() string {
			return pick("0.0.0.0/0", "10.0.0.0/16", "10.0.1.0/24", "10.0.1.0/25", "10.0.1.128/25", "10.0.2.0/24", "10.0.9.0/28", "10.0.1.7/32", "192.168.0.0/16")
		}
		ports := func() (int, int) {
			first := []int{0, 80, 443, 1024, 5432, 32768}[r.IntN(6)]
			return first, min(lastPort, first+[]int{0, 0, 20, 1000, lastPort}[r.IntN(5)])
		}
		c := newCloud()
		for _, g := range []string{"sg-nodes", "sg-db", "sg-x", "sg-y"} {
			for _, d := range []Direction{Ingress, Egress} {
				rules := []estate.SecurityGroupRule{}
				for range r.IntN(4) {
					rule := estate.SecurityGroupRule{IpProtocol: pick("tcp", "tcp", "udp", "-1")}
					rule.FromPort, rule.ToPort = ports()
					if r.IntN(2) == 0 {
						rule.CidrIp = block()
					} else {
						rule.SourceSecurityGroupId = pick("sg-nodes", "sg-db", "sg-x", "sg-y")
					}
					rules = append(rules, rule)
				}
				if d == Ingress {
					c.group(g).SecurityGroupIngress = estate.Known(rules)
				} else {
					c.group(g).SecurityGroupEgress = estate.Known(rules)
				}
			}
		}
		for _, s := range []string{"a", "b", "db"} {
			if r.IntN(3) == 0 {
				continue
			}
			var entries []estate.NetworkAclEntry
			for i := range r.IntN(8) {
				first, last := ports()
				entries = append(entries, entry(100-i*[]int{1, -1}[r.IntN(2)]*r.IntN(7)*8-i, r.IntN(2) == 0, pick("allow", "allow", "deny"), pick("6", "17", "-1"), block(), first, last))
			}
			c.acl(s, distinct(entries)...)
		}
		hosts := []host{{name: "orders", address: netip.MustParseAddr("10.0.9.3"), groups: []string{"sg-db"}, subnet: "subnet-db"}}
		for i, address := range []string{"10.0.1.7", "10.0.1.20", "10.0.1.200", "10.0.2.9"} {
			h := host{name: fmt.Sprint("shop/p", i), address: netip.MustParseAddr(address), groups: []string{"sg-nodes"}, subnet: "subnet-a", node: true}
			if i == 3 {
				h.subnet = "subnet-b"
			}
			if r.IntN(2) == 0 {
				h.node, h.groups = false, sortedIDs([]string{pick("sg-x", "sg-y", "sg-db"), pick("sg-x", "sg-y")})
				c.own(h.name, h.groups...)
			}
			c.pod(h.name, nil, address)
			hosts = append(hosts, h)
		}
		n := c.network()
		for _, from := range hosts {
			for _, to := range hosts {
				if from.name == to.name {
					continue
				}
				x, y := endpoint(t, n, from.name), endpoint(t, n, to.name)
				for _, protocol := range []Protocol{TCP, UDP} {
					for _, port := range []int{0, 80, 443, 450, 1024, 5432, 6000, 40000, lastPort} {
						want := Denied
						if (wire{c}).connects(from, to, protocol, port) {
							want = Allowed
							open++
						}
						compared++
						if got := n.verdict(x.points[0].lo, y.points[0].lo, protocol, uint16(port)); got != want {
							t.Fatalf("round %d: %s → %s %s %d is %s, want %s\n%s", round, from.name, to.name, protocol, port, got, want, text(n.Ask(x, y, protocol, uint16(port))))
						}
					}
				}
			}
		}
	}
	if open < compared/20 || open > compared*19/20 {
		t.Errorf("%d of %d connections are open: the cases tell little", open, compared)
	}
}

// distinct takes out entries of one number and direction, of which AWS has one.
func distinct(entries []estate.NetworkAclEntry) []estate.NetworkAclEntry {
	var out []estate.NetworkAclEntry
	for _, e := range entries {
		if !slices.ContainsFunc(out, func(o estate.NetworkAclEntry) bool { return o.RuleNumber == e.RuleNumber && o.Egress == e.Egress }) {
			out = append(out, e)
		}
	}
	return out
}

// Ten thousand workloads, two hundred of which have groups of their own, and
// five hundred databases: every workload asks for every other and for every
// database.
func BenchmarkVPC(b *testing.B) {
	c := newCloud()
	for i := range 10_000 {
		name := fmt.Sprintf("team-%d/app-%d", i%100, i)
		c.pod(name, nil, fmt.Sprintf("10.0.%d.%d", 1+i%2, i/2%250+1))
		if i%50 == 0 {
			c.own(name, fmt.Sprint("sg-app-", i))
			c.group(fmt.Sprint("sg-app-", i))
		}
	}
	for i := range 500 {
		group := fmt.Sprint("sg-db-", i)
		c.addDB(fmt.Sprint("db-", i), group)
		c.admit(group, 5432, fmt.Sprint("sg-app-", i*20))
		c.admit(group, 5432, fmt.Sprintf("10.0.1.%d/32", i%250))
	}
	b.Run("New", func(b *testing.B) {
		for b.Loop() {
			c.network()
		}
	})
	b.Run("Pairs", func(b *testing.B) {
		var n *Network
		for b.Loop() {
			n = c.network()
			for from := range n.pods {
				for to := range n.atoms {
					n.vpc.between(from, to)
				}
			}
		}
		b.ReportMetric(float64(n.pods)*float64(n.atoms), "pairs")
		b.ReportMetric(float64(len(n.vpc.classes)), "classes")
	})
}
