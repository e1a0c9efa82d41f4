package terraform

import (
	"bytes"
	"strings"
	"testing"

	"github.com/eksafe/eksafe/internal/estate"
)

func TestWhatResourcesBecome(t *testing.T) {
	for _, tt := range []struct {
		name, resources string
		kind            estate.Kind
		want            string
	}{
		{"cluster without anything", `
aws_eks_cluster.R: {name: shop, arn: $open, endpoint: $open, role_arn: $aws_iam_role.c.arn, vpc_config: [{subnet_ids: "$aws_subnet.a.id,aws_subnet.b.id"}]}
aws_subnet.a: {id: $open}
aws_subnet.b: {id: $open}
aws_iam_role.c: {name: c, arn: $open}`, "Cluster",
			`{"accessConfig":{"bootstrapClusterCreatorAdminPermissions":true},"clusterSecurityGroupId":"ID.vpc_config","computeConfig":{"enabled":false},"deletionProtection":false,"encryptionConfig":[],"endpoint":"ID.endpoint","logging":{"clusterLogging":{"enabledTypes":[]}},"name":"shop","resourcesVpcConfig":{"endpointPrivateAccess":false,"endpointPublicAccess":true,"publicAccessCidrs":["0.0.0.0/0"],"subnetIds":["TF#aws_subnet.a","TF#aws_subnet.b"]},"roleArn":"TF#aws_iam_role.c","upgradePolicy":{"supportType":"EXTENDED"}}`},
		{"launch template without anything", `
aws_launch_template.R: {name: n, id: $open, user_data: hunter2}`, "LaunchTemplate",
			`{"defaultVersion":true,"latestVersion":true,"launchTemplateData":{"blockDeviceMappings":[],"metadataOptions":{"httpEndpoint":"","httpPutResponseHopLimit":0,"httpTokens":""}},"launchTemplateId":"ID","launchTemplateName":"n"}`},
		{"add-on whose configuration is not kept", `
aws_eks_addon.R: {cluster_name: c, addon_name: vpc-cni, configuration_values: '{"enableNetworkPolicy":"true","env":{"PASSWORD":"hunter2"}}'}`, "Addon",
			`{"addonName":"vpc-cni","clusterName":"c","enableNetworkPolicy":true,"enablePodENI":false,"externalSNAT":false,"networkPolicyEnforcingMode":"","podSecurityGroupEnforcingMode":""}`},
		{"access entry and its policy", `
aws_eks_access_entry.R: {cluster_name: c, principal_arn: $aws_iam_role.d.arn}
aws_eks_access_policy_association.p: {cluster_name: c, principal_arn: $aws_iam_role.d.arn, policy_arn: a, access_scope: [{type: namespace, namespaces: [n]}]}
aws_iam_role.d: {name: d, arn: $open}`, "AccessEntry",
			`{"accessPolicies":[{"accessScope":{"namespaces":["n"],"type":"namespace"},"policyArn":"a"}],"clusterName":"c","principalArn":"TF#aws_iam_role.d","type":"STANDARD"}`},
		{"load balancer", `
aws_lb.R: {name: web, internal: false, load_balancer_type: application, dns_name: $open, drop_invalid_header_fields: true, access_logs: [{bucket: $aws_s3_bucket.logs.id, enabled: true}]}
aws_s3_bucket.logs: {bucket: logs, id: $open}`, "LoadBalancer",
			`{"dnsName":"ID.dns_name","loadBalancerAttributes":[{"key":"routing.http.drop_invalid_header_fields.enabled","value":"true"},{"key":"access_logs.s3.enabled","value":"true"},{"key":"access_logs.s3.bucket","value":"TF#aws_s3_bucket.logs"},{"key":"access_logs.s3.prefix","value":""}],"name":"web","scheme":"internet-facing","type":"application"}`},
		{"HTTPS listener without policy", `
aws_lb_listener.R: {load_balancer_arn: $aws_lb.l.arn, protocol: HTTPS, port: 443, certificate_arn: a, default_action: [{type: redirect, redirect: [{status_code: HTTP_301}]}]}
aws_lb_listener_certificate.c: {listener_arn: $aws_lb_listener.R.arn, certificate_arn: b}
aws_lb.l: {arn: $open}`, "Listener",
			`{"certificates":["a","b"],"defaultActions":[{"redirectConfig":{"port":"#{port}","protocol":"#{protocol}","statusCode":"HTTP_301"},"type":"redirect"}],"listenerAttributes":[],"loadBalancerArn":"TF#aws_lb.l","port":443,"protocol":"HTTPS","sslPolicy":"ELBSecurityPolicy-2016-08"}`},
		{"listener rule whose header is named, not told", `
aws_lb_listener_rule.R: {listener_arn: l, priority: 3, condition: [{host_header: [{values: [a]}]}, {http_header: [{http_header_name: x-origin, values: [hunter2, "*"]}]}], action: [{type: forward, forward: [{target_group: [{arn: t, weight: 1}]}]}]}`, "ListenerRule",
			`{"actions":[{"forwardConfig":{"targetGroups":[{"targetGroupArn":"t","weight":1}]},"type":"forward"}],"conditions":[{"field":"host-header","values":["a"]},{"field":"http-header","values":["x-origin"],"anyValue":true}],"listenerArn":"l","priority":3}`},
		{"web ACL in depth", `
aws_wafv2_web_acl.R:
  name: w
  scope: REGIONAL
  id: $open
  default_action: [{allow: [{}]}]
  rule:
    - {name: rate, priority: 3, action: [{block: [{}]}], statement: [{rate_based_statement: [{limit: 2000, scope_down_statement: [{not_statement: [{statement: [{geo_match_statement: [{country_codes: [DE]}]}]}]}]}]}]}
    - {name: common, priority: 2, override_action: [{count: [{}]}], statement: [{managed_rule_group_statement: [{vendor_name: AWS, name: AWSManagedRulesCommonRuleSet, rule_action_override: [{name: b, action_to_use: [{count: [{}]}]}]}]}]}
    - {name: secret, priority: 4, action: [{allow: [{}]}], statement: [{byte_match_statement: [{field_to_match: [{single_header: [{name: X-Origin}]}], positional_constraint: EXACTLY, search_string: hunter2}]}]}
    - {name: attackers, priority: 1, action: [{block: [{}]}], statement: [{ip_set_reference_statement: [{arn: $aws_wafv2_ip_set.s.arn}]}]}
    - {name: keys, priority: 7, action: [{block: [{}]}], statement: [{rate_based_statement: [{limit: 100, aggregate_key_type: CUSTOM_KEYS, custom_key: [{forwarded_ip: [{}]}, {query_argument: [{name: a, text_transformation: []}]}]}]}]}
    - {name: everything, priority: 8, action: [{allow: [{}]}], statement: [{byte_match_statement: [{field_to_match: [{uri_path: [{}]}], positional_constraint: STARTS_WITH, search_string: /, text_transformation: [{priority: 0, type: NONE}]}]}]}
    - {name: decoded, priority: 9, action: [{allow: [{}]}], statement: [{byte_match_statement: [{field_to_match: [{uri_path: [{}]}], positional_constraint: STARTS_WITH, search_string: /, text_transformation: [{priority: 0, type: BASE64_DECODE}]}]}]}
    - {name: sql, priority: 6, action: [{block: [{}]}], statement: [{sqli_match_statement: [{}]}]}
aws_wafv2_ip_set.s: {arn: $open}`, "WebACL",
			`{"defaultAction":"Allow","id":"ID","name":"w","scope":"REGIONAL","rules":[
				{"name":"attackers","priority":1,"action":"Block","statement":{"ipSetReferenceStatement":{"arn":"TF#aws_wafv2_ip_set.s"}}},
				{"name":"common","priority":2,"overrideAction":"Count","statement":{"managedRuleGroupStatement":{"vendorName":"AWS","name":"AWSManagedRulesCommonRuleSet","ruleActionOverrides":[{"name":"b","actionToUse":"Count"}]}}},
				{"name":"rate","priority":3,"action":"Block","statement":{"rateBasedStatement":{"limit":2000,"aggregateKeyType":"IP","scopeDownStatement":{"notStatement":{"statement":{"geoMatchStatement":{"countryCodes":["DE"]}}}}}}},
				{"name":"secret","priority":4,"action":"Allow","statement":{"byteMatchStatement":{"fieldToMatch":"SingleHeader","header":"x-origin","positionalConstraint":"EXACTLY"}}},
				{"name":"sql","priority":6,"action":"Block","statement":{"other":"SqliMatchStatement"}},
				{"name":"keys","priority":7,"action":"Block","statement":{"rateBasedStatement":{"limit":100,"aggregateKeyType":"CUSTOM_KEYS","customKeys":["ForwardedIP","QueryArgument"]}}},
				{"name":"everything","priority":8,"action":"Allow","statement":{"byteMatchStatement":{"fieldToMatch":"UriPath","positionalConstraint":"STARTS_WITH","matchesAll":true}}},
				{"name":"decoded","priority":9,"action":"Allow","statement":{"byteMatchStatement":{"fieldToMatch":"UriPath","positionalConstraint":"STARTS_WITH"}}}]}`},
		{"rules that are JSON are not known", `
aws_wafv2_web_acl.R: {name: w, scope: REGIONAL, id: $open, default_action: [{block: [{}]}], rule_json: "[]"}`, "WebACL", `{"defaultAction":"Block","id":"ID","name":"w","scope":"REGIONAL"}`},
		{"zone with records", `
aws_route53_zone.R: {name: example.com, id: $open}
aws_route53_record.a: {zone_id: $aws_route53_zone.R.zone_id, name: www.example.com, type: A, alias: [{name: $aws_cloudfront_distribution.d.domain_name}]}
aws_route53_record.t: {zone_id: $aws_route53_zone.R.id, name: example.com, type: TXT, records: [hunter2]}
aws_cloudfront_distribution.d: {enabled: true, domain_name: $open}`, "HostedZone",
			`{"id":"ID","name":"example.com.","private":false,"records":[{"name":"www.example.com.","type":"A","aliasTarget":"TF#aws_cloudfront_distribution.d.domain_name"}]}`},
		{"routes", `
aws_route_table.R: {vpc_id: v, id: $open, route: [{cidr_block: 10.0.0.0/8, gateway_id: vgw-1}]}
aws_internet_gateway.g: {id: $open}
aws_route.a: {route_table_id: $aws_route_table.R.id, destination_cidr_block: 0.0.0.0/0, gateway_id: $aws_internet_gateway.g.id}
aws_route_table_association.s: {route_table_id: $aws_route_table.R.id, subnet_id: subnet-1}`, "RouteTable",
			`{"routeTableId":"ID","routes":[{"destinationCidrBlock":"10.0.0.0/8","gatewayId":"vgw-1"},{"destinationCidrBlock":"0.0.0.0/0","gatewayId":"TF#aws_internet_gateway.g","internet":true}],"subnetIds":["subnet-1"],"vpcId":"v"}`},
		{"routes to everywhere", `
aws_route_table.R: {vpc_id: v, id: $open, route: [{ipv6_cidr_block: "::/0", egress_only_gateway_id: eigw-1}, {destination_prefix_list_id: pl-1, transit_gateway_id: tgw-1}, {cidr_block: 10.2.0.0/16, vpc_endpoint_id: vpce-1}]}
aws_vpc_peering_connection.p: {id: $open, vpc_id: v, peer_vpc_id: w}
aws_route.a: {route_table_id: $aws_route_table.R.id, destination_cidr_block: 10.1.0.0/16, vpc_peering_connection_id: $aws_vpc_peering_connection.p.id}
aws_route.b: {route_table_id: $aws_route_table.R.id, destination_prefix_list_id: pl-2, gateway_id: vpce-2}`, "RouteTable",
			`{"routeTableId":"ID","routes":[{"destinationIpv6CidrBlock":"::/0","egressOnlyInternetGatewayId":"eigw-1"},{"destinationPrefixListId":"pl-1","transitGatewayId":"tgw-1"},{"destinationCidrBlock":"10.2.0.0/16","vpcEndpointId":"vpce-1"},{"destinationCidrBlock":"10.1.0.0/16","vpcPeeringConnectionId":"TF#aws_vpc_peering_connection.p"},{"destinationPrefixListId":"pl-2","vpcEndpointId":"vpce-2"}],"vpcId":"v"}`},
		{"endpoint of several parts", `
aws_vpc_endpoint.R: {id: $open, vpc_id: v, service_name: com.amazonaws.eu-west-1.sts, vpc_endpoint_type: Interface, private_dns_enabled: true, subnet_ids: [s]}
aws_vpc_endpoint_subnet_association.s: {vpc_endpoint_id: $aws_vpc_endpoint.R.id, subnet_id: s}
aws_vpc_endpoint_subnet_association.t: {vpc_endpoint_id: $aws_vpc_endpoint.R.id, subnet_id: t}
aws_vpc_endpoint_security_group_association.g: {vpc_endpoint_id: $aws_vpc_endpoint.R.id, security_group_id: $aws_security_group.g.id}
aws_vpc_endpoint_policy.p: {vpc_endpoint_id: $aws_vpc_endpoint.R.id, policy: "{\"Statement\":[]}"}
aws_security_group.g: {id: $open}`, "VPCEndpoint",
			`{"id":"ID","policyDocument":"{\"Statement\":[]}","privateDnsEnabled":true,"securityGroupIds":["TF#aws_security_group.g"],"serviceName":"com.amazonaws.eu-west-1.sts","subnetIds":["s","t"],"vpcEndpointType":"Interface","vpcId":"v"}`},
		{"gateway endpoint", `
aws_vpc_endpoint.R: {id: $open, vpc_id: v, service_name: s3, route_table_ids: [r]}
aws_vpc_endpoint_route_table_association.t: {vpc_endpoint_id: $aws_vpc_endpoint.R.id, route_table_id: t}`, "VPCEndpoint",
			`{"id":"ID","policyDocument":"","privateDnsEnabled":false,"routeTableIds":["r","t"],"serviceName":"s3","vpcEndpointType":"Gateway","vpcId":"v"}`},
		{"endpoint whose policy may deny", `
aws_vpc_endpoint.R: {id: $open, vpc_id: v, service_name: s3, policy: $open}`, "VPCEndpoint",
			`{"id":"ID","privateDnsEnabled":false,"serviceName":"s3","vpcEndpointType":"Gateway","vpcId":"v"}`},
		{"peering", `
aws_vpc_peering_connection.R: {id: $open, vpc_id: v, peer_vpc_id: w, peer_owner_id: "111122223333", peer_region: eu-west-2, accept_status: $open}`, "VPCPeeringConnection",
			`{"id":"ID","peerOwnerId":"111122223333","peerRegion":"eu-west-2","peerVpcId":"w","vpcId":"v"}`},
		{"prefix list of both ways", `
aws_ec2_managed_prefix_list.R: {id: $open, name: office, entry: [{cidr: 192.0.2.0/24, description: hunter2}]}
aws_ec2_managed_prefix_list_entry.a: {prefix_list_id: $aws_ec2_managed_prefix_list.R.id, cidr: 198.51.100.0/24}
aws_ec2_managed_prefix_list_entry.b: {prefix_list_id: $aws_ec2_managed_prefix_list.R.id, cidr: 192.0.2.0/24}`, "PrefixList",
			`{"entries":[{"cidr":"192.0.2.0/24"},{"cidr":"198.51.100.0/24"}],"prefixListId":"ID","prefixListName":"office"}`},
		{"security group of all three ways", `
aws_security_group.R: {name: g, id: $open, vpc_id: v, egress: [], ingress: [{protocol: tcp, from_port: 443, to_port: 443, cidr_blocks: [10.0.0.0/8], ipv6_cidr_blocks: [], security_groups: $aws_security_group.lb.id, self: true}]}
aws_security_group.lb: {id: $open}
aws_security_group_rule.a: {type: egress, security_group_id: $aws_security_group.R.id, protocol: "-1", from_port: 0, to_port: 0, cidr_blocks: [0.0.0.0/0]}
aws_vpc_security_group_ingress_rule.b: {security_group_id: $aws_security_group.R.id, ip_protocol: tcp, from_port: 1, to_port: 2, cidr_ipv4: $open}`, "SecurityGroup",
			`{"groupId":"ID","groupName":"g","vpcId":"v","securityGroupEgress":[{"cidrIp":"0.0.0.0/0","fromPort":-1,"ipProtocol":"-1","toPort":-1}],"securityGroupIngress":[
				{"cidrIp":"10.0.0.0/8","fromPort":443,"ipProtocol":"tcp","toPort":443},
				{"fromPort":443,"ipProtocol":"tcp","sourceSecurityGroupId":"TF#aws_security_group.lb","toPort":443},
				{"fromPort":443,"ipProtocol":"tcp","sourceSecurityGroupId":"ID","toPort":443},
				{"cidrIp":"${?}","fromPort":1,"ipProtocol":"tcp","toPort":2,"unresolved":true}]}`},
		{"database without anything", `
aws_db_instance.R: {identifier: orders, engine: postgres, password: hunter2, address: $open, parameter_group_name: $open, option_group_name: $open}`, "DBInstance",
			`{"certificateDetails":{},"dbInstanceIdentifier":"orders","dbParameterGroupName":"","deletionProtection":false,"endpoint":{"address":"ID.address"},"engine":"postgres","kmsKeyId":"","optionGroupName":"","publiclyAccessible":false,"storageEncrypted":false}`},
		{"parameters that may decide", `
aws_db_parameter_group.R: {name: p, family: mysql8.0, parameter: [{name: require_secure_transport, value: $open}]}`, "DBParameterGroup", `{"dbParameterGroupName":"p","family":"mysql8.0"}`},
		{"bucket and what completes it", `
aws_s3_bucket.R: {bucket: logs, id: $open}
aws_s3_bucket_public_access_block.a: {bucket: $aws_s3_bucket.R.id, block_public_acls: true, block_public_policy: true, ignore_public_acls: true, restrict_public_buckets: true}
aws_s3_bucket_versioning.a: {bucket: $aws_s3_bucket.R.id, versioning_configuration: [{status: Enabled}]}
aws_s3_bucket_server_side_encryption_configuration.a: {bucket: $aws_s3_bucket.R.bucket, rule: [{apply_server_side_encryption_by_default: [{sse_algorithm: "aws:kms"}]}]}
aws_s3_bucket_lifecycle_configuration.a: {bucket: logs, rule: [{status: Enabled, expiration: [{days: 90}], filter: [{prefix: alb/}]}, {status: Enabled, expiration: [{days: 1}], filter: [{tag: [{key: a}]}]}]}
aws_s3_bucket_notification.a: {bucket: $aws_s3_bucket.R.id, queue: [{queue_arn: q, events: ["s3:ObjectCreated:*"]}], eventbridge: true}
aws_s3_bucket_policy.a: {bucket: $aws_s3_bucket.R.id, policy: $open}`, "Bucket",
			`{"bucketEncryption":"aws:kms","bucketName":"logs","expirations":[{"days":90,"prefix":"alb/"}],"loggingConfiguration":"","notifications":[{"destination":"q","events":["s3:ObjectCreated:*"]},{"destination":"eventbridge"}],"objectLockEnabled":false,"publicAccessBlockConfiguration":{"blockPublicAcls":true,"blockPublicPolicy":true,"ignorePublicAcls":true,"restrictPublicBuckets":true},"versioningConfiguration":"Enabled"}`},
		{"user with what others give it", `
aws_iam_user.R: {name: u, arn: $open}
aws_iam_user_login_profile.l: {user: $aws_iam_user.R.name, password: hunter2}
aws_iam_access_key.k: {user: u, id: AKIAIOSFODNN7EXAMPLE, secret: hunter2}
aws_iam_user_group_membership.g: {user: u, groups: [admins]}
aws_iam_user_policy.p: {user: u, name: p, policy: "{\"Statement\":[]}"}
aws_iam_user_policy_attachment.a: {user: u, policy_arn: "arn:aws:iam::aws:policy/AdministratorAccess"}`, "User",
			`{"accessKeys":[{"id":"MPLE","status":"Active"}],"consoleAccess":true,"groups":["admins"],"managedPolicyArns":["arn:aws:iam::aws:policy/AdministratorAccess"],"permissionsBoundary":"","policies":[{"policyDocument":"{\"Statement\":[]}","policyName":"p"}],"userName":"u"}`},
		{"role whose policies are not known", `
aws_iam_role.R: {name: r, arn: $open, assume_role_policy: $open}
aws_iam_role_policy.p: {role: $aws_iam_role.R.id, name: p, policy: $open}`, "IAMRole",
			`{"managedPolicyArns":[],"permissionsBoundary":"","roleName":"r"}`},
		{"detector and its features", `
aws_guardduty_detector.R: {id: $open, enable: true}
aws_guardduty_detector_feature.f: {detector_id: $aws_guardduty_detector.R.id, name: EKS_AUDIT_LOGS, status: ENABLED}`, "GuardDutyDetector",
			`{"enable":true,"features":[{"name":"EKS_AUDIT_LOGS","status":"ENABLED"}],"id":"ID"}`},
		{"alarm on a load balancer to come", `
aws_cloudwatch_metric_alarm.R: {alarm_name: a, namespace: AWS/ApplicationELB, metric_name: HTTPCode_ELB_4XX_Count, statistic: Sum, period: 60, evaluation_periods: 1, threshold: 50, comparison_operator: GreaterThanThreshold, alarm_actions: $aws_sns_topic.t.arn, dimensions: $aws_lb.l.arn_suffix}
aws_sns_topic.t: {name: t, arn: $open}
aws_lb.l: {arn_suffix: $open}`, "Alarm",
			`{"actionsEnabled":true,"alarmActions":["TF#aws_sns_topic.t"],"alarmName":"a","comparisonOperator":"GreaterThanThreshold","evaluationPeriods":1,"metricName":"HTTPCode_ELB_4XX_Count","namespace":"AWS/ApplicationELB","period":60,"statistic":"Sum","threshold":50,"treatMissingData":"missing"}`},
		{"where a cache stands", `
aws_elasticache_subnet_group.g: {name: caches, subnet_ids: [subnet-1]}
aws_elasticache_replication_group.R: {replication_group_id: c, engine: valkey, subnet_group_name: $aws_elasticache_subnet_group.g.name, security_group_ids: [sg-1], auth_token: hunter2}`, "Cache",
			`{"atRestEncryptionEnabled":true,"engine":"valkey","id":"c","securityGroupIds":["sg-1"],"subnetGroupName":"TF#aws_elasticache_subnet_group.g","transitEncryptionEnabled":false,"type":"replicationgroup"}`},
		{"subnet group of caches", `
aws_memorydb_subnet_group.R: {name: caches, subnet_ids: [subnet-1]}`, "CacheSubnetGroup", `{"cacheSubnetGroupName":"caches","subnetIds":["subnet-1"]}`},
		{"where brokers stand", `
aws_msk_cluster.R: {cluster_name: k, broker_node_group_info: [{client_subnets: [subnet-1], security_groups: [sg-1]}]}`, "KafkaCluster",
			`{"clientBroker":"TLS","clientSubnets":["subnet-1"],"clusterName":"k","inCluster":true,"securityGroups":["sg-1"]}`},
		{"where a search domain stands", `
aws_opensearch_domain.R: {domain_name: s, vpc_options: [{subnet_ids: [subnet-1], security_group_ids: [sg-1]}]}`, "OpenSearchDomain",
			`{"domainName":"s","endpoint":{"address":"ID.endpoint","port":443},"securityGroupIds":["sg-1"],"subnetIds":["subnet-1"]}`},
		{"topic whose people are nobody's business", `
aws_sns_topic.R: {name: t, arn: $open}
aws_sns_topic_subscription.a: {topic_arn: $aws_sns_topic.R.arn, protocol: email, endpoint: hunter2@example.com}
aws_sns_topic_subscription.b: {topic_arn: $aws_sns_topic.R.arn, protocol: sqs, endpoint: "arn:aws:sqs:eu-west-1:1:q"}`, "Topic",
			`{"kmsMasterKeyId":"","subscriptions":[{"protocol":"email"},{"protocol":"sqs","endpoint":"arn:aws:sqs:eu-west-1:1:q","confirmed":true}],"topicName":"t"}`},
		{"trail with selectors", `
aws_cloudtrail.R: {name: t, s3_bucket_name: b, is_multi_region_trail: true, event_selector: [{read_write_type: WriteOnly, include_management_events: true}]}`, "Trail",
			`{"enableLogFileValidation":false,"includeGlobalServiceEvents":true,"isLogging":true,"isMultiRegionTrail":true,"isOrganizationTrail":false,"kmsKeyId":"","managementEvents":"WriteOnly","s3BucketName":"b","trailName":"t"}`},
	} {
		t.Run(tt.name, func(t *testing.T) { becomes(t, read(t, plan(t, tt.resources, nil)), tt.kind, tt.want) })
	}
}

