package reach

import (
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/eksafe/eksafe/internal/estate"
	"github.com/eksafe/eksafe/internal/trace"
)

// together is the verdict of layers that must all allow.
func together(ls []Layer) Verdict {
	out := Allowed
	for _, l := range ls {
		switch l.Verdict {
		case Denied:
			return Denied
		case Unknown:
			out = Unknown
		}
	}
	return out
}

// TestAnswers holds what Ask says against the naive evaluation: its verdict is
// that of the ends that isolate least, its layers add up to it, the rules that it
// cites are there and match, and the changes that it proposes open the way.
func TestAnswers(t *testing.T) {
	first, last := seeds(t)
	asked := map[Verdict]int{}
	cited, changed := 0, 0
	for seed := first; seed < last; seed++ {
		g := newGenerator(seed)
		e := g.estate()
		network, oracle := New(trace.New(e)), newNaive(e)
		pods, others := oracle.ends(network)
		if len(pods) == 0 {
			continue
		}
		byEndpoint := map[*Endpoint][]*naiveEnd{}
		for _, end := range slices.Concat(pods, others) {
			of := network.points[pointOf(t, network, end)].endpoint
			byEndpoint[of] = append(byEndpoint[of], end)
		}
		for range 20 {
			from, to := pick(g, network.Endpoints()...), pick(g, network.Endpoints()...)
			if from.Workload == nil && to.Workload == nil || from.Kind == DomainEndpoint || from.target != nil || to.target != nil || from == to && from.Workload.Controller == "Pod" {
				continue
			}
			protocol, port := pick(g, TCP, UDP, SCTP), pick(g, interesting...)
			a := network.Ask(from, to, protocol, port)
			asked[a.Verdict]++
			want := Denied
			for _, x := range byEndpoint[from] {
				for _, y := range byEndpoint[to] {
					sure, open := oracle.between(x, y, protocol, port)
					if sure {
						want = Allowed
					} else if open && want == Denied {
						want = Unknown
					}
				}
			}
			if a.Verdict != want || together(a.Layers) != want {
				t.Fatalf("seed %d: %s → %s %s %d is %s, its layers say %s, want %s\n%+v\n%s", seed, from, to, protocol, port, a.Verdict, together(a.Layers), want, a.Layers, dump(e))
			}
			if a.Verdict == Denied && port != 0 { // no policy may name port 0
				changed++
				if text := follow(t, seed, a); text != "" {
					t.Fatalf("seed %d: %s → %s %s %d: %s\n%s", seed, from, to, protocol, port, text, dump(e))
				}
			}
		}
		for range 20 {
			x, y := pick(g, pods...), pick(g, slices.Concat(pods, others)...)
			if y.domain == "" && g.one(2) {
				x, y = y, x
			}
			i, j := pointOf(t, network, x), pointOf(t, network, y)
			if network.itself(i, j) {
				continue
			}
			a := &Answer{From: network.points[i].endpoint, To: network.points[j].endpoint, Protocol: pick(g, TCP, UDP, SCTP), Port: pick(g, interesting...)}
			a.Verdict = network.verdict(i, j, a.Protocol, a.Port)
			network.explain(a, i, j)
			for _, l := range a.Layers {
				cited += len(l.Rules)
				text := oracle.cites(&l, x, y, a.Protocol, a.Port)
				if a.Through != "" && text != "" {
					text = oracle.citesBehind(a, &l, x, y)
				}
				if text != "" {
					t.Fatalf("seed %d: %s → %s %s %d: %s: %+v\n%s", seed, x, y, a.Protocol, a.Port, text, l, dump(e))
				}
			}
		}
	}
	t.Logf("asked: %v; %d citations, %d denials opened", asked, cited, changed)
	if last-first > 1 && (cited == 0 || changed == 0 || asked[Allowed] == 0 || asked[Unknown] == 0) {
		t.Error("the estates prove nothing")
	}
}

// citesBehind is cites of a layer that sees a node in place of one of the ends.
func (n *naive) citesBehind(a *Answer, l *Layer, from, to *naiveEnd) string {
	outer := a.outer
	node := &naiveEnd{node: true}
	switch l.Kind {
	case NodePorts:
		ways := n.ways(to, a.Protocol, a.Port)
		if len(l.Rules) != 1 || !slices.ContainsFunc(ways, func(w naiveWay) bool { return slices.Contains(w.ports, outer) }) {
			return "a port that leads nowhere is cited"
		}
		return ""
	case EgressPolicies:
		target := node
		if _, text, ok := strings.Cut(a.Through, " of "); ok && text != "the nodes" {
			target = &naiveEnd{address: netip.MustParseAddr(text)}
		}
		return n.cites(l, from, target, a.Protocol, outer)
	}
	if l.Verdict == Allowed && len(l.Rules) == 0 {
		return "" // a node always reaches its own pods
	}
	sure, open := n.asked(Ingress, to, node, to, a.Protocol, a.Port)
	return n.citesOf(l, Ingress, to, node, to, sure, open, a.Protocol, a.Port)
}

