package network

import (
	"encoding/json"
	"fmt"
	"slices"

	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/eksafe/eksafe/internal/control"
	"github.com/eksafe/eksafe/internal/estate"
	"github.com/eksafe/eksafe/internal/trace"
)

var policyAlive = &control.Control{
	ID:       "policy-alive",
	Title:    "Every network policy does something",
	Severity: control.Low,
	Refs:     []control.Ref{control.Project("kubernetes-network-policies")},
	Serves:   []string{"S14"},
	Since:    "0.1.0",
	Check: control.Traced(func(g *trace.Graph) []*policy { return fabricOf(g).policies }, func(p *policy) trace.Place { return p.place }, judgeAlive,
		estate.NetworkPolicies.Kind).
		Needs(estate.NetworkPolicies.Kind, estate.Workloads.Kind, estate.Namespaces.Kind),
}

// always exist in every cluster, whatever a source shows.
var alwaysThere = []string{"default", "kube-system", "kube-public", "kube-node-lease"}

func judgeAlive(s *control.Subject, p *policy) {
	f := fabricOf(s.Graph())
	// A file need not show what the cluster runs: operators make pods of their
	// own resources.
	live := p.place.Origin != nil && p.place.Origin.Cluster != ""
	ns := f.byName[p.object.Namespace]
	dead := func(field, format string, args ...any) {
		if live {
			s.Failf(field, format, args...)
			return
		}
		s.Unknownf("%s; manifests do not show what else the cluster runs: read it live (--kube)", fmt.Sprintf(format, args...))
	}
	switch {
	case p.selector == nil:
		s.Failf("spec.podSelector", "the selector cannot be read, so that it selects nothing")
		return
	case len(p.pods) == 0 && !p.selector.Empty():
		dead("spec.podSelector", "it selects no pod")
		return
	}
	for i, r := range p.object.Spec.Ingress {
		field := fmt.Sprintf("spec.ingress[%d]", i)
		for j, from := range r.From {
			f.judgePeer(dead, ns, fmt.Sprintf("%s.from[%d]", field, j), from)
		}
		for j, np := range r.Ports {
			if np.Port != nil && np.Port.Type == intstr.String && len(p.pods) > 0 && !hasNamed(s.Graph(), p.pods, np) {
				dead(fmt.Sprintf("%s.ports[%d]", field, j), "no container of %s calls a %s port %q", podNames(p.pods), protocol(np.Protocol), np.Port.StrVal)
			}
		}
	}
	for i, r := range p.object.Spec.Egress {
		field := fmt.Sprintf("spec.egress[%d]", i)
		var peers []*pod
		for j, to := range r.To {
			peers = append(peers, f.judgePeer(dead, ns, fmt.Sprintf("%s.to[%d]", field, j), to)...)
		}
		for j, np := range r.Ports {
			if np.Port != nil && np.Port.Type == intstr.String && len(peers) > 0 && !hasNamed(s.Graph(), peers, np) {
				dead(fmt.Sprintf("%s.ports[%d]", field, j), "no container of %s calls a %s port %q", podNames(peers), protocol(np.Protocol), np.Port.StrVal)
			}
		}
	}
	if by := trace.Derive(s.Graph(), newShadows)[p]; by != nil {
		s.Failf("spec", "NetworkPolicy %s selects the same pods and allows all of this and more", by.object.Name)
	}
}

func hasNamed(g *trace.Graph, pods []*pod, np networkingv1.NetworkPolicyPort) bool {
	return slices.ContainsFunc(pods, func(p *pod) bool {
		_, named := served(g, p)
		return named[string(protocol(np.Protocol))+np.Port.StrVal]
	})
}

