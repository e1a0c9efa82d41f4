package e2e

import (
	"context"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"

	"github.com/eksafe/eksafe/internal/config"
	"github.com/eksafe/eksafe/internal/control"
	"github.com/eksafe/eksafe/internal/control/all"
	"github.com/eksafe/eksafe/internal/estate"
	"github.com/eksafe/eksafe/internal/finding"
	"github.com/eksafe/eksafe/internal/source/aws"
	"github.com/eksafe/eksafe/internal/source/manifest"
	"github.com/eksafe/eksafe/internal/trace"
	awsrig "github.com/eksafe/eksafe/test/rig/aws"
)

// TestEveryDeniedActionIsUnknown reads an account once with all rights, and
// once without each action that eksafe may ask for. Less knowledge may turn a
// verdict to unknown, or leave it; nothing else.
func TestEveryDeniedActionIsUnknown(t *testing.T) {
	d := awsrig.Start(t)
	d.Setenv(t)
	for _, shop := range []string{"secure", "insecure"} {
		t.Run(shop, func(t *testing.T) {
			d.Reset()
			d.SeedShop(t, awsrig.ShopOptions{Secure: shop == "secure", Snapshot: true, Node: true})
			d.SeedOther(t)
			d.SeedIdentity(t, "shop-prod")
			d.SeedReview(t)
			files, err := manifest.Read(t.Context(), []string{filepath.Join(shops, shop, "k8s")}, nil)
			if err != nil {
				t.Fatal(err)
			}
			tape := d.Tape()
			now := time.Now()
			audit := func(t *testing.T) view {
				t.Helper()
				e, err := aws.Read(context.Background(), aws.Options{Config: func(c *awssdk.Config) { tape.Play(c) }})
				if err != nil {
					t.Fatal(err)
				}
				account := *e
				e.Join(files.Estate)
				return see(e, account.Sources, now, nil)
			}
			whole := audit(t)
			onceEach(t, tape)
			for _, call := range aws.Calls() {
				if call.Service == "STS" {
					continue // it needs no right
				}
				t.Run(call.Service+" "+call.Operation, func(t *testing.T) {
					tape.Deny(func(c *awsrig.Call) bool { return c.Is(call.Service, call.Operation) })
					whole.holds(t, audit(t), call.Kinds)
					onceEach(t, tape)
				})
			}
		})
	}
}

// onceEach fails the test where one audit made the same call twice. The report
// of credentials is asked for until it is ready.
func onceEach(t *testing.T, tape *awsrig.Tape) {
	t.Helper()
	for call, n := range tape.Heard() {
		if n > 1 && !strings.Contains(call, "GenerateCredentialReport") {
			t.Errorf("one audit makes the same call %d times: %s", n, call)
		}
	}
}

// A view is what an audit says.
type view struct {
	results map[string]control.Result
	blind   map[estate.Kind]string // kinds that could not be read, and why
}

// see audits an estate of which sources tell what was read.
func see(e *estate.Estate, sources []estate.Source, now time.Time, declared *config.Config) view {
	v := view{results: map[string]control.Result{}, blind: map[estate.Kind]string{}}
	for _, s := range sources {
		for _, c := range s.Coverage {
			if c.State != estate.Read {
				v.blind[c.Kind] = c.Why
			}
		}
	}
	for _, r := range control.Run(trace.New(e), all.All(), now, declared) {
		v.results[r.Control.ID] = r
	}
	return v
}

// holds fails the test where an audit with fewer rights, which leave kinds not
// or not fully known, says anything but less.
func (v view) holds(t *testing.T, less view, kinds []estate.Kind) {
	t.Helper()
	for _, id := range slices.Sorted(maps.Keys(v.results)) {
		before, after := v.results[id], less.results[id]
		reads := before.Control.Reads()
		if before.Verdict != after.Verdict {
			switch {
			case after.Verdict != finding.Unknown:
				t.Errorf("%s turns from %s to %s: %s%s", id, before.Verdict, after.Verdict, after.Why, lines(after.Findings))
			case after.Why == "":
				t.Errorf("%s turns to unknown without a reason", id)
			case !slices.ContainsFunc(reads, func(k estate.Kind) bool { return slices.Contains(kinds, k) }):
				t.Errorf("%s turns to unknown but reads none of %v: %s", id, kinds, after.Why)
			}
		}
		for _, k := range reads {
			if why, blind := less.blind[k]; blind && (after.Verdict == finding.Pass || after.Verdict == finding.NotApplicable) && v.blind[k] == "" {
				t.Errorf("%s is %s although %s was not read: %s", id, after.Verdict, k, why)
			}
		}
	}
}

func lines(findings []finding.Finding) string {
	var b strings.Builder
	for _, f := range findings {
		fmt.Fprintf(&b, "\n\t%s %s %s: %s", f.Subject.Kind, f.Subject.Name, f.Field, f.Message)
	}
	return b.String()
}
