package reach

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"

	"github.com/eksafe/eksafe/internal/estate"
	"github.com/eksafe/eksafe/internal/trace"
)

// nodePort adds a Service that leads from TCP 30080 of every node to TCP 8080 of
// an application.
func (c *cloud) nodePort(name string, change func(*corev1.ServiceSpec)) {
	namespace, app, _ := strings.Cut(name, "/")
	r := &estate.Resource[corev1.Service]{}
	r.Object.Namespace, r.Object.Name = namespace, app
	r.Object.Spec = corev1.ServiceSpec{
		Type: corev1.ServiceTypeNodePort, Selector: map[string]string{"app": app}, Ports: []corev1.ServicePort{{Port: 8080, NodePort: 30080}},
	}
	if change != nil {
		change(&r.Object.Spec)
	}
	estate.Services.Add(&c.Estate, r)
}

// closes isolates the pods of a namespace.
func (c *cloud) closes(namespace string) {
	estate.NetworkPolicies.Add(&c.Estate, policyIn(namespace, "closed", networkingv1.NetworkPolicySpec{PolicyTypes: []networkingv1.PolicyType{networkingv1.PolicyTypeIngress}}))
}

func local(s *corev1.ServiceSpec) { s.ExternalTrafficPolicy = corev1.ServiceExternalTrafficPolicyLocal }

