package kubeobject

import (
	"slices"
	"strings"

	istioapi "istio.io/api/networking/v1alpha3"
	istionetworking "istio.io/client-go/pkg/apis/networking/v1"
	istiosecurity "istio.io/client-go/pkg/apis/security/v1"
	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	storagev1 "k8s.io/api/storage/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/eksafe/eksafe/internal/estate"
)

// redacted stands where a value was that may be a secret and whose presence is
// part of the meaning.
const redacted = "redacted"

// reduceMeta drops what may hold a copy of the whole object and the
// annotations that are not judged.
func reduceMeta(m *metav1.ObjectMeta) {
	m.ManagedFields = nil
	//lint:ignore SA1019 what old servers wrote is dropped too
	m.SelfLink = ""
	m.Annotations = reduceAnnotations(m.Annotations)
}

func reduceNamespace(o *corev1.Namespace) { o.Status.Conditions = nil }

func reduceService(o *corev1.Service) { o.Status.Conditions = nil }

func reduceEndpointSlice(o *discoveryv1.EndpointSlice) {
	for i := range o.Endpoints {
		o.Endpoints[i].DeprecatedTopology = nil
	}
}

// reduceResourceQuota drops what is used: it changes with every pod.
func reduceResourceQuota(o *corev1.ResourceQuota) { o.Status = corev1.ResourceQuotaStatus{} }

// reduceNode keeps what joins a node to its instance and its pods.
func reduceNode(o *corev1.Node) {
	o.Spec = corev1.NodeSpec{
		PodCIDR: o.Spec.PodCIDR, PodCIDRs: o.Spec.PodCIDRs, ProviderID: o.Spec.ProviderID,
		Unschedulable: o.Spec.Unschedulable, Taints: o.Spec.Taints,
	}
	o.Status = corev1.NodeStatus{Addresses: o.Status.Addresses, NodeInfo: o.Status.NodeInfo}
}

// volumeAttributes are the attributes of CSI drivers that say how data is
// kept or carried. Others are dropped: some drivers take passwords there.
var volumeAttributes = map[string]bool{
	"encryptInTransit": true, "encrypted": true, "kmsKeyId": true, "path": true, "mounttargetip": true,
	"dnsname": true, "mountname": true, "secretProviderClass": true, "volumeType": true, "crossaccount": true,
}

func reduceAttributes(in map[string]string) map[string]string {
	var out map[string]string
	for k, v := range in {
		if volumeAttributes[k] && plain(v) {
			if out == nil {
				out = map[string]string{}
			}
			out[k] = v
		}
	}
	return out
}

// mountOptions keeps the options that say something of encryption and access;
// others may hold a password (CIFS, WebDAV).
func mountOptions(in []string) []string {
	return slices.DeleteFunc(in, func(o string) bool {
		name, value, hasValue := strings.Cut(o, "=")
		if !hasValue {
			return !plain(o) || secretName(o)
		}
		return !slices.Contains([]string{"sec", "vers", "nfsvers", "proto", "tlsport", "accesspoint", "az", "mounttargetip", "xprtsec"}, name) || !plain(value)
	})
}

func reducePersistentVolume(o *corev1.PersistentVolume) {
	o.Spec.MountOptions = mountOptions(o.Spec.MountOptions)
	o.Status.Message, o.Status.Reason = "", ""
	if csi := o.Spec.CSI; csi != nil {
		csi.VolumeAttributes = reduceAttributes(csi.VolumeAttributes)
	}
	if flex := o.Spec.FlexVolume; flex != nil {
		flex.Options = nil
	}
}

func reducePersistentVolumeClaim(o *corev1.PersistentVolumeClaim) {
	o.Status.Conditions = nil
}

// parameters are the parameters of a StorageClass that eksafe judges or
// shows. Parameters of other provisioners may be keys and passwords.
var parameters = map[string]bool{
	"encrypted": true, "kmsKeyId": true, "kmskeyid": true, "type": true, "fsType": true, "csi.storage.k8s.io/fstype": true,
	"provisioningMode": true, "fileSystemId": true, "deploymentType": true, "storageType": true,
	"securityGroupIds": true, "subnetId": true, "KmsKeyId": true, "iops": true, "throughput": true,
	"blockExpress": true, "basePath": true,
}

