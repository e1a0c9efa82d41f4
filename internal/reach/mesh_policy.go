package reach

import (
	"slices"
	"strconv"
	"strings"

	istioapi "istio.io/api/security/v1beta1"
	istiosecurity "istio.io/client-go/pkg/apis/security/v1"

	"github.com/eksafe/eksafe/internal/estate"
	"github.com/eksafe/eksafe/internal/trace"
)

// rootNamespace is where policies hold for every namespace, unless the mesh was
// installed with another one, which no resource shows. The same goes for the
// trust domain, which begins every identity.
const (
	rootNamespace = "istio-system"
	trustDomain   = "cluster.local"
)

// An authorization is an AuthorizationPolicy.
type authorization struct {
	index    int
	place    trace.Place
	name     string // "AuthorizationPolicy shop/orders"
	space    string // its namespace
	action   istioapi.AuthorizationPolicy_Action
	selector map[string]string
	targets  []targetRef
	rules    []authorizationRule
}

// A targetRef is what a policy is attached to.
type targetRef struct{ kind, name string }

// An authorizationRule matches if one of from, one of to, and all of when do.
type authorizationRule struct {
	field string
	from  []authorizationSource // any if there is none
	to    []authorizationOperation
	when  []authorizationCondition
}

type authorizationSource struct {
	*istioapi.Source
	blocks, notBlocks int // indexes of sets of addresses, -1 for none
}

type authorizationOperation struct {
	*istioapi.Operation
	ports portsID
}

type authorizationCondition struct {
	*istioapi.Condition
	blocks, notBlocks int
	ports             portsID // of destination.port
}

// compilePolicies reads the AuthorizationPolicies.
func (m *meshLayer) compilePolicies() {
	m.bound, m.byLabel = map[string][]int{}, map[[3]string][]int{}
	for _, r := range estate.AuthorizationPolicies.In(m.network.graph.Estate) {
		a := m.compilePolicy(r)
		if a.action == istioapi.AuthorizationPolicy_AUDIT {
			continue // it decides nothing
		}
		a.index = len(m.policies)
		m.policies = append(m.policies, a)
		label := ""
		for k := range a.selector {
			if label == "" || k < label {
				label = k
			}
		}
		if label == "" {
			m.bound[a.space] = append(m.bound[a.space], a.index)
			continue
		}
		key := [3]string{a.space, label, a.selector[label]}
		m.byLabel[key] = append(m.byLabel[key], a.index)
	}
}

func (m *meshLayer) compilePolicy(r *estate.Resource[istiosecurity.AuthorizationPolicy]) *authorization {
	spec := &r.Object.Spec
	a := &authorization{
		place: trace.Place{Subject: estate.AuthorizationPolicies.Ref(r), Origin: &r.Origin},
		name:  "AuthorizationPolicy " + r.Object.Namespace + "/" + r.Object.Name, space: r.Object.Namespace,
		action: spec.GetAction(), selector: spec.GetSelector().GetMatchLabels(),
	}
	refs := spec.GetTargetRefs()
	if one := spec.GetTargetRef(); one != nil {
		refs = append(slices.Clone(refs), one)
	}
	for _, ref := range refs {
		a.targets = append(a.targets, targetRef{ref.GetKind(), ref.GetName()})
	}
	for i, rule := range spec.GetRules() {
		out := authorizationRule{field: "spec.rules[" + itoa(i) + "]"}
		for _, f := range rule.GetFrom() {
			s := f.GetSource()
			out.from = append(out.from, authorizationSource{s, m.addresses(s.GetIpBlocks()), m.addresses(s.GetNotIpBlocks())})
		}
		for _, t := range rule.GetTo() {
			o := t.GetOperation()
			out.to = append(out.to, authorizationOperation{o, m.portsOf(o.GetPorts(), o.GetNotPorts())})
		}
		for _, c := range rule.GetWhen() {
			out.when = append(out.when, m.compileCondition(c))
		}
		a.rules = append(a.rules, out)
	}
	return a
}

