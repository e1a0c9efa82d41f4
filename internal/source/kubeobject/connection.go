package kubeobject

import (
	"net/url"
	"slices"
	"strings"

	"github.com/eksafe/eksafe/internal/estate"
)

// schemes are the schemes of connections that eksafe knows. Others are not
// kept: a scheme is text like any other.
var schemes = map[string]bool{
	"http": true, "https": true, "ws": true, "wss": true, "grpc": true, "grpcs": true, "tcp": true, "tls": true, "ssl": true,
	"postgres": true, "postgresql": true, "mysql": true, "mysqlx": true, "mariadb": true, "sqlserver": true, "mssql": true, "oracle": true,
	"redis": true, "rediss": true, "valkey": true, "valkeys": true, "memcached": true, "amqp": true, "amqps": true,
	"mongodb": true, "mongodb+srv": true, "kafka": true, "nats": true, "mqtt": true, "mqtts": true, "ldap": true, "ldaps": true,
	"smtp": true, "smtps": true, "cassandra": true, "clickhouse": true, "cockroachdb": true, "elasticsearch": true, "opensearch": true,
}

// takesOptions reports whether what follows the host may configure the
// connection.
func takesOptions(scheme string) bool {
	switch scheme {
	case "http", "https", "ws", "wss", "grpc", "grpcs", "tcp", "ldap", "ldaps", "smtp", "smtps":
		return false
	}
	return true
}

// connections adds the peers that v names by URL or DSN and reports whether it
// is one. Only hosts, ports, schemes and TLS settings are taken from it.
func (f *facts) connections(p place, v string) bool {
	if f.goMySQL(p, v) {
		return true
	}
	if strings.Contains(v, "jdbc:oracle:") {
		f.oracle(p, v)
		return true
	}
	found := false
	for n := 0; n < 16; n++ {
		i := strings.Index(v, "://")
		if i < 0 {
			break
		}
		start := i
		for start > 0 && (isAlnum(v[start-1]) || strings.IndexByte("+-.:", v[start-1]) >= 0) {
			start--
		}
		scheme := strings.ToLower(v[start:i])
		rest := v[i+3:]
		end := strings.IndexAny(rest, " \t\r\n\"'`<>|")
		if end < 0 {
			end = len(rest)
		}
		// Lists repeat the scheme: amqp://a,amqp://b.
		if next := strings.Index(rest[:end], "://"); next > 0 {
			if comma := strings.LastIndexByte(rest[:next], ','); comma > 0 {
				end = comma
			}
		}
		if scheme, ok := knownScheme(scheme); ok {
			f.url(p, scheme, rest[:end])
		}
		found = true
		v = rest[end:]
	}
	if found {
		return true
	}
	return f.keyValues(p, v)
}

// knownScheme returns the scheme without its driver: postgresql+psycopg2 is
// postgresql, jdbc:aws-wrapper:mysql is jdbc:mysql.
func knownScheme(s string) (string, bool) {
	if schemes[s] {
		return s, true
	}
	for _, prefix := range [...]string{"jdbc:", "r2dbc:"} {
		rest, ok := strings.CutPrefix(s, prefix)
		if !ok {
			continue
		}
		for part := range strings.SplitSeq(rest, ":") {
			switch part {
			case "postgresql", "mysql", "mariadb", "sqlserver", "redshift", "clickhouse", "db2":
				return "jdbc:" + part, true
			case "mssql":
				return "jdbc:sqlserver", true
			}
		}
		return "", false
	}
	if base, _, ok := strings.Cut(s, "+"); ok && schemes[base] {
		return base, true
	}
	switch s {
	case "postgis", "pgx", "pgx5":
		return "postgres", true
	case "mysql2":
		return "mysql", true
	}
	return "", false
}

