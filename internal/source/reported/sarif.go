package reported

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strconv"
	"strings"

	"github.com/eksafe/eksafe/internal/estate"
)

// The part of SARIF 2.1.0 that is read.
type (
	sarifLog struct {
		Version string            `json:"version"`
		Runs    bounded[sarifRun] `json:"runs"`
	}
	sarifRun struct {
		Tool struct {
			Driver     sarifComponent          `json:"driver"`
			Extensions bounded[sarifComponent] `json:"extensions"`
		} `json:"tool"`
		Artifacts bounded[struct {
			Location sarifArtifact `json:"location"`
		}] `json:"artifacts"`
		Results    bounded[sarifResult] `json:"results"`
		Properties struct {
			ImageName   string   `json:"imageName"`
			RepoDigests []string `json:"repoDigests"`
		} `json:"properties"`
	}
	sarifComponent struct {
		Name  string             `json:"name"`
		Rules bounded[sarifRule] `json:"rules"`
	}
	sarifRule struct {
		ID               string       `json:"id"`
		Name             string       `json:"name"`
		ShortDescription sarifMessage `json:"shortDescription"`
		HelpURI          string       `json:"helpUri"`
		Default          struct {
			Level string `json:"level"`
		} `json:"defaultConfiguration"`
		Properties struct {
			// A number in quotation marks, or without.
			Score json.RawMessage `json:"security-severity"`
		} `json:"properties"`
	}
	sarifMessage struct {
		Text string `json:"text"`
	}
	sarifArtifact struct {
		URI   string `json:"uri"`
		Index *int   `json:"index"`
	}
	sarifResult struct {
		RuleID    string `json:"ruleId"`
		RuleIndex *int   `json:"ruleIndex"`
		Rule      struct {
			ID    string `json:"id"`
			Index *int   `json:"index"`
			Tool  struct {
				Index *int `json:"index"`
			} `json:"toolComponent"`
		} `json:"rule"`
		Kind          string                 `json:"kind"`
		Level         string                 `json:"level"`
		Message       sarifMessage           `json:"message"` // only the facts of a vulnerability are taken from it
		BaselineState string                 `json:"baselineState"`
		Locations     bounded[sarifLocation] `json:"locations"`
		Suppressions  bounded[struct {
			Status string `json:"status"`
		}] `json:"suppressions"`
		GUID         string            `json:"guid"`
		Fingerprints map[string]string `json:"partialFingerprints"`
	}
	sarifLocation struct {
		Physical struct {
			Artifact sarifArtifact `json:"artifactLocation"`
			Region   struct {
				StartLine int `json:"startLine"`
			} `json:"region"`
		} `json:"physicalLocation"`
		Logical bounded[struct {
			Name          string `json:"name"`
			QualifiedName string `json:"fullyQualifiedName"`
		}] `json:"logicalLocations"`
	}
)

func (r *reader) readSARIF(data []byte) error {
	var log sarifLog
	if err := json.Unmarshal(data, &log); err != nil {
		return err
	}
	if !strings.HasPrefix(log.Version, "2.1") {
		return fmt.Errorf("is SARIF %q; only 2.1.0 is read", clip(log.Version))
	}
	for i := range log.Runs {
		run := &log.Runs[i]
		if run.Tool.Driver.Name == "" {
			return fmt.Errorf("run %d: no tool.driver.name; export it again", i+1)
		}
		for j := range run.Results {
			if err := r.sarifResult(run, &run.Results[j]); err != nil {
				return fmt.Errorf("run %d, result %d: %w", i+1, j+1, err)
			}
		}
	}
	return nil
}

// at returns the element of a list that a file names by number, nil if it has
// none.
func at[T any](list []T, index *int) *T {
	if index == nil || *index < 0 || *index >= len(list) {
		return nil
	}
	return &list[*index]
}

