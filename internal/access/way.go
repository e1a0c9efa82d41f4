package access

import (
	"fmt"
	"slices"
)

// A way is how somebody who has some rights on the API server
// becomes somebody else.
type way struct {
	name string
	// needs are the rights that it takes, any one of each set.
	needs []rights
	// as says what is done, with %s for the identity that one becomes; in
	// says it with %s for what one is in on the way.
	as, in string
	// to returns where it leads from a scope, and whether it surely does.
	to func(*Graph, scope) (int32, Answer)
	// unclear says what is not known, "" where nothing decides but rights.
	unclear string
	// cluster is true where the rights hold in the whole cluster or not at all.
	cluster bool
}

const byKubelet = "nodes-proxy"

var (
	breakOut  = &way{name: "break-out", as: "runs it privileged, and is on %s"}
	podOnNode = &way{name: "pod-on-node", as: "takes the token of a pod on the node, which runs as %s", in: "is beside %s"}
)

func surely(to func(*Graph, scope) int32) func(*Graph, scope) (int32, Answer) {
	return func(g *Graph, s scope) (int32, Answer) { return to(g, s), Yes }
}

var (
	toNewPod     = surely((*Graph).newPod)
	toRunning    = surely((*Graph).runningPod)
	toAnyAccount = surely((*Graph).allAccounts)
	toAdmin      = surely(func(g *Graph, _ scope) int32 { return g.admin })
	toNode       = surely(func(g *Graph, _ scope) int32 { return g.index[AnyNode] })
)

// toPowerIn leads to every right in the scope's namespace, or in all of them.
var toPowerIn = surely(func(g *Graph, s scope) int32 {
	if s == wholeCluster {
		return g.taken(everyRole, Everywhere)
	}
	return g.taken(everyRole, g.name(s))
})

// toChanged leads to a new pod where a workload of the kind stands that can be
// changed, and perhaps to one where none stands now.
func toChanged(controller string) func(*Graph, scope) (int32, Answer) {
	return func(g *Graph, s scope) (int32, Answer) {
		stands := Unclear
		if s != wholeCluster {
			if g.places[s].kinds[controller] {
				stands = Yes
			}
			return g.newPod(s), stands
		}
		// Of the whole cluster, what can be changed decides where pods are made.
		id := Identity{Kind: "new" + IdentityKind(controller)}
		n, ok := g.index[id]
		if !ok {
			n = g.vertexOf(id)
			for i := range g.namespaces {
				to, stands := toChanged(controller)(g, scope(i))
				g.choose(n, to, stands)
			}
		}
		return n, Yes
	}
}

// ways are those that rights alone decide, on any name.
var ways = makeWays()

