package identity

import (
	"github.com/eksafe/eksafe/internal/access"
	"github.com/eksafe/eksafe/internal/control"
	"github.com/eksafe/eksafe/internal/estate"
)

var userMfa = &control.Control{
	ID:       "user-mfa",
	Title:    "Every user with a password has a second factor",
	Severity: control.High,
	Refs:     []control.Ref{control.FSBP("IAM.5"), control.ATTACK("T1078.004")},
	Serves:   []string{"S27"},
	Since:    "0.1.0",
	Check:    control.Each(estate.Users, judgeUserMFA).Helped(estate.Groups.Kind, estate.ManagedPolicies.Kind),
}

func judgeUserMFA(s *control.Subject, u *estate.User) {
	console, known := u.ConsoleAccess.Get()
	if known && !console {
		s.NotApplicable()
		return
	}
	devices, devicesKnown := u.MFADevices.Get()
	switch {
	case devicesKnown && len(devices) > 0:
		return
	case !known:
		s.Unknownf("whether user %s has a password is not known; read the account live (--aws) with iam:GenerateCredentialReport and iam:GetCredentialReport", u.UserName)
		return
	case !devicesKnown:
		s.Unknownf("the second factors of user %s are not known; read the account live (--aws) with iam:ListMFADevices", u.UserName)
		return
	}
	if is, by := library(s).User(u).Administrator(); is == access.Yes {
		s.Raise(control.Critical, "the user is an administrator by %s", by)
	}
	s.Failf("mfaDevices", "the user signs in with a password alone")
}