func reduceStorageClass(o *storagev1.StorageClass) {
	o.MountOptions = mountOptions(o.MountOptions)
	for k, v := range o.Parameters {
		// The driver takes parameter names in any case.
		if !parameters[k] && !strings.EqualFold(k, "encrypted") && !strings.EqualFold(k, "kmsKeyId") || !plain(v) {
			delete(o.Parameters, k)
		}
	}
}

func reduceTargetGroupBinding(o *estate.TargetGroupBinding) {
	if !scalar(o.Spec.ServiceRef.Port) {
		o.Spec.ServiceRef.Port = nil
	}
}

func reduceListenerRuleConfiguration(o *estate.ListenerRuleConfiguration) {
	for _, a := range o.Spec.Actions {
		if a.RedirectConfig != nil && a.RedirectConfig.Query != "" {
			a.RedirectConfig.Query = redacted
		}
	}
}

// scalar reports whether an untyped field holds a number or a short name.
func scalar(v any) bool {
	switch v := v.(type) {
	case int64, float64, int, nil:
		return true
	case string:
		return len(v) <= 63
	default:
		return false
	}
}

func reduceGatewayClass(o *gatewayv1.GatewayClass) {
	o.Status = gatewayv1.GatewayClassStatus{}
}

func reduceGateway(o *gatewayv1.Gateway) {
	o.Status = gatewayv1.GatewayStatus{Addresses: o.Status.Addresses}
	if infra := o.Spec.Infrastructure; infra != nil {
		flat := make(map[string]string, len(infra.Annotations))
		for k, v := range infra.Annotations {
			flat[string(k)] = string(v)
		}
		infra.Annotations = nil
		for k, v := range reduceAnnotations(flat) {
			if infra.Annotations == nil {
				infra.Annotations = map[gatewayv1.AnnotationKey]gatewayv1.AnnotationValue{}
			}
			infra.Annotations[gatewayv1.AnnotationKey(k)] = gatewayv1.AnnotationValue(v)
		}
	}
	for _, l := range o.Spec.Listeners {
		if l.TLS == nil {
			continue
		}
		for k, v := range l.TLS.Options {
			if !plain(string(v)) {
				l.TLS.Options[k] = redacted
			}
		}
	}
}

func redactHeaders(f *gatewayv1.HTTPHeaderFilter) {
	if f == nil {
		return
	}
	for i := range f.Set {
		f.Set[i].Value = redacted
	}
	for i := range f.Add {
		f.Add[i].Value = redacted
	}
}

func reduceHTTPRoute(o *gatewayv1.HTTPRoute) {
	o.Status = gatewayv1.HTTPRouteStatus{}
	reduceFilters := func(filters []gatewayv1.HTTPRouteFilter) {
		for _, f := range filters {
			redactHeaders(f.RequestHeaderModifier)
			redactHeaders(f.ResponseHeaderModifier)
		}
	}
	for _, r := range o.Spec.Rules {
		for _, m := range r.Matches {
			for i := range m.Headers {
				m.Headers[i].Value = redacted
			}
			for i := range m.QueryParams {
				m.QueryParams[i].Value = redacted
			}
		}
		reduceFilters(r.Filters)
		for _, b := range r.BackendRefs {
			reduceFilters(b.Filters)
		}
	}
}

func reduceGRPCRoute(o *gatewayv1.GRPCRoute) {
	o.Status = gatewayv1.GRPCRouteStatus{}
	reduceFilters := func(filters []gatewayv1.GRPCRouteFilter) {
		for _, f := range filters {
			redactHeaders(f.RequestHeaderModifier)
			redactHeaders(f.ResponseHeaderModifier)
		}
	}
	for _, r := range o.Spec.Rules {
		for _, m := range r.Matches {
			for i := range m.Headers {
				m.Headers[i].Value = redacted
			}
		}
		reduceFilters(r.Filters)
		for _, b := range r.BackendRefs {
			reduceFilters(b.Filters)
		}
	}
}

func reducePeerAuthentication(o *istiosecurity.PeerAuthentication) { o.Status.Reset() }

