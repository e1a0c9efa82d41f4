package cli_test

import (
	"archive/tar"
	"compress/gzip"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// A suggestion is what these tests read of eksafe reach suggest -o json.
type suggestion struct {
	Needs, Undeclared []struct {
		From, To, Protocol string
		Port               int
	}
	Lost, Opened []json.RawMessage
	Changes      []change
}

type change struct {
	From, To       string
	Opened, Closed []struct {
		Protocol    string
		First, Last int
	}
}

// closes reports whether a change takes a port away.
func (c *change) closes(protocol string, port int) bool {
	return slices.ContainsFunc(c.Closed, func(r struct {
		Protocol    string
		First, Last int
	}) bool {
		return r.Protocol == protocol && r.First <= port && port <= r.Last
	})
}

// program returns a function that runs eksafe in a folder. Exit code 1 is an
// answer.
func program(t *testing.T) func(dir string, args ...string) []byte {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	bin := filepath.Join(t.TempDir(), "eksafe")
	if err := os.Symlink(self, bin); err != nil {
		t.Fatal(err)
	}
	return func(dir string, args ...string) []byte {
		t.Helper()
		cmd := exec.Command(bin, args...)
		cmd.Dir = dir
		out, err := cmd.Output()
		var exit *exec.ExitError
		if err != nil && !(errors.As(err, &exit) && exit.ExitCode() == 1) {
			t.Fatalf("eksafe %s: %v", strings.Join(args, " "), err)
		}
		return out
	}
}

func decodeOutput(t *testing.T, out []byte, into any) {
	t.Helper()
	if err := json.Unmarshal(out, into); err != nil {
		t.Fatalf("%v in %.200s", err, out)
	}
}

// suggested suggests policies for a folder, writes them into it in place of
// those that are there, and demands that everything needed is kept, that
// nothing else opened, and that the suggestion for the result is the same.
func suggested(t *testing.T, run func(string, ...string) []byte, before, after string) {
	t.Helper()
	var s struct{ Suggestion suggestion }
	decodeOutput(t, run(".", "reach", "suggest", "-o", "json", before), &s)
	if len(s.Suggestion.Needs) == 0 || len(s.Suggestion.Lost) > 0 {
		t.Fatalf("%d needs, %d of them lost", len(s.Suggestion.Needs), len(s.Suggestion.Lost))
	}
	policies := func(of string) string {
		out := t.TempDir()
		run(".", "reach", "suggest", of, "--out", out)
		files, err := filepath.Glob(filepath.Join(out, "*.yaml"))
		if err != nil {
			t.Fatal(err)
		}
		var all []string
		for _, name := range files {
			if filepath.Base(name) == "security-groups.yaml" {
				continue // it names the files of templates
			}
			text, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, string(text))
		}
		return strings.Join(all, "---\n")
	}
	first := policies(before)
	if err := os.WriteFile(filepath.Join(after, "suggested.yaml"), []byte(first), 0o666); err != nil {
		t.Fatal(err)
	}
	if again := policies(after); again != first {
		t.Errorf("the suggestion for the result differs:\n%s\nfirst it was\n%s", again, first)
	}
	var diff struct{ Changes []change }
	decodeOutput(t, run(".", "reach", "diff", "-o", "json", before, after), &diff)
	closed := 0
	for i := range diff.Changes {
		c := &diff.Changes[i]
		if len(c.Opened) > 0 {
			t.Errorf("%s → %s is opened", c.From, c.To)
		}
		closed += len(c.Closed)
		for _, d := range s.Suggestion.Needs {
			if d.From == c.From && d.To == c.To && c.closes(d.Protocol, d.Port) {
				t.Errorf("%s → %s %s %d is needed and closed", d.From, d.To, d.Protocol, d.Port)
			}
		}
	}
	if closed == 0 {
		t.Error("nothing is closed")
	}
}

