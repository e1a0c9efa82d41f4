package identity

import (
	"slices"
	"strings"

	"github.com/eksafe/eksafe/internal/access"
	"github.com/eksafe/eksafe/internal/control"
	"github.com/eksafe/eksafe/internal/estate"
)

var mfaRequired = &control.Control{
	ID:       "mfa-required",
	Title:    "People can do nothing without a second factor",
	Severity: control.Medium,
	Refs:     []control.Ref{control.AWS("iam-mfa-self-service"), control.ATTACK("T1078.004")},
	Serves:   []string{"S27"},
	Since:    "0.1.0",
	Check: control.Each(estate.Accounts, judgeMFARequired, estate.Users.Kind).
		Helped(estate.Groups.Kind, estate.ManagedPolicies.Kind),
}

func judgeMFARequired(s *control.Subject, a *estate.Account) {
	lib := library(s)
	people := 0
	for _, u := range control.All(s, estate.Users) {
		if u.Origin.Account != a.Origin.Account {
			continue
		}
		console, known := u.ConsoleAccess.Get()
		if !known {
			people++
			s.Unknownf("whether user %s has a password is not known; allow iam:GenerateCredentialReport and iam:GetCredentialReport", u.UserName)
			continue
		}
		if !console {
			continue
		}
		people++
		p := lib.User(u)
		switch hole := withoutMFA(p); {
		case hole == "":
		case len(p.Gaps) > 0:
			s.Unknownf("whether the policies of user %s demand a second factor is not known: %s", u.UserName, p.Gaps[0])
		default:
			s.FailAt(placeOf(p), "%s", hole)
		}
	}
	if people > 0 || s.Config().People.SignOn {
		return
	}
	providers, known := a.SAMLProviders.Get()
	if known && len(providers) > 0 {
		s.Unknownf("nobody has a password; whether the identity provider %s demands a second factor cannot be seen from AWS: declare people.signOn in eksafe.yaml if it does", estate.ShortName(providers[0]))
		return
	}
	s.Unknownf("nobody has a password and no identity provider was seen; declare people.signOn in eksafe.yaml if people sign in elsewhere with a second factor")
}

// withoutMFA says what the principal may do without a second factor, "" if it
// is nothing but to get one.
func withoutMFA(p *access.Principal) string {
	hole := "no policy of the user denies what is done without a second factor"
	for _, policy := range p.Policies {
		if policy.Document == nil {
			continue
		}
		for i := range policy.Document.Statements {
			st := &policy.Document.Statements[i]
			consoles, keys := st.WithoutMFA()
			if !st.Deny || !consoles || !slices.Contains(st.Resources, "*") {
				continue
			}
			left := slices.DeleteFunc(slices.Clone(st.NotActions), selfService)
			switch {
			case st.NotActions == nil && !slices.ContainsFunc(st.Actions, func(a string) bool { return access.MatchAction(a, "*:*") }):
				hole = policy.String() + " denies some actions only without a second factor"
			case len(left) > 0:
				hole = policy.String() + " leaves " + listed(left) + " to those without a second factor"
			case !keys:
				hole = policy.String() + " lets access keys through: its condition must be BoolIfExists"
			default:
				return ""
			}
		}
	}
	if grantsNeedMFA(p) {
		return ""
	}
	return hole
}

// grantsNeedMFA reports whether everything that is allowed needs a second
// factor, but for what it takes to get one.
func grantsNeedMFA(p *access.Principal) bool {
	if len(p.Gaps) > 0 {
		return false
	}
	for _, policy := range p.Policies {
		for i := range policy.Document.Statements {
			st := &policy.Document.Statements[i]
			if st.Deny || st.RequiresMFA() {
				continue
			}
			if st.NotActions != nil || slices.ContainsFunc(st.Actions, func(a string) bool { return !selfService(a) }) {
				return false
			}
		}
	}
	return true
}

// selfService reports whether the actions of a pattern do no more than show,
// and set up a second factor. To take a device away is not among them: that
// would be the way around it.
func selfService(pattern string) bool {
	service, action, _ := strings.Cut(strings.ToLower(pattern), ":")
	switch service {
	case "sts":
		return action == "getsessiontoken" || action == "getcalleridentity"
	case "iam":
		return strings.HasPrefix(action, "get") || strings.HasPrefix(action, "list") || slices.Contains([]string{
			"changepassword", "createvirtualmfadevice", "deletevirtualmfadevice", "enablemfadevice", "resyncmfadevice",
		}, action)
	}
	return false
}
