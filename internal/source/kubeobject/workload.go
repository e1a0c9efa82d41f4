package kubeobject

import (
	"cmp"
	"regexp"
	"slices"
	"strings"
	"sync"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/eksafe/eksafe/internal/estate"
)

// member is a workload that waits for Finish, because its controller may be
// read after it.
type member struct {
	workload *estate.Workload
	pod      *estate.Pod // of a Pod that runs
}

func (in *input) workload(m metav1.ObjectMeta, replicas *int32, selector *metav1.LabelSelector, template corev1.PodTemplateSpec) (*Object, error) {
	w := &estate.Workload{
		Origin:     in.origin,
		Controller: in.kind,
		ObjectMeta: m,
		Replicas:   replicas,
		Selector:   selector,
		Template:   template,
	}
	if err := in.identify(&w.ObjectMeta); err != nil {
		return nil, err
	}
	w.Facts = workloadFacts(&w.Template.Spec, w.TemplateField("spec"))
	reduceMeta(&w.Template.ObjectMeta)
	reducePodSpec(&w.Template.Spec)
	return &Object{workload: &member{workload: w}}, nil
}

func decodeDeployment(in *input) (*Object, error) {
	var o appsv1.Deployment
	if err := in.unmarshal(&o, whole); err != nil {
		return nil, err
	}
	return in.workload(o.ObjectMeta, o.Spec.Replicas, o.Spec.Selector, o.Spec.Template)
}

func decodeStatefulSet(in *input) (*Object, error) {
	var o appsv1.StatefulSet
	if err := in.unmarshal(&o, whole); err != nil {
		return nil, err
	}
	obj, err := in.workload(o.ObjectMeta, o.Spec.Replicas, o.Spec.Selector, o.Spec.Template)
	if err != nil {
		return nil, err
	}
	for i := range o.Spec.VolumeClaimTemplates {
		reduceMeta(&o.Spec.VolumeClaimTemplates[i].ObjectMeta)
		reducePersistentVolumeClaim(&o.Spec.VolumeClaimTemplates[i])
	}
	obj.workload.workload.VolumeClaims = o.Spec.VolumeClaimTemplates
	return obj, nil
}

func decodeDaemonSet(in *input) (*Object, error) {
	var o appsv1.DaemonSet
	if err := in.unmarshal(&o, whole); err != nil {
		return nil, err
	}
	return in.workload(o.ObjectMeta, nil, o.Spec.Selector, o.Spec.Template)
}

func decodeReplicaSet(in *input) (*Object, error) {
	var o appsv1.ReplicaSet
	if err := in.unmarshal(&o, whole); err != nil {
		return nil, err
	}
	return in.workload(o.ObjectMeta, o.Spec.Replicas, o.Spec.Selector, o.Spec.Template)
}

func decodeReplicationController(in *input) (*Object, error) {
	var o corev1.ReplicationController
	if err := in.unmarshal(&o, whole); err != nil {
		return nil, err
	}
	var selector *metav1.LabelSelector
	if o.Spec.Selector != nil {
		selector = &metav1.LabelSelector{MatchLabels: o.Spec.Selector}
	}
	var template corev1.PodTemplateSpec
	if o.Spec.Template != nil {
		template = *o.Spec.Template
	}
	return in.workload(o.ObjectMeta, o.Spec.Replicas, selector, template)
}

func decodeJob(in *input) (*Object, error) {
	var o batchv1.Job
	if err := in.unmarshal(&o, whole); err != nil {
		return nil, err
	}
	obj, err := in.workload(o.ObjectMeta, o.Spec.Parallelism, o.Spec.Selector, o.Spec.Template)
	if err != nil {
		return nil, err
	}
	obj.workload.workload.Finished = slices.ContainsFunc(o.Status.Conditions, func(c batchv1.JobCondition) bool {
		return (c.Type == batchv1.JobComplete || c.Type == batchv1.JobFailed) && c.Status == corev1.ConditionTrue
	})
	return obj, nil
}

