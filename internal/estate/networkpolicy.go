package estate

import (
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// The types of the policies of a cluster's administrators: those of the
// Network Policy API (policy.networking.k8s.io) and the dialect of Amazon's
// controller (networking.k8s.aws/v1alpha1). They have every field of the
// published specifications, for a field that is passed over may be the one that
// narrows a rule.

// ClusterNetworkPolicy is a policy of the administrators of a cluster, before
// (Admin) or behind (Baseline) the policies of namespaces.
type ClusterNetworkPolicy struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata"`
	Spec              ClusterNetworkPolicySpec `json:"spec"`
}

// ClusterNetworkPolicySpec is the specification of a ClusterNetworkPolicy. Of
// two policies the one of the lower priority decides first; of the same priority
// nobody says which.
type ClusterNetworkPolicySpec struct {
	Tier     string               `json:"tier"` // Admin, Baseline
	Priority int32                `json:"priority"`
	Subject  ClusterPolicySubject `json:"subject"`
	Ingress  []ClusterPolicyRule  `json:"ingress,omitempty"`
	Egress   []ClusterPolicyRule  `json:"egress,omitempty"`
}

// ClusterPolicySubject selects pods; one of the two is set.
type ClusterPolicySubject struct {
	Namespaces *metav1.LabelSelector `json:"namespaces,omitempty"`
	Pods       *NamespacedPods       `json:"pods,omitempty"`
}

// NamespacedPods selects pods of namespaces.
type NamespacedPods struct {
	NamespaceSelector metav1.LabelSelector `json:"namespaceSelector"`
	PodSelector       metav1.LabelSelector `json:"podSelector"`
}

// ClusterPolicyRule accepts, denies, or passes on to the next tier.
type ClusterPolicyRule struct {
	Name      string                  `json:"name,omitempty"`
	Action    string                  `json:"action"` // Accept, Deny, Pass
	From      []ClusterPolicyPeer     `json:"from,omitempty"`
	To        []ClusterPolicyPeer     `json:"to,omitempty"`
	Protocols []ClusterPolicyProtocol `json:"protocols,omitempty"` // none: all traffic
}

// ClusterPolicyPeer is one end of a rule; one of its fields is set. A peer
// without any is of an API that is newer than the reader: Accept then matches
// nothing, Deny and Pass deny all.
type ClusterPolicyPeer struct {
	Namespaces  *metav1.LabelSelector `json:"namespaces,omitempty"`
	Pods        *NamespacedPods       `json:"pods,omitempty"`
	Nodes       *metav1.LabelSelector `json:"nodes,omitempty"`       // of egress rules
	Networks    []string              `json:"networks,omitempty"`    // CIDRs, of egress rules
	DomainNames []string              `json:"domainNames,omitempty"` // of egress rules: "example.com", "*.example.com"
}

// ClusterPolicyProtocol limits a rule; one of its fields is set.
type ClusterPolicyProtocol struct {
	TCP                  *ClusterPolicyTransport `json:"tcp,omitempty"`
	UDP                  *ClusterPolicyTransport `json:"udp,omitempty"`
	SCTP                 *ClusterPolicyTransport `json:"sctp,omitempty"`
	DestinationNamedPort string                  `json:"destinationNamedPort,omitempty"` // of any protocol
}

// ClusterPolicyTransport limits a rule to a port of a protocol.
type ClusterPolicyTransport struct {
	DestinationPort *ClusterPolicyPort `json:"destinationPort,omitempty"` // nil: every port
}

// ClusterPolicyPort is one port or a range.
type ClusterPolicyPort struct {
	Number int32             `json:"number,omitempty"`
	Range  *ClusterPortRange `json:"range,omitempty"`
}

// ClusterPortRange is a range of ports, its ends included.
type ClusterPortRange struct {
	Start int32 `json:"start"`
	End   int32 `json:"end"`
}

// AdminNetworkPolicy is an AdminNetworkPolicy or, in a collection of its own, a
// BaselineAdminNetworkPolicy, of the first version of the Network Policy API
// (v1alpha1).
type AdminNetworkPolicy struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata"`
	Spec              AdminNetworkPolicySpec `json:"spec"`
}

