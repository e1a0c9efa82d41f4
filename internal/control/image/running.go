package image

import (
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"

	"github.com/eksafe/eksafe/internal/control"
	"github.com/eksafe/eksafe/internal/estate"
	"github.com/eksafe/eksafe/internal/platform"
)

// A container is one of a pod template, with what it runs.
type container struct {
	name    string
	field   string // of the image, in the manifest
	image   string // as it is written
	ref     parsed
	bad     bool     // the image is no reference
	digests []string // of the pods that run, where they are known
}

// containers returns the containers of a workload. Ephemeral ones are added to
// a pod that runs and have no place in the template.
func containers(w *estate.Workload) []container {
	var out []container
	spec := &w.Template.Spec
	add := func(list string, from []corev1.Container) {
		for i := range from {
			c := container{name: from[i].Name, image: from[i].Image, field: w.TemplateField(fmt.Sprintf("spec.%s[%d].image", list, i))}
			if c.image == placeholder && injected(w) {
				continue
			}
			var err error
			if c.ref, err = parse(c.image); err != nil {
				c.bad = true
			}
			for _, p := range w.Pods {
				if d := p.Digests[c.name]; d != "" && !slices.Contains(c.digests, d) {
					c.digests = append(c.digests, d)
				}
			}
			slices.Sort(c.digests)
			out = append(out, c)
		}
	}
	add("initContainers", spec.InitContainers)
	add("containers", spec.Containers)
	return out
}

// placeholder is what the templates of Istio's gateways write for the image
// that the injector puts in.
const placeholder = "auto"

func injected(w *estate.Workload) bool {
	const key = "sidecar.istio.io/inject"
	return w.Template.Labels[key] == "true" || w.Template.Annotations[key] == "true"
}

// A miss is what one container misses, at its image.
type miss struct {
	field, message string
}

// report says what the containers of a workload miss and what is not known of
// them, or that AWS and the platform's projects answer for them.
func report(s *control.Subject, w *estate.Workload, missed []miss, gaps []string) {
	if len(missed)+len(gaps) == 0 {
		return
	}
	if why := platform.Expected(w); why != "" {
		s.Expected(why)
		return
	}
	for _, m := range missed {
		s.Failf(m.field, "%s", m.message)
	}
	for _, g := range gaps {
		s.Unknownf("%s", g)
	}
}

// noReference is the gap of an image that cannot be understood.
func (c *container) noReference() string {
	return fmt.Sprintf("the image %q of container %s is no reference to an image", shortened(c.image), c.name)
}

// shortened bounds what a manifest writes for an image in a message.
func shortened(image string) string {
	const limit = 200
	if runes := []rune(image); len(runes) > limit {
		return string(runes[:limit]) + "…"
	}
	return image
}

// belongs reports whether an image of ECR is one of a repository with the name
// and origin. The account and region of a repository in a file are not known:
// there the name decides.
func (p *parsed) belongs(repository string, o *estate.Origin) bool {
	account, region, ok := p.ecr()
	return ok && p.path == repository && (o.Account == "" || o.Account == account) && (o.Region == "" || o.Region == region)
}

// repositoryOf returns the repository of an image.
func repositoryOf(s *control.Subject, p *parsed) (*estate.Repository, bool) {
	for _, r := range control.All(s, estate.Repositories) {
		if p.belongs(r.RepositoryName, &r.Origin) {
			return r, true
		}
	}
	return nil, false
}

// unread says why nothing is known of an image's repository.
func (p *parsed) unread() string {
	account, region, ok := p.ecr()
	if !ok {
		return fmt.Sprintf("%s is not a registry of ECR; copy the image into one, or reach it through a pull-through cache", p.domain)
	}
	return fmt.Sprintf("the repository %s of account %s in %s was not read; read that account and region (--aws)", p.path, account, region)
}

// scansOf returns the scans of what a container runs: of the digest that it
// names, else of those that its pods run, else of its tag. Where one is not
// known, why says so.
func scansOf(s *control.Subject, c *container) (scans []*estate.ImageScan, why string) {
	if c.bad {
		return nil, c.noReference()
	}
	var all []*estate.ImageScan
	for _, scan := range control.All(s, estate.ImageScans) {
		if c.ref.belongs(scan.RepositoryName, &scan.Origin) {
			all = append(all, scan)
		}
	}
	digests := c.digests
	if c.ref.digest != "" {
		digests = []string{c.ref.digest}
	}
	complete := len(digests) > 0
	for _, d := range digests {
		i := slices.IndexFunc(all, func(scan *estate.ImageScan) bool { return scan.ImageDigest == d })
		if i < 0 {
			complete = false
			continue
		}
		scans = append(scans, all[i])
	}
	if len(digests) == 0 {
		for _, scan := range all {
			if slices.Contains(scan.ImageTags, c.ref.tag) {
				scans = append(scans, scan)
				complete = true
			}
		}
	}
	if complete {
		return scans, ""
	}
	why = fmt.Sprintf("no scan of %s is known: ", shortened(c.image))
	if _, ok := repositoryOf(s, &c.ref); !ok && len(all) == 0 {
		return scans, why + c.ref.unread()
	}
	return scans, why + "it is not among the images that were read of its repository"
}
