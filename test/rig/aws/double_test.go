package awsrig_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/google/go-cmp/cmp"

	"github.com/eksafe/eksafe/internal/estate"
	"github.com/eksafe/eksafe/internal/source/aws"
	awsrig "github.com/eksafe/eksafe/test/rig/aws"
)

// TestDouble runs all tests on one emulator: it is quick to start, but slow to
// answer its first calls.
func TestDouble(t *testing.T) {
	d := awsrig.Start(t)
	d.Setenv(t)
	for _, c := range []struct {
		name string
		test func(*testing.T, *awsrig.Double)
	}{
		{"secure shop", readSecureShop},
		{"insecure shop", readInsecureShop},
		{"two regions", readTwoRegions},
		{"same twice", readTwice},
		{"no secrets", readNoSecrets},
		{"cluster by endpoint", readByEndpoint},
		{"other storage", readOtherStorage},
		{"ways through the network", readWays},
		{"identity", readIdentity},
		{"left out", readLeftOut},
		{"review", readReview},
		{"nothing reviewed", readNothingReviewed},
		{"denied in turn", readDenied},
		{"region denied", readRegionDenied},
		{"expired", readExpired},
	} {
		t.Run(c.name, func(t *testing.T) {
			d.Reset()
			c.test(t, d)
		})
	}
}

