package access

import (
	"strings"

	"github.com/eksafe/eksafe/internal/estate"
)

// A Policy is one policy that a principal has.
type Policy struct {
	Name  string // "AdministratorAccess", "the inline policy deploy"
	Via   string // the group that has it; "" for the principal itself
	Index int    // among the inline policies of its owner; -1 for a managed one
	Arn   string // of a managed policy
	// Document is nil where the policy was not read or cannot be parsed.
	Document *Document
	Why      string // why Document is nil
}

// String returns the name, and the group that has it.
func (p *Policy) String() string {
	if p.Via != "" {
		return p.Name + " through group " + p.Via
	}
	return p.Name
}

// A Principal is a user or a role with everything that says what it may do.
type Principal struct {
	Ref      estate.Ref
	Origin   *estate.Origin
	UserName string // "" for a role
	Groups   []*estate.Group
	Policies []*Policy
	Boundary *Policy // nil for none
	// Gaps are what is not known of the policies, one phrase each; what they
	// might allow is unclear.
	Gaps []string
}

// A Library finds what users and roles refer to. Group's name is what the user
// has in its list, in the user's account.
type Library struct {
	Group  func(u *estate.User, name string) (*estate.Group, bool)
	Policy func(arn string) (*estate.ManagedPolicy, bool)
}

// User returns the user as a principal.
func (l Library) User(u *estate.User) *Principal {
	p := &Principal{Ref: estate.Users.Ref(u), Origin: &u.Origin, UserName: u.UserName}
	l.add(p, "", u.Policies, u.ManagedPolicyArns)
	for _, name := range u.Groups {
		g, ok := l.Group(u, name)
		if !ok {
			p.Gaps = append(p.Gaps, "group "+estate.ShortName(name)+" was not read")
			continue
		}
		p.Groups = append(p.Groups, g)
		l.add(p, g.GroupName, g.Policies, g.ManagedPolicyArns)
	}
	l.bound(p, u.PermissionsBoundary)
	return p
}

// Role returns the role as a principal.
func (l Library) Role(r *estate.IAMRole) *Principal {
	p := &Principal{Ref: estate.IAMRoles.Ref(r), Origin: &r.Origin}
	l.add(p, "", r.Policies, r.ManagedPolicyArns)
	l.bound(p, r.PermissionsBoundary)
	return p
}

func (l Library) add(p *Principal, group string, inline estate.Optional[[]estate.InlinePolicy], managed estate.Optional[[]string]) {
	own := ""
	if group != "" {
		own = " of group " + group
	}
	policies, known := inline.Get()
	if !known {
		p.Gaps = append(p.Gaps, "the inline policies"+own+" are not known")
	}
	for i, in := range policies {
		policy := &Policy{Name: "the inline policy " + in.PolicyName, Via: group, Index: i}
		policy.parse(in.PolicyDocument)
		p.have(policy)
	}
	arns, known := managed.Get()
	if !known {
		p.Gaps = append(p.Gaps, "the attached policies"+own+" are not known")
	}
	for _, arn := range arns {
		policy := l.managed(arn)
		policy.Via = group
		p.have(policy)
	}
}

func (p *Principal) have(policy *Policy) {
	p.Policies = append(p.Policies, policy)
	if policy.Document == nil {
		p.Gaps = append(p.Gaps, policy.Why)
	}
}

func (l Library) bound(p *Principal, boundary estate.Optional[string]) {
	arn, known := boundary.Get()
	switch {
	case !known:
		// A boundary only takes away: leaving it out never hides a power, but
		// what is then allowed is no longer certain.
		p.Boundary = &Policy{Name: "the permissions boundary", Index: -1, Why: "the permissions boundary is not known"}
	case arn != "":
		p.Boundary = l.managed(arn)
	}
}

// Policies of AWS whose power lies in their name; they are told from one of the
// same name that somebody made by the account "aws" in the ARN.
var awsManaged = map[string]string{
	"AdministratorAccess": `{"Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}`,
	"IAMFullAccess":       `{"Statement": {"Effect": "Allow", "Action": "iam:*", "Resource": "*"}}`,
}

// AWSManaged reports whether an ARN is that of a policy which AWS wrote.
func AWSManaged(arn string) bool {
	return strings.HasPrefix(arn, "arn:") && strings.Contains(arn, ":iam::aws:policy/")
}

func (l Library) managed(arn string) *Policy {
	p := &Policy{Name: estate.ShortName(arn), Index: -1, Arn: arn}
	m, ok := l.Policy(arn)
	if !ok {
		if text, known := awsManaged[p.Name]; known && AWSManaged(arn) {
			p.parse(text)
			return p
		}
		p.Why = "policy " + p.Name + " was not read"
		return p
	}
	if m.ManagedPolicyName != "" {
		p.Name = m.ManagedPolicyName
	}
	text, known := m.PolicyDocument.Get()
	if !known {
		p.Why = "the document of policy " + p.Name + " is not known"
		return p
	}
	p.parse(text)
	return p
}

func (p *Policy) parse(text string) {
	var err error
	if p.Document, err = Parse(text); err != nil {
		p.Why = strings.TrimPrefix(p.Name, "the ") + " cannot be read"
	}
}

