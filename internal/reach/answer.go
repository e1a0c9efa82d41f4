package reach

import (
	"fmt"
	"slices"
	"strings"

	"github.com/eksafe/eksafe/internal/trace"
)

// A Verdict says whether a connection gets through.
type Verdict int

const (
	Unknown Verdict = iota // the estate does not show what decides
	Denied                 // every reading denies it
	Allowed                // it gets through
)

var verdictNames = [...]string{"unknown", "denied", "allowed"}

func (v Verdict) String() string { return verdictNames[v] }

// MarshalText returns the name.
func (v Verdict) MarshalText() ([]byte, error) { return []byte(v.String()), nil }

// worst returns the verdict that isolates less.
func worst(a, b Verdict) Verdict {
	switch {
	case a == Allowed || b == Allowed:
		return Allowed
	case a == Unknown || b == Unknown:
		return Unknown
	}
	return Denied
}

// An Answer says whether one endpoint reaches another at a port, and why.
type Answer struct {
	From, To *Endpoint
	Protocol Protocol
	Port     uint16
	Verdict  Verdict
	// Source and Destination are the ends of the connection that decided: a
	// pod with its address, an address.
	Source, Destination string
	// Through is the port of nodes by which the connection gets to the pod, "" if
	// it goes there itself.
	Through string
	outer   uint16 // the one that is explained
	// Layers are what the connection meets, in order; all must allow. Behind
	// one that denies there may be more.
	Layers []Layer
	// Encryption says how data would travel, and EncryptionWhy what makes it so.
	Encryption    trace.Encryption
	EncryptionWhy string
	// Change is the smallest change that would allow what is denied; "" unless
	// something is.
	Change string
	// Notes are the readings that were taken where an API leaves open what it
	// means.
	Notes []string
}

// Decisive returns the first layer that denies; of an answer that is unknown
// the first that is.
func (a *Answer) Decisive() (Layer, bool) {
	for _, l := range a.Layers {
		if l.Verdict == a.Verdict {
			return l, a.Verdict != Allowed
		}
	}
	return Layer{}, false
}

// A LayerKind says what a layer is made of.
type LayerKind string

// The layers, in the order in which a connection meets them.
const (
	EgressPolicies    LayerKind = "egress policies"    // of the pod that begins it
	NodePorts         LayerKind = "node port"          // that leads on to a pod
	SecurityGroups    LayerKind = "security groups"    // of either end
	NetworkACLs       LayerKind = "network ACLs"       // of the subnets, in both directions
	Routes            LayerKind = "routes"             // from one end to the other
	IngressPolicies   LayerKind = "ingress policies"   // of the pod that answers
	MeshMTLS          LayerKind = "mesh mTLS"          // whether the receiver takes what the sender sends, encrypted or not
	MeshAuthorization LayerKind = "mesh authorization" // of Istio, at the receiver
	MeshSidecar       LayerKind = "mesh sidecar"       // the routes of the sender's proxy, round which it can go
)

// A Layer is what one of the layers says of a connection.
type Layer struct {
	Kind    LayerKind
	Of      string // whose: "shop/web"
	Verdict Verdict
	// Enforced says whether something makes the layer work, and By what: one
	// that is known not to be enforced allows everything. Where nothing is
	// known of it, it is taken to be enforced, and By says so.
	Enforced trace.Ternary
	By       string
	Why      string // one sentence
	// Rules are those that decide: for an allowance all that allow it, for a
	// denial the one that denies or those that isolate.
	Rules []Rule

	change string // the smallest that would allow, of a layer of AWS that denies
}

// A Rule is where a decision is written.
type Rule struct {
	trace.Place
	Name string // "NetworkPolicy shop/web"
	Says string // "allows TCP 5432 to 10.0.2.0/28"
}

// Ask says whether from reaches to at a port. Of several pods or addresses the
// ones that isolate least decide.
func (n *Network) Ask(from, to *Endpoint, protocol Protocol, port uint16) *Answer {
	a := &Answer{From: from, To: to, Protocol: protocol, Port: port, Verdict: Denied}
	source, destination := from.points[0].lo, to.points[0].lo
search:
	for i := range from.points.points() {
		for j := range to.points.points() {
			v := n.verdict(i, j, protocol, port)
			if v != Denied && v != a.Verdict && worst(v, a.Verdict) == v {
				a.Verdict, source, destination = v, i, j
			}
			if a.Verdict == Allowed {
				break search
			}
		}
	}
	n.explain(a, source, destination)
	return a
}

