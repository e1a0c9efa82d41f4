package image

import (
	"errors"
	"regexp"
	"strings"

	"github.com/distribution/reference"
)

// A parsed is an image reference as container runtimes understand it.
type parsed struct {
	domain string // of the registry, in lower case
	path   string // of the repository in it
	tag    string // "latest" where neither tag nor digest is given
	given  bool   // the tag is written, not assumed
	digest string // "sha256:…"
}

// maxReference bounds what is parsed. Registries take names of 255 bytes, with
// a tag and a digest behind them.
const maxReference = 1024

// parse reads an image reference. Names without a registry are those of
// Docker Hub, as for the kubelet.
func parse(image string) (parsed, error) {
	if len(image) > maxReference {
		return parsed{}, errors.New("it is longer than a reference can be")
	}
	named, err := reference.ParseNormalizedNamed(image)
	if err != nil {
		return parsed{}, err
	}
	p := parsed{domain: strings.ToLower(reference.Domain(named)), path: reference.Path(named)}
	if t, ok := named.(reference.Tagged); ok {
		p.tag, p.given = t.Tag(), true
	}
	if d, ok := named.(reference.Digested); ok {
		p.digest = d.Digest().String()
	} else if p.tag == "" {
		p.tag = "latest"
	}
	return p, nil
}

// within reports whether the image stands under a prefix: a registry, or a
// registry with the beginning of a path. "registry.example/shop" is no prefix of
// "registry.example/shop-evil/web", nor of "registry.example.evil/shop".
func (p *parsed) within(prefix string) bool {
	prefix = strings.TrimRight(strings.ToLower(strings.TrimSpace(prefix)), "/")
	if prefix == "" {
		return false
	}
	rest, ok := strings.CutPrefix(p.domain+"/"+p.path, prefix)
	return ok && (rest == "" || rest[0] == '/')
}

var ecrRE = regexp.MustCompile(`^([0-9]{12})\.dkr\.ecr(?:-fips)?\.([a-z0-9-]+)\.amazonaws\.(?:com|com\.cn|eu)$`)

// ecr returns the account and region of a private registry of ECR.
func (p *parsed) ecr() (account, region string, ok bool) {
	m := ecrRE.FindStringSubmatch(p.domain)
	if m == nil {
		return "", "", false
	}
	return m[1], m[2], true
}
