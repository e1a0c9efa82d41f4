package access

import (
	"slices"
	"strings"
)

// An Answer is yes, no, or unclear.
type Answer int

const (
	Unclear Answer = iota // the zero value: what was not decided is no answer
	No
	Yes
)

func (a Answer) String() string { return [...]string{"unclear", "no", "yes"}[a] }

// either is yes if one of the two is.
func either(a, b Answer) Answer {
	switch {
	case a == Yes || b == Yes:
		return Yes
	case a == Unclear || b == Unclear:
		return Unclear
	}
	return No
}

// both is yes if both are.
func both(a, b Answer) Answer {
	switch {
	case a == No || b == No:
		return No
	case a == Unclear || b == Unclear:
		return Unclear
	}
	return Yes
}

// Match matches IAM's wildcards: * for any characters, ? for one. A * in s,
// which then stands for many strings, is matched by * only. It remembers the
// last star only, so a hostile pattern costs no more than the product of the
// lengths.
func Match(pattern, s string) bool { return match(pattern, s, false) }

func match(pattern, s string, fold bool) bool {
	p, i, star, mark := 0, 0, -1, 0
	for i < len(s) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, mark = p, i
			p++
		case p < len(pattern) && s[i] != '*' && (pattern[p] == s[i] || pattern[p] == '?' || fold && lower(pattern[p]) == lower(s[i])):
			p++
			i++
		case star >= 0:
			mark++
			p, i = star+1, mark
		default:
			return false
		}
	}
	return strings.Trim(pattern[p:], "*") == ""
}

// overlap reports whether some string matches both patterns.
func overlap(a, b string) bool {
	// row[j] says whether what is left of a meets b[j:]; built from the ends.
	row := make([]bool, len(b)+1)
	row[len(b)] = true
	for j := len(b) - 1; j >= 0; j-- {
		row[j] = row[j+1] && b[j] == '*'
	}
	for i := len(a) - 1; i >= 0; i-- {
		next := row
		row = make([]bool, len(b)+1)
		row[len(b)] = a[i] == '*' && next[len(b)]
		for j := len(b) - 1; j >= 0; j-- {
			if a[i] == '*' || b[j] == '*' {
				row[j] = next[j] || row[j+1]
			} else {
				row[j] = next[j+1] && (a[i] == b[j] || a[i] == '?' || b[j] == '?')
			}
		}
	}
	return row[0]
}

// MatchAction reports whether a pattern of a policy names the action, or every
// action of a pattern such as "iam:*". Case does not matter.
func MatchAction(pattern, action string) bool {
	if pattern == "*" || pattern == "*:*" {
		return true
	}
	return match(pattern, action, true)
}

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}

// A Request is what somebody may want to do.
type Request struct {
	Action   string // "iam:PassRole"
	Resource string // an ARN; with * all of the resources that match it
	Some     bool   // one of these resources is enough
	PassedTo string // of iam:PassRole: the service that gets the role
	UserName string // of the IAM user who asks; replaces ${aws:username}

	// Of the principal who asks, as far as conditions ask for it; "" where it is
	// not known.
	PrincipalArn string
}

// account returns the account of the principal, "" where it is not known.
func (r Request) account() string { return accountOf(r.PrincipalArn) }

// applies says whether the statement is about the whole of the request, leaving
// its conditions aside.
func (s *Statement) applies(r Request) Answer { return both(answer(s.Names(r.Action)), s.covers(r)) }

// Names reports whether the statement is about an action.
func (s *Statement) Names(action string) bool {
	hit := func(pattern string) bool { return MatchAction(pattern, action) }
	if s.NotActions != nil {
		return !slices.ContainsFunc(s.NotActions, hit)
	}
	return slices.ContainsFunc(s.Actions, hit)
}

func answer(yes bool) Answer {
	if yes {
		return Yes
	}
	return No
}

func (s *Statement) covers(r Request) Answer {
	out := No
	switch {
	case s.Resources != nil:
		for _, p := range s.Resources {
			out = either(out, covers(p, r))
		}
	case s.NotResources != nil:
		out = Yes
		for _, p := range s.NotResources {
			pattern, plain := substitute(p, r.UserName)
			switch {
			case !overlap(pattern, r.Resource):
			case plain && Match(pattern, r.Resource):
				return No
			case !r.Some || !plain:
				out = Unclear
			}
		}
	}
	return out
}

// covers says whether a resource pattern of a policy stands for every resource
// of the request.
func covers(pattern string, r Request) Answer {
	pattern, plain := substitute(pattern, r.UserName)
	switch {
	case !Match(pattern, r.Resource) && !(r.Some && overlap(pattern, r.Resource)):
		return No
	case !plain:
		return Unclear
	}
	return Yes
}

