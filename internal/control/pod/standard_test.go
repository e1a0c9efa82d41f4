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
