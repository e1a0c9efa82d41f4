package reach

import (
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/eksafe/eksafe/internal/config"
	"github.com/eksafe/eksafe/internal/estate"
	"github.com/eksafe/eksafe/internal/platform"
	"github.com/eksafe/eksafe/internal/trace"
)

// A street is an estate in the making: namespaces shop, shop-jobs, blog and
// kube-system, whose policies the VPC CNI enforces.
type street struct{ estate.Estate }

func newStreet() *street {
	s := &street{}
	cover(&s.Estate)
	for name, team := range map[string]string{"shop": "shop", "shop-jobs": "shop", "blog": "", "kube-system": ""} {
		r := &estate.Resource[corev1.Namespace]{}
		r.Object.Name, r.Object.Labels = name, map[string]string{"team": team}
		estate.Namespaces.Add(&s.Estate, r)
	}
	s.enforce()
	return s
}

// cover says that every kind was read.
func cover(e *estate.Estate) {
	var read []estate.Coverage
	for _, k := range estate.Kinds() {
		read = append(read, estate.Coverage{Kind: k.Kind, State: estate.Read})
	}
	e.Sources = []estate.Source{{Kind: estate.KubernetesSource, Name: "test", Coverage: read}}
}

// nodeAgent returns what enforces network policies on every node of a cluster.
func nodeAgent() *estate.Workload {
	w := &estate.Workload{Controller: "DaemonSet", ObjectMeta: metav1.ObjectMeta{Namespace: "kube-system", Name: "aws-node"}}
	w.Template.Spec.HostNetwork = true
	w.Facts = []estate.Fact{{Container: "aws-eks-nodeagent", NetworkPolicy: "true"}}
	return w
}

func (s *street) enforce() {
	estate.Addons.Add(&s.Estate, &estate.Addon{AWS: estate.AWS{Arn: "vpc-cni"}, AddonName: "vpc-cni", EnableNetworkPolicy: estate.Known(true)})
}

// pods adds the pods of a Deployment that listen at ports.
func (s *street) pods(name string, ports ...int32) *estate.Workload {
	namespace, app, _ := strings.Cut(name, "/")
	w := &estate.Workload{Controller: "Deployment", ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: app}}
	w.Template.Labels = map[string]string{"app": app}
	for _, p := range ports {
		w.Template.Spec.Containers = append(w.Template.Spec.Containers, corev1.Container{Ports: []corev1.ContainerPort{{ContainerPort: p}}})
	}
	estate.Workloads.Add(&s.Estate, w)
	return w
}

// closes adds a policy of a direction that allows what the peers name, at a
// port: a namespace or "*" for everybody.
func (s *street) closes(namespace, app string, d Direction, port int, peers ...string) {
	r := &estate.Resource[networkingPolicy]{}
	r.Object.Namespace, r.Object.Name = namespace, "close-"+app+d.String()
	if app != "" {
		r.Object.Spec.PodSelector.MatchLabels = map[string]string{"app": app}
	}
	at := intstr.FromInt32(int32(port))
	for _, name := range peers {
		var peer []networkingPeer
		if name != "*" {
			peer = []networkingPeer{{NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{corev1.LabelMetadataName: name}}}}
		}
		if d == Ingress {
			r.Object.Spec.Ingress = append(r.Object.Spec.Ingress, networkingv1.NetworkPolicyIngressRule{From: peer, Ports: []networkingPort{{Port: &at}}})
		} else {
			r.Object.Spec.Egress = append(r.Object.Spec.Egress, networkingv1.NetworkPolicyEgressRule{To: peer, Ports: []networkingPort{{Port: &at}}})
		}
	}
	r.Object.Spec.PolicyTypes = []networkingv1.PolicyType{[]networkingv1.PolicyType{"Ingress", "Egress"}[d]}
	estate.NetworkPolicies.Add(&s.Estate, r)
}

func (s *street) live() {
	estate.Workloads.Add(&s.Estate, nodeAgent())
	for _, w := range estate.Workloads.In(&s.Estate) {
		w.Origin.Cluster = "prod"
	}
}

