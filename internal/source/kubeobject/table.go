package kubeobject

import (
	"slices"

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

	"github.com/eksafe/eksafe/internal/estate"
)

// A Resource is one Kubernetes kind that fills a kind of the estate. Several
// may fill the same: every controller fills Workload.
type Resource struct {
	Kind       estate.Kind
	Object     string // the kind's name in Kubernetes: "Deployment"
	Plural     string // its name in URLs: "deployments"
	Namespaced bool
	// APIVersions are those whose schema is the same, in order of preference.
	// A live source lists the first that the cluster serves; for Calico they
	// are two APIs to the same objects.
	APIVersions []string

	decode func(*input) (*Object, error)
}

// Resources lists every Kubernetes kind that can be decoded. Secret is one of
// them: a source decides whether it may be listed.
func Resources() []Resource { return slices.Clone(resources) }

type typeKey struct{ apiVersion, kind string }

// table finds the index of a kind in resources.
var table = index(resources)

func index(resources []Resource) map[typeKey]int {
	out := map[typeKey]int{}
	for i, r := range resources {
		for _, v := range r.APIVersions {
			out[typeKey{v, r.Object}] = i
		}
	}
	return out
}

const (
	namespaced    = true
	clusterScoped = false
)

// The API versions of each group whose schemas are those of the estate's
// types. Older ones with another schema are kinds that eksafe does not judge.
var (
	core            = []string{"v1"}
	apps            = []string{"apps/v1"}
	batch           = []string{"batch/v1"}
	discovery       = []string{"discovery.k8s.io/v1"}
	networking      = []string{"networking.k8s.io/v1"}
	storage         = []string{"storage.k8s.io/v1"}
	rbac            = []string{"rbac.authorization.k8s.io/v1"}
	admission       = []string{"admissionregistration.k8s.io/v1"}
	gateway         = []string{"gateway.networking.k8s.io/v1", "gateway.networking.k8s.io/v1beta1"}
	gatewayGRPC     = []string{"gateway.networking.k8s.io/v1"}
	gatewayL4       = []string{"gateway.networking.k8s.io/v1", "gateway.networking.k8s.io/v1alpha3", "gateway.networking.k8s.io/v1alpha2"}
	istioNetworking = []string{"networking.istio.io/v1", "networking.istio.io/v1beta1", "networking.istio.io/v1alpha3"}
	istioSecurity   = []string{"security.istio.io/v1", "security.istio.io/v1beta1"}
	elb             = []string{"elbv2.k8s.aws/v1beta1"}
	autoMode        = []string{"eks.amazonaws.com/v1"}
	gatewayAWS      = []string{"gateway.k8s.aws/v1beta1"}
	vpcResources    = []string{"vpcresources.k8s.aws/v1beta1"}
	calico          = []string{"projectcalico.org/v3", calicoStore}
	cilium          = []string{"cilium.io/v2"}
	networkPolicy   = []string{"policy.networking.k8s.io/v1beta1", "policy.networking.k8s.io/v1alpha2"}
	adminPolicy     = []string{"policy.networking.k8s.io/v1alpha1"}
	awsPolicy       = []string{"networking.k8s.aws/v1alpha1"}
)

