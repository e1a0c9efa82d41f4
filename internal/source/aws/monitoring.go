package aws

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"sync"

	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	cloudwatchtypes "github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/sns"

	"github.com/eksafe/eksafe/internal/estate"
)

func (r *reader) readAlarms(ctx context.Context) {
	var alarms []*estate.Alarm
	var composites []*estate.CompositeAlarm
	// Without types the list holds alarms on metrics alone.
	input := &cloudwatch.DescribeAlarmsInput{AlarmTypes: []cloudwatchtypes.AlarmType{cloudwatchtypes.AlarmTypeMetricAlarm, cloudwatchtypes.AlarmTypeCompositeAlarm}}
	err := pages(ctx, cloudwatch.NewDescribeAlarmsPaginator(r.sdk.cloudwatch, input), func(p *cloudwatch.DescribeAlarmsOutput) {
		for i := range p.MetricAlarms {
			alarms = append(alarms, r.alarm(&p.MetricAlarms[i]))
		}
		for _, a := range p.CompositeAlarms {
			composites = append(composites, &estate.CompositeAlarm{
				AWS:            estate.AWS{Arn: cmp.Or(text(a.AlarmArn), r.arn("cloudwatch", "alarm:"+text(a.AlarmName)))},
				AlarmName:      text(a.AlarmName),
				AlarmRule:      text(a.AlarmRule),
				ActionsEnabled: opt(a.ActionsEnabled),
				AlarmActions:   list(a.AlarmActions),
			})
		}
	})
	if err != nil {
		r.fail(err, estate.Alarms.Kind, estate.CompositeAlarms.Kind)
	}
	put(r, estate.Alarms, alarms)
	put(r, estate.CompositeAlarms, composites)
}

func (r *reader) alarm(a *cloudwatchtypes.MetricAlarm) *estate.Alarm {
	out := &estate.Alarm{
		AWS:                estate.AWS{Arn: cmp.Or(text(a.AlarmArn), r.arn("cloudwatch", "alarm:"+text(a.AlarmName)))},
		AlarmName:          text(a.AlarmName),
		Namespace:          text(a.Namespace),
		MetricName:         text(a.MetricName),
		Dimensions:         dimensions(a.Dimensions),
		Statistic:          string(a.Statistic),
		ExtendedStatistic:  text(a.ExtendedStatistic),
		Period:             optInt(a.Period),
		EvaluationPeriods:  optInt(a.EvaluationPeriods),
		DatapointsToAlarm:  optInt(a.DatapointsToAlarm),
		Threshold:          opt(a.Threshold),
		ThresholdMetricId:  text(a.ThresholdMetricId),
		ComparisonOperator: string(a.ComparisonOperator),
		TreatMissingData:   text(a.TreatMissingData),
		ActionsEnabled:     opt(a.ActionsEnabled),
		AlarmActions:       list(a.AlarmActions),
	}
	for _, q := range a.Metrics {
		query := estate.MetricDataQuery{Id: text(q.Id), Expression: text(q.Expression), Period: number(q.Period)}
		if s := q.MetricStat; s != nil {
			query.Stat, query.Period = text(s.Stat), number(s.Period)
			if m := s.Metric; m != nil {
				query.Namespace, query.MetricName, query.Dimensions = text(m.Namespace), text(m.MetricName), dimensions(m.Dimensions)
			}
		}
		out.Metrics = append(out.Metrics, query)
	}
	return out
}

func dimensions(in []cloudwatchtypes.Dimension) []estate.Dimension {
	var out []estate.Dimension
	for _, d := range in {
		out = append(out, estate.Dimension{Name: text(d.Name), Value: text(d.Value)})
	}
	slices.SortFunc(out, func(a, b estate.Dimension) int { return cmp.Compare(a.Name, b.Name) })
	return out
}

