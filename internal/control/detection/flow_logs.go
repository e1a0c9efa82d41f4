package detection

import (
	"github.com/eksafe/eksafe/internal/control"
	"github.com/eksafe/eksafe/internal/estate"
	"github.com/eksafe/eksafe/internal/trace"
)

var flowLogs = &control.Control{
	ID:       "flow-logs",
	Title:    "Every VPC records its refused connections",
	Severity: control.Medium,
	Refs:     []control.Ref{control.FSBP("EC2.6"), control.ATTACK("T1562.008")},
	Serves:   []string{"S39"},
	Since:    "0.1.0",
	Check:    control.Each(estate.VPCs, judgeFlowLogs, estate.FlowLogs.Kind),
}

func judgeFlowLogs(s *control.Subject, v *estate.VPC) {
	var broken *flaw
	unclear := ""
	for _, l := range control.All(s, estate.FlowLogs) {
		if l.ResourceId != v.VpcId && l.ResourceId != v.Arn {
			continue
		}
		at := func(field string) trace.Place {
			return trace.Place{Subject: estate.FlowLogs.Ref(l), Origin: &l.Origin, Field: field}
		}
		active, deployed := l.Active.Get()
		traffic, known := l.TrafficType.Get()
		switch {
		case !known:
			unclear = "which traffic flow log " + l.Id + " records is not known"
		case traffic == "ACCEPT":
			broken = &flaw{at("trafficType"), "flow log " + l.Id + " leaves out refused connections: those of a scanner"}
		case deployed && !active:
			broken = &flaw{at("active"), "flow log " + l.Id + " is not active, or AWS may not write to its destination"}
		case !deployed && l.Origin.File == "":
			unclear = "whether flow log " + l.Id + " delivers is not known; allow ec2:DescribeFlowLogs"
		default:
			return // a template's becomes active when it is deployed
		}
	}
	switch {
	case unclear != "":
		s.Unknownf("%s", unclear)
	case broken != nil:
		s.FailAt(broken.at, "%s", broken.message)
	default:
		s.Failf("", "VPC %s has no flow log", v.VpcId)
	}
}