// cites says what is wrong with what a layer cites, "" if nothing is.
func (n *naive) cites(l *Layer, from, to *naiveEnd, protocol Protocol, port uint16) string {
	d, pod, peer := Egress, from, to
	if l.Kind == IngressPolicies {
		d, pod, peer = Ingress, to, from
	}
	sure, open := n.passes(d, pod, peer, to, protocol, port)
	return n.citesOf(l, d, pod, peer, to, sure, open, protocol, port)
}

func (n *naive) citesOf(l *Layer, d Direction, pod, peer, to *naiveEnd, sure, open bool, protocol Protocol, port uint16) string {
	if (l.Verdict == Allowed) != sure || (l.Verdict == Denied) != !open {
		return "the layer's verdict is wrong"
	}
	if l.Verdict == Denied && len(l.Rules) == 0 {
		return "a denial cites nothing"
	}
	tiers := map[string]bool{}
	for _, r := range l.Rules {
		at := slices.IndexFunc(n.policies[d], func(p *naivePolicy) bool { return p.owner == r.Subject })
		if at < 0 || !n.policies[d][at].selects(pod) {
			return "a policy that does not select the pod is cited: " + r.Name
		}
		p := n.policies[d][at]
		tiers[p.tier] = true
		if r.Field == "" { // it isolates
			if l.Verdict != Denied || p.tier != "Namespace" {
				return "a policy that does not isolate is cited: " + r.Name
			}
			for i := range p.rules {
				if p.rules[i].matches(peer, to, protocol, port) == yes {
					return "a policy that allows is said to isolate: " + r.Name
				}
			}
			continue
		}
		at = slices.IndexFunc(p.rules, func(x naiveRule) bool {
			return x.field == r.Field || strings.HasPrefix(r.Field, x.field+".") // one of its peers
		})
		if at < 0 {
			return "there is no field " + r.Field
		}
		rule := p.rules[at]
		want := map[Verdict]tri{Allowed: yes, Denied: yes, Unknown: maybe}[l.Verdict]
		action := map[Verdict]string{Allowed: "Accept", Denied: "Deny", Unknown: rule.action}[l.Verdict]
		if rule.action != action || rule.matches(peer, to, protocol, port) != want {
			return "a rule that does not decide is cited: " + r.Name + " " + r.Field
		}
	}
	if len(tiers) > 1 {
		return "rules of several tiers are cited, and the first one decides"
	}
	return ""
}

// follow does what the changes of a denial say until it is none.
func follow(t *testing.T, seed uint64, a *Answer) string {
	t.Helper()
	e := newGenerator(seed).estate() // to be changed
	network := New(trace.New(e))
	var done []string
	for range 30 {
		from, to := network.Endpoint(a.From.Ref), network.Endpoint(a.To.Ref)
		now := network.Ask(from, to, a.Protocol, a.Port)
		if now.Verdict != Denied {
			return ""
		}
		done = append(done, now.Change)
		l, _ := now.Decisive()
		if !strings.HasPrefix(now.Change, l.change) || !amend(e, &l) {
			return "no one can follow " + strconv.Quote(now.Change)
		}
		network = New(trace.New(e))
	}
	return "still denied after: " + strings.Join(done, "; ")
}

var (
	takeOut = regexp.MustCompile(`^take .+ out of (spec\.(?:ingress|egress))\[(\d+)\]\S* of (.+)$`)
	addRule = regexp.MustCompile(`^add a rule for (ingress|egress) to spec\.(?:ingress|egress) of ([^:]+): (.+), (TCP|UDP|SCTP) (\d+)$`)
	podPeer = regexp.MustCompile(`^namespace (\S+), (?:every pod|pods (\S+))$`)
)

