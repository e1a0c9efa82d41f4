package reach

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"

	"github.com/eksafe/eksafe/internal/config"
	"github.com/eksafe/eksafe/internal/estate"
	"github.com/eksafe/eksafe/internal/platform"
	"github.com/eksafe/eksafe/internal/trace"
)

// A Reached says from how far away an endpoint can be reached.
type Reached int

// The zero value claims nothing: neither that somebody reaches the endpoint nor
// that nobody does.
const (
	Undecided        Reached = iota
	FromNowhere              // every reading isolates it
	FromOwnNamespace         // every reading isolates it from everything else
	FromOtherTenants
	FromInternet
)

var reachedNames = [...]string{"undecided", "nowhere", "own namespace", "other tenants", "internet"}

func (r Reached) String() string { return reachedNames[r] }

// An Exposure says from where an endpoint can be reached at a port at which it
// may listen: by what is certain alone. The zero value knows nothing.
type Exposure struct {
	Reached Reached
	// Balancers are the load balancers that lead to it: through those of
	// Entry, the widest.
	Entry     trace.Exposure
	Balancers []string
	// Witness is one that reaches it from that far away, and At where; nil
	// through load balancers.
	Witness *Endpoint
	At      Ports
	// Isolated names what isolates it, where it is reached from nowhere.
	Isolated []string
}

// Words says it for people, one a line; none where nothing is certain.
func (x Exposure) Words() []string {
	var out []string
	via := strings.Join(x.Balancers, ", ")
	switch x.Entry {
	case trace.Internet:
		out = append(out, "reachable from the internet via "+via)
	case trace.Internal:
		if x.Reached != FromInternet {
			out = append(out, "reachable inside the network only, via "+via)
		}
	}
	switch {
	case x.Reached == FromInternet && x.Witness != nil:
		out = append(out, "reachable from the internet at "+portWords(x.At))
	case x.Reached == FromOtherTenants:
		out = append(out, fmt.Sprintf("reachable from other tenants: %s at %s", x.Witness, portWords(x.At)))
	case x.Reached == FromOwnNamespace:
		out = append(out, "reachable from its own namespace only")
	case x.Reached == FromNowhere:
		out = append(out, "reachable from nowhere: "+isolates(x.Isolated))
	}
	return out
}

func isolates(what []string) string {
	if len(what) == 1 && !strings.HasSuffix(what[0], "policies") {
		return what[0] + " isolates it"
	}
	return strings.Join(what, " and ") + " isolate it"
}

// portWords writes the ports of transport protocols, the first ones if there
// are many.
func portWords(p Ports) string {
	const most = 4
	if p.String() == transport.String() {
		return "every port"
	}
	left := most
	for i := range p {
		if len(p[i]) > left {
			p[i] = p[i][:left]
		}
		left -= len(p[i])
	}
	words := p.String()
	if left == 0 {
		words += " …"
	}
	return words
}

// transport are the ports at which something can listen.
var transport = func() Ports {
	out := AllPorts()
	out[ICMP], out[ICMPv6], out[Other] = nil, nil, nil
	return out
}()

// Exposures says of each endpoint from where it can be reached. It is not
// changed after it was made and may be asked by many goroutines.
type Exposures struct {
	graph *trace.Graph
	of    map[estate.Ref]Exposure
}

// Of returns the exposure of a resource. Of what is no endpoint, such as an
// Ingress, only load balancers tell.
func (x *Exposures) Of(ref estate.Ref) Exposure {
	if e, ok := x.of[ref]; ok {
		return e
	}
	var out Exposure
	out.Entry, out.Balancers = x.graph.Exposure(ref)
	if out.Entry == trace.Internet {
		out.Reached = FromInternet
	}
	return out
}

// Has reports whether the resource is an endpoint that can be reached.
func (x *Exposures) Has(ref estate.Ref) bool {
	_, ok := x.of[ref]
	return ok
}

// A sender is points from which every connection gets as far: of one namespace,
// or addresses, with one filter for what they send, alike to AWS and the mesh.
type sender struct {
	kind      EndpointKind
	namespace *namespace // nil but of pods
	host      bool
	egress    *filter // nil if nothing limits what it sends
	inForce   bool    // what limits it is known to be enforced
	vpc, mesh uint32
}

