package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestList(t *testing.T) {
	dir := t.TempDir()
	for name, src := range map[string]string{
		"doc.go": "package rest\n",
		"b.go":   "package rest\n\nvar second = &control.Control{ID: \"b\"}\n\nvar notOne = &control.Ref{}\n",
		"a.go":   "package rest\n\nvar (\n\tfirst = &control.Control{ID: \"a\"}\n\tcount = 3\n)\n",
		// A stale list must not matter.
		"zz_generated.go": "package rest\n\nvar Controls = []*control.Control{gone}\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(src), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	got, err := List(dir, "control", "Control")
	if err != nil {
		t.Fatal(err)
	}
	if want := "var Controls = []*control.Control{\n\tfirst,\n\tsecond,\n}\n"; !strings.HasSuffix(string(got), want) {
		t.Errorf("got\n%s\nwant at its end\n%s", got, want)
	}
}

func TestListNeedsFiles(t *testing.T) {
	if _, err := List(t.TempDir(), "control", "Control"); err == nil {
		t.Error("an empty folder gave a list")
	}
}

// A control that is not listed judges nothing, and nobody notices.
func TestListsAreFresh(t *testing.T) {
	lists, err := filepath.Glob("../../internal/control/*/" + output)
	if err != nil || len(lists) == 0 {
		t.Fatalf("no lists found (%v)", err)
	}
	for _, list := range lists {
		want, err := List(filepath.Dir(list), "control", "Control")
		if err != nil {
			t.Error(err)
			continue
		}
		got, err := os.ReadFile(list)
		if err != nil {
			t.Fatal(err)
		}
		if string(got) != string(want) {
			t.Errorf("%s is stale; run: go generate ./internal/control/...", strings.TrimPrefix(list, "../../"))
		}
	}
}
