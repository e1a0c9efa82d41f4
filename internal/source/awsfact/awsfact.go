// Package awsfact reduces what AWS holds as free text, or in a form that each
// source spells in its own way, to the facts of the estate. Live accounts,
// CloudFormation and Terraform share it, so that the same set-up gives the
// same facts. The texts themselves, which may hold secrets, go no further.
package awsfact

import (
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/eksafe/eksafe/internal/estate"
)

// maxText bounds the configuration of an add-on that is looked at, in bytes.
const maxText = 256 << 10

// An Addon is what the configuration of the add-on vpc-cni says.
type Addon struct {
	EnableNetworkPolicy           estate.Optional[bool]
	PodSecurityGroupEnforcingMode estate.Optional[string]
}

// ReadAddon reads the ConfigurationValues of an add-on, which are JSON or YAML.
// What they do not say has its default; text that cannot be read leaves both
// unknown.
func ReadAddon(configurationValues string) Addon {
	if len(configurationValues) > maxText {
		return Addon{}
	}
	var config struct {
		EnableNetworkPolicy yaml.Node            `yaml:"enableNetworkPolicy"`
		Env                 map[string]yaml.Node `yaml:"env"`
	}
	if err := yaml.Unmarshal([]byte(configurationValues), &config); err != nil {
		return Addon{}
	}
	mode := config.Env["POD_SECURITY_GROUP_ENFORCING_MODE"]
	out := Addon{PodSecurityGroupEnforcingMode: estate.Known(mode.Value)}
	switch on, err := strconv.ParseBool(config.EnableNetworkPolicy.Value); {
	case config.EnableNetworkPolicy.IsZero():
		out.EnableNetworkPolicy = estate.Known(false)
	case err == nil:
		out.EnableNetworkPolicy = estate.Known(on)
	}
	return out
}

// MatchesAll reports whether a byte match of AWS WAF matches every request.
// Every path begins with a slash.
func MatchesAll(fieldToMatch, positionalConstraint, search string) bool {
	switch positionalConstraint {
	case "STARTS_WITH", "CONTAINS":
		return search == "" || fieldToMatch == "UriPath" && search == "/"
	case "ENDS_WITH":
		return search == ""
	}
	return false
}

// A LogFilter is one filter of the logging of a web ACL. Actions are those of
// its conditions; Labels says that it has conditions on labels.
type LogFilter struct {
	Behavior    string // KEEP, DROP
	Requirement string // MEETS_ALL, MEETS_ANY
	Actions     []string
	Labels      bool
}

// KeepsBlocked says whether requests that were blocked are logged. The first
// filter that a request meets decides, then the default behaviour; without
// filters everything is kept. It is unknown where labels decide.
func KeepsBlocked(defaultBehavior string, filters []LogFilter) estate.Optional[bool] {
	kept, dropped := false, false // what may happen to a blocked request
	decide := func(behavior string) {
		kept, dropped = kept || behavior != "DROP", dropped || behavior == "DROP"
	}
	for _, f := range filters {
		meets, may := f.meets()
		if may {
			decide(f.Behavior)
		}
		if meets {
			break
		}
	}
	if !slices.ContainsFunc(filters, func(f LogFilter) bool { meets, _ := f.meets(); return meets }) {
		decide(defaultBehavior)
	}
	if kept && dropped {
		return estate.Optional[bool]{}
	}
	return estate.Known(kept)
}

// meets reports whether every blocked request meets the filter, and whether one
// may.
func (f LogFilter) meets() (every, some bool) {
	isBlock := func(a string) bool { return strings.EqualFold(a, "BLOCK") }
	if f.Requirement == "MEETS_ANY" {
		every = slices.ContainsFunc(f.Actions, isBlock)
		return every, every || f.Labels
	}
	for _, a := range f.Actions {
		if !isBlock(a) {
			return false, false
		}
	}
	return !f.Labels, true
}
