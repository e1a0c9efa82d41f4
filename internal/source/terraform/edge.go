package terraform

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/eksafe/eksafe/internal/estate"
	"github.com/eksafe/eksafe/internal/source/awsfact"
)

// maxStatements bounds how deep statements may stand in statements.
const maxStatements = 20

func readLoadBalancer(res *resource) {
	scheme := estate.Optional[string]{}
	if internal, known := res.boolOr("internal", false).Get(); known {
		scheme = estate.Known("internet-facing")
		if internal {
			scheme = estate.Known("internal")
		}
	}
	put(res, estate.LoadBalancers, &estate.LoadBalancer{
		AWS:                    res.aws(),
		Name:                   res.name("name"),
		Type:                   res.textOr("load_balancer_type", "application"),
		Scheme:                 scheme,
		DNSName:                res.attr("dns_name"),
		Subnets:                res.refs("subnets"),
		SecurityGroups:         res.refs("security_groups"),
		LoadBalancerAttributes: loadBalancerAttributes(res),
		VpcId:                  res.ref("vpc_id"),
		IpAddressType:          res.text("ip_address_type"),
	})
}

// loadBalancerAttributes writes the arguments as the attributes that they set.
func loadBalancerAttributes(res *resource) estate.Optional[[]estate.Attribute] {
	out := []estate.Attribute{}
	known := true
	flag := func(argument, attribute string) {
		if !res.has(argument) {
			return
		}
		on, ok := res.bool(argument).Get()
		known = known && ok
		out = append(out, estate.Attribute{Key: attribute, Value: strconv.FormatBool(on)})
	}
	flag("drop_invalid_header_fields", "routing.http.drop_invalid_header_fields.enabled")
	flag("enable_deletion_protection", "deletion_protection.enabled")
	flag("enable_waf_fail_open", "waf.fail_open.enabled")
	if mode := res.plain("desync_mitigation_mode"); mode != "" {
		out = append(out, estate.Attribute{Key: "routing.http.desync_mitigation_mode", Value: mode})
	}
	logs, sure := res.each("access_logs")
	known = known && sure
	for _, l := range logs {
		on, ok := l.boolOr("enabled", false).Get()
		known = known && ok
		out = append(out,
			estate.Attribute{Key: "access_logs.s3.enabled", Value: strconv.FormatBool(on)},
			estate.Attribute{Key: "access_logs.s3.bucket", Value: l.ref("bucket")},
			estate.Attribute{Key: "access_logs.s3.prefix", Value: l.plain("prefix")})
	}
	if !known {
		return estate.Optional[[]estate.Attribute]{}
	}
	return estate.Known(out)
}

func readListener(res *resource) {
	protocol := res.text("protocol")
	policy := res.text("ssl_policy")
	if !res.has("ssl_policy") || policy.Or("?") == "" {
		switch protocol.Or("") {
		case "":
			policy = estate.Optional[string]{}
		case "HTTPS", "TLS":
			policy = estate.Known("ELBSecurityPolicy-2016-08")
		default:
			policy = estate.Known("")
		}
	}
	certificates := estate.Known([]string{})
	if res.has("certificate_arn") {
		certificates = estate.Optional[[]string]{}
		if c := res.ref("certificate_arn"); c != "${?}" {
			certificates = estate.Known([]string{c})
		}
	}
	attributes := []estate.Attribute{}
	if v := res.plain("routing_http_response_strict_transport_security_header_value"); v != "" {
		attributes = append(attributes, estate.Attribute{Key: "routing.http.response.strict_transport_security.header_value", Value: v})
	}
	put(res, estate.Listeners, &estate.Listener{
		AWS:                res.aws(),
		LoadBalancerArn:    res.ref("load_balancer_arn"),
		Protocol:           protocol,
		Port:               res.int("port"),
		SslPolicy:          policy,
		Certificates:       certificates,
		DefaultActions:     actions(res.block, "default_action"),
		ListenerAttributes: estate.Known(attributes),
	})
}

func foldListenerCertificate(res *resource) {
	to, certificate := res.ref("listener_arn"), res.ref("certificate_arn")
	res.fold(func() {
		if l, ok := target[*estate.Listener](res, to); ok {
			if all, known := l.Certificates.Get(); known {
				l.Certificates = estate.Known(append(all, certificate))
			}
		}
	})
}

