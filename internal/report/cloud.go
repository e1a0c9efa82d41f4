package report

import (
	"strings"

	"github.com/eksafe/eksafe/internal/control"
	"github.com/eksafe/eksafe/internal/estate"
)

// A Cloud is an account of AWS and a region of it.
type Cloud struct{ Partition, Account, Region string }

// cloudOf returns what an ARN says of where its resource is; parts that it
// leaves out are empty, and so is everything for what is no ARN.
func cloudOf(id string) Cloud {
	part := strings.SplitN(id, ":", 6)
	if len(part) < 6 || part[0] != "arn" {
		return Cloud{}
	}
	return Cloud{part[1], part[4], part[3]}
}

// Home returns the account and region that the report is about: those of the
// first EKS cluster, else of the first resource that has both. It is zero where
// nothing that was read has an ARN: templates and manifests are not in an
// account yet.
func (r *Report) Home() Cloud {
	if r.Graph == nil || r.Graph.Estate == nil {
		return Cloud{}
	}
	e := r.Graph.Estate
	for _, c := range estate.Clusters.In(e) {
		if at := cloudOf(c.Arn); at.Account != "" && at.Region != "" {
			return at
		}
	}
	for _, k := range estate.Kinds() {
		if k.Provider != estate.AWSProvider {
			continue
		}
		for ref := range k.Refs(e) {
			if at := cloudOf(ref.ID); at.Account != "" && at.Region != "" && at.Account != "aws" {
				return at
			}
		}
	}
	return Cloud{}
}

// fix returns the part of a control's page that says how to mend.
func (r *Report) fix(c *control.Control) string {
	_, fix, _ := strings.Cut(r.describe(c.ID).Prose, "\n### Fix\n")
	if fix, _, _ = strings.Cut(fix, "\n### "); strings.TrimSpace(fix) == "" {
		return Tool + " controls explain " + c.ID + " says how to mend it."
	}
	return strings.TrimSpace(fix)
}

// pageURL returns where the control is explained, "" if nowhere.
func (r *Report) pageURL(c *control.Control) string {
	if u := r.describe(c.ID).URL; u != "" {
		return u
	}
	if len(c.Refs) > 0 {
		return c.Refs[0].URL
	}
	return ""
}

// sections returns the documents that the control cites and their sections, as
// "AWS FSBP ELB.1".
func sections(c *control.Control) (documents, sections []string) {
	seen := map[string]bool{}
	for _, ref := range c.Refs {
		if d := string(ref.Source); !seen[d] {
			seen[d] = true
			documents = append(documents, d)
		}
		sections = append(sections, strings.TrimSpace(string(ref.Source)+" "+ref.Section))
	}
	return documents, sections
}

// fit returns s as valid UTF-8 without control characters other than newlines,
// and no longer than n characters.
func fit(s string, n int) string {
	lines := strings.Split(strings.TrimSpace(s), "\n")
	for i := range lines {
		lines[i] = clean(lines[i])
	}
	runes := []rune(strings.TrimSpace(strings.Join(lines, "\n")))
	if len(runes) > n {
		runes = append(runes[:n-1:n-1], '…')
	}
	return string(runes)
}
