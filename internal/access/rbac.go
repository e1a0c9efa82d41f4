package access

import (
	"fmt"
	"slices"
	"strings"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/component-helpers/auth/rbac/validation"

	"github.com/eksafe/eksafe/internal/estate"
)

// Everywhere stands in a Query for any namespace.
const Everywhere = "*"

// A Query asks for one right on the API server.
type Query struct {
	Verb        string `json:"verb"`                  // "get", "create", "*"
	Group       string `json:"group,omitempty"`       // of the API, "" for the core's
	Resource    string `json:"resource,omitempty"`    // in the plural: "secrets"
	Subresource string `json:"subresource,omitempty"` // "exec" of pods
	// Name is that of one object. Without it the right on all of them is
	// asked for; who has it on some is told apart.
	Name string `json:"name,omitempty"`
	// Namespace is "" for what stands in none and for a request of all
	// namespaces at once, "*" (Everywhere) for whichever.
	Namespace string `json:"namespace,omitempty"`
	URL       string `json:"url,omitempty"` // instead of a resource: "/metrics"
}

// String returns "get secrets/orders-db in prod", "create pods/exec".
func (q Query) String() string {
	b := q.Verb + " "
	if q.URL != "" {
		return b + q.URL
	}
	switch {
	case q.Resource == "*" && q.Group == "*" && q.Verb == "*":
		b = "everything"
	case q.Resource == "*" && q.Group == "*":
		b += "every resource"
	case q.Group == "" || q.Group == "*":
		b += q.Resource
	default:
		b += q.Resource + "." + q.Group
	}
	if q.Subresource != "" {
		b += "/" + q.Subresource
	}
	if q.Name != "" {
		b += " " + q.Name
	}
	switch q.Namespace {
	case "":
		return b
	case Everywhere:
		return b + " in some namespace"
	}
	return b + " in " + q.Namespace
}

// rule returns the query as the rule that allows it and nothing else.
func (q Query) rule() rbacv1.PolicyRule {
	if q.URL != "" {
		return rbacv1.PolicyRule{Verbs: []string{q.Verb}, NonResourceURLs: []string{q.URL}}
	}
	resource := q.Resource
	if q.Subresource != "" {
		resource += "/" + q.Subresource
	}
	return rbacv1.PolicyRule{Verbs: []string{q.Verb}, APIGroups: []string{q.Group}, Resources: []string{resource}}
}

// nameless reports whether requests of the query carry no name, so that a rule
// with names never allows them: what is created has no name yet, and a
// collection is deleted as a whole. A list has one where it asks for
// metadata.name, and a subresource that of its object.
func (q Query) nameless() bool {
	return q.URL == "" && (q.Verb == "deletecollection" || q.Verb == "create" && q.Subresource == "")
}

// A shape is a rule without its names. Most roles of a cluster are written from
// few templates, so that rules are judged by their shapes.
type shape struct {
	rule     rbacv1.PolicyRule
	gives    rights         // of the table, on any name
	named    rights         // of the table, where the rule has names
	how      [nRights]uint8 // of each right the query that it allows
	howNamed [nRights]uint8
}

// covers reports whether the shape allows what the rule allows. It is
// Kubernetes that matches them; most shapes are of another verb, and to ask is
// not free.
func (s *shape) covers(wanted []rbacv1.PolicyRule) bool {
	if verb := wanted[0].Verbs[0]; !slices.Contains(s.rule.Verbs, verb) && !slices.Contains(s.rule.Verbs, rbacv1.VerbAll) {
		return false
	}
	ok, _ := validation.Covers([]rbacv1.PolicyRule{s.rule}, wanted)
	return ok
}

// An entry is one rule of a role.
type entry struct {
	shape int32
	names []string // to which it is limited, nil for none
	index int32    // in the role where it is written
	in    *ruleSet
}

func (r entry) field() string {
	if r.in.ref.IsZero() {
		return ""
	}
	return fmt.Sprintf("rules[%d]", r.index)
}

// A ruleSet is a Role, a ClusterRole, or rules that somebody has without one.
type ruleSet struct {
	number int32 // among those that somebody has
	ref    estate.Ref
	origin *estate.Origin
	name   string // "ClusterRole edit"
	rules  []entry

	gives       rights             // of the table, on any name
	givesNamed  rights             // on some names only
	first       map[right]int32    // the rule that gives it
	firstNamed  map[right]int32    // the first of those with names
	namesOf     map[right][]string // all names of givesNamed
	aggregation *rbacv1.AggregationRule
	labels      map[string]string
}

