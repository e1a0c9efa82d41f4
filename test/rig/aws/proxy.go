package awsrig

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/aws/smithy-go/encoding/cbor"
)

// maxBody bounds what the double buffers of one request or answer.
const maxBody = 16 << 20

// A Call is one request to an AWS service.
type Call struct {
	Service string // as in IAM; elbv2 and elb for the two kinds of load balancing
	Action  string // the operation; "?" if the double does not know the route
	Region  string
	Method  string
	Path    string
	Query   url.Values
	Form    url.Values // of the query protocol
	Body    []byte
	header  http.Header
}

// An Answer is what the double says to a call.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte
}

// ServeHTTP answers one call.
func (d *Double) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	call, err := identify(r)
	if err != nil {
		d.t.Errorf("the double got a request that is not AWS's: %s %s: %v", r.Method, r.URL.Path, err)
		http.Error(w, "not an AWS request", http.StatusBadRequest)
		return
	}
	write(w, d.answer(call))
}

// answer answers a call: an override, the proxy's own table, or the emulator.
func (d *Double) answer(call *Call) *Answer {
	d.mu.Lock()
	d.calls[call.Service+":"+call.Action]++
	overrides := slices.Clone(d.overrides)
	d.mu.Unlock()

	for _, o := range slices.Backward(overrides) {
		if o.service != call.Service || o.action != "*" && o.action != call.Action {
			continue
		}
		if answer := o.answer(call); answer != nil {
			return answer
		}
	}
	if own := ownAnswers[call.Service+":"+call.Action]; own != nil {
		return own(d, call)
	}
	if !slices.Contains(passed[call.Service], call.Action) {
		d.fail(call, "it is in neither table of the proxy")
		return refusal(call, "NotImplemented")
	}
	return d.pass(call)
}

// pass hands a call to the emulator. An answer that no AWS service gives
// fails the test.
func (d *Double) pass(c *Call) *Answer {
	d.mu.Lock()
	path, query, sent := d.memory.hidden(c.Path), d.memory.hidden(c.Query.Encode()), d.memory.hidden(string(c.Body))
	d.mu.Unlock()
	target := *d.emulator
	target.Path, target.RawQuery = path, query
	if unescaped, err := url.PathUnescape(path); err == nil && unescaped != path {
		target.Path, target.RawPath = unescaped, path
	}
	request, err := http.NewRequest(c.Method, target.String(), strings.NewReader(sent))
	if err != nil {
		d.fail(c, err.Error())
		return refusal(c, "InternalFailure")
	}
	request.Header = c.header.Clone()
	request.Header.Del("Accept-Encoding")
	response, err := d.client.Do(request)
	if err != nil {
		d.fail(c, "the emulator does not answer: "+err.Error())
		return refusal(c, "InternalFailure")
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, maxBody))
	if err != nil {
		d.fail(c, "reading the emulator's answer: "+err.Error())
		return refusal(c, "InternalFailure")
	}
	if response.StatusCode >= 500 || strings.HasPrefix(response.Header.Get("Content-Type"), "text/html") && bytes.Contains(body, []byte("<html")) {
		d.fail(c, fmt.Sprintf("the emulator answers %d and no AWS error", response.StatusCode))
		return refusal(c, "NotImplemented")
	}
	header := response.Header.Clone()
	header.Del("Content-Length")
	header.Del("Transfer-Encoding")
	header.Del("Connection")
	d.mu.Lock()
	defer d.mu.Unlock()
	return &Answer{Status: response.StatusCode, Header: header, Body: []byte(d.memory.shown(string(body)))}
}

func write(w http.ResponseWriter, a *Answer) {
	for name, values := range a.Header {
		w.Header()[name] = values
	}
	w.WriteHeader(a.Status)
	_, _ = w.Write(a.Body) // the client may be gone
}

var credentialScope = regexp.MustCompile(`Credential=[^/]+/[0-9]{8}/([^/]+)/([^/]+)/aws4_request`)

// signed maps the name that requests are signed for to the name in IAM.
var signed = map[string]string{"elasticloadbalancing": "elbv2", "monitoring": "cloudwatch"}

