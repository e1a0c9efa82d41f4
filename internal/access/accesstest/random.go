// Package accesstest makes random RBAC for tests that hold the answers of
// package access against other evaluators. It judges nothing.
package accesstest

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/eksafe/eksafe/internal/access"
	"github.com/eksafe/eksafe/internal/estate"
)

// A Set is the roles and bindings of a cluster.
type Set struct {
	Roles               []rbacv1.Role               `json:"roles"`
	ClusterRoles        []rbacv1.ClusterRole        `json:"clusterRoles"`
	RoleBindings        []rbacv1.RoleBinding        `json:"roleBindings"`
	ClusterRoleBindings []rbacv1.ClusterRoleBinding `json:"clusterRoleBindings"`
}

// A Principal is who asks: an identity, and under which name and in which
// groups the API server sees it.
type Principal struct {
	Identity access.Identity `json:"identity"`
	User     string          `json:"user"`
	Groups   []string        `json:"groups"`
}

// The words of random sets: few, so that they meet.
var (
	namespaces   = []string{"a", "b"}
	names        = []string{"x", "y"}
	verbs        = []string{"get", "list", "create", "update", "deletecollection", "impersonate", "*"}
	groups       = []string{"", "apps", "*"}
	resources    = []string{"pods", "secrets", "pods/log", "pods/exec", "*/log", "*", "deployments"}
	urls         = []string{"/healthz", "/api/*", "/api", "*", "/logs/*"}
	askedGroups  = []string{"", "apps", "batch"}
	askedURLs    = []string{"/healthz", "/api", "/api/v1", "/logs/", "/metrics"}
	askedObjects = [][2]string{{"pods", ""}, {"secrets", ""}, {"pods", "log"}, {"pods", "exec"}, {"deployments", ""}, {"deployments", "log"}}
)

func one[T any](r *rand.Rand, of []T) T { return of[r.IntN(len(of))] }

func some(r *rand.Rand, of []string) []string {
	var out []string
	for range 1 + r.IntN(2) {
		out = append(out, one(r, of))
	}
	return out
}

// Words of rules about custom resources. None of them gives a right over Kubernetes'
// own that leads anywhere.
var (
	customVerbs     = []string{"get", "create", "update", "patch", "watch", "*"}
	customGroups    = []string{"example.com", "example.org", "apps", "*"}
	customResources = []string{"widgets", "gadgets", "widgets/status", "gadgets/finalizers", "widgets/scale"}
	customWhole     = []string{"*", "*/status", "*/finalizers"} // of a group by name
)

func randomCustom(r *rand.Rand) []rbacv1.PolicyRule {
	var out []rbacv1.PolicyRule
	for range 1 + r.IntN(2) {
		p := rbacv1.PolicyRule{Verbs: some(r, customVerbs), APIGroups: some(r, customGroups), Resources: some(r, customResources)}
		if r.IntN(4) == 0 {
			p.APIGroups, p.Resources = some(r, customGroups[:2]), some(r, append(slices.Clone(customResources), customWhole...))
		}
		if r.IntN(3) == 0 {
			p.ResourceNames = some(r, names)
		}
		out = append(out, p)
	}
	return out
}

// RandomOperators returns a set about custom resources alone, and the service
// accounts that something runs as.
func RandomOperators(r *rand.Rand) (*Set, []access.Identity) {
	s := Random(r)
	for i := range s.ClusterRoles {
		s.ClusterRoles[i].Rules = randomCustom(r)
	}
	for i := range s.Roles {
		s.Roles[i].Rules = randomCustom(r)
	}
	var running []access.Identity
	for _, p := range s.Principals() {
		if p.Identity.Kind == access.ServiceAccount && r.IntN(3) > 0 {
			running = append(running, p.Identity)
		}
	}
	return s, running
}

// Run adds a workload that runs as a service account.
func Run(e *estate.Estate, id access.Identity) {
	w := &estate.Workload{Controller: "Deployment", ObjectMeta: metav1.ObjectMeta{Namespace: id.Namespace, Name: "runs-as-" + id.Name}}
	w.Template.Spec.ServiceAccountName = id.Name
	estate.Workloads.Add(e, w)
}

func randomRules(r *rand.Rand, cluster bool) []rbacv1.PolicyRule {
	var out []rbacv1.PolicyRule
	for range 1 + r.IntN(2) {
		if cluster && r.IntN(5) == 0 {
			out = append(out, rbacv1.PolicyRule{Verbs: some(r, verbs), NonResourceURLs: some(r, urls)})
			continue
		}
		p := rbacv1.PolicyRule{Verbs: some(r, verbs), APIGroups: some(r, groups), Resources: some(r, resources)}
		if r.IntN(3) == 0 {
			p.ResourceNames = some(r, names)
		}
		out = append(out, p)
	}
	return out
}

func randomSubjects(r *rand.Rand) []rbacv1.Subject {
	var out []rbacv1.Subject
	for range 1 + r.IntN(2) {
		switch r.IntN(6) {
		case 0, 1:
			out = append(out, rbacv1.Subject{APIGroup: rbacv1.GroupName, Kind: "User", Name: one(r, append([]string{"system:serviceaccount:a:x"}, names...))})
		case 2:
			out = append(out, rbacv1.Subject{APIGroup: rbacv1.GroupName, Kind: "Group", Name: one(r, []string{"devs", "ops"})})
		case 3:
			out = append(out, rbacv1.Subject{APIGroup: rbacv1.GroupName, Kind: "Group", Name: one(r, []string{
				"system:serviceaccounts", "system:serviceaccounts:a", "system:authenticated", "system:unauthenticated"})})
		default:
			out = append(out, rbacv1.Subject{Kind: "ServiceAccount", Namespace: one(r, namespaces), Name: one(r, names)})
		}
	}
	return out
}

