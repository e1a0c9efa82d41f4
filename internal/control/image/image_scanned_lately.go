package image

import (
	"fmt"
	"time"

	"github.com/eksafe/eksafe/internal/config"
	"github.com/eksafe/eksafe/internal/control"
	"github.com/eksafe/eksafe/internal/estate"
)

var imageScannedLately = &control.Control{
	ID:       "image-scanned-lately",
	Title:    "Images that run were scanned lately",
	Severity: control.Medium,
	Refs:     []control.Ref{control.CISEKS("5.1.1"), control.AWS("inspector-ecr")},
	Serves:   []string{"S31"},
	Since:    "0.1.0",
	Check:    control.Each(estate.Workloads, judgeScanAge, estate.ImageScans.Kind).Helped(estate.Repositories.Kind),
}

func judgeScanAge(s *control.Subject, w *estate.Workload) {
	days := config.Or(s.Config().Thresholds.ScanDays, config.DefaultScanDays)
	since := s.Now().AddDate(0, 0, -days)
	var missed []miss
	var gaps []string
	for _, c := range containers(w) {
		scans, why := scansOf(s, &c)
		if why != "" {
			gaps = append(gaps, why)
		}
		for _, scan := range scans {
			image := shortened(c.image)
			status, known := scan.Status.Get()
			at, dated := scan.CompletedAt.Get()
			switch {
			case !known:
				gaps = append(gaps, fmt.Sprintf("whether %s was scanned is not known; allow ecr:DescribeImages", image))
			case status == "":
				missed = append(missed, miss{c.field, image + " was never scanned"})
			case status == "ACTIVE":
				// Inspector looks again whenever it learns of a vulnerability.
			case status == "COMPLETE" || status == "IN_PROGRESS" || status == "PENDING":
				switch {
				case !dated:
					gaps = append(gaps, fmt.Sprintf("when %s was scanned is not known; the state of its scan is %s", image, status))
				case at.Before(since):
					missed = append(missed, miss{c.field, fmt.Sprintf("%s was last scanned on %s, more than %d days ago", image, at.UTC().Format(time.DateOnly), days)})
				}
			default:
				missed = append(missed, miss{c.field, fmt.Sprintf("%s is not scanned: the state of its scan is %s", image, status)})
			}
		}
	}
	report(s, w, missed, gaps)
}
