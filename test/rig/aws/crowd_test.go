package awsrig_test

import (
	"net/http/httptest"
	"testing"

	"github.com/eksafe/eksafe/internal/estate"
	"github.com/eksafe/eksafe/internal/source/aws"
	awsrig "github.com/eksafe/eksafe/test/rig/aws"
)

// TestLargeAccount reads an account of a size at which calls count: all of it
// is read, no call is made twice, and eight of a part do not wait for each other.
func TestLargeAccount(t *testing.T) {
	crowd := awsrig.Large()
	crowd.Gather = 8
	server := httptest.NewServer(crowd)
	defer server.Close()
	awsrig.Setenv(t, server.URL)
	e := read(t, aws.Options{})
	for kind, want := range map[estate.Kind]int{
		estate.LoadBalancers.Kind: 40, estate.Listeners.Kind: 80, estate.TargetGroups.Kind: 200, estate.DBInstances.Kind: 100,
		estate.Users.Kind: 300, estate.IAMRoles.Kind: 500, estate.LastAccessed.Kind: 800, estate.SecurityGroups.Kind: 1000,
	} {
		if c := e.Coverage(kind); c.State != estate.Read || c.Count != want {
			t.Errorf("%s: %s %d %s, want %d", kind, c.State, c.Count, c.Why, want)
		}
	}
	calls, _ := crowd.Calls()
	for call, n := range calls {
		if n > 1 {
			t.Errorf("the same call is made %d times: %s", n, call)
		}
	}
	if len(calls) < 2000 {
		t.Errorf("only %d calls are made", len(calls))
	}
}
