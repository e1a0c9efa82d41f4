package tenancy

import (
	"slices"

	"github.com/eksafe/eksafe/internal/control"
	"github.com/eksafe/eksafe/internal/estate"
	"github.com/eksafe/eksafe/internal/trace"
)

// A namespace is one that was read or that workloads name, with what stands in
// it.
type namespace struct {
	place     trace.Place
	name      string
	read      bool
	labels    map[string]string
	workloads []*estate.Workload
	quotas    []*quota
	limits    []*limits
}

// namespaces returns a check of every namespace of an application.
func namespaces(judge func(*control.Subject, *namespace), helped ...estate.Kind) control.Check {
	return control.Traced(listNamespaces, func(n *namespace) trace.Place { return n.place },
		func(s *control.Subject, n *namespace) {
			if platformNamespace(s.Config(), n.name) {
				s.NotApplicable()
				return
			}
			judge(s, n)
		}, estate.Namespaces.Kind).
		Helped(append([]estate.Kind{estate.Workloads.Kind}, helped...)...)
}

func listNamespaces(g *trace.Graph) []*namespace {
	byName := map[string]*namespace{}
	at := func(name string) *namespace {
		n := byName[name]
		if n == nil {
			n = &namespace{name: name, place: trace.Place{Subject: estate.NamedRef(estate.Namespaces.Kind, "namespace", "", name)}}
			byName[name] = n
		}
		return n
	}
	for _, o := range estate.Namespaces.In(g.Estate) {
		n := at(o.Object.Name)
		n.read, n.labels = true, o.Object.Labels
		n.place = trace.Place{Subject: estate.Namespaces.Ref(o), Origin: &o.Origin}
	}
	for _, w := range estate.Workloads.In(g.Estate) {
		n := at(w.Namespace)
		n.workloads = append(n.workloads, w)
	}
	for _, q := range estate.ResourceQuotas.In(g.Estate) {
		if n := byName[q.Object.Namespace]; n != nil {
			n.quotas = append(n.quotas, q)
		}
	}
	for _, l := range estate.LimitRanges.In(g.Estate) {
		if n := byName[l.Object.Namespace]; n != nil {
			n.limits = append(n.limits, l)
		}
	}
	var out []*namespace
	for _, n := range byName {
		slices.SortFunc(n.workloads, func(a, b *estate.Workload) int {
			return estate.Workloads.Ref(a).Compare(estate.Workloads.Ref(b))
		})
		out = append(out, n)
	}
	slices.SortFunc(out, func(a, b *namespace) int { return a.place.Subject.Compare(b.place.Subject) })
	return out
}
