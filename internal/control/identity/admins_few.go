package identity

import (
	"cmp"
	"slices"

	"github.com/eksafe/eksafe/internal/access"
	"github.com/eksafe/eksafe/internal/config"
	"github.com/eksafe/eksafe/internal/control"
	"github.com/eksafe/eksafe/internal/estate"
	"github.com/eksafe/eksafe/internal/trace"
)

var adminsFew = &control.Control{
	ID:       "admins-few",
	Title:    "Administrators are few and named",
	Severity: control.High,
	Refs:     []control.Ref{control.FSBP("IAM.1"), control.ATTACK("T1078.004")},
	Serves:   []string{"S28"},
	Since:    "0.1.0",
	Check: control.Each(estate.Accounts, judgeAdministrators,
		estate.Users.Kind, estate.Groups.Kind, estate.IAMRoles.Kind, estate.ManagedPolicies.Kind),
}

// An administrator is somebody with everything, or perhaps so.
type administrator struct {
	id    access.Identity
	who   string
	place trace.Place
	names []string // by which eksafe.yaml may name it
	by    string   // a policy; or how it becomes one, in short
	how   string   // in full
	// why says what is not known, where it is not certain.
	why string
}

func judgeAdministrators(s *control.Subject, a *estate.Account) {
	certain, unclear, services := administrators(s, a.Origin.Account)
	limit := config.Or(s.Config().People.MaxAdministrators, config.DefaultMaxAdministrators)
	allowed := s.Config().People.Administrators
	if len(certain) > limit {
		var who []string
		for _, p := range certain {
			who = append(who, p.who+" ("+p.by+")")
		}
		beside := ""
		if services > 0 {
			beside = "; beside them " + count(services, "role") + " that only AWS services take"
		}
		s.Failf("", "%s where %d may be: %s%s", count(len(certain), "administrator"), limit, listed(who), beside)
	}
	if len(allowed) > 0 {
		for _, p := range certain {
			if !named(allowed, p.names...) {
				s.FailAt(p.place, "%s %s, and people.administrators of eksafe.yaml does not name it", p.who, p.how)
			}
		}
		unclear = slices.DeleteFunc(unclear, func(p administrator) bool { return named(allowed, p.names...) })
	}
	if len(unclear) == 0 || len(allowed) == 0 && len(certain)+len(unclear) <= limit {
		return
	}
	for i, p := range unclear {
		if i == maxListed {
			s.Unknownf("whether %d more principals are administrators is not known", len(unclear)-i)
			break
		}
		s.Unknownf("whether %s is an administrator is not known: %s", p.who, p.why)
	}
}

// administrators returns who is or becomes an administrator of an account, who
// perhaps does, and how many roles are administrators that only AWS services
// take.
func administrators(s *control.Subject, account string) (certain, unclear []administrator, services int) {
	st := standingOf(s)
	seen := map[access.Identity]bool{}
	judge := func(p *access.Principal, trustUnknown string) {
		is, by := p.Administrator()
		adm := administrator{id: p.Identity(), who: title(p), place: placeOf(p), names: []string{p.Ref.ID, p.Ref.Name}}
		if by != nil {
			adm.by, adm.how = by.String(), "is an administrator by "+by.String()
		}
		switch {
		case is == access.No:
			return
		case trustUnknown != "":
			adm.why = trustUnknown
		case is == access.Yes:
			certain = append(certain, adm)
		case len(p.Gaps) > 0:
			adm.why = p.Gaps[0]
		case p.Boundary != nil && p.Boundary.Document == nil:
			adm.why = p.Boundary.Why
		default:
			adm.why = "it depends on a condition of " + by.String()
		}
		// What a principal may be by its policies, it may surely become.
		if seen[adm.id] = is == access.Yes; adm.why != "" {
			unclear = append(unclear, adm)
		}
	}
	for _, u := range control.All(s, estate.Users) {
		if p, ok := st.Principal(access.Identity{Kind: access.IAMUser, Name: u.Arn}); ok && u.Origin.Account == account {
			judge(p, "")
		}
	}
	for _, r := range control.All(s, estate.IAMRoles) {
		p, ok := st.Principal(access.Identity{Kind: access.IAMRole, Name: r.Arn})
		if !ok || r.Origin.Account != account || access.ServiceLinked(r) {
			continue
		}
		text, known := r.AssumeRolePolicyDocument.Get()
		trust, err := access.TrustOf(text)
		switch {
		case !known:
			judge(p, "who may take the role is not known")
		case err != nil:
			judge(p, "its trust policy cannot be read")
		case trust.OnlyServices():
			if is, _ := p.Administrator(); is == access.Yes {
				services++
			}
			seen[p.Identity()] = true
		default:
			judge(p, "")
		}
	}
	become, maybe := st.becoming(s, account, seen)
	certain = append(certain, become...)
	unclear = slices.DeleteFunc(unclear, func(a administrator) bool {
		return slices.ContainsFunc(become, func(b administrator) bool { return a.id == b.id })
	})
	for _, m := range maybe {
		if !slices.ContainsFunc(unclear, func(a administrator) bool { return a.id == m.id }) {
			unclear = append(unclear, m)
		}
	}
	less := func(a, b administrator) int {
		return cmp.Or(cmp.Compare(a.place.Subject.ID, b.place.Subject.ID), cmp.Compare(a.who, b.who))
	}
	slices.SortFunc(certain, less)
	slices.SortFunc(unclear, less)
	return certain, unclear, services
}

// becoming returns who becomes an administrator of an account over others,
// surely and perhaps. Providers of sign-ons are not counted: the roles that
// their people take are.
func (st *standing) becoming(s *control.Subject, account string, seen map[access.Identity]bool) (certain, unclear []administrator) {
	r := st.admins[account]
	if r == nil {
		return nil, nil
	}
	for _, id := range r.Who(false) {
		counts := id.Kind == access.IAMUser || id.Kind == access.IAMRole || id.Kind == access.AWSAccount || id == access.Identity{Kind: access.Anybody, Name: access.Everybody}
		if !counts || seen[id] || onlyServices(s, id) {
			continue
		}
		chain, _ := r.Chain(id)
		adm := administrator{
			id: id, who: st.whois(id), place: trace.Place{Subject: s.Ref()}, names: []string{id.Name, estate.ShortName(id.Name)},
			by: outline(chain), how: "becomes an administrator: " + told(chain),
		}
		if p, ok := st.Principal(id); ok {
			adm.place = placeOf(p)
		}
		if chain.Certain() == access.Yes {
			certain = append(certain, adm)
			continue
		}
		adm.why = "it perhaps " + told(chain)
		unclear = append(unclear, adm)
	}
	return certain, unclear
}
