package reach

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/eksafe/eksafe/internal/config"
	"github.com/eksafe/eksafe/internal/estate"
	"github.com/eksafe/eksafe/internal/platform"
	"github.com/eksafe/eksafe/internal/trace"
)

// A Need is a connection that somebody needs: one that the estate declares, or
// one that was observed.
type Need struct {
	From, To *Endpoint
	Protocol Protocol
	Port     uint16
	Why      string // "DB_HOST of container web", "observed 1204 times"
	Observed int    // how often it was seen; 0 of a need that is declared
	Place    trace.Place
}

func (d *Need) String() string {
	return fmt.Sprintf("%s → %s %s %d", d.From.Name, d.To.Name, d.Protocol, d.Port)
}

// compare orders needs by their ends and ports, those that are declared before
// those that were observed.
func (d *Need) compare(o *Need) int {
	return cmp.Or(
		d.From.Ref.Compare(o.From.Ref), d.To.Ref.Compare(o.To.Ref), cmp.Compare(d.Protocol, o.Protocol), cmp.Compare(d.Port, o.Port),
		cmp.Compare(d.Observed, o.Observed), cmp.Compare(d.Why, o.Why),
	)
}

// A Suggestion is the least that workloads need, as policies and rules. It is
// shown and written, and never applied.
type Suggestion struct {
	// Policies replace those of the namespaces that they are for.
	Policies []PolicySuggestion
	// Replaced are the policies of these namespaces that applying the suggestion
	// leaves there, as they have other names.
	Replaced []Rule
	// Groups are the rules that security groups need.
	Groups []GroupSuggestion
	Needs  []Need
	// Undeclared are the needs that were observed and are declared nowhere.
	Undeclared []Need
	// Open are needs that no rule can express, and what to do.
	Open []string
	// Lost are needs that the suggestion does not let through, with the answer
	// that says why: what stops them is no network policy.
	Lost []*Answer
	// Closed are connections that are possible now and needed by nobody.
	Closed []Change
	// Opened are connections that are not possible now, and would be: something
	// that is needed is denied today.
	Opened []Change
}

// A PolicySuggestion is a policy, and who needs each of its rules.
type PolicySuggestion struct {
	*networkingv1.NetworkPolicy
	Why                   string // of the policy as a whole
	IngressWhy, EgressWhy [][]string
}

// A GroupSuggestion is the ingress rules that one security group needs.
type GroupSuggestion struct {
	Group   *estate.SecurityGroup
	Of      []string // what holds the group
	Rules   []estate.SecurityGroupRule
	Reasons []string // of each rule
	Removed []int    // the indices of rules of now that nobody needs
	Unclear []int    // the indices of rules of now that are not known: they stay
}

// Suggest returns the policies that let through what is needed and nothing else:
// what the manifests declare, the dependencies of c, and the needs that were
// observed. What it returns was held against the engine itself.
func Suggest(g *trace.Graph, c *config.Config, observed []Need) *Suggestion {
	a := &advisor{Network: Of(g), config: c, s: &Suggestion{}, selectors: map[*Endpoint]ownSelector{}}
	a.dns = a.clusterDNS()
	a.declare()
	a.observe(observed)
	slices.SortStableFunc(a.s.Needs, func(x, y Need) int { return x.compare(&y) })
	a.s.Needs = slices.CompactFunc(a.s.Needs, func(x, y Need) bool {
		return x.From.Ref == y.From.Ref && x.To.Ref == y.To.Ref && x.Protocol == y.Protocol && x.Port == y.Port
	})
	a.suggestPolicies()
	a.suggestGroups()
	a.prove()
	slices.Sort(a.s.Open)
	a.s.Open = slices.Compact(a.s.Open)
	return a.s
}

// An advisor makes one suggestion.
type advisor struct {
	*Network
	config    *config.Config
	s         *Suggestion
	selectors map[*Endpoint]ownSelector
	dns       []*Endpoint // the name servers of the cluster
}

// open says of a need that no rule expresses it.
func (a *advisor) open(format string, args ...any) {
	a.s.Open = append(a.s.Open, fmt.Sprintf(format, args...))
}

// observe takes up what was seen: all of it, so that nothing breaks that works.
// What no declaration covers is listed beside, as it may be what an attacker
// does.
func (a *advisor) observe(observed []Need) {
	declared := map[Named][]*Need{}
	for i := range a.s.Needs {
		d := &a.s.Needs[i]
		at := Named{d.Protocol, d.Port}
		declared[at] = append(declared[at], d)
	}
	var kept []Need
	for _, d := range observed {
		if d.To.Kind == MetadataEndpoint {
			a.open("%s was seen at the instance metadata, which hands out the credentials of the node: it is not let out to it", d.From.Name)
			continue
		}
		if slices.ContainsFunc(declared[Named{d.Protocol, d.Port}], func(known *Need) bool { return a.covers(known, &d) }) {
			continue
		}
		kept = append(kept, d)
	}
	a.s.Needs, a.s.Undeclared = append(a.s.Needs, kept...), kept
	slices.SortStableFunc(a.s.Undeclared, func(x, y Need) int { return x.compare(&y) })
}