// What is said of shop/web, which listens at 8080.
func TestExposure(t *testing.T) {
	for name, c := range map[string]struct {
		change   func(*street)
		declared config.Config
		want     Reached
		words    string
	}{
		"no policy": {want: FromOtherTenants, words: "reachable from other tenants: blog/web at TCP 8080"},
		"ports that are not declared": {
			change: func(s *street) { estate.Workloads.In(&s.Estate)[0].Template.Spec.Containers = nil },
			want:   FromOtherTenants, words: "reachable from other tenants: blog/web at every port",
		},
		"a policy that allows nothing": {
			change: func(s *street) { s.closes("shop", "web", Ingress, 8080) },
			want:   FromNowhere, words: "reachable from nowhere: NetworkPolicy shop/close-webingress isolates it",
		},
		"two of them": {
			change: func(s *street) { s.closes("shop", "web", Ingress, 8080); s.closes("shop", "", Ingress, 8080) },
			want:   FromNowhere, words: "reachable from nowhere: network policies isolate it",
		},
		"a port at which it may listen without saying so": {
			change: func(s *street) { s.closes("shop", "web", Ingress, 9999, "blog") }, want: Undecided,
		},
		"only its own namespace": {
			change: func(s *street) { s.closes("shop", "web", Ingress, 8080, "shop"); s.live() },
			want:   FromOwnNamespace, words: "reachable from its own namespace only",
		},
		"files do not show whom a rule lets in": {
			change: func(s *street) { s.closes("shop", "web", Ingress, 8080, "elsewhere") }, want: Undecided,
		},
		"a live cluster does": {
			change: func(s *street) { s.closes("shop", "web", Ingress, 8080, "elsewhere"); s.live() }, want: FromNowhere,
			words: "reachable from nowhere: NetworkPolicy shop/close-webingress isolates it",
		},
		"another namespace of the team is no other tenant": {
			change: func(s *street) { s.closes("shop", "web", Ingress, 8080, "shop-jobs") }, want: Undecided,
		},
		"an owner is declared": {
			change:   func(s *street) { s.closes("shop", "web", Ingress, 8080, "shop-jobs") },
			declared: config.Config{Owners: []config.Owner{{Namespaces: []string{"shop"}, Team: "sellers"}}},
			want:     FromOtherTenants, words: "reachable from other tenants: shop-jobs/job at TCP 8080",
		},
		"the platform is no other tenant": {
			change: func(s *street) { s.closes("shop", "web", Ingress, 8080, "kube-system") }, want: Undecided,
		},
		"a declared platform is none either": {
			change:   func(s *street) { s.closes("shop", "web", Ingress, 8080, "blog") },
			declared: config.Config{Platform: config.Platform{Namespaces: []string{"bl*"}}}, want: Undecided,
		},
		"a node always reaches its pods": {
			change: func(s *street) {
				s.closes("shop", "web", Ingress, 8080)
				s.pods("kube-system/agent").Template.Spec.HostNetwork = true
			},
			want: FromNowhere, words: "reachable from nowhere: NetworkPolicy shop/close-webingress isolates it",
		},
		"and so does a tenant that stands in its network": {
			change: func(s *street) {
				s.closes("shop", "web", Ingress, 8080)
				s.pods("blog/agent").Template.Spec.HostNetwork = true
			},
			want: FromOtherTenants, words: "reachable from other tenants: blog/agent at TCP 8080",
		},
		"others may not send": {
			change: func(s *street) { s.closes("blog", "", Egress, 53, "*") }, want: Undecided,
		},
		"nobody knows whether policies hold": {
			change: func(s *street) {
				s.closes("shop", "web", Ingress, 8080)
				estate.Addons.In(&s.Estate)[0].EnableNetworkPolicy = estate.Optional[bool]{}
			},
			want: Undecided,
		},
		"policies could not be read": {
			change: func(s *street) {
				for i, c := range s.Sources[0].Coverage {
					if c.Kind == estate.NetworkPolicies.Kind {
						s.Sources[0].Coverage[i].State = estate.Denied
					}
				}
			},
			want: Undecided,
		},
		"a policy that nothing enforces takes nothing away": {
			change: func(s *street) {
				r := &estate.Resource[estate.AdminNetworkPolicy]{}
				r.Object.Name = "deny"
				everywhere := metav1.LabelSelector{}
				r.Object.Spec.Subject.Namespaces = &everywhere
				r.Object.Spec.Ingress = []estate.AdminPolicyRule{{Action: "Deny", From: []estate.ClusterPolicyPeer{{Namespaces: &everywhere}}}}
				estate.AdminNetworkPolicies.Add(&s.Estate, r)
				s.closes("shop", "web", Ingress, 8080)
			},
			want: FromNowhere, words: "reachable from nowhere: NetworkPolicy shop/close-webingress isolates it",
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStreet()
			web := s.pods("shop/web", 8080)
			s.pods("shop/api", 9090)
			s.pods("shop-jobs/job")
			s.pods("blog/web", 8080)
			s.pods("kube-system/dns", 53)
			if c.change != nil {
				c.change(s)
			}
			n := New(trace.New(&s.Estate))
			got := n.Exposures(&c.declared).Of(estate.Workloads.Ref(web))
			if words := strings.Join(got.Words(), "; "); got.Reached != c.want || words != c.words {
				t.Errorf("from %s: %q, want %s: %q", got.Reached, words, c.want, c.words)
			}
		})
	}
}

