package reach

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"

	"github.com/eksafe/eksafe/internal/estate"
	"github.com/eksafe/eksafe/internal/trace"
)

// A denial must not hide that a node leads to the pod as well.
func TestDenialNamesNodePorts(t *testing.T) {
	no := false
	for name, c := range map[string]struct {
		typ      corev1.ServiceType
		allocate *bool
		hostPort int32
		want     string
	}{
		"cluster":              {typ: corev1.ServiceTypeClusterIP},
		"node port":            {typ: corev1.ServiceTypeNodePort, want: "Service a/db opens ports of the nodes"},
		"load balancer":        {typ: corev1.ServiceTypeLoadBalancer, want: "Service a/db opens ports of the nodes"},
		"load balancer to IPs": {typ: corev1.ServiceTypeLoadBalancer, allocate: &no},
		"host port":            {typ: corev1.ServiceTypeClusterIP, hostPort: 8080, want: "port 8080 of its node"},
	} {
		e := &estate.Estate{}
		db := podIn("a", "db", map[string]string{"app": "db"}, "10.0.0.2")
		db.Template.Spec.Containers = []corev1.Container{{Name: "db", Ports: []corev1.ContainerPort{{ContainerPort: 80, HostPort: c.hostPort}}}}
		estate.Workloads.Add(e, podIn("a", "web", nil, "10.0.0.1"), db)
		service := &estate.Resource[corev1.Service]{}
		service.Object.Namespace, service.Object.Name = "a", "db"
		service.Object.Spec = corev1.ServiceSpec{
			Type: c.typ, AllocateLoadBalancerNodePorts: c.allocate, Selector: map[string]string{"app": "db"}, Ports: []corev1.ServicePort{{Port: 80}},
		}
		estate.Services.Add(e, service)
		estate.NetworkPolicies.Add(e, policyIn("a", "deny", networkingv1.NetworkPolicySpec{}))
		n := New(trace.New(e))
		from, err := n.Find("a/web")
		if err != nil {
			t.Fatal(err)
		}
		to, err := n.Find("a/db")
		if err != nil {
			t.Fatal(err)
		}
		a := n.Ask(from[0], to[0], TCP, 80)
		notes := strings.Join(a.Notes, "\n")
		if a.Verdict != Denied || (c.want == "") != !strings.Contains(notes, "not followed") || !strings.Contains(notes, c.want) {
			t.Errorf("%s: %s with notes %q, want %q", name, a.Verdict, notes, c.want)
		}
	}
}
