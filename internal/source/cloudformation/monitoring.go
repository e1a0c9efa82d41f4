package cloudformation

import (
	"encoding/json"
	"strconv"
	"strings"

	"github.com/eksafe/eksafe/internal/estate"
)

func readRepository(res *resource) {
	p := res.properties()
	var excluded estate.Optional[[]estate.TagFilter]
	if items, known := p.each("ImageTagMutabilityExclusionFilters"); known {
		all := []estate.TagFilter{}
		for _, item := range items {
			filter, ok := item.text("ImageTagMutabilityExclusionFilterValue").Get()
			known = known && ok
			all = append(all, estate.TagFilter{Filter: filter})
		}
		if known {
			excluded = estate.Known(all)
		}
	}
	put(res, estate.Repositories, &estate.Repository{
		AWS:                res.aws(p.tags("Tags")),
		RepositoryName:     p.name("RepositoryName"),
		RepositoryUri:      res.id() + ".RepositoryUri", // what GetAtt resolves to
		ImageTagMutability: p.textOr("ImageTagMutability", "MUTABLE"),
		ScanOnPush:         p.in("ImageScanningConfiguration").boolOr("ScanOnPush", false),
		EncryptionType:     p.in("EncryptionConfiguration").textOr("EncryptionType", "AES256"),

		ImageTagMutabilityExclusionFilters: excluded,
	}, nil)
}

func readRegistryScanning(res *resource) {
	p := res.properties()
	var rules estate.Optional[[]estate.RegistryScanningRule]
	if items, known := p.each("Rules"); known {
		all := []estate.RegistryScanningRule{}
		for _, item := range items {
			rule := estate.RegistryScanningRule{ScanFrequency: item.plain("ScanFrequency")}
			filters, complete := item.each("RepositoryFilters")
			known = known && complete && rule.ScanFrequency != ""
			for _, f := range filters {
				filter, ok := f.text("Filter").Get()
				known = known && ok
				rule.RepositoryFilters = append(rule.RepositoryFilters, estate.RepositoryFilter{Filter: filter, FilterType: f.plain("FilterType")})
			}
			all = append(all, rule)
		}
		if known {
			rules = estate.Known(all)
		}
	}
	put(res, estate.RegistryScannings, &estate.RegistryScanning{AWS: res.aws(nil), ScanType: p.text("ScanType"), Rules: rules}, nil)
}

func readDetector(res *resource) {
	p := res.properties()
	detector := &estate.GuardDutyDetector{
		AWS:                        res.aws(p.tags("Tags")),
		Id:                         res.name,
		Enable:                     p.bool("Enable"),
		FindingPublishingFrequency: p.plain("FindingPublishingFrequency"),
	}
	// Without the property it is AWS's defaults that decide.
	if items, known := p.each("Features"); known && p.has("Features") {
		features := []estate.GuardDutyFeature{}
		for _, item := range items {
			feature := estate.GuardDutyFeature{Name: item.plain("Name"), Status: item.plain("Status")}
			known = known && feature.Name != "" && feature.Status != ""
			more, complete := item.each("AdditionalConfiguration")
			known = known && complete
			for _, a := range more {
				feature.AdditionalConfiguration = append(feature.AdditionalConfiguration, estate.GuardDutyFeature{Name: a.plain("Name"), Status: a.plain("Status")})
			}
			features = append(features, feature)
		}
		if known {
			detector.Features = estate.Known(features)
		}
	}
	put(res, estate.GuardDutyDetectors, detector, nil)
}

func readSecurityHub(res *resource) {
	p := res.properties()
	hub := &estate.SecurityHub{AWS: res.aws(p.tags("Tags")), Enabled: estate.Known(true)}
	if on, known := p.boolOr("EnableDefaultStandards", true).Get(); known && !on {
		hub.Standards = estate.Known([]estate.Standard{})
	}
	put(res, estate.SecurityHubs, hub, nil)
}

