package access

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	rbacv1 "k8s.io/api/rbac/v1"
)

// A Holder is somebody who can, and how.
type Holder struct {
	Identity Identity
	Chain    Chain
	Certain  Answer   // Yes, or Unclear where something decides that was not read
	Only     []string // names to which the right is limited, none for all
	// Through is the group that the identity is in by nature and has it from,
	// the zero Identity where it has it by itself.
	Through Identity
	// Unread are the policies of AWS, by ARN, that were named and not read, where
	// no way is known but one that they decide.
	Unread []string
}

// Direct reports whether the holder is given the right: itself, or as whom it is
// let in by an access entry, a trust policy and the like.
func (h Holder) Direct() bool {
	return !slices.ContainsFunc(h.Chain.Steps, func(s Step) bool { return !s.meant() })
}

// meant reports whether somebody made the step possible on purpose, so that
// nobody has to use a right for more than it says.
func (s *Step) meant() bool {
	switch s.Technique {
	case "access-entry", "access-policy", "aws-auth", "administrator", "assume-role", "sign-in", "pod-identity", "web-identity", "cluster-creator":
		return true
	}
	return false
}

// WhoCan returns everybody who has the right, directly or by what they can
// become, each with a shortest chain: first those to whom nothing is unclear,
// then those with the fewest steps.
func (g *Graph) WhoCan(q Query) []Holder {
	s := g.newSearch(q)
	// A right on all names counts before one on some, and what is certain
	// before what is not.
	for _, r := range s.readings() {
		s.run(false, r)
		s.run(true, r)
	}
	return s.holders()
}

// ReachAdmin returns everybody who is or can become cluster admin.
func (g *Graph) ReachAdmin() []Holder {
	return g.WhoCan(adminQuery)
}

// adminQuery is what a cluster admin alone can.
var adminQuery = Query{Verb: "*", Group: "*", Resource: "*"}

// Can reports whether the identity has the right by RBAC, itself or by the
// groups that it is in by nature: what the API server answers when it asks.
func (g *Graph) Can(id Identity, q Query) bool {
	n, ok := g.index[g.canonical(id)]
	if !ok {
		group, known := natural(g.canonical(id))
		return known && g.Can(group, q)
	}
	s := g.newSearch(q)
	for ; n >= 0; n = g.nodes[n].parent {
		for i := range g.nodes[n].holds {
			if h := &g.nodes[n].holds[i]; h.certain == Yes && g.covers(h.at, q) {
				if m := s.match(h.role); m.full >= 0 {
					return true
				}
			}
		}
	}
	return false
}

// covers reports whether a right of the scope holds where the query asks.
func (g *Graph) covers(at scope, q Query) bool {
	if at == wholeCluster || q.Namespace == Everywhere && q.URL == "" {
		return true
	}
	return q.URL == "" && q.Namespace != "" && g.namespaces[at] == q.Namespace
}

// A matched says which rules of a role allow a query.
type matched struct {
	full    int32 // first rule that does, -1 for none
	limited int32 // first rule that does on some names, -1 for none
	names   []string
}

// A search is one query on its way through the graph.
type search struct {
	graph   *Graph
	query   Query
	ends    map[int32]end // where it leads instead of to the right of the query
	wanted  []rbacv1.PolicyRule
	shapes  []int8     // -1 not asked yet
	matches []*matched // by the number of the role

	runs []*run
	best []int8 // of each node the first run that found it, -1 for none
}

// A run is one way of looking: for the right on all names or on some, along
// the edges that count by a reading.
type run struct {
	limited bool
	reading reading
	found   []found // of each node
}

// A reading says how much must be known of what a search goes along.
type reading int

const (
	certainly reading = iota
	perhaps           // something decides that is not known
	blindly           // even if all that is known of it is a name: of a policy of AWS
)

// admits reports whether something counts by the reading.
func (r reading) admits(certain bool, unread []string) bool {
	return certain || r == blindly || r == perhaps && len(unread) == 0
}

// readings are those that may find something, the most certain first. Whoever
// is found by one is not looked for by the next, so that a way which a policy
// decides that nobody read never hides one that was.
func (s *search) readings() []reading {
	out := []reading{certainly, perhaps}
	guesses := s.graph.guesses
	for _, e := range s.ends {
		guesses = guesses || len(e.unread) > 0
	}
	if guesses {
		out = append(out, blindly)
	}
	return out
}

// found is what a search knows of a node.
type found struct {
	done    bool
	steps   int32
	next    int32 // the edge to go, -1 where the right is here
	holding int32 // that gives the right here; after those, the inside
}

func (g *Graph) newSearch(q Query) *search {
	s := &search{graph: g, query: q, wanted: []rbacv1.PolicyRule{q.rule()}, matches: make([]*matched, g.book.counted),
		shapes: make([]int8, len(g.book.shapes)), best: make([]int8, len(g.nodes))}
	for i := range s.shapes {
		s.shapes[i] = -1
	}
	for i := range s.best {
		s.best[i] = -1
	}
	return s
}

