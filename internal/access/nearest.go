package access

import (
	"slices"
	"strings"

	"github.com/eksafe/eksafe/internal/estate"
)

// A Power is what makes a namespace's team fear for it.
type Power int

const (
	ReadSecrets Power = iota // of the namespace, be it some
	ChangeIt                 // run, enter or change what runs there, or read its Secrets
)

var powerRights = map[Power]rights{
	ReadSecrets: set(readSecrets),
	ChangeIt: set(readSecrets, createPods, createTemplates, updateDeployments, updateDaemonSets, updateStatefulSets, updateReplicaSets,
		updateReplicationControllers, updateCronJobs, updatePods, execPods, ephemeralContainers, makeTokens, impersonateAccounts, proxyNodes),
}

// A Reached is a shortest way of somebody to a power over a namespace.
type Reached struct {
	Namespace string // "" for the whole cluster
	Color     string // of the namespace; Everywhere for the whole cluster
	Holder
}

// Nearest returns for each identity the shortest certain ways to a power over
// namespaces of two different colors: whoever has a color of his own knows
// from them whether he reaches another. Namespaces without a color are not
// looked at. It takes time linear in the graph, however many colors there are.
func (g *Graph) Nearest(p Power, color func(namespace string) string) map[Identity][]Reached {
	n := &spread{graph: g, at: make([][2]touched, len(g.nodes)), count: make([]int8, len(g.nodes))}
	colors := make([]string, len(g.namespaces))
	for i, name := range g.namespaces {
		colors[i] = color(name)
	}
	for v := range g.nodes {
		n.start(int32(v), powerRights[p], colors)
	}
	n.run()
	out := map[Identity][]Reached{}
	for v, node := range g.nodes {
		for slot := range n.count[v] {
			if node.id.signsIn() {
				out[node.id] = append(out[node.id], n.reached(int32(v), slot))
			}
		}
	}
	return out
}

// A spread walks backwards from the holders of a power. A vertex takes part in
// at most two walks, of two colors.
type spread struct {
	graph     *Graph
	at        [][2]touched
	count     []int8
	now, next []state
}

// A state is a vertex on the walk of one of its colors.
type state struct {
	vertex int32
	slot   int8
}

type touched struct {
	color   string
	edge    int32 // to go on, -1 where the power is here
	slot    int8  // of the vertex to which the edge leads
	holding int32
	where   scope
}

// touch notes that a color was reached, unless two were or this one was.
func (n *spread) touch(v int32, t touched) (int8, bool) {
	c := n.count[v]
	if c == 2 || c == 1 && n.at[v][0].color == t.color {
		return 0, false
	}
	n.at[v][c] = t
	n.count[v]++
	return c, true
}

func (n *spread) start(v int32, want rights, colors []string) {
	node := n.graph.nodes[v]
	begin := func(at scope, holding int32) {
		t := touched{color: Everywhere, edge: -1, holding: holding, where: at}
		if at != wholeCluster {
			if t.color = colors[at]; t.color == "" {
				return
			}
		}
		if slot, ok := n.touch(v, t); ok {
			n.now = append(n.now, state{v, slot})
		}
	}
	for i, h := range node.holds {
		if h.certain == Yes && (h.role.gives|h.role.givesNamed)&want != 0 {
			begin(h.at, int32(i))
		}
	}
	for i, in := range node.inside {
		if in.kind == "secrets" && want&readSecrets.set() != 0 && in.at != wholeCluster {
			begin(in.at, int32(len(node.holds)+i))
		}
	}
}

// run takes a step at a time: first to all that are no step away.
func (n *spread) run() {
	for len(n.now) > 0 {
		for i := 0; i < len(n.now); i++ {
			n.spread(n.now[i], true, &n.now)
		}
		for _, s := range n.now {
			n.spread(s, false, &n.next)
		}
		n.now, n.next = n.next, n.now[:0]
	}
}

func (n *spread) spread(s state, free bool, to *[]state) {
	t := n.at[s.vertex][s.slot]
	for _, i := range n.graph.in[s.vertex] {
		e := &n.graph.edges[i]
		if !e.certain || e.free() != free {
			continue
		}
		if slot, ok := n.touch(e.from, touched{color: t.color, edge: i, slot: s.slot, holding: -1, where: t.where}); ok {
			*to = append(*to, state{e.from, slot})
		}
	}
}

// reached follows a walk from a vertex.
func (n *spread) reached(v int32, slot int8) Reached {
	first := n.at[v][slot]
	out := Reached{Color: first.color, Namespace: n.graph.name(first.where)}
	out.Identity, out.Certain = n.graph.nodes[v].id, Yes
	var path []int32
	at := v
	for n.at[at][slot].edge >= 0 {
		t := n.at[at][slot]
		path = append(path, t.edge)
		at, slot = n.graph.edges[t.edge].to, t.slot
	}
	out.Chain.Steps, _, _ = n.graph.stepsOf(path)
	if len(path) > 0 && n.graph.edges[path[0]].member(n.graph) {
		out.Through = n.graph.nodes[n.graph.edges[path[0]].to].id
	}
	return out
}

// Sentence tells the steps of the chain in one sentence, without who begins.
func (c Chain) Sentence() string {
	var out []string
	for _, s := range c.Steps {
		out = append(out, s.How)
	}
	return strings.Join(out, ", then ")
}

// Begins reports whether the first step of the chain rests on what is written
// in the resource.
func (c Chain) Begins(ref estate.Ref) bool {
	return len(c.Steps) > 0 && slices.ContainsFunc(c.Steps[0].Grants, func(g Grant) bool { return g.Subject == ref })
}