func read(t *testing.T, o aws.Options) *estate.Estate {
	t.Helper()
	o.Config = awsrig.Hurry
	e, err := aws.Read(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// complete fails the test where something could not be read.
func complete(t *testing.T, e *estate.Estate) {
	t.Helper()
	for _, s := range e.Sources {
		for _, c := range s.Coverage {
			if c.State != estate.Read {
				t.Errorf("%s: %s is %s: %s", s.Name, c.Kind, c.State, c.Why)
			}
		}
		for _, p := range s.Problems {
			t.Errorf("%s: %s", s.Name, p)
		}
	}
}

// one returns the only resource of a collection.
func one[T any](t *testing.T, c estate.Collection[T], e *estate.Estate) T {
	t.Helper()
	all := c.In(e)
	if len(all) != 1 {
		t.Fatalf("got %d resources of kind %s, want one", len(all), c.Kind)
	}
	return all[0]
}

// pick returns the only resource of a collection that fits.
func pick[T any](t *testing.T, c estate.Collection[T], e *estate.Estate, fits func(T) bool) T {
	t.Helper()
	at := slices.IndexFunc(c.In(e), fits)
	if at < 0 {
		t.Fatalf("no resource of kind %s fits", c.Kind)
	}
	return c.In(e)[at]
}

// same compares what was read with what was seeded, as JSON.
func same(t *testing.T, what string, got any, want string) {
	t.Helper()
	data, err := json.Marshal(got)
	if err != nil {
		t.Fatal(err)
	}
	var g, w any
	if err := json.Unmarshal(data, &g); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(want), &w); err != nil {
		t.Fatalf("%s: the expectation is no JSON: %v", what, err)
	}
	if m, ok := g.(map[string]any); ok {
		delete(m, "aws")
	}
	if diff := cmp.Diff(w, g); diff != "" {
		t.Errorf("%s (-seeded +read):\n%s", what, diff)
	}
}

func quote(ids ...string) string {
	slices.Sort(ids)
	return `"` + strings.Join(ids, `","`) + `"`
}

func readSecureShop(t *testing.T, d *awsrig.Double) {
	s := d.SeedShop(t, awsrig.ShopOptions{Secure: true, Snapshot: true, Node: true})
	e := read(t, aws.Options{})
	complete(t, e)

	cluster := one(t, estate.Clusters, e)
	if cluster.Arn != "arn:aws:eks:eu-west-1:111122223333:cluster/shop-prod" || cluster.Origin.Account != awsrig.Account || cluster.Origin.Region != awsrig.Region {
		t.Errorf("the cluster is %+v", cluster.AWS)
	}
	same(t, "cluster", cluster, `{"name":"shop-prod","version":"1.35","roleArn":"arn:aws:iam::111122223333:role/shop-prod-cluster","openIdConnectIssuerUrl":"`+cluster.OpenIdConnectIssuerUrl.Or("")+`","accessConfig":{"authenticationMode":"API"},"endpoint":"`+cluster.Endpoint+`","deletionProtection":true,
		"resourcesVpcConfig":{"endpointPublicAccess":true,"endpointPrivateAccess":true,"publicAccessCidrs":["198.51.100.0/24","203.0.113.16/28"],"subnetIds":[`+quote(s.NodeSubnets...)+`]},
		"encryptionConfig":[{"provider":{"keyArn":"`+s.ClusterKeyArn+`"}}],
		"logging":{"clusterLogging":{"enabledTypes":["api","audit","authenticator"]}},"upgradePolicy":{"supportType":"STANDARD"},"computeConfig":{}}`)
	same(t, "node group", one(t, estate.Nodegroups, e), `{"clusterName":"shop-prod","nodegroupName":"nodes","amiType":"AL2023_x86_64_STANDARD",
		"launchTemplate":{"id":"`+s.LaunchTemplateId+`","name":"shop-prod-nodes","version":"1"},
		"nodeRole":"arn:aws:iam::111122223333:role/shop-prod-nodes","subnets":[`+quote(s.NodeSubnets...)+`]}`)
	same(t, "launch template", one(t, estate.LaunchTemplates, e), `{"launchTemplateId":"`+s.LaunchTemplateId+`","launchTemplateName":"shop-prod-nodes","versionNumber":"1","defaultVersion":true,
		"launchTemplateData":{"blockDeviceMappings":[{"deviceName":"/dev/xvda","ebs":{"encrypted":true,"kmsKeyId":"`+s.ClusterKeyArn+`","volumeType":"gp3"}}],
		"metadataOptions":{"httpEndpoint":"enabled","httpTokens":"required","httpPutResponseHopLimit":1}}}`)
	node := one(t, estate.Instances, e)
	if node.InstanceId != s.InstanceId || node.MetadataOptions.HttpTokens.Or("") != "required" || len(node.VolumeIds) != 1 {
		t.Errorf("the node is %+v", node)
	}

	balancer := one(t, estate.LoadBalancers, e)
	if balancer.Arn != s.LoadBalancerArn || balancer.Type.Or("") != "application" || balancer.Scheme.Or("") != "internet-facing" || balancer.VpcId != s.VpcId {
		t.Errorf("the load balancer is %+v", balancer)
	}
	if diff := cmp.Diff(map[string]string{"elbv2.k8s.aws/cluster": "shop-prod", "ingress.k8s.aws/stack": "shop/shop", "ingress.k8s.aws/resource": "LoadBalancer"}, balancer.Tags); diff != "" {
		t.Errorf("tags of the load balancer (-seeded +read):\n%s", diff)
	}
	for _, a := range []estate.Attribute{
		{Key: "access_logs.s3.bucket", Value: s.Bucket}, {Key: "access_logs.s3.enabled", Value: "true"}, {Key: "routing.http.drop_invalid_header_fields.enabled", Value: "true"},
	} {
		if !slices.Contains(balancer.LoadBalancerAttributes.Or(nil), a) {
			t.Errorf("the load balancer has no attribute %+v", a)
		}
	}
	https := pick(t, estate.Listeners, e, func(l *estate.Listener) bool { return l.Arn == s.HTTPSListenerArn })
	if https.Name() != "HTTPS:443" || https.SslPolicy.Or("") != "ELBSecurityPolicy-TLS13-1-2-Res-PQ-2025-09" || !slices.Equal(https.Certificates.Or(nil), []string{s.CertificateArn}) {
		t.Errorf("the HTTPS listener is %+v", https)
	}
	if !slices.Contains(https.ListenerAttributes.Or(nil), estate.Attribute{Key: "routing.http.response.strict_transport_security.header_value", Value: "max-age=31536000;includeSubDomains"}) {
		t.Errorf("attributes of the HTTPS listener are %+v", https.ListenerAttributes)
	}
	http := pick(t, estate.Listeners, e, func(l *estate.Listener) bool { return l.Arn == s.HTTPListenerArn })
	same(t, "redirect", http.DefaultActions, `[{"type":"redirect","redirectConfig":{"protocol":"HTTPS","port":"443","statusCode":"HTTP_301"}}]`)
	rule := one(t, estate.ListenerRules, e)
	if rule.ListenerArn != s.HTTPSListenerArn || rule.Tags["ingress.k8s.aws/resource"] != "443:1" {
		t.Errorf("the rule is %+v", rule)
	}
	same(t, "rule", rule, `{"listenerArn":"`+s.HTTPSListenerArn+`","priority":1,"conditions":[{"field":"host-header","values":["origin.shop.example.com"]},{"field":"path-pattern","values":["/*"]}],
		"actions":[{"type":"forward","forwardConfig":{"targetGroups":[{"targetGroupArn":"`+s.TargetGroupArn+`","weight":1}]}}]}`)
	group := one(t, estate.TargetGroups, e)
	if group.Tags["ingress.k8s.aws/resource"] != "shop/shop-web:https" {
		t.Errorf("tags of the target group are %v", group.Tags)
	}
	same(t, "target group", group, `{"name":"k8s-shop-web-0a1b2c3d4e","protocol":"HTTPS","port":8443,"protocolVersion":"HTTP1","targetType":"ip","healthCheckProtocol":"HTTPS","vpcId":"`+s.VpcId+`",
		"targets":[{"id":"192.168.64.11","port":8443},{"id":"192.168.96.12","port":8443}]}`)
	policy := pick(t, estate.SSLPolicies, e, func(p *estate.SSLPolicy) bool { return p.Name == "ELBSecurityPolicy-TLS13-1-2-2021-06" })
	if !slices.Equal(policy.SslProtocols, []string{"TLSv1.2", "TLSv1.3"}) || len(policy.Ciphers) == 0 {
		t.Errorf("the TLS policy is %+v", policy)
	}
	certificate := one(t, estate.Certificates, e)
	if certificate.Arn != s.CertificateArn || certificate.DomainName != "origin.shop.example.com" || certificate.KeyAlgorithm.Or("") != "EC_prime256v1" ||
		certificate.Status.Or("") != "ISSUED" || !slices.Equal(certificate.InUseBy, []string{s.LoadBalancerArn}) {
		t.Errorf("the certificate is %+v", certificate)
	}
	acl := one(t, estate.WebACLs, e)
	var rules []string
	for _, r := range acl.Rules.Or(nil) {
		rules = append(rules, r.Name)
	}
	if acl.Arn != s.WebACLArn || acl.Scope != "REGIONAL" || !slices.Equal(rules, []string{"own-distribution", "common", "known-bad-inputs"}) {
		t.Errorf("the web ACL is %+v", acl)
	}
	same(t, "association", one(t, estate.WebACLAssociations, e), `{"resourceArn":"`+s.LoadBalancerArn+`","webACLArn":"`+s.WebACLArn+`"}`)
	same(t, "logging", one(t, estate.WebACLLoggings, e), `{"resourceArn":"`+s.WebACLArn+`","logDestinationConfigs":["arn:aws:logs:eu-west-1:111122223333:log-group:aws-waf-logs-shop"],"redactedFields":["header:authorization","header:cookie","header:x-origin-verify"],"keepsBlocked":true}`)

	for _, id := range s.DataSubnets {
		subnet := pick(t, estate.Subnets, e, func(x *estate.Subnet) bool { return x.SubnetId == id })
		table := pick(t, estate.RouteTables, e, func(x *estate.RouteTable) bool { return slices.Contains(x.SubnetIds, id) })
		if !strings.HasSuffix(subnet.CidrBlock, "/28") || slices.ContainsFunc(table.Routes, func(r estate.Route) bool { return r.GatewayId != "local" }) {
			t.Errorf("the database's subnet is %+v with routes %+v", subnet, table.Routes)
		}
	}
	public := pick(t, estate.RouteTables, e, func(x *estate.RouteTable) bool { return slices.Contains(x.SubnetIds, s.PublicSubnets[0]) })
	if !slices.ContainsFunc(public.Routes, func(r estate.Route) bool { return r.Internet && r.DestinationCidrBlock == "0.0.0.0/0" }) {
		t.Errorf("routes of the public subnet are %+v", public.Routes)
	}
	acls := pick(t, estate.NetworkAcls, e, func(x *estate.NetworkAcl) bool { return x.VpcId == s.VpcId })
	if !acls.Default || len(acls.Entries) != 4 || len(acls.SubnetIds) != 6 {
		t.Errorf("the network ACL is %+v", acls)
	}
	sg := pick(t, estate.SecurityGroups, e, func(x *estate.SecurityGroup) bool { return x.GroupId == s.DatabaseSecurityGroup })
	same(t, "security group", sg, `{"groupId":"`+s.DatabaseSecurityGroup+`","groupName":"shop-prod-database","vpcId":"`+s.VpcId+`",
		"securityGroupIngress":[{"ipProtocol":"tcp","fromPort":3306,"toPort":3306,"cidrIp":"192.168.64.0/19"},{"ipProtocol":"tcp","fromPort":3306,"toPort":3306,"cidrIp":"192.168.96.0/19"}],
		"securityGroupEgress":[{"ipProtocol":"-1","fromPort":-1,"toPort":-1,"cidrIp":"127.0.0.1/32"}]}`)

	database := one(t, estate.DBInstances, e)
	namedInExamples(t, s, database)
	if _, known := database.CertificateDetails.ValidTill.Get(); !known {
		t.Error("the end of the database's certificate is not known")
	}
	database.CertificateDetails.ValidTill = estate.Optional[time.Time]{}
	same(t, "database", database, `{"dbInstanceIdentifier":"orders-db","engine":"mysql","engineVersion":"8.4.8","storageEncrypted":true,"kmsKeyId":"`+s.DataKeyArn+`","publiclyAccessible":false,
		"dbParameterGroupName":"shop-prod","optionGroupName":"default:mysql-8-4","caCertificateIdentifier":"rds-ca-rsa2048-g1","certificateDetails":{"caIdentifier":"rds-ca-rsa2048-g1"},
		"dbSubnetGroupName":"shop-prod","vpcSecurityGroups":["`+s.DatabaseSecurityGroup+`"],"endpoint":{"address":"orders-db.c9akciq32abc.eu-west-1.rds.amazonaws.com","port":3306},
		"deletionProtection":true,"parameterApplyStatus":"in-sync"}`)
	same(t, "parameter group", one(t, estate.DBParameterGroups, e), `{"dbParameterGroupName":"shop-prod","family":"mysql8.4","parameters":{"require_secure_transport":"1","tls_version":"TLSv1.2,TLSv1.3"}}`)
	same(t, "subnet group", one(t, estate.DBSubnetGroups, e), `{"dbSubnetGroupName":"shop-prod","subnetIds":[`+quote(s.DataSubnets...)+`]}`)
	same(t, "snapshot", one(t, estate.DBSnapshots, e), `{"dbSnapshotIdentifier":"orders-db-before-upgrade","sourceIdentifier":"orders-db","snapshotType":"manual","encrypted":true,"restoreAccounts":[]}`)

	volume := pick(t, estate.Volumes, e, func(v *estate.Volume) bool { return v.VolumeId == s.VolumeId })
	same(t, "volume", volume, `{"volumeId":"`+s.VolumeId+`","encrypted":true,"kmsKeyId":"`+s.DataKeyArn+`"}`)
	for _, v := range estate.Volumes.In(e) {
		if !v.Encrypted.Or(false) {
			t.Errorf("volume %s is not encrypted", v.VolumeId)
		}
	}
	same(t, "EBS default", one(t, estate.EBSDefaults, e), `{"ebsEncryptionByDefault":true,"kmsKeyId":"alias/aws/ebs"}`)
	key := pick(t, estate.Keys, e, func(k *estate.Key) bool { return k.Arn == s.DataKeyArn })
	same(t, "key", key, `{"keyId":"`+key.KeyId+`","keySpec":"SYMMETRIC_DEFAULT","enableKeyRotation":true,"enabled":true,"keyManager":"CUSTOMER","keyOrigin":"AWS_KMS","aliases":["alias/shop-prod-data"]}`)
	bucket := one(t, estate.Buckets, e)
	if bucket.Origin.Region != awsrig.Region || bucket.BucketEncryption.Or("") != "AES256" || !strings.Contains(bucket.Policy.Or(""), `"aws:SecureTransport":"false"`) {
		t.Errorf("the bucket is %+v", bucket)
	}
	if bucket.PublicAccessBlockConfiguration.Or(estate.PublicAccessBlock{}) != (estate.PublicAccessBlock{BlockPublicAcls: true, BlockPublicPolicy: true, IgnorePublicAcls: true, RestrictPublicBuckets: true}) {
		t.Errorf("the bucket's block is %+v", bucket.PublicAccessBlockConfiguration)
	}
}

// namedInExamples looks that the manifests of the shop name what the double
// has, so that a live audit and one of files speak of the same resources.
func namedInExamples(t *testing.T, s *awsrig.Shop, database *estate.DBInstance) {
	t.Helper()
	for file, want := range map[string][]string{
		"ingress.yaml": {s.Bucket},
		"orders.yaml":  {database.Endpoint.Address},
	} {
		data, err := os.ReadFile(filepath.Join("..", "..", "..", "examples", "shop", "secure", "k8s", file))
		if err != nil {
			t.Fatal(err)
		}
		for _, w := range want {
			if !bytes.Contains(data, []byte(w)) {
				t.Errorf("%s does not name %s", file, w)
			}
		}
	}
}

func readInsecureShop(t *testing.T, d *awsrig.Double) {
	s := d.SeedShop(t, awsrig.ShopOptions{Snapshot: true, Node: true})
	e := read(t, aws.Options{ClusterNames: []string{"shop-prod"}})
	complete(t, e)

	cluster := one(t, estate.Clusters, e)
	same(t, "cluster", cluster, `{"name":"shop-prod","version":"1.32","roleArn":"arn:aws:iam::111122223333:role/shop-prod-cluster","openIdConnectIssuerUrl":"`+cluster.OpenIdConnectIssuerUrl.Or("")+`","accessConfig":{"authenticationMode":"CONFIG_MAP"},"endpoint":"`+cluster.Endpoint+`","deletionProtection":false,
		"resourcesVpcConfig":{"endpointPublicAccess":true,"endpointPrivateAccess":false,"publicAccessCidrs":["0.0.0.0/0"],"subnetIds":[`+quote(s.NodeSubnets...)+`]},
		"encryptionConfig":[],"logging":{"clusterLogging":{"enabledTypes":[]}},"upgradePolicy":{"supportType":"EXTENDED"},"computeConfig":{}}`)
	template := one(t, estate.LaunchTemplates, e)
	same(t, "launch template", template.LaunchTemplateData, `{"blockDeviceMappings":[{"deviceName":"/dev/xvda","ebs":{"encrypted":false,"kmsKeyId":"","volumeType":"gp3"}}],
		"metadataOptions":{"httpEndpoint":"","httpTokens":"optional","httpPutResponseHopLimit":2}}`)
	listener := one(t, estate.Listeners, e)
	if _, known := listener.SslPolicy.Get(); known || listener.Name() != "HTTP:80" {
		t.Errorf("the listener is %+v", listener)
	}
	group := one(t, estate.TargetGroups, e)
	if group.Protocol.Or("") != "HTTP" || group.Port.Or(0) != 8080 {
		t.Errorf("the target group is %+v", group)
	}
	for kind, n := range map[estate.Kind]int{
		estate.WebACLs.Kind: len(estate.WebACLs.In(e)), estate.WebACLAssociations.Kind: len(estate.WebACLAssociations.In(e)), estate.Certificates.Kind: len(estate.Certificates.In(e)),
	} {
		if n != 0 {
			t.Errorf("%d resources of kind %s, the shop has none", n, kind)
		}
	}
	database := one(t, estate.DBInstances, e)
	if !database.PubliclyAccessible.Or(false) || database.StorageEncrypted.Or(true) || database.DeletionProtection.Or(true) {
		t.Errorf("the database is %+v", database)
	}
	same(t, "parameter group", one(t, estate.DBParameterGroups, e), `{"dbParameterGroupName":"shop-prod","family":"mysql8.0",
		"parameters":{"character_set_server":"utf8mb4","slow_query_log":"1","require_secure_transport":"0"}}`)
	snapshot := one(t, estate.DBSnapshots, e)
	if snapshot.Arn != s.SnapshotArn || snapshot.Encrypted.Or(true) || !slices.Equal(snapshot.RestoreAccounts.Or(nil), []string{"all"}) {
		t.Errorf("the snapshot is %+v", snapshot)
	}
	if one(t, estate.EBSDefaults, e).EbsEncryptionByDefault.Or(true) || one(t, estate.Keys, e).EnableKeyRotation.Or(true) {
		t.Error("volumes are encrypted by default, or the key rotates")
	}
	bucket := one(t, estate.Buckets, e)
	if bucket.PublicAccessBlockConfiguration.Or(estate.PublicAccessBlock{BlockPublicAcls: true}) != (estate.PublicAccessBlock{}) || strings.Contains(bucket.Policy.Or("SecureTransport"), "SecureTransport") {
		t.Errorf("the bucket is %+v", bucket)
	}
}

func readTwoRegions(t *testing.T, d *awsrig.Double) {
	d.SeedShop(t, awsrig.ShopOptions{Secure: true})
	cfg := d.Config(t.Context())
	cfg.Region = "us-east-1"
	if _, err := ec2.NewFromConfig(cfg).EnableEbsEncryptionByDefault(t.Context(), &ec2.EnableEbsEncryptionByDefaultInput{}); err != nil {
		t.Fatal(err)
	}
	e := read(t, aws.Options{Regions: []string{"us-east-1", "eu-west-1", "eu-central-1"}})
	complete(t, e)
	if one(t, estate.Clusters, e).Origin.Region != "eu-west-1" || one(t, estate.Buckets, e).Origin.Region != "eu-west-1" {
		t.Error("the cluster and the bucket are of another region")
	}
	var got []string
	for _, x := range estate.EBSDefaults.In(e) {
		on := "off"
		if x.EbsEncryptionByDefault.Or(false) {
			on = "on"
		}
		got = append(got, x.Origin.Region+" "+on)
	}
	if want := []string{"eu-central-1 off", "eu-west-1 on", "us-east-1 on"}; !slices.Equal(got, want) {
		t.Errorf("defaults are %q, want %q", got, want)
	}
	elsewhere := read(t, aws.Options{Regions: []string{"us-east-1"}, ClusterNames: []string{"shop-prod"}})
	if len(estate.Clusters.In(elsewhere)) != 0 || len(estate.Buckets.In(elsewhere)) != 0 {
		t.Error("us-east-1 shows the cluster or the bucket of eu-west-1")
	}
	want := []estate.Problem{{What: `no EKS cluster is named "shop-prod" in us-east-1`, Remedy: "name its region with --region"}}
	if diff := cmp.Diff(want, elsewhere.Sources[0].Problems); diff != "" {
		t.Errorf("problems (-want +got):\n%s", diff)
	}
}

// encode writes an estate as a snapshot would.
func encode(t *testing.T, e *estate.Estate) string {
	t.Helper()
	var b strings.Builder
	for _, k := range estate.Kinds() {
		data, err := k.Encode(e)
		if err != nil {
			t.Fatal(err)
		}
		b.Write(data)
	}
	data, err := json.Marshal(e.Sources)
	if err != nil {
		t.Fatal(err)
	}
	b.Write(data)
	return b.String()
}

func readTwice(t *testing.T, d *awsrig.Double) {
	d.SeedShop(t, awsrig.ShopOptions{Secure: true, Snapshot: true, Node: true})
	// The end of the certificates is made at each answer.
	fix := func(e *estate.Estate) *estate.Estate {
		for _, x := range estate.DBInstances.In(e) {
			x.CertificateDetails.ValidTill = estate.Optional[time.Time]{}
		}
		return e
	}
	if diff := cmp.Diff(encode(t, fix(read(t, aws.Options{}))), encode(t, fix(read(t, aws.Options{})))); diff != "" {
		t.Errorf("two readings differ:\n%s", diff)
	}
}

func readNoSecrets(t *testing.T, d *awsrig.Double) {
	d.SeedShop(t, awsrig.ShopOptions{Snapshot: true, Node: true})
	d.AddOptionGroup(awsrig.Region, awsrig.OptionGroup{Name: "agents", Engine: "oracle-ee", Option: "OEM_AGENT", Settings: map[string]string{"AGENT_REGISTRATION_PASSWORD": "canary-agent"}})
	d.AddOptionGroup(awsrig.Region, awsrig.OptionGroup{Name: "tls", Engine: "oracle-ee", Option: "SSL", Settings: map[string]string{"SQLNET.SSL_VERSION": "1.2"}})
	d.SeedIdentity(t, "shop-prod")
	e := read(t, aws.Options{})
	complete(t, e)
	model := encode(t, e)
	for _, canary := range []string{"canary", "Y2FuYXJ5LXVzZXItZGF0YQ"} {
		if strings.Contains(model, canary) {
			t.Errorf("the model holds %q", canary)
		}
	}
	tls := pick(t, estate.OptionGroups, e, func(g *estate.OptionGroup) bool { return g.OptionGroupName == "tls" })
	same(t, "options", tls.OptionConfigurations, `[{"optionName":"SSL","port":2484,"optionSettings":[{"name":"SQLNET.SSL_VERSION","value":"1.2"}]}]`)
}

func readByEndpoint(t *testing.T, d *awsrig.Double) {
	d.SeedShop(t, awsrig.ShopOptions{Secure: true, ClusterEndpoint: "https://127.0.0.1:6443"})
	e := read(t, aws.Options{ClusterEndpoints: []string{"https://127.0.0.1:6443/"}})
	complete(t, e)
	if one(t, estate.Clusters, e).Name != "shop-prod" || len(estate.Nodegroups.In(e)) != 1 {
		t.Error("the cluster of the endpoint is not read")
	}
}

func readOtherStorage(t *testing.T, d *awsrig.Double) {
	d.SeedOther(t)
	e := read(t, aws.Options{})
	complete(t, e)
	var got []string
	for _, x := range estate.FileSystems.In(e) {
		got = append(got, x.FileSystemType+" "+yes(x.Encrypted))
	}
	for _, x := range estate.Caches.In(e) {
		got = append(got, x.Type+" "+x.Id+" "+yes(x.TransitEncryptionEnabled)+" "+yes(x.AtRestEncryptionEnabled))
	}
	for _, x := range estate.KafkaClusters.In(e) {
		got = append(got, x.ClusterName+" "+x.ClientBroker.Or("?")+" "+yes(x.InCluster)+" "+x.Endpoints[0].Address)
	}
	for _, x := range estate.OpenSearchDomains.In(e) {
		got = append(got, x.DomainName+" "+yes(x.EnforceHTTPS)+" "+yes(x.NodeToNodeEncryption)+" "+yes(x.EncryptionAtRest))
	}
	for _, x := range estate.Distributions.In(e) {
		c := x.DistributionConfig
		got = append(got, "distribution "+c.DefaultCacheBehavior.ViewerProtocolPolicy.Or("?")+" "+c.Origins[0].DomainName+" "+c.Origins[0].CustomOriginConfig.OriginProtocolPolicy.Or("?")+" "+strings.Join(c.Origins[0].OriginCustomHeaders.Or(nil), " ")+" logging "+yes(c.Logging)+" "+c.ViewerCertificate.MinimumProtocolVersion.Or("?"))
	}
	for _, x := range estate.ClassicLoadBalancers.In(e) {
		l := x.Listeners[0]
		got = append(got, "classic "+x.LoadBalancerName+" "+x.Scheme.Or("?")+" "+l.Protocol+":"+l.LoadBalancerPort+" → "+l.InstanceProtocol+":"+l.InstancePort)
	}
	for _, x := range estate.DBClusters.In(e) {
		got = append(got, "aurora "+x.DBClusterIdentifier+" "+x.Engine.Or("?")+" "+yes(x.StorageEncrypted)+" "+x.DBClusterParameterGroupName.Or("?"))
	}
	for _, x := range estate.DBClusterParameterGroups.In(e) {
		if !strings.HasPrefix(x.DBClusterParameterGroupName, "default") {
			got = append(got, x.DBClusterParameterGroupName+" rds.force_ssl="+x.Parameters.Or(nil)["rds.force_ssl"])
		}
	}
	for _, x := range estate.DBProxies.In(e) {
		got = append(got, "proxy "+x.DBProxyName+" "+x.EngineFamily+" "+yes(x.RequireTLS))
	}
	for _, x := range estate.WebACLs.In(e) {
		got = append(got, "web ACL "+x.Name+" "+x.Scope)
	}
	want := []string{
		"EFS yes", "LUSTRE yes", "replicationgroup carts yes yes", "cachecluster sessions no ?", "memorydb ledger yes yes", "events TLS yes b-1.events.kafka.eu-west-1.amazonaws.com",
		"search yes yes yes", "distribution redirect-to-https shop-origin.example.com https-only X-Origin-Verify logging no TLSv1.2_2021", "classic old internet-facing HTTP:80 → HTTP:8080",
		"aurora ledger aurora-postgresql yes ledger", "ledger rds.force_ssl=1", "proxy orders MYSQL yes", "web ACL edge CLOUDFRONT",
	}
	slices.Sort(got)
	slices.Sort(want)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("resources (-seeded +read):\n%s", diff)
	}
}

