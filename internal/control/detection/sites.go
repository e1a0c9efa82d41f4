package detection

import (
	"cmp"
	"maps"
	"slices"

	"github.com/eksafe/eksafe/internal/control"
	"github.com/eksafe/eksafe/internal/estate"
	"github.com/eksafe/eksafe/internal/trace"
)

// A site is a region of an account: what GuardDuty is switched on for. A
// template's has no account.
type site struct{ account, region string }

func siteOf(o *estate.Origin) site { return site{o.Account, o.Region} }

// place stands for a site in a report: where something is missing, no resource
// of it can.
func (s site) place() trace.Place {
	account, region := cmp.Or(s.account, "template"), cmp.Or(s.region, "template")
	return trace.Place{Subject: estate.Ref{Kind: "Region", Name: region, ID: "region/" + account + "/" + region}}
}

// An account is judged as one, whatever regions of it were read.
type account string

func (a account) place() trace.Place {
	name := cmp.Or(string(a), "template")
	return trace.Place{Subject: estate.Ref{Kind: estate.Accounts.Kind, Name: name, ID: "account/" + name}}
}

// regions returns the sites that were read: each has a default for its volumes,
// if nothing else.
func regions(g *trace.Graph) []site {
	seen := map[site]bool{}
	for _, c := range estate.Clusters.In(g.Estate) {
		seen[siteOf(&c.Origin)] = true
	}
	for _, d := range estate.EBSDefaults.In(g.Estate) {
		seen[siteOf(&d.Origin)] = true
	}
	for _, d := range estate.GuardDutyDetectors.In(g.Estate) {
		seen[siteOf(&d.Origin)] = true
	}
	return known(seen)
}

// accounts returns the accounts that were read.
func accounts(g *trace.Graph) []account {
	seen := map[site]bool{}
	for _, c := range estate.Clusters.In(g.Estate) {
		seen[site{account: c.Origin.Account}] = true
	}
	for _, a := range estate.Accounts.In(g.Estate) {
		seen[site{account: a.Origin.Account}] = true
	}
	for _, t := range estate.Trails.In(g.Estate) {
		seen[site{account: t.Origin.Account}] = true
	}
	var out []account
	for _, s := range known(seen) {
		out = append(out, account(s.account))
	}
	return out
}

// known leaves out the site of templates beside a real one: they will be
// deployed to some region of it.
func known(seen map[site]bool) []site {
	out := slices.SortedFunc(maps.Keys(seen), func(a, b site) int {
		return cmp.Or(cmp.Compare(a.account, b.account), cmp.Compare(a.region, b.region))
	})
	if slices.ContainsFunc(out, func(s site) bool { return s.account != "" }) {
		out = slices.DeleteFunc(out, func(s site) bool { return s.account == "" })
	}
	return out
}

// detectorOf returns the detector of a site: GuardDuty allows one.
func detectorOf(s *control.Subject, at site) *estate.GuardDutyDetector {
	for _, d := range control.All(s, estate.GuardDutyDetectors) {
		if siteOf(&d.Origin) == at {
			return d
		}
	}
	return nil
}

func detectorPlace(d *estate.GuardDutyDetector, field string) trace.Place {
	return trace.Place{Subject: estate.GuardDutyDetectors.Ref(d), Origin: &d.Origin, Field: field}
}
