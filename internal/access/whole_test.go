package access

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/eksafe/eksafe/internal/estate"
)

// bound gives a group a right in a namespace by a Role.
func (e *awsEstate) bound(namespace, group string, rules ...rbacv1.PolicyRule) {
	role := &estate.Resource[rbacv1.Role]{Object: rbacv1.Role{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "r"}, Rules: rules}}
	estate.Roles.Add(&e.Estate, role)
	estate.RoleBindings.Add(&e.Estate, &estate.Resource[rbacv1.RoleBinding]{Object: rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "b"}, RoleRef: rbacv1.RoleRef{Kind: "Role", Name: "r"},
		Subjects: []rbacv1.Subject{{Kind: "Group", Name: group}},
	}})
}

// path tells how somebody holds something: "access-entry > create-pod", "itself",
// "nobody".
func path(holders []Holder, who Identity) string {
	i := slices.IndexFunc(holders, func(h Holder) bool { return h.Identity == who })
	if i < 0 {
		return "nobody"
	}
	var out []string
	for _, s := range holders[i].Chain.Steps {
		out = append(out, s.Technique)
	}
	text := strings.Join(out, " > ")
	if text == "" {
		text = "itself"
	}
	if holders[i].Direct() {
		text += " (direct)"
	}
	if holders[i].Certain != Yes {
		text += "?"
	}
	return text
}

// TestWhole goes over both halves: into clusters, out of them, and back.
func TestWhole(t *testing.T) {
	dev, app := Identity{Kind: IAMRole, Name: account + ":role/dev"}, Identity{Kind: IAMRole, Name: account + ":role/app"}
	web := Identity{Kind: ServiceAccount, Namespace: "prod", Name: "web"}
	secrets := func(g *Graph) []Holder { return g.WhoCan(Query{Verb: "get", Resource: "secrets", Namespace: "prod"}) }
	admin, inAWS := (*Graph).ReachAdmin, (*Graph).ReachAccounts
	objects := func(g *Graph) []Holder { return g.WhoCanInAWS("s3:GetObject", "arn:aws:s3:::b/x") }
	deploys := rule("apps", "create", "deployments")
	pods := func(e *awsEstate, statements ...string) {
		e.role(app.Name, served("pods.eks"), statements...)
		estate.PodIdentityAssociations.Add(&e.Estate, &estate.PodIdentityAssociation{ClusterName: "shop", Namespace: "prod", ServiceAccount: "web", RoleArn: app.Name})
	}
	policy := func(e *awsEstate, name string, namespaces ...string) {
		scope := estate.AccessScope{Type: "namespace", Namespaces: namespaces}
		if namespaces == nil {
			scope = estate.AccessScope{Type: "cluster"}
		}
		e.entry(dev.Name).AccessPolicies = estate.Known([]estate.AccessPolicy{{PolicyArn: "arn:aws:eks::aws:cluster-access-policy/" + name, AccessScope: scope}})
	}
	for _, c := range []struct {
		name  string
		build func(*awsEstate)
		ask   func(*Graph) []Holder
		who   Identity
		want  string
	}{
		{"an entry, and a group that reads", func(e *awsEstate) {
			e.entry(dev.Name, "devs")
			e.bound("prod", "devs", rule("", "get", "secrets"))
		}, secrets, dev, "access-entry (direct)"},
		{"an entry, and a group that deploys", func(e *awsEstate) {
			e.entry(dev.Name, "devs")
			e.bound("prod", "devs", deploys)
		}, secrets, dev, "access-entry > create-workload"},
		{"no entry", func(e *awsEstate) { e.bound("prod", "devs", deploys) }, secrets, dev, "nobody"},
		{"an entry, and a group that looks on", func(e *awsEstate) {
			e.entry(dev.Name, "devs")
			e.bound("prod", "devs", rule("apps", "get", "deployments"))
		}, secrets, dev, "nobody"},
		{"an access policy", func(e *awsEstate) { policy(e, "AmazonEKSSecretReaderPolicy", "pr*") }, secrets, dev, "itself (direct)"},
		{"an access policy of another namespace", func(e *awsEstate) { policy(e, "AmazonEKSSecretReaderPolicy", "dev") }, secrets, dev, "nobody"},
		{"an access policy that deploys", func(e *awsEstate) { policy(e, "AmazonEKSEditPolicy", "prod") }, secrets, web, "nobody"},
		{"cluster admin by an access policy", func(e *awsEstate) { policy(e, clusterAdminPolicy) }, admin, dev, "itself (direct)"},
		{"an access entry of its own making", func(e *awsEstate) {
			e.user("alice", allow("eks:*", "*"))
		}, admin, Identity{Kind: IAMUser, Name: account + ":user/alice"}, "eks-api"},
		{"an administrator of the account", func(e *awsEstate) {
			e.user("alice", allowAll)
		}, admin, Identity{Kind: IAMUser, Name: account + ":user/alice"}, "administrator > eks-api"},
		{"an administrator of the account is that", func(e *awsEstate) {
			e.user("alice", allowAll)
		}, inAWS, Identity{Kind: IAMUser, Name: account + ":user/alice"}, "administrator (direct)"},
		{"out of the cluster", func(e *awsEstate) {
			e.entry(dev.Name, "devs")
			e.bound("prod", "devs", deploys)
			pods(e, allow("s3:GetObject", "*"))
		}, objects, dev, "access-entry > create-workload > pod-identity"},
		{"out of the cluster, as it is meant", func(e *awsEstate) { pods(e, allow("s3:GetObject", "*")) }, objects, web, "pod-identity (direct)"},
		{"out of the cluster to another action", func(e *awsEstate) { pods(e, allow("s3:PutObject", "*")) }, objects, web, "nobody"},
		{"out of the cluster and back", func(e *awsEstate) {
			e.entry(dev.Name, "devs")
			e.bound("prod", "devs", deploys)
			pods(e, allowAll)
		}, admin, dev, "access-entry > create-workload > pod-identity > administrator > eks-api"},
		{"by a pod to the account", func(e *awsEstate) {
			e.entry(dev.Name, "devs")
			e.bound("prod", "devs", deploys)
			pods(e, allowAll)
		}, inAWS, dev, "access-entry > create-workload > pod-identity > administrator"},
		{"a role of nodes is some node", func(e *awsEstate) {
			e.entry(dev.Name).Type = "EC2_LINUX"
			e.bound("prod", "system:serviceaccounts:prod", rule("", "get", "secrets"))
			estate.Workloads.Add(&e.Estate, &estate.Workload{Controller: "Deployment", ObjectMeta: metav1.ObjectMeta{Namespace: "prod", Name: "w"}})
		}, secrets, dev, "access-entry > pod-on-node?"},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := &awsEstate{}
			e.cluster("API")
			e.role(dev.Name, trusts(account+":root"))
			e.serviceAccount("prod", "web", "")
			c.build(e)
			if got := path(c.ask(Whole(&e.Estate)), c.who); got != c.want {
				t.Errorf("%s, want %s", got, c.want)
			}
		})
	}
}

