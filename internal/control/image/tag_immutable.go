package image

import (
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
		case mode == immutable || mode == immutableWithExclusion:
		default:
			s.Failf("imageTagMutability", "whoever may push to %s can move its tags to another image", r.RepositoryName)
		}
	}),
}

// The modes in which a tag keeps its image.
const (
	immutable              = "IMMUTABLE"
	immutableWithExclusion = "IMMUTABLE_WITH_EXCLUSION"
)
