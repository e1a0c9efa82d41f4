package trace

import (
	"cmp"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/eksafe/eksafe/internal/estate"
)

// The ends of paths that are no resource.
var (
	internet = estate.Ref{Kind: "Internet", Name: "internet", ID: "internet"}
	network  = estate.Ref{Kind: "Network", Name: "private network", ID: "network"}
)

// A hopKey tells hops apart: two containers that name one peer in one way make
// one hop.
type hopKey struct {
	from, to string
	port     int32
	protocol string
}

// add adds a hop, or returns the one that is there. Of two ways to one peer the
// less safe one stands.
func (g *Graph) add(h *Hop) *Hop {
	key := hopKey{h.From.ID, h.To.ID, h.Port, h.Protocol}
	if old := g.hops[key]; old != nil {
		if safety(h.Encryption) < safety(old.Encryption) {
			*old = *h
		}
		return old
	}
	g.hops[key] = h
	g.from[h.From.ID] = append(g.from[h.From.ID], h)
	g.Hops = append(g.Hops, h)
	return h
}

// safety orders encryptions from the worst: plaintext, optional, unknown,
// encrypted.
func safety(e Encryption) int {
	return slices.Index([]Encryption{Plaintext, Optional, Unknown, Encrypted}, e)
}

// An exposure says from where something is reached, and through what.
type exposure struct {
	from Exposure
	via  []string
}

func (g *Graph) expose(ref estate.Ref, from Exposure, via string) {
	x := g.exposure[ref]
	if x == nil {
		x = &exposure{}
		g.exposure[ref] = x
	}
	if from > x.from {
		x.from, x.via = from, nil
	}
	if from == x.from && !slices.Contains(x.via, via) {
		x.via = append(x.via, via)
	}
}

// Exposure says from where the subject can be reached, and through which load
// balancers. Subjects are workloads, load balancers, and what declares them.
func (g *Graph) Exposure(subject estate.Ref) (Exposure, []string) {
	if x := g.exposure[subject]; x != nil {
		return x.from, x.via
	}
	return NoEntry, nil
}

// Mesh says how w takes part in an Istio mesh.
func (g *Graph) Mesh(w *estate.Workload) Mesh { return g.mesh.membership(w) }

// HasMesh reports whether the estate shows any sign of an Istio mesh.
func (g *Graph) HasMesh() bool { return g.mesh.present }

// MTLS returns the mode in which w, a member of a mesh, accepts connections at
// a port of its pods; port 0 is every port without a setting of its own.
func (g *Graph) MTLS(w *estate.Workload, port int32) MTLS { return g.mesh.mode(w, port) }

// Services returns the Services that select w.
func (g *Graph) Services(w *estate.Workload) []*estate.Resource[corev1.Service] {
	return g.index.servicesOf[w]
}

// LoadBalancerOf returns the load balancer that serves an Ingress, a Service
// or a Gateway, nil if none does.
func (g *Graph) LoadBalancerOf(declared estate.Ref) *LoadBalancer { return g.declared[declared] }

// enter makes the hops into a load balancer and from it to its targets.
func (g *Graph) enter(lb *LoadBalancer) {
	from, client := Internet, internet
	if !lb.InternetFacing() {
		from, client = Internal, network
	}
	refs := []estate.Ref{lb.Ref}
	for _, d := range lb.DeclaredBy {
		refs = append(refs, d.Subject)
	}
	for _, l := range lb.Listeners {
		if l.Actual != nil {
			refs = append(refs, estate.Listeners.Ref(l.Actual))
		}
	}
	if lb.Scheme.IsZero() {
		from = NoEntry // nothing is claimed of an unknown scheme
	}
	for _, r := range refs {
		if from != NoEntry {
			g.expose(r, from, lb.Name())
		}
	}
	for _, l := range lb.Listeners {
		if l.Protocol != "" && !l.Forwards() {
			continue
		}
		for _, r := range l.Rules {
			for _, t := range r.Targets {
				if len(t.Hops) > 0 {
					continue
				}
				for _, w := range t.Workloads {
					t.Hops = append(t.Hops, g.add(g.targetHop(lb, t, w)))
					if from != NoEntry {
						g.expose(estate.Workloads.Ref(w), from, lb.Name())
					}
				}
			}
		}
		h := &Hop{Leg: EntryLeg, From: client, To: lb.Ref, Protocol: strings.ToLower(l.Protocol), Port: l.Port, Places: []Place{l.At}}
		g.judgeEntry(h, l)
		lb.entries = append(lb.entries, entry{g.add(h), l})
	}
}

// An entry is a hop into a load balancer and the listener that it ends at.
type entry struct {
	hop      *Hop
	listener *Listener
}

