package estate

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Workloads are the pod templates, whatever owns them. A pod that belongs to
// a controller which was read too is not a workload of its own; it counts in
// the controller's Pods.
var Workloads = Collection[*Workload]{
	Kind: "Workload",
	ref: func(w *Workload) Ref {
		return NamedRef("Workload", w.Controller, w.Namespace, w.Name)
	},
	origin: func(w *Workload) *Origin { return &w.Origin },
}

// A Workload is a pod template. Its containers are reduced: values of
// environment variables, commands, arguments and the commands of probes are
// gone, and what could be learned from them stands in Facts.
type Workload struct {
	Origin            Origin `json:"origin"`
	Controller        string `json:"controller"` // "Deployment", "StatefulSet", "CronJob", "Pod" …
	metav1.ObjectMeta `json:"metadata"`
	Replicas          *int32                 `json:"replicas,omitempty"`
	Selector          *metav1.LabelSelector  `json:"selector,omitempty"`
	Template          corev1.PodTemplateSpec `json:"template"`
	// VolumeClaims are a StatefulSet's claim templates.
	VolumeClaims []corev1.PersistentVolumeClaim `json:"volumeClaims,omitempty"`
	Facts        []Fact                         `json:"facts,omitempty"`
	// Pods are those that run. A pod of a file, and one that has ended, is none.
	Pods []Pod `json:"pods,omitempty"`
	// Finished is true of a Pod or Job that has ended: it sends and receives
	// nothing.
	Finished bool `json:"finished,omitempty"`
}

// A Pod is a running pod of a workload, as far as paths need it.
type Pod struct {
	Name     string `json:"name"`
	PodIP    string `json:"podIP,omitempty"`
	NodeName string `json:"nodeName,omitempty"`
	// PodIPs are all addresses, PodIP included, if there are several: one an IP
	// family. Addresses returns them in any case.
	PodIPs []string `json:"podIPs,omitempty"`
	HostIP string   `json:"hostIP,omitempty"`
	// Labels are all labels of the pod where they differ from those of the
	// workload's template, else nil: a label changed by hand takes a pod out of a
	// policy. The hashes by which controllers know their revisions do not count
	// and are left out.
	Labels map[string]string `json:"labels,omitzero"`
	// Containers are the names of the containers that run, injected sidecars
	// included.
	Containers []string `json:"containers,omitempty"`
	// Digests are those of the images that run, by container: "sha256:…".
	Digests map[string]string `json:"digests,omitempty"`
}

// Addresses returns the addresses of the pod.
func (p *Pod) Addresses() []string {
	if len(p.PodIPs) == 0 && p.PodIP != "" {
		return []string{p.PodIP}
	}
	return p.PodIPs
}

// LabelsOf returns the labels of one of the workload's pods.
func (w *Workload) LabelsOf(p *Pod) map[string]string {
	if p.Labels != nil {
		return p.Labels
	}
	return w.Template.Labels
}

// TemplateField returns the path of a field of the pod template within the
// manifest of the workload: TemplateField("spec.hostNetwork") is
// "spec.template.spec.hostNetwork" for a Deployment, "spec.hostNetwork" for a
// Pod.
func (w *Workload) TemplateField(field string) string {
	switch w.Controller {
	case "Pod":
		return field
	case "CronJob":
		return "spec.jobTemplate.spec.template." + field
	case "PodTemplate":
		return "template." + field
	default:
		return "spec.template." + field
	}
}

// ConfigMaps hold facts about their data, never the data.
var ConfigMaps = Collection[*ConfigMap]{
	Kind:   "ConfigMap",
	ref:    func(c *ConfigMap) Ref { return KubernetesRef("ConfigMap", &c.ObjectMeta) },
	origin: func(c *ConfigMap) *Origin { return &c.Origin },
}

// A ConfigMap is the names of its keys and what their values say.
type ConfigMap struct {
	Origin            Origin `json:"origin"`
	metav1.ObjectMeta `json:"metadata"`
	Keys              []string `json:"keys,omitempty"`
	Facts             []Fact   `json:"facts,omitempty"`
	// AWSAuth is what kube-system/aws-auth maps; nil in every other ConfigMap.
	AWSAuth *AWSAuth `json:"awsAuth,omitempty"`
}

