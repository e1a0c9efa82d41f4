package network

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/selection"

	"github.com/eksafe/eksafe/internal/control"
	"github.com/eksafe/eksafe/internal/estate"
	"github.com/eksafe/eksafe/internal/platform"
	"github.com/eksafe/eksafe/internal/trace"
)

var policyEnforced = &control.Control{
	ID:       "policy-enforced",
	Title:    "Something enforces network policies on every node",
	Severity: control.Critical,
	Refs:     []control.Ref{control.CISEKS("5.4.4"), control.AWS("eks-network-policy"), control.NSA("Network separation and hardening")},
	Serves:   []string{"S14"},
	Since:    "0.1.0",
	Check: control.Whole(clusterPlace, judgeEnforced, estate.Workloads.Kind, estate.ConfigMaps.Kind).
		Helped(estate.Clusters.Kind, estate.Addons.Kind, estate.Nodes.Kind),
}

// clusterPlace stands for the cluster: AWS's where there is one, else its name.
func clusterPlace(e *estate.Estate) (trace.Place, bool) {
	if clusters := estate.Clusters.In(e); len(clusters) == 1 {
		return trace.Place{Subject: estate.Clusters.Ref(clusters[0]), Origin: &clusters[0].Origin}, true
	}
	workloads := estate.Workloads.In(e)
	if len(workloads) == 0 {
		return trace.Place{}, false
	}
	name := "cluster"
	for _, w := range workloads {
		name = cmp.Or(w.Origin.Cluster, name)
	}
	return trace.Place{Subject: estate.NamedRef(estate.Clusters.Kind, "cluster", "", name)}, true
}

// enforcement says whether something enforces network policies.
type enforcement struct {
	state trace.Ternary
	why   string
	at    trace.Place // of what turns it off, where something does
}

func judgeEnforced(s *control.Subject) {
	p := fabricOf(s.Graph()).plugin
	switch p.state {
	case trace.No:
		s.FailAt(p.at, "%s", p.why)
	case trace.Unclear:
		s.Unknownf("%s", p.why)
	}
}

// A plugin is a DaemonSet that enforces policies.
type plugin struct {
	workload *estate.Workload
	off      string // why it does not
	at       trace.Place
}

// enforcer looks for what enforces NetworkPolicy.
func enforcer(e *estate.Estate) enforcement {
	var plugins []plugin
	live := false
	for _, w := range estate.Workloads.In(e) {
		live = live || w.Origin.Cluster != ""
		if p, ok := pluginOf(w); ok {
			plugins = append(plugins, p)
		}
	}
	slices.SortFunc(plugins, func(a, b plugin) int {
		return estate.Workloads.Ref(a.workload).Compare(estate.Workloads.Ref(b.workload))
	})
	auto := autoMode(e)
	on := slices.DeleteFunc(slices.Clone(plugins), func(p plugin) bool { return p.off != "" })
	if nodes := estate.Nodes.In(e); len(nodes) > 0 {
		return everyNode(nodes, on, plugins, auto)
	}
	switch {
	case len(on) > 0:
		for _, p := range on {
			if elsewhere(&p.workload.Template.Spec) == "" {
				return enforcement{state: trace.Yes}
			}
		}
		return enforcement{why: "DaemonSet " + on[0].workload.Name + " is limited to some nodes (" + elsewhere(&on[0].workload.Template.Spec) + "), and the nodes are not known; read them live (--kube)"}
	case auto.state == trace.Yes && len(plugins) == 0:
		return auto
	case len(plugins) > 0:
		return enforcement{state: trace.No, why: plugins[0].off, at: plugins[0].at}
	case auto.state == trace.No && len(estate.Clusters.In(e)) == 1 && live:
		return auto
	case live && auto.state == trace.Unclear:
		return enforcement{state: trace.No, why: "nothing enforces network policies: no VPC CNI with the feature on, no Calico, no Cilium"}
	case addonEnforces(e):
		return enforcement{state: trace.Yes}
	}
	return enforcement{why: "manifests do not show which network plugin runs; read the cluster live (--kube), or its add-ons (--aws)"}
}

