package estate

// Names reports whether the reference names the version of a launch template.
func (r LaunchTemplateReference) Names(t *LaunchTemplate) bool {
	if r.Id != "" && t.LaunchTemplateId != r.Id && t.Arn != r.Id || r.Id == "" && t.LaunchTemplateName != r.Name {
		return false
	}
	// A template of CloudFormation has one version, which has no number yet.
	return t.VersionNumber == "" || t.VersionNumber == r.Version || r.Version == "$Latest" && t.LatestVersion ||
		(r.Version == "$Default" || r.Version == "") && t.DefaultVersion
}

// TemplateSecurityGroups returns the security groups that the launch template of
// the node group sets: none for the template that EKS makes. It is false where
// the template is not known.
func (n *Nodegroup) TemplateSecurityGroups(e *Estate) ([]string, bool) {
	ref, known := n.LaunchTemplate.Get()
	if !known {
		return nil, false
	}
	if ref == (LaunchTemplateReference{}) {
		return nil, true
	}
	for _, t := range LaunchTemplates.In(e) {
		if ref.Names(t) {
			return t.LaunchTemplateData.SecurityGroupIds, true
		}
	}
	return nil, false
}
