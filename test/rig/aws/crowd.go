package awsrig

import (
	"encoding/base64"
	"fmt"
	"maps"
	"net/http"
	"strconv"
	"strings"
	"sync"

	"github.com/aws/smithy-go/encoding/cbor"
)

// A Crowd answers as a large account does: from what it computes, as an
// emulator would need minutes to be filled. Of what has no number in it the
// account has nothing.
type Crowd struct {
	LoadBalancers, TargetGroups, Databases, Users, Roles, SecurityGroups int

	// Gather is how many calls for the health of target groups must be under
	// way before the first is answered.
	Gather int

	mu       sync.Mutex // guards what follows
	calls    map[string]int
	now      int
	most     int
	gathered int
	together chan struct{}
}

// Large is the account that the figures of docs/performance.md are of.
func Large() *Crowd {
	return &Crowd{LoadBalancers: 40, TargetGroups: 200, Databases: 100, Users: 300, Roles: 500, SecurityGroups: 1000}
}

// Calls returns how often each call was made, by service, action, region and
// input, and how many were under way at once.
func (c *Crowd) Calls() (calls map[string]int, atOnce int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return maps.Clone(c.calls), c.most
}

// ServeHTTP answers one call.
func (c *Crowd) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	call, err := identify(r)
	if err != nil {
		http.Error(w, "not an AWS request: "+err.Error(), http.StatusBadRequest)
		return
	}
	c.mu.Lock()
	if c.calls == nil {
		c.calls = map[string]int{}
	}
	c.calls[call.key()]++
	c.now++
	c.most = max(c.most, c.now)
	if c.together == nil {
		c.together = make(chan struct{})
	}
	wait := call.Action == "DescribeTargetHealth" && c.Gather > 0
	if wait {
		if c.gathered++; c.gathered == c.Gather {
			close(c.together)
		}
	}
	c.mu.Unlock()
	if wait {
		select {
		case <-c.together:
		case <-r.Context().Done():
		}
	}
	write(w, c.answer(call))
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now--
}

// key is what makes two calls the same.
func (c *Call) key() string {
	return strings.Join([]string{c.Service, c.Action, c.Region, c.Path, c.Query.Encode(), string(c.Body)}, " ")
}

func (c *Crowd) answer(call *Call) *Answer {
	if give := crowdAnswers[call.Service+":"+call.Action]; give != nil {
		return give(c, call)
	}
	switch call.Service {
	case "ec2", "sts", "iam", "elbv2", "elb", "rds", "elasticache", "sns":
		return result(call, "")
	case "cloudwatch":
		return cborAnswer(200, cbor.Map{})
	case "s3":
		return xmlAnswer(`<ListAllMyBucketsResult><Buckets/></ListAllMyBucketsResult>`)
	case "cloudfront":
		return xmlAnswer(`<DistributionList><IsTruncated>false</IsTruncated><Quantity>0</Quantity></DistributionList>`)
	case "route53":
		return xmlAnswer(`<ListHostedZonesResponse><HostedZones/><IsTruncated>false</IsTruncated></ListHostedZonesResponse>`)
	}
	return jsonAnswer(map[string]any{})
}

