package trace

import (
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"

	"github.com/eksafe/eksafe/internal/estate"
)

// A Graph is everything that trace learned of one estate. It is not changed
// after New, but for what Derive remembers, and may be read by many goroutines.
type Graph struct {
	Estate *estate.Estate
	// Applications are sorted: the most exposed first, then by namespace and
	// name.
	Applications []*Application
	// LoadBalancers are the real ones and, for Ingresses, Services and Gateways
	// without a real one, the predicted ones.
	LoadBalancers []*LoadBalancer
	// Databases are instances outside clusters, and clusters.
	Databases []*Database
	// Hops are all hops, each once.
	Hops []*Hop

	index     *index
	mesh      *mesh
	directory directory
	hops      map[hopKey]*Hop
	from      map[string][]*Hop // hops by the ID of where they begin
	exposure  map[estate.Ref]*exposure
	declared  map[estate.Ref]*LoadBalancer

	policies          map[string][]*estate.Resource[networkingv1.NetworkPolicy] // by namespace
	secretTypes       map[name]corev1.SecretType
	claims            map[name]*estate.Resource[corev1.PersistentVolumeClaim]
	persistentVolumes map[string]*estate.Resource[corev1.PersistentVolume]
	ebsVolumes        map[string]*estate.Volume
	fileSystems       map[string]*estate.FileSystem
	ebsDefault        Ternary
	classParams       map[string]*estate.Resource[estate.IngressClassParams]

	madeFor      map[string]*estate.LoadBalancer        // by "ingress/ns/name", "group/name", "service/ns/name" …
	classicFor   map[string]*estate.ClassicLoadBalancer // likewise
	listenersOf  map[string][]*estate.Listener          // by load balancer
	rulesOf      map[string][]*estate.ListenerRule      // by listener
	targetGroups map[string]*estate.TargetGroup         // by ARN
	bindings     map[string][]*estate.Resource[estate.TargetGroupBinding]
	webACLs      map[string]*estate.WebACLAssociation // by resource
	nodePorts    map[int32]*service

	memo *memo // nil in a graph that New did not make
}

// New follows the data of every application of e. It takes time linear in the
// size of e, but for applications whose workloads call each other in circles.
func New(e *estate.Estate) *Graph {
	g := &Graph{
		Estate:            e,
		memo:              &memo{},
		index:             newIndex(e),
		hops:              map[hopKey]*Hop{},
		from:              map[string][]*Hop{},
		exposure:          map[estate.Ref]*exposure{},
		declared:          map[estate.Ref]*LoadBalancer{},
		policies:          map[string][]*estate.Resource[networkingv1.NetworkPolicy]{},
		secretTypes:       map[name]corev1.SecretType{},
		claims:            map[name]*estate.Resource[corev1.PersistentVolumeClaim]{},
		persistentVolumes: map[string]*estate.Resource[corev1.PersistentVolume]{},
		ebsVolumes:        map[string]*estate.Volume{},
		fileSystems:       map[string]*estate.FileSystem{},
		classParams:       map[string]*estate.Resource[estate.IngressClassParams]{},
		listenersOf:       map[string][]*estate.Listener{},
		rulesOf:           map[string][]*estate.ListenerRule{},
		targetGroups:      map[string]*estate.TargetGroup{},
		bindings:          map[string][]*estate.Resource[estate.TargetGroupBinding]{},
		webACLs:           map[string]*estate.WebACLAssociation{},
		nodePorts:         map[int32]*service{},
	}
	g.mesh = newMesh(g.index)
	g.indexStorage()
	g.indexReal()
	g.databases()
	g.ingresses()
	g.serviceLoadBalancers()
	g.gateways()
	g.realLoadBalancers()
	for _, lb := range g.LoadBalancers {
		g.enter(lb)
	}
	g.distributions()
	for _, w := range estate.Workloads.In(e) {
		g.connect(w)
	}
	g.applications()
	return g
}

