package identity

import (
	"slices"
	"strings"

	"github.com/eksafe/eksafe/internal/access"
	"github.com/eksafe/eksafe/internal/control"
	"github.com/eksafe/eksafe/internal/estate"
	"github.com/eksafe/eksafe/internal/trace"
)

// A standing is who becomes whom in AWS, once for all controls.
type standing struct {
	*access.AWS
	// admins is who becomes an administrator of an account, and taking who does so
	// by taking roles that trust them, as they are meant to.
	admins, taking map[string]*access.Reach
}

func standingOf(s *control.Subject) *standing {
	return trace.Derive(s.Graph(), func(g *trace.Graph) *standing {
		st := &standing{AWS: access.OfAWS(g), admins: map[string]*access.Reach{}, taking: map[string]*access.Reach{}}
		meant := func(s *access.Step) bool { return s.Technique == "assume-role" || s.Technique == "administrator" }
		for _, step := range st.Steps() {
			if to := step.To; to.Kind == access.Administrator && st.admins[to.Name] == nil {
				st.admins[to.Name] = access.Reaching(st.Steps(), to, nil)
				st.taking[to.Name] = access.Reaching(st.Steps(), to, meant)
			}
		}
		return st
	})
}

// becomes returns how somebody becomes an administrator of its account, and
// whether merely by taking roles. ok is false for nobody who does.
func (st *standing) becomes(p *access.Principal) (chain access.Chain, meant, ok bool) {
	r := st.admins[p.Account]
	if r == nil {
		return access.Chain{}, false, false
	}
	if chain, ok = st.taking[p.Account].Chain(p.Identity()); ok && chain.Certain() == access.Yes {
		return chain, true, true
	}
	chain, ok = r.Chain(p.Identity())
	return chain, false, ok
}

// told says what somebody does, step by step, and by which grants.
func told(c access.Chain) string {
	var out []string
	for _, s := range c.Steps {
		says := make([]string, 0, len(s.Grants))
		for _, g := range s.Grants {
			if !slices.Contains(says, g.Says) {
				says = append(says, g.Says)
			}
		}
		text := s.How
		if s.Technique != "administrator" && len(says) > 0 {
			text += " (" + strings.Join(says, ", ") + ")"
		}
		out = append(out, text)
	}
	return strings.Join(out, ", then ")
}

// outline is told without the grants.
func outline(c access.Chain) string {
	var out []string
	for _, s := range c.Steps {
		out = append(out, s.How)
	}
	return strings.Join(out, ", then ")
}

// whois returns "user alice", "role deploy", or "role deploy of account
// 444455556666" for one that the estate does not have.
func (st *standing) whois(i access.Identity) string {
	if p, ok := st.Principal(i); ok {
		return title(p)
	}
	switch i.Kind {
	case access.IAMUser, access.IAMRole:
		name := who(i.Name)
		if parts := strings.Split(i.Name, ":"); len(parts) > 4 {
			name += " of account " + parts[4]
		}
		return name
	case access.ServiceAccount:
		return "service account " + i.Namespace + "/" + i.Name
	}
	return i.String()
}

// onlyServices reports whether a role is taken by nobody but AWS services.
func onlyServices(s *control.Subject, i access.Identity) bool {
	if i.Kind != access.IAMRole {
		return false
	}
	r, ok := control.Find(s, estate.IAMRoles, i.Name)
	if !ok {
		return false
	}
	text, known := r.AssumeRolePolicyDocument.Get()
	trust, err := access.TrustOf(text)
	return access.ServiceLinked(r) || known && err == nil && trust.OnlyServices()
}
