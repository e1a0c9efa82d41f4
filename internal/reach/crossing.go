package reach

// A Crossing is a way from a group of endpoints to one of those that it should
// not reach: one that gets through for certain, if any does.
type Crossing struct {
	From, To *Endpoint
	Verdict  Verdict // Allowed or Unknown
	Protocol Protocol
	Port     uint16

	network  *Network
	from, to uint32
}

// The numbers of points that are in no group.
const (
	bystander = -1
	forbidden = -2
)

// Crossings returns for each group that reaches a forbidden endpoint one way to
// it. Endpoints in the group "" are in none. It asks about a group no more once a
// way is found.
func (n *Network) Crossings(group func(*Endpoint) string, isForbidden func(*Endpoint) bool) map[string]*Crossing {
	of := make([]int32, len(n.points))
	for i := range of {
		of[i] = bystander
	}
	index := map[string]int32{}
	var names []string
	for _, e := range n.endpoints {
		number := int32(bystander)
		if name := group(e); name != "" {
			at, ok := index[name]
			if !ok {
				at = int32(len(names))
				index[name], names = at, append(names, name)
			}
			number = at
		} else if isForbidden(e) {
			number = forbidden
		}
		for p := range e.points.points() {
			of[p] = number
		}
	}
	found := make([]*Crossing, len(names))
	settled := func(from, to uint32, sure, _ portsID) bool {
		if of[from] < 0 || of[to] != forbidden {
			return true
		}
		x := found[of[from]]
		return x != nil && (x.Verdict == Allowed || sure == noPorts)
	}
	n.each(walk{runs: runsOf(of), holds: settled, visit: func(from, to uint32, sure, open portsID) bool {
		if settled(from, to, sure, open) {
			return true
		}
		c := &Crossing{From: n.points[from].endpoint, To: n.points[to].endpoint, Verdict: Allowed, network: n, from: from, to: to}
		if sure == noPorts {
			c.Verdict, sure = Unknown, open
		}
		ports := n.ports.of(sure)
		served := c.To.Serves.Intersect(&ports)
		if served.Empty() {
			served = ports
		}
		first := firstPort(&served)
		c.Protocol, c.Port = first.Protocol, max(first.Port, 1)
		found[of[from]] = c
		return true
	}})
	out := map[string]*Crossing{}
	for i, c := range found {
		if c != nil {
			out[names[i]] = c
		}
	}
	return out
}

// Explain says how the crossing gets through.
func (c *Crossing) Explain() *Answer {
	a := &Answer{From: c.From, To: c.To, Protocol: c.Protocol, Port: c.Port, Verdict: c.Verdict}
	c.network.explain(a, c.from, c.to)
	return a
}