func actions(b *block, name string) []estate.Action {
	items, _ := b.each(name)
	slices.SortStableFunc(items, func(a, b *block) int { return cmp.Compare(a.int("order").Or(0), b.int("order").Or(0)) })
	var out []estate.Action
	for _, item := range items {
		a := estate.Action{Type: item.plain("type"), TargetGroupArn: item.ref("target_group_arn")}
		if item.has("forward") {
			a.ForwardConfig = &estate.ForwardConfig{}
			groups, _ := item.in("forward").each("target_group")
			for _, g := range groups {
				a.ForwardConfig.TargetGroups = append(a.ForwardConfig.TargetGroups, estate.TargetGroupTuple{TargetGroupArn: g.ref("arn"), Weight: g.int("weight").Or(0)})
			}
		}
		if item.has("redirect") {
			r := item.in("redirect")
			a.RedirectConfig = &estate.RedirectConfig{
				Protocol: r.textOr("protocol", "#{protocol}").Or(""), Port: r.textOr("port", "#{port}").Or(""), StatusCode: r.plain("status_code"),
			}
		}
		out = append(out, a)
	}
	return out
}

func readListenerRule(res *resource) {
	rule := &estate.ListenerRule{
		AWS:         res.aws(),
		ListenerArn: res.ref("listener_arn"),
		Priority:    res.int("priority"),
		Actions:     actions(res.block, "action"),
	}
	conditions, _ := res.each("condition")
	for _, c := range conditions {
		field := c.member()
		in := c.in(field)
		condition := estate.RuleCondition{Field: strings.ReplaceAll(field, "_", "-"), Values: in.words("values")}
		switch field {
		case "http_header":
			// A header that a CDN proves itself by is a secret: its name is enough.
			condition.Values = []string{in.plain("http_header_name")}
			condition.AnyValue = slices.Contains(in.words("values"), "*")
		case "http_request_method":
		case "query_string":
			items, _ := c.each(field)
			condition.Values = nil
			for _, q := range items {
				condition.Values = append(condition.Values, q.plain("key"))
			}
		}
		rule.Conditions = append(rule.Conditions, condition)
	}
	put(res, estate.ListenerRules, rule)
}

func readTargetGroup(res *resource) {
	put(res, estate.TargetGroups, &estate.TargetGroup{
		AWS:                 res.aws(),
		Name:                res.name("name"),
		Protocol:            res.text("protocol"),
		Port:                res.int("port"),
		ProtocolVersion:     res.text("protocol_version"),
		TargetType:          res.textOr("target_type", "instance"),
		HealthCheckProtocol: res.in("health_check").text("protocol"),
		VpcId:               res.ref("vpc_id"),
	})
}

func foldTarget(res *resource) {
	to := res.ref("target_group_arn")
	t := estate.Target{Id: res.ref("target_id"), Port: res.int("port").Or(0)}
	res.fold(func() {
		if g, ok := target[*estate.TargetGroup](res, to); ok {
			g.Targets = estate.Known(append(g.Targets.Or(nil), t))
		}
	})
}

func readClassicLoadBalancer(res *resource) {
	lb := &estate.ClassicLoadBalancer{
		AWS:              res.aws(),
		LoadBalancerName: res.name("name"),
		DNSName:          res.attr("dns_name"),
		Subnets:          res.refs("subnets"),
		SecurityGroups:   res.refs("security_groups"),
		Instances:        res.refs("instances"),
	}
	if internal, known := res.boolOr("internal", false).Get(); known {
		lb.Scheme = estate.Known("internet-facing")
		if internal {
			lb.Scheme = estate.Known("internal")
		}
	}
	items, _ := res.each("listener")
	for _, l := range items {
		lb.Listeners = append(lb.Listeners, estate.ClassicListener{
			Protocol:         strings.ToUpper(l.plain("lb_protocol")),
			LoadBalancerPort: l.plain("lb_port"),
			InstanceProtocol: strings.ToUpper(l.plain("instance_protocol")),
			InstancePort:     l.plain("instance_port"),
			SSLCertificateId: l.ref("ssl_certificate_id"),
		})
	}
	put(res, estate.ClassicLoadBalancers, lb)
}

func readCertificate(res *resource) {
	c := &estate.Certificate{
		AWS:                     res.aws(),
		DomainName:              res.plain("domain_name"),
		SubjectAlternativeNames: res.words("subject_alternative_names"),
		KeyAlgorithm:            res.textOr("key_algorithm", "RSA_2048"),
		Status:                  res.text("status"),
		Type:                    res.text("type"),
		RenewalEligibility:      res.text("renewal_eligibility"),
	}
	if t, err := time.Parse(time.RFC3339, res.plain("not_after")); err == nil {
		c.NotAfter = estate.Known(t)
	}
	put(res, estate.Certificates, c)
}

