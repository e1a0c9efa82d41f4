package cloudformation

import (
	"cmp"
	"encoding/base64"
	"slices"
	"strings"

	"github.com/eksafe/eksafe/internal/estate"
	"github.com/eksafe/eksafe/internal/source/awsfact"
)

// maxStatements bounds how deep statements may stand in statements.
const maxStatements = 20

func readWebACL(res *resource) {
	p := res.properties()
	acl := &estate.WebACL{
		AWS:   res.aws(p.tags("Tags")),
		Name:  p.name("Name"),
		Scope: p.plain("Scope"),
		Id:    res.id(),
		Rules: wafRules(p),

		MetricName:               p.in("VisibilityConfig").text("MetricName"),
		CloudWatchMetricsEnabled: p.in("VisibilityConfig").bool("CloudWatchMetricsEnabled"),
	}
	if action := p.member("DefaultAction"); action != "" {
		acl.DefaultAction = estate.Known(action)
	}
	put(res, estate.WebACLs, acl, nil)
}

func readRuleGroup(res *resource) {
	p := res.properties()
	put(res, estate.RuleGroups, &estate.RuleGroup{
		AWS:   res.aws(p.tags("Tags")),
		Name:  p.name("Name"),
		Scope: p.plain("Scope"),
		Id:    res.id(),
		Rules: wafRules(p),
	}, nil)
}

func readIPSet(res *resource) {
	p := res.properties()
	put(res, estate.IPSets, &estate.IPSet{
		AWS:              res.aws(p.tags("Tags")),
		Name:             p.name("Name"),
		Scope:            p.plain("Scope"),
		Id:               res.id(),
		IPAddressVersion: p.plain("IPAddressVersion"),
		Addresses:        p.texts("Addresses", []string{}),
	}, nil)
}

func readWebACLAssociation(res *resource) {
	p := res.properties()
	put(res, estate.WebACLAssociations, &estate.WebACLAssociation{
		AWS:         res.aws(nil),
		ResourceArn: p.ref("ResourceArn"),
		WebACLArn:   p.ref("WebACLArn"),
	}, nil)
}

func readWebACLLogging(res *resource) {
	p := res.properties()
	logging := &estate.WebACLLogging{
		AWS:                   res.aws(nil),
		ResourceArn:           p.ref("ResourceArn"),
		LogDestinationConfigs: p.refs("LogDestinationConfigs"),
	}
	if items, known := p.each("RedactedFields"); known {
		redacted := []string{}
		for _, item := range items {
			field, header := fieldToMatch(item)
			known = known && field != ""
			if header != "" {
				field = "header:" + strings.ToLower(header)
			}
			redacted = append(redacted, field)
		}
		if known {
			logging.RedactedFields = estate.Known(redacted)
		}
	}
	logging.KeepsBlocked = keepsBlocked(p)
	put(res, estate.WebACLLoggings, logging, nil)
}

func keepsBlocked(p *properties) estate.Optional[bool] {
	if !p.has("LoggingFilter") {
		return awsfact.KeepsBlocked("", nil)
	}
	filter := p.in("LoggingFilter")
	items, known := filter.each("Filters")
	byDefault, ok := filter.text("DefaultBehavior").Get()
	known = known && ok
	var filters []awsfact.LogFilter
	for _, item := range items {
		f := awsfact.LogFilter{Behavior: item.plain("Behavior"), Requirement: item.plain("Requirement")}
		conditions, all := item.each("Conditions")
		known = known && all && f.Behavior != "" && f.Requirement != ""
		for _, c := range conditions {
			if c.has("ActionCondition") {
				f.Actions = append(f.Actions, c.in("ActionCondition").plain("Action"))
			} else {
				f.Labels = true
			}
		}
		filters = append(filters, f)
	}
	if !known {
		return estate.Optional[bool]{}
	}
	return awsfact.KeepsBlocked(byDefault, filters)
}

// member returns the name of the one member that a property has, "" when that
// is not known: {"Block": {}} is Block.
func (p *properties) member(name string) string {
	v := p.get(name)
	if v.kind != mapping || len(v.node.Content) != 2 {
		return ""
	}
	p.res.view(v) // its members are known to be read
	return v.node.Content[0].Value
}

// only returns the name of the one property that there is, "" where there are
// others.
func (p *properties) only() string {
	if p.node == nil || len(p.node.Content) != 2 {
		return ""
	}
	return p.node.Content[0].Value
}