// A node in a public subnet, at whose port 8443 its group lets everybody in.
func TestExposureInAWS(t *testing.T) {
	s := newStreet()
	e := &s.Estate
	estate.SecurityGroups.Add(e, &estate.SecurityGroup{
		AWS: estate.AWS{Arn: "sg-nodes"}, GroupId: "sg-nodes", GroupName: "sg-nodes", VpcId: "vpc-1",
		SecurityGroupIngress: estate.Known([]estate.SecurityGroupRule{{IpProtocol: "tcp", FromPort: 8443, ToPort: 8443, CidrIp: "0.0.0.0/0"}}),
		SecurityGroupEgress:  estate.Known([]estate.SecurityGroupRule{{IpProtocol: "-1", FromPort: -1, ToPort: -1, CidrIp: "0.0.0.0/0"}}),
	})
	estate.VPCs.Add(e, &estate.VPC{AWS: estate.AWS{Arn: "vpc-1"}, VpcId: "vpc-1", CidrBlock: "10.0.0.0/16"})
	estate.Subnets.Add(e, &estate.Subnet{AWS: estate.AWS{Arn: "subnet-1"}, SubnetId: "subnet-1", VpcId: "vpc-1", CidrBlock: "10.0.1.0/24"})
	estate.RouteTables.Add(e, &estate.RouteTable{
		AWS: estate.AWS{Arn: "rtb-1"}, RouteTableId: "rtb-1", VpcId: "vpc-1", SubnetIds: []string{"subnet-1"}, Routes: []estate.Route{
			{DestinationCidrBlock: "10.0.0.0/16", GatewayId: "local"}, {DestinationCidrBlock: "0.0.0.0/0", GatewayId: "igw-1", Internet: true},
		},
	})
	estate.Instances.Add(e, &estate.Instance{AWS: estate.AWS{Arn: "i-1"}, InstanceId: "i-1", SubnetId: "subnet-1", SecurityGroupIds: []string{"sg-nodes"}})
	estate.NetworkInterfaces.Add(e, &estate.NetworkInterface{AWS: estate.AWS{Arn: "eni-1"}, InstanceId: "i-1", PublicIps: []string{"198.51.100.7"}})
	edge := s.pods("blog/edge", 8443)
	edge.Template.Spec.HostNetwork = true
	s.pods("shop/web", 8080)
	for seen, want := range map[bool]string{
		true:  "reachable from the internet at TCP 8443",
		false: "reachable from other tenants: shop/web at TCP 8443", // nobody knows what AWS lets in
	} {
		n := New(trace.New(e))
		n.vpc.seen = seen
		if got := strings.Join(n.Exposures(&config.Config{}).Of(estate.Workloads.Ref(edge)).Words(), "; "); got != want {
			t.Errorf("where AWS was read (%v): %q, want %q", seen, got, want)
		}
	}
}

