package estate

import "time"

// Account is what an AWS account has once (iam:GetAccountSummary, the root row
// of iam:GetCredentialReport, iam:GetAccountPasswordPolicy); CloudFormation
// has no such type.
type Account struct {
	AWS            `json:"aws" cfn:"-"`
	RootMFA        Optional[bool]           `json:"rootMFA,omitzero" cfn:"-"`
	RootAccessKeys Optional[bool]           `json:"rootAccessKeys,omitzero" cfn:"-"` // active ones
	RootLastUsed   Optional[time.Time]      `json:"rootLastUsed,omitzero" cfn:"-"`   // password or key; the zero time for never
	SAMLProviders  Optional[[]string]       `json:"samlProviders,omitzero" cfn:"-"`  // ARNs (iam:ListSAMLProviders)
	PasswordPolicy Optional[PasswordPolicy] `json:"passwordPolicy,omitzero" cfn:"-"` // known and zero: none is set
}

// PasswordPolicy is what passwords of IAM users must be.
type PasswordPolicy struct {
	MinimumPasswordLength int  `json:"minimumPasswordLength,omitempty" cfn:"-"`
	Reuse                 int  `json:"reuse,omitempty" cfn:"-"`   // how many old ones are refused
	MaxAge                int  `json:"maxAge,omitempty" cfn:"-"`  // days; 0 for ever
	Complex               bool `json:"complex,omitempty" cfn:"-"` // all four classes of characters
}

// User is AWS::IAM::User.
type User struct {
	AWS                 `json:"aws" cfn:"-"`
	UserName            string                   `json:"userName"`
	Path                string                   `json:"path,omitempty"`
	Groups              []string                 `json:"groups,omitempty"`
	Policies            Optional[[]InlinePolicy] `json:"policies,omitzero"`
	ManagedPolicyArns   Optional[[]string]       `json:"managedPolicyArns,omitzero"`
	PermissionsBoundary Optional[string]         `json:"permissionsBoundary,omitzero"`         // ARN; "" for none
	ConsoleAccess       Optional[bool]           `json:"consoleAccess,omitzero" cfn:"-"`       // it has a LoginProfile, a password
	MFADevices          Optional[[]string]       `json:"mfaDevices,omitzero" cfn:"-"`          // serial numbers or ARNs (iam:ListMFADevices), or UnnamedMFADevice
	AccessKeys          Optional[[]AccessKey]    `json:"accessKeys,omitzero" cfn:"-"`          // AWS::IAM::AccessKey
	PasswordLastUsed    Optional[time.Time]      `json:"passwordLastUsed,omitzero" cfn:"-"`    // the zero time for never (credential report)
	PasswordLastChanged Optional[time.Time]      `json:"passwordLastChanged,omitzero" cfn:"-"` // likewise
	CreateDate          Optional[time.Time]      `json:"createDate,omitzero" cfn:"-"`
}

// UnnamedMFADevice stands for the devices of a user of whom only the credential
// report was read: it says that there are some, and not which.
const UnnamedMFADevice = "unnamed"

// AccessKey is AWS::IAM::AccessKey. Its ID is cut to the last four characters:
// enough to find it, not enough to name it elsewhere.
type AccessKey struct {
	Id         string              `json:"id" cfn:"-"` // empty where only the credential report was read
	Status     string              `json:"status"`     // Active, Inactive
	CreateDate Optional[time.Time] `json:"createDate,omitzero" cfn:"-"`
	LastUsed   Optional[time.Time] `json:"lastUsed,omitzero" cfn:"-"` // the zero time for never
}

// InlinePolicy is a policy within a user, group or role.
type InlinePolicy struct {
	PolicyName     string `json:"policyName"`
	PolicyDocument string `json:"policyDocument"` // JSON
}

// Group is AWS::IAM::Group.
type Group struct {
	AWS               `json:"aws" cfn:"-"`
	GroupName         string                   `json:"groupName"`
	Path              string                   `json:"path,omitempty"`
	Policies          Optional[[]InlinePolicy] `json:"policies,omitzero"`
	ManagedPolicyArns Optional[[]string]       `json:"managedPolicyArns,omitzero"`
}

// IAMRole is AWS::IAM::Role.
type IAMRole struct {
	AWS                      `json:"aws" cfn:"-"`
	RoleName                 string                   `json:"roleName"`
	Path                     string                   `json:"path,omitempty"`
	AssumeRolePolicyDocument Optional[string]         `json:"assumeRolePolicyDocument,omitzero"` // JSON
	Policies                 Optional[[]InlinePolicy] `json:"policies,omitzero"`
	ManagedPolicyArns        Optional[[]string]       `json:"managedPolicyArns,omitzero"`
	PermissionsBoundary      Optional[string]         `json:"permissionsBoundary,omitzero"` // ARN; "" for none
	LastUsed                 Optional[time.Time]      `json:"lastUsed,omitzero" cfn:"-"`    // the zero time for not within AWS's tracking period
	CreateDate               Optional[time.Time]      `json:"createDate,omitzero" cfn:"-"`
}

// ManagedPolicy is AWS::IAM::ManagedPolicy, one of AWS's own included where
// somebody has it.
type ManagedPolicy struct {
	AWS               `json:"aws" cfn:"-"`
	ManagedPolicyName string           `json:"managedPolicyName"`
	PolicyDocument    Optional[string] `json:"policyDocument,omitzero"`          // JSON of the default version
	AttachmentCount   Optional[int]    `json:"attachmentCount,omitzero" cfn:"-"` // iam:GetAccountAuthorizationDetails
}

// OIDCProvider is AWS::IAM::OIDCProvider.
type OIDCProvider struct {
	AWS          `json:"aws" cfn:"-"`
	Url          string   `json:"url"` // without https://
	ClientIdList []string `json:"clientIdList,omitempty"`
}

// ServiceLastAccessed is when a principal last used the services that it may
// use (iam:GenerateServiceLastAccessedDetails); CloudFormation has no such
// type.
type ServiceLastAccessed struct {
	AWS          `json:"aws" cfn:"-"`
	PrincipalArn string            `json:"principalArn" cfn:"-"`
	Services     []ServiceAccessed `json:"services,omitempty" cfn:"-"` // granted ones
	// Since is from when on AWS knows of accesses.
	Since Optional[time.Time] `json:"since,omitzero" cfn:"-"`
}

// ServiceAccessed is one service that a principal may use.
type ServiceAccessed struct {
	Namespace         string              `json:"namespace" cfn:"-"`                  // s3, ec2 …
	LastAuthenticated Optional[time.Time] `json:"lastAuthenticated,omitzero" cfn:"-"` // the zero time for not within the tracking period
}
