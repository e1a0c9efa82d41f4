package cluster

import (
	"slices"
	"strings"

	"github.com/eksafe/eksafe/internal/control"
	"github.com/eksafe/eksafe/internal/estate"
	"github.com/eksafe/eksafe/internal/trace"
)

var nodeIMDS = &control.Control{
	ID:       "node-imds",
	Title:    "Pods cannot fetch the credentials of their node",
	Severity: control.High,
	Refs:     []control.Ref{control.FSBP("EC2.8"), control.FSBP("EC2.170"), control.AWS("eks-al2023")},
	Serves:   []string{"S19", "S41"},
	Since:    "0.1.0",
	Check: control.Traced(nodes, func(n node) trace.Place { return n.place }, judgeNode,
		estate.Nodegroups.Kind, estate.Instances.Kind).
		Helped(estate.LaunchTemplates.Kind),
}

// A node is a node group with its running nodes, or a node without a group.
type node struct {
	place     trace.Place
	group     *estate.Nodegroup // nil for a node without a group
	instances []*estate.Instance
}

func nodes(g *trace.Graph) []node {
	var out []node
	index := map[[2]string]int{}
	for _, group := range estate.Nodegroups.In(g.Estate) {
		index[[2]string{group.ClusterName, group.NodegroupName}] = len(out)
		out = append(out, node{group: group, place: trace.Place{Subject: estate.Nodegroups.Ref(group), Origin: &group.Origin}})
	}
	for _, i := range estate.Instances.In(g.Estate) {
		if n, ok := index[[2]string{i.Tags["eks:cluster-name"], i.Tags["eks:nodegroup-name"]}]; ok {
			out[n].instances = append(out[n].instances, i)
			continue
		}
		out = append(out, node{instances: []*estate.Instance{i}, place: trace.Place{Subject: estate.Instances.Ref(i), Origin: &i.Origin}})
	}
	return out
}

// A setting is one of the two options that keep pods away.
type setting struct {
	field string // within metadataOptions
	// state is what the options say: Yes is safe, No is not, Unclear is left
	// to the account, the image and EC2.
	state func(estate.MetadataOptions) trace.Ternary
	bad   string
	open  string
}

var settings = []setting{
	{"httpTokens", tokens, "anybody who makes a pod fetch a URL gets the node's credentials: IMDSv1 answers", "the token requirement"},
	{"httpPutResponseHopLimit", hops, "pods get the node's credentials: the hop limit is more than 1", "the hop limit"},
}

func tokens(o estate.MetadataOptions) trace.Ternary {
	switch o.HttpTokens.Or("") {
	case "required":
		return trace.Yes
	case "":
		return trace.Unclear
	}
	return trace.No
}

func hops(o estate.MetadataOptions) trace.Ternary {
	switch n := o.HttpPutResponseHopLimit.Or(0); {
	case n == 0:
		return trace.Unclear
	case n == 1:
		return trace.Yes
	}
	return trace.No
}

func closed(o estate.MetadataOptions) bool { return o.HttpEndpoint.Or("") == "disabled" }

func judgeNode(s *control.Subject, n node) {
	if n.group == nil {
		judgeInstances(s, n.instances, settings)
		return
	}
	ref, known := n.group.LaunchTemplate.Get()
	switch {
	case !known:
		decide(s, n, settings, "the launch template of node group "+n.group.NodegroupName+" is not known")
	case ref == (estate.LaunchTemplateReference{}):
		// EKS makes a template of its own. For Amazon Linux 2023 it requires
		// tokens and one hop (checked 2026-11-23); of others that is not
		// documented.
		if len(n.instances) > 0 || !strings.HasPrefix(n.group.AmiType, "AL2023") {
			decide(s, n, settings, "node group "+n.group.NodegroupName+" has no launch template that sets it")
		}
	default:
		judgeGroup(s, n, ref)
	}
}

func judgeGroup(s *control.Subject, n node, ref estate.LaunchTemplateReference) {
	lt, ok := control.LaunchTemplate(s, ref)
	if !ok {
		decide(s, n, settings, "launch template "+ref.Id+ref.Name+" of node group "+n.group.NodegroupName+" was not found")
		return
	}
	options := lt.LaunchTemplateData.MetadataOptions
	if closed(options) {
		judgeInstances(s, n.instances, settings)
		return
	}
	at := trace.Place{Subject: estate.LaunchTemplates.Ref(lt), Origin: &lt.Origin}
	var sure []setting
	for _, set := range settings {
		at.Field = "launchTemplateData.metadataOptions." + set.field
		switch set.state(options) {
		case trace.Yes:
			sure = append(sure, set)
		case trace.No:
			// The nodes have it from the template: one cause, one finding.
			s.FailAt(at, "%s", set.bad)
		default:
			if slices.ContainsFunc(n.instances, func(i *estate.Instance) bool {
				return !closed(i.MetadataOptions) && set.state(i.MetadataOptions) == trace.No
			}) {
				s.FailAt(at, "%s, because the template leaves it open", set.bad)
				continue
			}
			decide(s, n, []setting{set}, "launch template "+lt.LaunchTemplateName+" leaves "+set.open+" to the account and the image")
		}
	}
	// A node may be older than the version of its template.
	judgeInstances(s, n.instances, sure)
}

// decide lets the nodes that run decide what the template does not; without
// nodes the group is unknown, because of why.
func decide(s *control.Subject, n node, settings []setting, why string) {
	if len(n.instances) == 0 {
		s.Unknownf("%s; set httpTokens and httpPutResponseHopLimit in a template, or read the nodes live (--aws)", why)
		return
	}
	judgeInstances(s, n.instances, settings)
}

func judgeInstances(s *control.Subject, instances []*estate.Instance, settings []setting) {
	for _, i := range instances {
		if closed(i.MetadataOptions) {
			continue
		}
		for _, set := range settings {
			switch set.state(i.MetadataOptions) {
			case trace.No:
				s.FailAt(trace.Place{
					Subject: estate.Instances.Ref(i), Origin: &i.Origin, Field: "metadataOptions." + set.field,
				}, "%s", set.bad)
			case trace.Unclear:
				s.Unknownf("metadataOptions.%s of node %s is not known; allow ec2:DescribeInstances", set.field, i.InstanceId)
			}
		}
	}
}
