package pod

import (
	"fmt"
	"slices"
	"strings"
	"sync"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/policy"

	"github.com/eksafe/eksafe/internal/control"
	"github.com/eksafe/eksafe/internal/estate"
	"github.com/eksafe/eksafe/internal/platform"
)

// Whether a pod meets the Pod Security Standards is decided by the code that
// Kubernetes decides with. It names pods and containers, but no fields: where a
// check is missed is found by asking it again about parts of the pod.

// A check is one check of the standards, which can be asked alone.
type check struct {
	id    policy.CheckID
	level api.Level
	ask   func(*metav1.ObjectMeta, *corev1.PodSpec) policy.CheckResult
}

// checks are those of the newest version of the standards.
var checks = sync.OnceValue(func() map[policy.CheckID]check {
	out := map[policy.CheckID]check{}
	for _, c := range policy.DefaultChecks() {
		evaluator, err := policy.NewEvaluator([]policy.Check{c}, nil)
		if err != nil {
			panic("pod: " + err.Error())
		}
		at := api.LevelVersion{Level: c.Level, Version: api.LatestVersion()}
		out[c.ID] = check{c.ID, c.Level, func(meta *metav1.ObjectMeta, spec *corev1.PodSpec) policy.CheckResult {
			for _, r := range evaluator.EvaluatePod(at, meta, spec) {
				return r
			}
			return policy.CheckResult{Allowed: true}
		}}
	}
	return out
})

// of lists the checks of a level.
func of(level api.Level) []check {
	var out []check
	for _, c := range checks() {
		if c.level == level {
			out = append(out, c)
		}
	}
	slices.SortFunc(out, func(a, b check) int { return strings.Compare(string(a.id), string(b.id)) })
	return out
}

// A miss is one check that a pod misses at one field of its template.
type miss struct {
	field   string // "spec.containers[0].securityContext.privileged"
	message string
}

func missOf(field string, r policy.CheckResult) miss {
	message := r.ForbiddenReason
	if r.ForbiddenDetail != "" {
		message += ": " + r.ForbiddenDetail
	}
	return miss{field, message}
}

// shadows are the baseline checks that report the cause of a miss of the
// restricted level already.
var shadows = map[policy.CheckID]policy.CheckID{
	"restrictedVolumes":         "hostPathVolumes",
	"seccompProfile_restricted": "seccompProfile_baseline",
	"procMount_restricted":      "procMount",
	"allowPrivilegeEscalation":  "privileged", // a privileged container cannot do without
}

// misses returns what the template misses of a check, and where.
func misses(c check, meta *metav1.ObjectMeta, spec *corev1.PodSpec) []miss {
	if c.ask(meta, spec).Allowed {
		return nil
	}
	shadowed := func(meta *metav1.ObjectMeta, part *corev1.PodSpec) bool {
		shadow, ok := checks()[shadows[c.id]]
		return ok && !shadow.ask(meta, part).Allowed
	}
	var out []miss
	add := func(field string, meta *metav1.ObjectMeta, part *corev1.PodSpec) {
		if r := c.ask(meta, part); !r.Allowed && !shadowed(meta, part) {
			out = append(out, missOf(field, r))
		}
	}
	for field, part := range podParts(c.id, spec) {
		add(field, &metav1.ObjectMeta{}, part)
	}
	for field, part := range annotationParts(c.id, meta) {
		add(field, part, &corev1.PodSpec{})
	}
	var rest []corev1.Container
	alone := neutral(spec)
	alone.Containers = make([]corev1.Container, 1)
	eachContainer(spec, func(path string, one *corev1.Container) {
		alone.Containers[0] = *one
		if c.ask(&metav1.ObjectMeta{}, alone).Allowed {
			rest = append(rest, *one)
			return
		}
		for field, part := range containerParts(c.id, spec, alone, path, one) {
			add(field, &metav1.ObjectMeta{}, part)
		}
	})
	// What no container sets and the pod does not either is missing once.
	if field, ok := podField[c.id]; ok && len(rest) > 0 {
		pod := without(spec)
		if c.ask(&metav1.ObjectMeta{}, pod).Allowed {
			pod.Containers = rest
			add(field, &metav1.ObjectMeta{}, pod)
		}
	}
	return out
}

// podField is where a check can be met for all containers at once.
var podField = map[policy.CheckID]string{
	"runAsNonRoot":              "spec.securityContext.runAsNonRoot",
	"seccompProfile_restricted": "spec.securityContext.seccompProfile",
}

