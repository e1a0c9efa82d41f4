package admission_test

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/eksafe/eksafe/internal/control/admission"
	"github.com/eksafe/eksafe/internal/control/all"
)

// The design page must list the controls that have a twin, and no others.
func TestPageListsTwins(t *testing.T) {
	page, err := os.ReadFile("../../../docs/design/own-controls.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, ok := strings.Cut(string(page), "| Family | Twins |\n| --- | --- |\n")
	if !ok {
		t.Fatal("the page has no table of twins")
	}
	table, _, _ = strings.Cut(table, "\n\n")
	listed := strings.Split(table, "\n")
	slices.Sort(listed)
	var want []string
	for _, f := range all.Families() {
		var ids []string
		for _, c := range admission.Having(f.Controls) {
			ids = append(ids, c.ID)
		}
		if len(ids) > 0 {
			slices.Sort(ids)
			want = append(want, fmt.Sprintf("| %s | %s |", f.ID, strings.Join(ids, ", ")))
		}
	}
	slices.Sort(want)
	if !slices.Equal(listed, want) {
		t.Errorf("the page lists\n%s\nand these are:\n%s", strings.Join(listed, "\n"), strings.Join(want, "\n"))
	}
}