// What AWS lets in to a node is asked at the port of the node.
func TestNodePortsInAWS(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(*cloud)
		from   string
		want   Verdict
		layers string // what decides or leads on, in its order
	}{
		{"the group of the nodes lets nobody in", func(c *cloud) { c.nodePort("shop/web", nil) }, "lb", Denied, ""},
		{"not even at the port of the pods", func(c *cloud) { c.nodePort("shop/web", nil); c.admit("sg-nodes", 30080, "sg-lb") }, "lb", Allowed,
			"security groups of nodes, node port of nodes, security groups of shop/web, ingress policies of shop/web"},
		{"at another port", func(c *cloud) { c.nodePort("shop/web", nil); c.admit("sg-nodes", 30081, "sg-lb") }, "lb", Denied, ""},
		{"a client that keeps its address is asked about by the policies", func(c *cloud) { c.nodePort("shop/web", local); c.admit("sg-nodes", 30080, "sg-lb") }, "lb", Denied, ""},
		{"and gets through where they let it", func(c *cloud) {
			c.nodePort("shop/web", local)
			c.admit("sg-nodes", 30080, "sg-lb")
			estate.NetworkPolicies.Add(&c.Estate, policyIn("shop", "in", networkingv1.NetworkPolicySpec{Ingress: []networkingv1.NetworkPolicyIngressRule{{From: []networkingPeer{{IPBlock: &networkingv1.IPBlock{CIDR: "10.0.0.0/24"}}}}}}))
		}, "lb", Allowed, "security groups of nodes, node port of nodes, ingress policies of shop/web"},
		{"the internet gets to no node of a private subnet", func(c *cloud) { c.nodePort("shop/web", nil); c.admit("sg-nodes", 30080, "0.0.0.0/0") }, "internet", Denied, ""},
		{"it does to one of a public subnet", func(c *cloud) {
			c.nodePort("shop/web", nil)
			c.admit("sg-nodes", 30080, "0.0.0.0/0")
			c.route("public", estate.Route{DestinationCidrBlock: "0.0.0.0/0", GatewayId: "igw-1"})
			estate.Instances.Add(&c.Estate, &estate.Instance{AWS: estate.AWS{Arn: "i-9"}, InstanceId: "i-9", SubnetId: "subnet-public", SecurityGroupIds: []string{"sg-nodes"}})
		}, "internet", Allowed, "security groups of nodes, routes of nodes, node port of nodes, security groups of shop/web, ingress policies of shop/web"},
		{"pods with a group of their own are led on to from the group of the nodes", func(c *cloud) {
			c.nodePort("shop/web", nil)
			c.admit("sg-nodes", 30080, "sg-lb")
			c.own("shop/web", "sg-web")
			c.admit("sg-web", 8080, "sg-lb")
			c.addon(func(a *estate.Addon) { a.EnablePodENI = estate.Known(true) })
		}, "lb", Denied, ""},
		{"which that group lets in", func(c *cloud) {
			c.nodePort("shop/web", nil)
			c.admit("sg-nodes", 30080, "sg-lb")
			c.own("shop/web", "sg-web")
			c.admit("sg-web", 8080, "sg-nodes")
			c.addon(func(a *estate.Addon) { a.EnablePodENI = estate.Known(true) })
		}, "lb", Allowed, "security groups of nodes, node port of nodes, security groups of nodes, security groups of shop/web, ingress policies of shop/web"},
		{"pods of one node need no rule", func(c *cloud) { c.nodePort("shop/web", nil); c.pod("blog/page", nil) }, "blog/page", Allowed,
			"egress policies of blog/page, security groups of nodes, node port of nodes, security groups of shop/web, ingress policies of shop/web"},
		{"pods with an interface of their own do", func(c *cloud) {
			c.nodePort("shop/web", nil)
			c.pod("blog/page", func(w *estate.Workload) { w.Template.Labels["eks.amazonaws.com/fargate-profile"] = "f" })
		}, "blog/page", Denied, ""},
		{"a host port is of the node as well", func(c *cloud) {
			c.admit("sg-nodes", 80, "sg-lb")
			w := estate.Workloads.In(&c.Estate)[0]
			w.Template.Spec.Containers = []corev1.Container{{Ports: []corev1.ContainerPort{{ContainerPort: 8080, HostPort: 80}}}}
			estate.NetworkPolicies.Add(&c.Estate, policyIn("shop", "in", networkingv1.NetworkPolicySpec{Ingress: []networkingv1.NetworkPolicyIngressRule{{From: []networkingPeer{{IPBlock: &networkingv1.IPBlock{CIDR: "10.0.0.0/24"}}}}}}))
		}, "lb", Allowed, "security groups of nodes, node port of nodes, ingress policies of shop/web"},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := newCloud()
			c.balancer("application", "internal", "public", "sg-lb")
			c.group("sg-lb").SecurityGroupEgress = estate.Known([]estate.SecurityGroupRule{{IpProtocol: "-1", FromPort: -1, ToPort: -1, CidrIp: "0.0.0.0/0"}})
			c.closes("shop")
			test.change(c)
			n := c.network()
			a := n.Ask(endpoint(t, n, test.from), endpoint(t, n, "shop/web"), TCP, 8080)
			if a.Verdict != test.want || together(a.Layers) != test.want {
				t.Fatalf("%s, want %s\n%s", a.Verdict, test.want, text(a))
			}
			var layers []string
			for _, l := range a.Layers {
				if l.Why == "" {
					t.Errorf("%s of %s says nothing", l.Kind, l.Of)
				}
				if l.Kind != SecurityGroups || l.Of != "lb" {
					layers = append(layers, string(l.Kind)+" of "+l.Of)
				}
			}
			if got := strings.Join(layers, ", "); test.want == Allowed && got != test.layers {
				t.Errorf("the layers are %s\n%s", got, text(a))
			}
			if (a.Through != "") != (test.want == Allowed) {
				t.Errorf("it is through %q", a.Through)
			}
		})
	}
}

// A load balancer that keeps the addresses of its clients leads them to the port
// of the nodes, and not to that of the pods.
func TestNodePortsBehindNetworkLoadBalancers(t *testing.T) {
	for kind, want := range map[string]map[int]Verdict{
		"instance": {30080: Allowed, 8080: Denied},
		"ip":       {30080: Denied, 8080: Unknown}, // pods meet addresses by an attribute that is not read
		"":         {30080: Unknown, 8080: Unknown},
	} {
		for port, want := range want {
			c := newCloud()
			c.nodePort("shop/web", nil)
			c.admit("sg-nodes", port, "203.0.113.0/24")
			c.balancer("network", "internet-facing", "public")
			withTarget(&c.Estate, kind)
			n := c.network()
			from, err := n.Find("203.0.113.7")
			if err != nil {
				t.Fatal(err)
			}
			if a := n.Ask(from[0], endpoint(t, n, "shop/web"), TCP, 8080); a.Verdict != want {
				t.Errorf("type %q, the group admits %d: %s, want %s\n%s", kind, port, a.Verdict, want, text(a))
			}
		}
	}
}

