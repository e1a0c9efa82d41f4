package reach

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	istioapi "istio.io/api/security/v1beta1"

	"github.com/eksafe/eksafe/internal/estate"
	"github.com/eksafe/eksafe/internal/trace"
)

// Notes on what no resource of a cluster shows.
const (
	rootNote   = "the mesh is taken to have the trust domain " + trustDomain + " and the root namespace " + rootNamespace
	tunnelNote = "ztunnel carries TCP between these pods to port 15008: policies and security groups see that port and none of the application"
	proxyNote  = "what the proxy of a client does keeps nobody out: whoever goes round it speaks plaintext, which has no identity"
)

// explain says what the mesh says of a connection.
func (m *meshLayer) explain(from, to uint32, protocol Protocol, port uint16) (layers []Layer, notes []string) {
	if m.idle {
		return nil, m.unenforced(to)
	}
	n := m.network
	s, d := m.sources[m.source[from]], m.destinations[m.destination[to]]
	if s.kind == outside && d.kind == outside {
		return nil, m.unenforced(to)
	}
	s, d = &meshSource{member: m.memberOf(from), blocks: s.blocks}, &meshDestination{member: m.memberOf(to), policies: d.policies, blocks: d.blocks}
	if l, ok := m.explainSidecar(from, to); ok {
		layers = append(layers, l)
	}
	q := meshQuestion{m, s, d, n.points[from], n.points[to], protocol, port}
	more, notes := q.layers()
	for i := range more {
		if l := &more[i]; l.Verdict == Denied && m.passesAsProbe(from, to) {
			l.Verdict = Unknown
			l.Why += "; but ztunnel does not see what a process of the pod's own node sends, as it does not see the probes of the kubelet"
		}
	}
	layers = append(layers, more...)
	if d.kind == outside {
		notes = m.unenforced(to)
	}
	return layers, notes
}

// layers returns what the end of the server says.
func (q *meshQuestion) layers() (layers []Layer, notes []string) {
	layers = append(layers, q.mtls())
	if q.d.kind != outside && len(q.d.policies) > 0 {
		layers = append(layers, q.authorization())
		notes = append(notes, rootNote)
	}
	return layers, notes
}

// explainBehind says what the mesh says of a connection that a node leads on to
// a pod with the address of the point that is seen.
func (m *meshLayer) explainBehind(from, seen, to uint32, protocol Protocol, port uint16) (layers []Layer, notes []string) {
	if m.idle || m.memberOf(to).kind == outside {
		return nil, m.unenforced(to)
	}
	n := m.network
	d := m.destinations[m.destination[to]]
	q := meshQuestion{
		m, &meshSource{member: stranger, blocks: m.sources[m.source[seen]].blocks},
		&meshDestination{member: m.memberOf(to), policies: d.policies, blocks: d.blocks}, n.points[seen], n.points[to], protocol, port,
	}
	layers, notes = q.layers()
	sure, open := m.behind(from, seen, to)
	if n.verdictOf(sure, open, protocol, port) == Unknown {
		for i := range layers {
			if l := &layers[i]; l.Verdict == Denied {
				l.Verdict = Unknown
				l.Why += "; but " + n.points[from].endpoint.Name + " may speak mTLS to the node, and show who it is"
			}
		}
	}
	return layers, notes
}

func (m *meshLayer) memberOf(p uint32) *member {
	if p >= m.network.pods {
		return stranger
	}
	return m.members[m.network.points[p].endpoint]
}

// unenforced says of a pod outside the mesh which policies select it in vain.
func (m *meshLayer) unenforced(to uint32) []string {
	if to >= m.network.pods {
		return nil
	}
	p := m.network.points[to]
	k := m.memberOf(to)
	if k.kind != outside {
		return nil
	}
	var names []string
	for _, b := range m.policiesOf(p, k) {
		names = append(names, b.name)
	}
	if len(names) == 0 {
		return nil
	}
	return []string{fmt.Sprintf("%s selects %s, and nothing enforces it: %s", list(names), p.endpoint.Name, k.why)}
}

// A meshQuestion is about one port.
type meshQuestion struct {
	*meshLayer
	s        *meshSource
	d        *meshDestination
	from, to *point
	protocol Protocol
	port     uint16
}

// A manner is how a connection may arrive.
type manner struct {
	mtls, plain trace.Ternary // whether the client speaks it in its usual way
}

func (q *meshQuestion) has(id portsID) bool { return q.network.has(id, q.protocol, q.port) }

