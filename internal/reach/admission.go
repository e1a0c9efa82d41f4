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
func (n *Network) networkFault(s *networkingv1.NetworkPolicySpec) string {
	if why := firstFault(n.selectorFault("spec.podSelector", &s.PodSelector), typesFault(s.PolicyTypes)); why != "" {
		return why
	}
	for i, r := range s.Ingress {
		if why := firstFault(n.peersFault(".from", r.From), portsFault(".ports", r.Ports)); why != "" {
			return fmt.Sprintf("spec.ingress[%d]%s", i, why)
		}
	}
	for i, r := range s.Egress {
		if why := firstFault(n.peersFault(".to", r.To), portsFault(".ports", r.Ports)); why != "" {
			return fmt.Sprintf("spec.egress[%d]%s", i, why)
		}
	}
	return ""
}

// applicationFault says why the API server would reject an
// ApplicationNetworkPolicy.
func (n *Network) applicationFault(s *estate.ApplicationNetworkPolicySpec) string {
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
	return n.networkFault(&plain)
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

func (n *Network) selectorFault(field string, s *metav1.LabelSelector) string {
	if n.selectors.of(s).readable {
		return ""
	}
	return field + " is no selector"
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
		if why := portFault(&p); why != "" {
			return fmt.Sprintf("%s[%d]%s", field, i, why)
		}
	}
	return ""
}

func portFault(p *networkingPort) string {
	if p.Protocol != nil && *p.Protocol != corev1.ProtocolTCP && *p.Protocol != corev1.ProtocolUDP && *p.Protocol != corev1.ProtocolSCTP {
		return fmt.Sprintf(".protocol: %q is none of TCP, UDP, SCTP", *p.Protocol)
	}
	switch {
	case p.Port == nil:
		if p.EndPort != nil {
			return ".endPort is there without a port"
		}
	case p.Port.StrVal != "":
		if len(validation.IsValidPortName(p.Port.StrVal)) > 0 {
			return fmt.Sprintf(".port: %q is no name of a port", p.Port.StrVal)
		}
		if p.EndPort != nil {
			return ".endPort is there with the name of a port"
		}
	case p.Port.IntVal < 1 || p.Port.IntVal > lastPort:
		return fmt.Sprintf(".port: %d is no port", p.Port.IntVal)
	case p.EndPort != nil && (*p.EndPort < p.Port.IntVal || *p.EndPort > lastPort):
		return fmt.Sprintf(".endPort: %d to %d is no range of ports", p.Port.IntVal, *p.EndPort)
	}
	return ""
}

func (n *Network) peersFault(field string, peers []networkingPeer) string {
	for i, p := range peers {
		if why := n.peerFault(&p); why != "" {
			return fmt.Sprintf("%s[%d]%s", field, i, why)
		}
	}
	return ""
}

func (n *Network) peerFault(p *networkingPeer) string {
	switch selectors := p.PodSelector != nil || p.NamespaceSelector != nil; {
	case p.IPBlock != nil && selectors:
		return " has both an ipBlock and selectors"
	case p.IPBlock != nil:
		return blockFault(".ipBlock", p.IPBlock)
	case !selectors:
		return " is empty"
	}
	return firstFault(n.selectorFault(".podSelector", p.PodSelector), n.selectorFault(".namespaceSelector", p.NamespaceSelector))
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

// adminFault says why the API server would reject a policy of an administrator.
func (n *Network) adminFault(a *adminPolicy, tier string) string {
	switch {
	case tier != "Admin" && tier != "Baseline":
		return fmt.Sprintf("spec.tier: %q is neither Admin nor Baseline", tier)
	case a.order < 0 || a.order > 1000:
		return fmt.Sprintf("spec.priority: %d is not within 0 to 1000", a.order)
	case (a.subject.Namespaces != nil) == (a.subject.Pods != nil):
		return "spec.subject is not exactly one of namespaces and pods"
	}
	if s := a.subject; s.Pods != nil {
		if why := firstFault(n.selectorFault("spec.subject.pods.namespaceSelector", &s.Pods.NamespaceSelector), n.selectorFault("spec.subject.pods.podSelector", &s.Pods.PodSelector)); why != "" {
			return why
		}
	} else if why := n.selectorFault("spec.subject.namespaces", s.Namespaces); why != "" {
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
				if why := n.adminPeerFault(&r.peers[j], r.action); why != "" {
					return fmt.Sprintf("%s, peer %d%s", r.field, j, why)
				}
			}
		}
	}
	return ""
}

func (n *Network) adminPeerFault(p *estate.ClusterPolicyPeer, action string) string {
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
	why := firstFault(n.selectorFault(".namespaces", p.Namespaces), n.selectorFault(".nodes", p.Nodes))
	if p.Pods != nil {
		why = firstFault(why, n.selectorFault(".pods.namespaceSelector", &p.Pods.NamespaceSelector), n.selectorFault(".pods.podSelector", &p.Pods.PodSelector))
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
