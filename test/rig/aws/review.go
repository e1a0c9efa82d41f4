package awsrig

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail"
	cloudtrailtypes "github.com/aws/aws-sdk-go-v2/service/cloudtrail/types"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/configservice"
	configtypes "github.com/aws/aws-sdk-go-v2/service/configservice/types"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	eventtypes "github.com/aws/aws-sdk-go-v2/service/eventbridge/types"
	"github.com/aws/aws-sdk-go-v2/service/guardduty"
	guarddutytypes "github.com/aws/aws-sdk-go-v2/service/guardduty/types"
	"github.com/aws/aws-sdk-go-v2/service/route53"
	route53types "github.com/aws/aws-sdk-go-v2/service/route53/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/aws-sdk-go-v2/service/securityhub"
	securityhubtypes "github.com/aws/aws-sdk-go-v2/service/securityhub/types"
	"github.com/aws/aws-sdk-go-v2/service/shield"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/wafv2"
	waftypes "github.com/aws/aws-sdk-go-v2/service/wafv2/types"
	"github.com/aws/smithy-go/encoding/cbor"
)

// A Review is what services that watch and review say in a region, as far as
// the emulator does not: it lacks these calls. Maps are objects of the API.
type Review struct {
	GuardDutyFindings []map[string]any
	HubV2             bool     // the newer Security Hub is on
	Standards         []string // ARNs of enabled ones
	FlaggedChecks     map[string]int
	Analyzers         []map[string]any
	AnalyzerFindings  []map[string]any
	MetricAlarms      []cbor.Map
	CompositeAlarms   []cbor.Map
}

// SetReview sets what services say in a region; Trusted Advisor speaks in
// us-east-1.
func (d *Double) SetReview(region string, r Review) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.memory.review[region] = r
}

func (d *Double) review(c *Call) Review {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.memory.review[c.Region]
}

// cborAnswer is an answer of the protocol that CloudWatch speaks.
func cborAnswer(status int, body cbor.Map) *Answer {
	return &Answer{status, http.Header{"Content-Type": {"application/cbor"}, "Smithy-Protocol": {"rpc-v2-cbor"}}, cbor.Encode(body)}
}

// describeAlarms speaks for the emulator, which does not know the protocol.
func (d *Double) describeAlarms(c *Call) *Answer {
	r := d.review(c)
	values := func(in []cbor.Map) cbor.List {
		out := cbor.List{}
		for _, m := range in {
			out = append(out, m)
		}
		return out
	}
	answer := cbor.Map{"MetricAlarms": values(r.MetricAlarms)}
	asked, err := cbor.Decode(c.Body)
	if m, ok := asked.(cbor.Map); err == nil && ok {
		// As AWS does, it tells of composite alarms only who asks for them.
		if types, _ := m["AlarmTypes"].(cbor.List); len(types) == 2 {
			answer["CompositeAlarms"] = values(r.CompositeAlarms)
		}
	}
	return cborAnswer(http.StatusOK, answer)
}

// listGuardDutyFindings gives two on a page. Like the emulator's, its filters
// are not heeded.
func (d *Double) listGuardDutyFindings(c *Call) *Answer {
	var asked struct {
		NextToken string `json:"nextToken"`
	}
	if err := json.Unmarshal(c.Body, &asked); err != nil {
		return refusal(c, "BadRequestException")
	}
	all := d.review(c).GuardDutyFindings
	ids := []any{}
	next := ""
	for i, f := range all {
		if i < 2 == (asked.NextToken == "") {
			ids = append(ids, f["id"])
		}
	}
	if asked.NextToken == "" && len(all) > 2 {
		next = "more"
	}
	return jsonAnswer(map[string]any{"findingIds": ids, "nextToken": next})
}

func (d *Double) getGuardDutyFindings(c *Call) *Answer {
	var asked struct {
		FindingIds []string `json:"findingIds"`
	}
	if err := json.Unmarshal(c.Body, &asked); err != nil || len(asked.FindingIds) > 50 {
		return refusal(c, "BadRequestException")
	}
	found := []map[string]any{}
	for _, f := range d.review(c).GuardDutyFindings {
		for _, id := range asked.FindingIds {
			if f["id"] == id {
				found = append(found, f)
			}
		}
	}
	return jsonAnswer(map[string]any{"findings": found})
}