// AWSAuth is whom the ConfigMap aws-auth lets into the cluster, and as whom.
type AWSAuth struct {
	Roles    []AWSAuthEntry `json:"roles,omitempty"`
	Users    []AWSAuthEntry `json:"users,omitempty"`
	Accounts []string       `json:"accounts,omitempty"` // every principal of these, under its ARN
	// Unreadable is true where a part could not be read: more may be let in
	// than stands here.
	Unreadable bool `json:"unreadable,omitempty"`
}

// AWSAuthEntry lets one IAM principal in.
type AWSAuthEntry struct {
	Arn      string   `json:"arn"`
	Username string   `json:"username,omitempty"`
	Groups   []string `json:"groups,omitempty"`
}

// A Fact is what one value of an environment variable, an argument, or a
// ConfigMap says about connections. Sources make facts, so that the value
// itself, which may hold a password, never enters the model. One value may
// give several facts.
type Fact struct {
	Field     string `json:"field"`               // "spec.template.spec.containers[0].env[2].value", "data[nginx.conf]"
	Container string `json:"container,omitempty"` // name; empty in a ConfigMap
	Name      string `json:"name"`                // of the variable, flag or key: "DB_HOST", "--ssl-mode", "nginx.conf"

	// A peer that the container connects to. Host is a DNS name or an IP
	// address without user, password, path or query. Port 0 is the scheme's.
	Scheme string `json:"scheme,omitempty"` // "https", "postgres", "jdbc:mysql", "redis" … in lower case
	Host   string `json:"host,omitempty"`
	Port   int32  `json:"port,omitempty"`

	// TLSMode is the client's mode in the client's own word: an sslmode
	// ("verify-full"), an ssl-mode ("VERIFY_IDENTITY"), or "true"/"false" of
	// a switch. Only words of a known list are kept.
	TLSMode string `json:"tlsMode,omitempty"`
	CAFile  string `json:"caFile,omitempty"` // path of the CA bundle that the client trusts

	// AWSKey is true where the value is a static AWS access key.
	AWSKey bool `json:"awsKey,omitempty"`

	// CertificatePEM is true where the value holds PEM certificates and no
	// private key: a CA bundle.
	CertificatePEM bool `json:"certificatePEM,omitempty"`

	// Server is a listener that a proxy's configuration (nginx, envoy,
	// haproxy) declares.
	Server *Server `json:"server,omitempty"`

	// ServesTLS names the file or flag with which an application is told to
	// serve TLS ("--tls-cert-file", "SERVER_SSL_ENABLED"); empty without one.
	ServesTLS string `json:"servesTLS,omitempty"`

	// NetworkPolicy is "true" or "false" where the VPC CNI is told whether to
	// enforce network policies: the agent's --enable-network-policy, and the key
	// enable-network-policy-controller of the ConfigMap amazon-vpc-cni.
	NetworkPolicy string `json:"networkPolicy,omitempty"`

	// Setting is the value of a setting of the VPC CNI's DaemonSet that decides
	// over traffic: "true" or "false" of ENABLE_POD_ENI and
	// AWS_VPC_K8S_CNI_EXTERNALSNAT, "standard" or "strict" of
	// POD_SECURITY_GROUP_ENFORCING_MODE and NETWORK_POLICY_ENFORCING_MODE. Only
	// these words are kept.
	Setting string `json:"setting,omitempty"`

	// Ref is where the value stands instead, for a variable that is set from a
	// ConfigMap or a Secret: nothing is known of a Secret's value.
	ValueFrom *ValueFrom `json:"valueFrom,omitempty"`
}

// ValueFrom is the source of a variable's value.
type ValueFrom struct {
	Kind string `json:"kind"` // "ConfigMap" or "Secret"
	Name string `json:"name"`
	Key  string `json:"key,omitempty"` // empty: every key (envFrom)
}

// A Server is one listener of a proxy's configuration.
type Server struct {
	Software string `json:"software"` // "nginx", "envoy", "haproxy"
	Port     int32  `json:"port"`
	TLS      bool   `json:"tls"`
	Loopback bool   `json:"loopback,omitempty"` // listens on 127.0.0.1 or ::1 only
	// Certificate is the path of the certificate that the listener presents.
	Certificate string `json:"certificate,omitempty"`
	// Protocols are the TLS versions it accepts ("TLSv1.2"), empty for the
	// software's default.
	Protocols []string `json:"protocols,omitempty"`
	// Upstreams are where it forwards, as "scheme://host:port".
	Upstreams []string `json:"upstreams,omitempty"`
	HSTS      bool     `json:"hsts,omitempty"`
}
