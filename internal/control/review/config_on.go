package review

import (
	"github.com/eksafe/eksafe/internal/control"
	"github.com/eksafe/eksafe/internal/estate"
	"github.com/eksafe/eksafe/internal/trace"
)

var configOn = &control.Control{
	ID:       "config-on",
	Title:    "AWS Config records every region",
	Severity: control.Medium,
	Refs:     []control.Ref{control.FSBP("Config.1")},
	Serves:   []string{"S33"},
	Since:    "0.1.0",
	Check: control.Traced(regions(estate.ConfigRecorders), placeOfRegion, judgeRecorders, estate.ConfigRecorders.Kind).
		Helped(estate.EBSDefaults.Kind, estate.Accounts.Kind),
}

func judgeRecorders(s *control.Subject, r region[*estate.ConfigurationRecorder]) {
	if len(r.items) == 0 {
		s.Failf("", "AWS Config is off in %s", r)
		return
	}
	// A region has one recorder; several stand in files of several regions.
	for _, c := range r.items {
		at := func(field string) trace.Place {
			return trace.Place{Subject: estate.ConfigRecorders.Ref(c), Origin: &c.Origin, Field: field}
		}
		switch on, known := c.Recording.Get(); {
		case known && !on:
			s.FailAt(at("recording"), "the recorder %s of AWS Config is stopped", c.Name)
		case !known && c.DeliveryChannel.Or(true):
			s.Unknownf("whether the recorder %s of AWS Config records is not known; allow config:DescribeConfigurationRecorderStatus", c.Name)
		}
		switch channel, known := c.DeliveryChannel.Get(); {
		case !known:
			s.Unknownf("where the recorder %s of AWS Config delivers to is not known; allow config:DescribeDeliveryChannels", c.Name)
		case !channel:
			s.FailAt(at("deliveryChannel"), "the recorder %s of AWS Config has no delivery channel", c.Name)
		}
	}
}
