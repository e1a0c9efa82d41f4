package own

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"cel.dev/cel-go/common/types"
	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"

	"github.com/eksafe/eksafe/internal/config"
	"github.com/eksafe/eksafe/internal/control"
	"github.com/eksafe/eksafe/internal/control/proof"
	"github.com/eksafe/eksafe/internal/estate"
	"github.com/eksafe/eksafe/internal/trace"
)

var now = time.Date(2026, time.November, 23, 6, 0, 0, 0, time.UTC)

func free(string) string { return "" }

// ask returns what an expression says of an item: "true", "false", or the error.
func ask(t *testing.T, kind estate.Kind, object any, expression string) string {
	t.Helper()
	info, err := estate.KindOf(kind)
	if err != nil {
		t.Fatal(err)
	}
	env, err := newEnvironment(info, nil)
	if err != nil {
		t.Fatal(err)
	}
	p, faults := env.compile(expression, types.BoolType)
	if len(faults) > 0 {
		t.Fatalf("%s: %v", expression, faults)
	}
	out, err := p.run(estate.Item{Object: object}, nil, now)
	if err != nil {
		return err.Error()
	}
	return fmt.Sprint(out.Value())
}

// An attribute that nobody knows must never look like one that is safe: only
// where its value cannot change the answer there is one.
func TestWhatIsNotKnownIsNeverAnAnswer(t *testing.T) {
	t.Parallel()
	const unknown = "self.storageEncrypted is not known; read it live (--aws, --kube)"
	for expression, want := range map[string]string{
		"self.storageEncrypted":                            unknown,
		"!self.storageEncrypted":                           unknown,
		"has(self.storageEncrypted)":                       unknown,
		"!has(self.storageEncrypted)":                      unknown,
		"!has(self.storageEncrypted) || true":              "true",
		"self.?storageEncrypted.orValue(true)":             unknown,
		"self.?storageEncrypted.hasValue()":                unknown,
		"self.storageEncrypted == true":                    unknown,
		"self.storageEncrypted != true":                    unknown,
		"self.storageEncrypted in [true, false]":           unknown,
		"[self.storageEncrypted].exists(x, x)":             unknown,
		"[true, self.storageEncrypted].exists(x, x)":       unknown,
		"size([self.storageEncrypted]) == 1":               unknown,
		"self.storageEncrypted ? true : true":              unknown,
		"true ? true : self.storageEncrypted":              "true",
		"self.storageEncrypted || true":                    "true",
		"true || self.storageEncrypted":                    "true",
		"self.storageEncrypted && false":                   "false",
		"self.storageEncrypted || false":                   unknown,
		"dyn(self).storageEncrypted == true":               unknown,
		"self == self":                                     "self.*not known.*",
		"self in [self]":                                   "self.*not known.*",
		"!(self in [self])":                                "self.*not known.*",
		"[1].all(x, x == 2 && self.storageEncrypted)":      "false",
		"[1, 2].all(x, x == 1 || self.storageEncrypted)":   unknown,
		"type(self.storageEncrypted) == bool":              unknown,
		"cel.bind(x, self.storageEncrypted, true || x)":    "true",
		"cel.bind(x, self.storageEncrypted, x)":            unknown,
		"{'a': self.storageEncrypted}.exists(k, k == 'a')": unknown,
	} {
		got := ask(t, "DBInstance", &estate.DBInstance{}, expression)
		if prefix, rest, loose := strings.Cut(want, ".*"); loose {
			if strings.HasPrefix(got, prefix) && strings.Contains(got, strings.TrimSuffix(rest, ".*")) {
				continue
			}
		}
		if got != want {
			t.Errorf("%s: %s, want %s", expression, got, want)
		}
	}
	known := &estate.DBInstance{StorageEncrypted: estate.Known(true)}
	for _, expression := range []string{"self.storageEncrypted", "has(self.storageEncrypted)", "self.?storageEncrypted.orValue(false)"} {
		if got := ask(t, "DBInstance", known, expression); got != "true" {
			t.Errorf("%s of what is known: %s", expression, got)
		}
	}
}

