package cluster

import (
	"fmt"
	"net/netip"

	"github.com/eksafe/eksafe/internal/control"
	"github.com/eksafe/eksafe/internal/estate"
)

var endpointClosed = &control.Control{
	ID:       "endpoint-closed",
	Title:    "The API server is not open to the internet",
	Severity: control.High,
	Refs:     []control.Ref{control.CISEKS("5.4.1"), control.CISEKS("5.4.2"), control.FSBP("EKS.1"), control.NSA("Network separation and hardening")},
	Serves:   []string{"S41"},
	Since:    "0.1.0",
	Check:    control.Each(estate.Clusters, judgeEndpoint),
}

// The widest network that a name can stand for: a /8 is the largest that was
// ever given to one owner, a /16 of IPv6 is larger than any.
const (
	widestIPv4 = 8
	widestIPv6 = 16
)

func judgeEndpoint(s *control.Subject, c *estate.Cluster) {
	public, known := c.ResourcesVpcConfig.EndpointPublicAccess.Get()
	switch {
	case !known:
		s.Unknownf("resourcesVpcConfig.endpointPublicAccess of cluster %s is not known; read the cluster live (--aws)", c.Name)
		return
	case !public:
		return
	}
	cidrs, known := c.ResourcesVpcConfig.PublicAccessCidrs.Get()
	if !known {
		s.Unknownf("resourcesVpcConfig.publicAccessCidrs of cluster %s is not known; read the cluster live (--aws)", c.Name)
		return
	}
	if len(cidrs) == 0 {
		s.Failf("resourcesVpcConfig.publicAccessCidrs", "no network is named, so every address may reach the API server")
	}
	for i, cidr := range cidrs {
		field := fmt.Sprintf("resourcesVpcConfig.publicAccessCidrs[%d]", i)
		p, err := netip.ParsePrefix(cidr)
		switch {
		case err != nil:
			// What cannot be read is reported, never skipped.
			s.Failf(field, "%q is no network", cidr)
		case p.Bits() == 0:
			s.Failf(field, "every address of %s may reach the API server", cidr)
		case p.Addr().Is4() && p.Bits() < widestIPv4, p.Addr().Is6() && p.Bits() < widestIPv6:
			s.Failf(field, "%s is no network of yours but a part of the internet", cidr)
		}
	}
}
