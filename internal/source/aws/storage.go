package aws

import (
	"cmp"
	"context"
	"slices"
	"sync"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/efs"
	efstypes "github.com/aws/aws-sdk-go-v2/service/efs/types"
	"github.com/aws/aws-sdk-go-v2/service/fsx"
	fsxtypes "github.com/aws/aws-sdk-go-v2/service/fsx/types"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	kmstypes "github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/eksafe/eksafe/internal/estate"
)

func (r *reader) readKeys(ctx context.Context) {
	var keys []*estate.Key
	err := pages(ctx, kms.NewListKeysPaginator(r.sdk.kms, &kms.ListKeysInput{}), func(p *kms.ListKeysOutput) {
		for _, k := range p.Keys {
			keys = append(keys, &estate.Key{AWS: estate.AWS{Arn: cmp.Or(text(k.KeyArn), r.arn("kms", "key/"+text(k.KeyId)))}, KeyId: text(k.KeyId)})
		}
	})
	if err != nil {
		r.fail(err, estate.Keys.Kind)
	}
	aliases := map[string][]string{}
	err = pages(ctx, kms.NewListAliasesPaginator(r.sdk.kms, &kms.ListAliasesInput{}), func(p *kms.ListAliasesOutput) {
		for _, a := range p.Aliases {
			aliases[text(a.TargetKeyId)] = append(aliases[text(a.TargetKeyId)], text(a.AliasName))
		}
	})
	if err != nil {
		r.fail(err, estate.Keys.Kind)
	}
	each(ctx, keys, func(ctx context.Context, k *estate.Key) {
		k.Aliases = list(aliases[k.KeyId])
		// A key's policy may refuse one who may read all others.
		out, err := r.sdk.kms.DescribeKey(ctx, &kms.DescribeKeyInput{KeyId: &k.Arn})
		if err != nil {
			if classify(err) != notFound {
				r.blind(err, "properties of keys")
			}
			return
		}
		m := out.KeyMetadata
		if m == nil {
			return
		}
		k.KeySpec, k.KeyManager, k.KeyOrigin = enum(m.KeySpec), enum(m.KeyManager), enum(m.Origin)
		k.Enabled = estate.Known(m.Enabled)
		if m.KeySpec != kmstypes.KeySpecSymmetricDefault || m.Origin != kmstypes.OriginTypeAwsKms {
			return // these cannot rotate by themselves
		}
		rotation, err := r.sdk.kms.GetKeyRotationStatus(ctx, &kms.GetKeyRotationStatusInput{KeyId: &k.Arn})
		switch f := classify(err); {
		case err == nil:
			k.EnableKeyRotation = estate.Known(rotation.KeyRotationEnabled)
		case f != notFound && f != notSupported:
			r.blind(err, "rotation of keys")
		}
	})
	put(r, estate.Keys, keys)
}

// readBuckets reads the buckets of the regions that are read; those of other
// regions belong to another estate.
func (r *reader) readBuckets(ctx context.Context, regional []*reader) {
	byRegion := map[string]s3API{}
	for _, x := range regional {
		byRegion[x.region] = x.sdk.s3
	}
	var buckets []*estate.Bucket
	err := pages(ctx, s3.NewListBucketsPaginator(r.sdk.s3, &s3.ListBucketsInput{MaxBuckets: awssdk.Int32(1000)}), func(p *s3.ListBucketsOutput) {
		for _, b := range p.Buckets {
			buckets = append(buckets, &estate.Bucket{
				AWS: estate.AWS{
					Arn:    "arn:" + r.session.partition + ":s3:::" + text(b.Name),
					Origin: estate.Origin{Region: text(b.BucketRegion)},
				},
				BucketName: text(b.Name),
			})
		}
	})
	if err != nil {
		r.fail(err, estate.Buckets.Kind)
	}
	var mu sync.Mutex // guards gone
	gone := map[*estate.Bucket]bool{}
	each(ctx, buckets, func(ctx context.Context, b *estate.Bucket) {
		ok := r.locateBucket(ctx, b)
		if sdk := byRegion[b.Origin.Region]; ok && sdk != nil && r.readBucket(ctx, sdk, b) {
			return
		}
		mu.Lock()
		defer mu.Unlock()
		gone[b] = true
	})
	put(r, estate.Buckets, slices.DeleteFunc(buckets, func(b *estate.Bucket) bool { return gone[b] }))
}

