// Package config is eksafe.yaml: what users declare of their estate that no
// source can know, and how they live with findings. It holds declarations and
// their defaults; it reads no file and judges nothing.
package config

import "github.com/eksafe/eksafe/internal/finding"

// A Config is one eksafe.yaml. The zero value declares nothing and is what an
// audit without a file has.
type Config struct {
	Scope        Scope        `yaml:"scope"`
	Owners       []Owner      `yaml:"owners"`
	Clients      []Clients    `yaml:"clients"`
	Dependencies []Dependency `yaml:"dependencies"`
	Registries   []string     `yaml:"registries"` // prefixes of images that are trusted: "111122223333.dkr.ecr.eu-west-1.amazonaws.com/"
	Platform     Platform     `yaml:"platform"`
	People       People       `yaml:"people"`
	Shield       Shield       `yaml:"shield"`
	Stages       []string     `yaml:"stages"` // words by which namespaces tell their stage: dev, test, prod
	Thresholds   Thresholds   `yaml:"thresholds"`
	Controls     []Override   `yaml:"controls"`
	Exceptions   []Exception  `yaml:"exceptions"`
	Annotations  Annotations  `yaml:"annotations"`
	Custom       []string     `yaml:"customControls"` // files of own controls, relative to the config
}

// Scope limits what an audit judges. Patterns have "*" for any characters.
type Scope struct {
	Namespaces        []string `yaml:"namespaces"`        // only these, if any is given
	ExcludeNamespaces []string `yaml:"excludeNamespaces"` // and none of these
	Applications      []string `yaml:"applications"`      // "namespace/name"
}

// An Owner says who answers for some namespaces.
type Owner struct {
	Namespaces []string `yaml:"namespaces"`
	Team       string   `yaml:"team"`
	Subjects   []string `yaml:"subjects"` // users and groups of RBAC that are the team's; patterns
}

// Clients are networks from which the clients of some entries come. Where the
// clients of an entry are known, nobody else should get in.
type Clients struct {
	// Entries are load balancers, Ingresses, Gateways or distributions by name
	// or "namespace/name"; patterns; none means all.
	Entries []string `yaml:"entries"`
	CIDRs   []string `yaml:"cidrs"`
}

// A Dependency is something outside that a workload needs to reach.
type Dependency struct {
	From  string   `yaml:"from"` // "namespace/workload", a pattern
	CIDRs []string `yaml:"cidrs"`
	Hosts []string `yaml:"hosts"`
	Ports []int32  `yaml:"ports"`
}

// Platform is who runs the platform itself: they may have rights that no team
// of an application should have.
type Platform struct {
	Namespaces []string `yaml:"namespaces"` // patterns, beside those that eksafe knows
	Subjects   []string `yaml:"subjects"`   // users, groups and "namespace/serviceaccount"; patterns
}

// People says who may be an administrator.
type People struct {
	Administrators    []string `yaml:"administrators"`    // ARNs or names of IAM principals; patterns
	MaxAdministrators *int     `yaml:"maxAdministrators"` // of the account; nil: DefaultMaxAdministrators
	ClusterAdmins     []string `yaml:"clusterAdmins"`     // ARNs, users or groups; patterns
	MaxClusterAdmins  *int     `yaml:"maxClusterAdmins"`  // nil: DefaultMaxClusterAdmins
	SignOn            bool     `yaml:"signOn"`            // people sign in through an identity provider that demands a second factor
}

// Shield says whether Shield Advanced is wanted.
type Shield struct {
	Advanced *bool `yaml:"advanced"` // nil: not decided
}

// Thresholds are limits in days or counts; nil is the default.
type Thresholds struct {
	AccessKeyDays   *int `yaml:"accessKeyDays"`   // age of an access key
	UnusedDays      *int `yaml:"unusedDays"`      // since a user, key or permission was used
	ScanDays        *int `yaml:"scanDays"`        // since an image was scanned
	CertificateDays *int `yaml:"certificateDays"` // until a certificate expires
	LogDays         *int `yaml:"logDays"`         // that logs are kept
}

// The defaults of what a Config leaves open.
const (
	DefaultMaxAdministrators = 5
	DefaultMaxClusterAdmins  = 5
	DefaultAccessKeyDays     = 90
	DefaultUnusedDays        = 90
	DefaultScanDays          = 30
	DefaultCertificateDays   = 30
	DefaultLogDays           = 90
)

// Or returns the number that p points to, or def.
func Or(p *int, def int) int {
	if p == nil {
		return def
	}
	return *p
}

// An Override changes one control for this estate.
type Override struct {
	ID       string            `yaml:"id"`
	Severity *finding.Severity `yaml:"severity"`
	Disabled bool              `yaml:"disabled"`
	Reason   string            `yaml:"reason"` // needed to disable
}

// An Exception accepts findings for a time, in somebody's name.
type Exception struct {
	Control string `yaml:"control"` // ID; a pattern
	Subject string `yaml:"subject"` // ID of the subject; a pattern
	Field   string `yaml:"field"`   // a pattern; empty for every field
	Reason  string `yaml:"reason"`
	Owner   string `yaml:"owner"`
	Expires string `yaml:"expires"` // a day: 2027-01-31, the last one on which it holds
}

// Annotations says whether objects of the cluster may ask for exceptions of
// their own findings.
type Annotations struct {
	AllowExceptions []string `yaml:"allowExceptions"` // IDs of controls; patterns; none: no annotation counts
}