// withTarget puts shop/web behind the listener of the load balancer.
func withTarget(e *estate.Estate, kind string) {
	tg := &estate.TargetGroup{AWS: estate.AWS{Arn: "tg"}, Protocol: estate.Known("TCP"), Port: estate.Known(30080)}
	if kind != "" {
		tg.TargetType = estate.Known(kind)
	}
	tg.Tags = map[string]string{}
	estate.TargetGroups.Add(e, tg)
	l := estate.Listeners.In(e)[0]
	l.Protocol = estate.Known("TCP")
	l.DefaultActions = []estate.Action{{Type: "forward", TargetGroupArn: "tg"}}
	r := &estate.Resource[estate.TargetGroupBinding]{}
	r.Object.Namespace, r.Object.Name = "shop", "web"
	r.Object.Spec.TargetGroupARN = "tg"
	r.Object.Spec.ServiceRef = estate.ServiceReference{Name: "web", Port: int64(8080)}
	estate.TargetGroupBindings.Add(e, r)
}

// Proxies of a mesh do not know what a port of a node leads to.
func TestNodePortsInMesh(t *testing.T) {
	const service = "apiVersion: v1\nkind: Service\nmetadata: {namespace: shop, name: np}\nspec: {type: NodePort, selector: {app: orders}, ports: [{port: 80, targetPort: 8080, nodePort: 30080}]}"
	closed := "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {namespace: shop, name: closed}\nspec: {podSelector: {matchLabels: {app: orders}}, policyTypes: [Ingress]}"
	fromNodes := authorizationPolicy("shop", "orders", `{selector: {matchLabels: {app: orders}}, rules: [{from: [{source: {ipBlocks: [0.0.0.0/0]}}]}]}`)
	byIdentity := authorizationPolicy("shop", "orders", `{selector: {matchLabels: {app: orders}}, rules: [{from: [{source: {principals: [cluster.local/ns/shop/sa/web]}}]}]}`)
	for _, test := range []struct {
		name   string
		labels string
		more   []string
		cases  []meshCase
	}{
		{"plaintext that the server takes", injected, nil, []meshCase{{ask: "legacy/cron > orders 8080", want: Allowed}, {ask: "web > orders 8080", want: Allowed}}},
		{"the server takes mTLS only, and a client may speak it", injected, []string{strict}, []meshCase{
			{ask: "legacy/cron > orders 8080", want: Denied, layer: IngressPolicies}, {ask: "web > orders 8080", want: Unknown, layer: MeshMTLS, says: "may speak mTLS to the node"},
		}},
		{"who comes has the address of a node", injected, []string{fromNodes}, []meshCase{{ask: "legacy/cron > orders 8080", want: Allowed}}},
		{"and no identity unless it shows one", injected, []string{byIdentity}, []meshCase{
			{ask: "legacy/cron > orders 8080", want: Denied, layer: IngressPolicies}, {ask: "web > orders 8080", want: Unknown, layer: MeshAuthorization}, {ask: "other/spy > orders 8080", want: Denied, layer: IngressPolicies},
		}},
		{"ztunnel sees it as plaintext", inZtunnel, []string{strict}, []meshCase{{ask: "legacy/cron > orders 8080", want: Denied, layer: IngressPolicies}}},
		{"and takes it", inZtunnel, nil, []meshCase{{ask: "legacy/cron > orders 8080", want: Allowed}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			checkMesh(t, networkOf(t, shop(test.labels, append(slices.Clone(test.more), service, closed)...)), test.cases)
		})
	}
}