func (r *reader) locateBucket(ctx context.Context, b *estate.Bucket) bool {
	if b.Origin.Region != "" {
		return true
	}
	out, err := r.sdk.s3.GetBucketLocation(ctx, &s3.GetBucketLocationInput{Bucket: &b.BucketName})
	if err != nil {
		if classify(err) != notFound {
			r.fail(err, estate.Buckets.Kind)
		}
		return false
	}
	switch b.Origin.Region = string(out.LocationConstraint); b.Origin.Region {
	case "":
		b.Origin.Region = "us-east-1"
	case "EU":
		b.Origin.Region = "eu-west-1"
	}
	return true
}

// readBucket returns false where the bucket is gone.
func (r *reader) readBucket(ctx context.Context, sdk s3API, b *estate.Bucket) bool {
	encryption, err := sdk.GetBucketEncryption(ctx, &s3.GetBucketEncryptionInput{Bucket: &b.BucketName})
	switch {
	case err == nil:
		algorithm := ""
		if c := encryption.ServerSideEncryptionConfiguration; c != nil {
			for _, rule := range c.Rules {
				if d := rule.ApplyServerSideEncryptionByDefault; d != nil {
					algorithm = string(d.SSEAlgorithm)
				}
			}
		}
		b.BucketEncryption = estate.Known(algorithm)
	case isCode(err, "ServerSideEncryptionConfigurationNotFoundError"):
		b.BucketEncryption = estate.Known("")
	case isCode(err, "NoSuchBucket"):
		return false
	default:
		r.blind(err, "encryption of buckets")
	}

	block, err := sdk.GetPublicAccessBlock(ctx, &s3.GetPublicAccessBlockInput{Bucket: &b.BucketName})
	switch {
	case err == nil && block.PublicAccessBlockConfiguration != nil:
		c := block.PublicAccessBlockConfiguration
		b.PublicAccessBlockConfiguration = estate.Known(estate.PublicAccessBlock{
			BlockPublicAcls:       awssdk.ToBool(c.BlockPublicAcls),
			BlockPublicPolicy:     awssdk.ToBool(c.BlockPublicPolicy),
			IgnorePublicAcls:      awssdk.ToBool(c.IgnorePublicAcls),
			RestrictPublicBuckets: awssdk.ToBool(c.RestrictPublicBuckets),
		})
	case isCode(err, "NoSuchPublicAccessBlockConfiguration"):
		b.PublicAccessBlockConfiguration = estate.Known(estate.PublicAccessBlock{})
	case err != nil:
		r.blind(err, "public access block of buckets")
	}

	policy, err := sdk.GetBucketPolicy(ctx, &s3.GetBucketPolicyInput{Bucket: &b.BucketName})
	switch {
	case err == nil:
		b.Policy = estate.Known(text(policy.Policy))
	case isCode(err, "NoSuchBucketPolicy"):
		b.Policy = estate.Known("")
	default:
		r.blind(err, "policies of buckets")
	}
	r.readBucketUse(ctx, sdk, b)
	return true
}

func (r *reader) readFileSystems(ctx context.Context) {
	var systems []*estate.FileSystem
	err := pages(ctx, efs.NewDescribeFileSystemsPaginator(r.sdk.efs, &efs.DescribeFileSystemsInput{}), func(p *efs.DescribeFileSystemsOutput) {
		for _, f := range p.FileSystems {
			systems = append(systems, &estate.FileSystem{
				AWS: estate.AWS{
					Arn:  cmp.Or(text(f.FileSystemArn), r.arn("elasticfilesystem", "file-system/"+text(f.FileSystemId))),
					Tags: tagMap(f.Tags, func(t efstypes.Tag) (*string, *string) { return t.Key, t.Value }),
				},
				FileSystemId:   text(f.FileSystemId),
				FileSystemType: "EFS",
				Encrypted:      opt(f.Encrypted),
				KmsKeyId:       opt(f.KmsKeyId),
			})
		}
	})
	if err != nil {
		r.fail(err, estate.FileSystems.Kind)
	}
	err = pages(ctx, fsx.NewDescribeFileSystemsPaginator(r.sdk.fsx, &fsx.DescribeFileSystemsInput{}), func(p *fsx.DescribeFileSystemsOutput) {
		for _, f := range p.FileSystems {
			systems = append(systems, &estate.FileSystem{
				AWS: estate.AWS{
					Arn:  cmp.Or(text(f.ResourceARN), r.arn("fsx", "file-system/"+text(f.FileSystemId))),
					Tags: tagMap(f.Tags, func(t fsxtypes.Tag) (*string, *string) { return t.Key, t.Value }),
				},
				FileSystemId:   text(f.FileSystemId),
				FileSystemType: string(f.FileSystemType),
				Encrypted:      estate.Known(true), // FSx has no unencrypted file systems
				KmsKeyId:       opt(f.KmsKeyId),
			})
		}
	})
	if err != nil {
		r.fail(err, estate.FileSystems.Kind)
	}
	put(r, estate.FileSystems, systems)
}
