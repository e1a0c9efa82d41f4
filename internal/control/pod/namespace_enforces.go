package pod

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/pod-security-admission/api"

	"github.com/eksafe/eksafe/internal/control"
	"github.com/eksafe/eksafe/internal/estate"
	"github.com/eksafe/eksafe/internal/trace"
)

var namespaceEnforces = &control.Control{
	ID:        "namespace-enforces",
	Title:     "Every namespace enforces a Pod Security Standard",
	Severity:  control.High,
	Refs:      []control.Ref{control.PSS("baseline", ""), control.PSS("restricted", ""), control.CISEKS("4.2.1")},
	Serves:    []string{"S19", "S29"},
	Since:     "0.1.0",
	Admission: namespaceEnforcesAdmission,
	Check: control.Traced(namespaces, func(n namespace) trace.Place { return n.place }, judgeNamespace,
		estate.Namespaces.Kind).
		Helped(estate.Workloads.Kind),
}

// A namespace is one that was read, or one that only workloads name.
type namespace struct {
	place  trace.Place
	object *corev1.Namespace
}

func namespaces(g *trace.Graph) []namespace {
	var out []namespace
	read := map[string]bool{}
	for _, n := range estate.Namespaces.In(g.Estate) {
		read[n.Object.Name] = true
		out = append(out, namespace{
			place:  trace.Place{Subject: estate.Namespaces.Ref(n), Origin: &n.Origin},
			object: &n.Object,
		})
	}
	var named []string
	for _, w := range estate.Workloads.In(g.Estate) {
		if !read[w.Namespace] {
			read[w.Namespace] = true
			named = append(named, w.Namespace)
		}
	}
	slices.Sort(named)
	for _, name := range named {
		out = append(out, namespace{place: trace.Place{Subject: estate.NamedRef(estate.Namespaces.Kind, "namespace", "", name)}})
	}
	return out
}

// platformNamespaces hold agents that work on the nodes; who may make pods
// there is the node's administrator anyway.
var platformNamespaces = map[string]string{
	"kube-system":       "EKS runs its node agents there",
	"kube-node-lease":   "nothing runs there",
	"kube-public":       "nothing runs there",
	"calico-system":     "Calico's node agents run there",
	"tigera-operator":   "Calico's operator runs there, on the host's network",
	"amazon-guardduty":  "GuardDuty's node agent runs there",
	"amazon-cloudwatch": "the CloudWatch agent reads the nodes there",
}

func judgeNamespace(s *control.Subject, n namespace) {
	name := s.Ref().Name
	if n.object == nil {
		if _, ours := platformNamespaces[name]; !ours {
			s.Unknownf("the labels of namespace %s are not known: workloads name it, but it was not read (add its manifest, or --kube)", name)
		} else {
			s.NotApplicable()
		}
		return
	}
	level, set := n.object.Labels[api.EnforceLevelLabel]
	parsed, err := api.ParseLevel(level)
	if set && err == nil && parsed != api.LevelPrivileged {
		return
	}
	if why, ours := platformNamespaces[name]; ours {
		s.Expected(why)
		return
	}
	field := "metadata.labels[" + api.EnforceLevelLabel + "]"
	switch {
	case set && err != nil:
		s.Failf(field, "%q is no level; use baseline or restricted", level)
	case set:
		s.Failf(field, "the level privileged admits every pod")
	case n.object.Labels[api.WarnLevelLabel] != "" || n.object.Labels[api.AuditLevelLabel] != "":
		s.Failf(field, "it warns of unsafe pods, and admits them")
	default:
		s.Failf(field, "it admits every pod")
	}
}