// crowdAnswers are the calls that the account has an answer for.
var crowdAnswers = map[string]func(*Crowd, *Call) *Answer{
	"sts:GetCallerIdentity": func(_ *Crowd, call *Call) *Answer {
		return result(call, `<Account>`+Account+`</Account><Arn>arn:aws:iam::`+Account+`:user/auditor</Arn><UserId>AIDA</UserId>`)
	},
	"eks:ListClusters": func(*Crowd, *Call) *Answer { return jsonAnswer(map[string]any{"clusters": []string{"prod"}}) },
	"eks:DescribeCluster": func(_ *Crowd, call *Call) *Answer {
		return jsonAnswer(map[string]any{"cluster": map[string]any{
			"name": "prod", "arn": call.arn("cluster/prod"), "version": "1.34", "status": "ACTIVE",
			"resourcesVpcConfig": map[string]any{"vpcId": "vpc-1", "subnetIds": []string{"subnet-1", "subnet-2"}, "clusterSecurityGroupId": "sg-00000000"},
		}})
	},
	"ec2:DescribeSecurityGroups": (*Crowd).securityGroups,

	"elbv2:DescribeLoadBalancers":          (*Crowd).loadBalancers,
	"elbv2:DescribeTargetGroups":           (*Crowd).targetGroups,
	"elbv2:DescribeLoadBalancerAttributes": attributes,
	"elbv2:DescribeListenerAttributes":     attributes,
	"elbv2:DescribeListeners":              describeListeners,
	"elbv2:DescribeRules":                  describeRules,
	"elbv2:DescribeListenerCertificates": func(_ *Crowd, call *Call) *Answer {
		return result(call, `<Certificates><member><CertificateArn>arn:aws:acm:`+Region+`:`+Account+`:certificate/1</CertificateArn><IsDefault>true</IsDefault></member></Certificates>`)
	},
	"elbv2:DescribeTargetHealth": func(_ *Crowd, call *Call) *Answer {
		return result(call, `<TargetHealthDescriptions>`+repeat(0, 10, func(i int) string {
			return fmt.Sprintf(`<member><Target><Id>10.0.%d.%d</Id><Port>8443</Port></Target></member>`, i, i)
		})+`</TargetHealthDescriptions>`)
	},
	"elbv2:DescribeTags": describeTags,

	"rds:DescribeDBInstances": (*Crowd).databases,
	"rds:DescribeDBParameterGroups": func(_ *Crowd, call *Call) *Answer {
		return result(call, `<DBParameterGroups>`+repeat(0, 10, func(i int) string {
			return fmt.Sprintf(`<DBParameterGroup><DBParameterGroupName>group-%d</DBParameterGroupName><DBParameterGroupFamily>postgres16</DBParameterGroupFamily><DBParameterGroupArn>arn:aws:rds:%s:%s:pg:group-%d</DBParameterGroupArn></DBParameterGroup>`, i, Region, Account, i)
		})+`</DBParameterGroups>`)
	},
	"rds:DescribeDBParameters": func(_ *Crowd, call *Call) *Answer {
		return result(call, `<Parameters><Parameter><ParameterName>rds.force_ssl</ParameterName><ParameterValue>1</ParameterValue></Parameter>`+repeat(0, 300, func(i int) string {
			return fmt.Sprintf(`<Parameter><ParameterName>parameter_%d</ParameterName><Description>What the parameter does is described here.</Description><ApplyType>dynamic</ApplyType></Parameter>`, i)
		})+`</Parameters>`)
	},

	"iam:GetAccountAuthorizationDetails": (*Crowd).authorizationDetails,
	"iam:GetAccountSummary": func(_ *Crowd, call *Call) *Answer {
		return result(call, `<SummaryMap><entry><key>AccountMFAEnabled</key><value>1</value></entry><entry><key>AccountAccessKeysPresent</key><value>0</value></entry></SummaryMap>`)
	},
	"iam:GenerateCredentialReport": func(_ *Crowd, call *Call) *Answer { return result(call, `<State>COMPLETE</State>`) },
	"iam:GetCredentialReport":      (*Crowd).credentialReport,
	"iam:ListAccessKeys": func(_ *Crowd, call *Call) *Answer {
		return result(call, `<AccessKeyMetadata><member><UserName>`+call.Form.Get("UserName")+`</UserName><AccessKeyId>AKIA`+call.Form.Get("UserName")+`</AccessKeyId><Status>Active</Status><CreateDate>2026-10-01T00:00:00Z</CreateDate></member></AccessKeyMetadata><IsTruncated>false</IsTruncated>`)
	},
	"iam:GenerateServiceLastAccessedDetails": func(_ *Crowd, call *Call) *Answer {
		return result(call, `<JobId>`+base64.URLEncoding.EncodeToString([]byte(call.Form.Get("Arn")))+`</JobId>`)
	},
	"iam:GetServiceLastAccessedDetails": func(_ *Crowd, call *Call) *Answer {
		return result(call, `<JobStatus>COMPLETED</JobStatus><JobCreationDate>2026-11-25T00:00:00Z</JobCreationDate><ServicesLastAccessed>`+repeat(0, 40, func(i int) string {
			return fmt.Sprintf(`<member><ServiceName>Service %d</ServiceName><ServiceNamespace>service%d</ServiceNamespace><LastAuthenticated>2026-11-01T00:00:00Z</LastAuthenticated></member>`, i, i)
		})+`</ServicesLastAccessed><IsTruncated>false</IsTruncated>`)
	},
}

