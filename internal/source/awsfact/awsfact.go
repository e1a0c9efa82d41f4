// Package awsfact reduces what AWS holds as free text, or in a form that each
// source spells in its own way, to the facts of the estate. Live accounts,
// CloudFormation and Terraform share it, so that the same set-up gives the
// same facts. The texts themselves, which may hold secrets, go no further.
package awsfact

import (
	"encoding/json"
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
	NetworkPolicyEnforcingMode    estate.Optional[string]
	EnablePodENI                  estate.Optional[bool]
	ExternalSNAT                  estate.Optional[bool]
}

// Apply writes the facts to the add-on that they are of.
func (a Addon) Apply(to *estate.Addon) {
	to.EnableNetworkPolicy = a.EnableNetworkPolicy
	to.PodSecurityGroupEnforcingMode, to.NetworkPolicyEnforcingMode = a.PodSecurityGroupEnforcingMode, a.NetworkPolicyEnforcingMode
	to.EnablePodENI, to.ExternalSNAT = a.EnablePodENI, a.ExternalSNAT
}

// ReadAddon reads the ConfigurationValues of an add-on, which are JSON or YAML.
// What they do not say has its default. What they say in no way that the add-on
// understands stays unknown, and is not ok.
func ReadAddon(configurationValues string) (a Addon, ok bool) {
	if len(configurationValues) > maxText {
		return Addon{}, false
	}
	var config struct {
		EnableNetworkPolicy any            `json:"enableNetworkPolicy" yaml:"enableNetworkPolicy"`
		Env                 map[string]any `json:"env" yaml:"env"`
	}
	// JSON may be no YAML: a tab indents one and not the other.
	if json.Unmarshal([]byte(configurationValues), &config) != nil && yaml.Unmarshal([]byte(configurationValues), &config) != nil {
		return Addon{}, false
	}
	ok = true
	mode := func(name string, to *estate.Optional[string]) {
		switch v := config.Env[name]; v {
		case nil, "":
			*to = estate.Known("")
		case "standard", "strict":
			*to = estate.Known(v.(string))
		default: // any text may be a secret
			ok = false
		}
	}
	mode("POD_SECURITY_GROUP_ENFORCING_MODE", &a.PodSecurityGroupEnforcingMode)
	mode("NETWORK_POLICY_ENFORCING_MODE", &a.NetworkPolicyEnforcingMode)
	ok = truth(config.Env["ENABLE_POD_ENI"], &a.EnablePodENI) && ok
	ok = truth(config.Env["AWS_VPC_K8S_CNI_EXTERNALSNAT"], &a.ExternalSNAT) && ok
	ok = truth(config.EnableNetworkPolicy, &a.EnableNetworkPolicy) && ok
	return a, ok
}

// truth reads a switch: a bool of the chart, or a text of the add-on's schema.
// What is absent is off.
func truth(v any, to *estate.Optional[bool]) (ok bool) {
	switch v := v.(type) {
	case nil:
		*to = estate.Known(false)
	case bool:
		*to = estate.Known(v)
	case string:
		on, err := strconv.ParseBool(v)
		if err != nil {
			return false
		}
		*to = estate.Known(on)
	default:
		return false
	}
	return true
}

// harmless are the transformations that leave a path its first slash.
var harmless = []string{
	"NONE", "LOWERCASE", "URL_DECODE", "URL_DECODE_UNI", "HTML_ENTITY_DECODE", "COMPRESS_WHITE_SPACE",
	"NORMALIZE_PATH", "REMOVE_NULLS", "REPLACE_NULLS",
}

// MatchesAll reports whether a byte match of AWS WAF matches every request.
// Every path begins with a slash, unless a transformation takes it away.
func MatchesAll(fieldToMatch, positionalConstraint, search string, transformations []string) bool {
	switch positionalConstraint {
	case "STARTS_WITH", "CONTAINS", "ENDS_WITH":
	default:
		return false // these texts are a whole field, or a word
	}
	if search == "" {
		return true
	}
	return search == "/" && fieldToMatch == "UriPath" && positionalConstraint != "ENDS_WITH" &&
		!slices.ContainsFunc(transformations, func(t string) bool { return !slices.Contains(harmless, t) })
}

// A LogFilter is one filter of the logging of a web ACL. Actions are those of
// its conditions; Labels says that it has conditions on labels.
type LogFilter struct {
	Behavior    string // KEEP, DROP
	Requirement string // MEETS_ALL, MEETS_ANY
	Actions     []string
	Labels      bool
}

// A share says how many of the blocked requests a filter catches.
type share int

const (
	none share = iota
	some       // or all: it depends on the request
	every
)

// KeepsBlocked says whether requests that were blocked are logged; without
// filters everything is. Where one filter keeps and another drops them, AWS
// does not say which wins, and neither do we.
func KeepsBlocked(defaultBehavior string, filters []LogFilter) estate.Optional[bool] {
	keep, drop := none, none
	for _, f := range filters {
		if f.Behavior == "DROP" {
			drop = max(drop, f.blocked())
		} else {
			keep = max(keep, f.blocked())
		}
	}
	switch {
	case drop == none:
		return estate.Known(keep == every || defaultBehavior != "DROP")
	case keep == none && (drop == every || defaultBehavior == "DROP"):
		return estate.Known(false)
	}
	return estate.Optional[bool]{}
}

// blocked returns how many of the blocked requests the filter catches.
func (f LogFilter) blocked() share {
	var shares []share
	if f.Labels {
		shares = append(shares, some)
	}
	for _, a := range f.Actions {
		switch strings.ToUpper(a) {
		case "BLOCK":
			shares = append(shares, every)
		case "ALLOW":
			shares = append(shares, none)
		default: // a blocked request may have been counted before
			shares = append(shares, some)
		}
	}
	switch {
	case len(shares) == 0:
		return none
	case f.Requirement == "MEETS_ALL":
		return slices.Min(shares)
	}
	return slices.Max(shares)
}
