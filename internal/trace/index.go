package trace

import (
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/eksafe/eksafe/internal/estate"
)

type service = estate.Resource[corev1.Service]

// A name is a namespace and a name.
type name struct{ namespace, name string }

type label struct{ namespace, key, value string }

// An index finds the resources that others name, each in constant time, so
// that tracing stays linear in the size of the estate.
type index struct {
	estate     *estate.Estate
	services   map[name]*service
	selected   map[*service][]*estate.Workload
	servicesOf map[*estate.Workload][]*service
	byPodIP    map[string]*estate.Workload
	configMaps map[name]*estate.ConfigMap
	namespaces map[string]*estate.Resource[corev1.Namespace]
}

func newIndex(e *estate.Estate) *index {
	x := &index{
		estate:     e,
		services:   map[name]*service{},
		selected:   map[*service][]*estate.Workload{},
		servicesOf: map[*estate.Workload][]*service{},
		byPodIP:    map[string]*estate.Workload{},
		configMaps: map[name]*estate.ConfigMap{},
		namespaces: map[string]*estate.Resource[corev1.Namespace]{},
	}
	// Of the labels of pods Services mention few.
	mentioned := map[string]bool{}
	for _, s := range estate.Services.In(e) {
		for k := range s.Object.Spec.Selector {
			mentioned[k] = true
		}
	}
	byLabel := map[label][]*estate.Workload{}
	for _, w := range estate.Workloads.In(e) {
		for k, v := range w.Template.Labels {
			if mentioned[k] {
				l := label{w.Namespace, k, v}
				byLabel[l] = append(byLabel[l], w)
			}
		}
		for _, p := range w.Pods {
			if p.PodIP != "" {
				x.byPodIP[p.PodIP] = w
			}
		}
	}
	for _, ns := range estate.Namespaces.In(e) {
		x.namespaces[ns.Object.Name] = ns
	}
	for _, c := range estate.ConfigMaps.In(e) {
		x.configMaps[name{c.Namespace, c.Name}] = c
	}
	for _, s := range estate.Services.In(e) {
		x.services[name{s.Object.Namespace, s.Object.Name}] = s
		ws := selectedBy(byLabel, s.Object.Namespace, s.Object.Spec.Selector)
		x.selected[s] = ws
		for _, w := range ws {
			x.servicesOf[w] = append(x.servicesOf[w], s)
		}
	}
	return x
}

// selectedBy returns the workloads of a namespace that carry all the labels.
// An empty selector selects nothing, as a Service's does.
func selectedBy(byLabel map[label][]*estate.Workload, namespace string, selector map[string]string) []*estate.Workload {
	if len(selector) == 0 {
		return nil
	}
	var fewest []*estate.Workload
	first := true
	for k, v := range selector {
		if ws := byLabel[label{namespace, k, v}]; first || len(ws) < len(fewest) {
			fewest, first = ws, false
		}
	}
	var out []*estate.Workload
	for _, w := range fewest {
		if hasLabels(w.Template.Labels, selector) {
			out = append(out, w)
		}
	}
	return out
}

func hasLabels(have, want map[string]string) bool {
	for k, v := range want {
		if got, ok := have[k]; !ok || got != v {
			return false
		}
	}
	return true
}

// matches reports whether a label selector selects the labels. A selector that
// cannot be read selects nothing, and ok is false.
func matches(s *metav1.LabelSelector, have map[string]string) (selected, ok bool) {
	sel, err := metav1.LabelSelectorAsSelector(s)
	if err != nil {
		return false, false
	}
	return sel.Matches(labels.Set(have)), true
}

// servicePort returns the port of a Service by number or name.
func servicePort(s *service, port intstr.IntOrString) (corev1.ServicePort, bool) {
	for _, p := range s.Object.Spec.Ports {
		if port.Type == intstr.Int && p.Port == port.IntVal || port.Type == intstr.String && p.Name == port.StrVal {
			return p, true
		}
	}
	return corev1.ServicePort{}, false
}

// podPort returns the port of w's pods that a port of a Service leads to, 0 if
// it names a port that w does not have.
func podPort(p corev1.ServicePort, w *estate.Workload) int32 {
	switch {
	case p.TargetPort.Type == intstr.String && p.TargetPort.StrVal != "":
		return namedPort(w, p.TargetPort.StrVal)
	case p.TargetPort.IntVal != 0:
		return p.TargetPort.IntVal
	}
	return p.Port
}

func namedPort(w *estate.Workload, name string) int32 {
	for _, c := range allContainers(w) {
		for _, p := range c.Ports {
			if p.Name == name {
				return p.ContainerPort
			}
		}
	}
	return 0
}

// allContainers returns the containers that run side by side: the containers
// and the init containers that restart always, Kubernetes' native sidecars.
func allContainers(w *estate.Workload) []corev1.Container {
	out := w.Template.Spec.Containers
	for _, c := range w.Template.Spec.InitContainers {
		if c.RestartPolicy != nil && *c.RestartPolicy == corev1.ContainerRestartPolicyAlways {
			out = append(slices.Clip(out), c)
		}
	}
	return out
}

// containerField returns the path of a container within the manifest of w.
func containerField(w *estate.Workload, container string) string {
	for i, c := range w.Template.Spec.Containers {
		if c.Name == container {
			return w.TemplateField("spec.containers[" + itoa(i) + "]")
		}
	}
	for i, c := range w.Template.Spec.InitContainers {
		if c.Name == container {
			return w.TemplateField("spec.initContainers[" + itoa(i) + "]")
		}
	}
	return w.TemplateField("spec.containers")
}

// serviceOfHost returns the Service that a host names when a pod of namespace
// asks for it: name, name.ns, name.ns.svc, name.ns.svc.cluster.local.
func (x *index) serviceOfHost(host, namespace string) (*service, bool) {
	host = strings.TrimSuffix(strings.ToLower(host), ".")
	parts := strings.Split(host, ".")
	n := name{namespace, parts[0]}
	switch {
	case len(parts) == 1:
	case len(parts) == 2,
		len(parts) >= 3 && parts[2] == "svc":
		n.namespace = parts[1]
	default:
		return nil, false
	}
	s, ok := x.services[n]
	return s, ok
}

// workloadPlace returns the place of a field of w.
func workloadPlace(w *estate.Workload, field string) Place {
	return Place{Subject: estate.Workloads.Ref(w), Origin: &w.Origin, Field: field}
}

// placeOf returns the place of a field of a resource.
func placeOf[T any](c estate.Collection[T], item T, field string) Place {
	return Place{Subject: c.Ref(item), Origin: c.Origin(item), Field: field}
}

// nameIn returns the name that an annotation gives, "" where it cannot be one:
// objects of which the values were not kept do not belong together.
func nameIn(value string) string {
	if value == estate.InvalidAnnotation {
		return ""
	}
	return value
}

func annotation(key string) string { return "metadata.annotations[" + key + "]" }
