package report

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"reflect"
	"strings"
	"time"

	"github.com/eksafe/eksafe/internal/control"
	"github.com/eksafe/eksafe/internal/estate"
	"github.com/eksafe/eksafe/internal/finding"
	"github.com/eksafe/eksafe/internal/trace"
)

// SchemaVersion names the shape of the JSON report; docs/reference holds its
// JSON Schema.
const SchemaVersion = "eksafe.dev/report/v1"

// A toolInfo is the program that wrote a document.
type toolInfo struct {
	Name    string `json:"name"`    // always eksafe
	Version string `json:"version"` // of the release
}

// A sourceInfo is what one source gave to the estate.
type sourceInfo struct {
	Kind     estate.SourceKind `json:"kind"`               // what it reads
	Name     string            `json:"name"`               // a path, a context of kubectl, an account with its region
	Coverage []estate.Coverage `json:"coverage"`           // how far each kind could be read
	Problems []estate.Problem  `json:"problems,omitempty"` // parts of the input that were left out
	Ignored  []estate.Ignored  `json:"ignored,omitempty"`  // input of kinds that eksafe does not judge
}

type summary struct {
	Controls struct {
		Pass          int `json:"pass"`
		Fail          int `json:"fail"`
		Unknown       int `json:"unknown"`
		NotApplicable int `json:"notApplicable"`
		Excepted      int `json:"excepted"`
	} `json:"controls"`
	Findings struct {
		Critical int `json:"critical"`
		High     int `json:"high"`
		Medium   int `json:"medium"`
		Low      int `json:"low"`
		Excepted int `json:"excepted"` // in none of the others
	} `json:"findings"`
}

type applicationInfo struct {
	Name      string     `json:"name"`
	Namespace string     `json:"namespace"`
	Workloads []string   `json:"workloads"`
	Paths     []pathInfo `json:"paths"`
	Exposed   string     `json:"exposed"`
	Omitted   int        `json:"omittedPaths,omitempty"`
	Reported  []string   `json:"reported,omitempty"` // by other tools
}

type pathInfo struct {
	Hops []hopInfo `json:"hops"`
}

type hopInfo struct {
	From         estate.Ref       `json:"from"`
	To           estate.Ref       `json:"to"`
	Protocol     string           `json:"protocol"`
	Port         int32            `json:"port"`
	Encryption   trace.Encryption `json:"encryption"`
	PeerVerified trace.Ternary    `json:"peerVerified"`
	By           string           `json:"by"`
	Why          string           `json:"why"`
	Findings     []string         `json:"findings"`
	Broken       bool             `json:"broken,omitempty"`
	Reported     []string         `json:"reported,omitempty"`
}

var exposureNames = map[trace.Exposure]string{trace.NoEntry: "no", trace.Internal: "internal", trace.Internet: "internet"}

// WriteJSON writes the report as JSON of SchemaVersion. Two reports of one
// input differ in generatedAt alone.
func (r *Report) WriteJSON(w io.Writer) error {
	return writeJSON(w, func(out *jsonWriter) {
		out.object(func() { r.writeJSON(out) })
	})
}

func (r *Report) writeJSON(out *jsonWriter) {
	out.field("schemaVersion", SchemaVersion)
	out.field("generatedAt", r.GeneratedAt.UTC().Format(time.RFC3339))
	out.field("tool", toolInfo{Tool, r.ToolVersion})
	sources := []sourceInfo{}
	for _, s := range r.sources() {
		sources = append(sources, sourceInfo{s.Kind, s.Name, full(s.Coverage), s.Problems, s.Ignored})
	}
	out.field("sources", sources)
	out.field("summary", r.summary())
	if v := r.reviewed(); v != nil {
		out.field("review", v)
	}
	if r.Baseline != nil {
		out.field("baseline", r.Baseline)
	}
	if r.History != nil {
		out.field("history", r.History)
	}
	hung, others := r.attach(), r.others()
	out.list("applications", len(r.applications()), func(i int) { out.value(r.application(r.applications()[i], hung, others)) })
	if len(others.all) > 0 {
		out.list("reported", len(others.all), func(i int) { out.value(others.all[i]) })
	}
	out.list("results", len(r.Results), func(i int) { out.object(func() { writeResult(out, &r.Results[i]) }) })
}

