package trace

import (
	"fmt"
	"strconv"
	"strings"
)

// An engineFact is what AWS documents of one database engine: the parameter
// with which the server refuses plaintext, and what it is when nobody sets it.
type engineFact struct {
	engine    string // as splitEngine returns it
	parameter string
	// from and to bound the versions, "15" or "11.8"; from is included, to is
	// not, and empty has no bound.
	from, to string
	// unset is whether the engine refuses plaintext when the parameter is not
	// set.
	unset Ternary

	source   string // where it is documented
	read     string // date on which the source was read
	verified bool   // false: unset is not used
}

// engineFacts are read from AWS's documentation. A row that could not be
// verified says nothing, so that the verdict is unknown and not a guess.
var engineFacts = []engineFact{
	{"postgres", "rds.force_ssl", "", "15", No,
		"https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/ssl-certificate-rotation-postgresql.html", "2026-11-23", true},
	{"postgres", "rds.force_ssl", "15", "", Yes,
		"https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/ssl-certificate-rotation-postgresql.html", "2026-11-23", true},
	{"aurora-postgresql", "rds.force_ssl", "", "17", No,
		"https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/ssl-certificate-rotation-aurora-postgresql.html", "2026-11-23", true},
	// The pages read say 0 for all versions, but are older than version 17.
	{"aurora-postgresql", "rds.force_ssl", "17", "", Unclear,
		"https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/AuroraPostgreSQL.Security.html", "2026-11-23", false},
	{"sqlserver", "rds.force_ssl", "", "", No,
		"https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/ssl-certificate-rotation-sqlserver.html", "2026-11-23", true},
	{"mysql", "require_secure_transport", "", "", No,
		"https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/mysql-ssl-connections.require-ssl.html", "2026-11-23", true},
	{"aurora-mysql", "require_secure_transport", "", "", No,
		"https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/AuroraMySQL.Security.html", "2026-11-23", true},
	{"mariadb", "require_secure_transport", "", "11.8", No,
		"https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/mariadb-ssl-connections.require-ssl.html", "2026-11-23", true},
	{"mariadb", "require_secure_transport", "11.8", "", Yes,
		"https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/mariadb-ssl-connections.require-ssl.html", "2026-11-23", true},
	// RDS adds a second port for TLS and keeps the plaintext one, unless the
	// registry variable names SSL alone.
	{"db2", "db2comm", "", "", Unclear,
		"https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/Db2.Concepts.SSL.html", "2026-11-23", false},
}

// splitEngine returns the name of an engine without its edition: "oracle" for
// "oracle-ee", "sqlserver" for "sqlserver-se". Aurora's two engines keep their
// names.
func splitEngine(awsEngine string) string {
	e := strings.ToLower(strings.TrimSpace(awsEngine))
	switch {
	case e == "aurora":
		return "aurora-mysql"
	case strings.HasPrefix(e, "aurora-"):
		return e
	case e == "postgresql":
		return "postgres"
	}
	for _, family := range []string{"custom-oracle", "custom-sqlserver", "oracle", "sqlserver", "db2"} {
		if e == family || strings.HasPrefix(e, family+"-") {
			return strings.TrimPrefix(family, "custom-")
		}
	}
	return e
}

// engineRequiresTLS says whether a server of this engine and version refuses
// plaintext under the parameters in force, and why. params are those that
// differ from the engine's defaults; paramsKnown is false where the group was
// not read. A change that awaits a reboot is not in force: the caller knows.
func engineRequiresTLS(engine, version string, params map[string]string, paramsKnown bool) (Ternary, string) {
	engine = splitEngine(engine)
	switch engine {
	case "":
		return Unclear, "the engine is not known"
	case "oracle":
		// The SSL option opens a second port; the plaintext port stays open, so
		// what closes it is a security group, not the database.
		return Unclear, "Oracle's SSL option adds a TLS port beside the plaintext port, and no parameter closes the latter"
	}
	fact, ok := factOf(engine, version)
	if fact == nil {
		return Unclear, "it is not documented how engine " + engine + " refuses plaintext"
	}
	if !paramsKnown {
		return Unclear, "the parameter group was not read, so " + fact.parameter + " is not known"
	}
	if value, set := parameter(params, fact.parameter); set {
		switch required := fact.refuses(value); required {
		case Yes, No:
			return required, fact.parameter + " is " + strings.TrimSpace(value)
		default:
			return Unclear, fact.parameter + " has a value that eksafe does not know"
		}
	}
	switch {
	case !ok:
		return Unclear, fact.parameter + " is not set, its default depends on the version, and the version is not known"
	case !fact.verified:
		return Unclear, fmt.Sprintf("%s is not set, and its default in %s %s is not known", fact.parameter, engine, version)
	case fact.unset == Yes:
		return Yes, fmt.Sprintf("%s is not set, and %s turns it on by default", fact.parameter, strings.TrimSpace(engine+" "+version))
	}
	return No, fmt.Sprintf("%s is not set, and it is off by default", fact.parameter)
}