// match returns which rules of a role allow the query.
func (s *search) match(r *ruleSet) *matched {
	if m := s.matches[r.number]; m != nil {
		return m
	}
	m := &matched{full: -1, limited: -1}
	for i := range r.rules {
		p := &r.rules[i]
		if s.shapes[p.shape] < 0 {
			s.shapes[p.shape] = 0
			if s.graph.book.shapes[p.shape].covers(s.wanted) {
				s.shapes[p.shape] = 1
			}
		}
		if s.shapes[p.shape] == 0 {
			continue
		}
		switch {
		case len(p.names) == 0, s.query.Name != "" && !s.query.nameless() && slices.Contains(p.names, s.query.Name):
			if m.full < 0 {
				m.full = int32(i)
			}
		case s.query.Name == "" && !s.query.nameless():
			if m.limited < 0 {
				m.limited = int32(i)
			}
			m.names = append(m.names, p.names...)
		}
	}
	slices.Sort(m.names)
	m.names = slices.Compact(m.names)
	s.matches[r.number] = m
	return m
}

// here returns what gives the right to the node itself, -1 if nothing does.
func (s *search) here(n int32, limited bool, r reading) int32 {
	if s.ends != nil {
		if e, ok := s.ends[n]; ok && !limited && r.admits(e.certain == Yes, e.unread) {
			return 0
		}
		return -1
	}
	node := s.graph.nodes[n]
	for i := range node.holds {
		h := &node.holds[i]
		if !r.admits(h.certain == Yes, nil) || !s.graph.covers(h.at, s.query) {
			continue
		}
		if m := s.match(h.role); m.full >= 0 && !limited || m.limited >= 0 && limited {
			return int32(i)
		}
	}
	for i := range node.inside {
		if in := &node.inside[i]; s.reads(in, limited) {
			return int32(len(node.holds) + i)
		}
	}
	return -1
}

// reads reports whether what somebody reads where he is answers the query.
func (s *search) reads(in *inside, limited bool) bool {
	q := s.query
	if in.by != nil {
		return !limited && in.by.shows(q) && s.graph.covers(in.at, q)
	}
	if in.at == wholeCluster {
		if _, known := s.graph.scopes[q.Namespace]; known {
			return false // a place of that very namespace says so better
		}
	}
	if q.Verb != "get" || q.Group != "" || q.Resource != in.kind || q.Subresource != "" || !s.graph.covers(in.at, q) {
		return false
	}
	if in.names == nil || q.Name != "" {
		return !limited && (in.names == nil || slices.Contains(in.names, q.Name))
	}
	return limited
}

// run finds the nodes from which a way leads to the right, backwards from it,
// the fewest steps first.
func (s *search) run(limited bool, how reading) {
	g := s.graph
	r := &run{limited: limited, reading: how, found: make([]found, len(g.nodes))}
	var now, next []int32
	for n := range g.nodes {
		if h := s.here(int32(n), limited, how); h >= 0 {
			r.found[n] = found{done: true, next: -1, holding: h}
			now = append(now, int32(n))
		}
	}
	seen := make([]bool, len(g.nodes))
	for steps := int32(0); len(now) > 0; steps++ {
		for i := 0; i < len(now); i++ {
			n := now[i]
			if seen[n] {
				continue
			}
			seen[n] = true
			for _, i := range g.in[n] {
				e := &g.edges[i]
				if seen[e.from] || !how.admits(e.certain, e.unread()) {
					continue
				}
				cost := steps
				if !e.free() {
					cost++
				}
				if old := &r.found[e.from]; old.done && old.steps <= cost {
					continue
				}
				r.found[e.from] = found{done: true, steps: cost, next: i}
				if cost == steps {
					now = append(now, e.from)
				} else {
					next = append(next, e.from)
				}
			}
		}
		now, next = next, now[:0]
	}
	for n, f := range r.found {
		if f.done && s.best[n] < 0 {
			s.best[n] = int8(len(s.runs))
		}
	}
	s.runs = append(s.runs, r)
}

// holders lists the identities that the runs found.
func (s *search) holders() []Holder {
	var out []Holder
	for n, at := range s.best {
		if at < 0 || !s.graph.nodes[n].id.signsIn() {
			continue
		}
		out = append(out, s.holder(int32(n), s.runs[at]))
	}
	slices.SortFunc(out, compareHolders)
	return out
}

func compareHolders(a, b Holder) int {
	limited := func(h Holder) int { return min(len(h.Only), 1) }
	return cmp.Or(
		cmp.Compare(b.Certain, a.Certain),
		cmp.Compare(len(a.Chain.Steps), len(b.Chain.Steps)),
		cmp.Compare(limited(a), limited(b)),
		a.Identity.Compare(b.Identity),
	)
}

