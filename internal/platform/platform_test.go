package platform

import "testing"

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
