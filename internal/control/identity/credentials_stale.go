package identity

import (
	"fmt"
	"time"

	"github.com/eksafe/eksafe/internal/config"
	"github.com/eksafe/eksafe/internal/control"
	"github.com/eksafe/eksafe/internal/estate"
)

var credentialsStale = &control.Control{
	ID:       "credentials-stale",
	Title:    "Access keys are young, and no credential lies unused",
	Severity: control.Medium,
	Refs:     []control.Ref{control.FSBP("IAM.3"), control.FSBP("IAM.8"), control.ATTACK("T1078.004")},
	Serves:   []string{"S28"},
	Since:    "0.1.0",
	Check:    control.Each(estate.Users, judgeCredentials),
}

const credentialReport = "allow iam:GenerateCredentialReport and iam:GetCredentialReport"

func judgeCredentials(s *control.Subject, u *estate.User) {
	judgeKeys(s, u)
	console, known := u.ConsoleAccess.Get()
	switch {
	case !known:
		s.Unknownf("whether user %s has a password is not known; %s", u.UserName, credentialReport)
		return
	case !console:
		return
	}
	days, since := unused(s)
	last, known := u.PasswordLastUsed.Get()
	switch {
	case !known:
		s.Unknownf("when the password of user %s was last used is not known; %s", u.UserName, credentialReport)
	case last.After(since):
	case !last.IsZero():
		s.Failf("passwordLastUsed", "the password was last used on %s, more than %d days ago", last.UTC().Format(time.DateOnly), days)
	default:
		set, known := u.PasswordLastChanged.Get()
		switch {
		case !known:
			s.Unknownf("since when user %s has a password, which was never used, is not known; %s", u.UserName, credentialReport)
		case !set.After(since):
			s.Failf("passwordLastUsed", "the password was never used in more than %d days", days)
		}
	}
}

func judgeKeys(s *control.Subject, u *estate.User) {
	keys, known := u.AccessKeys.Get()
	if !known {
		s.Unknownf("the access keys of user %s are not known; allow iam:ListAccessKeys and iam:GetAccessKeyLastUsed", u.UserName)
		return
	}
	oldest := config.Or(s.Config().Thresholds.AccessKeyDays, config.DefaultAccessKeyDays)
	days, since := unused(s)
	for i, k := range keys {
		if k.Status != "Active" {
			continue
		}
		field := fmt.Sprintf("accessKeys[%d]", i)
		created, known := k.CreateDate.Get()
		last, lastKnown := k.LastUsed.Get()
		age := int(s.Now().Sub(created).Hours() / 24)
		switch {
		case !known:
			s.Unknownf("the age of access key …%s of user %s is not known; allow iam:ListAccessKeys", k.Id, u.UserName)
		case age > oldest:
			s.Failf(field, "access key …%s is %d days old, where %d are allowed", k.Id, age, oldest)
		case !lastKnown:
			s.Unknownf("when access key …%s of user %s was last used is not known; allow iam:GetAccessKeyLastUsed", k.Id, u.UserName)
		case !last.After(since) && !created.After(since):
			s.Failf(field, "access key …%s was not used for %d days", k.Id, days)
		}
	}
}
