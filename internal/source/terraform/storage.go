package terraform

import (
	"cmp"

	"github.com/eksafe/eksafe/internal/estate"
)

func readVolume(res *resource) {
	put(res, estate.Volumes, &estate.Volume{
		AWS:      res.aws(),
		VolumeId: res.attr("id"),
		// Without the argument the account's default decides, or the snapshot.
		Encrypted: res.bool("encrypted"),
		KmsKeyId:  res.refOrNone("kms_key_id"),
	})
}

func readEBSDefault(res *resource) {
	put(res, estate.EBSDefaults, &estate.EBSDefault{AWS: res.aws(), EbsEncryptionByDefault: res.boolOr("enabled", true)})
}

func readKey(res *resource) {
	put(res, estate.Keys, &estate.Key{
		AWS:               res.aws(),
		KeyId:             res.attr("key_id"),
		KeySpec:           res.textOr("customer_master_key_spec", "SYMMETRIC_DEFAULT"),
		EnableKeyRotation: res.boolOr("enable_key_rotation", false),
		Enabled:           res.boolOr("is_enabled", true),
		KeyManager:        estate.Known("CUSTOMER"),
		KeyOrigin:         estate.Known("AWS_KMS"),
	})
}

func foldAlias(res *resource) {
	to, alias := res.ref("target_key_id"), res.plain("name")
	res.fold(func() {
		if k, ok := target[*estate.Key](res, to); ok && alias != "" {
			k.Aliases = append(k.Aliases, alias)
		}
	})
}

func readEFS(res *resource) {
	put(res, estate.FileSystems, &estate.FileSystem{
		AWS: res.aws(), FileSystemId: res.attr("id"), FileSystemType: "EFS",
		Encrypted: res.bool("encrypted"), KmsKeyId: res.refOrNone("kms_key_id"),
	})
}

func readFSx(typ string) func(*resource) {
	return func(res *resource) {
		put(res, estate.FileSystems, &estate.FileSystem{
			AWS: res.aws(), FileSystemId: res.attr("id"), FileSystemType: typ,
			Encrypted: estate.Known(true), KmsKeyId: res.refOrNone("kms_key_id"),
		})
	}
}

func readReplicationGroup(res *resource) {
	atRest := res.bool("at_rest_encryption_enabled")
	if !res.has("at_rest_encryption_enabled") {
		switch res.plain("engine") {
		case "valkey":
			atRest = estate.Known(true)
		case "redis":
			atRest = estate.Known(false)
		}
	}
	c := &estate.Cache{
		AWS: res.aws(), Id: res.name("replication_group_id"), Type: "replicationgroup", Engine: res.text("engine"),
		TransitEncryptionEnabled: res.boolOr("transit_encryption_enabled", false),
		TransitEncryptionMode:    res.text("transit_encryption_mode"),
		AtRestEncryptionEnabled:  atRest,
		SubnetGroupName:          res.ref("subnet_group_name"),
		SecurityGroupIds:         res.refs("security_group_ids"),
	}
	for _, a := range []string{"primary_endpoint_address", "reader_endpoint_address", "configuration_endpoint_address"} {
		if v := res.plain(a); v != "" {
			c.Endpoints = append(c.Endpoints, estate.Endpoint{Address: v, Port: res.int("port").Or(0)})
		} else if res.isUnknown(a) {
			c.Endpoints = append(c.Endpoints, estate.Endpoint{Address: res.reference(a), Port: res.int("port").Or(0)})
		}
	}
	put(res, estate.Caches, c)
}

func readCacheCluster(res *resource) {
	put(res, estate.Caches, &estate.Cache{
		AWS: res.aws(), Id: res.name("cluster_id"), Type: "cachecluster", Engine: res.text("engine"),
		TransitEncryptionEnabled: res.bool("transit_encryption_enabled"),
		SubnetGroupName:          res.ref("subnet_group_name"),
		SecurityGroupIds:         res.refs("security_group_ids"),
	})
}

func readServerlessCache(res *resource) {
	// It has no other mode.
	put(res, estate.Caches, &estate.Cache{
		AWS: res.aws(), Id: res.name("name"), Type: "serverless", Engine: res.text("engine"),
		TransitEncryptionEnabled: estate.Known(true), TransitEncryptionMode: estate.Known("required"), AtRestEncryptionEnabled: estate.Known(true),
		SubnetIds: res.refs("subnet_ids"), SecurityGroupIds: res.refs("security_group_ids"),
	})
}

func readMemoryDB(res *resource) {
	put(res, estate.Caches, &estate.Cache{
		AWS: res.aws(), Id: res.name("name"), Type: "memorydb", Engine: res.text("engine"),
		TransitEncryptionEnabled: res.boolOr("tls_enabled", true), AtRestEncryptionEnabled: estate.Known(true),
		SubnetGroupName: res.ref("subnet_group_name"), SecurityGroupIds: res.refs("security_group_ids"),
	})
}

func readCacheSubnetGroup(res *resource) {
	put(res, estate.CacheSubnetGroups, &estate.CacheSubnetGroup{AWS: res.aws(), CacheSubnetGroupName: res.name("name"), SubnetIds: res.refs("subnet_ids")})
}

