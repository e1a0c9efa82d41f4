package pod

import (
	"testing"

	"k8s.io/pod-security-admission/policy"
)

// A check that a newer library brings must be given its field, or its findings
// point at the container as a whole.
func TestEveryCheckHasItsField(t *testing.T) {
	own := map[policy.CheckID]bool{
		"hostNamespaces": true, "hostPathVolumes": true, "restrictedVolumes": true, "sysctls": true,
		"hostPorts": true, "capabilities_restricted": true, "hostProbesAndHostLifecycle": true,
	}
	for id := range checks() {
		if _, ok := contextField[id]; !ok && !own[id] {
			t.Errorf("where is check %s missed?", id)
		}
	}
	for restricted, baseline := range shadows {
		if checks()[restricted].ask == nil || checks()[baseline].ask == nil {
			t.Errorf("%s or %s is no check", restricted, baseline)
		}
	}
}

func TestShips(t *testing.T) {
	p := platformWorkload{eks: true, images: []string{"docker.io/istio/install-cni", "quay.io/calico/"}}
	for image, want := range map[string]bool{
		"602401143452.dkr.ecr.eu-west-1.amazonaws.com/amazon-k8s-cni:v1":           true,
		"918309763551.dkr.ecr.cn-north-1.amazonaws.com.cn/eks/kube-proxy:v1":       true,
		"999999999999.dkr.ecr.eu-west-1.amazonaws.com/amazon-k8s-cni:v1":           false,
		"602401143452.dkr.ecr.eu-west-1.amazonaws.com.evil.example/amazon-k8s-cni": false,
		"evil.example/602401143452.dkr.ecr.eu-west-1.amazonaws.com/amazon-k8s-cni": false,
		"docker.io/istio/install-cni:1.31.1":                                       true,
		"docker.io/istio/install-cni@sha256:0":                                     true,
		"docker.io/istio/install-cni-evil:1":                                       false,
		"quay.io/calico/node:v3":                                                   true,
		"quay.io/calico-evil/node:v3":                                              false,
		"":                                                                         false,
	} {
		if got := p.ships(image); got != want {
			t.Errorf("%q: %v, want %v", image, got, want)
		}
	}
}
