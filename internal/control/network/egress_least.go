package network

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"

	"github.com/eksafe/eksafe/internal/config"
	"github.com/eksafe/eksafe/internal/control"
	"github.com/eksafe/eksafe/internal/estate"
	"github.com/eksafe/eksafe/internal/platform"
	"github.com/eksafe/eksafe/internal/reach"
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
	Check: control.Traced(func(g *trace.Graph) []*reach.Policy { return openers(g, egress) }, policyPlace, judgeEgress, policyKinds...).
		Needs(estate.Workloads.Kind).
		Helped(estate.Namespaces.Kind, estate.ServiceAccounts.Kind, estate.SecurityGroupPolicies.Kind).
		Helped(slices.Concat(doorKinds, doorDetails, nodeKinds, networkKinds)...),
}

const dnsPort = 53

// openers lists the policies of every API that allow something in a direction,
// but for those of the platform's namespaces.
func openers(g *trace.Graph, d direction) []*reach.Policy {
	return slices.DeleteFunc(slices.Clone(fabricOf(g).policies), func(p *reach.Policy) bool {
		return p.Staged || !p.Allows(d) || platform.Namespace(p.Subject.Namespace)
	})
}

func policyPlace(p *reach.Policy) trace.Place { return p.Place }

// ofApplications returns a filter for the workloads that the control is about.
func ofApplications(s *control.Subject) func(*reach.Endpoint) bool {
	f := fabricOf(s.Graph())
	spaces := config.CompileAll(s.Config().Platform.Namespaces)
	return func(e *reach.Endpoint) bool {
		p := f.pods[e.Workload]
		return p != nil && !p.platform && !spaces.Match(e.Namespace)
	}
}

// selectsApplication reports whether a policy selects a pod of an application;
// without one there is nothing to judge, and without knowing whom it selects
// neither.
func selectsApplication(s *control.Subject, p *reach.Policy) bool {
	selected, known := p.Selects()
	switch {
	case p.Subject.Namespace != "" && ofPlatform(s, p.Subject.Namespace), !slices.ContainsFunc(selected, ofApplications(s)):
		s.NotApplicable() // of one that selects nothing policy-alive speaks
		return false
	case slices.Contains(ciliumKinds, p.Subject.Kind):
		s.Unknownf("what the rules of Cilium allow is not computed")
		return false
	case !known:
		s.Unknownf("which pods it selects is not decided")
		return false
	}
	return true
}

func judgeEgress(s *control.Subject, p *reach.Policy) {
	if !selectsApplication(s, p) {
		return
	}
	portless := map[trace.Place]bool{}
	for _, o := range p.Openings(ofApplications(s)) {
		if o.EveryPort && !o.EveryPeer && !portless[o.Rule] {
			portless[o.Rule] = true
			judgeEveryPort(s, o)
		}
		judgeOpening(s, o)
	}
}

// judgeEveryPort reports a rule that names no ports, if all of them are open.
func judgeEveryPort(s *control.Subject, o *reach.Opening) {
	for x := range o.Passages(func(_, _ *reach.Endpoint) bool { return true }, func(*reach.Endpoint, string) (bool, bool) { return true, true }) {
		s.FailAt(o.Rule, "it names no ports, so that %s gets out at every port: %s", namesOf(x.From), witness(x, x.From[0]))
		return
	}
}

// A far is what stands at the other end, as far as it matters.
type far int

const (
	internet far = iota
	metadataAddress
	vpcAddress
	otherAddress
	foreignDatabase
	foreignPod
	fars
)

