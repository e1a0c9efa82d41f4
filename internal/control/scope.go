package control

import (
	"github.com/eksafe/eksafe/internal/config"
	"github.com/eksafe/eksafe/internal/estate"
	"github.com/eksafe/eksafe/internal/trace"
)

// A Scope says which subjects of a traced estate are judged. Paths and exposure
// are those of the whole estate: who limits what is judged does not change what
// is true.
//
// What has no namespace, such as a database or the cluster, belongs to
// everybody and is always in the scope.
type Scope struct {
	all          bool
	namespaces   config.Patterns
	excluded     config.Patterns
	applications config.Patterns
	members      map[estate.Ref]bool // of the applications in the scope
	homes        map[estate.Ref][]string
}

// NewScope returns the scope that is declared for a traced estate.
func NewScope(g *trace.Graph, declared *config.Scope) *Scope {
	s := &Scope{
		namespaces:   config.CompileAll(declared.Namespaces),
		excluded:     config.CompileAll(declared.ExcludeNamespaces),
		applications: config.CompileAll(declared.Applications),
	}
	if len(s.namespaces)+len(s.excluded)+len(s.applications) == 0 {
		s.all = true
		return s
	}
	s.homes = Homes(g)
	if len(s.applications) == 0 {
		return s
	}
	s.members = map[estate.Ref]bool{}
	for _, app := range g.Applications {
		if !s.HasApplication(app) {
			continue
		}
		for _, w := range app.Workloads {
			s.members[estate.Workloads.Ref(w)] = true
		}
		for _, p := range app.Paths {
			for _, h := range p.Hops {
				for _, place := range h.Places {
					s.members[place.Subject] = true
				}
				s.members[h.From], s.members[h.To] = true, true
			}
		}
	}
	for _, lb := range g.LoadBalancers {
		if s.members[lb.Ref] {
			for _, p := range lb.DeclaredBy {
				s.members[p.Subject] = true
			}
		}
	}
	return s
}

// Homes returns the namespaces of what has none itself and is declared in one:
// the real load balancers of Ingresses, Services and Gateways.
func Homes(g *trace.Graph) map[estate.Ref][]string {
	out := map[estate.Ref][]string{}
	for _, lb := range g.LoadBalancers {
		if lb.Ref.Namespace != "" {
			continue
		}
		for _, p := range lb.DeclaredBy {
			if p.Subject.Namespace != "" {
				out[lb.Ref] = append(out[lb.Ref], p.Subject.Namespace)
			}
		}
	}
	return out
}

// NamespaceOf returns the namespace to which a resource of a cluster belongs,
// "" if it belongs to none.
func NamespaceOf(ref estate.Ref) string {
	if ref.Kind == estate.Namespaces.Kind {
		return ref.Name
	}
	return ref.Namespace
}

// Has reports whether the subject is judged.
func (s *Scope) Has(ref estate.Ref) bool {
	if s.all {
		return true
	}
	if ns := NamespaceOf(ref); ns != "" {
		return s.namespace(ns) && (len(s.applications) == 0 || s.members[ref])
	}
	homes := s.homes[ref]
	for _, ns := range homes {
		if s.namespace(ns) && (len(s.applications) == 0 || s.members[ref]) {
			return true
		}
	}
	return len(homes) == 0
}

// HasApplication reports whether the application is judged.
func (s *Scope) HasApplication(app *trace.Application) bool {
	return s.all || s.namespace(app.Namespace) && (len(s.applications) == 0 || s.applications.Match(app.Namespace+"/"+app.Name))
}

func (s *Scope) namespace(ns string) bool {
	return (len(s.namespaces) == 0 || s.namespaces.Match(ns)) && !s.excluded.Match(ns)
}

// Limit returns the graph with the applications of the scope, for reports.
func (s *Scope) Limit(g *trace.Graph) *trace.Graph {
	if s.all {
		return g
	}
	limited := *g
	limited.Applications = nil
	for _, app := range g.Applications {
		if s.HasApplication(app) {
			limited.Applications = append(limited.Applications, app)
		}
	}
	return &limited
}