func TestReferencesThroughModules(t *testing.T) {
	data := plan(t, `
module.net.aws_subnet.private[0]: {id: $open, vpc_id: $aws_vpc.this.id, cidr_block: 10.0.0.0/24}
module.net.aws_subnet.private[1]: {id: $open, vpc_id: $aws_vpc.this.id, cidr_block: 10.0.1.0/24}
module.net.aws_vpc.this: {id: $open, cidr_block: 10.0.0.0/16}
module.data.aws_db_subnet_group.R: {name: g, subnet_ids: $var.subnets}
`, map[string]call{
		"net":  {outputs: map[string]string{"private": "aws_subnet.private"}},
		"data": {arguments: map[string]string{"subnets": "module.net.private"}},
	})
	e := read(t, data)
	becomes(t, e, "DBSubnetGroup", `{"dbSubnetGroupName":"g","subnetIds":["TF#module.net.aws_subnet.private[0]","TF#module.net.aws_subnet.private[1]"]}`)
	for _, s := range estate.Subnets.In(e) {
		if s.VpcId != "tf:plan.json#module.net.aws_vpc.this" {
			t.Errorf("%s stands in %s", s.Arn, s.VpcId)
		}
	}
}

// Instances of for_each refer to the instance with their own key; one that
// cannot be told joins nothing.
func TestReferencesOfInstances(t *testing.T) {
	e := read(t, plan(t, `
aws_lb.x["a"]: {arn: $open}
aws_lb.x["b"]: {arn: $open}
aws_lb_listener.x["a"]: {load_balancer_arn: $aws_lb.x, protocol: HTTP, port: 80}
aws_lb_listener.x["b"]: {load_balancer_arn: $aws_lb.x, protocol: HTTP, port: 81}
aws_lb_listener.one: {load_balancer_arn: '$aws_lb.x["b"].arn', protocol: HTTP, port: 82}
aws_lb_listener.none: {load_balancer_arn: $aws_lb.x, protocol: HTTP, port: 83}
aws_lb_listener.local: {load_balancer_arn: $local.lb, protocol: HTTP, port: 84}
`, nil))
	want := map[int]string{80: `tf:plan.json#aws_lb.x["a"]`, 81: `tf:plan.json#aws_lb.x["b"]`, 82: `tf:plan.json#aws_lb.x["b"]`, 83: "${?}", 84: "${?}"}
	for _, l := range estate.Listeners.In(e) {
		if port := l.Port.Or(0); l.LoadBalancerArn != want[port] {
			t.Errorf("the listener of port %d belongs to %s, want %s", port, l.LoadBalancerArn, want[port])
		}
	}
}