func (n *Network) verdict(from, to uint32, protocol Protocol, port uint16) Verdict {
	if n.itself(from, to) {
		return Allowed
	}
	sure, open := n.between(from, to)
	switch {
	case n.has(sure, protocol, port):
		return Allowed
	case n.has(open, protocol, port):
		return Unknown
	}
	return Denied
}

// itself reports whether both ends are one pod: what a pod sends to itself
// never leaves it, and no agent sees it.
func (n *Network) itself(from, to uint32) bool {
	return from < n.pods && n.points[from].endpoint == n.points[to].endpoint && n.points[from].endpoint.Workload.Controller == "Pod"
}

func (n *Network) has(id portsID, protocol Protocol, port uint16) bool {
	switch id {
	case noPorts:
		return false
	case allPorts:
		return true
	}
	ports := n.ports.of(id)
	return ports.Has(protocol, port)
}

// explain recomputes one pair, rule by rule.
func (n *Network) explain(a *Answer, from, to uint32) {
	a.Source, a.Destination = n.describe(from), n.describe(to)
	if n.itself(from, to) {
		a.Notes = append(a.Notes, "a pod always reaches itself: its traffic to itself does not leave it")
		a.Encryption, a.EncryptionWhy = trace.Encrypted, "it never leaves the pod"
		return
	}
	for _, r := range n.rejected {
		if ns := r.Subject.Namespace; ns == "" || ns == a.From.Namespace || ns == a.To.Namespace {
			a.note(r.Name + " was left out, because the API server would reject it: " + r.Says)
		}
	}
	a.note(n.noteOfPrediction(from), n.noteOfPrediction(to))
	if e := n.entranceOf(a, from, to); e != nil {
		a.note(n.explainEntrance(a, e, from, to)...)
		a.Encryption, a.EncryptionWhy = n.mesh.encryption(e.nodes, to, a.Protocol, a.Port)
		return
	}
	n.explainStraight(a, from, to)
	if a.Verdict != Denied {
		return
	}
	a.Change = n.change(a, from)
	if way, e := n.closedEntrance(a, from, to); way != nil {
		why := ""
		if l, ok := way.Decisive(); ok {
			why = ": " + l.Why
		}
		a.note(fmt.Sprintf("%s %s, which leads there too and is closed to it%s", e.rule.Name, e.rule.Says, why))
		if way.denials() < a.denials() {
			a.Change = n.change(way, from) + ", which opens " + way.Through
		}
	}
	a.note(n.relayed(from, to))
}

// note adds what must be said once.
func (a *Answer) note(texts ...string) {
	for _, text := range texts {
		if text != "" && !slices.Contains(a.Notes, text) {
			a.Notes = append(a.Notes, text)
		}
	}
}

// denials counts the layers that deny.
func (a *Answer) denials() int {
	out := 0
	for _, l := range a.Layers {
		if l.Verdict == Denied {
			out++
		}
	}
	return out
}

// explainStraight explains a connection to the point itself.
func (n *Network) explainStraight(a *Answer, from, to uint32) {
	a.Source, a.Destination = n.describe(from), n.describe(to)
	if from < n.pods {
		l, notes := n.mesh.carriedLayer(from, to, a, func(a *Answer) (Layer, []string) { return n.explainPolicies(Egress, from, to, a) })
		a.Layers = append(a.Layers, l)
		a.note(notes...)
	}
	layers, notes := n.mesh.carriedLayers(from, to, a, func(a *Answer) ([]Layer, []string) { return n.explainAWS(from, to, a.Protocol, a.Port) })
	a.Layers = append(a.Layers, layers...)
	a.note(notes...)
	if to < n.pods {
		l, notes := n.mesh.carriedLayer(from, to, a, func(a *Answer) (Layer, []string) { return n.explainPolicies(Ingress, to, from, a) })
		a.Layers = append(a.Layers, l)
		a.note(notes...)
	}
	layers, notes = n.mesh.explain(from, to, a.Protocol, a.Port)
	a.Layers = append(a.Layers, layers...)
	a.note(notes...)
	n.mesh.settle(a)
	a.Encryption, a.EncryptionWhy = n.mesh.encryption(from, to, a.Protocol, a.Port)
}

