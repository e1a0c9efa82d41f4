package cloudformation

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/eksafe/eksafe/internal/estate"
)

func readVolume(res *resource) {
	p := res.properties()
	put(res, estate.Volumes, &estate.Volume{
		AWS:      res.aws(p.tags("Tags")),
		VolumeId: res.name,
		// Without the property the account's default decides, or the snapshot.
		Encrypted: p.bool("Encrypted"),
		KmsKeyId:  p.refOrNone("KmsKeyId"),
	}, nil)
}

func readKey(res *resource) {
	p := res.properties()
	put(res, estate.Keys, &estate.Key{
		AWS:               res.aws(p.tags("Tags")),
		KeyId:             res.name,
		KeySpec:           p.textOr("KeySpec", "SYMMETRIC_DEFAULT"),
		EnableKeyRotation: p.boolOr("EnableKeyRotation", false),
		Enabled:           p.boolOr("Enabled", true),
		KeyManager:        estate.Known("CUSTOMER"),
		KeyOrigin:         p.textOr("Origin", "AWS_KMS"),
	}, nil)
}

func foldAlias(res *resource) {
	p := res.properties()
	to, alias := p.ref("TargetKeyId"), p.ref("AliasName")
	res.fold(func() {
		if key, ok := target[*estate.Key](res, to); ok && alias != "" {
			key.Aliases = append(key.Aliases, alias)
		}
	})
}

func readBucket(res *resource) {
	p := res.properties()
	// S3 encrypts every bucket with keys of its own, old ones too.
	encryption := estate.Known("AES256")
	if p.has("BucketEncryption") {
		encryption = estate.Optional[string]{}
		rules, known := p.in("BucketEncryption").each("ServerSideEncryptionConfiguration")
		if known && len(rules) == 1 {
			encryption = rules[0].in("ServerSideEncryptionByDefault").text("SSEAlgorithm")
		}
	}
	// Without the property it depends on when the bucket is made.
	var block estate.Optional[estate.PublicAccessBlock]
	if p.has("PublicAccessBlockConfiguration") {
		b := p.in("PublicAccessBlockConfiguration")
		known := true
		flag := func(name string) bool {
			v, ok := b.boolOr(name, false).Get()
			known = known && ok
			return v
		}
		all := estate.PublicAccessBlock{
			BlockPublicAcls:       flag("BlockPublicAcls"),
			BlockPublicPolicy:     flag("BlockPublicPolicy"),
			IgnorePublicAcls:      flag("IgnorePublicAcls"),
			RestrictPublicBuckets: flag("RestrictPublicBuckets"),
		}
		if known {
			block = estate.Known(all)
		}
	}
	bucket := &estate.Bucket{
		AWS:                            res.aws(p.tags("Tags")),
		BucketName:                     p.name("BucketName"),
		BucketEncryption:               encryption,
		PublicAccessBlockConfiguration: block,
		Policy:                         estate.Known(""),
		VersioningConfiguration:        estate.Known(""),
		ObjectLockEnabled:              p.boolOr("ObjectLockEnabled", false),
		LoggingConfiguration:           estate.Known(""),
		Expirations:                    expirations(p),
		Notifications:                  notifications(p),
	}
	if p.has("VersioningConfiguration") {
		bucket.VersioningConfiguration = p.in("VersioningConfiguration").text("Status")
	}
	if p.has("LoggingConfiguration") {
		// Without a destination the bucket logs to itself.
		bucket.LoggingConfiguration = p.in("LoggingConfiguration").refOrNone("DestinationBucketName")
		if to, known := bucket.LoggingConfiguration.Get(); known && to == "" {
			bucket.LoggingConfiguration = estate.Known(res.id())
		}
	}
	// A policy of the same stack may name the bucket by the same expression.
	put(res, estate.Buckets, bucket, nil, p.ref("BucketName"))
}

