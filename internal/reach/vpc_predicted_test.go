package reach

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/eksafe/eksafe/internal/estate"
	"github.com/eksafe/eksafe/internal/trace"
)

// planned writes two applications, a Service for one of them with the type that is
// given, and what asks for a load balancer.
func planned(service, annotations string, more ...string) string {
	var b strings.Builder
	for _, name := range []string{"web", "admin"} {
		fmt.Fprintf(&b, "apiVersion: apps/v1\nkind: Deployment\nmetadata: {namespace: shop, name: %[1]s}\nspec: {selector: {matchLabels: {app: %[1]s}}, template: {metadata: {labels: {app: %[1]s}}, spec: {containers: [{name: c, image: i, ports: [{name: http, containerPort: 8080}]}]}}}\n---\n", name)
	}
	fmt.Fprintf(&b, "apiVersion: v1\nkind: Service\nmetadata: {namespace: shop, name: web, annotations: {%s}}\nspec: {selector: {app: web}, ports: [{port: 80, targetPort: http}], %s}\n", annotations, service)
	for _, m := range more {
		b.WriteString("---\n" + m + "\n")
	}
	return b.String()
}

func ingressOf(class, annotations string) string {
	return fmt.Sprintf("apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: {namespace: shop, name: web, annotations: {%s}}\nspec: {ingressClassName: %s, rules: [{host: shop.example, http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: web, port: {number: 80}}}}]}}]}", annotations, class)
}

const (
	albFace = "alb.ingress.kubernetes.io/scheme: internet-facing, "
	albIP   = "alb.ingress.kubernetes.io/target-type: ip, "
	albNode = "alb.ingress.kubernetes.io/target-type: instance, "
	nlbType = "service.beta.kubernetes.io/aws-load-balancer-type: external, "

	closedShop = "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {namespace: shop, name: closed}\nspec: {podSelector: {}, policyTypes: [Ingress]}"
	openToAll  = "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {namespace: shop, name: open}\nspec: {podSelector: {}, ingress: [{from: [{ipBlock: {cidr: 0.0.0.0/0}}]}]}"
	openToTen  = "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {namespace: shop, name: open}\nspec: {podSelector: {}, ingress: [{from: [{ipBlock: {cidr: 10.0.0.0/8}}]}]}"
)

