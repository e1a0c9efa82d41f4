package reach

import (
	istionetworking "istio.io/client-go/pkg/apis/networking/v1"
	istiosecurity "istio.io/client-go/pkg/apis/security/v1"

	"github.com/eksafe/eksafe/internal/estate"
)

// meshPoliciesIn returns the policies of Istio in an estate.
func meshPoliciesIn(e *estate.Estate) []*policyObject {
	var out []*policyObject
	for _, r := range estate.AuthorizationPolicies.In(e) {
		out = append(out, &policyObject{
			kind: estate.AuthorizationPolicies.Kind, namespace: r.Object.Namespace, name: r.Object.Name,
			rules: [2]int{Ingress: len(r.Object.Spec.GetRules())},
			add: func(e *estate.Estate, d Direction, without int) {
				if without < 0 {
					estate.AuthorizationPolicies.Add(e, r)
					return
				}
				changed := &estate.Resource[istiosecurity.AuthorizationPolicy]{Origin: r.Origin, Object: *r.Object.DeepCopy()}
				changed.Object.Spec.Rules = cut(r.Object.Spec.GetRules(), without)
				estate.AuthorizationPolicies.Add(e, changed)
			},
		})
	}
	for _, r := range estate.Sidecars.In(e) {
		out = append(out, &policyObject{
			kind: estate.Sidecars.Kind, namespace: r.Object.Namespace, name: r.Object.Name,
			rules: [2]int{Egress: len(r.Object.Spec.GetEgress())},
			add: func(e *estate.Estate, d Direction, without int) {
				if without < 0 {
					estate.Sidecars.Add(e, r)
					return
				}
				changed := &estate.Resource[istionetworking.Sidecar]{Origin: r.Origin, Object: *r.Object.DeepCopy()}
				changed.Object.Spec.Egress = cut(r.Object.Spec.GetEgress(), without)
				estate.Sidecars.Add(e, changed)
			},
		})
	}
	return out
}
