package transit

import (
	"github.com/eksafe/eksafe/internal/control"
	"github.com/eksafe/eksafe/internal/estate"
	"github.com/eksafe/eksafe/internal/trace"
)

var databaseRequiresTls = &control.Control{
	ID:       "database-requires-tls",
	Title:    "Databases refuse plaintext connections",
	Severity: control.High,
	Refs:     []control.Ref{control.FSBP("RDS.41"), control.FSBP("RDS.44"), control.AWS("rds-tls-mysql"), control.AWS("rds-tls-postgresql")},
	Serves:   []string{"S10"},
	Since:    "0.1.0",
	Check: control.Traced(databases, placeOfDatabase, judgeDatabaseRequiresTLS,
		estate.DBInstances.Kind, estate.DBClusters.Kind).
		Helped(estate.DBParameterGroups.Kind, estate.DBClusterParameterGroups.Kind, estate.OptionGroups.Kind),
}

func databases(g *trace.Graph) []*trace.Database { return g.Databases }

func placeOfDatabase(d *trace.Database) trace.Place {
	return trace.Place{Subject: d.Ref, Origin: d.Origin}
}

func judgeDatabaseRequiresTLS(s *control.Subject, d *trace.Database) {
	if d.Instance != nil && d.Instance.DBClusterIdentifier != "" {
		s.Unknownf("%s is a member of cluster %s, whose parameters decide and which was not read", d.Ref.Name, d.Instance.DBClusterIdentifier)
		return
	}
	s.Facing(d.Ref)
	switch d.RequiresTLS.Required {
	case trace.No:
		s.FailAt(d.RequiresTLS.At, "the database accepts plaintext: %s", d.RequiresTLS.Why)
	case trace.Unclear:
		s.Unknownf("whether %s refuses plaintext is not known: %s", d.Ref.Name, d.RequiresTLS.Why)
	}
}
