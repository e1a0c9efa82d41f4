package access

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/eksafe/eksafe/internal/estate"
)

func TestParseRefuses(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"nothing", ``, "EOF"},
		{"no object", `7`, "cannot unmarshal"},
		{"no statement", `{"Version": "2012-10-17"}`, "no statement"},
		{"empty statements", `{"Statement": []}`, "no statement"},
		{"two documents", `{"Statement": {"Effect": "Deny", "Action": "*", "Resource": "*"}} {}`, "after its end"},
		{"unknown version", `{"Version": "2030-01-01", "Statement": {"Effect": "Deny", "Action": "*"}}`, "no version"},
		{"misspelt element", `{"Statement": {"Effect": "Allow", "Action": "*", "Ressource": "*"}}`, "unknown field"},
		{"misspelt element in a list", `{"Statement": [{"Effect": "Allow", "Action": "*", "Ressource": "*"}]}`, "unknown field"},
		{"effect in another case", `{"Statement": {"Effect": "deny", "Action": "*"}}`, "neither Allow nor Deny"},
		{"no effect", `{"Statement": {"Action": "*"}}`, "neither Allow nor Deny"},
		{"no action", `{"Statement": {"Effect": "Deny", "Resource": "*"}}`, "needs Action or NotAction"},
		{"empty actions", `{"Statement": {"Effect": "Deny", "Action": [], "Resource": "*"}}`, "names no action"},
		{"both actions", `{"Statement": {"Effect": "Deny", "Action": "*", "NotAction": "s3:*"}}`, "not both"},
		{"both resources", `{"Statement": {"Effect": "Deny", "Action": "*", "Resource": "*", "NotResource": "a"}}`, "both Resource"},
		{"both principals", `{"Statement": {"Effect": "Deny", "Action": "*", "Principal": "*", "NotPrincipal": "*"}}`, "both Principal"},
		{"no action of a service", `{"Statement": {"Effect": "Allow", "Action": "GetObject", "Resource": "*"}}`, "is no action"},
		{"null action", `{"Statement": {"Effect": "Allow", "Action": [null], "Resource": "*"}}`, "null is no string"},
		{"number as action", `{"Statement": {"Effect": "Allow", "Action": 7, "Resource": "*"}}`, "cannot unmarshal"},
		{"object as value", `{"Statement": {"Effect": "Allow", "Action": "*", "Condition": {"Bool": {"a": {"b": "c"}}}}}`, "no value of a condition"},
		{"principal by name", `{"Statement": {"Effect": "Allow", "Action": "*", "Principal": "alice"}}`, "is no principal"},
		{"no principal", `{"Statement": {"Effect": "Allow", "Action": "*", "Principal": {}}}`, "names no principal"},
		{"an element twice", `{"Statement": {"Effect": "Deny", "Action": "*", "action": "s3:*"}}`, "stands twice"},
		{"too deep", `{"Statement": ` + strings.Repeat("[", 40) + strings.Repeat("]", 40) + `}`, "too deeply"},
		{"too long", `{"Statement": {"Sid": "` + strings.Repeat("a", maxDocument) + `"}}`, "more than any policy"},
	} {
		if d, err := Parse(c.text); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %+v, %v, want an error with %q", c.name, d, err, c.want)
		}
	}
}