func decodeCronJob(in *input) (*Object, error) {
	var o batchv1.CronJob
	if err := in.unmarshal(&o, whole); err != nil {
		return nil, err
	}
	job := o.Spec.JobTemplate.Spec
	return in.workload(o.ObjectMeta, job.Parallelism, job.Selector, job.Template)
}

func decodePodTemplate(in *input) (*Object, error) {
	var o corev1.PodTemplate
	if err := in.unmarshal(&o, whole); err != nil {
		return nil, err
	}
	return in.workload(o.ObjectMeta, nil, nil, o.Template)
}

func decodePod(in *input) (*Object, error) {
	var o corev1.Pod
	if err := in.unmarshal(&o, whole); err != nil {
		return nil, err
	}
	obj, err := in.workload(o.ObjectMeta, nil, nil, corev1.PodTemplateSpec{
		ObjectMeta: metav1.ObjectMeta{Labels: o.Labels, Annotations: o.Annotations},
		Spec:       o.Spec,
	})
	if err != nil {
		return nil, err
	}
	// A pod of a file does not run yet, and the address of one that has ended
	// may be another's by now.
	if o.Status.Phase == corev1.PodSucceeded || o.Status.Phase == corev1.PodFailed {
		obj.workload.workload.Finished = true
	} else if o.Status.PodIP != "" || o.Spec.NodeName != "" {
		obj.workload.pod = &estate.Pod{
			Name:       obj.workload.workload.Name,
			PodIP:      o.Status.PodIP,
			PodIPs:     podIPs(&o.Status),
			HostIP:     o.Status.HostIP,
			NodeName:   o.Spec.NodeName,
			Containers: runningContainers(&o.Spec),
			Digests:    runningDigests(&o.Status),
		}
	}
	return obj, nil
}

// podIPs returns the addresses of a pod that has more than PodIP.
func podIPs(s *corev1.PodStatus) []string {
	if len(s.PodIPs) == 0 || len(s.PodIPs) == 1 && s.PodIPs[0].IP == s.PodIP {
		return nil
	}
	out := make([]string, len(s.PodIPs))
	for i, ip := range s.PodIPs {
		out[i] = ip.IP
	}
	return out
}

// ownLabels returns the labels of a pod if they differ from those of the
// template that it was made of, else nil. Controllers mark every pod with the
// hash of its template, which no policy selects by.
func ownLabels(pod, template map[string]string) map[string]string {
	if holds(pod, template) && holds(template, pod) {
		return nil
	}
	out := make(map[string]string, len(pod))
	for k, v := range pod {
		if !revisionLabel(k) {
			out[k] = v
		}
	}
	return out
}

// holds reports whether a has every label of b, hashes aside.
func holds(a, b map[string]string) bool {
	for k, v := range b {
		if got, ok := a[k]; (!ok || got != v) && !revisionLabel(k) {
			return false
		}
	}
	return true
}

func revisionLabel(key string) bool {
	switch key {
	case "pod-template-hash", "controller-revision-hash", "pod-template-generation":
		return true
	}
	return false
}

// runningContainers returns the names of the containers that run beside each
// other: init containers that restart always are sidecars.
func runningContainers(s *corev1.PodSpec) []string {
	var out []string
	for _, c := range s.InitContainers {
		if c.RestartPolicy != nil && *c.RestartPolicy == corev1.ContainerRestartPolicyAlways {
			out = append(out, c.Name)
		}
	}
	for _, c := range s.Containers {
		out = append(out, c.Name)
	}
	return out
}

// runningDigests returns the digests of the images that run, by container. A
// runtime that names an image by an ID of its own gives none.
func runningDigests(s *corev1.PodStatus) map[string]string {
	var out map[string]string
	for _, c := range slices.Concat(s.InitContainerStatuses, s.ContainerStatuses) {
		_, digest, ok := strings.Cut(c.ImageID, "@")
		if !ok || !digestRE().MatchString(digest) {
			continue
		}
		if out == nil {
			out = map[string]string{}
		}
		out[c.Name] = digest
	}
	return out
}