var resources = []Resource{
	{estate.Namespaces.Kind, "Namespace", "namespaces", clusterScoped, core, official(estate.Namespaces, func(o *corev1.Namespace) *metav1.ObjectMeta { return &o.ObjectMeta }, reduceNamespace)},

	{estate.Workloads.Kind, "Deployment", "deployments", namespaced, apps, decodeDeployment},
	{estate.Workloads.Kind, "StatefulSet", "statefulsets", namespaced, apps, decodeStatefulSet},
	{estate.Workloads.Kind, "DaemonSet", "daemonsets", namespaced, apps, decodeDaemonSet},
	{estate.Workloads.Kind, "ReplicaSet", "replicasets", namespaced, apps, decodeReplicaSet},
	{estate.Workloads.Kind, "ReplicationController", "replicationcontrollers", namespaced, core, decodeReplicationController},
	{estate.Workloads.Kind, "Job", "jobs", namespaced, batch, decodeJob},
	{estate.Workloads.Kind, "CronJob", "cronjobs", namespaced, batch, decodeCronJob},
	{estate.Workloads.Kind, "Pod", "pods", namespaced, core, decodePod},
	{estate.Workloads.Kind, "PodTemplate", "podtemplates", namespaced, core, decodePodTemplate},

	{estate.Services.Kind, "Service", "services", namespaced, core, official(estate.Services, func(o *corev1.Service) *metav1.ObjectMeta { return &o.ObjectMeta }, reduceService)},
	{estate.EndpointSlices.Kind, "EndpointSlice", "endpointslices", namespaced, discovery, official(estate.EndpointSlices, func(o *discoveryv1.EndpointSlice) *metav1.ObjectMeta { return &o.ObjectMeta }, reduceEndpointSlice)},
	{estate.Nodes.Kind, "Node", "nodes", clusterScoped, core, official(estate.Nodes, func(o *corev1.Node) *metav1.ObjectMeta { return &o.ObjectMeta }, reduceNode)},
	{estate.ConfigMaps.Kind, "ConfigMap", "configmaps", namespaced, core, decodeConfigMap},
	{estate.Secrets.Kind, "Secret", "secrets", namespaced, core, decodeSecret},
	{estate.ServiceAccounts.Kind, "ServiceAccount", "serviceaccounts", namespaced, core, official(estate.ServiceAccounts, func(o *corev1.ServiceAccount) *metav1.ObjectMeta { return &o.ObjectMeta }, nil)},
	{estate.ResourceQuotas.Kind, "ResourceQuota", "resourcequotas", namespaced, core, official(estate.ResourceQuotas, func(o *corev1.ResourceQuota) *metav1.ObjectMeta { return &o.ObjectMeta }, reduceResourceQuota)},
	{estate.LimitRanges.Kind, "LimitRange", "limitranges", namespaced, core, official(estate.LimitRanges, func(o *corev1.LimitRange) *metav1.ObjectMeta { return &o.ObjectMeta }, nil)},
	{estate.PersistentVolumes.Kind, "PersistentVolume", "persistentvolumes", clusterScoped, core, official(estate.PersistentVolumes, func(o *corev1.PersistentVolume) *metav1.ObjectMeta { return &o.ObjectMeta }, reducePersistentVolume)},
	{estate.PersistentVolumeClaims.Kind, "PersistentVolumeClaim", "persistentvolumeclaims", namespaced, core, official(estate.PersistentVolumeClaims, func(o *corev1.PersistentVolumeClaim) *metav1.ObjectMeta { return &o.ObjectMeta }, reducePersistentVolumeClaim)},
	{estate.StorageClasses.Kind, "StorageClass", "storageclasses", clusterScoped, storage, official(estate.StorageClasses, func(o *storagev1.StorageClass) *metav1.ObjectMeta { return &o.ObjectMeta }, reduceStorageClass)},

	{estate.Ingresses.Kind, "Ingress", "ingresses", namespaced, networking, official(estate.Ingresses, func(o *networkingv1.Ingress) *metav1.ObjectMeta { return &o.ObjectMeta }, nil)},
	{estate.IngressClasses.Kind, "IngressClass", "ingressclasses", clusterScoped, networking, official(estate.IngressClasses, func(o *networkingv1.IngressClass) *metav1.ObjectMeta { return &o.ObjectMeta }, nil)},
	{estate.IngressClassParameters.Kind, "IngressClassParams", "ingressclassparams", clusterScoped, elb, partial(estate.IngressClassParameters, func(o *estate.IngressClassParams) *metav1.ObjectMeta { return &o.ObjectMeta }, nil)},
	{estate.IngressClassParameters.Kind, "IngressClassParams", "ingressclassparams", clusterScoped, autoMode, partial(estate.IngressClassParameters, func(o *estate.IngressClassParams) *metav1.ObjectMeta { return &o.ObjectMeta }, nil)},
	{estate.TargetGroupBindings.Kind, "TargetGroupBinding", "targetgroupbindings", namespaced, elb, partial(estate.TargetGroupBindings, func(o *estate.TargetGroupBinding) *metav1.ObjectMeta { return &o.ObjectMeta }, reduceTargetGroupBinding)},
	{estate.TargetGroupBindings.Kind, "TargetGroupBinding", "targetgroupbindings", namespaced, autoMode, partial(estate.TargetGroupBindings, func(o *estate.TargetGroupBinding) *metav1.ObjectMeta { return &o.ObjectMeta }, reduceTargetGroupBinding)},

	{estate.GatewayClasses.Kind, "GatewayClass", "gatewayclasses", clusterScoped, gateway, official(estate.GatewayClasses, func(o *gatewayv1.GatewayClass) *metav1.ObjectMeta { return &o.ObjectMeta }, reduceGatewayClass)},
	{estate.Gateways.Kind, "Gateway", "gateways", namespaced, gateway, official(estate.Gateways, func(o *gatewayv1.Gateway) *metav1.ObjectMeta { return &o.ObjectMeta }, reduceGateway)},
	{estate.HTTPRoutes.Kind, "HTTPRoute", "httproutes", namespaced, gateway, official(estate.HTTPRoutes, func(o *gatewayv1.HTTPRoute) *metav1.ObjectMeta { return &o.ObjectMeta }, reduceHTTPRoute)},
	{estate.GRPCRoutes.Kind, "GRPCRoute", "grpcroutes", namespaced, gatewayGRPC, official(estate.GRPCRoutes, func(o *gatewayv1.GRPCRoute) *metav1.ObjectMeta { return &o.ObjectMeta }, reduceGRPCRoute)},
	{estate.TLSRoutes.Kind, "TLSRoute", "tlsroutes", namespaced, gatewayL4, partial(estate.TLSRoutes, func(o *estate.L4Route) *metav1.ObjectMeta { return &o.ObjectMeta }, nil)},
	{estate.TCPRoutes.Kind, "TCPRoute", "tcproutes", namespaced, gatewayL4, partial(estate.TCPRoutes, func(o *estate.L4Route) *metav1.ObjectMeta { return &o.ObjectMeta }, nil)},
	{estate.ReferenceGrants.Kind, "ReferenceGrant", "referencegrants", namespaced, gateway, official(estate.ReferenceGrants, func(o *gatewayv1beta1.ReferenceGrant) *metav1.ObjectMeta { return &o.ObjectMeta }, nil)},
	{estate.LoadBalancerConfigurations.Kind, "LoadBalancerConfiguration", "loadbalancerconfigurations", namespaced, gatewayAWS, partial(estate.LoadBalancerConfigurations, func(o *estate.LoadBalancerConfiguration) *metav1.ObjectMeta { return &o.ObjectMeta }, nil)},
	{estate.TargetGroupConfigurations.Kind, "TargetGroupConfiguration", "targetgroupconfigurations", namespaced, gatewayAWS, partial(estate.TargetGroupConfigurations, func(o *estate.TargetGroupConfiguration) *metav1.ObjectMeta { return &o.ObjectMeta }, nil)},
	{estate.ListenerRuleConfigurations.Kind, "ListenerRuleConfiguration", "listenerruleconfigurations", namespaced, gatewayAWS, partial(estate.ListenerRuleConfigurations, func(o *estate.ListenerRuleConfiguration) *metav1.ObjectMeta { return &o.ObjectMeta }, reduceListenerRuleConfiguration)},

	{estate.NetworkPolicies.Kind, "NetworkPolicy", "networkpolicies", namespaced, networking, official(estate.NetworkPolicies, func(o *networkingv1.NetworkPolicy) *metav1.ObjectMeta { return &o.ObjectMeta }, nil)},
	{estate.SecurityGroupPolicies.Kind, "SecurityGroupPolicy", "securitygrouppolicies", namespaced, vpcResources, partial(estate.SecurityGroupPolicies, func(o *estate.SecurityGroupPolicy) *metav1.ObjectMeta { return &o.ObjectMeta }, nil)},
	{estate.CalicoNetworkPolicies.Kind, "NetworkPolicy", "networkpolicies", namespaced, calico, partial(estate.CalicoNetworkPolicies, func(o *estate.CalicoNetworkPolicy) *metav1.ObjectMeta { return &o.ObjectMeta }, reduceCalicoPolicy)},
	{estate.CalicoGlobalNetworkPolicies.Kind, "GlobalNetworkPolicy", "globalnetworkpolicies", clusterScoped, calico, partial(estate.CalicoGlobalNetworkPolicies, func(o *estate.CalicoNetworkPolicy) *metav1.ObjectMeta { return &o.ObjectMeta }, reduceCalicoPolicy)},
	{estate.CalicoNetworkSets.Kind, "NetworkSet", "networksets", namespaced, calico, partial(estate.CalicoNetworkSets, func(o *estate.CalicoNetworkSet) *metav1.ObjectMeta { return &o.ObjectMeta }, nil)},
	{estate.CalicoGlobalNetworkSets.Kind, "GlobalNetworkSet", "globalnetworksets", clusterScoped, calico, partial(estate.CalicoGlobalNetworkSets, func(o *estate.CalicoNetworkSet) *metav1.ObjectMeta { return &o.ObjectMeta }, nil)},
	{estate.CalicoTiers.Kind, "Tier", "tiers", clusterScoped, calico, partial(estate.CalicoTiers, func(o *estate.CalicoTier) *metav1.ObjectMeta { return &o.ObjectMeta }, nil)},
	{estate.CalicoStagedNetworkPolicies.Kind, "StagedNetworkPolicy", "stagednetworkpolicies", namespaced, calico, partial(estate.CalicoStagedNetworkPolicies, func(o *estate.CalicoStagedNetworkPolicy) *metav1.ObjectMeta { return &o.ObjectMeta }, reduceCalicoStaged)},
	{estate.CalicoStagedGlobalNetworkPolicies.Kind, "StagedGlobalNetworkPolicy", "stagedglobalnetworkpolicies", clusterScoped, calico, partial(estate.CalicoStagedGlobalNetworkPolicies, func(o *estate.CalicoStagedNetworkPolicy) *metav1.ObjectMeta { return &o.ObjectMeta }, reduceCalicoStaged)},
	{estate.CalicoStagedKubernetesNetworkPolicies.Kind, "StagedKubernetesNetworkPolicy", "stagedkubernetesnetworkpolicies", namespaced, calico, partial(estate.CalicoStagedKubernetesNetworkPolicies, func(o *estate.CalicoStagedKubernetesNetworkPolicy) *metav1.ObjectMeta { return &o.ObjectMeta }, nil)},
	{estate.CalicoHostEndpoints.Kind, "HostEndpoint", "hostendpoints", clusterScoped, calico, partial(estate.CalicoHostEndpoints, func(o *estate.CalicoHostEndpoint) *metav1.ObjectMeta { return &o.ObjectMeta }, reduceCalicoHostEndpoint)},
	{estate.CalicoProfiles.Kind, "Profile", "profiles", clusterScoped, calico, partial(estate.CalicoProfiles, func(o *estate.CalicoProfile) *metav1.ObjectMeta { return &o.ObjectMeta }, reduceCalicoProfile)},
	{estate.CiliumNetworkPolicies.Kind, "CiliumNetworkPolicy", "ciliumnetworkpolicies", namespaced, cilium, partial(estate.CiliumNetworkPolicies, func(o *estate.CiliumNetworkPolicy) *metav1.ObjectMeta { return &o.ObjectMeta }, nil)},
	{estate.CiliumClusterwideNetworkPolicies.Kind, "CiliumClusterwideNetworkPolicy", "ciliumclusterwidenetworkpolicies", clusterScoped, cilium, partial(estate.CiliumClusterwideNetworkPolicies, func(o *estate.CiliumNetworkPolicy) *metav1.ObjectMeta { return &o.ObjectMeta }, nil)},
	{estate.AdminNetworkPolicies.Kind, "AdminNetworkPolicy", "adminnetworkpolicies", clusterScoped, adminPolicy, specified(estate.AdminNetworkPolicies, func(o *estate.AdminNetworkPolicy) *metav1.ObjectMeta { return &o.ObjectMeta }, nil)},
	{estate.BaselineAdminNetworkPolicies.Kind, "BaselineAdminNetworkPolicy", "baselineadminnetworkpolicies", clusterScoped, adminPolicy, specified(estate.BaselineAdminNetworkPolicies, func(o *estate.AdminNetworkPolicy) *metav1.ObjectMeta { return &o.ObjectMeta }, nil)},
	{estate.ClusterNetworkPolicies.Kind, "ClusterNetworkPolicy", "clusternetworkpolicies", clusterScoped, networkPolicy, specified(estate.ClusterNetworkPolicies, func(o *estate.ClusterNetworkPolicy) *metav1.ObjectMeta { return &o.ObjectMeta }, nil)},
	{estate.AWSClusterNetworkPolicies.Kind, "ClusterNetworkPolicy", "clusternetworkpolicies", clusterScoped, awsPolicy, specified(estate.AWSClusterNetworkPolicies, func(o *estate.AWSClusterNetworkPolicy) *metav1.ObjectMeta { return &o.ObjectMeta }, nil)},
	{estate.ApplicationNetworkPolicies.Kind, "ApplicationNetworkPolicy", "applicationnetworkpolicies", namespaced, awsPolicy, specified(estate.ApplicationNetworkPolicies, func(o *estate.ApplicationNetworkPolicy) *metav1.ObjectMeta { return &o.ObjectMeta }, nil)},

	{estate.PeerAuthentications.Kind, "PeerAuthentication", "peerauthentications", namespaced, istioSecurity, istio(estate.PeerAuthentications, func(o *istiosecurity.PeerAuthentication) *metav1.ObjectMeta { return &o.ObjectMeta }, reducePeerAuthentication)},
	{estate.AuthorizationPolicies.Kind, "AuthorizationPolicy", "authorizationpolicies", namespaced, istioSecurity, istio(estate.AuthorizationPolicies, func(o *istiosecurity.AuthorizationPolicy) *metav1.ObjectMeta { return &o.ObjectMeta }, reduceAuthorizationPolicy)},
	{estate.RequestAuthentications.Kind, "RequestAuthentication", "requestauthentications", namespaced, istioSecurity, istio(estate.RequestAuthentications, func(o *istiosecurity.RequestAuthentication) *metav1.ObjectMeta { return &o.ObjectMeta }, reduceRequestAuthentication)},
	{estate.DestinationRules.Kind, "DestinationRule", "destinationrules", namespaced, istioNetworking, istio(estate.DestinationRules, func(o *istionetworking.DestinationRule) *metav1.ObjectMeta { return &o.ObjectMeta }, reduceDestinationRule)},
	{estate.ServiceEntries.Kind, "ServiceEntry", "serviceentries", namespaced, istioNetworking, istio(estate.ServiceEntries, func(o *istionetworking.ServiceEntry) *metav1.ObjectMeta { return &o.ObjectMeta }, reduceServiceEntry)},
	{estate.VirtualServices.Kind, "VirtualService", "virtualservices", namespaced, istioNetworking, istio(estate.VirtualServices, func(o *istionetworking.VirtualService) *metav1.ObjectMeta { return &o.ObjectMeta }, reduceVirtualService)},
	{estate.IstioGateways.Kind, "Gateway", "gateways", namespaced, istioNetworking, istio(estate.IstioGateways, func(o *istionetworking.Gateway) *metav1.ObjectMeta { return &o.ObjectMeta }, reduceIstioGateway)},
	{estate.Sidecars.Kind, "Sidecar", "sidecars", namespaced, istioNetworking, istio(estate.Sidecars, func(o *istionetworking.Sidecar) *metav1.ObjectMeta { return &o.ObjectMeta }, reduceSidecar)},

	{estate.Roles.Kind, "Role", "roles", namespaced, rbac, official(estate.Roles, func(o *rbacv1.Role) *metav1.ObjectMeta { return &o.ObjectMeta }, nil)},
	{estate.ClusterRoles.Kind, "ClusterRole", "clusterroles", clusterScoped, rbac, official(estate.ClusterRoles, func(o *rbacv1.ClusterRole) *metav1.ObjectMeta { return &o.ObjectMeta }, nil)},
	{estate.RoleBindings.Kind, "RoleBinding", "rolebindings", namespaced, rbac, official(estate.RoleBindings, func(o *rbacv1.RoleBinding) *metav1.ObjectMeta { return &o.ObjectMeta }, nil)},
	{estate.ClusterRoleBindings.Kind, "ClusterRoleBinding", "clusterrolebindings", clusterScoped, rbac, official(estate.ClusterRoleBindings, func(o *rbacv1.ClusterRoleBinding) *metav1.ObjectMeta { return &o.ObjectMeta }, nil)},
	{estate.MutatingWebhookConfigurations.Kind, "MutatingWebhookConfiguration", "mutatingwebhookconfigurations", clusterScoped, admission, official(estate.MutatingWebhookConfigurations, func(o *admissionv1.MutatingWebhookConfiguration) *metav1.ObjectMeta { return &o.ObjectMeta }, reduceMutatingWebhooks)},
	{estate.ValidatingWebhookConfigurations.Kind, "ValidatingWebhookConfiguration", "validatingwebhookconfigurations", clusterScoped, admission, official(estate.ValidatingWebhookConfigurations, func(o *admissionv1.ValidatingWebhookConfiguration) *metav1.ObjectMeta { return &o.ObjectMeta }, reduceValidatingWebhooks)},
}
