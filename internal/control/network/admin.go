package network

import (
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/eksafe/eksafe/internal/estate"
	"github.com/eksafe/eksafe/internal/trace"
)

// A clusterPolicy is whom a ClusterNetworkPolicy selects, and its rules.
type clusterPolicy struct {
	name   string
	spaces labels.Selector
	pods   labels.Selector
	unread bool
	rules  [2][]estate.ClusterPolicyRule
}

func newAdmin(e *estate.Estate) []*clusterPolicy {
	var out []*clusterPolicy
	for _, r := range estate.ClusterNetworkPolicies.In(e) {
		out = append(out, newClusterPolicy(&r.Object))
	}
	slices.SortFunc(out, func(x, y *clusterPolicy) int { return strings.Compare(x.name, y.name) })
	return out
}

func newClusterPolicy(o *estate.ClusterNetworkPolicy) *clusterPolicy {
	p := &clusterPolicy{name: "ClusterNetworkPolicy " + o.Name, rules: [2][]estate.ClusterPolicyRule{ingress: o.Spec.Ingress, egress: o.Spec.Egress}}
	p.spaces, p.pods = labels.Nothing(), labels.Everything()
	var err, podErr error
	if s := o.Spec.Subject; s.Namespaces != nil {
		p.spaces, err = metav1.LabelSelectorAsSelector(s.Namespaces)
	} else if s.Pods != nil {
		p.spaces, err = metav1.LabelSelectorAsSelector(&s.Pods.NamespaceSelector)
		p.pods, podErr = metav1.LabelSelectorAsSelector(&s.Pods.PodSelector)
	}
	p.unread = err != nil || podErr != nil
	return p
}

func (p *clusterPolicy) selects(d *pod) trace.Ternary {
	switch {
	case d.host:
		return trace.No
	case p.unread:
		return trace.Unclear
	case p.spaces.Matches(d.namespace.labels) && p.pods.Matches(d.labels):
		return trace.Yes
	}
	return trace.No
}