// What the unclear ones say of newer API servers and of the signers of EKS is
// unverified, and a reason why they are unclear.
func makeWays() []*way {
	makes := createPods.set() | createTemplates.set()
	out := []*way{
		{name: "create-pod", needs: []rights{set(createPods)}, to: toNewPod, as: "creates a pod that runs as %s", in: "creates %s"},
		{name: "create-workload", needs: []rights{set(createTemplates)}, to: toNewPod, as: "creates a workload whose pods run as %s", in: "creates a workload, and with it %s"},
	}
	for _, t := range []right{updateDeployments, updateStatefulSets, updateDaemonSets, updateReplicaSets, updateReplicationControllers, updateCronJobs} {
		kind := updated[t]
		out = append(out, &way{
			name: "change-workload", needs: []rights{set(t)}, to: toChanged(kind),
			as: "changes a " + kind + " so that its pods run as %s", in: "changes a " + kind + ", and has with it %s",
		})
	}
	return append(out,
		&way{name: "exec", needs: []rights{set(execPods)}, to: toRunning, as: "opens a shell in a pod that runs as %s", in: "opens a shell in %s"},
		&way{name: "change-pod", needs: []rights{set(updatePods)}, to: toRunning, as: "changes the image of a pod that runs as %s", in: "changes the image of %s"},
		&way{name: "debug-container", needs: []rights{set(ephemeralContainers)}, to: toRunning, as: "adds a container to a pod that runs as %s", in: "adds a container to %s"},
		&way{name: "exec", needs: []rights{set(execPodsByGet)}, to: toRunning, unclear: "newer API servers also ask for create on pods/exec",
			as: "opens a shell, by a web socket, in a pod that runs as %s", in: "opens a shell, by a web socket, in %s"},
		&way{name: "attach", needs: []rights{set(attachPods)}, to: toRunning, unclear: "it takes a process that obeys its input",
			as: "speaks to the process of a pod that runs as %s", in: "speaks to the process of %s"},
		&way{name: "token", needs: []rights{set(makeTokens)}, to: toAnyAccount, as: "makes a token of %s"},
		&way{name: "impersonate", needs: []rights{set(impersonateAccounts)}, to: toAnyAccount, as: "impersonates %s"},
		&way{name: "impersonate", needs: []rights{set(impersonateUsers)}, cluster: true, as: "impersonates %s",
			to: surely(func(g *Graph, _ scope) int32 { return g.anyOf(allUsers) })},
		&way{name: "impersonate", needs: []rights{set(impersonateGroups), set(impersonateUsers, impersonateAccounts)}, cluster: true,
			as: "impersonates somebody in %s", to: surely(func(g *Graph, _ scope) int32 { return g.anyOf(allGroups) })},
		&way{name: "token-secret", needs: []rights{set(createSecrets), set(readSecrets)}, to: toAnyAccount, as: "makes a Secret with a token of %s, and reads it"},
		&way{name: "bind", needs: []rights{set(bindClusterRoles), set(writeClusterRoleBindings)}, cluster: true, to: toAdmin, as: "binds %s to itself"},
		&way{name: "bind", needs: []rights{set(bindClusterRoles), set(writeRoleBindings)}, to: toPowerIn, as: "binds %s to itself"},
		&way{name: "bind", needs: []rights{set(bindRoles), set(writeRoleBindings)}, as: "binds %s to itself", to: surely((*Graph).anyRole)},
		&way{name: "escalate", needs: []rights{set(escalateClusterRoles), set(updateClusterRoles)}, cluster: true, to: toAdmin, as: "writes every right into its ClusterRole, and has those of %s"},
		&way{name: "escalate", needs: []rights{set(escalateRoles), set(updateRoles), set(boundToRole)}, to: toPowerIn, as: "writes every right into its Role, and has those of %s"},
		&way{name: "escalate", needs: []rights{set(escalateRoles), set(updateRoles)}, to: toPowerIn, unclear: "no Role that it could rewrite is bound to it",
			as: "writes every right into a Role, and has those of %s"},
		&way{name: byKubelet, needs: []rights{set(proxyNodes)}, cluster: true, to: toRunning,
			as: "runs a command through a kubelet, in a pod that runs as %s", in: "runs a command through a kubelet, in %s"},
		mutate, rebind, validate, convert,
		&way{name: "mutate", needs: []rights{set(createMutations), set(bindMutations)}, cluster: true, to: toNewPod,
			as: "changes, by a policy, pods that others make, so that they run as %s", in: "changes, by a policy, pods that others make, and has with them %s"},
		&way{name: "volume", needs: []rights{set(createVolumes), set(createClaims), makes}, to: toNode, as: "mounts, as a volume, the disk of %s"},
		&way{name: "lift-pod-security", needs: []rights{set(updateNamespaces), makes}, to: toNode,
			as: "takes the pod security off the namespace, and with a privileged pod it is on %s"},
		&way{name: "certificate", needs: []rights{set(createRequests), set(approveRequests), set(approveSigners)}, cluster: true, unclear: "it takes a signer that signs for clients, which EKS has not",
			as: "approves a certificate of its own for %s", to: surely(func(g *Graph, _ scope) int32 { return g.anyOf(allClients) })},
	)
}

func (t right) set() rights { return 1 << t }

