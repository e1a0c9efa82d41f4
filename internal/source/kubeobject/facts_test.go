package kubeobject

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"

	"github.com/eksafe/eksafe/internal/estate"
)

// short writes a fact as one line: scheme://host:port mode ca and marks.
func short(f estate.Fact) string {
	var out []string
	if f.Scheme != "" || f.Host != "" || f.Port != 0 {
		s := f.Scheme + "://" + f.Host
		if f.Port != 0 {
			s += ":" + itoa(f.Port)
		}
		out = append(out, s)
	}
	if f.TLSMode != "" {
		out = append(out, "mode="+f.TLSMode)
	}
	if f.CAFile != "" {
		out = append(out, "ca="+f.CAFile)
	}
	if f.AWSKey {
		out = append(out, "awskey")
	}
	if f.CertificatePEM {
		out = append(out, "pem")
	}
	if f.ServesTLS != "" {
		out = append(out, "serves="+f.ServesTLS)
	}
	if f.NetworkPolicy != "" {
		out = append(out, "networkPolicy="+f.NetworkPolicy)
	}
	if f.Setting != "" {
		out = append(out, "setting="+f.Setting)
	}
	if f.ValueFrom != nil {
		out = append(out, "from="+f.ValueFrom.Kind+"/"+f.ValueFrom.Name+"/"+f.ValueFrom.Key)
	}
	if f.Server != nil {
		data, _ := json.Marshal(f.Server)
		out = append(out, string(data))
	}
	return strings.Join(out, " ")
}

func shorts(facts []estate.Fact) string {
	var out []string
	for _, f := range facts {
		out = append(out, short(f))
	}
	return strings.Join(out, "\n")
}