// A home is what a namespace is to others.
type home struct {
	tenant   string
	platform bool
}

// An exposer computes exposures. Who may reach a pod is asked of one point for
// each sender that its policies let in: policies that let in the same points
// share that list.
type exposer struct {
	*Network
	senders []sender
	class   []int    // sender of each point, -1 for what begins no connection
	end     []uint32 // where the run of points of one sender ends
	homes   map[*namespace]home
	owners  map[estate.Ref][]*namespace // of what AWS runs, by the workloads that use it
	lists   map[string][]candidate
	heard   []set // by sender, the namespaces that its policies let it send to

	transport portsID
	// blind is true if policies, namespaces or workloads are missing: who reaches
	// a pod is not known. peersKnown is true if the network of AWS was read.
	blind, peersKnown bool
}

// A candidate stands for the points of a sender that policies let in alike. The
// second point, of another endpoint, stands in where the first is the receiver.
type candidate struct {
	sender int
	points []uint32
}

// Exposures computes from where each endpoint can be reached. What another
// tenant is, declared says: teams, and the namespaces of the platform.
func (n *Network) Exposures(declared *config.Config) *Exposures {
	x := newExposer(n, declared)
	out := &Exposures{graph: n.graph, of: map[estate.Ref]Exposure{}}
	for _, e := range n.endpoints {
		switch e.Kind {
		case WorkloadEndpoint, DatabaseEndpoint, CacheEndpoint, KafkaEndpoint, SearchEndpoint, FileSystemEndpoint:
			out.of[e.Ref] = x.expose(e)
		}
	}
	return out
}

func newExposer(n *Network, declared *config.Config) *exposer {
	x := &exposer{Network: n, homes: map[*namespace]home{}, owners: map[estate.Ref][]*namespace{}, lists: map[string][]candidate{}}
	x.transport = n.ports.id(transport)
	x.blind, x.peersKnown = !isRead(n.graph.Estate, needed...) || isDenied(n.graph.Estate, policyKinds...), isRead(n.graph.Estate, beside...)
	ours := config.CompileAll(declared.Platform.Namespaces)
	for _, ns := range n.namespaces {
		// A namespace that is nobody's is a tenant of its own.
		tenant := "namespace " + ns.name
		if team := declared.Team(ns.name, ns.labels); team != "" {
			tenant = "team " + team
		}
		x.homes[ns] = home{tenant, platform.Namespace(ns.name) || ours.Match(ns.name)}
	}
	for _, h := range n.graph.Hops {
		if h.Client == nil || h.Server != nil {
			continue
		}
		if ns := n.byName[h.Client.Namespace]; ns != nil && !slices.Contains(x.owners[h.To], ns) {
			x.owners[h.To] = append(x.owners[h.To], ns)
		}
	}
	x.classify()
	return x
}

// needed are the kinds without which nobody knows who reaches a pod, policyKinds
// those of policies that a cluster may do without, and beside those that show
// what stands beside the pods.
var (
	needed      = []estate.Kind{estate.Workloads.Kind, estate.Namespaces.Kind, estate.NetworkPolicies.Kind}
	policyKinds = []estate.Kind{
		estate.CalicoNetworkPolicies.Kind, estate.CalicoGlobalNetworkPolicies.Kind, estate.CiliumNetworkPolicies.Kind,
		estate.CiliumClusterwideNetworkPolicies.Kind, estate.AdminNetworkPolicies.Kind, estate.BaselineAdminNetworkPolicies.Kind,
		estate.ClusterNetworkPolicies.Kind, estate.AWSClusterNetworkPolicies.Kind, estate.ApplicationNetworkPolicies.Kind,
	}
	beside = []estate.Kind{estate.Workloads.Kind, estate.Namespaces.Kind, estate.SecurityGroups.Kind, estate.NetworkInterfaces.Kind}
)

func isRead(e *estate.Estate, kinds ...estate.Kind) bool {
	return !slices.ContainsFunc(kinds, func(k estate.Kind) bool { return e.Coverage(k).State != estate.Read })
}