func writeResult(out *jsonWriter, res *control.Result) {
	out.field("control", res.Control.ID)
	out.field("title", res.Control.Title)
	out.field("severity", res.Control.Severity)
	out.field("verdict", res.Verdict)
	out.field("why", res.Why)
	out.field("subjects", res.Subjects)
	out.list("findings", len(res.Findings), func(i int) { out.value(&res.Findings[i]) })
	if len(res.Gaps) > 0 {
		out.list("gaps", len(res.Gaps), func(i int) { out.value(res.Gaps[i]) })
	}
	if len(res.Expected) > 0 {
		out.list("expected", len(res.Expected), func(i int) { out.value(res.Expected[i]) })
	}
}

// A jsonWriter writes objects field by field and lists element by element: the
// report of a big estate need not stand in memory as a whole.
type jsonWriter struct {
	w      *bufio.Writer
	part   bytes.Buffer
	lines  []byte // the part, indented
	enc    *json.Encoder
	indent string
	fields int // of the current object
	err    error
}

// writeJSON writes one value and the end of its line.
func writeJSON(w io.Writer, write func(*jsonWriter)) error {
	out := &jsonWriter{w: bufio.NewWriterSize(w, 1<<16)}
	out.enc = json.NewEncoder(&out.part)
	out.enc.SetEscapeHTML(false)
	write(out)
	out.raw("\n")
	if out.err != nil {
		return out.err
	}
	return out.w.Flush()
}

func (j *jsonWriter) raw(s string) {
	j.w.WriteString(s) // the error stays until Flush
}

func (j *jsonWriter) value(v any) {
	if j.err != nil {
		return
	}
	j.part.Reset()
	if j.err = j.enc.Encode(v); j.err != nil {
		return
	}
	j.lines = appendIndented(j.lines[:0], bytes.TrimSuffix(j.part.Bytes(), []byte("\n")), j.indent)
	j.w.Write(j.lines)
}

// appendIndented does what json.Indent does, of JSON that is known to be valid
// and compact: validating it again took more time than making it.
func appendIndented(b, compact []byte, prefix string) []byte {
	depth := 0
	newline := func() {
		b = append(append(b, '\n'), prefix...)
		for range depth {
			b = append(b, "  "...)
		}
	}
	for i := 0; i < len(compact); {
		c := compact[i]
		switch c {
		case '"':
			end := i + 1 + textLen(compact[i+1:])
			b = append(b, compact[i:end+1]...)
			i = end + 1
			continue
		case '{', '[':
			b = append(b, c)
			if next := compact[i+1]; next == '}' || next == ']' {
				b = append(b, next)
				i += 2
				continue
			}
			depth++
			newline()
		case '}', ']':
			depth--
			newline()
			b = append(b, c)
		case ',':
			b = append(b, c)
			newline()
		case ':':
			b = append(b, ": "...)
		default:
			b = append(b, c)
		}
		i++
	}
	return b
}

// textLen returns how long a JSON string is that has begun: where its quote stands.
func textLen(rest []byte) int {
	for n := 0; ; n++ {
		n += bytes.IndexByte(rest[n:], '"')
		escapes := 0 // in front of the quote: by an odd number it is escaped itself
		for escapes < n && rest[n-1-escapes] == '\\' {
			escapes++
		}
		if escapes%2 == 0 {
			return n
		}
	}
}

// nested writes what stands between two brackets, further in.
func (j *jsonWriter) nested(open, end string, inner func()) {
	outer, fields := j.indent, j.fields
	j.indent, j.fields = outer+"  ", 0
	j.raw(open)
	inner()
	j.indent, j.fields = outer, fields
	j.raw("\n" + outer + end)
}

func (j *jsonWriter) object(fields func()) { j.nested("{", "}", fields) }

func (j *jsonWriter) name(name string) {
	if j.fields++; j.fields > 1 {
		j.raw(",")
	}
	j.raw("\n" + j.indent + "\"" + name + "\": ")
}

func (j *jsonWriter) field(name string, v any) {
	j.name(name)
	j.value(v)
}

func (j *jsonWriter) list(name string, n int, element func(int)) {
	j.name(name)
	if n == 0 {
		j.raw("[]")
		return
	}
	j.nested("[", "]", func() {
		for i := range n {
			if i > 0 {
				j.raw(",")
			}
			j.raw("\n" + j.indent)
			element(i)
		}
	})
}

