package reach

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"

	"github.com/eksafe/eksafe/internal/estate"
)

// What a network load balancer leads to nodes and pods with the addresses of its
// clients.
func TestInlets(t *testing.T) {
	outside := policyIn("shop", "outside", networkingv1.NetworkPolicySpec{Ingress: []networkingv1.NetworkPolicyIngressRule{{From: []networkingPeer{
		{IPBlock: &networkingv1.IPBlock{CIDR: "0.0.0.0/0", Except: []string{"10.0.0.0/16"}}},
	}}}})
	edge := func(c *cloud, scheme string) {
		c.balancer("network", scheme, "public", "sg-edge")
		withTarget(&c.Estate, "instance")
	}
	public := func(c *cloud) {
		c.route("public", estate.Route{DestinationCidrBlock: "0.0.0.0/0", GatewayId: "igw-1"})
		estate.Instances.Add(&c.Estate, &estate.Instance{AWS: estate.AWS{Arn: "i-9"}, InstanceId: "i-9", SubnetId: "subnet-public", SecurityGroupIds: []string{"sg-nodes"}})
	}
	for _, test := range []struct {
		name   string
		change func(*cloud)
		from   string
		want   Verdict
		says   string // somewhere in the layers
	}{
		{"the targets admit the group of the load balancer", func(c *cloud) {
			edge(c, "internet-facing")
			c.admit("sg-edge", 443, "0.0.0.0/0")
			c.admit("sg-nodes", 30080, "sg-edge")
		}, "203.0.113.7", Allowed, "TCP 30080 is let in from there, or from lb, by security group sg-nodes"},
		{"the targets admit nobody", func(c *cloud) { edge(c, "internet-facing"); c.admit("sg-edge", 443, "0.0.0.0/0") }, "203.0.113.7", Denied, ""},
		{"the load balancer admits nobody", func(c *cloud) { edge(c, "internet-facing"); c.admit("sg-nodes", 30080, "sg-edge") }, "203.0.113.7", Denied, ""},
		{"it admits others", func(c *cloud) {
			edge(c, "internet-facing")
			c.admit("sg-edge", 443, "198.51.100.0/24")
			c.admit("sg-nodes", 30080, "sg-edge")
		}, "203.0.113.7", Denied, ""},
		{"an internal one leads no one in from the internet", func(c *cloud) {
			edge(c, "internal")
			c.admit("sg-edge", 443, "0.0.0.0/0")
			c.admit("sg-nodes", 30080, "sg-edge")
		}, "203.0.113.7", Denied, ""},
		{"but from private networks", func(c *cloud) {
			edge(c, "internal")
			c.admit("sg-edge", 443, "192.168.0.0/16")
			c.admit("sg-nodes", 30080, "sg-edge")
		}, "192.168.3.4", Allowed, "network load balancer lb leads TCP 443 to it, and keeps the address of its client"},
		{"a pod that goes by it makes two connections", func(c *cloud) {
			edge(c, "internal")
			c.admit("sg-edge", 443, "sg-page")
			c.admit("sg-nodes", 30080, "sg-edge")
			c.pod("blog/page", func(w *estate.Workload) { w.Template.Labels["eks.amazonaws.com/fargate-profile"] = "f" })
			c.own("blog/page", "sg-page")
			c.group("sg-page").SecurityGroupEgress = estate.Known([]estate.SecurityGroupRule{{IpProtocol: "-1", FromPort: -1, ToPort: -1, CidrIp: "0.0.0.0/0"}})
			c.addon(func(a *estate.Addon) { a.EnablePodENI = estate.Known(true) })
			estate.NetworkPolicies.Add(&c.Estate, policyIn("shop", "all", networkingv1.NetworkPolicySpec{Ingress: []networkingv1.NetworkPolicyIngressRule{{}}}))
		}, "blog/page", Denied, "load balancer lb takes connections from there, and sends its own on to shop/web"},
		{"another way is open as before", func(c *cloud) {
			edge(c, "internet-facing")
			public(c)
			c.admit("sg-nodes", 30081, "0.0.0.0/0")
			c.nodePort("shop/web", func(s *corev1.ServiceSpec) { local(s); s.Ports[0].NodePort = 30081 })
		}, "203.0.113.7", Allowed, "routes of nodes: allowed, it has an address in the internet"},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := newCloud()
			c.group("sg-edge")
			c.nodePort("shop/web", local)
			estate.NetworkPolicies.Add(&c.Estate, outside)
			test.change(c)
			n := c.network()
			from, err := n.Find(test.from)
			if err != nil {
				t.Fatal(err)
			}
			a := n.Ask(from[0], endpoint(t, n, "shop/web"), TCP, 8080)
			if a.Verdict != test.want || together(a.Layers) != test.want || !strings.Contains(text(a)+strings.Join(a.Notes, "\n"), test.says) {
				t.Errorf("%s, want %s, and %q in\n%s", a.Verdict, test.want, test.says, text(a))
			}
		})
	}
}