// What a controller will make of what is declared.
func TestPredictedLoadBalancers(t *testing.T) {
	for _, test := range []struct {
		name      string
		manifests string
		want      []string // questions with verdicts
		says      string   // somewhere in the last answer
	}{
		{"it sends to its targets alone", planned("type: ClusterIP", "", ingressOf("alb", albIP)), []string{
			"shop-web > shop/web 8080 allowed", "shop-web > shop/web 8081 denied", "shop-web > internet 443 denied", "shop-web > shop/admin 8080 denied",
		}, "make shop/admin a backend of Ingress shop/web"},
		{"it is not there yet", planned("type: ClusterIP", "", ingressOf("alb", albIP)), []string{"shop-web > shop/web 8080 allowed"}, "shop-web is not there yet: its controller will make it of Ingress shop/web"},
		{"an internal one answers inside", planned("type: ClusterIP", "", ingressOf("alb", albIP)), []string{
			"shop/admin > shop-web 80 allowed", "10.1.1.1 > shop-web 80 allowed", "shop/admin > shop-web 443 denied", "internet > shop-web 80 denied",
		}, "it has no address in the internet"},
		{"one that faces the internet answers it", planned("type: ClusterIP", "", ingressOf("alb", albFace+albIP)), []string{
			"internet > shop-web 443 denied", "internet > shop-web 80 allowed",
		}, "security group of Ingress shop/web admits TCP 80 from 0.0.0.0/0"},
		{"who is denied may come by it", planned("type: ClusterIP", "", ingressOf("alb", albFace+albIP), closedShop), []string{"internet > shop/web 8080 denied"},
			"load balancer shop-web takes connections from there, and sends its own on to shop/web: --from shop-web asks about these"},
		{"its listeners", planned("type: ClusterIP", "", ingressOf("alb", albFace+`alb.ingress.kubernetes.io/listen-ports: '[{"HTTPS": 8443}]'`)), []string{"internet > shop-web 80 denied", "internet > shop-web 8443 allowed"}, ""},
		{"the networks that it lets in", planned("type: ClusterIP", "", ingressOf("alb", albFace+"alb.ingress.kubernetes.io/inbound-cidrs: 203.0.113.0/24")), []string{
			"203.0.113.7 > shop-web 80 allowed", "198.51.100.1 > shop-web 80 denied",
		}, "let TCP 80 from 192.169.0.0–203.0.112.255 in Ingress shop/web"},
		{"a list of addresses that was not read", planned("type: ClusterIP", "", ingressOf("alb", albFace+"alb.ingress.kubernetes.io/security-group-prefix-lists: pl-1")), []string{"203.0.113.7 > shop-web 80 unknown"}, "pl-1"},
		{"policies keep it out", planned("type: ClusterIP", "", ingressOf("alb", albIP), closedShop), []string{"shop-web > shop/web 8080 denied"}, "isolates the ingress of shop/web"},
		{"policies let it in", planned("type: ClusterIP", "", ingressOf("alb", albIP), closedShop, openToAll), []string{"shop-web > shop/web 8080 allowed"}, ""},
		{"they let in a part of where it may stand", planned("type: ClusterIP", "", ingressOf("alb", albIP), closedShop, openToTen), []string{"shop-web > shop/web 8080 unknown"}, "the addresses of shop-web are not known"},
		{"ports of nodes lead past them", planned("type: NodePort", "", ingressOf("alb", albNode), closedShop), []string{"shop-web > shop/admin 8080 denied", "shop-web > shop/web 8080 allowed"}, "TCP 30000-32767"},
		{"which is the default", planned("type: NodePort", "", ingressOf("alb", ""), closedShop), []string{"shop-web > shop/web 8080 allowed"}, ""},
		{"but where no port is opened", planned("type: ClusterIP", "", ingressOf("alb", ""), closedShop), []string{"shop-web > shop/web 8080 denied"}, ""},
		{"with the address of the client they do not", planned("type: NodePort, externalTrafficPolicy: Local", "", ingressOf("alb", albNode), closedShop), []string{"shop-web > shop/web 8080 denied"}, ""},
		{"groups that it is told to take", planned("type: ClusterIP", "", ingressOf("alb", albFace+albIP+"alb.ingress.kubernetes.io/security-groups: front")), []string{
			"203.0.113.7 > shop-web 80 allowed", "198.51.100.1 > shop-web 80 denied", "shop-web > shop/web 8080 unknown",
		}, "no source shows the nodes"},
		{"and that its controller opens the targets to", planned("type: ClusterIP", "", ingressOf("alb", albIP+"alb.ingress.kubernetes.io/security-groups: front, alb.ingress.kubernetes.io/manage-backend-security-group-rules: 'true'")), []string{"shop-web > shop/web 8080 allowed"}, "opens the security groups of its targets"},
		{"groups that were not read", planned("type: ClusterIP", "", ingressOf("alb", albFace+albIP+"alb.ingress.kubernetes.io/security-groups: sg-0abc")), []string{"internet > shop-web 80 unknown"}, "sg-0abc"},
		{"other controllers answer by their pods", planned("type: ClusterIP", "", ingressOf("nginx", "")), []string{"shop-web > shop/web 8080 missing"}, ""},
		{"a Service of a controller", planned("type: LoadBalancer", nlbType+"service.beta.kubernetes.io/aws-load-balancer-nlb-target-type: ip", closedShop), []string{"shop-web > shop/web 8080 denied"}, "isolates"},
		{"a Service of a controller, by nodes", planned("type: LoadBalancer", nlbType+"service.beta.kubernetes.io/aws-load-balancer-nlb-target-type: instance", closedShop), []string{"shop-web > shop/web 8080 allowed"}, ""},
		{"a Service of a controller that does not say", planned("type: LoadBalancer", nlbType, closedShop), []string{"shop-web > shop/web 8080 unknown"}, "the annotation service.beta.kubernetes.io/aws-load-balancer-nlb-target-type"},
		{"an Ingress of Auto Mode that does not say", planned("type: NodePort", "", ingressOf("auto", ""), "apiVersion: networking.k8s.io/v1\nkind: IngressClass\nmetadata: {name: auto}\nspec: {controller: eks.amazonaws.com/alb}"), []string{"shop-web > shop/web 8080 unknown"}, "the annotation alb.ingress.kubernetes.io/target-type"},
		{"a Service of Kubernetes' own provider", planned("type: LoadBalancer, loadBalancerSourceRanges: [203.0.113.0/24]", "", closedShop), []string{
			"shop-web > shop/web 8080 allowed", "203.0.113.7 > shop-web 80 allowed", "198.51.100.1 > shop-web 80 denied",
		}, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			e := readOf(t, test.manifests)
			front := &estate.SecurityGroup{AWS: estate.AWS{Arn: "front", Tags: map[string]string{"Name": "front"}}, GroupId: "sg-front"}
			front.SecurityGroupIngress = estate.Known([]estate.SecurityGroupRule{tcpRule(80, "203.0.113.0/24")})
			front.SecurityGroupEgress = estate.Known([]estate.SecurityGroupRule{{IpProtocol: "-1", FromPort: -1, ToPort: -1, CidrIp: "0.0.0.0/0"}})
			if strings.Contains(test.manifests, "security-groups: front") {
				estate.SecurityGroups.Add(e, front)
			}
			n := New(trace.New(e))
			var last *Answer
			for _, question := range test.want {
				var from, to, arrow, verdict string
				var port uint16
				if _, err := fmt.Sscan(question, &from, &arrow, &to, &port, &verdict); err != nil {
					t.Fatal(question, err)
				}
				var ends []*Endpoint
				for _, name := range []string{from, to} {
					if found, err := n.Find(name); err == nil {
						ends = append(ends, found[0])
					}
				}
				if len(ends) < 2 || verdict == "missing" {
					if len(ends) == 2 || verdict != "missing" {
						t.Fatalf("%s: there are %v", question, ends)
					}
					return
				}
				last = n.Ask(ends[0], ends[1], TCP, port)
				if last.Verdict.String() != verdict || together(last.Layers).String() != verdict {
					t.Errorf("%s: it is %s, its layers say %s\n%s", question, last.Verdict, together(last.Layers), text(last))
				}
				for _, l := range last.Layers {
					if l.Why == "" {
						t.Errorf("%s: %s of %s says nothing", question, l.Kind, l.Of)
					}
				}
			}
			all := text(last) + strings.Join(last.Notes, "\n") + last.Change + last.Through
			for _, l := range last.Layers {
				all += l.Why
				for _, r := range l.Rules {
					all += r.Name + " " + r.Says
				}
			}
			if !strings.Contains(all, test.says) {
				t.Errorf("it does not say %q:\n%s", test.says, all)
			}
		})
	}
}

