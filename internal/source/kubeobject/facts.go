package kubeobject

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/eksafe/eksafe/internal/estate"
)

// Bounds on what one object may cost. An attacker chooses the text.
const (
	maxFacts     = 300       // per object
	maxValue     = 8 << 10   // bytes of one variable or argument that are looked at
	maxText      = 256 << 10 // bytes of one ConfigMap value that are looked at
	maxShellWord = 200       // words of one shell command
)

// facts collects what the values of one object say.
type facts struct {
	out []estate.Fact
	env map[string]string // literal variables of the container, for $(NAME)
}

// place is where a value stands.
type place struct {
	field     string
	container string
	name      string
}

func (f *facts) add(p place, fact estate.Fact) {
	if len(f.out) >= maxFacts {
		return
	}
	fact.Field, fact.Container, fact.Name = p.field, p.container, p.name
	f.out = append(f.out, fact)
}

// workloadFacts returns the facts of a pod specification that stands at field.
func workloadFacts(s *corev1.PodSpec, field string) []estate.Fact {
	var f facts
	for i := range s.InitContainers {
		f.container(&s.InitContainers[i], field, "initContainers", i)
	}
	for i := range s.Containers {
		f.container(&s.Containers[i], field, "containers", i)
	}
	return f.out
}

func (f *facts) container(c *corev1.Container, field, listName string, i int) {
	if len(c.Env) == 0 && len(c.EnvFrom) == 0 && len(c.Args) == 0 && len(c.Command) == 0 {
		return
	}
	base := field + "." + listName + "[" + strconv.Itoa(i) + "]"
	f.env = nil
	for j := range c.EnvFrom {
		e := &c.EnvFrom[j]
		p := place{base + ".envFrom[" + strconv.Itoa(j) + "]", c.Name, e.Prefix + "*"}
		if !plain(p.name) {
			p.name = "*"
		}
		if e.ConfigMapRef != nil {
			f.add(p, estate.Fact{ValueFrom: &estate.ValueFrom{Kind: "ConfigMap", Name: e.ConfigMapRef.Name}})
		}
		if e.SecretRef != nil {
			f.add(p, estate.Fact{ValueFrom: &estate.ValueFrom{Kind: "Secret", Name: e.SecretRef.Name}})
		}
	}
	for j := range c.Env {
		e := &c.Env[j]
		if !plain(e.Name) {
			continue
		}
		if from := e.ValueFrom; from != nil {
			p := place{base + ".env[" + strconv.Itoa(j) + "].valueFrom", c.Name, e.Name}
			if r := from.ConfigMapKeyRef; r != nil {
				f.add(p, estate.Fact{ValueFrom: &estate.ValueFrom{Kind: "ConfigMap", Name: r.Name, Key: r.Key}})
			}
			if r := from.SecretKeyRef; r != nil {
				f.add(p, estate.Fact{ValueFrom: &estate.ValueFrom{Kind: "Secret", Name: r.Name, Key: r.Key}})
			}
			continue
		}
		if e.Value == "" {
			continue
		}
		value := f.expand(e.Value)
		if f.env == nil {
			f.env = map[string]string{}
		}
		f.env[e.Name] = value
		f.value(base+".env["+strconv.Itoa(j)+"].value", c.Name, e.Name, value)
	}
	f.words(base+".command[", c.Name, c.Command, true)
	f.words(base+".args[", c.Name, c.Args, true)
}

// expand resolves $(NAME) as the kubelet does, from literal variables only.
func (f *facts) expand(v string) string {
	v = clip(v, maxValue)
	if !strings.Contains(v, "$(") {
		return v
	}
	var b strings.Builder
	for b.Len() < maxValue {
		before, rest, ok := strings.Cut(v, "$(")
		b.WriteString(before)
		if !ok {
			break
		}
		name, after, ok := strings.Cut(rest, ")")
		value, known := f.env[name]
		if !ok || !known {
			b.WriteString("$(")
			v = rest
			continue
		}
		b.WriteString(value)
		v = after
	}
	return clip(b.String(), maxValue)
}

func clip(s string, n int) string {
	if len(s) > n {
		return s[:n]
	}
	return s
}

