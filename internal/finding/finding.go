// Package finding defines what the analyses hand to reports and fixes:
// findings, verdicts and severities. It judges nothing itself.
package finding

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/eksafe/eksafe/internal/estate"
)

// A Severity ranks findings.
type Severity int

const (
	Low Severity = iota + 1
	Medium
	High
	Critical
)

// Severities lists all severities, the worst first.
var Severities = []Severity{Critical, High, Medium, Low}

var severityNames = [...]string{Low: "low", Medium: "medium", High: "high", Critical: "critical"}

func (s Severity) String() string {
	if s < Low || s > Critical {
		return fmt.Sprintf("severity %d", int(s))
	}
	return severityNames[s]
}

// MarshalText returns the name.
func (s Severity) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads a name.
func (s *Severity) UnmarshalText(text []byte) error {
	i := slices.Index(severityNames[:], string(text))
	if i < int(Low) {
		return fmt.Errorf("unknown severity %q; use low, medium, high or critical", text)
	}
	*s = Severity(i)
	return nil
}

// A Verdict is the outcome of one control on one estate.
type Verdict int

const (
	Unknown       Verdict = iota // the zero value: not judged is never a pass
	NotApplicable                // the estate has no subject
	Pass
	Fail
)

var verdictNames = [...]string{"unknown", "notApplicable", "pass", "fail"}

func (v Verdict) String() string { return verdictNames[v] }

// MarshalText returns the name as reports write it.
func (v Verdict) MarshalText() ([]byte, error) { return []byte(v.String()), nil }

// UnmarshalText reads a name.
func (v *Verdict) UnmarshalText(text []byte) error {
	i := slices.Index(verdictNames[:], string(text))
	if i < 0 {
		return fmt.Errorf("unknown verdict %q", text)
	}
	*v = Verdict(i)
	return nil
}

// A Location is a place in a file; the zero value is none.
type Location struct {
	File string `json:"file"`
	Line int    `json:"line"`
}

func (l Location) String() string {
	if l.Line == 0 {
		return l.File
	}
	return fmt.Sprintf("%s:%d", l.File, l.Line)
}

// A Finding is one subject that misses one control at one field.
type Finding struct {
	Fingerprint string     `json:"fingerprint"`
	Control     string     `json:"-"` // ID; in JSON the finding stands under its control
	Subject     estate.Ref `json:"subject"`
	Field       string     `json:"field,omitempty"` // path within the subject, in the subject's own words
	Message     string     `json:"message"`
	Severity    Severity   `json:"severity"`          // of the requirement, raised or lowered by exposure
	Context     []string   `json:"context,omitempty"` // why the severity, in words
	Location    *Location  `json:"location,omitempty"`
	Fixable     bool       `json:"fixable"`
}

// Compare orders findings: the worst first, then by control, subject, field
// and message.
func Compare(a, b Finding) int {
	return cmp.Or(
		cmp.Compare(b.Severity, a.Severity),
		cmp.Compare(a.Control, b.Control),
		a.Subject.Compare(b.Subject),
		cmp.Compare(a.Field, b.Field),
		cmp.Compare(a.Message, b.Message),
	)
}

var indexRE = regexp.MustCompile(`\[\d+\]`)

// SetFingerprints gives each finding of one control its identity. It is made of
// control, subject and field, without list positions and without lines, so it
// survives moved lines, re-ordered files and better wording. Findings that
// agree in all three are numbered in the order of their messages.
func SetFingerprints(findings []Finding) {
	slices.SortStableFunc(findings, func(a, b Finding) int {
		return cmp.Or(a.Subject.Compare(b.Subject), cmp.Compare(a.Field, b.Field), cmp.Compare(a.Message, b.Message))
	})
	seen := map[string]int{}
	for i := range findings {
		f := &findings[i]
		field := f.Field
		if strings.Contains(field, "[") {
			field = indexRE.ReplaceAllString(field, "[]")
		}
		key := f.Control + "\x00" + f.Subject.ID + "\x00" + field
		n := seen[key]
		seen[key]++
		sum := sha256.Sum256(fmt.Appendf(nil, "%s\x00%d", key, n))
		f.Fingerprint = hex.EncodeToString(sum[:10])
	}
}

// A Gap is one subject that could not be judged, and why.
type Gap struct {
	Subject estate.Ref `json:"subject"`
	Why     string     `json:"why"`
}
