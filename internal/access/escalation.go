package access

import (
	"slices"
	"strings"
)

// An Escalation is a way in which a principal makes itself more than its
// policies say.
type Escalation struct {
	Actions []string  // that it takes, in order
	Step    string    // what it does with them: "writes itself a policy"
	By      []*Policy // allow them
}

// Chain returns the actions in order.
func (e Escalation) Chain() string { return strings.Join(e.Actions, " → ") }

// PolicyNames names the policies that allow the actions.
func (e Escalation) PolicyNames() string {
	var out []string
	for _, p := range e.By {
		if p != nil && !slices.Contains(out, p.String()) {
			out = append(out, p.String())
		}
	}
	return strings.Join(out, " and ")
}

// A reach says on which resources a technique must work.
type reach int

const (
	self      reach = iota // the principal itself
	ownGroups              // a group that the user is in
	ownPolicy              // a policy of the customer's that the principal has
	anyUser                // all users: somebody stronger is among them
	anyGroup
	anyRole
	something // any resource of the service will do
)

// A need is one right of a technique.
type need struct {
	action string
	on     reach
}

// A technique is a way to escalate. service is who gets the role that is
// passed.
type technique struct {
	needs   []need
	users   bool // only users can take it
	roles   bool // only roles can
	service string
	step    string
}

// techniques are those whose rights could be looked up, on 2026-11-25, in
// public descriptions of privilege escalation in IAM. Those that need to know
// who else there is, and what it may do, are steps of AWS.
var techniques = []technique{
	{needs: []need{{"iam:PutUserPolicy", self}}, users: true, step: "writes itself a policy"},
	{needs: []need{{"iam:AttachUserPolicy", self}}, users: true, step: "attaches AdministratorAccess to itself"},
	{needs: []need{{"iam:PutRolePolicy", self}}, roles: true, step: "writes itself a policy"},
	{needs: []need{{"iam:AttachRolePolicy", self}}, roles: true, step: "attaches AdministratorAccess to itself"},
	{needs: []need{{"iam:PutGroupPolicy", ownGroups}}, users: true, step: "writes a policy into its group"},
	{needs: []need{{"iam:AttachGroupPolicy", ownGroups}}, users: true, step: "attaches AdministratorAccess to its group"},
	{needs: []need{{"iam:AddUserToGroup", anyGroup}}, users: true, step: "joins the group with the most rights"},
	{needs: []need{{"iam:CreatePolicyVersion", ownPolicy}}, step: "rewrites a policy that it has"},
	{needs: []need{{"iam:SetDefaultPolicyVersion", ownPolicy}}, step: "goes back to a wider version of a policy that it has"},
	{needs: []need{{"iam:CreateAccessKey", anyUser}}, step: "makes an access key of any user"},
	{needs: []need{{"iam:CreateLoginProfile", anyUser}}, step: "gives any user a password"},
	{needs: []need{{"iam:UpdateLoginProfile", anyUser}}, step: "changes any user's password"},
	{needs: []need{{"iam:UpdateAssumeRolePolicy", anyRole}}, step: "lets itself take any role"},
	{needs: []need{{"iam:PutRolePolicy", anyRole}, {"sts:AssumeRole", anyRole}}, users: true, step: "writes a policy into a role and takes it"},
	{needs: []need{{"iam:AttachRolePolicy", anyRole}, {"sts:AssumeRole", anyRole}}, users: true, step: "attaches AdministratorAccess to a role and takes it"},
	{needs: []need{{"iam:PassRole", anyRole}, {"lambda:CreateFunction", something}, {"lambda:InvokeFunction", something}}, service: "lambda.amazonaws.com", step: "runs a function with any role"},
	{needs: []need{{"iam:PassRole", anyRole}, {"ec2:RunInstances", something}}, service: "ec2.amazonaws.com", step: "starts an instance with any role"},
	{needs: []need{{"iam:PassRole", anyRole}, {"cloudformation:CreateStack", something}}, service: "cloudformation.amazonaws.com", step: "creates a stack with any role"},
	{needs: []need{{"iam:PassRole", anyRole}, {"glue:CreateDevEndpoint", something}}, service: "glue.amazonaws.com", step: "opens a development endpoint with any role"},
	{needs: []need{{"iam:PassRole", anyRole}, {"sagemaker:CreateNotebookInstance", something}, {"sagemaker:CreatePresignedNotebookInstanceUrl", something}}, service: "sagemaker.amazonaws.com", step: "opens a notebook with any role"},
	{needs: []need{{"iam:PassRole", anyRole}, {"codebuild:CreateProject", something}, {"codebuild:StartBuild", something}}, service: "codebuild.amazonaws.com", step: "runs a build with any role"},
	{needs: []need{{"iam:PassRole", anyRole}, {"ecs:RunTask", something}}, service: "ecs-tasks.amazonaws.com", step: "runs a task with any role"},
}

// Escalations returns the ways in which the principal can make itself more than
// its policies say, and those of which that is unclear. It looks at the rights
// of this principal alone.
func (p *Principal) Escalations() (certain, unclear []Escalation) {
	for _, t := range techniques {
		if t.users && p.UserName == "" || t.roles && p.UserName != "" {
			continue
		}
		e := Escalation{Step: t.step}
		is := Yes
		for _, n := range t.needs {
			can, by := p.reaches(n, t.service, p.Can)
			if is = both(is, can); is == No {
				break
			}
			e.Actions, e.By = append(e.Actions, n.action), append(e.By, by)
		}
		switch is = both(is, p.completes(t)); is {
		case Yes:
			certain = append(certain, e)
		case Unclear:
			unclear = append(unclear, e)
		}
	}
	return certain, unclear
}

// completes says whether the rights of a technique are all that it takes: what a
// principal gives itself is cut by its boundary, and which versions of a policy
// there are is not read.
func (p *Principal) completes(t technique) Answer {
	out := Yes
	if t.alone() {
		out = p.unbounded()
	}
	if t.needs[0].action == "iam:SetDefaultPolicyVersion" {
		out = both(out, Unclear)
	}
	return out
}

// reaches answers whether the principal has a right where a technique needs it,
// by Can or knows.
func (p *Principal) reaches(n need, service string, ask func(Request) (Answer, *Policy)) (Answer, *Policy) {
	r := Request{Action: n.action}
	if n.action == "iam:PassRole" {
		r.PassedTo = service
	}
	var on []string
	switch n.on {
	case self:
		on = []string{p.Ref.ID}
	case ownGroups:
		for _, g := range p.Groups {
			on = append(on, g.Arn)
		}
	case ownPolicy:
		for _, policy := range p.Policies {
			if policy.Arn != "" && !AWSManaged(policy.Arn) {
				on = append(on, policy.Arn)
			}
		}
	case anyUser:
		on = []string{p.account() + ":user/*"}
	case anyGroup:
		on = []string{p.account() + ":group/*"}
	case anyRole:
		on = []string{p.account() + ":role/*"}
	case something:
		on, r.Some = []string{"*"}, true
	}
	out, by := No, (*Policy)(nil)
	for _, r.Resource = range on {
		can, policy := ask(r)
		if can == Yes {
			return Yes, policy
		}
		if can == Unclear && out == No {
			out, by = Unclear, policy
		}
	}
	return out, by
}

// account returns the ARN of the principal up to its account. A template's
// principal has none yet.
func (p *Principal) account() string {
	parts := strings.SplitN(p.Ref.ID, ":", 6)
	if len(parts) < 6 || parts[0] != "arn" {
		return "arn:aws:iam::*"
	}
	return strings.Join(parts[:5], ":")
}
