package snapshot

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/quick"
	"time"

	"github.com/klauspost/compress/zstd"
	istioapi "istio.io/api/security/v1beta1"
	istiotype "istio.io/api/type/v1beta1"
	istio "istio.io/client-go/pkg/apis/security/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/eksafe/eksafe/internal/estate"
	"github.com/eksafe/eksafe/internal/source/cloudformation"
)

var taken = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

func write(t testing.TB, e *estate.Estate) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := Write(&b, e, Meta{Taken: taken, Tool: "eksafe test"}); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// roundTrip writes, reads and compares an estate.
func roundTrip(t testing.TB, e *estate.Estate) *estate.Estate {
	t.Helper()
	data := write(t, e)
	if !bytes.Equal(data, write(t, e)) {
		t.Error("the same estate gave other bytes")
	}
	got, err := Read("test.eksafe", data)
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range estate.Kinds() {
		want, err := k.Encode(e)
		if err != nil {
			t.Fatal(err)
		}
		have, err := k.Encode(got)
		if err != nil || !bytes.Equal(want, have) {
			t.Errorf("%s differs (%v)\nwant %s\ngot  %s", k.Kind, err, want, have)
		}
	}
	if len(e.Sources) > 0 && !reflect.DeepEqual(e.Sources, got.Sources) {
		t.Errorf("sources differ: %+v, %+v", e.Sources, got.Sources)
	}
	return got
}

func TestShopsSurvive(t *testing.T) {
	for _, name := range []string{"insecure", "secure"} {
		roundTrip(t, shop(t, name))
	}
}

