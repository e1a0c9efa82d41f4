package access

import (
	"fmt"
	"slices"
	"strings"

	"github.com/eksafe/eksafe/internal/estate"
)

// A Policy is one policy that a principal has.
type Policy struct {
	Name  string // "AdministratorAccess", "the inline policy deploy"
	Via   string // the group that has it; "" for the principal itself
	Index int    // among the inline policies of its owner; -1 for a managed one
	Arn   string // of a managed policy
	// Owner is where the document is written: the managed policy, or whoever has
	// it inline. Origin is nil where the estate does not show it.
	Owner  estate.Ref
	Origin *estate.Origin
	Field  string
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

// grant returns the policy as what gives a right.
func (p *Policy) grant(action string) Grant {
	return Grant{Subject: p.Owner, Origin: p.Origin, Field: p.Field, Says: p.String() + " allows " + action}
}

// A Principal is a user or a role with everything that says what it may do.
type Principal struct {
	Ref      estate.Ref
	Origin   *estate.Origin
	Account  string // of AWS; "" where it is not known
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

	// read are the managed policies as they were parsed: hundreds of principals
	// have the same. It is nil in a library that NewLibrary did not make, which
	// parses them each time.
	read map[string]*Policy
}

// NewLibrary returns a library of the estate's groups and policies. It must not
// be used by several goroutines.
func NewLibrary(e *estate.Estate) Library {
	type key struct{ account, name string }
	groups, byARN := map[key]*estate.Group{}, map[string]*estate.Group{}
	for _, g := range estate.Groups.In(e) {
		groups[key{g.Origin.Account, g.GroupName}], byARN[g.Arn] = g, g
	}
	policies := map[string]*estate.ManagedPolicy{}
	for _, p := range estate.ManagedPolicies.In(e) {
		policies[p.Arn] = p
	}
	return Library{
		Group: func(u *estate.User, name string) (*estate.Group, bool) {
			g, ok := byARN[name]
			if !ok {
				g, ok = groups[key{u.Origin.Account, name}]
			}
			return g, ok
		},
		Policy: func(arn string) (*estate.ManagedPolicy, bool) { p, ok := policies[arn]; return p, ok },
		read:   map[string]*Policy{},
	}
}

// User returns the user as a principal.
func (l Library) User(u *estate.User) *Principal {
	p := &Principal{Ref: estate.Users.Ref(u), Origin: &u.Origin, Account: accountIn(u.Arn, u.Origin), UserName: u.UserName}
	l.add(p, owner{ref: p.Ref, origin: p.Origin}, u.Policies, u.ManagedPolicyArns)
	for _, name := range u.Groups {
		g, ok := l.Group(u, name)
		if !ok {
			p.Gaps = append(p.Gaps, "group "+estate.ShortName(name)+" was not read")
			continue
		}
		p.Groups = append(p.Groups, g)
		l.add(p, owner{g.GroupName, estate.Groups.Ref(g), &g.Origin}, g.Policies, g.ManagedPolicyArns)
	}
	l.bound(p, u.PermissionsBoundary)
	return p
}

// Role returns the role as a principal.
func (l Library) Role(r *estate.IAMRole) *Principal {
	p := &Principal{Ref: estate.IAMRoles.Ref(r), Origin: &r.Origin, Account: accountIn(r.Arn, r.Origin)}
	l.add(p, owner{ref: p.Ref, origin: p.Origin}, r.Policies, r.ManagedPolicyArns)
	l.bound(p, r.PermissionsBoundary)
	return p
}

// members returns what membership of the group gives, as a principal.
func (l Library) members(g *estate.Group) *Principal {
	p := &Principal{Ref: estate.Groups.Ref(g), Origin: &g.Origin, Account: accountIn(g.Arn, g.Origin), Groups: []*estate.Group{g}}
	l.add(p, owner{g.GroupName, p.Ref, p.Origin}, g.Policies, g.ManagedPolicyArns)
	return p
}

// An owner is whose policies a principal has: its own, or those of a group.
type owner struct {
	group  string // "" for the principal itself
	ref    estate.Ref
	origin *estate.Origin
}

func (l Library) add(p *Principal, o owner, inline estate.Optional[[]estate.InlinePolicy], managed estate.Optional[[]string]) {
	own := ""
	if o.group != "" {
		own = " of group " + o.group
	}
	policies, known := inline.Get()
	if !known {
		p.Gaps = append(p.Gaps, "the inline policies"+own+" are not known")
	}
	for i, in := range policies {
		policy := &Policy{
			Name: "the inline policy " + in.PolicyName, Via: o.group, Index: i,
			Owner: o.ref, Origin: o.origin, Field: fmt.Sprintf("policies[%d].policyDocument", i),
		}
		policy.parse(in.PolicyDocument)
		p.have(policy)
	}
	arns, known := managed.Get()
	if !known {
		p.Gaps = append(p.Gaps, "the attached policies"+own+" are not known")
	}
	for _, arn := range arns {
		policy := *l.managed(arn)
		policy.Via = o.group
		p.have(&policy)
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
	if p, ok := l.read[arn]; ok {
		return p
	}
	p := l.parse(arn)
	if l.read != nil {
		l.read[arn] = p
	}
	return p
}

func (l Library) parse(arn string) *Policy {
	p := &Policy{
		Name: estate.ShortName(arn), Index: -1, Arn: arn, Field: "policyDocument",
		Owner: estate.Ref{Kind: estate.ManagedPolicies.Kind, Name: estate.ShortName(arn), ID: arn},
	}
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
	p.Owner, p.Origin = estate.ManagedPolicies.Ref(m), &m.Origin
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
//   - an Allow that asks for one counts, another condition makes it unclear but
//     where it asks who the principal is or which service gets a role;
//   - a Deny counts where it has no condition, or none but those: with another
//     there are requests that it lets pass.
func (p *Principal) Can(r Request) (Answer, *Policy) {
	out, by := No, (*Policy)(nil)
	if len(p.Gaps) > 0 {
		out = Unclear
	}
	return p.can(r, out, by)
}

// knows is Can by the policies that were read: the others may allow anything,
// which is said once for the principal and not for every right.
func (p *Principal) knows(r Request) (Answer, *Policy) { return p.can(r, No, nil) }

func (p *Principal) can(r Request, out Answer, by *Policy) (Answer, *Policy) {
	r = p.asked(r)
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
	return both(out, p.within(r)), by
}

// unread returns the policies of AWS that the principal has and nobody read,
// nil where more than that is not known of what it may do: AWS publishes them,
// and templates only name them.
func (p *Principal) unread() []string {
	var out []string
	for _, policy := range p.Policies {
		if policy.Document == nil && policy.Origin == nil && AWSManaged(policy.Arn) {
			out = append(out, policy.Arn)
		}
	}
	if len(out) < len(p.Gaps) {
		return nil
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// withoutGaps returns the principal as if it had no more policies than were
// read.
func (p *Principal) withoutGaps() *Principal {
	known := *p
	known.Gaps = nil
	return &known
}

// asked returns the request with what is known of who asks.
func (p *Principal) asked(r Request) Request {
	r.UserName = p.UserName
	if strings.HasPrefix(p.Ref.ID, "arn:") && p.Ref.Kind != estate.Groups.Kind {
		r.PrincipalArn = p.Ref.ID
	}
	return r
}

// within says whether the permissions boundary lets a request through.
func (p *Principal) within(r Request) Answer {
	if p.Boundary == nil {
		return Yes
	}
	d := p.Boundary.Document
	if d == nil {
		return Unclear
	}
	allow, deny := d.decide(p.asked(r))
	if deny == Yes {
		return No
	}
	return allow
}

// denied says whether a policy of the principal forbids the request whatever
// others allow.
func (p *Principal) denied(r Request) bool {
	r = p.asked(r)
	denies := func(policy *Policy) bool {
		if policy == nil || policy.Document == nil {
			return false
		}
		_, deny := policy.Document.decide(r)
		return deny == Yes
	}
	return denies(p.Boundary) || slices.ContainsFunc(p.Policies, denies)
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
		if s.applies(whole) == Yes && s.always(r) {
			deny = Yes
		}
	}
	return allow, deny
}

// always reports whether the conditions of a Deny are met by every request of
// the principal.
func (s *Statement) always(r Request) bool {
	return !slices.ContainsFunc(s.Conditions, func(c Condition) bool { return c.decide(r) != Yes })
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
	return p.administrator(func(string) *Principal { return p })
}

// administrator is Administrator by what view shows of the principal for an
// action.
func (p *Principal) administrator(view func(action string) *Principal) (is Answer, by *Policy) {
	is = No
	iam := p.account() + ":*"
	for _, action := range decisive {
		can, policy := view(action).Can(Request{Action: action, Resource: iam})
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
		is = both(is, view(action).grants(Request{Action: action, Resource: iam}))
	}
	if is == No {
		return No, nil
	}
	return is, by
}

// grants is Can without the denials.
func (p *Principal) grants(r Request) Answer {
	r = p.asked(r)
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
	Pods     bool // pods, by EKS Pod Identity, which is a service
}

// OnlyServices reports whether nobody but AWS services takes the role: what runs
// in a pod is the customer's.
func (t Trust) OnlyServices() bool { return !t.Accounts && !t.SignOn && !t.Tokens && !t.Pods }

// TrustOf reads a trust policy. What it allows under conditions counts:
// somebody meets them.
func TrustOf(text string) (Trust, error) {
	d, err := ParseTrust(text)
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
				t.Pods = t.Pods || slices.Contains(p.IDs, PodIdentityService)
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
