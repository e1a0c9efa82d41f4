// Package config is eksafe.yaml: what users declare of their estate that no
// source can know, and how they live with findings. It holds declarations and
// their defaults, and reads them strictly from the bytes of a file; it opens no
// file and judges nothing.
//
// The tags of the types are the rules of the file, for Parse and for its
// published schema: "check" is the form of a value or of each of a list, "need" says that
// a value must be given, and what to do where it is not.
package config

import (
	"time"

	"github.com/eksafe/eksafe/internal/finding"
)

// A Config is one eksafe.yaml. The zero value declares nothing and is what an
// audit without a file has.
type Config struct {
	Scope        Scope        `yaml:"scope"`
	Owners       []Owner      `yaml:"owners"`
	Clients      []Clients    `yaml:"clients"`
	Dependencies []Dependency `yaml:"dependencies"`
	Registries   []string     `yaml:"registries" check:"text"` // prefixes of images that are trusted: "111122223333.dkr.ecr.eu-west-1.amazonaws.com/"
	Platform     Platform     `yaml:"platform"`
	People       People       `yaml:"people"`
	Shield       Shield       `yaml:"shield"`
	Stages       []string     `yaml:"stages" check:"text"` // words by which namespaces tell their stage: dev, test, prod
	Thresholds   Thresholds   `yaml:"thresholds"`
	Controls     []Override   `yaml:"controls"`
	Exceptions   []Exception  `yaml:"exceptions"`
	Annotations  Annotations  `yaml:"annotations"`
	Custom       []string     `yaml:"customControls" check:"file"` // files of own controls, relative to the config
}

// Scope limits what an audit judges. Patterns have "*" for any characters.
type Scope struct {
	Namespaces        []string `yaml:"namespaces" check:"pattern"`        // only these, if any is given
	ExcludeNamespaces []string `yaml:"excludeNamespaces" check:"pattern"` // and none of these
	Applications      []string `yaml:"applications" check:"pattern"`      // "namespace/name"
}

// An Owner says who answers for some namespaces.
type Owner struct {
	Namespaces []string `yaml:"namespaces" check:"pattern" need:"list the namespaces, or \"*\" for all"`
	Team       string   `yaml:"team" check:"text" need:"name the team"`
	Subjects   []string `yaml:"subjects" check:"pattern"` // users and groups of RBAC that are the team's; patterns
}

// Clients are networks from which the clients of some entries come. Where the
// clients of an entry are known, nobody else should get in.
type Clients struct {
	// Entries are load balancers, Ingresses, Gateways or distributions by name
	// or "namespace/name"; patterns; none means all.
	Entries []string `yaml:"entries" check:"pattern"`
	CIDRs   []string `yaml:"cidrs" check:"cidr" need:"list the networks"`
}

// A Dependency is something outside that a workload needs to reach.
type Dependency struct {
	From  string   `yaml:"from" check:"pattern" need:"name the workload as \"namespace/workload\""` // "namespace/workload", a pattern
	CIDRs []string `yaml:"cidrs" check:"cidr"`
	Hosts []string `yaml:"hosts" check:"pattern"`
	Ports []int32  `yaml:"ports" check:"port"`
}

// Platform is who runs the platform itself: they may have rights that no team
// of an application should have.
type Platform struct {
	Namespaces []string `yaml:"namespaces" check:"pattern"` // patterns, beside those that eksafe knows
	Subjects   []string `yaml:"subjects" check:"pattern"`   // users, groups and "namespace/serviceaccount"; patterns
}

// People says who may be an administrator.
type People struct {
	Administrators    []string `yaml:"administrators" check:"pattern"`  // ARNs or names of IAM principals; patterns
	MaxAdministrators *int     `yaml:"maxAdministrators" check:"count"` // of the account; nil: DefaultMaxAdministrators
	ClusterAdmins     []string `yaml:"clusterAdmins" check:"pattern"`   // ARNs, users or groups; patterns
	MaxClusterAdmins  *int     `yaml:"maxClusterAdmins" check:"count"`  // nil: DefaultMaxClusterAdmins
	SignOn            bool     `yaml:"signOn"`                          // people sign in through an identity provider that demands a second factor
}

// Shield says whether Shield Advanced is wanted.
type Shield struct {
	Advanced *bool `yaml:"advanced"` // nil: not decided
}

// Thresholds are limits in days or counts; nil is the default.
type Thresholds struct {
	AccessKeyDays   *int `yaml:"accessKeyDays" check:"days"`   // age of an access key
	UnusedDays      *int `yaml:"unusedDays" check:"days"`      // since a user, key or permission was used
	ScanDays        *int `yaml:"scanDays" check:"days"`        // since an image was scanned
	CertificateDays *int `yaml:"certificateDays" check:"days"` // until a certificate expires
	LogDays         *int `yaml:"logDays" check:"days"`         // that logs are kept
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
	ID       string            `yaml:"id" check:"id" need:"name the control; eksafe controls lists them"`
	Severity *finding.Severity `yaml:"severity"`
	Disabled bool              `yaml:"disabled"`
	Reason   string            `yaml:"reason" check:"text"` // needed to disable
	Line     int               `yaml:"-"`                   // of the file, 0 if none
}

// An Exception accepts findings for a time, in somebody's name.
type Exception struct {
	Control string `yaml:"control" check:"control" need:"name the control; eksafe controls lists them"` // ID; a pattern
	Subject string `yaml:"subject" check:"pattern" need:"give the subject's ID as the report has it"`   // ID of the subject; a pattern
	Field   string `yaml:"field" check:"pattern"`                                                       // a pattern; empty for every field
	Reason  string `yaml:"reason" check:"text" need:"say why the finding is accepted"`
	Owner   string `yaml:"owner" check:"text" need:"name who accepts it"`
	Expires string `yaml:"expires" check:"day" need:"give the last day on which it holds: 2027-01-31"` // a day: 2027-01-31, the last one on which it holds
	Line    int    `yaml:"-"`                                                                          // of the file, 0 if none
}

// Day is the form of a day in the file.
const Day = time.DateOnly

// Expired reports whether the day, the last on which something holds, is over
// at now in UTC: a report must not depend on where it is made. What is no day
// is over.
func Expired(day string, now time.Time) bool {
	last, err := time.Parse(Day, day)
	return err != nil || !now.UTC().Before(last.AddDate(0, 0, 1))
}

// Annotations says whether objects of the cluster may ask for exceptions of
// their own findings.
type Annotations struct {
	AllowExceptions []string `yaml:"allowExceptions" check:"control"` // IDs of controls; patterns; none: no annotation counts
}
