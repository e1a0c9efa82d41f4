package trace

import (
	"cmp"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/eksafe/eksafe/internal/estate"
)

const svcLB = "service.beta.kubernetes.io/aws-load-balancer-"

// serviceLoadBalancers predicts the load balancer of every Service of type
// LoadBalancer: an NLB where the AWS Load Balancer Controller or Auto Mode
// makes it, else what Kubernetes' own cloud provider makes: a classic one, or
// an NLB when asked for.
func (g *Graph) serviceLoadBalancers() {
	for _, s := range estate.Services.In(g.Estate) {
		if s.Object.Spec.Type == corev1.ServiceTypeLoadBalancer && s.Object.Spec.ClusterIP != corev1.ClusterIPNone { // the API server rejects it
			g.addLoadBalancer(g.predictServiceLB(s))
		}
	}
}

func (g *Graph) predictServiceLB(s *service) *LoadBalancer {
	ann := func(key string) string { return strings.TrimSpace(s.Object.Annotations[svcLB+key]) }
	at := func(key string) Place { return placeOf(estate.Services, s, annotation(svcLB+key)) }
	typ := ann("type")
	class := ""
	if s.Object.Spec.LoadBalancerClass != nil {
		class = *s.Object.Spec.LoadBalancerClass
	}
	lb := &LoadBalancer{
		Type: "classic", Predicted: true, Attributes: keyValues(ann("attributes")),
		DeclaredBy: []Place{placeOf(estate.Services, s, "spec.type")},
		Auto:       class == "eks.amazonaws.com/nlb",
		// Kubernetes' own provider opens the nodes always.
		OpensTargets: true, InboundCIDRs: s.Object.Spec.LoadBalancerSourceRanges,
	}
	if len(lb.InboundCIDRs) == 0 {
		lb.InboundCIDRs = commaList(s.Object.Annotations["service.beta.kubernetes.io/load-balancer-source-ranges"])
	}
	lb.PrefixLists, lb.SecurityGroups = commaList(ann("security-group-prefix-lists")), commaList(ann("security-groups"))
	controller := class == "service.k8s.aws/nlb" || lb.Auto || typ == "external" || typ == "nlb-ip"
	if controller || typ == "nlb" {
		lb.Type = "network"
	}
	if controller && len(lb.SecurityGroups) > 0 {
		lb.OpensTargets = ann("manage-backend-security-group-rules") == "true"
	}
	lb.SchemeAt = at("scheme")
	internal := ann("internal")
	switch scheme := ann("scheme"); {
	case scheme == "internal" || scheme == "internet-facing":
		lb.Scheme = estate.Known(scheme)
	case scheme != "":
	case internal == "true" || internal == "0.0.0.0/0":
		lb.Scheme, lb.SchemeAt = estate.Known("internal"), at("internal")
	case internal == "false":
		lb.Scheme, lb.SchemeAt = estate.Known("internet-facing"), at("internal")
	case controller:
		lb.Scheme = estate.Known("internal")
	default:
		lb.Scheme = estate.Known("internet-facing")
	}
	lb.WebACL, lb.WebACLAt = estate.Known(""), lb.DeclaredBy[0]
	lb.Ref = estate.Ref{
		Kind: "LoadBalancer", Name: cmp.Or(nameIn(ann("name")), s.Object.Namespace+"-"+s.Object.Name),
		ID: "predicted:service/" + s.Object.Namespace + "/" + s.Object.Name,
	}
	certs := commaList(ann("ssl-cert"))
	tlsPorts := cmp.Or(ann("ssl-ports"), "*")
	backend := strings.ToLower(ann("backend-protocol"))
	for i, p := range s.Object.Spec.Ports {
		tls := len(certs) > 0 && (tlsPorts == "*" || containsPort(tlsPorts, p))
		l := &Listener{
			LoadBalancer: lb, Port: p.Port, At: placeOf(estate.Services, s, "spec.ports["+itoa(i)+"]"),
			Attributes: estate.Known(map[string]string{}),
		}
		l.Protocol = listenerProtocol(lb.Type, p.Protocol, tls, backend)
		if tls {
			l.Certificates, l.CertificatesAt = estate.Known(certs), at("ssl-cert")
			l.SSLPolicy, l.SSLPolicyAt = estate.Known(ann("ssl-negotiation-policy")), at("ssl-negotiation-policy")
		}
		t := &Target{At: at("backend-protocol"), Protocol: estate.Known(targetProtocol(lb.Type, p.Protocol, backend))}
		switch {
		case typ == "nlb-ip":
			t.Type = estate.Known("ip")
		case !controller:
			t.Type = estate.Known("instance") // Kubernetes' own provider knows no other
		default:
			t.Type = targetType(ann("nlb-target-type"))
		}
		g.backend(t, s, intstr.FromInt32(p.Port))
		l.Rules = []*Rule{{Default: true, Action: "forward", At: l.At, Targets: []*Target{t}}}
		lb.Listeners = append(lb.Listeners, l)
	}
	return lb
}

func containsPort(list string, p corev1.ServicePort) bool {
	for _, part := range commaList(list) {
		if part == p.Name || parsePort(part) == p.Port {
			return true
		}
	}
	return false
}

func listenerProtocol(typ string, protocol corev1.Protocol, tls bool, backend string) string {
	switch {
	case protocol == corev1.ProtocolUDP:
		return "UDP"
	case typ == "network" && tls:
		return "TLS"
	case typ == "network":
		return "TCP"
	case tls && (backend == "http" || backend == "https"):
		return "HTTPS"
	case tls:
		return "SSL"
	case backend == "http" || backend == "https":
		return "HTTP"
	}
	return "TCP"
}

func targetProtocol(typ string, protocol corev1.Protocol, backend string) string {
	switch {
	case protocol == corev1.ProtocolUDP:
		return "UDP"
	case backend == "ssl" || typ == "network" && backend == "tls":
		return "TLS"
	case backend == "https":
		return "HTTPS"
	case backend == "http" && typ == "classic":
		return "HTTP"
	}
	return "TCP"
}
