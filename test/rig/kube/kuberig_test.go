package kuberig_test

import (
	"encoding/json"
	"io"
	"net/http"
	"testing"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	kuberig "github.com/eksafe/eksafe/test/rig/kube"
)

// ask returns the status and body of a GET with the credentials of a kubeconfig.
func ask(t *testing.T, kubeconfig, path string) (int, string) {
	t.Helper()
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	client, err := rest.HTTPClientFor(config)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := client.Get(config.Host + path)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}

func TestServer(t *testing.T) {
	s := kuberig.Start(t)
	s.ApplyDefinitions(t)
	s.Apply(t, `
apiVersion: v1
kind: Pod
metadata: {name: web, namespace: shop}
spec:
  containers: [{name: web, image: web}]
status: {phase: Running}
---
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: {name: default, namespace: shop}
spec: {mtls: {mode: STRICT}}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: reader}
rules: [{apiGroups: [""], resources: [pods], verbs: [list]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: reader}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: reader}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: Group, name: readers}]
`)

	t.Run("what was applied is served, status and admission included", func(t *testing.T) {
		_, body := ask(t, s.Admin, "/api/v1/namespaces/shop/pods/web")
		var pod struct {
			Spec   struct{ ServiceAccountName string }
			Status struct{ Phase string }
		}
		if err := json.Unmarshal([]byte(body), &pod); err != nil {
			t.Fatal(err)
		}
		if pod.Spec.ServiceAccountName != "default" || pod.Status.Phase != "Running" {
			t.Errorf("got %+v", pod)
		}
		if status, _ := ask(t, s.Admin, "/apis/security.istio.io/v1/namespaces/shop/peerauthentications/default"); status != http.StatusOK {
			t.Errorf("the custom resource gives %d", status)
		}
	})

	t.Run("a user may do what a binding allows and no more", func(t *testing.T) {
		reader := s.Kubeconfig(t, "ann", "readers")
		if status, body := ask(t, reader, "/api/v1/pods"); status != http.StatusOK {
			t.Errorf("pods: %d %s", status, body)
		}
		if status, _ := ask(t, reader, "/api/v1/secrets"); status != http.StatusForbidden {
			t.Errorf("secrets: %d, want 403", status)
		}
		if status, _ := ask(t, s.Kubeconfig(t, "bob"), "/api/v1/pods"); status != http.StatusForbidden {
			t.Errorf("pods for a user without a binding: %d, want 403", status)
		}
	})

	t.Run("an unknown token is rejected", func(t *testing.T) {
		if status, _ := ask(t, s.TokenKubeconfig(t, "wrong"), "/api/v1/pods"); status != http.StatusUnauthorized {
			t.Errorf("got %d, want 401", status)
		}
	})
}
