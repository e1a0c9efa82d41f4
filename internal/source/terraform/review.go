package terraform

import (
	"strings"

	"github.com/eksafe/eksafe/internal/estate"
)

func readRepository(res *resource) {
	var excluded estate.Optional[[]estate.TagFilter]
	if items, known := res.each("image_tag_mutability_exclusion_filter"); known {
		all := []estate.TagFilter{}
		for _, item := range items {
			filter, ok := item.text("filter").Get()
			known = known && ok
			all = append(all, estate.TagFilter{Filter: filter})
		}
		if known {
			excluded = estate.Known(all)
		}
	}
	put(res, estate.Repositories, &estate.Repository{
		AWS:                res.aws(),
		RepositoryName:     res.name("name"),
		RepositoryUri:      res.attr("repository_url"),
		ImageTagMutability: res.textOr("image_tag_mutability", "MUTABLE"),
		ScanOnPush:         res.in("image_scanning_configuration").boolOr("scan_on_push", false),
		EncryptionType:     res.in("encryption_configuration").textOr("encryption_type", "AES256"),

		ImageTagMutabilityExclusionFilters: excluded,
	})
}

func readRegistryScanning(res *resource) {
	r := &estate.RegistryScanning{AWS: res.aws(), ScanType: res.text("scan_type")}
	if items, known := res.each("rule"); known {
		rules := []estate.RegistryScanningRule{}
		for _, item := range items {
			rule := estate.RegistryScanningRule{ScanFrequency: item.plain("scan_frequency")}
			filters, complete := item.each("repository_filter")
			known = known && complete
			for _, f := range filters {
				rule.RepositoryFilters = append(rule.RepositoryFilters, estate.RepositoryFilter{Filter: f.plain("filter"), FilterType: f.plain("filter_type")})
			}
			rules = append(rules, rule)
		}
		if known {
			r.Rules = estate.Known(rules)
		}
	}
	put(res, estate.RegistryScannings, r)
}

func readDetector(res *resource) {
	put(res, estate.GuardDutyDetectors, &estate.GuardDutyDetector{
		AWS: res.aws(), Id: res.attr("id"), Enable: res.boolOr("enable", true), FindingPublishingFrequency: res.plain("finding_publishing_frequency"),
	})
}

func foldDetectorFeature(res *resource) {
	to := res.ref("detector_id")
	f := estate.GuardDutyFeature{Name: res.plain("name"), Status: res.plain("status")}
	items, _ := res.each("additional_configuration")
	for _, item := range items {
		f.AdditionalConfiguration = append(f.AdditionalConfiguration, estate.GuardDutyFeature{Name: item.plain("name"), Status: item.plain("status")})
	}
	res.fold(func() {
		if d, ok := target[*estate.GuardDutyDetector](res, to); ok {
			d.Features = estate.Known(append(d.Features.Or(nil), f))
		}
	})
}

func readSecurityHub(res *resource) {
	hub := &estate.SecurityHub{AWS: res.aws(), Enabled: estate.Known(true)}
	if on, known := res.boolOr("enable_default_standards", true).Get(); known && !on {
		hub.Standards = estate.Known([]estate.Standard{})
	}
	put(res, estate.SecurityHubs, hub)
}

func foldStandard(res *resource) {
	arn := res.ref("standards_arn")
	res.fold(func() {
		for _, hub := range estate.SecurityHubs.In(res.reader.estate) {
			hub.Standards = estate.Known(append(hub.Standards.Or(nil), estate.Standard{StandardsArn: arn}))
		}
	})
}

func readAnalyzer(res *resource) {
	put(res, estate.Analyzers, &estate.Analyzer{AWS: res.aws(), AnalyzerName: res.name("analyzer_name"), Type: res.textOr("type", "ACCOUNT").Or("")})
}

func readConfigurationRecorder(res *resource) {
	all := res.in("recording_group").boolOr("all_supported", true)
	put(res, estate.ConfigRecorders, &estate.ConfigurationRecorder{
		AWS: res.aws(), Name: res.name("name"), AllSupported: all, Recording: estate.Known(false), DeliveryChannel: estate.Known(false),
	})
}

