package reach

import (
	"fmt"
	"os"
	"syscall"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/eksafe/eksafe/internal/config"
	"github.com/eksafe/eksafe/internal/estate"
	"github.com/eksafe/eksafe/internal/trace"
)

// A size is that of a cluster in the shape in which they grow: tenants with some
// workloads each, which deny by default, allow within the tenant, from the
// gateway, to DNS, to the tenant's database, and to another tenant's API.
type size struct{ namespaces, workloads, replicas int } // per namespace, per workload

func (s size) estate() *estate.Estate {
	e := &estate.Estate{}
	address := 0
	for i := range s.namespaces {
		ns := &estate.Resource[corev1.Namespace]{}
		ns.Object.Name = fmt.Sprintf("tenant-%05d", i)
		ns.Object.Labels = map[string]string{"kubernetes.io/metadata.name": ns.Object.Name, "team": fmt.Sprint(i % 50)}
		estate.Namespaces.Add(e, ns)
		for j := range s.workloads {
			w := &estate.Workload{Controller: "Deployment", ObjectMeta: metav1.ObjectMeta{Namespace: ns.Object.Name, Name: fmt.Sprint("app-", j)}}
			w.Template.Labels = map[string]string{"app": w.Name, "role": []string{"api", "worker", "web", "cache"}[j%4], "app.kubernetes.io/version": "1"}
			w.Template.Spec.Containers = []corev1.Container{{Name: "main", Ports: []corev1.ContainerPort{{Name: "http", ContainerPort: int32(8080 + j%3)}}}}
			for k := range s.replicas {
				address++
				w.Pods = append(w.Pods, estate.Pod{Name: fmt.Sprint(w.Name, "-", k), PodIP: fmt.Sprintf("10.%d.%d.%d", address>>16, address>>8&255, address&255)})
			}
			estate.Workloads.Add(e, w)
		}
		s.policies(e, i, ns.Object.Name)
	}
	return e
}

func (s size) policies(e *estate.Estate, i int, namespace string) {
	tcp, udp := corev1.ProtocolTCP, corev1.ProtocolUDP
	port := func(p corev1.Protocol, number intstr.IntOrString) networkingPort {
		return networkingPort{Protocol: &p, Port: &number}
	}
	add := func(name string, spec networkingv1.NetworkPolicySpec) {
		r := &estate.Resource[networkingPolicy]{}
		r.Object.Namespace, r.Object.Name, r.Object.Spec = namespace, name, spec
		estate.NetworkPolicies.Add(e, r)
	}
	tenant := func(i int) *metav1.LabelSelector {
		return &metav1.LabelSelector{MatchLabels: map[string]string{"kubernetes.io/metadata.name": fmt.Sprintf("tenant-%05d", i)}}
	}
	add("default-deny", networkingv1.NetworkPolicySpec{PolicyTypes: []networkingv1.PolicyType{"Ingress", "Egress"}})
	add("within", networkingv1.NetworkPolicySpec{
		PolicyTypes: []networkingv1.PolicyType{"Ingress", "Egress"},
		Ingress: []networkingv1.NetworkPolicyIngressRule{
			{From: []networkingPeer{{PodSelector: &metav1.LabelSelector{}}}},
			{From: []networkingPeer{{NamespaceSelector: tenant(0)}}, Ports: []networkingPort{port(tcp, intstr.FromString("http"))}},
		},
		Egress: []networkingv1.NetworkPolicyEgressRule{
			{To: []networkingPeer{{PodSelector: &metav1.LabelSelector{}}}},
			{To: []networkingPeer{{NamespaceSelector: tenant(1)}}, Ports: []networkingPort{port(udp, intstr.FromInt32(53)), port(tcp, intstr.FromInt32(53))}},
			{To: []networkingPeer{{IPBlock: &networkingv1.IPBlock{CIDR: fmt.Sprintf("10.%d.%d.0/28", 200+i>>8, i&255)}}}, Ports: []networkingPort{port(tcp, intstr.FromInt32(5432))}},
		},
	})
	add("api", networkingv1.NetworkPolicySpec{
		PodSelector: metav1.LabelSelector{MatchLabels: map[string]string{"role": "api"}},
		PolicyTypes: []networkingv1.PolicyType{"Ingress", "Egress"},
		Ingress: []networkingv1.NetworkPolicyIngressRule{
			{From: []networkingPeer{{NamespaceSelector: tenant((i + s.namespaces - 1) % s.namespaces)}}, Ports: []networkingPort{port(tcp, intstr.FromString("http"))}},
		},
		Egress: []networkingv1.NetworkPolicyEgressRule{
			{To: []networkingPeer{{NamespaceSelector: tenant((i + 1) % s.namespaces), PodSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"role": "api"}}}}, Ports: []networkingPort{port(tcp, intstr.FromString("http"))}},
			{To: []networkingPeer{{IPBlock: &networkingv1.IPBlock{CIDR: "0.0.0.0/0", Except: []string{"10.0.0.0/8", "169.254.0.0/16"}}}}, Ports: []networkingPort{port(tcp, intstr.FromInt32(443))}},
		},
	})
}

var sizes = []struct {
	name string
	size size
}{
	{"pods=10000", size{500, 4, 5}},
	{"distinct=10000", size{500, 20, 1}},
	{"pods=50000", size{2500, 4, 5}},
}

