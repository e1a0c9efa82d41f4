package access_test

import (
	"fmt"
	"math/rand/v2"
	"syscall"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/eksafe/eksafe/internal/access"
	"github.com/eksafe/eksafe/internal/access/accesstest"
	"github.com/eksafe/eksafe/internal/estate"
)

// A crowd is how big a cluster is.
type crowd struct{ roles, subjects, namespaces int }

// big is the cluster by which the speed is held.
var big = crowd{5_000, 2_000, 500}

// estate makes a cluster of that size: each namespace has a share of the roles,
// nearly all of them with rules of their own, two bindings a role, of three
// subjects each, and some are for the whole cluster.
func (c crowd) estate() *estate.Estate {
	e := &estate.Estate{}
	c.settle(e)
	return e
}

func (c crowd) settle(e *estate.Estate) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, k := range []estate.Kind{estate.Roles.Kind, estate.ClusterRoles.Kind, estate.RoleBindings.Kind, estate.ClusterRoleBindings.Kind,
		estate.Namespaces.Kind, estate.Workloads.Kind, estate.ServiceAccounts.Kind} {
		e.Sources = append(e.Sources, estate.Source{Coverage: []estate.Coverage{{Kind: k, State: estate.Read}}})
	}
	namespace := func(i int) string { return fmt.Sprintf("ns-%d", i%c.namespaces) }
	for i := range c.namespaces {
		n := &estate.Resource[corev1.Namespace]{}
		n.Object.Name = namespace(i)
		if i%3 > 0 {
			n.Object.Labels = map[string]string{"pod-security.kubernetes.io/enforce": "baseline"}
		}
		estate.Namespaces.Add(e, n)
		for j := range 3 {
			w := &estate.Workload{Controller: "Deployment", ObjectMeta: metav1.ObjectMeta{Namespace: n.Object.Name, Name: fmt.Sprintf("app-%d", j)}}
			w.Template.Spec.ServiceAccountName = fmt.Sprintf("sa-%d", i+j*c.namespaces)
			estate.Workloads.Add(e, w)
		}
	}
	subject := func() rbacv1.Subject {
		n := r.IntN(c.subjects)
		switch n % 4 {
		case 0:
			return rbacv1.Subject{Kind: "User", Name: fmt.Sprintf("user-%d", n)}
		case 1:
			return rbacv1.Subject{Kind: "Group", Name: fmt.Sprintf("group-%d", n)}
		}
		return rbacv1.Subject{Kind: "ServiceAccount", Namespace: namespace(n), Name: fmt.Sprintf("sa-%d", n)}
	}
	pools := []rbacv1.PolicyRule{
		{Verbs: []string{"get", "list", "watch"}, APIGroups: []string{""}, Resources: []string{"pods", "services", "configmaps"}},
		{Verbs: []string{"get", "list"}, APIGroups: []string{""}, Resources: []string{"secrets"}},
		{Verbs: []string{"create", "patch"}, APIGroups: []string{"apps"}, Resources: []string{"deployments"}},
		{Verbs: []string{"create"}, APIGroups: []string{""}, Resources: []string{"pods/exec"}},
		{Verbs: []string{"impersonate"}, APIGroups: []string{""}, Resources: []string{"serviceaccounts"}},
		{Verbs: []string{"bind"}, APIGroups: []string{"rbac.authorization.k8s.io"}, Resources: []string{"roles", "clusterroles"}},
		{Verbs: []string{"create"}, APIGroups: []string{"rbac.authorization.k8s.io"}, Resources: []string{"rolebindings"}},
		{Verbs: []string{"*"}, APIGroups: []string{"batch"}, Resources: []string{"*"}},
	}
	for i := range c.roles {
		rules := []rbacv1.PolicyRule{{Verbs: []string{"get", "update"}, APIGroups: []string{fmt.Sprintf("g%d.example.com", i)}, Resources: []string{"things"}}}
		for range 4 {
			rules = append(rules, pools[r.IntN(len(pools))])
		}
		name, ref := fmt.Sprintf("role-%d", i), rbacv1.RoleRef{Kind: "Role", Name: fmt.Sprintf("role-%d", i)}
		if i%20 == 0 {
			role := &estate.Resource[rbacv1.ClusterRole]{}
			role.Object.Name, role.Object.Rules = name, rules
			estate.ClusterRoles.Add(e, role)
			ref.Kind = "ClusterRole"
		} else {
			role := &estate.Resource[rbacv1.Role]{}
			role.Object.Namespace, role.Object.Name, role.Object.Rules = namespace(i), name, rules
			estate.Roles.Add(e, role)
		}
		if i%100 == 0 {
			b := &estate.Resource[rbacv1.ClusterRoleBinding]{}
			b.Object.Name, b.Object.RoleRef, b.Object.Subjects = name, ref, []rbacv1.Subject{subject()}
			estate.ClusterRoleBindings.Add(e, b)
		}
		for j := range 2 {
			b := &estate.Resource[rbacv1.RoleBinding]{}
			b.Object.Namespace, b.Object.Name, b.Object.RoleRef = namespace(i), fmt.Sprintf("%s-%d", name, j), ref
			b.Object.Subjects = []rbacv1.Subject{subject(), subject(), subject()}
			estate.RoleBindings.Add(e, b)
		}
	}
}