func TestKubernetesObjectsAreThoseOfTheirManifest(t *testing.T) {
	t.Parallel()
	w := &estate.Workload{Controller: "Deployment"}
	w.Name, w.Namespace, w.Labels = "web", "shop", map[string]string{"team": "red"}
	w.Template.Spec.Containers = []corev1.Container{{Name: "web", Image: "shop/web:1"}}
	for expression, want := range map[string]string{
		"self.metadata.labels.team == 'red'":                                                 "true",
		"'owner' in self.metadata.labels":                                                    "false",
		"self.metadata.?labels.?owner.orValue('') == ''":                                     "true",
		"has(self.template.spec.automountServiceAccountToken)":                               "false",
		"self.template.spec.automountServiceAccountToken":                                    "self.template.spec.automountServiceAccountToken is not set; ask first, with has(self.template.spec.automountServiceAccountToken)",
		"self.template.spec.containers.all(c, c.image.startsWith('shop/'))":                  "true",
		"self.template.spec.containers.all(c, !has(c.securityContext))":                      "true",
		"self.template.spec.containers[0].?securityContext.?privileged.orValue(false)":       "false",
		"self.template.spec.containers[7].image == ''":                                       "index out of bounds: 7",
		"self.template.spec.hostNetwork":                                                     "false",
		"size(self.template.spec.volumes) == 0":                                              "true",
		"now - self.metadata.creationTimestamp > duration('1h')":                             "self.metadata.creationTimestamp is not set; ask first, with has(self.metadata.creationTimestamp)",
		"self.template.spec.containers.all(c, !('memory' in c.resources.limits))":            "true",
		"self.metadata.name.matches('^[a-z]+$') && self.metadata.name.upperAscii() == 'WEB'": "true",
	} {
		if got := ask(t, "Workload", w, expression); got != want {
			t.Errorf("%s: %s, want %s", expression, got, want)
		}
	}
}

// Every kind of the estate can be judged: all of its types have a form.
func TestEveryKindIsDeclared(t *testing.T) {
	t.Parallel()
	for _, k := range estate.Kinds() {
		env, err := newEnvironment(k, []estate.KindInfo{k})
		if err != nil {
			t.Errorf("%s: %v", k.Kind, err)
			continue
		}
		if _, faults := env.compile(fmt.Sprintf("size(%s) > 0 && self == self", k.Kind), types.BoolType); len(faults) > 0 {
			t.Errorf("%s: %v", k.Kind, faults)
		}
	}
	// and every resource of the secure estate can be compared with itself, which
	// looks at all of its fields.
	w, err := proof.Secure()
	if err != nil {
		t.Fatal(err)
	}
	e, err := w.Estate()
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range estate.Kinds() {
		for _, item := range k.Items(e) {
			if got := ask(t, k.Kind, item.Object, "self == self"); got != "true" && !strings.Contains(got, "is not known") {
				t.Errorf("%s: %s", item.Ref, got)
			}
		}
	}
}

const label = `# Controls of Acme.
- id: acme-team-label
  title: Every workload of an application says whose it is
  severity: low
  kind: Workload
  where: self.metadata.namespace == 'shop-prod'
  pass: |
    'team' in self.metadata.labels
  message: it has no label team
  messageExpression: "'the team of ' + self.metadata.name + ' is not said'"
  field: metadata.labels[team]
  refs:
    - {title: Handbook 7, url: "https://handbook.example.com/7"}
  estate: empty
  cases:
    fail/no-label: |
      deployment/shop-prod/web:
        spec.template.spec.containers: [{name: web, image: web}]
      # want at deployment/shop-prod/web metadata.labels[team] "the team of web is not said"
    pass/labelled: |
      deployment/shop-prod/web:
        metadata.labels: {team: red}
        spec.template.spec.containers: [{name: web, image: web}]
    notApplicable/elsewhere: |
      deployment/other/web:
        spec.template.spec.containers: [{name: web, image: web}]
`

func TestAControlIsProvedByItsCases(t *testing.T) {
	t.Parallel()
	controls, err := Parse("acme.yaml", []byte(label), free)
	if err != nil {
		t.Fatal(err)
	}
	c := controls[0]
	if flaws := c.Prove(); len(flaws) > 0 {
		t.Errorf("%+v", flaws)
	}
	if len(c.Cases()) != 3 || c.Line != 2 || c.Refs[0].URL != "https://handbook.example.com/7" {
		t.Errorf("%+v", c)
	}
	// The same cases must refute a control that is wrong.
	for was, is := range map[string]string{
		"'team' in self.metadata.labels\n":              "true\n",
		"field: metadata.labels[team]":                  "field: metadata.labels",
		"is not said'\"":                                "is unknown'\"",
		"where: self.metadata.namespace == 'shop-prod'": "where: self.metadata.namespace != ''",
	} {
		wrong, err := Parse("acme.yaml", []byte(strings.Replace(label, was, is, 1)), free)
		if err != nil {
			t.Fatal(err)
		}
		flaws := wrong[0].Prove()
		if len(flaws) == 0 {
			t.Errorf("%q instead of %q is proved", is, was)
			continue
		}
		if flaws[0].Line < 16 {
			t.Errorf("the flaw stands in line %d", flaws[0].Line)
		}
	}
}

