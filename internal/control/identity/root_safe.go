package identity

import (
	"time"

	"github.com/eksafe/eksafe/internal/control"
	"github.com/eksafe/eksafe/internal/estate"
)

var rootSafe = &control.Control{
	ID:       "root-safe",
	Title:    "The root user has a second factor, no access keys, and is not used",
	Severity: control.Critical,
	Refs:     []control.Ref{control.FSBP("IAM.4"), control.FSBP("IAM.9"), control.ATTACK("T1078.004")},
	Serves:   []string{"S27"},
	Since:    "0.1.0",
	Check:    control.Each(estate.Accounts, judgeRoot),
}

func judgeRoot(s *control.Subject, a *estate.Account) {
	mfa, known := a.RootMFA.Get()
	switch {
	case !known:
		s.Unknownf("whether the root user has a second factor is not known; allow iam:GetAccountSummary")
	case !mfa:
		s.Failf("rootMFA", "the root user signs in with a password alone")
	}
	keys, known := a.RootAccessKeys.Get()
	switch {
	case !known:
		s.Unknownf("whether the root user has access keys is not known; allow iam:GetAccountSummary")
	case keys:
		s.Failf("rootAccessKeys", "the root user has an access key, which no policy limits")
	}
	days, since := unused(s)
	last, known := a.RootLastUsed.Get()
	switch {
	case !known:
		s.Unknownf("when the root user was last used is not known; allow iam:GenerateCredentialReport and iam:GetCredentialReport")
	case last.After(since):
		s.Failf("rootLastUsed", "the root user was used on %s, within the last %d days", last.UTC().Format(time.DateOnly), days)
	}
}