// escalate makes the edges of one node: where its own rights, with those of the
// groups that it is in by nature, lead.
func (g *Graph) escalate(n int32) {
	self := g.nodes[n]
	if len(self.holds) == 0 {
		return
	}
	made := map[int32]int{} // by where it leads: its index among the edges
	add := func(to int32, certain bool, t *way, proofs []proof) {
		if i, ok := made[to]; ok && (g.edges[i].certain || !certain) {
			return
		} else if ok {
			g.edges[i] = edge{from: n, to: to, how: t, certain: certain, proofs: proofs}
			return
		}
		if to == n {
			return
		}
		made[to] = len(g.edges)
		g.edges = append(g.edges, edge{from: n, to: to, how: t, certain: certain, proofs: proofs})
	}
	whole := self.held[wholeCluster]
	for _, s := range g.scopesOf(self) {
		here := self.held[s]
		for _, t := range ways {
			if t.cluster && s != wholeCluster {
				continue
			}
			// What the whole cluster gives leads everywhere already.
			if s != wholeCluster && whole != nil && whole.gives(t) {
				continue
			}
			proofs, certain := g.prove(n, s, t, here)
			if proofs == nil {
				continue
			}
			to, surely := t.to(g, s)
			add(to, certain && surely == Yes && t.unclear == "", t, proofs)
		}
		if here != nil && here.named&^here.full != 0 {
			g.escalateByName(n, s, here, add)
		}
	}
	g.steer(n, add)
}

// scopesOf returns the scopes in which the node's own rights can lead anywhere,
// together with those of its groups.
func (g *Graph) scopesOf(n *vertex) []scope {
	out := slices.Clone(n.order)
	if whole := n.held[wholeCluster]; whole != nil && (whole.full|whole.maybe)&combined != 0 {
		for m := n.parent; m >= 0; m = g.nodes[m].parent {
			for _, s := range g.nodes[m].order {
				if !slices.Contains(out, s) {
					out = append(out, s)
				}
			}
		}
	}
	return out
}

// combined are the rights that lead somewhere only together with others.
var combined = func() rights {
	var out rights
	for _, t := range ways {
		if len(t.needs) > 1 {
			for _, need := range t.needs {
				out |= need
			}
		}
	}
	return out
}()

// gives reports whether all that the way needs is there.
func (h *held) gives(t *way) bool {
	for _, need := range t.needs {
		if h.full&need == 0 {
			return false
		}
	}
	return true
}

// prove returns who gives the rights of a way to the node in the scope,
// nil if one is missing or if the groups alone have them all: theirs is the
// edge then. certain is false where one depends on something.
func (g *Graph) prove(n int32, s scope, t *way, here *held) (proofs []proof, certain bool) {
	if len(t.needs) == 1 {
		if here == nil {
			return nil, false
		}
		if p, ok := pick(n, here.full&t.needs[0], &here.by); ok {
			return []proof{p}, true
		}
		if p, ok := pick(n, here.maybe&t.needs[0], &here.by); ok {
			return []proof{p}, false
		}
		return nil, false
	}
	// Cheap before thorough: most nodes have nothing of it.
	self := g.nodes[n]
	var own rights
	for _, h := range []*held{here, self.held[wholeCluster]} {
		if h != nil {
			own |= h.full | h.maybe
		}
	}
	anyOwn := false
	for _, need := range t.needs {
		anyOwn = anyOwn || own&need != 0
	}
	if !anyOwn {
		return nil, false
	}
	certain, mine := true, false
	for _, need := range t.needs {
		p, sure, ok := g.provider(n, s, need)
		if !ok {
			return nil, false
		}
		certain = certain && sure
		mine = mine || p.node == n
		proofs = append(proofs, p)
	}
	if !mine {
		return nil, false
	}
	return proofs, certain
}

func pick(n int32, have rights, by *[nRights]int32) (proof, bool) {
	if have == 0 {
		return proof{}, false
	}
	t := have.next()
	return proof{node: n, holding: by[t], right: t}, true
}

