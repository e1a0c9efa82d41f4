package network

import (
	"cmp"
	"iter"
	"slices"

	"github.com/eksafe/eksafe/internal/estate"
	"github.com/eksafe/eksafe/internal/trace"
)

// calico is the policies of Calico and the tiers that they stand in.
type calico struct {
	policies []*calicoPolicy
	in       map[string][]*calicoPolicy // by namespace, "" for the global ones
	passes   map[string]bool            // tiers that pass on what none of their policies allows
}

type calicoPolicy struct {
	place     trace.Place
	namespace string // "" for a global one
	spec      *estate.CalicoPolicySpec
	selector  selector
	spaces    selector // of a global one
	unread    bool     // a selector that eksafe cannot decide
	applies   [2]bool
}

func (p *calicoPolicy) at(field string) trace.Place {
	at := p.place
	at.Field = field
	return at
}

func newCalico(e *estate.Estate) calico {
	c := calico{in: map[string][]*calicoPolicy{}, passes: map[string]bool{}}
	for _, t := range estate.CalicoTiers.In(e) {
		c.passes[t.Object.Name] = t.Object.Spec.DefaultAction == "Pass"
	}
	add := func(r *estate.Resource[estate.CalicoNetworkPolicy], ref estate.Ref, namespace string) {
		p := &calicoPolicy{place: trace.Place{Subject: ref, Origin: &r.Origin}, namespace: namespace, spec: &r.Object.Spec}
		var ok, okSpaces bool
		p.selector, ok = parseSelector(p.spec.Selector)
		p.spaces, okSpaces = parseSelector(p.spec.NamespaceSelector)
		// Labels of service accounts are not followed.
		p.unread = !ok || !okSpaces || p.spec.ServiceAccountSelector != ""
		p.applies = calicoTypes(p.spec)
		c.policies = append(c.policies, p)
	}
	for _, r := range estate.CalicoNetworkPolicies.In(e) {
		add(r, estate.CalicoNetworkPolicies.Ref(r), r.Object.Namespace)
	}
	for _, r := range estate.CalicoGlobalNetworkPolicies.In(e) {
		// These hook into the traffic of the host, and not of pods.
		if !r.Object.Spec.PreDNAT && !r.Object.Spec.DoNotTrack && !r.Object.Spec.ApplyOnForward {
			add(r, estate.CalicoGlobalNetworkPolicies.Ref(r), "")
		}
	}
	slices.SortFunc(c.policies, func(a, b *calicoPolicy) int { return a.place.Subject.Compare(b.place.Subject) })
	for _, p := range c.policies {
		c.in[p.namespace] = append(c.in[p.namespace], p)
	}
	return c
}

// about returns the policies that may select pods of a namespace.
func (c calico) about(namespace string) iter.Seq[*calicoPolicy] {
	return both(c.in[""], c.in[namespace])
}

func both[T any](a, b []T) iter.Seq[T] {
	return func(yield func(T) bool) {
		for _, list := range [2][]T{a, b} {
			for _, item := range list {
				if !yield(item) {
					return
				}
			}
		}
	}
}

// calicoTypes differ from those of Kubernetes: a policy that has egress rules
// alone restricts egress alone.
func calicoTypes(s *estate.CalicoPolicySpec) [2]bool {
	if len(s.Types) > 0 {
		return [2]bool{ingress: slices.Contains(s.Types, "Ingress"), egress: slices.Contains(s.Types, "Egress")}
	}
	return [2]bool{ingress: len(s.Ingress) > 0 || len(s.Egress) == 0, egress: len(s.Egress) > 0}
}

// selects says whether a policy selects a pod.
func (p *calicoPolicy) selects(d *pod) trace.Ternary {
	switch {
	case d.host || p.namespace != "" && p.namespace != d.namespace.name:
		return trace.No
	case p.unread:
		return trace.Unclear
	case p.namespace == "" && p.spaces != nil && !p.spaces(calicoNamespace(d.namespace)):
		return trace.No
	case p.selector != nil && !p.selector(calicoLabels(d)):
		return trace.No
	}
	return trace.Yes
}

// Calico adds labels of its own to those of Kubernetes.
func calicoLabels(d *pod) lookup {
	return func(key string) (string, bool) {
		if v, ok := d.labels[key]; ok {
			return v, true
		}
		switch key {
		case "projectcalico.org/namespace":
			return d.namespace.name, true
		case "projectcalico.org/orchestrator":
			return "k8s", true
		case "projectcalico.org/serviceaccount":
			return cmp.Or(d.workload.Template.Spec.ServiceAccountName, "default"), true
		}
		return "", false
	}
}

func calicoNamespace(ns *namespace) lookup {
	return func(key string) (string, bool) {
		if key == "projectcalico.org/name" {
			return ns.name, true
		}
		v, ok := ns.labels[key]
		return v, ok
	}
}

// rules returns the rules of a direction and their field.
func (p *calicoPolicy) rules(d direction) ([]estate.CalicoRule, string) {
	if d == ingress {
		return p.spec.Ingress, "spec.ingress"
	}
	return p.spec.Egress, "spec.egress"
}

// everything reports whether a rule matches all traffic.
func everything(r *estate.CalicoRule) bool {
	return r.Protocol == nil && r.NotProtocol == nil && r.ICMP == nil && r.NotICMP == nil && r.HTTP == nil &&
		unlimited(&r.Source) && unlimited(&r.Destination)
}

func unlimited(e *estate.CalicoEntityRule) bool {
	return anywhere(e) && len(e.Ports) == 0 && len(e.NotPorts) == 0
}

// anywhere reports whether an end is any address.
func anywhere(e *estate.CalicoEntityRule) bool {
	return len(e.Nets) == 0 && len(e.NotNets) == 0 && e.Selector == "" && e.NotSelector == "" && e.NamespaceSelector == "" &&
		len(e.Domains) == 0 && e.ServiceAccounts == nil && e.Services == nil
}
