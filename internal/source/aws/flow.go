package aws

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"github.com/eksafe/eksafe/internal/estate"
)

func (r *reader) readFlowLogs(ctx context.Context) {
	var logs []*estate.FlowLog
	err := pages(ctx, ec2.NewDescribeFlowLogsPaginator(r.sdk.ec2, &ec2.DescribeFlowLogsInput{MaxResults: &ec2Page}), func(p *ec2.DescribeFlowLogsOutput) {
		for i := range p.FlowLogs {
			logs = append(logs, r.flowLog(&p.FlowLogs[i]))
		}
	})
	if err != nil {
		r.fail(err, estate.FlowLogs.Kind)
	}
	put(r, estate.FlowLogs, logs)
}

func (r *reader) flowLog(l *ec2types.FlowLog) *estate.FlowLog {
	out := &estate.FlowLog{
		AWS:                estate.AWS{Arn: r.arn("ec2", "vpc-flow-log/"+text(l.FlowLogId)), Tags: ec2Tags(l.Tags)},
		Id:                 text(l.FlowLogId),
		ResourceId:         text(l.ResourceId),
		TrafficType:        enum(l.TrafficType),
		LogDestinationType: string(l.LogDestinationType),
		LogDestination:     text(l.LogDestination),
	}
	if out.LogDestination == "" && text(l.LogGroupName) != "" {
		out.LogDestination = r.arn("logs", "log-group:"+text(l.LogGroupName))
	}
	if status := text(l.FlowLogStatus); status != "" {
		// A flow log that AWS may not write for is active all the same.
		out.Active = estate.Known(status == "ACTIVE" && text(l.DeliverLogsStatus) != "FAILED")
	}
	return out
}
