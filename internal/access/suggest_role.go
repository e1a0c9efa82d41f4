package access

import (
	"fmt"
	"slices"
	"strings"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"

	"github.com/eksafe/eksafe/internal/estate"
)

// A KubernetesCall is a request that the API server allowed.
type KubernetesCall struct {
	Verb, Group, Resource string // the resource with its subresource
	Namespace, Name       string
	Path                  string // of a request for no resource
	Groups                []string
	Last                  time.Time
	Count                 int
}

func (c *KubernetesCall) what() string {
	if c.Resource == "" {
		return c.Verb + " " + c.Path
	}
	resource := c.Resource
	if c.Group != "" {
		resource += "." + c.Group
	}
	return c.Verb + " " + resource
}

// SuggestRoles reduces the roles that are bound to a user, a service account or
// the groups it came with to the requests that audit logs show. from and to are
// the first and last event of the logs.
func SuggestRoles(e *estate.Estate, who Identity, calls []*KubernetesCall, from, to time.Time) *Suggestion {
	s := &Suggestion{Policies: []Reduction{}}
	groups := map[string]bool{}
	for _, c := range calls {
		for _, g := range c.Groups {
			groups[g] = true
		}
	}
	if who.Kind == ServiceAccount {
		groups["system:serviceaccounts"], groups["system:serviceaccounts:"+who.Namespace] = true, true
	}
	roles := boundRoles(e, func(b rbacv1.Subject, namespace string) (bool, string) {
		switch {
		case b.Kind == rbacv1.UserKind && b.Name == who.String(), b.Kind == rbacv1.UserKind && who.Kind == KubernetesUser && b.Name == who.Name:
			return true, ""
		case b.Kind == rbacv1.ServiceAccountKind && who.Kind == ServiceAccount && b.Name == who.Name:
			return b.Namespace == who.Namespace || b.Namespace == "" && namespace == who.Namespace, ""
		case b.Kind == rbacv1.GroupKind && groups[b.Name]:
			return true, b.Name
		}
		return false, ""
	})
	for _, b := range roles {
		if b.via != "" {
			s.Notes = append(s.Notes, "the members of group "+b.via+" share "+b.name+"; it is left as it is")
			continue
		}
		if b.rules == nil {
			s.Notes = append(s.Notes, b.name+" was not read")
			continue
		}
		s.Policies = append(s.Policies, b.reduce(calls, from, to))
	}
	return s
}

// A boundRole is a role and the binding that gives it.
type boundRole struct {
	name      string // "Role deployer by RoleBinding deployer in namespace prod"
	namespace string // where it holds; "" for everywhere
	via       string // the group that has it
	rules     []rbacv1.PolicyRule
}

func boundRoles(e *estate.Estate, matches func(rbacv1.Subject, string) (bool, string)) []boundRole {
	cluster, local := map[string][]rbacv1.PolicyRule{}, map[[2]string][]rbacv1.PolicyRule{}
	for _, r := range estate.ClusterRoles.In(e) {
		cluster[r.Object.Name] = append([]rbacv1.PolicyRule{}, r.Object.Rules...)
	}
	for _, r := range estate.Roles.In(e) {
		local[[2]string{r.Object.Namespace, r.Object.Name}] = append([]rbacv1.PolicyRule{}, r.Object.Rules...)
	}
	var out []boundRole
	add := func(kind, name, namespace string, ref rbacv1.RoleRef, subjects []rbacv1.Subject) {
		for _, subject := range subjects {
			ok, via := matches(subject, namespace)
			if !ok {
				continue
			}
			b := boundRole{name: fmt.Sprintf("%s %s by %s %s", ref.Kind, ref.Name, kind, name), namespace: namespace, via: via, rules: cluster[ref.Name]}
			if namespace != "" {
				b.name += " in namespace " + namespace
			}
			if ref.Kind == "Role" {
				b.rules = local[[2]string{namespace, ref.Name}]
			}
			out = append(out, b)
			return
		}
	}
	for _, b := range estate.ClusterRoleBindings.In(e) {
		add("ClusterRoleBinding", b.Object.Name, "", b.Object.RoleRef, b.Object.Subjects)
	}
	for _, b := range estate.RoleBindings.In(e) {
		add("RoleBinding", b.Object.Name, b.Object.Namespace, b.Object.RoleRef, b.Object.Subjects)
	}
	slices.SortFunc(out, func(a, b boundRole) int { return strings.Compare(a.name, b.name) })
	return out
}

