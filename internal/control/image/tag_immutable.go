package image

import (
	"slices"
	"strings"

	"github.com/eksafe/eksafe/internal/access"
	"github.com/eksafe/eksafe/internal/control"
	"github.com/eksafe/eksafe/internal/estate"
)

var tagImmutable = &control.Control{
	ID:       "tag-immutable",
	Title:    "Nobody can move a tag of a repository to another image",
	Severity: control.Medium,
	Refs:     []control.Ref{control.FSBP("ECR.2"), control.ATTACK("T1525")},
	Serves:   []string{"S31"},
	Since:    "0.1.0",
	Check: control.Each(estate.Repositories, func(s *control.Subject, r *estate.Repository) {
		switch mode, known := r.ImageTagMutability.Get(); {
		case !known:
			s.Unknownf("whether tags of %s can be moved is not known; allow ecr:DescribeRepositories", r.RepositoryName)
		case mode == immutableWithExclusion && excludesAll(r):
			s.Failf("imageTagMutabilityExclusionFilters", "every tag of %s is excluded from those that stay", r.RepositoryName)
		case mode == immutable || mode == immutableWithExclusion:
		default:
			s.Failf("imageTagMutability", "whoever may push to %s can move its tags to another image", r.RepositoryName)
		}
	}),
}

// The modes in which tags keep their image, or some do.
const (
	immutable              = "IMMUTABLE"
	immutableWithExclusion = "IMMUTABLE_WITH_EXCLUSION"
	mutableWithExclusion   = "MUTABLE_WITH_EXCLUSION"
)

// excludes reports whether a tag is one of those for which the opposite of a
// repository's rule holds.
func excludes(r *estate.Repository, tag string) (excluded, known bool) {
	filters, known := r.ImageTagMutabilityExclusionFilters.Get()
	return slices.ContainsFunc(filters, func(f estate.TagFilter) bool { return access.Match(f.Filter, tag) }), known
}

// excludesAll reports whether the exclusions of a repository leave nothing of
// its rule.
func excludesAll(r *estate.Repository) bool {
	return slices.ContainsFunc(r.ImageTagMutabilityExclusionFilters.Or(nil), func(f estate.TagFilter) bool {
		return f.Filter != "" && strings.Trim(f.Filter, "*") == ""
	})
}