// reduceAuthorizationPolicy hides the values of headers and token claims that
// a rule compares.
func reduceAuthorizationPolicy(o *istiosecurity.AuthorizationPolicy) {
	o.Status.Reset()
	for _, r := range o.Spec.Rules {
		for _, c := range r.GetWhen() {
			if !strings.HasPrefix(c.GetKey(), "request.headers[") && !strings.HasPrefix(c.GetKey(), "request.auth.claims[") {
				continue
			}
			for i := range c.Values {
				c.Values[i] = redacted
			}
			for i := range c.NotValues {
				c.NotValues[i] = redacted
			}
		}
	}
}

// reduceRequestAuthentication keeps the host of a key set's address. An inline
// key set is public keys when used as meant, and redacted all the same.
func reduceRequestAuthentication(o *istiosecurity.RequestAuthentication) {
	o.Status.Reset()
	for _, r := range o.Spec.JwtRules {
		if r == nil {
			continue
		}
		if r.Jwks != "" {
			r.Jwks = redacted
		}
		r.JwksUri = bareURL(r.JwksUri)
		r.Issuer = bareURL(r.Issuer)
		for _, h := range r.FromHeaders {
			if h != nil && h.Prefix != "" && !plain(strings.TrimSpace(h.Prefix)) {
				h.Prefix = redacted
			}
		}
	}
}

func reduceDestinationRule(o *istionetworking.DestinationRule) { o.Status.Reset() }
func reduceServiceEntry(o *istionetworking.ServiceEntry)       { o.Status.Reset() }
func reduceIstioGateway(o *istionetworking.Gateway)            { o.Status.Reset() }
func reduceSidecar(o *istionetworking.Sidecar)                 { o.Status.Reset() }

// reduceVirtualService hides the values of headers and of response bodies.
func reduceVirtualService(o *istionetworking.VirtualService) {
	o.Status.Reset()
	for _, r := range o.Spec.Http {
		if r == nil {
			continue
		}
		redactIstioHeaders(r.Headers)
		for _, d := range r.Route {
			redactIstioHeaders(d.GetHeaders())
		}
		if r.DirectResponse != nil {
			r.DirectResponse.Body = nil
		}
		for _, m := range r.Match {
			if m == nil {
				continue
			}
			for _, matches := range []map[string]*istioapi.StringMatch{m.Headers, m.QueryParams, m.WithoutHeaders} {
				for name := range matches {
					matches[name] = &istioapi.StringMatch{MatchType: &istioapi.StringMatch_Exact{Exact: redacted}}
				}
			}
		}
	}
}

func redactIstioHeaders(h *istioapi.Headers) {
	for _, op := range []*istioapi.Headers_HeaderOperations{h.GetRequest(), h.GetResponse()} {
		for _, values := range []map[string]string{op.GetSet(), op.GetAdd()} {
			for name := range values {
				values[name] = redacted
			}
		}
	}
}

// plain reports whether v is a short word, a path, an identifier or an ARN:
// nothing that needs spaces or quotes.
func plain(v string) bool {
	if len(v) > 512 {
		return false
	}
	for i := range len(v) {
		c := v[i]
		if !isAlnum(c) && !strings.ContainsRune("-_./:,@*+", rune(c)) {
			return false
		}
	}
	return true
}

func isAlnum(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
}

// reduceMutatingWebhooks keeps which objects are sent, and to which Service.
func reduceMutatingWebhooks(o *admissionv1.MutatingWebhookConfiguration) {
	for i := range o.Webhooks {
		reduceWebhook(&o.Webhooks[i].ClientConfig, o.Webhooks[i].MatchConditions)
	}
}

func reduceValidatingWebhooks(o *admissionv1.ValidatingWebhookConfiguration) {
	for i := range o.Webhooks {
		reduceWebhook(&o.Webhooks[i].ClientConfig, o.Webhooks[i].MatchConditions)
	}
}

// reduceWebhook drops certificates, and paths and expressions, which may hold
// what only the API server and the webhook are to know.
func reduceWebhook(c *admissionv1.WebhookClientConfig, conditions []admissionv1.MatchCondition) {
	c.CABundle = nil
	if c.URL != nil {
		kept := redacted
		c.URL = &kept
	}
	if c.Service != nil {
		c.Service.Path = nil
	}
	for i := range conditions {
		conditions[i].Expression = redacted
	}
}
