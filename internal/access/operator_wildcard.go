package access

import (
	"fmt"
	"slices"
	"strings"

	rbacv1 "k8s.io/api/rbac/v1"

	"github.com/eksafe/eksafe/internal/platform"
)

// actsOnAny reports whether the rule gives the rights of a controller over the
// resources of every group, and so names none by which to know it.
func actsOnAny(rule *rbacv1.PolicyRule) bool {
	return slices.Contains(rule.APIGroups, rbacv1.APIGroupAll) && (permits(rule.Verbs, "update") || permits(rule.Verbs, "patch")) &&
		slices.ContainsFunc(rule.Resources, func(r string) bool {
			name, part, _ := strings.Cut(r, "/")
			return name == rbacv1.ResourceAll && shows(r, part)
		})
}

// Unfollowed says, in sentences, what the estate shows and no step follows, so
// that an answer may lack somebody although everything was read. Such steps would
// never be certain: nothing that is certain depends on them.
func (g *Graph) Unfollowed() []string {
	hidden := g.hiddenOperators()
	if len(hidden) == 0 {
		return nil
	}
	who := g.nodes[hidden[0]].id.Label()
	if n := len(hidden) - 1; n > 0 {
		who += fmt.Sprintf(" and %d more", n)
	}
	return []string{"operators: which custom resources steer " + who + ": rights to everything (cluster-admin, */*) name no API group, and no step follows them"}
}

// hiddenOperators returns the accounts that may be operators by a wildcard
// alone, and whom somebody else could steer by the custom resources that he may
// write. Those of the platform are none.
func (g *Graph) hiddenOperators() []int32 {
	o := &g.operators
	if len(o.hidden) == 0 {
		return nil
	}
	writers := map[scope][]int32{} // anywhere for all; two of each tell others from oneself
	note := func(at scope, n int32) {
		if len(writers[at]) < 2 && !slices.Contains(writers[at], n) {
			writers[at] = append(writers[at], n)
		}
	}
	custom := map[*ruleSet]bool{}
	for n, node := range g.nodes {
		if !node.id.signsIn() || ofPlatform(node.id) {
			continue
		}
		for i := range node.holds {
			h := &node.holds[i]
			writes, asked := custom[h.role]
			if !asked {
				writes = slices.ContainsFunc(h.role.rules, func(r entry) bool { return r.writes(g.book) && aboutCustom(&g.book.shapes[r.shape].rule) })
				custom[h.role] = writes
			}
			if writes {
				note(h.at, int32(n))
				note(anywhere, int32(n))
			}
		}
	}
	var out []int32
	for account, places := range o.hidden {
		other := func(n int32) bool { return n != account }
		if len(o.claims[account]) > 0 || ofPlatform(g.nodes[account].id) {
			continue
		}
		if slices.ContainsFunc(places, func(at scope) bool {
			if at == wholeCluster {
				return slices.ContainsFunc(writers[anywhere], other)
			}
			return slices.ContainsFunc(writers[at], other) || slices.ContainsFunc(writers[wholeCluster], other)
		}) {
			out = append(out, account)
		}
	}
	slices.SortFunc(out, func(a, b int32) int { return g.nodes[a].id.Compare(g.nodes[b].id) })
	return out
}

// aboutCustom reports whether the rule names a group that is none of Kubernetes,
// and resources of it.
func aboutCustom(rule *rbacv1.PolicyRule) bool {
	return slices.ContainsFunc(rule.APIGroups, func(group string) bool { return !kubernetesGroups[group] }) &&
		slices.ContainsFunc(rule.Resources, func(r string) bool { return !strings.Contains(r, "/") })
}

// ofPlatform reports whether the identity is an account of a namespace of the
// platform, or all of them.
func ofPlatform(id Identity) bool {
	if id.Kind == KubernetesGroup {
		namespace, all := strings.CutPrefix(id.Name, accountsGroup+":")
		return all && platform.Namespace(namespace)
	}
	return id.Kind == ServiceAccount && platform.Namespace(id.Namespace)
}
