package estate

// WebACL is AWS::WAFv2::WebACL.
type WebACL struct {
	AWS           `json:"aws" cfn:"-"`
	Name          string           `json:"name"`
	Scope         string           `json:"scope"`                                     // REGIONAL, CLOUDFRONT
	Id            string           `json:"id"`                                        // of the web ACL in its ARN
	DefaultAction Optional[string] `json:"defaultAction,omitzero" cfn:"-"`            // Allow or Block: the name of DefaultAction's member
	Rules         Optional[[]Rule] `json:"rules,omitzero"`                            // in the order in which they are evaluated
	Managed       Optional[bool]   `json:"managedByFirewallManager,omitzero" cfn:"-"` // wafv2:GetWebACL: Firewall Manager owns it
	// MetricName is the web ACL's name in CloudWatch: the dimension WebACL.
	MetricName               Optional[string] `json:"metricName,omitzero" cfn:"VisibilityConfig.MetricName"`
	CloudWatchMetricsEnabled Optional[bool]   `json:"cloudWatchMetricsEnabled,omitzero" cfn:"VisibilityConfig.CloudWatchMetricsEnabled"`
}

// Rule is one rule of a web ACL or rule group. A rule with a group has an
// OverrideAction, every other an Action; both are the name of the action's
// member in CloudFormation: Allow, Block, Count, Captcha, Challenge; None.
type Rule struct {
	Name           string    `json:"name"`
	Priority       int       `json:"priority"`
	Action         string    `json:"action,omitempty" cfn:"-"`
	OverrideAction string    `json:"overrideAction,omitempty" cfn:"-"`
	Statement      Statement `json:"statement"`
	// FirewallManager is "first" or "last" where Firewall Manager put the rule
	// before or after the web ACL's own.
	FirewallManager string `json:"firewallManager,omitempty" cfn:"-"`
}

// Statement says which requests a rule matches: exactly one member is set.
type Statement struct {
	ManagedRuleGroupStatement   *ManagedRuleGroupStatement   `json:"managedRuleGroupStatement,omitempty"`
	RuleGroupReferenceStatement *RuleGroupReferenceStatement `json:"ruleGroupReferenceStatement,omitempty"`
	IPSetReferenceStatement     *IPSetReferenceStatement     `json:"ipSetReferenceStatement,omitempty" cfn:"IPSetReferenceStatement"`
	RateBasedStatement          *RateBasedStatement          `json:"rateBasedStatement,omitempty"`
	GeoMatchStatement           *GeoMatchStatement           `json:"geoMatchStatement,omitempty"`
	ByteMatchStatement          *ByteMatchStatement          `json:"byteMatchStatement,omitempty"`
	AndStatement                *Statements                  `json:"andStatement,omitempty"`
	OrStatement                 *Statements                  `json:"orStatement,omitempty"`
	NotStatement                *NotStatement                `json:"notStatement,omitempty"`
	// Other names a statement that is not modelled: SqliMatchStatement …
	Other string `json:"other,omitempty" cfn:"-"`
}

// Statements are joined by AND or OR.
type Statements struct {
	Statements []Statement `json:"statements"`
}

// NotStatement negates another.
type NotStatement struct {
	Statement Statement `json:"statement"`
}

// ManagedRuleGroupStatement runs a rule group of AWS or of a seller of the
// marketplace.
type ManagedRuleGroupStatement struct {
	VendorName          string               `json:"vendorName"` // "AWS", or a seller: "F5" …
	Name                string               `json:"name"`
	Version             string               `json:"version,omitempty"`
	ExcludedRules       []string             `json:"excludedRules,omitempty"` // only count
	RuleActionOverrides []RuleActionOverride `json:"ruleActionOverrides,omitempty"`
	ScopeDownStatement  *Statement           `json:"scopeDownStatement,omitempty"`
	Rules               Optional[[]string]   `json:"rules,omitzero" cfn:"-"` // wafv2:DescribeManagedRuleGroup: the names of all its rules
}

// RuleGroupReferenceStatement runs a rule group of one's own.
type RuleGroupReferenceStatement struct {
	Arn                 string               `json:"arn"`
	ExcludedRules       []string             `json:"excludedRules,omitempty"`
	RuleActionOverrides []RuleActionOverride `json:"ruleActionOverrides,omitempty"`
}

// RuleActionOverride changes the action of one rule of a group.
type RuleActionOverride struct {
	Name        string `json:"name"`
	ActionToUse string `json:"actionToUse" cfn:"-"` // Count, Allow, Block …
}

// IPSetReferenceStatement matches the addresses of an IP set. With a header
// the address is what a client may have written into that header.
type IPSetReferenceStatement struct {
	Arn             string `json:"arn"`
	ForwardedHeader string `json:"forwardedHeader,omitempty" cfn:"IPSetForwardedIPConfig.HeaderName"`
}

