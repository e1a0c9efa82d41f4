package network

import (
	"fmt"
	"net/netip"
	"slices"

	networkingv1 "k8s.io/api/networking/v1"

	"github.com/eksafe/eksafe/internal/config"
	"github.com/eksafe/eksafe/internal/control"
	"github.com/eksafe/eksafe/internal/estate"
	"github.com/eksafe/eksafe/internal/trace"
)

var egressLeast = &control.Control{
	ID:        "egress-least",
	Title:     "Policies let out only to DNS, pods, databases and declared dependencies",
	Severity:  control.Medium,
	Refs:      []control.Ref{control.Project("kubernetes-network-policies"), control.NSA("Network separation and hardening")},
	Serves:    []string{"S16", "S14"},
	Since:     "0.1.0",
	Admission: egressLeastAdmission,
	Check: control.Traced(func(g *trace.Graph) []opener { return openers(g, egress) }, opener.at, judgeEgress,
		estate.NetworkPolicies.Kind, estate.CalicoNetworkPolicies.Kind, estate.CalicoGlobalNetworkPolicies.Kind).
		Needs(estate.Workloads.Kind).
		Helped(estate.Namespaces.Kind, estate.VPCs.Kind).
		Helped(slices.Concat(doorKinds, doorDetails, nodeKinds)...),
}

const dnsPort = 53

func judgeEgress(s *control.Subject, o opener) {
	if o.policy != nil && ofPlatform(s, o.policy.object.Namespace) {
		s.NotApplicable()
		return
	}
	pods, known := o.pods(fabricOf(s.Graph()))
	if !known {
		s.Unknownf("which pods it selects is not decided")
		return
	}
	if len(pods) == 0 {
		s.NotApplicable() // policy-alive speaks of it
		return
	}
	if o.calico != nil {
		judgeCalicoEgress(s, o.calico, pods)
		return
	}
	for i, r := range o.policy.object.Spec.Egress {
		field := fmt.Sprintf("spec.egress[%d]", i)
		switch {
		case len(r.To) == 0 && len(r.Ports) == 0:
			s.Failf(field, "it lets %s out to every address at every port", podNames(pods))
			continue
		case len(r.To) == 0:
			s.Failf(field, "it names no peers, so that %s gets out to every address", podNames(pods))
			continue
		case len(r.Ports) == 0:
			s.Failf(field, "it names no ports, so that %s gets out at every port", podNames(pods))
		}
		for j, to := range r.To {
			if to.IPBlock != nil {
				at := fmt.Sprintf("%s.to[%d].ipBlock.cidr", field, j)
				judgeBlock(s, at, to.IPBlock.CIDR, onlyDNS(r.Ports), numbers(r.Ports), pods)
			}
		}
	}
}

func judgeCalicoEgress(s *control.Subject, c *calicoPolicy, pods []*pod) {
	for i, r := range c.spec.Egress {
		if r.Action != "Allow" {
			continue
		}
		field := fmt.Sprintf("spec.egress[%d]", i)
		if anywhere(&r.Destination) && (r.ICMP == nil || r.Protocol == nil) {
			s.Failf(field, "it names no destination, so that %s gets out to every address", podNames(pods))
			continue
		}
		if len(r.Destination.Ports) == 0 && r.ICMP == nil {
			s.Failf(field, "it names no ports, so that %s gets out at every port", podNames(pods))
		}
		var open []int32
		for _, v := range r.Destination.Ports {
			if from, to, ok := calicoPorts(v); ok && from == to {
				open = append(open, from)
			}
		}
		dns := len(open) > 0 && !slices.ContainsFunc(open, func(n int32) bool { return n != dnsPort })
		for j, cidr := range r.Destination.Nets {
			judgeBlock(s, fmt.Sprintf("%s.destination.nets[%d]", field, j), cidr, dns, open, pods)
		}
	}
}

// onlyDNS reports whether ports are those of DNS and no others.
func onlyDNS(ports []networkingv1.NetworkPolicyPort) bool {
	return len(ports) > 0 && !slices.ContainsFunc(ports, func(p networkingv1.NetworkPolicyPort) bool {
		from, to, ok := span(p)
		return !ok || from != dnsPort || to != dnsPort
	})
}

// numbers returns the single ports that a rule names, nil if it names others
// too.
func numbers(ports []networkingv1.NetworkPolicyPort) []int32 {
	var out []int32
	for _, p := range ports {
		from, to, ok := span(p)
		if !ok || from != to {
			return nil
		}
		out = append(out, from)
	}
	return out
}

// judgeBlock asks what stands in a network that a rule opens.
func judgeBlock(s *control.Subject, field, cidr string, dns bool, open []int32, pods []*pod) {
	block, ok := prefix(cidr)
	if !ok {
		s.Failf(field, "%q is no network", cidr)
		return
	}
	w := groundOf(s)
	databases := trace.Derive(s.Graph(), newDatabaseNetworks)
	switch {
	case worldwide(block):
		s.Failf(field, "it lets %s out to %s, the internet", podNames(pods), cidr)
	case depends(s, pods, block, open), dns && block.IsSingleIP(), within(block, databases), within(block, w.podNetworks):
	case wholeVPC(block, w.vpcs):
		s.Failf(field, "it lets %s out to %s, the whole VPC and every database in it", podNames(pods), cidr)
	case touchesPrefix(block, metadataService):
		s.Failf(field, "it lets %s out to %s, where nodes hand out their credentials", podNames(pods), cidr)
	case public(block):
		s.Failf(field, "%s is no dependency of %s; declare it under dependencies in eksafe.yaml, or close it", cidr, podNames(pods))
	case !s.Read(estate.Subnets.Kind) || len(w.subnets) == 0:
		s.Unknownf("whether databases stand in %s is not known; read the subnets (--aws), or declare it under dependencies in eksafe.yaml", cidr)
	default:
		s.Failf(field, "%s is more than databases of this estate; name their subnets, or declare it under dependencies in eksafe.yaml", cidr)
	}
}

func touchesPrefix(block netip.Prefix, networks []netip.Prefix) bool {
	return slices.ContainsFunc(networks, block.Overlaps)
}

type databaseNetworks = []netip.Prefix

// newDatabaseNetworks returns the networks in which databases stand.
func newDatabaseNetworks(g *trace.Graph) databaseNetworks {
	w := trace.Derive(g, newGround)
	var out []netip.Prefix
	for _, d := range doors(g) {
		networks, _ := d.networks(w)
		out = append(out, networks...)
	}
	return out
}

// depends reports whether a block is a declared dependency of one of the pods.
func depends(s *control.Subject, pods []*pod, block netip.Prefix, open []int32) bool {
	return slices.ContainsFunc(s.Config().Dependencies, func(d config.Dependency) bool {
		if !within(block, prefixes(d.CIDRs...)) {
			return false
		}
		if len(d.Ports) > 0 && (len(open) == 0 || slices.ContainsFunc(open, func(n int32) bool { return !slices.Contains(d.Ports, n) })) {
			return false
		}
		return slices.ContainsFunc(pods, func(p *pod) bool { return config.Compile(d.From).Match(p.String()) })
	})
}
