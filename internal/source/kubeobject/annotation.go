package kubeobject

import (
	"bytes"
	"encoding/json"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"unicode"

	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/eksafe/eksafe/internal/estate"
)

const invalid = estate.InvalidAnnotation

// maxAnnotation bounds the value that is looked at.
const maxAnnotation = 16 << 10

// reduceAnnotations keeps the annotations that eksafe judges and of their
// values what has the expected shape.
func reduceAnnotations(in map[string]string) map[string]string {
	var out map[string]string
	for key, value := range in {
		check := validatorOf(key)
		if check == nil {
			continue
		}
		kept := invalid
		if len(value) <= maxAnnotation {
			if clean, ok := check(value); ok {
				kept = clean
			}
		}
		if out == nil {
			out = map[string]string{}
		}
		out[key] = kept
	}
	return out
}

func validatorOf(key string) validator {
	if len(key) > 317 { // prefix 253, slash, name 63: the API server's own limit
		return nil
	}
	if v := annotations[key]; v != nil {
		return v
	}
	for _, p := range annotationPrefixes {
		if rest, ok := strings.CutPrefix(key, p.prefix); ok && plain(rest) {
			return p.check
		}
	}
	return nil
}

// A validator returns what is kept of a value, and whether the value has the
// expected shape.
type validator func(string) (string, bool)

const (
	alb = "alb.ingress.kubernetes.io/"
	nlb = "service.beta.kubernetes.io/aws-load-balancer-"
)

