package estate

import (
	"encoding/json"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// The types of Cilium (cilium.io/v2), as far as eksafe judges them: whom they
// select, and whether they deny what nothing allows.

// CiliumNetworkPolicy is a CiliumNetworkPolicy of a namespace or, without one, a
// CiliumClusterwideNetworkPolicy.
type CiliumNetworkPolicy struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata"`
	Spec              *CiliumPolicySpec  `json:"spec,omitempty"`
	Specs             []CiliumPolicySpec `json:"specs,omitempty"`
}

// CiliumPolicySpec is one rule of a policy. A direction without rules is not
// the policy's business.
type CiliumPolicySpec struct {
	EndpointSelector  *metav1.LabelSelector `json:"endpointSelector,omitempty"`
	NodeSelector      *metav1.LabelSelector `json:"nodeSelector,omitempty"`
	Ingress           []CiliumRule          `json:"ingress,omitempty"`
	IngressDeny       []CiliumRule          `json:"ingressDeny,omitempty"`
	Egress            []CiliumRule          `json:"egress,omitempty"`
	EgressDeny        []CiliumRule          `json:"egressDeny,omitempty"`
	EnableDefaultDeny CiliumDefaultDeny     `json:"enableDefaultDeny,omitzero"`
}

// CiliumDefaultDeny says whether what no rule allows is denied; nil is true for
// a direction that has rules.
type CiliumDefaultDeny struct {
	Ingress *bool `json:"ingress,omitempty"`
	Egress  *bool `json:"egress,omitempty"`
}

// CiliumRule is one rule, reduced to the peers that stand for everything.
type CiliumRule struct {
	FromEntities []string      `json:"fromEntities,omitempty"` // "all", "world", "cluster" …
	ToEntities   []string      `json:"toEntities,omitempty"`
	ToPorts      []CiliumPorts `json:"toPorts,omitempty"`
	// Other is true of a rule that says more than this: it has other peers, or
	// ICMP. Without anything a rule allows nothing.
	Other bool `json:"other,omitempty"`
}

// Empty reports whether a rule says nothing.
func (r *CiliumRule) Empty() bool {
	return len(r.FromEntities) == 0 && len(r.ToEntities) == 0 && len(r.ToPorts) == 0 && !r.Other
}

// UnmarshalJSON reads a rule, and remembers that it has fields that are not
// kept.
func (r *CiliumRule) UnmarshalJSON(data []byte) error {
	type plain CiliumRule
	if err := json.Unmarshal(data, (*plain)(r)); err != nil {
		return err
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(data, &fields); err != nil {
		return err
	}
	for name := range fields {
		switch name {
		case "fromEntities", "toEntities", "toPorts", "other":
		default:
			r.Other = true
		}
	}
	return nil
}

// CiliumPorts limits a rule to ports.
type CiliumPorts struct {
	Ports []CiliumPort `json:"ports,omitempty"`
}

// CiliumPort is a port by number or name.
type CiliumPort struct {
	Port     string `json:"port,omitempty"`
	EndPort  int32  `json:"endPort,omitempty"`
	Protocol string `json:"protocol,omitempty"`
}
