package transit

import (
	"slices"
	"strings"
	"time"

	"github.com/eksafe/eksafe/internal/control"
	"github.com/eksafe/eksafe/internal/estate"
	"github.com/eksafe/eksafe/internal/trace"
)

var certificateValid = &control.Control{
	ID:       "certificate-valid",
	Title:    "Certificates of load balancers come from ACM, are valid, strong, and cover their host names",
	Severity: control.High,
	Refs:     []control.Ref{control.FSBP("ACM.1"), control.FSBP("ACM.2"), control.FSBP("ELB.2")},
	Serves:   []string{"S4", "S6"},
	Since:    "0.1.0",
	Check: control.Traced(listeners, placeOfListener, judgeCertificates, entryKinds...).
		Helped(slices.Concat(entryHelpers, []estate.Kind{estate.Certificates.Kind})...),
}

// renewalWindow is how long before its end a certificate must have been
// renewed. ACM begins earlier, so one that comes this close is stuck.
const renewalWindow = 30 * 24 * time.Hour

func judgeCertificates(s *control.Subject, l *trace.Listener) {
	if !l.TLS() {
		s.NotApplicable()
		return
	}
	if hidden(s, l.LoadBalancer, false) {
		return
	}
	at := or(l.CertificatesAt, l.At)
	arns, known := l.Certificates.Get()
	if !known {
		why := "read the load balancer live (--aws)"
		if l.Discovered {
			why = "the controller searches ACM for them by host name, so read ACM (--aws)"
		}
		s.Unknownf("the certificates of %s are not known; %s", listenerName(l), why)
		return
	}
	if len(arns) == 0 {
		if l.Discovered {
			s.FailAt(at, "no certificate in ACM covers %s, so the controller cannot make %s", hostList(l.Hosts), listenerName(l))
		} else {
			s.FailAt(at, "%s has no certificate", listenerName(l))
		}
		return
	}
	var found []*estate.Certificate
	missing := false
	for _, arn := range arns {
		if strings.Contains(arn, ":server-certificate/") {
			s.FailAt(at, "the certificate %s stands in IAM, which renews none; use one of ACM", arn[strings.LastIndex(arn, "/")+1:])
			missing = true
			continue
		}
		c, ok := control.Find(s, estate.Certificates, arn)
		if !ok {
			missing = true
			s.Unknownf("the certificate %s of %s was not read; read ACM of its account and region (--aws)", arn, listenerName(l))
			continue
		}
		found = append(found, c)
		judgeCertificate(s, l, c, at)
	}
	for _, h := range l.Hosts {
		if strings.ContainsAny(strings.TrimPrefix(h, "*."), "*?") {
			continue // a pattern of a rule, which no certificate can name
		}
		covered := slices.ContainsFunc(found, func(c *estate.Certificate) bool { return trace.CoversHost(c, h) })
		if !covered && !missing {
			s.FailAt(at, "no certificate of %s covers %s", listenerName(l), h)
		}
	}
}

func judgeCertificate(s *control.Subject, l *trace.Listener, c *estate.Certificate, at trace.Place) {
	if key, known := c.KeyAlgorithm.Get(); !known {
		s.Unknownf("the key algorithm of certificate %s is not known", c.DomainName)
	} else if weakKey(key) {
		s.FailAt(at, "certificate %s has a weak key: %s", c.DomainName, key)
	}
	status, known := c.Status.Get()
	switch {
	case !known:
		s.Unknownf("whether certificate %s of %s was issued is not known; files cannot tell, read ACM (--aws)", c.DomainName, listenerName(l))
		return
	case status != "ISSUED":
		s.FailAt(at, "certificate %s is %s", c.DomainName, strings.ReplaceAll(strings.ToLower(status), "_", " "))
		return
	}
	end, known := c.NotAfter.Get()
	if !known {
		s.Unknownf("when certificate %s expires is not known; read ACM (--aws)", c.DomainName)
		return
	}
	left := end.Sub(s.Now())
	switch {
	case left <= 0:
		s.FailAt(at, "certificate %s expired on %s", c.DomainName, end.UTC().Format(time.DateOnly))
	case left > renewalWindow:
	case c.Type.Or("") == "IMPORTED":
		s.FailAt(at, "certificate %s expires on %s, and ACM does not renew imported certificates", c.DomainName, end.UTC().Format(time.DateOnly))
	case c.RenewalStatus.Or("") == "FAILED" || c.RenewalStatus.Or("") == "PENDING_VALIDATION":
		s.FailAt(at, "certificate %s expires on %s, and its renewal is stuck: %s", c.DomainName, end.UTC().Format(time.DateOnly),
			strings.ReplaceAll(strings.ToLower(c.RenewalStatus.Or("")), "_", " "))
	case c.RenewalEligibility.Or("") == "INELIGIBLE":
		s.FailAt(at, "certificate %s expires on %s, and is not eligible for renewal", c.DomainName, end.UTC().Format(time.DateOnly))
	case c.RenewalEligibility.IsZero():
		s.Unknownf("certificate %s expires on %s, and whether ACM renews it is not known", c.DomainName, end.UTC().Format(time.DateOnly))
	}
}

// weakKey reports whether a key is none of RSA with 2048 bits or more and the
// elliptic curves. ACM writes RSA_2048 in one API and RSA-2048 in another.
func weakKey(algorithm string) bool {
	switch strings.ToLower(strings.NewReplacer("-", "_").Replace(algorithm)) {
	case "rsa_2048", "rsa_3072", "rsa_4096", "ec_prime256v1", "ec_secp384r1", "ec_secp521r1":
		return false
	}
	return true
}

func hostList(hosts []string) string {
	if len(hosts) == 0 {
		return "any host (the Ingress names none)"
	}
	return strings.Join(hosts, ", ")
}