func (m *meshLayer) compileCondition(c *istioapi.Condition) authorizationCondition {
	out := authorizationCondition{Condition: c, blocks: -1, notBlocks: -1, ports: allPorts}
	switch c.GetKey() {
	case "source.ip", "destination.ip":
		out.blocks, out.notBlocks = m.addresses(c.GetValues()), m.addresses(c.GetNotValues())
	case "destination.port":
		out.ports = m.portsOf(c.GetValues(), c.GetNotValues())
	}
	return out
}

// addresses returns the index of the points that stand in any of the blocks.
func (m *meshLayer) addresses(cidrs []string) int {
	if len(cidrs) == 0 {
		return -1
	}
	var all peers
	for _, c := range cidrs {
		all = all.union(m.network.block(c, nil))
	}
	for i, known := range m.blocks {
		if known.sure.key() == all.sure.key() && known.may.key() == all.may.key() {
			return i
		}
	}
	m.blocks = append(m.blocks, all)
	return len(m.blocks) - 1
}

// portsOf reads the ports of a rule. What is no port is none.
func (m *meshLayer) portsOf(ports, not []string) portsID {
	read := func(texts []string) portsID {
		var out []int32
		for _, text := range texts {
			if n, err := strconv.ParseUint(text, 10, 16); err == nil {
				out = append(out, int32(n))
			}
		}
		return m.tcpPorts(out)
	}
	out := allPorts
	if len(ports) > 0 {
		out = read(ports)
	}
	return m.network.ports.minus(out, read(not))
}

// policiesOf returns the policies that apply to a pod.
func (m *meshLayer) policiesOf(p *point, k *member) []boundPolicy {
	var candidates []int
	for _, space := range []string{k.namespace, rootNamespace} {
		candidates = append(candidates, m.bound[space]...)
		for label, value := range p.labels {
			candidates = append(candidates, m.byLabel[[3]string{space, label, value}]...)
		}
		if k.namespace == rootNamespace {
			break
		}
	}
	slices.Sort(candidates)
	var out []boundPolicy
	for _, i := range slices.Compact(candidates) {
		a := m.policies[i]
		switch {
		case len(a.targets) > 0:
			if applies := m.targeted(a, k); applies != trace.No {
				out = append(out, boundPolicy{a, applies == trace.Unclear})
			}
		case k.waypoint:
			// A waypoint takes the policies that are attached to it alone.
		case selects(a.selector, p.labels):
			out = append(out, boundPolicy{authorization: a})
		}
	}
	return out
}

func selects(selector, labels map[string]string) bool {
	for k, v := range selector {
		if got, ok := labels[k]; !ok || got != v {
			return false
		}
	}
	return true
}

// targeted says whether a policy is attached to the gateway that a pod runs.
// What is attached to a Service is enforced at its waypoint, which a client
// goes round that calls the pod itself.
func (m *meshLayer) targeted(a *authorization, k *member) trace.Ternary {
	if k.gateway == "" {
		return trace.No
	}
	for _, t := range a.targets {
		switch t.kind {
		case "Gateway":
			if a.space == k.namespace && t.name == k.gateway {
				return trace.Yes
			}
		case "GatewayClass":
			if a.space != rootNamespace {
				continue
			}
			for _, g := range estate.Gateways.In(m.network.graph.Estate) {
				if g.Object.Namespace == k.namespace && g.Object.Name == k.gateway {
					if string(g.Object.Spec.GatewayClassName) == t.name {
						return trace.Yes
					}
					return trace.No
				}
			}
			return trace.Unclear // the Gateway was not read
		}
	}
	return trace.No
}

// authorize returns the ports of TCP at which the policies of a destination let a
// source through, with its identity if it speaks mTLS: CUSTOM first, then DENY,
// then ALLOW.
func (m *meshLayer) authorize(s *meshSource, d *meshDestination, identified bool) (sure, open portsID) {
	t := m.network.ports
	sure, open = allPorts, allPorts
	var allowSure, allowMay portsID
	allows, certain := false, false
	for _, p := range d.policies {
		matchSure, matchMay := m.match(p.authorization, s, d, identified)
		if p.unsure {
			matchSure = noPorts
		}
		switch p.action {
		case istioapi.AuthorizationPolicy_CUSTOM:
			// Somebody else decides.
			sure = t.minus(sure, matchMay)
		case istioapi.AuthorizationPolicy_DENY:
			sure, open = t.minus(sure, matchMay), t.minus(open, matchSure)
		default:
			allows, certain = true, certain || !p.unsure
			allowSure, allowMay = t.or(allowSure, matchSure), t.or(allowMay, matchMay)
		}
	}
	if allows {
		sure = t.and(sure, allowSure)
	}
	if certain {
		open = t.and(open, allowMay)
	}
	return sure, open
}

