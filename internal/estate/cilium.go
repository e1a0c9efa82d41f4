package estate

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

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
