package access

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"

	"github.com/eksafe/eksafe/internal/estate"
)

// A workloadIndex finds workloads by what rules with names may name.
type workloadIndex struct {
	named  map[string][]int32 // "Deployment/web" → namespaces by scope
	pods   map[string][]podOf // name of a pod
	onNode map[string][]int32 // name of a node → accounts
	tokens []tokenSecret
}

type podOf struct {
	at      scope
	account int32
}

// A tokenSecret holds a token of a service account that does not expire.
type tokenSecret struct {
	at      scope
	name    string
	account int32
}

// podAccount returns the service account that the pods of a workload run as.
func podAccount(w *estate.Workload) Identity {
	return Identity{Kind: ServiceAccount, Namespace: w.Namespace, Name: cmp.Or(w.Template.Spec.ServiceAccountName, w.Template.Spec.DeprecatedServiceAccount, "default")}
}

// readWorkloads gathers what runs in each namespace.
func (g *Graph) readWorkloads() {
	ix := &g.workloads
	*ix = workloadIndex{named: map[string][]int32{}, pods: map[string][]podOf{}, onNode: map[string][]int32{}}
	for n := range g.nodes {
		if id := g.nodes[n].id; id.Kind == ServiceAccount {
			p := g.places[g.scope(id.Namespace)]
			p.accounts = append(p.accounts, int32(n))
		}
	}
	runs := map[int32]bool{}
	mounted, maps := make([]map[string]bool, len(g.places)), make([]map[string]bool, len(g.places))
	for i := range g.places {
		mounted[i], maps[i] = map[string]bool{}, map[string]bool{}
	}
	for _, w := range estate.Workloads.In(g.estate) {
		if w.Namespace == "" {
			continue
		}
		s := g.scope(w.Namespace)
		p := g.places[s]
		account := g.vertexOf(podAccount(w))
		if !runs[account] {
			runs[account] = true
			p.running = append(p.running, account)
		}
		p.escapes = worse(p.escapes, escapes(&w.Template.Spec))
		if p.kinds == nil {
			p.kinds = map[string]bool{}
		}
		p.kinds[w.Controller] = true
		ix.named[w.Controller+"/"+w.Name] = append(ix.named[w.Controller+"/"+w.Name], int32(s))
		if w.Controller == "Pod" {
			ix.pods[w.Name] = append(ix.pods[w.Name], podOf{s, account})
		}
		for _, pod := range w.Pods {
			ix.pods[pod.Name] = append(ix.pods[pod.Name], podOf{s, account})
			if pod.NodeName != "" {
				ix.onNode[pod.NodeName] = append(ix.onNode[pod.NodeName], account)
			}
		}
		mounts(&w.Template.Spec, mounted[s], maps[s])
	}
	for i, p := range g.places {
		p.mounted, p.maps = sorted(mounted[i]), sorted(maps[i])
	}
	for _, secret := range estate.Secrets.In(g.estate) {
		o := &secret.Object
		if o.Type != corev1.SecretTypeServiceAccountToken || o.Annotations[corev1.ServiceAccountNameKey] == "" || o.Namespace == "" {
			continue
		}
		id := Identity{Kind: ServiceAccount, Namespace: o.Namespace, Name: o.Annotations[corev1.ServiceAccountNameKey]}
		if n, ok := g.index[id]; ok {
			ix.tokens = append(ix.tokens, tokenSecret{g.scope(o.Namespace), o.Name, n})
		}
	}
}

func sorted(s map[string]bool) []string { return slices.Sorted(maps.Keys(s)) }

// worse returns the answer that gives an attacker more: the zero value of
// escapes is that of a namespace without a workload.
func worse(a, b Answer) Answer {
	rank := func(x Answer) int { return slices.Index([]Answer{No, Unclear, Yes}, x) }
	if a == Unclear && b == No {
		return a
	}
	if rank(b) > rank(a) {
		return b
	}
	return a
}

