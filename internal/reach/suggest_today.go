package reach

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/eksafe/eksafe/internal/estate"
	"github.com/eksafe/eksafe/internal/trace"
)

// declareToday takes up what the policies of now name: a rule about certain pods
// and certain ports says that somebody needs it. Wider rules say nothing of the
// kind.
func (a *advisor) declareToday() {
	known := map[Need]bool{}
	key := func(from, to *Endpoint, p Named) Need {
		return Need{From: from, To: to, Protocol: p.Protocol, Port: p.Port}
	}
	for i := range a.s.Needs {
		d := &a.s.Needs[i]
		known[key(d.From, d.To, Named{d.Protocol, d.Port})] = true
	}
	need := func(from, to *Endpoint, p Named, place trace.Place) {
		if k := key(from, to, p); !known[k] {
			known[k] = true
			a.need(from, to, p.Protocol, int32(p.Port), "a policy of now names it", place)
		}
	}
	for _, r := range estate.NetworkPolicies.In(a.graph.Estate) {
		pods := a.among(r.Object.Namespace, nil, &r.Object.Spec.PodSelector)
		name := "NetworkPolicy " + r.Object.Namespace + "/" + r.Object.Name
		for i, rule := range r.Object.Spec.Ingress {
			place := trace.Place{Subject: estate.NetworkPolicies.Ref(r), Origin: &r.Origin, Field: "spec.ingress[" + itoa(i) + "]"}
			for _, peer := range rule.From {
				if !certain(peer, rule.Ports) {
					continue
				}
				peers := a.among(r.Object.Namespace, peer.NamespaceSelector, peer.PodSelector)
				if len(peers) == 0 && len(pods) > 0 {
					a.open("%s lets in pods that the estate does not show (%s): read the cluster (--kube), or keep that rule", name, metav1.FormatLabelSelector(peer.PodSelector))
				}
				for _, to := range pods {
					for _, port := range certainPorts(to, rule.Ports) {
						for _, from := range peers {
							need(from, to, port, place)
						}
					}
				}
			}
		}
		for i, rule := range r.Object.Spec.Egress {
			place := trace.Place{Subject: estate.NetworkPolicies.Ref(r), Origin: &r.Origin, Field: "spec.egress[" + itoa(i) + "]"}
			for _, peer := range rule.To {
				if !certain(peer, rule.Ports) {
					continue
				}
				for _, to := range a.among(r.Object.Namespace, peer.NamespaceSelector, peer.PodSelector) {
					for _, port := range certainPorts(to, rule.Ports) {
						for _, from := range pods {
							if !a.resolves(&Need{To: to, Protocol: port.Protocol, Port: port.Port}) {
								need(from, to, port, place)
							}
						}
					}
				}
			}
		}
	}
}

// certain reports whether a rule names certain pods and certain ports.
func certain(p networkingPeer, ports []networkingPort) bool {
	return p.PodSelector != nil && len(p.PodSelector.MatchLabels)+len(p.PodSelector.MatchExpressions) > 0 && len(ports) > 0
}

// certainPorts returns the single ports that a rule names on the pods of e.
func certainPorts(e *Endpoint, ports []networkingPort) []Named {
	var out []Named
	for _, p := range ports {
		protocol, ok := TCP, true
		if p.Protocol != nil {
			protocol, ok = protocolOf(*p.Protocol)
		}
		switch {
		case !ok || p.Port == nil || p.EndPort != nil:
		case p.Port.StrVal != "":
			for _, n := range namedPorts(e.Workload)[p.Port.StrVal] {
				if n.Protocol == protocol {
					out = append(out, n)
				}
			}
		case p.Port.IntVal > 0 && p.Port.IntVal <= lastPort:
			out = append(out, Named{protocol, uint16(p.Port.IntVal)})
		}
	}
	return out
}

// among returns the workloads that selectors select: in one namespace, or in
// those that a selector selects.
func (a *advisor) among(own string, namespaces, pods *metav1.LabelSelector) []*Endpoint {
	chosen, err := metav1.LabelSelectorAsSelector(pods)
	if err != nil {
		return nil
	}
	in := labels.SelectorFromSet(labels.Set{corev1.LabelMetadataName: own})
	if namespaces != nil {
		if in, err = metav1.LabelSelectorAsSelector(namespaces); err != nil {
			return nil
		}
	}
	var out []*Endpoint
	for _, e := range a.endpoints {
		if e.Workload != nil && in.Matches(a.byName[e.Namespace].labels) && chosen.Matches(labels.Set(e.Workload.Template.Labels)) {
			out = append(out, e)
		}
	}
	return out
}
