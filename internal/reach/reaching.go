package reach

import (
	"iter"
	"slices"

	"github.com/eksafe/eksafe/internal/trace"
)

// A Source is a workload that may reach what was asked about.
type Source struct {
	*Endpoint
	Verdict Verdict // Allowed or Unknown
	// Port is the lowest port that decides.
	Protocol Protocol
	Port     uint16
	// Unenforced says why it is not known whether the policies that stop it are
	// enforced, where nothing but that makes the verdict Unknown.
	Unenforced string
}

// senders are the pods by what their policies let them send to what AWS runs.
type senders struct {
	free set               // those that no policy limits for certain
	by   [][]uint32        // by target, those whose policies let something through to it
	idle map[uint32]string // why it is not known whether the policies of a pod are enforced
}

// findSenders goes once through all filters, so that who asks about one target
// need not go through all pods.
func (n *Network) findSenders() *senders {
	out := &senders{by: make([][]uint32, n.atoms-n.pods), idle: map[uint32]string{}}
	targets := set{{n.pods, n.atoms}}
	if n.pods == n.atoms {
		targets = nil
	}
	for p := range n.pods {
		f := n.filters[Egress][p]
		if why := n.perhapsIdle(Egress, p); why != "" {
			out.idle[p] = why
		}
		if f == nil || out.idle[p] != "" || n.guards[Egress].points.has(p) {
			out.free = out.free.extend(p, p+1)
			continue
		}
		overlap(f.segments, targets, func(lo, hi uint32, s *segment) bool {
			for to := lo; to < hi && s.open != noPorts; to++ {
				out.by[to-n.pods] = append(out.by[to-n.pods], p)
			}
			return true
		})
	}
	return out
}

// perhapsIdle says why it is not known whether every policy of a pod is enforced,
// "" if it is.
func (n *Network) perhapsIdle(d Direction, pod uint32) string {
	f := n.filters[d][pod]
	if f == nil {
		return ""
	}
	for _, p := range f.policies {
		if n.enforcer.of(p.policy, pod) == trace.Unclear {
			h := n.enforcer.holds[pod]
			if h.why != "" {
				return h.why
			}
			return "whether this version of " + h.by.String() + " reads " + p.name + " is not known"
		}
	}
	return ""
}

// loosely returns what the policies of a pod that are enforced for certain let
// through at most.
func (n *Network) loosely(d Direction, pod, peer uint32) portsID {
	var key []byte
	f := n.filters[d][pod]
	firm := &filter{direction: d, point: f.point}
	for _, p := range f.policies {
		if n.enforcer.of(p.policy, pod) == trace.Yes {
			firm.policies = append(firm.policies, p)
			key = append(key, 1)
		} else {
			key = append(key, 0)
		}
	}
	if len(firm.policies) == 0 {
		return allPorts
	}
	known, ok := n.loose.Load(doubtful{f, string(key)})
	if !ok {
		firm.segments = n.evaluate(firm)
		known, _ = n.loose.LoadOrStore(doubtful{f, string(key)}, firm)
	}
	_, open := known.(*filter).at(peer)
	return open
}

// A doubtful filter is one with policies that may not be enforced, and which
// ones.
type doubtful struct {
	filter *filter
	firm   string
}

// Reaching returns the workloads that may reach an endpoint at any of the ports,
// by namespace and name. It explains nothing: Ask does. A workload that policies
// stop of which it is not known whether anything enforces them may reach it.
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
		candidates, idle := n.candidates(to)
		for i := 0; i < len(candidates); {
			e := n.points[candidates[i]].endpoint
			verdict, at, unenforced := Denied, noPorts, ""
			for ; i < len(candidates) && n.points[candidates[i]].endpoint == e; i++ {
				if verdict == Allowed {
					continue
				}
				from := candidates[i]
			search:
				for target := range to.points.points() {
					sure, open := n.between(from, target)
					if hit := within(sure); hit != noPorts {
						verdict, at, unenforced = Allowed, hit, ""
						break search
					}
					if hit := within(open); hit != noPorts && (verdict == Denied || unenforced != "") {
						verdict, at, unenforced = Unknown, hit, ""
					}
					if why := idle[from]; why != "" && verdict == Denied {
						if hit := within(n.unenforced(from, target)); hit != noPorts {
							verdict, at, unenforced = Unknown, hit, why
						}
					}
				}
			}
			if verdict == Denied {
				continue
			}
			open := n.ports.of(at)
			first := firstPort(&open)
			if !yield(Source{e, verdict, first.Protocol, first.Port, unenforced}) {
				return
			}
		}
	}
}

// unenforced returns what gets through at most if nothing enforces the policies
// of the sender of which that is not known.
func (n *Network) unenforced(from, to uint32) portsID {
	_, open := n.aws(from, to)
	open = n.ports.and(open, n.loosely(Egress, from, to))
	if open == noPorts {
		return noPorts
	}
	_, in := n.passes(Ingress, to, from)
	_, open = n.mesh.through(from, to, noPorts, n.ports.and(open, in))
	return open
}

// candidates returns the pods that may reach an endpoint as far as their own
// policies go, in order, and of which it is not known whether they are enforced.
func (n *Network) candidates(to *Endpoint) ([]uint32, map[uint32]string) {
	s := n.senders()
	if len(to.points) == 0 || to.points[0].lo < n.pods || to.points[len(to.points)-1].hi > n.atoms {
		return slices.Collect(interval(0, n.pods).points()), s.idle
	}
	out := slices.Collect(s.free.points())
	for target := range to.points.points() {
		out = append(out, s.by[target-n.pods]...)
	}
	slices.Sort(out)
	return slices.Compact(out), s.idle
}
