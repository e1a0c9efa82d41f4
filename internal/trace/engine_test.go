package trace

import (
	"testing"
	"time"
)

func TestEngineRequiresTLS(t *testing.T) {
	for _, tt := range []struct {
		name            string
		engine, version string
		params          map[string]string
		unread          bool
		want            Ternary
		why             string
	}{
		{"set to 1", "mysql", "8.4.6", map[string]string{"require_secure_transport": "1"}, false, Yes, "require_secure_transport is 1"},
		{"set to ON", "mariadb", "10.11", map[string]string{"require_secure_transport": "ON"}, false, Yes, "require_secure_transport is ON"},
		{"switched off against the default", "postgres", "16.3", map[string]string{"rds.force_ssl": "0"}, false, No, "rds.force_ssl is 0"},
		{"MySQL has it off", "mysql", "8.4", nil, false, No, "require_secure_transport is not set, and it is off by default"},
		{"PostgreSQL 14 has it off", "postgres", "14.12", nil, false, No, "rds.force_ssl is not set, and it is off by default"},
		{"PostgreSQL 15 has it on", "postgres", "15", nil, false, Yes, "rds.force_ssl is not set, and postgres 15 turns it on by default"},
		{"PostgreSQL 16.3 has it on", "postgres", "16.3", nil, false, Yes, "rds.force_ssl is not set, and postgres 16.3 turns it on by default"},
		{"the version decides and is not known", "postgres", "", nil, false, Unclear, "rds.force_ssl is not set, its default depends on the version, and the version is not known"},
		{"MariaDB 11.4 has it off", "mariadb", "11.4.5", nil, false, No, "require_secure_transport is not set, and it is off by default"},
		{"MariaDB 11.8 has it on", "mariadb", "11.8.3", nil, false, Yes, "require_secure_transport is not set, and mariadb 11.8.3 turns it on by default"},
		{"MariaDB 10.11 is older than 11.8", "mariadb", "10.11", nil, false, No, "require_secure_transport is not set, and it is off by default"},
		{"Aurora PostgreSQL has it off where PostgreSQL has it on", "aurora-postgresql", "16.4", nil, false, No, "rds.force_ssl is not set, and it is off by default"},
		{"Aurora PostgreSQL 17 is not verified", "aurora-postgresql", "17.4", nil, false, Unclear, "rds.force_ssl is not set, and its default in aurora-postgresql 17.4 is not known"},
		{"Aurora MySQL", "aurora-mysql", "8.0.mysql_aurora.3.08.0", nil, false, No, "require_secure_transport is not set, and it is off by default"},
		{"SQL Server by edition", "sqlserver-se", "15.00", map[string]string{"rds.force_ssl": "1"}, false, Yes, "rds.force_ssl is 1"},
		{"the other engine's parameter says nothing", "mysql", "8.4", map[string]string{"rds.force_ssl": "1"}, false, No, "require_secure_transport is not set, and it is off by default"},
		{"a value that cannot be read is no yes", "mysql", "8.4", map[string]string{"require_secure_transport": "{x}"}, false, Unclear, "require_secure_transport has a value that eksafe does not know"},
		{"unread parameters", "postgres", "16.3", nil, true, Unclear, "the parameter group was not read, so rds.force_ssl is not known"},
		{"Db2 with TLS alone", "db2-se", "11.5", map[string]string{"DB2COMM": "SSL"}, false, Yes, "db2comm is SSL"},
		{"Db2 with both", "db2-se", "11.5", map[string]string{"db2comm": "TCPIP,SSL"}, false, No, "db2comm is TCPIP,SSL"},
		{"Db2 without evidence", "db2-ae", "11.5", nil, false, Unclear, "db2comm is not set, and its default in db2 11.5 is not known"},
		{"Oracle keeps its plaintext port", "oracle-ee", "19", nil, false, Unclear, "Oracle's SSL option adds a TLS port beside the plaintext port, and no parameter closes the latter"},
		{"no engine", "", "", nil, false, Unclear, "the engine is not known"},
		{"a new engine", "quux", "1", nil, false, Unclear, "it is not documented how engine quux refuses plaintext"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, why := engineRequiresTLS(tt.engine, tt.version, tt.params, !tt.unread)
			if got != tt.want || why != tt.why {
				t.Errorf("got %v, %q\nwant %v, %q", got, why, tt.want, tt.why)
			}
		})
	}
}

