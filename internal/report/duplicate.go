package report

import (
	"iter"
	"maps"
	"slices"

	"github.com/eksafe/eksafe/internal/estate"
	"github.com/eksafe/eksafe/internal/finding"
)

// A duplicate is a resource that files declare more than once.
type duplicate struct {
	ref    estate.Ref
	places []string // at most three
}

// duplicates returns the resources on which paths and findings stand that files
// declare more than once: of two Deployments of one name a cluster keeps the
// one that was applied last, and nobody can tell which that is.
func (r *Report) duplicates() []duplicate {
	if r.Graph == nil || r.Graph.Estate == nil {
		return nil
	}
	e := r.Graph.Estate
	return slices.Concat(
		twice(e, estate.Workloads), twice(e, estate.Services), twice(e, estate.Ingresses),
		twice(e, estate.Gateways), twice(e, estate.HTTPRoutes), twice(e, estate.NetworkPolicies),
		twice(e, estate.StorageClasses), twice(e, estate.Namespaces), twice(e, estate.PeerAuthentications),
	)
}

func twice[T any](e *estate.Estate, c estate.Collection[T]) []duplicate {
	places := map[estate.Ref][]string{}
	for _, item := range c.In(e) {
		if o := c.Origin(item); o.File != "" {
			ref := c.Ref(item)
			places[ref] = append(places[ref], finding.Location{File: o.File, Line: o.Line}.String())
		}
	}
	var out []duplicate
	for ref, at := range places {
		if len(at) > 1 {
			slices.Sort(at)
			out = append(out, duplicate{ref, at[:min(len(at), 3)]})
		}
	}
	slices.SortFunc(out, func(a, b duplicate) int { return a.ref.Compare(b.ref) })
	return out
}

func sortedKeys[V any](m map[string]V) iter.Seq[string] {
	return slices.Values(slices.Sorted(maps.Keys(m)))
}
