package reach

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/eksafe/eksafe/internal/config"
	"github.com/eksafe/eksafe/internal/estate"
	"github.com/eksafe/eksafe/internal/trace"
)

// told tells the pods of a workload of a peer, as a manifest does.
func told(variable, host string, port int32) func(*estate.Workload) {
	return func(w *estate.Workload) {
		if len(w.Template.Spec.Containers) == 0 {
			serves()(w)
		}
		w.Facts = append(w.Facts, estate.Fact{Field: "spec.template.spec.containers[0].env[0].value", Container: w.Name, Name: variable, Host: host, Port: port})
	}
}

func serves(ports ...int32) func(*estate.Workload) {
	return func(w *estate.Workload) {
		c := corev1.Container{Name: w.Name, Image: "registry.example/" + w.Name}
		for _, p := range ports {
			c.Ports = append(c.Ports, corev1.ContainerPort{Name: fmt.Sprint("p", p), ContainerPort: p})
		}
		w.Template.Spec.Containers = append(w.Template.Spec.Containers, c)
	}
}

func all(changes ...func(*estate.Workload)) func(*estate.Workload) {
	return func(w *estate.Workload) {
		for _, change := range changes {
			change(w)
		}
	}
}

func (c *cloud) service(name string, port, target int32) {
	r := &estate.Resource[corev1.Service]{}
	r.Object.Namespace, r.Object.Name, _ = strings.Cut(name, "/")
	r.Object.Spec.Selector = map[string]string{"app": r.Object.Name}
	r.Object.Spec.Ports = []corev1.ServicePort{{Port: port}}
	r.Object.Spec.Ports[0].TargetPort.IntVal = target
	estate.Services.Add(&c.Estate, r)
}

func (c *cloud) suggest() *Suggestion { return Suggest(trace.New(&c.Estate), &config.Config{}, nil) }

// has demands a need by its text.
func (s *Suggestion) has(t *testing.T, want string) {
	t.Helper()
	var got []string
	for i := range s.Needs {
		got = append(got, s.Needs[i].String())
	}
	if !slices.Contains(got, want) {
		t.Errorf("the needs lack %q, they are\n%s", want, strings.Join(got, "\n"))
	}
}

func (s *Suggestion) says(t *testing.T, want string) {
	t.Helper()
	if !slices.ContainsFunc(s.Open, func(text string) bool { return strings.Contains(text, want) }) {
		t.Errorf("open lacks %q, it is\n%s", want, strings.Join(s.Open, "\n"))
	}
}

// kept demands that everything needed gets through.
func (s *Suggestion) kept(t *testing.T) {
	t.Helper()
	for _, a := range s.Lost {
		l, _ := a.Decisive()
		t.Errorf("%s → %s %s %d is lost: %s", a.From, a.To, a.Protocol, a.Port, l.Why)
	}
}

func (s *Suggestion) group(t *testing.T, id string) *GroupSuggestion {
	t.Helper()
	for i := range s.Groups {
		if s.Groups[i].Group.GroupId == id {
			return &s.Groups[i]
		}
	}
	t.Fatalf("nothing is suggested of %s", id)
	return nil
}