func (g *Graph) indexStorage() {
	e := g.Estate
	for _, p := range estate.NetworkPolicies.In(e) {
		g.policies[p.Object.Namespace] = append(g.policies[p.Object.Namespace], p)
	}
	for _, s := range estate.Secrets.In(e) {
		g.secretTypes[name{s.Object.Namespace, s.Object.Name}] = s.Object.Type
	}
	for _, c := range estate.PersistentVolumeClaims.In(e) {
		g.claims[name{c.Object.Namespace, c.Object.Name}] = c
	}
	for _, v := range estate.PersistentVolumes.In(e) {
		g.persistentVolumes[v.Object.Name] = v
	}
	for _, v := range estate.Volumes.In(e) {
		g.ebsVolumes[v.VolumeId] = v
	}
	for _, f := range estate.FileSystems.In(e) {
		g.fileSystems[f.FileSystemId] = f
	}
	for _, p := range estate.IngressClassParameters.In(e) {
		g.classParams[p.Object.Name] = p
	}
	for _, s := range estate.Services.In(e) {
		for _, p := range s.Object.Spec.Ports {
			if p.NodePort != 0 {
				g.nodePorts[p.NodePort] = s
			}
		}
	}
	if g.Estate.Coverage(estate.EBSDefaults.Kind).State == estate.Read {
		g.ebsDefault = Unclear
		for i, d := range estate.EBSDefaults.In(e) {
			on, known := d.EbsEncryptionByDefault.Get()
			now := No
			if on {
				now = Yes
			}
			if !known || i > 0 && now != g.ebsDefault {
				g.ebsDefault = Unclear // regions differ, and a claim names none
				break
			}
			g.ebsDefault = now
		}
	}
}

// A Database is an RDS instance or an Aurora or Multi-AZ cluster, and how it
// meets its clients.
type Database struct {
	Ref      estate.Ref
	Origin   *estate.Origin
	Instance *estate.DBInstance // nil for a cluster
	Cluster  *estate.DBCluster  // nil for an instance
	// Engine is the engine's name without edition: "mysql", "mariadb",
	// "postgres", "aurora-mysql", "aurora-postgresql", "oracle", "sqlserver",
	// "db2"; "" when not known. Version is as AWS has it, "" when not known.
	Engine, Version string
	RequiresTLS     TLSRequirement
	// Clients are the hops that end here.
	Clients []*Hop
}

// A TLSRequirement says whether a server refuses plaintext.
type TLSRequirement struct {
	Required Ternary
	Why      string // "require_secure_transport is 1 in parameter group orders"
	At       Place  // where it would be changed
}

// Evidence says whether a pod serves TLS at a port.
type Evidence struct {
	TLS     Ternary // Yes: there is evidence; No: there is evidence to the contrary
	By      string  // "nginx sidecar", "readiness probe", …
	Why     string
	At      Place
	Sidecar bool // a proxy in the pod terminates TLS
	// PlainPort is the port at which the sidecar reaches the application on
	// loopback; 0 without a sidecar.
	PlainPort int32
	// PlainClosed says whether PlainPort is out of reach from outside the
	// pod: bound to loopback, or closed by a NetworkPolicy.
	PlainClosed    Ternary
	PlainClosedWhy string
}

// Mesh says how a workload takes part in an Istio mesh.
type Mesh struct {
	In      Ternary
	Ambient bool
	Gateway bool // it is a gateway of the mesh
	Why     string
	At      Place // the label or annotation that decided
	// Declared is true where its namespace (or the workload itself) asks for
	// membership.
	Declared bool
}

// MTLS is the mode in which a workload accepts connections at a port.
type MTLS struct {
	Mode string // "STRICT", "PERMISSIVE", "DISABLE"
	Why  string
	At   Place // the PeerAuthentication that decided; the zero Place for Istio's default
}

// Listeners returns the listeners of all load balancers.
func (g *Graph) Listeners() []*Listener {
	var out []*Listener
	for _, lb := range g.LoadBalancers {
		out = append(out, lb.Listeners...)
	}
	return out
}

// HopsOf returns the hops of the given legs.
func (g *Graph) HopsOf(legs ...Leg) []*Hop {
	var out []*Hop
	for _, h := range g.Hops {
		for _, l := range legs {
			if h.Leg == l {
				out = append(out, h)
				break
			}
		}
	}
	return out
}

// Place returns the place of the hop: the one to change first, else its source.
func (h *Hop) Place() Place {
	if len(h.Places) > 0 {
		return h.Places[0]
	}
	return Place{Subject: h.From}
}
