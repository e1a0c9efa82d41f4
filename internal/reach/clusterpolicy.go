package reach

// addClusterPolicies compiles the policies of administrators into their tiers.
func (n *Network) addClusterPolicies(tiers map[string]*tier) {}

func (n *Network) clusterBlocks(add func(...string)) {}
