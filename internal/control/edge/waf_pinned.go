package edge

import (
	"slices"
	"strings"

	"github.com/eksafe/eksafe/internal/control"
	"github.com/eksafe/eksafe/internal/estate"
	"github.com/eksafe/eksafe/internal/trace"
)

var wafPinned = &control.Control{
	ID:       "waf-pinned",
	Title:    "No tenant of a shared load balancer can swap its web ACL",
	Severity: control.Medium,
	Refs:     []control.Ref{control.Project("lbc-ingress-class"), control.Project("lbc-ingress-annotations"), control.ATTACK("T1562.007")},
	Serves:   []string{"S20", "S29"},
	Since:    "0.1.0",
	Check: control.Traced(ingressBalancers, (*trace.LoadBalancer).Place, judgePinned, estate.Ingresses.Kind).
		Helped(estate.IngressClasses.Kind, estate.IngressClassParameters.Kind).
		Helped(estate.WebACLs.Kind, estate.WebACLAssociations.Kind), // say which web ACL there is to swap
}

// ingressBalancers returns the ALBs that Ingresses ask for.
func ingressBalancers(g *trace.Graph) []*trace.LoadBalancer {
	var out []*trace.LoadBalancer
	for _, lb := range g.LoadBalancers {
		if lb.Type == "application" && slices.ContainsFunc(lb.DeclaredBy, isIngress) {
			out = append(out, lb)
		}
	}
	return out
}

func isIngress(p trace.Place) bool { return p.Subject.Kind == estate.Ingresses.Kind }

func judgePinned(s *control.Subject, lb *trace.LoadBalancer) {
	if acl, known := lb.WebACL.Get(); known && acl == "" {
		s.NotApplicable()
		return
	}
	var namespaces []string
	for _, d := range lb.DeclaredBy {
		if !slices.Contains(namespaces, d.Subject.Namespace) {
			namespaces = append(namespaces, d.Subject.Namespace)
		}
	}
	if len(namespaces) < 2 {
		return
	}
	slices.Sort(namespaces)
	for _, d := range lb.DeclaredBy {
		ing, ok := control.Find(s, estate.Ingresses, d.Subject.ID)
		if !ok {
			continue
		}
		params := s.Graph().IngressParameters(ing)
		switch {
		case params != nil && (params.Object.Spec.WAFv2ACLArn != "" || params.Object.Spec.WAFv2ACLName != ""):
		case params == nil && !s.Read(estate.IngressClassParameters.Kind):
			s.Unknownf("whether the class of Ingress %s/%s pins a web ACL is not known; read IngressClassParams", d.Subject.Namespace, d.Subject.Name)
			return
		default:
			d.Field = "metadata.annotations[alb.ingress.kubernetes.io/group.name]"
			if params != nil && params.Object.Spec.Group != nil {
				d = trace.Place{Subject: estate.IngressClassParameters.Ref(params), Origin: estate.IngressClassParameters.Origin(params), Field: "spec.wafv2AclArn"}
			}
			s.FailAt(d, "%s serves namespaces %s, and its Ingress class pins no web ACL: whoever may write an Ingress there can swap or remove the web ACL of all", lb.Name(), strings.Join(namespaces, ", "))
			return
		}
	}
}
