package rest

import (
	"cmp"
	"slices"
	"strings"

	"github.com/eksafe/eksafe/internal/control"
	"github.com/eksafe/eksafe/internal/estate"
	"github.com/eksafe/eksafe/internal/trace"
)

var storageclassOneDefault = &control.Control{
	ID:       "storageclass-one-default",
	Title:    "Exactly one StorageClass is the default, and it is not the old gp2",
	Severity: control.Medium,
	Refs:     []control.Ref{control.Project("kubernetes-storage-classes")},
	Serves:   []string{"S12", "S13"},
	Since:    "0.1.0",
	Check:    control.Traced(defaults, placeOfDefaults, judgeDefaults, estate.StorageClasses.Kind),
}

// A defaultSet is the classes of the estate, those first that are default and
// of them the one first that should not be.
type defaultSet struct {
	all      []*storageClass
	defaults []*storageClass
	live     bool // a cluster was read, so there are no others
}

func defaults(g *trace.Graph) []defaultSet {
	d := defaultSet{all: slices.Clone(estate.StorageClasses.In(g.Estate))}
	if len(d.all) == 0 {
		return nil
	}
	slices.SortFunc(d.all, func(a, b *storageClass) int {
		return cmp.Or(
			order(defaultBy(a) != "", defaultBy(b) != ""),
			order(old(a), old(b)),
			cmp.Compare(a.Object.Name, b.Object.Name),
		)
	})
	for _, c := range d.all {
		if defaultBy(c) != "" {
			d.defaults = append(d.defaults, c)
		}
		d.live = d.live || c.Origin.Cluster != ""
	}
	return []defaultSet{d}
}

// order puts what is true first.
func order(a, b bool) int {
	switch {
	case a && !b:
		return -1
	case b && !a:
		return 1
	}
	return 0
}

// old reports whether the class is the one that clusters used to come with.
func old(c *storageClass) bool {
	return c.Object.Name == "gp2" || c.Object.Provisioner == inTreeEBS
}

func placeOfDefaults(d defaultSet) trace.Place {
	return trace.Place{Subject: estate.StorageClasses.Ref(d.all[0]), Origin: &d.all[0].Origin}
}

func judgeDefaults(s *control.Subject, d defaultSet) {
	switch {
	case len(d.defaults) == 0 && d.live:
		s.Failf("metadata.annotations", "no class is the default: claims that name none stay pending, or get what the next default is")
	case len(d.defaults) == 0:
		s.Unknownf("none of the classes is the default; the cluster may have one of its own (add --kube)")
	case len(d.defaults) > 1:
		var names []string
		for _, c := range d.defaults {
			names = append(names, c.Object.Name)
		}
		slices.Sort(names)
		s.Failf(annotation(d.defaults[0]), "%d classes are the default (%s): the one made last wins", len(names), strings.Join(names, ", "))
	case old(d.defaults[0]):
		s.Failf(annotation(d.defaults[0]), "the old %s is the default", d.defaults[0].Object.Name)
	}
}

func annotation(c *storageClass) string { return "metadata.annotations[" + defaultBy(c) + "]" }