func readKafka(res *resource) {
	transit, brokers := res.in("encryption_info").in("encryption_in_transit"), res.in("broker_node_group_info")
	put(res, estate.KafkaClusters, &estate.KafkaCluster{
		AWS: res.aws(), ClusterName: res.name("cluster_name"),
		ClientBroker: transit.textOr("client_broker", "TLS"), InCluster: transit.boolOr("in_cluster", true),
		ClientSubnets: brokers.refs("client_subnets"), SecurityGroups: brokers.refs("security_groups"),
	})
}

func readOpenSearch(res *resource) {
	put(res, estate.OpenSearchDomains, &estate.OpenSearchDomain{
		AWS: res.aws(), DomainName: res.name("domain_name"),
		EnforceHTTPS:         res.in("domain_endpoint_options").bool("enforce_https"),
		NodeToNodeEncryption: res.in("node_to_node_encryption").bool("enabled"),
		EncryptionAtRest:     res.in("encrypt_at_rest").bool("enabled"),
		Endpoint:             estate.Endpoint{Address: res.attr("endpoint"), Port: 443},
		SubnetIds:            res.in("vpc_options").refs("subnet_ids"),
		SecurityGroupIds:     res.in("vpc_options").refs("security_group_ids"),
	})
}

func readBucket(res *resource) {
	put(res, estate.Buckets, &estate.Bucket{
		AWS:        res.aws(),
		BucketName: res.name("bucket"),
		// S3 encrypts every bucket with keys of its own, old ones too.
		BucketEncryption:        estate.Known("AES256"),
		Policy:                  estate.Known(""),
		VersioningConfiguration: estate.Known(""),
		ObjectLockEnabled:       res.boolOr("object_lock_enabled", false),
		LoggingConfiguration:    estate.Known(""),
		Expirations:             estate.Known([]estate.Expiration{}),
		Notifications:           estate.Known([]estate.Notification{}),
	})
}

// ofBucket calls f, when all is read, with the bucket that res completes.
func (res *resource) ofBucket(f func(*estate.Bucket)) {
	to := res.ref("bucket")
	res.fold(func() {
		if b, ok := target[*estate.Bucket](res, to); ok {
			f(b)
		}
	})
}

func foldBucketEncryption(res *resource) {
	res.ofBucket(func(b *estate.Bucket) {
		b.BucketEncryption = res.in("rule").in("apply_server_side_encryption_by_default").text("sse_algorithm")
	})
}

func foldPublicAccessBlock(res *resource) {
	res.ofBucket(func(b *estate.Bucket) {
		known := true
		flag := func(name string) bool {
			v, ok := res.boolOr(name, false).Get()
			known = known && ok
			return v
		}
		all := estate.PublicAccessBlock{
			BlockPublicAcls: flag("block_public_acls"), BlockPublicPolicy: flag("block_public_policy"),
			IgnorePublicAcls: flag("ignore_public_acls"), RestrictPublicBuckets: flag("restrict_public_buckets"),
		}
		if known {
			b.PublicAccessBlockConfiguration = estate.Known(all)
		}
	})
}

func foldBucketPolicy(res *resource) {
	res.ofBucket(func(b *estate.Bucket) { b.Policy = res.document("policy") })
}

func foldBucketVersioning(res *resource) {
	res.ofBucket(func(b *estate.Bucket) {
		b.VersioningConfiguration = res.in("versioning_configuration").text("status")
	})
}

func foldBucketLogging(res *resource) {
	res.ofBucket(func(b *estate.Bucket) { b.LoggingConfiguration = res.refOrNone("target_bucket") })
}

func foldBucketLifecycle(res *resource) {
	res.ofBucket(func(b *estate.Bucket) {
		items, known := res.each("rule")
		out := []estate.Expiration{}
		for _, item := range items {
			filter := item.in("filter")
			if item.plain("status") != "Enabled" || !item.has("expiration") || filter.has("tag") || filter.has("and") {
				continue
			}
			expiration := item.in("expiration")
			days := expiration.int("days").Or(0)
			if days == 0 && !expiration.has("date") {
				known = known && !expiration.isUnknown("days")
				continue // it takes away markers, no objects
			}
			out = append(out, estate.Expiration{Prefix: cmp.Or(filter.plain("prefix"), item.plain("prefix")), Days: days})
		}
		b.Expirations = estate.Optional[[]estate.Expiration]{}
		if known {
			b.Expirations = estate.Known(out)
		}
	})
}

func foldBucketNotification(res *resource) {
	res.ofBucket(func(b *estate.Bucket) {
		out := []estate.Notification{}
		known := true
		for _, to := range [][2]string{{"lambda_function", "lambda_function_arn"}, {"queue", "queue_arn"}, {"topic", "topic_arn"}} {
			items, complete := res.each(to[0])
			known = known && complete
			for _, item := range items {
				out = append(out, estate.Notification{
					Destination: item.ref(to[1]), Events: item.words("events"), Prefix: item.plain("filter_prefix"), Suffix: item.plain("filter_suffix"),
				})
			}
		}
		if res.boolOr("eventbridge", false).Or(false) {
			out = append(out, estate.Notification{Destination: "eventbridge"})
		}
		b.Notifications = estate.Optional[[]estate.Notification]{}
		if known {
			b.Notifications = estate.Known(out)
		}
	})
}