func foldDeliveryChannel(res *resource) {
	res.fold(func() {
		for _, r := range estate.ConfigRecorders.In(res.reader.estate) {
			r.DeliveryChannel = estate.Known(true)
		}
	})
}

func foldRecorderStatus(res *resource) {
	to, on := res.ref("name"), res.bool("is_enabled")
	res.fold(func() {
		if r, ok := target[*estate.ConfigurationRecorder](res, to); ok {
			r.Recording = on
		}
	})
}

func readAlarm(res *resource) {
	a := &estate.Alarm{
		AWS:                res.aws(),
		AlarmName:          res.name("alarm_name"),
		Namespace:          res.plain("namespace"),
		MetricName:         res.plain("metric_name"),
		Dimensions:         dimensions(res.block),
		Statistic:          res.plain("statistic"),
		ExtendedStatistic:  res.plain("extended_statistic"),
		Period:             res.int("period"),
		EvaluationPeriods:  res.int("evaluation_periods"),
		DatapointsToAlarm:  res.int("datapoints_to_alarm"),
		Threshold:          res.float("threshold"),
		ThresholdMetricId:  res.plain("threshold_metric_id"),
		ComparisonOperator: res.plain("comparison_operator"),
		TreatMissingData:   res.textOr("treat_missing_data", "missing").Or(""),
		ActionsEnabled:     res.boolOr("actions_enabled", true),
		AlarmActions:       res.refs("alarm_actions"),
	}
	items, _ := res.each("metric_query")
	for _, item := range items {
		m := item.in("metric")
		a.Metrics = append(a.Metrics, estate.MetricDataQuery{
			Id: item.plain("id"), Expression: item.plain("expression"),
			Namespace: m.plain("namespace"), MetricName: m.plain("metric_name"), Dimensions: dimensions(m), Stat: m.plain("stat"), Period: m.int("period").Or(0),
		})
	}
	put(res, estate.Alarms, a)
}

func dimensions(b *block) []estate.Dimension {
	given, _ := b.values["dimensions"].(map[string]any)
	unknown, _ := b.unknown["dimensions"].(map[string]any)
	var out []estate.Dimension
	for _, name := range sortedKeys(given, unknown) {
		value, ok := given[name].(string)
		if !ok {
			// One value that is not known yet can only be what the map refers to.
			value = "${?}"
			if ids := b.resolve("dimensions", false); len(ids) == 1 {
				value = ids[0]
			}
		}
		out = append(out, estate.Dimension{Name: name, Value: value})
	}
	return out
}

func readCompositeAlarm(res *resource) {
	put(res, estate.CompositeAlarms, &estate.CompositeAlarm{
		AWS: res.aws(), AlarmName: res.name("alarm_name"), AlarmRule: res.ref("alarm_rule"),
		ActionsEnabled: res.boolOr("actions_enabled", true), AlarmActions: res.refs("alarm_actions"),
	})
}

func readTopic(res *resource) {
	put(res, estate.Topics, &estate.Topic{
		AWS: res.aws(), TopicName: res.name("name"), KmsMasterKeyId: res.refOrNone("kms_master_key_id"),
		Subscriptions: estate.Known([]estate.Subscription{}),
	})
}

func foldSubscription(res *resource) {
	to := res.ref("topic_arn")
	s := estate.Subscription{Protocol: res.plain("protocol"), Endpoint: res.ref("endpoint")}
	// An address of a person is nobody's business.
	if !strings.HasPrefix(s.Endpoint, "arn:") && !strings.HasPrefix(s.Endpoint, "tf:") {
		s.Endpoint = ""
	}
	switch pending, known := res.bool("pending_confirmation").Get(); {
	case known:
		s.Confirmed = estate.Known(!pending)
	case s.Protocol == "lambda" || s.Protocol == "sqs":
		s.Confirmed = estate.Known(true)
	}
	res.fold(func() {
		if t, ok := target[*estate.Topic](res, to); ok {
			t.Subscriptions = estate.Known(append(t.Subscriptions.Or(nil), s))
		}
	})
}

