package cloudformation

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/eksafe/eksafe/internal/estate"
)

// TestWhatResourcesBecome reads resources and compares one kind of the estate,
// without origins. In want, ID stands for the resource named R.
func TestWhatResourcesBecome(t *testing.T) {
	for _, tt := range []struct {
		name, resources string
		kind            estate.Kind
		want            string
	}{
		{"cluster without anything", `
  R: {Type: AWS::EKS::Cluster, Properties: {RoleArn: r, ResourcesVpcConfig: {SubnetIds: [s]}}}`, "Cluster",
			`{"accessConfig":{"bootstrapClusterCreatorAdminPermissions":true},"clusterSecurityGroupId":"ID.ClusterSecurityGroupId","computeConfig":{},"deletionProtection":false,"encryptionConfig":[],"logging":{"clusterLogging":{"enabledTypes":[]}},"name":"R","roleArn":"r","resourcesVpcConfig":{"endpointPrivateAccess":false,"endpointPublicAccess":true,"publicAccessCidrs":["0.0.0.0/0"],"subnetIds":["s"]},"upgradePolicy":{"supportType":"EXTENDED"}}`},
		{"cluster with unknowns", `
  R: {Type: AWS::EKS::Cluster, Properties: {ResourcesVpcConfig: !If [Unknown, {EndpointPublicAccess: false}, {}], EncryptionConfig: !If [Unknown, [], []], Logging: {ClusterLogging: {EnabledTypes: [{Type: !Ref Open}]}}}}`, "Cluster",
			`{"accessConfig":{"bootstrapClusterCreatorAdminPermissions":true},"clusterSecurityGroupId":"ID.ClusterSecurityGroupId","computeConfig":{},"deletionProtection":false,"logging":{"clusterLogging":{}},"name":"R","resourcesVpcConfig":{"securityGroupIds":["${?}"],"subnetIds":["${?}"]},"upgradePolicy":{"supportType":"EXTENDED"}}`},
		{"node group without launch template", `
  R: {Type: AWS::EKS::Nodegroup, Properties: {ClusterName: c, NodeRole: r, Subnets: !Ref Open}}`, "Nodegroup",
			`{"clusterName":"c","launchTemplate":{},"nodeRole":"r","nodegroupName":"R","subnets":["${Open}"]}`},
		{"launch template without anything", `
  R: {Type: AWS::EC2::LaunchTemplate, Properties: {LaunchTemplateData: {UserData: hunter2}}}`, "LaunchTemplate",
			`{"defaultVersion":true,"latestVersion":true,"launchTemplateData":{"blockDeviceMappings":[],"metadataOptions":{"httpEndpoint":"","httpPutResponseHopLimit":0,"httpTokens":""}},"launchTemplateId":"ID","launchTemplateName":"R"}`},
		{"load balancer without anything", `
  R: {Type: AWS::ElasticLoadBalancingV2::LoadBalancer}`, "LoadBalancer",
			`{"dnsName":"ID.DNSName","loadBalancerAttributes":[],"name":"R","scheme":"internet-facing","type":"application"}`},
		{"HTTPS listener without policy", `
  C: {Type: AWS::ElasticLoadBalancingV2::ListenerCertificate, Properties: {ListenerArn: !Ref R, Certificates: [{CertificateArn: b}]}}
  R: {Type: AWS::ElasticLoadBalancingV2::Listener, Properties: {LoadBalancerArn: lb, Protocol: HTTPS, Port: "443", Certificates: [{CertificateArn: a}], DefaultActions: [{Type: redirect, RedirectConfig: {StatusCode: HTTP_301}}]}}`, "Listener",
			`{"certificates":["a","b"],"defaultActions":[{"redirectConfig":{"port":"#{port}","protocol":"#{protocol}","statusCode":"HTTP_301"},"type":"redirect"}],"listenerAttributes":[],"loadBalancerArn":"lb","port":443,"protocol":"HTTPS","sslPolicy":"ELBSecurityPolicy-2016-08"}`},
		{"listener rule", `
  R: {Type: AWS::ElasticLoadBalancingV2::ListenerRule, Properties: {ListenerArn: l, Priority: 3, Conditions: [{Field: host-header, HostHeaderConfig: {Values: [a]}}], Actions: [{Type: forward, ForwardConfig: {TargetGroups: [{TargetGroupArn: t, Weight: 1}]}}]}}`, "ListenerRule",
			`{"actions":[{"forwardConfig":{"targetGroups":[{"targetGroupArn":"t","weight":1}]},"type":"forward"}],"conditions":[{"field":"host-header","values":["a"]}],"listenerArn":"l","priority":3}`},
		{"listener rule with a secret header", `
  R: {Type: AWS::ElasticLoadBalancingV2::ListenerRule, Properties: {ListenerArn: l, Priority: 3, Conditions: [{Field: http-header, HttpHeaderConfig: {HttpHeaderName: x-origin-verify, Values: [hunter2, "*"]}}], Actions: [{Type: fixed-response}]}}`, "ListenerRule",
			`{"actions":[{"type":"fixed-response"}],"conditions":[{"anyValue":true,"field":"http-header","values":["x-origin-verify"]}],"listenerArn":"l","priority":3}`},
		{"target group", `
  R: {Type: AWS::ElasticLoadBalancingV2::TargetGroup, Properties: {Protocol: HTTPS, Port: 8443, TargetType: ip}}`, "TargetGroup",
			`{"healthCheckProtocol":"HTTP","name":"R","port":8443,"protocol":"HTTPS","protocolVersion":"HTTP1","targetType":"ip"}`},
		{"classic load balancer", `
  R: {Type: AWS::ElasticLoadBalancing::LoadBalancer, Properties: {Listeners: [{Protocol: SSL, LoadBalancerPort: 443, InstancePort: 80, PolicyNames: [p]}], Policies: [{PolicyName: p, PolicyType: SSLNegotiationPolicyType, Attributes: [{Name: Protocol-TLSv1, Value: true}]}]}}`, "ClassicLoadBalancer",
			`{"dnsName":"ID.DNSName","listeners":[{"instancePort":"80","loadBalancerPort":"443","policyNames":["p"],"protocol":"SSL"}],"loadBalancerName":"R","policies":[{"attributes":[{"key":"Protocol-TLSv1","value":"true"}],"policyName":"p","policyType":"SSLNegotiationPolicyType"}],"scheme":"internet-facing"}`},
		{"web ACL in order", `
  R: {Type: AWS::WAFv2::WebACL, Properties: {Scope: REGIONAL, Rules: [{Name: b, Priority: 2}, {Name: a, Priority: 1}]}}`, "WebACL",
			`{"id":"ID","name":"R","rules":[{"name":"a","priority":1,"statement":{"other":"unknown"}},{"name":"b","priority":2,"statement":{"other":"unknown"}}],"scope":"REGIONAL"}`},
		{"distribution with its own name", `
  L: {Type: AWS::ElasticLoadBalancingV2::LoadBalancer}
  R: {Type: AWS::CloudFront::Distribution, Properties: {DistributionConfig: {Enabled: true, DefaultCacheBehavior: {TargetOriginId: o, ViewerProtocolPolicy: allow-all}, Origins: [{Id: o, DomainName: !GetAtt L.DNSName, CustomOriginConfig: {OriginProtocolPolicy: http-only}}]}}}`, "Distribution",
			`{"distributionConfig":{"defaultCacheBehavior":{"targetOriginId":"o","viewerProtocolPolicy":"allow-all"},"enabled":true,"logging":false,"origins":[{"customOriginConfig":{"originProtocolPolicy":"http-only"},"domainName":"cfn:t.yaml#L.DNSName","id":"o","originCustomHeaders":[]}],"viewerCertificate":{"cloudFrontDefaultCertificate":true,"minimumProtocolVersion":"TLSv1"},"webACLId":""},"domainName":"ID.DomainName","id":"R"}`},
		{"VPC with another block", `
  B: {Type: AWS::EC2::VPCCidrBlock, Properties: {VpcId: !Ref R, CidrBlock: 10.1.0.0/16}}
  R: {Type: AWS::EC2::VPC, Properties: {CidrBlock: 10.0.0.0/16}}`, "VPC",
			`{"cidrBlock":"10.0.0.0/16","cidrBlockAssociations":["10.1.0.0/16"],"vpcId":"R"}`},
		{"routes", `
  G: {Type: AWS::EC2::InternetGateway}
  V: {Type: AWS::EC2::VPNGateway}
  A: {Type: AWS::EC2::Route, Properties: {RouteTableId: !Ref R, DestinationCidrBlock: 0.0.0.0/0, GatewayId: !Ref G}}
  B: {Type: AWS::EC2::Route, Properties: {RouteTableId: !Ref R, DestinationCidrBlock: 10.0.0.0/8, GatewayId: !Ref V}}
  C: {Type: AWS::EC2::Route, Properties: {RouteTableId: !Ref R, DestinationIpv6CidrBlock: '::/0', GatewayId: !Ref Open}}
  D: {Type: AWS::EC2::Route, Properties: {RouteTableId: rtb-elsewhere, DestinationCidrBlock: 0.0.0.0/0}}
  R: {Type: AWS::EC2::RouteTable, Properties: {VpcId: v}}`, "RouteTable",
			`{"routeTableId":"R","routes":[{"destinationCidrBlock":"0.0.0.0/0","gatewayId":"cfn:t.yaml#G","internet":true},{"destinationCidrBlock":"10.0.0.0/8","gatewayId":"cfn:t.yaml#V"},{"destinationIpv6CidrBlock":"::/0","gatewayId":"${Open}","internet":true}],"vpcId":"v"}`},
		{"routes to everywhere", `
  A: {Type: AWS::EC2::Route, Properties: {RouteTableId: !Ref R, DestinationPrefixListId: pl-1, TransitGatewayId: tgw-1}}
  B: {Type: AWS::EC2::Route, Properties: {RouteTableId: !Ref R, DestinationCidrBlock: 10.1.0.0/16, VpcPeeringConnectionId: !Ref P}}
  C: {Type: AWS::EC2::Route, Properties: {RouteTableId: !Ref R, DestinationIpv6CidrBlock: '::/0', EgressOnlyInternetGatewayId: eigw-1}}
  D: {Type: AWS::EC2::Route, Properties: {RouteTableId: !Ref R, DestinationCidrBlock: 10.2.0.0/16, GatewayId: vpce-1}}
  E: {Type: AWS::EC2::Route, Properties: {RouteTableId: !Ref R, DestinationCidrBlock: 10.3.0.0/16, NetworkInterfaceId: eni-1}}
  P: {Type: AWS::EC2::VPCPeeringConnection, Properties: {VpcId: v, PeerVpcId: w}}
  R: {Type: AWS::EC2::RouteTable, Properties: {VpcId: v}}`, "RouteTable",
			`{"routeTableId":"R","routes":[{"destinationPrefixListId":"pl-1","transitGatewayId":"tgw-1"},{"destinationCidrBlock":"10.1.0.0/16","vpcPeeringConnectionId":"cfn:t.yaml#P"},{"destinationIpv6CidrBlock":"::/0","egressOnlyInternetGatewayId":"eigw-1"},{"destinationCidrBlock":"10.2.0.0/16","vpcEndpointId":"vpce-1"},{"destinationCidrBlock":"10.3.0.0/16","networkInterfaceId":"eni-1"}],"vpcId":"v"}`},
		{"interface endpoint", `
  G: {Type: AWS::EC2::SecurityGroup, Properties: {GroupDescription: d}}
  R: {Type: AWS::EC2::VPCEndpoint, Properties: {VpcId: v, VpcEndpointType: Interface, ServiceName: com.amazonaws.eu-west-1.sts, SubnetIds: [s], SecurityGroupIds: [!Ref G, !Ref Open], PrivateDnsEnabled: true}}`, "VPCEndpoint",
			`{"id":"R","policyDocument":"","privateDnsEnabled":true,"securityGroupIds":["cfn:t.yaml#G","${Open}"],"serviceName":"com.amazonaws.eu-west-1.sts","subnetIds":["s"],"vpcEndpointType":"Interface","vpcId":"v"}`},
		{"gateway endpoint with a policy", `
  R: {Type: AWS::EC2::VPCEndpoint, Properties: {VpcId: v, ServiceName: s3, RouteTableIds: [r], PolicyDocument: {Statement: [{Effect: Allow, Principal: "*", Action: "s3:GetObject", Resource: "*"}]}}}`, "VPCEndpoint",
			`{"id":"R","policyDocument":"{\"Statement\":[{\"Action\":\"s3:GetObject\",\"Effect\":\"Allow\",\"Principal\":\"*\",\"Resource\":\"*\"}]}","privateDnsEnabled":false,"routeTableIds":["r"],"serviceName":"s3","vpcEndpointType":"Gateway","vpcId":"v"}`},
		{"endpoint whose policy may deny", `
  R: {Type: AWS::EC2::VPCEndpoint, Properties: {VpcId: v, ServiceName: s3, PolicyDocument: !Ref Open}}`, "VPCEndpoint",
			`{"id":"R","privateDnsEnabled":false,"serviceName":"s3","vpcEndpointType":"Gateway","vpcId":"v"}`},
		{"peering", `
  R: {Type: AWS::EC2::VPCPeeringConnection, Properties: {VpcId: v, PeerVpcId: w, PeerOwnerId: "111122223333", PeerRegion: eu-west-2}}`, "VPCPeeringConnection",
			`{"id":"R","peerOwnerId":"111122223333","peerRegion":"eu-west-2","peerVpcId":"w","vpcId":"v"}`},
		{"prefix list", `
  R: {Type: AWS::EC2::PrefixList, Properties: {PrefixListName: office, AddressFamily: IPv4, MaxEntries: 2, Entries: [{Cidr: 192.0.2.0/24, Description: hunter2}, {Cidr: !Ref Open}]}}`, "PrefixList",
			`{"entries":[{"cidr":"192.0.2.0/24"},{"cidr":"${Open}"}],"prefixListId":"ID","prefixListName":"office"}`},
		{"prefix list that may be of anything", `
  R: {Type: AWS::EC2::PrefixList, Properties: {PrefixListName: office, Entries: !Ref Open}}`, "PrefixList",
			`{"prefixListId":"ID","prefixListName":"office"}`},
		{"security group without rules lets out", `
  R: {Type: AWS::EC2::SecurityGroup, Properties: {GroupDescription: d}}`, "SecurityGroup",
			`{"groupId":"ID","groupName":"R","securityGroupEgress":[{"cidrIp":"0.0.0.0/0","fromPort":-1,"ipProtocol":"-1","toPort":-1},{"cidrIpv6":"::/0","fromPort":-1,"ipProtocol":"-1","toPort":-1}],"securityGroupIngress":[]}`},
		{"security group with separate rules", `
  R: {Type: AWS::EC2::SecurityGroup, Properties: {GroupDescription: d, SecurityGroupEgress: [{IpProtocol: -1, CidrIp: 127.0.0.1/32}]}}
  I: {Type: AWS::EC2::SecurityGroupIngress, Properties: {GroupId: !GetAtt R.GroupId, IpProtocol: tcp, FromPort: 1, ToPort: 2, SourceSecurityGroupId: !Ref R}}
  J: {Type: AWS::EC2::SecurityGroupIngress, Properties: {GroupId: !Ref R, IpProtocol: tcp, FromPort: 1, ToPort: 2, CidrIp: !Ref Open}}
  K: {Type: AWS::EC2::SecurityGroupIngress, Condition: Unknown, Properties: {GroupId: !Ref R, IpProtocol: tcp, FromPort: 1, ToPort: 2, CidrIp: 10.0.0.0/8}}
  E: {Type: AWS::EC2::SecurityGroupEgress, Properties: {GroupId: !Ref R, IpProtocol: udp, FromPort: 53, ToPort: 53, DestinationPrefixListId: pl-1}}`, "SecurityGroup",
			`{"groupId":"ID","groupName":"R","securityGroupEgress":[{"cidrIp":"127.0.0.1/32","fromPort":-1,"ipProtocol":"-1","toPort":-1},{"fromPort":53,"ipProtocol":"udp","sourcePrefixListId":"pl-1","toPort":53}],"securityGroupIngress":[{"fromPort":1,"ipProtocol":"tcp","sourceSecurityGroupId":"ID","toPort":2},{"cidrIp":"${Open}","fromPort":1,"ipProtocol":"tcp","toPort":2,"unresolved":true},{"cidrIp":"10.0.0.0/8","fromPort":1,"ipProtocol":"tcp","toPort":2,"unresolved":true}]}`},
		{"what separate rules leave of the default is not known", `
  R: {Type: AWS::EC2::SecurityGroup, Properties: {GroupDescription: d, SecurityGroupIngress: !Ref Open}}
  E: {Type: AWS::EC2::SecurityGroupEgress, Properties: {GroupId: !Ref R, IpProtocol: udp, FromPort: 53, ToPort: 53, CidrIp: 10.0.0.0/8}}`, "SecurityGroup",
			`{"groupId":"ID","groupName":"R"}`},
		{"network ACL", `
  R: {Type: AWS::EC2::NetworkAcl, Properties: {VpcId: v}}
  A: {Type: AWS::EC2::NetworkAclEntry, Properties: {NetworkAclId: !Ref R, RuleNumber: 100, Protocol: 6, RuleAction: allow, CidrBlock: 10.0.0.0/8, PortRange: {From: 3306, To: 3306}}}
  B: {Type: AWS::EC2::NetworkAclEntry, Condition: Unknown, Properties: {NetworkAclId: !Ref R, RuleNumber: 90, Protocol: -1, RuleAction: deny, CidrBlock: 0.0.0.0/0}}
  C: {Type: AWS::EC2::SubnetNetworkAclAssociation, Properties: {NetworkAclId: !Ref R, SubnetId: s}}`, "NetworkAcl",
			`{"entries":[{"cidrBlock":"10.0.0.0/8","fromPort":3306,"protocol":"6","ruleAction":"allow","ruleNumber":100,"toPort":3306}],"id":"R","subnetIds":["s"],"vpcId":"v"}`},
		{"database without anything", `
  R: {Type: AWS::RDS::DBInstance, Properties: {Engine: postgres, MasterUserPassword: hunter2}}`, "DBInstance",
			`{"certificateDetails":{},"dbInstanceIdentifier":"R","dbParameterGroupName":"","deletionProtection":false,"endpoint":{},"engine":"postgres","kmsKeyId":"","optionGroupName":"","publiclyAccessible":true,"storageEncrypted":false}`},
		{"database of a cluster", `
  R: {Type: AWS::RDS::DBInstance, Properties: {Engine: aurora-mysql, DBClusterIdentifier: !Ref C}}
  C: {Type: AWS::RDS::DBCluster, Properties: {Engine: aurora-mysql, StorageEncrypted: true, KmsKeyId: k}}`, "DBInstance",
			`{"certificateDetails":{},"dbClusterIdentifier":"cfn:t.yaml#C","dbInstanceIdentifier":"R","dbParameterGroupName":"","deletionProtection":false,"endpoint":{},"engine":"aurora-mysql","kmsKeyId":"k","optionGroupName":"","publiclyAccessible":false,"storageEncrypted":true}`},
		{"database of a snapshot", `
  R: {Type: AWS::RDS::DBInstance, Properties: {DBSnapshotIdentifier: s, DBSubnetGroupName: !Ref Open}}`, "DBInstance",
			`{"certificateDetails":{},"dbInstanceIdentifier":"R","dbParameterGroupName":"","dbSubnetGroupName":"${Open}","deletionProtection":false,"endpoint":{},"kmsKeyId":"","optionGroupName":""}`},
		{"cluster's encryption is not guessed", `
  R: {Type: AWS::RDS::DBCluster, Properties: {Engine: aurora-mysql}}`, "DBCluster",
			`{"dbClusterIdentifier":"R","dbClusterParameterGroupName":"","deletionProtection":false,"endpoint":{},"engine":"aurora-mysql","kmsKeyId":"","readEndpoint":{}}`},
		{"proxy and its targets", `
  T: {Type: AWS::RDS::DBProxyTargetGroup, Properties: {DBProxyName: p, DBInstanceIdentifiers: [!Ref D]}}
  D: {Type: AWS::RDS::DBInstance}
  R: {Type: AWS::RDS::DBProxy, Properties: {DBProxyName: p, EngineFamily: MYSQL, RequireTLS: true}}`, "DBProxy",
			`{"dbInstanceIdentifiers":["cfn:t.yaml#D"],"dbProxyName":"p","engineFamily":"MYSQL","requireTLS":true}`},
		{"parameters", `
  R: {Type: AWS::RDS::DBParameterGroup, Properties: {Family: f, Parameters: {require_secure_transport: ON, max_connections: !Ref Open}}}`, "DBParameterGroup",
			`{"dbParameterGroupName":"R","family":"f","parameters":{"require_secure_transport":"ON"}}`},
		{"parameters that may decide", `
  R: {Type: AWS::RDS::DBParameterGroup, Properties: {Family: f, Parameters: {rds.force_ssl: !Ref Open, a: b}}}`, "DBParameterGroup",
			`{"dbParameterGroupName":"R","family":"f"}`},
		{"option group keeps no secrets", `
  R: {Type: AWS::RDS::OptionGroup, Properties: {EngineName: oracle-ee, OptionConfigurations: [{OptionName: SSL, Port: 2484, OptionSettings: [{Name: SQLNET.SSL_VERSION, Value: '1.2'}, {Name: PASSWORD, Value: hunter2}]}]}}`, "OptionGroup",
			`{"engineName":"oracle-ee","optionConfigurations":[{"optionName":"SSL","optionSettings":[{"name":"SQLNET.SSL_VERSION","value":"1.2"}],"port":2484}],"optionGroupName":"R"}`},
		{"volume without anything", `
  R: {Type: AWS::EC2::Volume}`, "Volume", `{"kmsKeyId":"","volumeId":"R"}`},
		{"key", `
  A: {Type: AWS::KMS::Alias, Properties: {AliasName: alias/a, TargetKeyId: !GetAtt R.Arn}}
  R: {Type: AWS::KMS::Key}`, "Key",
			`{"aliases":["alias/a"],"enableKeyRotation":false,"enabled":true,"keyId":"R","keyManager":"CUSTOMER","keyOrigin":"AWS_KMS","keySpec":"SYMMETRIC_DEFAULT"}`},
		{"bucket without anything", `
  R: {Type: AWS::S3::Bucket}`, "Bucket", `{"bucketEncryption":"AES256","bucketName":"R","policy":"","expirations":[],"loggingConfiguration":"","notifications":[],"objectLockEnabled":false,"versioningConfiguration":""}`},
		{"bucket named by an expression", `
  R: {Type: AWS::S3::Bucket, Properties: {BucketName: !Sub 'logs-${AWS::AccountId}'}}
  P: {Type: AWS::S3::BucketPolicy, Properties: {Bucket: !Sub 'logs-${AWS::AccountId}', PolicyDocument: {Statement: [{Effect: Deny, Resource: !Sub 'arn:${AWS::Partition}:s3:::logs-${AWS::AccountId}/*'}]}}}`, "Bucket",
			`{"bucketEncryption":"AES256","bucketName":"R","policy":"{\"Statement\":[{\"Effect\":\"Deny\",\"Resource\":\"ID/*\"}]}","expirations":[],"loggingConfiguration":"","notifications":[],"objectLockEnabled":false,"versioningConfiguration":""}`},
		{"policy whose denial is not known", `
  R: {Type: AWS::S3::Bucket, Properties: {PublicAccessBlockConfiguration: {BlockPublicAcls: !Ref Open}}}
  P: {Type: AWS::S3::BucketPolicy, Properties: {Bucket: !Ref R, PolicyDocument: {Statement: [{Effect: Deny, Principal: !Ref Open}]}}}`, "Bucket",
			`{"bucketEncryption":"AES256","bucketName":"R","expirations":[],"loggingConfiguration":"","notifications":[],"objectLockEnabled":false,"versioningConfiguration":""}`},
		{"policy of an unknown bucket", `
  R: {Type: AWS::S3::Bucket}
  P: {Type: AWS::S3::BucketPolicy, Properties: {Bucket: !Ref Open, PolicyDocument: {}}}`, "Bucket",
			`{"bucketEncryption":"AES256","bucketName":"R","expirations":[],"loggingConfiguration":"","notifications":[],"objectLockEnabled":false,"versioningConfiguration":""}`},
		{"macro in the properties", `
  R: {Type: AWS::KMS::Key, Properties: {Fn::Transform: {Name: AWS::Include}, KeySpec: RSA_2048}}`, "Key",
			`{"keyId":"R","keyManager":"CUSTOMER","keySpec":"RSA_2048"}`},
		{"EFS", `
  R: {Type: AWS::EFS::FileSystem, Properties: {Encrypted: true}}`, "FileSystem", `{"encrypted":true,"fileSystemId":"R","fileSystemType":"EFS","kmsKeyId":""}`},
		{"FSx", `
  R: {Type: AWS::FSx::FileSystem, Properties: {FileSystemType: LUSTRE}}`, "FileSystem", `{"encrypted":true,"fileSystemId":"R","fileSystemType":"LUSTRE","kmsKeyId":""}`},
		{"valkey", `
  R: {Type: AWS::ElastiCache::ReplicationGroup, Properties: {Engine: valkey, AuthToken: hunter2}}`, "Cache",
			`{"atRestEncryptionEnabled":true,"engine":"valkey","id":"R","transitEncryptionEnabled":false,"type":"replicationgroup"}`},
		{"MemoryDB", `
  R: {Type: AWS::MemoryDB::Cluster, Properties: {ClusterName: c, TLSEnabled: "false"}}`, "Cache",
			`{"atRestEncryptionEnabled":true,"id":"c","transitEncryptionEnabled":false,"type":"memorydb"}`},
		{"where a replication group stands", `
  G: {Type: AWS::ElastiCache::SubnetGroup, Properties: {CacheSubnetGroupName: caches, SubnetIds: [subnet-1]}}
  R: {Type: AWS::ElastiCache::ReplicationGroup, Properties: {Engine: valkey, CacheSubnetGroupName: caches, SecurityGroupIds: [sg-1]}}`, "Cache",
			`{"atRestEncryptionEnabled":true,"engine":"valkey","id":"R","securityGroupIds":["sg-1"],"subnetGroupName":"caches","transitEncryptionEnabled":false,"type":"replicationgroup"}`},
		{"where a cache cluster stands", `
  R: {Type: AWS::ElastiCache::CacheCluster, Properties: {Engine: memcached, CacheSubnetGroupName: caches, VpcSecurityGroupIds: [sg-1]}}`, "Cache",
			`{"engine":"memcached","id":"R","securityGroupIds":["sg-1"],"subnetGroupName":"caches","type":"cachecluster"}`},
		{"where a serverless cache stands", `
  R: {Type: AWS::ElastiCache::ServerlessCache, Properties: {Engine: valkey, SubnetIds: [subnet-1], SecurityGroupIds: [sg-1]}}`, "Cache",
			`{"atRestEncryptionEnabled":true,"engine":"valkey","id":"R","securityGroupIds":["sg-1"],"subnetIds":["subnet-1"],"transitEncryptionEnabled":true,"transitEncryptionMode":"required","type":"serverless"}`},
		{"subnet group of ElastiCache", `
  R: {Type: AWS::ElastiCache::SubnetGroup, Properties: {CacheSubnetGroupName: caches, SubnetIds: [subnet-1, !Ref Open]}}`, "CacheSubnetGroup",
			`{"cacheSubnetGroupName":"caches","subnetIds":["subnet-1","${Open}"]}`},
		{"subnet group of MemoryDB", `
  R: {Type: AWS::MemoryDB::SubnetGroup, Properties: {SubnetGroupName: caches, SubnetIds: [subnet-1]}}`, "CacheSubnetGroup",
			`{"cacheSubnetGroupName":"caches","subnetIds":["subnet-1"]}`},
		{"where brokers stand", `
  R: {Type: AWS::MSK::Cluster, Properties: {BrokerNodeGroupInfo: {ClientSubnets: [subnet-1], SecurityGroups: [sg-1]}}}`, "KafkaCluster",
			`{"clientSubnets":["subnet-1"],"clusterName":"R","inCluster":true,"securityGroups":["sg-1"]}`},
		{"where a search domain stands", `
  R: {Type: AWS::OpenSearchService::Domain, Properties: {VPCOptions: {SubnetIds: [subnet-1], SecurityGroupIds: [sg-1]}}}`, "OpenSearchDomain",
			`{"domainName":"R","endpoint":{},"securityGroupIds":["sg-1"],"subnetIds":["subnet-1"]}`},
		{"Kafka", `
  R: {Type: AWS::MSK::Cluster, Properties: {EncryptionInfo: {EncryptionInTransit: {ClientBroker: TLS}}}}`, "KafkaCluster",
			`{"clientBroker":"TLS","clusterName":"R","inCluster":true}`},
		{"OpenSearch", `
  R: {Type: AWS::OpenSearchService::Domain, Properties: {DomainEndpointOptions: {EnforceHTTPS: true}}}`, "OpenSearchDomain",
			`{"domainName":"R","endpoint":{},"enforceHTTPS":true}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			becomes(t, tt.resources, tt.kind, tt.want)
		})
	}
}

// becomes reads resources and compares the one named R, without its origin. In
// want, ID stands for its identity.
func becomes(t *testing.T, resources string, kind estate.Kind, want string) {
	t.Helper()
	e := read(t, Options{}, File{"t.yaml", []byte(preamble + "Resources:" + resources + "\n")})
	k, err := estate.KindOf(kind)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := k.Encode(e)
	if err != nil {
		t.Fatal(err)
	}
	var items []map[string]any
	if err := json.Unmarshal(raw, &items); err != nil {
		t.Fatal(err)
	}
	found := false
	for _, item := range items {
		id := item["aws"].(map[string]any)["arn"].(string)
		if !strings.HasSuffix(id, "#R") {
			continue
		}
		found = true
		delete(item, "aws")
		got, err := json.Marshal(item)
		if err != nil {
			t.Fatal(err)
		}
		if got, want := decoded(t, string(got)), decoded(t, strings.ReplaceAll(want, "ID", id)); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
	if !found {
		t.Fatalf("no %s: %v", kind, problems(e))
	}
	for _, k := range estate.Kinds() {
		if data, _ := k.Encode(e); strings.Contains(string(data), "hunter2") {
			t.Errorf("%s holds a secret", k.Kind)
		}
	}
}

// decoded writes JSON in one form.
func decoded(t *testing.T, s string) string {
	t.Helper()
	var v any
	if err := json.Unmarshal([]byte(s), &v); err != nil {
		t.Fatal(err)
	}
	out, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

func TestFieldsThatStandDeeperHavePositions(t *testing.T) {
	e := read(t, Options{}, File{"t.yaml", []byte(`
Resources:
  K:
    Type: AWS::MSK::Cluster
    Properties:
      EncryptionInfo:
        EncryptionInTransit:
          ClientBroker: PLAINTEXT
  M:
    Type: AWS::MemoryDB::Cluster
    Properties:
      TLSEnabled: false
  G:
    Type: AWS::EC2::SecurityGroup
    Properties:
      SecurityGroupIngress:
        - CidrIp: 10.0.0.0/8
  I:
    Type: AWS::EC2::SecurityGroupIngress
    Properties:
      GroupId: !Ref G
      CidrIp: 0.0.0.0/0
`)})
	for _, tt := range []struct {
		origin *estate.Origin
		field  string
		line   int
	}{
		{&estate.KafkaClusters.In(e)[0].Origin, "clientBroker", 8},
		{&estate.KafkaClusters.In(e)[0].Origin, "inCluster", 3},
		{&estate.Caches.In(e)[0].Origin, "transitEncryptionEnabled", 12},
		{&estate.SecurityGroups.In(e)[0].Origin, "securityGroupIngress[0].cidrIp", 17},
		{&estate.SecurityGroups.In(e)[0].Origin, "securityGroupIngress[1].cidrIp", 18},
	} {
		if _, line := tt.origin.Locate(tt.field); line != tt.line {
			t.Errorf("%s at line %d, want %d", tt.field, line, tt.line)
		}
	}
}

// A real property must never be taken for a misspelt one, and every property
// that is asked for must be one. Both hold against cfn-lint's schemas, at the
// top of each type.
func TestNamesAgainstSchemas(t *testing.T) {
	var types []string
	for typ := range readers {
		types = append(types, typ)
	}
	slices.Sort(types)
	const script = `
import json, sys
from cfnlint.schema.manager import PROVIDER_SCHEMA_MANAGER as manager
out = {}
for name in sys.argv[1:]:
    names = set()
    def walk(o):
        if isinstance(o, dict):
            if isinstance(o.get("properties"), dict):
                names.update(o["properties"])
            for v in o.values():
                walk(v)
        elif isinstance(o, list):
            for v in o:
                walk(v)
    walk(manager.get_resource_schema("us-east-1", name).schema)
    out[name] = sorted(names)
json.dump(out, sys.stdout)
`
	out, err := exec.Command("python3", append([]string{"-c", script}, types...)...).Output()
	if err != nil {
		why := "cfn-lint is not installed for python3: property names are not held against CloudFormation's schemas"
		if os.Getenv("EKSAFE_RIGS") == "required" {
			t.Fatal(why)
		}
		t.Skip(why)
	}
	var schemas map[string][]string
	if err := json.Unmarshal(out, &schemas); err != nil {
		t.Fatal(err)
	}
	for _, typ := range types {
		real := schemas[typ]
		e := read(t, Options{}, File{"t.yaml", fmt.Appendf(nil, "Resources: {R: {Type: '%s', Properties: {%s: x}}}", typ, strings.Join(real, ": x, "))})
		for _, p := range problems(e) {
			if strings.Contains(p, "did you mean") {
				t.Error(p)
			}
		}
		for _, name := range asked(typ) {
			if !slices.Contains(real, name) {
				t.Errorf("%s has no property %s", typ, name)
			}
		}
	}
}

// asked returns the properties that the reader of a type asks for.
func asked(typ string) []string {
	r := &reader{estate: &estate.Estate{}, ids: map[string]*resource{}, instances: map[string]int{},
		extra: map[*estate.Origin]map[string]addition{}}
	root, err := parse(fmt.Appendf(nil, "Resources: {R: {Type: '%s'}}", typ))
	if err != nil {
		panic(err)
	}
	t := &template{path: "t.yaml", resources: field(root, "Resources"),
		source: &source{ignored: map[string]int{}, counts: map[estate.Kind]int{}}}
	s := r.instantiate(t, nil, nil, "")
	s.readResources()
	var out []string
	for _, p := range s.list[0].visits {
		for name := range p.asked {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return out
}