// covers reports whether what lets d through lets o through too, at the same
// port.
func (a *advisor) covers(d, o *Need) bool {
	return len(o.From.points.minus(a.stands(d.From))) == 0 && len(o.To.points.minus(a.stands(d.To))) == 0
}

// stands returns the points of an endpoint and those of the addresses in which
// it may stand.
func (n *Network) stands(e *Endpoint) set {
	if e.target == nil {
		return e.points
	}
	out := e.points
	for _, sp := range n.addresses.all(e.target.networks) {
		out = union(out, interval(sp.lo+n.atoms, sp.hi+n.atoms))
	}
	return out
}

// governed reports whether the policies of a workload are suggested: what
// belongs to the platform has needs that no manifest tells.
func governed(e *Endpoint) bool {
	return e.Workload != nil && !platform.Namespace(e.Namespace) && platform.Expected(e.Workload) == "" && !e.Workload.Template.Spec.HostNetwork
}

// prove holds the suggestion against the engine: it computes the network that
// the estate would have, and says what is lost and what is closed.
func (a *advisor) prove() {
	s, e := a.s, a.graph.Estate
	names, namespaces := map[[2]string]bool{}, map[string]bool{}
	for _, p := range s.Policies {
		namespaces[p.Namespace] = true
		names[[2]string{p.Namespace, p.Name}] = true
	}
	var policies []*estate.Resource[networkingPolicy]
	for _, r := range estate.NetworkPolicies.In(e) {
		switch o := &r.Object; {
		case !namespaces[o.Namespace]:
			policies = append(policies, r)
		case !names[[2]string{o.Namespace, o.Name}]:
			s.Replaced = append(s.Replaced, Rule{
				Place: trace.Place{Subject: estate.NetworkPolicies.Ref(r), Origin: &r.Origin}, Name: "NetworkPolicy " + o.Namespace + "/" + o.Name,
			})
		}
	}
	for _, p := range s.Policies {
		policies = append(policies, &estate.Resource[networkingPolicy]{Object: *p.NetworkPolicy})
	}
	after := estate.NetworkPolicies.Replaced(e, policies)
	if len(s.Groups) > 0 {
		after = estate.SecurityGroups.Replaced(after, changedGroups(e, s.Groups))
	}
	then := trace.New(after)
	m := newNetwork(then, a.blocks())
	for i := range s.Needs {
		d := &s.Needs[i]
		if answer := m.lost(d); answer != nil {
			s.Lost = append(s.Lost, answer)
		}
	}
	// Any address of the VPC may hold a group that a rule names, unless a source
	// shows the interfaces: that opens nothing.
	byGroup := map[string]bool{}
	for _, g := range s.Groups {
		if !slices.ContainsFunc(g.Rules, func(r estate.SecurityGroupRule) bool { return r.SourceSecurityGroupId == "" }) {
			for _, name := range g.Of {
				byGroup[name] = true
			}
		}
	}
	for _, c := range Diff(a.graph, then) {
		if !c.Closed.Empty() {
			s.Closed = append(s.Closed, c)
		}
		if !c.Opened.Empty() && !(isAddress(c.From) && byGroup[c.To]) {
			s.Opened = append(s.Opened, c)
		}
	}
}

// isAddress reports whether one end of a change is addresses.
func isAddress(name string) bool {
	first, _, _ := strings.Cut(name, "-")
	_, err := netip.ParseAddr(first)
	return err == nil
}

// lost returns the answer that denies a need of another network of the same
// estate, nil if none does. Every network of an end that is several must get
// through.
func (n *Network) lost(d *Need) *Answer {
	for _, from := range n.counterparts(d.From) {
		for _, to := range n.counterparts(d.To) {
			if answer := n.Ask(from, to, d.Protocol, d.Port); answer.Verdict == Denied {
				return answer
			}
		}
	}
	return nil
}

// counterparts finds an endpoint of another network of the same estate.
func (n *Network) counterparts(e *Endpoint) []*Endpoint {
	if known := n.byRef[e.Ref]; known != nil {
		return []*Endpoint{known}
	}
	networks := e.networks
	if p, ok := parsePrefix(e.Name); ok && len(networks) == 0 {
		networks = []netip.Prefix{p}
	}
	var out []*Endpoint
	for _, p := range networks {
		out = append(out, n.addressEndpoint(p))
	}
	return out
}

func newPolicy(namespace, name string, selector metav1.LabelSelector, types ...networkingv1.PolicyType) *networkingv1.NetworkPolicy {
	p := &networkingv1.NetworkPolicy{}
	p.APIVersion, p.Kind = networkingv1.SchemeGroupVersion.String(), "NetworkPolicy"
	p.Namespace, p.Name = namespace, name
	p.Spec.PodSelector = selector
	p.Spec.PolicyTypes = types
	return p
}
