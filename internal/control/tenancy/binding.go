package tenancy

import (
	"fmt"
	"slices"
	"strings"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/component-helpers/auth/rbac/validation"

	"github.com/eksafe/eksafe/internal/control"
	"github.com/eksafe/eksafe/internal/estate"
	"github.com/eksafe/eksafe/internal/trace"
)

// A binding is a RoleBinding or a ClusterRoleBinding, with the role that it
// gives.
type binding struct {
	place     trace.Place
	namespace string // where the rights hold; "" for the whole cluster
	subjects  []rbacv1.Subject
	ref       rbacv1.RoleRef
	role      *role // nil where it was not found
	homes     map[string]*home
	others    *principals
}

// A role is a Role or ClusterRole.
type role struct {
	place   trace.Place
	name    string
	builtin bool // Kubernetes' own: what is wrong with it is mended in the binding
	rules   []rule
}

// A rule is one rule of a role, where it stands.
type rule struct {
	rbacv1.PolicyRule
	place trace.Place
	field string // "rules[2]"
}

// A home is a namespace, as far as tenancy needs it.
type home struct {
	labels map[string]string
}

// bindingKinds are what the controls on bindings read beside the bindings.
var bindingKinds = []estate.Kind{estate.Roles.Kind, estate.ClusterRoles.Kind}

// bindings returns a check of every RoleBinding and ClusterRoleBinding.
func bindings(judge func(*control.Subject, *binding), helped ...estate.Kind) control.Check {
	return control.Traced(listBindings, func(b *binding) trace.Place { return b.place }, judge,
		estate.RoleBindings.Kind, estate.ClusterRoleBindings.Kind).
		Helped(helped...)
}

func listBindings(g *trace.Graph) []*binding {
	roles := listRoles(g.Estate)
	homes := map[string]*home{}
	for _, n := range estate.Namespaces.In(g.Estate) {
		homes[n.Object.Name] = &home{labels: n.Object.Labels}
	}
	shared := &principals{}
	var out []*binding
	add := func(place trace.Place, namespace string, subjects []rbacv1.Subject, ref rbacv1.RoleRef) {
		b := &binding{place: place, namespace: namespace, subjects: subjects, ref: ref, homes: homes, others: shared}
		if b.role = roles[roleKey(namespace, ref)]; b.role == nil {
			b.role = shipped(namespace, ref)
		}
		out = append(out, b)
	}
	for _, b := range estate.ClusterRoleBindings.In(g.Estate) {
		add(trace.Place{Subject: estate.ClusterRoleBindings.Ref(b), Origin: &b.Origin}, "", b.Object.Subjects, b.Object.RoleRef)
	}
	for _, b := range estate.RoleBindings.In(g.Estate) {
		add(trace.Place{Subject: estate.RoleBindings.Ref(b), Origin: &b.Origin}, b.Object.Namespace, b.Object.Subjects, b.Object.RoleRef)
	}
	shared.bindings = out
	return out
}

func roleKey(namespace string, ref rbacv1.RoleRef) string {
	if ref.Kind == "Role" {
		return namespace + "/" + ref.Name
	}
	return "/" + ref.Name
}

func listRoles(e *estate.Estate) map[string]*role {
	out := map[string]*role{}
	for _, r := range estate.Roles.In(e) {
		out[r.Object.Namespace+"/"+r.Object.Name] = newRole("Role "+r.Object.Namespace+"/"+r.Object.Name,
			trace.Place{Subject: estate.Roles.Ref(r), Origin: &r.Origin}, r.Object.ObjectMeta, r.Object.Rules)
	}
	all := estate.ClusterRoles.In(e)
	for _, r := range all {
		out["/"+r.Object.Name] = newRole("ClusterRole "+r.Object.Name,
			trace.Place{Subject: estate.ClusterRoles.Ref(r), Origin: &r.Origin}, r.Object.ObjectMeta, r.Object.Rules)
	}
	// A cluster writes the rules of an aggregated role into it; a file has none.
	for _, r := range all {
		if r.Object.AggregationRule != nil && len(r.Object.Rules) == 0 {
			out["/"+r.Object.Name].rules = aggregated(r, all, out, map[string]bool{})
		}
	}
	return out
}

// aggregated returns the rules of the roles that r selects, and of those that
// they select.
func aggregated(r *estate.Resource[rbacv1.ClusterRole], all []*estate.Resource[rbacv1.ClusterRole], roles map[string]*role, seen map[string]bool) []rule {
	if seen[r.Object.Name] {
		return nil
	}
	seen[r.Object.Name] = true
	if r.Object.AggregationRule == nil || len(r.Object.Rules) > 0 {
		return roles["/"+r.Object.Name].rules
	}
	var out []rule
	for _, from := range all {
		if aggregates(r.Object.AggregationRule, from.Object.Labels) {
			out = append(out, aggregated(from, all, roles, seen)...)
		}
	}
	return out
}