// Random returns a set of a few roles and bindings, each of which is one that an
// API server takes.
func Random(r *rand.Rand) *Set {
	s := &Set{}
	for _, name := range names {
		s.ClusterRoles = append(s.ClusterRoles, rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: "test-" + name}, Rules: randomRules(r, true)})
		for _, ns := range namespaces {
			s.Roles = append(s.Roles, rbacv1.Role{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "test-" + name}, Rules: randomRules(r, false)})
		}
	}
	for i := range 2 + r.IntN(3) {
		ref := rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: one(r, []string{"Role", "ClusterRole"}), Name: "test-" + one(r, names)}
		s.RoleBindings = append(s.RoleBindings, rbacv1.RoleBinding{
			ObjectMeta: metav1.ObjectMeta{Namespace: one(r, namespaces), Name: fmt.Sprintf("test-%d", i)}, RoleRef: ref, Subjects: randomSubjects(r)})
	}
	for i := range r.IntN(2) {
		s.ClusterRoleBindings = append(s.ClusterRoleBindings, rbacv1.ClusterRoleBinding{
			ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("test-%d", i)},
			RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "test-" + one(r, names)}, Subjects: randomSubjects(r)})
	}
	return s
}

// RandomQuery returns a question to ask of such a set.
func RandomQuery(r *rand.Rand) access.Query {
	q := access.Query{Verb: one(r, verbs[:len(verbs)-1])}
	if r.IntN(8) == 0 {
		q.URL = one(r, askedURLs)
		return q
	}
	object := one(r, askedObjects)
	q.Group, q.Resource, q.Subresource = one(r, askedGroups), object[0], object[1]
	q.Namespace = one(r, append([]string{""}, namespaces...))
	// What is created by a name has one in no request.
	if r.IntN(2) == 0 && q.Verb != "deletecollection" && !(q.Verb == "create" && q.Subresource == "") {
		q.Name = one(r, append([]string{"z"}, names...))
	}
	return q
}

// Principals returns who may ask: users, groups by somebody in them alone, and
// service accounts, as the API server sees them.
func (s *Set) Principals() []Principal {
	var out []Principal
	for _, n := range append([]string{"nobody"}, names...) {
		out = append(out, Principal{access.Identity{Kind: access.KubernetesUser, Name: n}, n, []string{"system:authenticated"}})
	}
	for _, n := range []string{"devs", "ops", "system:masters"} {
		out = append(out, Principal{access.Identity{Kind: access.KubernetesGroup, Name: n}, "somebody", []string{n, "system:authenticated"}})
	}
	for _, ns := range namespaces {
		for _, n := range append([]string{"default"}, names...) {
			out = append(out, Principal{
				access.Identity{Kind: access.ServiceAccount, Namespace: ns, Name: n}, "system:serviceaccount:" + ns + ":" + n,
				[]string{"system:serviceaccounts", "system:serviceaccounts:" + ns, "system:authenticated"},
			})
		}
	}
	return append(out, Principal{access.Anonymous, "system:anonymous", []string{"system:unauthenticated"}})
}

// Names reports whether the set names an identity, so that an estate of it shows
// that it exists.
func (s *Set) Names(id access.Identity) bool {
	has := func(subjects []rbacv1.Subject) bool {
		return slices.ContainsFunc(subjects, func(o rbacv1.Subject) bool {
			return o.Name == id.Name && o.Namespace == id.Namespace && o.Kind == string(id.Kind)
		})
	}
	return slices.ContainsFunc(s.RoleBindings, func(b rbacv1.RoleBinding) bool { return has(b.Subjects) }) ||
		slices.ContainsFunc(s.ClusterRoleBindings, func(b rbacv1.ClusterRoleBinding) bool { return has(b.Subjects) })
}

// Estate returns the set as the whole of a cluster.
func (s *Set) Estate() *estate.Estate {
	e := &estate.Estate{}
	for _, k := range []estate.Kind{estate.Roles.Kind, estate.ClusterRoles.Kind, estate.RoleBindings.Kind, estate.ClusterRoleBindings.Kind,
		estate.Namespaces.Kind, estate.Workloads.Kind, estate.ServiceAccounts.Kind, estate.Secrets.Kind} {
		e.Sources = append(e.Sources, estate.Source{Coverage: []estate.Coverage{{Kind: k, State: estate.Read}}})
	}
	add(e, estate.Roles, s.Roles)
	add(e, estate.ClusterRoles, s.ClusterRoles)
	add(e, estate.RoleBindings, s.RoleBindings)
	add(e, estate.ClusterRoleBindings, s.ClusterRoleBindings)
	return e
}

func add[T any](e *estate.Estate, c estate.Collection[*estate.Resource[T]], objects []T) {
	for _, o := range objects {
		c.Add(e, &estate.Resource[T]{Object: o})
	}
}

// String returns the set as JSON.
func (s *Set) String() string {
	text, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// Everything returns an aggregation rule that selects every role.
func Everything() *rbacv1.AggregationRule {
	return &rbacv1.AggregationRule{ClusterRoleSelectors: []metav1.LabelSelector{{}}}
}
