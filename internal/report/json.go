package report

import (
	"bufio"
	"encoding/json"
	"io"
	"time"

	"github.com/eksafe/eksafe/internal/estate"
	"github.com/eksafe/eksafe/internal/finding"
	"github.com/eksafe/eksafe/internal/trace"
)

// SchemaVersion names the shape of the JSON report; docs/reference holds its
// JSON Schema.
const SchemaVersion = "eksafe.dev/report/v1"

type document struct {
	SchemaVersion string            `json:"schemaVersion"`
	GeneratedAt   string            `json:"generatedAt"`
	Tool          toolInfo          `json:"tool"`
	Sources       []sourceInfo      `json:"sources"`
	Summary       summary           `json:"summary"`
	Applications  []applicationInfo `json:"applications"`
	Results       []resultInfo      `json:"results"`
}

type toolInfo struct {
	Name    string `json:"name"`
	Version string `json:"version"`
}

type sourceInfo struct {
	Kind     estate.SourceKind `json:"kind"`
	Name     string            `json:"name"`
	Coverage []estate.Coverage `json:"coverage"`
	Problems []estate.Problem  `json:"problems,omitempty"`
	Ignored  []estate.Ignored  `json:"ignored,omitempty"`
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
	} `json:"findings"`
}

type applicationInfo struct {
	Name      string     `json:"name"`
	Namespace string     `json:"namespace"`
	Workloads []string   `json:"workloads"`
	Paths     []pathInfo `json:"paths"`
	Exposed   string     `json:"exposed"`
	Omitted   int        `json:"omittedPaths,omitempty"`
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
}

type resultInfo struct {
	Control  string            `json:"control"`
	Title    string            `json:"title"`
	Severity finding.Severity  `json:"severity"`
	Verdict  finding.Verdict   `json:"verdict"`
	Why      string            `json:"why"`
	Subjects int               `json:"subjects"`
	Findings []finding.Finding `json:"findings"`
	Gaps     []finding.Gap     `json:"gaps,omitempty"`
	Expected []finding.Gap     `json:"expected,omitempty"`
}

var exposureNames = map[trace.Exposure]string{trace.NoEntry: "no", trace.Internal: "internal", trace.Internet: "internet"}

// WriteJSON writes the report as JSON of SchemaVersion. Two reports of one
// input differ in generatedAt alone.
func (r *Report) WriteJSON(w io.Writer) error {
	buf := bufio.NewWriterSize(w, 1<<16)
	enc := json.NewEncoder(buf)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(r.document()); err != nil {
		return err
	}
	return buf.Flush()
}

func (r *Report) document() document {
	hung := r.attach()
	c := r.count()
	d := document{
		SchemaVersion: SchemaVersion,
		GeneratedAt:   r.GeneratedAt.UTC().Format(time.RFC3339),
		Tool:          toolInfo{Tool, r.ToolVersion},
		Sources:       []sourceInfo{},
		Applications:  []applicationInfo{},
		Results:       []resultInfo{},
	}
	d.Summary.Controls.Pass, d.Summary.Controls.Fail = c.pass, c.fail
	d.Summary.Controls.Unknown, d.Summary.Controls.NotApplicable = c.unknown, c.notApplicable
	f := &d.Summary.Findings
	f.Critical, f.High = c.severities[finding.Critical], c.severities[finding.High]
	f.Medium, f.Low = c.severities[finding.Medium], c.severities[finding.Low]
	for _, s := range r.sources() {
		d.Sources = append(d.Sources, sourceInfo{s.Kind, s.Name, full(s.Coverage), s.Problems, s.Ignored})
	}
	for _, app := range r.applications() {
		info := applicationInfo{
			Name: app.Name, Namespace: app.Namespace, Workloads: []string{},
			Exposed: exposureNames[app.Exposed], Paths: []pathInfo{}, Omitted: app.Omitted,
		}
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
				})
			}
			info.Paths = append(info.Paths, path)
		}
		d.Applications = append(d.Applications, info)
	}
	for _, res := range r.Results {
		d.Results = append(d.Results, resultInfo{
			Control: res.Control.ID, Title: res.Control.Title, Severity: res.Control.Severity,
			Verdict: res.Verdict, Why: res.Why, Subjects: res.Subjects,
			Findings: full(res.Findings), Gaps: res.Gaps, Expected: res.Expected,
		})
	}
	return d
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
