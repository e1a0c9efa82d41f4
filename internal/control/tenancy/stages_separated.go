package tenancy

import (
	"maps"
	"slices"
	"strings"

	rbacv1 "k8s.io/api/rbac/v1"

	"github.com/eksafe/eksafe/internal/config"
	"github.com/eksafe/eksafe/internal/control"
)

var stagesSeparated = &control.Control{
	ID:       "stages-separated",
	Title:    "Who works in a stage before production has no power in production, and its pods no way into it",
	Severity: control.High,
	Refs:     []control.Ref{control.CISEKS("4.5.1"), control.Project("kubernetes-rbac-good-practices")},
	Serves:   []string{"S29", "S30"},
	Since:    "0.1.0",
	Check:    bindings(judgeStages, append(slices.Clone(bindingKinds), chainKinds...)...).And(ways()),
}

// principals are the subjects of all bindings, with the first namespace of a
// stage before production in which each of them is at work.
type principals struct {
	bindings []*binding
	early    map[string]string // principal to namespace
	first    *string           // of all namespaces before production, by name
}

// firstEarly returns a namespace before production, "" if none is known. The
// namespaces are those that b knows, as all bindings do.
func (p *principals) firstEarly(c *config.Config, b *binding) string {
	if p.first == nil {
		p.first = new(string)
		for _, name := range slices.Sorted(maps.Keys(b.homes)) {
			if b.before(c, name) {
				*p.first = name
				break
			}
		}
	}
	return *p.first
}

func (p *principals) earlyNamespace(c *config.Config, principal string) string {
	if p.early == nil {
		p.early = map[string]string{}
		for _, b := range p.bindings {
			if b.namespace == "" || !b.before(c, b.namespace) {
				continue
			}
			for _, who := range b.subjects {
				key := principalKey(b.namespace, who)
				if old, ok := p.early[key]; !ok || b.namespace < old {
					p.early[key] = b.namespace
				}
			}
		}
	}
	return p.early[principal]
}

func principalKey(namespace string, s rbacv1.Subject) string {
	if s.Kind == rbacv1.ServiceAccountKind {
		ns, _ := accountNamespace(namespace, s)
		return "User/system:serviceaccount:" + ns + ":" + s.Name
	}
	return s.Kind + "/" + s.Name
}

// powerful reports whether the role does more than look and ask: secrets are
// power, and so are the doors into a container that a mere get opens.
func (r *role) powerful() bool {
	return r.readsSecrets() || slices.ContainsFunc(r.rules, func(r rule) bool {
		if len(r.Resources) == 0 || r.asks() {
			return false
		}
		return slices.ContainsFunc(r.Verbs, func(v string) bool {
			return !slices.Contains([]string{"get", "list", "watch"}, v)
		}) || slices.ContainsFunc(r.Resources, func(resource string) bool {
			_, sub, _ := strings.Cut(resource, "/")
			return slices.Contains([]string{"exec", "attach", "portforward", "proxy"}, sub)
		})
	})
}

// asks reports whether the rule only asks the API server who a token is and
// what a subject may do. Such questions are created, and change nothing.
func (r rule) asks() bool {
	return !slices.ContainsFunc(r.APIGroups, func(g string) bool { return g != "authentication.k8s.io" && g != "authorization.k8s.io" }) &&
		!slices.ContainsFunc(r.Verbs, func(v string) bool { return v != "create" })
}

func judgeStages(s *control.Subject, b *binding) {
	c := s.Config()
	stage := prod
	if b.namespace != "" {
		if platformNamespace(c, b.namespace) {
			s.NotApplicable()
			return
		}
		if stage = b.stage(c, b.namespace); stage != "" && stage != prod {
			b.judgeEscalatedStage(s)
			return
		}
	}
	if _, ok := b.outsider(s); !ok || b.roleless(s) || !b.role.powerful() {
		return
	}
	for i, who := range b.subjects {
		if platformSubject(c, b.namespace, who) {
			continue
		}
		early := b.early(c, who)
		switch {
		case early == "":
		case stage == "":
			s.Unknownf("%s works in %s and has power in %s, and which stage that is is not known; label it stage", subjectName(b.namespace, who), early, b.namespace)
		case b.namespace == "":
			s.Failf(b.field(i), "%s works in %s and has power in every namespace, production too", subjectName("", who), early)
		default:
			s.Failf(b.field(i), "%s works in %s and has power in %s", subjectName(b.namespace, who), early, b.namespace)
		}
	}
}

// judgeEscalatedStage judges a binding before production by what its subjects
// can become with it.
func (b *binding) judgeEscalatedStage(s *control.Subject) {
	if _, ok := b.outsider(s); !ok {
		return
	}
	if b.role == nil {
		s.NotApplicable() // rbac-wildcards and secrets-isolated say that it was not found
		return
	}
	for i, who := range b.subjects {
		if platformSubject(s.Config(), b.namespace, who) {
			continue
		}
		for _, w := range b.ways(s, prodReached, who) {
			s.Failf(b.field(i), "%s works in %s and gets power in %s: it %s", subjectName(b.namespace, who), b.namespace, w.where(), w.Chain.Sentence())
			break
		}
	}
}

// early returns a namespace before production that the subject works in, ""
// for none that is known.
func (b *binding) early(c *config.Config, who rbacv1.Subject) string {
	namespace, account := accountNamespace(b.namespace, who)
	_, all := anyone(who)
	switch {
	case all, account && namespace == "":
		if first := b.others.firstEarly(c, b); first != "" {
			return first
		}
	case account && b.before(c, namespace):
		return namespace
	}
	return b.others.earlyNamespace(c, principalKey(b.namespace, who))
}

// before reports whether a namespace is known to be of a stage before
// production.
func (b *binding) before(c *config.Config, namespace string) bool {
	if platformNamespace(c, namespace) {
		return false
	}
	stage := b.stage(c, namespace)
	return stage != "" && stage != prod
}
