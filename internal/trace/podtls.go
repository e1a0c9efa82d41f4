package trace

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/eksafe/eksafe/internal/estate"
)

// A fact is a Fact and the resource it stands in.
type fact struct {
	estate.Fact
	at Place
}

// factsOf returns what is known of one container of w: its own facts, and
// those of the ConfigMaps that its variables name and its volumes mount.
func (x *index) factsOf(w *estate.Workload, container corev1.Container) []fact {
	var out []fact
	for _, f := range w.Facts {
		if f.Container != container.Name {
			continue
		}
		if f.ValueFrom == nil {
			out = append(out, fact{f, workloadPlace(w, f.Field)})
			continue
		}
		if f.ValueFrom.Kind != "ConfigMap" {
			continue
		}
		c := x.configMaps[name{w.Namespace, f.ValueFrom.Name}]
		if c == nil {
			continue
		}
		for _, cf := range c.Facts {
			if f.ValueFrom.Key != "" && cf.Field != "data["+f.ValueFrom.Key+"]" {
				continue
			}
			if f.ValueFrom.Key != "" {
				cf.Name = f.Name // the container knows the value by this name
			}
			cf.Container = container.Name
			out = append(out, fact{cf, placeOf(estate.ConfigMaps, c, cf.Field)})
		}
	}
	for _, m := range container.VolumeMounts {
		for _, c := range x.mountedConfigMaps(w, m.Name) {
			for _, cf := range c.Facts {
				cf.Container = container.Name
				out = append(out, fact{cf, placeOf(estate.ConfigMaps, c, cf.Field)})
			}
		}
	}
	return out
}

func (x *index) mountedConfigMaps(w *estate.Workload, volume string) []*estate.ConfigMap {
	var out []*estate.ConfigMap
	add := func(n string) {
		if c := x.configMaps[name{w.Namespace, n}]; c != nil {
			out = append(out, c)
		}
	}
	for _, v := range w.Template.Spec.Volumes {
		if v.Name != volume {
			continue
		}
		if v.ConfigMap != nil {
			add(v.ConfigMap.Name)
		}
		if v.Projected != nil {
			for _, s := range v.Projected.Sources {
				if s.ConfigMap != nil {
					add(s.ConfigMap.Name)
				}
			}
		}
	}
	return out
}

var (
	tlsNameRE  = regexp.MustCompile(`(?i)(^|[-_.])(tls|ssl|https|certs?|certificates?)($|[-_.])`)
	bindNameRE = regexp.MustCompile(`(?i)(bind|listen|host|addr|interface)`)
)

// tlsMount returns the path at which the container mounts a TLS certificate:
// a Secret of type kubernetes.io/tls, or one whose items or name say so, or a
// certificate of a CSI driver.
func (g *Graph) tlsMount(w *estate.Workload, c corev1.Container) (mountPath, volume string) {
	for _, m := range c.VolumeMounts {
		i := slices.IndexFunc(w.Template.Spec.Volumes, func(v corev1.Volume) bool { return v.Name == m.Name })
		if i < 0 {
			continue
		}
		v := w.Template.Spec.Volumes[i]
		switch {
		case v.Secret != nil && g.isTLSSecret(w.Namespace, v.Secret.SecretName, v.Secret.Items):
			return m.MountPath, v.Name
		case v.CSI != nil && (v.CSI.Driver == "csi.cert-manager.io" || v.CSI.Driver == "spiffe.csi.cert-manager.io"):
			return m.MountPath, v.Name
		case v.Projected != nil:
			for _, s := range v.Projected.Sources {
				if s.Secret != nil && g.isTLSSecret(w.Namespace, s.Secret.Name, s.Secret.Items) {
					return m.MountPath, v.Name
				}
			}
		}
	}
	return "", ""
}

func (g *Graph) isTLSSecret(namespace, secret string, items []corev1.KeyToPath) bool {
	if t, ok := g.secretTypes[name{namespace, secret}]; ok && t != "" {
		return t == corev1.SecretTypeTLS || t == corev1.SecretTypeOpaque && tlsNameRE.MatchString(secret)
	}
	for _, i := range items {
		if i.Key == corev1.TLSCertKey {
			return true
		}
	}
	return tlsNameRE.MatchString(secret)
}

