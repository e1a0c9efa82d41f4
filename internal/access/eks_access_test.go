package access

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/eksafe/eksafe/internal/estate"
)

// What is not told with where and when it was looked up is hearsay.
func TestAccessPoliciesAreSourced(t *testing.T) {
	names := map[string]bool{}
	for _, p := range accessPolicies {
		if _, err := time.Parse(time.DateOnly, p.looked); err != nil || p.source == "" || p.name == "" || names[p.name] {
			t.Errorf("%q of %q, looked up on %q, is not a row", p.name, p.source, p.looked)
		}
		names[p.name] = true
		for _, r := range p.rules {
			if len(r.Verbs) == 0 || len(r.Resources)+len(r.NonResourceURLs) == 0 || len(r.Resources) > 0 && len(r.APIGroups) == 0 {
				t.Errorf("%s has a rule of nothing: %v", p.name, r)
			}
		}
	}
}

func TestAccessPolicyRules(t *testing.T) {
	allows := func(rules []rbacv1.PolicyRule, verb, resource string) bool {
		for _, r := range rules {
			for _, v := range r.Verbs {
				for _, res := range r.Resources {
					if (v == "*" || v == verb) && (res == "*" || res == resource) {
						return true
					}
				}
			}
		}
		return false
	}
	for _, c := range []struct {
		arn                               string
		known                             bool
		secrets, impersonate, roles, view bool
	}{
		{"arn:aws:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy", true, true, true, true, true},
		{"arn:aws:eks::aws:cluster-access-policy/AmazonEKSAdminPolicy", true, true, true, true, true},
		{"arn:aws-cn:eks::aws:cluster-access-policy/AmazonEKSEditPolicy", true, true, true, false, true},
		{"arn:aws:eks::aws:cluster-access-policy/AmazonEKSViewPolicy", true, false, false, false, true},
		{"arn:aws:eks::aws:cluster-access-policy/AmazonEKSAdminViewPolicy", true, true, false, false, true},
		{"arn:aws:eks::aws:cluster-access-policy/AmazonEKSSecretReaderPolicy", true, true, false, false, false},
		{"arn:aws:eks::aws:cluster-access-policy/AmazonEKSAutoNodePolicy", false, false, false, false, false},
		{"arn:aws:eks::aws:cluster-access-policy/Newer", false, false, false, false, false},
		{"arn:aws:iam::aws:policy/AmazonEKSClusterAdminPolicy", false, false, false, false, false},
	} {
		rules, known := AccessPolicyRules(c.arn)
		got := []bool{known, allows(rules, "get", "secrets"), allows(rules, "impersonate", "serviceaccounts"), allows(rules, "create", "rolebindings"), allows(rules, "list", "pods")}
		if diff := cmp.Diff([]bool{c.known, c.secrets, c.impersonate, c.roles, c.view}, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.arn, diff)
		}
	}
}

const issuer = "oidc.eks.eu-west-1.amazonaws.com/id/AB"

func (e *awsEstate) cluster(mode string) *estate.Cluster {
	c := &estate.Cluster{
		AWS: estate.AWS{Arn: "arn:aws:eks:eu-west-1:111122223333:cluster/shop"}, Name: "shop", Endpoint: "https://x",
		AccessConfig: estate.AccessConfig{AuthenticationMode: estate.Known(mode)}, OpenIdConnectIssuerUrl: estate.Known("https://" + issuer),
	}
	estate.Clusters.Add(&e.Estate, c)
	return c
}

func (e *awsEstate) entry(arn string, groups ...string) *estate.AccessEntry {
	entry := &estate.AccessEntry{
		AWS: estate.AWS{Arn: "arn:aws:eks:eu-west-1:111122223333:access-entry/shop/x"}, ClusterName: "shop", PrincipalArn: arn,
		KubernetesGroups: groups, AccessPolicies: estate.Known([]estate.AccessPolicy{}),
	}
	estate.AccessEntries.Add(&e.Estate, entry)
	return entry
}

func (e *awsEstate) auth(a estate.AWSAuth) {
	estate.ConfigMaps.Add(&e.Estate, &estate.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "kube-system", Name: "aws-auth"}, AWSAuth: &a})
}

