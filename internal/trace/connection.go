package trace

import (
	"cmp"
	"regexp"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/eksafe/eksafe/internal/estate"
)

// A connection is what one container is told of one peer, gathered from the
// facts about it: host, port and scheme from one variable, the TLS mode and the
// CA bundle perhaps from others.
type connection struct {
	workload  *estate.Workload
	container corev1.Container
	scheme    string
	host      string
	port      int32
	tlsMode   string
	caFile    string
	at        Place // where the host is written
	modeAt    Place // where the TLS mode is written, else at
	// hidden is true where a variable that may set the mode comes from a
	// Secret, which is not read.
	hidden bool
}

// settingRE cuts the end of a variable's name that says what it sets, so that
// DB_HOST, DB_PORT and DB_SSL_MODE are found to speak of one peer.
var settingRE = regexp.MustCompile(`_?(HOST_?NAME|HOST|URL|URI|DSN|CONNECTION_?STRING|ENDPOINT|ADDRESS|ADDR|SERVERS?|BROKERS?|PORT|` +
	`(SSL|TLS)_?(MODE|ROOT_?CERT|CA|CA_?FILE|CERT|CA_?CERT|VERIFY|ENABLED|REQUIRE)?|CA_?(FILE|CERT|BUNDLE|PATH)?|ENCRYPT|` +
	`TRUST_?SERVER_?CERTIFICATE|USE_?SSL|REQUIRE_?SSL|REPLICA_HOST|READER_HOST)$`)

// subject returns the part of a variable's name that says of which peer it
// speaks: "DB" for DB_HOST and --db-host.
func settingSubject(variable string) string {
	s := strings.ToUpper(strings.TrimLeft(variable, "-"))
	s = strings.NewReplacer("-", "_", ".", "_").Replace(s)
	return strings.Trim(settingRE.ReplaceAllString(s, ""), "_")
}

// connections returns what the containers of w connect to, in the order of
// containers and facts.
func (x *index) connections(w *estate.Workload) []connection {
	var out []connection
	for _, c := range slices.Concat(allContainers(w), plainInit(w)) {
		facts := x.factsOf(w, c)
		first := len(out)
		for _, f := range facts {
			if f.Host == "" || f.Server != nil || isLoopback(f.Host) || f.Host == "0.0.0.0" || f.Host == "::" {
				continue
			}
			out = append(out, connection{
				workload: w, container: c, scheme: f.Scheme, host: strings.ToLower(strings.TrimSuffix(f.Host, ".")),
				port: f.Port, tlsMode: f.TLSMode, caFile: f.CAFile, at: f.at, modeAt: f.at,
			})
		}
		mine := out[first:]
		if len(mine) == 0 {
			continue
		}
		subjects := make([]string, 0, len(mine))
		for _, f := range facts {
			if f.Host == "" || f.Server != nil || isLoopback(f.Host) || f.Host == "0.0.0.0" || f.Host == "::" {
				continue
			}
			subjects = append(subjects, settingSubject(f.Name))
		}
		for _, f := range facts {
			if f.Host != "" || f.Server != nil || f.TLSMode == "" && f.CAFile == "" && f.Port == 0 && f.Scheme == "" {
				continue
			}
			for _, i := range concerned(subjects, mine, f) {
				conn := &mine[i]
				if conn.tlsMode == "" && f.TLSMode != "" {
					conn.tlsMode, conn.modeAt = f.TLSMode, f.at
				}
				conn.caFile = cmp.Or(conn.caFile, f.CAFile)
				conn.port = cmp.Or(conn.port, f.Port)
				conn.scheme = cmp.Or(conn.scheme, f.Scheme)
			}
		}
		for _, f := range w.Facts {
			if f.Container == c.Name && f.ValueFrom != nil && f.ValueFrom.Kind == "Secret" {
				for i := range mine {
					// The password is always a Secret; a URL, a mode or a whole
					// Secret may hide the TLS mode.
					mine[i].hidden = mine[i].hidden || f.ValueFrom.Key == "" || tlsNameRE.MatchString(f.Name) || strings.HasSuffix(strings.ToUpper(f.Name), "URL")
				}
			}
		}
	}
	return out
}

// concerned returns the connections that a setting speaks of: those of its
// subject, else the only database.
func concerned(subjects []string, conns []connection, f fact) []int {
	subject := settingSubject(f.Name)
	var same, databases []int
	for i, s := range subjects {
		if s == subject {
			same = append(same, i)
		}
		if isDatabase(conns[i]) {
			databases = append(databases, i)
		}
	}
	if len(same) > 0 {
		return same
	}
	if f.TLSMode+f.CAFile != "" && len(databases) == 1 {
		return databases
	}
	return nil
}

