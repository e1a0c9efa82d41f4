package report_test

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/eksafe/eksafe/internal/finding"
	"github.com/eksafe/eksafe/internal/report"
	"github.com/eksafe/eksafe/internal/report/reporttest"
)

func junitOf(t *testing.T, r *report.Report) []byte {
	t.Helper()
	return written(t, func(b *bytes.Buffer) error { return r.WriteJUnit(b) })
}

func TestJUnit(t *testing.T) {
	golden(t, "shop.junit.xml", junitOf(t, reporttest.Shop()))
	golden(t, "empty.junit.xml", junitOf(t, reporttest.Empty()))
	golden(t, "reviewed.junit.xml", junitOf(t, reporttest.Reviewed("the team's own words")))
}

func TestJUnitMeetsItsSchema(t *testing.T) {
	reports := map[string]*report.Report{"shop": reporttest.Shop(), "empty": reporttest.Empty(), "big": reporttest.Big(30), "zero": {}}
	for name, hostile := range hostileNames {
		reports[name] = reporttest.Hostile(hostile)
		reports[name+" reviewed"] = reporttest.Reviewed(hostile)
	}
	reports["control characters"] = reporttest.Hostile("\x00\x07\x1b[31m]]>\ufffe\xff\"'<&")
	for name, r := range reports {
		t.Run(name, func(t *testing.T) {
			if err := junitSchema.check(junitOf(t, r)); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestJUnitCountsWhatDecides(t *testing.T) {
	r := reporttest.Reviewed("words")
	deciding, accepted := 0, 0
	for i := range r.Results {
		for j := range r.Results[i].Findings {
			switch f := &r.Results[i].Findings[j]; {
			case f.Decides():
				deciding++
			case f.Exception != nil || f.Baseline == finding.Known:
				accepted++
			}
		}
	}
	out := string(junitOf(t, r))
	if got := strings.Count(out, "<failure "); got != deciding || deciding == 0 {
		t.Errorf("%d failures, want %d", got, deciding)
	}
	if accepted == 0 || !strings.Contains(out, "accepted until 2027-01-31") || !strings.Contains(out, "it stands in the baseline") {
		t.Error("what was accepted or known is not skipped with its reason")
	}
}

// junitRule is one element of the schema that Jenkins publishes for JUnit
// reports (junit-10.xsd of its xUnit plugin, looked up on 2026-11-25), as far
// as we write it: nothing else may stand in a report.
type junitRule struct {
	attributes map[string]*regexp.Regexp // all of them required
	children   []string                  // in this order, each any number of times
	text       bool
	atMost     map[string]int
}

type junitRules map[string]junitRule

var (
	anyText = regexp.MustCompile(`(?s)^.+$`)
	number  = regexp.MustCompile(`^[0-9]+$`)
	seconds = regexp.MustCompile(`^[0-9]+(\.[0-9]+)?$`)
	// without a time zone: the schema of Ant's JUnit task takes no other
	moment = regexp.MustCompile(`^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}$`)
)

var junitSchema = junitRules{
	"testsuites": {attributes: map[string]*regexp.Regexp{"name": anyText, "tests": number, "failures": number, "errors": number, "time": seconds}, children: []string{"testsuite"}},
	"testsuite": {attributes: map[string]*regexp.Regexp{"name": anyText, "tests": number, "failures": number, "errors": number, "skipped": number, "time": seconds, "timestamp": moment},
		children: []string{"testcase"}},
	"testcase": {attributes: map[string]*regexp.Regexp{"name": anyText, "classname": anyText, "time": seconds}, children: []string{"skipped", "failure"}, atMost: map[string]int{"skipped": 1, "failure": 1}},
	"skipped":  {attributes: map[string]*regexp.Regexp{"message": anyText}},
	"failure":  {attributes: map[string]*regexp.Regexp{"message": anyText, "type": regexp.MustCompile(`^(low|medium|high|critical)$`)}, text: true},
}

// check holds a document against the rules, and the counts against what is
// counted.
func (s junitRules) check(document []byte) error {
	type open struct {
		name     string
		at       int // the child that came last
		children map[string]int
		counts   map[string]int // failures, skipped and cases below
		says     map[string]string
	}
	d := xml.NewDecoder(bytes.NewReader(document))
	stack := []*open{{name: "", children: map[string]int{}, counts: map[string]int{}}}
	cases := map[string]bool{}
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		top := stack[len(stack)-1]
		switch e := token.(type) {
		case xml.StartElement:
			name := e.Name.Local
			rule, ok := s[name]
			if !ok {
				return errors.New("an element " + name)
			}
			if top.name == "" && name != "testsuites" {
				return errors.New("the root is " + name)
			}
			if top.name != "" {
				at := slices.Index(s[top.name].children, name)
				if at < top.at {
					return errors.New(name + " may not stand here in " + top.name)
				}
				top.at = at
			}
			if top.children[name]++; s[top.name].atMost[name] != 0 && top.children[name] > s[top.name].atMost[name] {
				return errors.New("too many " + name)
			}
			o := &open{name: name, children: map[string]int{}, counts: map[string]int{}, says: map[string]string{}}
			for _, a := range e.Attr {
				if re := rule.attributes[a.Name.Local]; re == nil || !re.MatchString(a.Value) {
					return errors.New(name + " has " + a.Name.Local + "=" + strconv.Quote(a.Value))
				}
				o.says[a.Name.Local] = a.Value
			}
			if len(e.Attr) != len(rule.attributes) {
				return errors.New(name + " lacks an attribute")
			}
			if name == "testcase" {
				key := o.says["classname"] + "\x00" + o.says["name"]
				if cases[key] {
					return errors.New("two cases " + key)
				}
				cases[key] = true
			}
			stack = append(stack, o)
		case xml.CharData:
			if !s[top.name].text && len(bytes.TrimSpace(e)) > 0 {
				return errors.New("text in " + top.name)
			}
		case xml.EndElement:
			stack = stack[:len(stack)-1]
			parent := stack[len(stack)-1]
			switch top.name {
			case "testcase":
				parent.counts["tests"]++
			case "failure":
				parent.counts["failures"]++
			case "skipped":
				parent.counts["skipped"]++
			}
			for what, n := range top.counts {
				if says, ok := top.says[what]; ok && says != strconv.Itoa(n) {
					return errors.New(top.name + " says " + what + "=" + says)
				}
				parent.counts[what] += n
			}
		}
	}
	if stack[0].children["testsuites"] != 1 {
		return errors.New("no testsuites")
	}
	return nil
}

// A schema that forbids nothing would accept the report too.
func TestJUnitSchemaRefuses(t *testing.T) {
	good := string(junitOf(t, reporttest.Shop()))
	for old, bad := range map[string]string{
		`<failure `:       `<fault `,
		`type="critical"`: `type="fatal"`,
		` timestamp="`:    ` when="`,
		`</testsuites>`:   `<testcase name="a" classname="b" time="0"></testcase></testsuites>`,
		`<skipped `:       `text <skipped `,
		` failures="`:     ` failures="1`,
	} {
		changed := strings.Replace(good, old, bad, 1)
		changed = strings.Replace(changed, "</failure>", "</"+strings.TrimSpace(strings.Trim(bad, "<"))+">", map[bool]int{true: 1}[bad == "<fault "])
		if changed == good {
			t.Fatalf("no %q in the report", old)
		}
		if junitSchema.check([]byte(changed)) == nil {
			t.Errorf("%q is accepted", bad)
		}
	}
}