func wafRules(p *properties) estate.Optional[[]estate.Rule] {
	items, known := p.each("Rules")
	rules := []estate.Rule{}
	for _, item := range items {
		priority, ok := item.int("Priority").Get()
		known = known && ok
		rules = append(rules, estate.Rule{
			Name:           item.ref("Name"),
			Priority:       priority,
			Action:         item.member("Action"),
			OverrideAction: item.member("OverrideAction"),
			Statement:      statement(item.in("Statement"), 0),
		})
	}
	if !known {
		return estate.Optional[[]estate.Rule]{}
	}
	slices.SortStableFunc(rules, func(a, b estate.Rule) int { return cmp.Compare(a.Priority, b.Priority) })
	return estate.Known(rules)
}

// statement returns the one statement that p holds. One that is not known has
// the name of no statement, so that nobody takes it for one that does nothing.
func statement(p *properties, depth int) estate.Statement {
	name := p.only()
	if name == "" || depth > maxStatements {
		return estate.Statement{Other: "unknown"}
	}
	in := p.in(name)
	var out estate.Statement
	switch name {
	case "ManagedRuleGroupStatement":
		excluded, overrides := ruleOverrides(in)
		out.ManagedRuleGroupStatement = &estate.ManagedRuleGroupStatement{
			VendorName:          in.plain("VendorName"),
			Name:                in.plain("Name"),
			Version:             in.plain("Version"),
			ExcludedRules:       excluded,
			RuleActionOverrides: overrides,
			ScopeDownStatement:  scopeDown(in, depth),
		}
	case "RuleGroupReferenceStatement":
		excluded, overrides := ruleOverrides(in)
		out.RuleGroupReferenceStatement = &estate.RuleGroupReferenceStatement{
			Arn:                 in.ref("Arn"),
			ExcludedRules:       excluded,
			RuleActionOverrides: overrides,
		}
	case "IPSetReferenceStatement":
		out.IPSetReferenceStatement = &estate.IPSetReferenceStatement{
			Arn:             in.ref("Arn"),
			ForwardedHeader: in.in("IPSetForwardedIPConfig").plain("HeaderName"),
		}
	case "RateBasedStatement":
		out.RateBasedStatement = &estate.RateBasedStatement{
			Limit:               in.int("Limit").Or(0),
			EvaluationWindowSec: in.int("EvaluationWindowSec").Or(0),
			AggregateKeyType:    in.plain("AggregateKeyType"),
			CustomKeys:          customKeys(in),
			ScopeDownStatement:  scopeDown(in, depth),
		}
	case "GeoMatchStatement":
		out.GeoMatchStatement = &estate.GeoMatchStatement{CountryCodes: in.words("CountryCodes")}
	case "ByteMatchStatement":
		field, header := fieldToMatch(in.in("FieldToMatch"))
		constraint := in.plain("PositionalConstraint")
		out.ByteMatchStatement = &estate.ByteMatchStatement{
			FieldToMatch:         field,
			Header:               strings.ToLower(header),
			PositionalConstraint: constraint,
			MatchesAll:           awsfact.MatchesAll(field, constraint, searchString(in), transformations(in)),
		}
	case "AndStatement":
		out.AndStatement = statements(in, depth)
	case "OrStatement":
		out.OrStatement = statements(in, depth)
	case "NotStatement":
		out.NotStatement = &estate.NotStatement{Statement: statement(in.in("Statement"), depth+1)}
	default:
		out.Other = name
	}
	return out
}

// customKeys returns the names of the keys that requests are counted by.
func customKeys(p *properties) []string {
	items, known := p.each("CustomKeys")
	var out []string
	for _, item := range items {
		name := item.only()
		item.in(name) // what it says of the key is known to be read
		out = append(out, cmp.Or(name, "unknown"))
	}
	if !known {
		out = append(out, "unknown")
	}
	return out
}

// transformations returns what is done to the text before it is compared. One
// that is not known is none that is harmless.
func transformations(p *properties) []string {
	items, known := p.each("TextTransformations")
	var out []string
	for _, item := range items {
		out = append(out, item.plain("Type"))
	}
	if !known {
		out = append(out, "")
	}
	return out
}

func statements(p *properties, depth int) *estate.Statements {
	out := &estate.Statements{Statements: []estate.Statement{}}
	items, known := p.each("Statements")
	for _, item := range items {
		out.Statements = append(out.Statements, statement(item, depth+1))
	}
	if !known {
		out.Statements = append(out.Statements, estate.Statement{Other: "unknown"})
	}
	return out
}

