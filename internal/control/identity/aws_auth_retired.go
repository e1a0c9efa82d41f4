package identity

import (
	"strings"

	"github.com/eksafe/eksafe/internal/control"
	"github.com/eksafe/eksafe/internal/estate"
	"github.com/eksafe/eksafe/internal/trace"
)

var awsAuthRetired = &control.Control{
	ID:       "aws-auth-retired",
	Title:    "Access entries let people into the cluster, not aws-auth",
	Severity: control.Medium,
	Refs:     []control.Ref{control.AWS("eks-access-entries")},
	Serves:   []string{"S28"},
	Since:    "0.1.0",
	Check:    control.Each(estate.Clusters, judgeAWSAuth).Helped(estate.ConfigMaps.Kind),
}

func judgeAWSAuth(s *control.Subject, c *estate.Cluster) {
	mode, known := c.AccessConfig.AuthenticationMode.Get()
	switch {
	case !known:
		s.Unknownf("accessConfig.authenticationMode of cluster %s is not known; read the cluster live (--aws), or write it into the template", c.Name)
		return
	case mode == "API":
		return
	case mode == "CONFIG_MAP":
		s.Failf("accessConfig.authenticationMode", "aws-auth alone lets principals into the cluster")
	default:
		s.Failf("accessConfig.authenticationMode", "aws-auth lets principals into the cluster beside access entries")
	}
	for _, m := range authMaps(s, c) {
		a := m.AWSAuth
		var holds []string
		if n := len(a.Roles); n > 0 {
			holds = append(holds, count(n, "role"))
		}
		if n := len(a.Users); n > 0 {
			holds = append(holds, count(n, "user"))
		}
		if n := len(a.Accounts); n > 0 {
			holds = append(holds, "everybody of "+count(n, "account"))
		}
		place := trace.Place{Subject: estate.ConfigMaps.Ref(m), Origin: &m.Origin, Field: "data"}
		switch {
		case a.Unreadable:
			s.FailAt(place, "aws-auth is still in force, and a part of it cannot be read")
		case len(holds) > 0:
			s.FailAt(place, "aws-auth still lets in %s", strings.Join(holds, ", "))
		}
	}
}
