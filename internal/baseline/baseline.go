// Package baseline is the findings that were there when an estate was adopted:
// a file of them, and what is new since. It judges nothing; only what is new
// decides the outcome of an audit that is given one.
package baseline

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/eksafe/eksafe/internal/control"
	"github.com/eksafe/eksafe/internal/finding"
)

// Version names the shape of the file.
const Version = "eksafe.dev/baseline/v1"

// MaxSize bounds a file: a line has some 150 bytes, so this is more than a
// million findings.
const MaxSize = 256 << 20

// An Entry is one finding of a baseline. The fingerprint is its identity; the
// rest says to people what it is.
type Entry struct {
	Control     string `json:"control"`
	Subject     string `json:"subject"`
	Field       string `json:"field,omitempty"`
	Fingerprint string `json:"fingerprint"`
}

func compare(a, b Entry) int {
	return cmp.Or(cmp.Compare(a.Control, b.Control), cmp.Compare(a.Subject, b.Subject), cmp.Compare(a.Fingerprint, b.Fingerprint))
}

// A Baseline is the known findings, sorted.
type Baseline struct {
	entries []Entry
}

// Of returns the baseline of an audit. Accepted findings are not in it: when
// the exception ends, they must count again.
func Of(results []control.Result) *Baseline {
	b := &Baseline{}
	for i := range results {
		for j := range results[i].Findings {
			f := &results[i].Findings[j]
			if f.Exception == nil {
				b.entries = append(b.entries, Entry{results[i].Control.ID, f.Subject.ID, f.Field, f.Fingerprint})
			}
		}
	}
	slices.SortFunc(b.entries, compare)
	return b
}

// Len returns how many findings are known.
func (b *Baseline) Len() int { return len(b.entries) }

// Write writes the file: the same findings give the same bytes, one line each,
// so that a change of it can be reviewed.
func (b *Baseline) Write(w io.Writer) error {
	var out bytes.Buffer
	fmt.Fprintf(&out, "{\n  \"version\": %q,\n  \"findings\": [", Version)
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	for i, e := range b.entries {
		if i > 0 {
			out.WriteByte(',')
		}
		out.WriteString("\n    ")
		if err := enc.Encode(e); err != nil {
			return err
		}
		out.Truncate(out.Len() - 1)
	}
	if len(b.entries) > 0 {
		out.WriteString("\n  ")
	}
	out.WriteString("]\n}\n")
	_, err := w.Write(out.Bytes())
	return err
}

// Read reads a file. A file that is not whole and right is refused: one half
// of a baseline would make the other half new.
func Read(r io.Reader) (*Baseline, error) {
	data, err := io.ReadAll(io.LimitReader(r, MaxSize+1))
	if err != nil {
		return nil, err
	}
	if len(data) > MaxSize {
		return nil, fmt.Errorf("it is larger than %d MiB; write it anew with --write-baseline", MaxSize>>20)
	}
	var file struct {
		Version  string   `json:"version"`
		Findings *[]Entry `json:"findings"`
	}
	// The version is looked at first: another one may have other fields.
	if json.Unmarshal(data, &file) == nil && file.Version != Version && file.Version != "" {
		return nil, fmt.Errorf("its version is %.40q, this release reads %s; write it anew with --write-baseline", file.Version, Version)
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(&file); err != nil {
		return nil, fmt.Errorf("it is no baseline: %w; write it anew with --write-baseline", place(data, err))
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("something stands after its end; write it anew with --write-baseline")
	}
	if file.Version == "" || file.Findings == nil {
		return nil, errors.New("it is no baseline: it has no version or no findings; write it with --write-baseline")
	}
	b := &Baseline{entries: *file.Findings}
	seen := make(map[string]bool, len(b.entries))
	for _, e := range b.entries {
		switch {
		case e.Control == "" || e.Subject == "":
			return nil, errors.New("a finding in it has no control or no subject; write it anew with --write-baseline")
		case len(e.Fingerprint) != 20 || strings.Trim(e.Fingerprint, "0123456789abcdef") != "":
			return nil, fmt.Errorf("%.40q in it is no fingerprint; write it anew with --write-baseline", e.Fingerprint)
		case seen[e.Fingerprint]:
			return nil, fmt.Errorf("finding %s stands in it twice; write it anew with --write-baseline", e.Fingerprint)
		}
		seen[e.Fingerprint] = true
	}
	slices.SortFunc(b.entries, compare)
	return b, nil
}

// place adds the line to an error of the decoder.
func place(data []byte, err error) error {
	var syntax *json.SyntaxError
	var wrong *json.UnmarshalTypeError
	offset := int64(-1)
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF):
		return errors.New("it was cut")
	case errors.As(err, &syntax):
		offset = syntax.Offset
	case errors.As(err, &wrong):
		offset = wrong.Offset
	}
	if offset < 0 || offset > int64(len(data)) {
		return err
	}
	return fmt.Errorf("line %d: %w", 1+bytes.Count(data[:offset], []byte("\n")), err)
}

// A Comparison is an audit beside a baseline.
type Comparison struct {
	File     string  `json:"file"`
	New      int     `json:"new"`
	Known    int     `json:"known"`
	Gone     []Entry `json:"gone"`
	Unjudged []Entry `json:"unjudged,omitempty"` // known, and nobody could look this time
}

// Apply returns the results with the standing of each finding. A known one
// that was not found is gone only if its control could judge: what nobody saw
// is not mended.
func (b *Baseline) Apply(file string, results []control.Result) (*Comparison, []control.Result) {
	known := make(map[string]bool, len(b.entries))
	for _, e := range b.entries {
		known[e.Fingerprint] = true
	}
	c := &Comparison{File: file, Gone: []Entry{}}
	found := map[string]bool{}
	judged := map[string]*control.Result{}
	out := slices.Clone(results)
	for i := range out {
		res := &out[i]
		judged[res.Control.ID] = res
		res.Findings = slices.Clone(res.Findings)
		for j := range res.Findings {
			f := &res.Findings[j]
			found[f.Fingerprint] = true
			switch {
			case known[f.Fingerprint]:
				f.Baseline = finding.Known
			default:
				f.Baseline = finding.New
			}
			if f.Exception != nil {
				continue // it counts as accepted, not twice
			}
			if f.Baseline == finding.Known {
				c.Known++
			} else {
				c.New++
			}
		}
	}
	doubtful := map[[2]string]bool{}
	for i := range out {
		for _, g := range out[i].Gaps {
			doubtful[[2]string{out[i].Control.ID, g.Subject.ID}] = true
		}
	}
	for _, e := range b.entries {
		if found[e.Fingerprint] {
			continue
		}
		res := judged[e.Control]
		if res == nil || res.Unread != "" || res.Verdict == finding.Unknown && len(res.Gaps) == 0 || doubtful[[2]string{e.Control, e.Subject}] {
			c.Unjudged = append(c.Unjudged, e)
		} else {
			c.Gone = append(c.Gone, e)
		}
	}
	return c, out
}
