package reach

import (
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/eksafe/eksafe/internal/estate"
	"github.com/eksafe/eksafe/internal/trace"
)

// What the rules of Cilium let through is not computed: whom a policy selects
// is, and whether it denies what no rule allows. What it allows or denies beyond
// is in doubt.

const ciliumDoubt = "the rules of Cilium are not computed"

// addCilium compiles the policies of Cilium.
func (n *Network) addCilium(tiers map[string]*tier) {
	e := n.graph.Estate
	// A policy without a default of denial leaves to the others what it does
	// not decide.
	t := &tier{name: "cilium", order: -1, end: pass}
	add := func(o *estate.CiliumNetworkPolicy, place trace.Place, kind string) {
		field, specs := "specs", o.Specs
		if o.Spec != nil {
			specs = append([]estate.CiliumPolicySpec{*o.Spec}, specs...)
		}
		for i := range specs {
			if specs[i].EndpointSelector == nil {
				continue // one of nodes selects no pod
			}
			at := place
			at.Field = field
			n.addCiliumSpec(&specs[i], at, kind+" "+strings.TrimPrefix(o.Namespace+"/"+o.Name, "/"), o.Namespace, tiers["default"], t)
		}
	}
	before := len(n.policies)
	for _, r := range estate.CiliumNetworkPolicies.In(e) {
		add(&r.Object, trace.Place{Subject: estate.CiliumNetworkPolicies.Ref(r), Origin: &r.Origin}, "CiliumNetworkPolicy")
	}
	for _, r := range estate.CiliumClusterwideNetworkPolicies.In(e) {
		add(&r.Object, trace.Place{Subject: estate.CiliumClusterwideNetworkPolicies.Ref(r), Origin: &r.Origin}, "CiliumClusterwideNetworkPolicy")
	}
	if len(n.policies) > before {
		tiers["\x00cilium"] = t
	}
}

func (n *Network) addCiliumSpec(s *estate.CiliumPolicySpec, place trace.Place, name, namespace string, isolating, passing *tier) {
	selected := n.ciliumSelection(s.EndpointSelector, namespace)
	for d, rules := range [2]struct {
		allow, deny []estate.CiliumRule
		byDefault   *bool
	}{
		Ingress: {s.Ingress, s.IngressDeny, s.EnableDefaultDeny.Ingress},
		Egress:  {s.Egress, s.EgressDeny, s.EnableDefaultDeny.Egress},
	} {
		applies := len(rules.allow)+len(rules.deny) > 0
		denies := applies
		if rules.byDefault != nil {
			denies = *rules.byDefault
			applies = applies || denies
		}
		if !applies {
			continue
		}
		// Its denials stand before everything; what it allows, it allows beside
		// the NetworkPolicies.
		p := &policy{place: place, name: name, tier: passing, selected: selected, selector: "spec.endpointSelector", whole: emptySelector(s.EndpointSelector)}
		if denies {
			p.tier, p.order = isolating, -1
		}
		p.applies[d] = true
		field := "spec." + Direction(d).String()
		if len(rules.deny) > 0 {
			p.rules[d] = append(p.rules[d], n.ciliumRule(deny, field+"Deny"))
		}
		// A rule that says nothing is the usual way to deny by default; it
		// allows nothing (unverified beyond that use).
		if slices.ContainsFunc(rules.allow, func(r estate.CiliumRule) bool { return !r.Empty() }) {
			p.rules[d] = append(p.rules[d], n.ciliumRule(allow, field))
		}
		n.policies = append(n.policies, p)
	}
}

func (n *Network) ciliumRule(a action, field string) rule {
	return rule{action: a, field: field, peers: n.everything(), ports: allPorts, doubt: ciliumDoubt}
}

// ciliumSelection returns the pods that a selector of Cilium selects. Keys may
// name the source of a label: "k8s:app", "any:app"; one of "reserved" is about
// nothing that a source shows.
func (n *Network) ciliumSelection(selector *metav1.LabelSelector, namespace string) peers {
	plain := selector.DeepCopy()
	plain.MatchLabels = map[string]string{}
	unread := false
	for k, v := range selector.MatchLabels {
		plain.MatchLabels[ciliumKey(k)] = v
		unread = unread || strings.HasPrefix(k, "reserved")
	}
	for i := range plain.MatchExpressions {
		unread = unread || strings.HasPrefix(plain.MatchExpressions[i].Key, "reserved")
		plain.MatchExpressions[i].Key = ciliumKey(plain.MatchExpressions[i].Key)
	}
	s, err := metav1.LabelSelectorAsSelector(plain)
	unread = unread || err != nil
	if unread {
		s = labels.Everything()
	}
	spans := interval(0, n.pods)
	if namespace != "" {
		ns := n.byName[namespace]
		if ns == nil {
			return peers{}
		}
		spans = interval(ns.span.lo, ns.span.hi)
	}
	key := "cilium " + namespace + "\x00" + s.String()
	if unread {
		key += "\x00unread"
	}
	if known, ok := n.sets[key]; ok {
		return known
	}
	var out peers
	for i := range spans.points() {
		if p := n.points[i]; !p.host && s.Matches(ciliumLabels{p}) {
			out.may = out.may.extend(i, i+1)
		}
	}
	if !unread {
		out.sure = out.may
	}
	n.sets[key] = out
	return out
}

func ciliumKey(key string) string {
	return strings.TrimPrefix(strings.TrimPrefix(key, "k8s:"), "any:")
}

// ciliumLabels are the labels of a pod as Cilium knows them.
type ciliumLabels struct{ pod *point }

const ciliumNamespaceLabel = "io.cilium.k8s.namespace.labels."

// Lookup returns the value of a label.
func (l ciliumLabels) Lookup(key string) (string, bool) {
	if key == "io.kubernetes.pod.namespace" {
		return l.pod.namespace.name, true
	}
	if v, ok := l.pod.labels[key]; ok {
		return v, true
	}
	if rest, ok := strings.CutPrefix(key, ciliumNamespaceLabel); ok {
		v, ok := l.pod.namespace.labels[rest]
		return v, ok
	}
	return "", false
}

// Has reports whether the label exists.
func (l ciliumLabels) Has(key string) bool { _, ok := l.Lookup(key); return ok }

// Get returns the value of a label, "" if there is none.
func (l ciliumLabels) Get(key string) string { v, _ := l.Lookup(key); return v }