// A book is all roles of an estate, and the shapes of their rules.
type book struct {
	roles   map[string]*ruleSet // "namespace/name", "/name" of a ClusterRole
	order   []*ruleSet
	shapes  []*shape
	byText  map[string]int32
	counted int32
	cut     []string // aggregated roles of which not all rules were gathered
	shipped map[string]*ruleSet
}

func newBook(e *estate.Estate) *book {
	b := &book{roles: map[string]*ruleSet{}, byText: map[string]int32{}, shipped: map[string]*ruleSet{}}
	for _, r := range estate.Roles.In(e) {
		b.add(r.Object.Namespace+"/"+r.Object.Name, &ruleSet{
			ref: estate.Roles.Ref(r), origin: &r.Origin, name: "Role " + r.Object.Namespace + "/" + r.Object.Name,
		}, r.Object.Rules)
	}
	for _, r := range estate.ClusterRoles.In(e) {
		b.add("/"+r.Object.Name, &ruleSet{
			ref: estate.ClusterRoles.Ref(r), origin: &r.Origin, name: "ClusterRole " + r.Object.Name,
			aggregation: r.Object.AggregationRule, labels: r.Object.Labels,
		}, r.Object.Rules)
	}
	b.aggregate()
	return b
}

func (b *book) add(key string, r *ruleSet, rules []rbacv1.PolicyRule) {
	b.write(r, rules)
	if b.roles[key] == nil {
		b.order = append(b.order, r)
	}
	b.roles[key] = r // the last declaration of a role is the one that is applied
}

// write gives rules to a role.
func (b *book) write(r *ruleSet, rules []rbacv1.PolicyRule) {
	r.rules = make([]entry, 0, len(rules))
	for i, p := range rules {
		r.rules = append(r.rules, entry{shape: b.shape(p), names: p.ResourceNames, index: int32(i), in: r})
	}
}

// shape interns a rule without its names.
func (b *book) shape(p rbacv1.PolicyRule) int32 {
	p.ResourceNames = nil
	var text strings.Builder
	for _, list := range [][]string{p.Verbs, p.APIGroups, p.Resources, p.NonResourceURLs} {
		for _, s := range list {
			text.WriteString(s)
			text.WriteByte(0)
		}
		text.WriteByte(1)
	}
	key := text.String()
	i, ok := b.byText[key]
	if !ok {
		i = int32(len(b.shapes))
		b.shapes = append(b.shapes, &shape{rule: p})
		b.shapes[i].judge()
		b.byText[key] = i
	}
	return i
}

// maxGathered bounds the steps of gathering the rules of aggregated roles:
// roles that all select each other cost the square of their number.
const maxGathered = 5_000_000

// aggregate writes the rules of the roles that they select into aggregated
// roles, as the controller of a cluster does, over roles that are aggregated
// themselves, in circles too. What a cluster shows is written already.
func (b *book) aggregate() {
	var out []*ruleSet
	for _, r := range b.order {
		if r.aggregation != nil && len(r.rules) == 0 {
			out = append(out, r)
		}
	}
	budget := maxGathered
	selected := map[*ruleSet][]*ruleSet{}
	for _, r := range out {
		selectors := make([]labels.Selector, 0, len(r.aggregation.ClusterRoleSelectors))
		for _, s := range r.aggregation.ClusterRoleSelectors {
			if selector, err := metav1.LabelSelectorAsSelector(&s); err == nil {
				selectors = append(selectors, selector)
			}
		}
		for _, from := range b.order {
			if budget--; budget < 0 {
				break
			}
			if from.ref.Kind == estate.ClusterRoles.Kind && slices.ContainsFunc(selectors, func(s labels.Selector) bool { return s.Matches(labels.Set(from.labels)) }) {
				selected[r] = append(selected[r], from)
			}
		}
	}
	gathered := map[*ruleSet][]entry{}
	for _, r := range out {
		seen := map[*ruleSet]bool{r: true}
		for queue := []*ruleSet{r}; len(queue) > 0; queue = queue[1:] {
			gathered[r] = append(gathered[r], queue[0].rules...)
			budget -= 1 + len(queue[0].rules)
			for _, next := range selected[queue[0]] {
				if budget--; !seen[next] && budget > 0 {
					seen[next] = true
					queue = append(queue, next)
				}
			}
		}
		if budget < 0 {
			b.cut = append(b.cut, r.name)
		}
	}
	for r, rules := range gathered {
		r.rules = rules
	}
}

