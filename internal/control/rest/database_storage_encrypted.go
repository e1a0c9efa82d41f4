package rest

import (
	"github.com/eksafe/eksafe/internal/control"
	"github.com/eksafe/eksafe/internal/estate"
	"github.com/eksafe/eksafe/internal/trace"
)

var databaseStorageEncrypted = &control.Control{
	ID:       "database-storage-encrypted",
	Title:    "The storage of every database is encrypted",
	Severity: control.High,
	Refs:     []control.Ref{control.FSBP("RDS.3"), control.FSBP("RDS.27")},
	Serves:   []string{"S11"},
	Since:    "0.1.0",
	// The members of a cluster share its storage: the trace lists the cluster
	// alone, so that one cause is one finding.
	Check: control.Traced(databases, placeOfDatabase, judgeDatabaseStorage, estate.DBInstances.Kind, estate.DBClusters.Kind),
}

func databases(g *trace.Graph) []*trace.Database { return g.Databases }

func placeOfDatabase(d *trace.Database) trace.Place {
	return trace.Place{Subject: d.Ref, Origin: d.Origin}
}

func judgeDatabaseStorage(s *control.Subject, d *trace.Database) {
	var storage estate.Optional[bool]
	switch {
	case d.Cluster != nil:
		storage = d.Cluster.StorageEncrypted
	case d.Instance != nil:
		storage = d.Instance.StorageEncrypted
	}
	encrypted, known := storage.Get()
	switch {
	case !known:
		s.Unknownf("storageEncrypted of %s is not known; read the database live (--aws), or write it into the template", s.Ref().Name)
	case !encrypted:
		s.Failf("storageEncrypted", "the storage is not encrypted")
	}
}