// amend carries out the change of an answer; a rule that denies too much is
// taken out as a whole.
func amend(e *estate.Estate, l *Layer) bool {
	if m := takeOut.FindStringSubmatch(l.change); m != nil {
		i, _ := strconv.Atoi(m[2])
		return withoutRule(e, l.Rules[0].Subject, m[1], i)
	}
	m := addRule.FindStringSubmatch(l.change)
	if m == nil {
		return false
	}
	number, _ := strconv.Atoi(m[5])
	port, protocol := intstr.FromInt32(int32(number)), corev1.Protocol(m[4])
	ports := []networkingPort{{Protocol: &protocol, Port: &port}}
	var peers []networkingPeer
	var domains []string
	if p := podPeer.FindStringSubmatch(m[3]); p != nil {
		var pods metav1.LabelSelector
		for _, pair := range strings.Split(p[2], ",") {
			if k, v, ok := strings.Cut(pair, "="); ok {
				pods.MatchLabels = labelsWith(pods.MatchLabels, k, v)
			}
		}
		peers = []networkingPeer{{PodSelector: &pods, NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"kubernetes.io/metadata.name": p[1]}}}}
	} else if text, ok := strings.CutPrefix(m[3], "domainNames "); ok {
		name, _, _ := strings.Cut(text, " ")
		domains = []string{name}
	} else if text, ok := strings.CutPrefix(m[3], "ipBlock of "); ok {
		cidrs := []string{"0.0.0.0/0", "::/0"} // wherever the node is
		firstOf, _, _ := strings.Cut(text, "-")
		if address, err := netip.ParseAddr(firstOf); err == nil {
			cidrs = []string{netip.PrefixFrom(address, address.BitLen()).String()}
		}
		for _, cidr := range cidrs {
			peers = append(peers, networkingPeer{IPBlock: &networkingv1.IPBlock{CIDR: cidr}})
		}
	} else {
		return false
	}
	subject := l.Rules[0].Subject
	for _, r := range estate.NetworkPolicies.In(e) {
		if estate.NetworkPolicies.Ref(r) != subject {
			continue
		}
		switch s := &r.Object.Spec; {
		case len(domains) > 0:
			allow := &estate.Resource[estate.ApplicationNetworkPolicy]{}
			allow.Object.Namespace, allow.Object.Name = r.Object.Namespace, "domains of "+r.Object.Name
			allow.Object.Spec.PodSelector = s.PodSelector
			allow.Object.Spec.PolicyTypes = []networkingv1.PolicyType{"Egress"}
			allow.Object.Spec.Egress = []estate.ApplicationPolicyEgressRule{{Ports: ports, To: []estate.ApplicationPolicyPeer{{DomainNames: domains}}}}
			estate.ApplicationNetworkPolicies.Add(e, allow)
		case m[1] == "ingress":
			s.Ingress = append(s.Ingress, networkingv1.NetworkPolicyIngressRule{From: peers, Ports: ports})
		default:
			s.Egress = append(s.Egress, networkingv1.NetworkPolicyEgressRule{To: peers, Ports: ports})
		}
		return true
	}
	for _, r := range estate.ApplicationNetworkPolicies.In(e) {
		if estate.ApplicationNetworkPolicies.Ref(r) != subject {
			continue
		}
		if m[1] == "ingress" {
			r.Object.Spec.Ingress = append(r.Object.Spec.Ingress, networkingv1.NetworkPolicyIngressRule{From: peers, Ports: ports})
			return true
		}
		rule := estate.ApplicationPolicyEgressRule{Ports: ports}
		for _, p := range peers {
			rule.To = append(rule.To, estate.ApplicationPolicyPeer{NetworkPolicyPeer: p})
		}
		if len(domains) > 0 {
			rule.To = append(rule.To, estate.ApplicationPolicyPeer{DomainNames: domains})
		}
		r.Object.Spec.Egress = append(r.Object.Spec.Egress, rule)
		return true
	}
	return false
}

func labelsWith(in map[string]string, k, v string) map[string]string {
	if in == nil {
		in = map[string]string{}
	}
	in[k] = v
	return in
}

// withoutRule deletes one rule of a policy of administrators.
func withoutRule(e *estate.Estate, subject estate.Ref, field string, i int) bool {
	ingress := field == "spec.ingress"
	older := func(in, out *[]estate.AdminPolicyRule) bool {
		if !ingress {
			in = out
		}
		*in = slices.Delete(*in, i, i+1)
		return true
	}
	for _, r := range estate.ClusterNetworkPolicies.In(e) {
		if s := &r.Object.Spec; estate.ClusterNetworkPolicies.Ref(r) == subject {
			list := &s.Egress
			if ingress {
				list = &s.Ingress
			}
			*list = slices.Delete(*list, i, i+1)
			return true
		}
	}
	for _, r := range estate.AWSClusterNetworkPolicies.In(e) {
		if estate.AWSClusterNetworkPolicies.Ref(r) == subject {
			return older(&r.Object.Spec.Ingress, &r.Object.Spec.Egress)
		}
	}
	for _, r := range estate.AdminNetworkPolicies.In(e) {
		if estate.AdminNetworkPolicies.Ref(r) == subject {
			return older(&r.Object.Spec.Ingress, &r.Object.Spec.Egress)
		}
	}
	for _, r := range estate.BaselineAdminNetworkPolicies.In(e) {
		if estate.BaselineAdminNetworkPolicies.Ref(r) == subject {
			return older(&r.Object.Spec.Ingress, &r.Object.Spec.Egress)
		}
	}
	return false
}
