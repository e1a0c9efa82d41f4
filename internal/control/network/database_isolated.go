package network

import (
	"cmp"
	"fmt"
	"iter"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"sync"

	"github.com/eksafe/eksafe/internal/control"
	"github.com/eksafe/eksafe/internal/estate"
	"github.com/eksafe/eksafe/internal/trace"
)

var databaseIsolated = &control.Control{
	ID:       "database-isolated",
	Title:    "Only its owner's pods reach a database",
	Severity: control.Critical,
	Refs:     []control.Ref{control.AWS("eks-pod-security-groups"), control.Project("kubernetes-network-policies"), control.NSA("Network separation and hardening")},
	Serves:   []string{"S17", "S18", "S16"},
	Since:    "0.1.0",
	Check: control.Traced(doors, (*door).at, judgeIsolated, doorKinds...).
		Needs(policyKinds...).
		Needs(estate.Workloads.Kind, estate.SecurityGroupPolicies.Kind, estate.ConfigMaps.Kind).
		Helped(slices.Concat(doorDetails, nodeKinds)...).
		Helped(estate.ServiceAccounts.Kind, estate.Namespaces.Kind, estate.Nodes.Kind, estate.Addons.Kind),
}

// An admission says whether a security group lets a class of pods in.
type admission struct {
	state trace.Ternary
	how   string
}

// judgeIsolated looks for a pod that is no client and that no layer stops. The
// layers are asked from the coarse to the fine: security groups divide pods
// into few classes, policies divide within them.
func judgeIsolated(s *control.Subject, d *door) {
	w := groundOf(s)
	pods := classesOf(s)
	admitted := map[*class]admission{}
	for _, c := range pods.list {
		if adm := d.admits(w, c); adm.state != trace.No {
			admitted[c] = adm
		}
	}
	if len(admitted) == 0 {
		return
	}
	networks, located := d.networks(w)
	gap := ""
	for x := range egressOf(s).reaching(networks, located, d.port) {
		adm, ok := admitted[pods.of[x.pod]]
		if !ok || d.owners[x.pod.workload] || ofPlatform(s, x.pod.namespace.name) {
			continue
		}
		var why string
		switch {
		case adm.state != trace.Yes:
			why = adm.how
		case x.state != trace.Yes:
			why = x.how
		case secretPeer(x.pod.workload):
			why = "it may be a client, as its settings come from a Secret; name the host of the database in a variable or a ConfigMap"
		case len(d.owners) == 0:
			why = "no client of it is known, so that its owner cannot be told from others"
		default:
			s.Failf(d.groupsAt, "%s is no client of it and reaches it: %s, and %s", x.pod, adm.how, x.how)
			return
		}
		if gap == "" {
			gap = fmt.Sprintf("whether %s reaches %s is not decided: %s", x.pod, d.name, why)
		} else if x.state != trace.Yes {
			break // proofs come before doubts: nothing but doubts is left
		}
	}
	if gap != "" {
		s.Unknownf("%s", gap)
	}
}

// secretPeer reports whether a Secret may name what a workload connects to.
func secretPeer(w *estate.Workload) bool {
	return slices.ContainsFunc(w.Facts, func(f estate.Fact) bool {
		if f.ValueFrom == nil || f.ValueFrom.Kind != "Secret" {
			return false
		}
		name := strings.ToUpper(f.Name)
		return strings.HasSuffix(name, "*") || slices.ContainsFunc([]string{"HOST", "URL", "URI", "DSN", "ENDPOINT", "CONNECTION"}, func(word string) bool {
			return strings.Contains(name, word)
		})
	})
}

// admits says whether the security groups of the door let the class in.
func (d *door) admits(w *ground, c *class) admission {
	groups, why := d.rules(w)
	if why != "" {
		return admission{how: why}
	}
	gap := ""
	for _, sg := range groups {
		for _, r := range sg.SecurityGroupIngress.Or(nil) {
			if !tcp(r, d.port) {
				continue
			}
			if r.SourceSecurityGroupId != "" {
				if slices.ContainsFunc(c.groups, func(id string) bool { return w.same(id, r.SourceSecurityGroupId) }) {
					who := "that of the pod"
					if c.node {
						who = "that of every node"
					}
					return admission{trace.Yes, fmt.Sprintf("%s admits %s, %s", short(name(sg)), short(r.SourceSecurityGroupId), who)}
				}
				if c.node && !w.known {
					gap = w.why
				}
				continue
			}
			block, ok := prefix(r.CidrIp + r.CidrIpv6)
			switch {
			case !ok:
				gap = "a rule of " + short(name(sg)) + " names what is not known"
			case worldwide(block), slices.ContainsFunc(w.podNetworks, block.Overlaps):
				return admission{trace.Yes, fmt.Sprintf("%s admits %s, where the pods stand", short(name(sg)), block)}
			case !w.known || len(w.podNetworks) == 0:
				gap = "the subnets of the pods are not known"
				if w.why != "" {
					gap = w.why
				}
			}
		}
	}
	if gap != "" {
		return admission{how: gap}
	}
	return admission{state: trace.No}
}

func name(sg *estate.SecurityGroup) string {
	if sg.GroupId != "" {
		return sg.GroupId
	}
	return sg.Arn
}

// An out is a pod that may send to an address, and how.
type out struct {
	pod   *pod
	state trace.Ternary
	how   string
}

