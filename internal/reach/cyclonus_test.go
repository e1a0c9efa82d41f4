package reach

import (
	"archive/tar"
	"compress/gzip"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"github.com/eksafe/eksafe/internal/estate"
	"github.com/eksafe/eksafe/internal/trace"
)

// corpus opens a file of the corpora that lie beside the project.
func corpus(tb testing.TB, name string) *os.File {
	tb.Helper()
	root := os.Getenv("EKSAFE_CORPUS")
	if root == "" {
		root = filepath.Join("..", "..", "..", "shared", "data")
	}
	f, err := os.Open(filepath.Join(root, name))
	if errors.Is(err, os.ErrNotExist) {
		tb.Skipf("the corpus %s is not there; set EKSAFE_CORPUS to the folder that holds it", name)
	}
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { f.Close() })
	return f
}

// archive calls visit for each file of a tar.gz.
func archive(tb testing.TB, name string, visit func(name string, data []byte)) {
	tb.Helper()
	zip, err := gzip.NewReader(corpus(tb, name))
	if err != nil {
		tb.Fatal(err)
	}
	for files := tar.NewReader(zip); ; {
		h, err := files.Next()
		if err == io.EOF {
			return
		}
		if err != nil {
			tb.Fatal(err)
		}
		if h.Typeflag != tar.TypeReg {
			continue
		}
		data, err := io.ReadAll(files)
		if err != nil {
			tb.Fatal(err)
		}
		visit(h.Name, data)
	}
}

type cyclonusCase struct {
	Description string
	Steps       []struct {
		Namespaces map[string]map[string]string
		Pods       []struct {
			Namespace, Name, IP string
			Labels              map[string]string
			Ports               []struct {
				Name     string          `json:"name"`
				Port     int32           `json:"port"`
				Protocol corev1.Protocol `json:"protocol"`
			}
		}
		Policies []string
		Expected []struct {
			From, To, Proto           string
			Port                      int
			Ingress, Egress, Combined string
		}
	}
}

// TestCyclonus compares every verdict of the corpus. A pod and itself are not
// compared: its traffic to itself leaves it never, which the corpus' model does
// not know.
func TestCyclonus(t *testing.T) {
	verdicts, loops := 0, 0
	archive(t, "reach/cyclonus-cases.tar.gz", func(name string, data []byte) {
		var c cyclonusCase
		if err := json.Unmarshal(data, &c); err != nil {
			t.Fatal(name, err)
		}
		for step, s := range c.Steps {
			e := &estate.Estate{}
			for ns, labels := range s.Namespaces {
				r := &estate.Resource[corev1.Namespace]{}
				r.Object.Name, r.Object.Labels = ns, labels
				estate.Namespaces.Add(e, r)
			}
			for _, p := range s.Pods {
				w := &estate.Workload{Controller: "Pod", ObjectMeta: metav1.ObjectMeta{Namespace: p.Namespace, Name: p.Name}}
				w.Template.Labels = p.Labels
				container := corev1.Container{Name: "serve"}
				for _, port := range p.Ports {
					container.Ports = append(container.Ports, corev1.ContainerPort{Name: port.Name, ContainerPort: port.Port, Protocol: port.Protocol})
				}
				w.Template.Spec.Containers = []corev1.Container{container}
				w.Pods = []estate.Pod{{Name: p.Name, PodIP: p.IP}}
				estate.Workloads.Add(e, w)
			}
			for _, text := range s.Policies {
				r := &estate.Resource[networkingPolicy]{}
				if err := yaml.Unmarshal([]byte(text), &r.Object); err != nil {
					t.Fatal(name, err)
				}
				estate.NetworkPolicies.Add(e, r)
			}
			n := New(trace.New(e))
			point := map[string]*point{}
			for _, p := range n.points[:n.pods] {
				point[p.endpoint.Name] = p
			}
			for _, x := range s.Expected {
				if x.From == x.To {
					loops++
					continue
				}
				from, to := point[x.From], point[x.To]
				protocol, err := ParseProtocol(x.Proto)
				if err != nil {
					t.Fatal(name, err)
				}
				egress, _ := n.passes(Egress, from.id, to.id)
				ingress, _ := n.passes(Ingress, to.id, from.id)
				sure, open := n.between(from.id, to.id)
				check := func(part, want string, id portsID) {
					got := "blocked"
					if ports := n.ports.of(id); ports.Has(protocol, uint16(x.Port)) {
						got = "allowed"
					}
					if got != want {
						t.Errorf("%s %q step %d: %s → %s %s %d: %s is %s, want %s", name, c.Description, step, x.From, x.To, x.Proto, x.Port, part, got, want)
					}
				}
				check("egress", x.Egress, egress)
				check("ingress", x.Ingress, ingress)
				check("the whole", x.Combined, sure)
				check("the most open reading", x.Combined, open)
				verdicts++
			}
		}
	})
	t.Logf("%d verdicts compared, %d of a pod and itself passed over", verdicts, loops)
}