func TestParse(t *testing.T) {
	got, err := Parse(`{"Version": "2012-10-17", "Id": "x", "Statement": [
		{"Sid": "One", "Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com", "AWS": ["1", "2"]}, "Action": "sts:AssumeRole",
		 "Condition": {"StringEquals": {"b": ["1", "2"], "a": "0"}, "Bool": {"c": true}, "NumericLessThan": {"d": 7}}},
		{"Effect": "Deny", "NotPrincipal": "*", "NotAction": ["s3:*"], "NotResource": "arn:*"}]}`)
	if err != nil {
		t.Fatal(err)
	}
	want := &Document{Version: "2012-10-17", Statements: []Statement{
		{
			Sid: "One", Actions: []string{"sts:AssumeRole"},
			Principals: []Principals{{"AWS", []string{"1", "2"}}, {"Service", []string{"ec2.amazonaws.com"}}},
			Conditions: []Condition{{"Bool", "c", []string{"true"}}, {"NumericLessThan", "d", []string{"7"}}, {"StringEquals", "a", []string{"0"}}, {"StringEquals", "b", []string{"1", "2"}}},
		},
		{Deny: true, NotPrincipals: []Principals{{"*", []string{"*"}}}, NotActions: []string{"s3:*"}, NotResources: []string{"arn:*"}},
	}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		`{"Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}`,
		`{"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "NotAction": ["iam:*", "sts:?"], "NotResource": "arn:aws:s3:::${aws:username}/*", "Condition": {"Bool": {"aws:MultiFactorAuthPresent": [false]}}}]}`,
		`{"Statement": {"Effect": "Allow", "Principal": {"Federated": "arn:aws:iam::111122223333:saml-provider/x"}, "Action": "sts:AssumeRoleWithSAML"}}`,
		`{"Statement": [[]]}`, `{"statement": null}`, `{"Statement": {"Effect": "Allow", "Action": "${", "Resource": "${a"}}`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		d, err := Parse(text)
		if err != nil {
			return
		}
		for _, s := range d.Statements {
			if len(s.Actions)+len(s.NotActions) == 0 || s.Actions != nil && s.NotActions != nil || s.Resources != nil && s.NotResources != nil {
				t.Errorf("%q gave the statement %+v", text, s)
			}
		}
		whole := !slices.ContainsFunc(d.Statements, func(s Statement) bool { return len(s.Principals)+len(s.NotPrincipals) == 0 })
		if _, err := TrustOf(text); (err == nil) != whole {
			t.Errorf("%q is a policy that names principals: %v; as a trust: %v", text, whole, err)
		}
		for _, user := range []string{"", "alice"} {
			p := &Principal{UserName: user, Policies: []*Policy{{Document: d}}}
			can, _ := p.Can(Request{Action: "iam:PassRole", Resource: "arn:aws:iam::1:role/*", PassedTo: "ec2.amazonaws.com"})
			some, _ := p.Can(Request{Action: "iam:PassRole", Resource: "arn:aws:iam::1:role/*", PassedTo: "ec2.amazonaws.com", Some: true})
			if can == Yes && some == No {
				t.Errorf("%q allows every role and none", text)
			}
			p.Administrator()
			p.Escalations()
		}
	})
}

// words returns every string over the alphabet up to a length.
func strung(alphabet string, n int) []string {
	out, last := []string{""}, []string{""}
	for range n {
		var next []string
		for _, s := range last {
			for _, r := range alphabet {
				next = append(next, s+string(r))
			}
		}
		out, last = append(out, next...), next
	}
	return out
}

// TestPatterns holds both questions about patterns against all short strings.
func TestPatterns(t *testing.T) {
	patterns, plain := strung("ab*?", 3), strung("ab", 5)
	matches := map[string][]bool{}
	for _, p := range patterns {
		row := make([]bool, len(plain))
		for i, s := range plain {
			row[i] = Match(p, s)
		}
		matches[p] = row
	}
	for _, a := range patterns {
		for _, b := range patterns {
			common := false
			for i := range plain {
				common = common || matches[a][i] && matches[b][i]
			}
			if got := overlap(a, b); got != common {
				t.Errorf("overlap(%q, %q) = %v", a, b, got)
			}
			if strings.Contains(b, "?") || !Match(a, b) {
				continue
			}
			for i, s := range plain {
				if matches[b][i] && !matches[a][i] {
					t.Errorf("%q stands for all of %q, but not for %q", a, b, s)
				}
			}
		}
	}
}

func TestMatch(t *testing.T) {
	for _, tt := range []struct {
		pattern, s string
		want       bool
	}{
		{"*", "arn:aws:s3:::logs/a", true},
		{"arn:aws:s3:::logs/*", "arn:aws:s3:::logs/a/b", true},
		{"arn:aws:s3:::logs/*", "arn:aws:s3:::logs", false},
		{"arn:aws:s3:::logs", "arn:aws:s3:::logs2", false},
		{"arn:*:s3:::lo?s", "arn:aws-cn:s3:::logs", true},
		{"a*b*c", "axxbyyc", true},
		{"a*b*c", "axxbyyd", false},
		{"lo?s", "logs", true},
		{"lo?s", "los", false},
		{"lo??", "log", false},
		{"", "", true},
		{"", "a", false},
	} {
		if got := Match(tt.pattern, tt.s); got != tt.want {
			t.Errorf("Match(%q, %q) = %v", tt.pattern, tt.s, got)
		}
	}
}

