package terraform

import (
	"strings"

	"github.com/eksafe/eksafe/internal/estate"
)

func readDBInstance(res *resource) {
	put(res, estate.DBInstances, &estate.DBInstance{
		AWS:                     res.aws(),
		DBInstanceIdentifier:    res.name("identifier"),
		Engine:                  res.text("engine"),
		EngineVersion:           res.text("engine_version"),
		StorageEncrypted:        res.storageEncrypted(),
		KmsKeyId:                res.refOrNone("kms_key_id"),
		PubliclyAccessible:      res.boolOr("publicly_accessible", false),
		DBParameterGroupName:    res.groupName("parameter_group_name"),
		OptionGroupName:         res.groupName("option_group_name"),
		CACertificateIdentifier: res.text("ca_cert_identifier"),
		DBSubnetGroupName:       res.ref("db_subnet_group_name"),
		VPCSecurityGroups:       res.refs("vpc_security_group_ids"),
		Endpoint:                estate.Endpoint{Address: res.attr("address"), Port: res.int("port").Or(0)},
		DeletionProtection:      res.boolOr("deletion_protection", false),
	})
}

// groupName is the name of a parameter or option group: known and empty where
// the configuration leaves it to AWS, whose default groups have the engine's
// name.
func (res *resource) groupName(attribute string) estate.Optional[string] {
	if res.expressions != nil && res.expressions[attribute] == nil && !res.isKnown(attribute) {
		return estate.Known("")
	}
	return res.refOrNone(attribute)
}

func (res *resource) isKnown(attribute string) bool {
	_, known := res.text(attribute).Get()
	return known
}

// storageEncrypted is unknown for what is restored: the snapshot decides.
func (res *resource) storageEncrypted() estate.Optional[bool] {
	if !res.has("storage_encrypted") && (res.has("snapshot_identifier") || res.has("replicate_source_db")) {
		return estate.Optional[bool]{}
	}
	return res.boolOr("storage_encrypted", false)
}

func readDBCluster(res *resource) {
	port := res.int("port").Or(0)
	put(res, estate.DBClusters, &estate.DBCluster{
		AWS:                         res.aws(),
		DBClusterIdentifier:         res.name("cluster_identifier"),
		Engine:                      res.text("engine"),
		EngineVersion:               res.text("engine_version"),
		StorageEncrypted:            res.bool("storage_encrypted"), // its default depends on the engine mode
		KmsKeyId:                    res.refOrNone("kms_key_id"),
		DBClusterParameterGroupName: res.groupName("db_cluster_parameter_group_name"),
		DBSubnetGroupName:           res.ref("db_subnet_group_name"),
		VpcSecurityGroupIds:         res.refs("vpc_security_group_ids"),
		Endpoint:                    estate.Endpoint{Address: res.attr("endpoint"), Port: port},
		ReadEndpoint:                estate.Endpoint{Address: res.attr("reader_endpoint"), Port: port},
		DeletionProtection:          res.boolOr("deletion_protection", false),
	})
}

func readClusterInstance(res *resource) {
	i := &estate.DBInstance{
		AWS:                     res.aws(),
		DBInstanceIdentifier:    res.name("identifier"),
		DBClusterIdentifier:     res.ref("cluster_identifier"),
		Engine:                  res.text("engine"),
		EngineVersion:           res.text("engine_version"),
		PubliclyAccessible:      res.boolOr("publicly_accessible", false),
		DBParameterGroupName:    res.groupName("db_parameter_group_name"),
		CACertificateIdentifier: res.text("ca_cert_identifier"),
		DBSubnetGroupName:       res.ref("db_subnet_group_name"),
		Endpoint:                estate.Endpoint{Address: res.attr("endpoint"), Port: res.int("port").Or(0)},
		StorageEncrypted:        res.bool("storage_encrypted"),
		KmsKeyId:                res.refOrNone("kms_key_id"),
	}
	put(res, estate.DBInstances, i)
	// Storage and subnets are the cluster's.
	res.fold(func() {
		c, ok := target[*estate.DBCluster](res, i.DBClusterIdentifier)
		if !ok {
			return
		}
		if _, known := i.StorageEncrypted.Get(); !known {
			i.StorageEncrypted, i.KmsKeyId = c.StorageEncrypted, c.KmsKeyId
		}
		i.DeletionProtection = c.DeletionProtection
		if i.DBSubnetGroupName == "" {
			i.DBSubnetGroupName = c.DBSubnetGroupName
		}
	})
}

