package report

import (
	"io"
	"reflect"
	"time"

	"github.com/eksafe/eksafe/internal/estate"
	"github.com/eksafe/eksafe/internal/reach"
	"github.com/eksafe/eksafe/internal/trace"
)

// The comments of these types and their fields are the descriptions of
// docs/reference/reach.schema.json.

// A reachDocument is what eksafe reach writes as JSON: one of the matrix, replies,
// expectations, changes and a suggestion, and what it stands on.
type reachDocument struct {
	SchemaVersion string    `json:"schemaVersion"` // the shape of the document
	GeneratedAt   time.Time `json:"generatedAt"`   // when it was made: the only part that differs between two answers of one input
	Tool          toolInfo  `json:"tool"`          // what made it

	Sources     []sourceInfo     `json:"sources"`              // what was read; of a comparison that of AFTER
	Enforcement *enforcementInfo `json:"enforcement,omitzero"` // whether network policies work; absent from a comparison

	Grouping *groupingInfo     `json:"grouping,omitzero"` // how the matrix is folded
	Groups   stream[groupInfo] `json:"groups,omitzero"`   // the rows and columns of the matrix
	// Cells are those of the matrix through which something gets, or may. One
	// that is missing is denied.
	Cells        stream[cellInfo]        `json:"cells,omitzero"`
	Replies      stream[replyInfo]       `json:"replies,omitzero"`      // the answers to --from and --to, one for each pair of ends, the most open first; of one end only those that are not denied
	Expectations stream[expectationInfo] `json:"expectations,omitzero"` // what came of each expectation in the file of --expect, in its order
	Changes      stream[changeInfo]      `json:"changes,omitzero"`      // what opened and what closed between the two estates of eksafe reach diff
	Suggestion   *suggestionInfo         `json:"suggestion,omitzero"`   // of eksafe reach suggest: the least that workloads need
}

// An enforcementInfo says whether something makes network policies work.
type enforcementInfo struct {
	Enforced trace.Ternary `json:"enforced"`         // on every node; where it is not known, policies are taken to be enforced
	Partly   bool          `json:"partly,omitempty"` // on some nodes, where it is not on every one
	By       string        `json:"by"`               // what makes them work, or why nothing does; empty where nothing is known
}

// A groupingInfo is what the matrix shows as one.
type groupingInfo struct {
	By  string `json:"by"`            // application, workload or namespace
	Why string `json:"why,omitempty"` // why it is by namespace though nobody asked for that: by application the matrix would be too large
}

// A groupInfo is ends that the matrix shows as one.
type groupInfo struct {
	Name      string             `json:"name"`                // unique among the groups
	Kind      reach.EndpointKind `json:"kind"`                // of its first end
	Namespace string             `json:"namespace,omitempty"` // of its first end; absent outside the cluster
	Endpoints []estate.Ref       `json:"endpoints"`           // all of its ends
}

// A cellInfo is what one group reaches of another one, or of itself.
type cellInfo struct {
	From     string        `json:"from"`     // the name of a group
	To       string        `json:"to"`       // the name of a group
	Verdict  reach.Verdict `json:"verdict"`  // the most open that a port has
	Allowed  []portsInfo   `json:"allowed"`  // ports that some end of the one reaches on some end of the other
	Possible []portsInfo   `json:"possible"` // the allowed ports, and those of which it is not known
	Witness  witnessInfo   `json:"witness"`  // two ends between which something gets through, or may
}

// A witnessInfo is the ends of one connection.
type witnessInfo struct {
	From estate.Ref `json:"from"` // who begins it
	To   estate.Ref `json:"to"`   // who answers
}

// A replyInfo is what a question came to for one pair of ends.
type replyInfo struct {
	From     estate.Ref    `json:"from"`     // who begins the connection
	To       estate.Ref    `json:"to"`       // who answers it
	Verdict  reach.Verdict `json:"verdict"`  // the most open that a port has which was asked about
	Allowed  []portsInfo   `json:"allowed"`  // ports that get through, of those that were asked about
	Possible []portsInfo   `json:"possible"` // the allowed ports, and those of which it is not known
	Answers  []answerInfo  `json:"answers"`  // the explanation, port by port: of the port that was asked about, else of some that are served or that get through
}

