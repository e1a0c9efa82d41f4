package all_test

import (
	"bytes"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/eksafe/eksafe/internal/control/all"
)

var update = flag.Bool("update", false, "rewrite the generated reference")

func TestReference(t *testing.T) {
	for page, write := range map[string]func(io.Writer) error{
		"../../../docs/reference/controls.md":     all.WriteControls,
		"../../../docs/reference/requirements.md": all.WriteRequirements,
	} {
		var got bytes.Buffer
		if err := write(&got); err != nil {
			t.Fatal(err)
		}
		if *update {
			if err := os.WriteFile(page, got.Bytes(), 0o666); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got.Bytes(), want) {
			t.Errorf("%s is stale; run: go test ./internal/control/all -update", strings.TrimPrefix(page, "../../../"))
		}
	}
}

func TestRequirementsAreNumbered(t *testing.T) {
	for i, r := range all.Requirements {
		if want := fmt.Sprintf("S%d", i+1); r.No != want || r.Text == "" {
			t.Errorf("requirement %d is %s %q, want %s", i+1, r.No, r.Text, want)
		}
	}
	if n := len(all.Requirements); n != 41 {
		t.Errorf("%d requirements, want 41", n)
	}
}

func TestByID(t *testing.T) {
	for _, c := range all.All() {
		got, ok := all.ByID(c.ID)
		if !ok || got != c {
			t.Errorf("ByID(%s) = %v, %v", c.ID, got, ok)
		}
		if f := all.FamilyOf(c); !slices.Contains(f.Controls, c) {
			t.Errorf("FamilyOf(%s) = %s", c.ID, f.ID)
		}
		page, err := all.Page(c.ID)
		if err != nil || !strings.Contains(page, "### Fix") {
			t.Errorf("the page of %s must tell the fix below \"### Fix\" (%v)", c.ID, err)
		}
	}
	if c, ok := all.ByID("no-such-control"); ok {
		t.Errorf("ByID found %s", c.ID)
	}
	if _, err := all.Page("no-such-control"); err == nil {
		t.Error("Page of a control that does not exist gave no error")
	}
}
