package report

import (
	"slices"

	networkingv1 "k8s.io/api/networking/v1"

	"github.com/eksafe/eksafe/internal/estate"
	"github.com/eksafe/eksafe/internal/reach"
	"github.com/eksafe/eksafe/internal/trace"
)

// The comments of these types and their fields are descriptions of
// docs/reference/reach.schema.json.

// A suggestionInfo is the least that workloads need, and what comes of it.
type suggestionInfo struct {
	Policies       stream[policyInfo]          `json:"policies"`       // network policies, instead of those that their namespaces have now
	SecurityGroups stream[groupSuggestionInfo] `json:"securityGroups"` // the ingress rules that security groups should have
	Needs          stream[needInfo]            `json:"needs"`          // the connections that are needed
	Undeclared     stream[needInfo]            `json:"undeclared"`     // the needs that flow logs saw and nothing declares
	Replaced       stream[replacedInfo]        `json:"replaced"`       // policies of now to delete: applying the suggestion leaves them, as they have other names
	Open           []string                    `json:"open"`           // needs that no rule can say, and what to do
	Lost           stream[lostInfo]            `json:"lost"`           // needs that do not get through, with what stops them
	Changes        stream[changeInfo]          `json:"changes"`        // from the estate of now to one with the suggestion: first what opens, then what closes
}

// A needInfo is a connection that somebody needs.
type needInfo struct {
	From     string         `json:"from"`               // the name of who begins it
	To       string         `json:"to"`                 // the name of who answers
	Protocol reach.Protocol `json:"protocol"`           // of the connection
	Port     uint16         `json:"port"`               // of the connection
	Why      string         `json:"why"`                // what declares it, or how often it was seen
	Observed int            `json:"observed,omitempty"` // how many flows of flow logs show it; absent of what is declared
	Location *locationInfo  `json:"location,omitempty"` // where it is declared
}

// A policyInfo is a suggested policy, and who needs each of its rules.
type policyInfo struct {
	Why        string              `json:"why"`        // of the policy as a whole
	IngressWhy [][]string          `json:"ingressWhy"` // of each ingress rule of the manifest, in their order
	EgressWhy  [][]string          `json:"egressWhy"`  // of each egress rule of the manifest, in their order
	Manifest   networkPolicyObject `json:"manifest"`   // ready to apply
}

// A networkPolicyObject is a NetworkPolicy of Kubernetes without what the API
// server adds.
type networkPolicyObject struct {
	APIVersion string                         `json:"apiVersion"` // always networking.k8s.io/v1
	Kind       string                         `json:"kind"`       // always NetworkPolicy
	Metadata   networkPolicyMetadata          `json:"metadata"`   // which policy it is
	Spec       networkingv1.NetworkPolicySpec `json:"spec"`       // what it selects and allows
}

// A networkPolicyMetadata is what names a policy.
type networkPolicyMetadata struct {
	Name      string `json:"name"`      // unique within the namespace
	Namespace string `json:"namespace"` // whose pods it selects
}

// A groupRuleInfo is a rule that a security group should have.
type groupRuleInfo struct {
	estate.SecurityGroupRule
	Why string `json:"why"` // who needs it
}

// A groupSuggestionInfo is the ingress rules that one security group should have.
type groupSuggestionInfo struct {
	Group    estate.Ref                 `json:"group"`              // the security group
	Of       []string                   `json:"of"`                 // names of what holds the group
	Rules    []groupRuleInfo            `json:"rules"`              // all that are needed
	Kept     []estate.SecurityGroupRule `json:"kept"`               // rules of now that stay, as it is not known before they are deployed what they say
	Removed  []estate.SecurityGroupRule `json:"removed"`            // rules of now that nobody needs
	Location *locationInfo              `json:"location,omitempty"` // where the rules of now are written
}

// A replacedInfo is a policy of now that is in the way.
type replacedInfo struct {
	Subject  estate.Ref    `json:"subject"`            // the policy
	Location *locationInfo `json:"location,omitempty"` // where it is written
}

// A lostInfo is a need that does not get through, and the answer that says why.
type lostInfo struct {
	From estate.Ref `json:"from"` // who begins the connection
	To   estate.Ref `json:"to"`   // who would answer it
	answerInfo
}

func suggestionOf(s *reach.Suggestion) *suggestionInfo {
	return &suggestionInfo{
		Policies: streamed(s.Policies, policyInfoOf), SecurityGroups: streamed(s.Groups, groupSuggestionOf),
		Needs: streamed(s.Needs, needOf), Undeclared: streamed(s.Undeclared, needOf),
		Replaced: streamed(s.Replaced, func(r *reach.Rule) replacedInfo { return replacedInfo{r.Subject, located(r.Place)} }),
		Open:     full(s.Open),
		Lost:     streamed(s.Lost, func(a **reach.Answer) lostInfo { return lostInfo{(*a).From.Ref, (*a).To.Ref, answerOf(*a)} }),
		Changes:  streamed(slices.Concat(s.Opened, s.Closed), changeOf),
	}
}

func needOf(d *reach.Need) needInfo {
	return needInfo{d.From.Name, d.To.Name, d.Protocol, d.Port, d.Why, d.Observed, located(d.Place)}
}

func policyInfoOf(p *reach.PolicySuggestion) policyInfo {
	return policyInfo{p.Why, reasons(p.IngressWhy), reasons(p.EgressWhy), networkPolicyObject{
		p.APIVersion, p.Kind, networkPolicyMetadata{p.Name, p.Namespace}, p.Spec,
	}}
}

func reasons(why [][]string) [][]string {
	out := make([][]string, 0, len(why))
	for _, list := range why {
		out = append(out, full(list))
	}
	return out
}

func groupSuggestionOf(g *reach.GroupSuggestion) groupSuggestionInfo {
	out := groupSuggestionInfo{
		Group: estate.SecurityGroups.Ref(g.Group), Of: full(g.Of), Rules: []groupRuleInfo{},
		Kept: []estate.SecurityGroupRule{}, Removed: []estate.SecurityGroupRule{},
		Location: located(trace.Place{Origin: &g.Group.Origin, Field: "securityGroupIngress"}),
	}
	for i, r := range g.Rules {
		out.Rules = append(out.Rules, groupRuleInfo{r, g.Reasons[i]})
	}
	rules := g.Group.SecurityGroupIngress.Or(nil)
	for _, i := range g.Unclear {
		out.Kept = append(out.Kept, rules[i])
	}
	for _, i := range g.Removed {
		out.Removed = append(out.Removed, rules[i])
	}
	return out
}
