package access

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	rbacv1 "k8s.io/api/rbac/v1"

	"github.com/eksafe/eksafe/internal/estate"
)

// What people become on the way to a right, beside the identities that sign in.
const (
	NewPod     IdentityKind = "NewPod"     // a pod that somebody makes in a namespace
	RunningPod IdentityKind = "RunningPod" // a pod that runs in a namespace
	TakenRole  IdentityKind = "TakenRole"  // the rights of a role that somebody gives himself

	// Sets of identities, which no chain shows: it goes on to one of them.
	allAccounts IdentityKind = "allAccounts" // of a namespace, or of all
	allUsers    IdentityKind = "allUsers"
	allGroups   IdentityKind = "allGroups"
	allClients  IdentityKind = "allClients" // whoever a certificate can name
	allRoles    IdentityKind = "anyRole"    // of a namespace, or of all
)

// Anonymous is whoever does not sign in.
var Anonymous = Identity{Kind: Anybody, Name: "anybody"}

// AnyNode is a node of the choice of whoever becomes it: a pod can ask for the
// node that it runs on.
var AnyNode = Identity{Kind: NodeIdentity, Name: Everywhere}

// Groups of Kubernetes itself.
const (
	masters         = "system:masters"
	authenticated   = "system:authenticated"
	unauthenticated = "system:unauthenticated"
	accountsGroup   = "system:serviceaccounts"
	nodesGroup      = "system:nodes"
	anonymous       = "system:anonymous"
	clusterAdmin    = "cluster-admin"
)

// Label names the identity in a sentence: "service account prod/deployer",
// "group dev-team", "a new pod in prod".
func (i Identity) Label() string {
	in := ""
	switch i.Namespace {
	case "":
	case Everywhere:
		in = " in every namespace"
	default:
		in = " in " + i.Namespace
	}
	switch i.Kind {
	case ServiceAccount:
		return "service account " + i.Namespace + "/" + i.Name
	case KubernetesUser:
		return "user " + i.Name
	case KubernetesGroup:
		return "group " + i.Name
	case NodeIdentity:
		if i.Name == Everywhere {
			return "a node"
		}
		return "node " + i.Name
	case AWSAccount:
		return "account " + i.Name
	case NewPod:
		return "a new pod" + cmp.Or(in, " in any namespace")
	case RunningPod:
		return "a running pod" + cmp.Or(in, " in any namespace")
	case TakenRole:
		return i.Name + cmp.Or(in, " of the cluster")
	case IAMUser, IAMRole, IAMGroup:
		if strings.HasPrefix(i.Name, "arn:") {
			return i.Name
		}
		return "IAM " + strings.ToLower(strings.TrimPrefix(string(i.Kind), "IAM")) + " " + i.Name
	case Administrator:
		if i.Name == "" {
			return "an administrator of the account"
		}
		return "an administrator of account " + i.Name
	}
	return i.Name
}

// A Given is rules that somebody has without a binding: those of an access
// policy of EKS.
type Given struct {
	Holder     Identity
	Rules      []rbacv1.PolicyRule
	Namespaces []string // names, and patterns such as "dev-*"; nil for the whole cluster
	Grants     []Grant  // where it is written
	Certain    Answer
}

// A Beyond is what is known of access beside RBAC: ways from and to identities
// of AWS, and rights that no binding gives.
type Beyond struct {
	Known  []Identity // who is there, with steps or without
	Steps  []Step
	Rights []Given
	// Unread says what could not be read, in sentences.
	Unread []string
}

// A scope is a namespace by its number, or the whole cluster.
type scope int32

const wholeCluster scope = -1

// A Graph is who can do what on the API server of an estate, and who can become
// whom. It is built once and then only asked.
type Graph struct {
	estate     *estate.Estate
	aws        *AWS // nil of a graph of Kubernetes alone
	book       *book
	nodes      []*vertex
	index      map[Identity]int32
	namespaces []string
	scopes     map[string]scope
	places     []*place // by scope
	workloads  workloadIndex

	edges   []edge
	out, in [][]int32 // edges by their ends
	unread  []string
	guesses bool    // some edge is there only if a policy that was not read says so
	work    []int32 // nodes whose edges are to be made
	admin   int32

	operators operators
	context   string              // the cluster of the bindings by its name in AWS, "" if that is not known
	roles     map[string][]string // names of the Roles of each namespace, once asked for
}

