package kube

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"

	utilyaml "k8s.io/apimachinery/pkg/util/yaml"

	"github.com/eksafe/eksafe/internal/estate"
	"github.com/eksafe/eksafe/internal/source/kubeobject"
	kuberig "github.com/eksafe/eksafe/test/rig/kube"
)

// samples decodes testdata/every-kind.yaml without a server, and demands an
// object for every entry of the table.
func samples(t *testing.T) (text string, e *estate.Estate) {
	t.Helper()
	data, err := os.ReadFile("testdata/every-kind.yaml")
	if err != nil {
		t.Fatal(err)
	}
	type typeKey struct{ apiVersion, kind string }
	seen := map[typeKey]bool{}
	e = &estate.Estate{}
	var d kubeobject.Decoder
	documents := utilyaml.NewYAMLOrJSONDecoder(strings.NewReader(string(data)), 4096)
	for {
		var raw json.RawMessage
		err := documents.Decode(&raw)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		var head struct{ APIVersion, Kind string }
		if err := json.Unmarshal(raw, &head); err != nil {
			t.Fatal(err)
		}
		flaws, err := d.Add(e, head.APIVersion, head.Kind, raw, estate.Origin{}, true)
		if err != nil || len(flaws) > 0 {
			t.Fatalf("%s: %v %v", head.Kind, flaws, err)
		}
		seen[typeKey{head.APIVersion, head.Kind}] = true
	}
	d.Finish(e)
	for _, r := range kubeobject.Resources() {
		found := false
		for _, v := range r.APIVersions {
			found = found || seen[typeKey{v, r.Object}]
		}
		if !found {
			t.Errorf("testdata/every-kind.yaml lacks %s of %v", r.Object, r.APIVersions)
		}
	}
	return string(data), e
}

// identities lists "Kind namespace/name" of everything of Kubernetes in e.
func identities(t *testing.T, e *estate.Estate) map[string]bool {
	t.Helper()
	out := map[string]bool{}
	for _, k := range estate.Kinds() {
		data, err := k.Encode(e)
		if err != nil {
			t.Fatal(err)
		}
		type metadata struct{ Namespace, Name string }
		var items []struct {
			Controller string
			Metadata   metadata
			Object     struct{ Metadata metadata }
		}
		if err := json.Unmarshal(data, &items); err != nil {
			t.Fatalf("%s: %v", k.Kind, err)
		}
		for _, i := range items {
			m := i.Metadata
			if m.Name == "" {
				m = i.Object.Metadata
			}
			out[strings.TrimSpace(string(k.Kind)+" "+i.Controller)+" "+m.Namespace+"/"+m.Name] = true
		}
	}
	return out
}

func TestSamplesHoldEveryKind(t *testing.T) {
	text, e := samples(t)
	if !strings.Contains(text, canary) {
		t.Error("there is no canary to look for")
	}
	noCanary(t, e)
}

