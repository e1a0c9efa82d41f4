package reach

// addCalico compiles the policies of Calico into their tiers.
func (n *Network) addCalico(tiers map[string]*tier) {}

func (n *Network) calicoBlocks(add func(...string)) {}