// An answerInfo is whether one end reaches the other one at a port, and why.
type answerInfo struct {
	Protocol      reach.Protocol   `json:"protocol"`                // of the connection
	Port          uint16           `json:"port"`                    // of the connection; of ICMP its type and code (type<<8 + code), of IP the number of the protocol
	Verdict       reach.Verdict    `json:"verdict"`                 // of this port
	Source        string           `json:"source"`                  // where the connection that decided begins: a pod with its address, an address
	Destination   string           `json:"destination"`             // where the connection that decided ends
	Through       string           `json:"through,omitempty"`       // the port of nodes by which it gets to the pod; absent if it goes there itself
	Encryption    trace.Encryption `json:"encryption"`              // how data would travel
	EncryptionWhy string           `json:"encryptionWhy,omitempty"` // what makes it so
	Layers        []layerInfo      `json:"layers"`                  // what the connection meets, in order; all must allow it. Behind one that denies there may be more
	Change        string           `json:"change,omitempty"`        // the smallest change that would allow what is denied
	Notes         []string         `json:"notes,omitempty"`         // the readings that were taken where an API leaves open what it means, and what is not followed
}

// A layerInfo is what one of the layers says of a connection.
type layerInfo struct {
	Layer    reach.LayerKind `json:"layer"`        // what it is made of
	Of       string          `json:"of,omitempty"` // whose it is, as in shop/web
	Verdict  reach.Verdict   `json:"verdict"`      // of this layer alone
	Enforced trace.Ternary   `json:"enforced"`     // whether something makes the layer work: one that is known not to be enforced allows everything, one of which it is not known is taken to be enforced
	By       string          `json:"by,omitempty"` // what enforces it, or why nothing does
	Why      string          `json:"why"`          // one sentence
	Rules    []ruleInfo      `json:"rules"`        // those that decide: for an allowance all that allow it, for a denial the one that denies or those that isolate
}

// A ruleInfo is where a decision is written.
type ruleInfo struct {
	Name     string        `json:"name"`               // as people call it: NetworkPolicy shop/web
	Subject  *estate.Ref   `json:"subject,omitempty"`  // the resource that holds it; absent where none does
	Field    string        `json:"field,omitempty"`    // path within the resource, in its own words
	Says     string        `json:"says"`               // what it does: allows TCP 5432 to 10.0.2.0/28
	Location *locationInfo `json:"location,omitempty"` // in the files that were read
}

// An expectationInfo is one line of a file of expectations, and whether it holds.
type expectationInfo struct {
	Expectation string        `json:"expectation"`       // in one line, for people
	From        string        `json:"from"`              // the reference of who is meant; "*" is every workload
	To          string        `json:"to"`                // the reference of who is reached; "*" is every workload and everything of AWS
	Except      []string      `json:"except,omitempty"`  // references of who is not meant among those
	Port        string        `json:"port,omitempty"`    // as the file has it, such as 5432 or 53/UDP; absent for every port
	Verdict     reach.Verdict `json:"verdict"`           // what is expected, allowed or denied
	Line        int           `json:"line"`              // in the file, from 1
	Holds       bool          `json:"holds"`             // whether it is so; an answer that is not known meets no expectation
	Error       string        `json:"error,omitempty"`   // why it means nothing: a reference to what is not there
	Against     *replyInfo    `json:"against,omitempty"` // the reply that shows it is not so
}

// A changeInfo is ports that one end reaches on another one in one of two
// estates only. What is not known counts as reached.
type changeInfo struct {
	From   string      `json:"from"`   // the name of an end
	To     string      `json:"to"`     // the name of an end
	Opened []portsInfo `json:"opened"` // reached in the second estate alone
	Closed []portsInfo `json:"closed"` // reached in the first estate alone
}

// A locationInfo is a place in the files that were read.
type locationInfo struct {
	File string `json:"file"` // its path
	Line int    `json:"line"` // from 1
}

func located(p trace.Place) *locationInfo {
	file, line := p.Origin.Locate(p.Field)
	if file == "" {
		return nil
	}
	return &locationInfo{file, line}
}

