// Package reported reads what other tools found from files: SARIF 2.1.0, OCSF
// findings, and findings in the AWS Security Finding Format.
//
// A file is strict in what makes a finding and tolerant in everything else:
// fields that are not read may hold anything. Of a result's own message nothing
// enters the estate, for scanners quote in it what they found, secrets too: the
// title is that of the rule. A file may have 100 MB and 100,000 findings.
package reported

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/eksafe/eksafe/internal/estate"
)

const (
	// MaxFile bounds a file.
	MaxFile = 100 << 20
	// headSize is how much of a file that is too long is looked at.
	headSize = 1 << 20
	// maxFindings bounds the findings of a file: a report that nobody can read
	// is no use, and one that an attacker made should not cost memory.
	maxFindings  = 100_000
	maxText      = 300
	maxResources = 32
)

// A Format is what a file of findings is written in.
type Format string

const (
	SARIF Format = "SARIF"
	OCSF  Format = "OCSF"
	ASFF  Format = "ASFF"
)

// topLevel are the fields of an object that tell a format.
type topLevel struct {
	Version       json.RawMessage `json:"version"`
	Runs          json.RawMessage `json:"runs"`
	ClassUID      json.RawMessage `json:"class_uid"`
	Metadata      json.RawMessage `json:"metadata"`
	SchemaVersion json.RawMessage `json:"SchemaVersion"`
	ProductArn    json.RawMessage `json:"ProductArn"`
	Findings      json.RawMessage `json:"Findings"`
}

func (t *topLevel) format() (Format, bool) {
	switch {
	case t.Runs != nil && t.Version != nil:
		return SARIF, true
	case t.ClassUID != nil && t.Metadata != nil:
		return OCSF, true
	case t.SchemaVersion != nil && t.ProductArn != nil:
		return ASFF, true
	}
	return "", false
}

// Recognise says in which format data are findings, from its first object.
func Recognise(data []byte) (Format, bool) { return recognise(data, true) }

// recognise looks into the list Findings only of the outermost object: a list
// in a list in a list would be read once for each level.
func recognise(data []byte, outermost bool) (Format, bool) {
	d := json.NewDecoder(bytes.NewReader(data))
	if trimmed := bytes.TrimLeft(data, " \t\r\n"); len(trimmed) == 0 || trimmed[0] != '[' && trimmed[0] != '{' {
		return "", false
	} else if trimmed[0] == '[' {
		if _, err := d.Token(); err != nil || !d.More() {
			return "", false
		}
	}
	var top topLevel
	if d.Decode(&top) != nil {
		return "", false
	}
	if f, ok := top.format(); ok {
		return f, ok
	}
	if list := bytes.TrimLeft(top.Findings, " \t\r\n"); outermost && len(list) > 0 && list[0] == '[' {
		if f, ok := recognise(list, false); ok {
			return f, ok
		}
		// What BatchImportFindings takes of an estate without findings.
		if bytes.Equal(bytes.Join(bytes.Fields(list), nil), []byte("[]")) {
			return ASFF, true
		}
	}
	return "", false
}

// Begins reports whether data begin as findings do. It is for files that are
// too long to be read, so that they can be told what they are.
func Begins(data []byte) bool {
	data = data[:min(len(data), headSize)]
	if _, ok := Recognise(data); ok {
		return true
	}
	// The first object does not end here. What makes it long is a list: that of
	// runs, or of findings, the first of which is whole.
	d := json.NewDecoder(bytes.NewReader(data))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return false
	}
	for {
		name, err := d.Token()
		if err != nil {
			return false
		}
		rest := bytes.TrimLeft(data[d.InputOffset():], ": \t\r\n")
		var value json.RawMessage
		if d.Decode(&value) == nil {
			continue
		}
		if name == "Findings" {
			_, ok := recognise(rest, false)
			return ok
		}
		return name == "runs" && len(rest) > 0 && rest[0] == '['
	}
}

// Read reads the findings of a file into an estate of their own.
func Read(name string, data []byte) (*estate.Estate, error) {
	if len(data) > MaxFile {
		return nil, fail(name, fmt.Errorf("has more than %d MB; export fewer findings, or to several files", MaxFile>>20))
	}
	format, ok := Recognise(data)
	if !ok {
		return nil, fail(name, errors.New("is neither SARIF, OCSF nor ASFF; give one of them"))
	}
	if !utf8.Valid(data) {
		return nil, fail(name, errors.New("is not UTF-8; save it as UTF-8"))
	}
	r := &reader{name: name}
	var err error
	switch format {
	case SARIF:
		err = r.readSARIF(data)
	case OCSF:
		err = r.each(data, r.ocsf)
	default:
		err = r.each(data, r.asff)
	}
	if err != nil {
		return nil, fail(name, err)
	}
	e := &estate.Estate{}
	estate.ImportedFindings.Add(e, r.out...)
	e.Sources = []estate.Source{{
		Kind: estate.FindingsSource, Name: name,
		Coverage: []estate.Coverage{{Kind: estate.ImportedFindings.Kind, State: estate.Read, Count: len(r.out)}},
	}}
	return e, nil
}