// A database belongs to the namespaces of those that use it.
func TestTenantsOfDatabase(t *testing.T) {
	s := newStreet()
	db := &estate.DBInstance{AWS: estate.AWS{Arn: "db:orders"}, DBInstanceIdentifier: "orders", Engine: estate.Known("postgres")}
	estate.DBInstances.Add(&s.Estate, db)
	web := s.pods("shop/web", 8080)
	ref := estate.DBInstances.Ref(db)
	for used, want := range map[bool]map[string]distance{
		true:  {"shop": ownNamespace, "shop-jobs": noStranger, "kube-system": noStranger, "blog": otherTenant},
		false: {"shop": noStranger, "shop-jobs": noStranger, "kube-system": noStranger, "blog": noStranger},
	} {
		g := trace.New(&s.Estate)
		if used {
			g.Hops = append(g.Hops, &trace.Hop{Leg: trace.DatabaseLeg, Client: web, From: estate.Workloads.Ref(web), To: ref})
		}
		n := New(g)
		x := newExposer(n, &config.Config{})
		for name, want := range want {
			if got := x.distance(n.Endpoint(ref), &sender{kind: WorkloadEndpoint, namespace: n.byName[name]}); got != want {
				t.Errorf("used %v: pods of %s are at distance %d, want %d", used, name, got, want)
			}
		}
		if got := x.distance(n.Endpoint(ref), &sender{kind: InternetEndpoint}); got != wholeWorld {
			t.Errorf("the internet is at distance %d", got)
		}
	}
}