// provider returns who gives one of the rights in the scope to the node: it
// itself or a group that it is in by nature.
func (g *Graph) provider(n int32, s scope, need rights) (p proof, certain, ok bool) {
	for m := n; m >= 0; m = g.nodes[m].parent {
		for _, at := range []scope{s, wholeCluster} {
			h := g.nodes[m].held[at]
			if h == nil {
				continue
			}
			if p, found := pick(m, h.full&need, &h.by); found {
				return p, true, true
			}
			if unsure, found := pick(m, h.maybe&need, &h.by); found && !ok {
				p, ok = unsure, true
			}
			if s == wholeCluster {
				break
			}
		}
	}
	return p, false, ok
}

// byName is how a right on some names is used.
var byName = map[right]*way{
	updatePods:          {name: "change-pod", as: "changes the image of a pod that runs as %s"},
	execPods:            {name: "exec", as: "opens a shell in a pod that runs as %s"},
	ephemeralContainers: {name: "debug-container", as: "adds a container to a pod that runs as %s"},
	makeTokens:          {name: "token", as: "makes a token of %s"},
	impersonateAccounts: {name: "impersonate", as: "impersonates %s"},
	impersonateUsers:    {name: "impersonate", as: "impersonates %s"},
	impersonateGroups:   {name: "impersonate", as: "impersonates somebody in %s"},
	readSecrets:         {name: "token-secret", as: "reads a Secret with a token of %s"},
}

// changeNamed is how a workload of a name is changed, bindNamed a role bound.
var (
	changeNamed = &way{name: "change-workload", as: "changes a workload so that its pods run as %s", in: "changes a workload, and has with it %s"}
	bindNamed   = &way{name: "bind", as: "binds %s to itself"}
	rewrite     = &way{name: "escalate", as: "writes every right into a role, and has those of %s", unclear: "it may rewrite some roles by name"}
)

type addEdge func(to int32, certain bool, t *way, proofs []proof)

// escalateByName makes the edges of rights on some names.
func (g *Graph) escalateByName(n int32, s scope, here *held, add addEdge) {
	self := g.nodes[n]
	for named := here.named &^ here.full; named != 0; {
		t := named.next()
		named &^= 1 << t
		proofs := []proof{{node: n, holding: here.some[t], right: t, named: true}}
		names := g.namesOf(self, s, t)
		switch t {
		case updateDeployments, updateDaemonSets, updateStatefulSets, updateReplicaSets, updateReplicationControllers, updateCronJobs:
			for _, name := range names {
				for _, at := range g.workloads.named[updated[t]+"/"+name] {
					if s == wholeCluster || scope(at) == s {
						add(g.newPod(scope(at)), true, changeNamed, proofs)
					}
				}
			}
		case updatePods, execPods, ephemeralContainers:
			for _, name := range names {
				for _, account := range g.podsNamed(s, name) {
					add(account, true, byName[t], proofs)
				}
			}
		case makeTokens, impersonateAccounts:
			for _, name := range names {
				for _, account := range g.accountsNamed(s, name) {
					add(account, true, byName[t], proofs)
				}
			}
		case impersonateUsers:
			for _, name := range names {
				id := userIdentity(name)
				if m, ok := g.index[id]; ok && id.Kind != ServiceAccount {
					add(m, true, byName[t], proofs)
				}
			}
		case impersonateGroups:
			somebody := set(impersonateUsers, impersonateAccounts)
			p, sure, ok := g.provider(n, s, somebody)
			if !ok && here.named&somebody != 0 {
				who := (here.named & somebody).next()
				p, sure, ok = proof{node: n, holding: here.some[who], right: who, named: true}, true, true
			}
			for _, name := range names {
				if m, known := g.index[Identity{Kind: KubernetesGroup, Name: name}]; known && ok {
					add(m, sure, byName[t], append(slices.Clone(proofs), p))
				}
			}
		case readSecrets:
			for _, token := range g.workloads.tokens {
				if (s == wholeCluster || token.at == s) && slices.Contains(names, token.name) {
					add(token.account, true, byName[t], proofs)
				}
			}
		case bindClusterRoles, bindRoles:
			g.bindByName(n, s, t, names, proofs, add)
		case escalateClusterRoles, updateClusterRoles:
			if s == wholeCluster && g.hasSome(n, s, escalateClusterRoles) && g.hasSome(n, s, updateClusterRoles) {
				add(g.admin, false, rewrite, proofs)
			}
		case escalateRoles, updateRoles:
			if g.hasSome(n, s, escalateRoles) && g.hasSome(n, s, updateRoles) {
				to, _ := toPowerIn(g, s)
				add(to, false, rewrite, proofs)
			}
		case proxyNodes:
			add(g.runningPod(wholeCluster), false, &way{name: byKubelet, unclear: "only of nodes by name",
				as: "runs a command through a kubelet, in a pod that runs as %s", in: "runs a command through a kubelet, in %s"}, proofs)
		case mutateRequests:
			add(g.newPod(wholeCluster), false, mutateNamed, proofs)
			add(g.admin, false, rebindNamed, proofs)
		case validateRequests:
			add(g.admissionHook(s), false, validateNamed, proofs)
		case convertObjects:
			for _, name := range names {
				add(g.conversionHook(name), false, convert, proofs)
			}
		}
	}
}

