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

// What a webhook is asked about has the object: what is deleted, too, as the
// one that stands (oldObject), and of that there is nothing left to change. A
// CONNECT has the options of the connection alone. Looked up on 2026-11-26 in
// the documentation of admission.k8s.io/v1.
var (
	showing  = []admissionv1.OperationType{admissionv1.Create, admissionv1.Update, admissionv1.Delete}
	changing = []admissionv1.OperationType{admissionv1.Create, admissionv1.Update}
	making   = []admissionv1.OperationType{admissionv1.Create}
	updating = []admissionv1.OperationType{admissionv1.Update}
)

// asks reports whether a webhook with such rules is asked about one of the
// operations on objects of a resource.
func asks(rules []admissionv1.RuleWithOperations, before []admissionv1.OperationType, group, resource string) bool {
	return slices.ContainsFunc(rules, func(r admissionv1.RuleWithOperations) bool {
		return about(&r, before) && (slices.Contains(r.APIGroups, group) || slices.Contains(r.APIGroups, "*")) &&
			(slices.Contains(r.Resources, resource) || slices.Contains(r.Resources, "*") || slices.Contains(r.Resources, "*/*"))
	})
}

func about(r *admissionv1.RuleWithOperations, before []admissionv1.OperationType) bool {
	return slices.ContainsFunc(r.Operations, func(o admissionv1.OperationType) bool {
		return o == admissionv1.OperationAll || slices.Contains(before, o)
	})
}

// maxHooked bounds the webhooks, each in each namespace, that are followed.
const maxHooked = 100_000

var (
	answerPods = &way{name: "mutate", as: "changes, as the webhook, pods that others make, so that they run as %s",
		in: "changes, as the webhook, pods that others make, and has with them %s"}
	answerSomePods  = &way{name: "mutate", as: answerPods.as, in: answerPods.in, unclear: "about which pods it is asked, labels and conditions decide"}
	answerTemplates = &way{name: "mutate", as: "changes, as the webhook, workloads that others change, so that their pods run as %s",
		in: "changes, as the webhook, workloads that others change, and has with them %s", unclear: "it takes somebody who changes one"}
	answerUpdates = &way{name: "mutate", as: "changes, as the webhook, the image of a pod that others update, which runs as %s",
		in: "changes, as the webhook, the image of %s that others update", unclear: "it takes somebody who updates one"}
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

// newPods returns how the webhook decides what new pods are, nil if it does
// not. An update of a pod leaves its volumes and its service account alone, one
// of a workload changes its template, which makes new pods.
func (h *standingHook) newPods() *way {
	if !h.mutates {
		return nil
	}
	made := asks(h.rules, making, "", "pods")
	for _, t := range templates {
		made = made || slices.ContainsFunc(t.resources, func(r string) bool { return asks(h.rules, making, t.group, r) })
	}
	switch {
	case made && h.narrow:
		return answerSomePods
	case made:
		return answerPods
	}
	for t := range updated {
		if asks(h.rules, updating, rightTable[t].group, rightTable[t].resources[0]) {
			return answerTemplates
		}
	}
	return nil
}

// runs reports whether a pod runs in the scope, or may.
func (g *Graph) runs(s scope) bool {
	return s == wholeCluster || len(g.places[s].running) > 0 || !g.workloadsRead()
}

// standing makes the node of a webhook that stands, and its edges.
func (g *Graph) standing(h *standingHook, asked []scope) {
	id := Identity{Kind: Webhook, Name: h.name}
	if _, ok := g.index[id]; ok {
		return // a name that is declared twice is applied once
	}
	n, at := g.vertexOf(id), g.scopes[h.service.Namespace]
	pods := []int32{g.newPod(at)}
	if g.runs(at) {
		pods = append(pods, g.runningPod(at))
	}
	for _, from := range pods {
		g.edges = append(g.edges, edge{from: from, to: n, step: &Step{
			Technique: "answer", How: "answers in place of Service " + h.service.Namespace + "/" + h.service.Name + " as the " + h.name +
				" (it takes its labels or its process, and its key)",
			Grants: []Grant{h.grant}, Certain: Unclear,
		}})
	}
	says := "the API server shows the webhook the objects that it is asked about"
	shown := &hook{asked: h.rules, changes: h.mutates}
	newPods, updates := h.newPods(), h.mutates && asks(h.rules, updating, "", "pods")
	for _, s := range asked {
		g.nodes[n].inside = append(g.nodes[n].inside, inside{at: s, by: shown, says: says})
		switch {
		case newPods != nil:
			g.edges = append(g.edges, edge{from: n, to: g.newPod(s), how: newPods, certain: newPods.unclear == ""})
		case updates && g.runs(s):
			g.edges = append(g.edges, edge{from: n, to: g.runningPod(s), how: answerUpdates})
		}
		if h.mutates && asks(h.rules, changing, rbacv1.GroupName, "rolebindings") {
			to, _ := toPowerIn(g, s)
			g.edges = append(g.edges, edge{from: n, to: to, how: answerBindings})
		}
	}
	if !h.mutates {
		return
	}
	// Namespaces say nothing of what stands in none.
	if asks(h.rules, changing, rbacv1.GroupName, "clusterrolebindings") {
		g.edges = append(g.edges, edge{from: n, to: g.admin, how: answerBindings})
	}
	for i := range h.rules {
		r := &h.rules[i]
		if !about(r, changing) {
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