func TestValues(t *testing.T) {
	for _, test := range []struct{ name, value, want string }{
		{"DATABASE_URL", "postgres://u:p@db.example.com:5432/shop?sslmode=verify-full&sslrootcert=/etc/rds/ca.pem", "postgres://db.example.com:5432 mode=verify-full ca=/etc/rds/ca.pem"},
		{"--enable-network-policy", "true", "networkPolicy=true"},
		{"enable-network-policy-controller", "false", "networkPolicy=false"},
		{"enable-network-policy-controller", "perhaps", ""},
		{"ENABLE_POD_ENI", "True", "setting=true"},
		{"AWS_VPC_K8S_CNI_EXTERNALSNAT", "false", "setting=false"},
		{"AWS_VPC_K8S_CNI_EXTERNALSNAT", "hunter2", ""},
		{"POD_SECURITY_GROUP_ENFORCING_MODE", "standard", "setting=standard"},
		{"NETWORK_POLICY_ENFORCING_MODE", "strict", "setting=strict"},
		{"NETWORK_POLICY_ENFORCING_MODE", "hunter2", ""},
		{"DATABASE_URL", "postgresql+psycopg2://u:p@db.example.com/shop", "postgresql://db.example.com"},
		{"DATABASE_URL", "postgres://u:p@ss/word@db.example.com/shop", "postgres://"},
		{"DATABASE_URL", "postgres://user/word@db.example.com/shop", "postgres://"},
		{"DATABASE_URL", "postgres://user:12?x@db/shop", "postgres://"},
		{"DATABASE_URL", "postgres://user:@A;@db.example.com/shop", "postgres://"},
		{"DATABASE_URL", "postgres://user:p%40@db.example.com/shop", "postgres://db.example.com"},
		{"DATABASE_URL", "jdbc:postgresql://db.example.com/shop?user=a@b&password=c", "jdbc:postgresql://db.example.com"},
		{"SPRING_DATASOURCE_URL", "jdbc:postgresql://a.example.com:5432,b.example.com/shop?ssl=true", "jdbc:postgresql://a.example.com:5432 mode=true\njdbc:postgresql://b.example.com mode=true"},
		{"spring.datasource.url", "jdbc:mysql://db:3306/shop?useSSL=true&requireSSL=true&verifyServerCertificate=false", "jdbc:mysql://db:3306 mode=REQUIRED"},
		{"X", "jdbc:mysql://db:3306/shop?useSSL=false", "jdbc:mysql://db:3306 mode=DISABLED"},
		{"X", "jdbc:mysql://db/shop?useSSL=true", "jdbc:mysql://db mode=PREFERRED"},
		{"X", "jdbc:mysql://db/shop?useSSL=true&verifyServerCertificate=true&trustCertificateKeyStoreUrl=file:/etc/ca.jks", "jdbc:mysql://db mode=VERIFY_CA ca=/etc/ca.jks"},
		{"X", "jdbc:mysql:aws://db/shop?sslMode=VERIFY_IDENTITY", "jdbc:mysql://db mode=VERIFY_IDENTITY"},
		{"X", "jdbc:aws-wrapper:postgresql://db.example.com/shop", "jdbc:postgresql://db.example.com"},
		{"X", `jdbc:sqlserver://db.example.com\inst:1433;databaseName=a;encrypt=true;trustServerCertificate=true;password=x`, "jdbc:sqlserver://db.example.com mode=trustServerCertificate"},
		{"X", "jdbc:sqlserver://db.example.com:1433;encrypt=true", "jdbc:sqlserver://db.example.com:1433 mode=true"},
		{"X", "jdbc:oracle:thin:scott/tiger@db.example.com:1521:ORCL", "jdbc:oracle://db.example.com:1521"},
		{"X", "jdbc:oracle:thin:@tcps://db.example.com:2484/svc", "jdbc:oracle://db.example.com:2484 mode=true"},
		{"X", "jdbc:oracle:thin:@(DESCRIPTION=(ADDRESS=(PROTOCOL=TCPS)(HOST=db.example.com)(PORT=2484)))", "jdbc:oracle://db.example.com:2484 mode=true"},
		{"REDIS_URL", "rediss://:secret@cache.example.com:6379/0", "rediss://cache.example.com:6379"},
		{"MONGO", "mongodb+srv://u:p@cluster.example.com/db?tls=true", "mongodb+srv://cluster.example.com mode=true"},
		{"MONGO", "mongodb://u:p@a.example.com:27017,b.example.com:27017/db", "mongodb://a.example.com:27017\nmongodb://b.example.com:27017"},
		{"AMQP", "amqps://u:p@a.example.com,amqp://u:p@b.example.com", "amqps://a.example.com\namqp://b.example.com"},
		{"API", "https://api.example.com/v1?token=abc", "https://api.example.com"},
		{"API", "http://orders:8080/", "http://orders:8080"},
		{"KAFKA_BROKERS", "b-1.example.com:9094,b-2.example.com:9094", "://b-1.example.com:9094\n://b-2.example.com:9094"},
		{"KAFKA_SECURITY_PROTOCOL", "SASL_SSL", "mode=SASL_SSL"},
		{"DSN", "host=db.example.com port=5432 user=a password='x host=evil' sslmode=require sslrootcert=/ca.pem", "://db.example.com:5432 mode=require ca=/ca.pem"},
		{"DSN", "user:pw@tcp(db.example.com:3306)/shop?tls=skip-verify", "mysql://db.example.com:3306 mode=skip-verify"},
		{"ConnectionStrings__Db", "Server=db.example.com;Port=3306;Password='a;Server=evil';SslMode=VerifyFull", "://db.example.com:3306 mode=VerifyFull"},
		{"ConnectionStrings__Db", "Server=db.example.com;Encrypt=Strict;TrustServerCertificate=True", "://db.example.com mode=Strict"},
		{"DSN", "user:pw@tcp(db.example.com:3306)/shop?tls=rds", "mysql://db.example.com:3306 mode=custom"},
		{"ConnectionStrings__Db", "Server=tcp:db.example.com,1433;Encrypt=True;TrustServerCertificate=True", "://db.example.com:1433 mode=trustServerCertificate"},
		{"ConnectionStrings__Db", "Host=db.example.com;SSL Mode=require;Root Certificate=/ca.pem", "://db.example.com mode=require ca=/ca.pem"},
		{"DB_HOST", "mysql", "://mysql"},
		{"PGHOST", "db.example.com:5432", "://db.example.com:5432"},
		{"ANY", "shop.abc.eu-west-1.rds.amazonaws.com", "://shop.abc.eu-west-1.rds.amazonaws.com"},
		{"ANY", "some.word", ""},
		{"DB_PASSWORD", "shop.example.com", ""},
		{"LISTEN_ADDR", "0.0.0.0:8080", "://:8080"},
		{"LISTEN_ADDR", ":8080", "://:8080"},
		{"DB_PORT", "5432", "://:5432"},
		{"PASSPORT", "A12345", ""},
		{"PGSSLMODE", "require", "mode=require"},
		{"DB_SSL_MODE", "REQUIRED", "mode=REQUIRED"},
		{"db.sslMode", "canary", ""},
		{"REDIS_TLS", "yes", "mode=true"},
		{"NODE_TLS_REJECT_UNAUTHORIZED", "0", "mode=skip-verify"},
		{"DB_SSL_CA", "/etc/rds/ca.pem", "ca=/etc/rds/ca.pem"},
		{"PGSSLROOTCERT", "/etc/rds/ca.pem", "ca=/etc/rds/ca.pem"},
		{"SSL_CERT_FILE", "/etc/ca.pem", "ca=/etc/ca.pem"},
		{"NODE_EXTRA_CA_CERTS", "/etc/ca.pem", "ca=/etc/ca.pem"},
		{"--tls-cert-file", "/tls/tls.crt", "serves=--tls-cert-file"},
		{"TLS_CERT", "/tls/tls.crt", "serves=TLS_CERT"},
		{"SERVER_SSL_ENABLED", "true", "serves=SERVER_SSL_ENABLED"},
		{"SERVER_SSL_ENABLED", "false", ""},
		{"SERVER_SSL_KEY_STORE", "classpath:keystore.p12", "serves=SERVER_SSL_KEY_STORE"},
		{"--secure-port", "6443", "://:6443 serves=--secure-port"},
		{"--secure-port", "0", ""},
		{"ASPNETCORE_URLS", "https://+:8443;http://+:8080", "://:8443 serves=ASPNETCORE_URLS"},
		{"ASPNETCORE_HTTPS_PORTS", "8443", "://:8443 serves=ASPNETCORE_HTTPS_PORTS"},
		{"--etcd-certfile", "/tls/tls.crt", ""},
		{"--client-ca-file", "/tls/ca.crt", ""},
		{"KEY", "AKIAIOSFODNN7EXAMPLE", "awskey"},
		{"KEY", "AKIAIOSFODNN7EXAMPLEX", ""},
		{"AWS_SECRET_ACCESS_KEY", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "awskey"},
		{"AWS_SECRET_ACCESS_KEY", "${FROM_VAULT}", ""},
		{"CA", "-----BEGIN CERTIFICATE-----\nMII\n-----END CERTIFICATE-----\n", "pem"},
		{"BOTH", "-----BEGIN CERTIFICATE-----\n-----BEGIN PRIVATE KEY-----\n", ""},
	} {
		var f facts
		f.value("f", "c", test.name, test.value)
		if diff := cmp.Diff(test.want, shorts(f.out)); diff != "" {
			t.Errorf("%s=%s (-want +got):\n%s", test.name, test.value, diff)
		}
	}
}

