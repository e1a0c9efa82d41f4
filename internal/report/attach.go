package report

import (
	"slices"
	"strings"

	"github.com/eksafe/eksafe/internal/estate"
	"github.com/eksafe/eksafe/internal/finding"
	"github.com/eksafe/eksafe/internal/trace"
)

// attachments say where on the paths the findings hang.
type attachments struct {
	hops  map[*trace.Hop][]*finding.Finding
	nodes map[estate.Ref][]*finding.Finding
}

// attach hangs the findings of the report on its paths. A finding of the
// transit or rest family hangs on the hops whose verdict is written at the
// finding's place: the same subject, and the same field or one within the
// other. Any other finding hangs on the node that is its subject, or that its
// subject declares: the load balancer of an Ingress. A finding may hang on
// several hops, and never on a hop and a node both.
func (r *Report) attach() *attachments {
	a := &attachments{hops: map[*trace.Hop][]*finding.Finding{}, nodes: map[estate.Ref][]*finding.Finding{}}
	if r.Graph == nil {
		return a
	}
	type placed struct {
		hop   *trace.Hop
		field string
	}
	places := map[estate.Ref][]placed{}
	nodes := map[estate.Ref]bool{}
	seen := map[*trace.Hop]bool{}
	for _, app := range r.Graph.Applications {
		for _, w := range app.Workloads {
			nodes[estate.Workloads.Ref(w)] = true
		}
		for _, p := range app.Paths {
			for _, h := range p.Hops {
				if seen[h] {
					continue
				}
				seen[h] = true
				nodes[h.From], nodes[h.To] = true, true
				for _, at := range h.Places {
					places[at.Subject] = append(places[at.Subject], placed{h, at.Field})
				}
			}
		}
	}
	declares := map[estate.Ref][]estate.Ref{}
	for _, lb := range r.Graph.LoadBalancers {
		if !nodes[lb.Ref] {
			continue
		}
		for _, p := range lb.DeclaredBy {
			if !slices.Contains(declares[p.Subject], lb.Ref) {
				declares[p.Subject] = append(declares[p.Subject], lb.Ref)
			}
		}
	}
	for i := range r.Results {
		onPath := r.describe(r.Results[i].Control.ID).OnPath()
		for j := range r.Results[i].Findings {
			f := &r.Results[i].Findings[j]
			hung := false
			if onPath {
				for _, p := range places[f.Subject] {
					if within(f.Field, p.field) && !slices.Contains(a.hops[p.hop], f) {
						a.hops[p.hop] = append(a.hops[p.hop], f)
						hung = true
					}
				}
			}
			if hung {
				continue
			}
			if nodes[f.Subject] {
				a.nodes[f.Subject] = append(a.nodes[f.Subject], f)
				continue
			}
			for _, lb := range declares[f.Subject] {
				a.nodes[lb] = append(a.nodes[lb], f)
			}
		}
	}
	worst := func(x, y *finding.Finding) int { return finding.Compare(*x, *y) }
	for _, fs := range a.hops {
		slices.SortFunc(fs, worst)
	}
	for _, fs := range a.nodes {
		slices.SortFunc(fs, worst)
	}
	return a
}

// within reports whether two field paths are the same or one is a part of the
// other: "spec.tls" and "spec.tls[0].hosts". The empty field is only itself.
func within(a, b string) bool {
	if a == b {
		return true
	}
	if len(a) > len(b) {
		a, b = b, a
	}
	return a != "" && strings.HasPrefix(b, a) && (b[len(a)] == '.' || b[len(a)] == '[')
}
