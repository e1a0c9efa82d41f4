package detection

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/eksafe/eksafe/internal/control"
	"github.com/eksafe/eksafe/internal/estate"
	"github.com/eksafe/eksafe/internal/trace"
)

var errorAlarms = &control.Control{
	ID:       "error-alarms",
	Title:    "Alarms watch the errors of load balancers and what web ACLs block",
	Severity: control.Medium,
	Refs:     []control.Ref{control.AWS("alb-metrics"), control.AWS("waf-metrics"), control.ATTACK("T1595")},
	Serves:   []string{"S35", "S36"},
	Since:    "0.1.0",
	Check: control.Traced(watchedThings, func(w watched) trace.Place { return w.place }, judgeWatched,
		estate.LoadBalancers.Kind, estate.Ingresses.Kind, estate.Gateways.Kind, estate.Distributions.Kind, estate.WebACLs.Kind).
		Helped(estate.WebACLAssociations.Kind).Helped(predictionKinds()...).Needs(estate.Alarms.Kind),
}

// The bounds beyond which an alarm sleeps through what it is made for.
const (
	// maxPerMinute is a hundred a second: a scanner is hardly ever faster.
	maxPerMinute = 6000
	// maxWindow is how long an attack may last before the alarm.
	maxWindow = time.Hour
)

const (
	albNamespace = "AWS/ApplicationELB"
	wafNamespace = "AWS/WAFV2"
)

var (
	albMetrics = []string{"HTTPCode_ELB_4XX_Count", "HTTPCode_ELB_5XX_Count", "HTTPCode_Target_4XX_Count", "HTTPCode_Target_5XX_Count"}
	wafMetrics = []string{"BlockedRequests"}
)

// A watched thing is an ALB that the internet may reach, or a web ACL in use.
type watched struct {
	place    trace.Place
	balancer *trace.LoadBalancer // nil for a web ACL
	acl      *estate.WebACL      // nil for a load balancer
}

func watchedThings(g *trace.Graph) []watched {
	var out []watched
	used := map[string]bool{}
	for _, lb := range balancers(g) {
		// One that is not built yet has no metrics.
		if lb.InternetFacing() && lb.Actual != nil {
			out = append(out, watched{place: lb.Place(), balancer: lb})
		}
		used[lb.WebACL.Or("")] = true
	}
	for _, d := range estate.Distributions.In(g.Estate) {
		used[d.DistributionConfig.WebACLId.Or("")] = true
	}
	for _, a := range estate.WebACLs.In(g.Estate) {
		if used[a.Arn] {
			out = append(out, watched{place: trace.Place{Subject: estate.WebACLs.Ref(a), Origin: &a.Origin}, acl: a})
		}
	}
	return out
}

func judgeWatched(s *control.Subject, w watched) {
	namespace, metrics := wafNamespace, wafMetrics
	var name string
	switch {
	case w.acl != nil:
		name = "web ACL " + w.acl.Name
		if on, known := w.acl.CloudWatchMetricsEnabled.Get(); known && !on {
			s.Failf("cloudWatchMetricsEnabled", "%s sends no metrics: no alarm can watch it", name)
			return
		}
	default:
		namespace, metrics, name = albNamespace, albMetrics, w.balancer.Name()
	}
	for _, metric := range metrics {
		v := look(s, w, namespace, metric)
		switch {
		case v.watching:
		case v.unclear != "":
			s.Unknownf("%s", v.unclear)
		case len(v.flaws) > 0:
			for _, f := range v.flaws {
				s.FailAt(f.at, "%s", f.message)
			}
		default:
			s.Failf("", "no alarm watches %s of %s%s", metric, name, v.partly)
		}
	}
}

// A view is how a metric of one thing is watched.
type view struct {
	watching bool // by a sound alarm
	unclear  string
	partly   string // "; alarm x watches one target group of it"
	flaws    []flaw
}

// A flaw is why an alarm will not warn.
type flaw struct {
	at      trace.Place
	message string
}

func look(s *control.Subject, w watched, namespace, metric string) view {
	var v view
	groups := map[string]bool{}
	for _, a := range control.All(s, estate.Alarms) {
		for _, u := range usesOf(a, namespace, metric) {
			extent, group := w.extent(u)
			if extent == elsewhere {
				continue
			}
			field, message, unclear := unsound(a, u)
			switch {
			case extent == unsaid:
				v.unclear = fmt.Sprintf("what alarm %s on %s watches is not known before it is deployed", a.AlarmName, metric)
			case extent == part && group == "":
				v.partly = fmt.Sprintf("; alarm %s watches a part of it", a.AlarmName)
			case message != "":
				at := trace.Place{Subject: estate.Alarms.Ref(a), Origin: &a.Origin, Field: field}
				v.flaws = append(v.flaws, flaw{at, fmt.Sprintf("alarm %s on %s %s", a.AlarmName, metric, message)})
			case unclear:
				v.unclear = fmt.Sprintf("the threshold, periods or statistic of alarm %s on %s are not known", a.AlarmName, metric)
			case extent == part:
				v.partly = fmt.Sprintf("; alarm %s watches a part of it", a.AlarmName)
				groups[group] = true
			default:
				v.watching = true
			}
		}
	}
	v.watching = v.watching || w.balancer != nil && everyGroup(w.balancer, groups)
	return v
}

// everyGroup reports whether each target group of a load balancer has an alarm
// of its own.
func everyGroup(lb *trace.LoadBalancer, groups map[string]bool) bool {
	n := 0
	for _, l := range lb.Listeners {
		for _, r := range l.Rules {
			for _, t := range r.Targets {
				if t.Group == nil || !groups[t.Group.Arn[strings.LastIndexByte(t.Group.Arn, ':')+1:]] {
					return false
				}
				n++
			}
		}
	}
	return n > 0
}

