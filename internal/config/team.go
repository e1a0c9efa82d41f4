package config

// Team returns the team that a namespace with these labels belongs to, "" if
// that is not known. What is declared wins over the label, which the team itself
// may set.
func (c *Config) Team(namespace string, labels map[string]string) string {
	for _, o := range c.Owners {
		if CompileAll(o.Namespaces).Match(namespace) {
			return o.Team
		}
	}
	return labels["team"]
}