func aggregates(a *rbacv1.AggregationRule, l map[string]string) bool {
	return slices.ContainsFunc(a.ClusterRoleSelectors, func(s metav1.LabelSelector) bool {
		selector, err := metav1.LabelSelectorAsSelector(&s)
		return err == nil && selector.Matches(labels.Set(l))
	})
}

func newRole(name string, place trace.Place, meta metav1.ObjectMeta, rules []rbacv1.PolicyRule) *role {
	r := &role{place: place, name: name, builtin: meta.Labels["kubernetes.io/bootstrapping"] == "rbac-defaults"}
	for i, p := range rules {
		r.rules = append(r.rules, rule{p, place, fmt.Sprintf("rules[%d]", i)})
	}
	return r
}

// shipped returns a role that every cluster has and no file shows, with the
// rights by which it is judged: those that the documentation of Kubernetes
// names. view reads no Secrets.
func shipped(namespace string, ref rbacv1.RoleRef) *role {
	grant := func(group string, verbs []string, resources ...string) rule {
		return rule{PolicyRule: rbacv1.PolicyRule{Verbs: verbs, APIGroups: []string{group}, Resources: resources}}
	}
	look := []string{"get", "list", "watch"}
	own := []rule{
		grant("", []string{"get", "list", "watch", "create", "update", "patch", "delete"}, "secrets", "pods"),
		grant("", []string{"impersonate"}, "serviceaccounts"),
	}
	rules, ok := map[string][]rule{
		"/cluster-admin": {grant("*", []string{"*"}, "*")},
		"/admin":         own,
		"/edit":          own,
		"/view":          {grant("", look, "pods")},
		// What servers beside the API server need to ask it who a caller is.
		"/system:auth-delegator": {
			grant("authentication.k8s.io", []string{"create"}, "tokenreviews"),
			grant("authorization.k8s.io", []string{"create"}, "subjectaccessreviews"),
		},
		"kube-system/extension-apiserver-authentication-reader": {grant("", look, "configmaps")},
	}[roleKey(namespace, ref)]
	if !ok {
		return nil
	}
	return &role{name: ref.Kind + " " + ref.Name, builtin: true, rules: rules}
}

// covers reports whether the rule allows the verb on the resource of the
// group, of whatever name. It is Kubernetes that matches them.
func (r rule) covers(verb, group, resource string) bool {
	p := r.PolicyRule
	if !slices.Contains(p.Verbs, verb) && !slices.Contains(p.Verbs, rbacv1.VerbAll) {
		return false // most rules; to ask is not free
	}
	p.ResourceNames = nil
	ok, _ := validation.Covers([]rbacv1.PolicyRule{p}, []rbacv1.PolicyRule{{
		Verbs: []string{verb}, APIGroups: []string{group}, Resources: []string{resource},
	}})
	return ok
}

// wildcard reports whether the rule says "all" of something.
func (r rule) wildcard() bool { return len(r.wildcards()) > 0 }

// wildcards returns the fields of the rule that say "all".
func (r rule) wildcards() []string {
	var out []string
	if slices.Contains(r.Verbs, rbacv1.VerbAll) {
		out = append(out, "verbs")
	}
	if slices.ContainsFunc(r.Resources, func(s string) bool { return strings.HasPrefix(s, rbacv1.ResourceAll) }) {
		out = append(out, "resources")
	}
	if slices.Contains(r.APIGroups, rbacv1.APIGroupAll) {
		out = append(out, "apiGroups")
	}
	return out
}

// field returns the path of a subject of the binding.
func (b *binding) field(i int) string { return fmt.Sprintf("subjects[%d]", i) }

// roleless says that the rights of the binding are not known. It reports
// whether that is so.
func (b *binding) roleless(s *control.Subject) bool {
	if b.role != nil {
		return false
	}
	s.Unknownf("%s %s of %s was not found, so its rights are not known (add its manifest, or --kube)", b.ref.Kind, b.ref.Name, b.name())
	return true
}

// name names the binding in a sentence: "RoleBinding shop-prod/operators".
func (b *binding) name() string {
	if b.namespace == "" {
		return "ClusterRoleBinding " + b.place.Subject.Name
	}
	return "RoleBinding " + b.namespace + "/" + b.place.Subject.Name
}

// scope says in a sentence where the rights of the binding hold.
func (b *binding) scope() string {
	if b.namespace == "" {
		return "the whole cluster"
	}
	return "namespace " + b.namespace
}

// at returns where the rule stands: in the role, or for a role that nobody
// edits in the binding.
func (b *binding) at(r rule, part string) trace.Place {
	if b.role.builtin {
		return trace.Place{Subject: b.place.Subject, Origin: b.place.Origin, Field: "roleRef.name"}
	}
	return trace.Place{Subject: r.place.Subject, Origin: r.place.Origin, Field: r.field + "." + part}
}