// A stream is a list of which the elements are made while it is written. A nil
// one is empty, or with omitzero absent. Only the fields of what document writes
// may be streams.
type stream[T any] func(yield func(T) bool)

func (s stream[T]) each(write func(any)) {
	if s == nil {
		return
	}
	for v := range s {
		write(v)
	}
}

// streamed is the stream of what a function returns of each element of a list, nil
// for a nil list.
func streamed[S, T any](list []S, of func(*S) T) stream[T] {
	if list == nil {
		return nil
	}
	return func(yield func(T) bool) {
		for i := range list {
			if !yield(of(&list[i])) {
				return
			}
		}
	}
}

// document writes a struct as encoding/json does, but for its streams, also
// those of a struct that a field points to, which it writes element by element.
// Of the options of tags it knows omitzero.
func (j *jsonWriter) document(v reflect.Value) {
	j.object(func() {
		for field, value := range v.Fields() {
			name, option, _ := strings.Cut(field.Tag.Get("json"), ",")
			if option == "omitzero" && value.IsZero() {
				continue
			}
			part := value
			if part.Kind() == reflect.Pointer {
				part = part.Elem()
			}
			list, isList := part.Interface().(interface{ each(write func(any)) })
			switch {
			case isList:
				j.stream(name, list.each)
			case hasStreams(part.Type()):
				j.name(name)
				j.document(part)
			default:
				j.field(name, part.Interface())
			}
		}
	})
}

func hasStreams(t reflect.Type) bool {
	if t.Kind() != reflect.Struct {
		return false
	}
	for f := range t.Fields() {
		if f.Type.Kind() == reflect.Func {
			return true
		}
	}
	return false
}

func (j *jsonWriter) stream(name string, each func(write func(any))) {
	j.name(name)
	outer, end := j.indent, "]"
	j.indent += "  "
	open := "["
	each(func(v any) {
		j.raw(open + "\n" + j.indent)
		j.value(v)
		open, end = ",", "\n"+outer+"]"
	})
	if end == "]" {
		j.raw(open)
	}
	j.raw(end)
	j.indent = outer
}

func (r *Report) summary() summary {
	var s summary
	c := r.count()
	s.Controls.Pass, s.Controls.Fail = c.pass, c.fail
	s.Controls.Unknown, s.Controls.NotApplicable, s.Controls.Excepted = c.unknown, c.notApplicable, c.excepted
	s.Findings.Critical, s.Findings.High = c.severities[finding.Critical], c.severities[finding.High]
	s.Findings.Medium, s.Findings.Low = c.severities[finding.Medium], c.severities[finding.Low]
	s.Findings.Excepted = c.accepted
	return s
}

func (r *Report) application(app *trace.Application, hung *attachments, others *otherReports) applicationInfo {
	info := applicationInfo{
		Name: app.Name, Namespace: app.Namespace, Workloads: []string{},
		Exposed: exposureNames[app.Exposed], Paths: []pathInfo{}, Omitted: app.Omitted,
	}
	info.Reported = reportedIDs(others.at(r.resourcesOf(app)...))
	for _, w := range app.Workloads {
		info.Workloads = append(info.Workloads, estate.Workloads.Ref(w).ID)
	}
	for _, p := range app.Paths {
		path := pathInfo{Hops: []hopInfo{}}
		for _, h := range p.Hops {
			path.Hops = append(path.Hops, hopInfo{
				From: h.From, To: h.To, Protocol: h.Protocol, Port: h.Port,
				Encryption: h.Encryption, PeerVerified: h.PeerVerified,
				By: h.By, Why: h.Why, Broken: h.Broken,
				Findings: fingerprints(hung.hops[h]),
				Reported: reportedIDs(others.at(placesOf(h)...)),
			})
		}
		info.Paths = append(info.Paths, path)
	}
	return info
}

// full returns s, never nil: an empty list is [] to a machine, not null.
func full[T any](s []T) []T {
	if s == nil {
		return []T{}
	}
	return s
}

func fingerprints(fs []*finding.Finding) []string {
	out := make([]string, 0, len(fs))
	for _, f := range fs {
		out = append(out, f.Fingerprint)
	}
	return out
}
