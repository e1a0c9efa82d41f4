package cloudformation

import (
	"strings"

	"github.com/eksafe/eksafe/internal/estate"
)

func readCluster(res *resource) {
	p := res.properties()
	vpc := p.in("ResourcesVpcConfig")
	everybody := []string{"0.0.0.0/0"}
	if p.in("KubernetesNetworkConfig").plain("IpFamily") == "ipv6" {
		everybody = append(everybody, "::/0")
	}
	var encryption estate.Optional[[]estate.EncryptionConfig]
	if items, known := p.each("EncryptionConfig"); known {
		configs := []estate.EncryptionConfig{}
		for _, item := range items {
			configs = append(configs, estate.EncryptionConfig{
				Provider:  estate.EncryptionProvider{KeyArn: item.in("Provider").ref("KeyArn")},
				Resources: item.words("Resources"),
			})
		}
		encryption = estate.Known(configs)
	}
	var logs estate.Optional[[]string]
	if items, known := p.in("Logging").in("ClusterLogging").each("EnabledTypes"); known {
		types := []string{}
		for _, item := range items {
			typ, ok := item.text("Type").Get()
			known = known && ok
			types = append(types, typ)
		}
		if known {
			logs = estate.Known(types)
		}
	}
	put(res, estate.Clusters, &estate.Cluster{
		AWS:     res.aws(p.tags("Tags")),
		Name:    p.name("Name"),
		Version: p.text("Version"),
		ResourcesVpcConfig: estate.ResourcesVpcConfig{
			EndpointPublicAccess:  vpc.boolOr("EndpointPublicAccess", true),
			EndpointPrivateAccess: vpc.boolOr("EndpointPrivateAccess", false),
			PublicAccessCidrs:     vpc.texts("PublicAccessCidrs", everybody),
			SubnetIds:             vpc.refs("SubnetIds"),
			SecurityGroupIds:      vpc.refs("SecurityGroupIds"),
		},
		EncryptionConfig: encryption,
		Logging:          estate.Logging{ClusterLogging: estate.ClusterLogging{EnabledTypes: logs}},
		AccessConfig: estate.AccessConfig{
			AuthenticationMode:                      p.in("AccessConfig").text("AuthenticationMode"),
			BootstrapClusterCreatorAdminPermissions: p.in("AccessConfig").boolOr("BootstrapClusterCreatorAdminPermissions", true),
		},
		RoleArn:                p.ref("RoleArn"),
		UpgradePolicy:          estate.UpgradePolicy{SupportType: p.in("UpgradePolicy").textOr("SupportType", "EXTENDED")},
		ComputeConfig:          estate.ComputeConfig{Enabled: p.in("ComputeConfig").bool("Enabled")},
		DeletionProtection:     p.boolOr("DeletionProtection", false),
		ClusterSecurityGroupId: res.id() + ".ClusterSecurityGroupId",
	}, nil, p.plain("Name"))
}

func readNodegroup(res *resource) {
	p := res.properties()
	var launch estate.Optional[estate.LaunchTemplateReference]
	if v := p.get("LaunchTemplate"); v.kind == absent {
		launch = estate.Known(estate.LaunchTemplateReference{})
	} else if v.kind == mapping {
		t := res.view(v)
		version := t.ref("Version")
		// A template describes one version only, and it is both of these.
		if strings.HasSuffix(version, ".LatestVersionNumber") {
			version = "$Latest"
		} else if strings.HasSuffix(version, ".DefaultVersionNumber") {
			version = "$Default"
		}
		launch = estate.Known(estate.LaunchTemplateReference{Id: t.ref("Id"), Name: t.ref("Name"), Version: version})
	}
	put(res, estate.Nodegroups, &estate.Nodegroup{
		AWS:            res.aws(p.tags("Tags")),
		ClusterName:    p.ref("ClusterName"),
		NodegroupName:  p.name("NodegroupName"),
		LaunchTemplate: launch,
		AmiType:        p.plain("AmiType"),
		NodeRole:       p.ref("NodeRole"),
		Subnets:        p.refs("Subnets"),
	}, nil)
}

func readLaunchTemplate(res *resource) {
	p := res.properties()
	data := p.in("LaunchTemplateData")
	var devices estate.Optional[[]estate.BlockDeviceMapping]
	if items, known := data.each("BlockDeviceMappings"); known {
		list := []estate.BlockDeviceMapping{}
		for _, item := range items {
			if !item.has("Ebs") { // an instance store, or no device
				continue
			}
			ebs := item.in("Ebs")
			list = append(list, estate.BlockDeviceMapping{
				DeviceName: item.plain("DeviceName"),
				Ebs: estate.EbsBlockDevice{
					Encrypted:  ebs.boolOr("Encrypted", false),
					KmsKeyId:   ebs.refOrNone("KmsKeyId"),
					VolumeType: ebs.plain("VolumeType"),
				},
			})
		}
		devices = estate.Known(list)
	}
	put(res, estate.LaunchTemplates, &estate.LaunchTemplate{
		AWS:                res.aws(nil),
		LaunchTemplateId:   res.id(),
		LaunchTemplateName: p.name("LaunchTemplateName"),
		DefaultVersion:     true,
		LatestVersion:      true,
		LaunchTemplateData: estate.LaunchTemplateData{
			BlockDeviceMappings: devices,
			MetadataOptions:     metadataOptions(data.in("MetadataOptions")),
			ImageId:             data.ref("ImageId"),
			SecurityGroupIds:    data.refs("SecurityGroupIds"),
		},
	}, nil, p.plain("LaunchTemplateName"))
}

func metadataOptions(p *properties) estate.MetadataOptions {
	hops := p.int("HttpPutResponseHopLimit")
	if !p.has("HttpPutResponseHopLimit") {
		hops = estate.Known(0)
	}
	return estate.MetadataOptions{
		HttpEndpoint:            p.textOr("HttpEndpoint", ""),
		HttpTokens:              p.textOr("HttpTokens", ""),
		HttpPutResponseHopLimit: hops,
	}
}

func readInstance(res *resource) {
	p := res.properties()
	options := estate.MetadataOptions{}
	// A launch template may say what the instance does not.
	if p.has("MetadataOptions") || !p.has("LaunchTemplate") {
		options = metadataOptions(p.in("MetadataOptions"))
	}
	put(res, estate.Instances, &estate.Instance{
		AWS:              res.aws(p.tags("Tags")),
		InstanceId:       res.name,
		MetadataOptions:  options,
		SubnetId:         p.ref("SubnetId"),
		SecurityGroupIds: p.refs("SecurityGroupIds"),
	}, nil)
}
