package tenancy

import (
	"github.com/eksafe/eksafe/internal/control"
)

var rbacWildcards = &control.Control{
	ID:        "rbac-wildcards",
	Title:     "No role outside the platform says \"all\"",
	Severity:  control.High,
	Refs:      []control.Ref{control.CISEKS("4.1.1"), control.CISEKS("4.1.3"), control.Project("kubernetes-rbac-good-practices")},
	Serves:    []string{"S28", "S30"},
	Since:     "0.1.0",
	Admission: rbacWildcardsAdmission,
	Check:     bindings(judgeWildcards, bindingKinds...),
}

func judgeWildcards(s *control.Subject, b *binding) {
	holder, ok := b.outsider(s)
	if !ok || b.roleless(s) {
		return
	}
	for _, r := range b.role.rules {
		for _, part := range r.wildcards() {
			if b.role.builtin {
				s.FailAt(b.at(r, part), "%s gives %s all rights in %s", b.role.name, holder, b.scope())
				return
			}
			s.FailAt(b.at(r, part), "%s of %s are \"*\", and %s has them in %s", part, b.role.name, holder, b.scope())
		}
	}
}

// outsider returns the first subject of the binding that is not of the
// platform, in words. Without one the binding is none of a team's.
func (b *binding) outsider(s *control.Subject) (string, bool) {
	for _, who := range b.subjects {
		if !platformSubject(s.Config(), b.namespace, who) {
			return subjectName(b.namespace, who), true
		}
	}
	s.NotApplicable()
	return "", false
}