// actionName writes the name of a WAF action's block as CloudFormation does.
func actionName(block string) string {
	if block == "" {
		return ""
	}
	return strings.ToUpper(block[:1]) + block[1:]
}

func readWebACL(res *resource) {
	acl := &estate.WebACL{
		AWS:   res.aws(),
		Name:  res.name("name"),
		Scope: res.plain("scope"),
		Id:    res.attr("id"),
		Rules: wafRules(res),

		MetricName:               res.in("visibility_config").text("metric_name"),
		CloudWatchMetricsEnabled: res.in("visibility_config").bool("cloudwatch_metrics_enabled"),
	}
	if action := actionName(res.in("default_action").member()); action != "" {
		acl.DefaultAction = estate.Known(action)
	}
	put(res, estate.WebACLs, acl)
}

func readRuleGroup(res *resource) {
	put(res, estate.RuleGroups, &estate.RuleGroup{
		AWS:   res.aws(),
		Name:  res.name("name"),
		Scope: res.plain("scope"),
		Id:    res.attr("id"),
		Rules: wafRules(res),
	})
}

func wafRules(res *resource) estate.Optional[[]estate.Rule] {
	items, known := res.each("rule")
	if !known || res.has("rule_json") || res.has("rules_json") {
		return estate.Optional[[]estate.Rule]{}
	}
	rules := []estate.Rule{}
	for _, item := range items {
		priority, ok := item.int("priority").Get()
		known = known && ok
		rules = append(rules, estate.Rule{
			Name:           item.plain("name"),
			Priority:       priority,
			Action:         actionName(item.in("action").member()),
			OverrideAction: actionName(item.in("override_action").member()),
			Statement:      statement(item.in("statement"), 0),
		})
	}
	if !known {
		return estate.Optional[[]estate.Rule]{}
	}
	slices.SortStableFunc(rules, func(a, b estate.Rule) int { return cmp.Compare(a.Priority, b.Priority) })
	return estate.Known(rules)
}

// statement returns the one statement that b holds. One that is not known has
// the name of no statement, so that nobody takes it for one that does nothing.
func statement(b *block, depth int) estate.Statement {
	name := b.member()
	if name == "" || depth > maxStatements {
		return estate.Statement{Other: "unknown"}
	}
	in := b.in(name)
	var out estate.Statement
	switch name {
	case "managed_rule_group_statement":
		excluded, overrides := ruleOverrides(in)
		out.ManagedRuleGroupStatement = &estate.ManagedRuleGroupStatement{
			VendorName:          in.plain("vendor_name"),
			Name:                in.plain("name"),
			Version:             in.plain("version"),
			ExcludedRules:       excluded,
			RuleActionOverrides: overrides,
			ScopeDownStatement:  scopeDown(in, depth),
		}
	case "rule_group_reference_statement":
		excluded, overrides := ruleOverrides(in)
		out.RuleGroupReferenceStatement = &estate.RuleGroupReferenceStatement{Arn: in.ref("arn"), ExcludedRules: excluded, RuleActionOverrides: overrides}
	case "ip_set_reference_statement":
		out.IPSetReferenceStatement = &estate.IPSetReferenceStatement{
			Arn:             in.ref("arn"),
			ForwardedHeader: in.in("ip_set_forwarded_ip_config").plain("header_name"),
		}
	case "rate_based_statement":
		out.RateBasedStatement = &estate.RateBasedStatement{
			Limit:               in.int("limit").Or(0),
			EvaluationWindowSec: in.int("evaluation_window_sec").Or(0),
			AggregateKeyType:    in.textOr("aggregate_key_type", "IP").Or(""),
			CustomKeys:          customKeys(in),
			ScopeDownStatement:  scopeDown(in, depth),
		}
	case "geo_match_statement":
		out.GeoMatchStatement = &estate.GeoMatchStatement{CountryCodes: in.words("country_codes")}
	case "byte_match_statement":
		field, header := fieldToMatch(in.in("field_to_match"))
		constraint := in.plain("positional_constraint")
		out.ByteMatchStatement = &estate.ByteMatchStatement{
			FieldToMatch:         field,
			Header:               strings.ToLower(header),
			PositionalConstraint: constraint,
			// The text may be a secret and goes no further.
			MatchesAll: awsfact.MatchesAll(field, constraint, in.text("search_string").Or("?"), transformations(in)),
		}
	case "and_statement":
		out.AndStatement = statements(in, depth)
	case "or_statement":
		out.OrStatement = statements(in, depth)
	case "not_statement":
		out.NotStatement = &estate.NotStatement{Statement: statement(in.in("statement"), depth+1)}
	default:
		out.Other = camel(name)
	}
	return out
}

