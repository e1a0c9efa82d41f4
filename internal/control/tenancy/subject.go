package tenancy

import (
	"slices"
	"strings"

	rbacv1 "k8s.io/api/rbac/v1"

	"github.com/eksafe/eksafe/internal/config"
	"github.com/eksafe/eksafe/internal/platform"
)

// The groups that hold service accounts: all of them, and with a colon and a
// name those of one namespace.
const accountsGroup = "system:serviceaccounts"

// ours are the users and groups that Kubernetes itself works as. Who is let in
// under such a name is not said by bindings.
var ours = []string{
	"system:masters", "system:nodes", "system:monitoring", "system:bootstrappers",
	"system:kube-controller-manager", "system:kube-scheduler", "system:kube-proxy", "system:apiserver",
}

// platformNamespace reports whether the platform's workloads stand in the
// namespace, by what eksafe knows and what users declare.
func platformNamespace(c *config.Config, name string) bool {
	return platform.Namespace(name) || config.CompileAll(c.Platform.Namespaces).Match(name)
}

// platformSubject reports whether the subject of a binding is of the platform:
// its rights are not those of a team.
func platformSubject(c *config.Config, namespace string, s rbacv1.Subject) bool {
	if ns, ok := accountNamespace(namespace, s); ok {
		if ns == "" {
			return false
		}
		return platformNamespace(c, ns) || s.Kind == rbacv1.ServiceAccountKind && config.CompileAll(c.Platform.Subjects).Match(ns+"/"+s.Name)
	}
	// EKS prefixes what it works as itself, and lets no access entry take such
	// a name.
	return slices.Contains(ours, s.Name) || strings.HasPrefix(s.Name, "eks:") || config.CompileAll(c.Platform.Subjects).Match(s.Name)
}

// accountNamespace returns the namespace of a service account, or of the
// accounts of a group, "" for all namespaces. It reports false for users and
// other groups.
func accountNamespace(namespace string, s rbacv1.Subject) (string, bool) {
	switch {
	case s.Kind == rbacv1.ServiceAccountKind && s.Namespace == "":
		return namespace, true
	case s.Kind == rbacv1.ServiceAccountKind:
		return s.Namespace, true
	case s.Kind == rbacv1.GroupKind && s.Name == accountsGroup:
		return "", true
	case s.Kind == rbacv1.GroupKind && strings.HasPrefix(s.Name, accountsGroup+":"):
		return strings.TrimPrefix(s.Name, accountsGroup+":"), true
	case s.Kind == rbacv1.UserKind && strings.HasPrefix(s.Name, "system:serviceaccount:"):
		ns, _, _ := strings.Cut(strings.TrimPrefix(s.Name, "system:serviceaccount:"), ":")
		return ns, true
	}
	return "", false
}

// everybody are the subjects that anybody who reaches the API server is.
var everybody = map[rbacv1.Subject]string{
	{Kind: rbacv1.UserKind, Name: "system:anonymous"}:        "whoever reaches the API server, without signing in",
	{Kind: rbacv1.GroupKind, Name: "system:unauthenticated"}: "whoever reaches the API server, without signing in",
	{Kind: rbacv1.GroupKind, Name: "system:authenticated"}:   "everybody who can sign in, every pod included",
}

// anyone returns who the subject is, where it is everybody.
func anyone(s rbacv1.Subject) (string, bool) {
	who, ok := everybody[rbacv1.Subject{Kind: s.Kind, Name: s.Name}]
	return who, ok
}

// subjectName names a subject of a binding in a sentence.
func subjectName(namespace string, s rbacv1.Subject) string {
	if s.Kind == rbacv1.ServiceAccountKind {
		ns, _ := accountNamespace(namespace, s)
		return "service account " + ns + "/" + s.Name
	}
	return strings.ToLower(s.Kind) + " " + s.Name
}

// team returns the team that a namespace belongs to, "" if that is not known.
func (b *binding) team(c *config.Config, namespace string) string {
	var labels map[string]string
	if h := b.homes[namespace]; h != nil {
		labels = h.labels
	}
	return c.Team(namespace, labels)
}

// subjectTeam returns the team of a user or group, as declared.
func subjectTeam(c *config.Config, s rbacv1.Subject) string {
	for _, o := range c.Owners {
		if config.CompileAll(o.Subjects).Match(s.Name) {
			return o.Team
		}
	}
	return ""
}
