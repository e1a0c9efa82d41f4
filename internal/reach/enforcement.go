package reach

import (
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/selection"

	"github.com/eksafe/eksafe/internal/estate"
	"github.com/eksafe/eksafe/internal/platform"
	"github.com/eksafe/eksafe/internal/trace"
)

// An Enforcement says whether something makes NetworkPolicies work on every
// node of a cluster.
type Enforcement struct {
	State trace.Ternary
	Why   string      // unless it is Yes
	Place trace.Place // of what turns it off, where something does
	// Nowhere is true if no node has anything that does.
	Nowhere bool
}

// An api is policies that the same agents read.
type api int

const (
	kubernetesAPI  api = iota // NetworkPolicy
	calicoAPI                 // NetworkPolicy and GlobalNetworkPolicy of Calico
	ciliumAPI                 // CiliumNetworkPolicy
	clusterAPI                // the Network Policy API of administrators
	amazonAPI                 // ClusterNetworkPolicy of Amazon's controller
	applicationAPI            // its ApplicationNetworkPolicy
	apis                      // how many there are
)

// apiOf returns the API of a kind of policies.
func apiOf(k estate.Kind) api {
	switch k {
	case estate.CalicoNetworkPolicies.Kind, estate.CalicoGlobalNetworkPolicies.Kind:
		return calicoAPI
	case estate.CiliumNetworkPolicies.Kind, estate.CiliumClusterwideNetworkPolicies.Kind:
		return ciliumAPI
	case estate.ClusterNetworkPolicies.Kind, estate.AdminNetworkPolicies.Kind, estate.BaselineAdminNetworkPolicies.Kind:
		return clusterAPI
	case estate.AWSClusterNetworkPolicies.Kind:
		return amazonAPI
	case estate.ApplicationNetworkPolicies.Kind:
		return applicationAPI
	}
	return kubernetesAPI
}

// An agent is what enforces policies on a node.
type agent int

const (
	vpcCNI agent = iota
	autoNode
	calicoAgent
	ciliumAgent
	agentKinds
)

var agentNames = [agentKinds]string{"the VPC CNI", "EKS Auto Mode", "Calico", "Cilium"}

// reads says what each of them enforces. Calico and Cilium took up the policies
// of administrators version by version. What is not listed is not read. That the
// VPC CNI and Auto Mode enforce NetworkPolicies, and Calico its own, is what their
// documentation says; the rows of Amazon's own kinds are unverified.
var reads = [agentKinds][apis]trace.Ternary{
	vpcCNI:      {kubernetesAPI: trace.Yes, amazonAPI: trace.Yes, applicationAPI: trace.Unclear, calicoAPI: trace.No, ciliumAPI: trace.No, clusterAPI: trace.No},
	autoNode:    {kubernetesAPI: trace.Yes, amazonAPI: trace.Yes, applicationAPI: trace.Yes, calicoAPI: trace.No, ciliumAPI: trace.No, clusterAPI: trace.No},
	calicoAgent: {kubernetesAPI: trace.Yes, calicoAPI: trace.Yes, clusterAPI: trace.Unclear, ciliumAPI: trace.No, amazonAPI: trace.No, applicationAPI: trace.No},
	ciliumAgent: {kubernetesAPI: trace.Yes, ciliumAPI: trace.Yes, clusterAPI: trace.Unclear, calicoAPI: trace.No, amazonAPI: trace.No, applicationAPI: trace.No},
}

// Agents are those of a node, by bit.
type agents uint8

func (s agents) has(r agent) bool { return s&(1<<r) != 0 }

func (s agents) String() string {
	var out []string
	for r := range agentKinds {
		if s.has(r) {
			out = append(out, agentNames[r])
		}
	}
	return strings.Join(out, " and ")
}

// An enforcement says what makes network policies work, and where.
type enforcement struct {
	cluster Enforcement
	on      []plugin
	auto    Enforcement
	nodes   map[string]agents
	any     agents  // of any node
	holds   []*hold // by point of a pod
	// slow is true if the VPC CNI lets everything through until it has seen a
	// new pod.
	slow bool
}

// A plugin is a DaemonSet that enforces policies.
type plugin struct {
	workload *estate.Workload
	agent    agent
	off      string // why it does not
	place    trace.Place
}

func (p *plugin) spec() *corev1.PodSpec { return &p.workload.Template.Spec }