func (d *Double) describeSecurityHubV2(c *Call) *Answer {
	if !d.review(c).HubV2 {
		answer := refusal(c, "ResourceNotFoundException")
		answer.Status = http.StatusNotFound
		return answer
	}
	return jsonAnswer(map[string]any{"HubV2Arn": "arn:aws:securityhub:" + c.Region + ":" + Account + ":hubv2/1"})
}

func (d *Double) getEnabledStandards(c *Call) *Answer {
	subscriptions := []map[string]any{}
	for _, arn := range d.review(c).Standards {
		subscriptions = append(subscriptions, map[string]any{"StandardsArn": arn, "StandardsSubscriptionArn": arn + "/1", "StandardsInput": map[string]any{}, "StandardsStatus": "READY"})
	}
	return jsonAnswer(map[string]any{"StandardsSubscriptions": subscriptions})
}

func (d *Double) describeCheckSummaries(c *Call) *Answer {
	var asked struct {
		CheckIds []string `json:"checkIds"`
	}
	if err := json.Unmarshal(c.Body, &asked); err != nil || len(asked.CheckIds) == 0 {
		return refusal(c, "InvalidParameterValueException")
	}
	flagged := d.review(c).FlaggedChecks
	summaries := []map[string]any{}
	for _, id := range asked.CheckIds {
		status := "ok"
		if flagged[id] > 0 {
			status = "error"
		}
		summaries = append(summaries, map[string]any{
			"checkId": id, "status": status, "timestamp": "2026-11-20T08:00:00Z", "hasFlaggedResources": flagged[id] > 0,
			"resourcesSummary": map[string]any{"resourcesProcessed": 9, "resourcesFlagged": flagged[id], "resourcesIgnored": 0, "resourcesSuppressed": 0},
		})
	}
	answer := jsonAnswer(map[string]any{"summaries": summaries})
	answer.Header.Set("Content-Type", "application/x-amz-json-1.1")
	return answer
}

// describeShield writes times as AWS does: the emulator writes them as text.
func (d *Double) describeShield(c *Call) *Answer {
	answer := d.pass(c)
	var body map[string]map[string]any
	if answer.Status != http.StatusOK || json.Unmarshal(answer.Body, &body) != nil || body["Subscription"] == nil {
		return answer
	}
	now := time.Now()
	body["Subscription"]["StartTime"] = now.AddDate(0, -1, 0).Unix()
	body["Subscription"]["EndTime"] = now.AddDate(0, 11, 0).Unix()
	answer = jsonAnswer(body)
	answer.Header.Set("Content-Type", "application/x-amz-json-1.1")
	return answer
}

// describeManagedRuleGroup gives every managed group the same two rules.
func (d *Double) describeManagedRuleGroup(*Call) *Answer {
	return jsonAnswer(map[string]any{"Rules": []any{map[string]any{"Name": "NoUserAgent_HEADER"}, map[string]any{"Name": "SizeRestrictions_BODY"}}})
}

func (d *Double) listAnalyzers(c *Call) *Answer {
	analyzers := d.review(c).Analyzers
	if analyzers == nil {
		analyzers = []map[string]any{}
	}
	return jsonAnswer(map[string]any{"analyzers": analyzers})
}

func (d *Double) listAnalyzerFindings(c *Call) *Answer {
	return jsonAnswer(map[string]any{"findings": d.review(c).AnalyzerFindings})
}

// SeedReview builds one of each kind of the services that watch, warn and
// review. What may be secret or private says "canary".
func (d *Double) SeedReview(t testing.TB) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), seedTimeout)
	defer cancel()
	cfg := d.Config(ctx)
	b := &builder{TB: t, d: d, o: ShopOptions{Region: Region}, ctx: ctx, cfg: cfg, s: &Shop{}, ec2: ec2.NewFromConfig(cfg)}
	topic := b.alarmTopic()
	b.watchedBucket(topic)
	b.logs()
	b.trail()
	b.firewall()
	b.zone()
	b.protection()
	b.recorder()
	b.reviewers(topic)
}