func TestContainer(t *testing.T) {
	spec := corev1.PodSpec{Containers: []corev1.Container{{
		Name: "main",
		EnvFrom: []corev1.EnvFromSource{
			{SecretRef: &corev1.SecretEnvSource{LocalObjectReference: corev1.LocalObjectReference{Name: "db"}}},
		},
		Env: []corev1.EnvVar{
			{Name: "HOST", Value: "db.example.com"},
			{Name: "URL", Value: "postgres://app:$(PASSWORD)@$(HOST):5432/shop?sslmode=disable"},
			{Name: "PASSWORD", ValueFrom: &corev1.EnvVarSource{SecretKeyRef: &corev1.SecretKeySelector{
				LocalObjectReference: corev1.LocalObjectReference{Name: "db"}, Key: "password"}}},
		},
		Command: []string{"sh", "-c", "exec app --db-host=$(HOST) --ssl-mode REQUIRED -Dspring.datasource.url=jdbc:mysql://db2.example.com/x"},
		Args:    []string{"--tls-cert-file", "/tls/tls.crt", "--verbose", "--ssl-ca=/ca.pem"},
	}}}
	var got []string
	for _, f := range workloadFacts(&spec, "spec.template.spec") {
		got = append(got, f.Field+" "+f.Name+" "+short(f))
	}
	base := "spec.template.spec.containers[0]."
	want := []string{
		base + "envFrom[0] * from=Secret/db/",
		base + "env[0].value HOST ://db.example.com",
		base + "env[1].value URL postgres://db.example.com:5432 mode=disable",
		base + "env[2].valueFrom PASSWORD from=Secret/db/password",
		base + "command[2] --db-host ://db.example.com",
		base + "command[2] --ssl-mode mode=REQUIRED",
		base + "command[2] spring.datasource.url jdbc:mysql://db2.example.com",
		base + "args[1] --tls-cert-file serves=--tls-cert-file",
		base + "args[3] --ssl-ca ca=/ca.pem",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("facts (-want +got):\n%s", diff)
	}
}

