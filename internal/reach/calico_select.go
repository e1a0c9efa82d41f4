package reach

import (
	"net/netip"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/labels"

	"github.com/eksafe/eksafe/internal/estate"
	"github.com/eksafe/eksafe/internal/trace"
)

// An entity is what has labels of its own beside pods: a set of networks, a host.
type entity struct {
	name      string
	namespace string // "" for what stands in none
	labels    map[string]string
	points    peers
	host      *estate.CalicoHostEndpoint // nil unless it is one
}

// A family is endpoints that selectors choose: spaces by the labels of their
// namespaces, own by what they have themselves. All must agree.
type family struct {
	key    string // identifies it
	home   string // the one namespace that it is limited to, "" for none
	spaces selector
	own    []selector
	pods   bool // pods alone, as is said whom a policy applies to
}

// labelsOf is the labels of an endpoint as Calico knows them.
type labelsOf struct {
	own, accounts map[string]string
	namespace     *namespace // nil without one
	account       string
	accountKnown  bool
	asked         bool // for a label of a service account that no source shows
}

// get returns the value of a label. Those that Calico gives stand before those
// that somebody wrote.
func (l *labelsOf) get(key string) (string, bool) {
	if l.namespace != nil {
		switch key {
		case calicoNamespace, namespacePrefix + calicoName:
			return l.namespace.name, true
		}
	}
	if l.account != "" {
		switch key {
		case calicoOrchestrator:
			return "k8s", true
		case calicoServiceAccount, accountPrefix + calicoName:
			return l.account, true
		}
	}
	if v, ok := l.own[key]; ok {
		return v, true
	}
	if rest, ok := strings.CutPrefix(key, namespacePrefix); ok && l.namespace != nil {
		v, ok := l.namespace.labels[rest]
		return v, ok
	}
	if rest, ok := strings.CutPrefix(key, accountPrefix); ok && l.account != "" {
		l.asked = l.asked || !l.accountKnown
		v, ok := l.accounts[rest]
		return v, ok
	}
	return "", false
}

// podLabels returns the labels of a pod.
func (c *calico) podLabels(p *point) *labelsOf {
	if c.accounts == nil {
		c.accounts = map[[2]string]map[string]string{}
		for _, r := range estate.ServiceAccounts.In(c.graph.Estate) {
			c.accounts[[2]string{r.Object.Namespace, r.Object.Name}] = r.Object.Labels
		}
	}
	l := &labelsOf{own: p.labels, namespace: p.namespace, account: accountOf(p)}
	l.accounts, l.accountKnown = c.accounts[[2]string{p.namespace.name, l.account}], true
	if l.accounts == nil {
		_, read := c.accounts[[2]string{p.namespace.name, l.account}]
		live := p.endpoint.Workload.Origin.Cluster != ""
		l.accountKnown = read || live && c.graph.Estate.Coverage(estate.ServiceAccounts.Kind).State == estate.Read
	}
	return l
}

// choose returns the endpoints of a family.
func (c *calico) choose(f family) peers {
	key := "calico " + f.key
	if known, ok := c.sets[key]; ok {
		return known
	}
	var sure, may []uint32
	spans := c.spaces(&f)
	candidates, indexed := c.candidates(&f, spans.len())
	switch {
	case f.everyPod() && len(c.hosts) == 0:
	case indexed:
		inside := setOf(candidates)
		for p := range inside.intersect(spans).points() {
			c.ask(&f, p, &sure, &may)
		}
	default:
		for p := range spans.points() {
			c.ask(&f, p, &sure, &may)
		}
	}
	out := peers{sure: setOf(sure), may: setOf(may)}
	if f.everyPod() && len(c.hosts) == 0 {
		out = peers{sure: spans, may: spans}
	}
	out.may = union(out.sure, out.may)
	if !f.pods {
		for i := range c.others() {
			e := &c.entities[i]
			l := &labelsOf{own: e.labels}
			if e.namespace != "" {
				l.namespace = c.namespaceNamed(e.namespace)
			}
			if f.selects(l) {
				out = out.union(e.points)
			}
		}
	}
	c.sets[key] = out
	return out
}

// everyPod reports whether a family is all pods of its namespaces.
func (f *family) everyPod() bool {
	return !slices.ContainsFunc(f.own, func(s selector) bool { return s.match != nil })
}

func (f *family) selects(l *labelsOf) bool {
	if f.home != "" && (l.namespace == nil || l.namespace.name != f.home) || !f.spaces.selects(l.get) {
		return false
	}
	return !slices.ContainsFunc(f.own, func(s selector) bool { return !s.selects(l.get) })
}

// ask puts a pod among those that are selected, or those that may be.
func (c *calico) ask(f *family, p uint32, sure, may *[]uint32) {
	if c.points[p].host {
		return // to Calico it is its node
	}
	l := c.podLabels(c.points[p])
	switch selected := f.selects(l); {
	case l.asked:
		*may = append(*may, p)
	case selected:
		*sure = append(*sure, p)
	}
}

// spaces returns the points of pods in the namespaces of a family.
func (c *calico) spaces(f *family) set {
	var out set
	list := c.namespaces
	if f.home != "" {
		list = []*namespace{c.namespaceNamed(f.home)}
	}
	for _, ns := range list {
		if l := (&labelsOf{namespace: ns}); f.spaces.selects(l.get) {
			out = out.extend(ns.span.lo, ns.span.hi)
		}
	}
	return out
}

