package manifest

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"
	"golang.org/x/tools/txtar"
	corev1 "k8s.io/api/core/v1"

	"github.com/eksafe/eksafe/internal/estate"
	"github.com/eksafe/eksafe/internal/source/kubeobject"
	"github.com/eksafe/eksafe/internal/source/reported"
)

// folder writes the files of a txtar archive and makes their folder the
// working directory.
func folder(t *testing.T, archive string) {
	t.Helper()
	dir := t.TempDir()
	for _, f := range txtar.Parse([]byte(archive)).Files {
		p := filepath.Join(dir, f.Name)
		if err := os.MkdirAll(filepath.Dir(p), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, f.Data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	t.Chdir(dir)
}

// describe writes what was read, one line a thing.
func describe(r *Result) string {
	var out []string
	for _, s := range r.Estate.Sources {
		out = append(out, "source "+s.Name)
		for _, p := range s.Problems {
			out = append(out, "problem "+p.String())
		}
		for _, i := range s.Ignored {
			out = append(out, fmt.Sprintf("ignored %s %s %d", i.APIVersion, i.Kind, i.Count))
		}
	}
	at := func(o *estate.Origin) string { return fmt.Sprintf(" %s:%d", o.File, o.Line) }
	for _, w := range estate.Workloads.In(r.Estate) {
		out = append(out, estate.Workloads.Ref(w).ID+at(&w.Origin))
	}
	for _, s := range estate.Services.In(r.Estate) {
		out = append(out, estate.Services.Ref(s).ID+at(&s.Origin))
	}
	for _, c := range estate.ConfigMaps.In(r.Estate) {
		out = append(out, estate.ConfigMaps.Ref(c).ID+at(&c.Origin))
	}
	for _, f := range r.Others {
		out = append(out, string(f.Content)+" "+f.Name)
	}
	return strings.Join(out, "\n")
}

func readAll(t *testing.T, stdin io.Reader, paths ...string) *Result {
	t.Helper()
	r, err := Read(context.Background(), paths, stdin)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

const pod = "apiVersion: v1\nkind: Pod\nmetadata: {name: %s}\n"

func TestRead(t *testing.T) {
	for _, test := range []struct{ name, archive, paths, want string }{
		{"folder", `
-- k8s/b/two.yml --
apiVersion: v1
kind: Service
metadata: {name: two}
-- k8s/a.yaml --
# Source: chart/templates/a.yaml
---
# a comment

apiVersion: v1
kind: Pod
metadata: {name: one}
---
---
# nothing but a comment
---
apiVersion: example.com/v1
kind: Widget
metadata: {name: w}
--- # the last
apiVersion: v1
kind: Pod
metadata:
  name: three
  namespace: shop
-- k8s/.hidden/x.yaml --
apiVersion: v1
kind: Pod
metadata: {name: hidden}
-- k8s/.x.yaml --
broken: [
-- k8s/values.yaml --
replicas: 3
-- k8s/notes.txt --
nothing
`, "k8s", `source k8s
ignored example.com/v1 Widget 1
pod/default/one k8s/a.yaml:5
pod/shop/three k8s/a.yaml:16
service/default/two k8s/b/two.yml:1`},
		{"a broken document costs nothing else", `
-- a.yaml --
apiVersion: v1
kind: Pod
metadata: {name: one}
---
apiVersion: v1
kind: Pod
metadata: {name: "two
---
apiVersion: v1
kind: Pod
metadata: {name: three, nam: x}
---
apiVersion: v1
kind: Pod
metadata:
	name: four
---
apiVersion: v1
kind: Service
metadata: {name: five}
spec:
  ports:
  - port: canary
---
apiVersion: v1
Kind: Pod
metadata: {name: six}
spec: {}
---
apiVersion: v1
kind: Pod
metadata: {name: seven}
metadata: {name: eight}
---
just text
`, "a.yaml", `source a.yaml
problem a.yaml:7: not valid YAML: found unexpected end of stream; close the quote or bracket, or restore the rest of the file
problem a.yaml:11: unknown field "metadata.nam"; check the spelling: the API server drops it
problem a.yaml:16: not valid YAML: found character that cannot start any token; indent with spaces, not tabs
problem a.yaml:22: Service: spec.ports.port: wrong type: an integer is expected; mend the field; the object was left out
problem a.yaml:25: an object without kind; add kind; a field name is case-sensitive
problem a.yaml:33: the key "metadata" stands twice; remove one: the API server refuses it, and the last was taken here
problem a.yaml:35: not a Kubernetes object but plain text; a manifest has apiVersion and kind
pod/default/one a.yaml:1
pod/default/three a.yaml:9
pod/default/eight a.yaml:30`},
		{"lists", `
-- a.yaml --
apiVersion: v1
kind: List
items:
- apiVersion: v1
  kind: Pod
  metadata: {name: one}
- apiVersion: v1
  kind: List
  items:
  - apiVersion: v1
    kind: Pod
    metadata: {name: two}
- text
---
apiVersion: v1
kind: ConfigMapList
items:
- metadata: {name: three}
---
apiVersion: example.com/v1
kind: WidgetList
items: []
-- b.json --
{
  "kind": "List", "apiVersion": "v1",
  "items": [
    {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "four"}},
    {
      "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "five"}}
  ]
}
{"apiVersion": "v1", "kind": "Pod",
 "metadata": {"name": "six", "name2": "x"}}
`, "a.yaml b.json", `source a.yaml
problem a.yaml:13: an item of a List that is not an object; remove it
ignored example.com/v1 WidgetList 1
source b.json
problem b.json:10: unknown field "metadata.name2"; check the spelling: the API server drops it
pod/default/one a.yaml:4
pod/default/two a.yaml:10
pod/default/four b.json:4
pod/default/five b.json:5
pod/default/six b.json:9
configmap/default/three a.yaml:18`},
		{"other sources", `
-- d/cfn.yaml --
Resources:
  Db:
    Type: AWS::RDS::DBInstance
    Properties: {Name: !Ref X}
-- d/cfn.json --
{"AWSTemplateFormatVersion": "2010-09-09", "Resources": {}}
-- d/plan.json --
{"format_version": "1.2", "terraform_version": "1.9", "planned_values": {}}
-- d/pod.yaml --
apiVersion: v1
kind: Pod
metadata: {name: one}
`, "d", `source d
pod/default/one d/pod.yaml:1
cloudformation d/cfn.json
cloudformation d/cfn.yaml
terraform d/plan.json`},
		{"templates alone are no source", `
-- d/cfn.yaml --
AWSTemplateFormatVersion: "2010-09-09"
`, "d", `cloudformation d/cfn.yaml`},
		{"helm", `
-- d/chart/Chart.yaml --
name: x
-- d/chart/templates/a.yaml --
{{ if .Values.x }}
-- d/loose.yaml --
apiVersion: v1
kind: Pod
metadata:
  name: {{ .Values.name }}
---
apiVersion: v1
kind: Pod
metadata:
  {{- include "x" . }}
-- d/pod.yaml --
apiVersion: v1
kind: Pod
metadata: {name: one}
`, "d", `source d
problem d/chart: this is a Helm chart; render it: helm template d/chart | eksafe audit -
problem d/loose.yaml:4: this is a Helm template; render it: helm template CHART | eksafe audit -
pod/default/one d/pod.yaml:1`},
		{"terraform", `
-- d/main.tf --
resource "aws_lb" "web" {}
-- d/more.tf.json --
{"resource": {}}
-- d/pod.yaml --
apiVersion: v1
kind: Pod
metadata: {name: one}
`, "d", `source d
problem d: a Terraform configuration is not read; plan it, and audit the plan: terraform plan -out plan && terraform show -json plan | eksafe audit -
pod/default/one d/pod.yaml:1`},
		{"globs", `
-- d/a.yaml --
apiVersion: v1
kind: Pod
metadata: {name: one}
-- d/x/y/b.yaml --
apiVersion: v1
kind: Pod
metadata: {name: two}
-- d/x/c.txt --
apiVersion: v1
kind: Pod
metadata: {name: three}
`, "d/*.yaml d/**/b.yaml d/x/?.txt", `source d/*.yaml
source d/**/b.yaml
source d/x/?.txt
pod/default/one d/a.yaml:1
pod/default/two d/x/y/b.yaml:1
pod/default/three d/x/c.txt:1`},
		{"kustomize", `
-- d/base/kustomization.yaml --
resources: [deployment.yaml]
-- d/base/deployment.yaml --
# comment
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - name: main
        image: x
-- d/prod/kustomization.yaml --
namePrefix: prod-
namespace: shop
resources: [../base]
patches:
- path: patch.yaml
configMapGenerator:
- name: c
  literals: [A=b]
-- d/prod/patch.yaml --
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec: {replicas: 3}
-- d/prod/unused.yaml --
apiVersion: v1
kind: Pod
metadata: {name: stray}
-- d/remote/kustomization.yaml --
resources:
- https://github.com/example/x?ref=v1
-- d/clone/kustomization.yaml --
resources:
- github.com/example/x
-- d/missing/kustomization.yaml --
resources: [nothing.yaml]
`, "d", `source d
problem d/clone/kustomization.yaml:2: a remote resource; eksafe fetches nothing; build it: kustomize build d/clone | eksafe audit -
problem d/missing/kustomization.yaml:1: a resource that does not exist; mend the path
problem d/remote/kustomization.yaml:2: a remote resource; eksafe fetches nothing; build it: kustomize build d/remote | eksafe audit -
pod/default/stray d/prod/unused.yaml:1
deployment/shop/prod-web d/base/deployment.yaml:2
configmap/shop/prod-c-b9t2424hkf d/prod/kustomization.yaml:1`},
		{"anchors and merges", `
-- a.yaml --
apiVersion: v1
kind: Pod
metadata: &m
  name: one
  labels: &l {a: b}
spec:
  nodeSelector:
    <<: *l
    c: "yes"
  hostNetwork: yes
`, "a.yaml", `source a.yaml
pod/default/one a.yaml:1`},
	} {
		t.Run(test.name, func(t *testing.T) {
			folder(t, test.archive)
			r := readAll(t, nil, strings.Fields(test.paths)...)
			if diff := cmp.Diff(test.want, describe(r)); diff != "" {
				t.Errorf("read (-want +got):\n%s", diff)
			}
		})
	}
}

func TestStdin(t *testing.T) {
	r := readAll(t, strings.NewReader("\xef\xbb\xbf---\r\napiVersion: v1\r\nkind: Pod\r\nmetadata:\r\n  name: one\r\n"), "-", "-")
	if got, want := describe(r), "source -\npod/default/one stdin:2"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// What can be read in no part is an error of one line that says what to do.
func TestErrors(t *testing.T) {
	folder(t, `
-- empty/notes.txt --
nothing
-- truncated.yaml --
apiVersion: v1
kind: "Pod
-- truncated.json --
{"apiVersion": "v1",
 "kind":
-- other.yaml --
a: b
-- zero.yaml --
`)
	if err := os.WriteFile("binary.yaml", []byte("\x7fELF\x00\x01\x02"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile("latin1.yaml", []byte("apiVersion: v1\nkind: Pod\nmetadata: {name: caf\xe9}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	bomb := "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\na0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
	for i := 1; i < 12; i++ {
		bomb += fmt.Sprintf("a%d: &a%d [%s]\n", i, i, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*a%d, ", i-1), 10), ", "))
	}
	if err := os.WriteFile("bomb.yaml", []byte(bomb), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile("cycle.yaml", []byte("apiVersion: v1\nkind: ConfigMap\nmetadata: &m {name: a, labels: *m}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	brackets := func(n int) string { return strings.Repeat("[", n) + strings.Repeat("]", n) }
	for name, content := range map[string]string{
		"deep.sarif": "{\"version\": \"2.1.0\",\n\"runs\": " + brackets(10_000) + "}",
		"deep.json":  "{\"version\": \"2.1.0\",\n\"runs\": " + brackets(10_000) + "}",
		"deep.yaml":  "a:\n- b: " + brackets(10_001) + "\n",
		"most.json":  "{\"a\": " + brackets(9_999) + "}",
		"most.yaml":  "a:\n- b: " + brackets(10_000) + "\n",
		"quote.yaml": "a: *exceeded-max-depth\nb: exceeded max depth\n",
	} {
		if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, test := range []struct{ path, want string }{
		{"deep.sarif", "no manifest could be read: deep.sarif:2: nested more than 10000 deep, which is the limit; flatten it"},
		{"deep.json", "no manifest could be read: deep.json:2: nested more than 10000 deep, which is the limit; flatten it"},
		{"deep.yaml", "no manifest could be read: deep.yaml:2: nested more than 10000 deep, which is the limit; flatten it"},
		{"most.json", "no manifest could be read: no Kubernetes object in most.json; it needs apiVersion and kind"},
		{"most.yaml", "no manifest could be read: no Kubernetes object in most.yaml; it needs apiVersion and kind"},
		{"quote.yaml", "no manifest could be read: quote.yaml:1: not valid YAML: unknown anchor; mend the document; the others of the file were read"},
		{"missing.yaml", "reading missing.yaml: no such file or folder; check the path"},
		{"missing/*.yaml", "reading missing/*.yaml: no such file or folder; check the path"},
		{"empty/*.yaml", "reading empty/*.yaml: no file matches; check the pattern"},
		{"empty", "no manifest could be read: no manifests in empty; name a folder with *.yaml, *.yml or *.json files"},
		{"truncated.yaml", "no manifest could be read: truncated.yaml:2: not valid YAML: found unexpected end of stream; close the quote or bracket, or restore the rest of the file"},
		{"truncated.json", "no manifest could be read: truncated.json:3: JSON that ends too early; the file seems truncated; restore the rest of it"},
		{"other.yaml", "no manifest could be read: no Kubernetes object in other.yaml; it needs apiVersion and kind"},
		{"zero.yaml", "no manifest could be read: no Kubernetes object in zero.yaml; it needs apiVersion and kind"},
		{"binary.yaml", "no manifest could be read: binary.yaml: not text; name a YAML or JSON file in UTF-8"},
		{"latin1.yaml", "no manifest could be read: latin1.yaml:3: not UTF-8; save the file as UTF-8"},
		{"bomb.yaml", "no manifest could be read: bomb.yaml:1: aliases expand to many times the document; write it out"},
		{"cycle.yaml", "no manifest could be read: cycle.yaml:1: nested more than 100 deep; write it out"},
		{"-", "no manifest could be read: no Kubernetes object in standard input; it needs apiVersion and kind"},
	} {
		_, err := Read(context.Background(), []string{test.path}, strings.NewReader(""))
		if err == nil || err.Error() != test.want {
			t.Errorf("%s: error %v, want %s", test.path, err, test.want)
		}
	}
}

// repeat yields a text again and again, up to a size.
type repeat struct {
	text string
	left int
}

func (r *repeat) Read(p []byte) (int, error) {
	if r.left <= 0 {
		return 0, io.EOF
	}
	n := copy(p, r.text[:min(len(r.text), r.left)])
	r.left -= n
	return n, nil
}

func TestHugeInput(t *testing.T) {
	const size = 200 << 20
	for _, test := range []struct{ text, want string }{
		{strings.Repeat("a", 1000), "stdin:1: a document of more than 16 MB"},
		{"- " + strings.Repeat("a", 1000) + "\n", "stdin:1: a document of more than 16 MB"},
		{strings.Repeat("[", 1000), "stdin:1: a document of more than 64 MB"},
	} {
		_, err := Read(context.Background(), []string{"-"}, &repeat{strings.Repeat(test.text, 64), size})
		if err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%.5q: error %v, want one with %q", test.text, err, test.want)
		}
	}
}

// What has too many findings is for package reported to refuse: how to split
// manifests helps nobody there.
func TestHugeFindings(t *testing.T) {
	in := io.MultiReader(strings.NewReader(`{"version":"2.1.0","runs":[{"results":[`), &repeat{strings.Repeat(`{"ruleId":"r"},`, 64), 200 << 20})
	r, err := Read(context.Background(), []string{"-"}, in)
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Others) != 1 || r.Others[0].Content != Findings {
		t.Fatalf("there are %d other files", len(r.Others))
	}
	if _, err := reported.Read("stdin", r.Others[0].Data); err == nil || !strings.Contains(err.Error(), "has more than 100 MB") {
		t.Errorf("reading them says %v", err)
	}
}

func TestCancel(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := Read(ctx, []string{"-"}, strings.NewReader(fmt.Sprintf(pod, "a"))); err == nil {
		t.Error("no error after the context was cancelled")
	}
}

// A folder cannot make eksafe read what lies outside it.
func TestLinksOut(t *testing.T) {
	folder(t, `
-- secret/a.yaml --
apiVersion: v1
kind: Pod
metadata: {name: outside}
-- d/b.yaml --
apiVersion: v1
kind: Pod
metadata: {name: inside}
-- d/..data/c.yaml --
apiVersion: v1
kind: Pod
metadata: {name: mounted}
`)
	for _, link := range [][2]string{{"../secret/a.yaml", "d/a.yaml"}, {"../secret", "d/folder"}, {"..data/c.yaml", "d/c.yaml"}, {"nowhere", "d/n.yaml"}} {
		if err := os.Symlink(link[0], link[1]); err != nil {
			t.Fatal(err)
		}
	}
	want := "source d\npod/default/inside d/b.yaml:1\npod/default/mounted d/c.yaml:1"
	if diff := cmp.Diff(want, describe(readAll(t, nil, "d"))); diff != "" {
		t.Errorf("read (-want +got):\n%s", diff)
	}
}

// located is every field of a YAML node with its line.
func fieldLines(n *yaml.Node, path string, out map[string]int) {
	switch n.Kind {
	case yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			key := n.Content[i]
			at := path + "." + key.Value
			if strings.ContainsAny(key.Value, "./") {
				at = path + "[" + key.Value + "]"
			}
			at = strings.TrimPrefix(at, ".")
			out[at] = key.Line
			fieldLines(n.Content[i+1], at, out)
		}
	case yaml.SequenceNode:
		for i, item := range n.Content {
			at := fmt.Sprintf("%s[%d]", path, i)
			out[at] = item.Line
			fieldLines(item, at, out)
		}
	}
}

const sample = `

# two comments

apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: web
  annotations:
    alb.ingress.kubernetes.io/scheme: internet-facing

    alb.ingress.kubernetes.io/listen-ports: |
      [{"HTTP": 80},
       {"HTTPS": 443}]
spec:
  rules:
  - host: a.example.com
    http:
      paths: [{path: /, pathType: Prefix, backend: {service: {name: a, port: {number: 80}}}},
        {path: /b, pathType: Prefix,
         backend: {service: {name: b, port: {number: 80}}}}]
  -
    host: b.example.com
  tls:
  - hosts:
    - a.example.com
`

// Every field of a document is found at its line of the file, alone, after
// other documents, and within a List.
func TestPositions(t *testing.T) {
	var root yaml.Node
	if err := yaml.Unmarshal([]byte(sample), &root); err != nil {
		t.Fatal(err)
	}
	want := map[string]int{}
	fieldLines(root.Content[0], "", want)
	indented := strings.ReplaceAll(sample, "\n", "\n    ")
	for _, test := range []struct {
		name, text string
		shift      int
	}{
		{"alone", sample, 0},
		{"after another", fmt.Sprintf(pod, "x") + "---" + sample, 3},
		{"after one that is ignored", "---\napiVersion: a/v1\nkind: B\n---" + sample, 3},
		{"in a list", "apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: Pod, metadata: {name: x}}\n-" + indented, 4},
	} {
		r := readAll(t, strings.NewReader(test.text), "-")
		items := estate.Ingresses.In(r.Estate)
		if len(items) != 1 {
			t.Fatalf("%s: %d ingresses, %v", test.name, len(items), r.Estate.Sources[0].Problems)
		}
		for field, line := range want {
			if file, got := items[0].Origin.Locate(field); got != line+test.shift || file != "stdin" {
				t.Errorf("%s: %s at %s:%d, want line %d", test.name, field, file, got, line+test.shift)
			}
		}
	}
}

func TestPositionsOfJSON(t *testing.T) {
	text := `{"apiVersion": "v1",
 "kind": "List", "items":
 [{"apiVersion": "v1", "kind": "Service",
   "metadata": {"name": "a", "annotations": {
     "service.beta.kubernetes.io/aws-load-balancer-scheme": "internal"}},
   "spec": {"ports": [{"port": 80},
     {"name": "b",
      "port": 81}], "type": "LoadBalancer",
     "selector": {}, "externalIPs": [], "clusterIP": "None"
 }}]}`
	r := readAll(t, strings.NewReader(text), "-")
	o := &estate.Services.In(r.Estate)[0].Origin
	for field, want := range map[string]int{
		"": 3, "kind": 3, "metadata": 4, "metadata.annotations[service.beta.kubernetes.io/aws-load-balancer-scheme]": 5, "spec": 6,
		"spec.ports[0].port": 6, "spec.ports[1]": 7, "spec.ports[1].name": 7, "spec.ports[1].port": 8, "spec.type": 8, "spec.selector": 9, "spec.clusterIP": 9, "spec.none": 6,
	} {
		if _, got := o.Locate(field); got != want {
			t.Errorf("%q at line %d, want %d", field, got, want)
		}
	}
}

// Plain scalars are read as kubectl reads them, by YAML 1.1.
func TestScalars(t *testing.T) {
	for in, want := range map[string]string{
		"": "null", "~": "null", "null": "null", "yes": "true", "On": "true", "off": "false", "n": "false", "nope": `"nope"`,
		"0644": "420", "0o644": "420", "0x1F": "31", "12": "12", "-5": "-5", "+5": "5", "1_000": "1000", "0": "0", "00": "0", "08": "8",
		"1.50": "1.5", "1e3": "1000", ".5": "0.5", "1.": "1", "1.2.3": `"1.2.3"`, "10.0.0.0/8": `"10.0.0.0/8"`, "18446744073709551615": "18446744073709551615",
		"2026-01-01": `"2026-01-01"`, "-": `"-"`, "500m": `"500m"`, `a"b\`: `"a\"b\\"`, "12345678901234567890123": "1.2345678901234568e+22",
	} {
		got, err := appendPlain(nil, in)
		if err != nil || string(got) != want {
			t.Errorf("%q gives %s, %v; want %s", in, got, err, want)
		}
	}
	for _, in := range []string{".inf", "-.Inf", ".nan"} {
		if _, err := appendPlain(nil, in); err == nil {
			t.Errorf("%q gives no error", in)
		}
	}
}

func TestMerge(t *testing.T) {
	r := readAll(t, strings.NewReader(`
apiVersion: v1
kind: Pod
metadata: {name: a}
spec:
  nodeSelector: &n {a: "1", b: "2"}
  containers:
  - &c {name: one, image: x, ports: [{containerPort: 1}]}
  - {<<: *c, name: two}
  - <<: [{name: three, image: z}, *c]
  overhead: {}
`), "-")
	var got []string
	for _, c := range estate.Workloads.In(r.Estate)[0].Template.Spec.Containers {
		got = append(got, fmt.Sprint(c.Name, c.Image, len(c.Ports)))
	}
	if diff := cmp.Diff([]string{"onex1", "twox1", "threez1"}, got); diff != "" {
		t.Errorf("containers (-want +got):\n%s", diff)
	}
}

func TestClassify(t *testing.T) {
	for text, want := range map[string]Content{
		"apiVersion: v1\nkind: Pod\n":                           Kubernetes,
		"---\n# x\nAWSTemplateFormatVersion: 2010-09-09\n":      CloudFormation,
		`{"Resources": {"A": {"Type": "AWS::S3::Bucket"}}}`:     CloudFormation,
		`{"terraform_version": "1", "planned_values": {}}`:      TerraformPlan,
		`{"terraform_version": "1", "values": {}}`:              TerraformPlan,
		`{"apiVersion": "v1", "kind": "Pod"}`:                   Kubernetes,
		`{"schemaVersion": "eksafe.dev/snapshot/v1"}`:           Snapshot,
		"\x28\xb5\x2f\xfdxxxx":                                  Snapshot,
		"a: b\n":                                                Other,
		"":                                                      Other,
		"Resources:\n  A: {Type: 'AWS::S3::Bucket'}\nkind: x\n": Kubernetes,
	} {
		if got := Classify([]byte(text)); got != want {
			t.Errorf("%q is %s, want %s", text, got, want)
		}
	}
}

// A kind is ignored without a parse only where the parser finds it too.
func ignoredKindHolds(t *testing.T, doc []byte) {
	apiVersion, kind, ok := ignoredKind(doc)
	if !ok {
		return
	}
	if _, known := kubeobject.Known(apiVersion, kind); known {
		t.Fatalf("%s %s is judged", apiVersion, kind)
	}
	d := yaml.NewDecoder(strings.NewReader(string(doc)))
	for {
		var root yaml.Node
		if decodeNode(d, &root) != nil {
			return
		}
		if len(root.Content) != 1 || root.Content[0].Kind != yaml.MappingNode {
			continue
		}
		version, name := child(root.Content[0], "apiVersion").Value, child(root.Content[0], "kind").Value
		if _, known := kubeobject.Known(version, name); known {
			t.Fatalf("%s %s hides behind %s %s", version, name, apiVersion, kind)
		}
		if _, isList := listKind(version, name); isList {
			t.Fatalf("%s %s hides behind %s %s", version, name, apiVersion, kind)
		}
	}
}

var skipSeeds = []string{
	"apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata:\n  name: x\nspec:\n  a: |\n    kind: Pod\n",
	"a: \"\nkind: B\napiVersion: c\n\"\nkind: Pod\napiVersion: v1\n",
	"# c\u2028kind: Pod\u2028apiVersion: v1\nkind: B\napiVersion: c\n",
	"apiVersion: c\nkind: B\n...\nkind: Pod\napiVersion: v1\n",
	"  kind: Pod\n  apiVersion: v1\n  a: 'x\nkind: B\napiVersion: c\n  '\n",
	"---\napiVersion: c\nkind: B\n? kind\n: Pod\n",
	"apiVersion: c\nkind: B\n\"kind\": Pod\n",
	"apiVersion: v1\nkind:\n  Pod\nx: y\n",
	"\tkind: Pod\napiVersion: c\nkind: B\n",
}

func TestIgnoredKind(t *testing.T) {
	for i, s := range skipSeeds {
		ignoredKindHolds(t, []byte(s))
		if _, _, ok := ignoredKind([]byte(s)); ok != (i == 0) {
			t.Errorf("%q: ignored is %v", s, ok)
		}
	}
}

func FuzzIgnoredKind(f *testing.F) {
	for _, s := range skipSeeds {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, doc []byte) { ignoredKindHolds(t, doc) })
}

func FuzzRead(f *testing.F) {
	for _, s := range append(skipSeeds, sample, fmt.Sprintf(application, "a"),
		"{\"kind\":\"List\",\"apiVersion\":\"v1\",\"items\":[{\"kind\":\"Pod\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":\"a\"}}]}",
		"a: &a [*a]\nkind: Pod\napiVersion: v1\n", "---\n---\n...\n%YAML 1.1\n---\n{}\n", "- a\n- b\n", "{{ x }}\n", "\xff\xfe") {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		r, err := Read(context.Background(), []string{"-"}, strings.NewReader(text))
		if err != nil {
			if strings.Contains(err.Error(), "\n") {
				t.Fatalf("error of several lines: %q", err)
			}
			return
		}
		for _, s := range r.Estate.Sources {
			for _, p := range s.Problems {
				if p.Line > 1+strings.Count(text, "\n")+1 {
					t.Fatalf("problem at line %d", p.Line)
				}
			}
		}
	})
}

// The corpora are read without a problem.
func TestCorpora(t *testing.T) {
	for _, archive := range []string{"kube-prometheus.tar.gz", "microservices-demo.tar.gz"} {
		t.Run(archive, func(t *testing.T) {
			dir := unpack(t, filepath.Join(corpus(t, "manifests"), archive))
			r := readAll(t, nil, dir)
			for _, p := range r.Estate.Sources[0].Problems {
				t.Error(p)
			}
			if len(estate.Workloads.In(r.Estate)) == 0 {
				t.Error("no workload was read")
			}
			for _, w := range estate.Workloads.In(r.Estate) {
				for _, c := range w.Template.Spec.Containers {
					kept := func(v corev1.EnvVar) bool { return v.Value != "" }
					if len(c.Args) > 0 || slices.ContainsFunc(c.Env, kept) {
						t.Errorf("%s is not reduced", w.Name)
					}
				}
			}
		})
	}
}