// neutral returns a pod like spec that meets every check and has no containers.
func neutral(spec *corev1.PodSpec) *corev1.PodSpec {
	yes := true
	return &corev1.PodSpec{
		OS:        spec.OS,
		HostUsers: spec.HostUsers,
		SecurityContext: &corev1.PodSecurityContext{
			RunAsNonRoot:   &yes,
			SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
		},
	}
}

// without returns spec without its containers.
func without(spec *corev1.PodSpec) *corev1.PodSpec {
	out := *spec
	out.Containers, out.InitContainers, out.EphemeralContainers = nil, nil, nil
	return &out
}

// A part is a piece of a pod that one field makes miss a check.
type parts func(yield func(field string, part *corev1.PodSpec) bool)

// podParts yields the fields of the pod itself that may miss the check, each
// with a pod that has nothing else.
func podParts(id policy.CheckID, spec *corev1.PodSpec) parts {
	return func(yield func(string, *corev1.PodSpec) bool) {
		base := func() *corev1.PodSpec { return &corev1.PodSpec{OS: spec.OS, HostUsers: spec.HostUsers} }
		context := spec.SecurityContext
		switch id {
		case "hostNamespaces":
			for _, n := range []struct {
				field string
				on    bool
				set   func(*corev1.PodSpec)
			}{
				{"spec.hostNetwork", spec.HostNetwork, func(s *corev1.PodSpec) { s.HostNetwork = true }},
				{"spec.hostPID", spec.HostPID, func(s *corev1.PodSpec) { s.HostPID = true }},
				{"spec.hostIPC", spec.HostIPC, func(s *corev1.PodSpec) { s.HostIPC = true }},
			} {
				if n.on {
					part := base()
					n.set(part)
					if !yield(n.field, part) {
						return
					}
				}
			}
		case "hostPathVolumes", "restrictedVolumes":
			for i := range spec.Volumes {
				part := base()
				part.Volumes = spec.Volumes[i : i+1]
				if !yield(fmt.Sprintf("spec.volumes[%d]", i), part) {
					return
				}
			}
		case "sysctls":
			if context == nil {
				return
			}
			for i := range context.Sysctls {
				part := base()
				part.SecurityContext = &corev1.PodSecurityContext{Sysctls: context.Sysctls[i : i+1]}
				if !yield(fmt.Sprintf("spec.securityContext.sysctls[%d]", i), part) {
					return
				}
			}
		default:
			if field, ok := contextField[id]; ok && context != nil {
				part := base()
				part.SecurityContext = context
				yield("spec.securityContext."+field, part)
			}
		}
	}
}

// contextField is the field of a security context that a check looks at.
var contextField = map[policy.CheckID]string{
	"allowPrivilegeEscalation":  "allowPrivilegeEscalation",
	"appArmorProfile":           "appArmorProfile.type",
	"capabilities_baseline":     "capabilities.add",
	"privileged":                "privileged",
	"procMount":                 "procMount",
	"procMount_restricted":      "procMount",
	"runAsNonRoot":              "runAsNonRoot",
	"runAsUser":                 "runAsUser",
	"seLinuxOptions":            "seLinuxOptions",
	"seccompProfile_baseline":   "seccompProfile.type",
	"seccompProfile_restricted": "seccompProfile.type",
	"windowsHostProcess":        "windowsOptions.hostProcess",
}

// annotationParts yields the annotations by which AppArmor profiles were set
// before there was a field.
func annotationParts(id policy.CheckID, meta *metav1.ObjectMeta) func(func(string, *metav1.ObjectMeta) bool) {
	return func(yield func(string, *metav1.ObjectMeta) bool) {
		if id != "appArmorProfile" {
			return
		}
		var names []string
		for name := range meta.Annotations {
			names = append(names, name)
		}
		slices.Sort(names)
		for _, name := range names {
			part := &metav1.ObjectMeta{Annotations: map[string]string{name: meta.Annotations[name]}}
			if !yield("metadata.annotations["+name+"]", part) {
				return
			}
		}
	}
}

// eachContainer calls yield for every container and its path.
func eachContainer(spec *corev1.PodSpec, yield func(path string, c *corev1.Container)) {
	for i := range spec.InitContainers {
		yield(fmt.Sprintf("spec.initContainers[%d]", i), &spec.InitContainers[i])
	}
	for i := range spec.Containers {
		yield(fmt.Sprintf("spec.containers[%d]", i), &spec.Containers[i])
	}
	for i := range spec.EphemeralContainers {
		// Both types have the same fields.
		c := corev1.Container(spec.EphemeralContainers[i].EphemeralContainerCommon)
		yield(fmt.Sprintf("spec.ephemeralContainers[%d]", i), &c)
	}
}

