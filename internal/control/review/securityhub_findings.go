package review

import (
	"cmp"
	"path"
	"slices"
	"strings"

	"github.com/eksafe/eksafe/internal/control"
	"github.com/eksafe/eksafe/internal/estate"
	"github.com/eksafe/eksafe/internal/trace"
)

var securityhubFindings = &control.Control{
	ID:       "securityhub-findings",
	Title:    "No critical or high finding of Security Hub is open",
	Severity: control.High,
	Refs:     []control.Ref{control.AWS("securityhub-insights")},
	Serves:   []string{"S34"},
	Since:    "0.1.0",
	Check: control.Each(estate.SecurityHubs, judgeFindings, estate.SecurityHubFindings.Kind).
		Helped(estate.GuardDutyFindings.Kind, estate.InspectorFindings.Kind).Helped(judged...),
}

// judged are the kinds of the resources that rules of Security Hub concern and
// eksafe's own controls judge: where one of them could not be read, nobody can
// tell which of the two should speak.
var judged = []estate.Kind{
	estate.Clusters.Kind, estate.Instances.Kind, estate.LaunchTemplates.Kind, estate.LoadBalancers.Kind, estate.ClassicLoadBalancers.Kind,
	estate.Distributions.Kind, estate.WebACLs.Kind, estate.VPCs.Kind, estate.SecurityGroups.Kind,
	estate.DBInstances.Kind, estate.DBClusters.Kind, estate.DBSnapshots.Kind, estate.Volumes.Kind, estate.Keys.Kind, estate.Buckets.Kind,
	estate.FileSystems.Kind, estate.Caches.Kind, estate.KafkaClusters.Kind, estate.OpenSearchDomains.Kind,
	estate.Users.Kind, estate.ManagedPolicies.Kind, estate.Repositories.Kind, estate.Trails.Kind,
}

// A report is what Security Hub says of one resource.
type report struct {
	*estate.ReportedFinding
	about string // the resource in Security Hub's words
	place trace.Place
	found bool // the resource is one of the estate
}

func judgeFindings(s *control.Subject, h *estate.SecurityHub) {
	if on, known := h.Enabled.Get(); known && !on {
		s.NotWanted("Security Hub CSPM is off, so there are no findings of it")
		return
	}
	index := resources(s.Graph().Estate)
	account := placeOfAccount(s.Graph().Estate, h.Origin.Account, trace.Place{Subject: s.Ref(), Origin: &h.Origin})
	var all []report
	for _, f := range control.All(s, estate.SecurityHubFindings) {
		if f.Origin.Account != h.Origin.Account || f.Origin.Region != h.Origin.Region || !grave(f.Severity) {
			continue
		}
		if strings.HasPrefix(f.Rule, ownRules) {
			continue // published by an earlier audit: it would feed upon itself
		}
		all = append(all, reports(f, index, account)...)
	}
	// The same rule of several standards tells of a resource once.
	slices.SortFunc(all, func(a, b report) int {
		return cmp.Or(a.place.Subject.Compare(b.place.Subject), cmp.Compare(rule(a.ReportedFinding), rule(b.ReportedFinding)),
			cmp.Compare(a.about, b.about), cmp.Compare(a.Severity, b.Severity), cmp.Compare(a.Title, b.Title), cmp.Compare(a.Id, b.Id))
	})
	all = slices.CompactFunc(all, func(a, b report) bool {
		return a.place.Subject == b.place.Subject && rule(a.ReportedFinding) == rule(b.ReportedFinding) && (a.found || a.about == b.about)
	})
	for _, r := range all {
		if toldElsewhere(s, r) {
			continue
		}
		if why := unreadResource(s, r); why != "" {
			s.Unknownf("whether a control speaks of %s of %s already is not known: %s", rule(r.ReportedFinding), r.about, why)
			continue
		}
		of := ""
		if !r.found && r.about != "" {
			of = " of " + r.about
		}
		if strings.EqualFold(r.Severity, "critical") {
			s.Raise(control.Critical, "%s calls it critical", r.Product)
		} else {
			s.Raise(0, "")
		}
		s.FailAt(r.place, "%s reports %s%s: %s", cmp.Or(r.Product, "Security Hub"), rule(r.ReportedFinding), of, r.Title)
	}
}

// unreadResource returns why the resource of a rule that controls cite may be
// missing in the estate, "" if it is none of it.
func unreadResource(s *control.Subject, r report) string {
	if r.found || control.FSBP(rule(r.ReportedFinding)).Validate() != nil {
		return ""
	}
	for _, kind := range judged {
		if c := s.Graph().Estate.Coverage(kind); c.State == estate.Denied || c.State == estate.Unavailable {
			return string(kind) + " could not be read: " + c.Why
		}
	}
	return ""
}

// ownRules begins the generators of findings that eksafe publishes.
const ownRules = "eksafe/"

func grave(severity string) bool {
	return strings.EqualFold(severity, "critical") || strings.EqualFold(severity, "high")
}

// reports returns what a finding says of the resources of the estate, or of the
// account where none of its resources is one.
func reports(f *estate.ReportedFinding, index map[string]trace.Place, account trace.Place) []report {
	var out []report
	for _, about := range f.Resources {
		if p, ok := index[about]; ok {
			out = append(out, report{f, about, p, true})
		}
	}
	if out != nil {
		return out
	}
	about := ""
	if len(f.Resources) > 0 {
		about = f.Resources[0]
	}
	// "AWS::::Account:111122223333" is the account itself.
	if strings.HasPrefix(about, "AWS::::Account:") {
		return []report{{f, about, account, account.Subject.Kind == estate.Accounts.Kind}}
	}
	return []report{{f, about, account, false}}
}

// resources returns the place of each resource of AWS by its ARN.
func resources(e *estate.Estate) map[string]trace.Place {
	out := map[string]trace.Place{}
	for _, k := range estate.Kinds() {
		if k.Provider != estate.AWSProvider || slices.Contains(reporters, k.Kind) {
			continue
		}
		for ref, origin := range k.Refs(e) {
			if _, taken := out[ref.ID]; ref.ID != "" && !taken {
				out[ref.ID] = trace.Place{Subject: ref, Origin: origin}
			}
		}
	}
	return out
}

// reporters are the kinds of what tools say, which is no resource.
var reporters = []estate.Kind{
	estate.SecurityHubFindings.Kind, estate.GuardDutyFindings.Kind, estate.InspectorFindings.Kind, estate.AccessAnalyzerFindings.Kind,
}

// rule returns the rule of a finding without the standard before it:
// "aws-foundational-security-best-practices/v/1.0.0/EKS.1" is EKS.1.
func rule(f *estate.ReportedFinding) string { return cmp.Or(path.Base(f.Rule), "a finding") }

// toldElsewhere reports whether a control of eksafe speaks of what Security Hub
// reports: a control that cites the rule judges the resource itself, with the
// exposure and the fix; findings of GuardDuty, and of Inspector on images, have
// controls of their own. Whether that control fails cannot be asked here: where
// the two differ, eksafe's own word stands.
func toldElsewhere(s *control.Subject, r report) bool {
	if r.found && control.FSBP(rule(r.ReportedFinding)).Validate() == nil {
		return true
	}
	same := func(o *estate.ReportedFinding) bool { return o.Id == r.Id || o.Arn == r.Id }
	if slices.ContainsFunc(control.All(s, estate.GuardDutyFindings), same) {
		return true
	}
	return r.place.Subject.Kind == estate.ImageScans.Kind && slices.ContainsFunc(control.All(s, estate.InspectorFindings), same)
}
