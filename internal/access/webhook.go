package access

import (
	"strings"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	rbacv1 "k8s.io/api/rbac/v1"
)

// Webhook is a server of somebody's own that the API server sends objects to.
const Webhook IdentityKind = "Webhook"

// A hook is what the API server shows a webhook, and lets it change.
type hook struct {
	group, resource string // custom resources of one kind, "" for more
	custom          bool   // custom resources alone
	changes         bool
	asked           []admissionv1.RuleWithOperations // of a webhook that stands
}

// shows reports whether the webhook gets to see, or to change, what the query is
// about: objects, whole, and none of those that configure admission.
func (h *hook) shows(q Query) bool {
	if q.URL != "" || q.Subresource != "" || q.Resource == rbacv1.ResourceAll || q.Group == rbacv1.APIGroupAll || q.Group == admissionGroup {
		return false
	}
	if q.Verb != "get" && !(h.changes && (q.Verb == "update" || q.Verb == "patch")) {
		return false
	}
	switch {
	case h.asked != nil:
		before := showing
		if q.Verb != "get" {
			before = changing
		}
		return asks(h.asked, before, q.Group, q.Resource)
	case h.group != "":
		return q.Group == h.group && q.Resource == h.resource
	case h.custom:
		return !kubernetesGroups[q.Group]
	}
	return true
}

var (
	validate = &way{name: "validate", needs: []rights{set(validateRequests)}, cluster: true, to: surely((*Graph).admissionHook),
		as: "has each object that is written shown to %s", unclear: "only what is written from then on"}
	convert = &way{name: "convert", needs: []rights{set(convertObjects)}, cluster: true, to: surely(func(g *Graph, _ scope) int32 { return g.conversionHook("") }),
		as: "has custom resources converted by %s", unclear: "it takes two versions of them"}
	validateNamed = &way{name: "validate", as: validate.as, unclear: "only a webhook of that name, and what is written from then on"}
	mutateNamed   = &way{name: "mutate", as: mutate.as, in: mutate.in, unclear: "only a webhook of that name"}
	rebindNamed   = &way{name: "mutate", as: rebind.as, unclear: "only a webhook of that name, and " + rebind.unclear}
	mutate        = &way{name: "mutate", needs: []rights{set(mutateRequests)}, cluster: true, to: toNewPod,
		as: "changes, by a webhook, pods that others make, so that they run as %s", in: "changes, by a webhook, pods that others make, and has with them %s"}
	// The API server asks whether the one who writes a binding has the rights in
	// it after the webhook has changed it.
	rebind = &way{name: "mutate", needs: []rights{set(mutateRequests)}, cluster: true, to: toAdmin,
		as: "changes, by a webhook, a binding that somebody with such rights writes, and has those of %s", unclear: "it takes somebody who writes one"}
)

// admissionHook returns the node of a webhook that is shown what is written.
func (g *Graph) admissionHook(scope) int32 {
	return g.webhook("an admission webhook", &hook{}, "the API server shows a webhook each object that is written")
}

// conversionHook returns the node of a webhook that converts custom resources:
// those of one definition, or "" for all. It changes what their operators read.
func (g *Graph) conversionHook(definition string) int32 {
	h, name := &hook{custom: true, changes: true}, "a conversion webhook"
	if definition != "" {
		h.resource, h.group, _ = strings.Cut(definition, ".")
		name += " of " + definition
	}
	known := len(g.nodes)
	n := g.webhook(name, h, "the API server has a webhook convert custom resources that are read or written")
	if int(n) < known {
		return n
	}
	on := custom{group: rbacv1.APIGroupAll, resource: rbacv1.ResourceAll}
	if h.group != "" {
		on = custom{group: h.group, resource: h.resource}
	}
	for _, c := range []custom{on, {group: on.group, resource: unlisted}} {
		if to, ok := g.operators.spots[spot{c.group, c.resource, anywhere}]; ok {
			g.edges = append(g.edges, edge{from: n, to: to, how: steerConverted})
		}
	}
	return n
}

func (g *Graph) webhook(name string, h *hook, says string) int32 {
	id := Identity{Kind: Webhook, Name: name}
	if n, ok := g.index[id]; ok {
		return n
	}
	n := g.vertexOf(id)
	g.nodes[n].inside = append(g.nodes[n].inside, inside{at: wholeCluster, by: h, says: says})
	return n
}