// words reads arguments: "--flag=value", "--flag value", "-Dname=value",
// "NAME=value", and the words of a shell command.
func (f *facts) words(field, container string, words []string, split bool) {
	flag, flagField := "", ""
	for i, word := range words {
		at := field
		if split {
			at = field + strconv.Itoa(i) + "]"
		}
		word = f.expand(word)
		if split && strings.ContainsAny(word, " \t\n") && !strings.HasPrefix(word, "-") {
			before := len(f.out)
			f.words(at, container, shellWords(word), false)
			if len(f.out) == before {
				f.connections(place{at, container, flag}, word) // a DSN with spaces
			}
			flag = ""
			continue
		}
		name, value, ok := strings.Cut(word, "=")
		isFlag := strings.HasPrefix(word, "-") && len(word) > 1
		switch {
		case isFlag && ok && plain(name):
			f.value(at, container, strings.TrimPrefix(name, "-D"), value)
			flag = ""
		case isFlag && plain(word):
			if flag != "" {
				f.value(flagField, container, flag, "true")
			}
			flag, flagField = word, at
			continue
		case flag != "":
			f.value(at, container, flag, word)
			flag = ""
		case ok && plain(name) && !strings.Contains(name, "/"):
			f.value(at, container, name, value)
		default:
			f.value(at, container, "", word)
		}
	}
	if flag != "" {
		f.value(flagField, container, flag, "true")
	}
}

// shellWords splits a command as far as finding flags needs it.
func shellWords(s string) []string {
	words := strings.FieldsFunc(s, func(r rune) bool {
		return r == ' ' || r == '\t' || r == '\n' || r == '\r' || r == '\'' || r == '"' || r == ';' || r == '|' || r == '&'
	})
	return words[:min(len(words), maxShellWord)]
}

// value adds the facts of one named value.
func (f *facts) value(field, container, name, value string) {
	p := place{field, container, name}
	value = strings.TrimSpace(clip(value, maxText))
	if value == "" {
		return
	}
	var buffer [128]byte
	key := normalize(buffer[:0], name)
	if hasAWSKey(value) || strings.HasSuffix(key, "aws_secret_access_key") && !strings.Contains(value, "$") {
		f.add(p, estate.Fact{AWSKey: true})
		return
	}
	if strings.Contains(value, "-----BEGIN ") {
		if strings.Contains(value, "-----BEGIN CERTIFICATE-----") && !strings.Contains(value, "PRIVATE KEY-----") {
			f.add(p, estate.Fact{CertificatePEM: true})
		}
		return
	}
	if name != "" {
		if role := roleOf(key); role != nil && role(f, p, key, value) {
			return
		}
	}
	if f.connections(p, value) || secretName(key) || name == "" && !strings.Contains(value, ".") {
		return
	}
	f.peers(p, key, value)
}

// hasAWSKey reports whether v holds the ID of a static or temporary access
// key.
func hasAWSKey(v string) bool {
	for _, prefix := range [...]string{"AKIA", "ASIA"} {
		for rest := v; ; {
			i := strings.Index(rest, prefix)
			if i < 0 {
				break
			}
			end := i + len(prefix)
			for end < len(rest) && (rest[end] >= 'A' && rest[end] <= 'Z' || rest[end] >= '0' && rest[end] <= '9') {
				end++
			}
			if end-i == 20 && (i == 0 || !isAlnum(rest[i-1])) && (end == len(rest) || !isAlnum(rest[end])) {
				return true
			}
			rest = rest[end:]
		}
	}
	return false
}

// normalize writes a variable's, flag's or property's name as lower-case
// words: DB_SSL_MODE, --db-ssl-mode, db.sslMode are all db_ssl_mode.
func normalize(b []byte, name string) string {
	name = strings.TrimLeft(name, "-")
	for i := range min(len(name), 100) {
		c := name[i]
		switch {
		case c >= 'A' && c <= 'Z':
			if i > 0 && name[i-1] >= 'a' && name[i-1] <= 'z' {
				b = append(b, '_')
			}
			b = append(b, c+'a'-'A')
		case isAlnum(c):
			b = append(b, c)
		case len(b) > 0 && b[len(b)-1] != '_':
			b = append(b, '_')
		}
	}
	return string(b)
}

// secretName reports whether the value of the name is likely a secret, so that
// no part of it may be taken for a host.
func secretName(key string) bool {
	for _, w := range [...]string{"pass", "pwd", "secret", "token", "credential", "api_key", "apikey", "private", "access_key", "license", "cookie", "salt", "auth_key", "encryption_key"} {
		if strings.Contains(key, w) {
			return true
		}
	}
	return key == "key" || strings.HasSuffix(key, "_key")
}

