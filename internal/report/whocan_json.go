package report

import (
	"encoding/json"
	"io"
	"time"

	"github.com/eksafe/eksafe/internal/access"
	"github.com/eksafe/eksafe/internal/estate"
)

// The comments of these types and their fields are the descriptions of
// docs/reference/who-can.schema.json.

// A whoCanDocument is what eksafe who-can writes as JSON: one of holders, a
// principal and a suggestion.
type whoCanDocument struct {
	SchemaVersion string        `json:"schemaVersion"`   // the shape of the document
	GeneratedAt   time.Time     `json:"generatedAt"`     // when it was made: the only part that differs between two answers of one input
	Tool          toolInfo      `json:"tool"`            // what made it
	Question      string        `json:"question"`        // what was asked, in words
	Query         *access.Query `json:"query,omitempty"` // the right on the API server that was asked about; absent of other questions

	// Holders are who can do it: those to whom nothing is unclear first, then those with
	// the fewest steps. Of reach-admin, who becomes administrator of the cluster.
	Holders    []whoCanHolder    `json:"holders,omitzero"`
	Accounts   []whoCanHolder    `json:"accountAdmins,omitzero"` // of reach-admin: who becomes administrator of an account; absent where nothing of AWS was read
	Principal  *whoCanStanding   `json:"principal,omitempty"`    // of --principal: what it can do
	Suggestion *whoCanSuggestion `json:"suggestion,omitempty"`   // of eksafe who-can suggest: what would be left of its policies
	Unread     []string          `json:"unread,omitzero"`        // what could not be read, and may hide others; absent of a suggestion, of which the notes say it
	Assumed    []string          `json:"assumed,omitempty"`      // what may take some away, and was not read
}

// A whoCanIdentity is somebody who can do something: a user or group of Kubernetes,
// a service account, a pod, a node, a principal of AWS.
type whoCanIdentity struct {
	access.Identity
	Label string `json:"label"`          // what people call it
	Team  string `json:"team,omitempty"` // that answers for it, where one is declared
}

// A certainty says whether something holds.
type certainty string

const (
	certain   certainty = "yes"     // for certain
	uncertain certainty = "unclear" // perhaps: a condition, or something that was not read, decides
)

func certaintyOf(a access.Answer) certainty {
	if a == access.Yes {
		return certain
	}
	return uncertain
}

// A whoCanGrant is one statement that gives a right: a rule of a role, a binding, an
// access entry, a statement of a policy.
type whoCanGrant struct {
	Subject  *estate.Ref   `json:"subject,omitempty"`  // the resource that holds it; absent of what AWS or Kubernetes itself gives
	Field    string        `json:"field,omitempty"`    // path within the resource, in its own words
	Says     string        `json:"says"`               // in words
	Location *locationInfo `json:"location,omitempty"` // in the files that were read
}

// A whoCanStep is how one identity becomes another one.
type whoCanStep struct {
	From      whoCanIdentity `json:"from"`      // who becomes somebody else
	To        whoCanIdentity `json:"to"`        // who it becomes
	Technique string         `json:"technique"` // a word for how, of those in docs/who-can.md and the reference of the control iam-escalation
	How       string         `json:"how"`       // one phrase for people
	Certain   certainty      `json:"certain"`   // whether it can
	Grants    []whoCanGrant  `json:"grants"`    // what allows it; all of them are needed
}

// A whoCanHolder is somebody who has what was asked about, and a shortest way to it.
type whoCanHolder struct {
	Identity whoCanIdentity  `json:"identity"`          // who it is
	Certain  certainty       `json:"certain"`           // whether it has it
	Direct   bool            `json:"direct"`            // whether it was given it, itself or as whom it is let in; else it escalates
	Only     []string        `json:"only,omitempty"`    // names of the objects to which the right is limited; absent for all
	Through  *whoCanIdentity `json:"through,omitempty"` // the group that it is in by nature and has it from; absent where it has it by itself
	Unread   []string        `json:"unread,omitempty"`  // ARNs of policies of AWS that were named and not read, where it has it only if they allow it; absent where more is known
	Steps    []whoCanStep    `json:"steps"`             // from it to who is given the right, in order; none where that is itself
	Grants   []whoCanGrant   `json:"grants"`            // of the right itself, to who stands at the end of the steps
}

// A whoCanPowers is what a principal can do in one namespace.
type whoCanPowers struct {
	Namespace  string   `json:"namespace"`  // empty for the whole cluster
	Direct     []string `json:"direct"`     // words of the rights that matter most, as in read secrets
	Escalation []string `json:"escalation"` // those that it has only by becoming somebody else
	Unclear    []string `json:"unclear"`    // those that it has only if something holds that is not known
	Allows     []string `json:"allows"`     // the rules that it is given, in words
}