// user returns the CPU time of this process: the machine may be busy with
// something else.
func user() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano())
}

func byWorkload(e *Endpoint) string { return e.Name }

func BenchmarkNetwork(b *testing.B) {
	for _, s := range sizes {
		b.Run(s.name, func(b *testing.B) {
			e := s.size.estate()
			b.ReportAllocs()
			b.ResetTimer()
			start := user()
			cells := 0
			for b.Loop() {
				cells = len(New(trace.New(e)).Matrix(byWorkload).Cells)
			}
			b.ReportMetric(float64(user()-start)/float64(b.N)/1e6, "user-ms/op")
			b.ReportMetric(float64(cells), "cells")
		})
	}
}

// BenchmarkNodePorts is the cluster of 10,000 pods with a node port for each of
// its workloads, about as many as a cluster can have.
func BenchmarkNodePorts(b *testing.B) {
	for _, policy := range []corev1.ServiceExternalTrafficPolicy{corev1.ServiceExternalTrafficPolicyCluster, corev1.ServiceExternalTrafficPolicyLocal} {
		b.Run(string(policy), func(b *testing.B) {
			e := sizes[0].size.estate()
			for i, w := range estate.Workloads.In(e) {
				r := &estate.Resource[corev1.Service]{}
				r.Object.Namespace, r.Object.Name = w.Namespace, w.Name
				r.Object.Spec = corev1.ServiceSpec{
					Type: corev1.ServiceTypeNodePort, ExternalTrafficPolicy: policy, Selector: map[string]string{"app": w.Name},
					Ports: []corev1.ServicePort{{Port: 80, NodePort: int32(30000 + i), TargetPort: intstr.FromString("http")}},
				}
				estate.Services.Add(e, r)
			}
			start, cells := user(), 0
			for b.Loop() {
				cells = len(New(trace.New(e)).Matrix(byWorkload).Cells)
			}
			b.ReportMetric(float64(user()-start)/float64(b.N)/1e6, "user-ms/op")
			b.ReportMetric(float64(cells), "cells")
		})
	}
}

func BenchmarkAsk(b *testing.B) {
	n := New(trace.New(sizes[0].size.estate()))
	es := n.Endpoints()
	i := 0
	for b.Loop() {
		n.Ask(es[i%2000], es[(i*7+3)%2000], TCP, 8080)
		i++
	}
}

// TestScale holds what reach costs, loosely: five times the cluster costs about
// five times as much, not twenty-five.
func TestScale(t *testing.T) {
	if os.Getenv("EKSAFE_LONG") == "" {
		t.Skip("set EKSAFE_LONG=1 to measure")
	}
	cost := func(s size) time.Duration {
		e := s.estate()
		best := time.Duration(1 << 62)
		for range 3 {
			start := user()
			New(trace.New(e)).Matrix(byWorkload)
			best = min(best, user()-start)
		}
		return best
	}
	small, large := cost(sizes[0].size), cost(sizes[2].size)
	t.Logf("10,000 pods: %v, 50,000 pods: %v, ratio %.1f", small, large, float64(large)/float64(small))
	if large > 10*small {
		t.Errorf("50,000 pods cost %v, more than ten times the %v of 10,000", large, small)
	}
}

// BenchmarkOpen is a cluster in which nothing isolates: every pair gets through.
func BenchmarkOpen(b *testing.B) {
	e := size{500, 4, 5}.estate()
	open := &estate.Estate{}
	estate.Namespaces.Add(open, estate.Namespaces.In(e)...)
	estate.Workloads.Add(open, estate.Workloads.In(e)...)
	start := user()
	for b.Loop() {
		New(trace.New(open)).Matrix(func(e *Endpoint) string {
			if e.Workload != nil {
				return e.Namespace
			}
			return e.Name
		})
	}
	b.ReportMetric(float64(user()-start)/float64(b.N)/1e6, "user-ms/op")
}

// BenchmarkExposures asks from where everything is reached: where policies deny
// by default, where nothing isolates, and where only senders are limited, which
// is the most work, as everybody must be asked to know that nobody gets through.
func BenchmarkExposures(b *testing.B) {
	tenants := sizes[1].size.estate()
	for _, c := range []struct {
		name     string
		policies []networkingv1.PolicyType
	}{
		{"default-deny", []networkingv1.PolicyType{"Ingress", "Egress"}},
		{"open", nil},
		{"egress", []networkingv1.PolicyType{"Egress"}},
	} {
		b.Run(c.name, func(b *testing.B) {
			e := &estate.Estate{}
			cover(e)
			estate.Namespaces.Add(e, estate.Namespaces.In(tenants)...)
			estate.Workloads.Add(e, estate.Workloads.In(tenants)...)
			for _, r := range estate.NetworkPolicies.In(tenants) {
				if c.policies != nil {
					limited := *r
					limited.Object.Spec.PolicyTypes = c.policies
					estate.NetworkPolicies.Add(e, &limited)
				}
			}
			n := New(trace.New(e))
			start := user()
			for b.Loop() {
				n.Exposures(&config.Config{})
			}
			b.ReportMetric(float64(user()-start)/float64(b.N)/1e6, "user-ms/op")
		})
	}
}
