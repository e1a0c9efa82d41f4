package reach

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/eksafe/eksafe/internal/estate"
	"github.com/eksafe/eksafe/internal/trace"
)

// A policy in a file that the API server would turn away will never be in the
// cluster: whom it selects is not isolated, however strict it looks. The reasons
// are those of the validation of networking.k8s.io/v1 and of the schemas of the
// Network Policy API.

// Rejected lists the policies that were left out because the API server would
// reject them; Says is why.
func (n *Network) Rejected() []Rule { return n.rejected }

// admit reports whether the API server would take a policy; why says what is
// wrong with it, "" if nothing is.
func (n *Network) admit(place trace.Place, name, why string) bool {
	if why != "" {
		n.rejected = append(n.rejected, Rule{Place: place, Name: name, Says: why})
	}
	return why == ""
}

// networkFault says why the API server would reject a NetworkPolicy.
func networkFault(s *networkingv1.NetworkPolicySpec) string {
	if why := firstFault(selectorFault("spec.podSelector", &s.PodSelector), typesFault(s.PolicyTypes)); why != "" {
		return why
	}
	for i, r := range s.Ingress {
		field := fmt.Sprintf("spec.ingress[%d]", i)
		if why := firstFault(peersFault(field+".from", r.From), portsFault(field+".ports", r.Ports)); why != "" {
			return why
		}
	}
	for i, r := range s.Egress {
		field := fmt.Sprintf("spec.egress[%d]", i)
		if why := firstFault(peersFault(field+".to", r.To), portsFault(field+".ports", r.Ports)); why != "" {
			return why
		}
	}
	return ""
}

// applicationFault says why the API server would reject an
// ApplicationNetworkPolicy.
func applicationFault(s *estate.ApplicationNetworkPolicySpec) string {
	plain := networkingv1.NetworkPolicySpec{PodSelector: s.PodSelector, PolicyTypes: s.PolicyTypes, Ingress: s.Ingress}
	for _, r := range s.Egress {
		rule := networkingv1.NetworkPolicyEgressRule{Ports: r.Ports}
		for _, to := range r.To {
			if len(to.DomainNames) == 0 {
				rule.To = append(rule.To, to.NetworkPolicyPeer)
			}
		}
		plain.Egress = append(plain.Egress, rule)
	}
	return networkFault(&plain)
}

// firstFault returns the first that is one.
func firstFault(faults ...string) string {
	for _, f := range faults {
		if f != "" {
			return f
		}
	}
	return ""
}

func selectorFault(field string, s *metav1.LabelSelector) string {
	if s == nil {
		return ""
	}
	if _, err := metav1.LabelSelectorAsSelector(s); err != nil {
		return field + " is no selector"
	}
	return ""
}

func typesFault(types []networkingv1.PolicyType) string {
	for _, t := range types {
		if t != networkingv1.PolicyTypeIngress && t != networkingv1.PolicyTypeEgress {
			return fmt.Sprintf("spec.policyTypes: %q is neither Ingress nor Egress", t)
		}
	}
	if len(types) > 2 {
		return "spec.policyTypes has more than two"
	}
	return ""
}

func portsFault(field string, ports []networkingPort) string {
	for i, p := range ports {
		at := fmt.Sprintf("%s[%d]", field, i)
		if p.Protocol != nil && !slices.Contains([]corev1.Protocol{corev1.ProtocolTCP, corev1.ProtocolUDP, corev1.ProtocolSCTP}, *p.Protocol) {
			return fmt.Sprintf("%s.protocol: %q is none of TCP, UDP, SCTP", at, *p.Protocol)
		}
		switch {
		case p.Port == nil:
			if p.EndPort != nil {
				return at + ".endPort is there without a port"
			}
		case p.Port.StrVal != "":
			if len(validation.IsValidPortName(p.Port.StrVal)) > 0 {
				return fmt.Sprintf("%s.port: %q is no name of a port", at, p.Port.StrVal)
			}
			if p.EndPort != nil {
				return at + ".endPort is there with the name of a port"
			}
		case p.Port.IntVal < 1 || p.Port.IntVal > lastPort:
			return fmt.Sprintf("%s.port: %d is no port", at, p.Port.IntVal)
		case p.EndPort != nil && (*p.EndPort < p.Port.IntVal || *p.EndPort > lastPort):
			return fmt.Sprintf("%s.endPort: %d to %d is no range of ports", at, p.Port.IntVal, *p.EndPort)
		}
	}
	return ""
}

