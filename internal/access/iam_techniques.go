package access

import (
	"slices"
	"strings"

	"github.com/eksafe/eksafe/internal/estate"
)

// A passing is a way to use a role by passing it to a service, which then runs
// what the principal wants.
type passing struct {
	service string
	id      string // of the technique
	ways    []means
}

// A means is actions, all of them, beside iam:PassRole.
type means struct {
	how     string // "runs a function as"
	actions []string
}

// passings are those whose actions could be looked up, on 2026-11-26, in public
// descriptions of privilege escalation in IAM.
var passings = []passing{
	{"lambda.amazonaws.com", "pass-role-lambda", []means{
		{"runs a function as", []string{"lambda:CreateFunction", "lambda:InvokeFunction"}},
		{"runs a function as", []string{"lambda:CreateFunction", "lambda:CreateEventSourceMapping"}},
		{"runs a function as", []string{"lambda:CreateFunction", "lambda:AddPermission"}},
	}},
	{"ec2.amazonaws.com", "pass-role-ec2", []means{
		{"starts an instance as", []string{"ec2:RunInstances"}},
		{"starts a spot instance as", []string{"ec2:RequestSpotInstances"}},
	}},
	{"cloudformation.amazonaws.com", "pass-role-cloudformation", []means{
		{"creates a stack as", []string{"cloudformation:CreateStack"}},
		{"creates stacks as", []string{"cloudformation:CreateStackSet", "cloudformation:CreateStackInstances"}},
	}},
	{"glue.amazonaws.com", "pass-role-glue", []means{{"opens a development endpoint as", []string{"glue:CreateDevEndpoint"}}}},
	{"sagemaker.amazonaws.com", "pass-role-sagemaker", []means{
		{"opens a notebook as", []string{"sagemaker:CreateNotebookInstance", "sagemaker:CreatePresignedNotebookInstanceUrl"}},
		{"runs a training job as", []string{"sagemaker:CreateTrainingJob"}},
		{"runs a processing job as", []string{"sagemaker:CreateProcessingJob"}},
	}},
	{"codebuild.amazonaws.com", "pass-role-codebuild", []means{
		{"runs a build as", []string{"codebuild:CreateProject", "codebuild:StartBuild"}},
		{"runs a build as", []string{"codebuild:CreateProject", "codebuild:StartBuildBatch"}},
	}},
	{"ecs-tasks.amazonaws.com", "pass-role-ecs", []means{
		{"runs a task as", []string{"ecs:RegisterTaskDefinition", "ecs:RunTask"}},
		{"runs a task as", []string{"ecs:RegisterTaskDefinition", "ecs:StartTask"}},
		{"runs a service as", []string{"ecs:RegisterTaskDefinition", "ecs:CreateService"}},
	}},
	{"apprunner.amazonaws.com", "pass-role-apprunner", []means{{"runs a service as", []string{"apprunner:CreateService"}}}},
	{"datapipeline.amazonaws.com", "pass-role-datapipeline", []means{
		{"runs a pipeline as", []string{"datapipeline:CreatePipeline", "datapipeline:PutPipelineDefinition", "datapipeline:ActivatePipeline"}},
	}},
}

// escalate adds how a principal makes itself or another more than its policies
// say. Who is an administrator needs none of it.
func (a *AWS) escalate(p *Principal) {
	if a.mastery[p] == Yes || a.unchangeable(p) || a.closed {
		return
	}
	a.selfMade(p)
	a.steal(p)
	a.rewriteTrusts(p)
	for _, t := range passings {
		a.pass(p, t)
	}
	a.join(p)
	a.grow(p)
	a.create(p)
}

// unchangeable reports whether a principal is a role of AWS's own.
func (a *AWS) unchangeable(p *Principal) bool {
	r := a.roleByID[p.Ref.ID]
	return r != nil && r.linked
}

