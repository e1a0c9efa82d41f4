package cloudformation

import (
	"slices"
	"strings"

	"github.com/eksafe/eksafe/internal/estate"
)

func readDBInstance(res *resource) {
	p := res.properties()
	db := &estate.DBInstance{
		AWS:                     res.aws(p.tags("Tags")),
		DBInstanceIdentifier:    p.name("DBInstanceIdentifier"),
		DBClusterIdentifier:     p.ref("DBClusterIdentifier"),
		Engine:                  p.text("Engine"),
		EngineVersion:           p.text("EngineVersion"),
		StorageEncrypted:        p.bool("StorageEncrypted"),
		KmsKeyId:                p.refOrNone("KmsKeyId"),
		PubliclyAccessible:      p.bool("PubliclyAccessible"),
		DBParameterGroupName:    p.refOrNone("DBParameterGroupName"),
		OptionGroupName:         p.refOrNone("OptionGroupName"),
		CACertificateIdentifier: p.text("CACertificateIdentifier"),
		DBSubnetGroupName:       p.ref("DBSubnetGroupName"),
		VPCSecurityGroups:       p.refs("VPCSecurityGroups"),
		Endpoint:                estate.Endpoint{Port: p.int("Port").Or(0)},
		DeletionProtection:      p.boolOr("DeletionProtection", false),
	}
	// A copy takes encryption from what it is made of, and a member from its
	// cluster.
	made := slices.ContainsFunc([]string{
		"DBClusterIdentifier", "DBSnapshotIdentifier", "DBClusterSnapshotIdentifier", "SourceDBInstanceIdentifier",
		"SourceDBClusterIdentifier", "SourceDbiResourceId", "SourceDBInstanceAutomatedBackupsArn",
	}, p.has)
	if !made && !p.has("StorageEncrypted") {
		db.StorageEncrypted = estate.Known(false)
	}
	if !p.has("PubliclyAccessible") {
		db.PubliclyAccessible = publicByDefault(p, db.Engine)
	}
	put(res, estate.DBInstances, db, nil, p.plain("DBInstanceIdentifier"))
	if db.DBClusterIdentifier == "" {
		return
	}
	res.fold(func() {
		cluster, ok := target[*estate.DBCluster](res, db.DBClusterIdentifier)
		if !ok || p.has("StorageEncrypted") {
			return
		}
		db.StorageEncrypted, db.KmsKeyId = cluster.StorageEncrypted, cluster.KmsKeyId
	})
}

// publicByDefault is what RDS makes of an absent PubliclyAccessible: false
// with a subnet group that is not named default; without one true, but for
// Aurora.
func publicByDefault(p *properties, engine estate.Optional[string]) estate.Optional[bool] {
	switch v := p.get("DBSubnetGroupName"); {
	case v.kind == scalar:
		return estate.Known(v.text == "default")
	case v.kind == unknown:
		return estate.Optional[bool]{}
	}
	name, known := engine.Get()
	if !known {
		return estate.Optional[bool]{}
	}
	return estate.Known(!strings.HasPrefix(name, "aurora"))
}

func readDBCluster(res *resource) {
	p := res.properties()
	// Without the properties encryption depends on when the cluster is made,
	// and Aurora's clusters have no public access of their own.
	put(res, estate.DBClusters, &estate.DBCluster{
		AWS:                         res.aws(p.tags("Tags")),
		DBClusterIdentifier:         p.name("DBClusterIdentifier"),
		Engine:                      p.text("Engine"),
		EngineVersion:               p.text("EngineVersion"),
		StorageEncrypted:            p.bool("StorageEncrypted"),
		KmsKeyId:                    p.refOrNone("KmsKeyId"),
		PubliclyAccessible:          p.bool("PubliclyAccessible"),
		DBClusterParameterGroupName: p.refOrNone("DBClusterParameterGroupName"),
		DBSubnetGroupName:           p.ref("DBSubnetGroupName"),
		VpcSecurityGroupIds:         p.refs("VpcSecurityGroupIds"),
		Endpoint:                    estate.Endpoint{Port: p.int("Port").Or(0)},
		DeletionProtection:          p.boolOr("DeletionProtection", false),
	}, nil, p.plain("DBClusterIdentifier"))
}

