package estate

import (
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// The types of Calico (crd.projectcalico.org/v1 and projectcalico.org/v3), as
// far as eksafe judges them.

// CalicoNetworkPolicy is a NetworkPolicy of a namespace or, without one, a
// GlobalNetworkPolicy of Calico.
type CalicoNetworkPolicy struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata"`
	Spec              CalicoPolicySpec `json:"spec"`
}

// CalicoPolicySpec is the specification of both policies.
type CalicoPolicySpec struct {
	Tier                   string       `json:"tier,omitempty"`
	Order                  *float64     `json:"order,omitempty"`
	Selector               string       `json:"selector,omitempty"`
	NamespaceSelector      string       `json:"namespaceSelector,omitempty"`
	ServiceAccountSelector string       `json:"serviceAccountSelector,omitempty"`
	Types                  []string     `json:"types,omitempty"`
	Ingress                []CalicoRule `json:"ingress,omitempty"`
	Egress                 []CalicoRule `json:"egress,omitempty"`
	DoNotTrack             bool         `json:"doNotTrack,omitempty"`
	PreDNAT                bool         `json:"preDNAT,omitempty"`
	ApplyOnForward         bool         `json:"applyOnForward,omitempty"`
	PerformanceHints       []string     `json:"performanceHints,omitempty"`
}

// CalicoRule is one rule.
type CalicoRule struct {
	Action      string           `json:"action"`
	IPVersion   *int             `json:"ipVersion,omitempty"`
	Protocol    any              `json:"protocol,omitempty"` // number or name
	NotProtocol any              `json:"notProtocol,omitempty"`
	ICMP        map[string]int   `json:"icmp,omitempty"`
	NotICMP     map[string]int   `json:"notICMP,omitempty"`
	Source      CalicoEntityRule `json:"source,omitempty"`
	Destination CalicoEntityRule `json:"destination,omitempty"`
	HTTP        map[string]any   `json:"http,omitempty"`
	Metadata    map[string]any   `json:"metadata,omitempty"`
}

// CalicoEntityRule matches one end of a connection.
type CalicoEntityRule struct {
	Nets              []string              `json:"nets,omitempty"`
	NotNets           []string              `json:"notNets,omitempty"`
	Selector          string                `json:"selector,omitempty"`
	NotSelector       string                `json:"notSelector,omitempty"`
	NamespaceSelector string                `json:"namespaceSelector,omitempty"`
	Ports             []any                 `json:"ports,omitempty"` // numbers, names, "1000:2000"
	NotPorts          []any                 `json:"notPorts,omitempty"`
	Domains           []string              `json:"domains,omitempty"`
	ServiceAccounts   *CalicoServiceAccount `json:"serviceAccounts,omitempty"`
	Services          *CalicoServiceMatch   `json:"services,omitempty"`
}

// CalicoServiceAccount matches service accounts.
type CalicoServiceAccount struct {
	Names    []string `json:"names,omitempty"`
	Selector string   `json:"selector,omitempty"`
}

// CalicoServiceMatch matches the endpoints of a Service.
type CalicoServiceMatch struct {
	Name      string `json:"name,omitempty"`
	Namespace string `json:"namespace,omitempty"`
}

// CalicoNetworkSet is a NetworkSet or GlobalNetworkSet: named addresses.
type CalicoNetworkSet struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata"`
	Spec              CalicoNetworkSetSpec `json:"spec"`
}

// CalicoNetworkSetSpec is the specification of a CalicoNetworkSet.
type CalicoNetworkSetSpec struct {
	Nets                 []string `json:"nets,omitempty"`
	AllowedEgressDomains []string `json:"allowedEgressDomains,omitempty"`
}

// CalicoTier orders policies.
type CalicoTier struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata"`
	Spec              CalicoTierSpec `json:"spec"`
}

// CalicoTierSpec is the specification of a CalicoTier.
type CalicoTierSpec struct {
	Order         *float64 `json:"order,omitempty"`
	DefaultAction string   `json:"defaultAction,omitempty"`
}

// CalicoStagedNetworkPolicy is a StagedNetworkPolicy of a namespace or, without
// one, a StagedGlobalNetworkPolicy: what its owner thinks of enforcing. It
// decides nothing.
type CalicoStagedNetworkPolicy struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata"`
	Spec              CalicoStagedPolicySpec `json:"spec"`
}

// CalicoStagedPolicySpec is the specification of a CalicoStagedNetworkPolicy.
type CalicoStagedPolicySpec struct {
	StagedAction     string `json:"stagedAction,omitempty"` // Set (also if empty), Delete, Learn, Ignore
	CalicoPolicySpec `json:",inline"`
}

// CalicoStagedKubernetesNetworkPolicy is a NetworkPolicy of Kubernetes that its
// owner thinks of enforcing. It decides nothing.
type CalicoStagedKubernetesNetworkPolicy struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata"`
	Spec              CalicoStagedKubernetesPolicySpec `json:"spec"`
}

// CalicoStagedKubernetesPolicySpec is the specification of a
// CalicoStagedKubernetesNetworkPolicy.
type CalicoStagedKubernetesPolicySpec struct {
	StagedAction                   string `json:"stagedAction,omitempty"`
	networkingv1.NetworkPolicySpec `json:",inline"`
}

// CalicoHostEndpoint is a HostEndpoint: an interface of a node that policies
// apply to.
type CalicoHostEndpoint struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata"`
	Spec              CalicoHostEndpointSpec `json:"spec"`
}

// CalicoHostEndpointSpec is the specification of a CalicoHostEndpoint.
type CalicoHostEndpointSpec struct {
	Node          string               `json:"node,omitempty"`
	InterfaceName string               `json:"interfaceName,omitempty"` // "*": every interface, pods of the node's network included
	ExpectedIPs   []string             `json:"expectedIPs,omitempty"`
	Profiles      []string             `json:"profiles,omitempty"`
	Ports         []CalicoEndpointPort `json:"ports,omitempty"`
}

// CalicoEndpointPort is a named port of a host.
type CalicoEndpointPort struct {
	Name     string `json:"name"`
	Protocol any    `json:"protocol"` // number or name
	Port     int32  `json:"port"`
}

// CalicoProfile is a Profile: rules and labels of the endpoints that name it,
// behind every tier.
type CalicoProfile struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata"`
	Spec              CalicoProfileSpec `json:"spec"`
}

// CalicoProfileSpec is the specification of a CalicoProfile.
type CalicoProfileSpec struct {
	Ingress       []CalicoRule      `json:"ingress,omitempty"`
	Egress        []CalicoRule      `json:"egress,omitempty"`
	LabelsToApply map[string]string `json:"labelsToApply,omitempty"`
}
