package identity

import (
	"strings"
	"time"

	"github.com/eksafe/eksafe/internal/control"
	"github.com/eksafe/eksafe/internal/estate"
)

var permissionsUnused = &control.Control{
	ID:       "permissions-unused",
	Title:    "Principals use what they are granted",
	Severity: control.Medium,
	Refs:     []control.Ref{control.AWS("iam-last-accessed")},
	Serves:   []string{"S28"},
	Since:    "0.1.0",
	Check:    control.Each(estate.LastAccessed, judgeUnused).Helped(estate.Users.Kind, estate.IAMRoles.Kind),
}

func judgeUnused(s *control.Subject, l *estate.ServiceLastAccessed) {
	if strings.Contains(l.PrincipalArn, ":role/aws-service-role/") {
		s.NotApplicable() // AWS wrote its policy, and nobody else can change it
		return
	}
	name := estate.ShortName(l.PrincipalArn)
	days, since := unused(s)
	created, known := createdAt(s, l.PrincipalArn)
	if known && created.After(since) {
		s.NotApplicable() // it had no time to use them
		return
	}
	var stale []string
	for _, service := range l.Services {
		last, seen := service.LastAuthenticated.Get()
		switch {
		case !seen:
			s.Unknownf("when %s last used %s is not known; allow iam:GetServiceLastAccessedDetails", name, service.Namespace)
		case !last.After(since):
			stale = append(stale, service.Namespace)
		}
	}
	if len(stale) == 0 {
		return
	}
	tracked, trackedKnown := l.Since.Get()
	switch {
	case !known:
		s.Unknownf("since when %s exists is not known, so that it may have had no time to use %s", name, listed(stale))
	case !trackedKnown || tracked.After(since):
		s.Unknownf("AWS has not recorded for %d days what %s uses", days, name)
	default:
		s.Failf("services", "granted, and not used for %d days: %s", days, listed(stale))
	}
}

// createdAt returns since when a user or role exists.
func createdAt(s *control.Subject, arn string) (time.Time, bool) {
	if u, ok := control.Find(s, estate.Users, arn); ok {
		return u.CreateDate.Get()
	}
	if r, ok := control.Find(s, estate.IAMRoles, arn); ok {
		return r.CreateDate.Get()
	}
	return time.Time{}, false
}
