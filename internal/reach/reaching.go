package reach

import "iter"

// A Source is a workload that may reach what was asked about.
type Source struct {
	*Endpoint
	Verdict Verdict // Allowed or Unknown
	// Port is the lowest port that decides.
	Protocol Protocol
	Port     uint16
}

// Reaching returns the workloads that may reach an endpoint at any of the ports,
// by namespace and name. It explains nothing: Ask does.
func (n *Network) Reaching(to *Endpoint, ports Ports) iter.Seq[Source] {
	asked := n.ports.id(ports)
	return func(yield func(Source) bool) {
		// Few answers differ: each is held against the ports once.
		known := map[portsID]portsID{}
		within := func(id portsID) portsID {
			hit, ok := known[id]
			if !ok {
				hit = n.ports.and(id, asked)
				known[id] = hit
			}
			return hit
		}
		for _, e := range n.endpoints {
			if e.Workload == nil {
				continue
			}
			verdict, at := Denied, noPorts
		search:
			for from := range e.points.points() {
				for target := range to.points.points() {
					sure, open := n.between(from, target)
					if open == noPorts {
						continue
					}
					if hit := within(sure); hit != noPorts {
						verdict, at = Allowed, hit
						break search
					}
					if hit := within(open); hit != noPorts && verdict == Denied {
						verdict, at = Unknown, hit
					}
				}
			}
			if verdict == Denied {
				continue
			}
			s := Source{Endpoint: e, Verdict: verdict}
			open := n.ports.of(at)
			for p := range open {
				if len(open[p]) > 0 {
					s.Protocol, s.Port = Protocol(p), open[p][0].First
					break
				}
			}
			if !yield(s) {
				return
			}
		}
	}
}
