package detection

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/eksafe/eksafe/internal/control"
	"github.com/eksafe/eksafe/internal/estate"
	"github.com/eksafe/eksafe/internal/platform"
	"github.com/eksafe/eksafe/internal/trace"
)

var appLogs = &control.Control{
	ID:       "app-logs",
	Title:    "The logs of containers leave the cluster",
	Severity: control.Medium,
	Refs:     []control.Ref{control.AWS("eks-fargate-logging"), control.AWS("eks-container-insights-logs"), control.NSA("Audit Logging and Threat Detection")},
	Serves:   []string{"S38"},
	Since:    "0.1.0",
	Check: control.Traced(clustersWithLogs, func(c logged) trace.Place { return c.place }, judgeAppLogs,
		estate.Workloads.Kind, estate.Clusters.Kind).
		Helped(estate.Addons.Kind, estate.ConfigMaps.Kind, estate.Nodes.Kind),
}

// shippers are the repositories of images that read the logs of containers and
// send them away; a mirror keeps the last parts of the name. Looked up in the
// charts and manifests of the projects on 2026-11-25.
var shippers = []string{
	"fluent-bit", "aws-for-fluent-bit", "fluentd", "fluentd-kubernetes-daemonset", "cloudwatch-agent",
	"aws-otel-collector", "opentelemetry-collector-contrib", "promtail", "filebeat",
	"timberio/vector", "grafana/alloy",
}

const observabilityAddon = "amazon-cloudwatch-observability"

// A logged cluster is one whose workloads, or whose description in AWS, were
// read.
type logged struct {
	place   trace.Place
	cluster *estate.Cluster // nil where AWS was not read
	context string          // of its workloads; "" for manifests
	live    bool            // its workloads are all there
}

func clustersWithLogs(g *trace.Graph) []logged {
	clusters := estate.Clusters.In(g.Estate)
	contexts := map[string]bool{}
	for _, w := range estate.Workloads.In(g.Estate) {
		contexts[w.Origin.Cluster] = true
	}
	// Where some workloads could not be read, what ships the logs may be among them.
	live := g.Estate.Coverage(estate.Workloads.Kind).State == estate.Read &&
		slices.ContainsFunc(g.Estate.Sources, func(s estate.Source) bool { return s.Kind == estate.KubernetesSource })
	var out []logged
	joined := map[*estate.Cluster]bool{}
	for _, context := range slices.Sorted(maps.Keys(contexts)) {
		l := logged{context: context, live: live && context != ""}
		for _, c := range clusters {
			if c.Arn == context || estate.ShortName(context) == c.Name || len(clusters) == 1 && len(contexts) == 1 {
				l.cluster = c
			}
		}
		if l.cluster != nil {
			joined[l.cluster] = true
		}
		out = append(out, l)
	}
	for _, c := range clusters {
		if !joined[c] {
			out = append(out, logged{cluster: c, context: "\x00" + c.Name})
		}
	}
	for i, l := range out {
		if l.cluster != nil {
			out[i].place = trace.Place{Subject: estate.Clusters.Ref(l.cluster), Origin: &l.cluster.Origin}
			continue
		}
		name := cmp.Or(estate.ShortName(l.context), "cluster")
		out[i].place = trace.Place{Subject: estate.NamedRef(estate.Clusters.Kind, "cluster", "", name)}
	}
	return out
}

func judgeAppLogs(s *control.Subject, l logged) {
	var daemons, unsure []*estate.Workload
	sidecars, without := 0, 0
	for _, w := range control.All(s, estate.Workloads) {
		if w.Origin.Cluster != l.context {
			continue
		}
		ships := slices.ContainsFunc(w.Template.Spec.Containers, func(c corev1.Container) bool { return isShipper(c.Image) })
		switch {
		case w.Controller == "DaemonSet" && ships && readsNodeLogs(w):
			daemons = append(daemons, w)
		case w.Controller == "DaemonSet" && ships:
			unsure = append(unsure, w)
		case platform.Namespace(w.Namespace):
		case ships:
			sidecars++
		default:
			without++
		}
	}
	switch {
	case len(daemons) > 0:
		judgeEveryNode(s, l, daemons)
	case !l.live && hasAddon(s, l):
	case sidecars > 0 && without == 0:
	case len(unsure) > 0:
		s.Unknownf("DaemonSet %s/%s can ship logs and mounts none of its node: whether it asks the API server for them is not known", unsure[0].Namespace, unsure[0].Name)
	case !l.live:
		s.Unknownf("nothing that was read ships the logs of containers, and it may be installed elsewhere; read the cluster live (--kube)")
	case sidecars > 0:
		s.Failf("", "the logs of %d workloads stay on their nodes: no DaemonSet ships them, and only %d workloads have a sidecar", without, sidecars)
	case serverless(s, l) && fargateLogs(s, l):
	case hasAddon(s, l):
		s.Failf("", "the add-on %s is installed, and no DaemonSet of it ships logs", observabilityAddon)
	default:
		s.Failf("", "the logs of containers stay on the nodes: nothing ships them")
	}
}