func readSecurityHubV2(res *resource) {
	put(res, estate.SecurityHubs, &estate.SecurityHub{AWS: res.aws(nil), EnabledV2: estate.Known(true)}, nil)
}

// foldStandard gives a standard to the hub of its stack.
func foldStandard(res *resource) {
	arn := res.properties().ref("StandardsArn")
	res.fold(func() {
		for _, other := range res.list {
			if hub, ok := other.item.(*estate.SecurityHub); ok && hub.Enabled.Or(false) {
				hub.Standards = estate.Known(append(hub.Standards.Or(nil), estate.Standard{StandardsArn: arn}))
				res.reader.add(&hub.Origin, "standards", res, false)
			}
		}
	})
}

func readAnalyzer(res *resource) {
	p := res.properties()
	put(res, estate.Analyzers, &estate.Analyzer{
		AWS:          res.aws(p.tags("Tags")),
		AnalyzerName: p.name("AnalyzerName"),
		Type:         p.plain("Type"),
	}, nil)
}

func readConfigurationRecorder(res *resource) {
	p := res.properties()
	all := p.in("RecordingGroup").boolOr("AllSupported", false)
	if !p.has("RecordingGroup") {
		all = estate.Known(true)
	}
	put(res, estate.ConfigRecorders, &estate.ConfigurationRecorder{
		AWS:             res.aws(nil),
		Name:            p.name("Name"),
		AllSupported:    all,
		DeliveryChannel: estate.Known(false),
	}, nil)
}

// foldDeliveryChannel starts the recorder of its stack: CloudFormation does so
// as soon as there is a channel.
func foldDeliveryChannel(res *resource) {
	res.properties()
	res.fold(func() {
		for _, other := range res.list {
			if r, ok := other.item.(*estate.ConfigurationRecorder); ok {
				r.DeliveryChannel, r.Recording = estate.Known(true), estate.Known(true)
			}
		}
	})
}

func readAlarm(res *resource) {
	p := res.properties()
	alarm := &estate.Alarm{
		AWS:                res.aws(p.tags("Tags")),
		AlarmName:          p.name("AlarmName"),
		Namespace:          p.plain("Namespace"),
		MetricName:         p.plain("MetricName"),
		Dimensions:         dimensions(p),
		Statistic:          p.plain("Statistic"),
		ExtendedStatistic:  p.plain("ExtendedStatistic"),
		Period:             p.int("Period"),
		EvaluationPeriods:  p.int("EvaluationPeriods"),
		DatapointsToAlarm:  p.int("DatapointsToAlarm"),
		Threshold:          p.float("Threshold"),
		ThresholdMetricId:  p.plain("ThresholdMetricId"),
		ComparisonOperator: p.plain("ComparisonOperator"),
		TreatMissingData:   p.textOr("TreatMissingData", "missing").Or(""),
		ActionsEnabled:     p.boolOr("ActionsEnabled", true),
		AlarmActions:       p.refs("AlarmActions"),
	}
	items, _ := p.each("Metrics")
	for _, item := range items {
		stat := item.in("MetricStat")
		metric := stat.in("Metric")
		alarm.Metrics = append(alarm.Metrics, estate.MetricDataQuery{
			Id:         item.plain("Id"),
			Expression: item.plain("Expression"),
			Namespace:  metric.plain("Namespace"),
			MetricName: metric.plain("MetricName"),
			Dimensions: dimensions(metric),
			Stat:       stat.plain("Stat"),
			Period:     stat.int("Period").Or(0),
		})
	}
	put(res, estate.Alarms, alarm, nil)
}

func dimensions(p *properties) []estate.Dimension {
	items, _ := p.each("Dimensions")
	var out []estate.Dimension
	for _, item := range items {
		out = append(out, estate.Dimension{Name: item.plain("Name"), Value: item.ref("Value")})
	}
	return out
}