// A load balancer that is only declared leads in as well, if it will keep the
// addresses of its clients.
func TestPredictedInlets(t *testing.T) {
	const scheme = "service.beta.kubernetes.io/aws-load-balancer-scheme: "
	admits := "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {namespace: shop, name: in}\nspec: {podSelector: {}, ingress: [{from: [{ipBlock: {cidr: 203.0.113.0/24}}, {ipBlock: {cidr: 192.168.0.0/16}}]}]}"
	group := "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {namespace: other, name: x}\nspec: {podSelector: {}}"
	for _, test := range []struct {
		name, service, annotations, from string
		want                             Verdict
	}{
		{"nodes keep them", "type: LoadBalancer, externalTrafficPolicy: Local", nlbType + scheme + "internet-facing, service.beta.kubernetes.io/aws-load-balancer-nlb-target-type: instance", "203.0.113.7", Allowed},
		{"an internal one is not of the internet", "type: LoadBalancer, externalTrafficPolicy: Local", nlbType + "service.beta.kubernetes.io/aws-load-balancer-nlb-target-type: instance", "203.0.113.7", Denied},
		{"but of private networks", "type: LoadBalancer, externalTrafficPolicy: Local", nlbType + "service.beta.kubernetes.io/aws-load-balancer-nlb-target-type: instance", "192.168.3.4", Allowed},
		{"pods meet the load balancer", "type: LoadBalancer", nlbType + scheme + "internet-facing, service.beta.kubernetes.io/aws-load-balancer-nlb-target-type: ip", "203.0.113.7", Denied},
		{"unless it is told to keep them", "type: LoadBalancer", nlbType + scheme + "internet-facing, service.beta.kubernetes.io/aws-load-balancer-nlb-target-type: ip, service.beta.kubernetes.io/aws-load-balancer-target-group-attributes: preserve_client_ip.enabled=true", "203.0.113.7", Allowed},
	} {
		e := readOf(t, planned(test.service, test.annotations, admits, group))
		// A node group that admits nobody: what lets in is the controller.
		c := newCloud()
		estate.SecurityGroups.Add(e, c.group("sg-nodes"))
		estate.Instances.Add(e, estate.Instances.In(&c.Estate)...)
		estate.Subnets.Add(e, estate.Subnets.In(&c.Estate)...)
		estate.RouteTables.Add(e, estate.RouteTables.In(&c.Estate)...)
		estate.VPCs.Add(e, estate.VPCs.In(&c.Estate)...)
		c.Estate = *e
		n := c.network()
		from, err := n.Find(test.from)
		if err != nil {
			t.Fatal(err)
		}
		if a := n.Ask(from[0], endpoint(t, n, "shop/web"), TCP, 8080); a.Verdict != test.want || together(a.Layers) != test.want {
			t.Errorf("%s: %s, want %s\n%s", test.name, a.Verdict, test.want, text(a))
		}
	}
}
