package cluster

import (
	"strconv"
	"strings"
	"time"

	"github.com/eksafe/eksafe/internal/control"
	"github.com/eksafe/eksafe/internal/estate"
)

var versionSupported = &control.Control{
	ID:       "version-supported",
	Title:    "The Kubernetes version is in standard support",
	Severity: control.Medium,
	Refs:     []control.Ref{control.FSBP("EKS.2"), control.AWS("eks-versions")},
	Serves:   []string{"S41"},
	Since:    "0.1.0",
	Check:    control.Each(estate.Clusters, judgeVersion),
}

// A release is one row of the release calendar of EKS. Standard support ends
// at the beginning of the day, UTC.
type release struct {
	minor   int
	ends    string // of standard support
	source  string
	checked string // the day on which the row was looked up
}

const (
	eksGuide      = "https://docs.aws.amazon.com/eks/latest/userguide/kubernetes-versions.html"
	eksOperations = "https://aws-samples.github.io/sample-apex-skills/docs/skills/eks-operation-review/references/cluster-lifecycle"
)

// releases are in order. A version that is newer than the last is unknown.
var releases = []release{
	{29, "2025-03-23", eksGuide, "2026-11-23"},
	{30, "2025-07-23", eksGuide, "2026-11-23"},
	{31, "2025-11-26", eksGuide, "2026-11-23"},
	{32, "2026-03-23", eksGuide, "2026-11-23"},
	{33, "2026-07-29", eksGuide, "2026-11-23"},
	{34, "2026-12-02", eksGuide, "2026-11-23"},
	{35, "2027-03-27", eksOperations, "2026-11-23"},
}

func judgeVersion(s *control.Subject, c *estate.Cluster) {
	version, known := c.Version.Get()
	if !known {
		s.Unknownf("version of cluster %s is not known; read the cluster live (--aws), or write it into the template", c.Name)
		return
	}
	major, minor, _ := strings.Cut(version, ".")
	n, err := strconv.Atoi(minor)
	if major != "1" || err != nil {
		s.Unknownf("version %q of cluster %s is no Kubernetes version", version, c.Name)
		return
	}
	if n < releases[0].minor {
		s.Failf("version", "Kubernetes %s left standard support before %s", version, releases[0].ends)
		return
	}
	for _, r := range releases {
		if r.minor != n {
			continue
		}
		ends, err := time.Parse(time.DateOnly, r.ends)
		if err != nil || !s.Now().Before(ends) {
			s.Failf("version", "Kubernetes %s left standard support on %s", version, r.ends)
		}
		return
	}
	s.Unknownf("Kubernetes %s is newer than this eksafe; see %s", version, eksGuide)
}