func (run *sarifRun) rule(res *sarifResult) (string, *sarifRule) {
	id := cmp.Or(res.RuleID, res.Rule.ID)
	component := &run.Tool.Driver
	if x := at(run.Tool.Extensions, res.Rule.Tool.Index); x != nil {
		component = x
	}
	index := res.RuleIndex
	if index == nil {
		index = res.Rule.Index
	}
	if rule := at(component.Rules, index); rule != nil {
		return cmp.Or(id, rule.ID), rule
	}
	for i := range component.Rules {
		if component.Rules[i].ID == id && id != "" {
			return id, &component.Rules[i]
		}
	}
	return id, &sarifRule{}
}

func (r *reader) sarifResult(run *sarifRun, res *sarifResult) error {
	switch res.Kind {
	case "", "fail", "open", "review":
	default: // it passed, or does not apply
		return nil
	}
	if res.BaselineState == "absent" {
		return nil
	}
	for _, s := range res.Suppressions {
		if s.Status == "" || s.Status == "accepted" {
			return nil
		}
	}
	id, rule := run.rule(res)
	if id == "" {
		return errors.New("no rule is named; export it again")
	}
	f := &estate.ReportedFinding{
		Id: res.GUID, Product: clip(run.Tool.Driver.Name), Rule: clip(id),
		Title:    clip(cmp.Or(rule.ShortDescription.Text, rule.Name, id)),
		Severity: sarifSeverity(rule, res.Level), URL: web(rule.HelpURI),
	}
	if vulnerability(f.Rule) {
		f.Package, f.Fixed = packageOf(res.Message.Text)
	}
	if run.Properties.ImageName != "" {
		f.Resources = append(append(f.Resources, run.Properties.ImageName), run.Properties.RepoDigests...)
	}
	for _, l := range res.Locations {
		artifact := l.Physical.Artifact
		if x := at(run.Artifacts, artifact.Index); artifact.URI == "" && x != nil {
			artifact = x.Location
		}
		if file := fileOf(artifact.URI); file != "" && f.File == "" {
			f.File, f.Line = file, max(0, l.Physical.Region.StartLine)
		}
		for _, logical := range l.Logical {
			f.Resources = append(f.Resources, cmp.Or(logical.QualifiedName, logical.Name))
		}
	}
	return r.add(f)
}

// sarifSeverity goes by the score of the rule, as code scanning does, else by
// the level.
func sarifSeverity(rule *sarifRule, level string) string {
	score, err := strconv.ParseFloat(strings.Trim(string(rule.Properties.Score), `"`), 64)
	if err == nil {
		return scored(score)
	}
	switch cmp.Or(level, rule.Default.Level, "warning") {
	case "error":
		return "high"
	case "warning":
		return "medium"
	case "note":
		return "low"
	}
	return ""
}

// scored names a score of 0 to 10.
func scored(score float64) string {
	switch {
	case score >= 9:
		return "critical"
	case score >= 7:
		return "high"
	case score >= 4:
		return "medium"
	case score > 0:
		return "low"
	}
	return ""
}

// fileOf returns the path that a URI reference names, "" for what is no file.
func fileOf(uri string) string {
	u, err := url.Parse(uri)
	if err != nil || u.Scheme != "" && u.Scheme != "file" || len(u.Path) > 4096 {
		return ""
	}
	return u.Path
}

var vulnerabilityRE = regexp.MustCompile(`^(CVE-\d{4}-\d{4,}|GHSA(-[0-9a-z]{4}){3})$`)

// vulnerability reports whether a rule is a vulnerability that many tools know
// by one name.
func vulnerability(rule string) bool { return vulnerabilityRE.MatchString(rule) }

var (
	packageRE = regexp.MustCompile(`(?m)^Package: ([A-Za-z0-9][A-Za-z0-9@/._+:-]*)$`)
	fixedRE   = regexp.MustCompile(`(?m)^Fixed Version: ([0-9A-Za-z][0-9A-Za-z.~+:-]*)$`)
)

// packageOf reads the package and the version that mends it from a message as
// Trivy writes it: SARIF has no place of its own for them.
func packageOf(message string) (name, fixed string) {
	if m := packageRE.FindStringSubmatch(message); m != nil {
		name = clip(m[1])
	}
	if m := fixedRE.FindStringSubmatch(message); m != nil {
		fixed = clip(m[1])
	}
	return name, fixed
}