// annotations is every key that is kept, and the shape of its value.
var annotations = map[string]validator{
	"kubernetes.io/ingress.class":                            name,
	"ingressclass.kubernetes.io/is-default-class":            boolean,
	"storageclass.kubernetes.io/is-default-class":            boolean,
	"storageclass.beta.kubernetes.io/is-default-class":       boolean,
	"volume.beta.kubernetes.io/storage-class":                name,
	"volume.beta.kubernetes.io/storage-provisioner":          name,
	"volume.kubernetes.io/storage-provisioner":               name,
	"pv.kubernetes.io/provisioned-by":                        name,
	"kubernetes.io/service-account.name":                     name,
	"seccomp.security.alpha.kubernetes.io/pod":               name,
	"external-dns.alpha.kubernetes.io/hostname":              hosts,
	"cert-manager.io/cluster-issuer":                         name,
	"cert-manager.io/issuer":                                 name,
	"service.beta.kubernetes.io/load-balancer-source-ranges": cidrs,

	alb + "load-balancer-name":                       name,
	alb + "group.name":                               name,
	alb + "group.order":                              number,
	alb + "ip-address-type":                          enum("ipv4", "dualstack", "dualstack-without-public-ipv4"),
	alb + "scheme":                                   enum("internal", "internet-facing"),
	alb + "subnets":                                  names,
	alb + "security-groups":                          names,
	alb + "manage-backend-security-group-rules":      boolean,
	alb + "load-balancer-attributes":                 attributes,
	alb + "target-group-attributes":                  attributes,
	alb + "wafv2-acl-arn":                            arnOr("", "none"),
	alb + "wafv2-acl-name":                           name,
	alb + "waf-acl-id":                               name,
	alb + "shield-advanced-protection":               boolean,
	alb + "listen-ports":                             listenPorts,
	alb + "ssl-redirect":                             number,
	alb + "inbound-cidrs":                            cidrs,
	alb + "security-group-prefix-lists":              names,
	alb + "certificate-arn":                          arns,
	alb + "ssl-policy":                               name,
	alb + "target-type":                              enum("instance", "ip"),
	alb + "backend-protocol":                         enum("HTTP", "HTTPS"),
	alb + "backend-protocol-version":                 enum("HTTP1", "HTTP2", "GRPC"),
	alb + "healthcheck-port":                         name,
	alb + "healthcheck-protocol":                     enum("HTTP", "HTTPS"),
	alb + "auth-type":                                enum("none", "cognito", "oidc"),
	alb + "auth-on-unauthenticated-request":          enum("authenticate", "allow", "deny"),
	alb + "auth-idp-cognito":                         present,
	alb + "auth-idp-oidc":                            present,
	alb + "mutual-authentication":                    mutualAuthentication,
	alb + "multi-cluster-target-group":               boolean,
	alb + "enable-frontend-nlb":                      boolean,
	alb + "frontend-nlb-scheme":                      enum("internal", "internet-facing"),
	alb + "frontend-nlb-security-groups":             names,
	alb + "frontend-nlb-listener-port-mapping":       names,
	alb + "frontend-nlb-subnets":                     names,
	"nginx.ingress.kubernetes.io/ssl-redirect":       boolean,
	"nginx.ingress.kubernetes.io/force-ssl-redirect": boolean,
	"nginx.ingress.kubernetes.io/ssl-passthrough":    boolean,
	"nginx.ingress.kubernetes.io/proxy-ssl-verify":   enum("on", "off"),
	"nginx.ingress.kubernetes.io/backend-protocol":   enum("HTTP", "HTTPS", "AUTO_HTTP", "GRPC", "GRPCS", "FCGI"),

	nlb + "type":                                     enum("external", "nlb", "nlb-ip", "clb", "elb"),
	nlb + "nlb-target-type":                          enum("instance", "ip"),
	nlb + "scheme":                                   enum("internal", "internet-facing"),
	nlb + "internal":                                 enum("true", "false", "0.0.0.0/0"),
	nlb + "name":                                     name,
	nlb + "ssl-cert":                                 arns,
	nlb + "ssl-ports":                                names,
	nlb + "ssl-negotiation-policy":                   name,
	nlb + "backend-protocol":                         enum("http", "https", "tcp", "ssl", "tls", "udp"),
	nlb + "proxy-protocol":                           enum("*"),
	nlb + "ip-address-type":                          enum("ipv4", "dualstack", "dualstack-without-public-ipv4"),
	nlb + "attributes":                               attributes,
	nlb + "target-group-attributes":                  attributes,
	nlb + "security-groups":                          names,
	nlb + "extra-security-groups":                    names,
	nlb + "security-group-prefix-lists":              names,
	nlb + "disable-nlb-sg":                           boolean,
	nlb + "subnets":                                  names,
	nlb + "manage-backend-security-group-rules":      boolean,
	nlb + "access-log-enabled":                       boolean,
	nlb + "access-log-s3-bucket-name":                name,
	nlb + "healthcheck-protocol":                     enum("http", "https", "tcp", "ssl"),
	nlb + "healthcheck-port":                         name,
	nlb + "alpn-policy":                              name,
	nlb + "enable-tcp-udp-listener":                  boolean,
	nlb + "inbound-sg-rules-on-private-link-traffic": enum("on", "off"),

	"sidecar.istio.io/inject":                          boolean,
	"sidecar.istio.io/status":                          present,
	"sidecar.istio.io/interceptionMode":                enum("REDIRECT", "TPROXY", "NONE"),
	"sidecar.istio.io/rewriteAppHTTPProbers":           boolean,
	"traffic.sidecar.istio.io/includeInboundPorts":     ports,
	"traffic.sidecar.istio.io/excludeInboundPorts":     ports,
	"traffic.sidecar.istio.io/includeOutboundPorts":    ports,
	"traffic.sidecar.istio.io/excludeOutboundPorts":    ports,
	"traffic.sidecar.istio.io/includeOutboundIPRanges": cidrs,
	"traffic.sidecar.istio.io/excludeOutboundIPRanges": cidrs,
	"ambient.istio.io/redirection":                     enum("enabled", "disabled"),
	"ambient.istio.io/bypass-inbound-capture":          boolean,
	"security.istio.io/tlsMode":                        enum("istio", "disabled"),
	"inject.istio.io/templates":                        names,
	"istio.io/rev":                                     name,
	"istio.io/dataplane-mode":                          name,
	"istio.io/use-waypoint":                            name,
	"istio.io/use-waypoint-namespace":                  name,
	"istio.io/waypoint-for":                            enum("service", "workload", "all", "none"),
	"istio.io/ingress-use-waypoint":                    boolean,
	"networking.istio.io/exportTo":                     names,
	"networking.istio.io/service-type":                 name,
	"linkerd.io/inject":                                enum("enabled", "disabled", "ingress"),
	"config.linkerd.io/default-inbound-policy":         name,
	"config.linkerd.io/skip-inbound-ports":             ports,
	"config.linkerd.io/skip-outbound-ports":            ports,

	"eks.amazonaws.com/role-arn":               arnOr(),
	"eks.amazonaws.com/audience":               hosts,
	"eks.amazonaws.com/sts-regional-endpoints": boolean,
	"eks.amazonaws.com/token-expiration":       number,
	"eks.amazonaws.com/skip-containers":        names,
	"eks.amazonaws.com/compute-type":           name,

	"prometheus.io/scrape": boolean,
	"prometheus.io/port":   number,

	"eksafe.dev/except": exceptions,
}

