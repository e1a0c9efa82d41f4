package report_test

import (
	"bytes"
	"flag"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/eksafe/eksafe/internal/report"
	"github.com/eksafe/eksafe/internal/report/reporttest"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// golden compares what a format wrote with the file of that name.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v; go test ./internal/report -update writes it", err)
	}
	if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(string(got), "\n")); diff != "" {
		t.Errorf("%s differs (-want +got); go test ./internal/report -update rewrites it\n%s", name, diff)
	}
}

func written(t *testing.T, write func(*bytes.Buffer) error) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := write(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// BenchmarkReport writes an audit of ten thousand applications.
func BenchmarkReport(b *testing.B) {
	r := reporttest.Big(10_000)
	for name, write := range map[string]func(io.Writer) error{
		"json": r.WriteJSON, "sarif": r.WriteSARIF, "html": r.WriteHTML,
		"text": func(w io.Writer) error { return r.WriteText(w, report.Options{Width: 100, Unicode: true}) },
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := write(io.Discard); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