// A Gateway is one load balancer, as an Ingress is.
func TestPredictedGateway(t *testing.T) {
	gateway := "apiVersion: gateway.networking.k8s.io/v1\nkind: GatewayClass\nmetadata: {name: alb}\nspec: {controllerName: gateway.k8s.aws/alb}\n---\n" +
		"apiVersion: gateway.k8s.aws/v1beta1\nkind: LoadBalancerConfiguration\nmetadata: {namespace: shop, name: face}\nspec: {scheme: internet-facing, securityGroups: [sg-1], manageBackendSecurityGroupRules: true}\n---\n" +
		"apiVersion: gateway.networking.k8s.io/v1\nkind: Gateway\nmetadata: {namespace: shop, name: gw}\nspec: {gatewayClassName: alb, infrastructure: {parametersRef: {group: gateway.k8s.aws, kind: LoadBalancerConfiguration, name: face}}, listeners: [{name: http, protocol: HTTP, port: 80}]}\n---\n" +
		"apiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\nmetadata: {namespace: shop, name: web}\nspec: {parentRefs: [{name: gw}], rules: [{backendRefs: [{name: web, port: 80}]}]}"
	n := networkOf(t, planned("type: ClusterIP", "", gateway))
	for question, want := range map[[2]string]Verdict{{"shop-gw", "shop/web"}: Allowed, {"shop-gw", "shop/admin"}: Denied} {
		if a := n.Ask(n.named(t, question[0]), n.named(t, question[1]), TCP, 8080); a.Verdict != want {
			t.Errorf("%v: %s\n%s", question, a.Verdict, text(a))
		}
	}
	if a := n.Ask(n.named(t, "internet"), n.named(t, "shop-gw"), TCP, 80); a.Verdict != Unknown || !slices.ContainsFunc(a.Layers, func(l Layer) bool { return strings.Contains(l.Why, "sg-1 was not read") }) {
		t.Errorf("%s\n%s", a.Verdict, text(a))
	}
}

// Of a group of Ingresses the one is cited that leads to the pods.
func TestPredictionOfGroup(t *testing.T) {
	group := albIP + "alb.ingress.kubernetes.io/group.name: grp, "
	second := strings.NewReplacer("name: web", "name: admin", "app: web", "app: admin").Replace("apiVersion: v1\nkind: Service\nmetadata: {namespace: shop, name: web}\nspec: {selector: {app: web}, ports: [{port: 80, targetPort: http}]}\n---\n" + ingressOf("alb", group))
	n := networkOf(t, planned("type: ClusterIP", "", ingressOf("alb", group), second))
	for _, app := range []string{"web", "admin"} {
		a := n.Ask(n.named(t, "grp"), n.named(t, "shop/"+app), TCP, 8080)
		if a.Verdict != Allowed || a.Layers[0].Rules[0].Name != "Ingress shop/"+app {
			t.Errorf("%s: %s\n%s", app, a.Verdict, text(a))
		}
	}
}

// Two load balancers that AWS would not tell apart lead to targets of their own.
func TestPredictionsAreApart(t *testing.T) {
	second := strings.NewReplacer("name: web", "name: admin", "app: web", "app: admin").Replace("apiVersion: v1\nkind: Service\nmetadata: {namespace: shop, name: web}\nspec: {selector: {app: web}, ports: [{port: 80, targetPort: http}]}\n---\n" + ingressOf("alb", albIP))
	n := networkOf(t, planned("type: ClusterIP", "", ingressOf("alb", albIP), second))
	m := n.Matrix(func(e *Endpoint) string { return e.Name })
	group := func(name string) *Group {
		return m.Groups[slices.IndexFunc(m.Groups, func(g *Group) bool { return g.Name == name })]
	}
	for _, lb := range []string{"web", "admin"} {
		for _, app := range []string{"web", "admin"} {
			if c := m.Cell(group("shop-"+lb), group("shop/"+app)); (c != nil) != (lb == app) {
				t.Errorf("shop-%s → shop/%s: %v", lb, app, c)
			}
		}
	}
}
