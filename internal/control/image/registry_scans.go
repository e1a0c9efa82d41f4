package image

import (
	"strings"

	"github.com/eksafe/eksafe/internal/access"
	"github.com/eksafe/eksafe/internal/control"
	"github.com/eksafe/eksafe/internal/estate"
	"github.com/eksafe/eksafe/internal/trace"
)

var registryScans = &control.Control{
	ID:       "registry-scans",
	Title:    "The registry scans the images of every repository",
	Severity: control.High,
	Refs:     []control.Ref{control.FSBP("ECR.1"), control.CISEKS("5.1.1"), control.AWS("ecr-scanning-rules")},
	Serves:   []string{"S31"},
	Since:    "0.1.0",
	Check:    control.Each(estate.Repositories, judgeScanning).Helped(estate.RegistryScannings.Kind),
}

func judgeScanning(s *control.Subject, r *estate.Repository) {
	push, pushKnown := r.ScanOnPush.Get()
	for _, reg := range control.All(s, estate.RegistryScannings) {
		if reg.Origin.Account == r.Origin.Account && reg.Origin.Region == r.Origin.Region {
			judgeRegistry(s, r, reg)
			return
		}
	}
	switch {
	case push:
	case !pushKnown:
		s.Unknownf("whether ECR scans %s is not known; read the account (--aws)", r.RepositoryName)
	default:
		s.Unknownf("%s itself scans nothing, and whether its registry does is not known; read the account (--aws)", r.RepositoryName)
	}
}

// judgeRegistry judges a repository by the rules of its registry. A
// repository's own setting counts only where the registry has no rules.
func judgeRegistry(s *control.Subject, r *estate.Repository, reg *estate.RegistryScanning) {
	scanType, typeKnown := reg.ScanType.Get()
	rules, rulesKnown := reg.Rules.Get()
	if !typeKnown || !rulesKnown {
		s.Unknownf("how the registry scans %s is not known; allow ecr:GetRegistryScanningConfiguration", r.RepositoryName)
		return
	}
	for _, rule := range rules {
		if rule.ScanFrequency != "SCAN_ON_PUSH" && rule.ScanFrequency != "CONTINUOUS_SCAN" {
			continue // MANUAL is when somebody thinks of it
		}
		for _, f := range rule.RepositoryFilters {
			if chooses(f.Filter, r.RepositoryName) {
				return
			}
		}
	}
	if len(rules) > 0 || scanType == "ENHANCED" {
		at := trace.Place{Subject: estate.RegistryScannings.Ref(reg), Origin: &reg.Origin, Field: "rules"}
		s.FailAt(at, "no rule of the registry scans the repository %s", r.RepositoryName)
		return
	}
	switch push, known := r.ScanOnPush.Get(); {
	case !known:
		s.Unknownf("whether ECR scans %s is not known; allow ecr:DescribeRepositories", r.RepositoryName)
	case !push:
		s.Failf("scanOnPush", "nothing scans the images of %s: it does not scan on push, and the registry has no rule", r.RepositoryName)
	}
}

// chooses reports whether a filter of a scanning rule chooses a repository: one
// without "*" chooses every name that contains it.
func chooses(filter, repository string) bool {
	if !strings.Contains(filter, "*") {
		return filter != "" && strings.Contains(repository, filter)
	}
	return access.Match(filter, repository)
}
