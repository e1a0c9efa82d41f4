package cloudformation

import (
	"strings"

	"github.com/eksafe/eksafe/internal/estate"
	"github.com/eksafe/eksafe/internal/source/awsfact"
)

// asIs leaves the texts of a policy as they are.
func asIs(s string) string { return s }

func readAccessEntry(res *resource) {
	p := res.properties()
	var policies estate.Optional[[]estate.AccessPolicy]
	if items, known := p.each("AccessPolicies"); known {
		list := []estate.AccessPolicy{}
		for _, item := range items {
			scope := item.in("AccessScope")
			list = append(list, estate.AccessPolicy{
				PolicyArn:   item.ref("PolicyArn"),
				AccessScope: estate.AccessScope{Type: scope.plain("Type"), Namespaces: scope.refs("Namespaces")},
			})
		}
		policies = estate.Known(list)
	}
	put(res, estate.AccessEntries, &estate.AccessEntry{
		AWS:              res.aws(p.tags("Tags")),
		ClusterName:      p.ref("ClusterName"),
		PrincipalArn:     p.ref("PrincipalArn"),
		Username:         p.plain("Username"),
		KubernetesGroups: p.refs("KubernetesGroups"),
		Type:             p.textOr("Type", "STANDARD").Or(""),
		AccessPolicies:   policies,
	}, nil)
}

func readAddon(res *resource) {
	p := res.properties()
	addon := &estate.Addon{
		AWS:                   res.aws(p.tags("Tags")),
		ClusterName:           p.ref("ClusterName"),
		AddonName:             p.plain("AddonName"),
		AddonVersion:          p.text("AddonVersion"),
		ServiceAccountRoleArn: p.ref("ServiceAccountRoleArn"),
	}
	if values, known := p.textOr("ConfigurationValues", "").Get(); known {
		facts, _ := awsfact.ReadAddon(values)
		facts.Apply(addon)
	}
	put(res, estate.Addons, addon, map[string]string{
		"enableNetworkPolicy": "ConfigurationValues", "podSecurityGroupEnforcingMode": "ConfigurationValues",
		"networkPolicyEnforcingMode": "ConfigurationValues", "enablePodENI": "ConfigurationValues", "externalSNAT": "ConfigurationValues",
	})
}

func readPodIdentityAssociation(res *resource) {
	p := res.properties()
	put(res, estate.PodIdentityAssociations, &estate.PodIdentityAssociation{
		AWS:            res.aws(p.tags("Tags")),
		ClusterName:    p.ref("ClusterName"),
		Namespace:      p.ref("Namespace"),
		ServiceAccount: p.ref("ServiceAccount"),
		RoleArn:        p.ref("RoleArn"),
	}, nil)
}

func inlinePolicies(p *properties) estate.Optional[[]estate.InlinePolicy] {
	items, known := p.each("Policies")
	out := []estate.InlinePolicy{}
	for _, item := range items {
		document, ok := policy(item.get("PolicyDocument"), asIs).Get()
		known = known && ok
		out = append(out, estate.InlinePolicy{PolicyName: item.ref("PolicyName"), PolicyDocument: document})
	}
	if !known {
		return estate.Optional[[]estate.InlinePolicy]{}
	}
	return estate.Known(out)
}

// policyArns returns the attached policies; a list that is not known as a whole
// is unknown.
func policyArns(p *properties) estate.Optional[[]string] {
	switch p.get("ManagedPolicyArns").kind {
	case list, absent:
		return estate.Known(append([]string{}, p.refs("ManagedPolicyArns")...))
	}
	return estate.Optional[[]string]{}
}

func readUser(res *resource) {
	p := res.properties()
	put(res, estate.Users, &estate.User{
		AWS:                 res.aws(p.tags("Tags")),
		UserName:            p.name("UserName"),
		Path:                p.plain("Path"),
		Groups:              p.refs("Groups"),
		Policies:            inlinePolicies(p),
		ManagedPolicyArns:   policyArns(p),
		PermissionsBoundary: p.refOrNone("PermissionsBoundary"),
		ConsoleAccess:       estate.Known(p.has("LoginProfile")),
	}, map[string]string{"consoleAccess": "LoginProfile"}, p.plain("UserName"))
}

func readGroup(res *resource) {
	p := res.properties()
	put(res, estate.Groups, &estate.Group{
		AWS:               res.aws(nil),
		GroupName:         p.name("GroupName"),
		Path:              p.plain("Path"),
		Policies:          inlinePolicies(p),
		ManagedPolicyArns: policyArns(p),
	}, nil, p.plain("GroupName"))
}