// factOf returns the row for a version, and false where it takes a version to
// choose one and the version is not known.
func factOf(engine, version string) (*engineFact, bool) {
	var first *engineFact
	for i := range engineFacts {
		f := &engineFacts[i]
		if f.engine != engine {
			continue
		}
		if f.from == "" && f.to == "" {
			return f, true
		}
		if first == nil {
			first = f
		}
		if _, known := versionNumbers(version); !known {
			continue
		}
		if (f.from == "" || !versionLess(version, f.from)) && (f.to == "" || versionLess(version, f.to)) {
			return f, true
		}
	}
	return first, false
}

// requiringParameter returns the parameter with which an engine refuses
// plaintext, "" if it has none.
func requiringParameter(engine string) string {
	for _, f := range engineFacts {
		if f.engine == engine {
			return f.parameter
		}
	}
	return ""
}

func parameter(params map[string]string, key string) (string, bool) {
	for _, k := range []string{key, strings.ToUpper(key)} {
		if v, ok := params[k]; ok {
			return v, true
		}
	}
	return "", false
}

// refuses reads a value of the parameter.
func (f *engineFact) refuses(value string) Ternary {
	v := strings.ToLower(strings.TrimSpace(value))
	if f.parameter == "db2comm" {
		switch strings.ReplaceAll(v, " ", "") {
		case "ssl":
			return Yes
		case "tcpip", "tcpip,ssl", "ssl,tcpip":
			return No
		}
		return Unclear
	}
	switch v {
	case "1", "on", "true":
		return Yes
	case "0", "off", "false":
		return No
	}
	return Unclear
}

// versionNumbers returns the leading numbers of "16.3" or
// "8.0.mysql_aurora.3.05.2".
func versionNumbers(version string) ([]int, bool) {
	var out []int
	for part := range strings.SplitSeq(version, ".") {
		n, err := strconv.Atoi(part)
		if err != nil {
			break
		}
		out = append(out, n)
	}
	return out, len(out) > 0
}

// versionLess reports whether version a is older than the bound b. A missing
// part counts as the newest: AWS takes "11" for the latest 11.x.
func versionLess(a, b string) bool {
	x, _ := versionNumbers(a)
	y, _ := versionNumbers(b)
	for i, n := range y {
		if i >= len(x) {
			return false
		}
		if x[i] != n {
			return x[i] < n
		}
	}
	return false
}

// A clientWord is what one word of a client's configuration insists on.
type clientWord struct {
	encryption Encryption
	verified   Ternary // the certificate and the host name
}