// A vertex is an identity, a set of them, or what they become on the way.
type vertex struct {
	id     Identity
	parent int32 // the group that it is in by nature, -1 for none
	holds  []holding
	inside []inside
	held   map[scope]*held
	order  []scope // of held
	made   bool    // its edges
}

// A holding is a role that somebody has by a binding.
type holding struct {
	role    *ruleSet
	at      scope
	binding *binding
	subject int32 // of the binding
	certain Answer
}

// A binding is a RoleBinding, a ClusterRoleBinding, or what gives a Given.
type binding struct {
	ref    estate.Ref
	origin *estate.Origin
	name   string
	given  []Grant // of a Given
	says   string  // of a rule of Kubernetes itself
}

// An inside is what somebody reads in the place where he is, without asking the
// API server for it: what a pod mounts, and what a webhook is shown.
type inside struct {
	at    scope
	kind  string   // "secrets", "configmaps"
	names []string // nil for all
	by    *hook    // what it is instead, of a webhook
	says  string
}

// held are the rights of the table that somebody has in one scope.
type held struct {
	full  rights
	maybe rights // on any name, if something unclear holds
	named rights
	by    [nRights]int32 // the holding that gives it
	some  [nRights]int32 // the first holding that gives it on names
}

// An edge is a way from one node to another.
type edge struct {
	from, to int32
	how      *way // nil: a member is in its group, or one of a set is taken
	certain  bool
	proofs   []proof
	step     *Step // from beyond RBAC
}

// free reports whether the edge is no step of a chain.
func (e *edge) free() bool { return e.how == nil && e.step == nil }

// A proof is a right that a way needs, and who gives it.
type proof struct {
	node    int32
	holding int32
	right   right
	named   bool
}

// New returns the graph of an estate.
func New(e *estate.Estate, beyond ...Beyond) *Graph {
	g := &Graph{estate: e, book: newBook(e), index: map[Identity]int32{}, scopes: map[string]scope{}, context: contextOf(e)}
	g.readNamespaces()
	g.vertexOf(Identity{Kind: KubernetesGroup, Name: masters})
	g.admin = g.taken(everyRole, "")
	g.bindMasters()
	g.readBindings()
	for _, b := range beyond {
		for _, id := range b.Known {
			g.vertexOf(g.canonical(id))
		}
		for _, s := range b.Steps {
			g.vertexOf(g.canonical(s.From))
			g.vertexOf(g.canonical(s.To))
		}
	}
	hooks := standingHooks(e)
	for i := range hooks {
		g.scope(hooks[i].service.Namespace)
	}
	g.readAccounts()
	g.readWorkloads()
	for _, b := range beyond {
		g.unread = append(g.unread, b.Unread...)
		for _, r := range b.Rights {
			g.hold(r)
		}
	}
	g.vertexOf(AnyNode)
	g.insideNodes()
	g.readOperators()
	g.readWebhooks(hooks)
	g.walkOn(beyond)
	g.connect()
	g.noteUnread()
	return g
}

func (g *Graph) readNamespaces() {
	for _, n := range estate.Namespaces.In(g.estate) {
		g.scope(n.Object.Name)
	}
	for i, n := range estate.Namespaces.In(g.estate) {
		g.places[g.scopes[n.Object.Name]].security = podSecurity(n)
		g.places[g.scopes[n.Object.Name]].read = i + 1
	}
}

// scope returns the number of a namespace; "" is the whole cluster.
func (g *Graph) scope(namespace string) scope {
	if namespace == "" {
		return wholeCluster
	}
	s, ok := g.scopes[namespace]
	if !ok {
		s = scope(len(g.namespaces))
		g.scopes[strings.Clone(namespace)] = s
		g.namespaces = append(g.namespaces, namespace)
		g.places = append(g.places, &place{})
	}
	return s
}

func (g *Graph) name(s scope) string {
	if s == wholeCluster {
		return ""
	}
	return g.namespaces[s]
}

