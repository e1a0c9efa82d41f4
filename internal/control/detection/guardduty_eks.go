package detection

import (
	"github.com/eksafe/eksafe/internal/control"
	"github.com/eksafe/eksafe/internal/estate"
)

var guardDutyEKS = &control.Control{
	ID:       "guardduty-eks",
	Title:    "GuardDuty reads the audit log of clusters and watches what runs on their nodes",
	Severity: control.High,
	Refs:     []control.Ref{control.FSBP("GuardDuty.5"), control.FSBP("GuardDuty.7"), control.AWS("guardduty-features")},
	Serves:   []string{"S39"},
	Since:    "0.1.0",
	Check: control.Each(estate.Clusters, judgeClusterWatch, estate.GuardDutyDetectors.Kind).
		Helped(estate.Addons.Kind, estate.Workloads.Kind),
}

const agentAddon = "aws-guardduty-agent"

func judgeClusterWatch(s *control.Subject, c *estate.Cluster) {
	d := detectorOf(s, siteOf(&c.Origin))
	if d == nil || !d.Enable.Or(true) {
		s.NotApplicable() // guardduty-on says so, once for the region
		return
	}
	features, known := d.Features.Get()
	if !known {
		s.Unknownf("the features of GuardDuty for cluster %s are not known; allow guardduty:GetDetector, or write them into the template", c.Name)
		return
	}
	if !enabled(features, "EKS_AUDIT_LOGS") {
		s.FailAt(detectorPlace(d, "features"), "GuardDuty does not read the audit log of cluster %s: EKS_AUDIT_LOGS is off", c.Name)
	}
	runtime := enabled(features, "RUNTIME_MONITORING") || enabled(features, "EKS_RUNTIME_MONITORING")
	managed := false
	for _, f := range features {
		if f.Name == "RUNTIME_MONITORING" || f.Name == "EKS_RUNTIME_MONITORING" {
			managed = managed || enabled(f.AdditionalConfiguration, "EKS_ADDON_MANAGEMENT")
		}
	}
	switch {
	case !runtime:
		s.FailAt(detectorPlace(d, "features"), "GuardDuty does not see what runs in cluster %s: RUNTIME_MONITORING is off", c.Name)
	case managed || hasAgent(s, c):
	case !s.Read(estate.Addons.Kind):
		s.Unknownf("whether cluster %s has the agent of GuardDuty is not known; allow eks:ListAddons", c.Name)
	default:
		s.Failf("", "cluster %s has no agent of GuardDuty, and GuardDuty may not install it: no add-on %s, EKS_ADDON_MANAGEMENT is off", c.Name, agentAddon)
	}
}

func enabled(features []estate.GuardDutyFeature, name string) bool {
	for _, f := range features {
		if f.Name == name && f.Status == "ENABLED" {
			return true
		}
	}
	return false
}

// hasAgent reports whether the agent runs, as an add-on or by its own manifest.
func hasAgent(s *control.Subject, c *estate.Cluster) bool {
	for _, a := range control.All(s, estate.Addons) {
		if a.AddonName == agentAddon && (a.ClusterName == c.Name || a.ClusterName == c.Arn) {
			return true
		}
	}
	for _, w := range control.All(s, estate.Workloads) {
		if w.Namespace == "amazon-guardduty" && w.Controller == "DaemonSet" && w.Name == agentAddon {
			return true
		}
	}
	return false
}
