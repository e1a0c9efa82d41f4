package awsrig_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/eksafe/eksafe/internal/estate"
	"github.com/eksafe/eksafe/internal/source/aws"
	awsrig "github.com/eksafe/eksafe/test/rig/aws"
)

func readReview(t *testing.T, d *awsrig.Double) {
	d.SeedReview(t)
	e := read(t, aws.Options{})
	complete(t, e)
	if strings.Contains(encode(t, e), "canary") {
		t.Error("the model holds a canary")
	}
	bucket := one(t, estate.Buckets, e)
	if bucket.VersioningConfiguration.Or("") != "Enabled" || bucket.LoggingConfiguration.Or("?") != "" || !bucket.ObjectLockEnabled.Or(false) {
		t.Errorf("the bucket is %+v", bucket)
	}
	same(t, "expirations", bucket.Expirations, `[{"prefix":"waf/","days":400}]`)
	topic := one(t, estate.Topics, e)
	same(t, "notifications", bucket.Notifications, `[{"destination":"`+topic.Arn+`","events":["s3:ObjectCreated:*"],"prefix":"waf/"}]`)
	same(t, "topic", topic, `{"topicName":"alarms","kmsMasterKeyId":"alias/aws/sns","subscriptions":[{"protocol":"email","confirmed":true}]}`)
	same(t, "event rule", one(t, estate.EventRules, e), `{"name":"guardduty","eventBusName":"default","eventPattern":"{\"source\":[\"aws.guardduty\"]}","state":"ENABLED","targets":["`+topic.Arn+`"]}`)
	same(t, "alarm", one(t, estate.Alarms, e), `{"alarmName":"blocked","namespace":"AWS/WAFV2","metricName":"BlockedRequests","dimensions":[{"name":"WebACL","value":"shop"}],"statistic":"Sum","period":60,
		"evaluationPeriods":1,"threshold":1000,"comparisonOperator":"GreaterThanThreshold","actionsEnabled":true,"alarmActions":["`+topic.Arn+`"]}`)
	same(t, "composite alarm", one(t, estate.CompositeAlarms, e), `{"alarmName":"attack","alarmRule":"ALARM(\"blocked\")","actionsEnabled":true}`)
	same(t, "log group", one(t, estate.LogGroups, e), `{"logGroupName":"/aws/eks/shop-prod/cluster","retentionInDays":365,"kmsKeyId":"","subscriptionFilters":[]}`)
	flow := one(t, estate.FlowLogs, e)
	if !strings.HasPrefix(flow.ResourceId, "vpc-") || !flow.Active.Or(false) || flow.TrafficType.Or("") != "ALL" || !strings.HasPrefix(flow.LogDestination, "arn:aws:s3:::watched-") {
		t.Errorf("the flow log is %+v", flow)
	}
	trail := one(t, estate.Trails, e)
	same(t, "trail", trail, `{"trailName":"all","isLogging":true,"isMultiRegionTrail":true,"isOrganizationTrail":false,"includeGlobalServiceEvents":true,"enableLogFileValidation":true,
		"s3BucketName":"`+bucket.BucketName+`","kmsKeyId":"","managementEvents":"All"}`)
	set := one(t, estate.IPSets, e)
	same(t, "IP set", set, `{"name":"office","scope":"REGIONAL","id":"`+set.Id+`","ipAddressVersion":"IPV4","addresses":["198.51.100.0/24"]}`)
	same(t, "rule group", one(t, estate.RuleGroups, e).Rules, `[{"name":"secret header","priority":0,"action":"Allow",
		"statement":{"byteMatchStatement":{"fieldToMatch":"SingleHeader","header":"x-origin-verify","positionalConstraint":"EXACTLY"}}}]`)
	zone := one(t, estate.HostedZones, e)
	same(t, "hosted zone", zone, `{"id":"`+zone.Id+`","name":"example.com.","private":false,"records":[{"name":"shop.example.com.","type":"CNAME","resourceRecords":["shop.eu-west-1.elb.amazonaws.com"]}]}`)
	if s := one(t, estate.ShieldSubscriptions, e); !s.Active.Or(false) {
		t.Errorf("the subscription to Shield is %+v", s)
	}
	if p := one(t, estate.ShieldProtections, e); !strings.HasSuffix(p.ResourceArn, ":distribution/E1") {
		t.Errorf("the protection is %+v", p)
	}
	same(t, "recorder", one(t, estate.ConfigRecorders, e), `{"name":"default","allSupported":true,"recording":true,"deliveryChannel":true}`)
	if d := one(t, estate.GuardDutyDetectors, e); !d.Enable.Or(false) || !slices.ContainsFunc(d.Features.Or(nil), func(f estate.GuardDutyFeature) bool { return f.Name == "EKS_AUDIT_LOGS" && f.Status == "ENABLED" }) {
		t.Errorf("the detector is %+v", d)
	}
	same(t, "hub", one(t, estate.SecurityHubs, e), `{"enabled":true,"enabledV2":false,"standards":[{"standardsArn":"arn:aws:securityhub:eu-west-1::standards/aws-foundational-security-best-practices/v/1.0.0","status":"READY"}]}`)
	var got []string
	for _, c := range []estate.Collection[*estate.ReportedFinding]{estate.GuardDutyFindings, estate.SecurityHubFindings, estate.AccessAnalyzerFindings} {
		for _, f := range c.In(e) {
			got = append(got, f.Product+" "+f.Rule+" "+f.Severity+" "+strings.Join(f.Resources, " "))
		}
	}
	want := []string{
		"GuardDuty PrivilegeEscalation:Kubernetes/PrivilegedContainer critical deployment/shop/web", "GuardDuty PrivilegeEscalation:Kubernetes/PrivilegedContainer high deployment/shop/web",
		"Security Hub security-control/EKS.1 high arn:aws:eks:eu-west-1:111122223333:cluster/shop-prod", "Access Analyzer ExternalAccess  arn:aws:s3:::" + bucket.BucketName,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("findings (-seeded +read):\n%s", diff)
	}
	advisor := one(t, estate.TrustedAdvisors, e)
	flagged := 0
	for _, c := range advisor.Checks.Or(nil) {
		if c.Name == "" || c.Status == "error" != (c.ResourcesFlagged > 0) {
			t.Errorf("the check is %+v", c)
		}
		flagged += c.ResourcesFlagged
	}
	if !advisor.Subscribed.Or(false) || flagged != 3 {
		t.Errorf("Trusted Advisor flags %d resources, its subscription is %+v", flagged, advisor.Subscribed)
	}

	skipped := read(t, aws.Options{Skip: []aws.Group{aws.SkipFindings}})
	if c := skipped.Coverage(estate.SecurityHubFindings.Kind); c.State != estate.NotAsked || len(estate.GuardDutyFindings.In(skipped)) > 0 {
		t.Errorf("findings were to be skipped: %+v", c)
	}
}

// readNothingReviewed looks that services which are off are read as such.
func readNothingReviewed(t *testing.T, d *awsrig.Double) {
	d.Refuse("support", "DescribeTrustedAdvisorChecks", "SubscriptionRequiredException")
	e := read(t, aws.Options{})
	complete(t, e)
	same(t, "hub", one(t, estate.SecurityHubs, e), `{"enabled":false,"enabledV2":false,"standards":[]}`)
	same(t, "Shield", one(t, estate.ShieldSubscriptions, e), `{"active":false}`)
	same(t, "Trusted Advisor", one(t, estate.TrustedAdvisors, e), `{"subscribed":false}`)
	for _, kind := range []estate.Kind{estate.GuardDutyDetectors.Kind, estate.Analyzers.Kind, estate.ConfigRecorders.Kind, estate.Trails.Kind, estate.ShieldProtections.Kind} {
		if c := e.Coverage(kind); c.State != estate.Read || c.Count != 0 {
			t.Errorf("coverage is %+v", c)
		}
	}
}