func (e *awsEstate) bind(subjects ...rbacv1.Subject) {
	estate.ClusterRoleBindings.Add(&e.Estate, &estate.Resource[rbacv1.ClusterRoleBinding]{Object: rbacv1.ClusterRoleBinding{Subjects: subjects}})
}

func (e *awsEstate) serviceAccount(namespace, name, role string) {
	sa := &estate.Resource[corev1.ServiceAccount]{Object: corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}}
	if role != "" {
		sa.Object.Annotations = map[string]string{roleAnnotation: role}
	}
	estate.ServiceAccounts.Add(&e.Estate, sa)
}

// How principals are let in, from
// https://docs.aws.amazon.com/eks/latest/userguide/creating-access-entries.html
// and the pages beside it.
func TestEnter(t *testing.T) {
	const clusterAdmin = "arn:aws:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy"
	scoped := func(kind string) estate.Optional[[]estate.AccessPolicy] {
		return estate.Known([]estate.AccessPolicy{{PolicyArn: clusterAdmin, AccessScope: estate.AccessScope{Type: kind, Namespaces: []string{"dev-*"}}}})
	}
	for _, c := range []struct {
		name  string
		build func(*awsEstate)
		want  []string
	}{
		{"an entry with its default name", func(e *awsEstate) {
			e.cluster("API")
			e.entry(account+":role/team/dev", "devs")
			e.entry(account + ":user/alice")
		}, []string{
			"dev access-entry group devs", "dev access-entry user arn:aws:sts::111122223333:assumed-role/dev/{{SessionName}}",
			"alice access-entry user arn:aws:iam::111122223333:user/alice",
		}},
		{"a name that the session chooses", func(e *awsEstate) {
			e.cluster("API")
			e.entry(account + ":role/dev").Username = "dev:{{SessionName}}"
			e.bind(rbacv1.Subject{Kind: "User", Name: "dev:boss"}, rbacv1.Subject{Kind: "User", Name: "boss"})
		}, []string{"dev access-entry user dev:boss", "dev access-entry user dev:{{SessionName}}"}},
		{"nodes", func(e *awsEstate) {
			e.cluster("API")
			e.entry(account+":role/node", "ignored").Type = "EC2_LINUX"
		}, []string{"node access-entry group system:nodes"}},
		{"everything in the cluster and in some namespaces", func(e *awsEstate) {
			e.cluster("API")
			e.entry(account + ":role/all").AccessPolicies = scoped("cluster")
			e.entry(account + ":role/some").AccessPolicies = scoped("namespace")
		}, []string{
			"all access-policy group system:masters", "all access-entry user arn:aws:sts::111122223333:assumed-role/all/{{SessionName}}",
			"some access-entry user arn:aws:sts::111122223333:assumed-role/some/{{SessionName}}",
		}},
		{"aws-auth where entries alone count", func(e *awsEstate) {
			e.cluster("API")
			e.auth(estate.AWSAuth{Roles: []estate.AWSAuthEntry{{Arn: account + ":role/ops", Groups: []string{Masters}}}})
		}, nil},
		{"entries where aws-auth alone counts, and the creator", func(e *awsEstate) {
			e.cluster("CONFIG_MAP")
			e.entry(account+":role/dev", "devs")
			e.auth(estate.AWSAuth{Roles: []estate.AWSAuthEntry{{Arn: account + ":role/ops", Groups: []string{Masters}}}})
		}, []string{"the creator of cluster shop cluster-creator group system:masters", "ops aws-auth group system:masters"}},
		{"both: the entry comes first", func(e *awsEstate) {
			e.cluster("API_AND_CONFIG_MAP")
			e.entry(account+":role/dev", "devs").Username = "dev"
			e.auth(estate.AWSAuth{Roles: []estate.AWSAuthEntry{{Arn: account + ":role/dev", Groups: []string{Masters}}, {Arn: account + ":role/ops", Groups: []string{"ops"}}}})
		}, []string{"dev access-entry group devs", "dev access-entry user dev", "ops aws-auth group ops"}},
		{"a role with a path, without it, with it, and as a session", func(e *awsEstate) {
			e.cluster("CONFIG_MAP").AccessConfig.BootstrapClusterCreatorAdminPermissions = estate.Known(false)
			e.role(account+":role/team/dev", served("ec2"))
			e.auth(estate.AWSAuth{Roles: []estate.AWSAuthEntry{
				{Arn: account + ":role/dev", Groups: []string{"as-role"}},
				{Arn: account + ":role/team/dev", Groups: []string{"never"}},
				{Arn: "arn:aws:sts::111122223333:assumed-role/dev/me", Groups: []string{"as-session"}},
			}})
		}, []string{
			"the creator of cluster shop cluster-creator group system:masters",
			"dev aws-auth group as-role", "dev aws-auth group as-session",
		}},
		{"every principal of an account", func(e *awsEstate) {
			e.cluster("CONFIG_MAP")
			e.user("alice")
			e.auth(estate.AWSAuth{Accounts: []string{"111122223333", "444455556666"}})
		}, []string{
			"account 444455556666 aws-auth user arn:aws:iam::444455556666:*", "the creator of cluster shop cluster-creator group system:masters",
			"alice aws-auth user arn:aws:iam::111122223333:user/alice",
		}},
		{"a mode that is not known", func(e *awsEstate) {
			e.cluster("").AccessConfig.AuthenticationMode = estate.Optional[string]{}
			e.entry(account + ":role/dev").Username = "dev"
		}, []string{"dev access-entry? user dev"}},
		{"a cluster to be", func(e *awsEstate) {
			c := e.cluster("API")
			c.Endpoint, c.AccessConfig.BootstrapClusterCreatorAdminPermissions = "", estate.Known(true)
		}, []string{"the creator of cluster shop cluster-creator group system:masters"}},
	} {
		e := &awsEstate{}
		c.build(e)
		if diff := cmp.Diff(c.want, e.steps(), inAnyOrder); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, diff)
		}
	}
}

