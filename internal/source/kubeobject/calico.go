package kubeobject

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/eksafe/eksafe/internal/estate"
)

// calicoStore is the API version in which Calico keeps its objects where it has
// no API server of its own. It writes names and metadata in its own way there.
const calicoStore = "crd.projectcalico.org/v1"

// adoptCalicoMeta gives an object of Calico's store the name and labels that
// its owner gave it. Calico keeps them in an annotation and reads them from
// there, so selectors match those labels and not the object's own.
func adoptCalicoMeta(m *metav1.ObjectMeta) {
	text := m.Annotations["projectcalico.org/metadata"]
	if text == "" || len(text) > maxAnnotation {
		return
	}
	var kept struct {
		Name        string            `json:"name"`
		Labels      map[string]string `json:"labels"`
		Annotations map[string]string `json:"annotations"`
	}
	if json.Unmarshal([]byte(text), &kept) != nil {
		return
	}
	// Labels of newer objects stand in both places.
	if len(kept.Labels) > 0 {
		labels := maps.Clone(m.Labels)
		if labels == nil {
			labels = make(map[string]string, len(kept.Labels))
		}
		maps.Copy(labels, kept.Labels)
		m.Labels = labels
	}
	for k, v := range kept.Annotations {
		if _, own := m.Annotations[k]; !own {
			m.Annotations[k] = v
		}
	}
	if kept.Name != "" && strings.HasSuffix(m.Name, "."+kept.Name) {
		m.Name = kept.Name
	}
}

// calicoPolicyName takes the prefix of the tier "default" off a policy of
// Calico's store, where every policy is named after its tier. In other tiers the
// prefix is part of the name in both APIs.
func calicoPolicyName(apiVersion, name, tier string) string {
	if apiVersion != calicoStore || tier != "" && tier != "default" {
		return name
	}
	if rest, ok := strings.CutPrefix(name, "default."); ok && rest != "" {
		return rest
	}
	return name
}

func reduceCalicoPolicy(o *estate.CalicoNetworkPolicy) {
	o.Name = calicoPolicyName(o.APIVersion, o.Name, o.Spec.Tier)
	reduceCalicoRules(o.Spec.Ingress, o.Spec.Egress)
}

func reduceCalicoStaged(o *estate.CalicoStagedNetworkPolicy) {
	o.Name = calicoPolicyName(o.APIVersion, o.Name, o.Spec.Tier)
	reduceCalicoRules(o.Spec.Ingress, o.Spec.Egress)
}

func reduceCalicoProfile(o *estate.CalicoProfile) {
	reduceCalicoRules(o.Spec.Ingress, o.Spec.Egress)
}

func reduceCalicoHostEndpoint(o *estate.CalicoHostEndpoint) {
	for i := range o.Spec.Ports {
		if p := &o.Spec.Ports[i]; !scalar(p.Protocol) {
			p.Protocol = nil
		}
	}
}

// reduceCalicoRules drops what is not of the network: headers to match and
// free annotations of rules.
func reduceCalicoRules(directions ...[]estate.CalicoRule) {
	for _, rules := range directions {
		for i := range rules {
			r := &rules[i]
			r.Metadata = nil
			if r.HTTP != nil {
				// That the rule is limited to some requests stays visible.
				r.HTTP = map[string]any{redacted: true}
			}
			if !scalar(r.Protocol) {
				r.Protocol = nil
			}
			if !scalar(r.NotProtocol) {
				r.NotProtocol = nil
			}
			for _, end := range []*estate.CalicoEntityRule{&r.Source, &r.Destination} {
				end.Ports = slices.DeleteFunc(end.Ports, func(p any) bool { return !scalar(p) })
				end.NotPorts = slices.DeleteFunc(end.NotPorts, func(p any) bool { return !scalar(p) })
			}
		}
	}
}
