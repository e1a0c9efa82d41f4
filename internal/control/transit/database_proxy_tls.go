package transit

import (
	"github.com/eksafe/eksafe/internal/control"
	"github.com/eksafe/eksafe/internal/estate"
)

var databaseProxyTls = &control.Control{
	ID:       "database-proxy-tls",
	Title:    "RDS proxies require TLS",
	Severity: control.Medium,
	Refs:     []control.Ref{control.FSBP("RDS.43")},
	Serves:   []string{"S10"},
	Since:    "0.1.0",
	Check:    control.Each(estate.DBProxies, judgeDatabaseProxy),
}

func judgeDatabaseProxy(s *control.Subject, p *estate.DBProxy) {
	required, known := p.RequireTLS.Get()
	switch {
	case !known:
		s.Unknownf("requireTLS of %s is not known; read the proxy live (--aws), or write it into the template", p.DBProxyName)
	case !required:
		s.Failf("requireTLS", "the proxy accepts plaintext connections")
	}
}