func TestConfigMapText(t *testing.T) {
	for _, test := range []struct {
		name, key, text string
		want            []string // name and fact
	}{
		{"properties", "application.properties", "# http://no.example.com\nspring.datasource.url=jdbc:postgresql://db.example.com/x\nserver.port=8080\nserver.ssl.enabled=true\n", []string{
			"spring.datasource.url jdbc:postgresql://db.example.com", "server.port ://:8080", "server.ssl.enabled serves=server.ssl.enabled"}},
		{"nested yaml", "config.yaml", "database:\n  host: db.example.com # main\n  port: 5432\n  sslmode: \"verify-full\"\nother: x\n", []string{
			"database.host ://db.example.com", "database.port ://:5432", "database.sslmode mode=verify-full"}},
		{"env", ".env", "export DB_HOST=db\nDB_PASSWORD=shop.example.com\n", []string{"DB_HOST ://db"}},
		{"ini", "my.ini", "[client]\nhost = db.example.com\nssl-ca = /ca.pem\nssl-mode = VERIFY_CA\n", []string{
			"host ://db.example.com", "ssl-ca ca=/ca.pem", "ssl-mode mode=VERIFY_CA"}},
		{"json on one line", "c.json", `{"db":{"host":"db.example.com","port":5432},"list":["http://a.example.com"]}`, []string{
			"db.host ://db.example.com", "db.port ://:5432", "list http://a.example.com"}},
		{"json", "c.json", "{\n  \"db\": {\n    \"host\": \"db.example.com\",\n    \"ssl\": true\n  }\n}\n", []string{
			"host ://db.example.com", "ssl mode=true"}},
		{"plain", "DB_HOST", "db.example.com", []string{"DB_HOST ://db.example.com"}},
		{"toml", "c.toml", "[db]\nurl = \"mysql://u:p@db.example.com/x\"\n", []string{"url mysql://db.example.com"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			var got []string
			for _, f := range configMapFacts(map[string]string{test.key: test.text}) {
				if want := "data[" + test.key + "]"; f.Field != want {
					t.Errorf("field %s, want %s", f.Field, want)
				}
				got = append(got, f.Name+" "+short(f))
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("facts (-want +got):\n%s", diff)
			}
		})
	}
}

func TestProxies(t *testing.T) {
	for _, test := range []struct {
		name, key, text string
		want            []estate.Server
	}{
		{"nginx", "nginx.conf", `
user nginx; # a comment with { and "
http {
  ssl_protocols TLSv1.2 TLSv1.3;
  log_format main '$remote_addr { "$request" }';
  upstream app { server 127.0.0.1:8080; server [::1]:8081 backup; }
  server {
    listen 8443 ssl http2;
    listen [::]:8443 ssl;
    ssl_certificate /etc/tls/tls.crt;
    ssl_certificate_key /etc/tls/tls.key;
    add_header Strict-Transport-Security "max-age=31536000" always;
    location / { proxy_pass http://app/x; }
    location /b { if ($x) { return 301; } proxy_pass https://b.example.com; }
  }
  server { listen 127.0.0.1:9090; }
}
stream { server { listen 3306 ssl; ssl_certificate /s.crt; proxy_pass db.example.com:3306; } }
`, []estate.Server{
			{Software: "nginx", Port: 8443, TLS: true, Certificate: "/etc/tls/tls.crt", Protocols: []string{"TLSv1.2", "TLSv1.3"}, Upstreams: []string{"http://127.0.0.1:8080", "http://[::1]:8081", "https://b.example.com:443"}, HSTS: true},
			{Software: "nginx", Port: 9090, Loopback: true},
			{Software: "nginx", Port: 3306, TLS: true, Certificate: "/s.crt", Upstreams: []string{"tcp://db.example.com:3306"}},
		}},
		{"nginx cut off", "default.conf", "server {\n listen 80;\n location / { proxy_pass http://127.0.0.1:3000", []estate.Server{{Software: "nginx", Port: 80}}},
		{"nginx comment", "default.conf", "server {\n # listen 443 ssl;\n listen 8080;\n}", []estate.Server{{Software: "nginx", Port: 8080}}},
		{"haproxy", "haproxy.cfg", `
global
  log stdout
frontend web
  bind :8443 ssl crt /etc/tls/site.pem
  bind 127.0.0.1:8404
  http-response set-header Strict-Transport-Security max-age=1
  default_backend app
backend app
  server a 127.0.0.1:8080 check
  server b b.example.com:8443 ssl verify none
`, []estate.Server{
			{Software: "haproxy", Port: 8443, TLS: true, Certificate: "/etc/tls/site.pem", Upstreams: []string{"http://127.0.0.1:8080", "https://b.example.com:8443"}, HSTS: true},
			{Software: "haproxy", Port: 8404, Loopback: true, Upstreams: []string{"http://127.0.0.1:8080", "https://b.example.com:8443"}, HSTS: true},
		}},
		{"envoy", "envoy.yaml", `
static_resources:
  listeners:
  - address: {socket_address: {address: 0.0.0.0, port_value: 8443}}
    filter_chains:
    - transport_socket:
        name: envoy.transport_sockets.tls
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext
          common_tls_context:
            tls_params: {tls_minimum_protocol_version: TLSv1_2}
            tls_certificates:
            - certificate_chain: {filename: /tls/tls.crt}
              private_key: {filename: /tls/tls.key}
      filters:
      - name: envoy.filters.network.http_connection_manager
        typed_config:
          route_config:
            virtual_hosts:
            - routes:
              - route: {cluster: app}
  clusters:
  - name: app
    load_assignment:
      endpoints:
      - lb_endpoints:
        - endpoint: {address: {socket_address: {address: 127.0.0.1, port_value: 8080}}}
`, []estate.Server{{Software: "envoy", Port: 8443, TLS: true, Certificate: "/tls/tls.crt", Protocols: []string{"TLSv1.2", "TLSv1.3"}, Upstreams: []string{"http://127.0.0.1:8080"}}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, proxyServers(test.key, test.text)); diff != "" {
				t.Errorf("servers (-want +got):\n%s", diff)
			}
		})
	}
}

