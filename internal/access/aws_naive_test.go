package access

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/eksafe/eksafe/internal/estate"
)

// glob is IAM's matching written down as it is defined, for strings without
// wildcards.
func glob(pattern, s string) bool {
	switch {
	case pattern == "":
		return s == ""
	case pattern[0] == '*':
		return glob(pattern[1:], s) || s != "" && glob(pattern, s[1:])
	case s == "":
		return false
	}
	return (pattern[0] == '?' || pattern[0] == s[0]) && glob(pattern[1:], s[1:])
}

func anyGlob(patterns []string, s string) bool {
	for _, p := range patterns {
		if glob(p, s) {
			return true
		}
	}
	return false
}

// naive answers one request without wildcards by the rules of IAM's evaluation
// in their order, for conditions on the principal's ARN alone.
func naive(p *Principal, action, resource string) bool {
	resource = strings.ToLower(resource)
	applies := func(s *Statement) bool {
		if s.NotActions != nil && anyGlob(lowered(s.NotActions), strings.ToLower(action)) || s.Actions != nil && !anyGlob(lowered(s.Actions), strings.ToLower(action)) {
			return false
		}
		replace := func(list []string) []string {
			out := make([]string, len(list))
			for i, r := range list {
				out[i] = strings.ToLower(strings.ReplaceAll(r, "${aws:username}", p.UserName))
			}
			return out
		}
		if s.NotResources != nil && anyGlob(replace(s.NotResources), resource) || s.Resources != nil && !anyGlob(replace(s.Resources), resource) {
			return false
		}
		for _, c := range s.Conditions {
			if anyGlob(c.Values, p.Ref.ID) == (c.Operator == "ArnNotLike") {
				return false
			}
		}
		return true
	}
	allowed := func(policies []*Policy) (allow, deny bool) {
		for _, policy := range policies {
			for i := range policy.Document.Statements {
				if s := &policy.Document.Statements[i]; applies(s) {
					allow, deny = allow || !s.Deny, deny || s.Deny
				}
			}
		}
		return allow, deny
	}
	allow, deny := allowed(p.Policies)
	if p.Boundary != nil {
		within, forbidden := allowed([]*Policy{p.Boundary})
		allow, deny = allow && within, deny || forbidden
	}
	return allow && !deny
}

func lowered(list []string) []string {
	out := make([]string, len(list))
	for i, s := range list {
		out[i] = strings.ToLower(s)
	}
	return out
}

// random makes policies out of few words, so that they meet.
type random struct{ *rand.Rand }

func (r random) of(words ...string) string { return words[r.IntN(len(words))] }

func (r random) list(words ...string) string {
	out := make([]string, 1+r.IntN(2))
	for i := range out {
		out[i] = `"` + r.of(words...) + `"`
	}
	return "[" + strings.Join(out, ", ") + "]"
}

var targetNames = []string{"alice", "bob", "carol", "dave"}

func (r random) statement() string {
	actions := r.list("iam:CreateAccessKey", "iam:create*", "iam:*", "*", "iam:CreateLoginProfile", "s3:GetObject", "iam:Create?ccessKey")
	resources := r.list(account+":user/alice", account+":user/bob", account+":user/*", "arn:aws:iam::*:user/carol", "*", account+":user/${aws:username}", account+":role/*", account+":user/?a*")
	condition := ""
	if r.IntN(4) == 0 {
		condition = fmt.Sprintf(`, "Condition": {%q: {"aws:PrincipalArn": %s}}`, r.of("ArnLike", "ArnNotLike"), r.list(account+":user/a*", account+":user/bob", "*"))
	}
	return fmt.Sprintf(`{"Effect": %q, %q: %s, %q: %s%s}`, r.of("Allow", "Allow", "Deny"), r.of("Action", "Action", "Action", "NotAction"), actions,
		r.of("Resource", "Resource", "Resource", "NotResource"), resources, condition)
}

func (r random) document() string {
	out := make([]string, 1+r.IntN(3))
	for i := range out {
		out[i] = r.statement()
	}
	return `{"Statement": [` + strings.Join(out, ", ") + `]}`
}

// TestNaively holds the evaluation, its shortcuts and the steps that follow
// from it against the rules written down plainly.
func TestNaively(t *testing.T) {
	r := random{rand.New(rand.NewPCG(1, 2))}
	allowed, steps := 0, 0
	for round := range 400 {
		e := &awsEstate{}
		limit := account + ":policy/limit"
		estate.ManagedPolicies.Add(&e.Estate, &estate.ManagedPolicy{AWS: estate.AWS{Arn: limit}, ManagedPolicyName: "limit", PolicyDocument: estate.Known(r.document())})
		for _, name := range targetNames {
			u := e.user(name)
			u.Policies = estate.Known([]estate.InlinePolicy{{PolicyName: "a", PolicyDocument: r.document()}, {PolicyName: "b", PolicyDocument: r.document()}})
			if r.IntN(3) == 0 {
				u.PermissionsBoundary = estate.Known(limit)
			}
		}
		a := NewAWS(&e.Estate)
		a.views, a.parts = map[viewKey]*Principal{}, map[partKey]*Document{}
		found := map[[2]string]bool{}
		for _, s := range a.Steps() {
			if s.Technique == "access-key" && s.Certain == Yes {
				found[[2]string{s.From.Name, s.To.Name}] = true
			}
		}
		for _, p := range a.principals {
			for _, target := range a.principals {
				const action = "iam:CreateAccessKey"
				want := naive(p, action, target.Ref.ID)
				request := Request{Action: action, Resource: target.Ref.ID}
				can, _ := p.Can(request)
				part, _ := a.may(p, Request{Action: action}, target.Ref.ID)
				if can != answer(want) || part != can {
					t.Fatalf("round %d: %s on %s: %v, by parts %v, naively %v\n%s", round, p.Ref.Name, target.Ref.Name, can, part, want, show(e, p))
				}
				is := a.mastery[p] == Yes || p == target
				if got := found[[2]string{p.Ref.ID, target.Ref.ID}]; !is && got != want {
					t.Fatalf("round %d: %s becomes %s: %v, naively %v\n%s", round, p.Ref.Name, target.Ref.Name, got, want, show(e, p))
				}
				if want {
					allowed++
				}
			}
		}
		steps += len(found)
	}
	if allowed < 500 || steps < 100 {
		t.Errorf("%d allowed requests and %d steps say little", allowed, steps)
	}
}

func show(e *awsEstate, p *Principal) string {
	var out []string
	for _, u := range estate.Users.In(&e.Estate) {
		if u.Arn == p.Ref.ID {
			for _, policy := range u.Policies.Or(nil) {
				out = append(out, policy.PolicyDocument)
			}
		}
	}
	if p.Boundary != nil {
		out = append(out, "boundary "+estate.ManagedPolicies.In(&e.Estate)[0].PolicyDocument.Or(""))
	}
	return strings.Join(out, "\n")
}