// all returns the answer to several needs together, and what gives them.
func (a *AWS) all(p *Principal, resources []string, actions ...string) (Answer, []Grant) {
	out := Yes
	var grants []Grant
	for _, action := range actions {
		can, by := a.may(p, Request{Action: action}, resources...)
		if out = both(out, can); out == No {
			return No, nil
		}
		grants = append(grants, by...)
	}
	return out, grants
}

// any returns the answer to whichever of the actions is the surest.
func (a *AWS) any(p *Principal, resources []string, actions ...string) (Answer, []Grant) {
	out := No
	var grants []Grant
	for _, action := range actions {
		can, by := a.may(p, Request{Action: action}, resources...)
		if can == Yes {
			return Yes, by
		}
		if can == Unclear && out == No {
			out, grants = Unclear, by
		}
	}
	return out, grants
}

// unbounded says whether a principal with every policy would be an
// administrator: its boundary allows that too, or to take the boundary away.
func (p *Principal) unbounded() Answer {
	if p.Boundary == nil || p.Ref.Kind == estate.Groups.Kind {
		return Yes
	}
	if p.Boundary.Document == nil {
		return Unclear
	}
	whole := Principal{Ref: p.Ref, Account: p.Account, UserName: p.UserName, Policies: []*Policy{p.Boundary}}
	is, _ := whole.Administrator()
	lift := "iam:DeleteRolePermissionsBoundary"
	if p.UserName != "" {
		lift = "iam:DeleteUserPermissionsBoundary"
	}
	return either(is, p.within(Request{Action: lift, Resource: p.Ref.ID}))
}

// selfMade adds the ways that need no other principal.
func (a *AWS) selfMade(p *Principal) {
	for _, t := range techniques {
		if t.users && p.UserName == "" || t.roles && p.UserName != "" || !t.alone() {
			continue
		}
		can, grants := Yes, []Grant(nil)
		for _, n := range t.needs {
			is, by := p.reaches(n, t.service, a.view(p, n.action).knows)
			if can = both(can, is); can == No {
				break
			}
			if by != nil {
				grants = append(grants, by.grant(n.action))
			}
		}
		if can == No {
			continue
		}
		a.add(Step{
			From: p.Identity(), To: administrator(p.Account), Technique: "own-policy", How: t.step,
			Grants: grants, Certain: both(can, p.completes(t)),
		})
	}
}

// alone reports whether a technique works on what the principal is or has.
func (t technique) alone() bool {
	return !slices.ContainsFunc(t.needs, func(n need) bool { return n.on != self && n.on != ownGroups && n.on != ownPolicy })
}

// steal adds the users whose credentials a principal may make.
func (a *AWS) steal(p *Principal) {
	for _, other := range a.targets(p, a.accounts[p.Account], "iam:CreateAccessKey", "iam:CreateLoginProfile", "iam:UpdateLoginProfile") {
		u := a.users[other.Ref.ID]
		if u == nil || other == p || other.Account != p.Account {
			continue
		}
		names := other.spellings()
		try := func(technique, how string, needs ...string) bool {
			can, grants := a.all(p, names, needs...)
			a.add(Step{From: p.Identity(), To: other.Identity(), Technique: technique, How: how + other.title(), Grants: grants, Certain: can})
			return can == Yes
		}
		// A user has two keys at most.
		if keys, known := u.AccessKeys.Get(); known && len(keys) > 1 {
			if try("access-key", "makes an access key of ", "iam:CreateAccessKey", "iam:DeleteAccessKey") {
				continue
			}
		} else if try("access-key", "makes an access key of ", "iam:CreateAccessKey") {
			continue
		}
		console, known := u.ConsoleAccess.Get()
		if !known || !console {
			can, grants := a.all(p, names, "iam:CreateLoginProfile")
			if !known {
				can = both(can, Unclear)
			}
			a.add(Step{From: p.Identity(), To: other.Identity(), Technique: "login-profile", How: "gives a password to " + other.title(), Grants: grants, Certain: can})
		}
		if known && !console {
			continue
		}
		needs := []string{"iam:UpdateLoginProfile"}
		devices, read := u.MFADevices.Get()
		if len(devices) > 0 {
			needs = append(needs, "iam:DeactivateMFADevice")
		}
		can, grants := a.all(p, names, needs...)
		if !known || !read {
			can = both(can, Unclear)
		}
		a.add(Step{From: p.Identity(), To: other.Identity(), Technique: "login-profile", How: "changes the password of " + other.title(), Grants: grants, Certain: can})
	}
}