// ServesTLS returns the evidence that pods of w serve TLS at port. Evidence,
// strongest first: the configuration of a proxy in the pod, an Istio gateway, a
// probe that speaks HTTPS or HTTP to the port, a container at a TLS port that
// mounts a certificate or is told to serve one.
func (g *Graph) ServesTLS(w *estate.Workload, port int32) Evidence {
	if port == 0 {
		return Evidence{Why: "the port of the pods is not known"}
	}
	if ev, ok := g.proxyTLS(w, port); ok {
		return ev
	}
	if g.mesh.hasGateways() {
		if ev, ok := g.mesh.gatewayTLS(w, port); ok {
			return ev
		}
	}
	if ev, ok := g.probeTLS(w, port); ok {
		return ev
	}
	for _, c := range allContainers(w) {
		i := slices.IndexFunc(c.Ports, func(p corev1.ContainerPort) bool { return p.ContainerPort == port })
		if i < 0 && len(w.Template.Spec.Containers) > 1 {
			continue
		}
		field := containerField(w, c.Name)
		portName := ""
		if i >= 0 {
			portName = c.Ports[i].Name
		}
		for _, f := range w.Facts {
			if f.Container == c.Name && f.ServesTLS != "" {
				return Evidence{TLS: Yes, By: "container " + c.Name, Why: f.ServesTLS + " tells it to serve TLS", At: workloadPlace(w, f.Field)}
			}
		}
		if mount, volume := g.tlsMount(w, c); mount != "" && (tlsNameRE.MatchString(portName) || port == 443 || port == 8443) {
			return Evidence{TLS: Yes, By: "container " + c.Name,
				Why: fmt.Sprintf("it serves port %d and mounts the certificate of volume %s", port, volume), At: workloadPlace(w, field+".ports")}
		}
	}
	return Evidence{
		Why: fmt.Sprintf("nothing shows whether port %d of %s serves TLS: no HTTPS probe, no certificate, no proxy configuration", port, estate.Workloads.Ref(w).ID),
		At:  workloadPlace(w, w.TemplateField("spec.containers")),
	}
}

// proxyTLS reads the configurations of proxies that the pod runs.
func (g *Graph) proxyTLS(w *estate.Workload, port int32) (Evidence, bool) {
	for _, c := range allContainers(w) {
		for _, f := range g.index.factsOf(w, c) {
			if f.Server == nil || f.Server.Port != port {
				continue
			}
			s := f.Server
			if !s.TLS {
				return Evidence{TLS: No, Why: fmt.Sprintf("%s in container %s listens on %d without TLS", s.Software, c.Name, port), At: f.at}, true
			}
			ev := Evidence{TLS: Yes, At: f.at, By: s.Software + " in container " + c.Name,
				Why: fmt.Sprintf("%s listens on %d with TLS", s.Software, port)}
			if s.Certificate != "" {
				if mount, volume := g.tlsMount(w, c); mount != "" && strings.HasPrefix(path.Clean(s.Certificate), path.Clean(mount)+"/") {
					ev.Why += " and the certificate of volume " + volume
				}
			}
			for _, up := range s.Upstreams {
				host, p := splitUpstream(up)
				if isLoopback(host) && p != 0 {
					ev.Sidecar, ev.PlainPort = true, p
					ev.PlainClosed, ev.PlainClosedWhy = g.plainClosed(w, c.Name, p)
				}
			}
			return ev, true
		}
	}
	return Evidence{}, false
}

// splitUpstream splits "scheme://host:port".
func splitUpstream(s string) (host string, port int32) {
	if _, rest, ok := strings.Cut(s, "://"); ok {
		s = rest
	}
	s, _, _ = strings.Cut(s, "/")
	i := strings.LastIndexByte(s, ':')
	if i < 0 || strings.HasSuffix(s, "]") {
		return strings.Trim(s, "[]"), 0
	}
	return strings.Trim(s[:i], "[]"), parsePort(s[i+1:])
}

func isLoopback(host string) bool {
	return host == "localhost" || host == "::1" || strings.HasPrefix(host, "127.")
}