// seen reports whether the mesh sees the connection at all.
func (q *meshQuestion) seen() bool { return q.protocol == TCP && q.has(q.d.inbound) }

func (q *meshQuestion) manner() manner {
	switch {
	case q.s.kind == outside:
		return manner{trace.No, trace.Yes}
	case q.has(q.d.disabled):
		return manner{trace.No, trace.Yes}
	}
	switch sp := q.speech(q.s, q.d); {
	case sp.unclear:
		return manner{trace.Unclear, trace.Unclear}
	case q.has(sp.plain):
		return manner{trace.No, trace.Yes}
	case q.has(sp.either):
		return manner{trace.Yes, trace.Yes}
	}
	return manner{trace.Yes, trace.No}
}

func (q *meshQuestion) layer(kind LayerKind) Layer {
	l := Layer{Kind: kind, Of: q.to.endpoint.Name, Verdict: Allowed, Enforced: trace.Yes, By: "its sidecar"}
	switch q.d.kind {
	case outside:
		l.Enforced, l.By = trace.No, q.d.why
	case ambient:
		l.By = "the ztunnel of its node"
	case unclear:
		l.Enforced, l.By = trace.Unclear, q.d.why
	}
	return l
}

// mtls says whether the server takes the connection as it arrives.
func (q *meshQuestion) mtls() Layer {
	l := q.layer(MeshMTLS)
	name := q.to.endpoint.Name
	switch {
	case q.d.kind == outside:
		l.Why = name + " is outside the mesh and asks for no mTLS"
		return l
	case q.protocol != TCP:
		l.Why = "a mesh proxies TCP alone"
		return l
	case q.d.mesh.Gateway:
		l.Why = name + " is a gateway, and what it takes its servers decide"
		return l
	case !q.seen():
		l.Why = fmt.Sprintf("TCP %d of %s does not go through %s", q.port, name, l.By)
		if at := q.network.graph.Inbound(q.to.endpoint.Workload).At; !at.Subject.IsZero() {
			l.Rules = []Rule{{Place: at, Name: name, Says: "keeps ports from the mesh"}}
		}
		return l
	}
	mode := q.network.graph.MTLS(q.to.endpoint.Workload, int32(q.port))
	if !mode.At.Subject.IsZero() {
		l.Rules = []Rule{{
			Place: mode.At, Name: "PeerAuthentication " + mode.At.Subject.Namespace + "/" + mode.At.Subject.Name, Says: "sets mTLS to " + mode.Mode,
		}}
	}
	if !q.has(q.d.strict) {
		l.Why = name + " takes plaintext: " + mode.Why
		if q.d.kind == ambient && mode.Mode == "DISABLE" {
			l.Why = name + " takes plaintext and mTLS: ztunnel knows no DISABLE"
		}
		return l
	}
	client := q.describe()
	switch way := q.manner(); {
	case way.mtls == trace.Yes:
		l.Why = name + " takes mTLS only, and " + client + " speaks it"
	case way.mtls == trace.Unclear:
		l.Verdict = Unknown
		l.Why = name + " takes mTLS only (" + mode.Why + "), and whether " + client + " speaks it is not known: " + q.whyPlain()
	default:
		l.Verdict = Denied
		l.Why = name + " takes mTLS only (" + mode.Why + "), and " + client + " does not speak it: " + q.whyPlain()
	}
	if q.d.kind == unclear && l.Verdict == Denied {
		l.Verdict = Unknown
	}
	return l
}

func (q *meshQuestion) describe() string { return q.from.endpoint.Name }

// whyPlain says why a client speaks plaintext, or may.
func (q *meshQuestion) whyPlain() string {
	w := q.from.endpoint.Workload
	switch {
	case q.s.kind == outside || q.s.kind == unclear:
		return q.s.why
	case q.s.ranges:
		return "annotations keep addresses from its sidecar"
	case q.s.kind == sidecar && !q.has(q.s.outbound):
		return fmt.Sprintf("%s of %s keeps TCP %d from its sidecar", q.network.graph.Outbound(w).At.Field, q.from.endpoint.Name, q.port)
	}
	for _, r := range q.d.rules {
		if r.pod != q.port {
			continue
		}
		if mode, at := q.network.graph.ClientTLS(q.s.namespace, r.service, r.port); anonymous(mode) {
			return "DestinationRule " + at.Subject.Namespace + "/" + at.Subject.Name + " sets its TLS to " + mode
		}
	}
	return "its proxy is not used"
}