// result is an answer of the query protocol.
func result(call *Call, body string) *Answer {
	if call.Service == "ec2" {
		return xmlAnswer(`<%sResponse>%s</%sResponse>`, call.Action, body, call.Action)
	}
	return xmlAnswer(`<%[1]sResponse><%[1]sResult>%[2]s</%[1]sResult></%[1]sResponse>`, call.Action, body)
}

// repeat joins what one gives for each number from and up to, but not, to.
func repeat(from, to int, one func(int) string) string {
	var b strings.Builder
	for i := from; i < to; i++ {
		b.WriteString(one(i))
	}
	return b.String()
}

// page returns the part of n items that a call asks for, and the token of the
// next; token and size are the names that the service has for them.
func page(call *Call, n int, token, size string, most int) (from, to int, next string) {
	from, _ = strconv.Atoi(call.Form.Get(token))
	if asked, err := strconv.Atoi(call.Form.Get(size)); err == nil {
		most = min(most, asked)
	}
	to = min(n, from+most)
	if to < n {
		next = strconv.Itoa(to)
	}
	return from, to, next
}

func (c *Crowd) securityGroups(call *Call) *Answer {
	from, to, next := page(call, c.SecurityGroups, "NextToken", "MaxResults", 1000)
	return result(call, `<securityGroupInfo>`+repeat(from, to, func(i int) string {
		return fmt.Sprintf(`<item><ownerId>%s</ownerId><groupId>sg-%08x</groupId><groupName>group-%d</groupName><groupDescription>A group</groupDescription><vpcId>vpc-1</vpcId><ipPermissions>`, Account, i, i) +
			repeat(0, 5, func(rule int) string {
				return fmt.Sprintf(`<item><ipProtocol>tcp</ipProtocol><fromPort>%d</fromPort><toPort>%d</toPort><groups/><ipRanges><item><cidrIp>10.%d.0.0/16</cidrIp></item></ipRanges><ipv6Ranges/><prefixListIds/></item>`, 1000+rule, 1000+rule, rule)
			}) + `</ipPermissions><ipPermissionsEgress><item><ipProtocol>-1</ipProtocol><groups/><ipRanges><item><cidrIp>0.0.0.0/0</cidrIp></item></ipRanges><ipv6Ranges/><prefixListIds/></item></ipPermissionsEgress></item>`
	})+`</securityGroupInfo><nextToken>`+next+`</nextToken>`)
}

func loadBalancerARN(i int) string {
	return fmt.Sprintf("arn:aws:elasticloadbalancing:%s:%s:loadbalancer/app/lb-%d/%016x", Region, Account, i, i)
}

func targetGroupARN(i int) string {
	return fmt.Sprintf("arn:aws:elasticloadbalancing:%s:%s:targetgroup/tg-%d/%016x", Region, Account, i, i)
}

func (c *Crowd) loadBalancers(call *Call) *Answer {
	from, to, next := page(call, c.LoadBalancers, "Marker", "PageSize", 400)
	return result(call, `<LoadBalancers>`+repeat(from, to, func(i int) string {
		return fmt.Sprintf(`<member><LoadBalancerArn>%s</LoadBalancerArn><LoadBalancerName>lb-%d</LoadBalancerName><DNSName>lb-%d.%s.elb.amazonaws.com</DNSName><Scheme>internet-facing</Scheme><Type>application</Type><IpAddressType>ipv4</IpAddressType><VpcId>vpc-1</VpcId><SecurityGroups><member>sg-%08x</member></SecurityGroups></member>`,
			loadBalancerARN(i), i, i, Region, i)
	})+`</LoadBalancers><NextMarker>`+next+`</NextMarker>`)
}

func (c *Crowd) targetGroups(call *Call) *Answer {
	from, to, next := page(call, c.TargetGroups, "Marker", "PageSize", 400)
	return result(call, `<TargetGroups>`+repeat(from, to, func(i int) string {
		return fmt.Sprintf(`<member><TargetGroupArn>%s</TargetGroupArn><TargetGroupName>tg-%d</TargetGroupName><Protocol>HTTPS</Protocol><Port>8443</Port><TargetType>ip</TargetType><VpcId>vpc-1</VpcId><LoadBalancerArns><member>%s</member></LoadBalancerArns></member>`,
			targetGroupARN(i), i, loadBalancerARN(i%max(1, c.LoadBalancers)))
	})+`</TargetGroups><NextMarker>`+next+`</NextMarker>`)
}