// vertexOf returns the node of an identity, and makes it and the groups that it
// is in by nature.
func (g *Graph) vertexOf(id Identity) int32 {
	if n, ok := g.index[id]; ok {
		return n
	}
	n := int32(len(g.nodes))
	g.nodes = append(g.nodes, &vertex{id: id, parent: -1})
	g.index[id] = n
	if group, ok := natural(id); ok {
		parent := g.vertexOf(group)
		g.nodes[n].parent = parent
		g.edges = append(g.edges, edge{from: n, to: parent, certain: true})
	}
	g.work = append(g.work, n)
	return n
}

// natural returns the group that Kubernetes puts an identity into. Those of a
// cluster whose bindings are not known are in none of this one.
func natural(id Identity) (Identity, bool) {
	if id.Cluster != "" {
		return Identity{}, false
	}
	if id == Anonymous {
		return Identity{Kind: KubernetesUser, Name: anonymous}, true
	}
	group := func(name string) (Identity, bool) { return Identity{Kind: KubernetesGroup, Name: name}, true }
	switch id.Kind {
	case ServiceAccount:
		return group(accountsGroup + ":" + id.Namespace)
	case NodeIdentity:
		return group(nodesGroup)
	case KubernetesUser:
		if id.Name == anonymous {
			return group(unauthenticated)
		}
		return group(authenticated)
	case KubernetesGroup:
		switch {
		case id.Name == authenticated, id.Name == unauthenticated:
			return Identity{}, false
		case strings.HasPrefix(id.Name, accountsGroup+":"):
			return group(accountsGroup)
		}
		return group(authenticated)
	}
	return Identity{}, false
}

// subjectIdentity returns who a subject of a binding is.
func subjectIdentity(namespace string, s rbacv1.Subject) (Identity, bool) {
	switch s.Kind {
	case rbacv1.ServiceAccountKind:
		return Identity{Kind: ServiceAccount, Namespace: cmp.Or(s.Namespace, namespace), Name: s.Name}, cmp.Or(s.Namespace, namespace) != ""
	case rbacv1.GroupKind:
		return Identity{Kind: KubernetesGroup, Name: s.Name}, true
	case rbacv1.UserKind:
		return userIdentity(s.Name), true
	}
	return Identity{}, false
}

// userIdentity returns who signs in under a name: service accounts and nodes
// are users too.
func userIdentity(name string) Identity {
	if rest, ok := strings.CutPrefix(name, "system:serviceaccount:"); ok {
		if namespace, account, ok := strings.Cut(rest, ":"); ok {
			return Identity{Kind: ServiceAccount, Namespace: namespace, Name: account}
		}
	}
	if rest, ok := strings.CutPrefix(name, "system:node:"); ok && rest != "" && rest != Everywhere {
		return Identity{Kind: NodeIdentity, Name: rest}
	}
	return Identity{Kind: KubernetesUser, Name: name}
}

// bindMasters gives the group system:masters what the API server gives it
// without a look at RBAC.
func (g *Graph) bindMasters() {
	n := g.vertexOf(Identity{Kind: KubernetesGroup, Name: masters})
	g.give(n, holding{role: g.book.find("", rbacv1.RoleRef{Kind: "ClusterRole", Name: everyRole}), at: wholeCluster, certain: Yes,
		binding: &binding{says: "the API server lets group system:masters do everything"}})
}

// everyRole is the role that allows everything. It is not the estate's own of that name,
// which somebody may have changed.
const everyRole = "cluster-admin"

func (g *Graph) give(n int32, h holding) {
	g.book.count(h.role)
	g.nodes[n].holds = append(g.nodes[n].holds, h)
}

func (g *Graph) readBindings() {
	bind := func(b *binding, namespace string, subjects []rbacv1.Subject, ref rbacv1.RoleRef) {
		r := g.book.find(namespace, ref)
		if r == nil {
			if len(subjects) > 0 {
				g.unread = append(g.unread, fmt.Sprintf("%s %s, which %s gives, was not found", ref.Kind, ref.Name, b.name))
			}
			return
		}
		at := g.scope(namespace)
		for i, s := range subjects {
			if id, ok := subjectIdentity(namespace, s); ok {
				g.give(g.vertexOf(id), holding{role: r, at: at, binding: b, subject: int32(i), certain: Yes})
			}
		}
	}
	for _, b := range estate.ClusterRoleBindings.In(g.estate) {
		bind(&binding{ref: estate.ClusterRoleBindings.Ref(b), origin: &b.Origin, name: "ClusterRoleBinding " + b.Object.Name},
			"", b.Object.Subjects, b.Object.RoleRef)
	}
	for _, b := range estate.RoleBindings.In(g.estate) {
		if b.Object.Namespace == "" {
			continue // nothing that a cluster would take
		}
		bind(&binding{ref: estate.RoleBindings.Ref(b), origin: &b.Origin, name: "RoleBinding " + b.Object.Namespace + "/" + b.Object.Name},
			b.Object.Namespace, b.Object.Subjects, b.Object.RoleRef)
	}
}

