package rest

import (
	"slices"

	"github.com/eksafe/eksafe/internal/control"
	"github.com/eksafe/eksafe/internal/estate"
)

var secretsKMS = &control.Control{
	ID:       "secrets-kms",
	Title:    "Kubernetes Secrets are encrypted with a key of your own",
	Severity: control.Medium,
	Refs:     []control.Ref{control.FSBP("EKS.3"), control.CISEKS("5.3.1")},
	Serves:   []string{"S30", "S41"},
	Since:    "0.1.0",
	Check: control.Each(estate.Clusters, func(s *control.Subject, c *estate.Cluster) {
		configs, known := c.EncryptionConfig.Get()
		if !known {
			s.Unknownf("encryptionConfig of cluster %s is not known; read the cluster live (--aws)", c.Name)
			return
		}
		if !slices.ContainsFunc(configs, func(e estate.EncryptionConfig) bool {
			// Resources does not count: EKS encrypts all that the API stores.
			return e.Provider.KeyArn != ""
		}) {
			s.Failf("encryptionConfig", "secrets are not encrypted with a key of your own")
		}
	}),
}
