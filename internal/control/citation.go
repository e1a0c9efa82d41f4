package control

import (
	"cmp"
	"fmt"
	"slices"
)

// A Source is a published document that controls cite.
type Source string

// The documents that controls cite.
const (
	CISEKSSource  Source = "CIS EKS"               // CIS Amazon EKS Benchmark
	FSBPSource    Source = "AWS FSBP"              // AWS Foundational Security Best Practices, by control of Security Hub
	PSSSource     Source = "PSS"                   // Kubernetes Pod Security Standards
	NSASource     Source = "NSA/CISA"              // NSA/CISA Kubernetes Hardening Guidance
	EKSGuide      Source = "EKS Best Practices"    // Amazon EKS Best Practices Guide
	ATTACKSource  Source = "MITRE ATT&CK"          // techniques
	AWSSource     Source = "AWS documentation"     // a page of it
	ProjectSource Source = "Project documentation" // of Istio, Gateway API, the AWS Load Balancer Controller …
	OwnSource     Source = "Own"                   // what an own control names; nobody verified it
)

// A Ref points to a section of a published requirement. Build one with a
// constructor of its source; all sections stand in a table with the place and
// the date where each was verified.
type Ref struct {
	Source  Source `json:"source"`
	Section string `json:"section"`
	Title   string `json:"title,omitempty"`
	URL     string `json:"url,omitempty"`
}

// Compare orders refs by source and section.
func (r Ref) Compare(o Ref) int {
	return cmp.Or(cmp.Compare(r.Source, o.Source), cmp.Compare(r.Section, o.Section))
}

// Validate returns an error unless the section was verified to exist.
func (r Ref) Validate() error {
	if r.Title == "" || r.URL == "" {
		return fmt.Errorf("%s %q is not in the table of verified citations", r.Source, r.Section)
	}
	return nil
}

// A citation is one section that was looked up.
type citation struct {
	section string
	title   string
	url     string
	checked string // the day it was looked up
}

func cite(source Source, section string) Ref {
	rows := citations[source]
	if i := slices.IndexFunc(rows, func(c citation) bool { return c.section == section }); i >= 0 {
		return Ref{Source: source, Section: section, Title: rows[i].title, URL: rows[i].url}
	}
	// Declarations run before anybody can handle an error; Validate tells.
	return Ref{Source: source, Section: section}
}

// Cited returns the sections of a document that stand in the table of verified
// citations.
func Cited(source Source) []string {
	var out []string
	for _, c := range citations[source] {
		out = append(out, c.section)
	}
	return out
}

// CISEKS cites a section of the CIS Amazon EKS Benchmark, such as "5.3.1".
func CISEKS(section string) Ref { return cite(CISEKSSource, section) }

// FSBP cites a control of the AWS Foundational Security Best Practices, such
// as "RDS.3".
func FSBP(id string) Ref { return cite(FSBPSource, id) }

// PSS cites a control of the Pod Security Standards by its level and name,
// such as PSS("baseline", "Privileged Containers"); an empty name cites the
// level.
func PSS(level, name string) Ref {
	if name == "" {
		return cite(PSSSource, level)
	}
	return cite(PSSSource, level+": "+name)
}

// NSA cites a chapter of the NSA/CISA Kubernetes Hardening Guidance.
func NSA(chapter string) Ref { return cite(NSASource, chapter) }

// Guide cites a chapter of the Amazon EKS Best Practices Guide.
func Guide(chapter string) Ref { return cite(EKSGuide, chapter) }

// ATTACK cites a technique of MITRE ATT&CK, such as "T1611".
func ATTACK(id string) Ref { return cite(ATTACKSource, id) }

// AWS cites a page of the AWS documentation by its short name in the table.
func AWS(page string) Ref { return cite(AWSSource, page) }

// Project cites a page of a project's documentation by its short name in the
// table.
func Project(page string) Ref { return cite(ProjectSource, page) }