// A role says what a value means by its name. It reports whether the value is
// used up.
type role func(f *facts, p place, key, value string) bool

// ends reports whether key is one of the words or ends with one of them.
func ends(key string, words ...string) bool {
	for _, w := range words {
		if strings.HasSuffix(key, w) && (len(key) == len(w) || key[len(key)-len(w)-1] == '_') {
			return true
		}
	}
	return false
}

func contains(key string, words ...string) bool {
	for _, w := range words {
		if strings.Contains(key, w) {
			return true
		}
	}
	return false
}

// clientOf are the words by which a certificate or a switch belongs to a
// connection to somewhere else.
var clientOf = []string{"client", "pg", "postgres", "db", "database", "mysql", "maria", "redis", "valkey", "kafka", "mongo", "etcd", "peer", "upstream", "remote", "backend", "rabbit", "amqp", "elastic", "opensearch", "ldap", "smtp", "datasource"}

func roleOf(key string) role {
	switch {
	case key == "enable_network_policy" || key == "enable_network_policy_controller":
		return networkPolicySetting
	case key == "enable_pod_eni" || key == "aws_vpc_k8s_cni_externalsnat":
		return cniSwitch
	case key == "pod_security_group_enforcing_mode" || key == "network_policy_enforcing_mode":
		return cniMode
	case contains(key, "skip_verify", "insecure", "reject_unauthorized", "trust_server_certificate") ||
		ends(key, "verify_server_certificate", "ssl_verify", "tls_verify", "verify_ssl", "verify_tls"):
		return verification
	case contains(key, "ssl", "tls", "ca_", "_ca", "cert", "trust", "https", "secure_port", "security_protocol", "encrypt", "keystore", "key_store") || key == "ca" || key == "cacert":
		return tlsSetting
	case strings.HasSuffix(key, "port") && !ends(key, "support", "report", "export", "import", "transport", "viewport"):
		return portSetting
	case ends(key, "urls", "url") && contains(key, "aspnetcore", "kestrel"):
		return listenURLs
	}
	return nil
}

func listenURLs(f *facts, p place, _, value string) bool {
	for u := range strings.SplitSeq(value, ";") {
		if rest, ok := strings.CutPrefix(strings.TrimSpace(strings.ToLower(u)), "https://"); ok {
			f.add(p, estate.Fact{ServesTLS: p.name, Port: portOf(rest[strings.LastIndexByte(rest, ':')+1:])})
		}
	}
	return true
}

// verification reads switches that turn the check of the server off.
func verification(f *facts, p place, key, value string) bool {
	on, ok := truth(value)
	if !ok {
		return false
	}
	switch {
	case contains(key, "trust_server_certificate"):
		if on {
			f.add(p, estate.Fact{TLSMode: "trustServerCertificate"})
		}
	case contains(key, "skip_verify", "insecure"):
		if on {
			f.add(p, estate.Fact{TLSMode: "skip-verify"})
		}
	case !on:
		f.add(p, estate.Fact{TLSMode: "skip-verify"})
	}
	return true
}