// identify finds service, region and operation of a request.
func identify(r *http.Request) (*Call, error) {
	scope := credentialScope.FindStringSubmatch(r.Header.Get("Authorization"))
	if scope == nil {
		return nil, fmt.Errorf("it is not signed")
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, maxBody))
	if err != nil {
		return nil, fmt.Errorf("reading its body: %w", err)
	}
	c := &Call{
		Service: scope[2], Region: scope[1], Action: "?",
		Method: r.Method, Path: r.URL.EscapedPath(), Query: r.URL.Query(), Body: body, header: r.Header,
	}
	if name := signed[c.Service]; name != "" {
		c.Service = name
	}
	if target := r.Header.Get("X-Amz-Target"); target != "" {
		c.Action = target[strings.LastIndexByte(target, '.')+1:]
		return c, nil
	}
	if strings.HasPrefix(r.Header.Get("Content-Type"), "application/x-www-form-urlencoded") {
		if c.Form, err = url.ParseQuery(string(body)); err != nil {
			return nil, fmt.Errorf("reading its form: %w", err)
		}
		c.Action = c.Form.Get("Action")
		if c.Service == "elbv2" && c.Form.Get("Version") == "2012-06-01" {
			c.Service = "elb"
		}
		return c, nil
	}
	for _, route := range routes[c.Service] {
		if route.method == c.Method && route.path.MatchString(c.Path) && (route.query == "" || c.Query.Has(route.query)) {
			c.Action = route.action
			break
		}
	}
	return c, nil
}

// A route is an operation of a REST service.
type route struct {
	method string
	path   *regexp.Regexp
	query  string // a parameter that must be there
	action string
}

func at(method, path, query, action string) route {
	return route{method, regexp.MustCompile("^" + path + "$"), query, action}
}

