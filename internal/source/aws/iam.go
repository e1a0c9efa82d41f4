package aws

import (
	"context"
	"encoding/json"
	"net/url"
	"strings"
	"sync"
	"time"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	iamtypes "github.com/aws/aws-sdk-go-v2/service/iam/types"

	"github.com/eksafe/eksafe/internal/estate"
)

// identityParts are the parts that read IAM, which is global.
func (r *reader) identityParts() []part {
	parts := []part{
		{"users, groups, roles and policies", r.readIdentities},
		{"the account", r.readAccount},
		{"OIDC providers", r.readOIDCProviders},
	}
	if !r.skips(estate.LastAccessed.Kind) {
		parts = append(parts, part{"services last used", r.readLastAccessed})
	}
	return parts
}

// An authorization is who there is in IAM, and what each may do.
type authorization struct {
	users    []*estate.User
	groups   []*estate.Group
	roles    []*estate.IAMRole
	policies []*estate.ManagedPolicy

	principals []principal // users and roles, without those that are AWS's to use
}

// A principal is a user or role by what IAM asks for.
type principal struct {
	arn     string
	created estate.Optional[time.Time]
}

// readAuthorization reads all of it by one list: names, policies and trust of
// an account in some calls, not in one for each user and role.
func (r *reader) readAuthorization(ctx context.Context) *authorization {
	return r.authorization.get(func() *authorization {
		a := &authorization{}
		input := &iam.GetAccountAuthorizationDetailsInput{MaxItems: awssdk.Int32(1000)}
		err := pages(ctx, iam.NewGetAccountAuthorizationDetailsPaginator(r.sdk.iam, input), func(p *iam.GetAccountAuthorizationDetailsOutput) {
			for i := range p.UserDetailList {
				u := r.user(&p.UserDetailList[i])
				a.users = append(a.users, u)
				a.principals = append(a.principals, principal{u.Arn, u.CreateDate})
			}
			for i := range p.GroupDetailList {
				a.groups = append(a.groups, r.group(&p.GroupDetailList[i]))
			}
			for i := range p.RoleDetailList {
				role := r.role(&p.RoleDetailList[i])
				a.roles = append(a.roles, role)
				if !strings.HasPrefix(role.Path, "/aws-service-role/") {
					a.principals = append(a.principals, principal{role.Arn, role.CreateDate})
				}
			}
			for i := range p.Policies {
				if m := r.managedPolicy(&p.Policies[i]); m != nil {
					a.policies = append(a.policies, m)
				}
			}
		})
		if err != nil {
			r.fail(err, estate.Users.Kind, estate.Groups.Kind, estate.IAMRoles.Kind, estate.ManagedPolicies.Kind, estate.LastAccessed.Kind)
		}
		return a
	})
}

func (r *reader) readIdentities(ctx context.Context) {
	a := r.readAuthorization(ctx)
	put(r, estate.Groups, a.groups)
	put(r, estate.IAMRoles, a.roles)
	put(r, estate.ManagedPolicies, a.policies)
	if len(a.users) > 0 {
		r.addCredentials(ctx, a.users)
	}
	put(r, estate.Users, a.users)
}

func (r *reader) user(u *iamtypes.UserDetail) *estate.User {
	return &estate.User{
		AWS:                 estate.AWS{Arn: text(u.Arn), Tags: iamTags(u.Tags)},
		UserName:            text(u.UserName),
		Path:                text(u.Path),
		Groups:              list(u.GroupList),
		Policies:            r.inlinePolicies(u.UserPolicyList),
		ManagedPolicyArns:   attached(u.AttachedManagedPolicies),
		PermissionsBoundary: boundary(u.PermissionsBoundary),
		CreateDate:          opt(u.CreateDate),
	}
}

func (r *reader) group(g *iamtypes.GroupDetail) *estate.Group {
	return &estate.Group{
		AWS:               estate.AWS{Arn: text(g.Arn)},
		GroupName:         text(g.GroupName),
		Path:              text(g.Path),
		Policies:          r.inlinePolicies(g.GroupPolicyList),
		ManagedPolicyArns: attached(g.AttachedManagedPolicies),
	}
}