func shop(t testing.TB, name string) *estate.Estate {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join("..", "..", "..", "examples", "shop", name, "cloudformation", "*.yaml"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no templates of %s: %v", name, err)
	}
	var files []cloudformation.File
	for _, p := range paths {
		data, err := os.ReadFile(p)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, cloudformation.File{Path: p, Data: data})
	}
	e, err := cloudformation.Read(name, files, cloudformation.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// kubernetes is an estate of what is hard to keep: numbers or names,
// quantities, pointers to zero, empty selectors, messages of Istio.
func kubernetes() *estate.Estate {
	e := &estate.Estate{}
	meta := metav1.ObjectMeta{Namespace: "shop", Name: "x", Labels: map[string]string{"a": "<b>&"}}
	zero, no := int32(0), false
	estate.Services.Add(e, &estate.Resource[corev1.Service]{Object: corev1.Service{ObjectMeta: meta, Spec: corev1.ServiceSpec{
		Ports: []corev1.ServicePort{{Port: 80, TargetPort: intstr.FromString("http")}, {Port: 81, TargetPort: intstr.FromInt32(8081)}},
	}}})
	estate.Workloads.Add(e, &estate.Workload{
		Controller: "Deployment", ObjectMeta: meta, Replicas: &zero, Selector: &metav1.LabelSelector{},
		Template: corev1.PodTemplateSpec{Spec: corev1.PodSpec{
			AutomountServiceAccountToken: &no,
			Containers: []corev1.Container{{
				Name:      "c",
				Resources: corev1.ResourceRequirements{Limits: corev1.ResourceList{"memory": resource.MustParse("1.5Gi"), "cpu": resource.MustParse("100m")}},
			}},
		}},
		Facts: []estate.Fact{{Name: "DB_HOST", Host: "db", Server: &estate.Server{Software: "nginx", Port: 8443, TLS: true}}},
	})
	estate.NetworkPolicies.Add(e, &estate.Resource[networkingv1.NetworkPolicy]{Object: networkingv1.NetworkPolicy{ObjectMeta: meta, Spec: networkingv1.NetworkPolicySpec{
		Ingress: []networkingv1.NetworkPolicyIngressRule{{From: []networkingv1.NetworkPolicyPeer{{NamespaceSelector: &metav1.LabelSelector{}}}}},
	}}})
	p := &estate.Resource[istio.PeerAuthentication]{Object: istio.PeerAuthentication{ObjectMeta: meta}}
	p.Object.Spec.Selector = &istiotype.WorkloadSelector{MatchLabels: map[string]string{"app": "x"}}
	p.Object.Spec.Mtls = &istioapi.PeerAuthentication_MutualTLS{Mode: istioapi.PeerAuthentication_MutualTLS_STRICT}
	p.Object.Spec.PortLevelMtls = map[uint32]*istioapi.PeerAuthentication_MutualTLS{
		8080: {Mode: istioapi.PeerAuthentication_MutualTLS_DISABLE}, 9090: {},
	}
	estate.PeerAuthentications.Add(e, p)
	order := 1.5
	estate.CalicoNetworkPolicies.Add(e, &estate.Resource[estate.CalicoNetworkPolicy]{Object: estate.CalicoNetworkPolicy{ObjectMeta: meta, Spec: estate.CalicoPolicySpec{
		Order: &order, Ingress: []estate.CalicoRule{{Action: "Allow", Protocol: "TCP", Destination: estate.CalicoEntityRule{Ports: []any{int64(80), "1000:2000"}}}},
	}}})
	named, to := "web", []estate.ClusterPolicyPeer{{Nodes: &metav1.LabelSelector{}}, {DomainNames: []string{"*.example.com"}}, {}}
	estate.AdminNetworkPolicies.Add(e, &estate.Resource[estate.AdminNetworkPolicy]{Object: estate.AdminNetworkPolicy{ObjectMeta: meta, Spec: estate.AdminNetworkPolicySpec{
		Egress: []estate.AdminPolicyRule{{Action: "Pass", To: to, Ports: []estate.AdminPolicyPort{{NamedPort: &named}, {PortRange: &estate.AdminPortRange{Start: 1, End: 2}}}}},
	}}})
	estate.ClusterNetworkPolicies.Add(e, &estate.Resource[estate.ClusterNetworkPolicy]{Object: estate.ClusterNetworkPolicy{ObjectMeta: meta, Spec: estate.ClusterNetworkPolicySpec{
		Egress: []estate.ClusterPolicyRule{{Action: "Deny", To: to, Protocols: []estate.ClusterPolicyProtocol{{TCP: &estate.ClusterPolicyTransport{}}, {DestinationNamedPort: "web"}}}},
	}}})
	estate.ApplicationNetworkPolicies.Add(e, &estate.Resource[estate.ApplicationNetworkPolicy]{Object: estate.ApplicationNetworkPolicy{ObjectMeta: meta, Spec: estate.ApplicationNetworkPolicySpec{
		Egress: []estate.ApplicationPolicyEgressRule{{To: []estate.ApplicationPolicyPeer{
			{NetworkPolicyPeer: networkingv1.NetworkPolicyPeer{IPBlock: &networkingv1.IPBlock{CIDR: "10.0.0.0/8"}}}, {DomainNames: []string{"example.com"}},
		}}},
	}}})
	estate.CalicoStagedNetworkPolicies.Add(e, &estate.Resource[estate.CalicoStagedNetworkPolicy]{Object: estate.CalicoStagedNetworkPolicy{ObjectMeta: meta, Spec: estate.CalicoStagedPolicySpec{
		StagedAction: "Set", CalicoPolicySpec: estate.CalicoPolicySpec{Tier: "t", Types: []string{"Egress"}},
	}}})
	estate.CalicoStagedKubernetesNetworkPolicies.Add(e, &estate.Resource[estate.CalicoStagedKubernetesNetworkPolicy]{Object: estate.CalicoStagedKubernetesNetworkPolicy{ObjectMeta: meta, Spec: estate.CalicoStagedKubernetesPolicySpec{
		NetworkPolicySpec: networkingv1.NetworkPolicySpec{PodSelector: metav1.LabelSelector{MatchLabels: map[string]string{"a": "b"}}},
	}}})
	estate.CalicoHostEndpoints.Add(e, &estate.Resource[estate.CalicoHostEndpoint]{Object: estate.CalicoHostEndpoint{ObjectMeta: meta, Spec: estate.CalicoHostEndpointSpec{
		Node: "n", Ports: []estate.CalicoEndpointPort{{Name: "ssh", Protocol: int64(6), Port: 22}},
	}}})
	estate.Workloads.Add(e, &estate.Workload{Controller: "ReplicaSet", ObjectMeta: meta, Pods: []estate.Pod{{Name: "bare", Labels: map[string]string{}}, {Name: "like", PodIPs: []string{"10.0.0.1", "fd00::1"}}}})
	e.Sources = []estate.Source{{
		Kind: estate.KubernetesSource, Name: "ctx",
		Coverage: []estate.Coverage{{Kind: "Secret", State: estate.Denied, Why: "forbidden"}},
		Problems: []estate.Problem{{File: "a.yaml", Line: 3, What: "broken", Remedy: "mend it"}},
		Ignored:  []estate.Ignored{{APIVersion: "v1", Kind: "Event", Count: 2}},
	}}
	return e
}

func TestKubernetesSurvives(t *testing.T) {
	got := roundTrip(t, kubernetes())
	p := estate.PeerAuthentications.In(got)[0].Object.Spec.PortLevelMtls[8080]
	if p.GetMode() != istioapi.PeerAuthentication_MutualTLS_DISABLE {
		t.Errorf("port 8080 is %v", p.GetMode())
	}
	if port := estate.CalicoNetworkPolicies.In(got)[0].Object.Spec.Ingress[0].Destination.Ports[0]; port != int64(80) {
		t.Errorf("port is a %T", port)
	}
	// A pod without labels is not one with those of its template.
	if pods := estate.Workloads.In(got)[1].Pods; pods[0].Labels == nil || pods[1].Labels != nil {
		t.Errorf("pods %+v", pods)
	}
	limits := estate.Workloads.In(got)[0].Template.Spec.Containers[0].Resources.Limits
	if limits.Memory().Cmp(resource.MustParse("1536Mi")) != 0 {
		t.Errorf("memory is %s", limits.Memory())
	}
}

// fill gives random values to the exported fields of AWS structs. Optionals
// are unknown, or hold what JSON makes of a random value.
func fill(v reflect.Value, r *rand.Rand, depth int) {
	if depth > 6 {
		return
	}
	if v.CanAddr() {
		if u, ok := v.Addr().Interface().(json.Unmarshaler); ok && v.Kind() == reflect.Struct {
			get := v.MethodByName("Get")
			if !get.IsValid() {
				return // time.Time
			}
			inner := reflect.New(get.Type().Out(0)).Elem()
			fill(inner, r, depth+1)
			data, err := json.Marshal(inner.Interface())
			if err == nil && r.Intn(3) > 0 {
				_ = u.UnmarshalJSON(data)
			}
			return
		}
	}
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				fill(v.Field(i), r, depth+1)
			}
		}
	case reflect.Pointer:
		if r.Intn(2) == 0 {
			v.Set(reflect.New(v.Type().Elem()))
			fill(v.Elem(), r, depth+1)
		}
	case reflect.Slice:
		for range r.Intn(3) {
			item := reflect.New(v.Type().Elem()).Elem()
			fill(item, r, depth+1)
			v.Set(reflect.Append(v, item))
		}
	case reflect.Map:
		for range r.Intn(3) {
			if v.IsNil() {
				v.Set(reflect.MakeMap(v.Type()))
			}
			value := reflect.New(v.Type().Elem()).Elem()
			fill(value, r, depth+1)
			v.SetMapIndex(reflect.ValueOf(text(r)), value)
		}
	case reflect.String:
		v.SetString(text(r))
	case reflect.Bool:
		v.SetBool(r.Intn(2) == 0)
	case reflect.Int, reflect.Int32, reflect.Int64:
		v.SetInt(int64(r.Int31()) - 1<<30)
	case reflect.Uint8:
		v.SetUint(uint64(r.Intn(256)))
	}
}

