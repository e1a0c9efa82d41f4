package estate

import "time"

// Repository is AWS::ECR::Repository.
type Repository struct {
	AWS                `json:"aws" cfn:"-"`
	RepositoryName     string           `json:"repositoryName"`
	RepositoryUri      string           `json:"repositoryUri,omitempty"`
	ImageTagMutability Optional[string] `json:"imageTagMutability,omitzero"` // MUTABLE, IMMUTABLE, … _WITH_EXCLUSION
	ScanOnPush         Optional[bool]   `json:"scanOnPush,omitzero" cfn:"ImageScanningConfiguration.ScanOnPush"`
	EncryptionType     Optional[string] `json:"encryptionType,omitzero" cfn:"EncryptionConfiguration.EncryptionType"`
	// ImageTagMutabilityExclusionFilters choose the tags for which the opposite
	// of an … _WITH_EXCLUSION holds.
	ImageTagMutabilityExclusionFilters Optional[[]TagFilter] `json:"imageTagMutabilityExclusionFilters,omitzero"`
}

// TagFilter chooses tags by a pattern with "*".
type TagFilter struct {
	Filter string `json:"filter" cfn:"ImageTagMutabilityExclusionFilterValue"`
}

// RegistryScanning is AWS::ECR::RegistryScanningConfiguration: what the
// registry of a region scans. It wins over ScanOnPush of repositories.
type RegistryScanning struct {
	AWS      `json:"aws" cfn:"-"`
	ScanType Optional[string]                 `json:"scanType,omitzero"` // BASIC, ENHANCED
	Rules    Optional[[]RegistryScanningRule] `json:"rules,omitzero"`
}

// RegistryScanningRule says how often images of some repositories are scanned.
type RegistryScanningRule struct {
	ScanFrequency     string             `json:"scanFrequency"` // SCAN_ON_PUSH, CONTINUOUS_SCAN, MANUAL
	RepositoryFilters []RepositoryFilter `json:"repositoryFilters,omitempty"`
}

// RepositoryFilter chooses repositories by a pattern with "*".
type RepositoryFilter struct {
	Filter     string `json:"filter"`
	FilterType string `json:"filterType,omitempty"` // WILDCARD
}

// ImageScan is the newest scan of one image (ecr:DescribeImages,
// DescribeImageScanFindings); CloudFormation has no such type.
type ImageScan struct {
	AWS             `json:"aws" cfn:"-"`
	RepositoryName  string                    `json:"repositoryName" cfn:"-"`
	RepositoryUri   string                    `json:"repositoryUri,omitempty" cfn:"-"`
	ImageDigest     string                    `json:"imageDigest" cfn:"-"`
	ImageTags       []string                  `json:"imageTags,omitempty" cfn:"-"`
	Status          Optional[string]          `json:"status,omitzero" cfn:"-"` // COMPLETE, ACTIVE, FAILED, UNSUPPORTED_IMAGE …; "" for never scanned
	CompletedAt     Optional[time.Time]       `json:"completedAt,omitzero" cfn:"-"`
	Counts          map[string]int            `json:"counts,omitempty" cfn:"-"`         // findings by severity: CRITICAL, HIGH …
	Vulnerabilities Optional[[]Vulnerability] `json:"vulnerabilities,omitzero" cfn:"-"` // critical and high ones
}

// Vulnerability is one flaw of a package of an image.
type Vulnerability struct {
	Name           string           `json:"name" cfn:"-"` // CVE-…
	Severity       string           `json:"severity" cfn:"-"`
	PackageName    string           `json:"packageName,omitempty" cfn:"-"`
	PackageVersion string           `json:"packageVersion,omitempty" cfn:"-"`
	FixedInVersion Optional[string] `json:"fixedInVersion,omitzero" cfn:"-"` // "" for no fix yet; unknown where the scanner does not say
}

// InspectorStatus is what Inspector scans in a region
// (inspector2:BatchGetAccountStatus); CloudFormation has no such type.
type InspectorStatus struct {
	AWS `json:"aws" cfn:"-"`
	Ec2 Optional[string] `json:"ec2,omitzero" cfn:"-"` // ENABLED, DISABLED …
	Ecr Optional[string] `json:"ecr,omitzero" cfn:"-"`
}

// GuardDutyDetector is AWS::GuardDuty::Detector.
type GuardDutyDetector struct {
	AWS                        `json:"aws" cfn:"-"`
	Id                         string                       `json:"id"`
	Enable                     Optional[bool]               `json:"enable,omitzero"`
	FindingPublishingFrequency string                       `json:"findingPublishingFrequency,omitempty"`
	Features                   Optional[[]GuardDutyFeature] `json:"features,omitzero"`
}