// relayed says which load balancer takes connections from a point and sends its
// own on to a pod, "" if none does: who is denied may get to the application all
// the same.
func (n *Network) relayed(from, to uint32) string {
	if n.points[from].endpoint.Kind == LoadBalancerEndpoint || to >= n.pods {
		return ""
	}
	w := n.points[to].endpoint.Workload
	leads := func(t *trace.Target) bool { return slices.Contains(t.Workloads, w) }
	for _, lb := range n.graph.LoadBalancers {
		e := n.byRef[lb.Ref]
		if e == nil || !slices.ContainsFunc(lb.Listeners, func(l *trace.Listener) bool {
			return slices.ContainsFunc(l.Rules, func(r *trace.Rule) bool { return slices.ContainsFunc(r.Targets, leads) })
		}) {
			continue
		}
		sure, open := n.between(from, e.points[0].lo)
		takes := "takes"
		if sure == noPorts {
			takes = "may take"
		}
		if open != noPorts {
			return fmt.Sprintf("load balancer %s %s connections from there, and sends its own on to %s: --from %s asks about these", e.Name, takes, n.points[to].endpoint.Name, e.Name)
		}
	}
	return ""
}

// describe names a point: "shop/web (10.0.1.7)", "10.0.2.0-10.0.2.15".
func (n *Network) describe(p uint32) string {
	pt := n.points[p]
	if p >= n.atoms {
		first, last := n.addresses.ends(p - n.atoms)
		if first == last {
			return first.String()
		}
		return first.String() + "-" + last.String()
	}
	if len(pt.addresses) > 0 {
		return pt.endpoint.Name + " (" + pt.addresses[0].String() + ")"
	}
	return pt.endpoint.Name
}

// explainPolicies says what the policies of a pod say of a peer.
func (n *Network) explainPolicies(d Direction, pod, peer uint32, a *Answer) (l Layer, notes []string) {
	p := n.points[pod]
	l = Layer{Kind: EgressPolicies, Of: p.endpoint.Name, Verdict: Allowed, Enforced: n.enforcer.at(p), By: n.enforcer.by(p)}
	if d == Ingress {
		l.Kind = IngressPolicies
	}
	f := n.filters[d][pod]
	idle := n.idle(d, pod)
	switch {
	case n.guards[d].points.has(pod):
		l.Verdict, l.Why, l.Rules = Unknown, n.guards[d].why, n.guards[d].rules
		return l, nil
	case p.host:
		l.Why = p.endpoint.Name + " is in the network of its node, where no policy of pods holds"
		return l, nil
	case f == nil && idle != nil:
		l.Enforced, l.By = trace.No, n.enforcer.holds[pod].says(idle.api())
		l.Why = "nothing enforces " + idle.name + " on " + p.endpoint.Name + ": " + l.By
		return l, nil
	case f == nil:
		l.Why = fmt.Sprintf("no policy limits the %s of %s", d, p.endpoint.Name)
		return l, nil
	case d == Ingress && n.nodes.has(peer):
		l.Why = "it comes with the address of a node, and a node always reaches its own pods"
		return l, []string{"policies do not keep a node from its own pods, nor do they see whose connection it leads on"}
	case d == Ingress && n.hosts.has(peer):
		l.Why = n.points[peer].endpoint.Name + " is in the network of its node, and a node always reaches its own pods"
		return l, []string{"a policy never keeps a node from its own pods, and " + n.points[peer].endpoint.Name + " may be on the same node"}
	}
	return l, n.explainFilter(&l, d, pod, peer, a)
}

// explainFilter says what the policies of a pod say of a peer that none is bound
// to let in.
func (n *Network) explainFilter(l *Layer, d Direction, pod, peer uint32, a *Answer) (notes []string) {
	f := n.filters[d][pod]
	sure, open := f.at(peer)
	l.Verdict = n.verdictOf(sure, open, a.Protocol, a.Port)
	notes = n.cite(l, f, peer, a)
	l.change = n.policyChange(l, d, peer, a)
	if idle := n.idle(d, pod); idle != nil {
		notes = append(notes, "nothing enforces "+idle.name+" on "+l.Of+": "+n.enforcer.holds[pod].says(idle.api()))
	}
	return append(notes, n.enforcer.notes(n.points[pod])...)
}