// annotationPrefixes are keys of which the user chooses the end.
var annotationPrefixes = []struct {
	prefix string
	check  validator
}{
	{alb + "actions.", action},
	{alb + "conditions.", conditions},
	{alb + "listener-attributes.", attributes},
	{nlb + "listener-attributes.", attributes},
	// Pod security levels judge these.
	{"container.apparmor.security.beta.kubernetes.io/", enumOrPrefix("localhost/", "runtime/default", "unconfined", "")},
	{"container.seccomp.security.alpha.kubernetes.io/", enumOrPrefix("localhost/", "runtime/default", "docker/default", "unconfined", "")},
}

func boolean(v string) (string, bool) {
	return enum("true", "false", "1", "0", "t", "f", "enabled", "disabled")(v)
}

// enum keeps one of some words as it is written.
func enum(words ...string) validator {
	return func(v string) (string, bool) {
		v = strings.TrimSpace(v)
		return v, slices.ContainsFunc(words, func(w string) bool { return strings.EqualFold(w, v) })
	}
}

func enumOrPrefix(prefix string, words ...string) validator {
	return func(v string) (string, bool) {
		if rest, ok := strings.CutPrefix(v, prefix); ok {
			return v, plain(rest)
		}
		return v, slices.Contains(words, v)
	}
}

// maxExceptions bounds what an object may say of its own findings.
const maxExceptions = 4 << 10