func (r *reader) readTopics(ctx context.Context) {
	var topics []*estate.Topic
	err := pages(ctx, sns.NewListTopicsPaginator(r.sdk.sns, &sns.ListTopicsInput{}), func(p *sns.ListTopicsOutput) {
		for _, t := range p.Topics {
			arn := text(t.TopicArn)
			topics = append(topics, &estate.Topic{AWS: estate.AWS{Arn: arn}, TopicName: arn[strings.LastIndexByte(arn, ':')+1:]})
		}
	})
	if err != nil {
		r.fail(err, estate.Topics.Kind)
	}
	each(ctx, topics, func(ctx context.Context, t *estate.Topic) {
		attributes, err := r.sdk.sns.GetTopicAttributes(ctx, &sns.GetTopicAttributesInput{TopicArn: &t.Arn})
		switch {
		case err == nil:
			t.KmsMasterKeyId = estate.Known(attributes.Attributes["KmsMasterKeyId"])
		case classify(err) != notFound:
			r.blind(err, "attributes of topics")
		}
		subscriptions, err := r.subscriptions(ctx, t.Arn)
		switch {
		case err == nil:
			t.Subscriptions = estate.Known(subscriptions)
		case classify(err) != notFound:
			r.blind(err, "subscriptions of topics")
		}
	})
	put(r, estate.Topics, topics)
}

// subscriptions asks the topic: the list of the account lacks the
// subscriptions of others, such as a security team's.
func (r *reader) subscriptions(ctx context.Context, topic string) ([]estate.Subscription, error) {
	out := []estate.Subscription{}
	err := pages(ctx, sns.NewListSubscriptionsByTopicPaginator(r.sdk.sns, &sns.ListSubscriptionsByTopicInput{TopicArn: &topic}), func(p *sns.ListSubscriptionsByTopicOutput) {
		for _, s := range p.Subscriptions {
			state := text(s.SubscriptionArn)
			if state == "Deleted" {
				continue
			}
			subscription := estate.Subscription{Protocol: text(s.Protocol), Confirmed: estate.Known(state != "PendingConfirmation")}
			if e := text(s.Endpoint); strings.HasPrefix(e, "arn:") {
				subscription.Endpoint = e
			}
			out = append(out, subscription)
		}
	})
	slices.SortStableFunc(out, func(a, b estate.Subscription) int {
		return cmp.Or(cmp.Compare(a.Protocol, b.Protocol), cmp.Compare(a.Endpoint, b.Endpoint), compareBool(a.Confirmed.Or(false), b.Confirmed.Or(false)))
	})
	return out, err
}

func (r *reader) readEventRules(ctx context.Context) {
	var buses []string
	err := tokens(func(token *string) (*string, error) {
		out, err := r.sdk.eventbridge.ListEventBuses(ctx, &eventbridge.ListEventBusesInput{NextToken: token})
		if err != nil {
			return nil, err
		}
		for _, b := range out.EventBuses {
			buses = append(buses, text(b.Name))
		}
		return out.NextToken, nil
	})
	if err != nil {
		r.fail(err, estate.EventRules.Kind)
	}
	var mu sync.Mutex // guards rules
	var rules []*estate.EventRule
	each(ctx, buses, func(ctx context.Context, bus string) {
		found, err := r.eventRules(ctx, bus)
		if err != nil && classify(err) != notFound {
			r.fail(err, estate.EventRules.Kind)
		}
		mu.Lock()
		defer mu.Unlock()
		rules = append(rules, found...)
	})
	each(ctx, rules, func(ctx context.Context, rule *estate.EventRule) {
		targets := []string{}
		err := tokens(func(token *string) (*string, error) {
			out, err := r.sdk.eventbridge.ListTargetsByRule(ctx, &eventbridge.ListTargetsByRuleInput{Rule: &rule.Name, EventBusName: &rule.EventBusName, NextToken: token})
			if err != nil {
				return nil, err
			}
			for _, t := range out.Targets {
				targets = append(targets, text(t.Arn)) // and nothing else: inputs may hold secrets
			}
			return out.NextToken, nil
		})
		switch {
		case err == nil:
			rule.Targets = estate.Known(list(targets))
		case classify(err) != notFound:
			r.blind(err, "targets of event rules")
		}
	})
	put(r, estate.EventRules, rules)
}

func (r *reader) eventRules(ctx context.Context, bus string) ([]*estate.EventRule, error) {
	var rules []*estate.EventRule
	err := tokens(func(token *string) (*string, error) {
		out, err := r.sdk.eventbridge.ListRules(ctx, &eventbridge.ListRulesInput{EventBusName: &bus, NextToken: token})
		if err != nil {
			return nil, err
		}
		for _, x := range out.Rules {
			rules = append(rules, &estate.EventRule{
				AWS:          estate.AWS{Arn: text(x.Arn)},
				Name:         text(x.Name),
				EventBusName: cmp.Or(text(x.EventBusName), bus),
				EventPattern: estate.Known(text(x.EventPattern)),
				State:        enum(x.State),
			})
		}
		return out.NextToken, nil
	})
	return rules, err
}