// What an own control cannot know is unknown in a run like everywhere else.
func TestUnknownInARun(t *testing.T) {
	t.Parallel()
	controls, err := Parse("acme.yaml", []byte(`
id: acme-encrypted
title: Storage is encrypted
severity: high
kind: DBInstance
also: [Key]
pass: self.storageEncrypted && Key.exists(k, k.enableKeyRotation)
`), free)
	if err != nil {
		t.Fatal(err)
	}
	e := &estate.Estate{}
	estate.DBInstances.Add(e, &estate.DBInstance{})
	read := func(kinds ...estate.Kind) {
		s := estate.Source{Kind: estate.AWSSource}
		for _, k := range kinds {
			s.Coverage = append(s.Coverage, estate.Coverage{Kind: k, State: estate.Read})
		}
		e.Sources = []estate.Source{s}
	}
	run := func() control.Result {
		return control.Run(trace.New(e), []*control.Control{controls[0].Control}, now, nil)[0]
	}
	read("DBInstance")
	if r := run(); r.Verdict.String() != "unknown" || r.Why != "AWS was not asked (add --aws)" {
		t.Errorf("without keys: %s %s", r.Verdict, r.Why)
	}
	read("DBInstance", "Key")
	if r := run(); r.Verdict.String() != "fail" { // no key rotates, whatever the storage is
		t.Errorf("no key: %s %s", r.Verdict, r.Why)
	}
	estate.Keys.Add(e, &estate.Key{EnableKeyRotation: estate.Known(true)})
	if r := run(); r.Verdict.String() != "unknown" || !strings.Contains(r.Why, "self.storageEncrypted is not known") {
		t.Errorf("not known: %s %s", r.Verdict, r.Why)
	}
}