func TestARealCluster(t *testing.T) {
	alone(t)
	s := kuberig.Start(t)
	live := func(t *testing.T, o Options) *estate.Estate {
		t.Helper()
		e, err := Read(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		return e
	}
	admin := Options{Kubeconfig: s.Admin}

	t.Run("kinds that are not installed are read, and there are none", func(t *testing.T) {
		e := live(t, admin)
		for _, kind := range []estate.Kind{"PeerAuthentication", "HTTPRoute", "TargetGroupBinding", "CalicoTier"} {
			if got, want := e.Coverage(kind), (estate.Coverage{Kind: kind, State: estate.Read}); got != want {
				t.Errorf("%+v, want %+v", got, want)
			}
		}
		if got := e.Coverage("Namespace"); got.State != estate.Read || got.Count == 0 {
			t.Errorf("%+v", got)
		}
	})

	s.ApplyDefinitions(t)
	text, files := samples(t)
	s.Apply(t, text)

	t.Run("one object of every kind is read as from files", func(t *testing.T) {
		o := admin
		o.Secrets = true
		e := live(t, o)
		for _, k := range estate.Kinds() {
			if k.Provider != estate.KubernetesProvider {
				continue
			}
			if got := e.Coverage(k.Kind); got.State != estate.Read || got.Count == 0 || got.Count != k.Len(e) {
				t.Errorf("%+v of %d", got, k.Len(e))
			}
		}
		found := identities(t, e)
		for name := range identities(t, files) {
			if !found[name] {
				t.Errorf("%s is in the files and not in the cluster", name)
			}
		}
		if p := e.Sources[0].Problems; len(p) > 0 {
			t.Errorf("problems: %v", p)
		}
		noCanary(t, e)
	})

	t.Run("what Secrets are named is not read unless asked for", func(t *testing.T) {
		e := live(t, admin)
		if got := e.Coverage("Secret"); got.State != estate.NotAsked || len(estate.Secrets.In(e)) > 0 {
			t.Errorf("%+v", got)
		}
		noCanary(t, e)
	})

	t.Run("a list of several pages is whole", func(t *testing.T) {
		var many strings.Builder
		for i := range pageSize + 1 {
			fmt.Fprintf(&many, "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: page-%d, namespace: shop}\n", i)
		}
		s.Apply(t, many.String())
		pages := 0
		o := admin
		o.Progress = func(kind string, _ int) {
			if kind == "ConfigMap" {
				pages++
			}
		}
		if got := live(t, o).Coverage("ConfigMap"); got.State != estate.Read || got.Count <= pageSize || pages < 2 {
			t.Errorf("%+v in %d pages", got, pages)
		}
	})

	t.Run("a user without rights is told which to grant", func(t *testing.T) {
		_, err := Read(t.Context(), Options{Kubeconfig: s.Kubeconfig(t, "nobody")})
		if err == nil || !strings.Contains(err.Error(), `nothing may be read: user "nobody" cannot list `) {
			t.Errorf("got %v", err)
		}
	})

	t.Run("the role that is printed is enough and no more", func(t *testing.T) {
		role, err := ClusterRole(false)
		if err != nil {
			t.Fatal(err)
		}
		s.Apply(t, string(role), `
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: eksafe-read}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: eksafe-read}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: User, name: auditor}]
`)
		o := Options{Kubeconfig: s.Kubeconfig(t, "auditor"), Secrets: true}
		e := live(t, o)
		for _, k := range estate.Kinds() {
			if k.Provider != estate.KubernetesProvider {
				continue
			}
			got := e.Coverage(k.Kind)
			switch {
			case k.Kind == "Secret":
				if got.State != estate.Denied || got.Why != `user "auditor" cannot list secrets` {
					t.Errorf("%+v, want denied", got)
				}
			case got.State != estate.Read || got.Count == 0:
				t.Errorf("%+v", got)
			}
		}
	})

	t.Run("a role like view leaves parts denied", func(t *testing.T) {
		s.Apply(t, `
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: viewer}
rules:
  - {apiGroups: [""], resources: [pods, replicationcontrollers, services, configmaps, namespaces], verbs: [get, list, watch]}
  - {apiGroups: [apps], resources: [deployments, replicasets, daemonsets, statefulsets], verbs: [get, list, watch]}
  - {apiGroups: [batch], resources: [jobs, cronjobs], verbs: [get, list, watch]}
  - {apiGroups: [networking.k8s.io], resources: [networkpolicies], verbs: [get, list, watch]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: viewer}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: viewer}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: Group, name: viewers}]
`)
		e := live(t, Options{Kubeconfig: s.Kubeconfig(t, "ann", "viewers")})
		for kind, state := range map[estate.Kind]estate.State{
			"Workload": estate.Read, "Service": estate.Read, "NetworkPolicy": estate.Read,
			"Node": estate.Denied, "ClusterRole": estate.Denied, "PeerAuthentication": estate.Denied,
		} {
			if got := e.Coverage(kind); got.State != state {
				t.Errorf("%+v, want %s", got, state)
			}
		}
	})

	t.Run("wrong credentials are an error", func(t *testing.T) {
		_, err := Read(t.Context(), Options{Kubeconfig: s.TokenKubeconfig(t, "wrong")})
		if err == nil || !strings.Contains(err.Error(), "credentials were rejected by "+s.URL+" (401)") {
			t.Errorf("got %v", err)
		}
	})
}