// match returns the ports at which a policy matches for sure, and may.
func (m *meshLayer) match(a *authorization, s *meshSource, d *meshDestination, identified bool) (sure, may portsID) {
	t := m.network.ports
	for i := range a.rules {
		s, o, _ := m.matchRule(a, &a.rules[i], s, d, identified)
		sure, may = t.or(sure, s), t.or(may, o)
	}
	return sure, may
}

// An extent is what one field of a rule leaves of a match.
type extent struct {
	match trace.Ternary
	// request is what the rule asks of requests, "" for nothing: connections
	// are let through to find out.
	request string
	ports   portsID
}

// and joins two fields that must both match.
func (m *meshLayer) and(a, b extent) extent {
	a.ports = m.network.ports.and(a.ports, b.ports)
	if a.request == "" || a.request == b.request {
		a.request = b.request
	} else if b.request != "" {
		a.request += ", " + b.request
	}
	switch {
	case a.match == trace.No || b.match == trace.No || a.ports == noPorts:
		a.match = trace.No
	case a.match == trace.Unclear || b.match == trace.Unclear:
		a.match = trace.Unclear
	}
	return a
}

// matchRule returns the ports at which a rule matches, and what it asks of
// requests there.
func (m *meshLayer) matchRule(a *authorization, r *authorizationRule, s *meshSource, d *meshDestination, identified bool) (sure, may portsID, requests []string) {
	t := m.network.ports
	nothing := []extent{{match: trace.Yes, ports: allPorts}}
	froms, tos := nothing, nothing
	if len(r.from) > 0 {
		froms = nil
		for i := range r.from {
			if f := m.matchSource(a, &r.from[i], s, identified); f.match != trace.No {
				froms = append(froms, f)
			}
		}
		if len(froms) == 0 {
			return noPorts, noPorts, nil // as for most pairs of points
		}
	}
	whole := nothing[0]
	for i := range r.when {
		whole = m.and(whole, m.matchCondition(a, &r.when[i], s, d, identified))
	}
	if len(r.to) > 0 {
		tos = nil
		for i := range r.to {
			tos = append(tos, matchOperation(&r.to[i]))
		}
	}
	for _, f := range froms {
		for _, o := range tos {
			x := m.and(whole, m.and(f, o))
			if x.match == trace.No {
				continue
			}
			x.ports = m.within(a, x, d)
			if x.ports == noPorts {
				continue
			}
			if x.request != "" && !slices.Contains(requests, x.request) {
				requests = append(requests, x.request)
			}
			may = t.or(may, x.ports)
			if x.match == trace.Yes {
				sure = t.or(sure, x.ports)
			}
		}
	}
	return sure, may, requests
}

// within returns the ports at which a rule that asks something of requests
// counts. Of a port that speaks no HTTP a proxy knows no requests: there a rule
// that allows never matches, and one that denies matches whatever its request.
// So it is for ztunnel at all ports. At others the connection comes about, and
// a rule that denies some requests does not deny it.
func (m *meshLayer) within(a *authorization, x extent, d *meshDestination) portsID {
	if x.request == "" || a.action == istioapi.AuthorizationPolicy_CUSTOM {
		return x.ports
	}
	blind := d.tcpOnly
	if d.kind == ambient && !d.waypoint {
		blind = allPorts
	}
	if a.action == istioapi.AuthorizationPolicy_DENY {
		return m.network.ports.and(x.ports, blind)
	}
	return m.network.ports.minus(x.ports, blind)
}

