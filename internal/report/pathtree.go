package report

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/eksafe/eksafe/internal/estate"
	"github.com/eksafe/eksafe/internal/finding"
	"github.com/eksafe/eksafe/internal/trace"
)

// A node is one place on the way of data, with the hops that leave it. The
// paths of an application share hops; joined at their nodes they are a graph,
// drawn as a forest in which each node is expanded once.
type node struct {
	ref      estate.Ref
	workload *estate.Workload // nil unless it is one
	next     []branch
}

// A branch is a hop and the node that it leads to.
type branch struct {
	hop *trace.Hop
	to  *node
	// again is true where to was drawn before.
	again bool
}

// A bundle is all hops from one node to another, drawn side by side.
type bundle struct {
	to    *node
	again bool
	hops  []*trace.Hop
}

// bundles returns what leaves n, by where it leads.
func (n *node) bundles() []*bundle {
	var out []*bundle
	for _, b := range n.next {
		i := slices.IndexFunc(out, func(x *bundle) bool { return x.to == b.to })
		if i < 0 {
			i = len(out)
			out = append(out, &bundle{to: b.to, again: b.again})
		}
		out[i].hops = append(out[i].hops, b.hop)
	}
	return out
}

// forest joins the paths of app. Roots and branches keep the order of the
// paths.
func forest(app *trace.Application) []*node {
	nodes := map[estate.Ref]*node{}
	at := func(ref estate.Ref, w *estate.Workload) *node {
		n := nodes[ref]
		if n == nil {
			n = &node{ref: ref}
			nodes[ref] = n
		}
		if n.workload == nil {
			n.workload = w
		}
		return n
	}
	var roots []*node
	entered := map[*node]bool{}
	taken := map[*trace.Hop]bool{}
	for _, p := range app.Paths {
		for i, h := range p.Hops {
			from, to := at(h.From, h.Client), at(h.To, h.Server)
			if i == 0 && !slices.Contains(roots, from) {
				roots = append(roots, from)
			}
			if taken[h] {
				continue
			}
			taken[h] = true
			from.next = append(from.next, branch{hop: h, to: to})
		}
	}
	// A node that another root leads to is no root of its own.
	led := map[*node]bool{}
	for _, n := range nodes {
		for _, b := range n.next {
			if b.to != n {
				led[b.to] = true
			}
		}
	}
	kept := slices.DeleteFunc(slices.Clone(roots), func(n *node) bool { return led[n] })
	if len(kept) == 0 {
		kept = roots
	}
	var expand func(*node)
	expand = func(n *node) {
		entered[n] = true
		for i := range n.next {
			b := &n.next[i]
			if entered[b.to] {
				b.again = true
				continue
			}
			expand(b.to)
		}
	}
	for _, n := range kept {
		if !entered[n] {
			expand(n)
		}
	}
	return kept
}

// A portrait is an application as reports show it.
type portrait struct {
	app                     *trace.Application
	hops                    []*trace.Hop // each once, in the order of the paths
	encrypted, unknown, bad int
	main                    []*trace.Hop // the path that stands for all
	nodes                   []estate.Ref
	onHops                  int      // findings that hang on hops
	findings                int      // findings that hang on hops or nodes
	severe                  int      // of those, critical and high
	reported                []string // IDs of what other tools say of it
	alike                   int      // how many more applications are drawn the same, but for names
}

// clean reports whether there is nothing to mend on the hops. Its nodes may
// have findings of their own.
func (p *portrait) clean() bool { return p.bad == 0 && p.unknown == 0 && p.onHops == 0 }

// readableHop reports whether data may travel readable over h, or does not get
// through.
func readableHop(h *trace.Hop) bool {
	return h.Broken || h.Encryption == trace.Plaintext || h.Encryption == trace.Optional
}

// portraits returns the applications that have paths: those with something to
// mend first, the most exposed of them first, and how many have no path.
func (r *Report) portraits(hung *attachments) (out []*portrait, pathless int) {
	for _, app := range r.applications() {
		if len(app.Paths) == 0 {
			pathless++
			continue
		}
		p := &portrait{app: app}
		taken := map[*trace.Hop]bool{}
		known := map[estate.Ref]bool{}
		told := map[*finding.Finding]bool{}
		tell := func(fs []*finding.Finding) {
			for _, f := range fs {
				if told[f] || f.Exception != nil {
					continue
				}
				told[f] = true
				p.findings++
				if f.Severity >= finding.High {
					p.severe++
				}
			}
		}
		see := func(ref estate.Ref) {
			if !known[ref] {
				known[ref] = true
				p.nodes = append(p.nodes, ref)
				tell(hung.nodes[ref])
			}
		}
		worst := -1
		for _, path := range app.Paths {
			weight := 0
			for _, h := range path.Hops {
				if readableHop(h) {
					weight++
				}
				if taken[h] {
					continue
				}
				taken[h] = true
				see(h.From)
				see(h.To)
				tell(hung.hops[h])
				p.onHops += accusing(hung.hops[h])
				p.hops = append(p.hops, h)
				switch {
				case readableHop(h):
					p.bad++
				case h.Encryption == trace.Encrypted:
					p.encrypted++
				default:
					p.unknown++
				}
			}
			if weight > worst || weight == worst && len(path.Hops) > len(p.main) {
				worst, p.main = weight, path.Hops
			}
		}
		out = append(out, p)
	}
	class := func(p *portrait) int {
		switch {
		case p.bad > 0:
			return 0
		case p.unknown > 0 || p.onHops > 0:
			return 1
		}
		return 2
	}
	slices.SortStableFunc(out, func(a, b *portrait) int {
		return cmp.Or(
			cmp.Compare(class(a), class(b)),
			cmp.Compare(b.app.Exposed, a.app.Exposed),
			cmp.Compare(b.severe, a.severe),
			cmp.Compare(b.bad, a.bad),
		)
	})
	return out, pathless
}

// shape returns what an application's drawing says, without the names in it.
func (p *portrait) shape() string {
	var b strings.Builder
	number := map[estate.Ref]int{}
	for i, ref := range p.nodes {
		number[ref] = i
	}
	fmt.Fprintf(&b, "%d %d %s", p.app.Exposed, p.app.Omitted, p.reported)
	for _, h := range p.hops {
		why := h.Why
		for _, ref := range p.nodes {
			why = nameless(why, ref)
		}
		fmt.Fprintf(&b, "\n%d %s>%d %s %s %s %s", number[h.From], h.From.Kind, number[h.To], h.To.Kind, markOf(h).word, h.Protocol, why)
	}
	return b.String()
}

// unlike returns the portraits that differ in more than names, in their order,
// each with the number of those that are like it.
func unlike(portraits []*portrait) []*portrait {
	first := map[string]*portrait{}
	var out []*portrait
	for _, p := range portraits {
		shape := p.shape()
		if f := first[shape]; f != nil {
			f.alike++
			continue
		}
		first[shape] = p
		out = append(out, p)
	}
	return out
}

// accusing returns how many findings nobody accepted.
func accusing(fs []*finding.Finding) int {
	n := 0
	for _, f := range fs {
		if f.Exception == nil {
			n++
		}
	}
	return n
}
