package all_test

import (
	"bytes"
	"encoding/csv"
	"slices"
	"strings"
	"testing"

	"github.com/eksafe/eksafe/internal/control/all"
)

func TestMatrixLeavesNothingOut(t *testing.T) {
	rows := all.Matrix()
	for _, r := range all.Requirements {
		if !slices.ContainsFunc(rows, func(row all.MatrixRow) bool { return slices.Contains(row.Serves, r.No) }) {
			t.Errorf("%s has no row: a control must serve it, or a command in requirements.go", r.No)
		}
	}
	for _, c := range all.All() {
		i := slices.IndexFunc(rows, func(row all.MatrixRow) bool { return row.Name == c.ID })
		if i < 0 {
			t.Errorf("%s has no row", c.ID)
			continue
		}
		if len(c.Serves) == 0 {
			t.Errorf("%s serves no requirement", c.ID)
		}
		for _, no := range c.Serves {
			if !slices.ContainsFunc(all.Requirements, func(r all.Requirement) bool { return r.No == no }) {
				t.Errorf("%s serves %s, which is none", c.ID, no)
			}
		}
	}
}

func TestMatrixFormats(t *testing.T) {
	var markdown, values bytes.Buffer
	if err := all.WriteMatrix(&markdown); err != nil {
		t.Fatal(err)
	}
	if err := all.WriteMatrixCSV(&values); err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(&values).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	if len(rows) != 1+len(all.Matrix()) {
		t.Errorf("%d rows of %d", len(rows), 1+len(all.Matrix()))
	}
	for _, row := range rows[1:] {
		if !strings.Contains(markdown.String(), "| "+row[0]+" | "+row[1]+" |") {
			t.Errorf("Markdown lacks %s", row[0])
		}
	}
	for _, want := range []string{"| eksafe audit | command |", "| (eksafe guard) | command |", "| S41 | "} {
		if !strings.Contains(markdown.String(), want) {
			t.Errorf("Markdown lacks %q", want)
		}
	}
}
