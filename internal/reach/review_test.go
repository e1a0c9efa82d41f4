package reach

import (
	"slices"
	"testing"

	"github.com/eksafe/eksafe/internal/trace"
)

// Without a rule that is said never to decide, every pod may send and receive
// what it does with it.
func TestShadowedRulesDecideNothing(t *testing.T) {
	first, last := seeds(t)
	dead := 0
	for seed := first; seed < last; seed++ {
		e := newGenerator(seed).estate()
		n := New(trace.New(e))
		for r, why := range n.shadowed() {
			dead++
			if why == "" {
				t.Errorf("seed %d: %s is shadowed by nothing", seed, r.field)
			}
			for d := range n.written {
				for _, f := range n.written[d] {
					if f == nil {
						continue
					}
					if got, want := n.evaluate(f.without(r)), n.evaluate(f); !slices.Equal(got, want) {
						t.Fatalf("seed %d: without %s, which never decides (%s), a row is another\n%v\n%v\n%s", seed, r.field, why, got, want, dump(e))
					}
				}
			}
		}
	}
	if dead < 10 && last-first > 1 {
		t.Errorf("%d shadowed rules in all estates: the test shows nothing", dead)
	}
}

// without returns a filter as if a rule were not there.
func (f *filter) without(dead *rule) *filter {
	out := &filter{direction: f.direction, point: f.point}
	for _, a := range f.policies {
		p := *a.policy
		for d := range p.rules {
			var rules []rule
			for i := range p.rules[d] {
				if r := &a.rules[d][i]; r != dead {
					rules = append(rules, *r)
				}
			}
			p.rules[d] = rules
		}
		out.policies = append(out.policies, applied{&p, a.unsure})
	}
	return out
}

// Who may reach an endpoint is the same whether all pods are asked or only those
// whose policies let something through to it.
func TestReachingAsksEverybody(t *testing.T) {
	first, last := seeds(t)
	found := map[Verdict]int{}
	for seed := first; seed < last; seed++ {
		g := newGenerator(seed)
		n := New(trace.New(g.estate()))
		for _, to := range n.Endpoints() {
			port := pick(g, interesting...)
			got := map[*Endpoint]Source{}
			for s := range n.Reaching(to, PortsOf(TCP, int(port), int(port))) {
				got[s.Endpoint] = s
			}
			for _, from := range n.Endpoints() {
				if from.Workload == nil || from == to && from.Workload.Controller == "Pod" {
					continue
				}
				want := Denied
				for i := range from.points.points() {
					for j := range to.points.points() {
						sure, open := n.between(i, j)
						want = worst(want, map[bool]Verdict{true: Allowed, false: Denied}[n.has(sure, TCP, port)])
						if n.has(open, TCP, port) {
							want = worst(want, Unknown)
						}
					}
				}
				s, ok := got[from]
				found[want]++
				switch {
				case want == Denied && (!ok || s.Unenforced != ""):
				case ok && s.Verdict == want && s.Unenforced == "":
				default:
					t.Fatalf("seed %d: %s reaches %s at %d: %v %q, want %v", seed, from, to, port, s.Verdict, s.Unenforced, want)
				}
			}
		}
	}
	if last-first > 1 && (found[Allowed] == 0 || found[Denied] == 0) {
		t.Errorf("verdicts %v: the test shows nothing", found)
	}
}

// Every connection that a rule of egress allows, and AWS does not stop, is a
// passage of that rule's policy, and every passage is such a connection.
func TestPassages(t *testing.T) {
	type pair struct {
		policy   string
		from, to *Endpoint
	}
	first, last := seeds(t)
	shown := 0
	for seed := first; seed < last; seed++ {
		g := newGenerator(seed)
		n := New(trace.New(g.estate()))
		everybody := func(*Endpoint) bool { return true }
		passages := map[pair]bool{}
		for _, p := range n.Policies() {
			if p.Staged {
				continue
			}
			for _, o := range p.Openings(everybody) {
				for x := range o.Passages(func(_, _ *Endpoint) bool { return true }, func(*Endpoint, string) (bool, bool) { return true, true }) {
					for i, from := range x.From {
						passages[pair{p.Name, from, x.To}] = true
						if i > 0 {
							continue
						}
						a := x.Explain(from)
						if len(a.Layers) == 0 || a.Layers[0].Kind != EgressPolicies {
							continue // to itself
						}
						if v := a.Layers[0].Verdict; v != x.Verdict && v != Allowed {
							t.Fatalf("seed %d: %s: %s to %s at %s %d is %v, and explained as %v", seed, p.Name, from, x.To, x.Protocol, x.Port, x.Verdict, v)
						}
					}
				}
			}
		}
		for range 30 {
			from, to := pick(g, n.Endpoints()...), pick(g, n.Endpoints()...)
			if from.Workload == nil || from == to {
				continue
			}
			a := n.Ask(from, to, TCP, pick(g, interesting...))
			if len(a.Layers) == 0 || a.Layers[0].Kind != EgressPolicies || a.Layers[0].Verdict != Allowed {
				continue
			}
			if slices.ContainsFunc(a.Layers, func(l Layer) bool {
				return l.Verdict != Allowed && slices.Contains([]LayerKind{SecurityGroups, NetworkACLs, Routes}, l.Kind)
			}) {
				continue
			}
			for _, r := range a.Layers[0].Rules {
				shown++
				if !passages[pair{r.Name, from, to}] {
					t.Fatalf("seed %d: %s lets %s out to %s, and no passage says so", seed, r.Name, from, to)
				}
			}
		}
	}
	if shown == 0 && last-first > 1 {
		t.Error("no rule allowed anything: the test shows nothing")
	}
}

// Who wants no pods gets all other passages, and no pod.
func TestPassagesWithoutPods(t *testing.T) {
	type end struct {
		to       *Endpoint
		verdict  Verdict
		protocol Protocol
		port     uint16
	}
	first, last := seeds(t)
	left, found := 0, 0
	for seed := first; seed < last; seed++ {
		n := New(trace.New(newGenerator(seed).estate()))
		for _, p := range n.Policies() {
			for _, o := range p.Openings(func(*Endpoint) bool { return true }) {
				ends := func(pods bool) (out []end) {
					for x := range o.Passages(func(_, _ *Endpoint) bool { return true }, func(*Endpoint, string) (bool, bool) { return pods, pods }) {
						out = append(out, end{x.To, x.Verdict, x.Protocol, x.Port})
					}
					return out
				}
				all, others := ends(true), ends(false)
				want := slices.DeleteFunc(slices.Clone(all), func(e end) bool { return e.to.Workload != nil })
				if !slices.Equal(others, want) {
					t.Fatalf("seed %d: %s lets out to %v, want %v", seed, o.Field, others, want)
				}
				left, found = left+len(all)-len(want), found+len(want)
			}
		}
	}
	if last-first > 1 && (left == 0 || found == 0) {
		t.Errorf("%d passages to pods, %d to others: the test shows nothing", left, found)
	}
}
