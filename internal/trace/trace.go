// Package trace follows the data of every application: from the internet over
// the edge and the load balancer to the pod, and on to other pods, databases,
// caches and volumes. It says of each hop whether it is encrypted, by what, and
// why, with the places where that is written.
//
// It holds no requirement: what a hop should be is for controls to say. It never
// takes missing evidence for a fact: what no source shows is unknown.
package trace

import (
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"

	"github.com/eksafe/eksafe/internal/estate"
)

// An Encryption says how data travels over a hop.
type Encryption int

const (
	Unknown   Encryption = iota // no evidence either way
	Plaintext                   // it travels readable
	Optional                    // it may: neither side refuses plaintext
	Encrypted                   // it cannot travel readable
)

var encryptionNames = [...]string{"unknown", "plaintext", "optional", "encrypted"}

func (e Encryption) String() string { return encryptionNames[e] }

// MarshalText returns the name.
func (e Encryption) MarshalText() ([]byte, error) { return []byte(e.String()), nil }

// A Ternary is yes, no, or unknown.
type Ternary int

const (
	Unclear Ternary = iota
	No
	Yes
)

func (t Ternary) String() string { return [...]string{"unknown", "no", "yes"}[t] }

// MarshalText returns "yes", "no" or "unknown".
func (t Ternary) MarshalText() ([]byte, error) { return []byte(t.String()), nil }

// A Place is where a fact is written: a field of a resource.
type Place struct {
	Subject estate.Ref
	Origin  *estate.Origin
	Field   string
}

// A Leg says which part of the way a hop is.
type Leg int

const (
	EntryLeg    Leg = iota // client → CloudFront or load balancer
	OriginLeg              // CloudFront → load balancer
	TargetLeg              // load balancer → pod
	ServiceLeg             // pod → pod
	DatabaseLeg            // pod → database or its proxy, proxy → database
	CacheLeg               // pod → cache, broker or search domain
	VolumeLeg              // pod → volume; encrypted means at rest
	ExternalLeg            // pod → host outside the estate
)

// A Hop is one step of a path. Hops are shared by the paths that take them.
type Hop struct {
	Leg          Leg
	From, To     estate.Ref
	Protocol     string // "https", "http", "tls", "tcp", "mysql", "postgres", "redis" …
	Port         int32  // 0 when unknown
	Encryption   Encryption
	PeerVerified Ternary
	By           string // what encrypts: "ALB listener, ACM certificate …"; empty when nothing does
	Why          string // one sentence
	// Broken is true where the two ends do not fit, so that no data gets
	// through: a load balancer that speaks to a STRICT mesh workload.
	Broken bool
	// Places are where the verdict is written, the one to change first.
	Places []Place

	// Client and Server are the workloads at the ends, where they are some.
	Client, Server *estate.Workload
}

// A Path is the way of data from an entry to where it rests.
type Path struct {
	Hops []*Hop
}

// An Application is the workloads that belong together and the paths into and
// out of them.
type Application struct {
	Name      string
	Namespace string
	Workloads []*estate.Workload
	Paths     []Path
	// Exposed says from where the application can be entered.
	Exposed Exposure
	// Omitted counts paths beyond the bound of paths per application.
	Omitted int
}

// An Exposure says from where something can be reached through load balancers.
type Exposure int

const (
	NoEntry  Exposure = iota // no known load balancer leads to it
	Internal                 // only internal ones do
	Internet                 // an internet-facing one does
)

// A LoadBalancer is a load balancer as AWS shows it or, where AWS was not read,
// as its controller will make it.
type LoadBalancer struct {
	// Ref is the real load balancer's; a predicted one has the ID
	// "predicted:" + the ID of the Ingress, group, Service or Gateway.
	Ref  estate.Ref
	Type string // "application", "network", "classic"; "" where another controller decides
	// Scheme is "internet-facing" or "internal".
	Scheme     estate.Optional[string]
	SchemeAt   Place
	Predicted  bool
	Auto       bool                        // EKS Auto Mode makes it
	Actual     *estate.LoadBalancer        // nil unless read
	Classic    *estate.ClassicLoadBalancer // nil unless read
	DeclaredBy []Place                     // the Ingresses, Service or Gateway that ask for it; none for a load balancer made by hand
	Listeners  []*Listener
	// WebACL is the ARN or name of the web ACL; known and empty means none. A
	// predicted one comes from an annotation or class parameters.
	WebACL   estate.Optional[string]
	WebACLAt Place
	// Attributes are load balancer attributes by key, as far as they are known.
	Attributes   map[string]string
	AttributesAt Place // where one would be set
	// InboundCIDRs are the only networks that the security group lets in which
	// the controller will make; none where it lets in others, or none is made.
	InboundCIDRs []string
	// PrefixLists are those whose addresses that security group lets in.
	PrefixLists []string
	// SecurityGroups are those that a predicted one is told to have, by ID or by
	// name; none where its controller makes one.
	SecurityGroups []string
	// OpensTargets is true if the controller opens the security groups of the
	// targets to it.
	OpensTargets bool

	entries []entry
	origins []origin
}

