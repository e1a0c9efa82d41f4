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
	Excepted // it fails, and somebody accepted every finding
)

var verdictNames = [...]string{"unknown", "notApplicable", "pass", "fail", "excepted"}

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
	Owner       string     `json:"owner,omitempty"` // the team that answers for the subject
	Exception   *Exception `json:"exception,omitempty"`
	Baseline    Standing   `json:"baseline,omitempty"`
	// Part names the element of a list that Field leads into, where it has a
	// name: a position says nothing of who stands there.
	Part string `json:"-"`
}

// Decides reports whether the finding decides the outcome of an audit: nobody
// accepted it, and it was not there when the baseline was written.
func (f *Finding) Decides() bool { return f.Exception == nil && f.Baseline != Known }

// An Exception says who accepted a finding, until when, and why.
type Exception struct {
	Reason  string `json:"reason"`
	Owner   string `json:"owner,omitempty"`
	Expires string `json:"expires"` // the last day on which it holds
	Source  string `json:"source"`  // where it is written: "eksafe.yaml:12", "the annotation of deployment/shop/web"
}

// A Standing says how a finding stands to a baseline; the zero value is that
// there is none.
type Standing string

const (
	New   Standing = "new"
	Known Standing = "known"
)

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
// control, subject, field and the names of what the field leads through, without
// list positions, lines and messages, so it survives moved lines, re-ordered
// files and lists, and better wording. Findings that agree in all of them are
// numbered in the order of their positions: one that is added at the end of a
// list leaves the others their numbers.
func SetFingerprints(findings []Finding) {
	inOrder := make([]*Finding, len(findings)) // a finding is long, and is not moved
	for i := range findings {
		inOrder[i] = &findings[i]
	}
	slices.SortStableFunc(inOrder, func(a, b *Finding) int {
		return cmp.Or(a.Subject.Compare(b.Subject), comparePaths(a.Field, b.Field), cmp.Compare(a.Message, b.Message))
	})
	seen := make(map[string]int, len(findings))
	for _, f := range inOrder {
		field := f.Field
		if strings.Contains(field, "[") {
			field = indexRE.ReplaceAllString(field, "[]")
		}
		key := f.Control + "\x00" + f.Subject.ID + "\x00" + field + "\x00" + f.Part
		n := seen[key]
		seen[key]++
		sum := sha256.Sum256(fmt.Appendf(nil, "%s\x00%d", key, n))
		f.Fingerprint = hex.EncodeToString(sum[:10])
	}
}

// comparePaths orders field paths as documents have them: [9] before [10].
func comparePaths(a, b string) int {
	for a != "" && b != "" {
		n, m := digits(a), digits(b)
		if n == 0 || m == 0 {
			if a[0] != b[0] {
				return cmp.Compare(a[0], b[0])
			}
			a, b = a[1:], b[1:]
			continue
		}
		x, y := strings.TrimLeft(a[:n], "0"), strings.TrimLeft(b[:m], "0")
		if c := cmp.Or(cmp.Compare(len(x), len(y)), cmp.Compare(x, y), cmp.Compare(n, m)); c != 0 {
			return c
		}
		a, b = a[n:], b[m:]
	}
	return cmp.Compare(len(a), len(b))
}

// digits returns how many digits s begins with.
func digits(s string) int {
	n := 0
	for n < len(s) && '0' <= s[n] && s[n] <= '9' {
		n++
	}
	return n
}

// A Gap is one subject that could not be judged, and why.
type Gap struct {
	Subject estate.Ref `json:"subject"`
	Why     string     `json:"why"`
}