func TestMatchAction(t *testing.T) {
	for _, c := range []struct {
		pattern, action string
		want            bool
	}{
		{"*", "iam:PassRole", true},
		{"*:*", "iam:PassRole", true},
		{"IAM:pass*", "iam:PassRole", true},
		{"iam:Pas?Role", "iam:PassRole", true},
		{"iam:Pass", "iam:PassRole", false},
		{"iam:*", "iam:*", true},
		{"iam:Get*", "iam:*", false},
		{"s3:*", "iam:*", false},
	} {
		if got := MatchAction(c.pattern, c.action); got != c.want {
			t.Errorf("MatchAction(%q, %q) = %v", c.pattern, c.action, got)
		}
	}
}

func TestAnyResource(t *testing.T) {
	for _, c := range []struct {
		statement   string
		any, anyKey bool
	}{
		{`"Resource": "*"`, true, true},
		{`"Resource": ["a", "arn:*"]`, true, true},
		{`"Resource": "*:*"`, true, true},
		{`"NotResource": "arn:aws:kms:*:*:key/1"`, true, true},
		{`"Resource": "arn:aws:kms:*:*:*"`, false, true},
		{`"Resource": "arn:*:kms:*"`, false, true},
		{`"Resource": "arn:aws:kms:*:*:key/1"`, false, false},
		{`"Resource": "arn:aws:s3:::*"`, false, false},
		{`"Resource": ""`, false, false},
		{`"Sid": "Trust"`, false, false},
	} {
		d, err := Parse(document(`"Effect": "Allow", "Action": "kms:*", ` + c.statement))
		if err != nil {
			t.Fatal(err)
		}
		if s := &d.Statements[0]; s.AnyResource() != c.any || s.AnyResourceOf("kms") != c.anyKey {
			t.Errorf("%s: any resource %v, any key %v", c.statement, s.AnyResource(), s.AnyResourceOf("kms"))
		}
	}
}

const (
	account = "arn:aws:iam::111122223333"
	mfa     = `"Condition": {"Bool": {"aws:MultiFactorAuthPresent": "true"}}`
	tagged  = `"Condition": {"StringEquals": {"aws:ResourceTag/team": "shop"}}`
	noMFA   = `"Condition": {"BoolIfExists": {"aws:MultiFactorAuthPresent": "false"}}`
)

// user returns alice with inline policies of one statement each.
func user(t *testing.T, statements ...string) *Principal {
	t.Helper()
	u := &estate.User{
		AWS: estate.AWS{Arn: account + ":user/alice"}, UserName: "alice",
		ManagedPolicyArns: estate.Known([]string{}), PermissionsBoundary: estate.Known(""),
	}
	u.Policies = estate.Known(inline(statements...))
	p := library(nil, nil).User(u)
	if len(p.Gaps) > 0 {
		t.Fatal(p.Gaps)
	}
	return p
}

func inline(statements ...string) []estate.InlinePolicy {
	var out []estate.InlinePolicy
	for i, s := range statements {
		out = append(out, estate.InlinePolicy{PolicyName: fmt.Sprint("p", i), PolicyDocument: document(s)})
	}
	return out
}

func document(statement string) string { return `{"Statement": {` + statement + `}}` }

func library(groups []*estate.Group, policies []*estate.ManagedPolicy) Library {
	return Library{
		Group: func(_ *estate.User, name string) (*estate.Group, bool) {
			i := slices.IndexFunc(groups, func(g *estate.Group) bool { return g.GroupName == name })
			if i < 0 {
				return nil, false
			}
			return groups[i], true
		},
		Policy: func(arn string) (*estate.ManagedPolicy, bool) {
			i := slices.IndexFunc(policies, func(p *estate.ManagedPolicy) bool { return p.Arn == arn })
			if i < 0 {
				return nil, false
			}
			return policies[i], true
		},
	}
}

