package reach

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"github.com/eksafe/eksafe/internal/estate"
	"github.com/eksafe/eksafe/internal/trace"
)

// TestTruth runs the tables of testdata/truth. A file is one estate for all of
// its cases; a case is a claim, and its lines are what it adds to the estate,
// then verdicts:
//
//	namespace shop team=a
//	pod shop/web app=web ip=10.0.0.1 port=http:TCP:8080
//	pod shop/log app=log port=in:TCP:5140:514:127.0.0.1 (its host port and IP)
//	node node-1 ip=10.0.2.1 zone=a
//	{kind: NetworkPolicy, metadata: {namespace: shop, name: deny}, spec: {podSelector: {}}}
//	* -> shop/web TCP 80 denied
//
// A pod may be bare (of no controller), of a set (a StatefulSet), host (in the network of its node) or
// done. An end is a pod, all pods of a namespace ("shop/*"), all pods ("*"), an
// address, a domain name, or "nodes". "rejects N" says how many policies are left out.
func TestTruth(t *testing.T) {
	files, err := filepath.Glob("testdata/truth/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatal("no tables", err)
	}
	for _, name := range files {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		ar := txtar.Parse(data)
		t.Run(strings.TrimSuffix(filepath.Base(name), ".txtar"), func(t *testing.T) {
			for _, c := range ar.Files {
				t.Run(c.Name, func(t *testing.T) { runTable(t, string(ar.Comment)+string(c.Data)) })
			}
		})
	}
}

func runTable(t *testing.T, text string) {
	e := &estate.Estate{}
	var wants []string
	for _, line := range strings.Split(text, "\n") {
		words := strings.Fields(line)
		switch {
		case len(words) == 0 || strings.HasPrefix(line, "#"):
		case strings.HasPrefix(line, "{"):
			addObject(t, e, line)
		case words[0] == "namespace":
			r := &estate.Resource[corev1.Namespace]{}
			r.Object.Name, r.Object.Labels = words[1], attributes(words[2:]).labels
			estate.Namespaces.Add(e, r)
		case words[0] == "node":
			r := &estate.Resource[corev1.Node]{}
			a := attributes(words[2:])
			r.Object.Name, r.Object.Labels = words[1], a.labels
			for _, ip := range a.ips {
				r.Object.Status.Addresses = append(r.Object.Status.Addresses, corev1.NodeAddress{Address: ip})
			}
			estate.Nodes.Add(e, r)
		case words[0] == "pod":
			addPod(t, e, words)
		default:
			wants = append(wants, line)
		}
	}
	if len(wants) == 0 {
		t.Fatal("nothing is claimed")
	}
	n := New(trace.New(e))
	for _, line := range wants {
		var from, arrow, to, protocolName, verdict string
		var port, rejected int
		if _, err := fmt.Sscanf(line, "rejects %d", &rejected); err == nil {
			if len(n.Rejected()) != rejected {
				t.Errorf("%d policies are rejected, want %d: %v", len(n.Rejected()), rejected, n.Rejected())
			}
			continue
		}
		if _, err := fmt.Sscan(line, &from, &arrow, &to, &protocolName, &port, &verdict); err != nil || arrow != "->" {
			t.Fatalf("%q is no line of a table", line)
		}
		protocol, err := ParseProtocol(protocolName)
		if err != nil {
			t.Fatal(err)
		}
		pairs := 0
		for _, i := range points(t, n, from) {
			for _, j := range points(t, n, to) {
				if i == j && (from != to || strings.Contains(from, "*")) {
					continue
				}
				pairs++
				if got := n.verdict(i, j, protocol, uint16(port)); got.String() != verdict {
					t.Errorf("%s: %s → %s is %s", line, n.describe(i), n.describe(j), got)
				}
			}
		}
		if pairs == 0 {
			t.Errorf("%q is about nothing", line)
		}
	}
}

// points lists the points that a table names.
func points(t *testing.T, n *Network, text string) []uint32 {
	t.Helper()
	if a, err := netip.ParseAddr(text); err == nil {
		return []uint32{n.atoms + n.addresses.atom(a)}
	}
	var out []uint32
	for _, p := range n.points[:n.atoms] {
		name := p.endpoint.Name
		if text == "*" && p.id < n.pods && !p.host || name == text || strings.HasSuffix(text, "/*") && p.id < n.pods && p.endpoint.Namespace == strings.TrimSuffix(text, "/*") {
			out = append(out, p.id)
		}
	}
	if len(out) == 0 {
		t.Fatalf("nothing is %s", text)
	}
	return out
}

