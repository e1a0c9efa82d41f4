package access

import (
	"errors"
	"slices"
	"strings"
)

const (
	// AssumeRoleWithWebIdentity is what the pods of a cluster call with their
	// tokens (IRSA).
	AssumeRoleWithWebIdentity = "sts:AssumeRoleWithWebIdentity"
	// PodIdentityService is whom a trust names for pods by Pod Identity.
	PodIdentityService = "pods.eks.amazonaws.com"
	// TokenAudience is for whom the tokens are made that pods take roles with.
	TokenAudience = "sts.amazonaws.com"
)

// ParseTrust reads a trust policy: a policy each statement of which says whom it
// is about.
func ParseTrust(text string) (*Document, error) {
	d, err := Parse(text)
	if err != nil {
		return nil, err
	}
	if slices.ContainsFunc(d.Statements, func(s Statement) bool { return len(s.Principals)+len(s.NotPrincipals) == 0 }) {
		return nil, errors.New("parsing the policy: a statement of a trust needs a principal")
	}
	return d, nil
}

// Named returns the principals of one kind that the statement names.
func (s *Statement) Named(kind string) []string {
	var out []string
	for _, p := range s.Principals {
		if p.Kind == kind {
			out = append(out, p.IDs...)
		}
	}
	return out
}

// An operator is that of a condition, taken apart.
type operator struct {
	set      string // "foranyvalue", "forallvalues", "" for a key of one value
	compares string // "stringlike"
	ifExists bool
}

// operator takes the operator of the condition apart. Case does not matter.
func (c Condition) operator() operator {
	name, ifExists := strings.CutSuffix(strings.ToLower(c.Operator), "ifexists")
	for _, set := range []string{"foranyvalue", "forallvalues"} {
		if rest, ok := strings.CutPrefix(name, set+":"); ok {
			return operator{set, rest, ifExists}
		}
	}
	return operator{"", name, ifExists}
}

// A Limit is a condition that keeps a key to some values.
type Limit struct {
	Patterns bool // wildcards in the values are such
	Optional bool // it holds as well where the key is missing
	Values   []string
}

// Limits returns the conditions of the statement that keep a key to some values.
// Negated operators keep it to none.
func (s *Statement) Limits(key string) []Limit {
	var out []Limit
	for _, c := range s.Conditions {
		op := c.operator()
		if !strings.EqualFold(c.Key, key) || !slices.Contains([]string{"stringequals", "stringequalsignorecase", "stringlike"}, op.compares) {
			continue
		}
		// ForAllValues holds where there is no value.
		out = append(out, Limit{op.compares == "stringlike", op.ifExists || op.set == "forallvalues", c.Values})
	}
	return out
}

// Wide returns a value of the limit that stands for more than one, "" for none.
func (l Limit) Wide() string {
	if !l.Patterns {
		return ""
	}
	return last(l.Values, func(v string) bool { return strings.ContainsAny(v, "*?") })
}

// Variable returns a value of the limit that the policy does not tell, "" for
// none. What a variable of IAM stands for, such as ${aws:username}, only the
// request says. What a deployment fills in, such as ${Stage}, is one value
// whatever it is, unless it may be a pattern.
func (l Limit) Variable() string {
	return last(l.Values, func(v string) bool {
		variables := strings.Split(v, "${")[1:]
		return l.Patterns && len(variables) > 0 || slices.ContainsFunc(variables, func(rest string) bool {
			name, _, _ := strings.Cut(rest, "}")
			return strings.Contains(strings.ReplaceAll(name, "::", ""), ":") // ${AWS::Region} is a template's
		})
	})
}

func last(values []string, is func(string) bool) string {
	for _, v := range slices.Backward(values) {
		if is(v) {
			return v
		}
	}
	return ""
}

// ForeignToken reports whether the statement asks for the subject of a provider
// that it does not let in: no token that gets here has one, so nobody takes the
// role by it.
func (s *Statement) ForeignToken() bool {
	providers := s.Named("Federated")
	return slices.ContainsFunc(s.Conditions, func(c Condition) bool {
		issuer, ok := strings.CutSuffix(strings.ToLower(c.Key), ":sub")
		return ok && slices.ContainsFunc(s.Limits(c.Key), func(l Limit) bool { return !l.Optional }) &&
			!slices.ContainsFunc(providers, func(id string) bool { return strings.HasSuffix(strings.ToLower(id), "/"+issuer) })
	})
}