var exceptionRE = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[a-z0-9-]{1,63}: `) })

// exceptions keeps the words with which an object asks for exceptions, a line
// each: "control: reason; expires=2027-01-31". They are for people to read in
// every report, so a line that names no control or holds a key is not kept.
func exceptions(v string) (string, bool) {
	if len(v) > maxExceptions {
		return "", false
	}
	var out []string
	for line := range strings.SplitSeq(v, "\n") {
		switch line = strings.TrimSpace(line); {
		case line == "":
			continue
		case !exceptionRE().MatchString(line) || strings.Contains(line, "-----BEGIN "):
			line = invalid
		}
		out = append(out, strings.Map(func(r rune) rune {
			if !unicode.IsPrint(r) {
				return '\uFFFD'
			}
			return r
		}, strings.ToValidUTF8(line, "\uFFFD")))
	}
	return strings.Join(out, "\n"), true
}

func present(string) (string, bool) { return redacted, true }

func number(v string) (string, bool) {
	v = strings.TrimSpace(v)
	_, err := strconv.ParseInt(v, 10, 32)
	return v, err == nil
}

// name keeps one identifier: of a class, a policy, a port, a bucket.
func name(v string) (string, bool) {
	v = strings.TrimSpace(v)
	return v, len(v) <= 253 && plain(v) && !strings.Contains(v, ",")
}

// list checks every element of a comma-separated list.
func list(v string, check func(string) bool) (string, bool) {
	parts := strings.Split(v, ",")
	out := parts[:0]
	for _, p := range parts {
		if p = strings.TrimSpace(p); p == "" {
			continue
		}
		if !check(p) {
			return "", false
		}
		out = append(out, p)
	}
	return strings.Join(out, ","), true
}

func names(v string) (string, bool) {
	return list(v, func(p string) bool { return len(p) <= 253 && plain(p) })
}

func ports(v string) (string, bool) {
	return list(v, func(p string) bool {
		if p == "*" {
			return true
		}
		from, to, isRange := strings.Cut(p, "-")
		_, err := strconv.ParseUint(from, 10, 16)
		if err == nil && isRange {
			_, err = strconv.ParseUint(to, 10, 16)
		}
		return err == nil
	})
}

func cidrs(v string) (string, bool) {
	return list(v, func(p string) bool {
		if p == "*" {
			return true
		}
		if _, err := netip.ParsePrefix(p); err == nil {
			return true
		}
		_, err := netip.ParseAddr(p)
		return err == nil
	})
}

func hosts(v string) (string, bool) {
	return list(v, func(p string) bool { return validHost(strings.TrimPrefix(p, "*.")) })
}

func arns(v string) (string, bool) { return list(v, isARN) }

func arnOr(words ...string) validator {
	return func(v string) (string, bool) {
		v = strings.TrimSpace(v)
		return v, isARN(v) || slices.Contains(words, v)
	}
}

func isARN(v string) bool {
	return strings.HasPrefix(v, "arn:aws") && strings.Count(v, ":") >= 5 && plain(v) && !strings.Contains(v, ",")
}

// attributeNames are the beginnings of the attributes of load balancers,
// listeners and target groups. Others are dropped.
var attributeNames = []string{
	"access_logs.", "connection_logs.", "health_check_logs.", "routing.", "deletion_protection.", "idle_timeout.", "client_keep_alive.",
	"load_balancing.", "waf.", "zonal_shift.", "ipv6.", "dns_record.", "secondary_ips.", "stickiness.", "deregistration_delay.",
	"slow_start.", "preserve_client_ip.", "proxy_protocol_v2.", "target_group_health.", "target_health_state.", "tcp.", "lambda.",
	"target_failover.",
}

// attributes keeps "key=value,key=value".
func attributes(v string) (string, bool) {
	var out []string
	for pair := range strings.SplitSeq(v, ",") {
		if strings.TrimSpace(pair) == "" {
			continue
		}
		key, value, ok := strings.Cut(pair, "=")
		key, value = strings.TrimSpace(key), strings.TrimSpace(value)
		if !ok {
			return "", false
		}
		if !slices.ContainsFunc(attributeNames, func(n string) bool { return strings.HasPrefix(key, n) }) {
			continue
		}
		// Header values are the only attributes with free text.
		if !plain(key) || len(key) > 128 || !plain(value) || strings.HasSuffix(key, "header_value") {
			value = redacted
		}
		if !plain(key) || len(key) > 128 {
			continue
		}
		out = append(out, key+"="+value)
	}
	return strings.Join(out, ","), true
}

// listenPorts keeps [{"HTTP":80},{"HTTPS":443}].
func listenPorts(v string) (string, bool) {
	var in []map[string]int32
	if json.Unmarshal([]byte(v), &in) != nil {
		return "", false
	}
	for _, m := range in {
		for protocol, port := range m {
			if !slices.Contains([]string{"HTTP", "HTTPS", "TCP", "TLS", "UDP", "TCP_UDP"}, protocol) || port < 1 || port > 65535 {
				return "", false
			}
		}
	}
	return marshal(in)
}

// mutualAuthentication keeps the mode of each port.
func mutualAuthentication(v string) (string, bool) {
	type entry struct {
		Port       int32  `json:"port"`
		Mode       string `json:"mode"`
		TrustStore string `json:"trustStore,omitempty"`
	}
	var in []entry
	if json.Unmarshal([]byte(v), &in) != nil {
		return "", false
	}
	for i := range in {
		if !slices.Contains([]string{"off", "passthrough", "verify"}, in[i].Mode) {
			return "", false
		}
		if !isARN(in[i].TrustStore) {
			in[i].TrustStore = ""
		}
	}
	return marshal(in)
}

type actionTarget struct {
	TargetGroupARN string              `json:"targetGroupARN,omitempty"`
	ServiceName    string              `json:"serviceName,omitempty"`
	ServicePort    *intstr.IntOrString `json:"servicePort,omitempty"`
	Weight         *int32              `json:"weight,omitempty"`
}

func (t *actionTarget) reduce() {
	if !isARN(t.TargetGroupARN) {
		t.TargetGroupARN = ""
	}
	if _, ok := name(t.ServiceName); !ok {
		t.ServiceName = ""
	}
	if t.ServicePort != nil {
		if _, ok := name(t.ServicePort.StrVal); !ok {
			t.ServicePort = nil
		}
	}
}

// action keeps of an action what says where a request goes. encoding/json
// takes names in any case, as the controller does.
func action(v string) (string, bool) {
	var in struct {
		Type           string `json:"type"`
		TargetGroupARN string `json:"targetGroupARN,omitempty"`
		ForwardConfig  *struct {
			TargetGroups []actionTarget `json:"targetGroups,omitempty"`
		} `json:"forwardConfig,omitempty"`
		RedirectConfig *struct {
			Protocol   string `json:"protocol,omitempty"`
			Port       string `json:"port,omitempty"`
			StatusCode string `json:"statusCode,omitempty"`
		} `json:"redirectConfig,omitempty"`
	}
	if json.Unmarshal([]byte(v), &in) != nil {
		return "", false
	}
	if !slices.Contains([]string{"forward", "redirect", "fixed-response"}, in.Type) {
		return "", false
	}
	if !isARN(in.TargetGroupARN) {
		in.TargetGroupARN = ""
	}
	if in.ForwardConfig != nil {
		for i := range in.ForwardConfig.TargetGroups {
			in.ForwardConfig.TargetGroups[i].reduce()
		}
	}
	if r := in.RedirectConfig; r != nil {
		if !slices.Contains([]string{"", "HTTP", "HTTPS", "#{protocol}"}, r.Protocol) {
			return "", false
		}
		if _, ok := number(r.Port); !ok && r.Port != "" && r.Port != "#{port}" {
			return "", false
		}
		if !slices.Contains([]string{"", "HTTP_301", "HTTP_302"}, r.StatusCode) {
			return "", false
		}
	}
	return marshal(in)
}

// conditions keeps hosts, paths and addresses. Header and query values are how
// an origin is often guarded with a shared secret.
func conditions(v string) (string, bool) {
	type values struct {
		Values []string `json:"values,omitempty"`
	}
	type condition struct {
		Field             string  `json:"field"`
		HostHeaderConfig  *values `json:"hostHeaderConfig,omitempty"`
		PathPatternConfig *values `json:"pathPatternConfig,omitempty"`
		SourceIPConfig    *values `json:"sourceIpConfig,omitempty"`
	}
	var in []condition
	if json.Unmarshal([]byte(v), &in) != nil {
		return "", false
	}
	known := []string{"host-header", "path-pattern", "http-header", "http-request-method", "query-string", "source-ip"}
	for _, c := range in {
		if !slices.Contains(known, c.Field) {
			return "", false
		}
		for _, vs := range []*values{c.HostHeaderConfig, c.PathPatternConfig, c.SourceIPConfig} {
			if vs == nil {
				continue
			}
			for i := range vs.Values {
				if !plain(strings.ReplaceAll(vs.Values[i], "?", "")) {
					vs.Values[i] = redacted
				}
			}
		}
	}
	return marshal(in)
}

// marshal writes JSON without HTML escapes, for people read it.
func marshal(v any) (string, bool) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(v)
	return strings.TrimSuffix(b.String(), "\n"), err == nil
}
