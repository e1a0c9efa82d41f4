package kubeobject

import (
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/eksafe/eksafe/internal/estate"
)

// maxAWSAuth bounds the entries of each list of aws-auth.
const maxAWSAuth = 2000

var (
	principalRE = regexp.MustCompile(`^arn:aws[a-z-]*:(iam|sts)::\d{12}:(root|(user|role|assumed-role|federated-user)/[\w+=,.@/-]{1,600})$`)
	accountRE   = regexp.MustCompile(`^\d{12}$`)
	// nameRE allows {{SessionName}} and its like, which the authenticator
	// replaces.
	nameRE = regexp.MustCompile(`^[\w+=,.@:/{}*-]{1,300}$`)
)

// awsAuth reads whom aws-auth lets in. Its three values are YAML within YAML,
// written by hand as often as not: what cannot be read is not dropped, it makes
// the whole unreadable.
func awsAuth(data map[string]string) *estate.AWSAuth {
	var a authReader
	a.Roles = a.entries(data["mapRoles"], "rolearn")
	a.Users = a.entries(data["mapUsers"], "userarn")
	for _, n := range a.list(data["mapAccounts"]) {
		if n.Kind != yaml.ScalarNode || !accountRE.MatchString(n.Value) {
			a.Unreadable = true
			continue
		}
		a.Accounts = append(a.Accounts, n.Value)
	}
	return &a.AWSAuth
}

type authReader struct{ estate.AWSAuth }

// list returns the items of a YAML list. No alias is followed: each could stand
// for a million others.
func (a *authReader) list(text string) []*yaml.Node {
	if strings.TrimSpace(text) == "" {
		return nil
	}
	var root yaml.Node
	if len(text) > maxText || yaml.Unmarshal([]byte(text), &root) != nil || len(root.Content) != 1 {
		a.Unreadable = true
		return nil
	}
	n := root.Content[0]
	switch {
	case n.Kind == yaml.ScalarNode && n.Tag == "!!null":
		return nil
	case n.Kind != yaml.SequenceNode || len(n.Content) > maxAWSAuth:
		a.Unreadable = true
		return nil
	}
	return n.Content
}

func (a *authReader) entries(text, arnKey string) []estate.AWSAuthEntry {
	var out []estate.AWSAuthEntry
	for _, n := range a.list(text) {
		e, ok := authEntry(n, arnKey)
		if !ok {
			a.Unreadable = true
			continue
		}
		out = append(out, e)
	}
	return out
}

// authEntry reads one mapping. The authenticator does not mind the case of a
// key, and does not know others.
func authEntry(n *yaml.Node, arnKey string) (e estate.AWSAuthEntry, ok bool) {
	if n.Kind != yaml.MappingNode {
		return e, false
	}
	var seen []string
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := strings.ToLower(n.Content[i].Value), n.Content[i+1]
		if slices.Contains(seen, key) {
			return e, false
		}
		seen = append(seen, key)
		switch key {
		case arnKey:
			e.Arn = value.Value
		case "username":
			e.Username = value.Value
			if value.Kind != yaml.ScalarNode || value.Value != "" && !nameRE.MatchString(value.Value) {
				return e, false
			}
		case "groups":
			if value.Kind == yaml.ScalarNode && value.Tag == "!!null" {
				continue
			}
			if value.Kind != yaml.SequenceNode {
				return e, false
			}
			for _, g := range value.Content {
				if g.Kind != yaml.ScalarNode || !nameRE.MatchString(g.Value) {
					return e, false
				}
				e.Groups = append(e.Groups, g.Value)
			}
		default:
			return e, false
		}
	}
	return e, principalRE.MatchString(e.Arn)
}