// readAccounts makes the service accounts: those that were read, and the
// default one of each namespace, which no file shows.
func (g *Graph) readAccounts() {
	for _, a := range estate.ServiceAccounts.In(g.estate) {
		if a.Object.Namespace != "" {
			g.scope(a.Object.Namespace)
			g.vertexOf(Identity{Kind: ServiceAccount, Namespace: a.Object.Namespace, Name: a.Object.Name})
		}
	}
	for _, w := range estate.Workloads.In(g.estate) {
		if w.Namespace != "" {
			g.scope(w.Namespace)
			g.vertexOf(podAccount(w))
		}
	}
	for _, n := range g.nodes {
		if n.id.Kind == ServiceAccount {
			g.scope(n.id.Namespace)
		}
	}
	for _, name := range g.namespaces {
		g.vertexOf(Identity{Kind: ServiceAccount, Namespace: name, Name: "default"})
	}
}

// hold gives somebody the rules of a Given.
func (g *Graph) hold(r Given) {
	if r.Certain == No {
		return
	}
	role := &ruleSet{}
	g.book.write(role, r.Rules)
	n := g.vertexOf(g.canonical(r.Holder))
	b := &binding{given: r.Grants}
	if r.Namespaces == nil {
		g.give(n, holding{role: role, at: wholeCluster, binding: b, certain: r.Certain})
	}
	for i, name := range g.namespaces {
		if slices.ContainsFunc(r.Namespaces, func(pattern string) bool { return Match(pattern, name) }) {
			g.give(n, holding{role: role, at: scope(i), binding: b, certain: r.Certain})
		}
	}
}

// walkOn adds the steps from and to identities beyond RBAC.
func (g *Graph) walkOn(beyond []Beyond) {
	for _, b := range beyond {
		for i := range b.Steps {
			s := &b.Steps[i]
			if s.Certain == No {
				continue
			}
			from, to := g.vertexOf(g.canonical(s.From)), g.vertexOf(g.canonical(s.To))
			g.edges = append(g.edges, edge{from: from, to: to, certain: s.Certain == Yes, step: s})
			g.guesses = g.guesses || len(s.Unread) > 0
		}
	}
	anyNode := g.index[AnyNode]
	for n := range g.nodes {
		id := g.nodes[n].id
		if id.Kind == NodeIdentity && id != AnyNode {
			g.edges = append(g.edges, edge{from: anyNode, to: int32(n), certain: true})
		}
	}
}

// canonical returns the one form of an identity: users by whose name a service
// account or a node signs in are those, and the cluster that RBAC was read of
// goes without its name.
func (g *Graph) canonical(id Identity) Identity {
	if id.Cluster != "" && g.isOurs(id.Cluster) {
		id.Cluster = ""
	}
	switch {
	case id.Kind == KubernetesUser:
		cluster := id.Cluster
		id = userIdentity(id.Name)
		id.Cluster = cluster
	case id.Kind == NodeIdentity && id.Name == "":
		id.Name = Everywhere
	case g.aws != nil && (id.Kind == IAMUser || id.Kind == IAMRole):
		id = g.aws.identityOf(id.Name)
	}
	return id
}

// isOurs reports whether the bindings of the estate are, or may be, those of a
// cluster. Files do not say whose they are, and a context may have any name.
func (g *Graph) isOurs(cluster string) bool { return g.context == "" || g.context == cluster }