// mounts adds the Secrets and ConfigMaps that the pods of a template read.
func mounts(spec *corev1.PodSpec, secrets, configs map[string]bool) {
	for _, v := range spec.Volumes {
		switch {
		case v.Secret != nil:
			secrets[v.Secret.SecretName] = true
		case v.ConfigMap != nil:
			configs[v.ConfigMap.Name] = true
		case v.Projected != nil:
			for _, s := range v.Projected.Sources {
				if s.Secret != nil {
					secrets[s.Secret.Name] = true
				}
				if s.ConfigMap != nil {
					configs[s.ConfigMap.Name] = true
				}
			}
		}
	}
	for _, c := range slices.Concat(spec.InitContainers, spec.Containers) {
		for _, from := range c.EnvFrom {
			if from.SecretRef != nil {
				secrets[from.SecretRef.Name] = true
			}
			if from.ConfigMapRef != nil {
				configs[from.ConfigMapRef.Name] = true
			}
		}
		for _, v := range c.Env {
			if v.ValueFrom == nil {
				continue
			}
			if r := v.ValueFrom.SecretKeyRef; r != nil {
				secrets[r.Name] = true
			}
			if r := v.ValueFrom.ConfigMapKeyRef; r != nil {
				configs[r.Name] = true
			}
		}
	}
	delete(secrets, "")
	delete(configs, "")
}

// newPod returns the node of a pod that somebody makes in a scope.
func (g *Graph) newPod(s scope) int32 {
	id := Identity{Kind: NewPod, Namespace: g.name(s)}
	if n, ok := g.index[id]; ok {
		return n
	}
	n := g.vertexOf(id)
	if s == wholeCluster {
		for i := range g.namespaces {
			g.choose(n, g.newPod(scope(i)), Yes)
		}
	} else {
		g.choose(n, g.allAccounts(s), Yes)
		p := g.places[s]
		switch {
		case p.read == 0:
			g.edges = append(g.edges, edge{from: n, to: g.index[AnyNode], how: breakOut})
		case p.security != Yes:
			g.edges = append(g.edges, edge{from: n, to: g.index[AnyNode], how: breakOut, certain: p.security == No})
		}
	}
	for _, kind := range []string{"secrets", "configmaps"} {
		g.nodes[n].inside = append(g.nodes[n].inside, inside{at: s, kind: kind, says: "a pod mounts any of the " + kind + " of its namespace"})
	}
	return n
}

// runningPod returns the node of the pods that run in a scope.
func (g *Graph) runningPod(s scope) int32 {
	id := Identity{Kind: RunningPod, Namespace: g.name(s)}
	if n, ok := g.index[id]; ok {
		return n
	}
	n := g.vertexOf(id)
	if s == wholeCluster {
		for i := range g.namespaces {
			if len(g.places[i].running) > 0 || !g.workloadsRead() {
				g.choose(n, g.runningPod(scope(i)), Yes)
			}
		}
		return n
	}
	p := g.places[s]
	for _, account := range p.running {
		g.choose(n, account, Yes)
	}
	if !g.workloadsRead() {
		g.choose(n, g.allAccounts(s), Unclear)
	}
	if p.escapes != No && len(p.running) > 0 {
		g.edges = append(g.edges, edge{from: n, to: g.index[AnyNode], how: breakOut, certain: p.escapes == Yes})
	}
	g.nodes[n].inside = append(g.nodes[n].inside, p.insides(s, "a pod of the namespace mounts it")...)
	return n
}

func (p *place) insides(s scope, says string) []inside {
	var out []inside
	if len(p.mounted) > 0 {
		out = append(out, inside{at: s, kind: "secrets", names: p.mounted, says: says})
	}
	if len(p.maps) > 0 {
		out = append(out, inside{at: s, kind: "configmaps", names: p.maps, says: says})
	}
	return out
}

func (g *Graph) workloadsRead() bool {
	return g.estate.Coverage(estate.Workloads.Kind).State == estate.Read
}

// insideNodes gives a node what its kubelet may read, and makes whoever works
// on it whoever its pods are.
func (g *Graph) insideNodes() {
	n := g.index[AnyNode]
	const says = "the node authorizer lets a kubelet read what the pods of its node mount"
	for i, p := range g.places {
		g.nodes[n].inside = append(g.nodes[n].inside, p.insides(scope(i), says)...)
		for _, account := range p.running {
			g.edges = append(g.edges, edge{from: n, to: account, how: podOnNode, certain: true})
		}
	}
	if !g.workloadsRead() {
		g.edges = append(g.edges, edge{from: n, to: g.allAccounts(wholeCluster), how: podOnNode})
	}
	for m := range g.nodes {
		id := g.nodes[m].id
		if id.Kind != NodeIdentity || id == AnyNode {
			continue
		}
		accounts, known := g.workloads.onNode[id.Name]
		if !known {
			g.edges = append(g.edges, edge{from: int32(m), to: g.runningPod(wholeCluster), how: podOnNode})
		}
		for _, account := range accounts {
			g.edges = append(g.edges, edge{from: int32(m), to: account, how: podOnNode, certain: true})
		}
	}
}