func (c *calico) namespaceNamed(name string) *namespace {
	if ns := c.byName[name]; ns != nil {
		return ns
	}
	return &namespace{name: name, labels: labels.Set{"kubernetes.io/metadata.name": name}}
}

// candidates returns the pods that have a label which a family requires, of
// several labels the one that the fewest have: for one who would otherwise look
// through some pods.
func (c *calico) candidates(f *family, instead int) (points []uint32, indexed bool) {
	if c.byAccount == nil {
		c.byAccount = map[string][]uint32{}
		for i, p := range c.points[:c.pods] {
			c.byAccount[accountOf(p)] = append(c.byAccount[accountOf(p)], uint32(i))
		}
	}
	for _, s := range f.own {
		for _, pin := range s.pins {
			if pin.key != calicoServiceAccount && (strings.HasPrefix(pin.key, "projectcalico.org/") || strings.HasPrefix(pin.key, namespacePrefix) || strings.HasPrefix(pin.key, accountPrefix)) {
				continue // not of the pod itself
			}
			by := c.byAccount
			if pin.key != calicoServiceAccount {
				if by = c.podsBy(pin.key, instead); by == nil {
					continue
				}
			}
			var have []uint32
			for _, v := range pin.values {
				have = append(have, by[v]...)
			}
			if !indexed || len(have) < len(points) {
				points, indexed = have, true
			}
		}
	}
	return points, indexed
}

// others returns what has labels beside pods.
func (c *calico) others() []entity {
	if c.entities != nil {
		return c.entities
	}
	c.entities = []entity{}
	e := c.graph.Estate
	for _, r := range slices.Concat(estate.CalicoNetworkSets.In(e), estate.CalicoGlobalNetworkSets.In(e)) {
		x := entity{name: r.Object.Name, namespace: r.Object.Namespace, labels: r.Object.Labels, points: c.nets(r.Object.Spec.Nets)}
		if len(r.Object.Spec.AllowedEgressDomains) > 0 {
			x.points = x.points.union(c.domains())
		}
		c.entities = append(c.entities, x)
	}
	for _, r := range estate.CalicoHostEndpoints.In(e) {
		// What stands at the addresses of a node is also its pods in its network.
		points := c.nets(r.Object.Spec.ExpectedIPs)
		points.may = union(points.may, c.hosts, c.nodes)
		c.entities = append(c.entities, entity{name: r.Object.Name, labels: r.Object.Labels, points: points, host: &r.Object})
	}
	return c.entities
}

// domains returns where names may lead: nobody knows before they are asked.
func (c *calico) domains() peers {
	var out set
	for _, sp := range c.addresses.public() {
		out = append(out, span{sp.lo + c.atoms, sp.hi + c.atoms})
	}
	return peers{may: out}
}

// nets returns what stands in networks.
func (c *calico) nets(texts []string) peers {
	key := "nets " + strings.Join(texts, "\x00")
	if known, ok := c.sets[key]; ok {
		return known
	}
	var atoms []set
	for _, text := range texts {
		if p, ok := parsePrefix(text); ok {
			atoms = append(atoms, c.addresses.atoms(p))
		}
	}
	out := c.within(union(atoms...))
	c.sets[key] = out
	return out
}

// netsSurely returns what stands in networks, and takes a target for sure only
// if all of its subnets do: the narrow reading, for rules that deny.
func (c *calico) netsSurely(texts []string) peers {
	out := c.nets(texts)
	var blocks []netip.Prefix
	for _, text := range texts {
		if p, ok := parsePrefix(text); ok {
			blocks = append(blocks, p)
		}
	}
	var whole []uint32
	atoms := c.addresses.all(blocks)
	for i := c.pods; len(blocks) > 0 && i < c.Network.atoms; i++ {
		if len(c.points[i].atoms.minus(atoms)) == 0 {
			whole = append(whole, i)
		}
	}
	targets := interval(c.pods, c.Network.atoms)
	out.sure = union(out.sure.minus(targets), setOf(whole))
	return out
}

// selected returns the pods that a policy applies to.
func (c *calico) selected(s *estate.CalicoPolicySpec, namespace string) peers {
	f, ok := subject(s, namespace)
	if !ok {
		// Nobody knows what it selects: any pod that it can.
		f = family{key: "any of " + namespace, home: namespace, pods: true}
		return peers{may: c.choose(f).may}
	}
	return c.choose(f)
}

// subject returns what a policy applies to; ok is false if a selector cannot be
// read.
func subject(s *estate.CalicoPolicySpec, namespace string) (f family, ok bool) {
	accounts := accountDialect
	f = family{home: namespace, pods: true, key: strings.Join([]string{"subject", namespace, s.Selector, s.NamespaceSelector, s.ServiceAccountSelector}, "\x00")}
	if namespace == "" {
		accounts = accountsDialect
		if f.spaces, ok = parseSelector(s.NamespaceSelector, namespaceDialect); !ok {
			return f, false
		}
	}
	own, okOwn := parseSelector(s.Selector, endpointDialect)
	account, okAccount := parseSelector(s.ServiceAccountSelector, accounts)
	f.own = []selector{own, account}
	return f, okOwn && okAccount
}

// membership says whether a point is among peers.
func (p peers) membership(of *point) trace.Ternary {
	switch {
	case p.sure.has(of.id):
		return trace.Yes
	case p.may.has(of.id):
		return trace.Unclear
	}
	return trace.No
}
