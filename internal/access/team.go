package access

import (
	"strings"

	"github.com/eksafe/eksafe/internal/config"
	"github.com/eksafe/eksafe/internal/estate"
)

// Teams knows whose namespaces and principals are. What users declare wins over
// the label of a namespace, which the team itself may set.
type Teams struct {
	owners []ownership
	labels map[string]string
}

type ownership struct {
	team                 string
	namespaces, subjects config.Patterns
}

// NewTeams returns the teams of an estate as users declare them.
func NewTeams(e *estate.Estate, c *config.Config) *Teams {
	t := &Teams{labels: map[string]string{}}
	for _, o := range c.Owners {
		t.owners = append(t.owners, ownership{o.Team, config.CompileAll(o.Namespaces), config.CompileAll(o.Subjects)})
	}
	for _, n := range estate.Namespaces.In(e) {
		if team := n.Object.Labels["team"]; team != "" {
			t.labels[n.Object.Name] = team
		}
	}
	return t
}

// Namespace returns the team that a namespace belongs to, "" if that is not
// known.
func (t *Teams) Namespace(name string) string {
	for _, o := range t.owners {
		if o.namespaces.Match(name) {
			return o.team
		}
	}
	return t.labels[name]
}

// Of returns the team of an identity, "" if that is not known: of a service
// account that of its namespace, of users and groups the one that declares
// them.
func (t *Teams) Of(id Identity) string {
	switch id.Kind {
	case ServiceAccount:
		return t.Namespace(id.Namespace)
	case KubernetesGroup:
		if ns, ok := strings.CutPrefix(id.Name, accountsGroup+":"); ok {
			return t.Namespace(ns)
		}
	}
	for _, o := range t.owners {
		if o.subjects.Match(id.Name) {
			return o.team
		}
	}
	return ""
}