// judgeOpening asks what the pods get to by one peer of a rule. Of what it opens
// the worst is reported.
func judgeOpening(s *control.Subject, o *reach.Opening) {
	block, isBlock := prefix(o.Block)
	if o.Block != "" && !isBlock {
		s.FailAt(o.Place, "%q is no network", o.Block)
		return
	}
	seen := lookAround(s, o)
	if seen == ([fars]*sight{}) {
		return
	}
	ports := openPorts(o)
	dns := len(ports) > 0 && !slices.ContainsFunc(ports, func(n int32) bool { return n != dnsPort })
	w := groundOf(s)
	switch {
	case o.EveryPeer:
		if x := cmp.Or(seen[:]...); x != nil {
			what := "it names no peers, so that %s gets out to every address"
			if o.EveryPort {
				what = "it lets %s out to every address at every port"
			}
			x.report(s, o, fmt.Sprintf(what, namesOf(x.pods)))
		}
	case !isBlock:
		if x := seen[internet]; x != nil && x.to.Kind != reach.DomainEndpoint {
			x.report(s, o, fmt.Sprintf("it lets %s out to the internet", namesOf(x.pods)))
		} else if x := seen[foreignPod]; x != nil {
			x.report(s, o, fmt.Sprintf("it lets %s out to pods of %s, which are no dependency of it; name the pods that it needs", namesOf(x.pods), x.to.Namespace))
		}
	case seen[internet] != nil && worldwide(block):
		seen[internet].report(s, o, fmt.Sprintf("it lets %s out to %s, the internet", namesOf(seen[internet].pods), o.Block))
	case depends(s, o, block, ports), dns && block.IsSingleIP():
	case seen[vpcAddress] != nil && wholeVPC(block, w.vpcs):
		seen[vpcAddress].report(s, o, fmt.Sprintf("it lets %s out to %s, the whole VPC and every database in it", namesOf(seen[vpcAddress].pods), o.Block))
	case seen[metadataAddress] != nil:
		seen[metadataAddress].report(s, o, fmt.Sprintf("it lets %s out to %s, where nodes hand out their credentials", namesOf(seen[metadataAddress].pods), o.Block))
	case seen[internet] != nil && public(block):
		seen[internet].report(s, o, fmt.Sprintf("%s is no dependency of %s; declare it under dependencies in eksafe.yaml, or close it", o.Block, namesOf(seen[internet].pods)))
	case seen[foreignDatabase] != nil:
		x := seen[foreignDatabase]
		x.report(s, o, fmt.Sprintf("it lets %s out to %s, a database of others", namesOf(x.pods), x.to.Name))
	case within(block, trace.Derive(s.Graph(), newDatabaseNetworks)), within(block, w.podNetworks):
	case seen[vpcAddress] == nil && seen[otherAddress] == nil:
	case !s.Read(estate.Subnets.Kind) || len(w.subnets) == 0:
		s.Unknownf("whether databases stand in %s is not known; read the subnets (--aws), or declare it under dependencies in eksafe.yaml", o.Block)
	default:
		x := cmp.Or(seen[vpcAddress], seen[otherAddress])
		x.report(s, o, o.Block+" is more than databases of this estate; name their subnets, or declare it under dependencies in eksafe.yaml")
	}
}

// A sight is the first of its kind that pods get to.
type sight struct {
	passage *reach.Passage
	pods    []*reach.Endpoint
	to      *reach.Endpoint
}

// report reports what is seen, with the way of one pod to it.
func (x *sight) report(s *control.Subject, o *reach.Opening, what string) {
	if x.passage.Verdict == reach.Unknown {
		l, _ := x.passage.Explain(x.pods[0]).Decisive()
		s.Unknownf("whether by %s %s is not decided: %s", o.Place.Field, what, l.Why)
		return
	}
	s.FailAt(o.Place, "%s: %s", what, witness(x.passage, x.pods[0]))
}

// lookAround returns what pods get to by an opening. What gets through for
// certain counts before what may.
func lookAround(s *control.Subject, o *reach.Opening) (seen [fars]*sight) {
	r := rivalsOf(s)
	type call struct {
		from      *reach.Endpoint
		namespace string
	}
	asked := map[call]bool{} // pods of a namespace are as good as one
	enough := func(kind far) bool { return seen[kind] != nil && seen[kind].passage.Verdict == reach.Allowed }
	wanted := func(from, to *reach.Endpoint) bool {
		kind, ok := r.kindOf(to)
		if !ok || enough(kind) {
			return false
		}
		if kind == foreignPod {
			asked[call{from, to.Namespace}] = true
		}
		return true
	}
	// Of pods only those count that a rule selects.
	selects := !o.EveryPeer && o.Block == ""
	wantedPods := func(from *reach.Endpoint, namespace string) (these, more bool) {
		more = selects && !enough(foreignPod)
		return more && namespace != o.Rule.Subject.Namespace && !asked[call{from, namespace}], more
	}
	for x := range o.Passages(wanted, wantedPods) {
		kind, _ := r.kindOf(x.To)
		pods := x.From
		if kind >= foreignDatabase {
			pods = slices.DeleteFunc(slices.Clone(pods), func(e *reach.Endpoint) bool { return r.needs(e, x.To) })
		}
		if len(pods) > 0 && (seen[kind] == nil || x.Verdict == reach.Allowed) {
			seen[kind] = &sight{x, pods, x.To}
		}
	}
	return seen
}