func readRole(res *resource) {
	p := res.properties()
	put(res, estate.IAMRoles, &estate.IAMRole{
		AWS:                      res.aws(p.tags("Tags")),
		RoleName:                 p.name("RoleName"),
		Path:                     p.plain("Path"),
		AssumeRolePolicyDocument: policy(p.get("AssumeRolePolicyDocument"), asIs),
		Policies:                 inlinePolicies(p),
		ManagedPolicyArns:        policyArns(p),
		PermissionsBoundary:      p.refOrNone("PermissionsBoundary"),
	}, nil, p.plain("RoleName"))
}

func readManagedPolicy(res *resource) {
	p := res.properties()
	put(res, estate.ManagedPolicies, &estate.ManagedPolicy{
		AWS:               res.aws(nil),
		ManagedPolicyName: p.name("ManagedPolicyName"),
		PolicyDocument:    policy(p.get("PolicyDocument"), asIs),
	}, nil, p.plain("ManagedPolicyName"))
	id := res.id()
	res.attach(p, func(held holdings) {
		if arns, known := held.arns.Get(); known {
			*held.arns = estate.Known(append(arns, id))
		}
	})
}

// foldPolicy gives a policy to the users, groups and roles that it names.
func foldPolicy(res *resource) {
	p := res.properties()
	name, document := p.ref("PolicyName"), policy(p.get("PolicyDocument"), asIs)
	res.attach(p, func(held holdings) {
		policies, known := held.policies.Get()
		text, ok := document.Get()
		switch {
		case known && ok && res.exists != maybe:
			*held.policies = estate.Known(append(policies, estate.InlinePolicy{PolicyName: name, PolicyDocument: text}))
		default:
			*held.policies = estate.Optional[[]estate.InlinePolicy]{}
		}
		res.reader.add(held.origin, "policies", res, false)
	})
}

// holdings are the policies of a user, group or role.
type holdings struct {
	origin   *estate.Origin
	policies *estate.Optional[[]estate.InlinePolicy]
	arns     *estate.Optional[[]string]
}

// attach calls f, when all is read, for each user, group and role that p names.
func (res *resource) attach(p *properties, f func(holdings)) {
	users, groups, roles := p.refs("Users"), p.refs("Groups"), p.refs("Roles")
	res.fold(func() {
		for _, name := range users {
			if u, ok := target[*estate.User](res, name); ok {
				f(holdings{&u.Origin, &u.Policies, &u.ManagedPolicyArns})
			}
		}
		for _, name := range groups {
			if g, ok := target[*estate.Group](res, name); ok {
				f(holdings{&g.Origin, &g.Policies, &g.ManagedPolicyArns})
			}
		}
		for _, name := range roles {
			if r, ok := target[*estate.IAMRole](res, name); ok {
				f(holdings{&r.Origin, &r.Policies, &r.ManagedPolicyArns})
			}
		}
	})
}

func foldUserToGroup(res *resource) {
	p := res.properties()
	group, users := p.ref("GroupName"), p.refs("Users")
	res.fold(func() {
		for _, name := range users {
			if u, ok := target[*estate.User](res, name); ok {
				u.Groups = append(u.Groups, group)
				res.reader.add(&u.Origin, "groups", res, false)
			}
		}
	})
}

func foldAccessKey(res *resource) {
	p := res.properties()
	user, status := p.ref("UserName"), p.textOr("Status", "Active").Or("")
	res.fold(func() {
		if u, ok := target[*estate.User](res, user); ok {
			u.AccessKeys = estate.Known(append(u.AccessKeys.Or(nil), estate.AccessKey{Id: res.name, Status: status}))
			res.reader.add(&u.Origin, "accessKeys", res, false)
		}
	})
}

func foldVirtualMFADevice(res *resource) {
	p := res.properties()
	users, device := p.refs("Users"), res.id()
	res.fold(func() {
		for _, name := range users {
			if u, ok := target[*estate.User](res, name); ok {
				u.MFADevices = estate.Known(append(u.MFADevices.Or(nil), device))
				res.reader.add(&u.Origin, "mfaDevices", res, false)
			}
		}
	})
}

func readOIDCProvider(res *resource) {
	p := res.properties()
	put(res, estate.OIDCProviders, &estate.OIDCProvider{
		AWS:          res.aws(p.tags("Tags")),
		Url:          strings.TrimPrefix(p.ref("Url"), "https://"),
		ClientIdList: p.refs("ClientIdList"),
	}, nil)
}