// idle returns the first policy that would limit a pod if anything enforced it.
func (n *Network) idle(d Direction, pod uint32) *policy {
	if n.written[d][pod] == n.filters[d][pod] {
		return nil
	}
	for _, p := range n.written[d][pod].policies {
		if n.enforcer.of(p.policy, pod) == trace.No {
			return p.policy
		}
	}
	return nil
}

// cite finds the rules that decide, in the order in which they are asked.
func (n *Network) cite(l *Layer, f *filter, peer uint32, a *Answer) (notes []string) {
	var isolating []Rule
	doubt, passed := "", false
policies:
	for i := 0; i < len(f.policies); i++ {
		p := f.policies[i]
		last := i+1 == len(f.policies) || f.policies[i+1].tier != p.tier
		if p.tier.end == deny {
			isolating = append(isolating, Rule{Place: p.place, Name: p.name, Says: "selects " + l.Of + " and allows nothing that matches"})
		}
		for j := range p.rules[f.direction] {
			r := &p.rules[f.direction][j]
			sureMatch, mayMatch, why := n.matches(f, r, p.unsure, peer, a.Protocol, a.Port)
			if !mayMatch {
				continue
			}
			if !sureMatch {
				if doubt == "" {
					doubt = fmt.Sprintf("whether %s of %s matches is not known: %s", r.field, p.name, why)
					if l.Verdict == Unknown {
						l.Rules = append(l.Rules, Rule{Place: p.at(r.fieldFor(peer)), Name: p.name, Says: says(r, n, true)})
					}
				}
				continue
			}
			if r.peers.note != "" && (r.peers.noted == nil || r.peers.noted.has(peer)) {
				notes = append(notes, r.peers.note)
			}
			if p.tied {
				notes = append(notes, "the API leaves open which policy of one priority is asked first; the one that allows was taken to be")
			}
			rule := Rule{Place: p.at(r.fieldFor(peer)), Name: p.name, Says: says(r, n, false)}
			switch {
			case r.action == allow && l.Verdict == Allowed:
				l.Rules = append(l.Rules, rule)
				if p.tier.end != deny {
					break policies // no later policy is asked
				}
			case r.action == deny && l.Verdict == Denied && len(l.Rules) == 0:
				l.Rules = append(l.Rules, rule)
				l.Why = p.name + " denies it"
				return notes
			case r.action == pass:
				passed = true
			}
			if r.action != allow || p.tier.end != deny {
				break
			}
		}
		if passed {
			if l.Verdict == Allowed && p.tied && !last && f.policies[i+1].order == p.order {
				continue // another of the same priority may be what allows
			}
			isolating, passed = nil, false
			for i+1 < len(f.policies) && f.policies[i+1].tier == p.tier {
				i++
			}
			continue
		}
		if last && len(isolating) > 0 {
			break
		}
	}
	switch l.Verdict {
	case Allowed:
		switch len(l.Rules) {
		case 0:
			l.Why = fmt.Sprintf("no policy denies it, and none isolates the %s of %s", f.direction, l.Of)
			if len(isolating) > 0 && f.direction == Egress && (n.hosts.has(peer) || n.nodes.has(peer)) {
				l.Why = "network policies do not keep a pod from its own node, and " + n.points[peer].endpoint.Name + " may be there"
			}
		case 1:
			l.Why = l.Rules[0].Name + " allows it"
		default:
			l.Why = fmt.Sprintf("%s and %d more allow it", l.Rules[0].Name, len(l.Rules)-1)
		}
	case Denied:
		l.Rules = isolating
		var names []string
		for _, r := range isolating {
			names = append(names, r.Name)
		}
		verb := "isolate"
		if len(names) == 1 {
			verb = "isolates"
		}
		l.Why = fmt.Sprintf("%s %s the %s of %s, and no rule allows it", list(names), verb, f.direction, l.Of)
	case Unknown:
		l.Why = doubt
		if doubt == "" {
			l.Why = "whether a policy selects " + l.Of + " is not known"
		}
	}
	return notes
}

