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
	st := standingOf(s)
	p, ok := st.Principal(h.identity())
	if !ok {
		return // another source shows the same principal
	}
	if is, _ := p.Administrator(); is == access.Yes {
		s.NotApplicable() // admins-few counts it
		return
	}
	chain, meant, becomes := st.becomes(p)
	if meant {
		s.NotApplicable() // admins-few counts whoever takes the role of an administrator
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
	if becomes && chain.Certain() == access.Yes {
		s.Failf("", "%s becomes an administrator: %s", title(p), told(chain))
		return
	}
	switch {
	case len(p.Gaps) > 0 && (becomes || len(unclear) > 0):
		s.Unknownf("what %s may do is not known: %s", title(p), p.Gaps[0])
	case p.Boundary != nil && p.Boundary.Document == nil && (becomes || len(unclear) > 0):
		s.Unknownf("what %s may do is not known: %s", title(p), p.Boundary.Why)
	case len(unclear) > 0:
		s.Unknownf("whether %s may use %s depends on a condition or a resource of %s, which is not decided", title(p), unclear[0].Chain(), unclear[0].PolicyNames())
	case becomes:
		s.Unknownf("whether %s becomes an administrator is not decided: %s", title(p), told(chain))
	}
}

// identity returns whom the graph of principals knows the holder as.
func (h holder) identity() access.Identity {
	kind := access.IAMRole
	if h.user != nil {
		kind = access.IAMUser
	}
	return access.Identity{Kind: kind, Name: h.place.Subject.ID}
}
