package e2e

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/eksafe/eksafe/internal/access"
	"github.com/eksafe/eksafe/internal/access/accesstest"
)

// TestWhoCanAgreesWithTheAuthorizer holds direct answers against Kubernetes' own
// RBAC authorizer on random clusters: 200 of them, 10,000 where EKSAFE_LONG is
// set.
func TestWhoCanAgreesWithTheAuthorizer(t *testing.T) {
	if testing.Short() {
		t.Skip("builds Kubernetes' authorizer")
	}
	rounds := uint64(200)
	if os.Getenv("EKSAFE_LONG") != "" {
		rounds = 10_000
	}
	program := filepath.Join(t.TempDir(), "authorizer")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", program, "./authorizer")
	build.Dir = "../kube"
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("building the authorizer: %v\n%s", err, out)
	}
	type question struct {
		User   string       `json:"user"`
		Groups []string     `json:"groups"`
		Query  access.Query `json:"query"`
	}
	type round struct {
		Set       *accesstest.Set `json:"set"`
		Questions []question      `json:"questions"`
	}
	var in bytes.Buffer
	enc := json.NewEncoder(&in)
	var ours [][]bool
	var all []round
	for seed := range rounds {
		r := rand.New(rand.NewPCG(seed, 99))
		set := accesstest.Random(r)
		g := access.New(set.Estate())
		one := round{Set: set}
		var answers []bool
		for _, who := range set.Principals() {
			if who.Identity.Name == "system:masters" {
				continue // the server lets it pass before RBAC is asked
			}
			for range 30 {
				q := accesstest.RandomQuery(r)
				one.Questions = append(one.Questions, question{who.User, who.Groups, q})
				answers = append(answers, g.Can(who.Identity, q))
			}
		}
		if err := enc.Encode(one); err != nil {
			t.Fatal(err)
		}
		ours, all = append(ours, answers), append(all, one)
	}
	ask := exec.CommandContext(t.Context(), program)
	ask.Stdin, ask.Stderr = &in, os.Stderr
	out, err := ask.Output()
	if err != nil {
		t.Fatalf("asking the authorizer: %v", err)
	}
	dec := json.NewDecoder(bytes.NewReader(out))
	yes, no := 0, 0
	for i := range all {
		var theirs []bool
		if err := dec.Decode(&theirs); err != nil || len(theirs) != len(ours[i]) {
			t.Fatalf("round %d: %d answers, want %d: %v", i, len(theirs), len(ours[i]), err)
		}
		for j, want := range theirs {
			if want {
				yes++
			} else {
				no++
			}
			if ours[i][j] != want {
				q := all[i].Questions[j]
				t.Fatalf("seed %d: %s %v, %s: %v, the authorizer says %v\n%s", i, q.User, q.Groups, q.Query, ours[i][j], want, all[i].Set)
			}
		}
	}
	t.Logf("%d yes, %d no", yes, no)
	if yes < 500 || no < 500 {
		t.Errorf("%d yes, %d no: the cases prove little", yes, no)
	}
}