func (g *Graph) judgeEntry(h *Hop, l *Listener) {
	switch {
	case l.Protocol == "":
		h.Protocol, h.Why = "http", "eksafe does not know what this ingress controller listens on"
	case l.TLS():
		h.Encryption, h.By = Encrypted, TypeName(l.LoadBalancer.Type)+" listener "+l.String()
		h.Why = "the listener speaks TLS only"
		if certs, ok := l.Certificates.Get(); ok && len(certs) > 0 {
			h.By += ", certificate " + estate.ShortName(certs[0])
			h.PeerVerified = Yes
			h.Places = append(h.Places, l.CertificatesAt)
		} else if ok && l.Discovered {
			h.Encryption, h.By, h.Broken = Unknown, "", true
			h.Why = "no certificate in ACM covers its hosts: the controller cannot make the listener"
		}
	case l.Protocol == "TCP" || l.Protocol == "TCP_UDP":
		g.judgePassthrough(h, l)
	case l.Protocol == "HTTP":
		h.Encryption, h.PeerVerified = Plaintext, No
		h.Why = "port " + itoa(int(l.Port)) + " forwards to the pods instead of redirecting to HTTPS"
	default:
		h.Why = l.Protocol + " carries whatever the application speaks"
	}
}

// judgePassthrough decides on a listener that passes bytes through: TLS is
// what the pods make of it.
func (g *Graph) judgePassthrough(h *Hop, l *Listener) {
	h.Why = "the listener passes TCP through, and nothing shows that the pods serve TLS"
	worst := Encrypted
	seen := false
	for _, r := range l.Rules {
		for _, t := range r.Targets {
			for _, hop := range t.Hops {
				seen = true
				if safety(hop.Encryption) < safety(worst) {
					worst, h.Why = hop.Encryption, hop.Why
				}
			}
		}
	}
	if seen {
		h.Encryption = worst
		if worst == Encrypted {
			h.By, h.Why = "TLS of the pods", "the listener passes TCP through to pods that serve TLS"
		}
	}
}

// targetHop judges the hop from a load balancer to the pods of w. ALB and NLB
// never verify the certificate of a target.
func (g *Graph) targetHop(lb *LoadBalancer, t *Target, w *estate.Workload) *Hop {
	h := &Hop{
		Leg: TargetLeg, From: lb.Ref, To: estate.Workloads.Ref(w), Server: w, PeerVerified: No,
		Protocol: strings.ToLower(t.Protocol.Or("")), Port: t.PodPort, Places: []Place{t.At},
	}
	protocol, known := t.Protocol.Get()
	if !known {
		h.Protocol, h.PeerVerified = "tcp", Unclear
		h.Why = "what the load balancer speaks to the pods is not known"
		return h
	}
	ev := g.ServesTLS(w, t.PodPort)
	mesh := g.Mesh(w)
	if mesh.In == Yes && !mesh.Gateway && !g.excludedFromMesh(w, t.PodPort) {
		if mtls := g.MTLS(w, t.PodPort); mtls.Mode == "STRICT" {
			h.Encryption, h.Broken = Plaintext, true
			h.Why = "broken: " + TypeName(lb.Type) + " is no member of the mesh, and " + w.Name + " accepts mTLS only (" + mtls.Why + "); lead it to a mesh gateway"
			h.Places = append(h.Places, mtls.At)
			return h
		}
	}
	switch protocol {
	case "HTTP":
		h.Encryption = Plaintext
		h.Why = "the load balancer speaks plain HTTP to the pods"
		if ev.TLS == Yes {
			h.Broken, h.Why = true, "broken: the load balancer speaks plain HTTP, but "+ev.Why
		}
	case "HTTPS", "TLS":
		switch ev.TLS {
		case Yes:
			h.Encryption, h.By, h.Why = Encrypted, ev.By, ev.Why
		case No:
			h.Encryption, h.Broken = Plaintext, true
			h.Why = "broken: the load balancer speaks " + protocol + ", but " + ev.Why
		default:
			h.Why = "the load balancer speaks " + protocol + ", but " + ev.Why
		}
		if !ev.At.Subject.IsZero() {
			h.Places = append(h.Places, ev.At)
		}
	case "TCP", "TCP_UDP":
		h.PeerVerified = Unclear // the client at the far end may verify
		switch ev.TLS {
		case Yes:
			h.Encryption, h.By, h.Why = Encrypted, ev.By, ev.Why
		case No:
			h.Encryption, h.Why = Plaintext, ev.Why
		default:
			h.Why = "the load balancer passes TCP through, and " + ev.Why
		}
		if !ev.At.Subject.IsZero() {
			h.Places = append(h.Places, ev.At)
		}
	default:
		h.PeerVerified = Unclear
		h.Why = protocol + " carries whatever the application speaks"
	}
	return h
}

