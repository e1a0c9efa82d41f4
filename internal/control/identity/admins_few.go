package identity

import (
	"slices"

	"github.com/eksafe/eksafe/internal/access"
	"github.com/eksafe/eksafe/internal/config"
	"github.com/eksafe/eksafe/internal/control"
	"github.com/eksafe/eksafe/internal/estate"
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

// An administrator is a principal with everything, or perhaps so.
type administrator struct {
	*access.Principal
	by *access.Policy
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
			who = append(who, title(p.Principal)+" ("+p.by.String()+")")
		}
		beside := ""
		if services > 0 {
			beside = "; beside them " + count(services, "role") + " that only AWS services take"
		}
		s.Failf("", "%s where %d may be: %s%s", count(len(certain), "administrator"), limit, listed(who), beside)
	}
	if len(allowed) > 0 {
		for _, p := range certain {
			if !named(allowed, p.Ref.ID, p.Ref.Name) {
				s.FailAt(placeOf(p.Principal), "%s is an administrator by %s, and people.administrators of eksafe.yaml does not name it", title(p.Principal), p.by)
			}
		}
		unclear = slices.DeleteFunc(unclear, func(p administrator) bool { return named(allowed, p.Ref.ID, p.Ref.Name) })
	}
	if len(unclear) == 0 || len(allowed) == 0 && len(certain)+len(unclear) <= limit {
		return
	}
	for i, p := range unclear {
		if i == maxListed {
			s.Unknownf("whether %d more principals are administrators is not known", len(unclear)-i)
			break
		}
		s.Unknownf("whether %s is an administrator is not known: %s", title(p.Principal), p.why)
	}
}

// administrators returns the principals of an account that are administrators,
// those that may be, and how many roles are that only AWS services take.
func administrators(s *control.Subject, account string) (certain, unclear []administrator, services int) {
	lib := library(s)
	judge := func(p *access.Principal, trustUnknown string) {
		is, by := p.Administrator()
		switch {
		case is == access.No:
		case trustUnknown != "":
			unclear = append(unclear, administrator{Principal: p, why: trustUnknown})
		case is == access.Yes:
			certain = append(certain, administrator{Principal: p, by: by})
		case len(p.Gaps) > 0:
			unclear = append(unclear, administrator{Principal: p, why: p.Gaps[0]})
		case p.Boundary != nil && p.Boundary.Document == nil:
			unclear = append(unclear, administrator{Principal: p, why: p.Boundary.Why})
		default:
			unclear = append(unclear, administrator{Principal: p, why: "it depends on a condition of " + by.String()})
		}
	}
	for _, u := range control.All(s, estate.Users) {
		if u.Origin.Account == account {
			judge(lib.User(u), "")
		}
	}
	for _, r := range control.All(s, estate.IAMRoles) {
		if r.Origin.Account != account || access.ServiceLinked(r) {
			continue
		}
		p := lib.Role(r)
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
		default:
			judge(p, "")
		}
	}
	less := func(a, b administrator) int { return byID(a.Principal, b.Principal) }
	slices.SortFunc(certain, less)
	slices.SortFunc(unclear, less)
	return certain, unclear, services
}
