package reach

import (
	"cmp"
	"net/netip"
	"path"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/eksafe/eksafe/internal/config"
	"github.com/eksafe/eksafe/internal/estate"
	"github.com/eksafe/eksafe/internal/trace"
)

const dnsPort = 53

// need adds a need. An end that is not known and a port that is none make none.
func (a *advisor) need(from, to *Endpoint, protocol Protocol, port int32, why string, place trace.Place) {
	if from != nil && to != nil && from != to && port > 0 && port <= lastPort {
		a.s.Needs = append(a.s.Needs, Need{From: from, To: to, Protocol: protocol, Port: uint16(port), Why: why, Place: place})
	}
}

// declare takes up what the manifests and the config declare.
func (a *advisor) declare() {
	a.declareHops()
	for _, lb := range a.graph.LoadBalancers {
		a.declareEntry(lb)
	}
	bound, roles, prometheus := a.boundAccounts(), a.roles(), a.prometheus()
	for _, e := range a.endpoints {
		if e.Workload == nil {
			continue
		}
		a.declareScrape(prometheus, e)
		if !governed(e) {
			continue
		}
		for _, server := range a.dns {
			if server.Kind == NodeDNSEndpoint && !a.possible(e, server, UDP, dnsPort) {
				continue // it works without
			}
			a.need(e, server, UDP, dnsPort, "DNS", trace.Place{})
			a.need(e, server, TCP, dnsPort, "DNS", trace.Place{})
		}
		a.declareDependencies(e)
		a.declareIdentity(e, roles)
		a.declareMesh(e)
		if account := accountKey(e.Workload); bound[account] && a.mounts(e.Workload, account) {
			a.declareAPIServer(e)
		}
	}
	a.declareToday()
	a.declareTunnels()
}

// declareHops takes up whom workloads are told of.
func (a *advisor) declareHops() {
	for _, h := range a.graph.Hops {
		from, to := a.byRef[h.From], a.byRef[h.To]
		place := trace.Place{}
		if len(h.Places) > 0 {
			place = h.Places[0]
		}
		why := a.whyOf(h)
		switch h.Leg {
		case trace.ServiceLeg:
			if h.Server == nil || from == nil || to == nil {
				continue
			}
			ports := a.podPorts(h.Server, h.Port)
			for _, p := range ports {
				a.need(from, to, p.Protocol, int32(p.Port), why, place)
			}
			if len(ports) == 0 && governed(from) {
				a.open("%s is told of %s, and at which port is not known: name the port where it is told", from.Name, to.Name)
			}
		case trace.DatabaseLeg, trace.CacheLeg:
			if to == nil {
				a.declareHost(h, from, place, why)
				continue
			}
			if from == nil {
				continue
			}
			if from.Workload == nil {
				why = "it is a target of the proxy"
			}
			ports := []int32{h.Port}
			if h.Port == 0 {
				ports = ports[:0]
				for _, r := range to.Serves[TCP] {
					ports = append(ports, int32(r.First))
				}
			}
			for _, port := range ports {
				a.need(from, to, TCP, port, why, place)
			}
			if len(ports) == 0 && governed(from) {
				a.open("%s is told of %s, and at which port is not known: name the port where it is told, or read %s live (--aws)", from.Name, to.Name, to.Name)
			}
		case trace.ExternalLeg:
			a.declareHost(h, from, place, why)
		}
	}
}

// declareHost takes up a host outside the estate. No NetworkPolicy knows names:
// its addresses are needed.
func (a *advisor) declareHost(h *trace.Hop, from *Endpoint, place trace.Place, why string) {
	if from == nil || !governed(from) {
		return
	}
	host := strings.TrimPrefix(h.To.ID, "host:")
	if p, ok := parsePrefix(host); ok {
		a.need(from, a.addressEndpoint(p), TCP, h.Port, why, place)
		return
	}
	for _, d := range a.config.Dependencies {
		if len(d.CIDRs) > 0 && config.Compile(d.From).Match(from.Name) && slices.ContainsFunc(d.Hosts, func(pattern string) bool { return config.Compile(pattern).Match(host) }) {
			return // declareDependencies takes it up
		}
	}
	port := "at a port that is not known"
	if h.Port > 0 {
		port = "at port " + itoa(h.Port)
	}
	a.open("%s needs %s %s (%s), a name, and no NetworkPolicy knows names: declare its networks under dependencies in eksafe.yaml, or write an ApplicationNetworkPolicy", from.Name, host, port, why)
}

