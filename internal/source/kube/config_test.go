package kube

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const kubeconfig = `
apiVersion: v1
kind: Config
current-context: prod
clusters:
- name: arn:aws:eks:eu-west-1:123456789012:cluster/prod
  cluster: {server: https://ABC.gr7.eu-west-1.eks.amazonaws.com}
- name: other
  cluster: {server: https://other.example}
- name: cluster-without-server
  cluster: {}
contexts:
- name: prod
  context: {cluster: "arn:aws:eks:eu-west-1:123456789012:cluster/prod", user: me}
- name: test
  context: {cluster: other, user: me}
- name: broken
  context: {cluster: cluster-without-server, user: me}
- name: dangling
  context: {cluster: nowhere, user: me}
- name: no-certificate
  context: {cluster: other, user: certificate}
users:
- name: me
  user: {token: ` + canary + `}
- name: certificate
  user: {client-certificate: /nowhere/crt, client-key: /nowhere/key}
`

func write(t *testing.T, content string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "kubeconfig")
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// alone hides the kubeconfig of whoever runs the tests.
func alone(t *testing.T) {
	t.Helper()
	t.Setenv("KUBECONFIG", filepath.Join(t.TempDir(), "absent"))
	t.Setenv("KUBERNETES_SERVICE_HOST", "")
	t.Setenv("KUBERNETES_SERVICE_PORT", "")
}

func TestLocate(t *testing.T) {
	alone(t)
	file := write(t, kubeconfig)
	for context, want := range map[string]Location{
		"": {
			Context: "prod", Cluster: "arn:aws:eks:eu-west-1:123456789012:cluster/prod",
			Server: "https://ABC.gr7.eu-west-1.eks.amazonaws.com",
			ARN:    "arn:aws:eks:eu-west-1:123456789012:cluster/prod",
		},
		"test": {Context: "test", Cluster: "other", Server: "https://other.example"},
	} {
		got, err := Locate(Options{Kubeconfig: file, Context: context})
		if err != nil || got != want {
			t.Errorf("context %q: %+v, %v; want %+v", context, got, err, want)
		}
	}
	t.Setenv("KUBECONFIG", file)
	if got, err := Endpoint(Options{}); err != nil || got != "https://ABC.gr7.eu-west-1.eks.amazonaws.com" {
		t.Errorf("by KUBECONFIG: %q, %v", got, err)
	}
}

func TestABadKubeconfigIsAnErrorInOneLine(t *testing.T) {
	alone(t)
	good := write(t, kubeconfig)
	for name, c := range map[string]struct {
		options Options
		want    string
	}{
		"no kubeconfig at all":  {Options{}, "aws eks update-kubeconfig"},
		"missing file":          {Options{Kubeconfig: "/nowhere/config"}, "reading kubeconfig /nowhere/config: no such file or directory"},
		"no YAML":               {Options{Kubeconfig: write(t, "a: b\n  "+canary+": [")}, "it is no valid kubeconfig"},
		"wrong type":            {Options{Kubeconfig: write(t, "apiVersion: v1\nkind: Config\nusers: "+canary)}, "it is no valid kubeconfig"},
		"another kind":          {Options{Kubeconfig: write(t, "apiVersion: v1\nkind: "+canary)}, "it is no valid kubeconfig"},
		"certificate no base64": {Options{Kubeconfig: write(t, strings.Replace(kubeconfig, "token: ", "client-key-data: '!!", 1)+"'")}, "kubeconfig"},
		"unknown context":       {Options{Kubeconfig: good, Context: "staging"}, `it has no context "staging"; it has broken, dangling, no-certificate, prod, test`},
		"no current context":    {Options{Kubeconfig: write(t, strings.Replace(kubeconfig, "current-context: prod", "", 1))}, "it has no current context; pass --context: broken, "},
		"no server":             {Options{Kubeconfig: good, Context: "broken"}, "reading context broken of kubeconfig "},
		"dangling cluster":      {Options{Kubeconfig: good, Context: "dangling"}, `context dangling names cluster "nowhere", which it does not have`},
		"missing certificate":   {Options{Kubeconfig: good, Context: "no-certificate"}, "/nowhere/crt"},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			cancel() // so that a config that should not load asks nobody
			_, err := Read(ctx, c.options)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("got %v, want %q", err, c.want)
			}
			if strings.Contains(err.Error(), canary) || strings.Contains(err.Error(), "\n") {
				t.Errorf("the error quotes the file: %q", err)
			}
		})
	}
}

func TestAPluginWithoutCredentialsIsAnError(t *testing.T) {
	alone(t)
	file := write(t, strings.Replace(kubeconfig, "token: "+canary, "exec: {apiVersion: client.authentication.k8s.io/v1, command: eksafe-no-such-plugin, interactiveMode: Never}", 1))
	_, err := Read(t.Context(), Options{Kubeconfig: file, Context: "test"})
	if err == nil || !strings.Contains(err.Error(), "the kubeconfig's credentials plugin gave no credentials for https://other.example") || !strings.Contains(err.Error(), "log in again") {
		t.Errorf("got %v", err)
	}
	if err != nil && strings.Contains(err.Error(), "\n") {
		t.Errorf("more than one line: %q", err)
	}
}
