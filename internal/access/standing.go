package access

import (
	"cmp"
	"slices"
	"strings"

	rbacv1 "k8s.io/api/rbac/v1"
)

// A Standing is what one identity can do, and whom it can become.
type Standing struct {
	Identity Identity
	Known    bool       // the estate shows it
	Groups   []Identity // that it is in by nature
	Places   []Powers   // the whole cluster first, then by namespace
	Becomes  []Holder   // whom, each with a shortest chain; the Chain ends at Identity
	Admin    *Holder    // the chain to cluster admin, nil for none
	// Account is the chain to an administrator of an account of AWS, nil for none.
	Account *Holder
}

// Powers are what an identity can do in one namespace.
type Powers struct {
	Namespace  string   // "" for the whole cluster
	Allows     []string // rules, folded: "get list watch: pods, services"
	Direct     []string // words of the rights that matter most: "read secrets"
	Escalation []string // those that it has only by becoming somebody else
	Unclear    []string // those that it has only if something undecided holds
}

// powers are the rights that matter most, in words.
var powers = []struct {
	word   string
	rights rights
}{
	{"everything", set(everything)},
	{"read secrets", set(readSecrets)},
	{"make pods", set(createPods, createTemplates)},
	{"enter pods", set(execPods, ephemeralContainers, proxyNodes)},
	{"become accounts", set(makeTokens, impersonateAccounts)},
	{"impersonate users", set(impersonateUsers)},
	{"give rights", set(bindClusterRoles, escalateRoles, escalateClusterRoles)},
}

// Of returns what an identity can do.
func (g *Graph) Of(id Identity) Standing {
	id = g.canonical(id)
	out := Standing{Identity: id}
	n, ok := g.index[id]
	out.Known = ok
	for who := id; !ok; n, ok = g.index[who] {
		group, in := natural(who)
		if !in {
			return out
		}
		who = group
		out.Groups = append(out.Groups, group)
	}
	for m := g.nodes[n].parent; m >= 0; m = g.nodes[m].parent {
		out.Groups = append(out.Groups, g.nodes[m].id)
	}
	certain, all := g.reach(n, false), g.reach(n, true)
	places, selves := map[string]*gathered{}, g.selves(n)
	for m := range g.nodes {
		if !all.steps.reached(m) {
			continue
		}
		g.gather(places, int32(m), selves[int32(m)], certain.steps.reached(m))
		if all.steps[m] > 0 && g.nodes[m].id.signsIn() && !g.bySet(&certain, &all, int32(m)) {
			r, sure := &certain, Yes
			if !certain.steps.reached(m) {
				r, sure = &all, Unclear
			}
			steps, _, _ := g.stepsOf(r.path(g, n, int32(m)))
			out.Becomes = append(out.Becomes, Holder{Identity: g.nodes[m].id, Certain: sure, Chain: Chain{Steps: steps}})
		}
	}
	slices.SortFunc(out.Becomes, compareHolders)
	for name, p := range places {
		out.Places = append(out.Places, p.powers(name))
	}
	slices.SortFunc(out.Places, func(a, b Powers) int { return cmp.Compare(a.Namespace, b.Namespace) })
	out.Admin = g.newSearch(adminQuery).holderOf(n, id)
	if ends := g.accounts(); len(ends) > 0 {
		s := g.newSearch(Query{})
		s.ends = ends
		out.Account = s.holderOf(n, id)
	}
	return out
}

// holderOf runs the search and returns how one node holds what it leads to, nil
// if it does not.
func (s *search) holderOf(n int32, id Identity) *Holder {
	for _, r := range s.readings() {
		s.run(false, r)
		if at := s.best[n]; at >= 0 {
			h := s.holder(n, s.runs[at])
			h.Identity = id
			return &h
		}
	}
	return nil
}

// selves are the node and everybody as whom it is let in, with their groups.
func (g *Graph) selves(n int32) map[int32]bool {
	out, work := map[int32]bool{n: true}, []int32{n}
	for len(work) > 0 {
		at := work[0]
		work = work[1:]
		for _, i := range g.out[at] {
			e := &g.edges[i]
			is := e.member(g) || e.step != nil && e.certain && e.step.meant()
			if is && !out[e.to] {
				out[e.to] = true
				work = append(work, e.to)
			}
		}
	}
	return out
}

// bySet reports whether the node was reached only as the group of another that
// was reached: who becomes an account is in its groups too, and to say so for
// each would drown the rest.
func (g *Graph) bySet(certain, all *walk, n int32) bool {
	w := certain
	if !w.steps.reached(int(n)) {
		w = all
	}
	e := w.last[n]
	return e >= 0 && g.edges[e].member(g)
}

// A walk is where ways lead from one node.
type walk struct {
	steps distances
	last  []int32 // the edge by which a node was reached
}