// find returns the role that a binding names: nil if it was not read and
// Kubernetes ships none of that name.
func (b *book) find(namespace string, ref rbacv1.RoleRef) *ruleSet {
	key := "/" + ref.Name
	if ref.Kind == "Role" {
		key = namespace + key
	}
	if r := b.roles[key]; r != nil {
		return r
	}
	if r := b.shipped[key]; r != nil {
		return r
	}
	rules, ok := shippedRules(key)
	if !ok {
		return nil
	}
	r := &ruleSet{name: ref.Kind + " " + ref.Name}
	b.write(r, rules)
	r.rules = append(r.rules, b.aggregatedTo(key)...)
	b.shipped[key] = r
	return r
}

// aggregatedTo returns the rules of the ClusterRoles that ask by a label to be
// part of a role that every cluster has. Admin has what edit has, and that what
// view has.
func (b *book) aggregatedTo(key string) []entry {
	roles := []string{"view", "edit", "admin"}
	i := slices.Index(roles, strings.TrimPrefix(key, "/"))
	var out []entry
	for _, r := range b.order {
		if i >= 0 && r.ref.Kind == estate.ClusterRoles.Kind && slices.ContainsFunc(roles[:i+1], func(name string) bool {
			return r.labels["rbac.authorization.k8s.io/aggregate-to-"+name] == "true"
		}) {
			out = append(out, r.rules...)
		}
	}
	return out
}

// count tells of a role which rights of the table it gives, once.
func (b *book) count(r *ruleSet) {
	if r.first != nil {
		return
	}
	r.number = b.counted
	b.counted++
	r.first, r.firstNamed, r.namesOf = map[right]int32{}, map[right]int32{}, map[right][]string{}
	for i, p := range r.rules {
		has := b.shapes[p.shape].gives
		if len(p.names) > 0 {
			has = b.shapes[p.shape].named &^ namelessRights
		}
		for has != 0 {
			t := has.next()
			has &^= 1 << t
			if len(p.names) == 0 {
				if r.gives&(1<<t) == 0 {
					r.gives |= 1 << t
					r.first[t] = int32(i)
				}
				continue
			}
			if r.givesNamed&(1<<t) == 0 {
				r.givesNamed |= 1 << t
				r.firstNamed[t] = int32(i)
			}
			for _, n := range p.names {
				if len(r.namesOf[t]) < maxNames && !slices.Contains(r.namesOf[t], n) {
					r.namesOf[t] = append(r.namesOf[t], n)
				}
			}
		}
	}
}

// maxNames bounds how many names of one right of one role are followed.
const maxNames = 1000

// shippedRules returns the rules of a role that every cluster has and no file
// shows, as of Kubernetes 1.37.
func shippedRules(key string) ([]rbacv1.PolicyRule, bool) {
	everything := []rbacv1.PolicyRule{
		{Verbs: []string{"*"}, APIGroups: []string{"*"}, Resources: []string{"*"}},
		{Verbs: []string{"*"}, NonResourceURLs: []string{"*"}},
	}
	ask := []rbacv1.PolicyRule{
		on(authenticationGroup, "create")("tokenreviews"),
		on(authorizationGroup, "create")("subjectaccessreviews"),
	}
	switch key {
	case "/cluster-admin":
		return everything, true
	case "/view":
		return shippedView(), true
	case "/edit":
		return append(shippedEdit(), shippedView()...), true
	case "/admin":
		return slices.Concat([]rbacv1.PolicyRule{
			on(authorizationGroup, "create")("localsubjectaccessreviews"),
			on(rbacv1.GroupName, append(slices.Clone(writing), looking...)...)("roles", "rolebindings"),
		}, shippedEdit(), shippedView()), true
	case "/system:auth-delegator":
		return ask, true
	case "/system:basic-user":
		return []rbacv1.PolicyRule{
			on(authorizationGroup, "create")("selfsubjectaccessreviews", "selfsubjectrulesreviews"),
			on(authenticationGroup, "create")("selfsubjectreviews"),
		}, true
	case "kube-system/extension-apiserver-authentication-reader":
		return []rbacv1.PolicyRule{{
			Verbs: looking, APIGroups: []string{""}, Resources: []string{"configmaps"}, ResourceNames: []string{"extension-apiserver-authentication"},
		}}, true
	}
	return nil, false
}

