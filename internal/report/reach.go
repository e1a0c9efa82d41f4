package report

import (
	"time"

	"github.com/eksafe/eksafe/internal/estate"
	"github.com/eksafe/eksafe/internal/reach"
	"github.com/eksafe/eksafe/internal/trace"
)

// ReachSchemaVersion names the shape of the JSON that eksafe reach writes.
const ReachSchemaVersion = "eksafe.dev/reach/v1"

// Reach is what eksafe reach has to say: one of its lists, and what it stands
// on.
type Reach struct {
	GeneratedAt time.Time
	ToolVersion string
	Args        []string
	Estate      *estate.Estate

	// Enforced says whether something makes network policies work on every node,
	// Partly that something does on some, and By why not.
	Enforced trace.Ternary
	Partly   bool
	By       string

	Matrix   *reach.Matrix   // who reaches whom
	Question *reach.Question // what was asked
	Replies  []*reach.Reply  // to the question
	Outcomes []reach.Outcome // of expectations
	Changes  []reach.Change  // between two estates; not nil where two were compared

	Suggestion *reach.Suggestion // nil unless it was asked for
}

// ports is the JSON of ports: ranges of each protocol.
type portsInfo struct {
	Protocol string `json:"protocol"`
	First    int    `json:"first"`
	Last     int    `json:"last"`
}

func portsOf(p *reach.Ports) []portsInfo {
	out := []portsInfo{}
	for protocol, ranges := range p {
		for _, r := range ranges {
			out = append(out, portsInfo{reach.Protocol(protocol).String(), int(r.First), int(r.Last)})
		}
	}
	return out
}
