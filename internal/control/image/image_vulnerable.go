package image

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/eksafe/eksafe/internal/control"
	"github.com/eksafe/eksafe/internal/estate"
)

var imageVulnerable = &control.Control{
	ID:       "image-vulnerable",
	Title:    "Images that run have no critical or high vulnerability that an update mends",
	Severity: control.High,
	Refs:     []control.Ref{control.CISEKS("5.1.1"), control.AWS("inspector-ecr"), control.ATTACK("T1190")},
	Serves:   []string{"S31"},
	Since:    "0.1.0",
	Check: control.Each(estate.Workloads, judgeVulnerable, estate.ImageScans.Kind).
		Helped(estate.Repositories.Kind, estate.InspectorFindings.Kind),
}

func judgeVulnerable(s *control.Subject, w *estate.Workload) {
	var missed []miss
	var gaps []string
	for _, c := range containers(w) {
		scans, why := scansOf(s, &c)
		if why != "" {
			gaps = append(gaps, why)
		}
		for _, scan := range scans {
			flaws := flawsOf(s, scan)
			switch {
			case len(flaws) > 0:
				missed = append(missed, miss{c.field, told(c.image, flaws)})
			case scan.Counts["CRITICAL"]+scan.Counts["HIGH"] > 0 && unlisted(scan):
				missed = append(missed, miss{c.field, fmt.Sprintf("%s has %s; which they are was not read, so take them as ones that an update mends",
					shortened(c.image), counted(scan.Counts["CRITICAL"], scan.Counts["HIGH"]))})
			case !clean(scan):
				gaps = append(gaps, fmt.Sprintf("what is wrong with %s is not known: %s", shortened(c.image), state(scan)))
			}
		}
	}
	report(s, w, missed, gaps)
}

// clean reports whether a scan without findings says that there are none.
func clean(scan *estate.ImageScan) bool {
	status := scan.Status.Or("")
	return !unlisted(scan) && (status == "COMPLETE" || status == "ACTIVE")
}

// unlisted reports whether the critical and high findings are not known.
func unlisted(scan *estate.ImageScan) bool {
	_, known := scan.Vulnerabilities.Get()
	return !known
}

// state says how far a scan has come, for those that tell nothing.
func state(scan *estate.ImageScan) string {
	switch status, known := scan.Status.Get(); {
	case !known:
		return "the state of its scan was not read"
	case status == "":
		return "it was never scanned"
	case status == "COMPLETE" || status == "ACTIVE":
		return "the findings of its scan were not read; allow ecr:DescribeImageScanFindings"
	default:
		return "the state of its scan is " + status
	}
}

// A flaw is a vulnerability that an update mends, or may.
type flaw struct {
	estate.Vulnerability
	fixed string // "" where the scanner does not say
}

// flawsOf returns what ECR and Inspector found in an image, worst first, but for
// what nobody has mended yet. Where the scanner does not say whether there is a
// fix, there may be one.
func flawsOf(s *control.Subject, scan *estate.ImageScan) []flaw {
	var out []flaw
	for _, v := range scan.Vulnerabilities.Or(nil) {
		if fixed, known := v.FixedInVersion.Get(); (fixed != "" || !known) && severe(v.Severity) {
			v.Severity = strings.ToUpper(v.Severity)
			out = append(out, flaw{v, fixed})
		}
	}
	listed := len(out)
	for _, f := range control.All(s, estate.InspectorFindings) {
		if f.Fixed == "" || !severe(f.Severity) || !slices.Contains(f.Resources, scan.Arn) {
			continue
		}
		// Both tell of the same flaw: then Inspector's fix is all that is new.
		same := false
		for i := range out[:listed] {
			if v := &out[i]; v.Name == f.Rule && v.PackageName == f.Package {
				v.fixed, same = cmp.Or(v.fixed, f.Fixed), true
			}
		}
		if !same {
			out = append(out, flaw{estate.Vulnerability{Name: f.Rule, Severity: strings.ToUpper(f.Severity), PackageName: f.Package}, f.Fixed})
		}
	}
	slices.SortFunc(out, func(a, b flaw) int {
		return cmp.Or(cmp.Compare(a.Severity, b.Severity), // CRITICAL before HIGH
			cmp.Compare(a.Name, b.Name), cmp.Compare(a.PackageName, b.PackageName), cmp.Compare(a.PackageVersion, b.PackageVersion), cmp.Compare(a.fixed, b.fixed))
	})
	return slices.CompactFunc(out, func(a, b flaw) bool { return a.String() == b.String() })
}

func severe(severity string) bool {
	return strings.EqualFold(severity, "critical") || strings.EqualFold(severity, "high")
}

// maxNamed bounds the vulnerabilities that one message names.
const maxNamed = 3

// told returns the finding of an image: how many, and the worst by name.
func told(image string, flaws []flaw) string {
	critical := 0
	var named []string
	for i, f := range flaws {
		if f.Severity == "CRITICAL" {
			critical++
		}
		if i < maxNamed {
			named = append(named, f.String())
		}
	}
	more := ""
	if n := len(flaws) - maxNamed; n > 0 {
		more = fmt.Sprintf(", and %d more", n)
	}
	return fmt.Sprintf("%s has %s: %s%s", shortened(image), counted(critical, len(flaws)-critical), strings.Join(named, ", "), more)
}

// String returns "CVE-2026-1234 in openssl 3.0.1 (mended in 3.0.2)".
func (f flaw) String() string {
	var b strings.Builder
	b.WriteString(f.Name)
	if f.PackageName != "" {
		b.WriteString(" in " + f.PackageName)
	}
	if f.PackageVersion != "" {
		b.WriteString(" " + f.PackageVersion)
	}
	if f.fixed != "" {
		b.WriteString(" (mended in " + f.fixed + ")")
	} else {
		b.WriteString(" (the scanner does not say whether it is mended)")
	}
	return b.String()
}

// counted returns "1 critical and 2 high vulnerabilities".
func counted(critical, high int) string {
	var parts []string
	if critical > 0 {
		parts = append(parts, fmt.Sprintf("%d critical", critical))
	}
	if high > 0 {
		parts = append(parts, fmt.Sprintf("%d high", high))
	}
	noun := "vulnerabilities"
	if critical+high == 1 {
		noun = "vulnerability"
	}
	return strings.Join(parts, " and ") + " " + noun
}
