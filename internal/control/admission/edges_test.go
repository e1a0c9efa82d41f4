package admission_test

import "fmt"

// edges are objects that no case of a control has, and whether its policy must
// refuse them: spellings by which a rule could be passed by, and what looks like
// a fault and is none.
var edges = map[string][]ask{
	"egress-least": {
		policyEdge("rules of a direction that it does not decide", `{policyTypes: [Ingress], egress: [{}]}`, false),
		policyEdge("types left out", `{egress: [{}]}`, true),
		policyEdge("nothing let out", `{policyTypes: [Egress], egress: []}`, false),
		policyEdge("a quarter of the internet", `{egress: [{ports: [{port: 443}], to: [{ipBlock: {cidr: 64.0.0.0/2}}]}]}`, true),
		policyEdge("the internet with exceptions", `{egress: [{ports: [{port: 443}], to: [{ipBlock: {cidr: 0.0.0.0/0, except: [10.0.0.0/8]}}]}]}`, true),
		policyEdge("all that IPv6 has given out", `{egress: [{ports: [{port: 443}], to: [{ipBlock: {cidr: "2000::/3"}}]}]}`, true),
		policyEdge("a network of IPv6", `{egress: [{ports: [{port: 443}], to: [{ipBlock: {cidr: "2001:db8::/32"}}]}]}`, false),
	},
	"ingress-ports": {
		policyEdge("rules of a direction that it does not decide", `{policyTypes: [Egress], ingress: [{}]}`, false),
		policyEdge("types left out", `{ingress: [{}]}`, true),
		policyEdge("nothing let in", `{policyTypes: [Ingress], ingress: []}`, false),
	},
	"nodeport-closed": {
		serviceEdge("no node ports", "", `{type: LoadBalancer, allocateLoadBalancerNodePorts: false, ports: [{port: 8883}]}`, false),
		serviceEdge("a node port by its number", "", `{type: LoadBalancer, allocateLoadBalancerNodePorts: false, ports: [{port: 8883, nodePort: 31883}]}`, true),
		serviceEdge("type left out", "", `{ports: [{port: 8883}]}`, false),
		serviceEdge("a name outside", "", `{type: ExternalName, externalName: example.com}`, false),
		serviceEdge("node ports", "", `{type: NodePort, ports: [{port: 8883}]}`, true),
	},
	"entry-is-alb": {
		serviceEdge("HTTP/3", "", `{type: LoadBalancer, ports: [{port: 443, protocol: UDP}]}`, true),
		serviceEdge("another protocol over UDP", "", `{type: LoadBalancer, ports: [{name: http, port: 8080, protocol: UDP}]}`, false),
		serviceEdge("web by its name", "", `{type: LoadBalancer, ports: [{name: grpc-api, port: 9000}]}`, true),
		serviceEdge("another protocol in spite of its name", "", `{type: LoadBalancer, ports: [{name: http, appProtocol: mqtt, port: 9000}]}`, false),
		serviceEdge("web by an annotation", `{service.beta.kubernetes.io/aws-load-balancer-backend-protocol: HTTP}`, `{type: LoadBalancer, ports: [{port: 9000}]}`, true),
		serviceEdge("a web port within", "", `{type: ClusterIP, ports: [{port: 443}]}`, false),
	},
	"mesh-destination-tls": {
		meshEdge("v1beta1", "networking.istio.io/v1beta1", "DestinationRule", `{host: a.example.com, trafficPolicy: {tls: {mode: DISABLE}}}`, true),
		meshEdge("v1alpha3", "networking.istio.io/v1alpha3", "DestinationRule", `{host: a.example.com, trafficPolicy: {tls: {mode: DISABLE}}}`, true),
		meshEdge("a port of a subset", "networking.istio.io/v1", "DestinationRule",
			`{host: a.example.com, subsets: [{name: a}, {name: b, trafficPolicy: {portLevelSettings: [{port: {number: 1}}, {port: {number: 2}, tls: {mode: SIMPLE, insecureSkipVerify: true}}]}}]}`, true),
		meshEdge("null is not true", "networking.istio.io/v1", "DestinationRule", `{host: a.example.com, trafficPolicy: {tls: {mode: SIMPLE, insecureSkipVerify: null}}}`, false),
		meshEdge("no settings", "networking.istio.io/v1", "DestinationRule", `{host: a.example.com}`, false),
	},
	"mesh-mtls-strict": {
		meshEdge("v1beta1", "security.istio.io/v1beta1", "PeerAuthentication", `{mtls: {mode: PERMISSIVE}}`, true),
		meshEdge("a port without a mode", "security.istio.io/v1", "PeerAuthentication", `{selector: {matchLabels: {app: a}}, portLevelMtls: {"80": {}}}`, false),
		meshEdge("nothing said", "security.istio.io/v1", "PeerAuthentication", `{}`, false),
	},
	"rbac-escalation": {
		roleEdge("no rules", `[]`, false),
		roleEdge("proxies of nodes by name", `[{apiGroups: [""], resources: [nodes/proxy], resourceNames: [a], verbs: [get]}]`, true),
		roleEdge("scopes of somebody", `[{apiGroups: [authentication.k8s.io], resources: [userextras/scopes], verbs: [impersonate]}]`, true),
		roleEdge("one account's token", `[{apiGroups: [""], resources: [serviceaccounts/token], resourceNames: [a], verbs: [create]}]`, false),
		roleEdge("all verbs are another control's", `[{apiGroups: [rbac.authorization.k8s.io], resources: [roles], verbs: ["*"]}]`, false),
		roleEdge("rules that are null", `null`, false),
		{kase: "edge", id: "a path of the server", manifest: "apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata: {name: edge}\nrules: [{nonResourceURLs: [/metrics], verbs: [get]}]"},
	},
}

func edge(name, apiVersion, kind, annotations, field, value string, fails bool) ask {
	if annotations == "" {
		annotations = "{}"
	}
	return ask{
		kase: "edge", id: name, fails: fails,
		manifest: fmt.Sprintf("apiVersion: %s\nkind: %s\nmetadata: {name: edge, namespace: shop-prod, annotations: %s}\n%s: %s\n", apiVersion, kind, annotations, field, value),
	}
}

func policyEdge(name, rules string, fails bool) ask {
	return edge(name, "networking.k8s.io/v1", "NetworkPolicy", "", "spec", "{podSelector: {}, "+rules[1:], fails)
}

func serviceEdge(name, annotations, spec string, fails bool) ask {
	return edge(name, "v1", "Service", annotations, "spec", spec, fails)
}

func meshEdge(name, apiVersion, kind, spec string, fails bool) ask {
	return edge(name, apiVersion, kind, "", "spec", spec, fails)
}

func roleEdge(name, rules string, fails bool) ask {
	return edge(name, "rbac.authorization.k8s.io/v1", "Role", "", "rules", rules, fails)
}