// matches says whether a rule matches a peer at a port.
func (n *Network) matches(f *filter, r *rule, unsure bool, peer uint32, protocol Protocol, port uint16) (sure, may bool, why string) {
	own := trace.Yes
	if r.own != nil {
		own = r.own(f.point)
	}
	if own == trace.No || !r.peers.may.has(peer) || !n.atPort(f, r, peer, protocol, port) {
		return false, false, ""
	}
	switch {
	case r.doubt != "":
		return false, true, r.doubt
	case unsure:
		return false, true, "its selector cannot be decided"
	case own != trace.Yes:
		return false, true, "what it says of " + f.point.endpoint.Name + " cannot be decided"
	case !r.peers.sure.has(peer):
		return false, true, "the addresses of " + n.points[peer].endpoint.Name + " are not known"
	}
	return true, true, ""
}

func (n *Network) atPort(f *filter, r *rule, peer uint32, protocol Protocol, port uint16) bool {
	owner := f.point
	if f.direction == Egress {
		owner = n.points[peer]
	}
	called := func(names []namedRule) bool {
		return slices.ContainsFunc(names, func(name namedRule) bool {
			return name.protocol == protocol && slices.Contains(owner.ports[name.name], Named{protocol, port})
		})
	}
	return n.has(r.ports, protocol, port) && !called(r.without) || called(r.named)
}

// says writes what a rule does, or may do: "allows TCP 80", "may deny every port".
func says(r *rule, n *Network, may bool) string {
	what := [...]string{allow: "allows", deny: "denies", pass: "passes on"}[r.action]
	if may {
		what = [...]string{allow: "may allow", deny: "may deny", pass: "may pass on"}[r.action]
	}
	var parts []string
	if r.ports != noPorts {
		if text := n.ports.of(r.ports).String(); text == "all" {
			parts = append(parts, "every port")
		} else {
			parts = append(parts, text)
		}
	}
	for _, name := range r.named {
		parts = append(parts, fmt.Sprintf("%s port %q", name.protocol, name.name))
	}
	for _, name := range r.without {
		parts = append(parts, fmt.Sprintf("but not %s port %q", name.protocol, name.name))
	}
	return what + " " + strings.Join(parts, ", ")
}

// list writes names, and counts those beyond the third.
func list(names []string) string {
	names = slices.Compact(slices.Clone(names))
	if len(names) > 3 {
		return strings.Join(names[:3], ", ") + " and " + itoa(len(names)-3) + " more"
	}
	return strings.Join(names, ", ")
}

// change writes the smallest change that would allow what is denied: that of every
// layer that denies.
func (n *Network) change(a *Answer, from uint32) string {
	var out []string
	for _, l := range a.Layers {
		text := l.change
		if l.Kind == MeshMTLS || l.Kind == MeshAuthorization {
			text = n.mesh.change(l, from)
		}
		if l.Verdict == Denied && text != "" && !slices.Contains(out, text) {
			out = append(out, text)
		}
	}
	return strings.Join(out, "; and ")
}

// policyChange writes the smallest change with which the policies of a pod would
// let a peer through.
func (n *Network) policyChange(l *Layer, d Direction, peer uint32, a *Answer) string {
	if l.Verdict != Denied || len(l.Rules) == 0 {
		return ""
	}
	if strings.HasPrefix(l.Rules[0].Says, "denies") {
		return fmt.Sprintf("take %s out of %s of %s", n.describe(peer), l.Rules[0].Field, l.Rules[0].Name)
	}
	port := fmt.Sprintf("%s %d", a.Protocol, a.Port)
	if a.Protocol > SCTP {
		port = "every port" // no policy names ports of another protocol
	}
	return fmt.Sprintf("add a rule for %s to spec.%s of %s: %s, %s", d, d, l.Rules[0].Name, n.selector(peer), port)
}

// selector names a point as a policy would.
func (n *Network) selector(p uint32) string {
	pt := n.points[p]
	switch {
	case pt.endpoint.Kind == DomainEndpoint:
		return "domainNames " + pt.endpoint.Name + " (an ApplicationNetworkPolicy has them)"
	case p >= n.pods || pt.host:
		return "ipBlock of " + n.describe(p)
	case len(pt.labels) == 0:
		return fmt.Sprintf("namespace %s, every pod", pt.namespace.name)
	}
	var labels []string
	for k, v := range pt.labels {
		labels = append(labels, k+"="+v)
	}
	slices.Sort(labels)
	return fmt.Sprintf("namespace %s, pods %s", pt.namespace.name, strings.Join(labels, ","))
}
