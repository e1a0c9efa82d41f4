package reach

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/eksafe/eksafe/internal/estate"
	"github.com/eksafe/eksafe/internal/trace"
)

func podIn(namespace, name string, labels map[string]string, address string) *estate.Workload {
	w := &estate.Workload{Controller: "Deployment", ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}
	w.Template.Labels = labels
	if address != "" {
		w.Pods = []estate.Pod{{Name: name, PodIP: address}}
	}
	return w
}

func policyIn(namespace, name string, spec networkingv1.NetworkPolicySpec) *estate.Resource[networkingPolicy] {
	r := &estate.Resource[networkingPolicy]{}
	r.Object.Namespace, r.Object.Name, r.Object.Spec = namespace, name, spec
	return r
}

// TestHostileNames holds that a name from a file is never read as something
// else: what is remembered by text is told apart by it.
func TestHostileNames(t *testing.T) {
	const evil = "namespaces team=a"
	for _, name := range []string{evil, "b\x00", "\x00", "block 10.0.0.0/8", "b\x00team=a"} {
		e := &estate.Estate{}
		ns := &estate.Resource[corev1.Namespace]{}
		ns.Object.Name, ns.Object.Labels = "a", map[string]string{"team": "a"}
		estate.Namespaces.Add(e, ns)
		estate.Workloads.Add(e, podIn("a", "good", nil, "10.0.0.1"), podIn(name, "bad", nil, "10.0.0.2"), podIn("b", "server", nil, "10.0.0.3"))
		estate.NetworkPolicies.Add(e,
			policyIn(name, "first\x00", networkingv1.NetworkPolicySpec{}),
			policyIn("b", "second", networkingv1.NetworkPolicySpec{Ingress: []networkingv1.NetworkPolicyIngressRule{{From: []networkingPeer{{NamespaceSelector: &ns2}}}}}))
		n := New(trace.New(e))
		at := map[string]uint32{}
		for _, p := range n.points[:n.pods] {
			at[p.endpoint.Workload.Name] = p.id
		}
		if got := n.verdict(at["good"], at["server"], TCP, 80); got != Allowed {
			t.Errorf("with a namespace %q: the good pod is %s", name, got)
		}
		if got := n.verdict(at["bad"], at["server"], TCP, 80); got != Denied {
			t.Errorf("with a namespace %q: its pod is %s", name, got)
		}
		if got := n.verdict(at["server"], at["bad"], TCP, 80); got != Denied {
			t.Errorf("with a namespace %q: its policy does not isolate: %s", name, got)
		}
	}
}

var ns2 = metav1.LabelSelector{MatchLabels: map[string]string{"team": "a"}}