// Where Calico guards every node, what gets to the ports of nodes is not known.
func TestNodePortsOfGuardedNodes(t *testing.T) {
	const service = "apiVersion: v1\nkind: Service\nmetadata: {namespace: shop, name: db}\nspec: {type: NodePort, selector: {app: db}, ports: [{port: 5432, nodePort: 30432}]}\n---\n"
	const host = "apiVersion: projectcalico.org/v3\nkind: HostEndpoint\nmetadata: {name: node, labels: {role: node}}\nspec: {node: n1, interfaceName: eth0}\n---\n"
	for _, test := range []struct{ claim, manifests, want string }{
		{"no endpoint of a host", "", "allowed"},
		{"of every node", host + nodeOf("n1", "{}"), "unknown"},
		{"of one of two", host + nodeOf("n1", "{}") + nodeOf("n2", "{}"), "allowed"},
		{"no node is known", host, "unknown"},
	} {
		n := New(trace.New(placed(estateOf(t, shopPods+denyDB+"---\n"+service+test.manifests))))
		if got := verdictOf(t, n, "shop/web shop/db TCP 5432"); got.String() != test.want {
			t.Errorf("%s: %s, want %s", test.claim, got, test.want)
		}
	}
}

// A denial says which port of nodes is closed as well, and by what.
func TestClosedEntrance(t *testing.T) {
	c := newCloud()
	c.balancer("application", "internal", "public", "sg-lb")
	c.group("sg-lb").SecurityGroupEgress = estate.Known([]estate.SecurityGroupRule{{IpProtocol: "-1", FromPort: -1, ToPort: -1, CidrIp: "0.0.0.0/0"}})
	c.nodePort("shop/web", nil)
	n := c.network()
	a := n.Ask(endpoint(t, n, "lb"), endpoint(t, n, "shop/web"), TCP, 8080)
	const want = "Service shop/web opens TCP 30080 of every node, which leads there too and is closed to it: no ingress rule of security group sg-nodes allows TCP 30080 from lb"
	if a.Verdict != Denied || a.Through != "" || !slices.Contains(a.Notes, want) {
		t.Errorf("%s through %q with %q", a.Verdict, a.Through, a.Notes)
	}
	if a := n.Ask(endpoint(t, n, "lb"), endpoint(t, n, "shop/web"), TCP, 8081); slices.ContainsFunc(a.Notes, func(s string) bool { return strings.Contains(s, "30080") }) {
		t.Errorf("it does not lead to TCP 8081: %q", a.Notes)
	}
}

// Of two closed ways the change is that of the one which needs less.
func TestChangeOfEntrance(t *testing.T) {
	for change, want := range map[string]func(*cloud){
		"add to the ingress rules of security group sg-nodes: TCP 30080 from sg-lb, which opens TCP 30080 of the nodes":                                                              func(c *cloud) { c.nodePort("shop/web", nil) },
		"add to the ingress rules of security group sg-nodes: TCP 8080 from sg-lb; and add a rule for ingress to spec.ingress of NetworkPolicy shop/closed: ipBlock of lb, TCP 8080": func(c *cloud) { c.nodePort("shop/web", local) },
	} {
		c := newCloud()
		c.balancer("application", "internal", "public", "sg-lb")
		c.group("sg-lb").SecurityGroupEgress = estate.Known([]estate.SecurityGroupRule{{IpProtocol: "-1", FromPort: -1, ToPort: -1, CidrIp: "0.0.0.0/0"}})
		c.closes("shop")
		want(c)
		n := c.network()
		if a := n.Ask(endpoint(t, n, "lb"), endpoint(t, n, "shop/web"), TCP, 8080); a.Verdict != Denied || a.Change != change {
			t.Errorf("%s: the change is %q, want %q", a.Verdict, a.Change, change)
		}
	}
}

// A question about the port of a Service's nodes is one about its pods.
func TestNodePortOfService(t *testing.T) {
	c := newCloud()
	c.nodePort("shop/web", nil)
	c.pod("blog/page", nil)
	c.closes("shop")
	replies, err := c.network().Reply(Question{From: "blog/page", To: "svc/shop/web", Protocol: TCP, Port: 30080})
	if err != nil || len(replies) != 1 || replies[0].Verdict() != Allowed || len(replies[0].Answers) != 1 || replies[0].Answers[0].Port != 8080 || replies[0].Answers[0].Through != "TCP 30080 of the nodes" {
		t.Fatalf("%v %v", replies, err)
	}
	for _, q := range []Question{{From: "blog/page"}, {To: "nodes"}, {From: "nodes", To: "shop/web"}, {From: "blog/page", To: "nodes", Protocol: TCP, Port: 10250}} {
		replies, err := c.network().Reply(q)
		if err != nil || len(replies) == 0 {
			t.Fatalf("%v: %v", q, err)
		}
		for _, r := range replies {
			if (q.To == "nodes") != (r.To.Kind == NodesEndpoint) || r.Verdict() != Allowed && q.To == "nodes" {
				t.Errorf("%v: %s → %s is %s", q, r.From, r.To, r.Verdict())
			}
		}
	}
}