// substitute replaces the policy variables of a resource pattern. plain is
// false where one is left that only a request knows: it became a *.
func substitute(pattern, userName string) (out string, plain bool) {
	if !strings.Contains(pattern, "${") {
		return pattern, true
	}
	plain = true
	var b strings.Builder
	for {
		before, rest, found := strings.Cut(pattern, "${")
		b.WriteString(before)
		if !found {
			return b.String(), plain
		}
		name, after, closed := strings.Cut(rest, "}")
		switch {
		case !closed:
			b.WriteString("${" + rest)
			return b.String(), plain
		case strings.EqualFold(name, "aws:username"):
			if userName == "" {
				userName = "\x00" // a role has no user name, so the pattern matches nothing
			}
			b.WriteString(userName)
		case name == "*" || name == "?" || name == "$":
			b.WriteByte('?') // the character itself; no ARN that is asked for holds one
		default:
			b.WriteByte('*')
			plain = false
		}
		pattern = after
	}
}

// AnyResource reports whether the statement is about every resource, or every
// one but some.
func (s *Statement) AnyResource() bool { return s.NotResources != nil || s.matchesOne("arn:*") }

// AnyResourceOf reports whether the statement is about every resource of a
// service, or every one but some. Services differ in whether their ARNs have a
// region and an account.
func (s *Statement) AnyResourceOf(service string) bool {
	arn := "arn:aws:" + service
	return s.AnyResource() || s.matchesOne(arn+":*", arn+":::*", arn+"::*:*", arn+":*:*:*")
}

func (s *Statement) matchesOne(arns ...string) bool {
	return slices.ContainsFunc(s.Resources, func(p string) bool {
		return slices.ContainsFunc(arns, func(arn string) bool { return Match(p, arn) })
	})
}

// RequiresMFA reports whether the statement holds only for requests that were
// signed with a second factor.
func (s *Statement) RequiresMFA() bool {
	return slices.ContainsFunc(s.Conditions, Condition.requiresMFA)
}

func (c Condition) requiresMFA() bool {
	switch {
	case c.is("Bool", "aws:MultiFactorAuthPresent"):
		return all(c.Values, "true")
	case c.is("NumericLessThan", "aws:MultiFactorAuthAge"), c.is("NumericLessThanEquals", "aws:MultiFactorAuthAge"):
		return len(c.Values) > 0
	case c.is("Null", "aws:MultiFactorAuthAge"):
		return all(c.Values, "false")
	}
	return false
}

// holds says whether the conditions of an Allow are met by a request that was
// signed with a second factor.
func (s *Statement) holds(r Request) Answer {
	out := Yes
	for _, c := range s.Conditions {
		switch {
		case c.requiresMFA():
		default:
			out = both(out, c.decide(r))
		}
	}
	return out
}

// decide says whether the condition is met, as far as the request tells.
func (c Condition) decide(r Request) Answer {
	value := ""
	switch strings.ToLower(c.Key) {
	case "iam:passedtoservice":
		value = r.PassedTo
	case "aws:principalarn":
		value = r.PrincipalArn
	case "aws:principalaccount":
		value = r.account()
	case "aws:username":
		value = r.UserName
	}
	if value == "" {
		return Unclear
	}
	return c.compare(value)
}

// compare says whether a key with one value meets the condition. Operators
// beside those of strings and ARNs are unclear.
func (c Condition) compare(value string) Answer {
	operator := c.operator().compares
	var meets func(v string) bool
	switch operator {
	case "stringequals", "stringnotequals":
		meets = func(v string) bool { return v == value }
	case "stringequalsignorecase", "stringnotequalsignorecase":
		meets = func(v string) bool { return strings.EqualFold(v, value) }
	case "stringlike", "stringnotlike", "arnlike", "arnnotlike", "arnequals", "arnnotequals":
		meets = func(v string) bool { return Match(v, value) }
	default:
		return Unclear
	}
	negated := strings.Contains(operator, "not")
	if slices.ContainsFunc(c.Values, func(v string) bool { return strings.Contains(v, "${") }) {
		return Unclear
	}
	return answer(slices.ContainsFunc(c.Values, meets) != negated)
}

func (c Condition) is(operator, key string) bool {
	return strings.EqualFold(c.Operator, operator) && strings.EqualFold(c.Key, key)
}

func all(values []string, want string) bool {
	return len(values) > 0 && !slices.ContainsFunc(values, func(v string) bool { return !strings.EqualFold(v, want) })
}

// WithoutMFA says how a statement with this as its only condition treats
// requests without a second factor: everything, or everything but those of
// access keys, where the key is missing.
func (s *Statement) WithoutMFA() (consoles, accessKeys bool) {
	if len(s.Conditions) != 1 {
		return false, false
	}
	c := s.Conditions[0]
	switch {
	case c.is("BoolIfExists", "aws:MultiFactorAuthPresent") && all(c.Values, "false"):
		return true, true
	case c.is("Bool", "aws:MultiFactorAuthPresent") && all(c.Values, "false"):
		return true, false
	}
	return false, false
}

// Everybody reports whether the statement's principals are all there are.
func (s *Statement) Everybody() bool {
	return slices.ContainsFunc(s.Principals, func(p Principals) bool {
		return (p.Kind == "*" || p.Kind == "AWS") && slices.Contains(p.IDs, "*")
	})
}
