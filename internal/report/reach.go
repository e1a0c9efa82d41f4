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

	Matrix    *reach.Matrix // who reaches whom
	GroupedBy string        // what one group of it is: application
	Folded    string        // why it is not what it usually is, empty where it is

	Question *reach.Question // what was asked
	Replies  []*reach.Reply  // to the question
	Outcomes []reach.Outcome // of expectations
	Expected string          // the file that holds these
	Changes  []reach.Change  // between two estates; not nil where two were compared

	Suggestion *reach.Suggestion // nil unless it was asked for
}

// A portsInfo is a range of ports of one protocol. A port of ICMP is its type and
// code, type<<8 + code; one of IP is the number of a protocol that has no name here.
type portsInfo struct {
	Protocol reach.Protocol `json:"protocol"` // of the ports
	First    uint16         `json:"first"`    // the lowest port
	Last     uint16         `json:"last"`     // the highest port, which belongs to the range
}

func portsOf(p *reach.Ports) []portsInfo {
	out := []portsInfo{}
	for protocol, ranges := range p {
		for _, r := range ranges {
			out = append(out, portsInfo{reach.Protocol(protocol), r.First, r.Last})
		}
	}
	return out
}