// fail says in one line what is wrong with a file. The words are ours: an error
// of the decoder may quote the input.
func fail(name string, err error) error {
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	switch {
	case errors.As(err, &syntax), errors.Is(err, io.ErrUnexpectedEOF):
		err = errors.New("is not valid JSON; export it again")
	case errors.As(err, &kind):
		err = fmt.Errorf("has another type at %q than the format says; export it again", clip(kind.Field))
	}
	return fmt.Errorf("reading findings: %s %w", name, err)
}

type reader struct {
	name string
	out  []*estate.ReportedFinding
}

// add keeps a finding. Its place in the file is its identity where the tool
// gave it none.
func (r *reader) add(f *estate.ReportedFinding) error {
	if len(r.out) >= maxFindings {
		return fmt.Errorf("has more than %d findings; export the severe ones alone", maxFindings)
	}
	f.Origin = estate.Origin{File: r.name}
	f.Arn = fmt.Sprintf("finding:%s#%d", r.name, len(r.out)+1)
	if strings.HasPrefix(f.Id, "arn:") {
		f.Arn = f.Id
	}
	f.Resources = references(f.Resources)
	r.out = append(r.out, f)
	return nil
}

// each calls read for every object of the file: of an array, of the list
// Findings, or of lines.
func (r *reader) each(data []byte, read func([]byte) error) error {
	d := json.NewDecoder(bytes.NewReader(data))
	trimmed := bytes.TrimLeft(data, " \t\r\n")
	n := 0
	one := func(raw json.RawMessage) error {
		if n++; n > maxFindings {
			return fmt.Errorf("has more than %d findings; export the severe ones alone", maxFindings)
		}
		if err := read(raw); err != nil {
			return fmt.Errorf("finding %d: %w", n, err)
		}
		return nil
	}
	if trimmed[0] == '{' {
		for {
			var raw json.RawMessage
			if err := d.Decode(&raw); errors.Is(err, io.EOF) {
				return nil
			} else if err != nil {
				return err
			}
			var top topLevel
			if err := json.Unmarshal(raw, &top); err != nil {
				return err
			}
			if _, ok := top.format(); ok || top.Findings == nil {
				if err := one(raw); err != nil {
					return err
				}
				continue
			}
			if top.Findings[0] != '[' {
				return errors.New("has no list of findings where one should be; export it again")
			}
			if err := r.each(top.Findings, read); err != nil {
				return err
			}
		}
	}
	if _, err := d.Token(); err != nil {
		return err
	}
	for d.More() {
		var raw json.RawMessage
		if err := d.Decode(&raw); err != nil {
			return err
		}
		if err := one(raw); err != nil {
			return err
		}
	}
	_, err := d.Token()
	return err
}

// bounded is a list that is read element by element, so that a list without an
// end costs no more than maxFindings elements.
type bounded[T any] []T

// UnmarshalJSON reads the list, or nothing for null.
func (b *bounded[T]) UnmarshalJSON(data []byte) error {
	if bytes.Equal(data, []byte("null")) {
		return nil
	}
	d := json.NewDecoder(bytes.NewReader(data))
	if t, err := d.Token(); err != nil {
		return err
	} else if t != json.Delim('[') {
		return errors.New("has another type where a list should be; export it again")
	}
	for d.More() {
		if len(*b) >= maxFindings {
			return fmt.Errorf("has more than %d entries in one list; export fewer findings", maxFindings)
		}
		var v T
		if err := d.Decode(&v); err != nil {
			return err
		}
		*b = append(*b, v)
	}
	return nil
}

// clip bounds a text that a third party wrote, and takes from it what a
// terminal would obey.
func clip(s string) string {
	s = strings.Join(strings.FieldsFunc(s, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }), " ")
	if runes := []rune(s); len(runes) > maxText {
		return string(runes[:maxText]) + "…"
	}
	return s
}

// web returns an address that a reader may follow, or nothing.
func web(u string) string {
	if strings.HasPrefix(u, "https://") && len(u) <= maxText && strings.IndexFunc(u, func(r rune) bool { return r <= ' ' || r > '~' }) < 0 {
		return u
	}
	return ""
}

func references(in []string) []string {
	var out []string
	for _, s := range in {
		if s = strings.TrimSpace(s); s != "" && len(s) <= 2048 {
			out = append(out, s)
		}
	}
	slices.Sort(out)
	out = slices.Compact(out)
	return out[:min(len(out), maxResources)]
}

func moment(t time.Time) estate.Optional[time.Time] {
	if t.IsZero() || t.Year() < 1990 || t.Year() > 9999 {
		return estate.Optional[time.Time]{}
	}
	return estate.Known(t.UTC())
}

// parsed reads a time as AWS writes it.
func parsed(s string) estate.Optional[time.Time] {
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		return estate.Optional[time.Time]{}
	}
	return moment(t)
}