// whyOf names the setting that tells a client of a peer.
func (a *advisor) whyOf(h *trace.Hop) string {
	setting := func(f *estate.Fact) string {
		if f.Container == "" {
			return f.Name
		}
		return f.Name + " of container " + f.Container
	}
	if h.Client != nil {
		name := strings.TrimPrefix(h.To.ID, "host:")
		for i := range h.Client.Facts {
			f := &h.Client.Facts[i]
			label, _, _ := strings.Cut(f.Host, ".")
			if f.Host != "" && (strings.EqualFold(f.Host, name) || strings.EqualFold(label, h.To.Name)) {
				return setting(f)
			}
		}
		for _, p := range h.Places {
			for i := range h.Client.Facts {
				if f := &h.Client.Facts[i]; p.Subject == h.From && f.Field == p.Field {
					return setting(f)
				}
			}
		}
	}
	for _, p := range h.Places {
		if p.Subject.Kind == estate.ConfigMaps.Kind {
			return strings.TrimPrefix(p.Field, "data.") + " of ConfigMap " + p.Subject.Namespace + "/" + p.Subject.Name
		}
	}
	return "its settings"
}

// podPorts returns the ports of the pods behind a port of their Services. A
// headless Service maps none.
func (a *advisor) podPorts(server *estate.Workload, port int32) []Named {
	if port < 1 || port > lastPort {
		return nil
	}
	var out []Named
	for _, s := range a.graph.Services(server) {
		if s.Object.Spec.ClusterIP == corev1.ClusterIPNone {
			continue
		}
		for _, p := range s.Object.Spec.Ports {
			if p.Port == port {
				out = append(out, targetPorts(p, server)...)
			}
		}
	}
	if len(out) == 0 {
		out = []Named{{TCP, uint16(port)}}
	}
	return sortedPorts(out)
}

func sortedPorts(in []Named) []Named {
	slices.SortFunc(in, func(x, y Named) int { return cmp.Or(cmp.Compare(x.Protocol, y.Protocol), cmp.Compare(x.Port, y.Port)) })
	return slices.Compact(in)
}

// declareEntry takes up what a load balancer forwards, to pods and from its
// clients.
func (a *advisor) declareEntry(lb *trace.LoadBalancer) {
	for _, l := range lb.Listeners {
		for _, r := range l.Rules {
			for _, t := range r.Targets {
				for _, w := range t.Workloads {
					to := a.byRef[estate.Workloads.Ref(w)]
					if to == nil {
						continue
					}
					ports := podPorts(l, t, w)
					if len(ports) == 0 {
						a.open("%s is behind %s, and at which port is not known: name the port in the Service", to.Name, entryName(lb))
					}
					for _, p := range ports {
						for _, from := range a.approaches(lb, l, t, to, p) {
							a.need(from.Endpoint, to, p.Protocol, int32(p.Port), from.why, t.At)
						}
					}
				}
			}
		}
	}
}

// An approach is from where what a load balancer forwards comes to the pods.
type approach struct {
	*Endpoint
	why string
}

// approaches returns the load balancer where it is known, else the networks in
// which it will be, and its clients where pods meet their addresses. Health
// checks come from the load balancer in any case.
func (a *advisor) approaches(lb *trace.LoadBalancer, l *trace.Listener, t *trace.Target, to *Endpoint, port Named) []approach {
	why := entryName(lb)
	var out []approach
	instances := t.Type.Or("") == "instance"
	if e := a.byRef[lb.Ref]; e != nil && e.target.predicted == nil && !instances {
		out = append(out, approach{e, why})
	} else {
		// A predicted load balancer may be in any subnet of the VPC; and what it
		// sends to a node may come from another node.
		networks := a.vpc.family(a.vpc.networks)
		if len(networks) == 0 {
			networks = a.vpc.family(privateNetworks)
		}
		for _, p := range a.narrowed(networks, to, port) {
			out = append(out, approach{a.addressEndpoint(p), why})
		}
	}
	if lb.Type != "network" || !keepsClients(l, t, instances) {
		return out
	}
	why += " keeps the addresses of its clients"
	var clients []*Endpoint
	switch {
	case len(lb.InboundCIDRs) > 0:
		for _, text := range lb.InboundCIDRs {
			if p, ok := parsePrefix(text); ok {
				clients = append(clients, a.addressEndpoint(p))
			}
		}
	case lb.InternetFacing():
		clients = append(clients, a.ofKind(InternetEndpoint))
	default:
		a.open("%s, and clients outside the VPC are not known: declare them under clients in eksafe.yaml and add their networks to the rule", why)
	}
	for _, c := range clients {
		if c != nil {
			out = append(out, approach{c, why})
		}
	}
	return out
}