// enforcerOf looks for what enforces policies.
func enforcerOf(e *estate.Estate) enforcement {
	var all []plugin
	live := false
	for _, w := range estate.Workloads.In(e) {
		live = live || w.Origin.Cluster != ""
		if p, ok := pluginOf(w); ok {
			all = append(all, p)
		}
	}
	slices.SortFunc(all, func(a, b plugin) int {
		return estate.Workloads.Ref(a.workload).Compare(estate.Workloads.Ref(b.workload))
	})
	out := enforcement{auto: autoMode(e), nodes: map[string]agents{}}
	out.on = slices.DeleteFunc(slices.Clone(all), func(p plugin) bool { return p.off != "" })
	for _, p := range out.on {
		out.any |= 1 << p.agent
		out.slow = out.slow || p.agent == vpcCNI && setting(p.workload, "NETWORK_POLICY_ENFORCING_MODE") != "strict"
	}
	if out.auto.State == trace.Yes {
		out.any |= 1 << autoNode
	}
	nodes := estate.Nodes.In(e)
	live = live || slices.ContainsFunc(nodes, func(n *estate.Resource[corev1.Node]) bool { return n.Origin.Cluster != "" })
	if !live && len(all) == 0 && out.auto.State == trace.Unclear {
		// Files that show nodes and no plugin at all leave the plugin out: a
		// cluster without one has no node that is ready.
		nodes = nil
	}
	for _, n := range nodes {
		out.nodes[n.Object.Name] = out.onNode(&n.Object)
	}
	switch {
	case len(nodes) > 0:
		out.cluster = out.everyNode(nodes, all)
	case len(out.on) > 0:
		out.cluster = out.everywhere()
	case out.auto.State == trace.Yes && len(all) == 0:
		out.cluster = out.auto
	case len(all) > 0:
		out.cluster = Enforcement{State: trace.No, Why: all[0].off, Place: all[0].place, Nowhere: true}
	case out.auto.State == trace.No && len(estate.Clusters.In(e)) == 1 && live:
		out.cluster = out.auto
	case live && out.auto.State == trace.Unclear:
		out.cluster = Enforcement{State: trace.No, Why: nothing, Nowhere: true}
	case addonEnforces(e):
		out.cluster, out.any = Enforcement{State: trace.Yes}, out.any|1<<vpcCNI
	default:
		out.cluster = Enforcement{Why: "manifests do not show which network plugin runs; read the cluster live (--kube), or its add-ons (--aws)"}
	}
	return out
}

const nothing = "nothing enforces network policies: no VPC CNI with the feature on, no Calico, no Cilium"

// everywhere says whether a plugin stands on every node, where the nodes are not
// known.
func (e *enforcement) everywhere() Enforcement {
	for _, p := range e.on {
		if elsewhere(p.spec()) == "" {
			return Enforcement{State: trace.Yes}
		}
	}
	first := e.on[0]
	return Enforcement{Why: "DaemonSet " + first.workload.Name + " is limited to some nodes (" + elsewhere(first.spec()) + "), and the nodes are not known; read them live (--kube)"}
}

// addonEnforces reports whether the VPC CNI is told to enforce policies by its
// add-on. Without workloads of the cluster its word is all there is.
func addonEnforces(e *estate.Estate) bool {
	return slices.ContainsFunc(estate.Addons.In(e), func(a *estate.Addon) bool {
		return a.AddonName == "vpc-cni" && a.EnableNetworkPolicy.Or(false)
	})
}

// setting returns what a variable of the VPC CNI is set to, "" if it is not.
func setting(w *estate.Workload, name string) string {
	for _, f := range w.Facts {
		if f.Name == name && f.Setting != "" {
			return f.Setting
		}
	}
	return ""
}

// pluginOf recognises a plugin by its images, not by its name alone.
func pluginOf(w *estate.Workload) (plugin, bool) {
	if w.Controller != "DaemonSet" || platform.Expected(w) == "" {
		return plugin{}, false
	}
	p := plugin{workload: w}
	switch w.Name {
	case "calico-node":
		p.agent = calicoAgent
		return p, true
	case "cilium":
		p.agent = ciliumAgent
		return p, true
	case "aws-node":
	default:
		return plugin{}, false
	}
	p.place = trace.Place{Subject: estate.Workloads.Ref(w), Origin: &w.Origin, Field: w.TemplateField("spec.containers")}
	p.off = "the VPC CNI has no agent for network policies: every NetworkPolicy is paper"
	for _, c := range w.Template.Spec.Containers {
		if c.Name == "aws-eks-nodeagent" {
			p.off = "the agent of the VPC CNI is not told --enable-network-policy=true: every NetworkPolicy is paper"
		}
	}
	for _, f := range w.Facts {
		if f.Container != "aws-eks-nodeagent" || f.NetworkPolicy == "" {
			continue
		}
		p.off, p.place.Field = "", f.Field
		if f.NetworkPolicy != "true" {
			p.off = "the VPC CNI is told not to enforce network policies: every NetworkPolicy is paper"
		}
	}
	return p, true
}