// joined is the cluster with a large account around it: one role in three gets
// in as a group, and one pod in three gets out as a role.
func (c crowd) joined() *estate.Estate {
	e := access.Account2000()
	shop := estate.Clusters.In(e)[0].Name
	for i, r := range estate.IAMRoles.In(e) {
		switch i % 3 {
		case 0:
			estate.AccessEntries.Add(e, &estate.AccessEntry{
				AWS: estate.AWS{Arn: "entry/" + r.RoleName}, ClusterName: shop, PrincipalArn: r.Arn,
				KubernetesGroups: []string{fmt.Sprintf("group-%d", (i*4+1)%c.subjects)}, AccessPolicies: estate.Known([]estate.AccessPolicy{}),
			})
		case 1:
			estate.PodIdentityAssociations.Add(e, &estate.PodIdentityAssociation{
				AWS: estate.AWS{Arn: "association/" + r.RoleName}, ClusterName: shop, Namespace: fmt.Sprintf("ns-%d", i%c.namespaces), ServiceAccount: fmt.Sprintf("sa-%d", i), RoleArn: r.Arn,
			})
		}
	}
	c.settle(e)
	return e
}

// operated is the cluster with operators of the custom resources that its roles
// are about, each of fifty groups.
func (c crowd) operated() *estate.Estate {
	e := c.estate()
	const operators = 100
	for i := range operators {
		name, account := fmt.Sprintf("operator-%d", i), access.Identity{Kind: access.ServiceAccount, Namespace: "operators", Name: fmt.Sprintf("operator-%d", i)}
		rule := rbacv1.PolicyRule{Verbs: []string{"update"}, Resources: []string{"things/status"}}
		for j := range c.roles / operators {
			rule.APIGroups = append(rule.APIGroups, fmt.Sprintf("g%d.example.com", i+j*operators))
		}
		role := &estate.Resource[rbacv1.ClusterRole]{}
		role.Object.Name, role.Object.Rules = name, []rbacv1.PolicyRule{rule}
		estate.ClusterRoles.Add(e, role)
		b := &estate.Resource[rbacv1.ClusterRoleBinding]{}
		b.Object.Name, b.Object.RoleRef = name, rbacv1.RoleRef{Kind: "ClusterRole", Name: name}
		b.Object.Subjects = []rbacv1.Subject{{Kind: "ServiceAccount", Namespace: account.Namespace, Name: account.Name}}
		estate.ClusterRoleBindings.Add(e, b)
		accesstest.Run(e, account)
	}
	return e
}

func BenchmarkBuildOperated(b *testing.B) {
	e := big.operated()
	for b.Loop() {
		access.New(e)
	}
}

func BenchmarkWhole(b *testing.B) {
	e := big.joined()
	for b.Loop() {
		access.Whole(e)
	}
}

func BenchmarkBuild(b *testing.B) {
	e := big.estate()
	for b.Loop() {
		access.New(e)
	}
}

func BenchmarkWhoCan(b *testing.B) {
	g := access.New(big.estate())
	for b.Loop() {
		g.WhoCan(access.Query{Verb: "get", Resource: "secrets", Namespace: "ns-7"})
	}
}

func BenchmarkReachAdmin(b *testing.B) {
	g := access.New(big.estate())
	for b.Loop() {
		g.ReachAdmin()
	}
}

func BenchmarkStanding(b *testing.B) {
	g := access.New(big.estate())
	for b.Loop() {
		g.Of(access.Identity{Kind: access.KubernetesGroup, Name: "group-1"})
	}
}

// cpu is the time that this process has computed: the machine may do other
// things meanwhile.
func cpu(t testing.TB) time.Duration {
	t.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// The limits are twice those of an idle core (2 s to build, 50 ms to ask), and
// room for the race detector: what is a square where it should be a line takes a hundred times as long.
func TestSpeed(t *testing.T) {
	if testing.Short() {
		t.Skip("builds a big cluster")
	}
	e := big.estate()
	start := cpu(t)
	g := access.New(e)
	built := cpu(t) - start
	start = cpu(t)
	const questions = 10
	n := 0
	for i := range questions {
		n = len(g.WhoCan(access.Query{Verb: "get", Resource: "secrets", Namespace: fmt.Sprintf("ns-%d", i)}))
	}
	asked := (cpu(t) - start) / questions
	t.Logf("built in %v, asked in %v of CPU: %d can", built, asked, n)
	if n < 100 || n > 3_000 {
		t.Errorf("%d can: the crowd is none in which some can and some cannot", n)
	}
	if built > 20*time.Second || asked > time.Second {
		t.Errorf("built in %v, asked in %v of CPU", built, asked)
	}

	e = big.joined()
	start = cpu(t)
	whole := access.Whole(e)
	built = cpu(t) - start
	start = cpu(t)
	roles := 0
	for _, h := range whole.WhoCan(access.Query{Verb: "get", Resource: "secrets", Namespace: "ns-7"}) {
		if h.Identity.Kind == access.IAMRole {
			roles++
		}
	}
	asked = cpu(t) - start
	t.Logf("with the account: built in %v, asked in %v of CPU: %d roles can", built, asked, roles)
	if roles < 100 {
		t.Errorf("%d roles can: the account is beside the cluster", roles)
	}
	if built > 20*time.Second || asked > 2*time.Second {
		t.Errorf("with the account: built in %v, asked in %v of CPU", built, asked)
	}
}
