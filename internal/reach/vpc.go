package reach

import (
	"net/netip"

	"github.com/eksafe/eksafe/internal/estate"
	"github.com/eksafe/eksafe/internal/trace"
)

// A vpc is the network of AWS on which pods and databases stand: security
// groups, network ACLs, subnets and routes.
type vpc struct {
	networks    []netip.Prefix // of the VPCs
	podNetworks []netip.Prefix // where pods with unknown addresses may stand
	targets     []*target

	seen    bool     // a source shows the network of AWS
	classOf []uint32 // by point: those of one class AWS cannot tell apart; none: it tells none apart
}

// A target is what AWS runs: a database, a cache, a load balancer.
type target struct {
	endpoint *Endpoint
	networks []netip.Prefix // of the subnets it stands in
}

func newVPC(g *trace.Graph) *vpc {
	v := &vpc{podNetworks: privateNetworks}
	for _, db := range g.Databases {
		t := &target{endpoint: &Endpoint{Kind: DatabaseEndpoint, Ref: db.Ref, Origin: db.Origin, Name: db.Ref.Name}}
		t.endpoint.target = t
		v.targets = append(v.targets, t)
	}
	_ = estate.Subnets
	return v
}

// blocks lists the prefixes that rules, subnets and routes name.
func (v *vpc) blocks() []netip.Prefix { return append(v.networks, v.podNetworks...) }

// between returns what AWS lets through.
func (v *vpc) between(n *Network, from, to uint32) (sure, open portsID) { return allPorts, allPorts }

// explain says what AWS says of a connection, layer by layer.
func (v *vpc) explain(n *Network, from, to uint32, protocol Protocol, port uint16) (layers []Layer, notes []string) {
	return nil, nil
}

// change writes the smallest change with which a layer of AWS would allow a
// connection.
func (v *vpc) change(l Layer, from, to uint32, port string) string { return "" }