// TestSuggestShop applies the suggestion for the insecure shop, template and
// all, and audits what comes of it.
func TestSuggestShop(t *testing.T) {
	run := program(t)
	before, err := filepath.Abs(filepath.Join("..", "..", "examples", "shop", "insecure"))
	if err != nil {
		t.Fatal(err)
	}
	after, out := t.TempDir(), t.TempDir()
	if err := os.CopyFS(after, os.DirFS(before)); err != nil {
		t.Fatal(err)
	}
	suggested(t, run, before, after)

	run(".", "reach", "suggest", before, "--out", out)
	fragment, err := os.ReadFile(filepath.Join(out, "security-groups.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	_, list, ok := strings.Cut(string(fragment), "DatabaseSecurityGroup:\n")
	if !ok {
		t.Fatalf("no rules of the database's group in\n%s", fragment)
	}
	// The group of the nodes stands in another template, which exports it.
	list = strings.ReplaceAll("    "+strings.ReplaceAll(strings.TrimSpace(list), "\n", "\n    "), "!GetAtt Cluster.ClusterSecurityGroupId",
		"\n            Fn::ImportValue: !Sub shop-${Stage}-cluster-security-group")
	template := filepath.Join(after, "cloudformation", "data.yaml")
	text, err := os.ReadFile(template)
	if err != nil {
		t.Fatal(err)
	}
	head, tail, ok := strings.Cut(string(text), "      SecurityGroupIngress:\n")
	_, tail, found := strings.Cut(tail, "\n\n")
	if !ok || !found {
		t.Fatal("the template of the shop has no list to replace")
	}
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(name, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	write(template, head+"      "+strings.TrimLeft(list, " ")+"\n\n"+tail)
	// Files tell whether policies are enforced where they turn it on.
	cluster := filepath.Join(after, "cloudformation", "cluster.yaml")
	if text, err = os.ReadFile(cluster); err != nil {
		t.Fatal(err)
	}
	write(cluster, string(text)+`
  VpcCni:
    Type: AWS::EKS::Addon
    Properties:
      AddonName: vpc-cni
      ClusterName: !Ref Cluster
      ConfigurationValues: '{"enableNetworkPolicy": "true"}'

Outputs:
  ClusterSecurityGroup:
    Value: !GetAtt Cluster.ClusterSecurityGroupId
    Export:
      Name: !Sub shop-${Stage}-cluster-security-group
`)
	want := map[string]string{"sg-no-world": "unknown"} // the group that EKS makes stands in no file
	for _, id := range []string{
		"default-deny-ingress", "default-deny-egress", "egress-least", "ingress-ports", "database-isolated", "policy-alive", "metadata-closed", "database-sg-least",
	} {
		want[id] = "pass"
	}
	for _, r := range auditExample(t, after) {
		if w := want[r.Control]; w != "" && r.Verdict != w {
			t.Errorf("%s is %s, want %s: %s", r.Control, r.Verdict, w, r.Why)
		}
		delete(want, r.Control)
	}
	if len(want) > 0 {
		t.Errorf("not judged: %v", want)
	}
	var diff struct{ Changes []change }
	decodeOutput(t, run(".", "reach", "diff", "-o", "json", before, after), &diff)
	isolated := false
	for i := range diff.Changes {
		c := &diff.Changes[i]
		switch {
		case c.From == "shop/orders" && c.To == "orders-db" && c.closes("TCP", 3306):
			t.Error("the shop lost its database")
		case c.From == "shop/web" && c.To == "orders-db" && c.closes("TCP", 3306):
			isolated = true
		}
	}
	if !isolated {
		t.Error("shop/web still reaches the database of shop/orders")
	}
}

// TestSuggestCorpora does the same with manifests of others.
func TestSuggestCorpora(t *testing.T) {
	root := os.Getenv("EKSAFE_CORPUS")
	if root == "" {
		root = filepath.Join("..", "..", "..", "shared", "data")
	}
	run := program(t)
	for _, name := range []string{"microservices-demo", "kube-prometheus"} {
		t.Run(name, func(t *testing.T) {
			f, err := os.Open(filepath.Join(root, "manifests", name+".tar.gz"))
			if errors.Is(err, fs.ErrNotExist) {
				t.Skip("the corpus is not there; set EKSAFE_CORPUS to the folder that holds it")
			}
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			before, after := t.TempDir(), t.TempDir()
			extract(t, f, before)
			if err := os.CopyFS(after, os.DirFS(before)); err != nil {
				t.Fatal(err)
			}
			// The suggestion is meant instead of the policies that are there.
			withoutPolicies(t, after)
			suggested(t, run, before, after)
		})
	}
}

func extract(t *testing.T, in io.Reader, dir string) {
	t.Helper()
	z, err := gzip.NewReader(in)
	if err != nil {
		t.Fatal(err)
	}
	for files := tar.NewReader(z); ; {
		h, err := files.Next()
		if err == io.EOF {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		if h.Typeflag != tar.TypeReg || !filepath.IsLocal(h.Name) {
			continue
		}
		data, err := io.ReadAll(files)
		if err != nil {
			t.Fatal(err)
		}
		name := filepath.Join(dir, h.Name)
		if err := os.MkdirAll(filepath.Dir(name), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, data, 0o666); err != nil {
			t.Fatal(err)
		}
	}
}

// withoutPolicies removes the files that hold nothing but a NetworkPolicy.
func withoutPolicies(t *testing.T, dir string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(name)
		if err != nil || !strings.Contains(string(text), "\nkind: NetworkPolicy\n") || strings.Count(string(text), "\nkind:") > 1 {
			return err
		}
		return os.Remove(name)
	})
	if err != nil {
		t.Fatal(err)
	}
}
