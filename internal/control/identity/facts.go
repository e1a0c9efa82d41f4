package identity

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/eksafe/eksafe/internal/access"
	"github.com/eksafe/eksafe/internal/config"
	"github.com/eksafe/eksafe/internal/control"
	"github.com/eksafe/eksafe/internal/estate"
	"github.com/eksafe/eksafe/internal/trace"
)

// library returns what finds the groups and policies of principals. The control
// must declare both kinds.
func library(s *control.Subject) access.Library {
	groups := control.All(s, estate.Groups)
	return access.Library{
		// Names of groups are unique within an account only.
		Group: func(u *estate.User, name string) (*estate.Group, bool) {
			i := slices.IndexFunc(groups, func(g *estate.Group) bool {
				return g.Arn == name || g.GroupName == name && g.Origin.Account == u.Origin.Account
			})
			if i < 0 {
				return nil, false
			}
			return groups[i], true
		},
		Policy: func(arn string) (*estate.ManagedPolicy, bool) { return control.Find(s, estate.ManagedPolicies, arn) },
	}
}

// placeOf returns the place of a principal.
func placeOf(p *access.Principal) trace.Place { return trace.Place{Subject: p.Ref, Origin: p.Origin} }

// title returns "user alice" or "role deploy".
func title(p *access.Principal) string {
	if p.Ref.Kind == estate.Users.Kind {
		return "user " + p.Ref.Name
	}
	return "role " + p.Ref.Name
}

// unused is how long something may go without use.
func unused(s *control.Subject) (days int, since time.Time) {
	days = config.Or(s.Config().Thresholds.UnusedDays, config.DefaultUnusedDays)
	return days, s.Now().AddDate(0, 0, -days)
}

// named reports whether one of the patterns of eksafe.yaml stands for one of
// the names.
func named(patterns []string, names ...string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool {
		return slices.ContainsFunc(names, func(n string) bool { return n != "" && access.Match(p, n) })
	})
}

// maxListed bounds what one message lists.
const maxListed = 10

// listed joins items in order: "a, b and 3 more".
func listed(items []string) string {
	items = slices.Compact(slices.Sorted(slices.Values(items)))
	if n := len(items) - maxListed; n > 0 {
		return fmt.Sprintf("%s and %d more", strings.Join(items[:maxListed], ", "), n)
	}
	return strings.Join(items, ", ")
}

// count returns "1 role" or "2 roles".
func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
