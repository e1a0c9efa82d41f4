package cloudformation

import (
	"slices"
	"testing"

	"github.com/eksafe/eksafe/internal/estate"
)

func TestWhatAccountResourcesBecome(t *testing.T) {
	for _, tt := range []struct {
		name, resources string
		kind            estate.Kind
		want            string
	}{
		{"web ACL in depth", `
  R:
    Type: AWS::WAFv2::WebACL
    Properties:
      Scope: REGIONAL
      DefaultAction: {Allow: {}}
      Rules:
        - {Name: rate, Priority: 3, Action: {Block: {}}, Statement: {RateBasedStatement: {Limit: 2000, AggregateKeyType: IP, ScopeDownStatement: {NotStatement: {Statement: {GeoMatchStatement: {CountryCodes: [DE]}}}}}}}
        - {Name: attackers, Priority: 1, Action: {Block: {}}, Statement: {OrStatement: {Statements: [{IPSetReferenceStatement: {Arn: !GetAtt Set.Arn}}, {IPSetReferenceStatement: {Arn: x, IPSetForwardedIPConfig: {HeaderName: X-Forwarded-For, FallbackBehavior: MATCH, Position: FIRST}}}]}}}
        - {Name: common, Priority: 2, OverrideAction: {Count: {}}, Statement: {ManagedRuleGroupStatement: {VendorName: AWS, Name: AWSManagedRulesCommonRuleSet, ExcludedRules: [{Name: a}], RuleActionOverrides: [{Name: b, ActionToUse: {Count: {}}}]}}}
        - {Name: secret, Priority: 4, Action: {Allow: {}}, Statement: {ByteMatchStatement: {FieldToMatch: {SingleHeader: {Name: X-Origin}}, PositionalConstraint: EXACTLY, SearchString: hunter2, TextTransformations: []}}}
        - {Name: everything, Priority: 5, Action: {Allow: {}}, Statement: {ByteMatchStatement: {FieldToMatch: {UriPath: {}}, PositionalConstraint: STARTS_WITH, SearchStringBase64: Lw==, TextTransformations: []}}}
        - {Name: decoded, Priority: 8, Action: {Allow: {}}, Statement: {ByteMatchStatement: {FieldToMatch: {UriPath: {}}, PositionalConstraint: STARTS_WITH, SearchString: /, TextTransformations: [{Priority: 0, Type: BASE64_DECODE}]}}}
        - {Name: keys, Priority: 9, Action: {Block: {}}, Statement: {RateBasedStatement: {Limit: 100, AggregateKeyType: CUSTOM_KEYS, CustomKeys: [{IP: {}}, {Header: {Name: x-canary, TextTransformations: []}}, !Ref Open]}}}
        - {Name: sql, Priority: 6, Action: {Block: {}}, Statement: {SqliMatchStatement: {FieldToMatch: {QueryString: {}}, TextTransformations: []}}}
        - {Name: open, Priority: 7, Action: !If [Unknown, {Block: {}}, {Count: {}}], Statement: {AndStatement: {Statements: !Ref Open}}}
  Set: {Type: AWS::WAFv2::IPSet, Properties: {Scope: REGIONAL, IPAddressVersion: IPV4, Addresses: []}}`, "WebACL",
			`{"defaultAction":"Allow","id":"ID","name":"R","scope":"REGIONAL","rules":[
				{"name":"attackers","priority":1,"action":"Block","statement":{"orStatement":{"statements":[{"ipSetReferenceStatement":{"arn":"cfn:t.yaml#Set"}},{"ipSetReferenceStatement":{"arn":"x","forwardedHeader":"X-Forwarded-For"}}]}}},
				{"name":"common","priority":2,"overrideAction":"Count","statement":{"managedRuleGroupStatement":{"vendorName":"AWS","name":"AWSManagedRulesCommonRuleSet","excludedRules":["a"],"ruleActionOverrides":[{"name":"b","actionToUse":"Count"}]}}},
				{"name":"rate","priority":3,"action":"Block","statement":{"rateBasedStatement":{"limit":2000,"aggregateKeyType":"IP","scopeDownStatement":{"notStatement":{"statement":{"geoMatchStatement":{"countryCodes":["DE"]}}}}}}},
				{"name":"secret","priority":4,"action":"Allow","statement":{"byteMatchStatement":{"fieldToMatch":"SingleHeader","header":"x-origin","positionalConstraint":"EXACTLY"}}},
				{"name":"everything","priority":5,"action":"Allow","statement":{"byteMatchStatement":{"fieldToMatch":"UriPath","positionalConstraint":"STARTS_WITH","matchesAll":true}}},
				{"name":"sql","priority":6,"action":"Block","statement":{"other":"SqliMatchStatement"}},
				{"name":"open","priority":7,"statement":{"andStatement":{"statements":[{"other":"unknown"}]}}},
				{"name":"decoded","priority":8,"action":"Allow","statement":{"byteMatchStatement":{"fieldToMatch":"UriPath","positionalConstraint":"STARTS_WITH"}}},
				{"name":"keys","priority":9,"action":"Block","statement":{"rateBasedStatement":{"limit":100,"aggregateKeyType":"CUSTOM_KEYS","customKeys":["IP","Header","unknown"]}}}]}`},
		{"rules that are not known", `
  R: {Type: AWS::WAFv2::RuleGroup, Properties: {Scope: REGIONAL, Capacity: 1, Rules: !Ref Open}}`, "RuleGroup", `{"id":"ID","name":"R","scope":"REGIONAL"}`},
		{"IP set", `
  R: {Type: AWS::WAFv2::IPSet, Properties: {Name: n, Scope: REGIONAL, IPAddressVersion: IPV6, Addresses: ["2001:db8::/32"]}}`, "IPSet", `{"addresses":["2001:db8::/32"],"id":"ID","ipAddressVersion":"IPV6","name":"n","scope":"REGIONAL"}`},
		{"logging that redacts and filters", `
  R: {Type: AWS::WAFv2::LoggingConfiguration, Properties: {ResourceArn: a, LogDestinationConfigs: [b], RedactedFields: [{SingleHeader: {Name: Authorization}}, {QueryString: {}}], LoggingFilter: {DefaultBehavior: DROP, Filters: [{Behavior: KEEP, Requirement: MEETS_ANY, Conditions: [{ActionCondition: {Action: COUNT}}]}]}}}`, "WebACLLogging",
			`{"keepsBlocked":false,"logDestinationConfigs":["b"],"redactedFields":["header:authorization","QueryString"],"resourceArn":"a"}`},
		{"logging without anything", `
  R: {Type: AWS::WAFv2::LoggingConfiguration, Properties: {ResourceArn: a, LogDestinationConfigs: [b]}}`, "WebACLLogging",
			`{"keepsBlocked":true,"logDestinationConfigs":["b"],"redactedFields":[],"resourceArn":"a"}`},
		{"zone with records", `
  R: {Type: AWS::Route53::HostedZone, Properties: {Name: example.com}}
  A: {Type: AWS::Route53::RecordSet, Properties: {HostedZoneId: !Ref R, Name: www.example.com, Type: A, AliasTarget: {DNSName: !GetAtt D.DomainName, HostedZoneId: Z}}}
  B: {Type: AWS::Route53::RecordSet, Properties: {HostedZoneName: example.com., Name: api.example.com., Type: CNAME, ResourceRecords: [x], TTL: 60}}
  C: {Type: AWS::Route53::RecordSet, Properties: {HostedZoneId: !Ref R, Name: example.com, Type: TXT, ResourceRecords: ["hunter2"]}}
  G: {Type: AWS::Route53::RecordSetGroup, Properties: {HostedZoneId: !Ref R, RecordSets: [{Name: b.example.com, Type: AAAA, AliasTarget: {DNSName: y, HostedZoneId: Z}}]}}
  D: {Type: AWS::CloudFront::Distribution, Properties: {DistributionConfig: {Enabled: true}}}`, "HostedZone",
			`{"id":"ID","name":"example.com.","private":false,"records":[{"name":"www.example.com.","type":"A","aliasTarget":"cfn:t.yaml#D.DomainName"},{"name":"api.example.com.","type":"CNAME","resourceRecords":["x"]},{"name":"b.example.com.","type":"AAAA","aliasTarget":"y"}]}`},
		{"distribution's header is named, not told", `
  R: {Type: AWS::CloudFront::Distribution, Properties: {DistributionConfig: {Enabled: true, Logging: {Bucket: b}, Origins: [{Id: o, DomainName: d, OriginCustomHeaders: [{HeaderName: x-origin, HeaderValue: hunter2}]}], DefaultCacheBehavior: {TargetOriginId: o, ViewerProtocolPolicy: https-only}}}}`, "Distribution",
			`{"distributionConfig":{"defaultCacheBehavior":{"targetOriginId":"o","viewerProtocolPolicy":"https-only"},"enabled":true,"logging":true,"origins":[{"domainName":"d","id":"o","originCustomHeaders":["x-origin"]}],"viewerCertificate":{"cloudFrontDefaultCertificate":true,"minimumProtocolVersion":"TLSv1"},"webACLId":""},"domainName":"ID.DomainName","id":"R"}`},
		{"Shield protection", `
  R: {Type: AWS::Shield::Protection, Properties: {Name: n, ResourceArn: r}}`, "ShieldProtection", `{"name":"n","resourceArn":"r"}`},
		{"flow log", `
  R: {Type: AWS::EC2::FlowLog, Properties: {ResourceId: !Ref V, ResourceType: VPC, TrafficType: ALL, LogGroupName: g}}
  V: {Type: AWS::EC2::VPC, Properties: {CidrBlock: 10.0.0.0/16}}`, "FlowLog", `{"id":"R","logDestination":"g","logDestinationType":"cloud-watch-logs","resourceId":"cfn:t.yaml#V","trafficType":"ALL"}`},
		{"bucket of logs", `
  R:
    Type: AWS::S3::Bucket
    Properties:
      VersioningConfiguration: {Status: Enabled}
      ObjectLockEnabled: true
      LoggingConfiguration: {LogFilePrefix: p}
      LifecycleConfiguration: {Rules: [{Status: Enabled, ExpirationInDays: 90}, {Status: Disabled, ExpirationInDays: 1}, {Status: Enabled, ExpirationInDays: 7, TagFilters: [{Key: a, Value: b}]}, {Status: Enabled, NoncurrentVersionExpiration: {NoncurrentDays: 1}}]}
      NotificationConfiguration:
        QueueConfigurations: [{Event: "s3:ObjectCreated:*", Queue: q, Filter: {S3Key: {Rules: [{Name: prefix, Value: alb/}]}}}]
        EventBridgeConfiguration: {}`, "Bucket",
			`{"bucketEncryption":"AES256","bucketName":"R","expirations":[{"days":90}],"loggingConfiguration":"ID","notifications":[{"destination":"q","events":["s3:ObjectCreated:*"],"prefix":"alb/"},{"destination":"eventbridge"}],"objectLockEnabled":true,"policy":"","versioningConfiguration":"Enabled"}`},
		{"access entry", `
  R: {Type: AWS::EKS::AccessEntry, Properties: {ClusterName: c, PrincipalArn: p, KubernetesGroups: [g], AccessPolicies: [{PolicyArn: a, AccessScope: {Type: namespace, Namespaces: [n]}}]}}`, "AccessEntry",
			`{"accessPolicies":[{"accessScope":{"namespaces":["n"],"type":"namespace"},"policyArn":"a"}],"clusterName":"c","kubernetesGroups":["g"],"principalArn":"p","type":"STANDARD"}`},
		{"add-on whose configuration is not kept", `
  R: {Type: AWS::EKS::Addon, Properties: {ClusterName: c, AddonName: vpc-cni, ConfigurationValues: '{"enableNetworkPolicy":"true","env":{"PASSWORD":"hunter2","POD_SECURITY_GROUP_ENFORCING_MODE":"standard"}}'}}`, "Addon",
			`{"addonName":"vpc-cni","clusterName":"c","enableNetworkPolicy":true,"enablePodENI":false,"externalSNAT":false,"networkPolicyEnforcingMode":"","podSecurityGroupEnforcingMode":"standard"}`},
		{"pod identity", `
  R: {Type: AWS::EKS::PodIdentityAssociation, Properties: {ClusterName: c, Namespace: n, ServiceAccount: s, RoleArn: !GetAtt Role.Arn}}
  Role: {Type: AWS::IAM::Role, Properties: {AssumeRolePolicyDocument: {}}}`, "PodIdentityAssociation",
			`{"clusterName":"c","namespace":"n","roleArn":"cfn:t.yaml#Role","serviceAccount":"s"}`},
		{"user with what others give it", `
  R: {Type: AWS::IAM::User, Properties: {UserName: u, LoginProfile: {Password: hunter2}, Groups: [a]}}
  K: {Type: AWS::IAM::AccessKey, Properties: {UserName: !Ref R}}
  M: {Type: AWS::IAM::VirtualMFADevice, Properties: {Users: [u]}}
  G: {Type: AWS::IAM::UserToGroupAddition, Properties: {GroupName: b, Users: [!Ref R]}}
  P: {Type: AWS::IAM::Policy, Properties: {PolicyName: p, Users: [!Ref R], PolicyDocument: {Statement: []}}}
  N: {Type: AWS::IAM::ManagedPolicy, Properties: {Users: [!Ref R], PolicyDocument: {Statement: []}}}`, "User",
			`{"accessKeys":[{"id":"K","status":"Active"}],"consoleAccess":true,"groups":["a","b"],"managedPolicyArns":["cfn:t.yaml#N"],"mfaDevices":["cfn:t.yaml#M"],"permissionsBoundary":"","policies":[{"policyDocument":"{\"Statement\":[]}","policyName":"p"}],"userName":"u"}`},
		{"role whose policies are not known", `
  R: {Type: AWS::IAM::Role, Properties: {AssumeRolePolicyDocument: {Statement: [{Effect: Allow, Principal: {Service: x}, Action: sts:AssumeRole}]}, Policies: [{PolicyName: p, PolicyDocument: !Ref Open}], ManagedPolicyArns: !Ref Open}}`, "IAMRole",
			`{"assumeRolePolicyDocument":"{\"Statement\":[{\"Action\":\"sts:AssumeRole\",\"Effect\":\"Allow\",\"Principal\":{\"Service\":\"x\"}}]}","permissionsBoundary":"","roleName":"R"}`},
		{"managed policy", `
  R: {Type: AWS::IAM::ManagedPolicy, Properties: {ManagedPolicyName: n, PolicyDocument: {Statement: []}}}`, "ManagedPolicy", `{"managedPolicyName":"n","policyDocument":"{\"Statement\":[]}"}`},
		{"OIDC provider", `
  R: {Type: AWS::IAM::OIDCProvider, Properties: {Url: "https://oidc.example/id/1", ClientIdList: [sts.amazonaws.com]}}`, "OIDCProvider", `{"clientIdList":["sts.amazonaws.com"],"url":"oidc.example/id/1"}`},
		{"repository with tags that move", `
  R: {Type: AWS::ECR::Repository, Properties: {ImageTagMutability: IMMUTABLE_WITH_EXCLUSION, ImageTagMutabilityExclusionFilters: [{ImageTagMutabilityExclusionFilterType: WILDCARD, ImageTagMutabilityExclusionFilterValue: dev-*}]}}`, "Repository",
			`{"encryptionType":"AES256","imageTagMutability":"IMMUTABLE_WITH_EXCLUSION","imageTagMutabilityExclusionFilters":[{"filter":"dev-*"}],"repositoryName":"R","repositoryUri":"ID.RepositoryUri","scanOnPush":false}`},
		{"repository without anything", `
  R: {Type: AWS::ECR::Repository}`, "Repository", `{"encryptionType":"AES256","imageTagMutability":"MUTABLE","imageTagMutabilityExclusionFilters":[],"repositoryName":"R","repositoryUri":"ID.RepositoryUri","scanOnPush":false}`},
		{"registry scanning", `
  R: {Type: AWS::ECR::RegistryScanningConfiguration, Properties: {ScanType: ENHANCED, Rules: [{ScanFrequency: CONTINUOUS_SCAN, RepositoryFilters: [{Filter: "*", FilterType: WILDCARD}]}]}}`, "RegistryScanning",
			`{"rules":[{"repositoryFilters":[{"filter":"*","filterType":"WILDCARD"}],"scanFrequency":"CONTINUOUS_SCAN"}],"scanType":"ENHANCED"}`},
		{"detector", `
  R: {Type: AWS::GuardDuty::Detector, Properties: {Enable: true, Features: [{Name: RUNTIME_MONITORING, Status: ENABLED, AdditionalConfiguration: [{Name: EKS_ADDON_MANAGEMENT, Status: ENABLED}]}]}}`, "GuardDutyDetector",
			`{"enable":true,"features":[{"additionalConfiguration":[{"name":"EKS_ADDON_MANAGEMENT","status":"ENABLED"}],"name":"RUNTIME_MONITORING","status":"ENABLED"}],"id":"R"}`},
		{"hub with a standard", `
  R: {Type: AWS::SecurityHub::Hub, Properties: {EnableDefaultStandards: false}}
  S: {Type: AWS::SecurityHub::Standard, Properties: {StandardsArn: a}}`, "SecurityHub", `{"enabled":true,"standards":[{"standardsArn":"a"}]}`},
		{"analyzer", `
  R: {Type: AWS::AccessAnalyzer::Analyzer, Properties: {Type: ACCOUNT}}`, "Analyzer", `{"analyzerName":"R","type":"ACCOUNT"}`},
		{"recorder that a channel starts", `
  R: {Type: AWS::Config::ConfigurationRecorder, Properties: {RoleARN: r}}
  C: {Type: AWS::Config::DeliveryChannel, Properties: {S3BucketName: b}}`, "ConfigurationRecorder", `{"allSupported":true,"deliveryChannel":true,"name":"R","recording":true}`},
		{"alarm on metric math", `
  R: {Type: AWS::CloudWatch::Alarm, Properties: {EvaluationPeriods: 2, Threshold: 0.5, ComparisonOperator: GreaterThanThreshold, AlarmActions: [!Ref T], Metrics: [{Id: e, Expression: "a/b"}, {Id: a, ReturnData: false, MetricStat: {Metric: {Namespace: AWS/ApplicationELB, MetricName: HTTPCode_ELB_4XX_Count, Dimensions: [{Name: LoadBalancer, Value: !GetAtt L.LoadBalancerFullName}]}, Period: 60, Stat: Sum}}]}}
  T: {Type: AWS::SNS::Topic}
  L: {Type: AWS::ElasticLoadBalancingV2::LoadBalancer}`, "Alarm",
			`{"actionsEnabled":true,"alarmActions":["cfn:t.yaml#T"],"alarmName":"R","comparisonOperator":"GreaterThanThreshold","evaluationPeriods":2,"metrics":[{"id":"e","expression":"a/b"},{"id":"a","namespace":"AWS/ApplicationELB","metricName":"HTTPCode_ELB_4XX_Count","dimensions":[{"name":"LoadBalancer","value":"cfn:t.yaml#L.LoadBalancerFullName"}],"stat":"Sum","period":60}],"threshold":0.5,"treatMissingData":"missing"}`},
		{"topic whose people are nobody's business", `
  R: {Type: AWS::SNS::Topic, Properties: {Subscription: [{Protocol: email, Endpoint: hunter2@example.com}]}}
  S: {Type: AWS::SNS::Subscription, Properties: {TopicArn: !Ref R, Protocol: lambda, Endpoint: "arn:aws:lambda:eu-west-1:1:function:f"}}`, "Topic",
			`{"kmsMasterKeyId":"","subscriptions":[{"protocol":"email"},{"protocol":"lambda","endpoint":"arn:aws:lambda:eu-west-1:1:function:f","confirmed":true}],"topicName":"R"}`},
		{"event rule", `
  R: {Type: AWS::Events::Rule, Properties: {EventPattern: {source: [aws.guardduty], detail: {severity: [{numeric: [">=", 4]}], service: {archived: [{exists: false}]}}}, Targets: [{Id: t, Arn: a, Input: hunter2}]}}`, "EventRule",
			`{"eventBusName":"default","eventPattern":"{\"detail\":{\"service\":{\"archived\":[{\"exists\":false}]},\"severity\":[{\"numeric\":[\"\\u003e=\",4]}]},\"source\":[\"aws.guardduty\"]}","name":"R","state":"ENABLED","targets":["a"]}`},
		{"log group", `
  R: {Type: AWS::Logs::LogGroup}
  F: {Type: AWS::Logs::SubscriptionFilter, Properties: {LogGroupName: !Ref R, FilterPattern: "", DestinationArn: d}}`, "LogGroup",
			`{"kmsKeyId":"","logGroupName":"R","retentionInDays":0,"subscriptionFilters":["d"]}`},
		{"trail", `
  R: {Type: AWS::CloudTrail::Trail, Properties: {IsLogging: true, IsMultiRegionTrail: true, S3BucketName: !Ref B, EventSelectors: [{ReadWriteType: WriteOnly}, {IncludeManagementEvents: false}]}}
  B: {Type: AWS::S3::Bucket}`, "Trail",
			`{"enableLogFileValidation":false,"isLogging":true,"isMultiRegionTrail":true,"isOrganizationTrail":false,"kmsKeyId":"","managementEvents":"WriteOnly","s3BucketName":"cfn:t.yaml#B","trailName":"R"}`},
		{"trail with advanced selectors", `
  R: {Type: AWS::CloudTrail::Trail, Properties: {IsLogging: true, S3BucketName: b, AdvancedEventSelectors: [{FieldSelectors: [{Field: eventCategory, Equals: [Data]}]}]}}`, "Trail",
			`{"enableLogFileValidation":false,"isLogging":true,"isMultiRegionTrail":false,"isOrganizationTrail":false,"kmsKeyId":"","managementEvents":"","s3BucketName":"b","trailName":"R"}`},
	} {
		t.Run(tt.name, func(t *testing.T) { becomes(t, tt.resources, tt.kind, tt.want) })
	}
}

// A template that has no user says nothing of the account's users.
func TestTemplateIsNoAccount(t *testing.T) {
	covered := func(resources string) []estate.Kind {
		e := read(t, Options{}, File{"t.yaml", []byte(preamble + "Resources:" + resources + "\n")})
		var out []estate.Kind
		for _, c := range e.Sources[0].Coverage {
			if slices.Contains(accountKinds, c.Kind) {
				out = append(out, c.Kind)
			}
		}
		return out
	}
	if got := covered("\n  B: {Type: AWS::S3::Bucket}"); len(got) > 0 {
		t.Errorf("a bucket covers %v", got)
	}
	if got := covered("\n  U: {Type: AWS::IAM::User}"); !slices.Equal(got, []estate.Kind{"User"}) {
		t.Errorf("a user covers %v", got)
	}
}