// Verification of the chain alone is none: the certificates of all customers'
// databases come from the same authorities.
var (
	postgresWords = map[string]clientWord{
		"disable":     {Plaintext, No},
		"disabled":    {Plaintext, No},
		"allow":       {Optional, No},
		"prefer":      {Optional, No},
		"preferred":   {Optional, No},
		"require":     {Encrypted, No},
		"required":    {Encrypted, No},
		"no-verify":   {Encrypted, No},
		"skip-verify": {Encrypted, No},
		"verify-ca":   {Encrypted, No},
		"verifyca":    {Encrypted, No},
		"verify-full": {Encrypted, Yes},
		"verifyfull":  {Encrypted, Yes},
		// Drivers agree that a switch turned on means TLS, and differ in what
		// they verify.
		"true":  {Encrypted, Unclear},
		"false": {Optional, No},
	}
	mysqlWords = map[string]clientWord{
		"disabled":        {Plaintext, No},
		"disable":         {Plaintext, No},
		"none":            {Plaintext, No},
		"preferred":       {Optional, No},
		"prefered":        {Optional, No},
		"prefer":          {Optional, No},
		"required":        {Encrypted, No},
		"require":         {Encrypted, No},
		"trust":           {Encrypted, No},
		"skip-verify":     {Encrypted, No},
		"verify-ca":       {Encrypted, No},
		"verifyca":        {Encrypted, No},
		"verify-identity": {Encrypted, Yes},
		"verifyidentity":  {Encrypted, Yes},
		"verify-full":     {Encrypted, Yes},
		"verifyfull":      {Encrypted, Yes},
		"custom":          {Encrypted, Unclear},
		"true":            {Encrypted, Unclear},
		"false":           {Plaintext, No},
	}
	sqlserverWords = map[string]clientWord{
		"strict":    {Encrypted, Yes}, // trustServerCertificate is ignored
		"mandatory": {Encrypted, Unclear},
		"true":      {Encrypted, Unclear},
		"yes":       {Encrypted, Unclear},
		"optional":  {Optional, No},
		"false":     {Optional, No},
		"no":        {Optional, No},
		"disable":   {Plaintext, No},
		"disabled":  {Plaintext, No},
		// Connections that do not encrypt at all have no certificate to trust.
		"trustservercertificate": {Encrypted, No},
		"skip-verify":            {Encrypted, No},
	}
	kafkaWords = map[string]clientWord{
		"ssl":            {Encrypted, Unclear},
		"sasl-ssl":       {Encrypted, Unclear},
		"plaintext":      {Plaintext, No},
		"sasl-plaintext": {Plaintext, No},
	}
	switchWords = map[string]clientWord{
		"true":        {Encrypted, Unclear},
		"required":    {Encrypted, No},
		"verify-full": {Encrypted, Yes},
		"skip-verify": {Encrypted, No},
		"false":       {Plaintext, No},
	}
)

// Schemes whose clients speak TLS, or never do, without a further word.
var schemeWords = map[string]clientWord{
	"rediss":      {Encrypted, Unclear},
	"valkeys":     {Encrypted, Unclear},
	"redis":       {Plaintext, No},
	"valkey":      {Plaintext, No},
	"https":       {Encrypted, Unclear},
	"http":        {Plaintext, No},
	"amqps":       {Encrypted, Unclear},
	"amqp":        {Plaintext, No},
	"ldaps":       {Encrypted, Unclear},
	"mongodb+srv": {Encrypted, Unclear},
	// Both drivers document that they try TLS and fall back to plaintext.
	"jdbc:mysql":      {Optional, No},
	"jdbc:postgresql": {Optional, No},
}

// clientMode says what a client insists on: whether it encrypts, and whether
// it verifies certificate and host name. scheme is that of the connection, or
// the engine's name; word is the client's own, "" where it says none. known is
// false where the word is of no known driver, or nothing documents what the
// client does without one.
func clientMode(scheme, word string) (enc Encryption, verified Ternary, known bool) {
	scheme = strings.ToLower(scheme)
	word = strings.ReplaceAll(strings.ToLower(strings.TrimSpace(word)), "_", "-")
	words := switchWords
	switch family(scheme) {
	case "postgres":
		words = postgresWords
	case "mysql":
		words = mysqlWords
	case "sqlserver":
		words = sqlserverWords
	case "kafka":
		words = kafkaWords
	}
	if word == "" {
		words, word = schemeWords, scheme
	}
	w, known := words[word]
	return w.encryption, w.verified, known
}

// family returns whose clients a scheme or an engine means.
func family(scheme string) string {
	s := strings.TrimPrefix(scheme, "jdbc:")
	s, _, _ = strings.Cut(s, "+") // "mysql+pymysql"
	switch s {
	case "postgres", "postgresql", "aurora-postgresql", "pgsql", "cockroachdb", "redshift":
		return "postgres"
	case "mysql", "mariadb", "aurora-mysql", "aurora", "mysql2":
		return "mysql"
	case "sqlserver", "mssql":
		return "sqlserver"
	case "kafka":
		return "kafka"
	}
	return s
}
