package publish

import (
	"encoding/json"
	"slices"
)

// A Call is one operation that publishing makes and the IAM action that allows
// it.
type Call struct {
	Service   string // the SDK's service ID
	Operation string
	Action    string
}

// Calls lists every call that publishing may make.
func Calls() []Call { return slices.Clone(calls) }

var calls = []Call{
	{"STS", "GetCallerIdentity", "sts:GetCallerIdentity"},
	{"SecurityHub", "BatchImportFindings", "securityhub:BatchImportFindings"},
	{"SecurityHub", "GetFindings", "securityhub:GetFindings"},
}

// PolicyDocument returns the IAM policy that allows exactly [Calls], as
// indented JSON.
func PolicyDocument() ([]byte, error) {
	type statement struct {
		Sid, Effect string
		Action      []string
		Resource    string
	}
	s := statement{Sid: "EksafePublish", Effect: "Allow", Resource: "*"}
	for _, c := range calls {
		s.Action = append(s.Action, c.Action)
	}
	slices.Sort(s.Action)
	return json.MarshalIndent(struct {
		Version   string
		Statement []statement
	}{"2012-10-17", []statement{s}}, "", "  ")
}
