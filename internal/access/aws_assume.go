package access

import (
	"slices"
	"strings"

	"github.com/eksafe/eksafe/internal/estate"
)

const (
	assumeRole         = "sts:AssumeRole"
	assumeRoleWithSAML = "sts:AssumeRoleWithSAML"
	trustField         = "assumeRolePolicyDocument"
)

// Everybody is who needs no more than an account at AWS.
const Everybody = "anybody with an AWS account"

// assume adds who may take a role by its trust. Within an account, a trust that
// names the principal is enough, and one that names the account leaves it to the
// principal's policies; between accounts both must allow it.
func (a *AWS) assume(r *role) {
	if r.linked {
		return
	}
	if r.trust == nil {
		// Whoever has the right on its side may have the other half.
		for _, p := range a.assumers[r.account] {
			a.addAssumed(r, p)
		}
		return
	}
	trusted := map[string]bool{} // principals that are named or may be by their account
	accounts := map[string]bool{}
	for i := range r.trust.Statements {
		s := &r.trust.Statements[i]
		if s.Deny {
			continue
		}
		a.federate(r, s)
		if !s.Names(assumeRole) {
			continue
		}
		if len(s.NotPrincipals) > 0 {
			accounts["*"] = true
		}
		for _, ps := range s.Principals {
			if ps.Kind != "AWS" && ps.Kind != "*" {
				continue
			}
			for _, id := range ps.IDs {
				switch account, whole := wholeAccount(id); {
				case id == "*":
					accounts["*"] = true
				case whole:
					accounts[account] = true
				default:
					trusted[canonical(id)] = true
				}
			}
		}
	}
	if accounts["*"] {
		a.add(a.assumed(r, Identity{Kind: Anybody, Name: Everybody}, r.admits(Identity{}, "")))
		for account := range a.accounts {
			accounts[account] = true
		}
	}
	for id := range trusted {
		if p := a.named(id); p != nil {
			a.addAssumed(r, p)
			continue
		}
		a.foreign(r, id)
	}
	for account := range accounts {
		if account != "*" && len(a.accounts[account]) == 0 {
			a.add(a.assumed(r, Identity{Kind: AWSAccount, Name: account}, r.admits(Identity{}, account)))
		}
		// Where the account alone is trusted, whoever has no right of its own is out.
		candidates := a.assumers[account]
		if accounts["*"] {
			candidates = a.accounts[account]
		}
		for _, p := range candidates {
			if !trusted[p.Ref.ID] {
				a.addAssumed(r, p)
			}
		}
	}
}

// named returns the principal of the estate that a trust names: by its ARN, or
// a role by that of its sessions, which have no path.
func (a *AWS) named(id string) *Principal {
	if p, ok := a.byID[id]; ok && p.Ref.Kind != estate.Groups.Kind {
		return p
	}
	if !strings.HasPrefix(id, "arn:") || strings.Count(id, "/") != 1 {
		return nil
	}
	name := estate.ShortName(id)
	for _, p := range a.accounts[accountOf(id)] {
		if r := a.roleByID[p.Ref.ID]; r != nil && r.RoleName == name && strings.Contains(id, ":role/") {
			return p
		}
	}
	// A template does not say whose it is, and is taken for the account's.
	for _, p := range a.accounts[""] {
		if p.Ref.Name == name && !strings.HasPrefix(p.Ref.ID, "arn:") && strings.Contains(id, ":user/") == (p.UserName != "") {
			return p
		}
	}
	return nil
}

// foreign adds a principal that is named and was not read. Of another account,
// that account decides whether its policies allow it: it must be taken to.
func (a *AWS) foreign(r *role, id string) {
	who := Identity{Kind: IAMRole, Name: id}
	if strings.Contains(id, ":user/") {
		who.Kind = IAMUser
	}
	certain := r.admits(who, accountOf(id))
	if len(a.accounts[accountOf(id)]) > 0 || accountOf(id) == "" {
		certain = both(certain, Unclear) // it was deleted, or could not be read
	}
	a.add(a.assumed(r, who, certain))
}

func (a *AWS) assumed(r *role, who Identity, certain Answer) Step {
	return Step{
		From: who, To: r.principal.Identity(), Technique: "assume-role", How: "takes role " + r.principal.Ref.Name,
		Grants: []Grant{r.trusts("its trust policy allows it")}, Certain: certain,
	}
}

