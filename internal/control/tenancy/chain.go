package tenancy

import (
	"cmp"
	"sync"

	rbacv1 "k8s.io/api/rbac/v1"

	"github.com/eksafe/eksafe/internal/access"
	"github.com/eksafe/eksafe/internal/config"
	"github.com/eksafe/eksafe/internal/control"
	"github.com/eksafe/eksafe/internal/estate"
	"github.com/eksafe/eksafe/internal/trace"
)

// chainKinds are what decides who can become whom, beside roles and bindings:
// a service account may have a role of AWS, and that a way into the cluster.
var chainKinds = []estate.Kind{
	estate.Namespaces.Kind, estate.Workloads.Kind, estate.ServiceAccounts.Kind,
	estate.Clusters.Kind, estate.AccessEntries.Kind, estate.ConfigMaps.Kind, estate.PodIdentityAssociations.Kind,
	estate.Users.Kind, estate.Groups.Kind, estate.IAMRoles.Kind, estate.ManagedPolicies.Kind,
	estate.Nodegroups.Kind, estate.LaunchTemplates.Kind, estate.Instances.Kind,
}

// thePlatform owns the namespaces that belong to no team of an application.
const thePlatform = "the platform"

// chains are what the identities of an estate can become, as far as the
// controls of the family ask. Each part is computed by the first that asks.
type chains struct {
	graph *access.Graph
	mu    sync.Mutex // guards the others
	found map[reachedBy]map[access.Identity][]access.Reached
	admin map[access.Identity]access.Holder
}

// A reachedBy is one question about all identities.
type reachedBy int

const (
	secretsReached reachedBy = iota // the Secrets of two owners
	prodReached                     // power in production
)

// chainsOf returns the chains of a traced estate, which all controls share.
func chainsOf(g *trace.Graph) *chains {
	return trace.Derive(g, func(g *trace.Graph) *chains {
		return &chains{graph: access.Of(g), found: map[reachedBy]map[access.Identity][]access.Reached{}}
	})
}

// A way leads a subject of a binding to a namespace of somebody else.
type way struct{ access.Reached }

// where names the namespace in a sentence.
func (w way) where() string { return cmp.Or(w.Namespace, "every namespace") }

// ways returns where a subject of the binding can get by steps that begin with
// this binding.
func (b *binding) ways(s *control.Subject, by reachedBy, who rbacv1.Subject) []way {
	c := chainsOf(s.Graph())
	c.mu.Lock()
	if c.found[by] == nil {
		power, color := access.ReadSecrets, func(namespace string) string { return b.owner(s.Config(), namespace) }
		if by == prodReached {
			power, color = access.ChangeIt, func(namespace string) string {
				if platformNamespace(s.Config(), namespace) || b.stage(s.Config(), namespace) != prod {
					return ""
				}
				return prod
			}
		}
		c.found[by] = c.graph.Nearest(power, color)
	}
	found := c.found[by]
	c.mu.Unlock()
	var out []way
	for _, r := range found[identity(b.namespace, who)] {
		if r.Chain.Begins(b.place.Subject) {
			out = append(out, way{r})
		}
	}
	return out
}

// toAdmin returns how a subject of the binding can become cluster admin by steps
// that begin with this binding.
func (b *binding) toAdmin(s *control.Subject, who rbacv1.Subject) (access.Holder, bool) {
	h, ok := chainsOf(s.Graph()).admins()[identity(b.namespace, who)]
	return h, ok && h.Chain.Begins(b.place.Subject)
}

// admins are all who are or can become cluster admin.
func (c *chains) admins() map[access.Identity]access.Holder {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.admin == nil {
		c.admin = map[access.Identity]access.Holder{}
		for _, h := range c.graph.ReachAdmin() {
			c.admin[h.Identity] = h
		}
	}
	return c.admin
}

// identity returns who a subject of a binding is.
func identity(namespace string, s rbacv1.Subject) access.Identity {
	switch ns, _ := accountNamespace(namespace, s); {
	case s.Kind == rbacv1.ServiceAccountKind:
		return access.Identity{Kind: access.ServiceAccount, Namespace: ns, Name: s.Name}
	case s.Kind == rbacv1.GroupKind:
		return access.Identity{Kind: access.KubernetesGroup, Name: s.Name}
	}
	if id, err := access.ParseIdentity("user:" + s.Name); err == nil {
		return id
	}
	return access.Identity{Kind: access.KubernetesUser, Name: s.Name}
}

// owner returns whose a namespace is, "" if that is not known.
func (b *binding) owner(c *config.Config, namespace string) string {
	if platformNamespace(c, namespace) {
		return thePlatform
	}
	return b.team(c, namespace)
}

// subjectTeam returns the team of a subject of the binding, "" if that is not
// known.
func (b *binding) subjectTeam(c *config.Config, who rbacv1.Subject) string {
	if namespace, account := accountNamespace(b.namespace, who); account {
		if namespace == "" {
			return ""
		}
		return b.team(c, namespace)
	}
	return subjectTeam(c, who)
}