// A whoCanStanding is what one principal can do, and whom it can become.
type whoCanStanding struct {
	Identity whoCanIdentity   `json:"identity"`               // who it is
	Known    bool             `json:"known"`                  // whether the estate names it; else it has what everybody has
	Groups   []whoCanIdentity `json:"groups"`                 // that it is in by nature
	Admin    *whoCanHolder    `json:"admin,omitempty"`        // how it becomes administrator of the cluster; absent where it does not
	Account  *whoCanHolder    `json:"accountAdmin,omitempty"` // how it becomes administrator of an account of AWS; absent where it does not
	Places   []whoCanPowers   `json:"namespaces"`             // the whole cluster first, then by namespace
	Becomes  []whoCanHolder   `json:"becomes"`                // whom it can become, each with the steps to it
}

// A whoCanSuggestion is what would be left of the policies of a principal if it kept
// what it uses.
type whoCanSuggestion struct {
	Principal whoCanIdentity `json:"principal"` // whose policies they are
	*access.Suggestion
}

// WriteJSON writes the answer as JSON of WhoCanVersion.
func (a *WhoCan) WriteJSON(w io.Writer) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(a.document())
}

func (a *WhoCan) document() whoCanDocument {
	out := whoCanDocument{
		SchemaVersion: WhoCanVersion, GeneratedAt: a.GeneratedAt.UTC().Truncate(time.Second), Tool: toolInfo{Tool, a.ToolVersion},
		Question: a.Question, Query: a.Query, Assumed: a.Assumed,
	}
	switch {
	case a.Suggestion != nil:
		out.Suggestion = &whoCanSuggestion{a.identity(a.Of), a.Suggestion}
		return out
	case a.Standing != nil:
		out.Principal = a.standingOf(a.Standing)
	default:
		out.Holders = a.holdersOf(a.Holders)
	}
	if a.Accounts != nil {
		out.Accounts = a.holdersOf(a.Accounts)
	}
	out.Unread = full(a.Unread)
	return out
}

func (a *WhoCan) standingOf(s *access.Standing) *whoCanStanding {
	out := &whoCanStanding{
		Identity: a.identity(s.Identity), Known: s.Known, Groups: []whoCanIdentity{}, Places: []whoCanPowers{}, Becomes: a.holdersOf(s.Becomes),
	}
	for _, g := range s.Groups {
		out.Groups = append(out.Groups, a.identity(g))
	}
	if s.Admin != nil {
		h := a.holderOf(*s.Admin)
		out.Admin = &h
	}
	if s.Account != nil {
		h := a.holderOf(*s.Account)
		out.Account = &h
	}
	for _, p := range s.Places {
		out.Places = append(out.Places, whoCanPowers{p.Namespace, full(p.Direct), full(p.Escalation), full(p.Unclear), full(p.Allows)})
	}
	return out
}

func (a *WhoCan) identity(id access.Identity) whoCanIdentity {
	return whoCanIdentity{id, id.Label(), a.team(id)}
}

func (a *WhoCan) holdersOf(holders []access.Holder) []whoCanHolder {
	out := make([]whoCanHolder, 0, len(holders))
	for _, h := range holders {
		out = append(out, a.holderOf(h))
	}
	return out
}

func (a *WhoCan) holderOf(h access.Holder) whoCanHolder {
	out := whoCanHolder{
		Identity: a.identity(h.Identity), Certain: certaintyOf(h.Certain), Direct: h.Direct(), Only: h.Only, Unread: h.Unread,
		Steps: []whoCanStep{}, Grants: grantsOf(h.Chain.Grants),
	}
	if h.Through != (access.Identity{}) {
		through := a.identity(h.Through)
		out.Through = &through
	}
	for _, s := range h.Chain.Steps {
		out.Steps = append(out.Steps, whoCanStep{a.identity(s.From), a.identity(s.To), s.Technique, s.How, certaintyOf(s.Certain), grantsOf(s.Grants)})
	}
	return out
}

func grantsOf(grants []access.Grant) []whoCanGrant {
	out := []whoCanGrant{}
	for _, g := range grants {
		one := whoCanGrant{Subject: subject(g.Subject), Field: g.Field, Says: g.Says}
		if file, line := g.Origin.Locate(g.Field); file != "" {
			one.Location = &locationInfo{file, line}
		}
		out = append(out, one)
	}
	return out
}
