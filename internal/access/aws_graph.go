package access

import (
	"cmp"
	"slices"
	"strings"

	"github.com/eksafe/eksafe/internal/estate"
)

// Identities of AWS beside those of chain.go.
const (
	// IAMGroup is a group of users, which somebody may join; its members have
	// its rights already.
	IAMGroup IdentityKind = "IAMGroup"
	// Administrator is whoever can do everything in an account. Name is the
	// account, "" of a template.
	Administrator IdentityKind = "Administrator"
)

// Masters is the group of Kubernetes that may do everything, past RBAC.
const Masters = "system:masters"

// Assumptions are what the rights of AWS principals are computed without.
func Assumptions() []string {
	return []string{
		"service and resource control policies of the organization are not read; they only take rights away",
		"people sign in with a second factor, so that rights which ask for one are theirs",
		"policies of sessions, which only take rights away, are not known",
	}
}

// maxSteps bounds the graph: a hostile template could hold thousands of roles
// that may all pass one another.
const maxSteps = 200_000

// AWS is who can become whom among the principals of AWS and, through them, in
// clusters. NewAWS builds it; it is then not changed and may be read by several
// goroutines.
type AWS struct {
	estate     *estate.Estate
	library    Library
	principals []*Principal // users, roles and groups, by ID
	byID       map[string]*Principal
	byName     map[string][]*Principal // by the last part of the ARN
	roles      []*role
	roleByID   map[string]*role
	users      map[string]*estate.User
	accounts   map[string][]*Principal // users and roles by account
	assumers   map[string][]*Principal // those whose policies allow taking some role
	services   map[string][]*Principal // roles by the service that takes them

	mastery map[*Principal]Answer
	views   map[viewKey]*Principal
	parts   map[partKey]*Document

	steps  []Step
	out    map[Identity][]int // indices of steps, while they are found
	rules  []EKSRule
	gaps   []string
	closed bool // the bound on steps was met
}

// A role is a role with its trust.
type role struct {
	*estate.IAMRole
	principal *Principal
	account   string
	trust     *Document // nil where it is not known
	serving   []string  // services that the trust names
	linked    bool      // AWS's own
}

// NewAWS reads the principals of an estate, their policies, trusts and ways into
// clusters.
func NewAWS(e *estate.Estate) *AWS {
	a := &AWS{
		estate: e, library: NewLibrary(e),
		byID: map[string]*Principal{}, byName: map[string][]*Principal{}, roleByID: map[string]*role{}, users: map[string]*estate.User{},
		accounts: map[string][]*Principal{}, assumers: map[string][]*Principal{}, services: map[string][]*Principal{},
		mastery: map[*Principal]Answer{}, views: map[viewKey]*Principal{}, parts: map[partKey]*Document{},
		out: map[Identity][]int{},
	}
	a.readPrincipals()
	for _, p := range a.principals {
		a.administer(p)
	}
	for account, principals := range a.accounts {
		a.assumers[account] = slices.DeleteFunc(slices.Clone(principals), func(p *Principal) bool { return !a.calls(p, assumeRole) })
	}
	for _, r := range a.roles {
		a.assume(r)
	}
	clusters := a.clusters()
	for _, c := range clusters {
		a.enter(c)
		a.pods(c)
	}
	for _, p := range a.principals {
		a.escalate(p)
		a.seize(p, clusters)
	}
	a.out, a.views, a.parts = nil, nil, nil
	slices.SortStableFunc(a.steps, func(s, o Step) int {
		return cmp.Or(s.From.Compare(o.From), s.To.Compare(o.To), cmp.Compare(o.Certain, s.Certain), cmp.Compare(s.Technique, o.Technique))
	})
	a.steps = slices.CompactFunc(a.steps, func(s, o Step) bool {
		return s.From == o.From && s.To == o.To && s.Technique == o.Technique && s.Certain == o.Certain
	})
	return a
}

// AWSSteps returns how the principals of AWS become one another and whom they
// are in clusters, and how pods and nodes become principals of AWS:
//
//   - IAMUser and IAMRole are named by their ARN, of a template by the ID of the
//     resource. A role or user of another account that a trust names is one too,
//     with no steps of its own but those.
//   - KubernetesUser, KubernetesGroup, ServiceAccount and NodeIdentity have the
//     name of their cluster, "" where the estate has one at most; a node is named
//     by its node group, or by its instance without one. Who is authenticated is
//     in system:authenticated too, which is not a step.
//   - KubernetesGroup system:masters is an administrator of the cluster; an
//     access policy that gives everything leads there as well.
//   - Anybody is a provider of sign-ons or tokens by its ARN, or everybody;
//     AWSAccount an account by its number.
//
// Rights by access policies are not those of a user or group of Kubernetes: see
// EKSRules.
func AWSSteps(e *estate.Estate) []Step { return NewAWS(e).Steps() }

