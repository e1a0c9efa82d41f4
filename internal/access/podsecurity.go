package access

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/pod-security-admission/api"

	"github.com/eksafe/eksafe/internal/estate"
)

// A place is what is known of a namespace.
type place struct {
	read     int    // 0 where the Namespace was not read
	security Answer // whether pods are kept off their node
	accounts []int32
	running  []int32         // service accounts of its workloads, each once
	mounted  []string        // Secrets of its workloads
	maps     []string        // ConfigMaps
	escapes  Answer          // whether a pod of a workload is on its node
	kinds    map[string]bool // controllers that stand in it
}

// podSecurity says whether Pod Security Admission keeps the pods of the
// namespace off their node: the standards baseline and restricted do.
func podSecurity(n *estate.Resource[corev1.Namespace]) Answer {
	policy, errs := api.PolicyToEvaluate(n.Object.Labels, api.Policy{Enforce: api.LevelVersion{Level: api.LevelPrivileged, Version: api.LatestVersion()}})
	switch {
	case len(errs) > 0 && policy.Enforce.Level != api.LevelPrivileged:
		return Unclear
	case policy.Enforce.Level == api.LevelPrivileged:
		return No
	}
	return Yes
}

// escapes says whether whoever works in a pod of the template works on its
// node: a privileged container does, one with a folder or the processes of the
// node may.
func escapes(spec *corev1.PodSpec) Answer {
	out := No
	if spec.HostPID || slices.ContainsFunc(spec.Volumes, func(v corev1.Volume) bool { return v.HostPath != nil }) {
		out = Unclear
	}
	for _, c := range slices.Concat(spec.InitContainers, spec.Containers) {
		if s := c.SecurityContext; s != nil {
			if s.Privileged != nil && *s.Privileged {
				return Yes
			}
			if s.Capabilities != nil && slices.ContainsFunc(s.Capabilities.Add, func(c corev1.Capability) bool { return c == "ALL" || c == "SYS_ADMIN" }) {
				out = Unclear
			}
		}
	}
	return out
}