// RateBasedStatement matches who asks more often than Limit.
type RateBasedStatement struct {
	Limit               int        `json:"limit"`                         // requests in the window
	EvaluationWindowSec int        `json:"evaluationWindowSec,omitempty"` // 0: AWS's default of 300
	AggregateKeyType    string     `json:"aggregateKeyType,omitempty"`    // IP, FORWARDED_IP, CUSTOM_KEYS, CONSTANT
	CustomKeys          []string   `json:"customKeys,omitempty" cfn:"-"`  // of CUSTOM_KEYS, their members' names: IP, ForwardedIP, Header …
	ScopeDownStatement  *Statement `json:"scopeDownStatement,omitempty"`
}

// GeoMatchStatement matches countries.
type GeoMatchStatement struct {
	CountryCodes []string `json:"countryCodes,omitempty"`
}

// ByteMatchStatement compares a part of the request with a text, which may be
// a secret and is not kept.
type ByteMatchStatement struct {
	FieldToMatch         string `json:"fieldToMatch" cfn:"-"` // its member's name: UriPath, SingleHeader …
	Header               string `json:"header,omitempty" cfn:"FieldToMatch.SingleHeader"`
	PositionalConstraint string `json:"positionalConstraint"` // EXACTLY, STARTS_WITH, CONTAINS …
	// MatchesAll is true where every request matches: it contains "", or its
	// path starts with "/".
	MatchesAll bool `json:"matchesAll,omitempty" cfn:"-"`
}

// RuleGroup is AWS::WAFv2::RuleGroup.
type RuleGroup struct {
	AWS   `json:"aws" cfn:"-"`
	Name  string           `json:"name"`
	Scope string           `json:"scope"`
	Id    string           `json:"id"`
	Rules Optional[[]Rule] `json:"rules,omitzero"`
}

// IPSet is AWS::WAFv2::IPSet.
type IPSet struct {
	AWS              `json:"aws" cfn:"-"`
	Name             string             `json:"name"`
	Scope            string             `json:"scope"`
	Id               string             `json:"id"`
	IPAddressVersion string             `json:"ipAddressVersion,omitempty"` // IPV4, IPV6
	Addresses        Optional[[]string] `json:"addresses,omitzero"`         // CIDR blocks
}

// WebACLAssociation is AWS::WAFv2::WebACLAssociation.
type WebACLAssociation struct {
	AWS         `json:"aws" cfn:"-"`
	ResourceArn string `json:"resourceArn"`
	WebACLArn   string `json:"webACLArn"`
}

// WebACLLogging is AWS::WAFv2::LoggingConfiguration.
type WebACLLogging struct {
	AWS                   `json:"aws" cfn:"-"`
	ResourceArn           string             `json:"resourceArn"` // of the web ACL
	LogDestinationConfigs []string           `json:"logDestinationConfigs,omitempty"`
	RedactedFields        Optional[[]string] `json:"redactedFields,omitzero"` // "header:authorization", "QueryString", "UriPath", "Method"
	// KeepsBlocked is false where a logging filter drops blocked requests.
	KeepsBlocked Optional[bool] `json:"keepsBlocked,omitzero" cfn:"-"`
}

// HostedZone is AWS::Route53::HostedZone with those of its
// AWS::Route53::RecordSet that lead to something.
type HostedZone struct {
	AWS     `json:"aws" cfn:"-"`
	Id      string                `json:"id"`
	Name    string                `json:"name"` // "example.com."
	Private Optional[bool]        `json:"private,omitzero" cfn:"-"`
	Records Optional[[]RecordSet] `json:"records,omitzero" cfn:"-"` // of types A, AAAA and CNAME
}

// RecordSet is AWS::Route53::RecordSet.
type RecordSet struct {
	Name            string   `json:"name"`
	Type            string   `json:"type"`
	AliasTarget     string   `json:"aliasTarget,omitempty" cfn:"AliasTarget.DNSName"`
	ResourceRecords []string `json:"resourceRecords,omitempty"`
}

// ShieldSubscription is the account's subscription to Shield Advanced
// (shield:DescribeSubscription); CloudFormation has no such type. Where there
// is none, Active is known and false.
type ShieldSubscription struct {
	AWS       `json:"aws" cfn:"-"`
	Active    Optional[bool] `json:"active,omitzero" cfn:"-"`
	AutoRenew Optional[bool] `json:"autoRenew,omitzero" cfn:"-"`
}

// ShieldProtection is AWS::Shield::Protection.
type ShieldProtection struct {
	AWS         `json:"aws" cfn:"-"`
	Name        string `json:"name"`
	ResourceArn string `json:"resourceArn"`
}
