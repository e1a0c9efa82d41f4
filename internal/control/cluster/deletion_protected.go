package cluster

import (
	"github.com/eksafe/eksafe/internal/control"
	"github.com/eksafe/eksafe/internal/estate"
	"github.com/eksafe/eksafe/internal/trace"
)

var deletionProtected = &control.Control{
	ID:       "deletion-protected",
	Title:    "Clusters and databases are protected against deletion",
	Severity: control.Low,
	Refs:     []control.Ref{control.FSBP("RDS.7"), control.FSBP("RDS.8"), control.AWS("eks-deletion-protection")},
	Serves:   []string{"S41"},
	Since:    "0.1.0",
	Check: control.Traced(deletables, func(d deletable) trace.Place { return d.place }, judgeDeletion,
		estate.Clusters.Kind, estate.DBInstances.Kind, estate.DBClusters.Kind),
}

// A deletable is a cluster, or a database with the data in it.
type deletable struct {
	place     trace.Place
	what      string
	protected estate.Optional[bool]
}

// deletables lists them. The instances of a database cluster are left out: the
// data is the cluster's, and so is its protection.
func deletables(g *trace.Graph) []deletable {
	var out []deletable
	for _, c := range estate.Clusters.In(g.Estate) {
		out = append(out, deletable{trace.Place{Subject: estate.Clusters.Ref(c), Origin: &c.Origin}, "cluster " + c.Name, c.DeletionProtection})
	}
	for _, d := range estate.DBInstances.In(g.Estate) {
		if d.DBClusterIdentifier == "" {
			out = append(out, deletable{trace.Place{Subject: estate.DBInstances.Ref(d), Origin: &d.Origin}, "database " + estate.DBInstances.Ref(d).Name, d.DeletionProtection})
		}
	}
	for _, d := range estate.DBClusters.In(g.Estate) {
		out = append(out, deletable{trace.Place{Subject: estate.DBClusters.Ref(d), Origin: &d.Origin}, "database " + estate.DBClusters.Ref(d).Name, d.DeletionProtection})
	}
	return out
}

func judgeDeletion(s *control.Subject, d deletable) {
	switch on, known := d.protected.Get(); {
	case !known:
		s.Unknownf("deletionProtection of %s is not known; read it live (--aws), or write it into the template", d.what)
	case !on:
		s.Failf("deletionProtection", "one call deletes %s", d.what)
	}
}