const watched = "watched-" + Account

func (b *builder) watchedBucket(topic string) {
	client := s3.NewFromConfig(b.cfg, func(o *s3.Options) { o.UsePathStyle = true })
	bucket := aws.String(watched)
	_, err := client.CreateBucket(b.ctx, &s3.CreateBucketInput{
		Bucket: bucket, ObjectLockEnabledForBucket: aws.Bool(true),
		CreateBucketConfiguration: &s3types.CreateBucketConfiguration{LocationConstraint: s3types.BucketLocationConstraint(b.o.Region)},
	})
	b.must(err, "creating the watched bucket")
	_, err = client.PutBucketVersioning(b.ctx, &s3.PutBucketVersioningInput{Bucket: bucket, VersioningConfiguration: &s3types.VersioningConfiguration{Status: s3types.BucketVersioningStatusEnabled}})
	b.must(err, "keeping versions")
	_, err = client.PutBucketLifecycleConfiguration(b.ctx, &s3.PutBucketLifecycleConfigurationInput{Bucket: bucket, LifecycleConfiguration: &s3types.BucketLifecycleConfiguration{Rules: []s3types.LifecycleRule{
		{ID: aws.String("old"), Status: s3types.ExpirationStatusEnabled, Filter: &s3types.LifecycleRuleFilter{Prefix: aws.String("waf/")}, Expiration: &s3types.LifecycleExpiration{Days: aws.Int32(400)}},
	}}})
	b.must(err, "deleting old objects")
	_, err = client.PutBucketNotificationConfiguration(b.ctx, &s3.PutBucketNotificationConfigurationInput{Bucket: bucket, NotificationConfiguration: &s3types.NotificationConfiguration{
		TopicConfigurations: []s3types.TopicConfiguration{{TopicArn: &topic, Events: []s3types.Event{s3types.EventS3ObjectCreated}, Filter: &s3types.NotificationConfigurationFilter{
			Key: &s3types.S3KeyFilter{FilterRules: []s3types.FilterRule{{Name: s3types.FilterRuleNamePrefix, Value: aws.String("waf/")}}},
		}}},
	}})
	b.must(err, "telling the topic of objects")
}

func (b *builder) alarmTopic() string {
	client := sns.NewFromConfig(b.cfg)
	topic, err := client.CreateTopic(b.ctx, &sns.CreateTopicInput{Name: aws.String("alarms"), Attributes: map[string]string{"KmsMasterKeyId": "alias/aws/sns"}})
	b.must(err, "creating the topic")
	_, err = client.Subscribe(b.ctx, &sns.SubscribeInput{TopicArn: topic.TopicArn, Protocol: aws.String("email"), Endpoint: aws.String("canary@example.com")})
	b.must(err, "subscribing to the topic")

	events := eventbridge.NewFromConfig(b.cfg)
	_, err = events.PutRule(b.ctx, &eventbridge.PutRuleInput{Name: aws.String("guardduty"), EventPattern: aws.String(`{"source":["aws.guardduty"]}`), State: eventtypes.RuleStateEnabled})
	b.must(err, "creating the event rule")
	_, err = events.PutTargets(b.ctx, &eventbridge.PutTargetsInput{Rule: aws.String("guardduty"), Targets: []eventtypes.Target{{Id: aws.String("1"), Arn: topic.TopicArn, Input: aws.String(`{"token":"canary"}`)}}})
	b.must(err, "giving the event rule a target")
	return *topic.TopicArn
}