func tlsSetting(f *facts, p place, key, value string) bool {
	if secretName(key) && !ends(key, "ssl_key", "tls_key") && !contains(key, "key_store", "keystore") || contains(key, "pass") {
		return false
	}
	isClient := contains(key, clientOf...)
	switch {
	case contains(key, "client_ca"): // whom a server trusts, not whom a client does
		return true
	case key == "ssl_cert_file" || key == "ssl_cert_dir" || // OpenSSL's and Go's trusted bundle
		ends(key, "sslrootcert", "ssl_root_cert", "root_cert", "rootcert", "root_ca", "sslca", "ca", "ca_file", "cafile", "ca_cert", "cacert", "ca_certs", "cacerts",
			"ca_bundle", "ca_path", "ca_certificate", "ca_pem", "extra_ca_certs", "truststore", "trust_store", "truststore_location", "trust_store_path",
			"trust_certificate_key_store_url", "trusted_ca_file", "pgsslrootcert"):
		if file, ok := pathOf(value); ok {
			f.add(p, estate.Fact{CAFile: file})
			return true
		}
		return false
	case ends(key, "secure_port", "https_port", "https_ports", "tls_port", "ssl_port"):
		port := portOf(value)
		if port > 0 && !isClient {
			f.add(p, estate.Fact{ServesTLS: p.name, Port: port})
		} else if port > 0 {
			f.add(p, estate.Fact{Port: port})
		}
		return port > 0
	case contains(key, "server_ssl", "server_tls", "serve_tls", "serving_cert", "listen_tls", "web_tls", "http_tls", "http_ssl"):
		on, isSwitch := truth(value)
		_, isPath := pathOf(value)
		if isSwitch && on || isPath {
			f.add(p, estate.Fact{ServesTLS: p.name})
		}
		return isSwitch || isPath
	case ends(key, "cert", "certs", "cert_file", "certfile", "certificate", "certificate_file", "crt", "cert_path", "certificate_path", "cert_pem", "tls_key", "key_file", "ssl_key", "keystore", "key_store", "private_key_file"):
		_, isPath := pathOf(value)
		if isPath && !isClient {
			f.add(p, estate.Fact{ServesTLS: p.name})
		}
		return isPath
	case ends(key, "sslmode", "pgsslmode", "ssl_mode", "tls_mode", "tlsmode", "security_protocol", "ssl", "tls", "use_ssl", "use_tls", "usessl", "usetls", "require_ssl", "requiressl",
		"ssl_enabled", "tls_enabled", "ssl_enable", "tls_enable", "enable_ssl", "enable_tls", "with_ssl", "with_tls", "encrypt", "require_secure_transport") || strings.HasSuffix(key, "sslmode"):
		if mode, ok := tlsWord(value); ok {
			f.add(p, estate.Fact{TLSMode: mode})
			return true
		}
	}
	return false
}

func portSetting(f *facts, p place, _, value string) bool {
	if port := portOf(value); port > 0 {
		f.add(p, estate.Fact{Port: port})
		return true
	}
	return false
}

func networkPolicySetting(f *facts, p place, _, value string) bool {
	on, ok := truth(value)
	if ok {
		f.add(p, estate.Fact{NetworkPolicy: strconv.FormatBool(on)})
	}
	return ok
}

// cniSwitch and cniMode read what the VPC CNI is told of traffic. What it would
// not understand is no fact: it then has its default.
func cniSwitch(f *facts, p place, _, value string) bool {
	on, ok := truth(value)
	if ok {
		f.add(p, estate.Fact{Setting: strconv.FormatBool(on)})
	}
	return ok
}

func cniMode(f *facts, p place, _, value string) bool {
	mode := strings.ToLower(value)
	if mode != "standard" && mode != "strict" {
		return false
	}
	f.add(p, estate.Fact{Setting: mode})
	return true
}

func portOf(v string) int32 {
	n, err := strconv.ParseUint(strings.TrimPrefix(strings.TrimSpace(v), ":"), 10, 16)
	if err != nil {
		return 0
	}
	return int32(n)
}

func truth(v string) (on, ok bool) {
	switch strings.ToLower(v) {
	case "true", "yes", "on", "1", "enabled":
		return true, true
	case "false", "no", "off", "0", "disabled":
		return false, true
	}
	return false, false
}

// tlsWords are the modes of the clients that eksafe knows: libpq, MySQL and
// MariaDB, Connector/J, go-sql-driver, SqlClient, node-postgres, Kafka.
var tlsWords = []string{
	"disable", "allow", "prefer", "require", "verify-ca", "verify-full", "no-verify",
	"DISABLED", "PREFERRED", "REQUIRED", "VERIFY_CA", "VERIFY_IDENTITY", "verify_full", "trust",
	"skip-verify", "custom", "strict", "mandatory", "optional", "trustServerCertificate",
	"VerifyCA", "VerifyFull", "Prefered", "None",
	"SSL", "SASL_SSL", "PLAINTEXT", "SASL_PLAINTEXT",
}

// tlsWord keeps a mode in the client's spelling, and a switch as true or
// false.
func tlsWord(v string) (string, bool) {
	for _, w := range tlsWords {
		if strings.EqualFold(w, v) {
			return v, true
		}
	}
	if on, ok := truth(v); ok {
		return strconv.FormatBool(on), true
	}
	return "", false
}