func scopeDown(p *properties, depth int) *estate.Statement {
	if !p.has("ScopeDownStatement") {
		return nil
	}
	s := statement(p.in("ScopeDownStatement"), depth+1)
	return &s
}

func ruleOverrides(p *properties) (excluded []string, overrides []estate.RuleActionOverride) {
	items, _ := p.each("ExcludedRules")
	for _, item := range items {
		excluded = append(excluded, item.plain("Name"))
	}
	items, _ = p.each("RuleActionOverrides")
	for _, item := range items {
		overrides = append(overrides, estate.RuleActionOverride{Name: item.plain("Name"), ActionToUse: item.member("ActionToUse")})
	}
	return excluded, overrides
}

// fieldToMatch returns the part of the request, and the header where it is one.
func fieldToMatch(p *properties) (field, header string) {
	field = p.only()
	if field == "SingleHeader" {
		header = p.in(field).plain("Name")
	}
	return field, header
}

// searchString returns the text that is looked for. It may be a secret and is
// for MatchesAll alone.
func searchString(p *properties) string {
	const some = "?" // not empty, and no slash
	if encoded, ok := p.text("SearchStringBase64").Get(); ok {
		if data, err := base64.StdEncoding.DecodeString(encoded); err == nil {
			return string(data)
		}
		return some
	}
	return p.text("SearchString").Or(some)
}

func readHostedZone(res *resource) {
	p := res.properties()
	private := estate.Known(p.has("VPCs"))
	if items, known := p.each("VPCs"); !known && len(items) == 0 {
		private = estate.Optional[bool]{}
	}
	put(res, estate.HostedZones, &estate.HostedZone{
		AWS:     res.aws(p.tags("HostedZoneTags")),
		Id:      res.id(),
		Name:    absolute(p.ref("Name")),
		Private: private,
		Records: estate.Known([]estate.RecordSet{}),
	}, nil, p.ref("Name"), absolute(p.ref("Name")))
}

// absolute writes a domain name with the dot that ends it.
func absolute(name string) string {
	if name == "" || strings.HasSuffix(name, ".") {
		return name
	}
	return name + "."
}

func foldRecordSet(res *resource) { foldRecords(res, res.properties(), nil) }

func foldRecordSetGroup(res *resource) {
	p := res.properties()
	items, _ := p.each("RecordSets")
	for _, item := range items {
		foldRecords(res, item, p)
	}
}

func foldRecords(res *resource, p, group *properties) {
	zone := cmp.Or(p.ref("HostedZoneId"), absolute(p.ref("HostedZoneName")))
	if group != nil {
		zone = cmp.Or(zone, group.ref("HostedZoneId"), absolute(group.ref("HostedZoneName")))
	}
	record := estate.RecordSet{
		Name:            absolute(p.ref("Name")),
		Type:            p.plain("Type"),
		AliasTarget:     p.in("AliasTarget").ref("DNSName"),
		ResourceRecords: p.refs("ResourceRecords"),
	}
	res.fold(func() {
		to, ok := target[*estate.HostedZone](res, zone)
		if !ok {
			// The zone belongs to another stack, which does not show its records.
			return
		}
		if records, known := to.Records.Get(); known && slices.Contains([]string{"A", "AAAA", "CNAME"}, record.Type) {
			res.reader.add(&to.Origin, "records", res, false)
			to.Records = estate.Known(append(records, record))
		}
	})
}

func readShieldProtection(res *resource) {
	p := res.properties()
	put(res, estate.ShieldProtections, &estate.ShieldProtection{
		AWS:         res.aws(p.tags("Tags")),
		Name:        p.name("Name"),
		ResourceArn: p.ref("ResourceArn"),
	}, nil)
}

func readFlowLog(res *resource) {
	p := res.properties()
	put(res, estate.FlowLogs, &estate.FlowLog{
		AWS:                res.aws(p.tags("Tags")),
		Id:                 res.name,
		ResourceId:         p.ref("ResourceId"),
		TrafficType:        p.text("TrafficType"),
		LogDestinationType: p.textOr("LogDestinationType", "cloud-watch-logs").Or(""),
		LogDestination:     cmp.Or(p.ref("LogDestination"), p.ref("LogGroupName")),
	}, nil)
}