// expirations lists the enabled lifecycle rules that delete every object, or
// every one below a prefix.
func expirations(p *properties) estate.Optional[[]estate.Expiration] {
	items, known := p.in("LifecycleConfiguration").each("Rules")
	if !p.has("LifecycleConfiguration") {
		items, known = nil, true
	}
	out := []estate.Expiration{}
	for _, item := range items {
		status, ok := item.text("Status").Get()
		known = known && ok
		deletes := item.has("ExpirationInDays") || item.has("ExpirationDate")
		if status != "Enabled" || !deletes || item.has("TagFilters") {
			continue
		}
		days, ok := item.int("ExpirationInDays").Get()
		known = known && (ok || item.has("ExpirationDate"))
		out = append(out, estate.Expiration{Prefix: item.plain("Prefix"), Days: days})
	}
	if !known {
		return estate.Optional[[]estate.Expiration]{}
	}
	return estate.Known(out)
}

// notifications lists who is told of new objects.
func notifications(p *properties) estate.Optional[[]estate.Notification] {
	out := []estate.Notification{}
	if !p.has("NotificationConfiguration") {
		return estate.Known(out)
	}
	config := p.in("NotificationConfiguration")
	known := config.known
	for _, to := range [][2]string{{"LambdaConfigurations", "Function"}, {"QueueConfigurations", "Queue"}, {"TopicConfigurations", "Topic"}} {
		items, complete := config.each(to[0])
		known = known && complete
		for _, item := range items {
			n := estate.Notification{Destination: item.ref(to[1]), Events: []string{item.plain("Event")}}
			rules, _ := item.in("Filter").in("S3Key").each("Rules")
			for _, rule := range rules {
				switch value := rule.ref("Value"); strings.ToLower(rule.plain("Name")) {
				case "prefix":
					n.Prefix = value
				case "suffix":
					n.Suffix = value
				}
			}
			out = append(out, n)
		}
	}
	if config.has("EventBridgeConfiguration") {
		on, ok := config.in("EventBridgeConfiguration").boolOr("EventBridgeEnabled", true).Get()
		known = known && ok
		if on {
			out = append(out, estate.Notification{Destination: "eventbridge"})
		}
	}
	if !known {
		return estate.Optional[[]estate.Notification]{}
	}
	return estate.Known(out)
}

func foldBucketPolicy(res *resource) {
	p := res.properties()
	to, document := p.ref("Bucket"), p.get("PolicyDocument")
	res.fold(func() {
		bucket, ok := target[*estate.Bucket](res, to)
		switch {
		case ok:
			res.reader.add(&bucket.Origin, "policy", res, true)
			if res.exists == maybe {
				bucket.Policy = estate.Optional[string]{}
				return
			}
			names := []string{bucket.Arn}
			if r := res.reader.ids[bucket.Arn]; r != nil {
				names = append(names, r.names...)
			}
			bucket.Policy = policy(document, func(s string) string { return bucketResource(s, bucket.Arn, names) })
		case strings.Contains(to, "${"):
			// It may be the policy of any bucket that has none.
			for _, b := range estate.Buckets.In(res.reader.estate) {
				if b.Policy.Or("-") == "" {
					b.Policy = estate.Optional[string]{}
				}
			}
		}
	})
}

// bucketResource writes the ARN of a bucket as its identity, whatever the
// partition: "arn:…:s3:::" and one of its names.
func bucketResource(s, id string, names []string) string {
	before, name, ok := strings.Cut(s, ":s3:::")
	if !ok || !strings.HasPrefix(before, "arn:") {
		return s
	}
	for _, n := range names {
		if rest, ok := strings.CutPrefix(name, n); ok && (rest == "" || rest[0] == '/') {
			return id + rest
		}
	}
	return s
}