func (r *reader) role(x *iamtypes.RoleDetail) *estate.IAMRole {
	out := &estate.IAMRole{
		AWS:                      estate.AWS{Arn: text(x.Arn), Tags: iamTags(x.Tags)},
		RoleName:                 text(x.RoleName),
		Path:                     text(x.Path),
		AssumeRolePolicyDocument: r.document(x.AssumeRolePolicyDocument),
		Policies:                 r.inlinePolicies(x.RolePolicyList),
		ManagedPolicyArns:        attached(x.AttachedManagedPolicies),
		PermissionsBoundary:      boundary(x.PermissionsBoundary),
		CreateDate:               opt(x.CreateDate),
	}
	// The answer omits what it has no date for.
	out.LastUsed = estate.Known(time.Time{})
	if x.RoleLastUsed != nil && x.RoleLastUsed.LastUsedDate != nil {
		out.LastUsed = estate.Known(*x.RoleLastUsed.LastUsedDate)
	}
	return out
}

// managedPolicy returns the default version of a policy; of AWS's own only
// those that somebody has.
func (r *reader) managedPolicy(p *iamtypes.ManagedPolicyDetail) *estate.ManagedPolicy {
	own := strings.Contains(text(p.Arn), ":iam::aws:")
	if own && number(p.AttachmentCount) == 0 && number(p.PermissionsBoundaryUsageCount) == 0 {
		return nil
	}
	out := &estate.ManagedPolicy{
		AWS:               estate.AWS{Arn: text(p.Arn)},
		ManagedPolicyName: text(p.PolicyName),
		AttachmentCount:   optInt(p.AttachmentCount),
	}
	for _, v := range p.PolicyVersionList {
		if v.IsDefaultVersion {
			out.PolicyDocument = r.document(v.Document)
		}
	}
	return out
}

// inlinePolicies is unknown where one of the documents cannot be read: what is
// left would look like all that the policies allow.
func (r *reader) inlinePolicies(policies []iamtypes.PolicyDetail) estate.Optional[[]estate.InlinePolicy] {
	out := []estate.InlinePolicy{}
	for _, p := range policies {
		document, known := r.document(p.PolicyDocument).Get()
		if !known {
			return estate.Optional[[]estate.InlinePolicy]{}
		}
		out = append(out, estate.InlinePolicy{PolicyName: text(p.PolicyName), PolicyDocument: document})
	}
	return estate.Known(out)
}

// document undoes the URL encoding that IAM gives policies. "+" stands for
// itself there.
func (r *reader) document(encoded *string) estate.Optional[string] {
	if encoded == nil {
		return estate.Optional[string]{}
	}
	plain, err := url.PathUnescape(*encoded)
	if err != nil || !json.Valid([]byte(plain)) {
		r.problem("reading policies: a document is no JSON", "")
		return estate.Optional[string]{}
	}
	return estate.Known(plain)
}

func attached(policies []iamtypes.AttachedPolicy) estate.Optional[[]string] {
	arns := make([]string, 0, len(policies))
	for _, p := range policies {
		arns = append(arns, text(p.PolicyArn))
	}
	return estate.Known(list(arns))
}

func boundary(b *iamtypes.AttachedPermissionsBoundary) estate.Optional[string] {
	if b == nil {
		return estate.Known("")
	}
	return estate.Known(text(b.PermissionsBoundaryArn))
}

func iamTags(tags []iamtypes.Tag) map[string]string {
	return tagMap(tags, func(t iamtypes.Tag) (*string, *string) { return t.Key, t.Value })
}