func readDBProxy(res *resource) {
	p := res.properties()
	put(res, estate.DBProxies, &estate.DBProxy{
		AWS:                 res.aws(p.tags("Tags")),
		DBProxyName:         p.name("DBProxyName"),
		EngineFamily:        p.plain("EngineFamily"),
		RequireTLS:          p.bool("RequireTLS"),
		VpcSecurityGroupIds: p.refs("VpcSecurityGroupIds"),
		VpcSubnetIds:        p.refs("VpcSubnetIds"),
	}, nil, p.ref("DBProxyName"))
}

func foldDBProxyTargetGroup(res *resource) {
	p := res.properties()
	to := p.ref("DBProxyName")
	instances, clusters := p.refs("DBInstanceIdentifiers"), p.refs("DBClusterIdentifiers")
	res.fold(func() {
		if proxy, ok := target[*estate.DBProxy](res, to); ok {
			proxy.DBInstanceIdentifiers = append(proxy.DBInstanceIdentifiers, instances...)
			proxy.DBClusterIdentifiers = append(proxy.DBClusterIdentifiers, clusters...)
		}
	})
}

func readDBParameterGroup(res *resource) {
	p := res.properties()
	put(res, estate.DBParameterGroups, &estate.DBParameterGroup{
		AWS:                  res.aws(p.tags("Tags")),
		DBParameterGroupName: p.name("DBParameterGroupName"),
		Family:               p.text("Family"),
		Parameters:           p.parameters("Parameters"),
	}, nil)
}

func readDBClusterParameterGroup(res *resource) {
	p := res.properties()
	put(res, estate.DBClusterParameterGroups, &estate.DBClusterParameterGroup{
		AWS:                         res.aws(p.tags("Tags")),
		DBClusterParameterGroupName: p.name("DBClusterParameterGroupName"),
		Family:                      p.text("Family"),
		Parameters:                  p.parameters("Parameters"),
	}, nil)
}

func readOptionGroup(res *resource) {
	p := res.properties()
	var options estate.Optional[[]estate.OptionConfiguration]
	if items, known := p.each("OptionConfigurations"); known {
		list := []estate.OptionConfiguration{}
		for _, item := range items {
			option := estate.OptionConfiguration{OptionName: item.ref("OptionName"), Port: item.int("Port").Or(0)}
			settings, ok := item.each("OptionSettings")
			known = known && ok
			for _, s := range settings {
				// Settings may be secrets: only what names TLS is read.
				if name := s.plain("Name"); tlsSetting(name) {
					option.OptionSettings = append(option.OptionSettings, estate.OptionSetting{Name: name, Value: s.ref("Value")})
				}
			}
			list = append(list, option)
		}
		if known {
			options = estate.Known(list)
		}
	}
	put(res, estate.OptionGroups, &estate.OptionGroup{
		AWS:                  res.aws(p.tags("Tags")),
		OptionGroupName:      p.name("OptionGroupName"),
		EngineName:           p.plain("EngineName"),
		OptionConfigurations: options,
	}, nil)
}

func tlsSetting(name string) bool {
	name = strings.ToLower(name)
	for _, part := range []string{"ssl", "tls", "cipher", "fips", "encryption", "crypto"} {
		if strings.Contains(name, part) && !strings.Contains(name, "password") {
			return true
		}
	}
	return false
}

func readDBSubnetGroup(res *resource) {
	p := res.properties()
	put(res, estate.DBSubnetGroups, &estate.DBSubnetGroup{
		AWS:               res.aws(p.tags("Tags")),
		DBSubnetGroupName: p.name("DBSubnetGroupName"),
		SubnetIds:         p.refs("SubnetIds"),
	}, nil)
}