// Steps returns the steps in order, from whom to whom. They must not be changed.
func (a *AWS) Steps() []Step { return a.steps }

// EKSRules returns what access policies give to whom.
func (a *AWS) EKSRules() []EKSRule { return a.rules }

// Gaps are what was not read and might add steps, one phrase each.
func (a *AWS) Gaps() []string { return a.gaps }

// Principal returns the user or role, or the group, that an identity is.
func (a *AWS) Principal(i Identity) (*Principal, bool) {
	switch i.Kind {
	case IAMUser, IAMRole, IAMGroup:
		p, ok := a.byID[i.Name]
		return p, ok
	}
	return nil, false
}

// Identity returns the principal as an identity.
func (p *Principal) Identity() Identity {
	switch p.Ref.Kind {
	case estate.Users.Kind:
		return Identity{Kind: IAMUser, Name: p.Ref.ID}
	case estate.Groups.Kind:
		return Identity{Kind: IAMGroup, Name: p.Ref.ID}
	}
	return Identity{Kind: IAMRole, Name: p.Ref.ID}
}

func (a *AWS) readPrincipals() {
	add := func(p *Principal) {
		if _, seen := a.byID[p.Ref.ID]; seen {
			return // the same principal by two sources
		}
		a.principals, a.byID[p.Ref.ID] = append(a.principals, p), p
		a.byName[estate.ShortName(p.Ref.ID)] = append(a.byName[estate.ShortName(p.Ref.ID)], p)
		if p.Ref.Kind != estate.Groups.Kind {
			a.accounts[p.Account] = append(a.accounts[p.Account], p)
		}
	}
	for _, u := range estate.Users.In(a.estate) {
		a.users[u.Arn] = u
		add(a.library.User(u))
	}
	for _, g := range estate.Groups.In(a.estate) {
		add(a.library.members(g))
	}
	for _, r := range estate.IAMRoles.In(a.estate) {
		if _, seen := a.byID[r.Arn]; seen {
			continue
		}
		p := a.library.Role(r)
		ro := &role{IAMRole: r, principal: p, account: p.Account, linked: ServiceLinked(r)}
		if text, known := r.AssumeRolePolicyDocument.Get(); known {
			ro.trust, _ = ParseTrust(text) // what cannot be read is not known
		}
		add(p)
		a.roles, a.roleByID[r.Arn] = append(a.roles, ro), ro
		ro.serving = ro.takers()
		for _, service := range ro.serving {
			a.services[service] = append(a.services[service], p)
		}
	}
	slices.SortFunc(a.principals, func(p, o *Principal) int { return cmp.Compare(p.Ref.ID, o.Ref.ID) })
}