// url reads what follows scheme://.
func (f *facts) url(p place, scheme, rest string) {
	options := takesOptions(scheme)
	var query string
	authority := rest
	if i := strings.IndexAny(rest, "/?#;"); i >= 0 {
		authority, rest = rest[:i], rest[i:]
		if j := strings.IndexAny(rest, "?;"); j >= 0 {
			rest, query = rest[:j], rest[j+1:]
		}
	} else {
		rest = ""
	}
	// A password that was not escaped may hold the delimiters, and then what
	// looks like the host is the user or a part of the password.
	split := strings.Contains(rest, "@")
	if strings.Contains(query, "@") && (strings.Contains(authority, "@") || !strings.HasPrefix(scheme, "jdbc:")) {
		split = true // JDBC alone has user=a@b among its options and none before the host
	}
	if options && split || !options && split && !strings.Contains(authority, ".") {
		f.add(p, estate.Fact{Scheme: scheme})
		return
	}
	if i := strings.LastIndexByte(authority, '@'); i >= 0 {
		authority = authority[i+1:]
	}
	var mode, ca string
	if options {
		mode, ca = tlsOptions(query)
	}
	authority, _, _ = strings.Cut(authority, `\`) // SQL Server's instance
	added := false
	for part := range strings.SplitSeq(authority, ",") {
		host, port, ok := hostPort(part)
		if !ok || unspecified(host) {
			continue
		}
		f.add(p, estate.Fact{Scheme: scheme, Host: host, Port: port, TLSMode: mode, CAFile: ca})
		added = true
	}
	if !added {
		f.add(p, estate.Fact{Scheme: scheme, TLSMode: mode, CAFile: ca})
	}
}

// oracle reads the address of Oracle's thin driver, which comes in three
// forms: after the last "@", as host:port:sid, as //host:port/service with an
// optional protocol, or as a description in parentheses.
func (f *facts) oracle(p place, v string) {
	i := strings.LastIndexByte(v, '@')
	fact := estate.Fact{Scheme: "jdbc:oracle"}
	if i < 0 {
		f.add(p, fact)
		return
	}
	v = strings.ToLower(v[i+1:])
	if strings.Contains(v, "tcps") {
		fact.TLSMode = "true"
	}
	if strings.HasPrefix(v, "(") {
		_, host, _ := strings.Cut(v, "(host=")
		host, _, _ = strings.Cut(host, ")")
		_, port, _ := strings.Cut(v, "(port=")
		port, _, _ = strings.Cut(port, ")")
		if host = strings.TrimSpace(host); validHost(host) {
			fact.Host, fact.Port = host, portOf(port)
		}
		f.add(p, fact)
		return
	}
	v = strings.TrimPrefix(strings.TrimPrefix(strings.TrimPrefix(v, "tcps:"), "tcp:"), "//")
	v, _, _ = strings.Cut(v, "/")
	v, _, _ = strings.Cut(v, "?")
	parts := strings.Split(v, ":")
	if len(parts) > 1 {
		fact.Port = portOf(parts[1])
	}
	if validHost(parts[0]) {
		fact.Host = parts[0]
	}
	f.add(p, fact)
}

// goMySQL reads user:password@tcp(host:port)/db?tls=true.
func (f *facts) goMySQL(p place, v string) bool {
	i := strings.LastIndex(v, "tcp(")
	if i < 0 || i > 0 && v[i-1] != '@' {
		return false
	}
	address, rest, ok := strings.Cut(v[i+4:], ")")
	if !ok {
		return false
	}
	fact := estate.Fact{Scheme: "mysql"}
	if host, port, ok := hostPort(address); ok && !unspecified(host) {
		fact.Host, fact.Port = host, port
	}
	if _, query, ok := strings.Cut(rest, "?"); ok {
		fact.TLSMode, fact.CAFile = tlsOptions(query)
		if fact.TLSMode == "" && strings.Contains("&"+query, "&tls=") {
			fact.TLSMode = "custom" // the name of a configuration in the program
		}
	}
	f.add(p, fact)
	return true
}

// tlsOptions reads the TLS settings among options that & or ; separate.
func tlsOptions(query string) (mode, ca string) {
	var o options
	for pair := range strings.FieldsFuncSeq(query, func(r rune) bool { return r == '&' || r == ';' }) {
		k, v, ok := strings.Cut(pair, "=")
		if !ok || len(v) > 512 {
			continue
		}
		if u, err := url.QueryUnescape(v); err == nil {
			v = u
		}
		o.set(k, v)
	}
	return o.mode(), o.ca
}

// options are the TLS options of one connection. Several may stand together,
// and Connector/J and SqlClient spread one mode over them.
type options struct {
	word                   string
	ca                     string
	use, require, verify   string
	encrypt, trustAnything string
}

func (o *options) set(name, value string) {
	key := strings.ToLower(strings.NewReplacer("_", "", "-", "", " ", "").Replace(clip(name, 60)))
	switch key {
	case "sslmode", "tls", "ssl":
		if w, ok := tlsWord(value); ok && (o.word == "" || key == "sslmode") {
			o.word = w
		}
	case "usessl":
		o.use = value
	case "requiressl":
		o.require = value
	case "verifyservercertificate":
		o.verify = value
	case "encrypt":
		o.encrypt = value
	case "trustservercertificate":
		o.trustAnything = value
	case "tlsinsecure", "tlsallowinvalidcertificates", "sslinsecure":
		if on, _ := truth(value); on {
			o.word = "skip-verify"
		}
	case "sslrootcert", "sslca", "serversslcert", "tlscafile", "rootcertificate", "trustcertificatekeystoreurl", "sslcacert", "servercertificate", "truststore":
		if file, ok := pathOf(value); ok {
			o.ca = file
		}
	}
}

// mode returns the client's word. The older switches of Connector/J stand for
// the modes of its sslMode.
func (o *options) mode() string {
	if on, ok := truth(o.trustAnything); ok && on {
		// A strict client verifies all the same, and one that may stay in the
		// clear has nothing to verify.
		encrypt, isSwitch := truth(o.encrypt)
		if isSwitch && encrypt || o.encrypt == "" || strings.EqualFold(o.encrypt, "mandatory") {
			return "trustServerCertificate"
		}
	}
	if o.word != "" {
		return o.word
	}
	if o.encrypt != "" {
		w, _ := tlsWord(o.encrypt)
		return w
	}
	use, known := truth(o.use)
	if !known {
		return ""
	}
	require, _ := truth(o.require)
	verify, _ := truth(o.verify)
	switch {
	case !use:
		return "DISABLED"
	case verify:
		return "VERIFY_CA"
	case require:
		return "REQUIRED"
	default:
		return "PREFERRED"
	}
}

// keyValues reads the DSNs of libpq (host=… sslmode=…) and ADO.NET
// (Server=…;SslMode=…).
func (f *facts) keyValues(p place, v string) bool {
	if strings.Count(v, "=") < 2 || len(v) > maxValue {
		return false
	}
	pairs := libpqPairs(v)
	if strings.Contains(v, ";") {
		pairs = adoPairs(v)
	}
	var o options
	var hosts, ports string
	known := false
	for _, kv := range pairs {
		switch strings.ToLower(kv[0]) {
		case "host", "hostaddr", "server", "data source", "datasource", "address", "addr", "network address":
			hosts, known = kv[1], true
		case "port":
			ports = kv[1]
		default:
			o.set(kv[0], kv[1])
		}
	}
	if !known {
		return false
	}
	port := portOf(ports)
	hosts = strings.TrimPrefix(hosts, "tcp:")
	if before, after, ok := strings.Cut(hosts, ","); ok && portOf(after) > 0 {
		hosts, port = before, portOf(after) // SqlClient: host,port
	}
	hosts, _, _ = strings.Cut(hosts, `\`)
	for part := range strings.SplitSeq(hosts, ",") {
		host, own, ok := hostPort(strings.TrimSpace(part))
		if !ok || unspecified(host) {
			continue
		}
		if own == 0 {
			own = port
		}
		f.add(p, estate.Fact{Host: host, Port: own, TLSMode: o.mode(), CAFile: o.ca})
	}
	return true
}

// libpqPairs splits name=value pairs at spaces; values may stand in single
// quotes.
func libpqPairs(v string) [][2]string {
	var out [][2]string
	for v = strings.TrimSpace(v); v != "" && len(out) < 50; v = strings.TrimSpace(v) {
		name, rest, ok := strings.Cut(v, "=")
		if !ok {
			break
		}
		name = strings.TrimSpace(name)
		if i := strings.LastIndexAny(name, " \t\n"); i >= 0 {
			name = name[i+1:]
		}
		rest = strings.TrimLeft(rest, " \t")
		var value string
		if strings.HasPrefix(rest, "'") {
			end := 1
			for end < len(rest) && rest[end] != '\'' {
				if rest[end] == '\\' {
					end++
				}
				end++
			}
			end = min(end, len(rest))
			value, rest = rest[1:end], rest[min(end+1, len(rest)):]
		} else {
			end := strings.IndexAny(rest, " \t\r\n")
			if end < 0 {
				end = len(rest)
			}
			value, rest = rest[:end], rest[end:]
		}
		out = append(out, [2]string{name, value})
		v = rest
	}
	return out
}

// adoPairs splits name=value pairs at semicolons; values may stand in quotes,
// which is where a password hides its semicolons.
func adoPairs(v string) [][2]string {
	var out [][2]string
	for v != "" && len(out) < 50 {
		name, rest, ok := strings.Cut(v, "=")
		if !ok {
			break
		}
		rest = strings.TrimLeft(rest, " ")
		end := -1
		if rest != "" && slices.Contains([]byte{'"', '\''}, rest[0]) {
			if quote := strings.IndexByte(rest[1:], rest[0]); quote >= 0 {
				if semicolon := strings.IndexByte(rest[quote+2:], ';'); semicolon >= 0 {
					end = quote + 2 + semicolon
				} else {
					end = len(rest)
				}
			}
		}
		if end < 0 {
			if end = strings.IndexByte(rest, ';'); end < 0 {
				end = len(rest)
			}
		}
		out = append(out, [2]string{strings.TrimSpace(strings.TrimLeft(name, "; ")), strings.Trim(strings.TrimSpace(rest[:end]), `"'`)})
		v = rest[min(end+1, len(rest)):]
	}
	return out
}

// bareURL returns a URL without user, query and fragment; what is no URL with
// a host is redacted unless it is a plain word.
func bareURL(v string) string {
	if v == "" {
		return ""
	}
	u, err := url.Parse(v)
	if err != nil {
		return redacted
	}
	if u.Host == "" {
		if plain(v) {
			return v
		}
		return redacted
	}
	return (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}).String()
}
