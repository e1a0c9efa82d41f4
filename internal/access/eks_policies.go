package access

import (
	"slices"
	"strings"

	rbacv1 "k8s.io/api/rbac/v1"
)

// An accessPolicy is one EKS access policy: rights in a cluster that an access
// entry gives and no object of Kubernetes shows.
type accessPolicy struct {
	name string
	// rules are nil where the source tells in prose what the policy is for, and
	// not what it allows.
	rules  []rbacv1.PolicyRule
	source string
	looked string // day of looking; what AWS added since is not here
}

const (
	accessPolicyPage = "https://docs.aws.amazon.com/eks/latest/userguide/access-policy-permissions.html"
	accessPolicyDay  = "2026-11-26"

	clusterAdminPolicy = "AmazonEKSClusterAdminPolicy"
)

// accessPolicies are the access policies, each row of AWS's tables a rule. A
// policy that is not listed, or that AWS describes without its rules, is not
// known: somebody who has it may do anything.
var accessPolicies = []accessPolicy{
	{clusterAdminPolicy, []rbacv1.PolicyRule{
		{APIGroups: all1, Resources: all1, Verbs: all1},
		{NonResourceURLs: all1, Verbs: all1},
	}, accessPolicyPage, accessPolicyDay},
	{"AmazonEKSAdminPolicy", slices.Concat(viewRules, editRules, []rbacv1.PolicyRule{
		rule("authorization.k8s.io", "create", "localsubjectaccessreviews"),
		rule("rbac.authorization.k8s.io", readVerbs, "rolebindings", "roles"),
		rule("rbac.authorization.k8s.io", writeVerbs, "rolebindings", "roles"),
	}), accessPolicyPage, accessPolicyDay},
	{"AmazonEKSEditPolicy", slices.Concat(viewRules, editRules), accessPolicyPage, accessPolicyDay},
	{"AmazonEKSViewPolicy", viewRules, accessPolicyPage, accessPolicyDay},
	{"AmazonEKSAdminViewPolicy", []rbacv1.PolicyRule{rule("*", readVerbs, "*")}, accessPolicyPage, accessPolicyDay},
	{"AmazonEKSSecretReaderPolicy", []rbacv1.PolicyRule{rule("", readVerbs, "secrets")}, accessPolicyPage, accessPolicyDay},
	{"AmazonEKSHybridPolicy", []rbacv1.PolicyRule{rule("*", "list", "nodes")}, accessPolicyPage, accessPolicyDay},

	{"AmazonEKSAutoNodePolicy", nil, accessPolicyPage, accessPolicyDay},
	{"AmazonEKSBlockStoragePolicy", nil, accessPolicyPage, accessPolicyDay},
	{"AmazonEKSBlockStorageClusterPolicy", nil, accessPolicyPage, accessPolicyDay},
	{"AmazonEKSComputePolicy", nil, accessPolicyPage, accessPolicyDay},
	{"AmazonEKSComputeClusterPolicy", nil, accessPolicyPage, accessPolicyDay},
	{"AmazonEKSLoadBalancingPolicy", nil, accessPolicyPage, accessPolicyDay},
	{"AmazonEKSLoadBalancingClusterPolicy", nil, accessPolicyPage, accessPolicyDay},
	{"AmazonEKSNetworkingPolicy", nil, accessPolicyPage, accessPolicyDay},
	{"AmazonEKSNetworkingClusterPolicy", nil, accessPolicyPage, accessPolicyDay},
	{"AmazonEKSClusterInsightsPolicy", nil, accessPolicyPage, accessPolicyDay},
	{"AmazonAIOpsAssistantPolicy", nil, accessPolicyPage, accessPolicyDay},
	{"AmazonARCRegionSwitchScalingPolicy", nil, accessPolicyPage, accessPolicyDay},
}

const (
	readVerbs  = "get list watch"
	writeVerbs = "create delete deletecollection patch update"
)

var all1 = []string{"*"}