func TestState(t *testing.T) {
	e := read(t, []byte(`{"format_version":"1.0","terraform_version":"1.13.4","values":{"root_module":{"resources":[
		{"address":"aws_lb.web","mode":"managed","type":"aws_lb","name":"web","provider_name":"p","schema_version":0,"values":{"arn":"arn:aws:elasticloadbalancing:eu-west-1:111122223333:loadbalancer/app/web/1","name":"web","internal":true,"load_balancer_type":"application","dns_name":"web.example"}},
		{"address":"data.aws_vpc.v","mode":"data","type":"aws_vpc","name":"v","provider_name":"p","schema_version":0,"values":{"id":"vpc-1"}},
		{"address":"random_password.p","mode":"managed","type":"random_password","name":"p","provider_name":"p","schema_version":0,"values":{"result":"hunter2"}}]}}}`))
	lb := estate.LoadBalancers.In(e)
	if len(lb) != 1 || lb[0].Scheme.Or("") != "internal" || lb[0].Origin.Region != "eu-west-1" || lb[0].DNSName != "web.example" {
		t.Errorf("got %+v", lb)
	}
	if len(estate.VPCs.In(e)) > 0 {
		t.Error("a data source became a resource")
	}
	if ignored := e.Sources[0].Ignored; len(ignored) != 1 || ignored[0] != (estate.Ignored{Kind: "random_password", Count: 1}) {
		t.Errorf("ignored %+v", ignored)
	}
}

