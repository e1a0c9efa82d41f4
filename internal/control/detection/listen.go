package detection

import (
	"strings"

	"github.com/eksafe/eksafe/internal/control"
	"github.com/eksafe/eksafe/internal/estate"
	"github.com/eksafe/eksafe/internal/trace"
)

// A hearing says whether somebody notices what is sent, and if not, why.
type hearing struct {
	heard trace.Ternary
	why   string
}

// or joins the hearings of several ways: one that is heard is enough, and one
// that is unclear forbids to say that nobody hears.
func (h hearing) or(o hearing) hearing {
	switch {
	case h.heard == trace.Yes || o.heard == trace.Yes:
		return hearing{heard: trace.Yes}
	case h.heard == trace.Unclear:
		return h
	case o.heard == trace.Unclear:
		return o
	case h.why == "":
		return o
	case o.why == "" || o.why == h.why:
		return h
	}
	return hearing{trace.No, h.why + ", and " + o.why}
}

var unheard = hearing{heard: trace.No}

// reached says whether one of the targets of an alarm or a rule hears. What
// asks it must have declared the kind Topic.
func reached(s *control.Subject, from site, targets []string) hearing {
	out := unheard
	for _, t := range targets {
		out = out.or(listens(s, from, t))
	}
	return out
}

// listens says whether a target of an alarm or a rule hears. Functions, queues,
// streams and state machines work on what they get; a log group keeps it, and
// nobody is told.
func listens(s *control.Subject, from site, target string) hearing {
	if t, ok := control.Find(s, estate.Topics, target); ok {
		return subscribed(t)
	}
	name := estate.ShortName(target)
	part := strings.SplitN(target, ":", 6)
	if len(part) < 6 || part[0] != "arn" {
		return hearing{trace.Unclear, "what " + name + " is cannot be seen before it is deployed"}
	}
	switch part[2] {
	case "lambda", "sqs", "states", "kinesis", "firehose", "ssm", "ssm-incidents":
		return hearing{heard: trace.Yes}
	case "sns":
		switch {
		case !s.Read(estate.Topics.Kind):
			return hearing{trace.Unclear, "whether somebody subscribes to topic " + name + " was not read: allow sns:ListTopics and sns:ListSubscriptionsByTopic"}
		case part[4] == from.account && part[3] == from.region:
			return hearing{trace.No, "topic " + name + " does not exist"}
		}
		return hearing{trace.Unclear, "topic " + name + " is in an account or region that was not read"}
	case "events":
		if strings.HasPrefix(part[5], "api-destination/") {
			return hearing{heard: trace.Yes}
		}
		return hearing{trace.Unclear, "who listens to event bus " + name + " was not read"}
	}
	return hearing{trace.No, name + " of " + part[2] + " tells nobody"}
}

// subscribed says whether a topic has a subscription that works.
func subscribed(t *estate.Topic) hearing {
	all, known := t.Subscriptions.Get()
	if !known {
		return hearing{trace.Unclear, "the subscriptions of topic " + t.TopicName + " are not known: allow sns:ListSubscriptionsByTopic"}
	}
	out := hearing{trace.No, "topic " + t.TopicName + " has no subscription"}
	for _, sub := range all {
		switch confirmed, known := sub.Confirmed.Get(); {
		case confirmed:
			return hearing{heard: trace.Yes}
		case !known:
			out = hearing{trace.Unclear, "whether a subscription of topic " + t.TopicName + " is confirmed shows only when it is deployed: read it live (--aws)"}
		case out.heard == trace.No:
			out.why = "no subscription of topic " + t.TopicName + " is confirmed"
		}
	}
	return out
}

// routed says whether a rule of EventBridge takes an event of a site to
// somebody. What asks it must have declared the kinds EventRule and Topic.
func routed(s *control.Subject, from site, event map[string]any) hearing {
	out := unheard
	for _, r := range control.All(s, estate.EventRules) {
		// The services of AWS speak on the default bus alone.
		if siteOf(&r.Origin) != from || r.EventBusName != "" && r.EventBusName != "default" {
			continue
		}
		pattern, known := r.EventPattern.Get()
		if !known {
			out = out.or(hearing{trace.Unclear, "what rule " + r.Name + " takes is not known before it is deployed"})
			continue
		}
		taken := takes(pattern, event)
		if taken == trace.No {
			continue
		}
		state, known := r.State.Get()
		targets, listed := r.Targets.Get()
		switch {
		case known && strings.HasPrefix(state, "DISABLED"):
			out = out.or(hearing{trace.No, "rule " + r.Name + " is disabled"})
		case !known || !listed:
			out = out.or(hearing{trace.Unclear, "the state or targets of rule " + r.Name + " are not known: allow events:ListRules and events:ListTargetsByRule"})
		case len(targets) == 0:
			out = out.or(hearing{trace.No, "rule " + r.Name + " has no target"})
		case taken == trace.Unclear:
			if h := reached(s, from, targets); h.heard == trace.No {
				out = out.or(h)
			} else {
				out = out.or(hearing{trace.Unclear, "rule " + r.Name + " takes some of them only"})
			}
		default:
			out = out.or(reached(s, from, targets))
		}
	}
	return out
}
