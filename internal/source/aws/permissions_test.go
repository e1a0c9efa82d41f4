package aws

import (
	"encoding/json"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/accessanalyzer"
	"github.com/aws/aws-sdk-go-v2/service/acm"
	"github.com/aws/aws-sdk-go-v2/service/cloudfront"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/configservice"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/efs"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/elasticache"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancing"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/fsx"
	"github.com/aws/aws-sdk-go-v2/service/guardduty"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/inspector2"
	"github.com/aws/aws-sdk-go-v2/service/kafka"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/memorydb"
	"github.com/aws/aws-sdk-go-v2/service/opensearch"
	"github.com/aws/aws-sdk-go-v2/service/rds"
	"github.com/aws/aws-sdk-go-v2/service/route53"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/securityhub"
	"github.com/aws/aws-sdk-go-v2/service/shield"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/aws-sdk-go-v2/service/support"
	"github.com/aws/aws-sdk-go-v2/service/wafv2"

	"github.com/eksafe/eksafe/internal/estate"
)

// services maps the name of the field in clients to the SDK's service ID.
var services = map[string]string{
	"sts": sts.ServiceID, "eks": eks.ServiceID, "ec2": ec2.ServiceID, "acm": acm.ServiceID, "wafv2": wafv2.ServiceID,
	"elasticloadbalancing": elasticloadbalancing.ServiceID, "elasticloadbalancingv2": elasticloadbalancingv2.ServiceID,
	"cloudfront": cloudfront.ServiceID, "rds": rds.ServiceID, "kms": kms.ServiceID, "s3": s3.ServiceID, "efs": efs.ServiceID,
	"iam": iam.ServiceID, "ecr": ecr.ServiceID, "inspector2": inspector2.ServiceID,
	"fsx": fsx.ServiceID, "elasticache": elasticache.ServiceID, "memorydb": memorydb.ServiceID, "kafka": kafka.ServiceID, "opensearch": opensearch.ServiceID,
	"shield": shield.ServiceID, "route53": route53.ServiceID, "cloudwatch": cloudwatch.ServiceID, "cloudwatchlogs": cloudwatchlogs.ServiceID,
	"sns": sns.ServiceID, "eventbridge": eventbridge.ServiceID, "cloudtrail": cloudtrail.ServiceID, "guardduty": guardduty.ServiceID,
	"securityhub": securityhub.ServiceID, "support": support.ServiceID, "accessanalyzer": accessanalyzer.ServiceID, "configservice": configservice.ServiceID,
}

func TestEveryCallHasItsAction(t *testing.T) {
	type operation struct{ service, name string }
	listed := map[operation]bool{}
	for _, c := range Calls() {
		op := operation{c.Service, c.Operation}
		if listed[op] {
			t.Errorf("%s %s is listed twice", c.Service, c.Operation)
		}
		listed[op] = true
	}
	used := map[operation]bool{}
	for field := range reflect.TypeFor[clients]().Fields() {
		service := services[field.Name]
		if service == "" {
			t.Errorf("clients has a field %s that the test does not know", field.Name)
		}
		for method := range field.Type.Methods() {
			op := operation{service, method.Name}
			used[op] = true
			if !listed[op] {
				t.Errorf("%s %s has no row in the table of calls: which IAM action allows it?", op.service, op.name)
			}
		}
	}
	for op := range listed {
		if !used[op] {
			t.Errorf("%s %s is in the table of calls, but no interface of sdk.go has it", op.service, op.name)
		}
	}
}

func TestEveryKindHasACall(t *testing.T) {
	needed := map[estate.Kind]bool{}
	for _, c := range Calls() {
		for _, k := range c.Kinds {
			if info, err := estate.KindOf(k); err != nil || info.Provider != estate.AWSProvider {
				t.Errorf("%s names the kind %q, which is no AWS kind", c.Action, k)
			}
			needed[k] = true
		}
	}
	for _, k := range estate.Kinds() {
		if k.Provider == estate.AWSProvider && !needed[k.Kind] {
			t.Errorf("no call gives the kind %s", k.Kind)
		}
	}
}

func TestOnlyReading(t *testing.T) {
	reading := regexp.MustCompile(`^[a-z0-9-]+:(Describe|List|Get|BatchGet)[A-Za-z0-9]+$`)
	// Names that look like more than they are.
	harmless := map[string]string{
		"iam:GenerateCredentialReport":           "IAM writes a report for who asks; nothing of the account changes",
		"iam:GenerateServiceLastAccessedDetails": "likewise",
		"iam:GetAccountPasswordPolicy":           "it is what passwords must be, not a password",
	}
	for _, c := range Calls() {
		if harmless[c.Action] != "" {
			continue
		}
		if !reading.MatchString(c.Action) {
			t.Errorf("%s is no action that only reads", c.Action)
		}
		for _, secret := range []string{"Secret", "Parameter:", "UserData", "ssm:", "secretsmanager:", "s3:GetObject", "Token", "Password"} {
			if strings.Contains(c.Action, secret) {
				t.Errorf("%s may read a secret", c.Action)
			}
		}
	}
}

func TestPolicyDocument(t *testing.T) {
	data, err := PolicyDocument()
	if err != nil {
		t.Fatal(err)
	}
	var policy struct {
		Version   string
		Statement []struct {
			Sid, Effect, Resource string
			Action                []string
		}
	}
	if err := json.Unmarshal(data, &policy); err != nil {
		t.Fatal(err)
	}
	if policy.Version != "2012-10-17" {
		t.Errorf("version is %q", policy.Version)
	}
	allowed := map[string]bool{}
	var sids []string
	for _, s := range policy.Statement {
		if s.Effect != "Allow" || s.Resource != "*" || !regexp.MustCompile(`^[A-Za-z0-9]+$`).MatchString(s.Sid) {
			t.Errorf("statement %s: effect %q, resource %q", s.Sid, s.Effect, s.Resource)
		}
		if !slices.IsSorted(s.Action) {
			t.Errorf("the actions of %s are not sorted", s.Sid)
		}
		sids = append(sids, s.Sid)
		service, _, _ := strings.Cut(s.Action[0], ":")
		for _, a := range s.Action {
			if allowed[a] || !strings.HasPrefix(a, service+":") {
				t.Errorf("statement %s: %s is there twice, or of another service", s.Sid, a)
			}
			allowed[a] = true
		}
	}
	if !slices.IsSorted(sids) || len(slices.Compact(slices.Clone(sids))) != len(sids) {
		t.Errorf("statements are not sorted, or not one a service: %q", sids)
	}
	needed := map[string]bool{}
	for _, c := range Calls() {
		needed[c.Action] = true
	}
	if !maps.Equal(needed, allowed) {
		t.Errorf("the policy allows %d actions, the calls need %d", len(allowed), len(needed))
	}
	// The names that differ from their operations.
	for _, action := range []string{"s3:ListAllMyBuckets", "s3:GetEncryptionConfiguration", "s3:GetBucketPublicAccessBlock", "es:DescribeDomains", "elasticfilesystem:DescribeFileSystems", "access-analyzer:ListFindings", "s3:GetLifecycleConfiguration"} {
		if !allowed[action] {
			t.Errorf("the policy lacks %s", action)
		}
	}
	again, err := PolicyDocument()
	if err != nil || string(again) != string(data) {
		t.Errorf("the policy differs from call to call")
	}
}
