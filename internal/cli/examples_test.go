package cli_test

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// A verdict is what these tests read of a result of eksafe audit -o json.
type verdict struct {
	Control, Verdict, Why string
	Findings              []struct{ Field string }
}

// auditExample audits a folder of examples as a user does.
func auditExample(t *testing.T, args ...string) []verdict {
	t.Helper()
	var report struct{ Results []verdict }
	decode(t, append([]string{"audit", "-o", "json", "--fail-on", "never"}, args...), &report)
	if len(report.Results) == 0 {
		t.Fatalf("eksafe audit %s judges nothing", strings.Join(args, " "))
	}
	return report.Results
}

// decode runs eksafe at the root of the project and decodes what it prints.
func decode(t *testing.T, args []string, into any) {
	t.Helper()
	bin := t.TempDir()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(bin, "eksafe")
	if err := os.Symlink(self, program); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, args...)
	cmd.Dir = filepath.Join("..", "..")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("eksafe %s: %v\n%s", strings.Join(args, " "), err, stderr.String())
	}
	if err := json.Unmarshal(out, into); err != nil {
		t.Fatalf("eksafe %s: %v", strings.Join(args, " "), err)
	}
}

var rowRE = regexp.MustCompile(`^\| ([a-z0-9, -]+) \| (.+) \|$`)

// table returns the controls in the first column of the tables of a README,
// each with the rest of its row.
func table(t *testing.T, readme string) map[string]string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", readme))
	if err != nil {
		t.Fatal(err)
	}
	rows := map[string]string{}
	lines := strings.Split(string(text), "\n")
	for i, line := range lines {
		m := rowRE.FindStringSubmatch(line)
		if m == nil || strings.Trim(m[1], "- ") == "" || strings.HasPrefix(lines[i+1], "| ---") {
			continue
		}
		for id := range strings.SplitSeq(m[1], ", ") {
			if rows[id] != "" {
				t.Errorf("%s lists %s twice", readme, id)
			}
			rows[id] = m[2]
		}
	}
	return rows
}

// The README of the insecure shop lists what fails there, all of it and nothing
// else.
func TestInsecureShop(t *testing.T) {
	const readme = "examples/shop/insecure/README.md"
	listed := table(t, readme)
	for _, r := range auditExample(t, "examples/shop/insecure") {
		_, ok := listed[r.Control]
		delete(listed, r.Control)
		switch {
		case r.Verdict == "fail" && !ok:
			t.Errorf("%s fails, and %s does not list it", r.Control, readme)
		case r.Verdict != "fail" && ok:
			t.Errorf("%s is %s, and %s lists it as a failure", r.Control, r.Verdict, readme)
		}
	}
	for id := range listed {
		t.Errorf("%s lists %s, which is no control", readme, id)
	}
}

// In the secure shop nothing fails, with its eksafe.yaml and without, and its
// README says of everything that is not a pass what it is, and why.
func TestSecureShop(t *testing.T) {
	const readme = "examples/shop/secure/README.md"
	for _, args := range [][]string{
		{"examples/shop/secure"},
		{"--config", "examples/shop/secure/eksafe.yaml", "examples/shop/secure"},
	} {
		listed := table(t, readme)
		for _, r := range auditExample(t, args...) {
			verdict, why, _ := strings.Cut(listed[r.Control], " | ")
			delete(listed, r.Control)
			if args[0] == "--config" && strings.Contains(why, "with `--config`") {
				verdict = "" // the file decides, and the README says so
			}
			switch {
			case r.Verdict == "fail":
				t.Errorf("%s fails", r.Control)
			case r.Verdict == "pass" && verdict != "":
				t.Errorf("%s passes, and %s lists it as %s", r.Control, readme, verdict)
			case r.Verdict != "pass" && r.Verdict != verdict:
				t.Errorf("%s is %s (%s), and %s says %q", r.Control, r.Verdict, r.Why, readme, verdict)
			}
		}
		for id := range listed {
			t.Errorf("%s lists %s, which is no control", readme, id)
		}
	}
}

// Every family of controls finds something in the example account, and shows
// the field that proves it.
func TestAccount(t *testing.T) {
	var controls []struct{ ID, Family string }
	decode(t, []string{"controls", "list", "-o", "json"}, &controls)
	family := map[string]string{}
	var families []string
	for _, c := range controls {
		family[c.ID] = c.Family
		if !slices.Contains(families, c.Family) {
			families = append(families, c.Family)
		}
	}
	if len(families) < 9 {
		t.Fatalf("only the families %s", strings.Join(families, ", "))
	}
	shown := map[string]bool{}
	for _, r := range auditExample(t, "examples/account") {
		for _, f := range r.Findings {
			if f.Field != "" {
				shown[family[r.Control]] = true
			}
		}
	}
	readme := table(t, "examples/account/README.md")
	for _, f := range families {
		if !shown[f] {
			t.Errorf("family %s finds nothing in examples/account whose field it shows", f)
		}
		if readme[f] == "" {
			t.Errorf("examples/account/README.md does not say what family %s finds", f)
		}
	}
}
