package access

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/eksafe/eksafe/internal/estate"
)

// An awsEstate is put together a principal at a time.
type awsEstate struct{ estate.Estate }

const otherAccount = "arn:aws:iam::444455556666"

func (e *awsEstate) user(name string, statements ...string) *estate.User {
	u := &estate.User{
		AWS: estate.AWS{Arn: account + ":user/" + name}, UserName: name, Policies: estate.Known(inline(statements...)),
		ManagedPolicyArns: estate.Known([]string{}), PermissionsBoundary: estate.Known(""),
		AccessKeys: estate.Known([]estate.AccessKey{}), ConsoleAccess: estate.Known(true), MFADevices: estate.Known([]string{}),
	}
	estate.Users.Add(&e.Estate, u)
	return u
}

// role adds a role; trust is what stands before the action of its one statement.
func (e *awsEstate) role(arn, trust string, statements ...string) *estate.IAMRole {
	r := &estate.IAMRole{
		AWS: estate.AWS{Arn: arn}, RoleName: estate.ShortName(arn), Policies: estate.Known(inline(statements...)),
		ManagedPolicyArns: estate.Known([]string{}), PermissionsBoundary: estate.Known(""),
	}
	if trust != "" {
		r.AssumeRolePolicyDocument = estate.Known(document(`"Effect": "Allow", "Action": ["sts:AssumeRole", "sts:AssumeRoleWithWebIdentity", "sts:AssumeRoleWithSAML"], ` + trust))
	}
	estate.IAMRoles.Add(&e.Estate, r)
	return r
}

func (e *awsEstate) managed(name, statement string) string {
	arn := account + ":policy/" + name
	estate.ManagedPolicies.Add(&e.Estate, &estate.ManagedPolicy{AWS: estate.AWS{Arn: arn}, ManagedPolicyName: name, PolicyDocument: estate.Known(document(statement))})
	return arn
}

// steps renders the steps of some, without those that administrators have.
func (e *awsEstate) steps(techniques ...string) []string {
	var out []string
	for _, s := range AWSSteps(&e.Estate) {
		if len(techniques) == 0 && (s.Technique == "administer" || s.Technique == "administrator" || s.From.Kind == Administrator) {
			continue
		}
		if len(techniques) > 0 && !slices.Contains(techniques, s.Technique) {
			continue
		}
		certain := ""
		if s.Certain != Yes {
			certain = "?"
		}
		out = append(out, short(s.From)+" "+s.Technique+certain+" "+short(s.To))
	}
	return out
}

func short(i Identity) string {
	switch i.Kind {
	case IAMUser, IAMRole, IAMGroup:
		if a := accountOf(i.Name); a != "" && a != "111122223333" {
			return a + "/" + estate.ShortName(i.Name)
		}
		return estate.ShortName(i.Name)
	case Administrator:
		return "admin"
	}
	return i.String()
}

func statement(effect, actions, resource string) string {
	return fmt.Sprintf(`"Effect": %q, "Action": ["%s"], "Resource": %q`, effect, strings.ReplaceAll(actions, " ", `", "`), resource)
}

func allow(actions, resource string) string { return statement("Allow", actions, resource) }

func trusts(arn string) string { return fmt.Sprintf(`"Principal": {"AWS": %q}`, arn) }

func served(service string) string {
	return fmt.Sprintf(`"Principal": {"Service": "%s.amazonaws.com"}`, service)
}

// inAnyOrder leaves aside that steps are listed by their identities.
var inAnyOrder = cmpopts.SortSlices(strings.Compare)

const allowAll = `"Effect": "Allow", "Action": "*", "Resource": "*"`