func TestSuggestGroups(t *testing.T) {
	c := newCloud()
	c.pod("shop/orders", told("DB_HOST", "orders.c9akciq32abc.eu-west-1.rds.amazonaws.com", 5432))
	c.admit("sg-db", 5432, "0.0.0.0/0")
	s := c.suggest()
	s.kept(t)
	g := s.group(t, "sg-db")
	if want := []estate.SecurityGroupRule{tcpRule(5432, "sg-nodes")}; !slices.Equal(g.Rules, want) || !slices.Equal(g.Removed, []int{0}) {
		t.Errorf("rules %v, removed %v; want %v and the first removed", g.Rules, g.Removed, want)
	}
	if g.Reasons[0] != "shop/orders: DB_HOST of container orders" {
		t.Errorf("reason %q", g.Reasons[0])
	}
	if !slices.ContainsFunc(s.Closed, func(c Change) bool { return c.From == "shop/web" && c.To == "orders" }) {
		t.Errorf("shop/web still reaches the database: %v", s.Closed)
	}

	// Pods with a group of their own are named by it.
	c = newCloud()
	c.group("sg-orders").SecurityGroupEgress = c.group("sg-nodes").SecurityGroupEgress
	c.pod("shop/orders", told("DB_HOST", "orders.c9akciq32abc.eu-west-1.rds.amazonaws.com", 5432))
	c.own("shop/orders", "sg-orders")
	c.admit("sg-db", 5432, "sg-nodes")
	s = c.suggest()
	s.kept(t)
	if g = s.group(t, "sg-db"); !slices.Equal(g.Rules, []estate.SecurityGroupRule{tcpRule(5432, "sg-orders")}) || len(g.Removed) != 1 {
		t.Errorf("rules %v, removed %v", g.Rules, g.Removed)
	}

	// A group that nodes hold too keeps its rules.
	c = newCloud()
	c.pod("shop/orders", told("DB_HOST", "orders.c9akciq32abc.eu-west-1.rds.amazonaws.com", 5432))
	estate.DBInstances.In(&c.Estate)[0].VPCSecurityGroups = []string{"sg-nodes"}
	c.admit("sg-nodes", 5432, "sg-nodes")
	s = c.suggest()
	s.says(t, "security group sg-nodes of orders is that of nodes too")
	if len(s.Groups) > 0 {
		t.Errorf("rules of the group of nodes: %v", s.Groups[0])
	}

	// What the config declares as a network of clients stays; a load balancer
	// listens to whom it listened to, at its listeners' ports alone.
	c = newCloud()
	c.pod("shop/orders", told("DB_HOST", "orders.c9akciq32abc.eu-west-1.rds.amazonaws.com", 5432))
	c.admit("sg-db", 5432, "198.51.100.0/24")
	s = Suggest(trace.New(&c.Estate), &config.Config{Clients: []config.Clients{{CIDRs: []string{"198.51.100.0/24"}}}}, nil)
	if g = s.group(t, "sg-db"); len(g.Rules) != 2 || len(g.Removed) != 0 {
		t.Errorf("rules %v, removed %v: the BI team is out", g.Rules, g.Removed)
	}
}

func TestSuggestNeeds(t *testing.T) {
	c := newCloud()
	c.pod("shop/api", all(serves(8080), told("STATS_URL", "stats", 80)))
	c.pod("shop/stats", serves(9000))
	c.service("shop/stats", 80, 9000)
	c.pod("monitoring/prometheus", serves(9090))
	c.pod("shop/metered", all(serves(8080), func(w *estate.Workload) {
		w.Template.Annotations = map[string]string{"prometheus.io/scrape": "true", "prometheus.io/port": "9113"}
	}))
	c.pod("shop/uploader", func(w *estate.Workload) { w.Controller, w.Template.Spec.ServiceAccountName = "CronJob", "uploader" })
	estate.PodIdentityAssociations.Add(&c.Estate, &estate.PodIdentityAssociation{Namespace: "shop", ServiceAccount: "uploader", RoleArn: "arn:aws:iam::111122223333:role/uploader"})
	binding := &estate.Resource[rbacv1.RoleBinding]{}
	binding.Object.Namespace, binding.Object.Subjects = "shop", []rbacv1.Subject{{Kind: "ServiceAccount", Name: "uploader"}}
	estate.RoleBindings.Add(&c.Estate, binding)
	s := c.suggest()
	s.kept(t)
	s.has(t, "shop/api → shop/stats TCP 9000") // the port of the pods, not that of the Service
	s.has(t, "monitoring/prometheus → shop/metered TCP 9113")
	s.has(t, "shop/uploader → Pod Identity agent TCP 80")
	s.says(t, "shop/uploader has an IAM role, and no VPC endpoint of the AWS APIs that it calls is known")
	s.says(t, "shop/uploader has rights in the API of Kubernetes")

	// With an endpoint it is needed, and its group lets the nodes in.
	estate.VPCEndpoints.Add(&c.Estate, &estate.VPCEndpoint{
		AWS: estate.AWS{Arn: "vpce-1"}, Id: "vpce-1", ServiceName: "com.amazonaws.eu-west-1.sts", VpcId: "vpc-1", SubnetIds: []string{"subnet-db"}, SecurityGroupIds: []string{"sg-vpce"},
	})
	c.group("sg-vpce")
	s = c.suggest()
	s.kept(t)
	if g := s.group(t, "sg-vpce"); !slices.Equal(g.Rules, []estate.SecurityGroupRule{tcpRule(443, "sg-nodes")}) {
		t.Errorf("rules of the endpoint: %v", g.Rules)
	}
	if slices.ContainsFunc(s.Open, func(text string) bool { return strings.Contains(text, "IAM role") }) {
		t.Errorf("the endpoint is there, and open is %q", s.Open)
	}
}