func readIdentity(t *testing.T, d *awsrig.Double) {
	d.SeedShop(t, awsrig.ShopOptions{Secure: true})
	seeded := d.SeedIdentity(t, "shop-prod")
	e := read(t, aws.Options{})
	complete(t, e)

	account := one(t, estate.Accounts, e)
	same(t, "account", account, `{"rootMFA":false,"rootAccessKeys":false,"rootLastUsed":"2026-03-04T05:06:07Z","samlProviders":[],
		"passwordPolicy":{"minimumPasswordLength":14,"reuse":24,"complex":true}}`)
	user := one(t, estate.Users, e)
	keys, _ := user.AccessKeys.Get()
	if user.Arn != "arn:aws:iam::111122223333:user/eve" || !slices.Equal(user.Groups, []string{"ops"}) || yes(user.ConsoleAccess) != "yes" || len(user.MFADevices.Or([]string{"?"})) != 0 {
		t.Errorf("the user is %+v", user)
	}
	if len(keys) != 1 || keys[0].Id != seeded.LastFour || keys[0].Status != "Active" || !keys[0].LastUsed.Or(time.Now()).IsZero() {
		t.Errorf("the user's keys are %+v", keys)
	}
	group := one(t, estate.Groups, e)
	policy := one(t, estate.ManagedPolicies, e)
	if !slices.Equal(group.ManagedPolicyArns.Or(nil), []string{policy.Arn}) || !strings.Contains(policy.PolicyDocument.Or(""), "arn:aws:s3:::shop+logs/*") {
		t.Errorf("the group is %+v with %+v", group, policy)
	}
	role := one(t, estate.IAMRoles, e)
	if !strings.Contains(role.AssumeRolePolicyDocument.Or(""), "pods.eks.amazonaws.com") || len(role.Policies.Or(nil)) != 1 || role.PermissionsBoundary.Or("?") != "" {
		t.Errorf("the role is %+v", role)
	}
	same(t, "OIDC provider", one(t, estate.OIDCProviders, e), `{"url":"oidc.example.com/shop","clientIdList":["sts.amazonaws.com"]}`)
	used := pick(t, estate.LastAccessed, e, func(x *estate.ServiceLastAccessed) bool { return x.PrincipalArn == role.Arn })
	same(t, "services last used", used.Services, `[{"namespace":"ec2","lastAuthenticated":"0001-01-01T00:00:00Z"},{"namespace":"s3","lastAuthenticated":"2026-11-01T00:00:00Z"}]`)
	if n := len(estate.LastAccessed.In(e)); n != 2 {
		t.Errorf("services of %d users and roles, want 2", n)
	}

	same(t, "access entry", one(t, estate.AccessEntries, e), `{"clusterName":"shop-prod","principalArn":"arn:aws:iam::111122223333:role/orders","kubernetesGroups":["readers"],"type":"STANDARD",
		"accessPolicies":[{"policyArn":"arn:aws:eks::aws:cluster-access-policy/AmazonEKSViewPolicy","accessScope":{"type":"namespace","namespaces":["shop"]}}]}`)
	same(t, "add-on", one(t, estate.Addons, e), `{"clusterName":"shop-prod","addonName":"vpc-cni","addonVersion":"v1.20.4-eksbuild.1","status":"ACTIVE","enableNetworkPolicy":true,"podSecurityGroupEnforcingMode":"strict",
		"enablePodENI":false,"externalSNAT":false,"networkPolicyEnforcingMode":""}`)
	same(t, "pod identity", one(t, estate.PodIdentityAssociations, e), `{"clusterName":"shop-prod","namespace":"shop","serviceAccount":"orders","roleArn":"arn:aws:iam::111122223333:role/orders"}`)

	repository := one(t, estate.Repositories, e)
	if repository.ImageTagMutability.Or("") != "IMMUTABLE" || yes(repository.ScanOnPush) != "yes" {
		t.Errorf("the repository is %+v", repository)
	}
	same(t, "scanning", one(t, estate.RegistryScannings, e), `{"scanType":"ENHANCED","rules":[{"scanFrequency":"CONTINUOUS_SCAN","repositoryFilters":[{"filter":"*","filterType":"WILDCARD"}]}]}`)
	scan := pick(t, estate.ImageScans, e, func(x *estate.ImageScan) bool { return x.ImageDigest == seeded.Digest })
	if len(estate.ImageScans.In(e)) != 2 || scan.Status.Or("") != "COMPLETE" || len(scan.Vulnerabilities.Or(nil)) != 1 || scan.Vulnerabilities.Or(nil)[0].Severity != "HIGH" {
		t.Errorf("the scan is %+v of %d", scan, len(estate.ImageScans.In(e)))
	}
	other := pick(t, estate.ImageScans, e, func(x *estate.ImageScan) bool { return x.ImageDigest != seeded.Digest })
	if status, known := other.Status.Get(); !known || status != "" {
		t.Errorf("an image that was never scanned has status %q, known %v", status, known)
	}
	same(t, "Inspector", one(t, estate.InspectorStatuses, e), `{"ec2":"ENABLED","ecr":"ENABLED"}`)
	finding := one(t, estate.InspectorFindings, e)
	if finding.Rule != "CVE-2026-0001" || finding.Severity != "critical" || finding.Fixed != "3.5.1" || !slices.Contains(finding.Resources, "111122223333.dkr.ecr.eu-west-1.amazonaws.com/shop/web@"+seeded.Digest) {
		t.Errorf("the finding is %+v", finding)
	}
}