// Can answers whether the principal may do what r asks, by its own policies and
// those of its groups, and which policy allows it. Policies of resources, of
// organizations and of sessions are not asked. The answer is for a person who
// signed in with a second factor:
//
//   - an Allow that asks for one counts, another condition makes it unclear;
//   - a Deny counts where it has no condition: with one there are requests that
//     it lets pass.
func (p *Principal) Can(r Request) (Answer, *Policy) {
	r.UserName = p.UserName
	out, by := No, (*Policy)(nil)
	if len(p.Gaps) > 0 {
		out = Unclear
	}
	for _, policy := range p.Policies {
		if policy.Document == nil {
			continue
		}
		allow, deny := policy.Document.decide(r)
		if deny == Yes {
			return No, nil
		}
		if allow == Yes && out != Yes || allow == Unclear && by == nil {
			by = policy
		}
		out = either(out, allow)
	}
	if out == No || p.Boundary == nil {
		return out, by
	}
	within := Unclear
	if d := p.Boundary.Document; d != nil {
		allow, deny := d.decide(r)
		if within = allow; deny == Yes {
			within = No
		}
	}
	return both(out, within), by
}

// decide returns whether some statement allows all of the request, and whether
// one denies all of it whatever the circumstances.
func (d *Document) decide(r Request) (allow, deny Answer) {
	allow, deny = No, No
	for i := range d.Statements {
		s := &d.Statements[i]
		if !s.Deny {
			allow = either(allow, both(s.applies(r), s.holds(r)))
			continue
		}
		// What is denied for some of the resources is left for the others.
		whole := r
		whole.Some = false
		if len(s.Conditions) == 0 && s.applies(whole) == Yes {
			deny = Yes
		}
	}
	return allow, deny
}

// decisive are the rights with any one of which somebody who has all others
// over IAM gives itself everything.
var decisive = []string{
	"iam:AttachGroupPolicy", "iam:AttachRolePolicy", "iam:AttachUserPolicy", "iam:CreatePolicyVersion",
	"iam:PutGroupPolicy", "iam:PutRolePolicy", "iam:PutUserPolicy",
}

// broad are rights that a principal has beside them if it is over all of IAM:
// one for each part of the service.
var broad = []string{
	"iam:AddUserToGroup", "iam:CreateAccessKey", "iam:CreateLoginProfile", "iam:CreateRole", "iam:CreateUser",
	"iam:PassRole", "iam:UpdateAssumeRolePolicy",
}

// Administrator answers whether the principal is an administrator by its
// policies: it has everything, or all of IAM, with which it gives itself
// everything. by is the policy that says so. A Deny of some rights does not
// change that as long as one is left with which it is undone. Who can only
// become one over several steps is not meant.
func (p *Principal) Administrator() (is Answer, by *Policy) {
	is = No
	iam := p.account() + ":*"
	for _, action := range decisive {
		can, policy := p.Can(Request{Action: action, Resource: iam})
		if can == Yes || can == Unclear && is == No {
			is, by = can, policy
		}
		if is == Yes {
			break
		}
	}
	if is == No {
		return No, nil
	}
	for _, action := range broad {
		is = both(is, p.grants(Request{Action: action, Resource: iam}))
	}
	if is == No {
		return No, nil
	}
	return is, by
}

// grants is Can without the denials.
func (p *Principal) grants(r Request) Answer {
	r.UserName = p.UserName
	out := No
	if len(p.Gaps) > 0 {
		out = Unclear
	}
	for _, policy := range p.Policies {
		if policy.Document != nil {
			allow, _ := policy.Document.decide(r)
			out = either(out, allow)
		}
	}
	if p.Boundary == nil {
		return out
	}
	within := Unclear
	if p.Boundary.Document != nil {
		within, _ = p.Boundary.Document.decide(r)
	}
	return both(out, within)
}

// A Trust says who may take a role.
type Trust struct {
	Services bool // AWS services
	Accounts bool // users and roles of AWS accounts
	SignOn   bool // people of a SAML identity provider
	Tokens   bool // holders of tokens of an OpenID Connect provider: pods, pipelines, apps
}

// OnlyServices reports whether nobody but AWS services takes the role.
func (t Trust) OnlyServices() bool { return !t.Accounts && !t.SignOn && !t.Tokens }

// TrustOf reads a trust policy. What it allows under conditions counts:
// somebody meets them.
func TrustOf(text string) (Trust, error) {
	d, err := Parse(text)
	if err != nil {
		return Trust{}, err
	}
	var t Trust
	for i := range d.Statements {
		s := &d.Statements[i]
		if s.Deny {
			continue
		}
		if len(s.NotPrincipals) > 0 {
			t.Accounts = true
		}
		for _, p := range s.Principals {
			switch p.Kind {
			case "Service":
				t.Services = true
			case "Federated":
				for _, id := range p.IDs {
					saml := strings.Contains(id, ":saml-provider/")
					t.SignOn = t.SignOn || saml
					t.Tokens = t.Tokens || !saml
				}
			default:
				t.Accounts = true
			}
		}
	}
	return t, nil
}

// ServiceLinked reports whether a role is AWS's own in the account: only its
// service takes it and nobody can change it.
func ServiceLinked(r *estate.IAMRole) bool {
	return strings.HasPrefix(r.Path, "/aws-service-role/") || strings.Contains(r.Arn, ":role/aws-service-role/")
}
