package aws

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	ecrtypes "github.com/aws/aws-sdk-go-v2/service/ecr/types"

	"github.com/eksafe/eksafe/internal/estate"
)

const (
	maxImages  = 1000 // of one repository: the newest
	maxDetails = 200  // of one repository: images whose findings are read
)

// registryParts are the parts of a region that read who is let into clusters, and
// what scanners say of images and nodes.
func (r *reader) registryParts(in string) []part {
	parts := []part{
		{"access entries" + in, r.readAccess},
		{"add-ons" + in, r.readAddons},
		{"pod identities" + in, r.readPodIdentities},
		{"image repositories" + in, r.readRepositories},
		{"Inspector" + in, r.readInspector},
	}
	if !r.skips(estate.ImageScans.Kind) {
		parts = append(parts, part{"image scans" + in, r.readImageScans})
	}
	return parts
}

// A registry is the repositories of a region and how they are scanned.
type registry struct {
	repositories []*estate.Repository
	scanType     string // "" where it is not known
}

func (r *reader) readRegistry(ctx context.Context) *registry {
	return r.registry.get(func() *registry {
		out := &registry{}
		input := &ecr.DescribeRepositoriesInput{MaxResults: awssdk.Int32(1000)}
		err := pages(ctx, ecr.NewDescribeRepositoriesPaginator(r.sdk.ecr, input), func(p *ecr.DescribeRepositoriesOutput) {
			for i := range p.Repositories {
				out.repositories = append(out.repositories, repository(&p.Repositories[i]))
			}
		})
		if err != nil {
			r.fail(err, estate.Repositories.Kind, estate.ImageScans.Kind)
		}
		config, err := r.sdk.ecr.GetRegistryScanningConfiguration(ctx, &ecr.GetRegistryScanningConfigurationInput{})
		if err != nil {
			// Without it nobody knows where to look for findings.
			r.fail(err, estate.RegistryScannings.Kind, estate.ImageScans.Kind)
			return out
		}
		scanning := &estate.RegistryScanning{AWS: estate.AWS{Arn: r.arn("ecr", "registry-scanning")}}
		if c := config.ScanningConfiguration; c != nil {
			out.scanType = string(c.ScanType)
			scanning.ScanType = enum(c.ScanType)
			scanning.Rules = estate.Known(scanningRules(c.Rules))
		}
		put(r, estate.RegistryScannings, []*estate.RegistryScanning{scanning})
		return out
	})
}

func repository(x *ecrtypes.Repository) *estate.Repository {
	out := &estate.Repository{
		AWS:                estate.AWS{Arn: text(x.RepositoryArn)},
		RepositoryName:     text(x.RepositoryName),
		RepositoryUri:      text(x.RepositoryUri),
		ImageTagMutability: enum(x.ImageTagMutability),
	}
	filters := []estate.TagFilter{}
	for _, f := range x.ImageTagMutabilityExclusionFilters {
		filters = append(filters, estate.TagFilter{Filter: text(f.Filter)})
	}
	out.ImageTagMutabilityExclusionFilters = estate.Known(filters)
	if c := x.ImageScanningConfiguration; c != nil {
		out.ScanOnPush = estate.Known(c.ScanOnPush)
	}
	if c := x.EncryptionConfiguration; c != nil {
		out.EncryptionType = enum(c.EncryptionType)
	}
	return out
}

func scanningRules(rules []ecrtypes.RegistryScanningRule) []estate.RegistryScanningRule {
	out := []estate.RegistryScanningRule{}
	for _, rule := range rules {
		x := estate.RegistryScanningRule{ScanFrequency: string(rule.ScanFrequency)}
		for _, f := range rule.RepositoryFilters {
			x.RepositoryFilters = append(x.RepositoryFilters, estate.RepositoryFilter{Filter: text(f.Filter), FilterType: string(f.FilterType)})
		}
		out = append(out, x)
	}
	return out
}

