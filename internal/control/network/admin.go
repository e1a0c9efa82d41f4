package network

import (
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/eksafe/eksafe/internal/estate"
	"github.com/eksafe/eksafe/internal/trace"
)

// admin is the policies of Cilium and the ClusterNetworkPolicies: whom they
// select and whether they deny what nothing allows. What their rules let
// through is not computed.
type admin struct {
	cilium  map[string][]*ciliumRule // by namespace, "" for those of the cluster
	cluster []*clusterPolicy
}

type ciliumRule struct {
	name      string
	namespace string
	selector  labels.Selector
	unread    bool
	applies   [2]bool
	denies    [2]bool
}

type clusterPolicy struct {
	name   string
	spaces labels.Selector
	pods   labels.Selector
	unread bool
	rules  [2][]estate.ClusterPolicyRule
}

func newAdmin(e *estate.Estate) admin {
	a := admin{cilium: map[string][]*ciliumRule{}}
	add := func(o *estate.CiliumNetworkPolicy, kind string) {
		specs := o.Specs
		if o.Spec != nil {
			specs = append([]estate.CiliumPolicySpec{*o.Spec}, specs...)
		}
		for i := range specs {
			if specs[i].EndpointSelector != nil { // a node selector selects no pod
				a.cilium[o.Namespace] = append(a.cilium[o.Namespace], newCiliumRule(&specs[i], kind+" "+o.Name, o.Namespace))
			}
		}
	}
	for _, r := range estate.CiliumNetworkPolicies.In(e) {
		add(&r.Object, "CiliumNetworkPolicy")
	}
	for _, r := range estate.CiliumClusterwideNetworkPolicies.In(e) {
		add(&r.Object, "CiliumClusterwideNetworkPolicy")
	}
	for _, r := range estate.ClusterNetworkPolicies.In(e) {
		a.cluster = append(a.cluster, newClusterPolicy(&r.Object))
	}
	for _, rules := range a.cilium {
		slices.SortStableFunc(rules, func(x, y *ciliumRule) int { return strings.Compare(x.name, y.name) })
	}
	slices.SortFunc(a.cluster, func(x, y *clusterPolicy) int { return strings.Compare(x.name, y.name) })
	return a
}

func newCiliumRule(s *estate.CiliumPolicySpec, name, namespace string) *ciliumRule {
	r := &ciliumRule{name: name, namespace: namespace}
	r.applies = [2]bool{ingress: len(s.Ingress)+len(s.IngressDeny) > 0, egress: len(s.Egress)+len(s.EgressDeny) > 0}
	r.denies = r.applies
	for d, set := range [2]*bool{ingress: s.EnableDefaultDeny.Ingress, egress: s.EnableDefaultDeny.Egress} {
		if set != nil {
			r.denies[d] = *set
			r.applies[d] = r.applies[d] || *set
		}
	}
	// Keys may name the source of a label: "k8s:app", "any:app".
	plain := s.EndpointSelector.DeepCopy()
	plain.MatchLabels = map[string]string{}
	for k, v := range s.EndpointSelector.MatchLabels {
		plain.MatchLabels[ciliumKey(k)] = v
		r.unread = r.unread || strings.HasPrefix(k, "reserved")
	}
	for i := range plain.MatchExpressions {
		r.unread = r.unread || strings.HasPrefix(plain.MatchExpressions[i].Key, "reserved")
		plain.MatchExpressions[i].Key = ciliumKey(plain.MatchExpressions[i].Key)
	}
	var err error
	r.selector, err = metav1.LabelSelectorAsSelector(plain)
	r.unread = r.unread || err != nil
	return r
}

func ciliumKey(key string) string {
	return strings.TrimPrefix(strings.TrimPrefix(key, "k8s:"), "any:")
}

func (r *ciliumRule) selects(d *pod) trace.Ternary {
	switch {
	case d.host || r.namespace != "" && r.namespace != d.namespace.name:
		return trace.No
	case r.unread:
		return trace.Unclear
	case r.selector.Matches(ciliumLabels{d}):
		return trace.Yes
	}
	return trace.No
}

// ciliumLabels are the labels of a pod as Cilium knows them.
type ciliumLabels struct{ pod *pod }

const ciliumNamespaceLabel = "io.cilium.k8s.namespace.labels."

// Lookup returns the value of a label.
func (l ciliumLabels) Lookup(key string) (string, bool) {
	if v, ok := l.pod.labels[key]; ok {
		return v, true
	}
	if key == "io.kubernetes.pod.namespace" {
		return l.pod.namespace.name, true
	}
	if rest, ok := strings.CutPrefix(key, ciliumNamespaceLabel); ok {
		v, ok := l.pod.namespace.labels[rest]
		return v, ok
	}
	return "", false
}

// Has reports whether the label exists.
func (l ciliumLabels) Has(key string) bool { _, ok := l.Lookup(key); return ok }

// Get returns the value of a label, "" if there is none.
func (l ciliumLabels) Get(key string) string { v, _ := l.Lookup(key); return v }

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
