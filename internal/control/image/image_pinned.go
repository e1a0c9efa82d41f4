package image

import (
	"fmt"

	"github.com/eksafe/eksafe/internal/control"
	"github.com/eksafe/eksafe/internal/estate"
	"github.com/eksafe/eksafe/internal/platform"
)

var imagePinned = &control.Control{
	ID:       "image-pinned",
	Title:    "Containers run the image that was chosen, by digest or by a tag that cannot move",
	Severity: control.Medium,
	Refs:     []control.Ref{control.Project("kubernetes-images"), control.ATTACK("T1525")},
	Serves:   []string{"S31"},
	Since:    "0.1.0",
	Check:    control.Each(estate.Workloads, judgePinned).Helped(estate.Repositories.Kind),
}

func judgePinned(s *control.Subject, w *estate.Workload) {
	if why := platform.Expected(w); why != "" {
		for _, c := range containers(w) {
			if moves, _ := movable(s, &c); moves != "" {
				s.Expected(why)
				return
			}
		}
		return
	}
	for _, c := range containers(w) {
		moves, certain := movable(s, &c)
		switch {
		case moves == "":
		case !certain:
			s.Unknownf("%s", moves)
		case c.ref.tag == "latest":
			s.Raise(control.High, "latest is whatever was pushed last")
			s.Failf(c.field, "%s", moves)
			s.Raise(0, "")
		default:
			s.Failf(c.field, "%s", moves)
		}
	}
}

// movable says why the image of a container may become another one, "" where
// it cannot, and whether that is certain.
func movable(s *control.Subject, c *container) (why string, certain bool) {
	image := shortened(c.image)
	switch {
	case c.bad:
		return c.noReference(), false
	case c.ref.digest != "":
		return "", true
	}
	if repo, ok := repositoryOf(s, &c.ref); ok {
		switch mode, known := repo.ImageTagMutability.Get(); {
		case !known:
			return fmt.Sprintf("whether the tag of %s can move is not known; allow ecr:DescribeRepositories", image), false
		case mode == immutable:
			return "", true
		case mode == immutableWithExclusion || mode == mutableWithExclusion:
			excluded, known := excludes(repo, c.ref.tag)
			if !known {
				return fmt.Sprintf("whether the tag of %s is one of those that its repository excludes is not known; name a digest", image), false
			}
			if excluded == (mode == mutableWithExclusion) {
				return "", true
			}
		}
	} else if _, _, private := c.ref.ecr(); private && c.ref.tag != "latest" {
		return fmt.Sprintf("whether the tag of %s can move is not known: %s", image, c.ref.unread()), false
	}
	switch {
	case !c.ref.given:
		return fmt.Sprintf("%s names neither tag nor digest: each start takes the image that is latest then", image), true
	case c.ref.tag == "latest":
		return fmt.Sprintf("%s is another image whenever somebody pushes one", image), true
	default:
		return fmt.Sprintf("%s names a tag, which its registry can move to another image, and no digest", image), true
	}
}