// AdminNetworkPolicySpec is the specification of an AdminNetworkPolicy.
type AdminNetworkPolicySpec struct {
	Priority int32                `json:"priority,omitempty"` // a BaselineAdminNetworkPolicy has none
	Subject  ClusterPolicySubject `json:"subject"`
	Ingress  []AdminPolicyRule    `json:"ingress,omitempty"`
	Egress   []AdminPolicyRule    `json:"egress,omitempty"`
}

// AdminPolicyRule allows, denies, or passes on.
type AdminPolicyRule struct {
	Name string `json:"name,omitempty"`
	// Action is Allow, Deny or Pass in an AdminNetworkPolicy, Allow or Deny in a
	// BaselineAdminNetworkPolicy, and Accept, Deny or Pass in an
	// AWSClusterNetworkPolicy.
	Action string              `json:"action"`
	From   []ClusterPolicyPeer `json:"from,omitempty"`
	To     []ClusterPolicyPeer `json:"to,omitempty"`
	Ports  []AdminPolicyPort   `json:"ports,omitempty"` // none: all traffic
}

// AdminPolicyPort limits a rule; one of its fields is set.
type AdminPolicyPort struct {
	PortNumber *AdminPort      `json:"portNumber,omitempty"`
	PortRange  *AdminPortRange `json:"portRange,omitempty"`
	NamedPort  *string         `json:"namedPort,omitempty"` // of any protocol
}

// AdminPort is a port of a protocol.
type AdminPort struct {
	Protocol string `json:"protocol,omitempty"` // TCP, UDP, SCTP; empty: TCP
	Port     int32  `json:"port"`
}

// AdminPortRange is a range of ports of a protocol, its ends included.
type AdminPortRange struct {
	Protocol string `json:"protocol,omitempty"` // empty: TCP
	Start    int32  `json:"start"`
	End      int32  `json:"end"`
}

// AWSClusterNetworkPolicy is the ClusterNetworkPolicy of Amazon's controller
// (networking.k8s.aws). It has the tiers of the Network Policy API, and ports
// where that has protocols.
type AWSClusterNetworkPolicy struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata"`
	Spec              AWSClusterNetworkPolicySpec `json:"spec"`
}

// AWSClusterNetworkPolicySpec is the specification of an
// AWSClusterNetworkPolicy.
type AWSClusterNetworkPolicySpec struct {
	Tier     string               `json:"tier"` // Admin, Baseline
	Priority int32                `json:"priority"`
	Subject  ClusterPolicySubject `json:"subject"`
	Ingress  []AdminPolicyRule    `json:"ingress,omitempty"`
	Egress   []AdminPolicyRule    `json:"egress,omitempty"`
}

// ApplicationNetworkPolicy is Amazon's NetworkPolicy with peers by domain name
// (networking.k8s.aws).
type ApplicationNetworkPolicy struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata"`
	Spec              ApplicationNetworkPolicySpec `json:"spec"`
}

// ApplicationNetworkPolicySpec is the specification of an
// ApplicationNetworkPolicy: that of a NetworkPolicy but for the peers of egress.
type ApplicationNetworkPolicySpec struct {
	PodSelector metav1.LabelSelector                    `json:"podSelector"`
	Ingress     []networkingv1.NetworkPolicyIngressRule `json:"ingress,omitempty"`
	Egress      []ApplicationPolicyEgressRule           `json:"egress,omitempty"`
	PolicyTypes []networkingv1.PolicyType               `json:"policyTypes,omitempty"`
}

// ApplicationPolicyEgressRule is one rule of egress.
type ApplicationPolicyEgressRule struct {
	Ports []networkingv1.NetworkPolicyPort `json:"ports,omitempty"`
	To    []ApplicationPolicyPeer          `json:"to,omitempty"`
}

// ApplicationPolicyPeer is a NetworkPolicyPeer or a list of domain names.
type ApplicationPolicyPeer struct {
	networkingv1.NetworkPolicyPeer `json:",inline"`
	DomainNames                    []string `json:"domainNames,omitempty"` // "example.com", "*.example.com"
}
