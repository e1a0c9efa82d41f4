package kuberig

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
)

type object map[string]any

type resource struct {
	Name       string `json:"name"`
	Kind       string `json:"kind"`
	Namespaced bool   `json:"namespaced"`
}

// Apply applies manifests, each one or more documents of YAML or JSON, by
// server-side apply with strict validation, status included. Namespaces and
// custom resource definitions come first, and definitions are awaited until
// their kinds are served. A namespace that is only named is made, with the
// default service account that a controller would give it.
func (s *Server) Apply(t testing.TB, manifests ...string) {
	t.Helper()
	var objects []object
	for _, m := range manifests {
		parsed, err := parse(m)
		if err != nil {
			t.Fatalf("parsing a manifest: %v", err)
		}
		objects = append(objects, parsed...)
	}
	slices.SortStableFunc(objects, func(a, b object) int { return rank(a) - rank(b) })
	ctx, cancel := context.WithTimeout(t.Context(), applyBudget)
	defer cancel()
	for _, o := range objects {
		if err := s.apply(ctx, o); err != nil {
			t.Fatalf("applying %s: %v", o, err)
		}
	}
	for _, o := range objects {
		if o.kind() != "CustomResourceDefinition" {
			continue
		}
		for _, gvk := range o.definedKinds() {
			if _, err := s.resource(ctx, gvk[0], gvk[1]); err != nil {
				t.Fatalf("awaiting %s %s: %v", gvk[0], gvk[1], err)
			}
		}
	}
}

// ApplyFiles applies the manifests in these files.
func (s *Server) ApplyFiles(t testing.TB, files ...string) {
	t.Helper()
	var manifests []string
	for _, f := range files {
		data, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		manifests = append(manifests, string(data))
	}
	s.Apply(t, manifests...)
}

// ApplyDefinitions applies the custom resource definitions of Gateway API,
// Istio, the AWS controllers and Calico: those whose kinds eksafe reads.
func (s *Server) ApplyDefinitions(t testing.TB) {
	t.Helper()
	root, err := projectRoot()
	if err != nil {
		t.Fatal(err)
	}
	var files []string
	for _, pattern := range []string{
		filepath.Join(root, "test", "rig", "kube", "crds", "*.yaml"),
		filepath.Join(moduleFolder(t, root, "sigs.k8s.io/gateway-api"), "config", "crd", "standard", "gateway.networking.k8s.io_*.yaml"),
		filepath.Join(moduleFolder(t, root, "istio.io/api"), "kubernetes", "*.yaml"),
	} {
		found, err := filepath.Glob(pattern)
		if err != nil || len(found) == 0 {
			t.Fatalf("no definitions in %s: %v", pattern, err)
		}
		// The admission policy beside the definitions guards upgrades.
		found = slices.DeleteFunc(found, func(f string) bool { return strings.Contains(f, "_vap_") })
		files = append(files, found...)
	}
	s.ApplyFiles(t, files...)
}

func moduleFolder(t testing.TB, root, module string) string {
	t.Helper()
	list := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}", module)
	list.Dir = root
	out, err := list.Output()
	if err != nil {
		t.Fatalf("finding the folder of %s: %v", module, err)
	}
	return strings.TrimSpace(string(out))
}

func parse(manifest string) ([]object, error) {
	var out []object
	decoder := utilyaml.NewYAMLOrJSONDecoder(strings.NewReader(manifest), 4096)
	for {
		var o object
		err := decoder.Decode(&o)
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		if err != nil {
			return nil, err
		}
		items, isList := o["items"].([]any)
		switch {
		case len(o) == 0:
		case isList && strings.HasSuffix(o.kind(), "List"):
			for _, item := range items {
				m, ok := item.(map[string]any)
				if !ok {
					return nil, errors.New("an item of a list is no object")
				}
				out = append(out, m)
			}
		default:
			out = append(out, o)
		}
	}
}

func rank(o object) int {
	switch o.kind() {
	case "CustomResourceDefinition":
		return 0
	case "Namespace":
		return 1
	case "ServiceAccount":
		return 2
	default:
		return 3
	}
}

func (o object) apiVersion() string { s, _ := o["apiVersion"].(string); return s }
func (o object) kind() string       { s, _ := o["kind"].(string); return s }

func (o object) meta(field string) string {
	m, _ := o["metadata"].(map[string]any)
	s, _ := m[field].(string)
	return s
}

// String returns "kind namespace/name".
func (o object) String() string {
	return fmt.Sprintf("%s %s/%s", o.kind(), o.meta("namespace"), o.meta("name"))
}

// definedKinds returns the apiVersion and kind of each served version of a
// custom resource definition.
func (o object) definedKinds() [][2]string {
	var definition struct {
		Spec struct {
			Group    string
			Names    struct{ Kind string }
			Versions []struct {
				Name   string
				Served bool
			}
		}
	}
	data, err := json.Marshal(o)
	if err != nil || json.Unmarshal(data, &definition) != nil {
		return nil // what is no definition defines nothing
	}
	var out [][2]string
	for _, v := range definition.Spec.Versions {
		if v.Served {
			out = append(out, [2]string{definition.Spec.Group + "/" + v.Name, definition.Spec.Names.Kind})
		}
	}
	return out
}