func (r *role) trusts(says string) Grant {
	return Grant{Subject: r.principal.Ref, Origin: r.principal.Origin, Field: trustField, Says: says}
}

// addAssumed adds the step of a principal of the estate, if the trust and its
// own policies let it.
func (a *AWS) addAssumed(r *role, p *Principal) {
	if p == r.principal {
		return
	}
	names := r.principal.spellings()
	can, by := a.may(p, Request{Action: assumeRole}, names...)
	byName, byAccount := No, Unclear
	if r.trust != nil {
		byName, byAccount = r.judge(p.asked(Request{}), p.Ref.ID, p.Account, p.UserName == "")
	}
	if byName == No && byAccount == No {
		return
	}
	view := a.view(p, assumeRole)
	if slices.ContainsFunc(names, func(id string) bool { return view.denied(Request{Action: assumeRole, Resource: id}) }) {
		return
	}
	step := a.assumed(r, p.Identity(), No)
	if p.Account == r.account {
		step.Certain = byName
		if p.UserName == "" {
			// A boundary limits what a trust gives to a role, and not what it gives to
			// a user by name.
			step.Certain = both(byName, view.within(Request{Action: assumeRole, Resource: names[0]}))
		}
	} else {
		byAccount = either(byAccount, byName)
	}
	if step.Certain != Yes && both(byAccount, can) != No {
		step.Certain = either(step.Certain, both(byAccount, can))
		step.Grants = append(step.Grants, by...)
	}
	if step.Certain == Unclear {
		step.How = "may take role " + r.principal.Ref.Name
	}
	a.add(step)
}

// admits says whether the trust lets in a principal that was not read, or
// whatever is not known of an account.
func (r *role) admits(who Identity, account string) Answer {
	byName, byAccount := r.judge(Request{PrincipalArn: who.Name}, who.Name, account, who.Kind == IAMRole)
	return either(byName, byAccount)
}

// judge holds the trust against one principal: whether it lets it in by naming
// it, or everybody, and whether by naming its account.
func (r *role) judge(ask Request, id, account string, isRole bool) (byName, byAccount Answer) {
	byName, byAccount = No, No
	for i := range r.trust.Statements {
		s := &r.trust.Statements[i]
		if !s.Names(assumeRole) {
			continue
		}
		hit, named := s.concerns(id, account)
		switch {
		case !hit:
		case s.Deny:
			if s.always(ask) {
				return No, No
			}
		default:
			holds := s.holds(ask)
			if isRole && s.RequiresMFA() {
				holds = both(holds, Unclear) // whether a session carries it depends on how it began
			}
			if named {
				byName = either(byName, holds)
			} else {
				byAccount = either(byAccount, holds)
			}
		}
	}
	return byName, byAccount
}

// concerns reports whether a statement of a resource's policy is about a
// principal, and whether by its own name or as everybody: the name of its
// account leaves it to the principal's policies.
func (s *Statement) concerns(arn, account string) (hit, byName bool) {
	if len(s.NotPrincipals) > 0 {
		in, _ := name(s.NotPrincipals, arn, account)
		return !in, !in
	}
	return name(s.Principals, arn, account)
}

func name(list []Principals, arn, account string) (hit, byName bool) {
	for _, ps := range list {
		if ps.Kind != "AWS" && ps.Kind != "*" {
			continue
		}
		for _, id := range ps.IDs {
			switch whole, ok := wholeAccount(id); {
			case id == "*":
				return true, true
			case ok:
				hit = hit || whole == account && account != ""
			case sameARN(canonical(id), arn):
				return true, true
			}
		}
	}
	return hit, false
}

// wholeAccount returns the account that a principal element stands for as a
// whole: "111122223333", or the ARN of its root.
func wholeAccount(id string) (string, bool) {
	if len(id) == 12 && strings.Trim(id, "0123456789") == "" {
		return id, true
	}
	if account := accountOf(id); strings.HasSuffix(id, ":root") && account != "" {
		return account, true
	}
	return "", false
}

