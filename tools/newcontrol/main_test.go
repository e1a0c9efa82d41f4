package main

import (
	"go/format"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestWrite(t *testing.T) {
	root := t.TempDir()
	if err := os.Mkdir(filepath.Join(root, "rest"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(root, "rest", "doc.go"), []byte("package rest\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	files, err := Write(root, "rest", "bucket-logs-kept")
	if err != nil {
		t.Fatal(err)
	}
	src, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	if want := `var bucketLogsKept = &control.Control{`; !strings.Contains(string(src), want) {
		t.Errorf("%s lacks %q", files[0], want)
	}
	if formatted, err := format.Source(src); err != nil || string(formatted) != string(src) {
		t.Errorf("%s is not formatted: %v", files[0], err)
	}
	if _, err := Write(root, "rest", "bucket-logs-kept"); err == nil {
		t.Error("a control was overwritten")
	}
	for _, bad := range [][2]string{{"rest", "Bucket"}, {"rest", "one"}, {"nowhere", "a-b"}, {"", "a-b"}, {"rest", "../a-b"}} {
		if _, err := Write(root, bad[0], bad[1]); err == nil {
			t.Errorf("family %q, id %q was accepted", bad[0], bad[1])
		}
	}
}
