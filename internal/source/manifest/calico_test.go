package manifest

import (
	"strings"
	"testing"

	"github.com/eksafe/eksafe/internal/estate"
)

// calicoctl writes lists whose kind tells that of the items.
func TestListsOfCalicoctl(t *testing.T) {
	folder(t, `
-- a.yaml --
apiVersion: projectcalico.org/v3
kind: GlobalNetworkPolicyList
metadata: {resourceVersion: "1"}
items:
- apiVersion: projectcalico.org/v3
  kind: GlobalNetworkPolicy
  metadata: {name: deny}
  spec: {order: 10, selector: all()}
---
apiVersion: projectcalico.org/v3
kind: HostEndpointList
items:
- metadata: {name: eth0}
  spec: {node: worker, Interfacename: eth0}
---
apiVersion: policy.networking.k8s.io/v1alpha1
kind: AdminNetworkPolicy
metadata: {name: a}
spec:
  priority: 1
  subject: {namespaces: {}}
  egress:
  - action: Deny
    to: [{networks: [10.0.0.0/8]}]
    protocols: []
`)
	r := readAll(t, nil, "a.yaml")
	var got []string
	for _, p := range r.Estate.Sources[0].Problems {
		got = append(got, p.String())
	}
	for _, k := range estate.Kinds() {
		for ref := range k.Refs(r.Estate) {
			got = append(got, ref.ID)
		}
	}
	want := `a.yaml:14: unknown field "spec.Interfacename"; check the spelling: the API server drops it
a.yaml:25: unknown field "spec.egress[0].protocols"; check the spelling: the API server drops it
calicoglobalnetworkpolicy/deny
calicohostendpoint/eth0
adminnetworkpolicy/a`
	if text := strings.Join(got, "\n"); text != want {
		t.Errorf("got\n%s\nwant\n%s", text, want)
	}
}