// canonical returns the ARN of the role whose session an ARN names, and any
// other as it is. The role's path is not in it.
func canonical(arn string) string {
	head, rest, ok := strings.Cut(arn, ":assumed-role/")
	if !ok {
		return arn
	}
	name, _, _ := strings.Cut(rest, "/")
	return strings.Replace(head, ":sts:", ":iam:", 1) + ":role/" + name
}

// withoutPath returns the ARN of a role as aws-auth and the ARNs of sessions
// have it.
func withoutPath(arn string) string {
	head, rest, ok := strings.Cut(arn, ":role/")
	if !ok {
		return arn
	}
	return head + ":role/" + rest[strings.LastIndexByte(rest, '/')+1:]
}

// sameARN reports whether an ARN as a policy has it, after canonical, is that of
// a principal.
func sameARN(written, arn string) bool {
	return written == arn || arn != "" && written == withoutPath(arn)
}

// spellings returns how policies may name the principal. A template's has no
// ARN yet, so that a pattern which stands for its name wherever it is created
// must do.
func (p *Principal) spellings() []string {
	if strings.HasPrefix(p.Ref.ID, "arn:") {
		return []string{p.Ref.ID}
	}
	kind := "role"
	switch p.Ref.Kind {
	case estate.Users.Kind:
		kind = "user"
	case estate.Groups.Kind:
		kind = "group"
	}
	return []string{p.Ref.ID, "arn:aws:iam::*:" + kind + "/" + p.Ref.Name}
}

// may answers whether the principal has a right on a resource with these
// spellings, and what gives it.
func (a *AWS) may(p *Principal, r Request, resources ...string) (Answer, []Grant) {
	if !a.calls(p, r.Action) {
		return No, nil
	}
	view := a.view(p, r.Action)
	out, by := No, (*Policy)(nil)
	for _, r.Resource = range resources {
		can, policy := view.knows(r)
		if can == Yes {
			return Yes, []Grant{policy.grant(r.Action)}
		}
		if can == Unclear && out == No {
			out, by = Unclear, policy
		}
	}
	if by == nil {
		return out, nil
	}
	return out, []Grant{by.grant(r.Action)}
}

// federate adds the providers of sign-ons and tokens that a statement of a
// trust lets in. Conditions on what stands in the token are met by whom they
// name; the tokens of the estate's own clusters are their service accounts'.
func (a *AWS) federate(r *role, s *Statement) {
	if !s.Names(assumeRoleWithSAML) && !s.Names(AssumeRoleWithWebIdentity) {
		return
	}
	for _, id := range s.Named("Federated") {
		if a.ownIssuer(id) {
			continue
		}
		certain := Yes
		for _, c := range s.Conditions {
			if !aboutToken(c.Key, id) {
				certain = both(certain, c.decide(Request{}))
			}
		}
		a.add(Step{
			From: Identity{Kind: Anybody, Name: id}, To: r.principal.Identity(), Technique: "sign-in",
			How: "signs in and takes role " + r.principal.Ref.Name, Grants: []Grant{r.trusts("its trust policy lets the provider in")}, Certain: certain,
		})
	}
}

// aboutToken reports whether a condition key is of what a provider writes into
// its assertions.
func aboutToken(key, provider string) bool {
	key = strings.ToLower(key)
	issuer := strings.ToLower(issuerIn(provider))
	return strings.HasPrefix(key, "saml:") || issuer != "" && strings.HasPrefix(key, issuer+":")
}

// issuerIn returns the issuer in the ARN of an OpenID Connect provider, or
// of its name alone.
func issuerIn(provider string) string {
	if _, issuer, ok := strings.Cut(provider, ":oidc-provider/"); ok {
		return issuer
	}
	if strings.Contains(provider, ":saml-provider/") {
		return ""
	}
	return strings.TrimPrefix(provider, "https://")
}

// ownIssuer reports whether a provider stands for a cluster of the estate.
func (a *AWS) ownIssuer(provider string) bool {
	issuer := issuerIn(provider)
	return issuer != "" && slices.ContainsFunc(estate.Clusters.In(a.estate), func(c *estate.Cluster) bool { return issuerOf(c) == issuer })
}

// issuerOf returns the issuer of a cluster's tokens, "" where it is not known.
func issuerOf(c *estate.Cluster) string {
	return strings.TrimPrefix(c.OpenIdConnectIssuerUrl.Or(""), "https://")
}