// policy returns a policy document as JSON. What is not known of a statement
// that allows shows as "${…}"; of any other statement it makes the policy
// unknown, because such a statement may be what protects.
func policy(document value, rewrite func(string) string) estate.Optional[string] {
	var unresolved bool
	plain := toJSON(document, rewrite, &unresolved, 0)
	doc, ok := plain.(map[string]any)
	if !ok {
		if s, ok := plain.(string); ok && document.kind == scalar && json.Valid([]byte(s)) {
			return estate.Known(s)
		}
		return estate.Optional[string]{}
	}
	if unresolved {
		statements, isList := doc["Statement"].([]any)
		if !isList {
			statements = []any{doc["Statement"]}
		}
		for _, s := range statements {
			statement, ok := s.(map[string]any)
			if !ok || statement["Effect"] != "Allow" && hasUnresolved(statement) {
				return estate.Optional[string]{}
			}
		}
	}
	out, err := json.Marshal(doc)
	if err != nil {
		return estate.Optional[string]{}
	}
	return estate.Known(string(out))
}

func toJSON(v value, rewrite func(string) string, unresolved *bool, depth int) any {
	switch v.kind {
	case scalar:
		return rewrite(v.text)
	case list:
		out := []any{}
		for _, item := range v.items {
			out = append(out, toJSON(item, rewrite, unresolved, depth+1))
		}
		return out
	case mapping:
		out := map[string]any{}
		if depth > maxDepth {
			break
		}
		for key, n := range fields(v.node) {
			if item := v.stack.eval(n, depth+1); item.kind != absent {
				out[key] = toJSON(item, rewrite, unresolved, depth+1)
			}
			if key == "Fn::Transform" || key == "<<" {
				*unresolved = true
				return nil
			}
		}
		return out
	case unknown:
		if v.text != "" {
			// The partition is part of every ARN, and may vanish with it.
			if s := rewrite(v.text); !strings.Contains(s, "${") {
				return s
			}
			*unresolved = true
			return v.text
		}
	}
	*unresolved = true
	return nil
}

// hasUnresolved reports whether something of a statement is not known. IAM's
// own variables, such as ${aws:username}, are literals.
func hasUnresolved(v any) bool {
	switch v := v.(type) {
	case nil:
		return true
	case string:
		return strings.Contains(strings.ReplaceAll(v, "${aws:", ""), "${")
	case []any:
		return slices.ContainsFunc(v, hasUnresolved)
	case map[string]any:
		for _, item := range v {
			if hasUnresolved(item) {
				return true
			}
		}
	}
	return false
}

func readEFS(res *resource) {
	p := res.properties()
	put(res, estate.FileSystems, &estate.FileSystem{
		AWS:            res.aws(p.tags("FileSystemTags")),
		FileSystemId:   res.name,
		FileSystemType: "EFS",
		Encrypted:      p.bool("Encrypted"),
		KmsKeyId:       p.refOrNone("KmsKeyId"),
	}, nil)
}

func readFSx(res *resource) {
	p := res.properties()
	put(res, estate.FileSystems, &estate.FileSystem{
		AWS:            res.aws(p.tags("Tags")),
		FileSystemId:   res.name,
		FileSystemType: p.plain("FileSystemType"),
		Encrypted:      estate.Known(true),
		KmsKeyId:       p.refOrNone("KmsKeyId"),
	}, nil)
}

func readReplicationGroup(res *resource) {
	p := res.properties()
	engine := p.text("Engine")
	atRest := p.bool("AtRestEncryptionEnabled")
	if !p.has("AtRestEncryptionEnabled") {
		switch strings.ToLower(engine.Or("")) {
		case "valkey":
			atRest = estate.Known(true)
		case "redis":
			atRest = estate.Known(false)
		}
	}
	put(res, estate.Caches, &estate.Cache{
		AWS:                      res.aws(p.tags("Tags")),
		Id:                       p.name("ReplicationGroupId"),
		Type:                     "replicationgroup",
		Engine:                   engine,
		TransitEncryptionEnabled: p.boolOr("TransitEncryptionEnabled", false),
		TransitEncryptionMode:    p.text("TransitEncryptionMode"),
		AtRestEncryptionEnabled:  atRest,
		SubnetGroupName:          p.ref("CacheSubnetGroupName"),
		SecurityGroupIds:         p.refs("SecurityGroupIds"),
	}, map[string]string{"subnetGroupName": "CacheSubnetGroupName"})
}

