// Package access says who can do what in AWS and on the API server of a
// cluster: it parses IAM policies and answers what principals may do by them, it
// follows RBAC, and it joins both into who can become whom by the rights that
// these give. It holds no requirement, and what it cannot decide, such as most
// conditions, is unclear and never a guess.
package access

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
)

// maxDocument is more than IAM, S3, KMS or any other service accepts as a
// policy.
const maxDocument = 256 << 10

// maxDepth is deeper than any element of a policy stands.
const maxDepth = 16

// A Document is an IAM policy.
type Document struct {
	Version    string // "" is that of 2008, which knows no variables
	Statements []Statement
}

// A Statement is one rule of a policy. Of the pairs of an element and its Not…,
// one is given at most; AWS refuses anything else.
type Statement struct {
	Sid           string
	Deny          bool
	Principals    []Principals // of resource and trust policies
	NotPrincipals []Principals
	Actions       []string
	NotActions    []string
	Resources     []string
	NotResources  []string
	Conditions    []Condition // all must hold
}

// Principals are those of one kind.
type Principals struct {
	Kind string // AWS, Service, Federated, CanonicalUser; "*" for everybody of every kind
	IDs  []string
}

// A Condition is one key under one operator. It holds if the key has one of the
// values; of negated operators, none.
type Condition struct {
	Operator string // "StringEquals", "ForAnyValue:StringLike", "BoolIfExists"
	Key      string
	Values   []string
}

