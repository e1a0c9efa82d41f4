package access

import (
	"fmt"
	"maps"
	"slices"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/eksafe/eksafe/internal/estate"
)

// A standingHook is a webhook that the API server asks already.
type standingHook struct {
	name       string // "webhook inject.example.com of MutatingWebhookConfiguration mesh"
	mutates    bool
	service    *admissionv1.ServiceReference
	namespaces *metav1.LabelSelector
	rules      []admissionv1.RuleWithOperations
	narrow     bool // which objects it is asked about, more than rules and namespaces decides
	grant      Grant
}

// standingHooks returns the webhooks that a Service of the cluster answers.
func standingHooks(e *estate.Estate) []standingHook {
	var out []standingHook
	add := func(h standingHook, ref estate.Ref, origin *estate.Origin, i int, name string, c admissionv1.WebhookClientConfig, objects *metav1.LabelSelector, conditions int) {
		if c.Service == nil || c.Service.Namespace == "" || len(h.rules) == 0 {
			return
		}
		of := string(ref.Kind) + " " + ref.Name
		h.name, h.service = "webhook "+name+" of "+of, c.Service
		h.narrow = !everyObject(objects) || conditions > 0
		h.grant = Grant{Subject: ref, Origin: origin, Field: fmt.Sprintf("webhooks[%d].clientConfig", i),
			Says: of + " has Service " + c.Service.Namespace + "/" + c.Service.Name + " answer it"}
		out = append(out, h)
	}
	for _, r := range estate.MutatingWebhookConfigurations.In(e) {
		for i, w := range r.Object.Webhooks {
			add(standingHook{mutates: true, namespaces: w.NamespaceSelector, rules: w.Rules},
				estate.MutatingWebhookConfigurations.Ref(r), &r.Origin, i, w.Name, w.ClientConfig, w.ObjectSelector, len(w.MatchConditions))
		}
	}
	for _, r := range estate.ValidatingWebhookConfigurations.In(e) {
		for i, w := range r.Object.Webhooks {
			add(standingHook{namespaces: w.NamespaceSelector, rules: w.Rules},
				estate.ValidatingWebhookConfigurations.Ref(r), &r.Origin, i, w.Name, w.ClientConfig, w.ObjectSelector, len(w.MatchConditions))
		}
	}
	return out
}

func everyObject(s *metav1.LabelSelector) bool {
	return s == nil || len(s.MatchLabels) == 0 && len(s.MatchExpressions) == 0
}

// asks reports whether a webhook with such rules is asked before objects of a
// resource are written.
func asks(rules []admissionv1.RuleWithOperations, group, resource string) bool {
	return slices.ContainsFunc(rules, func(r admissionv1.RuleWithOperations) bool {
		return beforeWrites(&r) && (slices.Contains(r.APIGroups, group) || slices.Contains(r.APIGroups, "*")) &&
			(slices.Contains(r.Resources, resource) || slices.Contains(r.Resources, "*") || slices.Contains(r.Resources, "*/*"))
	})
}

// beforeWrites reports whether the rule is about objects that are made or
// changed.
func beforeWrites(r *admissionv1.RuleWithOperations) bool {
	return slices.ContainsFunc(r.Operations, func(o admissionv1.OperationType) bool {
		return o == admissionv1.Create || o == admissionv1.Update || o == admissionv1.OperationAll
	})
}

// maxHooked bounds the webhooks, each in each namespace, that are followed.
const maxHooked = 100_000

var (
	answerPods = &way{name: "mutate", as: "changes, as the webhook, pods that others make, so that they run as %s",
		in: "changes, as the webhook, pods that others make, and has with them %s"}
	answerSomePods = &way{name: "mutate", as: answerPods.as, in: answerPods.in, unclear: "about which pods it is asked, labels and conditions decide"}
	answerBindings = &way{name: "mutate", as: "changes, as the webhook, a binding that somebody with such rights writes, and has those of %s", unclear: rebind.unclear}
)