// matchSource says whether a source is that of a rule.
func (m *meshLayer) matchSource(a *authorization, from *authorizationSource, s *meshSource, identified bool) extent {
	out := extent{match: trace.Yes, ports: allPorts}
	if from.Source == nil {
		return out
	}
	id := identityOf(s, identified)
	for _, f := range []struct {
		values, not []string
		matches     func(pattern string) trace.Ternary
	}{
		{from.GetPrincipals(), from.GetNotPrincipals(), id.matches},
		{from.GetNamespaces(), from.GetNotNamespaces(), id.inNamespace},
		{from.GetServiceAccounts(), from.GetNotServiceAccounts(), func(p string) trace.Ternary { return id.serviceAccount(p, a.space) }},
		{from.GetTrustDomains(), from.GetNotTrustDomains(), id.inDomain},
	} {
		out.match = conjunction(out.match, satisfied(f.values, f.not, f.matches))
	}
	out.match = conjunction(out.match, inBlocks(s.blocks, from.blocks, from.notBlocks))
	for _, request := range []struct {
		name        string
		values, not []string
	}{
		{"a request principal", from.GetRequestPrincipals(), from.GetNotRequestPrincipals()},
		{"a remote address", from.GetRemoteIpBlocks(), from.GetNotRemoteIpBlocks()},
	} {
		if len(request.values)+len(request.not) > 0 {
			out.request = join(out.request, request.name)
		}
	}
	return out
}

func join(a, b string) string {
	if a == "" {
		return b
	}
	return a + ", " + b
}

// matchOperation says at which ports an operation is that of a rule.
func matchOperation(to *authorizationOperation) extent {
	out := extent{match: trace.Yes, ports: to.ports}
	for _, request := range []struct {
		name        string
		values, not []string
	}{
		{"hosts", to.GetHosts(), to.GetNotHosts()},
		{"methods", to.GetMethods(), to.GetNotMethods()},
		{"paths", to.GetPaths(), to.GetNotPaths()},
	} {
		if len(request.values)+len(request.not) == 0 {
			continue
		}
		if contradicts(request.values, request.not) {
			out.match = trace.No
		}
		switch {
		case slices.Contains(request.values, "*") && len(request.not) == 0:
			out.request = join(out.request, "any of the "+request.name)
		case len(request.values) == 0:
			out.request = join(out.request, request.name+" other than "+list(request.not))
		default:
			out.request = join(out.request, request.name+" "+list(request.values))
		}
	}
	return out
}

// contradicts reports whether every value is one that must not be.
func contradicts(values, not []string) bool {
	if len(values) == 0 {
		return false
	}
	for _, v := range values {
		if !slices.ContainsFunc(not, func(n string) bool { return covers(n, v) }) {
			return false
		}
	}
	return true
}

// covers reports whether everything that a pattern matches another one does.
// Templates of paths are taken to cover nothing.
func covers(wide, narrow string) bool {
	switch {
	case strings.Contains(wide, "{") || strings.Contains(narrow, "{"):
		return false
	case wide == narrow || wide == "*":
		return true
	case strings.HasSuffix(wide, "*"):
		return !strings.HasPrefix(narrow, "*") && strings.HasPrefix(narrow, strings.TrimSuffix(wide, "*"))
	case strings.HasPrefix(wide, "*"):
		return !strings.HasSuffix(narrow, "*") && strings.HasSuffix(narrow, strings.TrimPrefix(wide, "*"))
	}
	return false
}

