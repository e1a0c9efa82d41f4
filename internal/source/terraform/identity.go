package terraform

import (
	"strings"

	"github.com/eksafe/eksafe/internal/estate"
)

func readUser(res *resource) {
	put(res, estate.Users, &estate.User{
		AWS:                 res.aws(),
		UserName:            res.name("name"),
		Path:                res.plain("path"),
		Policies:            estate.Known([]estate.InlinePolicy{}),
		ManagedPolicyArns:   estate.Known([]string{}),
		PermissionsBoundary: res.refOrNone("permissions_boundary"),
		ConsoleAccess:       estate.Known(false),
	})
}

func foldLoginProfile(res *resource) {
	to := res.ref("user")
	res.fold(func() {
		if u, ok := target[*estate.User](res, to); ok {
			u.ConsoleAccess = estate.Known(true)
		}
	})
}

func foldAccessKey(res *resource) {
	to := res.ref("user")
	key := estate.AccessKey{Id: lastFour(res.attr("id")), Status: res.textOr("status", "Active").Or("")}
	res.fold(func() {
		if u, ok := target[*estate.User](res, to); ok {
			u.AccessKeys = estate.Known(append(u.AccessKeys.Or(nil), key))
		}
	})
}

// lastFour is what the estate keeps of the ID of a key.
func lastFour(id string) string {
	if strings.HasPrefix(id, "tf:") || len(id) < 4 {
		return estate.ShortName(id)
	}
	return id[len(id)-4:]
}

func readGroup(res *resource) {
	put(res, estate.Groups, &estate.Group{
		AWS:               res.aws(),
		GroupName:         res.name("name"),
		Path:              res.plain("path"),
		Policies:          estate.Known([]estate.InlinePolicy{}),
		ManagedPolicyArns: estate.Known([]string{}),
	})
}

func foldGroupMembership(res *resource) { res.join([]string{res.ref("group")}, res.refs("users")) }

func foldUserGroups(res *resource) { res.join(res.refs("groups"), []string{res.ref("user")}) }

func (res *resource) join(groups, users []string) {
	res.fold(func() {
		for _, name := range users {
			if u, ok := target[*estate.User](res, name); ok {
				u.Groups = append(u.Groups, groups...)
			}
		}
	})
}

func readRole(res *resource) {
	policies := []estate.InlinePolicy{}
	items, known := res.each("inline_policy")
	for _, item := range items {
		if !item.has("policy") {
			continue // an empty block takes inline policies away
		}
		document, ok := item.document("policy").Get()
		known = known && ok
		policies = append(policies, estate.InlinePolicy{PolicyName: item.plain("name"), PolicyDocument: document})
	}
	role := &estate.IAMRole{
		AWS:                      res.aws(),
		RoleName:                 res.name("name"),
		Path:                     res.plain("path"),
		AssumeRolePolicyDocument: res.document("assume_role_policy"),
		ManagedPolicyArns:        estate.Known([]string{}),
		PermissionsBoundary:      res.refOrNone("permissions_boundary"),
	}
	if known || res.expressions["inline_policy"] == nil {
		role.Policies = estate.Known(policies)
	}
	if res.expressions["managed_policy_arns"] != nil || res.expressions == nil {
		role.ManagedPolicyArns = res.refsOrUnknown("managed_policy_arns")
	}
	put(res, estate.IAMRoles, role)
}

func readManagedPolicy(res *resource) {
	put(res, estate.ManagedPolicies, &estate.ManagedPolicy{AWS: res.aws(), ManagedPolicyName: res.name("name"), PolicyDocument: res.document("policy")})
}

// holdings are the policies of a user, group or role.
type holdings struct {
	policies *estate.Optional[[]estate.InlinePolicy]
	arns     *estate.Optional[[]string]
}

func (res *resource) holder(kind, name string) (holdings, bool) {
	switch kind {
	case "user":
		if u, ok := target[*estate.User](res, name); ok {
			return holdings{&u.Policies, &u.ManagedPolicyArns}, true
		}
	case "group":
		if g, ok := target[*estate.Group](res, name); ok {
			return holdings{&g.Policies, &g.ManagedPolicyArns}, true
		}
	case "role":
		if r, ok := target[*estate.IAMRole](res, name); ok {
			return holdings{&r.Policies, &r.ManagedPolicyArns}, true
		}
	}
	return holdings{}, false
}

func foldInlinePolicy(kind string) func(*resource) {
	return func(res *resource) {
		to, document := res.ref(kind), res.document("policy")
		res.fold(func() {
			h, ok := res.holder(kind, to)
			if !ok {
				return
			}
			policies, known := h.policies.Get()
			text, sure := document.Get()
			*h.policies = estate.Optional[[]estate.InlinePolicy]{}
			if known && sure {
				*h.policies = estate.Known(append(policies, estate.InlinePolicy{PolicyName: res.name("name"), PolicyDocument: text}))
			}
		})
	}
}

func foldAttachment(kind string) func(*resource) {
	return func(res *resource) { res.give(kind, []string{res.ref(kind)}, res.ref("policy_arn")) }
}

func foldPolicyAttachment(res *resource) {
	for _, kind := range []string{"user", "group", "role"} {
		res.give(kind, res.refs(kind+"s"), res.ref("policy_arn"))
	}
}

func (res *resource) give(kind string, names []string, policy string) {
	res.fold(func() {
		for _, name := range names {
			h, ok := res.holder(kind, name)
			if !ok {
				continue
			}
			arns, known := h.arns.Get()
			switch {
			case policy == "${?}":
				*h.arns = estate.Optional[[]string]{}
			case known:
				*h.arns = estate.Known(append(arns, policy))
			}
		}
	})
}

func readOIDCProvider(res *resource) {
	put(res, estate.OIDCProviders, &estate.OIDCProvider{
		AWS: res.aws(), Url: strings.TrimPrefix(res.ref("url"), "https://"), ClientIdList: res.refs("client_id_list"),
	})
}
