package access

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/eksafe/eksafe/internal/estate"
)

var day = time.Date(2026, 11, 1, 10, 0, 0, 0, time.UTC)

func TestSuggest(t *testing.T) {
	logs := func(u *Usage) *Usage { u.From, u.To = day, day.AddDate(0, 0, 7); return u }
	called := func(calls ...string) *Usage {
		u := logs(&Usage{})
		for _, c := range calls {
			service, name, _ := strings.Cut(c, ":")
			u.Saw(service, name, "e1", day, false)
		}
		return u
	}
	accessed := func(used, unused string) *Usage {
		u := &Usage{Accessed: map[string]time.Time{}, Since: day.AddDate(-1, 0, 0)}
		for _, s := range strings.Fields(used) {
			u.Accessed[s] = day
		}
		for _, s := range strings.Fields(unused) {
			u.Accessed[s] = time.Time{}
		}
		return u
	}
	both := func(a, b *Usage) *Usage { a.Calls, a.Data, a.From, a.To = b.Calls, b.Data, b.From, b.To; return a }
	for _, c := range []struct {
		name      string
		statement string
		usage     *Usage
		kept      []string // "action"
		dropped   []string
	}{
		{"by services: what is used stays as it is granted", allow("ec2:Describe* sqs:SendMessage", "*"), accessed("ec2", "sqs"), []string{"ec2:Describe*"}, []string{"sqs:SendMessage"}},
		{"by services: everything becomes the services that are used", allowAll, accessed("ec2 s3", "sqs"), []string{"ec2:*", "s3:*"}, []string{"*", "sqs:*"}},
		{"by services: all but some", `"Effect": "Allow", "NotAction": ["iam:*", "ec2:*"], "Resource": "*"`, accessed("ec2 sqs iam", ""), []string{"sqs:*"}, []string{"*"}},
		{"by services: one that IAM does not tell of", allow("ec2:* batch:*", "*"), accessed("ec2", ""), []string{"batch:*", "ec2:*"}, nil},
		{"by calls", allow("ec2:* sqs:*", "*"), called("ec2:DescribeInstances", "ec2:DescribeVpcs"), []string{"ec2:DescribeInstances", "ec2:DescribeVpcs"}, []string{"ec2:*", "sqs:*"}},
		{"by calls: those that are granted", allow("ec2:Describe* ec2:RunInstances", "*"), called("ec2:DescribeInstances", "ec2:StopInstances"), []string{"ec2:DescribeInstances"}, []string{"ec2:Describe*", "ec2:RunInstances"}},
		{"by calls: everything", allowAll, called("ec2:DescribeInstances", "monitoring:PutMetricData"), []string{"cloudwatch:PutMetricData", "ec2:DescribeInstances"}, []string{"*"}},
		{"by calls: services whose calls tell nothing", allow("s3:GetObject dynamodb:Query", "*"), called("ec2:DescribeInstances"), []string{"dynamodb:Query", "s3:GetObject"}, nil},
		{"by calls: a right that no call shows", allow("iam:PassRole iam:CreateRole", "*"), called("ec2:RunInstances"), []string{"iam:PassRole"}, []string{"iam:CreateRole"}},
		{"both: a service that IAM saw and the logs did not", allow("ec2:* sqs:*", "*"), both(accessed("sqs", "ec2"), called("kms:Decrypt")), []string{"sqs:*"}, []string{"ec2:*"}},
		{"both: nothing of a service that neither saw, S3 included", allow("s3:*", "*"), both(accessed("", "s3"), called("kms:Decrypt")), nil, []string{"s3:*"}},
	} {
		p := user(t, c.statement, statement("Deny", "iam:*", "*"))
		got := Suggest(p, c.usage).Policies
		what := func(reasons []Reason) []string {
			var out []string
			for _, r := range reasons {
				if r.Why == "" {
					t.Errorf("%s: no reason for %s", c.name, r.What)
				}
				out = append(out, r.What)
			}
			return out
		}
		if diff := cmp.Diff([][]string{c.kept, c.dropped}, [][]string{what(got[0].Kept), what(got[0].Dropped)}); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, diff)
		}
		if got[1].Before != got[1].After {
			t.Errorf("%s: a denial changed:\n%s", c.name, got[1].After)
		}
		if (got[0].After == "") != (len(c.kept) == 0) {
			t.Errorf("%s: %d actions stay in:\n%s", c.name, len(c.kept), got[0].After)
		}
		if got[0].After == "" {
			continue
		}
		// What is suggested is a policy, and allows nothing that was not allowed.
		d, err := Parse(got[0].After)
		if err != nil {
			t.Fatalf("%s: %v in\n%s", c.name, err, got[0].After)
		}
		for _, s := range d.Statements {
			for _, action := range s.Actions {
				if before, _ := p.Policies[0].Document.decide(Request{Action: action, Resource: "arn:aws:x:::y"}); before != Yes && !strings.HasSuffix(action, ":*") {
					t.Errorf("%s: %s was not allowed before", c.name, action)
				}
			}
		}
	}
}

