package access

import (
	"slices"
	"strings"

	rbacv1 "k8s.io/api/rbac/v1"
)

// customResources is the kind of the sets between those who write custom
// resources and the operators that act on them.
const customResources IdentityKind = "customResources"

// A custom is the custom resources that a rule is about.
type custom struct {
	group    string
	resource string // rbacv1.ResourceAll for all of the group
	part     string // the subresource that the rule names, "" for none
}

// unlisted stands for the resources of a group of which an operator acts on
// all: which they are, no rule says.
const unlisted = ""

// A spot is a set of operators: those of a custom resource, of a group or of a
// resource in whichever group (rbacv1.ResourceAll), that act in a scope.
type spot struct {
	group, resource string
	at              scope
}

// anywhere is the scope of a spot that has the operators of every namespace and
// of the whole cluster.
const anywhere scope = -2

// unsplit are the custom resources whose status is no subresource, so that their
// operator shows itself by watching and updating them. Looked up on 2026-11-26:
// https://github.com/argoproj/argo-cd/issues/22967
var unsplit = []custom{{group: "argoproj.io", resource: "applications"}}

// kubernetesGroups are the API groups of Kubernetes itself, whose controllers
// are no pods of the cluster, and the wildcard: who may write the status of
// everything is an administrator, and the operator of nothing.
var kubernetesGroups = func() map[string]bool {
	out := map[string]bool{
		"extensions": true, "events.k8s.io": true, "resource.k8s.io": true, "internal.apiserver.k8s.io": true,
		"storagemigration.k8s.io": true, rbacv1.APIGroupAll: true,
		// What their servers show is measured, and nobody writes it.
		"metrics.k8s.io": true, "custom.metrics.k8s.io": true, "external.metrics.k8s.io": true,
	}
	for _, r := range resources {
		out[r.group] = true
	}
	return out
}()

// operators are the service accounts that were recognised as controllers of
// custom resources, and who steers them. Between the two stand sets, so that the
// edges are linear in the rules that name either.
type operators struct {
	spots   map[spot]int32
	known   map[custom]bool    // of the spots, without their scope
	places  map[scope]bool     // namespaces that have operators of their own
	leaves  map[shapeAt]int32  // operators by the rule that shows them
	sets    map[int32]setOf    // what the nodes of spots and leaves are
	claims  map[int32][]claim  // by account
	hidden  map[int32][]scope  // accounts that may act on whatever there is, and where
	writes  map[int32][]custom // by shape, the spots that it steers
	writers map[shapeAt]int32
	roles   map[roleAt]int32
	budget  int // of looks at rules
	acted   int // of custom resources on which operators act
}

// A claim is a rule by which an account was recognised as an operator.
type claim struct {
	node    int32 // that holds it: the account, or all of its namespace
	holding int32
	rule    int32
}

type shapeAt struct {
	shape int32
	at    scope
}

type roleAt struct {
	role *ruleSet
	at   scope
}

// A setOf says what a node stands for, one of the two.
type setOf struct {
	spot spot
	leaf shapeAt
}

// Groups and resources of a rule multiply: maxSteered bounds how many of them are
// looked at, and maxActed on how many operators are known to act.
const (
	maxSteered = 5_000_000
	maxActed   = 200_000
)

// What an operator does with a custom resource is its own code's, so that none of
// these is ever certain.
var (
	steer = &way{name: "operator", as: "writes a custom resource on which %s acts",
		unclear: "what the operator does with it is not known"}
	steerUnread = &way{name: "operator", as: "writes a custom resource on which %s acts",
		unclear: "whether it runs, and what it does with it, is not known"}
	steerConverted = &way{name: "operator", as: "changes a custom resource on which %s acts",
		unclear: "what the operator does with it is not known"}
)

// steers reports whether the way leads to an operator.
func (t *way) steers() bool { return t == steer || t == steerUnread || t == steerConverted }

