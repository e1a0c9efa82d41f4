package control

import "github.com/eksafe/eksafe/internal/estate"

// LaunchTemplate returns the version of a launch template that a node group
// names. The control must declare the kind LaunchTemplate.
func LaunchTemplate(s *Subject, ref estate.LaunchTemplateReference) (*estate.LaunchTemplate, bool) {
	var same []*estate.LaunchTemplate
	for _, t := range All(s, estate.LaunchTemplates) {
		if ref.Id != "" && (t.LaunchTemplateId == ref.Id || t.Arn == ref.Id) || ref.Id == "" && t.LaunchTemplateName == ref.Name {
			same = append(same, t)
		}
	}
	for _, t := range same {
		switch {
		case ref.Version == "$Latest" && t.LatestVersion,
			(ref.Version == "$Default" || ref.Version == "") && t.DefaultVersion,
			ref.Version != "" && t.VersionNumber == ref.Version:
			return t, true
		}
	}
	// A template of CloudFormation has one version, which has no number yet.
	if len(same) == 1 && same[0].VersionNumber == "" {
		return same[0], true
	}
	return nil, false
}
