package trace

import (
	"cmp"
	"slices"
	"strings"

	"github.com/eksafe/eksafe/internal/estate"
)

// A directory finds databases, proxies and caches by the host names that
// clients use.
type directory struct {
	byHost map[string]any // lower-case endpoint → *Database, *estate.DBProxy, *estate.Cache …
	byName map[string]any // "instance:", "cluster:", "proxy:", "cache:" … and the identifier
}

// databases lists the databases and makes the directory.
func (g *Graph) databases() {
	e := g.Estate
	d := directory{byHost: map[string]any{}, byName: map[string]any{}}
	clusters := map[string]*Database{}
	for _, c := range estate.DBClusters.In(e) {
		db := &Database{
			Ref: estate.DBClusters.Ref(c), Origin: &c.Origin, Cluster: c,
			Engine: splitEngine(c.Engine.Or("")), Version: c.EngineVersion.Or(""),
		}
		db.RequiresTLS = g.clusterRequiresTLS(db)
		g.Databases = append(g.Databases, db)
		clusters[strings.ToLower(c.DBClusterIdentifier)] = db
		clusters[strings.ToLower(c.Arn)] = db
		d.host(c.Endpoint.Address, db)
		d.host(c.ReadEndpoint.Address, db)
		d.byName["cluster:"+strings.ToLower(c.DBClusterIdentifier)] = db
	}
	for _, i := range estate.DBInstances.In(e) {
		if i.DBClusterIdentifier != "" {
			// A member is its cluster to clients; its own parameters do not
			// decide about TLS.
			if db := clusters[strings.ToLower(i.DBClusterIdentifier)]; db != nil {
				d.host(i.Endpoint.Address, db)
				d.byName["instance:"+strings.ToLower(i.DBInstanceIdentifier)] = db
				continue
			}
		}
		db := &Database{
			Ref: estate.DBInstances.Ref(i), Origin: &i.Origin, Instance: i,
			Engine: splitEngine(i.Engine.Or("")), Version: i.EngineVersion.Or(""),
		}
		db.RequiresTLS = g.instanceRequiresTLS(db)
		g.Databases = append(g.Databases, db)
		d.host(i.Endpoint.Address, db)
		d.byName["instance:"+strings.ToLower(i.DBInstanceIdentifier)] = db
	}
	for _, p := range estate.DBProxies.In(e) {
		d.host(p.Endpoint, p)
		d.byName["proxy:"+strings.ToLower(p.DBProxyName)] = p
	}
	for _, c := range estate.Caches.In(e) {
		for _, ep := range c.Endpoints {
			d.host(ep.Address, c)
		}
		d.byName["cache:"+strings.ToLower(c.Id)] = c
	}
	for _, k := range estate.KafkaClusters.In(e) {
		for _, ep := range k.Endpoints {
			d.host(ep.Address, k)
		}
		d.byName["kafka:"+strings.ToLower(k.ClusterName)] = k
	}
	for _, o := range estate.OpenSearchDomains.In(e) {
		d.host(o.Endpoint.Address, o)
		d.byName["search:"+strings.ToLower(o.DomainName)] = o
	}
	g.directory = d
}

func (d directory) host(address string, thing any) {
	if address != "" {
		d.byHost[strings.ToLower(address)] = thing
	}
}

// find returns what a host name leads to. AWS builds the names from the
// identifiers, so a template's database is found by the name that it will have.
func (d directory) find(host string) any {
	if thing, ok := d.byHost[host]; ok {
		return thing
	}
	l := strings.Split(host, ".")
	if len(l) < 4 || !strings.Contains(host, ".amazonaws.com") {
		return nil
	}
	switch {
	case strings.Contains(host, ".rds.amazonaws.com"):
		switch {
		case strings.HasPrefix(l[1], "proxy-"):
			return d.byName["proxy:"+l[0]]
		case strings.HasPrefix(l[1], "cluster-"):
			return d.byName["cluster:"+l[0]]
		}
		return d.byName["instance:"+l[0]]
	case strings.Contains(host, ".cache.amazonaws.com"), strings.Contains(host, ".memorydb."):
		for _, label := range l[:2] {
			if c := d.byName["cache:"+label]; c != nil {
				return c
			}
		}
	case strings.Contains(host, ".kafka."), strings.Contains(host, ".kafka-serverless."):
		return d.byName["kafka:"+l[1]]
	case strings.Contains(host, ".es.amazonaws.com"), strings.Contains(host, ".aos."):
		// vpc-NAME-HASH or search-NAME-HASH
		if _, rest, ok := strings.Cut(l[0], "-"); ok {
			if i := strings.LastIndexByte(rest, '-'); i > 0 {
				return d.byName["search:"+rest[:i]]
			}
		}
	}
	return nil
}