func attributes(_ *Crowd, call *Call) *Answer {
	return result(call, `<Attributes>`+repeat(0, 15, func(i int) string {
		return fmt.Sprintf(`<member><Key>attribute.%d.enabled</Key><Value>true</Value></member>`, i)
	})+`</Attributes>`)
}

func describeListeners(_ *Crowd, call *Call) *Answer {
	balancer := call.Form.Get("LoadBalancerArn")
	arn := strings.Replace(balancer, ":loadbalancer/", ":listener/", 1)
	return result(call, `<Listeners>`+
		`<member><ListenerArn>`+arn+`/1</ListenerArn><LoadBalancerArn>`+balancer+`</LoadBalancerArn><Port>443</Port><Protocol>HTTPS</Protocol><SslPolicy>ELBSecurityPolicy-TLS13-1-2-2021-06</SslPolicy></member>`+
		`<member><ListenerArn>`+arn+`/2</ListenerArn><LoadBalancerArn>`+balancer+`</LoadBalancerArn><Port>80</Port><Protocol>HTTP</Protocol></member></Listeners>`)
}

func describeRules(_ *Crowd, call *Call) *Answer {
	arn := strings.Replace(call.Form.Get("ListenerArn"), ":listener/", ":listener-rule/", 1)
	return result(call, `<Rules>`+repeat(1, 6, func(i int) string {
		return fmt.Sprintf(`<member><RuleArn>%s/%d</RuleArn><Priority>%d</Priority><IsDefault>false</IsDefault><Conditions><member><Field>host-header</Field><HostHeaderConfig><Values><member>host-%d.example.com</member></Values></HostHeaderConfig></member></Conditions><Actions><member><Type>forward</Type><TargetGroupArn>%s</TargetGroupArn></member></Actions></member>`,
			arn, i, i, i, targetGroupARN(i))
	})+`</Rules>`)
}

func describeTags(_ *Crowd, call *Call) *Answer {
	var b strings.Builder
	for i := 1; call.Form.Has("ResourceArns.member." + strconv.Itoa(i)); i++ {
		fmt.Fprintf(&b, `<member><ResourceArn>%s</ResourceArn><Tags><member><Key>team</Key><Value>shop</Value></member></Tags></member>`, call.Form.Get("ResourceArns.member."+strconv.Itoa(i)))
	}
	return result(call, `<TagDescriptions>`+b.String()+`</TagDescriptions>`)
}

func (c *Crowd) databases(call *Call) *Answer {
	from, to, next := page(call, c.Databases, "Marker", "MaxRecords", 100)
	return result(call, `<DBInstances>`+repeat(from, to, func(i int) string {
		return fmt.Sprintf(`<DBInstance><DBInstanceIdentifier>db-%[1]d</DBInstanceIdentifier><DBInstanceArn>arn:aws:rds:%[2]s:%[3]s:db:db-%[1]d</DBInstanceArn><Engine>postgres</Engine><EngineVersion>16.9</EngineVersion><StorageEncrypted>true</StorageEncrypted><PubliclyAccessible>false</PubliclyAccessible>`+
			`<Endpoint><Address>db-%[1]d.c9akciq32abc.%[2]s.rds.amazonaws.com</Address><Port>5432</Port></Endpoint><DBParameterGroups><DBParameterGroup><DBParameterGroupName>group-%[4]d</DBParameterGroupName><ParameterApplyStatus>in-sync</ParameterApplyStatus></DBParameterGroup></DBParameterGroups>`+
			`<VpcSecurityGroups><VpcSecurityGroupMembership><VpcSecurityGroupId>sg-%08[1]x</VpcSecurityGroupId><Status>active</Status></VpcSecurityGroupMembership></VpcSecurityGroups></DBInstance>`, i, Region, Account, i%10)
	})+`</DBInstances><Marker>`+next+`</Marker>`)
}