// customKeys returns the names of the keys that requests are counted by.
func customKeys(b *block) []string {
	items, known := b.each("custom_key")
	var out []string
	for _, item := range items {
		out = append(out, cmp.Or(keyNames[item.member()], camel(item.member()), "unknown"))
	}
	if !known {
		out = append(out, "unknown")
	}
	return out
}

// keyNames are the names of keys that are not written as words.
var keyNames = map[string]string{
	"asn": "ASN", "ip": "IP", "forwarded_ip": "ForwardedIP", "http_method": "HTTPMethod",
	"ja3_fingerprint": "JA3Fingerprint", "ja4_fingerprint": "JA4Fingerprint", "uri_path": "UriPath",
}

// transformations returns what is done to the text before it is compared. One
// that is not known is none that is harmless.
func transformations(b *block) []string {
	items, known := b.each("text_transformation")
	var out []string
	for _, item := range items {
		out = append(out, item.plain("type"))
	}
	if !known {
		out = append(out, "")
	}
	return out
}

// camel writes snake_case as CloudFormation writes names: SqliMatchStatement.
func camel(snake string) string {
	var b strings.Builder
	for part := range strings.SplitSeq(snake, "_") {
		b.WriteString(actionName(part))
	}
	return b.String()
}

func statements(b *block, depth int) *estate.Statements {
	out := &estate.Statements{Statements: []estate.Statement{}}
	items, known := b.each("statement")
	for _, item := range items {
		out.Statements = append(out.Statements, statement(item, depth+1))
	}
	if !known {
		out.Statements = append(out.Statements, estate.Statement{Other: "unknown"})
	}
	return out
}

func scopeDown(b *block, depth int) *estate.Statement {
	if !b.has("scope_down_statement") {
		return nil
	}
	s := statement(b.in("scope_down_statement"), depth+1)
	return &s
}

func ruleOverrides(b *block) (excluded []string, overrides []estate.RuleActionOverride) {
	items, _ := b.each("excluded_rule")
	for _, item := range items {
		excluded = append(excluded, item.plain("name"))
	}
	items, _ = b.each("rule_action_override")
	for _, item := range items {
		overrides = append(overrides, estate.RuleActionOverride{Name: item.plain("name"), ActionToUse: actionName(item.in("action_to_use").member())})
	}
	return excluded, overrides
}

// fieldToMatch returns the part of the request, and the header where it is one.
func fieldToMatch(b *block) (field, header string) {
	name := b.member()
	if name == "single_header" {
		header = b.in(name).plain("name")
	}
	return camel(name), header
}

func readIPSet(res *resource) {
	put(res, estate.IPSets, &estate.IPSet{
		AWS:              res.aws(),
		Name:             res.name("name"),
		Scope:            res.plain("scope"),
		Id:               res.attr("id"),
		IPAddressVersion: res.plain("ip_address_version"),
		Addresses:        res.texts("addresses", []string{}),
	})
}

func readWebACLAssociation(res *resource) {
	put(res, estate.WebACLAssociations, &estate.WebACLAssociation{
		AWS:         res.aws(),
		ResourceArn: res.ref("resource_arn"),
		WebACLArn:   res.ref("web_acl_arn"),
	})
}

func readWebACLLogging(res *resource) {
	l := &estate.WebACLLogging{
		AWS:                   res.aws(),
		ResourceArn:           res.ref("resource_arn"),
		LogDestinationConfigs: res.refs("log_destination_configs"),
	}
	if items, known := res.each("redacted_fields"); known {
		redacted := []string{}
		for _, item := range items {
			field, header := fieldToMatch(item)
			if header != "" {
				field = "header:" + strings.ToLower(header)
			}
			redacted = append(redacted, field)
		}
		l.RedactedFields = estate.Known(redacted)
	}
	filter := res.in("logging_filter")
	items, known := filter.each("filter")
	var filters []awsfact.LogFilter
	for _, item := range items {
		f := awsfact.LogFilter{Behavior: item.plain("behavior"), Requirement: item.plain("requirement")}
		conditions, all := item.each("condition")
		known = known && all
		for _, c := range conditions {
			if c.has("action_condition") {
				f.Actions = append(f.Actions, c.in("action_condition").plain("action"))
			} else {
				f.Labels = true
			}
		}
		filters = append(filters, f)
	}
	if known && !filter.missing {
		l.KeepsBlocked = awsfact.KeepsBlocked(filter.plain("default_behavior"), filters)
	}
	put(res, estate.WebACLLoggings, l)
}

