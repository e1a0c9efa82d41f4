package network

import "github.com/eksafe/eksafe/internal/control"

// The twins of the family for the API server.

var egressLeastAdmission = ofPolicies(
	"of networks only the internet and large parts of it are refused, as what stands in another, and whether it or the pods of another namespace are a dependency, is not seen; "+
		"a policy is refused although it selects no pod; and policies of Calico are not seen",
	control.AdmissionValidation{
		Expression: "!('Egress' in variables.types) || object.spec.?egress.orValue([]).all(r, size(r.?to.orValue([])) > 0)",
		Message:    "every egress rule must name its peers: without \"to\" it lets out to every address",
	},
	control.AdmissionValidation{
		Expression: "!('Egress' in variables.types) || object.spec.?egress.orValue([]).all(r, size(r.?ports.orValue([])) > 0)",
		Message:    "every egress rule must name its ports: without them it lets out at every port",
	},
	control.AdmissionValidation{
		// By the length of the prefix: halves and quarters are the internet too.
		Expression: "!('Egress' in variables.types) || object.spec.?egress.orValue([]).all(r, r.?to.orValue([]).all(p, !has(p.ipBlock) || " +
			"int(p.ipBlock.cidr.split('/')[1]) >= (p.ipBlock.cidr.contains(':') ? " + itoa(widestIPv6) + " : " + itoa(widestIPv4) + ")))",
		Message: "no egress rule may let out to the internet or a large part of it: name the networks of what the pods depend on",
	})

var ingressPortsAdmission = ofPolicies(
	"only a rule that opens every port, or every port of a protocol, is refused, as what the pods serve is not seen; "+
		"a policy is refused although it selects no pod; and policies of Calico are not seen",
	control.AdmissionValidation{
		Expression: "!('Ingress' in variables.types) || object.spec.?ingress.orValue([]).all(r, size(r.?ports.orValue([])) > 0 && r.ports.all(p, has(p.port)))",
		Message:    "every ingress rule must name its ports: without them every port is open",
	})

// ofPolicies is a twin for NetworkPolicies; types are the directions that one
// decides.
func ofPolicies(differs string, validations ...control.AdmissionValidation) *control.Admission {
	a := control.ForKind("networking.k8s.io", "v1", differs, []string{"networkpolicies"}, validations...)
	// The server has filled them in where the author left them out.
	a.Variables = []control.AdmissionExpression{{Name: "types", Expression: "object.spec.?policyTypes.orValue(['Ingress', 'Egress'])"}}
	return a
}

var nodeportClosedAdmission = control.ForKind("", "v1",
	"every Service that opens ports of nodes is refused: whether the internet reaches nodes, and what their security groups admit, is not seen",
	[]string{"services"},
	control.AdmissionValidation{
		// A port that is asked for by its number is opened in spite of the field.
		Expression: "!(object.spec.?type.orValue('ClusterIP') in ['NodePort', 'LoadBalancer']) || " +
			"!object.spec.?allocateLoadBalancerNodePorts.orValue(true) && object.spec.?ports.orValue([]).all(p, p.?nodePort.orValue(0) == 0)",
		Message: "a Service may open no port of the nodes: use ClusterIP, or LoadBalancer with allocateLoadBalancerNodePorts: false and targets of type ip",
	})