// addonEnforces reports whether the VPC CNI is told to enforce policies by its
// add-on. Without workloads of the cluster its word is all there is.
func addonEnforces(e *estate.Estate) bool {
	return slices.ContainsFunc(estate.Addons.In(e), func(a *estate.Addon) bool {
		return a.AddonName == "vpc-cni" && a.EnableNetworkPolicy.Or(false)
	})
}

// pluginOf recognises a plugin by its images, not by its name alone.
func pluginOf(w *estate.Workload) (plugin, bool) {
	if w.Controller != "DaemonSet" || platform.Expected(w) == "" {
		return plugin{}, false
	}
	p := plugin{workload: w}
	switch w.Name {
	case "calico-node", "cilium":
		return p, true
	case "aws-node":
	default:
		return plugin{}, false
	}
	p.at = trace.Place{Subject: estate.Workloads.Ref(w), Origin: &w.Origin, Field: w.TemplateField("spec.containers")}
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
		p.off, p.at.Field = "", f.Field
		if f.NetworkPolicy != "true" {
			p.off = "the VPC CNI is told not to enforce network policies: every NetworkPolicy is paper"
		}
	}
	return p, true
}

// autoMode says whether the nodes of EKS Auto Mode enforce policies: the feature
// is built in, and a ConfigMap turns its controller on.
func autoMode(e *estate.Estate) enforcement {
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
		return enforcement{}
	case on:
		return enforcement{state: trace.Yes}
	}
	return enforcement{state: trace.No, at: at, why: "EKS Auto Mode enforces network policies only with enable-network-policy-controller: \"true\" in ConfigMap kube-system/amazon-vpc-cni"}
}

const computeType = "eks.amazonaws.com/compute-type"

// everyNode holds each node to a plugin that stands on it.
func everyNode(nodes []*estate.Resource[corev1.Node], on, all []plugin, auto enforcement) enforcement {
	if len(on) == 0 && len(all) > 0 {
		return enforcement{state: trace.No, why: all[0].off, at: all[0].at}
	}
	var bare []string
	builtIn := 0
	for _, n := range nodes {
		if n.Object.Labels[computeType] == "auto" {
			builtIn++
			if auto.state == trace.Yes {
				continue
			}
		}
		if !slices.ContainsFunc(on, func(p plugin) bool { return standsOn(&p.workload.Template.Spec, &n.Object) }) {
			bare = append(bare, n.Object.Name)
		}
	}
	switch {
	case len(bare) == 0:
		return enforcement{state: trace.Yes}
	case builtIn == len(nodes) && auto.state == trace.No:
		return auto
	case len(on) == 0:
		return enforcement{state: trace.No, why: "nothing enforces network policies: no VPC CNI with the feature on, no Calico, no Cilium"}
	}
	return enforcement{
		state: trace.No, why: "DaemonSet " + on[0].workload.Name + " does not run on " + list(bare) + ": no network policy holds there",
		at: trace.Place{Subject: estate.Workloads.Ref(on[0].workload), Origin: &on[0].workload.Origin, Field: on[0].workload.TemplateField("spec")},
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
	if have[computeType] == "fargate" || strings.HasPrefix(n.Name, "fargate-") || have["kubernetes.io/os"] == "windows" {
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

func meets(e corev1.NodeSelectorRequirement, have labels.Set) bool {
	operator := map[corev1.NodeSelectorOperator]selection.Operator{
		corev1.NodeSelectorOpIn: selection.In, corev1.NodeSelectorOpNotIn: selection.NotIn,
		corev1.NodeSelectorOpExists: selection.Exists, corev1.NodeSelectorOpDoesNotExist: selection.DoesNotExist,
		corev1.NodeSelectorOpGt: selection.GreaterThan, corev1.NodeSelectorOpLt: selection.LessThan,
	}[e.Operator]
	r, err := labels.NewRequirement(e.Key, operator, e.Values)
	return err == nil && r.Matches(have)
}
