package report

import (
	"cmp"
	"io"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/owenrumney/go-sarif/v3/pkg/report/v210/sarif"

	"github.com/eksafe/eksafe/internal/baseline"
	"github.com/eksafe/eksafe/internal/control"
	"github.com/eksafe/eksafe/internal/finding"
)

// informationURI is where readers of a SARIF file learn what made it.
const informationURI = "https://github.com/eksafe/eksafe"

// fingerprintKey names our fingerprint and its version among others' in
// partialFingerprints.
const fingerprintKey = "eksafe/v1"

// WriteSARIF writes the report as SARIF 2.1.0: controls are rules, findings are
// results of kind "fail". A control that could not judge is a notification of
// the run and no result: SARIF's kind "open" would say it too, but the common
// readers of SARIF show every result as a fault.
func (r *Report) WriteSARIF(w io.Writer) error {
	run := sarif.NewRunWithInformationURI(Tool, informationURI)
	run.Tool.Driver.Version = text0(r.ToolVersion)
	run.ColumnKind = text0("unicodeCodePoints")
	for i := range r.Results {
		run.Tool.Driver.Rules = append(run.Tool.Driver.Rules, r.rule(r.Results[i].Control))
	}
	index := map[string]int{}
	for i := range r.Results {
		index[r.Results[i].Control.ID] = i
		for j := range r.Results[i].Findings {
			run.Results = append(run.Results, sarifResult(&r.Results[i].Findings[j], i))
		}
	}
	if r.Baseline != nil {
		for _, e := range r.Baseline.Gone {
			run.Results = append(run.Results, absent(e, index[e.Control]))
		}
	}
	run.Invocations = []*sarif.Invocation{r.invocation()}
	out := sarif.NewReport()
	out.Schema = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
	out.AddRun(run)
	if err := out.PrettyWrite(w); err != nil {
		return err
	}
	_, err := io.WriteString(w, "\n")
	return err
}

// text0 returns a pointer to s, nil if s is empty: SARIF knows no empty names.
func text0(s string) *string {
	if s = strings.ToValidUTF8(s, "\ufffd"); s == "" {
		return nil
	}
	return &s
}

// placeholderRE finds what SARIF would replace by an argument.
var placeholderRE = regexp.MustCompile(`\{(\d+)\}`)

// message returns s as a message without placeholders and links: a name may
// hold either, and a viewer would follow it.
func message(s string) *sarif.Message {
	s = strings.ReplaceAll(strings.ToValidUTF8(s, "\ufffd"), "](", "] (")
	return sarif.NewMessage().WithText(placeholderRE.ReplaceAllString(s, "{{$1}}"))
}

// levels and scores are how readers of SARIF rank what we rank by severity. The
// scores lie within the bands that code scanning gives the same names.
var (
	levels = map[finding.Severity]string{
		finding.Critical: sarif.LevelError, finding.High: sarif.LevelError,
		finding.Medium: sarif.LevelWarning, finding.Low: sarif.LevelNote,
	}
	scores = map[finding.Severity]string{
		finding.Critical: "9.5", finding.High: "8.0", finding.Medium: "5.5", finding.Low: "2.0",
	}
)

func (r *Report) rule(c *control.Control) *sarif.ReportingDescriptor {
	d := r.describe(c.ID)
	rule := sarif.NewReportingDescriptor()
	rule.ID = text0(c.ID)
	rule.Name = text0(c.ID)
	rule.DeprecatedIds = c.Formerly
	rule.ShortDescription = sarif.NewMultiformatMessageString().WithText(strings.ToValidUTF8(c.Title, "\ufffd"))
	var help strings.Builder
	help.WriteString(cmp.Or(strings.TrimSpace(d.Prose), c.Title))
	if len(c.Refs) > 0 {
		help.WriteString("\n\n### Where it is written down\n\n")
		for _, ref := range c.Refs {
			help.WriteString("- " + refWords(ref))
			if ref.URL != "" {
				help.WriteString(": <" + ref.URL + ">")
			}
			help.WriteByte('\n')
		}
	}
	words := strings.ToValidUTF8(strings.TrimSpace(help.String()), "\ufffd")
	rule.Help = sarif.NewMultiformatMessageString().WithText(words).WithMarkdown(words)
	rule.HelpURI = text0(d.URL)
	if d.URL == "" && len(c.Refs) > 0 {
		rule.HelpURI = text0(c.Refs[0].URL)
	}
	rule.DefaultConfiguration = sarif.NewReportingConfiguration().WithLevel(levels[c.Severity])
	tags := []string{"security"}
	if d.Family != "" {
		tags = append(tags, d.Family)
	}
	rule.Properties = sarif.NewPropertyBag().WithTags(tags)
	rule.Properties.Add("security-severity", scores[c.Severity])
	return rule
}

// refWords returns a citation in words: "AWS FSBP ELB.1, Application Load …".
func refWords(ref control.Ref) string {
	words := strings.TrimSpace(string(ref.Source) + " " + ref.Section)
	if ref.Title != "" && ref.Title != ref.Section {
		words += ", " + ref.Title
	}
	return words
}

