package trace

import (
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/eksafe/eksafe/internal/estate"
)

func TestCapture(t *testing.T) {
	const traffic = "traffic.sidecar.istio.io/"
	for _, c := range []struct {
		key, value    string
		in, out       []int32 // taken over
		notIn, notOut []int32
		ranges        bool
	}{
		{"", "", []int32{80, 15008}, []int32{80}, []int32{15020, 15021, 15090}, nil, false},
		{traffic + "excludeInboundPorts", "80, 90,x,99999", []int32{8080}, []int32{80}, []int32{80, 90, 15090}, nil, false},
		{traffic + "includeInboundPorts", "80", []int32{80}, nil, []int32{90}, nil, false},
		{traffic + "includeInboundPorts", "*", []int32{80}, nil, []int32{15020}, nil, false},
		{traffic + "includeInboundPorts", "", nil, nil, []int32{80, 90}, nil, false},
		{traffic + "excludeOutboundPorts", "5432", []int32{5432}, []int32{80}, nil, []int32{5432}, false},
		{traffic + "excludeOutboundIPRanges", "10.0.0.0/8", nil, []int32{80}, nil, nil, true},
		{traffic + "includeOutboundIPRanges", "*", nil, []int32{80}, nil, nil, false},
		{traffic + "includeOutboundIPRanges", "", nil, nil, nil, nil, true},
		{"sidecar.istio.io/interceptionMode", "NONE", nil, nil, []int32{80}, []int32{80}, false},
	} {
		e := &estate.Estate{}
		w := &estate.Workload{Controller: "Pod", ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web"}}
		w.Template.Labels = map[string]string{"sidecar.istio.io/inject": "true"}
		w.Template.Annotations = map[string]string{c.key: c.value}
		estate.Workloads.Add(e, w)
		g := New(e)
		in, out := g.Inbound(w), g.Outbound(w)
		check := func(what string, got Capture, ports []int32, want bool) {
			for _, p := range ports {
				if got.Has(p) != want {
					t.Errorf("%s: %q: %s of port %d is %v", c.key, c.value, what, p, !want)
				}
			}
		}
		check("inbound", in, c.in, true)
		check("inbound", in, c.notIn, false)
		check("outbound", out, c.out, true)
		check("outbound", out, c.notOut, false)
		if out.Ranges != c.ranges {
			t.Errorf("%s: %q: ranges %v", c.key, c.value, out.Ranges)
		}
		if limited := !in.At.Subject.IsZero() || !out.At.Subject.IsZero(); limited != (c.key != "" && c.value != "*") {
			t.Errorf("%s: %q: the place is known: %v", c.key, c.value, limited)
		}
	}
}