// pathOf keeps the path of a file.
func pathOf(v string) (string, bool) {
	v = strings.TrimPrefix(strings.TrimPrefix(v, "file://"), "file:")
	if len(v) > 255 || !plain(v) || strings.Contains(v, "//") || strings.ContainsAny(v, "@,*+") {
		return "", false
	}
	if strings.HasPrefix(v, "/") || strings.HasPrefix(v, "./") || strings.HasPrefix(v, "classpath:") {
		return v, true
	}
	for _, ext := range [...]string{".pem", ".crt", ".cer", ".cert", ".jks", ".p12", ".pfx", ".key"} {
		if strings.HasSuffix(v, ext) {
			return v, true
		}
	}
	return "", false
}

// hostEnds are the last words of names whose value is a host even without a
// dot.
var hostEnds = []string{"hostname", "hosts", "addr", "addrs", "address", "addresses", "url", "uri", "urls", "endpoint", "endpoints", "server", "servers", "broker", "brokers", "bootstrap", "nodes", "node", "writer", "reader", "upstream"}

// knownDomains are the ends of names that are hosts whatever they are called.
var knownDomains = []string{".amazonaws.com", ".amazonaws.com.cn", ".on.aws", ".aws", ".svc", ".cluster.local", ".local", ".internal", ".com", ".net", ".org", ".io", ".dev", ".cloud", ".app"}

// peers reads a value that is nothing but host[:port] or a list of them.
func (f *facts) peers(p place, key, value string) {
	named := strings.HasSuffix(key, "host") || ends(key, hostEnds...)
	if !named && len(value) > 512 {
		return
	}
	var found []estate.Fact
	for part := range strings.SplitSeq(value, ",") {
		part = strings.TrimSpace(part)
		if part == "" {
			continue
		}
		if i := strings.IndexByte(part, '/'); named && i > 0 {
			part = part[:i]
		}
		host, port, ok := hostPort(part)
		if !ok || len(found) >= 50 {
			return
		}
		if unspecified(host) {
			if port > 0 {
				found = append(found, estate.Fact{Port: port})
			}
			continue
		}
		if !named && !isPeerName(part, host, port) {
			return
		}
		found = append(found, estate.Fact{Host: host, Port: port})
	}
	for _, fact := range found {
		f.add(p, fact)
	}
}

// isPeerName reports whether a value whose name says nothing is a host: it is
// written as one, and ends as one.
func isPeerName(written, host string, port int32) bool {
	if written != strings.ToLower(written) || !strings.Contains(host, ".") {
		return false
	}
	if _, err := netip.ParseAddr(host); err == nil {
		return port > 0
	}
	return slices.ContainsFunc(knownDomains, func(d string) bool { return strings.HasSuffix(host, d) })
}

func unspecified(host string) bool {
	a, err := netip.ParseAddr(host)
	return host == "" || err == nil && a.IsUnspecified()
}

// hostPort splits "host", "host:port", "[::1]:port" and ":port".
func hostPort(v string) (host string, port int32, ok bool) {
	if a, err := netip.ParseAddr(v); err == nil {
		return a.String(), 0, true
	}
	if rest, bracket := strings.CutPrefix(v, "["); bracket {
		inner, after, closed := strings.Cut(rest, "]")
		a, err := netip.ParseAddr(inner)
		if !closed || err != nil {
			return "", 0, false
		}
		if after == "" {
			return a.WithZone("").String(), 0, true
		}
		port = portOf(strings.TrimPrefix(after, ":"))
		return a.WithZone("").String(), port, port > 0 && after[0] == ':'
	}
	host, digits, hasPort := strings.Cut(v, ":")
	if hasPort {
		if port = portOf(digits); port == 0 || strings.HasPrefix(digits, ":") {
			return "", 0, false
		}
	}
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	if host == "" {
		return "", port, hasPort
	}
	return host, port, validHost(host)
}

// validHost reports whether v is written as a DNS name or an address. Words
// that are numbers or longer than a label may be are none.
func validHost(v string) bool {
	if v == "" || len(v) > 253 {
		return false
	}
	letters := false
	for label := range strings.SplitSeq(v, ".") {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
		for i := range len(label) {
			c := label[i]
			if !isAlnum(c) && c != '-' && c != '_' {
				return false
			}
			letters = letters || c < '0' || c > '9'
		}
	}
	if !letters {
		_, err := netip.ParseAddr(v)
		return err == nil
	}
	_, isSwitch := truth(v)
	return !isSwitch
}
