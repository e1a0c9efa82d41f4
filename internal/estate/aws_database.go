package estate

import "time"

// Endpoint is where a database or cache listens.
type Endpoint struct {
	Address string `json:"address,omitempty"`
	Port    int    `json:"port,omitempty"`
}

// DBInstance is AWS::RDS::DBInstance.
type DBInstance struct {
	AWS                     `json:"aws" cfn:"-"`
	DBInstanceIdentifier    string             `json:"dbInstanceIdentifier"`
	DBClusterIdentifier     string             `json:"dbClusterIdentifier,omitempty"`
	Engine                  Optional[string]   `json:"engine,omitzero"`        // mysql, mariadb, postgres, oracle-…, sqlserver-…, db2-…, aurora-…
	EngineVersion           Optional[string]   `json:"engineVersion,omitzero"` // "8.4", "16.3"
	StorageEncrypted        Optional[bool]     `json:"storageEncrypted,omitzero"`
	KmsKeyId                Optional[string]   `json:"kmsKeyId,omitzero"`
	PubliclyAccessible      Optional[bool]     `json:"publiclyAccessible,omitzero"`
	DBParameterGroupName    Optional[string]   `json:"dbParameterGroupName,omitzero"` // known and empty: the engine's default group
	OptionGroupName         Optional[string]   `json:"optionGroupName,omitzero"`
	CACertificateIdentifier Optional[string]   `json:"caCertificateIdentifier,omitzero"`
	CertificateDetails      CertificateDetails `json:"certificateDetails"`
	DBSubnetGroupName       string             `json:"dbSubnetGroupName,omitempty"`
	VPCSecurityGroups       []string           `json:"vpcSecurityGroups,omitempty"`
	Endpoint                Endpoint           `json:"endpoint"`
	DeletionProtection      Optional[bool]     `json:"deletionProtection,omitzero"`
	// ParameterApplyStatus is "in-sync", "pending-reboot" … of the parameter
	// group (rds:DescribeDBInstances).
	ParameterApplyStatus Optional[string] `json:"parameterApplyStatus,omitzero" cfn:"-"`
}

// CertificateDetails is the server certificate of a DBInstance.
type CertificateDetails struct {
	CAIdentifier string              `json:"caIdentifier,omitempty"`
	ValidTill    Optional[time.Time] `json:"validTill,omitzero"`
}

// DBCluster is AWS::RDS::DBCluster.
type DBCluster struct {
	AWS                         `json:"aws" cfn:"-"`
	DBClusterIdentifier         string           `json:"dbClusterIdentifier"`
	Engine                      Optional[string] `json:"engine,omitzero"`
	EngineVersion               Optional[string] `json:"engineVersion,omitzero"`
	StorageEncrypted            Optional[bool]   `json:"storageEncrypted,omitzero"`
	KmsKeyId                    Optional[string] `json:"kmsKeyId,omitzero"`
	PubliclyAccessible          Optional[bool]   `json:"publiclyAccessible,omitzero"`
	DBClusterParameterGroupName Optional[string] `json:"dbClusterParameterGroupName,omitzero"`
	DBSubnetGroupName           string           `json:"dbSubnetGroupName,omitempty"`
	VpcSecurityGroupIds         []string         `json:"vpcSecurityGroupIds,omitempty"`
	Endpoint                    Endpoint         `json:"endpoint"`
	ReadEndpoint                Endpoint         `json:"readEndpoint"`
	DeletionProtection          Optional[bool]   `json:"deletionProtection,omitzero"`
	// ParameterApplyStatus is the worst of the cluster's members
	// (rds:DescribeDBClusters).
	ParameterApplyStatus Optional[string] `json:"parameterApplyStatus,omitzero" cfn:"-"`
}

// DBProxy is AWS::RDS::DBProxy with the targets of its
// AWS::RDS::DBProxyTargetGroup.
type DBProxy struct {
	AWS                   `json:"aws" cfn:"-"`
	DBProxyName           string         `json:"dbProxyName"`
	EngineFamily          string         `json:"engineFamily,omitempty"`
	RequireTLS            Optional[bool] `json:"requireTLS,omitzero"`
	Endpoint              string         `json:"endpoint,omitempty"`
	VpcSecurityGroupIds   []string       `json:"vpcSecurityGroupIds,omitempty"`
	VpcSubnetIds          []string       `json:"vpcSubnetIds,omitempty"`
	DBInstanceIdentifiers []string       `json:"dbInstanceIdentifiers,omitempty" cfn:"-"` // DBProxyTargetGroup
	DBClusterIdentifiers  []string       `json:"dbClusterIdentifiers,omitempty" cfn:"-"`  // DBProxyTargetGroup
}

// DBParameterGroup is AWS::RDS::DBParameterGroup.
type DBParameterGroup struct {
	AWS                  `json:"aws" cfn:"-"`
	DBParameterGroupName string                      `json:"dbParameterGroupName"`
	Family               Optional[string]            `json:"family,omitzero"`     // mysql8.4, postgres16 …
	Parameters           Optional[map[string]string] `json:"parameters,omitzero"` // those that differ from the engine's defaults
}

// DBClusterParameterGroup is AWS::RDS::DBClusterParameterGroup.
type DBClusterParameterGroup struct {
	AWS                         `json:"aws" cfn:"-"`
	DBClusterParameterGroupName string                      `json:"dbClusterParameterGroupName"`
	Family                      Optional[string]            `json:"family,omitzero"`
	Parameters                  Optional[map[string]string] `json:"parameters,omitzero"`
}

// OptionGroup is AWS::RDS::OptionGroup.
type OptionGroup struct {
	AWS                  `json:"aws" cfn:"-"`
	OptionGroupName      string                          `json:"optionGroupName"`
	EngineName           string                          `json:"engineName,omitempty"`
	OptionConfigurations Optional[[]OptionConfiguration] `json:"optionConfigurations,omitzero"`
}

// OptionConfiguration is one option, such as Oracle's SSL.
type OptionConfiguration struct {
	OptionName     string          `json:"optionName"`
	Port           int             `json:"port,omitempty"`
	OptionSettings []OptionSetting `json:"optionSettings,omitempty"`
}

// OptionSetting is one setting of an option.
type OptionSetting struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// DBSubnetGroup is AWS::RDS::DBSubnetGroup.
type DBSubnetGroup struct {
	AWS               `json:"aws" cfn:"-"`
	DBSubnetGroupName string   `json:"dbSubnetGroupName"`
	SubnetIds         []string `json:"subnetIds,omitempty"`
}

// DBSnapshot is a manual or automated snapshot of an instance or cluster
// (rds:DescribeDBSnapshots, DescribeDBClusterSnapshots); CloudFormation has no
// such type.
type DBSnapshot struct {
	AWS                  `json:"aws" cfn:"-"`
	DBSnapshotIdentifier string             `json:"dbSnapshotIdentifier" cfn:"-"`
	SourceIdentifier     string             `json:"sourceIdentifier" cfn:"-"` // of the instance or cluster
	SnapshotType         string             `json:"snapshotType" cfn:"-"`     // manual, automated …
	Encrypted            Optional[bool]     `json:"encrypted,omitzero" cfn:"-"`
	RestoreAccounts      Optional[[]string] `json:"restoreAccounts,omitzero" cfn:"-"` // "all" is everybody
}
