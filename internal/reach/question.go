package reach

import (
	"cmp"
	"slices"
)

// A Question asks whether From reaches To, both references as Find takes them;
// "" is everything. Port 0 asks about every port.
type Question struct {
	From, To string
	Protocol Protocol
	Port     uint16
}

// A Reply is what a question came to for one pair of endpoints.
type Reply struct {
	From, To *Endpoint
	// Allowed are the ports that get through, Possible those and the ones of
	// which that is not known; of the port that was asked about, if one was.
	Allowed, Possible Ports
	// Answers explain: the port that was asked about; else the ports that To
	// serves, at most maxAnswers, or without any one that gets through.
	Answers []*Answer
}

// maxAnswers bounds the ports that one reply explains.
const maxAnswers = 4

// Verdict is that of all ports that count.
func (r *Reply) Verdict() Verdict {
	switch {
	case !r.Allowed.Empty():
		return Allowed
	case !r.Possible.Empty():
		return Unknown
	}
	return Denied
}

// Reply answers a question, one reply for each pair of endpoints. An endpoint is
// not asked about itself where the question means many. A port that a Service
// does not have is an error.
func (n *Network) Reply(q Question) ([]*Reply, error) {
	from, to := found{endpoints: n.endpoints}, found{endpoints: n.endpoints}
	var err error
	if q.From != "" {
		if from, err = n.find(q.From); err != nil {
			return nil, err
		}
	}
	if q.To != "" {
		if to, err = n.find(q.To); err != nil {
			return nil, err
		}
	}
	var ports []Named
	if q.Port != 0 {
		if ports, err = to.at(q.Protocol, q.Port); err != nil {
			return nil, err
		}
	}
	var out []*Reply
	for _, f := range from.endpoints {
		if q.From == "" && !f.initiates() {
			continue
		}
		for _, t := range to.endpoints {
			if q.To == "" && t.Kind == NodesEndpoint {
				continue // they are asked about by name
			}
			if f == t && (len(from.endpoints) > 1 || len(to.endpoints) > 1) || f.isAddress() && t.isAddress() {
				continue
			}
			r := n.reply(f, t, q.Port != 0, ports)
			if r.Verdict() == Denied && (q.From == "" || q.To == "") {
				continue // what reaches nothing is not listed
			}
			out = append(out, r)
		}
	}
	slices.SortStableFunc(out, func(a, b *Reply) int { return -cmp.Compare(a.Verdict(), b.Verdict()) })
	return out, nil
}

func (e *Endpoint) isAddress() bool {
	switch e.Kind {
	case NetworkEndpoint, InternetEndpoint, MetadataEndpoint, PodIdentityEndpoint, NodeDNSEndpoint, DomainEndpoint:
		return true
	}
	return false
}

func (n *Network) reply(from, to *Endpoint, one bool, ports []Named) *Reply {
	r := &Reply{From: from, To: to}
	sure, open := n.endpointsBetween(from, to)
	r.Allowed, r.Possible = n.ports.of(sure), n.ports.of(open)
	if one {
		var asked Ports
		for _, p := range ports {
			single := PortsOf(p.Protocol, int(p.Port), int(p.Port))
			asked = asked.Union(&single)
		}
		r.Allowed, r.Possible = r.Allowed.Intersect(&asked), r.Possible.Intersect(&asked)
	} else {
		ports = n.worthAsking(to, r)
	}
	for _, p := range ports[:min(len(ports), maxAnswers)] {
		r.Answers = append(r.Answers, n.Ask(from, to, p.Protocol, p.Port))
	}
	return r
}

// endpointsBetween returns what gets through between any of the points of two
// endpoints.
func (n *Network) endpointsBetween(from, to *Endpoint) (sure, open portsID) {
	for i := range from.points.points() {
		for j := range to.points.points() {
			s, o := n.between(i, j)
			if n.itself(i, j) {
				s, o = allPorts, allPorts
			}
			if sure, open = n.ports.or(sure, s), n.ports.or(open, o); sure == allPorts {
				return sure, open
			}
		}
	}
	return sure, open
}

// worthAsking returns the ports at which a pair is explained.
func (n *Network) worthAsking(to *Endpoint, r *Reply) []Named {
	if list := firstPorts(&to.Serves, maxAnswers); len(list) > 0 {
		return list
	}
	for _, ports := range []*Ports{&r.Allowed, &r.Possible} {
		if list := firstPorts(ports, 1); len(list) > 0 {
			return list
		}
	}
	return []Named{{TCP, 443}}
}

// firstPorts returns the first port of each range, at most limit.
func firstPorts(p *Ports, limit int) []Named {
	var out []Named
	for protocol := range Other {
		for _, r := range p[protocol] {
			if len(out) < limit {
				out = append(out, Named{protocol, max(r.First, 1)})
			}
		}
	}
	return out
}
