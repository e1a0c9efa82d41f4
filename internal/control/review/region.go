package review

import (
	"cmp"
	"slices"

	"github.com/eksafe/eksafe/internal/estate"
	"github.com/eksafe/eksafe/internal/trace"
)

// A region is one region of an account, with the resources of one kind in it.
// A region that was read and has none is one too: nothing there would otherwise
// be nothing to judge.
type region[T any] struct {
	account, name string
	place         trace.Place
	items         []T
}

// regions returns a list of the regions of an estate for a kind: those where
// it has resources, and those that were read live, which EBSDefaults tell: each
// has one.
func regions[T any](c estate.Collection[T]) func(*trace.Graph) []region[T] {
	return func(g *trace.Graph) []region[T] {
		var out []region[T]
		at := func(account, name string) *region[T] {
			for i := range out {
				if out[i].account == account && out[i].name == name {
					return &out[i]
				}
			}
			out = append(out, region[T]{account: account, name: name})
			return &out[len(out)-1]
		}
		for _, d := range estate.EBSDefaults.In(g.Estate) {
			// Where the kind could not be read, none is no news.
			if d.Origin.File != "" || g.Estate.Coverage(c.Kind).State != estate.Read {
				continue
			}
			at(d.Origin.Account, d.Origin.Region).place = placeOfAccount(g.Estate, d.Origin.Account,
				trace.Place{Subject: estate.EBSDefaults.Ref(d), Origin: &d.Origin})
		}
		for _, item := range c.In(g.Estate) {
			o := c.Origin(item)
			r := at(o.Account, o.Region)
			r.items = append(r.items, item)
			if r.place.Subject.IsZero() {
				r.place = trace.Place{Subject: c.Ref(item), Origin: o}
			}
		}
		slices.SortFunc(out, func(a, b region[T]) int {
			return cmp.Or(cmp.Compare(a.account, b.account), cmp.Compare(a.name, b.name))
		})
		return out
	}
}

func placeOfRegion[T any](r region[T]) trace.Place { return r.place }

// placeOfAccount returns the place of an account, or another where the account
// was not read.
func placeOfAccount(e *estate.Estate, account string, other trace.Place) trace.Place {
	for _, a := range estate.Accounts.In(e) {
		if a.Origin.Account == account {
			return trace.Place{Subject: estate.Accounts.Ref(a), Origin: &a.Origin}
		}
	}
	return other
}

// String returns "eu-west-1", or what to call the region of a template.
func (r region[T]) String() string { return cmp.Or(r.name, "the region of the template") }