func TestSuggestMesh(t *testing.T) {
	c := newCloud()
	for name, label := range map[string]map[string]string{"side": {"istio-injection": "enabled"}, "flat": {"istio.io/dataplane-mode": "ambient"}} {
		ns := &estate.Resource[corev1.Namespace]{}
		ns.Object.Name, ns.Object.Labels = name, label
		estate.Namespaces.Add(&c.Estate, ns)
	}
	c.pod("side/web", nil)
	c.pod("flat/api", all(serves(8080), told("STATS_URL", "stats", 9000)))
	c.pod("flat/stats", serves(9000))
	c.service("flat/stats", 9000, 9000)
	s := c.suggest()
	s.says(t, "the sidecar of side/web needs istiod (TCP 15012)")
	s.has(t, "flat/api → flat/stats TCP 15008")
	s.has(t, "169.254.7.127 → flat/stats TCP 9000")
	s.kept(t)
	c.pod("istio-system/istiod", serves(15012))
	s = c.suggest()
	s.has(t, "side/web → istio-system/istiod TCP 15012")
	s.kept(t)
}

// TestSuggestSelectors: a policy is about one workload, however they share
// labels.
func TestSuggestSelectors(t *testing.T) {
	c := newCloud()
	label := func(l map[string]string) func(*estate.Workload) {
		return func(w *estate.Workload) {
			w.Template.Labels = l
			w.Selector = &metav1.LabelSelector{MatchLabels: map[string]string{"app": "shop"}}
		}
	}
	db := told("DB_HOST", "orders.c9akciq32abc.eu-west-1.rds.amazonaws.com", 5432)
	c.admit("sg-db", 5432, "sg-nodes")
	c.pod("shop/stable", all(label(map[string]string{"app": "shop"}), db))
	c.pod("shop/canary", label(map[string]string{"app": "shop", "track": "canary"}))
	c.pod("shop/bare", all(db, func(w *estate.Workload) { w.Template.Labels = map[string]string{"controller-uid": "1"} }))
	s := c.suggest()
	var stable *PolicySuggestion
	for i := range s.Policies {
		if s.Policies[i].Name == "stable" {
			stable = &s.Policies[i]
		}
	}
	want := metav1.LabelSelector{
		MatchLabels:      map[string]string{"app": "shop"},
		MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "track", Operator: metav1.LabelSelectorOpDoesNotExist}},
	}
	if stable == nil || stable.Spec.PodSelector.String() != want.String() {
		t.Fatalf("the policy of stable: %v", stable)
	}
	if !slices.ContainsFunc(s.Closed, func(c Change) bool { return c.From == "shop/canary" && c.To == "orders" }) {
		t.Error("shop/canary reaches the database of shop/stable")
	}
	s.says(t, "the pods of shop/bare have no labels of their own")
	if len(s.Lost) != 1 || s.Lost[0].From.Name != "shop/bare" {
		t.Errorf("lost %v, want what shop/bare needs", s.Lost)
	}
	c.pod("shop/twin", label(map[string]string{"app": "shop"}))
	c.suggest().says(t, "no label tells the pods of shop/stable from those of shop/twin")
}