func sarifResult(f *finding.Finding, rule int) *sarif.Result {
	res := sarif.NewResult()
	res.RuleID = text0(f.Control)
	res.RuleIndex = rule
	res.Level = levels[f.Severity]
	words := plain(f.Message)
	if len(f.Context) > 0 {
		words += " (" + strings.Join(f.Context, "; ") + ")"
	}
	res.Message = message(words)
	res.PartialFingerprints = map[string]string{fingerprintKey: f.Fingerprint}
	at := sarif.NewLocation()
	if f.Location != nil {
		at.PhysicalLocation = physical(f.Location.File, f.Location.Line)
	}
	subject := sarif.NewLogicalLocation()
	subject.Name, subject.FullyQualifiedName, subject.Kind = text0(f.Subject.Name), text0(f.Subject.ID), text0("resource")
	at.LogicalLocations = append(at.LogicalLocations, subject)
	res.Locations = append(res.Locations, at)
	res.Properties = sarif.NewPropertyBag()
	res.Properties.Add("severity", f.Severity.String())
	if f.Owner != "" {
		res.Properties.Add("owner", strings.ToValidUTF8(f.Owner, "\ufffd"))
	}
	switch f.Baseline {
	case finding.New:
		res.BaselineState = text0("new")
	case finding.Known:
		res.BaselineState = text0("unchanged")
	}
	if x := f.Exception; x != nil {
		s := sarif.NewSuppression().WithKind("external").WithStatus("accepted").WithJustification(strings.ToValidUTF8(accepted(x), "\ufffd"))
		if strings.HasPrefix(x.Source, "annotation ") {
			s.WithKind("inSource")
		}
		res.Suppressions = append(res.Suppressions, s)
	}
	if f.Field != "" {
		res.Properties.Add("field", strings.ToValidUTF8(f.Field, "\ufffd"))
	}
	return res
}

// absent is a finding of the baseline that is gone. Its kind is "pass", for the
// common readers of SARIF show every result of another kind as a fault.
func absent(e baseline.Entry, rule int) *sarif.Result {
	res := sarif.NewResult()
	res.RuleID, res.RuleIndex = text0(e.Control), rule
	res.Kind, res.Level = "pass", sarif.LevelNone
	res.BaselineState = text0("absent")
	res.Message = message("gone since the baseline was written")
	res.PartialFingerprints = map[string]string{fingerprintKey: e.Fingerprint}
	subject := sarif.NewLogicalLocation()
	subject.FullyQualifiedName, subject.Kind = text0(e.Subject), text0("resource")
	at := sarif.NewLocation()
	at.LogicalLocations = append(at.LogicalLocations, subject)
	res.Locations = append(res.Locations, at)
	return res
}

func physical(file string, line int) *sarif.PhysicalLocation {
	artifact := sarif.NewArtifactLocation()
	artifact.URI = text0(fileURI(file))
	p := sarif.NewPhysicalLocation().WithArtifactLocation(artifact)
	if line > 0 {
		p.Region = sarif.NewRegion().WithStartLine(line)
	}
	return p
}

// fileURI returns file as a URI reference: relative as it was given.
func fileURI(file string) string {
	u := url.URL{Path: filepath.ToSlash(file)}
	if strings.HasPrefix(u.Path, "/") {
		u.Scheme = "file"
	}
	return u.String()
}

// invocation tells how the run went: what could not be judged and what of the
// input was left out.
func (r *Report) invocation() *sarif.Invocation {
	inv := sarif.NewInvocation()
	ok, end := true, r.GeneratedAt.UTC().Format(time.RFC3339)
	inv.ExecutionSuccessful, inv.EndTimeUtc = &ok, &end
	for i := range r.Results {
		res := &r.Results[i]
		if res.Verdict != finding.Unknown {
			continue
		}
		n := sarif.NewNotification().WithLevel(sarif.LevelWarning).WithMessage(message("unknown: " + plain(res.Why)))
		n.AssociatedRule = sarif.NewReportingDescriptorReference()
		n.AssociatedRule.ID, n.AssociatedRule.Index = text0(res.Control.ID), i
		inv.ToolExecutionNotifications = append(inv.ToolExecutionNotifications, n)
	}
	for _, s := range r.sources() {
		for _, p := range s.Problems {
			words := p.What
			if p.Remedy != "" {
				words += "; " + p.Remedy
			}
			n := sarif.NewNotification().WithLevel(sarif.LevelWarning).WithMessage(message("left out: " + words))
			if p.File != "" {
				at := sarif.NewLocation()
				at.PhysicalLocation = physical(p.File, p.Line)
				n.Locations = append(n.Locations, at)
			}
			inv.ToolExecutionNotifications = append(inv.ToolExecutionNotifications, n)
		}
	}
	for _, m := range r.remarks() {
		for _, words := range append([]string{m.About}, m.Lines...) {
			words = strings.ToLower(m.Title) + ": " + plain(words)
			inv.ToolConfigurationNotifications = append(inv.ToolConfigurationNotifications,
				sarif.NewNotification().WithLevel(sarif.LevelNote).WithMessage(message(words)))
		}
	}
	return inv
}