// What one object may cost is bounded.
func TestFactsAreBounded(t *testing.T) {
	text := strings.Repeat("host: db.example.com\n", 100_000)
	if n := len(configMapFacts(map[string]string{"a.yaml": text, "b.yaml": text})); n != maxFacts {
		t.Errorf("%d facts, want %d", n, maxFacts)
	}
	deep := strings.Repeat("a {", 100_000) + "listen server"
	if n := len(proxyServers("nginx.conf", deep)); n != 0 {
		t.Errorf("%d servers in nonsense", n)
	}
}

func FuzzFacts(f *testing.F) {
	for _, seed := range []string{
		"postgres://u:p@h:5432/d?sslmode=require", "host=a port=1 password='x'", "u:p@tcp(h:1)/d?tls=true", "Server=a;Password='b;c';Encrypt=true",
		"jdbc:oracle:thin:@(HOST=a)(PORT=1)", "{\"a\":[1,{\"b\":\"http://c\"}]}", "a:\n  b: c\n- d=e\n", "--flag value --x=y", "[::1]:80", "$(A)$(B",
	} {
		f.Add("DB_HOST", seed)
	}
	f.Fuzz(func(t *testing.T, name, value string) {
		var x facts
		x.value("f", "c", name, value)
		x.words("args[", "c", []string{value, name, "--" + name, value}, true)
		x.text(name, value)
		if len(x.out) > maxFacts {
			t.Fatalf("%d facts", len(x.out))
		}
		for _, fact := range x.out {
			if fact.Host != "" && !validHost(strings.ToLower(fact.Host)) && !strings.Contains(fact.Host, ":") {
				t.Fatalf("host %q", fact.Host)
			}
		}
	})
}

// FuzzUserinfo plants a password in front of the host of a URL.
func FuzzUserinfo(f *testing.F) {
	f.Add("secret")
	f.Add("a/b@c")
	f.Add("a?b#c")
	f.Fuzz(func(t *testing.T, password string) {
		if strings.ContainsAny(password, " \t\r\n\"'`<>|,") {
			t.Skip("a character that no URL holds")
		}
		var x facts
		x.value("f", "c", "DATABASE_URL", "postgres://user:"+password+"@db.example.com/shop")
		for _, fact := range x.out {
			if fact.Host != "" && fact.Host != "db.example.com" && !strings.Contains(password, "://") {
				t.Fatalf("host %q of password %q", fact.Host, password)
			}
		}
	})
}

func FuzzProxies(f *testing.F) {
	f.Add("server { listen 80; proxy_pass http://a:1; }")
	f.Add("frontend a\n bind :80 ssl crt /a\n default_backend b\nbackend b\n server c d:1\n")
	f.Add("static_resources: {listeners: [{address: {socket_address: {port_value: 1}}}]}")
	f.Fuzz(func(t *testing.T, text string) {
		for _, servers := range [][]estate.Server{nginxServers(text), haproxyServers(text), envoyServers(text)} {
			if len(servers) > maxServers {
				t.Fatalf("%d servers", len(servers))
			}
		}
	})
}