// The rules of one account and of two, from
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
// and its page on access across accounts.
func TestAssume(t *testing.T) {
	takes := allow("sts:AssumeRole", "*")
	for _, c := range []struct {
		name  string
		build func(*awsEstate)
		want  []string
	}{
		{"a trust that names a user is enough", func(e *awsEstate) {
			e.user("alice")
			e.role(account+":role/app", trusts(account+":user/alice"))
		}, []string{"alice assume-role app"}},
		{"a trust of the account leaves it to the policies", func(e *awsEstate) {
			e.user("alice", takes)
			e.user("bob")
			e.role(account+":role/app", trusts(account+":root"))
			e.role(account+":role/by-number", trusts("111122223333"))
		}, []string{"alice assume-role app", "alice assume-role by-number"}},
		{"policies without a trust are not enough", func(e *awsEstate) {
			e.user("alice", takes)
			e.role(account+":role/app", served("lambda"))
		}, nil},
		{"another account needs both", func(e *awsEstate) {
			e.role(otherAccount+":role/with", served("ec2"), takes)
			e.role(otherAccount+":role/without", served("ec2"))
			e.role(account+":role/app", `"Principal": {"AWS": ["`+otherAccount+`:role/with", "`+otherAccount+`:role/without"]}`)
		}, []string{"444455556666/with assume-role app"}},
		{"an account that was not read", func(e *awsEstate) {
			e.role(account+":role/app", trusts(otherAccount+":root"))
			e.role(account+":role/named", trusts(otherAccount+":role/ci"))
		}, []string{"account 444455556666 assume-role app", "444455556666/ci assume-role named"}},
		{"a principal that is gone", func(e *awsEstate) {
			e.user("alice")
			e.role(account+":role/app", trusts(account+":user/gone"))
		}, []string{"gone assume-role? app"}},
		{"everybody", func(e *awsEstate) {
			e.user("alice")
			e.role(account+":role/app", `"Principal": "*"`)
		}, []string{"anybody with an AWS account assume-role app", "alice assume-role app"}},
		{"denied by the principal", func(e *awsEstate) {
			e.user("alice", statement("Deny", "sts:*", "*"))
			e.role(account+":role/app", trusts(account+":user/alice"))
		}, nil},
		{"denied by the trust", func(e *awsEstate) {
			e.user("alice", takes)
			r := e.role(account+":role/app", "")
			r.AssumeRolePolicyDocument = estate.Known(`{"Statement": [
				{"Effect": "Allow", "Principal": {"AWS": "111122223333"}, "Action": "sts:AssumeRole"},
				{"Effect": "Deny", "Principal": {"AWS": "` + account + `:user/alice"}, "Action": "sts:*"}]}`)
		}, nil},
		{"all but", func(e *awsEstate) {
			e.user("alice", takes)
			e.user("bob", takes)
			r := e.role(account+":role/app", "")
			r.AssumeRolePolicyDocument = estate.Known(`{"Statement": [
				{"Effect": "Allow", "Principal": {"AWS": "111122223333"}, "Action": "sts:AssumeRole"},
				{"Effect": "Deny", "NotPrincipal": {"AWS": "` + account + `:user/alice"}, "Action": "sts:*"}]}`)
		}, []string{"alice assume-role app"}},
		{"a session", func(e *awsEstate) {
			e.role(account+":role/team/dev", served("ec2"))
			e.role(account+":role/app", trusts("arn:aws:sts::111122223333:assumed-role/dev/alice"))
		}, []string{"dev assume-role app"}},
		{"a second factor, of a person and of a role", func(e *awsEstate) {
			e.user("alice")
			e.role(account+":role/dev", served("ec2"))
			e.role(account+":role/app", `"Principal": {"AWS": ["`+account+`:user/alice", "`+account+`:role/dev"]}, `+mfa)
		}, []string{"dev assume-role? app", "alice assume-role app"}},
		{"a condition that is not decided", func(e *awsEstate) {
			e.user("alice")
			e.role(account+":role/app", trusts(account+":user/alice")+`, "Condition": {"StringEquals": {"sts:ExternalId": "x"}}`)
		}, []string{"alice assume-role? app"}},
		{"conditions on who asks", func(e *awsEstate) {
			e.user("alice", takes)
			e.user("bob", takes)
			e.role(account+":role/app", trusts(account+":root")+`, "Condition": {"ArnLike": {"aws:PrincipalArn": "arn:aws:iam::*:user/al*"}}`)
			e.role(account+":role/elsewhere", trusts("*")+`, "Condition": {"StringEquals": {"aws:PrincipalAccount": "444455556666"}}`)
		}, []string{"anybody with an AWS account assume-role? elsewhere", "alice assume-role app"}},
		{"a boundary binds what a trust gives a role, not a user", func(e *awsEstate) {
			limit := e.managed("limit", allow("s3:*", "*"))
			e.user("alice").PermissionsBoundary = estate.Known(limit)
			e.role(account+":role/dev", served("ec2")).PermissionsBoundary = estate.Known(limit)
			e.role(account+":role/app", `"Principal": {"AWS": ["`+account+`:user/alice", "`+account+`:role/dev"]}`)
		}, []string{"alice assume-role app"}},
		{"a trust that was not read", func(e *awsEstate) {
			e.user("alice", takes)
			e.user("bob")
			e.role(account+":role/app", "")
		}, []string{"alice assume-role? app"}},
		{"providers of sign-ons and tokens", func(e *awsEstate) {
			e.role(account+":role/app", `"Principal": {"Federated": "arn:p:saml-provider/sso"}, "Condition": {"StringEquals": {"SAML:aud": "x"}}`)
			e.role(account+":role/ci", `"Principal": {"Federated": "arn:p:oidc-provider/git.example"}, "Condition": {"StringLike": {"git.example:sub": "repo:*"}}`)
			e.role(account+":role/office", `"Principal": {"Federated": "arn:p:saml-provider/sso"}, "Condition": {"IpAddress": {"aws:SourceIp": "192.0.2.0/24"}}`)
		}, []string{"arn:p:oidc-provider/git.example sign-in ci", "arn:p:saml-provider/sso sign-in app", "arn:p:saml-provider/sso sign-in? office"}},
		{"roles of AWS itself", func(e *awsEstate) {
			e.user("alice", takes)
			e.role(account+":role/aws-service-role/x.amazonaws.com/linked", trusts("111122223333"))
		}, nil},
		{"a template", func(e *awsEstate) {
			e.role("cfn:t.yaml#Dev", served("ec2"), allow("sts:AssumeRole", "cfn:t.yaml#App"))
			e.role("cfn:t.yaml#App", trusts("cfn:t.yaml#Dev"))
		}, []string{"Dev assume-role App"}},
	} {
		e := &awsEstate{}
		c.build(e)
		if diff := cmp.Diff(c.want, e.steps("assume-role", "sign-in"), inAnyOrder); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, diff)
		}
	}
}