// readLeftOut looks that what is left out costs no call.
func readLeftOut(t *testing.T, d *awsrig.Double) {
	d.SeedShop(t, awsrig.ShopOptions{Secure: true})
	d.SeedIdentity(t, "shop-prod")
	e := read(t, aws.Options{Skip: aws.Groups()})
	for kind, why := range map[estate.Kind]string{
		"ServiceLastAccessed": "left out by --skip last-accessed", "ImageScan": "left out by --skip findings", "InspectorFinding": "left out by --skip findings",
	} {
		if got := e.Coverage(kind); got.State != estate.NotAsked || got.Why != why {
			t.Errorf("got %+v", got)
		}
	}
	one(t, estate.InspectorStatuses, e)
	one(t, estate.Repositories, e)
	for _, call := range []string{"iam GenerateServiceLastAccessedDetails", "ecr DescribeImages", "inspector2 ListFindings"} {
		service, action, _ := strings.Cut(call, " ")
		if d.Calls(service, action) != 0 {
			t.Errorf("%s is called", call)
		}
	}
	for _, call := range []string{"iam GetAccountAuthorizationDetails", "iam GetCredentialReport", "ecr DescribeRepositories"} {
		service, action, _ := strings.Cut(call, " ")
		if n := d.Calls(service, action); n != 1 {
			t.Errorf("%s is called %d times", call, n)
		}
	}
}

