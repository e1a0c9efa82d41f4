package estate

// Alarm is AWS::CloudWatch::Alarm.
type Alarm struct {
	AWS                `json:"aws" cfn:"-"`
	AlarmName          string            `json:"alarmName"`
	Namespace          string            `json:"namespace,omitempty"` // AWS/ApplicationELB, AWS/WAFV2 …; empty with Metrics
	MetricName         string            `json:"metricName,omitempty"`
	Dimensions         []Dimension       `json:"dimensions,omitempty"`
	Statistic          string            `json:"statistic,omitempty"`
	ExtendedStatistic  string            `json:"extendedStatistic,omitempty"`
	Period             Optional[int]     `json:"period,omitzero"` // seconds
	EvaluationPeriods  Optional[int]     `json:"evaluationPeriods,omitzero"`
	DatapointsToAlarm  Optional[int]     `json:"datapointsToAlarm,omitzero"`
	Threshold          Optional[float64] `json:"threshold,omitzero"` // unknown with an anomaly band
	ThresholdMetricId  string            `json:"thresholdMetricId,omitempty"`
	ComparisonOperator string            `json:"comparisonOperator,omitempty"`
	TreatMissingData   string            `json:"treatMissingData,omitempty"`
	Metrics            []MetricDataQuery `json:"metrics,omitempty"` // of an alarm on metric math
	ActionsEnabled     Optional[bool]    `json:"actionsEnabled,omitzero"`
	AlarmActions       []string          `json:"alarmActions,omitempty"` // ARNs
}

// Dimension narrows a metric: LoadBalancer = app/shop/…
type Dimension struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// MetricDataQuery is one metric or expression of metric math.
type MetricDataQuery struct {
	Id         string      `json:"id"`
	Expression string      `json:"expression,omitempty"`
	Namespace  string      `json:"namespace,omitempty" cfn:"MetricStat.Metric.Namespace"`
	MetricName string      `json:"metricName,omitempty" cfn:"MetricStat.Metric.MetricName"`
	Dimensions []Dimension `json:"dimensions,omitempty" cfn:"MetricStat.Metric.Dimensions"`
	Stat       string      `json:"stat,omitempty" cfn:"MetricStat.Stat"`
	Period     int         `json:"period,omitempty" cfn:"MetricStat.Period"` // seconds
}

// CompositeAlarm is AWS::CloudWatch::CompositeAlarm.
type CompositeAlarm struct {
	AWS            `json:"aws" cfn:"-"`
	AlarmName      string         `json:"alarmName"`
	AlarmRule      string         `json:"alarmRule"` // ALARM("name") OR …
	ActionsEnabled Optional[bool] `json:"actionsEnabled,omitzero"`
	AlarmActions   []string       `json:"alarmActions,omitempty"`
}

// Topic is AWS::SNS::Topic with its AWS::SNS::Subscription resources.
type Topic struct {
	AWS            `json:"aws" cfn:"-"`
	TopicName      string                   `json:"topicName"`
	KmsMasterKeyId Optional[string]         `json:"kmsMasterKeyId,omitzero"`        // "" for none
	Subscriptions  Optional[[]Subscription] `json:"subscriptions,omitzero" cfn:"-"` // AWS::SNS::Subscription
}

// Subscription is AWS::SNS::Subscription. Endpoint is kept where it is an ARN:
// addresses of people are nobody's business.
type Subscription struct {
	Protocol  string         `json:"protocol"` // email, https, lambda, sqs …
	Endpoint  string         `json:"endpoint,omitempty"`
	Confirmed Optional[bool] `json:"confirmed,omitzero" cfn:"-"` // sns:ListSubscriptions; a template's are not yet
}

// EventRule is AWS::Events::Rule.
type EventRule struct {
	AWS          `json:"aws" cfn:"-"`
	Name         string             `json:"name"`
	EventBusName string             `json:"eventBusName,omitempty"`
	EventPattern Optional[string]   `json:"eventPattern,omitzero"` // JSON; "" for a schedule
	State        Optional[string]   `json:"state,omitzero"`        // ENABLED, DISABLED …
	Targets      Optional[[]string] `json:"targets,omitzero"`      // ARNs
}

// LogGroup is AWS::Logs::LogGroup with its AWS::Logs::SubscriptionFilter
// resources.
type LogGroup struct {
	AWS                 `json:"aws" cfn:"-"`
	LogGroupName        string             `json:"logGroupName"`
	RetentionInDays     Optional[int]      `json:"retentionInDays,omitzero"`             // 0: for ever
	KmsKeyId            Optional[string]   `json:"kmsKeyId,omitzero"`                    // "" for AWS's own key
	SubscriptionFilters Optional[[]string] `json:"subscriptionFilters,omitzero" cfn:"-"` // ARNs of their destinations
}

// Trail is AWS::CloudTrail::Trail.
type Trail struct {
	AWS                        `json:"aws" cfn:"-"`
	TrailName                  string           `json:"trailName"`
	IsLogging                  Optional[bool]   `json:"isLogging,omitzero"`
	IsMultiRegionTrail         Optional[bool]   `json:"isMultiRegionTrail,omitzero"`
	IsOrganizationTrail        Optional[bool]   `json:"isOrganizationTrail,omitzero"`
	IncludeGlobalServiceEvents Optional[bool]   `json:"includeGlobalServiceEvents,omitzero"`
	EnableLogFileValidation    Optional[bool]   `json:"enableLogFileValidation,omitzero"`
	S3BucketName               string           `json:"s3BucketName,omitempty"`
	KMSKeyId                   Optional[string] `json:"kmsKeyId,omitzero"` // "" for none
	CloudWatchLogsLogGroupArn  string           `json:"cloudWatchLogsLogGroupArn,omitempty"`
	// ManagementEvents says which of them are recorded: All, ReadOnly,
	// WriteOnly; "" for none.
	ManagementEvents Optional[string] `json:"managementEvents,omitzero" cfn:"-"`
}
