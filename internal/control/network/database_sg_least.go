package network

import (
	"net/netip"
	"slices"

	"github.com/eksafe/eksafe/internal/config"
	"github.com/eksafe/eksafe/internal/control"
	"github.com/eksafe/eksafe/internal/estate"
)

var databaseSGLeast = &control.Control{
	ID:       "database-sg-least",
	Title:    "A database accepts its clients at its port, and nobody else",
	Severity: control.High,
	Refs:     []control.Ref{control.AWS("rds-vpc"), control.FSBP("EC2.18")},
	Serves:   []string{"S18"},
	Since:    "0.1.0",
	Check: control.Traced(doors, (*door).at, judgeDoorRules, doorKinds...).
		Helped(slices.Concat(doorDetails, nodeKinds)...).
		Helped(estate.VPCs.Kind),
}

func judgeDoorRules(s *control.Subject, d *door) {
	w := groundOf(s)
	groups, why := d.rules(w)
	if why != "" {
		s.Unknownf("%s", why)
		return
	}
	if d.port == 0 {
		s.Unknownf("the port of %s is not known; read it live (--aws)", d.name)
		return
	}
	s.Facing(d.place.Subject)
	for _, sg := range groups {
		for i, r := range sg.SecurityGroupIngress.Or(nil) {
			at := groupPlace(sg, ingressField(i))
			if r.IpProtocol == "-1" || r.IpProtocol == "all" {
				s.FailAt(at, "it opens every port of %s, whose clients need %d", d.name, d.port)
			} else if !tcp(r, d.port) || r.FromPort != int(d.port) || r.ToPort != int(d.port) {
				s.FailAt(at, "it opens %s of %s, whose clients need tcp %d", ports(r), d.name, d.port)
			}
			if r.SourceSecurityGroupId != "" {
				continue
			}
			block, ok := prefix(r.CidrIp + r.CidrIpv6)
			switch {
			case !ok:
				s.Unknownf("rule %d of security group %s names what is not known (a prefix list, or a value that is not known before it is deployed)", i, short(name(sg)))
			case worldwide(block):
				s.FailAt(at, "the internet may connect to %s: %s", d.name, block)
			case wholeVPC(block, w.vpcs):
				s.FailAt(at, "the whole VPC may connect to %s: %s", d.name, block)
			case within(block, w.podNetworks) || declared(s, block):
			case public(block):
				s.FailAt(at, "%s is no network of its clients; if it is, declare it under clients in eksafe.yaml", block)
			case !w.known || len(w.podNetworks) == 0:
				s.Unknownf("whether the clients of %s stand in %s is not known: %s", d.name, block, w.why)
			case within(block, w.vpcs):
				s.FailAt(at, "%s is no subnet of its clients; name their security group", block)
			default:
				s.Unknownf("who stands in %s, outside the VPC, is not known; declare it under clients in eksafe.yaml", block)
			}
		}
	}
}

// ports writes the ports of a rule.
func ports(r estate.SecurityGroupRule) string {
	switch {
	case r.FromPort == -1:
		return "every port"
	case r.FromPort == r.ToPort:
		return r.IpProtocol + " " + itoa(r.FromPort)
	}
	return r.IpProtocol + " " + itoa(r.FromPort) + "–" + itoa(r.ToPort)
}

// wholeVPC reports whether a block holds all of a VPC's network.
func wholeVPC(block netip.Prefix, vpcs []netip.Prefix) bool {
	return slices.ContainsFunc(vpcs, func(v netip.Prefix) bool { return within(v, []netip.Prefix{block}) })
}

// public reports whether addresses of the block are those of the internet.
func public(block netip.Prefix) bool {
	a := block.Addr()
	return !a.IsPrivate() && !a.IsLinkLocalUnicast() && !a.IsLoopback() && !within(block, sharedSpace)
}

// sharedSpace is for carriers, and for the pods of large clusters.
var sharedSpace = []netip.Prefix{netip.MustParsePrefix("100.64.0.0/10")}

// declared reports whether the users declare the block as a network of clients.
func declared(s *control.Subject, block netip.Prefix) bool {
	return slices.ContainsFunc(s.Config().Clients, func(c config.Clients) bool { return within(block, prefixes(c.CIDRs...)) })
}
