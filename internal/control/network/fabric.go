package network

import (
	"cmp"
	"slices"
	"strings"
	"sync"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/eksafe/eksafe/internal/config"
	"github.com/eksafe/eksafe/internal/control"
	"github.com/eksafe/eksafe/internal/estate"
	"github.com/eksafe/eksafe/internal/platform"
	"github.com/eksafe/eksafe/internal/reach"
	"github.com/eksafe/eksafe/internal/trace"
)

// policyKinds are the kinds that decide what a pod may send and receive. A
// control that judges by policies requires all of them: one that was not read
// may open what another closes.
var policyKinds = append([]estate.Kind{
	estate.NetworkPolicies.Kind, estate.CalicoNetworkPolicies.Kind, estate.CalicoGlobalNetworkPolicies.Kind, estate.CalicoTiers.Kind,
	estate.ClusterNetworkPolicies.Kind, estate.AWSClusterNetworkPolicies.Kind, estate.ApplicationNetworkPolicies.Kind,
	estate.AdminNetworkPolicies.Kind, estate.BaselineAdminNetworkPolicies.Kind,
}, ciliumKinds...)

// ciliumKinds are those whose rules are not computed.
var ciliumKinds = []estate.Kind{estate.CiliumNetworkPolicies.Kind, estate.CiliumClusterwideNetworkPolicies.Kind}

// networkKinds are the kinds of AWS between pods and what they reach, beside
// security groups.
var networkKinds = []estate.Kind{
	estate.VPCs.Kind, estate.NetworkAcls.Kind, estate.RouteTables.Kind, estate.PrefixLists.Kind,
}

// A fabric is the pods of the estate by their namespaces, and the network between
// them, indexed once for all controls of a run. It is not changed after newFabric.
type fabric struct {
	graph      *trace.Graph
	namespaces []*namespace // sorted by name
	byName     map[string]*namespace
	pods       map[*estate.Workload]*pod
	policies   []*reach.Policy
	reach      *reach.Network
	served     sync.Map // reach.Ports by *pod
}

// A namespace is its pods.
type namespace struct {
	name    string
	place   trace.Place
	labels  labels.Set
	object  bool // a source shows the Namespace, and not only what stands in it
	pods    []*pod
	byLabel map[[2]string][]*pod
}

// A pod stands for the pods of one workload.
type pod struct {
	workload  *estate.Workload
	ref       estate.Ref
	namespace *namespace
	labels    labels.Set
	host      bool // in the network of the node, where no policy reaches
	platform  bool
}

// String returns "shop-prod/web".
func (p *pod) String() string { return p.workload.Namespace + "/" + p.workload.Name }

func (p *pod) place(field string) trace.Place {
	return trace.Place{Subject: p.ref, Origin: &p.workload.Origin, Field: p.workload.TemplateField(field)}
}

// A direction of traffic, seen from the pod.
type direction = reach.Direction

const (
	ingress = reach.Ingress
	egress  = reach.Egress
)

func fabricOf(g *trace.Graph) *fabric { return trace.Derive(g, newFabric) }

func newFabric(g *trace.Graph) *fabric {
	f := &fabric{graph: g, byName: map[string]*namespace{}, pods: map[*estate.Workload]*pod{}}
	for _, n := range estate.Namespaces.In(g.Estate) {
		ns := f.namespace(n.Object.Name)
		ns.place = trace.Place{Subject: estate.Namespaces.Ref(n), Origin: &n.Origin}
		ns.labels, ns.object = labels.Merge(ns.labels, n.Object.Labels), true
	}
	for _, w := range estate.Workloads.In(g.Estate) {
		if w.Controller == "PodTemplate" {
			continue // it runs nothing
		}
		ns := f.namespace(w.Namespace)
		p := &pod{
			workload: w, ref: estate.Workloads.Ref(w), namespace: ns, labels: w.Template.Labels,
			host:     w.Template.Spec.HostNetwork,
			platform: platform.Namespace(w.Namespace) || platform.Expected(w) != "",
		}
		f.pods[w] = p
		ns.pods = append(ns.pods, p)
		for k, v := range p.labels {
			ns.byLabel[[2]string{k, v}] = append(ns.byLabel[[2]string{k, v}], p)
		}
	}
	for _, ns := range f.namespaces {
		slices.SortFunc(ns.pods, func(a, b *pod) int { return a.ref.Compare(b.ref) })
	}
	slices.SortFunc(f.namespaces, func(a, b *namespace) int { return cmp.Compare(a.name, b.name) })
	f.reach = reach.Of(g)
	f.policies = f.reach.Policies()
	return f
}

// namespace returns the namespace of a name. Kubernetes gives each its name as
// a label.
func (f *fabric) namespace(name string) *namespace {
	ns := f.byName[name]
	if ns == nil {
		ns = &namespace{
			name:    name,
			place:   trace.Place{Subject: estate.NamedRef(estate.Namespaces.Kind, string(estate.Namespaces.Kind), "", name)},
			labels:  labels.Set{"kubernetes.io/metadata.name": name},
			byLabel: map[[2]string][]*pod{},
		}
		f.byName[name] = ns
		f.namespaces = append(f.namespaces, ns)
	}
	return ns
}

// selected returns the pods that a selector selects. Those in the network of
// the node are none of them: an agent sees no pod there.
func (ns *namespace) selected(selector *metav1.LabelSelector, s labels.Selector) []*pod {
	candidates := ns.pods
	for k, v := range selector.MatchLabels {
		if c := ns.byLabel[[2]string{k, v}]; len(c) < len(candidates) {
			candidates = c
		}
	}
	var out []*pod
	for _, p := range candidates {
		if !p.host && s.Matches(p.labels) {
			out = append(out, p)
		}
	}
	return out
}

// applications returns the namespaces that hold pods of applications.
func applications(g *trace.Graph) []*namespace {
	var out []*namespace
	for _, ns := range fabricOf(g).namespaces {
		if len(ns.application()) > 0 {
			out = append(out, ns)
		}
	}
	return out
}

// application returns the pods that belong to an application.
func (ns *namespace) application() []*pod {
	var out []*pod
	for _, p := range ns.pods {
		if !p.platform {
			out = append(out, p)
		}
	}
	return out
}

func (ns *namespace) at() trace.Place { return ns.place }

// ofPlatform reports whether the users declare the namespace as one of the
// platform.
func ofPlatform(s *control.Subject, namespace string) bool {
	return config.CompileAll(s.Config().Platform.Namespaces).Match(namespace)
}

// list writes names for a message, and counts those beyond the third.
func list(names []string) string {
	slices.Sort(names)
	names = slices.Compact(names)
	if len(names) > 3 {
		return strings.Join(names[:3], ", ") + " and " + itoa(len(names)-3) + " more"
	}
	return strings.Join(names, ", ")
}