// routes names the operations of REST services; the first that fits counts.
var routes = map[string][]route{
	"eks": {
		at("GET", "/clusters", "", "ListClusters"),
		at("POST", "/clusters", "", "CreateCluster"),
		at("GET", "/clusters/[^/]+", "", "DescribeCluster"),
		at("GET", "/clusters/[^/]+/node-groups", "", "ListNodegroups"),
		at("POST", "/clusters/[^/]+/node-groups", "", "CreateNodegroup"),
		at("GET", "/clusters/[^/]+/node-groups/[^/]+", "", "DescribeNodegroup"),
		at("GET", "/clusters/[^/]+/access-entries", "", "ListAccessEntries"),
		at("POST", "/clusters/[^/]+/access-entries", "", "CreateAccessEntry"),
		at("GET", "/clusters/[^/]+/access-entries/[^/]+", "", "DescribeAccessEntry"),
		at("GET", "/clusters/[^/]+/access-entries/[^/]+/access-policies", "", "ListAssociatedAccessPolicies"),
		at("POST", "/clusters/[^/]+/access-entries/[^/]+/access-policies", "", "AssociateAccessPolicy"),
		at("GET", "/clusters/[^/]+/addons", "", "ListAddons"),
		at("POST", "/clusters/[^/]+/addons", "", "CreateAddon"),
		at("GET", "/clusters/[^/]+/addons/[^/]+", "", "DescribeAddon"),
		at("GET", "/clusters/[^/]+/pod-identity-associations", "", "ListPodIdentityAssociations"),
		at("POST", "/clusters/[^/]+/pod-identity-associations", "", "CreatePodIdentityAssociation"),
		at("GET", "/clusters/[^/]+/pod-identity-associations/[^/]+", "", "DescribePodIdentityAssociation"),
	},
	"inspector2": {
		at("POST", "/enable", "", "Enable"),
		at("POST", "/status/batch/get", "", "BatchGetAccountStatus"),
		at("POST", "/findings/list", "", "ListFindings"),
	},
	"elasticfilesystem": {
		at("GET", "/2015-02-01/file-systems", "", "DescribeFileSystems"),
		at("POST", "/2015-02-01/file-systems", "", "CreateFileSystem"),
	},
	"kafka": {
		at("GET", "/api/v2/clusters", "", "ListClustersV2"),
		at("POST", "/api/v2/clusters", "", "CreateClusterV2"),
		at("GET", "/v1/clusters/.+/bootstrap-brokers", "", "GetBootstrapBrokers"),
	},
	"es": {
		at("GET", "/2021-01-01/domain", "", "ListDomainNames"),
		at("POST", "/2021-01-01/opensearch/domain", "", "CreateDomain"),
		at("POST", "/2021-01-01/opensearch/domain-info", "", "DescribeDomains"),
	},
	"cloudfront": {
		at("GET", "/2020-05-31/distribution", "", "ListDistributions"),
		at("POST", "/2020-05-31/distribution", "", "CreateDistribution"),
		at("GET", "/2020-05-31/distribution/[^/]+/config", "", "GetDistributionConfig"),
	},
	"route53": {
		at("GET", "/2013-04-01/hostedzone", "", "ListHostedZones"),
		at("POST", "/2013-04-01/hostedzone", "", "CreateHostedZone"),
		at("GET", "/2013-04-01/hostedzone/[^/]+/rrset/?", "", "ListResourceRecordSets"),
		at("POST", "/2013-04-01/hostedzone/[^/]+/rrset/?", "", "ChangeResourceRecordSets"),
	},
	"cloudwatch": {
		at("POST", "/service/GraniteServiceVersion20100801/operation/DescribeAlarms", "", "DescribeAlarms"),
	},
	"guardduty": {
		at("GET", "/detector", "", "ListDetectors"),
		at("POST", "/detector", "", "CreateDetector"),
		at("GET", "/detector/[^/]+", "", "GetDetector"),
		at("POST", "/detector/[^/]+/findings", "", "ListFindings"),
		at("POST", "/detector/[^/]+/findings/get", "", "GetFindings"),
	},
	"securityhub": {
		at("GET", "/accounts", "", "DescribeHub"),
		at("POST", "/accounts", "", "EnableSecurityHub"),
		at("GET", "/hubv2", "", "DescribeSecurityHubV2"),
		at("POST", "/standards/get", "", "GetEnabledStandards"),
		at("POST", "/findings", "", "GetFindings"),
		at("POST", "/findings/import", "", "BatchImportFindings"),
	},
	"access-analyzer": {
		at("GET", "/analyzer", "", "ListAnalyzers"),
		at("POST", "/findingv2", "", "ListFindingsV2"),
	},
	"s3": {
		at("GET", "/", "", "ListBuckets"),
		at("GET", "/[^/]+/?", "location", "GetBucketLocation"),
		at("GET", "/[^/]+/?", "encryption", "GetBucketEncryption"),
		at("PUT", "/[^/]+/?", "encryption", "PutBucketEncryption"),
		at("GET", "/[^/]+/?", "publicAccessBlock", "GetPublicAccessBlock"),
		at("PUT", "/[^/]+/?", "publicAccessBlock", "PutPublicAccessBlock"),
		at("DELETE", "/[^/]+/?", "publicAccessBlock", "DeletePublicAccessBlock"),
		at("GET", "/[^/]+/?", "policy", "GetBucketPolicy"),
		at("PUT", "/[^/]+/?", "policy", "PutBucketPolicy"),
		at("PUT", "/[^/]+/?", "versioning", "PutBucketVersioning"),
		at("GET", "/[^/]+/?", "versioning", "GetBucketVersioning"),
		at("PUT", "/[^/]+/?", "lifecycle", "PutBucketLifecycleConfiguration"),
		at("GET", "/[^/]+/?", "lifecycle", "GetBucketLifecycleConfiguration"),
		at("PUT", "/[^/]+/?", "notification", "PutBucketNotificationConfiguration"),
		at("GET", "/[^/]+/?", "notification", "GetBucketNotificationConfiguration"),
		at("PUT", "/[^/]+/?", "logging", "PutBucketLogging"),
		at("GET", "/[^/]+/?", "logging", "GetBucketLogging"),
		at("GET", "/[^/]+/?", "object-lock", "GetObjectLockConfiguration"),
		at("PUT", "/[^/]+/?", "", "CreateBucket"),
	},
}