func (b *builder) logs() {
	client := cloudwatchlogs.NewFromConfig(b.cfg)
	_, err := client.CreateLogGroup(b.ctx, &cloudwatchlogs.CreateLogGroupInput{LogGroupName: aws.String("/aws/eks/shop-prod/cluster")})
	b.must(err, "creating the log group")
	_, err = client.PutRetentionPolicy(b.ctx, &cloudwatchlogs.PutRetentionPolicyInput{LogGroupName: aws.String("/aws/eks/shop-prod/cluster"), RetentionInDays: aws.Int32(365)})
	b.must(err, "keeping logs for a year")
	vpc, err := b.ec2.CreateVpc(b.ctx, &ec2.CreateVpcInput{CidrBlock: aws.String("10.99.0.0/16")})
	b.must(err, "creating the logged VPC")
	flow, err := b.ec2.CreateFlowLogs(b.ctx, &ec2.CreateFlowLogsInput{
		ResourceIds: []string{*vpc.Vpc.VpcId}, ResourceType: ec2types.FlowLogsResourceTypeVpc, TrafficType: ec2types.TrafficTypeAll,
		LogDestinationType: ec2types.LogDestinationTypeS3, LogDestination: aws.String("arn:aws:s3:::" + watched),
	})
	b.must(err, "creating the flow log")
	if len(flow.FlowLogIds) != 1 {
		b.Fatalf("creating the flow log: %v", flow.Unsuccessful)
	}
}

func (b *builder) trail() {
	client := cloudtrail.NewFromConfig(b.cfg)
	_, err := client.CreateTrail(b.ctx, &cloudtrail.CreateTrailInput{
		Name: aws.String("all"), S3BucketName: aws.String(watched), IsMultiRegionTrail: aws.Bool(true), EnableLogFileValidation: aws.Bool(true), IncludeGlobalServiceEvents: aws.Bool(true),
	})
	b.must(err, "creating the trail")
	_, err = client.PutEventSelectors(b.ctx, &cloudtrail.PutEventSelectorsInput{TrailName: aws.String("all"), EventSelectors: []cloudtrailtypes.EventSelector{
		{IncludeManagementEvents: aws.Bool(true), ReadWriteType: cloudtrailtypes.ReadWriteTypeAll},
	}})
	b.must(err, "selecting events")
	_, err = client.StartLogging(b.ctx, &cloudtrail.StartLoggingInput{Name: aws.String("all")})
	b.must(err, "starting the trail")
}

func (b *builder) firewall() {
	client := wafv2.NewFromConfig(b.cfg)
	_, err := client.CreateIPSet(b.ctx, &wafv2.CreateIPSetInput{Name: aws.String("office"), Scope: waftypes.ScopeRegional, IPAddressVersion: waftypes.IPAddressVersionIpv4, Addresses: []string{"198.51.100.0/24"}})
	b.must(err, "creating the IP set")
	_, err = client.CreateRuleGroup(b.ctx, &wafv2.CreateRuleGroupInput{
		Name: aws.String("own"), Scope: waftypes.ScopeRegional, Capacity: aws.Int64(10),
		VisibilityConfig: &waftypes.VisibilityConfig{CloudWatchMetricsEnabled: true, SampledRequestsEnabled: true, MetricName: aws.String("own")},
		Rules: []waftypes.Rule{{
			Name: aws.String("secret header"), Priority: 0, Action: &waftypes.RuleAction{Allow: &waftypes.AllowAction{}},
			VisibilityConfig: &waftypes.VisibilityConfig{CloudWatchMetricsEnabled: true, SampledRequestsEnabled: true, MetricName: aws.String("own-0")},
			Statement: &waftypes.Statement{ByteMatchStatement: &waftypes.ByteMatchStatement{
				FieldToMatch:         &waftypes.FieldToMatch{SingleHeader: &waftypes.SingleHeader{Name: aws.String("x-origin-verify")}},
				PositionalConstraint: waftypes.PositionalConstraintExactly, SearchString: []byte("canary-search-string"),
				TextTransformations: []waftypes.TextTransformation{{Type: waftypes.TextTransformationTypeNone}},
			}},
		}},
	})
	b.must(err, "creating the rule group")
}