// InternetFacing reports whether the scheme is, or may be, internet-facing.
func (l *LoadBalancer) InternetFacing() bool {
	return l.Scheme.Or("internet-facing") == "internet-facing"
}

// Place returns where the load balancer is declared: its Ingress, Service or
// Gateway, else itself.
func (l *LoadBalancer) Place() Place {
	if len(l.DeclaredBy) > 0 {
		return l.DeclaredBy[0]
	}
	return l.self()
}

func (l *LoadBalancer) self() Place {
	p := Place{Subject: l.Ref}
	switch {
	case l.Actual != nil:
		p.Origin = &l.Actual.Origin
	case l.Classic != nil:
		p.Origin = &l.Classic.Origin
	}
	return p
}

// Distributions returns the enabled distributions that fetch from the load
// balancer, in their order in the estate.
func (l *LoadBalancer) Distributions() []estate.Ref {
	var out []estate.Ref
	for _, o := range l.origins {
		if !slices.Contains(out, o.view.To) {
			out = append(out, o.view.To)
		}
	}
	return out
}

// Name returns a name for people: "ALB shop-web".
func (l *LoadBalancer) Name() string {
	return TypeName(l.Type) + " " + l.Ref.Name
}

// TypeName returns "ALB", "NLB" or "CLB" for a type of load balancer.
func TypeName(typ string) string {
	switch typ {
	case "application":
		return "ALB"
	case "network":
		return "NLB"
	case "classic":
		return "CLB"
	}
	return "load balancer"
}

// A Listener is one port of a load balancer.
type Listener struct {
	LoadBalancer *LoadBalancer
	Protocol     string // HTTP HTTPS TCP TLS UDP TCP_UDP SSL; "" unknown
	Port         int32
	// At is where the listener is declared: the listen-ports annotation, the
	// Service's port, the real listener.
	At Place
	// SSLPolicy is the security policy of a TLS listener; known and empty for
	// the default of the controller.
	SSLPolicy   estate.Optional[string]
	SSLPolicyAt Place
	// Certificates are ARNs or, where the controller discovers them, none.
	Certificates   estate.Optional[[]string]
	CertificatesAt Place
	// Discovered is true where the controller finds the certificates by Hosts.
	Discovered bool
	// Hosts are the host names that requests use, from rules and spec.tls.
	Hosts []string
	// Attributes are listener attributes by key, as far as they are known.
	Attributes estate.Optional[map[string]string]
	Rules      []*Rule // the default action last
	// Actual is the real listener where one was read.
	Actual *estate.Listener
}

// TLS reports whether the listener terminates TLS.
func (l *Listener) TLS() bool {
	return l.Protocol == "HTTPS" || l.Protocol == "TLS" || l.Protocol == "SSL" || l.Protocol == "QUIC"
}

// Forwards reports whether any rule forwards traffic.
func (l *Listener) Forwards() bool {
	for _, r := range l.Rules {
		if r.Action == "forward" {
			return true
		}
	}
	return false
}

// String returns "HTTPS:443".
func (l *Listener) String() string { return fmt.Sprintf("%s:%d", l.Protocol, l.Port) }

// A Rule is what a listener does with some requests.
type Rule struct {
	Default bool
	Hosts   []string
	Paths   []string
	Action  string // "forward", "redirect", "fixed-response"; "" unknown
	// RedirectProtocol is HTTP, HTTPS, or "#{protocol}" for the request's own.
	RedirectProtocol string
	At               Place
	Targets          []*Target // of a forward
}

// A Target is where a rule forwards to.
type Target struct {
	// Protocol is what the load balancer speaks to the target: HTTP HTTPS TCP
	// TLS UDP GENEVE; unknown where nothing tells.
	Protocol estate.Optional[string]
	At       Place
	// Type is "instance" if the load balancer leads to ports of nodes, "ip" if it
	// leads to the pods themselves.
	Type  estate.Optional[string]
	Group *estate.TargetGroup // nil unless read
	// Service and Port are the backend; nil for targets outside the cluster.
	Service *estate.Resource[corev1.Service]
	// PodPort is the port of the pods, 0 when it differs or is not known.
	PodPort   int32
	Workloads []*estate.Workload
	// Hop is the hop to each of Workloads, in their order.
	Hops []*Hop
}