// matchCondition decides one of the conditions of a rule. Source of the keys:
// Istio's reference of authorization policy conditions.
func (m *meshLayer) matchCondition(a *authorization, c *authorizationCondition, s *meshSource, d *meshDestination, identified bool) extent {
	out := extent{match: trace.Yes, ports: allPorts}
	id := identityOf(s, identified)
	switch key := c.GetKey(); {
	case key == "source.principal":
		out.match = satisfied(c.GetValues(), c.GetNotValues(), id.matches)
	case key == "source.namespace":
		out.match = satisfied(c.GetValues(), c.GetNotValues(), id.inNamespace)
	case key == "source.serviceAccount":
		out.match = satisfied(c.GetValues(), c.GetNotValues(), func(p string) trace.Ternary { return id.serviceAccount(p, a.space) })
	case key == "source.trustDomain":
		out.match = satisfied(c.GetValues(), c.GetNotValues(), id.inDomain)
	case key == "source.ip":
		out.match = inBlocks(s.blocks, c.blocks, c.notBlocks)
	case key == "destination.ip":
		out.match = inBlocks(d.blocks, c.blocks, c.notBlocks)
	case key == "destination.port":
		out.ports = c.ports
	case strings.HasPrefix(key, "request.") || key == "remote.ip":
		out.request = key
	default:
		out.match = trace.Unclear // the name that TLS asks for, filters of Envoy, what is new
	}
	return out
}

func inBlocks(stands []trace.Ternary, blocks, not int) trace.Ternary {
	out := trace.Yes
	if blocks >= 0 {
		out = stands[blocks]
	}
	if not >= 0 {
		out = conjunction(out, negation(stands[not]))
	}
	return out
}

func conjunction(a, b trace.Ternary) trace.Ternary {
	switch {
	case a == trace.No || b == trace.No:
		return trace.No
	case a == trace.Unclear || b == trace.Unclear:
		return trace.Unclear
	}
	return trace.Yes
}

func negation(t trace.Ternary) trace.Ternary {
	switch t {
	case trace.Yes:
		return trace.No
	case trace.No:
		return trace.Yes
	}
	return trace.Unclear
}

// satisfied says whether any of values matches, and none of not does.
func satisfied(values, not []string, matches func(string) trace.Ternary) trace.Ternary {
	anyOf := func(patterns []string) trace.Ternary {
		out := trace.No
		for _, p := range patterns {
			switch matches(p) {
			case trace.Yes:
				return trace.Yes
			case trace.Unclear:
				out = trace.Unclear
			}
		}
		return out
	}
	out := trace.Yes
	if len(values) > 0 {
		out = anyOf(values)
	}
	if len(not) > 0 {
		out = conjunction(out, negation(anyOf(not)))
	}
	return out
}

// An identity is what the certificate of a client says. Plaintext has none: no
// pattern matches it, so that a rule about others than somebody matches it
// always.
type identity struct {
	*member
	known bool
}

func identityOf(s *meshSource, identified bool) identity { return identity{s.member, identified} }

func (id identity) matches(pattern string) trace.Ternary {
	if !id.known {
		return trace.No
	}
	if wildcard(pattern, id.principal) {
		return trace.Yes
	}
	// The trust domain may be another one.
	if domain, rest, ok := strings.Cut(pattern, "/"); ok && domain != trustDomain && !strings.HasPrefix(pattern, "*") &&
		wildcard(rest, id.principal[len(trustDomain)+1:]) {
		return trace.Unclear
	}
	return trace.No
}

func (id identity) inNamespace(pattern string) trace.Ternary {
	return answer(id.known && wildcard(pattern, id.namespace))
}

func (id identity) inDomain(pattern string) trace.Ternary {
	if !id.known || wildcard(pattern, trustDomain) {
		return answer(id.known)
	}
	return trace.Unclear
}

// serviceAccount matches "namespace/account", or an account of the policy's
// own namespace. There are no wildcards.
func (id identity) serviceAccount(name, policySpace string) trace.Ternary {
	ns, account, ok := strings.Cut(name, "/")
	if !ok {
		ns, account = policySpace, name
	}
	return answer(id.known && ns == id.namespace && account == id.account)
}

func answer(b bool) trace.Ternary {
	if b {
		return trace.Yes
	}
	return trace.No
}

// wildcard matches "text", "text*", "*text", and "*" for anything that is there.
func wildcard(pattern, s string) bool {
	switch {
	case pattern == "*":
		return s != ""
	case strings.HasSuffix(pattern, "*"):
		return strings.HasPrefix(s, strings.TrimSuffix(pattern, "*"))
	case strings.HasPrefix(pattern, "*"):
		return strings.HasSuffix(s, strings.TrimPrefix(pattern, "*"))
	}
	return pattern == s
}
