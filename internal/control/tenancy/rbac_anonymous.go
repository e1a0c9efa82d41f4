package tenancy

import (
	"slices"

	"github.com/eksafe/eksafe/internal/control"
)

var rbacAnonymous = &control.Control{
	ID:        "rbac-anonymous",
	Title:     "Nothing is bound to everybody",
	Severity:  control.Critical,
	Refs:      []control.Ref{control.Project("kubernetes-rbac-good-practices"), control.AWS("eks-rbac-roles")},
	Serves:    []string{"S28", "S30"},
	Since:     "0.1.0",
	Admission: rbacAnonymousAdmission,
	Check:     bindings(judgeAnonymous),
}

// forEverybody are the bindings of Kubernetes itself to everybody: what the
// server is and what one may do oneself. Old clusters bound the last two to
// those who have not signed in as well; that is no longer so.
var forEverybody = map[string][]string{
	"system:public-info-viewer": {"system:authenticated", "system:unauthenticated"},
	"system:basic-user":         {"system:authenticated"},
	"system:discovery":          {"system:authenticated"},
}

func judgeAnonymous(s *control.Subject, b *binding) {
	for i, who := range b.subjects {
		name, is := anyone(who)
		if !is {
			continue
		}
		known := b.namespace == "" && b.place.Subject.Name == b.ref.Name && slices.Contains(forEverybody[b.ref.Name], who.Name)
		if !known {
			s.Failf(b.field(i), "%s has the rights of %s %s: %s", who.Name, b.ref.Kind, b.ref.Name, name)
		}
	}
}