// readOperators recognises the operators. Whoever may write the status or the
// finalizers of a custom resource by a rule that names its group, and runs, is
// taken for its controller; to watch and to update the resource itself are the
// rights of those who use it, too.
func (g *Graph) readOperators() {
	o := &g.operators
	*o = operators{
		spots: map[spot]int32{}, known: map[custom]bool{}, places: map[scope]bool{}, leaves: map[shapeAt]int32{},
		sets: map[int32]setOf{}, claims: map[int32][]claim{}, hidden: map[int32][]scope{}, writes: map[int32][]custom{}, writers: map[shapeAt]int32{}, roles: map[roleAt]int32{}, budget: maxSteered, acted: maxActed,
	}
	acts := map[int32][]custom{}
	for _, p := range g.places {
		accounts := p.running
		if !g.workloadsRead() {
			accounts = p.accounts
		}
		for _, account := range accounts {
			// The group of all accounts of a namespace is given rights instead of its
			// operator; a right of all accounts tells nobody apart.
			for _, holder := range []int32{account, g.nodes[account].parent} {
				g.recognise(account, holder, acts)
			}
		}
	}
}

// recognise notes what of the holder's rights makes the account an operator.
func (g *Graph) recognise(account, holder int32, acts map[int32][]custom) {
	o := &g.operators
	for i := range g.nodes[holder].holds {
		h := &g.nodes[holder].holds[i]
		for r, entry := range h.role.rules {
			if o.budget--; o.budget < 0 {
				return
			}
			on, asked := acts[entry.shape]
			if !asked {
				on = o.actsOn(&g.book.shapes[entry.shape].rule)
				acts[entry.shape] = on
			}
			if len(on) == 0 {
				if actsOnAny(&g.book.shapes[entry.shape].rule) {
					o.hidden[account] = append(o.hidden[account], h.at)
				}
				continue
			}
			leaf := g.leaf(shapeAt{entry.shape, h.at}, on)
			g.choose(leaf, account, Yes)
			o.claims[account] = append(o.claims[account], claim{node: holder, holding: int32(i), rule: int32(r)})
		}
	}
}

// actsOn returns the custom resources whose controller the rule gives its rights.
func (o *operators) actsOn(rule *rbacv1.PolicyRule) []custom {
	if !permits(rule.Verbs, "update") && !permits(rule.Verbs, "patch") {
		return nil
	}
	var out []custom
	for _, group := range rule.APIGroups {
		if kubernetesGroups[group] {
			continue
		}
		for _, r := range rule.Resources {
			if o.budget--; o.budget < 0 || len(out) > o.acted {
				return out
			}
			name, part, _ := strings.Cut(r, "/")
			c := custom{group, name, part}
			if shows(r, part) || slices.Contains(unsplit, c) && permits(rule.Verbs, "watch") {
				out = append(out, c)
			}
		}
	}
	return out
}

// shows reports whether to write the resource of a rule is what operators do.
func shows(resource, part string) bool {
	return part == "status" || part == "finalizers" || resource == rbacv1.ResourceAll
}

func permits(verbs []string, verb string) bool {
	return slices.Contains(verbs, verb) || slices.Contains(verbs, rbacv1.VerbAll)
}

// within returns the sets that have the operator of a custom resource.
func (c custom) within() [4]custom {
	resource := c.resource
	if resource == rbacv1.ResourceAll {
		resource = unlisted
	}
	return [4]custom{
		{group: c.group, resource: resource},
		{group: c.group, resource: rbacv1.ResourceAll},
		{group: rbacv1.APIGroupAll, resource: resource},
		{group: rbacv1.APIGroupAll, resource: rbacv1.ResourceAll},
	}
}

// leaf returns the set of the operators that have a rule of the shape in one
// scope, and puts it into the sets of what it acts on.
func (g *Graph) leaf(key shapeAt, on []custom) int32 {
	o := &g.operators
	if n, ok := o.leaves[key]; ok {
		return n
	}
	n := g.newSet()
	o.leaves[key], o.sets[n] = n, setOf{leaf: key}
	if key.at != wholeCluster {
		o.places[key.at] = true
	}
	into := map[spot]bool{}
	for _, c := range on {
		// A rule that is given in each of many namespaces is a leaf in each.
		if o.acted--; o.acted < 0 {
			break
		}
		for _, w := range c.within() {
			for _, at := range []scope{key.at, anywhere} {
				s := spot{w.group, w.resource, at}
				if into[s] {
					continue
				}
				into[s] = true
				from, ok := o.spots[s]
				if !ok {
					from = g.newSet()
					o.spots[s], o.sets[from], o.known[w] = from, setOf{spot: s}, true
				}
				g.choose(from, n, Yes)
			}
		}
	}
	return n
}

