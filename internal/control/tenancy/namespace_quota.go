package tenancy

import (
	"slices"

	corev1 "k8s.io/api/core/v1"

	"github.com/eksafe/eksafe/internal/control"
	"github.com/eksafe/eksafe/internal/estate"
)

var namespaceQuota = &control.Control{
	ID:       "namespace-quota",
	Title:    "Every namespace has a ResourceQuota and a LimitRange",
	Severity: control.Low,
	Refs:     []control.Ref{control.NSA("Network separation and hardening"), control.CISEKS("4.5.1")},
	Serves:   []string{"S29"},
	Since:    "0.1.0",
	Check:    namespaces(judgeQuota, estate.ResourceQuotas.Kind, estate.LimitRanges.Kind),
}

type (
	quota  = estate.Resource[corev1.ResourceQuota]
	limits = estate.Resource[corev1.LimitRange]
)

// compute are the entries of a quota that bound what pods take of the nodes.
var compute = []corev1.ResourceName{
	corev1.ResourceCPU, corev1.ResourceMemory, corev1.ResourcePods,
	corev1.ResourceRequestsCPU, corev1.ResourceRequestsMemory, corev1.ResourceLimitsCPU, corev1.ResourceLimitsMemory,
}

func judgeQuota(s *control.Subject, n *namespace) {
	if len(n.workloads) == 0 {
		s.NotApplicable()
		return
	}
	switch {
	case slices.ContainsFunc(n.quotas, bounds):
	case !s.Read(estate.ResourceQuotas.Kind):
		s.Unknownf("the ResourceQuotas of namespace %s were not read (add their manifests, or --kube)", n.name)
	case len(n.quotas) > 0:
		s.Failf("", "its ResourceQuota bounds neither pods nor what they take")
	default:
		s.Failf("", "no ResourceQuota bounds what its pods take of the nodes")
	}
	switch {
	case slices.ContainsFunc(n.limits, limitsContainers):
	case !s.Read(estate.LimitRanges.Kind):
		s.Unknownf("the LimitRanges of namespace %s were not read (add their manifests, or --kube)", n.name)
	default:
		s.Failf("", "no LimitRange bounds the memory of one container")
	}
}

// bounds reports whether the quota holds for every pod and bounds what they
// take: one with scopes holds for some.
func bounds(q *quota) bool {
	if len(q.Object.Spec.Scopes) > 0 || q.Object.Spec.ScopeSelector != nil {
		return false
	}
	return slices.ContainsFunc(compute, func(name corev1.ResourceName) bool {
		_, ok := q.Object.Spec.Hard[name]
		return ok
	})
}

func limitsContainers(l *limits) bool {
	return slices.ContainsFunc(l.Object.Spec.Limits, func(i corev1.LimitRangeItem) bool {
		_, most := i.Max[corev1.ResourceMemory]
		_, given := i.Default[corev1.ResourceMemory]
		return i.Type == corev1.LimitTypeContainer && (most || given)
	})
}
