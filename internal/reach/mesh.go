package reach

import "github.com/eksafe/eksafe/internal/trace"

// A meshLayer is what Istio lets through between workloads.
type meshLayer struct {
	network *Network
	source  []uint32 // by point: the class of those whose connections look alike to the mesh; none: all do
}

func newMeshLayer(n *Network) *meshLayer { return &meshLayer{network: n} }

// between returns what the mesh lets through.
func (m *meshLayer) between(from, to uint32) (sure, open portsID) { return allPorts, allPorts }

// explain says what the mesh says of a connection.
func (m *meshLayer) explain(from, to uint32, protocol Protocol, port uint16) (layers []Layer, notes []string) {
	return nil, nil
}

// encryption says how data travels between two points.
func (m *meshLayer) encryption(from, to uint32, protocol Protocol, port uint16) (trace.Encryption, string) {
	return trace.Unknown, ""
}
