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
	roles      []*role
	roleByID   map[string]*role
	users      map[string]*estate.User
	accounts   map[string][]*Principal // users and roles by account
	services   map[string][]*role      // by the service that takes them

	mastery  map[*Principal]Answer
	callable map[*Document]map[string]bool // actions that some Allow names

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
	linked    bool      // AWS's own
}

// NewAWS reads the principals of an estate, their policies, trusts and ways into
// clusters.
func NewAWS(e *estate.Estate) *AWS {
	a := &AWS{
		estate: e, library: NewLibrary(e),
		byID: map[string]*Principal{}, roleByID: map[string]*role{}, users: map[string]*estate.User{},
		accounts: map[string][]*Principal{}, services: map[string][]*role{},
		mastery: map[*Principal]Answer{}, callable: map[*Document]map[string]bool{},
		out: map[Identity][]int{},
	}
	a.readPrincipals()
	for _, p := range a.principals {
		a.administer(p)
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
	a.out = nil
	slices.SortStableFunc(a.steps, func(s, o Step) int {
		return cmp.Or(s.From.compare(o.From), s.To.compare(o.To), cmp.Compare(o.Certain, s.Certain), cmp.Compare(s.Technique, o.Technique))
	})
	a.steps = slices.CompactFunc(a.steps, func(s, o Step) bool {
		return s.From == o.From && s.To == o.To && s.Technique == o.Technique && s.Certain == o.Certain
	})
	return a
}

func (i Identity) compare(o Identity) int {
	return cmp.Or(cmp.Compare(i.Kind, o.Kind), cmp.Compare(i.Cluster, o.Cluster), cmp.Compare(i.Namespace, o.Namespace), cmp.Compare(i.Name, o.Name))
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

// identity returns the principal as an identity.
func (p *Principal) identity() Identity {
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
			ro.trust, _ = Parse(text) // what cannot be read is not known
		}
		add(p)
		a.roles, a.roleByID[r.Arn] = append(a.roles, ro), ro
		for _, service := range ro.takers() {
			a.services[service] = append(a.services[service], ro)
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
		for _, p := range s.Principals {
			if !s.Deny && p.Kind == "Service" {
				out = append(out, p.IDs...)
			}
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

// calls reports whether some Allow of the principal names the action, whatever
// else it asks: most principals are through with most techniques here.
func (a *AWS) calls(p *Principal, action string) bool {
	return slices.ContainsFunc(p.Policies, func(policy *Policy) bool {
		d := policy.Document
		if d == nil {
			return false
		}
		known, ok := a.callable[d]
		if !ok {
			known = map[string]bool{}
			a.callable[d] = known
		}
		does, ok := known[action]
		if !ok {
			does = slices.ContainsFunc(d.Statements, func(s Statement) bool { return !s.Deny && s.names(action) == Yes })
			known[action] = does
		}
		return does
	})
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
	is, by := p.Administrator()
	a.mastery[p] = is
	step := Step{From: p.identity(), To: administrator(p.Account), Technique: "administrator", How: "is an administrator", Certain: is}
	if by != nil {
		step.How = "is an administrator by " + by.String()
		step.Grants = []Grant{by.grant("everything")}
	} else if is == Unclear && len(p.Gaps) > 0 {
		step.How = "may be an administrator: " + p.Gaps[0]
	}
	a.add(step)
	if p.Ref.Kind == estate.Groups.Kind {
		return
	}
	if r := a.roleByID[p.Ref.ID]; r == nil || !r.linked {
		a.add(Step{From: administrator(p.Account), To: p.identity(), Technique: "administer", How: "takes the place of " + p.title(), Certain: Yes})
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
