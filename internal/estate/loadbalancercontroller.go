package estate

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
)

// The types of the AWS Load Balancer Controller, of EKS Auto Mode and of the
// VPC resource controller, as far as eksafe judges them. Field names are those
// of their CRDs.

// IngressClassParams sets what every Ingress of a class must have; it wins
// over annotations. elbv2.k8s.aws/v1beta1 and, for Auto Mode,
// eks.amazonaws.com/v1.
type IngressClassParams struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata"`
	Spec              IngressClassParamsSpec `json:"spec"`
}

// IngressClassParamsSpec is the specification of IngressClassParams.
type IngressClassParamsSpec struct {
	CertificateArn []string `json:"certificateArn,omitempty"` // elbv2.k8s.aws
	// CertificateARNs is Auto Mode's name of CertificateArn.
	CertificateARNs        []string              `json:"certificateARNs,omitempty"`
	SSLPolicy              string                `json:"sslPolicy,omitempty"`
	SSLRedirectPort        string                `json:"sslRedirectPort,omitempty"`
	Scheme                 string                `json:"scheme,omitempty"`
	Group                  *IngressGroup         `json:"group,omitempty"`
	NamespaceSelector      *metav1.LabelSelector `json:"namespaceSelector,omitempty"`
	InboundCIDRs           []string              `json:"inboundCIDRs,omitempty"`
	PrefixListsIDs         []string              `json:"PrefixListsIDs,omitempty"`
	WAFv2ACLArn            string                `json:"wafv2AclArn,omitempty"`
	WAFv2ACLName           string                `json:"wafv2AclName,omitempty"`
	LoadBalancerAttributes []Attribute           `json:"loadBalancerAttributes,omitempty"`
	Listeners              []IngressListener     `json:"listeners,omitempty"`
	TargetType             string                `json:"targetType,omitempty"`
	IPAddressType          string                `json:"ipAddressType,omitempty"`
	LoadBalancerName       string                `json:"loadBalancerName,omitempty"`
}

// IngressGroup names the group whose Ingresses share a load balancer.
type IngressGroup struct {
	Name string `json:"name"`
}

// IngressListener sets attributes of the listener at a protocol and port.
type IngressListener struct {
	Protocol           string      `json:"protocol,omitempty"`
	Port               int32       `json:"port,omitempty"`
	ListenerAttributes []Attribute `json:"listenerAttributes,omitempty"`
}

// Attribute is a key and value as ELB has them.
type Attribute struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

// TargetGroupBinding joins a target group to a Service
// (elbv2.k8s.aws/v1beta1, eks.amazonaws.com/v1).
type TargetGroupBinding struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata"`
	Spec              TargetGroupBindingSpec `json:"spec"`
}

// TargetGroupBindingSpec is the specification of a TargetGroupBinding.
type TargetGroupBindingSpec struct {
	TargetGroupARN      string           `json:"targetGroupARN,omitempty"`
	TargetGroupName     string           `json:"targetGroupName,omitempty"`
	TargetGroupProtocol string           `json:"targetGroupProtocol,omitempty"`
	TargetType          string           `json:"targetType,omitempty"`
	ServiceRef          ServiceReference `json:"serviceRef"`
}

// ServiceReference names a port of a Service in the same namespace.
type ServiceReference struct {
	Name string `json:"name"`
	Port any    `json:"port,omitempty"` // number or name
}

// LoadBalancerConfiguration configures the load balancer of a Gateway or a
// GatewayClass (gateway.k8s.aws/v1beta1).
type LoadBalancerConfiguration struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata"`
	Spec              LoadBalancerConfigurationSpec `json:"spec"`
}

// LoadBalancerConfigurationSpec is the specification of a
// LoadBalancerConfiguration.
type LoadBalancerConfigurationSpec struct {
	Scheme                 string      `json:"scheme,omitempty"`
	LoadBalancerName       string      `json:"loadBalancerName,omitempty"`
	SourceRanges           []string    `json:"sourceRanges,omitempty"`
	SecurityGroups         []string    `json:"securityGroups,omitempty"`
	SecurityGroupPrefixes  []string    `json:"securityGroupPrefixes,omitempty"`
	LoadBalancerAttributes []Attribute `json:"loadBalancerAttributes,omitempty"`
	// ManageBackendSecurityGroupRules says whether the controller opens the groups
	// of the targets to SecurityGroups.
	ManageBackendSecurityGroupRules bool                    `json:"manageBackendSecurityGroupRules,omitempty"`
	ListenerConfigurations          []ListenerConfiguration `json:"listenerConfigurations,omitempty"`
	WAFv2                           *WAFv2Configuration     `json:"wafV2,omitempty"`
	MergingMode                     string                  `json:"mergingMode,omitempty"`
}