func TestEKSRules(t *testing.T) {
	e := &awsEstate{}
	e.cluster("API")
	e.entry(account + ":role/some").AccessPolicies = estate.Known([]estate.AccessPolicy{
		{PolicyArn: "arn:aws:eks::aws:cluster-access-policy/AmazonEKSViewPolicy", AccessScope: estate.AccessScope{Type: "namespace", Namespaces: []string{"dev-*"}}},
		{PolicyArn: "arn:aws:eks::aws:cluster-access-policy/Newer", AccessScope: estate.AccessScope{Type: "cluster"}},
	})
	rules := NewAWS(&e.Estate).EKSRules()
	if len(rules) != 2 || !rules[0].Known || len(rules[0].Rules) == 0 || rules[0].Namespaces[0] != "dev-*" ||
		rules[1].Known || rules[1].Namespaces != nil || rules[0].Grant.Field != "accessPolicies" {
		t.Errorf("the rules are %+v", rules)
	}
}

func TestSeize(t *testing.T) {
	for _, c := range []struct {
		name  string
		build func(*awsEstate)
		want  []string
	}{
		{"an entry with a policy", func(e *awsEstate) {
			e.cluster("API")
			e.user("alice", allow("eks:CreateAccessEntry eks:AssociateAccessPolicy", "*"))
			e.user("scoped", allow("eks:CreateAccessEntry", "arn:aws:eks:*:*:cluster/shop"), allow("eks:AssociateAccessPolicy", "arn:aws:eks:*:*:access-entry/shop/*"))
			e.user("other", allow("eks:CreateAccessEntry eks:AssociateAccessPolicy", "arn:aws:eks:*:*:cluster/other"))
			e.user("limited", allow("eks:CreateAccessEntry eks:AssociateAccessPolicy", "*")+`, "Condition": {"StringEquals": {"eks:policyArn": "view"}}`)
		}, []string{"alice eks-api group system:masters", "limited eks-api? group system:masters", "scoped eks-api group system:masters"}},
		{"where the API is off", func(e *awsEstate) {
			e.cluster("CONFIG_MAP")
			e.user("alice", allow("eks:CreateAccessEntry eks:AssociateAccessPolicy", "*"))
			e.user("bob", allow("eks:*", "*"))
		}, []string{"the creator of cluster shop cluster-creator group system:masters", "bob eks-api group system:masters"}},
		{"its own entry", func(e *awsEstate) {
			e.cluster("API")
			e.user("alice", allow("eks:AssociateAccessPolicy", "*"))
			e.user("bob", allow("eks:AssociateAccessPolicy", "*"))
			e.entry(account + ":user/alice").Username = "alice"
		}, []string{"alice eks-api group system:masters", "alice access-entry user alice"}},
		{"a group that has rights", func(e *awsEstate) {
			e.cluster("API")
			e.user("alice", allow("eks:CreateAccessEntry", "*"))
			e.bind(rbacv1.Subject{Kind: "Group", Name: "ops"}, rbacv1.Subject{Kind: "Group", Name: Masters}, rbacv1.Subject{Kind: "User", Name: "boss"})
		}, []string{"alice eks-api group ops", "alice eks-api user boss"}},
		{"a role for pods", func(e *awsEstate) {
			e.cluster("API")
			e.user("alice", allow("iam:PassRole eks:CreatePodIdentityAssociation", "*"))
			e.role(account+":role/app", served("pods.eks"))
		}, []string{"alice pass-role-pods? app"}},
		{"nodes", func(e *awsEstate) {
			e.cluster("API")
			e.user("alice", allow("ssm:StartSession", "*"))
			e.role(account+":role/node", served("ec2"), allow("ssm:UpdateInstanceInformation", "*"))
			estate.Nodegroups.Add(&e.Estate, &estate.Nodegroup{ClusterName: "shop", NodegroupName: "main", NodeRole: account + ":role/node"})
		}, []string{"alice node-session node main", "node main kubelet group system:nodes", "node main metadata node"}},
		{"nodes that no agent manages", func(e *awsEstate) {
			e.cluster("API")
			e.user("alice", allow("ssm:StartSession ec2-instance-connect:*", "*"))
			e.role(account+":role/node", served("ec2"))
			estate.Nodegroups.Add(&e.Estate, &estate.Nodegroup{ClusterName: "shop", NodegroupName: "main", NodeRole: account + ":role/node"})
		}, []string{"alice node-session? node main", "node main kubelet group system:nodes", "node main metadata node"}},
	} {
		e := &awsEstate{}
		c.build(e)
		if diff := cmp.Diff(c.want, e.steps(), inAnyOrder); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, diff)
		}
	}
}

