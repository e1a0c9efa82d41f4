package transit

import (
	"slices"
	"strings"

	"github.com/eksafe/eksafe/internal/access"
	"github.com/eksafe/eksafe/internal/control"
	"github.com/eksafe/eksafe/internal/estate"
)

var bucketTls = &control.Control{
	ID:       "bucket-tls",
	Title:    "Buckets deny requests without TLS",
	Severity: control.Low,
	Refs:     []control.Ref{control.FSBP("S3.5")},
	Serves:   []string{"S3"},
	Since:    "0.1.0",
	Check:    control.Each(estate.Buckets, judgeBucketTLS),
}

func judgeBucketTLS(s *control.Subject, b *estate.Bucket) {
	text, known := b.Policy.Get()
	if !known {
		s.Unknownf("the policy of bucket %s is not known; read it (s3:GetBucketPolicy), or write it without values that only a deployment knows", b.BucketName)
		return
	}
	if text == "" {
		s.Failf("policy", "the bucket has no policy, so it answers plain HTTP")
		return
	}
	policy, err := access.Parse(text)
	if err != nil {
		s.Unknownf("the policy of bucket %s cannot be read", b.BucketName)
		return
	}
	// The bucket and its objects are resources of their own; one statement may
	// name both, or two one each.
	bucket, objects := false, false
	for i := range policy.Statements {
		st := &policy.Statements[i]
		if !deniesPlaintext(st) {
			continue
		}
		for _, arn := range []string{b.Arn, "arn:aws:s3:::" + b.BucketName, "arn:aws-cn:s3:::" + b.BucketName, "arn:aws-us-gov:s3:::" + b.BucketName} {
			bucket = bucket || covers(st, arn)
			objects = objects || covers(st, arn+"/any/object")
		}
	}
	switch {
	case !bucket && !objects:
		s.Failf("policy", "no statement denies everybody all requests without TLS (aws:SecureTransport)")
	case !objects:
		s.Failf("policy", "plaintext requests are denied for the bucket, but not for its objects (%s/*)", b.BucketName)
	case !bucket:
		s.Failf("policy", "plaintext requests are denied for the objects, but not for the bucket itself")
	}
}

// deniesPlaintext reports whether the statement denies everybody every action
// on its resources when TLS is missing, and has no condition that lets some
// plaintext requests pass.
func deniesPlaintext(s *access.Statement) bool {
	if !s.Deny || !s.Everybody() || len(s.Conditions) != 1 {
		return false
	}
	if !slices.ContainsFunc(s.Actions, func(a string) bool { return access.MatchAction(a, "s3:*") }) {
		return false
	}
	c := s.Conditions[0]
	return (strings.EqualFold(c.Operator, "Bool") || strings.EqualFold(c.Operator, "BoolIfExists")) &&
		strings.EqualFold(c.Key, "aws:SecureTransport") &&
		slices.ContainsFunc(c.Values, func(v string) bool { return strings.EqualFold(v, "false") })
}

func covers(s *access.Statement, arn string) bool {
	return slices.ContainsFunc(s.Resources, func(pattern string) bool { return access.Match(pattern, arn) })
}