// float returns a number; unknown when it is absent.
func (p *properties) float(name string) estate.Optional[float64] {
	v := p.get(name)
	if v.kind != scalar || v.id || v.made {
		return estate.Optional[float64]{}
	}
	f, err := strconv.ParseFloat(v.text, 64)
	if err != nil {
		p.wrong(name, "no number", v)
		return estate.Optional[float64]{}
	}
	return estate.Known(f)
}

func readCompositeAlarm(res *resource) {
	p := res.properties()
	put(res, estate.CompositeAlarms, &estate.CompositeAlarm{
		AWS:            res.aws(p.tags("Tags")),
		AlarmName:      p.name("AlarmName"),
		AlarmRule:      p.ref("AlarmRule"),
		ActionsEnabled: p.boolOr("ActionsEnabled", true),
		AlarmActions:   p.refs("AlarmActions"),
	}, nil)
}

func readTopic(res *resource) {
	p := res.properties()
	subscriptions := []estate.Subscription{}
	items, known := p.each("Subscription")
	for _, item := range items {
		subscriptions = append(subscriptions, subscription(item))
	}
	topic := &estate.Topic{
		AWS:            res.aws(p.tags("Tags")),
		TopicName:      p.name("TopicName"),
		KmsMasterKeyId: p.refOrNone("KmsMasterKeyId"),
	}
	if known {
		topic.Subscriptions = estate.Known(subscriptions)
	}
	put(res, estate.Topics, topic, map[string]string{"subscriptions": "Subscription"})
}

// subscription keeps of the endpoint what names a resource: an address of a
// person is nobody's business.
func subscription(p *properties) estate.Subscription {
	s := estate.Subscription{Protocol: p.plain("Protocol"), Endpoint: p.ref("Endpoint")}
	if !strings.HasPrefix(s.Endpoint, "arn:") && !strings.HasPrefix(s.Endpoint, "cfn:") {
		s.Endpoint = ""
	}
	// AWS confirms these itself; whoever owns the others must.
	if s.Protocol == "lambda" || s.Protocol == "sqs" {
		s.Confirmed = estate.Known(true)
	}
	return s
}

func foldSubscription(res *resource) {
	p := res.properties()
	to, s := p.ref("TopicArn"), subscription(p)
	res.fold(func() {
		topic, ok := target[*estate.Topic](res, to)
		if !ok || res.exists == maybe {
			return
		}
		if all, known := topic.Subscriptions.Get(); known {
			topic.Subscriptions = estate.Known(append(all, s))
			res.reader.add(&topic.Origin, "subscriptions", res, false)
		}
	})
}

func readEventRule(res *resource) {
	p := res.properties()
	rule := &estate.EventRule{
		AWS:          res.aws(p.tags("Tags")),
		Name:         p.name("Name"),
		EventBusName: p.textOr("EventBusName", "default").Or(""),
		State:        p.textOr("State", "ENABLED"),
	}
	if !p.has("EventPattern") {
		rule.EventPattern = estate.Known("")
	} else {
		var unresolved bool
		pattern := typed(toJSON(p.get("EventPattern"), asIs, &unresolved, 0))
		if data, err := json.Marshal(pattern); err == nil && !unresolved {
			rule.EventPattern = estate.Known(string(data))
		}
	}
	if items, known := p.each("Targets"); known {
		targets := []string{}
		for _, item := range items {
			targets = append(targets, item.ref("Arn"))
		}
		rule.Targets = estate.Known(targets)
	}
	put(res, estate.EventRules, rule, nil)
}

// typed gives numbers and truth values of an event pattern their type again: a
// template's values are texts.
func typed(v any) any {
	switch v := v.(type) {
	case []any:
		for i := range v {
			v[i] = typed(v[i])
		}
	case map[string]any:
		for key, inner := range v {
			switch values, isList := inner.([]any); {
			case key == "numeric" && isList:
				for i, text := range values {
					if s, ok := text.(string); ok {
						if f, err := strconv.ParseFloat(s, 64); err == nil {
							values[i] = f
						}
					}
				}
			case key == "exists":
				if s, ok := inner.(string); ok {
					v[key] = s == "true"
				}
			default:
				v[key] = typed(inner)
			}
		}
	}
	return v
}