func TestEscalate(t *testing.T) {
	for _, c := range []struct {
		name  string
		build func(*awsEstate)
		want  []string
	}{
		{"writes itself a policy", func(e *awsEstate) { e.user("alice", allow("iam:PutUserPolicy", account+":user/${aws:username}")) },
			[]string{"alice own-policy admin"}},
		{"within a boundary that it cannot lift", func(e *awsEstate) {
			e.user("alice", allow("iam:PutUserPolicy", "*")).PermissionsBoundary = estate.Known(e.managed("limit", allow("iam:PutUserPolicy s3:*", "*")))
		}, nil},
		{"within a boundary that it lifts", func(e *awsEstate) {
			e.user("alice", allow("iam:PutUserPolicy", "*")).PermissionsBoundary = estate.Known(e.managed("limit", allow("iam:PutUserPolicy iam:Delete*", "*")))
		}, []string{"alice own-policy admin"}},
		{"an old version", func(e *awsEstate) {
			e.user("alice").ManagedPolicyArns = estate.Known([]string{e.managed("own", allow("iam:SetDefaultPolicyVersion", "*"))})
		}, []string{"alice own-policy? admin"}},
		{"keys and passwords", func(e *awsEstate) {
			e.user("alice", allow("iam:CreateAccessKey iam:CreateLoginProfile iam:UpdateLoginProfile", account+":user/t-*"))
			e.user("other")
			e.user("t-keys").AccessKeys = estate.Known(make([]estate.AccessKey, 1))
			full := e.user("t-full") // no third key, a second factor
			full.AccessKeys, full.MFADevices = estate.Known(make([]estate.AccessKey, 2)), estate.Known([]string{"device"})
			none := e.user("t-none") // no third key, no password yet
			none.AccessKeys, none.ConsoleAccess = full.AccessKeys, estate.Known(false)
			unread := e.user("t-unread")
			unread.AccessKeys, unread.ConsoleAccess = full.AccessKeys, estate.Optional[bool]{}
		}, []string{"alice access-key t-keys", "alice login-profile t-none", "alice login-profile? t-unread"}},
		{"a trust", func(e *awsEstate) {
			e.user("alice", allow("iam:UpdateAssumeRolePolicy", account+":role/app"))
			e.role(account+":role/app", served("ec2"))
			e.role(account+":role/other", served("ec2"))
		}, []string{"alice rewrite-trust app"}},
		{"passing a role to a service that it trusts", func(e *awsEstate) {
			e.user("alice", allow("iam:PassRole lambda:*", "*"))
			e.role(account+":role/fn", served("lambda"))
			e.role(account+":role/vm", served("ec2"))
			e.role(account+":role/tagged", served("lambda")+", "+tagged)
		}, []string{"alice pass-role-lambda fn", "alice pass-role-lambda? tagged"}},
		{"passing a role to one service alone", func(e *awsEstate) {
			e.user("alice", allow("iam:PassRole", "*")+`, "Condition": {"StringEquals": {"iam:PassedToService": "ec2.amazonaws.com"}}`, allow("lambda:* ec2:*", "*"))
			e.role(account+":role/fn", served("lambda"))
			e.role(account+":role/vm", served("ec2"))
		}, []string{"alice pass-role-ec2 vm"}},
		{"passing without a use", func(e *awsEstate) {
			e.user("alice", allow("iam:PassRole lambda:CreateFunction", "*"))
			e.role(account+":role/fn", served("lambda"))
		}, nil},
		{"a group", func(e *awsEstate) {
			e.user("alice", allow("iam:AddUserToGroup", account+":group/ops"))
			for _, name := range []string{"ops", "dev"} {
				estate.Groups.Add(&e.Estate, &estate.Group{AWS: estate.AWS{Arn: account + ":group/" + name}, GroupName: name, Policies: estate.Known(inline()), ManagedPolicyArns: estate.Known([]string{})})
			}
		}, []string{"alice join-group ops"}},
		{"a role that it takes and writes", func(e *awsEstate) {
			e.user("alice", allow("iam:AttachRolePolicy", account+":role/app"))
			e.role(account+":role/app", trusts(account+":user/alice"))
			e.user("bob", allow("iam:AttachRolePolicy", account+":role/app"))
		}, []string{"alice grow-principal admin", "alice assume-role app"}},
		{"a role that it takes, whose policy it rewrites", func(e *awsEstate) {
			e.user("alice", allow("iam:CreatePolicyVersion", account+":policy/app"))
			r := e.role(account+":role/app", trusts(account+":user/alice"))
			r.ManagedPolicyArns = estate.Known([]string{e.managed("app", allow("s3:*", "*"))})
		}, []string{"alice grow-principal admin", "alice assume-role app"}},
		{"a user of its own making", func(e *awsEstate) {
			e.user("alice", allow("iam:CreateUser iam:CreateAccessKey iam:AttachUserPolicy", account+":user/bots/*"))
			e.user("bob", allow("iam:CreateUser iam:CreateAccessKey", account+":user/bots/*"))
		}, []string{"alice new-principal admin"}},
		{"a role of its own making, with a boundary", func(e *awsEstate) {
			e.user("alice", allow("iam:CreateRole iam:PutRolePolicy", "*")+`, "Condition": {"StringEquals": {"iam:PermissionsBoundary": "x"}}`)
		}, []string{"alice new-principal? admin"}},
		{"policies that were not read", func(e *awsEstate) {
			e.user("alice").Policies = estate.Optional[[]estate.InlinePolicy]{}
			e.user("bob")
		}, nil},
	} {
		e := &awsEstate{}
		c.build(e)
		if diff := cmp.Diff(c.want, e.steps(), inAnyOrder); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, diff)
		}
	}
}