func isDenied(e *estate.Estate, kinds ...estate.Kind) bool {
	return slices.ContainsFunc(kinds, func(k estate.Kind) bool {
		s := e.Coverage(k).State
		return s == estate.Denied || s == estate.Unavailable
	})
}

func (x *exposer) classify() {
	at := func(classes []uint32, p uint32) uint32 {
		if int(p) < len(classes) {
			return classes[p]
		}
		return 0
	}
	index := map[sender]int{}
	group := make([]int32, len(x.points))
	x.class = make([]int, len(x.points))
	for i, p := range x.points {
		x.class[i], group[i] = -1, -1
		if !p.endpoint.initiates() || p.endpoint.Name == OtherAddresses {
			continue
		}
		s := sender{kind: p.endpoint.Kind, namespace: p.namespace, host: p.host, vpc: at(x.vpc.classOf, p.id), mesh: at(x.mesh.source, p.id)}
		if p.id < x.pods {
			s.egress = x.filters[Egress][i]
		}
		s.inForce = s.egress != nil && x.inForce(s.egress, p.id)
		class, ok := index[s]
		if !ok {
			class = len(x.senders)
			index[s] = class
			x.senders = append(x.senders, s)
		}
		x.class[i], group[i] = class, int32(class)
	}
	x.end = runsOf(group)
}

// hear finds to which namespaces each sender may send anything: once for each
// filter, and not for each namespace again.
func (x *exposer) hear() {
	heard := map[*filter]set{nil: interval(0, uint32(len(x.namespaces)))} // nothing limits those without one
	x.heard = make([]set, len(x.senders))
	for i, s := range x.senders {
		spoken, ok := heard[s.egress]
		if !ok {
			for _, seg := range s.egress.segments {
				if seg.open != noPorts {
					spoken = spoken.extend(x.homesIn(seg.lo, seg.hi))
				}
			}
			heard[s.egress] = spoken
		}
		x.heard[i] = spoken
	}
}

// homesIn returns the namespaces with pods from lo up to hi: from the number of
// the first up to that behind the last.
func (x *exposer) homesIn(lo, hi uint32) (first, behind uint32) {
	begin, _ := slices.BinarySearchFunc(x.namespaces, lo, func(ns *namespace, lo uint32) int {
		if ns.span.hi <= lo {
			return -1
		}
		return 1
	})
	end, _ := slices.BinarySearchFunc(x.namespaces, hi, func(ns *namespace, hi uint32) int { return cmp.Compare(ns.span.lo, hi) })
	return uint32(begin), uint32(end)
}

// silent reports whether the policies of a sender let out nothing to a namespace;
// at is its number, -1 for none.
func (x *exposer) silent(sender, at int) bool {
	if at < 0 {
		return false
	}
	if x.heard == nil {
		x.hear()
	}
	return !x.heard[sender].has(uint32(at))
}

// candidates returns who gets through the policies of a pod, at most, or with
// barred set all others as well: those that are no pods first, for the internet is
// the widest answer.
func (x *exposer) candidates(in *filter, barred bool) []candidate {
	segments := []segment{{0, uint32(len(x.points)), allPorts, allPorts}}
	if in != nil {
		segments = in.segments
	}
	key := []byte{boolByte(barred)}
	for _, s := range segments {
		if s.open != noPorts || barred {
			for _, v := range []uint32{s.lo, s.hi, uint32(s.sure), uint32(s.open)} {
				key = binary.AppendUvarint(key, uint64(v))
			}
		}
	}
	if known, ok := x.lists[string(key)]; ok {
		return known
	}
	type alike struct {
		sender     int
		sure, open portsID
	}
	index := map[alike]int{}
	var out []candidate
	for _, s := range segments {
		if s.open == noPorts && !barred {
			continue
		}
		for p := s.lo; p < s.hi; p = min(x.end[p], s.hi) {
			if x.class[p] < 0 {
				continue
			}
			k := alike{x.class[p], s.sure, s.open}
			at, ok := index[k]
			if !ok {
				at = len(out)
				index[k] = at
				out = append(out, candidate{sender: x.class[p]})
			}
			out[at].add(x.points, p, min(x.end[p], s.hi))
		}
	}
	slices.SortStableFunc(out, func(a, b candidate) int {
		return cmp.Compare(x.order(a.sender), x.order(b.sender))
	})
	x.lists[string(key)] = out
	return out
}