// A rivals says what is no business of a workload.
type rivals struct {
	fabric  *fabric
	doors   map[estate.Ref]*door
	calls   map[[2]string]bool // namespaces of which one names something in the other
	spaces  config.Patterns
	secrets map[*estate.Workload]bool
}

func rivalsOf(s *control.Subject) *rivals {
	r := trace.Derive(s.Graph(), newRivals)
	own := *r
	own.spaces = config.CompileAll(s.Config().Platform.Namespaces)
	return &own
}

func newRivals(g *trace.Graph) *rivals {
	r := &rivals{fabric: fabricOf(g), doors: map[estate.Ref]*door{}, calls: map[[2]string]bool{}, secrets: map[*estate.Workload]bool{}}
	for _, d := range doors(g) {
		r.doors[d.place.Subject] = d
	}
	for _, h := range g.Hops {
		if h.From.Namespace != "" && h.To.Namespace != "" {
			r.calls[[2]string{h.From.Namespace, h.To.Namespace}] = true
		}
	}
	for _, w := range estate.Workloads.In(g.Estate) {
		if secretPeer(w) {
			r.secrets[w] = true
		}
	}
	return r
}

// kindOf returns what an endpoint is to pods that get to it; ok is false for one
// that is nobody's loss.
func (r *rivals) kindOf(e *reach.Endpoint) (kind far, ok bool) {
	switch e.Kind {
	case reach.InternetEndpoint, reach.DomainEndpoint:
		return internet, true
	case reach.MetadataEndpoint:
		return metadataAddress, true
	case reach.NetworkEndpoint:
		switch e.Name {
		case "VPC":
			return vpcAddress, true
		case reach.OtherAddresses:
			return 0, false
		}
		return otherAddress, true
	case reach.WorkloadEndpoint:
		p := r.fabric.pods[e.Workload]
		return foreignPod, p != nil && !p.platform && !r.spaces.Match(e.Namespace)
	}
	d := r.doors[e.Ref]
	return foreignDatabase, d != nil && len(d.owners) > 0
}

// needs reports whether a workload is known to need an endpoint, or may do so
// by settings that come from a Secret.
func (r *rivals) needs(from, to *reach.Endpoint) bool {
	if d := r.doors[to.Ref]; d != nil {
		return d.owners[from.Workload] || r.secrets[from.Workload]
	}
	return from.Namespace == to.Namespace || r.calls[[2]string{from.Namespace, to.Namespace}] || r.secrets[from.Workload]
}

// openPorts returns the ports that an opening names, nil if they are many.
func openPorts(o *reach.Opening) []int32 {
	var out []int32
	for _, ranges := range o.Ports {
		for _, r := range ranges {
			if r.First != r.Last {
				return nil
			}
			out = append(out, int32(r.First))
		}
	}
	return out
}

// witness writes how the pods of a workload get somewhere. Where nothing enforces
// a policy, what is in force need not agree.
func witness(x *reach.Passage, from *reach.Endpoint) string {
	a := x.Explain(from)
	a.Layers = slices.DeleteFunc(a.Layers, func(l reach.Layer) bool {
		return !slices.Contains([]reach.LayerKind{reach.EgressPolicies, reach.SecurityGroups, reach.NetworkACLs, reach.Routes}, l.Kind)
	})
	return explained(fmt.Sprintf("%s gets to %s at %s %d", from, a.Destination, x.Protocol, x.Port), a)
}

// explained adds the rules to what gets through, if they are those in force.
func explained(what string, a *reach.Answer) string {
	if slices.ContainsFunc(a.Layers, func(l reach.Layer) bool { return l.Verdict == reach.Denied }) {
		return what + " where the policy is in force"
	}
	return what + ": " + chain(a)
}

func namesOf(of []*reach.Endpoint) string {
	var out []string
	for _, e := range of {
		out = append(out, e.Workload.Name)
	}
	return list(out)
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
func depends(s *control.Subject, o *reach.Opening, block netip.Prefix, open []int32) bool {
	return slices.ContainsFunc(s.Config().Dependencies, func(d config.Dependency) bool {
		if !within(block, prefixes(d.CIDRs...)) {
			return false
		}
		if len(d.Ports) > 0 && (len(open) == 0 || slices.ContainsFunc(open, func(n int32) bool { return !slices.Contains(d.Ports, n) })) {
			return false
		}
		return slices.ContainsFunc(o.Workloads(), func(e *reach.Endpoint) bool { return config.Compile(d.From).Match(e.Name) })
	})
}