func (b boundRole) reduce(calls []*KubernetesCall, from, to time.Time) Reduction {
	r := Reduction{Name: b.name, Before: rulesText(b.rules), Kept: []Reason{}, Dropped: []Reason{}}
	type target struct {
		group, resource, path string
		names                 string // to which the rule limits it: what is left must not be more
	}
	verbs := map[target][]string{}
	used := make([]bool, len(b.rules))
	for _, c := range calls {
		if b.namespace != "" && (c.Namespace != b.namespace || c.Resource == "") {
			continue
		}
		for i := range b.rules {
			if !allows(&b.rules[i], c) {
				continue
			}
			used[i] = true
			t := target{c.Group, c.Resource, c.Path, strings.Join(b.rules[i].ResourceNames, "\x00")}
			if !slices.Contains(verbs[t], c.Verb) {
				verbs[t] = append(verbs[t], c.Verb)
			}
			why := times(c.Count)
			if !c.Last.IsZero() {
				why += ", last on " + c.Last.UTC().Format(time.DateOnly)
			}
			r.Kept = append(r.Kept, Reason{c.what(), why})
		}
	}
	// One rule for all resources of a group that were used alike.
	merged := map[string]*rbacv1.PolicyRule{}
	for t, list := range verbs {
		slices.Sort(list)
		key := t.group + "|" + strings.Join(list, ",") + "|" + t.names
		if t.resource == "" {
			key = "path|" + key
		}
		m := merged[key]
		if m == nil {
			m = &rbacv1.PolicyRule{Verbs: list}
			if t.names != "" {
				m.ResourceNames = strings.Split(t.names, "\x00")
			}
			merged[key] = m
		}
		if t.resource == "" {
			m.NonResourceURLs = append(m.NonResourceURLs, t.path)
		} else {
			m.APIGroups, m.Resources = []string{t.group}, append(m.Resources, t.resource)
		}
	}
	var rules []rbacv1.PolicyRule
	for _, key := range sortedKeys(merged) {
		m := merged[key]
		slices.Sort(m.Resources)
		slices.Sort(m.NonResourceURLs)
		rules = append(rules, *m)
	}
	if len(rules) > 0 {
		r.After = rulesText(rules)
	}
	for i := range b.rules {
		if !used[i] {
			r.Dropped = append(r.Dropped, Reason{ruleText(&b.rules[i]), fmt.Sprintf("no request in the logs from %s to %s", from.UTC().Format(time.DateOnly), to.UTC().Format(time.DateOnly))})
		}
	}
	r.Kept, r.Dropped = unique(r.Kept), unique(r.Dropped)
	return r
}

// allows reports whether a rule allows a request, as Kubernetes decides it.
func allows(r *rbacv1.PolicyRule, c *KubernetesCall) bool {
	has := func(list []string, value string) bool {
		return slices.Contains(list, "*") || slices.Contains(list, value)
	}
	if !has(r.Verbs, c.Verb) {
		return false
	}
	if c.Resource == "" {
		return slices.ContainsFunc(r.NonResourceURLs, func(p string) bool {
			prefix, open := strings.CutSuffix(p, "*")
			return p == c.Path || open && strings.HasPrefix(c.Path, prefix)
		})
	}
	resource := has(r.Resources, c.Resource)
	if _, sub, ok := strings.Cut(c.Resource, "/"); ok {
		resource = resource || slices.Contains(r.Resources, "*/"+sub)
	}
	return resource && has(r.APIGroups, c.Group) && (len(r.ResourceNames) == 0 || slices.Contains(r.ResourceNames, c.Name))
}

// rulesText returns rules as a manifest has them.
func rulesText(rules []rbacv1.PolicyRule) string {
	var b strings.Builder
	b.WriteString("rules:\n")
	for i := range rules {
		r, lead := &rules[i], "- "
		for _, f := range []struct {
			key  string
			list []string
		}{{"apiGroups", r.APIGroups}, {"resources", r.Resources}, {"resourceNames", r.ResourceNames}, {"nonResourceURLs", r.NonResourceURLs}, {"verbs", r.Verbs}} {
			if len(f.list) == 0 {
				continue
			}
			b.WriteString(lead + f.key + ": [" + quoted(f.list) + "]\n")
			lead = "  "
		}
	}
	return b.String()
}

func quoted(list []string) string {
	out := make([]string, len(list))
	for i, s := range list {
		out[i] = quote(s)
	}
	return strings.Join(out, ", ")
}

func ruleText(r *rbacv1.PolicyRule) string {
	return strings.Join(r.Verbs, "/") + " " + strings.Join(slices.Concat(r.Resources, r.NonResourceURLs), ", ")
}
