package rest

import (
	"strings"

	"github.com/eksafe/eksafe/internal/control"
	"github.com/eksafe/eksafe/internal/estate"
)

var bucketEncrypted = &control.Control{
	ID:       "bucket-encrypted",
	Title:    "Buckets are encrypted and closed to the public",
	Severity: control.Medium,
	Refs:     []control.Ref{control.FSBP("S3.1"), control.FSBP("S3.8"), control.AWS("s3-default-encryption")},
	Serves:   []string{"S24", "S38"},
	Since:    "0.1.0",
	// S3 encrypts every object, whatever the bucket says: what is left to
	// judge is who may read it.
	Check: control.Each(estate.Buckets, judgeBucket),
}

func judgeBucket(s *control.Subject, b *estate.Bucket) {
	block, known := b.PublicAccessBlockConfiguration.Get()
	if !known {
		s.Unknownf("the public access block of bucket %s is not known; allow s3:GetBucketPublicAccessBlock, or write it into the template", b.BucketName)
		return
	}
	var off []string
	for _, setting := range []struct {
		name string
		on   bool
	}{
		{"blockPublicAcls", block.BlockPublicAcls},
		{"blockPublicPolicy", block.BlockPublicPolicy},
		{"ignorePublicAcls", block.IgnorePublicAcls},
		{"restrictPublicBuckets", block.RestrictPublicBuckets},
	} {
		if !setting.on {
			off = append(off, setting.name)
		}
	}
	if len(off) > 0 {
		s.Failf("publicAccessBlockConfiguration", "one policy or ACL is enough to make it public: %s off", strings.Join(off, ", "))
	}
}