func (r *reader) readRepositories(ctx context.Context) {
	put(r, estate.Repositories, slices.Clone(r.readRegistry(ctx).repositories))
}

// readImageScans reads the newest images of each repository, and of those that
// have any the critical and high findings.
func (r *reader) readImageScans(ctx context.Context) {
	registry := r.readRegistry(ctx)
	each(ctx, registry.repositories, func(ctx context.Context, repo *estate.Repository) {
		images := r.readImages(ctx, repo)
		var scans, open []*estate.ImageScan
		for i := range images {
			scan := imageScan(repo, &images[i])
			scans = append(scans, scan)
			if wantsDetails(&images[i], registry.scanType) {
				open = append(open, scan)
			}
		}
		if len(open) > maxDetails {
			r.problem(fmt.Sprintf("reading findings of the newest %d images of %s: it has %d with findings", maxDetails, repo.RepositoryName, len(open)), "")
			open = open[:maxDetails]
		}
		each(ctx, open, r.readScanFindings)
		put(r, estate.ImageScans, scans)
	})
}

// readImages returns the newest images of a repository, newest first. What only
// refers to an image, such as its signature, is none.
func (r *reader) readImages(ctx context.Context, repo *estate.Repository) []ecrtypes.ImageDetail {
	var images []ecrtypes.ImageDetail
	total := 0
	input := &ecr.DescribeImagesInput{RepositoryName: &repo.RepositoryName, MaxResults: awssdk.Int32(1000)}
	err := pages(ctx, ecr.NewDescribeImagesPaginator(r.sdk.ecr, input), func(p *ecr.DescribeImagesOutput) {
		for _, image := range p.ImageDetails {
			if text(image.SubjectManifestDigest) != "" || !isImage(text(image.ArtifactMediaType)) {
				continue
			}
			total++
			images = append(images, image)
		}
		// ECR does not promise an order: the oldest of each page are dropped.
		slices.SortFunc(images, func(a, b ecrtypes.ImageDetail) int {
			if c := pushed(b).Compare(pushed(a)); c != 0 {
				return c
			}
			return strings.Compare(text(a.ImageDigest), text(b.ImageDigest))
		})
		if len(images) > maxImages {
			images = slices.Clip(images[:maxImages])
		}
	})
	if err != nil && classify(err) != notFound {
		r.fail(err, estate.ImageScans.Kind)
	}
	if total > len(images) {
		r.problem(fmt.Sprintf("reading the newest %d images of %s: it has %d", maxImages, repo.RepositoryName, total), "")
	}
	return images
}

func pushed(image ecrtypes.ImageDetail) time.Time {
	return awssdk.ToTime(image.ImagePushedAt)
}

// isImage tells images and lists of them, which have no type of their own,
// from charts and the like.
func isImage(artifact string) bool {
	return artifact == "" || strings.Contains(artifact, ".image.")
}

func imageScan(repo *estate.Repository, image *ecrtypes.ImageDetail) *estate.ImageScan {
	out := &estate.ImageScan{
		AWS:            estate.AWS{Arn: repo.Arn + "/" + text(image.ImageDigest)},
		RepositoryName: repo.RepositoryName,
		RepositoryUri:  repo.RepositoryUri,
		ImageDigest:    text(image.ImageDigest),
		ImageTags:      list(image.ImageTags),
		Status:         estate.Known(""), // the answer omits it where there was no scan
	}
	if s := image.ImageScanStatus; s != nil {
		out.Status = estate.Known(string(s.Status))
	}
	if s := image.ImageScanFindingsSummary; s != nil {
		out.CompletedAt = opt(s.ImageScanCompletedAt)
		out.Counts = counts(s.FindingSeverityCounts)
		if out.Counts["CRITICAL"]+out.Counts["HIGH"] == 0 {
			out.Vulnerabilities = estate.Known([]estate.Vulnerability{})
		}
	}
	return out
}