// authorization says what the policies make of the connection.
func (q *meshQuestion) authorization() Layer {
	l := q.layer(MeshAuthorization)
	if q.protocol != TCP || !q.seen() {
		l.Why = "AuthorizationPolicies are about TCP that goes through a proxy"
		return l
	}
	decide := func(identified bool) (sure, open bool) {
		s, o := q.authorize(q.s, q.d, identified)
		return q.has(s), q.has(o)
	}
	plainSure, plainOpen := decide(false)
	plainTaken := !q.has(q.d.strict)
	way := q.manner()
	sure, open, identified := plainSure, plainOpen, false
	if way.mtls != trace.No {
		identified = true
		mtlsSure, mtlsOpen := decide(true)
		open = mtlsOpen || plainTaken && plainOpen
		switch {
		case way.mtls == trace.Unclear:
			sure = mtlsSure && (plainSure || !plainTaken)
		case way.plain == trace.Yes:
			sure = mtlsSure || plainTaken && plainSure
			identified = mtlsSure || !plainSure
		default:
			sure = mtlsSure
		}
		if !sure && open && !mtlsOpen {
			l.Verdict = Unknown
			q.cite(&l, true)
			l.Why = "its policies deny the identity of " + q.describe() + ", and " + q.to.endpoint.Name +
				" takes plaintext as well, which has none: " + proxyNote
			return l
		}
	}
	switch {
	case sure:
	case open || q.d.kind == unclear:
		l.Verdict = Unknown
	default:
		l.Verdict = Denied
	}
	q.cite(&l, identified)
	return l
}

// cite finds the rules that decide.
func (q *meshQuestion) cite(l *Layer, identified bool) {
	var isolating, allowing, denying, doubtful []Rule
	var requests []string // that allowing rules ask for
	whole := false        // some rule allows every request
	external := ""
	for _, b := range q.d.policies {
		matched := false
		for i := range b.rules {
			sure, may, asks := q.matchRule(b.authorization, &b.rules[i], q.s, q.d, identified)
			if !q.has(may) {
				continue
			}
			rule := Rule{Place: b.place, Name: b.name, Says: strings.ToLower(b.action.String())}
			rule.Field = b.rules[i].field
			switch b.action {
			case istioapi.AuthorizationPolicy_CUSTOM:
				rule.Says, external = "asks an external authorizer", b.name
				doubtful = append(doubtful, rule)
			case istioapi.AuthorizationPolicy_DENY:
				rule.Says = "denies it"
				if q.has(sure) && !b.unsure {
					denying = append(denying, rule)
				} else {
					rule.Says = "may deny it"
					doubtful = append(doubtful, rule)
				}
			default:
				rule.Says = "allows it"
				for _, r := range asks {
					rule.Says += " for requests with " + r
					requests = append(requests, r)
				}
				matched = true
				if q.has(sure) && !b.unsure {
					whole = whole || len(asks) == 0
					allowing = append(allowing, rule)
				} else {
					rule.Says = "may allow it"
					doubtful = append(doubtful, rule)
				}
			}
		}
		if b.action == istioapi.AuthorizationPolicy_ALLOW && !matched {
			isolating = append(isolating, Rule{Place: b.place, Name: b.name, Says: "selects " + l.Of + " and allows nothing that matches"})
		}
	}
	names := func(rules []Rule) string {
		var out []string
		for _, r := range rules {
			out = append(out, r.Name)
		}
		return list(out)
	}
	who := "plaintext, which has no identity"
	if identified {
		who = "the identity " + q.s.principal
	}
	switch {
	case l.Verdict == Denied && len(denying) > 0:
		l.Rules, l.Why = denying[:1], denying[0].Name+" denies "+who
	case l.Verdict == Denied:
		l.Rules, l.Why = isolating, names(isolating)+" isolates "+l.Of+", and no rule allows "+who
	case l.Verdict == Unknown && external != "":
		l.Rules, l.Why = doubtful, external+" asks an external authorizer, and what it decides is not known"
	case l.Verdict == Unknown && len(doubtful) > 0:
		l.Rules, l.Why = doubtful, "whether "+doubtful[0].Field+" of "+doubtful[0].Name+" matches is not known"
	case l.Verdict == Unknown:
		l.Rules, l.Why = slices.Concat(denying, isolating), "whether its policies are enforced is not known: "+cmp.Or(q.d.why, q.s.why)
	case len(allowing) > 0:
		l.Rules, l.Why = allowing, names(allowing)+" allows "+who
		if !whole {
			l.Why += ", for some requests: " + list(requests)
		}
	default:
		l.Why = "no policy denies it, and none allows others alone"
	}
}