func peersFault(field string, peers []networkingPeer) string {
	for i, p := range peers {
		at := fmt.Sprintf("%s[%d]", field, i)
		switch selectors := p.PodSelector != nil || p.NamespaceSelector != nil; {
		case p.IPBlock != nil && selectors:
			return at + " has both an ipBlock and selectors"
		case p.IPBlock != nil:
			if why := blockFault(at+".ipBlock", p.IPBlock); why != "" {
				return why
			}
		case !selectors:
			return at + " is empty"
		}
		if why := firstFault(selectorFault(at+".podSelector", p.PodSelector), selectorFault(at+".namespaceSelector", p.NamespaceSelector)); why != "" {
			return why
		}
	}
	return ""
}

func blockFault(field string, b *networkingv1.IPBlock) string {
	whole, ok := parseBlock(b.CIDR)
	if !ok {
		return fmt.Sprintf("%s.cidr: %q is no block of addresses", field, b.CIDR)
	}
	for i, text := range b.Except {
		switch e, ok := parseBlock(text); {
		case !ok:
			return fmt.Sprintf("%s.except[%d]: %q is no block of addresses", field, i, text)
		case !whole.Contains(e.Addr()) || e.Bits() <= whole.Bits():
			return fmt.Sprintf("%s.except[%d]: %s is no part of %s", field, i, e, whole)
		}
	}
	return ""
}

// fault says why the API server would reject a policy of an administrator.
func (a *adminPolicy) fault(tier string) string {
	switch {
	case tier != "Admin" && tier != "Baseline":
		return fmt.Sprintf("spec.tier: %q is neither Admin nor Baseline", tier)
	case a.order < 0 || a.order > 1000:
		return fmt.Sprintf("spec.priority: %d is not within 0 to 1000", a.order)
	case (a.subject.Namespaces != nil) == (a.subject.Pods != nil):
		return "spec.subject is not exactly one of namespaces and pods"
	}
	if s := a.subject; s.Pods != nil {
		if why := firstFault(selectorFault("spec.subject.pods.namespaceSelector", &s.Pods.NamespaceSelector), selectorFault("spec.subject.pods.podSelector", &s.Pods.PodSelector)); why != "" {
			return why
		}
	} else if why := selectorFault("spec.subject.namespaces", s.Namespaces); why != "" {
		return why
	}
	for d := range a.rules {
		for i := range a.rules[d] {
			r := &a.rules[d][i]
			if !slices.Contains(a.actions, r.action) {
				return fmt.Sprintf("%s.action: %q is none of %s", r.field, r.action, strings.Join(a.actions, ", "))
			}
			if r.fault != "" {
				return r.field + r.fault
			}
			if len(r.peers) == 0 {
				return r.field + " has no peers"
			}
			for j := range r.peers {
				if why := adminPeerFault(&r.peers[j], r.action); why != "" {
					return fmt.Sprintf("%s, peer %d%s", r.field, j, why)
				}
			}
		}
	}
	return ""
}

func adminPeerFault(p *estate.ClusterPolicyPeer, action string) string {
	fields := 0
	for _, set := range []bool{p.Namespaces != nil, p.Pods != nil, p.Nodes != nil, len(p.Networks) > 0, len(p.DomainNames) > 0} {
		if set {
			fields++
		}
	}
	if fields > 1 {
		return " is of several kinds at once"
	}
	for _, cidr := range p.Networks {
		if _, ok := parseBlock(cidr); !ok {
			return fmt.Sprintf(": %q is no block of addresses", cidr)
		}
	}
	if len(p.DomainNames) > 0 && (action == "Deny" || action == "Pass") {
		return ": domain names can only be accepted"
	}
	why := firstFault(selectorFault(".namespaces", p.Namespaces), selectorFault(".nodes", p.Nodes))
	if p.Pods != nil {
		why = firstFault(why, selectorFault(".pods.namespaceSelector", &p.Pods.NamespaceSelector), selectorFault(".pods.podSelector", &p.Pods.PodSelector))
	}
	return why
}

// rangeFault says why the API server would reject a range of ports.
func rangeFault(first, last int32) string {
	if first < 1 || last > lastPort || last < first {
		return fmt.Sprintf(": %d to %d is no range of ports", first, last)
	}
	return ""
}