// containerParts yields the fields of a container that may miss the check,
// each with a pod that has nothing else: part, whose one container they replace.
func containerParts(id policy.CheckID, spec, part *corev1.PodSpec, path string, c *corev1.Container) parts {
	return func(yield func(string, *corev1.PodSpec) bool) {
		with := func(change func(*corev1.Container)) *corev1.PodSpec {
			// Shallow: a change replaces what it changes.
			part.Containers[0] = *c
			change(&part.Containers[0])
			return part
		}
		switch id {
		case "hostPorts":
			for i, p := range c.Ports {
				// On the host's network the API server fills the field in.
				if spec.HostNetwork && p.HostPort == p.ContainerPort {
					continue
				}
				part := with(func(one *corev1.Container) { one.Ports = c.Ports[i : i+1] })
				if !yield(fmt.Sprintf("%s.ports[%d].hostPort", path, i), part) {
					return
				}
			}
		case "capabilities_restricted":
			dropped := with(func(one *corev1.Container) {
				if one.SecurityContext != nil && one.SecurityContext.Capabilities != nil {
					one.SecurityContext = &corev1.SecurityContext{
						Capabilities: &corev1.Capabilities{Drop: one.SecurityContext.Capabilities.Drop},
					}
				}
			})
			if !yield(path+".securityContext.capabilities.drop", dropped) {
				return
			}
			yield(path+".securityContext.capabilities.add", with(func(one *corev1.Container) {
				allowed := baselineCapabilities(one)
				one.SecurityContext = &corev1.SecurityContext{
					Capabilities: &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}, Add: allowed},
				}
			}))
		case "hostProbesAndHostLifecycle":
			for _, f := range []struct {
				field string
				keep  func(to *corev1.Container)
			}{
				{"livenessProbe", func(to *corev1.Container) { to.LivenessProbe = c.LivenessProbe }},
				{"readinessProbe", func(to *corev1.Container) { to.ReadinessProbe = c.ReadinessProbe }},
				{"startupProbe", func(to *corev1.Container) { to.StartupProbe = c.StartupProbe }},
				{"lifecycle", func(to *corev1.Container) { to.Lifecycle = c.Lifecycle }},
			} {
				part := with(func(one *corev1.Container) {
					one.LivenessProbe, one.ReadinessProbe, one.StartupProbe, one.Lifecycle = nil, nil, nil, nil
					f.keep(one)
				})
				if !yield(path+"."+f.field, part) {
					return
				}
			}
		default:
			field := path
			if f, ok := contextField[id]; ok {
				field += ".securityContext." + f
			}
			yield(field, with(func(*corev1.Container) {}))
		}
	}
}

// baselineCapabilities returns the capabilities that the container adds and
// the baseline level allows: pod-baseline reports the others.
func baselineCapabilities(c *corev1.Container) []corev1.Capability {
	var out []corev1.Capability
	if c.SecurityContext == nil || c.SecurityContext.Capabilities == nil {
		return nil
	}
	baseline := checks()["capabilities_baseline"]
	for _, capability := range c.SecurityContext.Capabilities.Add {
		one := corev1.Container{Name: c.Name, SecurityContext: &corev1.SecurityContext{
			Capabilities: &corev1.Capabilities{Add: []corev1.Capability{capability}},
		}}
		if baseline.ask(&metav1.ObjectMeta{}, &corev1.PodSpec{Containers: []corev1.Container{one}}).Allowed {
			out = append(out, capability)
		}
	}
	return out
}

// judgeLevel reports what a workload misses of a level of the standards.
func judgeLevel(level api.Level) func(*control.Subject, *estate.Workload) {
	checks := sync.OnceValue(func() []check { return of(level) })
	return func(s *control.Subject, w *estate.Workload) {
		var found []miss
		for _, c := range checks() {
			found = append(found, misses(c, &w.Template.ObjectMeta, &w.Template.Spec)...)
		}
		if len(found) == 0 {
			return
		}
		if why := platform.Expected(w); why != "" {
			s.Expected(why)
			return
		}
		for _, m := range found {
			s.Failf(w.TemplateField(m.field), "%s", m.message)
		}
	}
}
