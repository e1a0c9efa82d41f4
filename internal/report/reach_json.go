package report

import (
	"bufio"
	"encoding/json"
	"io"
	"time"

	"github.com/eksafe/eksafe/internal/estate"
	"github.com/eksafe/eksafe/internal/reach"
	"github.com/eksafe/eksafe/internal/trace"
)

type groupInfo struct {
	Name      string             `json:"name"`
	Kind      reach.EndpointKind `json:"kind"`
	Namespace string             `json:"namespace,omitempty"`
	Endpoints []estate.Ref       `json:"endpoints"`
}

type cellInfo struct {
	From     string        `json:"from"`
	To       string        `json:"to"`
	Verdict  reach.Verdict `json:"verdict"`
	Allowed  []portsInfo   `json:"allowed"`
	Possible []portsInfo   `json:"possible"`
	Witness  struct {
		From estate.Ref `json:"from"`
		To   estate.Ref `json:"to"`
	} `json:"witness"`
}

type replyInfo struct {
	From     estate.Ref    `json:"from"`
	To       estate.Ref    `json:"to"`
	Verdict  reach.Verdict `json:"verdict"`
	Allowed  []portsInfo   `json:"allowed"`
	Possible []portsInfo   `json:"possible"`
	Answers  []answerInfo  `json:"answers"`
}

type answerInfo struct {
	Protocol      reach.Protocol   `json:"protocol"`
	Port          int              `json:"port"`
	Verdict       reach.Verdict    `json:"verdict"`
	Source        string           `json:"source"`
	Destination   string           `json:"destination"`
	Through       string           `json:"through,omitempty"`
	Encryption    trace.Encryption `json:"encryption"`
	EncryptionWhy string           `json:"encryptionWhy,omitempty"`
	Layers        []layerInfo      `json:"layers"`
	Change        string           `json:"change,omitempty"`
	Notes         []string         `json:"notes,omitempty"`
}

type layerInfo struct {
	Layer    reach.LayerKind `json:"layer"`
	Of       string          `json:"of,omitempty"`
	Verdict  reach.Verdict   `json:"verdict"`
	Enforced trace.Ternary   `json:"enforced"`
	By       string          `json:"by,omitempty"`
	Why      string          `json:"why"`
	Rules    []ruleInfo      `json:"rules"`
}

type ruleInfo struct {
	Subject  estate.Ref    `json:"subject"`
	Field    string        `json:"field,omitempty"`
	Says     string        `json:"says"`
	Location *locationInfo `json:"location,omitempty"`
}

type locationInfo struct {
	File string `json:"file"`
	Line int    `json:"line"`
}

func located(p trace.Place) *locationInfo {
	file, line := p.Origin.Locate(p.Field)
	if file == "" {
		return nil
	}
	return &locationInfo{file, line}
}

func replyOf(r *reach.Reply) replyInfo {
	out := replyInfo{
		From: r.From.Ref, To: r.To.Ref, Verdict: r.Verdict(), Allowed: portsOf(&r.Allowed), Possible: portsOf(&r.Possible), Answers: []answerInfo{},
	}
	for _, a := range r.Answers {
		info := answerInfo{
			Protocol: a.Protocol, Port: int(a.Port), Verdict: a.Verdict, Source: a.Source, Destination: a.Destination, Through: a.Through,
			Encryption: a.Encryption, EncryptionWhy: a.EncryptionWhy, Change: a.Change, Notes: a.Notes, Layers: []layerInfo{},
		}
		for _, l := range a.Layers {
			li := layerInfo{Layer: l.Kind, Of: l.Of, Verdict: l.Verdict, Enforced: l.Enforced, By: l.By, Why: l.Why, Rules: []ruleInfo{}}
			for _, rule := range l.Rules {
				li.Rules = append(li.Rules, ruleInfo{rule.Subject, rule.Field, rule.Says, located(rule.Place)})
			}
			info.Layers = append(info.Layers, li)
		}
		out.Answers = append(out.Answers, info)
	}
	return out
}

// WriteJSON writes it as JSON of ReachSchemaVersion. Cells through which nothing
// gets are left out of a matrix: they are denied.
func (r *Reach) WriteJSON(w io.Writer) error {
	out := &jsonWriter{w: bufio.NewWriterSize(w, 1<<16)}
	out.enc = json.NewEncoder(&out.part)
	out.enc.SetEscapeHTML(false)
	out.object(func() { r.writeJSON(out) })
	out.raw("\n")
	if out.err != nil {
		return out.err
	}
	return out.w.Flush()
}

func (r *Reach) writeJSON(out *jsonWriter) {
	out.field("schemaVersion", ReachSchemaVersion)
	out.field("generatedAt", r.GeneratedAt.UTC().Format(time.RFC3339))
	out.field("tool", toolInfo{Tool, r.ToolVersion})
	sources := []sourceInfo{}
	for _, s := range r.Estate.Sources {
		sources = append(sources, sourceInfo{s.Kind, s.Name, full(s.Coverage), s.Problems, s.Ignored})
	}
	out.field("sources", sources)
	if r.Changes == nil {
		out.field("enforcement", struct {
			Enforced trace.Ternary `json:"enforced"`
			By       string        `json:"by"`
		}{r.Enforced, r.By})
	}
	if m := r.Matrix; m != nil {
		out.list("groups", len(m.Groups), func(i int) {
			g := m.Groups[i]
			info := groupInfo{Name: g.Name, Kind: g.Kind, Namespace: g.Namespace}
			for _, e := range g.Endpoints {
				info.Endpoints = append(info.Endpoints, e.Ref)
			}
			out.value(info)
		})
		out.list("cells", len(m.Cells), func(i int) {
			c := &m.Cells[i]
			info := cellInfo{From: c.From.Name, To: c.To.Name, Verdict: c.Verdict(), Allowed: portsOf(&c.Allowed), Possible: portsOf(&c.Possible)}
			info.Witness.From, info.Witness.To = c.Source.Ref, c.Destination.Ref
			out.value(info)
		})
	}
	if r.Question != nil {
		out.list("replies", len(r.Replies), func(i int) { out.value(replyOf(r.Replies[i])) })
	}
	if r.Outcomes != nil {
		out.list("expectations", len(r.Outcomes), func(i int) {
			o := &r.Outcomes[i]
			info := struct {
				Expectation string     `json:"expectation"`
				Line        int        `json:"line"`
				Holds       bool       `json:"holds"`
				Error       string     `json:"error,omitempty"`
				Against     *replyInfo `json:"against,omitempty"`
			}{Expectation: o.Expectation.String(), Line: o.Expectation.Line, Holds: o.Holds}
			if o.Err != nil {
				info.Error = o.Err.Error()
			}
			if o.Against != nil {
				reply := replyOf(o.Against)
				info.Against = &reply
			}
			out.value(info)
		})
	}
	if r.Changes != nil {
		out.list("changes", len(r.Changes), func(i int) {
			c := &r.Changes[i]
			out.value(changeInfo{c.From, c.To, portsOf(&c.Opened), portsOf(&c.Closed)})
		})
	}
	if r.Suggestion != nil {
		out.name("suggestion")
		out.object(func() { writeSuggestion(out, r.Suggestion) })
	}
}