func TestSuggestToday(t *testing.T) {
	c := newCloud()
	c.pod("shop/api", serves(8080))
	r := &estate.Resource[networkingPolicy]{}
	r.Object.Namespace, r.Object.Name = "shop", "by-hand"
	r.Object.Spec.PodSelector.MatchLabels = map[string]string{"app": "api"}
	number := intstr.FromInt32(8080)
	port := networkingPort{Port: &number}
	for _, app := range []string{"web", "gone"} {
		r.Object.Spec.Ingress = append(r.Object.Spec.Ingress, networkingv1.NetworkPolicyIngressRule{
			From: []networkingPeer{{PodSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": app}}}}, Ports: []networkingPort{port},
		})
	}
	estate.NetworkPolicies.Add(&c.Estate, r)
	s := c.suggest()
	s.has(t, "shop/web → shop/api TCP 8080")
	s.says(t, "NetworkPolicy shop/by-hand lets in pods that the estate does not show (app=gone)")
	if len(s.Replaced) != 1 {
		t.Errorf("replaced %v", s.Replaced)
	}
	s.kept(t)
}

func TestObserve(t *testing.T) {
	c := newCloud()
	c.pod("shop/orders", told("DB_HOST", "orders.c9akciq32abc.eu-west-1.rds.amazonaws.com", 5432), "10.0.1.5")
	c.pod("shop/stray", func(w *estate.Workload) {
		w.Pods = []estate.Pod{{Name: "stray", PodIP: "10.0.1.6", HostIP: "10.0.1.200"}}
	})
	c.admit("sg-db", 5432, "sg-nodes")
	see := func(source string, sourcePort uint16, destination string, port uint16, count int) Observation {
		return Observation{netip.MustParseAddr(source), netip.MustParseAddr(destination), sourcePort, port, 6, count}
	}
	g := trace.New(&c.Estate)
	needs, passed := Of(g).Observe([]Observation{
		see("10.0.1.5", 40000, "10.0.9.3", 5432, 7),
		see("10.0.9.3", 5432, "10.0.1.6", 50000, 3),   // a reply
		see("10.0.1.200", 45000, "10.0.1.6", 8080, 9), // its node
		see("10.0.1.6", 45001, "203.0.113.7", 443, 1),
		see("10.0.1.77", 45001, "203.0.113.7", 443, 1), // nobody of the estate
		see("10.0.1.6", 50000, "10.0.1.5", 50001, 1),
	}, 2)
	var got []string
	for i := range needs {
		got = append(got, fmt.Sprint(needs[i].String(), " ", needs[i].Observed))
	}
	if want := []string{"shop/orders → orders TCP 5432 7", "shop/stray → orders TCP 5432 3"}; !slices.Equal(got, want) {
		t.Errorf("needs %q, want %q", got, want)
	}
	if len(passed) != 4 {
		t.Errorf("passed over: %q", passed)
	}
	s := Suggest(g, &config.Config{}, needs)
	s.kept(t)
	if len(s.Undeclared) != 1 || s.Undeclared[0].From.Name != "shop/stray" {
		t.Errorf("undeclared %v, want shop/stray alone", s.Undeclared)
	}
}

// TestSuggestEntry: from where what a load balancer forwards comes to the pods.
func TestSuggestEntry(t *testing.T) {
	const attributes = "service.beta.kubernetes.io/aws-load-balancer-target-group-attributes"
	for name, test := range map[string]struct {
		target, attributes string
		policy             corev1.ServiceExternalTrafficPolicy
		want, without      string
	}{
		"pods":                            {"ip", "", "", "10.0.0.0/16", "0.0.0.0/0"},
		"pods, kept by an attribute":      {"ip", "preserve_client_ip.enabled=true", "", "0.0.0.0/0", ""},
		"nodes that pass on":              {"instance", "", corev1.ServiceExternalTrafficPolicyCluster, "10.0.0.0/16", "0.0.0.0/0"},
		"nodes that keep what they get":   {"instance", "", corev1.ServiceExternalTrafficPolicyLocal, "0.0.0.0/0", ""},
		"nodes, by an attribute not kept": {"instance", "preserve_client_ip.enabled=false", corev1.ServiceExternalTrafficPolicyLocal, "10.0.0.0/16", "0.0.0.0/0"},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCloud()
			c.pod("shop/front", serves(8443))
			c.service("shop/front", 443, 8443)
			s := estate.Services.In(&c.Estate)[0]
			s.Object.Spec.Type, s.Object.Spec.ExternalTrafficPolicy = corev1.ServiceTypeLoadBalancer, test.policy
			s.Object.Annotations = map[string]string{
				"service.beta.kubernetes.io/aws-load-balancer-type":            "external",
				"service.beta.kubernetes.io/aws-load-balancer-scheme":          "internet-facing",
				"service.beta.kubernetes.io/aws-load-balancer-nlb-target-type": test.target,
			}
			if test.attributes != "" {
				s.Object.Annotations[attributes] = test.attributes
			}
			var cidrs []string
			for _, p := range c.suggest().Policies {
				for _, r := range p.Spec.Ingress {
					for _, from := range r.From {
						cidrs = append(cidrs, from.IPBlock.CIDR)
						if r.Ports[0].Port.IntVal != 8443 {
							t.Errorf("port %s, want that of the pods", r.Ports[0].Port)
						}
					}
				}
			}
			if !slices.Contains(cidrs, test.want) || slices.Contains(cidrs, test.without) {
				t.Errorf("let in from %q, want %s and not %q", cidrs, test.want, test.without)
			}
		})
	}
}