var digestRE = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^sha256:[0-9a-f]{64}$`) })

// reducePodSpec drops the values that may be secrets.
func reducePodSpec(s *corev1.PodSpec) {
	for i := range s.Containers {
		reduceContainer(&s.Containers[i])
	}
	for i := range s.InitContainers {
		reduceContainer(&s.InitContainers[i])
	}
	for i := range s.EphemeralContainers {
		// Both types have the same fields.
		c := corev1.Container(s.EphemeralContainers[i].EphemeralContainerCommon)
		reduceContainer(&c)
		s.EphemeralContainers[i].EphemeralContainerCommon = corev1.EphemeralContainerCommon(c)
	}
	reduceWindows(nil, s.SecurityContext)
	for i := range s.Volumes {
		v := &s.Volumes[i].VolumeSource
		if v.CSI != nil {
			v.CSI.VolumeAttributes = reduceAttributes(v.CSI.VolumeAttributes)
		}
		if v.FlexVolume != nil {
			v.FlexVolume.Options = nil
		}
		if v.GitRepo != nil {
			v.GitRepo.Repository = bareURL(v.GitRepo.Repository)
		}
		if v.Ephemeral != nil && v.Ephemeral.VolumeClaimTemplate != nil {
			reduceMeta(&v.Ephemeral.VolumeClaimTemplate.ObjectMeta)
		}
	}
}

func reduceContainer(c *corev1.Container) {
	for i := range c.Env {
		c.Env[i].Value = ""
		if !plain(c.Env[i].Name) { // "NAME=value" as a name
			c.Env[i].Name = redacted
		}
	}
	c.Args, c.Command = nil, nil
	for _, p := range []*corev1.Probe{c.LivenessProbe, c.ReadinessProbe, c.StartupProbe} {
		if p == nil {
			continue
		}
		if p.Exec != nil {
			p.Exec.Command = nil
		}
		reduceHTTPGet(p.HTTPGet)
	}
	if c.Lifecycle != nil {
		for _, h := range []*corev1.LifecycleHandler{c.Lifecycle.PostStart, c.Lifecycle.PreStop} {
			if h == nil {
				continue
			}
			if h.Exec != nil {
				h.Exec.Command = nil
			}
			reduceHTTPGet(h.HTTPGet)
		}
	}
	reduceWindows(c.SecurityContext, nil)
}

func reduceHTTPGet(g *corev1.HTTPGetAction) {
	if g == nil {
		return
	}
	for i := range g.HTTPHeaders {
		g.HTTPHeaders[i].Value = ""
	}
	// A health endpoint may be guarded by a token in its query.
	for i := range len(g.Path) {
		if g.Path[i] == '?' {
			g.Path = g.Path[:i]
			break
		}
	}
}

// reduceWindows drops inline credential specifications; that a container is a
// host process stays.
func reduceWindows(c *corev1.SecurityContext, p *corev1.PodSecurityContext) {
	var w *corev1.WindowsSecurityContextOptions
	if c != nil {
		w = c.WindowsOptions
	}
	if p != nil {
		w = p.WindowsOptions
	}
	if w != nil {
		w.GMSACredentialSpec = nil
	}
}

// Finish adds the workloads to e. Pods, ReplicaSets and Jobs whose controller
// was read are folded into it; whatever has no controller that was read stays
// a workload of its own. It takes time in proportion to the workloads.
func (d *Decoder) Finish(e *estate.Estate) {
	index := map[types.UID]*member{}
	for _, m := range d.workloads {
		if m.workload.UID != "" {
			index[m.workload.UID] = m
		}
	}
	workloads := make([]*estate.Workload, 0, len(d.workloads))
	grown := map[*estate.Workload]bool{}
	for _, m := range d.workloads {
		root := controllerOf(index, m)
		if m.pod != nil {
			if root != m {
				m.pod.Labels = ownLabels(m.workload.Labels, root.workload.Template.Labels)
			}
			root.workload.Pods = append(root.workload.Pods, *m.pod)
			grown[root.workload] = true
		}
		if root == m {
			workloads = append(workloads, m.workload)
		}
	}
	for w := range grown {
		slices.SortFunc(w.Pods, func(a, b estate.Pod) int {
			return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.PodIP, b.PodIP))
		})
	}
	if len(workloads) > 0 {
		estate.Workloads.Add(e, workloads...)
	}
	d.workloads = nil
}

// controllerOf follows the owners of m as far as they were read. Owners are
// found by UID alone, which only an API server gives: otherwise a pod in a pull
// request could hide behind any controller whose name it writes down.
func controllerOf(index map[types.UID]*member, m *member) *member {
	for {
		w := m.workload
		owner := metav1.GetControllerOfNoCopy(w)
		if owner == nil || !folds(w.Controller, owner.Kind) {
			return m
		}
		next := index[owner.UID]
		if next == nil || next.workload.Controller != owner.Kind ||
			next.workload.Name != owner.Name || next.workload.Namespace != w.Namespace {
			return m
		}
		// A chain ends: what folds makes no circle.
		m = next
	}
}

// folds reports whether a workload of one kind is made by a controller of
// another. Only these chains exist, so that no object can hide itself by
// naming an owner that would never have made it.
func folds(child, owner string) bool {
	switch child {
	case "Pod":
		switch owner {
		case "ReplicaSet", "StatefulSet", "DaemonSet", "Job", "ReplicationController":
			return true
		}
	case "ReplicaSet":
		return owner == "Deployment"
	case "Job":
		return owner == "CronJob"
	}
	return false
}

// discarded takes the place of a value that must not be read.
type discarded struct{}

// UnmarshalJSON reads nothing.
func (*discarded) UnmarshalJSON([]byte) error { return nil }

func decodeSecret(in *input) (*Object, error) {
	var o struct {
		metav1.TypeMeta   `json:",inline"`
		metav1.ObjectMeta `json:"metadata,omitempty"`
		Immutable         *bool             `json:"immutable,omitempty"`
		Data              discarded         `json:"data,omitempty"`
		StringData        discarded         `json:"stringData,omitempty"`
		Type              corev1.SecretType `json:"type,omitempty"`
	}
	if err := in.unmarshal(&o, whole); err != nil {
		return nil, err
	}
	r := &estate.Resource[corev1.Secret]{Origin: in.origin, Object: corev1.Secret{
		ObjectMeta: o.ObjectMeta, Immutable: o.Immutable, Type: o.Type,
	}}
	in.stamp(&r.Object)
	if err := in.identify(&r.Object.ObjectMeta); err != nil {
		return nil, err
	}
	return &Object{add: func(e *estate.Estate) { estate.Secrets.Add(e, r) }}, nil
}

func decodeConfigMap(in *input) (*Object, error) {
	var o corev1.ConfigMap
	if err := in.unmarshal(&o, whole); err != nil {
		return nil, err
	}
	c := &estate.ConfigMap{Origin: in.origin, ObjectMeta: o.ObjectMeta}
	if err := in.identify(&c.ObjectMeta); err != nil {
		return nil, err
	}
	for k := range o.Data {
		c.Keys = append(c.Keys, k)
	}
	for k := range o.BinaryData {
		c.Keys = append(c.Keys, k)
	}
	slices.Sort(c.Keys)
	c.Keys = slices.Compact(c.Keys)
	c.Facts = configMapFacts(o.Data)
	if c.Namespace == "kube-system" && c.Name == "aws-auth" {
		c.AWSAuth = awsAuth(o.Data)
	}
	return &Object{add: func(e *estate.Estate) { estate.ConfigMaps.Add(e, c) }}, nil
}