func (g *Graph) instanceRequiresTLS(db *Database) TLSRequirement {
	i := db.Instance
	at := placeOf(estate.DBInstances, i, "dbParameterGroupName")
	if db.Engine == "oracle" {
		return g.oracleRequiresTLS(i)
	}
	params, known, why := map[string]string(nil), false, ""
	switch group, ok := i.DBParameterGroupName.Get(); {
	case !ok:
		why = "its parameter group is not known"
	case group == "" || strings.HasPrefix(group, "default."):
		known = true
	default:
		pg := g.parameterGroup(group)
		if pg == nil {
			why = "parameter group " + estate.ShortName(group) + " was not read"
			break
		}
		at = placeOf(estate.DBParameterGroups, pg, "parameters")
		params, known = pg.Parameters.Get()
	}
	return requirement(db, params, known, why, i.ParameterApplyStatus, at)
}

func (g *Graph) clusterRequiresTLS(db *Database) TLSRequirement {
	c := db.Cluster
	at := placeOf(estate.DBClusters, c, "dbClusterParameterGroupName")
	params, known, why := map[string]string(nil), false, ""
	switch group, ok := c.DBClusterParameterGroupName.Get(); {
	case !ok:
		why = "its parameter group is not known"
	case group == "" || strings.HasPrefix(group, "default."):
		known = true
	default:
		i := slices.IndexFunc(estate.DBClusterParameterGroups.In(g.Estate), func(p *estate.DBClusterParameterGroup) bool {
			return strings.EqualFold(p.DBClusterParameterGroupName, group) || p.Arn == group
		})
		if i < 0 {
			why = "parameter group " + estate.ShortName(group) + " was not read"
			break
		}
		pg := estate.DBClusterParameterGroups.In(g.Estate)[i]
		at = placeOf(estate.DBClusterParameterGroups, pg, "parameters")
		params, known = pg.Parameters.Get()
	}
	return requirement(db, params, known, why, c.ParameterApplyStatus, at)
}

func (g *Graph) parameterGroup(group string) *estate.DBParameterGroup {
	for _, p := range estate.DBParameterGroups.In(g.Estate) {
		if strings.EqualFold(p.DBParameterGroupName, group) || p.Arn == group {
			return p
		}
	}
	return nil
}

// requirement decides by the parameters. A parameter that waits for a reboot
// is not in force.
func requirement(db *Database, params map[string]string, known bool, why string, apply estate.Optional[string], at Place) TLSRequirement {
	if why != "" {
		return TLSRequirement{Why: why, At: at}
	}
	required, because := engineRequiresTLS(db.Engine, db.Version, params, known)
	if status, ok := apply.Get(); ok && required == Yes && status != "in-sync" {
		return TLSRequirement{No, because + ", but the parameter group is " + status + ": not in force until the database is rebooted", at}
	}
	if name := requiringParameter(db.Engine); name != "" && params != nil {
		if _, set := params[name]; set {
			at.Field += "[" + name + "]"
		}
	}
	return TLSRequirement{required, because, at}
}

// oracleRequiresTLS looks for the SSL option: it opens a TLS port beside the
// plain one and closes nothing, so it alone never refuses plaintext.
func (g *Graph) oracleRequiresTLS(i *estate.DBInstance) TLSRequirement {
	at := placeOf(estate.DBInstances, i, "optionGroupName")
	group, ok := i.OptionGroupName.Get()
	if !ok {
		return TLSRequirement{Why: "its option group is not known", At: at}
	}
	for _, og := range estate.OptionGroups.In(g.Estate) {
		if !strings.EqualFold(og.OptionGroupName, group) && og.Arn != group {
			continue
		}
		options, ok := og.OptionConfigurations.Get()
		if !ok {
			return TLSRequirement{Why: "the options of group " + estate.ShortName(group) + " are not known", At: at}
		}
		at = placeOf(estate.OptionGroups, og, "optionConfigurations")
		if slices.ContainsFunc(options, func(o estate.OptionConfiguration) bool { return o.OptionName == "SSL" }) {
			return TLSRequirement{Why: "the SSL option opens a TLS port, and only security groups can close the plain one", At: at}
		}
		return TLSRequirement{No, "option group " + estate.ShortName(group) + " has no SSL option", at}
	}
	if group == "" || strings.HasPrefix(group, "default:") {
		return TLSRequirement{No, "the default option group has no SSL option", at}
	}
	return TLSRequirement{Why: "option group " + estate.ShortName(group) + " was not read", At: at}
}