type distances []int32

func (d distances) reached(n int) bool { return d[n] >= 0 }

// reach walks forward, the fewest steps first.
func (g *Graph) reach(from int32, unclear bool) walk {
	w := walk{steps: make(distances, len(g.nodes)), last: make([]int32, len(g.nodes))}
	for i := range w.steps {
		w.steps[i], w.last[i] = -1, -1
	}
	done := make([]bool, len(g.nodes))
	w.steps[from] = 0
	now, next := []int32{from}, []int32(nil)
	for len(now) > 0 {
		for i := 0; i < len(now); i++ {
			n := now[i]
			if done[n] {
				continue
			}
			done[n] = true
			for _, i := range g.out[n] {
				e := &g.edges[i]
				if done[e.to] || !e.certain && !unclear {
					continue
				}
				cost := w.steps[n]
				if !e.free() {
					cost++
				}
				if old := w.steps[e.to]; old >= 0 && old <= cost {
					continue
				}
				w.steps[e.to], w.last[e.to] = cost, i
				if cost == w.steps[n] {
					now = append(now, e.to)
				} else {
					next = append(next, e.to)
				}
			}
		}
		now, next = next, now[:0]
	}
	return w
}

func (w *walk) path(g *Graph, from, to int32) []int32 {
	var out []int32
	for at := to; at != from; at = g.edges[w.last[at]].from {
		out = append(out, w.last[at])
	}
	slices.Reverse(out)
	return out
}

// gathered is what a walk found in one namespace.
type gathered struct {
	direct, directMaybe, escalated, unclear rights
	rules                                   map[string]map[string]bool // verbs to resources
}

func (g *Graph) gather(places map[string]*gathered, n int32, direct, certain bool) {
	node := g.nodes[n]
	at := func(s scope) *gathered {
		p := places[g.name(s)]
		if p == nil {
			p = &gathered{rules: map[string]map[string]bool{}}
			places[g.name(s)] = p
		}
		return p
	}
	add := func(s scope, full, maybe rights) {
		p := at(s)
		switch {
		case direct:
			p.direct |= full
			p.directMaybe |= maybe
		case certain:
			p.escalated |= full
			p.unclear |= maybe
		default:
			p.unclear |= full | maybe
		}
	}
	for _, s := range node.order {
		h := node.held[s]
		add(s, h.full, h.maybe)
	}
	for _, in := range node.inside {
		if in.names == nil && (in.kind == "secrets" || in.by != nil && in.by.shows(Query{Verb: "get", Resource: "secrets"})) {
			add(in.at, set(readSecrets), 0)
		}
	}
	if !direct {
		return
	}
	for _, h := range node.holds {
		p := at(h.at)
		for _, r := range h.role.rules {
			verbs, what := g.book.describe(r)
			if p.rules[verbs] == nil {
				p.rules[verbs] = map[string]bool{}
			}
			for _, w := range what {
				p.rules[verbs][w] = true
			}
		}
	}
}

// maxDescribed bounds what one rule is shown to be on: groups and resources
// multiply.
const maxDescribed = 200

// describe returns the verbs of a rule and what they are on.
func (b *book) describe(r entry) (verbs string, what []string) {
	p := b.shapes[r.shape].rule
	sorted := slices.Clone(p.Verbs)
	slices.Sort(sorted)
	verbs = strings.Join(slices.Compact(sorted), " ")
	for _, group := range p.APIGroups {
		for _, resource := range p.Resources {
			if len(what) >= maxDescribed {
				return verbs, append(what, "…")
			}
			name := resource
			if group != "" && group != rbacv1.APIGroupAll {
				before, sub, found := strings.Cut(resource, "/")
				name = before + "." + group
				if found {
					name += "/" + sub
				}
			}
			if len(r.names) > 0 {
				name += " (" + strings.Join(r.names[:min(len(r.names), 5)], ", ")
				if len(r.names) > 5 {
					name += ", …"
				}
				name += ")"
			}
			what = append(what, name)
		}
	}
	return verbs, append(what, p.NonResourceURLs...)
}

func (p *gathered) powers(namespace string) Powers {
	out := Powers{Namespace: namespace}
	for verbs, what := range p.rules {
		out.Allows = append(out.Allows, verbs+": "+strings.Join(sorted(what), ", "))
	}
	slices.Sort(out.Allows)
	for _, w := range powers {
		switch {
		case p.direct&w.rights != 0:
			out.Direct = append(out.Direct, w.word)
		case p.escalated&w.rights != 0:
			out.Escalation = append(out.Escalation, w.word)
		case (p.directMaybe|p.unclear)&w.rights != 0:
			out.Unclear = append(out.Unclear, w.word)
		}
	}
	return out
}