// hasSome reports whether the node has a right in the scope, be it on names.
func (g *Graph) hasSome(n int32, s scope, t right) bool {
	if _, _, ok := g.provider(n, s, t.set()); ok {
		return true
	}
	for m := n; m >= 0; m = g.nodes[m].parent {
		if h := g.nodes[m].held[s]; h != nil && h.named&t.set() != 0 {
			return true
		}
	}
	return false
}

func (g *Graph) bindByName(n int32, s scope, t right, names []string, proofs []proof, add addEdge) {
	where := []struct {
		right right
		at    string
	}{{writeRoleBindings, g.name(s)}}
	if s == wholeCluster {
		where[0].at = Everywhere
		where = append(where, struct {
			right right
			at    string
		}{writeClusterRoleBindings, ""})
	}
	for _, w := range where {
		p, sure, ok := g.provider(n, s, w.right.set())
		if !ok {
			continue
		}
		with := append(slices.Clone(proofs), p)
		for _, name := range names {
			switch {
			case t == bindClusterRoles && w.at == "" && name == everyRole:
				add(g.admin, sure, bindNamed, with)
			case t == bindClusterRoles:
				add(g.taken(name, w.at), sure, bindNamed, with)
			case s != wholeCluster:
				if m, ok := g.takenRole(s, name); ok {
					add(m, sure, bindNamed, with)
				}
			}
		}
	}
}

// namesOf returns the names on which the node has a right in one scope.
func (g *Graph) namesOf(n *vertex, s scope, t right) []string {
	var out []string
	for _, h := range n.holds {
		if h.at == s && h.role.givesNamed&t.set() != 0 {
			out = append(out, h.role.namesOf[t]...)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func (g *Graph) accountsNamed(s scope, name string) []int32 {
	var out []int32
	if s != wholeCluster {
		if m, ok := g.index[Identity{Kind: ServiceAccount, Namespace: g.name(s), Name: name}]; ok {
			out = append(out, m)
		}
		return out
	}
	for _, ns := range g.namespaces {
		if m, ok := g.index[Identity{Kind: ServiceAccount, Namespace: ns, Name: name}]; ok {
			out = append(out, m)
		}
	}
	return out
}

// says returns what is done on an edge that ends at an identity.
func (t *way) says(to Identity) string {
	form := t.as
	if t.in != "" && (to.Kind == NewPod || to.Kind == RunningPod) {
		form = t.in
	}
	out := fmt.Sprintf(form, to.Label())
	if t.unclear != "" {
		out += " (" + t.unclear + ")"
	}
	return out
}
