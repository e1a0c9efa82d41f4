package cli_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// reachJSON is what these tests read of eksafe reach -o json.
type reachJSON struct {
	Cells []struct {
		From, To, Verdict string
		Allowed           []struct {
			Protocol    string
			First, Last int
		}
	}
	Replies []struct {
		Verdict string
		Answers []struct {
			Layers []struct {
				Verdict string
				Rules   []struct {
					Says     string
					Location struct {
						File string
						Line int
					}
				}
			}
		}
	}
}

// connections returns what gets through between applications and databases.
func (r *reachJSON) connections() []string {
	var out []string
	for _, c := range r.Cells {
		if !strings.Contains(c.From, "/") || c.Verdict != "allowed" || c.To == "VPC" || c.From == c.To {
			continue
		}
		for _, p := range c.Allowed {
			out = append(out, fmt.Sprintf("%s → %s %s %d-%d", c.From, c.To, p.Protocol, p.First, p.Last))
		}
	}
	slices.Sort(out)
	return out
}

// TestApps holds what the example is there to show: each of its rows lets one
// application reach one database more, and the explanation names the line.
func TestApps(t *testing.T) {
	var before reachJSON
	decode(t, []string{"reach", "-o", "json", "examples/apps"}, &before)
	want := []string{
		"billing/billing → billing-db TCP 3306-3306", "billing/billing → orders/orders TCP 8443-8443",
		"orders/orders → orders-db TCP 5432-5432", "reports/reports → reports-db TCP 5432-5432",
	}
	if got := before.connections(); !slices.Equal(got, want) {
		t.Fatalf("the example lets through %q, want %q", got, want)
	}
	for _, c := range []struct{ file, old, new, opens, from, to, port string }{
		{"k8s/reports.yaml", "10.20.242.0/27", "10.20.240.0/22", "reports/reports → orders-db TCP 5432-5432", "reports/reports", "orders-db", "5432"},
		{"cloudformation/apps.yaml", "{IpProtocol: tcp, FromPort: 5432,", "{IpProtocol: tcp, FromPort: 3306,", "billing/billing → orders-db TCP 3306-3306", "billing/billing", "orders-db", "3306"},
	} {
		dir := t.TempDir()
		if err := os.CopyFS(dir, os.DirFS(filepath.Join("..", "..", "examples", "apps"))); err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(dir, filepath.FromSlash(c.file))
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		head, tail, ok := strings.Cut(string(data), c.old)
		if !ok {
			t.Fatalf("%s has no %q", c.file, c.old)
		}
		if err := os.WriteFile(file, []byte(head+c.new+tail), 0o600); err != nil {
			t.Fatal(err)
		}
		var after reachJSON
		decode(t, []string{"reach", "-o", "json", dir}, &after)
		opened := slices.DeleteFunc(after.connections(), func(s string) bool { return slices.Contains(want, s) })
		if !slices.Equal(opened, []string{c.opens}) {
			t.Errorf("%s: %q opens %q, want %q", c.file, c.new, opened, c.opens)
		}
		var why reachJSON
		decode(t, []string{"reach", "-o", "json", "--from", c.from, "--to", c.to, "--port", c.port, dir}, &why)
		line, named := strings.Count(head, "\n")+1, false
		for _, l := range why.Replies[0].Answers[0].Layers {
			for _, r := range l.Rules {
				named = named || r.Location.Line == line && strings.HasSuffix(r.Location.File, filepath.Base(c.file))
			}
		}
		if !named {
			t.Errorf("%s: the explanation does not name line %d: %+v", c.file, line, why.Replies[0].Answers[0].Layers)
		}
	}
}