// possible reports whether a connection may get through today.
func (n *Network) possible(from, to *Endpoint, protocol Protocol, port uint16) bool {
	for i := range from.points.points() {
		for j := range to.points.points() {
			if n.verdict(i, j, protocol, port) != Denied {
				return true
			}
		}
	}
	return false
}

// narrowed returns those of networks from which pods can be reached today: the
// policies of now may know better where their load balancer stands. If none can,
// it returns all.
func (a *advisor) narrowed(networks []netip.Prefix, to *Endpoint, port Named) []netip.Prefix {
	var open []netip.Prefix
	for atom := range a.addresses.all(networks).points() {
		for i := range to.points.points() {
			if a.verdict(atom+a.atoms, i, port.Protocol, port.Port) != Denied {
				open = append(open, prefixesOf(a.addresses.ends(atom))...)
				break
			}
		}
	}
	if len(open) == 0 {
		return networks
	}
	return mergePrefixes(open)
}

// entryName says which load balancer it is, by what declares it.
func entryName(lb *trace.LoadBalancer) string {
	if len(lb.DeclaredBy) > 0 {
		s := lb.DeclaredBy[0].Subject
		return "load balancer of " + string(s.Kind) + " " + s.Namespace + "/" + s.Name
	}
	return lb.Name()
}

// ofKind returns the one endpoint of a kind, nil if there is none.
func (n *Network) ofKind(kind EndpointKind) *Endpoint {
	for _, e := range n.endpoints {
		if e.Kind == kind {
			return e
		}
	}
	return nil
}

// nodeDNS returns the name server on the nodes, nil where the estate shows the
// cluster's own workloads and it is none of them.
func (a *advisor) nodeDNS() *Endpoint {
	shown := false
	for _, e := range a.endpoints {
		if e.Workload != nil && e.Namespace == metav1.NamespaceSystem {
			shown = true
			if e.Workload.Template.Labels["k8s-app"] == "node-local-dns" {
				return a.ofKind(NodeDNSEndpoint)
			}
		}
	}
	if shown {
		return nil
	}
	return a.ofKind(NodeDNSEndpoint)
}

// clusterDNS returns the name servers of the cluster.
func (a *advisor) clusterDNS() []*Endpoint {
	var out []*Endpoint
	for _, e := range a.endpoints {
		if e.Workload != nil && e.Namespace == metav1.NamespaceSystem && e.Workload.Template.Labels["k8s-app"] == "kube-dns" {
			out = append(out, e)
		}
	}
	if e := a.nodeDNS(); e != nil {
		out = append(out, e)
	}
	return out
}

// resolves reports whether a need is one that the policy for name resolution
// lets through.
func (a *advisor) resolves(d *Need) bool {
	return d.Port == dnsPort && d.Protocol <= UDP && slices.Contains(a.dns, d.To)
}

// declareDependencies takes up what eksafe.yaml declares.
func (a *advisor) declareDependencies(e *Endpoint) {
	for _, d := range a.config.Dependencies {
		if !config.Compile(d.From).Match(e.Name) {
			continue
		}
		if len(d.CIDRs) == 0 || len(d.Ports) == 0 {
			a.open("a dependency of %s in eksafe.yaml names no networks or no ports, and a rule needs both", e.Name)
		}
		for _, cidr := range d.CIDRs {
			if p, ok := parsePrefix(cidr); ok {
				for _, port := range d.Ports {
					a.need(e, a.addressEndpoint(p), TCP, port, "dependencies in eksafe.yaml", trace.Place{})
				}
			}
		}
	}
}

// depends reports whether eksafe.yaml declares that e needs addresses at a port.
func (a *advisor) depends(e *Endpoint, port int32) bool {
	return slices.ContainsFunc(a.config.Dependencies, func(d config.Dependency) bool {
		return len(d.CIDRs) > 0 && slices.Contains(d.Ports, port) && config.Compile(d.From).Match(e.Name)
	})
}