func (b *builder) zone() {
	client := route53.NewFromConfig(b.cfg)
	zone, err := client.CreateHostedZone(b.ctx, &route53.CreateHostedZoneInput{Name: aws.String("example.com"), CallerReference: aws.String("1")})
	b.must(err, "creating the hosted zone")
	id := strings.TrimPrefix(*zone.HostedZone.Id, "/hostedzone/")
	change := func(name string, kind route53types.RRType, value string) route53types.Change {
		return route53types.Change{Action: route53types.ChangeActionCreate, ResourceRecordSet: &route53types.ResourceRecordSet{
			Name: &name, Type: kind, TTL: aws.Int64(60), ResourceRecords: []route53types.ResourceRecord{{Value: &value}},
		}}
	}
	_, err = client.ChangeResourceRecordSets(b.ctx, &route53.ChangeResourceRecordSetsInput{HostedZoneId: &id, ChangeBatch: &route53types.ChangeBatch{Changes: []route53types.Change{
		change("shop.example.com", route53types.RRTypeCname, "shop.eu-west-1.elb.amazonaws.com"),
		change("example.com", route53types.RRTypeTxt, `"canary-verification"`),
	}}})
	b.must(err, "adding records")
}

func (b *builder) protection() {
	cfg := b.cfg.Copy()
	cfg.Region = "us-east-1"
	client := shield.NewFromConfig(cfg)
	_, err := client.CreateSubscription(b.ctx, &shield.CreateSubscriptionInput{})
	b.must(err, "subscribing to Shield")
	_, err = client.CreateProtection(b.ctx, &shield.CreateProtectionInput{Name: aws.String("zone"), ResourceArn: aws.String("arn:aws:cloudfront::" + Account + ":distribution/E1")})
	b.must(err, "protecting a distribution")
}

func (b *builder) recorder() {
	client := configservice.NewFromConfig(b.cfg)
	_, err := client.PutConfigurationRecorder(b.ctx, &configservice.PutConfigurationRecorderInput{ConfigurationRecorder: &configtypes.ConfigurationRecorder{
		Name: aws.String("default"), RoleARN: aws.String("arn:aws:iam::" + Account + ":role/config"), RecordingGroup: &configtypes.RecordingGroup{AllSupported: true, IncludeGlobalResourceTypes: true},
	}})
	b.must(err, "creating the recorder")
	_, err = client.PutDeliveryChannel(b.ctx, &configservice.PutDeliveryChannelInput{DeliveryChannel: &configtypes.DeliveryChannel{Name: aws.String("default"), S3BucketName: aws.String(watched)}})
	b.must(err, "creating the delivery channel")
	_, err = client.StartConfigurationRecorder(b.ctx, &configservice.StartConfigurationRecorderInput{ConfigurationRecorderName: aws.String("default")})
	b.must(err, "starting the recorder")
}