// Each is a file and every line that must be said of it.
func TestMistakesHaveTheirPlace(t *testing.T) {
	t.Parallel()
	const head = "id: acme-x\ntitle: X\nseverity: low\nkind: DBInstance\n"
	for name, tt := range map[string]struct{ file, want string }{
		"plain":          {head + "pass: self.storageEncryptd\n", "f.yaml:5:11: undefined field 'storageEncryptd'"},
		"literal":        {head + "pass: |\n  true &&\n    self.nope\n", "f.yaml:7:9: undefined field 'nope'"},
		"single quotes":  {head + "pass: 'self.engine == ''x'' && nope'\n", "f.yaml:5:32: undeclared reference to 'nope'"},
		"double quotes":  {head + `pass: "self.engine == \"x\" && nope"` + "\n", "f.yaml:5:32: undeclared reference to 'nope'"},
		"plain of lines": {head + "pass: self.storageEncrypted &&\n   nope\n", "f.yaml:6:4: undeclared reference to 'nope'"},
		"folded":         {head + "pass: >\n  self.storageEncrypted &&\n  nope\n", "f.yaml:7:3: undeclared reference to 'nope'"},
		"type":           {head + "pass: self.engine == 1\n", "f.yaml:5:19: found no matching overload for '_==_' applied to '(string, int)'"},
		"no truth":       {head + "pass: self.engine\n", "f.yaml:5:7: it gives text, and must give true or false"},
		"syntax":         {head + "pass: self.engine ==\n", "f.yaml:5:"},
		"a kind of also": {head + "pass: Key.exists(k, true)\n", "f.yaml:5:7: undeclared reference to 'Key'; declare it: also: [Key]"},
		"regex":          {head + "pass: self.engine.matches('(')\n", "f.yaml:5:27: invalid matches argument"},
		"unbounded":      {head + "pass: self.engine.replace('a', 'b') == ''\n", "the function replace is not offered"},
		"a secret":       {strings.Replace(head, "DBInstance", "Workload", 1) + "pass: self.template.spec.containers.all(c, c.args == [])\n", "f.yaml:5:45: undefined field 'args': arguments never enter the estate"},
		"kind":           {strings.Replace(head, "DBInstance", "Deployment", 1) + "pass: 'true'\n", "f.yaml:4:7: the estate has no kind \"Deployment\"; use Workload, with where: self.controller == 'Deployment'"},
		"truth value":    {head + "pass: true\n", "f.yaml:5:7: text is expected here; write it in quotes"},
		"unknown key":    {head + "pass: 'true'\npas: 'x'\n", "f.yaml:6:1: a control has no key \"pas\""},
		"missing":        {"id: acme-x\n", "f.yaml:1:1: no \"title\""},
		"ID":             {strings.Replace(head, "acme-x", "Acme X", 1) + "pass: 'true'\n", "f.yaml:1:5: \"Acme X\" is no ID of a control"},
		"severity":       {strings.Replace(head, "low", "grave", 1) + "pass: 'true'\n", "f.yaml:3:11: \"grave\" is no severity"},
		"twice":          {head + "pass: 'true'\n---\n" + head + "pass: 'true'\n", "f.yaml:7:5: control \"acme-x\" stands twice, first in line 1"},
		"case":           {head + "pass: 'true'\ncases:\n  wrong/x: |\n    a: b\n", "f.yaml:7:3: wrong/x: a case is fail/"},
		"case in a line": {head + "pass: 'true'\ncases:\n  pass/x: {}\n", "text is expected here"},
		"link":           {head + "pass: 'true'\nrefs: [{title: x, url: 'javascript:alert(1)'}]\n", "f.yaml:6:24: \"javascript:alert(1)\" is no address of a page"},
		"alias":          {head + "pass: &a 'true'\nmessage: *a\n", "anchors and aliases are not read"},
		"nothing":        {"# nothing\n", "f.yaml:1: the file has no control"},
		"no YAML":        {"a: [b", "f.yaml:1: it is no YAML"},
		"too deep":       {head + "pass: \"" + strings.Repeat("(", 500) + "true" + strings.Repeat(")", 500) + "\"\n", "f.yaml:5:"},
		"too large":      {head + "pass: \"" + strings.Repeat("true || ", 2000) + "true\"\n", "f.yaml:5:"},
		"loops":          {head + "pass: '[1].all(a, [1].all(b, [1].all(c, [1].all(d, [1].all(e, true)))))'\n", "f.yaml:5:"},
	} {
		_, err := Parse("f.yaml", []byte(tt.file), free)
		var mistakes *config.Error
		if !errors.As(err, &mistakes) {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got := strings.Join(mistakes.Lines(), "\n"); !strings.Contains(got, tt.want) {
			t.Errorf("%s:\n%s\nwant %s", name, got, tt.want)
		}
	}
	_, err := Parse("f.yaml", []byte(head+"pass: 'true'\n"), func(id string) string { return "a control of eksafe" })
	if err == nil || err.Error() != `f.yaml:1:5: the ID "acme-x" is taken by a control of eksafe; give it a prefix of your own: acme-acme-x` {
		t.Errorf("%v", err)
	}
}

// All mistakes are said at once.
func TestAllMistakesAtOnce(t *testing.T) {
	t.Parallel()
	_, err := Parse("f.yaml", []byte("- id: acme-a\n  title: A\n  severity: low\n  kind: Key\n  where: self.a\n  pass: self.b && self.c\n- id: acme-b\n"), free)
	var mistakes *config.Error
	if !errors.As(err, &mistakes) {
		t.Fatal(err)
	}
	var lines []int
	for _, m := range mistakes.Mistakes {
		lines = append(lines, m.Line)
	}
	if diff := cmp.Diff([]int{5, 6, 6, 7, 7, 7, 7}, lines); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// An expression that does too much ends, and is no answer.
func TestCostIsBounded(t *testing.T) {
	t.Parallel()
	w := &estate.Workload{}
	for i := range 300 {
		w.Template.Spec.Containers = append(w.Template.Spec.Containers, corev1.Container{Name: fmt.Sprint(i)})
	}
	got := ask(t, "Workload", w, "self.template.spec.containers.all(a, self.template.spec.containers.all(b, self.template.spec.containers.all(c, a.name + b.name != c.name + 'x')))")
	if got != "the expression does too much for one subject; make it simpler" {
		t.Error(got)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(label))
	f.Add([]byte("id: acme-x\ntitle: X\nseverity: low\nkind: Key\npass: \"a\\u0041 == '''\"\n"))
	f.Add([]byte("- id: [\n---\n- &a *a\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		controls, err := Parse("f.yaml", data, free)
		var mistakes *config.Error
		if (err == nil) != (len(controls) > 0) || err != nil && !errors.As(err, &mistakes) {
			t.Errorf("%d controls and error %v", len(controls), err)
		}
	})
}

func FuzzExpression(f *testing.F) {
	for _, seed := range []string{"self.metadata.name == ''", "self.template.spec.containers.all(c, has(c.securityContext))", "'a'.matches(self.controller)", "[[1]].exists(x, x[0] == 1)", "cel.bind(x, 1, x / 0 == 1)"} {
		f.Add(seed)
	}
	kind, err := estate.KindOf("Workload")
	if err != nil {
		f.Fatal(err)
	}
	env, err := newEnvironment(kind, nil)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text string) {
		p, faults := env.compile(text, types.BoolType)
		if (p == nil) != (len(faults) > 0) {
			t.Fatalf("%q: %v and %v", text, p, faults)
		}
		if p != nil {
			if out, err := p.run(estate.Item{Object: &estate.Workload{}}, nil, now); (out == nil) == (err == nil) {
				t.Errorf("%q: %v and %v", text, out, err)
			}
		}
	})
}