func isDatabase(c connection) bool {
	return strings.Contains(c.host, ".rds.amazonaws.com") || databaseScheme(c.scheme) != "" || databasePorts[c.port] != ""
}

func plainInit(w *estate.Workload) []corev1.Container {
	var out []corev1.Container
	for _, c := range w.Template.Spec.InitContainers {
		if c.RestartPolicy == nil || *c.RestartPolicy != corev1.ContainerRestartPolicyAlways {
			out = append(out, c)
		}
	}
	return out
}

// databasePorts are the default ports of the engines that RDS offers.
var databasePorts = map[int32]string{3306: "mysql", 5432: "postgres", 1433: "sqlserver", 1521: "oracle", 50000: "db2"}

// databaseScheme returns the engine that a scheme names, "" if none.
func databaseScheme(scheme string) string {
	scheme = strings.TrimPrefix(scheme, "jdbc:")
	scheme, _, _ = strings.Cut(scheme, "+")
	switch {
	case scheme == "postgres" || scheme == "postgresql":
		return "postgres"
	case scheme == "mysql" || scheme == "mariadb" || scheme == "sqlserver" || scheme == "db2":
		return scheme
	case strings.HasPrefix(scheme, "oracle"):
		return "oracle"
	}
	return ""
}

// schemePort returns the default port of a scheme, 0 if it has none.
func schemePort(scheme string) int32 {
	switch scheme {
	case "http", "ws", "grpc":
		return 80
	case "https", "wss", "grpcs":
		return 443
	case "redis", "rediss", "valkey", "valkeys":
		return 6379
	case "amqp":
		return 5672
	case "amqps":
		return 5671
	case "mongodb", "mongodb+srv":
		return 27017
	}
	switch databaseScheme(scheme) {
	case "postgres":
		return 5432
	case "mysql", "mariadb":
		return 3306
	case "sqlserver":
		return 1433
	case "oracle":
		return 1521
	}
	return 0
}

// secureScheme reports whether a scheme insists on TLS, plainScheme whether it
// excludes it.
func secureScheme(scheme string) bool {
	switch scheme {
	case "https", "wss", "grpcs", "rediss", "valkeys", "amqps", "mongodb+srv", "ldaps", "mqtts", "ssl", "tls", "kafkas":
		return true
	}
	return false
}

func plainScheme(scheme string) bool {
	switch scheme {
	case "http", "ws", "redis", "valkey", "amqp", "ldap", "mqtt", "tcp":
		return true
	}
	return false
}

func parsePort(s string) int32 {
	n, err := strconv.ParseUint(s, 10, 16)
	if err != nil {
		return 0
	}
	return int32(n)
}

// connect makes the hops of everything that w connects to.
func (g *Graph) connect(w *estate.Workload) {
	for _, c := range g.index.connections(w) {
		g.connectOne(c, 0)
	}
	g.volumes(w)
}

func (g *Graph) connectOne(c connection, depth int) {
	if s, ok := g.index.serviceOfHost(c.host, c.workload.Namespace); ok {
		if s.Object.Spec.Type == corev1.ServiceTypeExternalName && depth < 5 {
			c.host = strings.ToLower(strings.TrimSuffix(s.Object.Spec.ExternalName, "."))
			g.connectOne(c, depth+1)
			return
		}
		g.serviceHops(c, s)
		return
	}
	if g.databaseHop(c) || g.cacheHop(c) {
		return
	}
	if !strings.Contains(c.host, ".") {
		return // a short name whose Service was not read says nothing
	}
	g.externalHop(c)
}

// serviceHops makes a hop to every workload behind a Service.
func (g *Graph) serviceHops(c connection, s *service) {
	port := cmp.Or(c.port, schemePort(c.scheme))
	if port == 0 && len(s.Object.Spec.Ports) == 1 {
		port = s.Object.Spec.Ports[0].Port
	}
	i := slices.IndexFunc(s.Object.Spec.Ports, func(p corev1.ServicePort) bool { return p.Port == port })
	for _, server := range g.index.selected[s] {
		if server == c.workload {
			continue
		}
		h := &Hop{
			Leg: ServiceLeg, From: estate.Workloads.Ref(c.workload), To: estate.Workloads.Ref(server),
			Protocol: cmp.Or(c.scheme, "tcp"), Port: port, Client: c.workload, Server: server, Places: []Place{c.at},
		}
		target := int32(0)
		if i >= 0 {
			target = podPort(s.Object.Spec.Ports[i], server)
		} else if s.Object.Spec.ClusterIP == corev1.ClusterIPNone {
			target = port // a headless Service does not map ports
		}
		g.judgeService(h, c, s, port, target)
		g.add(h)
	}
}

