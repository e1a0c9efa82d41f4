package kube

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"k8s.io/client-go/rest"

	"github.com/eksafe/eksafe/internal/estate"
	"github.com/eksafe/eksafe/internal/source/kubeobject"
)

// fake is an API server that serves every kind of the table and has no
// objects, but for the paths that a test answers itself.
type fake struct {
	t       testing.TB
	answers map[string]http.HandlerFunc // path → answer

	mu    sync.Mutex // guards asked
	asked map[string]int
}

func newFake(t testing.TB) *fake {
	return &fake{t: t, answers: map[string]http.HandlerFunc{}, asked: map[string]int{}}
}

func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	f.asked[r.URL.Path]++
	f.mu.Unlock()
	if r.Method != http.MethodGet || r.URL.Query().Has("watch") {
		f.t.Errorf("%s %s: a source only reads", r.Method, r.URL)
	}
	if got := r.UserAgent(); got != "eksafe" {
		f.t.Errorf("user agent %q", got)
	}
	if answer, ok := f.answers[r.URL.Path]; ok {
		answer(w, r)
		return
	}
	plurals := map[string]bool{}
	for _, res := range kubeobject.Resources() {
		for _, v := range res.APIVersions {
			switch r.URL.Path {
			case apiPath(v):
				plurals[res.Plural] = true
			case apiPath(v) + "/" + res.Plural:
				writeList(w, res.Object, "")
				return
			}
		}
	}
	if len(plurals) == 0 {
		http.NotFound(w, r)
		return
	}
	var resources []any
	for p := range plurals {
		resources = append(resources, map[string]any{"name": p, "verbs": []string{"get", "list"}})
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]any{"kind": "APIResourceList", "resources": resources})
}

// count returns how often a path was asked for.
func (f *fake) count(path string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.asked[path]
}

// RoundTrip answers without a network, so that a test's clock can be
// synthetic.
func (f *fake) RoundTrip(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	f.ServeHTTP(w, r)
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	return w.Result(), nil
}

// CloseIdleConnections closes nothing: there are no connections.
func (f *fake) CloseIdleConnections() {}

// config leads to the fake without a network.
func (f *fake) config() *rest.Config {
	return &rest.Config{Host: "http://fake", Transport: f}
}

// served leads to the fake over a network.
func (f *fake) served() *rest.Config {
	server := httptest.NewServer(f)
	f.t.Cleanup(server.Close)
	return &rest.Config{Host: server.URL}
}

func (f *fake) read(o Options) (*estate.Estate, error) {
	return read(f.t.Context(), f.config(), "prod", o)
}

func (f *fake) mustRead(o Options) *estate.Estate {
	f.t.Helper()
	e, err := f.read(o)
	if err != nil {
		f.t.Fatal(err)
	}
	return e
}

func writeList(w io.Writer, kind, next string, items ...string) {
	fmt.Fprintf(w, `{"kind":"%sList","apiVersion":"v1","metadata":{"resourceVersion":"1","continue":%q},"items":[%s]}`,
		kind, next, strings.Join(items, ","))
}

func named(namespace, name string) string {
	return fmt.Sprintf(`{"metadata":{"namespace":%q,"name":%q}}`, namespace, name)
}

// status answers as the API server does.
func status(code int, message string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(code)
		_ = json.NewEncoder(w).Encode(map[string]any{"kind": "Status", "status": "Failure", "message": message, "code": code})
	}
}

func forbidden(resource string) http.HandlerFunc {
	return status(http.StatusForbidden, resource+` is forbidden: User "ann" cannot list resource "`+resource+`" in API group "" at the cluster scope`)
}

// page answers as a proxy does.
func page(code int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		w.WriteHeader(code)
		fmt.Fprint(w, "<html><h1>canary of a proxy</h1></html>")
	}
}

func names(e *estate.Estate) []string {
	var out []string
	for _, s := range estate.Services.In(e) {
		out = append(out, s.Object.Name)
	}
	return out
}
