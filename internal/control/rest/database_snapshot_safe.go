package rest

import (
	"slices"

	"github.com/eksafe/eksafe/internal/control"
	"github.com/eksafe/eksafe/internal/estate"
)

var databaseSnapshotSafe = &control.Control{
	ID:       "database-snapshot-safe",
	Title:    "Database snapshots are encrypted and not public",
	Severity: control.Critical,
	Refs:     []control.Ref{control.FSBP("RDS.1"), control.FSBP("RDS.4")},
	Serves:   []string{"S11"},
	Since:    "0.1.0",
	Check: control.Each(estate.DBSnapshots, judgeSnapshot).
		Helped(estate.DBInstances.Kind, estate.DBClusters.Kind),
}

func judgeSnapshot(s *control.Subject, d *estate.DBSnapshot) {
	accounts, known := d.RestoreAccounts.Get()
	switch {
	case !known:
		s.Unknownf("who may restore %s is not known; allow rds:DescribeDBSnapshotAttributes and rds:DescribeDBClusterSnapshotAttributes", s.Ref().Name)
	case slices.Contains(accounts, "all"):
		s.Failf("restoreAccounts", "every AWS account may restore it")
	}
	encrypted, known := d.Encrypted.Get()
	switch {
	case !known:
		s.Unknownf("whether %s is encrypted is not known; allow rds:DescribeDBSnapshots and rds:DescribeDBClusterSnapshots", s.Ref().Name)
	case !encrypted && !follows(s, d):
		s.Failf("encrypted", "it is not encrypted")
	}
}

// follows reports whether the snapshot is unencrypted because its database is,
// and goes when the database does: database-storage-encrypted reports that
// once, instead of every day's copy.
func follows(s *control.Subject, d *estate.DBSnapshot) bool {
	if d.SnapshotType != "automated" {
		return false
	}
	if db, ok := control.Find(s, estate.DBInstances, d.SourceIdentifier); ok {
		return !db.StorageEncrypted.Or(true)
	}
	if db, ok := control.Find(s, estate.DBClusters, d.SourceIdentifier); ok {
		return !db.StorageEncrypted.Or(true)
	}
	return false
}
