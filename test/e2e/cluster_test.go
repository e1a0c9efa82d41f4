package e2e

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/eksafe/eksafe/internal/config"
	"github.com/eksafe/eksafe/internal/control/controltest"
	"github.com/eksafe/eksafe/internal/estate"
	"github.com/eksafe/eksafe/internal/finding"
	"github.com/eksafe/eksafe/internal/source/kube"
	"github.com/eksafe/eksafe/internal/source/kubeobject"
)

const secure = "../../internal/control/controltest/secure"

// TestEveryDeniedKindOfAClusterIsUnknown reads the cluster of the secure
// estate with every right, and once without the right to list each kind.
func TestEveryDeniedKindOfAClusterIsUnknown(t *testing.T) {
	server := newListServer(t)
	account, err := controltest.Secure()
	if err != nil {
		t.Fatal(err)
	}
	inAccount := slices.DeleteFunc(account.Sources, func(s estate.Source) bool { return s.Kind != estate.AWSSource })
	for _, k := range estate.Kinds() {
		if k.Provider == estate.KubernetesProvider {
			account = account.Blind(k.Kind, "")
		}
	}
	account.Sources = inAccount
	declared := declaredBySecure(t)
	kubeconfig := server.kubeconfig(t)
	audit := func(t *testing.T) view {
		t.Helper()
		e, err := kube.Read(t.Context(), kube.Options{Kubeconfig: kubeconfig, Secrets: true})
		if err != nil {
			t.Fatal(err)
		}
		sources := slices.Clone(e.Sources)
		e.Join(account)
		return see(e, sources, controltest.Now, declared)
	}

	whole := audit(t)
	for id, r := range whole.results {
		if r.Verdict != finding.Pass {
			t.Errorf("%s is %s with all rights: %s%s", id, r.Verdict, r.Why, lines(r.Findings))
		}
	}
	for _, res := range kubeobject.Resources() {
		t.Run(res.Object, func(t *testing.T) {
			server.deny(res)
			less := audit(t)
			// Nothing runs from a PodTemplate by itself: the source blinds nobody.
			if less.blind[res.Kind] == "" && res.Object != "PodTemplate" {
				t.Errorf("nothing tells that %s may not be listed", res.Plural)
			}
			whole.holds(t, less, []estate.Kind{res.Kind})
		})
	}
}

// declaredBySecure returns what the users of the secure estate declare.
func declaredBySecure(t *testing.T) *config.Config {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(secure, "eksafe.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var file map[string]any
	if err := yaml.Unmarshal(data, &file); err != nil {
		t.Fatal(err)
	}
	if data, err = json.Marshal(file["eksafe.yaml"]); err != nil {
		t.Fatal(err)
	}
	c := &config.Config{}
	if err := json.Unmarshal(data, c); err != nil {
		t.Fatal(err)
	}
	return c
}

// A listServer is an API server that lists the objects of the secure estate.
type listServer struct {
	url   string
	lists map[string][]json.RawMessage // path → objects

	mu     sync.Mutex // guards denied
	denied []string   // paths that may not be listed
}

func newListServer(t *testing.T) *listServer {
	t.Helper()
	s := &listServer{lists: map[string][]json.RawMessage{}}
	paths := map[string]string{}
	for _, res := range kubeobject.Resources() {
		for _, v := range res.APIVersions {
			path := listPath(res, v)
			paths[v+" "+res.Object] = path
			s.lists[path] = nil
		}
	}
	files, err := filepath.Glob(filepath.Join(secure, "*.yaml"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no secure estate: %v", err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		documents := yaml.NewDecoder(bytes.NewReader(data))
		for {
			var object map[string]any
			if err := documents.Decode(&object); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				t.Fatalf("%s: %v", file, err)
			}
			if object["apiVersion"] == nil {
				continue // resources of AWS
			}
			path, found := paths[fmt.Sprintf("%s %s", object["apiVersion"], object["kind"])]
			if !found {
				t.Fatalf("%s: eksafe lists no %s", file, object["kind"])
			}
			item, err := json.Marshal(object)
			if err != nil {
				t.Fatal(err)
			}
			s.lists[path] = append(s.lists[path], item)
		}
	}
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	s.url = server.URL
	return s
}

func listPath(res kubeobject.Resource, apiVersion string) string {
	if !strings.Contains(apiVersion, "/") {
		return "/api/" + apiVersion + "/" + res.Plural
	}
	return "/apis/" + apiVersion + "/" + res.Plural
}

// deny makes the server refuse to list one kind, and no other.
func (s *listServer) deny(res kubeobject.Resource) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.denied = nil
	for _, v := range res.APIVersions {
		s.denied = append(s.denied, listPath(res, v))
	}
}

func (s *listServer) kubeconfig(t *testing.T) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "config")
	text := `{"apiVersion":"v1","kind":"Config","current-context":"shop-prod","clusters":[{"name":"c","cluster":{"server":"` + s.url + `"}}],
		"users":[{"name":"u","user":{}}],"contexts":[{"name":"shop-prod","context":{"cluster":"c","user":"u"}}]}`
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func (s *listServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	denied := s.denied
	s.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	if items, found := s.lists[r.URL.Path]; found {
		if slices.Contains(denied, r.URL.Path) {
			plural := r.URL.Path[strings.LastIndexByte(r.URL.Path, '/')+1:]
			w.WriteHeader(http.StatusForbidden)
			answer(w, map[string]any{"kind": "Status", "status": "Failure", "code": http.StatusForbidden, "message": plural + ` is forbidden: User "ann" cannot list resource "` + plural + `"`})
			return
		}
		answer(w, map[string]any{"kind": "List", "apiVersion": "v1", "metadata": map[string]any{"resourceVersion": "1"}, "items": append([]json.RawMessage{}, items...)})
		return
	}
	var served []any
	for path := range s.lists {
		if plural, found := strings.CutPrefix(path, r.URL.Path+"/"); found && !strings.Contains(plural, "/") {
			served = append(served, map[string]any{"name": plural, "verbs": []string{"list"}})
		}
	}
	if served == nil {
		http.NotFound(w, r)
		return
	}
	answer(w, map[string]any{"kind": "APIResourceList", "resources": served})
}

func answer(w io.Writer, v any) { _ = json.NewEncoder(w).Encode(v) }