type attributeList struct {
	labels map[string]string
	ips    []string
	ports  []corev1.ContainerPort
	flags  []string
}

func attributes(words []string) attributeList {
	out := attributeList{labels: map[string]string{}}
	for _, w := range words {
		k, v, ok := strings.Cut(w, "=")
		switch {
		case !ok:
			out.flags = append(out.flags, w)
		case k == "ip":
			out.ips = append(out.ips, strings.Split(v, ",")...)
		case k == "port":
			parts := strings.Split(v, ":")
			number, _ := strconv.Atoi(parts[2])
			port := corev1.ContainerPort{Name: parts[0], Protocol: corev1.Protocol(parts[1]), ContainerPort: int32(number)}
			if len(parts) > 3 {
				host, _ := strconv.Atoi(parts[3])
				port.HostPort = int32(host)
			}
			if len(parts) > 4 {
				port.HostIP = parts[4]
			}
			out.ports = append(out.ports, port)
		default:
			out.labels[k] = v
		}
	}
	return out
}

// addPod adds a workload of one pod.
func addPod(t *testing.T, e *estate.Estate, words []string) {
	ns, name, ok := strings.Cut(words[1], "/")
	if !ok {
		t.Fatalf("%s has no namespace", words[1])
	}
	a := attributes(words[2:])
	w := &estate.Workload{Controller: "Deployment", ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: name}}
	if slices.Contains(a.flags, "bare") {
		w.Controller = "Pod"
	}
	if slices.Contains(a.flags, "set") {
		w.Controller = "StatefulSet"
	}
	w.Finished = slices.Contains(a.flags, "done")
	w.Template.Labels = a.labels
	w.Template.Spec.HostNetwork = slices.Contains(a.flags, "host")
	w.Template.Spec.Containers = []corev1.Container{{Name: "main", Ports: a.ports}}
	for i, ip := range a.ips {
		w.Pods = append(w.Pods, estate.Pod{Name: fmt.Sprint(name, "-", i), PodIPs: strings.Split(ip, "+")})
	}
	estate.Workloads.Add(e, w)
}

// addObject adds a policy, written in one line.
func addObject(t *testing.T, e *estate.Estate, line string) {
	t.Helper()
	var meta metav1.TypeMeta
	decode := func(into any) {
		t.Helper()
		if err := yaml.Unmarshal([]byte(line), into); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
	}
	decode(&meta)
	switch meta.Kind {
	case "NetworkPolicy":
		r := &estate.Resource[networkingPolicy]{}
		decode(&r.Object)
		estate.NetworkPolicies.Add(e, r)
	case "ClusterNetworkPolicy":
		if strings.HasPrefix(meta.APIVersion, "networking.k8s.aws/") {
			r := &estate.Resource[estate.AWSClusterNetworkPolicy]{}
			decode(&r.Object)
			estate.AWSClusterNetworkPolicies.Add(e, r)
			return
		}
		r := &estate.Resource[estate.ClusterNetworkPolicy]{}
		decode(&r.Object)
		estate.ClusterNetworkPolicies.Add(e, r)
	case "AdminNetworkPolicy":
		r := &estate.Resource[estate.AdminNetworkPolicy]{}
		decode(&r.Object)
		estate.AdminNetworkPolicies.Add(e, r)
	case "BaselineAdminNetworkPolicy":
		r := &estate.Resource[estate.AdminNetworkPolicy]{}
		decode(&r.Object)
		estate.BaselineAdminNetworkPolicies.Add(e, r)
	case "EndpointSlice":
		r := &estate.Resource[discoveryv1.EndpointSlice]{}
		decode(&r.Object)
		estate.EndpointSlices.Add(e, r)
	case "Service":
		r := &estate.Resource[corev1.Service]{}
		decode(&r.Object)
		estate.Services.Add(e, r)
	case "ApplicationNetworkPolicy":
		r := &estate.Resource[estate.ApplicationNetworkPolicy]{}
		decode(&r.Object)
		estate.ApplicationNetworkPolicies.Add(e, r)
	default:
		t.Fatalf("%s: of no kind that a table may have", line)
	}
}