// Another cluster's users and groups are nobody in the one whose bindings are
// known.
func TestWholeOfAnotherCluster(t *testing.T) {
	dev := Identity{Kind: IAMRole, Name: account + ":role/dev"}
	e := &awsEstate{}
	e.cluster("API")
	other := e.cluster("API")
	other.Name, other.Arn = "other", "arn:aws:eks:eu-west-1:111122223333:cluster/other"
	e.entry(dev.Name, "devs").ClusterName = "other"
	e.role(dev.Name, trusts(account+":root"))
	estate.ClusterRoles.Add(&e.Estate, &estate.Resource[rbacv1.ClusterRole]{Object: rbacv1.ClusterRole{
		ObjectMeta: metav1.ObjectMeta{Name: "reader"}, Rules: []rbacv1.PolicyRule{rule("", "get", "secrets")},
	}})
	for _, group := range []string{"devs", authenticated} {
		b := &estate.Resource[rbacv1.ClusterRoleBinding]{Object: rbacv1.ClusterRoleBinding{
			ObjectMeta: metav1.ObjectMeta{Name: group}, RoleRef: rbacv1.RoleRef{Kind: "ClusterRole", Name: "reader"}, Subjects: []rbacv1.Subject{{Kind: "Group", Name: group}},
		}}
		b.Origin.Cluster = "arn:aws:eks:eu-west-1:111122223333:cluster/shop"
		estate.ClusterRoleBindings.Add(&e.Estate, b)
	}
	ask := func() string {
		return path(Whole(&e.Estate).WhoCan(Query{Verb: "get", Resource: "secrets", Namespace: "prod"}), dev)
	}
	if got := ask(); got != "nobody" {
		t.Errorf("by an entry of the other cluster: %s", got)
	}
	e.entry(dev.Name)
	if got := ask(); got != "access-entry (direct)" {
		t.Errorf("by an entry of this cluster: %s", got)
	}
}

// What AWS keeps to itself is said, not guessed.
func TestWholeSaysWhatIsNotKnown(t *testing.T) {
	e := &awsEstate{}
	e.cluster("API")
	e.entry(account + ":role/dev").AccessPolicies = estate.Known([]estate.AccessPolicy{{
		PolicyArn: "arn:aws:eks::aws:cluster-access-policy/AmazonEKSComputePolicy", AccessScope: estate.AccessScope{Type: "cluster"},
	}})
	e.entry(account + ":role/ops").AccessPolicies = estate.Optional[[]estate.AccessPolicy]{}
	unread := strings.Join(Whole(&e.Estate).Unread(), "\n")
	for _, want := range []string{"AmazonEKSComputePolicy, and what that allows is not known", "the access policies of " + account + ":role/ops are not known"} {
		if !strings.Contains(unread, want) {
			t.Errorf("%q lacks %q", unread, want)
		}
	}
}