// identityOrder is the order in which kinds of identities are listed.
var identityOrder = []IdentityKind{Anybody, AWSAccount, IAMUser, IAMRole, KubernetesGroup, KubernetesUser, ServiceAccount, NodeIdentity}

// Compare orders identities by kind, cluster, namespace and name.
func (i Identity) Compare(o Identity) int {
	return cmp.Or(
		cmp.Compare(slices.Index(identityOrder, i.Kind), slices.Index(identityOrder, o.Kind)),
		cmp.Compare(i.Kind, o.Kind),
		cmp.Compare(i.Cluster, o.Cluster),
		cmp.Compare(i.Namespace, o.Namespace),
		cmp.Compare(i.Name, o.Name),
	)
}

// signsIn reports whether the identity is one that comes from outside, and no
// thing that others become on their way.
func (i Identity) signsIn() bool { return slices.Contains(identityOrder, i.Kind) }

func (s *search) holder(n int32, r *run) Holder {
	h := Holder{Identity: s.graph.nodes[n].id, Certain: Yes}
	if r.reading != certainly {
		h.Certain = Unclear
	}
	if e := r.found[n].next; e >= 0 && s.graph.edges[e].member(s.graph) {
		h.Through = s.graph.nodes[s.graph.edges[e].to].id
	}
	h.Chain, h.Only = s.chain(n, r)
	if r.reading == blindly {
		h.Unread = s.unread(n, r)
	}
	return h
}

// unread returns the policies that decide along the way from a node.
func (s *search) unread(n int32, r *run) []string {
	var out []string
	for r.found[n].next >= 0 {
		e := &s.graph.edges[r.found[n].next]
		out = append(out, e.unread()...)
		n = e.to
	}
	out = append(out, s.ends[n].unread...)
	slices.Sort(out)
	return slices.Compact(out)
}

// unread returns the policies on which the edge depends that nobody read.
func (e *edge) unread() []string {
	if e.step == nil {
		return nil
	}
	return e.step.Unread
}

// member reports whether the edge says that one is in a group by nature.
func (e *edge) member(g *Graph) bool { return e.free() && g.nodes[e.from].parent == e.to }

// chain follows a run from a node to the right.
func (s *search) chain(n int32, r *run) (Chain, []string) {
	path := []int32{}
	for at := n; r.found[at].next >= 0; at = s.graph.edges[r.found[at].next].to {
		path = append(path, r.found[at].next)
	}
	steps, belongs, last := s.graph.stepsOf(path)
	if len(path) == 0 {
		last = n
	}
	grants, only := s.grants(last, r)
	return Chain{Steps: steps, Grants: append(belongs, grants...)}, only
}

// grants returns what gives the right to the last node of a chain.
func (s *search) grants(n int32, r *run) ([]Grant, []string) {
	if s.ends != nil {
		return s.ends[n].grants, nil
	}
	node := s.graph.nodes[n]
	i := int(r.found[n].holding)
	if i >= len(node.holds) {
		in := &node.inside[i-len(node.holds)]
		var only []string
		if r.limited {
			only = in.names
		}
		return []Grant{{Says: in.says}}, only
	}
	h := &node.holds[i]
	m := s.match(h.role)
	rule, only := m.full, []string(nil)
	if r.limited {
		rule, only = m.limited, m.names
	}
	return s.graph.explain(h, &h.role.rules[rule], s.query, node.id), only
}

// explain returns where it is written that somebody has a right: the rule, and
// the binding.
func (g *Graph) explain(h *holding, r *entry, q Query, who Identity) []Grant {
	b := h.binding
	switch {
	case b.given != nil:
		return b.given
	case b.says != "":
		return []Grant{{Says: b.says}}
	}
	name := r.in.name
	if name == "" {
		name = h.role.name
	}
	q.Namespace = ""
	says := name + " allows " + q.String()
	if len(r.names) > 0 && q.Name == "" {
		says += " by name"
	}
	return []Grant{
		{Subject: r.in.ref, Origin: r.in.origin, Field: r.field(), Says: says},
		{Subject: b.ref, Origin: b.origin, Field: fmt.Sprintf("subjects[%d]", h.subject), Says: b.name + " gives it to " + who.Label()},
	}
}

