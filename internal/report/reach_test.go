package report_test

import (
	"bytes"
	"encoding/json"
	"io"
	"strings"
	"testing"

	"github.com/eksafe/eksafe/internal/estate"
	"github.com/eksafe/eksafe/internal/reach"
	"github.com/eksafe/eksafe/internal/report"
)

// No format for people or for spreadsheets holds what a terminal would obey;
// JSON keeps names as they are.
func TestReachOfHostileNames(t *testing.T) {
	const name = "shop/in\x1b[2J\u202egrp\u200b"
	g := &reach.Group{Name: name, Kind: reach.WorkloadEndpoint}
	formula := &reach.Group{Name: "\t=cmd", Kind: reach.WorkloadEndpoint}
	end := &reach.Endpoint{Name: name}
	all := reach.PortsOf(reach.TCP, 80, 80)
	r := &report.Reach{
		Estate: &estate.Estate{}, By: name, Args: []string{name},
		Matrix: &reach.Matrix{Groups: []*reach.Group{g, formula}, Cells: []reach.Cell{{From: g, To: formula, Source: end, Destination: end, Allowed: &all, Possible: &all}}},
	}
	asked, changed := *r, *r
	asked.Question, asked.Replies = &reach.Question{To: name}, []*reach.Reply{{From: end, To: end, Allowed: all, Possible: all}}
	changed.Changes = []reach.Change{{From: name, To: name, Opened: all}}
	for format, write := range map[string]func(io.Writer) error{
		"csv": r.WriteCSV, "csv of replies": asked.WriteCSV, "csv of changes": changed.WriteCSV, "dot": r.WriteDOT, "html": r.WriteHTML,
		"text": func(w io.Writer) error { return r.WriteText(w, report.Options{Unicode: true}) },
	} {
		var b bytes.Buffer
		if err := write(&b); err != nil {
			t.Fatal(format, err)
		}
		if s := b.String(); strings.ContainsAny(s, "\x1b\u202e\u200b") || !strings.Contains(s, `x1b[2J`) || !strings.Contains(s, `u202egrp`) {
			t.Errorf("%s is not clean:\n%q", format, s)
		}
		if format == "csv" && !strings.Contains(b.String(), ",' =cmd,") {
			t.Errorf("a formula:\n%q", b.String())
		}
	}
	var b bytes.Buffer
	var doc struct{ Groups []struct{ Name string } }
	if err := r.WriteJSON(&b); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b.Bytes(), &doc); err != nil || len(doc.Groups) == 0 || doc.Groups[0].Name != name || strings.Contains(b.String(), "\x1b") {
		t.Errorf("%v: %+v", err, doc)
	}
}