func TestWordsOfExposure(t *testing.T) {
	ports := PortsOf(TCP, 1, 1)
	for p := 3; p < 20; p += 2 {
		ports[TCP] = append(ports[TCP], PortRange{uint16(p), uint16(p)})
	}
	for want, x := range map[string]Exposure{
		"": {},
		"reachable from the internet via ALB orders, NLB x":                   {Reached: FromInternet, Entry: trace.Internet, Balancers: []string{"ALB orders", "NLB x"}},
		"reachable from the internet at TCP 8443":                             {Reached: FromInternet, Witness: &Endpoint{Name: "internet"}, At: PortsOf(TCP, 8443, 8443)},
		"reachable from the internet at TCP 1, 3, 5, 7 …":                     {Reached: FromInternet, Witness: &Endpoint{Name: "internet"}, At: ports},
		"reachable inside the network only, via NLB x":                        {Entry: trace.Internal, Balancers: []string{"NLB x"}},
		"reachable from the internet at UDP 53":                               {Reached: FromInternet, Entry: trace.Internal, Balancers: []string{"NLB x"}, Witness: &Endpoint{}, At: PortsOf(UDP, 53, 53)},
		"reachable from nowhere: the mesh and the network of AWS isolate it":  {Reached: FromNowhere, Isolated: []string{"the mesh", "the network of AWS"}},
		"reachable from nowhere: egress policies isolate it":                  {Reached: FromNowhere, Isolated: []string{"egress policies"}},
		"reachable from other tenants: blog/web at TCP 80-90; UDP 53":         {Reached: FromOtherTenants, Witness: &Endpoint{Name: "blog/web"}, At: Ports{TCP: {{80, 90}}, UDP: {{53, 53}}}},
		"reachable from nowhere: NetworkPolicy shop/default-deny isolates it": {Reached: FromNowhere, Isolated: []string{"NetworkPolicy shop/default-deny"}},
		"reachable from the internet via ALB a; reachable from the internet at every port": {
			Reached: FromInternet, Entry: trace.Internet, Balancers: []string{"ALB a"}, Witness: &Endpoint{}, At: transport,
		},
	} {
		if got := strings.Join(x.Words(), "; "); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// Asking one for many must give what asking everybody gives.
func TestExposureOfRandomEstates(t *testing.T) {
	first, last := seeds(t)
	seen := map[Reached]int{}
	for seed := first; seed < last; seed++ {
		g := newGenerator(seed)
		e := g.estate()
		cover(e)
		if g.one(2) {
			e = within(e)
		}
		estate.Workloads.Add(e, nodeAgent())
		for _, w := range estate.Workloads.In(e) {
			w.Origin.Cluster = "prod"
		}
		n := New(trace.New(e))
		n.vpc.seen = seed%2 == 0
		declared := &config.Config{Platform: config.Platform{Namespaces: []string{namespaceNames[0]}}}
		x := n.Exposures(declared)
		for _, to := range n.Endpoints() {
			if to.Workload == nil {
				continue
			}
			got := x.Of(to.Ref)
			seen[got.Reached]++
			if want := asked(n, declared, to); !slices.Contains(want, got.Reached) {
				t.Errorf("seed %d: %s is reached from %s, want one of %v\n%s", seed, to, got.Reached, want, dump(e))
			}
			if got.Witness != nil && (got.At.Empty() || !reaches(n, got.Witness, to, got.At)) {
				t.Errorf("seed %d: %s does not reach %s at %s\n%s", seed, got.Witness, to, got.At, dump(e))
			}
		}
		if t.Failed() {
			return
		}
	}
	// That the internet reaches a pod takes routes and addresses, which these
	// estates have none of.
	for r := Undecided; r < FromInternet && last-first > 1; r++ {
		if seen[r] == 0 {
			t.Errorf("no endpoint was reached from %s: the estates prove nothing of it (%v)", r, seen)
		}
	}
}

// within keeps of an estate the NetworkPolicies, has them enforced, and adds one
// that keeps a namespace to itself.
func within(e *estate.Estate) *estate.Estate {
	s := &street{}
	cover(&s.Estate)
	s.enforce()
	estate.Namespaces.Add(&s.Estate, estate.Namespaces.In(e)...)
	estate.Workloads.Add(&s.Estate, estate.Workloads.In(e)...)
	estate.NetworkPolicies.Add(&s.Estate, estate.NetworkPolicies.In(e)...)
	s.closes(namespaceNames[1], "", Ingress, 80, namespaceNames[1])
	return &s.Estate
}

// asked finds by asking every point what may be said of an endpoint.
func asked(n *Network, declared *config.Config, to *Endpoint) []Reached {
	claim := to.Serves
	if claim.Empty() {
		claim = transport
	}
	team := func(name string) string {
		if team := declared.Team(name, n.byName[name].labels); team != "" {
			return "team " + team
		}
		return name
	}
	ours := func(name string) bool {
		return platform.Namespace(name) || config.CompileAll(declared.Platform.Namespaces).Match(name)
	}
	var internet, tenants, inside, outside bool
	for _, from := range n.Endpoints() {
		if !from.initiates() || from == to || from.Name == OtherAddresses || from.Workload != nil && from.Workload.Template.Spec.HostNetwork && ours(from.Namespace) && from.Namespace != to.Namespace {
			continue
		}
		for i := range from.points.points() {
			for j := range to.points.points() {
				sure, open := n.between(i, j)
				some := func(id portsID, among Ports) bool {
					ports := n.ports.of(id)
					hit := ports.Intersect(&among)
					return !hit.Empty()
				}
				mine := from.Workload != nil && from.Namespace == to.Namespace
				inside = inside || mine && some(open, transport)
				outside = outside || !mine && some(open, transport)
				internet = internet || from.Kind == InternetEndpoint && n.vpc.seen && some(sure, claim)
				tenants = tenants || from.Workload != nil && !mine && !ours(from.Namespace) && team(from.Namespace) != team(to.Namespace) && some(sure, claim)
			}
		}
	}
	entry, _ := n.graph.Exposure(to.Ref)
	switch {
	case internet || entry == trace.Internet:
		return []Reached{FromInternet}
	case tenants:
		return []Reached{FromOtherTenants}
	case outside || entry != trace.NoEntry:
		return []Reached{Undecided}
	case inside:
		return []Reached{Undecided, FromOwnNamespace}
	}
	return []Reached{Undecided, FromNowhere}
}

func reaches(n *Network, from, to *Endpoint, at Ports) bool {
	for i := range from.points.points() {
		for j := range to.points.points() {
			sure, _ := n.between(i, j)
			ports := n.ports.of(sure)
			if all := at.Minus(&ports); all.Empty() {
				return true
			}
		}
	}
	return false
}

// A sender is silent to a namespace if its policies let out nothing to any pod
// there.
func TestSilent(t *testing.T) {
	first, last := seeds(t)
	found := map[bool]int{}
	for seed := first; seed < last; seed++ {
		n := New(trace.New(newGenerator(seed).estate()))
		x := newExposer(n, &config.Config{})
		for i, s := range x.senders {
			for at, ns := range n.namespaces {
				if ns.span.lo == ns.span.hi {
					continue // nobody there is asked about
				}
				want := s.egress != nil
				for pod := ns.span.lo; want && pod < ns.span.hi; pod++ {
					_, open := s.egress.at(pod)
					want = open == noPorts
				}
				if got := x.silent(i, at); got != want {
					t.Fatalf("seed %d: sender %d is silent to %s: %v, want %v", seed, i, ns.name, got, want)
				}
				found[want]++
			}
		}
	}
	if last-first > 1 && (found[true] == 0 || found[false] == 0) {
		t.Errorf("silent %v: the test shows nothing", found)
	}
}
