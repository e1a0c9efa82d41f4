package trace_test

import (
	"slices"
	"testing"

	"github.com/eksafe/eksafe/internal/estate"
	"github.com/eksafe/eksafe/internal/trace"
)

// What an annotation calls a load balancer is its name where it can be one, and
// Ingresses are one group where it is the name of one.
func TestPredictedNames(t *testing.T) {
	const ingress = `
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {namespace: shop, name: web, annotations: {alb.ingress.kubernetes.io/load-balancer-name: front}}
spec: {ingressClassName: alb}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {namespace: shop, name: named, annotations: {alb.ingress.kubernetes.io/load-balancer-name: "=cmd|' /C calc'!A0"}}
spec: {ingressClassName: alb}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {namespace: shop, name: a, annotations: {alb.ingress.kubernetes.io/group.name: "no group, surely"}}
spec: {ingressClassName: alb}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {namespace: blog, name: b, annotations: {alb.ingress.kubernetes.io/group.name: "no <group>"}}
spec: {ingressClassName: alb}
---
apiVersion: v1
kind: Service
metadata: {namespace: shop, name: csv, annotations: {service.beta.kubernetes.io/aws-load-balancer-name: "=cmd|' /C calc'!A0"}}
spec: {type: LoadBalancer, ports: [{port: 80}]}
---
apiVersion: v1
kind: Service
metadata: {namespace: shop, name: api, annotations: {service.beta.kubernetes.io/aws-load-balancer-name: inner}}
spec: {type: LoadBalancer, ports: [{port: 80}]}
---
apiVersion: v1
kind: Service
metadata: {namespace: shop, name: headless}
spec: {type: LoadBalancer, clusterIP: None, ports: [{port: 80, nodePort: 30080}]}
`
	e := &estate.Estate{}
	addManifests(t, e, []byte(ingress))
	var got []string
	for _, lb := range trace.New(e).LoadBalancers {
		got = append(got, lb.Ref.Name)
	}
	slices.Sort(got)
	if want := []string{"blog-b", "front", "inner", "shop-a", "shop-csv", "shop-named"}; !slices.Equal(got, want) {
		t.Errorf("the load balancers are %q, not %q", got, want)
	}
	for _, s := range estate.Services.In(e) {
		if trace.OpensNodePorts(&s.Object.Spec) != (s.Object.Name != "headless") {
			t.Errorf("what %s opens of nodes is not what the API server admits", s.Object.Name)
		}
	}
}
