package transit

import "github.com/eksafe/eksafe/internal/control"

// The twins of the family for the API server.

// All versions that Istio ever served: a policy for one that a cluster does not
// serve holds nobody.
var istioVersions = []string{"v1", "v1beta1", "v1alpha3"}

var meshDestinationTLSAdmission = &control.Admission{
	Rules: []control.AdmissionRule{{Group: "networking.istio.io", Versions: istioVersions, Resources: []string{"destinationrules"}}},
	Variables: []control.AdmissionExpression{
		// dyn: what applies to a subset and what applies to the host have types of their own.
		{Name: "spec", Expression: "dyn(object).?spec.orValue({})"},
		{Name: "policies", Expression: "[?variables.spec.?trafficPolicy] + " +
			"variables.spec.?subsets.orValue([]).filter(s, has(s.trafficPolicy)).map(s, s.trafficPolicy)"},
	},
	Validations: []control.AdmissionValidation{
		{
			// Settings without a mode turn TLS off.
			Expression: "variables.policies.all(p, ([p] + p.?portLevelSettings.orValue([])).all(q, !has(q.tls) || q.tls.?mode.orValue('DISABLE') != 'DISABLE'))",
			Message:    "no rule may turn TLS off: take the tls block away, or set another mode than DISABLE",
		},
		{
			// It may be null, which is no bool.
			Expression: "variables.policies.all(p, ([p] + p.?portLevelSettings.orValue([])).all(q, !has(q.tls) || q.tls.?insecureSkipVerify.orValue(false) != true))",
			Message:    "no rule may skip the verification of certificates: take insecureSkipVerify away",
		},
	},
	Differs: "ServiceEntries are not held to it, as a DestinationRule may add TLS to them",
}

var meshMtlsStrictAdmission = &control.Admission{
	Rules: []control.AdmissionRule{{Group: "security.istio.io", Versions: []string{"v1", "v1beta1"}, Resources: []string{"peerauthentications"}}},
	Validations: []control.AdmissionValidation{{
		Expression: "!(object.?spec.?mtls.?mode.orValue('UNSET') in ['PERMISSIVE', 'DISABLE']) && " +
			"object.?spec.?portLevelMtls.orValue({}).all(k, !(object.spec.portLevelMtls[k].?mode.orValue('UNSET') in ['PERMISSIVE', 'DISABLE']))",
		Message: "no PeerAuthentication may let plaintext in: set the mode STRICT, or leave it to the namespace",
	}},
	Differs: "a mode is refused although no member of the mesh comes out with it, and that none is set at all is not seen",
}

// entryIsAlbAdmission knows the signs of web traffic that isWeb knows, as far as
// a Service shows them.
var entryIsAlbAdmission = webServiceAdmission()

func webServiceAdmission() *control.Admission {
	const annotations = "object.metadata.?annotations[?'service.beta.kubernetes.io/aws-load-balancer-"
	a := control.ForKind("", "v1",
		"only Services of type LoadBalancer are held to it: what load balancer an Ingress or a Gateway gets is told by their classes, and what stands in AWS is not seen",
		[]string{"services"},
		control.AdmissionValidation{
			Expression: "object.spec.?type.orValue('ClusterIP') != 'LoadBalancer' || object.spec.?ports.orValue([]).all(p, p.?protocol.orValue('TCP') == 'UDP' ? p.port != 443 : " +
				"!variables.http && !(p.port in [80, 443, 8000, 8080, 8443]) && !p.?appProtocol.orValue(p.?name.orValue('')).lowerAscii().matches('^(http|grpc)|/wss?$'))",
			Message: "web traffic enters through an Application Load Balancer: make the Service a ClusterIP and let an Ingress or a Gateway lead to it",
		})
	a.Variables = []control.AdmissionExpression{
		{Name: "backend", Expression: annotations + "backend-protocol'].orValue('').trim().lowerAscii()"},
		{Name: "network", Expression: "object.spec.?loadBalancerClass.orValue('') in ['service.k8s.aws/nlb', 'eks.amazonaws.com/nlb'] || " +
			annotations + "type'].orValue('').trim() in ['external', 'nlb-ip', 'nlb']"},
		{Name: "http", Expression: "variables.backend == 'https' || variables.backend == 'http' && !variables.network"},
	}
	return a
}