// The tokens of service accounts, from
// https://docs.aws.amazon.com/eks/latest/userguide/associate-service-account-role
func TestPods(t *testing.T) {
	web := func(conditions string) string {
		return `"Principal": {"Federated": "arn:aws:iam::111122223333:oidc-provider/` + issuer + `"}, "Condition": {` + conditions + `}`
	}
	sub := func(operator, value string) string { return fmt.Sprintf(`%q: {"%s:sub": %q}`, operator, issuer, value) }
	node := func(e *awsEstate, hops int) {
		estate.Instances.Add(&e.Estate, &estate.Instance{
			AWS: estate.AWS{Tags: map[string]string{"eks:cluster-name": "shop", "eks:nodegroup-name": "main"}}, InstanceId: "i-1",
			MetadataOptions: estate.MetadataOptions{HttpTokens: estate.Known("required"), HttpPutResponseHopLimit: estate.Known(hops)},
		})
		estate.Nodegroups.Add(&e.Estate, &estate.Nodegroup{ClusterName: "shop", NodegroupName: "main", NodeRole: account + ":role/node"})
		for name, host := range map[string]bool{"web": false, "agent": true} {
			estate.Workloads.Add(&e.Estate, &estate.Workload{
				ObjectMeta: metav1.ObjectMeta{Namespace: "prod", Name: name},
				Template:   corev1.PodTemplateSpec{Spec: corev1.PodSpec{ServiceAccountName: name, HostNetwork: host}},
			})
		}
		e.Sources = append(e.Sources, estate.Source{Coverage: []estate.Coverage{{Kind: estate.NetworkPolicies.Kind, State: estate.Read}}})
	}
	const kubelet = "node main kubelet group system:nodes"
	for _, c := range []struct {
		name  string
		build func(*awsEstate)
		want  []string
	}{
		{"a trust that names the service account", func(e *awsEstate) {
			e.cluster("API")
			e.serviceAccount("prod", "web", account+":role/web")
			e.serviceAccount("prod", "other", "")
			e.role(account+":role/web", web(sub("StringEquals", "system:serviceaccount:prod:web")))
		}, []string{"system:serviceaccount:prod:web web-identity web"}},
		{"a trust that is wider than the annotation", func(e *awsEstate) {
			e.cluster("API")
			e.serviceAccount("prod", "web", account+":role/web")
			e.serviceAccount("prod", "other", "")
			e.serviceAccount("dev", "web", account+":role/web")
			e.role(account+":role/web", web(sub("StringLike", "system:serviceaccount:prod:*")))
		}, []string{"system:serviceaccount:prod:other web-identity? web", "system:serviceaccount:prod:web web-identity web"}},
		{"the key of a cluster that the trust does not let in", func(e *awsEstate) {
			e.cluster("API")
			e.serviceAccount("prod", "web", account+":role/web")
			e.role(account+":role/web", web(`"StringEquals": {"oidc.eks.eu-west-1.amazonaws.com/id/CD:sub": "system:serviceaccount:prod:web"}`))
		}, nil},
		{"an audience of somebody else, another cluster, and a condition", func(e *awsEstate) {
			e.cluster("API")
			e.serviceAccount("prod", "web", account+":role/web")
			e.role(account+":role/web", web(`"StringEquals": {"`+issuer+`:aud": "vault"}`))
			e.role(account+":role/far", `"Principal": {"Federated": "arn:aws:iam::111122223333:oidc-provider/oidc.eks.eu-west-1.amazonaws.com/id/CD"}`)
			e.role(account+":role/office", web(`"IpAddress": {"aws:SourceIp": "192.0.2.0/24"}`))
		}, []string{
			"arn:aws:iam::111122223333:oidc-provider/oidc.eks.eu-west-1.amazonaws.com/id/CD sign-in far",
			"system:serviceaccount:prod:web web-identity? office",
		}},
		{"Pod Identity", func(e *awsEstate) {
			e.cluster("API")
			for _, role := range []string{"web", "closed", "elsewhere", "gone"} {
				estate.PodIdentityAssociations.Add(&e.Estate, &estate.PodIdentityAssociation{ClusterName: "shop", Namespace: "prod", ServiceAccount: "web", RoleArn: account + ":role/" + role})
			}
			e.role(account+":role/web", served("pods.eks")+`, "Condition": {"StringEquals": {"aws:RequestTag/kubernetes-namespace": "prod"}}`)
			e.role(account+":role/closed", served("ec2"))
			e.role(account+":role/elsewhere", served("pods.eks")+`, "Condition": {"StringEquals": {"aws:RequestTag/kubernetes-namespace": "dev"}}`)
		}, []string{"system:serviceaccount:prod:web pod-identity? gone", "system:serviceaccount:prod:web pod-identity web"}},
		{"nodes that answer pods", func(e *awsEstate) { e.cluster("API"); node(e, 2) }, []string{
			kubelet, "node main metadata node",
			"system:serviceaccount:prod:agent metadata node", "system:serviceaccount:prod:web metadata node",
		}},
		{"nodes that answer pods, and a network policy", func(e *awsEstate) {
			e.cluster("API")
			node(e, 2)
			estate.NetworkPolicies.Add(&e.Estate, &estate.Resource[networkingv1.NetworkPolicy]{Object: networkingv1.NetworkPolicy{ObjectMeta: metav1.ObjectMeta{Namespace: "prod"}}})
		}, []string{
			kubelet, "node main metadata node",
			"system:serviceaccount:prod:agent metadata node", "system:serviceaccount:prod:web metadata? node",
		}},
		{"nodes that answer none", func(e *awsEstate) { e.cluster("API"); node(e, 1) }, []string{
			kubelet, "node main metadata node", "system:serviceaccount:prod:agent metadata node",
		}},
	} {
		e := &awsEstate{}
		c.build(e)
		if diff := cmp.Diff(c.want, e.steps(), inAnyOrder); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, diff)
		}
	}
}