// databaseHop makes the hop to a database or a proxy, if the host is one.
func (g *Graph) databaseHop(c connection) bool {
	thing := g.directory.find(c.host)
	switch t := thing.(type) {
	case *Database:
		h := &Hop{Leg: DatabaseLeg, From: estate.Workloads.Ref(c.workload), To: t.Ref, Client: c.workload, Places: []Place{c.modeAt}}
		h.Port = cmp.Or(c.port, schemePort(c.scheme), databasePort(t))
		g.judgeDatabase(h, c, t, t.Engine)
		t.Clients = append(t.Clients, g.add(h))
		return true
	case *estate.DBProxy:
		h := &Hop{Leg: DatabaseLeg, From: estate.Workloads.Ref(c.workload), To: estate.DBProxies.Ref(t), Client: c.workload, Places: []Place{c.modeAt}}
		h.Port = cmp.Or(c.port, schemePort(c.scheme))
		family := strings.ToLower(t.EngineFamily)
		if family == "postgresql" {
			family = "postgres"
		}
		req := TLSRequirement{Why: "RequireTLS of the proxy is not known", At: placeOf(estate.DBProxies, t, "requireTLS")}
		if on, ok := t.RequireTLS.Get(); ok {
			req.Required, req.Why = No, "the proxy does not require TLS"
			if on {
				req.Required, req.Why = Yes, "the proxy requires TLS"
			}
		}
		judgeClient(h, c, req, family)
		g.add(h)
		g.proxyHops(t)
		return true
	}
	if thing == nil && strings.Contains(c.host, ".rds.amazonaws.com") {
		id, _, _ := strings.Cut(c.host, ".")
		h := &Hop{
			Leg: DatabaseLeg, From: estate.Workloads.Ref(c.workload), Client: c.workload, Places: []Place{c.modeAt},
			To: estate.Ref{Kind: "Database", Name: id, ID: "host:" + c.host},
		}
		h.Port = cmp.Or(c.port, schemePort(c.scheme))
		g.judgeDatabase(h, c, nil, cmp.Or(databaseScheme(c.scheme), databasePorts[h.Port]))
		g.add(h)
		return true
	}
	return false
}

// proxyHops makes the hops from an RDS proxy to its databases.
func (g *Graph) proxyHops(p *estate.DBProxy) {
	for _, target := range slices.Concat(prefixed("instance:", p.DBInstanceIdentifiers), prefixed("cluster:", p.DBClusterIdentifiers)) {
		db, ok := g.directory.byName[target].(*Database)
		if !ok {
			continue
		}
		h := &Hop{
			Leg: DatabaseLeg, From: estate.DBProxies.Ref(p), To: db.Ref, Protocol: db.Engine, Port: databasePort(db),
			Places: []Place{db.RequiresTLS.At}, Why: "nothing shows how the proxy connects: " + db.RequiresTLS.Why,
		}
		switch db.RequiresTLS.Required {
		case Yes:
			h.Encryption, h.By, h.Why = Encrypted, "the database requires TLS", db.RequiresTLS.Why
		case No:
			h.Encryption, h.Why = Unknown, "the database accepts plaintext, and how the proxy connects is not shown"
		}
		db.Clients = append(db.Clients, g.add(h))
	}
}

func prefixed(prefix string, ids []string) []string {
	var out []string
	for _, id := range ids {
		out = append(out, prefix+strings.ToLower(estate.ShortName(id)))
	}
	return out
}

// Listens returns the port of the database: the one AWS shows, else the
// engine's; 0 when neither is known.
func (db *Database) Listens() int32 { return databasePort(db) }

// EnginePort returns the port at which an engine listens unless told
// otherwise, 0 for one that eksafe does not know.
func EnginePort(engine string) int32 {
	return databasePort(&Database{Engine: engine})
}

func databasePort(db *Database) int32 {
	switch {
	case db.Instance != nil && db.Instance.Endpoint.Port != 0:
		return int32(db.Instance.Endpoint.Port)
	case db.Cluster != nil && db.Cluster.Endpoint.Port != 0:
		return int32(db.Cluster.Endpoint.Port)
	}
	for port, engine := range databasePorts {
		if engine == db.Engine || "aurora-"+engine == db.Engine || engine == "mysql" && db.Engine == "mariadb" ||
			engine == "postgres" && db.Engine == "aurora-postgresql" {
			return port
		}
	}
	return 0
}