func (g *Graph) judgeService(h *Hop, c connection, s *service, port, target int32) {
	client, server := g.Mesh(h.Client), g.Mesh(h.Server)
	if server.In == Yes {
		mtls := g.MTLS(h.Server, target)
		rule, ruleAt := g.mesh.clientTLS(h.Client.Namespace, s, port)
		if mtls.At.Subject.IsZero() {
			mtls.At = c.at
		}
		switch {
		case client.In == Unclear:
			h.Why = "whether the client is in the mesh is not known: " + client.Why
			return
		case client.In == No && mtls.Mode == "STRICT":
			h.Encryption, h.Broken, h.PeerVerified = Plaintext, true, No
			h.Why = "broken: the server accepts mTLS only (" + mtls.Why + ") and the client is not in the mesh: " + client.Why
			h.Places = []Place{client.At, c.at}
			return
		case client.In == Yes && rule == "DISABLE":
			h.Encryption, h.PeerVerified, h.Places = Plaintext, No, []Place{ruleAt, c.at}
			h.Why = "a DestinationRule turns TLS off for it"
			h.Broken = mtls.Mode == "STRICT"
			return
		case client.In == Yes && mtls.Mode == "STRICT":
			h.Encryption, h.PeerVerified, h.By, h.Why = Encrypted, Yes, "Istio mTLS", mtls.Why
			h.Places = append(h.Places, mtls.At)
			return
		case client.In == Yes && mtls.Mode == "PERMISSIVE" && !secureScheme(c.scheme):
			h.Encryption, h.By = Optional, "Istio mTLS, not required"
			h.Why = "the server accepts plaintext too: " + mtls.Why
			h.Places = []Place{mtls.At, c.at}
			return
		}
	}
	ev := g.ServesTLS(h.Server, target)
	switch {
	case secureScheme(c.scheme) && ev.TLS == No:
		h.Encryption, h.Broken, h.PeerVerified = Plaintext, true, No
		h.Why = "broken: the client speaks " + c.scheme + ", but " + ev.Why
		h.Places = []Place{ev.At, c.at}
	case secureScheme(c.scheme):
		h.Encryption = Encrypted
		h.By, h.Why = cmp.Or(ev.By, "TLS of the application"), "the client speaks "+c.scheme
		if ev.TLS == Yes {
			h.Why += ", and " + ev.Why
		}
		if c.caFile != "" {
			h.PeerVerified = Yes
		}
	case plainScheme(c.scheme):
		h.Encryption, h.PeerVerified = Plaintext, No
		h.Why = c.scheme + "://" + c.host + portSuffix(c.port) + ", no mesh"
		h.Broken = ev.TLS == Yes
		if server.In == Yes {
			h.Why = c.scheme + "://" + c.host + portSuffix(c.port) + ", and the mesh does not encrypt it"
		}
	case ev.TLS == Yes:
		h.Encryption, h.By, h.Why = Encrypted, ev.By, ev.Why
	case ev.TLS == No:
		h.Encryption, h.PeerVerified, h.Why = Plaintext, No, ev.Why
		h.Places = []Place{ev.At, c.at}
	default:
		h.Why = ev.Why
		if server.In == Unclear {
			h.Why = "whether the server is in the mesh is not known: " + server.Why
		}
	}
}

func portSuffix(port int32) string {
	if port == 0 {
		return ""
	}
	return ":" + itoa(int(port))
}

// externalHop makes a hop to a host that no source knows.
func (g *Graph) externalHop(c connection) {
	if c.scheme == "" && c.port == 0 {
		return // a name alone is not yet a connection
	}
	h := &Hop{
		Leg: ExternalLeg, From: estate.Workloads.Ref(c.workload), To: estate.Ref{Kind: "Host", Name: c.host, ID: "host:" + c.host},
		Protocol: cmp.Or(c.scheme, "tcp"), Port: cmp.Or(c.port, schemePort(c.scheme)), Client: c.workload, Places: []Place{c.at},
		Why: "nothing says whether the client speaks TLS",
	}
	if engine := cmp.Or(databaseScheme(c.scheme), databasePorts[h.Port]); engine != "" {
		h.Leg, h.To.Kind = DatabaseLeg, "Database"
		g.judgeDatabase(h, c, nil, engine)
		g.add(h)
		return
	}
	switch {
	case secureScheme(c.scheme):
		h.Encryption, h.By, h.Why = Encrypted, "TLS of the application", "the client speaks "+c.scheme
	case plainScheme(c.scheme):
		h.Encryption, h.PeerVerified, h.Why = Plaintext, No, "the client speaks "+c.scheme
	}
	g.add(h)
}