// DryRun asks the server whether it would take an object, and returns what it
// says where it would not. Nothing is stored, but for the namespace that the
// object names.
func (s *Server) DryRun(t testing.TB, manifest string) (refusal string) {
	t.Helper()
	objects, err := parse(manifest)
	if err != nil || len(objects) != 1 {
		t.Fatalf("parsing a manifest: %d objects, %v", len(objects), err)
	}
	path, err := s.path(t.Context(), objects[0])
	if err != nil {
		t.Fatalf("asking for %s: %v", objects[0], err)
	}
	body, err := json.Marshal(objects[0])
	if err != nil {
		t.Fatal(err)
	}
	status, answer, err := s.call(t.Context(), http.MethodPatch, path+"?dryRun=All&fieldManager=eksafe-rig&force=true", body)
	if err != nil {
		t.Fatal(err)
	}
	if status < 300 {
		return ""
	}
	return fmt.Sprintf("%d: %s", status, bytes.TrimSpace(answer))
}

func (s *Server) apply(ctx context.Context, o object) error {
	path, err := s.path(ctx, o)
	if err != nil {
		return err
	}
	if err := s.patch(ctx, path, o); err != nil {
		return err
	}
	if o["status"] == nil || o.kind() == "CustomResourceDefinition" {
		return nil
	}
	err = s.patch(ctx, path+"/status", object{
		"apiVersion": o.apiVersion(), "kind": o.kind(),
		"metadata": map[string]any{"name": o.meta("name")}, "status": o["status"],
	})
	if errors.Is(err, errNotFound) { // no such subresource: it is already stored
		return nil
	}
	return err
}

// path returns where an object stands. Its namespace is made.
func (s *Server) path(ctx context.Context, o object) (string, error) {
	kind, err := s.resource(ctx, o.apiVersion(), o.kind())
	if err != nil {
		return "", err
	}
	name, path := o.meta("name"), "/apis/"+o.apiVersion()
	if name == "" {
		return "", errors.New("it has no name")
	}
	if !strings.Contains(o.apiVersion(), "/") {
		path = "/api/" + o.apiVersion()
	}
	if kind.Namespaced {
		namespace := o.meta("namespace")
		if namespace == "" {
			namespace = "default"
		}
		if o.kind() != "ServiceAccount" || name != "default" {
			if err := s.makeNamespace(ctx, namespace); err != nil {
				return "", err
			}
		}
		path += "/namespaces/" + url.PathEscape(namespace)
	}
	return path + "/" + kind.Name + "/" + url.PathEscape(name), nil
}

// makeNamespace makes a namespace and its default service account, once.
func (s *Server) makeNamespace(ctx context.Context, name string) error {
	status, _, err := s.call(ctx, http.MethodGet, "/api/v1/namespaces/"+url.PathEscape(name)+"/serviceaccounts/default", nil)
	if err != nil || status == http.StatusOK {
		return err
	}
	status, _, err = s.call(ctx, http.MethodGet, "/api/v1/namespaces/"+url.PathEscape(name), nil)
	if err != nil {
		return err
	}
	if status != http.StatusOK {
		if err := s.apply(ctx, object{"apiVersion": "v1", "kind": "Namespace", "metadata": map[string]any{"name": name}}); err != nil {
			return err
		}
	}
	return s.apply(ctx, object{"apiVersion": "v1", "kind": "ServiceAccount", "metadata": map[string]any{"name": "default", "namespace": name}})
}

var errNotFound = errors.New("not found")

func (s *Server) patch(ctx context.Context, path string, o object) error {
	body, err := json.Marshal(o)
	if err != nil {
		return err
	}
	return poll(ctx, func() (bool, error) {
		status, answer, err := s.call(ctx, http.MethodPatch, path+"?fieldManager=eksafe-rig&force=true&fieldValidation=Strict", body)
		switch {
		case err != nil:
			return false, err
		case status < 300:
			return true, nil
		case status == http.StatusTooManyRequests || status == http.StatusServiceUnavailable:
			return false, nil
		case status == http.StatusNotFound:
			return false, errNotFound
		}
		return false, fmt.Errorf("%d: %s", status, bytes.TrimSpace(answer))
	})
}

// resource finds what a kind is called in URLs, and waits until it is served.
func (s *Server) resource(ctx context.Context, apiVersion, kind string) (resource, error) {
	if r, ok := s.plurals[apiVersion][kind]; ok {
		return r, nil
	}
	path := "/apis/" + apiVersion
	if !strings.Contains(apiVersion, "/") {
		path = "/api/" + apiVersion
	}
	err := poll(ctx, func() (bool, error) {
		status, answer, err := s.call(ctx, http.MethodGet, path, nil)
		if err != nil || status != http.StatusOK {
			return false, err
		}
		var list struct{ Resources []resource }
		if err := json.Unmarshal(answer, &list); err != nil {
			return false, err
		}
		kinds := map[string]resource{}
		for _, r := range list.Resources {
			if !strings.Contains(r.Name, "/") { // subresources
				kinds[r.Kind] = r
			}
		}
		s.plurals[apiVersion] = kinds
		_, ok := kinds[kind]
		return ok, nil
	})
	if err != nil {
		return resource{}, fmt.Errorf("%s %s is not served: %w", apiVersion, kind, err)
	}
	return s.plurals[apiVersion][kind], nil
}

// Delete deletes an object that has no namespace.
func (s *Server) Delete(t testing.TB, apiVersion, resource, name string) {
	t.Helper()
	status, answer, err := s.call(t.Context(), http.MethodDelete, "/apis/"+apiVersion+"/"+resource+"/"+url.PathEscape(name), nil)
	if err != nil || status >= 300 {
		t.Fatalf("deleting %s %s: %d %s %v", resource, name, status, answer, err)
	}
}