// add takes points of a run until there are two of different endpoints.
func (c *candidate) add(points []*point, lo, hi uint32) {
	for p := lo; p < hi && len(c.points) < 2; p++ {
		if len(c.points) == 0 || points[c.points[0]].endpoint != points[p].endpoint {
			c.points = append(c.points, p)
		}
	}
}

func (x *exposer) order(s int) int {
	switch {
	case x.senders[s].kind == InternetEndpoint:
		return 0
	case x.senders[s].namespace == nil:
		return 1
	}
	return 2
}

// A distance is how far a sender is from a receiver.
type distance int

const (
	passedOver distance = iota
	ownNamespace
	noStranger // of its own tenant, of the platform, or an address of the network
	otherTenant
	wholeWorld
	distances // how many there are
)

// distance returns how far a sender is from an endpoint. Pods of the platform in
// the network of their node are passed over: no policy keeps a node from its
// pods.
func (x *exposer) distance(e *Endpoint, s *sender) distance {
	switch {
	case s.kind == InternetEndpoint:
		return wholeWorld
	case s.namespace == nil:
		return noStranger
	}
	from := x.homes[s.namespace]
	owners := x.owners[e.Ref]
	if e.Workload != nil {
		owners = []*namespace{x.byName[e.Namespace]}
	}
	switch {
	case slices.Contains(owners, s.namespace):
		return ownNamespace
	case from.platform && s.host:
		return passedOver
	case from.platform, len(owners) == 0, slices.ContainsFunc(owners, func(ns *namespace) bool { return x.homes[ns].tenant == from.tenant }):
		return noStranger
	}
	return otherTenant
}

// A tally is what gets through from one distance.
type tally struct {
	sure    portsID
	witness *Endpoint
	may     bool // something may get through, or what isolates may not be in force
}

// expose asks all who may reach an endpoint.
func (x *exposer) expose(e *Endpoint) Exposure {
	var out Exposure
	out.Entry, out.Balancers = x.graph.Exposure(e.Ref)
	if out.Entry == trace.Internet {
		out.Reached = FromInternet
	}
	if e.Workload != nil && x.blind {
		return out
	}
	// What is declared is where a pod is known to listen; it may listen
	// elsewhere as well. What AWS runs listens there alone.
	claim, doubt := x.transport, x.transport
	if !e.Serves.Empty() {
		claim = x.ports.id(e.Serves)
		if e.Workload == nil {
			doubt = claim
		}
	}
	var by [distances]tally
	var isolated []string
	mute, unsure := false, false
	home, found := slices.BinarySearchFunc(x.namespaces, e.Namespace, func(ns *namespace, name string) int { return cmp.Compare(ns.name, name) })
	if !found {
		home = -1
	}
	for to := range e.points.points() {
		in := x.ingress(to)
		if in != nil {
			isolated = addOnce(isolated, in.words())
		}
		unsure = unsure || !x.isolates(in, to)
		// Who comes by a port of the nodes is not asked what the policies of the pod
		// say, and need not send to its namespace.
		entered := to < x.pods && len(x.entrances[to]) > 0
		for _, c := range x.candidates(in, entered) {
			pods := x.senders[c.sender].namespace != nil
			if by[wholeWorld].sure != noPorts || by[otherTenant].sure != noPorts && pods {
				break // nothing that follows is wider
			}
			if !entered && x.silent(c.sender, home) {
				mute, unsure = true, unsure || !x.senders[c.sender].inForce
				continue
			}
			d := x.distance(e, &x.senders[c.sender])
			from, ok := c.other(x.points, e)
			if d == passedOver || by[d].sure != noPorts || !ok {
				continue
			}
			sure, open := x.between(from, to)
			sure, open = x.ports.and(sure, claim), x.ports.and(open, doubt)
			if (d == wholeWorld || e.Workload == nil) && !x.vpc.seen {
				sure = noPorts // nobody knows what AWS lets in
			}
			switch k := &by[d]; {
			case sure != noPorts:
				k.sure, k.witness, k.may = sure, x.points[from].endpoint, true
			case open != noPorts:
				k.may = true
			default:
				what, certain := x.blocks(from, to)
				k.may = k.may || !certain
				isolated = addOnce(isolated, what)
			}
		}
	}
	if mute {
		isolated = addOnce(isolated, byEgress)
	}
	if out.Reached == FromInternet && by[wholeWorld].sure == noPorts {
		return out
	}
	far := unsure || by[noStranger].may || by[otherTenant].may || by[wholeWorld].may || out.Entry != trace.NoEntry
	switch {
	case by[wholeWorld].sure != noPorts:
		out.Reached, out.Witness, out.At = FromInternet, by[wholeWorld].witness, x.at(by[wholeWorld])
	case by[otherTenant].sure != noPorts:
		out.Reached, out.Witness, out.At = FromOtherTenants, by[otherTenant].witness, x.at(by[otherTenant])
	case !far && by[ownNamespace].sure != noPorts:
		out.Reached = FromOwnNamespace
	case !far && !by[ownNamespace].may:
		out.Reached, out.Isolated = FromNowhere, isolated
	}
	return out
}