// TestSuggestSizes: of tenants with policies of their own nothing is lost or
// opened, and a suggestion for the result is the same.
func TestSuggestSizes(t *testing.T) {
	e := size{20, 5, 2}.estate()
	s := Suggest(trace.New(e), &config.Config{}, nil)
	s.kept(t)
	if len(s.Opened) > 0 {
		t.Errorf("opened: %v", s.Opened[0])
	}
	var policies []*estate.Resource[networkingPolicy]
	for _, p := range s.Policies {
		policies = append(policies, &estate.Resource[networkingPolicy]{Object: *p.NetworkPolicy})
	}
	again := Suggest(trace.New(estate.NetworkPolicies.Replaced(e, policies)), &config.Config{}, nil)
	if len(again.Needs) != len(s.Needs) || len(again.Policies) != len(s.Policies) {
		t.Errorf("%d needs and %d policies, then %d and %d", len(s.Needs), len(s.Policies), len(again.Needs), len(again.Policies))
	}
	for i := range again.Policies {
		if again.Policies[i].Spec.String() != s.Policies[i].Spec.String() {
			t.Errorf("%s/%s differs", s.Policies[i].Namespace, s.Policies[i].Name)
		}
	}
}

func BenchmarkSuggest(b *testing.B) {
	e := size{200, 5, 2}.estate()
	for b.Loop() {
		Suggest(trace.New(e), &config.Config{}, nil)
	}
}

// What no policy closes is said.
func TestSuggestNamesNodePorts(t *testing.T) {
	c := newCloud()
	c.nodePort("shop/web", nil)
	c.suggest().says(t, "Service shop/web opens TCP 30080 of every node, and that leads past the policies of shop/web")
	c = newCloud()
	c.nodePort("shop/web", local)
	if s := c.suggest(); slices.ContainsFunc(s.Open, func(text string) bool { return strings.Contains(text, "30080") }) {
		t.Errorf("policies see who comes: %q", s.Open)
	}
}