// ListenerConfiguration configures the listener at "PROTOCOL:port".
type ListenerConfiguration struct {
	ProtocolPort       string      `json:"protocolPort"`
	DefaultCertificate string      `json:"defaultCertificate,omitempty"`
	Certificates       []string    `json:"certificates,omitempty"`
	SSLPolicy          string      `json:"sslPolicy,omitempty"`
	ListenerAttributes []Attribute `json:"listenerAttributes,omitempty"`
}

// WAFv2Configuration names the web ACL of a load balancer.
type WAFv2Configuration struct {
	ACL string `json:"webACL"`
}

// TargetGroupConfiguration configures the target groups of a Service
// (gateway.k8s.aws/v1beta1).
type TargetGroupConfiguration struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata"`
	Spec              TargetGroupConfigurationSpec `json:"spec"`
}

// TargetGroupConfigurationSpec is the specification of a
// TargetGroupConfiguration. The first of RouteConfigurations that matches wins
// over DefaultConfiguration.
type TargetGroupConfigurationSpec struct {
	TargetReference      TargetReference      `json:"targetReference"`
	DefaultConfiguration TargetGroupProps     `json:"defaultConfiguration,omitempty"`
	RouteConfigurations  []RouteConfiguration `json:"routeConfigurations,omitempty"`
}

// TargetReference names the Service that is configured.
type TargetReference struct {
	Group string `json:"group,omitempty"`
	Kind  string `json:"kind,omitempty"`
	Name  string `json:"name"`
}

// RouteConfiguration configures the target groups that one route makes.
type RouteConfiguration struct {
	RouteIdentifier  RouteIdentifier  `json:"routeIdentifier"`
	TargetGroupProps TargetGroupProps `json:"targetGroupProps"`
}

// RouteIdentifier names a route; empty parts match every route.
type RouteIdentifier struct {
	RouteName      string `json:"routeName,omitempty"`
	RouteNamespace string `json:"routeNamespace,omitempty"`
	RouteKind      string `json:"routeKind,omitempty"`
}

// TargetGroupProps are properties of a target group.
type TargetGroupProps struct {
	TargetGroupName   string             `json:"targetGroupName,omitempty"`
	Protocol          string             `json:"protocol,omitempty"`
	ProtocolVersion   string             `json:"protocolVersion,omitempty"`
	TargetType        string             `json:"targetType,omitempty"`
	HealthCheckConfig *HealthCheckConfig `json:"healthCheckConfig,omitempty"`
}

// HealthCheckConfig says how the load balancer asks a target for its health.
type HealthCheckConfig struct {
	HealthCheckProtocol string `json:"healthCheckProtocol,omitempty"`
	HealthCheckPort     string `json:"healthCheckPort,omitempty"`
}

// ListenerRuleConfiguration adds actions to the rules of a route
// (gateway.k8s.aws/v1beta1).
type ListenerRuleConfiguration struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata"`
	Spec              ListenerRuleConfigurationSpec `json:"spec"`
}

// ListenerRuleConfigurationSpec is the specification of a
// ListenerRuleConfiguration.
type ListenerRuleConfigurationSpec struct {
	Actions []ListenerRuleAction `json:"actions,omitempty"`
}

// ListenerRuleAction is one action of a rule.
type ListenerRuleAction struct {
	Type           string                `json:"type"`
	RedirectConfig *RedirectActionConfig `json:"redirectConfig,omitempty"`
}

// RedirectActionConfig completes a redirect of an HTTPRoute.
type RedirectActionConfig struct {
	Query string `json:"query,omitempty"`
}

// L4Route is a TLSRoute or TCPRoute as far as paths need it
// (gateway.networking.k8s.io/v1alpha2 and later; both kinds share this shape).
type L4Route struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata"`
	Spec              L4RouteSpec `json:"spec"`
}

// L4RouteSpec is the specification of an L4Route.
type L4RouteSpec struct {
	ParentRefs []gatewayv1.ParentReference `json:"parentRefs,omitempty"`
	Hostnames  []gatewayv1.Hostname        `json:"hostnames,omitempty"`
	Rules      []L4RouteRule               `json:"rules,omitempty"`
}

// L4RouteRule forwards to backends.
type L4RouteRule struct {
	Name        *gatewayv1.SectionName `json:"name,omitempty"`
	BackendRefs []gatewayv1.BackendRef `json:"backendRefs,omitempty"`
}

// SecurityGroupPolicy gives security groups to pods
// (vpcresources.k8s.aws/v1beta1).
type SecurityGroupPolicy struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata"`
	Spec              SecurityGroupPolicySpec `json:"spec"`
}

// SecurityGroupPolicySpec is the specification of a SecurityGroupPolicy.
type SecurityGroupPolicySpec struct {
	PodSelector            *metav1.LabelSelector `json:"podSelector,omitempty"`
	ServiceAccountSelector *metav1.LabelSelector `json:"serviceAccountSelector,omitempty"`
	SecurityGroups         SecurityGroupIDs      `json:"securityGroups,omitempty"`
}

// SecurityGroupIDs lists security groups.
type SecurityGroupIDs struct {
	Groups []string `json:"groupIds,omitempty"`
}