// Parse reads a policy. It is strict: a document that AWS would refuse, or that
// two readers may understand differently, is an error, because a rule that is
// skipped would be one that nobody judged.
func Parse(text string) (*Document, error) {
	if len(text) > maxDocument {
		return nil, fmt.Errorf("the policy has %d bytes, more than any policy", len(text))
	}
	dec := json.NewDecoder(strings.NewReader(text))
	dec.UseNumber()
	if err := checkKeys(dec, 0); err != nil {
		return nil, fmt.Errorf("parsing the policy: %w", err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("parsing the policy: something stands after its end")
	}
	var raw struct {
		Version   string
		ID        string `json:"Id"`
		Statement list[rawStatement]
	}
	if err := strictly(text, &raw); err != nil {
		return nil, fmt.Errorf("parsing the policy: %w", err)
	}
	if raw.Version != "" && raw.Version != "2012-10-17" && raw.Version != "2008-10-17" {
		return nil, fmt.Errorf("parsing the policy: no version %q of the policy language is known", raw.Version)
	}
	if len(raw.Statement) == 0 {
		return nil, errors.New("parsing the policy: it has no statement")
	}
	d := &Document{Version: raw.Version, Statements: make([]Statement, 0, len(raw.Statement))}
	for i, r := range raw.Statement {
		s, err := r.statement()
		if err != nil {
			return nil, fmt.Errorf("parsing statement %d of the policy: %w", i, err)
		}
		d.Statements = append(d.Statements, s)
	}
	return d, nil
}

func strictly(text string, into any) error {
	dec := json.NewDecoder(strings.NewReader(text))
	dec.DisallowUnknownFields()
	return dec.Decode(into)
}

// checkKeys reads one value and refuses a key that stands twice in its object,
// in whatever case: readers differ in which one they take.
func checkKeys(dec *json.Decoder, depth int) error {
	if depth > maxDepth {
		return errors.New("it is nested too deeply")
	}
	token, err := dec.Token()
	if err != nil {
		return err
	}
	switch token {
	case json.Delim('{'):
		seen := map[string]bool{}
		for dec.More() {
			key, err := dec.Token()
			if err != nil {
				return err
			}
			name := strings.ToLower(key.(string)) // the keys of an object are strings, or Token fails
			if seen[name] {
				return fmt.Errorf("%q stands twice", key)
			}
			seen[name] = true
			if err := checkKeys(dec, depth+1); err != nil {
				return err
			}
		}
		_, err = dec.Token()
	case json.Delim('['):
		for dec.More() {
			if err := checkKeys(dec, depth+1); err != nil {
				return err
			}
		}
		_, err = dec.Token()
	}
	return err
}

type rawStatement struct {
	Sid          string
	Effect       string
	Principal    *principals
	NotPrincipal *principals
	Action       *list[word]
	NotAction    *list[word]
	Resource     *list[word]
	NotResource  *list[word]
	Condition    map[string]map[string]list[scalar]
}

func (r rawStatement) statement() (Statement, error) {
	s := Statement{
		Sid:           r.Sid,
		Deny:          r.Effect == "Deny",
		Principals:    r.Principal.kinds(),
		NotPrincipals: r.NotPrincipal.kinds(),
		Actions:       words(r.Action),
		NotActions:    words(r.NotAction),
		Resources:     words(r.Resource),
		NotResources:  words(r.NotResource),
	}
	switch {
	case r.Effect != "Allow" && r.Effect != "Deny":
		return s, fmt.Errorf("the effect %q is neither Allow nor Deny", r.Effect)
	case (r.Action == nil) == (r.NotAction == nil):
		return s, errors.New("it needs Action or NotAction, and not both")
	case r.Resource != nil && r.NotResource != nil:
		return s, errors.New("it has both Resource and NotResource")
	case r.Principal != nil && r.NotPrincipal != nil:
		return s, errors.New("it has both Principal and NotPrincipal")
	case len(s.Actions)+len(s.NotActions) == 0:
		return s, errors.New("it names no action")
	}
	for _, a := range slices.Concat(s.Actions, s.NotActions) {
		if a != "*" && !strings.Contains(a, ":") {
			return s, fmt.Errorf("%q is no action", a)
		}
	}
	for _, operator := range slices.Sorted(maps.Keys(r.Condition)) {
		keys := r.Condition[operator]
		for _, key := range slices.Sorted(maps.Keys(keys)) {
			c := Condition{Operator: operator, Key: key}
			for _, v := range keys[key] {
				c.Values = append(c.Values, string(v))
			}
			s.Conditions = append(s.Conditions, c)
		}
	}
	return s, nil
}

func words(l *list[word]) []string {
	if l == nil {
		return nil
	}
	out := make([]string, len(*l))
	for i, w := range *l {
		out[i] = string(w)
	}
	return out
}

// A list is one value or an array of them, as IAM allows.
type list[T any] []T

// UnmarshalJSON reads either.
func (l *list[T]) UnmarshalJSON(data []byte) error {
	if bytes.HasPrefix(data, []byte("[")) {
		var many []T
		if err := strictly(string(data), &many); err != nil {
			return err
		}
		*l = many
		return nil
	}
	var one T
	if err := strictly(string(data), &one); err != nil {
		return err
	}
	*l = list[T]{one}
	return nil
}

// A word is a string; null, which encoding/json takes for an empty one, is not.
type word string

// UnmarshalJSON reads a string.
func (w *word) UnmarshalJSON(data []byte) error {
	if string(data) == "null" {
		return errors.New("null is no string")
	}
	return json.Unmarshal(data, (*string)(w))
}

// A scalar is a string, a number or a boolean as its text.
type scalar string

// UnmarshalJSON reads any of them.
func (s *scalar) UnmarshalJSON(data []byte) error {
	switch data[0] {
	case '"':
		return json.Unmarshal(data, (*string)(s))
	case '{', '[', 'n':
		return fmt.Errorf("%s is no value of a condition", data)
	}
	*s = scalar(data)
	return nil
}

type principals struct{ list []Principals }

// UnmarshalJSON reads "*" or an object of kinds.
func (p *principals) UnmarshalJSON(data []byte) error {
	if bytes.HasPrefix(data, []byte(`"`)) {
		if string(data) != `"*"` {
			return fmt.Errorf("%s is no principal", data)
		}
		p.list = []Principals{{Kind: "*", IDs: []string{"*"}}}
		return nil
	}
	var kinds map[string]list[word]
	if err := json.Unmarshal(data, &kinds); err != nil {
		return err
	}
	for _, kind := range slices.Sorted(maps.Keys(kinds)) {
		ids := kinds[kind]
		p.list = append(p.list, Principals{Kind: kind, IDs: words(&ids)})
	}
	if len(p.list) == 0 {
		return errors.New("it names no principal")
	}
	return nil
}

func (p *principals) kinds() []Principals {
	if p == nil {
		return nil
	}
	return p.list
}