func readDistribution(res *resource) {
	config := estate.DistributionConfig{
		Enabled:              res.bool("enabled"),
		IPV6Enabled:          res.bool("is_ipv6_enabled"),
		Aliases:              res.refs("aliases"),
		DefaultCacheBehavior: cacheBehavior(res.in("default_cache_behavior")),
		WebACLId:             res.refOrNone("web_acl_id"),
		Logging:              estate.Known(res.has("logging_config")),
	}
	origins, _ := res.each("origin")
	for _, o := range origins {
		origin := estate.DistributionOrigin{Id: o.plain("origin_id"), DomainName: o.ref("domain_name")}
		if o.has("custom_origin_config") {
			c := o.in("custom_origin_config")
			origin.CustomOriginConfig = &estate.CustomOriginConfig{
				OriginProtocolPolicy: c.text("origin_protocol_policy"),
				OriginSSLProtocols:   c.texts("origin_ssl_protocols", nil),
				HTTPSPort:            c.int("https_port").Or(0),
			}
		}
		if o.has("vpc_origin_config") {
			origin.VpcOriginConfig = &estate.VpcOriginConfig{VpcOriginId: o.in("vpc_origin_config").ref("vpc_origin_id")}
		}
		if headers, known := o.each("custom_header"); known {
			names := []string{}
			for _, h := range headers {
				names = append(names, h.plain("name")) // the value is a secret
			}
			origin.OriginCustomHeaders = estate.Known(names)
		}
		config.Origins = append(config.Origins, origin)
	}
	behaviors, _ := res.each("ordered_cache_behavior")
	for _, b := range behaviors {
		config.CacheBehaviors = append(config.CacheBehaviors, cacheBehavior(b))
	}
	v := res.in("viewer_certificate")
	config.ViewerCertificate = estate.ViewerCertificate{
		AcmCertificateArn:            v.ref("acm_certificate_arn"),
		CloudFrontDefaultCertificate: v.boolOr("cloudfront_default_certificate", false),
		MinimumProtocolVersion:       v.textOr("minimum_protocol_version", "TLSv1"),
	}
	put(res, estate.Distributions, &estate.Distribution{
		AWS:                res.aws(),
		Id:                 res.attr("id"),
		DomainName:         res.attr("domain_name"),
		DistributionConfig: config,
	})
}

func cacheBehavior(b *block) estate.CacheBehavior {
	return estate.CacheBehavior{
		PathPattern:          b.plain("path_pattern"),
		TargetOriginId:       b.plain("target_origin_id"),
		ViewerProtocolPolicy: b.text("viewer_protocol_policy"),
	}
}

func absolute(name string) string {
	if name == "" || strings.HasSuffix(name, ".") {
		return name
	}
	return name + "."
}

func readHostedZone(res *resource) {
	put(res, estate.HostedZones, &estate.HostedZone{
		AWS:     res.aws(),
		Id:      res.attr("id"),
		Name:    absolute(res.plain("name")),
		Private: estate.Known(res.has("vpc")),
		Records: estate.Known([]estate.RecordSet{}),
	})
}

func foldRecord(res *resource) {
	zone := res.ref("zone_id")
	record := estate.RecordSet{
		Name:            absolute(res.plain("name")),
		Type:            res.plain("type"),
		AliasTarget:     res.in("alias").ref("name"),
		ResourceRecords: res.refs("records"),
	}
	if !slices.Contains([]string{"A", "AAAA", "CNAME"}, record.Type) {
		return
	}
	res.fold(func() {
		if z, ok := target[*estate.HostedZone](res, zone); ok {
			z.Records = estate.Known(append(z.Records.Or(nil), record))
		}
	})
}

func readShieldProtection(res *resource) {
	put(res, estate.ShieldProtections, &estate.ShieldProtection{AWS: res.aws(), Name: res.name("name"), ResourceArn: res.ref("resource_arn")})
}
