package e2e

import (
	"path/filepath"
	"testing"

	awsrig "github.com/eksafe/eksafe/test/rig/aws"
)

// TestPublish brings the findings of a shop into Security Hub by the command
// itself: the flag is the consent, and nothing is published without it.
func TestPublish(t *testing.T) {
	d := awsrig.Start(t)
	d.SeedShop(t, awsrig.ShopOptions{ClusterEndpoint: "https://127.0.0.1:1"})
	d.Setenv(t)
	manifests := filepath.Join(shops, "insecure", "k8s")

	audit(t, 1, "--aws", manifests)
	if n := d.Calls("securityhub", "BatchImportFindings"); n != 0 {
		t.Fatalf("an audit without --publish published %d times", n)
	}
	audit(t, 1, "--aws", "--publish", "securityhub", manifests)
	if n := d.Calls("securityhub", "BatchImportFindings"); n == 0 {
		t.Fatal("nothing was published")
	}
	d.Deny("securityhub", "BatchImportFindings")
	audit(t, 2, "--aws", "--publish", "securityhub", manifests)
}