// TestBlockNote holds that an answer that rests on a block with the addresses of
// pods says so, and only such a one.
func TestBlockNote(t *testing.T) {
	e := &estate.Estate{}
	estate.Workloads.Add(e, podIn("a", "web", map[string]string{"app": "web"}, "10.0.0.1"), podIn("a", "job", nil, "10.0.1.1"), podIn("a", "db", map[string]string{"app": "db"}, "10.0.0.2"))
	estate.NetworkPolicies.Add(e, policyIn("a", "p", networkingv1.NetworkPolicySpec{
		PodSelector: metav1.LabelSelector{MatchLabels: map[string]string{"app": "db"}},
		Ingress: []networkingv1.NetworkPolicyIngressRule{{From: []networkingPeer{
			{PodSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": "web"}}},
			{IPBlock: &networkingv1.IPBlock{CIDR: "10.0.1.0/24"}},
		}}},
	}))
	n := New(trace.New(e))
	byName := map[string]*Endpoint{}
	for _, e := range n.Endpoints() {
		byName[e.Name] = e
	}
	for from, want := range map[string]bool{"a/web": false, "a/job": true} {
		a := n.Ask(byName[from], byName["a/db"], TCP, 80)
		if got := strings.Contains(strings.Join(a.Notes, "\n"), "whether a block is about"); got != want || a.Verdict != Allowed {
			t.Errorf("%s is %s with notes %q", from, a.Verdict, a.Notes)
		}
	}
}

// TestManyRules holds that a policy costs what its rules say once: ten times the
// rules are not a hundred times the allocations.
func TestManyRules(t *testing.T) {
	for name, rule := range map[string]func(i int) networkingv1.NetworkPolicyIngressRule{
		"distinct CIDRs": func(i int) networkingv1.NetworkPolicyIngressRule {
			return networkingv1.NetworkPolicyIngressRule{From: []networkingPeer{{IPBlock: &networkingv1.IPBlock{CIDR: fmt.Sprintf("10.%d.%d.0/26", i/256, i%256)}}}}
		},
		"distinct ports": func(i int) networkingv1.NetworkPolicyIngressRule {
			port := intstr.FromInt32(int32(2*i + 1))
			return networkingv1.NetworkPolicyIngressRule{Ports: []networkingPort{{Port: &port}}}
		},
		"distinct CIDRs and ports": func(i int) networkingv1.NetworkPolicyIngressRule {
			port := intstr.FromInt32(int32(2*i + 1))
			return networkingv1.NetworkPolicyIngressRule{
				From:  []networkingPeer{{IPBlock: &networkingv1.IPBlock{CIDR: fmt.Sprintf("10.%d.%d.0/26", i/256, i%256)}}},
				Ports: []networkingPort{{Port: &port}},
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			cost := func(rules int) float64 {
				e := &estate.Estate{}
				estate.Workloads.Add(e, podIn("a", "web", nil, "10.0.0.1"))
				var spec networkingv1.NetworkPolicySpec
				for i := range rules {
					spec.Ingress = append(spec.Ingress, rule(i))
				}
				estate.NetworkPolicies.Add(e, policyIn("a", "many", spec))
				g := trace.New(e)
				start := user()
				n := New(g)
				if got := n.verdict(n.atoms+n.addresses.atom(netip.MustParseAddr("10.0.1.1")), 0, TCP, 3); got != Allowed {
					t.Fatalf("an allowed connection is %s", got)
				}
				return float64(user() - start)
			}
			cost(100) // warm
			small, large := cost(1000), cost(10_000)
			t.Logf("1,000 rules: %.1f ms, 10,000 rules: %.1f ms", small/1e6, large/1e6)
			if large > 30*small && large > 500e6 {
				t.Errorf("ten times the rules cost %.0f times as much", large/small)
			}
		})
	}
}

// FuzzPrefix holds that a block has the addresses that net/netip says, and that
// nothing else is within its atoms.
func FuzzPrefix(f *testing.F) {
	for _, seed := range []string{"10.0.0.0/8", "10.0.0.0/33", "", "::/0", "::ffff:10.0.0.1/120", "::ffff:0:0/90", "fe80::1%eth0", "010.0.0.1/08", "1.2.3.4", "255.255.255.255/32", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/128", "0.0.0.0/0"} {
		f.Add(seed, "10.0.0.1", "fd00::1")
	}
	f.Fuzz(func(t *testing.T, text, one, two string) {
		p, ok := parsePrefix(text)
		if want, err := netip.ParsePrefix(text); err == nil && !want.Addr().Is4In6() && (!ok || p != want.Masked()) {
			t.Fatalf("%q is %v, want %v", text, p, want.Masked())
		}
		if !ok {
			return
		}
		if p != p.Masked() || p.Addr().Is4In6() {
			t.Fatalf("%q is %v, which has host bits", text, p)
		}
		space := newAddressSpace([]netip.Prefix{p})
		inside := space.atoms(p)
		for _, text := range []string{one, two, p.Addr().String(), lastAddress(p).String(), p.Addr().Prev().String(), lastAddress(p).Next().String()} {
			a, err := netip.ParseAddr(text)
			if err != nil || a.Zone() != "" {
				continue
			}
			a = a.Unmap()
			atom := space.atom(a)
			if got := inside.has(atom); got != p.Contains(a) {
				t.Fatalf("%s in %s is %v", a, p, got)
			}
			if first, last := space.ends(atom); a.Less(first) || last.Less(a) || first.BitLen() != a.BitLen() {
				t.Fatalf("%s is in the atom %s-%s", a, first, last)
			}
		}
	})
}

// FuzzSet compares the algebra of sets with maps.
func FuzzSet(f *testing.F) {
	f.Add("", "")
	f.Add("\x00\x05\x03\x02", "\x04\x01")
	f.Add("\x01\x01\x02\x01\x03\x01", "\x00\xff")
	f.Add("\x09\x09\x01\x09", "\x00\x02\x04\x02\x08\x02")
	read := func(text string) (set, map[uint32]bool) {
		var sets []set
		members := map[uint32]bool{}
		for i := 0; i+1 < len(text) && i < 64; i += 2 {
			lo, hi := uint32(text[i]), uint32(text[i])+uint32(text[i+1]%16)
			sets = append(sets, interval(lo, hi))
			for p := lo; p < hi; p++ {
				members[p] = true
			}
		}
		return union(sets...), members
	}
	f.Fuzz(func(t *testing.T, one, two string) {
		a, inA := read(one)
		b, inB := read(two)
		check := func(name string, got set, want func(uint32) bool) {
			t.Helper()
			var points []uint32
			last := int64(-1)
			for _, s := range got {
				if s.lo >= s.hi || int64(s.lo) <= last {
					t.Fatalf("%s: spans of %v are empty, touch, or are out of order", name, got)
				}
				last = int64(s.hi)
			}
			for p := range got.points() {
				points = append(points, p)
			}
			for p := range uint32(300) {
				if got.has(p) != want(p) {
					t.Fatalf("%s of %v and %v is %v, wrong at %d", name, a, b, got, p)
				}
				if want(p) {
					if len(points) == 0 || points[0] != p {
						t.Fatalf("%s: %d is not among the points in its place", name, p)
					}
					points = points[1:]
				}
			}
			if len(points) > 0 {
				t.Fatalf("%s: points too many: %v", name, points)
			}
			if rebuilt := setOf(pointsOf(got)); rebuilt.key() != got.key() {
				t.Fatalf("%s: %v has another key than %v", name, rebuilt, got)
			}
		}
		check("union", union(a, b), func(p uint32) bool { return inA[p] || inB[p] })
		check("intersection", a.intersect(b), func(p uint32) bool { return inA[p] && inB[p] })
		check("difference", a.minus(b), func(p uint32) bool { return inA[p] && !inB[p] })
		if (a.key() == b.key()) != (len(a.minus(b)) == 0 && len(b.minus(a)) == 0) {
			t.Fatalf("the keys of %v and %v do not say whether they are equal", a, b)
		}
	})
}

func pointsOf(s set) (out []uint32) {
	for p := range s.points() {
		out = append(out, p)
	}
	return out
}

// FuzzPorts compares the algebra of ports, and of their IDs, with bits: one for
// each of the first and the last ports, and one for all between them.
func FuzzPorts(f *testing.F) {
	f.Add("", "")
	f.Add("\x00\x05\x09", "\x00\x07\x07\x01\x00\x3f")
	f.Add("\x00\x3f\x3f\x00\x00\x00", "\x00\x00\x3f\x02\x09\x01")
	const low, high = 32, lastPort - 31
	type bits [protocols][65]bool
	bit := func(port int) int {
		switch {
		case port < low:
			return port
		case port < high:
			return low
		}
		return port - high + low + 1
	}
	number := func(b byte) int {
		if b%64 < low {
			return int(b % 64)
		}
		return high + int(b%64) - low
	}
	read := func(text string) (Ports, *bits) {
		var out Ports
		set := &bits{}
		for i := 0; i+2 < len(text) && i < 60; i += 3 {
			p, first, last := Protocol(text[i])%protocols, number(text[i+1]), number(text[i+2])
			one := PortsOf(p, first, last)
			out = out.Union(&one)
			for b := bit(first); b <= bit(last); b++ {
				set[p][b] = true
			}
		}
		return out, set
	}
	f.Fuzz(func(t *testing.T, one, two string) {
		a, inA := read(one)
		b, inB := read(two)
		table := newPortTable()
		x, y := table.id(a), table.id(b)
		check := func(name string, got Ports, id portsID, want func(p Protocol, bit int) bool) {
			t.Helper()
			if table.id(got) != id {
				t.Fatalf("%s of %v and %v is %v, by ID %v", name, a, b, got, table.of(id))
			}
			empty := true
			for p := range protocols {
				last := -2
				for _, r := range got[p] {
					if r.Last < r.First || int(r.First) <= last+1 {
						t.Fatalf("%s: ranges of %v touch or are out of order", name, got)
					}
					last = int(r.Last)
				}
				at := 0
				for b := range len(inA[p]) {
					port := b
					if b > low {
						port = high + b - low - 1
					}
					for at < len(got[p]) && int(got[p][at].Last) < port {
						at++
					}
					has := at < len(got[p]) && int(got[p][at].First) <= port
					if has != want(p, b) {
						t.Fatalf("%s of %v and %v is %v, wrong at %s %d", name, a, b, got, p, port)
					}
					empty = empty && !has
				}
			}
			if got.Empty() != empty || empty != (id == noPorts) {
				t.Fatalf("%s: %v is empty or not", name, got)
			}
		}
		before := fmt.Sprint(a, b)
		check("union", a.Union(&b), table.or(x, y), func(p Protocol, b int) bool { return inA[p][b] || inB[p][b] })
		check("intersection", a.Intersect(&b), table.and(x, y), func(p Protocol, b int) bool { return inA[p][b] && inB[p][b] })
		check("difference", a.Minus(&b), table.minus(x, y), func(p Protocol, b int) bool { return inA[p][b] && !inB[p][b] })
		if after := fmt.Sprint(a, b); after != before {
			t.Fatalf("operations changed their operands: %s, before %s", after, before)
		}
	})
}

func TestPortsText(t *testing.T) {
	for want, ports := range map[string]Ports{
		"":                          {},
		"all":                       AllPorts(),
		"TCP":                       PortsOf(TCP, -1, 70000),
		"TCP 80":                    PortsOf(TCP, 80, 80),
		"UDP 53-54":                 PortsOf(UDP, 53, 54),
		"TCP 65535":                 PortsOf(TCP, 65535, 99999),
		"TCP 80, 8000-8100; UDP 53": {TCP: {{80, 80}, {8000, 8100}}, UDP: {{53, 53}}},
	} {
		if got := ports.String(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	if p := PortsOf(TCP, 90, 80); !p.Empty() {
		t.Errorf("a range that ends before it begins is %s", p)
	}
	if p, err := ParseProtocol("sctp"); p != SCTP || err != nil {
		t.Errorf("sctp is %v, %v", p, err)
	}
	if _, err := ParseProtocol("quic"); err == nil || !strings.Contains(err.Error(), "quic") {
		t.Errorf("quic gives %v", err)
	}
}