// readAccount reads what the account has once. Its summary is as of now, the
// credential report may be hours old, so the summary comes first; but only the
// report knows which keys are active.
func (r *reader) readAccount(ctx context.Context) {
	a := &estate.Account{AWS: estate.AWS{Arn: "arn:" + r.session.partition + ":iam::" + r.session.account + ":root"}}
	read := false
	summary, err := r.sdk.iam.GetAccountSummary(ctx, &iam.GetAccountSummaryInput{})
	if err != nil {
		r.fail(err, estate.Accounts.Kind)
	} else {
		read = true
		a.RootMFA = flag(summary.SummaryMap, iamtypes.SummaryKeyTypeAccountMFAEnabled)
		a.RootAccessKeys = flag(summary.SummaryMap, iamtypes.SummaryKeyTypeAccountAccessKeysPresent)
	}
	policy, err := r.sdk.iam.GetAccountPasswordPolicy(ctx, &iam.GetAccountPasswordPolicyInput{})
	switch {
	case err == nil && policy.PasswordPolicy != nil:
		read = true
		a.PasswordPolicy = estate.Known(passwordPolicy(policy.PasswordPolicy))
	case err != nil && classify(err) == notFound:
		read = true
		a.PasswordPolicy = estate.Known(estate.PasswordPolicy{})
	case err != nil:
		r.blind(err, "the password policy")
	}
	providers, err := r.sdk.iam.ListSAMLProviders(ctx, &iam.ListSAMLProvidersInput{})
	if err != nil {
		r.blind(err, "SAML providers")
	} else {
		read = true
		arns := []string{}
		for _, p := range providers.SAMLProviderList {
			arns = append(arns, text(p.Arn))
		}
		a.SAMLProviders = estate.Known(list(arns))
	}
	if root, found := r.readReport(ctx).users[rootUser]; found {
		read = true
		if a.RootMFA.IsZero() {
			a.RootMFA = root.mfa
		}
		if keys, known := root.keys.Get(); known {
			a.RootAccessKeys = estate.Known(anyActive(keys))
			a.RootLastUsed = root.lastUsed(keys)
		}
	}
	if read {
		put(r, estate.Accounts, []*estate.Account{a})
	}
}

// flag reads a number of the summary that says yes or no.
func flag(summary map[string]int32, key iamtypes.SummaryKeyType) estate.Optional[bool] {
	n, found := summary[string(key)]
	if !found {
		return estate.Optional[bool]{}
	}
	return estate.Known(n > 0)
}

func passwordPolicy(p *iamtypes.PasswordPolicy) estate.PasswordPolicy {
	return estate.PasswordPolicy{
		MinimumPasswordLength: number(p.MinimumPasswordLength),
		Reuse:                 number(p.PasswordReusePrevention),
		MaxAge:                number(p.MaxPasswordAge),
		Complex:               p.RequireLowercaseCharacters && p.RequireUppercaseCharacters && p.RequireNumbers && p.RequireSymbols,
	}
}

func (r *reader) readOIDCProviders(ctx context.Context) {
	listed, err := r.sdk.iam.ListOpenIDConnectProviders(ctx, &iam.ListOpenIDConnectProvidersInput{})
	if err != nil {
		r.fail(err, estate.OIDCProviders.Kind)
		return
	}
	var mu sync.Mutex // guards out
	var out []*estate.OIDCProvider
	each(ctx, listed.OpenIDConnectProviderList, func(ctx context.Context, p iamtypes.OpenIDConnectProviderListEntry) {
		got, err := r.sdk.iam.GetOpenIDConnectProvider(ctx, &iam.GetOpenIDConnectProviderInput{OpenIDConnectProviderArn: p.Arn})
		if err != nil {
			if classify(err) != notFound {
				r.fail(err, estate.OIDCProviders.Kind)
			}
			return
		}
		mu.Lock()
		defer mu.Unlock()
		out = append(out, &estate.OIDCProvider{
			AWS:          estate.AWS{Arn: text(p.Arn), Tags: iamTags(got.Tags)},
			Url:          strings.TrimPrefix(text(got.Url), "https://"),
			ClientIdList: list(got.ClientIDList),
		})
	})
	put(r, estate.OIDCProviders, out)
}