// subject returns where something is written, nil where no resource holds it.
func subject(ref estate.Ref) *estate.Ref {
	if ref.IsZero() {
		return nil
	}
	return &ref
}

func replyOf(r *reach.Reply) replyInfo {
	out := replyInfo{
		From: r.From.Ref, To: r.To.Ref, Verdict: r.Verdict(), Allowed: portsOf(&r.Allowed), Possible: portsOf(&r.Possible), Answers: []answerInfo{},
	}
	for _, a := range r.Answers {
		out.Answers = append(out.Answers, answerOf(a))
	}
	return out
}

func answerOf(a *reach.Answer) answerInfo {
	info := answerInfo{
		Protocol: a.Protocol, Port: a.Port, Verdict: a.Verdict, Source: a.Source, Destination: a.Destination, Through: a.Through,
		Encryption: a.Encryption, EncryptionWhy: a.EncryptionWhy, Change: a.Change, Notes: a.Notes, Layers: []layerInfo{},
	}
	for _, l := range a.Layers {
		li := layerInfo{Layer: l.Kind, Of: l.Of, Verdict: l.Verdict, Enforced: l.Enforced, By: l.By, Why: l.Why, Rules: []ruleInfo{}}
		for _, rule := range l.Rules {
			li.Rules = append(li.Rules, ruleInfo{rule.Name, subject(rule.Subject), rule.Field, rule.Says, located(rule.Place)})
		}
		info.Layers = append(info.Layers, li)
	}
	return info
}

// WriteJSON writes it as JSON of ReachSchemaVersion.
func (r *Reach) WriteJSON(w io.Writer) error {
	return writeJSON(w, func(out *jsonWriter) { out.document(reflect.ValueOf(r.document())) })
}

func (r *Reach) document() reachDocument {
	doc := reachDocument{
		SchemaVersion: ReachSchemaVersion, GeneratedAt: r.GeneratedAt.UTC().Truncate(time.Second), Tool: toolInfo{Tool, r.ToolVersion},
		Sources: []sourceInfo{}, Expectations: streamed(r.Outcomes, expectationOf), Changes: streamed(r.Changes, changeOf),
	}
	for _, s := range r.Estate.Sources {
		doc.Sources = append(doc.Sources, sourceInfo{s.Kind, s.Name, full(s.Coverage), s.Problems, s.Ignored})
	}
	if r.Changes == nil {
		doc.Enforcement = &enforcementInfo{r.Enforced, r.Partly, r.By}
	}
	if m := r.Matrix; m != nil {
		doc.Grouping = &groupingInfo{r.GroupedBy, r.Folded}
		doc.Groups, doc.Cells = streamed(full(m.Groups), groupOf), streamed(full(m.Cells), cellOf)
	}
	if r.Question != nil {
		doc.Replies = streamed(full(r.Replies), func(reply **reach.Reply) replyInfo { return replyOf(*reply) })
	}
	if r.Suggestion != nil {
		doc.Suggestion = suggestionOf(r.Suggestion)
	}
	return doc
}

func groupOf(g **reach.Group) groupInfo {
	out := groupInfo{Name: (*g).Name, Kind: (*g).Kind, Namespace: (*g).Namespace, Endpoints: []estate.Ref{}}
	for _, e := range (*g).Endpoints {
		out.Endpoints = append(out.Endpoints, e.Ref)
	}
	return out
}

func cellOf(c *reach.Cell) cellInfo {
	return cellInfo{c.From.Name, c.To.Name, c.Verdict(), portsOf(c.Allowed), portsOf(c.Possible), witnessInfo{c.Source.Ref, c.Destination.Ref}}
}

func expectationOf(o *reach.Outcome) expectationInfo {
	x := &o.Expectation
	out := expectationInfo{
		Expectation: x.String(), From: x.From, To: x.To, Except: x.Except, Port: x.Port, Verdict: x.Verdict, Line: x.Line, Holds: o.Holds,
	}
	if o.Err != nil {
		out.Error = o.Err.Error()
	}
	if o.Against != nil {
		against := replyOf(o.Against)
		out.Against = &against
	}
	return out
}

func changeOf(c *reach.Change) changeInfo {
	return changeInfo{c.From, c.To, portsOf(&c.Opened), portsOf(&c.Closed)}
}