// viewRules are what AmazonEKSViewPolicy allows and the stronger ones too.
var viewRules = []rbacv1.PolicyRule{
	rule("apps", readVerbs, "controllerrevisions", "daemonsets", "daemonsets/status", "deployments", "deployments/scale", "deployments/status",
		"replicasets", "replicasets/scale", "replicasets/status", "statefulsets", "statefulsets/scale", "statefulsets/status"),
	rule("autoscaling", readVerbs, "horizontalpodautoscalers", "horizontalpodautoscalers/status"),
	rule("batch", readVerbs, "cronjobs", "cronjobs/status", "jobs", "jobs/status"),
	rule("discovery.k8s.io", readVerbs, "endpointslices"),
	rule("extensions", readVerbs, "daemonsets", "daemonsets/status", "deployments", "deployments/scale", "deployments/status", "ingresses",
		"ingresses/status", "networkpolicies", "replicasets", "replicasets/scale", "replicasets/status", "replicationcontrollers/scale"),
	rule("networking.k8s.io", readVerbs, "ingresses", "ingresses/status", "networkpolicies"),
	rule("policy", readVerbs, "poddisruptionbudgets", "poddisruptionbudgets/status"),
	rule("", readVerbs, "configmaps", "endpoints", "persistentvolumeclaims", "persistentvolumeclaims/status", "pods", "replicationcontrollers",
		"replicationcontrollers/scale", "serviceaccounts", "services", "services/status"),
	rule("", readVerbs, "bindings", "events", "limitranges", "namespaces/status", "pods/log", "pods/status", "replicationcontrollers/status",
		"resourcequotas", "resourcequotas/status"),
	rule("", readVerbs, "namespaces"),
}

// editRules are what AmazonEKSEditPolicy allows beside: reading Secrets and
// taking the place of service accounts are among it.
var editRules = []rbacv1.PolicyRule{
	rule("apps", writeVerbs, "daemonsets", "deployments", "deployments/rollback", "deployments/scale", "replicasets", "replicasets/scale",
		"statefulsets", "statefulsets/scale"),
	rule("autoscaling", writeVerbs, "horizontalpodautoscalers"),
	rule("batch", writeVerbs, "cronjobs", "jobs"),
	rule("extensions", writeVerbs, "daemonsets", "deployments", "deployments/rollback", "deployments/scale", "ingresses", "networkpolicies",
		"replicasets", "replicasets/scale", "replicationcontrollers/scale"),
	rule("networking.k8s.io", writeVerbs, "ingresses", "networkpolicies"),
	rule("policy", writeVerbs, "poddisruptionbudgets"),
	rule("", readVerbs, "pods/attach", "pods/exec", "pods/portforward", "pods/proxy", "secrets", "services/proxy"),
	rule("", writeVerbs, "configmaps", "events", "persistentvolumeclaims", "replicationcontrollers", "replicationcontrollers/scale", "secrets",
		"serviceaccounts", "services", "services/proxy"),
	rule("", writeVerbs, "pods", "pods/attach", "pods/exec", "pods/portforward", "pods/proxy"),
	rule("", "impersonate", "serviceaccounts"),
}

func rule(group, verbs string, resources ...string) rbacv1.PolicyRule {
	return rbacv1.PolicyRule{APIGroups: []string{group}, Resources: resources, Verbs: strings.Fields(verbs)}
}

// AccessPolicyRules returns what an EKS access policy allows within its scope.
// known is false where that is not written down anywhere: the answer to whether
// somebody with the policy may do something is then unclear.
func AccessPolicyRules(arn string) (rules []rbacv1.PolicyRule, known bool) {
	name, ok := accessPolicyName(arn)
	if !ok {
		return nil, false
	}
	i := slices.IndexFunc(accessPolicies, func(p accessPolicy) bool { return p.name == name })
	if i < 0 || accessPolicies[i].rules == nil {
		return nil, false
	}
	return slices.Clone(accessPolicies[i].rules), true
}

// accessPolicyName returns the name in the ARN of an access policy, in
// whichever partition.
func accessPolicyName(arn string) (string, bool) {
	head, name, ok := strings.Cut(arn, ":eks::aws:cluster-access-policy/")
	return name, ok && strings.HasPrefix(head, "arn:aws")
}