func TestSplitEngine(t *testing.T) {
	for in, want := range map[string]string{
		"oracle-ee": "oracle", "oracle-se2-cdb": "oracle", "custom-oracle-ee": "oracle",
		"sqlserver-web": "sqlserver", "db2-ae": "db2", "postgres": "postgres",
		"aurora-postgresql": "aurora-postgresql", "aurora-mysql": "aurora-mysql", "aurora": "aurora-mysql",
		"MariaDB": "mariadb", "": "",
	} {
		if got := splitEngine(in); got != want {
			t.Errorf("splitEngine(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestClientMode(t *testing.T) {
	for _, tt := range []struct {
		scheme, word string
		enc          Encryption
		verified     Ternary
		known        bool
	}{
		{"postgres", "disable", Plaintext, No, true},
		{"postgres", "prefer", Optional, No, true},
		{"postgresql", "require", Encrypted, No, true},
		{"aurora-postgresql", "verify-ca", Encrypted, No, true},
		{"postgres", "verify-full", Encrypted, Yes, true},
		{"postgres", "verify_identity", Unknown, Unclear, false}, // MySQL's word
		{"mysql", "PREFERRED", Optional, No, true},
		{"mysql", "REQUIRED", Encrypted, No, true},
		{"mysql", "VERIFY_CA", Encrypted, No, true},
		{"aurora-mysql", "VERIFY_IDENTITY", Encrypted, Yes, true},
		{"mysql", "skip-verify", Encrypted, No, true},
		{"mysql", "true", Encrypted, Unclear, true},
		{"mysql", "false", Plaintext, No, true},
		{"jdbc:mysql", "DISABLED", Plaintext, No, true},
		{"mysql+pymysql", "VERIFY_IDENTITY", Encrypted, Yes, true},
		{"jdbc:mysql", "", Optional, No, true},
		{"jdbc:postgresql", "", Optional, No, true},
		{"postgres", "", Unknown, Unclear, false}, // drivers differ
		{"mysql", "", Unknown, Unclear, false},
		{"jdbc:sqlserver", "strict", Encrypted, Yes, true},
		{"sqlserver", "true", Encrypted, Unclear, true},
		{"sqlserver", "trustServerCertificate", Encrypted, No, true},
		{"sqlserver", "false", Optional, No, true},
		{"rediss", "", Encrypted, Unclear, true},
		{"redis", "", Plaintext, No, true},
		{"redis", "true", Encrypted, Unclear, true},
		{"kafka", "SASL_SSL", Encrypted, Unclear, true},
		{"kafka", "SASL_PLAINTEXT", Plaintext, No, true},
		{"jdbc:oracle", "true", Encrypted, Unclear, true},
		{"mysql", "strange", Unknown, Unclear, false},
	} {
		enc, verified, known := clientMode(tt.scheme, tt.word)
		if enc != tt.enc || verified != tt.verified || known != tt.known {
			t.Errorf("clientMode(%q, %q) = %v, %v, %v; want %v, %v, %v",
				tt.scheme, tt.word, enc, verified, known, tt.enc, tt.verified, tt.known)
		}
	}
}

// A row without a source or a date could never be checked again.
func TestEngineFactsAreDated(t *testing.T) {
	for _, f := range engineFacts {
		if _, err := time.Parse(time.DateOnly, f.read); err != nil || f.source == "" {
			t.Errorf("%s %s: source %q, read %q", f.engine, f.parameter, f.source, f.read)
		}
		if !f.verified && f.unset != Unclear {
			t.Errorf("%s %s claims a default that is not verified", f.engine, f.parameter)
		}
	}
}
