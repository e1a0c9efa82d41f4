package pod

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/eksafe/eksafe/internal/access"
)

// A statement is one of a trust policy, as far as pods need it.
type statement struct {
	allow      bool
	actions    []string
	federated  []string
	services   []string
	conditions map[string]map[string][]string // operator, key, values
}

// maxPolicy bounds what is parsed; AWS allows a trust policy some kilobytes.
const maxPolicy = 64 << 10

// words is a string or a list of strings.
type words []string

// UnmarshalJSON reads either form. Conditions may also write booleans and
// numbers.
func (w *words) UnmarshalJSON(data []byte) error {
	var one any
	if err := json.Unmarshal(data, &one); err != nil {
		return err
	}
	list, ok := one.([]any)
	if !ok {
		list = []any{one}
	}
	for _, v := range list {
		switch v := v.(type) {
		case string:
			*w = append(*w, v)
		case bool, float64:
			*w = append(*w, fmt.Sprint(v))
		default:
			return errors.New("neither a string nor a list of strings")
		}
	}
	return nil
}

// parseTrust reads a trust policy. What it does not understand is an error,
// never left out: a statement that is not seen would look like none.
func parseTrust(document string) ([]statement, error) {
	if len(document) > maxPolicy {
		return nil, errors.New("it is longer than a policy can be")
	}
	var policy struct{ Statement json.RawMessage }
	if err := json.Unmarshal([]byte(document), &policy); err != nil {
		return nil, errors.New("it is no JSON")
	}
	var list []json.RawMessage
	if err := json.Unmarshal(policy.Statement, &list); err != nil {
		list = []json.RawMessage{policy.Statement}
	}
	var out []statement
	for i, raw := range list {
		st, err := parseStatement(raw)
		if err != nil {
			return nil, fmt.Errorf("statement %d: %w", i+1, err)
		}
		out = append(out, st)
	}
	return out, nil
}

func parseStatement(raw json.RawMessage) (statement, error) {
	var s struct {
		Effect       string
		Action       words
		NotAction    json.RawMessage
		Principal    json.RawMessage
		NotPrincipal json.RawMessage
		Condition    map[string]map[string]words
	}
	if err := json.Unmarshal(raw, &s); err != nil {
		return statement{}, errors.New("it is no statement of IAM's grammar")
	}
	switch {
	case s.Effect != "Allow" && s.Effect != "Deny":
		return statement{}, errors.New("its Effect is neither Allow nor Deny")
	case s.NotAction != nil, s.NotPrincipal != nil:
		return statement{}, errors.New("it has NotAction or NotPrincipal")
	case len(s.Action) == 0:
		return statement{}, errors.New("it has no Action")
	}
	out := statement{allow: s.Effect == "Allow", actions: s.Action, conditions: map[string]map[string][]string{}}
	for operator, keys := range s.Condition {
		out.conditions[operator] = map[string][]string{}
		for key, values := range keys {
			out.conditions[operator][key] = values
		}
	}
	var anybody string
	if json.Unmarshal(s.Principal, &anybody) == nil {
		return out, nil // "*": no cluster is named
	}
	var principals map[string]words
	if err := json.Unmarshal(s.Principal, &principals); err != nil {
		return statement{}, errors.New("its Principal is not of IAM's grammar")
	}
	out.federated, out.services = principals["Federated"], principals["Service"]
	return out, nil
}

// does reports whether the statement is about an action. IAM compares them
// without case, and "*" stands for any characters.
func (s *statement) does(action string) bool {
	return slices.ContainsFunc(s.actions, func(a string) bool { return access.MatchAction(a, action) })
}

// A demand is one condition on a key that must hold.
type demand struct {
	wildcards bool // the values are patterns
	optional  bool // it holds as well where the key is missing
	values    []string
}

// demands returns the conditions that limit a key to some values. Negative
// operators limit nothing.
func (s *statement) demands(key string) []demand {
	var out []demand
	for _, operator := range slices.Sorted(maps.Keys(s.conditions)) {
		name, optional := strings.CutSuffix(operator, "IfExists")
		set, plain, qualified := strings.Cut(name, ":")
		if !qualified {
			set, plain = "", name
		}
		// ForAllValues holds where there is no value.
		optional = optional || strings.EqualFold(set, "ForAllValues")
		var wildcards bool
		switch {
		case strings.EqualFold(plain, "StringEquals"), strings.EqualFold(plain, "StringEqualsIgnoreCase"):
		case strings.EqualFold(plain, "StringLike"):
			wildcards = true
		default:
			continue
		}
		for _, k := range slices.Sorted(maps.Keys(s.conditions[operator])) {
			if strings.EqualFold(k, key) {
				out = append(out, demand{wildcards, optional, s.conditions[operator][k]})
			}
		}
	}
	return out
}
