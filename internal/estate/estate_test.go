package estate_test

import (
	"encoding/json"
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/eksafe/eksafe/internal/estate"
)

func TestOptionalKeepsUnknown(t *testing.T) {
	type resource struct {
		Flag estate.Optional[bool] `json:"flag,omitzero"`
	}
	for _, tt := range []struct {
		in    string
		value bool
		known bool
	}{
		{`{}`, false, false},
		{`{"flag":null}`, false, false},
		{`{"flag":false}`, false, true},
		{`{"flag":true}`, true, true},
	} {
		var r resource
		if err := json.Unmarshal([]byte(tt.in), &r); err != nil {
			t.Fatalf("%s: %v", tt.in, err)
		}
		if v, known := r.Flag.Get(); v != tt.value || known != tt.known {
			t.Errorf("%s: got %v, known %v", tt.in, v, known)
		}
		out, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		var again resource
		if err := json.Unmarshal(out, &again); err != nil || again != r {
			t.Errorf("%s does not survive: %s, %v", tt.in, out, err)
		}
	}
	var o estate.Optional[int]
	if err := json.Unmarshal([]byte(`"x"`), &o); err == nil {
		t.Error("a value of the wrong type was taken")
	}
	if _, known := o.Get(); known {
		t.Error("a value of the wrong type became known")
	}
}

// coverage is a source that says one state of one kind.
func coverage(kind estate.Kind, s estate.State, n int) estate.Source {
	return estate.Source{Coverage: []estate.Coverage{{Kind: kind, State: s, Why: string(s), Count: n}}}
}

func TestCoverageIsTheWorstOfThoseAsked(t *testing.T) {
	k := estate.DBInstances.Kind
	for _, tt := range []struct {
		name    string
		sources []estate.Source
		want    estate.State
		count   int
	}{
		{"nobody asked", nil, estate.NotAsked, 0},
		{"another kind was read", []estate.Source{coverage(estate.Volumes.Kind, estate.Read, 3)}, estate.NotAsked, 0},
		{"two regions read", []estate.Source{coverage(k, estate.Read, 2), coverage(k, estate.Read, 1)}, estate.Read, 3},
		{"one region denied", []estate.Source{coverage(k, estate.Read, 2), coverage(k, estate.Denied, 0)}, estate.Denied, 2},
		{"not asked does not spoil a read", []estate.Source{coverage(k, estate.NotAsked, 0), coverage(k, estate.Read, 1)}, estate.Read, 1},
		{"unavailable is worse than read", []estate.Source{coverage(k, estate.Unavailable, 0), coverage(k, estate.Read, 1)}, estate.Unavailable, 1},
	} {
		e := &estate.Estate{Sources: tt.sources}
		if got := e.Coverage(k); got.State != tt.want || got.Count != tt.count {
			t.Errorf("%s: got %s with %d, want %s with %d", tt.name, got.State, got.Count, tt.want, tt.count)
		}
	}
}

func TestCoverageKeepsWhyItWasNotAsked(t *testing.T) {
	k := estate.LastAccessed.Kind
	left := estate.Source{Coverage: []estate.Coverage{{Kind: k, State: estate.NotAsked, Why: "left out"}}}
	silent := estate.Source{Coverage: []estate.Coverage{{Kind: k, State: estate.NotAsked}}}
	for want, sources := range map[string][]estate.Source{
		"":         {silent},
		"left out": {silent, left},
		"read":     {left, coverage(k, estate.Read, 1)},
		"denied":   {coverage(k, estate.Denied, 0), left},
	} {
		e := &estate.Estate{Sources: sources}
		if got := e.Coverage(k).Why; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestBlindTakesResourcesAndCoverage(t *testing.T) {
	e := &estate.Estate{Sources: []estate.Source{coverage(estate.Volumes.Kind, estate.Read, 1)}}
	estate.Volumes.Add(e, &estate.Volume{VolumeId: "vol-1"})
	b := e.Blind(estate.Volumes.Kind, "no rights")
	if got := b.Coverage(estate.Volumes.Kind); got.State != estate.Denied || got.Why != "no rights" {
		t.Errorf("coverage is %+v", got)
	}
	if len(estate.Volumes.In(b)) != 0 {
		t.Error("a blind estate still shows volumes")
	}
	if len(estate.Volumes.In(e)) != 1 || e.Coverage(estate.Volumes.Kind).State != estate.Read {
		t.Error("the estate itself was changed")
	}
}

func serviceOf(name, cluster, file string, line int) *estate.Resource[corev1.Service] {
	return &estate.Resource[corev1.Service]{
		Origin: estate.Origin{Cluster: cluster, File: file, Line: line},
		Object: corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name}, Spec: corev1.ServiceSpec{ClusterIP: cluster}},
	}
}

func TestJoinKeepsTheLiveObjectAtTheFilesPosition(t *testing.T) {
	for _, liveFirst := range []bool{true, false} {
		files, live := &estate.Estate{}, &estate.Estate{}
		estate.Services.Add(files, serviceOf("web", "", "web.yaml", 7), serviceOf("only-file", "", "web.yaml", 20))
		estate.Services.Add(live, serviceOf("web", "prod", "", 0), serviceOf("only-live", "prod", "", 0))
		e := &estate.Estate{}
		order := []*estate.Estate{files, live}
		if liveFirst {
			slices.Reverse(order)
		}
		for _, o := range order {
			e.Join(o)
		}
		got := map[string]*estate.Resource[corev1.Service]{}
		for _, s := range estate.Services.In(e) {
			if got[s.Object.Name] != nil {
				t.Errorf("live first %v: %s stands twice", liveFirst, s.Object.Name)
			}
			got[s.Object.Name] = s
		}
		if len(got) != 3 {
			t.Fatalf("live first %v: got %d services, want 3", liveFirst, len(got))
		}
		web := got["web"]
		if web.Object.Spec.ClusterIP != "prod" || web.Origin.Cluster != "prod" {
			t.Errorf("live first %v: the file's object won", liveFirst)
		}
		if file, line := web.Origin.Locate("spec"); file != "web.yaml" || line != 7 {
			t.Errorf("live first %v: located at %s:%d, want web.yaml:7", liveFirst, file, line)
		}
	}
}

func TestEveryKindStandsOnceInTheTable(t *testing.T) {
	seen := map[estate.Kind]bool{}
	for _, k := range estate.Kinds() {
		if seen[k.Kind] {
			t.Errorf("%s stands twice", k.Kind)
		}
		seen[k.Kind] = true
		e := &estate.Estate{}
		raw, err := k.Encode(e)
		if err != nil || string(raw) != "[]" {
			t.Errorf("%s: an empty estate encodes as %s, %v", k.Kind, raw, err)
		}
	}
	if _, err := estate.KindOf("Nothing"); err == nil {
		t.Error("an unknown kind was found")
	}
}