func TestObjectsOfTheCluster(t *testing.T) {
	e := read(t, plan(t, `
kubernetes_manifest.ns: {manifest: {apiVersion: v1, kind: Namespace, metadata: {name: shop}}}
kubectl_manifest.d: {yaml_body: "{apiVersion: apps/v1, kind: Deployment, metadata: {name: web, namespace: shop}, spec: {template: {spec: {containers: [{name: c, image: i, env: [{name: PASSWORD, value: hunter2}]}]}}}}"}
kubectl_manifest.later: {yaml_body: $open}
kubernetes_manifest.other: {manifest: {apiVersion: example.com/v1, kind: Widget, metadata: {name: w}}}
`, nil))
	if len(estate.Namespaces.In(e)) != 1 || len(estate.Workloads.In(e)) != 1 {
		t.Errorf("%d namespaces, %d workloads", len(estate.Namespaces.In(e)), len(estate.Workloads.In(e)))
	}
	if e.Coverage("Workload").State != estate.Read {
		t.Error("workloads are not covered")
	}
	problems := e.Sources[0].Problems
	if len(problems) != 1 || problems[0].What != "the manifest of kubectl_manifest.later is not known before it is applied" {
		t.Errorf("problems %v", problems)
	}
	if len(e.Sources[0].Ignored) != 1 {
		t.Errorf("ignored %v", e.Sources[0].Ignored)
	}
}

