package access

import (
	"fmt"
	"slices"

	"github.com/eksafe/eksafe/internal/estate"
	"github.com/eksafe/eksafe/internal/trace"
)

// Whole returns the graph of an estate with all that is known of its access. It
// is the one place where RBAC and what lies beyond it are joined.
func Whole(e *estate.Estate) *Graph { return join(e, NewAWS(e)) }

// Of returns the whole graph of a traced estate. It is built once for all who
// ask.
func Of(t *trace.Graph) *Graph {
	return trace.Derive(t, func(t *trace.Graph) *Graph { return join(t.Estate, OfAWS(t)) })
}

// OfAWS returns the principals of a traced estate, those of the whole graph.
func OfAWS(t *trace.Graph) *AWS {
	return trace.Derive(t, func(t *trace.Graph) *AWS { return NewAWS(t.Estate) })
}

func join(e *estate.Estate, a *AWS) *Graph {
	g := New(e, a.beyond())
	g.aws = a
	return g
}

// beyond returns what the principals of AWS add to the graph of a cluster.
func (a *AWS) beyond() Beyond {
	b := Beyond{Unread: slices.Clone(a.gaps), Steps: make([]Step, 0, len(a.steps))}
	for _, p := range a.principals {
		b.Known = append(b.Known, p.Identity())
	}
	for _, s := range a.steps {
		if s.To.Kind == KubernetesGroup && s.To.Name == nodesGroup {
			if s.From.Kind == NodeIdentity {
				continue // by nature
			}
			// Whoever signs in by the role of a node is that node, with the pods that
			// run there. Which one, the name of the session says.
			s.To, s.Certain = Identity{Kind: NodeIdentity, Cluster: s.To.Cluster}, both(s.Certain, Unclear)
		}
		b.Steps = append(b.Steps, s)
	}
	for _, r := range a.rules {
		if r.Rules == nil {
			b.Unread = append(b.Unread, fmt.Sprintf("what %s may do: %s, and what that allows is not known", r.Who.Label(), r.Grant.Says))
			continue
		}
		given := Given{Holder: r.Who, Rules: r.Rules, Namespaces: r.Namespaces, Grants: []Grant{r.Grant}, Certain: Yes}
		if !r.Known {
			given.Certain = Unclear
		}
		b.Rights = append(b.Rights, given)
	}
	return b
}

// ReachAccounts returns everybody who is or can become an administrator of an
// account of AWS; whose, the last step says.
func (g *Graph) ReachAccounts() []Holder {
	return g.whoReaches(g.accounts())
}

// accounts are the administrators of accounts as ends of a search.
func (g *Graph) accounts() map[int32]end {
	out := map[int32]end{}
	for n, v := range g.nodes {
		if v.id.Kind == Administrator {
			out[int32(n)] = end{certain: Yes}
		}
	}
	return out
}

// WhoCanInAWS returns everybody who may do an action on a resource of AWS, or
// can become somebody who may; an empty resource asks for any one.
func (g *Graph) WhoCanInAWS(action, resource string) []Holder {
	if g.aws == nil {
		return nil
	}
	ends := map[int32]end{}
	for _, r := range g.aws.WhoCan(action, resource) {
		if p, ok := g.aws.Principal(r.Who); ok && len(r.Grants) == 0 && len(p.Gaps) > 0 {
			r.Grants = []Grant{{Subject: p.Ref, Says: "it may be allowed: " + p.Gaps[0]}}
		}
		ends[g.index[r.Who]] = end{certain: r.Certain, grants: r.Grants, unread: r.Unread}
	}
	return g.whoReaches(ends)
}

// AWS returns the principals of AWS in the graph, nil of one of Kubernetes alone.
func (g *Graph) AWS() *AWS { return g.aws }

// An end is where a search leads that asks for no right of Kubernetes.
type end struct {
	certain Answer
	grants  []Grant
	unread  []string // as of a Step
}

func (g *Graph) whoReaches(ends map[int32]end) []Holder {
	if len(ends) == 0 {
		return nil
	}
	s := g.newSearch(Query{})
	s.ends = ends
	for _, r := range s.readings() {
		s.run(false, r)
	}
	return s.holders()
}
