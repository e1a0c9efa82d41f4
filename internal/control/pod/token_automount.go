package pod

import (
	"strings"

	rbacv1 "k8s.io/api/rbac/v1"

	"github.com/eksafe/eksafe/internal/control"
	"github.com/eksafe/eksafe/internal/estate"
	"github.com/eksafe/eksafe/internal/platform"
	"github.com/eksafe/eksafe/internal/trace"
)

var tokenAutomount = &control.Control{
	ID:        "token-automount",
	Title:     "Only workloads that use the Kubernetes API have a token for it",
	Severity:  control.Medium,
	Refs:      []control.Ref{control.CISEKS("4.1.6"), control.Project("kubernetes-rbac-good-practices")},
	Serves:    []string{"S19", "S30"},
	Since:     "0.1.0",
	Admission: tokenAutomountAdmission,
	Check: control.Traced(tokens, func(t token) trace.Place { return t.place }, judgeToken, estate.Workloads.Kind).
		Helped(estate.ServiceAccounts.Kind, estate.RoleBindings.Kind, estate.ClusterRoleBindings.Kind),
}

// A token is a workload and whether any binding gives its account a right.
type token struct {
	place    trace.Place
	workload *estate.Workload
	bound    bool
}

func tokens(g *trace.Graph) []token {
	bound := boundAccounts(g.Estate)
	var out []token
	for _, w := range estate.Workloads.In(g.Estate) {
		user := "system:serviceaccount:" + w.Namespace + ":" + accountName(w)
		out = append(out, token{
			place:    trace.Place{Subject: estate.Workloads.Ref(w), Origin: &w.Origin},
			workload: w,
			bound:    bound[user] || bound["system:serviceaccounts:"+w.Namespace] || bound["system:serviceaccounts"],
		})
	}
	return out
}

// boundAccounts returns the user names of the service accounts, and the groups
// of them, that bindings name.
func boundAccounts(e *estate.Estate) map[string]bool {
	out := map[string]bool{}
	add := func(namespace string, subjects []rbacv1.Subject) {
		for _, s := range subjects {
			switch {
			case s.Kind == rbacv1.ServiceAccountKind && s.Namespace == "":
				out["system:serviceaccount:"+namespace+":"+s.Name] = true
			case s.Kind == rbacv1.ServiceAccountKind:
				out["system:serviceaccount:"+s.Namespace+":"+s.Name] = true
			case strings.HasPrefix(s.Name, "system:serviceaccount"):
				out[s.Name] = true
			}
		}
	}
	for _, b := range estate.RoleBindings.In(e) {
		add(b.Object.Namespace, b.Object.Subjects)
	}
	for _, b := range estate.ClusterRoleBindings.In(e) {
		if !platform.Discovery(b.Object.RoleRef.Name) {
			add("", b.Object.Subjects)
		}
	}
	return out
}

func judgeToken(s *control.Subject, t token) {
	w := t.workload
	mount := w.Template.Spec.AutomountServiceAccountToken
	if mount == nil {
		a, ok := account(s, w)
		if !ok {
			return
		}
		mount = a.AutomountServiceAccountToken
	}
	if mount != nil && !*mount || t.bound {
		return
	}
	if why := platform.Expected(w); why != "" {
		s.Expected(why)
		return
	}
	if !s.Read(estate.RoleBindings.Kind) || !s.Read(estate.ClusterRoleBindings.Kind) {
		s.Unknownf("whether service account %s/%s has rights is not known: its bindings were not read (add their manifests, or --kube)", w.Namespace, accountName(w))
		return
	}
	s.Failf(w.TemplateField("spec.automountServiceAccountToken"), "the token of service account %s is mounted, and no binding gives it a right", accountName(w))
}
