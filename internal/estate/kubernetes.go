package estate

import (
	"reflect"
	"strings"

	istionetworking "istio.io/client-go/pkg/apis/networking/v1"
	istiosecurity "istio.io/client-go/pkg/apis/security/v1"
	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	networkingv1 "k8s.io/api/networking/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	storagev1 "k8s.io/api/storage/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
	gatewayv1beta1 "sigs.k8s.io/gateway-api/apis/v1beta1"
)

// A Resource is a Kubernetes object of an official type T and its origin.
// Sources reduce it before they add it: annotations that eksafe does not judge
// are dropped, and so are managed fields and everything that may hold a secret.
type Resource[T any] struct {
	Origin Origin `json:"origin"`
	Object T      `json:"object"`
}

// InvalidAnnotation stands in place of an annotation's value that has not the
// expected shape: the annotation is set, cannot be used, and was not kept.
const InvalidAnnotation = "invalid"

func (r *Resource[T]) metadata() metav1.Object { return meta(&r.Object) }

func (r *Resource[T]) object() any { return &r.Object }

func (*Resource[T]) objectType() reflect.Type { return reflect.TypeFor[T]() }

// The Kubernetes kinds, by their API group.
var (
	Namespaces             = kubernetes[corev1.Namespace]("Namespace")
	Services               = kubernetes[corev1.Service]("Service")
	PersistentVolumes      = kubernetes[corev1.PersistentVolume]("PersistentVolume")
	PersistentVolumeClaims = kubernetes[corev1.PersistentVolumeClaim]("PersistentVolumeClaim")
	ServiceAccounts        = kubernetes[corev1.ServiceAccount]("ServiceAccount")
	EndpointSlices         = kubernetes[discoveryv1.EndpointSlice]("EndpointSlice")
	Nodes                  = kubernetes[corev1.Node]("Node")
	ResourceQuotas         = kubernetes[corev1.ResourceQuota]("ResourceQuota")
	LimitRanges            = kubernetes[corev1.LimitRange]("LimitRange")

	// Secrets are metadata: the source drops data and stringData. The type
	// stays, because kubernetes.io/tls is evidence of a certificate.
	Secrets = kubernetes[corev1.Secret]("Secret")

	Ingresses       = kubernetes[networkingv1.Ingress]("Ingress")
	IngressClasses  = kubernetes[networkingv1.IngressClass]("IngressClass")
	NetworkPolicies = kubernetes[networkingv1.NetworkPolicy]("NetworkPolicy")

	StorageClasses = kubernetes[storagev1.StorageClass]("StorageClass")

	Roles               = kubernetes[rbacv1.Role]("Role")
	ClusterRoles        = kubernetes[rbacv1.ClusterRole]("ClusterRole")
	RoleBindings        = kubernetes[rbacv1.RoleBinding]("RoleBinding")
	ClusterRoleBindings = kubernetes[rbacv1.ClusterRoleBinding]("ClusterRoleBinding")

	// Of the clients of webhooks the source keeps the Service that answers.
	MutatingWebhookConfigurations   = kubernetes[admissionv1.MutatingWebhookConfiguration]("MutatingWebhookConfiguration")
	ValidatingWebhookConfigurations = kubernetes[admissionv1.ValidatingWebhookConfiguration]("ValidatingWebhookConfiguration")

	GatewayClasses  = kubernetes[gatewayv1.GatewayClass]("GatewayClass")
	Gateways        = kubernetes[gatewayv1.Gateway]("Gateway")
	HTTPRoutes      = kubernetes[gatewayv1.HTTPRoute]("HTTPRoute")
	GRPCRoutes      = kubernetes[gatewayv1.GRPCRoute]("GRPCRoute")
	TLSRoutes       = kubernetes[L4Route]("TLSRoute")
	TCPRoutes       = kubernetes[L4Route]("TCPRoute")
	ReferenceGrants = kubernetes[gatewayv1beta1.ReferenceGrant]("ReferenceGrant")

	PeerAuthentications    = kubernetes[istiosecurity.PeerAuthentication]("PeerAuthentication")
	AuthorizationPolicies  = kubernetes[istiosecurity.AuthorizationPolicy]("AuthorizationPolicy")
	RequestAuthentications = kubernetes[istiosecurity.RequestAuthentication]("RequestAuthentication")
	DestinationRules       = kubernetes[istionetworking.DestinationRule]("DestinationRule")
	ServiceEntries         = kubernetes[istionetworking.ServiceEntry]("ServiceEntry")
	VirtualServices        = kubernetes[istionetworking.VirtualService]("VirtualService")
	IstioGateways          = kubernetes[istionetworking.Gateway]("IstioGateway")
	Sidecars               = kubernetes[istionetworking.Sidecar]("Sidecar")

	IngressClassParameters     = kubernetes[IngressClassParams]("IngressClassParams")
	TargetGroupBindings        = kubernetes[TargetGroupBinding]("TargetGroupBinding")
	LoadBalancerConfigurations = kubernetes[LoadBalancerConfiguration]("LoadBalancerConfiguration")
	TargetGroupConfigurations  = kubernetes[TargetGroupConfiguration]("TargetGroupConfiguration")
	ListenerRuleConfigurations = kubernetes[ListenerRuleConfiguration]("ListenerRuleConfiguration")
	SecurityGroupPolicies      = kubernetes[SecurityGroupPolicy]("SecurityGroupPolicy")

	CalicoNetworkPolicies       = kubernetes[CalicoNetworkPolicy]("CalicoNetworkPolicy")
	CalicoGlobalNetworkPolicies = kubernetes[CalicoNetworkPolicy]("CalicoGlobalNetworkPolicy")
	CalicoNetworkSets           = kubernetes[CalicoNetworkSet]("CalicoNetworkSet")
	CalicoGlobalNetworkSets     = kubernetes[CalicoNetworkSet]("CalicoGlobalNetworkSet")
	CalicoTiers                 = kubernetes[CalicoTier]("CalicoTier")

	CalicoStagedNetworkPolicies           = kubernetes[CalicoStagedNetworkPolicy]("CalicoStagedNetworkPolicy")
	CalicoStagedGlobalNetworkPolicies     = kubernetes[CalicoStagedNetworkPolicy]("CalicoStagedGlobalNetworkPolicy")
	CalicoStagedKubernetesNetworkPolicies = kubernetes[CalicoStagedKubernetesNetworkPolicy]("CalicoStagedKubernetesNetworkPolicy")
	CalicoHostEndpoints                   = kubernetes[CalicoHostEndpoint]("CalicoHostEndpoint")
	CalicoProfiles                        = kubernetes[CalicoProfile]("CalicoProfile")

	CiliumNetworkPolicies            = kubernetes[CiliumNetworkPolicy]("CiliumNetworkPolicy")
	CiliumClusterwideNetworkPolicies = kubernetes[CiliumNetworkPolicy]("CiliumClusterwideNetworkPolicy")

	AdminNetworkPolicies         = kubernetes[AdminNetworkPolicy]("AdminNetworkPolicy")
	BaselineAdminNetworkPolicies = kubernetes[AdminNetworkPolicy]("BaselineAdminNetworkPolicy")
	ClusterNetworkPolicies       = kubernetes[ClusterNetworkPolicy]("ClusterNetworkPolicy")
	AWSClusterNetworkPolicies    = kubernetes[AWSClusterNetworkPolicy]("AWSClusterNetworkPolicy")
	ApplicationNetworkPolicies   = kubernetes[ApplicationNetworkPolicy]("ApplicationNetworkPolicy")
)

