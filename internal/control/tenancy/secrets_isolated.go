package tenancy

import (
	"slices"

	rbacv1 "k8s.io/api/rbac/v1"

	"github.com/eksafe/eksafe/internal/control"
	"github.com/eksafe/eksafe/internal/estate"
)

var secretsIsolated = &control.Control{
	ID:       "secrets-isolated",
	Title:    "No team reads the secrets of another",
	Severity: control.Critical,
	Refs:     []control.Ref{control.CISEKS("4.1.2"), control.CISEKS("4.5.1"), control.Project("kubernetes-rbac-good-practices")},
	Serves:   []string{"S29", "S30"},
	Since:    "0.1.0",
	Check:    bindings(judgeSecrets, append(slices.Clone(bindingKinds), estate.Namespaces.Kind)...),
}

// readsSecrets reports whether the role lets Secrets be read. A list shows
// their values, as a watch does.
func (r *role) readsSecrets() bool {
	return slices.ContainsFunc(r.rules, func(r rule) bool {
		return r.covers("get", "", "secrets") || r.covers("list", "", "secrets") || r.covers("watch", "", "secrets")
	})
}

func judgeSecrets(s *control.Subject, b *binding) {
	if _, ok := b.outsider(s); !ok || b.roleless(s) || !b.role.readsSecrets() {
		return
	}
	for i, who := range b.subjects {
		if platformSubject(s.Config(), b.namespace, who) {
			continue
		}
		if b.namespace == "" {
			s.Failf(b.field(i), "%s reads the secrets of every namespace: %s", subjectName("", who), b.role.name)
			continue
		}
		b.judgeReader(s, i, who)
	}
}

// judgeReader judges one subject that reads the secrets of one namespace.
func (b *binding) judgeReader(s *control.Subject, i int, who rbacv1.Subject) {
	name := subjectName(b.namespace, who)
	if _, all := anyone(who); all {
		s.Failf(b.field(i), "%s reads the secrets of %s", name, b.namespace)
		return
	}
	owner := b.team(s.Config(), b.namespace)
	if platformNamespace(s.Config(), b.namespace) {
		owner = "the platform"
	}
	namespace, account := accountNamespace(b.namespace, who)
	var team string
	switch {
	case account && namespace == b.namespace:
		return
	case account && namespace == "":
		s.Failf(b.field(i), "the service accounts of all namespaces read the secrets of %s", b.namespace)
		return
	case account:
		if team = b.team(s.Config(), namespace); team == "" {
			s.Unknownf("%s reads the secrets of %s, and whose namespace %s is is not known; label it team, or declare its owner in eksafe.yaml", name, b.namespace, namespace)
			return
		}
	default:
		if team = subjectTeam(s.Config(), who); team == "" {
			s.Unknownf("%s reads the secrets of %s, and whose %s is is not known, as who-can is not computed; declare it as a subject of its owner in eksafe.yaml", name, b.namespace, name)
			return
		}
	}
	switch owner {
	case team:
	case "":
		s.Unknownf("%s of team %s reads the secrets of %s, and whose namespace that is is not known; label it team, or declare its owner in eksafe.yaml", name, team, b.namespace)
	default:
		s.Failf(b.field(i), "%s of team %s reads the secrets of %s, which is of %s", name, team, b.namespace, ownerName(owner))
	}
}

func ownerName(team string) string {
	if team == "the platform" {
		return team
	}
	return "team " + team
}