// plainClosed says whether the application's own port is out of reach from
// outside the pod, so that nobody can go around the sidecar.
func (g *Graph) plainClosed(w *estate.Workload, sidecar string, port int32) (Ternary, string) {
	for _, s := range g.index.servicesOf[w] {
		for _, p := range s.Object.Spec.Ports {
			if podPort(p, w) == port {
				return No, fmt.Sprintf("Service %s leads to the plain port %d", s.Object.Name, port)
			}
		}
	}
	for _, c := range allContainers(w) {
		if c.Name == sidecar {
			continue
		}
		hasPort := len(c.Ports) == 0 || slices.ContainsFunc(c.Ports, func(p corev1.ContainerPort) bool { return p.ContainerPort == port })
		bound := false
		for _, f := range w.Facts {
			if f.Container != c.Name {
				continue
			}
			if f.Port == port {
				hasPort = true
			}
			if isLoopback(f.Host) && bindNameRE.MatchString(f.Name) && (f.Port == 0 || f.Port == port) {
				bound = true
			}
		}
		if bound && hasPort {
			return Yes, "container " + c.Name + " listens on loopback"
		}
	}
	if policy := g.closedByPolicy(w, port); policy != "" {
		return Yes, "NetworkPolicy " + policy + " closes it"
	}
	return Unclear, fmt.Sprintf("nothing shows that port %d listens on loopback only or is closed by a NetworkPolicy", port)
}

// closedByPolicy returns the name of a NetworkPolicy that isolates w, when none
// of those that select it lets anybody in at port.
func (g *Graph) closedByPolicy(w *estate.Workload, port int32) string {
	isolating := ""
	for _, p := range g.policies[w.Namespace] {
		spec := p.Object.Spec
		if len(spec.PolicyTypes) > 0 && !slices.Contains(spec.PolicyTypes, networkingv1.PolicyTypeIngress) {
			continue
		}
		selected, ok := matches(&spec.PodSelector, w.Template.Labels)
		if !ok {
			return "" // a policy that cannot be read proves nothing
		}
		if !selected {
			continue
		}
		isolating = p.Object.Name
		for _, rule := range spec.Ingress {
			if len(rule.Ports) == 0 {
				return ""
			}
			for _, pp := range rule.Ports {
				if policyPortMatches(w, pp, port) {
					return ""
				}
			}
		}
	}
	return isolating
}

func policyPortMatches(w *estate.Workload, p networkingv1.NetworkPolicyPort, port int32) bool {
	if p.Protocol != nil && *p.Protocol != corev1.ProtocolTCP {
		return false
	}
	if p.Port == nil {
		return true
	}
	if p.Port.Type == intstr.String {
		return namedPort(w, p.Port.StrVal) == port
	}
	if p.EndPort != nil {
		return p.Port.IntVal <= port && port <= *p.EndPort
	}
	return p.Port.IntVal == port
}

// probeTLS reads the schemes of the probes that ask the port. A probe that
// speaks plain HTTP is evidence against TLS, whatever another one says.
func (g *Graph) probeTLS(w *estate.Workload, port int32) (Evidence, bool) {
	var found Evidence
	for _, c := range allContainers(w) {
		for _, probe := range []struct {
			name  string
			probe *corev1.Probe
		}{{"readinessProbe", c.ReadinessProbe}, {"livenessProbe", c.LivenessProbe}, {"startupProbe", c.StartupProbe}} {
			if probe.probe == nil || probe.probe.HTTPGet == nil {
				continue
			}
			get := probe.probe.HTTPGet
			p := get.Port.IntVal
			if get.Port.Type == intstr.String {
				p = namedPort(w, get.Port.StrVal)
			}
			if p != port {
				continue
			}
			at := workloadPlace(w, containerField(w, c.Name)+"."+probe.name+".httpGet.scheme")
			if get.Scheme != corev1.URISchemeHTTPS {
				return Evidence{TLS: No, Why: fmt.Sprintf("the %s of container %s speaks plain HTTP to port %d", probe.name, c.Name, port), At: at}, true
			}
			if found.TLS == Unclear {
				found = Evidence{TLS: Yes, By: "container " + c.Name, Why: fmt.Sprintf("its %s speaks HTTPS to port %d", probe.name, port), At: at}
			}
		}
	}
	return found, found.TLS != Unclear
}