func readLogGroup(res *resource) {
	p := res.properties()
	retention := p.int("RetentionInDays")
	if !p.has("RetentionInDays") {
		retention = estate.Known(0)
	}
	put(res, estate.LogGroups, &estate.LogGroup{
		AWS:                 res.aws(p.tags("Tags")),
		LogGroupName:        p.name("LogGroupName"),
		RetentionInDays:     retention,
		KmsKeyId:            p.refOrNone("KmsKeyId"),
		SubscriptionFilters: estate.Known([]string{}),
	}, nil, p.ref("LogGroupName"))
}

func foldSubscriptionFilter(res *resource) {
	p := res.properties()
	to, destination := p.ref("LogGroupName"), p.ref("DestinationArn")
	res.fold(func() {
		if group, ok := target[*estate.LogGroup](res, to); ok && res.exists != maybe {
			group.SubscriptionFilters = estate.Known(append(group.SubscriptionFilters.Or(nil), destination))
			res.reader.add(&group.Origin, "subscriptionFilters", res, false)
		}
	})
}

func readTrail(res *resource) {
	p := res.properties()
	put(res, estate.Trails, &estate.Trail{
		AWS:                        res.aws(p.tags("Tags")),
		TrailName:                  p.name("TrailName"),
		IsLogging:                  p.bool("IsLogging"),
		IsMultiRegionTrail:         p.boolOr("IsMultiRegionTrail", false),
		IsOrganizationTrail:        p.boolOr("IsOrganizationTrail", false),
		IncludeGlobalServiceEvents: p.bool("IncludeGlobalServiceEvents"),
		EnableLogFileValidation:    p.boolOr("EnableLogFileValidation", false),
		S3BucketName:               p.ref("S3BucketName"),
		KMSKeyId:                   p.refOrNone("KMSKeyId"),
		CloudWatchLogsLogGroupArn:  p.ref("CloudWatchLogsLogGroupArn"),
		ManagementEvents:           managementEvents(p),
	}, map[string]string{"managementEvents": "EventSelectors"})
}

// managementEvents says which management events a trail records: all, unless
// selectors choose.
func managementEvents(p *properties) estate.Optional[string] {
	if p.has("AdvancedEventSelectors") {
		return advancedSelectors(p)
	}
	if !p.has("EventSelectors") {
		return estate.Known("All")
	}
	items, known := p.each("EventSelectors")
	out := ""
	for _, item := range items {
		on, sure := item.boolOr("IncludeManagementEvents", true).Get()
		which, ok := item.textOr("ReadWriteType", "All").Get()
		known = known && sure && ok
		switch {
		case !on:
		case out == "":
			out = which
		case out != which:
			out = "All" // reads by one, writes by another
		}
	}
	if !known {
		return estate.Optional[string]{}
	}
	return estate.Known(out)
}

func advancedSelectors(p *properties) estate.Optional[string] {
	items, known := p.each("AdvancedEventSelectors")
	out := ""
	for _, item := range items {
		fields, complete := item.each("FieldSelectors")
		known = known && complete
		management, which := false, "All"
		for _, f := range fields {
			equals := f.words("Equals")
			switch f.plain("Field") {
			case "eventCategory":
				management = len(equals) == 1 && equals[0] == "Management"
			case "readOnly":
				if len(equals) == 1 {
					which = map[string]string{"true": "ReadOnly", "false": "WriteOnly"}[equals[0]]
				}
			}
		}
		switch {
		case !management:
		case out == "":
			out = which
		case out != which:
			out = "All"
		}
	}
	if !known {
		return estate.Optional[string]{}
	}
	return estate.Known(out)
}
