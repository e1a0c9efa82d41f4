package trace_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"golang.org/x/tools/txtar"

	"github.com/eksafe/eksafe/internal/estate"
	"github.com/eksafe/eksafe/internal/trace"
)

// TestBlindnessNeverEncrypts takes the kinds of each story away, one at a time:
// a hop that was not encrypted must not become so for want of evidence.
func TestBlindnessNeverEncrypts(t *testing.T) {
	for _, story := range []string{"mesh", "ingress", "services", "gateway", "live", "databases", "secure", "insecure"} {
		e := read(t, story)
		before := encryptions(trace.New(e))
		for _, k := range estate.Kinds() {
			if k.Len(e) == 0 {
				continue
			}
			for hop, enc := range encryptions(trace.New(e.Blind(k.Kind, "denied"))) {
				if was, known := before[hop]; known && enc == trace.Encrypted && was != trace.Encrypted && !evidenceAgainst[k.Kind] {
					t.Errorf("%s without %s: %s became encrypted, it was %s", story, k.Kind, hop, was)
				}
			}
		}
	}
}

// evidenceAgainst are kinds whose resources lower what others promise: without
// a parameter group that turns it off, an engine's default stands; without
// its exceptions a mesh is STRICT.
var evidenceAgainst = map[estate.Kind]bool{
	estate.PeerAuthentications.Kind: true,
}

func encryptions(g *trace.Graph) map[string]trace.Encryption {
	out := map[string]trace.Encryption{}
	for _, h := range g.Hops {
		out[fmt.Sprintf("%s -> %s %s:%d", h.From.ID, h.To.ID, h.Protocol, h.Port)] = h.Encryption
	}
	return out
}

func read(t testing.TB, story string) *estate.Estate {
	t.Helper()
	a, err := txtar.ParseFile("testdata/" + story + ".txtar")
	if err != nil {
		t.Fatal(err)
	}
	e := &estate.Estate{}
	for _, f := range a.Files {
		switch f.Name {
		case "k8s.yaml":
			addManifests(t, e, f.Data)
		case "aws.yaml":
			addAWS(t, e, f.Data)
		}
	}
	return e
}

// TestPathsAreBounded calls in a full circle: twelve workloads that all call
// each other have more paths than could be listed.
func TestPathsAreBounded(t *testing.T) {
	e := &estate.Estate{}
	const n = 12
	for i := range n {
		w := workload(fmt.Sprintf("w%d", i))
		for j := range n {
			w.Facts = append(w.Facts, estate.Fact{
				Field: fmt.Sprintf("spec.template.spec.containers[0].env[%d].value", j), Container: "c",
				Name: fmt.Sprintf("PEER%d_URL", j), Scheme: "http", Host: fmt.Sprintf("w%d", j), Port: 80,
			})
		}
		w.Labels = map[string]string{"app.kubernetes.io/part-of": "circle"}
		estate.Workloads.Add(e, w)
		estate.Services.Add(e, serviceFor(w))
	}
	g := trace.New(e)
	if len(g.Applications) != 1 {
		t.Fatalf("got %d applications, want 1", len(g.Applications))
	}
	app := g.Applications[0]
	if len(app.Paths) == 0 || len(app.Paths) > 64 || app.Omitted == 0 {
		t.Errorf("got %d paths and %d omitted", len(app.Paths), app.Omitted)
	}
	if want := n * (n - 1); len(g.Hops) != want {
		t.Errorf("got %d hops, want %d: each pair once", len(g.Hops), want)
	}
}

func workload(name string) *estate.Workload {
	w := &estate.Workload{Controller: "Deployment"}
	w.Namespace, w.Name = "shop", name
	w.Template.Labels = map[string]string{"app": name}
	w.Template.Spec.Containers = []corev1.Container{{Name: "c", Ports: []corev1.ContainerPort{{ContainerPort: 80}}}}
	return w
}

func serviceFor(w *estate.Workload) *estate.Resource[corev1.Service] {
	return &estate.Resource[corev1.Service]{Object: corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Namespace: w.Namespace, Name: w.Name},
		Spec:       corev1.ServiceSpec{Selector: w.Template.Labels, Ports: []corev1.ServicePort{{Port: 80}}},
	}}
}

// TestOrderOfInputDoesNotMatter reads the objects of a story in many orders.
func TestOrderOfInputDoesNotMatter(t *testing.T) {
	for _, story := range []string{"mesh", "ingress", "databases"} {
		e := read(t, story)
		want := encryptions(trace.New(e))
		for range 20 {
			shuffled := &estate.Estate{Sources: e.Sources}
			for _, k := range estate.Kinds() {
				raw, err := k.Encode(e)
				if err != nil {
					t.Fatal(err)
				}
				if err := k.Decode(shuffled, shuffling(raw)); err != nil {
					t.Fatal(err)
				}
			}
			got := encryptions(trace.New(shuffled))
			if fmt.Sprint(got) != fmt.Sprint(want) {
				t.Fatalf("%s: another order gives\n%v\nwant\n%v", story, got, want)
			}
		}
	}
}

// shuffling decodes a JSON array with its elements in a random order.
func shuffling(raw json.RawMessage) func(any) error {
	return func(into any) error {
		var items []json.RawMessage
		if err := json.Unmarshal(raw, &items); err != nil {
			return err
		}
		rand.Shuffle(len(items), func(i, j int) { items[i], items[j] = items[j], items[i] })
		mixed, err := json.Marshal(items)
		if err != nil {
			return err
		}
		return json.Unmarshal(mixed, into)
	}
}

func BenchmarkNew(b *testing.B) {
	for _, n := range []int{1_000, 10_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			e := &estate.Estate{}
			r := rand.New(rand.NewPCG(1, 2))
			for i := range n {
				w := workload(fmt.Sprintf("w%d", i))
				w.Facts = []estate.Fact{
					{Field: "a", Container: "c", Name: "PEER_URL", Scheme: "http", Host: fmt.Sprintf("w%d", r.IntN(n)), Port: 80},
					{Field: "b", Container: "c", Name: "DB_HOST", Host: fmt.Sprintf("db%d.abc.eu-west-1.rds.amazonaws.com", i), Port: 5432},
				}
				estate.Workloads.Add(e, w)
				estate.Services.Add(e, serviceFor(w))
			}
			b.ReportAllocs()
			for b.Loop() {
				trace.New(e)
			}
		})
	}
}
