package transit

import (
	"encoding/json"
	"strings"

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
	var policy policyDocument
	if err := json.Unmarshal([]byte(text), &policy); err != nil {
		s.Unknownf("the policy of bucket %s cannot be read", b.BucketName)
		return
	}
	// The bucket and its objects are resources of their own; one statement may
	// name both, or two one each.
	bucket, objects := false, false
	for _, st := range policy.Statement {
		if !st.deniesPlaintext() {
			continue
		}
		for _, arn := range []string{b.Arn, "arn:aws:s3:::" + b.BucketName, "arn:aws-cn:s3:::" + b.BucketName, "arn:aws-us-gov:s3:::" + b.BucketName} {
			bucket = bucket || st.covers(arn)
			objects = objects || st.covers(arn+"/any/object")
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

// A policyDocument is an IAM policy as far as it is judged.
type policyDocument struct {
	Statement list[statement]
}

type statement struct {
	Effect       string
	Principal    principals
	NotPrincipal json.RawMessage
	Action       list[string]
	NotAction    json.RawMessage
	Resource     list[string]
	NotResource  json.RawMessage
	Condition    map[string]map[string]list[scalar]
}

// deniesPlaintext reports whether the statement denies everybody every action
// on its resources when TLS is missing, and has no condition that lets some
// plaintext requests pass.
func (s statement) deniesPlaintext() bool {
	if s.Effect != "Deny" || !s.Principal.everybody || s.NotPrincipal != nil || s.NotAction != nil || s.NotResource != nil {
		return false
	}
	all := false
	for _, a := range s.Action {
		all = all || a == "*" || strings.EqualFold(a, "s3:*")
	}
	if !all || len(s.Condition) != 1 {
		return false
	}
	for operator, keys := range s.Condition {
		if !strings.EqualFold(operator, "Bool") && !strings.EqualFold(operator, "BoolIfExists") || len(keys) != 1 {
			return false
		}
		for key, values := range keys {
			if !strings.EqualFold(key, "aws:SecureTransport") || len(values) == 0 {
				return false
			}
			for _, v := range values {
				if strings.EqualFold(string(v), "false") {
					return true
				}
			}
		}
	}
	return false
}

func (s statement) covers(arn string) bool {
	for _, pattern := range s.Resource {
		if glob(pattern, arn) {
			return true
		}
	}
	return false
}

// glob matches IAM's wildcards: * for any characters, ? for one. It remembers
// the last star only, so a hostile pattern costs no more than the product of
// the lengths.
func glob(pattern, s string) bool {
	p, i, star, mark := 0, 0, -1, 0
	for i < len(s) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, mark = p, i
			p++
		case p < len(pattern) && (pattern[p] == '?' || pattern[p] == s[i]):
			p++
			i++
		case star >= 0:
			mark++
			p, i = star+1, mark
		default:
			return false
		}
	}
	return strings.Trim(pattern[p:], "*") == ""
}

// A list is one value or an array of them, as IAM allows.
type list[T any] []T

// UnmarshalJSON reads either.
func (l *list[T]) UnmarshalJSON(data []byte) error {
	if len(data) > 0 && data[0] == '[' {
		var many []T
		if err := json.Unmarshal(data, &many); err != nil {
			return err
		}
		*l = many
		return nil
	}
	var one T
	if err := json.Unmarshal(data, &one); err != nil {
		return err
	}
	*l = list[T]{one}
	return nil
}

// A scalar is a string, a number or a boolean as its text.
type scalar string

// UnmarshalJSON reads any of them.
func (s *scalar) UnmarshalJSON(data []byte) error {
	var text string
	if err := json.Unmarshal(data, &text); err == nil {
		*s = scalar(text)
		return nil
	}
	*s = scalar(strings.TrimSpace(string(data)))
	return nil
}

// principals says whether everybody is meant: "*" or {"AWS": "*"}.
type principals struct{ everybody bool }

// UnmarshalJSON reads both forms.
func (p *principals) UnmarshalJSON(data []byte) error {
	var text string
	if err := json.Unmarshal(data, &text); err == nil {
		p.everybody = text == "*"
		return nil
	}
	var kinds map[string]list[string]
	if err := json.Unmarshal(data, &kinds); err != nil {
		return err
	}
	for _, id := range kinds["AWS"] {
		p.everybody = p.everybody || id == "*"
	}
	return nil
}