// excludedFromMesh reports whether annotations keep a port away from the
// sidecar.
func (g *Graph) excludedFromMesh(w *estate.Workload, port int32) bool {
	return !g.Inbound(w).Has(port)
}

// distributions makes the hops from viewers to CloudFront and on to the load
// balancers that are its origins.
func (g *Graph) distributions() {
	byDNS := map[string]*LoadBalancer{}
	for _, lb := range g.LoadBalancers {
		if lb.Actual != nil {
			byDNS[dnsKey(lb.Actual.DNSName)] = lb
			byDNS[dnsKey(lb.Actual.Arn+".DNSName")] = lb
		}
		if lb.Classic != nil {
			byDNS[dnsKey(lb.Classic.DNSName)] = lb
		}
		for _, l := range lb.Listeners {
			for _, h := range l.Hosts {
				if byDNS[dnsKey(h)] == nil {
					byDNS[dnsKey(h)] = lb // an origin may be named by the load balancer's own host
				}
			}
		}
	}
	for _, d := range estate.Distributions.In(g.Estate) {
		if !d.DistributionConfig.Enabled.Or(true) {
			continue
		}
		view := g.viewerHop(d)
		g.expose(view.To, Internet, "CloudFront")
		for i, o := range d.DistributionConfig.Origins {
			lb := byDNS[dnsKey(o.DomainName)]
			if lb == nil {
				continue
			}
			h := &Hop{Leg: OriginLeg, From: view.To, To: lb.Ref, Places: []Place{placeOf(estate.Distributions, d, "distributionConfig.origins["+itoa(i)+"].customOriginConfig")}}
			judgeOrigin(h, o, view.Encryption)
			lb.origins = append(lb.origins, origin{g.add(view), g.add(h)})
		}
	}
}

// An origin is the way to a load balancer over CloudFront.
type origin struct{ view, fetch *Hop }

func (g *Graph) viewerHop(d *estate.Distribution) *Hop {
	h := &Hop{Leg: EntryLeg, From: internet, To: estate.Distributions.Ref(d), Protocol: "https", Port: 443, Encryption: Encrypted, PeerVerified: Yes}
	h.By, h.Why = "CloudFront viewer certificate", "every cache behavior asks for HTTPS"
	judge := func(b estate.CacheBehavior, field string) {
		policy, known := b.ViewerProtocolPolicy.Get()
		switch {
		case !known && h.Encryption == Encrypted:
			h.Encryption, h.By, h.Why, h.PeerVerified = Unknown, "", "a viewer protocol policy is not known", Unclear
		case known && policy == "allow-all" && h.Encryption != Optional:
			h.Encryption, h.Why, h.PeerVerified = Optional, "viewers may use plain HTTP: viewer protocol policy allow-all", No
			h.Places = []Place{placeOf(estate.Distributions, d, "distributionConfig."+field+".viewerProtocolPolicy")}
		}
	}
	judge(d.DistributionConfig.DefaultCacheBehavior, "defaultCacheBehavior")
	for i, b := range d.DistributionConfig.CacheBehaviors {
		judge(b, "cacheBehaviors["+itoa(i)+"]")
	}
	if len(h.Places) == 0 {
		h.Places = []Place{placeOf(estate.Distributions, d, "distributionConfig.defaultCacheBehavior.viewerProtocolPolicy")}
	}
	return h
}

func judgeOrigin(h *Hop, o estate.DistributionOrigin, viewer Encryption) {
	h.Protocol, h.Port = "https", 443
	policy, known := estate.Optional[string]{}.Get()
	if o.CustomOriginConfig != nil {
		policy, known = o.CustomOriginConfig.OriginProtocolPolicy.Get()
		if p := o.CustomOriginConfig.HTTPSPort; p != 0 {
			h.Port = int32(p)
		}
	}
	switch {
	case !known:
		h.Why = "the origin protocol policy is not known"
	case policy == "https-only":
		h.Encryption, h.PeerVerified, h.By, h.Why = Encrypted, Yes, "CloudFront origin protocol policy", "https-only"
	case policy == "http-only":
		h.Encryption, h.PeerVerified, h.Why = Plaintext, No, "CloudFront speaks plain HTTP to its origin: http-only"
		h.Protocol, h.Port = "http", 80
	default: // match-viewer
		h.Encryption, h.Why = cmp.Or(viewer, Unknown), "CloudFront speaks to its origin what the viewer spoke: match-viewer"
		h.PeerVerified = Unclear
	}
}