// exits is what policies let pods send to addresses, indexed by network: an
// estate has many pods and few networks.
type exits struct {
	open   map[*pod]out // nothing limits them, or nobody computes it
	free   []*pod       // those of open that nothing limits
	vague  []*pod       // those of open that nobody computes
	blocks []exit
	known  sync.Map // what found returned, by what it was asked: databases share subnets
}

// An exit is one network that policies open, with its rules.
type exit struct {
	network netip.Prefix
	rules   []exitRule
}

type exitRule struct {
	policy *policy
	index  int // of the egress rule
	block  int // of its peer; -1: the rule has no peers
}

func egressOf(s *control.Subject) *exits {
	return trace.Derive(s.Graph(), newExits)
}

func newExits(g *trace.Graph) *exits {
	f := fabricOf(g)
	x := &exits{open: map[*pod]out{}}
	for _, ns := range f.namespaces {
		for _, p := range ns.pods {
			o, ok := f.unlimited(p)
			if !ok {
				continue
			}
			x.open[p] = o
			if o.state == trace.Yes {
				x.free = append(x.free, p)
			} else {
				x.vague = append(x.vague, p)
			}
		}
	}
	byNetwork := map[netip.Prefix]int{}
	for _, p := range f.policies {
		if !p.applies[egress] || len(p.pods) == 0 {
			continue
		}
		for i, r := range p.object.Spec.Egress {
			add := func(network netip.Prefix, block int) {
				n, ok := byNetwork[network]
				if !ok {
					n = len(x.blocks)
					byNetwork[network] = n
					x.blocks = append(x.blocks, exit{network: network})
				}
				x.blocks[n].rules = append(x.blocks[n].rules, exitRule{p, i, block})
			}
			if len(r.To) == 0 {
				add(netip.PrefixFrom(netip.IPv4Unspecified(), 0), -1)
				add(netip.PrefixFrom(netip.IPv6Unspecified(), 0), -1)
			}
			for j, to := range r.To {
				if to.IPBlock == nil {
					continue // pods; no database is one
				}
				if network, ok := prefix(to.IPBlock.CIDR); ok {
					add(network, j)
				}
			}
		}
	}
	return x
}

// unlimited says that a pod sends what it likes, or that eksafe cannot tell.
func (f *fabric) unlimited(p *pod) (out, bool) {
	limited := slices.ContainsFunc(p.policies, func(np *policy) bool { return np.applies[egress] })
	switch other := f.others(p, egress); {
	case p.host:
		return out{p, trace.Yes, "it is in the network of the node, where no policy holds"}, true
	case other != "":
		return out{p, trace.Unclear, "reachability by " + other + " is not computed"}, true
	case !limited:
		return out{p, trace.Yes, "no policy limits its egress"}, true
	case f.reach.Enforcement().State == trace.No:
		return out{p, trace.Yes, "nothing enforces its policies"}, true
	case f.reach.Enforcement().State == trace.Unclear:
		return out{p, trace.Unclear, "whether its policies are enforced is not known: " + f.reach.Enforcement().Why}, true
	}
	return out{}, false
}

// reaching returns the pods that may send to the networks at a port, those that
// certainly may before those that perhaps may, each in the order of namespaces
// and names. Where the networks are not known, a policy that opens any network
// may open these.
func (x *exits) reaching(networks []netip.Prefix, known bool, port int32) iter.Seq[out] {
	return func(yield func(out) bool) {
		for _, p := range x.free {
			if !yield(x.open[p]) {
				return
			}
		}
		key := fmt.Sprint(known, port, networks)
		kept, ok := x.known.Load(key)
		if !ok {
			kept, _ = x.known.LoadOrStore(key, x.found(networks, known, port))
		}
		found := kept.([]out)
		for _, state := range []trace.Ternary{trace.Yes, trace.Unclear} {
			for _, o := range found {
				if o.state == state && !yield(o) {
					return
				}
			}
		}
		for _, p := range x.vague {
			if !yield(x.open[p]) {
				return
			}
		}
	}
}

// found returns the pods that rules let out.
func (x *exits) found(networks []netip.Prefix, known bool, port int32) []out {
	best := map[*pod]out{}
	for _, b := range x.blocks {
		if known && !slices.ContainsFunc(networks, b.network.Overlaps) {
			continue
		}
		for _, r := range b.rules {
			rule := &r.policy.object.Spec.Egress[r.index]
			if !allowsTCP(rule.Ports, port) {
				continue
			}
			o := out{state: trace.Yes, how: "NetworkPolicy " + r.policy.String() + " lets it out to every address"}
			if r.block >= 0 {
				block := rule.To[r.block].IPBlock
				o.how = "NetworkPolicy " + r.policy.String() + " lets it out to " + block.CIDR
				if !known {
					o.state, o.how = trace.Unclear, "the subnets of the database are not known, and "+o.how
				} else if !touches(block, networks) {
					continue
				}
			}
			for _, p := range r.policy.pods {
				o.pod = p
				old, ok := best[p]
				if _, open := x.open[p]; !open && (!ok || old.state != trace.Yes && o.state == trace.Yes || old.state == o.state && o.how < old.how) {
					best[p] = o
				}
			}
		}
	}
	return slices.SortedFunc(maps.Values(best), func(a, b out) int {
		return cmp.Or(cmp.Compare(a.pod.namespace.name, b.pod.namespace.name), a.pod.ref.Compare(b.pod.ref))
	})
}