// takers returns the services that the trust names.
func (r *role) takers() []string {
	var out []string
	if r.trust == nil {
		return nil
	}
	for i := range r.trust.Statements {
		s := &r.trust.Statements[i]
		if !s.Deny {
			out = append(out, s.Named("Service")...)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// accountOf returns the account in an ARN, "" without one.
func accountOf(arn string) string {
	parts := strings.SplitN(arn, ":", 6)
	if len(parts) < 6 || parts[0] != "arn" {
		return ""
	}
	return parts[4]
}

func accountIn(arn string, o estate.Origin) string {
	if account := accountOf(arn); account != "" {
		return account
	}
	return o.Account
}

func (a *AWS) add(s Step) {
	switch {
	case s.Certain == No || s.From == s.To:
	case len(a.steps) < maxSteps:
		a.out[s.From] = append(a.out[s.From], len(a.steps))
		a.steps = append(a.steps, s)
	case !a.closed:
		a.closed = true
		a.gaps = append(a.gaps, "the principals can become one another in more ways than are followed")
	}
}

type viewKey struct {
	principal *Principal
	action    string
}

type partKey struct {
	document *Document
	action   string
}

// view returns the principal with no statements but those that name an action.
// It answers requests of that action as the principal does, and a thousand
// times faster: a policy has dozens of statements, and what is asked for is in
// few of them.
func (a *AWS) view(p *Principal, action string) *Principal {
	key := viewKey{p, action}
	if v, ok := a.views[key]; ok {
		return v
	}
	v := *p
	v.Policies = nil
	for _, policy := range p.Policies {
		if part := a.part(policy.Document, action); part != nil {
			cut := *policy
			cut.Document = part
			v.Policies = append(v.Policies, &cut)
		}
	}
	if p.Boundary != nil && p.Boundary.Document != nil {
		cut := *p.Boundary
		if cut.Document = a.part(p.Boundary.Document, action); cut.Document == nil {
			cut.Document = &Document{}
		}
		v.Boundary = &cut
	}
	a.views[key] = &v
	return &v
}

// part returns the statements of a policy that name an action, nil for none.
func (a *AWS) part(d *Document, action string) *Document {
	if d == nil {
		return nil
	}
	key := partKey{d, action}
	part, ok := a.parts[key]
	if !ok {
		for i := range d.Statements {
			if d.Statements[i].Names(action) {
				if part == nil {
					part = &Document{}
				}
				part.Statements = append(part.Statements, d.Statements[i])
			}
		}
		a.parts[key] = part
	}
	return part
}

// calls reports whether some Allow of the principal names the action, whatever
// else it asks: most principals are through with most techniques here.
func (a *AWS) calls(p *Principal, action string) bool {
	return slices.ContainsFunc(p.Policies, func(policy *Policy) bool {
		part := a.part(policy.Document, action)
		return part != nil && slices.ContainsFunc(part.Statements, func(s Statement) bool { return !s.Deny })
	})
}

// targets returns those of some principals that an Allow of the action may be
// about, by the last part of the ARNs it names; all where it has a wildcard
// there.
func (a *AWS) targets(p *Principal, all []*Principal, actions ...string) []*Principal {
	var out []*Principal
	seen := map[string]bool{}
	for _, action := range actions {
		if !a.calls(p, action) {
			continue
		}
		for _, policy := range a.view(p, action).Policies {
			for i := range policy.Document.Statements {
				s := &policy.Document.Statements[i]
				if s.Deny {
					continue
				}
				if s.NotResources != nil {
					return all
				}
				for _, r := range s.Resources {
					pattern, _ := substitute(r, p.UserName)
					name := estate.ShortName(pattern)
					if strings.ContainsAny(name, "*?") || !strings.HasPrefix(pattern, "arn:") {
						return all
					}
					if !seen[name] {
						seen[name] = true
						out = append(out, a.byName[name]...)
					}
				}
			}
		}
	}
	slices.SortFunc(out, func(p, o *Principal) int { return cmp.Compare(p.Ref.ID, o.Ref.ID) })
	return out
}

// administrator returns the identity of whoever can do everything in an
// account.
func administrator(account string) Identity { return Identity{Kind: Administrator, Name: account} }

// administer notes who has everything, and what an administrator has: every
// other principal of the account.
func (a *AWS) administer(p *Principal) {
	if r := a.roleByID[p.Ref.ID]; r != nil && r.linked {
		return
	}
	is, by := No, (*Policy)(nil)
	if len(p.Gaps) > 0 || slices.ContainsFunc(decisive, func(action string) bool { return a.calls(p, action) }) {
		is, by = p.administrator(func(action string) *Principal { return a.view(p, action) })
	}
	a.mastery[p] = is
	step := Step{From: p.Identity(), To: administrator(p.Account), Technique: "administrator", How: "is an administrator", Certain: is}
	if by != nil {
		step.How = "is an administrator by " + by.String()
		step.Grants = []Grant{by.grant("everything")}
	} else if is == Unclear && len(p.Gaps) > 0 {
		step.How = "may be an administrator: " + p.Gaps[0]
		known, _ := p.administrator(func(action string) *Principal { return a.view(p, action).withoutGaps() })
		if known == No {
			step.Unread = p.unread()
		}
	}
	a.add(step)
	if p.Ref.Kind == estate.Groups.Kind {
		return
	}
	if r := a.roleByID[p.Ref.ID]; r == nil || !r.linked {
		a.add(Step{From: administrator(p.Account), To: p.Identity(), Technique: "administer", How: "takes the place of " + p.title(), Certain: Yes})
	}
}

// title returns "user alice", "role deploy" or "group people".
func (p *Principal) title() string {
	switch p.Ref.Kind {
	case estate.Users.Kind:
		return "user " + p.Ref.Name
	case estate.Groups.Kind:
		return "group " + p.Ref.Name
	}
	return "role " + p.Ref.Name
}