// Whose policies were not read may do it, and the answer says why.
func TestWhoCanInAWSSaysWhy(t *testing.T) {
	e := &awsEstate{}
	e.role(account+":role/app", served("pods.eks")).ManagedPolicyArns = estate.Known([]string{account + ":policy/lost"})
	holders := Whole(&e.Estate).WhoCanInAWS("s3:GetObject", "")
	if len(holders) != 1 || holders[0].Certain != Unclear || len(holders[0].Chain.Grants) != 1 || !strings.Contains(holders[0].Chain.Grants[0].Says, "lost") {
		t.Errorf("%+v", holders)
	}
}

// A policy of AWS that templates only name decides nothing else: whoever has, or
// becomes somebody who has, no other way is told apart, and everybody is there.
func TestUnreadPoliciesOfAWS(t *testing.T) {
	const node, registry = "arn:aws:iam::aws:policy/AmazonEKSWorkerNodePolicy", "arn:${AWS::Partition}:iam::aws:policy/AmazonEC2ContainerRegistryReadOnly"
	const guarded = `"Effect": "Allow", "Action": "*", "Resource": "*", "Condition": {"StringEquals": {"aws:PrincipalTag/team": "core"}}`
	attach := func(r *estate.IAMRole, arns ...string) { r.ManagedPolicyArns = estate.Known(arns) }
	trusted := func(name string) string { return `"Principal": {"AWS": "` + account + ":role/" + name + `"}` }

	e := &awsEstate{}
	attach(e.role(account+":role/node", served("ec2")), node, registry, node)
	e.role(account+":role/over-node", "")
	attach(e.role(account+":role/pod", trusted("over-node")), registry)
	attach(e.role(account+":role/ours", served("ec2")), account+":policy/lost")
	attach(e.role(account+":role/both", served("ec2")), node, account+":policy/lost")
	attach(e.role(account+":role/guarded", trusted("two-ways"), guarded), node)
	attach(e.role(account+":role/two-ways", served("ec2")), registry)
	attach(e.role(account+":role/known", served("ec2"), `"Effect": "Allow", "Action": "*", "Resource": "*"`), node)
	e.role(account+":role/nobody", served("ec2"), `"Effect": "Allow", "Action": "ec2:Describe*", "Resource": "*"`)
	attach(e.role(account+":role/denied", served("ec2"), `"Effect": "Deny", "Action": "*", "Resource": "*"`), node)

	want := map[string]string{
		"node": "unclear " + registry + " " + node, "pod": "unclear " + registry, "over-node": "unclear " + registry,
		"ours": "unclear", "both": "unclear", "guarded": "unclear", "two-ways": "unclear", "known": "yes",
	}
	got := func(holders []Holder) map[string]string {
		out := map[string]string{}
		for _, h := range holders {
			out[estate.ShortName(h.Identity.Name)] = strings.Join(append([]string{h.Certain.String()}, h.Unread...), " ")
		}
		return out
	}
	g := Whole(&e.Estate)
	if diff := cmp.Diff(want, got(g.ReachAccounts())); diff != "" {
		t.Errorf("administrators (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(want, got(g.WhoCanInAWS("secretsmanager:GetSecretValue", ""))); diff != "" {
		t.Errorf("an action (-want +got):\n%s", diff)
	}
	twoWays := Identity{Kind: IAMRole, Name: account + ":role/two-ways"}
	if got := path(g.ReachAccounts(), twoWays); got != "assume-role > administrator (direct)?" {
		t.Errorf("the way by a policy that was not read hides another one: %s", got)
	}
	s := g.Of(Identity{Kind: IAMRole, Name: account + ":role/pod"})
	if s.Account == nil || s.Account.Certain != Unclear || !slices.Equal(s.Account.Unread, []string{registry}) {
		t.Errorf("one principal: %+v", s.Account)
	}
}

// A principal of a template has no ARN yet, and is found by the one it will
// have.
func TestWholeOfATemplate(t *testing.T) {
	e := &awsEstate{}
	e.cluster("API_AND_CONFIG_MAP")
	e.role("Pipeline", served("codebuild")).RoleName = "pipeline"
	e.auth(estate.AWSAuth{Roles: []estate.AWSAuthEntry{{Arn: account + ":role/pipeline", Username: "p", Groups: []string{Masters}}}})
	g := Whole(&e.Estate)
	if got := path(g.ReachAdmin(), Identity{Kind: IAMRole, Name: "Pipeline"}); got != "aws-auth (direct)" {
		t.Errorf("in the cluster: %s", got)
	}
	s := g.Of(Identity{Kind: IAMRole, Name: account + ":role/pipeline"})
	if !s.Known || s.Admin == nil || s.Account != nil {
		t.Errorf("by its ARN: %+v", s)
	}
}
