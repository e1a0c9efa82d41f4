package detection

import (
	"fmt"
	"strings"

	"github.com/eksafe/eksafe/internal/config"
	"github.com/eksafe/eksafe/internal/control"
	"github.com/eksafe/eksafe/internal/estate"
	"github.com/eksafe/eksafe/internal/trace"
)

var logsProtected = &control.Control{
	ID:       "logs-protected",
	Title:    "Log buckets are private, versioned, and keep what they got",
	Severity: control.Medium,
	Refs:     []control.Ref{control.FSBP("S3.8"), control.FSBP("S3.14"), control.ATTACK("T1562.008")},
	Serves:   []string{"S24", "S38"},
	Since:    "0.1.0",
	Check: control.Traced(func(g *trace.Graph) []*store { return stores(g, delivery.isBucket) },
		func(st *store) trace.Place { return st.place }, judgeProtected, storeKinds()...).
		Helped(estate.Buckets.Kind, estate.Trails.Kind, estate.FlowLogs.Kind, estate.WebACLs.Kind).Helped(predictionKinds()...),
}

func judgeProtected(s *control.Subject, st *store) {
	b := st.bucket
	if b == nil {
		otherAccount(s, st.deliveries[0])
		return
	}
	switch block, known := b.PublicAccessBlockConfiguration.Get(); {
	case !known:
		s.Unknownf("the public access block of log bucket %s is not known; allow s3:GetBucketPublicAccessBlock", b.BucketName)
	case !block.BlockPublicAcls || !block.BlockPublicPolicy || !block.IgnorePublicAcls || !block.RestrictPublicBuckets:
		s.Failf("publicAccessBlockConfiguration", "log bucket %s is not closed to the public by all four settings", b.BucketName)
	}
	if to, known := b.LoggingConfiguration.Get(); known && to != "" && (to == b.BucketName || to == b.Arn) {
		s.Failf("loggingConfiguration", "log bucket %s logs to itself: each log makes another", b.BucketName)
	}
	locked, known := b.ObjectLockEnabled.Get()
	if locked {
		return // versioned for ever, and no rule deletes what is locked
	}
	versioning, versionKnown := b.VersioningConfiguration.Get()
	switch {
	case !versionKnown:
		s.Unknownf("whether log bucket %s is versioned is not known; allow s3:GetBucketVersioning", b.BucketName)
	case versioning != "Enabled" && !known:
		s.Unknownf("whether log bucket %s has object lock is not known; allow s3:GetBucketObjectLockConfiguration", b.BucketName)
	case versioning != "Enabled":
		s.Failf("versioningConfiguration", "log bucket %s is not versioned: who may write to it can overwrite what he did", b.BucketName)
	}
	judgeRetention(s, st)
}

// judgeRetention compares how long logs are kept with what users want.
func judgeRetention(s *control.Subject, st *store) {
	b, days := st.bucket, config.Or(s.Config().Thresholds.LogDays, config.DefaultLogDays)
	all, known := b.Expirations.Get()
	if !known {
		s.Unknownf("how long log bucket %s keeps its objects is not known; allow s3:GetLifecycleConfiguration", b.BucketName)
		return
	}
	for i, e := range all {
		if e.Days >= days || !st.holds(e.Prefix) {
			continue
		}
		what := fmt.Sprintf("after %d days, and %d are wanted", e.Days, days)
		if e.Days == 0 {
			what = "at a date"
		}
		s.Failf(fmt.Sprintf("expirations[%d]", i), "log bucket %s deletes logs %s", b.BucketName, what)
	}
}

// holds reports whether logs lie under the prefix, or it under theirs.
func (st *store) holds(prefix string) bool {
	for _, d := range st.deliveries {
		if strings.HasPrefix(d.prefix, prefix) || strings.HasPrefix(prefix, d.prefix) {
			return true
		}
	}
	return false
}