func readDBProxy(res *resource) {
	put(res, estate.DBProxies, &estate.DBProxy{
		AWS:                 res.aws(),
		DBProxyName:         res.name("name"),
		EngineFamily:        res.plain("engine_family"),
		RequireTLS:          res.boolOr("require_tls", false),
		Endpoint:            res.attr("endpoint"),
		VpcSecurityGroupIds: res.refs("vpc_security_group_ids"),
		VpcSubnetIds:        res.refs("vpc_subnet_ids"),
	})
}

func foldDBProxyTarget(res *resource) {
	to, instance, cluster := res.ref("db_proxy_name"), res.ref("db_instance_identifier"), res.ref("db_cluster_identifier")
	res.fold(func() {
		p, ok := target[*estate.DBProxy](res, to)
		switch {
		case !ok:
		case instance != "":
			p.DBInstanceIdentifiers = append(p.DBInstanceIdentifiers, instance)
		case cluster != "":
			p.DBClusterIdentifiers = append(p.DBClusterIdentifiers, cluster)
		}
	})
}

// parameters is unknown where the value of one that may decide about TLS is.
func parameters(res *resource) estate.Optional[map[string]string] {
	items, known := res.each("parameter")
	out := map[string]string{}
	for _, item := range items {
		name := item.plain("name")
		value, ok := item.text("value").Get()
		switch {
		case ok && name != "":
			out[name] = value
		case name == "" || strings.Contains(name, "ssl") || strings.Contains(name, "tls") || strings.Contains(name, "secure_transport"):
			known = false
		}
	}
	if !known {
		return estate.Optional[map[string]string]{}
	}
	return estate.Known(out)
}

func readDBParameterGroup(res *resource) {
	put(res, estate.DBParameterGroups, &estate.DBParameterGroup{
		AWS: res.aws(), DBParameterGroupName: res.name("name"), Family: res.text("family"), Parameters: parameters(res),
	})
}

func readDBClusterParameterGroup(res *resource) {
	put(res, estate.DBClusterParameterGroups, &estate.DBClusterParameterGroup{
		AWS: res.aws(), DBClusterParameterGroupName: res.name("name"), Family: res.text("family"), Parameters: parameters(res),
	})
}

func readOptionGroup(res *resource) {
	g := &estate.OptionGroup{AWS: res.aws(), OptionGroupName: res.name("name"), EngineName: res.plain("engine_name")}
	if items, known := res.each("option"); known {
		options := []estate.OptionConfiguration{}
		for _, item := range items {
			o := estate.OptionConfiguration{OptionName: item.plain("option_name"), Port: item.int("port").Or(0)}
			settings, _ := item.each("option_settings")
			for _, s := range settings {
				// Of the settings those on TLS: others hold passwords.
				if name := s.plain("name"); strings.HasPrefix(name, "SQLNET.") || strings.HasPrefix(name, "FIPS.") {
					o.OptionSettings = append(o.OptionSettings, estate.OptionSetting{Name: name, Value: s.plain("value")})
				}
			}
			options = append(options, o)
		}
		g.OptionConfigurations = estate.Known(options)
	}
	put(res, estate.OptionGroups, g)
}

func readDBSubnetGroup(res *resource) {
	put(res, estate.DBSubnetGroups, &estate.DBSubnetGroup{AWS: res.aws(), DBSubnetGroupName: res.name("name"), SubnetIds: res.refs("subnet_ids")})
}
