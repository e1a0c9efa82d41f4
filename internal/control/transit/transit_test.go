package transit

import (
	"strings"
	"testing"
	"time"

	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/eksafe/eksafe/internal/access"
	"github.com/eksafe/eksafe/internal/control"
	"github.com/eksafe/eksafe/internal/estate"
	"github.com/eksafe/eksafe/internal/finding"
	"github.com/eksafe/eksafe/internal/trace"
)

// Without AWS nobody knows what certificate discovery will find: with a host
// to search by it is unknown, without one it cannot find any.
func TestDiscoveryWithoutACM(t *testing.T) {
	for host, want := range map[string]finding.Verdict{"shop.example.com": finding.Unknown, "": finding.Fail} {
		e := &estate.Estate{}
		estate.IngressClasses.Add(e, &estate.Resource[networkingv1.IngressClass]{Object: networkingv1.IngressClass{
			ObjectMeta: metav1.ObjectMeta{Name: "alb"},
			Spec:       networkingv1.IngressClassSpec{Controller: "ingress.k8s.aws/alb"},
		}})
		class := "alb"
		estate.Ingresses.Add(e, &estate.Resource[networkingv1.Ingress]{Object: networkingv1.Ingress{
			ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "shop", Annotations: map[string]string{
				"alb.ingress.kubernetes.io/listen-ports": `[{"HTTPS":443}]`,
			}},
			Spec: networkingv1.IngressSpec{IngressClassName: &class, Rules: []networkingv1.IngressRule{{
				Host: host,
				IngressRuleValue: networkingv1.IngressRuleValue{HTTP: &networkingv1.HTTPIngressRuleValue{
					Paths: []networkingv1.HTTPIngressPath{{Path: "/", Backend: networkingv1.IngressBackend{
						Service: &networkingv1.IngressServiceBackend{Name: "web", Port: networkingv1.ServiceBackendPort{Number: 443}},
					}}},
				}},
			}}},
		}})
		source := estate.Source{Kind: estate.ManifestSource, Name: "shop"}
		for _, k := range estate.Kinds() {
			if k.Provider == estate.KubernetesProvider {
				source.Coverage = append(source.Coverage, estate.Coverage{Kind: k.Kind, State: estate.Read})
			}
		}
		e.Sources = []estate.Source{source}
		r := control.Run(trace.New(e), []*control.Control{ingressTls}, time.Date(2026, 11, 23, 6, 0, 0, 0, time.UTC), nil)[0]
		if r.Verdict != want {
			t.Errorf("host %q: %v (%s) %v, want %v", host, r.Verdict, r.Why, r.Findings, want)
		}
	}
}

// A policy comes from whoever may edit a bucket or a template.
func FuzzPolicyDocument(f *testing.F) {
	for _, seed := range []string{
		`{"Statement": {"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": ["a", "a/*"], "Condition": {"Bool": {"aws:SecureTransport": false}}}}`,
		`{"Statement": [{"Effect": "Deny", "Principal": {"AWS": ["*"]}, "NotAction": "s3:Get*"}]}`,
		`{"Statement": null}`, `{"Statement": [{"Principal": 7}]}`, `[]`, ``,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		p, err := access.Parse(text)
		if err != nil {
			return
		}
		for i := range p.Statements {
			st := &p.Statements[i]
			if deniesPlaintext(st) && !strings.Contains(strings.ToLower(text), "deny") {
				t.Errorf("a policy without Deny denies: %s", text)
			}
			covers(st, "arn:aws:s3:::logs/any/object")
		}
	})
}

func TestLasting(t *testing.T) {
	for value, want := range map[string]bool{
		"max-age=31536000; includeSubDomains": true,
		"includeSubDomains;MAX-AGE=\"600\"":   true,
		"max-age=0":                           false,
		"max-age=-1":                          false,
		"includeSubDomains":                   false,
	} {
		if got := lasting(value); got != want {
			t.Errorf("lasting(%q) = %v", value, got)
		}
	}
}

// What AWS documents of a few policies holds the generated table in place.
func TestSSLPolicies(t *testing.T) {
	if _, err := time.Parse(time.DateOnly, sslPoliciesDate); err != nil || sslPoliciesSource == "" {
		t.Errorf("the table is of %q from %q", sslPoliciesDate, sslPoliciesSource)
	}
	for name, strong := range map[string]bool{
		defaultSSLPolicy:                             false,
		"ELBSecurityPolicy-TLS-1-2-2017-01":          false,
		"ELBSecurityPolicy-TLS13-1-0-2021-06":        false,
		"ELBSecurityPolicy-TLS13-1-2-2021-06":        true,
		"ELBSecurityPolicy-TLS13-1-2-Res-2021-06":    true,
		"ELBSecurityPolicy-TLS13-1-2-Res-PQ-2025-09": true,
		"ELBSecurityPolicy-TLS13-1-3-2021-06":        true,
	} {
		p, ok := sslPolicies[name]
		if weak := p.weakness(); !ok || (weak == "") != strong {
			t.Errorf("%s: found %v, weakness %q", name, ok, weak)
		}
	}
	for name, p := range sslPolicies {
		if p.protocols == "" || p.ciphers == "" {
			t.Errorf("%s has no protocols or no ciphers", name)
		}
	}
}

// An authority without a source or a date could never be checked again.
func TestExpiredCAsAreDated(t *testing.T) {
	for _, ca := range expiredCAs {
		_, err := time.Parse("January 2006", ca.expired)
		_, readErr := time.Parse(time.DateOnly, ca.read)
		if err != nil || readErr != nil || ca.source == "" {
			t.Errorf("%s: expired %q, source %q, read %q", ca.id, ca.expired, ca.source, ca.read)
		}
	}
}