// wantsDetails says whether to ask for the findings of an image. Enhanced
// scanning may leave the summary out.
func wantsDetails(image *ecrtypes.ImageDetail, scanType string) bool {
	if s := image.ImageScanFindingsSummary; s != nil {
		return s.FindingSeverityCounts["CRITICAL"]+s.FindingSeverityCounts["HIGH"] > 0
	}
	return image.ImageScanStatus != nil || scanType == string(ecrtypes.ScanTypeEnhanced)
}

func counts(in map[string]int32) map[string]int {
	out := make(map[string]int, len(in))
	for severity, n := range in {
		out[severity] = int(n)
	}
	return out
}

func (r *reader) readScanFindings(ctx context.Context, scan *estate.ImageScan) {
	found := []estate.Vulnerability{}
	input := &ecr.DescribeImageScanFindingsInput{
		RepositoryName: &scan.RepositoryName, ImageId: &ecrtypes.ImageIdentifier{ImageDigest: &scan.ImageDigest}, MaxResults: awssdk.Int32(1000),
	}
	err := pages(ctx, ecr.NewDescribeImageScanFindingsPaginator(r.sdk.ecr, input), func(p *ecr.DescribeImageScanFindingsOutput) {
		if p.ImageScanStatus != nil {
			scan.Status = enum(p.ImageScanStatus.Status)
		}
		if f := p.ImageScanFindings; f != nil {
			if f.ImageScanCompletedAt != nil {
				scan.CompletedAt = opt(f.ImageScanCompletedAt)
			}
			if len(f.FindingSeverityCounts) > 0 {
				scan.Counts = counts(f.FindingSeverityCounts)
			}
			found = append(found, vulnerabilities(f)...)
		}
	})
	switch {
	case isCode(err, "ScanNotFoundException"):
		scan.Status = estate.Known("")
	case err != nil && classify(err) == notFound:
	case err != nil:
		r.blind(err, "findings of image scans")
	default:
		slices.SortFunc(found, compareVulnerabilities)
		scan.Vulnerabilities = estate.Known(slices.Compact(found))
	}
}

var severe = []string{"CRITICAL", "HIGH"}

// vulnerabilities returns the critical and high findings of either scanner.
func vulnerabilities(f *ecrtypes.ImageScanFindings) []estate.Vulnerability {
	var out []estate.Vulnerability
	for _, x := range f.Findings {
		if !slices.Contains(severe, string(x.Severity)) {
			continue
		}
		attributes := map[string]string{}
		for _, a := range x.Attributes {
			attributes[text(a.Key)] = text(a.Value)
		}
		out = append(out, estate.Vulnerability{
			Name: text(x.Name), Severity: string(x.Severity), PackageName: attributes["package_name"], PackageVersion: attributes["package_version"],
		})
	}
	for _, x := range f.EnhancedFindings {
		if !slices.Contains(severe, text(x.Severity)) || x.PackageVulnerabilityDetails == nil || text(x.Status) != "" && text(x.Status) != "ACTIVE" {
			continue
		}
		d := x.PackageVulnerabilityDetails
		v := estate.Vulnerability{Name: text(d.VulnerabilityId), Severity: text(x.Severity)}
		if len(d.VulnerablePackages) == 0 {
			out = append(out, v)
		}
		for _, p := range d.VulnerablePackages {
			v.PackageName, v.PackageVersion = text(p.Name), text(p.Version)
			v.FixedInVersion = estate.Known(fixedIn(text(p.FixedInVersion)))
			out = append(out, v)
		}
	}
	return out
}

// fixedIn returns the version that mends a flaw, "" for none.
func fixedIn(version string) string {
	if version == "NotAvailable" {
		return ""
	}
	return version
}

func compareVulnerabilities(a, b estate.Vulnerability) int {
	return slices.Compare(
		[]string{a.Severity, a.Name, a.PackageName, a.PackageVersion, a.FixedInVersion.Or("")},
		[]string{b.Severity, b.Name, b.PackageName, b.PackageVersion, b.FixedInVersion.Or("")})
}