// readWebhooks makes the edges from the pods of a namespace whose Service answers
// a webhook to what the webhook gives. That such a pod answers in its place is
// never certain: it takes the labels that the Service selects, or its process,
// and the key of its certificate.
func (g *Graph) readWebhooks(hooks []standingHook) {
	places := map[scope]*corev1.Namespace{}
	for _, n := range estate.Namespaces.In(g.estate) {
		places[g.scopes[n.Object.Name]] = &n.Object
	}
	left := maxHooked
	for i := range hooks {
		h := &hooks[i]
		asked := g.asked(h, places)
		if left -= 1 + len(asked); left < 0 {
			g.unread = append(g.unread, "webhooks: there are too many of them to follow all")
			return
		}
		if len(asked) > 0 {
			g.standing(h, asked)
		}
	}
}

// asked returns where the webhook is asked: the whole cluster, or the namespaces
// that its selector selects. One whose labels were not read may be.
func (g *Graph) asked(h *standingHook, places map[scope]*corev1.Namespace) []scope {
	selector, err := metav1.LabelSelectorAsSelector(h.namespaces)
	if everyObject(h.namespaces) || err != nil {
		return []scope{wholeCluster}
	}
	var out []scope
	for i, name := range g.namespaces {
		n := places[scope(i)]
		if n != nil {
			has := labels.Set{corev1.LabelMetadataName: name}
			maps.Copy(has, n.Labels)
			if !selector.Matches(has) {
				continue
			}
		}
		out = append(out, scope(i))
	}
	return out
}

// standing makes the node of a webhook that stands, and its edges.
func (g *Graph) standing(h *standingHook, asked []scope) {
	id := Identity{Kind: Webhook, Name: h.name}
	if _, ok := g.index[id]; ok {
		return // a name that is declared twice is applied once
	}
	n, at := g.vertexOf(id), g.scopes[h.service.Namespace]
	pods := []int32{g.newPod(at)}
	if len(g.places[at].running) > 0 || !g.workloadsRead() {
		pods = append(pods, g.runningPod(at))
	}
	for _, from := range pods {
		g.edges = append(g.edges, edge{from: from, to: n, step: &Step{
			Technique: "answer", How: "answers in place of Service " + h.service.Namespace + "/" + h.service.Name + " as the " + h.name +
				" (it takes its labels or its process, and its key)",
			Grants: []Grant{h.grant}, Certain: Unclear,
		}})
	}
	says := "the API server shows the webhook what is written"
	shown := &hook{asked: h.rules, changes: h.mutates}
	makes := asks(h.rules, "", "pods")
	for _, t := range templates {
		for _, r := range t.resources {
			makes = makes || asks(h.rules, t.group, r)
		}
	}
	for _, s := range asked {
		g.nodes[n].inside = append(g.nodes[n].inside, inside{at: s, by: shown, says: says})
		if h.mutates && makes {
			how := answerPods
			if h.narrow {
				how = answerSomePods
			}
			g.edges = append(g.edges, edge{from: n, to: g.newPod(s), how: how, certain: !h.narrow})
		}
		if h.mutates && asks(h.rules, rbacv1.GroupName, "rolebindings") {
			to, _ := toPowerIn(g, s)
			g.edges = append(g.edges, edge{from: n, to: to, how: answerBindings})
		}
	}
	if !h.mutates {
		return
	}
	// Namespaces say nothing of what stands in none.
	if asks(h.rules, rbacv1.GroupName, "clusterrolebindings") {
		g.edges = append(g.edges, edge{from: n, to: g.admin, how: answerBindings})
	}
	for i := range h.rules {
		r := &h.rules[i]
		if !beforeWrites(r) {
			continue
		}
		on := rbacv1.PolicyRule{Verbs: []string{"update"}, APIGroups: r.APIGroups}
		for _, resource := range r.Resources {
			if resource == "*/*" {
				resource = rbacv1.ResourceAll
			}
			on.Resources = append(on.Resources, resource)
		}
		if to := g.writersBy(shapeAt{g.book.shape(on), anywhere}); to >= 0 {
			g.edges = append(g.edges, edge{from: n, to: to, how: steerConverted})
		}
	}
}