// What is walked for a matrix is what each pair is asked about.
func TestEachIsBetween(t *testing.T) {
	first, last := seeds(t)
	entered := 0
	for seed := first; seed < last; seed++ {
		e := newGenerator(seed).estate()
		n := New(trace.New(e))
		type pair struct{ from, to uint32 }
		type ports struct{ sure, open portsID }
		got := map[pair]ports{}
		alone := make([]uint32, len(n.points))
		for i := range alone {
			alone[i] = uint32(i) + 1
		}
		n.each(walk{runs: alone, visit: func(from, to uint32, sure, open portsID) bool {
			p := got[pair{from, to}]
			got[pair{from, to}] = ports{n.ports.or(p.sure, sure), n.ports.or(p.open, open)}
			return true
		}})
		for from := range uint32(len(n.points)) {
			for to := range uint32(len(n.points)) {
				if !n.points[from].endpoint.initiates() || n.itself(from, to) || n.nodes.has(to) || from >= n.atoms && to >= n.atoms {
					continue
				}
				sure, open := n.between(from, to)
				if got[pair{from, to}] != (ports{sure, open}) {
					t.Fatalf("seed %d: %s → %s is %v, walked %v\n%s", seed, n.describe(from), n.describe(to), ports{sure, open}, got[pair{from, to}], dump(e))
				}
				if to < n.pods {
					if _, straight := n.straight(from, to); straight != open {
						entered++
					}
				}
			}
		}
	}
	if entered == 0 && last-first > 1 {
		t.Error("nothing gets through by an entrance: the estates prove nothing")
	}
}

// A Service of the largest cluster, and ports that no API server takes.
func TestHostileNodePorts(t *testing.T) {
	c := newCloud()
	c.pod("blog/page", nil)
	c.closes("shop")
	for _, number := range []int32{-1, 0, 65535, 65536, 1 << 30} {
		c.nodePort("shop/web", func(s *corev1.ServiceSpec) { s.Ports[0].NodePort, s.Ports[0].Port = number, number })
	}
	w := estate.Workloads.In(&c.Estate)[0]
	w.Template.Spec.Containers = []corev1.Container{{Ports: []corev1.ContainerPort{{ContainerPort: 70000, HostPort: 80}, {ContainerPort: 80, HostPort: -7}, {HostPort: 1}}}}
	n := c.network()
	var got []string
	for i := range n.entrances {
		for _, e := range n.entrances[i] {
			outer := n.ports.of(e.outer)
			got = append(got, fmt.Sprint(outer, " → ", e.inner.Port))
		}
	}
	if want := []string{"TCP 65535 → 65535"}; !slices.Equal(got, want) {
		t.Errorf("the entrances are %q, want %q", got, want)
	}
}

// Ten thousand external addresses and a thousand ports are not ten million ways.
func TestManyExternalAddresses(t *testing.T) {
	c := newCloud()
	c.pod("blog/page", nil)
	c.closes("shop")
	c.nodePort("shop/web", func(s *corev1.ServiceSpec) {
		s.Type, s.Ports = corev1.ServiceTypeClusterIP, nil
		for i := range int32(1000) {
			s.Ports = append(s.Ports, corev1.ServicePort{Port: 8080 + i})
		}
		for i := range 10_000 {
			s.ExternalIPs = append(s.ExternalIPs, fmt.Sprintf("203.%d.%d.1", i/256, i%256))
		}
	})
	n := c.network()
	if got := len(n.entrances[endpoint(t, n, "shop/web").points[0].lo]); got != 1000 {
		t.Errorf("there are %d entrances", got)
	}
	if a := n.Ask(endpoint(t, n, "blog/page"), endpoint(t, n, "shop/web"), TCP, 8081); a.Verdict != Unknown || together(a.Layers) != Unknown {
		t.Errorf("%s\n%s", a.Verdict, text(a))
	}
}