func (b *builder) reviewers(topic string) {
	_, err := guardduty.NewFromConfig(b.cfg).CreateDetector(b.ctx, &guardduty.CreateDetectorInput{Enable: aws.Bool(true), Features: []guarddutytypes.DetectorFeatureConfiguration{
		{Name: guarddutytypes.DetectorFeatureEksAuditLogs, Status: guarddutytypes.FeatureStatusEnabled},
	}})
	b.must(err, "creating the detector")
	hub := securityhub.NewFromConfig(b.cfg)
	_, err = hub.EnableSecurityHub(b.ctx, &securityhub.EnableSecurityHubInput{})
	b.must(err, "enabling Security Hub")
	product := "arn:aws:securityhub:" + Region + "::product/aws/securityhub"
	finding := func(id string, severity securityhubtypes.SeverityLabel) securityhubtypes.AwsSecurityFinding {
		return securityhubtypes.AwsSecurityFinding{
			Id: aws.String("arn:aws:securityhub:" + Region + ":" + Account + ":finding/" + id), AwsAccountId: aws.String(Account), Region: aws.String(Region), ProductArn: &product,
			SchemaVersion: aws.String("2018-10-08"), GeneratorId: aws.String("security-control/EKS.1"), Title: aws.String("EKS cluster endpoints should not be publicly accessible"), Description: aws.String("canary-description"),
			CreatedAt: aws.String("2026-11-20T08:00:00Z"), UpdatedAt: aws.String("2026-11-20T08:00:00Z"), Severity: &securityhubtypes.Severity{Label: severity},
			Resources: []securityhubtypes.Resource{{Type: aws.String("AwsEksCluster"), Id: aws.String("arn:aws:eks:" + Region + ":" + Account + ":cluster/shop-prod")}},
		}
	}
	_, err = hub.BatchImportFindings(b.ctx, &securityhub.BatchImportFindingsInput{Findings: []securityhubtypes.AwsSecurityFinding{
		finding("1", securityhubtypes.SeverityLabelHigh), finding("2", securityhubtypes.SeverityLabelLow),
	}})
	b.must(err, "importing findings")

	gd := func(id string, severity float64) map[string]any {
		return map[string]any{
			"id": id, "arn": "arn:aws:guardduty:" + Region + ":" + Account + ":detector/d/finding/" + id, "accountId": Account, "region": Region, "schemaVersion": "2.0", "severity": severity,
			"type": "PrivilegeEscalation:Kubernetes/PrivilegedContainer", "title": "A privileged container was launched", "createdAt": "2026-11-20T08:00:00Z", "updatedAt": "2026-11-20T08:00:00Z",
			"resource": map[string]any{"kubernetesDetails": map[string]any{"kubernetesWorkloadDetails": map[string]any{"type": "Deployment", "namespace": "shop", "name": "web"}}},
			"service":  map[string]any{"archived": false, "eventLastSeen": "2026-11-20T08:00:00Z"},
		}
	}
	analyzer := "arn:aws:access-analyzer:" + Region + ":" + Account + ":analyzer/account"
	b.d.SetReview(Region, Review{
		GuardDutyFindings: []map[string]any{gd("low", 2), gd("high", 8), gd("critical", 9)},
		Standards:         []string{"arn:aws:securityhub:" + Region + "::standards/aws-foundational-security-best-practices/v/1.0.0"},
		Analyzers:         []map[string]any{{"arn": analyzer, "name": "account", "type": "ACCOUNT", "status": "ACTIVE", "createdAt": "2026-11-20T08:00:00Z"}},
		AnalyzerFindings: []map[string]any{{
			"id": "f1", "status": "ACTIVE", "findingType": "ExternalAccess", "resource": "arn:aws:s3:::" + watched, "resourceType": "AWS::S3::Bucket", "resourceOwnerAccount": Account,
			"createdAt": "2026-11-20T08:00:00Z", "updatedAt": "2026-11-20T08:00:00Z", "analyzedAt": "2026-11-20T08:00:00Z",
		}},
		MetricAlarms: []cbor.Map{{
			"AlarmName": cbor.String("blocked"), "AlarmArn": cbor.String("arn:aws:cloudwatch:" + Region + ":" + Account + ":alarm:blocked"),
			"Namespace": cbor.String("AWS/WAFV2"), "MetricName": cbor.String("BlockedRequests"), "Statistic": cbor.String("Sum"), "ComparisonOperator": cbor.String("GreaterThanThreshold"),
			"Period": cbor.Uint(60), "EvaluationPeriods": cbor.Uint(1), "Threshold": cbor.Float64(1000), "ActionsEnabled": cbor.Bool(true), "AlarmActions": cbor.List{cbor.String(topic)},
			"Dimensions": cbor.List{cbor.Map{"Name": cbor.String("WebACL"), "Value": cbor.String("shop")}},
		}},
		CompositeAlarms: []cbor.Map{{
			"AlarmName": cbor.String("attack"), "AlarmArn": cbor.String("arn:aws:cloudwatch:" + Region + ":" + Account + ":alarm:attack"), "AlarmRule": cbor.String(`ALARM("blocked")`), "ActionsEnabled": cbor.Bool(true),
		}},
	})
	b.d.SetReview("us-east-1", Review{FlaggedChecks: map[string]int{"HCP4007jGY": 3}})
}
