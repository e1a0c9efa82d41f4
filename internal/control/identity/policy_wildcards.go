package identity

import (
	"fmt"
	"slices"
	"strings"

	"github.com/eksafe/eksafe/internal/access"
	"github.com/eksafe/eksafe/internal/control"
	"github.com/eksafe/eksafe/internal/estate"
	"github.com/eksafe/eksafe/internal/trace"
)

var policyWildcards = &control.Control{
	ID:       "policy-wildcards",
	Title:    "Policies name the actions that they allow",
	Severity: control.High,
	Refs:     []control.Ref{control.FSBP("IAM.1"), control.FSBP("IAM.21")},
	Serves:   []string{"S28"},
	Since:    "0.1.0",
	Check: control.Traced(ownPolicies, func(p ownPolicy) trace.Place { return p.place }, judgeWildcards,
		estate.ManagedPolicies.Kind, estate.Users.Kind, estate.Groups.Kind, estate.IAMRoles.Kind),
}

// sensitive services are those where all actions on all resources are as good
// as the account, its data, or its clusters.
var sensitive = []string{
	"iam", "sts", "organizations", "kms", "secretsmanager", "ssm", "s3", "ec2", "eks", "lambda", "cloudformation", "cloudtrail",
}

// An ownPolicy is a policy that the customer wrote.
type ownPolicy struct {
	place    trace.Place
	name     string
	field    string
	document estate.Optional[string]
}

// ownPolicies lists the managed policies that AWS did not write, and the inline
// ones.
func ownPolicies(g *trace.Graph) []ownPolicy {
	var out []ownPolicy
	for _, p := range estate.ManagedPolicies.In(g.Estate) {
		if !access.AWSManaged(p.Arn) {
			out = append(out, ownPolicy{
				place: trace.Place{Subject: estate.ManagedPolicies.Ref(p), Origin: &p.Origin},
				name:  "policy " + p.ManagedPolicyName, field: "policyDocument", document: p.PolicyDocument,
			})
		}
	}
	inline := func(place trace.Place, policies estate.Optional[[]estate.InlinePolicy]) {
		list, known := policies.Get()
		if !known {
			out = append(out, ownPolicy{place: place, name: "the inline policies of " + place.Subject.Name})
		}
		for i, p := range list {
			out = append(out, ownPolicy{place, "the inline policy " + p.PolicyName + " of " + place.Subject.Name, fmt.Sprintf("policies[%d].policyDocument", i), estate.Known(p.PolicyDocument)})
		}
	}
	for _, u := range estate.Users.In(g.Estate) {
		inline(trace.Place{Subject: estate.Users.Ref(u), Origin: &u.Origin}, u.Policies)
	}
	for _, gr := range estate.Groups.In(g.Estate) {
		inline(trace.Place{Subject: estate.Groups.Ref(gr), Origin: &gr.Origin}, gr.Policies)
	}
	for _, r := range estate.IAMRoles.In(g.Estate) {
		if !access.ServiceLinked(r) {
			inline(trace.Place{Subject: estate.IAMRoles.Ref(r), Origin: &r.Origin}, r.Policies)
		}
	}
	return out
}

func judgeWildcards(s *control.Subject, p ownPolicy) {
	text, known := p.document.Get()
	if !known {
		s.Unknownf("%s cannot be judged: the document is not known; allow iam:GetAccountAuthorizationDetails, or write it without values that only a deployment knows", p.name)
		return
	}
	d, err := access.Parse(text)
	if err != nil {
		s.Unknownf("%s cannot be read", p.name)
		return
	}
	for i := range d.Statements {
		st := &d.Statements[i]
		what := wildcard(st)
		if what == "" {
			continue
		}
		if key := narrowing(st); key != "" {
			s.Unknownf("%s allows %s on every resource under a condition of %s, which is not decided", p.name, what, key)
			continue
		}
		s.Failf(p.field, "%s allows %s on every resource", p.name, what)
	}
}

// wildcard says what a statement allows wholesale, "" if it does not.
func wildcard(st *access.Statement) string {
	switch {
	case st.Deny:
		return ""
	case st.NotActions != nil && st.AnyResource():
		return "everything but " + listed(st.NotActions)
	case st.AnyResource() && slices.ContainsFunc(st.Actions, func(a string) bool { return access.MatchAction(a, "*:*") }):
		return "every action"
	}
	var services []string
	for _, service := range sensitive {
		if st.AnyResourceOf(service) && slices.ContainsFunc(st.Actions, func(a string) bool { return access.MatchAction(a, service+":*") }) {
			services = append(services, service+":*")
		}
	}
	return listed(services)
}

// broadKeys are condition keys that say who asks and from where, and nothing of
// the resource.
var broadKeys = []string{
	"aws:multifactorauthpresent", "aws:multifactorauthage", "aws:sourceip", "aws:requestedregion", "aws:principalorgid",
	"aws:securetransport", "aws:currenttime", "aws:epochtime",
}

// narrowing returns a condition key that may narrow the statement to some
// resources.
func narrowing(st *access.Statement) string {
	for _, c := range st.Conditions {
		if !slices.Contains(broadKeys, strings.ToLower(c.Key)) {
			return c.Key
		}
	}
	return ""
}