// passed are the calls that the emulator does well, found by trying: what is
// written is read back. A property that it drops is put right in ownAnswers.
var passed = map[string][]string{
	"sts": {"GetCallerIdentity", "AssumeRole"},
	"eks": {"ListClusters", "ListNodegroups", "CreateNodegroup", "DescribeNodegroup"},
	"iam": {
		"CreatePolicy", "CreateGroup", "AttachGroupPolicy", "CreateUser", "AddUserToGroup", "CreateLoginProfile", "CreateAccessKey", "ListAccessKeys", "ListMFADevices",
		"CreateRole", "PutRolePolicy", "CreateOpenIDConnectProvider", "ListOpenIDConnectProviders", "GetOpenIDConnectProvider", "ListSAMLProviders",
		"UpdateAccountPasswordPolicy", "GetAccountPasswordPolicy", "GetAccountSummary", "GetAccountAuthorizationDetails", "GenerateCredentialReport",
	},
	"ecr": {
		"PutRegistryScanningConfiguration", "GetRegistryScanningConfiguration", "CreateRepository", "DescribeRepositories",
		"PutImage", "DescribeImages", "StartImageScan", "DescribeImageScanFindings",
	},
	"inspector2": {"Enable"},
	"ec2": {
		"CreateVpc", "ModifyVpcAttribute", "DescribeVpcs", "CreateSubnet", "ModifySubnetAttribute", "DescribeSubnets",
		"CreateInternetGateway", "AttachInternetGateway", "AllocateAddress", "CreateNatGateway",
		"CreateRouteTable", "CreateRoute", "AssociateRouteTable", "DescribeRouteTables",
		"CreateSecurityGroup", "AuthorizeSecurityGroupIngress", "AuthorizeSecurityGroupEgress", "RevokeSecurityGroupEgress", "DescribeSecurityGroups",
		"CreateNetworkAcl", "CreateNetworkAclEntry", "DescribeNetworkAcls",
		"CreateVolume", "DescribeVolumes", "EnableEbsEncryptionByDefault", "DisableEbsEncryptionByDefault", "GetEbsEncryptionByDefault",
		"CreateLaunchTemplate", "CreateLaunchTemplateVersion", "DescribeLaunchTemplateVersions",
		"RunInstances", "DescribeInstances", "CreateTags", "DescribeImages",
		"DescribeManagedPrefixLists", "GetManagedPrefixListEntries", "CreateFlowLogs", "DescribeFlowLogs",
		"CreateVpcEndpoint", "DescribeVpcEndpoints", "CreateVpcPeeringConnection", "DescribeVpcPeeringConnections", "DescribeNetworkInterfaces",
		"CreateManagedPrefixList",
	},
	"elbv2": {
		"CreateLoadBalancer", "DescribeLoadBalancers", "ModifyLoadBalancerAttributes", "DescribeLoadBalancerAttributes",
		"CreateListener", "DescribeListeners", "ModifyListenerAttributes", "DescribeListenerAttributes", "AddListenerCertificates", "DescribeListenerCertificates",
		"CreateRule", "DescribeRules", "CreateTargetGroup", "DescribeTargetGroups", "RegisterTargets", "DescribeTargetHealth",
		"DescribeSSLPolicies", "AddTags", "DescribeTags",
	},
	"elb":               {"CreateLoadBalancer", "DescribeLoadBalancers", "CreateLoadBalancerPolicy", "SetLoadBalancerPoliciesOfListener", "DescribeLoadBalancerPolicies", "DescribeTags"},
	"acm":               {"ListCertificates"},
	"wafv2":             {"CreateWebACL", "ListWebACLs", "GetWebACL", "GetWebACLForResource", "PutLoggingConfiguration", "ListLoggingConfigurations", "CreateIPSet", "ListIPSets", "GetIPSet", "CreateRuleGroup", "ListRuleGroups", "GetRuleGroup"},
	"cloudfront":        {"GetDistributionConfig"},
	"kms":               {"CreateKey", "ListKeys", "DescribeKey", "EnableKeyRotation", "GetKeyRotationStatus", "CreateAlias", "ListAliases"},
	"s3":                {"CreateBucket", "ListBuckets", "GetBucketLocation", "PutBucketEncryption", "PutBucketPolicy", "GetBucketPolicy", "PutBucketVersioning", "GetBucketVersioning", "PutBucketLifecycleConfiguration", "GetBucketLifecycleConfiguration", "PutBucketNotificationConfiguration", "GetBucketNotificationConfiguration", "PutBucketLogging", "GetBucketLogging", "GetObjectLockConfiguration"},
	"shield":            {"CreateSubscription", "CreateProtection", "ListProtections"},
	"route53":           {"CreateHostedZone", "ListHostedZones", "ChangeResourceRecordSets", "ListResourceRecordSets"},
	"cloudwatch":        {},
	"sns":               {"CreateTopic", "ListTopics", "GetTopicAttributes", "Subscribe", "ListSubscriptionsByTopic"},
	"events":            {"ListEventBuses", "PutRule", "ListRules", "PutTargets", "ListTargetsByRule"},
	"logs":              {"CreateLogGroup", "PutRetentionPolicy", "DescribeLogGroups", "PutDestination", "PutSubscriptionFilter", "DescribeSubscriptionFilters", "PutDeliverySource", "PutDeliveryDestination", "CreateDelivery", "DescribeDeliverySources", "DescribeDeliveries"},
	"cloudtrail":        {"CreateTrail", "StartLogging", "DescribeTrails", "GetTrailStatus", "GetEventSelectors", "PutEventSelectors"},
	"guardduty":         {"CreateDetector", "ListDetectors", "GetDetector"},
	"securityhub":       {"EnableSecurityHub", "DescribeHub", "BatchImportFindings", "GetFindings"},
	"support":           {"DescribeTrustedAdvisorChecks"},
	"access-analyzer":   {},
	"config":            {"PutConfigurationRecorder", "PutDeliveryChannel", "StartConfigurationRecorder", "DescribeConfigurationRecorders", "DescribeConfigurationRecorderStatus", "DescribeDeliveryChannels"},
	"elasticfilesystem": {"CreateFileSystem", "DescribeFileSystems"},
	"fsx":               {"CreateFileSystem", "DescribeFileSystems"},
	"elasticache":       {"CreateReplicationGroup", "DescribeReplicationGroups", "CreateCacheCluster", "DescribeCacheClusters", "DescribeCacheSubnetGroups"},
	"memorydb":          {"CreateCluster", "DescribeClusters", "CreateSubnetGroup", "DescribeSubnetGroups"},
	"kafka":             {},
	"es":                {"CreateDomain", "ListDomainNames", "DescribeDomains"},
	"rds": {
		"CreateDBSubnetGroup", "DescribeDBSubnetGroups", "CreateDBParameterGroup", "ModifyDBParameterGroup", "DescribeDBParameterGroups",
		"CreateDBClusterParameterGroup", "ModifyDBClusterParameterGroup", "DescribeDBClusterParameterGroups",
		"CreateDBInstance", "CreateDBCluster", "DescribeDBClusters",
		"CreateDBSnapshot", "ModifyDBSnapshotAttribute", "DescribeDBSnapshotAttributes",
		"CreateDBClusterSnapshot", "ModifyDBClusterSnapshotAttribute", "DescribeDBClusterSnapshotAttributes",
		"CreateDBProxy", "RegisterDBProxyTargets", "DescribeDBProxies", "DescribeDBProxyTargets",
	},
}