func accountKey(w *estate.Workload) [2]string {
	return [2]string{w.Namespace, cmp.Or(w.Template.Spec.ServiceAccountName, "default")}
}

// How pods get the role that a service account has.
type role struct{ association, annotation bool }

func (a *advisor) roles() map[[2]string]role {
	out := map[[2]string]role{}
	for _, r := range estate.PodIdentityAssociations.In(a.graph.Estate) {
		key := [2]string{r.Namespace, r.ServiceAccount}
		out[key] = role{true, out[key].annotation}
	}
	for _, r := range estate.ServiceAccounts.In(a.graph.Estate) {
		if r.Object.Annotations["eks.amazonaws.com/role-arn"] != "" {
			key := [2]string{r.Object.Namespace, r.Object.Name}
			out[key] = role{out[key].association, true}
		}
	}
	return out
}

// declareIdentity takes up what a pod with an IAM role needs: the agent or STS,
// which hand out its credentials, and the APIs for which it has them. Which
// these are no manifest tells; where the VPC has endpoints, they stand there.
func (a *advisor) declareIdentity(e *Endpoint, roles map[[2]string]role) {
	account := accountKey(e.Workload)
	r, ok := roles[account]
	if !ok {
		return
	}
	who := "service account " + account[1]
	if r.association {
		a.need(e, a.ofKind(PodIdentityEndpoint), TCP, 80, "Pod Identity of "+who, trace.Place{})
	}
	found, sts := false, false
	for _, v := range estate.VPCEndpoints.In(a.graph.Estate) {
		to := a.byRef[estate.VPCEndpoints.Ref(v)]
		if to == nil {
			continue // no interface
		}
		found = true
		sts = sts || strings.HasSuffix(v.ServiceName, ".sts")
		a.need(e, to, TCP, webPort, "IAM role of "+who+" for "+cmp.Or(v.ServiceName, to.Name), trace.Place{})
	}
	missing := "the AWS APIs that it calls"
	switch {
	case a.depends(e, webPort):
		return
	case !found && r.annotation:
		missing = "STS, which gives it its credentials, and the AWS APIs that it calls"
	case !found:
	case r.annotation && !sts:
		missing = "STS, which gives it its credentials"
	default:
		return
	}
	a.open("%s has an IAM role, and no VPC endpoint of %s is known (TCP 443): add the template of the interface endpoints, or declare the networks under dependencies in eksafe.yaml", e.Name, missing)
}

// The ports of Istio. Source: Istio's documentation, application requirements
// and Ambient and Kubernetes NetworkPolicy.
const (
	istiodPort = 15012
	hbonePort  = 15008
)

// ambientProbes is from where the probes of pods in an ambient mesh come.
// Source: the same.
var ambientProbes = netip.MustParsePrefix("169.254.7.127/32")

// declareMesh takes up what a member of a mesh needs: its sidecar the control
// plane; without one the node does it, and the probes come from the node's
// address in the mesh.
func (a *advisor) declareMesh(e *Endpoint) {
	mesh := a.graph.Mesh(e.Workload)
	switch {
	case mesh.In == trace.No:
	case mesh.Ambient:
		for _, r := range e.Serves[TCP] {
			a.need(a.addressEndpoint(ambientProbes), e, TCP, int32(r.First), "probes of the ambient mesh", mesh.At)
		}
	case mesh.In == trace.Yes:
		found := false
		for _, to := range a.endpoints {
			if to.Workload != nil && to.Namespace == "istio-system" && to.Workload.Template.Labels["app"] == "istiod" {
				found = true
				a.need(e, to, TCP, istiodPort, "sidecar", mesh.At)
			}
		}
		if !found {
			a.open("the sidecar of %s needs istiod (TCP 15012), which the estate does not show: add its manifests, or read the cluster (--kube)", e.Name)
		}
	}
}

// declareTunnels adds the port at which an ambient mesh carries what its members
// send to members.
func (a *advisor) declareTunnels() {
	ambient := map[*Endpoint]trace.Mesh{}
	for _, e := range a.endpoints {
		if e.Workload != nil {
			ambient[e] = a.graph.Mesh(e.Workload)
		}
	}
	for _, d := range slices.Clone(a.s.Needs) {
		if d.Protocol == TCP && ambient[d.From].Ambient && ambient[d.To].In == trace.Yes {
			a.need(d.From, d.To, TCP, hbonePort, "the ambient mesh carries "+d.Why, d.Place)
		}
	}
}