func TestSuggestKeepsTheRest(t *testing.T) {
	text := `{
  "Version": "2012-10-17",
  "Statement": [
    {
      "Sid": "Tags",
      "Effect": "Allow",
      "Action": "ec2:DescribeInstances",
      "Resource": [
        "arn:aws:ec2:*:*:instance/<a>",
        "arn:aws:ec2:*:*:vpc/*"
      ],
      "Condition": {
        "StringEquals": {
          "aws:ResourceTag/team": "shop"
        }
      }
    }
  ]
}
`
	d, err := Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	u := &Usage{Accessed: map[string]time.Time{"ec2": day}}
	p := &Principal{Policies: []*Policy{
		{Name: "own", Document: d}, {Name: "shared", Via: "people", Document: d}, {Name: "gone", Why: "policy gone was not read"},
	}}
	s := Suggest(p, u)
	if len(s.Policies) != 1 || s.Policies[0].Before != text || s.Policies[0].After != text {
		t.Errorf("the policy became\n%s", s.Policies[0].After)
	}
	if diff := cmp.Diff([]string{"the members of group people share shared; it is left as it is", "policy gone was not read"}, s.Notes); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestSuggestRoles(t *testing.T) {
	e := &estate.Estate{}
	estate.Roles.Add(e, &estate.Resource[rbacv1.Role]{Object: rbacv1.Role{
		ObjectMeta: metav1.ObjectMeta{Namespace: "prod", Name: "deployer"},
		Rules: []rbacv1.PolicyRule{
			{APIGroups: []string{"apps"}, Resources: []string{"*"}, Verbs: []string{"*"}},
			{APIGroups: []string{""}, Resources: []string{"pods", "*/exec"}, Verbs: []string{"get", "create"}},
			{APIGroups: []string{""}, Resources: []string{"secrets"}, Verbs: []string{"get"}, ResourceNames: []string{"tls"}},
			{APIGroups: []string{""}, Resources: []string{"configmaps"}, Verbs: []string{"get", "update"}, ResourceNames: []string{"a", "b"}},
		},
	}})
	estate.ClusterRoles.Add(e, &estate.Resource[rbacv1.ClusterRole]{Object: rbacv1.ClusterRole{
		ObjectMeta: metav1.ObjectMeta{Name: "metrics"}, Rules: []rbacv1.PolicyRule{{NonResourceURLs: []string{"/metrics*"}, Verbs: []string{"get"}}},
	}})
	web := rbacv1.Subject{Kind: "ServiceAccount", Namespace: "prod", Name: "web"}
	estate.RoleBindings.Add(e, &estate.Resource[rbacv1.RoleBinding]{Object: rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Namespace: "prod", Name: "web"}, RoleRef: rbacv1.RoleRef{Kind: "Role", Name: "deployer"}, Subjects: []rbacv1.Subject{web},
	}})
	bind := func(name, role string, s rbacv1.Subject) {
		estate.ClusterRoleBindings.Add(e, &estate.Resource[rbacv1.ClusterRoleBinding]{Object: rbacv1.ClusterRoleBinding{
			ObjectMeta: metav1.ObjectMeta{Name: name}, RoleRef: rbacv1.RoleRef{Kind: "ClusterRole", Name: role}, Subjects: []rbacv1.Subject{s},
		}})
	}
	bind("a", "metrics", web)
	bind("b", "gone", web)
	bind("c", "metrics", rbacv1.Subject{Kind: "Group", Name: "system:serviceaccounts:prod"})
	bind("d", "metrics", rbacv1.Subject{Kind: "User", Name: "web"})
	calls := []*KubernetesCall{
		{Verb: "patch", Group: "apps", Resource: "deployments", Namespace: "prod", Name: "web", Count: 2, Last: day},
		{Verb: "patch", Group: "apps", Resource: "statefulsets", Namespace: "prod", Count: 1, Last: day},
		{Verb: "create", Resource: "pods/exec", Namespace: "prod", Name: "web", Count: 1, Last: day},
		{Verb: "get", Resource: "secrets", Namespace: "prod", Name: "other", Count: 1, Last: day},
		{Verb: "get", Resource: "configmaps", Namespace: "prod", Name: "a", Count: 1, Last: day},
		{Verb: "get", Group: "apps", Resource: "deployments", Namespace: "dev", Count: 1, Last: day},
		{Verb: "get", Path: "/metrics/cadvisor", Count: 1},
	}
	s := SuggestRoles(e, Identity{Kind: ServiceAccount, Namespace: "prod", Name: "web"}, calls, day, day)
	want := &Suggestion{
		Policies: []Reduction{
			{
				Name: "ClusterRole metrics by ClusterRoleBinding a", Before: "rules:\n- nonResourceURLs: [\"/metrics*\"]\n  verbs: [\"get\"]\n",
				After: "rules:\n- nonResourceURLs: [\"/metrics/cadvisor\"]\n  verbs: [\"get\"]\n",
				Kept:  []Reason{{"get /metrics/cadvisor", "called once"}}, Dropped: []Reason{},
			},
			{
				Name: "Role deployer by RoleBinding web in namespace prod",
				Before: "rules:\n- apiGroups: [\"apps\"]\n  resources: [\"*\"]\n  verbs: [\"*\"]\n- apiGroups: [\"\"]\n  resources: [\"pods\", \"*/exec\"]\n  verbs: [\"get\", \"create\"]\n" +
					"- apiGroups: [\"\"]\n  resources: [\"secrets\"]\n  resourceNames: [\"tls\"]\n  verbs: [\"get\"]\n" +
					"- apiGroups: [\"\"]\n  resources: [\"configmaps\"]\n  resourceNames: [\"a\", \"b\"]\n  verbs: [\"get\", \"update\"]\n",
				After: "rules:\n- apiGroups: [\"apps\"]\n  resources: [\"deployments\", \"statefulsets\"]\n  verbs: [\"patch\"]\n- apiGroups: [\"\"]\n  resources: [\"pods/exec\"]\n  verbs: [\"create\"]\n" +
					"- apiGroups: [\"\"]\n  resources: [\"configmaps\"]\n  resourceNames: [\"a\", \"b\"]\n  verbs: [\"get\"]\n",
				Kept: []Reason{
					{"create pods/exec", "called once, last on 2026-11-01"}, {"get configmaps", "called once, last on 2026-11-01"}, {"patch deployments.apps", "called 2 times, last on 2026-11-01"},
					{"patch statefulsets.apps", "called once, last on 2026-11-01"},
				},
				Dropped: []Reason{{"get secrets", "no request in the logs from 2026-11-01 to 2026-11-01"}},
			},
		},
		Notes: []string{"ClusterRole gone by ClusterRoleBinding b was not read", "the members of group system:serviceaccounts:prod share ClusterRole metrics by ClusterRoleBinding c; it is left as it is"},
	}
	if diff := cmp.Diff(want, s); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}