// newSet returns a node that stands for whoever its edges lead to.
func (g *Graph) newSet() int32 {
	g.nodes = append(g.nodes, &vertex{id: Identity{Kind: customResources}, parent: -1, made: true})
	return int32(len(g.nodes) - 1)
}

// steer makes the edges from a node to the operators of what it may write.
func (g *Graph) steer(n int32, add addEdge) {
	if len(g.operators.spots) == 0 {
		return
	}
	how := steer
	if !g.workloadsRead() {
		how = steerUnread
	}
	for i := range g.nodes[n].holds {
		h := &g.nodes[n].holds[i]
		if to := g.writersOf(h.role, g.steersFrom(h.at)); to >= 0 {
			add(to, false, how, []proof{{node: n, holding: int32(i), right: writesCustom}})
		}
	}
}

// steersFrom returns the scope of the operators that a right in a scope steers:
// in a namespace those that act there, and those that act everywhere.
func (g *Graph) steersFrom(at scope) scope {
	switch {
	case at == wholeCluster:
		return anywhere
	case g.operators.places[at]:
		return at
	}
	return wholeCluster
}

// writersOf returns the set of the operators that the rules of a role steer, -1
// for none.
func (g *Graph) writersOf(r *ruleSet, at scope) int32 {
	o := &g.operators
	key := roleAt{r, at}
	if n, ok := o.roles[key]; ok {
		return n
	}
	var to []int32
	for i := range r.rules {
		if r.rules[i].writes(g.book) {
			if n := g.writersBy(shapeAt{r.rules[i].shape, at}); n >= 0 && !slices.Contains(to, n) {
				to = append(to, n)
			}
		}
	}
	n := g.oneOf(to)
	o.roles[key] = n
	return n
}

// writes reports whether the rule lets somebody write what it is about. To
// create by name is no right.
func (r *entry) writes(b *book) bool {
	verbs := b.shapes[r.shape].rule.Verbs
	return slices.ContainsFunc(verbs, func(v string) bool {
		return v == rbacv1.VerbAll || v == "update" || v == "patch" || v == "create" && len(r.names) == 0
	})
}

// writersBy is writersOf for the rules of one shape.
func (g *Graph) writersBy(key shapeAt) int32 {
	o := &g.operators
	if n, ok := o.writers[key]; ok {
		return n
	}
	var to []int32
	for _, c := range g.writesOf(key.shape) {
		if n, ok := o.spots[spot{c.group, c.resource, key.at}]; ok {
			to = append(to, n)
		}
	}
	if key.at >= 0 {
		if n := g.writersBy(shapeAt{key.shape, wholeCluster}); n >= 0 {
			to = append(to, n)
		}
	}
	n := g.oneOf(to)
	o.writers[key] = n
	return n
}

// oneOf returns the set of the sets, -1 for none.
func (g *Graph) oneOf(sets []int32) int32 {
	switch len(sets) {
	case 0:
		return -1
	case 1:
		return sets[0]
	}
	n := g.newSet()
	for _, to := range sets {
		g.choose(n, to, Yes)
	}
	return n
}

// writesOf returns the spots that a rule of the shape steers, without their
// scope and each once.
func (g *Graph) writesOf(shape int32) []custom {
	o := &g.operators
	if out, ok := o.writes[shape]; ok {
		return out
	}
	var out []custom
	seen := map[custom]bool{}
	note := func(c custom) {
		if o.known[c] && !seen[c] {
			seen[c] = true
			out = append(out, c)
		}
	}
	rule := &g.book.shapes[shape].rule
	for _, group := range rule.APIGroups {
		if !o.known[custom{group: group, resource: rbacv1.ResourceAll}] {
			continue
		}
		for _, r := range rule.Resources {
			if o.budget--; o.budget < 0 {
				break
			}
			if !strings.Contains(r, "/") {
				note(custom{group: group, resource: r})
				note(custom{group: group, resource: unlisted})
			}
		}
	}
	o.writes[shape] = out
	return out
}