const (
	authenticationGroup = "authentication.k8s.io"
	authorizationGroup  = "authorization.k8s.io"
)

var (
	looking = []string{"get", "list", "watch"}
	writing = []string{"create", "delete", "deletecollection", "patch", "update"}
)

// on returns a function that returns the rule of the verbs on resources of a
// group.
func on(group string, verbs ...string) func(resources ...string) rbacv1.PolicyRule {
	return func(resources ...string) rbacv1.PolicyRule {
		return rbacv1.PolicyRule{Verbs: verbs, APIGroups: []string{group}, Resources: resources}
	}
}

func shippedEdit() []rbacv1.PolicyRule {
	look, write := func(group string) func(...string) rbacv1.PolicyRule { return on(group, looking...) },
		func(group string) func(...string) rbacv1.PolicyRule { return on(group, writing...) }
	return []rbacv1.PolicyRule{
		look("")("pods/attach", "pods/exec", "pods/portforward", "pods/proxy", "secrets", "services/proxy"),
		on("", "impersonate")("serviceaccounts"),
		write("")("pods", "pods/attach", "pods/exec", "pods/portforward", "pods/proxy"),
		on("", "create")("pods/eviction", "serviceaccounts/token"),
		write("")("configmaps", "persistentvolumeclaims", "replicationcontrollers", "replicationcontrollers/scale", "secrets", "serviceaccounts", "services", "services/proxy", "events"),
		write("events.k8s.io")("events"),
		write("apps")("daemonsets", "deployments", "deployments/rollback", "deployments/scale", "replicasets", "replicasets/scale", "statefulsets", "statefulsets/scale"),
		write("autoscaling")("horizontalpodautoscalers"),
		write("batch")("cronjobs", "jobs"),
		write("policy")("poddisruptionbudgets"),
		write("networking.k8s.io")("ingresses", "networkpolicies"),
		write("coordination.k8s.io")("leases"),
		look("coordination.k8s.io")("leases"),
		write("resource.k8s.io")("resourceclaims", "resourceclaimtemplates"),
	}
}

func shippedView() []rbacv1.PolicyRule {
	look := func(group string) func(...string) rbacv1.PolicyRule { return on(group, looking...) }
	return []rbacv1.PolicyRule{
		look("")("configmaps", "endpoints", "persistentvolumeclaims", "persistentvolumeclaims/status", "pods", "replicationcontrollers",
			"replicationcontrollers/scale", "serviceaccounts", "services", "services/status", "bindings", "limitranges", "namespaces/status",
			"pods/log", "pods/status", "replicationcontrollers/status", "resourcequotas", "resourcequotas/status", "namespaces", "events"),
		look("events.k8s.io")("events"),
		look("discovery.k8s.io")("endpointslices"),
		look("apps")("controllerrevisions", "daemonsets", "daemonsets/status", "deployments", "deployments/scale", "deployments/status",
			"replicasets", "replicasets/scale", "replicasets/status", "statefulsets", "statefulsets/scale", "statefulsets/status"),
		look("autoscaling")("horizontalpodautoscalers", "horizontalpodautoscalers/status"),
		look("batch")("cronjobs", "cronjobs/status", "jobs", "jobs/status"),
		look("policy")("poddisruptionbudgets", "poddisruptionbudgets/status"),
		look("networking.k8s.io")("ingresses", "ingresses/status", "networkpolicies"),
		look("resource.k8s.io")("resourceclaims", "resourceclaims/status", "resourceclaimtemplates"),
	}
}

// RulesOf returns the rules of a ClusterRole as the graph of an estate has them:
// aggregated, and those that Kubernetes ships where the estate shows none.
func RulesOf(e *estate.Estate, clusterRole string) []rbacv1.PolicyRule {
	b := newBook(e)
	r := b.find("", rbacv1.RoleRef{Kind: "ClusterRole", Name: clusterRole})
	if r == nil {
		return nil
	}
	out := make([]rbacv1.PolicyRule, 0, len(r.rules))
	for _, entry := range r.rules {
		p := b.shapes[entry.shape].rule
		p.ResourceNames = entry.names
		out = append(out, p)
	}
	return out
}