// change writes the smallest change with which a layer of the mesh would allow
// a connection.
func (m *meshLayer) change(l Layer, from uint32) string {
	k := m.memberOf(from)
	switch {
	case l.Kind == MeshMTLS && k.kind == outside && from < m.network.pods:
		return "take " + m.network.points[from].endpoint.Name + " into the mesh; it stands outside: " + k.why
	case l.Kind == MeshMTLS && k.kind == outside:
		return "lead it to a gateway of the mesh"
	case l.Kind == MeshMTLS:
		return "let the proxy of " + m.network.points[from].endpoint.Name + " speak mTLS to it"
	case len(l.Rules) == 0:
		return ""
	case l.Rules[0].Says == "denies it":
		return fmt.Sprintf("take %s out of %s of %s", m.network.describe(from), l.Rules[0].Field, l.Rules[0].Name)
	case k.kind == outside:
		return "add a rule that asks for no identity to spec.rules of " + l.Rules[0].Name + ", or take " + m.network.points[from].endpoint.Name + " into the mesh"
	}
	return fmt.Sprintf("add a rule to spec.rules of %s: from principal %s/ns/%s/sa/%s", l.Rules[0].Name, trustDomain, k.namespace, k.account)
}

// encryption says how data travels between two points.
func (m *meshLayer) encryption(from, to uint32, protocol Protocol, port uint16) (trace.Encryption, string) {
	n := m.network
	var hop *trace.Hop
	if protocol == TCP {
		hop = m.hop(n.points[from].endpoint, n.points[to].endpoint, port)
	}
	if !m.idle && to < n.pods && protocol == TCP {
		s, d := m.memberOf(from), m.memberOf(to)
		q := meshQuestion{m, &meshSource{member: s}, &meshDestination{member: d}, n.points[from], n.points[to], protocol, port}
		if s.kind != outside && d.kind != outside && q.seen() && !d.mesh.Gateway {
			way := q.manner()
			mode := n.graph.MTLS(n.points[to].endpoint.Workload, int32(port))
			switch {
			case q.has(d.strict) && d.kind != unclear:
				// Whatever gets through is mTLS.
				return trace.Encrypted, "Istio mTLS: " + mode.Why
			case hop != nil && hop.Encryption == trace.Encrypted:
				return trace.Encrypted, hop.Why
			case way.mtls == trace.Yes && d.kind != unclear:
				return trace.Optional, "Istio mTLS is used where both proxies are, and plaintext is taken too: " + mode.Why
			case way.mtls == trace.Unclear || d.kind == unclear:
				return trace.Unknown, "whether both ends are in the mesh is not known: " + cmp.Or(d.whyUnclear(), s.why)
			case hop == nil:
				return trace.Plaintext, "the client speaks without the mesh: " + q.whyPlain()
			}
		}
	}
	if hop != nil {
		return hop.Encryption, hop.Why
	}
	if to < n.pods && protocol == TCP {
		switch ev := n.graph.ServesTLS(n.points[to].endpoint.Workload, int32(port)); ev.TLS {
		case trace.Yes:
			return trace.Encrypted, "no mesh encrypts it, but the server speaks TLS: " + ev.Why
		case trace.No:
			return trace.Plaintext, "no mesh encrypts it, and " + ev.Why
		}
	}
	return trace.Unknown, "no mesh encrypts it, and nothing shows whether the application does"
}

func (k *member) whyUnclear() string {
	if k.kind == unclear {
		return k.why
	}
	return ""
}

// hop returns the hop that trace found between two endpoints at a port.
func (m *meshLayer) hop(from, to *Endpoint, port uint16) *trace.Hop {
	for _, h := range m.network.graph.HopsBetween(from.Ref, to.Ref) {
		if h.Port == 0 || h.Port == int32(port) || to.Workload != nil && m.leads(h, to.Workload, port) {
			return h
		}
	}
	return nil
}

// leads reports whether the port of a hop, which is that of a Service, leads to
// a port of the pods.
func (m *meshLayer) leads(h *trace.Hop, w *estate.Workload, port uint16) bool {
	for _, s := range m.network.graph.Services(w) {
		for _, p := range s.Object.Spec.Ports {
			if p.Port == h.Port && m.network.graph.PodPort(p, w) == int32(port) {
				return true
			}
		}
	}
	return false
}
