package detection

import (
	"slices"
	"strings"

	"github.com/eksafe/eksafe/internal/control"
	"github.com/eksafe/eksafe/internal/estate"
)

var clusterLogs = &control.Control{
	ID:       "cluster-logs",
	Title:    "The control plane logs API calls, audit records and logins",
	Severity: control.High,
	Refs:     []control.Ref{control.CISEKS("2.1.1"), control.FSBP("EKS.8"), control.NSA("Audit Logging and Threat Detection")},
	Serves:   []string{"S39", "S41"},
	Since:    "0.1.0",
	Check: control.Each(estate.Clusters, func(s *control.Subject, c *estate.Cluster) {
		enabled, known := c.Logging.ClusterLogging.EnabledTypes.Get()
		if !known {
			s.Unknownf("logging of cluster %s is not known; read the cluster live (--aws)", c.Name)
			return
		}
		var missing []string
		for _, typ := range []string{"api", "audit", "authenticator"} {
			if !slices.Contains(enabled, typ) {
				missing = append(missing, typ)
			}
		}
		if len(missing) > 0 {
			s.Failf("logging.clusterLogging.enabledTypes", "not logged: %s", strings.Join(missing, ", "))
		}
	}),
}