// autoMode says whether the nodes of EKS Auto Mode enforce policies: the feature
// is built in, and a ConfigMap turns its controller on.
func autoMode(e *estate.Estate) Enforcement {
	var named estate.Ref
	on := false
	for _, c := range estate.Clusters.In(e) {
		if c.ComputeConfig.Enabled.Or(false) {
			named = estate.Clusters.Ref(c)
		}
	}
	at := trace.Place{}
	for _, c := range estate.ConfigMaps.In(e) {
		if c.Namespace != "kube-system" || c.Name != "amazon-vpc-cni" {
			continue
		}
		for _, f := range c.Facts {
			if f.Name == "enable-network-policy-controller" && f.NetworkPolicy != "" {
				on, at = f.NetworkPolicy == "true", trace.Place{Subject: estate.ConfigMaps.Ref(c), Origin: &c.Origin, Field: f.Field}
			}
		}
	}
	switch {
	case named.IsZero():
		return Enforcement{}
	case on:
		return Enforcement{State: trace.Yes}
	}
	return Enforcement{
		State: trace.No, Place: at, Nowhere: true,
		Why: "EKS Auto Mode enforces network policies only with enable-network-policy-controller: \"true\" in ConfigMap kube-system/amazon-vpc-cni",
	}
}

const computeType = "eks.amazonaws.com/compute-type"

// onNode returns what enforces policies on a node.
func (e *enforcement) onNode(n *corev1.Node) agents {
	var out agents
	if n.Labels[computeType] == "auto" && e.auto.State == trace.Yes {
		out |= 1 << autoNode
	}
	for _, p := range e.on {
		if standsOn(p.spec(), n) {
			out |= 1 << p.agent
		}
	}
	return out
}

// everyNode holds each node to a plugin that stands on it.
func (e *enforcement) everyNode(nodes []*estate.Resource[corev1.Node], all []plugin) Enforcement {
	if len(e.on) == 0 && len(all) > 0 {
		return Enforcement{State: trace.No, Why: all[0].off, Place: all[0].place, Nowhere: true}
	}
	var bare []string
	builtIn := 0
	for _, n := range nodes {
		if n.Object.Labels[computeType] == "auto" {
			builtIn++
		}
		if e.nodes[n.Object.Name] == 0 {
			bare = append(bare, n.Object.Name)
		}
	}
	slices.Sort(bare)
	switch {
	case len(bare) == 0:
		return Enforcement{State: trace.Yes}
	case builtIn == len(nodes) && e.auto.State == trace.No:
		return e.auto
	case len(e.on) == 0:
		return Enforcement{State: trace.No, Why: nothing, Nowhere: len(bare) == len(nodes)}
	}
	first := e.on[0].workload
	return Enforcement{
		State: trace.No, Why: "DaemonSet " + first.Name + " does not run on " + list(bare) + ": no network policy holds there", Nowhere: len(bare) == len(nodes),
		Place: trace.Place{Subject: estate.Workloads.Ref(first), Origin: &first.Origin, Field: first.TemplateField("spec")},
	}
}

// usual are the labels by which DaemonSets of every node keep to the nodes that
// they can run on.
var usual = []string{"kubernetes.io/os", "kubernetes.io/arch", computeType, "beta.kubernetes.io/os"}

// elsewhere returns a label that limits a DaemonSet to some nodes, "" without.
func elsewhere(s *corev1.PodSpec) string {
	for _, k := range slices.Sorted(maps.Keys(s.NodeSelector)) {
		if !slices.Contains(usual, k) {
			return k
		}
	}
	for _, t := range required(s) {
		for _, e := range t.MatchExpressions {
			if !slices.Contains(usual, e.Key) {
				return e.Key
			}
		}
	}
	return ""
}

func required(s *corev1.PodSpec) []corev1.NodeSelectorTerm {
	if s.Affinity == nil || s.Affinity.NodeAffinity == nil || s.Affinity.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution == nil {
		return nil
	}
	return s.Affinity.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution.NodeSelectorTerms
}

// standsOn reports whether a DaemonSet puts a pod on the node. It never does on
// Fargate.
func standsOn(s *corev1.PodSpec, n *corev1.Node) bool {
	have := labels.Set(n.Labels)
	if have[computeType] == "fargate" || fargateNode(n.Name) || have["kubernetes.io/os"] == "windows" {
		return false
	}
	for k, v := range s.NodeSelector {
		if have[k] != v {
			return false
		}
	}
	terms := required(s)
	return len(terms) == 0 || slices.ContainsFunc(terms, func(t corev1.NodeSelectorTerm) bool {
		return !slices.ContainsFunc(t.MatchExpressions, func(e corev1.NodeSelectorRequirement) bool { return !meets(e, have) })
	})
}

func fargateNode(node string) bool { return strings.HasPrefix(node, "fargate-") }

func meets(e corev1.NodeSelectorRequirement, have labels.Set) bool {
	operator := map[corev1.NodeSelectorOperator]selection.Operator{
		corev1.NodeSelectorOpIn: selection.In, corev1.NodeSelectorOpNotIn: selection.NotIn,
		corev1.NodeSelectorOpExists: selection.Exists, corev1.NodeSelectorOpDoesNotExist: selection.DoesNotExist,
		corev1.NodeSelectorOpGt: selection.GreaterThan, corev1.NodeSelectorOpLt: selection.LessThan,
	}[e.Operator]
	r, err := labels.NewRequirement(e.Key, operator, e.Values)
	return err == nil && r.Matches(have)
}