// A use is one way in which an alarm takes in a metric.
type use struct {
	dimensions []estate.Dimension
	stat       string
	period     int
	direct     bool   // its value is what is compared
	query      string // of Metrics Insights, in place of dimensions
}

func usesOf(a *estate.Alarm, namespace, metric string) []use {
	if a.Namespace == namespace && a.MetricName == metric {
		stat := a.Statistic
		if stat == "" {
			stat = a.ExtendedStatistic
		}
		return []use{{dimensions: a.Dimensions, stat: stat, period: a.Period.Or(0), direct: true}}
	}
	var out []use
	for _, q := range a.Metrics {
		text := strings.TrimSpace(q.Expression)
		switch {
		case q.Namespace == namespace && q.MetricName == metric:
			out = append(out, use{dimensions: q.Dimensions, stat: q.Stat, period: q.Period, direct: len(a.Metrics) == 1})
		case len(text) > 6 && strings.EqualFold(text[:6], "SELECT") && strings.Contains(text, metric):
			out = append(out, use{query: text, period: q.Period})
		}
	}
	return out
}

// An extent says how much of a thing a use covers.
type extent int

const (
	elsewhere extent = iota // something else
	part                    // one target group, zone or rule
	whole
	unsaid // a template's value that is not known yet
)

// extent says how much of w a use covers, and of a load balancer the target
// group that is a part.
func (w watched) extent(u use) (covers extent, group string) {
	if u.query != "" {
		switch id := w.dimension(); {
		case !strings.Contains(strings.ToUpper(u.query), " WHERE "), id != "" && strings.Contains(u.query, "'"+id+"'"):
			return whole, ""
		}
		return elsewhere, ""
	}
	covers = elsewhere
	narrower := false
	region := false
	for _, d := range u.dimensions {
		switch d.Name {
		case "LoadBalancer", "WebACL":
			if (d.Name == "LoadBalancer") != (w.balancer != nil) {
				return elsewhere, ""
			}
			switch {
			case w.means(d.Value):
				covers = whole
			case d.Value == "" || strings.Contains(d.Value, "${"):
				covers = unsaid
			default:
				return elsewhere, ""
			}
		case "Region":
			region = true
			if w.acl != nil && w.acl.Origin.Region != "" && d.Value != "" && !strings.Contains(d.Value, "${") &&
				w.acl.Scope == "REGIONAL" && d.Value != w.acl.Origin.Region {
				return elsewhere, ""
			}
		case "Rule":
			narrower = narrower || d.Value != "ALL"
		case "TargetGroup":
			narrower, group = true, d.Value
		default:
			narrower, group = true, ""
		}
	}
	switch {
	case covers != whole:
		return covers, ""
	case w.acl != nil && w.acl.Scope == "REGIONAL" && !region:
		return elsewhere, "" // CloudWatch has no such metric
	case narrower:
		return part, group
	}
	return whole, ""
}

// dimension returns the value that names w in CloudWatch, "" if that is not
// known.
func (w watched) dimension() string {
	if w.balancer != nil {
		_, suffix, _ := strings.Cut(w.balancer.Actual.Arn, ":loadbalancer/")
		return suffix
	}
	return w.acl.MetricName.Or(w.acl.Name)
}

// means reports whether the value of a dimension is w: a template refers to an
// attribute of it.
func (w watched) means(value string) bool {
	arn := w.place.Subject.ID
	if w.balancer != nil {
		arn = w.balancer.Actual.Arn
	}
	return value != "" && value == w.dimension() || value == arn || strings.HasPrefix(value, arn+".")
}

// unsound says why an alarm does not warn of an attack, and at which of its
// fields; unclear is true where that cannot be told.
func unsound(a *estate.Alarm, u use) (field, message string, unclear bool) {
	threshold, hasThreshold := a.Threshold.Get()
	band := a.ThresholdMetricId != ""
	compared := u.direct || band
	periods, hasPeriods := a.DatapointsToAlarm.Get()
	if !hasPeriods {
		periods, hasPeriods = a.EvaluationPeriods.Get()
	}
	period := time.Duration(u.period) * time.Second
	window := time.Duration(periods) * period
	switch {
	case compared && strings.HasPrefix(a.ComparisonOperator, "LessThan") && a.ComparisonOperator != "LessThanLowerOrGreaterThanUpperThreshold":
		return "comparisonOperator", "warns when there are few of them, not when there are many", false
	case u.query == "" && slices.Contains([]string{"Average", "Minimum", "Maximum"}, u.stat) && !(compared && !band && hasThreshold && threshold < 1):
		return "statistic", "takes the " + u.stat + ", which is 1 however many there are: take the Sum", false
	case u.query == "" && u.stat != "" && !slices.Contains([]string{"Sum", "SampleCount", "Average", "Minimum", "Maximum"}, u.stat):
		return "statistic", "takes " + u.stat + " of a count: take the Sum", false
	case a.TreatMissingData == "breaching":
		return "treatMissingData", "takes quiet minutes for an attack: it is on whenever nothing happens, so nobody looks", false
	case hasPeriods && window > maxWindow:
		return "evaluationPeriods", fmt.Sprintf("waits until they have lasted %d minutes", int(window.Minutes())), false
	case u.direct && !band && hasThreshold && period > 0 && threshold/period.Minutes() > maxPerMinute:
		return "threshold", fmt.Sprintf("lets %d a minute pass: a scanner stays below it", int(threshold/period.Minutes())), false
	}
	unclear = a.ComparisonOperator == "" || !hasPeriods || u.period == 0 || u.query == "" && u.stat == "" || !band && !hasThreshold
	return "", "", unclear
}