func kubernetes[T any](kind Kind) Collection[*Resource[T]] {
	return Collection[*Resource[T]]{
		Kind: kind,
		ref: func(r *Resource[T]) Ref {
			return KubernetesRef(kind, meta(&r.Object))
		},
		origin: func(r *Resource[T]) *Origin { return &r.Origin },
	}
}

// meta returns the metadata of a Kubernetes object. All the types above embed
// metav1.ObjectMeta, whose pointer is a metav1.Object.
func meta(object any) metav1.Object { return object.(metav1.Object) }

// KubernetesRef returns the identity of a Kubernetes object: its ID is
// "kind/namespace/name" in lower case, without the namespace where it has none.
func KubernetesRef(kind Kind, m metav1.Object) Ref {
	return NamedRef(kind, string(kind), m.GetNamespace(), m.GetName())
}

// NamedRef returns the identity of the Kubernetes object with these names.
// The first part of the ID is prefix in lower case.
func NamedRef(kind Kind, prefix, namespace, name string) Ref {
	prefix = strings.ToLower(prefix)
	if namespace == "" {
		return Ref{Kind: kind, Name: name, ID: prefix + "/" + name}
	}
	return Ref{Kind: kind, Namespace: namespace, Name: name, ID: prefix + "/" + namespace + "/" + name}
}
