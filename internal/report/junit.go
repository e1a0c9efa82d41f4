package report

import (
	"cmp"
	"encoding/xml"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/eksafe/eksafe/internal/control"
	"github.com/eksafe/eksafe/internal/finding"
)

// The elements of a JUnit report, as far as the readers of it agree: Jenkins,
// GitLab and GitHub actions read no more.
type (
	junitSuites struct {
		XMLName  xml.Name     `xml:"testsuites"`
		Name     string       `xml:"name,attr"`
		Tests    int          `xml:"tests,attr"`
		Failures int          `xml:"failures,attr"`
		Errors   int          `xml:"errors,attr"`
		Time     string       `xml:"time,attr"`
		Suites   []junitSuite `xml:"testsuite"`
	}
	junitSuite struct {
		Name      string      `xml:"name,attr"`
		Tests     int         `xml:"tests,attr"`
		Failures  int         `xml:"failures,attr"`
		Errors    int         `xml:"errors,attr"`
		Skipped   int         `xml:"skipped,attr"`
		Time      string      `xml:"time,attr"`
		Timestamp string      `xml:"timestamp,attr"`
		Cases     []junitCase `xml:"testcase"`
	}
	junitCase struct {
		Name      string        `xml:"name,attr"`
		ClassName string        `xml:"classname,attr"`
		Time      string        `xml:"time,attr"`
		Skipped   *junitSkipped `xml:"skipped"`
		Failure   *junitFailure `xml:"failure"`
	}
	junitSkipped struct {
		Message string `xml:"message,attr"`
	}
	junitFailure struct {
		Message string `xml:"message,attr"`
		Type    string `xml:"type,attr"`
		Text    string `xml:",chardata"`
	}
)

// WriteJUnit writes the report as JUnit XML: a suite for each family of
// controls, a case for each finding, and one for each control without
// findings. What somebody accepted, what a baseline knows and what nobody could
// judge is skipped, with the reason. encoding/xml writes what XML forbids,
// control characters above all, as U+FFFD.
func (r *Report) WriteJUnit(w io.Writer) error {
	all := junitSuites{Name: Tool, Time: "0"}
	index := map[string]int{}
	for i := range r.Results {
		res := &r.Results[i]
		family := cmp.Or(r.describe(res.Control.ID).Family, Tool)
		at, ok := index[family]
		if !ok {
			at = len(all.Suites)
			index[family] = at
			all.Suites = append(all.Suites, junitSuite{Name: family, Time: "0", Timestamp: r.GeneratedAt.UTC().Format(time.DateOnly + "T" + time.TimeOnly)})
		}
		s := &all.Suites[at]
		for _, c := range junitCases(res) {
			c.ClassName, c.Time = Tool+"."+family+"."+res.Control.ID, "0"
			switch {
			case c.Failure != nil:
				s.Failures++
				all.Failures++
			case c.Skipped != nil:
				s.Skipped++
			}
			s.Tests++
			all.Tests++
			s.Cases = append(s.Cases, c)
		}
	}
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return err
	}
	enc := xml.NewEncoder(w)
	enc.Indent("", "  ")
	if err := enc.Encode(all); err != nil {
		return err
	}
	_, err := io.WriteString(w, "\n")
	return err
}

// junitCases returns the cases of one control. Readers tell cases apart by
// class and name, so that no two of a control have the same name.
func junitCases(res *control.Result) []junitCase {
	var out []junitCase
	names := map[string]int{}
	add := func(c junitCase) {
		if names[c.Name]++; names[c.Name] > 1 {
			c.Name += fmt.Sprintf(" (%d)", names[c.Name])
		}
		out = append(out, c)
	}
	for i := range res.Findings {
		f := &res.Findings[i]
		c := junitCase{Name: caseName(f)}
		switch {
		case f.Exception != nil:
			c.Skipped = &junitSkipped{plain(f.Message) + ": " + accepted(f.Exception)}
		case f.Baseline == finding.Known:
			c.Skipped = &junitSkipped{plain(f.Message) + ": known, it stands in the baseline"}
		default:
			c.Failure = &junitFailure{plain(f.Message), f.Severity.String(), junitWords(res.Control, f)}
		}
		add(c)
	}
	for _, g := range res.Gaps {
		add(junitCase{Name: g.Subject.ID, Skipped: &junitSkipped{"unknown: " + plain(g.Why)}})
	}
	switch {
	case len(out) > 0 && res.Unread != "":
		add(junitCase{Name: res.Control.Title, Skipped: &junitSkipped{"unknown: " + plain(res.Unread)}})
	case len(out) > 0:
	case res.Verdict == finding.Pass:
		add(junitCase{Name: res.Control.Title})
	case res.Verdict == finding.NotApplicable:
		add(junitCase{Name: res.Control.Title, Skipped: &junitSkipped{"not applicable: " + cmp.Or(plain(res.Why), "the estate has no subject")}})
	default:
		add(junitCase{Name: res.Control.Title, Skipped: &junitSkipped{"unknown: " + plain(res.Why)}})
	}
	return out
}

// caseName names a finding by its subject and field.
func caseName(f *finding.Finding) string {
	if f.Field == "" {
		return f.Subject.ID
	}
	return f.Subject.ID + " " + fieldWords(f.Field)
}

// junitWords are what a reader sees who opens a failed case.
func junitWords(c *control.Control, f *finding.Finding) string {
	lines := []string{f.Severity.String() + ": " + plain(f.Message)}
	if f.Location != nil {
		lines = append(lines, "at "+f.Location.String())
	}
	lines = append(lines, "of "+caseName(f))
	lines = append(lines, f.Context...)
	if f.Owner != "" {
		lines = append(lines, "team "+f.Owner)
	}
	lines = append(lines, c.Title, "how to mend: "+Tool+" controls explain "+c.ID)
	return strings.Join(slices.Compact(lines), "\n")
}