// hasAddon reports whether the cluster has the add-on that ships the logs of
// its nodes.
func hasAddon(s *control.Subject, l logged) bool {
	return l.cluster != nil && slices.ContainsFunc(control.All(s, estate.Addons), func(a *estate.Addon) bool {
		return a.AddonName == observabilityAddon && (a.ClusterName == l.cluster.Name || a.ClusterName == l.cluster.Arn)
	})
}

// isShipper reports whether an image is of a log shipper.
func isShipper(image string) bool {
	repository, _, _ := strings.Cut(image, "@")
	if i := strings.LastIndexByte(repository, ':'); i > strings.LastIndexByte(repository, '/') {
		repository = repository[:i]
	}
	return slices.ContainsFunc(shippers, func(name string) bool {
		return repository == name || strings.HasSuffix(repository, "/"+name)
	})
}

// readsNodeLogs reports whether a workload mounts the logs of its node: an
// agent for figures alone does not.
func readsNodeLogs(w *estate.Workload) bool {
	return slices.ContainsFunc(w.Template.Spec.Volumes, func(v corev1.Volume) bool {
		if v.HostPath == nil {
			return false
		}
		path := strings.TrimRight(v.HostPath.Path, "/")
		return path == "" || path == "/var" || path == "/var/log" || strings.HasPrefix(path, "/var/log/containers") || strings.HasPrefix(path, "/var/log/pods")
	})
}

func isFargate(n *corev1.Node) bool { return n.Labels["eks.amazonaws.com/compute-type"] == "fargate" }

// serverless reports whether every node of the cluster is Fargate's.
func serverless(s *control.Subject, l logged) bool {
	found := false
	for _, n := range control.All(s, estate.Nodes) {
		if n.Origin.Cluster == l.context {
			if !isFargate(&n.Object) {
				return false
			}
			found = true
		}
	}
	return found
}

// fargateLogs reports whether the log router of Fargate is configured: there a
// ConfigMap takes the place of a DaemonSet.
func fargateLogs(s *control.Subject, l logged) bool {
	for _, c := range control.All(s, estate.ConfigMaps) {
		if c.Origin.Cluster == l.context && c.Namespace == "aws-observability" && c.Name == "aws-logging" {
			return true
		}
	}
	return false
}

// judgeEveryNode reports the nodes that no shipper runs on.
func judgeEveryNode(s *control.Subject, l logged, daemons []*estate.Workload) {
	var bare []string
	fargate := false
	for _, n := range control.All(s, estate.Nodes) {
		switch {
		case n.Origin.Cluster != l.context:
		case isFargate(&n.Object):
			fargate = true
		case !slices.ContainsFunc(daemons, func(w *estate.Workload) bool { return runsOn(w, &n.Object) }):
			bare = append(bare, n.Object.Name)
		}
	}
	if len(bare) > 0 {
		slices.Sort(bare)
		w := daemons[0]
		at := trace.Place{Subject: estate.Workloads.Ref(w), Origin: &w.Origin, Field: w.TemplateField("spec")}
		s.FailAt(at, "DaemonSet %s does not run on %d nodes, such as %s: their taints or labels keep it away", w.Name, len(bare), bare[0])
	}
	if fargate && !fargateLogs(s, l) {
		s.Failf("", "the logs of pods on Fargate are lost: there is no ConfigMap aws-observability/aws-logging")
	}
}

// runsOn reports whether the scheduler puts a pod of a DaemonSet on a node. The
// terms of a node affinity are not weighed: they count as met.
func runsOn(w *estate.Workload, n *corev1.Node) bool {
	spec := &w.Template.Spec
	for key, value := range spec.NodeSelector {
		if n.Labels[key] != value {
			return false
		}
	}
	for i := range n.Spec.Taints {
		taint := &n.Spec.Taints[i]
		// Taints that come and go with the state of a node every DaemonSet
		// tolerates.
		if taint.Effect == corev1.TaintEffectPreferNoSchedule || strings.HasPrefix(taint.Key, "node.kubernetes.io/") {
			continue
		}
		if !slices.ContainsFunc(spec.Tolerations, func(t corev1.Toleration) bool { return tolerates(t, taint) }) {
			return false
		}
	}
	return true
}

func tolerates(t corev1.Toleration, taint *corev1.Taint) bool {
	switch {
	case t.Effect != "" && t.Effect != taint.Effect:
		return false
	case t.Key == "":
		return t.Operator == corev1.TolerationOpExists
	case t.Key != taint.Key:
		return false
	}
	return t.Operator == corev1.TolerationOpExists || t.Value == taint.Value
}