func text(r *rand.Rand) string {
	return []string{"", "a", "prod", "<&>", "ünï\u2028", "\x1b[31m", "{\"a\":null}", "arn:aws:x"}[r.Intn(8)]
}

func TestEveryAWSKindSurvives(t *testing.T) {
	check := func(seed int64) bool {
		r := rand.New(rand.NewSource(seed))
		e := &estate.Estate{}
		for _, k := range estate.Kinds() {
			if k.Provider != estate.AWSProvider {
				continue
			}
			err := k.Decode(e, func(into any) error {
				items := reflect.ValueOf(into).Elem()
				for range 2 {
					item := reflect.New(items.Type().Elem().Elem())
					fill(item.Elem(), r, 0)
					items.Set(reflect.Append(items, item))
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		roundTrip(t, e)
		return !t.Failed()
	}
	if err := quick.Check(check, &quick.Config{MaxCount: 30}); err != nil {
		t.Error(err)
	}
}

// plain is a snapshot before compression.
func plain(resources string) []byte {
	return fmt.Appendf(nil, `{"schemaVersion":%q,"sources":[],"resources":{%s}}`, Version, resources)
}

func packed(t testing.TB, data []byte) []byte {
	t.Helper()
	z, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	return z.EncodeAll(data, nil)
}

func TestWhatIsNotKnownIsRefused(t *testing.T) {
	good := write(t, kubernetes())
	istio := `"PeerAuthentication":[{"origin":{},"object":{"metadata":{"name":"x"},"spec":{"mtls":{"mode":"STRICT"},"shape":"round"},"status":{}}}]`
	for _, tt := range []struct {
		name, want string
		data       []byte
	}{
		{"empty", "no snapshot", nil},
		{"other file", "no snapshot", []byte("kind: Pod")},
		{"other JSON", "its first field is not schemaVersion", []byte(`{"kind": "Pod"}`)},
		{"other version", `its schema is "eksafe.dev/snapshot/v2"`, packed(t, []byte(`{"schemaVersion":"eksafe.dev/snapshot/v2","more":1}`))},
		{"cut", "damaged", good[:len(good)/2]},
		{"bytes after the end", "damaged", append(slices.Clone(good), 'x')},
		{"a second frame", "damaged", append(slices.Clone(good), packed(t, []byte("{}"))...)},
		{"broken JSON", "damaged", packed(t, plain(`"Key":[`))},
		{"unknown kind", `kind "Unicorn" is not known`, packed(t, plain(`"Unicorn":[]`))},
		{"unknown field", `field "[0].colour" is not known`, packed(t, plain(`"Volume":[{"aws":{"origin":{},"arn":"a"},"volumeId":"v","colour":"red"}]`))},
		{"unknown field in an optional", `field "colour" is not known`, packed(t, plain(`"Nodegroup":[{"aws":{"origin":{},"arn":"a"},"clusterName":"c","nodegroupName":"n","launchTemplate":{"colour":"red"}}]`))},
		{"unknown field in a message", `field "shape" is not known`, packed(t, plain(istio))},
		{"field twice", `stands twice`, packed(t, plain(`"Volume":[{"aws":{"origin":{},"arn":"a"},"volumeId":"v","volumeId":"w"}]`))},
		{"wrong case", `field "[0].VolumeId" is not known`, packed(t, plain(`"Volume":[{"aws":{"origin":{},"arn":"a"},"VolumeId":"v"}]`))},
		{"wrong type", `Volume: `, packed(t, plain(`"Volume":[{"aws":{"origin":{},"arn":"a"},"volumeId":["hunter2"]}]`))},
		{"null resource", `a resource is null`, packed(t, plain(`"Volume":[null]`))},
		{"unknown state", `a state of coverage`, packed(t, fmt.Appendf(nil, `{"schemaVersion":%q,"sources":[{"kind":"aws","name":"n","coverage":[{"kind":"Key","state":"fine","count":0}]}],"resources":{}}`, Version))},
		{"bomb", "unpacks to more than 64 MB", packed(t, bytes.Repeat([]byte{' '}, 80<<20))},
	} {
		t.Run(tt.name, func(t *testing.T) {
			e, err := Read("f.eksafe", tt.data)
			if err == nil || !strings.Contains(err.Error(), tt.want) || e != nil {
				t.Fatalf("got %v, want %q", err, tt.want)
			}
			if msg := err.Error(); strings.ContainsAny(msg, "\n\x1b") || strings.Contains(msg, "hunter2") || !strings.HasPrefix(msg, "reading f.eksafe: ") {
				t.Errorf("message %q", msg)
			}
		})
	}
}

func TestUncompressedIsReadToo(t *testing.T) {
	e, err := Read("f", plain(`"Volume":[{"aws":{"origin":{},"arn":"a"},"volumeId":"v","encrypted":true}]`))
	if err != nil || !estate.Volumes.In(e)[0].Encrypted.Or(false) {
		t.Errorf("%v %v", e, err)
	}
}

func TestIs(t *testing.T) {
	if !Is(write(t, &estate.Estate{})) || Is([]byte("apiVersion: v1")) || Is(nil) {
		t.Error("a snapshot is not recognised")
	}
}

func FuzzRead(f *testing.F) {
	f.Add(write(f, kubernetes()))
	f.Add(plain(`"Volume":[{"aws":{"origin":{},"arn":"a"},"volumeId":"v","encrypted":true}]`))
	f.Add(write(f, shop(f, "insecure")))
	f.Fuzz(func(t *testing.T, data []byte) {
		e, err := Read("fuzz", data)
		if err != nil {
			if strings.Contains(err.Error(), "\n") {
				t.Fatalf("more than one line: %q", err)
			}
			return
		}
		// What was read can be written, and read again.
		if _, err := Read("again", write(t, e)); err != nil {
			t.Fatal(err)
		}
	})
}
