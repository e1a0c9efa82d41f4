package access

import (
	"strings"

	"github.com/eksafe/eksafe/internal/estate"
)

// A Right is that somebody may do something itself, without becoming anybody
// else.
type Right struct {
	Who     Identity
	Certain Answer // Yes or Unclear
	Grants  []Grant
	Unread  []string // as of a Step
}

// Can answers whether a principal may do an action on a resource, by its
// policies and that of the resource where it is read: of buckets. An empty
// resource asks for any one. Who was not read is unclear.
func (a *AWS) Can(who Identity, action, resource string) (Answer, []Grant) {
	p, ok := a.Principal(who)
	if !ok {
		return Unclear, nil
	}
	return a.can(p, action, resource)
}

func (a *AWS) can(p *Principal, action, resource string) (Answer, []Grant) {
	r := Request{Action: action, Resource: resource}
	if resource == "" {
		r.Resource, r.Some = "*", true
	}
	out, by := p.Can(r)
	var grants []Grant
	if by != nil {
		grants = append(grants, by.grant(action))
	}
	b := a.bucket(resource)
	if b == nil || !strings.HasPrefix(strings.ToLower(action), "s3:") {
		return out, grants
	}
	if p.denied(r) {
		return No, nil
	}
	byName, byAccount, denied := bucketPolicy(b, p.asked(r), p.Account)
	grant := Grant{Subject: estate.Buckets.Ref(b), Origin: &b.Origin, Field: "policy", Says: "the policy of bucket " + b.BucketName + " allows " + action}
	switch {
	case denied:
		return No, nil
	case p.Account == b.Origin.Account || b.Origin.Account == "":
		named := byName
		if p.UserName == "" {
			named = both(named, p.within(r))
		}
		if named == Yes && out != Yes || named == Unclear && out == No {
			return named, []Grant{grant}
		}
		return out, grants
	}
	if out = both(out, either(byName, byAccount)); out == No {
		return No, nil
	}
	return out, append(grants, grant)
}

// bucket returns the bucket that a resource is or lies in.
func (a *AWS) bucket(resource string) *estate.Bucket {
	_, rest, ok := strings.Cut(resource, ":s3:::")
	if !ok {
		return nil
	}
	name, _, _ := strings.Cut(rest, "/")
	for _, b := range estate.Buckets.In(a.estate) {
		if b.BucketName == name {
			return b
		}
	}
	return nil
}

// bucketPolicy holds a bucket's policy against one principal. A policy that was
// not read may say anything.
func bucketPolicy(b *estate.Bucket, r Request, account string) (byName, byAccount Answer, denied bool) {
	text, known := b.Policy.Get()
	if known && text == "" {
		return No, No, false
	}
	d, err := Parse(text)
	if !known || err != nil {
		return Unclear, Unclear, false
	}
	byName, byAccount = No, No
	for i := range d.Statements {
		s := &d.Statements[i]
		hit, named := s.concerns(r.PrincipalArn, account)
		if !hit {
			continue
		}
		whole := r
		whole.Some = whole.Some && !s.Deny
		about := s.applies(whole)
		switch {
		case s.Deny:
			if about == Yes && s.always(r) {
				return No, No, true
			}
		case named:
			byName = either(byName, both(about, s.holds(r)))
		default:
			byAccount = either(byAccount, both(about, s.holds(r)))
		}
	}
	return byName, byAccount, false
}

// WhoCan returns the users and roles of the estate that may do an action on a
// resource, in order; an empty resource asks for any one. Who may become one of
// them is for the steps to tell.
func (a *AWS) WhoCan(action, resource string) []Right {
	var out []Right
	for _, p := range a.principals {
		if p.Ref.Kind == estate.Groups.Kind || a.unchangeable(p) {
			continue
		}
		who := p.Identity()
		can, grants := a.can(p, action, resource)
		if can == No {
			continue
		}
		right := Right{Who: who, Certain: can, Grants: grants}
		if unread := p.unread(); can == Unclear && len(unread) > 0 {
			if known, _ := a.can(p.withoutGaps(), action, resource); known == No {
				right.Unread = unread
			}
		}
		out = append(out, right)
	}
	return out
}
