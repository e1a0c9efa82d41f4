package terraform

import "testing"

// Plan writes what `terraform show -json` would print of resources of the root
// module.
func Plan(t testing.TB, resources string) []byte { return plan(t, resources, nil) }