// prometheus returns the workloads that scrape metrics.
func (a *advisor) prometheus() []*Endpoint {
	var out []*Endpoint
	for _, e := range a.endpoints {
		if e.Workload != nil && slices.ContainsFunc(e.Workload.Template.Spec.Containers, func(c corev1.Container) bool {
			image, _, _ := strings.Cut(path.Base(c.Image), "@")
			image, _, _ = strings.Cut(image, ":")
			return image == "prometheus"
		}) {
			out = append(out, e)
		}
	}
	return out
}

// declareScrape takes up that a workload asks to be scraped.
func (a *advisor) declareScrape(prometheus []*Endpoint, e *Endpoint) {
	ask := func(annotations map[string]string, what string, place trace.Place) {
		switch annotations["prometheus.io/scrape"] {
		case "true", "1", "t":
		default:
			return
		}
		var ports []int32
		if port, err := strconv.ParseUint(annotations["prometheus.io/port"], 10, 16); err == nil {
			ports = append(ports, int32(port))
		} else {
			for _, r := range e.Serves[TCP] {
				ports = append(ports, int32(r.First))
			}
		}
		for _, port := range ports {
			for _, from := range prometheus {
				a.need(from, e, TCP, port, "prometheus.io/scrape of "+what, place)
			}
			if len(prometheus) == 0 && governed(e) {
				a.open("%s asks to be scraped at port %d, and the estate shows no Prometheus: add its manifests, or a rule for it", e.Name, port)
			}
		}
	}
	ref := estate.Workloads.Ref(e.Workload)
	ask(e.Workload.Template.Annotations, "the pods", trace.Place{Subject: ref, Origin: &e.Workload.Origin, Field: e.Workload.TemplateField("metadata.annotations")})
	for _, s := range a.graph.Services(e.Workload) {
		ask(s.Object.Annotations, "Service "+s.Object.Name, trace.Place{Subject: estate.Services.Ref(s), Origin: &s.Origin, Field: "metadata.annotations"})
	}
}

// boundAccounts returns the service accounts with rights in the API.
func (a *advisor) boundAccounts() map[[2]string]bool {
	out := map[[2]string]bool{}
	add := func(subjects []rbacv1.Subject, namespace string) {
		for _, s := range subjects {
			if s.Kind == rbacv1.ServiceAccountKind {
				out[[2]string{cmp.Or(s.Namespace, namespace), s.Name}] = true
			}
		}
	}
	for _, r := range estate.RoleBindings.In(a.graph.Estate) {
		add(r.Object.Subjects, r.Object.Namespace)
	}
	for _, r := range estate.ClusterRoleBindings.In(a.graph.Estate) {
		add(r.Object.Subjects, "")
	}
	return out
}

// mounts reports whether the pods of w carry the token of their account.
func (a *advisor) mounts(w *estate.Workload, account [2]string) bool {
	if on := w.Template.Spec.AutomountServiceAccountToken; on != nil {
		return *on
	}
	for _, r := range estate.ServiceAccounts.In(a.graph.Estate) {
		if r.Object.Namespace == account[0] && r.Object.Name == account[1] && r.Object.AutomountServiceAccountToken != nil {
			return *r.Object.AutomountServiceAccountToken
		}
	}
	return true
}

// declareAPIServer takes up that a workload uses the API of Kubernetes, whose
// interfaces EKS puts into the subnets of the cluster.
func (a *advisor) declareAPIServer(e *Endpoint) {
	found := false
	for _, id := range a.vpc.clusterNets {
		if at := a.vpc.subnet(id); at >= 0 {
			for _, p := range a.vpc.podPrefixes(at) {
				found = true
				a.need(e, a.addressEndpoint(p), TCP, webPort, "the API of Kubernetes, by RBAC of service account "+accountKey(e.Workload)[1], trace.Place{})
			}
		}
	}
	if !found && !a.depends(e, webPort) {
		a.open("%s has rights in the API of Kubernetes, whose addresses are not known (TCP 443): add the template of the cluster and its subnets, or declare them under dependencies in eksafe.yaml", e.Name)
	}
}