// steered returns what a step to an operator rests on: the rule that lets
// somebody write the custom resource, and the one that shows the account to be
// its operator. The trail ends with the spot, the leaf, and the account.
func (g *Graph) steered(e *edge, trail []int32) []Grant {
	if len(trail) < 3 {
		return nil
	}
	o := &g.operators
	at, leaf, account := o.sets[trail[len(trail)-3]].spot, o.sets[trail[len(trail)-2]].leaf, trail[len(trail)-1]
	on := at.claimed(&g.book.shapes[leaf.shape].rule)
	var out []Grant
	for _, p := range e.proofs {
		node := g.nodes[p.node]
		h := &node.holds[p.holding]
		for i := range h.role.rules {
			r := &h.role.rules[i]
			if resource, ok := at.writtenBy(&g.book.shapes[r.shape].rule); ok && r.writes(g.book) {
				if on.resource == rbacv1.ResourceAll {
					on.resource = resource
				}
				out = g.explain(h, r, Query{Verb: r.writingVerb(g.book), Group: on.group, Resource: on.resource}, node.id)
				break
			}
		}
	}
	for _, c := range o.claims[account] {
		holder := g.nodes[c.node]
		h := &holder.holds[c.holding]
		r := &h.role.rules[c.rule]
		if r.shape != leaf.shape || h.at != leaf.at {
			continue
		}
		if c.node != account {
			out = append(out, Grant{Says: g.nodes[account].id.Label() + " is in " + holder.id.Label()})
		}
		q := Query{Verb: "update", Group: on.group, Resource: on.resource, Subresource: on.part}
		if rule := &g.book.shapes[r.shape].rule; !permits(rule.Verbs, q.Verb) {
			q.Verb = "patch"
		}
		return append(out, g.explain(h, r, q, holder.id)...)
	}
	return out
}

// claimed returns the first custom resource of the spot whose operator the rule
// shows.
func (s spot) claimed(rule *rbacv1.PolicyRule) custom {
	for _, r := range rule.Resources {
		name, part, _ := strings.Cut(r, "/")
		if !shows(r, part) || s.resource != rbacv1.ResourceAll && s.resource != name && (s.resource != unlisted || name != rbacv1.ResourceAll) {
			continue
		}
		for _, group := range rule.APIGroups {
			if !kubernetesGroups[group] && (s.group == group || s.group == rbacv1.APIGroupAll) {
				return custom{group, name, part}
			}
		}
	}
	for _, c := range unsplit {
		if slices.Contains(rule.APIGroups, c.group) && slices.Contains(rule.Resources, c.resource) {
			return c // the one reason that is left
		}
	}
	return custom{group: s.group, resource: s.resource}
}

// writtenBy reports whether the rule is about the spot, and by which resource.
func (s spot) writtenBy(rule *rbacv1.PolicyRule) (resource string, ok bool) {
	if !slices.Contains(rule.APIGroups, s.group) {
		return "", false
	}
	i := slices.IndexFunc(rule.Resources, func(r string) bool {
		return r == s.resource || s.resource == unlisted && !strings.Contains(r, "/")
	})
	if i < 0 {
		return "", false
	}
	return rule.Resources[i], true
}

// writingVerb is the first of the verbs by which the rule lets write.
func (r *entry) writingVerb(b *book) string {
	verbs := b.shapes[r.shape].rule.Verbs
	for _, v := range []string{"create", "update"} {
		if (v != "create" || len(r.names) == 0) && permits(verbs, v) {
			return v
		}
	}
	return "patch"
}

// cut says that not all was followed, "" where it was.
func (o *operators) cut() string {
	if o.budget >= 0 && o.acted >= 0 {
		return ""
	}
	return "operators: the rules name too many custom resources to follow all"
}
