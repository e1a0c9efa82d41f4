package identity

import (
	"strings"

	"github.com/eksafe/eksafe/internal/access"
	"github.com/eksafe/eksafe/internal/control"
	"github.com/eksafe/eksafe/internal/estate"
	"github.com/eksafe/eksafe/internal/trace"
)

var iamEscalation = &control.Control{
	ID:       "iam-escalation",
	Title:    "Nobody can make itself more than it is",
	Severity: control.High,
	Refs:     []control.Ref{control.ATTACK("T1098.003")},
	Serves:   []string{"S28"},
	Since:    "0.1.0",
	Check: control.Traced(principals, func(p holder) trace.Place { return p.place }, judgeEscalation, estate.Users.Kind, estate.IAMRoles.Kind).
		Helped(estate.Groups.Kind, estate.ManagedPolicies.Kind),
}

// A holder is a user or a role.
type holder struct {
	place trace.Place
	user  *estate.User
	role  *estate.IAMRole
}

// principals lists users and roles, but for the roles that AWS made for its
// services and nobody can change.
func principals(g *trace.Graph) []holder {
	var out []holder
	for _, u := range estate.Users.In(g.Estate) {
		out = append(out, holder{place: trace.Place{Subject: estate.Users.Ref(u), Origin: &u.Origin}, user: u})
	}
	for _, r := range estate.IAMRoles.In(g.Estate) {
		if !access.ServiceLinked(r) {
			out = append(out, holder{place: trace.Place{Subject: estate.IAMRoles.Ref(r), Origin: &r.Origin}, role: r})
		}
	}
	return out
}

// maxWays bounds the ways that are spelled out: one is enough to act.
const maxWays = 3

func judgeEscalation(s *control.Subject, h holder) {
	var p *access.Principal
	if lib := library(s); h.user != nil {
		p = lib.User(h.user)
	} else {
		p = lib.Role(h.role)
	}
	if is, _ := p.Administrator(); is == access.Yes {
		s.NotApplicable() // admins-few counts it
		return
	}
	certain, unclear := p.Escalations()
	if len(certain) > 0 {
		var ways []string
		for _, e := range certain[:min(len(certain), maxWays)] {
			ways = append(ways, e.Chain()+" (by "+e.PolicyNames()+"): "+e.Step)
		}
		more := ""
		if n := len(certain) - maxWays; n > 0 {
			more = "; and " + count(n, "more way")
		}
		s.Failf("", "%s%s", strings.Join(ways, "; "), more)
		return
	}
	switch {
	case len(unclear) == 0:
	case len(p.Gaps) > 0:
		s.Unknownf("what %s may do is not known: %s", title(p), p.Gaps[0])
	case p.Boundary != nil && p.Boundary.Document == nil:
		s.Unknownf("what %s may do is not known: %s", title(p), p.Boundary.Why)
	default:
		s.Unknownf("whether %s may use %s depends on a condition or a resource of %s, which is not decided", title(p), unclear[0].Chain(), unclear[0].PolicyNames())
	}
}