// A user takes a role that passes a role that is an administrator.
func TestReaching(t *testing.T) {
	e := &awsEstate{}
	e.user("alice", allow("sts:AssumeRole", account+":role/deploy"))
	e.user("carol")
	e.role(account+":role/deploy", trusts(account+":root"), allow("iam:PassRole", account+":role/stack"), allow("cloudformation:CreateStack", "*"))
	e.role(account+":role/stack", served("cloudformation"), allowAll)
	steps := AWSSteps(&e.Estate)
	r := Reaching(steps, administrator("111122223333"), nil)
	chain, ok := r.Chain(Identity{Kind: IAMUser, Name: account + ":user/alice"})
	var hows []string
	for _, s := range chain.Steps {
		hows = append(hows, s.How)
		if len(s.Grants) == 0 || s.Grants[0].Subject.IsZero() || s.Grants[0].Field == "" {
			t.Errorf("nothing gives the step %v", s)
		}
	}
	want := []string{"takes role deploy", "creates a stack as role stack", "is an administrator by the inline policy p0"}
	if diff := cmp.Diff(want, hows); !ok || diff != "" || chain.Certain() != Yes {
		t.Errorf("the chain is %v, %v (-want +got):\n%s", chain, ok, diff)
	}
	if _, ok := r.Chain(Identity{Kind: IAMUser, Name: account + ":user/carol"}); ok {
		t.Error("carol is an administrator")
	}
	if got := len(r.Who(true)); got != 3 {
		t.Errorf("%d become administrators: %v", got, r.Who(true))
	}
	if got := Reaching(steps, administrator("111122223333"), func(s *Step) bool { return s.Technique != "assume-role" }).Who(false); len(got) != 2 {
		t.Errorf("without taking roles: %v", got)
	}
}

// Thousands of roles that may pass one another are cut off, and that is said.
func TestStepsAreBounded(t *testing.T) {
	e := &awsEstate{}
	for i := range 330 {
		e.role(fmt.Sprint(account, ":role/r", i), served("lambda"), allow("iam:PassRole lambda:* iam:UpdateAssumeRolePolicy", "*"))
	}
	a := NewAWS(&e.Estate)
	if len(a.Steps()) > maxSteps || len(a.Gaps()) != 1 {
		t.Errorf("%d steps, gaps %v", len(a.Steps()), a.Gaps())
	}
}