func TestCan(t *testing.T) {
	const bucket = "arn:aws:s3:::logs"
	for _, c := range []struct {
		name       string
		statements []string
		request    Request
		want       Answer
	}{
		{"nothing allows", nil, Request{Action: "s3:GetObject", Resource: bucket}, No},
		{"allowed", []string{`"Effect": "Allow", "Action": "s3:get*", "Resource": "arn:aws:s3:::*"`}, Request{Action: "s3:GetObject", Resource: bucket}, Yes},
		{"another resource", []string{`"Effect": "Allow", "Action": "s3:*", "Resource": "arn:aws:s3:::data"`}, Request{Action: "s3:GetObject", Resource: bucket}, No},
		{"all but the action", []string{`"Effect": "Allow", "NotAction": "s3:*", "Resource": "*"`}, Request{Action: "s3:GetObject", Resource: bucket}, No},
		{"all but another action", []string{`"Effect": "Allow", "NotAction": "ec2:*", "Resource": "*"`}, Request{Action: "s3:GetObject", Resource: bucket}, Yes},
		{"all but the resource", []string{`"Effect": "Allow", "Action": "s3:*", "NotResource": "arn:aws:s3:::log?"`}, Request{Action: "s3:GetObject", Resource: bucket}, No},
		{"all but one of those asked for", []string{`"Effect": "Allow", "Action": "s3:*", "NotResource": "arn:aws:s3:::logs"`}, Request{Action: "s3:GetObject", Resource: "arn:aws:s3:::*"}, Unclear},
		{"some of all but one", []string{`"Effect": "Allow", "Action": "s3:*", "NotResource": "arn:aws:s3:::logs"`}, Request{Action: "s3:GetObject", Resource: "arn:aws:s3:::*", Some: true}, Yes},
		{"all asked for, some allowed", []string{`"Effect": "Allow", "Action": "s3:*", "Resource": "arn:aws:s3:::logs"`}, Request{Action: "s3:GetObject", Resource: "arn:aws:s3:::*"}, No},
		{"some asked for, some allowed", []string{`"Effect": "Allow", "Action": "s3:*", "Resource": "arn:aws:s3:::logs"`}, Request{Action: "s3:GetObject", Resource: "arn:aws:s3:::*", Some: true}, Yes},
		{"denied", []string{`"Effect": "Allow", "Action": "*", "Resource": "*"`, `"Effect": "Deny", "Action": "s3:*", "Resource": "*"`}, Request{Action: "s3:GetObject", Resource: bucket}, No},
		{"one of all is denied", []string{`"Effect": "Allow", "Action": "*", "Resource": "*"`, `"Effect": "Deny", "Action": "s3:*", "Resource": "arn:aws:s3:::logs"`}, Request{Action: "s3:GetObject", Resource: "arn:aws:s3:::*"}, Yes},
		{"one of some is denied", []string{`"Effect": "Allow", "Action": "*", "Resource": "*"`, `"Effect": "Deny", "Action": "s3:*", "Resource": "arn:aws:s3:::logs"`}, Request{Action: "s3:GetObject", Resource: "arn:aws:s3:::*", Some: true}, Yes},
		{"denied without a second factor", []string{`"Effect": "Allow", "Action": "*", "Resource": "*"`, `"Effect": "Deny", "Action": "*", "Resource": "*", ` + noMFA}, Request{Action: "s3:GetObject", Resource: bucket}, Yes},
		{"allowed with a second factor", []string{`"Effect": "Allow", "Action": "*", "Resource": "*", ` + mfa}, Request{Action: "s3:GetObject", Resource: bucket}, Yes},
		{"allowed under another condition", []string{`"Effect": "Allow", "Action": "*", "Resource": "*", ` + tagged}, Request{Action: "s3:GetObject", Resource: bucket}, Unclear},
		{"own name", []string{`"Effect": "Allow", "Action": "iam:*", "Resource": "arn:aws:iam::*:user/${aws:username}"`}, Request{Action: "iam:PutUserPolicy", Resource: account + ":user/alice"}, Yes},
		{"own name, another user", []string{`"Effect": "Allow", "Action": "iam:*", "Resource": "arn:aws:iam::*:user/${aws:username}"`}, Request{Action: "iam:PutUserPolicy", Resource: account + ":user/bob"}, No},
		{"a variable of the request", []string{`"Effect": "Allow", "Action": "s3:*", "Resource": "arn:aws:s3:::${aws:PrincipalTag/team}"`}, Request{Action: "s3:GetObject", Resource: bucket}, Unclear},
		{"a star that is meant", []string{`"Effect": "Allow", "Action": "s3:*", "Resource": "arn:aws:s3:::lo${*}"`}, Request{Action: "s3:GetObject", Resource: bucket}, No},
		{"passed to the service", []string{`"Effect": "Allow", "Action": "iam:PassRole", "Resource": "*", "Condition": {"StringEquals": {"iam:PassedToService": ["ec2.amazonaws.com"]}}`}, Request{Action: "iam:PassRole", Resource: "*", PassedTo: "ec2.amazonaws.com"}, Yes},
		{"passed to another service", []string{`"Effect": "Allow", "Action": "iam:PassRole", "Resource": "*", "Condition": {"StringEquals": {"iam:PassedToService": ["ec2.amazonaws.com"]}}`}, Request{Action: "iam:PassRole", Resource: "*", PassedTo: "glue.amazonaws.com"}, No},
		{"not passed to the service", []string{`"Effect": "Allow", "Action": "iam:PassRole", "Resource": "*", "Condition": {"StringNotEquals": {"iam:PassedToService": ["ec2.amazonaws.com"]}}`}, Request{Action: "iam:PassRole", Resource: "*", PassedTo: "ec2.amazonaws.com"}, No},
	} {
		if got, _ := user(t, c.statements...).Can(c.request); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

func TestUserNameOfARole(t *testing.T) {
	r := &estate.IAMRole{
		AWS: estate.AWS{Arn: account + ":role/app"}, RoleName: "app", PermissionsBoundary: estate.Known(""), ManagedPolicyArns: estate.Known([]string{}),
		Policies: estate.Known(inline(`"Effect": "Allow", "Action": "iam:*", "Resource": "arn:aws:iam::*:user/${aws:username}"`)),
	}
	if got, _ := library(nil, nil).Role(r).Can(Request{Action: "iam:CreateAccessKey", Resource: account + ":user/*"}); got != No {
		t.Errorf("a role has the rights of a user name: %v", got)
	}
}

func TestAdministrator(t *testing.T) {
	const all = `"Effect": "Allow", "Action": "*", "Resource": "*"`
	for _, c := range []struct {
		name       string
		statements []string
		want       Answer
	}{
		{"everything", []string{all}, Yes},
		{"everything with a second factor", []string{all + ", " + mfa}, Yes},
		{"everything under a condition", []string{all + ", " + tagged}, Unclear},
		{"all of IAM", []string{`"Effect": "Allow", "Action": "iam:*", "Resource": "*"`}, Yes},
		{"all but storage", []string{`"Effect": "Allow", "NotAction": "s3:*", "Resource": "*"`}, Yes},
		{"all but IAM, as power users have", []string{`"Effect": "Allow", "NotAction": ["iam:*", "organizations:*", "account:*"], "Resource": "*"`}, No},
		{"reading", []string{`"Effect": "Allow", "Action": ["iam:Get*", "iam:List*"], "Resource": "*"`}, No},
		{"everything but IAM is denied", []string{all, `"Effect": "Deny", "Action": "iam:*", "Resource": "*"`}, No},
		{"a Deny that it can undo", []string{all, `"Effect": "Deny", "Action": ["iam:CreateUser", "iam:AttachUserPolicy"], "Resource": "*"`}, Yes},
		{"denied without a second factor", []string{all, `"Effect": "Deny", "NotAction": "iam:ChangePassword", "Resource": "*", ` + noMFA}, Yes},
		{"all but a bucket", []string{`"Effect": "Allow", "Action": "*", "NotResource": "arn:aws:s3:::logs"`}, Yes},
		{"all but somebody", []string{`"Effect": "Allow", "Action": "*", "NotResource": "arn:aws:iam::111122223333:user/root"`}, Unclear},
		{"all of IAM in the account", []string{`"Effect": "Allow", "Action": "iam:*", "Resource": "arn:aws:iam::111122223333:*"`}, Yes},
		{"in pieces", []string{`"Effect": "Allow", "Action": ["iam:A*", "iam:C*", "iam:P*"], "Resource": "*"`, `"Effect": "Allow", "Action": ["iam:U*"], "Resource": "*"`}, Yes},
		{"one way to escalate only", []string{`"Effect": "Allow", "Action": "iam:PutUserPolicy", "Resource": "*"`}, No},
		{"one path of users", []string{`"Effect": "Allow", "Action": "iam:*", "Resource": "arn:aws:iam::*:user/dev/*"`}, No},
	} {
		is, by := user(t, c.statements...).Administrator()
		if is != c.want || is == Yes && by == nil {
			t.Errorf("%s: %v by %v, want %v", c.name, is, by, c.want)
		}
	}
}

func TestPoliciesOfOthers(t *testing.T) {
	group := &estate.Group{
		AWS: estate.AWS{Arn: account + ":group/admins"}, GroupName: "admins",
		Policies: estate.Known([]estate.InlinePolicy{}), ManagedPolicyArns: estate.Known([]string{"arn:aws:iam::aws:policy/AdministratorAccess"}),
	}
	boundary := &estate.ManagedPolicy{AWS: estate.AWS{Arn: account + ":policy/limit"}, ManagedPolicyName: "limit"}
	member := func(change func(*estate.User)) *Principal {
		u := &estate.User{
			AWS: estate.AWS{Arn: account + ":user/alice"}, UserName: "alice", Groups: []string{"admins"},
			Policies: estate.Known([]estate.InlinePolicy{}), ManagedPolicyArns: estate.Known([]string{}), PermissionsBoundary: estate.Known(""),
		}
		change(u)
		return library([]*estate.Group{group}, []*estate.ManagedPolicy{boundary}).User(u)
	}
	for _, c := range []struct {
		name   string
		change func(*estate.User)
		want   Answer
		by     string
	}{
		{"through a group", func(*estate.User) {}, Yes, "AdministratorAccess through group admins"},
		{"a group that was not read", func(u *estate.User) { u.Groups = []string{"ops"} }, Unclear, ""},
		{"a policy that was not read", func(u *estate.User) {
			u.Groups, u.ManagedPolicyArns = nil, estate.Known([]string{account + ":policy/AdministratorAccess"})
		}, Unclear, ""},
		{"policies that are not known", func(u *estate.User) { u.Groups, u.Policies = nil, estate.Optional[[]estate.InlinePolicy]{} }, Unclear, ""},
		{"a policy that cannot be read", func(u *estate.User) {
			u.Groups, u.Policies = nil, estate.Known([]estate.InlinePolicy{{PolicyName: "p", PolicyDocument: "{"}})
		}, Unclear, ""},
		{"a boundary that allows it", func(u *estate.User) {
			u.PermissionsBoundary = estate.Known(boundary.Arn)
			boundary.PolicyDocument = estate.Known(document(`"Effect": "Allow", "Action": "*", "Resource": "*"`))
		}, Yes, "AdministratorAccess through group admins"},
		{"a boundary that does not", func(u *estate.User) {
			u.PermissionsBoundary = estate.Known(boundary.Arn)
			boundary.PolicyDocument = estate.Known(document(`"Effect": "Allow", "Action": "s3:*", "Resource": "*"`))
		}, No, ""},
		{"a boundary that denies", func(u *estate.User) {
			u.PermissionsBoundary = estate.Known(boundary.Arn)
			boundary.PolicyDocument = estate.Known(`{"Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}, {"Effect": "Deny", "Action": "iam:*", "Resource": "*"}]}`)
		}, No, ""},
		{"a boundary that was not read", func(u *estate.User) { u.PermissionsBoundary = estate.Known(account + ":policy/other") }, Unclear, ""},
		{"whether there is a boundary is not known", func(u *estate.User) { u.PermissionsBoundary = estate.Optional[string]{} }, Unclear, ""},
	} {
		is, by := member(c.change).Administrator()
		if is != c.want || c.by != "" && (by == nil || by.String() != c.by) {
			t.Errorf("%s: %v by %v, want %v by %q", c.name, is, by, c.want, c.by)
		}
	}
}

func TestEscalations(t *testing.T) {
	chains := func(es []Escalation) []string {
		var out []string
		for _, e := range es {
			out = append(out, e.Chain())
		}
		return out
	}
	for _, c := range []struct {
		name             string
		statement        string
		certain, unclear []string
	}{
		{"own policies", `"Effect": "Allow", "Action": "iam:PutUserPolicy", "Resource": "arn:aws:iam::*:user/${aws:username}"`, []string{"iam:PutUserPolicy"}, nil},
		{"own keys", `"Effect": "Allow", "Action": ["iam:CreateAccessKey", "iam:UpdateLoginProfile"], "Resource": "arn:aws:iam::*:user/${aws:username}"`, nil, nil},
		{"keys of anybody", `"Effect": "Allow", "Action": "iam:CreateAccessKey", "Resource": "arn:aws:iam::111122223333:user/*"`, []string{"iam:CreateAccessKey"}, nil},
		{"keys of anybody with a tag", `"Effect": "Allow", "Action": "iam:CreateAccessKey", "Resource": "*", ` + tagged, nil, []string{"iam:CreateAccessKey"}},
		{"passing without a service", `"Effect": "Allow", "Action": "iam:PassRole", "Resource": "*"`, nil, nil},
		{"passing to a function", `"Effect": "Allow", "Action": ["iam:PassRole", "lambda:*"], "Resource": "*"`, []string{"iam:PassRole → lambda:CreateFunction → lambda:InvokeFunction"}, nil},
		{"passing one role", `"Effect": "Allow", "Action": ["iam:PassRole", "lambda:*"], "Resource": ["arn:aws:iam::111122223333:role/app", "arn:aws:lambda:eu-west-1:111122223333:function:*"]`, nil, nil},
		{"a role that it cannot take", `"Effect": "Allow", "Action": "iam:PutRolePolicy", "Resource": "*"`, nil, nil},
		{"a role that it can take", `"Effect": "Allow", "Action": ["iam:PutRolePolicy", "sts:AssumeRole"], "Resource": "*"`, []string{"iam:PutRolePolicy → sts:AssumeRole"}, nil},
	} {
		certain, unclear := user(t, c.statement).Escalations()
		if diff := cmp.Diff([][]string{c.certain, c.unclear}, [][]string{chains(certain), chains(unclear)}); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, diff)
		}
	}
}

func TestTrustOf(t *testing.T) {
	for _, c := range []struct {
		principal string
		want      Trust
	}{
		{`"Principal": {"Service": ["ec2.amazonaws.com", "lambda.amazonaws.com"]}`, Trust{Services: true}},
		{`"Principal": {"AWS": "arn:aws:iam::444455556666:root"}`, Trust{Accounts: true}},
		{`"Principal": "*"`, Trust{Accounts: true}},
		{`"NotPrincipal": {"AWS": "arn:aws:iam::444455556666:root"}`, Trust{Accounts: true}},
		{`"Principal": {"Federated": "arn:aws:iam::111122223333:saml-provider/x"}`, Trust{SignOn: true}},
		{`"Principal": {"Federated": "arn:aws:iam::111122223333:oidc-provider/token.actions.githubusercontent.com", "Service": "pods.eks.amazonaws.com"}`, Trust{Tokens: true, Services: true, Pods: true}},
	} {
		got, err := TrustOf(document(`"Effect": "Allow", "Action": "sts:*", ` + c.principal))
		if err != nil || got != c.want {
			t.Errorf("%s: %+v, %v", c.principal, got, err)
		}
	}
	if _, err := TrustOf("{"); err == nil {
		t.Error("half a document is a trust")
	}
}
