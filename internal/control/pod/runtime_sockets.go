package pod

import (
	"fmt"
	"path"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/eksafe/eksafe/internal/control"
	"github.com/eksafe/eksafe/internal/estate"
)

var runtimeSockets = &control.Control{
	ID:        "runtime-sockets",
	Title:     "No workload reaches its node's container runtime or devices",
	Severity:  control.Critical,
	Refs:      []control.Ref{control.PSS("baseline", "HostPath Volumes"), control.NSA("Kubernetes Pod security"), control.ATTACK("T1611")},
	Serves:    []string{"S19"},
	Since:     "0.1.0",
	Admission: runtimeSocketsAdmission,
	Check:     control.Each(estate.Workloads, judgeSockets),
}

// sockets are where container runtimes and the kubelet listen. Whoever speaks
// to one starts what it likes on the node.
var sockets = []string{
	"/run/containerd/containerd.sock", "/run/docker.sock", "/run/crio/crio.sock", "/run/cri-dockerd.sock", "/run/dockershim.sock",
	"/run/podman/podman.sock", "/run/docker/containerd/containerd.sock",
}

// powers are folders of the node that are power in themselves, with all that
// lies in them.
var powers = []struct{ path, what string }{
	{"/dev", "devices of the node: its disks, its memory"},
	{"/proc", "the processes of the node, and the kernel's settings"},
	{"/var/lib/kubelet", "the kubelet's files, with the secrets and tokens of every pod on the node"},
	{"/var/lib/containerd", "the runtime's files: the root file system of every container on the node"},
	{"/var/lib/docker", "the runtime's files: the root file system of every container on the node"},
}

func judgeSockets(s *control.Subject, w *estate.Workload) {
	spec := &w.Template.Spec
	if onWindows(spec) {
		s.NotApplicable()
		return
	}
	var found []miss
	for i := range spec.Volumes {
		h := spec.Volumes[i].HostPath
		if h == nil {
			continue
		}
		if what := reaches(h); what != "" {
			found = append(found, miss{fmt.Sprintf("spec.volumes[%d].hostPath.path", i), "volume " + spec.Volumes[i].Name + " holds " + what})
		}
	}
	report(s, w, found)
}

// reaches returns what of the node a host path opens, "" for nothing that this
// control forbids.
func reaches(h *corev1.HostPathVolumeSource) string {
	at := hostPath(h.Path)
	if i := slices.IndexFunc(sockets, func(socket string) bool { return within(socket, at) }); i >= 0 {
		return "the socket of the container runtime, " + sockets[i]
	}
	if h.Type != nil && (*h.Type == corev1.HostPathCharDev || *h.Type == corev1.HostPathBlockDev) {
		return "a device of the node"
	}
	for _, p := range powers {
		if within(at, p.path) || within(p.path, at) {
			return p.what
		}
	}
	return ""
}

// hostPath returns the path that is meant: /var/run is a link to /run.
func hostPath(p string) string {
	p = path.Clean("/" + p)
	if rest, ok := strings.CutPrefix(p, "/var/run"); ok && (rest == "" || rest[0] == '/') {
		return "/run" + rest
	}
	return p
}

// within reports whether p is folder or lies in it.
func within(p, folder string) bool {
	return p == folder || folder == "/" || strings.HasPrefix(p, folder+"/")
}