func knownService(service string) bool {
	_, found := passed[service]
	return found
}

// refusal is an error in the form of the service's protocol.
func refusal(c *Call, code string) *Answer {
	const message = "refused by the double"
	header := http.Header{}
	switch c.Service {
	case "acm", "wafv2", "kms", "fsx", "memorydb", "ecr", "shield", "events", "logs", "cloudtrail", "support", "config":
		if code == "" {
			code = "AccessDeniedException"
		}
		header.Set("Content-Type", "application/x-amz-json-1.1")
		return &Answer{400, header, fmt.Appendf(nil, `{"__type":%q,"message":%q}`, code, message)}
	case "eks", "elasticfilesystem", "kafka", "es", "inspector2", "guardduty", "securityhub", "access-analyzer":
		if code == "" {
			code = "AccessDeniedException"
		}
		header.Set("Content-Type", "application/json")
		header.Set("X-Amzn-Errortype", code)
		return &Answer{403, header, fmt.Appendf(nil, `{"message":%q}`, message)}
	case "cloudwatch":
		if code == "" {
			code = "AccessDeniedException"
		}
		return cborAnswer(400, cbor.Map{"__type": cbor.String(code), "message": cbor.String(message)})
	case "ec2":
		if code == "" {
			code = "UnauthorizedOperation"
		}
		header.Set("Content-Type", "text/xml")
		return &Answer{403, header, fmt.Appendf(nil, `<?xml version="1.0" encoding="UTF-8"?><Response><Errors><Error><Code>%s</Code><Message>%s</Message></Error></Errors><RequestID>0</RequestID></Response>`, code, message)}
	case "s3":
		if code == "" {
			code = "AccessDenied"
		}
		header.Set("Content-Type", "application/xml")
		return &Answer{403, header, fmt.Appendf(nil, `<?xml version="1.0" encoding="UTF-8"?><Error><Code>%s</Code><Message>%s</Message><RequestId>0</RequestId></Error>`, code, message)}
	}
	if code == "" {
		code = "AccessDenied"
	}
	header.Set("Content-Type", "text/xml")
	return &Answer{403, header, fmt.Appendf(nil, `<ErrorResponse><Error><Type>Sender</Type><Code>%s</Code><Message>%s</Message></Error><RequestId>0</RequestId></ErrorResponse>`, code, message)}
}
