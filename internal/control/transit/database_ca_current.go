package transit

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/eksafe/eksafe/internal/control"
	"github.com/eksafe/eksafe/internal/estate"
	"github.com/eksafe/eksafe/internal/trace"
)

var databaseCaCurrent = &control.Control{
	ID:       "database-ca-current",
	Title:    "Certificates of databases are of a current authority and not about to expire",
	Severity: control.High,
	Refs:     []control.Ref{control.AWS("rds-certificate-rotation")},
	Serves:   []string{"S10"},
	Since:    "0.1.0",
	Check: control.Traced(databases, placeOfDatabase, judgeDatabaseCA, estate.DBInstances.Kind).
		Helped(estate.DBClusters.Kind),
}

// A databaseCA is a certificate authority of RDS that has expired.
type databaseCA struct {
	id      string
	expired string
	source  string
	read    string // date on which the source was read
}

// expiredCAs are from AWS's documentation and announcements.
var expiredCAs = []databaseCA{
	{"rds-ca-2015", "March 2020", "https://aws.amazon.com/blogs/database/amazon-rds-customers-update-your-ssl-tls-certificates-by-february-5-2020/", "2026-11-23"},
	{"rds-ca-2019", "August 2024", "https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/UsingWithRDS.SSL-certificate-rotation.html", "2026-11-23"},
}

// judgeDatabaseCA judges an instance, or the members of a cluster: each has a
// certificate of its own.
func judgeDatabaseCA(s *control.Subject, d *trace.Database) {
	if d.Instance != nil {
		judgeInstanceCA(s, d.Instance)
		return
	}
	members := 0
	for _, i := range control.All(s, estate.DBInstances) {
		if d.Cluster != nil && memberOf(i, d.Cluster) {
			members++
			judgeInstanceCA(s, i)
		}
	}
	if members == 0 {
		s.Unknownf("no member of cluster %s was read", d.Ref.Name)
	}
}

func memberOf(i *estate.DBInstance, c *estate.DBCluster) bool {
	return i.DBClusterIdentifier != "" &&
		(strings.EqualFold(i.DBClusterIdentifier, c.DBClusterIdentifier) || i.DBClusterIdentifier == c.Arn)
}

func judgeInstanceCA(s *control.Subject, i *estate.DBInstance) {
	place := func(field string) trace.Place {
		return trace.Place{Subject: estate.DBInstances.Ref(i), Origin: &i.Origin, Field: field}
	}
	id := cmp.Or(i.CertificateDetails.CAIdentifier, i.CACertificateIdentifier.Or(""))
	if n := slices.IndexFunc(expiredCAs, func(ca databaseCA) bool { return ca.id == id }); n >= 0 {
		s.FailAt(place("caCertificateIdentifier"), "the certificate is of %s, which expired in %s", id, expiredCAs[n].expired)
		return
	}
	till, dated := i.CertificateDetails.ValidTill.Get()
	switch {
	case dated && !till.After(s.Now()):
		s.FailAt(place("certificateDetails.validTill"), "the certificate expired on %s", till.UTC().Format(time.DateOnly))
	case dated && till.Sub(s.Now()) <= renewalWindow:
		s.FailAt(place("certificateDetails.validTill"), "the certificate expires on %s; rotate it", till.UTC().Format(time.DateOnly))
	case dated:
	case id == "":
		s.Unknownf("the certificate authority of %s is not known; read it live (--aws), or name it (CACertificateIdentifier)", i.DBInstanceIdentifier)
	default:
		s.Unknownf("when the certificate of %s expires is not known; files cannot tell, read RDS (--aws)", i.DBInstanceIdentifier)
	}
}