// judgeDatabase decides on a hop to a database; db is nil where no source
// knows the server.
func (g *Graph) judgeDatabase(h *Hop, c connection, db *Database, engine string) {
	req := TLSRequirement{Why: "the database was not read (add --aws)"}
	if db != nil {
		req = db.RequiresTLS
	}
	judgeClient(h, c, req, engine)
}

// judgeClient joins what the server refuses with what the client insists on.
func judgeClient(h *Hop, c connection, server TLSRequirement, engine string) {
	h.Protocol = cmp.Or(engine, "tcp")
	client, verified, known := Unknown, Unclear, false
	word := "the client does not say"
	switch {
	case c.tlsMode != "":
		client, verified, known = clientMode(cmp.Or(c.scheme, engine), c.tlsMode)
		word = "the client says " + c.tlsMode
	case c.hidden:
		word = "what the client says comes from a Secret"
	default:
		client, verified, known = clientMode(c.scheme, "") // a driver without a URL has a default that nobody wrote down
	}
	h.PeerVerified = verified
	serverPlace := []Place{}
	if !server.At.Subject.IsZero() {
		serverPlace = append(serverPlace, server.At)
	}
	switch {
	case server.Required == Yes && known && client == Plaintext:
		h.Encryption, h.Broken, h.PeerVerified = Plaintext, true, No
		h.Why = "broken: " + server.Why + ", but " + word
	case server.Required == Yes:
		h.Encryption, h.By, h.Why = Encrypted, "the server requires TLS", server.Why+"; "+word
		h.Places = append(h.Places, serverPlace...)
	case known && client == Encrypted:
		h.Encryption, h.By, h.Why = Encrypted, "the client insists on TLS", word
	case known && client == Plaintext:
		h.Encryption, h.PeerVerified, h.Why = Plaintext, No, word
	case server.Required == No && !known && c.hidden:
		h.Why = server.Why + ", and " + word
		h.Places = append(serverPlace, h.Places...)
	case server.Required == No:
		h.Encryption, h.PeerVerified = Optional, No
		h.Why = "the server does not require TLS (" + server.Why + "), " + word
		h.Places = append(serverPlace, h.Places...)
	default:
		h.Why = word + ", and whether the server requires TLS is not known: " + server.Why
	}
}

// cacheHop makes the hop to a cache, a broker or a search domain, if the host
// is one.
func (g *Graph) cacheHop(c connection) bool {
	h := &Hop{Leg: CacheLeg, From: estate.Workloads.Ref(c.workload), Client: c.workload, Places: []Place{c.at}}
	h.Port = cmp.Or(c.port, schemePort(c.scheme))
	var required, optional, known bool
	switch t := g.directory.find(c.host).(type) {
	case *estate.Cache:
		h.To, h.Protocol = estate.Caches.Ref(t), t.Engine.Or("redis")
		h.Places = append(h.Places, placeOf(estate.Caches, t, "transitEncryptionEnabled"))
		required, known = t.TransitEncryptionEnabled.Get()
		if required && t.TransitEncryptionMode.Or("required") == "preferred" {
			required, optional = false, true
		}
	case *estate.KafkaCluster:
		h.To, h.Protocol = estate.KafkaClusters.Ref(t), "kafka"
		h.Places = append(h.Places, placeOf(estate.KafkaClusters, t, "clientBroker"))
		mode, ok := t.ClientBroker.Get()
		known, required, optional = ok, mode == "TLS", mode == "TLS_PLAINTEXT"
	case *estate.OpenSearchDomain:
		h.To, h.Protocol = estate.OpenSearchDomains.Ref(t), cmp.Or(c.scheme, "https")
		h.Places = append(h.Places, placeOf(estate.OpenSearchDomains, t, "enforceHTTPS"))
		required, known = t.EnforceHTTPS.Get()
		optional = known && !required
	default:
		return false
	}
	switch {
	case !known:
		h.Why = "whether it encrypts in transit is not known"
		if secureScheme(c.scheme) {
			h.Encryption, h.By, h.Why = Encrypted, "TLS of the client", "the client speaks "+c.scheme
		}
	case required:
		h.Encryption, h.By, h.Why = Encrypted, "encryption in transit", "the server requires TLS"
	case secureScheme(c.scheme) && optional:
		h.Encryption, h.By, h.Why = Encrypted, "TLS of the client", "the client speaks "+c.scheme
	case optional:
		h.Encryption, h.PeerVerified, h.Why = Optional, No, "the server accepts plaintext too"
		slices.Reverse(h.Places)
	default:
		h.Encryption, h.PeerVerified, h.Why = Plaintext, No, "encryption in transit is off"
		slices.Reverse(h.Places)
	}
	g.add(h)
	return true
}