// isolates reports whether what the policies of a pod keep out is kept out for
// certain: they are in force, and whom they let in is known. Without policies the
// network of AWS decides, and what stands in it must be known.
func (x *exposer) isolates(in *filter, to uint32) bool {
	switch {
	case in == nil:
		return x.peersKnown
	case !x.inForce(in, to):
		return false
	case x.points[to].endpoint.Origin.Cluster != "":
		return true
	}
	// Files show a part of a cluster: a rule may let in what others deploy.
	for _, p := range in.policies {
		for i := range p.rules[Ingress] {
			if p.rules[Ingress][i].action != deny {
				return false
			}
		}
	}
	return true
}

// inForce reports whether the policies of a filter are known to be enforced on a
// pod, every one of them.
func (x *exposer) inForce(f *filter, pod uint32) bool {
	return !slices.ContainsFunc(f.policies, func(p applied) bool { return x.enforcer.of(p.policy, pod) != trace.Yes })
}

// ingress returns the filter that holds for what a point receives, nil if none
// does.
func (x *exposer) ingress(p uint32) *filter {
	if p >= x.pods {
		return nil
	}
	return x.filters[Ingress][p]
}

// at returns the ports of a tally.
func (x *exposer) at(k tally) Ports { return x.ports.of(k.sure) }

// other returns a point of the candidate that is not of the endpoint itself.
func (c *candidate) other(points []*point, e *Endpoint) (uint32, bool) {
	i := slices.IndexFunc(c.points, func(p uint32) bool { return points[p].endpoint != e })
	if i < 0 {
		return 0, false
	}
	return c.points[i], true
}

// words names the policies of a filter.
func (f *filter) words() string {
	if len(f.policies) == 1 {
		return f.policies[0].name
	}
	return "network policies"
}

// blocks says what keeps a sender out, and whether that is certain to be in
// force.
func (x *exposer) blocks(from, to uint32) (what string, certain bool) {
	if in := x.ingress(to); in != nil {
		if _, open := in.at(from); x.ports.and(open, x.transport) == noPorts {
			return in.words(), x.inForce(in, to)
		}
	}
	_, aws := x.aws(from, to)
	_, mesh := x.mesh.between(from, to)
	s := &x.senders[x.class[from]]
	switch {
	case x.ports.and(aws, x.transport) == noPorts:
		return "the network of AWS", true
	case x.ports.and(mesh, x.transport) == noPorts:
		return "the mesh", true
	case s.egress == nil:
		return "the network", true
	}
	return byEgress, s.inForce
}

const byEgress = "egress policies"

// addOnce appends a name that is not there yet.
func addOnce(list []string, what string) []string {
	if slices.Contains(list, what) {
		return list
	}
	return append(list, what)
}
