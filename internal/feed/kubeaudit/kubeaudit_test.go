package kubeaudit

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const log = `{"kind":"Event","apiVersion":"audit.k8s.io/v1","auditID":"1","stage":"RequestReceived","verb":"get","user":{"username":"alice"},"requestURI":"/api"}
{"kind":"Event","apiVersion":"audit.k8s.io/v1","auditID":"2","stage":"ResponseComplete","verb":"create","user":{"username":"alice","groups":["dev"]},"objectRef":{"resource":"pods","subresource":"exec","namespace":"prod","name":"web","apiVersion":"v1"},"responseStatus":{"code":101},"requestReceivedTimestamp":"2026-11-01T10:00:00.5Z","requestObject":{"secret":"x"}}

{"kind":"Event","apiVersion":"audit.k8s.io/v1","stage":"ResponseComplete","verb":"get","user":{"username":"alice"},"requestURI":"/metrics?x=1","annotations":{"authorization.k8s.io/decision":"forbid"}}
{"kind":"Event","apiVersion":"audit.k8s.io/v1","stage":"ResponseComplete","verb":"list","user":{"username":"alice"},"impersonatedUser":{"username":"bob","groups":["ops"]},"objectRef":{"resource":"deployments","apiGroup":"apps"},"responseStatus":{"code":403}}
no event
{"kind":"Status"}
`

func TestRead(t *testing.T) {
	var got []Event
	others, err := Read(strings.NewReader(log), func(e Event) error { got = append(got, e); return nil })
	want := []Event{
		{ID: "2", Time: time.Date(2026, 11, 1, 10, 0, 0, 5e8, time.UTC), User: "alice", Groups: []string{"dev"}, Verb: "create", Resource: "pods/exec", Namespace: "prod", Name: "web", Allowed: true},
		{User: "alice", Verb: "get", Path: "/metrics"},
		{User: "alice", Impersonate: "bob", Groups: []string{"ops"}, Verb: "list", Group: "apps", Resource: "deployments"},
	}
	if diff := cmp.Diff(want, got); diff != "" || err != nil || others != 2 {
		t.Errorf("%d others, %v (-want +got):\n%s", others, err, diff)
	}
	if _, err := Read(strings.NewReader(strings.Repeat("x", maxLine+1)), nil); err == nil || !strings.Contains(err.Error(), "line 1") {
		t.Errorf("a line without an end: %v", err)
	}
	if _, err := Read(strings.NewReader("\x1f\x8bxx"), nil); err == nil {
		t.Error("half a gzip is a log")
	}
}

func FuzzRead(f *testing.F) {
	f.Add([]byte(log))
	f.Add([]byte(`{"kind":"Event","apiVersion":"audit.k8s.io/v1","verb":"x","user":{"username":"y"},"objectRef":null,"impersonatedUser":{}}`))
	f.Add([]byte("\x1f\x8b\x08\x00"))
	f.Fuzz(func(t *testing.T, data []byte) {
		_, _ = Read(bytes.NewReader(data), func(e Event) error {
			if e.User == "" || e.Verb == "" || len(e.Path) > maxText {
				t.Errorf("the event %+v", e)
			}
			return nil
		})
	})
}

// TestCorpus reads logs of real clusters.
func TestCorpus(t *testing.T) {
	root := os.Getenv("EKSAFE_CORPUS")
	if root == "" {
		root = filepath.Join("..", "..", "..", "..", "shared", "data")
	}
	if _, err := os.Stat(filepath.Join(root, "guard")); errors.Is(err, fs.ErrNotExist) {
		t.Skip("the corpus is not there; set EKSAFE_CORPUS to the folder that holds it")
	}
	files, err := filepath.Glob(filepath.Join(root, "guard", "hub-tests-mit", "k8s-audit-*", "*.log"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no files: %v", err)
	}
	events := 0
	for _, name := range files {
		f, err := os.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		_, err = Read(f, func(Event) error { events++; return nil })
		f.Close()
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if events == 0 {
		t.Error("no event in the corpus")
	}
}