// judgePeer returns the pods that a peer stands for, and reports one that stands
// for none.
func (f *fabric) judgePeer(dead func(field, format string, args ...any), own *namespace, field string, peer networkingv1.NetworkPolicyPeer) []*pod {
	if peer.IPBlock != nil {
		return nil
	}
	spaces := []*namespace{own}
	if peer.NamespaceSelector != nil {
		s, err := metav1.LabelSelectorAsSelector(peer.NamespaceSelector)
		if err != nil {
			dead(field+".namespaceSelector", "the selector cannot be read, so that it selects nothing")
			return nil
		}
		if spaces = f.selectedSpaces(s); len(spaces) == 0 {
			if !slices.ContainsFunc(alwaysThere, func(name string) bool { return s.Matches(labels.Set{"kubernetes.io/metadata.name": name}) }) {
				dead(field+".namespaceSelector", "no namespace has the labels %s", s)
			}
			return nil
		}
	}
	if peer.PodSelector == nil {
		peer.PodSelector = &metav1.LabelSelector{}
	}
	s, err := metav1.LabelSelectorAsSelector(peer.PodSelector)
	if err != nil {
		dead(field+".podSelector", "the selector cannot be read, so that it selects nothing")
		return nil
	}
	var out []*pod
	for _, ns := range spaces {
		if s.Empty() && len(spaces) > 1 {
			return nil // all pods of namespaces: there is nothing to find out
		}
		out = append(out, ns.selected(peer.PodSelector, s)...)
	}
	// CoreDNS and its like are the platform's: sources may leave them out.
	if len(out) == 0 && !s.Empty() && !slices.ContainsFunc(spaces, func(ns *namespace) bool { return slices.Contains(alwaysThere, ns.name) }) {
		dead(field+".podSelector", "no pod has the labels %s", s)
	}
	return out
}

// selectedSpaces returns the namespaces that a selector selects. One that names
// a namespace finds it at once.
func (f *fabric) selectedSpaces(s labels.Selector) []*namespace {
	if name, ok := s.RequiresExactMatch("kubernetes.io/metadata.name"); ok {
		if ns := f.byName[name]; ns != nil && s.Matches(ns.labels) {
			return []*namespace{ns}
		}
		return nil
	}
	var out []*namespace
	for _, ns := range f.namespaces {
		if s.Matches(ns.labels) {
			out = append(out, ns)
		}
	}
	return out
}

const maxSame = 200

// shadows are the policies that another one makes needless.
type shadows map[*policy]*policy

// newShadows compares policies of one namespace that have one selector: a policy
// is needless if another restricts the same directions and has all its rules.
func newShadows(g *trace.Graph) shadows {
	out := shadows{}
	bySelector := map[string][]*policy{}
	for _, p := range fabricOf(g).policies {
		// The default of a namespace is said once, whatever repeats it.
		byDefault := p.selector != nil && p.selector.Empty() && len(p.object.Spec.Ingress)+len(p.object.Spec.Egress) == 0
		if p.selector != nil && !byDefault {
			key := p.object.Namespace + "\x00" + p.selector.String()
			bySelector[key] = append(bySelector[key], p)
		}
	}
	for _, same := range bySelector {
		// Nobody writes so many policies for the same pods; who generates them
		// must not make the audit slow.
		if len(same) < 2 || len(same) > maxSame {
			continue
		}
		rules := make([]map[string]bool, len(same))
		for i, p := range same {
			rules[i] = ruleSet(p)
		}
		for i, p := range same {
			for j, q := range same {
				// Of two that are equal the first one stands.
				if i == j || !covers(q, p, rules[j], rules[i]) || j > i && covers(p, q, rules[i], rules[j]) {
					continue
				}
				out[p] = q
				break
			}
		}
	}
	return out
}

// ruleSet writes each rule so that equal ones are equal texts.
func ruleSet(p *policy) map[string]bool {
	out := map[string]bool{}
	add := func(d direction, rule any) {
		if data, err := json.Marshal(rule); err == nil {
			out[d.String()+string(data)] = true
		}
	}
	for _, r := range p.object.Spec.Ingress {
		add(ingress, r)
	}
	for _, r := range p.object.Spec.Egress {
		add(egress, r)
	}
	return out
}

func covers(q, p *policy, wide, narrow map[string]bool) bool {
	if p.applies[ingress] && !q.applies[ingress] || p.applies[egress] && !q.applies[egress] {
		return false
	}
	for r := range narrow {
		if !wide[r] {
			return false
		}
	}
	return true
}