func yes(o estate.Optional[bool]) string {
	on, known := o.Get()
	switch {
	case !known:
		return "?"
	case on:
		return "yes"
	}
	return "no"
}

func readExpired(t *testing.T, d *awsrig.Double) {
	d.Refuse("sts", "GetCallerIdentity", "ExpiredToken")
	_, err := aws.Read(t.Context(), aws.Options{})
	if want := "the AWS session has expired; run aws sso login, or renew AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN"; err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
}

func readRegionDenied(t *testing.T, d *awsrig.Double) {
	d.SeedShop(t, awsrig.ShopOptions{Secure: true})
	d.Override("rds", "DescribeDBInstances", func(c *awsrig.Call) *awsrig.Answer {
		if c.Region != "us-east-1" {
			return nil
		}
		return &awsrig.Answer{Status: http.StatusForbidden, Header: http.Header{}, Body: []byte("<html>no")}
	})
	e := read(t, aws.Options{Regions: []string{"eu-west-1", "us-east-1"}})
	want := estate.Coverage{Kind: "DBInstance", State: estate.Denied, Why: "not allowed to call rds:DescribeDBInstances", Count: 1}
	if got := e.Coverage("DBInstance"); got != want {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	one(t, estate.DBInstances, e)
}

// serviceOf maps a prefix of IAM actions to the double's service.
var serviceOf = map[string]string{"Elastic Load Balancing": "elb", "Elastic Load Balancing v2": "elbv2"}

// rounds splits the calls so that those of a round do not hide each other: one
// of each service, and those of EKS alone, for without clusters nobody asks
// for nodes.
func rounds() [][]aws.Call {
	byService := map[string][]aws.Call{}
	for _, c := range aws.Calls() {
		if c.Service != "STS" {
			byService[c.Service] = append(byService[c.Service], c)
		}
	}
	var out [][]aws.Call
	for _, c := range byService["EKS"] {
		out = append(out, []aws.Call{c})
	}
	delete(byService, "EKS")
	for i := 0; ; i++ {
		var round []aws.Call
		for _, service := range slices.Sorted(maps.Keys(byService)) {
			if i < len(byService[service]) {
				round = append(round, byService[service][i])
			}
		}
		if round == nil {
			return out
		}
		out = append(out, round)
	}
}

// askedOnlyIfNeeded are calls for what another call did not tell.
var askedOnlyIfNeeded = []string{"GetWebACLForResource", "GetBucketLocation", "ListMFADevices"}

// readDenied denies every call once, and looks that what depends on it is
// denied, or unknown with the reason, and that nothing else is.
func readDenied(t *testing.T, d *awsrig.Double) {
	d.SeedShop(t, awsrig.ShopOptions{Secure: true, Snapshot: true, Node: true})
	d.SeedOther(t)
	d.SeedIdentity(t, "shop-prod")
	d.SeedReview(t)
	kindDenied := map[estate.Kind]bool{}
	for _, round := range rounds() {
		d.Allow()
		before := map[string]int{}
		causes := map[string]aws.Call{}
		for _, call := range round {
			service, _, _ := strings.Cut(call.Action, ":")
			if s := serviceOf[call.Service]; s != "" {
				service = s
			}
			d.Deny(service, call.Operation)
			before[service+" "+call.Operation] = d.Calls(service, call.Operation)
			causes[call.Action] = call
		}
		e := read(t, aws.Options{})
		for name, n := range before {
			service, operation, _ := strings.Cut(name, " ")
			if d.Calls(service, operation) == n && !slices.Contains(askedOnlyIfNeeded, operation) {
				t.Errorf("%s is never called", name)
			}
		}
		told := map[string]bool{}
		for _, s := range e.Sources {
			for _, c := range s.Coverage {
				if c.State == estate.Read {
					continue
				}
				actions, found := strings.CutPrefix(c.Why, "not allowed to call ")
				if !found || c.State != estate.Denied {
					t.Errorf("%s is %s: %s", c.Kind, c.State, c.Why)
				}
				kindDenied[c.Kind] = true
				for action := range strings.SplitSeq(actions, ", ") {
					if !slices.ContainsFunc(round, func(x aws.Call) bool { return x.Action == action && slices.Contains(x.Kinds, c.Kind) }) {
						t.Errorf("%s is denied because of %s, which was not denied or which the table of calls does not name for it", c.Kind, action)
					}
					told[action] = true
				}
			}
			for _, p := range s.Problems {
				_, action, _ := strings.Cut(p.What, ": not allowed to call ")
				action, _, _ = strings.Cut(action, " (")
				if _, found := causes[action]; !found {
					t.Errorf("a problem besides: %s", p)
				}
				told[action] = true
			}
		}
		for action, call := range causes {
			// Where ListResourcesForWebACL is denied, the load balancers are
			// asked: nothing is unknown.
			if !told[action] && call.Operation != "ListResourcesForWebACL" && !slices.Contains(askedOnlyIfNeeded, call.Operation) {
				t.Errorf("nothing tells of the denial of %s", action)
			}
		}
	}
	for _, call := range aws.Calls() {
		for _, k := range call.Kinds {
			if !kindDenied[k] {
				t.Errorf("no denial makes %s denied", k)
			}
		}
	}
}

// recorder is a test that notes its failures.
type recorder struct {
	testing.TB
	failures bytes.Buffer
}

func (r *recorder) Errorf(format string, args ...any) {
	r.failures.WriteString(format)
	for _, a := range args {
		if s, ok := a.(string); ok {
			r.failures.WriteString(" " + s)
		}
	}
}

func TestUnknownCallFailsTheTest(t *testing.T) {
	r := &recorder{TB: t}
	d := awsrig.Start(r)
	for name, call := range map[string]func() error{
		"rds DescribeCertificates": func() error {
			return post(d.URL, "rds", "Action=DescribeCertificates&Version=2014-10-31", "application/x-www-form-urlencoded")
		},
		"eks ?": func() error { return post(d.URL, "eks", "{}", "application/json") },
	} {
		r.failures.Reset()
		if err := call(); err != nil {
			t.Fatal(err)
		}
		for word := range strings.FieldsSeq(name) {
			if !strings.Contains(r.failures.String(), word) {
				t.Errorf("%s is not reported: %q", name, r.failures.String())
			}
		}
	}
}

func post(url, service, body, contentType string) error {
	request, err := http.NewRequest(http.MethodPost, url+"/clusters/shop/insights", strings.NewReader(body))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", contentType)
	request.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=AKIA/20261123/eu-west-1/"+service+"/aws4_request, SignedHeaders=host, Signature=0")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	return response.Body.Close()
}

// stopper is a test that notes why it stopped.
type stopper struct {
	testing.TB
	how, message string
}

func (s *stopper) Skip(args ...any)  { s.stop("skip", args) }
func (s *stopper) Fatal(args ...any) { s.stop("fatal", args) }

func (s *stopper) stop(how string, args []any) {
	s.how, s.message = how, fmt.Sprint(args...)
	runtime.Goexit()
}

func TestMissingEmulator(t *testing.T) {
	t.Setenv("EKSAFE_MOTO", "")
	t.Setenv("PATH", t.TempDir())
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	t.Setenv("HOME", t.TempDir())
	for required, want := range map[string]string{"": "skip", "required": "fatal"} {
		t.Setenv("EKSAFE_RIGS", required)
		r := &stopper{TB: t}
		done := make(chan struct{})
		go func() {
			defer close(done)
			awsrig.Start(r)
		}()
		<-done
		if r.how != want || r.message != "moto_server is not installed: run make rigs" {
			t.Errorf("EKSAFE_RIGS=%q: %s %q", required, r.how, r.message)
		}
	}
}