// GuardDutyFeature is one protection plan: EKS_AUDIT_LOGS, RUNTIME_MONITORING,
// EKS_RUNTIME_MONITORING, S3_DATA_EVENTS …
type GuardDutyFeature struct {
	Name                    string             `json:"name"`
	Status                  string             `json:"status"` // ENABLED, DISABLED
	AdditionalConfiguration []GuardDutyFeature `json:"additionalConfiguration,omitempty"`
}

// SecurityHub is AWS::SecurityHub::Hub with its AWS::SecurityHub::Standard, and
// whether the newer AWS::SecurityHub::HubV2 is on. Where neither is, both are
// known and false.
type SecurityHub struct {
	AWS       `json:"aws" cfn:"-"`
	Enabled   Optional[bool]       `json:"enabled,omitzero" cfn:"-"`
	EnabledV2 Optional[bool]       `json:"enabledV2,omitzero" cfn:"-"`
	Standards Optional[[]Standard] `json:"standards,omitzero" cfn:"-"`
}

// Standard is AWS::SecurityHub::Standard.
type Standard struct {
	StandardsArn string `json:"standardsArn"`
	Status       string `json:"status,omitempty" cfn:"-"` // READY, INCOMPLETE … (securityhub:GetEnabledStandards)
}

// TrustedAdvisor is the account's checks (support:DescribeTrustedAdvisorChecks,
// DescribeTrustedAdvisorCheckSummaries); CloudFormation has no such type.
type TrustedAdvisor struct {
	AWS `json:"aws" cfn:"-"`
	// Subscribed is known and false where the account's support plan does not
	// give programs access to the checks.
	Subscribed Optional[bool]                  `json:"subscribed,omitzero" cfn:"-"`
	Checks     Optional[[]TrustedAdvisorCheck] `json:"checks,omitzero" cfn:"-"` // of category security
}

// TrustedAdvisorCheck is one check of Trusted Advisor.
type TrustedAdvisorCheck struct {
	Id               string              `json:"id" cfn:"-"`
	Name             string              `json:"name" cfn:"-"`
	Status           string              `json:"status" cfn:"-"` // ok, warning, error, not_available
	ResourcesFlagged int                 `json:"resourcesFlagged,omitempty" cfn:"-"`
	Timestamp        Optional[time.Time] `json:"timestamp,omitzero" cfn:"-"`
}

// Analyzer is AWS::AccessAnalyzer::Analyzer.
type Analyzer struct {
	AWS          `json:"aws" cfn:"-"`
	AnalyzerName string           `json:"analyzerName"`
	Type         string           `json:"type"`                    // ACCOUNT, ORGANIZATION, ACCOUNT_UNUSED_ACCESS …
	Status       Optional[string] `json:"status,omitzero" cfn:"-"` // accessanalyzer:ListAnalyzers: ACTIVE …
}

// ConfigurationRecorder is AWS::Config::ConfigurationRecorder with whether
// there is an AWS::Config::DeliveryChannel.
type ConfigurationRecorder struct {
	AWS             `json:"aws" cfn:"-"`
	Name            string         `json:"name"`
	AllSupported    Optional[bool] `json:"allSupported,omitzero" cfn:"RecordingGroup.AllSupported"`
	Recording       Optional[bool] `json:"recording,omitzero" cfn:"-"`       // config:DescribeConfigurationRecorderStatus
	DeliveryChannel Optional[bool] `json:"deliveryChannel,omitzero" cfn:"-"` // config:DescribeDeliveryChannels
}

// ReportedFinding is what another tool says of a resource: Security Hub,
// GuardDuty, Inspector, Access Analyzer, or a file in SARIF, OCSF or ASFF.
type ReportedFinding struct {
	AWS `json:"aws" cfn:"-"`
	Id  string `json:"id" cfn:"-"`
	// Product is the tool: "Security Hub", "GuardDuty", "trivy" …
	Product string `json:"product" cfn:"-"`
	// Rule is the tool's own name of what it looks for: "EKS.1",
	// "CryptoCurrency:EC2/BitcoinTool.B!DNS", "CVE-2024-3094".
	Rule     string `json:"rule,omitempty" cfn:"-"`
	Title    string `json:"title" cfn:"-"`
	Severity string `json:"severity" cfn:"-"` // low, medium, high, critical; "" where the tool gives none
	// Resources are what it is about: ARNs, "deployment/prod/orders", images.
	Resources []string            `json:"resources,omitempty" cfn:"-"`
	File      string              `json:"file,omitempty" cfn:"-"` // where a file was scanned
	Line      int                 `json:"line,omitempty" cfn:"-"`
	FirstSeen Optional[time.Time] `json:"firstSeen,omitzero" cfn:"-"`
	LastSeen  Optional[time.Time] `json:"lastSeen,omitzero" cfn:"-"`
	// Package is the vulnerable package, where it is about one.
	Package string `json:"package,omitempty" cfn:"-"`
	Fixed   string `json:"fixed,omitempty" cfn:"-"` // version that mends it
	URL     string `json:"url,omitempty" cfn:"-"`
}