// stepsOf makes the steps of a chain of edges. belongs says that the last
// identity is in a group, whose right it has; last is the node where the path
// ends.
func (g *Graph) stepsOf(path []int32) (steps []Step, belongs []Grant, last int32) {
	var step *Step
	var begins *edge
	var trail []int32 // of the step, by its nodes
	end := func() {
		if step != nil {
			if begins != nil {
				step.How = begins.how.says(step.To)
				if begins.how.steers() {
					step.Grants = append(step.Grants, g.steered(begins, trail)...)
				}
			}
			steps = append(steps, *step)
		}
		step, begins, trail = nil, nil, trail[:0]
	}
	for _, i := range path {
		e := &g.edges[i]
		last = e.to
		from, to := g.nodes[e.from].id, g.nodes[e.to].id
		switch {
		case e.member(g):
			end()
			belongs = append(belongs, Grant{Says: "every " + kindWord(from) + " is in " + to.Label()})
			continue
		case e.step != nil:
			end()
			copied := *e.step
			copied.From, copied.To = from, to
			copied.Grants = append(belongs, copied.Grants...)
			step = &copied
		case e.how != nil:
			end()
			step = &Step{From: from, To: to, Technique: e.how.name, Grants: append(belongs, g.proven(e)...), Certain: Yes}
			begins = e
		case step != nil:
			step.To = to
		}
		belongs = nil
		trail = append(trail, e.to)
		if step != nil && !e.certain {
			step.Certain = Unclear
		}
	}
	end()
	return steps, belongs, last
}

func kindWord(i Identity) string {
	switch i.Kind {
	case ServiceAccount:
		return "service account of " + i.Namespace
	case KubernetesGroup:
		return "member of " + i.Label()
	case NodeIdentity:
		return "node"
	case KubernetesUser:
		return "user who signs in"
	}
	return "one"
}

// proven returns the grants of the rights that an edge takes.
func (g *Graph) proven(e *edge) []Grant {
	var out []Grant
	for _, p := range e.proofs {
		if p.right == writesCustom {
			continue // by what, the end of the step decides
		}
		node := g.nodes[p.node]
		h := &node.holds[p.holding]
		if p.node != e.from {
			out = append(out, Grant{Says: g.nodes[e.from].id.Label() + " is in " + node.id.Label()})
		}
		if p.right == boundToRole {
			out = append(out, Grant{Subject: h.binding.ref, Origin: h.binding.origin, Field: "roleRef", Says: h.binding.name + " gives it " + h.role.name})
			continue
		}
		at := h.role.first[p.right]
		if p.named {
			at = h.role.firstNamed[p.right]
		}
		r := &h.role.rules[at]
		out = append(out, g.explain(h, r, g.book.shapes[r.shape].wording(p.right, p.named), node.id)...)
	}
	return slices.CompactFunc(out, func(a, b Grant) bool { return a.Subject == b.Subject && a.Field == b.Field && a.Says == b.Says })
}

// ParseIdentity reads an identity as people write it: an ARN,
// serviceaccount:NAMESPACE/NAME, user:NAME, group:NAME, node:NAME, or the name
// under which a service account signs in.
func ParseIdentity(text string) (Identity, error) {
	kind, name, found := strings.Cut(text, ":")
	if !found || name == "" {
		return Identity{}, fmt.Errorf("%q is no principal: use an ARN, serviceaccount:NAMESPACE/NAME, user:NAME, group:NAME or node:NAME", text)
	}
	switch kind {
	case "arn":
		switch parts := strings.SplitN(text, ":", 6); {
		case len(parts) < 6:
		case strings.HasPrefix(parts[5], "role/"):
			return Identity{Kind: IAMRole, Name: text}, nil
		case strings.HasPrefix(parts[5], "user/"):
			return Identity{Kind: IAMUser, Name: text}, nil
		case parts[5] == "root":
			return Identity{Kind: AWSAccount, Name: parts[4]}, nil
		case strings.HasPrefix(parts[5], "assumed-role/"):
			role, _, _ := strings.Cut(strings.TrimPrefix(parts[5], "assumed-role/"), "/")
			return Identity{Kind: IAMRole, Name: strings.Join([]string{parts[0], parts[1], "iam", "", parts[4], "role/" + role}, ":")}, nil
		}
		return Identity{}, fmt.Errorf("%q is no ARN of a principal: use that of a role or a user", text)
	case "user":
		return userIdentity(name), nil
	case "group":
		return Identity{Kind: KubernetesGroup, Name: name}, nil
	case "node":
		return Identity{Kind: NodeIdentity, Name: name}, nil
	case "serviceaccount", "sa":
		if namespace, account, ok := strings.Cut(name, "/"); ok && namespace != "" && account != "" && !strings.Contains(account, "/") {
			return Identity{Kind: ServiceAccount, Namespace: namespace, Name: account}, nil
		}
		return Identity{}, fmt.Errorf("%q is no service account: use serviceaccount:NAMESPACE/NAME", text)
	case "system":
		if id := userIdentity(text); id.Kind != KubernetesUser {
			return id, nil
		}
	}
	return Identity{}, fmt.Errorf("%q is no principal: use an ARN, serviceaccount:NAMESPACE/NAME, user:NAME, group:NAME or node:NAME", text)
}
