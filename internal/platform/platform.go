// Package platform knows the workloads and namespaces of AWS and of the
// platform itself: what must work on the node, and where no team's application
// stands. It is a dated list and holds no opinion on what they do.
package platform

import (
	"regexp"
	"slices"
	"strings"

	"github.com/eksafe/eksafe/internal/estate"
)

// A platformWorkload is a workload of AWS or of the platform that works on the
// node itself and cannot meet the standards. It is known by its namespace, its
// controller and name, and the registry of every image that it runs: the same
// name with another image is not it.
type platformWorkload struct {
	namespaces []string
	controller string
	names      []string
	eks        bool     // images come from the registries of EKS add-ons
	images     []string // repositories beside them
	why        string
}

// Looked up on 2026-11-23: names in the manifests of the add-ons and projects,
// registries in
// https://docs.aws.amazon.com/eks/latest/userguide/add-ons-images.html and in
// the projects' charts. What is not listed is judged like everything else.
var platformWorkloads = []platformWorkload{
	{
		namespaces: []string{"kube-system"}, controller: "DaemonSet", names: []string{"aws-node"}, eks: true,
		why: "the VPC CNI gives pods their network",
	},
	{
		namespaces: []string{"kube-system"}, controller: "DaemonSet", names: []string{"kube-proxy"}, eks: true,
		why: "kube-proxy routes the Services of the node",
	},
	{
		namespaces: []string{"kube-system"}, controller: "DaemonSet", names: []string{"eks-pod-identity-agent"}, eks: true,
		why: "the Pod Identity agent hands pods their credentials",
	},
	{
		namespaces: []string{"kube-system"}, controller: "DaemonSet", names: []string{"ebs-csi-node", "efs-csi-node", "fsx-csi-node", "s3-csi-node"}, eks: true,
		images: []string{"public.ecr.aws/ebs-csi-driver/", "public.ecr.aws/efs-csi-driver/", "public.ecr.aws/csi-components/"},
		why:    "a CSI driver mounts the volumes of the node",
	},
	{
		namespaces: []string{"kube-system"}, controller: "Deployment", names: []string{"coredns", "ebs-csi-controller", "efs-csi-controller", "metrics-server"}, eks: true,
		images: []string{"public.ecr.aws/ebs-csi-driver/", "public.ecr.aws/efs-csi-driver/", "public.ecr.aws/csi-components/"},
		why:    "an add-on of EKS runs as AWS ships it",
	},
	{
		namespaces: []string{"kube-system"}, controller: "DaemonSet", names: []string{"eks-node-monitoring-agent"}, eks: true,
		why: "the node monitoring agent of EKS reads the node's health",
	},
	{
		namespaces: []string{"amazon-guardduty"}, controller: "DaemonSet", names: []string{"aws-guardduty-agent"}, eks: true,
		why: "GuardDuty watches what happens on the node",
	},
	{
		namespaces: []string{"amazon-cloudwatch"}, controller: "DaemonSet", names: []string{"cloudwatch-agent", "fluent-bit"}, eks: true,
		images: []string{"public.ecr.aws/cloudwatch-agent/", "public.ecr.aws/aws-observability/"},
		why:    "the CloudWatch agents read the logs and figures of the node",
	},
	{
		namespaces: []string{"kube-system", "istio-system"}, controller: "DaemonSet", names: []string{"istio-cni-node", "ztunnel"},
		images: []string{"docker.io/istio/install-cni", "docker.io/istio/ztunnel", "istio/install-cni", "istio/ztunnel"},
		why:    "Istio puts pods into the mesh without rights of their own",
	},
	{
		namespaces: []string{"kube-system", "calico-system"}, controller: "DaemonSet", names: []string{"calico-node"},
		images: []string{"docker.io/calico/", "calico/", "quay.io/calico/"},
		why:    "Calico enforces the network policies of the node",
	},
	{
		namespaces: []string{"kube-system", "cilium"}, controller: "DaemonSet", names: []string{"cilium"},
		images: []string{"quay.io/cilium/"},
		why:    "Cilium enforces the network policies of the node",
	},
}

// eksAccounts own the registries of EKS add-ons, one for most regions.
var eksAccounts = []string{
	"013241004608", "066635153087", "121268973566", "151610086707", "151742754352", "296578399912", "333609536671",
	"455263428931", "491585149902", "533267051163", "558608220178", "590381155156", "602401143452", "730335286997",
	"759879836304", "761377655185", "800184023465", "877085696533", "877088126301", "900612956339", "900889452093",
	"918309763551", "961992271922",
}

var registryRE = regexp.MustCompile(`^(\d{12})\.dkr\.ecr(?:-fips)?\.[a-z0-9-]+\.amazonaws\.(?:com|com\.cn|eu)/`)

// Expected returns why the workload must be as it is, "" if it is none of the
// platform's.
func Expected(w *estate.Workload) string {
	for _, p := range platformWorkloads {
		if !slices.Contains(p.namespaces, w.Namespace) || p.controller != w.Controller || !slices.Contains(p.names, w.Name) {
			continue
		}
		genuine := true
		for _, c := range slices.Concat(w.Template.Spec.InitContainers, w.Template.Spec.Containers) {
			genuine = genuine && p.ships(c.Image)
		}
		for _, c := range w.Template.Spec.EphemeralContainers {
			genuine = genuine && p.ships(c.Image)
		}
		if genuine {
			return p.why
		}
	}
	return ""
}

func (p *platformWorkload) ships(image string) bool {
	if m := registryRE.FindStringSubmatch(image); m != nil && p.eks && slices.Contains(eksAccounts, m[1]) {
		return true
	}
	return slices.ContainsFunc(p.images, func(repository string) bool {
		rest, ok := strings.CutPrefix(image, repository)
		return ok && (strings.HasSuffix(repository, "/") || rest == "" || rest[0] == ':' || rest[0] == '@')
	})
}

// namespaces are those of Kubernetes, EKS and the platform's projects. Names
// are those of the projects' own instructions.
var namespaces = []string{
	"kube-system", "kube-public", "kube-node-lease", "amazon-cloudwatch", "amazon-guardduty", "aws-observability",
	"istio-system", "calico-system", "calico-apiserver", "tigera-operator", "cert-manager", "karpenter", "gatekeeper-system", "kyverno",
}

// Namespace reports whether the platform's workloads stand in the namespace,
// and not those of an application.
func Namespace(name string) bool { return slices.Contains(namespaces, name) }

// discovery are roles that Kubernetes itself binds to all service accounts.
var discovery = []string{
	"system:service-account-issuer-discovery", // the keys with which their tokens are checked
	"system:cluster-trust-bundle-discovery",   // the certificates that they may trust
}

// Discovery reports whether a cluster role is one that Kubernetes itself gives
// to every service account, by a binding of the same name: with it they read
// what is public in the cluster.
func Discovery(role string) bool { return slices.Contains(discovery, role) }

// Discoveries lists those roles.
func Discoveries() []string { return slices.Clone(discovery) }

// Namespaces lists the namespaces of the platform.
func Namespaces() []string { return slices.Clone(namespaces) }