// choose adds the edge from a set to one of it.
func (g *Graph) choose(from, to int32, certain Answer) {
	g.edges = append(g.edges, edge{from: from, to: to, certain: certain == Yes})
}

func (g *Graph) allAccounts(s scope) int32 {
	id := Identity{Kind: allAccounts, Namespace: g.name(s)}
	if n, ok := g.index[id]; ok {
		return n
	}
	n := g.vertexOf(id)
	if s == wholeCluster {
		for i := range g.namespaces {
			g.choose(n, g.allAccounts(scope(i)), Yes)
		}
		return n
	}
	for _, account := range g.places[s].accounts {
		g.choose(n, account, Yes)
	}
	return n
}

// anyOf returns the node of all users, of all groups, or of all that a
// certificate can name.
func (g *Graph) anyOf(kind IdentityKind) int32 {
	id := Identity{Kind: kind}
	if n, ok := g.index[id]; ok {
		return n
	}
	n := g.vertexOf(id)
	for m := range n {
		switch other := g.nodes[m].id; {
		case other.Kind == KubernetesUser && kind != allGroups && other.Name != anonymous,
			other.Kind == KubernetesGroup && kind != allUsers && other.Name != unauthenticated &&
				// The API server signs no certificate of this group.
				(kind != allClients || other.Name != masters):
			g.choose(n, m, Yes)
		}
	}
	return n
}

// taken returns the node of the rights of a ClusterRole that somebody gives
// himself in a namespace, in every one, or in the cluster.
func (g *Graph) taken(name, namespace string) int32 {
	id := Identity{Kind: TakenRole, Namespace: namespace, Name: name}
	if n, ok := g.index[id]; ok {
		return n
	}
	n := g.vertexOf(id)
	if namespace == Everywhere {
		for _, ns := range g.namespaces {
			g.choose(n, g.taken(name, ns), Yes)
		}
		return n
	}
	if r := g.book.find("", rbacv1.RoleRef{Kind: "ClusterRole", Name: name}); r != nil {
		g.give(n, holding{role: r, at: g.scope(namespace), certain: Yes, binding: &binding{says: "ClusterRole " + name + " is bound to it"}})
	}
	return n
}

// takenRole is taken for a Role.
func (g *Graph) takenRole(s scope, name string) (int32, bool) {
	r := g.book.roles[g.name(s)+"/"+name]
	if r == nil || s == wholeCluster {
		return 0, false
	}
	id := Identity{Kind: TakenRole, Namespace: g.name(s), Name: "Role " + name}
	n, ok := g.index[id]
	if !ok {
		n = g.vertexOf(id)
		g.give(n, holding{role: r, at: s, certain: Yes, binding: &binding{says: fmt.Sprintf("%s is bound to it", r.name)}})
	}
	return n, true
}

// anyRole returns the node of the Roles of a namespace, or of all.
func (g *Graph) anyRole(s scope) int32 {
	id := Identity{Kind: allRoles, Namespace: g.name(s)}
	if n, ok := g.index[id]; ok {
		return n
	}
	n := g.vertexOf(id)
	if s == wholeCluster {
		for i := range g.namespaces {
			g.choose(n, g.anyRole(scope(i)), Yes)
		}
		return n
	}
	for _, r := range g.rolesOf()[g.name(s)] {
		if m, ok := g.takenRole(s, r); ok {
			g.choose(n, m, Yes)
		}
	}
	return n
}

// rolesOf returns the names of the Roles of each namespace.
func (g *Graph) rolesOf() map[string][]string {
	if g.roles == nil {
		g.roles = map[string][]string{}
		for _, r := range g.book.order {
			if r.ref.Kind == estate.Roles.Kind {
				g.roles[r.ref.Namespace] = append(g.roles[r.ref.Namespace], r.ref.Name)
			}
		}
	}
	return g.roles
}

// podsNamed returns the service accounts of the pods of a name in a scope, and
// whether that is sure: the name of a pod that is yet to come begins with that of its workload.
func (g *Graph) podsNamed(s scope, name string) []int32 {
	var out []int32
	for _, p := range g.workloads.pods[strings.TrimSuffix(name, "/")] {
		if s == wholeCluster || p.at == s {
			out = append(out, p.account)
		}
	}
	return out
}