func readEventRule(res *resource) {
	state := res.textOr("state", "ENABLED")
	if on, known := res.bool("is_enabled").Get(); known && !on {
		state = estate.Known("DISABLED")
	}
	pattern := res.document("event_pattern")
	if !res.has("event_pattern") {
		pattern = estate.Known("")
	}
	put(res, estate.EventRules, &estate.EventRule{
		AWS: res.aws(), Name: res.name("name"), EventBusName: res.textOr("event_bus_name", "default").Or(""),
		EventPattern: pattern, State: state, Targets: estate.Known([]string{}),
	})
}

func foldEventTarget(res *resource) {
	to, arn := res.ref("rule"), res.ref("arn")
	res.fold(func() {
		if r, ok := target[*estate.EventRule](res, to); ok {
			r.Targets = estate.Known(append(r.Targets.Or(nil), arn))
		}
	})
}

func readLogGroup(res *resource) {
	put(res, estate.LogGroups, &estate.LogGroup{
		AWS: res.aws(), LogGroupName: res.name("name"), RetentionInDays: res.intOr("retention_in_days", 0),
		KmsKeyId: res.refOrNone("kms_key_id"), SubscriptionFilters: estate.Known([]string{}),
	})
}

func foldSubscriptionFilter(res *resource) {
	to, destination := res.ref("log_group_name"), res.ref("destination_arn")
	res.fold(func() {
		if g, ok := target[*estate.LogGroup](res, to); ok {
			g.SubscriptionFilters = estate.Known(append(g.SubscriptionFilters.Or(nil), destination))
		}
	})
}

func readTrail(res *resource) {
	put(res, estate.Trails, &estate.Trail{
		AWS:                        res.aws(),
		TrailName:                  res.name("name"),
		IsLogging:                  res.boolOr("enable_logging", true),
		IsMultiRegionTrail:         res.boolOr("is_multi_region_trail", false),
		IsOrganizationTrail:        res.boolOr("is_organization_trail", false),
		IncludeGlobalServiceEvents: res.boolOr("include_global_service_events", true),
		EnableLogFileValidation:    res.boolOr("enable_log_file_validation", false),
		S3BucketName:               res.ref("s3_bucket_name"),
		KMSKeyId:                   res.refOrNone("kms_key_id"),
		CloudWatchLogsLogGroupArn:  res.ref("cloud_watch_logs_group_arn"),
		ManagementEvents:           managementEvents(res),
	})
}

// managementEvents says which management events a trail records: all, unless
// selectors choose.
func managementEvents(res *resource) estate.Optional[string] {
	simple, known := res.each("event_selector")
	advanced, complete := res.each("advanced_event_selector")
	if known = known && complete; len(simple)+len(advanced) == 0 && known {
		return estate.Known("All")
	}
	out := ""
	record := func(which string) {
		switch {
		case out == "":
			out = which
		case out != which:
			out = "All" // reads by one, writes by another
		}
	}
	for _, s := range simple {
		on, ok := s.boolOr("include_management_events", true).Get()
		known = known && ok
		if on {
			record(s.textOr("read_write_type", "All").Or("All"))
		}
	}
	for _, s := range advanced {
		fields, ok := s.each("field_selector")
		known = known && ok
		management, which := false, "All"
		for _, f := range fields {
			equals := f.words("equals")
			switch f.plain("field") {
			case "eventCategory":
				management = len(equals) == 1 && equals[0] == "Management"
			case "readOnly":
				if len(equals) == 1 {
					which = map[string]string{"true": "ReadOnly", "false": "WriteOnly"}[equals[0]]
				}
			}
		}
		if management {
			record(which)
		}
	}
	if !known {
		return estate.Optional[string]{}
	}
	return estate.Known(out)
}