func readCacheCluster(res *resource) {
	p := res.properties()
	put(res, estate.Caches, &estate.Cache{
		AWS:                      res.aws(p.tags("Tags")),
		Id:                       p.name("ClusterName"),
		Type:                     "cachecluster",
		Engine:                   p.text("Engine"),
		TransitEncryptionEnabled: p.bool("TransitEncryptionEnabled"),
		SubnetGroupName:          p.ref("CacheSubnetGroupName"),
		SecurityGroupIds:         p.refs("VpcSecurityGroupIds"),
	}, map[string]string{"subnetGroupName": "CacheSubnetGroupName", "securityGroupIds": "VpcSecurityGroupIds"})
}

func readServerlessCache(res *resource) {
	p := res.properties()
	// It has no other mode.
	put(res, estate.Caches, &estate.Cache{
		AWS:                      res.aws(p.tags("Tags")),
		Id:                       p.name("ServerlessCacheName"),
		Type:                     "serverless",
		Engine:                   p.text("Engine"),
		TransitEncryptionEnabled: estate.Known(true),
		TransitEncryptionMode:    estate.Known("required"),
		AtRestEncryptionEnabled:  estate.Known(true),
		SubnetIds:                p.refs("SubnetIds"),
		SecurityGroupIds:         p.refs("SecurityGroupIds"),
	}, nil)
}

func readMemoryDB(res *resource) {
	p := res.properties()
	put(res, estate.Caches, &estate.Cache{
		AWS:                      res.aws(p.tags("Tags")),
		Id:                       p.name("ClusterName"),
		Type:                     "memorydb",
		Engine:                   p.text("Engine"),
		TransitEncryptionEnabled: p.bool("TLSEnabled"),
		AtRestEncryptionEnabled:  estate.Known(true),
		SubnetGroupName:          p.ref("SubnetGroupName"),
		SecurityGroupIds:         p.refs("SecurityGroupIds"),
	}, map[string]string{"transitEncryptionEnabled": "TLSEnabled"})
}

func readElastiCacheSubnetGroup(res *resource) { readCacheSubnetGroup(res, "CacheSubnetGroupName") }

func readMemoryDBSubnetGroup(res *resource) { readCacheSubnetGroup(res, "SubnetGroupName") }

func readCacheSubnetGroup(res *resource, name string) {
	p := res.properties()
	put(res, estate.CacheSubnetGroups, &estate.CacheSubnetGroup{
		AWS:                  res.aws(p.tags("Tags")),
		CacheSubnetGroupName: p.name(name),
		SubnetIds:            p.refs("SubnetIds"),
	}, map[string]string{"cacheSubnetGroupName": name})
}

func readKafka(res *resource) {
	p := res.properties()
	transit := p.in("EncryptionInfo").in("EncryptionInTransit")
	brokers := p.in("BrokerNodeGroupInfo")
	put(res, estate.KafkaClusters, &estate.KafkaCluster{
		AWS:          res.aws(p.tags("Tags")),
		ClusterName:  p.name("ClusterName"),
		ClientBroker: transit.text("ClientBroker"), // AWS documents two defaults
		InCluster:    transit.boolOr("InCluster", true),

		ClientSubnets:  brokers.refs("ClientSubnets"),
		SecurityGroups: brokers.refs("SecurityGroups"),
	}, nil)
}

func readOpenSearch(res *resource) {
	p := res.properties()
	put(res, estate.OpenSearchDomains, &estate.OpenSearchDomain{
		AWS:                  res.aws(p.tags("Tags")),
		DomainName:           p.name("DomainName"),
		EnforceHTTPS:         p.in("DomainEndpointOptions").bool("EnforceHTTPS"),
		NodeToNodeEncryption: p.in("NodeToNodeEncryptionOptions").bool("Enabled"),
		EncryptionAtRest:     p.in("EncryptionAtRestOptions").bool("Enabled"),
		SubnetIds:            p.in("VPCOptions").refs("SubnetIds"),
		SecurityGroupIds:     p.in("VPCOptions").refs("SecurityGroupIds"),
	}, nil)
}