// encodedPolicy is a policy as IAM gives it.
const encodedPolicy = `%7B%22Version%22%3A%222012-10-17%22%2C%22Statement%22%3A%5B%7B%22Effect%22%3A%22Allow%22%2C%22Action%22%3A%5B%22s3%3AGetObject%22%2C%22s3%3APutObject%22%5D%2C%22Resource%22%3A%22arn%3Aaws%3As3%3A%3A%3Aapp%2F%2A%22%7D%5D%7D`

// encodedTrust lets instances take a role.
const encodedTrust = `%7B%22Version%22%3A%222012-10-17%22%2C%22Statement%22%3A%5B%7B%22Effect%22%3A%22Allow%22%2C%22Principal%22%3A%7B%22Service%22%3A%22ec2.amazonaws.com%22%7D%2C%22Action%22%3A%22sts%3AAssumeRole%22%7D%5D%7D`

// authorizationDetails lists the users, then the roles.
func (c *Crowd) authorizationDetails(call *Call) *Answer {
	from, to, next := page(call, c.Users+c.Roles, "Marker", "MaxItems", 1000)
	users := repeat(from, min(to, c.Users), func(i int) string {
		return fmt.Sprintf(`<member><UserName>user-%[1]d</UserName><Path>/</Path><UserId>AIDA%[1]d</UserId><Arn>arn:aws:iam::%[2]s:user/user-%[1]d</Arn><CreateDate>2025-01-01T00:00:00Z</CreateDate>`+
			`<UserPolicyList><member><PolicyName>own</PolicyName><PolicyDocument>%[3]s</PolicyDocument></member></UserPolicyList><AttachedManagedPolicies/></member>`, i, Account, encodedPolicy)
	})
	roles := repeat(max(from-c.Users, 0), max(to-c.Users, 0), func(i int) string {
		return fmt.Sprintf(`<member><RoleName>role-%[1]d</RoleName><Path>/</Path><RoleId>AROA%[1]d</RoleId><Arn>arn:aws:iam::%[2]s:role/role-%[1]d</Arn><CreateDate>2025-01-01T00:00:00Z</CreateDate><AssumeRolePolicyDocument>%[4]s</AssumeRolePolicyDocument>`+
			`<RolePolicyList><member><PolicyName>own</PolicyName><PolicyDocument>%[3]s</PolicyDocument></member></RolePolicyList><AttachedManagedPolicies/></member>`, i, Account, encodedPolicy, encodedTrust)
	})
	truncated := strconv.FormatBool(next != "")
	return result(call, `<UserDetailList>`+users+`</UserDetailList><RoleDetailList>`+roles+`</RoleDetailList><GroupDetailList/><Policies/><IsTruncated>`+truncated+`</IsTruncated><Marker>`+next+`</Marker>`)
}

func (c *Crowd) credentialReport(call *Call) *Answer {
	const columns = "user,arn,user_creation_time,password_enabled,password_last_used,password_last_changed,password_next_rotation,mfa_active,access_key_1_active,access_key_1_last_rotated,access_key_1_last_used_date,access_key_1_last_used_region,access_key_1_last_used_service,access_key_2_active,access_key_2_last_rotated,access_key_2_last_used_date,access_key_2_last_used_region,access_key_2_last_used_service,cert_1_active,cert_1_last_rotated,cert_2_active,cert_2_last_rotated\n"
	const root = "<root_account>,arn:aws:iam::" + Account + ":root,2020-01-02T03:04:05+00:00,not_supported,2026-03-04T05:06:07+00:00,not_supported,not_supported,true,false,N/A,N/A,N/A,N/A,false,N/A,N/A,N/A,N/A,false,N/A,false,N/A\n"
	report := columns + root + repeat(0, c.Users, func(i int) string {
		return fmt.Sprintf("user-%[1]d,arn:aws:iam::%[2]s:user/user-%[1]d,2025-01-01T00:00:00+00:00,true,2026-11-01T00:00:00+00:00,2026-10-01T00:00:00+00:00,N/A,true,true,2026-10-01T00:00:00+00:00,2026-11-01T00:00:00+00:00,%[3]s,s3,false,N/A,N/A,N/A,N/A,false,N/A,false,N/A\n", i, Account, Region)
	})
	return result(call, `<Content>`+base64.StdEncoding.EncodeToString([]byte(report))+`</Content><ReportFormat>text/csv</ReportFormat><GeneratedTime>2026-11-25T00:00:00Z</GeneratedTime>`)
}