// contextOf returns the cluster of the bindings by its name in AWS.
func contextOf(e *estate.Estate) string {
	for _, b := range estate.ClusterRoleBindings.In(e) {
		if b.Origin.Cluster == "" {
			continue
		}
		name := estate.ShortName(b.Origin.Cluster)
		if slices.ContainsFunc(estate.Clusters.In(e), func(c *estate.Cluster) bool { return c.Name == name }) {
			return name
		}
		return ""
	}
	return ""
}

// count sums up what a node holds in each scope.
func (g *Graph) count(n *vertex) {
	if n.held != nil {
		return
	}
	n.held = make(map[scope]*held, 1)
	for i, h := range n.holds {
		here := n.held[h.at]
		if here == nil {
			here = &held{}
			n.held[h.at] = here
			n.order = append(n.order, h.at)
		}
		gives, named := h.role.gives, h.role.givesNamed
		if h.at != wholeCluster {
			gives, named = gives&^clusterRights, named&^clusterRights
			if h.role.ref.Kind == estate.Roles.Kind {
				gives |= 1 << boundToRole
			}
		}
		into := &here.full
		if h.certain != Yes {
			into = &here.maybe
		}
		for fresh := gives &^ (here.full | *into); fresh != 0; {
			t := fresh.next()
			fresh &^= 1 << t
			here.by[t] = int32(i)
		}
		*into |= gives
		here.maybe &^= here.full
		for fresh := named &^ here.named; fresh != 0; {
			t := fresh.next()
			fresh &^= 1 << t
			here.some[t] = int32(i)
		}
		here.named |= named
	}
	slices.Sort(n.order)
}

// connect makes the edges of every node, of those too that come up on the way.
func (g *Graph) connect() {
	for len(g.work) > 0 {
		batch := g.work
		g.work = nil
		for _, n := range batch {
			g.count(g.nodes[n])
		}
		for _, n := range batch {
			if !g.nodes[n].made {
				g.nodes[n].made = true
				g.escalate(n)
			}
		}
	}
	g.out, g.in = make([][]int32, len(g.nodes)), make([][]int32, len(g.nodes))
	outs, ins := make([]int32, len(g.nodes)), make([]int32, len(g.nodes))
	for _, e := range g.edges {
		outs[e.from]++
		ins[e.to]++
	}
	for n := range g.nodes {
		g.out[n], g.in[n] = make([]int32, 0, outs[n]), make([]int32, 0, ins[n])
	}
	for i, e := range g.edges {
		g.out[e.from] = append(g.out[e.from], int32(i))
		g.in[e.to] = append(g.in[e.to], int32(i))
	}
}

// noteUnread collects what was not read and may hold more answers.
func (g *Graph) noteUnread() {
	for _, k := range []estate.Kind{estate.Roles.Kind, estate.ClusterRoles.Kind, estate.RoleBindings.Kind, estate.ClusterRoleBindings.Kind} {
		switch c := g.estate.Coverage(k); {
		case c.State == estate.Read:
		case c.Why != "":
			g.unread = append(g.unread, fmt.Sprintf("%s: %s", k, c.Why))
		case c.State == estate.NotAsked:
			g.unread = append(g.unread, fmt.Sprintf("%s: no Kubernetes source was asked (add --kube or manifests)", k))
		default:
			g.unread = append(g.unread, fmt.Sprintf("%s: %s", k, c.State))
		}
	}
	for _, k := range []estate.Kind{estate.MutatingWebhookConfigurations.Kind, estate.ValidatingWebhookConfigurations.Kind} {
		if c := g.estate.Coverage(k); c.Why != "" {
			g.unread = append(g.unread, fmt.Sprintf("%s: %s", k, c.Why))
		}
	}
	if cut := g.operators.cut(); cut != "" {
		g.unread = append(g.unread, cut)
	}
	for _, name := range g.book.cut {
		g.unread = append(g.unread, name+": too many roles are aggregated into it to gather all rules")
	}
	slices.Sort(g.unread)
	g.unread = slices.Compact(g.unread)
}

// Unread says what could not be read, in sentences: where there is any, an
// answer may lack somebody.
func (g *Graph) Unread() []string { return slices.Clone(g.unread) }

// Namespaces returns the names of the namespaces that the estate shows.
func (g *Graph) Namespaces() []string { return slices.Sorted(slices.Values(g.namespaces)) }