// rewriteTrusts adds the roles into whose trust a principal may write itself.
func (a *AWS) rewriteTrusts(p *Principal) {
	const action = "iam:UpdateAssumeRolePolicy"
	for _, target := range a.targets(p, a.accounts[p.Account], action) {
		r := a.roleByID[target.Ref.ID]
		if r == nil || r.linked || r.account != p.Account || r.principal == p {
			continue
		}
		names := r.principal.spellings()
		can, grants := a.all(p, names, action)
		if can == No || slices.ContainsFunc(names, func(n string) bool { return a.view(p, assumeRole).denied(Request{Action: assumeRole, Resource: n}) }) {
			continue
		}
		if p.UserName == "" {
			can = both(can, a.view(p, assumeRole).within(Request{Action: assumeRole, Resource: names[0]}))
		}
		a.add(Step{From: p.Identity(), To: r.principal.Identity(), Technique: "rewrite-trust", How: "lets itself take " + r.principal.title(), Grants: grants, Certain: can})
	}
}

// pass adds the roles that a principal may pass to a service of its use. The
// service must be one that the role trusts.
func (a *AWS) pass(p *Principal, t passing) {
	const passRole = "iam:PassRole"
	if !a.calls(p, passRole) {
		return
	}
	use, how, grants := No, "", []Grant(nil)
	for _, w := range t.ways {
		can, by := Yes, []Grant(nil)
		for _, action := range w.actions {
			one, grant := a.may(p, Request{Action: action, Some: true}, "*")
			if can = both(can, one); can == No {
				break
			}
			by = append(by, grant...)
		}
		if can == Yes && use != Yes || can == Unclear && use == No {
			use, how, grants = can, w.how, by
		}
	}
	if use == No {
		return
	}
	takers := a.services[t.service]
	for _, target := range a.targets(p, takers, passRole) {
		r := a.roleByID[target.Ref.ID]
		if r == nil || r.linked || r.account != p.Account || !slices.Contains(r.serving, t.service) {
			continue
		}
		can, by := a.may(p, Request{Action: passRole, PassedTo: t.service}, r.principal.spellings()...)
		if can == No {
			continue
		}
		a.add(Step{
			From: p.Identity(), To: r.principal.Identity(), Technique: t.id, How: how + " " + r.principal.title(),
			Grants: slices.Concat(by, grants), Certain: both(both(can, use), r.serves(t.service)),
		})
	}
}

// serves says whether the trust lets a service take the role, whatever it is
// doing there.
func (r *role) serves(service string) Answer {
	out := No
	for i := range r.trust.Statements {
		s := &r.trust.Statements[i]
		if !s.Names(assumeRole) || !slices.Contains(s.Named("Service"), service) {
			continue
		}
		if s.Deny {
			if len(s.Conditions) == 0 {
				return No
			}
			continue
		}
		out = either(out, s.holds(Request{}))
	}
	return out
}

// join adds the groups that a user may add itself to.
func (a *AWS) join(p *Principal) {
	const action = "iam:AddUserToGroup"
	if p.UserName == "" || !a.calls(p, action) {
		return
	}
	for _, g := range a.principals {
		if g.Ref.Kind != estate.Groups.Kind || g.Account != p.Account || slices.ContainsFunc(p.Groups, func(own *estate.Group) bool { return own.Arn == g.Ref.ID }) {
			continue
		}
		can, grants := a.all(p, g.spellings(), action)
		if p.Boundary != nil {
			can = both(can, Unclear) // what it joins is cut by its boundary
		}
		a.add(Step{From: p.Identity(), To: g.Identity(), Technique: "join-group", How: "joins " + g.title(), Grants: grants, Certain: can})
	}
}

