package network

import (
	"slices"
	"strings"

	"github.com/eksafe/eksafe/internal/control"
	"github.com/eksafe/eksafe/internal/estate"
	"github.com/eksafe/eksafe/internal/reach"
	"github.com/eksafe/eksafe/internal/trace"
)

var metadataClosed = &control.Control{
	ID:       "metadata-closed",
	Title:    "No pod of an application gets the role of its node",
	Severity: control.High,
	Refs:     []control.Ref{control.ATTACK("T1552.005"), control.FSBP("EC2.8")},
	Serves:   []string{"S19", "S14"},
	Since:    "0.1.0",
	Check: control.Traced(applications, (*namespace).at, judgeMetadata, estate.Workloads.Kind, estate.Namespaces.Kind).
		Needs(policyKinds...).
		Needs(estate.ConfigMaps.Kind).
		Helped(estate.Nodegroups.Kind, estate.Instances.Kind, estate.LaunchTemplates.Kind, estate.Clusters.Kind, estate.Nodes.Kind),
}

const metadataPort = 80

// A metadata is what the nodes do against pods that ask for their credentials.
type metadata struct {
	kept trace.Ternary // every node answers no pod
	off  trace.Ternary // no node answers anybody
	why  string
}

// newMetadata takes the worst node. A hop limit binds answers to tokens alone,
// so that without their being required it binds nothing.
func newMetadata(g *trace.Graph) metadata {
	m := metadata{kept: trace.Yes, off: trace.Yes}
	seen := false
	node := func(o estate.MetadataOptions, who string) {
		seen = true
		if o.HttpEndpoint.Or("") == "disabled" {
			return
		}
		m.off = trace.No
		tokens, hops := o.HttpTokens.Or(""), o.HttpPutResponseHopLimit.Or(0)
		switch {
		case tokens == "optional" || hops > 1:
			m.kept, m.why = trace.No, ""
		case (tokens == "" || hops == 0) && m.kept != trace.No:
			m.kept = trace.Unclear
			if m.why == "" || who < m.why {
				m.why = who
			}
		}
	}
	running := map[[2]string]bool{}
	for _, i := range estate.Instances.In(g.Estate) {
		running[[2]string{i.Tags["eks:cluster-name"], i.Tags["eks:nodegroup-name"]}] = true
		node(i.MetadataOptions, "the metadata options of node "+i.InstanceId+" are not known")
	}
	for _, n := range estate.Nodegroups.In(g.Estate) {
		if running[[2]string{n.ClusterName, n.NodegroupName}] {
			continue // the nodes tell
		}
		node(templateMetadata(g.Estate, n), "the metadata options of node group "+n.NodegroupName+" are not known")
	}
	if !seen {
		return metadata{why: "no source shows the nodes"}
	}
	return m
}

func templateMetadata(e *estate.Estate, n *estate.Nodegroup) estate.MetadataOptions {
	ref, known := n.LaunchTemplate.Get()
	if known && ref == (estate.LaunchTemplateReference{}) && strings.HasPrefix(n.AmiType, "AL2023") {
		// EKS makes a template that requires tokens and one hop (checked
		// 2026-11-23); of other images that is not documented.
		return estate.MetadataOptions{HttpTokens: estate.Known("required"), HttpPutResponseHopLimit: estate.Known(1)}
	}
	for _, t := range estate.LaunchTemplates.In(e) {
		if ref != (estate.LaunchTemplateReference{}) && ref.Names(t) {
			return t.LaunchTemplateData.MetadataOptions
		}
	}
	return estate.MetadataOptions{}
}

func judgeMetadata(s *control.Subject, ns *namespace) {
	if ofPlatform(s, ns.name) {
		s.NotApplicable()
		return
	}
	m := trace.Derive(s.Graph(), newMetadata)
	if m.off == trace.Yes {
		return
	}
	f := fabricOf(s.Graph())
	asking := trace.Derive(s.Graph(), newAsking)
	var open []string
	how, doubt := "", (func() string)(nil) // explained once, however many pods there are
	to := metadataOf(s.Graph())
	for _, p := range ns.application() {
		if p.host {
			s.FailAt(p.place("spec.hostNetwork"), "it is in the network of the node and gets the node's credentials, whatever the hop limit")
			continue
		}
		if m.kept == trace.Yes {
			continue
		}
		x, ok := asking[p.workload]
		switch {
		case !ok:
		case x.Verdict == reach.Allowed && m.kept == trace.No:
			open = append(open, p.workload.Name)
			if how == "" {
				how = chain(f.reach.Ask(x.Endpoint, to, x.Protocol, x.Port))
			}
		case m.kept == trace.No:
			doubt = func() string { return undecided(f.reach, x, to) }
		case x.Verdict == reach.Allowed:
			doubt = func() string { return m.why + ", and " + chain(f.reach.Ask(x.Endpoint, to, x.Protocol, x.Port)) }
		default:
			doubt = func() string { return m.why + ", and " + undecided(f.reach, x, to) }
		}
	}
	if len(open) > 0 {
		s.Failf("", "nodes answer pods at 169.254.169.254, and nothing keeps %s from asking for the node's credentials: %s", list(open), how)
	}
	if doubt != nil {
		s.Unknownf("%s", doubt())
	}
}

// asking are the workloads whose pods may get to the metadata service.
type asking map[*estate.Workload]reach.Source

func newAsking(g *trace.Graph) asking {
	n := reach.Of(g)
	out := asking{}
	for x := range n.Reaching(metadataOf(g), reach.PortsOf(reach.TCP, metadataPort, metadataPort)) {
		out[x.Workload] = x
	}
	return out
}

// metadataOf returns the endpoint of the metadata service, which every network
// has.
func metadataOf(g *trace.Graph) *reach.Endpoint {
	type service struct{ *reach.Endpoint }
	return trace.Derive(g, func(g *trace.Graph) service {
		all := reach.Of(g).Endpoints()
		return service{all[slices.IndexFunc(all, func(e *reach.Endpoint) bool { return e.Kind == reach.MetadataEndpoint })]}
	}).Endpoint
}
