package reach

import "github.com/eksafe/eksafe/internal/estate"

// groupsFor returns the rules that the security groups of targets need.
func (n *Network) groupsFor(needs []Need) []GroupSuggestion { return nil }

// changedGroups returns the security groups of an estate with suggested rules.
func changedGroups(e *estate.Estate, groups []GroupSuggestion) ([]*estate.SecurityGroup, bool) {
	return nil, false
}