// What a configuration does not say of the account is not known.
func TestConfigurationIsNoAccount(t *testing.T) {
	e := read(t, plan(t, `aws_s3_bucket.b: {bucket: b}`, nil))
	for _, k := range accountKinds {
		if s := e.Coverage(k).State; s != estate.NotAsked {
			t.Errorf("%s is %s", k, s)
		}
	}
}

func TestWhatIsNoPlan(t *testing.T) {
	for name, data := range map[string]string{
		"empty": "", "no JSON": "hunter2", "list": "[]", "other version": `{"format_version":"9.0","terraform_version":"1","planned_values":{"root_module":{}}}`,
		"no module": `{"format_version":"1.2","terraform_version":"1","planned_values":{}}`, "wrong type": `{"format_version":"1.2","planned_values":["hunter2"]}`,
		"deep": strings.Repeat("[", 100_000),
	} {
		_, err := Read("f.json", []byte(data), Options{})
		if err == nil || strings.Contains(err.Error(), "hunter2") || strings.Contains(err.Error(), "\n") || !strings.HasPrefix(err.Error(), "reading f.json: ") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// References that go round in circles end.
func TestCircles(t *testing.T) {
	data := plan(t, `module.a.aws_lb_listener.R: {load_balancer_arn: $var.x, protocol: HTTP, port: 80}`,
		map[string]call{"a": {arguments: map[string]string{"x": "module.a.y"}, outputs: map[string]string{"y": "var.x"}}})
	if l := estate.Listeners.In(read(t, data))[0]; l.LoadBalancerArn != "${?}" {
		t.Errorf("the circle ends at %s", l.LoadBalancerArn)
	}
}

func FuzzRead(f *testing.F) {
	f.Add(plan(f, `
aws_lb.a: {name: web, arn: $open}
aws_lb_listener.b: {load_balancer_arn: $aws_lb.a.arn, protocol: HTTP, port: 80}
aws_wafv2_web_acl.R: {name: w, rule: [{name: a, priority: 1, statement: [{not_statement: [{statement: [{}]}]}]}]}
kubectl_manifest.d: {yaml_body: "{}"}`, nil))
	f.Add(plan(f, `
aws_vpc_endpoint.a: {id: $open, policy: "{", subnet_ids: $open}
aws_vpc_endpoint_subnet_association.b: {vpc_endpoint_id: $aws_vpc_endpoint.a.id, subnet_id: s}
aws_ec2_managed_prefix_list.c: {id: $open, entry: [{cidr: 1}]}
aws_ec2_managed_prefix_list_entry.d: {prefix_list_id: $aws_ec2_managed_prefix_list.c.id, cidr: $open}`, nil))
	f.Add([]byte(`{"format_version":"1.0","values":{"root_module":{"resources":[{"type":"aws_security_group","values":{"ingress":[1,{"protocol":6}]}}]}}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > 1<<20 {
			return
		}
		e, err := Read("f", data, Options{})
		if err == nil && len(e.Sources) != 1 {
			t.Error("no source")
		}
		again, _ := Read("f", bytes.Clone(data), Options{})
		if (again == nil) != (e == nil) {
			t.Error("it does not read the same twice")
		}
	})
}