// grow adds the way over another principal that it may both become and give
// every right.
func (a *AWS) grow(p *Principal) {
	for _, i := range slices.Clone(a.out[p.Identity()]) {
		s := a.steps[i]
		other, ok := a.byID[s.To.Name]
		if !ok || other.Account != p.Account || a.mastery[other] == Yes || s.Technique == "administrator" {
			continue
		}
		can, grants := a.growth(p, other)
		if can == No {
			continue
		}
		a.add(Step{
			From: p.Identity(), To: administrator(p.Account), Technique: "grow-principal",
			How:    "gives " + other.title() + " every right and " + s.How,
			Grants: slices.Concat(grants, s.Grants), Certain: both(both(s.Certain, can), other.unbounded()),
		})
	}
}

// growth answers whether a principal may write policies of another.
func (a *AWS) growth(p, other *Principal) (Answer, []Grant) {
	actions := []string{"iam:PutRolePolicy", "iam:AttachRolePolicy"}
	switch other.Ref.Kind {
	case estate.Users.Kind:
		actions = []string{"iam:PutUserPolicy", "iam:AttachUserPolicy"}
	case estate.Groups.Kind:
		actions = []string{"iam:PutGroupPolicy", "iam:AttachGroupPolicy"}
	}
	out, grants := a.any(p, other.spellings(), actions...)
	for _, policy := range other.Policies {
		if out == Yes {
			break
		}
		if policy.Arn == "" || AWSManaged(policy.Arn) {
			continue
		}
		if can, by := a.any(p, []string{policy.Arn}, "iam:CreatePolicyVersion"); can != No && out != can {
			out, grants = either(out, can), by
		}
	}
	return out, grants
}

// create adds the ways over a principal of its own making.
func (a *AWS) create(p *Principal) {
	account := p.account()
	for _, c := range []struct {
		kind  string
		with  []string // all of them
		grow  []string // one of them
		how   string
		scope string
	}{
		{"user", []string{"iam:CreateUser", "iam:CreateAccessKey"}, []string{"iam:PutUserPolicy", "iam:AttachUserPolicy"}, "makes a user with every right", "iam:CreateUser"},
		{"role", []string{"iam:CreateRole"}, []string{"iam:PutRolePolicy", "iam:AttachRolePolicy"}, "makes a role with every right and takes it", "iam:CreateRole"},
	} {
		if !a.calls(p, c.scope) {
			continue
		}
		best, how := No, []Grant(nil)
		for _, resource := range append([]string{account + ":" + c.kind + "/*"}, p.patterns(c.scope)...) {
			can, grants := a.all(p, []string{resource}, c.with...)
			if can == No {
				continue
			}
			grown, by := a.any(p, []string{resource}, c.grow...)
			if can = both(can, grown); can == Yes || can == Unclear && best == No {
				best, how = can, slices.Concat(grants, by)
			}
		}
		a.add(Step{From: p.Identity(), To: administrator(p.Account), Technique: "new-principal", How: c.how, Grants: how, Certain: best})
	}
}

// patterns returns the resources for which statements allow an action, as they
// write them: where an action may be done at all.
func (p *Principal) patterns(action string) []string {
	var out []string
	for _, policy := range p.Policies {
		if policy.Document == nil {
			continue
		}
		for i := range policy.Document.Statements {
			s := &policy.Document.Statements[i]
			if s.Deny || !s.Names(action) {
				continue
			}
			for _, r := range s.Resources {
				if pattern, plain := substitute(r, p.UserName); plain && strings.HasPrefix(pattern, "arn:") && !slices.Contains(out, pattern) {
					out = append(out, pattern)
				}
			}
		}
	}
	return out
}
