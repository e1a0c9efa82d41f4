package tenancy

import (
	"slices"

	rbacv1 "k8s.io/api/rbac/v1"

	"github.com/eksafe/eksafe/internal/access"
	"github.com/eksafe/eksafe/internal/control"
)

var secretsIsolated = &control.Control{
	ID:       "secrets-isolated",
	Title:    "No team reads the secrets of another",
	Severity: control.Critical,
	Refs:     []control.Ref{control.CISEKS("4.1.2"), control.CISEKS("4.5.1"), control.Project("kubernetes-rbac-good-practices")},
	Serves:   []string{"S29", "S30"},
	Since:    "0.1.0",
	Check:    bindings(judgeSecrets, append(slices.Clone(bindingKinds), chainKinds...)...),
}

// readsSecrets reports whether the role lets Secrets be read. A list shows
// their values, as a watch does.
func (r *role) readsSecrets() bool {
	return slices.ContainsFunc(r.rules, func(r rule) bool {
		return r.covers("get", "", "secrets") || r.covers("list", "", "secrets") || r.covers("watch", "", "secrets")
	})
}

func judgeSecrets(s *control.Subject, b *binding) {
	if _, ok := b.outsider(s); !ok || b.roleless(s) {
		return
	}
	for i, who := range b.subjects {
		if platformSubject(s.Config(), b.namespace, who) {
			continue
		}
		if !b.role.readsSecrets() {
			b.judgeEscalatedReader(s, i, who)
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
	owner := b.owner(s.Config(), b.namespace)
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
			s.Unknownf("%s reads the secrets of %s, and whose %s is is not known, which no cluster says; declare it as a subject of its owner in eksafe.yaml", name, b.namespace, name)
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

// judgeEscalatedReader judges a subject that reads no secrets itself by what it
// can become. A way is reported where it begins.
func (b *binding) judgeEscalatedReader(s *control.Subject, i int, who rbacv1.Subject) {
	for _, r := range b.ways(s, secretsReached, who) {
		team := b.subjectTeam(s.Config(), who)
		name := subjectName(b.namespace, who)
		switch where := r.where(); {
		case r.Color == access.Everywhere:
			s.Failf(b.field(i), "%s can read the secrets of every namespace: it %s", name, r.Chain.Sentence())
			return
		case team == r.Color:
			continue
		case team == "":
			if namespace, account := accountNamespace(b.namespace, who); account && namespace == r.Namespace {
				continue
			}
			s.Unknownf("%s can read the secrets of %s, as it %s, and whose %s is is not known; declare it as a subject of its owner in eksafe.yaml", name, where, r.Chain.Sentence(), name)
		default:
			s.Failf(b.field(i), "%s of team %s can read the secrets of %s, which is of %s: it %s", name, team, where, ownerName(r.Color), r.Chain.Sentence())
			return
		}
	}
}

func ownerName(team string) string {
	if team == thePlatform {
		return team
	}
	return "team " + team
}
